/*
 * Canonical bytes of values: equal values have equal bytes whatever their spelling, so that keys, lists of values and items of arrays compare by
 * memcmp.  Numbers by their value, strings decoded, objects by their names in order.  A time is its text: 12:00Z and 13:00+01:00 differ.
 */
#include "check_priv.h"

#include <stdlib.h>

static void add_length(struct dp_buf *out, size_t n) {
    for (; n >= 128; n >>= 7) dp_buf_addc(out, (char)((n & 127) | 128));
    dp_buf_addc(out, (char)n);
}

/* ---- numbers ---- */

bool check_digits(struct dp_str s, struct check_digits *d) {
    size_t i = 0, point = SIZE_MAX, n = 0;
    *d = (struct check_digits){.text = s};
    if (i < s.n && s.p[i] == '-') d->negative = true, i++;
    size_t from = i;
    for (; i < s.n && s.p[i] != 'e' && s.p[i] != 'E'; i++)
        if (s.p[i] == '.') point = i;
    size_t end = i;
    int64_t e = 0;
    bool is_long = false;
    if (i < s.n) {
        bool down = s.p[++i] == '-';
        if (s.p[i] == '-' || s.p[i] == '+') i++;
        while (i < s.n && s.p[i] == '0') i++;
        is_long = s.n - i > 15; /* an exponent of that many digits: its spelling is all there is to say */
        for (; i < s.n && !is_long; i++) e = e * 10 + (s.p[i] - '0');
        if (down) e = -e;
    }
    if (point != SIZE_MAX) e -= (int64_t)(end - point - 1);
    while (from < end && (s.p[from] == '0' || s.p[from] == '.')) from++;
    while (end > from && (s.p[end - 1] == '0' || s.p[end - 1] == '.')) {
        e += s.p[end - 1] == '0';
        end--;
    }
    d->p = s.p + from, d->end = s.p + end;
    for (const char *p = d->p; p < d->end; p++) n += *p != '.';
    d->n = n;
    d->e = n ? e : 0;
    if (!n) d->negative = false;
    return !is_long || !n;
}

static void add_number(struct dp_str s, uint8_t flags, struct dp_buf *out) {
    struct check_digits d;
    if ((flags & DP_NODE_INTEGER) && s.n <= 17 && !(s.p[0] == '-' && s.p[1] == '0')) {
        dp_buf_addc(out, 'i');
        dp_buf_adds(out, s);
        return;
    }
    if (!check_digits(s, &d)) {
        dp_buf_addc(out, 'x');
        dp_buf_adds(out, s);
        return;
    }
    bool whole = d.e >= 0 && (int64_t)d.n + d.e <= 17;
    dp_buf_addc(out, whole ? 'i' : 'd');
    if (d.negative) dp_buf_addc(out, '-');
    for (const char *p = d.p; p < d.end; p++)
        if (*p != '.') dp_buf_addc(out, *p);
    if (!d.n) dp_buf_addc(out, '0');
    for (int64_t i = 0; whole && i < d.e; i++) dp_buf_addc(out, '0');
    if (!whole) dp_buf_addf(out, "e%lld", (long long)d.e);
}

/* ---- values ---- */

struct member {
    uint32_t key;
    struct dp_str name;
};

static int by_name(const void *a, const void *b) { return dp_str_cmp(((const struct member *)a)->name, ((const struct member *)b)->name); }

static void add_delimited(const struct dp_record *r, uint32_t node, struct dp_buf *out);

/* Members in the order of their decoded names; the names' text lives in `names` as long as it is sorted. */
static void add_object(const struct dp_record *r, uint32_t node, struct dp_buf *out) {
    struct dp_buf names = {0};
    size_t n = 0, cap = 0, at = 0;
    struct member *m = NULL;
    for (uint32_t k = node + 1; k < r->nodes[node].next; k = r->nodes[k].next) {
        m = dp_grow(m, &cap, n + 1, sizeof *m);
        size_t start = names.n;
        dp_json_decode(dp_node_str(r, k), &names);
        m[n++] = (struct member){.key = k, .name = {NULL, names.n - start}};
    }
    for (size_t i = 0; i < n; i++) m[i].name.p = names.p + at, at += m[i].name.n;
    if (n) qsort(m, n, sizeof *m, by_name);
    dp_buf_addc(out, '{');
    add_length(out, n);
    for (size_t i = 0; i < n; i++) {
        add_length(out, m[i].name.n);
        dp_buf_adds(out, m[i].name);
        add_delimited(r, m[i].key + 1, out);
    }
    free(m);
    dp_buf_release(&names);
}

static void add_array(const struct dp_record *r, uint32_t node, struct dp_buf *out) {
    size_t n = 0;
    for (uint32_t i = node + 1; i < r->nodes[node].next; i = r->nodes[i].next) n++;
    dp_buf_addc(out, '[');
    add_length(out, n);
    for (uint32_t i = node + 1; i < r->nodes[node].next; i = r->nodes[i].next) add_delimited(r, i, out);
}

void check_key_node(const struct dp_record *r, uint32_t node, struct dp_buf *out) {
    const struct dp_node *v = &r->nodes[node];
    switch ((enum dp_kind)v->kind) {
    case DP_KIND_NONE:
    case DP_KIND_NULL: dp_buf_addc(out, 'n'); return;
    case DP_KIND_FALSE: dp_buf_addc(out, 'f'); return;
    case DP_KIND_TRUE: dp_buf_addc(out, 't'); return;
    case DP_KIND_NUMBER: add_number(dp_node_str(r, node), v->flags, out); return;
    case DP_KIND_STRING:
        dp_buf_addc(out, 's');
        if (v->flags & DP_NODE_ESCAPED) dp_json_decode(dp_node_str(r, node), out);
        else dp_buf_adds(out, dp_node_str(r, node));
        return;
    case DP_KIND_OBJECT: add_object(r, node, out); return;
    case DP_KIND_ARRAY: add_array(r, node, out); return;
    }
}

/* With its length in front, so that what follows can't be taken for a part of it. */
static void add_delimited(const struct dp_record *r, uint32_t node, struct dp_buf *out) {
    struct dp_buf one = {0};
    check_key_node(r, node, &one);
    add_length(out, one.n);
    dp_buf_adds(out, dp_buf_str(&one));
    dp_buf_release(&one);
}

void check_key_text(bool is_number, struct dp_str text, struct dp_buf *out) {
    if (is_number) {
        add_number(text, 0, out);
    } else {
        dp_buf_addc(out, 's');
        dp_buf_adds(out, text);
    }
}

bool dp_tuple_bytes(const struct dp_path *paths, size_t n, struct dp_path_hint *hints, const struct dp_record *rec, struct dp_buf *out) {
    size_t start = out->n;
    for (size_t i = 0; i < n; i++) {
        uint32_t node = dp_path_find(&paths[i], hints ? &hints[i] : NULL, rec);
        if (!node || rec->nodes[node].kind == DP_KIND_NULL) {
            out->n = start;
            return false;
        }
        if (n == 1) {
            check_key_node(rec, node, out);
            return true;
        }
        const struct dp_node *v = &rec->nodes[node];
        if (v->kind == DP_KIND_STRING && !(v->flags & DP_NODE_ESCAPED)) {
            add_length(out, (size_t)v->len + 1);
            check_key_node(rec, node, out);
        } else {
            add_delimited(rec, node, out);
        }
    }
    return n > 0;
}

void dp_record_bytes(const struct dp_record *rec, struct dp_buf *out) { check_key_node(rec, 0, out); }
