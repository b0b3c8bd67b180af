/*
 * Text forms of the rarer values: half floats (IEEE 754 binary16), UUIDs (RFC 4122 text), intervals (ISO 8601 durations as
 * Parquet's INTERVAL holds them), base64 (RFC 4648).  Weeks in an interval become days; fractions are taken in seconds only.
 */
#include "values_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/num.h>
#include <math.h>
#include <stdio.h>

double dp_half_to_double(uint16_t h) {
    int exp = h >> 10 & 31;
    double m = h & 1023, v;
    if (exp == 31) v = h & 1023 ? NAN : INFINITY;
    else if (exp == 0) v = ldexp(m, -24);
    else v = ldexp(m + 1024, exp - 25);
    return h & 0x8000 ? -v : v;
}

uint16_t dp_half_from_double(double v) {
    uint16_t sign = signbit(v) ? 0x8000 : 0;
    double a = fabs(v);
    if (isnan(v)) return 0x7e00;
    if (a >= 65520) return sign | 0x7c00; /* halfway above the largest half rounds to infinity */
    int e;
    frexp(a, &e);
    if (e < -13) e = -13; /* subnormal: fixed step of 2^-24 */
    double steps = nearbyint(ldexp(a, 11 - e));
    /* 1024..2048 steps of 2^(e - 11); 2048 carries into the exponent by itself. */
    uint16_t bits = (uint16_t)steps;
    if (a == 0 || (e == -13 && steps < 1024)) return sign | bits;
    return (uint16_t)(sign | (uint16_t)(((e + 13) << 10) + bits));
}

size_t dp_half_print(char out[32], uint16_t h) {
    double v = dp_half_to_double(h);
    if (!isfinite(v) || v == 0) return dp_print_double(out, v);
    int e = (int)floor(log10(fabs(v)));
    for (int digits = 1; digits <= 5; digits++) {
        int shift = digits - 1 - e;
        double m = nearbyint(shift >= 0 ? v * pow(10, shift) : v / pow(10, -shift));
        double text_value = shift >= 0 ? m / pow(10, shift) : m * pow(10, -shift);
        if (dp_half_from_double(text_value) == h) return dp_print_double(out, text_value);
    }
    return dp_print_double(out, v);
}

double dp_nudge_tie(double v, struct dp_str text, int low_bits) {
    uint64_t bits;
    memcpy(&bits, &v, 8);
    uint64_t low = bits & ((1ull << low_bits) - 1);
    bool subnormal = fabs(v) < (low_bits == 29 ? 0x1p-126 : 0x1p-14);
    if (!subnormal && low != 1ull << (low_bits - 1)) return v;
    char exact[1200];
    int n = snprintf(exact, sizeof exact, "%.1080e", v);
    for (int i = 0; i < n; i++)
        if (exact[i] == ',') exact[i] = '.';
    int order = dp_number_cmp(text, dp_str(exact, (size_t)n));
    return order > 0 ? nextafter(v, INFINITY) : order < 0 ? nextafter(v, -INFINITY) : v;
}

/* ---- UUID ---- */

bool dp_uuid_parse(struct dp_str s, uint8_t out[16]) {
    if (s.n != 36) return false;
    size_t at = 0;
    for (size_t i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s.p[i] != '-') return false;
            continue;
        }
        int high = dp_hex_digit(s.p[i]), low = dp_hex_digit(s.p[++i]);
        if (high < 0 || low < 0) return false;
        out[at++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void dp_uuid_print(char out[36], const uint8_t in[16]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = digits[in[i] >> 4];
        *out++ = digits[in[i] & 15];
    }
}

/* ---- intervals ---- */

/* One number with its letter; in the time part seconds may have up to three digits behind the point. */
static bool interval_part(const char **p, const char *end, uint64_t *value, uint64_t *millis, char *letter) {
    uint64_t v = 0, f = 0;
    const char *s = *p;
    while (s < end && *s >= '0' && *s <= '9' && v <= UINT32_MAX) v = v * 10 + (uint64_t)(*s++ - '0');
    if (s == *p || v > UINT32_MAX) return false;
    bool fraction = s < end && *s == '.';
    if (fraction) {
        uint64_t unit = 100;
        const char *first = ++s;
        for (; s < end && *s >= '0' && *s <= '9'; s++, unit /= 10) {
            if (!unit && *s != '0') return false;
            f += unit * (uint64_t)(*s - '0');
        }
        if (s == first) return false;
    }
    if (s == end || (fraction && *s != 'S')) return false;
    *value = v, *millis = f, *letter = *s;
    *p = s + 1;
    return true;
}

static void put_u32(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

bool dp_interval_parse(struct dp_str s, uint8_t out[12]) {
    const char *p = s.p, *end = s.p + s.n;
    static const char order[] = "YMWDhms";
    size_t rank = 0;
    uint64_t months = 0, days = 0, ms = 0, v, f;
    bool time = false, any = false;
    char c;
    if (s.n < 3 || *p++ != 'P') return false;
    while (p < end) {
        if (*p == 'T') {
            if (time || ++p == end) return false;
            time = true;
        }
        if (!interval_part(&p, end, &v, &f, &c)) return false;
        if (time) c = c == 'H' ? 'h' : c == 'M' ? 'm' : c == 'S' ? 's' : '?';
        const char *at = memchr(order, c, sizeof order - 1);
        if (!at || (size_t)(at - order) < rank) return false;
        rank = (size_t)(at - order) + 1;
        any = true;
        switch (c) {
        case 'Y': months += v * 12; break;
        case 'M': months += v; break;
        case 'W': days += v * 7; break;
        case 'D': days += v; break;
        case 'h': ms += v * 3600000; break;
        case 'm': ms += v * 60000; break;
        default: ms += v * 1000 + f; break;
        }
    }
    if (!any || months > UINT32_MAX || days > UINT32_MAX || ms > UINT32_MAX) return false;
    put_u32(out, months), put_u32(out + 4, days), put_u32(out + 8, ms);
    return true;
}

static uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void dp_interval_print(const uint8_t in[12], struct dp_buf *b) {
    uint32_t months = get_u32(in), days = get_u32(in + 4), ms = get_u32(in + 8);
    dp_buf_addc(b, 'P');
    if (months / 12) dp_buf_addf(b, "%uY", months / 12);
    if (months % 12) dp_buf_addf(b, "%uM", months % 12);
    if (days) dp_buf_addf(b, "%uD", days);
    if (!ms && (months || days)) return;
    dp_buf_addc(b, 'T');
    if (ms / 3600000) dp_buf_addf(b, "%uH", ms / 3600000);
    if (ms / 60000 % 60) dp_buf_addf(b, "%uM", ms / 60000 % 60);
    if (ms % 1000) dp_buf_addf(b, "%u.%03uS", ms / 1000 % 60, ms % 1000);
    else if (ms / 1000 % 60 || !ms) dp_buf_addf(b, "%uS", ms / 1000 % 60);
}

/* ---- base64 ---- */

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool dp_base64_decode(struct dp_str s, struct dp_buf *b) {
    if (s.n % 4) return false;
    char *start = dp_buf_reserve(b, s.n / 4 * 3 + 3), *w = start;
    for (size_t i = 0; i < s.n; i += 4) {
        int pad = i + 4 == s.n ? (s.p[i + 3] == '=') + (s.p[i + 3] == '=' && s.p[i + 2] == '=') : 0;
        int d[4] = {base64_digit(s.p[i]), base64_digit(s.p[i + 1]), pad > 1 ? 0 : base64_digit(s.p[i + 2]),
                    pad > 0 ? 0 : base64_digit(s.p[i + 3])};
        if ((d[0] | d[1] | d[2] | d[3]) < 0) return false;
        uint32_t v = (uint32_t)d[0] << 18 | (uint32_t)d[1] << 12 | (uint32_t)d[2] << 6 | (uint32_t)d[3];
        if (pad && v & (pad == 1 ? 0xffu : 0xffffu)) return false;
        *w++ = (char)(v >> 16);
        if (pad < 2) *w++ = (char)(v >> 8);
        if (pad < 1) *w++ = (char)v;
    }
    b->n += (size_t)(w - start);
    return true;
}
