/* SQL of constraints: what is evaluated, by three values; what is refused, by its word; the filters by which statistics prove it; its limits. */
#include "dpt.h"

#include <dp/base/limits.h>
#include <dp/delta/sql.h>
#include <dp/record/expr.h>

static const char words[] = "struct<i:int64,b:int32,f:double,r:float,d:decimal(12,2),s:string,t:boolean,day:date,at:timestamp,loc:timestamp_ntz,bin:binary,"
                            "o:struct<x:int64,`y z`:string>,l:list<int64>,Upper:int64>";
static const char line[] = "{\"i\":5,\"b\":null,\"f\":1.5,\"r\":0.1,\"d\":12.30,\"s\":\"Abc d\",\"t\":true,\"day\":\"2026-02-03\",\"at\":\"2026-02-03T04:05:06.789Z\","
                           "\"loc\":\"1969-12-31T23:59:59\",\"bin\":\"AAE=\",\"o\":{\"x\":7,\"y z\":\"q\"},\"l\":[1],\"Upper\":-3}\n";

struct fixture {
    struct dp_type *schema;
    struct dp_batch b;
};

static int open_fixture(void **state) {
    struct fixture *f = dp_calloc(1, sizeof *f);
    struct dp_buf text = {0};
    struct dp_record r;
    struct dp_shred_reject why;
    assert_int_equal(dp_type_parse(dp_str_z(words), &f->schema, NULL), DP_OK);
    dp_batch_init(&f->b, f->schema);
    struct dp_shred *shred = dp_shred_open(f->schema, true);
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    dp_buf_addz(&text, line);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(scan, text.p, text.n);
    assert_int_equal(dp_scan_next(scan, &r, NULL), DP_OK);
    assert_int_equal(dp_shred_record(shred, &r, &f->b, &why), DP_OK);
    dp_shred_close(shred);
    dp_scan_close(scan);
    dp_buf_release(&text);
    *state = f;
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *f = *state;
    dp_batch_release(&f->b);
    dp_type_free(f->schema);
    free(f);
    return 0;
}

static void test_truth(void **state) {
    static const struct { const char *sql; enum dp_sql_truth want; } cases[] = {
        {"i = 5", DP_SQL_TRUE}, {"i == 5L", DP_SQL_TRUE}, {"i <> 5", DP_SQL_FALSE}, {"i != 4", DP_SQL_TRUE}, {"i > 5", DP_SQL_FALSE}, {"i>=5", DP_SQL_TRUE}, {"I < 6", DP_SQL_TRUE},
        {"`i` <= 4.99", DP_SQL_FALSE}, {"5.000 = i", DP_SQL_TRUE}, {"b = 1", DP_SQL_NULL}, {"b IS NULL", DP_SQL_TRUE}, {"b is not null", DP_SQL_FALSE}, {"isnull(b)", DP_SQL_TRUE},
        {"isnotnull(i)", DP_SQL_TRUE}, {"b <=> NULL", DP_SQL_TRUE}, {"i <=> b", DP_SQL_FALSE}, {"i IS DISTINCT FROM b", DP_SQL_TRUE}, {"i IS NOT DISTINCT FROM 5", DP_SQL_TRUE},
        {"b > 1 AND i = 4", DP_SQL_FALSE}, {"b > 1 AND i = 5", DP_SQL_NULL}, {"b > 1 OR i = 5", DP_SQL_TRUE}, {"b > 1 or false", DP_SQL_NULL}, {"NOT b > 1", DP_SQL_NULL},
        {"NOT i = 5 OR t", DP_SQL_TRUE}, {"!t", DP_SQL_FALSE}, {"t IS TRUE", DP_SQL_TRUE}, {"(b > 1) IS NOT TRUE", DP_SQL_TRUE}, {"t = true", DP_SQL_TRUE}, {"NULL", DP_SQL_NULL},
        {"i IN (1, 5)", DP_SQL_TRUE}, {"i NOT IN (1, 2)", DP_SQL_TRUE}, {"i IN (1, NULL)", DP_SQL_NULL}, {"i NOT IN (5, NULL)", DP_SQL_FALSE}, {"b IN (1)", DP_SQL_NULL},
        {"i BETWEEN 5 AND 6", DP_SQL_TRUE}, {"i NOT BETWEEN 5 AND 6", DP_SQL_FALSE}, {"i between 6 and 9 or i = 5", DP_SQL_TRUE}, {"s LIKE 'A%'", DP_SQL_TRUE},
        {"s LIKE '_bc _'", DP_SQL_TRUE}, {"s NOT LIKE '%x%'", DP_SQL_TRUE}, {"s LIKE 'abc%'", DP_SQL_FALSE}, {"'a%c' LIKE 'a\\%c'", DP_SQL_TRUE}, {"'abc' LIKE 'a\\%c'", DP_SQL_FALSE},
        {"'a_c' LIKE 'a!_c' ESCAPE '!'", DP_SQL_TRUE}, {"'\xc3\xa9x' LIKE '_x'", DP_SQL_TRUE}, {"'aXbXc' LIKE '%X%c'", DP_SQL_TRUE}, {"'' LIKE '%'", DP_SQL_TRUE},
        {"i + 1 = 6", DP_SQL_TRUE}, {"i - 1 * 2 = 3", DP_SQL_TRUE}, {"(i - 1) * 2 = 8", DP_SQL_TRUE}, {"-i = -5", DP_SQL_TRUE}, {"i / 2 = 2.5", DP_SQL_TRUE}, {"i % 3 = 2", DP_SQL_TRUE},
        {"-7 % 3 = -1", DP_SQL_TRUE}, {"i / 0 > 1", DP_SQL_NULL}, {"i % 0 = 0", DP_SQL_NULL}, {"9223372036854775807 + i > 0", DP_SQL_NULL}, {"+i = 5", DP_SQL_TRUE},
        {"d = 12.3", DP_SQL_TRUE}, {"d + 0.005 = 12.305", DP_SQL_TRUE}, {"d * 2 = 24.60", DP_SQL_TRUE}, {"d > 12", DP_SQL_TRUE}, {"d < 12.31", DP_SQL_TRUE}, {"d - i = 7.30", DP_SQL_TRUE},
        {"12345678901234567890 > i", DP_SQL_TRUE}, {"f = 1.5", DP_SQL_TRUE}, {"f > 1.5d", DP_SQL_FALSE}, {"r > 0.1", DP_SQL_TRUE}, {"f > 1e0", DP_SQL_TRUE}, {"isnan(f)", DP_SQL_FALSE},
        {"abs(Upper) = 3", DP_SQL_TRUE}, {"upper = -3", DP_SQL_TRUE}, {"length(s) = 5", DP_SQL_TRUE}, {"char_length('\xc3\xa9') = 1", DP_SQL_TRUE}, {"upper(s) = 'ABC D'", DP_SQL_TRUE},
        {"lower(s) = 'abc d'", DP_SQL_TRUE}, {"coalesce(b, i) = 5", DP_SQL_TRUE}, {"nvl(b, 1.5) = 1.5", DP_SQL_TRUE}, {"nullif(i, 5) IS NULL", DP_SQL_TRUE}, {"if(t, 1, 2) = 1", DP_SQL_TRUE},
        {"trim('  x ') = 'x'", DP_SQL_TRUE}, {"substring(s, 1, 3) = 'Abc'", DP_SQL_TRUE}, {"substr(s, -1) = 'd'", DP_SQL_TRUE}, {"substring('abc', -5, 3) = 'a'", DP_SQL_TRUE},
        {"substring(s, 0, 1) = 'A'", DP_SQL_TRUE}, {"concat(s, '!', 'x') = 'Abc d!x'", DP_SQL_TRUE}, {"s || NULL IS NULL", DP_SQL_TRUE}, {"startswith(s, 'Ab') AND endswith(s, ' d')", DP_SQL_TRUE},
        {"contains(s, 'c d')", DP_SQL_TRUE}, {"contains(s, 'zz')", DP_SQL_FALSE}, {"year(day) = 2026 AND month(day) = 2 AND day(day) = 3", DP_SQL_TRUE},
        {"hour(at) = 4 and minute(at) = 5 and second(at) = 6", DP_SQL_TRUE}, {"CAST(at AS DATE) = day", DP_SQL_TRUE}, {"to_date(loc) = DATE '1969-12-31'", DP_SQL_TRUE},
        {"hour(loc) = 23", DP_SQL_TRUE}, {"day > '2026-02-02'", DP_SQL_TRUE}, {"day = '2026-02-03' AND '2026-02-04' > day", DP_SQL_TRUE}, {"day BETWEEN '2026-01-01' AND '2026-12-31'", DP_SQL_TRUE},
        {"at > TIMESTAMP '2026-02-03T04:05:06Z'", DP_SQL_TRUE}, {"at < '2026-02-03 06:00:00+01:00'", DP_SQL_TRUE}, {"loc < TIMESTAMP_NTZ '1970-01-01 00:00:00'", DP_SQL_TRUE},
        {"date_trunc('DAY', at) = TIMESTAMP '2026-02-03T00:00:00Z'", DP_SQL_TRUE}, {"date_trunc('month', at) <= at", DP_SQL_TRUE}, {"date_format(at, 'yyyy-MM') = '2026-02'", DP_SQL_TRUE},
        {"date_format(at, 'yyyy-MM-dd-HH') = '2026-02-03-04'", DP_SQL_TRUE}, {"at >= day", DP_SQL_TRUE}, {"o.x = 7", DP_SQL_TRUE}, {"o.`y z` = 'q'", DP_SQL_TRUE}, {"O.X > 7", DP_SQL_FALSE},
        {"l IS NOT NULL AND o IS NOT NULL", DP_SQL_TRUE}, {"CASE WHEN b > 1 THEN 'x' WHEN i = 5 THEN 'y' ELSE 'z' END = 'y'", DP_SQL_TRUE}, {"case when i = 1 then 1 end is null", DP_SQL_TRUE},
        {"cast(i as string) = '5'", DP_SQL_TRUE}, {"cast(i as tinyint) = 5", DP_SQL_TRUE}, {"cast(1000 as tinyint) is null", DP_SQL_TRUE}, {"cast(day as string) = '2026-02-03'", DP_SQL_TRUE},
        {"s = \"Abc d\"", DP_SQL_TRUE}, {"'it''s' = 'it\\'s'", DP_SQL_TRUE}, {"1 = 1", DP_SQL_TRUE}, {".5 < 1", DP_SQL_TRUE}, {"1. = 1", DP_SQL_TRUE}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_sql *s = NULL;
        struct dp_err err = DP_ERR_INIT;
        enum dp_sql_truth truth = DP_SQL_NULL;
        if (dp_sql_compile(dp_str_z(cases[i].sql), f->schema, &s, &err) != DP_OK) fail_msg("%s: %s", cases[i].sql, err.msg);
        struct dp_sql_run *r = dp_sql_run_open(s);
        assert_int_equal(dp_sql_test(r, &f->b, 0, &truth, &err), DP_OK);
        if (truth != cases[i].want) fail_msg("%s: %d, not %d", cases[i].sql, (int)truth, (int)cases[i].want);
        dp_sql_run_close(r);
        dp_sql_free(s);
    }
}

static void test_refused(void **state) {
    static const struct { const char *sql, *words; } cases[] = {
        {"", "at its end"}, {"i >", "at its end"}, {"i = 5 5", "column 7"}, {"nosuch = 1", "no column or field nosuch"}, {"o.nope = 1", "no column or field nope"}, {"i.x = 1", "no column"},
        {"rlike(s, 'x')", "function rlike"}, {"s RLIKE 'x'", "RLIKE"}, {"s > 5", "two types"}, {"i = '5'", "two types"}, {"l[0] = 1", "sign"}, {"size(l) > 0", "function size"}, {"l = 1", "this type"},
        {"i IN (SELECT 1)", "SELECT"}, {"i + s > 1", "arithmetic"}, {"d / 2 > 1", "division of decimals"}, {"at > '2026-02-03'", "beside a date or a time"}, {"at > TIMESTAMP '2026-02-03 00:00:00'", "zone"},
        {"at > loc", "two types"}, {"NOT i", "condition is wanted"}, {"i AND t", "condition is wanted"}, {"date_format(at, 'EEE') = 'x'", "pattern"}, {"date_trunc('week', at) = at", "unit"},
        {"hour(day) = 1", "time of a date"}, {"'abc", "not closed"}, {"`i = 1", "not closed"}, {"i -- x", "comment"}, {"i /* x */ = 1", "comment"}, {"cast(s as int) = 1", "cast"},
        {"cast(i as decimal(10,2)) = 1", "cast to a type"}, {"abs(i, 2) = 1", "arguments"}, {"i = 1X", "number"}, {"i NOT 5", "something"}, {"CASE i WHEN 5 THEN true END", "CASE without"},
        {"'\\u0041' = 'A'", "escape"}, {"interval 1 day > 1", "something"}, {"coalesce(i, s) = 1", "alternatives"}, {"i ; drop", "sign"}, {"isnan(i)", "isnan"}, {"?", "sign"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_sql *s = NULL;
        struct dp_err err = DP_ERR_INIT;
        enum dp_status status = dp_sql_compile(dp_str_z(cases[i].sql), f->schema, &s, &err);
        if (status != DP_UNSUPPORTED || !strstr(err.msg, cases[i].words)) fail_msg("%s: status %d, %s", cases[i].sql, (int)status, err.msg);
    }
}

static void test_values(void **state) {
    struct fixture *f = *state;
    static const struct { const char *sql, *type, *want; } cases[] = {
        {"CAST(at AS DATE)", "date", "\"2026-02-03\""}, {"YEAR(at)", "int32", "2026"}, {"DATE_FORMAT(at, 'yyyy-MM')", "string", "\"2026-02\""}, {"SUBSTRING(s, 1, 2)", "string", "\"Ab\""},
        {"DATE_TRUNC('HOUR', at)", "timestamp", "\"2026-02-03T04:00:00Z\""}, {"i * 300", "int8", "null"}, {"d + 1", "decimal(12,2)", "13.30"}, {"i", "decimal(12,2)", "5.00"}, {"b", "int32", "null"},
        {"i = 5", "boolean", "true"}, {"f * 2", "double", "3.0"}, {"HOUR(at)", "int64", "4"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_sql *s = NULL;
        struct dp_type *t = NULL;
        struct dp_column c;
        struct dp_buf text = {0};
        bool same = false;
        assert_int_equal(dp_sql_compile(dp_str_z(cases[i].sql), f->schema, &s, NULL), DP_OK);
        assert_int_equal(dp_type_parse(dp_str_z(cases[i].type), &t, NULL), DP_OK);
        if (!dp_sql_fits(s, t)) fail_msg("%s does not fit", cases[i].sql);
        dp_column_init(&c, t);
        struct dp_sql_run *r = dp_sql_run_open(s);
        assert_int_equal(dp_sql_append(r, &f->b, 0, &c, NULL), DP_OK);
        dp_column_print(&c, 0, NULL, &text);
        assert_string_equal(dp_buf_z(&text), cases[i].want);
        assert_int_equal(dp_sql_same(r, &f->b, 0, &c, &same, NULL), DP_OK);
        assert_true(same || !strcmp(cases[i].type, "int8"));
        dp_sql_run_close(r);
        dp_column_release(&c);
        dp_buf_release(&text);
        dp_type_free(t);
        dp_sql_free(s);
    }
}

static void test_filters(void **state) {
    static const struct { const char *sql, *want; } cases[] = {
        {"i > 0", "(.[\"i\"] > 0)"}, {"i BETWEEN -1 AND 2.5", "((.[\"i\"] >= -1) and (.[\"i\"] <= 2.5))"}, {"o.`y z` IS NOT NULL OR day >= '2026-01-02'", "((.[\"o\"][\"y z\"] != null) or (.[\"day\"] >= \"2026-01-02\"))"},
        {"s < 'b\"'", "(.[\"s\"] < \"b\\\"\")"}, {"i = 5", NULL}, {"f > 1", NULL}, {"i > 0 AND f > 1", NULL}, {"i > b", NULL}, {"at > TIMESTAMP '2026-01-01T00:00:00Z'", NULL}, {"NOT i > 1", NULL}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_sql *s = NULL;
        struct dp_buf text = {0};
        assert_int_equal(dp_sql_compile(dp_str_z(cases[i].sql), f->schema, &s, NULL), DP_OK);
        bool there = dp_sql_filter(s, &text);
        if (there != (cases[i].want != NULL) || (there && strcmp(dp_buf_z(&text), cases[i].want) != 0)) fail_msg("%s: %s", cases[i].sql, dp_buf_z(&text));
        dp_buf_release(&text);
        dp_sql_free(s);
    }
}

static void test_limits(void **state) {
    struct fixture *f = *state;
    struct dp_sql *s = NULL;
    struct dp_buf text = {0};
    for (unsigned i = 0; i <= DP_LIMIT_SQL_DEPTH; i++) dp_buf_addc(&text, '(');
    assert_int_equal(dp_sql_compile(dp_buf_str(&text), f->schema, &s, NULL), DP_LIMIT);
    dp_buf_reset(&text);
    for (unsigned i = 0; i <= DP_LIMIT_SQL_DEPTH; i++) dp_buf_addz(&text, "1+");
    dp_buf_addc(&text, '1');
    assert_int_equal(dp_sql_compile(dp_buf_str(&text), f->schema, &s, NULL), DP_LIMIT);
    dp_buf_reset(&text);
    dp_buf_addz(&text, "i in (1");
    for (unsigned i = 0; i <= DP_LIMIT_SQL_NODES; i++) dp_buf_addz(&text, ",1");
    dp_buf_addc(&text, ')');
    assert_int_equal(dp_sql_compile(dp_buf_str(&text), f->schema, &s, NULL), DP_LIMIT);
    dp_buf_reset(&text);
    for (unsigned i = 0; i < DP_LIMIT_SQL_BYTES; i++) dp_buf_addc(&text, ' ');
    dp_buf_addz(&text, "i = 1");
    assert_int_equal(dp_sql_compile(dp_buf_str(&text), f->schema, &s, NULL), DP_LIMIT);
    dp_buf_reset(&text);
    dp_buf_addz(&text, "i = 5"); /* a long row of AND is not deep */
    for (unsigned i = 0; i < 1000; i++) dp_buf_addz(&text, " and i = 5");
    assert_int_equal(dp_sql_compile(dp_buf_str(&text), f->schema, &s, NULL), DP_OK);
    dp_sql_free(s);
    dp_buf_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_truth, open_fixture, close_fixture), cmocka_unit_test_setup_teardown(test_refused, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_values, open_fixture, close_fixture), cmocka_unit_test_setup_teardown(test_filters, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_limits, open_fixture, close_fixture)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
