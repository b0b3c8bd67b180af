/* BYTE_STREAM_SPLIT and bit unpacking against one value after the other; decimals and INT96 of any bytes.  input: width, from, then data. */
#include "../../lib/parquet/dec_priv.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void split(const uint8_t *p, size_t n, size_t width, size_t from) {
    size_t total = n / width;
    if (from > total) from = total;
    uint8_t *out = malloc((total - from) * width + 1);
    if (!out) abort();
    dp_pq_unsplit(p, total, width, from, total - from, out);
    for (size_t i = from; i < total; i++)
        for (size_t j = 0; j < width; j++)
            if (out[(i - from) * width + j] != p[j * total + i]) abort();
    free(out);
}

static void unpack(const uint8_t *p, size_t n, unsigned width) {
    uint64_t wide[32];
    uint32_t narrow[32];
    if (width > 64 || n < 4 * (size_t)width) return;
    dp_pq_unpack64(p, width, 32, wide);
    for (size_t i = 0; i < 32; i++) {
        uint64_t v = 0;
        for (unsigned b = 0; b < width; b++) v |= (uint64_t)(p[(i * width + b) >> 3] >> ((i * width + b) & 7) & 1) << b;
        if (v != wide[i]) abort();
    }
    if (width > 32) return;
    dp_pq_unpack32(p, width, narrow);
    for (size_t i = 0; i < 32; i++)
        if (narrow[i] != wide[i]) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    if (n < 2) return 0;
    unsigned width = p[0] % 70;
    size_t from = p[1];
    uint8_t decimal[16];
    p += 2, n -= 2;
    if (width) split(p, n, width, from);
    unpack(p, n, width);
    (void)dp_pq_decimal(p, n, decimal);
    if (n >= 12) (void)dp_pq_int96_micros(p);
    return 0;
}
