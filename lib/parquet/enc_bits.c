/*
 * Bits: the RLE/bit-packed hybrid, DELTA_BINARY_PACKED and BYTE_STREAM_SPLIT (spec: Parquet Encodings).  Encoders only; they trust
 * their input.  Byte order: written for little endian hosts, as all of the parquet floor.
 */
#include "enc_priv.h"

#define MIN_RUN 16 /* values; shorter runs cost more in headers than they save */

/* Values of `width` bits, LSB first, behind out's content; n is a multiple of 8 or the rest is padded with zero. */
static void pack32(struct dp_buf *out, const uint32_t *v, size_t n, unsigned width) {
    size_t total = (n + 7) / 8 * width;
    uint8_t *p = (uint8_t *)dp_buf_reserve(out, total + 8);
    uint64_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < n; i++) {
        acc |= (uint64_t)v[i] << bits;
        bits += width;
        if (bits >= 32) {
            uint32_t w = (uint32_t)acc;
            memcpy(p, &w, 4);
            p += 4, acc >>= 32, bits -= 32;
        }
    }
    memcpy(p, &acc, 8);
    uint8_t *end = (uint8_t *)out->p + out->n + total, *written = p + (bits + 7) / 8;
    if (written < end) memset(written, 0, (size_t)(end - written));
    out->n += total;
}

static void pack8(struct dp_buf *out, const uint8_t *v, size_t n, unsigned width) {
    size_t total = (n + 7) / 8 * width;
    uint8_t *p = (uint8_t *)dp_buf_reserve(out, total + 8);
    size_t i = 0;
    if (width == 1) { /* definition levels of flat columns: eight 0/1 bytes at once */
        for (; i + 8 <= n; i += 8) {
            uint64_t w;
            memcpy(&w, v + i, 8);
            *p++ = (uint8_t)(w * 0x0102040810204080ull >> 56);
        }
    }
    uint64_t acc = 0;
    unsigned bits = 0;
    for (; i < n; i++) {
        acc |= (uint64_t)v[i] << bits;
        for (bits += width; bits >= 8; bits -= 8, acc >>= 8) *p++ = (uint8_t)acc;
    }
    if (bits) *p++ = (uint8_t)acc;
    uint8_t *end = (uint8_t *)out->p + out->n + total;
    if (p < end) memset(p, 0, (size_t)(end - p));
    out->n += total;
}

void dp_pq_put_hybrid_run(struct dp_buf *out, uint32_t value, size_t n, unsigned width) {
    dp_tw_varint(out, (uint64_t)n << 1);
    for (unsigned b = 0; b < width; b += 8) dp_buf_addc(out, (char)(value >> b));
}

/*
 * Runs are looked for at multiples of eight values behind the last run's end, so that what lies between is whole groups.  Written once
 * for both element types.
 */
#define HYBRID(name, type, pack)                                                                                                                     \
    void name(struct dp_buf *out, const type *v, size_t n, unsigned width) {                                                                         \
        size_t from = 0, i = 0;                                                                                                                      \
        while (i + MIN_RUN <= n) {                                                                                                                   \
            type x = v[i], diff = 0;                                                                                                                 \
            for (size_t k = 1; k < 8; k++) diff |= (type)(v[i + k] ^ x);                                                                             \
            if (diff) {                                                                                                                              \
                i += 8;                                                                                                                              \
                continue;                                                                                                                            \
            }                                                                                                                                        \
            size_t end = i + 8;                                                                                                                      \
            while (end < n && v[end] == x) end++;                                                                                                    \
            if (end - i < MIN_RUN) {                                                                                                                 \
                i += 8;                                                                                                                              \
                continue;                                                                                                                            \
            }                                                                                                                                        \
            if (i > from) dp_tw_varint(out, (uint64_t)((i - from) / 8) << 1 | 1), pack(out, v + from, i - from, width);                              \
            dp_pq_put_hybrid_run(out, x, end - i, width);                                                                                            \
            from = i = end;                                                                                                                          \
        }                                                                                                                                            \
        if (from < n) dp_tw_varint(out, (uint64_t)((n - from + 7) / 8) << 1 | 1), pack(out, v + from, n - from, width);                              \
    }

HYBRID(dp_pq_put_hybrid, uint32_t, pack32)
HYBRID(dp_pq_put_hybrid8, uint8_t, pack8)

/* ---- DELTA_BINARY_PACKED ---- */

#define BLOCK 128
#define MINIBLOCKS 4
#define MINI (BLOCK / MINIBLOCKS)

static unsigned bits_of(uint64_t v) { return v ? 64u - (unsigned)__builtin_clzll(v) : 0; }

static void pack64(struct dp_buf *out, const uint64_t *v, unsigned width) {
    uint8_t *p = (uint8_t *)dp_buf_reserve(out, MINI * 8 + 16);
    if (width == 0) return;
    uint64_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < MINI; i++) {
        acc |= v[i] << bits;
        bits += width;
        if (bits < 64) continue;
        memcpy(p, &acc, 8);
        p += 8, bits -= 64;
        acc = bits ? v[i] >> (width - bits) : 0;
    }
    out->n += MINI * width / 8; /* 32 values: always whole words of four bytes */
    if (bits) memcpy(p, &acc, 8);
}

/* One block of up to 128 deltas; `d` has room for 128 and the rest is filled with the least. */
static void put_block(struct dp_buf *out, uint64_t *d, size_t n, bool is32) {
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < n; i++) least = (int64_t)d[i] < least ? (int64_t)d[i] : least;
    for (size_t i = 0; i < n; i++) d[i] -= (uint64_t)least;
    for (size_t i = n; i < BLOCK; i++) d[i] = 0;
    dp_tw_elem_i64(out, least);
    uint8_t widths[MINIBLOCKS];
    size_t used = (n + MINI - 1) / MINI;
    for (size_t m = 0; m < MINIBLOCKS; m++) {
        uint64_t all = 0;
        for (size_t i = 0; i < MINI; i++) all |= is32 ? (uint32_t)d[m * MINI + i] : d[m * MINI + i];
        widths[m] = (uint8_t)bits_of(all);
    }
    dp_buf_add(out, widths, MINIBLOCKS);
    for (size_t m = 0; m < used; m++) {
        if (is32) {
            for (size_t i = 0; i < MINI; i++) d[m * MINI + i] = (uint32_t)d[m * MINI + i];
        }
        pack64(out, d + m * MINI, widths[m]);
    }
}

static void put_delta_head(struct dp_buf *out, size_t n, int64_t first) {
    dp_tw_varint(out, BLOCK);
    dp_tw_varint(out, MINIBLOCKS);
    dp_tw_varint(out, n);
    dp_tw_elem_i64(out, first);
}

void dp_pq_put_delta32(struct dp_buf *out, const int32_t *v, size_t n) {
    uint64_t d[BLOCK];
    put_delta_head(out, n, n ? v[0] : 0);
    for (size_t i = 1; i < n; i += BLOCK) {
        size_t k = n - i < BLOCK ? n - i : BLOCK;
        /* differences wrap in the column's width, so the least of a block and all above it fit 32 bits */
        for (size_t j = 0; j < k; j++) d[j] = (uint64_t)(int64_t)(int32_t)((uint32_t)v[i + j] - (uint32_t)v[i + j - 1]);
        put_block(out, d, k, true);
    }
}

void dp_pq_put_delta64(struct dp_buf *out, const int64_t *v, size_t n) {
    uint64_t d[BLOCK];
    put_delta_head(out, n, n ? v[0] : 0);
    for (size_t i = 1; i < n; i += BLOCK) {
        size_t k = n - i < BLOCK ? n - i : BLOCK;
        for (size_t j = 0; j < k; j++) d[j] = (uint64_t)v[i + j] - (uint64_t)v[i + j - 1];
        put_block(out, d, k, false);
    }
}

/* Miniblock by miniblock, as if each had its own least delta: good to a few percent. */
size_t dp_pq_delta_size(const struct dp_pq_values *v) {
    size_t size = 16;
    bool is32 = v->width == 4;
    const int32_t *v32 = (const int32_t *)(const void *)v->fixed;
    const int64_t *v64 = (const int64_t *)(const void *)v->fixed;
    for (size_t i = 1; i < v->n; i += BLOCK) {
        size_t k = v->n - i < BLOCK ? v->n - i : BLOCK;
        int64_t least = INT64_MAX, most = INT64_MIN;
        for (size_t j = i; j < i + k; j++) {
            int64_t d = is32 ? (int64_t)(int32_t)((uint32_t)v32[j] - (uint32_t)v32[j - 1]) : (int64_t)((uint64_t)v64[j] - (uint64_t)v64[j - 1]);
            least = d < least ? d : least;
            most = d > most ? d : most;
        }
        size += 8 + k * bits_of((uint64_t)most - (uint64_t)least) / 8;
    }
    return size;
}

void dp_pq_put_split(struct dp_buf *out, const uint8_t *p, size_t n, size_t width) {
    uint8_t *to = (uint8_t *)dp_buf_reserve(out, n * width);
    for (size_t k = 0; k < width; k++) {
        for (size_t i = 0; i < n; i++) to[k * n + i] = p[i * width + k];
    }
    out->n += n * width;
}
