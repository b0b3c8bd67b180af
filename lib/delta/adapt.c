/*
 * Columns of data files made into the table's (digest sections 7, 9 and 11): physical names or ids, fields that a file lacks, types that were widened.
 * The values are cast in dp/record/cast.h; here stands what a table may be read from.
 */
#include "adapt_priv.h"
#include <dp/record/cast.h>

bool adapt_same_name(const struct dp_type *a, const struct dp_type *b) {
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
        if (a->mapping == DP_DELTA_MAPPING_ID && field->field_id >= 0) { /* those of a change data file's own columns have none */
            if (c->field_id >= 0 && c->field_id == field->field_id) return (int)i;
            continue;
        }
        if (c->name_n == field->name_n && !memcmp(c->name, field->name, c->name_n)) return (int)i;
        if (a->mapping == DP_DELTA_MAPPING_NONE && loose < 0 && adapt_same_name(c, field)) loose = (int)i;
    }
    return loose;
}

static bool is_int(enum dp_type_id id) { return id >= DP_TYPE_INT8 && id <= DP_TYPE_INT64; }

/* May a file's leaf stand for the table's? */
static bool takes(const void *ctx, const struct dp_type *t, const struct dp_type *f) {
    const struct adapt *a = ctx;
    enum dp_type_id to = t->id, from = f->id;
    bool text = from == DP_TYPE_STRING || from == DP_TYPE_JSON || from == DP_TYPE_ENUM;
    switch (to) {
    case DP_TYPE_JSON: /* of dp_delta_schema_unfit */
    case DP_TYPE_STRING: return text || from == DP_TYPE_BINARY; /* BYTE_ARRAY without annotation */
    case DP_TYPE_BINARY: return text || from == DP_TYPE_BINARY || from == DP_TYPE_FIXED;
    case DP_TYPE_TIMESTAMP: return from == DP_TYPE_TIMESTAMP || (from == DP_TYPE_DATE && a->widening && !t->utc);
    case DP_TYPE_DECIMAL:
        if (from == DP_TYPE_DECIMAL && f->precision == t->precision && f->scale == t->scale) return true;
        return a->widening && (from == DP_TYPE_DECIMAL || is_int(from));
    case DP_TYPE_DOUBLE: return from == to || (a->widening && (from == DP_TYPE_FLOAT || is_int(from)));
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64:
        if (from == to || (from == DP_TYPE_INT32 && to < DP_TYPE_INT32)) return true; /* INT32 without annotation */
        return a->widening && is_int(from) && from < to;
    default: return from == to;
    }
}

static int find(const void *ctx, const struct dp_type *file, const struct dp_type *field) { return adapt_find(ctx, file, field); }

enum dp_status adapt_column(const struct adapt *a, struct dp_column *dst, const struct dp_type *physical, struct dp_column *src, struct dp_err *err) {
    const struct dp_cast_rules rules = {find, takes, a, DP_FORMAT};
    return dp_cast_column(&rules, dst, physical, src, err);
}

bool adapt_is_same(const struct adapt *a, const struct dp_type *table, const struct dp_type *physical, const struct dp_type *file) {
    if (table->id != file->id || table->n_children != file->n_children || table->nullable != file->nullable) return false;
    if (table->unit != file->unit || table->utc != file->utc || table->precision != file->precision || table->scale != file->scale || table->width != file->width) return false;
    for (size_t i = 0; i < table->n_children; i++) {
        if (table->id == DP_TYPE_STRUCT && adapt_find(a, file, physical->children[i]) != (int)i) return false;
        if (!adapt_is_same(a, table->children[i], physical->children[i], file->children[i])) return false;
    }
    return true;
}
