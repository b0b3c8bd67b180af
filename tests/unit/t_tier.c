/* Places of files in tiers (dp/delta/tier.h): what a path of the log says, and what it may not say. */
#include "dpt.h"

#include <dp/base/limits.h>
#include <dp/delta/tier.h>

static void test_split(void **state) {
    (void)state;
    static const struct { const char *path, *dir, *rel; } cases[] = {
        {"/cold/ID/day=1/a.parquet", "/cold", "day=1/a.parquet"},
        {"/ID/a", "/", "a"},
        {"/cold/ID/ID/a", "/cold", "ID/a"},
        {"/a b/c/ID/x", "/a b/c", "x"},
        {"/cold/ID", NULL, NULL},
        {"/cold/ID/", NULL, NULL},
        {"/cold/IDx/a", NULL, NULL},
        {"/cold/xID/a", NULL, NULL},
        {"cold", NULL, NULL},
        {"", NULL, NULL},
        {"/cold/ID/../../etc/passwd", NULL, NULL},
        {"/cold/ID/a/..", NULL, NULL},
        {"/cold/ID/./a", NULL, NULL},
        {"/cold/ID//a", NULL, NULL},
        {"/cold/ID/_delta_log/0.json", NULL, NULL},
        {"/cold/ID/_dp_staging/a", NULL, NULL},
        {"/cold/ID/_dp_tiers", NULL, NULL},
        {"/cold/ID/_p=1/a", "/cold", "_p=1/a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_str dir, rel;
        bool hit = dp_delta_tier_split(dp_str_z(cases[i].path), DP_STR("ID"), &dir, &rel);
        if (hit != (cases[i].dir != NULL) || (hit && (!dp_str_eqz(dir, cases[i].dir) || !dp_str_eqz(rel, cases[i].rel)))) fail_msg("case %zu: %s", i, cases[i].path);
    }
    struct dp_str dir, rel;
    assert_false(dp_delta_tier_split(DP_STR("/cold//a"), DP_STR(""), &dir, &rel));
}

static void test_words(void **state) {
    (void)state;
    struct dp_buf b = {0};
    dp_delta_path_uri(DP_STR("/a b/p=1%2F/x"), &b);
    assert_true(dp_str_eqz(dp_buf_str(&b), "file:///a%20b/p=1%252F/x"));
    dp_buf_release(&b);
    assert_true(dp_delta_path_is_absolute(DP_STR("/a")));
    assert_true(dp_delta_path_is_absolute(DP_STR("file:/a")));
    assert_false(dp_delta_path_is_absolute(DP_STR("a/file:")));
    assert_false(dp_delta_path_is_absolute(DP_STR("")));
    struct dp_delta_pair tag = {DP_STR(DP_DELTA_TAG_TIER), DP_STR("cold"), false};
    struct dp_delta_file f = {.path = DP_STR("file:///c/ID/a"), .tags = {&tag, 1}};
    assert_true(dp_delta_is_tiered(&f));
    f.path = DP_STR("a");
    assert_false(dp_delta_is_tiered(&f));
    f.path = DP_STR("file:///c/ID/a"), f.tags.n = 0;
    assert_false(dp_delta_is_tiered(&f));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_split), cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
