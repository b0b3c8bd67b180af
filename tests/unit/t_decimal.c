/* Exact decimals, and the order of numbers as spelled. */
#include "dpt.h"

#include <dp/base/decimal.h>

static void parse_and_print(void **state) {
    (void)state;
    static const struct {
        const char *in, *out; /* NULL: not one */
    } cases[] = {{"12.30", "12.30"}, {"-0.05", "-0.05"}, {"0", "0"}, {"0.000", "0.000"}, {"1e3", "1000"}, {"1.5e1", "15"},
                 {"1.25e1", "12.5"}, {"125e-2", "1.25"}, {"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
                 {"100000000000000000000000000000000000000", NULL}, {"0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"},
                 {"1e-39", NULL}, {"10e-39", "0.00000000000000000000000000000000000001"}, {"1.00000000000000000000000000000000000000000", "1.0000000000000000000000000000000000000"},
                 {"0e99999999999999999999", "0"}, {"1e99999999999999999999", NULL}, {"1e-99999999999999999999", NULL}, {"000.5", "0.5"},
                 {"", NULL}, {"-", NULL}, {"1.", NULL}, {".5", NULL}, {"1e", NULL}, {"1x", NULL}, {"-0", "0"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_decimal d;
        bool ok = dp_decimal_parse(dp_str_z(cases[i].in), &d);
        assert_int_equal(ok, cases[i].out != NULL);
        if (!ok) continue;
        char b[49];
        b[dp_decimal_print(b, d.unscaled, d.scale)] = '\0';
        assert_string_equal(b, cases[i].out);
    }
}

static void rescale_and_add(void **state) {
    (void)state;
    dp_i128 v;
    assert_true(dp_decimal_rescale((struct dp_decimal){1230, 2}, 10, 1, &v) && v == 123);
    assert_false(dp_decimal_rescale((struct dp_decimal){1234, 2}, 10, 1, &v));
    assert_true(dp_decimal_rescale((struct dp_decimal){-5, 0}, 3, 2, &v) && v == -500);
    assert_false(dp_decimal_rescale((struct dp_decimal){10, 0}, 3, 2, &v)); /* 1000 has four digits */
    assert_true(dp_decimal_rescale((struct dp_decimal){0, 0}, 38, 38, &v) && v == 0);
    assert_false(dp_decimal_rescale((struct dp_decimal){12, 0}, 38, 38, &v));
    struct dp_decimal a = {0}, b = {0}, sum = {0};
    assert_true(dp_decimal_parse(DP_STR("1.5"), &a) && dp_decimal_parse(DP_STR("-2.25"), &b));
    assert_true(dp_decimal_add(a, b, &sum) && sum.unscaled == -75 && sum.scale == 2);
    assert_true(dp_decimal_parse(DP_STR("99999999999999999999999999999999999999"), &a));
    assert_true(dp_decimal_parse(DP_STR("1"), &b));
    assert_false(dp_decimal_add(a, b, &sum));
}

static void order(void **state) {
    (void)state;
    static const char *const up[] = {"-1e99999999999999999999", "-10", "-9.5", "-0.001", "0", "1e-400", "0.1", "0.10000000000000001", "1",
        "1.5", "2", "9007199254740992", "9007199254740993", "9007199254740993.5", "1e16", "1e308", "1.0000000000001e308", "1e99999999999999999999"};
    int n = (int)(sizeof up / sizeof up[0]);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) assert_int_equal(dp_number_cmp(dp_str_z(up[i]), dp_str_z(up[j])), (i > j) - (i < j));
    static const char *const same[][2] = {{"1", "1.0"}, {"1e2", "100"}, {"-0", "0.0e5"}, {"0.001", "1e-3"}, {"120", "1.20e2"}, {"12e-1", "1.2"},
                                          {"1.000", "1"}, {"0.5e1", "5"}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(dp_number_cmp(dp_str_z(same[i][0]), dp_str_z(same[i][1])), 0);
        assert_int_equal(dp_number_cmp(dp_str_z(same[i][1]), dp_str_z(same[i][0])), 0);
    }
}

static void whole(void **state) {
    (void)state;
    static const char *const yes[] = {"5", "5.0", "5e3", "5.25e2", "-0", "0.0", "0e-5", "500e-2", "1e400"};
    static const char *const no[] = {"5.5", "5e-1", "5.25e1", "1e-400", "505e-2"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) assert_true(dp_number_is_integer(dp_str_z(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) assert_false(dp_number_is_integer(dp_str_z(no[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parse_and_print), cmocka_unit_test(rescale_and_add), cmocka_unit_test(order),
                                       cmocka_unit_test(whole)};
    return cmocka_run_group_tests_name("decimal", tests, NULL, NULL);
}
