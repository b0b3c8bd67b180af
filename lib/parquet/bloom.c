/*
 * Split-block bloom filters over XXH64 of the PLAIN value (spec: Parquet BloomFilter).  How many values are distinct is not known before: a
 * filter begins with room for all of them and is folded in halves as long as its share of false hits allows.
 */
#include "enc_priv.h"

#include <math.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define MAX_BYTES (1u << 20)

static const uint32_t salt[8] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du, 0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

static uint8_t *block_of(uint8_t *bits, size_t n_bytes, uint64_t hash) { return bits + 32 * (size_t)((hash >> 32) * (n_bytes / 32) >> 32); }

static void insert(uint8_t *bits, size_t n_bytes, uint64_t hash) {
    uint8_t *block = block_of(bits, n_bytes, hash);
    for (size_t i = 0; i < 8; i++) {
        uint32_t word, bit = 1u << ((uint32_t)hash * salt[i] >> 27);
        memcpy(&word, block + 4 * i, 4);
        word |= bit;
        memcpy(block + 4 * i, &word, 4);
    }
}

bool dp_pq_bloom_maybe(const uint8_t *bits, size_t n_bytes, uint64_t hash) {
    const uint8_t *block = bits + 32 * (size_t)((hash >> 32) * (n_bytes / 32) >> 32);
    for (size_t i = 0; i < 8; i++) {
        uint32_t word;
        memcpy(&word, block + 4 * i, 4);
        if (!(word >> ((uint32_t)hash * salt[i] >> 27) & 1)) return false;
    }
    return true;
}

static size_t filter_bytes(size_t n_values, double fpp) {
    size_t n = 32;
    double bits = -8 / log(1 - sqrt(sqrt(sqrt(fpp)))) * (double)n_values;
    while (n < MAX_BYTES && (double)n * 8 < bits) n *= 2;
    return n;
}

/* The share of false hits when every two neighbours among the blocks were one. */
static double folded_fpp(const uint8_t *bits, size_t n_bytes) {
    double total = 0;
    for (size_t i = 0; i < n_bytes; i += 64) {
        double all = 1;
        for (size_t k = 0; k < 32; k += 4) {
            uint32_t a, b;
            memcpy(&a, bits + i + k, 4), memcpy(&b, bits + i + 32 + k, 4);
            all *= __builtin_popcount(a | b) / 32.0;
        }
        total += all;
    }
    return total / (double)(n_bytes / 64);
}

/* A block's number is the upper part of a product with how many there are: of half as many it is half of that. */
static void fold(uint8_t *bits, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes / 2; i++) {
        size_t at = i / 32 * 64 + i % 32;
        bits[i] = bits[at] | bits[at + 32];
    }
}

static void put_header(struct dp_buf *out, size_t n) {
    int last = 0;
    dp_tw_i32(out, &last, 1, (int32_t)n);
    for (int id = 2; id <= 4; id++) { /* SplitBlockAlgorithm, XxHash, Uncompressed: unions whose first member is set */
        int in = 0;
        dp_tw_head(out, &last, id, DP_TT_STRUCT);
        dp_tw_empty(out, &in, 1);
        dp_tw_stop(out);
    }
    dp_tw_stop(out);
}

void dp_pq_bloom_write(const struct dp_pq_values *v, double fpp, struct dp_buf *out) {
    size_t n = filter_bytes(v->n, fpp);
    uint8_t *bits = dp_calloc(n, 1);
    for (size_t i = 0; i < v->n; i++) {
        const uint8_t *p = v->spans ? v->bytes + v->spans[i].off : v->fixed + i * (size_t)v->width;
        insert(bits, n, XXH64(p, v->spans ? v->spans[i].len : (size_t)v->width, 0));
    }
    for (; n > 32 && folded_fpp(bits, n) <= fpp; n /= 2) fold(bits, n);
    put_header(out, n);
    dp_buf_add(out, bits, n);
    free(bits);
}
