/* What is a trace of a value in bytes, records, names and bounds, and what only looks like one. */
#include "../../lib/io/traces_priv.h"
#include "dpt.h"

static const struct dp_trace_value values[] = {{{"mail", 4}, {"ann\"b@example.org", 17}}, {{"id", 2}, {"42", 2}}, {{"name", 4}, {"a very long name of a person, longer than any bound", 51}}};
enum { N = sizeof values / sizeof *values };
static const struct dp_trace_value aliases[] = {{{"col-7", 5}, {"42", 2}}};
static const size_t alias_of[] = {1};

struct rig { struct trace_set set; struct trace_search s; uint64_t counts[DP_TRACE_KINDS * N]; struct dp_run run; };

static void set_up(struct rig *r) {
    memset(r, 0, sizeof *r);
    trace_set_make(&r->set, values, N, aliases, alias_of, 1);
    r->run.max_record = 1 << 20;
    trace_search_open(&r->s, &r->run, &r->set);
    r->s.counts = r->counts;
}
static void tear_down(struct rig *r) {
    trace_search_close(&r->s);
    trace_set_release(&r->set);
}

static const struct { const char *lines; unsigned found[N]; } records[] = {
    {"{\"id\":42}", {0, 1, 0}}, {"{\"id\":42.0}", {0, 1, 0}}, {"{\"id\":\"42\"}", {0, 1, 0}}, {"{\"id\":[7,42]}", {0, 1, 0}}, {"{\"a\":{\"id\":42}}", {0, 1, 0}}, {"{\"col-7\":42}", {0, 1, 0}},
    {"{\"id\":420}", {0}}, {"{\"id\":142}", {0}}, {"{\"other\":42}", {0}}, {"{\"other\":\"42\"}", {0}}, {"{\"id\":{\"other\":42}}", {0}}, {"{\"id\":\"x42\"}", {0}}, {"{\"id\":-42}", {0}},
    {"{\"id\":42}\n{\"id\":43}\n{\"id\":42}\n", {0, 2, 0}}, {"{\"id\":42,\"mail\":\"ann\\\"b@example.org\"}", {1, 1, 0}},
    {"{\"mail\":\"ann\\\"b@example.org\"}", {1, 0, 0}}, {"{\"text\":\"write to ann\\\"b@example.org, or not\"}", {1, 0, 0}}, {"{\"ann\\\"b@example.org\":1}", {1, 0, 0}},
    {"{\"mail\":\"ann@example.org\"}", {0}},
    /* statistics stand as JSON in a text, cut, an upper bound raised */
    {"{\"add\":{\"path\":\"x\",\"stats\":\"{\\\"minValues\\\":{\\\"id\\\":42}}\"}}", {0, 1, 0}}, {"{\"stats\":\"{\\\"maxValues\\\":{\\\"id\\\":43}}\"}", {0}},
    {"{\"stats\":\"{\\\"minValues\\\":{\\\"name\\\":\\\"a very long name of a person, lon\\\"}}\"}", {0, 0, 1}}, {"{\"stats\":\"{\\\"maxValues\\\":{\\\"name\\\":\\\"a very long name of a person, loo\\\"}}\"}", {0, 0, 1}},
    {"{\"stats\":\"{\\\"minValues\\\":{\\\"name\\\":\\\"a very long name of a town\\\"}}\"}", {0}}, {"{\"city\":\"a very long name of a person, lon\"}", {0}},
    /* partition values and paths */
    {"{\"add\":{\"path\":\"id=42/part-0.parquet\",\"partitionValues\":{\"id\":\"42\"}}}", {0, 1, 0}}, {"{\"add\":{\"path\":\"id=42/part-0.parquet\"}}", {0, 1, 0}}, {"{\"path\":\"id=421/part-0.parquet\"}", {0}},
    {"{\"path\":\"mail=ann%2522b@example.org/part\"}", {1, 0, 0}}, {"no record of 42, but ann\"b@example.org\n", {1, 0, 0}}, {"", {0}}};

static void test_records(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        struct rig r;
        struct dp_buf text = {0};
        set_up(&r);
        dp_buf_addz(&text, records[i].lines);
        memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        trace_lines(&r.s, dp_buf_str(&text));
        for (size_t k = 0; k < N; k++)
            if (r.counts[DP_TRACE_ROW * N + k] != records[i].found[k]) fail_msg("%s: value %zu: %llu", records[i].lines, k, (unsigned long long)r.counts[DP_TRACE_ROW * N + k]);
        dp_buf_release(&text);
        tear_down(&r);
    }
}

/* A text in bytes is met once, also where blocks overlap; numbers and short ones are not looked for there. */
static void test_bytes(void **state) {
    static const char text[] = "..ann\"b@example.org....42..id=42/..ann\"b@example.org";
    (void)state;
    for (size_t cut = 0; cut <= sizeof text - 1; cut++) {
        struct rig r;
        set_up(&r);
        size_t kept = r.set.longest - 1 < cut ? r.set.longest - 1 : cut;
        trace_bytes(&r.s, dp_str(text, cut), 0, DP_TRACE_BYTES);
        trace_bytes(&r.s, dp_str(text + cut - kept, sizeof text - 1 - cut + kept), kept, DP_TRACE_BYTES);
        assert_int_equal(r.counts[DP_TRACE_BYTES * N], 2);
        assert_int_equal(r.counts[DP_TRACE_BYTES * N + 1], 1);
        tear_down(&r);
    }
}

static void test_names(void **state) {
    static const struct { const char *path; unsigned mail, id; } names[] = {
        {"t/id=42", 0, 1}, {"t/id=42/part.parquet", 0, 1}, {"t/id=421", 0, 0}, {"t/42/part", 0, 0}, {"t/mail=ann%22b@example.org/x", 1, 0}, {"t/mail=ann%22b%40example.org", 1, 0}, {"t/ann\"b@example.org.csv", 1, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct rig r;
        set_up(&r);
        trace_name(&r.s, dp_str_z(names[i].path));
        if (r.counts[DP_TRACE_NAME * N] != names[i].mail || r.counts[DP_TRACE_NAME * N + 1] != names[i].id) fail_msg("%s", names[i].path);
        tear_down(&r);
    }
}

static void test_bounds(void **state) {
    const struct dp_str whole = values[2].text;
    (void)state;
    assert_true(trace_is_bound(whole, whole));
    assert_true(trace_is_bound(DP_STR("42"), DP_STR("42")));
    assert_false(trace_is_bound(DP_STR("4"), DP_STR("42")));
    assert_false(trace_is_bound(DP_STR("43"), DP_STR("42")));
    for (size_t n = 0; n < whole.n; n++) assert_int_equal(trace_is_bound(dp_str(whole.p, n), whole), n >= 16);
    assert_true(trace_is_bound(DP_STR("a very long namf"), whole)); /* its last character raised */
    assert_false(trace_is_bound(DP_STR("a very long nxxf"), whole));
    assert_true(trace_is_bound(DP_STR("a very long name of \xf4\x8f\xbf\xbf"), whole)); /* the highest character behind the cut */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_records), cmocka_unit_test(test_bytes), cmocka_unit_test(test_names), cmocka_unit_test(test_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
