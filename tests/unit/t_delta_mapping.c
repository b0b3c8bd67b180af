/* Column mapping of new tables: which names ask for it, the names and ids that fields get, and that other metadata stays. */
#include "dpt.h"

#include <dp/delta/mapping.h>

static struct dp_type *parse(const char *text) {
    struct dp_type *t = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (dp_type_parse(dp_str_z(text), &t, &err) != DP_OK) fail_msg("%s: %s", text, err.msg);
    return t;
}

/* "physical#id physical#id ..." of all fields, in order. */
static void list(const struct dp_type *t, struct dp_buf *out) {
    for (size_t i = 0; i < t->n_children; i++) {
        if (t->id == DP_TYPE_STRUCT) {
            dp_buf_addz(out, out->n ? " " : "");
            (void)dp_delta_field_meta(t->children[i], "delta.columnMapping.physicalName", out);
            dp_buf_addc(out, '#');
            (void)dp_delta_field_meta(t->children[i], "delta.columnMapping.id", out);
        }
        list(t->children[i], out);
    }
}

static void names(void **state) {
    static const struct {
        const char *schema, *cause, *names, *kept;
    } cases[] = {
        {"struct<a:int64,b:string>", NULL, "a#1 b#2", "a#1 b#2"},
        {"struct<`a b`:int64>", "a b", "a_b#1", "a b#1"},
        {"struct<`a b`:int64,A_B:int64>", "a b", "a_b_2#1 A_B#2", "a b#1 A_B#2"},
        {"struct<`a b`:int64,`a,b`:int64,`a;b`:int64,a_b_2:int64>", "a b", "a_b#1 a_b_3#2 a_b_4#3 a_b_2#4", "a b#1 a,b#2 a;b#3 a_b_2#4"},
        {"struct<`{}()=`:int64>", "{}()=", "_____#1", "{}()=#1"},
        {"struct<a:struct<`b c`:list<struct<`d=`:int64>>>,e:map<string,struct<`f g`:int64>>>", "b c", "a#1 b_c#2 d_#3 e#4 f_g#5", "a#1 b c#2 d=#3 e#4 f g#5"},
        {"struct<`caf\xc3\xa9 1`:int64,`a.b-c!`:int64>", "caf\xc3\xa9 1", "caf\xc3\xa9_1#1 a.b-c!#2", "caf\xc3\xa9 1#1 a.b-c!#2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int keep = 0; keep < 2; keep++) {
            struct dp_type *t = parse(cases[i].schema), *physical = NULL;
            struct dp_buf got = {0};
            const struct dp_type *cause = dp_delta_mapping_cause(t);
            assert_string_equal(cause ? cause->name : "", cases[i].cause ? cases[i].cause : "");
            int32_t n = dp_delta_mapping_assign(t, keep);
            list(t, &got);
            assert_string_equal(dp_buf_z(&got), keep ? cases[i].kept : cases[i].names);
            assert_int_equal(dp_delta_schema_physical(t, DP_DELTA_MAPPING_NAME, &physical, NULL), DP_OK);
            assert_int_equal(physical->children[0]->field_id, 1);
            assert_true(n >= (int32_t)t->n_children);
            if (!keep) assert_null(dp_delta_mapping_cause(physical));
            dp_delta_mapping_strip(t);
            assert_null(t->children[0]->metadata);
            dp_type_free(physical);
            dp_type_free(t);
            dp_buf_release(&got);
        }
    }
}

static void others_stay(void **state) {
    struct dp_type *t = parse("struct<`a b`:int64>");
    (void)state;
    t->children[0]->metadata = dp_strdup("{\"comment\":\"x\\u00e9\\\"\", \"delta.columnMapping.id\":7,\"n\":[1, 2.50]}");
    (void)dp_delta_mapping_assign(t, false);
    assert_string_equal(t->children[0]->metadata, "{\"comment\":\"x\\u00e9\\\"\",\"n\":[1, 2.50],\"delta.columnMapping.id\":1,"
                                                  "\"delta.columnMapping.physicalName\":\"a_b\"}");
    dp_delta_mapping_strip(t);
    assert_string_equal(t->children[0]->metadata, "{\"comment\":\"x\\u00e9\\\"\",\"n\":[1, 2.50]}");
    dp_type_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(others_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
