/*
 * Bloom filters asked for one value (spec: BloomFilter.md of parquet-format): the header and one block of 32 bytes are read.
 *
 * The value comes as a record spells it, the filter knows PLAIN bytes.  All stored values that would be spelled equal are asked for; where
 * it is not sure that these are all, nothing is said.
 */
#include "skip_priv.h"
#include <dp/base/decimal.h>
#include <dp/base/time.h>
#include <math.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define MAX_FILTER (128u << 20)
#define MAX_HEADER 256

/* One of the unions, whose first member must be the one that is set. */
static bool first_member(struct dp_tr *t, const struct dp_tr_struct *f) {
    struct dp_tr_struct s = {0};
    bool first = false;
    if (!dp_tr_is_struct(t, f)) return false;
    while (dp_tr_field(t, &s)) {
        first |= s.id == 1;
        dp_tr_skip(t, &s);
    }
    return first;
}

bool pq_bloom_open(const struct dp_pq_file *f, size_t group, size_t leaf, struct pq_bloom *out) {
    const struct dp_pq_chunk *c = &f->meta.row_groups[group].chunks[leaf];
    uint8_t head[MAX_HEADER];
    int32_t n_bytes = 0;
    unsigned got = 0;
    if (c->encrypted || c->file_path.n || c->bloom_offset < 4 || (uint64_t)c->bloom_offset >= f->data_end) return false;
    uint64_t room = f->data_end - (uint64_t)c->bloom_offset;
    if (c->bloom_length > 0 && (uint64_t)c->bloom_length < room) room = (uint64_t)c->bloom_length;
    size_t n = room < sizeof head ? (size_t)room : sizeof head;
    if (pq_read_at(f, head, n, (uint64_t)c->bloom_offset, NULL) != DP_OK) return false;
    struct dp_tr t = {.p = head, .end = head + n};
    struct dp_tr_struct s = {0};
    while (dp_tr_field(&t, &s)) switch (s.id) {
        case 1: got |= dp_tr_i32(&t, &s, &n_bytes) ? 1u : 0u; break;
        case 2:
        case 3:
        case 4: got |= first_member(&t, &s) ? 1u << (s.id - 1) : 0u; break;
        default: dp_tr_skip(&t, &s);
        }
    if (t.fault || got != 15 || n_bytes < 32 || n_bytes % 32 || (uint32_t)n_bytes > MAX_FILTER) return false;
    size_t used = (size_t)(t.p - head);
    if ((uint64_t)n_bytes > room - used) return false;
    *out = (struct pq_bloom){(uint64_t)c->bloom_offset + used, (uint32_t)n_bytes};
    return true;
}

/* ---- values ---- */

struct plain {
    struct dp_str v[3];
    uint8_t room[3][16];
    size_t n;
};

static bool add(struct plain *p, const void *bytes, size_t n) {
    memcpy(p->room[p->n], bytes, n);
    p->v[p->n] = dp_str((const char *)p->room[p->n], n);
    p->n++;
    return true;
}

/* Little endian, in as many bytes as the physical type has. */
static bool add_int(struct plain *p, const struct dp_pq_element *e, int64_t v) {
    uint8_t b[8];
    for (size_t i = 0; i < 8; i++) b[i] = (uint8_t)((uint64_t)v >> (8 * i));
    return add(p, b, e->type == DP_PQ_INT32 ? 4 : 8);
}

static bool add_integer(struct plain *p, const struct dp_pq_element *e, const struct dp_type *t, struct dp_str s) {
    static const struct { int64_t min; uint64_t max; } range[] = {
        [DP_TYPE_INT8] = {INT8_MIN, INT8_MAX}, [DP_TYPE_INT16] = {INT16_MIN, INT16_MAX}, [DP_TYPE_INT32] = {INT32_MIN, INT32_MAX},
        [DP_TYPE_INT64] = {INT64_MIN, INT64_MAX}, [DP_TYPE_UINT8] = {0, UINT8_MAX}, [DP_TYPE_UINT16] = {0, UINT16_MAX},
        [DP_TYPE_UINT32] = {0, UINT32_MAX}, [DP_TYPE_UINT64] = {0, UINT64_MAX}};
    struct dp_decimal d;
    dp_i128 v;
    if ((e->type != DP_PQ_INT32 && e->type != DP_PQ_INT64) || !dp_decimal_parse(s, &d)) return false;
    if (!dp_decimal_rescale(d, DP_DECIMAL_MAX_PRECISION, 0, &v)) return true; /* not a whole number, or far too large: none is spelled so */
    if (v < (dp_i128)range[t->id].min || v > (dp_i128)range[t->id].max) return true;
    return add_int(p, e, (int64_t)(uint64_t)v);
}

static bool add_decimal(struct plain *p, const struct dp_pq_element *e, struct dp_str s) {
    struct dp_decimal d;
    dp_i128 v;
    uint8_t b[16];
    if (e->type == DP_PQ_BYTE_ARRAY || e->scale < 0 || e->scale > DP_DECIMAL_MAX_PRECISION || !dp_decimal_parse(s, &d)) return false; /* of any length */
    if (!dp_decimal_rescale(d, DP_DECIMAL_MAX_PRECISION, e->scale, &v)) return true;
    size_t width = e->type == DP_PQ_INT32 ? 4 : e->type == DP_PQ_INT64 ? 8 : (size_t)e->type_length;
    if (width == 0 || width > 16) return false;
    dp_i128 top = width == 16 ? 0 : (dp_i128)1 << (8 * width - 1);
    if (width < 16 && (v < -top || v >= top)) return true;
    if (e->type != DP_PQ_FLBA) return add_int(p, e, (int64_t)v);
    for (size_t i = 0; i < width; i++) b[width - 1 - i] = (uint8_t)((dp_u128)v >> (8 * i));
    return add(p, b, width);
}

static void add_double(struct plain *p, double d, struct dp_str s) {
    char text[32];
    if (isfinite(d) && dp_number_cmp(dp_str(text, dp_print_double(text, d)), s) == 0) add(p, &d, 8);
}

static void add_float(struct plain *p, float f, struct dp_str s) {
    char text[32];
    if (isfinite(f) && dp_number_cmp(dp_str(text, dp_print_float(text, f)), s) == 0) add(p, &f, 4);
}

/* The number whose shortest text has this value, if there is one; both zeros. */
static bool add_floating(struct plain *p, const struct dp_pq_element *e, struct dp_str s) {
    double d;
    if (!dp_parse_double(s, &d)) return false;
    if (e->type == DP_PQ_DOUBLE) {
        add_double(p, d, s);
        if (d == 0) add_double(p, -d, s);
    } else if (e->type == DP_PQ_FLOAT) {
        float f = (float)d; /* rounded twice: perhaps the neighbour of the nearest */
        add_float(p, f, s);
        if (f == 0) add_float(p, -f, s);
        else add_float(p, nextafterf(f, -INFINITY), s), add_float(p, nextafterf(f, INFINITY), s);
    }
    return e->type == DP_PQ_DOUBLE || e->type == DP_PQ_FLOAT;
}

static bool add_uuid(struct plain *p, const struct dp_pq_element *e, struct dp_str s) {
    uint8_t b[16] = {0};
    size_t n = 0;
    if (e->type != DP_PQ_FLBA || e->type_length != 16 || s.n != 36) return false;
    for (size_t i = 0; i < 36; i++) {
        char c = s.p[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
        if (dash) continue;
        b[n / 2] = (uint8_t)(b[n / 2] << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
        n++;
    }
    return add(p, b, 16);
}

static bool add_date(struct plain *p, const struct dp_pq_element *e, struct dp_str s) {
    char text[40];
    int32_t days;
    if (e->type != DP_PQ_INT32 || !dp_date_parse(s, &days) || !dp_str_eq(dp_str(text, dp_date_print(text, days)), s)) return false;
    return add_int(p, e, days);
}

static bool add_timestamp(struct plain *p, const struct dp_pq_element *e, const struct dp_type *t, struct dp_str s) {
    struct dp_timestamp x;
    char text[40];
    int64_t micros, v;
    if (e->type != DP_PQ_INT64 || !dp_time_parse(s, true, false, &x)) return false;
    if (t->unit == DP_UNIT_NANOS) {
        if (dp_mul_overflow(x.seconds, 1000000000, &v) || dp_add_overflow(v, x.nanos, &v)) return false;
        return dp_str_eq(dp_str(text, dp_time_print_nanos(text, v, t->utc, -1)), s) && add_int(p, e, v);
    }
    if (!dp_time_micros(&x, &micros) || !dp_str_eq(dp_str(text, dp_time_print_micros(text, micros, t->utc, -1)), s)) return false;
    if (t->unit == DP_UNIT_MICROS) return add_int(p, e, micros);
    return micros % 1000 == 0 ? add_int(p, e, micros / 1000) : true;
}

/* All stored values that are spelled so; false: that is not known. */
static bool plain_values(const struct dp_pq_element *e, const struct dp_type *t, enum dp_kind kind, struct dp_str s, struct plain *p) {
    bool number = kind == DP_KIND_NUMBER;
    if (dp_type_is_integer(t)) return number && add_integer(p, e, t, s);
    switch (t->id) {
    case DP_TYPE_DECIMAL: return number && add_decimal(p, e, s);
    case DP_TYPE_FLOAT:
    case DP_TYPE_DOUBLE: return number && add_floating(p, e, s);
    case DP_TYPE_UUID: return !number && add_uuid(p, e, s);
    case DP_TYPE_DATE: return !number && add_date(p, e, s);
    case DP_TYPE_TIMESTAMP: return !number && add_timestamp(p, e, t, s);
    case DP_TYPE_STRING:
    case DP_TYPE_ENUM:
        if (number || e->type != DP_PQ_BYTE_ARRAY) return false;
        p->v[p->n++] = s;
        return true;
    default: return false;
    }
}

bool pq_bloom_lacks(const struct dp_pq_file *f, const struct pq_bloom *b, size_t leaf, const struct dp_type *type, enum dp_kind kind, struct dp_str value) {
    struct plain p = {.n = 0};
    if (!plain_values(&f->meta.elements[f->meta.leaves[leaf]], type, kind, value, &p)) return false;
    for (size_t i = 0; i < p.n; i++) {
        uint8_t block[32];
        uint64_t hash = XXH64(p.v[i].n ? p.v[i].p : "", p.v[i].n, 0), at = (hash >> 32) * (b->n_bytes / 32) >> 32;
        if (pq_read_at(f, block, sizeof block, b->at + 32 * at, NULL) != DP_OK || dp_pq_bloom_maybe(block, sizeof block, hash)) return false;
    }
    return true;
}
