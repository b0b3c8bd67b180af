/*
 * All values of a window, for exact quantiles by nearest rank (agg_priv.h).  Decimals that fit are words at one scale, the first few in the state itself; doubles are words in
 * their order; where both come together, or longer ones, values stand encoded.  Which of the three follows from the values alone.
 *
 * A value is printed with the fewest digits that hold it, but no fewer behind the point than the least of the window's decimals has: 12.30 stays 12.30 where all have two.
 */
#include "agg_priv.h"

#define FEW 3

enum { WORDS, DOUBLES, ENCODED };

struct vec {
    uint64_t n;
    uint8_t kind;      /* WORDS, DOUBLES, ENCODED */
    uint8_t scale;     /* WORDS: of all of them */
    uint8_t least;     /* 1 + the fewest digits behind the point of its decimals; 0: it has none */
    uint8_t log_cap;   /* WORDS, DOUBLES: 0 is in place, else 2^log_cap of them at p */
    union {
        int64_t few[FEW];
        int64_t *p;
        struct { char *p; size_t n, cap; } bytes; /* ENCODED */
    } u;
};

_Static_assert(sizeof(struct vec) == AGG_VEC_SIZE, "agg_sketch.c holds one");

static const int64_t *words_of(const struct vec *v) { return v->log_cap ? v->u.p : v->u.few; }

/* Doubles in the order of signed words. */
static int64_t word_of_double(double d) {
    int64_t i = (int64_t)agg_double_bits(d);
    return i < 0 ? (int64_t)((uint64_t)i ^ (uint64_t)INT64_MAX) : i;
}
static double double_of_word(int64_t i) { return agg_bits_double((uint64_t)(i < 0 ? (int64_t)((uint64_t)i ^ (uint64_t)INT64_MAX) : i)); }

static void reserve(struct vec *v, uint64_t want, struct dp_agg_mem *mem) {
    uint64_t cap = v->log_cap ? UINT64_C(1) << v->log_cap : FEW;
    if (want <= cap) return;
    uint8_t log = v->log_cap ? v->log_cap : 3; /* where four come more do */
    while (UINT64_C(1) << log < want) log++;
    size_t old = v->log_cap ? cap * sizeof(int64_t) : 0, size = (size_t)(UINT64_C(1) << log) * sizeof(int64_t);
    if (old) {
        v->u.p = agg_realloc(mem, v->u.p, old, size);
    } else {
        int64_t *p = agg_realloc(mem, NULL, 0, size);
        memcpy(p, v->u.few, v->n * sizeof *p);
        v->u.p = p;
    }
    v->log_cap = log;
}

static void push_word(struct vec *v, int64_t x, struct dp_agg_mem *mem) {
    if (!v->log_cap) {
        if (v->n < FEW) {
            v->u.few[v->n++] = x;
            return;
        }
        reserve(v, v->n + 1, mem);
    } else if (v->n >> v->log_cap) {
        reserve(v, v->n + 1, mem);
    }
    v->u.p[v->n++] = x;
}

static void push_bytes(struct vec *v, struct dp_str s, struct dp_agg_mem *mem) {
    if (s.n > v->u.bytes.cap - v->u.bytes.n) {
        size_t cap = v->u.bytes.cap + v->u.bytes.cap / 2 + s.n + 32;
        v->u.bytes.p = agg_realloc(mem, v->u.bytes.p, v->u.bytes.cap, cap);
        v->u.bytes.cap = cap;
    }
    memcpy(v->u.bytes.p + v->u.bytes.n, s.p, s.n);
    v->u.bytes.n += s.n;
}

/* A decimal encoded without zeros at its end: the same bytes, whatever scale it stood at. */
static void encode_dec(struct dp_buf *b, int64_t i, int scale) {
    while (scale && i % 10 == 0) i /= 10, scale--;
    agg_val_add_dec(b, i, scale);
}

static void encode_word(struct dp_buf *b, const struct vec *v, int64_t x) {
    if (v->kind == WORDS) {
        encode_dec(b, x, v->scale);
        return;
    }
    char room[9];
    room[0] = AGG_DBL;
    agg_put64(room + 1, agg_double_bits(double_of_word(x)));
    dp_buf_add(b, room, 9);
}

static void to_encoded(struct vec *v, struct dp_agg_mem *mem) {
    struct dp_buf b = {0};
    const int64_t *words = words_of(v);
    for (uint64_t i = 0; i < v->n; i++) encode_word(&b, v, words[i]);
    if (v->log_cap) agg_free(mem, v->u.p, sizeof(int64_t) << v->log_cap);
    v->kind = ENCODED;
    v->log_cap = 0, v->scale = 0;
    memset(&v->u, 0, sizeof v->u);
    if (b.n) push_bytes(v, dp_buf_str(&b), mem);
    dp_buf_release(&b);
}

/* All words at a larger scale; false: they do not fit. */
static bool rescale(struct vec *v, int scale) {
    int64_t *words = v->log_cap ? v->u.p : v->u.few, by = dp_power_of_ten[scale - v->scale], product;
    for (uint64_t i = 0; i < v->n; i++)
        if (dp_mul_overflow(words[i], by, &product)) return false;
    for (uint64_t i = 0; i < v->n; i++) words[i] *= by;
    v->scale = (uint8_t)scale;
    return true;
}

static void note_least(struct vec *v, int scale) {
    if (!v->least || scale + 1 < v->least) v->least = (uint8_t)(scale + 1);
}

static void add_encoded(struct vec *v, const struct agg_val *x, struct dp_agg_mem *mem) {
    struct dp_buf b = {0};
    if (v->kind != ENCODED) to_encoded(v, mem);
    if (agg_is_dec(x->tag)) encode_dec(&b, x->i, x->scale);
    else dp_buf_adds(&b, x->raw);
    push_bytes(v, dp_buf_str(&b), mem);
    v->n++;
    dp_buf_release(&b);
}

static void vec_add(const struct agg_acc *a, void *state, const struct agg_val *x, struct dp_agg_at at, struct dp_agg_mem *mem) {
    struct vec *v = state;
    (void)a, (void)at;
    if (x->tag == AGG_NAN) return;
    if (agg_is_dec(x->tag)) {
        note_least(v, x->scale);
        if (v->kind == WORDS) {
            int64_t i = x->i;
            if (x->scale == v->scale) {
                push_word(v, i, mem);
                return;
            }
            bool fits = x->scale < v->scale ? !dp_mul_overflow(i, dp_power_of_ten[v->scale - x->scale], &i) : rescale(v, x->scale);
            if (fits) {
                push_word(v, i, mem);
                return;
            }
        }
    } else if (x->tag == AGG_DBL && (v->kind == DOUBLES || !v->n)) {
        v->kind = DOUBLES;
        push_word(v, word_of_double(x->d), mem);
        return;
    }
    add_encoded(v, x, mem);
}

static void vec_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) {
    struct vec *v = state;
    (void)a;
    if (v->kind == ENCODED) agg_free(mem, v->u.bytes.p, v->u.bytes.cap);
    else if (v->log_cap) agg_free(mem, v->u.p, sizeof(int64_t) << v->log_cap);
    *v = (struct vec){0};
}

uint64_t agg_vec_count(const void *state) { return ((const struct vec *)state)->n; }

void agg_vec_each(const void *state, void (*each)(void *ctx, const struct agg_val *v, struct dp_agg_mem *mem), void *ctx, struct dp_agg_mem *mem) {
    const struct vec *v = state;
    const char *p = v->kind == ENCODED ? v->u.bytes.p : NULL;
    struct dp_buf b = {0};
    struct agg_val x;
    for (uint64_t i = 0; i < v->n; i++) {
        if (v->kind == ENCODED) {
            p = agg_val_decode(p, &x);
        } else {
            b.n = 0;
            encode_word(&b, v, words_of(v)[i]);
            (void)agg_val_decode(b.p, &x);
        }
        each(ctx, &x, mem);
    }
    dp_buf_release(&b);
}

static void add_again(void *ctx, const struct agg_val *v, struct dp_agg_mem *mem) { vec_add(NULL, ctx, v, (struct dp_agg_at){0}, mem); }

static void vec_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    struct vec *v = into, *f = from;
    (void)a;
    if (!v->n) {
        struct vec empty = *v;
        *v = *f;
        *f = empty;
        return;
    }
    uint8_t least = !v->least || (f->least && f->least < v->least) ? f->least : v->least;
    if (v->kind == f->kind && v->scale == f->scale && v->kind != ENCODED) {
        reserve(v, v->n + f->n, mem);
        int64_t *words = v->log_cap ? v->u.p : v->u.few;
        if (f->n) memcpy(words + v->n, words_of(f), f->n * sizeof *words);
        v->n += f->n;
    } else {
        agg_vec_each(f, add_again, v, mem);
        if (f->kind == ENCODED && v->kind != ENCODED) to_encoded(v, mem); /* as it would be had all come here */
    }
    v->least = least;
}

/* ---- order ---- */

static int by_word(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void insertion_sort(int64_t *v, size_t n) {
    for (size_t i = 1; i < n; i++) {
        int64_t x = v[i];
        size_t j = i;
        for (; j && v[j - 1] > x; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

static int64_t middle(int64_t a, int64_t b, int64_t c) {
    if (a > b) {
        int64_t t = a;
        a = b, b = t;
    }
    return c < a ? a : c > b ? b : c;
}

/* The k-th (from 0) in order; v is shuffled.  Values that were laid out to slow it down are sorted instead. */
static int64_t nth_word(int64_t *v, size_t n, size_t k) {
    int patience = 8;
    for (size_t size = n; size; size /= 2) patience += 2;
    while (n > 24) {
        if (!patience--) {
            qsort(v, n, sizeof *v, by_word);
            return v[k];
        }
        int64_t pivot = middle(v[n / 8], v[n / 2], v[n - 1 - n / 8]);
        size_t i = 0, j = n - 1;
        for (;;) { /* v[0..i) <= pivot <= v(j..n) */
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i >= j) break;
            int64_t t = v[i];
            v[i++] = v[j], v[j--] = t;
        }
        size_t left = j + 1;
        if (k < left) n = left;
        else v += left, k -= left, n -= left;
    }
    insertion_sort(v, n);
    return v[k];
}

/* The largest, which high quantiles of few values are: nothing needs to be moved for it. */
static int64_t most_word(const int64_t *v, size_t n) {
    int64_t most = v[0];
    for (size_t i = 1; i < n; i++) most = v[i] > most ? v[i] : most;
    return most;
}

static int by_value(const void *a, const void *b) {
    struct agg_val x, y;
    (void)agg_val_decode(*(const char *const *)a, &x);
    (void)agg_val_decode(*(const char *const *)b, &y);
    return agg_val_order(&x, &y);
}

/* Places of the encoded values, in order; caller frees. */
static const char **sorted_encoded(const struct vec *v) {
    const char **all = dp_alloc((v->n + 1) * sizeof *all), *p = v->u.bytes.p;
    struct agg_val x;
    for (uint64_t i = 0; i < v->n; i++) {
        all[i] = p;
        p = agg_val_decode(p, &x);
    }
    qsort(all, v->n, sizeof *all, by_value);
    return all;
}

static void print_value(struct dp_buf *out, const struct agg_val *x, uint8_t least) {
    if (agg_is_dec(x->tag)) agg_dec_print_least(out, x->i, x->scale, least ? least - 1 : 0);
    else agg_val_print(out, x);
}

/* ceil(q * n), at least 1; q = num / 10^scale. */
uint64_t agg_rank(struct agg_quantile q, uint64_t n) {
    uint64_t den = (uint64_t)dp_power_of_ten[q.scale], product, r;
    if (!dp_mul_overflow(q.num, n, &product) && product <= UINT64_MAX - den) r = (product + den - 1) / den; /* far cheaper */
    else r = (uint64_t)(((dp_u128)q.num * n + den - 1) / den);
    return r ? r : 1;
}

struct counted {
    struct agg_val v;
    uint64_t count;
};

static int by_counted(const void *a, const void *b) { return agg_val_order(&((const struct counted *)a)->v, &((const struct counted *)b)->v); }

static void print_bag(const struct agg_bag *bag, struct agg_quantile q, struct dp_buf *out) {
    struct counted *all = dp_alloc((agg_bag_distinct(bag) + 1) * sizeof *all);
    struct agg_bag_item item;
    size_t n = 0, i = 0;
    uint8_t least = 0;
    for (size_t at = 0; agg_bag_next(bag, &at, &item); n++) {
        (void)agg_val_decode(item.s.p, &all[n].v);
        all[n].count = item.count;
        if (agg_is_dec(all[n].v.tag) && (!least || all[n].v.scale + 1 < least)) least = (uint8_t)(all[n].v.scale + 1);
    }
    qsort(all, n, sizeof *all, by_counted);
    uint64_t rank = agg_rank(q, agg_bag_total(bag));
    while (rank > all[i].count) rank -= all[i++].count;
    print_value(out, &all[i].v, least);
    free(all);
}

void agg_vec_print(const struct agg_acc *a, const void *state, struct agg_quantile q, struct dp_buf *scratch, struct dp_buf *out) {
    const struct vec *v = state;
    uint64_t n = a->counted ? agg_bag_total(*(struct agg_bag *const *)state) : v->n;
    if (!n) {
        dp_buf_addz(out, "null");
    } else if (a->counted) {
        print_bag(*(struct agg_bag *const *)state, q, out);
    } else if (v->kind == ENCODED) {
        const char **all = sorted_encoded(v);
        struct agg_val x;
        (void)agg_val_decode(all[agg_rank(q, n) - 1], &x);
        print_value(out, &x, v->least);
        free(all);
    } else {
        uint64_t rank = agg_rank(q, n);
        int64_t x;
        if (rank == n) {
            x = most_word(words_of(v), n);
        } else {
            scratch->n = 0;
            int64_t *copy = (int64_t *)(void *)dp_buf_reserve(scratch, n * sizeof *copy);
            memcpy(copy, words_of(v), n * sizeof *copy);
            x = nth_word(copy, n, rank - 1);
        }
        if (v->kind == WORDS) agg_dec_print_least(out, x, v->scale, v->least - 1);
        else dp_json_add_double(out, double_of_word(x));
    }
}

/* ---- bytes ---- */

/* Kind, scale, least, number of values, values in order. */
static void vec_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    const struct vec *v = state;
    (void)a;
    char *p = dp_buf_reserve(out, 11);
    p[0] = (char)v->kind, p[1] = (char)v->scale, p[2] = (char)v->least;
    agg_put64(p + 3, v->n);
    out->n += 11;
    if (v->kind == ENCODED) {
        const char **all = sorted_encoded(v);
        struct agg_val x;
        for (uint64_t i = 0; i < v->n; i++) dp_buf_add(out, all[i], (size_t)(agg_val_decode(all[i], &x) - all[i]));
        free(all);
        return;
    }
    int64_t *copy = dp_alloc((v->n + 1) * sizeof *copy);
    memcpy(copy, words_of(v), v->n * sizeof *copy);
    if (v->n <= 24) insertion_sort(copy, v->n);
    else qsort(copy, v->n, sizeof *copy, by_word);
    p = dp_buf_reserve(out, v->n * 8);
    for (uint64_t i = 0; i < v->n; i++) agg_put64(p + 8 * i, (uint64_t)copy[i]);
    out->n += v->n * 8;
    free(copy);
}

static bool load_words(struct vec *v, uint64_t n, struct dp_str *in, struct dp_agg_mem *mem) {
    if (in->n / 8 < n) return false;
    for (uint64_t i = 0; i < n; i++) {
        int64_t x = (int64_t)agg_get64(in->p + 8 * i);
        double d = v->kind == DOUBLES ? double_of_word(x) : 0;
        if (d - d != 0 || (d == 0 && v->kind == DOUBLES && x)) return false; /* NaN, infinities, -0 */
        push_word(v, x, mem);
    }
    *in = dp_str(in->p + 8 * n, in->n - 8 * n);
    return true;
}

static bool load_encoded(struct vec *v, uint64_t n, struct dp_str *in, struct dp_agg_mem *mem) {
    struct agg_val x;
    for (uint64_t i = 0; i < n; i++, v->n++) { /* each takes bytes of the input */
        if (!agg_val_load(in, &x) || !agg_is_number(x.tag)) return false;
        push_bytes(v, x.raw, mem);
    }
    return true;
}

static bool vec_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    struct vec *v = state;
    (void)a;
    if (in->n < 11) return false;
    v->kind = (uint8_t)in->p[0], v->scale = (uint8_t)in->p[1], v->least = (uint8_t)in->p[2];
    uint64_t n = agg_get64(in->p + 3);
    *in = dp_str(in->p + 11, in->n - 11);
    if (v->kind > ENCODED) {
        v->kind = WORDS;
        return false;
    }
    if (v->scale > (v->kind == WORDS ? AGG_DEC_SCALE : 0) || v->least > AGG_DEC_SCALE + 1 || (v->kind == WORDS && n > 0) != (v->least > 0 && v->kind == WORDS))
        return false;
    return v->kind == ENCODED ? load_encoded(v, n, in, mem) : load_words(v, n, in, mem);
}

/* Rows are never taken out of these: then a multiset stands in their place. */
static bool vec_has(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at) {
    (void)a, (void)state, (void)v, (void)at;
    return false;
}
static void vec_sub(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)state, (void)v, (void)at, (void)mem;
}

const struct agg_acc_ops agg_ops_vec = {sizeof(struct vec), vec_add, vec_has, vec_sub, vec_merge, vec_release, vec_save, vec_load};
