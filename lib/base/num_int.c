/* Integers, sizes and durations as text (dp/base/num.h).  Doubles are in num_double.c. */
#include <dp/base/num.h>

bool dp_parse_u64(struct dp_str s, uint64_t *out) {
    size_t i = s.n && s.p[0] == '+';
    uint64_t v = 0;
    if (i == s.n) return false;
    for (; i < s.n; i++) {
        unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
        if (d > 9 || dp_mul_overflow(v, 10u, &v) || dp_add_overflow(v, d, &v)) return false;
    }
    *out = v;
    return true;
}

bool dp_parse_i64(struct dp_str s, int64_t *out) {
    bool minus = s.n && s.p[0] == '-';
    uint64_t v;
    if (minus && (s.n < 2 || s.p[1] == '+')) return false;
    if (!dp_parse_u64(minus ? dp_str(s.p + 1, s.n - 1) : s, &v)) return false;
    if (v > (uint64_t)INT64_MAX + minus) return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

const char dp_digit_pairs[201] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
                                 "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static inline unsigned count_digits(uint64_t v) {
    static const uint64_t powers[] = {0,           10,           100,           1000,           10000,           100000,           1000000,
                                      10000000,    100000000,    1000000000,    10000000000,    100000000000,    1000000000000,    10000000000000,
                                      100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000, UINT64_C(10000000000000000000)};
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1), guess = bits * 1233 >> 12; /* log10(2) = 1233 / 4096, nearly */
    return guess + (v >= powers[guess]);
}

static inline size_t put_u64(char *out, uint64_t v) {
    size_t n = count_digits(v);
    char *p = out + n;
    for (; v >= 100; v /= 100) memcpy(p -= 2, dp_digit_pairs + v % 100 * 2, 2);
    if (v >= 10) memcpy(p - 2, dp_digit_pairs + v * 2, 2);
    else p[-1] = (char)('0' + v);
    return n;
}

size_t dp_print_u64(char out[20], uint64_t v) { return put_u64(out, v); }

size_t dp_print_i64(char out[20], int64_t v) {
    if (v >= 0) return put_u64(out, (uint64_t)v);
    out[0] = '-';
    return put_u64(out + 1, 0 - (uint64_t)v) + 1;
}

/* Digits with an optional fraction, exactly, times `unit`; false on a fraction of a whole or overflow of 64 bits. */
static bool scaled(struct dp_str s, uint64_t unit, bool whole, uint64_t *out) {
    dp_u128 v = 0, div = 1;
    size_t digits = 0;
    bool point = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' && !point && digits) {
            point = true;
            continue;
        }
        unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
        if (d > 9 || ++digits > 24) return false;
        v = v * 10 + d;
        if (point) div *= 10;
    }
    if (!digits || s.p[s.n - 1] == '.') return false;
    dp_u128 all;
    if (dp_mul_overflow(v, unit, &all)) return false;
    if (whole && all % div) return false;
    all /= div;
    *out = (uint64_t)all;
    return all <= UINT64_MAX;
}

enum dp_status dp_parse_size(struct dp_str s, uint64_t *bytes, struct dp_err *err) {
    static const char letters[] = "KMGT";
    uint64_t unit = 1;
    size_t n = 0; /* of the number; what follows is a letter and perhaps B or iB */
    while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '.')) n++;
    struct dp_str tail = dp_str(s.p + n, s.n - n);
    bool ok = n > 0;
    if (ok && tail.n) {
        const char *at = strchr(letters, tail.p[0] >= 'a' ? tail.p[0] - 32 : tail.p[0]);
        if (at && *at) unit = (uint64_t)1 << 10 * (at - letters + 1), tail.p++, tail.n--;
        ok = !tail.n || dp_str_eqz(tail, "B") || (unit > 1 && dp_str_eqz(tail, "iB"));
    }
    if (!ok || !scaled(dp_str(s.p, n), unit, unit == 1, bytes))
        return dp_err_set(err, DP_USAGE, "'%.*s' is not a size (digits, then K, M, G or T)", DP_STR_FMT(s));
    return DP_OK;
}

/* Milliseconds of one unit letter; `time`: behind ISO 8601's T. 0 = not one. */
static uint64_t iso_unit(char c, bool time) {
    switch (c) {
    case 'W': return time ? 0 : 604800000;
    case 'D': return time ? 0 : 86400000;
    case 'H': return time ? 3600000 : 0;
    case 'M': return time ? 60000 : 0;
    case 'S': return time ? 1000 : 0;
    }
    return 0;
}

static bool iso_duration(struct dp_str s, uint64_t *ms) {
    bool time = false, any = false;
    uint64_t last = UINT64_MAX, sum = 0;
    for (size_t i = 1; i < s.n;) {
        if (s.p[i] == 'T' && !time) {
            time = true;
            any = false; /* something must stand behind T */
            i++;
            continue;
        }
        size_t j = i;
        while (j < s.n && ((s.p[j] >= '0' && s.p[j] <= '9') || s.p[j] == '.')) j++;
        uint64_t unit = j < s.n ? iso_unit(s.p[j], time) : 0, v;
        if (!unit || unit >= last || !scaled(dp_str(s.p + i, j - i), unit, true, &v)) return false;
        if (dp_add_overflow(sum, v, &sum)) return false;
        last = unit;
        any = true;
        i = j + 1;
    }
    *ms = sum;
    return any;
}

enum dp_status dp_parse_duration(struct dp_str s, int64_t *ms, struct dp_err *err) {
    static const struct {
        struct dp_str name;
        uint64_t ms;
    } units[] = {{{"ms", 2}, 1},      {{"s", 1}, 1000},     {{"m", 1}, 60000},
                 {{"h", 1}, 3600000}, {{"d", 1}, 86400000}, {{"w", 1}, 604800000}};
    uint64_t v = 0;
    bool ok = false;
    if (s.n && s.p[0] == 'P') {
        ok = iso_duration(s, &v);
    } else {
        for (size_t i = 0; i < sizeof units / sizeof units[0] && !ok; i++)
            if (dp_str_ends(s, units[i].name) && s.n > units[i].name.n)
                ok = scaled(dp_str(s.p, s.n - units[i].name.n), units[i].ms, true, &v);
    }
    if (!ok || v > INT64_MAX)
        return dp_err_set(err, DP_USAGE, "'%.*s' is not a duration (such as 250ms, 10s, 5m, 2h, 7d, 1w or PT5M)",
                          DP_STR_FMT(s));
    *ms = (int64_t)v;
    return DP_OK;
}
