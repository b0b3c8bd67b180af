/*
 * Assignments (`=`, `|=`, `+=` ...) and del() on editions of the record: a container on the way to what changes is copied one level
 * deep, everything else stays the record's own bytes.  Paths that are taken: `.`, names and indexes, `.[]`, pipes of paths, `select(f)`.
 */
#include "expr_priv.h"

typedef enum dp_status change_fn(void *ctx, const struct dp_val *old, struct dp_val *out);

struct change {
    struct dp_expr_run *run;
    const struct dp_enode *n; /* the assignment, or the step */
    const struct dp_val *in;  /* what the expressions in brackets see */
    const struct dp_val *rhs;
    change_fn *fn;
    void *ctx;
};

static enum dp_status modify(struct dp_expr_run *run, const struct dp_enode *path, const struct dp_val *in, change_fn *fn, void *ctx,
                             struct dp_val *out);

bool dp_update_is_path(const struct dp_enode *n) {
    switch ((enum dp_ek)n->kind) {
    case DP_EK_IDENTITY: return true;
    case DP_EK_INDEX: return n->b->single && dp_update_is_path(n->a);
    case DP_EK_ITERATE: return dp_update_is_path(n->a);
    case DP_EK_PIPE: return dp_update_is_path(n->a) && dp_update_is_path(n->b);
    case DP_EK_CALL: return n->func && n->func->special == DP_SP_SELECT && n->list[0]->single;
    case DP_EK_RECURSE:
    case DP_EK_CONST:
    case DP_EK_VAR:
    case DP_EK_SLICE:
    case DP_EK_STRING:
    case DP_EK_FORMAT:
    case DP_EK_ARRAY:
    case DP_EK_OBJECT:
    case DP_EK_NEG:
    case DP_EK_COMMA:
    case DP_EK_ALT:
    case DP_EK_AND:
    case DP_EK_OR:
    case DP_EK_CMP:
    case DP_EK_ARITH:
    case DP_EK_ASSIGN:
    case DP_EK_IF:
    case DP_EK_TRY:
    case DP_EK_REDUCE:
    case DP_EK_FOREACH:
    case DP_EK_DEF:
    case DP_EK_AS:
    case DP_EK_LABEL:
    case DP_EK_BREAK: return false;
    }
    return false;
}

static struct dp_val empty_of(enum dp_kind kind, struct dp_expr_run *run) { return dp_val_cont(kind, dp_cont_new(run, 0)); }

static enum dp_status set_name(struct dp_expr_run *run, const struct dp_val *t, const struct dp_val *key, const struct dp_val *v,
                               struct dp_val *out) {
    struct dp_str name = dp_val_decode(run, key);
    struct dp_cont *c = dp_cont_edit(run, t, 1);
    uint32_t i = 0;
    while (i < c->n && !dp_val_key_is(&c->m[i].key, name)) i++;
    if (i == c->n) c->m[c->n++] = (struct dp_memb){.key = *key};
    c->m[i].v = *v;
    *out = dp_val_cont(DP_KIND_OBJECT, c);
    return DP_OK;
}

static enum dp_status set_index(struct dp_expr_run *run, const struct dp_val *t, int64_t i, const struct dp_val *v, struct dp_val *out) {
    int64_t len = dp_val_length(run, t);
    if (i < 0) i += len;
    if (i < 0) return dp_eval_fail(run, "a negative index is outside the array");
    if (i > (int64_t)DP_LIMIT_EXPR_INDEX) return dp_eval_fail(run, "an index is over %u", DP_LIMIT_EXPR_INDEX);
    struct dp_cont *c = dp_cont_edit(run, t, i < len ? 0 : (size_t)(i - len + 1));
    while (c->n <= i) c->m[c->n++] = (struct dp_memb){.v = dp_val_of(DP_KIND_NULL)};
    c->m[i].v = *v;
    *out = dp_val_cont(DP_KIND_ARRAY, c);
    return DP_OK;
}

/* t with t[key] replaced. */
static enum dp_status set_member(struct dp_expr_run *run, const struct dp_val *t, const struct dp_val *key, const struct dp_val *v,
                                 struct dp_val *out) {
    struct dp_val base = *t;
    int64_t i;
    DP_TRY(dp_eval_step(run));
    if (t->kind == DP_KIND_NULL && key->kind == DP_KIND_STRING) base = empty_of(DP_KIND_OBJECT, run);
    if (t->kind == DP_KIND_NULL && key->kind == DP_KIND_NUMBER) base = empty_of(DP_KIND_ARRAY, run);
    if (base.kind == DP_KIND_OBJECT && key->kind == DP_KIND_STRING) return set_name(run, &base, key, v, out);
    if (base.kind == DP_KIND_ARRAY && key->kind == DP_KIND_NUMBER && dp_num_place(key, &i)) return set_index(run, &base, i, v, out);
    return dp_eval_fail(run, "%s cannot be indexed with a %s", dp_val_kind_name(t->kind), dp_val_kind_name(key->kind));
}

static enum dp_status change_index(void *ctx, const struct dp_val *t, struct dp_val *out) {
    struct change *c = ctx;
    struct dp_val key, old, v;
    DP_TRY(dp_eval(c->run, c->n->b, c->in, &key));
    enum dp_status status = dp_eval_index(c->run, t, &key, &old);
    if (status == DP_RECORD && c->n->opt) {
        *out = *t;
        return DP_OK;
    }
    DP_TRY(status);
    DP_TRY(c->fn(c->ctx, &old, &v));
    return set_member(c->run, t, &key, &v, out);
}

static enum dp_status change_each(void *ctx, const struct dp_val *t, struct dp_val *out) {
    struct change *c = ctx;
    *out = *t;
    if (t->kind < DP_KIND_OBJECT) return c->n->opt ? DP_OK : dp_eval_fail(c->run, "%s has no elements", dp_val_kind_name(t->kind));
    struct dp_cont *k = dp_cont_edit(c->run, t, 0);
    for (uint32_t i = 0; i < k->n; i++) {
        struct dp_val old = k->m[i].v;
        DP_TRY(dp_eval_step(c->run));
        DP_TRY(c->fn(c->ctx, &old, &k->m[i].v));
    }
    *out = dp_val_cont((enum dp_kind)t->kind, k);
    return DP_OK;
}

static enum dp_status change_pipe(void *ctx, const struct dp_val *t, struct dp_val *out) {
    struct change *c = ctx;
    return modify(c->run, c->n->b, t, c->fn, c->ctx, out);
}

static enum dp_status modify(struct dp_expr_run *run, const struct dp_enode *path, const struct dp_val *in, change_fn *fn, void *ctx,
                             struct dp_val *out) {
    struct change c = {.run = run, .n = path, .in = in, .fn = fn, .ctx = ctx};
    bool yes;
    if (path->kind == DP_EK_INDEX) return modify(run, path->a, in, change_index, &c, out);
    if (path->kind == DP_EK_ITERATE) return modify(run, path->a, in, change_each, &c, out);
    if (path->kind == DP_EK_PIPE) return modify(run, path->a, in, change_pipe, &c, out);
    if (path->kind == DP_EK_CALL) { /* select(f) */
        DP_TRY(dp_eval_bool(run, path->list[0], in, &yes));
        if (!yes) {
            *out = *in;
            return DP_OK;
        }
    }
    return fn(ctx, in, out);
}

static enum dp_status change_value(void *ctx, const struct dp_val *old, struct dp_val *out) {
    struct change *c = ctx;
    char op = (char)c->n->op;
    DP_TRY(dp_eval_step(c->run));
    if (op == '|') return dp_eval(c->run, c->n->b, old, out);
    if (op == '=') *out = *c->rhs;
    else if (op == 'd') *out = dp_val_true(old) ? *old : *c->rhs;
    else return dp_val_arith(c->run, op, old, c->rhs, out);
    return DP_OK;
}

enum dp_status dp_update_assign(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, const struct dp_val *rhs,
                                struct dp_val *out) {
    struct change c = {.run = run, .n = n, .in = in, .rhs = rhs};
    return modify(run, n->a, in, change_value, &c, out);
}

/* ---- del ---- */

/* Names from `.`; the last step of a single path may be a number. */
static bool is_names(const struct dp_enode *n, bool number_ok) {
    if (n->kind == DP_EK_IDENTITY) return true;
    if (n->kind != DP_EK_INDEX || n->opt || n->b->kind != DP_EK_CONST) return false;
    if (n->b->val.kind != DP_KIND_STRING && !(number_ok && n->b->val.kind == DP_KIND_NUMBER)) return false;
    return is_names(n->a, false);
}

static unsigned count_steps(const struct dp_enode *n) {
    unsigned k = 0;
    for (; n->kind == DP_EK_INDEX; n = n->a) k++;
    return k;
}

static bool all_names(const struct dp_enode *n) {
    if (n->kind == DP_EK_COMMA) return all_names(n->a) && all_names(n->b);
    return n->kind == DP_EK_INDEX && is_names(n, false);
}

bool dp_update_is_deletable(const struct dp_enode *n) { return n->kind == DP_EK_COMMA ? all_names(n) : n->kind == DP_EK_INDEX && is_names(n, true); }

static enum dp_status drop_member(struct dp_expr_run *run, const struct dp_val *t, const struct dp_val *key, struct dp_val *out) {
    struct dp_val v;
    int64_t i;
    uint32_t at = 0;
    *out = *t;
    if (t->kind == DP_KIND_NULL) return DP_OK;
    if (t->kind == DP_KIND_OBJECT && key->kind == DP_KIND_STRING) {
        struct dp_str name = dp_val_decode(run, key);
        if (!dp_val_member(run, t, name, &v)) return DP_OK;
        struct dp_cont *c = dp_cont_edit(run, t, 0);
        while (!dp_val_key_is(&c->m[at].key, name)) at++;
        memmove(c->m + at, c->m + at + 1, (--c->n - at) * sizeof *c->m);
        *out = dp_val_cont(DP_KIND_OBJECT, c);
        return DP_OK;
    }
    if (t->kind == DP_KIND_ARRAY && key->kind == DP_KIND_NUMBER && dp_num_place(key, &i)) {
        int64_t len = dp_val_length(run, t);
        if (i < 0) i += len;
        if (i < 0 || i >= len) return DP_OK;
        struct dp_cont *c = dp_cont_edit(run, t, 0);
        memmove(c->m + i, c->m + i + 1, (size_t)(--c->n - i) * sizeof *c->m);
        *out = dp_val_cont(DP_KIND_ARRAY, c);
        return DP_OK;
    }
    return dp_eval_fail(run, "%s cannot be indexed with a %s", dp_val_kind_name(t->kind), dp_val_kind_name(key->kind));
}

/* The step `steps` from the end of the chain. */
static const struct dp_enode *chain_at(const struct dp_enode *n, unsigned steps) {
    while (steps--) n = n->a;
    return n;
}

/* Drops what the chain names in t; `left` steps are to go. */
static enum dp_status drop_path(struct dp_expr_run *run, const struct dp_enode *chain, unsigned left, const struct dp_val *t,
                                struct dp_val *out) {
    const struct dp_val *key = &chain_at(chain, left - 1)->b->val;
    struct dp_val child, v;
    if (left == 1) return drop_member(run, t, key, out);
    *out = *t;
    DP_TRY(dp_eval_index(run, t, key, &child));
    if (child.kind == DP_KIND_NULL) return DP_OK;
    DP_TRY(drop_path(run, chain, left - 1, &child, &v));
    if (v.c == child.c && v.node == child.node && v.kind == child.kind) return DP_OK; /* nothing was there */
    return set_member(run, t, key, &v, out);
}

static enum dp_status drop_all(struct dp_expr_run *run, const struct dp_enode *n, struct dp_val *v) {
    struct dp_val out;
    if (n->kind == DP_EK_COMMA) {
        DP_TRY(drop_all(run, n->a, v));
        return drop_all(run, n->b, v);
    }
    DP_TRY(drop_path(run, n, count_steps(n), v, &out));
    *v = out;
    return DP_OK;
}

/* A path must be legal in the value as it came in, whatever the others delete. */
static enum dp_status check_all(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in) {
    struct dp_val v;
    if (n->kind != DP_EK_COMMA) return dp_eval(run, n, in, &v);
    DP_TRY(check_all(run, n->a, in));
    return check_all(run, n->b, in);
}

enum dp_status dp_update_del(struct dp_expr_run *run, const struct dp_enode *paths, const struct dp_val *in, struct dp_val *out) {
    DP_TRY(check_all(run, paths, in));
    *out = *in;
    return drop_all(run, paths, out);
}
