/*
 * Techniques that leave less of a value: band, top, date, truncate, zip, ip, hierarchy.  What they can't read is no value of theirs: the record is a
 * reject, or the value null where the rule says so.  Generalised values can still single a person out together: see CAVEATS of dp-policy(5).
 */
#include "mask_priv.h"

#include <dp/base/time.h>

#include <arpa/inet.h>

/* NaN and infinities, which stand in records as strings: they tell nobody's value apart. */
static bool is_special(struct mask_value v) {
    return v.kind == DP_KIND_STRING && (dp_str_eqz(v.text, "NaN") || dp_str_eqz(v.text, "Infinity") || dp_str_eqz(v.text, "-Infinity"));
}

static const char *as_it_is(struct mask_value v, struct mask_result *out) {
    *out = (struct mask_result){.kind = v.kind, .text = v.text};
    return NULL;
}

/* ---- numbers ---- */

/* "[20,30)": from + k * width, exactly. */
const char *dp_mask_band(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    struct dp_decimal x, width = n->rule.width, from = n->rule.from;
    dp_i128 xs, w, f, d, low, high;
    char text[48];
    if (is_special(v)) return as_it_is(v, out);
    if (v.kind != DP_KIND_NUMBER || !dp_decimal_parse(v.text, &x)) return v.kind == DP_KIND_NUMBER ? "a number beyond 38 digits" : "not a number";
    int scale = width.scale > from.scale ? width.scale : from.scale, fine = x.scale > scale ? x.scale : scale;
    bool fits = dp_decimal_rescale(x, 38, fine, &xs) && dp_decimal_rescale(width, 38, fine, &w) && dp_decimal_rescale(from, 38, fine, &f);
    if (!fits || dp_sub_overflow(xs, f, &d)) return "a number beyond 38 digits";
    dp_i128 k = d / w - (d % w != 0 && d < 0);
    if (dp_mul_overflow(k, w, &low) || dp_add_overflow(low, f, &low) || dp_add_overflow(low, w, &high)) return "a number beyond 38 digits";
    for (; fine > scale; fine--) low /= 10, high /= 10; /* both are multiples of the coarser unit */
    dp_buf_reset(scratch);
    dp_buf_addc(scratch, '[');
    dp_buf_add(scratch, text, dp_decimal_print(text, low, scale));
    dp_buf_addc(scratch, ',');
    dp_buf_add(scratch, text, dp_decimal_print(text, high, scale));
    dp_buf_addc(scratch, ')');
    *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true, .text = dp_buf_str(scratch)};
    return NULL;
}

const char *dp_mask_top(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    (void)scratch;
    struct dp_str at = dp_str_z(n->rule.at);
    if (v.kind == DP_KIND_NUMBER && dp_number_cmp(v.text, at) < 0) return as_it_is(v, out);
    if (v.kind == DP_KIND_STRING && (dp_str_eqz(v.text, "NaN") || dp_str_eqz(v.text, "-Infinity"))) return as_it_is(v, out);
    *out = (struct mask_result){.kind = DP_KIND_NUMBER, .text = at};
    return NULL;
}

/* ---- dates and times ---- */

static bool two(const char *p, int low, int high) {
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return false;
    int v = (p[0] - '0') * 10 + (p[1] - '0');
    return v >= low && v <= high;
}

static bool is_date(const char *p) {
    return two(p, 0, 99) && two(p + 2, 0, 99) && p[4] == '-' && two(p + 5, 1, 12) && p[7] == '-' && two(p + 8, 1, 31);
}

static bool is_zone(const char *p, size_t n) {
    if (n == 0 || (n == 1 && (*p == 'Z' || *p == 'z'))) return true;
    return n == 6 && (*p == '+' || *p == '-') && two(p + 1, 0, 23) && p[3] == ':' && two(p + 4, 0, 59);
}

/* yyyy-mm-dd, or with a time behind it; *fraction: how many digits. */
static bool is_time(struct dp_str s, size_t *fraction) {
    *fraction = 0;
    if (s.n < 10 || !is_date(s.p)) return false;
    if (s.n == 10) return true;
    if (s.n < 19 || (s.p[10] != 'T' && s.p[10] != 't' && s.p[10] != ' ')) return false;
    if (!two(s.p + 11, 0, 23) || s.p[13] != ':' || !two(s.p + 14, 0, 59) || s.p[16] != ':' || !two(s.p + 17, 0, 60)) return false;
    size_t at = 19;
    if (at < s.n && s.p[at] == '.') {
        while (++at < s.n && s.p[at] >= '0' && s.p[at] <= '9') ++*fraction;
        if (!*fraction) return false;
    }
    return is_zone(s.p + at, s.n - at);
}

static int month_of(const char *p) { return (p[5] - '0') * 10 + (p[6] - '0'); }

/* 2026-01-02, 2026-01, 2026-Q1, 2026, 2020s: the calendar of the value's own zone. */
const char *dp_mask_date(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    size_t fraction;
    if (v.kind != DP_KIND_STRING || !is_time(v.text, &fraction)) return "not a date or timestamp (RFC 3339)";
    dp_buf_reset(scratch);
    switch ((enum dp_mask_unit)n->rule.unit) {
    case DP_MASK_SECOND:
    case DP_MASK_MINUTE:
    case DP_MASK_HOUR:
    case DP_MASK_DAY: dp_buf_add(scratch, v.text.p, 10); break;
    case DP_MASK_MONTH: dp_buf_add(scratch, v.text.p, 7); break;
    case DP_MASK_QUARTER: dp_buf_addf(scratch, "%.4s-Q%d", v.text.p, (month_of(v.text.p) + 2) / 3); break;
    case DP_MASK_YEAR: dp_buf_add(scratch, v.text.p, 4); break;
    case DP_MASK_DECADE: dp_buf_addf(scratch, "%.3s0s", v.text.p); break;
    }
    *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true, .text = dp_buf_str(scratch)};
    return NULL;
}

/* The same spelling with the finer digits at their first value. */
const char *dp_mask_truncate(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    size_t fraction;
    enum dp_mask_unit unit = (enum dp_mask_unit)n->rule.unit;
    if (v.kind != DP_KIND_STRING || !is_time(v.text, &fraction)) return "not a timestamp or date (RFC 3339)";
    dp_buf_reset(scratch);
    dp_buf_adds(scratch, v.text);
    char *p = scratch->p;
    if (scratch->n > 10) {
        if (fraction) memset(p + 20, '0', fraction);
        if (unit >= DP_MASK_MINUTE) memcpy(p + 17, "00", 2);
        else if (p[17] == '6') memcpy(p + 17, "59", 2); /* a leap second belongs to its minute */
        if (unit >= DP_MASK_HOUR) memcpy(p + 14, "00", 2);
        if (unit >= DP_MASK_DAY) memcpy(p + 11, "00", 2);
    }
    if (unit >= DP_MASK_MONTH) memcpy(p + 8, "01", 2);
    if (unit == DP_MASK_QUARTER) {
        int month = (month_of(p) - 1) / 3 * 3 + 1;
        p[5] = month >= 10 ? '1' : '0', p[6] = (char)('0' + month % 10);
    }
    if (unit >= DP_MASK_YEAR) memcpy(p + 5, "01", 2);
    *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true, .text = dp_buf_str(scratch)};
    return NULL;
}

/* ---- places ---- */

/* The first digits; the areas of a file, where few people live, become zeros (HIPAA 164.514(b)(2)(i)(B)). */
const char *dp_mask_zip(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    size_t digits = (size_t)n->rule.digits, at = 0;
    for (size_t i = 0; i < digits && at < v.text.n; i++)
        do at++;
        while (at < v.text.n && ((unsigned char)v.text.p[at] & 0xc0) == 0x80);
    if (at >= v.text.n) { /* nothing would be cut off: nothing is shown */
        *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true, .text = DP_STR("***")};
        return NULL;
    }
    dp_buf_reset(scratch);
    dp_buf_add(scratch, v.text.p, at);
    if (n->table && dp_map_get(n->table, dp_buf_str(scratch))) {
        dp_buf_reset(scratch);
        for (size_t i = 0; i < digits; i++) dp_buf_addc(scratch, '0');
    }
    *out = (struct mask_result){.kind = DP_KIND_STRING, .text = dp_buf_str(scratch)};
    return NULL;
}

/* Strict dotted quad, no zeros in front. */
static bool parse_v4(struct dp_str s, uint8_t a[4]) {
    size_t i = 0;
    for (int k = 0; k < 4; k++) {
        unsigned v = 0, digits = 0;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && digits < 4; i++, digits++) v = v * 10 + (unsigned)(s.p[i] - '0');
        if (!digits || digits > 3 || v > 255 || (digits > 1 && s.p[i - digits] == '0')) return false;
        a[k] = (uint8_t)v;
        if (k < 3 && (i >= s.n || s.p[i++] != '.')) return false;
    }
    return i == s.n;
}

static void clear_bits(uint8_t *a, size_t bytes, size_t keep) {
    for (size_t i = 0; i < bytes; i++)
        if (i * 8 + 8 > keep) a[i] = (uint8_t)(i * 8 >= keep ? 0u : a[i] & 0xffu << (8 - (keep - i * 8)));
}

static void print_v4(const uint8_t a[4], struct dp_buf *b) {
    char *o = dp_buf_reserve(b, 16), *p = o;
    for (int k = 0; k < 4; k++) {
        if (k) *p++ = '.';
        if (a[k] >= 100) *p++ = (char)('0' + a[k] / 100);
        if (a[k] >= 10) *p++ = (char)('0' + a[k] / 10 % 10);
        *p++ = (char)('0' + a[k] % 10);
    }
    b->n += (size_t)(p - o);
}

/* The network that an address is in.  An IPv4 address inside an IPv6 one keeps as much as it would alone. */
const char *dp_mask_ip(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint8_t a[16];
    char text[INET6_ADDRSTRLEN];
    dp_buf_reset(scratch);
    if (v.kind == DP_KIND_STRING && parse_v4(v.text, a)) {
        clear_bits(a, 4, (size_t)n->rule.v4);
        print_v4(a, scratch);
    } else {
        if (v.kind != DP_KIND_STRING || v.text.n >= sizeof text) return "not an IP address";
        memcpy(text, v.text.p, v.text.n);
        text[v.text.n] = 0;
        if (strlen(text) != v.text.n || inet_pton(AF_INET6, text, a) != 1) return "not an IP address";
        bool is_v4 = memcmp(a, mapped, sizeof mapped) == 0;
        clear_bits(a, 16, is_v4 ? 96 + (size_t)n->rule.v4 : (size_t)n->rule.v6);
        if (!inet_ntop(AF_INET6, a, text, sizeof text)) return "not an IP address";
        dp_buf_addz(scratch, text);
    }
    *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true, .text = dp_buf_str(scratch)};
    return NULL;
}

const char *dp_mask_hierarchy(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    (void)scratch;
    const struct dp_map_item *it = dp_map_get(n->table, v.text);
    if (!it) return "the value is not in the hierarchy's file";
    *out = (struct mask_result){.kind = DP_KIND_STRING, .text = *(const struct dp_str *)it->v.p};
    return NULL;
}
