/*
 * Counts, sums and variances (agg_priv.h), exact in any order.
 *
 * A sum is in up to three parts: short decimals as a 128-bit integer at scale 10; longer decimals at scale 38, and doubles, as integers of any size.  Of decimals alone
 * it is printed exactly, with as many digits behind the point as the longest of them has; with doubles among them all is rounded once.
 * A variance holds the exact sums of x and x*x, so that n * sum(x*x) - sum(x)^2 loses nothing, and rounds the quotient once.
 */
#include "agg_priv.h"

#include <dp/base/decimal.h>
#include <math.h>

/* ---- counts ---- */

uint64_t agg_count_value(const void *state) { return *(const uint64_t *)state; }

static void count_add(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)v, (void)at, (void)mem;
    ++*(uint64_t *)state;
}
static bool count_has(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at) {
    (void)a, (void)v, (void)at;
    return *(const uint64_t *)state > 0;
}
static void count_sub(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)v, (void)at, (void)mem;
    --*(uint64_t *)state;
}
static void count_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    (void)a, (void)mem;
    *(uint64_t *)into += *(uint64_t *)from;
}
static void count_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) { (void)a, (void)state, (void)mem; }
static void count_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    (void)a;
    agg_put64(dp_buf_reserve(out, 8), *(const uint64_t *)state);
    out->n += 8;
}
static bool take64(struct dp_str *in, uint64_t *out) {
    if (in->n < 8) return false;
    *out = agg_get64(in->p);
    *in = dp_str(in->p + 8, in->n - 8);
    return true;
}
static bool count_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    (void)a, (void)mem;
    return take64(in, state) && *(const uint64_t *)state <= AGG_ROWS_MAX;
}

const struct agg_acc_ops agg_ops_count = {8, count_add, count_has, count_sub, count_merge, count_release, count_save, count_load};

/* ---- sums ---- */

struct more {
    struct agg_wide wide;   /* of WIDE, at scale 38 */
    struct agg_wide doubles;
    uint64_t n_wide, n_doubles, n_nan;
    uint64_t *scales;       /* where rows may be taken out: how many decimals have 1, 2 ... digits behind the point; else NULL */
};

struct sum {
    uint64_t lo, hi;        /* of DEC, at scale 10; two's complement */
    uint64_t n : 56, scale : 8; /* values; digits behind the point of the longest decimal */
    struct more *more;
};

#define SCALES_SIZE ((AGG_WIDE_SCALE + 1) * sizeof(uint64_t))

static dp_i128 get_short(const struct sum *s) { return (dp_i128)((dp_u128)s->hi << 64 | s->lo); }
static void set_short(struct sum *s, dp_i128 v) { s->lo = (uint64_t)(dp_u128)v, s->hi = (uint64_t)((dp_u128)v >> 64); }

/* The short decimals at the scale of the sum, which loses nothing. */
static dp_i128 at_own_scale(const struct sum *s) {
    dp_i128 v = get_short(s);
    int64_t by = dp_power_of_ten[AGG_DEC_SCALE - s->scale];
    if ((int64_t)v == v) return (int64_t)v / by; /* far cheaper */
    return v / by;
}

static struct more *more_of(struct sum *s, struct dp_agg_mem *mem) {
    if (!s->more) {
        s->more = agg_realloc(mem, NULL, 0, sizeof *s->more);
        *s->more = (struct more){0};
    }
    return s->more;
}

static void add_short(struct sum *s, dp_i128 v, struct dp_agg_mem *mem) {
    dp_i128 d = get_short(s);
    if (dp_add_overflow(d, v, &d)) {
        agg_wide_add_scaled(&more_of(s, mem)->wide, get_short(s), AGG_WIDE_SCALE - AGG_DEC_SCALE, false, mem);
        d = v;
    }
    set_short(s, d);
}

static void note_scale(const struct agg_acc *a, struct sum *s, int scale, struct dp_agg_mem *mem) {
    if ((unsigned)scale > s->scale) s->scale = (unsigned)scale & 255;
    if (!a->counted || !scale) return;
    struct more *m = more_of(s, mem);
    if (!m->scales) m->scales = memset(agg_realloc(mem, NULL, 0, SCALES_SIZE), 0, SCALES_SIZE);
    m->scales[scale]++;
}

static void sum_add(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    struct sum *s = state;
    (void)at;
    s->n++;
    if (agg_is_dec(v->tag)) {
        add_short(s, (dp_i128)v->i * dp_power_of_ten[AGG_DEC_SCALE - v->scale], mem);
        if (a->counted || (unsigned)v->scale > s->scale) note_scale(a, s, v->scale, mem);
        return;
    }
    struct more *m = more_of(s, mem);
    if (v->tag == AGG_WIDE) {
        m->n_wide++;
        agg_wide_add_scaled(&m->wide, v->w, AGG_WIDE_SCALE - v->scale, false, mem);
        note_scale(a, s, v->scale, mem);
    } else if (v->tag == AGG_NAN) {
        m->n_nan++;
    } else {
        m->n_doubles++;
        agg_wide_add_double(&m->doubles, v->d, false, mem);
    }
}

static uint64_t at_scale_zero(const struct sum *s) {
    const struct more *m = s->more;
    uint64_t n = s->n - (m ? m->n_doubles + m->n_nan : 0);
    for (int i = 1; m && m->scales && i <= AGG_WIDE_SCALE; i++) n -= m->scales[i];
    return n;
}

static bool sum_has(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at) {
    const struct sum *s = state;
    const struct more *m = s->more;
    (void)a, (void)at;
    if (!s->n) return false;
    if (v->tag == AGG_NAN) return m && m->n_nan;
    if (v->tag == AGG_DBL || v->tag == AGG_TEXT) return m && m->n_doubles;
    if (v->tag == AGG_WIDE && !(m && m->n_wide)) return false;
    return v->scale ? m && m->scales && m->scales[v->scale] : at_scale_zero(s) > 0;
}

static void forget_scale(struct sum *s, int scale) {
    if (scale) s->more->scales[scale]--;
    while (s->scale && !s->more->scales[s->scale]) s->scale = (s->scale - 1u) & 255;
}

static void sum_sub(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    struct sum *s = state;
    (void)a, (void)at;
    s->n--;
    if (agg_is_dec(v->tag)) {
        add_short(s, -(dp_i128)v->i * dp_power_of_ten[AGG_DEC_SCALE - v->scale], mem);
        forget_scale(s, v->scale);
    } else if (v->tag == AGG_WIDE) {
        s->more->n_wide--;
        agg_wide_add_scaled(&s->more->wide, v->w, AGG_WIDE_SCALE - v->scale, true, mem);
        forget_scale(s, v->scale);
    } else if (v->tag == AGG_NAN) {
        s->more->n_nan--;
    } else {
        s->more->n_doubles--;
        agg_wide_add_double(&s->more->doubles, v->d, true, mem);
    }
}

static void sum_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    struct sum *s = into, *f = from;
    (void)a;
    s->n += f->n;
    if (f->scale > s->scale) s->scale = f->scale;
    add_short(s, get_short(f), mem);
    if (!f->more) return;
    struct more *m = more_of(s, mem);
    m->n_wide += f->more->n_wide, m->n_doubles += f->more->n_doubles, m->n_nan += f->more->n_nan;
    agg_wide_add_wide(&m->wide, &f->more->wide, false, mem);
    agg_wide_add_wide(&m->doubles, &f->more->doubles, false, mem);
    if (!f->more->scales) return;
    if (!m->scales) m->scales = memset(agg_realloc(mem, NULL, 0, SCALES_SIZE), 0, SCALES_SIZE);
    for (int i = 1; i <= AGG_WIDE_SCALE; i++) m->scales[i] += f->more->scales[i];
}

static void sum_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) {
    struct sum *s = state;
    (void)a;
    if (!s->more) return;
    agg_wide_release(&s->more->wide, mem);
    agg_wide_release(&s->more->doubles, mem);
    agg_free(mem, s->more->scales, SCALES_SIZE);
    agg_free(mem, s->more, sizeof *s->more);
    s->more = NULL;
}

enum { SAVED_WIDE = 1, SAVED_DOUBLES = 2, SAVED_NAN = 4, SAVED_SCALES = 8 };

static bool any_scale(const struct more *m) {
    for (int i = 1; m->scales && i <= AGG_WIDE_SCALE; i++)
        if (m->scales[i]) return true;
    return false;
}

static void put64(struct dp_buf *out, uint64_t v) {
    agg_put64(dp_buf_reserve(out, 8), v);
    out->n += 8;
}

static void sum_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    const struct sum *s = state;
    const struct more *m = s->more;
    (void)a;
    unsigned flags = 0;
    if (m && (m->n_wide || !agg_wide_is_zero(&m->wide))) flags |= SAVED_WIDE;
    if (m && m->n_doubles) flags |= SAVED_DOUBLES;
    if (m && m->n_nan) flags |= SAVED_NAN;
    if (m && any_scale(m)) flags |= SAVED_SCALES;
    dp_buf_addc(out, (char)flags);
    dp_buf_addc(out, (char)s->scale);
    put64(out, s->n), put64(out, s->lo), put64(out, s->hi);
    if (flags & SAVED_WIDE) put64(out, m->n_wide), agg_wide_save(out, &m->wide);
    if (flags & SAVED_DOUBLES) put64(out, m->n_doubles), agg_wide_save(out, &m->doubles);
    if (flags & SAVED_NAN) put64(out, m->n_nan);
    for (int i = 1; flags & SAVED_SCALES && i <= AGG_WIDE_SCALE; i++) put64(out, m->scales[i]);
}

static bool load_scales(struct sum *s, uint64_t left, struct dp_str *in, struct dp_agg_mem *mem) {
    uint64_t *scales = s->more->scales = memset(agg_realloc(mem, NULL, 0, SCALES_SIZE), 0, SCALES_SIZE);
    for (int i = 1; i <= AGG_WIDE_SCALE; i++) {
        if (!take64(in, &scales[i]) || scales[i] > left) return false;
        left -= scales[i];
    }
    return true;
}

static bool sum_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    struct sum *s = state;
    if (in->n < 2) return false;
    unsigned flags = (unsigned char)in->p[0], scale = (unsigned char)in->p[1];
    uint64_t n, left;
    *in = dp_str(in->p + 2, in->n - 2);
    if (flags > 15 || scale > AGG_WIDE_SCALE || !take64(in, &n) || n > AGG_ROWS_MAX || !take64(in, &s->lo) || !take64(in, &s->hi)) return false;
    s->n = n & (2 * AGG_ROWS_MAX - 1), s->scale = scale & 255, left = n;
    if (!flags) return !a->counted || !scale;
    struct more *m = more_of(s, mem);
    if (flags & SAVED_WIDE && (!take64(in, &m->n_wide) || m->n_wide > n || !agg_wide_load(in, &m->wide, mem) || (m->wide.n && m->wide.lo < 0))) return false;
    if (flags & SAVED_DOUBLES && (!take64(in, &m->n_doubles) || m->n_doubles > left || !agg_wide_load(in, &m->doubles, mem))) return false;
    left -= m->n_doubles;
    if (flags & SAVED_NAN && (!take64(in, &m->n_nan) || m->n_nan > left)) return false;
    left -= m->n_nan;
    if (m->n_wide > left) return false;
    if (flags & SAVED_SCALES && (!a->counted || !load_scales(s, left, in, mem))) return false;
    return !a->counted || !scale || (m->scales && m->scales[scale]);
}

const struct agg_acc_ops agg_ops_sum = {sizeof(struct sum), sum_add, sum_has, sum_sub, sum_merge, sum_release, sum_save, sum_load};

/* The whole sum at scale 38; decimals only: whole. */
static struct agg_wide total(const struct sum *s) {
    struct dp_agg_mem own = {0};
    struct agg_wide t = {0}, ten, p;
    agg_wide_add_scaled(&t, get_short(s), AGG_WIDE_SCALE - AGG_DEC_SCALE, false, &own);
    if (!s->more) return t;
    agg_wide_add_wide(&t, &s->more->wide, false, &own);
    if (!s->more->n_doubles) return t;
    agg_wide_power_of_ten(&ten, AGG_WIDE_SCALE);
    agg_wide_mul(&p, &s->more->doubles, &ten);
    agg_wide_add_wide(&t, &p, false, &own);
    agg_wide_release(&ten, &own), agg_wide_release(&p, &own);
    return t;
}

/* total / (n * 10^38) */
static double quotient(const struct sum *s, uint64_t n) {
    struct dp_agg_mem own = {0};
    struct agg_wide t = total(s), den = {0};
    agg_wide_add_scaled(&den, (dp_i128)n, AGG_WIDE_SCALE, false, &own);
    double d = agg_wide_ratio(&t, &den);
    agg_wide_release(&t, &own), agg_wide_release(&den, &own);
    return d;
}

static bool is_short(const struct sum *s) {
    return !s->more || (!s->more->n_doubles && !s->more->n_nan && !s->more->n_wide && agg_wide_is_zero(&s->more->wide));
}

void agg_sum_print(const void *state, struct dp_buf *out) {
    const struct sum *s = state;
    if (!s->n) {
        dp_buf_addz(out, "null");
    } else if (s->more && s->more->n_nan) {
        dp_json_add_double(out, (double)NAN);
    } else if (is_short(s) && s->scale <= AGG_DEC_SCALE) {
        out->n += dp_decimal_print(dp_buf_reserve(out, 48), at_own_scale(s), (int)s->scale);
    } else if (s->more && s->more->n_doubles) {
        dp_json_add_double(out, quotient(s, 1));
    } else {
        struct dp_agg_mem own = {0};
        struct agg_wide t = total(s);
        agg_wide_print(out, &t, AGG_WIDE_SCALE);
        out->n -= (size_t)(AGG_WIDE_SCALE - s->scale) + !s->scale; /* zeros, and the point */
        agg_wide_release(&t, &own);
    }
}

void agg_mean_print(const void *state, struct dp_buf *out) {
    const struct sum *s = state;
    const int64_t exact = INT64_C(1) << 53;
    if (!s->n) {
        dp_buf_addz(out, "null");
        return;
    }
    if (s->more && s->more->n_nan) {
        dp_json_add_double(out, (double)NAN);
        return;
    }
    if (is_short(s) && s->scale <= AGG_DEC_SCALE) {
        dp_i128 v = at_own_scale(s);
        uint64_t n = s->n, den;
        if (v <= exact && v >= -exact && !dp_mul_overflow(n, (uint64_t)dp_power_of_ten[s->scale], &den) && den <= (uint64_t)exact) {
            dp_json_add_double(out, (double)(int64_t)v / (double)den); /* both are exact: one rounding */
            return;
        }
    }
    dp_json_add_double(out, quotient(s, s->n));
}

/* ---- variances ---- */

struct var {
    uint64_t n, n_nan;          /* numbers; others */
    struct agg_wide s, q;       /* of short decimals, at scale 10 and 20 */
    struct agg_wide ds, dq;     /* of others, as doubles */
};

static void var_move(void *state, const struct agg_val *v, bool minus, struct dp_agg_mem *mem) {
    struct var *r = *(struct var **)state;
    uint64_t one = minus ? UINT64_MAX : 1;
    if (!r) {
        *(struct var **)state = r = agg_realloc(mem, NULL, 0, sizeof *r);
        *r = (struct var){0};
    }
    if (v->tag == AGG_NAN) {
        r->n_nan += one;
    } else if (agg_is_dec(v->tag)) {
        dp_i128 x = (dp_i128)v->i * dp_power_of_ten[AGG_DEC_SCALE - v->scale];
        dp_u128 m = x < 0 ? 0 - (dp_u128)x : (dp_u128)x;
        uint64_t a = (uint64_t)m, b = (uint64_t)(m >> 64), square[4];
        dp_u128 aa = (dp_u128)a * a, ab = (dp_u128)a * b * 2, bb = (dp_u128)b * b; /* b is below 2^30: no overflow */
        dp_u128 mid = (aa >> 64) + (uint64_t)ab, high = (ab >> 64) + bb + (mid >> 64);
        square[0] = (uint64_t)aa, square[1] = (uint64_t)mid, square[2] = (uint64_t)high, square[3] = (uint64_t)(high >> 64);
        r->n += one;
        agg_wide_add_i128(&r->s, x, minus, mem);
        agg_wide_add(&r->q, square, 4, 0, minus, mem);
    } else {
        double d = agg_val_double(v);
        r->n += one;
        agg_wide_add_double(&r->ds, d, minus, mem);
        agg_wide_add_square(&r->dq, d, minus, mem);
    }
}

static void var_add(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)at;
    var_move(state, v, false, mem);
}
static void var_sub(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)at;
    var_move(state, v, true, mem);
}
static bool var_has(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at) {
    const struct var *r = *(struct var *const *)state;
    (void)a, (void)at;
    return r && (v->tag == AGG_NAN ? r->n_nan : r->n) > 0;
}

static void var_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) {
    struct var *r = *(struct var **)state;
    (void)a;
    if (!r) return;
    agg_wide_release(&r->s, mem), agg_wide_release(&r->q, mem), agg_wide_release(&r->ds, mem), agg_wide_release(&r->dq, mem);
    agg_free(mem, r, sizeof *r);
    *(struct var **)state = NULL;
}

static void var_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    struct var *r = *(struct var **)into, *f = *(struct var **)from;
    (void)a;
    if (!f) return;
    if (!r) {
        *(struct var **)into = f;
        *(struct var **)from = NULL;
        return;
    }
    r->n += f->n, r->n_nan += f->n_nan;
    agg_wide_add_wide(&r->s, &f->s, false, mem), agg_wide_add_wide(&r->q, &f->q, false, mem);
    agg_wide_add_wide(&r->ds, &f->ds, false, mem), agg_wide_add_wide(&r->dq, &f->dq, false, mem);
}

static void var_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    const struct var *r = *(struct var *const *)state, none = {0};
    (void)a;
    if (!r) r = &none;
    put64(out, r->n), put64(out, r->n_nan);
    agg_wide_save(out, &r->s), agg_wide_save(out, &r->q), agg_wide_save(out, &r->ds), agg_wide_save(out, &r->dq);
}

static bool var_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    struct var r = {0}, *to;
    (void)a;
    if (!take64(in, &r.n) || r.n > AGG_ROWS_MAX || !take64(in, &r.n_nan) || r.n_nan > AGG_ROWS_MAX) return false;
    *(struct var **)state = to = agg_realloc(mem, NULL, 0, sizeof *to);
    *to = r;
    return agg_wide_load(in, &to->s, mem) && agg_wide_load(in, &to->q, mem) && agg_wide_load(in, &to->ds, mem) && agg_wide_load(in, &to->dq, mem) &&
           !(to->s.n && to->s.lo < 0) && !(to->q.n && to->q.lo < 0);
}

const struct agg_acc_ops agg_ops_var = {sizeof(struct var *), var_add, var_has, var_sub, var_merge, var_release, var_save, var_load};

/* t += a * b */
static void add_product(struct agg_wide *t, const struct agg_wide *a, const struct agg_wide *b, bool minus) {
    struct dp_agg_mem own = {0};
    struct agg_wide p;
    agg_wide_mul(&p, a, b);
    agg_wide_add_wide(t, &p, minus, &own);
    agg_wide_release(&p, &own);
}

/* (n * q - s * s) / (n * (n - 1)), or n * n below */
static double variance(const struct var *r, bool samp) {
    struct dp_agg_mem own = {0};
    struct agg_wide ten, hundred, n = {0}, s = {0}, q = {0}, num = {0}, den = {0}, product;
    agg_wide_power_of_ten(&ten, AGG_DEC_SCALE);
    agg_wide_power_of_ten(&hundred, 2 * AGG_DEC_SCALE);
    agg_wide_add_i128(&n, (dp_i128)r->n, false, &own);
    agg_wide_add_wide(&s, &r->s, false, &own);
    add_product(&s, &r->ds, &ten, false);
    agg_wide_add_wide(&q, &r->q, false, &own);
    add_product(&q, &r->dq, &hundred, false);
    add_product(&num, &n, &q, false);
    add_product(&num, &s, &s, true);
    agg_wide_add_i128(&den, (dp_i128)r->n * (dp_i128)(samp ? r->n - 1 : r->n), false, &own);
    agg_wide_mul(&product, &den, &hundred);
    double d = agg_wide_is_negative(&num) ? 0 : agg_wide_ratio(&num, &product);
    struct agg_wide *all[] = {&ten, &hundred, &n, &s, &q, &num, &den, &product};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) agg_wide_release(all[i], &own);
    return d;
}

void agg_var_print(const void *state, bool samp, bool root, struct dp_buf *out) {
    const struct var *r = *(struct var *const *)state;
    if (!r || (!r->n && !r->n_nan) || (samp && r->n + r->n_nan < 2)) {
        dp_buf_addz(out, "null");
        return;
    }
    double d = r->n_nan ? (double)NAN : variance(r, samp);
    dp_json_add_double(out, root ? sqrt(d) : d);
}
