/* Checks over records: bounds against the order of numbers as spelled, canonical bytes, tallies of pieces against the whole, reasons. */
#include "dpt.h"

#include <dp/base/decimal.h>
#include <dp/rules/check.h>

static const struct dp_check_opts no_opts;

struct bench {
    struct dp_contract contract;
    const struct dp_contract_object *object;
    struct dp_verdict verdict;
    struct dp_check *check;
    struct dp_check_run *run;
    struct dp_scan *scan;
    struct dp_buf text;
};

static void open_bench(struct bench *b, const char *properties) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf yaml = {0};
    memset(b, 0, sizeof *b);
    dp_buf_addf(&yaml, "{apiVersion: v3.1.0, kind: DataContract, id: c, version: 1.0.0, status: active, schema: [{name: t, logicalType: object, properties: [%s]}]}", properties);
    if (dp_contract_parse(dp_buf_str(&yaml), "c.yaml", &b->contract, &err) != DP_OK) fail_msg("%s: %s", properties, err.msg);
    assert_int_equal(dp_contract_object(&b->contract, NULL, &b->object, &err), DP_OK);
    if (dp_check_compile(&b->contract, b->object, &no_opts, &b->verdict, &b->check, &err) != DP_OK) fail_msg("%s: %s", properties, err.msg);
    b->run = dp_check_run_open(b->check);
    b->scan = dp_scan_open(0, DP_SCAN_AUTO);
    dp_buf_release(&yaml);
}

static void close_bench(struct bench *b) {
    dp_check_run_close(b->run);
    dp_check_free(b->check);
    dp_verdict_release(&b->verdict);
    dp_contract_release(&b->contract);
    dp_scan_close(b->scan);
    dp_buf_release(&b->text);
}

static void read_record(struct bench *b, const char *json, struct dp_record *r) {
    struct dp_err err = DP_ERR_INIT;
    dp_buf_reset(&b->text);
    dp_buf_addz(&b->text, json);
    memset(dp_buf_reserve(&b->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    assert_int_equal(dp_scan_value(b->scan, b->text.p, b->text.n, r, &err), DP_OK);
}

static size_t broken(struct bench *b, const char *json, const struct dp_check_breach **breaches, struct dp_record *r) {
    struct dp_err err = DP_ERR_INIT;
    size_t n;
    read_record(b, json, r);
    assert_int_equal(dp_check_record(b->run, r, breaches, &n, &err), DP_OK);
    return n;
}

/* Numbers of many spellings, from a seed. */
static void some_number(unsigned *seed, char out[64]) {
    static const char *const whole[] = {"0", "1", "9", "10", "99", "123456789012345678", "999999999999999999", "1000000000000000000", "9007199254740993", "12345678901234567890"};
    static const char *const part[] = {"", ".0", ".5", ".10", ".000000000000000001", ".999999999999999999", ".0000000000000000001"};
    static const char *const exponent[] = {"", "", "", "e0", "e-2", "E+3", "e400", "e-400"};
    *seed = *seed * 1103515245 + 12345;
    unsigned k = *seed >> 8;
    snprintf(out, 64, "%s%s%s%s", k & 1 ? "-" : "", whole[k / 2 % 10], part[k / 20 % 7], exponent[k / 140 % 8]);
}

static void bounds_agree_with_the_order(void **state) {
    (void)state;
    unsigned seed = 42;
    for (int i = 0; i < 400; i++) {
        char a[64], x[64], text[500], json[100];
        struct bench b;
        struct dp_record r;
        const struct dp_check_breach *breaches;
        some_number(&seed, a);
        if (strchr(a, 'e') || strchr(a, 'E')) continue; /* YAML's numbers with an exponent may lack a point */
        snprintf(text, sizeof text, "{name: n, logicalType: number, logicalTypeOptions: {minimum: %s, maximum: %s, exclusiveMinimum: %s, exclusiveMaximum: %s}}", a, a, a, a);
        open_bench(&b, text);
        for (int k = 0; k < 20; k++) {
            some_number(&seed, x);
            snprintf(json, sizeof json, "{\"n\":%s}", x);
            int cmp = dp_number_cmp(dp_str_z(x), dp_str_z(a));
            size_t n = broken(&b, json, &breaches, &r);
            if (n != 2) fail_msg("%s against %s: %zu rules broken", x, a, n);
            for (size_t j = 0; j < n; j++) {
                const char *rule = b.verdict.rules[breaches[j].rule].check;
                bool low = !strcmp(rule, "minimum") || !strcmp(rule, "exclusiveMinimum");
                bool exclusive = !strncmp(rule, "exclusive", 9);
                if (cmp == 0 ? !exclusive : low != (cmp < 0)) fail_msg("%s against %s: %s", x, a, rule);
            }
        }
        close_bench(&b);
    }
}

static void equal_values_have_equal_bytes(void **state) {
    (void)state;
    unsigned seed = 7;
    struct bench b;
    struct dp_path path;
    struct dp_record r;
    open_bench(&b, "{name: k}");
    dp_path_key(&path, DP_STR("k"));
    for (int i = 0; i < 3000; i++) {
        char a[64], x[64], json[100];
        struct dp_buf one = {0}, two = {0};
        some_number(&seed, a);
        some_number(&seed, x);
        snprintf(json, sizeof json, "{\"k\":%s}", a);
        read_record(&b, json, &r);
        assert_true(dp_tuple_bytes(&path, 1, NULL, &r, &one));
        snprintf(json, sizeof json, "{\"k\":%s}", x);
        read_record(&b, json, &r);
        assert_true(dp_tuple_bytes(&path, 1, NULL, &r, &two));
        if (dp_str_eq(dp_buf_str(&one), dp_buf_str(&two)) != (dp_number_cmp(dp_str_z(a), dp_str_z(x)) == 0)) fail_msg("%s and %s", a, x);
        dp_buf_release(&one);
        dp_buf_release(&two);
    }
    static const struct { const char *a, *b; bool same; } pairs[] = {
        {"\"A\"", "\"\\u0041\"", true}, {"\"1\"", "1", false}, {"[1,2]", "[1.0,2e0]", true}, {"[1,2]", "[12]", false}, {"[[1],2]", "[1,[2]]", false},
        {"{\"a\":1,\"b\":2}", "{\"b\":2.0,\"\\u0061\":1}", true}, {"{\"a\":\"b\"}", "{\"ab\":\"\"}", false}, {"true", "\"t\"", false}, {"false", "0", false},
        {"0e99999999999999999999", "0", true}, {"1e0000000000000000000000001", "10", true}, {"{}", "[]", false}, {"\"\"", "[]", false}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct dp_buf one = {0}, two = {0};
        char json[100];
        snprintf(json, sizeof json, "{\"k\":%s}", pairs[i].a);
        read_record(&b, json, &r);
        assert_true(dp_tuple_bytes(&path, 1, NULL, &r, &one));
        snprintf(json, sizeof json, "{\"k\":%s}", pairs[i].b);
        read_record(&b, json, &r);
        assert_true(dp_tuple_bytes(&path, 1, NULL, &r, &two));
        if (dp_str_eq(dp_buf_str(&one), dp_buf_str(&two)) != pairs[i].same) fail_msg("%s and %s", pairs[i].a, pairs[i].b);
        dp_buf_release(&one);
        dp_buf_release(&two);
    }
    read_record(&b, "{\"k\":null}", &r);
    assert_false(dp_tuple_bytes(&path, 1, NULL, &r, &b.text));
    dp_path_release(&path);
    close_bench(&b);
}

static void reasons(void **state) {
    (void)state;
    static const struct { const char *properties, *json, *path, *reason; } cases[] = {
        {"{name: n, logicalType: integer}", "{\"n\":\"n/a\"}", "n", "expected an integer, got \"n/a\""},
        {"{name: n, required: true}", "{}", "n", "expected a value, and the field is absent"},
        {"{name: n, required: true}", "{\"n\":null}", "n", "expected a value, got null"},
        {"{name: o, logicalType: object, properties: [{name: n, required: true}]}", "{\"o\":{}}", "o.n", "expected a value, and the field is absent"},
        {"{name: a, logicalType: array, items: {logicalType: object, properties: [{name: \"x.y\", logicalType: integer}]}}",
         "{\"a\":[{\"x.y\":1},{\"x.y\":\"b\"},{\"x.y\":true}]}", "a[1][\"x.y\"]", "expected an integer, got \"b\" (and 1 more)"},
        {"{name: s, classification: pii, logicalType: string, logicalTypeOptions: {maxLength: 2}}", "{\"s\":\"s\\u00e9cret\"}", "s",
         "expected at most 2 characters, got a string of 6 characters"},
        {"{name: s, logicalType: string, logicalTypeOptions: {maxLength: 2}}",
         "{\"s\":\"0123456789012345678901234567890123456789012345678901234567\xc3\xa9\xc3\xa9\xc3\xa9\"}", "s",
         "expected at most 2 characters, got \"0123456789012345678901234567890123456789012345678901234567\xc3\xa9...\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        struct dp_record r;
        const struct dp_check_breach *breaches;
        open_bench(&b, cases[i].properties);
        assert_int_equal(broken(&b, cases[i].json, &breaches, &r), 1);
        struct dp_check_words w = dp_check_explain(b.run, &r, breaches);
        assert_string_equal(w.path, cases[i].path);
        assert_string_equal(w.reason, cases[i].reason);
        close_bench(&b);
    }
}

static void tallies_add_up(void **state) {
    (void)state;
    struct bench b;
    struct dp_record r;
    const struct dp_check_breach *breaches;
    struct dp_check_tally t = {0};
    open_bench(&b, "{name: n, logicalType: integer, logicalTypeOptions: {minimum: 50}}");
    for (int i = 0; i < 100; i++) {
        char json[40];
        snprintf(json, sizeof json, "{\"n\":%d}", i);
        size_t n = broken(&b, json, &breaches, &r);
        dp_check_note(b.run, &r, breaches, n, (uint64_t)i + 1);
        if (i % 7 != 6 && i != 99) continue;
        dp_check_take(b.run, &t);
        dp_check_collect(b.check, &b.verdict, &t, "in");
    }
    dp_check_settle(b.check, &b.verdict);
    dp_verdict_judge(&b.verdict);
    assert_int_equal(b.verdict.rows, 100);
    assert_int_equal(b.verdict.rules[1].count, 50);
    assert_int_equal(b.verdict.rules[1].rows, 100);
    assert_int_equal(b.verdict.rules[1].outcome, DP_OUTCOME_FAIL);
    assert_int_equal(b.verdict.rules[1].n_samples, DP_VERDICT_SAMPLES);
    assert_int_equal(b.verdict.rules[1].samples[4].line, 5);
    assert_int_equal(b.verdict.rules[0].outcome, DP_OUTCOME_PASS);
    dp_check_tally_release(&t);
    close_bench(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bounds_agree_with_the_order), cmocka_unit_test(equal_values_have_equal_bytes), cmocka_unit_test(reasons),
                                       cmocka_unit_test(tallies_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
