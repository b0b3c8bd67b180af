/* The RLE / bit-packed hybrid and levels from hostile bytes, read in three ways that must agree.  input: width, step, then data. */
#include "../../lib/parquet/dec_priv.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MOST = 4096 };

static void hybrid(const uint8_t *p, size_t n, unsigned width, size_t step) {
    static uint32_t a[MOST], b[MOST];
    static uint8_t c[MOST];
    struct dp_hybrid x, y, z;
    dp_hybrid_init(&x, p, n, width), dp_hybrid_init(&y, p, n, width), dp_hybrid_init(&z, p, n, width);
    size_t all = dp_hybrid_get(&x, a, MOST), got = 0, narrow = 0;
    while (got < MOST) {
        uint32_t value;
        size_t k = MOST - got < step ? MOST - got : step, run = dp_hybrid_run(&y, k, &value), some = 0;
        for (size_t i = 0; i < run; i++) b[got + i] = value;
        if (run > k) abort();
        if (!run) some = dp_hybrid_get(&y, b + got, k);
        got += run + some;
        if (!run && some < k) break;
    }
    if (got != all || memcmp(a, b, all * 4)) abort();
    if (width > 8) return;
    while (narrow < MOST) {
        size_t k = MOST - narrow < step ? MOST - narrow : step, some = dp_hybrid_get_u8(&z, c + narrow, k);
        narrow += some;
        if (some < k) break;
    }
    if (narrow != all) abort();
    for (size_t i = 0; i < all; i++)
        if (c[i] != a[i]) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    if (n < 2) return 0;
    unsigned width = p[0] % 40, max = p[0];
    size_t step = (size_t)p[1] % 70 + 1;
    uint8_t out[70];
    const char *why = NULL;
    struct dp_levels l;
    p += 2, n -= 2;
    hybrid(p, n, width, step);
    dp_levels_init_hybrid(&l, p, n, max);
    for (int i = 0; i < 100 && dp_levels_get(&l, out, step, &why); i++)
        for (size_t k = 0; k < step; k++)
            if (out[k] > max) abort();
    if (max == 0) return 0;
    dp_levels_init_packed(&l, p, n, max);
    for (int i = 0; i < 100 && dp_levels_get(&l, out, step, &why); i++)
        for (size_t k = 0; k < step; k++)
            if (out[k] > max) abort();
    return 0;
}
