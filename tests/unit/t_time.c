/* Dates and times, with the corpus of date and time strings that others wrote. */
#include "dpt.h"

#include <dp/base/file.h>
#include <dp/base/time.h>

static bool is_datetime(struct dp_str s) {
    struct dp_timestamp t;
    return dp_time_parse(s, false, false, &t);
}

static bool is_date(struct dp_str s) {
    int32_t d;
    return dp_date_parse(s, &d);
}

/* Each test in the file is a pair "data": ..., "valid": ...; what is not a string is not a time and is passed over. */
static void corpus(const char *path, bool (*is)(struct dp_str)) {
    char name[1024];
    struct dp_buf b = {0};
    assert_int_equal(dp_file_read(dpt_shared(name, path), 1 << 20, &b, NULL), DP_OK);
    int n = 0;
    for (const char *p = dp_buf_z(&b); (p = strstr(p, "\"data\": "));) {
        p += 8;
        const char *valid = strstr(p, "\"valid\": ");
        assert_non_null(valid);
        if (*p != '"') continue;
        const char *end = strchr(p + 1, '"');
        bool want = valid[9] == 't', got = is(dp_str(p + 1, (size_t)(end - p - 1)));
        if (want != got) fail_msg("%s: %.*s: expected %d", path, (int)(end - p - 1), p + 1, want);
        n++;
    }
    assert_true(n > 10);
    dp_buf_release(&b);
}

static void corpus_datetime(void **state) { (void)state, corpus("corpus/json/timestamps/date-time.json", is_datetime); }
static void corpus_date(void **state) { (void)state, corpus("corpus/json/timestamps/date.json", is_date); }

static void instants(void **state) {
    (void)state;
    static const struct {
        const char *in;
        bool lax;
        int64_t micros; /* INT64_MIN: refused */
        const char *out;
    } cases[] = {{"1970-01-01T00:00:00Z", false, 0, "1970-01-01T00:00:00Z"},
                 {"1970-01-01t00:00:00.5z", false, 500000, "1970-01-01T00:00:00.500Z"},
                 {"1969-12-31T23:59:59.999999Z", false, -1, "1969-12-31T23:59:59.999999Z"},
                 {"2026-01-02T03:04:05.678+02:00", false, 1767315845678000, "2026-01-02T01:04:05.678Z"},
                 {"0000-01-01T00:00:00Z", false, -62167219200000000, "0000-01-01T00:00:00Z"},
                 {"9999-12-31T23:59:59.999999Z", false, 253402300799999999, "9999-12-31T23:59:59.999999Z"},
                 {"2016-12-31T23:59:60Z", false, 1483228800000000, "2017-01-01T00:00:00Z"},
                 {"2016-12-31T15:59:60-08:00", false, 1483228800000000, "2017-01-01T00:00:00Z"},
                 {"2016-12-31T23:59:60-08:00", false, INT64_MIN, NULL},
                 {"2026-01-02 03:04:05", true, 1767323045000000, "2026-01-02T03:04:05Z"},
                 {"2026-01-02 03:04:05", false, INT64_MIN, NULL},
                 {"2026-01-02T03:04:05", false, INT64_MIN, NULL},
                 {"2026-01-02T03:04:05.Z", false, INT64_MIN, NULL},
                 {"2026-01-02T03:04:05.0000001Z", false, INT64_MIN, NULL}, /* below a microsecond */
                 {"2026-01-02T24:00:00Z", false, INT64_MIN, NULL},
                 {"2026-02-29T00:00:00Z", false, INT64_MIN, NULL},
                 {"", true, INT64_MIN, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_timestamp t;
        int64_t us = 0;
        bool ok = dp_time_parse(dp_str_z(cases[i].in), false, cases[i].lax, &t) && dp_time_micros(&t, &us);
        assert_int_equal(ok, cases[i].out != NULL);
        if (!ok) continue;
        assert_int_equal(us, cases[i].micros);
        char b[41];
        b[dp_time_print_micros(b, us, true, -1)] = '\0';
        assert_string_equal(b, cases[i].out);
    }
    struct dp_timestamp t;
    assert_true(dp_time_parse(DP_STR("2026-01-02T03:04:05.123456789"), true, false, &t));
    assert_true(t.zone == DP_ZONE_NONE && t.digits == 9 && t.nanos == 123456789);
    assert_false(dp_time_parse(DP_STR("2026-01-02T03:04:05.1234567890Z"), true, true, &t));
}

static void calendar(void **state) {
    (void)state;
    for (int64_t d = -800000; d < 800000; d += 37) {
        int64_t y;
        unsigned m, day;
        dp_civil_from_days(d, &y, &m, &day);
        assert_int_equal(dp_days_from_civil(y, m, day), d);
    }
    assert_int_equal(dp_days_from_civil(2000, 2, 29), 11016);
}

static void printing(void **state) {
    (void)state;
    char b[41];
    b[dp_time_print_micros(b, 1500000, false, 6)] = '\0';
    assert_string_equal(b, "1970-01-01T00:00:01.500000");
    b[dp_time_print_micros(b, INT64_MIN, true, -1)] = '\0';
    assert_string_equal(b, "-290308-12-21T19:59:05.224192Z");
    b[dp_time_print_micros(b, INT64_MAX, true, 0)] = '\0';
    assert_string_equal(b, "+294247-01-10T04:00:54Z");
    b[dp_time_print_nanos(b, -1, true, -1)] = '\0';
    assert_string_equal(b, "1969-12-31T23:59:59.999999999Z");
    b[dp_timeofday_print(b, 3723004000000, 3)] = '\0';
    assert_string_equal(b, "01:02:03.004");
    b[dp_date_print(b, -1)] = '\0';
    assert_string_equal(b, "1969-12-31");
    int64_t ns;
    assert_true(dp_timeofday_parse(DP_STR("03:04:05.678"), &ns) && ns == 11045678000000);
    assert_false(dp_timeofday_parse(DP_STR("03:04"), &ns));
    assert_false(dp_timeofday_parse(DP_STR("03:04:05Z"), &ns));
}

static void clocks(void **state) {
    (void)state;
    int64_t a = dp_time_monotonic_micros(), ms = dp_time_monotonic_ms(), b = dp_time_monotonic_micros();
    assert_true(a <= b);
    assert_true(ms >= a / 1000 && ms <= b / 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus_datetime), cmocka_unit_test(corpus_date), cmocka_unit_test(instants),
                                       cmocka_unit_test(calendar), cmocka_unit_test(printing), cmocka_unit_test(clocks)};
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
