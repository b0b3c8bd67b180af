/*
 * Type widening (Delta protocol, "Type Widening"): values that a data file holds in a narrower type than the table has now.
 * Scalars at the top level; what is nested keeps the file's type, which prints the same but for floats and the scale of decimals.
 */
#include "typed_priv.h"

#include <dp/base/num.h>

static bool is_int(enum dp_type_id id) { return id >= DP_TYPE_INT8 && id <= DP_TYPE_INT64; }

bool dp_typed_widens(const struct dp_type *from, const struct dp_type *to) {
    if (is_int(from->id)) return (is_int(to->id) && to->id > from->id) || to->id == DP_TYPE_DOUBLE || to->id == DP_TYPE_DECIMAL;
    if (from->id == DP_TYPE_FLOAT) return to->id == DP_TYPE_DOUBLE;
    if (from->id == DP_TYPE_DECIMAL) return to->id == DP_TYPE_DECIMAL && (to->scale != from->scale || to->precision != from->precision) && to->scale >= from->scale;
    return from->id == DP_TYPE_DATE && to->id == DP_TYPE_TIMESTAMP && to->unit == DP_UNIT_MICROS;
}

static int64_t load_int(const struct dp_column *c, int64_t row) {
    switch (c->type->id) {
    case DP_TYPE_INT8: return ((const int8_t *)c->data)[row];
    case DP_TYPE_INT16: return ((const int16_t *)(const void *)c->data)[row];
    case DP_TYPE_INT32: case DP_TYPE_DATE: return ((const int32_t *)(const void *)c->data)[row];
    default: return ((const int64_t *)(const void *)c->data)[row];
    }
}

static double load_double(const struct dp_column *c, int64_t row) {
    return c->type->id == DP_TYPE_FLOAT ? (double)((const float *)(const void *)c->data)[row] : (double)load_int(c, row);
}

/* False: more than 128 bits. */
static bool load_decimal(const struct dp_column *c, int64_t row, int scale, dp_i128 *v) {
    int from = c->type->id == DP_TYPE_DECIMAL ? c->type->scale : 0;
    if (c->type->id == DP_TYPE_DECIMAL) memcpy(v, c->data + row * 16, 16);
    else *v = load_int(c, row);
    for (; from < scale; from++)
        if (dp_mul_overflow(*v, (dp_i128)10, v)) return false;
    return true;
}

enum dp_status dp_typed_widen(const struct dp_column *in, struct dp_column *out, struct dp_err *err) {
    const struct dp_type *to = out->type;
    for (int64_t row = 0; row < in->length; row++) {
        int64_t v;
        double d;
        dp_i128 wide;
        if (!dp_column_is_valid(in, row)) {
            dp_column_append_null(out);
        } else if (to->id == DP_TYPE_DOUBLE) {
            d = load_double(in, row);
            dp_column_append_fixed(out, &d, 1);
        } else if (to->id == DP_TYPE_DECIMAL) {
            if (!load_decimal(in, row, to->scale, &wide)) return dp_err_set(err, DP_FORMAT, "column %.200s: a value that its wider type can't hold", to->name);
            dp_column_append_fixed(out, &wide, 1);
        } else {
            v = load_int(in, row);
            if (to->id == DP_TYPE_TIMESTAMP && dp_mul_overflow(v, INT64_C(86400000000), &v))
                return dp_err_set(err, DP_FORMAT, "column %.200s: a date that its wider type can't hold", to->name);
            dp_column_append_fixed(out, &v, 1); /* little endian: the low bytes are the narrower integer */
        }
    }
    return DP_OK;
}
