/* Key sets against a sorted reference: in memory, with runs and merges, keys of every length, failing disks. */
#include "dpt.h"

#include <dp/base/mem.h>
#include <dp/io/keyset.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/* A number that looks random, the same in every run. */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The i-th input: values repeat; every third is spelled long. */
static size_t input(uint64_t i, uint64_t values, char text[64]) {
    uint64_t v = mix(i) % values;
    return (size_t)snprintf(text, 64, v % 3 ? "%llu" : "order-of-the-north-%llu", (unsigned long long)v);
}

enum { BATCH = 1000 };

static void against_reference(uint64_t n, uint64_t values, uint64_t memory, bool spills) {
    struct dp_keyset *k = dp_keyset_open(memory);
    struct dp_err err = DP_ERR_INIT;
    unsigned char *known = dp_calloc((size_t)values, 1);
    uint64_t distinct = 0, wrong = 0;
    struct dp_key keys[BATCH];
    bool seen[BATCH];
    for (uint64_t i = 0; i < n; i += BATCH) {
        size_t m = n - i < BATCH ? (size_t)(n - i) : BATCH;
        for (size_t j = 0; j < m; j++) {
            char text[64];
            size_t len = input(i + j, values, text);
            keys[j] = dp_keyset_key(k, dp_str(text, len));
        }
        if (dp_keyset_add(k, keys, m, seen, &err) != DP_OK) fail_msg("%s", err.msg);
        for (size_t j = 0; j < m; j++) {
            uint64_t v = mix(i + j) % values;
            wrong += seen[j] != known[v];
            distinct += !known[v];
            known[v] = 1;
        }
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(dp_keyset_count(k), distinct);
    assert_int_equal(dp_keyset_spilled(k) > 0, spills);
    bool has = false;
    for (uint64_t i = 0; i < n; i += 97) {
        char text[64];
        size_t len = input(i, values, text);
        assert_int_equal(dp_keyset_has(k, dp_keyset_key(k, dp_str(text, len)), &has, &err), DP_OK);
        wrong += !has;
        text[0] = 'x'; /* no key begins so */
        assert_int_equal(dp_keyset_has(k, dp_keyset_key(k, dp_str(text, len)), &has, &err), DP_OK);
        wrong += has;
    }
    assert_int_equal(wrong, 0);
    free(known);
    dp_keyset_close(k);
}

static void in_memory(void **state) {
    (void)state;
    against_reference(200000, 150000, UINT64_C(16) << 20, false);
    against_reference(0, 1, 0, false);
    against_reference(1, 1, 0, false);
}

/* 1 MiB holds 40,000 keys: 40 runs of 26,000, merged twice over. */
static void spilling(void **state) {
    (void)state;
    against_reference(1300000, 1000000, 0, true);
    against_reference(50000, 50000000, 0, true);
}

/* Keys that differ in their last byte, in a trailing NUL, in length; the empty one. */
static void lengths(void **state) {
    (void)state;
    struct dp_keyset *k = dp_keyset_open(0);
    struct dp_err err = DP_ERR_INIT;
    char text[300] = {0};
    bool seen;
    for (int turn = 0; turn < 2; turn++)
        for (size_t n = 0; n < sizeof text; n++)
            for (int last = 0; last < (n ? 256 : 1); last += 51) {
                if (n) text[n - 1] = (char)last;
                struct dp_key key = dp_keyset_key(k, dp_str(text, n));
                assert_int_equal(dp_keyset_add(k, &key, 1, &seen, &err), DP_OK);
                assert_int_equal(seen, turn);
                if (n) text[n - 1] = 0;
            }
    /* the key that looks like nothing */
    struct dp_key zero = {{0, 0}};
    bool has = true;
    assert_int_equal(dp_keyset_has(k, zero, &has, &err), DP_OK);
    assert_false(has);
    uint64_t before = dp_keyset_count(k);
    assert_int_equal(dp_keyset_add(k, &zero, 1, &seen, &err), DP_OK);
    assert_false(seen);
    assert_int_equal(dp_keyset_add(k, &zero, 1, &seen, &err), DP_OK);
    assert_true(seen);
    assert_int_equal(dp_keyset_has(k, zero, &has, &err), DP_OK);
    assert_true(has);
    assert_int_equal(dp_keyset_count(k), before + 1);
    dp_keyset_close(k);
}

/* In one call: the second of two equal keys was seen. */
static void in_one_call(void **state) {
    (void)state;
    struct dp_keyset *k = dp_keyset_open(0);
    struct dp_err err = DP_ERR_INIT;
    struct dp_key keys[3] = {dp_keyset_key(k, DP_STR("a")), dp_keyset_key(k, DP_STR("b")), dp_keyset_key(k, DP_STR("a"))};
    bool seen[3];
    assert_int_equal(dp_keyset_add(k, keys, 3, seen, &err), DP_OK);
    assert_false(seen[0] || seen[1]);
    assert_true(seen[2]);
    assert_int_equal(dp_keyset_find(k, keys, 3, seen, &err), DP_OK);
    assert_true(seen[0] && seen[1] && seen[2]);
    dp_keyset_close(k);
}

/* Adds n keys; the status of the first call that fails. */
static enum dp_status fill(struct dp_keyset *k, uint64_t n, struct dp_err *err) {
    struct dp_key keys[BATCH];
    bool seen[BATCH];
    for (uint64_t i = 0; i < n; i += BATCH) {
        for (size_t j = 0; j < BATCH; j++) keys[j] = (struct dp_key){{mix(2 * (i + j)), mix(2 * (i + j) + 1)}};
        DP_TRY(dp_keyset_add(k, keys, BATCH, seen, err));
    }
    return DP_OK;
}

/* A full disk while a run is written, and while runs are merged; a directory that is not there. */
static void failing(void **state) {
    (void)state;
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    static const rlim_t limits[] = {100 << 10, 700 << 10, 1 << 20};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct dp_keyset *k = dp_keyset_open(0);
        struct dp_err err = DP_ERR_INIT;
        small = old;
        small.rlim_cur = limits[i];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        enum dp_status status = fill(k, 400000, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, DP_IO);
        assert_non_null(strstr(err.msg, "spilling keys"));
        dp_keyset_close(k);
    }
    (void)signal(SIGXFSZ, handler);
    char *dir = getenv("TMPDIR") ? dp_strdup(getenv("TMPDIR")) : NULL;
    assert_int_equal(setenv("TMPDIR", "/nonexistent", 1), 0);
    struct dp_keyset *k = dp_keyset_open(0);
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(fill(k, 30000, &err), DP_OK); /* no file is made before it is needed */
    assert_int_equal(fill(k, 400000, &err), DP_IO);
    assert_non_null(strstr(err.msg, "/nonexistent"));
    dp_keyset_close(k);
    if (dir) assert_int_equal(setenv("TMPDIR", dir, 1), 0);
    else assert_int_equal(unsetenv("TMPDIR"), 0);
    free(dir);
}

static size_t entries(const char *dir) {
    DIR *d = opendir(dir);
    size_t n = 0;
    assert_non_null(d);
    while (readdir(d)) n++;
    assert_int_equal(closedir(d), 0);
    return n;
}

/* A process that is killed between two runs leaves nothing in $TMPDIR. */
static void killed(void **state) {
    (void)state;
    char dir[] = "/tmp/t_keyset-XXXXXX";
    assert_non_null(mkdtemp(dir));
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        (void)setenv("TMPDIR", dir, 1);
        struct dp_keyset *k = dp_keyset_open(0);
        struct dp_err err = DP_ERR_INIT;
        if (fill(k, 200000, &err) != DP_OK || !dp_keyset_spilled(k)) _exit(1);
        (void)kill(getpid(), SIGKILL);
        _exit(2);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    assert_int_equal(entries(dir), 2);
    assert_int_equal(rmdir(dir), 0);
}

/* DP_BENCH_KEYS=5000000 DP_BENCH_MEMORY=160000000: nanoseconds a key, for people. */
static void measured(void **state) {
    (void)state;
    const char *z = getenv("DP_BENCH_KEYS"), *memory = getenv("DP_BENCH_MEMORY");
    if (!z) skip();
    struct dp_keyset *k = dp_keyset_open(memory ? strtoull(memory, NULL, 10) : UINT64_C(160) << 20);
    struct dp_err err = DP_ERR_INIT;
    struct timespec a, b;
    uint64_t n = strtoull(z, NULL, 10);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &a), 0);
    struct dp_key keys[4096];
    bool seen[4096];
    for (uint64_t i = 0; i < n; i += 4096) {
        for (size_t j = 0; j < 4096; j++) {
            char text[37];
            (void)memset(text, '-', sizeof text);
            uint64_t v = mix(i + j);
            for (int c = 0; c < 16; c++, v >>= 4) text[c * 2] = "0123456789abcdef"[v & 15];
            keys[j] = dp_keyset_key(k, dp_str(text, 36));
        }
        assert_int_equal(dp_keyset_add(k, keys, 4096, seen, &err), DP_OK);
    }
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &b), 0);
    struct rusage u;
    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    print_message("%llu keys: %.1f ns each, %llu distinct, %llu bytes spilled, %ld KiB at most\n", (unsigned long long)n,
                  ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n, (unsigned long long)dp_keyset_count(k),
                  (unsigned long long)dp_keyset_spilled(k), u.ru_maxrss);
    dp_keyset_close(k);
}

/* All keys of one set, in another one with its seed, are there. */
static enum dp_status add_some(void *ctx, const struct dp_key *keys, size_t n, struct dp_err *err) {
    bool seen[1 << 12];
    for (size_t at = 0; at < n; at += sizeof seen) {
        size_t some = n - at < sizeof seen ? n - at : sizeof seen;
        DP_TRY(dp_keyset_add(ctx, keys + at, some, seen, err));
        for (size_t i = 0; i < some; i++) assert_false(seen[i]);
    }
    return DP_OK;
}

static void copied(void **state) {
    (void)state;
    struct dp_err err = DP_ERR_INIT;
    const uint64_t sizes[] = {0, 100, 300000}; /* the last one spills */
    for (size_t k = 0; k < 3; k++) {
        struct dp_keyset *a = dp_keyset_open(0), *b = dp_keyset_open(UINT64_C(64) << 20);
        uint64_t seed[3];
        bool seen;
        dp_keyset_seed(a, seed);
        dp_keyset_set_seed(b, seed);
        for (uint64_t i = 0; i < sizes[k]; i++) {
            const struct dp_key key = dp_keyset_key(a, dp_str((const char *)&i, sizeof i));
            assert_int_equal(dp_keyset_add(a, &key, 1, &seen, &err), DP_OK);
        }
        assert_int_equal(dp_keyset_spilled(a) > 0, k == 2);
        assert_int_equal(dp_keyset_each(a, add_some, b, &err), DP_OK);
        assert_int_equal(dp_keyset_count(b), sizes[k]);
        for (uint64_t i = 0; i < sizes[k]; i += sizes[k] / 7 + 1) {
            assert_int_equal(dp_keyset_has(b, dp_keyset_key(b, dp_str((const char *)&i, sizeof i)), &seen, &err), DP_OK);
            assert_true(seen);
        }
        dp_keyset_close(a);
        dp_keyset_close(b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(copied), cmocka_unit_test(in_memory), cmocka_unit_test(spilling), cmocka_unit_test(lengths), cmocka_unit_test(in_one_call),
                                       cmocka_unit_test(failing), cmocka_unit_test(killed), cmocka_unit_test(measured)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
