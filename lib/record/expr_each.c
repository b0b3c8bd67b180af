/*
 * Evaluation of nodes that may have no output or several, by calling back for each, and printing of a program's output without
 * making values in between.  The order is jq's: of operands the right one is the outer loop, of an object's members the first.
 */
#include "expr_priv.h"

struct each {
    struct dp_expr_run *run;
    const struct dp_enode *n;
    const struct dp_val *in;
    dp_emit *emit;
    void *ctx;
    const struct dp_val *other; /* the operand of the outer loop */
    const struct dp_val *more;
    struct dp_cont *object;
    size_t at;
    bool found, failed_below;
};

static enum dp_status give(struct each *e, const struct dp_val *v) {
    DP_TRY(dp_eval_step(e->run));
    return e->emit(e->ctx, v);
}

static enum dp_status pipe_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    return dp_eval_each(e->run, e->n->b, v, e->emit, e->ctx);
}

static enum dp_status alt_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    if (!dp_val_true(v)) return DP_OK;
    e->found = true;
    return give(e, v);
}

static enum dp_status neg_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    struct dp_val out;
    if (v->kind != DP_KIND_NUMBER) return dp_eval_fail(e->run, "%s cannot be negated", dp_val_kind_name(v->kind));
    DP_TRY(dp_num_negate(e->run, v, &out));
    return give(e, &out);
}

/* ---- two operands: the outer loop hands its value to the inner one ---- */

static enum dp_status inner_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    struct dp_val out;
    if (e->n->kind == DP_EK_CMP) out = dp_val_bool(dp_val_cmp_op(e->run, (enum dp_cmp)e->n->op, v, e->other));
    else if (e->n->kind == DP_EK_ARITH) DP_TRY(dp_val_arith(e->run, (char)e->n->op, v, e->other, &out));
    else DP_TRY(dp_eval_index(e->run, v, e->other, &out));
    return give(e, &out);
}

static enum dp_status outer_emit(void *ctx, const struct dp_val *v) {
    struct each inner = *(struct each *)ctx;
    inner.other = v;
    return dp_eval_each(inner.run, inner.n->a, inner.in, inner_emit, &inner);
}

static enum dp_status truth_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    struct dp_val out = dp_val_bool(dp_val_true(v));
    return give(e, &out);
}

static enum dp_status logic_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    bool yes = dp_val_true(v);
    if (yes == (e->n->kind == DP_EK_AND)) return dp_eval_each(e->run, e->n->b, e->in, truth_emit, e);
    struct dp_val out = dp_val_bool(yes);
    return give(e, &out);
}

/* ---- .[] ---- */

static enum dp_status iterate_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    struct dp_vit it;
    struct dp_val x;
    if (v->kind < DP_KIND_OBJECT)
        return e->n->opt ? DP_OK : dp_eval_fail(e->run, "%s has no elements", dp_val_kind_name(v->kind));
    dp_vit_open(e->run, v, &it);
    while (dp_vit_next(&it, NULL, &x, NULL)) DP_TRY(give(e, &x));
    return DP_OK;
}

/* `.a?`: only this step's own error is dropped. */
static enum dp_status opt_inner_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    struct dp_val out;
    enum dp_status status = dp_eval_index(e->run, v, e->other, &out);
    if (status == DP_RECORD) return DP_OK;
    return status == DP_OK ? give(e, &out) : status;
}

static enum dp_status opt_outer_emit(void *ctx, const struct dp_val *v) {
    struct each inner = *(struct each *)ctx;
    inner.other = v;
    return dp_eval_each(inner.run, inner.n->a, inner.in, opt_inner_emit, &inner);
}

/* ---- objects: pairs in order, each output of a pair times those of the rest ---- */

static enum dp_status object_rest(struct each *e);

static enum dp_status object_value_emit(void *ctx, const struct dp_val *v) {
    struct each e = *(struct each *)ctx;
    struct dp_str name = dp_val_decode(e.run, e.other);
    struct dp_val before = dp_val_cont(DP_KIND_OBJECT, e.object);
    struct dp_cont *c = dp_cont_edit(e.run, &before, 1);
    uint32_t i = 0;
    while (i < c->n && !dp_val_key_is(&c->m[i].key, name)) i++;
    if (i == c->n) c->m[c->n++] = (struct dp_memb){.key = *e.other};
    c->m[i].v = *v;
    e.object = c;
    e.at += 2;
    DP_TRY(dp_eval_step(e.run));
    return object_rest(&e);
}

static enum dp_status object_key_emit(void *ctx, const struct dp_val *v) {
    struct each e = *(struct each *)ctx;
    if (v->kind != DP_KIND_STRING) return dp_eval_fail(e.run, "a %s cannot be an object's key", dp_val_kind_name(v->kind));
    e.other = v;
    return dp_eval_each(e.run, e.n->list[e.at + 1], e.in, object_value_emit, &e);
}

static enum dp_status object_rest(struct each *e) {
    if (e->at < e->n->n) return dp_eval_each(e->run, e->n->list[e->at], e->in, object_key_emit, e);
    struct dp_val out = dp_val_cont(DP_KIND_OBJECT, e->object);
    return give(e, &out);
}

/* ---- if, select, as, try ---- */

static enum dp_status if_from(struct each *e);

static enum dp_status if_emit(void *ctx, const struct dp_val *v) {
    struct each e = *(struct each *)ctx;
    if (dp_val_true(v)) return dp_eval_each(e.run, e.n->list[e.at + 1], e.in, e.emit, e.ctx);
    e.at += 2;
    return if_from(&e);
}

static enum dp_status if_from(struct each *e) {
    if (e->at < e->n->n) return dp_eval_each(e->run, e->n->list[e->at], e->in, if_emit, e);
    return dp_eval_each(e->run, e->n->a, e->in, e->emit, e->ctx);
}

static enum dp_status select_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    return dp_val_true(v) ? give(e, e->in) : DP_OK;
}

static enum dp_status as_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    struct dp_val old = e->run->vars[e->n->slot];
    e->run->vars[e->n->slot] = *v;
    enum dp_status status = dp_eval_each(e->run, e->n->b, e->in, e->emit, e->ctx);
    e->run->vars[e->n->slot] = old;
    return status;
}

static enum dp_status try_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    enum dp_status status = give(e, v);
    e->failed_below = status != DP_OK; /* not the body's own error */
    return status;
}

static enum dp_status each_try(struct each *e) {
    enum dp_status status = dp_eval_each(e->run, e->n->a, e->in, try_emit, e);
    if (status != DP_RECORD || e->failed_below || e->run->steps > DP_LIMIT_EXPR_STEPS) return status;
    return e->n->b ? give(e, &e->n->b->val) : DP_OK;
}

/* ---- calls ---- */

static enum dp_status arg_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    struct dp_val out;
    DP_TRY(e->n->func->fn(e->run, e->n, e->in, v, &out));
    return give(e, &out);
}

static enum dp_status first_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    *(struct dp_val *)e->ctx = *v;
    e->found = true;
    return DP_END;
}

static enum dp_status each_first(struct each *e) {
    struct dp_val v;
    struct each inner = *e;
    inner.ctx = &v;
    enum dp_status status = dp_eval_each(e->run, e->n->list[0], e->in, first_emit, &inner);
    if (inner.found) return give(e, &v);
    return status;
}

static enum dp_status each_call(struct each *e) {
    switch ((enum dp_special)e->n->func->special) {
    case DP_SP_EMPTY: return DP_OK;
    case DP_SP_SELECT: return dp_eval_each(e->run, e->n->list[0], e->in, select_emit, e);
    case DP_SP_FIRST: return each_first(e);
    case DP_SP_KINDS: return e->n->func->aux >> e->in->kind & 1 ? give(e, e->in) : DP_OK;
    case DP_SP_NONE: return dp_eval_each(e->run, e->n->list[0], e->in, arg_emit, e); /* one argument with several outputs */
    case DP_SP_MAP:
    case DP_SP_MAP_VALUES:
    case DP_SP_ANY:
    case DP_SP_ALL:
    case DP_SP_IN:
    case DP_SP_DEL:
    case DP_SP_TEST: break;
    }
    return dp_err_set(e->run->err, DP_BUG, "an expression's call has a single output");
}

static enum dp_status slice_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    struct dp_val out, old = e->run->vars[e->n->slot];
    struct dp_enode slice = *e->n, var = {.kind = DP_EK_VAR, .single = true, .slot = e->n->slot};
    slice.a = &var;
    slice.single = true;
    e->run->vars[e->n->slot] = *v;
    enum dp_status status = dp_eval(e->run, &slice, e->in, &out);
    e->run->vars[e->n->slot] = old;
    if (status == DP_RECORD && e->n->opt) return DP_OK;
    return status == DP_OK ? give(e, &out) : status;
}

static enum dp_status assign_emit(void *ctx, const struct dp_val *v) {
    struct each *e = ctx;
    struct dp_val out;
    DP_TRY(dp_update_assign(e->run, e->n, e->in, v, &out));
    return give(e, &out);
}

enum dp_status dp_eval_each(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, dp_emit *emit, void *ctx) {
    struct each e = {.run = run, .n = n, .in = in, .emit = emit, .ctx = ctx};
    if (n->single || n->folded) {
        struct dp_val v;
        DP_TRY(dp_eval(run, n, in, &v));
        return give(&e, &v);
    }
    switch ((enum dp_ek)n->kind) {
    case DP_EK_PIPE: return dp_eval_each(run, n->a, in, pipe_emit, &e);
    case DP_EK_COMMA:
        DP_TRY(dp_eval_each(run, n->a, in, emit, ctx));
        return dp_eval_each(run, n->b, in, emit, ctx);
    case DP_EK_ITERATE: return dp_eval_each(run, n->a, in, iterate_emit, &e);
    case DP_EK_INDEX: return dp_eval_each(run, n->b, in, n->opt ? opt_outer_emit : outer_emit, &e);
    case DP_EK_SLICE: return dp_eval_each(run, n->a, in, slice_emit, &e);
    case DP_EK_CMP:
    case DP_EK_ARITH: return dp_eval_each(run, n->b, in, outer_emit, &e);
    case DP_EK_NEG: return dp_eval_each(run, n->a, in, neg_emit, &e);
    case DP_EK_AND:
    case DP_EK_OR: return dp_eval_each(run, n->a, in, logic_emit, &e);
    case DP_EK_ALT:
        DP_TRY(dp_eval_each(run, n->a, in, alt_emit, &e));
        return e.found ? DP_OK : dp_eval_each(run, n->b, in, emit, ctx);
    case DP_EK_OBJECT:
        e.object = dp_cont_new(run, 0);
        return object_rest(&e);
    case DP_EK_IF: return if_from(&e);
    case DP_EK_AS: return dp_eval_each(run, n->a, in, as_emit, &e);
    case DP_EK_TRY: return each_try(&e);
    case DP_EK_CALL: return each_call(&e);
    case DP_EK_ASSIGN: return dp_eval_each(run, n->b, in, assign_emit, &e);
    case DP_EK_IDENTITY:
    case DP_EK_RECURSE:
    case DP_EK_CONST:
    case DP_EK_VAR:
    case DP_EK_STRING:
    case DP_EK_FORMAT:
    case DP_EK_ARRAY:
    case DP_EK_REDUCE:
    case DP_EK_FOREACH:
    case DP_EK_DEF:
    case DP_EK_LABEL:
    case DP_EK_BREAK: break;
    }
    return dp_err_set(run->err, DP_BUG, "an expression's node has a single output");
}

/* ---- printing ---- */

/* `{a, b: .c}` with constant, different keys: straight to the text. */
static enum dp_status print_object(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_buf *out) {
    dp_buf_addc(out, '{');
    for (size_t i = 0; i < n->n; i += 2) {
        dp_buf_adds(out, n->list[i]->ktext); /* the comma, the key and the colon */
        DP_TRY(dp_eval_print(run, n->list[i + 1], in, out));
    }
    dp_buf_addc(out, '}');
    return DP_OK;
}

enum dp_status dp_eval_print(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_buf *out) {
    struct dp_val v;
    if (n->kind == DP_EK_OBJECT && n->op && !n->folded) return print_object(run, n, in, out);
    if (n->path && !in->c && in->kind == DP_KIND_OBJECT && in->node == 0) {
        uint32_t i = dp_path_find(n->path, &run->hints[n->slot], run->r);
        if (i) {
            const struct dp_node *k = &run->r->nodes[i];
            bool quotes = k->kind == DP_KIND_STRING;
            dp_buf_add(out, run->r->base + k->off - quotes, k->len + 2u * quotes);
            return DP_OK;
        }
    }
    DP_TRY(dp_eval(run, n, in, &v));
    dp_val_print(run, &v, false, out);
    return DP_OK;
}
