/* Verdicts: thresholds to the last digit, counts of outcomes, and the six printed forms against tests/golden/verdict (DP_GOLDEN_REWRITE=1 writes them anew). */
#include "dpt.h"

#include <dp/base/file.h>
#include <dp/rules/verdict.h>

static struct dp_str z(const char *s) { return s ? dp_str_z(s) : dp_str(NULL, 0); }

static void judging(void **state) {
    (void)state;
    static const struct { enum dp_operator op; const char *a, *b; bool percent, open; uint64_t count, rows; enum dp_outcome outcome; } cases[] = {
        {DP_OPERATOR_NONE, NULL, NULL, false, false, 0, 5, DP_OUTCOME_PASS}, {DP_OPERATOR_NONE, NULL, NULL, false, false, 1, 5, DP_OUTCOME_FAIL},
        {DP_OPERATOR_BE, "0", NULL, false, false, 0, 5, DP_OUTCOME_PASS}, {DP_OPERATOR_BE, "5.0", NULL, false, false, 5, 5, DP_OUTCOME_PASS},
        {DP_OPERATOR_BE, "5e0", NULL, false, false, 5, 5, DP_OUTCOME_PASS}, {DP_OPERATOR_BE, "+5", NULL, false, false, 5, 5, DP_OUTCOME_PASS},
        {DP_OPERATOR_BE, "5.", NULL, false, false, 5, 5, DP_OUTCOME_PASS}, {DP_OPERATOR_LESS, ".5", NULL, false, false, 0, 5, DP_OUTCOME_PASS},
        {DP_OPERATOR_NOT_BE, "5", NULL, false, false, 5, 5, DP_OUTCOME_FAIL}, {DP_OPERATOR_NOT_BE, "4", NULL, false, false, 5, 5, DP_OUTCOME_PASS},
        {DP_OPERATOR_GREATER, "5", NULL, false, false, 5, 5, DP_OUTCOME_FAIL}, {DP_OPERATOR_GREATER_EQUAL, "5", NULL, false, false, 5, 5, DP_OUTCOME_PASS},
        {DP_OPERATOR_LESS, "5", NULL, false, false, 5, 5, DP_OUTCOME_FAIL}, {DP_OPERATOR_LESS_EQUAL, "5", NULL, false, false, 5, 5, DP_OUTCOME_PASS},
        {DP_OPERATOR_BE, "18446744073709551615", NULL, false, false, UINT64_MAX, UINT64_MAX, DP_OUTCOME_PASS},
        {DP_OPERATOR_LESS, "18446744073709551616", NULL, false, false, UINT64_MAX, UINT64_MAX, DP_OUTCOME_PASS},
        /* 0.1 % of 1,000 is one; a double would not hold it */
        {DP_OPERATOR_LESS_EQUAL, "0.1", NULL, true, false, 1, 1000, DP_OUTCOME_PASS}, {DP_OPERATOR_LESS, "0.1", NULL, true, false, 1, 1000, DP_OUTCOME_FAIL},
        {DP_OPERATOR_BE, "0.1", NULL, true, false, 1, 1000, DP_OUTCOME_PASS}, {DP_OPERATOR_BE, "0.7", NULL, true, false, 7, 1000, DP_OUTCOME_PASS},
        {DP_OPERATOR_BE, "1e-1", NULL, true, false, 1, 1000, DP_OUTCOME_PASS}, {DP_OPERATOR_LESS, "0.1", NULL, true, false, 999, 1000000, DP_OUTCOME_PASS},
        {DP_OPERATOR_LESS_EQUAL, "33.3333", NULL, true, false, 1, 3, DP_OUTCOME_FAIL}, {DP_OPERATOR_LESS, "33.3334", NULL, true, false, 1, 3, DP_OUTCOME_PASS},
        {DP_OPERATOR_GREATER, "33.33333333333333333333333333333333333333333333", NULL, true, false, 1, 3, DP_OUTCOME_PASS},
        {DP_OPERATOR_LESS, "33.33333333333333333333333333333333333333333334", NULL, true, false, 1, 3, DP_OUTCOME_PASS},
        {DP_OPERATOR_GREATER, "1e-17", NULL, true, false, 1, UINT64_MAX, DP_OUTCOME_FAIL}, {DP_OPERATOR_GREATER, "1e-18", NULL, true, false, 1, UINT64_MAX, DP_OUTCOME_PASS},
        {DP_OPERATOR_GREATER, "-5", NULL, true, false, 0, 3, DP_OUTCOME_PASS}, {DP_OPERATOR_LESS, "1e99999999999999999999", NULL, true, false, 3, 3, DP_OUTCOME_PASS},
        {DP_OPERATOR_BE, "100", NULL, true, false, 3, 3, DP_OUTCOME_PASS}, {DP_OPERATOR_BE, "0", NULL, true, false, 0, 0, DP_OUTCOME_PASS},
        {DP_OPERATOR_GREATER, "0", NULL, true, false, 0, 0, DP_OUTCOME_FAIL}, /* of no rows: 0 percent */
        {DP_OPERATOR_BETWEEN, "100", "120", false, false, 100, 100, DP_OUTCOME_PASS}, {DP_OPERATOR_BETWEEN, "100", "120", false, true, 100, 100, DP_OUTCOME_FAIL},
        {DP_OPERATOR_BETWEEN, "100", "120", false, true, 101, 100, DP_OUTCOME_PASS}, {DP_OPERATOR_BETWEEN, "100", "120", false, false, 121, 100, DP_OUTCOME_FAIL},
        {DP_OPERATOR_NOT_BETWEEN, "100", "120", false, false, 120, 100, DP_OUTCOME_FAIL}, {DP_OPERATOR_NOT_BETWEEN, "100", "120", false, true, 120, 100, DP_OUTCOME_PASS},
        {DP_OPERATOR_NOT_BETWEEN, "100", "120", false, false, 99, 100, DP_OUTCOME_PASS},
        {DP_OPERATOR_BE, "many", NULL, false, false, 1, 1, DP_OUTCOME_ERROR}, {DP_OPERATOR_BE, "", NULL, false, false, 1, 1, DP_OUTCOME_ERROR},
        {DP_OPERATOR_BETWEEN, "1", "0x5", false, false, 1, 1, DP_OUTCOME_ERROR}, {DP_OPERATOR_BE, ".", NULL, false, false, 1, 1, DP_OUTCOME_ERROR},
        {DP_OPERATOR_BE, "1e", NULL, false, false, 1, 1, DP_OUTCOME_ERROR}, {DP_OPERATOR_BE, "1 ", NULL, false, false, 1, 1, DP_OUTCOME_ERROR},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_verdict v = {0};
        struct dp_verdict_rule *r = dp_verdict_add(&v);
        r->op = cases[i].op, r->a = z(cases[i].a), r->b = z(cases[i].b), r->is_percent = cases[i].percent, r->between_open = cases[i].open;
        r->count = cases[i].count, r->rows = cases[i].rows;
        dp_verdict_judge(&v);
        if (v.rules[0].outcome != cases[i].outcome) fail_msg("case %zu (%s): outcome %d", i, cases[i].a ? cases[i].a : "none", (int)v.rules[0].outcome);
        if (cases[i].outcome == DP_OUTCOME_ERROR) assert_non_null(v.rules[0].reason);
        dp_verdict_release(&v);
    }
}

static void thresholds(void **state) {
    (void)state;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_verdict_threshold(DP_OPERATOR_NONE, z(NULL), z(NULL), &err), DP_OK);
    assert_int_equal(dp_verdict_threshold(DP_OPERATOR_BE, z("-.5e3"), z(NULL), &err), DP_OK);
    assert_int_equal(dp_verdict_threshold(DP_OPERATOR_BE, z("DE"), z(NULL), &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "\"DE\""));
    assert_int_equal(dp_verdict_threshold(DP_OPERATOR_BETWEEN, z("1"), z("2"), &err), DP_OK);
    assert_int_equal(dp_verdict_threshold(DP_OPERATOR_BETWEEN, z("2"), z("2.0"), &err), DP_USAGE);
    assert_int_equal(dp_verdict_threshold(DP_OPERATOR_NOT_BETWEEN, z("10"), z("9"), &err), DP_USAGE);
    assert_int_equal(dp_verdict_threshold(DP_OPERATOR_BETWEEN, z("2"), z(NULL), &err), DP_USAGE);
}

static struct dp_verdict_rule *rule(struct dp_verdict *v, const char *path, const char *property, const char *check, uint64_t count, uint64_t rows) {
    struct dp_verdict_rule *r = dp_verdict_add(v);
    r->path = path, r->object = "orders", r->property = property, r->check = check, r->count = count, r->rows = rows;
    return r;
}

static void make(struct dp_verdict *v) {
    *v = (struct dp_verdict){.contract_id = "urn:orders \"daily\"", .contract_version = "1.1.0", .object = "orders", .rows = 5};
    struct dp_verdict_rule *r = rule(v, "/schema/0/properties/0/required", "order_id", "required", 0, 5);
    r->per_record = true;
    r = rule(v, "/schema/0/properties/1/logicalTypeOptions/minimum", "amount", "minimum", 2, 5);
    r->expected = "at least 0", r->per_record = true;
    dp_verdict_sample(r, "orders.ndjson", 4, DP_STR("-1"));
    dp_verdict_sample(r, "orders.ndjson", 5, DP_STR("-200.50"));
    r = rule(v, "/schema/0/properties/1/quality/0", "amount", "invalidValues", 2, 5);
    r->op = DP_OPERATOR_LESS, r->a = DP_STR("10"), r->is_percent = true, r->id = "amount_valid", r->name = "amounts | <known> & *sane*";
    r->dimension = "conformity";
    dp_verdict_sample(r, "", 4, DP_STR("200"));
    r = rule(v, "/schema/0/properties/2/quality/0", "na|me\n", "missingValues", 1, 3);
    r->op = DP_OPERATOR_BETWEEN, r->a = DP_STR("0"), r->b = DP_STR(".5"), r->severity = DP_SEVERITY_WARNING, r->is_percent = true, r->between_open = true;
    dp_verdict_sample(r, "a\001\xff.csv", 2, DP_STR("\"<b>&\\u0007\xc3\xa9\""));
    r = rule(v, "/schema/0/quality/0", "order_id,line", "duplicateValues", 1, 5);
    r->op = DP_OPERATOR_BE, r->a = DP_STR("0"), r->surplus = 2, r->is_classified = true;
    dp_verdict_sample(r, "orders.ndjson", 3, DP_STR("string of 12 bytes"));
    r = rule(v, "/schema/0/quality/1", NULL, "rowCount", 5, 5);
    r->op = DP_OPERATOR_GREATER_EQUAL, r->a = DP_STR("5"), r->from_statistics = true;
    r = rule(v, "/schema/0/quality/2", NULL, "sql", 0, 0);
    r->outcome = DP_OUTCOME_UNSUPPORTED, r->reason = "type sql needs an SQL engine";
    r = rule(v, "/schema/0/quality/3", "amount", "nullValues", 0, 0);
    r->op = DP_OPERATOR_BE, r->a = DP_STR("zero");
    r = rule(v, "/slaProperties/0", "ts", "freshness", 1, 1);
    r->reason = "measured 3 d 4 h", r->expected = "at most 1 d", r->severity = DP_SEVERITY_INFO;
    dp_verdict_judge(v);
}

static void golden(enum dp_verdict_form form, const char *path) {
    struct dp_verdict v;
    struct dp_buf out = {0}, want = {0};
    struct dp_err err = DP_ERR_INIT;
    make(&v);
    dp_verdict_print(&v, form, &out);
    if (getenv("DP_GOLDEN_REWRITE")) {
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(out.p, 1, out.n, f), out.n);
        assert_int_equal(fclose(f), 0);
    }
    if (dp_file_read(path, 1 << 20, &want, &err) != DP_OK) fail_msg("%s", err.msg);
    assert_string_equal(dp_buf_z(&out), dp_buf_z(&want));
    dp_buf_release(&out);
    dp_buf_release(&want);
    dp_verdict_release(&v);
}

static void printing(void **state) {
    (void)state;
    golden(DP_VERDICT_TEXT, "tests/golden/verdict/report.txt");
    golden(DP_VERDICT_NDJSON, "tests/golden/verdict/report.ndjson");
    golden(DP_VERDICT_JSON, "tests/golden/verdict/report.json");
    golden(DP_VERDICT_JUNIT, "tests/golden/verdict/junit.xml");
    golden(DP_VERDICT_MARKDOWN, "tests/golden/verdict/report.md");
    golden(DP_VERDICT_PROMETHEUS, "tests/golden/verdict/metrics.prom");
}

/* An empty contract, and counts by outcome. */
static void counting(void **state) {
    (void)state;
    struct dp_verdict v = {0};
    struct dp_buf out = {0};
    for (int form = DP_VERDICT_TEXT; form <= DP_VERDICT_PROMETHEUS; form++) dp_verdict_print(&v, (enum dp_verdict_form)form, &out);
    assert_true(out.n > 0);
    dp_verdict_release(&v);
    make(&v);
    struct dp_verdict_counts c = dp_verdict_count(&v);
    assert_int_equal(c.pass, 2);
    assert_int_equal(c.fail, 3);
    assert_int_equal(c.warn, 2);
    assert_int_equal(c.error, 1);
    assert_int_equal(c.unsupported, 1);
    for (int i = 0; i < 9; i++) dp_verdict_sample(&v.rules[0], "x", 1, DP_STR("1"));
    assert_int_equal(v.rules[0].n_samples, DP_VERDICT_SAMPLES);
    /* what is too long is cut in front of a code point */
    char text[200];
    memset(text, 'a', sizeof text);
    memcpy(text + 75, "\xc3\xa9", 2);
    dp_verdict_sample(&v.rules[1], "x", 1, dp_str(text, sizeof text));
    assert_string_equal(v.rules[1].samples[2].value + 74, "a...");
    dp_verdict_release(&v);
    dp_buf_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(judging), cmocka_unit_test(thresholds), cmocka_unit_test(printing), cmocka_unit_test(counting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
