/* The top-level fields that an expression may read, found without reading records; rather a field too many. */
#include "expr_priv.h"

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
