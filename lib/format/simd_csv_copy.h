/*
 * Copying one cell of CSV: to a JSON string as far as its bytes can stand there as they are, or as a number when it is spelled as one.
 * Sixteen bytes at a time with what every x86-64 and arm64 has, so there is nothing to choose at run time; t_csv compares with the portable
 * twins.  Reads and writes up to 16 bytes behind the end.
 */
#ifndef DP_FORMAT_SIMD_CSV_COPY_H
#define DP_FORMAT_SIMD_CSV_COPY_H

#include "csv_priv.h"

#if defined(__SSE2__)
#include <emmintrin.h>

/* Copies; true when one of the n bytes is a quote, a backslash or a control byte. */
static inline bool dp_csv_copy(char *w, const char *p, size_t n) {
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
    for (size_t i = 0; i < n; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        _mm_storeu_si128((__m128i *)(void *)(w + i), v);
        __m128i bad = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
                                   _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
        unsigned m = (unsigned)_mm_movemask_epi8(bad);
        if (n - i < 16) m &= (1u << (n - i)) - 1;
        if (m) return true;
    }
    return false;
}

/* Copies; false unless the 1 to 16 bytes are -?(0|[1-9][0-9]*)(\.[0-9]+)? */
static inline bool dp_csv_copy_number(char *w, const char *p, size_t n) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    _mm_storeu_si128((__m128i *)(void *)w, v);
    __m128i low = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    unsigned all = (1u << n) - 1, minus = p[0] == '-';
    unsigned digits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(low, _mm_set1_epi8(9)), low)) & all;
    unsigned points = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.'))) & all;
    bool known = (digits | points | minus) == all && !(points & (points - 1));
    bool zeros = p[minus] == '0' && (digits >> (minus + 1) & 1);
    return known && (digits >> minus & 1) && (digits >> (n - 1) & 1) && !zeros;
}

#else

static inline bool dp_csv_copy(char *w, const char *p, size_t n) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        memcpy(w + i, &v, 8);
        if (n - i < 8) v = (v & ((UINT64_C(1) << 8 * (n - i)) - 1)) | UINT64_C(0x2020202020202020) << 8 * (n - i);
        uint64_t q = v ^ ones * '"', b = v ^ ones * '\\';
        if ((((v - ones * 0x20) & ~v) | ((q - ones) & ~q) | ((b - ones) & ~b)) & high) return true;
    }
    return false;
}

static inline bool dp_csv_copy_number(char *w, const char *p, size_t n) {
    struct dp_csv_number number;
    memcpy(w, p, n);
    return dp_csv_number(dp_str(p, n), &number) && !number.exponent;
}
#endif

#endif
