/* Marks: what is one, reading and printing, what is refused, finding them in text; the hash of lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dp/record/mark.h>
#include <stdlib.h>
#include <string.h>

/* Canonical marks: printing what was read gives the same line. */
static const char *const canonical[] = {
    "{\"$dp\":\"begin\",\"run\":\"r1\"}",
    ("{\"$dp\":\"begin\",\"run\":\"r1\",\"job\":\"j\",\"source\":\"s\",\"id\":\"c9\",\"chain\":[\"dp-ingest\",\"dp-map\"],\"table_version\":0,"
    "\"fields\":[{\"a\":1.10}],\"origins\":[{\"namespace\":\"file\",\"name\":\"/a.csv\"}],\"later\":{\"x\":[1e5]},\"more\":\"\\u00e4\"}"),
    "{\"$dp\":\"checkpoint\",\"run\":\"r1\",\"source\":\"f.csv\",\"partition\":\"0\",\"position\":\"1234\",\"id\":\"c1\"}",
    "{\"$dp\":\"checkpoint\",\"run\":\"r1\",\"source\":\"f.csv\",\"position\":\"1\",\"more\":true}",
    "{\"$dp\":\"watermark\",\"time\":\"2026-01-01T00:00:00Z\"}",
    "{\"$dp\":\"watermark\",\"source\":\"a\",\"time\":1767225600000}",
    "{\"$dp\":\"idle\",\"source\":\"a\"}",
    "{\"$dp\":\"active\"}",
    "{\"$dp\":\"heartbeat\",\"run\":\"r1\",\"time\":\"2026-01-01T00:00:00.5Z\",\"dp-map\":\"2026-01-01T00:00:01Z\"}",
    "{\"$dp\":\"end\",\"run\":\"r1\",\"records\":18446744073709551615,\"hash\":\"xxh3:00112233445566778899aabbccddeeff\"}",
    "{\"$dp\":\"abort\",\"run\":\"r1\",\"program\":\"dp-map\",\"exit_code\":141,\"reason\":\"a \\\"b\\\"\\n\"}",
};

static void test_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof canonical / sizeof canonical[0]; i++) {
        struct dp_mark m;
        struct dp_err err = DP_ERR_INIT;
        struct dp_buf b = {0};
        assert_true(dp_mark_is(dp_str_z(canonical[i])));
        if (dp_mark_parse(dp_str_z(canonical[i]), &m, &err) != DP_OK) fail_msg("%s: %s", canonical[i], err.msg);
        dp_mark_print(&m, &b);
        assert_int_equal(b.p[b.n - 1], '\n');
        b.n--;
        assert_string_equal(dp_buf_z(&b), canonical[i]);
        dp_mark_release(&m);
        dp_buf_release(&b);
    }
}

static void test_header(void **state) {
    (void)state;
    struct dp_type *schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    schema->nullable = false; /* as a record is */
    dp_type_add(schema, dp_type_new(DP_TYPE_INT64, DP_STR("id")));
    struct dp_type *price = dp_type_new(DP_TYPE_DECIMAL, DP_STR("price"));
    price->precision = 10;
    price->scale = 2;
    dp_type_add(schema, price);
    struct dp_mark m = {.kind = DP_MARK_BEGIN, .run = dp_strdup("r"), .table_version = 7, .schema = schema}, back;
    struct dp_buf b = {0};
    dp_mark_print(&m, &b);
    struct dp_err err = DP_ERR_INIT;
    if (dp_mark_parse(dp_str(b.p, b.n - 1), &back, &err) != DP_OK) fail_msg("%s", err.msg);
    assert_non_null(back.schema);
    assert_true(dp_type_equal(back.schema, schema));
    assert_int_equal(back.table_version, 7);
    assert_string_equal(back.run, "r");
    dp_mark_release(&m);
    dp_mark_release(&back);
    dp_buf_release(&b);
}

static const char *const refused[] = {
    "",
    "{}",
    "{\"a\":1}",
    "{\"a\":1,\"$dp\":\"end\"}",
    "{\"$dp\":\"no such\"}",
    "{\"$dp\":1}",
    "{\"$dp\":\"none\"}",
    "{\"$dp\":\"begin\"}",
    "{\"$dp\":\"begin\",\"run\":1}",
    "{\"$dp\":\"begin\",\"run\":\"a\",\"run\":\"b\"}",
    "{\"$dp\":\"begin\",\"run\":\"a\\u0000b\"}",
    "{\"$dp\":\"begin\",\"run\":\"a\",\"table_version\":-1}",
    "{\"$dp\":\"begin\",\"run\":\"a\",\"chain\":\"x\"}",
    "{\"$dp\":\"begin\",\"run\":\"a\",\"chain\":[\"x\",1]}",
    "{\"$dp\":\"begin\",\"run\":\"a\",\"schema\":{\"fields\":1}}",
    "{\"$dp\":\"begin\",\"run\":\"a\",\"fields\":{}}",
    "{\"$dp\":\"checkpoint\",\"run\":\"a\"}",
    "{\"$dp\":\"checkpoint\",\"run\":\"a\",\"position\":\"1\",\"more\":1}",
    "{\"$dp\":\"watermark\"}",
    "{\"$dp\":\"watermark\",\"time\":\"yesterday\"}",
    "{\"$dp\":\"watermark\",\"time\":1.5}",
    "{\"$dp\":\"watermark\",\"time\":null}",
    "{\"$dp\":\"end\",\"run\":\"a\"}",
    "{\"$dp\":\"end\",\"run\":\"a\",\"records\":-1}",
    "{\"$dp\":\"end\",\"run\":\"a\",\"records\":1.0}",
    "{\"$dp\":\"end\",\"run\":\"a\",\"records\":\"1\"}",
    "{\"$dp\":\"end\",\"run\":\"a\",\"records\":18446744073709551616}",
    "{\"$dp\":\"abort\",\"exit_code\":256}",
    "{\"$dp\":\"abort\",\"exit_code\":1",
    "{\"$dp\":\"abort\",\"exit_code\":1}x",
};

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct dp_mark m;
        struct dp_err err = DP_ERR_INIT;
        if (dp_mark_parse(dp_str_z(refused[i]), &m, &err) == DP_OK) fail_msg("%s was taken", refused[i]);
        assert_true(err.msg[0]);
        assert_null(m.run);
        assert_null(m.chain);
    }
}

static void test_size(void **state) {
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct dp_buf b = {0};
        dp_buf_addz(&b, "{\"$dp\":\"idle\",\"x\":\"");
        while (b.n < DP_LIMIT_MARK - 2 + over) dp_buf_addc(&b, 'x');
        dp_buf_addz(&b, "\"}");
        struct dp_mark m;
        assert_int_equal(dp_mark_parse(dp_buf_str(&b), &m, NULL), over ? DP_RECORD : DP_OK);
        dp_mark_release(&m);
        dp_buf_release(&b);
    }
}

static void test_is_and_find(void **state) {
    (void)state;
    static const struct { const char *text; size_t at; } cases[] = {
        {"", 0},
        {"{\"$dp\":\"idle\"}\n", 0},
        {"{\"a\":1}\n{\"$dp\":\"idle\"}\n", 8},
        {"{\"a\":\"$dp\"}\n{\"$d\":1}\n", 21},
        {"{\"a\":{\"$dp\":1}}\n \t{ \"$dp\" :\"idle\"}", 16},
        {"x{\"$dp\":1}\n", 11},
        {"{{\"$dp\":1}\n", 11},
        {"{\"$dp", 5},
        {"$\n$dp\"\n\"$dp\"\n{\n\"$dp\"", 22},
        {"{\"a\":\"\\u0024dp\"}\r\n{\"$dp\":1}\r\n", 18},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = strlen(cases[i].text), at = cases[i].at < n ? cases[i].at : n;
        char *p = malloc(n ? n : 1);
        memcpy(p, cases[i].text, n);
        if (dp_mark_find(p, n, 0) != at) fail_msg("`%s`: at %zu", cases[i].text, dp_mark_find(p, n, 0));
        if (at < n) assert_true(dp_mark_is(dp_str(p + at, n - at)));
        free(p);
    }
    const char *two = "{\"$dp\":1}\n{}\n{\"$dp\":2}\n";
    assert_int_equal(dp_mark_find(two, strlen(two), 10), 13);
    assert_false(dp_mark_is(DP_STR("{\"$dpx\":1}")));
    assert_false(dp_mark_is(DP_STR("{\"\\u0024dp\":1}")));
}

static void test_hash(void **state) {
    (void)state;
    char a[48], b[48];
    char data[5000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * 7);
    struct dp_linehash *h = dp_linehash_open();
    dp_linehash_text(h, a);
    assert_string_equal(a, "xxh3:99aa06d3014798d86001c324468d497f"); /* the published value for no input */
    dp_linehash_add(h, data, sizeof data);
    dp_linehash_text(h, a);
    dp_linehash_close(h);
    for (size_t step = 1; step < 1000; step = step * 3 + 1) {
        h = dp_linehash_open();
        for (size_t i = 0; i < sizeof data; i += step)
            dp_linehash_add(h, data + i, sizeof data - i < step ? sizeof data - i : step);
        dp_linehash_text(h, b);
        dp_linehash_text(h, b);
        assert_string_equal(a, b);
        dp_linehash_close(h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_header),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_size),       cmocka_unit_test(test_is_and_find), cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
