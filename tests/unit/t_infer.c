/* Inference: the type of a field from what it held, limits, evidence; and what is inferred takes every record that it saw. */
#include <dp/base/limits.h>
#include <dp/record/batch.h>
#include <dp/record/infer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Feeds lines to inference, then shreds each with the result: none may be refused. */
static struct dp_type *infer_lines(const char *text, struct dp_infer *in) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    size_t n = strlen(text);
    char *copy = calloc(1, n + DP_SCAN_PAD);
    memcpy(copy, text, n);
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    enum dp_status st;
    dp_scan_begin(scan, copy, n);
    while ((st = dp_scan_next(scan, &r, &err)) == DP_OK) dp_infer_record(in, &r);
    if (st != DP_END) fail_msg("%s", err.msg);
    struct dp_type *schema = dp_infer_schema(in);
    struct dp_shred *shred = dp_shred_open(schema, true);
    struct dp_shred_reject why;
    struct dp_batch b;
    dp_batch_init(&b, schema);
    dp_scan_begin(scan, copy, n);
    while (dp_scan_next(scan, &r, &err) == DP_OK)
        if (!r.duplicate_keys && dp_shred_record(shred, &r, &b, &why) != DP_OK) fail_msg("%.*s: %s: %s", (int)r.raw_n, r.raw, why.path, why.reason);
    dp_batch_release(&b);
    dp_shred_close(shred);
    dp_scan_close(scan);
    free(copy);
    return schema;
}

static void expect_schema(const char *lines, const char *want) {
    struct dp_infer *in = dp_infer_open();
    struct dp_type *t = infer_lines(lines, in);
    struct dp_buf b = {0};
    dp_type_print(t, &b);
    if (strcmp(dp_buf_z(&b), want) != 0) fail_msg("%s\n got %s\nwant %s", lines, b.p, want);
    dp_buf_release(&b);
    dp_type_free(t);
    dp_infer_close(in);
}

/* Values of one field, split at `|`. */
static void rules(void **state) {
    (void)state;
    static const struct {
        const char *values, *want;
    } cases[] = {
        {"true|false|null", "boolean"},
        {"1|2|null", "int64"},
        {"9223372036854775807|-9223372036854775808", "int64"},
        {"9223372036854775808", "decimal(19,0)"},
        {"18446744073709551615|-1", "decimal(20,0)"},
        {"123456789012345678901234567890123456789", "json"},
        {"2.55|3.4|10", "double"},
        {"17850.0", "double"},
        {"1.10", "double"},
        {"-0", "double"},
        {"1e3|2.5E-3", "double"},
        {"0.1|9007199254740993", "decimal(17,1)"},
        {"0.1|9007199254740992", "double"},
        {"1234567890.12345678901", "decimal(21,11)"},
        {"0.30000000000000004", "double"},
        {"1e400", "json"},
        {"1e-400", "json"},
        {"1.5|\"NaN\"|\"-Infinity\"", "double"},
        {"1|\"NaN\"", "double"},
        {"9007199254740993|\"NaN\"", "json"},
        {"\"NaN\"", "string"},
        {"1|\"x\"", "json"},
        {"1|true", "json"},
        {"\"2026-01-02\"|\"1999-12-31\"|null", "date"},
        {"\"2026-01-02\"|\"2026-02-30\"", "string"},
        {"\"2026-01-02\"|\"\"", "string"},
        {"\"2026-01-02T03:04:05Z\"|\"2026-01-02T03:04:05.5+02:00\"", "timestamp"},
        {"\"2026-01-02T03:04:05\"|\"2026-01-02 03:04:05.123456\"", "timestamp_ntz"},
        {"\"2026-01-02T03:04:05Z\"|\"2026-01-02T03:04:05\"", "string"},
        {"\"2026-01-02\"|\"2026-01-02T03:04:05\"", "string"},
        {"\"2026-01-02T03:04:05.1234567Z\"", "string"},
        {"\"2026-01-02T23:59:60Z\"", "string"},
        {"\"03:04:05\"", "string"},
        {"null", "string"},
        {"[]", "list<string>"},
        {"[1,2]|[null]|[]", "list<int64>"},
        {"[1]|[\"a\"]", "list<json>"},
        {"[[1.5]]", "list<list<double>>"},
        {"{}", "json"},
        {"{}|{\"a\":1}", "struct<a:int64>"},
        {"{\"a\":1}|{\"b\":\"x\"}", "struct<a:int64,b:string>"},
        {"{\"a\":{}}", "struct<a:json>"},
        {"{\"a\":1}|[1]", "json"},
        {"{\"a\":1}|1", "json"},
        {"[{\"a\":1},{\"b\":[true]}]", "list<struct<a:int64,b:list<boolean>>>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_buf lines = {0}, want = {0};
        dp_buf_addz(&lines, "{\"v\":");
        for (const char *p = cases[i].values; *p; p++) {
            if (*p == '|') dp_buf_addz(&lines, "}\n{\"v\":");
            else dp_buf_addc(&lines, *p);
        }
        dp_buf_addz(&lines, "}\n");
        dp_buf_addf(&want, "struct<v:%s>", cases[i].want);
        expect_schema(dp_buf_z(&lines), dp_buf_z(&want));
        dp_buf_release(&lines), dp_buf_release(&want);
    }
}

static void order_and_duplicates(void **state) {
    (void)state;
    expect_schema("{\"b\":1,\"a\":2}\n{\"a\":1,\"c\":true,\"b\":2}\n{\"z\":1,\"z\":2}\n{\"\\u0061\":3}\n", "struct<b:int64,a:int64,c:boolean>");
    expect_schema("", "struct<>");
}

/* n keys in one nested object. */
static void many_keys(unsigned n, const char *want) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, "{\"m\":{");
    for (unsigned i = 0; i < n; i++) dp_buf_addf(&b, "%s\"k%u\":1", i ? "," : "", i);
    dp_buf_addz(&b, "},\"x\":1}\n");
    struct dp_infer *in = dp_infer_open();
    struct dp_type *t = infer_lines(dp_buf_z(&b), in);
    struct dp_buf got = {0};
    dp_type_print_leaf(t->children[0], &got);
    assert_string_equal(dp_buf_z(&got), want);
    dp_buf_release(&got), dp_buf_release(&b);
    dp_type_free(t);
    dp_infer_close(in);
}

static void limits(void **state) {
    (void)state;
    many_keys(DP_LIMIT_INFER_KEYS, "struct");
    many_keys(DP_LIMIT_INFER_KEYS + 1, "json");
    for (unsigned depth = DP_LIMIT_INFER_DEPTH - 1; depth <= DP_LIMIT_INFER_DEPTH; depth++) {
        struct dp_buf b = {0}, got = {0};
        dp_buf_addz(&b, "{\"a\":");
        for (unsigned i = 0; i < depth; i++) dp_buf_addc(&b, '[');
        for (unsigned i = 0; i < depth; i++) dp_buf_addc(&b, ']');
        dp_buf_addz(&b, "}\n");
        struct dp_infer *in = dp_infer_open();
        struct dp_type *t = infer_lines(dp_buf_z(&b), in);
        dp_type_print(t, &got);
        assert_int_equal(strstr(dp_buf_z(&got), "json") != NULL, depth == DP_LIMIT_INFER_DEPTH);
        dp_buf_release(&b), dp_buf_release(&got);
        dp_type_free(t);
        dp_infer_close(in);
    }
}

/* So many fields in nested objects of a hundred, over one record and over one a line: one more is JSON. */
static void fields_below_the_top(void **state) {
    (void)state;
    for (unsigned lines = 0; lines < 2; lines++)
        for (unsigned n = DP_LIMIT_INFER_FIELDS; n <= DP_LIMIT_INFER_FIELDS + 1; n++) {
            struct dp_buf b = {0}, got = {0};
            dp_buf_addc(&b, '{');
            for (unsigned i = 0; i < n; i++) {
                if (i % 100 == 0) dp_buf_addf(&b, "%s\"o%u\":{", !i ? "" : lines ? "}}\n{" : "},", i);
                dp_buf_addf(&b, "%s\"k%u\":1", i % 100 ? "," : "", i);
            }
            dp_buf_addz(&b, "}}\n");
            struct dp_infer *in = dp_infer_open();
            struct dp_type *t = infer_lines(dp_buf_z(&b), in);
            dp_type_print(t, &got);
            assert_int_equal(strstr(dp_buf_z(&got), "json") != NULL, n > DP_LIMIT_INFER_FIELDS);
            dp_buf_release(&b), dp_buf_release(&got);
            dp_type_free(t);
            dp_infer_close(in);
        }
}

static void evidence(void **state) {
    (void)state;
    struct dp_infer *in = dp_infer_open();
    struct dp_type *t = infer_lines("{\"id\":10,\"s\":\"bb\",\"o\":{\"x\":1.5},\"l\":[{\"q\":1},{\"q\":null}]}\n"
                                    "{\"id\":9,\"s\":\"\",\"o\":null,\"l\":[]}\n{\"id\":-3.0,\"o\":{\"x\":2}}\n",
                                    in);
    const struct dp_infer_field *f;
    static const struct {
        const char *path, *min, *max;
        uint64_t seen, nulls;
        bool always;
    } want[] = {
        {"id", "-3.0", "10", 3, 0, true},    {"s", "", "bb", 2, 0, false},  {"o", "", "", 3, 1, false}, {"o.x", "1.5", "2", 2, 0, true},
        {"l", "", "", 2, 0, false},          {"l[]", "", "", 2, 0, true},   {"l[].q", "1", "1", 2, 1, false},
    };
    assert_int_equal(dp_infer_fields(in, &f), 7);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(f[i].path, want[i].path);
        assert_int_equal(f[i].seen, want[i].seen);
        assert_int_equal(f[i].nulls, want[i].nulls);
        assert_int_equal(f[i].always, want[i].always);
        assert_true(dp_str_eqz(f[i].min, want[i].min));
        assert_true(dp_str_eqz(f[i].max, want[i].max));
    }
    assert_int_equal(f[1].min_length, 0);
    assert_int_equal(f[1].max_length, 2);
    assert_int_equal(dp_infer_count(in), 3);
    dp_type_free(t);
    dp_infer_close(in);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules), cmocka_unit_test(order_and_duplicates), cmocka_unit_test(limits), cmocka_unit_test(fields_below_the_top),
                                       cmocka_unit_test(evidence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
