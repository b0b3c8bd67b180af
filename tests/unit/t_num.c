/* Integers, doubles, sizes, durations. */
#include "dpt.h"

#include <dp/base/num.h>
#include <locale.h>
#include <math.h>

static void integers(void **state) {
    (void)state;
    static const struct {
        const char *in;
        bool ok;
        int64_t v;
    } cases[] = {{"0", true, 0}, {"-0", true, 0}, {"+7", true, 7}, {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775807", true, INT64_MAX}, {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0}, {"", false, 0}, {"-", false, 0}, {"+", false, 0},
                 {"-+1", false, 0}, {" 1", false, 0}, {"1 ", false, 0}, {"1.0", false, 0}, {"007", true, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = -1;
        assert_int_equal(dp_parse_i64(dp_str_z(cases[i].in), &v), cases[i].ok);
        if (cases[i].ok) assert_int_equal(v, cases[i].v);
    }
    uint64_t u;
    assert_true(dp_parse_u64(DP_STR("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(dp_parse_u64(DP_STR("18446744073709551616"), &u));
    assert_false(dp_parse_u64(DP_STR("-1"), &u));
    char b[21];
    b[dp_print_i64(b, INT64_MIN)] = '\0';
    assert_string_equal(b, "-9223372036854775808");
    b[dp_print_u64(b, UINT64_MAX)] = '\0';
    assert_string_equal(b, "18446744073709551615");
}

static void doubles_print_shortest(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *out;
    } cases[] = {{0.0, "0.0"}, {-0.0, "-0.0"}, {1, "1.0"}, {0.1, "0.1"}, {0.3, "0.3"}, {0.1 + 0.2, "0.30000000000000004"},
                 {1e15, "1000000000000000.0"}, {1e16, "1e16"}, {123456.789, "123456.789"}, {1e-5, "0.00001"}, {1.5e-7, "1.5e-7"},
                 {5e-324, "5e-324"}, {2.2250738585072014e-308, "2.2250738585072014e-308"},
                 {1.7976931348623157e308, "1.7976931348623157e308"}, {9007199254740993.0, "9007199254740992.0"},
                 {2e22, "2e22"}, {9.5e-3, "0.0095"}, {100, "100.0"}, {4.35, "4.35"}, {(double)NAN, "NaN"},
                 {-(double)INFINITY, "-Infinity"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char b[33];
        b[dp_print_double(b, cases[i].v)] = '\0';
        assert_string_equal(b, cases[i].out);
    }
    static const struct {
        float v;
        const char *out;
    } floats[] = {{0.1f, "0.1"}, {16777216.f, "16777216.0"}, {3.4028235e38f, "3.4028235e38"}, {1e-45f, "1e-45"}, {1.f, "1.0"}};
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        char b[33];
        b[dp_print_float(b, floats[i].v)] = '\0';
        assert_string_equal(b, floats[i].out);
    }
}

static uint64_t next_random(uint64_t *x) {
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

static bool reads_back_with(int precision, double v) {
    char b[64];
    (void)snprintf(b, sizeof b, "%.*e", precision - 1, v);
    return strtod(b, NULL) == v;
}

static int significant(const char *z) {
    int n = 0, zeros = 0;
    for (; *z && *z != 'e'; z++) {
        if (*z < '0' || *z > '9') continue;
        if (*z == '0') zeros += n > 0;
        else n += zeros + 1, zeros = 0;
    }
    return n;
}

static void random_doubles(void **state) {
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = next_random(&x);
        double v, back;
        float f;
        memcpy(&v, &bits, sizeof v);
        if (i % 2) v = (double)(int64_t)(bits % 100000000) / (double)(1 + (bits >> 40) % 1000);
        if (!isfinite(v)) continue;
        char b[33];
        size_t n = dp_print_double(b, v);
        b[n] = '\0';
        assert_true(dp_parse_double(dp_str(b, n), &back));
        assert_memory_equal(&back, &v, sizeof v);
        assert_true(strtod(b, NULL) == v);
        int digits = significant(b);
        assert_true(digits <= 17 && (digits == 1 || v == 0 || !reads_back_with(digits - 1, v)));
        memcpy(&f, &bits, sizeof f);
        if (!isfinite(f)) continue;
        n = dp_print_float(b, f);
        b[n] = '\0';
        assert_true(strtof(b, NULL) == f);
    }
}

static void doubles_parse_correctly_rounded(void **state) {
    (void)state;
    uint64_t x = 99u;
    for (int i = 0; i < 60000; i++) {
        char b[160];
        int n = snprintf(b, sizeof b, "%s%llu%llu.%llue%d", i & 1 ? "-" : "", (unsigned long long)(next_random(&x) >> (x & 63)),
                         (unsigned long long)(i % 3 ? next_random(&x) : 0), (unsigned long long)next_random(&x),
                         (int)(next_random(&x) % 700) - 360);
        double want = strtod(b, NULL), got;
        assert_int_equal(dp_parse_double(dp_str(b, (size_t)n), &got), isfinite(want));
        if (isfinite(want)) assert_memory_equal(&got, &want, sizeof got);
    }
    static const char *const hard[] = {"9007199254740993", "9007199254740992.999999999999999999999999999999",
        "2.2250738585072011e-308", "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
        "1.00000000000000011102230246251565404236316680908203125", "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126", "0.000000000000000000000000000000000000001e39", "8.5e-1000"};
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++) {
        double got, want = strtod(hard[i], NULL);
        assert_true(dp_parse_double(dp_str_z(hard[i]), &got));
        assert_memory_equal(&got, &want, sizeof got);
    }
    static const char *const none[] = {"", "-", ".5", "1.", "1e", "1e+", "+1", "0x10", "1 ", "nan", "inf", "1e999", "-1e400", "1..2"};
    double v;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) assert_false(dp_parse_double(dp_str_z(none[i]), &v));
    assert_true(dp_parse_double(DP_STR("-Infinity"), &v) && isinf(v) && v < 0);
    assert_true(dp_parse_double(DP_STR("NaN"), &v) && isnan(v));
}

static void sizes_and_durations(void **state) {
    (void)state;
    static const struct {
        const char *in;
        uint64_t v; /* UINT64_MAX: refused */
    } sizes[] = {{"0", 0}, {"64", 64}, {"64K", 65536}, {"64k", 65536}, {"1.5G", 1610612736}, {"2T", UINT64_C(2) << 40},
                 {"160MB", UINT64_C(160) << 20}, {"1KiB", 1024}, {"5B", 5}, {"", UINT64_MAX}, {"K", UINT64_MAX}, {"-1", UINT64_MAX},
                 {"1.5", UINT64_MAX}, {"17000000T", UINT64_MAX}, {"5iB", UINT64_MAX}, {"1X", UINT64_MAX}, {"big", UINT64_MAX}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t v;
        struct dp_err e;
        enum dp_status s = dp_parse_size(dp_str_z(sizes[i].in), &v, &e);
        assert_int_equal(s, sizes[i].v == UINT64_MAX ? DP_USAGE : DP_OK);
        if (!s) assert_int_equal(v, sizes[i].v);
    }
    static const struct {
        const char *in;
        int64_t v; /* -1: refused */
    } times[] = {{"250ms", 250}, {"10s", 10000}, {"1.5s", 1500}, {"5m", 300000}, {"2h", 7200000}, {"7d", 604800000}, {"1w", 604800000},
                 {"PT5M", 300000}, {"P1DT2H", 93600000}, {"PT0.5S", 500}, {"P2W", 1209600000}, {"PT", -1}, {"P", -1}, {"P1DT", -1},
                 {"P1M", -1}, {"P1Y", -1}, {"PT1S1M", -1}, {"10", -1}, {"s", -1}, {"-1s", -1}, {"0.5ms", -1}, {"99999999999999999999w", -1}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int64_t v;
        struct dp_err e;
        enum dp_status s = dp_parse_duration(dp_str_z(times[i].in), &v, &e);
        assert_int_equal(s, times[i].v < 0 ? DP_USAGE : DP_OK);
        if (!s) assert_int_equal(v, times[i].v);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),       cmocka_unit_test(doubles_print_shortest),
        cmocka_unit_test(random_doubles), cmocka_unit_test(doubles_parse_correctly_rounded),
        cmocka_unit_test(sizes_and_durations),
    };
    return cmocka_run_group_tests_name("num", tests, NULL, NULL);
}
