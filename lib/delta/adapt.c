/*
 * Columns of data files made into the table's (digest sections 7, 9 and 11): physical names or ids, fields that a file lacks, types that were widened.
 * Buffers of the same layout are swapped, not copied.
 */
#include "adapt_priv.h"
#include <dp/base/decimal.h>
#include <dp/delta/schema.h>

static bool same_ignoring_case(const struct dp_type *a, const struct dp_type *b) {
    if (a->name_n != b->name_n) return false;
    for (size_t i = 0; i < a->name_n; i++) {
        unsigned char x = (unsigned char)a->name[i], y = (unsigned char)b->name[i];
        if (x >= 'A' && x <= 'Z') x = (unsigned char)(x + 32);
        if (y >= 'A' && y <= 'Z') y = (unsigned char)(y + 32);
        if (x != y) return false;
    }
    return true;
}

int adapt_find(const struct adapt *a, const struct dp_type *file, const struct dp_type *field) {
    int loose = -1;
    for (size_t i = 0; i < file->n_children; i++) {
        const struct dp_type *c = file->children[i];
        if (a->mapping == DP_DELTA_MAPPING_ID) {
            if (c->field_id >= 0 && c->field_id == field->field_id) return (int)i;
            continue;
        }
        if (c->name_n == field->name_n && !memcmp(c->name, field->name, c->name_n)) return (int)i;
        if (a->mapping == DP_DELTA_MAPPING_NONE && loose < 0 && same_ignoring_case(c, field)) loose = (int)i;
    }
    return loose;
}

void adapt_nulls(struct dp_column *dst, int64_t n) {
    for (int64_t i = 0; i < n; i++) dp_column_append_null(dst);
}

static enum dp_status refuse(const struct dp_type *table, const struct dp_type *file, struct dp_err *err) {
    struct dp_buf t = {0}, f = {0};
    dp_delta_type_print(table, &t);
    dp_type_print(file, &f);
    dp_err_set(err, DP_SCHEMA, "column %s: the table has %s, the file %s", table->name, dp_buf_z(&t), dp_buf_z(&f));
    dp_buf_release(&t);
    dp_buf_release(&f);
    return DP_SCHEMA;
}

/* Takes the buffers, keeps the types. */
static void swap_leaf(struct dp_column *dst, struct dp_column *src) {
    struct dp_column t = *dst;
    *dst = *src;
    *src = t;
    src->type = dst->type;
    dst->type = t.type;
}

static void swap_frame(struct dp_column *dst, struct dp_column *src, bool offsets) {
    struct dp_column t = *dst;
    dst->length = src->length, dst->null_count = src->null_count;
    dst->validity = src->validity, dst->validity_cap = src->validity_cap;
    src->validity = t.validity, src->validity_cap = t.validity_cap;
    src->length = t.length, src->null_count = t.null_count;
    if (!offsets) return;
    dst->offsets = src->offsets, dst->offsets_cap = src->offsets_cap;
    src->offsets = t.offsets, src->offsets_cap = t.offsets_cap;
}

static bool is_int(enum dp_type_id id) { return id >= DP_TYPE_INT8 && id <= DP_TYPE_INT64; }

static int64_t load_int(const struct dp_column *c, int64_t row) {
    size_t i = (size_t)row;
    if (c->type->id == DP_TYPE_INT8) return ((const int8_t *)c->data)[i];
    if (c->type->id == DP_TYPE_INT16) {
        int16_t v;
        memcpy(&v, c->data + 2 * i, 2);
        return v;
    }
    if (c->type->id == DP_TYPE_INT32 || c->type->id == DP_TYPE_DATE) {
        int32_t v;
        memcpy(&v, c->data + 4 * i, 4);
        return v;
    }
    int64_t v;
    memcpy(&v, c->data + 8 * i, 8);
    return v;
}

static enum dp_status out_of_range(const struct dp_column *dst, struct dp_err *err) {
    return dp_err_set(err, DP_FORMAT, "column %s: a value does not fit the table's type", dst->type->name);
}

/* One value that is there, of the file's type, appended as the table's. */
static enum dp_status append_cast(struct dp_column *dst, const struct dp_column *src, int64_t row, struct dp_err *err) {
    enum dp_type_id to = dst->type->id, from = src->type->id;
    if (to == DP_TYPE_DOUBLE) {
        float f = 0;
        double d;
        if (from == DP_TYPE_FLOAT) memcpy(&f, src->data + 4 * (size_t)row, 4), d = (double)f;
        else d = (double)load_int(src, row);
        dp_column_append_fixed(dst, &d, 1);
        return DP_OK;
    }
    if (to == DP_TYPE_DECIMAL) {
        struct dp_decimal d = {.scale = 0};
        dp_i128 v;
        if (from == DP_TYPE_DECIMAL) memcpy(&d.unscaled, src->data + 16 * (size_t)row, 16), d.scale = src->type->scale;
        else d.unscaled = load_int(src, row);
        if (!dp_decimal_rescale(d, dst->type->precision, dst->type->scale, &v)) return out_of_range(dst, err);
        dp_column_append_fixed(dst, &v, 1);
        return DP_OK;
    }
    if (to == DP_TYPE_TIMESTAMP) {
        int64_t v = load_int(src, row), unit = from == DP_TYPE_DATE ? 86400000000 : src->type->unit == DP_UNIT_MILLIS ? 1000 : 1;
        if (from == DP_TYPE_TIMESTAMP && src->type->unit == DP_UNIT_NANOS) v = v / 1000 - (v % 1000 < 0);
        if (dp_mul_overflow(v, unit, &v)) return out_of_range(dst, err);
        dp_column_append_fixed(dst, &v, 1);
        return DP_OK;
    }
    int64_t v = load_int(src, row), max = to == DP_TYPE_INT8 ? INT8_MAX : to == DP_TYPE_INT16 ? INT16_MAX : to == DP_TYPE_INT32 ? INT32_MAX : INT64_MAX;
    if (v > max || v < -max - 1) return out_of_range(dst, err);
    int8_t v8 = (int8_t)v;
    int16_t v16 = (int16_t)v;
    int32_t v32 = (int32_t)v;
    const void *p = to == DP_TYPE_INT8 ? (void *)&v8 : to == DP_TYPE_INT16 ? (void *)&v16 : to == DP_TYPE_INT32 ? (void *)&v32 : (void *)&v;
    dp_column_append_fixed(dst, p, 1);
    return DP_OK;
}

enum way { REFUSE, SWAP, TEXT, BYTES, CAST };

/* How a file's leaf becomes the table's. */
static enum way way_of(const struct adapt *a, const struct dp_type *t, const struct dp_type *f) {
    enum dp_type_id to = t->id, from = f->id;
    switch (to) {
    case DP_TYPE_JSON: /* of dp_delta_schema_unfit */
    case DP_TYPE_STRING:
        if (from == DP_TYPE_STRING || from == DP_TYPE_JSON || from == DP_TYPE_ENUM) return SWAP;
        return from == DP_TYPE_BINARY ? TEXT : REFUSE; /* BYTE_ARRAY without annotation */
    case DP_TYPE_BINARY:
        if (from == DP_TYPE_BINARY || from == DP_TYPE_STRING || from == DP_TYPE_JSON || from == DP_TYPE_ENUM) return SWAP;
        return from == DP_TYPE_FIXED ? BYTES : REFUSE;
    case DP_TYPE_TIMESTAMP:
        if (from == DP_TYPE_TIMESTAMP) return f->unit == DP_UNIT_MICROS ? SWAP : CAST;
        return from == DP_TYPE_DATE && a->widening && !t->utc ? CAST : REFUSE;
    case DP_TYPE_DECIMAL:
        if (from == DP_TYPE_DECIMAL && f->precision == t->precision && f->scale == t->scale) return SWAP;
        return a->widening && (from == DP_TYPE_DECIMAL || is_int(from)) ? CAST : REFUSE;
    case DP_TYPE_DOUBLE:
        if (from == to) return SWAP;
        return a->widening && (from == DP_TYPE_FLOAT || is_int(from)) ? CAST : REFUSE;
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64:
        if (from == to) return SWAP;
        if (from == DP_TYPE_INT32 && to < DP_TYPE_INT32) return CAST; /* INT32 without annotation */
        return a->widening && is_int(from) && from < to ? CAST : REFUSE;
    default:
        return from == to ? SWAP : REFUSE;
    }
}

static enum dp_status adapt_leaf(const struct adapt *a, struct dp_column *dst, struct dp_column *src, struct dp_err *err) {
    int64_t bad;
    switch (way_of(a, dst->type, src->type)) {
    case REFUSE:
        return refuse(dst->type, src->type, err);
    case SWAP:
        swap_leaf(dst, src);
        return DP_OK;
    case TEXT:
        if (!dp_column_utf8(src, &bad)) return dp_err_set(err, DP_FORMAT, "column %s: a value is not UTF-8", dst->type->name);
        swap_leaf(dst, src);
        return DP_OK;
    case BYTES:
        for (int64_t i = 0; i < src->length; i++)
            if (!dp_column_is_valid(src, i)) dp_column_append_null(dst);
            else dp_column_append_bytes(dst, src->data + (size_t)i * (size_t)src->type->width, (size_t)src->type->width);
        return DP_OK;
    case CAST:
        for (int64_t i = 0; i < src->length; i++) {
            if (!dp_column_is_valid(src, i)) dp_column_append_null(dst);
            else DP_TRY(append_cast(dst, src, i, err));
        }
        return DP_OK;
    }
    return DP_OK;
}

enum dp_status adapt_column(const struct adapt *a, struct dp_column *dst, const struct dp_type *physical, struct dp_column *src, struct dp_err *err) {
    const struct dp_type *t = dst->type, *f = src->type;
    if (t->id == DP_TYPE_NONE) {
        adapt_nulls(dst, src->length);
        return DP_OK;
    }
    if (t->id != DP_TYPE_STRUCT && t->id != DP_TYPE_LIST && t->id != DP_TYPE_MAP) return adapt_leaf(a, dst, src, err);
    if (f->id != t->id) return refuse(t, f, err);
    int64_t rows = src->length;
    swap_frame(dst, src, t->id != DP_TYPE_STRUCT);
    for (size_t i = 0; i < dst->n_children; i++) {
        int at = t->id == DP_TYPE_STRUCT ? adapt_find(a, f, physical->children[i]) : i < src->n_children ? (int)i : -1;
        if (at < 0) adapt_nulls(&dst->children[i], rows);
        else DP_TRY(adapt_column(a, &dst->children[i], physical->children[i], &src->children[at], err));
    }
    return DP_OK;
}
