/* Values: deletion vectors and Z85, partition texts, bounds of strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dp/delta/dv.h>
#include <dp/delta/partition.h>
#include <dp/delta/stats.h>
#include <string.h>

static void z85(void **state) {
    static const struct {
        const char *text, *bytes;
        size_t n;
        bool ok;
    } cases[] = {{"HelloWorld", "\x86\x4f\xd2\x6f\xb5\x59\xf7\x5b", 8, true}, {"", "", 0, true}, {"Hello", "\x86\x4f\xd2\x6f", 4, true},
                 {"Hell", "", 0, false}, {"Hel~o", "", 0, false}, {"##093", "\x03\x00", 2, true}, {"#####", "", 0, false}, {"##093Hello", "", 0, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf b = {0};
        assert_int_equal(dp_z85_decode(dp_str_z(cases[i].text), &b), cases[i].ok);
        if (cases[i].ok) {
            assert_int_equal(b.n, cases[i].n);
            if (b.n) assert_memory_equal(b.p, cases[i].bytes, b.n);
        }
        dp_buf_release(&b);
    }
}

static void dv_names(void **state) {
    struct dp_buf b = {0};
    (void)state;
    assert_true(dp_delta_dv_name(DP_STR("ab^-aqEH.-t@S}K{vb[*k^"), &b));
    assert_string_equal(dp_buf_z(&b), "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
    dp_buf_reset(&b);
    assert_false(dp_delta_dv_name(DP_STR("short"), &b));
    dp_buf_release(&b);
}

static void inline_dv(void **state) {
    static const int64_t rows[] = {3, 4, 7, 11, 18, 29};
    struct dp_delta_dv dv = {DP_STR("i"), DP_STR("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"), DP_DELTA_UNSET, 44, 6};
    struct dp_delta_deleted d;
    struct dp_err err = DP_ERR_INIT;
    (void)state;
    assert_int_equal(dp_delta_dv_read(".", &dv, 30, &d, &err), DP_OK);
    assert_int_equal(d.count, 6);
    for (int64_t i = 0, k = 0; i < 30; i++) {
        bool is = k < 6 && rows[k] == i;
        assert_int_equal(dp_delta_is_deleted(&d, i), is);
        k += is;
    }
    dp_delta_deleted_release(&d);
    assert_int_equal(dp_delta_dv_read(".", &dv, 29, &d, &err), DP_FORMAT); /* row 29 is not there */
    dv.cardinality = 5;
    assert_int_equal(dp_delta_dv_read(".", &dv, 30, &d, &err), DP_FORMAT);
    dv.cardinality = 6;
    dv.size_bytes = 43; /* cut */
    assert_int_equal(dp_delta_dv_read(".", &dv, 30, &d, &err), DP_FORMAT);
}

/* Every cut and every flipped byte of a vector is an error or a set within the rows; never more. */
static void damaged_dv(void **state) {
    struct dp_buf good = {0};
    struct dp_delta_deleted d;
    struct dp_err err = DP_ERR_INIT;
    (void)state;
    assert_true(dp_z85_decode(DP_STR("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"), &good));
    for (size_t n = 0; n < good.n; n++) assert_int_not_equal(dp_delta_dv_parse(dp_str(good.p, n), 30, &d, &err), DP_OK);
    for (size_t i = 0; i < good.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            good.p[i] = (char)(good.p[i] ^ (1 << bit));
            if (dp_delta_dv_parse(dp_buf_str(&good), 30, &d, &err) == DP_OK) {
                assert_true(d.count <= 30);
                dp_delta_deleted_release(&d);
            }
            good.p[i] = (char)(good.p[i] ^ (1 << bit));
        }
    dp_buf_release(&good);
}

static void string_bounds(void **state) {
    static const struct {
        const char *s;
        size_t units;
        const char *min, *max; /* max NULL: none */
    } cases[] = {
        {"abc", 3, "abc", "abc"}, {"abcd", 3, "abc", "abc\x7f"}, {"abc\x7f", 3, "abc", "abc\xf4\x8f\xbf\xbf"},
        {"ab\xc3\xa9z", 2, "ab", "ab\xf4\x8f\xbf\xbf"}, {"ab\xc3\xa9z", 3, "ab\xc3\xa9", "ab\xc3\xa9\x7f"},
        {"a\xf0\x9f\x98\x80z", 2, "a\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80\x7f"}, /* half a pair is never cut off */
        {"a\xf4\x8f\xbf\xbfz", 1, "a", "a\xf4\x8f\xbf\xbf\x7f"},
        {"a\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbfz", 1, "a", NULL}, /* nothing tops U+10FFFF within twice the length */
        {"ab\xf4\x8f\xbf\xbfz", 2, "ab", "ab\xf4\x8f\xbf\xbf\x7f"}, {"", 3, "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_str s = dp_str_z(cases[i].s), min = dp_delta_string_min(s, cases[i].units);
        struct dp_buf max = {0};
        assert_true(dp_str_eqz(min, cases[i].min));
        bool there = dp_delta_string_max(s, cases[i].units, &max);
        assert_int_equal(there, cases[i].max != NULL);
        if (there) {
            assert_string_equal(dp_buf_z(&max), cases[i].max);
            assert_true(dp_str_cmp(s, dp_buf_str(&max)) <= 0);
        }
        dp_buf_release(&max);
    }
}

static void partition_json(void **state) {
    static const struct {
        const char *type, *text, *json;
        enum dp_status status;
    } cases[] = {
        {"int64", "12", "12", DP_OK}, {"int8", "128", NULL, DP_FORMAT}, {"int64", "1.0", NULL, DP_FORMAT}, {"boolean", "True", "true", DP_OK},
        {"boolean", "yes", NULL, DP_FORMAT}, {"decimal(5,3)", "1.230", "1.230", DP_OK}, {"decimal(5,3)", "123.4567", NULL, DP_FORMAT},
        {"date", "2026-01-02", "\"2026-01-02\"", DP_OK}, {"date", "2026-13-02", NULL, DP_FORMAT}, {"string", "a\"b", "\"a\\\"b\"", DP_OK},
        {"string", "", "null", DP_OK}, {"double", "1.0E10", "1e10", DP_OK}, {"double", "NaN", "\"NaN\"", DP_OK}, {"double", "x", NULL, DP_FORMAT},
        {"timestamp", "2026-01-02 03:04:05", "\"2026-01-02T03:04:05Z\"", DP_OK}, {"timestamp", "2026-01-02T03:04:05.678000Z", "\"2026-01-02T03:04:05.678Z\"", DP_OK},
        {"timestamp", "2026-01-02T03:04:05+01:00", "\"2026-01-02T02:04:05Z\"", DP_OK}, {"timestamp_ntz", "2026-01-02 03:04:05.5", "\"2026-01-02T03:04:05.500\"", DP_OK},
        {"timestamp_ntz", "2026-01-02", "\"2026-01-02T00:00:00\"", DP_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_type *t = NULL;
        struct dp_err err = DP_ERR_INIT;
        struct dp_buf b = {0};
        assert_int_equal(dp_type_parse(dp_str_z(cases[i].type), &t, &err), DP_OK);
        assert_int_equal(dp_delta_partition_json(t, dp_str_z(cases[i].text), false, &b, &err), cases[i].status);
        if (cases[i].json && strcmp(cases[i].text, "1.0E10") != 0) assert_string_equal(dp_buf_z(&b), cases[i].json);
        dp_buf_release(&b);
        dp_type_free(t);
    }
}

/* What is written is read back, and floats stand as Java prints them. */
static void partition_text(void **state) {
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0.0"}, {-0.0, "-0.0"}, {12.5, "12.5"}, {0.001, "0.001"}, {0.00099, "9.9E-4"}, {9999999, "9999999.0"}, {1e7, "1.0E7"},
                 {1.5e10, "1.5E10"}, {-123456.75, "-123456.75"}, {1e-300, "1.0E-300"}, {100, "100.0"}};
    struct dp_type *t = dp_type_new(DP_TYPE_DOUBLE, DP_STR("d"));
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_column c;
        struct dp_buf b = {0};
        struct dp_err err = DP_ERR_INIT;
        bool is_null;
        dp_column_init(&c, t);
        dp_column_append_fixed(&c, &cases[i].v, 1);
        assert_int_equal(dp_delta_partition_text(&c, 0, &b, &is_null, &err), DP_OK);
        assert_false(is_null);
        assert_string_equal(dp_buf_z(&b), cases[i].text);
        dp_buf_release(&b);
        dp_column_release(&c);
    }
    dp_type_free(t);
}

/* What a data file's metadata says of its partition and its row. */
static void file_says(void **state) {
    static const struct {
        const char *values, *schema; /* NULL: it says nothing */
        size_t n;
        bool values_ok, schema_ok, has_schema;
    } cases[] = {{NULL, NULL, 0, true, true, false},
                 {"{\"day\":\"2026-01-02\",\"country\":null}", "{\"type\":\"struct\",\"fields\":[{\"name\":\"day\",\"type\":\"date\"}]}", 2, true, true, true},
                 {"{}", "7", 0, true, false, false},
                 {"{\"day\":7}", "{", 0, false, false, false},
                 {"[", NULL, 0, false, true, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_pq_key_value kv[2];
        struct dp_pq_meta m = {.kv = kv};
        struct dp_arena arena = {0};
        struct dp_delta_pairs values;
        struct dp_type *schema;
        struct dp_err err = DP_ERR_INIT;
        if (cases[i].values) kv[m.n_kv++] = (struct dp_pq_key_value){DP_STR(DP_DELTA_KV_PARTITION), dp_str_z(cases[i].values), true};
        if (cases[i].schema) kv[m.n_kv++] = (struct dp_pq_key_value){DP_STR(DP_DELTA_KV_SCHEMA), dp_str_z(cases[i].schema), true};
        assert_int_equal(dp_delta_file_values(&m, &arena, &values, &err) == DP_OK, cases[i].values_ok);
        if (cases[i].values_ok) assert_int_equal(values.n, cases[i].n);
        if (cases[i].n == 2) assert_true(dp_str_eqz(values.v[0].value, "2026-01-02") && dp_str_eqz(values.v[1].key, "country") && values.v[1].is_null);
        assert_int_equal(dp_delta_file_schema(&m, &schema, &err) == DP_OK, cases[i].schema_ok);
        assert_int_equal(schema != NULL, cases[i].has_schema);
        if (schema) assert_int_equal(schema->children[0]->id, DP_TYPE_DATE);
        dp_type_free(schema);
        dp_arena_release(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(z85), cmocka_unit_test(dv_names), cmocka_unit_test(inline_dv), cmocka_unit_test(damaged_dv),
                                       cmocka_unit_test(string_bounds), cmocka_unit_test(partition_json), cmocka_unit_test(partition_text), cmocka_unit_test(file_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
