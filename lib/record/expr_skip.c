/*
 * What statistics say of an expression, without reading records: whether no row or every row of a set satisfies it (dp/record/expr.h).
 * It errs on the safe side, DP_MAYBE.  What it sees through: comparisons of a path with a constant, either way around, `path // constant`,
 * IN, startswith, test of a pattern that begins with a literal text, a path's truth, and / or / not / select.
 */
#include "expr_priv.h"

#include <ctype.h>
#include <dp/base/decimal.h>

enum { CAN_TRUE = 1, CAN_FALSE = 2, CAN_BOTH = 3 };
enum { MAX_STEPS = 16 };

/* `.a.b`, or `.a.b // constant`. */
struct operand {
    struct dp_str path[MAX_STEPS];
    size_t n;
    const struct dp_val *other; /* instead of null and false; NULL: none */
};

static bool find_path(const struct dp_enode *n, struct operand *o) {
    o->n = 0;
    o->other = NULL;
    size_t depth = 0;
    for (const struct dp_enode *i = n; i->kind == DP_EK_INDEX; i = i->a) depth++;
    if (depth == 0 || depth > MAX_STEPS) return false;
    for (o->n = depth; n->kind == DP_EK_INDEX; n = n->a) {
        if (n->b->kind != DP_EK_CONST || n->b->val.kind != DP_KIND_STRING) return false;
        o->path[--depth] = n->b->val.s;
    }
    return n->kind == DP_EK_IDENTITY;
}

static bool find_operand(const struct dp_enode *n, struct operand *o) {
    if (n->kind != DP_EK_ALT) return find_path(n, o);
    if (n->b->kind != DP_EK_CONST || n->b->val.kind >= DP_KIND_OBJECT || !find_path(n->a, o)) return false;
    if (n->b->val.kind != DP_KIND_NULL) o->other = &n->b->val;
    return true;
}

/* ---- outcomes of comparing ---- */

static bool get_bounds(const struct dp_expr_facts *f, const struct operand *o, struct dp_expr_bounds *b) {
    memset(b, 0, sizeof *b);
    b->nulls = -1;
    bool known = f->bounds(f->ctx, o->path, o->n, b) && b->known;
    if (!known) b->nulls = -1;
    return known;
}

static bool is_bool(uint8_t kind) { return kind == DP_KIND_FALSE || kind == DP_KIND_TRUE; }

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

static unsigned kinds_outcome(enum dp_cmp op, uint8_t a, uint8_t b) {
    int d = dp_val_kind_rank(a) - dp_val_kind_rank(b);
    return range_outcome(op, d, d);
}

static int text_cmp(uint8_t kind, struct dp_str a, struct dp_str b) { return kind == DP_KIND_NUMBER ? dp_number_cmp(a, b) : dp_str_cmp(a, b); }

static unsigned const_outcome(enum dp_cmp op, const struct dp_val *v, const struct dp_val *k) {
    if (v->kind != k->kind || (k->kind != DP_KIND_NUMBER && k->kind != DP_KIND_STRING)) {
        bool ordering = op != DP_CMP_EQ && op != DP_CMP_NE;
        return ordering && (v->kind == DP_KIND_NULL || k->kind == DP_KIND_NULL) ? CAN_FALSE : kinds_outcome(op, v->kind, k->kind);
    }
    int d = text_cmp(k->kind, v->s, k->s);
    return range_outcome(op, d, d);
}

/* What the rows without a value give. */
static unsigned null_outcome(const struct operand *o, enum dp_cmp op, const struct dp_val *k) {
    static const struct dp_val null = {.kind = DP_KIND_NULL};
    return const_outcome(op, o->other ? o->other : &null, k);
}

/* What values between the bounds give. */
static unsigned value_outcome(const struct operand *o, const struct dp_expr_bounds *b, enum dp_cmp op, const struct dp_val *k) {
    unsigned out = 0;
    if (k->kind == DP_KIND_NULL) return op == DP_CMP_NE ? CAN_TRUE : CAN_FALSE;
    if (is_bool((uint8_t)b->kind)) {
        if (o->other) return CAN_BOTH; /* it stands for false too */
        int rank = dp_val_kind_rank(k->kind), lo = dp_str_eqz(b->min, "true"), hi = dp_str_eqz(b->max, "true");
        return range_outcome(op, dp_val_kind_rank(DP_KIND_FALSE) + lo - rank, dp_val_kind_rank(DP_KIND_FALSE) + hi - rank);
    }
    if (b->kind != DP_KIND_NUMBER && b->kind != DP_KIND_STRING) return CAN_BOTH;
    if (b->may_nan) out |= k->kind == DP_KIND_STRING ? CAN_BOTH : kinds_outcome(op, DP_KIND_STRING, k->kind);
    if (k->kind != b->kind) return out | kinds_outcome(op, (uint8_t)b->kind, k->kind);
    return out | range_outcome(op, text_cmp(k->kind, b->min, k->s), text_cmp(k->kind, b->max, k->s));
}

/* What comparing the operand with the constant can give. */
static unsigned cmp_outcome(const struct dp_expr_facts *f, const struct operand *o, enum dp_cmp op, const struct dp_val *k) {
    struct dp_expr_bounds b;
    if (k->kind >= DP_KIND_OBJECT) return CAN_BOTH;
    bool known = get_bounds(f, o, &b), equality = op == DP_CMP_EQ || op == DP_CMP_NE;
    unsigned nulls = b.nulls != 0 ? null_outcome(o, op, k) : 0u, hit = op == DP_CMP_EQ ? CAN_TRUE : CAN_FALSE;
    if (known && b.nulls >= 0 && b.nulls >= b.rows) return nulls;
    unsigned values = known ? value_outcome(o, &b, op, k) : CAN_BOTH;
    bool scalar = k->kind == DP_KIND_NUMBER || k->kind == DP_KIND_STRING;
    if (equality && scalar && (values & hit) && f->lacks && f->lacks(f->ctx, o->path, o->n, (enum dp_kind)k->kind, k->s)) values = CAN_BOTH ^ hit;
    return nulls | values;
}

/* ---- texts ---- */

/* An operand that is no text would be an error: nothing is said then. */
static unsigned prefix_outcome(const struct dp_expr_facts *f, const struct operand *o, struct dp_str prefix) {
    struct dp_expr_bounds b;
    unsigned out = 0;
    if (!get_bounds(f, o, &b) || b.kind != DP_KIND_STRING || b.may_nan) return CAN_BOTH;
    if (b.nulls != 0) {
        if (!o->other || o->other->kind != DP_KIND_STRING) return CAN_BOTH;
        out = dp_str_starts(o->other->s, prefix) ? CAN_TRUE : CAN_FALSE;
    }
    struct dp_str lo = b.min, hi = b.max;
    if (lo.n > prefix.n) lo.n = prefix.n;
    if (hi.n > prefix.n) hi.n = prefix.n;
    if (dp_str_cmp(hi, prefix) < 0 || dp_str_cmp(lo, prefix) > 0) return out | CAN_FALSE;
    return out | (dp_str_starts(b.min, prefix) && dp_str_starts(b.max, prefix) ? CAN_TRUE : CAN_BOTH);
}

/* The literal text that all matches of a pattern begin with, behind its `^`; empty: none is known. */
static void pattern_prefix(struct dp_str pattern, struct dp_buf *out) {
    if (!pattern.n || pattern.p[0] != '^' || memchr(pattern.p, '|', pattern.n)) return;
    size_t i = 1, last = 0;
    while (i < pattern.n) {
        unsigned char c = (unsigned char)pattern.p[i];
        if (c == '\\' && i + 1 < pattern.n && (unsigned char)pattern.p[i + 1] < 0x80 && !isalnum((unsigned char)pattern.p[i + 1])) {
            last = out->n;
            dp_buf_addc(out, pattern.p[i + 1]);
            i += 2;
        } else if (c == '?' || c == '*' || c == '{') { /* the character before it may be absent */
            out->n = last;
            return;
        } else if (strchr(".[]()\\$^+}#", (int)c)) {
            return;
        } else {
            if ((c & 0xC0) != 0x80) last = out->n;
            dp_buf_addc(out, (char)c);
            i++;
        }
    }
}

static unsigned test_outcome(const struct dp_expr_facts *f, const struct operand *o, struct dp_str pattern) {
    struct dp_buf prefix = {0};
    unsigned out = CAN_BOTH;
    pattern_prefix(pattern, &prefix);
    if (prefix.n && prefix_outcome(f, o, dp_buf_str(&prefix)) == CAN_FALSE) out = CAN_FALSE;
    dp_buf_release(&prefix);
    return out;
}

/* What "one of these" gives, of what each gives: CAN_FALSE for none. */
static unsigned either(unsigned a, unsigned b) { return ((a | b) & CAN_TRUE) | (a & b & CAN_FALSE); }

/* `.f | IN("a", "b")` */
static unsigned in_outcome(const struct dp_expr_facts *f, const struct operand *o, const struct dp_enode *list) {
    if (list->kind == DP_EK_CONST) return cmp_outcome(f, o, DP_CMP_EQ, &list->val);
    if (list->kind != DP_EK_COMMA) return CAN_BOTH;
    return either(in_outcome(f, o, list->a), in_outcome(f, o, list->b));
}

/*
 * The same among many: the bounds are asked for once, and of the constants only null, which stands first, and those that lie between them are compared.  All others equal no value.
 */
static unsigned set_outcome(const struct dp_expr_facts *f, const struct operand *o, const struct dp_enode *call) {
    struct dp_expr_run run = {.e = NULL}; /* constants need nothing of it */
    struct dp_expr_bounds b;
    unsigned out = CAN_FALSE;
    size_t from = 0, to = call->n_set;
    if (get_bounds(f, o, &b) && !b.may_nan && !o->other && (b.kind == DP_KIND_NUMBER || b.kind == DP_KIND_STRING)) {
        struct dp_val min = {.kind = (uint8_t)b.kind, .flags = b.kind == DP_KIND_STRING ? DP_VAL_TEXT : 0, .s = b.min};
        if (call->set[0].kind == DP_KIND_NULL) out = cmp_outcome(f, o, DP_CMP_EQ, &call->set[0]);
        to = from = dp_val_place(&run, call->set, call->n_set, &min);
        while (to < call->n_set && call->set[to].kind == b.kind && text_cmp((uint8_t)b.kind, call->set[to].s, b.max) <= 0) to++;
    }
    for (size_t i = from; i < to; i++) out = either(out, cmp_outcome(f, o, DP_CMP_EQ, &call->set[i]));
    return out;
}

/* ---- the tree ---- */

static unsigned outcome(const struct dp_expr_facts *f, const struct dp_enode *n);

static unsigned pipe_outcome(const struct dp_expr_facts *f, const struct dp_enode *n) {
    struct operand o;
    const struct dp_enode *call = n->b;
    if (call->kind != DP_EK_CALL) return CAN_BOTH;
    if (call->n == 0 && dp_str_eqz(call->name, "not")) {
        unsigned u = outcome(f, n->a);
        return (u & CAN_TRUE ? CAN_FALSE : 0u) | (u & CAN_FALSE ? CAN_TRUE : 0u);
    }
    if (call->n != 1 || !find_operand(n->a, &o)) return CAN_BOTH;
    const struct dp_enode *arg = call->list[0];
    if (dp_str_eqz(call->name, "IN")) return call->set ? set_outcome(f, &o, call) : in_outcome(f, &o, arg);
    if (arg->kind != DP_EK_CONST || arg->val.kind != DP_KIND_STRING) return CAN_BOTH;
    if (dp_str_eqz(call->name, "startswith")) return prefix_outcome(f, &o, arg->val.s);
    if (dp_str_eqz(call->name, "test")) return test_outcome(f, &o, arg->val.s);
    return CAN_BOTH;
}

static unsigned cmp_node_outcome(const struct dp_expr_facts *f, const struct dp_enode *n) {
    static const uint8_t mirror[] = {DP_CMP_EQ, DP_CMP_NE, DP_CMP_GT, DP_CMP_GE, DP_CMP_LT, DP_CMP_LE};
    struct operand o;
    if (n->b->kind == DP_EK_CONST && find_operand(n->a, &o)) return cmp_outcome(f, &o, (enum dp_cmp)n->op, &n->b->val);
    if (n->a->kind == DP_EK_CONST && find_operand(n->b, &o)) return cmp_outcome(f, &o, (enum dp_cmp)mirror[n->op], &n->a->val);
    return CAN_BOTH;
}

/* A value's truth: null and false are not. */
static unsigned truth_outcome(const struct dp_expr_facts *f, const struct operand *o) {
    struct dp_expr_bounds b;
    if (o->other || !get_bounds(f, o, &b)) return CAN_BOTH;
    unsigned out = b.nulls != 0 ? CAN_FALSE : 0u;
    if (b.nulls >= 0 && b.nulls >= b.rows) return CAN_FALSE;
    if (b.kind == DP_KIND_NUMBER || b.kind == DP_KIND_STRING) return out | CAN_TRUE;
    if (!is_bool((uint8_t)b.kind)) return CAN_BOTH;
    return out | (dp_str_eqz(b.min, "false") ? CAN_FALSE : 0u) | (dp_str_eqz(b.max, "true") ? CAN_TRUE : 0u);
}

static unsigned outcome(const struct dp_expr_facts *f, const struct dp_enode *n) {
    struct operand o;
    if (n->kind == DP_EK_AND || n->kind == DP_EK_OR) {
        unsigned x = outcome(f, n->a), y = outcome(f, n->b), all = n->kind == DP_EK_AND ? CAN_TRUE : CAN_FALSE;
        return (x & y & all) | ((x | y) & (CAN_BOTH ^ all));
    }
    if (n->kind == DP_EK_CMP) return cmp_node_outcome(f, n);
    if (n->kind == DP_EK_CONST) return dp_val_true(&n->val) ? CAN_TRUE : CAN_FALSE;
    if (n->kind == DP_EK_PIPE) return pipe_outcome(f, n);
    if (n->kind == DP_EK_CALL && n->n == 1 && dp_str_eqz(n->name, "select")) return outcome(f, n->list[0]);
    if (n->kind == DP_EK_CALL && n->n == 2 && dp_str_eqz(n->name, "IN") && find_operand(n->list[0], &o)) return n->set ? set_outcome(f, &o, n) : in_outcome(f, &o, n->list[1]);
    return find_operand(n, &o) ? truth_outcome(f, &o) : CAN_BOTH;
}

enum dp_maybe dp_expr_skip(const struct dp_expr *e, const struct dp_expr_facts *f) {
    switch (outcome(f, e->root)) {
    case CAN_FALSE: return DP_NEVER;
    case CAN_TRUE: return DP_ALWAYS;
    default: return DP_MAYBE;
    }
}
