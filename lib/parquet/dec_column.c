/*
 * Memory of the columns that the reader fills, in the layout of dp/record/batch.h: growth, validity bits, spreading dense values
 * over slots of which some are null.  Does not know encodings.
 */
#include "reader_priv.h"

static void *grow(struct pq_region *region, void *p, size_t used, size_t *cap, size_t want) {
    if (p && *cap >= want) return p;
    if (region) return pq_region_grow(region, p, used, cap, want);
    size_t n = *cap ? *cap : 256;
    while (n < want) n *= 2; /* want is bounded by the callers' caps, far below SIZE_MAX / 2 */
    if (*cap) {
        p = dp_realloc(p, n);
    } else {
        void *q = dp_alloc(n);
        if (p && used) memcpy(q, p, used);
        p = q;
    }
    *cap = n;
    return p;
}

uint8_t *pq_column_data(struct dp_column *c, struct pq_region *region, size_t bytes) {
    return c->data = grow(region, c->data, c->data_n, &c->data_cap, bytes + PQ_SLACK);
}

int32_t *pq_column_offsets(struct dp_column *c, struct pq_region *region, size_t count, size_t used) {
    bool fresh = !c->offsets || !c->offsets_cap;
    c->offsets = grow(region, c->offsets, fresh ? 4 : used * 4, &c->offsets_cap, count * 4);
    if (fresh) c->offsets[0] = 0;
    return c->offsets;
}

void pq_bits_put(uint8_t *bits, int64_t from, const uint8_t *v, size_t n) {
    size_t i = 0;
    uint8_t *p = bits + (from >> 3);
    unsigned shift = from & 7;
    if (shift) {
        unsigned byte = *p & ((1u << shift) - 1);
        for (; i < n && shift < 8; i++, shift++) byte |= (unsigned)(v ? v[i] : 1) << shift;
        *p++ = (uint8_t)byte;
    }
    for (; n - i >= 8; i += 8) {
        uint64_t x = v ? dp_load64(v + i) : UINT64_C(0x0101010101010101);
        *p++ = (uint8_t)((x * UINT64_C(0x0102040810204080)) >> 56);
    }
    if (i < n) {
        unsigned byte = 0;
        for (unsigned s = 0; i < n; i++, s++) byte |= (unsigned)(v ? v[i] : 1) << s;
        *p = (uint8_t)byte;
    }
}

void pq_column_validity(struct dp_column *c, struct pq_region *region, int64_t from, const uint8_t *valid, size_t n, int64_t expected) {
    if (!c->validity && !valid) return;
    bool fresh = !c->validity;
    int64_t rows = from + (int64_t)n;
    size_t want = (size_t)((fresh && region && expected > rows ? expected : rows) + 7) / 8 + 8;
    c->validity = grow(region, c->validity, (size_t)(from + 7) / 8, &c->validity_cap, want);
    if (fresh && from) {
        memset(c->validity, 0xFF, (size_t)(from >> 3));
        if (from & 7) c->validity[from >> 3] = (uint8_t)((1u << (from & 7)) - 1);
    }
    pq_bits_put(c->validity, from, valid, n);
}

static void settle(struct pq_region *r, const void *p, size_t *cap, size_t used) {
    pq_region_trim(r, p, cap, used);
    if (p && pq_region_has(r, p)) *cap = 0;
}

void pq_column_settle(struct dp_column *c, struct pq_region *region) {
    for (size_t i = 0; i < c->n_children; i++) pq_column_settle(&c->children[i], region);
    settle(region, c->data, &c->data_cap, c->data_n + PQ_SLACK);
    settle(region, c->validity, &c->validity_cap, (size_t)(c->length + 7) / 8 + 8);
    settle(region, c->offsets, &c->offsets_cap, ((size_t)c->length + 1) * 4);
}

/*
 * Moves nn dense values to those of k slots that are valid, from behind; null slots become zero.  No branch hangs on a single null: they come
 * at random.  Once as many slots as values are left, all of them are where they belong.
 */
#define SPREAD(T)                                             \
    do {                                                      \
        T *v = (T *)(void *)p;                                \
        size_t i = k, j = nn;                                 \
        while (j > 0 && i > j) {                              \
            T x = v[j - 1];                                   \
            i--;                                              \
            v[i] = valid[i] ? x : 0;                          \
            j -= valid[i];                                    \
        }                                                     \
        if (j == 0) memset(v, 0, i * sizeof *v);              \
    } while (0)

void pq_spread(uint8_t *p, size_t width, const uint8_t *valid, size_t k, size_t nn) {
    if (k == nn) return;
    switch (width) {
    case 1: SPREAD(uint8_t); return;
    case 2: SPREAD(uint16_t); return;
    case 4: SPREAD(uint32_t); return;
    case 8: SPREAD(uint64_t); return;
    default: break;
    }
    for (size_t i = k, j = nn; i-- > 0;) {
        if (valid[i]) {
            j--;
            if (i != j) memcpy(p + i * width, p + j * width, width);
        } else {
            memset(p + i * width, 0, width);
        }
    }
}

/* offsets[1..nn] are the ends of dense values; makes them the ends of k slots. */
void pq_spread_offsets(int32_t *offsets, const uint8_t *valid, size_t k, size_t nn) {
    if (k == nn) return;
    for (size_t i = k, j = nn; i > 0; i--) {
        offsets[i] = offsets[j];
        if (valid[i - 1]) j--;
    }
}
