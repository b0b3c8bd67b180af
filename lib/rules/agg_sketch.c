/*
 * Approximate quantiles (agg_priv.h): exact below 1,000 values; from there a DDSketch with a = 0.01 ("DDSketch: a fast and fully-mergeable quantile sketch with relative-error
 * guarantees", 2019): how many values are in each range (g^(i-1), g^i], g = 1.01/0.99, whose middle is within 1 % of each of them.  Negative values have ranges of their own, and
 * so has 0.  Numbers are added up alone, so order and merges leave no trace.
 *
 * The logarithm is computed here, by operations that every machine rounds alike; libm's differ.
 */
#include "agg_priv.h"

#include <float.h>
#include <math.h>

#define EXACT 1000
#define SHIFT 100000 /* keys: 0; SHIFT + i of a positive value; less than 0 of a negative one. |i| is below 40,000 */

static const double gamma_ = 1.01 / 0.99;
static const double log_gamma = 0.020000666706669524; /* 2 (0.01 + 0.01^3/3 + 0.01^5/5 ...) */
static const double log_two = 0.69314718055994530942;

struct bucket {
    int32_t key;
    uint64_t count;
};

struct sketch {
    uint64_t n;
    size_t used, cap;
    struct bucket *v; /* by key, which is the order of values */
};

/* The exact values, as agg_vec.c holds them; then the sketch alone. */
struct approx {
    struct sketch *sketch;
    uint64_t vec[];
};

static double natural_log(double x) {
    uint64_t u = agg_double_bits(x);
    int e = 0;
    if (!(u >> 52)) x *= 0x1p64, u = agg_double_bits(x), e = -64; /* subnormal */
    e += (int)(u >> 52) - 1023;
    double m = agg_bits_double((u & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52);
    if (m > 1.4142135623730951) m *= 0.5, e++;
    double s = (m - 1) / (m + 1), s2 = s * s, sum = 0; /* |s| is below 0.172: s^23 / 23 is below 2^-60 */
    for (int k = 21; k >= 1; k -= 2) sum = sum * s2 + 1.0 / k;
    return e * log_two + 2 * s * sum;
}

static int32_t key_of(double d) {
    if (d == 0) return 0;
    double x = d < 0 ? -d : d;
    if (x > DBL_MAX) x = DBL_MAX;
    double i = natural_log(x) / log_gamma;
    int32_t up = (int32_t)i;
    if (i > up) up++;
    return d < 0 ? -(SHIFT + up) : SHIFT + up;
}

/* g^(i-1) * 2g / (g + 1), the middle of its range. */
static double middle_of(int32_t key) {
    if (!key) return 0;
    int32_t i = (key < 0 ? -key : key) - SHIFT - 1, n = i < 0 ? -i : i;
    double power = 1, square = i < 0 ? 1 / gamma_ : gamma_;
    for (; n; n >>= 1, square *= square)
        if (n & 1) power *= square;
    double d = power * (2 * gamma_ / (gamma_ + 1));
    if (d > DBL_MAX) d = DBL_MAX;
    return key < 0 ? -d : d;
}

static void count(struct sketch *s, int32_t key, uint64_t by, struct dp_agg_mem *mem) {
    size_t lo = 0, hi = s->used;
    s->n += by;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->v[mid].key < key) lo = mid + 1;
        else hi = mid;
    }
    if (lo < s->used && s->v[lo].key == key) {
        s->v[lo].count += by;
        return;
    }
    if (s->used == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 32;
        s->v = agg_realloc(mem, s->v, s->cap * sizeof *s->v, cap * sizeof *s->v);
        s->cap = cap;
    }
    memmove(s->v + lo + 1, s->v + lo, (s->used - lo) * sizeof *s->v);
    s->v[lo] = (struct bucket){key, by};
    s->used++;
}

static struct sketch *sketch_of(struct approx *x, struct dp_agg_mem *mem) {
    if (!x->sketch) {
        x->sketch = agg_realloc(mem, NULL, 0, sizeof *x->sketch);
        *x->sketch = (struct sketch){0};
    }
    return x->sketch;
}

static void count_value(void *ctx, const struct agg_val *v, struct dp_agg_mem *mem) { count(ctx, key_of(agg_val_double(v)), 1, mem); }

/* Values that are held exactly go into the sketch. */
static void to_sketch(const struct agg_acc *a, struct approx *x, struct dp_agg_mem *mem) {
    struct sketch *s = sketch_of(x, mem);
    agg_vec_each(x->vec, count_value, s, mem);
    agg_ops_vec.release(a, x->vec, mem);
}

static void approx_add(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    struct approx *x = state;
    if (v->tag == AGG_NAN) return;
    if (x->sketch) {
        count_value(x->sketch, v, mem);
        return;
    }
    agg_ops_vec.add(a, x->vec, v, at, mem);
    if (agg_vec_count(x->vec) == EXACT) to_sketch(a, x, mem);
}

static void approx_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    struct approx *x = into, *f = from;
    if (!x->sketch && !f->sketch && agg_vec_count(x->vec) + agg_vec_count(f->vec) < EXACT) {
        agg_ops_vec.merge(a, x->vec, f->vec, mem);
        return;
    }
    to_sketch(a, x, mem);
    to_sketch(a, f, mem);
    for (size_t i = 0; i < f->sketch->used; i++) count(x->sketch, f->sketch->v[i].key, f->sketch->v[i].count, mem);
}

static void sketch_release(struct sketch *s, struct dp_agg_mem *mem) {
    if (!s) return;
    agg_free(mem, s->v, s->cap * sizeof *s->v);
    agg_free(mem, s, sizeof *s);
}

static void approx_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) {
    struct approx *x = state;
    agg_ops_vec.release(a, x->vec, mem);
    sketch_release(x->sketch, mem);
    x->sketch = NULL;
}

/* 0 and the exact values; or the number of ranges (never 0), and each: key, count. */
static void approx_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    const struct approx *x = state;
    const struct sketch *s = x->sketch;
    agg_put32(dp_buf_reserve(out, 4), s ? (uint32_t)s->used : 0);
    out->n += 4;
    if (!s) {
        agg_ops_vec.save(a, x->vec, out);
        return;
    }
    char *p = dp_buf_reserve(out, s->used * 12);
    for (size_t i = 0; i < s->used; i++) agg_put32(p + 12 * i, (uint32_t)s->v[i].key), agg_put64(p + 12 * i + 4, s->v[i].count);
    out->n += s->used * 12;
}

static bool approx_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    struct approx *x = state;
    if (in->n < 4) return false;
    uint32_t n = agg_get32(in->p);
    *in = dp_str(in->p + 4, in->n - 4);
    if (!n) return agg_ops_vec.load(a, x->vec, in, mem) && agg_vec_count(x->vec) < EXACT;
    if (in->n / 12 < n) return false;
    struct sketch *s = sketch_of(x, mem);
    for (uint32_t i = 0; i < n; i++) {
        int32_t key = (int32_t)agg_get32(in->p + (size_t)12 * i);
        uint64_t by = agg_get64(in->p + (size_t)12 * i + 4);
        if (!by || by > UINT64_C(1) << 40 || key > 2 * SHIFT || key < -2 * SHIFT || (key && key > -SHIFT / 2 && key < SHIFT / 2)) return false;
        if (i && key <= s->v[s->used - 1].key) return false;
        count(s, key, by, mem);
    }
    *in = dp_str(in->p + (size_t)12 * n, in->n - (size_t)12 * n);
    return s->n >= EXACT;
}

/* Nothing is taken out of these: then a multiset stands in their place. */
static bool approx_has(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at) {
    (void)a, (void)state, (void)v, (void)at;
    return false;
}
static void approx_sub(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)state, (void)v, (void)at, (void)mem;
}

const struct agg_acc_ops agg_ops_approx = {sizeof(struct approx) + AGG_VEC_SIZE, approx_add, approx_has, approx_sub, approx_merge, approx_release, approx_save, approx_load};

static void print_sketch(const struct sketch *s, struct agg_quantile q, struct dp_buf *out) {
    uint64_t rank = agg_rank(q, s->n);
    size_t i = 0;
    while (rank > s->v[i].count) rank -= s->v[i++].count;
    dp_json_add_double(out, middle_of(s->v[i].key));
}

void agg_approx_print(const struct agg_acc *a, const void *state, struct agg_quantile q, struct dp_buf *scratch, struct dp_buf *out) {
    const struct agg_bag *bag = *(struct agg_bag *const *)state;
    if (a->counted && agg_bag_total(bag) >= EXACT) {
        struct dp_agg_mem own = {0};
        struct sketch s = {0};
        struct agg_bag_item item;
        for (size_t at = 0; agg_bag_next(bag, &at, &item);) {
            struct agg_val v;
            (void)agg_val_decode(item.s.p, &v);
            count(&s, key_of(agg_val_double(&v)), item.count, &own);
        }
        print_sketch(&s, q, out);
        agg_free(&own, s.v, s.cap * sizeof *s.v);
    } else if (!a->counted && ((const struct approx *)state)->sketch) {
        print_sketch(((const struct approx *)state)->sketch, q, out);
    } else {
        agg_vec_print(a, a->counted ? state : (const void *)((const struct approx *)state)->vec, q, scratch, out);
    }
}
