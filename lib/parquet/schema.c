/*
 * Parquet schema <-> dp types (spec: Parquet LogicalTypes: logical and converted types, nested types with their legacy forms).
 * A logical annotation on a physical type that it does not allow is ignored, a legacy one is refused; VARIANT groups are JSON columns, FILE groups plain structs.
 */
#include "meta_priv.h"
#include "dec_priv.h"
#include "variant_priv.h"

#include <dp/base/limits.h>
#include <stdlib.h>

/* ---- reading ---- */

struct build {
    const struct dp_pq_meta *m;
    struct dp_arena *arena; /* of the nodes */
    struct dp_err *err;
};

static void as_time(struct dp_type *t, enum dp_type_id id, bool utc, int32_t unit) {
    t->id = id;
    t->utc = utc;
    t->unit = unit == DP_PQ_UNIT_MILLIS ? DP_UNIT_MILLIS : unit == DP_PQ_UNIT_NANOS ? DP_UNIT_NANOS : DP_UNIT_MICROS;
}

static void as_bare(const struct dp_pq_element *e, struct dp_type *t) {
    switch (e->type) {
    case DP_PQ_BOOLEAN: t->id = DP_TYPE_BOOLEAN; return;
    case DP_PQ_INT32: t->id = DP_TYPE_INT32; return;
    case DP_PQ_INT64: t->id = DP_TYPE_INT64; return;
    case DP_PQ_INT96: as_time(t, DP_TYPE_TIMESTAMP, true, DP_PQ_UNIT_MICROS); return; /* instants: so Spark, Hive since 3 and Delta have it */
    case DP_PQ_FLOAT: t->id = DP_TYPE_FLOAT; return;
    case DP_PQ_DOUBLE: t->id = DP_TYPE_DOUBLE; return;
    case DP_PQ_BYTE_ARRAY: t->id = DP_TYPE_BINARY; return;
    case DP_PQ_FLBA:
        t->id = DP_TYPE_FIXED;
        t->width = e->type_length;
        return;
    }
}

static void as_integer(const struct dp_pq_element *e, int bits, bool is_signed, struct dp_type *t) {
    static const enum dp_type_id ids[2][4] = {{DP_TYPE_UINT8, DP_TYPE_UINT16, DP_TYPE_UINT32, DP_TYPE_UINT64},
                                              {DP_TYPE_INT8, DP_TYPE_INT16, DP_TYPE_INT32, DP_TYPE_INT64}};
    int width = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : bits == 64 ? 3 : -1;
    if (width >= 0 && e->type == (width == 3 ? DP_PQ_INT64 : DP_PQ_INT32)) t->id = ids[is_signed][width];
}

static enum dp_status as_decimal(const struct build *c, const struct dp_pq_element *e, struct dp_type *t) {
    if (e->type != DP_PQ_INT32 && e->type != DP_PQ_INT64 && e->type != DP_PQ_BYTE_ARRAY && e->type != DP_PQ_FLBA) return DP_OK;
    if (e->precision < 1 || e->scale < 0 || e->scale > e->precision) return DP_OK;
    if (e->precision > 38 && (e->type == DP_PQ_BYTE_ARRAY || e->type == DP_PQ_FLBA)) { /* no type of ours holds them: JSON numbers */
        if (e->precision > DP_PQ_WIDE_DIGITS || (e->type == DP_PQ_FLBA && e->type_length > DP_PQ_WIDE_BYTES))
            return dp_err_set(c->err, DP_UNSUPPORTED, "column %.*s: decimals of more than %d digits (%d) are not supported", DP_STR_FMT(e->name), DP_PQ_WIDE_DIGITS,
                              e->precision);
        t->id = DP_TYPE_JSON;
        return DP_OK;
    }
    if (e->precision > 38) return DP_OK;
    t->id = DP_TYPE_DECIMAL;
    t->precision = e->precision;
    t->scale = e->scale;
    return DP_OK;
}

static bool time_fits(const struct dp_pq_element *e, int32_t unit) {
    return e->type == (unit == DP_PQ_UNIT_MILLIS ? DP_PQ_INT32 : DP_PQ_INT64);
}

/* What a legacy annotation may stand on; an old file where it does not is damaged, and no other reader takes it. */
static bool converted_fits(const struct dp_pq_element *e) {
    bool bytes = e->type == DP_PQ_BYTE_ARRAY || e->type == DP_PQ_FLBA;
    switch (e->converted) {
    case DP_PQ_C_UTF8: case DP_PQ_C_ENUM: case DP_PQ_C_JSON: case DP_PQ_C_BSON: return bytes;
    case DP_PQ_C_DECIMAL: return bytes || e->type == DP_PQ_INT32 || e->type == DP_PQ_INT64;
    case DP_PQ_C_DATE: case DP_PQ_C_TIME_MILLIS: case DP_PQ_C_UINT_8: case DP_PQ_C_UINT_16: case DP_PQ_C_UINT_32: case DP_PQ_C_INT_8: case DP_PQ_C_INT_16:
    case DP_PQ_C_INT_32: return e->type == DP_PQ_INT32;
    case DP_PQ_C_TIME_MICROS: case DP_PQ_C_UINT_64: case DP_PQ_C_INT_64: return e->type == DP_PQ_INT64;
    case DP_PQ_C_TIMESTAMP_MILLIS: case DP_PQ_C_TIMESTAMP_MICROS: return e->type == DP_PQ_INT64 || e->type == DP_PQ_INT96;
    case DP_PQ_C_INTERVAL: return e->type == DP_PQ_FLBA && e->type_length == 12;
    default: return true;
    }
}

static enum dp_status from_converted(const struct build *c, const struct dp_pq_element *e, struct dp_type *t) {
    bool bytes = e->type == DP_PQ_BYTE_ARRAY;
    if (!converted_fits(e))
        return dp_err_set(c->err, DP_FORMAT, "column %.*s: annotation %d does not fit type %s", DP_STR_FMT(e->name), e->converted, dp_pq_type_name(e->type));
    switch (e->converted) {
    case DP_PQ_C_UTF8: if (bytes) t->id = DP_TYPE_STRING; break;
    case DP_PQ_C_ENUM: if (bytes) t->id = DP_TYPE_ENUM; break;
    case DP_PQ_C_JSON: if (bytes) t->id = DP_TYPE_JSON; break;
    case DP_PQ_C_DECIMAL: return as_decimal(c, e, t);
    case DP_PQ_C_DATE: t->id = DP_TYPE_DATE; break;
    case DP_PQ_C_TIME_MILLIS: as_time(t, DP_TYPE_TIME, true, DP_PQ_UNIT_MILLIS); break;
    case DP_PQ_C_TIME_MICROS: as_time(t, DP_TYPE_TIME, true, DP_PQ_UNIT_MICROS); break;
    case DP_PQ_C_TIMESTAMP_MILLIS: if (e->type == DP_PQ_INT64) as_time(t, DP_TYPE_TIMESTAMP, true, DP_PQ_UNIT_MILLIS); break;
    case DP_PQ_C_TIMESTAMP_MICROS: if (e->type == DP_PQ_INT64) as_time(t, DP_TYPE_TIMESTAMP, true, DP_PQ_UNIT_MICROS); break;
    case DP_PQ_C_UINT_8: as_integer(e, 8, false, t); break;
    case DP_PQ_C_UINT_16: as_integer(e, 16, false, t); break;
    case DP_PQ_C_UINT_32: as_integer(e, 32, false, t); break;
    case DP_PQ_C_UINT_64: as_integer(e, 64, false, t); break;
    case DP_PQ_C_INT_8: as_integer(e, 8, true, t); break;
    case DP_PQ_C_INT_16: as_integer(e, 16, true, t); break;
    case DP_PQ_C_INT_32: as_integer(e, 32, true, t); break;
    case DP_PQ_C_INT_64: as_integer(e, 64, true, t); break;
    case DP_PQ_C_INTERVAL: t->id = DP_TYPE_INTERVAL; break;
    default: break;
    }
    return DP_OK;
}

static enum dp_status leaf_type(const struct build *c, const struct dp_pq_element *e, struct dp_type *t) {
    bool bytes = e->type == DP_PQ_BYTE_ARRAY;
    as_bare(e, t);
    switch (e->logical) {
    case DP_PQ_L_NONE: return from_converted(c, e, t);
    case DP_PQ_L_STRING: if (bytes) t->id = DP_TYPE_STRING; break;
    case DP_PQ_L_ENUM: if (bytes) t->id = DP_TYPE_ENUM; break;
    case DP_PQ_L_JSON: if (bytes) t->id = DP_TYPE_JSON; break;
    case DP_PQ_L_DECIMAL: return as_decimal(c, e, t);
    case DP_PQ_L_DATE: if (e->type == DP_PQ_INT32) t->id = DP_TYPE_DATE; break;
    case DP_PQ_L_TIME:
    case DP_PQ_L_TIMESTAMP:
        if (e->unit == 0) return dp_err_set(c->err, DP_UNSUPPORTED, "column %.*s: a time unit that is not known", DP_STR_FMT(e->name));
        if (e->logical == DP_PQ_L_TIME && time_fits(e, e->unit)) as_time(t, DP_TYPE_TIME, e->utc, e->unit);
        if (e->logical == DP_PQ_L_TIMESTAMP && e->type == DP_PQ_INT64) as_time(t, DP_TYPE_TIMESTAMP, e->utc, e->unit);
        break;
    case DP_PQ_L_INTERVAL: if (e->type == DP_PQ_FLBA && e->type_length == 12) t->id = DP_TYPE_INTERVAL; break;
    case DP_PQ_L_INTEGER: as_integer(e, e->bit_width, e->is_signed, t); break;
    case DP_PQ_L_UNKNOWN: t->id = DP_TYPE_NONE; break;
    case DP_PQ_L_UUID: if (e->type == DP_PQ_FLBA && e->type_length == 16) t->id = DP_TYPE_UUID; break;
    case DP_PQ_L_FLOAT16: if (e->type == DP_PQ_FLBA && e->type_length == 2) t->id = DP_TYPE_FLOAT16; break;
    default: break; /* BSON, GEOMETRY, GEOGRAPHY and members that are not known: bytes */
    }
    return DP_OK;
}

/* Element behind the subtree of i. */
static int32_t behind(const struct dp_pq_meta *m, int32_t i) {
    int64_t left = 1;
    for (; left > 0; i++) left += m->elements[i].n_children - 1;
    return i;
}

static struct dp_type *new_type(const struct dp_pq_element *e, const char *name) {
    struct dp_type *t = dp_type_new(DP_TYPE_NONE, name ? dp_str_z(name) : e->name);
    t->nullable = e->repetition == DP_PQ_OPTIONAL;
    t->field_id = e->field_id;
    return t;
}

/* A node whose value is present from the element's own level. */
static struct dp_pq_node node_at(const struct dp_pq_element *e, int32_t i) {
    return (struct dp_pq_node){.element = i, .leaf = e->leaf, .def = e->max_def, .rep = e->max_rep};
}

static enum dp_status build_value(const struct build *c, int32_t i, struct dp_type *t, struct dp_pq_node *node);

/* The field at i with its own repetition: a repeated one is a list of itself. */
static enum dp_status build_field(const struct build *c, int32_t i, const char *name, struct dp_type *parent, struct dp_pq_node *node) {
    const struct dp_pq_element *e = &c->m->elements[i];
    struct dp_type *t = new_type(e, name);
    dp_type_add(parent, t);
    *node = node_at(e, i);
    if (e->repetition != DP_PQ_REPEATED) return build_value(c, i, t, node);
    t->id = DP_TYPE_LIST;
    node->type = t;
    node->leaf = -1;
    node->def = (int16_t)(e->max_def - 1), node->rep = (int16_t)(e->max_rep - 1);
    node->entry_def = e->max_def, node->entry_rep = e->max_rep;
    node->n_children = 1;
    node->children = dp_arena_calloc(c->arena, 1, sizeof *node->children);
    struct dp_type *element = dp_type_new(DP_TYPE_NONE, DP_STR("element"));
    element->nullable = false;
    dp_type_add(t, element);
    node->children[0] = node_at(e, i);
    return build_value(c, i, element, &node->children[0]);
}

static enum dp_status build_struct(const struct build *c, int32_t i, struct dp_type *t, struct dp_pq_node *node) {
    const struct dp_pq_element *e = &c->m->elements[i];
    t->id = DP_TYPE_STRUCT;
    node->n_children = (size_t)e->n_children;
    node->children = dp_arena_calloc(c->arena, node->n_children + 1, sizeof *node->children);
    if (e->n_children == 0 && i > 0) return dp_err_set(c->err, DP_UNSUPPORTED, "column %.*s: a group without fields", DP_STR_FMT(e->name));
    int32_t at = i + 1;
    for (int32_t k = 0; k < e->n_children; k++, at = behind(c->m, at)) DP_TRY(build_field(c, at, NULL, t, &node->children[k]));
    return DP_OK;
}

/* Is the repeated child itself the element (the older forms), or does it only hold it? */
static bool repeated_is_element(const struct dp_pq_meta *m, int32_t list, int32_t r) {
    const struct dp_pq_element *e = &m->elements[r];
    if (!e->is_group || e->n_children != 1) return true;
    if (m->elements[r + 1].repetition == DP_PQ_REPEATED) return true;
    if (dp_str_eqz(e->name, "array")) return true;
    struct dp_str name = m->elements[list].name;
    return e->name.n == name.n + 6 && memcmp(e->name.p + name.n, "_tuple", 6) == 0 && (name.n == 0 || memcmp(e->name.p, name.p, name.n) == 0);
}

static enum dp_status build_list(const struct build *c, int32_t i, struct dp_type *t, struct dp_pq_node *node) {
    int32_t r = i + 1;
    const struct dp_pq_element *e = &c->m->elements[r];
    t->id = DP_TYPE_LIST;
    node->entry_def = e->max_def, node->entry_rep = e->max_rep;
    node->n_children = 1;
    node->children = dp_arena_calloc(c->arena, 1, sizeof *node->children);
    if (!repeated_is_element(c->m, i, r)) return build_field(c, r + 1, "element", t, &node->children[0]);
    struct dp_type *element = new_type(e, "element");
    dp_type_add(t, element);
    node->children[0] = node_at(e, r);
    return build_value(c, r, element, &node->children[0]);
}

static enum dp_status build_map(const struct build *c, int32_t i, struct dp_type *t, struct dp_pq_node *node) {
    int32_t r = i + 1, key = r + 1;
    const struct dp_pq_element *e = &c->m->elements[r];
    t->id = DP_TYPE_MAP;
    node->entry_def = e->max_def, node->entry_rep = e->max_rep;
    node->n_children = 2;
    node->children = dp_arena_calloc(c->arena, 2, sizeof *node->children);
    DP_TRY(build_field(c, key, "key", t, &node->children[0]));
    t->children[0]->nullable = false;
    if (e->n_children == 2) return build_field(c, behind(c->m, key), "value", t, &node->children[1]);
    struct dp_type *none = dp_type_new(DP_TYPE_NONE, DP_STR("value"));
    dp_type_add(t, none);
    node->children[1] = (struct dp_pq_node){.type = none, .element = -1, .leaf = -1, .def = (int16_t)(e->max_def + 1), .rep = e->max_rep};
    return DP_OK;
}

static bool is_list(const struct dp_pq_meta *m, int32_t i) {
    const struct dp_pq_element *e = &m->elements[i];
    if (e->logical != DP_PQ_L_LIST && !(e->logical == DP_PQ_L_NONE && e->converted == DP_PQ_C_LIST)) return false;
    return e->n_children == 1 && m->elements[i + 1].repetition == DP_PQ_REPEATED;
}

static bool is_map(const struct dp_pq_meta *m, int32_t i) {
    const struct dp_pq_element *e = &m->elements[i];
    if (e->logical != DP_PQ_L_MAP && !(e->logical == DP_PQ_L_NONE && (e->converted == DP_PQ_C_MAP || e->converted == DP_PQ_C_MAP_KEY_VALUE)))
        return false;
    if (e->n_children != 1) return false;
    const struct dp_pq_element *r = e + 1;
    if (!r->is_group || r->repetition != DP_PQ_REPEATED || r->n_children < 1 || r->n_children > 2) return false;
    return r[1].repetition != DP_PQ_REPEATED;
}

/* JSON to the outside; what the group is made of is read as a struct of its own (variant_column.c). */
static enum dp_status build_variant(const struct build *c, int32_t i, struct dp_type *t, struct dp_pq_node *node) {
    const struct dp_pq_element *e = &c->m->elements[i];
    t->id = DP_TYPE_JSON;
    node->leaf = -1;
    node->n_children = 1;
    node->children = dp_arena_calloc(c->arena, 1, sizeof *node->children);
    node->raw = new_type(e, NULL);
    node->children[0] = node_at(e, i);
    node->children[0].type = node->raw;
    return build_struct(c, i, node->raw, &node->children[0]);
}

/* The type of element i, whatever its repetition. */
static enum dp_status build_value(const struct build *c, int32_t i, struct dp_type *t, struct dp_pq_node *node) {
    const struct dp_pq_element *e = &c->m->elements[i];
    node->type = t;
    if (!e->is_group) return leaf_type(c, e, t);
    if (i > 0 && is_list(c->m, i)) return build_list(c, i, t, node);
    if (i > 0 && is_map(c->m, i)) return build_map(c, i, t, node);
    if (i > 0 && e->logical == DP_PQ_L_VARIANT && dp_variant_fits(c->m, i)) return build_variant(c, i, t, node);
    return build_struct(c, i, t, node);
}

void dp_pq_unmap(struct dp_pq_node *root) {
    if (!root) return;
    dp_type_free(root->raw);
    root->raw = NULL;
    for (size_t i = 0; i < root->n_children; i++) dp_pq_unmap(&root->children[i]);
}

enum dp_status dp_pq_map(const struct dp_pq_meta *meta, struct dp_arena *a, struct dp_type **schema, struct dp_pq_node **root, struct dp_err *err) {
    struct build c = {.m = meta, .arena = a, .err = err};
    struct dp_type *t = dp_type_new(DP_TYPE_NONE, DP_STR(""));
    struct dp_pq_node *node = dp_arena_calloc(a, 1, sizeof *node);
    t->nullable = false;
    node->leaf = -1;
    enum dp_status status = build_value(&c, 0, t, node);
    if (status != DP_OK) {
        dp_pq_unmap(node);
        dp_type_free(t);
        return status;
    }
    *schema = t;
    *root = node;
    return DP_OK;
}

enum dp_status dp_pq_to_schema(const struct dp_pq_meta *meta, struct dp_type **schema, struct dp_err *err) {
    struct dp_arena arena = {0};
    struct dp_pq_node *root = NULL;
    enum dp_status status = dp_pq_map(meta, &arena, schema, &root, err);
    dp_pq_unmap(root);
    dp_arena_release(&arena);
    return status;
}

/* ---- writing ---- */

struct emit {
    struct dp_pq_meta *m;
    size_t cap;
    struct dp_pq_element *elements;
    size_t n;
};

static struct dp_pq_element *emit(struct emit *c, struct dp_str name, bool is_group, enum dp_pq_repetition repetition) {
    c->elements = dp_grow(c->elements, &c->cap, c->n + 1, sizeof *c->elements);
    struct dp_pq_element *e = &c->elements[c->n++];
    *e = (struct dp_pq_element){.is_group = is_group, .repetition = repetition, .converted = -1, .field_id = -1, .leaf = -1, .parent = -1};
    e->name = dp_arena_str(&c->m->arena, name);
    return e;
}

static void annotate(struct dp_pq_element *e, enum dp_pq_type type, int32_t logical, int32_t converted) {
    e->type = type;
    e->logical = logical;
    e->converted = converted;
}

static void annotate_integer(struct dp_pq_element *e, int bits, bool is_signed, int32_t converted) {
    annotate(e, bits == 64 ? DP_PQ_INT64 : DP_PQ_INT32, DP_PQ_L_INTEGER, converted);
    e->bit_width = bits;
    e->is_signed = is_signed;
}

static void annotate_bytes(struct dp_pq_element *e, int width, int32_t logical, int32_t converted) {
    annotate(e, width ? DP_PQ_FLBA : DP_PQ_BYTE_ARRAY, logical, converted);
    e->type_length = width;
}

/* Least bytes that hold any unscaled value of so many digits in two's complement. */
static int32_t decimal_bytes(int precision) {
    static const uint8_t bytes[39] = {1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10, 10, 11, 11, 11, 12, 12, 13, 13, 13,
                                      14, 14, 15, 15, 16, 16, 16};
    return bytes[precision];
}

static void annotate_decimal(struct dp_pq_element *e, const struct dp_type *t) {
    enum dp_pq_type type = t->precision <= 9 ? DP_PQ_INT32 : t->precision <= 18 ? DP_PQ_INT64 : DP_PQ_FLBA;
    annotate(e, type, DP_PQ_L_DECIMAL, DP_PQ_C_DECIMAL);
    e->precision = t->precision;
    e->scale = t->scale;
    if (type == DP_PQ_FLBA) e->type_length = decimal_bytes(t->precision);
}

static void annotate_time(struct dp_pq_element *e, const struct dp_type *t) {
    bool is_time = t->id == DP_TYPE_TIME;
    e->unit = t->unit == DP_UNIT_MILLIS ? DP_PQ_UNIT_MILLIS : t->unit == DP_UNIT_NANOS ? DP_PQ_UNIT_NANOS : DP_PQ_UNIT_MICROS;
    e->utc = t->utc;
    int32_t converted = -1;
    if (e->unit == DP_PQ_UNIT_MILLIS) converted = is_time ? DP_PQ_C_TIME_MILLIS : DP_PQ_C_TIMESTAMP_MILLIS;
    if (e->unit == DP_PQ_UNIT_MICROS) converted = is_time ? DP_PQ_C_TIME_MICROS : DP_PQ_C_TIMESTAMP_MICROS;
    annotate(e, is_time && e->unit == DP_PQ_UNIT_MILLIS ? DP_PQ_INT32 : DP_PQ_INT64, is_time ? DP_PQ_L_TIME : DP_PQ_L_TIMESTAMP, converted);
}

static void annotate_leaf(struct dp_pq_element *e, const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_NONE: annotate(e, DP_PQ_INT32, DP_PQ_L_UNKNOWN, -1); return;
    case DP_TYPE_BOOLEAN: annotate(e, DP_PQ_BOOLEAN, 0, -1); return;
    case DP_TYPE_INT8: annotate_integer(e, 8, true, DP_PQ_C_INT_8); return;
    case DP_TYPE_INT16: annotate_integer(e, 16, true, DP_PQ_C_INT_16); return;
    case DP_TYPE_INT32: annotate(e, DP_PQ_INT32, 0, -1); return;
    case DP_TYPE_INT64: annotate(e, DP_PQ_INT64, 0, -1); return;
    case DP_TYPE_UINT8: annotate_integer(e, 8, false, DP_PQ_C_UINT_8); return;
    case DP_TYPE_UINT16: annotate_integer(e, 16, false, DP_PQ_C_UINT_16); return;
    case DP_TYPE_UINT32: annotate_integer(e, 32, false, DP_PQ_C_UINT_32); return;
    case DP_TYPE_UINT64: annotate_integer(e, 64, false, DP_PQ_C_UINT_64); return;
    case DP_TYPE_FLOAT16: annotate_bytes(e, 2, DP_PQ_L_FLOAT16, -1); return;
    case DP_TYPE_FLOAT: annotate(e, DP_PQ_FLOAT, 0, -1); return;
    case DP_TYPE_DOUBLE: annotate(e, DP_PQ_DOUBLE, 0, -1); return;
    case DP_TYPE_DECIMAL: annotate_decimal(e, t); return;
    case DP_TYPE_STRING: annotate_bytes(e, 0, DP_PQ_L_STRING, DP_PQ_C_UTF8); return;
    case DP_TYPE_JSON: annotate_bytes(e, 0, DP_PQ_L_JSON, DP_PQ_C_JSON); return;
    case DP_TYPE_ENUM: annotate_bytes(e, 0, DP_PQ_L_ENUM, DP_PQ_C_ENUM); return;
    case DP_TYPE_BINARY: annotate_bytes(e, 0, 0, -1); return;
    case DP_TYPE_FIXED: annotate_bytes(e, t->width, 0, -1); return;
    case DP_TYPE_UUID: annotate_bytes(e, 16, DP_PQ_L_UUID, -1); return;
    case DP_TYPE_DATE: annotate(e, DP_PQ_INT32, DP_PQ_L_DATE, DP_PQ_C_DATE); return;
    case DP_TYPE_TIME:
    case DP_TYPE_TIMESTAMP: annotate_time(e, t); return;
    case DP_TYPE_INTERVAL: annotate_bytes(e, 12, 0, DP_PQ_C_INTERVAL); return;
    case DP_TYPE_LIST:
    case DP_TYPE_STRUCT:
    case DP_TYPE_MAP: return;
    }
}

static enum dp_status emit_field(struct emit *c, const struct dp_type *t, const char *name, bool required, unsigned depth, struct dp_err *err);

/* The one repeated group of a LIST or MAP. */
static void emit_repeated(struct emit *c, struct dp_pq_element *e, int32_t logical, int32_t converted, struct dp_str name, int32_t n) {
    e->n_children = 1;
    e->logical = logical;
    e->converted = converted;
    emit(c, name, true, DP_PQ_REPEATED)->n_children = n; /* may move e */
}

static enum dp_status emit_field(struct emit *c, const struct dp_type *t, const char *name, bool required, unsigned depth, struct dp_err *err) {
    bool group = t->id == DP_TYPE_STRUCT || t->id == DP_TYPE_LIST || t->id == DP_TYPE_MAP;
    struct dp_str text = name ? dp_str_z(name) : dp_str(t->name, t->name_n);
    if (depth + 3 > DP_LIMIT_SCHEMA_DEPTH)
        return dp_err_set(err, DP_LIMIT, "column %.*s: nested deeper than %u", DP_STR_FMT(text), DP_LIMIT_SCHEMA_DEPTH);
    struct dp_pq_element *e = emit(c, text, group, required || !t->nullable ? DP_PQ_REQUIRED : DP_PQ_OPTIONAL);
    e->field_id = t->field_id;
    if (!group) {
        if (t->id == DP_TYPE_NONE) e->repetition = DP_PQ_OPTIONAL;
        annotate_leaf(e, t);
        return DP_OK;
    }
    if (t->id == DP_TYPE_LIST) {
        emit_repeated(c, e, DP_PQ_L_LIST, DP_PQ_C_LIST, DP_STR("list"), 1);
        return emit_field(c, t->children[0], "element", false, depth + 2, err);
    }
    if (t->id == DP_TYPE_MAP) {
        emit_repeated(c, e, DP_PQ_L_MAP, DP_PQ_C_MAP, DP_STR("key_value"), 2);
        DP_TRY(emit_field(c, t->children[0], "key", true, depth + 2, err));
        return emit_field(c, t->children[1], "value", false, depth + 2, err);
    }
    if (t->n_children == 0)
        return dp_err_set(err, DP_UNSUPPORTED, "column %.*s: Parquet has no way to write a struct without fields", DP_STR_FMT(text));
    e->n_children = (int32_t)t->n_children;
    for (size_t i = 0; i < t->n_children; i++) DP_TRY(emit_field(c, t->children[i], NULL, false, depth + 1, err));
    return DP_OK;
}

enum dp_status dp_pq_from_schema(const struct dp_type *schema, struct dp_pq_meta *meta, struct dp_err *err) {
    struct emit c = {.m = meta};
    enum dp_status status = DP_OK;
    struct dp_pq_element *root = emit(&c, DP_STR("schema"), true, DP_PQ_REQUIRED);
    root->n_children = (int32_t)schema->n_children;
    for (size_t i = 0; i < schema->n_children; i++) DP_TRY_OUT(emit_field(&c, schema->children[i], NULL, false, 1, err));
    meta->elements = dp_arena_calloc(&meta->arena, c.n, sizeof *c.elements);
    memcpy(meta->elements, c.elements, c.n * sizeof *c.elements);
    meta->n_elements = c.n;
    DP_TRY_OUT(dp_pq_derive(meta, err));
    meta->column_orders = dp_arena_calloc(&meta->arena, meta->n_leaves + 1, 1);
    memset(meta->column_orders, DP_PQ_ORDER_TYPE, meta->n_leaves);
out:
    free(c.elements);
    return status;
}
