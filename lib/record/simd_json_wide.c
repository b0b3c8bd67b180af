/*
 * Stage 1 of the NDJSON scanner (json_priv.h) for processors with AVX-512, GFNI and carry-less products of whole vectors: eight
 * blocks at once.  The tokens are those of simd_json.c, whose find_tokens says why each is one; what is not plain is left to it.
 *
 * Why so.  Block by block a scan makes a mask for each byte that means something (eleven comparisons, each of them and of its
 * ways to a register on the one or two ports that can), then sixty operations of bits, one after the other: the processor can
 * look no further than two blocks ahead, and waits.  Here
 *   - a table gives each byte its kinds, one bit for each of eight; a product of bit matrices and a permutation turn the
 *     sixty-four bytes of a block into eight masks at once;
 *   - the masks of eight blocks are put side by side, so that one operation does for all of them what sixty did for each;
 *   - tokens are stored in a loop of its own, so that neither waits for the other.
 * A block takes 0.6 of the time that it took.
 */
#include "json_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,gfni,pclmul,vpclmulqdq,bmi,bmi2,lzcnt,popcnt")))
#define INLINE static inline WIDE __attribute__((always_inline))

enum { GROUP = 8, BATCH = 64 }; /* blocks */

/* ZERO is a blank or the digit 0: where one of the two matters the other is told from it by DIGIT.  CONTROL: also blanks that are. */
enum { QUOTE, ZERO, SCALAR, DIGIT, DOT, MINUS, CONTROL, SPECIAL };
enum { IS_QUOTE = 1 << QUOTE, IS_ZERO = 1 << ZERO, IS_SCALAR = 1 << SCALAR, IS_DIGIT = 1 << DIGIT, IS_DOT = 1 << DOT, IS_MINUS = 1 << MINUS,
       IS_CONTROL = 1 << CONTROL, IS_SPECIAL = 1 << SPECIAL };

/* Of bytes up to 0x7f; marks have no kind.  Bytes above are taken for 0x7f, and are special besides. */
#define KINDS(lf)                                                                                                        \
    {                                                                                                                    \
        [0x00 ... 0x08] = IS_SCALAR | IS_CONTROL, ['\t'] = IS_ZERO | IS_CONTROL, ['\n'] = (lf),                           \
        [0x0b ... 0x0c] = IS_SCALAR | IS_CONTROL, ['\r'] = IS_ZERO | IS_CONTROL, [0x0e ... 0x1f] = IS_SCALAR | IS_CONTROL, \
        [' '] = IS_ZERO, ['!'] = IS_SCALAR, ['"'] = IS_QUOTE, ['#' ... '+'] = IS_SCALAR, [','] = 0,                       \
        ['-'] = IS_SCALAR | IS_MINUS, ['.'] = IS_SCALAR | IS_DOT, ['/'] = IS_SCALAR,                                      \
        ['0'] = IS_SCALAR | IS_DIGIT | IS_ZERO, ['1' ... '9'] = IS_SCALAR | IS_DIGIT, [':'] = 0,                          \
        [';' ... 'Z'] = IS_SCALAR, ['['] = 0, ['\\'] = IS_SCALAR | IS_SPECIAL, [']'] = 0, ['^' ... 'z'] = IS_SCALAR,       \
        ['{'] = 0, ['|'] = IS_SCALAR, ['}'] = 0, ['~' ... 0x7f] = IS_SCALAR,                                              \
    }

/* An LF is a blank, or in lines a mark. */
static const uint8_t kinds[2][128] __attribute__((aligned(64))) = {KINDS(IS_ZERO | IS_CONTROL), KINDS(IS_CONTROL)};

/* The bytes of a mask stand eight apart. */
static const uint8_t every_eighth[64] __attribute__((aligned(64))) = {
    0, 8,  16, 24, 32, 40, 48, 56, 1, 9,  17, 25, 33, 41, 49, 57, 2, 10, 18, 26, 34, 42, 50, 58, 3, 11, 19, 27, 35, 43, 51, 59,
    4, 12, 20, 28, 36, 44, 52, 60, 5, 13, 21, 29, 37, 45, 53, 61, 6, 14, 22, 30, 38, 46, 54, 62, 7, 15, 23, 31, 39, 47, 55, 63};

static const uint8_t counting[64] __attribute__((aligned(64))) = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

struct consts {
    __m512i low, high, diagonal, spread, del;
};

/* The masks of one block, one lane each. */
INLINE __m512i masks_of(const char *text, const struct consts *k) {
    __m512i v = _mm512_loadu_si512(text);
    __m512i kind = _mm512_permutex2var_epi8(k->low, _mm512_min_epu8(v, k->del), k->high);
    kind = _mm512_ternarylogic_epi32(kind, v, k->del, 0xf4); /* kind | (v & ~del): the highest bit is SPECIAL's */
    /* eight bytes become eight bytes of a kind, with the first byte's bit last; then the bits are turned round */
    __m512i turned = _mm512_gf2p8affine_epi64_epi8(_mm512_gf2p8affine_epi64_epi8(k->diagonal, kind, 0), k->diagonal, 0);
    return _mm512_permutexvar_epi8(k->spread, turned);
}

/* Masks of eight blocks: x[block] by kind becomes m[kind] by block. */
INLINE void side_by_side(const __m512i x[8], __m512i m[8]) {
#define LO(a) _mm512_unpacklo_epi64(x[a], x[(a) + 1]) /* even kinds of two blocks */
#define HI(a) _mm512_unpackhi_epi64(x[a], x[(a) + 1])
#define PAIR(a, b, odd) _mm512_shuffle_i64x2(a, b, (odd) ? 0xdd : 0x88)
    __m512i e0 = LO(0), e2 = LO(2), e4 = LO(4), e6 = LO(6), o0 = HI(0), o2 = HI(2), o4 = HI(4), o6 = HI(6);
    __m512i k04 = PAIR(e0, e2, 0), k26 = PAIR(e0, e2, 1), k15 = PAIR(o0, o2, 0), k37 = PAIR(o0, o2, 1);     /* of blocks 0 to 3 */
    __m512i l04 = PAIR(e4, e6, 0), l26 = PAIR(e4, e6, 1), l15 = PAIR(o4, o6, 0), l37 = PAIR(o4, o6, 1);     /* of 4 to 7 */
    m[0] = PAIR(k04, l04, 0), m[4] = PAIR(k04, l04, 1), m[2] = PAIR(k26, l26, 0), m[6] = PAIR(k26, l26, 1);
    m[1] = PAIR(k15, l15, 0), m[5] = PAIR(k15, l15, 1), m[3] = PAIR(k37, l37, 0), m[7] = PAIR(k37, l37, 1);
#undef LO
#undef HI
#undef PAIR
}

/* Quotes without escaped ones. Rare: texts have few backslashes. */
static WIDE __attribute__((noinline)) __m512i drop_escaped(__m512i quote, const char *text, uint64_t *escape) {
    uint64_t q[GROUP] __attribute__((aligned(64)));
    _mm512_store_si512(q, quote);
    for (unsigned i = 0; i < GROUP; i++) {
        uint64_t slash = _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(text + i * JSON_BLOCK), _mm512_set1_epi8('\\'));
        if (slash | *escape) q[i] &= ~json_escaped(slash, escape);
    }
    return _mm512_load_si512(q);
}

/* What crosses from one group to the next: masks whose last bit counts, and bits. */
struct carry {
    __m512i scalar, needed, decimal, zero;
    uint64_t escape;
    unsigned in_string; /* inside: a bit for each block, and one for the next group */
};

/* Every mask one bit on, over the borders of blocks; *last becomes the masks. */
INLINE __m512i shifted(__m512i m, __m512i *last) {
    __m512i before = _mm512_alignr_epi64(m, *last, 7);
    *last = m;
    return _mm512_shldi_epi64(m, before, 1);
}

/* From each opening quote up to the closing one, without it. */
INLINE __m512i insides(__m512i quote, unsigned *in_string) {
    const __m512i ones = _mm512_set1_epi64(-1);
    __m512i even = _mm512_clmulepi64_epi128(quote, ones, 0x00), odd = _mm512_clmulepi64_epi128(quote, ones, 0x01);
    __m512i prefix = _mm512_unpacklo_epi64(even, odd); /* of each block by itself */
    unsigned turns = _cvtmask8_u32(_mm512_movepi64_mask(prefix));
    turns ^= turns << 1;
    turns ^= turns << 2;
    turns ^= turns << 4;
    unsigned begins = turns << 1 ^ *in_string; /* inside: one bit for each block */
    *in_string = begins >> 8 & 1 ? 0x1ff : 0;
    return _mm512_mask_xor_epi64(prefix, _cvtu32_mask8(begins & 0xff), prefix, ones);
}

/* Tokens of a group, and those whose class is '0', one mask for each block.  False: not plain, and nothing has happened. */
INLINE bool group_tokens(const char *text, const struct consts *k, struct carry *c, uint64_t *special, uint64_t *token, uint64_t *canon) {
    __m512i x[GROUP], m[GROUP];
    struct carry next = *c;
#define MASKS(i) x[i] = masks_of(text + (i) * JSON_BLOCK, k)
    MASKS(0), MASKS(1), MASKS(2), MASKS(3), MASKS(4), MASKS(5), MASKS(6), MASKS(7);
#undef MASKS
    side_by_side(x, m);
    __m512i quote = m[QUOTE];
    _mm512_storeu_si512(special, m[SPECIAL]);
    if (__builtin_expect(_mm512_test_epi64_mask(m[SPECIAL], m[SPECIAL]) || next.escape, 0)) quote = drop_escaped(quote, text, &next.escape);
    __m512i inside = insides(quote, &next.in_string), either = _mm512_or_si512(inside, quote);
    __m512i digit = _mm512_andnot_si512(either, m[DIGIT]), dot = _mm512_andnot_si512(either, m[DOT]);
    __m512i behind = shifted(_mm512_andnot_si512(either, m[SCALAR]), &next.scalar);
    __m512i minus = _mm512_andnot_si512(_mm512_or_si512(either, behind), m[MINUS]);
    __m512i needed = shifted(_mm512_or_si512(minus, dot), &next.needed);
    __m512i first = _mm512_andnot_si512(shifted(_mm512_or_si512(digit, dot), &next.decimal), digit);
    __m512i second = shifted(_mm512_and_si512(first, m[ZERO]), &next.zero);
    __m512i odd = _mm512_or_si512(_mm512_and_si512(inside, m[CONTROL]), _mm512_andnot_si512(digit, needed));
    if (__builtin_expect(_mm512_test_epi64_mask(odd, odd), 0)) return false;
    __m512i none = _mm512_ternarylogic_epi64(digit, m[ZERO], behind, 0xf4); /* digit | (blank & ~behind) */
    none = _mm512_or_si512(none, either);
    __m512i number = _mm512_ternarylogic_epi64(first, needed, _mm512_and_si512(digit, second), 0xba); /* (first & ~needed) | both */
    _mm512_storeu_si512(token, _mm512_ternarylogic_epi64(quote, none, number, 0xfb));                 /* quote | ~none | number */
    _mm512_storeu_si512(canon, _mm512_ternarylogic_epi64(digit, minus, needed, 0xfe));
    *c = next;
    return true;
}

/* All tokens of each block at once: their numbers packed to the front, and what stands there. */
INLINE void store_tokens(struct json_stage *st, size_t blocks, const uint64_t *token, const uint64_t *canon) {
    const __m512i count = _mm512_load_si512(counting), digit_0 = _mm512_set1_epi8('0'), step = _mm512_set1_epi32(JSON_BLOCK);
    const char *text = st->p + st->at;
    uint32_t *pos = st->pos + st->n_tok;
    uint8_t *cls = st->cls + st->n_tok;
    __m512i base = _mm512_set1_epi32((int)(uint32_t)st->at);
    for (size_t i = 0; i < blocks; i++) {
        __m512i v = _mm512_mask_blend_epi8(canon[i], _mm512_loadu_si512(text + i * JSON_BLOCK), digit_0);
        __m512i at = _mm512_maskz_compress_epi8(token[i], count);
        size_t n = (size_t)__builtin_popcountll(token[i]);
        _mm512_storeu_si512(cls, _mm512_permutexvar_epi8(at, v));
#define PUT(i) _mm512_storeu_si512(pos + 16 * (i), _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(at, i))))
        PUT(0);
        PUT(1);
        if (__builtin_expect(n > 32, 0)) {
            PUT(2);
            PUT(3);
        }
#undef PUT
        base = _mm512_add_epi32(base, step);
        pos += n;
        cls += n;
    }
    st->n_tok = (size_t)(pos - st->pos);
    st->n_block += blocks;
    st->at += blocks * JSON_BLOCK;
}

INLINE size_t scan_groups(struct json_stage *st, size_t blocks, bool lines) {
    const struct consts k = {.low = _mm512_load_si512(kinds[lines]), .high = _mm512_load_si512(kinds[lines] + 64),
                             .diagonal = _mm512_set1_epi64((long long)0x8040201008040201), .spread = _mm512_load_si512(every_eighth),
                             .del = _mm512_set1_epi8(0x7f)};
    const size_t left = (st->n - st->at) / JSON_BLOCK, all = (blocks < left ? blocks : left) / GROUP * GROUP;
#define LAST(bit) _mm512_set1_epi64((long long)((bit) << 63))
    struct carry c = {LAST(st->scalar), LAST(st->needed), LAST(st->decimal), LAST(st->zero), st->escape, st->in_string & 0x1ff};
#undef LAST
    uint64_t token[BATCH], canon[BATCH];
    size_t done = 0;
    for (bool plain = true; plain && done < all;) {
        size_t n = 0, most = all - done < BATCH ? all - done : BATCH;
        for (; n < most && plain; n += GROUP) {
            plain = group_tokens(st->p + st->at + n * JSON_BLOCK, &k, &c, st->special + st->n_block + n, token + n, canon + n);
            if (!plain) break;
        }
        store_tokens(st, n, token, canon);
        done += n;
    }
#define LAST(v) ((uint64_t)_mm_extract_epi64(_mm512_extracti64x2_epi64(v, 3), 1) >> 63)
    st->scalar = LAST(c.scalar), st->needed = LAST(c.needed), st->decimal = LAST(c.decimal), st->zero = LAST(c.zero);
#undef LAST
    st->escape = c.escape;
    st->in_string = 0u - (uint64_t)(c.in_string & 1);
    return done;
}

WIDE size_t json_scan_wide(struct json_stage *st, size_t blocks) {
    return st->lines ? scan_groups(st, blocks, true) : scan_groups(st, blocks, false);
}

bool json_wide_runs(void) { return __builtin_cpu_supports("gfni") && __builtin_cpu_supports("vpclmulqdq"); }
#endif
