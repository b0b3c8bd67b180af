/*
 * Bounds of values in the order that their type defines (spec: Parquet ColumnOrder, Statistics): NaN is passed over, zeros are widened,
 * long byte arrays are cut so that they still bound.  INTERVAL and UNKNOWN have no order.
 */
#include "enc_priv.h"

enum dp_pq_compare dp_pq_compare_of(const struct dp_pq_element *e) {
    if (e->logical == DP_PQ_L_UNKNOWN || e->converted == DP_PQ_C_INTERVAL) return DP_PQ_CMP_NONE;
    if (e->logical == DP_PQ_L_INTEGER && !e->is_signed) return DP_PQ_CMP_UNSIGNED;
    switch (e->type) {
    case DP_PQ_BOOLEAN: return DP_PQ_CMP_BOOL;
    case DP_PQ_INT32:
    case DP_PQ_INT64: return DP_PQ_CMP_SIGNED;
    case DP_PQ_FLOAT:
    case DP_PQ_DOUBLE: return DP_PQ_CMP_FLOAT;
    case DP_PQ_BYTE_ARRAY: return DP_PQ_CMP_BYTES;
    case DP_PQ_FLBA:
        if (e->logical == DP_PQ_L_DECIMAL) return DP_PQ_CMP_BIG_SIGNED;
        return e->logical == DP_PQ_L_FLOAT16 ? DP_PQ_CMP_FLOAT : DP_PQ_CMP_BYTES;
    case DP_PQ_INT96: return DP_PQ_CMP_NONE;
    }
    return DP_PQ_CMP_NONE;
}

/* ---- one pass over values ---- */

#define MIN_MAX(name, type)                                                                                                                          \
    static void name(const struct dp_pq_values *v, size_t from, size_t n, struct dp_pq_bounds_acc *b) {                                              \
        const type *x = (const type *)(const void *)v->fixed + from;                                                                                 \
        type least = x[0], most = x[0];                                                                                                              \
        for (size_t i = 1; i < n; i++) {                                                                                                             \
            least = x[i] < least ? x[i] : least;                                                                                                     \
            most = x[i] > most ? x[i] : most;                                                                                                        \
        }                                                                                                                                            \
        size_t i = 0;                                                                                                                                \
        while (x[i] != least) i++;                                                                                                                   \
        b->min = from + i;                                                                                                                           \
        for (i = 0; x[i] != most;) i++;                                                                                                              \
        b->max = from + i;                                                                                                                           \
        b->has = true;                                                                                                                               \
    }

MIN_MAX(bounds_i32, int32_t)
MIN_MAX(bounds_i64, int64_t)
MIN_MAX(bounds_u32, uint32_t)
MIN_MAX(bounds_u64, uint64_t)
MIN_MAX(bounds_u8, uint8_t)

static double half_to_double(uint16_t h) {
    unsigned exponent = h >> 10 & 31, fraction = h & 1023;
    double x;
    if (exponent == 31) x = fraction ? __builtin_nan("") : __builtin_inf();
    else if (exponent == 0) x = fraction * 0x1p-24;
    else x = __builtin_ldexp(1024 + fraction, (int)exponent - 25);
    return h >> 15 ? -x : x;
}

static double float_at(const struct dp_pq_values *v, size_t i) {
    double d;
    float f;
    uint16_t h;
    if (v->width == 8) memcpy(&d, v->fixed + 8 * i, 8);
    else if (v->width == 4) memcpy(&f, v->fixed + 4 * i, 4), d = (double)f;
    else memcpy(&h, v->fixed + 2 * i, 2), d = half_to_double(h);
    return d;
}

static void bounds_float(const struct dp_pq_values *v, size_t from, size_t n, struct dp_pq_bounds_acc *b) {
    double least = __builtin_inf(), most = -__builtin_inf();
    size_t nans = 0;
    for (size_t i = from; i < from + n; i++) {
        double d = float_at(v, i);
        nans += d != d;
        least = d < least ? d : least;
        most = d > most ? d : most;
    }
    b->nans = (int64_t)nans;
    b->has = nans < n;
    b->fmin = least == 0 ? -0.0 : least;
    b->fmax = most == 0 ? 0.0 : most;
}

/* The first eight bytes, so that most comparisons are one of integers. */
static uint64_t head_of(const uint8_t *bytes, size_t n_bytes, struct dp_pq_span s) {
    uint64_t w = 0;
    if ((size_t)s.off + 8 <= n_bytes) {
        memcpy(&w, bytes + s.off, 8);
        w = __builtin_bswap64(w);
        return s.len >= 8 ? w : s.len == 0 ? 0 : w & ~(UINT64_MAX >> (8 * s.len));
    }
    for (uint32_t i = 0; i < 8; i++) w = w << 8 | (i < s.len ? bytes[s.off + i] : 0);
    return w;
}

static int cmp_span(const uint8_t *bytes, struct dp_pq_span a, struct dp_pq_span b) {
    return dp_str_cmp(dp_str((const char *)bytes + a.off, a.len), dp_str((const char *)bytes + b.off, b.len));
}

static void bounds_spans(const struct dp_pq_values *v, size_t from, size_t n, struct dp_pq_bounds_acc *b) {
    size_t least = from, most = from;
    uint64_t hl = head_of(v->bytes, v->n_bytes, v->spans[from]), hm = hl;
    for (size_t i = from + 1; i < from + n; i++) {
        uint64_t h = head_of(v->bytes, v->n_bytes, v->spans[i]);
        if (h < hl || (h == hl && cmp_span(v->bytes, v->spans[i], v->spans[least]) < 0)) least = i, hl = h;
        else if (h > hm || (h == hm && cmp_span(v->bytes, v->spans[i], v->spans[most]) > 0)) most = i, hm = h;
    }
    b->min = least, b->max = most, b->has = true;
}

static void bounds_flba(const struct dp_pq_values *v, size_t from, size_t n, bool is_signed, struct dp_pq_bounds_acc *b) {
    size_t least = from, most = from, w = (size_t)v->width;
    for (size_t i = from + 1; i < from + n; i++) {
        const uint8_t *x = v->fixed + i * w, *lo = v->fixed + least * w, *hi = v->fixed + most * w;
        uint8_t flip = is_signed ? 0x80 : 0;
        int below = (x[0] ^ flip) - (lo[0] ^ flip), above = (x[0] ^ flip) - (hi[0] ^ flip);
        if (below == 0) below = memcmp(x, lo, w);
        if (above == 0) above = memcmp(x, hi, w);
        if (below < 0) least = i;
        if (above > 0) most = i;
    }
    b->min = least, b->max = most, b->has = true;
}

void dp_pq_bounds_of(enum dp_pq_compare c, const struct dp_pq_values *v, size_t from, size_t n, struct dp_pq_bounds_acc *out) {
    *out = (struct dp_pq_bounds_acc){0};
    if (n == 0) return;
    switch (c) {
    case DP_PQ_CMP_NONE: return;
    case DP_PQ_CMP_BOOL: bounds_u8(v, from, n, out); return;
    case DP_PQ_CMP_SIGNED:
        if (v->width == 4) bounds_i32(v, from, n, out);
        else bounds_i64(v, from, n, out);
        return;
    case DP_PQ_CMP_UNSIGNED:
        if (v->width == 4) bounds_u32(v, from, n, out);
        else bounds_u64(v, from, n, out);
        return;
    case DP_PQ_CMP_FLOAT: bounds_float(v, from, n, out); return;
    case DP_PQ_CMP_BYTES:
        if (v->type == DP_PQ_BYTE_ARRAY) bounds_spans(v, from, n, out);
        else bounds_flba(v, from, n, false, out);
        return;
    case DP_PQ_CMP_BIG_SIGNED: bounds_flba(v, from, n, true, out); return;
    }
}

/* ---- bytes of a bound ---- */

/* A double that came from a half, back to its bits. */
static uint16_t half_of(double d) {
    uint16_t sign = __builtin_signbit(d) ? 0x8000 : 0;
    double x = sign ? -d : d;
    int exponent;
    if (x > 65504) return sign | 0x7c00;
    if (x < 0x1p-14) return sign | (uint16_t)(x * 0x1p24);
    uint16_t fraction = (uint16_t)(__builtin_frexp(x, &exponent) * 2048); /* 1024 to 2047 */
    return (uint16_t)(sign | (uint16_t)((exponent + 14) << 10) | (fraction & 1023));
}

static struct dp_str float_bytes(const struct dp_pq_values *v, double d, struct dp_arena *a) {
    float f = (float)d;
    uint16_t h = half_of(d);
    if (v->width == 8) return dp_arena_str(a, dp_str((const char *)&d, 8));
    if (v->width == 4) return dp_arena_str(a, dp_str((const char *)&f, 4));
    return dp_arena_str(a, dp_str((const char *)&h, 2));
}

/* Largest cut at or below `max` that does not part a code point. */
static size_t text_cut(const uint8_t *p, size_t max) {
    size_t n = max;
    while (n > 0 && (p[n] & 0xc0) == 0x80) n--;
    return n;
}

/* Makes p[0..*n) larger than anything that begins with it: the last byte that can grow does, the rest is dropped. */
static bool grow_bytes(uint8_t *p, size_t *n) {
    while (*n > 0 && p[*n - 1] == 0xff) (*n)--;
    if (*n == 0) return false;
    p[*n - 1]++;
    return true;
}

static size_t put_code_point(uint8_t *p, uint32_t c) {
    if (c < 0x80) return p[0] = (uint8_t)c, 1;
    if (c < 0x800) return p[0] = (uint8_t)(0xc0 | c >> 6), p[1] = (uint8_t)(0x80 | (c & 63)), 2;
    if (c < 0x10000) return p[0] = (uint8_t)(0xe0 | c >> 12), p[1] = (uint8_t)(0x80 | (c >> 6 & 63)), p[2] = (uint8_t)(0x80 | (c & 63)), 3;
    p[0] = (uint8_t)(0xf0 | c >> 18), p[1] = (uint8_t)(0x80 | (c >> 12 & 63)), p[2] = (uint8_t)(0x80 | (c >> 6 & 63)), p[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

/* The same by whole code points; p has room for one byte more. */
static bool grow_text(uint8_t *p, size_t *n) {
    while (*n > 0) {
        size_t at = *n - 1;
        while (at > 0 && (p[at] & 0xc0) == 0x80) at--;
        size_t len = *n - at;
        if (len > 4) { /* not UTF-8: such a tail can't grow */
            *n = at;
            continue;
        }
        uint32_t c = len == 1 ? p[at] : p[at] & (0xffu >> (len + 1));
        for (size_t i = 1; i < len; i++) c = c << 6 | (p[at + i] & 63);
        c = c == 0xd7ff ? 0xe000 : c + 1;
        if (c <= 0x10ffff) {
            *n = at + put_code_point(p + at, c);
            return true;
        }
        *n = at;
    }
    return false;
}

static bool cut_bound(struct dp_str whole, bool is_max, bool text, size_t max_bytes, struct dp_arena *a, struct dp_str *out) {
    uint8_t *p = dp_arena_alloc(a, max_bytes + 8);
    memcpy(p, whole.p, max_bytes + 1);
    size_t n = text ? text_cut(p, max_bytes) : max_bytes;
    if (is_max && !(text ? grow_text(p, &n) : grow_bytes(p, &n))) return false;
    *out = dp_str((const char *)p, n);
    return true;
}

bool dp_pq_bound_bytes(enum dp_pq_compare c, const struct dp_pq_values *v, const struct dp_pq_bounds_acc *b, bool is_max, bool text, size_t max_bytes,
                       struct dp_arena *a, struct dp_str *out, bool *exact) {
    *exact = true;
    if (c == DP_PQ_CMP_FLOAT) {
        *out = float_bytes(v, is_max ? b->fmax : b->fmin, a);
        return out->n > 0;
    }
    size_t i = is_max ? b->max : b->min;
    struct dp_str whole = v->type == DP_PQ_BYTE_ARRAY ? dp_str((const char *)v->bytes + v->spans[i].off, v->spans[i].len)
                                                      : dp_str((const char *)v->fixed + i * (size_t)v->width, (size_t)v->width);
    if (v->type == DP_PQ_BYTE_ARRAY && whole.n > max_bytes) {
        *exact = false;
        return cut_bound(whole, is_max, text, max_bytes, a, out);
    }
    *out = dp_arena_str(a, whole);
    return true;
}

/* ---- order of two bounds ---- */

static int cmp_i64(int64_t a, int64_t b) { return (a > b) - (a < b); }
static int cmp_u64(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static double bound_double(struct dp_str s) {
    struct dp_pq_values v = {.fixed = (const uint8_t *)s.p, .width = (int)s.n};
    return float_at(&v, 0);
}

int dp_pq_bound_cmp(enum dp_pq_compare c, enum dp_pq_type type, struct dp_str a, struct dp_str b) {
    int32_t a32 = 0, b32 = 0;
    int64_t a64 = 0, b64 = 0;
    if (type == DP_PQ_INT32) memcpy(&a32, a.p, 4), memcpy(&b32, b.p, 4), a64 = a32, b64 = b32;
    if (type == DP_PQ_INT64) memcpy(&a64, a.p, 8), memcpy(&b64, b.p, 8);
    switch (c) {
    case DP_PQ_CMP_NONE: return 0;
    case DP_PQ_CMP_SIGNED: return cmp_i64(a64, b64);
    case DP_PQ_CMP_UNSIGNED: return type == DP_PQ_INT32 ? cmp_u64((uint32_t)a32, (uint32_t)b32) : cmp_u64((uint64_t)a64, (uint64_t)b64);
    case DP_PQ_CMP_FLOAT: {
        double x = bound_double(a), y = bound_double(b);
        return (x > y) - (x < y);
    }
    case DP_PQ_CMP_BIG_SIGNED:
        if (a.n == b.n && a.n && ((a.p[0] ^ b.p[0]) & 0x80)) return a.p[0] & 0x80 ? -1 : 1;
        return dp_str_cmp(a, b);
    case DP_PQ_CMP_BYTES:
    case DP_PQ_CMP_BOOL: return dp_str_cmp(a, b);
    }
    return 0;
}
