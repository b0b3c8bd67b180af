/*
 * The scan of CSV bytes: offsets of the three bytes that mean something, 64 bytes at a time.  AVX2 or SSE2 on x86-64, NEON on arm64, chosen at run
 * time; a portable twin gives the same result, and t_csv compares them.
 */
#include <dp/format/csv.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

size_t dp_csv_marks_portable(const char *p, size_t n, char delimiter, char quote, char newline, uint32_t *out) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        out[k] = (uint32_t)i;
        k += p[i] == delimiter || p[i] == quote || p[i] == newline;
    }
    return k;
}

void dp_csv_mask_portable(const char *p, size_t n, char delimiter, int quote, char newline, struct dp_csv_masks *out) {
    for (size_t i = 0; i < n; i += 64, out++) {
        *out = (struct dp_csv_masks){0};
        for (size_t k = 0; k < 64 && i + k < n; k++) {
            uint64_t bit = UINT64_C(1) << k;
            if (p[i + k] == delimiter) out->delimiter |= bit;
            if (quote >= 0 && p[i + k] == (char)quote) out->quote |= bit;
            if (p[i + k] == newline) out->newline |= bit;
        }
    }
}

size_t dp_count_byte_portable(const char *p, size_t n, char c) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++) k += p[i] == c;
    return k;
}

/* Writes the positions of set bits; eight at a time, since branches on their number predict badly. */
static inline size_t put_bits(uint64_t m, uint32_t base, uint32_t *out) {
    size_t n = (size_t)__builtin_popcountll(m);
    size_t k = 0;
    while (m) {
        out[k++] = base + (uint32_t)__builtin_ctzll(m);
        m &= m - 1;
    }
    return n;
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi,popcnt"))) static size_t marks_avx2(const char *p, size_t n, char d, char q, char nl, uint32_t *out) {
    __m256i vd = _mm256_set1_epi8(d), vq = _mm256_set1_epi8(q), vn = _mm256_set1_epi8(nl);
    size_t k = 0;
    for (size_t i = 0; i < n; i += 64) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + i + 32));
        __m256i x = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(a, vd), _mm256_cmpeq_epi8(a, vq)), _mm256_cmpeq_epi8(a, vn));
        __m256i y = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(b, vd), _mm256_cmpeq_epi8(b, vq)), _mm256_cmpeq_epi8(b, vn));
        uint64_t m = (uint32_t)_mm256_movemask_epi8(x) | (uint64_t)(uint32_t)_mm256_movemask_epi8(y) << 32;
        if (n - i < 64) m &= (UINT64_C(1) << (n - i)) - 1;
        k += put_bits(m, (uint32_t)i, out + k);
    }
    return k;
}

__attribute__((target("avx2"))) static inline uint64_t equal_avx2(__m256i a, __m256i b, __m256i v) {
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, v)) | (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, v)) << 32;
}

__attribute__((target("avx2"))) static void mask_avx2(const char *p, size_t n, char d, int q, char nl, struct dp_csv_masks *out) {
    __m256i vd = _mm256_set1_epi8(d), vq = _mm256_set1_epi8((char)q), vn = _mm256_set1_epi8(nl);
    uint64_t quotes = q < 0 ? 0 : ~UINT64_C(0);
    for (size_t i = 0; i < n; i += 64, out++) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + i + 32));
        *out = (struct dp_csv_masks){equal_avx2(a, b, vd), equal_avx2(a, b, vq) & quotes, equal_avx2(a, b, vn)};
    }
}

__attribute__((target("avx2"))) static size_t count_avx2(const char *p, size_t n, char c) {
    __m256i v = _mm256_set1_epi8(c), sum = _mm256_setzero_si256();
    size_t i = 0, k = 0;
    while (n - i >= 32) {
        __m256i acc = _mm256_setzero_si256(); /* a byte holds 255 hits before it must be added up */
        for (int r = 0; r < 255 && n - i >= 32; r++, i += 32)
            acc = _mm256_sub_epi8(acc, _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(const void *)(p + i)), v));
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(acc, _mm256_setzero_si256()));
    }
    uint64_t part[4];
    _mm256_storeu_si256((__m256i *)(void *)part, sum);
    k = part[0] + part[1] + part[2] + part[3];
    for (; i < n; i++) k += p[i] == c;
    return k;
}

static size_t marks_sse2(const char *p, size_t n, char d, char q, char nl, uint32_t *out) {
    __m128i vd = _mm_set1_epi8(d), vq = _mm_set1_epi8(q), vn = _mm_set1_epi8(nl);
    size_t k = 0;
    for (size_t i = 0; i < n; i += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i x = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(a, vd), _mm_cmpeq_epi8(a, vq)), _mm_cmpeq_epi8(a, vn));
        uint64_t m = (uint32_t)_mm_movemask_epi8(x);
        if (n - i < 16) m &= (UINT64_C(1) << (n - i)) - 1;
        k += put_bits(m, (uint32_t)i, out + k);
    }
    return k;
}

static inline uint64_t equal_sse2(const char *p, __m128i v) {
    uint64_t m = 0;
    for (int k = 3; k >= 0; k--)
        m = m << 16 | (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * k)), v));
    return m;
}

static void mask_sse2(const char *p, size_t n, char d, int q, char nl, struct dp_csv_masks *out) {
    __m128i vd = _mm_set1_epi8(d), vq = _mm_set1_epi8((char)q), vn = _mm_set1_epi8(nl);
    for (size_t i = 0; i < n; i += 64, out++)
        *out = (struct dp_csv_masks){equal_sse2(p + i, vd), q < 0 ? 0 : equal_sse2(p + i, vq), equal_sse2(p + i, vn)};
}

void dp_csv_mask(const char *p, size_t n, char d, int q, char nl, struct dp_csv_masks *out) {
    if (__builtin_cpu_supports("avx2")) mask_avx2(p, n, d, q, nl, out);
    else mask_sse2(p, n, d, q, nl, out);
}

size_t dp_csv_marks(const char *p, size_t n, char d, char q, char nl, uint32_t *out) {
    return __builtin_cpu_supports("avx2") ? marks_avx2(p, n, d, q, nl, out) : marks_sse2(p, n, d, q, nl, out);
}

size_t dp_count_byte(const char *p, size_t n, char c) {
    return __builtin_cpu_supports("avx2") ? count_avx2(p, n, c) : dp_count_byte_portable(p, n, c);
}

#elif defined(__aarch64__)
/* Four bits for each byte: what arm64 has in place of movemask. */
static inline uint64_t nibbles(uint8x16_t hit) {
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(hit), 4)), 0);
}

size_t dp_csv_marks(const char *p, size_t n, char d, char q, char nl, uint32_t *out) {
    uint8x16_t vd = vdupq_n_u8((uint8_t)d), vq = vdupq_n_u8((uint8_t)q), vn = vdupq_n_u8((uint8_t)nl);
    size_t k = 0;
    for (size_t i = 0; i < n; i += 16) {
        uint8x16_t a = vld1q_u8((const uint8_t *)p + i);
        uint64_t m = nibbles(vorrq_u8(vorrq_u8(vceqq_u8(a, vd), vceqq_u8(a, vq)), vceqq_u8(a, vn)));
        if (n - i < 16) m &= (UINT64_C(1) << 4 * (n - i)) - 1;
        for (m &= UINT64_C(0x1111111111111111); m; m &= m - 1) out[k++] = (uint32_t)(i + (size_t)__builtin_ctzll(m) / 4);
    }
    return k;
}

/* A bit for each of 64 bytes that is one: pairs are added until each byte of the sum holds the bits of eight. */
static inline uint64_t equal_neon(const char *p, uint8x16_t v) {
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t w = vld1q_u8(weights), h[4];
    for (int k = 0; k < 4; k++) h[k] = vandq_u8(vceqq_u8(vld1q_u8((const uint8_t *)p + 16 * k), v), w);
    uint8x16_t sum = vpaddq_u8(vpaddq_u8(h[0], h[1]), vpaddq_u8(h[2], h[3]));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

void dp_csv_mask(const char *p, size_t n, char d, int q, char nl, struct dp_csv_masks *out) {
    uint8x16_t vd = vdupq_n_u8((uint8_t)d), vq = vdupq_n_u8((uint8_t)q), vn = vdupq_n_u8((uint8_t)nl);
    for (size_t i = 0; i < n; i += 64, out++)
        *out = (struct dp_csv_masks){equal_neon(p + i, vd), q < 0 ? 0 : equal_neon(p + i, vq), equal_neon(p + i, vn)};
}

size_t dp_count_byte(const char *p, size_t n, char c) {
    uint8x16_t v = vdupq_n_u8((uint8_t)c);
    size_t i = 0, k = 0;
    while (n - i >= 16) {
        uint8x16_t acc = vdupq_n_u8(0);
        for (int r = 0; r < 255 && n - i >= 16; r++, i += 16) acc = vsubq_u8(acc, vceqq_u8(vld1q_u8((const uint8_t *)p + i), v));
        k += vaddlvq_u8(acc);
    }
    for (; i < n; i++) k += p[i] == c;
    return k;
}

#else
void dp_csv_mask(const char *p, size_t n, char d, int q, char nl, struct dp_csv_masks *out) { dp_csv_mask_portable(p, n, d, q, nl, out); }
size_t dp_csv_marks(const char *p, size_t n, char d, char q, char nl, uint32_t *out) {
    return dp_csv_marks_portable(p, n, d, q, nl, out);
}
size_t dp_count_byte(const char *p, size_t n, char c) { return dp_count_byte_portable(p, n, c); }
#endif
