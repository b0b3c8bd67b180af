/*
 * UTF-8 validation by blocks: each byte is judged by the two nibbles of the byte before it and its own high nibble, through three tables of
 * sixteen bits each (J. Keiser, D. Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte").  AVX2 on x86-64, NEON on arm64, chosen
 * at run time; utf8.c is the plain twin, which also says where a fault is.  t_json compares them.
 */
#include "utf8_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__x86_64__) || defined(__aarch64__)
/* What two bytes in a row may be guilty of; a pair is bad when all three tables agree on a fault. */
enum {
    SHORT = 1,      /* a lead, then no continuation */
    LONG = 2,       /* ASCII, then a continuation */
    OVER3 = 4,      /* E0, then less than A0 */
    LARGE = 8,      /* F4 and more, then 90 and more */
    SURROGATE = 16, /* ED, then A0 and more */
    OVER2 = 32,     /* C0, C1 */
    OVER4 = 64,     /* F0, then less than 90; F5 and more, then 80 to 8F */
    TWO = 128,      /* two continuations: right only where the lead asks for it, which is looked at apart */
    ANY = SHORT | LONG | TWO
};

static const uint8_t before_high[16] = {LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, TWO, TWO, TWO, TWO, SHORT | OVER2, SHORT, SHORT | OVER3 | SURROGATE,
                                        SHORT | LARGE | OVER4};
static const uint8_t before_low[16] = {ANY | OVER3 | OVER2 | OVER4, ANY | OVER2, ANY, ANY, ANY | LARGE, ANY | LARGE | OVER4, ANY | LARGE | OVER4, ANY | LARGE | OVER4,
                                       ANY | LARGE | OVER4, ANY | LARGE | OVER4, ANY | LARGE | OVER4, ANY | LARGE | OVER4, ANY | LARGE | OVER4,
                                       ANY | LARGE | OVER4 | SURROGATE, ANY | LARGE | OVER4, ANY | LARGE | OVER4};
static const uint8_t own_high[16] = {SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, LONG | OVER2 | TWO | OVER3 | OVER4, LONG | OVER2 | TWO | OVER3 | LARGE,
                                     LONG | OVER2 | TWO | SURROGATE | LARGE, LONG | OVER2 | TWO | SURROGATE | LARGE, SHORT, SHORT, SHORT, SHORT};

/* Where the sequence begins that the byte before `at` belongs to: what the blocks found good ends there at the latest. */
static size_t sequence_start(const char *p, size_t at) {
    size_t i = at;
    while (i > 0 && at - i < 3 && ((unsigned char)p[i - 1] & 0xc0) == 0x80) i--;
    return i > 0 && (unsigned char)p[i - 1] >= 0xc0 ? i - 1 : at;
}
#endif

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((always_inline, target("avx2")))

AVX2_INLINE __m256i load(const char *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }

AVX2_INLINE __m256i table(const uint8_t t[16]) { return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)t)); }

/* Faults of the 32 bytes x, which stand behind those of `last`. */
AVX2_INLINE __m256i faults(__m256i x, __m256i last, __m256i high1, __m256i low1, __m256i high2) {
    __m256i nibble = _mm256_set1_epi8(15), across = _mm256_permute2x128_si256(last, x, 0x21);
    __m256i prev1 = _mm256_alignr_epi8(x, across, 15), prev2 = _mm256_alignr_epi8(x, across, 14), prev3 = _mm256_alignr_epi8(x, across, 13);
    __m256i a = _mm256_shuffle_epi8(high1, _mm256_and_si256(_mm256_srli_epi16(prev1, 4), nibble));
    __m256i b = _mm256_shuffle_epi8(low1, _mm256_and_si256(prev1, nibble));
    __m256i c = _mm256_shuffle_epi8(high2, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble));
    __m256i pair = _mm256_and_si256(_mm256_and_si256(a, b), c);
    __m256i third = _mm256_subs_epu8(prev2, _mm256_set1_epi8(0xe0 - 0x80)), fourth = _mm256_subs_epu8(prev3, _mm256_set1_epi8(0xf0 - 0x80));
    return _mm256_xor_si256(_mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80)), pair);
}

/* How many bytes are whole sequences without a fault: what is left is short, or has one at its start. */
AVX2 static size_t good_avx2(const char *p, size_t n) {
    const __m256i high1 = table(before_high), low1 = table(before_low), high2 = table(own_high);
    __m256i last = _mm256_setzero_si256();
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        __m256i x = load(p + i), y = load(p + i + 32);
        if (_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(x, y), last)) == 0) continue; /* `last` has no high bit: nothing is open */
        __m256i f = _mm256_or_si256(faults(x, last, high1, low1, high2), faults(y, x, high1, low1, high2));
        if (!_mm256_testz_si256(f, f)) break;
        last = y;
    }
    return sequence_start(p, i);
}

/* As far as it is ASCII, in blocks. */
AVX2 static size_t ascii_avx2(const char *p, size_t n) {
    size_t i = 0;
    for (; n - i >= 128; i += 128) {
        __m256i a = _mm256_or_si256(load(p + i), load(p + i + 32)), b = _mm256_or_si256(load(p + i + 64), load(p + i + 96));
        if (_mm256_movemask_epi8(_mm256_or_si256(a, b))) break;
    }
    return i;
}

size_t dp_utf8_good_blocks(const char *p, size_t n) { return n >= 64 && __builtin_cpu_supports("avx2") ? good_avx2(p, n) : 0; }
size_t dp_ascii_blocks(const char *p, size_t n) { return n >= 128 && __builtin_cpu_supports("avx2") ? ascii_avx2(p, n) : 0; }

#elif defined(__aarch64__)
static inline uint8x16_t faults(uint8x16_t x, uint8x16_t last, uint8x16_t high1, uint8x16_t low1, uint8x16_t high2) {
    uint8x16_t prev1 = vextq_u8(last, x, 15), prev2 = vextq_u8(last, x, 14), prev3 = vextq_u8(last, x, 13);
    uint8x16_t a = vqtbl1q_u8(high1, vshrq_n_u8(prev1, 4)), b = vqtbl1q_u8(low1, vandq_u8(prev1, vdupq_n_u8(15)));
    uint8x16_t pair = vandq_u8(vandq_u8(a, b), vqtbl1q_u8(high2, vshrq_n_u8(x, 4)));
    uint8x16_t more = vorrq_u8(vqsubq_u8(prev2, vdupq_n_u8(0xe0 - 0x80)), vqsubq_u8(prev3, vdupq_n_u8(0xf0 - 0x80)));
    return veorq_u8(vandq_u8(more, vdupq_n_u8(0x80)), pair);
}

static inline void load4(const char *p, uint8x16_t x[4]) {
    for (int k = 0; k < 4; k++) x[k] = vld1q_u8((const uint8_t *)p + 16 * k);
}

static inline bool any_high(uint8x16_t x) { return vmaxvq_u8(x) >= 0x80; }

size_t dp_utf8_good_blocks(const char *p, size_t n) {
    const uint8x16_t high1 = vld1q_u8(before_high), low1 = vld1q_u8(before_low), high2 = vld1q_u8(own_high);
    uint8x16_t last = vdupq_n_u8(0), x[4];
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        load4(p + i, x);
        if (!any_high(vorrq_u8(vorrq_u8(vorrq_u8(x[0], x[1]), vorrq_u8(x[2], x[3])), last))) continue;
        uint8x16_t f = vorrq_u8(vorrq_u8(faults(x[0], last, high1, low1, high2), faults(x[1], x[0], high1, low1, high2)),
                                vorrq_u8(faults(x[2], x[1], high1, low1, high2), faults(x[3], x[2], high1, low1, high2)));
        if (vmaxvq_u8(f)) break;
        last = x[3];
    }
    return sequence_start(p, i);
}

size_t dp_ascii_blocks(const char *p, size_t n) {
    uint8x16_t x[4];
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        load4(p + i, x);
        if (any_high(vorrq_u8(vorrq_u8(x[0], x[1]), vorrq_u8(x[2], x[3])))) break;
    }
    return i;
}

#else
size_t dp_utf8_good_blocks(const char *p, size_t n) { return (void)p, (void)n, 0; }
size_t dp_ascii_blocks(const char *p, size_t n) { return (void)p, (void)n, 0; }
#endif
