/*
 * Columns to records: batches as NDJSON or CSV, single values as JSON or as bare text.
 *
 * A printer is made for each column once per call; it holds `,"name":` ready, so a row is a run of copies and digits.  What comes out
 * is always one valid line: bytes that are not UTF-8 become U+FFFD, a JSON column whose text is not one JSON value becomes a string.
 *
 * Printers write through a bare pointer: ROOM bytes are free behind it when one is called, 64 of them when it returns, and whoever needs more asks
 * (need()).  The buffer's own length is right only outside of them.
 */
#include "values_priv.h"
#include "simd_text.h"

#include <dp/base/arena.h>
#include <dp/base/decimal.h>
#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/record/batch.h>
#include <dp/record/json.h>
#include <math.h>
#include <stdlib.h>

#define ROOM ((size_t)192)

struct run;

struct printer {
    const struct dp_column *c;
    char *(*print)(struct run *run, struct printer *p, int64_t row, char *w);
    char *prefix;  /* `,"name":`, 32 bytes at least */
    size_t prefix_n;
    struct printer *children;
    const char *limit; /* text: where its column's bytes end */
    bool valid_utf8;
    int64_t last; /* the day or minute printed last, in text[0..17) */
    char text[32];
};

/* What a call shares. */
struct run {
    const struct dp_print_opts *opts;
    struct dp_buf *out;
    char *end;       /* of out's memory */
    unsigned quotes; /* 1: what is text in JSON stands between quotes; 0: bare */
    struct dp_arena arena;
    struct dp_buf text;
    struct dp_scan *scan; /* for JSON columns */
};

/* ---- the pointer and the buffer ---- */

static __attribute__((noinline)) char *more(struct run *run, char *w, size_t n) {
    run->out->n = (size_t)(w - run->out->p);
    w = dp_buf_reserve(run->out, n);
    run->end = run->out->p + run->out->cap;
    return w;
}

/* n free bytes behind w. */
static inline char *need(struct run *run, char *w, size_t n) {
    return __builtin_expect((size_t)(run->end - w) >= n, 1) ? w : more(run, w, n);
}

static char *enter(struct run *run, struct dp_buf *out) {
    run->out = out;
    char *w = dp_buf_reserve(out, ROOM);
    run->end = out->p + out->cap;
    return w;
}

static inline void leave(struct run *run, const char *w) { run->out->n = (size_t)(w - run->out->p); }

static inline char *put(char *w, const char *p, size_t n) { return (char *)memcpy(w, p, n) + n; }

/* A quote, where there are to be quotes. */
static inline char *quote(const struct run *run, char *w) {
    *w = '"';
    return w + run->quotes;
}

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

static char *print_null(struct run *run, struct printer *p, int64_t row, char *w) {
    (void)run, (void)p, (void)row;
    return put(w, "null", 4);
}

static char *print_boolean(struct run *run, struct printer *p, int64_t row, char *w) {
    (void)run;
    return p->c->data[row >> 3] >> (row & 7) & 1 ? put(w, "true", 4) : put(w, "false", 5);
}

static inline char *put2(char *w, unsigned v) { return put(w, dp_digit_pairs + 2 * v, 2); }

static inline char *put_i64(char *w, int64_t v) {
    if (v >= 0 && v < 100) {
        *w = dp_digit_pairs[v * 2];
        w += v >= 10;
        *w = dp_digit_pairs[v * 2 + 1];
        return w + 1;
    }
    return w + dp_print_i64(w, v);
}

/* n digits, with zeros in front. */
static inline char *put_padded(char *w, uint64_t v, unsigned n) {
    unsigned i = n;
    for (; i >= 2; i -= 2, v /= 100) memcpy(w + i - 2, dp_digit_pairs + v % 100 * 2, 2);
    if (i) *w = (char)('0' + v % 10);
    return w + n;
}

static char *print_i64(struct run *run, struct printer *p, int64_t row, char *w) { return (void)run, put_i64(w, get_i64(p->c, row)); }
static char *print_i32(struct run *run, struct printer *p, int64_t row, char *w) { return (void)run, put_i64(w, get_i32(p->c, row)); }

static char *print_u64(struct run *run, struct printer *p, int64_t row, char *w) {
    (void)run;
    return w + dp_print_u64(w, (uint64_t)get_i64(p->c, row));
}

static char *print_small(struct run *run, struct printer *p, int64_t row, char *w) {
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
    return put_i64(w, v);
}

/*
 * A double with up to six digits behind the point and up to 15 in all is found by trial: m / 10^6 rounds to v, and no two decimals of 15
 * digits share a double, so m without the zeros at its end is the shortest text.  Prices and measures are such; the rest goes to
 * dp_print_double.  NULL: it is none.
 */
static char *short_double(char *w, double v) {
    double a = fabs(v);
    if (!(a >= 0.01 && a < 1e9)) return NULL;
    uint64_t m = (uint64_t)(int64_t)(a * 1e6 + 0.5); /* a wrong guess fails the next line */
    if ((double)(int64_t)m / 1e6 != a) return NULL;
    *w = '-';
    w += v < 0;
    uint32_t whole = (uint32_t)(m / 1000000), part = (uint32_t)(m % 1000000);
    w = put_i64(w, whole);
    *w++ = '.';
    put2(w, part / 10000), put2(w + 2, part / 100 % 100), put2(w + 4, part % 100);
    unsigned n = 6;
    while (n > 1 && w[n - 1] == '0') n--;
    return w + n;
}

/* NaN and the infinities are strings. */
static char *put_floating(const struct run *run, char *w, double v, size_t n) {
    if (isfinite(v) || !run->quotes) return w + n;
    memmove(w + 1, w, n);
    w[0] = w[n + 1] = '"';
    return w + n + 2;
}

static char *print_double(struct run *run, struct printer *p, int64_t row, char *w) {
    double v;
    memcpy(&v, p->c->data + row * 8, 8);
    char *to = short_double(w, v);
    return to ? to : put_floating(run, w, v, dp_print_double(w, v));
}

static char *print_float(struct run *run, struct printer *p, int64_t row, char *w) {
    float v;
    memcpy(&v, p->c->data + row * 4, 4);
    return put_floating(run, w, (double)v, dp_print_float(w, v));
}

static char *print_float16(struct run *run, struct printer *p, int64_t row, char *w) {
    uint16_t h;
    memcpy(&h, p->c->data + row * 2, 2);
    return put_floating(run, w, dp_half_to_double(h), dp_half_print(w, h));
}

/* Money: 64 bits, a point. */
static inline char *put_decimal(char *w, int64_t v, int scale) {
    static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v, whole = scale == 2 ? u / 100 : u / powers[scale], part = u - whole * powers[scale];
    *w = '-';
    w += v < 0;
    w = whole <= INT64_MAX ? put_i64(w, (int64_t)whole) : w + dp_print_u64(w, whole);
    if (!scale) return w;
    *w++ = '.';
    return put_padded(w, part, (unsigned)scale);
}

static char *print_decimal(struct run *run, struct printer *p, int64_t row, char *w) {
    int64_t lo, hi;
    memcpy(&lo, p->c->data + row * 16, 8);
    memcpy(&hi, p->c->data + row * 16 + 8, 8);
    int scale = p->c->type->scale;
    bool quoted = run->opts->decimal_string && run->quotes;
    if (quoted) *w++ = '"';
    if (hi == lo >> 63 && scale >= 0 && scale < 10) {
        w = put_decimal(w, lo, scale);
    } else {
        dp_i128 v;
        memcpy(&v, p->c->data + row * 16, 16);
        w += dp_decimal_print(w, v, scale);
    }
    if (quoted) *w++ = '"';
    return w;
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

/* As few of 0, 3, 6, 9 digits as hold the value. */
static char *put_fraction(char *w, unsigned nanos) {
    if (!nanos) return w;
    *w++ = '.';
    if (nanos % 1000000 == 0) return put_padded(w, nanos / 1000000, 3);
    return nanos % 1000 == 0 ? put_padded(w, nanos / 1000, 6) : put_padded(w, nanos, 9);
}

static char *print_date(struct run *run, struct printer *p, int64_t row, char *w) {
    int64_t days = get_i32(p->c, row);
    w = quote(run, w);
    if (days == p->last) return quote(run, put(w, p->text, 10));
    size_t n = print_days(w, days);
    if (n == 10) p->last = days, memcpy(p->text, w, 10);
    return quote(run, w + n);
}

/* yyyy-mm-ddThh:mm:, kept for the values that follow: times in a column are often near each other. */
static __attribute__((noinline)) char *put_minute(struct printer *p, int64_t minute, char *w) {
    int64_t days = minute / 1440, clock = minute % 1440;
    if (clock < 0) clock += 1440, days--;
    char *start = w;
    w += print_days(w, days);
    *w++ = 'T';
    w = put2(w, (unsigned)clock / 60);
    *w++ = ':';
    w = put2(w, (unsigned)clock % 60);
    *w++ = ':';
    if (w - start == 17) p->last = minute, memcpy(p->text, start, 17);
    return w;
}

static inline __attribute__((always_inline)) char *put_timestamp(const struct run *run, struct printer *p, int64_t row, int64_t per, char *w) {
    int64_t v = get_i64(p->c, row), minute = v / (60 * per), rest = v % (60 * per);
    if (rest < 0) rest += 60 * per, minute--;
    w = quote(run, w);
    if (minute == p->last) memcpy(w, p->text, 32), w += 17;
    else w = put_minute(p, minute, w);
    w = put2(w, (unsigned)(rest / per));
    w = put_fraction(w, (unsigned)(rest % per * (1000000000 / per)));
    *w = 'Z';
    return quote(run, w + p->c->type->utc);
}

static char *print_micros(struct run *run, struct printer *p, int64_t row, char *w) { return put_timestamp(run, p, row, 1000000, w); }
static char *print_millis(struct run *run, struct printer *p, int64_t row, char *w) { return put_timestamp(run, p, row, 1000, w); }
static char *print_nanos(struct run *run, struct printer *p, int64_t row, char *w) { return put_timestamp(run, p, row, 1000000000, w); }

/* A time of day outside 00:00:00 to 23:59:59.999999999 is hostile or broken input: it is shown as the day's time that it wraps to. */
static char *print_time(struct run *run, struct printer *p, int64_t row, char *w) {
    static const int64_t unit_per_second[] = {[DP_UNIT_MICROS] = 1000000, [DP_UNIT_MILLIS] = 1000, [DP_UNIT_NANOS] = 1000000000};
    int64_t per = unit_per_second[p->c->type->unit], day = per * 86400, v = get_i64(p->c, row) % day;
    if (v < 0) v += day;
    unsigned seconds = (unsigned)(v / per);
    w = put2(quote(run, w), seconds / 3600);
    *w++ = ':';
    w = put2(w, seconds / 60 % 60);
    *w++ = ':';
    w = put2(w, seconds % 60);
    return quote(run, put_fraction(w, (unsigned)(v % per * (1000000000 / per))));
}

static char *print_interval(struct run *run, struct printer *p, int64_t row, char *w) {
    leave(run, quote(run, w));
    dp_interval_print(p->c->data + row * 12, run->out);
    return quote(run, enter(run, run->out));
}

/* ---- text and bytes ---- */

/* The content of a JSON string; limit: what may be read behind p. */
static char *put_escaped(struct run *run, char *w, const char *p, size_t n, const char *limit) {
    w = need(run, w, n + ROOM);
    while (n) {
        dp_text16 v = dp_text_next(p, n, limit);
        uint64_t m = dp_text_escapes(v);
        size_t k = n < 16 ? n : 16;
        dp_text_store(w, v);
        if (n < 16) m &= dp_text_below(n);
        if (__builtin_expect(m != 0, 0)) {
            k = (size_t)__builtin_ctzll(m) >> DP_TEXT_SHIFT;
            w = dp_json_put_escape(need(run, w + k, n - k + ROOM), (unsigned char)p[k]);
            p += k + 1, n -= k + 1;
            continue;
        }
        p += k, w += k, n -= k;
    }
    return w;
}

static inline char *put_quoted(struct run *run, char *w, struct dp_str s, const char *limit) {
    *w++ = '"';
    w = put_escaped(run, w, s.p, s.n, limit);
    *w++ = '"';
    return w;
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

/* A value as UTF-8, and where the bytes end that may be read. */
static inline struct dp_str text_value(struct run *run, const struct printer *p, int64_t row, const char **limit) {
    struct dp_str s = get_bytes(p->c, row);
    *limit = p->limit;
    if (__builtin_expect(p->valid_utf8, 1) || dp_utf8_valid(s.p, s.n, NULL)) return s;
    s = repair(run, s);
    *limit = s.p + s.n;
    return s;
}

static char *print_string(struct run *run, struct printer *p, int64_t row, char *w) {
    const char *limit;
    struct dp_str s = text_value(run, p, row, &limit);
    return put_quoted(run, w, s, limit);
}

/* For columns whose values were all found to be UTF-8. */
static char *print_utf8(struct run *run, struct printer *p, int64_t row, char *w) { return put_quoted(run, w, get_bytes(p->c, row), p->limit); }

static bool is_json(struct run *run, struct dp_str s) {
    struct dp_record r;
    if (!run->scan) run->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    dp_buf_reset(&run->text);
    dp_buf_add(&run->text, s.p, s.n);
    memset(dp_buf_reserve(&run->text, DP_SCAN_PAD), ' ', DP_SCAN_PAD);
    return dp_scan_value(run->scan, run->text.p, s.n, &r, NULL) == DP_OK;
}

/* Line ends between tokens, which only a foreign file can hold, become blanks. */
static char *print_json(struct run *run, struct printer *p, int64_t row, char *w) {
    struct dp_str s = get_bytes(p->c, row);
    if (!s.n || !is_json(run, s)) return print_string(run, p, row, w);
    w = need(run, w, s.n + ROOM);
    for (size_t i = 0; i < s.n; i++) w[i] = s.p[i] == '\n' || s.p[i] == '\r' ? ' ' : s.p[i];
    return w + s.n;
}

/* Bare, an empty value is two quotes all the same: in CSV they tell it from null. */
static char *put_binary(struct run *run, char *w, struct dp_str s) {
    leave(run, w);
    size_t start = run->out->n;
    dp_json_add_binary(run->out, s, run->opts->binary_hex);
    if (!run->quotes && s.n) {
        run->out->n -= 2;
        memmove(run->out->p + start, run->out->p + start + 1, run->out->n - start);
    }
    return enter(run, run->out);
}

static char *print_binary(struct run *run, struct printer *p, int64_t row, char *w) { return put_binary(run, w, get_bytes(p->c, row)); }

static char *print_fixed(struct run *run, struct printer *p, int64_t row, char *w) {
    size_t width = (size_t)p->c->type->width;
    return put_binary(run, w, dp_str((const char *)p->c->data + (size_t)row * width, width));
}

static char *print_uuid(struct run *run, struct printer *p, int64_t row, char *w) {
    w = quote(run, w);
    dp_uuid_print(w, p->c->data + row * 16);
    return quote(run, w + 36);
}

/* ---- containers ---- */

static inline char *print_value(struct run *run, struct printer *p, int64_t row, char *w) {
    return dp_column_is_valid(p->c, row) ? p->print(run, p, row, w) : put(w, "null", 4);
}

/* Each member begins with a comma; the first comma becomes the brace. */
static char *print_members(struct run *run, struct printer *p, size_t n, int64_t row, char *w) {
    size_t start = (size_t)(w - run->out->p);
    for (size_t i = 0; i < n; i++, p++) {
        bool valid = dp_column_is_valid(p->c, row);
        if (!valid && run->opts->skip_nulls) continue;
        w = need(run, w, p->prefix_n + ROOM);
        memcpy(w, p->prefix, 32);
        if (p->prefix_n > 32) memcpy(w + 32, p->prefix + 32, p->prefix_n - 32);
        w += p->prefix_n;
        w = valid ? p->print(run, p, row, w) : put(w, "null", 4);
    }
    w = need(run, w, ROOM);
    char *first = run->out->p + start;
    w += first == w;
    *first = '{';
    *w = '}';
    return w + 1;
}

static char *print_struct(struct run *run, struct printer *p, int64_t row, char *w) {
    return print_members(run, p->children, p->c->n_children, row, w);
}

static char *print_list(struct run *run, struct printer *p, int64_t row, char *w) {
    *w++ = '[';
    for (int64_t i = p->c->offsets[row]; i < p->c->offsets[row + 1]; i++) {
        if (i > p->c->offsets[row]) *w++ = ',';
        w = print_value(run, &p->children[0], i, need(run, w, ROOM));
    }
    w = need(run, w, ROOM);
    *w = ']';
    return w + 1;
}

/* Key and value as an object each: for keys that are not strings, or are null. */
static char *print_entries(struct run *run, struct printer *p, int64_t row, char *w) {
    *w++ = '[';
    for (int64_t i = p->c->offsets[row]; i < p->c->offsets[row + 1]; i++) {
        if (i > p->c->offsets[row]) *w++ = ',';
        w = print_value(run, &p->children[0], i, put(need(run, w, ROOM + 16), "{\"key\":", 7));
        w = print_value(run, &p->children[1], i, put(need(run, w, ROOM + 16), ",\"value\":", 9));
        w = need(run, w, ROOM);
        *w++ = '}';
    }
    w = need(run, w, ROOM);
    *w = ']';
    return w + 1;
}

/* Which of the keys [from, to) are the last of their kind; NULL: all, as it is nearly always. */
static bool *last_keys(const struct dp_column *keys, int64_t from, int64_t to) {
    bool again = false;
    if (to - from <= 16) {
        for (int64_t i = from; i < to && !again; i++)
            for (int64_t k = i + 1; k < to && !again; k++) again = dp_str_eq(get_bytes(keys, i), get_bytes(keys, k));
        if (!again) return NULL;
    }
    struct dp_map last = {0};
    bool *is = dp_calloc((size_t)(to - from), sizeof *is);
    for (int64_t i = from; i < to; i++) dp_map_put(&last, get_bytes(keys, i), NULL)->v.i = i;
    for (int64_t i = from; i < to; i++) is[i - from] = dp_map_get(&last, get_bytes(keys, i))->v.i == i;
    dp_map_release(&last);
    return is;
}

/* Of equal keys the last wins, as Parquet says; an object must not have two. */
static char *print_map(struct run *run, struct printer *p, int64_t row, char *w) {
    const struct dp_column *keys = &p->c->children[0];
    int64_t from = p->c->offsets[row], to = p->c->offsets[row + 1];
    for (int64_t i = from; i < to; i++)
        if (!dp_column_is_valid(keys, i)) return print_entries(run, p, row, w);
    bool *is_last = last_keys(keys, from, to), first = true;
    *w++ = '{';
    for (int64_t i = from; i < to; i++) {
        if (is_last && !is_last[i - from]) continue;
        if (!first) *w++ = ',';
        first = false;
        w = print_string(run, &p->children[0], i, need(run, w, ROOM));
        *w++ = ':';
        w = print_value(run, &p->children[1], i, need(run, w, ROOM));
    }
    free(is_last);
    w = need(run, w, ROOM);
    *w = '}';
    return w + 1;
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
    case DP_TYPE_TIMESTAMP: p->print = p->c->type->unit == DP_UNIT_MICROS ? print_micros : p->c->type->unit == DP_UNIT_MILLIS ? print_millis : print_nanos; break;
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
    p->limit = c->offsets && c->data ? (const char *)c->data + c->offsets[c->length] : NULL;
    p->last = INT64_MIN;
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
    struct run run = {.opts = o ? o : &plain_opts, .quotes = 1};
    struct printer *columns = dp_arena_calloc(&run.arena, b->n_columns + 1, sizeof *columns);
    for (size_t i = 0; i < b->n_columns; i++) make_printer(&run, &columns[i], &b->columns[i], from, n);
    char *w = enter(&run, out);
    for (int64_t row = from; row < from + n; row++) {
        w = print_members(&run, columns, b->n_columns, row, w);
        *w++ = '\n';
        w = need(&run, w, ROOM);
    }
    leave(&run, w);
    end_run(&run);
}

void dp_column_print(const struct dp_column *c, int64_t row, const struct dp_print_opts *o, struct dp_buf *out) {
    struct run run = {.opts = o ? o : &plain_opts, .quotes = 1};
    struct printer p = {0};
    make_printer(&run, &p, c, row, 1);
    leave(&run, print_value(&run, &p, row, enter(&run, out)));
    end_run(&run);
}

static bool is_text(const struct dp_type *t) { return t->id == DP_TYPE_STRING || t->id == DP_TYPE_ENUM; }
static bool is_json_text(const struct dp_type *t) { return t->id == DP_TYPE_JSON || dp_type_is_nested(t); }

/* Bare text is the JSON text without the quotes around it, for types whose text needs no escapes; strings are the bytes themselves. */
void dp_column_print_text(const struct dp_column *c, int64_t row, const struct dp_print_opts *o, struct dp_buf *out) {
    if (!dp_column_is_valid(c, row) || c->type->id == DP_TYPE_NONE) return;
    struct run run = {.opts = o ? o : &plain_opts, .quotes = is_json_text(c->type)};
    struct printer p = {0};
    const char *limit;
    make_printer(&run, &p, c, row, 1);
    if (is_text(c->type)) dp_buf_adds(out, text_value(&run, &p, row, &limit));
    else if (c->type->id != DP_TYPE_BINARY || c->offsets[row] < c->offsets[row + 1]) leave(&run, p.print(&run, &p, row, enter(&run, out)));
    end_run(&run);
}

/* ---- CSV ---- */

static char *put_doubled(char *w, const char *p, size_t n) {
    *w++ = '"';
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"') *w++ = '"';
        *w++ = p[i];
    }
    *w++ = '"';
    return w;
}

/* One cell: most need no quotes, so it is copied first and looked at on the way. */
static char *put_cell(struct run *run, char *w, struct dp_str s, const char *limit) {
    if (!s.n) return put(w, "\"\"", 2);
    w = need(run, w, s.n + ROOM);
    uint64_t marks = 0;
    for (size_t i = 0; i < s.n; i += 16) {
        dp_text16 v = dp_text_next(s.p + i, s.n - i, limit);
        uint64_t m = dp_text_csv(v);
        dp_text_store(w + i, v);
        marks |= s.n - i < 16 ? m & dp_text_below(s.n - i) : m;
    }
    if (__builtin_expect(!marks, 1)) return w + s.n;
    return put_doubled(need(run, w, s.n * 2 + ROOM), s.p, s.n);
}

void dp_csv_add(struct dp_buf *out, struct dp_str s) {
    struct run run = {.opts = &plain_opts};
    leave(&run, put_cell(&run, enter(&run, out), s, s.n ? s.p + s.n : s.p));
}

/* JSON in a cell: printed apart first. */
static char *put_json_cell(struct run *run, struct printer *p, int64_t row, struct dp_buf *tmp, char *w) {
    struct dp_buf *out = run->out;
    leave(run, w);
    dp_buf_reset(tmp);
    run->quotes = 1;
    leave(run, p->print(run, p, row, enter(run, tmp)));
    run->quotes = 0;
    return put_cell(run, enter(run, out), dp_buf_str(tmp), tmp->p + tmp->n);
}

static inline char *put_csv(struct run *run, struct printer *p, int64_t row, struct dp_buf *tmp, char *w) {
    const struct dp_type *t = p->c->type;
    const char *limit;
    if (t->id == DP_TYPE_NONE || !dp_column_is_valid(p->c, row)) return w;
    if (is_text(t)) {
        struct dp_str s = text_value(run, p, row, &limit);
        return put_cell(run, w, s, limit);
    }
    return is_json_text(t) ? put_json_cell(run, p, row, tmp, w) : p->print(run, p, row, w);
}

void dp_batch_print_csv(const struct dp_batch *b, int64_t from, int64_t n, const struct dp_print_opts *o, size_t *ends, struct dp_buf *out) {
    struct run run = {.opts = o ? o : &plain_opts};
    struct printer *columns = dp_arena_calloc(&run.arena, b->n_columns + 1, sizeof *columns);
    struct dp_buf tmp = {0};
    for (size_t i = 0; i < b->n_columns; i++) make_printer(&run, &columns[i], &b->columns[i], from, n);
    char *w = enter(&run, out);
    for (int64_t row = from; row < from + n; row++) {
        for (size_t i = 0; i < b->n_columns; i++) {
            w = put_csv(&run, &columns[i], row, &tmp, need(&run, w, ROOM));
            *w++ = ',';
        }
        w -= b->n_columns != 0;
        *w++ = '\n';
        if (ends) ends[row - from] = (size_t)(w - out->p);
        w = need(&run, w, ROOM);
    }
    leave(&run, w);
    dp_buf_release(&tmp);
    end_run(&run);
}
