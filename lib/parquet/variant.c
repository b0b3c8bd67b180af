/*
 * One Variant value to JSON text (spec: VariantEncoding.md of parquet-format).  Nothing is believed: every count and offset is held
 * against the bytes that are there, text must be UTF-8, keys must differ, and since values may share bytes the text is bounded too.
 * What it does not do: shredded values (variant_column.c), writing Variants.
 */
#include "variant_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/limits.h>
#include <dp/base/time.h>
#include <math.h>
#include <stdlib.h>

enum { BASIC_PRIMITIVE, BASIC_SHORT_STRING, BASIC_OBJECT, BASIC_ARRAY };

enum { P_NULL, P_TRUE, P_FALSE, P_INT8, P_INT16, P_INT32, P_INT64, P_DOUBLE, P_DECIMAL4, P_DECIMAL8, P_DECIMAL16, P_DATE, P_TIMESTAMP,
       P_TIMESTAMP_NTZ, P_FLOAT, P_BINARY, P_STRING, P_TIME, P_TIMESTAMP_NANOS, P_TIMESTAMP_NTZ_NANOS, P_UUID, P_COUNT };

static bool refuse(struct dp_variant_out *o, const char *why) {
    o->why = why;
    return false;
}

static bool cut_short(struct dp_variant_out *o) { return refuse(o, "its bytes are cut short"); }

static bool too_long(struct dp_variant_out *o) {
    o->over = true;
    return refuse(o, "its JSON text is too long");
}

/* An unsigned number of 1 to 4 bytes. */
static uint32_t load(const uint8_t *p, unsigned width) {
    uint32_t v = 0;
    for (unsigned i = 0; i < width; i++) v |= (uint32_t)p[i] << (8 * i);
    return v;
}

static uint64_t load64(const uint8_t *p) { return load(p, 4) | (uint64_t)load(p + 4, 4) << 32; }

/* ---- names ---- */

bool dp_variant_begin(struct dp_variant_out *o, struct dp_str metadata) {
    const uint8_t *p = (const uint8_t *)metadata.p;
    struct dp_variant_dict *d = &o->dict;
    o->why = NULL;
    o->over = false;
    dp_buf_reset(&o->fields);
    if (metadata.n < 1) return refuse(o, "its metadata is empty");
    if ((p[0] & 15) != 1) return refuse(o, "its metadata is of a version that is not known");
    d->width = (unsigned)(p[0] >> 6) + 1;
    if (metadata.n < 1 + (size_t)d->width) return refuse(o, "its metadata is cut short");
    d->n = load(p + 1, d->width);
    uint64_t head = 1 + d->width + ((uint64_t)d->n + 1) * d->width;
    if (head > metadata.n) return refuse(o, "its metadata is cut short");
    d->offsets = p + 1 + d->width;
    d->names = p + head;
    d->names_n = metadata.n - (size_t)head;
    return true;
}

static bool find_name(struct dp_variant_out *o, uint32_t id, struct dp_str *name) {
    const struct dp_variant_dict *d = &o->dict;
    if (id >= d->n) return refuse(o, "a key that its metadata does not have");
    size_t from = load(d->offsets + (size_t)id * d->width, d->width), to = load(d->offsets + ((size_t)id + 1) * d->width, d->width);
    if (from > to || to > d->names_n) return refuse(o, "a key that lies outside of its metadata");
    *name = dp_str((const char *)d->names + from, to - from);
    return true;
}

/* ---- values without parts ---- */

static bool put_text(struct dp_variant_out *o, const uint8_t *p, size_t n) {
    if (o->to->n + n > o->most) return too_long(o);
    if (!dp_utf8_valid((const char *)p, n, NULL)) return refuse(o, "text that is not UTF-8");
    dp_json_add_string(o->to, dp_str((const char *)p, n));
    return true;
}

static bool put_binary(struct dp_variant_out *o, const uint8_t *p, size_t n) {
    if (o->to->n + n > o->most) return too_long(o);
    dp_json_add_binary(o->to, dp_str((const char *)p, n), false);
    return true;
}

static bool put_quoted(struct dp_variant_out *o, const char *text, size_t n) {
    dp_buf_addc(o->to, '"');
    dp_buf_add(o->to, text, n);
    dp_buf_addc(o->to, '"');
    return true;
}

static bool put_float(struct dp_variant_out *o, float v) {
    char text[32];
    if (!isfinite(v)) dp_json_add_double(o->to, (double)v);
    else dp_buf_add(o->to, text, dp_print_float(text, v));
    return true;
}

static bool put_decimal(struct dp_variant_out *o, dp_i128 v, unsigned scale) {
    char text[48];
    if (scale > DP_DECIMAL_MAX_PRECISION) return refuse(o, "a decimal with a scale above 38");
    dp_buf_add(o->to, text, dp_decimal_print(text, v, (int)scale));
    return true;
}

static bool put_date(struct dp_variant_out *o, int32_t days) {
    char text[40];
    return put_quoted(o, text, dp_date_print(text, days));
}

/* A time of day that is none wraps, as it does in a column of times. */
static bool put_time(struct dp_variant_out *o, int64_t micros) {
    const int64_t day = INT64_C(86400000000);
    char text[40];
    micros %= day;
    if (micros < 0) micros += day;
    return put_quoted(o, text, dp_timeofday_print(text, micros * 1000, -1));
}

static bool put_timestamp(struct dp_variant_out *o, int64_t v, bool utc, bool nanos) {
    char text[40];
    return put_quoted(o, text, nanos ? dp_time_print_nanos(text, v, utc, -1) : dp_time_print_micros(text, v, utc, -1));
}

static bool put_uuid(struct dp_variant_out *o, const uint8_t *p) {
    static const char hex[] = "0123456789abcdef";
    char text[36], *w = text;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *w++ = '-';
        *w++ = hex[p[i] >> 4];
        *w++ = hex[p[i] & 15];
    }
    return put_quoted(o, text, sizeof text);
}

static dp_i128 load128(const uint8_t *p) {
    dp_i128 high = (int64_t)load64(p + 8), two64 = (dp_i128)1 << 64;
    return high * two64 + (dp_i128)load64(p);
}

static bool put_bytes(struct dp_variant_out *o, const uint8_t *p, size_t n, bool text) {
    if (n < 4) return cut_short(o);
    uint32_t len = load(p, 4);
    if (len > n - 4) return cut_short(o);
    return text ? put_text(o, p + 4, len) : put_binary(o, p + 4, len);
}

static bool put_double(struct dp_variant_out *o, const uint8_t *p) {
    double v;
    memcpy(&v, p, 8);
    dp_json_add_double(o->to, v);
    return true;
}

static bool put_primitive(struct dp_variant_out *o, unsigned type, const uint8_t *p, size_t n) {
    static const uint8_t sizes[P_COUNT] = {[P_INT8] = 1, [P_INT16] = 2, [P_INT32] = 4, [P_INT64] = 8, [P_DOUBLE] = 8, [P_DECIMAL4] = 5, [P_DECIMAL8] = 9,
        [P_DECIMAL16] = 17, [P_DATE] = 4, [P_TIMESTAMP] = 8, [P_TIMESTAMP_NTZ] = 8, [P_FLOAT] = 4, [P_TIME] = 8, [P_TIMESTAMP_NANOS] = 8,
        [P_TIMESTAMP_NTZ_NANOS] = 8, [P_UUID] = 16};
    float f;
    if (type >= P_COUNT) return refuse(o, "a value of a type that is not known");
    if (n < sizes[type]) return cut_short(o);
    switch (type) {
    case P_NULL: dp_buf_addz(o->to, "null"); return true;
    case P_TRUE: dp_buf_addz(o->to, "true"); return true;
    case P_FALSE: dp_buf_addz(o->to, "false"); return true;
    case P_INT8: dp_json_add_i64(o->to, (int8_t)p[0]); return true;
    case P_INT16: dp_json_add_i64(o->to, (int16_t)load(p, 2)); return true;
    case P_INT32: dp_json_add_i64(o->to, (int32_t)load(p, 4)); return true;
    case P_INT64: dp_json_add_i64(o->to, (int64_t)load64(p)); return true;
    case P_DOUBLE: return put_double(o, p);
    case P_DECIMAL4: return put_decimal(o, (int32_t)load(p + 1, 4), p[0]);
    case P_DECIMAL8: return put_decimal(o, (int64_t)load64(p + 1), p[0]);
    case P_DECIMAL16: return put_decimal(o, load128(p + 1), p[0]);
    case P_DATE: return put_date(o, (int32_t)load(p, 4));
    case P_TIMESTAMP: case P_TIMESTAMP_NTZ: return put_timestamp(o, (int64_t)load64(p), type == P_TIMESTAMP, false);
    case P_TIMESTAMP_NANOS: case P_TIMESTAMP_NTZ_NANOS: return put_timestamp(o, (int64_t)load64(p), type == P_TIMESTAMP_NANOS, true);
    case P_FLOAT: memcpy(&f, p, 4); return put_float(o, f);
    case P_BINARY: return put_bytes(o, p, n, false);
    case P_STRING: return put_bytes(o, p, n, true);
    case P_TIME: return put_time(o, (int64_t)load64(p));
    default: return put_uuid(o, p);
    }
}

bool dp_variant_put_cell(struct dp_variant_out *o, const struct dp_column *c, int64_t row) {
    const uint8_t *p = c->data;
    float f;
    if (dp_type_is_bytes(c->type)) {
        size_t from = (size_t)c->offsets[row], n = (size_t)c->offsets[row + 1] - from;
        return c->type->id == DP_TYPE_BINARY ? put_binary(o, p + from, n) : put_text(o, p + from, n);
    }
    if (c->type->id != DP_TYPE_BOOLEAN) p += (size_t)row * dp_type_width(c->type);
    switch (c->type->id) {
    case DP_TYPE_BOOLEAN: dp_buf_addz(o->to, p[row >> 3] >> (row & 7) & 1 ? "true" : "false"); break;
    case DP_TYPE_INT8: return put_primitive(o, P_INT8, p, 1);
    case DP_TYPE_INT16: return put_primitive(o, P_INT16, p, 2);
    case DP_TYPE_INT32: return put_primitive(o, P_INT32, p, 4);
    case DP_TYPE_INT64: return put_primitive(o, P_INT64, p, 8);
    case DP_TYPE_FLOAT: memcpy(&f, p, 4); return put_float(o, f);
    case DP_TYPE_DOUBLE: return put_double(o, p);
    case DP_TYPE_DECIMAL: return put_decimal(o, load128(p), (unsigned)c->type->scale);
    case DP_TYPE_DATE: return put_primitive(o, P_DATE, p, 4);
    case DP_TYPE_TIME: return put_primitive(o, P_TIME, p, 8);
    case DP_TYPE_TIMESTAMP: return put_timestamp(o, (int64_t)load64(p), c->type->utc, c->type->unit == DP_UNIT_NANOS);
    case DP_TYPE_UUID: return put_uuid(o, p);
    default: return refuse(o, "a shredded value of a type that shredding does not have");
    }
    return true;
}

/* ---- objects and arrays ---- */

/* Where the parts of an object or array lie. */
struct parts {
    uint32_t n;
    unsigned id_width, offset_width; /* id_width 0: an array */
    const uint8_t *ids, *offsets, *values;
    size_t values_n;
};

static bool open_parts(struct dp_variant_out *o, const uint8_t *p, size_t n, struct parts *x) {
    unsigned head = p[0] >> 2;
    bool object = (p[0] & 3) == BASIC_OBJECT, large = head >> (object ? 4 : 2) & 1;
    unsigned count = large ? 4 : 1;
    x->offset_width = (head & 3) + 1;
    x->id_width = object ? (head >> 2 & 3) + 1 : 0;
    if (n < 1 + (size_t)count) return cut_short(o);
    x->n = load(p + 1, count);
    if (object && x->n > DP_LIMIT_KEYS) return refuse(o, "an object of too many keys");
    uint64_t front = 1 + (uint64_t)count + (uint64_t)x->n * x->id_width + ((uint64_t)x->n + 1) * x->offset_width;
    if (front > n) return cut_short(o);
    x->ids = p + 1 + count;
    x->offsets = x->ids + (size_t)x->n * x->id_width;
    x->values = p + front;
    x->values_n = load(x->offsets + (size_t)x->n * x->offset_width, x->offset_width);
    if (x->values_n > n - (size_t)front) return cut_short(o);
    return true;
}

static bool part(struct dp_variant_out *o, const struct parts *x, uint32_t i, const uint8_t **p, size_t *n) {
    size_t from = load(x->offsets + (size_t)i * x->offset_width, x->offset_width);
    if (from >= x->values_n) return refuse(o, "a value that lies outside of its object or array");
    *p = x->values + from;
    *n = x->values_n - from;
    return true;
}

static int by_name(const void *a, const void *b) {
    return dp_str_cmp(((const struct dp_variant_field *)a)->name, ((const struct dp_variant_field *)b)->name);
}

bool dp_variant_push_fields(struct dp_variant_out *o, const uint8_t *p, size_t n, size_t *from) {
    struct parts x;
    bool sorted = true;
    *from = dp_variant_n_fields(o);
    if (!open_parts(o, p, n, &x)) return false;
    struct dp_variant_field *f = (struct dp_variant_field *)(void *)dp_buf_reserve(&o->fields, ((size_t)x.n + 1) * sizeof *f);
    for (uint32_t i = 0; i < x.n; i++) {
        if (!find_name(o, load(x.ids + (size_t)i * x.id_width, x.id_width), &f[i].name) || !part(o, &x, i, &f[i].p, &f[i].n)) return false;
        sorted &= i == 0 || by_name(&f[i - 1], &f[i]) < 0;
    }
    if (!sorted) { /* a writer's slip that does no harm, unless a key stands twice */
        qsort(f, x.n, sizeof *f, by_name);
        for (uint32_t i = 1; i < x.n; i++)
            if (by_name(&f[i - 1], &f[i]) == 0) return refuse(o, "an object with the same key twice");
    }
    o->fields.n += x.n * sizeof *f;
    return true;
}

bool dp_variant_put_name(struct dp_variant_out *o, struct dp_str name) {
    if (!put_text(o, (const uint8_t *)name.p, name.n)) return false;
    dp_buf_addc(o->to, ':');
    return true;
}

static bool put_object(struct dp_variant_out *o, const uint8_t *p, size_t n, unsigned depth) {
    size_t from;
    if (!dp_variant_push_fields(o, p, n, &from)) return false;
    size_t end = dp_variant_n_fields(o);
    dp_buf_addc(o->to, '{');
    for (size_t i = from; i < end; i++) {
        struct dp_variant_field f = dp_variant_field(o, i); /* by value: the fields of inner objects may move them */
        if (i > from) dp_buf_addc(o->to, ',');
        if (!dp_variant_put_name(o, f.name) || !dp_variant_put(o, f.p, f.n, depth + 1)) return false;
    }
    dp_buf_addc(o->to, '}');
    dp_variant_pop_fields(o, from);
    return true;
}

static bool put_array(struct dp_variant_out *o, const uint8_t *p, size_t n, unsigned depth) {
    struct parts x;
    if (!open_parts(o, p, n, &x)) return false;
    dp_buf_addc(o->to, '[');
    for (uint32_t i = 0; i < x.n; i++) {
        const uint8_t *v;
        size_t v_n;
        if (i) dp_buf_addc(o->to, ',');
        if (!part(o, &x, i, &v, &v_n) || !dp_variant_put(o, v, v_n, depth + 1)) return false;
    }
    dp_buf_addc(o->to, ']');
    return true;
}

bool dp_variant_put(struct dp_variant_out *o, const uint8_t *p, size_t n, unsigned depth) {
    if (n == 0) return cut_short(o);
    if (depth > DP_LIMIT_VARIANT_DEPTH) return refuse(o, "it is nested too deep");
    if (o->to->n > o->most) return too_long(o);
    unsigned head = p[0] >> 2;
    switch (p[0] & 3) {
    case BASIC_PRIMITIVE: return put_primitive(o, head, p + 1, n - 1);
    case BASIC_SHORT_STRING: return head > n - 1 ? cut_short(o) : put_text(o, p + 1, head);
    case BASIC_OBJECT: return put_object(o, p, n, depth);
    default: return put_array(o, p, n, depth);
    }
}
