/*
 * Bit unpacking of long runs (spec: Encodings.md, "Run Length Encoding / Bit-Packing Hybrid"): AVX2 on x86-64, chosen at run time; else, and for widths
 * above 25, the portable twin of dec_bits.c by 32.  t_pq_dec compares them.
 *
 * Eight values of w bits are w bytes.  Each value of up to 25 bits lies in four bytes in a row: a shuffle brings these to its lane, a shift of its
 * own and a mask leave the value.  The lower half takes values 0 to 3, the upper one 4 to 7 from its own load.
 */
#include "dec_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

struct moves { uint8_t from[32]; uint32_t shift[8]; };

static void make_moves(unsigned width, struct moves *m) {
    for (unsigned k = 0; k < 8; k++) {
        unsigned bit = (k & 3) * width + (k < 4 ? 0 : 4 * width % 8);
        for (unsigned i = 0; i < 4; i++) m->from[4 * k + i] = (uint8_t)(bit / 8 + i);
        m->shift[k] = bit % 8;
    }
}

/* As many values as there are 16 readable bytes for behind the start of each half; a multiple of 8. */
AVX2 static size_t unpack_avx2(const uint8_t *p, size_t bytes, unsigned width, size_t n, uint32_t *out) {
    struct moves m;
    size_t done = 0, half = 4 * (size_t)width / 8;
    make_moves(width, &m);
    const __m256i from = _mm256_loadu_si256((const __m256i *)(const void *)m.from), shift = _mm256_loadu_si256((const __m256i *)(const void *)m.shift);
    const __m256i mask = _mm256_set1_epi32((int)((1u << width) - 1));
    for (; n - done >= 8 && bytes >= half + 16; done += 8, p += width, bytes -= width) {
        __m128i low = _mm_loadu_si128((const __m128i *)(const void *)p), high = _mm_loadu_si128((const __m128i *)(const void *)(p + half));
        __m256i v = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), from);
        _mm256_storeu_si256((__m256i *)(void *)(out + done), _mm256_and_si256(_mm256_srlv_epi32(v, shift), mask));
    }
    return done;
}

size_t dp_pq_unpack_run(const uint8_t *p, size_t bytes, unsigned width, size_t n, uint32_t *out) {
    if (width && width <= 25 && n >= 64 && __builtin_cpu_supports("avx2")) return unpack_avx2(p, bytes, width, n, out);
    return dp_pq_unpack_run_portable(p, bytes, width, n, out);
}

#else
size_t dp_pq_unpack_run(const uint8_t *p, size_t bytes, unsigned width, size_t n, uint32_t *out) { return dp_pq_unpack_run_portable(p, bytes, width, n, out); }
#endif

size_t dp_pq_unpack_run_portable(const uint8_t *p, size_t bytes, unsigned width, size_t n, uint32_t *out) {
    size_t done = 0;
    for (; n - done >= 32 && bytes >= 4 * (size_t)width; done += 32, p += 4 * (size_t)width, bytes -= 4 * (size_t)width) dp_pq_unpack32(p, width, out + done);
    return done;
}
