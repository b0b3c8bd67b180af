/*
 * Bounds of a leaf in a row group or a page, in the spelling of records, so that an expression can tell that no row matches (spec:
 * parquet.thrift, Statistics and ColumnOrder).  Says nothing where statistics may not be trusted: no or unknown column order, byte lengths
 * that do not fit the type, bounds that are the wrong way around, types whose spelling does not sort as their values do.
 */
#include "skip_priv.h"
#include <dp/base/decimal.h>
#include <dp/base/time.h>
#include <dp/parquet/reader.h>
#include <dp/record/json.h>

struct bounds {
    const struct dp_pq_element *e;
    struct dp_str min, max;
};

static int64_t load_int(const struct dp_pq_element *e, struct dp_str s) {
    int64_t v = 0;
    if (e->type == DP_PQ_INT64) {
        memcpy(&v, s.p, 8);
        return v;
    }
    int32_t w;
    memcpy(&w, s.p, 4);
    return w;
}

static void add_i64(struct dp_buf *b, int64_t v) {
    char text[20];
    dp_buf_add(b, text, dp_print_i64(text, v));
}

/* Does this leaf sort as the signed number that is stored, so that the deprecated bounds hold too? */
static bool is_signed_number(const struct dp_pq_element *e) {
    bool is_unsigned = (e->logical == DP_PQ_L_INTEGER && !e->is_signed) ||
                       (e->logical == DP_PQ_L_NONE && e->converted >= DP_PQ_C_UINT_8 && e->converted <= DP_PQ_C_UINT_64);
    return (e->type == DP_PQ_INT32 || e->type == DP_PQ_INT64 || e->type == DP_PQ_FLOAT || e->type == DP_PQ_DOUBLE) && !is_unsigned;
}

/* Picks min and max and checks their lengths. */
static bool pick(const struct dp_pq_meta *m, size_t leaf, const struct dp_pq_stats *s, struct bounds *b) {
    uint8_t order = m->column_orders ? m->column_orders[leaf] : DP_PQ_ORDER_NONE;
    if (s->has_min && s->has_max && (order == DP_PQ_ORDER_TYPE || order == DP_PQ_ORDER_IEEE754)) {
        b->min = s->min, b->max = s->max;
    } else if (s->has_old_min && s->has_old_max && is_signed_number(b->e)) {
        b->min = s->old_min, b->max = s->old_max;
    } else {
        return false;
    }
    size_t width = 0;
    if (b->e->type == DP_PQ_BOOLEAN) width = 1;
    if (b->e->type == DP_PQ_INT32 || b->e->type == DP_PQ_FLOAT) width = 4;
    if (b->e->type == DP_PQ_INT64 || b->e->type == DP_PQ_DOUBLE) width = 8;
    return !width || (b->min.n == width && b->max.n == width);
}

/* Seconds are the finest part that all spellings share: a lower bound without what follows them, an upper one with the largest that may follow. */
static bool spell_seconds(int64_t micros, bool utc, bool upper, struct dp_buf *out) {
    char text[40];
    int64_t s = micros / 1000000 - (micros % 1000000 < 0);
    if (s < INT64_C(-62167219200) || s > INT64_C(253402300799)) return false; /* years 0000 to 9999 sort as text */
    dp_buf_add(out, text, dp_time_print_micros(text, s * 1000000, false, 0));
    if (upper) dp_buf_addz(out, utc ? "Z" : ".999999999");
    return true;
}

static bool timestamp_bound(int64_t v, int32_t unit, bool utc, bool upper, struct dp_buf *out) {
    if (unit == DP_PQ_UNIT_MILLIS && dp_mul_overflow(v, 1000, &v)) return false;
    if (unit == DP_PQ_UNIT_NANOS) v = v / 1000 - (v % 1000 < 0);
    return spell_seconds(v, utc, upper, out);
}

static bool date_bound(int64_t v, struct dp_buf *out) {
    char text[40];
    if (v < -719528 || v > 2932896) return false;
    dp_buf_add(out, text, dp_date_print(text, (int32_t)v));
    return true;
}

static bool decimal_bound(const struct dp_pq_element *e, struct dp_str s, struct dp_buf *out) {
    char text[48];
    dp_i128 v = 0;
    if (e->precision < 1 || e->precision > 38 || e->scale < 0 || e->scale > e->precision) return false;
    if (e->type == DP_PQ_INT32 || e->type == DP_PQ_INT64) {
        v = load_int(e, s);
    } else {
        if (s.n == 0 || s.n > 16) return false;
        v = (int8_t)s.p[0];
        for (size_t i = 1; i < s.n; i++) v = v * 256 + (uint8_t)s.p[i];
    }
    dp_buf_add(out, text, dp_decimal_print(text, v, e->scale));
    return true;
}

static bool double_bound(const struct dp_pq_element *e, struct dp_str s, struct dp_buf *out) {
    char text[32];
    if (e->type == DP_PQ_FLOAT) {
        float f;
        memcpy(&f, s.p, 4);
        if (!(f - f == 0)) return false; /* NaN and infinities are strings in a record */
        dp_buf_add(out, text, dp_print_float(text, f));
    } else {
        double d;
        memcpy(&d, s.p, 8);
        if (!(d - d == 0)) return false;
        dp_buf_add(out, text, dp_print_double(text, d));
    }
    return true;
}

static bool integer_bound(const struct dp_pq_element *e, struct dp_str s, struct dp_buf *out) {
    int64_t v = load_int(e, s);
    if (is_signed_number(e)) {
        add_i64(out, v);
        return true;
    }
    char text[20];
    dp_buf_add(out, text, dp_print_u64(text, e->type == DP_PQ_INT32 ? (uint32_t)v : (uint64_t)v));
    return true;
}

static bool is_text(const struct dp_pq_element *e) {
    if (e->type != DP_PQ_BYTE_ARRAY) return false;
    return e->logical == DP_PQ_L_STRING || e->logical == DP_PQ_L_ENUM ||
           (e->logical == DP_PQ_L_NONE && (e->converted == DP_PQ_C_UTF8 || e->converted == DP_PQ_C_ENUM));
}

static bool bytes_bound(const struct dp_pq_element *e, struct dp_str s, struct dp_buf *out) {
    if (!is_text(e) || !dp_utf8_valid(s.p, s.n, NULL)) return false;
    dp_buf_adds(out, s);
    return true;
}

static bool is_annotated(const struct dp_pq_element *e, int32_t logical, int32_t converted) {
    return e->logical == logical || (e->logical == DP_PQ_L_NONE && e->converted == converted);
}

static int32_t time_unit(const struct dp_pq_element *e) {
    if (e->logical == DP_PQ_L_TIME) return e->unit;
    return is_annotated(e, DP_PQ_L_TIME, DP_PQ_C_TIME_MILLIS) ? DP_PQ_UNIT_MILLIS : is_annotated(e, DP_PQ_L_TIME, DP_PQ_C_TIME_MICROS) ? DP_PQ_UNIT_MICROS : 0;
}

/* As for timestamps, seconds. A time that wraps around the day has no bound. */
static bool time_bound(int64_t v, int32_t unit, bool upper, struct dp_buf *out) {
    char text[40];
    int64_t s = v / (unit == DP_PQ_UNIT_MILLIS ? 1000 : unit == DP_PQ_UNIT_MICROS ? 1000000 : 1000000000);
    if (v < 0 || s >= 86400) return false;
    dp_buf_add(out, text, dp_timeofday_print(text, s * 1000000000, 0));
    if (upper) dp_buf_addz(out, ".999999999");
    return true;
}

static bool fixed_bound(const struct dp_pq_element *e, struct dp_str s, struct dp_buf *out) {
    static const char digits[] = "0123456789abcdef";
    if (e->logical != DP_PQ_L_UUID || s.n != 16) return false;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) dp_buf_addc(out, '-');
        dp_buf_addc(out, digits[(uint8_t)s.p[i] >> 4]);
        dp_buf_addc(out, digits[(uint8_t)s.p[i] & 15]);
    }
    return true;
}

static bool one_bound(const struct dp_pq_element *e, struct dp_str s, bool upper, struct dp_buf *out) {
    if (e->logical > DP_PQ_L_FILE) return false;
    if (is_annotated(e, DP_PQ_L_DECIMAL, DP_PQ_C_DECIMAL)) return decimal_bound(e, s, out);
    switch (e->type) {
    case DP_PQ_INT32:
        if (is_annotated(e, DP_PQ_L_DATE, DP_PQ_C_DATE)) return date_bound(load_int(e, s), out);
        if (time_unit(e)) return time_bound(load_int(e, s), time_unit(e), upper, out);
        return e->logical == DP_PQ_L_TIME || e->logical == DP_PQ_L_UNKNOWN ? false : integer_bound(e, s, out);
    case DP_PQ_INT64:
        if (e->logical == DP_PQ_L_TIMESTAMP) return timestamp_bound(load_int(e, s), e->unit, e->utc, upper, out);
        if (is_annotated(e, DP_PQ_L_TIMESTAMP, DP_PQ_C_TIMESTAMP_MILLIS)) return timestamp_bound(load_int(e, s), DP_PQ_UNIT_MILLIS, true, upper, out);
        if (is_annotated(e, DP_PQ_L_TIMESTAMP, DP_PQ_C_TIMESTAMP_MICROS)) return timestamp_bound(load_int(e, s), DP_PQ_UNIT_MICROS, true, upper, out);
        if (time_unit(e)) return time_bound(load_int(e, s), time_unit(e), upper, out);
        return e->logical == DP_PQ_L_TIME || e->logical == DP_PQ_L_UNKNOWN ? false : integer_bound(e, s, out);
    case DP_PQ_FLOAT:
    case DP_PQ_DOUBLE:
        return double_bound(e, s, out);
    case DP_PQ_BYTE_ARRAY:
        return bytes_bound(e, s, out);
    case DP_PQ_BOOLEAN:
        dp_buf_addz(out, s.p[0] ? "true" : "false");
        return true;
    case DP_PQ_FLBA:
        return fixed_bound(e, s, out);
    case DP_PQ_INT96:
        return false;
    }
    return false;
}

static bool is_number(const struct dp_pq_element *e) {
    return is_annotated(e, DP_PQ_L_DECIMAL, DP_PQ_C_DECIMAL) || e->type == DP_PQ_FLOAT || e->type == DP_PQ_DOUBLE ||
           ((e->type == DP_PQ_INT32 || e->type == DP_PQ_INT64) && !time_unit(e) && !is_annotated(e, DP_PQ_L_DATE, DP_PQ_C_DATE) &&
            e->logical != DP_PQ_L_TIMESTAMP && !is_annotated(e, DP_PQ_L_TIMESTAMP, DP_PQ_C_TIMESTAMP_MILLIS) &&
            !is_annotated(e, DP_PQ_L_TIMESTAMP, DP_PQ_C_TIMESTAMP_MICROS));
}

enum dp_kind pq_spell_bounds(const struct dp_pq_meta *meta, size_t leaf, const struct dp_pq_stats *s, struct dp_buf *min, struct dp_buf *max, bool *may_nan) {
    struct bounds b = {.e = &meta->elements[meta->leaves[leaf]]};
    dp_buf_reset(min);
    dp_buf_reset(max);
    *may_nan = (b.e->type == DP_PQ_FLOAT || b.e->type == DP_PQ_DOUBLE) && s->nan_count != 0;
    if (b.e->max_rep || !pick(meta, leaf, s, &b) || !one_bound(b.e, b.min, false, min) || !one_bound(b.e, b.max, true, max)) return DP_KIND_NONE;
    struct dp_str lo = dp_buf_str(min), hi = dp_buf_str(max);
    bool number = is_number(b.e);
    if ((number ? dp_number_cmp(lo, hi) : dp_str_cmp(lo, hi)) > 0) return DP_KIND_NONE;
    return b.e->type == DP_PQ_BOOLEAN ? DP_KIND_FALSE : number ? DP_KIND_NUMBER : DP_KIND_STRING;
}

bool dp_pq_bounds(const struct dp_pq_meta *meta, size_t row_group, size_t leaf, struct dp_buf *min, struct dp_buf *max, int64_t *nulls) {
    const struct dp_pq_chunk *c = &meta->row_groups[row_group].chunks[leaf];
    const struct dp_pq_element *e = &meta->elements[meta->leaves[leaf]];
    bool may_nan;
    *nulls = e->max_rep ? -1 : e->max_def ? c->stats.null_count : 0;
    if (*nulls > c->num_values) *nulls = -1;
    return pq_spell_bounds(meta, leaf, &c->stats, min, max, &may_nan) != DP_KIND_NONE && !may_nan;
}

/* Microseconds of one stored value: days, or a timestamp in its unit. */
static bool micros_of(const struct dp_pq_element *e, struct dp_str s, bool upper, int64_t *out) {
    int64_t v = load_int(e, s);
    if (e->type == DP_PQ_INT32) return is_annotated(e, DP_PQ_L_DATE, DP_PQ_C_DATE) && !dp_mul_overflow(v, INT64_C(86400000000), out);
    int32_t unit = e->logical == DP_PQ_L_TIMESTAMP ? e->unit
                   : is_annotated(e, DP_PQ_L_TIMESTAMP, DP_PQ_C_TIMESTAMP_MILLIS) ? DP_PQ_UNIT_MILLIS
                   : is_annotated(e, DP_PQ_L_TIMESTAMP, DP_PQ_C_TIMESTAMP_MICROS) ? DP_PQ_UNIT_MICROS : 0;
    *out = v;
    if (unit == DP_PQ_UNIT_MILLIS) return !dp_mul_overflow(v, 1000, out);
    if (unit == DP_PQ_UNIT_NANOS) *out = v / 1000 - (v % 1000 < 0 && !upper) + (v % 1000 > 0 && upper);
    return unit == DP_PQ_UNIT_MICROS || unit == DP_PQ_UNIT_NANOS;
}

bool dp_pq_bounds_micros(const struct dp_pq_meta *meta, size_t row_group, size_t leaf, int64_t *min, int64_t *max) {
    const struct dp_pq_chunk *c = &meta->row_groups[row_group].chunks[leaf];
    struct bounds b = {.e = &meta->elements[meta->leaves[leaf]]};
    if (b.e->max_rep || (b.e->type != DP_PQ_INT32 && b.e->type != DP_PQ_INT64) || !pick(meta, leaf, &c->stats, &b)) return false;
    return micros_of(b.e, b.min, false, min) && micros_of(b.e, b.max, true, max) && *min <= *max;
}
