/* Prices (dp/rules/prices.h): the file with the places of its faults, exact numbers, rounding, which tier a table is in. */
#include "dpt.h"

#include <dp/base/limits.h>
#include <dp/rules/prices.h>

static struct dp_prices read_all(const char *text) {
    struct dp_prices p;
    struct dp_err err = DP_ERR_INIT;
    if (dp_prices_parse(&p, dp_str_z(text), "prices", &err) != DP_OK) fail_msg("%s", err.msg);
    return p;
}

#define HEAD "version: 1\ncurrency: EUR\n"
#define TWO HEAD "tiers:\n- {name: cold, gb-month: 0.004, prefix: [archive/, /mnt/cold], after: 90d}\n- {name: hot, gb-month: 0.023}\n- {name: deep, gb-month: 0.001, after: 365d}\n"

static void test_numbers(void **state) {
    static const struct { const char *text; int64_t nano; } good[] = {
        {"0", 0}, {"1", DP_PRICE_NANO}, {"0.023", 23000000}, {"0.000000001", 1}, {"007.5", 7500000000}, {"999999999.999999999", INT64_C(999999999999999999)}};
    static const char *const bad[] = {"", ".", ".5", "1.", "-1", "+1", "1e3", "0.0000000001", "1000000000", "1 ", "0x1", ".inf", "1.2.3"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t nano = -1;
        assert_true(dp_price_parse(dp_str_z(good[i].text), &nano));
        assert_int_equal(nano, good[i].nano);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t nano;
        if (dp_price_parse(dp_str_z(bad[i]), &nano)) fail_msg("\"%s\" is no price", bad[i]);
    }
}

static void test_arithmetic(void **state) {
    (void)state;
    struct dp_prices p = read_all(TWO "cpu-hour: 0.36\n");
    assert_int_equal(dp_price_month(&p, dp_price_bytes(1000000000, 23000000)), 23000);
    /* half a millionth goes up, less does not: 0.023 a gigabyte is 0.5 millionths at 21,739.1 bytes */
    assert_int_equal(dp_price_month(&p, dp_price_bytes(21739, 23000000)), 0);
    assert_int_equal(dp_price_month(&p, dp_price_bytes(21740, 23000000)), 1);
    assert_int_equal(dp_price_month(&p, dp_price_bytes(500000, 1000000)), 1);
    assert_int_equal(dp_price_month(&p, dp_price_bytes(499999, 1000000)), 0);
    /* sums are rounded once */
    dp_u128 sum = 0;
    for (int i = 0; i < 1000; i++) sum = dp_price_add(sum, dp_price_bytes(21739, 23000000));
    assert_int_equal(dp_price_month(&p, sum), 500);
    assert_int_equal(dp_price_cpu(&p, 10000000), 1000);
    assert_int_equal(dp_price_cpu(&p, 5000), 1);
    assert_int_equal(dp_price_cpu(&p, 4999), 0);
    /* at the ends: no wrap */
    assert_true(dp_price_month(&p, dp_price_bytes(UINT64_MAX, INT64_C(999999999999999999))) == UINT64_MAX);
    assert_true(dp_price_add(~(dp_u128)0, 1) == ~(dp_u128)0);
    dp_prices_release(&p);
    p = read_all(HEAD "unit: GiB\ntiers: [{name: a, gb-month: 1}]\n");
    assert_int_equal(dp_price_month(&p, dp_price_bytes(UINT64_C(1) << 40, DP_PRICE_NANO)), 1024 * 1000000);
    assert_int_equal(dp_price_cpu(&p, 3600000000), 0);
    dp_prices_release(&p);
    char text[24];
    dp_price_print(text, UINT64_MAX);
    assert_string_equal(text, "18446744073709.551615");
    dp_price_print(text, 1);
    assert_string_equal(text, "0.000001");
}

static void test_tiers(void **state) {
    static const struct { const char *real, *below, *property, *tier; } cases[] = {
        {"/l/orders", "orders", "", "hot"}, {"/l/archive/a", "archive/a", "", "cold"}, {"/l/archives/a", "archives/a", "", "hot"},
        {"/mnt/cold/t", "t", "", "cold"}, {"/mnt/colder/t", "t", "", "hot"}, {"/l/orders", "orders", "deep", "deep"}, {"/l/archive", "archive", "", "cold"}};
    struct dp_prices p = read_all(TWO);
    struct dp_err err = DP_ERR_INIT;
    size_t at;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(dp_prices_tier(&p, cases[i].real, cases[i].below, dp_str_z(cases[i].property), &at, &err), DP_OK);
        assert_string_equal(p.tiers[at].name, cases[i].tier);
    }
    assert_int_equal(dp_prices_tier(&p, "/l/a", "a", DP_STR("warm"), &at, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "warm"));
    const int64_t day = 86400000;
    assert_int_equal(dp_prices_colder(&p, 1, 90 * day), 1); /* not yet */
    assert_int_equal(dp_prices_colder(&p, 1, 90 * day + 1), 0);
    assert_int_equal(dp_prices_colder(&p, 1, 366 * day), 2);
    assert_int_equal(dp_prices_colder(&p, 2, 366 * day), 2);
    dp_prices_release(&p);
}

static void test_faults(void **state) {
    static const struct { const char *text, *word; unsigned line; } cases[] = {
        {"[]", "a map", 1},
        {"currency: EUR\n", "version: 1", 1},
        {"version: 2\n", "(column 10)", 1},
        {"version: 1\ncurrency: euro\n", "three capital letters", 2},
        {"version: 1\ncurrency: 12\n", "ISO 4217", 2},
        {HEAD "unit: MB\n", "GiB", 3},
        {HEAD "tiers: []\n", "a list", 3},
        {HEAD "tiers: [{name: a}]\n", "gb-month", 3},
        {HEAD "tiers:\n- {name: a, gb-month: -1}\n", "(column 23)", 4},
        {HEAD "tiers:\n- {name: a, gb-month: 1e3}\n", "at most nine", 4},
        {HEAD "tiers:\n- {name: a, gb-month: '1'}\n", "a price", 4},
        {HEAD "tiers:\n- {name: a, gb-month: 1}\n- {name: a, gb-month: 2}\n", "already", 5},
        {HEAD "tiers:\n- {name: a, gb_month: 1}\n", "gb-month", 4},
        {HEAD "tiers:\n- {name: a, gb-month: 1, after: soon}\n", "an age", 4},
        {HEAD "tiers:\n- {name: a, gb-month: 1, after: 90}\n", "an age", 4},
        {HEAD "tiers:\n- {name: a, gb-month: 1, prefix: ''}\n", "a path", 4},
        {HEAD "tiers:\n- {name: a, gb-month: 1, prefix: x}\n", "no prefix", 4},
        {HEAD "standard: b\ntiers:\n- {name: a, gb-month: 1}\n", "standard", 3},
        {HEAD "cpu-hour: much\ntiers:\n- {name: a, gb-month: 1}\n", "cpu-hour", 3}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_prices p;
        struct dp_err err = DP_ERR_INIT;
        if (dp_prices_parse(&p, dp_str_z(cases[i].text), "prices", &err) != DP_USAGE) fail_msg("taken: %s", cases[i].text);
        if (!strstr(err.msg, cases[i].word) || err.line != cases[i].line) fail_msg("%s: %s (line %u)", cases[i].text, err.msg, (unsigned)err.line);
    }
}

static void test_limit(void **state) {
    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        struct dp_prices p;
        struct dp_err err = DP_ERR_INIT;
        struct dp_buf b = {0};
        dp_buf_addz(&b, HEAD "tiers:\n");
        for (unsigned i = 0; i < DP_LIMIT_PRICE_TIERS + extra; i++) dp_buf_addf(&b, "- {name: t%u, gb-month: %u}\n", i, i);
        assert_int_equal(dp_prices_parse(&p, dp_buf_str(&b), "prices", &err), extra ? DP_LIMIT : DP_OK);
        dp_prices_release(&p);
        dp_buf_release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_tiers), cmocka_unit_test(test_faults), cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
