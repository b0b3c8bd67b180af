/*
 * Records to columns: one value of one type.  Each function takes what the table in dp/record/batch.h allows and refuses the rest.
 * The common spellings (short numbers, fixed timestamp layout) are parsed eight bytes at a time; the others go to dp/base.
 */
#include "shred_priv.h"
#include "values_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <math.h>

#define EVERY_BYTE 0x0101010101010101ull

static inline uint64_t load8(const char *p) {
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

/* Eight digits, first one in the lowest byte, to their value. */
static inline uint32_t eight_digits(uint64_t w) {
    w = (w & 0x0f * EVERY_BYTE) * 2561 >> 8;
    w = (w & 0x00ff00ff00ff00ffull) * 6553601 >> 16;
    return (uint32_t)((w & 0x0000ffff0000ffffull) * 42949672960001ull >> 32);
}

static inline bool all_digits(uint64_t w) {
    return ((w & 0xf0 * EVERY_BYTE) | (((w + 6 * EVERY_BYTE) & 0xf0 * EVERY_BYTE) >> 4)) == 0x33 * EVERY_BYTE;
}

/* 1 to 8 digits (reads 8 bytes); false when one is not a digit. */
static inline bool short_digits(const char *p, size_t n, uint64_t *out) {
    uint64_t w = load8(p) << (64 - 8 * n) | (0x30 * EVERY_BYTE >> (8 * n - 1) >> 1);
    if (!all_digits(w)) return false;
    *out = eight_digits(w);
    return true;
}

/* The same byte by byte, up to 18 digits. */
static bool long_number(const char *p, size_t n, uint64_t *mantissa, unsigned *scale) {
    if (!n || n > 19) return false;
    uint64_t v = 0;
    size_t point = n;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(unsigned char)p[i] - '0';
        if (d <= 9) v = v * 10 + d;
        else if (p[i] == '.' && point == n) point = i;
        else return false;
    }
    if (point == n && n > 18) return false;
    *scale = point == n ? 0 : (unsigned)(n - point - 1);
    *mantissa = v;
    return true;
}

/*
 * A number without exponent: mantissa and how many digits are behind the point.  Up to eight bytes without a branch on where the point is:
 * the digits before it move up by one, and a zero comes in front.
 */
static inline bool plain_number(const char *p, size_t n, uint64_t *mantissa, unsigned *scale) {
    if (__builtin_expect(n - 1 >= 8, 0)) return long_number(p, n, mantissa, scale);
    uint64_t w = load8(p) << (64 - 8 * n) | (0x30 * EVERY_BYTE >> (8 * n - 1) >> 1);
    uint64_t x = w ^ 0x2e * EVERY_BYTE, dots = (x - EVERY_BYTE) & ~x & 0x80 * EVERY_BYTE;
    uint64_t dot = (dots & (0 - dots)) >> 7; /* 1 in the byte of the point, or 0 */
    uint64_t before = dot - 1, has = dot != 0;
    w = (w & before) << (8 * has) | (w & ~(before | dot * 0xff)) | (has * 0x30);
    if (!all_digits(w)) return false;
    *scale = (unsigned)__builtin_clzll(dot | 1) / 8 & (unsigned)(0 - has);
    *mantissa = eight_digits(w);
    return true;
}

static struct dp_str string_value(struct dp_shred *s, const struct dp_record *r, uint32_t node) {
    struct dp_str raw = dp_node_str(r, node);
    if (!(r->nodes[node].flags & DP_NODE_ESCAPED)) return raw;
    dp_buf_reset(&s->text);
    dp_json_decode(raw, &s->text);
    memset(dp_buf_reserve(&s->text, 64), 0, 64); /* what the scanner promises behind a chunk */
    return dp_buf_str(&s->text);
}

/* ---- booleans and integers ---- */

static bool append_none(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    (void)c;
    return dp_shred_misfit(s, p->type, "type", r, node);
}

static bool append_boolean(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    uint8_t kind = r->nodes[node].kind;
    if (kind != DP_KIND_TRUE && kind != DP_KIND_FALSE) return dp_shred_misfit(s, p->type, "type", r, node);
    size_t bytes = (size_t)(c->length >> 3) + 1;
    if (c->data_cap < bytes) dp_column_reserve(c, 1);
    dp_bit_put(c->data, c->length, kind == DP_KIND_TRUE);
    c->data_n = bytes;
    shred_push(c);
    return true;
}

/* Any JSON number whose value is whole and fits in 64 bits of sign and magnitude. */
static inline bool whole_value(const struct dp_node *n, struct dp_str t, bool *negative, uint64_t *magnitude) {
    bool minus = t.p[0] == '-';
    *negative = minus;
    struct dp_str d = dp_str(t.p + minus, t.n - minus);
    if (n->flags & DP_NODE_INTEGER) return d.n - 1 < 8 ? short_digits(d.p, d.n, magnitude) : dp_parse_u64(d, magnitude);
    struct dp_decimal v;
    dp_i128 whole;
    if (!dp_decimal_parse(d, &v) || !dp_decimal_rescale(v, DP_DECIMAL_MAX_PRECISION, 0, &whole)) return false;
    if (whole > (dp_i128)UINT64_MAX) return false;
    *magnitude = (uint64_t)whole;
    return true;
}

static bool integer_misfit(struct dp_shred *s, const struct dp_type *t, const struct dp_record *r, uint32_t node) {
    bool number = r->nodes[node].kind == DP_KIND_NUMBER;
    bool whole = number && dp_number_is_integer(dp_node_str(r, node));
    return dp_shred_misfit(s, t, whole ? "range" : "type", r, node);
}

static inline bool signed_value(struct dp_shred *s, const struct dp_type *t, const struct dp_record *r, uint32_t node, int bits, int64_t *out) {
    const struct dp_node *n = &r->nodes[node];
    bool minus;
    uint64_t v;
    if (n->kind != DP_KIND_NUMBER || !whole_value(n, dp_node_str(r, node), &minus, &v)) return integer_misfit(s, t, r, node);
    uint64_t top = 1ull << (bits - 1);
    if (v > top || (v == top && !minus)) return integer_misfit(s, t, r, node);
    *out = (int64_t)((v ^ (0 - (uint64_t)minus)) + minus);
    return true;
}

static bool unsigned_value(struct dp_shred *s, const struct dp_type *t, const struct dp_record *r, uint32_t node, int bits, uint64_t *out) {
    const struct dp_node *n = &r->nodes[node];
    bool minus;
    if (n->kind != DP_KIND_NUMBER || !whole_value(n, dp_node_str(r, node), &minus, out) || (minus && *out) ||
        (bits < 64 && *out >> bits))
        return integer_misfit(s, t, r, node);
    return true;
}

static inline void put_fixed(struct dp_column *c, const void *v, size_t width) {
    memcpy(shred_room_fixed(c, width), v, width);
    c->data_n += width;
    shred_push(c);
}

static bool append_int64(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    int64_t v = 0;
    if (!signed_value(s, p->type, r, node, 64, &v)) return false;
    put_fixed(c, &v, 8);
    return true;
}

static bool append_int32(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    int64_t v = 0;
    if (!signed_value(s, p->type, r, node, 32, &v)) return false;
    put_fixed(c, &v, 4);
    return true;
}

static bool append_small(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    size_t width = p->type->id == DP_TYPE_INT8 ? 1 : 2;
    int64_t v = 0;
    if (!signed_value(s, p->type, r, node, 8 * (int)width, &v)) return false;
    put_fixed(c, &v, width);
    return true;
}

static bool append_unsigned(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    size_t width = dp_type_width(p->type);
    uint64_t v;
    if (!unsigned_value(s, p->type, r, node, 8 * (int)width, &v)) return false;
    put_fixed(c, &v, width);
    return true;
}

/* ---- floating point ---- */

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

/* A mantissa below 2^53 over an exact power of ten is one division: correctly rounded. */
static inline bool double_value(struct dp_str t, double *out) {
    bool minus = t.p[0] == '-';
    uint64_t m;
    unsigned scale;
    if (plain_number(t.p + minus, t.n - minus, &m, &scale) && m < 1ull << 53) {
        double v = (double)(int64_t)m / powers[scale];
        uint64_t bits;
        memcpy(&bits, &v, 8);
        bits |= (uint64_t)minus << 63; /* without a branch: signs come at random */
        memcpy(out, &bits, 8);
        return true;
    }
    return dp_parse_double(t, out) && isfinite(*out);
}

static bool special_double(struct dp_str t, double *out) {
    if (dp_str_eqz(t, "NaN")) *out = NAN;
    else if (dp_str_eqz(t, "Infinity")) *out = INFINITY;
    else if (dp_str_eqz(t, "-Infinity")) *out = -INFINITY;
    else return false;
    return true;
}

static inline bool floating_value(struct dp_shred *s, const struct dp_type *t, const struct dp_record *r, uint32_t node, double *v) {
    uint8_t kind = r->nodes[node].kind;
    if (kind == DP_KIND_NUMBER) return double_value(dp_node_str(r, node), v) || dp_shred_misfit(s, t, "range", r, node);
    if (kind == DP_KIND_STRING && special_double(string_value(s, r, node), v)) return true;
    return dp_shred_misfit(s, t, "type", r, node);
}

static bool append_double(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    double v = 0;
    if (!floating_value(s, p->type, r, node, &v)) return false;
    put_fixed(c, &v, 8);
    return true;
}

static bool append_float(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    double v = 0;
    if (!floating_value(s, p->type, r, node, &v)) return false;
    bool number = r->nodes[node].kind == DP_KIND_NUMBER;
    float f = (float)(number ? dp_nudge_tie(v, dp_node_str(r, node), 29) : v);
    if (number && isinf(f)) return dp_shred_misfit(s, p->type, "range", r, node);
    put_fixed(c, &f, 4);
    return true;
}

static bool append_float16(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    double v = 0;
    if (!floating_value(s, p->type, r, node, &v)) return false;
    bool number = r->nodes[node].kind == DP_KIND_NUMBER;
    uint16_t h = dp_half_from_double(number ? dp_nudge_tie(v, dp_node_str(r, node), 42) : v);
    if (number && (h & 0x7fff) == 0x7c00) return dp_shred_misfit(s, p->type, "range", r, node);
    put_fixed(c, &h, 2);
    return true;
}

/* ---- decimals ---- */

static const uint64_t tens[] = {1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull, 100000000ull,
                                1000000000ull, 10000000000ull, 100000000000ull, 1000000000000ull, 10000000000000ull,
                                100000000000000ull, 1000000000000000ull, 10000000000000000ull, 100000000000000000ull,
                                1000000000000000000ull};

static bool append_decimal(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    const struct dp_type *t = p->type;
    if (r->nodes[node].kind != DP_KIND_NUMBER) return dp_shred_misfit(s, t, "type", r, node);
    struct dp_str text = dp_node_str(r, node);
    bool minus = text.p[0] == '-';
    uint64_t m;
    unsigned scale;
    dp_i128 v;
    if (plain_number(text.p + minus, text.n - minus, &m, &scale) && (int)scale <= t->scale && t->scale - (int)scale <= 18) {
        v = (dp_i128)m * (dp_i128)tens[t->scale - (int)scale];
        if (v >= p->limit) return dp_shred_misfit(s, t, "range", r, node);
        v = (v ^ -(dp_i128)minus) + minus;
    } else {
        struct dp_decimal d;
        if (!dp_decimal_parse(text, &d) || !dp_decimal_rescale(d, t->precision, t->scale, &v))
            return dp_shred_misfit(s, t, "range", r, node);
    }
    put_fixed(c, &v, 16);
    return true;
}

/* ---- text and bytes ---- */

static __attribute__((noinline)) bool append_bytes_slowly(struct dp_shred *s, struct dp_column *c, const char *p, size_t n) {
    if (c->data_n + n > (size_t)INT32_MAX - 64) return s->full = true, false;
    shred_room_offset(c);
    uint8_t *to = dp_column_room(c, n + 64);
    if (n) memcpy(to, p, n);
    c->data_n += n;
    c->offsets[c->length + 1] = (int32_t)c->data_n;
    shred_push(c);
    return true;
}

/* 64 bytes are readable behind any value: short ones are copied in blocks, without a call, where there is room in all buffers. */
static inline bool append_bytes(struct dp_shred *s, struct dp_column *c, const char *p, size_t n) {
    size_t row = (size_t)c->length, at = c->data_n;
    bool room = n <= 128 && c->data_cap >= at + 160 && at < (size_t)INT32_MAX - 256 && c->offsets_cap >= (row + 2) * 4;
    if (__builtin_expect(!room || (c->validity && row >> 3 >= c->validity_cap), 0)) return append_bytes_slowly(s, c, p, n);
    uint8_t *to = c->data + at;
    memcpy(to, p, 32);
    for (size_t i = 32; __builtin_expect(i < n, 0); i += 32) memcpy(to + i, p + i, 32);
    c->data_n = at + n;
    c->offsets[row + 1] = (int32_t)(at + n);
    if (c->validity) dp_bit_put(c->validity, (int64_t)row, true);
    c->length = (int64_t)row + 1;
    return true;
}

static __attribute__((noinline)) bool append_decoded(struct dp_shred *s, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    struct dp_str t = string_value(s, r, node);
    return append_bytes(s, c, t.p, t.n);
}

static bool append_string(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    const struct dp_node *n = &r->nodes[node];
    if (n->kind != DP_KIND_STRING) return dp_shred_misfit(s, p->type, "type", r, node);
    if (n->flags & DP_NODE_ESCAPED) return append_decoded(s, c, r, node);
    return append_bytes(s, c, r->base + n->off, n->len);
}

/* The value's own bytes; a string with its quotes. */
static bool append_json(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    (void)p;
    struct dp_str t = dp_node_str(r, node);
    if (r->nodes[node].kind == DP_KIND_STRING) t.p--, t.n += 2;
    return append_bytes(s, c, t.p, t.n);
}

static bool append_binary(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    if (r->nodes[node].kind != DP_KIND_STRING) return dp_shred_misfit(s, p->type, "type", r, node);
    struct dp_str t = string_value(s, r, node);
    dp_buf_reset(&s->scratch);
    if (!dp_base64_decode(t, &s->scratch)) return dp_shred_misfit(s, p->type, "type", r, node);
    if (p->type->id == DP_TYPE_BINARY) {
        memset(dp_buf_reserve(&s->scratch, 64), 0, 64);
        return append_bytes(s, c, s->scratch.p, s->scratch.n);
    }
    if (s->scratch.n != (size_t)p->type->width) return dp_shred_misfit(s, p->type, "range", r, node);
    put_fixed(c, s->scratch.p, s->scratch.n);
    return true;
}

static bool append_uuid(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    uint8_t v[16];
    if (r->nodes[node].kind != DP_KIND_STRING || !dp_uuid_parse(string_value(s, r, node), v))
        return dp_shred_misfit(s, p->type, "type", r, node);
    put_fixed(c, v, 16);
    return true;
}

static bool append_interval(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    uint8_t v[12];
    if (r->nodes[node].kind != DP_KIND_STRING || !dp_interval_parse(string_value(s, r, node), v))
        return dp_shred_misfit(s, p->type, "type", r, node);
    put_fixed(c, v, 12);
    return true;
}

/* ---- dates and times ---- */

static bool date_days(struct shred_plan *p, const char *t, int64_t *days) {
    if (memcmp(t, p->last_date, 10) == 0) return *days = p->last_days, true;
    int32_t d;
    if (!dp_date_parse(dp_str(t, 10), &d)) return false;
    memcpy(p->last_date, t, 10);
    *days = p->last_days = d;
    return true;
}

static bool append_date(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    int64_t days;
    struct dp_str t;
    if (r->nodes[node].kind != DP_KIND_STRING || (t = string_value(s, r, node)).n != 10 || !date_days(p, t.p, &days))
        return dp_shred_misfit(s, p->type, "type", r, node);
    int32_t d = (int32_t)days;
    put_fixed(c, &d, 4);
    return true;
}

/* hh:mm:ss in eight bytes to seconds; false: another layout or out of range (a leap second too). */
static bool clock_seconds(const char *p, int64_t *seconds) {
    uint64_t w = load8(p);
    if ((w & 0x0000ff0000ff0000ull) != 0x00003a00003a0000ull) return false;
    w = (w & ~0x0000ff0000ff0000ull) | 0x0000300000300000ull;
    if (!all_digits(w)) return false;
    w &= 0x0f * EVERY_BYTE;
    unsigned h = (unsigned)(w & 15) * 10 + (unsigned)(w >> 8 & 15);
    unsigned m = (unsigned)(w >> 24 & 15) * 10 + (unsigned)(w >> 32 & 15);
    unsigned x = (unsigned)(w >> 48 & 15) * 10 + (unsigned)(w >> 56 & 15);
    *seconds = (int64_t)h * 3600 + m * 60 + x;
    return h < 24 && m < 60 && x < 60;
}

static const int64_t unit_per_second[] = {[DP_UNIT_MICROS] = 1000000, [DP_UNIT_MILLIS] = 1000, [DP_UNIT_NANOS] = 1000000000};
static const unsigned unit_digits[] = {[DP_UNIT_MICROS] = 6, [DP_UNIT_MILLIS] = 3, [DP_UNIT_NANOS] = 9};

/* yyyy-mm-ddThh:mm:ss[.f]Z, or without Z for local ones, with no more digits than the unit has and a year from 1678 to 2261. */
static bool fixed_timestamp(struct shred_plan *p, struct dp_str t, int64_t *out) {
    const struct dp_type *type = p->type;
    size_t n = t.n;
    if (n < 19 || t.p[10] != 'T') return false;
    if (type->utc && t.p[--n] != 'Z') return false;
    int64_t days, seconds;
    if (!date_days(p, t.p, &days) || days < -106000 || days > 106000 || !clock_seconds(t.p + 11, &seconds)) return false;
    int64_t v = (days * 86400 + seconds) * unit_per_second[type->unit];
    if (n > 19) {
        size_t digits = n - 20;
        uint64_t f;
        if (t.p[19] != '.' || !digits || digits > unit_digits[type->unit] || digits > 8) return false;
        if (!short_digits(t.p + 20, digits, &f)) return false;
        v += (int64_t)(f * tens[unit_digits[type->unit] - digits]);
    }
    *out = v;
    return true;
}

/* Any RFC 3339 text (a blank for the T is taken too); false with *rule when the column cannot hold it exactly. */
static bool any_timestamp(const struct dp_type *type, struct dp_str t, int64_t *out, const char **rule) {
    struct dp_timestamp v;
    *rule = "type";
    if (!dp_time_parse(t, true, true, &v) || v.leap || (v.zone == DP_ZONE_NONE) == type->utc) return false;
    int64_t per = unit_per_second[type->unit], step = 1000000000 / per;
    *rule = "range";
    if (v.nanos % step) return false;
    return !__builtin_mul_overflow(v.seconds, per, out) && !__builtin_add_overflow(*out, v.nanos / step, out);
}

static bool append_timestamp(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    const char *rule = "type";
    int64_t v;
    if (r->nodes[node].kind != DP_KIND_STRING) return dp_shred_misfit(s, p->type, rule, r, node);
    struct dp_str t = string_value(s, r, node);
    if (!fixed_timestamp(p, t, &v) && !any_timestamp(p->type, t, &v, &rule)) return dp_shred_misfit(s, p->type, rule, r, node);
    put_fixed(c, &v, 8);
    return true;
}

static bool append_time(struct dp_shred *s, struct shred_plan *p, struct dp_column *c, const struct dp_record *r, uint32_t node) {
    int64_t nanos, step = 1000000000 / unit_per_second[p->type->unit];
    if (r->nodes[node].kind != DP_KIND_STRING || !dp_timeofday_parse(string_value(s, r, node), &nanos))
        return dp_shred_misfit(s, p->type, "type", r, node);
    if (nanos % step) return dp_shred_misfit(s, p->type, "range", r, node);
    nanos /= step;
    put_fixed(c, &nanos, 8);
    return true;
}

void dp_shred_plan_leaf(struct shred_plan *p) {
    switch (p->type->id) {
    case DP_TYPE_NONE: p->append = append_none; break;
    case DP_TYPE_BOOLEAN: p->append = append_boolean; break;
    case DP_TYPE_INT8:
    case DP_TYPE_INT16: p->append = append_small; break;
    case DP_TYPE_INT32: p->append = append_int32; break;
    case DP_TYPE_INT64: p->append = append_int64; break;
    case DP_TYPE_UINT8:
    case DP_TYPE_UINT16:
    case DP_TYPE_UINT32:
    case DP_TYPE_UINT64: p->append = append_unsigned; break;
    case DP_TYPE_FLOAT16: p->append = append_float16; break;
    case DP_TYPE_FLOAT: p->append = append_float; break;
    case DP_TYPE_DOUBLE: p->append = append_double; break;
    case DP_TYPE_DECIMAL:
        p->append = append_decimal;
        p->limit = 1;
        for (int i = 0; i < p->type->precision; i++) p->limit *= 10;
        break;
    case DP_TYPE_STRING:
    case DP_TYPE_ENUM: p->append = append_string; break;
    case DP_TYPE_JSON: p->append = append_json; break;
    case DP_TYPE_BINARY:
    case DP_TYPE_FIXED: p->append = append_binary; break;
    case DP_TYPE_UUID: p->append = append_uuid; break;
    case DP_TYPE_DATE:
    case DP_TYPE_TIMESTAMP:
        p->append = p->type->id == DP_TYPE_DATE ? append_date : append_timestamp;
        memcpy(p->last_date, "1970-01-01", 10); /* last_days is its 0 */
        break;
    case DP_TYPE_TIME: p->append = append_time; break;
    case DP_TYPE_INTERVAL: p->append = append_interval; break;
    case DP_TYPE_LIST:
    case DP_TYPE_STRUCT:
    case DP_TYPE_MAP: break;
    }
}
