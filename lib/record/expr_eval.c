/*
 * Evaluation of the compiled part, straight on the tree.  A node with one output is a plain call (dp_eval); one that may have
 * none or several calls back for each (dp_eval_each), in jq's order of backtracking: of two operands the right one is the outer loop.
 * dp_eval_bool is the quick way of a filter: the common comparisons look at the record's bytes and make no value.
 */
#include "expr_priv.h"

#include <dp/base/decimal.h>

enum dp_status dp_eval_fail(struct dp_expr_run *run, const char *fmt, ...) {
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return dp_err_set(run->err, DP_RECORD, "%s", msg);
}

enum dp_status dp_eval_step(struct dp_expr_run *run) {
    if (++run->steps > DP_LIMIT_EXPR_STEPS) return dp_eval_fail(run, "it takes more than %u steps for one record", DP_LIMIT_EXPR_STEPS);
    if (run->arena.used > DP_LIMIT_EXPR_MEMORY)
        return dp_eval_fail(run, "it needs more than %u MiB for one record", DP_LIMIT_EXPR_MEMORY >> 20);
    return DP_OK;
}

static bool is_root(const struct dp_val *v) { return v->kind == DP_KIND_OBJECT && !v->c && v->node == 0; }

enum dp_status dp_eval_index(struct dp_expr_run *run, const struct dp_val *t, const struct dp_val *key, struct dp_val *out) {
    int64_t i;
    *out = dp_val_of(DP_KIND_NULL);
    if (t->kind == DP_KIND_OBJECT && key->kind == DP_KIND_STRING) {
        (void)dp_val_member(run, t, dp_val_decode(run, key), out);
        return DP_OK;
    }
    if (t->kind == DP_KIND_ARRAY && key->kind == DP_KIND_NUMBER) {
        if (dp_num_index(key, &i)) (void)dp_val_element(run, t, i, out);
        return DP_OK;
    }
    if (t->kind == DP_KIND_NULL && (key->kind == DP_KIND_STRING || key->kind == DP_KIND_NUMBER || key->kind == DP_KIND_OBJECT)) return DP_OK;
    if ((t->kind == DP_KIND_ARRAY || t->kind == DP_KIND_STRING) && key->kind >= DP_KIND_OBJECT)
        return dp_eval_fail(run, "a search or a slice is not an index");
    return dp_eval_fail(run, "%s cannot be indexed with a %s", dp_val_kind_name(t->kind), dp_val_kind_name(key->kind));
}

/* ---- slices ---- */

static enum dp_status slice_bound(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, int64_t len, bool end,
                                  int64_t *out) {
    struct dp_val v;
    double d;
    *out = end ? len : 0;
    if (!n) return DP_OK;
    DP_TRY(dp_eval(run, n, in, &v));
    if (v.kind == DP_KIND_NULL) return DP_OK;
    if (v.kind != DP_KIND_NUMBER || !dp_parse_double(v.s, &d)) return dp_eval_fail(run, "a slice needs numbers");
    if (d < 0) d += (double)len;
    if (d < 0) d = 0;
    if (d > (double)len) d = (double)len;
    *out = (int64_t)d;
    if (end && (double)*out < d) ++*out; /* the end is rounded up, the start down */
    return DP_OK;
}

static size_t utf8_at(struct dp_str s, int64_t chars) {
    size_t i = 0;
    while (chars-- > 0 && i < s.n) {
        i++;
        while (i < s.n && ((unsigned char)s.p[i] & 0xc0) == 0x80) i++;
    }
    return i;
}

static enum dp_status eval_slice(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, const struct dp_val *t,
                                 struct dp_val *out) {
    int64_t len = 0, from, end;
    struct dp_str s = {0};
    if (t->kind == DP_KIND_STRING) {
        s = dp_val_decode(run, t);
        len = (int64_t)dp_json_length(s, 0);
    } else if (t->kind == DP_KIND_ARRAY) {
        len = dp_val_length(run, t);
    } else if (t->kind != DP_KIND_NULL) {
        return dp_eval_fail(run, "%s cannot be sliced", dp_val_kind_name(t->kind));
    }
    DP_TRY(slice_bound(run, n->b, in, len, false, &from));
    DP_TRY(slice_bound(run, n->c, in, len, true, &end));
    if (end < from) end = from;
    if (t->kind == DP_KIND_NULL) {
        *out = *t;
    } else if (t->kind == DP_KIND_STRING) {
        size_t a = utf8_at(s, from), b = utf8_at(s, end);
        *out = dp_val_text(dp_str(s.p + a, b - a));
    } else {
        struct dp_cont *c = dp_cont_new(run, (size_t)(end - from));
        struct dp_vit it;
        struct dp_val v;
        dp_vit_open(run, t, &it);
        for (int64_t i = 0; i < end && dp_vit_next(&it, NULL, &v, NULL); i++)
            if (i >= from) c->m[c->n++] = (struct dp_memb){.v = v};
        *out = dp_val_cont(DP_KIND_ARRAY, c);
    }
    return DP_OK;
}

/* ---- one output ---- */

static enum dp_status eval_path(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out, bool *found) {
    *found = false;
    if (!n->path || !is_root(in)) return DP_OK;
    uint32_t i = dp_path_find(n->path, &run->hints[n->slot], run->r);
    if (i) {
        *out = dp_val_node(run->r, i);
        *found = true;
    } else if (n->path->n == 1 && n->path->steps[0].kind == DP_STEP_KEY) {
        *out = dp_val_of(DP_KIND_NULL);
        *found = true;
    }
    return DP_OK;
}

static enum dp_status eval_string(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    struct dp_buf b = {0};
    struct dp_val v, text;
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n->n; i++) {
        if (n->list[i]->kind == DP_EK_CONST) {
            dp_buf_adds(&b, n->list[i]->val.s);
            continue;
        }
        DP_TRY_OUT(dp_eval(run, n->list[i]->b, in, &v));
        DP_TRY_OUT(n->op ? dp_func_tojson(run, n, &v, NULL, &text) : dp_func_tostring(run, n, &v, NULL, &text));
        dp_buf_adds(&b, dp_val_decode(run, &text));
        DP_TRY_OUT(dp_eval_step(run));
    }
    *out = dp_val_text(dp_arena_str(&run->arena, dp_buf_str(&b)));
out:
    dp_buf_release(&b);
    return status;
}

static void object_put(struct dp_cont *c, struct dp_str name, const struct dp_val *key, const struct dp_val *v) {
    for (uint32_t i = 0; i < c->n; i++) {
        if (!dp_val_key_is(&c->m[i].key, name)) continue;
        c->m[i].v = *v;
        return;
    }
    c->m[c->n++] = (struct dp_memb){.key = *key, .v = *v};
}

static enum dp_status eval_object(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    struct dp_cont *c = dp_cont_new(run, n->n / 2);
    struct dp_val key, v;
    for (size_t i = 0; i < n->n; i += 2) {
        DP_TRY(dp_eval(run, n->list[i], in, &key));
        if (key.kind != DP_KIND_STRING) return dp_eval_fail(run, "a %s cannot be an object's key", dp_val_kind_name(key.kind));
        DP_TRY(dp_eval(run, n->list[i + 1], in, &v));
        object_put(c, dp_val_decode(run, &key), &key, &v);
    }
    *out = dp_val_cont(DP_KIND_OBJECT, c);
    return DP_OK;
}

struct collect {
    struct dp_expr_run *run;
    struct dp_memb *m;
    size_t n, cap;
};

static enum dp_status collect_emit(void *ctx, const struct dp_val *v) {
    struct collect *c = ctx;
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 8;
        struct dp_memb *m = dp_arena_alloc(&c->run->arena, cap * sizeof *m);
        if (c->n) memcpy(m, c->m, c->n * sizeof *m);
        c->m = m, c->cap = cap;
    }
    c->m[c->n++] = (struct dp_memb){.v = *v};
    return dp_eval_step(c->run);
}

static void collected(struct collect *c, struct dp_val *out) {
    struct dp_cont *k = dp_arena_calloc(&c->run->arena, 1, sizeof *k);
    k->m = c->m, k->n = (uint32_t)c->n;
    *out = dp_val_cont(DP_KIND_ARRAY, k);
}

static enum dp_status eval_array(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    struct collect c = {.run = run};
    if (n->a) DP_TRY(dp_eval_each(run, n->a, in, collect_emit, &c));
    collected(&c, out);
    return DP_OK;
}

/* map(f): [.[] | f] */
static enum dp_status eval_map(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    struct collect c = {.run = run};
    struct dp_vit it;
    struct dp_val v;
    if (in->kind < DP_KIND_OBJECT) return dp_eval_fail(run, "%s has no elements", dp_val_kind_name(in->kind));
    dp_vit_open(run, in, &it);
    while (dp_vit_next(&it, NULL, &v, NULL)) DP_TRY(dp_eval_each(run, n->list[0], &v, collect_emit, &c));
    collected(&c, out);
    return DP_OK;
}

/* map_values(f) with one output: .[] |= f */
static enum dp_status eval_map_values(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    if (in->kind < DP_KIND_OBJECT) return dp_eval_fail(run, "%s has no elements", dp_val_kind_name(in->kind));
    struct dp_cont *c = dp_cont_edit(run, in, 0);
    for (uint32_t i = 0; i < c->n; i++) {
        struct dp_val old = c->m[i].v;
        DP_TRY(dp_eval_step(run));
        DP_TRY(dp_eval(run, n->list[0], &old, &c->m[i].v));
    }
    *out = dp_val_cont((enum dp_kind)in->kind, c);
    return DP_OK;
}

/* any, all, IN: the first output that decides ends the search */
struct search {
    struct dp_expr_run *run;
    const struct dp_enode *cond;  /* any, all: evaluated on each */
    const struct dp_enode *among; /* IN(src; s): evaluated on `in` for each */
    const struct dp_enode *set;   /* IN among many constants: the call */
    const struct dp_val *in;
    const struct dp_val *same;    /* IN: equal to this */
    bool want, found;
};

static enum dp_status search_same(void *ctx, const struct dp_val *v) {
    struct search *s = ctx;
    s->found = dp_val_equal(s->run, s->same, v);
    return s->found ? DP_END : dp_eval_step(s->run);
}

static enum dp_status search_truth(void *ctx, const struct dp_val *v) {
    struct search *s = ctx;
    s->found = dp_val_true(v) == s->want;
    return s->found ? DP_END : dp_eval_step(s->run);
}

static bool set_has(struct dp_expr_run *run, const struct dp_enode *call, const struct dp_val *v) {
    if (v->kind >= DP_KIND_OBJECT) return false;
    size_t at = dp_val_place(run, call->set, call->n_set, v);
    return at < call->n_set && dp_val_equal(run, v, &call->set[at]);
}

static enum dp_status search_emit(void *ctx, const struct dp_val *v) {
    struct search *s = ctx;
    if (s->cond) return dp_eval_each(s->run, s->cond, v, search_truth, s);
    if (s->set) {
        s->found = set_has(s->run, s->set, v);
        return s->found ? DP_END : dp_eval_step(s->run);
    }
    s->same = v;
    return dp_eval_each(s->run, s->among, s->in, search_same, s);
}

static enum dp_status eval_search(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    struct search s = {.run = run, .in = in, .want = n->func->special == DP_SP_IN || n->func->aux};
    struct dp_vit it;
    struct dp_val v;
    enum dp_status status = DP_OK;
    if (n->func->special == DP_SP_ANY && n->n == 1) {
        if (in->kind < DP_KIND_OBJECT) return dp_eval_fail(run, "%s has no elements", dp_val_kind_name(in->kind));
        s.cond = n->list[0];
        dp_vit_open(run, in, &it);
        while (status == DP_OK && dp_vit_next(&it, NULL, &v, NULL)) status = search_emit(&s, &v);
    } else if (n->func->special == DP_SP_ANY) {
        s.cond = n->list[1];
        status = dp_eval_each(run, n->list[0], in, search_emit, &s);
    } else if (n->n == 1 && n->set) {
        s.found = set_has(run, n, in);
    } else if (n->n == 1) {
        s.same = in;
        status = dp_eval_each(run, n->list[0], in, search_same, &s);
    } else {
        s.among = n->list[1], s.set = n->set ? n : NULL;
        status = dp_eval_each(run, n->list[0], in, search_emit, &s);
    }
    if (status != DP_OK && status != DP_END) return status;
    *out = dp_val_bool(s.found == s.want);
    return DP_OK;
}

static enum dp_status eval_call(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    struct dp_val args[2];
    switch ((enum dp_special)n->func->special) {
    case DP_SP_NONE:
        for (size_t i = 0; i < n->n; i++) DP_TRY(dp_eval(run, n->list[i], in, &args[i]));
        return n->func->fn(run, n, in, args, out);
    case DP_SP_MAP: return eval_map(run, n, in, out);
    case DP_SP_MAP_VALUES: return eval_map_values(run, n, in, out);
    case DP_SP_ANY:
    case DP_SP_ALL:
    case DP_SP_IN: return eval_search(run, n, in, out);
    case DP_SP_DEL: return dp_update_del(run, n->list[0], in, out);
    case DP_SP_TEST: return dp_func_test(run, n, in, out);
    case DP_SP_EMPTY:
    case DP_SP_SELECT:
    case DP_SP_FIRST:
    case DP_SP_KINDS: break;
    }
    return dp_err_set(run->err, DP_BUG, "an expression's node has no single output");
}

static enum dp_status eval_if(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    for (size_t i = 0; i < n->n; i += 2) {
        bool yes;
        DP_TRY(dp_eval_bool(run, n->list[i], in, &yes));
        if (yes) return dp_eval(run, n->list[i + 1], in, out);
    }
    return dp_eval(run, n->a, in, out);
}

static enum dp_status eval_as(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    struct dp_val v, old = run->vars[n->slot];
    DP_TRY(dp_eval(run, n->a, in, &v));
    run->vars[n->slot] = v;
    enum dp_status status = dp_eval(run, n->b, in, out);
    run->vars[n->slot] = old;
    return status;
}

enum dp_status dp_eval(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    struct dp_val a, b;
    bool yes;
    if (n->folded) {
        *out = n->val;
        return DP_OK;
    }
    switch ((enum dp_ek)n->kind) {
    case DP_EK_IDENTITY: *out = *in; return DP_OK;
    case DP_EK_CONST: *out = n->val; return DP_OK;
    case DP_EK_VAR: *out = run->vars[n->slot]; return DP_OK;
    case DP_EK_INDEX:
        DP_TRY(eval_path(run, n, in, out, &yes));
        if (yes) return DP_OK;
        DP_TRY(dp_eval(run, n->b, in, &b));
        DP_TRY(dp_eval(run, n->a, in, &a));
        return dp_eval_index(run, &a, &b, out);
    case DP_EK_SLICE:
        DP_TRY(dp_eval(run, n->a, in, &a));
        return eval_slice(run, n, in, &a, out);
    case DP_EK_STRING: return eval_string(run, n, in, out);
    case DP_EK_FORMAT: return n->op ? dp_func_tojson(run, n, in, NULL, out) : dp_func_tostring(run, n, in, NULL, out);
    case DP_EK_ARRAY: return eval_array(run, n, in, out);
    case DP_EK_OBJECT: return eval_object(run, n, in, out);
    case DP_EK_NEG:
        DP_TRY(dp_eval(run, n->a, in, &a));
        if (a.kind != DP_KIND_NUMBER) return dp_eval_fail(run, "%s cannot be negated", dp_val_kind_name(a.kind));
        return dp_num_negate(run, &a, out);
    case DP_EK_PIPE:
        DP_TRY(dp_eval(run, n->a, in, &a));
        return dp_eval(run, n->b, &a, out);
    case DP_EK_ALT:
        DP_TRY(dp_eval(run, n->a, in, out));
        return dp_val_true(out) ? DP_OK : dp_eval(run, n->b, in, out);
    case DP_EK_AND:
    case DP_EK_OR:
        DP_TRY(dp_eval_bool(run, n->a, in, &yes));
        if (yes == (n->kind == DP_EK_AND)) DP_TRY(dp_eval_bool(run, n->b, in, &yes));
        *out = dp_val_bool(yes);
        return DP_OK;
    case DP_EK_CMP:
        DP_TRY(dp_eval_bool(run, n, in, &yes));
        *out = dp_val_bool(yes);
        return DP_OK;
    case DP_EK_ARITH:
        DP_TRY(dp_eval(run, n->b, in, &b));
        DP_TRY(dp_eval(run, n->a, in, &a));
        return dp_val_arith(run, (char)n->op, &a, &b, out);
    case DP_EK_ASSIGN:
        if (n->op != '|') DP_TRY(dp_eval(run, n->b, in, &b));
        return dp_update_assign(run, n, in, &b, out);
    case DP_EK_IF: return eval_if(run, n, in, out);
    case DP_EK_TRY: {
        enum dp_status status = dp_eval(run, n->a, in, out);
        if (status != DP_RECORD) return status;
        *out = n->b->val;
        return DP_OK;
    }
    case DP_EK_AS: return eval_as(run, n, in, out);
    case DP_EK_CALL: return eval_call(run, n, in, out);
    case DP_EK_RECURSE:
    case DP_EK_ITERATE:
    case DP_EK_COMMA:
    case DP_EK_REDUCE:
    case DP_EK_FOREACH:
    case DP_EK_DEF:
    case DP_EK_LABEL:
    case DP_EK_BREAK: break;
    }
    return dp_err_set(run->err, DP_BUG, "an expression's node has no single output");
}

/* ---- truth ---- */

/* Digits to a number; false: not a plain integer of at most 18 digits. */
static bool small_int(const char *p, size_t n, int64_t *out) {
    bool minus = n && p[0] == '-';
    int64_t v = 0;
    if (minus) p++, n--;
    if (!n || n > 18) return false;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(p[i] - '0');
        if (d > 9) return false;
        v = v * 10 + d;
    }
    *out = minus ? -v : v;
    return true;
}

/* Order of a number of the record and a constant: whole parts first, exact text only when they are the same. */
static int number_order(struct dp_str s, const struct dp_enode *k) {
    int64_t v;
    if (k->has_ival) {
        if (small_int(s.p, s.n, &v)) return (v > k->ival) - (v < k->ival);
        const char *dot = memchr(s.p, '.', s.n);
        if (dot && s.p[0] != '-' && small_int(s.p, (size_t)(dot - s.p), &v) && v != k->ival && !memchr(dot, 'e', s.n - (size_t)(dot - s.p)) &&
            !memchr(dot, 'E', s.n - (size_t)(dot - s.p)))
            return v > k->ival ? 1 : -1; /* a fraction lies between v and v + 1, and the constant is whole */
    }
    return dp_number_cmp(s, k->val.s);
}

static bool order_holds(enum dp_cmp op, int d) {
    switch (op) {
    case DP_CMP_EQ: return d == 0;
    case DP_CMP_NE: return d != 0;
    case DP_CMP_LT: return d < 0;
    case DP_CMP_LE: return d <= 0;
    case DP_CMP_GT: return d > 0;
    case DP_CMP_GE: return d >= 0;
    }
    return false;
}

/* The value's node; 0: there is none. */
static inline uint32_t find_field(struct dp_expr_run *run, const struct dp_enode *field) {
    return dp_path_find(field->path, &run->hints[field->slot], run->r);
}

/* A field of the record against a constant (on the right).  False: not decided here. */
static bool quick_compare(struct dp_expr_run *run, const struct dp_enode *field, const struct dp_enode *k, enum dp_cmp op, bool *out) {
    uint32_t i = find_field(run, field);
    if (!i) {
        if (field->path->n != 1 || field->path->steps[0].kind != DP_STEP_KEY) return false;
        *out = op == DP_CMP_EQ ? k->val.kind == DP_KIND_NULL : op == DP_CMP_NE && k->val.kind != DP_KIND_NULL;
        return true;
    }
    const struct dp_node *n = &run->r->nodes[i];
    struct dp_str s = dp_str(run->r->base + n->off, n->len);
    uint8_t kind = n->kind, want = k->val.kind;
    if (op > DP_CMP_NE && (kind == DP_KIND_NULL || want == DP_KIND_NULL)) {
        *out = false;
    } else if (kind != want) {
        *out = order_holds(op, dp_val_kind_rank(kind) - dp_val_kind_rank(want));
    } else if (kind == DP_KIND_NUMBER) {
        *out = order_holds(op, number_order(s, k));
    } else if (kind == DP_KIND_STRING) {
        bool escaped = n->flags & DP_NODE_ESCAPED;
        if (op <= DP_CMP_NE) *out = (escaped ? dp_json_equal(s, n->flags, k->val.s) : dp_str_eq(s, k->val.s)) == (op == DP_CMP_EQ);
        else if (!escaped) *out = order_holds(op, dp_str_cmp(s, k->val.s));
        else return false;
    } else if (kind <= DP_KIND_TRUE) {
        *out = order_holds(op, 0);
    } else {
        return false;
    }
    return true;
}

static enum dp_cmp mirrored(enum dp_cmp op) {
    switch (op) {
    case DP_CMP_EQ:
    case DP_CMP_NE: return op;
    case DP_CMP_LT: return DP_CMP_GT;
    case DP_CMP_LE: return DP_CMP_GE;
    case DP_CMP_GT: return DP_CMP_LT;
    case DP_CMP_GE: return DP_CMP_LE;
    }
    return op;
}

/* The comparisons that n begins with, joined by `and`.  False: not all of n is that. */
static bool plan(struct dp_expr *e, const struct dp_enode *n) {
    if (n->kind == DP_EK_AND) return plan(e, n->a) && plan(e, n->b);
    if (n->kind != DP_EK_CMP) return false;
    struct dp_quick q = {n->a, n->b, (enum dp_cmp)n->op};
    if (!q.field->path || q.k->kind != DP_EK_CONST) q = (struct dp_quick){n->b, n->a, mirrored((enum dp_cmp)n->op)};
    if (!q.field->path || q.k->kind != DP_EK_CONST) return false;
    struct dp_quick *list = dp_arena_calloc(&e->arena, e->n_quick + 1, sizeof *list);
    if (e->n_quick) memcpy(list, e->quick, e->n_quick * sizeof *list);
    list[e->n_quick++] = q;
    e->quick = list;
    return true;
}

void dp_eval_plan(struct dp_expr *e) {
    e->is_quick = plan(e, e->root);
}

bool dp_eval_quick(struct dp_expr_run *run, bool *out) {
    const struct dp_expr *e = run->e;
    for (size_t i = 0; i < e->n_quick; i++) {
        const struct dp_quick *q = &e->quick[i];
        if (!quick_compare(run, q->field, q->k, q->op, out)) return false;
        if (!*out) return true;
    }
    return e->is_quick;
}

enum dp_status dp_eval_bool(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, bool *out) {
    struct dp_val a, b;
    if (n->kind == DP_EK_CMP) {
        enum dp_cmp op = (enum dp_cmp)n->op;
        if (is_root(in)) {
            if (n->a->path && n->b->kind == DP_EK_CONST && quick_compare(run, n->a, n->b, op, out)) return DP_OK;
            if (n->b->path && n->a->kind == DP_EK_CONST && quick_compare(run, n->b, n->a, mirrored(op), out)) return DP_OK;
        }
        DP_TRY(dp_eval(run, n->b, in, &b));
        DP_TRY(dp_eval(run, n->a, in, &a));
        *out = dp_val_cmp_op(run, op, &a, &b);
        return DP_OK;
    }
    if (n->kind == DP_EK_AND || n->kind == DP_EK_OR) {
        DP_TRY(dp_eval_bool(run, n->a, in, out));
        return *out == (n->kind == DP_EK_AND) ? dp_eval_bool(run, n->b, in, out) : DP_OK;
    }
    if (n->kind == DP_EK_PIPE && n->b->kind == DP_EK_CALL && dp_str_eqz(n->b->name, "not")) {
        DP_TRY(dp_eval_bool(run, n->a, in, out));
        *out = !*out;
        return DP_OK;
    }
    DP_TRY(dp_eval(run, n, in, &a));
    *out = dp_val_true(&a);
    return DP_OK;
}
