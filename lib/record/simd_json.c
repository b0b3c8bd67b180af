/*
 * Stage 1 of the NDJSON scanner (text to tokens, see json_priv.h) and the laying out of known shapes, once for each
 * kind of processor.  All engines share the bit logic of a block (64 bytes, one bit each) and differ in how they classify
 * bytes and store what they found, so they give the same tokens.  RFC 8259 section 2 is the grammar behind the classes.
 */
#include "json_priv.h"

/* One bit for each byte of a block. */
struct masks {
    uint64_t quote, slash, lf, control, digit, zero, dot, minus, blank, mark, high;
};

struct found {
    uint64_t token; /* bytes that are tokens */
    uint64_t canon; /* of those, whose class is '0' */
};

static inline uint64_t prefix_xor(uint64_t x) {
    x ^= x << 1;
    x ^= x << 2;
    x ^= x << 4;
    x ^= x << 8;
    x ^= x << 16;
    return x ^ x << 32;
}

/* An LF inside a string: strings start afresh behind it.  Rare, so the plain prefix will do. */
static __attribute__((noinline)) uint64_t restart_strings(uint64_t inside, uint64_t quote, uint64_t lf) {
    for (uint64_t bad; (bad = lf & inside) != 0;) {
        uint64_t upto = (bad & -bad) ^ ((bad & -bad) - 1);
        lf &= ~upto;
        inside = (inside & upto) | (prefix_xor(quote & ~upto) & ~upto);
    }
    return inside;
}

/* Tokens of a block. `quote` without escaped ones; `inside`: from each opening quote up to the closing one, without it. */
static inline __attribute__((always_inline)) struct found find_tokens(struct json_stage *st, const struct masks *m, uint64_t quote,
                                                                      uint64_t inside, uint64_t valid, bool lines) {
    st->in_string = (uint64_t)((int64_t)inside >> 63);
    if (lines && __builtin_expect((m->lf & inside) != 0, 0)) {
        inside = restart_strings(inside, quote, m->lf);
        st->in_string = (uint64_t)((int64_t)(inside & ~m->lf) >> 63);
    }
    uint64_t outside = ~(inside | quote) & valid;
    uint64_t digit = outside & m->digit, dot = outside & m->dot;
    uint64_t scalar = outside & ~(m->blank | m->mark);
    uint64_t behind = scalar << 1 | st->scalar;
    uint64_t minus = outside & m->minus & ~behind;
    uint64_t needed = (minus | dot) << 1 | st->needed; /* here a digit must be */
    uint64_t first = digit & ~((digit | dot) << 1 | st->decimal);
    uint64_t zero = first & m->zero;
    struct found f;
    f.token = quote | (outside & ~(digit | (m->blank & ~behind))) | (first & ~needed) | (digit & (zero << 1 | st->zero)) |
              (inside & m->control);
    f.canon = digit | minus | needed;
    if (lines) f.canon &= ~m->lf;
    st->scalar = scalar >> 63;
    st->needed = (minus | dot) >> 63;
    st->decimal = (digit | dot) >> 63;
    st->zero = zero >> 63;
    return f;
}

static inline uint64_t valid_bytes(const struct json_stage *st) {
    size_t left = st->n - st->at;
    return left >= JSON_BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
}

static inline void limit_masks(struct masks *m, uint64_t valid) {
    m->quote &= valid;
    m->slash &= valid;
    m->lf &= valid;
    m->control &= valid;
    m->high &= valid;
}

/* Stores the tokens one by one; `text` is the block. */
static inline __attribute__((always_inline)) void store_tokens(struct json_stage *st, struct found f, const char *text) {
    uint32_t *pos = st->pos + st->n_tok, at = (uint32_t)st->at;
    uint8_t *cls = st->cls + st->n_tok;
    st->n_tok += (size_t)__builtin_popcountll(f.token);
    for (uint64_t t = f.token; t; t &= t - 1) {
        unsigned i = (unsigned)__builtin_ctzll(t);
        *pos++ = at + i;
        *cls++ = (f.canon >> i & 1) ? '0' : (uint8_t)text[i];
    }
}

static inline __attribute__((always_inline)) void lf_role(struct masks *m, bool lines) {
    if (lines) m->mark |= m->lf;
    else m->blank |= m->lf;
}

/* One block; `full`: it has 64 bytes. */
#define BLOCK_BODY(lines, full, classify, prefix, store)                                                       \
    {                                                                                                          \
        const char *text = s.p + s.at;                                                                         \
        struct masks m;                                                                                        \
        classify(text, &m);                                                                                    \
        uint64_t valid = ~UINT64_C(0);                                                                         \
        if (!(full)) {                                                                                         \
            valid = valid_bytes(&s);                                                                           \
            limit_masks(&m, valid);                                                                            \
        }                                                                                                      \
        lf_role(&m, lines);                                                                                    \
        uint64_t quote = m.quote;                                                                              \
        if (__builtin_expect((m.slash | s.escape) != 0, 0)) quote &= ~json_escaped(m.slash, &s.escape);       \
        struct found f = find_tokens(&s, &m, quote, prefix(quote) ^ s.in_string, valid, lines);                \
        s.special[s.n_block++] = m.slash | m.high;                                                             \
        store(&s, f, text);                                                                                    \
    }

/*
 * What a scan is, but for how a block is classified, how quotes become insides and how tokens are stored.
 * The state is copied so that it stays in registers: every store of a token could be one to *st otherwise (1.4 times as fast).
 */
#define SCAN_BODY(lines, classify, prefix, store)                                                              \
    struct json_stage s = *st;                                                                                 \
    for (; blocks && s.n - s.at >= JSON_BLOCK; blocks--, s.at += JSON_BLOCK)                                   \
        BLOCK_BODY(lines, true, classify, prefix, store)                                                       \
    if (blocks && s.at < s.n) {                                                                                \
        BLOCK_BODY(lines, false, classify, prefix, store)                                                      \
        s.at = s.n;                                                                                            \
    }                                                                                                          \
    *st = s;

/* Either way of taking an LF has its own loop. */
#define SCAN_BOTH(classify, prefix, store)                                                                     \
    if (st->lines) {                                                                                           \
        SCAN_BODY(true, classify, prefix, store)                                                               \
    } else {                                                                                                   \
        SCAN_BODY(false, classify, prefix, store)                                                              \
    }

/* ---- portable ---- */

enum { C_QUOTE = 1, C_SLASH = 2, C_LF = 4, C_CONTROL = 8, C_DIGIT = 16, C_BLANK = 32, C_MARK = 64 };

static const uint8_t byte_class[256] = {
    [0x00 ... 0x08] = C_CONTROL, ['\t'] = C_CONTROL | C_BLANK, ['\n'] = C_CONTROL | C_LF,
    [0x0b ... 0x0c] = C_CONTROL, ['\r'] = C_CONTROL | C_BLANK, [0x0e ... 0x1f] = C_CONTROL,
    [' '] = C_BLANK, ['"'] = C_QUOTE, ['\\'] = C_SLASH, ['0' ... '9'] = C_DIGIT,
    ['{'] = C_MARK, ['}'] = C_MARK, ['['] = C_MARK, [']'] = C_MARK, [':'] = C_MARK, [','] = C_MARK,
};

static void classify_portable(const char *text, struct masks *m) {
    const unsigned char *p = (const unsigned char *)text;
    memset(m, 0, sizeof *m);
    for (unsigned i = 0; i < JSON_BLOCK; i++) {
        uint64_t c = byte_class[p[i]];
        m->quote |= (c & 1) << i;
        m->slash |= (c >> 1 & 1) << i;
        m->lf |= (c >> 2 & 1) << i;
        m->control |= (c >> 3 & 1) << i;
        m->digit |= (c >> 4 & 1) << i;
        m->blank |= (c >> 5 & 1) << i;
        m->mark |= (c >> 6) << i;
        m->high |= (uint64_t)(p[i] >> 7) << i;
        m->zero |= (uint64_t)(p[i] == '0') << i;
        m->dot |= (uint64_t)(p[i] == '.') << i;
        m->minus |= (uint64_t)(p[i] == '-') << i;
    }
}

static void scan_portable(struct json_stage *st, size_t blocks) { SCAN_BOTH(classify_portable, prefix_xor, store_tokens) }

static bool match_portable(const struct json_shape *sh, const uint8_t *c) { return memcmp(sh->cls, c, sh->n_tok) == 0; }

static bool keys_portable(const struct json_shape *sh, const uint32_t *pos, const char *base) {
    for (uint32_t i = 0; i < sh->n_keys; i++) {
        const struct json_shape_key *k = &sh->key[i];
        if (memcmp(base + pos[k->tok], sh->keys.p + k->off, k->n) != 0) return false;
    }
    return true;
}

static bool fill_portable(const struct json_shape *sh, const uint32_t *pos, const char *base, struct dp_node *nodes) {
    for (uint32_t i = 0; i < sh->n_nodes; i++) {
        uint32_t a = pos[sh->place[i].a], b = pos[sh->place[i].b];
        nodes[i] = sh->add[i];
        nodes[i].off += a;
        nodes[i].len += b - a;
    }
    return keys_portable(sh, pos, base);
}

static const struct json_engine portable = {"portable", DP_SCAN_PORTABLE, 0, scan_portable, match_portable, fill_portable, keys_portable};

/*
 * Low halves of bytes pick the only blank, or the only mark (with bit 0x20 set), that ends in them.  Two control bytes
 * pass for marks that way; they are tokens all the same, and no text holds them, so only tokens behind an error can differ.
 */
#define BLANK_BY_LOW ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', 0, 0, 0, '\r', 0, 0
#define MARK_BY_LOW 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0

#if defined(__x86_64__)
#include <immintrin.h>

#define SSE42 __attribute__((target("sse4.2,pclmul,popcnt")))
#define AVX2 __attribute__((target("avx2,pclmul,bmi,bmi2,lzcnt,popcnt")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,pclmul,bmi,bmi2,lzcnt,popcnt")))

/* Carry-less product with all ones: each bit becomes the parity of those up to it. */
#define CLMUL_PREFIX(x)                                                                                                   \
    ((uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)(x)), _mm_set1_epi8((char)0xff), 0)))

/* ---- SSE4.2 ---- */

static inline SSE42 __attribute__((always_inline)) void classify_sse42(const char *p, struct masks *m) {
    const __m128i blank = _mm_setr_epi8(BLANK_BY_LOW), mark = _mm_setr_epi8(MARK_BY_LOW);
    memset(m, 0, sizeof *m);
    for (unsigned i = 0; i < JSON_BLOCK; i += 16) {
        __m128i v = _mm_loadu_si128((const void *)(p + i));
#define BITS(x) ((uint64_t)(uint32_t)_mm_movemask_epi8(x) << i)
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
        __m128i lower = _mm_or_si128(v, _mm_set1_epi8(0x20)), d = _mm_sub_epi8(v, _mm_set1_epi8('0'));
        m->quote |= BITS(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
        m->slash |= BITS(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        m->lf |= BITS(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
        m->control |= BITS(low);
        m->digit |= BITS(_mm_cmpeq_epi8(_mm_min_epu8(d, _mm_set1_epi8(9)), d));
        m->zero |= BITS(_mm_cmpeq_epi8(v, _mm_set1_epi8('0')));
        m->dot |= BITS(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')));
        m->minus |= BITS(_mm_cmpeq_epi8(v, _mm_set1_epi8('-')));
        m->blank |= BITS(_mm_cmpeq_epi8(v, _mm_shuffle_epi8(blank, v)));
        m->mark |= BITS(_mm_cmpeq_epi8(lower, _mm_shuffle_epi8(mark, v)));
        m->high |= BITS(v);
#undef BITS
    }
}

static SSE42 void scan_sse42(struct json_stage *st, size_t blocks) { SCAN_BOTH(classify_sse42, CLMUL_PREFIX, store_tokens) }

static const struct json_engine sse42 = {"sse4.2", DP_SCAN_SSE42, 0, scan_sse42, match_portable, fill_portable, keys_portable};

/* ---- AVX2 ---- */

static inline AVX2 __attribute__((always_inline)) void classify_avx2(const char *p, struct masks *m) {
    const __m256i blank = _mm256_setr_epi8(BLANK_BY_LOW, BLANK_BY_LOW), mark = _mm256_setr_epi8(MARK_BY_LOW, MARK_BY_LOW);
    __m256i a = _mm256_loadu_si256((const void *)p), b = _mm256_loadu_si256((const void *)(p + 32));
#define BITS(f) ((uint64_t)(uint32_t)_mm256_movemask_epi8(f(a)) | (uint64_t)(uint32_t)_mm256_movemask_epi8(f(b)) << 32)
#define IS(c) _mm256_set1_epi8(c)
#define QUOTE(v) _mm256_cmpeq_epi8(v, IS('"'))
#define SLASH(v) _mm256_cmpeq_epi8(v, IS('\\'))
#define LF(v) _mm256_cmpeq_epi8(v, IS('\n'))
#define CONTROL(v) _mm256_cmpeq_epi8(_mm256_min_epu8(v, IS(0x1f)), v)
#define LESS_0(v) _mm256_sub_epi8(v, IS('0'))
#define DIGIT(v) _mm256_cmpeq_epi8(_mm256_min_epu8(LESS_0(v), IS(9)), LESS_0(v))
#define ZERO(v) _mm256_cmpeq_epi8(v, IS('0'))
#define DOT(v) _mm256_cmpeq_epi8(v, IS('.'))
#define MINUS(v) _mm256_cmpeq_epi8(v, IS('-'))
#define BLANK(v) _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(blank, v))
#define MARK(v) _mm256_cmpeq_epi8(_mm256_or_si256(v, IS(0x20)), _mm256_shuffle_epi8(mark, v))
#define SELF(v) (v)
    m->quote = BITS(QUOTE);
    m->slash = BITS(SLASH);
    m->lf = BITS(LF);
    m->control = BITS(CONTROL);
    m->digit = BITS(DIGIT);
    m->zero = BITS(ZERO);
    m->dot = BITS(DOT);
    m->minus = BITS(MINUS);
    m->blank = BITS(BLANK);
    m->mark = BITS(MARK);
    m->high = BITS(SELF);
#undef BITS
#undef IS
#undef QUOTE
#undef SLASH
#undef LF
#undef CONTROL
#undef LESS_0
#undef DIGIT
#undef ZERO
#undef DOT
#undef MINUS
#undef BLANK
#undef MARK
#undef SELF
}

/* For each byte of bits the numbers of those set, packed to the front, lowest first; one number to a byte. */
static const uint64_t set_bits[256] = {
    0x0000000000000000, 0x0000000000000000, 0x0000000000000001, 0x0000000000000100,
    0x0000000000000002, 0x0000000000000200, 0x0000000000000201, 0x0000000000020100,
    0x0000000000000003, 0x0000000000000300, 0x0000000000000301, 0x0000000000030100,
    0x0000000000000302, 0x0000000000030200, 0x0000000000030201, 0x0000000003020100,
    0x0000000000000004, 0x0000000000000400, 0x0000000000000401, 0x0000000000040100,
    0x0000000000000402, 0x0000000000040200, 0x0000000000040201, 0x0000000004020100,
    0x0000000000000403, 0x0000000000040300, 0x0000000000040301, 0x0000000004030100,
    0x0000000000040302, 0x0000000004030200, 0x0000000004030201, 0x0000000403020100,
    0x0000000000000005, 0x0000000000000500, 0x0000000000000501, 0x0000000000050100,
    0x0000000000000502, 0x0000000000050200, 0x0000000000050201, 0x0000000005020100,
    0x0000000000000503, 0x0000000000050300, 0x0000000000050301, 0x0000000005030100,
    0x0000000000050302, 0x0000000005030200, 0x0000000005030201, 0x0000000503020100,
    0x0000000000000504, 0x0000000000050400, 0x0000000000050401, 0x0000000005040100,
    0x0000000000050402, 0x0000000005040200, 0x0000000005040201, 0x0000000504020100,
    0x0000000000050403, 0x0000000005040300, 0x0000000005040301, 0x0000000504030100,
    0x0000000005040302, 0x0000000504030200, 0x0000000504030201, 0x0000050403020100,
    0x0000000000000006, 0x0000000000000600, 0x0000000000000601, 0x0000000000060100,
    0x0000000000000602, 0x0000000000060200, 0x0000000000060201, 0x0000000006020100,
    0x0000000000000603, 0x0000000000060300, 0x0000000000060301, 0x0000000006030100,
    0x0000000000060302, 0x0000000006030200, 0x0000000006030201, 0x0000000603020100,
    0x0000000000000604, 0x0000000000060400, 0x0000000000060401, 0x0000000006040100,
    0x0000000000060402, 0x0000000006040200, 0x0000000006040201, 0x0000000604020100,
    0x0000000000060403, 0x0000000006040300, 0x0000000006040301, 0x0000000604030100,
    0x0000000006040302, 0x0000000604030200, 0x0000000604030201, 0x0000060403020100,
    0x0000000000000605, 0x0000000000060500, 0x0000000000060501, 0x0000000006050100,
    0x0000000000060502, 0x0000000006050200, 0x0000000006050201, 0x0000000605020100,
    0x0000000000060503, 0x0000000006050300, 0x0000000006050301, 0x0000000605030100,
    0x0000000006050302, 0x0000000605030200, 0x0000000605030201, 0x0000060503020100,
    0x0000000000060504, 0x0000000006050400, 0x0000000006050401, 0x0000000605040100,
    0x0000000006050402, 0x0000000605040200, 0x0000000605040201, 0x0000060504020100,
    0x0000000006050403, 0x0000000605040300, 0x0000000605040301, 0x0000060504030100,
    0x0000000605040302, 0x0000060504030200, 0x0000060504030201, 0x0006050403020100,
    0x0000000000000007, 0x0000000000000700, 0x0000000000000701, 0x0000000000070100,
    0x0000000000000702, 0x0000000000070200, 0x0000000000070201, 0x0000000007020100,
    0x0000000000000703, 0x0000000000070300, 0x0000000000070301, 0x0000000007030100,
    0x0000000000070302, 0x0000000007030200, 0x0000000007030201, 0x0000000703020100,
    0x0000000000000704, 0x0000000000070400, 0x0000000000070401, 0x0000000007040100,
    0x0000000000070402, 0x0000000007040200, 0x0000000007040201, 0x0000000704020100,
    0x0000000000070403, 0x0000000007040300, 0x0000000007040301, 0x0000000704030100,
    0x0000000007040302, 0x0000000704030200, 0x0000000704030201, 0x0000070403020100,
    0x0000000000000705, 0x0000000000070500, 0x0000000000070501, 0x0000000007050100,
    0x0000000000070502, 0x0000000007050200, 0x0000000007050201, 0x0000000705020100,
    0x0000000000070503, 0x0000000007050300, 0x0000000007050301, 0x0000000705030100,
    0x0000000007050302, 0x0000000705030200, 0x0000000705030201, 0x0000070503020100,
    0x0000000000070504, 0x0000000007050400, 0x0000000007050401, 0x0000000705040100,
    0x0000000007050402, 0x0000000705040200, 0x0000000705040201, 0x0000070504020100,
    0x0000000007050403, 0x0000000705040300, 0x0000000705040301, 0x0000070504030100,
    0x0000000705040302, 0x0000070504030200, 0x0000070504030201, 0x0007050403020100,
    0x0000000000000706, 0x0000000000070600, 0x0000000000070601, 0x0000000007060100,
    0x0000000000070602, 0x0000000007060200, 0x0000000007060201, 0x0000000706020100,
    0x0000000000070603, 0x0000000007060300, 0x0000000007060301, 0x0000000706030100,
    0x0000000007060302, 0x0000000706030200, 0x0000000706030201, 0x0000070603020100,
    0x0000000000070604, 0x0000000007060400, 0x0000000007060401, 0x0000000706040100,
    0x0000000007060402, 0x0000000706040200, 0x0000000706040201, 0x0000070604020100,
    0x0000000007060403, 0x0000000706040300, 0x0000000706040301, 0x0000070604030100,
    0x0000000706040302, 0x0000070604030200, 0x0000070604030201, 0x0007060403020100,
    0x0000000000070605, 0x0000000007060500, 0x0000000007060501, 0x0000000706050100,
    0x0000000007060502, 0x0000000706050200, 0x0000000706050201, 0x0000070605020100,
    0x0000000007060503, 0x0000000706050300, 0x0000000706050301, 0x0000070605030100,
    0x0000000706050302, 0x0000070605030200, 0x0000070605030201, 0x0007060503020100,
    0x0000000007060504, 0x0000000706050400, 0x0000000706050401, 0x0000070605040100,
    0x0000000706050402, 0x0000070605040200, 0x0000070605040201, 0x0007060504020100,
    0x0000000706050403, 0x0000070605040300, 0x0000070605040301, 0x0007060504030100,
    0x0000070605040302, 0x0007060504030200, 0x0007060504030201, 0x0706050403020100,
};

/* 32 bytes of 0xff where the bit is set. */
static inline AVX2 __attribute__((always_inline)) __m256i spread_avx2(uint32_t bits) {
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i v = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), byte), bit);
    return _mm256_cmpeq_epi8(v, bit);
}

/* Eight bytes at a time, whatever is set in them: no branch to guess (1.5 times as fast as one by one). */
static inline AVX2 __attribute__((always_inline)) void store_avx2(struct json_stage *st, struct found f, const char *text) {
    const __m256i zero = _mm256_set1_epi8('0');
    char canon[JSON_BLOCK] __attribute__((aligned(32)));
    for (unsigned i = 0; i < 2; i++) {
        __m256i v = _mm256_loadu_si256((const void *)(text + 32 * i));
        v = _mm256_blendv_epi8(v, zero, spread_avx2((uint32_t)(f.canon >> 32 * i)));
        _mm256_store_si256((void *)(canon + 32 * i), v);
    }
    uint32_t *pos = st->pos + st->n_tok;
    uint8_t *cls = st->cls + st->n_tok;
    __m256i base = _mm256_set1_epi32((int)(uint32_t)st->at);
    for (unsigned i = 0; i < JSON_BLOCK; i += 8) {
        unsigned bits = f.token >> i & 0xff;
        __m128i which = _mm_loadl_epi64((const void *)&set_bits[bits]);
        _mm256_storeu_si256((void *)pos, _mm256_add_epi32(base, _mm256_cvtepu8_epi32(which)));
        _mm_storel_epi64((void *)cls, _mm_shuffle_epi8(_mm_loadl_epi64((const void *)(canon + i)), which));
        base = _mm256_add_epi32(base, _mm256_set1_epi32(8));
        unsigned n = (unsigned)__builtin_popcount(bits);
        pos += n;
        cls += n;
    }
    st->n_tok = (size_t)(pos - st->pos);
}

static AVX2 void scan_avx2(struct json_stage *st, size_t blocks) { SCAN_BOTH(classify_avx2, CLMUL_PREFIX, store_avx2) }

static AVX2 bool match_avx2(const struct json_shape *sh, const uint8_t *c) {
    uint32_t n = sh->n_tok, i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i same = _mm256_cmpeq_epi8(_mm256_loadu_si256((const void *)(sh->cls + i)), _mm256_loadu_si256((const void *)(c + i)));
        if (_mm256_movemask_epi8(same) != -1) return false;
    }
    __m256i same = _mm256_cmpeq_epi8(_mm256_loadu_si256((const void *)(sh->cls + i)), _mm256_loadu_si256((const void *)(c + i)));
    return _bzhi_u32(~(uint32_t)_mm256_movemask_epi8(same), n - i) == 0;
}

static inline AVX2 __attribute__((always_inline)) void fill_far(const struct json_shape *sh, const uint32_t *restrict pos,
                                                                struct dp_node *restrict nodes) {
    for (uint32_t i = 0, n = sh->n_far; i < n; i++) {
        uint32_t k = sh->far[i], a = pos[sh->place[k].a], b = pos[sh->place[k].b];
        nodes[k].off = a + sh->add[k].off;
        nodes[k].len = b - a + sh->add[k].len;
    }
}

static inline AVX2 __attribute__((always_inline)) bool same_keys(const struct json_shape *sh, const uint32_t *pos, const char *base) {
    const uint32_t *tok = sh->key_tok, *end = tok + sh->n_keys;
    const char *want = sh->key_head;
    __m256i differ = _mm256_setzero_si256();
    for (; tok < end; tok++, want += 2 * JSON_KEY_HEAD) { /* bytes, then which of them count */
        __m256i p = _mm256_loadu_si256((const void *)(base + pos[*tok]));
        __m256i x = _mm256_xor_si256(p, _mm256_load_si256((const void *)want));
        differ = _mm256_or_si256(differ, _mm256_and_si256(x, _mm256_load_si256((const void *)(want + JSON_KEY_HEAD))));
    }
    return _mm256_testz_si256(differ, differ) && (!sh->n_long || json_long_keys_are(sh, pos, base));
}

static AVX2 bool keys_avx2(const struct json_shape *sh, const uint32_t *pos, const char *base) { return same_keys(sh, pos, base); }

static AVX2 bool fill_avx2(const struct json_shape *sh, const uint32_t *restrict pos, const char *base, struct dp_node *restrict nodes) {
    const uint32_t *window = sh->window, *pick = sh->pick;
    const struct dp_node *add = sh->add;
    struct dp_node *out = nodes;
    /* two nodes at once: (first token, last token), less (0, first token), plus what the shape adds */
    for (uint32_t g = sh->n_groups; g; g--, pick += 8, add += 2, out += 2) {
        __m256i win = _mm256_loadu_si256((const void *)(pos + *window++));
        __m256i ab = _mm256_permutevar8x32_epi32(win, _mm256_load_si256((const void *)pick));
        ab = _mm256_blend_epi32(ab, _mm256_setzero_si256(), 0xcc);
        __m256i a = _mm256_slli_epi64(ab, 32);
        _mm256_store_si256((void *)out, _mm256_add_epi32(_mm256_sub_epi32(ab, a), _mm256_load_si256((const void *)add)));
    }
    fill_far(sh, pos, nodes);
    return same_keys(sh, pos, base);
}

static const struct json_engine avx2 = {"avx2", DP_SCAN_AVX2, 2, scan_avx2, match_avx2, fill_avx2, keys_avx2};

/* ---- AVX-512 (with VBMI2) ---- */

static const uint8_t counting[64] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                     22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
                                     44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

/* Constants that the compiler would otherwise broadcast anew for each block, on the port that is busiest. */
struct avx512_bytes {
    __m512i quote, slash, lf, space, zero, ten, dot, minus, blank, mark, count;
};

static inline AVX512 __attribute__((always_inline)) __m512i keep(__m512i v) {
    __asm__("" : "+v"(v));
    return v;
}

static inline AVX512 __attribute__((always_inline)) struct avx512_bytes avx512_bytes(void) {
    return (struct avx512_bytes){
        .quote = keep(_mm512_set1_epi8('"')),
        .slash = keep(_mm512_set1_epi8('\\')),
        .lf = keep(_mm512_set1_epi8('\n')),
        .space = keep(_mm512_set1_epi8(' ')),
        .zero = keep(_mm512_set1_epi8('0')),
        .ten = keep(_mm512_set1_epi8(10)),
        .dot = keep(_mm512_set1_epi8('.')),
        .minus = keep(_mm512_set1_epi8('-')),
        .blank = keep(_mm512_broadcast_i32x4(_mm_setr_epi8(BLANK_BY_LOW))),
        .count = keep(_mm512_loadu_si512(counting)),
        .mark = keep(_mm512_broadcast_i32x4(_mm_setr_epi8(MARK_BY_LOW))),
    };
}

static inline AVX512 __attribute__((always_inline)) void classify_avx512(const char *p, struct masks *m, const struct avx512_bytes *k) {
    __m512i v = _mm512_loadu_si512(p);
    m->quote = _mm512_cmpeq_epi8_mask(v, k->quote);
    m->slash = _mm512_cmpeq_epi8_mask(v, k->slash);
    m->lf = _mm512_cmpeq_epi8_mask(v, k->lf);
    m->control = _mm512_cmplt_epu8_mask(v, k->space);
    m->digit = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(v, k->zero), k->ten);
    m->zero = _mm512_cmpeq_epi8_mask(v, k->zero);
    m->dot = _mm512_cmpeq_epi8_mask(v, k->dot);
    m->minus = _mm512_cmpeq_epi8_mask(v, k->minus);
    m->blank = _mm512_cmpeq_epi8_mask(v, _mm512_shuffle_epi8(k->blank, v));
    m->mark = _mm512_cmpeq_epi8_mask(_mm512_or_si512(v, k->space), _mm512_shuffle_epi8(k->mark, v));
    m->high = _mm512_movepi8_mask(v);
}

/* All tokens of a block at once: bytes and their numbers, packed to the front. Registers first: packing into memory is slow on some. */
static inline AVX512 __attribute__((always_inline)) void store_avx512(struct json_stage *st, struct found f, const char *text,
                                                                      const struct avx512_bytes *k) {
    uint32_t *pos = st->pos + st->n_tok;
    unsigned n = (unsigned)__builtin_popcountll(f.token);
    __m512i base = _mm512_set1_epi32((int)(uint32_t)st->at);
    __m512i cls = _mm512_mask_blend_epi8(f.canon, _mm512_loadu_si512(text), k->zero);
    _mm512_storeu_si512(st->cls + st->n_tok, _mm512_maskz_compress_epi8(f.token, cls));
    __m512i at = _mm512_maskz_compress_epi8(f.token, k->count);
#define PUT(i) _mm512_storeu_si512(pos + 16 * (i), _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(at, i))))
    PUT(0);
    PUT(1);
    if (__builtin_expect(n > 32, 0)) {
        PUT(2);
        PUT(3);
    }
#undef PUT
    st->n_tok += n;
}

/* Block by block. */
static AVX512 __attribute__((noinline)) void scan_narrow(struct json_stage *st, size_t blocks) {
    const struct avx512_bytes k = avx512_bytes();
#define CLASSIFY(text, m) classify_avx512(text, m, &k)
#define STORE(s, f, text) store_avx512(s, f, text, &k)
    SCAN_BOTH(CLASSIFY, CLMUL_PREFIX, STORE)
#undef CLASSIFY
#undef STORE
}

/* Groups of blocks, and where one of them is not plain, or the text ends, block by block. */
static void scan_wide(struct json_stage *st, size_t blocks) {
    for (size_t few; blocks && st->at < st->n; blocks -= few) {
        blocks -= json_scan_wide(st, blocks);
        few = blocks < 8 ? blocks : 8;
        if (few) scan_narrow(st, few);
    }
}

static AVX512 bool match_avx512(const struct json_shape *sh, const uint8_t *c) {
    uint32_t n = sh->n_tok, i = 0;
    for (; i + 64 <= n; i += 64)
        if (_mm512_cmpneq_epi8_mask(_mm512_loadu_si512(sh->cls + i), _mm512_loadu_si512(c + i))) return false;
    uint64_t rest = _bzhi_u64(~UINT64_C(0), n - i);
    return _mm512_mask_cmpneq_epi8_mask(rest, _mm512_loadu_si512(sh->cls + i), _mm512_loadu_si512(c + i)) == 0;
}

static AVX512 bool fill_avx512(const struct json_shape *sh, const uint32_t *restrict pos, const char *base,
                               struct dp_node *restrict nodes) {
    const uint32_t *window = sh->window, *pick = sh->pick;
    const struct dp_node *add = sh->add;
    struct dp_node *out = nodes;
    /* four nodes at once: (first token, last token), less (0, first token), plus what the shape adds */
    for (uint32_t g = sh->n_groups; g; g--, pick += 16, add += 4, out += 4) {
        __m512i win = _mm512_loadu_si512(pos + *window++);
        __m512i ab = _mm512_maskz_permutexvar_epi32(0x3333, _mm512_load_si512(pick), win);
        __m512i a = _mm512_slli_epi64(ab, 32);
        _mm512_store_si512(out, _mm512_add_epi32(_mm512_sub_epi32(ab, a), _mm512_load_si512(add)));
    }
    fill_far(sh, pos, nodes);
    return same_keys(sh, pos, base);
}

static const struct json_engine avx512 = {"avx512", DP_SCAN_AVX512, 4, scan_narrow, match_avx512, fill_avx512, keys_avx2};
static const struct json_engine wide = {"avx512-wide", DP_SCAN_AVX512_WIDE, 4, scan_wide, match_avx512, fill_avx512, keys_avx2};

static bool runs(enum dp_scan_engine e) {
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("popcnt")) return false;
    if (e == DP_SCAN_SSE42) return true;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2")) return false;
    if (e == DP_SCAN_AVX2) return true;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vbmi") || !__builtin_cpu_supports("avx512vbmi2"))
        return false;
    return e == DP_SCAN_AVX512 || json_wide_runs();
}

const struct json_engine *dp_json_engine(enum dp_scan_engine engine) {
    static const struct json_engine *const best_first[] = {&wide, &avx512, &avx2, &sse42};
    for (unsigned i = 0; i < 4; i++)
        if ((engine == DP_SCAN_AUTO || engine == best_first[i]->id) && runs(best_first[i]->id)) return best_first[i];
    return &portable;
}

#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>

/* ---- NEON, which every arm64 has ---- */

/* One bit for each byte of four comparisons. */
static inline uint64_t bits_neon(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d) {
    const uint8x16_t bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t ab = vpaddq_u8(vandq_u8(a, bit), vandq_u8(b, bit)), cd = vpaddq_u8(vandq_u8(c, bit), vandq_u8(d, bit));
    ab = vpaddq_u8(ab, cd);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(ab, ab)), 0);
}

static inline void classify_neon(const char *text, struct masks *m) {
    static const uint8_t blank_by_low[16] = {BLANK_BY_LOW}, mark_by_low[16] = {MARK_BY_LOW};
    const uint8_t *p = (const uint8_t *)text;
    uint8x16_t blank = vld1q_u8(blank_by_low), mark = vld1q_u8(mark_by_low), low = vdupq_n_u8(15);
    uint8x16_t v[4] = {vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)};
#define BITS(f) bits_neon(f(v[0]), f(v[1]), f(v[2]), f(v[3]))
#define QUOTE(x) vceqq_u8(x, vdupq_n_u8('"'))
#define SLASH(x) vceqq_u8(x, vdupq_n_u8('\\'))
#define LF(x) vceqq_u8(x, vdupq_n_u8('\n'))
#define CONTROL(x) vcltq_u8(x, vdupq_n_u8(0x20))
#define DIGIT(x) vcltq_u8(vsubq_u8(x, vdupq_n_u8('0')), vdupq_n_u8(10))
#define ZERO(x) vceqq_u8(x, vdupq_n_u8('0'))
#define DOT(x) vceqq_u8(x, vdupq_n_u8('.'))
#define MINUS(x) vceqq_u8(x, vdupq_n_u8('-'))
#define BLANK(x) vandq_u8(vceqq_u8(x, vqtbl1q_u8(blank, vandq_u8(x, low))), vtstq_u8(x, x))
#define MARK(x) vceqq_u8(vorrq_u8(x, vdupq_n_u8(0x20)), vqtbl1q_u8(mark, vandq_u8(x, low)))
#define HIGH(x) vcgeq_u8(x, vdupq_n_u8(0x80))
    m->quote = BITS(QUOTE);
    m->slash = BITS(SLASH);
    m->lf = BITS(LF);
    m->control = BITS(CONTROL);
    m->digit = BITS(DIGIT);
    m->zero = BITS(ZERO);
    m->dot = BITS(DOT);
    m->minus = BITS(MINUS);
    m->blank = BITS(BLANK);
    m->mark = BITS(MARK);
    m->high = BITS(HIGH);
#undef BITS
#undef QUOTE
#undef SLASH
#undef LF
#undef CONTROL
#undef DIGIT
#undef ZERO
#undef DOT
#undef MINUS
#undef BLANK
#undef MARK
#undef HIGH
}

static void scan_neon(struct json_stage *st, size_t blocks) { SCAN_BOTH(classify_neon, prefix_xor, store_tokens) }

static const struct json_engine neon = {"neon", DP_SCAN_NEON, 0, scan_neon, match_portable, fill_portable, keys_portable};

const struct json_engine *dp_json_engine(enum dp_scan_engine engine) {
    return engine == DP_SCAN_AUTO || engine == DP_SCAN_NEON ? &neon : &portable;
}

#else

const struct json_engine *dp_json_engine(enum dp_scan_engine engine) {
    (void)engine;
    return &portable;
}

#endif
