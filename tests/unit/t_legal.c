/* Legal holds: names, files, and what they hold of partitions, rows and subjects. With tables and vacuums: tests/cli/retain-hold.bats. */
#include <dp/base/limits.h>
#include <dp/delta/legal.h>

#include "dpt.h"

#define TAIL "\"reason\":\"r\",\"who\":\"ann\",\"time\":\"t\","

static void test_names(void **state) {
    char longest[DP_LIMIT_HOLD_CASE + 2];
    static const char *const good[] = {"C-1", "a", "7", "2026_x.y-z"}, *const bad[] = {"", ".", "..", ".a", "-a", "_a", "a/b", "a b", "\xc3\xa4", "a\n"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(dp_legal_case_ok(dp_str_z(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(dp_legal_case_ok(dp_str_z(bad[i])));
    memset(longest, 'x', sizeof longest);
    assert_true(dp_legal_case_ok(dp_str(longest, DP_LIMIT_HOLD_CASE)));
    assert_false(dp_legal_case_ok(dp_str(longest, DP_LIMIT_HOLD_CASE + 1)));
}

static void test_files(void **state) {
    static const struct { const char *text; enum dp_status status; } rows[] = {
        {"{\"dp_legal_hold\":1,\"case\":\"C\"," TAIL "\"whole\":true,\"partitions\":[],\"subjects\":[]}", DP_OK},
        {"{\"dp_legal_hold\":1,\"case\":\"C\"," TAIL "\"whole\":false,\"partitions\":[{\"column\":\"a\",\"value\":\"1\"}],\"subjects\":[]}", DP_OK},
        {"{\"dp_legal_hold\":1,\"case\":\"C\"," TAIL "\"whole\":false,\"partitions\":[],\"subjects\":[]}", DP_FORMAT}, /* holds nothing */
        {"{\"dp_legal_hold\":1,\"case\":\"C\"," TAIL "\"whole\":false,\"partitions\":[{\"column\":\"a\"}],\"subjects\":[]}", DP_FORMAT},
        {"{\"dp_legal_hold\":1,\"case\":\"C\"," TAIL "\"whole\":false,\"partitions\":[1],\"subjects\":[]}", DP_FORMAT},
        {"{\"dp_legal_hold\":1,\"case\":\"../C\"," TAIL "\"whole\":true,\"partitions\":[],\"subjects\":[]}", DP_FORMAT},
        {"{\"dp_legal_hold\":1,\"case\":\"C\"," TAIL "\"whole\":1,\"partitions\":[],\"subjects\":[]}", DP_FORMAT},
        {"{\"dp_legal_hold\":1,\"case\":\"C\"," TAIL "\"whole\":false,\"whole\":true,\"partitions\":[],\"subjects\":[]}", DP_FORMAT},
        {"{\"dp_legal_hold\":2}", DP_UNSUPPORTED}, {"{}", DP_FORMAT}, {"[]", DP_FORMAT}, {"", DP_FORMAT}, {"{", DP_FORMAT}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dp_arena arena = {0};
        struct dp_legal_hold h;
        assert_int_equal(dp_legal_parse(dp_str_z(rows[i].text), &arena, &h, NULL), rows[i].status);
        dp_arena_release(&arena);
    }
}

/* A hold of DP_LIMIT_HOLD_FILE bytes, and of one more: blanks at its end are of it. */
static void test_limit(void **state) {
    static const char text[] = "{\"dp_legal_hold\":1,\"case\":\"C\"," TAIL "\"whole\":true,\"partitions\":[],\"subjects\":[]}";
    struct dp_buf b = {0};
    (void)state;
    dp_buf_addz(&b, text);
    memset(dp_buf_reserve(&b, DP_LIMIT_HOLD_FILE + 1 - b.n), ' ', DP_LIMIT_HOLD_FILE + 1 - b.n);
    for (size_t over = 0; over < 2; over++) {
        struct dp_arena arena = {0};
        struct dp_legal_hold h;
        assert_int_equal(dp_legal_parse(dp_str(b.p, DP_LIMIT_HOLD_FILE + over), &arena, &h, NULL), over ? DP_LIMIT : DP_OK);
        dp_arena_release(&arena);
    }
    dp_buf_release(&b);
}

/* A column `p` of a type, a file with a value, a hold of another: is the file held? */
static bool is_held(enum dp_type_id id, const char *has, const char *held) {
    struct dp_str column = DP_STR("p");
    struct dp_type *schema = dp_type_new(DP_TYPE_STRUCT, dp_str("", 0));
    struct dp_delta_pair pair = {column, has ? dp_str_z(has) : dp_str("", 0), !has};
    struct dp_delta_snapshot s = {.schema = schema, .metadata.partition_columns = {&column, 1, true}, .partition_keys = {&column, 1, true}};
    struct dp_delta_file f = {.partition_values = {&pair, 1}};
    struct dp_legal_scope scope = {column, dp_str_z(held)};
    struct dp_legal_hold h = {.name = DP_STR("C"), .partitions = &scope, .n_partitions = 1};
    const struct dp_legal l = {.v = &h, .n = 1};
    dp_type_add(schema, dp_type_new(id, column));
    bool yes = dp_legal_holds_file(&l, &s, &f);
    f.partition_values.n = 0; /* a tombstone that doesn't say */
    assert_true(dp_legal_holds_file(&l, &s, &f));
    dp_type_free(schema);
    return yes;
}

static void test_partitions(void **state) {
    (void)state;
    assert_true(is_held(DP_TYPE_STRING, "a", "a"));
    assert_false(is_held(DP_TYPE_STRING, "a", "A"));
    assert_true(is_held(DP_TYPE_INT32, "1", "01")); /* one value, two texts */
    assert_false(is_held(DP_TYPE_INT32, "1", "2"));
    assert_true(is_held(DP_TYPE_INT32, "1", "x"));
    assert_false(is_held(DP_TYPE_DATE, "2026-01-01", "2026-01-02"));
    assert_true(is_held(DP_TYPE_DATE, "2026-01-01", "2026-1-1"));
    assert_true(is_held(DP_TYPE_DOUBLE, "1.0", "2.0")); /* not told: many texts are one value */
    assert_true(is_held(DP_TYPE_TIMESTAMP, "2026-01-01 00:00:00", "2026-01-02T00:00:00Z"));
    assert_true(is_held(DP_TYPE_STRING, NULL, ""));
    assert_true(is_held(DP_TYPE_DATE, NULL, "__HIVE_DEFAULT_PARTITION__"));
    assert_false(is_held(DP_TYPE_DATE, NULL, "2026-01-01"));
}

static void test_subjects(void **state) {
    struct dp_legal_scope mail = {DP_STR("mail"), DP_STR("x\"\\(1)")}, id = {DP_STR("id"), DP_STR("007")};
    struct dp_legal_hold v[] = {{.name = DP_STR("A"), .subjects = &mail, .n_subjects = 1}, {.name = DP_STR("B"), .subjects = &id, .n_subjects = 1}};
    struct dp_legal l = {.v = v, .n = 1};
    struct dp_type *schema = dp_type_new(DP_TYPE_STRUCT, dp_str("", 0));
    struct dp_buf b = {0};
    (void)state;
    dp_type_add(schema, dp_type_new(DP_TYPE_STRING, mail.column));
    assert_true(dp_legal_rows(&l, schema, &b));
    assert_string_equal(dp_buf_z(&b), ".[\"mail\"] == \"x\\\"\\\\(1)\"");
    assert_true(dp_legal_holds_subject(&l, mail.column, mail.value, NULL));
    assert_false(dp_legal_holds_subject(&l, mail.column, DP_STR("y"), NULL));
    assert_true(dp_legal_holds_subject(&l, id.column, DP_STR("7"), NULL)); /* maybe the same person */
    l.n = 2;
    dp_buf_reset(&b);
    assert_false(dp_legal_rows(&l, schema, &b)); /* no such column: all is held */
    dp_buf_reset(&b);
    assert_true(dp_legal_holds_subject(&l, id.column, DP_STR("7"), &b));
    assert_string_equal(dp_buf_z(&b), "case A, case B");
    dp_type_add(schema, dp_type_new(DP_TYPE_INT64, id.column));
    dp_buf_reset(&b);
    assert_true(dp_legal_rows(&l, schema, &b));
    assert_non_null(strstr(dp_buf_z(&b), " or .[\"id\"] == 7"));
    assert_int_equal(dp_legal_refuse(&l, "t", "no", NULL), DP_RULE);
    dp_buf_release(&b);
    dp_type_free(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_files), cmocka_unit_test(test_limit), cmocka_unit_test(test_partitions), cmocka_unit_test(test_subjects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
