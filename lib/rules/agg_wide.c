/*
 * Exact sums (agg_priv.h): integers in two's complement of as many 64-bit limbs as the values that went in span, placed anywhere on the binary scale, so that a double,
 * its square and a decimal of any length go in without rounding and come out again.  Only agg_wide_ratio rounds, once, to the nearest double, ties to even.
 * All arithmetic is on integers: results are the same on every machine.
 */
#include "agg_priv.h"

#include <assert.h>
#include <math.h>

#define LIMBS_MAX 512 /* doubles squared span 68; sums of decimals 8; products of them in variances less than 300 */

void *agg_realloc(struct dp_agg_mem *mem, void *p, size_t old, size_t size) {
    mem->bytes += size - old; /* wraps to less where it shrinks */
    return dp_realloc(p, size);
}

void agg_free(struct dp_agg_mem *mem, void *p, size_t size) {
    if (p) mem->bytes -= size;
    free(p);
}

static uint64_t sign_limb(const struct agg_wide *w) { return w->n && (int64_t)w->v[w->n - 1] < 0 ? UINT64_MAX : 0; }
bool agg_wide_is_negative(const struct agg_wide *w) { return sign_limb(w) != 0; }

bool agg_wide_is_zero(const struct agg_wide *w) {
    for (unsigned i = 0; i < w->n; i++)
        if (w->v[i]) return false;
    return true;
}

/* Makes limbs from place lo to place hi (not with it) be there. */
static void cover(struct agg_wide *w, int32_t lo, int32_t hi, struct dp_agg_mem *mem) {
    if (!w->n) w->lo = lo;
    int32_t old_hi = w->lo + w->n;
    if (w->n && lo > w->lo) lo = w->lo;
    if (w->n && hi < old_hi) hi = old_hi;
    unsigned n = (unsigned)(hi - lo), below = (unsigned)(w->lo - lo);
    if (n == w->n) return;
    assert(n <= LIMBS_MAX);
    if (n > w->cap) {
        unsigned cap = n + (w->cap ? 2 : 0);
        w->v = agg_realloc(mem, w->v, w->cap * sizeof *w->v, cap * sizeof *w->v);
        w->cap = (uint16_t)cap;
    }
    uint64_t sign = sign_limb(w);
    if (below && w->n) memmove(w->v + below, w->v, w->n * sizeof *w->v);
    for (unsigned i = 0; i < below; i++) w->v[i] = 0;
    for (unsigned i = below + w->n; i < n; i++) w->v[i] = sign;
    w->lo = lo;
    w->n = (uint16_t)n;
}

static int32_t floor_limb(int64_t bit) { return (int32_t)(bit >= 0 ? bit / 64 : -((63 - bit) / 64)); }

/* Adds x to the limb at i, and its carry to those above. */
static void add_at(struct agg_wide *w, unsigned i, uint64_t x) {
    bool carry = __builtin_add_overflow(w->v[i], x, &w->v[i]);
    while (carry && ++i < w->n) carry = ++w->v[i] == 0;
}

static void sub_at(struct agg_wide *w, unsigned i, uint64_t x) {
    bool borrow = __builtin_sub_overflow(w->v[i], x, &w->v[i]);
    while (borrow && ++i < w->n) borrow = w->v[i]-- == 0;
}

/* Is there no room for a carry out of the limb below the top one? */
static bool is_full(const struct agg_wide *w) {
    int64_t top = (int64_t)w->v[w->n - 1];
    return top > INT64_MAX / 4 || top < INT64_MIN / 4;
}

void agg_wide_add(struct agg_wide *w, const uint64_t *m, int n, int64_t bit, bool minus, struct dp_agg_mem *mem) {
    while (n && !m[n - 1]) n--;
    while (n && !*m) m++, n--, bit += 64;
    if (!n) return;
    int32_t lo = floor_limb(bit);
    unsigned shift = (unsigned)(bit - (int64_t)lo * 64);
    int32_t hi = lo + n + (shift ? 2 : 1); /* all of the shifted magnitude is below the top limb */
    if (!w->n || lo < w->lo || hi > w->lo + w->n) cover(w, lo, hi, mem);
    if (is_full(w)) cover(w, lo, w->lo + w->n + 1, mem);
    unsigned at = (unsigned)(lo - w->lo);
    uint64_t below = 0;
    for (int i = 0; i <= n; i++) {
        uint64_t x = i < n ? m[i] << shift | below : below;
        below = shift && i < n ? m[i] >> (64 - shift) : 0;
        if (!x) continue;
        if (minus) sub_at(w, at + (unsigned)i, x);
        else add_at(w, at + (unsigned)i, x);
    }
}

/* d = m * 2^e; m has at most 53 bits. */
static uint64_t take_double(double d, int *e) {
    uint64_t u = agg_double_bits(d), m = u & ((UINT64_C(1) << 52) - 1);
    int x = (int)(u >> 52 & 2047);
    if (x) m |= UINT64_C(1) << 52;
    *e = (x ? x : 1) - 1075;
    return m;
}

void agg_wide_add_double(struct agg_wide *w, double d, bool minus, struct dp_agg_mem *mem) {
    int e;
    uint64_t m = take_double(d, &e);
    agg_wide_add(w, &m, 1, e, minus != (d < 0), mem);
}

static void add_u128(struct agg_wide *w, dp_u128 u, int64_t bit, bool minus, struct dp_agg_mem *mem) {
    uint64_t m[2] = {(uint64_t)u, (uint64_t)(u >> 64)};
    agg_wide_add(w, m, 2, bit, minus, mem);
}

void agg_wide_add_square(struct agg_wide *w, double d, bool minus, struct dp_agg_mem *mem) {
    int e;
    uint64_t m = take_double(d, &e);
    add_u128(w, (dp_u128)m * m, 2 * (int64_t)e, minus, mem);
}

static dp_u128 absolute(dp_i128 v) { return v < 0 ? 0 - (dp_u128)v : (dp_u128)v; }

void agg_wide_add_i128(struct agg_wide *w, dp_i128 v, bool minus, struct dp_agg_mem *mem) {
    add_u128(w, absolute(v), 0, minus != (v < 0), mem);
}

void agg_wide_add_scaled(struct agg_wide *w, dp_i128 v, int n, bool minus, struct dp_agg_mem *mem) {
    dp_u128 a = absolute(v), b = (dp_u128)dp_power_of_ten_wide(n);
    uint64_t x[2] = {(uint64_t)a, (uint64_t)(a >> 64)}, y[2] = {(uint64_t)b, (uint64_t)(b >> 64)}, m[4] = {0};
    for (int i = 0; i < 2; i++)
        for (int j = 0, carry_at = i; j < 2; j++, carry_at++) {
            dp_u128 t = (dp_u128)x[i] * y[j] + m[carry_at];
            m[carry_at] = (uint64_t)t;
            dp_u128 up = (dp_u128)m[carry_at + 1] + (uint64_t)(t >> 64);
            m[carry_at + 1] = (uint64_t)up;
            if (up >> 64) m[carry_at + 2]++; /* only below the top: the product has 256 bits */
        }
    agg_wide_add(w, m, 4, 0, minus != (v < 0), mem);
}

#define ROOM 24 /* limbs on the stack: more are rare */

static uint64_t *take_limbs(uint64_t room[ROOM], size_t n) { return n <= ROOM ? room : dp_alloc(n * sizeof *room); }
static void give_limbs(const uint64_t room[ROOM], uint64_t *m) {
    if (m != room) free(m);
}

/* The magnitude; given back with give_limbs. */
static uint64_t *magnitude(const struct agg_wide *w, uint64_t room[ROOM]) {
    uint64_t *m = take_limbs(room, w->n);
    uint64_t sign = sign_limb(w), carry = sign & 1;
    for (unsigned i = 0; i < w->n; i++) {
        m[i] = (w->v[i] ^ sign) + carry;
        carry = carry && !m[i];
    }
    return m;
}

void agg_wide_add_wide(struct agg_wide *w, const struct agg_wide *from, bool minus, struct dp_agg_mem *mem) {
    if (agg_wide_is_zero(from)) return;
    uint64_t room[ROOM], *m = magnitude(from, room);
    agg_wide_add(w, m, from->n, (int64_t)from->lo * 64, minus != agg_wide_is_negative(from), mem);
    give_limbs(room, m);
}

void agg_wide_release(struct agg_wide *w, struct dp_agg_mem *mem) {
    agg_free(mem, w->v, w->cap * sizeof *w->v);
    *w = (struct agg_wide){0};
}

void agg_wide_trim(struct agg_wide *w) {
    unsigned below = 0;
    while (below < w->n && !w->v[below]) below++;
    if (below == w->n) {
        w->n = 0, w->lo = 0;
        return;
    }
    memmove(w->v, w->v + below, (w->n - below) * sizeof *w->v);
    w->n = (uint16_t)(w->n - below);
    w->lo += (int32_t)below;
    uint64_t sign = sign_limb(w);
    while (w->n > 1 && w->v[w->n - 1] == sign && (w->v[w->n - 2] ^ sign) >> 63 == 0) w->n--;
}

void agg_wide_mul(struct agg_wide *out, const struct agg_wide *a, const struct agg_wide *b) {
    struct dp_agg_mem mem = {0};
    *out = (struct agg_wide){0};
    uint64_t rooms[3][ROOM], *x = magnitude(a, rooms[0]), *y = magnitude(b, rooms[1]);
    size_t n = (size_t)a->n + b->n;
    uint64_t *p = take_limbs(rooms[2], n);
    memset(p, 0, n * sizeof *p);
    for (unsigned i = 0; i < a->n; i++) {
        uint64_t carry = 0;
        for (unsigned j = 0; j < b->n; j++) {
            dp_u128 t = (dp_u128)x[i] * y[j] + p[i + j] + carry;
            p[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        p[i + b->n] = carry;
    }
    agg_wide_add(out, p, (int)n, ((int64_t)a->lo + b->lo) * 64, agg_wide_is_negative(a) != agg_wide_is_negative(b), &mem);
    give_limbs(rooms[0], x), give_limbs(rooms[1], y), give_limbs(rooms[2], p);
}

void agg_wide_power_of_ten(struct agg_wide *out, int n) {
    struct dp_agg_mem mem = {0};
    *out = (struct agg_wide){0};
    int first = n < 38 ? n : 38;
    agg_wide_add_i128(out, dp_power_of_ten_wide(first), false, &mem);
    for (n -= first; n > 0; n -= 18) {
        struct agg_wide ten = {0}, next;
        agg_wide_add_i128(&ten, dp_power_of_ten[n < 18 ? n : 18], false, &mem);
        agg_wide_mul(&next, out, &ten);
        agg_wide_release(&ten, &mem);
        agg_wide_release(out, &mem);
        *out = next;
    }
}

/* ---- one rounding ---- */

static int bits_of(const uint64_t *m, size_t n) {
    while (n && !m[n - 1]) n--;
    return n ? (int)n * 64 - __builtin_clzll(m[n - 1]) : 0;
}

/* to = from << bit, of n limbs that hold it. */
static void shift_up(uint64_t *to, size_t n, const uint64_t *from, size_t from_n, int bit) {
    size_t limbs = (size_t)bit / 64;
    unsigned shift = (unsigned)bit % 64;
    memset(to, 0, n * sizeof *to);
    for (size_t i = 0; i < from_n; i++) {
        if (i + limbs < n) to[i + limbs] |= from[i] << shift;
        if (shift && i + limbs + 1 < n) to[i + limbs + 1] |= from[i] >> (64 - shift);
    }
}

static bool not_less(const uint64_t *a, const uint64_t *b, size_t n) {
    while (n--)
        if (a[n] != b[n]) return a[n] > b[n];
    return true;
}

/* a -= b * by; what it lacks above its n limbs is returned. */
static uint64_t take_away(uint64_t *a, const uint64_t *b, size_t n, uint64_t by) {
    uint64_t carry = 0;
    for (size_t i = 0; i < n; i++) {
        dp_u128 t = (dp_u128)b[i] * by + carry;
        carry = (uint64_t)(t >> 64) + (a[i] < (uint64_t)t);
        a[i] -= (uint64_t)t;
    }
    return carry;
}

static bool add_back(uint64_t *a, const uint64_t *b, size_t n) {
    bool carry = false;
    for (size_t i = 0; i < n; i++) {
        bool o = __builtin_add_overflow(a[i], b[i], &a[i]);
        carry = __builtin_add_overflow(a[i], (uint64_t)carry, &a[i]) | o;
    }
    return carry;
}

/*
 * u / v, where u has n + 1 limbs and v has n, and the highest bit of both is set: 64 bits in *q and one above it in *first.  What is left is in u.
 * A step of long division: the limb that the highest limbs say is right or at most two too large.
 */
static void divide(uint64_t *u, const uint64_t *v, size_t n, uint64_t *q, bool *first) {
    *first = not_less(u + 1, v, n);
    if (*first) (void)take_away(u + 1, v, n, 1);
    uint64_t guess = u[n] >= v[n - 1] ? UINT64_MAX : (uint64_t)(((dp_u128)u[n] << 64 | u[n - 1]) / v[n - 1]);
    uint64_t lack = take_away(u, v, n, guess);
    bool is_short = u[n] < lack;
    u[n] -= lack;
    for (; is_short; guess--) {
        bool carry = add_back(u, v, n);
        is_short = !(carry && ++u[n] == 0);
    }
    *q = guess;
}

/* top * 2^e (its highest bit is set), and a little more where `more`. */
static double round_to_double(uint64_t top, bool more, int64_t e) {
    int64_t drop = e + 11 < -1074 ? -1074 - e : 11;
    if (drop > 64) return 0;
    if (e > 1024) return (double)INFINITY;
    uint64_t kept = drop == 64 ? 0 : top >> drop;
    uint64_t rest = drop == 64 ? top : top << (64 - drop), half = UINT64_C(1) << 63;
    if (rest > half || (rest == half && (more || (kept & 1)))) kept++;
    return ldexp((double)kept, (int)(e + drop)); /* kept is exact, and so is this, or an infinity */
}

double agg_wide_ratio(const struct agg_wide *num, const struct agg_wide *den) {
    uint64_t rooms[4][ROOM], *a = magnitude(num, rooms[0]), *d = magnitude(den, rooms[1]), *u = rooms[2], *v = rooms[3];
    int na = bits_of(a, num->n), nd = bits_of(d, den->n);
    double out = 0;
    if (!na || !nd) goto out;
    size_t n = (size_t)(nd + 63) / 64, limbs = (size_t)(na + 63) / 64;
    if (limbs > n + 1) n = limbs - 1;
    int up = (int)n * 64 + 64 - na, down = (int)n * 64 - nd; /* a / d = (a << up) / (d << down) * 2^(down - up) */
    u = take_limbs(rooms[2], n + 1), v = take_limbs(rooms[3], n);
    shift_up(u, n + 1, a, num->n, up);
    shift_up(v, n, d, den->n, down);
    uint64_t q;
    bool first;
    divide(u, v, n, &q, &first);
    bool more = bits_of(u, n + 1) > 0;
    int64_t e = (int64_t)down - up + ((int64_t)num->lo - den->lo) * 64;
    if (first) more |= q & 1, q = q >> 1 | UINT64_C(1) << 63, e++;
    out = round_to_double(q, more, e);
    if (agg_wide_is_negative(num)) out = -out;
out:
    give_limbs(rooms[0], a), give_limbs(rooms[1], d), give_limbs(rooms[2], u), give_limbs(rooms[3], v);
    return out;
}

/* ---- text and bytes ---- */

void agg_wide_print(struct dp_buf *b, const struct agg_wide *w, int scale) {
    uint64_t room[ROOM], *m = magnitude(w, room);
    unsigned n = w->n, low = (unsigned)w->lo;
    uint64_t *v = dp_calloc(n + low + 1, sizeof *v);
    if (n) memcpy(v + low, m, n * sizeof *v);
    n += low;
    struct dp_buf digits = {0}; /* last first */
    while (bits_of(v, n) || digits.n <= (size_t)scale) {
        uint64_t rest = 0, block = (uint64_t)dp_power_of_ten[18];
        for (unsigned i = n; i-- > 0;) {
            dp_u128 t = (dp_u128)rest << 64 | v[i];
            v[i] = (uint64_t)(t / block);
            rest = (uint64_t)(t % block);
        }
        for (int i = 0; i < 18; i++, rest /= 10) dp_buf_addc(&digits, (char)('0' + rest % 10));
    }
    while (digits.n > (size_t)scale + 1 && digits.p[digits.n - 1] == '0') digits.n--;
    if (agg_wide_is_negative(w)) dp_buf_addc(b, '-');
    for (size_t i = digits.n; i-- > 0;) {
        dp_buf_addc(b, digits.p[i]);
        if (i == (size_t)scale && scale) dp_buf_addc(b, '.');
    }
    dp_buf_release(&digits);
    give_limbs(room, m);
    free(v);
}

/* Lowest limb's place (two bytes, 32768 is 0), number of limbs (two), limbs. */
void agg_wide_save(struct dp_buf *b, const struct agg_wide *w) {
    struct agg_wide t = *w;
    t.v = dp_alloc((t.n ? t.n : 1u) * sizeof *t.v);
    if (t.n) memcpy(t.v, w->v, t.n * sizeof *t.v);
    agg_wide_trim(&t);
    char *p = dp_buf_reserve(b, 4 + 8 * (size_t)t.n);
    agg_put32(p, (uint32_t)(uint16_t)(t.lo + 32768) | (uint32_t)t.n << 16);
    for (unsigned i = 0; i < t.n; i++) agg_put64(p + 4 + (size_t)8 * i, t.v[i]);
    b->n += 4 + 8 * (size_t)t.n;
    free(t.v);
}

#define SAVED_LO 40 /* no double, nor its square, is below 2^-2148 or has limbs above 2^2048 and what sums of 2^64 of them add */
#define SAVED_HI 40

bool agg_wide_load(struct dp_str *in, struct agg_wide *w, struct dp_agg_mem *mem) {
    if (in->n < 4) return false;
    uint32_t head = agg_get32(in->p);
    int32_t lo = (int32_t)(head & 65535) - 32768;
    uint32_t n = head >> 16;
    if (lo < -SAVED_LO || lo + (int32_t)n > SAVED_HI || (in->n - 4) / 8 < n) return false;
    *w = (struct agg_wide){.lo = lo, .n = (uint16_t)n, .cap = (uint16_t)n};
    if (n) w->v = agg_realloc(mem, NULL, 0, n * sizeof *w->v);
    for (uint32_t i = 0; i < n; i++) w->v[i] = agg_get64(in->p + 4 + (size_t)8 * i);
    *in = dp_str(in->p + 4 + (size_t)8 * n, in->n - 4 - (size_t)8 * n);
    return true;
}
