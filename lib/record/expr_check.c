/*
 * What may run, and where: names that are refused (an expression comes from a contract, which is not trusted), variables and
 * their slots, which nodes have one output, constants, and whether all of the program is in the compiled part.
 */
#include "expr_priv.h"

#include <dp/base/decimal.h>

/* ---- refusals ---- */

static enum dp_status refuse(const struct dp_enode *n, struct dp_str name, const char *why, struct dp_err *err) {
    return dp_err_set(err, DP_USAGE, "expression: column %u: %.*s is refused: %s", n->col, DP_STR_FMT(name), why);
}

static enum dp_status refuse_name(const struct dp_enode *n, struct dp_str s, struct dp_err *err) {
    static const char *const outside[] = {"env", "input", "inputs", "debug", "stderr", "input_filename", "input_line_number", "halt",
                                          "halt_error", "modulemeta", "get_search_list", "get_prog_origin", "get_jq_origin",
                                          "$__loc__", NULL};
    static const char *const clock[] = {"now", "localtime", "strflocaltime", "gettimeofday", NULL};
    for (size_t i = 0; outside[i]; i++)
        if (dp_str_eqz(s, outside[i])) return refuse(n, s, "an expression may read its record only", err);
    for (size_t i = 0; clock[i]; i++)
        if (dp_str_eqz(s, clock[i])) return refuse(n, s, "the same record must give the same result at any time and place", err);
    if (s.n && s.p[0] == '_') return refuse(n, s, "names with an underscore in front are jq's own", err);
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == ':' && s.p[i + 1] == ':') return refuse(n, s, "there are no modules", err);
    return DP_OK;
}

static enum dp_status refuse_pattern(const struct dp_expr *e, const struct dp_enode *n, const struct dp_pat *p, struct dp_err *err) {
    if (dp_str_eqz(p->name, "ENV") || dp_str_starts(p->name, DP_STR("__"))) return refuse(n, p->name, "the name is jq's own", err);
    if (p->key) DP_TRY(dp_expr_refuse(e, p->key, err));
    if (p->value) DP_TRY(refuse_pattern(e, n, p->value, err));
    for (size_t i = 0; i < p->n; i++) DP_TRY(refuse_pattern(e, n, p->list[i], err));
    return DP_OK;
}

enum dp_status dp_expr_refuse(const struct dp_expr *e, const struct dp_enode *n, struct dp_err *err) {
    if (!n) return DP_OK;
    if (n->kind == DP_EK_CALL || n->kind == DP_EK_DEF) DP_TRY(refuse_name(n, n->name, err));
    if (n->kind == DP_EK_VAR && (dp_str_eqz(n->name, "ENV") || dp_str_starts(n->name, DP_STR("__"))))
        return refuse(n, n->name, "an expression may read its record only", err);
    for (size_t i = 0; i < n->n_params; i++) {
        struct dp_str s = n->params[i];
        if (s.p[0] == '$') s.p++, s.n--;
        if (dp_str_eqz(s, "ENV")) return refuse(n, s, "the name is jq's own", err);
        DP_TRY(refuse_name(n, s, err));
    }
    for (size_t i = 0; i < n->n_pats; i++) DP_TRY(refuse_pattern(e, n, n->pats[i], err));
    for (size_t i = 0; i < n->n; i++) DP_TRY(dp_expr_refuse(e, n->list[i], err));
    DP_TRY(dp_expr_refuse(e, n->a, err));
    DP_TRY(dp_expr_refuse(e, n->b, err));
    DP_TRY(dp_expr_refuse(e, n->c, err));
    return dp_expr_refuse(e, n->d, err);
}

/* ---- what is compiled ---- */

struct check {
    struct dp_expr *e;
    struct dp_err *err;
    struct dp_str names[64]; /* variables in scope, innermost last */
    size_t slots[64];
    size_t n_names;
    size_t cap_paths, cap_res;
};

/* The first reason is kept. */
static bool beyond(struct check *c, const struct dp_enode *n, const char *what) {
    if (c->e->why) return false;
    struct dp_buf b = {0};
    dp_buf_addf(&b, "column %u: %s", n->col, what);
    c->e->why = dp_buf_detach(&b);
    return false;
}

static bool check(struct check *c, struct dp_enode *n);

static bool check_list(struct check *c, struct dp_enode *n, bool *single) {
    for (size_t i = 0; i < n->n; i++) {
        if (!check(c, n->list[i])) return false;
        *single = *single && n->list[i]->single;
    }
    return true;
}

static bool is_const_step(const struct dp_enode *k, int64_t *index) {
    if (k->kind != DP_EK_CONST) return false;
    if (k->val.kind == DP_KIND_STRING) return true;
    return k->val.kind == DP_KIND_NUMBER && dp_num_index(&k->val, index);
}

/* `.a.b[0]`: a path that is looked up with hints. */
static void make_path(struct check *c, struct dp_enode *n) {
    size_t steps = 0;
    int64_t index = 0;
    const struct dp_enode *k;
    for (k = n; k->kind == DP_EK_INDEX && steps < 16; k = k->a, steps++)
        if (!is_const_step(k->b, &index)) return;
    if (k->kind != DP_EK_IDENTITY) return;
    struct dp_path *p = dp_calloc(1, sizeof *p);
    p->steps = dp_calloc(steps, sizeof *p->steps);
    p->n = steps;
    for (k = n; steps--; k = k->a) {
        struct dp_step *s = &p->steps[steps];
        struct dp_val v = k->b->val;
        if (v.kind == DP_KIND_STRING) {
            s->kind = DP_STEP_KEY;
            s->key = dp_strndup(v.s.p, v.s.n);
            s->key_n = v.s.n;
        } else {
            s->kind = DP_STEP_INDEX;
            (void)dp_num_index(&v, &s->index);
        }
    }
    if (c->e->n_paths == c->cap_paths)
        c->e->paths = dp_grow(c->e->paths, &c->cap_paths, c->e->n_paths + 1, sizeof *c->e->paths);
    n->slot = (uint32_t)c->e->n_paths;
    n->path = c->e->paths[c->e->n_paths++] = p;
}

static bool check_index(struct check *c, struct dp_enode *n) {
    if (!check(c, n->a) || !check(c, n->b)) return false;
    if (n->b->kind == DP_EK_ARRAY || n->b->kind == DP_EK_OBJECT) return beyond(c, n, "a search or slice given as a value");
    if (n->b->folded && n->b->val.kind >= DP_KIND_OBJECT) return beyond(c, n, "a search or slice given as a value");
    n->single = n->a->single && n->b->single && !n->opt;
    make_path(c, n);
    return true;
}

static bool check_slice(struct check *c, struct dp_enode *n) {
    if (!check(c, n->a) || (n->b && !check(c, n->b)) || (n->c && !check(c, n->c))) return false;
    if ((n->b && !n->b->single) || (n->c && !n->c->single)) return beyond(c, n, "a slice with several bounds");
    n->single = n->a->single && !n->opt;
    n->slot = (uint32_t)c->e->n_vars++;
    return true;
}

static bool is_plain_format(struct dp_enode *n) {
    n->op = dp_str_eqz(n->name, "json");
    return !n->name.n || n->op || dp_str_eqz(n->name, "text");
}

static bool check_string(struct check *c, struct dp_enode *n) {
    n->single = true;
    if (!is_plain_format(n)) return beyond(c, n, "a format other than @text and @json");
    for (size_t i = 0; i < n->n; i++) {
        if (!check(c, n->list[i])) return false;
        if (!n->list[i]->single) return beyond(c, n, "a string with a part that has several outputs");
    }
    return true;
}

/* Keys that are constants and all different are printed without making the object. */
static void prepare_object(struct check *c, struct dp_enode *n) {
    for (size_t i = 0; i < n->n; i += 2) {
        if (n->list[i]->kind != DP_EK_CONST || n->list[i]->val.kind != DP_KIND_STRING) return;
        for (size_t j = 0; j < i; j += 2)
            if (dp_str_eq(n->list[i]->val.s, n->list[j]->val.s)) return;
    }
    for (size_t i = 0; i < n->n; i += 2) {
        struct dp_buf b = {0};
        if (i) dp_buf_addc(&b, ',');
        dp_json_add_string(&b, n->list[i]->val.s);
        dp_buf_addc(&b, ':');
        /* `{a}` shares its key's node with `.a`; the text belongs to this place */
        struct dp_enode *key = dp_arena_alloc(&c->e->arena, sizeof *key);
        *key = *n->list[i];
        key->ktext = dp_arena_str(&c->e->arena, dp_buf_str(&b));
        n->list[i] = key;
        dp_buf_release(&b);
    }
    n->op = 1;
}

static bool check_as(struct check *c, struct dp_enode *n) {
    if (n->n_pats != 1 || n->pats[0]->kind) return beyond(c, n, "a pattern of several variables");
    if (!check(c, n->a)) return false;
    if (c->n_names == 64) return beyond(c, n, "more than 64 variables");
    n->slot = (uint32_t)c->e->n_vars++;
    c->names[c->n_names] = n->pats[0]->name;
    c->slots[c->n_names++] = n->slot;
    bool ok = check(c, n->b);
    c->n_names--;
    n->single = n->a->single && n->b->single;
    return ok;
}

static bool check_var(struct check *c, struct dp_enode *n) {
    n->single = true;
    for (size_t i = c->n_names; i--;) {
        if (!dp_str_eq(c->names[i], n->name)) continue;
        n->slot = (uint32_t)c->slots[i];
        return true;
    }
    return beyond(c, n, "a variable that is not bound by `as`");
}

/* test with a constant pattern; flags that mean the same in PCRE2 */
static bool check_test(struct check *c, struct dp_enode *n) {
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
    int code;
    PCRE2_SIZE at;
    for (size_t i = 0; i < n->n; i++)
        if (n->list[i]->kind != DP_EK_CONST || n->list[i]->val.kind != DP_KIND_STRING) {
            if (i && n->list[i]->kind == DP_EK_CONST && n->list[i]->val.kind == DP_KIND_NULL) continue;
            return beyond(c, n, "a pattern that is not a constant string");
        }
    struct dp_str flags = n->n == 2 && n->list[1]->val.kind == DP_KIND_STRING ? n->list[1]->val.s : dp_str("", 0);
    for (size_t i = 0; i < flags.n; i++) {
        if (flags.p[i] == 'i') options |= PCRE2_CASELESS;
        else if (flags.p[i] == 'x') options |= PCRE2_EXTENDED;
        else if (flags.p[i] != 'g') return beyond(c, n, "a pattern with flags other than g, i and x");
    }
    struct dp_str re = n->list[0]->val.s;
    n->re = pcre2_compile((PCRE2_SPTR)(re.n ? re.p : ""), re.n, options, &code, &at, NULL);
    if (!n->re) return beyond(c, n, "a pattern that is not in PCRE2's syntax");
    (void)pcre2_jit_compile(n->re, PCRE2_JIT_COMPLETE); /* without it the interpreter is used */
    if (c->e->n_res == c->cap_res) c->e->res = dp_grow(c->e->res, &c->cap_res, c->e->n_res + 1, sizeof *c->e->res);
    c->e->res[c->e->n_res++] = n->re;
    return true;
}

enum { SET_LEAST = 8 }; /* fewer are compared one by one as fast */

/* How many scalar constants a list is made of; 0: it has something else. */
static size_t count_scalars(const struct dp_enode *list) {
    if (list->kind == DP_EK_CONST) return list->val.kind < DP_KIND_OBJECT;
    if (list->kind != DP_EK_COMMA) return 0;
    size_t a = count_scalars(list->a), b = count_scalars(list->b);
    return a && b ? a + b : 0;
}

static void gather_scalars(const struct dp_enode *list, struct dp_val *to, size_t *n) {
    if (list->kind == DP_EK_CONST) {
        to[(*n)++] = list->val;
        return;
    }
    gather_scalars(list->a, to, n);
    gather_scalars(list->b, to, n);
}

static void prepare_set(struct check *c, struct dp_enode *call, const struct dp_enode *list) {
    size_t n = count_scalars(list), k = 0;
    struct dp_expr_run run = {.e = c->e, .arena = c->e->arena};
    if (n < SET_LEAST || n > UINT32_MAX) return;
    struct dp_val *v = dp_arena_alloc(&run.arena, 2 * n * sizeof *v);
    gather_scalars(list, v, &k);
    dp_val_sort(&run, v, v + n, n);
    call->set = v;
    call->n_set = (uint32_t)n;
    c->e->arena = run.arena;
    dp_buf_release(&run.tmp);
}

static bool check_call(struct check *c, struct dp_enode *n) {
    char what[96];
    bool single = true;
    n->func = dp_func_find(n->name, n->n);
    if (!n->func) {
        snprintf(what, sizeof what, "%.*s/%zu", (int)(n->name.n > 60 ? 60 : n->name.n), n->name.p, n->n);
        return beyond(c, n, what);
    }
    if (!check_list(c, n, &single)) return false;
    switch ((enum dp_special)n->func->special) {
    case DP_SP_NONE: n->single = single; break;
    case DP_SP_EMPTY:
    case DP_SP_SELECT:
    case DP_SP_FIRST:
    case DP_SP_KINDS: n->single = false; break;
    case DP_SP_MAP:
    case DP_SP_ANY:
    case DP_SP_ALL: n->single = true; break;
    case DP_SP_IN:
        n->single = true;
        prepare_set(c, n, n->list[n->n - 1]);
        break;
    case DP_SP_MAP_VALUES:
        if (!single) return beyond(c, n, "map_values with none or several outputs");
        n->single = true;
        break;
    case DP_SP_DEL:
        if (!dp_update_is_deletable(n->list[0])) return beyond(c, n, "del of a computed path");
        n->single = true;
        break;
    case DP_SP_TEST:
        n->single = true;
        return check_test(c, n);
    }
    return true;
}

static bool check_assign(struct check *c, struct dp_enode *n) {
    if (!check(c, n->a) || !check(c, n->b)) return false;
    if (!dp_update_is_path(n->a)) return beyond(c, n, "an assignment to a computed path");
    if (n->op == '|' && !n->b->single) return beyond(c, n, "an update with none or several outputs");
    n->single = n->op == '|' || n->b->single;
    return true;
}

static bool check_try(struct check *c, struct dp_enode *n) {
    if (!check(c, n->a) || (n->b && !check(c, n->b))) return false;
    if (n->b && n->b->kind != DP_EK_CONST) return beyond(c, n, "catch with more than a constant");
    n->single = n->b && n->a->single;
    return true;
}

static void prepare_const(struct dp_enode *n) {
    n->single = true;
    if (n->val.kind == DP_KIND_NUMBER) n->has_ival = n->val.s.n <= 18 && dp_parse_i64(n->val.s, &n->ival);
}

/* No input, no error that depends on one: evaluated once, here. */
static bool is_constant(const struct dp_enode *n) {
    if (n->kind == DP_EK_CONST) return true;
    if (n->kind == DP_EK_NEG) return n->a->kind == DP_EK_CONST && n->a->val.kind == DP_KIND_NUMBER;
    if (n->kind == DP_EK_COMMA) return is_constant(n->a) && is_constant(n->b);
    if (n->kind == DP_EK_ARRAY) return !n->a || is_constant(n->a);
    if (n->kind != DP_EK_OBJECT) return false;
    for (size_t i = 0; i < n->n; i++)
        if (!is_constant(n->list[i]) || (i % 2 == 0 && n->list[i]->kind != DP_EK_CONST)) return false;
    return true;
}

static void fold(struct check *c, struct dp_enode *n) {
    if ((n->kind != DP_EK_NEG && n->kind != DP_EK_ARRAY && n->kind != DP_EK_OBJECT) || !n->single || !is_constant(n)) return;
    struct dp_err err = DP_ERR_INIT;
    struct dp_expr_run run = {.e = c->e, .err = &err, .arena = c->e->arena};
    struct dp_val null = dp_val_of(DP_KIND_NULL), v;
    enum dp_status status = dp_eval(&run, n, &null, &v);
    c->e->arena = run.arena;
    dp_buf_release(&run.tmp);
    if (status != DP_OK) return;
    n->val = v;
    if (n->kind == DP_EK_NEG) {
        n->kind = DP_EK_CONST;
        prepare_const(n);
    } else {
        n->folded = true;
    }
}

static bool check_kind(struct check *c, struct dp_enode *n) {
    bool single = true;
    switch ((enum dp_ek)n->kind) {
    case DP_EK_IDENTITY: n->single = true; return true;
    case DP_EK_CONST: prepare_const(n); return true;
    case DP_EK_VAR: return check_var(c, n);
    case DP_EK_INDEX: return check_index(c, n);
    case DP_EK_SLICE: return check_slice(c, n);
    case DP_EK_ITERATE: return check(c, n->a);
    case DP_EK_STRING: return check_string(c, n);
    case DP_EK_FORMAT:
        n->single = true;
        return is_plain_format(n) || beyond(c, n, "a format other than @text and @json");
    case DP_EK_ARRAY:
        n->single = true;
        return !n->a || check(c, n->a);
    case DP_EK_OBJECT:
        if (!check_list(c, n, &single)) return false;
        n->single = single;
        if (single) prepare_object(c, n);
        return true;
    case DP_EK_NEG:
        if (!check(c, n->a)) return false;
        n->single = n->a->single;
        return true;
    case DP_EK_PIPE:
    case DP_EK_ALT:
    case DP_EK_AND:
    case DP_EK_OR:
    case DP_EK_CMP:
    case DP_EK_ARITH:
        if (!check(c, n->a) || !check(c, n->b)) return false;
        n->single = n->a->single && n->b->single;
        return true;
    case DP_EK_COMMA: return check(c, n->a) && check(c, n->b);
    case DP_EK_ASSIGN: return check_assign(c, n);
    case DP_EK_IF:
        if (!check_list(c, n, &single) || !check(c, n->a)) return false;
        n->single = single && n->a->single;
        return true;
    case DP_EK_TRY: return check_try(c, n);
    case DP_EK_AS: return check_as(c, n);
    case DP_EK_CALL: return check_call(c, n);
    case DP_EK_RECURSE: return beyond(c, n, "`..`");
    case DP_EK_REDUCE: return beyond(c, n, "reduce");
    case DP_EK_FOREACH: return beyond(c, n, "foreach");
    case DP_EK_DEF: return beyond(c, n, "def");
    case DP_EK_LABEL: return beyond(c, n, "label");
    case DP_EK_BREAK: return beyond(c, n, "break");
    }
    return false;
}

static bool check(struct check *c, struct dp_enode *n) {
    if (!check_kind(c, n)) return false;
    fold(c, n);
    return true;
}

enum dp_status dp_expr_check(struct dp_expr *e, struct dp_err *err) {
    struct check c = {.e = e, .err = err};
    e->compiled = check(&c, e->root);
    return DP_OK;
}
