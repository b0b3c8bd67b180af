/*
 * Types and schemas: building, copying, comparing, and the type that holds two others.
 * The text form (decimal(12,2), list<int64>) is in type_text.c, the JSON form of a stream's header in type_json.c.
 */
#include <dp/record/type.h>

#include <stdlib.h>

struct dp_type *dp_type_new(enum dp_type_id id, struct dp_str name) {
    struct dp_type *t = dp_calloc(1, sizeof *t);
    t->name = dp_strndup(name.p ? name.p : "", name.n);
    t->name_n = name.n;
    t->id = id;
    t->nullable = true;
    t->field_id = -1;
    return t;
}

struct dp_type *dp_type_copy(const struct dp_type *t) {
    struct dp_type *c = dp_calloc(1, sizeof *c);
    *c = *t;
    c->name = dp_strndup(t->name, t->name_n);
    c->metadata = t->metadata ? dp_strdup(t->metadata) : NULL;
    c->children = NULL;
    size_t room = 1; /* as dp_type_add counts on */
    while (room < t->n_children) room *= 2;
    if (t->n_children) c->children = dp_realloc_array(NULL, room, sizeof *c->children);
    for (size_t i = 0; i < t->n_children; i++) c->children[i] = dp_type_copy(t->children[i]);
    return c;
}

void dp_type_free(struct dp_type *t) {
    if (!t) return;
    for (size_t i = 0; i < t->n_children; i++) dp_type_free(t->children[i]);
    free(t->children);
    free(t->metadata);
    free(t->name);
    free(t);
}

/* Room is made at every power of two, so no capacity has to be kept. */
void dp_type_add(struct dp_type *parent, struct dp_type *child) {
    size_t n = parent->n_children;
    if ((n & (n - 1)) == 0)
        parent->children = dp_realloc_array(parent->children, n ? n * 2 : 1, sizeof *parent->children);
    parent->children[parent->n_children++] = child;
}

struct dp_type *dp_type_child(const struct dp_type *t, struct dp_str name) {
    for (size_t i = 0; i < t->n_children; i++) {
        struct dp_type *c = t->children[i];
        if (c->name_n == name.n && (name.n == 0 || memcmp(c->name, name.p, name.n) == 0)) return c;
    }
    return NULL;
}

const char *dp_type_nearest(const struct dp_type *t, struct dp_str name) {
    const char **words = dp_calloc(t->n_children + 1, sizeof *words);
    char *z = dp_strndup(name.p, name.n);
    for (size_t i = 0; i < t->n_children; i++) words[i] = t->children[i]->name;
    const char *near = dp_str_nearest(z, words);
    free(z);
    free(words);
    return near;
}

enum dp_status dp_type_no_child(const struct dp_type *schema, const char *option, const char *table, struct dp_str name, struct dp_err *err) {
    const char *near = dp_type_nearest(schema, name);
    return dp_err_set(err, DP_USAGE, "%s: %s has no column %.*s%s%s%s", option, table, DP_STR_FMT(name), near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

bool dp_type_is_complete(const struct dp_type *schema) {
    for (size_t i = 0; i < schema->n_children; i++)
        if (schema->children[i]->id == DP_TYPE_NONE) return false;
    return true;
}

struct dp_type *dp_type_fill(const struct dp_type *schema, const struct dp_type *other) {
    struct dp_type *t = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    t->nullable = false;
    for (size_t i = 0; i < schema->n_children; i++) {
        const struct dp_type *c = schema->children[i];
        if (c->id == DP_TYPE_NONE) c = dp_type_child(other, dp_str(c->name, c->name_n));
        if (c) dp_type_add(t, dp_type_copy(c));
    }
    for (size_t i = 0; i < other->n_children; i++) {
        const struct dp_type *c = other->children[i];
        if (!dp_type_child(schema, dp_str(c->name, c->name_n))) dp_type_add(t, dp_type_copy(c));
    }
    return t;
}

static bool same_parameters(const struct dp_type *a, const struct dp_type *b) {
    if (a->id != b->id) return false;
    switch (a->id) {
    case DP_TYPE_DECIMAL: return a->precision == b->precision && a->scale == b->scale;
    case DP_TYPE_FIXED: return a->width == b->width;
    case DP_TYPE_TIME:
    case DP_TYPE_TIMESTAMP: return a->unit == b->unit && a->utc == b->utc;
    case DP_TYPE_NONE:
    case DP_TYPE_BOOLEAN:
    case DP_TYPE_INT8:
    case DP_TYPE_INT16:
    case DP_TYPE_INT32:
    case DP_TYPE_INT64:
    case DP_TYPE_UINT8:
    case DP_TYPE_UINT16:
    case DP_TYPE_UINT32:
    case DP_TYPE_UINT64:
    case DP_TYPE_FLOAT16:
    case DP_TYPE_FLOAT:
    case DP_TYPE_DOUBLE:
    case DP_TYPE_STRING:
    case DP_TYPE_JSON:
    case DP_TYPE_ENUM:
    case DP_TYPE_BINARY:
    case DP_TYPE_UUID:
    case DP_TYPE_DATE:
    case DP_TYPE_INTERVAL:
    case DP_TYPE_LIST:
    case DP_TYPE_STRUCT:
    case DP_TYPE_MAP: break;
    }
    return true;
}

bool dp_type_equal(const struct dp_type *a, const struct dp_type *b) {
    if (!same_parameters(a, b) || a->nullable != b->nullable || a->n_children != b->n_children) return false;
    if (!dp_str_eq(dp_str(a->name, a->name_n), dp_str(b->name, b->name_n))) return false;
    for (size_t i = 0; i < a->n_children; i++)
        if (!dp_type_equal(a->children[i], b->children[i])) return false;
    return true;
}

size_t dp_type_leaves(const struct dp_type *t) {
    if (!dp_type_is_nested(t)) return 1;
    size_t n = 0;
    for (size_t i = 0; i < t->n_children; i++) n += dp_type_leaves(t->children[i]);
    return n;
}

bool dp_type_is_nested(const struct dp_type *t) {
    return t->id == DP_TYPE_LIST || t->id == DP_TYPE_STRUCT || t->id == DP_TYPE_MAP;
}

size_t dp_type_width(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_INT8:
    case DP_TYPE_UINT8: return 1;
    case DP_TYPE_INT16:
    case DP_TYPE_UINT16:
    case DP_TYPE_FLOAT16: return 2;
    case DP_TYPE_INT32:
    case DP_TYPE_UINT32:
    case DP_TYPE_FLOAT:
    case DP_TYPE_DATE: return 4;
    case DP_TYPE_INT64:
    case DP_TYPE_UINT64:
    case DP_TYPE_DOUBLE:
    case DP_TYPE_TIME:
    case DP_TYPE_TIMESTAMP: return 8;
    case DP_TYPE_INTERVAL: return 12;
    case DP_TYPE_DECIMAL:
    case DP_TYPE_UUID: return 16;
    case DP_TYPE_FIXED: return (size_t)t->width;
    case DP_TYPE_NONE:
    case DP_TYPE_BOOLEAN:
    case DP_TYPE_STRING:
    case DP_TYPE_JSON:
    case DP_TYPE_ENUM:
    case DP_TYPE_BINARY:
    case DP_TYPE_LIST:
    case DP_TYPE_STRUCT:
    case DP_TYPE_MAP: break;
    }
    return 0;
}

bool dp_type_is_bytes(const struct dp_type *t) {
    return t->id == DP_TYPE_STRING || t->id == DP_TYPE_JSON || t->id == DP_TYPE_ENUM || t->id == DP_TYPE_BINARY;
}

bool dp_type_is_integer(const struct dp_type *t) { return t->id >= DP_TYPE_INT8 && t->id <= DP_TYPE_UINT64; }

/* ---- the type that holds two others ---- */

static struct dp_type *like(const struct dp_type *a, const struct dp_type *b, enum dp_type_id id) {
    struct dp_type *t = dp_type_new(id, dp_str(a->name, a->name_n));
    t->nullable = a->nullable || b->nullable;
    t->field_id = a->field_id;
    t->metadata = a->metadata ? dp_strdup(a->metadata) : NULL;
    return t;
}

static bool is_unsigned(enum dp_type_id id) { return id >= DP_TYPE_UINT8 && id <= DP_TYPE_UINT64; }

/* Bits of magnitude that an integer type may need. */
static int magnitude_bits(const struct dp_type *t) {
    int bits = 8 * (int)dp_type_width(t);
    return is_unsigned(t->id) ? bits : bits - 1;
}

/* Decimal digits in front of the point. */
static int whole_digits(const struct dp_type *t) {
    switch (magnitude_bits(t)) {
    case 7:
    case 8: return 3;
    case 15:
    case 16: return 5;
    case 31:
    case 32: return 10;
    case 63: return 19;
    }
    return 20;
}

static struct dp_type *decimal_or_null(const struct dp_type *a, const struct dp_type *b, int whole, int scale) {
    if (whole + scale > 38) return NULL;
    struct dp_type *t = like(a, b, DP_TYPE_DECIMAL);
    t->precision = whole + scale > 0 ? whole + scale : 1;
    t->scale = scale;
    return t;
}

static struct dp_type *unify_integers(const struct dp_type *a, const struct dp_type *b) {
    static const enum dp_type_id by_width[2][4] = {{DP_TYPE_INT8, DP_TYPE_INT16, DP_TYPE_INT32, DP_TYPE_INT64},
                                                   {DP_TYPE_UINT8, DP_TYPE_UINT16, DP_TYPE_UINT32, DP_TYPE_UINT64}};
    bool uns = is_unsigned(a->id) && is_unsigned(b->id);
    int bits = magnitude_bits(a) > magnitude_bits(b) ? magnitude_bits(a) : magnitude_bits(b);
    for (int i = 0; i < 4; i++)
        if ((8 << i) - (uns ? 0 : 1) >= bits) return like(a, b, by_width[uns][i]);
    return decimal_or_null(a, b, 20, 0);
}

static bool is_floating(const struct dp_type *t) {
    return t->id == DP_TYPE_FLOAT16 || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE;
}

static struct dp_type *unify_floating(const struct dp_type *a, const struct dp_type *b) {
    enum dp_type_id id = DP_TYPE_FLOAT16;
    const struct dp_type *both[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        enum dp_type_id need = both[i]->id;
        if (dp_type_is_integer(both[i])) {
            int bits = magnitude_bits(both[i]);
            if (bits > 53) return NULL;
            need = bits <= 11 ? DP_TYPE_FLOAT16 : bits <= 24 ? DP_TYPE_FLOAT : DP_TYPE_DOUBLE;
        }
        if (need > id) id = need;
    }
    return like(a, b, id);
}

static struct dp_type *unify_numbers(const struct dp_type *a, const struct dp_type *b) {
    bool da = a->id == DP_TYPE_DECIMAL, db = b->id == DP_TYPE_DECIMAL;
    if (is_floating(a) || is_floating(b)) return da || db ? NULL : unify_floating(a, b);
    if (!da && !db) return unify_integers(a, b);
    int wa = da ? a->precision - a->scale : whole_digits(a), wb = db ? b->precision - b->scale : whole_digits(b);
    int sa = da ? a->scale : 0, sb = db ? b->scale : 0;
    return decimal_or_null(a, b, wa > wb ? wa : wb, sa > sb ? sa : sb);
}

/* Finer units hold coarser ones, except that nanoseconds of an instant reach only from 1677 to 2262. */
static struct dp_type *unify_times(const struct dp_type *a, const struct dp_type *b) {
    if (a->utc != b->utc) return NULL;
    bool ns = a->unit == DP_UNIT_NANOS || b->unit == DP_UNIT_NANOS;
    if (ns && a->id == DP_TYPE_TIMESTAMP) return NULL;
    struct dp_type *t = like(a, b, a->id);
    t->utc = a->utc;
    t->unit = ns ? DP_UNIT_NANOS : DP_UNIT_MICROS;
    return t;
}

void dp_type_add_others(struct dp_type *t, const struct dp_type *a, const struct dp_type *b) {
    for (size_t i = 0; i < b->n_children; i++) {
        const struct dp_type *y = b->children[i];
        if (dp_type_child(a, dp_str(y->name, y->name_n))) continue;
        struct dp_type *c = dp_type_copy(y);
        c->nullable = true;
        dp_type_add(t, c);
    }
}

/* A field that one side lacks may be null. */
static struct dp_type *unify_structs(const struct dp_type *a, const struct dp_type *b) {
    struct dp_type *t = like(a, b, DP_TYPE_STRUCT);
    for (size_t i = 0; i < a->n_children; i++) {
        const struct dp_type *x = a->children[i];
        const struct dp_type *y = dp_type_child(b, dp_str(x->name, x->name_n));
        struct dp_type *c = y ? dp_type_unify(x, y) : dp_type_copy(x);
        if (!c) return dp_type_free(t), NULL;
        if (!y) c->nullable = true;
        dp_type_add(t, c);
    }
    dp_type_add_others(t, a, b);
    return t;
}

static struct dp_type *unify_children(const struct dp_type *a, const struct dp_type *b) {
    if (a->n_children != b->n_children) return NULL;
    struct dp_type *t = like(a, b, a->id);
    for (size_t i = 0; i < a->n_children; i++) {
        struct dp_type *c = dp_type_unify(a->children[i], b->children[i]);
        if (!c) return dp_type_free(t), NULL;
        dp_type_add(t, c);
    }
    return t;
}

static bool is_number(const struct dp_type *t) {
    return dp_type_is_integer(t) || is_floating(t) || t->id == DP_TYPE_DECIMAL;
}

static bool is_raw_bytes(const struct dp_type *t) { return t->id == DP_TYPE_BINARY || t->id == DP_TYPE_FIXED; }

struct dp_type *dp_type_unify(const struct dp_type *a, const struct dp_type *b) {
    if (a->id == DP_TYPE_NONE || b->id == DP_TYPE_NONE) {
        struct dp_type *t = dp_type_copy(a->id == DP_TYPE_NONE ? b : a);
        free(t->name);
        t->name = dp_strndup(a->name, a->name_n);
        t->name_n = a->name_n;
        t->nullable = true;
        return t;
    }
    if (a->id == DP_TYPE_STRUCT && b->id == DP_TYPE_STRUCT) return unify_structs(a, b);
    if (dp_type_is_nested(a) && a->id == b->id) return unify_children(a, b);
    if (same_parameters(a, b)) {
        struct dp_type *t = dp_type_copy(a);
        t->nullable = a->nullable || b->nullable;
        return t;
    }
    if (a->id == DP_TYPE_JSON || b->id == DP_TYPE_JSON) return like(a, b, DP_TYPE_JSON);
    if (is_number(a) && is_number(b)) return unify_numbers(a, b);
    if (a->id == b->id && (a->id == DP_TYPE_TIME || a->id == DP_TYPE_TIMESTAMP)) return unify_times(a, b);
    if (is_raw_bytes(a) && is_raw_bytes(b)) return like(a, b, DP_TYPE_BINARY);
    if ((a->id == DP_TYPE_STRING && b->id == DP_TYPE_ENUM) || (a->id == DP_TYPE_ENUM && b->id == DP_TYPE_STRING))
        return like(a, b, DP_TYPE_STRING);
    return NULL;
}
