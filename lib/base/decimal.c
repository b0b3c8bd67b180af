/* Exact decimals and exact comparison of numbers as spelled (dp/base/decimal.h).  No floating point anywhere. */
#include <dp/base/decimal.h>
#include <dp/base/num.h>

const int64_t dp_power_of_ten[19] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
    100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000,
    100000000000000000, 1000000000000000000};

static bool is_digit(char c) { return (unsigned)(unsigned char)c - '0' <= 9; }

static dp_u128 power_of_ten(int n) {
    dp_u128 v = 1;
    while (n >= 16) v *= UINT64_C(10000000000000000), n -= 16;
    while (n-- > 0) v *= 10;
    return v;
}

/* A number taken apart.  Exponents saturate far outside of what any record can spell out in digits. */
struct parts {
    bool minus;
    struct dp_str digits; /* integer and fraction with the point between, from the first digit that is not 0 */
    dp_i128 exp;          /* value = 0.digits * 10^exp */
    int64_t fraction;     /* digits behind the point, minus the exponent */
    bool zero;
};

static const char *read_exponent(const char *p, const char *end, dp_i128 *out) {
    bool minus = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end) return NULL;
    dp_i128 e = 0, far = (dp_i128)1 << 120;
    for (; p < end && is_digit(*p); p++)
        if (e < far) e = e * 10 + (*p - '0');
    *out = minus ? -e : e;
    return p;
}

static bool take_apart(struct dp_str s, struct parts *o) {
    const char *p = s.p, *end = s.p + s.n;
    *o = (struct parts){.zero = true};
    if (p < end && *p == '-') o->minus = true, p++;
    const char *whole = p;
    while (p < end && is_digit(*p)) p++;
    const char *whole_end = p, *stop;
    if (whole == whole_end) return false;
    if (p < end && *p == '.') {
        p++;
        while (p < end && is_digit(*p)) p++;
        if (p == whole_end + 1) return false;
    }
    stop = p;
    dp_i128 e = 0;
    if (p < end) {
        if ((*p | 32) != 'e') return false;
        p = read_exponent(p + 1, end, &e);
        if (p != end) return false;
    }
    const char *first = whole;
    while (first < stop && (*first == '0' || *first == '.')) first++;
    int64_t fraction = stop > whole_end ? stop - whole_end - 1 : 0;
    o->fraction = e > INT32_MAX ? INT32_MIN : e < -INT32_MAX ? INT32_MAX : fraction - (int64_t)e;
    if (first == stop) return true;
    o->zero = false;
    o->digits = dp_str(first, (size_t)(stop - first));
    o->exp = e + (first < whole_end ? whole_end - first : whole_end + 1 - first);
    return true;
}

/* The digits as one integer without its trailing zeros, which are counted; false beyond 38 digits. */
static bool gather(struct dp_str digits, dp_u128 *out, int *n_digits, int64_t *zeros) {
    dp_u128 v = 0;
    int n = 0;
    int64_t pending = 0;
    for (size_t i = 0; i < digits.n; i++) {
        char c = digits.p[i];
        if (c == '.') continue;
        if (c == '0') {
            pending++;
            continue;
        }
        if (n + pending + 1 > DP_DECIMAL_MAX_PRECISION) return false;
        n += (int)pending + 1;
        v = v * power_of_ten((int)pending + 1) + (unsigned)(c - '0');
        pending = 0;
    }
    *out = v, *n_digits = n, *zeros = pending;
    return true;
}

bool dp_decimal_parse(struct dp_str s, struct dp_decimal *out) {
    struct parts a;
    if (!take_apart(s, &a)) return false;
    int64_t scale = a.fraction < 0 ? 0 : a.fraction > DP_DECIMAL_MAX_PRECISION ? DP_DECIMAL_MAX_PRECISION : a.fraction;
    if (a.zero) return *out = (struct dp_decimal){0, (int)scale}, true;
    dp_u128 v;
    int n;
    int64_t zeros;
    if (!gather(a.digits, &v, &n, &zeros)) return false;
    int64_t least = a.fraction - zeros; /* the scale of v as it is */
    int64_t most = least + DP_DECIMAL_MAX_PRECISION - n;
    if (scale > most) scale = most; /* fewer zeros at the end than spelled, where all do not fit */
    if (scale < 0 || scale < least) return false;
    v *= power_of_ten((int)(scale - least));
    *out = (struct dp_decimal){a.minus ? -(dp_i128)v : (dp_i128)v, (int)scale};
    return true;
}

bool dp_decimal_rescale(struct dp_decimal d, int precision, int scale, dp_i128 *unscaled) {
    dp_u128 v = d.unscaled < 0 ? 0 - (dp_u128)d.unscaled : (dp_u128)d.unscaled;
    if (scale > d.scale) {
        if (v && dp_mul_overflow(v, power_of_ten(scale - d.scale), &v)) return false;
    } else if (scale < d.scale) {
        dp_u128 div = power_of_ten(d.scale - scale);
        if (v % div) return false;
        v /= div;
    }
    if (precision < 1 || precision > DP_DECIMAL_MAX_PRECISION || v >= power_of_ten(precision)) return false;
    *unscaled = d.unscaled < 0 ? -(dp_i128)v : (dp_i128)v;
    return true;
}

size_t dp_decimal_print(char out[48], dp_i128 unscaled, int scale) {
    char b[48];
    size_t i = sizeof b, w = unscaled < 0;
    dp_u128 v = unscaled < 0 ? 0 - (dp_u128)unscaled : (dp_u128)unscaled;
    int n = 0;
    out[0] = '-';
    if (v <= UINT64_MAX) {
        size_t digits = dp_print_u64(out + w, (uint64_t)v), end = w + digits;
        if (!scale) return end;
        if (digits > (size_t)scale) { /* the point goes between them */
            size_t point = end - (size_t)scale;
            for (size_t k = end; k > point; k--) out[k] = out[k - 1];
            out[point] = '.';
            return end + 1;
        }
    }
    while (v || n <= scale) {
        if (n && n == scale) b[--i] = '.';
        if (v <= UINT64_MAX) { /* 64-bit division is several times cheaper */
            uint64_t u = (uint64_t)v;
            b[--i] = (char)('0' + u % 10);
            v = u / 10;
        } else {
            b[--i] = (char)('0' + (int)(v % 10));
            v /= 10;
        }
        n++;
    }
    memcpy(out + w, b + i, sizeof b - i);
    return w + sizeof b - i;
}

bool dp_decimal_add(struct dp_decimal a, struct dp_decimal b, struct dp_decimal *out) {
    int scale = a.scale > b.scale ? a.scale : b.scale;
    dp_i128 x, y, sum;
    if (!dp_decimal_rescale(a, DP_DECIMAL_MAX_PRECISION, scale, &x)) return false;
    if (!dp_decimal_rescale(b, DP_DECIMAL_MAX_PRECISION, scale, &y)) return false;
    if (dp_add_overflow(x, y, &sum)) return false;
    dp_i128 bound = (dp_i128)power_of_ten(DP_DECIMAL_MAX_PRECISION);
    if (sum >= bound || sum <= -bound) return false;
    *out = (struct dp_decimal){sum, scale};
    return true;
}

/* Order of two rows of digits, each possibly with a point inside, padded with zeros at the end. */
static int digits_cmp(struct dp_str a, struct dp_str b) {
    size_t i = 0, j = 0;
    for (;;) {
        if (i < a.n && a.p[i] == '.') i++;
        if (j < b.n && b.p[j] == '.') j++;
        if (i >= a.n && j >= b.n) return 0;
        char x = i < a.n ? a.p[i] : '0', y = j < b.n ? b.p[j] : '0';
        if (x != y) return x < y ? -1 : 1;
        i++, j++;
    }
}

int dp_number_cmp(struct dp_str a, struct dp_str b) {
    int64_t x, y;
    if (a.n < 19 && b.n < 19 && dp_parse_i64(a, &x) && dp_parse_i64(b, &y)) return (x > y) - (x < y);
    struct parts p, q;
    (void)take_apart(a, &p);
    (void)take_apart(b, &q);
    int sp = p.zero ? 0 : p.minus ? -1 : 1, sq = q.zero ? 0 : q.minus ? -1 : 1;
    if (sp != sq) return sp < sq ? -1 : 1;
    if (!sp) return 0;
    int c = p.exp != q.exp ? (p.exp < q.exp ? -1 : 1) : digits_cmp(p.digits, q.digits);
    return sp < 0 ? -c : c;
}

bool dp_number_is_integer(struct dp_str a) {
    struct parts p;
    if (!take_apart(a, &p)) return false;
    if (p.zero) return true;
    dp_i128 n = 0; /* significant digits up to the last that is not 0 */
    dp_i128 last = 0;
    for (size_t i = 0; i < p.digits.n; i++) {
        if (p.digits.p[i] == '.') continue;
        n++;
        if (p.digits.p[i] != '0') last = n;
    }
    return last <= p.exp;
}
