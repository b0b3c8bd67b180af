/* Types: text form, JSON form, equality, the type that holds two others. */
#include <dp/base/limits.h>
#include <dp/record/json.h>
#include <dp/record/type.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct dp_type *parse(const char *z) {
    struct dp_type *t = NULL;
    struct dp_err err = DP_ERR_INIT;
    enum dp_status st = dp_type_parse(dp_str_z(z), &t, &err);
    if (st != DP_OK) fail_msg("%s: %s", z, err.msg);
    return t;
}

static void expect_text(const struct dp_type *t, const char *want) {
    struct dp_buf b = {0};
    dp_type_print(t, &b);
    assert_string_equal(dp_buf_z(&b), want);
    dp_buf_release(&b);
}

static const char *const texts[] = {
    "boolean", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float", "double",
    "decimal(1,0)", "decimal(38,38)", "string", "json", "enum", "binary", "fixed(5)", "uuid", "date", "time", "time(ns)", "time_utc",
    "timestamp", "timestamp(ms)", "timestamp_ntz(ns)", "interval", "void", "list<int64>", "list<list<string not null>>",
    "map<string,int64>", "map<int32,list<double> not null>", "struct<a:int64,b_2:string not null>", "struct<>",
    "struct<`odd name`:date,`a``b`:json,``:int8>",
};

static void text_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct dp_type *t = parse(texts[i]);
        expect_text(t, texts[i]);
        struct dp_type *c = dp_type_copy(t);
        assert_true(dp_type_equal(t, c));
        c->nullable = !c->nullable;
        assert_false(dp_type_equal(t, c));
        dp_type_free(c);
        dp_type_free(t);
    }
}

static void text_errors(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "unknown type"},       {"strin", "did you mean \"string\""}, {"decimal", "expected '('"},
        {"decimal(39,0)", "1 to 38"}, {"decimal(5,6)", "0 to 5"},         {"fixed(0)", "from 1"},
        {"list<int64", "expected '>'"}, {"struct<a:int64,a:int8>", "twice"}, {"int64 x", "unexpected"},
        {"timestamp(s)", "none of"}, {"map<string>", "expected ','"},     {"struct<`a:int64>", "expected '`'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_type *t = NULL;
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(dp_type_parse(dp_str_z(cases[i].text), &t, &err), DP_USAGE);
        if (!strstr(err.msg, cases[i].part)) fail_msg("%s: %s", cases[i].text, err.msg);
    }
}

static void depth_limit(void **state) {
    (void)state;
    for (unsigned depth = DP_LIMIT_SCHEMA_DEPTH; depth <= DP_LIMIT_SCHEMA_DEPTH + 1; depth++) {
        struct dp_buf b = {0};
        for (unsigned i = 0; i < depth; i++) dp_buf_addz(&b, "list<");
        dp_buf_addz(&b, "int8");
        for (unsigned i = 0; i < depth; i++) dp_buf_addz(&b, ">");
        struct dp_type *t = NULL;
        enum dp_status want = depth <= DP_LIMIT_SCHEMA_DEPTH ? DP_OK : DP_LIMIT;
        assert_int_equal(dp_type_parse(dp_buf_str(&b), &t, NULL), want);
        if (want == DP_OK) dp_type_free(t);
        dp_buf_release(&b);
    }
}

static void unify_table(void **state) {
    (void)state;
    static const struct {
        const char *a, *b, *want;
    } cases[] = {
        {"int8", "int64", "int64"},
        {"uint8", "int8", "int16"},
        {"uint32", "int32", "int64"},
        {"uint64", "int64", "decimal(20,0)"},
        {"void", "date", "date"},
        {"int32", "double", "double"},
        {"int64", "double", NULL},
        {"int16", "float", "float"},
        {"int32", "float", "double"},
        {"decimal(10,2)", "int64", "decimal(21,2)"},
        {"decimal(38,2)", "decimal(5,4)", NULL},
        {"decimal(5,2)", "decimal(5,4)", "decimal(7,4)"},
        {"decimal(5,2)", "double", NULL},
        {"timestamp(ms)", "timestamp", "timestamp"},
        {"timestamp", "timestamp_ntz", NULL},
        {"timestamp", "timestamp(ns)", NULL},
        {"date", "timestamp", NULL},
        {"time(ms)", "time(ns)", "time(ns)"},
        {"string", "json", "json"},
        {"string", "int64", NULL},
        {"enum", "string", "string"},
        {"fixed(4)", "fixed(5)", "binary"},
        {"list<int8>", "list<int32>", "list<int32>"},
        {"list<int8>", "int8", NULL},
        {"struct<a:int8 not null,b:date>", "struct<a:int16 not null,c:string not null>", "struct<a:int16 not null,b:date,c:string>"},
        {"struct<a:int8>", "struct<a:string>", NULL},
        {"map<string,int8>", "map<string,int64>", "map<string,int64>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_type *a = parse(cases[i].a), *b = parse(cases[i].b);
        struct dp_type *u = dp_type_unify(a, b), *v = dp_type_unify(b, a);
        assert_int_equal(u == NULL, cases[i].want == NULL);
        assert_int_equal(v == NULL, cases[i].want == NULL);
        if (u) expect_text(u, cases[i].want);
        dp_type_free(u), dp_type_free(v), dp_type_free(a), dp_type_free(b);
    }
}

static enum dp_status from_json(const char *z, struct dp_type **out) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_buf b = {0};
    dp_buf_addz(&b, z);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    struct dp_record r;
    assert_int_equal(dp_scan_value(scan, b.p, b.n, &r, NULL), DP_OK);
    enum dp_status st = dp_type_from_json(&r, 0, out, NULL);
    dp_buf_release(&b);
    dp_scan_close(scan);
    return st;
}

static void json_round_trip(void **state) {
    (void)state;
    static const char text[] =
        "{\"fields\":[{\"name\":\"id\",\"type\":\"int64\",\"nullable\":false,\"id\":7,\"metadata\":{\"comment\": \"a\\u0062\"}},"
        "{\"name\":\"p\",\"type\":\"decimal(12,2)\",\"nullable\":true},"
        "{\"name\":\"l\",\"type\":\"list\",\"nullable\":true,\"fields\":[{\"name\":\"element\",\"type\":\"struct\",\"nullable\":false,"
        "\"fields\":[{\"name\":\"x \\\"y\",\"type\":\"timestamp_ntz(ms)\",\"nullable\":true}]}]},"
        "{\"name\":\"m\",\"type\":\"map\",\"nullable\":true,\"fields\":[{\"name\":\"key\",\"type\":\"string\",\"nullable\":false},"
        "{\"name\":\"value\",\"type\":\"json\",\"nullable\":true}]}]}";
    struct dp_type *t = NULL;
    assert_int_equal(from_json(text, &t), DP_OK);
    assert_int_equal(dp_type_leaves(t), 5);
    struct dp_buf b = {0};
    dp_type_to_json(t, &b);
    assert_string_equal(dp_buf_z(&b), text);
    dp_buf_release(&b);
    dp_type_free(t);
}

static void json_errors(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{}", "[]", "{\"fields\":{}}", "{\"fields\":[1]}", "{\"fields\":[{\"name\":\"a\"}]}", "{\"fields\":[{\"type\":\"int8\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"nope\"}]}", "{\"fields\":[{\"name\":\"a\",\"type\":\"list\",\"fields\":[]}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"map\",\"fields\":[{\"name\":\"k\",\"type\":\"string\"}]}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"int8\",\"nullable\":1}]}", "{\"fields\":[{\"name\":\"a\",\"type\":\"struct\"}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct dp_type *t = NULL;
        if (from_json(bad[i], &t) != DP_FORMAT) fail_msg("%s", bad[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_round_trip), cmocka_unit_test(text_errors),     cmocka_unit_test(depth_limit),
        cmocka_unit_test(unify_table),     cmocka_unit_test(json_round_trip), cmocka_unit_test(json_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
