/* Rules of retention (dp/rules/retention.h): the three forms that they are read from, the calendar, which rows and files go where several rules meet. */
#include "dpt.h"

#include <dp/base/limits.h>
#include <dp/rules/retention.h>

static int64_t at(const char *text) {
    struct dp_timestamp t;
    int64_t micros = 0;
    assert_true(dp_time_parse(dp_str_z(text), false, false, &t) && dp_time_micros(&t, &micros));
    return micros;
}

static struct dp_retain_rules read_all(const char *text) {
    struct dp_retain_rules r = {0};
    struct dp_err err = DP_ERR_INIT;
    if (dp_retain_parse(&r, dp_str_z(text), "rules", &err) != DP_OK) fail_msg("%s", err.msg);
    return r;
}

/* ---- reading ---- */

static void test_yaml(void **state) {
    (void)state;
    struct dp_retain_rules r = read_all("version: 1\nzone: Europe/Berlin\nrules:\n"
                                        "  - id: a\n    reason: HGB 257\n    tables: [lake/*, x]\n    tags: {tier: bronze, n: 3}\n    rows: {keep: 7y, time: ts, where: '.a == 1', at-most: 50%}\n"
                                        "  - id: b\n    zone: UTC\n    enabled: false\n    versions: {keep: P1M2D, last: 3, daily: 7, weekly: 4, monthly: 12, yearly: 2, below-table: true}\n"
                                        "  - id: c\n    leftovers: {keep: 36 h, to-midnight: true}\n    rows: {keep: forever, time: ms, unit: ms}\n");
    assert_int_equal(r.n, 3);
    assert_string_equal(r.v[0].reason, "HGB 257");
    assert_int_equal(r.v[0].n_tables, 2);
    assert_string_equal(r.v[0].tags[1].value, "3");
    assert_int_equal(r.v[0].rows.months, 84);
    assert_int_equal(r.v[0].most, 50);
    assert_string_equal(dp_zone_name(r.v[0].zone), "Europe/Berlin");
    assert_false(r.v[1].enabled);
    assert_int_equal(r.v[1].versions.months, 1);
    assert_int_equal(r.v[1].versions.micros, INT64_C(2) * 86400000000);
    assert_int_equal(r.v[1].last + r.v[1].daily + r.v[1].weekly + r.v[1].monthly + r.v[1].yearly, 28);
    assert_true(r.v[1].below_table);
    assert_int_equal(r.v[2].leftovers.micros, INT64_C(36) * 3600000000);
    assert_true(r.v[2].leftovers.to_midnight && r.v[2].rows.forever);
    assert_int_equal(r.v[2].unit, DP_RETAIN_UNIT_MS);
    dp_retain_rules_release(&r);
}

static void test_faults(void **state) {
    (void)state;
#define RULE "version: 1\nrules:\n- id: a\n"
    static const struct { const char *text, *word; unsigned line; } cases[] = {
        {"[]", "a map", 1},
        {"version: 2\nrules: []\n", "version: 1", 1},
        {"version: 1\n", "a list", 1},
        {"version: 1\nrules: []\nzones: UTC\n", "zone", 3},
        {"version: 1\nzone: Mars/Olympus\nrules: []\n", "no time zone", 2},
        {"version: 1\nrules:\n- rows: {keep: 1d}\n", "has an id", 3},
        {RULE, "rows, versions, leftovers or tier", 3},
        {RULE "  rows: {keep: 90}\n", "with its unit", 4},
        {RULE "  rows: {keep: 90 M}\n", "is not one of", 4},
        {RULE "  rows: {keep: P1X}\n", "ISO 8601", 4},
        {RULE "  rows: {keep: 99999999y}\n", "can't be measured|is not a time", 4},
        {RULE "  rows: {time: ts}\n", "keep or where", 4},
        {RULE "  rows:\n    keep: 1d\n    where: .a ==\n", "where", 6},
        {RULE "  rows: {keep: 1d, where: .a}\n", "wants time", 4},
        {RULE "  rows: {keep: 1d, at-most: 101%}\n", "at-most", 4},
        {RULE "  rows: {keep: 1d, time: a, unit: m}\n", "unit", 4},
        {RULE "  versions: {last: 3}\n", "keep is wanted", 4},
        {RULE "  versions: {keep: 1d, last: 0}\n", "last", 4},
        {RULE "  leftovers: {keeps: 1d}\n", "keep", 4},
        {RULE "  leftovers: {keep: 1d}\n- id: a\n  leftovers: {keep: 1d}\n", "already", 5},
        {RULE "  tier: {to: /c}\n", "after is wanted", 4},
        {RULE "  tier: {after: 90}\n", "after: a time with its unit", 4},
        {RULE "  tier: {after: 90d}\n", "to is wanted", 4},
        {RULE "  tier: {after: 90d, to: cold}\n", "whole path", 4},
        {RULE "  tier: {after: 90d, to: /}\n", "whole path", 4},
        {RULE "  tier: {after: 90d, to: /a//b}\n", "whole path", 4},
        {RULE "  tier: {after: 90d, to: /a/./b}\n", "whole path", 4},
        {RULE "  tier: {after: 90d, to: /a/..}\n", "whole path", 4},
        {RULE "  tier: {after: 90d, to: \"/a\\nb\"}\n", "whole path", 4},
        {RULE "  tier: {after: 90d, to: /c, sort: a, cluster: zorder(a)}\n", "not both", 4},
        {RULE "  tier: {after: 90d, to: /c, unit: d}\n", "unit", 4},
        {RULE "  tier: {after: 90d, to: /c, keep: 1d}\n", "keep", 4},
        {"{\"Rules\":[\n{\"ID\":\"a\",\"Status\":\"On\",\"Expiration\":{\"Days\":1}}]}", "Enabled", 2},
        {"{\"Rules\":[\n{\"ID\":\"a\",\"Status\":\"Enabled\"}]}", "nothing to do", 2},
        {"{\"Rules\":[\n{\"Status\":\"Enabled\",\"Expiration\":{\"Days\":0}}]}", "Days", 2},
        {"{\"Rules\":[\n{\"Status\":\"Enabled\",\"Expiration\":{\"Date\":\"2026-01-01T03:00:00Z\"}}]}", "midnight", 2},
        {"{\"Rules\":[\n{\"Status\":\"Enabled\",\"Expiration\":{\"Day\":1}}]}", "Days", 2},
        {"{\"Rules\":[\n{\"Status\":\"Enabled\",\"Filter\":{\"Prefix\":\"a\",\"Tag\":{\"Key\":\"a\",\"Value\":\"b\"}},\"Expiration\":{\"Days\":1}}]}", "inside of And", 2},
        {"{\"Rules\":[\n{\"Status\":\"Enabled\",\"NoncurrentVersionExpiration\":{\"NewerNoncurrentVersions\":2}}]}", "NoncurrentDays", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_retain_rules r = {0};
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(dp_retain_parse(&r, dp_str_z(cases[i].text), "rules", &err), DP_USAGE);
        const char *bar = strchr(cases[i].word, '|');
        char *first = bar ? dp_strndup(cases[i].word, (size_t)(bar - cases[i].word)) : dp_strdup(cases[i].word);
        if (!strstr(err.msg, first) && !(bar && strstr(err.msg, bar + 1))) fail_msg("case %zu: %s", i, err.msg);
        if (err.line != cases[i].line) fail_msg("case %zu: line %llu: %s", i, (unsigned long long)err.line, err.msg);
        free(first);
        dp_retain_rules_release(&r);
    }
}

static void test_s3(void **state) {
    (void)state;
    struct dp_retain_rules r = read_all("{\n\t\"Rules\": [\n\t\t{\"ID\": \"all\", \"Status\": \"Enabled\", \"Filter\": {\"And\": {\"Prefix\": \"logs/\", \"Tags\": [{\"Key\": \"t\", \"Value\": \"v\"}],"
                                        " \"ObjectSizeGreaterThan\": 500, \"ObjectSizeLessThan\": 64000}},\n\"Transitions\": [{\"Days\": 30, \"StorageClass\": \"GLACIER\"}],\n"
                                        "\"Expiration\": {\"Days\": 365}, \"NoncurrentVersionExpiration\": {\"NoncurrentDays\": 30, \"NewerNoncurrentVersions\": 2},"
                                        " \"AbortIncompleteMultipartUpload\": {\"DaysAfterInitiation\": 7}},\n"
                                        "{\"Status\": \"Disabled\", \"Prefix\": \"tmp\", \"Expiration\": {\"Date\": \"2026-01-01T00:00:00.000Z\"}},\n"
                                        "{\"Status\": \"Enabled\", \"Filter\": {}, \"Expiration\": {\"ExpiredObjectDeleteMarker\": true}}]}");
    assert_int_equal(r.n, 3);
    assert_string_equal(r.v[0].prefix, "logs/");
    assert_string_equal(r.v[0].tags[0].value, "v");
    assert_int_equal(r.v[0].over, 500);
    assert_int_equal(r.v[0].under, 64000);
    assert_true(r.v[0].has_rows && r.v[0].has_versions && r.v[0].has_leftovers && !r.v[0].time);
    assert_int_equal(r.v[0].last, 3);
    assert_false(r.v[1].enabled);
    assert_string_equal(r.v[1].id, "Rules/1");
    assert_int_equal(r.v[1].from, at("2026-01-01T00:00:00Z"));
    assert_int_equal(r.n_notes, 2); /* what is not carried out is told */
    assert_int_equal(r.notes[0].line, 4);
    assert_non_null(strstr(r.notes[0].text, "Transitions"));
    assert_non_null(strstr(r.notes[1].text, "ExpiredObjectDeleteMarker"));
    dp_retain_rules_release(&r);
}

static void test_tier(void **state) {
    (void)state;
    struct dp_retain_rules r = read_all("version: 1\nrules:\n- {id: a, tier: {after: 6mo, time: ts, unit: s, to: /mnt/c..d/e f/, codec: zstd, sort: -a, to-midnight: true}}\n"
                                        "- {id: b, tier: {after: 1y, to: /x, name: glacier, cluster: 'zorder(a,b)'}}\n");
    assert_int_equal(r.n, 2);
    assert_true(r.v[0].has_tier && !r.v[0].has_rows && r.v[0].tier.to_midnight);
    assert_int_equal(r.v[0].tier.months, 6);
    assert_int_equal(r.v[0].tier_unit, DP_RETAIN_UNIT_S);
    assert_string_equal(r.v[0].tier_time, "ts");
    assert_string_equal(r.v[0].tier_to, "/mnt/c..d/e f");
    assert_string_equal(r.v[0].tier_name, "e f");
    assert_string_equal(r.v[0].codec, "zstd");
    assert_string_equal(r.v[0].sort, "-a");
    assert_string_equal(r.v[1].tier_name, "glacier");
    assert_string_equal(r.v[1].cluster, "zorder(a,b)");
    assert_null(r.v[1].tier_time);
    dp_retain_rules_release(&r);
}

static void test_limit(void **state) {
    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        struct dp_retain_rules r = {0};
        struct dp_err err = DP_ERR_INIT;
        struct dp_buf b = {0};
        dp_buf_addz(&b, "version: 1\nrules:\n");
        for (unsigned i = 0; i < DP_LIMIT_CONTRACT_RULES + extra; i++) dp_buf_addf(&b, "- {id: r%u, leftovers: {keep: 1d}}\n", i);
        assert_int_equal(dp_retain_parse(&r, dp_buf_str(&b), "rules", &err), extra ? DP_USAGE : DP_OK);
        dp_buf_release(&b);
        dp_retain_rules_release(&r);
    }
}

/* ---- the calendar ---- */

static void test_cut(void **state) {
    (void)state;
    static const struct { const char *keep, *zone, *now, *cut; } cases[] = {
        {"90d", "UTC", "2026-03-31T10:00:00Z", "2025-12-31T10:00:00Z"},
        {"36h", "UTC", "2026-03-31T10:00:00Z", "2026-03-29T22:00:00Z"},
        {"1y", "UTC", "2024-02-29T10:00:00Z", "2023-03-01T00:00:00Z"},  /* 28 February 2023 was kept until 28 February 2024, all of it */
        {"1y", "UTC", "2025-02-28T10:00:00Z", "2024-02-28T10:00:00Z"},  /* what is of the 29th, too, ends on the 28th */
        {"1y", "UTC", "2025-03-01T00:00:00Z", "2024-03-01T00:00:00Z"},
        {"4y", "UTC", "2028-02-29T10:00:00Z", "2024-02-29T10:00:00Z"},
        {"1mo", "UTC", "2026-02-28T10:00:00Z", "2026-01-28T10:00:00Z"},
        {"1mo", "UTC", "2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"},
        {"1mo", "UTC", "2026-03-30T10:00:00Z", "2026-03-01T00:00:00Z"}, /* 28 February ended on 28 March, 1 March ends on 1 April */
        {"P1M1D", "UTC", "2026-03-02T10:00:00Z", "2026-02-01T10:00:00Z"},
        {"1d", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T13:00:00Z"}, /* the day of 23 hours */
        {"24h", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T13:00:00Z"},
        {"23h", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T13:00:00Z"},
        {"1d", "Asia/Kathmandu", "2026-03-29T00:00:00Z", "2026-03-28T00:00:00Z"},
        {"1mo", "Asia/Tokyo", "2026-03-31T15:30:00Z", "2026-02-28T15:30:00Z"}, /* 1 April there */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200], found[40];
        (void)snprintf(text, sizeof text, "version: 1\nzone: %s\nrules:\n- {id: a, leftovers: {keep: %s}}\n", cases[i].zone, cases[i].keep);
        struct dp_retain_rules r = read_all(text);
        int64_t cut = dp_retain_cut(&r.v[0].leftovers, r.v[0].zone, at(cases[i].now));
        found[dp_time_print_micros(found, cut, true, 0)] = 0;
        if (strcmp(found, cases[i].cut) != 0) fail_msg("%s in %s at %s: %s, not %s", cases[i].keep, cases[i].zone, cases[i].now, found, cases[i].cut);
        dp_retain_rules_release(&r);
    }
}

/* The definition, day by day: what is older than the cut has been kept long enough, the day of the cut has not. */
static void test_cut_is_exact(void **state) {
    (void)state;
    for (int64_t months = 1; months < 30; months += 7) {
        const struct dp_retain_keep k = {.is_given = true, .months = months};
        int64_t last = INT64_MIN;
        for (int64_t day = 19700; day < 21200; day++) {
            int64_t cut = dp_retain_cut(&k, NULL, day * 86400000000);
            assert_true(cut >= last && cut % 86400000000 == 0);
            last = cut;
        }
    }
    const struct dp_retain_keep s3 = {.is_given = true, .micros = INT64_C(3) * 86400000000, .to_midnight = true};
    assert_int_equal(dp_retain_cut(&s3, NULL, at("2014-01-18T23:59:59Z")), at("2014-01-15T00:00:00Z")); /* of 15 January 10:30 it is kept */
    assert_int_equal(dp_retain_cut(&s3, NULL, at("2014-01-19T00:00:00Z")), at("2014-01-16T00:00:00Z"));
    const struct dp_retain_keep forever = {.is_given = true, .forever = true}, none = {0};
    assert_true(dp_retain_cut(&forever, NULL, 0) == INT64_MIN && dp_retain_cut(&none, NULL, 0) == INT64_MAX);
}

/* ---- what goes ---- */

static struct dp_type *schema(void) {
    struct dp_type *t = NULL;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_type_parse(dp_str_z("struct<d:date,ts:timestamp,local:timestamp_ntz,s:string,n:int64,x:double>"), &t, &err), DP_OK);
    return t;
}

static char *where_of(const char *text, const char *now, enum dp_status want) {
    struct dp_retain_rules r = read_all(text);
    const struct dp_retain_rule *rules[8];
    struct dp_type *t = schema();
    const struct dp_delta_snapshot s = {.table = (char *)(uintptr_t)"t", .schema = t};
    struct dp_buf b = {0};
    struct dp_err err = DP_ERR_INIT;
    for (size_t i = 0; i < r.n; i++) rules[i] = &r.v[i];
    enum dp_status status = dp_retain_where(rules, r.n, &s, at(now), &b, &err);
    if (status != want) fail_msg("%s: %s", dp_status_name(status), err.msg);
    dp_type_free(t);
    dp_retain_rules_release(&r);
    return dp_buf_detach(&b);
}

static void test_where(void **state) {
    (void)state;
#define RULES "version: 1\nzone: Europe/Berlin\nrules:\n"
    static const struct { const char *rules, *where; } cases[] = {
        {"- {id: a, rows: {keep: 1d, time: d}}", "((.[\"d\"] < \"2026-01-09\"))"},
        {"- {id: a, rows: {keep: 1d, time: ts}}", "((.[\"ts\"] < \"2026-01-09T11:00:00\"))"},
        {"- {id: a, rows: {keep: 1d, time: local}}", "((.[\"local\"] < \"2026-01-09T12:00:00\"))"},
        {"- {id: a, rows: {keep: 1d, time: s}}", "(((.[\"s\"] < \"2026-01-09\" and (.[\"s\"] | test(\"^[0-9]{4}-[0-9]{2}-[0-9]{2}\")))))"},
        {"- {id: a, rows: {keep: 1d, time: n, unit: s}}", "((.[\"n\"] < 1767956400))"},
        {"- {id: a, rows: {keep: forever, time: d}}", "((false))"},
        {"- {id: a, rows: {where: .x > 1}}", "(((.x > 1) and true))"},
        {"- {id: a, rows: {keep: 1d, time: d, where: .x > 1}}", "(((.x > 1) and .[\"d\"] < \"2026-01-09\"))"},
        {"- {id: a, rows: {keep: 1d, time: d}}\n- {id: b, rows: {keep: 1y, time: d, where: .x > 1}}",
         "((.[\"d\"] < \"2026-01-09\") or ((.x > 1) and .[\"d\"] < \"2025-01-10\")) and (.[\"d\"] < \"2026-01-09\") and (((.x > 1) | not) or .[\"d\"] < \"2025-01-10\")"},
        {"- {id: a, versions: {keep: 1d}}", ""},
        {"- {id: a, rows: {keep: 1d}}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf b = {0};
        dp_buf_addf(&b, RULES "%s\n", cases[i].rules);
        char *got = where_of(dp_buf_z(&b), "2026-01-10T11:00:00.5Z", DP_OK);
        if (strcmp(got ? got : "", cases[i].where) != 0) fail_msg("%s: %s", cases[i].rules, got);
        free(got);
        dp_buf_release(&b);
    }
    free(where_of(RULES "- {id: a, rows: {keep: 1d, time: dd}}", "2026-01-10T11:00:00Z", DP_USAGE));
    free(where_of(RULES "- {id: a, rows: {keep: 1d, time: n}}", "2026-01-10T11:00:00Z", DP_USAGE));
    free(where_of(RULES "- {id: a, rows: {keep: 1d, time: x}}", "2026-01-10T11:00:00Z", DP_USAGE));
}

static void test_files(void **state) {
    (void)state;
    struct dp_retain_rules r = read_all(RULES "- {id: a, rows: {keep: 1d}}\n- {id: b, rows: {keep: 3d}}\n- {id: c, rows: {keep: 30d, time: d}}\n");
    const struct dp_retain_rule *rules[3] = {&r.v[0], &r.v[1], &r.v[2]};
    int64_t now = at("2026-01-10T11:00:00Z");
    struct dp_delta_file f = {.size = 100, .modification_time = now / 1000 - 2 * 86400000};
    assert_int_equal(dp_retain_file(rules, 1, &f, now), DP_ALWAYS);
    assert_int_equal(dp_retain_file(rules, 2, &f, now), DP_NEVER); /* the longest keep wins */
    f.modification_time -= 2 * 86400000;
    assert_int_equal(dp_retain_file(rules, 3, &f, now), DP_ALWAYS);
    r.v[1].over = 100;
    f.modification_time = now / 1000 - 2 * 86400000;
    assert_int_equal(dp_retain_file(rules, 2, &f, now), DP_ALWAYS); /* b is about larger ones */
    assert_int_equal(dp_retain_file(rules + 2, 1, &f, now), DP_MAYBE);
    dp_retain_rules_release(&r);
}

static bool covers(const char *text, const char *path, const char *below, const char *name, enum dp_status want) {
    struct dp_retain_rules r = read_all(text);
    struct dp_delta_pair tag = {.key = DP_STR("dp.tag.tier"), .value = DP_STR("gold")};
    const struct dp_delta_snapshot s = {.metadata = {.name = dp_str_z(name), .configuration = {&tag, 1}}};
    bool out;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_retain_covers(&r.v[0], path, below, &s, &out, &err), want);
    dp_retain_rules_release(&r);
    return out;
}

static void test_covers(void **state) {
    (void)state;
#define ONE(x) RULES "- {id: a, leftovers: {keep: 1d}, " x "}\n"
    assert_true(covers(ONE(""), "lake/a/orders", "a/orders", "", DP_OK));
    assert_true(covers(ONE("tables: orders"), "lake/a/orders", "a/orders", "", DP_OK));
    assert_true(covers(ONE("tables: a/*"), "lake/a/orders", "a/orders", "", DP_OK));
    assert_true(covers(ONE("tables: [x, 'lake/*']"), "lake/a/orders", "a/orders", "", DP_OK));
    assert_true(covers(ONE("tables: sales"), "lake/a/orders", "a/orders", "sales", DP_OK));
    assert_false(covers(ONE("tables: sales"), "lake/a/orders", "a/orders", "", DP_OK));
    assert_false(covers(ONE("enabled: false"), "lake/a/orders", "a/orders", "", DP_OK));
    assert_true(covers(ONE("tags: {tier: gold}"), "t", "t", "", DP_OK));
    assert_false(covers(ONE("tags: {tier: gold, x: y}"), "t", "t", "", DP_OK));
#define S3(p) "{\"Rules\":[{\"Status\":\"Enabled\",\"Filter\":{\"Prefix\":\"" p "\"},\"Expiration\":{\"Days\":1}}]}"
    assert_true(covers(S3(""), "lake/a/orders", "a/orders", "", DP_OK));
    assert_true(covers(S3("a/"), "lake/a/orders", "a/orders", "", DP_OK));
    assert_true(covers(S3("a/orders/"), "lake/a/orders", "a/orders", "", DP_OK));
    assert_false(covers(S3("b/"), "lake/a/orders", "a/orders", "", DP_OK));
    assert_false(covers(S3("a/orders-2"), "lake/a/orders", "a/orders", "", DP_OK));
    (void)covers(S3("a/orders/day=2026"), "lake/a/orders", "a/orders", "", DP_UNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_yaml), cmocka_unit_test(test_faults), cmocka_unit_test(test_s3), cmocka_unit_test(test_tier), cmocka_unit_test(test_limit), cmocka_unit_test(test_cut),
                                       cmocka_unit_test(test_cut_is_exact), cmocka_unit_test(test_where), cmocka_unit_test(test_files), cmocka_unit_test(test_covers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
