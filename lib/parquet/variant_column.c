/*
 * Shredded Variants to JSON columns (spec: VariantShredding.md of parquet-format).  The groups are read as the structs and lists that
 * they are; row by row `value` and `typed_value` then become one text.  A file that shreds in a way that the specification does not
 * allow is refused by name: the types first, a value and a typed value that contradict each other at their row.
 */
#include "variant_priv.h"

#include "meta_priv.h"
#include <dp/base/limits.h>
#include <stdlib.h>

/* ---- what the groups are ---- */

/* Numbers of a group's children by name; false where there are others, or two of one name. */
struct found {
    int32_t metadata, value, typed; /* elements; -1: none */
    int metadata_at, value_at, typed_at;
};

static int32_t behind(const struct dp_pq_meta *m, int32_t i) {
    int64_t left = 1;
    for (; left > 0; i++) left += m->elements[i].n_children - 1;
    return i;
}

static bool find_children(const struct dp_pq_meta *m, int32_t group, struct found *f) {
    *f = (struct found){-1, -1, -1, -1, -1, -1};
    const struct dp_pq_element *e = &m->elements[group];
    int32_t at = group + 1;
    for (int k = 0; k < e->n_children; k++, at = behind(m, at)) {
        const struct dp_pq_element *c = &m->elements[at];
        bool bytes = !c->is_group && c->type == DP_PQ_BYTE_ARRAY;
        if (c->repetition == DP_PQ_REPEATED) return false;
        if (dp_str_eqz(c->name, "metadata") && f->metadata < 0 && bytes) f->metadata = at, f->metadata_at = k;
        else if (dp_str_eqz(c->name, "value") && f->value < 0 && bytes) f->value = at, f->value_at = k;
        else if (dp_str_eqz(c->name, "typed_value") && f->typed < 0) f->typed = at, f->typed_at = k;
        else return false;
    }
    return f->value >= 0 || f->typed >= 0;
}

bool dp_variant_fits(const struct dp_pq_meta *m, int32_t element) {
    struct found f;
    return m->elements[element].is_group && find_children(m, element, &f) && f.metadata >= 0;
}

/* ---- the plan ---- */

struct planner {
    const struct dp_pq_meta *m;
    struct dp_arena *a;
    struct dp_str column;
    struct dp_err *err;
};

static enum dp_status refuse(const struct planner *c, const char *why) {
    return dp_err_set(c->err, DP_FORMAT, "column %.*s: a shredded Variant %s", DP_STR_FMT(c->column), why);
}

/* May a value be shredded to a column of this type? */
static bool is_cell(const struct dp_pq_element *e, const struct dp_type *t) {
    bool plain = e->logical == DP_PQ_L_NONE && e->converted < 0;
    switch (t->id) {
    case DP_TYPE_BOOLEAN: case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE:
    case DP_TYPE_DECIMAL: case DP_TYPE_DATE: case DP_TYPE_STRING: case DP_TYPE_UUID: return true;
    case DP_TYPE_BINARY: return plain;
    case DP_TYPE_TIME: return !t->utc && t->unit == DP_UNIT_MICROS;
    case DP_TYPE_TIMESTAMP: return e->type == DP_PQ_INT64 && t->unit != DP_UNIT_MILLIS;
    default: return false;
    }
}

static enum dp_status plan_group(const struct planner *c, const struct dp_pq_node *n, struct dp_variant_plan *plan);

/* A field or an element: a required group of a value, a typed value, or both. */
static enum dp_status plan_part(const struct planner *c, const struct dp_pq_node *n, struct dp_variant_plan *plan) {
    struct found f;
    const struct dp_pq_element *e = n->element >= 0 ? &c->m->elements[n->element] : NULL;
    if (!e || n->type->id != DP_TYPE_STRUCT || !find_children(c->m, n->element, &f) || f.metadata >= 0)
        return refuse(c, "with a field or element that is not a group of value and typed_value");
    if (e->repetition != DP_PQ_REQUIRED) return refuse(c, "with a field or element that is not required");
    return plan_group(c, n, plan);
}

static int by_name(const void *a, const void *b) {
    return dp_str_cmp(((const struct dp_variant_member *)a)->name, ((const struct dp_variant_member *)b)->name);
}

static enum dp_status plan_object(const struct planner *c, const struct dp_pq_node *n, struct dp_variant_plan *plan) {
    plan->kind = DP_VARIANT_OBJECT;
    plan->n_members = n->n_children;
    plan->members = dp_arena_calloc(c->a, n->n_children + 1, sizeof *plan->members);
    for (size_t i = 0; i < n->n_children; i++) {
        struct dp_variant_member *x = &plan->members[i];
        const struct dp_type *t = n->type->children[i];
        *x = (struct dp_variant_member){.name = dp_str(t->name, t->name_n), .child = i};
        DP_TRY(plan_part(c, &n->children[i], &x->plan));
    }
    qsort(plan->members, plan->n_members, sizeof *plan->members, by_name);
    for (size_t i = 1; i < plan->n_members; i++)
        if (by_name(&plan->members[i - 1], &plan->members[i]) == 0) return refuse(c, "with two fields of one name");
    return DP_OK;
}

static enum dp_status plan_group(const struct planner *c, const struct dp_pq_node *n, struct dp_variant_plan *plan) {
    struct found f;
    if (!find_children(c->m, n->element, &f)) return refuse(c, "that is no group of value and typed_value");
    *plan = (struct dp_variant_plan){.value = f.value_at, .typed = f.typed_at};
    if (f.typed < 0) return DP_OK;
    const struct dp_pq_node *typed = &n->children[f.typed_at];
    switch (typed->type->id) {
    case DP_TYPE_STRUCT: return plan_object(c, typed, plan);
    case DP_TYPE_LIST:
        plan->kind = DP_VARIANT_ARRAY;
        plan->element = dp_arena_calloc(c->a, 1, sizeof *plan->element);
        return plan_part(c, &typed->children[0], plan->element);
    default:
        plan->kind = DP_VARIANT_CELL;
        if (typed->leaf < 0 || !is_cell(&c->m->elements[typed->element], typed->type)) return refuse(c, "to a type that shredding does not have");
        return DP_OK;
    }
}

enum dp_status dp_variant_open(struct dp_variant_column *v, const struct dp_pq_meta *m, const struct dp_pq_node *node, struct dp_arena *a, struct dp_err *err) {
    struct planner c = {.m = m, .a = a, .column = m->elements[node->element].name, .err = err};
    struct found f;
    *v = (struct dp_variant_column){.node = node};
    dp_column_init(&v->raw, node->raw);
    if (!find_children(m, node->element, &f)) return refuse(&c, "that is no group of value and typed_value");
    v->metadata = f.metadata_at;
    return plan_group(&c, node->children, &v->plan);
}

void dp_variant_close(struct dp_variant_column *v) {
    dp_column_release(&v->raw);
    dp_buf_release(&v->out.fields);
    dp_buf_release(&v->text);
}

/* ---- rows ---- */

enum put { PUT_BAD, PUT_MISSING, PUT_DONE };

static enum put put_group(struct dp_variant_out *o, const struct dp_variant_plan *plan, const struct dp_column *group, int64_t row, unsigned depth);

static enum put bad(struct dp_variant_out *o, const char *why) {
    o->why = why;
    return PUT_BAD;
}

static bool too_long(struct dp_variant_out *o) {
    o->over = true;
    o->why = "its JSON text is too long";
    return false;
}

static const struct dp_column *child_with(const struct dp_column *group, int at, int64_t row) {
    const struct dp_column *c = at < 0 ? NULL : &group->children[at];
    return c && dp_column_is_valid(c, row) ? c : NULL;
}

static const uint8_t *bytes_of(const struct dp_column *c, int64_t row, size_t *n) {
    *n = (size_t)(c->offsets[row + 1] - c->offsets[row]);
    return *n ? c->data + c->offsets[row] : (const uint8_t *)"";
}

/* A field's comma and key; `first` turns false. */
static bool put_key(struct dp_variant_out *o, struct dp_str name, bool *first) {
    if (!*first) dp_buf_addc(o->to, ',');
    *first = false;
    return dp_variant_put_name(o, name);
}

/* Shredded fields and those of the rest, both by name, as one object by name. */
static enum put put_object(struct dp_variant_out *o, const struct dp_variant_plan *plan, const struct dp_column *typed, const struct dp_column *value, int64_t row, unsigned depth) {
    size_t n, from = dp_variant_n_fields(o), end;
    bool first = true;
    if (value) {
        const uint8_t *p = bytes_of(value, row, &n);
        if (!dp_variant_is_object(p, n)) return bad(o, "a value that is no object beside shredded fields");
        if (!dp_variant_push_fields(o, p, n, &from)) return PUT_BAD;
    }
    end = dp_variant_n_fields(o);
    dp_buf_addc(o->to, '{');
    for (size_t i = 0, k = from; i < plan->n_members || k < end;) {
        const struct dp_variant_member *x = i < plan->n_members ? &plan->members[i] : NULL;
        struct dp_variant_field f = k < end ? dp_variant_field(o, k) : (struct dp_variant_field){0};
        int order = !x ? 1 : k == end ? -1 : dp_str_cmp(x->name, f.name);
        if (order == 0) return bad(o, "a shredded field that is in the value too");
        if (order > 0) {
            if (!put_key(o, f.name, &first) || !dp_variant_put(o, f.p, f.n, depth + 1)) return PUT_BAD;
            k++;
            continue;
        }
        size_t before = o->to->n;
        bool was_first = first;
        if (!put_key(o, x->name, &first)) return PUT_BAD;
        enum put done = put_group(o, &x->plan, &typed->children[x->child], row, depth + 1);
        if (done == PUT_BAD) return PUT_BAD;
        if (done == PUT_MISSING) o->to->n = before, first = was_first;
        i++;
    }
    dp_buf_addc(o->to, '}');
    dp_variant_pop_fields(o, from);
    return PUT_DONE;
}

static enum put put_array(struct dp_variant_out *o, const struct dp_variant_plan *plan, const struct dp_column *typed, int64_t row, unsigned depth) {
    dp_buf_addc(o->to, '[');
    for (int32_t i = typed->offsets[row]; i < typed->offsets[row + 1]; i++) {
        if (i > typed->offsets[row]) dp_buf_addc(o->to, ',');
        enum put done = put_group(o, plan->element, &typed->children[0], i, depth + 1);
        if (done == PUT_BAD) return PUT_BAD;
        if (done == PUT_MISSING) dp_buf_addz(o->to, "null"); /* no element can be missing */
    }
    dp_buf_addc(o->to, ']');
    return PUT_DONE;
}

/* Nothing is appended for a value that is missing. */
static enum put put_group(struct dp_variant_out *o, const struct dp_variant_plan *plan, const struct dp_column *group, int64_t row, unsigned depth) {
    const struct dp_column *value = child_with(group, plan->value, row), *typed = child_with(group, plan->typed, row);
    if (depth > DP_LIMIT_VARIANT_DEPTH) return bad(o, "it is nested too deep");
    if (o->to->n > o->most) return too_long(o), PUT_BAD;
    if (!typed && !value) return PUT_MISSING;
    if (!typed) {
        size_t n;
        const uint8_t *p = bytes_of(value, row, &n);
        return dp_variant_put(o, p, n, depth) ? PUT_DONE : PUT_BAD;
    }
    if (plan->kind == DP_VARIANT_OBJECT) return put_object(o, plan, typed, value, row, depth);
    if (value) return bad(o, "both a value and a typed value");
    if (plan->kind == DP_VARIANT_ARRAY) return put_array(o, plan, typed, row, depth);
    return dp_variant_put_cell(o, typed, row) ? PUT_DONE : PUT_BAD;
}

static enum put put_row(struct dp_variant_column *v, int64_t row) {
    struct dp_variant_out *o = &v->out;
    const struct dp_column *metadata = child_with(&v->raw, v->metadata, row);
    size_t n;
    if (!metadata) return bad(o, "no metadata");
    const uint8_t *p = bytes_of(metadata, row, &n);
    if (!dp_variant_begin(o, dp_str((const char *)p, n))) return PUT_BAD;
    enum put done = put_group(o, &v->plan, &v->raw, row, 0);
    if (done == PUT_MISSING) dp_buf_addz(o->to, "null");
    return done == PUT_BAD ? PUT_BAD : PUT_DONE;
}

bool dp_variant_finish(struct dp_variant_column *v, struct dp_column *c, size_t most, int64_t *at) {
    struct dp_variant_out *o = &v->out;
    o->over = false;
    o->to = &v->text;
    for (*at = 0; *at < v->raw.length; ++*at) {
        if (!dp_column_is_valid(&v->raw, *at)) {
            dp_column_append_null(c);
            continue;
        }
        dp_buf_reset(&v->text);
        o->most = most - c->data_n < DP_LIMIT_RECORD ? most - c->data_n : DP_LIMIT_RECORD;
        if (put_row(v, *at) == PUT_BAD) return false;
        if (v->text.n > most - c->data_n) return too_long(o);
        dp_column_append_bytes(c, v->text.p, v->text.n);
    }
    return true;
}
