/* Records to columns and back: each type's rules, roll-back of refused records, random round trips, copying of rows. */
#include <dp/base/limits.h>
#include <dp/record/batch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct rig {
    struct dp_scan *scan;
    struct dp_type *schema;
    struct dp_shred *shred;
    struct dp_batch batch;
    struct dp_shred_reject why;
};

static void rig_open(struct rig *g, const char *schema, bool closed) {
    struct dp_err err = DP_ERR_INIT;
    memset(g, 0, sizeof *g);
    if (dp_type_parse(dp_str_z(schema), &g->schema, &err) != DP_OK) fail_msg("%s: %s", schema, err.msg);
    g->scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    g->shred = dp_shred_open(g->schema, closed);
    dp_batch_init(&g->batch, g->schema);
}

static void rig_close(struct rig *g) {
    dp_batch_release(&g->batch);
    dp_shred_close(g->shred);
    dp_scan_close(g->scan);
    dp_type_free(g->schema);
}

static enum dp_status rig_add(struct rig *g, const char *record) {
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    size_t n = strlen(record);
    char *copy = calloc(1, n + DP_SCAN_PAD);
    memcpy(copy, record, n);
    dp_scan_begin(g->scan, copy, n);
    if (dp_scan_next(g->scan, &r, &err) != DP_OK) fail_msg("%s: %s", record, err.msg);
    enum dp_status st = dp_shred_record(g->shred, &r, &g->batch, &g->why);
    free(copy);
    return st;
}

static void expect_lines(const struct dp_batch *b, const struct dp_print_opts *o, const char *want) {
    struct dp_buf out = {0};
    dp_batch_print(b, 0, b->length, o, &out);
    assert_string_equal(dp_buf_z(&out), want);
    dp_buf_release(&out);
}

/* One value through a column of one type; want NULL: refused, with rule and a part of the reason. */
static const struct value_case {
    const char *type, *in, *want, *rule, *reason;
} values[] = {
    {"boolean", "true", "true", 0, 0},
    {"boolean", "1", NULL, "type", "expected boolean, got 1"},
    {"int8", "-128", "-128", 0, 0},
    {"int8", "128", NULL, "range", "got 128"},
    {"uint8", "255", "255", 0, 0},
    {"uint8", "-1", NULL, "range", "got -1"},
    {"int16", "-32768", "-32768", 0, 0},
    {"uint16", "65535", "65535", 0, 0},
    {"int32", "2147483647", "2147483647", 0, 0},
    {"int32", "2147483648", NULL, "range", "int32"},
    {"uint32", "4294967295", "4294967295", 0, 0},
    {"int64", "9223372036854775807", "9223372036854775807", 0, 0},
    {"int64", "-9223372036854775808", "-9223372036854775808", 0, 0},
    {"int64", "9223372036854775808", NULL, "range", "int64"},
    {"int64", "9007199254740993", "9007199254740993", 0, 0},
    {"int64", "5.0", "5", 0, 0},
    {"int64", "5e3", "5000", 0, 0},
    {"int64", "5.5", NULL, "type", "expected int64, got 5.5"},
    {"int64", "\"5\"", NULL, "type", "expected int64, got \"5\""},
    {"int64", "1e400", NULL, "range", "1e400"},
    {"int64", "0", "0", 0, 0},
    {"int64", "12345678", "12345678", 0, 0},
    {"int64", "123456789", "123456789", 0, 0},
    {"uint64", "18446744073709551615", "18446744073709551615", 0, 0},
    {"uint64", "18446744073709551616", NULL, "range", "uint64"},
    {"double", "2.55", "2.55", 0, 0},
    {"double", "10", "10.0", 0, 0},
    {"double", "17850.0", "17850.0", 0, 0},
    {"double", "-0.0", "-0.0", 0, 0},
    {"double", "0.1", "0.1", 0, 0},
    {"double", "123456.7", "123456.7", 0, 0},
    {"double", "1234567.125", "1234567.125", 0, 0},
    {"double", "0.30000000000000004", "0.30000000000000004", 0, 0},
    {"double", "9007199254740993", "9007199254740992.0", 0, 0},
    {"double", "1e400", NULL, "range", "double"},
    {"double", "\"NaN\"", "\"NaN\"", 0, 0},
    {"double", "\"-Infinity\"", "\"-Infinity\"", 0, 0},
    {"double", "\"nan\"", NULL, "type", "double"},
    {"float", "0.1", "0.1", 0, 0},
    {"float", "1e39", NULL, "range", "float"},
    /* exactly between two floats as a double; the text is a hair above, then below */
    {"float", "1.00000005960464477540", "1.0000001", 0, 0},
    {"float", "1.00000005960464477538", "1.0", 0, 0},
    {"float16", "0.1", "0.1", 0, 0},
    {"float16", "65504", "65500.0", 0, 0},
    {"float16", "65520", NULL, "range", "float16"},
    {"float16", "0.00000006", "6e-8", 0, 0},
    {"decimal(10,2)", "12.30", "12.30", 0, 0},
    {"decimal(10,2)", "12.3", "12.30", 0, 0},
    {"decimal(10,2)", "-0.05", "-0.05", 0, 0},
    {"decimal(10,2)", "1.230", "1.23", 0, 0},
    {"decimal(10,2)", "1.234", NULL, "range", "decimal(10,2), got 1.234"},
    {"decimal(10,2)", "99999999.99", "99999999.99", 0, 0},
    {"decimal(10,2)", "100000000", NULL, "range", "decimal"},
    {"decimal(10,2)", "1e3", "1000.00", 0, 0},
    {"decimal(10,2)", "\"1.00\"", NULL, "type", "decimal"},
    {"decimal(38,0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999", 0, 0},
    {"decimal(38,38)", "-0.00000000000000000000000000000000000001", "-0.00000000000000000000000000000000000001", 0, 0},
    {"string", "\"\"", "\"\"", 0, 0},
    {"string", "\"a\\u0041\\n\\\"\"", "\"aA\\n\\\"\"", 0, 0},
    {"string", "\"12345678\\\\90\"", "\"12345678\\\\90\"", 0, 0},
    {"string", "\"seventeen bytes !\"", "\"seventeen bytes !\"", 0, 0},
    {"string", "5", NULL, "type", "expected string, got 5"},
    {"string", "{\"a\":1}", NULL, "type", "got an object"},
    {"enum", "\"x\"", "\"x\"", 0, 0},
    {"json", "{ \"a\" : [1.10,\"\\u0041\"] }", "{ \"a\" : [1.10,\"\\u0041\"] }", 0, 0},
    {"json", "\"x\"", "\"x\"", 0, 0},
    {"json", "1.10", "1.10", 0, 0},
    {"uuid", "\"01234567-89ab-CDEF-0123-456789abcdef\"", "\"01234567-89ab-cdef-0123-456789abcdef\"", 0, 0},
    {"uuid", "\"0123456789abcdef0123456789abcdef\"", NULL, "type", "uuid"},
    {"binary", "\"AAEC/w==\"", "\"AAEC/w==\"", 0, 0},
    {"binary", "\"\"", "\"\"", 0, 0},
    {"binary", "\"AAEC/w\"", NULL, "type", "binary"},
    {"binary", "\"AAEC/x==\"", NULL, "type", "binary"},
    {"fixed(3)", "\"AAEC\"", "\"AAEC\"", 0, 0},
    {"fixed(3)", "\"AAE=\"", NULL, "range", "fixed(3)"},
    {"date", "\"2026-02-28\"", "\"2026-02-28\"", 0, 0},
    {"date", "\"1969-12-31\"", "\"1969-12-31\"", 0, 0},
    {"date", "\"2026-02-29\"", NULL, "type", "date"},
    {"date", "\"\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\"", NULL, "type", "date"},
    {"time", "\"03:04:05.678\"", "\"03:04:05.678\"", 0, 0},
    {"time(ms)", "\"03:04:05.0001\"", NULL, "range", "time(ms)"},
    {"timestamp", "\"2026-01-02T03:04:05Z\"", "\"2026-01-02T03:04:05Z\"", 0, 0},
    {"timestamp", "\"2026-01-02T03:04:05.678Z\"", "\"2026-01-02T03:04:05.678Z\"", 0, 0},
    {"timestamp", "\"2026-01-02T03:04:05.678901Z\"", "\"2026-01-02T03:04:05.678901Z\"", 0, 0},
    {"timestamp", "\"2026-01-02T03:04:05.6789012Z\"", NULL, "range", "timestamp"},
    {"timestamp", "\"2026-01-02T03:04:05.678901000Z\"", "\"2026-01-02T03:04:05.678901Z\"", 0, 0},
    {"timestamp", "\"2026-01-02T03:04:05+02:00\"", "\"2026-01-02T01:04:05Z\"", 0, 0},
    {"timestamp", "\"2026-01-02T03:04:05\"", NULL, "type", "timestamp"},
    {"timestamp", "\"2026-01-02T24:00:00Z\"", NULL, "type", "timestamp"},
    {"timestamp", "\"2026-01-02T03:04:0xZ\"", NULL, "type", "timestamp"},
    {"timestamp", "\"1969-12-31T23:59:59.999999Z\"", "\"1969-12-31T23:59:59.999999Z\"", 0, 0},
    {"timestamp", "\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\"", 0, 0},
    {"timestamp", "\"9999-12-31T23:59:59.999999Z\"", "\"9999-12-31T23:59:59.999999Z\"", 0, 0},
    {"timestamp", "1767323045", NULL, "type", "timestamp"},
    {"timestamp(ms)", "\"2026-01-02T03:04:05.678Z\"", "\"2026-01-02T03:04:05.678Z\"", 0, 0},
    {"timestamp(ms)", "\"2026-01-02T03:04:05.6789Z\"", NULL, "range", "timestamp(ms)"},
    {"timestamp(ns)", "\"2026-01-02T03:04:05.678901234Z\"", "\"2026-01-02T03:04:05.678901234Z\"", 0, 0},
    {"timestamp(ns)", "\"2300-01-02T03:04:05Z\"", NULL, "range", "timestamp(ns)"},
    {"timestamp_ntz", "\"2026-01-02T03:04:05.5\"", "\"2026-01-02T03:04:05.500\"", 0, 0},
    {"timestamp_ntz", "\"2026-01-02 03:04:05\"", "\"2026-01-02T03:04:05\"", 0, 0},
    {"timestamp_ntz", "\"2026-01-02T03:04:05Z\"", NULL, "type", "timestamp_ntz"},
    {"interval", "\"P1Y2M3DT4H5M6.789S\"", "\"P1Y2M3DT4H5M6.789S\"", 0, 0},
    {"interval", "\"P2W\"", "\"P14D\"", 0, 0},
    {"interval", "\"PT0S\"", "\"PT0S\"", 0, 0},
    {"interval", "\"P\"", NULL, "type", "interval"},
    {"interval", "\"P1D2Y\"", NULL, "type", "interval"},
    {"void", "1", NULL, "type", "void"},
    {"list<int64>", "[]", "[]", 0, 0},
    {"list<int64>", "[1,null,3]", "[1,null,3]", 0, 0},
    {"list<int64>", "[1,\"x\"]", NULL, "type", "int64"},
    {"list<list<string>>", "[[\"a\"],[],null]", "[[\"a\"],[],null]", 0, 0},
    {"struct<a:int64,b:string>", "{\"b\":\"x\"}", "{\"a\":null,\"b\":\"x\"}", 0, 0},
    {"struct<a:int64 not null>", "{}", NULL, "required", "absent"},
    {"map<string,int64>", "{\"x\":1,\"y\":null}", "{\"x\":1,\"y\":null}", 0, 0},
    {"map<string,int64>", "{}", "{}", 0, 0},
    {"map<int64,string>", "[{\"key\":1,\"value\":\"a\"},{\"value\":null,\"key\":2}]", "[{\"key\":1,\"value\":\"a\"},{\"key\":2,\"value\":null}]", 0, 0},
    {"map<int64,string>", "[{\"value\":\"a\"}]", NULL, "type", "map"},
    {"map<int64,string>", "{\"1\":\"a\"}", NULL, "type", "map"},
};

static void each_type(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct value_case *v = &values[i];
        struct dp_buf schema = {0}, line = {0}, want = {0};
        dp_buf_addf(&schema, "struct<v:%s>", v->type);
        dp_buf_addf(&line, "{\"v\":%s}", v->in);
        struct rig g;
        rig_open(&g, dp_buf_z(&schema), false);
        assert_int_equal(rig_add(&g, "{}"), DP_OK);
        enum dp_status st = rig_add(&g, dp_buf_z(&line));
        if (st != (v->want ? DP_OK : DP_RECORD)) fail_msg("%s %s: status %d, %s", v->type, v->in, st, g.why.reason);
        assert_int_equal(rig_add(&g, "{\"v\":null}"), DP_OK);
        if (v->want) dp_buf_addf(&want, "{\"v\":null}\n{\"v\":%s}\n{\"v\":null}\n", v->want);
        else dp_buf_addz(&want, "{\"v\":null}\n{\"v\":null}\n");
        expect_lines(&g.batch, NULL, dp_buf_z(&want));
        assert_int_equal(g.batch.columns[0].null_count, 2);
        if (!v->want && (strcmp(g.why.rule, v->rule) || !strstr(g.why.reason, v->reason)))
            fail_msg("%s %s: %s, %s", v->type, v->in, g.why.rule, g.why.reason);
        rig_close(&g);
        dp_buf_release(&schema), dp_buf_release(&line), dp_buf_release(&want);
    }
}

/* Numbers of every length around eight bytes, with the point in every place, as the C library reads them. */
static void spelled_numbers(void **state) {
    (void)state;
    struct rig g;
    char line[80], want[40];
    rig_open(&g, "struct<d:double,m:decimal(38,12)>", false);
    for (size_t n = 1; n <= 12; n++) {
        for (size_t point = 0; point < n; point++) { /* 0: none */
            for (int minus = 0; minus < 2; minus++) {
                char text[24] = "-", *p = text + 1;
                for (size_t i = 0; i < n; i++) *p++ = i && i == point ? '.' : (char)('1' + (i * 5 + n + point) % 9);
                if (p[-1] == '.') continue;
                const char *number = text + 1 - minus;
                snprintf(line, sizeof line, "{\"d\":%s,\"m\":%s}", number, number);
                if (rig_add(&g, line) != DP_OK) fail_msg("%s: %s", line, g.why.reason);
                double d;
                memcpy(&d, g.batch.columns[0].data + 8 * (g.batch.length - 1), 8);
                if (d != strtod(number, NULL)) fail_msg("%s became %.17g", number, d);
                struct dp_buf b = {0};
                dp_column_print_text(&g.batch.columns[1], g.batch.length - 1, NULL, &b);
                size_t whole = strcspn(number, "."), digits = strlen(number) > whole ? strlen(number) - whole - 1 : 0;
                snprintf(want, sizeof want, "%s%s%.*s", number, digits ? "" : ".", (int)(12 - digits), "000000000000");
                assert_string_equal(dp_buf_z(&b), want);
                dp_buf_release(&b);
            }
        }
    }
    rig_close(&g);
}

static void refusals(void **state) {
    (void)state;
    struct rig g;
    rig_open(&g, "struct<id:int64 not null,items:list<struct<sku:string,qty:int32 not null>>,note:string>", true);
    static const struct {
        const char *line, *path, *rule;
    } cases[] = {
        {"{\"items\":[]}", "id", "required"},
        {"{\"id\":null}", "id", "required"},
        {"{\"id\":1,\"items\":[{\"sku\":\"a\",\"qty\":1},{\"sku\":\"b\",\"qty\":\"x\"}]}", "items[].qty", "type"},
        {"{\"id\":1,\"items\":[{\"sku\":\"a\"}]}", "items[].qty", "required"},
        {"{\"id\":1,\"items\":[null,5]}", "items[]", "type"},
        {"{\"id\":1,\"x\":2}", "x", "unknown-field"},
        {"{\"id\":1,\"items\":[{\"qty\":1,\"z\":2}]}", "items[].z", "unknown-field"},
        {"{\"id\":1,\"note\":\"a\",\"id\":2}", "id", "duplicate-key"},
        {"{\"id\":1,\"note\":\"a\",\"i\\u0064\":2}", "i\\u0064", "duplicate-key"},
    };
    assert_int_equal(rig_add(&g, "{\"id\":1,\"items\":[{\"sku\":\"a\",\"qty\":1}],\"note\":\"n\"}"), DP_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(rig_add(&g, cases[i].line), DP_RECORD);
        assert_string_equal(g.why.rule, cases[i].rule);
        assert_string_equal(g.why.path, cases[i].path);
        assert_int_equal(g.batch.length, 1);
        assert_int_equal(g.batch.columns[1].children[0].length, 1);
    }
    assert_int_equal(rig_add(&g, "{\"note\":\"o\",\"\\u0069d\":2}"), DP_OK);
    expect_lines(&g.batch, NULL, "{\"id\":1,\"items\":[{\"sku\":\"a\",\"qty\":1}],\"note\":\"n\"}\n{\"id\":2,\"items\":null,\"note\":\"o\"}\n");
    rig_close(&g);
}

static void long_values_are_cut(void **state) {
    (void)state;
    struct rig g;
    rig_open(&g, "struct<v:int64>", false);
    assert_int_equal(rig_add(&g, "{\"v\":\"012345678901234567890123456789012345678\xc3\xa4 and more\"}"), DP_RECORD);
    assert_string_equal(g.why.reason, "expected int64, got \"012345678901234567890123456789012345678...\"");
    rig_close(&g);
}

static void unknown_fields_are_counted(void **state) {
    (void)state;
    struct rig g;
    rig_open(&g, "struct<a:int64,b:int64>", false);
    assert_int_equal(rig_add(&g, "{\"x\":1,\"a\":1,\"y\":{\"a\":5},\"b\":2}"), DP_OK);
    assert_int_equal(rig_add(&g, "{\"b\":3,\"x\":1}"), DP_OK);
    assert_int_equal(rig_add(&g, "{\"x\":1,\"a\":\"bad\"}"), DP_RECORD);
    assert_int_equal(rig_add(&g, "{\"x\":1,\"a\":4,\"y\":1,\"b\":5}"), DP_OK);
    assert_int_equal(dp_shred_unknown(g.shred), 5);
    expect_lines(&g.batch, NULL, "{\"a\":1,\"b\":2}\n{\"a\":null,\"b\":3}\n{\"a\":4,\"b\":5}\n");
    rig_close(&g);
}

static void print_options(void **state) {
    (void)state;
    struct rig g;
    rig_open(&g, "struct<a:decimal(5,2),b:binary,c:struct<d:int8,e:int8>>", false);
    assert_int_equal(rig_add(&g, "{\"a\":1.5,\"b\":\"AP8=\",\"c\":{\"e\":1}}"), DP_OK);
    assert_int_equal(rig_add(&g, "{}"), DP_OK);
    struct dp_print_opts o = {.binary_hex = true, .decimal_string = true, .skip_nulls = true};
    expect_lines(&g.batch, &o, "{\"a\":\"1.50\",\"b\":\"00ff\",\"c\":{\"e\":1}}\n{}\n");
    struct dp_buf b = {0};
    dp_column_print_text(&g.batch.columns[0], 0, &o, &b);
    dp_buf_addc(&b, '|');
    dp_column_print_text(&g.batch.columns[0], 1, &o, &b);
    dp_buf_addc(&b, '|');
    dp_column_print_text(&g.batch.columns[2], 0, NULL, &b);
    assert_string_equal(dp_buf_z(&b), "1.50||{\"d\":null,\"e\":1}");
    dp_buf_release(&b);
    rig_close(&g);
}

/* Columns from foreign files hold what records may not. */
static void foreign_bytes(void **state) {
    (void)state;
    struct dp_type *t = NULL;
    assert_int_equal(dp_type_parse(DP_STR("struct<s:string,j:json,m:map<string,int8>>"), &t, NULL), DP_OK);
    struct dp_batch b;
    dp_batch_init(&b, t);
    dp_column_append_bytes(&b.columns[0], "a\xffz", 3);
    dp_column_append_bytes(&b.columns[0], "\xc3", 1);
    dp_column_append_bytes(&b.columns[0], "\xa4", 1);
    dp_column_append_bytes(&b.columns[1], "{\"a\":\n1}", 8);
    dp_column_append_bytes(&b.columns[1], "{oops", 5);
    dp_column_append_bytes(&b.columns[1], "", 0);
    struct dp_column *m = &b.columns[2];
    dp_column_append_bytes(&m->children[0], "k", 1);
    dp_column_append_bytes(&m->children[0], "l", 1);
    dp_column_append_bytes(&m->children[0], "k", 1);
    dp_column_append_null(&m->children[0]);
    for (int8_t v = 1; v <= 4; v++) dp_column_append_fixed(&m->children[1], &v, 1);
    dp_column_reserve(m, 3);
    m->offsets[1] = 3, m->offsets[2] = 4, m->offsets[3] = 4;
    dp_column_push_valid(m, 3);
    b.length = 3;
    int64_t row = -1;
    assert_false(dp_column_utf8(&b.columns[0], &row));
    assert_int_equal(row, 0);
    expect_lines(&b, NULL,
                 "{\"s\":\"a\xef\xbf\xbdz\",\"j\":{\"a\": 1},\"m\":{\"l\":2,\"k\":3}}\n"
                 "{\"s\":\"\xef\xbf\xbd\",\"j\":\"{oops\",\"m\":[{\"key\":null,\"value\":4}]}\n"
                 "{\"s\":\"\xef\xbf\xbd\",\"j\":\"\",\"m\":{}}\n");
    dp_batch_release(&b);
    dp_type_free(t);
}

/* ---- random round trips ---- */

static uint64_t seed = 20260102;
static unsigned rnd(unsigned n) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % n;
}

static const char *const leaf_types[] = {"boolean", "int8", "int32", "int64", "uint64", "double", "decimal(20,3)", "string",
                                         "json", "binary", "date", "timestamp", "timestamp_ntz(ms)", "uuid", "time(ns)"};

static void random_type(struct dp_buf *b, int depth) {
    unsigned k = rnd(depth > 2 ? 6 : 9);
    if (k < 6) dp_buf_addz(b, leaf_types[rnd(sizeof leaf_types / sizeof leaf_types[0])]);
    else if (k == 6) dp_buf_addz(b, "list<"), random_type(b, depth + 1), dp_buf_addc(b, '>');
    else if (k == 7) dp_buf_addz(b, "map<string,"), random_type(b, depth + 1), dp_buf_addc(b, '>');
    else {
        dp_buf_addz(b, "struct<");
        for (unsigned i = 0, n = 1 + rnd(4); i < n; i++) {
            dp_buf_addf(b, "%sf%u:", i ? "," : "", i);
            random_type(b, depth + 1);
        }
        dp_buf_addc(b, '>');
    }
}

static void random_text(struct dp_buf *b) {
    static const char *const parts[] = {"a", "word ", "\xc3\xa4", "\\n", "\\\"", "\\\\", "0123456789", "\xf0\x9f\x98\x80", "x", "\\u0001"};
    dp_buf_addc(b, '"');
    for (unsigned n = rnd(9); n; n--) dp_buf_addz(b, parts[rnd(10)]);
    dp_buf_addc(b, '"');
}

static void random_value(struct dp_buf *b, const struct dp_type *t, int nulls) {
    if (t->nullable && rnd(100) < (unsigned)nulls) {
        dp_buf_addz(b, "null");
        return;
    }
    unsigned y = 1000 + rnd(3000), mo = 1 + rnd(12), d = 1 + rnd(28), h = rnd(24), mi = rnd(60), s = rnd(60);
    switch ((int)t->id) {
    case DP_TYPE_BOOLEAN: dp_buf_addz(b, rnd(2) ? "true" : "false"); break;
    case DP_TYPE_INT8: dp_buf_addf(b, "%d", (int)rnd(256) - 128); break;
    case DP_TYPE_INT32: dp_buf_addf(b, "%d", (int)rnd(1u << 31) * (rnd(2) ? 1 : -1)); break;
    case DP_TYPE_INT64: dp_buf_addf(b, "%lld", (long long)((int64_t)rnd(1u << 31) << rnd(32)) * (rnd(2) ? 1 : -1)); break;
    case DP_TYPE_UINT64: dp_buf_addf(b, "%llu", (unsigned long long)rnd(1u << 31) << rnd(34)); break;
    case DP_TYPE_DOUBLE: dp_buf_addf(b, "%s%u.%u%u", rnd(2) ? "-" : "", rnd(100000), rnd(1000), 1 + rnd(9)); break;
    case DP_TYPE_DECIMAL: dp_buf_addf(b, "%u%u.%03u", 1 + rnd(99999), rnd(1u << 30), rnd(1000)); break;
    case DP_TYPE_STRING: random_text(b); break;
    case DP_TYPE_JSON: dp_buf_addf(b, rnd(2) ? "{\"k\":[%u,1.50, null]}" : "%u.10", rnd(1000)); break;
    case DP_TYPE_BINARY: dp_buf_addz(b, rnd(2) ? "\"AAEC/w==\"" : "\"\""); break;
    case DP_TYPE_DATE: dp_buf_addf(b, "\"%04u-%02u-%02u\"", y, mo, d); break;
    case DP_TYPE_TIMESTAMP:
        dp_buf_addf(b, "\"%04u-%02u-%02uT%02u:%02u:%02u.%03u%s\"", y, mo, d, h, mi, s, 1 + rnd(999), t->utc ? "Z" : "");
        break;
    case DP_TYPE_UUID: dp_buf_addf(b, "\"%08x-%04x-4000-8000-0000%08x\"", rnd(1u << 31), rnd(65536), rnd(1u << 31)); break;
    case DP_TYPE_TIME: dp_buf_addf(b, "\"%02u:%02u:%02u.%09u\"", h, mi, s, rnd(999999) * 1000 + 1); break;
    case DP_TYPE_LIST:
        dp_buf_addc(b, '[');
        for (unsigned i = 0, n = rnd(4); i < n; i++) {
            if (i) dp_buf_addc(b, ',');
            random_value(b, t->children[0], nulls);
        }
        dp_buf_addc(b, ']');
        break;
    case DP_TYPE_MAP:
        dp_buf_addc(b, '{');
        for (unsigned i = 0, n = rnd(4); i < n; i++) {
            dp_buf_addf(b, "%s\"k%u\":", i ? "," : "", i);
            random_value(b, t->children[1], nulls);
        }
        dp_buf_addc(b, '}');
        break;
    case DP_TYPE_STRUCT:
        for (size_t i = 0; i < t->n_children; i++) {
            dp_buf_addc(b, i ? ',' : '{');
            dp_json_add_string(b, dp_str(t->children[i]->name, t->children[i]->name_n));
            dp_buf_addc(b, ':');
            random_value(b, t->children[i], nulls);
        }
        dp_buf_addc(b, '}');
        break;
    }
}

/* Rows picked from a batch by range and by number print as those rows did. */
static void check_copies(const struct dp_batch *b, const struct dp_buf *lines, const size_t *ends) {
    struct dp_batch c;
    struct dp_buf out = {0}, want = {0};
    dp_batch_init(&c, b->schema);
    for (int round = 0; round < 4; round++) {
        int64_t from = rnd((unsigned)b->length), n = rnd((unsigned)(b->length - from) + 1);
        dp_batch_append(&c, b, from, n);
        for (int64_t i = from; i < from + n; i++) dp_buf_add(&want, lines->p + (i ? ends[i - 1] : 0), ends[i] - (i ? ends[i - 1] : 0));
        uint32_t rows[20];
        for (size_t i = 0; i < 20; i++) {
            rows[i] = rnd((unsigned)b->length);
            dp_buf_add(&want, lines->p + (rows[i] ? ends[rows[i] - 1] : 0), ends[rows[i]] - (rows[i] ? ends[rows[i] - 1] : 0));
        }
        dp_batch_gather(&c, b, rows, 20);
        struct dp_batch half;
        const struct dp_batch *both[2] = {b, &half};
        uint32_t of[20];
        dp_batch_init(&half, b->schema);
        dp_batch_append(&half, b, 50, b->length - 50);
        for (size_t i = 0; i < 20; i++) {
            of[i] = rnd(2);
            rows[i] = rnd((unsigned)both[of[i]]->length);
            size_t k = rows[i] + (of[i] ? 50 : 0);
            dp_buf_add(&want, lines->p + (k ? ends[k - 1] : 0), ends[k] - (k ? ends[k - 1] : 0));
        }
        dp_batch_mix(&c, both, of, rows, 20);
        dp_batch_release(&half);
    }
    dp_batch_print(&c, 0, c.length, NULL, &out);
    assert_int_equal(out.n, want.n);
    assert_memory_equal(out.p, want.p, want.n);
    dp_batch_release(&c);
    dp_buf_release(&out), dp_buf_release(&want);
}

static void random_round_trips(void **state) {
    (void)state;
    for (int round = 0; round < 150; round++) {
        struct dp_buf schema = {0}, lines = {0}, out = {0};
        size_t ends[100];
        dp_buf_addz(&schema, "struct<");
        for (unsigned i = 0, n = 1 + rnd(8); i < n; i++) {
            dp_buf_addf(&schema, "%s`c %u`:", i ? "," : "", i);
            random_type(&schema, 0);
        }
        dp_buf_addc(&schema, '>');
        struct rig g;
        rig_open(&g, dp_buf_z(&schema), true);
        g.schema->nullable = false;
        int nulls = rnd(2) ? 0 : (int)rnd(60);
        for (int i = 0; i < 100; i++) {
            struct dp_buf one = {0};
            random_value(&one, g.schema, nulls);
            if (rig_add(&g, dp_buf_z(&one)) != DP_OK) fail_msg("%s: %s: %s", one.p, g.why.path, g.why.reason);
            if (rnd(4) == 0) { /* a refused record leaves no trace */
                one.n--;
                dp_buf_addz(&one, ",\"nope\":1}");
                assert_int_equal(rig_add(&g, dp_buf_z(&one)), DP_RECORD);
                one.n -= 9;
                one.p[one.n - 1] = '}';
                if (one.p[one.n - 2] == ',') one.p[--one.n - 1] = '}';
            }
            dp_buf_add(&lines, one.p, one.n);
            dp_buf_addc(&lines, '\n');
            ends[i] = lines.n;
            dp_buf_release(&one);
        }
        dp_batch_print(&g.batch, 0, g.batch.length, NULL, &out);
        if (out.n != lines.n || memcmp(out.p, lines.p, out.n) != 0)
            fail_msg("%s\n%.400s\n--\n%.400s", dp_buf_z(&schema), dp_buf_z(&lines), dp_buf_z(&out));
        check_copies(&g.batch, &lines, ends);
        rig_close(&g);
        dp_buf_release(&schema), dp_buf_release(&lines), dp_buf_release(&out);
    }
}

/* The last row is dropped from every column, nested ones and bitmaps too, and another one fits behind. */
static void drop_last(void **state) {
    static const char *const rows[] = {"{\"a\":1,\"b\":true,\"s\":\"x\",\"l\":[\"p\",\"q\"],\"t\":{\"v\":1.5}}", "{\"a\":null,\"b\":null,\"s\":null,\"l\":null,\"t\":null}",
                                       "{\"a\":3,\"b\":false,\"s\":\"\",\"l\":[],\"t\":{\"v\":null}}"};
    struct rig g;
    struct dp_buf want = {0};
    (void)state;
    rig_open(&g, "struct<a:int64,b:boolean,s:string,l:list<string>,t:struct<v:double>>", true);
    for (size_t i = 0; i < 30; i++) { /* each row is dropped once and comes again */
        assert_int_equal(rig_add(&g, rows[i % 3]), DP_OK);
        assert_int_equal(rig_add(&g, rows[(i + 1) % 3]), DP_OK);
        dp_batch_drop_last(&g.batch);
        assert_int_equal(g.batch.length, i + 1);
        for (size_t c = 0; c < g.batch.n_columns; c++) {
            assert_int_equal(g.batch.columns[c].length, i + 1);
            assert_int_equal(g.batch.columns[c].null_count, (i + 2) / 3);
        }
        dp_buf_addf(&want, "%s\n", rows[i % 3]);
    }
    expect_lines(&g.batch, NULL, dp_buf_z(&want));
    while (g.batch.length) dp_batch_drop_last(&g.batch);
    expect_lines(&g.batch, NULL, "");
    dp_buf_release(&want);
    rig_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type),      cmocka_unit_test(refusals), cmocka_unit_test(spelled_numbers),     cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(unknown_fields_are_counted), cmocka_unit_test(print_options), cmocka_unit_test(foreign_bytes),
        cmocka_unit_test(random_round_trips), cmocka_unit_test(drop_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
