/* slaProperties and references: units, calendars, times of day, what data can't show; ends of relationships in all their spellings. */
#include "dpt.h"

#include <dp/base/time.h>
#include <dp/rules/sla.h>

static const char head[] = "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n"
                           "  - id: orders_tbl\n    name: orders\n    physicalName: db.orders\n    logicalType: object\n    properties:\n"
                           "      - {id: ts_id, name: ts, logicalType: timestamp}\n      - {name: n, logicalType: integer}\n"
                           "      - {name: a.b, logicalType: date}\n"
                           "      - id: addr\n        name: address\n        logicalType: object\n        properties:\n"
                           "          - {id: st, name: street, physicalName: str, logicalType: string}\n          - {id: since_id, name: since, logicalType: date}\n";
static const char second[] = "  - {id: users_tbl, name: users, logicalType: object, properties: [{id: uid, name: id, logicalType: integer}]}\n";

static void parse(const char *tail, bool two, struct dp_contract *c) {
    struct dp_buf b = {0};
    struct dp_err err = DP_ERR_INIT;
    dp_buf_addz(&b, head);
    if (two) dp_buf_addz(&b, second);
    dp_buf_addz(&b, tail);
    if (dp_contract_parse(dp_buf_str(&b), "test.yaml", c, &err) != DP_OK) fail_msg("%s (line %llu)", err.msg, (unsigned long long)err.line);
    dp_buf_release(&b);
}

static int64_t micros(const char *text) {
    struct dp_timestamp t;
    int64_t out = 0;
    assert_true(dp_time_parse(dp_str_z(text), false, false, &t) && dp_time_micros(&t, &out));
    return out;
}

static void judging(void **state) {
    (void)state;
    static const struct { const char *entry, *low, *high; enum dp_outcome outcome; const char *reason; } cases[] = {
        {"{property: freshness, value: 24, unit: h, element: orders.ts}", "2025-01-01T00:00:00Z", "2026-03-30T12:00:00Z", DP_OUTCOME_PASS, "the newest is 1 d old"},
        {"{property: freshness, value: 24, unit: h, element: orders.ts}", "2025-01-01T00:00:00Z", "2026-03-30T11:59:59Z", DP_OUTCOME_FAIL, "the newest is 1 d old"},
        {"{property: LY, value: 1440, unit: m, element: ts}", "2025-01-01T00:00:00Z", "2026-03-30T12:00:00Z", DP_OUTCOME_PASS, NULL},
        {"{property: latency, value: 1.5, unit: days, element: ts}", "2025-01-01T00:00:00Z", "2026-03-30T00:00:00Z", DP_OUTCOME_PASS, "the newest is 1 d 12 h old"},
        {"{property: latency, value: 1.5, unit: D, element: ts}", "2025-01-01T00:00:00Z", "2026-03-29T23:59:59Z", DP_OUTCOME_FAIL, NULL},
        {"{property: latency, value: PT24H, element: ts}", "2025-01-01T00:00:00Z", "2026-03-30T12:00:00Z", DP_OUTCOME_PASS, NULL},
        {"{property: latency, value: P1DT0.5S, unit: ISO, element: ts}", "2025-01-01T00:00:00Z", "2026-03-30T11:59:59.5Z", DP_OUTCOME_PASS, NULL},
        {"{property: latency, value: 0, unit: s, element: ts}", "2025-01-01T00:00:00Z", "2026-04-01T12:00:00Z", DP_OUTCOME_PASS, "the newest is -1 d old"},
        /* a month before the 31st of March is the last of February */
        {"{property: retention, value: 1, unit: mo, element: ts}", "2026-02-28T12:00:00Z", "2026-03-30T12:00:00Z", DP_OUTCOME_PASS, NULL},
        {"{property: retention, value: 1, unit: mo, element: ts}", "2026-02-28T11:59:59Z", "2026-03-30T12:00:00Z", DP_OUTCOME_FAIL, NULL},
        {"{property: retention, value: 2, unit: y, element: ts}", "2024-03-31T12:00:00Z", "2026-03-30T12:00:00Z", DP_OUTCOME_PASS, "the oldest is 730 d old"},
        {"{property: retention, value: P2Y, element: ts}", "2024-03-31T11:59:59Z", "2026-03-30T12:00:00Z", DP_OUTCOME_FAIL, NULL},
        {"{property: re, value: 90, unit: d, element: address.since}", "2026-01-01T00:00:00Z", "2026-03-30T12:00:00Z", DP_OUTCOME_PASS, NULL},
        {"{property: retention, value: 90, unit: d, element: orders.a.b}", "2025-12-30T00:00:00Z", "2026-03-30T12:00:00Z", DP_OUTCOME_FAIL, NULL},
        {"{property: frequency, value: 1, valueExt: 1, unit: d, element: db.orders.ts}", "2025-12-30T00:00:00Z", "2026-03-30T12:00:00Z", DP_OUTCOME_PASS, NULL},
        /* now is noon: the last 09:00-08:00 (17:00 UTC) was yesterday's, and data of the 29th should have been there */
        {"{property: timeOfAvailability, value: '09:00-08:00', element: ts}", "2025-01-01T00:00:00Z", "2026-03-29T17:00:00Z", DP_OUTCOME_PASS, NULL},
        {"{property: timeOfAvailability, value: '09:00-08:00', element: ts}", "2025-01-01T00:00:00Z", "2026-03-29T16:59:59Z", DP_OUTCOME_FAIL, NULL},
        {"{property: timeOfAvailability, value: '11:30', element: ts}", "2025-01-01T00:00:00Z", "2026-03-30T11:29:59Z", DP_OUTCOME_FAIL, NULL},
        {"{property: timeOfAvailability, value: '11:30:00Z', element: ts}", "2025-01-01T00:00:00Z", "2026-03-30T11:30:00Z", DP_OUTCOME_PASS, NULL},
        {"{property: freshness, value: 1, unit: d, element: ts}", NULL, NULL, DP_OUTCOME_FAIL, "there is no value"},
        {"{property: retention, value: 1, unit: d, element: ts}", NULL, NULL, DP_OUTCOME_PASS, "there is no value"},
        {"{property: freshness, value: 1, unit: fortnights, element: ts}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "unit \"fortnights\""},
        {"{property: freshness, value: 1, unit: M, element: ts}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "unit \"M\""},
        {"{property: freshness, value: 1, element: ts}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "no unit"},
        {"{property: freshness, value: soon, unit: d, element: ts}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "soon"},
        {"{property: freshness, value: -1, unit: d, element: ts}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "-1"},
        {"{property: freshness, value: 1e30, unit: y, element: ts}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "can be measured"},
        {"{property: retention, value: PT, element: ts}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "ISO 8601"},
        {"{property: retention, value: P1D2Y, element: ts}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "ISO 8601"},
        {"{property: freshness, value: 1, unit: d, element: n}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "neither a date"},
        {"{property: freshness, value: 1, unit: d, element: orders.nothing}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "names no property"},
        {"{property: freshness, value: 1, unit: d}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "no element"},
        {"{property: timeOfAvailability, value: morning, element: ts}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "time of day"},
        {"{property: availability, value: 99.5, unit: percent}", NULL, NULL, DP_OUTCOME_UNSUPPORTED, "data can't show availability"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_contract c;
        struct dp_verdict v = {0};
        struct dp_sla *s;
        size_t n;
        char tail[300];
        (void)snprintf(tail, sizeof tail, "slaProperties:\n  - %s\n", cases[i].entry);
        parse(tail, false, &c);
        dp_sla_compile(&c, &c.objects[0], &v, &s, &n);
        assert_int_equal(v.n, 1);
        assert_int_equal(n, cases[i].outcome != DP_OUTCOME_UNSUPPORTED);
        int64_t low = cases[i].low ? micros(cases[i].low) : INT64_MAX, high = cases[i].high ? micros(cases[i].high) : INT64_MIN;
        if (n) dp_sla_judge(&s[0], low, high, micros("2026-03-31T12:00:00Z"), &v);
        if (v.rules[0].outcome != cases[i].outcome) fail_msg("%s: outcome %d (%s)", cases[i].entry, (int)v.rules[0].outcome, v.rules[0].reason);
        if (cases[i].reason && !strstr(v.rules[0].reason, cases[i].reason)) fail_msg("%s: %s", cases[i].entry, v.rules[0].reason);
        dp_sla_free(s, n);
        dp_verdict_release(&v);
        dp_contract_release(&c);
    }
}

/* Of two objects each has its own; what names none is about both. */
static void objects(void **state) {
    (void)state;
    struct dp_contract c;
    struct dp_verdict v = {0};
    struct dp_sla *s;
    size_t n;
    parse("slaProperties:\n  - {property: freshness, value: 1, unit: d, element: 'orders.ts, users.id, orders.a.b'}\n"
          "  - {property: availability, value: 99}\n  - {property: availability, value: 99, element: users.id}\n", true, &c);
    dp_sla_compile(&c, &c.objects[0], &v, &s, &n);
    assert_int_equal(n, 2);
    assert_int_equal(v.n, 3);
    assert_string_equal(v.rules[0].property, "ts");
    assert_string_equal(v.rules[1].property, "a.b");
    assert_int_equal(s[1].path.n, 1);
    dp_sla_free(s, n);
    dp_verdict_release(&v);
    dp_sla_compile(&c, &c.objects[1], &v, &s, &n);
    assert_int_equal(n, 0); /* users.id is no time */
    assert_int_equal(v.n, 3);
    dp_sla_free(s, n);
    dp_verdict_release(&v);
    dp_contract_release(&c);
}

static void references(void **state) {
    (void)state;
    static const struct { const char *text, *file, *object, *last; size_t n; bool found; } cases[] = {
        {"orders.ts", "", "orders", "ts", 1, true}, {"db.orders.ts", "", "db.orders", "ts", 1, true}, {"orders.address.street", "", "orders", "str", 2, true},
        {"orders.address.str", "", "orders", "str", 2, true}, {"orders.a.b", "", "orders", "a.b", 1, true}, {"users.id", "", "users", "id", 1, true},
        {"schema/orders_tbl/properties/addr/properties/st", "", "orders_tbl", "str", 2, true}, {"#/schema/users_tbl/properties/uid", "", "users_tbl", "id", 1, true},
        {"/schema/orders_tbl/properties/nothing", "", "orders_tbl", NULL, 0, true}, {"schema/none/properties/uid", "", "none", NULL, 0, false},
        {"customers.id", "", "customers", NULL, 0, false}, {"orders.nothing", "", "orders", NULL, 0, true},
        {"other.yaml#/schema/users_tbl/properties/uid", "other.yaml", "users_tbl", NULL, 0, false}, {"other.yaml#users.id", "other.yaml", "users", NULL, 0, false},
        {"https://example.com/c.yaml#users.id", "https://example.com/c.yaml", "users", NULL, 0, false}, {"", "", "", NULL, 0, false}, {"#", "", "", NULL, 0, false},
        {"schema/", "", "", NULL, 0, false}, {"a.", "", "a", NULL, 0, false},
    };
    struct dp_contract c;
    parse("", true, &c);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_reference r = dp_reference_read(&c, cases[i].text, NULL);
        if (!dp_str_eqz(r.file, cases[i].file) || !dp_str_eqz(r.object_name, cases[i].object) || r.n != cases[i].n || (r.object != NULL) != cases[i].found)
            fail_msg("%s: object %.*s, %zu properties", cases[i].text, DP_STR_FMT(r.object_name), r.n);
        if (r.n) assert_string_equal(r.chain[r.n - 1]->name, cases[i].last);
    }
    struct dp_reference r = dp_reference_read(&c, "address.street", &c.objects[0]);
    assert_int_equal(r.n, 2);
    struct dp_path path;
    struct dp_buf text = {0};
    dp_reference_path(&r, &path);
    dp_path_print(&path, &text);
    assert_string_equal(dp_buf_z(&text), ".address.str");
    dp_buf_release(&text);
    dp_path_release(&path);
    dp_contract_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(judging), cmocka_unit_test(objects), cmocka_unit_test(references)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
