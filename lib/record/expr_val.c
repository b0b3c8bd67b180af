/*
 * Values of an expression: reading the record's nodes in place, containers that were made, equality, jq's order of all
 * values (manual, section "sort"), and printing that keeps the bytes of what was not touched.
 */
#include "expr_priv.h"

#include <dp/base/decimal.h>
#include <stdlib.h>

struct dp_val dp_val_node(const struct dp_record *r, uint32_t i) {
    const struct dp_node *n = &r->nodes[i];
    struct dp_val v = {.kind = n->kind, .flags = n->flags & (DP_NODE_ESCAPED | DP_NODE_INTEGER), .node = i};
    if (n->kind >= DP_KIND_OBJECT) v.c = NULL;
    else v.s = dp_str(r->base + n->off, n->len);
    return v;
}

struct dp_val dp_val_i64(struct dp_expr_run *run, int64_t v) {
    char text[20];
    size_t n = dp_print_i64(text, v);
    return (struct dp_val){.kind = DP_KIND_NUMBER, .flags = DP_NODE_INTEGER, .s = dp_arena_str(&run->arena, dp_str(text, n))};
}

struct dp_val dp_val_cont(enum dp_kind kind, const struct dp_cont *c) {
    struct dp_val v = {.kind = (uint8_t)kind};
    v.c = c;
    return v;
}

struct dp_str dp_val_decode(struct dp_expr_run *run, const struct dp_val *v) {
    if (!(v->flags & DP_NODE_ESCAPED)) return v->s;
    dp_buf_reset(&run->tmp);
    dp_json_decode(v->s, &run->tmp);
    return dp_arena_str(&run->arena, dp_buf_str(&run->tmp));
}

const char *dp_val_kind_name(uint8_t kind) {
    switch ((enum dp_kind)kind) {
    case DP_KIND_NONE:
    case DP_KIND_NULL: return "null";
    case DP_KIND_FALSE:
    case DP_KIND_TRUE: return "boolean";
    case DP_KIND_NUMBER: return "number";
    case DP_KIND_STRING: return "string";
    case DP_KIND_OBJECT: return "object";
    case DP_KIND_ARRAY: return "array";
    }
    return "null";
}

/* ---- containers ---- */

void dp_vit_open(const struct dp_expr_run *run, const struct dp_val *v, struct dp_vit *it) {
    it->r = run->r, it->c = v->c;
    it->object = v->kind == DP_KIND_OBJECT;
    it->at = v->c ? 0 : v->node + 1;
    it->end = v->c ? v->c->n : run->r->nodes[v->node].next;
}

bool dp_vit_next(struct dp_vit *it, struct dp_val *key, struct dp_val *v, uint32_t *src) {
    if (it->at >= it->end) return false;
    if (it->c) {
        const struct dp_memb *m = &it->c->m[it->at++];
        if (key) *key = m->key;
        *v = m->v;
        if (src) *src = 0;
        return true;
    }
    uint32_t at = it->at;
    if (src) *src = at;
    it->at = it->r->nodes[at].next;
    if (it->object) {
        if (key) *key = dp_val_node(it->r, at);
        at++;
    }
    *v = dp_val_node(it->r, at);
    return true;
}

uint32_t dp_val_length(const struct dp_expr_run *run, const struct dp_val *v) {
    if (v->c) return v->c->n;
    uint32_t n = 0, end = run->r->nodes[v->node].next;
    if (v->node == 0 && v->kind == DP_KIND_OBJECT) return run->r->n_members;
    for (uint32_t at = v->node + 1; at < end; at = run->r->nodes[at].next) n++;
    return n;
}

bool dp_val_key_is(const struct dp_val *key, struct dp_str name) {
    if (key->flags & DP_NODE_ESCAPED) return dp_json_equal(key->s, DP_NODE_ESCAPED, name);
    return dp_str_eq(key->s, name);
}

bool dp_val_member(struct dp_expr_run *run, const struct dp_val *v, struct dp_str name, struct dp_val *out) {
    if (v->c) {
        for (uint32_t i = 0; i < v->c->n; i++) {
            if (!dp_val_key_is(&v->c->m[i].key, name)) continue;
            *out = v->c->m[i].v;
            return true;
        }
        return false;
    }
    const struct dp_record *r = run->r;
    uint32_t end = r->nodes[v->node].next;
    for (uint32_t at = v->node + 1; at < end; at = r->nodes[at].next) {
        const struct dp_node *k = &r->nodes[at];
        bool same = k->flags & DP_NODE_ESCAPED ? dp_json_equal(dp_node_str(r, at), k->flags, name)
                                               : k->len == name.n && !memcmp(r->base + k->off, name.p, name.n);
        if (!same) continue;
        *out = dp_val_node(r, at + 1);
        return true;
    }
    return false;
}

bool dp_val_element(struct dp_expr_run *run, const struct dp_val *v, int64_t i, struct dp_val *out) {
    if (i < 0) i += dp_val_length(run, v);
    if (i < 0) return false;
    if (v->c) {
        if (i >= v->c->n) return false;
        *out = v->c->m[i].v;
        return true;
    }
    const struct dp_record *r = run->r;
    uint32_t end = r->nodes[v->node].next, at = v->node + 1;
    while (at < end && i--) at = r->nodes[at].next;
    if (at >= end) return false;
    *out = dp_val_node(r, at);
    return true;
}

struct dp_cont *dp_cont_new(struct dp_expr_run *run, size_t n) {
    struct dp_cont *c = dp_arena_calloc(&run->arena, 1, sizeof *c);
    c->m = dp_arena_alloc(&run->arena, (n ? n : 1) * sizeof *c->m);
    return c;
}

struct dp_cont *dp_cont_edit(struct dp_expr_run *run, const struct dp_val *v, size_t extra) {
    struct dp_cont *c = dp_cont_new(run, dp_val_length(run, v) + extra);
    if (v->c) {
        if (v->c->n) memcpy(c->m, v->c->m, v->c->n * sizeof *c->m);
        c->n = v->c->n, c->base = v->c->base, c->has_base = v->c->has_base;
        return c;
    }
    c->base = v->node, c->has_base = true;
    struct dp_vit it;
    dp_vit_open(run, v, &it);
    while (dp_vit_next(&it, &c->m[c->n].key, &c->m[c->n].v, &c->m[c->n].src)) c->n++;
    return c;
}

/* ---- equality and order ---- */

static int member_cmp(const void *pa, const void *pb) {
    const struct dp_memb *a = pa, *b = pb;
    int d = dp_str_cmp(a->key.s, b->key.s);
    return d ? d : (a->src > b->src) - (a->src < b->src);
}

struct dp_memb *dp_val_sorted_members(struct dp_expr_run *run, const struct dp_val *v, uint32_t *n) {
    struct dp_memb *m = dp_arena_alloc(&run->arena, sizeof *m * (dp_val_length(run, v) + 1u));
    struct dp_vit it;
    *n = 0;
    dp_vit_open(run, v, &it);
    while (dp_vit_next(&it, &m[*n].key, &m[*n].v, NULL)) {
        m[*n].key = dp_val_text(dp_val_decode(run, &m[*n].key));
        m[*n].src = *n;
        ++*n;
    }
    if (*n) qsort(m, *n, sizeof *m, member_cmp);
    return m;
}

static bool string_equal(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b) {
    bool ea = a->flags & DP_NODE_ESCAPED, eb = b->flags & DP_NODE_ESCAPED;
    if (ea == eb && dp_str_eq(a->s, b->s)) return true;
    if (!ea && !eb) return false;
    if (!ea) return dp_json_equal(b->s, b->flags, a->s);
    if (!eb) return dp_json_equal(a->s, a->flags, b->s);
    return dp_str_eq(dp_val_decode(run, a), dp_val_decode(run, b));
}

static bool cont_equal(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b) {
    uint32_t n = dp_val_length(run, a), m = dp_val_length(run, b);
    if (n != m) return false;
    if (a->kind == DP_KIND_OBJECT) {
        struct dp_memb *x = dp_val_sorted_members(run, a, &n), *y = dp_val_sorted_members(run, b, &m);
        for (uint32_t i = 0; i < n; i++)
            if (!dp_str_eq(x[i].key.s, y[i].key.s) || !dp_val_equal(run, &x[i].v, &y[i].v)) return false;
        return true;
    }
    struct dp_vit i, j;
    struct dp_val x, y;
    dp_vit_open(run, a, &i);
    dp_vit_open(run, b, &j);
    while (dp_vit_next(&i, NULL, &x, NULL) && dp_vit_next(&j, NULL, &y, NULL))
        if (!dp_val_equal(run, &x, &y)) return false;
    return true;
}

bool dp_val_equal(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b) {
    if (a->kind != b->kind) return false;
    switch ((enum dp_kind)a->kind) {
    case DP_KIND_NONE:
    case DP_KIND_NULL:
    case DP_KIND_FALSE:
    case DP_KIND_TRUE: return true;
    case DP_KIND_NUMBER: return dp_str_eq(a->s, b->s) || dp_number_cmp(a->s, b->s) == 0;
    case DP_KIND_STRING: return string_equal(run, a, b);
    case DP_KIND_OBJECT:
    case DP_KIND_ARRAY: return cont_equal(run, a, b);
    }
    return false;
}

/* null, false, true, numbers, strings, arrays, objects */
int dp_val_kind_rank(uint8_t kind) {
    return kind == DP_KIND_OBJECT ? DP_KIND_ARRAY : kind == DP_KIND_ARRAY ? DP_KIND_OBJECT : kind;
}

static int array_cmp(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b) {
    struct dp_vit i, j;
    struct dp_val x, y;
    dp_vit_open(run, a, &i);
    dp_vit_open(run, b, &j);
    for (;;) {
        bool more_a = dp_vit_next(&i, NULL, &x, NULL), more_b = dp_vit_next(&j, NULL, &y, NULL);
        if (!more_a || !more_b) return more_a - more_b;
        int d = dp_val_cmp(run, &x, &y);
        if (d) return d;
    }
}

static int object_cmp(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b) {
    uint32_t n, m;
    struct dp_memb *x = dp_val_sorted_members(run, a, &n), *y = dp_val_sorted_members(run, b, &m);
    for (uint32_t i = 0; i < n && i < m; i++) {
        int d = dp_str_cmp(x[i].key.s, y[i].key.s);
        if (d) return d;
    }
    if (n != m) return n < m ? -1 : 1;
    for (uint32_t i = 0; i < n; i++) {
        int d = dp_val_cmp(run, &x[i].v, &y[i].v);
        if (d) return d;
    }
    return 0;
}

int dp_val_cmp(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b) {
    if (a->kind != b->kind) {
        int d = dp_val_kind_rank(a->kind) - dp_val_kind_rank(b->kind);
        return (d > 0) - (d < 0);
    }
    switch ((enum dp_kind)a->kind) {
    case DP_KIND_NONE:
    case DP_KIND_NULL:
    case DP_KIND_FALSE:
    case DP_KIND_TRUE: return 0;
    case DP_KIND_NUMBER: return dp_number_cmp(a->s, b->s);
    case DP_KIND_STRING: return dp_str_cmp(dp_val_decode(run, a), dp_val_decode(run, b));
    case DP_KIND_OBJECT: return object_cmp(run, a, b);
    case DP_KIND_ARRAY: return array_cmp(run, a, b);
    }
    return 0;
}

bool dp_val_cmp_op(struct dp_expr_run *run, enum dp_cmp op, const struct dp_val *a, const struct dp_val *b) {
    if (op == DP_CMP_EQ) return dp_val_equal(run, a, b);
    if (op == DP_CMP_NE) return !dp_val_equal(run, a, b);
    if (a->kind == DP_KIND_NULL || b->kind == DP_KIND_NULL) return false;
    int d = dp_val_cmp(run, a, b);
    return op == DP_CMP_LT ? d < 0 : op == DP_CMP_LE ? d <= 0 : op == DP_CMP_GT ? d > 0 : d >= 0;
}

void dp_val_sort(struct dp_expr_run *run, struct dp_val *v, struct dp_val *tmp, size_t n) {
    if (n < 2) return;
    size_t half = n / 2;
    dp_val_sort(run, v, tmp, half);
    dp_val_sort(run, v + half, tmp, n - half);
    memcpy(tmp, v, half * sizeof *v);
    size_t i = 0, j = half, k = 0;
    while (i < half) {
        if (j < n && dp_val_cmp(run, &v[j], &tmp[i]) < 0) v[k++] = v[j++];
        else v[k++] = tmp[i++];
    }
}

size_t dp_val_place(struct dp_expr_run *run, const struct dp_val *sorted, size_t n, const struct dp_val *v) {
    struct dp_val key = v->kind == DP_KIND_STRING ? dp_val_text(dp_val_decode(run, v)) : *v;
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (dp_val_cmp(run, &sorted[mid], &key) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

struct dp_val *dp_val_sorted(struct dp_expr_run *run, const struct dp_val *v, uint32_t *n) {
    uint32_t len = dp_val_length(run, v);
    struct dp_val *list = dp_arena_alloc(&run->arena, (2u * (size_t)len + 1u) * sizeof *list);
    struct dp_vit it;
    *n = 0;
    dp_vit_open(run, v, &it);
    while (dp_vit_next(&it, NULL, &list[*n], NULL)) ++*n;
    dp_val_sort(run, list, list + len, len);
    return list;
}

/* ---- printing ---- */

static void print_text(const struct dp_val *v, struct dp_buf *b) {
    if (v->flags & DP_VAL_TEXT) {
        dp_json_add_string(b, v->s);
        return;
    }
    dp_buf_addc(b, '"');
    dp_buf_adds(b, v->s);
    dp_buf_addc(b, '"');
}

/* Where the bytes of a node's value end (behind its closing quote). */
static uint32_t node_end(const struct dp_record *r, uint32_t i) {
    const struct dp_node *n = &r->nodes[i];
    return n->off + n->len + (n->kind == DP_KIND_STRING);
}

static uint32_t node_start(const struct dp_record *r, uint32_t i) {
    const struct dp_node *n = &r->nodes[i];
    return n->off - (n->kind == DP_KIND_STRING);
}

/* An edition of a container of the record: between members that were neighbours there, its own bytes. */
static void print_edition(struct dp_expr_run *run, const struct dp_val *v, struct dp_buf *b) {
    const struct dp_record *r = run->r;
    const struct dp_cont *c = v->c;
    bool object = v->kind == DP_KIND_OBJECT;
    uint32_t follows = c->base + 1, pos = r->nodes[c->base].off + 1; /* the source member that would continue; where copying goes on */
    dp_buf_addc(b, object ? '{' : '[');
    for (uint32_t i = 0; i < c->n; i++) {
        const struct dp_memb *m = &c->m[i];
        uint32_t value = m->src + object;
        if (m->src && m->src == follows) {
            uint32_t from = node_start(r, value);
            dp_buf_add(b, r->base + pos, from - pos);
        } else {
            if (i) dp_buf_addc(b, ',');
            if (object && m->src) { /* with the blanks around its colon */
                uint32_t from = node_start(r, m->src);
                dp_buf_add(b, r->base + from, node_start(r, value) - from);
            } else if (object) {
                print_text(&m->key, b);
                dp_buf_addc(b, ':');
            }
        }
        dp_val_print(run, &m->v, false, b);
        follows = 0;
        if (m->src) pos = node_end(r, value), follows = r->nodes[m->src].next;
    }
    if (follows == r->nodes[c->base].next) {
        uint32_t end = r->nodes[c->base].off + r->nodes[c->base].len;
        dp_buf_add(b, r->base + pos, end - pos);
    } else {
        dp_buf_addc(b, object ? '}' : ']');
    }
}

static void print_members(struct dp_expr_run *run, const struct dp_val *v, bool compact, struct dp_buf *b) {
    bool object = v->kind == DP_KIND_OBJECT, first = true;
    struct dp_vit it;
    struct dp_val key, x;
    dp_buf_addc(b, object ? '{' : '[');
    dp_vit_open(run, v, &it);
    while (dp_vit_next(&it, &key, &x, NULL)) {
        if (!first) dp_buf_addc(b, ',');
        first = false;
        if (object) {
            print_text(&key, b);
            dp_buf_addc(b, ':');
        }
        dp_val_print(run, &x, compact, b);
    }
    dp_buf_addc(b, object ? '}' : ']');
}

void dp_val_print(struct dp_expr_run *run, const struct dp_val *v, bool compact, struct dp_buf *b) {
    switch ((enum dp_kind)v->kind) {
    case DP_KIND_NONE:
    case DP_KIND_NULL: dp_buf_add(b, "null", 4); return;
    case DP_KIND_FALSE: dp_buf_add(b, "false", 5); return;
    case DP_KIND_TRUE: dp_buf_add(b, "true", 4); return;
    case DP_KIND_NUMBER: dp_buf_adds(b, v->s); return;
    case DP_KIND_STRING: print_text(v, b); return;
    case DP_KIND_OBJECT:
    case DP_KIND_ARRAY: break;
    }
    if (!compact && !v->c) dp_buf_adds(b, dp_node_str(run->r, v->node));
    else if (!compact && v->c->has_base) print_edition(run, v, b);
    else print_members(run, v, compact, b);
}
