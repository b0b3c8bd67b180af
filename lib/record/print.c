/*
 * Columns to records: batches as NDJSON, single values as JSON or as bare text.
 *
 * A printer is made for each column once per call; it holds `,"name":` ready, so a row is a run of copies and digits.  What comes out
 * is always one valid line: bytes that are not UTF-8 become U+FFFD, a JSON column whose text is not one JSON value becomes a string.
 */
#include "values_priv.h"

#include <dp/base/arena.h>
#include <dp/base/decimal.h>
#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/record/batch.h>
#include <dp/record/json.h>
#include <math.h>

struct run;

struct printer {
    const struct dp_column *c;
    void (*print)(struct run *run, struct printer *p, int64_t row, struct dp_buf *out);
    char *prefix;  /* `,"name":`, 32 bytes at least */
    size_t prefix_n;
    struct printer *children;
    bool valid_utf8;
    int64_t last_days; /* the date printed last, in date[0..10) */
    char date[16];
};

/* What a call shares. */
struct run {
    const struct dp_print_opts *opts;
    struct dp_arena arena;
    struct dp_buf text;
    struct dp_scan *scan; /* for JSON columns */
};

static const char two_digits[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051"
                                 "52535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
                                 "9899";

static inline int64_t get_i64(const struct dp_column *c, int64_t row) {
    int64_t v;
    memcpy(&v, c->data + row * 8, 8);
    return v;
}

static inline int32_t get_i32(const struct dp_column *c, int64_t row) {
    int32_t v;
    memcpy(&v, c->data + row * 4, 4);
    return v;
}

static inline struct dp_str get_bytes(const struct dp_column *c, int64_t row) {
    return dp_str((const char *)c->data + c->offsets[row], (size_t)(c->offsets[row + 1] - c->offsets[row]));
}

/* ---- numbers ---- */

static void print_null(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run, (void)p, (void)row;
    dp_buf_add(out, "null", 4);
}

static void print_boolean(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    if (p->c->data[row >> 3] >> (row & 7) & 1) dp_buf_add(out, "true", 4);
    else dp_buf_add(out, "false", 5);
}

static inline void print_small_i64(struct dp_buf *out, int64_t v) {
    char *w = dp_buf_reserve(out, 24);
    if (v >= 0 && v < 100) {
        if (v >= 10) *w++ = two_digits[v * 2];
        *w++ = two_digits[v * 2 + 1];
        out->n += v >= 10 ? 2 : 1;
        return;
    }
    out->n += dp_print_i64(w, v);
}

static void print_i64(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    print_small_i64(out, get_i64(p->c, row));
}

static void print_u64(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    out->n += dp_print_u64(dp_buf_reserve(out, 24), (uint64_t)get_i64(p->c, row));
}

static void print_i32(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    print_small_i64(out, get_i32(p->c, row));
}

static void print_small(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    const uint8_t *d = p->c->data;
    int64_t v = 0;
    if (p->c->type->id == DP_TYPE_UINT32) v = (uint32_t)get_i32(p->c, row);
    else if (p->c->type->id == DP_TYPE_INT8) v = (int8_t)d[row];
    else if (p->c->type->id == DP_TYPE_UINT8) v = d[row];
    else {
        uint16_t u = (uint16_t)(d[row * 2] | d[row * 2 + 1] << 8);
        v = p->c->type->id == DP_TYPE_INT16 ? (int16_t)u : u;
    }
    print_small_i64(out, v);
}

/*
 * A double with up to four digits behind the point and up to 15 in all is found by trial: m / 10^k rounds to v, k is the least, and no
 * two decimals of 15 digits share a double, so it is the shortest text.  Prices and measures are such; the rest goes to dp_print_double.
 */
static size_t short_double(char *w, double v) {
    static const double scale[] = {1, 10, 100, 1000, 10000};
    double a = fabs(v);
    if (!(a >= 0.01 && a < 1e10)) return 0;
    for (unsigned k = 1; k <= 4; k++) {
        double m = (double)(int64_t)(a * scale[k] + 0.5); /* a wrong guess fails the next line */
        if (m / scale[k] != a) continue;
        uint64_t whole = (uint64_t)m / (uint64_t)scale[k], part = (uint64_t)m % (uint64_t)scale[k];
        char *start = w;
        if (v < 0) *w++ = '-';
        w += dp_print_u64(w, whole);
        *w++ = '.';
        for (unsigned i = k; i-- > 0; part /= 10) w[i] = (char)('0' + part % 10);
        return (size_t)(w + k - start);
    }
    return 0;
}

static void print_floating(struct dp_buf *out, double v, size_t n) {
    if (isfinite(v)) out->n += n;
    else { /* NaN and the infinities are strings */
        char *w = out->p + out->n;
        memmove(w + 1, w, n);
        w[0] = w[n + 1] = '"';
        out->n += n + 2;
    }
}

static void print_double(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    double v;
    memcpy(&v, p->c->data + row * 8, 8);
    char *w = dp_buf_reserve(out, 40);
    size_t n = short_double(w, v);
    if (n) out->n += n;
    else print_floating(out, v, dp_print_double(w, v));
}

static void print_float(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    float v;
    memcpy(&v, p->c->data + row * 4, 4);
    print_floating(out, (double)v, dp_print_float(dp_buf_reserve(out, 40), v));
}

static void print_float16(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    uint16_t h;
    memcpy(&h, p->c->data + row * 2, 2);
    print_floating(out, dp_half_to_double(h), dp_half_print(dp_buf_reserve(out, 40), h));
}

static void print_decimal(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    dp_i128 v;
    memcpy(&v, p->c->data + row * 16, 16);
    char *w = dp_buf_reserve(out, 64);
    bool quoted = run->opts->decimal_string;
    if (quoted) *w++ = '"';
    size_t n = dp_decimal_print(w, v, p->c->type->scale);
    if (quoted) w[n] = '"';
    out->n += n + (quoted ? 2 : 0);
}

/* ---- dates and times ---- */

/* yyyy-mm-dd; other years than 0000..9999 with a sign and six digits at least, as ISO 8601 expands them. */
static size_t print_days(char *w, int64_t days) {
    if (days >= INT32_MIN && days <= INT32_MAX) return dp_date_print(w, (int32_t)days);
    int64_t year;
    unsigned month, day;
    dp_civil_from_days(days, &year, &month, &day);
    return (size_t)snprintf(w, 40, "%+07lld-%02u-%02u", (long long)year, month, day);
}

static size_t put_date(struct printer *p, char *w, int64_t days) {
    if (days == p->last_days) return memcpy(w, p->date, 16), 10;
    size_t n = print_days(w, days);
    if (n != 10) return n;
    p->last_days = days;
    memcpy(p->date, w, 10);
    return 10;
}

static inline char *put2(char *w, unsigned v) {
    memcpy(w, two_digits + 2 * v, 2);
    return w + 2;
}

/* hh:mm:ss and as few of 0, 3, 6, 9 digits as hold the value. */
static char *put_clock(char *w, unsigned seconds, unsigned nanos) {
    w = put2(w, seconds / 3600);
    *w++ = ':';
    w = put2(w, seconds / 60 % 60);
    *w++ = ':';
    w = put2(w, seconds % 60);
    if (!nanos) return w;
    unsigned digits = nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
    unsigned f = digits == 3 ? nanos / 1000000 : digits == 6 ? nanos / 1000 : nanos;
    *w++ = '.';
    for (unsigned i = digits; i-- > 0; f /= 10) w[i] = (char)('0' + f % 10);
    return w + digits;
}

static void print_date(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    char *w = dp_buf_reserve(out, 48);
    *w = '"';
    size_t n = put_date(p, w + 1, get_i32(p->c, row));
    w[n + 1] = '"';
    out->n += n + 2;
}

static const int64_t unit_per_second[] = {[DP_UNIT_MICROS] = 1000000, [DP_UNIT_MILLIS] = 1000, [DP_UNIT_NANOS] = 1000000000};

static void print_timestamp(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    const struct dp_type *t = p->c->type;
    int64_t v = get_i64(p->c, row), per = unit_per_second[t->unit];
    int64_t seconds = v / per, part = v % per;
    if (part < 0) part += per, seconds--;
    int64_t days = seconds / 86400, clock = seconds % 86400;
    if (clock < 0) clock += 86400, days--;
    char *start = dp_buf_reserve(out, 80), *w = start;
    *w++ = '"';
    w += put_date(p, w, days);
    *w++ = 'T';
    w = put_clock(w, (unsigned)clock, (unsigned)(part * (1000000000 / per)));
    if (t->utc) *w++ = 'Z';
    *w++ = '"';
    out->n += (size_t)(w - start);
}

/* A time of day outside 00:00:00 to 23:59:59.999999999 is hostile or broken input: it is shown as the day's time that it wraps to. */
static void print_time(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    int64_t per = unit_per_second[p->c->type->unit], day = per * 86400, v = get_i64(p->c, row) % day;
    if (v < 0) v += day;
    char *start = dp_buf_reserve(out, 40), *w = start;
    *w++ = '"';
    w = put_clock(w, (unsigned)(v / per), (unsigned)(v % per * (1000000000 / per)));
    *w++ = '"';
    out->n += (size_t)(w - start);
}

static void print_interval(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    dp_buf_addc(out, '"');
    dp_interval_print(p->c->data + row * 12, out);
    dp_buf_addc(out, '"');
}

/* ---- text and bytes ---- */

#define EVERY_BYTE 0x0101010101010101ull

/* Sixteen bytes at once in whatever registers the processor has for that (SSE2, NEON); the compiler knows. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

/* Is there a quote, a backslash or a control byte among them? */
static inline bool escape_in_16(const char *p, bytes16 *x) {
    uint64_t w[2];
    memcpy(x, p, 16);
    bytes16 hit = (bytes16)((*x == '"') | (*x == '\\') | (*x < 0x20));
    memcpy(w, &hit, 16);
    return w[0] | w[1];
}

static inline bool escape_in_8(uint64_t w) {
    uint64_t quote = w ^ 0x22 * EVERY_BYTE, slash = w ^ 0x5c * EVERY_BYTE;
    return (((quote - EVERY_BYTE) & ~quote) | ((slash - EVERY_BYTE) & ~slash) | ((w - 0x20 * EVERY_BYTE) & ~w)) & 0x80 * EVERY_BYTE;
}

/* Copies what needs no escape: all of it, or fewer bytes, in front of the first that might. Never reads outside p[0..n). */
static inline size_t copy_plain(char *w, const char *p, size_t n) {
    if (n >= 16) {
        bytes16 x;
        size_t i = 0;
        for (; i + 16 <= n; i += 16) {
            if (escape_in_16(p + i, &x)) return i;
            memcpy(w + i, &x, 16);
        }
        if (escape_in_16(p + n - 16, &x)) return i;
        memcpy(w + n - 16, &x, 16);
        return n;
    }
    if (n >= 8) {
        uint64_t a, b;
        memcpy(&a, p, 8), memcpy(&b, p + n - 8, 8);
        if (escape_in_8(a) || escape_in_8(b)) return 0;
        memcpy(w, &a, 8), memcpy(w + n - 8, &b, 8);
        return n;
    }
    uint64_t x = 0x20 * EVERY_BYTE;
    for (size_t i = 0; i < n; i++) x = x << 8 | (unsigned char)p[i], w[i] = p[i];
    return escape_in_8(x) ? 0 : n;
}

static inline void add_quoted(struct dp_buf *out, struct dp_str s) {
    char *w = dp_buf_reserve(out, s.n + 24);
    *w++ = '"';
    size_t done = copy_plain(w, s.p, s.n);
    out->n += done + 1;
    if (done < s.n) dp_json_add_escaped(out, dp_str(s.p + done, s.n - done));
    dp_buf_addc(out, '"');
}

/* Bytes that are no UTF-8 become U+FFFD, one for each byte. */
static struct dp_str repair(struct run *run, struct dp_str s) {
    struct dp_buf *b = &run->text;
    dp_buf_reset(b);
    while (s.n) {
        size_t bad = s.n;
        if (dp_utf8_valid(s.p, s.n, &bad)) bad = s.n;
        dp_buf_add(b, s.p, bad);
        if (bad == s.n) break;
        dp_buf_add(b, "\xef\xbf\xbd", 3);
        s.p += bad + 1, s.n -= bad + 1;
    }
    return dp_buf_str(b);
}

static struct dp_str text_value(struct run *run, const struct printer *p, int64_t row) {
    struct dp_str s = get_bytes(p->c, row);
    return p->valid_utf8 || dp_utf8_valid(s.p, s.n, NULL) ? s : repair(run, s);
}

static void print_string(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    add_quoted(out, text_value(run, p, row));
}

/* For columns whose values were all found to be UTF-8. */
static void print_utf8(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    add_quoted(out, get_bytes(p->c, row));
}

static bool is_json(struct run *run, struct dp_str s) {
    struct dp_record r;
    if (!run->scan) run->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    dp_buf_reset(&run->text);
    dp_buf_add(&run->text, s.p, s.n);
    memset(dp_buf_reserve(&run->text, DP_SCAN_PAD), ' ', DP_SCAN_PAD);
    return dp_scan_value(run->scan, run->text.p, s.n, &r, NULL) == DP_OK;
}

/* Line ends between tokens, which only a foreign file can hold, become blanks. */
static void print_json(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    struct dp_str s = get_bytes(p->c, row);
    if (!s.n || !is_json(run, s)) {
        print_string(run, p, row, out);
        return;
    }
    char *w = dp_buf_reserve(out, s.n);
    for (size_t i = 0; i < s.n; i++) w[i] = s.p[i] == '\n' || s.p[i] == '\r' ? ' ' : s.p[i];
    out->n += s.n;
}

static void print_binary(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    dp_json_add_binary(out, get_bytes(p->c, row), run->opts->binary_hex);
}

static void print_fixed(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    size_t width = (size_t)p->c->type->width;
    dp_json_add_binary(out, dp_str((const char *)p->c->data + (size_t)row * width, width), run->opts->binary_hex);
}

static void print_uuid(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    (void)run;
    char *w = dp_buf_reserve(out, 38);
    w[0] = w[37] = '"';
    dp_uuid_print(w + 1, p->c->data + row * 16);
    out->n += 38;
}

/* ---- containers ---- */

static inline void print_value(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    if (dp_column_is_valid(p->c, row)) p->print(run, p, row, out);
    else dp_buf_add(out, "null", 4);
}

/* Each member begins with a comma; the first comma becomes the brace. */
static void print_members(struct run *run, struct printer *p, size_t n, int64_t row, struct dp_buf *out) {
    size_t start = out->n;
    for (size_t i = 0; i < n; i++, p++) {
        bool valid = dp_column_is_valid(p->c, row);
        if (!valid && run->opts->skip_nulls) continue;
        char *w = dp_buf_reserve(out, p->prefix_n + 40);
        memcpy(w, p->prefix, 32);
        if (p->prefix_n > 32) memcpy(w + 32, p->prefix + 32, p->prefix_n - 32);
        out->n += p->prefix_n;
        if (valid) p->print(run, p, row, out);
        else memcpy(out->p + out->n, "null", 4), out->n += 4;
    }
    if (out->n == start) dp_buf_addc(out, '{');
    else out->p[start] = '{';
    dp_buf_addc(out, '}');
}

static void print_struct(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    print_members(run, p->children, p->c->n_children, row, out);
}

static void print_list(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    dp_buf_addc(out, '[');
    for (int64_t i = p->c->offsets[row]; i < p->c->offsets[row + 1]; i++) {
        if (i > p->c->offsets[row]) dp_buf_addc(out, ',');
        print_value(run, &p->children[0], i, out);
    }
    dp_buf_addc(out, ']');
}

/* Key and value as an object each: for keys that are not strings, or are null. */
static void print_entries(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    dp_buf_addc(out, '[');
    for (int64_t i = p->c->offsets[row]; i < p->c->offsets[row + 1]; i++) {
        dp_buf_addz(out, i > p->c->offsets[row] ? ",{\"key\":" : "{\"key\":");
        print_value(run, &p->children[0], i, out);
        dp_buf_addz(out, ",\"value\":");
        print_value(run, &p->children[1], i, out);
        dp_buf_addc(out, '}');
    }
    dp_buf_addc(out, ']');
}

/* Of equal keys the last wins, as Parquet says; an object must not have two. */
static void print_map(struct run *run, struct printer *p, int64_t row, struct dp_buf *out) {
    const struct dp_column *keys = &p->c->children[0];
    int64_t from = p->c->offsets[row], to = p->c->offsets[row + 1];
    for (int64_t i = from; i < to; i++)
        if (!dp_column_is_valid(keys, i)) return print_entries(run, p, row, out);
    struct dp_map last = {0};
    for (int64_t i = from; to - from > 1 && i < to; i++) dp_map_put(&last, get_bytes(keys, i), NULL)->v.i = i;
    size_t start = out->n;
    for (int64_t i = from; i < to; i++) {
        if (to - from > 1 && dp_map_get(&last, get_bytes(keys, i))->v.i != i) continue;
        dp_buf_addc(out, out->n == start ? '{' : ',');
        print_string(run, &p->children[0], i, out);
        dp_buf_addc(out, ':');
        print_value(run, &p->children[1], i, out);
    }
    if (out->n == start) dp_buf_addc(out, '{');
    dp_buf_addc(out, '}');
    dp_map_release(&last);
}

/* ---- making printers ---- */

static bool range_utf8(const struct dp_column *c, int64_t from, int64_t n) {
    struct dp_column part = *c;
    part.n_children = 0;
    part.offsets += from;
    part.length = n;
    return dp_column_utf8(&part, NULL);
}

static void make_leaf(struct printer *p) {
    switch (p->c->type->id) {
    case DP_TYPE_NONE: p->print = print_null; break;
    case DP_TYPE_BOOLEAN: p->print = print_boolean; break;
    case DP_TYPE_INT8:
    case DP_TYPE_INT16:
    case DP_TYPE_UINT8:
    case DP_TYPE_UINT16:
    case DP_TYPE_UINT32: p->print = print_small; break;
    case DP_TYPE_INT32: p->print = print_i32; break;
    case DP_TYPE_INT64: p->print = print_i64; break;
    case DP_TYPE_UINT64: p->print = print_u64; break;
    case DP_TYPE_FLOAT16: p->print = print_float16; break;
    case DP_TYPE_FLOAT: p->print = print_float; break;
    case DP_TYPE_DOUBLE: p->print = print_double; break;
    case DP_TYPE_DECIMAL: p->print = print_decimal; break;
    case DP_TYPE_STRING:
    case DP_TYPE_ENUM: p->print = p->valid_utf8 ? print_utf8 : print_string; break;
    case DP_TYPE_JSON: p->print = print_json; break;
    case DP_TYPE_BINARY: p->print = print_binary; break;
    case DP_TYPE_FIXED: p->print = print_fixed; break;
    case DP_TYPE_UUID: p->print = print_uuid; break;
    case DP_TYPE_DATE: p->print = print_date; break;
    case DP_TYPE_TIME: p->print = print_time; break;
    case DP_TYPE_TIMESTAMP: p->print = print_timestamp; break;
    case DP_TYPE_INTERVAL: p->print = print_interval; break;
    case DP_TYPE_LIST: p->print = print_list; break;
    case DP_TYPE_STRUCT: p->print = print_struct; break;
    case DP_TYPE_MAP: p->print = print_map; break;
    }
}

static void make_prefix(struct run *run, struct printer *p, const struct dp_type *t) {
    struct dp_str name = dp_str(t->name, t->name_n);
    if (!dp_utf8_valid(name.p, name.n, NULL)) name = repair(run, name);
    struct dp_buf b = {0};
    dp_buf_addc(&b, ',');
    dp_json_add_string(&b, name);
    dp_buf_addc(&b, ':');
    p->prefix_n = b.n;
    p->prefix = dp_arena_calloc(&run->arena, 1, b.n + 32);
    memcpy(p->prefix, b.p, b.n);
    dp_buf_release(&b);
}

static void make_printer(struct run *run, struct printer *p, const struct dp_column *c, int64_t from, int64_t n) {
    const struct dp_type *t = c->type;
    p->c = c;
    p->valid_utf8 = n == 0 || !dp_type_is_bytes(t) || t->id == DP_TYPE_BINARY || range_utf8(c, from, n);
    p->last_days = INT64_MIN;
    make_prefix(run, p, t);
    make_leaf(p);
    if (t->id == DP_TYPE_MAP && t->children[0]->id != DP_TYPE_STRING && t->children[0]->id != DP_TYPE_ENUM) p->print = print_entries;
    if (!c->n_children) return;
    if (c->offsets && n) n = c->offsets[from + n] - c->offsets[from], from = c->offsets[from];
    p->children = dp_arena_calloc(&run->arena, c->n_children, sizeof *p->children);
    for (size_t i = 0; i < c->n_children; i++) make_printer(run, &p->children[i], &c->children[i], from, n);
}

static void end_run(struct run *run) {
    dp_scan_close(run->scan);
    dp_buf_release(&run->text);
    dp_arena_release(&run->arena);
}

/* ---- the public side ---- */

static const struct dp_print_opts plain_opts;

void dp_batch_print(const struct dp_batch *b, int64_t from, int64_t n, const struct dp_print_opts *o, struct dp_buf *out) {
    struct run run = {.opts = o ? o : &plain_opts};
    struct printer *columns = dp_arena_calloc(&run.arena, b->n_columns + 1, sizeof *columns);
    for (size_t i = 0; i < b->n_columns; i++) make_printer(&run, &columns[i], &b->columns[i], from, n);
    for (int64_t row = from; row < from + n; row++) {
        print_members(&run, columns, b->n_columns, row, out);
        dp_buf_addc(out, '\n');
    }
    end_run(&run);
}

void dp_column_print(const struct dp_column *c, int64_t row, const struct dp_print_opts *o, struct dp_buf *out) {
    struct run run = {.opts = o ? o : &plain_opts};
    struct printer p = {0};
    make_printer(&run, &p, c, row, 1);
    print_value(&run, &p, row, out);
    end_run(&run);
}

/* Bare text is the JSON text without the quotes around it, for types whose text needs no escapes; strings are the bytes themselves. */
void dp_column_print_text(const struct dp_column *c, int64_t row, const struct dp_print_opts *o, struct dp_buf *out) {
    if (!dp_column_is_valid(c, row) || c->type->id == DP_TYPE_NONE) return;
    struct run run = {.opts = o ? o : &plain_opts};
    struct printer p = {0};
    make_printer(&run, &p, c, row, 1);
    size_t start = out->n;
    if (c->type->id == DP_TYPE_STRING || c->type->id == DP_TYPE_ENUM) dp_buf_adds(out, text_value(&run, &p, row));
    else p.print(&run, &p, row, out);
    bool quoted = !dp_type_is_nested(c->type) && c->type->id != DP_TYPE_JSON && c->type->id != DP_TYPE_STRING && c->type->id != DP_TYPE_ENUM;
    if (quoted && out->n - start >= 2 && out->p[start] == '"') {
        memmove(out->p + start, out->p + start + 1, out->n - start - 2);
        out->n -= 2;
    }
    end_run(&run);
}

/* ---- CSV ---- */

static inline uint64_t has_byte(uint64_t x, uint8_t b) {
    uint64_t v = x ^ (UINT64_C(0x0101010101010101) * b);
    return (v - UINT64_C(0x0101010101010101)) & ~v & UINT64_C(0x8080808080808080);
}

/* Is there a quote, comma or line end in it?  Eight bytes at once: cells are looked at twice as often as they are printed. */
static bool needs_quotes(struct dp_str s) {
    size_t i = 0;
    uint64_t found = 0;
    for (; s.n - i >= 8; i += 8) {
        uint64_t x;
        memcpy(&x, s.p + i, 8);
        found |= has_byte(x, '"') | has_byte(x, ',') | has_byte(x, '\n') | has_byte(x, '\r');
    }
    for (; i < s.n; i++) found |= s.p[i] == '"' || s.p[i] == ',' || s.p[i] == '\n' || s.p[i] == '\r';
    return found != 0;
}

void dp_csv_add(struct dp_buf *out, struct dp_str s) {
    if (s.n && !needs_quotes(s)) {
        dp_buf_adds(out, s);
        return;
    }
    char *p = dp_buf_reserve(out, s.n * 2 + 2), *at = p;
    *at++ = '"';
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') *at++ = '"';
        *at++ = s.p[i];
    }
    *at++ = '"';
    out->n += (size_t)(at - p);
}

static void print_csv_cell(struct run *run, struct printer *p, int64_t row, struct dp_buf *tmp, struct dp_buf *out) {
    enum dp_type_id id = p->c->type->id;
    if (id == DP_TYPE_NONE || !dp_column_is_valid(p->c, row)) return;
    if (id == DP_TYPE_STRING || id == DP_TYPE_ENUM) {
        dp_csv_add(out, text_value(run, p, row));
        return;
    }
    if (id == DP_TYPE_JSON || dp_type_is_nested(p->c->type)) {
        dp_buf_reset(tmp);
        p->print(run, p, row, tmp);
        dp_csv_add(out, dp_buf_str(tmp));
        return;
    }
    size_t start = out->n;
    p->print(run, p, row, out);
    if (out->n - start < 2 || out->p[start] != '"') return;
    if (out->n - start == 2) return; /* an empty value: its quotes tell it from null */
    memmove(out->p + start, out->p + start + 1, out->n - start - 2);
    out->n -= 2;
}

void dp_batch_print_csv(const struct dp_batch *b, int64_t from, int64_t n, const struct dp_print_opts *o, size_t *ends, struct dp_buf *out) {
    struct run run = {.opts = o ? o : &plain_opts};
    struct printer *columns = dp_arena_calloc(&run.arena, b->n_columns + 1, sizeof *columns);
    struct dp_buf tmp = {0};
    for (size_t i = 0; i < b->n_columns; i++) make_printer(&run, &columns[i], &b->columns[i], from, n);
    for (int64_t row = from; row < from + n; row++) {
        for (size_t i = 0; i < b->n_columns; i++) {
            if (i) dp_buf_addc(out, ',');
            print_csv_cell(&run, &columns[i], row, &tmp, out);
        }
        dp_buf_addc(out, '\n');
        if (ends) ends[row - from] = out->n;
    }
    dp_buf_release(&tmp);
    end_run(&run);
}
