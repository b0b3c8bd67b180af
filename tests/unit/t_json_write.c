/* Writing of JSON values: escapes, numbers that JSON has no word for, base64; what is written reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dp/record/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_strings(void **state) {
    (void)state;
    struct dp_buf b = {0};
    dp_json_add_string(&b, dp_str("a\"b\\c/\b\t\n\f\r\x01\x1f\0\x7f\xc3\xa4 and a longer tail", 35));
    assert_string_equal(dp_buf_z(&b), "\"a\\\"b\\\\c/\\b\\t\\n\\f\\r\\u0001\\u001f\\u0000\x7f\xc3\xa4 and a longer tail\"");
    dp_buf_reset(&b);
    dp_json_add_string(&b, dp_str(NULL, 0));
    assert_string_equal(dp_buf_z(&b), "\"\"");
    dp_buf_release(&b);
}

/* Each byte at each place of strings of each length around the width of a word. */
static void test_every_byte(void **state) {
    (void)state;
    struct dp_scan *s = dp_scan_open(0, DP_SCAN_AUTO);
    for (size_t n = 1; n < 20; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 128; c++) {
                char *text = malloc(n); /* exact, so that the sanitizer sees a read behind it */
                memset(text, 'x', n);
                text[at] = (char)c;
                struct dp_buf b = {0}, back = {0};
                dp_json_add_string(&b, dp_str(text, n));
                memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
                struct dp_record r;
                assert_int_equal(dp_scan_value(s, b.p, b.n, &r, NULL), DP_OK);
                assert_true(dp_json_get_string(&r, 0, &back));
                assert_true(dp_str_eq(dp_buf_str(&back), dp_str(text, n)));
                dp_buf_release(&b);
                dp_buf_release(&back);
                free(text);
            }
    dp_scan_close(s);
}

static void test_many_escapes(void **state) {
    (void)state;
    char text[1000];
    memset(text, 1, sizeof text);
    struct dp_buf b = {0};
    dp_json_add_escaped(&b, dp_str(text, sizeof text));
    assert_int_equal(b.n, 6 * sizeof text);
    dp_buf_release(&b);
}

static void test_numbers(void **state) {
    (void)state;
    struct dp_buf b = {0};
    double values[] = {1.5, (double)NAN, (double)INFINITY, -(double)INFINITY, 0.1};
    for (size_t i = 0; i < 5; i++) dp_json_add_double(&b, values[i]), dp_buf_addc(&b, ' ');
    dp_json_add_i64(&b, INT64_MIN);
    assert_string_equal(dp_buf_z(&b), "1.5 \"NaN\" \"Infinity\" \"-Infinity\" 0.1 -9223372036854775808");
    dp_buf_release(&b);
}

static void test_binary(void **state) {
    (void)state;
    static const struct { const char *text, *base64, *hex; } cases[] = { /* RFC 4648 section 10 */
        {"", "\"\"", "\"\""},
        {"f", "\"Zg==\"", "\"66\""},
        {"fo", "\"Zm8=\"", "\"666f\""},
        {"foo", "\"Zm9v\"", "\"666f6f\""},
        {"foob", "\"Zm9vYg==\"", "\"666f6f62\""},
        {"fooba", "\"Zm9vYmE=\"", "\"666f6f6261\""},
        {"foobar", "\"Zm9vYmFy\"", "\"666f6f626172\""},
        {"\xfb\xff\xfe", "\"+//+\"", "\"fbfffe\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_buf b = {0};
        dp_json_add_binary(&b, dp_str_z(cases[i].text), false);
        assert_string_equal(dp_buf_z(&b), cases[i].base64);
        dp_buf_reset(&b);
        dp_json_add_binary(&b, dp_str_z(cases[i].text), true);
        assert_string_equal(dp_buf_z(&b), cases[i].hex);
        dp_buf_release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings), cmocka_unit_test(test_every_byte), cmocka_unit_test(test_many_escapes),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
