/*
 * Values of aggregates as rows and states hold them (agg_priv.h): a tag, then what it says, little endian.  A number has one encoding for each value and number of
 * digits behind its point; -0 is 0.  Numbers are compared by the digits that their text has, so 9007199254740993 is not 9007199254740992, and 0.1 as a
 * double is 0.1.
 */
#include "agg_priv.h"

#include <dp/base/decimal.h>
#include <math.h>

/* ---- encoding ---- */

void agg_val_add_dec(struct dp_buf *b, int64_t i, int scale) {
    char *p = dp_buf_reserve(b, 9);
    p[0] = (char)(AGG_DEC + scale);
    agg_put64(p + 1, (uint64_t)i);
    b->n += 9;
}

void agg_val_add_bytes(struct dp_buf *b, unsigned tag, struct dp_str s) {
    char *p = dp_buf_reserve(b, s.n + 5);
    p[0] = (char)tag;
    agg_put32(p + 1, (uint32_t)s.n);
    if (s.n) memcpy(p + 5, s.p, s.n);
    b->n += s.n + 5;
}

static void add_double(struct dp_buf *b, double d) {
    char *p = dp_buf_reserve(b, 9);
    p[0] = AGG_DBL;
    agg_put64(p + 1, agg_double_bits(d == 0 ? 0 : d));
    b->n += 9;
}

static void add_text(struct dp_buf *b, double d, struct dp_str text) {
    char *p = dp_buf_reserve(b, text.n + 13);
    p[0] = AGG_TEXT;
    agg_put64(p + 1, agg_double_bits(d));
    agg_put32(p + 9, (uint32_t)text.n);
    memcpy(p + 13, text.p, text.n);
    b->n += text.n + 13;
}

static void add_wide(struct dp_buf *b, struct dp_decimal d) {
    char *p = dp_buf_reserve(b, 18);
    p[0] = AGG_WIDE;
    p[1] = (char)d.scale;
    agg_put64(p + 2, (uint64_t)(dp_u128)d.unscaled);
    agg_put64(p + 10, (uint64_t)((dp_u128)d.unscaled >> 64));
    b->n += 18;
}

/* The double of a number as spelled; beyond its range an infinity. */
static double double_of(struct dp_str text) {
    double d;
    if (dp_parse_double(text, &d)) return d;
    return text.p[0] == '-' ? -(double)INFINITY : (double)INFINITY;
}

static bool has_exponent(struct dp_str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] | 32) == 'e') return true;
    return false;
}

/* -?digits[.digits] of at most 38 digits without the zeros in front. */
static bool plain_decimal(struct dp_str s, struct dp_decimal *out) {
    const char *p = s.p, *end = s.p + s.n, *point = NULL;
    uint64_t part[2] = {0, 0};
    int n = 0;
    bool minus = p < end && *p == '-';
    for (p += minus; p < end; p++) {
        unsigned c = (unsigned)(unsigned char)*p - '0';
        if (*p == '.') {
            point = p;
            continue;
        }
        if (c > 9 || n == DP_DECIMAL_MAX_PRECISION) return false;
        n += n || c;
        part[n > 19] = part[n > 19] * 10 + c;
    }
    out->scale = point ? (int)(end - point - 1) : 0;
    if (out->scale > AGG_WIDE_SCALE) return false;
    dp_i128 v = part[0];
    if (n > 19) v = v * dp_power_of_ten_wide(n - 19) + part[1];
    out->unscaled = minus ? -v : v;
    return true;
}

/* Numbers that are not short decimals. */
static void add_long_number(struct dp_buf *b, struct dp_str text, bool is_float) {
    struct dp_decimal dec;
    char shortest[32];
    if (!is_float && (plain_decimal(text, &dec) || (!has_exponent(text) && dp_decimal_parse(text, &dec)))) {
        /* what is longer than it need be has fewer zeros now, and may be short */
        dp_i128 bound = dp_power_of_ten[AGG_DEC_DIGITS];
        if (dec.scale <= AGG_DEC_SCALE && dec.unscaled < bound && dec.unscaled > -bound) agg_val_add_dec(b, (int64_t)dec.unscaled, dec.scale);
        else add_wide(b, dec);
        return;
    }
    double d = double_of(text);
    if (isfinite(d) && (is_float || dp_number_cmp(dp_str(shortest, dp_print_double(shortest, d)), text) == 0)) add_double(b, d);
    else add_text(b, d, text);
}

/* -?digits[.digits] of at most 18 digits, 10 of them behind the point: which nearly all numbers are. */
static inline bool short_decimal(struct dp_str s, int64_t *out, int *scale) {
    const char *p = s.p, *end = s.p + s.n;
    uint64_t v = 0;
    bool minus = p < end && *p == '-';
    p += minus;
    if (end - p > AGG_DEC_DIGITS) return false; /* with the point: one digit fewer */
    for (; p < end; p++) {
        unsigned c = (unsigned)(unsigned char)*p - '0';
        if (c > 9) break;
        v = v * 10 + c;
    }
    *scale = 0;
    if (p < end) {
        if (*p != '.') return false;
        const char *from = ++p;
        if (end - from > AGG_DEC_SCALE) return false;
        for (; p < end; p++) {
            unsigned c = (unsigned)(unsigned char)*p - '0';
            if (c > 9) return false;
            v = v * 10 + c;
        }
        *scale = (int)(end - from);
    }
    *out = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

/* digits[.digits] of at most eight bytes, all at once, since how many digits there are can't be foretold. */
static inline bool eight_bytes(struct dp_str s, int64_t *out, int *scale) {
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    if (s.n - 1 > 7) return false;
    uint64_t v = agg_get64(s.p) & UINT64_MAX >> (64 - 8 * s.n), x = v ^ ones * '.', dot = (x - ones) & ~x & tops;
    unsigned n = (unsigned)s.n, behind = 0;
    if (dot) { /* it goes */
        unsigned at = (unsigned)__builtin_ctzll(dot) - 7;
        uint64_t before = (UINT64_C(1) << at) - 1;
        n--, behind = n - at / 8;
        v = (v & before) | (v >> 8 & ~before);
    }
    v = (v << 8 * (8 - n)) ^ (ones * '0' << 8 * (8 - n));
    if ((v | (v + ones * 0x76)) & tops) return false; /* not all are digits */
    v = (v * 10 + (v >> 8)) & 0x00ff00ff00ff00ffu;
    v = (v * 100 + (v >> 16)) & 0x0000ffff0000ffffu;
    v = (v * 10000 + (v >> 32)) & 0xffffffffu;
    *out = (int64_t)v, *scale = (int)behind;
    return true;
}

void agg_val_add_number(struct dp_buf *b, struct dp_str text, bool is_float) {
    int64_t i;
    int scale;
    if (!is_float && eight_bytes(text, &i, &scale)) agg_val_add_dec(b, i, scale);
    else if (is_float || !short_decimal(text, &i, &scale)) add_long_number(b, text, is_float);
    else agg_val_add_dec(b, i, scale);
}

/* ---- decoding ---- */

const char *agg_val_decode_long(const char *p, struct agg_val *v) {
    const char *from = p++;
    v->s = (struct dp_str){0};
    switch (v->tag) {
    case AGG_WIDE:
        v->scale = (unsigned char)*p;
        v->w = (dp_i128)((dp_u128)agg_get64(p + 9) << 64 | agg_get64(p + 1));
        p += 17;
        break;
    case AGG_DBL:
        v->d = agg_bits_double(agg_get64(p));
        p += 8;
        break;
    case AGG_TEXT:
        v->d = agg_bits_double(agg_get64(p));
        v->s = dp_str(p + 12, agg_get32(p + 8));
        p += 12 + v->s.n;
        break;
    case AGG_STR:
    case AGG_JSON:
        v->s = dp_str(p + 4, agg_get32(p));
        p += 4 + v->s.n;
        break;
    default: break; /* NAN and TRUE say all with their tag */
    }
    v->raw = dp_str(from, (size_t)(p - from));
    return p;
}

/* Bytes of the value at the front; 0: it is cut short, or no tag of ours. */
static size_t encoded_size(struct dp_str in) {
    if (!in.n) return 0;
    unsigned tag = (unsigned char)in.p[0];
    size_t n = 1;
    if (agg_is_dec(tag) || tag == AGG_DBL) n = 9;
    else if (tag == AGG_WIDE) n = 18;
    else if (tag == AGG_TEXT) n = in.n < 13 ? SIZE_MAX : 13 + (size_t)agg_get32(in.p + 9);
    else if (tag == AGG_STR || tag == AGG_JSON) n = in.n < 5 ? SIZE_MAX : 5 + (size_t)agg_get32(in.p + 1);
    else if (tag > AGG_TRUE) return 0;
    return n <= in.n ? n : 0;
}

static size_t skip_digits(struct dp_str s, size_t at) {
    while (at < s.n && s.p[at] >= '0' && s.p[at] <= '9') at++;
    return at;
}

/* JSON's grammar of numbers. */
static bool is_number(struct dp_str s) {
    size_t from = s.n && *s.p == '-', at = skip_digits(s, from);
    if (at == from || (s.p[from] == '0' && at > from + 1)) return false;
    if (at < s.n && s.p[at] == '.') {
        from = at + 1;
        if ((at = skip_digits(s, from)) == from) return false;
    }
    if (at < s.n && (s.p[at] | 32) == 'e') {
        from = at + 1;
        if (from < s.n && (s.p[from] == '-' || s.p[from] == '+')) from++;
        if ((at = skip_digits(s, from)) == from) return false;
    }
    return at == s.n;
}

/* A string without escapes. */
static bool is_plain_string(struct dp_str s) {
    if (s.n < 2 || *s.p != '"' || s.p[s.n - 1] != '"') return false;
    for (size_t i = 1; i < s.n - 1; i++)
        if (s.p[i] == '"' || s.p[i] == '\\' || (unsigned char)s.p[i] < ' ') return false;
    return dp_utf8_valid(s.p, s.n, NULL);
}

static bool is_json(struct dp_str text) {
    if (is_plain_string(text) || is_number(text)) return true; /* as most are */
    if (text.n && memchr(text.p, '\n', text.n)) return false; /* it would end a line */
    struct dp_buf copy = {0};
    struct dp_record r;
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    dp_buf_adds(&copy, text);
    memset(dp_buf_reserve(&copy, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    bool ok = dp_scan_value(scan, copy.p, copy.n, &r, NULL) == DP_OK && r.nodes[0].len + 2 >= text.n;
    dp_scan_close(scan);
    dp_buf_release(&copy);
    return ok;
}

bool agg_val_load(struct dp_str *in, struct agg_val *v) {
    size_t n = encoded_size(*in);
    if (!n) return false;
    (void)agg_val_decode(in->p, v);
    v->raw = dp_str(in->p, n);
    *in = dp_str(in->p + n, in->n - n);
    if (v->tag == AGG_NULL || v->tag == AGG_NAN || v->tag == AGG_TRUE) return true;
    if (v->tag == AGG_STR) return dp_utf8_valid(v->s.p, v->s.n, NULL);
    if (v->tag == AGG_JSON) return is_json(v->s);
    /* a number: it must be what encoding makes of its own text */
    struct dp_buf again = {0};
    bool ok = true;
    if (agg_is_dec(v->tag)) ok = v->i < dp_power_of_ten[AGG_DEC_DIGITS] && v->i > -dp_power_of_ten[AGG_DEC_DIGITS];
    else if (v->tag == AGG_DBL) ok = isfinite(v->d) && agg_double_bits(v->d) != agg_double_bits(-0.0);
    else if (v->tag == AGG_WIDE) {
        dp_i128 bound = (dp_i128)dp_power_of_ten[18] * dp_power_of_ten[18] * 100;
        ok = v->scale <= AGG_WIDE_SCALE && v->w < bound && v->w > -bound;
    } else {
        ok = is_number(v->s);
        if (ok) add_long_number(&again, v->s, false);
        ok = ok && dp_str_eq(dp_buf_str(&again), v->raw);
    }
    dp_buf_release(&again);
    return ok;
}

bool agg_val_fits(const struct agg_val *v, enum agg_class class) {
    switch (class) {
    case AGG_CLASS_PRESENT: return v->tag == AGG_TRUE;
    case AGG_CLASS_ORDERED: return agg_is_number(v->tag) || v->tag == AGG_NAN || v->tag == AGG_STR;
    case AGG_CLASS_NUMBER: return agg_is_number(v->tag) || v->tag == AGG_NAN;
    case AGG_CLASS_JSON:
    case AGG_CLASS_CANONICAL: return v->tag == AGG_JSON;
    }
    return false;
}

/* ---- order ---- */

static dp_i128 at_scale(int64_t i, int from, int to) { return (dp_i128)i * dp_power_of_ten[to - from]; }

static struct dp_str text_of(const struct agg_val *v, char room[48]) {
    if (v->tag == AGG_TEXT) return v->s;
    if (v->tag == AGG_DBL) return dp_str(room, dp_print_double(room, v->d));
    if (v->tag == AGG_WIDE) return dp_str(room, dp_decimal_print(room, v->w, v->scale));
    return dp_str(room, dp_decimal_print(room, v->i, v->scale));
}

/* Two decimals; false: not both are, or they are too far apart. */
static bool wide_cmp(const struct agg_val *a, const struct agg_val *b, int *out) {
    if (!(agg_is_dec(a->tag) || a->tag == AGG_WIDE) || !(agg_is_dec(b->tag) || b->tag == AGG_WIDE)) return false;
    dp_i128 x = agg_is_dec(a->tag) ? a->i : a->w, y = agg_is_dec(b->tag) ? b->i : b->w;
    if (a->scale < b->scale && dp_mul_overflow(x, dp_power_of_ten_wide(b->scale - a->scale), &x)) return false;
    if (b->scale < a->scale && dp_mul_overflow(y, dp_power_of_ten_wide(a->scale - b->scale), &y)) return false;
    *out = (x > y) - (x < y);
    return true;
}

static int number_cmp(const struct agg_val *a, const struct agg_val *b) {
    if (agg_is_dec(a->tag) && agg_is_dec(b->tag)) {
        if (a->scale == b->scale) return (a->i > b->i) - (a->i < b->i);
        int scale = a->scale > b->scale ? a->scale : b->scale;
        dp_i128 x = at_scale(a->i, a->scale, scale), y = at_scale(b->i, b->scale, scale);
        return (x > y) - (x < y);
    }
    if (a->tag == AGG_DBL && b->tag == AGG_DBL) return (a->d > b->d) - (a->d < b->d);
    int c;
    if (wide_cmp(a, b, &c)) return c;
    char x[48], y[48];
    return dp_number_cmp(text_of(a, x), text_of(b, y));
}

int agg_val_cmp(const struct agg_val *a, const struct agg_val *b) {
    bool x = agg_is_number(a->tag), y = agg_is_number(b->tag);
    if (x != y) return x ? -1 : 1;
    return x ? number_cmp(a, b) : dp_str_cmp(a->s, b->s);
}

int agg_val_order(const struct agg_val *a, const struct agg_val *b) {
    int c = agg_val_cmp(a, b);
    return c ? c : dp_str_cmp(a->raw, b->raw);
}

double agg_val_double(const struct agg_val *v) {
    char room[48];
    if (v->tag == AGG_DBL || v->tag == AGG_TEXT) return v->d;
    if (v->tag == AGG_WIDE) return double_of(text_of(v, room));
    int64_t exact = INT64_C(1) << 53;
    if (v->i <= exact && v->i >= -exact) return (double)v->i / (double)dp_power_of_ten[v->scale]; /* both are exact: one rounding */
    return double_of(text_of(v, room));
}

/* ---- printing ---- */

void agg_dec_print_least(struct dp_buf *b, dp_i128 unscaled, int scale, int least) {
    int64_t i = (int64_t)unscaled;
    if (i == unscaled) { /* 64-bit division is several times cheaper */
        while (scale > least && i % 10 == 0) i /= 10, scale--;
        unscaled = i;
    }
    while (scale > least && unscaled % 10 == 0) unscaled /= 10, scale--;
    b->n += dp_decimal_print(dp_buf_reserve(b, 48), unscaled, scale);
}

void agg_val_print(struct dp_buf *b, const struct agg_val *v) {
    char room[48];
    if (agg_is_number(v->tag)) dp_buf_adds(b, text_of(v, room));
    else if (v->tag == AGG_STR) dp_json_add_string(b, v->s);
    else if (v->tag == AGG_JSON) dp_buf_adds(b, v->s);
    else dp_buf_addz(b, v->tag == AGG_TRUE ? "true" : "null");
}
