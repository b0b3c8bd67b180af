/*
 * The tree of an expression, read for lineage: which fields its outputs have, which input fields each comes from and how, and its type
 * where the expression fixes one.  Errs on the safe side: a dependency too many, a type or the names not known.  An output that is
 * no object with known names is one value that depends on all that it was made of.
 */
#include "expr_flow.h"
#include "expr_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>

struct flow {
    struct dp_arena *a;
    const struct dp_type *schema;
    const struct dp_flow **vars;
};

static const struct dp_flow *eval(struct flow *f, const struct dp_enode *n, const struct dp_flow *in);

/* ---- dependencies ---- */

static void add_dep(struct dp_arena *a, struct dp_flow_deps *d, struct dp_str name, unsigned how) {
    for (size_t i = 0; i < d->n; i++)
        if (dp_str_eq(d->v[i].name, name)) {
            d->v[i].how |= how;
            return;
        }
    if (d->n == DP_FLOW_DEPS_MAX) {
        d->all |= how;
        return;
    }
    if (d->n == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 4;
        struct dp_flow_dep *v = dp_arena_alloc(a, cap * sizeof *v);
        if (d->n) memcpy(v, d->v, d->n * sizeof *v);
        d->v = v, d->cap = cap;
    }
    d->v[d->n++] = (struct dp_flow_dep){name, how};
}

/* Both without masking. */
static unsigned through(unsigned how, unsigned by) {
    unsigned out = how & ~(unsigned)DP_HOW_DIRECT;
    for (unsigned d = DP_HOW_IDENTITY; d <= DP_HOW_AGGREGATION; d *= 2)
        for (unsigned x = DP_HOW_IDENTITY; (how & d) && x <= DP_HOW_CONDITIONAL; x *= 2)
            if (by & x) out |= x > d ? x : d;
    return out;
}

unsigned dp_flow_through(unsigned how, unsigned by) {
    unsigned clear = how & 0xffff, masked = how >> 16, by_clear = by & 0xffff, by_masked = by >> 16, hidden = 0;
    if (by == DP_HOW_IDENTITY) return how;
    if (by_clear) hidden |= through(masked, by_clear);
    if (by_masked) hidden |= through(masked, by_masked) | through(clear, by_masked);
    return (by_clear ? through(clear, by_clear) : 0) | DP_HOW_MASKED(hidden);
}

void dp_flow_add(struct dp_arena *a, struct dp_flow_deps *to, const struct dp_flow_deps *from, unsigned how) {
    for (size_t i = 0; i < from->n; i++) add_dep(a, to, from->v[i].name, dp_flow_through(from->v[i].how, how));
    if (from->all) to->all |= dp_flow_through(from->all, how);
}

/* All that v was made of. */
static void add_value(struct flow *f, struct dp_flow_deps *to, const struct dp_flow *v, unsigned how) {
    dp_flow_add(f->a, to, &v->deps, how);
    if (v->kind != DP_FLOW_RECORD) return;
    for (size_t i = 0; i < v->n; i++)
        if (v->fields[i].value) add_value(f, to, v->fields[i].value, how);
    if (v->open) to->all |= how;
}

/* ---- values ---- */

static struct dp_flow *new_value(struct flow *f, const struct dp_type *type) {
    struct dp_flow *v = dp_arena_calloc(f->a, 1, sizeof *v);
    v->kind = DP_FLOW_VALUE;
    v->type = type;
    v->nullable = true;
    return v;
}

static const struct dp_type *type_of(enum dp_type_id id) {
    static const struct dp_type boolean = {.id = DP_TYPE_BOOLEAN, .field_id = -1}, int64 = {.id = DP_TYPE_INT64, .field_id = -1},
                                string = {.id = DP_TYPE_STRING, .field_id = -1}, instant = {.id = DP_TYPE_TIMESTAMP, .utc = true, .field_id = -1};
    return id == DP_TYPE_BOOLEAN ? &boolean : id == DP_TYPE_INT64 ? &int64 : id == DP_TYPE_STRING ? &string : id == DP_TYPE_TIMESTAMP ? &instant : NULL;
}

static bool is_type(const struct dp_flow *v, enum dp_type_id id) { return v->kind == DP_FLOW_VALUE && v->type && v->type->id == id; }

/* Made of a and b (may be NULL). */
static struct dp_flow *made_of(struct flow *f, const struct dp_flow *a, const struct dp_flow *b, const struct dp_type *type) {
    struct dp_flow *v = new_value(f, type);
    add_value(f, &v->deps, a, DP_FLOW_DIRECT);
    if (b) add_value(f, &v->deps, b, DP_FLOW_DIRECT);
    return v;
}

const struct dp_flow *dp_flow_copy(struct dp_arena *a, const struct dp_type *schema, struct dp_str name, bool loose) {
    struct dp_flow *v = dp_arena_calloc(a, 1, sizeof *v);
    const struct dp_type *t = schema ? dp_type_child(schema, name) : NULL;
    v->kind = DP_FLOW_VALUE;
    v->type = t && t->id != DP_TYPE_NONE ? t : NULL;
    v->nullable = loose || !t || t->nullable;
    v->is_copy = true;
    add_dep(a, &v->deps, name, DP_FLOW_COPY);
    return v;
}

static const struct dp_flow *copy_of_field(struct flow *f, struct dp_str name, bool loose) { return dp_flow_copy(f->a, f->schema, name, loose); }

static const struct dp_flow *null_value(struct flow *f) {
    struct dp_flow *v = new_value(f, NULL);
    v->is_null = true;
    return v;
}

/* The same with further dependencies. */
static const struct dp_flow *under(struct flow *f, const struct dp_flow *v, const struct dp_flow *condition, unsigned how) {
    struct dp_flow *w;
    if (v->kind == DP_FLOW_NOTHING) return v;
    w = dp_arena_alloc(f->a, sizeof *w);
    *w = *v;
    w->deps = (struct dp_flow_deps){0};
    dp_flow_add(f->a, &w->deps, &v->deps, DP_FLOW_COPY);
    add_value(f, &w->deps, condition, how);
    return w;
}

static const struct dp_flow *member(struct flow *f, const struct dp_flow *v, struct dp_str name) {
    if (v->kind == DP_FLOW_RECORD) {
        for (size_t i = 0; i < v->n; i++)
            if (dp_str_eq(v->fields[i].name, name)) return v->fields[i].value ? v->fields[i].value : null_value(f);
        return v->open ? copy_of_field(f, name, v->loose) : null_value(f);
    }
    const struct dp_type *t = is_type(v, DP_TYPE_STRUCT) ? dp_type_child(v->type, name) : NULL;
    return made_of(f, v, NULL, t && t->id != DP_TYPE_NONE ? t : NULL);
}

/* ---- records ---- */

static struct dp_flow *edit(struct flow *f, const struct dp_flow *r, size_t extra) {
    struct dp_flow *v = dp_arena_alloc(f->a, sizeof *v);
    *v = *r;
    v->fields = dp_arena_alloc(f->a, (r->n + extra + 1) * sizeof *v->fields);
    if (r->n) memcpy(v->fields, r->fields, r->n * sizeof *v->fields);
    v->deps = (struct dp_flow_deps){0};
    dp_flow_add(f->a, &v->deps, &r->deps, DP_FLOW_COPY);
    return v;
}

/* There is room for one more. */
static void set_field(struct dp_flow *r, struct dp_str name, const struct dp_flow *value) {
    size_t i = 0;
    while (i < r->n && !dp_str_eq(r->fields[i].name, name)) i++;
    if (i == r->n) r->fields[r->n++].name = name;
    r->fields[i].value = value;
}

/* Taken out: from a closed record for good. */
static void drop_field(struct dp_flow *r, struct dp_str name) {
    if (r->open) {
        set_field(r, name, NULL);
        return;
    }
    size_t i = 0;
    while (i < r->n && !dp_str_eq(r->fields[i].name, name)) i++;
    if (i == r->n) return;
    memmove(r->fields + i, r->fields + i + 1, (--r->n - i) * sizeof *r->fields);
}

static const struct dp_flow *join(struct flow *f, const struct dp_flow *a, const struct dp_flow *b);

static const struct dp_flow *join_records(struct flow *f, const struct dp_flow *a, const struct dp_flow *b) {
    struct dp_flow *v = edit(f, a, b->n);
    dp_flow_add(f->a, &v->deps, &b->deps, DP_FLOW_COPY);
    v->loose = a->loose || b->loose || a->open != b->open;
    for (size_t i = 0; i < a->n; i++) v->fields[i].value = join(f, member(f, a, a->fields[i].name), member(f, b, a->fields[i].name));
    for (size_t i = 0; i < b->n; i++) {
        struct dp_str name = b->fields[i].name;
        bool known = false;
        for (size_t k = 0; k < a->n; k++) known = known || dp_str_eq(a->fields[k].name, name);
        if (!known) set_field(v, name, join(f, member(f, a, name), member(f, b, name)));
    }
    v->open = a->open || b->open;
    return v;
}

static const struct dp_flow *join_values(struct flow *f, const struct dp_flow *a, const struct dp_flow *b) {
    struct dp_flow *v = new_value(f, NULL);
    bool same_copy = a->is_copy && b->is_copy && dp_str_eq(a->deps.v[0].name, b->deps.v[0].name);
    add_value(f, &v->deps, a, same_copy ? DP_FLOW_COPY : DP_FLOW_DIRECT);
    add_value(f, &v->deps, b, same_copy ? DP_FLOW_COPY : DP_FLOW_DIRECT);
    v->is_copy = same_copy;
    v->nullable = a->nullable || b->nullable;
    v->is_null = a->is_null && b->is_null;
    if (a->kind != DP_FLOW_VALUE || b->kind != DP_FLOW_VALUE) return v;
    if (a->is_null || b->is_null) {
        const struct dp_flow *other = a->is_null ? b : a;
        v->type = other->type;
        if (other->is_copy) v->is_copy = true, v->deps = (struct dp_flow_deps){0}, add_value(f, &v->deps, a, DP_FLOW_COPY), add_value(f, &v->deps, b, DP_FLOW_COPY);
    } else if (a->type && b->type) {
        struct dp_type *x = dp_type_copy(a->type), *y = dp_type_copy(b->type);
        free(x->name), free(y->name);
        x->name = dp_strdup(""), y->name = dp_strdup(""), x->name_n = y->name_n = 0;
        x->nullable = y->nullable = true;
        if (dp_type_equal(x, y)) v->type = a->type;
        dp_type_free(x), dp_type_free(y);
    }
    return v;
}

/* One or the other. */
static const struct dp_flow *join(struct flow *f, const struct dp_flow *a, const struct dp_flow *b) {
    if (a->kind == DP_FLOW_NOTHING) return b;
    if (b->kind == DP_FLOW_NOTHING) return a;
    return a->kind == DP_FLOW_RECORD && b->kind == DP_FLOW_RECORD ? join_records(f, a, b) : join_values(f, a, b);
}

static const struct dp_flow *merge(struct flow *f, const struct dp_flow *a, const struct dp_flow *b) {
    struct dp_flow *v = edit(f, a, b->n);
    dp_flow_add(f->a, &v->deps, &b->deps, DP_FLOW_COPY);
    if (b->open)
        for (size_t i = 0; i < v->n; i++)
            v->fields[i].value = v->fields[i].value ? join(f, v->fields[i].value, copy_of_field(f, v->fields[i].name, true))
                                                    : copy_of_field(f, v->fields[i].name, true);
    for (size_t i = 0; i < b->n; i++) {
        if (b->fields[i].value) set_field(v, b->fields[i].name, b->fields[i].value);
        else if (a->open) set_field(v, b->fields[i].name, member(f, a, b->fields[i].name));
    }
    v->loose = a->loose && (b->loose || !b->open);
    v->open = a->open || b->open;
    return v;
}

static const struct dp_flow *arith(struct flow *f, uint8_t op, const struct dp_flow *a, const struct dp_flow *b) {
    if (a->kind == DP_FLOW_NOTHING) return a;
    if (b->kind == DP_FLOW_NOTHING) return b;
    if (op == '+' && a->kind == DP_FLOW_RECORD && b->kind == DP_FLOW_RECORD) return merge(f, a, b);
    bool strings = op == '+' && is_type(a, DP_TYPE_STRING) && is_type(b, DP_TYPE_STRING);
    return made_of(f, a, b, strings ? type_of(DP_TYPE_STRING) : NULL);
}

/* ---- changes ---- */

/* The path's name at the top of the record; *exact: it ends there, and always applies.  False: it may reach anything. */
static bool path_top(struct flow *f, const struct dp_enode *n, const struct dp_flow *in, struct dp_str *name, bool *exact, struct dp_flow_deps *deps) {
    if (n->kind == DP_EK_INDEX && n->a->kind == DP_EK_IDENTITY) {
        if (n->b->kind != DP_EK_CONST || n->b->val.kind != DP_KIND_STRING) return false;
        *name = n->b->val.s;
        return *exact = true;
    }
    if (n->kind == DP_EK_INDEX || n->kind == DP_EK_ITERATE || n->kind == DP_EK_PIPE || n->kind == DP_EK_SLICE) {
        if (!path_top(f, n->a, in, name, exact, deps)) return false;
        if (n->kind == DP_EK_PIPE && n->b->kind == DP_EK_IDENTITY) return true;
        *exact = false;
        if (n->kind == DP_EK_INDEX) add_value(f, deps, eval(f, n->b, in), DP_FLOW_CONDITION);
        if (n->kind == DP_EK_PIPE) add_value(f, deps, eval(f, n->b, member(f, in, *name)), DP_FLOW_CONDITION);
        return true;
    }
    return false;
}

static const struct dp_flow *assign(struct flow *f, const struct dp_enode *n, const struct dp_flow *in) {
    struct dp_str name = {0};
    struct dp_flow_deps deps = {0};
    bool exact = false;
    if (n->a->kind == DP_EK_IDENTITY && (n->op == '|' || n->op == '=')) return eval(f, n->b, in);
    if (in->kind != DP_FLOW_RECORD || !path_top(f, n->a, in, &name, &exact, &deps))
        return made_of(f, in, eval(f, n->b, in), NULL);
    const struct dp_flow *old = member(f, in, name), *v;
    if (n->op == '|') v = eval(f, n->b, exact ? old : made_of(f, old, NULL, NULL));
    else v = eval(f, n->b, in);
    if (v->kind == DP_FLOW_NOTHING && n->op != '|') return v;
    if (v->kind == DP_FLOW_NOTHING) v = null_value(f), exact = false;
    if (!exact) v = made_of(f, old, v, NULL);
    else if (n->op == 'd') v = join(f, old, v);
    else if (n->op != '=' && n->op != '|') v = arith(f, n->op, old, v);
    struct dp_flow *out = edit(f, in, 1);
    if (deps.n || deps.all) {
        struct dp_flow *w = new_value(f, NULL);
        add_value(f, &w->deps, v, DP_FLOW_DIRECT);
        dp_flow_add(f->a, &w->deps, &deps, DP_FLOW_COPY);
        v = w;
    }
    set_field(out, name, v);
    return out;
}

static const struct dp_flow *del(struct flow *f, const struct dp_enode *n, const struct dp_flow *in) {
    struct dp_str name = {0};
    struct dp_flow_deps deps = {0};
    bool exact = false;
    if (n->kind == DP_EK_COMMA) {
        const struct dp_flow *a = del(f, n->a, in);
        return a->kind == DP_FLOW_RECORD ? del(f, n->b, a) : a;
    }
    if (in->kind != DP_FLOW_RECORD || !path_top(f, n, in, &name, &exact, &deps)) return made_of(f, in, eval(f, n, in), NULL);
    struct dp_flow *out = edit(f, in, 1);
    if (exact) drop_field(out, name);
    else set_field(out, name, made_of(f, member(f, in, name), NULL, NULL));
    return out;
}

/* ---- calls ---- */

static const struct dp_flow *of_args(struct flow *f, const struct dp_enode *n, const struct dp_flow *in, const struct dp_type *type, bool nullable) {
    struct dp_flow *v = made_of(f, in, NULL, type);
    const struct dp_flow *element = made_of(f, in, NULL, NULL);
    for (size_t i = 0; i < n->n; i++) {
        add_value(f, &v->deps, eval(f, n->list[i], in), DP_FLOW_DIRECT);
        if (in->kind != DP_FLOW_RECORD || n->func->special) add_value(f, &v->deps, eval(f, n->list[i], element), DP_FLOW_DIRECT);
    }
    v->nullable = nullable;
    return v;
}

static bool is_one_of(struct dp_str name, const char *const *list) {
    for (; *list; list++)
        if (dp_str_eqz(name, *list)) return true;
    return false;
}

/* Its length is a count, whatever the value. */
static bool has_count(const struct dp_flow *v) {
    if (v->kind == DP_FLOW_RECORD) return true;
    if (!v->type) return false;
    return !dp_type_is_integer(v->type) && v->type->id > DP_TYPE_DECIMAL && v->type->id != DP_TYPE_JSON;
}

static const struct dp_flow *call(struct flow *f, const struct dp_enode *n, const struct dp_flow *in) {
    static const char *const booleans[] = {"not", "has", "in", "contains", "inside", "startswith", "endswith", "test", "any", "all", "IN", NULL};
    static const char *const strings[] = {"type", "tostring", "tojson", "ascii_downcase", "ascii_upcase", "join", NULL};
    static const char *const dates[] = {"todate", "todateiso8601", NULL};
    static const char *const same[] = {"ltrimstr", "rtrimstr", "sort", "unique", "reverse", NULL};
    struct dp_str name = n->name;
    if (in->kind == DP_FLOW_NOTHING || dp_str_eqz(name, "empty") || dp_str_eqz(name, "error"))
        return dp_arena_calloc(f->a, 1, sizeof *in);
    switch ((enum dp_special)n->func->special) {
    case DP_SP_SELECT: return under(f, in, eval(f, n->list[0], in), in->kind == DP_FLOW_RECORD ? DP_FLOW_FILTER : DP_FLOW_CONDITION);
    case DP_SP_KINDS: return in;
    case DP_SP_DEL: return del(f, n->list[0], in);
    case DP_SP_FIRST: return eval(f, n->list[0], in);
    case DP_SP_NONE:
    case DP_SP_EMPTY:
    case DP_SP_MAP:
    case DP_SP_MAP_VALUES:
    case DP_SP_ANY:
    case DP_SP_ALL:
    case DP_SP_IN:
    case DP_SP_TEST: break;
    }
    if (is_one_of(name, booleans)) return of_args(f, n, in, type_of(DP_TYPE_BOOLEAN), false);
    if (is_one_of(name, strings)) return of_args(f, n, in, type_of(DP_TYPE_STRING), false);
    if (is_one_of(name, dates)) return of_args(f, n, in, type_of(DP_TYPE_TIMESTAMP), false);
    if (dp_str_eqz(name, "length")) return of_args(f, n, in, has_count(in) ? type_of(DP_TYPE_INT64) : NULL, false);
    if (is_one_of(name, same)) return of_args(f, n, in, is_type(in, DP_TYPE_STRING) || is_type(in, DP_TYPE_LIST) ? in->type : NULL, true);
    return of_args(f, n, in, NULL, true);
}

/* ---- the tree ---- */

static const struct dp_flow *constant(struct flow *f, const struct dp_enode *n) {
    struct dp_flow *v = new_value(f, NULL);
    struct dp_timestamp t;
    int64_t i;
    bool date = false;
    switch (n->val.kind) {
    case DP_KIND_NULL: v->is_null = true; return v;
    case DP_KIND_TRUE:
    case DP_KIND_FALSE: v->type = type_of(DP_TYPE_BOOLEAN); break;
    case DP_KIND_NUMBER: v->type = dp_parse_i64(n->val.s, &i) ? type_of(DP_TYPE_INT64) : NULL; break;
    case DP_KIND_STRING: /* one that reads as a date or time is inference's, as in the data */
        date = n->val.s.n >= 10 && (dp_time_parse(n->val.s, true, true, &t) || n->val.s.p[4] == '-');
        v->type = date ? NULL : type_of(DP_TYPE_STRING);
        break;
    default: break;
    }
    v->nullable = false;
    return v;
}

static const struct dp_flow *object(struct flow *f, const struct dp_enode *n, const struct dp_flow *in) {
    struct dp_flow *v = dp_arena_calloc(f->a, 1, sizeof *v), *opaque = new_value(f, NULL);
    bool named = true;
    v->kind = DP_FLOW_RECORD;
    v->fields = dp_arena_alloc(f->a, (n->n / 2 + 1) * sizeof *v->fields);
    for (size_t i = 0; i + 1 < n->n; i += 2) {
        const struct dp_enode *key = n->list[i];
        const struct dp_flow *value = eval(f, n->list[i + 1], in);
        if (value->kind == DP_FLOW_NOTHING) return value;
        add_value(f, &opaque->deps, value, DP_FLOW_DIRECT);
        if (key->kind == DP_EK_CONST && key->val.kind == DP_KIND_STRING) set_field(v, key->val.s, value);
        else named = false, add_value(f, &opaque->deps, eval(f, key, in), DP_FLOW_DIRECT);
    }
    return named ? v : opaque;
}

static const struct dp_flow *branches(struct flow *f, const struct dp_enode *n, const struct dp_flow *in) {
    const struct dp_flow *v = eval(f, n->a, in);
    for (size_t i = 0; i < n->n; i += 2) v = join(f, v, eval(f, n->list[i + 1], in));
    for (size_t i = 0; i < n->n; i += 2) v = under(f, v, eval(f, n->list[i], in), DP_FLOW_CONDITION);
    return v;
}

/* Strings, arrays, slices and the like: made of all their parts. */
static const struct dp_flow *parts(struct flow *f, const struct dp_enode *n, const struct dp_flow *in, const struct dp_type *type, bool nullable) {
    const struct dp_enode *const list[] = {n->a, n->b, n->c};
    struct dp_flow *v = new_value(f, type);
    for (size_t i = 0; i < 3; i++)
        if (list[i]) add_value(f, &v->deps, eval(f, list[i], in), DP_FLOW_DIRECT);
    for (size_t i = 0; i < n->n; i++) add_value(f, &v->deps, eval(f, n->list[i], in), DP_FLOW_DIRECT);
    v->nullable = nullable;
    return v;
}

/* What let the record through stays a condition of what is made of it. */
static const struct dp_flow *piped(struct flow *f, const struct dp_flow *record, const struct dp_flow *v) {
    if (record->kind != DP_FLOW_RECORD || (!record->deps.n && !record->deps.all) || v->kind == DP_FLOW_NOTHING) return v;
    struct dp_flow *w = dp_arena_alloc(f->a, sizeof *w);
    *w = *v;
    w->deps = (struct dp_flow_deps){0};
    dp_flow_add(f->a, &w->deps, &v->deps, DP_FLOW_COPY);
    dp_flow_add(f->a, &w->deps, &record->deps, DP_FLOW_COPY);
    return w;
}

static const struct dp_flow *index_of(struct flow *f, const struct dp_enode *n, const struct dp_flow *in) {
    const struct dp_flow *a = eval(f, n->a, in);
    if (a->kind == DP_FLOW_NOTHING) return a;
    if (n->b->kind == DP_EK_CONST && n->b->val.kind == DP_KIND_STRING) return member(f, a, n->b->val.s);
    const struct dp_type *t = is_type(a, DP_TYPE_LIST) && a->type->children[0]->id != DP_TYPE_NONE ? a->type->children[0] : NULL;
    return made_of(f, a, eval(f, n->b, in), t);
}

static const struct dp_flow *eval(struct flow *f, const struct dp_enode *n, const struct dp_flow *in) {
    const struct dp_flow *a;
    switch ((enum dp_ek)n->kind) {
    case DP_EK_IDENTITY: return in;
    case DP_EK_CONST: return constant(f, n);
    case DP_EK_VAR: return f->vars[n->slot];
    case DP_EK_INDEX: return index_of(f, n, in);
    case DP_EK_ITERATE:
        a = eval(f, n->a, in);
        if (a->kind == DP_FLOW_NOTHING) return a;
        return made_of(f, a, NULL, is_type(a, DP_TYPE_LIST) && a->type->children[0]->id != DP_TYPE_NONE ? a->type->children[0] : NULL);
    case DP_EK_SLICE:
        a = eval(f, n->a, in);
        return parts(f, n, in, is_type(a, DP_TYPE_STRING) || is_type(a, DP_TYPE_LIST) ? a->type : NULL, true);
    case DP_EK_STRING: return parts(f, n, in, type_of(DP_TYPE_STRING), false);
    case DP_EK_FORMAT: return made_of(f, in, NULL, type_of(DP_TYPE_STRING));
    case DP_EK_ARRAY: return parts(f, n, in, NULL, false);
    case DP_EK_NEG: return parts(f, n, in, NULL, true);
    case DP_EK_OBJECT: return object(f, n, in);
    case DP_EK_PIPE:
        a = eval(f, n->a, in);
        return a->kind == DP_FLOW_NOTHING ? a : piped(f, a, eval(f, n->b, a));
    case DP_EK_COMMA: return join(f, eval(f, n->a, in), eval(f, n->b, in));
    case DP_EK_ALT: {
        a = eval(f, n->a, in);
        const struct dp_flow *b = eval(f, n->b, in);
        struct dp_flow *v;
        if (a->kind != DP_FLOW_VALUE || b->kind != DP_FLOW_VALUE) return join(f, a, b);
        v = dp_arena_alloc(f->a, sizeof *v);
        *v = *join(f, a, b);
        v->nullable = b->nullable;
        return v;
    }
    case DP_EK_AND:
    case DP_EK_OR:
    case DP_EK_CMP: return parts(f, n, in, type_of(DP_TYPE_BOOLEAN), false);
    case DP_EK_ARITH: return arith(f, n->op, eval(f, n->a, in), eval(f, n->b, in));
    case DP_EK_ASSIGN: return assign(f, n, in);
    case DP_EK_IF: return branches(f, n, in);
    case DP_EK_TRY:
        a = eval(f, n->a, in);
        return n->b ? join(f, a, eval(f, n->b, in)) : a;
    case DP_EK_AS:
        f->vars[n->slot] = eval(f, n->a, in);
        return f->vars[n->slot]->kind == DP_FLOW_NOTHING ? f->vars[n->slot] : eval(f, n->b, in);
    case DP_EK_CALL: return call(f, n, in);
    case DP_EK_RECURSE:
    case DP_EK_REDUCE:
    case DP_EK_FOREACH:
    case DP_EK_DEF:
    case DP_EK_LABEL:
    case DP_EK_BREAK: break; /* not in the compiled part */
    }
    return made_of(f, in, NULL, NULL);
}

const struct dp_flow *dp_expr_flow(const struct dp_expr *e, const struct dp_type *schema, struct dp_arena *a) {
    struct flow f = {.a = a, .schema = schema};
    struct dp_flow *record = dp_arena_calloc(a, 1, sizeof *record);
    if (!e->compiled) return NULL;
    f.vars = dp_arena_calloc(a, e->n_vars + 1, sizeof *f.vars);
    for (size_t i = 0; i <= e->n_vars; i++) f.vars[i] = null_value(&f);
    record->kind = DP_FLOW_RECORD;
    record->open = true;
    return eval(&f, e->root, record);
}
