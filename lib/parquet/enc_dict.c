/*
 * Dictionaries: distinct values in order of first sight, and a code for each value (spec: Parquet Encodings, dictionary).
 * Built in one pass that gives up as soon as the values turn out too distinct.  Keys that were chosen to collide end the attempt, not the run.
 */
#include "enc_priv.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct slot { uint32_t tag, code; }; /* code + 1; 0 = free */

struct builder {
    const struct dp_pq_values *v;
    struct dp_pq_scratch *s;
    size_t n_slots, n, max_n, max_bytes, bytes;
    uint64_t probes; /* beyond the first of each look-up */
    struct slot *slots;
};

static void *room(struct dp_buf *b, size_t n) {
    dp_buf_reset(b);
    return dp_buf_reserve(b, n ? n : 1);
}

/* Is it still worth while after `seen` values?  The steps are a power of two apart, so the cost is nothing. */
static bool still_pays(size_t distinct, size_t seen) {
    if (seen >= 65536) return distinct <= seen / 2;
    if (seen >= 16384) return distinct <= seen / 8 * 5;
    return distinct <= seen / 4 * 3;
}

#define STEP 4096 /* values between two looks at how it goes */

static bool out_of_bounds(const struct builder *b, size_t seen) {
    if (b->n > b->max_n || b->bytes > b->max_bytes || b->probes > 8 * seen + 65536) return true;
    return seen >= STEP && (seen & (seen - 1)) == 0 && !still_pays(b->n, seen);
}

/* Bytes of equal length; short ones without a call. */
static inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t n) {
    uint64_t x, y, z, w;
    if (n > 16) return memcmp(a, b, n) == 0;
    if (n >= 8) {
        memcpy(&x, a, 8), memcpy(&y, b, 8), memcpy(&z, a + n - 8, 8), memcpy(&w, b + n - 8, 8);
        return ((x ^ y) | (z ^ w)) == 0;
    }
    if (n >= 4) {
        uint32_t p, q, r, s;
        memcpy(&p, a, 4), memcpy(&q, b, 4), memcpy(&r, a + n - 4, 4), memcpy(&s, b + n - 4, 4);
        return ((p ^ q) | (r ^ s)) == 0;
    }
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}


static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 32) * 0x9e3779b97f4a7c15ull;
    return x ^ x >> 29;
}

/* XXH3 for long keys, two words for short ones. */
static inline uint32_t hash_bytes(const uint8_t *p, size_t n) {
    uint64_t x = 0, y = 0;
    if (n > 16) return (uint32_t)XXH3_64bits(p, n);
    if (n >= 8) memcpy(&x, p, 8), memcpy(&y, p + n - 8, 8);
    else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, p, 4), memcpy(&b, p + n - 4, 4);
        x = a, y = b;
    } else if (n) x = p[0], y = (uint64_t)p[n / 2] << 8 | p[n - 1];
    return (uint32_t)(mix(x + n) ^ mix(y * 0xc2b2ae3d27d4eb4full + 1) * 31);
}

static void grow(struct builder *b) {
    size_t old_n = b->n_slots, n = old_n * 4;
    struct slot *old = dp_alloc(old_n * sizeof *old);
    memcpy(old, b->slots, old_n * sizeof *old);
    b->slots = room(&b->s->slots, n * sizeof *b->slots);
    memset(b->slots, 0, n * sizeof *b->slots);
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].code == 0) continue;
        size_t at = old[i].tag & (n - 1);
        while (b->slots[at].code) at = (at + 1) & (n - 1);
        b->slots[at] = old[i];
    }
    b->n_slots = n;
    free(old);
}

/* Values of 4 or 8 bytes. */
#define FIXED_PASS(name, type)                                                                                                                       \
    static bool name(struct builder *b, uint32_t *codes) {                                                                                           \
        const type *in = (const type *)(const void *)b->v->fixed;                                                                                    \
        for (size_t i = 0; i < b->v->n; i++) {                                                                                                       \
            type x = in[i];                                                                                                                          \
            if (i > 0 && x == in[i - 1]) {                                                                                                           \
                codes[i] = codes[i - 1];                                                                                                             \
                continue;                                                                                                                            \
            }                                                                                                                                        \
            uint32_t tag = (uint32_t)mix(x);                                                                                                         \
            size_t at = tag & (b->n_slots - 1);                                                                                                      \
            const type *dict = (const type *)(const void *)b->s->dict.p;                                                                             \
            while (b->slots[at].code && dict[b->slots[at].code - 1] != x) at = (at + 1) & (b->n_slots - 1), b->probes++;                             \
            if (!b->slots[at].code) {                                                                                                                \
                b->slots[at] = (struct slot){tag, (uint32_t)++b->n};                                                                                 \
                dp_buf_add(&b->s->dict, &x, sizeof x);                                                                                               \
                b->bytes += sizeof x;                                                                                                                \
                codes[i] = (uint32_t)(b->n - 1);                                                                                                     \
                if (b->n * 2 > b->n_slots) grow(b);                                                                                                  \
            } else codes[i] = b->slots[at].code - 1;                                                                                                 \
            if ((i + 1) % STEP == 0 && out_of_bounds(b, i + 1)) return false;                                                                        \
        }                                                                                                                                            \
        return true;                                                                                                                                 \
    }

FIXED_PASS(pass32, uint32_t)
FIXED_PASS(pass64, uint64_t)

/* Anything else, as bytes. */
static bool pass_bytes(struct builder *b, uint32_t *codes) {
    const struct dp_pq_values *v = b->v;
    size_t width = (size_t)v->width, overhead = width ? 0 : 4;
    for (size_t i = 0; i < v->n; i++) {
        struct dp_pq_span x = width ? (struct dp_pq_span){(uint32_t)(i * width), (uint32_t)width} : v->spans[i];
        const uint8_t *bytes = width ? v->fixed : v->bytes, *p = bytes + x.off;
        uint32_t tag = hash_bytes(p, x.len);
        size_t at = tag & (b->n_slots - 1);
        const struct dp_pq_span *dict = (const struct dp_pq_span *)(const void *)b->s->dict.p;
        for (; b->slots[at].code; at = (at + 1) & (b->n_slots - 1), b->probes++) {
            if (b->slots[at].tag != tag) continue;
            const struct dp_pq_span *y = &dict[b->slots[at].code - 1];
            if (y->len == x.len && same_bytes(bytes + y->off, p, x.len)) break;
        }
        if (!b->slots[at].code) {
            b->slots[at] = (struct slot){tag, (uint32_t)++b->n};
            dp_buf_add(&b->s->dict, &x, sizeof x);
            b->bytes += x.len + overhead;
            codes[i] = (uint32_t)(b->n - 1);
            if (b->n * 2 > b->n_slots) grow(b);
        } else codes[i] = b->slots[at].code - 1;
        if ((i + 1) % STEP == 0 && out_of_bounds(b, i + 1)) return false;
    }
    return true;
}

bool dp_pq_dict_build(const struct dp_pq_values *v, size_t max_bytes, struct dp_pq_scratch *s, struct dp_pq_dict *out) {
    struct builder b = {.v = v, .s = s, .n_slots = 1024, .max_bytes = max_bytes, .max_n = v->n / 2 + 1};
    if (v->n == 0 || v->type == DP_PQ_BOOLEAN || (v->width && (uint64_t)v->n * (uint64_t)v->width > UINT32_MAX)) return false;
    b.slots = room(&s->slots, b.n_slots * sizeof *b.slots);
    memset(b.slots, 0, b.n_slots * sizeof *b.slots);
    uint32_t *codes = room(&s->codes, v->n * sizeof *codes);
    dp_buf_reset(&s->dict);
    dp_buf_reserve(&s->dict, 1024 * sizeof(struct dp_pq_span));
    bool simple = v->type != DP_PQ_FLBA && (v->width == 4 || v->width == 8);
    if (!(simple ? v->width == 4 ? pass32(&b, codes) : pass64(&b, codes) : pass_bytes(&b, codes))) return false;
    if (b.n > b.max_n || b.bytes > max_bytes) return false;
    *out = (struct dp_pq_dict){.n = b.n, .bytes = b.bytes, .codes = codes};
    if (simple) out->fixed = (const uint8_t *)s->dict.p;
    else if (v->type == DP_PQ_BYTE_ARRAY) out->spans = (const struct dp_pq_span *)(const void *)s->dict.p;
    else {
        /* fixed values of odd widths: their places become the values themselves, in front of the list */
        struct dp_pq_span *x = (struct dp_pq_span *)(void *)s->dict.p;
        uint8_t *to = room(&s->stamps, b.n * (size_t)v->width);
        for (size_t i = 0; i < b.n; i++) memcpy(to + i * (size_t)v->width, v->fixed + x[i].off, (size_t)v->width);
        dp_buf_reset(&s->dict);
        dp_buf_add(&s->dict, to, b.n * (size_t)v->width);
        out->fixed = (const uint8_t *)s->dict.p;
    }
    return true;
}

struct dp_pq_values dp_pq_dict_values(const struct dp_pq_dict *d, const struct dp_pq_values *v) {
    struct dp_pq_values x = *v;
    x.n = d->n;
    x.fixed = d->fixed;
    x.spans = d->spans;
    return x;
}
