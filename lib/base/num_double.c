/*
 * Doubles and floats as text, both ways, exact, in the C locale (dp/base/num.h).
 *
 * Printing finds the shortest decimal in the rounding interval with three 64 x 128 bit products rounded to odd
 * (R. Giulietti, "The Schubfach way to render doubles").  Parsing is Clinger's fast path, then one or two
 * products (D. Lemire, "Number parsing at a gigabyte per second"), then strtod in a C locale of its own.
 */
#include <dp/base/num.h>

#include "num_table.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

/* ---- printing ---- */

struct shortest {
    uint64_t digits;
    int exp; /* value = digits * 10^exp */
};

static int floor_log10_pow2(int e, bool three_quarters) { return (e * 1262611 - (three_quarters ? 524031 : 0)) >> 22; }
static int floor_log2_pow10(int e) { return (e * 1741647) >> 19; }

/* The power of ten k as 128 bits, rounded up. */
static dp_u128 pow10_up(int k) {
    const uint64_t *t = dp_pow5[k - DP_POW_MIN];
    dp_u128 g = (dp_u128)t[0] << 64 | t[1];
    return k >= 0 && k <= 55 ? g : g + 1; /* 5^55 is the last one that is exact in 128 bits */
}

static uint64_t round_to_odd(dp_u128 g, uint64_t cp) {
    dp_u128 x0 = (dp_u128)(uint64_t)g * cp, x1 = (dp_u128)(uint64_t)(g >> 64) * cp + (uint64_t)(x0 >> 64);
    return (uint64_t)(x1 >> 64) | ((uint64_t)x1 > 1);
}

static uint64_t round_to_odd_32(dp_u128 g, uint64_t cp) {
    uint64_t g64 = (uint64_t)(g >> 64) + ((uint64_t)g != 0);
    dp_u128 p = (dp_u128)g64 * cp;
    return (uint64_t)(p >> 64) | ((uint32_t)(p >> 32) > 1);
}

/* v = c * 2^q, c > 0; `closer`: the neighbour below is at half the distance. */
static struct shortest find_shortest(uint64_t c, int q, bool closer, bool is_float) {
    uint64_t odd = c & 1;
    int k = floor_log10_pow2(q, closer), h = q + floor_log2_pow10(-k) + 1;
    dp_u128 g = pow10_up(-k);
    uint64_t (*mul)(dp_u128, uint64_t) = is_float ? round_to_odd_32 : round_to_odd;
    uint64_t lower = mul(g, (4 * c - 2 + closer) << h) + odd;
    uint64_t mid = mul(g, 4 * c << h);
    uint64_t upper = mul(g, (4 * c + 2) << h) - odd;
    uint64_t s = mid / 4;
    if (s >= 10) {
        uint64_t t = s / 10;
        bool below = lower <= 40 * t, above = 40 * t + 40 <= upper;
        if (below != above) return (struct shortest){t + above, k + 1};
    }
    bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above) return (struct shortest){s + above, k};
    return (struct shortest){s + (mid > 4 * s + 2 || (mid == 4 * s + 2 && (s & 1))), k};
}

/* Plain notation for 1e-5 <= v < 1e16, else d.ddde±x; always with a point or an exponent. */
static size_t lay_out(char *out, struct shortest s) {
    if (s.digits % 100000000 == 0) s.digits /= 100000000, s.exp += 8; /* short ones come with many zeros */
    if (s.digits % 10000 == 0) s.digits /= 10000, s.exp += 4;
    while (s.digits % 10 == 0) s.digits /= 10, s.exp++;
    char d[20];
    size_t n = dp_print_u64(d, s.digits), w = 0;
    int point = (int)n + s.exp; /* digits before the point */
    if (point > 16 || point < -4) {
        out[w++] = d[0];
        if (n > 1) {
            out[w++] = '.';
            memcpy(out + w, d + 1, n - 1), w += n - 1;
        }
        out[w++] = 'e';
        char e[20];
        size_t m = dp_print_i64(e, point - 1);
        memcpy(out + w, e, m);
        return w + m;
    }
    if (point <= 0) {
        out[w++] = '0', out[w++] = '.';
        while (point++ < 0) out[w++] = '0';
        memcpy(out + w, d, n);
        return w + n;
    }
    size_t before = (size_t)point < n ? (size_t)point : n;
    memcpy(out, d, before), w = before;
    while (w < (size_t)point) out[w++] = '0';
    out[w++] = '.';
    if (n == before) out[w++] = '0';
    memcpy(out + w, d + before, n - before);
    return w + n - before;
}

static size_t print_special(char *out, double v) {
    const char *z = isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
    size_t n = strlen(z);
    memcpy(out, z, n);
    return n;
}

size_t dp_print_double(char out[32], double v) {
    if (!isfinite(v)) return print_special(out, v);
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    size_t w = 0;
    if (bits >> 63) out[w++] = '-';
    bits &= UINT64_MAX >> 1;
    if (!bits) return memcpy(out + w, "0.0", 3), w + 3;
    double a = fabs(v);
    if (a < 1e15 && a == (double)(uint64_t)a) { /* whole numbers are common */
        w += dp_print_u64(out + w, (uint64_t)a);
        return memcpy(out + w, ".0", 2), w + 2;
    }
    int e = (int)(bits >> 52);
    uint64_t f = bits & ((UINT64_C(1) << 52) - 1);
    struct shortest s = e ? find_shortest(f | UINT64_C(1) << 52, e - 1075, !f && e > 1, false)
                          : find_shortest(f, -1074, false, false);
    return w + lay_out(out + w, s);
}

size_t dp_print_float(char out[32], float v) {
    if (!isfinite(v)) return print_special(out, (double)v);
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    size_t w = 0;
    if (bits >> 31) out[w++] = '-';
    bits &= UINT32_MAX >> 1;
    if (!bits) return memcpy(out + w, "0.0", 3), w + 3;
    int e = (int)(bits >> 23);
    uint32_t f = bits & ((1u << 23) - 1);
    struct shortest s = e ? find_shortest(f | 1u << 23, e - 150, !f && e > 1, true) : find_shortest(f, -149, false, true);
    return w + lay_out(out + w, s);
}

/* ---- parsing ---- */

/* Number as spelled: up to 19 significant digits, and what was cut. */
struct spelled {
    uint64_t w;
    int64_t exp; /* of w's last digit */
    bool minus, cut;
};

static bool is_digit(char c) { return (unsigned)(unsigned char)c - '0' <= 9; }

static bool read_exponent(struct dp_str s, size_t i, int64_t *out) {
    bool minus = i < s.n && s.p[i] == '-';
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) i++;
    if (i == s.n) return false;
    int64_t e = 0;
    for (; i < s.n; i++) {
        if (!is_digit(s.p[i])) return false;
        if (e < INT64_C(1) << 40) e = e * 10 + (s.p[i] - '0'); /* beyond, the value is 0 or too large anyhow */
    }
    *out = minus ? -e : e;
    return true;
}

static bool spell(struct dp_str s, struct spelled *o) {
    size_t i = 0, digits = 0, sig = 0;
    *o = (struct spelled){0};
    if (s.n && s.p[0] == '-') o->minus = true, i = 1;
    bool point = false;
    for (; i < s.n; i++) {
        if (is_digit(s.p[i])) {
            digits++;
            if (sig || s.p[i] != '0') sig++;
            if (sig > 19) {
                o->cut |= s.p[i] != '0';
                o->exp += !point;
            } else {
                o->w = o->w * 10 + (unsigned)(s.p[i] - '0');
                o->exp -= point;
            }
        } else if (s.p[i] == '.' && !point && digits && i + 1 < s.n && is_digit(s.p[i + 1])) {
            point = true;
        } else {
            break;
        }
    }
    if (!digits) return false;
    if (i == s.n) return true;
    int64_t e;
    if ((s.p[i] | 32) != 'e' || !read_exponent(s, i + 1, &e)) return false;
    o->exp += e;
    return true;
}

/* w * 10^q to the nearest double's bits; false: too close to call. */
static bool product(uint64_t w, int64_t q64, uint64_t *bits) {
    if (!w || q64 < -342) return *bits = 0, true;
    if (q64 > 308) return *bits = UINT64_C(0x7ff) << 52, true;
    int q = (int)q64, lz = __builtin_clzll(w);
    w <<= lz;
    const uint64_t *t = dp_pow5[q - DP_POW_MIN];
    uint64_t t_lo = t[1] + (q < 0); /* powers below one are rounded up here */
    uint64_t t_hi = t[0] + (q < 0 && !t_lo);
    dp_u128 p = (dp_u128)w * t_hi;
    uint64_t hi = (uint64_t)(p >> 64), lo = (uint64_t)p;
    if ((hi & 0x1ff) == 0x1ff) {
        uint64_t add = (uint64_t)((dp_u128)w * t_lo >> 64);
        lo += add;
        hi += lo < add;
    }
    if (lo == UINT64_MAX && (q < -27 || q > 55)) return false;
    int top = (int)(hi >> 63), shift = top + 64 - 52 - 3;
    uint64_t m = hi >> shift;
    int e = ((217706 * q) >> 16) + 63 + top - lz + 1023;
    if (e <= 0) {
        if (1 - e >= 64) return *bits = 0, true;
        m >>= 1 - e;
        m = (m + (m & 1)) >> 1;
        *bits = m; /* a carry into bit 52 is the smallest normal number */
        return true;
    }
    if (lo <= 1 && q >= -4 && q <= 23 && (m & 3) == 1 && m << shift == hi) m &= ~UINT64_C(1);
    m = (m + (m & 1)) >> 1;
    if (m >= UINT64_C(2) << 52) m = UINT64_C(1) << 52, e++;
    *bits = e >= 2047 ? UINT64_C(0x7ff) << 52 : (m & ~(UINT64_C(1) << 52)) | (uint64_t)e << 52;
    return true;
}

/* strtod in the C locale, for the rare spellings that two products can't decide. */
static double parse_slowly(struct dp_str s) {
    char small[128], *z = s.n < sizeof small ? small : dp_alloc(s.n + 1);
    memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), old = (locale_t)0;
    if (c) old = uselocale(c);
    double v = strtod(z, NULL);
    if (c) uselocale(old), freelocale(c);
    if (z != small) free(z);
    return v;
}

static bool parse_word(struct dp_str s, double *out) {
    if (dp_str_eqz(s, "NaN")) return *out = (double)NAN, true;
    if (dp_str_eqz(s, "Infinity")) return *out = (double)INFINITY, true;
    if (dp_str_eqz(s, "-Infinity")) return *out = -(double)INFINITY, true;
    return false;
}

bool dp_parse_double(struct dp_str s, double *out) {
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct spelled n;
    if (!spell(s, &n)) return parse_word(s, out);
    double v;
    uint64_t bits, next;
    if (!n.cut && n.w < UINT64_C(1) << 53 && n.exp >= -22 && n.exp <= 22) {
        v = n.exp < 0 ? (double)n.w / tens[-n.exp] : (double)n.w * tens[n.exp];
    } else if (product(n.w, n.exp, &bits) && (!n.cut || (product(n.w + 1, n.exp, &next) && next == bits))) {
        memcpy(&v, &bits, sizeof v);
    } else {
        v = fabs(parse_slowly(s));
    }
    if (isinf(v)) return false;
    *out = n.minus ? -v : v;
    return true;
}
