/* Event times: units, text, dates, zones, bounds; the quick reading and the whole one are of one mind. */
#include "dpt.h"

#include <dp/record/event_time.h>

static const struct { const char *value; enum dp_event_unit unit; const char *zone; int64_t ms; uint32_t ns; const char *why; } cases[] = {
    {"0", DP_EVENT_MS, NULL, 0, 0, NULL},
    {"-1", DP_EVENT_MS, NULL, -1, 0, NULL},
    {"1.5", DP_EVENT_MS, NULL, 0, 0, "expected a time"},
    {"1.5", DP_EVENT_S, NULL, 1500, 0, NULL},
    {"-1.0005", DP_EVENT_S, NULL, -1001, 0, NULL},
    {"1999", DP_EVENT_US, NULL, 1, 999000, NULL},
    {"-1", DP_EVENT_US, NULL, -1, 999000, NULL},
    {"-1", DP_EVENT_NS, NULL, -1, 999999, NULL},
    {"1000001", DP_EVENT_NS, NULL, 1, 1, NULL},
    {"9223372036854775808", DP_EVENT_MS, NULL, 0, 0, "64-bit"},
    {"\"1970-01-01T00:00:00Z\"", DP_EVENT_MS, NULL, 0, 0, NULL},
    {"\"1970-01-01T00:00:01.25Z\"", DP_EVENT_MS, NULL, 1250, 0, NULL},
    {"\"1969-12-31T23:59:59.9999Z\"", DP_EVENT_MS, NULL, -1, 900000, NULL},
    {"\"1970-01-01T01:00:00+01:00\"", DP_EVENT_S, NULL, 0, 0, NULL},
    {"\"1970-01-01\\u005400:00:01Z\"", DP_EVENT_MS, NULL, 1000, 0, NULL},
    {"\"2024-02-29T12:00:00.123456789Z\"", DP_EVENT_MS, NULL, INT64_C(1709208000123), 456789, NULL},
    {"\"2023-02-29T12:00:00Z\"", DP_EVENT_MS, NULL, 0, 0, "expected a time"},
    {"\"1970-01-01T24:00:00Z\"", DP_EVENT_MS, NULL, 0, 0, "expected a time"},
    {"\"1970-01-01T00:00:00\"", DP_EVENT_MS, NULL, 0, 0, "--timezone"},
    {"\"1970-01-01\"", DP_EVENT_MS, NULL, 0, 0, "--timezone"},
    {"\"1970-01-01T01:00:00\"", DP_EVENT_MS, "+01:00", 0, 0, NULL},
    {"\"1970-01-02\"", DP_EVENT_MS, "+01:00", 82800000, 0, NULL},
    {"\"1970-01-01 00:00:00\"", DP_EVENT_MS, "UTC", 0, 0, NULL},
    {"\"9999-12-31T23:59:59.999Z\"", DP_EVENT_MS, NULL, DP_EVENT_MOST_MS, 0, NULL},
    {"\"0000-01-01T00:00:00Z\"", DP_EVENT_MS, NULL, DP_EVENT_LEAST_MS, 0, NULL},
    {"253402300800000", DP_EVENT_MS, NULL, 0, 0, "beyond the years 0 to 9999"},
    {"null", DP_EVENT_MS, NULL, 0, 0, "null"},
    {"true", DP_EVENT_MS, NULL, 0, 0, "expected a time"},
    {"[1]", DP_EVENT_MS, NULL, 0, 0, "expected a time"},
    {"\"\"", DP_EVENT_MS, NULL, 0, 0, "expected a time"},
    {"\"Z\"", DP_EVENT_MS, NULL, 0, 0, "expected a time"}};

static void one(size_t i, struct dp_event_day *day, struct dp_scan *scan) {
    struct dp_buf text = {0}, scratch = {0};
    struct dp_record r;
    struct dp_zone *zone = NULL;
    struct dp_event_clock c = {.unit = cases[i].unit, .least = DP_EVENT_LEAST_MS, .most = DP_EVENT_MOST_MS};
    struct dp_event_time t = {0};
    int64_t ms = 0;
    dp_buf_addf(&text, "{\"t\":%s}", cases[i].value);
    dp_buf_reserve(&text, DP_SCAN_PAD);
    assert_int_equal(dp_scan_value(scan, text.p, text.n, &r, NULL), DP_OK);
    if (cases[i].zone) assert_int_equal(dp_zone_open(cases[i].zone, &zone, NULL), DP_OK);
    c.zone = zone;
    uint32_t node = dp_json_member(&r, 0, "t");
    const char *why = dp_event_time_read(&c, &r, node, &scratch, &t), *quick = dp_event_time_ms(&c, day, &r, node, &scratch, &ms);
    if (!why != !cases[i].why || !quick != !why || (why && !strstr(why, cases[i].why)) || (why && strcmp(why, quick) != 0)) fail_msg("%s: %s, %s", cases[i].value, why, quick);
    if (!why && (t.ms != cases[i].ms || t.ns != cases[i].ns || ms != t.ms || t.is_local)) fail_msg("%s: %lld.%u, %lld", cases[i].value, (long long)t.ms, t.ns, (long long)ms);
    dp_zone_close(zone);
    dp_buf_release(&text), dp_buf_release(&scratch);
}

static void reads(void **state) {
    struct dp_event_day day = {.is_set = false};
    struct dp_scan *scan = dp_scan_open(1 << 16, DP_SCAN_PORTABLE);
    (void)state;
    for (size_t k = 0; k < 2; k++) /* also behind the minute of another one */
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) one(i, &day, scan);
    dp_scan_close(scan);
}

static void local(void **state) {
    static const char text[] = "{\"t\":\"1970-01-01T00:00:02\"}                                                                                ";
    struct dp_scan *scan = dp_scan_open(1 << 16, DP_SCAN_PORTABLE);
    const struct dp_event_clock c = {.takes_local = true, .least = INT64_MIN, .most = INT64_MAX};
    struct dp_event_time t;
    struct dp_buf scratch = {0}, b = {0};
    struct dp_record r;
    (void)state;
    dp_buf_addz(&b, text);
    dp_buf_reserve(&b, DP_SCAN_PAD);
    assert_int_equal(dp_scan_value(scan, b.p, strcspn(b.p, "}") + 1, &r, NULL), DP_OK);
    assert_null(dp_event_time_read(&c, &r, dp_json_member(&r, 0, "t"), &scratch, &t));
    assert_true(t.is_local && t.ms == 2000);
    assert_string_equal(dp_event_time_read(&c, &r, 0, &scratch, &t), "the time is missing");
    dp_scan_close(scan);
    dp_buf_release(&b), dp_buf_release(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(local)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
