/*
 * Inference of a schema from records: a tree of fields that counts what it met and keeps the widest number, then one decision per field.
 * The rules are in dp/record/infer.h.  It looks at one record at a time and keeps no values but the least and the greatest.
 */
#include <dp/record/infer.h>

#include <dp/base/arena.h>
#include <dp/base/decimal.h>
#include <dp/base/limits.h>
#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <math.h>
#include <stdlib.h>

#define KEEP_BYTES 64 /* of a least or greatest value */

enum text_class { TEXT_DATE = 1, TEXT_UTC = 2, TEXT_LOCAL = 4, TEXT_SPECIAL = 8 };

struct field {
    struct dp_str name; /* in the arena */
    uint64_t seen, nulls, booleans, wholes, fractions, strings, objects, arrays;
    bool not_int64, not_double, not_decimal;
    int whole_digits, scale;
    unsigned text_classes;  /* classes that every string so far belongs to */
    uint64_t min_length, max_length;
    char min[KEEP_BYTES], max[KEEP_BYTES];
    uint8_t min_n, max_n;
    bool no_bounds;
    bool as_json;           /* past a limit */
    struct field **children; /* object: by order of sight; array: one, the element */
    struct dp_map by_name;
    size_t n_children, children_cap;
    struct field *successor; /* sibling that followed last time */
    struct field *first;     /* child that was first last time */
    void *watched;
};

struct dp_infer {
    struct dp_arena arena;
    struct dp_arena evidence_arena;
    struct field *root;
    struct field **all; /* every field, to release */
    size_t n_all, all_cap;
    size_t nested;      /* fields below the top level */
    uint64_t count, left_out;
    struct dp_buf text;
    struct dp_infer_field *evidence;
    size_t n_evidence, evidence_cap;
    const struct dp_infer_watch *watch; /* or NULL */
};

static struct field *new_field(struct dp_infer *in, struct dp_str name) {
    struct field *f = dp_calloc(1, sizeof *f);
    f->name = dp_arena_str(&in->arena, name);
    f->text_classes = TEXT_DATE | TEXT_UTC | TEXT_LOCAL | TEXT_SPECIAL;
    in->all = dp_grow(in->all, &in->all_cap, in->n_all + 1, sizeof *in->all);
    in->all[in->n_all++] = f;
    return f;
}

struct dp_infer *dp_infer_open(void) {
    struct dp_infer *in = dp_calloc(1, sizeof *in);
    in->root = new_field(in, DP_STR(""));
    return in;
}

struct dp_infer *dp_infer_open_watched(const struct dp_infer_watch *watch) {
    struct dp_infer *in = dp_infer_open();
    in->watch = watch;
    return in;
}

void dp_infer_close(struct dp_infer *in) {
    if (!in) return;
    for (size_t i = 0; i < in->n_all; i++) {
        free(in->all[i]->children);
        dp_map_release(&in->all[i]->by_name);
        if (in->all[i]->watched) in->watch->drop(in->all[i]->watched);
        free(in->all[i]);
    }
    free(in->all);
    free(in->evidence);
    dp_buf_release(&in->text);
    dp_arena_release(&in->arena);
    dp_arena_release(&in->evidence_arena);
    free(in);
}

uint64_t dp_infer_count(const struct dp_infer *in) { return in->count; }
uint64_t dp_infer_left_out(const struct dp_infer *in) { return in->left_out; }

/* ---- least and greatest ---- */

static void keep_bounds(struct field *f, struct dp_str v, bool number) {
    if (f->no_bounds) return;
    if (v.n > KEEP_BYTES || (number ? f->strings : f->wholes + f->fractions)) {
        f->no_bounds = true;
        f->min_n = f->max_n = 0;
        return;
    }
    struct dp_str min = dp_str(f->min, f->min_n), max = dp_str(f->max, f->max_n);
    bool first = f->strings + f->wholes + f->fractions == 1;
    if (first || (number ? dp_number_cmp(v, min) : dp_str_cmp(v, min)) < 0) memcpy(f->min, v.p, v.n), f->min_n = (uint8_t)v.n;
    if (first || (number ? dp_number_cmp(v, max) : dp_str_cmp(v, max)) > 0) memcpy(f->max, v.p, v.n), f->max_n = (uint8_t)v.n;
}

/* ---- scalars ---- */

static bool survives_double(struct dp_str v) {
    double d;
    char text[32];
    if (!dp_parse_double(v, &d) || !isfinite(d)) return false;
    return dp_number_cmp(v, dp_str(text, dp_print_double(text, d))) == 0;
}

/* Digits before and behind the point as a decimal column needs them. */
static void widen_decimal(struct field *f, struct dp_str v) {
    int whole, scale;
    const char *point = memchr(v.p, '.', v.n);
    if (memchr(v.p, 'e', v.n) || memchr(v.p, 'E', v.n)) {
        struct dp_decimal d;
        char text[48];
        if (!dp_decimal_parse(v, &d)) {
            f->not_decimal = true;
            return;
        }
        size_t n = dp_decimal_print(text, d.unscaled, d.scale);
        whole = (int)n - (d.scale ? d.scale + 1 : 0) - (d.unscaled < 0);
        scale = d.scale;
    } else if (v.n > 60) {
        f->not_decimal = true;
        return;
    } else {
        scale = point ? (int)(v.p + v.n - point - 1) : 0;
        whole = (int)v.n - (point ? scale + 1 : 0) - (v.p[0] == '-');
    }
    if (whole > f->whole_digits) f->whole_digits = whole;
    if (scale > f->scale) f->scale = scale;
}

static void add_number(struct dp_infer *in, struct field *f, struct dp_str v, uint8_t flags) {
    int64_t whole;
    bool minus_zero = v.n == 2 && v.p[0] == '-' && v.p[1] == '0';
    if (flags & DP_NODE_INTEGER && !minus_zero) {
        f->wholes++;
        if (v.n > 18 && !dp_parse_i64(v, &whole)) f->not_int64 = true;
    } else f->fractions++;
    if (v.n > 15 && !f->not_double && !survives_double(v)) f->not_double = true;
    if (v.n <= 15 && !(flags & DP_NODE_INTEGER) && !f->not_double && (memchr(v.p, 'e', v.n) || memchr(v.p, 'E', v.n)) &&
        !survives_double(v))
        f->not_double = true;
    if (!f->not_decimal) widen_decimal(f, v);
    keep_bounds(f, v, true);
    if (in->watch) in->watch->value(&f->watched, DP_KIND_NUMBER, v);
}

static bool is_special(struct dp_str v) {
    return dp_str_eqz(v, "NaN") || dp_str_eqz(v, "Infinity") || dp_str_eqz(v, "-Infinity");
}

static unsigned text_classes(struct dp_str v, unsigned still) {
    unsigned is = 0;
    int32_t days;
    struct dp_timestamp t;
    int64_t micros;
    if (still & TEXT_SPECIAL && is_special(v)) is |= TEXT_SPECIAL;
    if (v.n < 10 || v.p[0] < '0' || v.p[0] > '9' || v.p[4] != '-') return is;
    if (v.n == 10) return still & TEXT_DATE && dp_date_parse(v, &days) ? is | TEXT_DATE : is;
    if (still & (TEXT_UTC | TEXT_LOCAL) && v.n >= 19 && dp_time_parse(v, true, true, &t) && !t.leap && dp_time_micros(&t, &micros))
        is |= t.zone == DP_ZONE_NONE ? TEXT_LOCAL : TEXT_UTC;
    return is;
}

static void add_string(struct dp_infer *in, struct field *f, const struct dp_record *r, uint32_t node) {
    struct dp_str v = dp_node_str(r, node);
    if (r->nodes[node].flags & DP_NODE_ESCAPED) {
        dp_buf_reset(&in->text);
        dp_json_decode(v, &in->text);
        v = dp_buf_str(&in->text);
    }
    f->strings++;
    if (f->text_classes) f->text_classes &= text_classes(v, f->text_classes);
    if (f->strings == 1 || v.n < f->min_length) f->min_length = v.n;
    if (v.n > f->max_length) f->max_length = v.n;
    keep_bounds(f, v, false);
    if (in->watch) in->watch->value(&f->watched, DP_KIND_STRING, v);
}

/* ---- objects and arrays ---- */

static void add_value(struct dp_infer *in, struct field *f, const struct dp_record *r, uint32_t node, unsigned depth);

/* A child that has not been met; NULL past a limit. */
static struct field *add_child(struct dp_infer *in, struct field *f, struct dp_str name, unsigned depth) {
    bool top = depth == 0;
    if (top ? f->n_children >= DP_LIMIT_COLUMNS : f->n_children >= DP_LIMIT_INFER_KEYS || in->nested >= DP_LIMIT_INFER_FIELDS) return NULL;
    if (!top) in->nested++;
    struct field *c = new_field(in, name);
    f->children = dp_grow(f->children, &f->children_cap, f->n_children + 1, sizeof *f->children);
    f->children[f->n_children++] = c;
    return c;
}

static struct field *find_child(struct dp_infer *in, struct field *f, const struct dp_record *r, uint32_t key, unsigned depth) {
    struct dp_str name = dp_node_str(r, key);
    if (r->nodes[key].flags & DP_NODE_ESCAPED) {
        dp_buf_reset(&in->text);
        dp_json_decode(name, &in->text);
        name = dp_buf_str(&in->text);
    }
    struct dp_map_item *item = dp_map_get(&f->by_name, name);
    if (item) return item->v.p;
    struct field *c = add_child(in, f, name, depth);
    if (c) dp_map_put(&f->by_name, name, NULL)->v.p = c;
    return c;
}

static void add_object(struct dp_infer *in, struct field *f, const struct dp_record *r, uint32_t node, unsigned depth) {
    struct field *previous = NULL;
    for (uint32_t i = node + 1, end = r->nodes[node].next; i < end; i = r->nodes[i].next) {
        struct field *c = previous ? previous->successor : f->first;
        bool guessed = c && !(r->nodes[i].flags & DP_NODE_ESCAPED) && dp_str_eq(c->name, dp_node_str(r, i));
        if (!guessed) c = find_child(in, f, r, i, depth);
        if (!c && depth == 0) {
            in->left_out++;
            continue;
        }
        if (!c) {
            f->as_json = true;
            return;
        }
        if (previous) previous->successor = c;
        else f->first = c;
        previous = c;
        add_value(in, c, r, i + 1, depth + 1);
    }
}

static void add_array(struct dp_infer *in, struct field *f, const struct dp_record *r, uint32_t node, unsigned depth) {
    for (uint32_t i = node + 1, end = r->nodes[node].next; i < end; i = r->nodes[i].next) {
        struct field *c = f->n_children ? f->children[0] : add_child(in, f, DP_STR("element"), depth);
        if (!c) {
            f->as_json = true;
            return;
        }
        add_value(in, c, r, i, depth + 1);
    }
}

static void add_value(struct dp_infer *in, struct field *f, const struct dp_record *r, uint32_t node, unsigned depth) {
    const struct dp_node *n = &r->nodes[node];
    f->seen++;
    switch ((enum dp_kind)n->kind) {
    case DP_KIND_NONE: break;
    case DP_KIND_NULL: f->nulls++; break;
    case DP_KIND_FALSE:
    case DP_KIND_TRUE: f->booleans++; break;
    case DP_KIND_NUMBER: add_number(in, f, dp_node_str(r, node), n->flags); break;
    case DP_KIND_STRING: add_string(in, f, r, node); break;
    case DP_KIND_OBJECT:
    case DP_KIND_ARRAY:
        if (n->kind == DP_KIND_OBJECT) f->objects++;
        else f->arrays++;
        if (f->objects && f->arrays) f->as_json = true;
        if (depth >= DP_LIMIT_INFER_DEPTH) f->as_json = true;
        if (f->as_json) break;
        if (n->kind == DP_KIND_OBJECT) add_object(in, f, r, node, depth);
        else add_array(in, f, r, node, depth);
        break;
    }
}

void dp_infer_record(struct dp_infer *in, const struct dp_record *r) {
    if (r->duplicate_keys) return;
    in->count++;
    add_value(in, in->root, r, 0, 0);
}

/* ---- deciding ---- */

static struct dp_type *number_type(const struct field *f, struct dp_str name) {
    if (!f->fractions && !f->strings && !f->not_int64) return dp_type_new(DP_TYPE_INT64, name);
    bool wide_wholes = !f->fractions && !f->strings;
    if (!f->not_double && !wide_wholes) return dp_type_new(DP_TYPE_DOUBLE, name);
    if (f->not_decimal || f->strings || f->whole_digits + f->scale > DP_DECIMAL_MAX_PRECISION) return dp_type_new(DP_TYPE_JSON, name);
    struct dp_type *t = dp_type_new(DP_TYPE_DECIMAL, name);
    t->precision = f->whole_digits + f->scale;
    t->scale = f->scale;
    return t;
}

static struct dp_type *string_type(const struct field *f, struct dp_str name) {
    if (f->text_classes & TEXT_DATE) return dp_type_new(DP_TYPE_DATE, name);
    if (!(f->text_classes & (TEXT_UTC | TEXT_LOCAL))) return dp_type_new(DP_TYPE_STRING, name);
    struct dp_type *t = dp_type_new(DP_TYPE_TIMESTAMP, name);
    t->utc = f->text_classes & TEXT_UTC;
    return t;
}

static struct dp_type *decide(const struct field *f, struct dp_str name);

static struct dp_type *nested_type(const struct field *f, struct dp_str name) {
    struct dp_type *t = dp_type_new(f->objects ? DP_TYPE_STRUCT : DP_TYPE_LIST, name);
    for (size_t i = 0; i < f->n_children; i++) dp_type_add(t, decide(f->children[i], f->children[i]->name));
    if (t->id == DP_TYPE_LIST && !t->n_children) dp_type_add(t, dp_type_new(DP_TYPE_STRING, DP_STR("element")));
    return t;
}

static bool is_json(const struct field *f) {
    bool number = f->wholes + f->fractions > 0;
    bool special = number && f->strings && f->text_classes & TEXT_SPECIAL;
    int kinds = (f->booleans > 0) + number + (f->strings > 0 && !special) + (f->objects > 0) + (f->arrays > 0);
    return f->as_json || kinds > 1 || (f->objects && !f->n_children);
}

static struct dp_type *decide(const struct field *f, struct dp_str name) {
    if (is_json(f)) return dp_type_new(DP_TYPE_JSON, name);
    if (f->booleans) return dp_type_new(DP_TYPE_BOOLEAN, name);
    if (f->wholes || f->fractions) return number_type(f, name);
    if (f->objects || f->arrays) return nested_type(f, name);
    if (f->strings) return string_type(f, name);
    return dp_type_new(DP_TYPE_STRING, name);
}

struct dp_type *dp_infer_schema(const struct dp_infer *in) {
    struct dp_type *t = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    t->nullable = false;
    for (size_t i = 0; i < in->root->n_children; i++) dp_type_add(t, decide(in->root->children[i], in->root->children[i]->name));
    return t;
}

/* ---- evidence ---- */

static void collect(struct dp_infer *in, const struct field *f, const char *parent, uint64_t parent_count) {
    bool element = f->name.n == 7 && memcmp(f->name.p, "element", 7) == 0 && parent_count == 0;
    struct dp_infer_field e = {.seen = f->seen, .nulls = f->nulls, .min_length = f->min_length, .max_length = f->max_length, .watched = f->watched};
    e.path = element   ? dp_arena_printf(&in->evidence_arena, "%s[]", parent)
             : *parent ? dp_arena_printf(&in->evidence_arena, "%s.%.*s", parent, DP_STR_FMT(f->name))
                       : dp_arena_printf(&in->evidence_arena, "%.*s", DP_STR_FMT(f->name));
    e.always = f->seen > 0 && !f->nulls && (element || f->seen == parent_count);
    e.min = dp_str(f->min, f->min_n);
    e.max = dp_str(f->max, f->max_n);
    in->evidence = dp_grow(in->evidence, &in->evidence_cap, in->n_evidence + 1, sizeof *in->evidence);
    in->evidence[in->n_evidence++] = e;
    if (is_json(f)) return;
    for (size_t i = 0; i < f->n_children; i++) collect(in, f->children[i], e.path, f->objects);
}

size_t dp_infer_fields(struct dp_infer *in, const struct dp_infer_field **fields) {
    dp_arena_reset(&in->evidence_arena);
    in->n_evidence = 0;
    for (size_t i = 0; i < in->root->n_children; i++) collect(in, in->root->children[i], "", in->root->objects);
    *fields = in->evidence;
    return in->n_evidence;
}
