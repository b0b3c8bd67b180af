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

/* Bytes behind an odd run of backslashes; *carry: the first byte of the next block is one. */
static inline __attribute__((always_inline)) uint64_t escaped_bytes(uint64_t slash, uint64_t *carry) {
    uint64_t escaped = *carry;
    slash &= ~escaped;
    *carry = 0;
    while (slash) {
        uint64_t bit = slash & -slash;
        if (bit >> 63) *carry = 1;
        escaped |= bit << 1;
        slash &= ~(bit | bit << 1);
    }
    return escaped;
}

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
                                                                      uint64_t inside, uint64_t valid) {
    st->in_string = (uint64_t)((int64_t)inside >> 63);
    if (__builtin_expect(st->lines && (m->lf & inside) != 0, 0)) {
        inside = restart_strings(inside, quote, m->lf);
        st->in_string = (uint64_t)((int64_t)(inside & ~m->lf) >> 63);
    }
    uint64_t outside = ~(inside | quote) & valid;
    uint64_t digit = outside & m->digit;
    uint64_t scalar = outside & ~(m->blank | m->mark);
    uint64_t behind = scalar << 1 | st->scalar;
    bool next_digit = st->at + JSON_BLOCK < st->n && (unsigned char)(st->p[st->at + JSON_BLOCK] - '0') < 10;
    uint64_t minus = outside & m->minus & (digit >> 1 | (uint64_t)next_digit << 63) & ~behind;
    uint64_t first = digit & ~(digit << 1 | st->digit);
    uint64_t zero = first & m->zero & ~(m->dot << 1 | st->dot);
    struct found f;
    f.token = quote | (outside & ~(m->blank | digit)) | (first & ~(minus << 1 | st->minus)) | (digit & (zero << 1 | st->zero)) |
              (outside & m->blank & behind) | (inside & ~quote & m->control);
    f.canon = digit | minus;
    st->scalar = scalar >> 63;
    st->digit = digit >> 63;
    st->dot = m->dot >> 63;
    st->minus = minus >> 63;
    st->zero = zero >> 63;
    return f;
}

/* Notes line ends (before the block's tokens are counted) and what the block's strings need. */
static inline __attribute__((always_inline)) void note_block(struct json_stage *st, const struct masks *m, uint64_t token) {
    uint64_t lf = m->lf;
    if (st->lines) {
        /* most blocks have one line end or none: stored either way, counted when it is there */
        st->line[st->n_line] = (uint32_t)st->n_tok + (uint32_t)__builtin_popcountll(token & ((lf & -lf) - 1));
        st->n_line += lf != 0;
        for (lf &= lf - 1; __builtin_expect(lf != 0 && m->lf != 0, 0); lf &= lf - 1)
            st->line[st->n_line++] = (uint32_t)st->n_tok + (uint32_t)__builtin_popcountll(token & ((lf & -lf) - 1));
    }
    st->slash[st->n_block] = m->slash;
    st->high[st->n_block] = m->high;
    st->flags[st->n_block++] = (uint8_t)((m->slash != 0 ? JSON_HAS_SLASH : 0) | (m->high != 0 ? JSON_HAS_HIGH : 0));
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
    m->digit &= valid;
    m->high &= valid;
}

static inline size_t next_block(const struct json_stage *st) {
    return st->n - st->at > JSON_BLOCK ? st->at + JSON_BLOCK : st->n;
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

/* ---- portable ---- */

enum { C_QUOTE = 1, C_SLASH = 2, C_LF = 4, C_CONTROL = 8, C_DIGIT = 16, C_BLANK = 32, C_MARK = 64 };

static const uint8_t byte_class[256] = {
    [0x00 ... 0x08] = C_CONTROL, ['\t'] = C_CONTROL | C_BLANK, ['\n'] = C_CONTROL | C_LF,
    [0x0b ... 0x0c] = C_CONTROL, ['\r'] = C_CONTROL | C_BLANK, [0x0e ... 0x1f] = C_CONTROL,
    [' '] = C_BLANK, ['"'] = C_QUOTE, ['\\'] = C_SLASH, ['0' ... '9'] = C_DIGIT,
    ['{'] = C_MARK, ['}'] = C_MARK, ['['] = C_MARK, [']'] = C_MARK, [':'] = C_MARK, [','] = C_MARK,
};

static void classify_portable(const unsigned char *p, struct masks *m) {
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

static inline __attribute__((always_inline)) void lf_role(struct masks *m, bool lines) {
    if (lines) m->mark |= m->lf;
    else m->blank |= m->lf;
}

static void scan_portable(struct json_stage *st, size_t blocks) {
    for (; blocks && st->at < st->n; blocks--) {
        const char *text = st->p + st->at;
        struct masks m;
        classify_portable((const unsigned char *)text, &m);
        uint64_t valid = valid_bytes(st);
        limit_masks(&m, valid);
        lf_role(&m, st->lines);
        uint64_t quote = m.quote;
        if (m.slash | st->escape) quote &= ~escaped_bytes(m.slash, &st->escape);
        struct found f = find_tokens(st, &m, quote, prefix_xor(quote) ^ st->in_string, valid);
        note_block(st, &m, f.token);
        store_tokens(st, f, text);
        st->at = next_block(st);
    }
}

static bool match_portable(const struct json_shape *sh, const uint8_t *c) { return memcmp(sh->cls, c, sh->n_tok) == 0; }

static bool fill_portable(const struct json_shape *sh, const uint32_t *pos, const char *base, struct dp_node *nodes) {
    for (uint32_t i = 0; i < sh->n_nodes; i++) {
        uint32_t a = pos[sh->place[i].a], b = pos[sh->place[i].b];
        nodes[i] = sh->add[i];
        nodes[i].off += a;
        nodes[i].len += b - a;
    }
    for (uint32_t i = 0; i < sh->n_keys; i++) {
        const struct json_shape_key *k = &sh->key[i];
        if (nodes[k->node].len + 2 != k->n) return false;
        if (memcmp(base + pos[k->tok], sh->keys.p + k->off, k->n) != 0) return false;
    }
    return true;
}

static const struct json_engine portable = {"portable", DP_SCAN_PORTABLE, 0, scan_portable, match_portable, fill_portable};

const struct json_engine *dp_json_engine(enum dp_scan_engine engine) {
    (void)engine;
    return &portable;
}
