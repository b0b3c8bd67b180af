/* Parquet schemas to dp types and back: every type, and the list and map forms of older writers. */
#include "dpt.h"

#include <dp/parquet/meta.h>

#include "../../lib/parquet/meta_priv.h"

static void there_and_back(void **state) {
    (void)state;
    static const char *const cases[] = {
        "struct<a:boolean,b:int8,c:int16,d:int32,e:int64,f:uint8,g:uint16,h:uint32,i:uint64>",
        "struct<a:float,b:double,c:decimal(9,2),d:decimal(18,0),e:decimal(38,38),f:string not null,g:json,h:binary,i:uuid,j:date>",
        "struct<a:timestamp,b:timestamp_ntz(ms),c:timestamp(ns),d:time>",
        "struct<a:list<int32>,b:list<list<string not null> not null>,c:map<string,int64>,d:struct<x:int32,y:list<struct<z:double>>>>",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_type *t = NULL, *u = NULL;
        struct dp_pq_meta m = {0};
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(dp_type_parse(dp_str_z(cases[i]), &t, &err), DP_OK);
        t->nullable = false;
        assert_int_equal(dp_pq_from_schema(t, &m, &err), DP_OK);
        assert_int_equal(m.n_leaves, dp_type_leaves(t));
        assert_int_equal(dp_pq_to_schema(&m, &u, &err), DP_OK);
        assert_true(dp_type_equal(t, u));
        dp_type_free(t);
        dp_type_free(u);
        dp_pq_meta_release(&m);
    }
}

/* Schema as a list: depth given by n_children; type < 0 is a group. */
struct line { const char *name; int type, repetition, children, logical, converted; };

static void legacy_forms(void **state) {
    (void)state;
    enum { G = -1, I = DP_PQ_INT32, O = DP_PQ_OPTIONAL, R = DP_PQ_REPEATED, Q = DP_PQ_REQUIRED, L = DP_PQ_L_LIST, M = DP_PQ_L_MAP };
    static const struct { struct line lines[8]; size_t n; const char *type; } cases[] = {
        /* a bare repeated field */
        {{{"r", G, Q, 1, 0, -1}, {"x", I, R, 0, 0, -1}}, 2, "struct<x:list<int32 not null> not null>"},
        /* the repeated child is a leaf */
        {{{"r", G, Q, 1, 0, -1}, {"x", G, O, 1, L, -1}, {"array", I, R, 0, 0, -1}}, 3, "struct<x:list<int32 not null>>"},
        /* two fields: the group is the element */
        {{{"r", G, Q, 1, 0, -1}, {"x", G, O, 1, 0, DP_PQ_C_LIST}, {"bag", G, R, 2, 0, -1}, {"a", I, O, 0, 0, -1}, {"b", I, Q, 0, 0, -1}}, 5,
         "struct<x:list<struct<a:int32,b:int32 not null> not null>>"},
        /* one field, named array or x_tuple: a struct of one */
        {{{"r", G, Q, 1, 0, -1}, {"x", G, O, 1, L, -1}, {"array", G, R, 1, 0, -1}, {"a", I, O, 0, 0, -1}}, 4, "struct<x:list<struct<a:int32> not null>>"},
        {{{"r", G, Q, 1, 0, -1}, {"x", G, O, 1, L, -1}, {"x_tuple", G, R, 1, 0, -1}, {"a", I, O, 0, 0, -1}}, 4, "struct<x:list<struct<a:int32> not null>>"},
        /* the usual three levels under any names */
        {{{"r", G, Q, 1, 0, -1}, {"x", G, Q, 1, L, -1}, {"bag", G, R, 1, 0, -1}, {"array_element", I, O, 0, 0, -1}}, 4, "struct<x:list<int32> not null>"},
        /* two levels of a list of lists */
        {{{"r", G, Q, 1, 0, -1}, {"x", G, O, 1, L, -1}, {"array", G, R, 1, L, -1}, {"array", I, R, 0, 0, -1}}, 4, "struct<x:list<list<int32 not null> not null>>"},
        /* maps: by position, with the older annotation */
        {{{"r", G, Q, 1, 0, -1}, {"m", G, O, 1, 0, DP_PQ_C_MAP_KEY_VALUE}, {"map", G, R, 2, 0, -1}, {"k", I, O, 0, 0, -1}, {"v", I, O, 0, 0, -1}}, 5,
         "struct<m:map<int32,int32>>"},
        /* an annotation that its group can't have: a struct */
        {{{"r", G, Q, 1, 0, -1}, {"m", G, O, 1, M, -1}, {"k", I, O, 0, 0, -1}}, 3, "struct<m:struct<k:int32>>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_pq_meta m = {0};
        struct dp_type *t = NULL;
        struct dp_err err = DP_ERR_INIT;
        struct dp_buf text = {0};
        m.n_elements = cases[i].n;
        m.elements = dp_arena_calloc(&m.arena, 8, sizeof *m.elements);
        for (size_t k = 0; k < cases[i].n; k++) {
            const struct line *l = &cases[i].lines[k];
            m.elements[k] = (struct dp_pq_element){.name = dp_str_z(l->name), .is_group = l->type < 0, .type = (enum dp_pq_type)(l->type < 0 ? 0 : l->type),
                .repetition = (enum dp_pq_repetition)l->repetition, .n_children = l->children, .logical = l->logical, .converted = l->converted, .field_id = -1};
        }
        assert_int_equal(dp_pq_derive(&m, &err), DP_OK);
        assert_int_equal(dp_pq_to_schema(&m, &t, &err), DP_OK);
        dp_type_print(t, &text);
        assert_string_equal(dp_buf_z(&text), cases[i].type);
        dp_type_free(t);
        dp_buf_release(&text);
        dp_pq_meta_release(&m);
    }
}

static void counts_that_lie(void **state) {
    (void)state;
    static const int32_t root_children[] = {0, 1, 3};
    for (size_t i = 0; i < 3; i++) {
        struct dp_pq_meta m = {.n_elements = 3};
        struct dp_err err = DP_ERR_INIT;
        m.elements = dp_arena_calloc(&m.arena, 3, sizeof *m.elements);
        m.elements[0] = (struct dp_pq_element){.is_group = true, .n_children = root_children[i]};
        assert_int_equal(dp_pq_derive(&m, &err), DP_FORMAT);
        dp_pq_meta_release(&m);
    }
}

static void empty_struct_is_refused(void **state) {
    (void)state;
    struct dp_type *t = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    struct dp_pq_meta m = {0};
    struct dp_err err = DP_ERR_INIT;
    dp_type_add(t, dp_type_new(DP_TYPE_STRUCT, DP_STR("e")));
    assert_int_equal(dp_pq_from_schema(t, &m, &err), DP_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "column e"));
    dp_pq_meta_release(&m);
    dp_type_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(legacy_forms), cmocka_unit_test(counts_that_lie),
                                       cmocka_unit_test(empty_struct_is_refused)};
    return cmocka_run_group_tests_name("pq_schema", tests, NULL, NULL);
}
