/* Keys of --by: words, types, and the values at the edges of the calendar and of integers. */
#include "dpt.h"

#include <dp/rules/layout.h>

static void words(void **state) {
    (void)state;
    static const struct { const char *spec; enum dp_status status; } cases[] = {
        {"country", DP_OK}, {" day = day( ts ) ", DP_OK}, {"b=hash(id,16)", DP_OK}, {"b=hash( 16 , id )", DP_OK}, {"t=truncate(s, 2147483647)", DP_OK},
        {"t=truncate(s,2147483648)", DP_USAGE}, {"b=hash(id,0)", DP_USAGE}, {"b=hash(0,id)", DP_USAGE}, {"b=hash(id)", DP_USAGE}, {"b=hash(,4)", DP_USAGE}, {"day(ts)", DP_OK}, {"d=dya(ts)", DP_USAGE},
        {"d=day()", DP_USAGE}, {"d=day(ts", DP_USAGE}, {"", DP_USAGE}, {"=day(ts)", DP_USAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_layout l = {0};
        struct dp_err err = DP_ERR_INIT;
        if (dp_layout_add(&l, dp_str_z(cases[i].spec), &err) != cases[i].status) fail_msg("%s: %s", cases[i].spec, err.msg);
        if (cases[i].status == DP_OK) assert_int_equal(dp_layout_add(&l, dp_str_z(cases[i].spec), &err), DP_USAGE); /* twice */
        dp_layout_release(&l);
    }
}

/* What a table keeps of its keys, and what of it can't be one. */
static void kept(void **state) {
    (void)state;
    static const struct { const char *text; enum dp_status status; } cases[] = {
        {"[]", DP_OK}, {"[\"day=day(ts)\",{\"column\":\"a=b(c)\"},\"b=hash(i\\\"d,16)\",\"t=truncate(\xc3\xa9,2)\"]", DP_OK}, {"", DP_FORMAT}, {"{}", DP_FORMAT},
        {"[1]", DP_FORMAT}, {"[\"a=dya(b)\"]", DP_FORMAT}, {"[\"a=day(b)\",\"a=day(b)\"]", DP_FORMAT}, {"[{\"column\":\"a\"},{\"column\":\"a\"}]", DP_FORMAT},
        {"[{\"column\":1}]", DP_FORMAT}, {"[{}]", DP_FORMAT}, {"[\"a\\u0000b\"]", DP_FORMAT}, {"[\"a\"", DP_FORMAT}, {"[[\"a\"]]", DP_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_layout l = {0};
        struct dp_buf text = {0};
        struct dp_err err = DP_ERR_INIT;
        if (dp_layout_parse(&l, dp_str_z(cases[i].text), &err) != cases[i].status) fail_msg("%s: %s", cases[i].text, err.msg);
        if (cases[i].status == DP_OK) {
            dp_layout_print(&l, &text);
            assert_string_equal(dp_buf_z(&text), cases[i].text);
        }
        dp_buf_release(&text);
        dp_layout_release(&l);
    }
}

/* Columns that nobody named, and the one spelling of those who put the number first. */
static void spellings(void **state) {
    (void)state;
    static const struct { const char *given, *kept; } cases[] = {
        {"day(ts)", "day=day(ts)"}, {"hour( ts )", "hour=hour(ts)"}, {"hash(id, 4)", "id_hash=hash(id,4)"}, {"hash(4, id)", "id_hash=hash(id,4)"},
        {"truncate(code,2)", "code_truncate=truncate(code,2)"}, {"range(n,1,5)", "n_range=range(n,1,5)"}, {"t=truncate(3,a,b)", "t=truncate(a,b,3)"}, {"c", "c"},
        {"b=hash(4,5)", "b=hash(4,5)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_layout l = {0};
        struct dp_buf text = {0};
        struct dp_err err = DP_ERR_INIT;
        if (dp_layout_add(&l, dp_str_z(cases[i].given), &err) != DP_OK) fail_msg("%s: %s", cases[i].given, err.msg);
        dp_layout_key_print(&l.keys[0], &text);
        assert_string_equal(dp_buf_z(&text), cases[i].kept);
        dp_buf_release(&text);
        dp_layout_release(&l);
    }
}

static void values(void **state) {
    (void)state;
    static const struct { const char *spec; int64_t in; const char *out; } cases[] = {
        {"k=day(t)", 0, "\"1970-01-01\""}, {"k=day(t)", -1, "\"1969-12-31\""}, {"k=year(t)", -62167219200000000, "0"}, {"k=month(t)", 951782400000000, "\"2000-02\""},
        {"k=hour(t)", 86399999999, "\"1970-01-01T23\""}, {"k=hour(t)", -1, "\"1969-12-31T23\""}, {"k=truncate(i,10)", -1, "-10"},
        {"k=truncate(i,10)", 29, "20"}, {"k=truncate(i,3)", INT64_MAX, "9223372036854775806"},
        {"k=truncate(i,3)", INT64_MIN, "-9223372036854775808"},
    };
    struct dp_type *schema = NULL;
    struct dp_err err = DP_ERR_INIT;
    struct dp_print_opts print = {0};
    assert_int_equal(dp_type_parse(DP_STR("struct<t:timestamp,i:int64>"), &schema, &err), DP_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_layout l = {0};
        struct dp_batch rows, keys;
        struct dp_buf text = {0};
        assert_int_equal(dp_layout_add(&l, dp_str_z(cases[i].spec), &err), DP_OK);
        assert_int_equal(dp_layout_bind(&l, schema, &err), DP_OK);
        dp_batch_init(&rows, schema);
        dp_batch_init(&keys, l.schema);
        dp_column_append_fixed(&rows.columns[0], &cases[i].in, 1);
        dp_column_append_fixed(&rows.columns[1], &cases[i].in, 1);
        dp_column_append_null(&rows.columns[0]);
        dp_column_append_null(&rows.columns[1]);
        rows.length = 2;
        assert_int_equal(dp_layout_keys(&l, &rows, &keys, &err), DP_OK);
        dp_column_print(&keys.columns[0], 0, &print, &text);
        assert_string_equal(dp_buf_z(&text), cases[i].out);
        assert_false(dp_column_is_valid(&keys.columns[0], 1));
        dp_buf_release(&text);
        dp_batch_release(&rows);
        dp_batch_release(&keys);
        dp_layout_release(&l);
    }
    dp_type_free(schema);
}

static void outside_the_calendar(void **state) {
    (void)state;
    struct dp_type *schema = NULL;
    struct dp_err err = DP_ERR_INIT;
    struct dp_layout l = {0};
    struct dp_batch rows, keys;
    int64_t t = INT64_MAX;
    assert_int_equal(dp_type_parse(DP_STR("struct<t:timestamp>"), &schema, &err), DP_OK);
    assert_int_equal(dp_layout_add(&l, DP_STR("k=day(t)"), &err), DP_OK);
    assert_int_equal(dp_layout_bind(&l, schema, &err), DP_OK);
    dp_batch_init(&rows, schema);
    dp_batch_init(&keys, l.schema);
    dp_column_append_fixed(&rows.columns[0], &t, 1);
    rows.length = 1;
    assert_int_equal(dp_layout_keys(&l, &rows, &keys, &err), DP_SCHEMA);
    dp_batch_release(&rows);
    dp_batch_release(&keys);
    dp_layout_release(&l);
    dp_type_free(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(words), cmocka_unit_test(kept), cmocka_unit_test(spellings), cmocka_unit_test(values), cmocka_unit_test(outside_the_calendar)};
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
