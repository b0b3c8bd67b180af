/*
 * Dictionaries: distinct values in order of first sight, and a code for each value (spec: Parquet Encodings, dictionary).
 * Built in one pass that gives up as soon as the values turn out too distinct.  Keys that were chosen to collide end the attempt, not the run.
 */
#include "enc_priv.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct builder {
    const struct dp_pq_values *v;
    struct dp_pq_scratch *s;
    size_t n_slots, n, max_n, max_bytes, bytes;
    size_t at_half;  /* n at the last power of two of values */
    bool always;     /* whether it pays or not */
    uint64_t probes; /* beyond the first of each look-up */
};

static void *room(struct dp_buf *b, size_t n) {
    dp_buf_reset(b);
    return dp_buf_reserve(b, n ? n : 1);
}

#define STEP 2048 /* values between two looks at how it goes */

/*
 * How many distinct values n will have, from those at `seen` and at half of it.  As in drawing from a box: of as many draws again the share that
 * is new is the square of what it was; where values aren't equally frequent it comes out too low, and the next look tells.
 */
static double foresee(double distinct, double at_half, size_t seen, size_t n) {
    double fresh = distinct / at_half - 1;
    for (; seen < n; seen *= 2) {
        fresh *= fresh;
        distinct *= 1 + fresh * (n - seen < seen ? (double)(n - seen) / (double)seen : 1);
    }
    return distinct;
}

/* Is it still worth while after `seen` values?  A dictionary and codes of two bytes must be a fifth less than the values themselves. */
static bool still_pays(const struct builder *b, size_t seen) {
    double n = (double)b->v->n, each = (double)b->bytes / (double)b->n, all = foresee((double)b->n, (double)b->at_half, seen, b->v->n);
    return all * each <= (double)b->max_bytes && all * each + 2 * n <= 0.8 * n * each;
}

static bool out_of_bounds(struct builder *b, size_t seen) {
    if (b->n > b->max_n || b->bytes > b->max_bytes || b->probes > 8 * seen + 65536) return true;
    if (b->always || (seen & (seen - 1)) != 0) return false;
    bool pays = seen == STEP || still_pays(b, seen);
    b->at_half = b->n;
    return !pays;
}

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 32) * 0x9e3779b97f4a7c15ull;
    return x ^ x >> 29;
}

/* By four while it is small; a large one would only be empty. */
static size_t more_slots(size_t n) { return n < 65536 ? n * 4 : n * 2; }

/* Values of 4 or 8 bytes, which stand in the table themselves. */
#define FIXED_PASS(bits, type)                                                                                                                       \
    struct slot##bits { type x; uint32_t code; }; /* code + 1; 0 = free */                                                                           \
                                                                                                                                                     \
    static void grow##bits(struct builder *b) {                                                                                                      \
        size_t old_n = b->n_slots, n = more_slots(old_n);                                                                                            \
        struct slot##bits *old = dp_alloc(old_n * sizeof *old), *slots;                                                                              \
        memcpy(old, b->s->slots.p, old_n * sizeof *old);                                                                                             \
        slots = room(&b->s->slots, n * sizeof *slots);                                                                                               \
        memset(slots, 0, n * sizeof *slots);                                                                                                         \
        for (size_t i = 0; i < old_n; i++) {                                                                                                         \
            if (old[i].code == 0) continue;                                                                                                          \
            size_t at = mix(old[i].x) & (n - 1);                                                                                                     \
            while (slots[at].code) at = (at + 1) & (n - 1);                                                                                          \
            slots[at] = old[i];                                                                                                                      \
        }                                                                                                                                            \
        b->n_slots = n;                                                                                                                              \
        free(old);                                                                                                                                   \
    }                                                                                                                                                \
                                                                                                                                                     \
    /* Code of one value, which may be a new one. */                                                                                                 \
    static inline uint32_t code##bits(struct builder *b, type x) {                                                                                   \
        struct slot##bits *slots = (struct slot##bits *)(void *)b->s->slots.p;                                                                       \
        size_t at = mix(x) & (b->n_slots - 1);                                                                                                       \
        while (slots[at].code && slots[at].x != x) at = (at + 1) & (b->n_slots - 1), b->probes++;                                                    \
        if (slots[at].code) return slots[at].code - 1;                                                                                               \
        slots[at] = (struct slot##bits){x, (uint32_t)++b->n};                                                                                        \
        dp_buf_add(&b->s->dict, &x, sizeof x);                                                                                                       \
        b->bytes += sizeof x;                                                                                                                        \
        if (b->n * 2 > b->n_slots) grow##bits(b);                                                                                                    \
        return (uint32_t)(b->n - 1);                                                                                                                 \
    }                                                                                                                                                \
                                                                                                                                                     \
    static bool pass##bits(struct builder *b, uint32_t *codes) {                                                                                     \
        const type *in = (const type *)(const void *)b->v->fixed;                                                                                    \
        for (size_t i = 0, end, n = b->v->n; i < n;) {                                                                                               \
            for (end = n - i < STEP ? n : i + STEP; i < end; i++) codes[i] = i > 0 && in[i] == in[i - 1] ? codes[i - 1] : code##bits(b, in[i]);      \
            if (i % STEP == 0 && out_of_bounds(b, i)) return false;                                                                                  \
        }                                                                                                                                            \
        return true;                                                                                                                                 \
    }

FIXED_PASS(32, uint32_t)
FIXED_PASS(64, uint64_t)

/* ---- anything else, as bytes ---- */

/*
 * What a value is found by: up to 15 bytes are the key themselves, with their number in the last one; of longer ones it is a hash, and equal
 * hashes are compared.
 */
struct key { uint64_t a, b; };
struct bytes_slot { struct key key; uint32_t code, tag; }; /* code + 1; 0 = free */

#define SHORT 15u
#define LONG_MARK (UINT64_C(0xff) << 56) /* in the byte of the number */

static inline struct key short_key(const uint8_t *p, uint32_t n, size_t readable) {
    static const uint64_t mask[2][SHORT + 1] = {
        {0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
         UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff}};
    uint8_t copy[16] = {0};
    if (__builtin_expect(readable < 16, 0)) {
        if (n) memcpy(copy, p, n);
        p = copy;
    }
    struct key k;
    memcpy(&k.a, p, 8), memcpy(&k.b, p + 8, 8);
    k.a &= mask[0][n];
    k.b = (k.b & mask[1][n]) | (uint64_t)n << 56;
    return k;
}

static inline struct key key_of(const uint8_t *p, uint32_t n, size_t readable) {
    if (n <= SHORT) return short_key(p, n, readable);
    XXH128_hash_t h = XXH3_128bits(p, n);
    return (struct key){h.low64, h.high64 | LONG_MARK};
}

static inline uint32_t tag_of(struct key k) { return (uint32_t)mix(k.a ^ (k.b ^ k.b >> 31) * UINT64_C(0xc2b2ae3d27d4eb4f)); }

static void grow_bytes(struct builder *b) {
    size_t old_n = b->n_slots, n = more_slots(old_n);
    struct bytes_slot *old = dp_alloc(old_n * sizeof *old), *slots;
    memcpy(old, b->s->slots.p, old_n * sizeof *old);
    slots = room(&b->s->slots, n * sizeof *slots);
    memset(slots, 0, n * sizeof *slots);
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].code == 0) continue;
        size_t at = old[i].tag & (n - 1);
        while (slots[at].code) at = (at + 1) & (n - 1);
        slots[at] = old[i];
    }
    b->n_slots = n;
    free(old);
}

/* The place of a key in the table: of its slot, or of the free one where it belongs. */
static inline size_t find_bytes(struct builder *b, struct key k, uint32_t tag, const uint8_t *bytes, struct dp_pq_span x) {
    const struct bytes_slot *slots = (const struct bytes_slot *)(const void *)b->s->slots.p;
    size_t at = tag & (b->n_slots - 1);
    for (; slots[at].code; at = (at + 1) & (b->n_slots - 1), b->probes++) {
        if (((slots[at].key.a ^ k.a) | (slots[at].key.b ^ k.b)) != 0) continue;
        if (x.len <= SHORT) break;
        const struct dp_pq_span *y = (const struct dp_pq_span *)(const void *)b->s->dict.p + (slots[at].code - 1);
        if (y->len == x.len && memcmp(bytes + y->off, bytes + x.off, x.len) == 0) break;
    }
    return at;
}

#define AHEAD 16 /* keys that are made before they are looked up, so that the table's lines are on their way; divides STEP */

static bool pass_bytes(struct builder *b, uint32_t *codes) {
    const struct dp_pq_values *v = b->v;
    size_t width = (size_t)v->width, overhead = width ? 0 : 4, n_bytes = width ? v->n * width : v->n_bytes;
    const uint8_t *bytes = width ? v->fixed : v->bytes;
    struct key keys[AHEAD];
    struct dp_pq_span spans[AHEAD];
    uint32_t tags[AHEAD];
    for (size_t i = 0; i < v->n; i += AHEAD) {
        size_t n = v->n - i < AHEAD ? v->n - i : AHEAD;
        for (size_t k = 0; k < n; k++) {
            spans[k] = width ? (struct dp_pq_span){(uint32_t)((i + k) * width), (uint32_t)width} : v->spans[i + k];
            keys[k] = key_of(bytes + spans[k].off, spans[k].len, n_bytes - spans[k].off);
            tags[k] = tag_of(keys[k]);
            __builtin_prefetch((const struct bytes_slot *)(const void *)b->s->slots.p + (tags[k] & (b->n_slots - 1)));
        }
        for (size_t k = 0; k < n; k++) {
            size_t at = find_bytes(b, keys[k], tags[k], bytes, spans[k]);
            struct bytes_slot *slot = (struct bytes_slot *)(void *)b->s->slots.p + at;
            if (slot->code) {
                codes[i + k] = slot->code - 1;
                continue;
            }
            *slot = (struct bytes_slot){keys[k], (uint32_t)++b->n, tags[k]};
            dp_buf_add(&b->s->dict, &spans[k], sizeof spans[k]);
            b->bytes += spans[k].len + overhead;
            codes[i + k] = (uint32_t)(b->n - 1);
            if (b->n * 2 > b->n_slots) grow_bytes(b);
        }
        if ((i + n) % STEP == 0 && out_of_bounds(b, i + n)) return false;
    }
    return true;
}

bool dp_pq_dict_build(const struct dp_pq_values *v, size_t max_bytes, bool always, struct dp_pq_scratch *s, struct dp_pq_dict *out) {
    struct builder b = {.v = v, .s = s, .n_slots = 1024, .max_bytes = max_bytes, .always = always, .max_n = always ? v->n : v->n / 2 + 1};
    if (v->n == 0 || v->type == DP_PQ_BOOLEAN || (v->width && (uint64_t)v->n * (uint64_t)v->width > UINT32_MAX)) return false;
    memset(room(&s->slots, b.n_slots * sizeof(struct bytes_slot)), 0, b.n_slots * sizeof(struct bytes_slot)); /* the largest of the three kinds */
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
