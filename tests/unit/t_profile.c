/* Evidence for a first contract: uniqueness, enumerations, formats, patterns, and the rules that are made of them. */
#include "dpt.h"

#include <dp/rules/contract.h>
#include <dp/rules/pattern.h>
#include <dp/rules/profile.h>

static void *profile_of(const char *const *values, enum dp_kind kind) {
    void *p = NULL;
    for (size_t i = 0; values[i]; i++) dp_profile_watch.value(&p, kind, dp_str_z(values[i]));
    return p;
}

static void patterns(void **state) {
    (void)state;
    static const struct { const char *values[6], *pattern; } cases[] = {
        {{"ORD-0001", "ORD-9231"}, "^ORD-[0-9]{4}$"}, {{"a1", "b22"}, NULL}, {{"Ann", "Bob"}, "^[A-Za-z]{3}$"}, {{"Ann", "Bobby"}, NULL}, {{"3/8/1971", "12/30/2001"}, "^[0-9]+\\/[0-9]+\\/[0-9]{4}$"},
        {{"1", "22"}, NULL}, {{"a b", "a c"}, NULL}, {{"", "a"}, NULL}, {{"x.1", "x-1"}, NULL}, {{"0a1b2c3d4e", "ffffffffff"}, "^[0-9a-f]{10}$"},
        {{"0A1B2C3D", "FFFFFFFF"}, "^[0-9A-F]{8}$"}, {{"v1:ABC=", "v1:DEF="}, "^v1:[A-Z]{3}=$"}, {{"same", "same"}, "^same$"}, {{"(1)", "(2)"}, "^\\([0-9]\\)$"},
        {{"\xc3\xa9", "\xc3\xa9"}, NULL}, {{"a", "a-"}, NULL}, {{"a-", "a"}, NULL}, {{"1.2.3.4.5.6.7", "1.2.3.4.5.6.7"}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *p = profile_of(cases[i].values, DP_KIND_STRING);
        struct dp_buf b = {0};
        bool is = dp_profile_pattern(p, &b);
        if (is != (cases[i].pattern != NULL) || (is && strcmp(dp_buf_z(&b), cases[i].pattern) != 0)) fail_msg("%s: %s", cases[i].values[0], dp_buf_z(&b));
        if (is) { /* what it was made of, it matches */
            struct dp_pattern *re = NULL;
            struct dp_pattern_run *run = dp_pattern_run_open();
            bool yes;
            assert_int_equal(dp_pattern_compile(dp_buf_str(&b), &re, NULL), DP_OK);
            for (size_t k = 0; cases[i].values[k]; k++) {
                assert_int_equal(dp_pattern_match(re, run, dp_str_z(cases[i].values[k]), &yes, NULL), DP_OK);
                assert_true(yes);
            }
            dp_pattern_free(re);
            dp_pattern_run_close(run);
        }
        dp_buf_release(&b);
        dp_profile_watch.drop(p);
    }
}

static void formats(void **state) {
    (void)state;
    static const struct { const char *values[4]; enum dp_textform form; } cases[] = {
        {{"a@b.de", "c@d.org"}, DP_TEXTFORM_EMAIL}, {{"1.2.3.4", "10.0.0.1"}, DP_TEXTFORM_IPV4}, {{"::1", "fe80::1"}, DP_TEXTFORM_IPV6}, {{"::1", "1.2.3.4"}, DP_TEXTFORM_NONE},
        {{"https://a.de/", "urn:x"}, DP_TEXTFORM_URI}, {{"123e4567-e89b-12d3-a456-426614174000"}, DP_TEXTFORM_UUID}, {{"a@b.de", "n/a"}, DP_TEXTFORM_NONE}, {{"abc"}, DP_TEXTFORM_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *p = profile_of(cases[i].values, DP_KIND_STRING);
        if (dp_profile_format(p) != cases[i].form) fail_msg("%s", cases[i].values[0]);
        dp_profile_watch.drop(p);
    }
}

static void sets(void **state) {
    (void)state;
    struct dp_str out[DP_PROFILE_VALUES];
    char text[16];
    void *p = NULL;
    for (int i = 0; i < 100000; i++) {
        snprintf(text, sizeof text, "%d", i);
        dp_profile_watch.value(&p, DP_KIND_NUMBER, dp_str_z(text));
    }
    assert_true(dp_profile_is_unique(p));
    assert_int_equal(dp_profile_count(p), 100000);
    dp_profile_watch.value(&p, DP_KIND_NUMBER, DP_STR("77"));
    assert_false(dp_profile_is_unique(p));
    dp_profile_watch.drop(p);
    p = NULL;
    for (int i = 0; i < DP_PROFILE_VALUES * 2; i++) {
        snprintf(text, sizeof text, "v%02d", i % DP_PROFILE_VALUES);
        dp_profile_watch.value(&p, DP_KIND_STRING, dp_str_z(text));
    }
    assert_int_equal(dp_profile_values(p, 2, out), DP_PROFILE_VALUES);
    assert_true(dp_str_eqz(out[0], "v00") && dp_str_eqz(out[DP_PROFILE_VALUES - 1], "v23"));
    assert_int_equal(dp_profile_values(p, 3, out), 0);
    dp_profile_watch.value(&p, DP_KIND_STRING, DP_STR("one more"));
    assert_int_equal(dp_profile_values(p, 1, out), 0);
    dp_profile_watch.drop(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(patterns), cmocka_unit_test(formats), cmocka_unit_test(sets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
