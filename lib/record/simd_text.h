/*
 * Text sixteen bytes at a time, on its way into JSON or CSV: which of the bytes can't stand there as they are.  With what every x86-64 and arm64
 * has, so there is nothing to choose at run time; t_print compares with the portable twins.
 *
 * A mask has one bit (arm64: four) for each byte, so byte number = trailing zeros >> DP_TEXT_SHIFT.
 */
#ifndef DP_RECORD_SIMD_TEXT_H
#define DP_RECORD_SIMD_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- portable twins: one bit for each byte ---- */

static inline uint64_t dp_text_escapes_portable(const char p[16]) {
    uint64_t m = 0;
    for (unsigned i = 0; i < 16; i++) m |= (uint64_t)(p[i] == '"' || p[i] == '\\' || (unsigned char)p[i] < 0x20) << i;
    return m;
}

static inline uint64_t dp_text_csv_portable(const char p[16]) {
    uint64_t m = 0;
    for (unsigned i = 0; i < 16; i++) m |= (uint64_t)(p[i] == '"' || p[i] == ',' || p[i] == '\n' || p[i] == '\r') << i;
    return m;
}

#if defined(__SSE2__)
#include <emmintrin.h>

#define DP_TEXT_SHIFT 0
typedef __m128i dp_text16;

static inline dp_text16 dp_text_load(const char *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
static inline void dp_text_store(char *p, dp_text16 v) { _mm_storeu_si128((__m128i *)(void *)p, v); }

/* Quotes, backslashes, control bytes. */
static inline uint64_t dp_text_escapes(dp_text16 v) {
    __m128i special = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(special, control));
}

/* Quotes, commas, line ends. */
static inline uint64_t dp_text_csv(dp_text16 v) {
    __m128i a = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8(',')));
    __m128i b = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\r')));
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(a, b));
}

#elif defined(__aarch64__)
#include <arm_neon.h>

#define DP_TEXT_SHIFT 2
typedef uint8x16_t dp_text16;

static inline dp_text16 dp_text_load(const char *p) { return vld1q_u8((const uint8_t *)p); }
static inline void dp_text_store(char *p, dp_text16 v) { vst1q_u8((uint8_t *)p, v); }

static inline uint64_t dp_text_nibbles(uint8x16_t hit) { return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(hit), 4)), 0); }

static inline uint64_t dp_text_escapes(dp_text16 v) {
    uint8x16_t special = vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8('\\')));
    return dp_text_nibbles(vorrq_u8(special, vcltq_u8(v, vdupq_n_u8(0x20))));
}

static inline uint64_t dp_text_csv(dp_text16 v) {
    uint8x16_t a = vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8(',')));
    return dp_text_nibbles(vorrq_u8(a, vorrq_u8(vceqq_u8(v, vdupq_n_u8('\n')), vceqq_u8(v, vdupq_n_u8('\r')))));
}

#else

#define DP_TEXT_SHIFT 0
typedef struct { char b[16]; } dp_text16;

static inline dp_text16 dp_text_load(const char *p) {
    dp_text16 v;
    memcpy(&v, p, 16);
    return v;
}
static inline void dp_text_store(char *p, dp_text16 v) { memcpy(p, &v, 16); }
static inline uint64_t dp_text_escapes(dp_text16 v) { return dp_text_escapes_portable(v.b); }
static inline uint64_t dp_text_csv(dp_text16 v) { return dp_text_csv_portable(v.b); }
#endif

/* The next block of n bytes at p, of which those up to `limit` may be read; fewer than 16: the rest may be anything. */
static inline dp_text16 dp_text_next(const char *p, size_t n, const char *limit) {
    if (limit - p >= 16) return dp_text_load(p);
    char part[16] = {0};
    memcpy(part, p, n < 16 ? n : 16);
    return dp_text_load(part);
}

/* The mask's bits of the first n bytes (n < 16). */
static inline uint64_t dp_text_below(size_t n) { return (UINT64_C(1) << (n << DP_TEXT_SHIFT)) - 1; }

#endif
