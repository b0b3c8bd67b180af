/* What varies in names of files, and what is the name of a thing. */
#include "dpt.h"

#include <dp/rules/fold.h>

static const char *print(const char *name, struct dp_buf *b) {
    struct dp_fold f;
    dp_buf_reset(b);
    if (!dp_fold_read(dp_str_z(name), &f)) return "";
    dp_fold_print(dp_str_z(name), &f, NULL, b);
    return dp_buf_z(b);
}

static void test_names(void **unused) {
    static const struct { const char *name, *want; } cases[] = {
        {"/d/orders/2026-11-01.csv", "/d/orders/{date}.csv"}, {"orders_20261101.csv", "orders_{date}.csv"}, {"orders20261101.csv", "orders{date}.csv"}, {"a/2026_11_01/x", "a/{date}/x"},
        {"a.2026.11.01.log", "a.{date}.log"}, {"/logs/2026/11/01/x.csv", "/logs/{date}/x.csv"}, {"/logs/2026/11/x.csv", "/logs/{date}/x.csv"}, {"/logs/2026/11/01/10/x", "/logs/{date}/{time}/x"},
        {"/x/2026-11.csv", "/x/{date}.csv"}, {"/x/2026.csv", "/x/{date}.csv"}, {"/x/2026/a.csv", "/x/{date}/a.csv"}, {"/x/2026-W45.csv", "/x/{date}.csv"}, {"/x/2026Q4.csv", "/x/{date}.csv"},
        {"/x/2026-Q4.csv", "/x/{date}.csv"}, {"events-20261101T10.json.gz", "events-{date}T{time}.json.gz"}, {"e-20261101T103059Z.json", "e-{date}T{time}.json"},
        {"e-2026-11-01T10:30:59.123456Z.json", "e-{date}T{time}.json"}, {"e-2026-11-01_10-30-59.csv", "e-{date}_{time}.csv"}, {"e-2026110110.csv", "e-{date}{time}.csv"},
        {"e-20261101103059.csv", "e-{date}{time}.csv"}, {"e-2026-11-01T10:30:00+01:00.csv", "e-{date}T{time}.csv"}, {"t/dt=2026-11-01/hour=9/x.parquet", "t/dt={date}/hour={n}/x.parquet"},
        {"t/year=2026/month=11/day=1/x", "t/year={n}/month={n}/day={n}/x"}, {"part-00001-01a20703-36d0-7421-a90b-898851ee8725.parquet", "part-{n}-{uuid}.parquet"},
        {"part-00001-01a20703-36d0-7421-a90b-898851ee8725-c000.snappy.parquet", "part-{n}-{uuid}-c{n}.snappy.parquet"}, {"part-0.csv", "part-{n}.csv"}, {"part1.csv", ""}, {"part001.csv", "part{n}.csv"},
        {"/x/17.csv", "/x/{n}.csv"}, {"/x/1700000000.json", "/x/{n}.json"}, {"batch_7.csv", "batch_{n}.csv"}, {"x_001.csv", "x_{n}.csv"}, {"x_12345.csv", "x_{n}.csv"},
        {"0123456789abcdef0123456789abcdef.bin", "{id}.bin"}, {"run=01a20703-36d0-7421-a90b-898851ee8725/x", "run={uuid}/x"},
        /* names of things */
        {"/t/v1/x.csv", ""}, {"/t/v2/x.csv", ""}, {"/t/1/x.csv", ""}, {"orders2.csv", ""}, {"orders-2.csv", ""}, {"s3.csv", ""}, {"a-1.2.3.jar", ""}, {"country=DE/x.csv", ""}, {"x-2026-13-01.csv", ""},
        {"report2026.csv", ""}, {"x_20261399.txt2", "x_{n}.txt2"}, {"md5/feed2024.csv", ""}, {"deadbeefdeadbeef.bin", ""}, {"", ""}, {"/", ""}, {"2026", "{date}"}, {"x/{date}/2026-11-01.csv", ""},
        {"1900x", ""}, {"12345a.csv", ""}, {"h264.mp4", ""}, {"/2026/13/x", "/{date}/13/x"}};
    struct dp_buf b = {0};
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = print(cases[i].name, &b);
        if (strcmp(got, cases[i].want) != 0) fail_msg("%s: \"%s\", not \"%s\"", cases[i].name, got, cases[i].want);
        if (!*got) continue;
        if (!dp_fold_matches(dp_str_z(got), dp_str_z(cases[i].name))) fail_msg("%s: %s does not match", cases[i].name, got);
        assert_true(dp_fold_is_printed(dp_str_z(got)));
    }
    dp_buf_release(&b);
}

static void test_matches(void **unused) {
    static const struct { const char *printed, *name; bool want; } cases[] = {
        {"/a/2026-11-01/part-{n}.csv", "/a/2026-11-01/part-3.csv", true}, {"/a/2026-11-01/part-{n}.csv", "/a/2026-11-02/part-3.csv", false}, {"/a/{date}.csv", "/a/{date}.csv", false},
        {"/a/{date}.csv", "/a/2026-11-01.csv2", false}, {"/a/{date}.csv", "/a/x.csv", false}, {"/a/{n}.csv", "/a/2026-11-01.csv", false}, {"", "/a/2026-11-01.csv", false}};
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (dp_fold_matches(dp_str_z(cases[i].printed), dp_str_z(cases[i].name)) != cases[i].want) fail_msg("%s %s", cases[i].printed, cases[i].name);
    assert_false(dp_fold_is_printed(DP_STR("/a/{x}.csv")));
    assert_true(dp_fold_is_of_files(DP_STR("file")) && dp_fold_is_of_files(DP_STR("s3://b")) && dp_fold_is_of_files(DP_STR("abfss://c@a")));
    assert_false(dp_fold_is_of_files(DP_STR("postgres://h:1")) || dp_fold_is_of_files(DP_STR("files")) || dp_fold_is_of_files(DP_STR("kafka://h")));
}

/* As many parts as are told of, and one more; some that stay as they are. */
static void test_parts(void **unused) {
    struct dp_buf b = {0};
    struct dp_fold f;
    bool same[DP_FOLD_PARTS] = {true};
    (void)unused;
    for (int i = 0; i < DP_FOLD_PARTS; i++) dp_buf_addf(&b, "/part-%d", i);
    assert_true(dp_fold_read(dp_buf_str(&b), &f));
    assert_int_equal(f.n, DP_FOLD_PARTS);
    dp_buf_addz(&b, "/part-1");
    assert_false(dp_fold_read(dp_buf_str(&b), &f));
    dp_buf_reset(&b);
    struct dp_str name = DP_STR("2026-11-01/part-7.csv");
    assert_true(dp_fold_read(name, &f));
    dp_fold_print(name, &f, same, &b);
    assert_string_equal(dp_buf_z(&b), "2026-11-01/part-{n}.csv");
    dp_buf_release(&b);
}

static void test_groups(void **unused) {
    static const struct { const char *ns, *name; bool is_apart; const char *want; } cases[] = {
        {"file", "/run-12345/a/2026-11-01/part-1.csv", false, "/run-12345/a/2026-11-01/part-{n}.csv"}, {"file", "/run-12345/a/2026-11-01/part-2.csv", false, "/run-12345/a/2026-11-01/part-{n}.csv"},
        {"s3://b", "/run-12345/a/2026-11-01/part-1.csv", false, ""}, {"pg://h", "x/2026-11-01", false, ""}, {"pg://h", "x/2026-11-02", false, ""},
        {"file", "/t/v1/x.csv", false, ""}, {"file", "/t/v2/x.csv", false, ""}, {"file", "/b/2026-11-01", true, ""}, {"file", "/b/2026-11-02", false, "/b/{date}"}, {"file", "/b/2026-11-03", false, "/b/{date}"}};
    enum { N = sizeof cases / sizeof cases[0] };
    struct dp_fold_name v[N];
    struct dp_arena a = {0};
    struct dp_fold_group *groups;
    (void)unused;
    for (size_t i = 0; i < N; i++) v[i] = (struct dp_fold_name){dp_str_z(cases[i].ns), dp_str_z(cases[i].name), cases[i].is_apart, 0};
    size_t n = dp_fold_group(v, N, &a, &groups);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < N; i++) {
        if (!*cases[i].want) {
            assert_int_equal(v[i].group, DP_FOLD_ALONE);
            continue;
        }
        assert_true(dp_str_eqz(groups[v[i].group].name, cases[i].want));
        assert_int_equal(groups[v[i].group].n, 2);
    }
    free(groups);
    assert_int_equal(dp_fold_group(v, 0, &a, &groups), 0);
    free(groups);
    dp_arena_release(&a);
}

/* Any bytes: parts lie inside, in order, and the printed name matches. */
static void test_any(void **unused) {
    static const char letters[] = "0129-_./:TZQWc=aefx{}";
    struct dp_buf b = {0};
    uint64_t seed = 7;
    (void)unused;
    for (int round = 0; round < 200000; round++) {
        char name[48];
        size_t n = 0;
        for (seed = seed * 6364136223846793005u + 1442695040888963407u; n < (seed >> 58) % sizeof name; n++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            name[n] = letters[(seed >> 33) % (sizeof letters - 1)];
        }
        struct dp_fold f;
        char *own = malloc(n + 1); /* of its exact size, so that a look past it is seen */
        memcpy(own, name, n);
        struct dp_str s = dp_str(own, n);
        if (dp_fold_read(s, &f)) {
            size_t end = 0;
            for (size_t i = 0; i < f.n; end = f.part[i].at + f.part[i].n, i++) assert_true(f.part[i].at >= end && f.part[i].n && f.part[i].at + f.part[i].n <= n);
            dp_buf_reset(&b);
            dp_fold_print(s, &f, NULL, &b);
            assert_true(dp_fold_matches(dp_buf_str(&b), s));
        }
        free(own);
    }
    dp_buf_release(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_matches), cmocka_unit_test(test_parts), cmocka_unit_test(test_groups), cmocka_unit_test(test_any)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
