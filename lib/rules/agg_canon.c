/*
 * Canonical texts (agg_priv.h): equal for equal values, so that distinct values can be told by their bytes.  Numbers by value (1.0, 1 and 1e0 are "1"), strings decoded and
 * escaped in one way, members of objects by name.
 */
#include "agg_priv.h"

#include <dp/base/decimal.h>

/* A number's digits without zeros around them, and where its point is: 0.digits * 10^exp. */
static void add_number(struct dp_buf *b, struct dp_str s) {
    struct dp_buf digits = {0};
    int64_t exp = 0, behind = 0;
    size_t at = *s.p == '-', end = at;
    bool point = false;
    for (; end < s.n && (s.p[end] | 32) != 'e'; end++) {
        if (s.p[end] == '.') {
            point = true;
            continue;
        }
        if (digits.n || s.p[end] != '0') dp_buf_addc(&digits, s.p[end]);
        behind += point;
    }
    if (end < s.n) {
        struct dp_str e = dp_str(s.p + end + 1, s.n - end - 1);
        const int64_t far = INT64_C(1) << 60;
        if (!dp_parse_i64(e, &exp) || exp > far || exp < -far) exp = *e.p == '-' ? -far : far; /* as far as spelled is the same as farther */
    }
    exp += (int64_t)digits.n - behind;
    while (digits.n && digits.p[digits.n - 1] == '0') digits.n--;
    int64_t n = (int64_t)digits.n;
    if (n && at) dp_buf_addc(b, '-');
    if (!n) {
        dp_buf_addc(b, '0');
    } else if (exp > 0 && exp <= 40 && n <= exp) {
        dp_buf_adds(b, dp_buf_str(&digits));
        for (int64_t i = n; i < exp; i++) dp_buf_addc(b, '0');
    } else if (exp > 0 && exp <= 40) {
        dp_buf_add(b, digits.p, (size_t)exp);
        dp_buf_addc(b, '.');
        dp_buf_add(b, digits.p + exp, (size_t)(n - exp));
    } else if (exp <= 0 && exp > -6) {
        dp_buf_addz(b, "0.");
        for (int64_t i = exp; i < 0; i++) dp_buf_addc(b, '0');
        dp_buf_adds(b, dp_buf_str(&digits));
    } else {
        dp_buf_addc(b, *digits.p);
        if (n > 1) dp_buf_addc(b, '.'), dp_buf_add(b, digits.p + 1, (size_t)n - 1);
        dp_buf_addf(b, "e%lld", (long long)(exp - 1));
    }
    dp_buf_release(&digits);
}

static void add_string(struct dp_buf *b, struct dp_str s, uint8_t flags) {
    if (!(flags & DP_NODE_ESCAPED)) { /* what needs no escape has none */
        dp_buf_addc(b, '"');
        dp_buf_adds(b, s);
        dp_buf_addc(b, '"');
        return;
    }
    struct dp_buf decoded = {0};
    dp_json_decode(s, &decoded);
    dp_json_add_string(b, dp_buf_str(&decoded));
    dp_buf_release(&decoded);
}

struct member {
    struct dp_str key; /* canonical */
    uint32_t value;
};

static int by_key(const void *a, const void *b) {
    const struct member *x = a, *y = b;
    int c = dp_str_cmp(x->key, y->key);
    return c ? c : (x->value > y->value) - (x->value < y->value);
}

static void add_object(struct dp_buf *b, const struct dp_record *r, uint32_t node) {
    struct member *all = NULL;
    struct dp_buf keys = {0};
    size_t n = 0, cap = 0;
    for (uint32_t k = node + 1, end = r->nodes[node].next; k < end; k = r->nodes[k].next) {
        size_t from = keys.n;
        add_string(&keys, dp_node_str(r, k), r->nodes[k].flags);
        all = dp_grow(all, &cap, n + 1, sizeof *all);
        all[n++] = (struct member){{NULL, keys.n - from}, k + 1};
    }
    const char *p = keys.p;
    for (size_t i = 0; i < n; i++) all[i].key.p = p, p += all[i].key.n;
    if (n) qsort(all, n, sizeof *all, by_key);
    dp_buf_addc(b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i) dp_buf_addc(b, ',');
        dp_buf_adds(b, all[i].key);
        dp_buf_addc(b, ':');
        agg_canonical(b, r, all[i].value);
    }
    dp_buf_addc(b, '}');
    dp_buf_release(&keys);
    free(all);
}

void agg_canonical(struct dp_buf *b, const struct dp_record *r, uint32_t node) {
    const struct dp_node *n = &r->nodes[node];
    switch ((enum dp_kind)n->kind) {
    case DP_KIND_NONE:
    case DP_KIND_NULL: dp_buf_addz(b, "null"); break;
    case DP_KIND_FALSE: dp_buf_addz(b, "false"); break;
    case DP_KIND_TRUE: dp_buf_addz(b, "true"); break;
    case DP_KIND_NUMBER: add_number(b, dp_node_str(r, node)); break;
    case DP_KIND_STRING: add_string(b, dp_node_str(r, node), n->flags); break;
    case DP_KIND_OBJECT: add_object(b, r, node); break;
    case DP_KIND_ARRAY:
        dp_buf_addc(b, '[');
        for (uint32_t k = node + 1; k < n->next; k = r->nodes[k].next) {
            if (k > node + 1) dp_buf_addc(b, ',');
            agg_canonical(b, r, k);
        }
        dp_buf_addc(b, ']');
        break;
    }
}
