/*
 * What can be said of an expression without reading records: the top-level fields that it may read, and from statistics whether
 * no row or every row satisfies it.  Both err on the safe side: a field too many, DP_MAYBE.
 */
#include "expr_priv.h"

#include <dp/base/decimal.h>

/* ---- fields ---- */

struct fields {
    struct dp_expr *e;
    size_t cap;
};

static void add_field(struct fields *f, struct dp_str name) {
    struct dp_expr *e = f->e;
    if (memchr(name.p, 0, name.n)) { /* a name that the list cannot carry */
        e->all_fields = true;
        return;
    }
    for (size_t i = 0; i < e->n_fields; i++)
        if (dp_str_eqz(name, e->fields[i])) return;
    if (e->n_fields == f->cap) e->fields = dp_grow(e->fields, &f->cap, e->n_fields + 1, sizeof *e->fields);
    e->fields[e->n_fields++] = dp_arena_strdup(&e->arena, dp_arena_str(&e->arena, name).p);
}

static bool reads(struct fields *f, const struct dp_enode *n, bool root);

/* A value that is looked at as a whole. */
static bool whole(struct fields *f, const struct dp_enode *n, bool root) {
    if (n && reads(f, n, root)) f->e->all_fields = true;
    return false;
}

static bool reads_call(struct fields *f, const struct dp_enode *n, bool root) {
    const struct dp_func *fn = dp_func_find(n->name, n->n);
    bool of_args = fn && (fn->special == DP_SP_EMPTY || fn->special == DP_SP_FIRST || fn->special == DP_SP_SELECT ||
                          dp_str_eqz(n->name, "not") || (n->n == 2 && (fn->special == DP_SP_ANY || fn->special == DP_SP_IN)));
    if (root && !of_args) {
        f->e->all_fields = true;
        return false;
    }
    if (fn && fn->special == DP_SP_SELECT) {
        (void)reads(f, n->list[0], root); /* its truth only */
        return root;
    }
    if (fn && fn->special == DP_SP_FIRST) return reads(f, n->list[0], root);
    if (fn && fn->special == DP_SP_ANY && n->n == 2) {
        bool r = reads(f, n->list[0], root);
        (void)reads(f, n->list[1], r);
        return false;
    }
    for (size_t i = 0; i < n->n; i++) whole(f, n->list[i], root);
    return false;
}

/* Notes what is read when `.` is the record (root) or something else; true: an output may be the record itself. */
static bool reads(struct fields *f, const struct dp_enode *n, bool root) {
    bool r = false;
    switch ((enum dp_ek)n->kind) {
    case DP_EK_IDENTITY: return root;
    case DP_EK_CONST: return false;
    case DP_EK_VAR: return false; /* a variable that held the record was noted at its `as` */
    case DP_EK_INDEX:
        whole(f, n->b, root);
        if (!reads(f, n->a, root)) return false;
        if (n->b->kind == DP_EK_CONST && n->b->val.kind == DP_KIND_STRING) add_field(f, n->b->val.s);
        else f->e->all_fields = true;
        return false;
    case DP_EK_PIPE: return reads(f, n->b, reads(f, n->a, root));
    case DP_EK_COMMA:
    case DP_EK_ALT:
        r = reads(f, n->a, root);
        return reads(f, n->b, root) || r;
    case DP_EK_AND:
    case DP_EK_OR:
        (void)reads(f, n->a, root);
        (void)reads(f, n->b, root);
        return false;
    case DP_EK_IF:
        for (size_t i = 0; i < n->n; i += 2) {
            (void)reads(f, n->list[i], root);
            r = reads(f, n->list[i + 1], root) || r;
        }
        return reads(f, n->a, root) || r;
    case DP_EK_TRY:
        if (n->b) whole(f, n->b, false);
        return reads(f, n->a, root);
    case DP_EK_AS:
        whole(f, n->a, root);
        for (size_t i = 0; root && i < n->n_pats; i++)
            if (n->pats[i]->kind) f->e->all_fields = true; /* a pattern may hold expressions */
        return reads(f, n->b, root);
    case DP_EK_CALL: return reads_call(f, n, root);
    case DP_EK_SLICE:
    case DP_EK_ITERATE:
    case DP_EK_STRING:
    case DP_EK_ARRAY:
    case DP_EK_OBJECT:
    case DP_EK_NEG:
    case DP_EK_CMP:
    case DP_EK_ARITH:
        for (size_t i = 0; i < n->n; i++) whole(f, n->list[i], root);
        whole(f, n->a, root), whole(f, n->b, root), whole(f, n->c, root);
        return false;
    case DP_EK_RECURSE:
    case DP_EK_FORMAT:
    case DP_EK_ASSIGN:
    case DP_EK_REDUCE:
    case DP_EK_FOREACH:
    case DP_EK_DEF:
    case DP_EK_LABEL:
    case DP_EK_BREAK: f->e->all_fields = f->e->all_fields || root || n->kind == DP_EK_DEF; return false;
    }
    return root;
}

void dp_expr_find_fields(struct dp_expr *e) {
    struct fields f = {.e = e};
    whole(&f, e->root, true);
}

/* ---- statistics ---- */

enum { CAN_TRUE = 1, CAN_FALSE = 2, CAN_BOTH = 3 };

struct skip {
    bool (*bounds)(void *ctx, struct dp_str field, struct dp_expr_bounds *out);
    void *ctx;
};

static bool is_field(const struct dp_enode *n, struct dp_str *name) {
    if (n->kind != DP_EK_INDEX || n->a->kind != DP_EK_IDENTITY || n->b->kind != DP_EK_CONST || n->b->val.kind != DP_KIND_STRING) return false;
    *name = n->b->val.s;
    return true;
}

static bool get_bounds(const struct skip *s, struct dp_str field, struct dp_expr_bounds *b) {
    memset(b, 0, sizeof *b);
    b->nulls = -1;
    return s->bounds(s->ctx, field, b) && b->known;
}

static int bound_cmp(enum dp_kind kind, struct dp_str a, struct dp_str b) {
    return kind == DP_KIND_NUMBER ? dp_number_cmp(a, b) : dp_str_cmp(a, b);
}

/* Values between lo and hi (orders of the bounds against the constant). */
static unsigned range_outcome(enum dp_cmp op, int lo, int hi) {
    bool yes = false, no = false;
    switch (op) {
    case DP_CMP_EQ: yes = lo <= 0 && hi >= 0, no = lo != 0 || hi != 0; break;
    case DP_CMP_NE: no = lo <= 0 && hi >= 0, yes = lo != 0 || hi != 0; break;
    case DP_CMP_LT: yes = lo < 0, no = hi >= 0; break;
    case DP_CMP_LE: yes = lo <= 0, no = hi > 0; break;
    case DP_CMP_GT: yes = hi > 0, no = lo <= 0; break;
    case DP_CMP_GE: yes = hi >= 0, no = lo < 0; break;
    }
    return (yes ? CAN_TRUE : 0u) | (no ? CAN_FALSE : 0u);
}

static unsigned kinds_outcome(enum dp_cmp op, enum dp_kind a, enum dp_kind b) {
    int d = dp_val_kind_rank((uint8_t)a) - dp_val_kind_rank((uint8_t)b);
    return range_outcome(op, d, d);
}

/* What comparing the field with the constant can give. */
static unsigned cmp_outcome(const struct skip *s, struct dp_str field, enum dp_cmp op, const struct dp_val *k) {
    struct dp_expr_bounds b;
    unsigned out = 0;
    if (k->kind >= DP_KIND_OBJECT || !get_bounds(s, field, &b)) return CAN_BOTH;
    if (b.nulls != 0) {
        if (op == DP_CMP_EQ || op == DP_CMP_NE) out |= (k->kind == DP_KIND_NULL) == (op == DP_CMP_EQ) ? CAN_TRUE : CAN_FALSE;
        else out |= CAN_FALSE;
    }
    if (b.nulls >= 0 && b.nulls >= b.rows) return out;
    if (k->kind == DP_KIND_NULL) return out | (op == DP_CMP_NE ? CAN_TRUE : CAN_FALSE);
    if (b.kind != DP_KIND_NUMBER && b.kind != DP_KIND_STRING) return CAN_BOTH;
    if (b.may_nan) out |= k->kind == DP_KIND_STRING ? CAN_BOTH : kinds_outcome(op, DP_KIND_STRING, (enum dp_kind)k->kind);
    if (k->kind != b.kind) return out | kinds_outcome(op, b.kind, (enum dp_kind)k->kind);
    return out | range_outcome(op, bound_cmp(b.kind, b.min, k->s), bound_cmp(b.kind, b.max, k->s));
}

static unsigned prefix_outcome(const struct skip *s, struct dp_str field, struct dp_str prefix) {
    struct dp_expr_bounds b;
    if (!get_bounds(s, field, &b) || b.nulls != 0 || b.kind != DP_KIND_STRING || b.may_nan) return CAN_BOTH; /* null would be an error */
    struct dp_str lo = b.min, hi = b.max;
    if (lo.n > prefix.n) lo.n = prefix.n;
    if (hi.n > prefix.n) hi.n = prefix.n;
    if (dp_str_cmp(hi, prefix) < 0 || dp_str_cmp(lo, prefix) > 0) return CAN_FALSE;
    return dp_str_starts(b.min, prefix) && dp_str_starts(b.max, prefix) ? CAN_TRUE : CAN_BOTH;
}

/* `.f | IN("a", "b")` */
static unsigned in_outcome(const struct skip *s, struct dp_str field, const struct dp_enode *list) {
    if (list->kind == DP_EK_CONST) return cmp_outcome(s, field, DP_CMP_EQ, &list->val);
    if (list->kind != DP_EK_COMMA) return CAN_BOTH;
    unsigned a = in_outcome(s, field, list->a), b = in_outcome(s, field, list->b);
    return ((a | b) & CAN_TRUE) | (a & b & CAN_FALSE);
}

static unsigned outcome(const struct skip *s, const struct dp_enode *n);

static unsigned pipe_outcome(const struct skip *s, const struct dp_enode *n) {
    struct dp_str field;
    const struct dp_enode *call = n->b;
    if (call->kind != DP_EK_CALL) return CAN_BOTH;
    if (call->n == 0 && dp_str_eqz(call->name, "not")) {
        unsigned u = outcome(s, n->a);
        return (u & CAN_TRUE ? CAN_FALSE : 0u) | (u & CAN_FALSE ? CAN_TRUE : 0u);
    }
    if (call->n != 1 || !is_field(n->a, &field)) return CAN_BOTH;
    if (dp_str_eqz(call->name, "IN")) return in_outcome(s, field, call->list[0]);
    if (dp_str_eqz(call->name, "startswith") && call->list[0]->kind == DP_EK_CONST && call->list[0]->val.kind == DP_KIND_STRING)
        return prefix_outcome(s, field, call->list[0]->val.s);
    return CAN_BOTH;
}

static unsigned outcome(const struct skip *s, const struct dp_enode *n) {
    static const uint8_t mirror[] = {DP_CMP_EQ, DP_CMP_NE, DP_CMP_GT, DP_CMP_GE, DP_CMP_LT, DP_CMP_LE};
    struct dp_str field;
    struct dp_expr_bounds b;
    unsigned x, y;
    if (n->kind == DP_EK_AND || n->kind == DP_EK_OR) {
        x = outcome(s, n->a), y = outcome(s, n->b);
        unsigned all = n->kind == DP_EK_AND ? CAN_TRUE : CAN_FALSE;
        return (x & y & all) | ((x | y) & (CAN_BOTH ^ all));
    }
    if (n->kind == DP_EK_CMP) {
        if (is_field(n->a, &field) && n->b->kind == DP_EK_CONST) return cmp_outcome(s, field, (enum dp_cmp)n->op, &n->b->val);
        if (is_field(n->b, &field) && n->a->kind == DP_EK_CONST) return cmp_outcome(s, field, (enum dp_cmp)mirror[n->op], &n->a->val);
        return CAN_BOTH;
    }
    if (n->kind == DP_EK_CONST) return dp_val_true(&n->val) ? CAN_TRUE : CAN_FALSE;
    if (n->kind == DP_EK_PIPE) return pipe_outcome(s, n);
    if (n->kind == DP_EK_CALL && n->n == 1 && dp_str_eqz(n->name, "select")) return outcome(s, n->list[0]);
    if (is_field(n, &field) && get_bounds(s, field, &b)) { /* a field's truth */
        if (b.nulls >= 0 && b.nulls >= b.rows) return CAN_FALSE;
        if (b.nulls == 0 && (b.kind == DP_KIND_NUMBER || b.kind == DP_KIND_STRING)) return CAN_TRUE;
    }
    return CAN_BOTH;
}

enum dp_maybe dp_expr_skip(const struct dp_expr *e, bool (*bounds)(void *ctx, struct dp_str field, struct dp_expr_bounds *out), void *ctx) {
    struct skip s = {.bounds = bounds, .ctx = ctx};
    switch (outcome(&s, e->root)) {
    case CAN_FALSE: return DP_NEVER;
    case CAN_TRUE: return DP_ALWAYS;
    default: return DP_MAYBE;
    }
}
