/*
 * The functions that are compiled, in one table, and the operators on values of any kind (jq manual, "Builtin operators
 * and functions").  Functions that take filters rather than values (select, map, any ...) are evaluated in expr_eval.c.
 */
#include "expr_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/time.h>
#include <math.h>

#define ARGS                                                                                                                     \
    struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, const struct dp_val *args, struct dp_val *out

static bool is_string(const struct dp_val *v) { return v->kind == DP_KIND_STRING; }
static bool is_number(const struct dp_val *v) { return v->kind == DP_KIND_NUMBER; }
static bool is_array(const struct dp_val *v) { return v->kind == DP_KIND_ARRAY; }
static bool is_object(const struct dp_val *v) { return v->kind == DP_KIND_OBJECT; }

static enum dp_status set_bool(struct dp_val *out, bool b) {
    *out = dp_val_bool(b);
    return DP_OK;
}

/* Memory that a value made from others asks for. */
static enum dp_status make_room(struct dp_expr_run *run, size_t bytes) {
    if (bytes > DP_LIMIT_EXPR_MEMORY || run->arena.used + bytes > DP_LIMIT_EXPR_MEMORY)
        return dp_eval_fail(run, "it needs more than %u MiB for one record", DP_LIMIT_EXPR_MEMORY >> 20);
    return DP_OK;
}

/* ---- operators ---- */

static struct dp_str need_text(struct dp_expr_run *run, const struct dp_val *v) { return dp_val_decode(run, v); }

static enum dp_status concat(struct dp_expr_run *run, struct dp_str a, struct dp_str b, struct dp_val *out) {
    DP_TRY(make_room(run, a.n + b.n + 1));
    char *p = dp_arena_alloc(&run->arena, a.n + b.n + 1);
    if (a.n) memcpy(p, a.p, a.n);
    if (b.n) memcpy(p + a.n, b.p, b.n);
    *out = dp_val_text(dp_str(p, a.n + b.n));
    return DP_OK;
}

static enum dp_status edit(struct dp_expr_run *run, const struct dp_val *v, size_t extra, struct dp_cont **out) {
    DP_TRY(make_room(run, (dp_val_length(run, v) + extra) * sizeof(struct dp_memb)));
    *out = dp_cont_edit(run, v, extra);
    return DP_OK;
}

static enum dp_status add_arrays(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b, struct dp_val *out) {
    struct dp_cont *c;
    struct dp_vit it;
    DP_TRY(edit(run, a, dp_val_length(run, b), &c));
    dp_vit_open(run, b, &it);
    while (dp_vit_next(&it, NULL, &c->m[c->n].v, NULL)) c->m[c->n++].src = 0;
    *out = dp_val_cont(DP_KIND_ARRAY, c);
    return DP_OK;
}

static struct dp_memb *cont_find(struct dp_cont *c, struct dp_str name) {
    for (uint32_t i = 0; i < c->n; i++)
        if (dp_val_key_is(&c->m[i].key, name)) return &c->m[i];
    return NULL;
}

/* b's members over a's; `deep`: objects on both sides are merged in turn. */
static enum dp_status merge(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b, bool deep, struct dp_val *out) {
    struct dp_cont *c;
    struct dp_vit it;
    struct dp_val key, v;
    DP_TRY(edit(run, a, dp_val_length(run, b), &c));
    dp_vit_open(run, b, &it);
    while (dp_vit_next(&it, &key, &v, NULL)) {
        DP_TRY(dp_eval_step(run));
        struct dp_memb *m = cont_find(c, dp_val_decode(run, &key));
        if (!m) {
            m = &c->m[c->n++];
            m->key = key, m->src = 0;
            m->v = v;
        } else if (deep && is_object(&m->v) && is_object(&v)) {
            struct dp_val old = m->v;
            DP_TRY(merge(run, &old, &v, true, &m->v));
        } else {
            m->v = v;
        }
    }
    *out = dp_val_cont(DP_KIND_OBJECT, c);
    return DP_OK;
}

static enum dp_status subtract_arrays(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b, struct dp_val *out) {
    struct dp_cont *c = dp_cont_new(run, dp_val_length(run, a));
    struct dp_vit i, j;
    struct dp_val x, y;
    dp_vit_open(run, a, &i);
    while (dp_vit_next(&i, NULL, &x, NULL)) {
        bool drop = false;
        dp_vit_open(run, b, &j);
        while (!drop && dp_vit_next(&j, NULL, &y, NULL)) {
            DP_TRY(dp_eval_step(run));
            drop = dp_val_equal(run, &x, &y);
        }
        if (!drop) c->m[c->n++] = (struct dp_memb){.v = x};
    }
    *out = dp_val_cont(DP_KIND_ARRAY, c);
    return DP_OK;
}

static enum dp_status repeat(struct dp_expr_run *run, const struct dp_val *text, const struct dp_val *times, struct dp_val *out) {
    double d;
    struct dp_str s = need_text(run, text);
    if (!dp_parse_double(times->s, &d)) return dp_eval_fail(run, "a number is out of range");
    *out = dp_val_of(DP_KIND_NULL);
    if (d <= 0) return DP_OK;
    double count = d < 1 ? 1 : floor(d);
    if (count * (double)(s.n + 1) > (double)DP_LIMIT_EXPR_MEMORY) return make_room(run, DP_LIMIT_EXPR_MEMORY + 1u);
    size_t k = (size_t)count;
    DP_TRY(make_room(run, k * s.n + 1));
    char *p = dp_arena_alloc(&run->arena, k * s.n + 1);
    for (size_t i = 0; s.n && i < k; i++) memcpy(p + i * s.n, s.p, s.n);
    *out = dp_val_text(dp_str(p, k * s.n));
    return DP_OK;
}

static size_t utf8_len(unsigned char c) { return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4; }

static enum dp_status split(struct dp_expr_run *run, struct dp_str s, struct dp_str sep, struct dp_val *out) {
    size_t count = 1, at = 0;
    for (size_t i = 0; sep.n && i + sep.n <= s.n; i++)
        if (!memcmp(s.p + i, sep.p, sep.n)) count++, i += sep.n - 1;
    if (!sep.n) count = s.n;
    DP_TRY(make_room(run, (count + 1) * sizeof(struct dp_memb)));
    struct dp_cont *c = dp_cont_new(run, count + 1);
    *out = dp_val_cont(DP_KIND_ARRAY, c);
    if (!s.n) return DP_OK;
    for (size_t i = 0; sep.n && i + sep.n <= s.n;) {
        if (memcmp(s.p + i, sep.p, sep.n)) {
            i++;
            continue;
        }
        c->m[c->n++] = (struct dp_memb){.v = dp_val_text(dp_str(s.p + at, i - at))};
        at = i += sep.n;
    }
    while (!sep.n && at < s.n) {
        size_t len = utf8_len((unsigned char)s.p[at]);
        c->m[c->n++] = (struct dp_memb){.v = dp_val_text(dp_str(s.p + at, len))};
        at += len;
    }
    if (sep.n) c->m[c->n++] = (struct dp_memb){.v = dp_val_text(dp_str(s.p + at, s.n - at))};
    return DP_OK;
}

enum dp_status dp_val_arith(struct dp_expr_run *run, char op, const struct dp_val *a, const struct dp_val *b, struct dp_val *out) {
    if (is_number(a) && is_number(b)) return dp_num_arith(run, op, a, b, out);
    if (op == '+') {
        if (a->kind == DP_KIND_NULL || b->kind == DP_KIND_NULL) {
            *out = a->kind == DP_KIND_NULL ? *b : *a;
            return DP_OK;
        }
        if (is_string(a) && is_string(b)) {
            struct dp_str x = need_text(run, a);
            return concat(run, x, need_text(run, b), out);
        }
        if (is_array(a) && is_array(b)) return add_arrays(run, a, b, out);
        if (is_object(a) && is_object(b)) return merge(run, a, b, false, out);
    }
    if (op == '-' && is_array(a) && is_array(b)) return subtract_arrays(run, a, b, out);
    if (op == '*' && is_object(a) && is_object(b)) return merge(run, a, b, true, out);
    if (op == '*' && is_string(a) && is_number(b)) return repeat(run, a, b, out);
    if (op == '*' && is_number(a) && is_string(b)) return repeat(run, b, a, out);
    if (op == '/' && is_string(a) && is_string(b)) {
        struct dp_str x = need_text(run, a);
        return split(run, x, need_text(run, b), out);
    }
    return dp_eval_fail(run, "%s and %s cannot be %s", dp_val_kind_name(a->kind), dp_val_kind_name(b->kind),
                        op == '+' ? "added" : op == '-' ? "subtracted" : op == '*' ? "multiplied" : "divided");
}

/* ---- functions of values ---- */

static enum dp_status fn_length(ARGS) {
    (void)n, (void)args;
    switch ((enum dp_kind)in->kind) {
    case DP_KIND_NONE:
    case DP_KIND_NULL: *out = dp_val_i64(run, 0); return DP_OK;
    case DP_KIND_FALSE:
    case DP_KIND_TRUE: return dp_eval_fail(run, "a boolean has no length");
    case DP_KIND_NUMBER:
        *out = *in;
        return in->s.p[0] == '-' ? dp_num_negate(run, in, out) : DP_OK;
    case DP_KIND_STRING: *out = dp_val_i64(run, (int64_t)dp_json_length(in->s, in->flags & DP_NODE_ESCAPED)); return DP_OK;
    case DP_KIND_OBJECT:
    case DP_KIND_ARRAY: *out = dp_val_i64(run, dp_val_length(run, in)); return DP_OK;
    }
    return DP_OK;
}

static enum dp_status fn_not(ARGS) {
    (void)run, (void)n, (void)args;
    return set_bool(out, !dp_val_true(in));
}

static enum dp_status fn_type(ARGS) {
    (void)run, (void)n, (void)args;
    *out = dp_val_text(dp_str_z(dp_val_kind_name(in->kind)));
    return DP_OK;
}

static enum dp_status fn_keys(ARGS) {
    (void)args;
    if (!is_object(in) && !is_array(in)) return dp_eval_fail(run, "%s has no keys", dp_val_kind_name(in->kind));
    uint32_t count = dp_val_length(run, in);
    struct dp_cont *c = dp_cont_new(run, count);
    if (is_array(in)) {
        for (uint32_t i = 0; i < count; i++) c->m[c->n++] = (struct dp_memb){.v = dp_val_i64(run, i)};
    } else if (n->func->aux) { /* sorted */
        struct dp_memb *m = dp_val_sorted_members(run, in, &count);
        for (uint32_t i = 0; i < count; i++) c->m[c->n++] = (struct dp_memb){.v = m[i].key};
    } else {
        struct dp_vit it;
        struct dp_val key, v;
        dp_vit_open(run, in, &it);
        while (dp_vit_next(&it, &key, &v, NULL)) c->m[c->n++] = (struct dp_memb){.v = key};
    }
    *out = dp_val_cont(DP_KIND_ARRAY, c);
    return DP_OK;
}

static enum dp_status fn_to_entries(ARGS) {
    (void)n, (void)args;
    if (!is_object(in) && !is_array(in)) return dp_eval_fail(run, "%s has no entries", dp_val_kind_name(in->kind));
    struct dp_cont *c = dp_cont_new(run, dp_val_length(run, in));
    struct dp_vit it;
    struct dp_val key, v;
    dp_vit_open(run, in, &it);
    while (dp_vit_next(&it, &key, &v, NULL)) {
        if (is_array(in)) key = dp_val_i64(run, c->n);
        struct dp_cont *e = dp_cont_new(run, 2);
        e->m[0] = (struct dp_memb){.key = dp_val_text(DP_STR("key")), .v = key};
        e->m[1] = (struct dp_memb){.key = dp_val_text(DP_STR("value")), .v = v};
        e->n = 2;
        c->m[c->n++] = (struct dp_memb){.v = dp_val_cont(DP_KIND_OBJECT, e)};
    }
    *out = dp_val_cont(DP_KIND_ARRAY, c);
    return DP_OK;
}

static enum dp_status has(struct dp_expr_run *run, const struct dp_val *in, const struct dp_val *key, struct dp_val *out) {
    struct dp_val v;
    int64_t i;
    if (is_object(in) && is_string(key)) return set_bool(out, dp_val_member(run, in, dp_val_decode(run, key), &v));
    if (is_array(in) && is_number(key))
        return set_bool(out, dp_num_place(key, &i) && i >= 0 && i < (int64_t)dp_val_length(run, in));
    if (in->kind == DP_KIND_NULL) return set_bool(out, false);
    return dp_eval_fail(run, "%s cannot have a %s key", dp_val_kind_name(in->kind), dp_val_kind_name(key->kind));
}

static enum dp_status fn_has(ARGS) {
    (void)n;
    return has(run, in, &args[0], out);
}

static enum dp_status fn_in(ARGS) {
    (void)n;
    return has(run, &args[0], in, out);
}

static bool find(struct dp_str s, struct dp_str part) {
    while (part.n && s.n >= part.n) {
        const char *at = memchr(s.p, part.p[0], s.n - part.n + 1);
        if (!at || !memcmp(at, part.p, part.n)) return at != NULL;
        s.n -= (size_t)(at + 1 - s.p), s.p = at + 1;
    }
    return !part.n;
}

static enum dp_status contains(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b, bool top, bool *out) {
    struct dp_vit i, j;
    struct dp_val key, x, y;
    *out = true;
    DP_TRY(dp_eval_step(run));
    if (is_object(a) && is_object(b)) {
        dp_vit_open(run, b, &j);
        while (*out && dp_vit_next(&j, &key, &y, NULL)) {
            if (dp_val_member(run, a, dp_val_decode(run, &key), &x)) DP_TRY(contains(run, &x, &y, false, out));
            else *out = false;
        }
        return DP_OK;
    }
    if (is_array(a) && is_array(b)) {
        dp_vit_open(run, b, &j);
        while (*out && dp_vit_next(&j, NULL, &y, NULL)) {
            *out = false;
            dp_vit_open(run, a, &i);
            while (!*out && dp_vit_next(&i, NULL, &x, NULL)) DP_TRY(contains(run, &x, &y, false, out));
        }
        return DP_OK;
    }
    if (is_string(a) && is_string(b)) {
        struct dp_str s = dp_val_decode(run, a);
        *out = find(s, dp_val_decode(run, b));
        return DP_OK;
    }
    if (top && a->kind != b->kind) /* true and false are two kinds here, as in jq */
        return dp_eval_fail(run, "%s and %s cannot have their containment checked", dp_val_kind_name(a->kind), dp_val_kind_name(b->kind));
    *out = dp_val_equal(run, a, b);
    return DP_OK;
}

static enum dp_status fn_contains(ARGS) {
    (void)n;
    bool b;
    DP_TRY(contains(run, in, &args[0], true, &b));
    return set_bool(out, b);
}

static enum dp_status fn_inside(ARGS) {
    (void)n;
    bool b;
    DP_TRY(contains(run, &args[0], in, true, &b));
    return set_bool(out, b);
}

/* startswith, endswith; ltrimstr, rtrimstr */
static bool affix(struct dp_str s, struct dp_str part, bool end) { return end ? dp_str_ends(s, part) : dp_str_starts(s, part); }

static enum dp_status fn_affix(ARGS) {
    if (!is_string(in) || !is_string(&args[0])) return dp_eval_fail(run, "%.*s needs strings", (int)n->name.n, n->name.p);
    struct dp_str s = dp_val_decode(run, in);
    return set_bool(out, affix(s, dp_val_decode(run, &args[0]), n->func->aux));
}

static enum dp_status fn_trim(ARGS) {
    *out = *in;
    if (!is_string(in) || !is_string(&args[0])) return DP_OK;
    struct dp_str s = dp_val_decode(run, in), part = dp_val_decode(run, &args[0]);
    if (!affix(s, part, n->func->aux)) return DP_OK;
    *out = dp_val_text(dp_str(n->func->aux ? s.p : s.p + part.n, s.n - part.n));
    return DP_OK;
}

static enum dp_status fn_case(ARGS) {
    (void)args;
    if (!is_string(in)) return dp_eval_fail(run, "%.*s needs a string", (int)n->name.n, n->name.p);
    char low = n->func->aux ? 'a' : 'A';
    struct dp_str s = dp_val_decode(run, in);
    DP_TRY(make_room(run, s.n + 1));
    char *p = dp_arena_alloc(&run->arena, s.n + 1);
    for (size_t i = 0; i < s.n; i++) p[i] = s.p[i] >= low && s.p[i] <= low + 25 ? (char)(s.p[i] ^ 0x20) : s.p[i];
    *out = dp_val_text(dp_str(p, s.n));
    return DP_OK;
}

enum dp_status dp_func_tojson(ARGS) {
    (void)n, (void)args;
    struct dp_buf b = {0};
    dp_val_print(run, in, true, &b);
    enum dp_status status = make_room(run, b.n + 1);
    if (status == DP_OK) *out = dp_val_text(dp_arena_str(&run->arena, dp_buf_str(&b)));
    dp_buf_release(&b);
    return status;
}

enum dp_status dp_func_tostring(ARGS) {
    *out = *in;
    return is_string(in) ? DP_OK : dp_func_tojson(run, n, in, args, out);
}

static enum dp_status fn_tonumber(ARGS) {
    (void)n, (void)args;
    *out = *in;
    if (is_number(in)) return DP_OK;
    if (!is_string(in)) return dp_eval_fail(run, "%s cannot be read as a number", dp_val_kind_name(in->kind));
    if (!dp_num_from_text(run, dp_val_decode(run, in), out)) return dp_eval_fail(run, "a string cannot be read as a number");
    return DP_OK;
}

static enum dp_status fn_split(ARGS) {
    (void)n;
    if (!is_string(in) || !is_string(&args[0])) return dp_eval_fail(run, "split needs strings");
    struct dp_str s = dp_val_decode(run, in);
    return split(run, s, dp_val_decode(run, &args[0]), out);
}

static enum dp_status fn_join(ARGS) {
    struct dp_buf b = {0};
    struct dp_vit it;
    struct dp_val v, text;
    enum dp_status status = DP_OK;
    bool first = true;
    if (!is_array(in) && !is_object(in)) return dp_eval_fail(run, "%s cannot be joined", dp_val_kind_name(in->kind));
    dp_vit_open(run, in, &it);
    while (dp_vit_next(&it, NULL, &v, NULL)) {
        if (!first && args[0].kind != DP_KIND_NULL) {
            if (!is_string(&args[0])) DP_TRY_OUT(dp_eval_fail(run, "join needs a string"));
            dp_buf_adds(&b, dp_val_decode(run, &args[0]));
        }
        first = false;
        if (v.kind >= DP_KIND_OBJECT) DP_TRY_OUT(dp_eval_fail(run, "%s cannot be joined to a string", dp_val_kind_name(v.kind)));
        if (v.kind == DP_KIND_NULL) continue;
        DP_TRY_OUT(dp_func_tostring(run, n, &v, NULL, &text));
        dp_buf_adds(&b, dp_val_decode(run, &text));
        DP_TRY_OUT(make_room(run, b.n));
    }
    *out = dp_val_text(dp_arena_str(&run->arena, dp_buf_str(&b)));
out:
    dp_buf_release(&b);
    return status;
}

static enum dp_status fn_round(ARGS) {
    (void)args;
    if (!is_number(in)) return dp_eval_fail(run, "%.*s needs a number", (int)n->name.n, n->name.p);
    return dp_num_round(run, (int)n->func->aux - 1, in, out);
}

static enum dp_status fn_fabs(ARGS) {
    (void)n, (void)args;
    if (!is_number(in)) return dp_eval_fail(run, "fabs needs a number");
    *out = *in;
    return in->s.p[0] == '-' ? dp_num_negate(run, in, out) : DP_OK;
}

static enum dp_status fn_sqrt(ARGS) {
    (void)n, (void)args;
    double d;
    if (!is_number(in) || !dp_parse_double(in->s, &d)) return dp_eval_fail(run, "sqrt needs a number");
    return dp_num_from_double(run, sqrt(d), out);
}

static enum dp_status add_strings(struct dp_expr_run *run, const struct dp_val *in, struct dp_val *out) {
    struct dp_vit it;
    struct dp_val v;
    size_t total = 0;
    dp_vit_open(run, in, &it);
    while (dp_vit_next(&it, NULL, &v, NULL)) total += v.s.n;
    DP_TRY(make_room(run, total + 1));
    char *p = dp_arena_alloc(&run->arena, total + 1), *at = p;
    dp_vit_open(run, in, &it);
    while (dp_vit_next(&it, NULL, &v, NULL)) {
        struct dp_str s = dp_val_decode(run, &v); /* never longer than its escaped form */
        if (s.n) memcpy(at, s.p, s.n);
        at += s.n;
    }
    *out = dp_val_text(dp_str(p, (size_t)(at - p)));
    return DP_OK;
}

static enum dp_status fn_add(ARGS) {
    (void)n, (void)args;
    struct dp_vit it;
    struct dp_val v, sum = dp_val_of(DP_KIND_NULL);
    bool strings = true, any = false;
    if (!is_array(in) && !is_object(in)) return dp_eval_fail(run, "%s has no elements to add", dp_val_kind_name(in->kind));
    dp_vit_open(run, in, &it);
    while (strings && dp_vit_next(&it, NULL, &v, NULL)) strings = is_string(&v), any = true;
    if (strings && any) return add_strings(run, in, out);
    dp_vit_open(run, in, &it);
    while (dp_vit_next(&it, NULL, &v, NULL)) {
        DP_TRY(dp_eval_step(run));
        DP_TRY(dp_val_arith(run, '+', &sum, &v, out));
        sum = *out;
    }
    *out = sum;
    return DP_OK;
}

/* any, all without arguments */
static enum dp_status fn_any(ARGS) {
    (void)args;
    bool want = n->func->aux, found = false;
    struct dp_vit it;
    struct dp_val v;
    if (!is_array(in) && !is_object(in)) return dp_eval_fail(run, "%s has no elements", dp_val_kind_name(in->kind));
    dp_vit_open(run, in, &it);
    while (!found && dp_vit_next(&it, NULL, &v, NULL)) found = dp_val_true(&v) == want;
    return set_bool(out, found == want);
}

/* first, last: the element, or null */
static enum dp_status fn_end(ARGS) {
    (void)args;
    *out = dp_val_of(DP_KIND_NULL);
    if (in->kind == DP_KIND_NULL) return DP_OK;
    if (!is_array(in)) return dp_eval_fail(run, "%s has no first or last element", dp_val_kind_name(in->kind));
    if (!dp_val_element(run, in, n->func->aux ? -1 : 0, out)) *out = dp_val_of(DP_KIND_NULL);
    return DP_OK;
}

/* min (the first of equals), max (the last) */
static enum dp_status fn_min_max(ARGS) {
    (void)args;
    struct dp_vit it;
    struct dp_val v;
    bool first = true;
    if (!is_array(in)) return dp_eval_fail(run, "%s has no smallest or largest element", dp_val_kind_name(in->kind));
    *out = dp_val_of(DP_KIND_NULL);
    dp_vit_open(run, in, &it);
    while (dp_vit_next(&it, NULL, &v, NULL)) {
        int d = first ? 0 : dp_val_cmp(run, &v, out);
        if (first || (n->func->aux ? d >= 0 : d < 0)) *out = v;
        first = false;
    }
    return DP_OK;
}

/* sort; unique */
static enum dp_status fn_sort(ARGS) {
    (void)args;
    uint32_t count;
    if (!is_array(in)) return dp_eval_fail(run, "%s cannot be sorted", dp_val_kind_name(in->kind));
    DP_TRY(make_room(run, 4 * sizeof(struct dp_memb) * dp_val_length(run, in)));
    struct dp_val *list = dp_val_sorted(run, in, &count);
    struct dp_cont *c = dp_cont_new(run, count);
    for (uint32_t i = 0; i < count; i++) {
        if (n->func->aux && c->n && dp_val_equal(run, &c->m[c->n - 1].v, &list[i])) continue;
        c->m[c->n++] = (struct dp_memb){.v = list[i]};
    }
    *out = dp_val_cont(DP_KIND_ARRAY, c);
    return DP_OK;
}

static enum dp_status fn_reverse(ARGS) {
    (void)n, (void)args;
    uint32_t count;
    struct dp_vit it;
    struct dp_val v;
    if (in->kind == DP_KIND_NULL || (is_string(in) && !in->s.n) || (is_object(in) && !dp_val_length(run, in)) ||
        (is_number(in) && dp_number_cmp(in->s, DP_STR("0")) == 0)) { /* what jq finds no elements in */
        *out = dp_val_cont(DP_KIND_ARRAY, dp_cont_new(run, 0));
        return DP_OK;
    }
    if (!is_array(in)) return dp_eval_fail(run, "%s cannot be reversed", dp_val_kind_name(in->kind));
    count = dp_val_length(run, in);
    struct dp_cont *c = dp_cont_new(run, count);
    c->n = count;
    dp_vit_open(run, in, &it);
    while (count && dp_vit_next(&it, NULL, &v, NULL)) c->m[--count] = (struct dp_memb){.v = v};
    *out = dp_val_cont(DP_KIND_ARRAY, c);
    return DP_OK;
}

static enum dp_status fn_fromdate(ARGS) {
    (void)n, (void)args;
    struct dp_timestamp t;
    char text[48];
    if (!is_string(in)) return dp_eval_fail(run, "%s is not a date", dp_val_kind_name(in->kind));
    if (!dp_time_parse(dp_val_decode(run, in), false, false, &t)) return dp_eval_fail(run, "a string is not an RFC 3339 time with a zone");
    dp_i128 nanos = (dp_i128)t.seconds * 1000000000 + t.nanos;
    size_t len = dp_decimal_print(text, nanos, 9);
    while (text[len - 1] == '0') len--;
    if (text[len - 1] == '.') len--;
    *out = (struct dp_val){.kind = DP_KIND_NUMBER, .flags = t.nanos ? 0 : DP_NODE_INTEGER, .s = dp_arena_str(&run->arena, dp_str(text, len))};
    return DP_OK;
}

static enum dp_status fn_todate(ARGS) {
    (void)n, (void)args;
    double d;
    char text[40];
    if (!is_number(in)) return dp_eval_fail(run, "%s is not a time in seconds", dp_val_kind_name(in->kind));
    if (!dp_parse_double(in->s, &d) || d < -62167219200.0 || d >= 253402300800.0) return dp_eval_fail(run, "a time is outside the years 0 to 9999");
    size_t len = dp_time_print_micros(text, (int64_t)d * 1000000, true, 0);
    *out = dp_val_text(dp_arena_str(&run->arena, dp_str(text, len)));
    return DP_OK;
}

static enum dp_status fn_error(ARGS) {
    (void)out;
    const struct dp_val *v = n->n ? &args[0] : in;
    if (!is_string(v)) return dp_eval_fail(run, "error called with a value that is no string");
    struct dp_str s = dp_val_decode(run, v);
    return dp_eval_fail(run, "error: %.*s", DP_STR_FMT(s));
}

enum dp_status dp_func_test(struct dp_expr_run *run, const struct dp_enode *n, const struct dp_val *in, struct dp_val *out) {
    if (!is_string(in)) return dp_eval_fail(run, "%s cannot be matched, as it is not a string", dp_val_kind_name(in->kind));
    struct dp_str s = dp_val_decode(run, in);
    int rc = pcre2_match(n->re, (PCRE2_SPTR)(s.n ? s.p : ""), s.n, 0, PCRE2_NO_UTF_CHECK, run->match, run->match_ctx);
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) return set_bool(out, rc >= 0);
    return dp_eval_fail(run, "a pattern took too long to match");
}

#define KIND(k) (1u << DP_KIND_##k)

static const struct dp_func functions[] = {
    {"length", 0, 0, 0, fn_length},
    {"not", 0, 0, 0, fn_not},
    {"type", 0, 0, 0, fn_type},
    {"keys", 0, 0, 1, fn_keys},
    {"keys_unsorted", 0, 0, 0, fn_keys},
    {"to_entries", 0, 0, 0, fn_to_entries},
    {"has", 1, 0, 0, fn_has},
    {"in", 1, 0, 0, fn_in},
    {"contains", 1, 0, 0, fn_contains},
    {"inside", 1, 0, 0, fn_inside},
    {"startswith", 1, 0, 0, fn_affix},
    {"endswith", 1, 0, 1, fn_affix},
    {"ltrimstr", 1, 0, 0, fn_trim},
    {"rtrimstr", 1, 0, 1, fn_trim},
    {"ascii_downcase", 0, 0, 0, fn_case},
    {"ascii_upcase", 0, 0, 1, fn_case},
    {"tostring", 0, 0, 0, dp_func_tostring},
    {"tojson", 0, 0, 0, dp_func_tojson},
    {"tonumber", 0, 0, 0, fn_tonumber},
    {"split", 1, 0, 0, fn_split},
    {"join", 1, 0, 0, fn_join},
    {"floor", 0, 0, 0, fn_round},
    {"round", 0, 0, 1, fn_round},
    {"ceil", 0, 0, 2, fn_round},
    {"fabs", 0, 0, 0, fn_fabs},
    {"sqrt", 0, 0, 0, fn_sqrt},
    {"add", 0, 0, 0, fn_add},
    {"any", 0, 0, 1, fn_any},
    {"all", 0, 0, 0, fn_any},
    {"first", 0, 0, 0, fn_end},
    {"last", 0, 0, 1, fn_end},
    {"min", 0, 0, 0, fn_min_max},
    {"max", 0, 0, 1, fn_min_max},
    {"sort", 0, 0, 0, fn_sort},
    {"unique", 0, 0, 1, fn_sort},
    {"reverse", 0, 0, 0, fn_reverse},
    {"fromdate", 0, 0, 0, fn_fromdate},
    {"fromdateiso8601", 0, 0, 0, fn_fromdate},
    {"todate", 0, 0, 0, fn_todate},
    {"todateiso8601", 0, 0, 0, fn_todate},
    {"error", 0, 0, 0, fn_error},
    {"error", 1, 0, 0, fn_error},
    {"empty", 0, DP_SP_EMPTY, 0, NULL},
    {"select", 1, DP_SP_SELECT, 0, NULL},
    {"map", 1, DP_SP_MAP, 0, NULL},
    {"map_values", 1, DP_SP_MAP_VALUES, 0, NULL},
    {"any", 1, DP_SP_ANY, 1, NULL},
    {"any", 2, DP_SP_ANY, 1, NULL},
    {"all", 1, DP_SP_ANY, 0, NULL},
    {"all", 2, DP_SP_ANY, 0, NULL},
    {"first", 1, DP_SP_FIRST, 0, NULL},
    {"IN", 1, DP_SP_IN, 0, NULL},
    {"IN", 2, DP_SP_IN, 0, NULL},
    {"del", 1, DP_SP_DEL, 0, NULL},
    {"test", 1, DP_SP_TEST, 0, NULL},
    {"test", 2, DP_SP_TEST, 0, NULL},
    {"nulls", 0, DP_SP_KINDS, (uint8_t)KIND(NULL), NULL},
    {"booleans", 0, DP_SP_KINDS, (uint8_t)(KIND(FALSE) | KIND(TRUE)), NULL},
    {"numbers", 0, DP_SP_KINDS, (uint8_t)KIND(NUMBER), NULL},
    {"strings", 0, DP_SP_KINDS, (uint8_t)KIND(STRING), NULL},
    {"objects", 0, DP_SP_KINDS, (uint8_t)KIND(OBJECT), NULL},
    {"arrays", 0, DP_SP_KINDS, (uint8_t)KIND(ARRAY), NULL},
    {"iterables", 0, DP_SP_KINDS, (uint8_t)(KIND(OBJECT) | KIND(ARRAY)), NULL},
    {"scalars", 0, DP_SP_KINDS, (uint8_t)(KIND(NULL) | KIND(FALSE) | KIND(TRUE) | KIND(NUMBER) | KIND(STRING)), NULL},
    {"values", 0, DP_SP_KINDS, (uint8_t)(0xffu & ~KIND(NULL)), NULL},
};

const struct dp_func *dp_func_find(struct dp_str name, size_t arity) {
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (functions[i].arity == arity && dp_str_eqz(name, functions[i].name)) return &functions[i];
    return NULL;
}
