/*
 * The least and the greatest value, and the k greatest (agg_priv.h).  Numbers by their exact value, strings by their bytes; of equal numbers the one whose encoding is first (fewest digits behind
 * the point).  Numbers and strings together have no order: such a window has no result, whichever came first.
 */
#include "agg_priv.h"

enum { SEEN_NUMBER = 1, SEEN_STRING = 2, SEEN_BOTH = 3 };

struct extreme {
    uint64_t x;   /* DEC, DBL: the word; others: a pointer to the encoded bytes, or 0 */
    uint32_t len; /* of those */
    uint8_t tag;  /* 0: none */
    uint8_t seen;
};

static const char *bytes_of(const struct extreme *e) { return (const char *)(uintptr_t)e->x; }
static bool is_inline(unsigned tag) { return agg_is_dec(tag) || tag == AGG_DBL; }

static void get(const struct extreme *e, struct agg_val *v, char room[9]) {
    if (!is_inline(e->tag)) {
        (void)agg_val_decode(bytes_of(e), v);
        return;
    }
    room[0] = (char)e->tag;
    agg_put64(room + 1, e->x);
    (void)agg_val_decode(room, v);
}

static void forget(struct extreme *e, struct dp_agg_mem *mem) {
    if (e->tag && !is_inline(e->tag)) agg_free(mem, (char *)(uintptr_t)e->x, e->len);
    e->x = 0, e->len = 0, e->tag = 0;
}

static void set(struct extreme *e, const struct agg_val *v, struct dp_agg_mem *mem) {
    forget(e, mem);
    e->tag = (uint8_t)v->tag;
    if (is_inline(v->tag)) {
        e->x = agg_get64(v->raw.p + 1);
        return;
    }
    char *p = agg_realloc(mem, NULL, 0, v->raw.n);
    memcpy(p, v->raw.p, v->raw.n);
    e->x = (uint64_t)(uintptr_t)p;
    e->len = (uint32_t)v->raw.n;
}

/* Does v take the place of old? */
static bool is_better(const struct agg_acc *a, const struct agg_val *v, const struct agg_val *old) {
    int c = agg_val_cmp(v, old);
    if (!c) return dp_str_cmp(v->raw, old->raw) < 0;
    return a->largest ? c > 0 : c < 0;
}

static void extreme_add(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    struct extreme *e = state;
    (void)at;
    if (v->tag == AGG_NAN || e->seen == SEEN_BOTH) return;
    e->seen |= agg_is_number(v->tag) ? SEEN_NUMBER : SEEN_STRING;
    if (e->seen == SEEN_BOTH) {
        forget(e, mem);
    } else if (!e->tag) {
        set(e, v, mem);
    } else if (e->tag == v->tag && agg_is_dec(v->tag)) {
        int64_t old = (int64_t)e->x;
        if (a->largest ? v->i > old : v->i < old) e->x = (uint64_t)v->i;
    } else {
        char room[9];
        struct agg_val old;
        get(e, &old, room);
        if (is_better(a, v, &old)) set(e, v, mem);
    }
}

static void extreme_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    struct extreme *e = into, *f = from;
    if (f->seen == SEEN_BOTH) {
        forget(e, mem);
        e->seen = SEEN_BOTH;
    } else if (f->tag) {
        char room[9];
        struct agg_val v;
        get(f, &v, room);
        extreme_add(a, into, &v, (struct dp_agg_at){0}, mem);
    }
}

static void extreme_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) {
    (void)a;
    forget(state, mem);
}

static void extreme_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    const struct extreme *e = state;
    char room[9];
    struct agg_val v;
    (void)a;
    dp_buf_addc(out, (char)e->seen);
    if (!e->tag) return;
    get(e, &v, room);
    dp_buf_adds(out, v.raw);
}

static bool extreme_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    struct extreme *e = state;
    struct agg_val v;
    (void)a;
    if (!in->n) return false;
    unsigned seen = (unsigned char)in->p[0];
    *in = dp_str(in->p + 1, in->n - 1);
    if (seen > SEEN_BOTH) return false;
    e->seen = (uint8_t)seen;
    if (seen == 0 || seen == SEEN_BOTH) return true;
    if (!agg_val_load(in, &v) || (seen == SEEN_NUMBER ? !agg_is_number(v.tag) : v.tag != AGG_STR)) return false;
    set(e, &v, mem);
    return true;
}

/* Rows are never taken out of these: then a multiset stands in their place. */
static bool extreme_has(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at) {
    (void)a, (void)state, (void)v, (void)at;
    return false;
}
static void extreme_sub(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)state, (void)v, (void)at, (void)mem;
}

const struct agg_acc_ops agg_ops_extreme = {sizeof(struct extreme), extreme_add,     extreme_has,  extreme_sub,
                                            extreme_merge,          extreme_release, extreme_save, extreme_load};

/* The same of all values of a multiset; e is as if they had been added to it. */
static void gather(const struct agg_bag *bag, bool largest, struct extreme *e, struct dp_agg_mem *mem) {
    const struct agg_acc a = {.largest = largest};
    struct agg_bag_item item;
    for (size_t at = 0; agg_bag_next(bag, &at, &item);) {
        struct agg_val v;
        (void)agg_val_decode(item.s.p, &v);
        extreme_add(&a, e, &v, (struct dp_agg_at){0}, mem);
    }
}

enum dp_status agg_extreme_print(const struct agg_acc *a, const void *state, bool largest, struct dp_buf *out, struct dp_err *err) {
    struct dp_agg_mem own = {0};
    struct extreme gathered = {0};
    const struct extreme *e = state;
    if (a->counted) {
        gather(*(struct agg_bag *const *)state, largest, &gathered, &own);
        e = &gathered;
    }
    if (e->seen == SEEN_BOTH) return dp_err_set(err, DP_RECORD, "numbers and strings in one window have no order");
    if (!e->tag) {
        dp_buf_addz(out, "null");
    } else {
        char room[9];
        struct agg_val v;
        get(e, &v, room);
        agg_val_print(out, &v);
    }
    forget(&gathered, &own);
    return DP_OK;
}

/* ---- the k greatest ---- */

/* A heap whose root is the first to go. */
struct top {
    uint64_t n, cap;
    uint8_t seen;
    struct extreme *v;
};

/* Of two values, does a stand before b, largest first? */
static bool stands_before(const struct extreme *a, const struct extreme *b) {
    static const struct agg_acc largest = {.largest = true};
    char room[9], room2[9];
    struct agg_val x, y;
    get(a, &x, room), get(b, &y, room2);
    return is_better(&largest, &x, &y);
}

static void swap(struct extreme *a, struct extreme *b) {
    struct extreme t = *a;
    *a = *b;
    *b = t;
}

static void sift_down(struct extreme *v, uint64_t n, uint64_t i) {
    for (;;) {
        uint64_t child = 2 * i + 1;
        if (child >= n) return;
        if (child + 1 < n && stands_before(&v[child], &v[child + 1])) child++;
        if (!stands_before(&v[i], &v[child])) return;
        swap(&v[i], &v[child]);
        i = child;
    }
}

static void top_forget(struct top *t, struct dp_agg_mem *mem) {
    for (uint64_t i = 0; i < t->n; i++) forget(&t->v[i], mem);
    agg_free(mem, t->v, t->cap * sizeof *t->v);
    t->n = t->cap = 0, t->v = NULL;
}

static void top_add(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    struct top *t = *(struct top **)state;
    (void)at;
    if (v->tag == AGG_NAN) return;
    if (!t) {
        *(struct top **)state = t = agg_realloc(mem, NULL, 0, sizeof *t);
        *t = (struct top){0};
    }
    if (t->seen == SEEN_BOTH) return;
    t->seen |= agg_is_number(v->tag) ? SEEN_NUMBER : SEEN_STRING;
    if (t->seen == SEEN_BOTH) {
        top_forget(t, mem);
        return;
    }
    struct extreme e = {0};
    if (t->n < a->k) {
        if (t->n == t->cap) {
            uint64_t cap = t->cap ? t->cap * 2 : 4;
            t->v = agg_realloc(mem, t->v, t->cap * sizeof *t->v, cap * sizeof *t->v);
            t->cap = cap;
        }
        set(&e, v, mem);
        uint64_t i = t->n++;
        for (t->v[i] = e; i && stands_before(&t->v[(i - 1) / 2], &t->v[i]); i = (i - 1) / 2) swap(&t->v[i], &t->v[(i - 1) / 2]);
        return;
    }
    static const struct agg_acc largest = {.largest = true};
    char room[9];
    struct agg_val root;
    get(&t->v[0], &root, room);
    if (!is_better(&largest, v, &root)) return;
    set(&t->v[0], v, mem);
    sift_down(t->v, t->n, 0);
}

static void top_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    struct top *f = *(struct top **)from;
    if (!f) return;
    if (!*(struct top **)into) {
        *(struct top **)into = f;
        *(struct top **)from = NULL;
        return;
    }
    struct top *t = *(struct top **)into;
    if ((t->seen | f->seen) == SEEN_BOTH) {
        t->seen = SEEN_BOTH;
        top_forget(t, mem);
        return;
    }
    for (uint64_t i = 0; i < f->n; i++) {
        char room[9];
        struct agg_val v;
        get(&f->v[i], &v, room);
        top_add(a, into, &v, (struct dp_agg_at){0}, mem);
    }
}

static void top_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) {
    struct top *t = *(struct top **)state;
    (void)a;
    if (!t) return;
    top_forget(t, mem);
    agg_free(mem, t, sizeof *t);
    *(struct top **)state = NULL;
}

static int by_place(const void *a, const void *b) { return stands_before(a, b) ? -1 : stands_before(b, a) ? 1 : 0; }

/* In order; caller frees the array, not what it points to. */
static struct extreme *in_order(const struct top *t) {
    struct extreme *v = dp_alloc((t->n + 1) * sizeof *v);
    if (t->n) memcpy(v, t->v, t->n * sizeof *v);
    qsort(v, t->n, sizeof *v, by_place);
    return v;
}

static void top_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    static const struct top none = {0};
    const struct top *t = *(struct top *const *)state ? *(struct top *const *)state : &none;
    struct extreme *v = in_order(t);
    (void)a;
    dp_buf_addc(out, (char)t->seen);
    agg_put32(dp_buf_reserve(out, 4), (uint32_t)t->n);
    out->n += 4;
    for (uint64_t i = 0; i < t->n; i++) {
        char room[9];
        struct agg_val x;
        get(&v[i], &x, room);
        dp_buf_adds(out, x.raw);
    }
    free(v);
}

static bool top_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    struct agg_val v;
    if (in->n < 5) return false;
    unsigned seen = (unsigned char)in->p[0];
    uint32_t n = agg_get32(in->p + 1);
    *in = dp_str(in->p + 5, in->n - 5);
    if (seen > SEEN_BOTH || n > a->k || (n && (seen == 0 || seen == SEEN_BOTH))) return false;
    for (; n; n--) {
        if (!agg_val_load(in, &v) || (seen == SEEN_NUMBER ? !agg_is_number(v.tag) : v.tag != AGG_STR)) return false;
        top_add(a, state, &v, (struct dp_agg_at){0}, mem);
    }
    if (seen == SEEN_BOTH) {
        struct top *t = *(struct top **)state = agg_realloc(mem, NULL, 0, sizeof *t);
        *t = (struct top){.seen = SEEN_BOTH};
    }
    return true;
}

const struct agg_acc_ops agg_ops_top = {sizeof(struct top *), top_add, extreme_has, extreme_sub, top_merge, top_release, top_save, top_load};

enum dp_status agg_top_print(const struct agg_acc *a, const void *state, uint64_t k, struct dp_buf *out, struct dp_err *err) {
    struct dp_agg_mem own = {0};
    struct agg_acc plain = {.k = k};
    struct top *gathered = NULL, *t = *(struct top *const *)state, none = {0};
    if (a->counted) {
        struct agg_bag_item item;
        for (size_t at = 0; agg_bag_next(*(struct agg_bag *const *)state, &at, &item);) {
            struct agg_val v;
            (void)agg_val_decode(item.s.p, &v);
            for (uint64_t i = 0; i < item.count && i < k; i++) top_add(&plain, &gathered, &v, (struct dp_agg_at){0}, &own);
        }
        t = gathered;
    }
    if (!t) t = &none;
    enum dp_status status = DP_OK;
    if (t->seen == SEEN_BOTH) {
        status = dp_err_set(err, DP_RECORD, "numbers and strings in one window have no order");
    } else {
        struct extreme *v = in_order(t);
        dp_buf_addc(out, '[');
        for (uint64_t i = 0; i < t->n; i++) {
            char room[9];
            struct agg_val x;
            get(&v[i], &x, room);
            if (i) dp_buf_addc(out, ',');
            agg_val_print(out, &x);
        }
        dp_buf_addc(out, ']');
        free(v);
    }
    top_release(&plain, &gathered, &own);
    return status;
}
