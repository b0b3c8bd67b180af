/*
 * Decoders of Parquet's encodings (spec: Encodings.md).  Each is a cursor over borrowed bytes that hands out values in blocks, allocates
 * nothing that the data could size, and says through `fault` why it stopped; fewer values than asked for means a fault or the end.
 */
#ifndef DP_PARQUET_DEC_PRIV_H
#define DP_PARQUET_DEC_PRIV_H

#include <dp/base/buf.h>
#include <string.h>

static inline uint32_t dp_load32(const void *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t dp_load64(const void *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* ---- bit unpacking, LSB first ---- */

/* Eight bits to eight bytes. */
static inline uint64_t dp_spread_bits(uint8_t b) {
    uint64_t x = ((uint64_t)b * UINT64_C(0x0101010101010101)) & UINT64_C(0x8040201008040201);
    return ((x + UINT64_C(0x7F7F7F7F7F7F7F7F)) >> 7) & UINT64_C(0x0101010101010101);
}

/* 32 values of `width` (0..32) bits; reads exactly 4 * width bytes. */
void dp_pq_unpack32(const uint8_t *p, unsigned width, uint32_t out[32]);
/* Up to n values of `width` (0..32) bits from `bytes` readable ones, as many as go by whole blocks; a multiple of 8 is returned, perhaps 0. */
size_t dp_pq_unpack_run(const uint8_t *p, size_t bytes, unsigned width, size_t n, uint32_t *out);
size_t dp_pq_unpack_run_portable(const uint8_t *p, size_t bytes, unsigned width, size_t n, uint32_t *out);
/* n values of `width` (0..64) bits; reads ceil(n * width / 8) bytes. */
void dp_pq_unpack64(const uint8_t *p, unsigned width, size_t n, uint64_t *out);

/* ---- RLE / bit-packed hybrid ---- */

struct dp_hybrid {
    const uint8_t *p, *end;
    const uint8_t *packed, *packed_end; /* bytes of the packed run at hand */
    uint64_t packed_left;               /* values of it that are not in buf yet */
    uint64_t run_left;
    uint32_t run_value;
    unsigned width;
    unsigned buf_pos, buf_n;
    uint32_t buf[32];
    const char *fault;
};

void dp_hybrid_init(struct dp_hybrid *h, const uint8_t *p, size_t n, unsigned width);
/* Returns how many of n were there. */
size_t dp_hybrid_get(struct dp_hybrid *h, uint32_t *out, size_t n);
size_t dp_hybrid_get_u8(struct dp_hybrid *h, uint8_t *out, size_t n);
/* If the next values are copies of one: their number (at most n) and the value, and they are consumed; else 0. */
size_t dp_hybrid_run(struct dp_hybrid *h, size_t n, uint32_t *value);

/* ---- levels ---- */

struct dp_levels {
    enum { DP_LEVELS_ZERO, DP_LEVELS_HYBRID, DP_LEVELS_PACKED } kind;
    struct dp_hybrid h;
    const uint8_t *p; /* PACKED: MSB first */
    uint64_t bit, bits;
    unsigned width;
    uint8_t max;
};

/* Bits that hold `max`. */
unsigned dp_level_width(unsigned max);
void dp_levels_init_zero(struct dp_levels *l);
void dp_levels_init_hybrid(struct dp_levels *l, const uint8_t *p, size_t n, unsigned max);
void dp_levels_init_packed(struct dp_levels *l, const uint8_t *p, size_t n, unsigned max);
/* Exactly n levels, none above max; false otherwise (*fault says why). */
bool dp_levels_get(struct dp_levels *l, uint8_t *out, size_t n, const char **fault);

/* ---- DELTA_BINARY_PACKED ---- */

struct dp_delta {
    const uint8_t *p, *end;
    bool narrow;              /* INT32: arithmetic of 32 bits */
    uint64_t left;            /* values not handed out yet */
    uint64_t value;           /* the value before the next */
    bool first;
    uint64_t min_delta;
    uint64_t per_mini;        /* values in a miniblock */
    uint32_t n_minis, mini;   /* mini == n_minis: a new block is due */
    const uint8_t *widths;
    uint64_t mini_left;       /* values of the miniblock at hand not unpacked yet */
    const uint8_t *mini_p;
    unsigned mini_width;
    const char *fault;
};

bool dp_delta_init(struct dp_delta *d, const uint8_t *p, size_t n, bool narrow);
size_t dp_delta_get(struct dp_delta *d, int64_t *out, size_t n);
size_t dp_delta_get32(struct dp_delta *d, int32_t *out, size_t n);
/* Behind the encoded values, without decoding them; NULL: they are cut short. `d` must be fresh from init. */
const uint8_t *dp_delta_end(const struct dp_delta *d);

/* ---- byte arrays ---- */

/* DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY: one value after the other. */
struct dp_delta_bytes {
    struct dp_delta prefix, length;
    bool has_prefix;
    const uint8_t *p, *end;
    uint32_t lengths[64], prefixes[64]; /* read ahead */
    unsigned pos, n;
    const char *fault;
};

/* `previous` (DELTA_BYTE_ARRAY) is the caller's buffer with the value before. */
bool dp_delta_length_init(struct dp_delta_bytes *d, const uint8_t *p, size_t n);
bool dp_delta_prefix_init(struct dp_delta_bytes *d, const uint8_t *p, size_t n);
/* The next value's prefix length (0 without prefixes) and suffix; false: fault. */
bool dp_delta_bytes_next(struct dp_delta_bytes *d, uint32_t *prefix, struct dp_str *suffix);

/* ---- BYTE_STREAM_SPLIT ---- */

/* Values [from, from + n) of `total` values of `width` bytes each in width streams. */
void dp_pq_unsplit(const uint8_t *p, size_t total, size_t width, size_t from, size_t n, uint8_t *out);

/* ---- DECIMAL, INT96 ---- */

/* Big endian two's complement of n bytes to 16 bytes little endian; false: it needs more than 128 bits. */
bool dp_pq_decimal(const uint8_t *p, size_t n, uint8_t out[16]);
/* Decimals that 128 bits do not hold: at most so many bytes and digits, and the text of one. */
#define DP_PQ_WIDE_BYTES 128
#define DP_PQ_WIDE_DIGITS 307
#define DP_PQ_WIDE_TEXT (2 * DP_PQ_WIDE_DIGITS + 16)
/* Big endian two's complement of n <= DP_PQ_WIDE_BYTES bytes as a number with `scale` <= DP_PQ_WIDE_DIGITS digits behind the point; returns the length. */
size_t dp_pq_wide_decimal(const uint8_t *p, size_t n, unsigned scale, char out[DP_PQ_WIDE_TEXT]);
/*
 * Julian day and nanoseconds to microseconds since 1970.  Wraps in 64 bits: Spark's writer lets the day wrap for far years, its reader
 * wraps back, and so the year 290000 comes out right.
 */
int64_t dp_pq_int96_micros(const uint8_t p[12]);

#endif
