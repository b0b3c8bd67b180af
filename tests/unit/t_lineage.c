/* A header behind what programs do: how each field comes from those of the source, and whether its clear value can still be seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dp/record/lineage.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\",\"nullable\":true}"
#define HEAD "{\"$dp\":\"begin\",\"run\":\"r\""
#define SCHEMA ",\"schema\":{\"fields\":[" FIELD("a", "int64") "," FIELD("b", "int64") "," FIELD("c", "string") "]}"

static struct dp_mark parsed(const char *line) {
    struct dp_mark m;
    struct dp_err err = DP_ERR_INIT;
    if (dp_mark_parse(dp_str_z(line), &m, &err) != DP_OK) fail_msg("%s: %s", line, err.msg);
    return m;
}

static void map(struct dp_mark *m, const char *program) {
    struct dp_expr *e = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (dp_expr_compile(dp_str_z(program), &e, &err) != DP_OK) fail_msg("%s: %s", program, err.msg);
    dp_lineage_map(e, "dp-map", m);
    dp_expr_free(e);
}

/* `from` of one field, or of what holds for all (name NULL), as in the mark's text; "-": it has no entry. */
static const char *from_of(const struct dp_mark *m, const char *name, char out[2000]) {
    char head[200];
    (void)snprintf(head, sizeof head, name ? "{\"name\":\"%s\",\"from\":[" : "{\"name\":null,\"from\":[", name ? name : "");
    const char *at = m->fields ? strstr(m->fields, head) : NULL;
    if (!at) return "-";
    at += strlen(head);
    size_t n = strcspn(at, "]");
    memcpy(out, at, n), out[n] = 0;
    return out;
}

#define OF(field, how) "{\"field\":\"" field "\",\"how\":\"" how "\"}"
#define MASKED(field, how) "{\"field\":\"" field "\",\"how\":\"" how "\",\"masking\":true}"

/* Through a field x whose origin o came so, by a program that uses x so. */
static void test_composition(void **state) {
    (void)state;
    static const struct {
        const char *how, *program, *field, *from;
    } cases[] = {
        {"\"identity\"", "{y: .x}", "y", OF("o", "identity")},
        {"\"identity\"", "{y: (.x + 1)}", "y", OF("o", "transformation")},
        {"\"transformation\"", "{y: .x}", "y", OF("o", "transformation")},
        {"\"aggregation\"", "{y: (.x + 1)}", "y", OF("o", "aggregation")},
        {"\"aggregation\"", "{y: .x}", "y", OF("o", "aggregation")},
        {"\"identity\"", "{y: (if .x > 1 then 1 else 2 end)}", "y", OF("o", "conditional")},
        {"\"aggregation\"", "{y: (if .x > 1 then 1 else 2 end)}", "y", OF("o", "conditional")},
        {"\"identity\"", "select(.x > 1)", NULL, OF("o", "filter")},
        {"\"window\"", "{y: (.x + 1)}", "y", OF("o", "window")},
        {"\"group_by\"", "{y: .x}", "y", OF("o", "group_by")},
        {"\"join\"", "select(.x > 1)", NULL, OF("o", "join")},
        {"\"sort\"", "{y: (if .x > 1 then 1 else 2 end)}", "y", OF("o", "sort")},
        {"\"identity\",\"masking\":true", "{y: .x}", "y", MASKED("o", "identity")},
        {"\"transformation\",\"masking\":true", "{y: (.x + 1)}", "y", MASKED("o", "transformation")},
        {"\"transformation\",\"masking\":true", "select(.x > 1)", NULL, MASKED("o", "filter")},
        {"\"transformation\",\"masking\":true", "{y: (if .x > 1 then .x else 0 end)}", "y", MASKED("o", "transformation") "," MASKED("o", "conditional")},
        {"\"unheard of\"", "{y: .x}", "y", OF("o", "transformation")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[1000], out[2000];
        (void)snprintf(line, sizeof line, HEAD ",\"schema\":{\"fields\":[" FIELD("x", "int64") "]},\"fields\":[{\"name\":\"x\",\"from\":[{\"field\":\"o\",\"how\":%s}]}]}", cases[i].how);
        struct dp_mark m = parsed(line);
        map(&m, cases[i].program);
        if (strcmp(from_of(&m, cases[i].field, out), cases[i].from) != 0)
            fail_msg("%s through %s: %s, not %s", cases[i].how, cases[i].program, from_of(&m, cases[i].field, out), cases[i].from);
        dp_mark_release(&m);
    }
}

static void test_clear_and_masked(void **state) {
    (void)state;
    char out[2000];
    struct dp_mark m = parsed(HEAD SCHEMA "}");
    const struct dp_lineage_done done = {.field = DP_STR("c"), .what = "masked", .technique = "token", .masks = true};
    map(&m, ".d = .c");
    dp_lineage_done(&m, "dp-mask", &done, 1);
    assert_string_equal(from_of(&m, "c", out), MASKED("c", "transformation"));
    assert_string_equal(from_of(&m, "d", out), OF("c", "identity"));
    map(&m, "{both: (.c + .d), a}"); /* both ways are told */
    assert_string_equal(from_of(&m, "both", out), OF("c", "transformation") "," MASKED("c", "transformation"));
    dp_mark_release(&m);
}

static void test_a_part_is_not_the_whole(void **state) {
    (void)state;
    char out[2000];
    struct dp_mark m = parsed(HEAD SCHEMA "}");
    const struct dp_lineage_done part = {.field = DP_STR("c"), .path = "c[].x", .what = "masked", .technique = "token"}, none = {.field = DP_STR("a"), .classification = "secret"};
    dp_lineage_done(&m, "dp-mask", &part, 1);
    dp_lineage_done(&m, "dp-mask", &none, 1);
    assert_string_equal(from_of(&m, "c", out), OF("c", "transformation"));
    assert_string_equal(from_of(&m, "a", out), OF("a", "identity"));
    dp_mark_release(&m);
}

static void test_made(void **state) {
    (void)state;
    char out[2000];
    struct dp_mark m = parsed(HEAD SCHEMA ",\"fields\":[{\"name\":\"c\",\"from\":[{\"field\":\"C\",\"how\":\"identity\"}],\"classification\":\"restricted\"}]}");
    const struct dp_lineage_on count = {DP_STR("c"), NULL, DP_HOW_MASKED(DP_HOW_AGGREGATION)}, most = {DP_STR("c"), NULL, DP_HOW_AGGREGATION}, key = {DP_STR("b"), NULL, DP_HOW_IDENTITY},
                                 ref = {DP_STR("r"), "ref.csv", DP_HOW_IDENTITY};
    const struct dp_lineage_made made[] = {{DP_STR("n"), "derived", &count, 1}, {DP_STR("m"), "derived", &most, 1}, {DP_STR("b"), NULL, &key, 1}, {DP_STR("z"), "joined", &ref, 1},
                                           {DP_STR("pane"), "derived", NULL, 0}};
    const struct dp_lineage_on all[] = {{DP_STR("b"), NULL, DP_HOW_GROUP_BY}, {DP_STR("a"), NULL, DP_HOW_WINDOW}, {DP_STR("k"), "ref.csv", DP_HOW_JOIN}};
    dp_lineage_all(&m, all, 3);
    dp_lineage_make(&m, "dp-window", made, 5, true);
    assert_string_equal(from_of(&m, "n", out), MASKED("C", "aggregation"));
    assert_string_equal(from_of(&m, "m", out), OF("C", "aggregation"));
    assert_string_equal(from_of(&m, "b", out), OF("b", "identity"));
    assert_string_equal(from_of(&m, "z", out), "{\"field\":\"r\",\"source\":\"ref.csv\",\"how\":\"identity\"}");
    assert_string_equal(from_of(&m, "pane", out), "");
    assert_string_equal(from_of(&m, "c", out), "-");
    assert_string_equal(from_of(&m, NULL, out), OF("b", "group_by") "," OF("a", "window") ",{\"field\":\"k\",\"source\":\"ref.csv\",\"how\":\"join\"}");
    assert_non_null(strstr(m.fields, "\"others\":\"none\"")); /* a field that isn't there comes from nowhere */
    /* the largest value is as secret as all of them, how many there are is not */
    const char *n = strstr(m.fields, "\"name\":\"n\""), *of_m = strstr(m.fields, "\"name\":\"m\"");
    assert_non_null(n), assert_non_null(of_m);
    const char *word = strstr(n, "\"classification\":\"restricted\"");
    if (!word || word < of_m || strstr(word + 2, "classification")) fail_msg("%s", m.fields);
    dp_mark_release(&m);
}

static void test_names_that_are_not_known(void **state) {
    (void)state;
    char out[2000];
    struct dp_mark m = parsed(HEAD SCHEMA "}");
    map(&m, "{(.c): 1}");
    assert_null(m.schema);
    assert_non_null(strstr(m.fields, "\"others\":\"any\""));
    map(&m, "{y: .q}"); /* and it stays so: nothing says what q was made of */
    assert_string_equal(from_of(&m, "y", out), "{\"field\":null,\"how\":\"identity\"}");
    dp_mark_release(&m);
    m = parsed(HEAD "}"); /* nothing is known of the input: fields are those of their names */
    map(&m, ".y = .q");
    assert_string_equal(from_of(&m, "y", out), OF("q", "identity"));
    assert_null(strstr(m.fields, "others"));
    dp_mark_release(&m);
    m = parsed(HEAD "}");
    map(&m, "{y: .q}");
    assert_non_null(strstr(m.fields, "\"others\":\"none\""));
    map(&m, ".z = .gone"); /* what was not there is made of nothing */
    assert_string_equal(from_of(&m, "z", out), "");
    dp_mark_release(&m);
}

static void test_origins_stay(void **state) {
    (void)state;
    struct dp_mark m = parsed(HEAD SCHEMA ",\"origins\":[{\"namespace\":\"file\",\"name\":\"/a.csv\"}]}");
    struct dp_buf b = {0};
    map(&m, "{y: .a}");
    assert_string_equal(m.origins, "[{\"namespace\":\"file\",\"name\":\"/a.csv\"}]");
    dp_mark_print(&m, &b);
    assert_non_null(strstr(dp_buf_z(&b), "\"origins\":[{\"namespace\":\"file\",\"name\":\"/a.csv\"}]"));
    dp_buf_release(&b);
    dp_mark_release(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_composition), cmocka_unit_test(test_clear_and_masked), cmocka_unit_test(test_a_part_is_not_the_whole), cmocka_unit_test(test_made),
        cmocka_unit_test(test_names_that_are_not_known), cmocka_unit_test(test_origins_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
