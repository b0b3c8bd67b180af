/*
 * Bit unpacking, byte stream split, decimals and INT96 (spec: Encodings.md, "Run Length Encoding / Bit-Packing Hybrid", "Byte Stream
 * Split"; LogicalTypes.md, "DECIMAL").  One function for each width, with all shifts known to the compiler: at 32 values a
 * call it runs at a fraction of a nanosecond a value, which a loop over (byte, shift) does not.
 */
#include "dec_priv.h"

/* Value I of 32 values of W bits: from one word, or from two where it crosses a border. */
#define ONE(W, I)                                                                                          \
    out[I] = (((I) * (W)) % 32 + (W) <= 32                                                                 \
                  ? in[((I) * (W)) / 32] >> (((I) * (W)) % 32)                                             \
                  : (uint32_t)((((uint64_t)in[((I) * (W)) / 32 + (((I) * (W)) % 32 + (W) > 32)] << 32) |   \
                                in[((I) * (W)) / 32]) >> (((I) * (W)) % 32))) &                            \
             (uint32_t)((UINT64_C(1) << (W)) - 1);
#define FOUR(W, I) ONE(W, I) ONE(W, (I) + 1) ONE(W, (I) + 2) ONE(W, (I) + 3)
#define ALL(W) FOUR(W, 0) FOUR(W, 4) FOUR(W, 8) FOUR(W, 12) FOUR(W, 16) FOUR(W, 20) FOUR(W, 24) FOUR(W, 28)
#define CASE(W)                         \
    case W: {                           \
        uint32_t in[W];                 \
        memcpy(in, p, sizeof in);       \
        ALL(W)                          \
        break;                          \
    }

void dp_pq_unpack32(const uint8_t *p, unsigned width, uint32_t out[32]) {
    switch (width) {
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
    CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14) CASE(15) CASE(17) CASE(18)
    CASE(19) CASE(20) CASE(21) CASE(22) CASE(23) CASE(24) CASE(25) CASE(26) CASE(27)
    CASE(28) CASE(29) CASE(30) CASE(31)
    case 8:
        for (int i = 0; i < 32; i++) out[i] = p[i];
        break;
    case 16: {
        uint16_t in[32];
        memcpy(in, p, sizeof in);
        for (int i = 0; i < 32; i++) out[i] = in[i];
        break;
    }
    case 32:
        memcpy(out, p, 128);
        break;
    default: /* 0; callers let nothing above 32 through */
        memset(out, 0, 128);
        break;
    }
}

void dp_pq_unpack64(const uint8_t *p, unsigned width, size_t n, uint64_t *out) {
    if (width == 0) {
        memset(out, 0, n * 8);
        return;
    }
    size_t bytes = (n * width + 7) / 8, bit = 0;
    uint64_t mask = width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1;
    for (size_t i = 0; i < n; i++, bit += width) {
        size_t at = bit >> 3;
        unsigned shift = bit & 7;
        uint64_t lo = 0, hi = 0;
        if (bytes - at >= 8) {
            lo = dp_load64(p + at);
        } else {
            memcpy(&lo, p + at, bytes - at);
        }
        if (shift + width > 64) hi = (uint64_t)p[at + 8] << (64 - shift);
        out[i] = ((lo >> shift) | hi) & mask;
    }
}

/* Four and eight streams are what floats and doubles have; their loops have a fixed inner count that the compiler unrolls. */
static void unsplit4(const uint8_t *p, size_t total, size_t n, uint8_t *out) {
    const uint8_t *a = p, *b = p + total, *c = b + total, *d = c + total;
    for (size_t i = 0; i < n; i++) {
        uint32_t v = (uint32_t)a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;
        memcpy(out + i * 4, &v, 4);
    }
}

static void unsplit8(const uint8_t *p, size_t total, size_t n, uint8_t *out) {
    for (size_t i = 0; i < n; i++) {
        uint64_t v = 0;
        for (unsigned j = 0; j < 8; j++) v |= (uint64_t)p[j * total + i] << (8 * j);
        memcpy(out + i * 8, &v, 8);
    }
}

void dp_pq_unsplit(const uint8_t *p, size_t total, size_t width, size_t from, size_t n, uint8_t *out) {
    p += from;
    if (width == 4) {
        unsplit4(p, total, n, out);
    } else if (width == 8) {
        unsplit8(p, total, n, out);
    } else {
        for (size_t j = 0; j < width; j++)
            for (size_t i = 0; i < n; i++) out[i * width + j] = p[j * total + i];
    }
}

bool dp_pq_decimal(const uint8_t *p, size_t n, uint8_t out[16]) {
    uint8_t sign = n && p[0] & 0x80 ? 0xFF : 0;
    while (n > 16) { /* sign-extended forms are legal */
        if (*p != sign) return false;
        p++, n--;
        if (n == 16 && ((p[0] ^ sign) & 0x80)) return false;
    }
    uint8_t wide[16];
    uint64_t high, low;
    memset(wide, sign, 16);
    if (n) memcpy(wide + 16 - n, p, n);
    memcpy(&high, wide, 8), memcpy(&low, wide + 8, 8);
    high = __builtin_bswap64(high), low = __builtin_bswap64(low);
    memcpy(out, &low, 8), memcpy(out + 8, &high, 8);
    return true;
}

size_t dp_pq_wide_decimal(const uint8_t *p, size_t n, unsigned scale, char out[DP_PQ_WIDE_TEXT]) {
    uint32_t limbs[DP_PQ_WIDE_BYTES / 4] = {0}; /* of the magnitude, least first */
    char digits[DP_PQ_WIDE_DIGITS + 12];
    bool negative = n && p[0] & 0x80;
    size_t used = (n + 3) / 4, n_digits = 0;
    for (size_t i = 0; i < used * 4; i++) { /* sign extended, and turned round where it is negative */
        uint32_t byte = i < n ? p[n - 1 - i] : negative ? 0xFF : 0;
        limbs[i / 4] |= (negative ? byte ^ 0xFF : byte) << (8 * (i % 4));
    }
    for (size_t i = 0; negative && i < used && ++limbs[i] == 0;) i++; /* plus one */
    while (used > 0) {
        uint64_t rest = 0;
        for (size_t i = used; i-- > 0;) {
            rest = rest << 32 | limbs[i];
            limbs[i] = (uint32_t)(rest / 1000000000);
            rest %= 1000000000;
        }
        while (used > 0 && limbs[used - 1] == 0) used--;
        for (unsigned k = 0; k < 9 && (rest || used); k++, rest /= 10) digits[n_digits++] = (char)('0' + rest % 10);
    }
    char *w = out;
    if (negative) *w++ = '-';
    for (size_t i = n_digits > scale ? n_digits : (size_t)scale + 1; i-- > 0;) {
        *w++ = i < n_digits ? digits[i] : '0';
        if (i == scale && scale > 0) *w++ = '.';
    }
    return (size_t)(w - out);
}

int64_t dp_pq_int96_micros(const uint8_t p[12]) {
    int64_t nanos = (int64_t)dp_load64(p);
    int64_t days = (int64_t)(int32_t)dp_load32(p + 8) - 2440588;
    int64_t us = nanos / 1000 - (nanos % 1000 < 0);
    return (int64_t)((uint64_t)days * UINT64_C(86400000000) + (uint64_t)us);
}
