/* The three DELTA encodings from hostile bytes: any step gives the same values.  input: step, then data. */
#include "../../lib/parquet/dec_priv.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MOST = 3000 };

static void numbers(const uint8_t *p, size_t n, bool narrow, size_t step) {
    static int64_t a[MOST], b[MOST];
    static int32_t c[MOST];
    struct dp_delta x, y, z;
    if (!dp_delta_init(&x, p, n, narrow)) return;
    y = z = x;
    const uint8_t *end = dp_delta_end(&x);
    if (end && (end < p || end > p + n)) abort();
    size_t all = dp_delta_get(&x, a, MOST), got = 0;
    for (size_t some = step; got + step <= MOST && some == step; got += some) some = dp_delta_get(&y, b + got, step);
    if (got > all || memcmp(a, b, got * 8)) abort();
    if (!narrow) return;
    if (dp_delta_get32(&z, c, MOST) > all) abort();
    for (size_t i = 0; i < got; i++)
        if (a[i] != c[i]) abort();
}

static void strings(struct dp_delta_bytes *d, const uint8_t *p, size_t n) {
    uint32_t prefix;
    struct dp_str s;
    for (int i = 0; i < MOST && dp_delta_bytes_next(d, &prefix, &s); i++)
        if (s.n && ((const uint8_t *)s.p < p || (const uint8_t *)s.p + s.n > p + n)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct dp_delta_bytes d;
    if (n < 1) return 0;
    size_t step = (size_t)p[0] % 140 + 1;
    p++, n--;
    numbers(p, n, true, step);
    numbers(p, n, false, step);
    if (dp_delta_length_init(&d, p, n)) strings(&d, p, n);
    if (dp_delta_prefix_init(&d, p, n)) strings(&d, p, n);
    return 0;
}
