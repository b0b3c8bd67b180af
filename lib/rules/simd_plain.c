/*
 * Plain patterns (pattern_plain.c) on short texts, 16 bytes at once: two shuffles tell the classes of 16 bytes, and what would be a loop over bytes is a
 * count of bits.  Where all counts are fixed (ids, codes, dates) the whole text is one comparison.
 *
 * What it does not do: texts longer than 64 bytes, classes that take more than eight products of halves (the portable twin does those).
 */
#include "pattern_priv.h"

#ifdef __x86_64__

#include <immintrin.h>

#define SSSE3 __attribute__((target("ssse3")))

/* ---- classes to products ---- */

static unsigned row_of(const struct dp_plain_element *e, unsigned high) {
    unsigned row = 0;
    for (unsigned low = 0; low < 16; low++) row |= (unsigned)e->takes[high << 4 | low] << low;
    return row;
}

/* The class's bits; 0: no room for them. */
static uint8_t add_class(struct dp_plain_fast *f, unsigned *used, const struct dp_plain_element *e) {
    unsigned rows[16], bits = 0;
    for (unsigned h = 0; h < 16; h++) rows[h] = row_of(e, h);
    for (unsigned h = 0; h < 16; h++) {
        bool known = !rows[h];
        for (unsigned k = 0; k < h; k++) known = known || rows[k] == rows[h];
        if (known) continue;
        if (*used == 8) return 0;
        unsigned bit = 1u << (*used)++;
        bits |= bit;
        for (unsigned k = 0; k < 16; k++) {
            if (rows[k] == rows[h]) f->high[k] |= (uint8_t)bit;
            if (rows[h] >> k & 1) f->low[k] |= (uint8_t)bit;
        }
    }
    return (uint8_t)bits;
}

static void find_fixed(struct dp_plain *p) {
    struct dp_plain_fast *f = &p->fast;
    size_t at = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct dp_plain_element *e = &p->elements[i];
        if (e->min != e->max || e->max > DP_PLAIN_FAST_BYTES - at) return;
        for (uint32_t k = 0; k < e->max; k++) f->allowed[at++] = f->bits[f->class_of[i]];
    }
    f->fixed = at;
}

void dp_plain_fast_init(struct dp_plain *p) {
    struct dp_plain_fast *f = &p->fast;
    unsigned used = 0;
    if (!__builtin_cpu_supports("ssse3")) return;
    for (size_t i = 0; i < p->n; i++) {
        size_t same = 0;
        while (same < i && memcmp(p->elements[same].takes, p->elements[i].takes, sizeof p->elements->takes) != 0) same++;
        if (same < i) {
            f->class_of[i] = f->class_of[same];
            continue;
        }
        if (f->n_classes == 8) return;
        f->class_of[i] = f->n_classes;
        f->bits[f->n_classes] = add_class(f, &used, &p->elements[i]);
        if (!f->bits[f->n_classes++]) return;
    }
    find_fixed(p);
    f->usable = true;
}

/* ---- matching ---- */

/* Up to 15 bytes, zeros behind them; nothing is read outside of the text. */
static inline SSSE3 __m128i load_few(const char *p, size_t n) {
    uint64_t a = 0, b = 0;
    uint32_t x, y;
    if (n >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + n - 8, 8);
        b = n > 8 ? b >> (8 * (16 - n)) : 0;
    } else if (n >= 4) {
        memcpy(&x, p, 4);
        memcpy(&y, p + n - 4, 4);
        a = x | (uint64_t)y << (8 * (n - 4));
    } else {
        for (size_t i = 0; i < n; i++) a |= (uint64_t)(unsigned char)p[i] << 8 * i;
    }
    return _mm_set_epi64x((long long)b, (long long)a);
}

static inline SSSE3 __m128i load16(const void *p) { return _mm_loadu_si128((const __m128i *)p); }

static inline SSSE3 __m128i classify(const struct dp_plain_fast *f, __m128i bytes) {
    const __m128i half = _mm_set1_epi8(15);
    __m128i low = _mm_shuffle_epi8(load16(f->low), _mm_and_si128(bytes, half));
    return _mm_and_si128(low, _mm_shuffle_epi8(load16(f->high), _mm_and_si128(_mm_srli_epi16(bytes, 4), half)));
}

/* Bits of the bytes of `t` that have none of `wanted`. */
static inline SSSE3 unsigned missing(__m128i t, __m128i wanted) {
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(t, wanted), _mm_setzero_si128()));
}

/* The first `fixed` bytes, each of its position's class. */
static SSSE3 bool match_fixed(const struct dp_plain_fast *f, struct dp_str text) {
    size_t n = f->fixed;
    if (n < 16) return !(missing(classify(f, load_few(text.p, n)), load16(f->allowed)) & ((1u << n) - 1));
    unsigned gaps = 0;
    for (size_t at = 0; at + 16 <= n; at += 16) gaps |= missing(classify(f, load16(text.p + at)), load16(f->allowed + at));
    if (n % 16) gaps |= missing(classify(f, load16(text.p + n - 16)), load16(f->allowed + n - 16));
    return !gaps;
}

/* By class: one bit for each byte of the text that belongs to it. */
static inline SSSE3 void class_masks(const struct dp_plain_fast *f, struct dp_str text, uint64_t *masks) {
    memset(masks, 0, f->n_classes * sizeof *masks);
    for (size_t at = 0; at < text.n; at += 16) {
        size_t left = text.n - at;
        __m128i t = classify(f, left >= 16 ? load16(text.p + at) : load_few(text.p + at, left));
        for (unsigned c = 0; c < f->n_classes; c++)
            masks[c] |= (uint64_t)(~missing(t, _mm_set1_epi8((char)f->bits[c])) & 0xffff) << at;
    }
}

SSSE3 bool dp_plain_match_fast(const struct dp_plain *p, struct dp_str text) {
    const struct dp_plain_fast *f = &p->fast;
    uint64_t masks[8];
    if (f->fixed) return (p->ends ? text.n == f->fixed : text.n >= f->fixed) && match_fixed(f, text);
    class_masks(f, text, masks);
    size_t left = text.n;
    for (size_t i = 0; i < p->n; i++) {
        size_t k = p->backward ? p->n - 1 - i : i;
        const struct dp_plain_element *e = &p->elements[k];
        uint64_t m = masks[f->class_of[k]];
        size_t most = left < e->max ? left : e->max, n = 0;
        if (left) { /* gaps are the bytes that are not of the class; the next one to be read is at the end that the zeros come from */
            uint64_t gaps = p->backward ? ~m << (64 - left) : ~m >> (text.n - left);
            n = !gaps ? left : p->backward ? (size_t)__builtin_clzll(gaps) : (size_t)__builtin_ctzll(gaps);
        }
        if (n > most) n = most;
        if (n < e->min) return false;
        left -= n;
    }
    return !p->ends || left == 0;
}

#else

void dp_plain_fast_init(struct dp_plain *p) { p->fast.usable = false; }
bool dp_plain_match_fast(const struct dp_plain *p, struct dp_str text) { return dp_plain_match_bytes(p, text); }

#endif
