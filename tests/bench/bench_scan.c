/*
 * Times the NDJSON scanner over a file: MB/s for each engine that runs here, best of some rounds; bytes in memory.
 * usage: bench_scan FILE [ROUNDS [CHUNK_KIB [ENGINE]]]
 */
#include <dp/record/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t whole_lines(const char *p, size_t n, size_t want) {
    if (want >= n) return n;
    const char *lf = memchr(p + want, '\n', n - want);
    return lf ? (size_t)(lf - p) + 1 : n;
}

/* One pass in chunks; returns the number of good records and adds up nodes so that nothing is left out. */
static size_t pass(struct dp_scan *s, const char *p, size_t n, size_t chunk, size_t *nodes, size_t *bad) {
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    size_t good = 0;
    for (size_t at = 0, take; at < n; at += take) {
        take = whole_lines(p + at, n - at, chunk);
        dp_scan_begin(s, p + at, take);
        for (enum dp_status st; (st = dp_scan_next(s, &r, &err)) != DP_END;) {
            if (st == DP_OK) good++, *nodes += r.n_nodes;
            else ++*bad;
        }
    }
    return good;
}

int main(int argc, char **argv) {
    static const enum dp_scan_engine engines[] = {DP_SCAN_PORTABLE, DP_SCAN_SSE42, DP_SCAN_AVX2, DP_SCAN_AVX512, DP_SCAN_AVX512_WIDE, DP_SCAN_NEON};
    if (argc < 2) return fputs("usage: bench_scan FILE [ROUNDS [CHUNK_KIB [ENGINE]]]\n", stderr), 2;
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    size_t chunk = (argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 1024) << 10;
    FILE *f = fopen(argv[1], "rb");
    if (!f) return perror(argv[1]), 3;
    struct dp_buf b = {0};
    for (size_t got; (got = fread(dp_buf_reserve(&b, 1 << 20), 1, 1 << 20, f)) > 0;) b.n += got;
    fclose(f);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    for (size_t e = 0; e < sizeof engines / sizeof engines[0]; e++) {
        struct dp_scan *s = dp_scan_open(0, engines[e]);
        bool wanted = argc <= 4 || strcmp(dp_scan_engine_name(s), argv[4]) == 0;
        if (!wanted) {
            dp_scan_close(s);
            continue;
        }
        if (engines[e] == DP_SCAN_PORTABLE || strcmp(dp_scan_engine_name(s), "portable") != 0) {
            double best = 1e9;
            size_t good = 0, nodes = 0, bad = 0;
            for (int i = 0; i < rounds; i++) {
                nodes = bad = 0;
                double t = now();
                good = pass(s, b.p, b.n, chunk, &nodes, &bad);
                t = now() - t;
                if (t < best) best = t;
            }
            printf("%-9s %8.0f MB/s  %7.1f ns/record  %zu records, %zu bad, %zu nodes\n", dp_scan_engine_name(s), (double)b.n / best / 1e6,
                   best * 1e9 / (double)(good ? good : 1), good, bad, nodes);
        }
        dp_scan_close(s);
    }
    dp_buf_release(&b);
    return 0;
}
