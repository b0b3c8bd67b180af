/* Casts of columns: the lattice in both directions, and the extreme values of each step; what no type holds is refused with its place. */
#include "dpt.h"

#include <dp/record/cast.h>

static struct dp_type *parse(const char *text) {
    struct dp_type *t = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (dp_type_parse(dp_str_z(text), &t, &err) != DP_OK) fail_msg("%s: %s", text, err.msg);
    return t;
}

static void expect_text(const struct dp_type *t, const char *want) {
    struct dp_buf b = {0};
    dp_type_print(t, &b);
    assert_string_equal(dp_buf_z(&b), want);
    dp_buf_release(&b);
}

/* want NULL: none; path: where. */
static void lattice(void **state) {
    (void)state;
    static const struct { const char *a, *b, *want, *path; } cases[] = {
        {"int8", "int16", "int16", NULL}, {"int16", "int32", "int32", NULL}, {"int32", "int64", "int64", NULL}, {"int8", "int64", "int64", NULL},
        {"uint8", "uint32", "uint32", NULL}, {"uint8", "int8", "int16", NULL}, {"uint16", "int8", "int32", NULL}, {"uint32", "int64", "int64", NULL},
        {"uint32", "int32", "int64", NULL}, {"uint64", "int8", "decimal(20,0)", NULL},
        {"float16", "float", "float", NULL}, {"float", "double", "double", NULL}, {"float16", "int8", "float", NULL}, {"int16", "float", "float", NULL},
        {"int32", "float", "double", NULL}, {"int32", "double", "double", NULL}, {"uint32", "double", "double", NULL}, {"int64", "double", NULL, ""}, {"int64", "float", NULL, ""},
        {"uint64", "double", NULL, ""}, {"decimal(10,2)", "double", NULL, ""},
        {"decimal(5,2)", "decimal(9,2)", "decimal(9,2)", NULL}, {"decimal(5,2)", "decimal(5,4)", "decimal(7,4)", NULL}, {"decimal(38,0)", "decimal(38,1)", NULL, ""},
        {"int32", "decimal(5,2)", "decimal(12,2)", NULL}, {"int64", "decimal(10,2)", "decimal(21,2)", NULL}, {"uint64", "decimal(1,0)", "decimal(20,0)", NULL},
        {"date", "timestamp_ntz", "timestamp_ntz", NULL}, {"date", "timestamp_ntz(ms)", "timestamp_ntz(ms)", NULL}, {"date", "timestamp", NULL, ""},
        {"timestamp(ms)", "timestamp", "timestamp", NULL}, {"timestamp", "timestamp(ns)", "timestamp(ns)", NULL}, {"timestamp(ms)", "timestamp(ns)", "timestamp(ns)", NULL},
        {"timestamp", "timestamp_ntz", NULL, ""}, {"time(ms)", "time(ns)", "time(ns)", NULL}, {"date", "int32", NULL, ""}, {"timestamp", "int64", NULL, ""},
        {"string", "enum", "string", NULL}, {"json", "string", "string", NULL}, {"json", "json", "json", NULL}, {"json", "int32", NULL, ""}, {"json", "list<string>", NULL, ""},
        {"string", "binary", NULL, ""}, {"uuid", "string", NULL, ""}, {"fixed(3)", "fixed(4)", "binary", NULL}, {"fixed(3)", "binary", "binary", NULL},
        {"boolean", "int8", NULL, ""}, {"void", "list<int8>", "list<int8>", NULL}, {"void", "json", "json", NULL},
        {"list<int8>", "list<int64>", "list<int64>", NULL}, {"list<int8>", "list<string>", NULL, "[]"}, {"list<int8>", "map<string,int8>", NULL, ""},
        {"map<string,int8>", "map<string,int16>", "map<string,int16>", NULL}, {"map<string,date>", "map<string,int8>", NULL, "value"}, {"map<int8,date>", "map<string,date>", NULL, "key"},
        {"struct<a:int8 not null,b:date>", "struct<c:string not null,a:int16 not null>", "struct<a:int16 not null,b:date,c:string>", NULL},
        {"struct<a:list<struct<x:int8,y:date>>>", "struct<a:list<struct<x:int64,z:date>>>", "struct<a:list<struct<x:int64,y:date,z:date>>>", NULL},
        {"struct<a:list<struct<x:int8>>>", "struct<a:list<struct<x:string>>>", NULL, "a[].x"}, {"struct<a:struct<b:date>>", "struct<a:struct<b:uuid>>", NULL, "a.b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int turn = 0; turn < 2; turn++) {
            struct dp_type *a = parse(turn ? cases[i].b : cases[i].a), *b = parse(turn ? cases[i].a : cases[i].b);
            struct dp_cast_clash clash = {0};
            struct dp_type *t = dp_cast_common(a, b, &clash);
            if (!t != !cases[i].want) fail_msg("%s with %s", cases[i].a, cases[i].b);
            if (t && !(turn && a->id == DP_TYPE_STRUCT)) expect_text(t, cases[i].want);
            if (!t) assert_string_equal(dp_buf_z(&clash.path), cases[i].path);
            if (!t) assert_true(clash.a.n && clash.b.n);
            dp_cast_clash_release(&clash);
            dp_type_free(t), dp_type_free(a), dp_type_free(b);
        }
}

/* Records of one column v, shredded by a type, cast to another and printed. */
static enum dp_status cast(const char *from, const char *to, const char *records, struct dp_buf *out, struct dp_err *err) {
    char text[200];
    (void)snprintf(text, sizeof text, "struct<v:%s>", from);
    struct dp_type *a = parse(text);
    (void)snprintf(text, sizeof text, "struct<v:%s>", to);
    struct dp_type *b = parse(text);
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_shred *shred = dp_shred_open(a, true);
    struct dp_shred_reject why;
    struct dp_batch in, cut;
    struct dp_buf lines = {0};
    struct dp_record r;
    dp_batch_init(&in, a);
    dp_batch_init(&cut, b);
    dp_buf_addz(&lines, records);
    memset(dp_buf_reserve(&lines, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(scan, lines.p, lines.n);
    while (dp_scan_next(scan, &r, NULL) == DP_OK)
        if (dp_shred_record(shred, &r, &in, &why) != DP_OK) fail_msg("%s: %s", from, why.reason);
    const struct dp_cast_rules rules = {0};
    cut.length = in.length;
    enum dp_status status = dp_cast_column(&rules, &cut.columns[0], NULL, &in.columns[0], err);
    if (status == DP_OK) assert_int_equal(cut.columns[0].length, cut.length);
    if (status == DP_OK) dp_batch_print(&cut, 0, cut.length, NULL, out);
    dp_buf_release(&lines);
    dp_shred_close(shred);
    dp_scan_close(scan);
    dp_batch_release(&in);
    dp_batch_release(&cut);
    dp_type_free(a), dp_type_free(b);
    return status;
}

static void values(void **state) {
    (void)state;
    static const struct { const char *from, *to, *in, *out; } cases[] = {
        {"int8", "int16", "{\"v\":-128}\n{\"v\":null}\n{\"v\":127}\n", NULL},
        {"int16", "int32", "{\"v\":-32768}\n{\"v\":32767}\n", NULL},
        {"int32", "int64", "{\"v\":-2147483648}\n{\"v\":2147483647}\n{\"v\":null}\n", NULL},
        {"uint8", "int16", "{\"v\":255}\n{\"v\":0}\n", NULL},
        {"uint16", "uint64", "{\"v\":65535}\n", NULL},
        {"uint32", "int64", "{\"v\":4294967295}\n", NULL},
        {"uint64", "decimal(20,0)", "{\"v\":18446744073709551615}\n{\"v\":null}\n{\"v\":0}\n", NULL},
        {"int64", "decimal(20,0)", "{\"v\":-9223372036854775808}\n{\"v\":9223372036854775807}\n", NULL},
        {"int32", "double", "{\"v\":-2147483648}\n{\"v\":2147483647}\n", "{\"v\":-2147483648.0}\n{\"v\":2147483647.0}\n"},
        {"uint32", "double", "{\"v\":4294967295}\n", "{\"v\":4294967295.0}\n"},
        {"int16", "float", "{\"v\":-32768}\n{\"v\":null}\n", "{\"v\":-32768.0}\n{\"v\":null}\n"},
        {"float16", "float", "{\"v\":65504}\n{\"v\":0.1}\n{\"v\":\"NaN\"}\n{\"v\":\"-Infinity\"}\n", "{\"v\":65504.0}\n{\"v\":0.099975586}\n{\"v\":\"NaN\"}\n{\"v\":\"-Infinity\"}\n"},
        {"float16", "double", "{\"v\":5.960464477539063e-8}\n", "{\"v\":5.960464477539063e-8}\n"},
        {"float", "double", "{\"v\":0.1}\n{\"v\":3.4028235e38}\n{\"v\":1e-45}\n{\"v\":\"Infinity\"}\n{\"v\":null}\n",
         "{\"v\":0.10000000149011612}\n{\"v\":3.4028234663852886e38}\n{\"v\":1.401298464324817e-45}\n{\"v\":\"Infinity\"}\n{\"v\":null}\n"},
        {"decimal(5,2)", "decimal(9,2)", "{\"v\":-999.99}\n", NULL},
        {"decimal(5,2)", "decimal(7,4)", "{\"v\":-999.99}\n{\"v\":null}\n{\"v\":0.00}\n", "{\"v\":-999.9900}\n{\"v\":null}\n{\"v\":0.0000}\n"},
        {"decimal(19,0)", "decimal(38,19)", "{\"v\":9999999999999999999}\n", "{\"v\":9999999999999999999.0000000000000000000}\n"},
        {"int64", "decimal(38,19)", "{\"v\":-9223372036854775808}\n", "{\"v\":-9223372036854775808.0000000000000000000}\n"},
        {"date", "timestamp_ntz", "{\"v\":\"0001-01-01\"}\n{\"v\":\"9999-12-31\"}\n{\"v\":\"1969-12-31\"}\n", "{\"v\":\"0001-01-01T00:00:00\"}\n{\"v\":\"9999-12-31T00:00:00\"}\n{\"v\":\"1969-12-31T00:00:00\"}\n"},
        {"date", "timestamp_ntz(ns)", "{\"v\":\"1677-09-22\"}\n{\"v\":\"2262-04-11\"}\n", "{\"v\":\"1677-09-22T00:00:00\"}\n{\"v\":\"2262-04-11T00:00:00\"}\n"},
        {"date", "timestamp_ntz(ns)", "{\"v\":\"2262-04-12\"}\n", "does not fit"},
        {"date", "timestamp_ntz(ns)", "{\"v\":null}\n{\"v\":\"1677-09-21\"}\n", "does not fit"},
        {"timestamp(ms)", "timestamp", "{\"v\":\"1969-12-31T23:59:59.999Z\"}\n{\"v\":\"9999-12-31T23:59:59.999Z\"}\n", NULL},
        {"timestamp", "timestamp(ns)", "{\"v\":\"2262-04-11T23:47:16.854775Z\"}\n{\"v\":null}\n", NULL},
        {"timestamp", "timestamp(ns)", "{\"v\":\"2262-04-11T23:47:16.854776Z\"}\n", "does not fit"},
        {"timestamp(ms)", "timestamp(ns)", "{\"v\":\"3000-01-01T00:00:00Z\"}\n", "does not fit"},
        {"time(ms)", "time(ns)", "{\"v\":\"23:59:59.999\"}\n", NULL},
        {"enum", "string", "{\"v\":\"a\"}\n{\"v\":null}\n", NULL},
        {"json", "string", "{\"v\":{\"a\":1}}\n", "{\"v\":\"{\\\"a\\\":1}\"}\n"},
        {"fixed(3)", "binary", "{\"v\":\"AAEC\"}\n{\"v\":null}\n{\"v\":\"/v79\"}\n", NULL},
        {"void", "int64", "{\"v\":null}\n{\"v\":null}\n", NULL},
        {"list<int8>", "list<int64>", "{\"v\":[1,null,-128]}\n{\"v\":null}\n{\"v\":[]}\n{\"v\":[127]}\n", NULL},
        {"map<string,float>", "map<string,double>", "{\"v\":{\"a\":0.5,\"b\":null}}\n{\"v\":null}\n", NULL},
        {"struct<a:int8,b:date>", "struct<c:list<int8>,b:timestamp_ntz,a:int16>", "{\"v\":{\"a\":-1,\"b\":\"2026-01-02\"}}\n{\"v\":null}\n",
         "{\"v\":{\"c\":null,\"b\":\"2026-01-02T00:00:00\",\"a\":-1}}\n{\"v\":null}\n"},
        {"list<struct<a:int8>>", "list<struct<b:string,a:decimal(5,2)>>", "{\"v\":[{\"a\":5},null,{\"a\":null}]}\n{\"v\":[]}\n",
         "{\"v\":[{\"b\":null,\"a\":5.00},null,{\"b\":null,\"a\":null}]}\n{\"v\":[]}\n"},
        {"string", "int64", "{\"v\":\"1\"}\n", "is expected"}, {"int64", "int32", "{\"v\":1}\n", "is expected"}, {"double", "float", "{\"v\":1}\n", "is expected"},
        {"int64", "double", "{\"v\":1}\n", "is expected"}, {"decimal(5,2)", "decimal(5,4)", "{\"v\":1}\n", "is expected"}, {"timestamp", "timestamp(ms)", "{\"v\":null}\n", "is expected"},
        {"binary", "string", "{\"v\":\"AA==\"}\n", "is expected"}, {"list<string>", "list<int8>", "{\"v\":[]}\n", "is expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf out = {0};
        struct dp_err err = DP_ERR_INIT;
        const char *want = cases[i].out ? cases[i].out : cases[i].in;
        enum dp_status status = cast(cases[i].from, cases[i].to, cases[i].in, &out, &err);
        if (want[0] == '{') {
            if (status != DP_OK || strcmp(dp_buf_z(&out), want) != 0) fail_msg("%s to %s: %s%s", cases[i].from, cases[i].to, dp_buf_z(&out), err.msg);
        } else {
            assert_int_equal(status, DP_SCHEMA);
            if (!strstr(err.msg, want)) fail_msg("%s to %s: %s", cases[i].from, cases[i].to, err.msg);
        }
        dp_buf_release(&out);
    }
}

/* More rows than a block, nulls among them: each value stays in its row. */
static void long_columns(void **state) {
    (void)state;
    static const struct { const char *from, *to, *suffix; } cases[] = {
        {"int32", "int64", ""}, {"int16", "int32", ""}, {"uint16", "double", ".0"}, {"int32", "decimal(12,2)", ".00"}, {"decimal(9,1)", "decimal(12,2)", ".00"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct dp_buf in = {0}, out = {0}, want = {0};
        for (int i = 0; i < 3001; i++) {
            if (i % 7 == 3) dp_buf_addz(&in, "{\"v\":null}\n"), dp_buf_addz(&want, "{\"v\":null}\n");
            else dp_buf_addf(&in, "{\"v\":%d}\n", i), dp_buf_addf(&want, "{\"v\":%d%s}\n", i, cases[k].suffix);
        }
        assert_int_equal(cast(cases[k].from, cases[k].to, dp_buf_z(&in), &out, NULL), DP_OK);
        assert_string_equal(dp_buf_z(&out), dp_buf_z(&want));
        dp_buf_release(&in), dp_buf_release(&out), dp_buf_release(&want);
    }
}

/* What readers of other rules take beyond the lattice. */
static bool all(const void *ctx, const struct dp_type *to, const struct dp_type *from) {
    (void)ctx, (void)to, (void)from;
    return true;
}

static void beyond(void **state) {
    (void)state;
    struct dp_cast_rules rules = {.takes = all, .misfit = DP_FORMAT};
    static const struct { enum dp_type_id from, to; int64_t value; enum dp_status want; } cases[] = {
        {DP_TYPE_INT32, DP_TYPE_INT8, 127, DP_OK}, {DP_TYPE_INT32, DP_TYPE_INT8, 128, DP_FORMAT}, {DP_TYPE_INT32, DP_TYPE_INT8, -129, DP_FORMAT},
        {DP_TYPE_INT64, DP_TYPE_UINT64, -1, DP_FORMAT}, {DP_TYPE_UINT64, DP_TYPE_INT64, -1, DP_FORMAT}, {DP_TYPE_UINT64, DP_TYPE_UINT8, 255, DP_OK},
        {DP_TYPE_INT32, DP_TYPE_UINT16, 65535, DP_OK}, {DP_TYPE_INT32, DP_TYPE_UINT16, 65536, DP_FORMAT}, {DP_TYPE_INT32, DP_TYPE_UINT16, -1, DP_FORMAT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_type *from = dp_type_new(cases[i].from, DP_STR("v")), *to = dp_type_new(cases[i].to, DP_STR("v"));
        struct dp_column a, b;
        dp_column_init(&a, from);
        dp_column_init(&b, to);
        dp_column_append_fixed(&a, &cases[i].value, 1);
        assert_int_equal(dp_cast_column(&rules, &b, NULL, &a, NULL), cases[i].want);
        if (cases[i].want == DP_OK) assert_memory_equal(b.data, &cases[i].value, dp_type_width(to));
        dp_column_release(&a), dp_column_release(&b);
        dp_type_free(from), dp_type_free(to);
    }
    for (int bad = 0; bad < 2; bad++) { /* bytes as text are looked at */
        struct dp_type *from = dp_type_new(DP_TYPE_BINARY, DP_STR("v")), *to = dp_type_new(DP_TYPE_STRING, DP_STR("v"));
        struct dp_column a, b;
        dp_column_init(&a, from);
        dp_column_init(&b, to);
        dp_column_append_bytes(&a, bad ? "\xff" : "x", 1);
        assert_int_equal(dp_cast_column(&rules, &b, NULL, &a, NULL), bad ? DP_FORMAT : DP_OK);
        dp_column_release(&a), dp_column_release(&b);
        dp_type_free(from), dp_type_free(to);
    }
}

/* Bounds in the file's spelling may stand for the set's where order and equality are the same. */
static void bounds(void **state) {
    (void)state;
    static const struct { const char *to, *from; bool want; } cases[] = {
        {"int64", "int32", true}, {"decimal(12,2)", "int32", true}, {"double", "int32", true}, {"double", "float", false}, {"float", "float", true}, {"decimal(7,4)", "decimal(5,2)", true},
        {"timestamp_ntz", "date", false}, {"timestamp(ns)", "timestamp", true}, {"string", "enum", false}, {"string", "string", true}, {"date", "date", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_type *to = parse(cases[i].to), *from = parse(cases[i].from);
        if (dp_cast_keeps_bounds(to, from) != cases[i].want) fail_msg("%s as %s", cases[i].from, cases[i].to);
        dp_type_free(to), dp_type_free(from);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lattice), cmocka_unit_test(values), cmocka_unit_test(long_columns), cmocka_unit_test(beyond), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests_name("cast", tests, NULL, NULL);
}
