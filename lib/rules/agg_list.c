/*
 * Values by time (agg_priv.h): the first and the last one, how much came between them, and all in order.  The order is (time, arrival number).
 * Where rows may be taken out, first and last are read off the list of all.
 */
#include "agg_priv.h"

#include <dp/base/decimal.h>
#include <math.h>

static void put64(struct dp_buf *out, uint64_t v) {
    agg_put64(dp_buf_reserve(out, 8), v);
    out->n += 8;
}

static bool take_at(struct dp_str *in, struct dp_agg_at *at) {
    if (in->n < 16) return false;
    *at = (struct dp_agg_at){(int64_t)agg_get64(in->p), agg_get64(in->p + 8)};
    *in = dp_str(in->p + 16, in->n - 16);
    return true;
}

static int cmp_at(struct dp_agg_at a, struct dp_agg_at b) {
    if (a.time != b.time) return a.time < b.time ? -1 : 1;
    return (a.arrival > b.arrival) - (a.arrival < b.arrival);
}

/* ---- one ---- */

struct edge {
    struct dp_agg_at at;
    char *p; /* encoded; NULL: none */
    size_t n;
};

static void edge_set(struct edge *e, struct dp_str raw, struct dp_agg_at at, struct dp_agg_mem *mem) {
    if (raw.n != e->n) {
        e->p = agg_realloc(mem, e->p, e->n, raw.n);
        e->n = raw.n;
    }
    memcpy(e->p, raw.p, raw.n);
    e->at = at;
}

static void edge_add(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    struct edge *e = state;
    if (e->p) {
        int c = cmp_at(at, e->at);
        if (!c) c = dp_str_cmp(v->raw, dp_str(e->p, e->n));
        if (a->largest ? c <= 0 : c >= 0) return;
    }
    edge_set(e, v->raw, at, mem);
}

static void edge_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    struct edge *f = from;
    struct agg_val v;
    if (!f->p) return;
    (void)agg_val_decode(f->p, &v);
    v.raw = dp_str(f->p, f->n);
    edge_add(a, into, &v, f->at, mem);
}

static void edge_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) {
    struct edge *e = state;
    (void)a;
    agg_free(mem, e->p, e->n);
    *e = (struct edge){0};
}

static void edge_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    const struct edge *e = state;
    (void)a;
    dp_buf_addc(out, e->p ? 1 : 0);
    if (!e->p) return;
    put64(out, (uint64_t)e->at.time), put64(out, e->at.arrival);
    dp_buf_add(out, e->p, e->n);
}

static bool edge_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    struct dp_agg_at at;
    struct agg_val v;
    if (!in->n || (unsigned char)*in->p > 1) return false;
    bool is_there = *in->p;
    *in = dp_str(in->p + 1, in->n - 1);
    if (!is_there) return true;
    if (!take_at(in, &at) || !agg_val_load(in, &v) || !agg_val_fits(&v, a->class)) return false;
    edge_set(state, v.raw, at, mem);
    return true;
}

/* Rows are never taken out of these: then a list stands in their place. */
static bool edge_has(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at) {
    (void)a, (void)state, (void)v, (void)at;
    return false;
}
static void edge_sub(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)state, (void)v, (void)at, (void)mem;
}

const struct agg_acc_ops agg_ops_edge = {sizeof(struct edge), edge_add, edge_has, edge_sub, edge_merge, edge_release, edge_save, edge_load};

/* ---- all ---- */

struct item {
    struct dp_agg_at at;
    size_t off, n; /* of the encoded value */
};

struct list {
    struct item *v;
    size_t n, cap;
    char *data;
    size_t used, data_cap, dead; /* bytes; of values that were taken out */
    bool sorted;
};

static struct dp_str item_str(const struct list *l, const struct item *i) { return dp_str(l->data + i->off, i->n); }

/* Items with their bytes beside them, for an order that is total. */
struct sortable { struct item item; const char *p; };

static int by_time(const void *a, const void *b) {
    const struct sortable *x = a, *y = b;
    int c = cmp_at(x->item.at, y->item.at);
    return c ? c : dp_str_cmp(dp_str(x->p, x->item.n), dp_str(y->p, y->item.n));
}

static void sort_list(struct list *l) {
    if (l->sorted) return;
    struct sortable *s = dp_alloc((l->n + 1) * sizeof *s);
    for (size_t i = 0; i < l->n; i++) s[i] = (struct sortable){l->v[i], l->data + l->v[i].off};
    qsort(s, l->n, sizeof *s, by_time);
    for (size_t i = 0; i < l->n; i++) l->v[i] = s[i].item;
    free(s);
    l->sorted = true;
}

static void list_push(struct list **to, struct dp_str raw, struct dp_agg_at at, struct dp_agg_mem *mem) {
    struct list *l = *to;
    if (!l) {
        *to = l = agg_realloc(mem, NULL, 0, sizeof *l);
        *l = (struct list){.sorted = true};
    }
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        l->v = agg_realloc(mem, l->v, l->cap * sizeof *l->v, cap * sizeof *l->v);
        l->cap = cap;
    }
    if (raw.n > l->data_cap - l->used) {
        size_t cap = l->used + raw.n + l->used / 2 + 32;
        l->data = agg_realloc(mem, l->data, l->data_cap, cap);
        l->data_cap = cap;
    }
    memcpy(l->data + l->used, raw.p, raw.n);
    if (l->n && cmp_at(at, l->v[l->n - 1].at) <= 0) l->sorted = false;
    l->v[l->n++] = (struct item){at, l->used, raw.n};
    l->used += raw.n;
}

static void list_add(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a;
    list_push(state, v->raw, at, mem);
}

/* Of the rows of that time and value the last; l->n: there is none. */
static size_t list_find(struct list *l, struct dp_str raw, int64_t time) {
    sort_list(l);
    size_t lo = 0, hi = l->n;
    while (lo < hi) { /* the first behind that time */
        size_t mid = lo + (hi - lo) / 2;
        if (l->v[mid].at.time <= time) lo = mid + 1;
        else hi = mid;
    }
    while (lo && l->v[lo - 1].at.time == time)
        if (dp_str_eq(item_str(l, &l->v[--lo]), raw)) return lo;
    return l->n;
}

static bool list_has(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at) {
    struct list *l = *(struct list *const *)state;
    (void)a;
    return l && list_find(l, v->raw, at.time) < l->n;
}

static void list_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) {
    struct list *l = *(struct list **)state;
    (void)a;
    if (!l) return;
    agg_free(mem, l->v, l->cap * sizeof *l->v);
    agg_free(mem, l->data, l->data_cap);
    agg_free(mem, l, sizeof *l);
    *(struct list **)state = NULL;
}

/* Bytes of values that are gone are given up when they are most. */
static void drop_dead(struct list *l, struct dp_agg_mem *mem) {
    if (l->dead < 4096 || l->dead < l->used / 2) return;
    size_t size = l->used - l->dead + 32, at = 0;
    char *data = agg_realloc(mem, NULL, 0, size);
    for (size_t i = 0; i < l->n; i++) {
        memcpy(data + at, l->data + l->v[i].off, l->v[i].n);
        l->v[i].off = at;
        at += l->v[i].n;
    }
    agg_free(mem, l->data, l->data_cap);
    l->data = data, l->data_cap = size, l->used = at, l->dead = 0;
}

static void list_sub(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    struct list *l = *(struct list **)state;
    size_t i = list_find(l, v->raw, at.time);
    l->dead += l->v[i].n;
    memmove(&l->v[i], &l->v[i + 1], (l->n - i - 1) * sizeof *l->v);
    l->n--;
    if (!l->n) list_release(a, state, mem);
    else drop_dead(l, mem);
}

static void list_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    struct list **to = into, *f = *(struct list **)from;
    (void)a;
    if (!*to || (f && f->n > (*to)->n)) {
        *(struct list **)from = *to;
        *to = f;
        f = *(struct list **)from;
    }
    for (size_t i = 0; f && i < f->n; i++) list_push(to, item_str(f, &f->v[i]), f->v[i].at, mem);
}

static void list_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    struct list *l = *(struct list *const *)state;
    (void)a;
    put64(out, l ? l->n : 0);
    if (l) sort_list(l);
    for (size_t i = 0; l && i < l->n; i++) {
        put64(out, (uint64_t)l->v[i].at.time), put64(out, l->v[i].at.arrival);
        dp_buf_adds(out, item_str(l, &l->v[i]));
    }
}

static bool list_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    if (in->n < 8) return false;
    uint64_t n = agg_get64(in->p);
    *in = dp_str(in->p + 8, in->n - 8);
    for (; n; n--) { /* each takes bytes of the input: no count makes this long */
        struct dp_agg_at at;
        struct agg_val v;
        if (!take_at(in, &at) || !agg_val_load(in, &v) || !agg_val_fits(&v, a->class)) return false;
        list_push(state, v.raw, at, mem);
    }
    return true;
}

const struct agg_acc_ops agg_ops_list = {sizeof(struct list *), list_add, list_has, list_sub, list_merge, list_release, list_save, list_load};

void agg_list_print(const void *state, struct dp_buf *out) {
    struct list *l = *(struct list *const *)state;
    dp_buf_addc(out, '[');
    if (l) sort_list(l);
    for (size_t i = 0; l && i < l->n; i++) {
        struct agg_val v;
        (void)agg_val_decode(item_str(l, &l->v[i]).p, &v);
        if (i) dp_buf_addc(out, ',');
        agg_val_print(out, &v);
    }
    dp_buf_addc(out, ']');
}

/* ---- results of one and two ---- */

static bool get_edge(const struct agg_acc *a, const void *state, bool last, struct agg_val *v, int64_t *time) {
    const char *p;
    if (a->counted) {
        struct list *l = *(struct list *const *)state;
        if (!l) return false;
        sort_list(l);
        const struct item *i = &l->v[last ? l->n - 1 : 0];
        p = item_str(l, i).p;
        *time = i->at.time;
    } else {
        const struct edge *e = state;
        p = e->p;
        *time = e->at.time;
    }
    if (p) (void)agg_val_decode(p, v);
    return p != NULL;
}

void agg_edge_print(const struct agg_acc *a, const void *state, bool last, struct dp_buf *out) {
    struct agg_val v;
    int64_t time;
    if (get_edge(a, state, last, &v, &time)) agg_val_print(out, &v);
    else dp_buf_addz(out, "null");
}

static bool is_exact(const struct agg_val *v) { return agg_is_dec(v->tag) || v->tag == AGG_WIDE; }

/* w += v * 10^(38 + by) */
static void add_scaled(struct agg_wide *w, const struct agg_val *v, int by, bool minus) {
    struct dp_agg_mem own = {0};
    struct agg_wide x = {0}, factor, p;
    bool is_decimal = is_exact(v);
    if (is_decimal) agg_wide_add_i128(&x, agg_is_dec(v->tag) ? v->i : v->w, minus, &own);
    else agg_wide_add_double(&x, v->d, minus, &own);
    agg_wide_power_of_ten(&factor, AGG_WIDE_SCALE + by - (is_decimal ? v->scale : 0));
    agg_wide_mul(&p, &x, &factor);
    agg_wide_add_wide(w, &p, false, &own);
    agg_wide_release(&x, &own), agg_wide_release(&factor, &own), agg_wide_release(&p, &own);
}

/* den = 10^38 * (to - from) */
static void elapsed(struct agg_wide *den, int64_t from, int64_t to) {
    struct dp_agg_mem own = {0};
    struct agg_wide t = {0}, ten;
    agg_wide_add_i128(&t, (dp_i128)to - from, false, &own);
    agg_wide_power_of_ten(&ten, AGG_WIDE_SCALE);
    agg_wide_mul(den, &t, &ten);
    agg_wide_release(&t, &own), agg_wide_release(&ten, &own);
}

void agg_change_print(const struct agg_acc *first, const void *first_state, const struct agg_acc *last, const void *last_state, bool rate, struct dp_buf *out) {
    struct dp_agg_mem own = {0};
    struct agg_val x, y;
    struct agg_wide num = {0}, den = {0};
    int64_t from, to;
    if (!get_edge(first, first_state, false, &x, &from) || !get_edge(last, last_state, true, &y, &to) || (rate && from == to)) {
        dp_buf_addz(out, "null");
        return;
    }
    if (x.tag == AGG_NAN || y.tag == AGG_NAN) {
        dp_json_add_double(out, (double)NAN);
        return;
    }
    add_scaled(&num, &y, rate ? 3 : 0, false); /* times are in milliseconds */
    add_scaled(&num, &x, rate ? 3 : 0, true);
    if (!rate && is_exact(&x) && is_exact(&y)) {
        int scale = x.scale > y.scale ? x.scale : y.scale;
        agg_wide_print(out, &num, AGG_WIDE_SCALE);
        out->n -= (size_t)(AGG_WIDE_SCALE - scale) + !scale; /* zeros, and the point */
    } else {
        elapsed(&den, rate ? from : 0, rate ? to : 1);
        dp_json_add_double(out, agg_wide_ratio(&num, &den));
    }
    agg_wide_release(&num, &own), agg_wide_release(&den, &own);
}
