/* Aggregates of windows (dp/rules/agg.h): results of known values; the same bytes whatever the order, the merges, the saves and the rows that went in and out again. */
#include <dp/rules/agg.h>

#include <math.h>

#include "dpt.h"

/* ---- what tests share ---- */

struct bench {
    struct dp_aggs *a;
    struct dp_agg_reader *reader;
    struct dp_agg_printer *printer;
    struct dp_scan *scan;
    struct dp_type *types;
    struct dp_agg_mem mem;
    struct dp_err err;
};

static void open_bench(struct bench *b, const char *spec, const char *types, bool sub) {
    *b = (struct bench){.err = DP_ERR_INIT};
    if (dp_aggs_parse(&spec, 1, NULL, &b->a, &b->err) != DP_OK) fail_msg("%s: %s", spec, b->err.msg);
    if (sub) dp_aggs_allow_sub(b->a);
    b->reader = dp_agg_reader_open(b->a);
    b->printer = dp_agg_printer_open(b->a);
    b->scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    if (types) assert_int_equal(dp_type_parse(dp_str_z(types), &b->types, &b->err), DP_OK);
}

static void close_bench(struct bench *b) {
    dp_agg_reader_close(b->reader);
    dp_agg_printer_close(b->printer);
    dp_scan_close(b->scan);
    dp_type_free(b->types);
    dp_aggs_free(b->a);
    assert_int_equal(b->mem.bytes, 0);
}

static enum dp_status read_row(struct bench *b, const char *record, struct dp_buf *row) {
    struct dp_buf text = {0};
    struct dp_record rec;
    dp_buf_addz(&text, record);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(b->scan, text.p, text.n);
    if (dp_scan_next(b->scan, &rec, &b->err) != DP_OK) fail_msg("%s: %s", record, b->err.msg);
    enum dp_status status = dp_agg_read(b->reader, &rec, b->types, row, &b->err);
    dp_buf_release(&text);
    return status;
}

static void *new_state(const struct bench *b) { return calloc(1, dp_agg_size(b->a)); }

static void check(const char *what, const char *got, const char *wanted) {
    if (strcmp(got, wanted) != 0) fail_msg("%s:\n  got    %s\n  wanted %s", what, got, wanted);
}

/* Records, one a line, into one state; what it prints, or the error. */
static void run(const char *spec, const char *types, const char *records, struct dp_buf *out) {
    struct bench b;
    open_bench(&b, spec, types, false);
    void *state = new_state(&b);
    char *copy = dp_strdup(records), *save = NULL;
    enum dp_status status = DP_OK;
    uint64_t n = 0;
    for (char *line = strtok_r(copy, "\n", &save); line && status == DP_OK; line = strtok_r(NULL, "\n", &save), n++) {
        struct dp_buf row = {0};
        status = read_row(&b, line, &row);
        if (status == DP_OK) dp_agg_add(b.a, state, dp_buf_str(&row), (struct dp_agg_at){(int64_t)n, n}, &b.mem);
        else assert_int_equal(row.n, 0);
        dp_buf_release(&row);
    }
    if (status == DP_OK) status = dp_agg_print(b.printer, state, 0, out, &b.err);
    if (status != DP_OK) {
        assert_int_equal(status, DP_RECORD);
        dp_buf_addf(out, "error %s", b.err.msg);
    }
    dp_agg_release(b.a, state, &b.mem);
    free(state), free(copy);
    close_bench(&b);
}

struct known { const char *spec, *types, *records, *wanted; };

static void check_known(const struct known *k, size_t n) {
    for (; n; n--, k++) {
        struct dp_buf out = {0};
        run(k->spec, k->types, k->records, &out);
        check(k->spec, dp_buf_z(&out), k->wanted);
        dp_buf_release(&out);
    }
}
#define CHECK(table) check_known(table, sizeof table / sizeof *table)

#define DOUBLES "struct<v:double>"

/* ---- known values ---- */

static void sums(void **state) {
    (void)state;
    static const struct known cases[] = {
        {"n=count(),s=sum(v),m=mean(v)", NULL, "", ",\"n\":0,\"s\":null,\"m\":null"},
        {"n=count(),s=sum(v),m=mean(v),c=count(v)", NULL, "{\"v\":null}\n{\"w\":1}", ",\"n\":2,\"s\":null,\"m\":null,\"c\":0"},
        {"s=sum(v),c=count(v)", NULL, "{\"v\":1}\n{\"v\":2}\n{}", ",\"s\":3,\"c\":2"},
        {"s=sum(v),m=mean(v)", NULL, "{\"v\":1.10}\n{\"v\":2}\n{\"v\":-0.3}", ",\"s\":2.80,\"m\":0.9333333333333333"},
        {"s=sum(v)", NULL, "{\"v\":9007199254740993}\n{\"v\":9223372036854775807}", ",\"s\":9232379236109516800"},
        {"s=sum(v)", NULL, "{\"v\":99999999999999999999999999999999999999}\n{\"v\":99999999999999999999999999999999999999}\n{\"v\":0.5}",
         ",\"s\":199999999999999999999999999999999999998.5"},
        {"s=sum(v)", NULL, "{\"v\":0.00000000000000000000000000000000000001}\n{\"v\":-1}", ",\"s\":-0.99999999999999999999999999999999999999"},
        {"s=sum(v)", NULL, "{\"v\":12345678901234567890.12}\n{\"v\":-12345678901234567890}\n{\"v\":7}", ",\"s\":7.12"},
        {"s=sum(v),m=mean(v)", NULL, "{\"v\":1e16}\n{\"v\":1.0}\n{\"v\":-1e16}", ",\"s\":1.0,\"m\":0.3333333333333333"},
        {"s=sum(v),m=mean(v)", DOUBLES, "{\"v\":1e+16}\n{\"v\":1.0}\n{\"v\":-1e+16}", ",\"s\":1.0,\"m\":0.3333333333333333"},
        {"s=sum(v)", DOUBLES, "{\"v\":0.1}\n{\"v\":0.2}", ",\"s\":0.30000000000000004"},
        {"s=sum(v)", NULL, "{\"v\":0.1}\n{\"v\":0.2}", ",\"s\":0.3"},
        {"s=sum(v)", DOUBLES, "{\"v\":1e308}\n{\"v\":1e308}\n{\"v\":-1e308}", ",\"s\":1e308"},
        {"s=sum(v)", DOUBLES, "{\"v\":1e308}\n{\"v\":1e308}", ",\"s\":\"Infinity\""},
        {"s=sum(v)", DOUBLES, "{\"v\":4.9e-324}\n{\"v\":4.9e-324}\n{\"v\":-4.9e-324}", ",\"s\":5e-324"},
        {"s=sum(v),m=mean(v),c=count(v)", DOUBLES, "{\"v\":1}\n{\"v\":\"NaN\"}", ",\"s\":\"NaN\",\"m\":\"NaN\",\"c\":2"},
        {"s=sum(v),h=max(v),l=min(v),q=median(v)", DOUBLES, "{\"v\":1}\n{\"v\":\"Infinity\"}\n{\"v\":2}", ",\"s\":\"NaN\",\"h\":2.0,\"l\":1.0,\"q\":1.0"},
        {"s=sum(v)", "struct<v:decimal(12,2)>", "{\"v\":\"12.30\"}\n{\"v\":1.00}", ",\"s\":13.30"},
        {"s=sum(v)", "struct<v:decimal(12,2)>", "{\"v\":\"012.30\"}", "error v: sum wants a number, got a string"},
        {"s=sum(v)", "struct<v:decimal(12,2)>", "{\"v\":\"0.\"}", "error v: sum wants a number, got a string"},
        {"s=sum(v),n=min(v)", "struct<v:decimal(12,2)>", "{\"v\":\"-0.50\"}", ",\"s\":-0.50,\"n\":-0.50"},
        {"s=sum(v)", NULL, "{\"v\":-0}\n{\"v\":-0.0}", ",\"s\":0.0"},
        {"s=sum(.a.b[1])", NULL, "{\"a\":{\"b\":[1,2]}}\n{\"a\":{\"b\":[1,3]}}\n{\"a\":[]}", ",\"s\":5"},
        {"m=mean(v)", NULL, "{\"v\":9007199254740993}", ",\"m\":9007199254740992.0"},
        {"m=mean(v)", NULL, "{\"v\":9007199254740995}", ",\"m\":9007199254740996.0"},
        {"m=mean(v)", NULL, "{\"v\":9007199254740993}\n{\"v\":9007199254740993.0000000001}", ",\"m\":9007199254740994.0"},
        {"m=mean(v)", NULL, "{\"v\":-9007199254740993}\n{\"v\":-9007199254740993.0000000001}", ",\"m\":-9007199254740994.0"},
        {"m=mean(v)", NULL, "{\"v\":9007199254740993}\n{\"v\":9007199254740992.9999999999}", ",\"m\":9007199254740992.0"},
        {"m=mean(v)", DOUBLES, "{\"v\":4.9e-324}\n{\"v\":1.5e-323}", ",\"m\":1e-323"},
        {"m=mean(v)", DOUBLES, "{\"v\":1.7976931348623157e308}\n{\"v\":1.7976931348623157e308}", ",\"m\":1.7976931348623157e308"},
        {"s=sum(v)", NULL, "{\"v\":\"x\"}", "error v: sum wants a number, got a string"},
        {"s=sum(v)", NULL, "{\"v\":\"NaN\"}", "error v: sum wants a number, got a string"},
        {"s=mean(.a.b)", NULL, "{\"a\":{\"b\":true}}", "error .a.b: mean wants a number, got a boolean"},
        {"s=sum(v)", NULL, "{\"v\":1e400}", "error v: sum wants a number that a double holds"},
        {"s=sum(price) where .country == \"DE\",n=count() where .price > 1, a=sum(price)", NULL,
         "{\"price\":1.5,\"country\":\"DE\"}\n{\"price\":2.5,\"country\":\"FR\"}\n{\"price\":1,\"country\":\"DE\"}", ",\"s\":2.5,\"n\":2,\"a\":5.0"},
    };
    CHECK(cases);
}

static void variances(void **state) {
    (void)state;
    static const struct known cases[] = {
        {"a=var_samp(v),b=var_pop(v),c=stddev_samp(v),d=stddev_pop(v)", NULL, "", ",\"a\":null,\"b\":null,\"c\":null,\"d\":null"},
        {"a=var_samp(v),b=var_pop(v),c=stddev_samp(v),d=stddev_pop(v)", NULL, "{\"v\":7}", ",\"a\":null,\"b\":0.0,\"c\":null,\"d\":0.0"},
        {"a=var_samp(v),c=stddev_samp(v),m=mean(v)", NULL, "{\"v\":1000000004.0}\n{\"v\":1000000007.0}\n{\"v\":1000000013.0}\n{\"v\":1000000016.0}",
         ",\"a\":30.0,\"c\":5.477225575051661,\"m\":1000000010.0"},
        {"a=var_samp(v),c=stddev_samp(v),m=mean(v)", DOUBLES, "{\"v\":1000000004.0}\n{\"v\":1000000007.0}\n{\"v\":1000000013.0}\n{\"v\":1000000016.0}",
         ",\"a\":30.0,\"c\":5.477225575051661,\"m\":1000000010.0"},
        {"a=var_samp(v),b=var_pop(v)", NULL, "{\"v\":0.1}\n{\"v\":0.1}\n{\"v\":0.1}", ",\"a\":0.0,\"b\":0.0"},
        {"a=var_samp(v),b=var_pop(v)", NULL, "{\"v\":1000000000000000.1}\n{\"v\":1000000000000000.3}", ",\"a\":0.02,\"b\":0.01"},
        {"a=var_samp(v)", NULL, "{\"v\":-999999999999999999}\n{\"v\":999999999999999999}", ",\"a\":2e36"},
        {"a=var_pop(v)", DOUBLES, "{\"v\":1e300}\n{\"v\":-1e300}", ",\"a\":\"Infinity\""},
        {"a=var_pop(v)", DOUBLES, "{\"v\":1e-170}\n{\"v\":-1e-170}", ",\"a\":0.0"},
        {"a=var_pop(v)", DOUBLES, "{\"v\":1}\n{\"v\":\"NaN\"}", ",\"a\":\"NaN\""},
        {"a=var_pop(v)", NULL, "{\"v\":1e2}\n{\"v\":98}", ",\"a\":1.0"},
    };
    CHECK(cases);
}

static void extremes(void **state) {
    (void)state;
    static const struct known cases[] = {
        {"l=min(v),h=max(v)", NULL, "", ",\"l\":null,\"h\":null"},
        {"l=min(v),h=max(v)", NULL, "{\"v\":1.10}\n{\"v\":-2}\n{\"v\":null}\n{\"v\":1.1}", ",\"l\":-2,\"h\":1.1"},
        {"l=min(v),h=max(v)", NULL, "{\"v\":9007199254740993}\n{\"v\":9007199254740992}\n{\"v\":9007199254740992.5}", ",\"l\":9007199254740992,\"h\":9007199254740993"},
        {"l=min(v),h=max(v)", NULL, "{\"v\":1e400}\n{\"v\":-1e401}\n{\"v\":3}\n{\"v\":1e399}", ",\"l\":-1e401,\"h\":1e400"},
        {"l=min(v),h=max(v)", NULL, "{\"v\":0.5}\n{\"v\":5e-1}\n{\"v\":0.25e1}", ",\"l\":0.5,\"h\":2.5"},
        {"l=min(v),h=max(v)", NULL, "{\"v\":\"b\"}\n{\"v\":\"\\u0061\"}\n{\"v\":\"ä\"}\n{\"v\":\"\"}", ",\"l\":\"\",\"h\":\"ä\""},
        {"l=min(v),h=max(v)", NULL, "{\"v\":\"2026-01-02\"}\n{\"v\":\"2025-12-31\"}", ",\"l\":\"2025-12-31\",\"h\":\"2026-01-02\""},
        {"l=min(v)", NULL, "{\"v\":\"2\"}\n{\"v\":1}", "error l: numbers and strings in one window have no order"},
        {"l=min(v)", NULL, "{\"v\":1}\n{\"v\":\"2\"}\n{\"v\":0}", "error l: numbers and strings in one window have no order"},
        {"l=min(v)", "struct<v:int64>", "{\"v\":\"2\"}", "error v: min wants a number, got a string"},
        {"l=max(v)", "struct<v:date>", "{\"v\":2}", "error v: max wants a string, got a number"},
        {"l=min(v)", NULL, "{\"v\":[1]}", "error v: min wants a number or a string, got an array"},
        {"l=min(v)", NULL, "{\"v\":false}", "error v: min wants a number or a string, got a boolean"},
    };
    CHECK(cases);
}

static void quantiles(void **state) {
    (void)state;
    static const struct known cases[] = {
        {"a=quantile(v,0.5),b=median(v)", NULL, "", ",\"a\":null,\"b\":null"},
        {"a=quantile(v,0),b=quantile(v,1),c=quantile(v,0.5),d=quantile(v,0.51),e=quantile(v,0.25)", NULL, "{\"v\":4}\n{\"v\":1}\n{\"v\":3}\n{\"v\":2}",
         ",\"a\":1,\"b\":4,\"c\":2,\"d\":3,\"e\":1"},
        {"a=quantile(v,0.95)", NULL, "{\"v\":12.30}\n{\"v\":1.10}", ",\"a\":12.30"},
        {"a=quantile(v,0.95),b=quantile(v,0)", NULL, "{\"v\":12.3}\n{\"v\":1.25}\n{\"v\":1.0}", ",\"a\":12.3,\"b\":1.0"},
        {"a=quantile(v,0.95),b=quantile(v,0)", NULL, "{\"v\":12.30}\n{\"v\":1}", ",\"a\":12.3,\"b\":1"},
        {"a=quantile(v,0.5),b=quantile(v,1)", NULL, "{\"v\":999999999999999999}\n{\"v\":0.0000000001}\n{\"v\":0.1}", ",\"a\":0.1,\"b\":999999999999999999"},
        {"a=quantile(v,0.5),b=quantile(v,1)", NULL, "{\"v\":1e2}\n{\"v\":99.5}\n{\"v\":1e400}", ",\"a\":100.0,\"b\":1e400"},
        {"a=quantile(v,0.5),b=quantile(v,1),c=quantile(v,0)", DOUBLES, "{\"v\":-1.5}\n{\"v\":2}\n{\"v\":-1.25}", ",\"a\":-1.25,\"b\":2.0,\"c\":-1.5"},
        {"a=median(v)", NULL, "{\"v\":\"x\"}", "error v: median wants a number, got a string"},
    };
    CHECK(cases);
    struct dp_buf records = {0}, out = {0};
    for (int i = 0; i < 1000; i++) dp_buf_addf(&records, "{\"v\":%d}\n", (i * 7919) % 1000 + 1);
    run("a=quantile(v,0.07),b=quantile(v,0.95),c=quantile(v,0.9995),d=quantile(v,0.001)", NULL, dp_buf_z(&records), &out);
    check("a thousand", dp_buf_z(&out), ",\"a\":70,\"b\":950,\"c\":1000,\"d\":1");
    dp_buf_release(&records), dp_buf_release(&out);
}

static void lists(void **state) {
    (void)state;
    static const struct known cases[] = {
        {"f=first(v),l=last(v),c=collect(v),t=top(v,2),m=most(v,2)", NULL, "", ",\"f\":null,\"l\":null,\"c\":[],\"t\":[],\"m\":[]"},
        {"f=first(v),l=last(v),c=collect(v)", NULL, "{\"v\":null}\n{\"v\":1.10}\n{\"v\":{\"a\": 1}}\n{\"v\":\"\\u0041\"}\n{}", ",\"f\":1.10,\"l\":\"\\u0041\",\"c\":[1.10,{\"a\": 1},\"\\u0041\"]"},
        {"c=collect()", NULL, "{\"v\":null }\n{}", ",\"c\":[{\"v\":null },{}]"},
        {"c=collect() where .v > 1", NULL, "{\"v\":1}\n{\"v\":2}", ",\"c\":[{\"v\":2}]"},
        {"t=top(v,3)", NULL, "{\"v\":1}\n{\"v\":5.0}\n{\"v\":-1}\n{\"v\":5}\n{\"v\":2}", ",\"t\":[5,5.0,2]"},
        {"t=top(v,2)", NULL, "{\"v\":\"a\"}\n{\"v\":\"c\"}\n{\"v\":\"b\"}", ",\"t\":[\"c\",\"b\"]"},
        {"t=top(v,2)", NULL, "{\"v\":\"a\"}\n{\"v\":1}", "error t: numbers and strings in one window have no order"},
        {"m=most(v,2),d=distinct(v),a=distinct_approx(v)", NULL, "{\"v\":1.0}\n{\"v\":\"b\"}\n{\"v\":1}\n{\"v\":\"a\"}\n{\"v\":\"\\u0062\"}\n{\"v\":1e0}",
         ",\"m\":[{\"value\":1,\"count\":3},{\"value\":\"b\",\"count\":2}],\"d\":3,\"a\":3"},
        {"d=distinct(v),m=most(v,9)", NULL, "{\"v\":{\"b\":1,\"a\":[0.10]}}\n{\"v\":{\"a\":[1e-1], \"b\":1.0}}\n{\"v\":true}\n{\"v\":-0}\n{\"v\":0.0}",
         ",\"d\":3,\"m\":[{\"value\":0,\"count\":2},{\"value\":{\"a\":[0.1],\"b\":1},\"count\":2},{\"value\":true,\"count\":1}]"},
        {"d=distinct(v),m=most(v,9)", NULL, "{\"v\":1e400}\n{\"v\":10e399}\n{\"v\":0.00000012}\n{\"v\":1.2e-7}\n{\"v\":120.50}\n{\"v\":1.205e2}",
         ",\"d\":3,\"m\":[{\"value\":1.2e-7,\"count\":2},{\"value\":120.5,\"count\":2},{\"value\":1e400,\"count\":2}]"},
        {"d=delta(v),r=rate(v)", NULL, "", ",\"d\":null,\"r\":null"},
        {"d=delta(v),r=rate(v)", NULL, "{\"v\":1.25}", ",\"d\":0.00,\"r\":null"},
        {"d=delta(v),r=rate(v)", NULL, "{\"v\":1.25}\n{\"v\":7}\n{\"v\":3}", ",\"d\":1.75,\"r\":875.0"},
        {"d=delta(v),r=rate(v)", DOUBLES, "{\"v\":0.1}\n{\"v\":0.3}", ",\"d\":0.19999999999999998,\"r\":199.99999999999997"},
        {"d=delta(v),r=rate(v)", DOUBLES, "{\"v\":0.1}\n{\"v\":\"NaN\"}", ",\"d\":\"NaN\",\"r\":\"NaN\""},
        {"d=delta(v)", NULL, "{\"v\":\"a\"}", "error v: delta wants a number, got a string"},
    };
    CHECK(cases);
}

/* Estimates are within the error that is stated, exact where few values are, and the same everywhere. */
static void estimates(void **state) {
    (void)state;
    static const struct { unsigned n; const char *wanted; } cases[] = {
        {255, ",\"d\":255,\"a\":255,\"q\":243,\"r\":13"},
        {999, ",\"d\":999,\"a\":997,\"q\":950,\"r\":50"},
        {1000, ",\"d\":1000,\"a\":998,\"q\":944.0492576839151,\"r\":49.902960949065985"},
        {20000, ",\"d\":20000,\"a\":19987,\"q\":18963.632604741782,\"r\":1002.4280085221103"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int sub = 0; sub < 2; sub++) {
            struct bench b;
            struct dp_buf out = {0}, row = {0};
            double d, a, q, r;
            open_bench(&b, "d=distinct(v),a=distinct_approx(v),q=quantile_approx(v,0.95),r=quantile_approx(v,0.05)", NULL, sub);
            void *s = new_state(&b);
            for (unsigned i = 0; i < cases[c].n; i++) {
                char record[64];
                (void)snprintf(record, sizeof record, "{\"v\":%u}", (unsigned)((uint64_t)i * 7919 % cases[c].n + 1));
                row.n = 0;
                assert_int_equal(read_row(&b, record, &row), DP_OK);
                dp_agg_add(b.a, s, dp_buf_str(&row), (struct dp_agg_at){0, i}, &b.mem);
            }
            assert_int_equal(dp_agg_print(b.printer, s, 0, &out, &b.err), DP_OK);
            assert_int_equal(sscanf(dp_buf_z(&out), ",\"d\":%lf,\"a\":%lf,\"q\":%lf,\"r\":%lf", &d, &a, &q, &r), 4);
            double n = cases[c].n, exact_q = (double)((95 * cases[c].n + 99) / 100), exact_r = (double)((5 * cases[c].n + 99) / 100);
            if (d != n || a < n * 0.975 || a > n * 1.025 || (n < 256 && a != n)) fail_msg("%u: %s", cases[c].n, out.p);
            if (q < exact_q * 0.99 || q > exact_q * 1.01 || r < exact_r * 0.99 || r > exact_r * 1.01) fail_msg("%u: %s", cases[c].n, out.p);
            if (n < 1000 && (q != exact_q || r != exact_r)) fail_msg("%u: %s", cases[c].n, out.p);
            check("the same everywhere", out.p, cases[c].wanted);
            dp_buf_release(&out), dp_buf_release(&row);
            dp_agg_release(b.a, s, &b.mem);
            free(s);
            close_bench(&b);
        }
}

static void expressions(void **state) {
    (void)state;
    static const struct known cases[] = {
        {"s=sum(v),n=count(),m=.s / .n,big=.m > 2", NULL, "{\"v\":2}\n{\"v\":4}", ",\"s\":6,\"n\":2,\"m\":3,\"big\":true"},
        {"n=count(),x={a:.n,\"b\":[.n,\"c,d\"]}", NULL, "{}", ",\"n\":1,\"x\":{\"a\":1,\"b\":[1,\"c,d\"]}"},
        {"n=count(),x=\"n is \\(.n + (1)), so\"", NULL, "{}", ",\"n\":1,\"x\":\"n is 2, so\""},
        {"n=count(),x=(.n,.n)", NULL, "{}", "error x: the expression has several results"},
        {"n=count(),x=empty", NULL, "{}", "error x: the expression has no result"},
        {"s=sum(v),x=.s + \"a\"", NULL, "{\"v\":1}", "error x: number and string cannot be added"},
    };
    CHECK(cases);
    struct bench b;
    struct dp_buf out = {0};
    open_bench(&b, "n=count(),k=.window_start + .key", NULL, false);
    void *s = new_state(&b);
    dp_buf_addz(&out, "{\"window_start\":\"2026\",\"key\":\"a\"");
    assert_int_equal(dp_agg_print(b.printer, s, 1, &out, &b.err), DP_OK);
    check("head", dp_buf_z(&out), "{\"window_start\":\"2026\",\"key\":\"a\",\"n\":0,\"k\":\"2026a\"");
    dp_buf_release(&out);
    free(s);
    close_bench(&b);
}

static void parse_errors(void **state) {
    (void)state;
    static const struct { const char *text, *words; } cases[] = {
        {"", "column 1: an aggregate is missing"},
        {"n=count(),", "column 11: an aggregate is missing"},
        {"count()", "column 1: expected a name and `=` in front of it"},
        {"=count()", "column 1: expected NAME="},
        {"n=", "expected FUNCTION(FIELD) or an expression"},
        {"n=cuont()", "column 3: no aggregate has the name cuont; did you mean count?"},
        {"n=avg(price)", "column 3: no aggregate has the name avg; did you mean mean?"},
        {"n=sum()", "column 7: sum wants a field"},
        {"n=sum(a,b)", "column 8: sum wants one field"},
        {"n=sum(a", "column 6: the bracket is not closed"},
        {"n=sum(a..b)", "column 7: path"},
        {"n=sum(.)", "column 7: "},
        {"n=count(),n=sum(a)", "column 11: the name n is there twice"},
        {"window_start=count()", "column 1: the name window_start is taken"},
        {"\"$dp\"=count()", "can't have this name"},
        {"q=quantile(v)", "quantile wants a field and a share"},
        {"q=quantile(v,1.5)", "column 14: expected a share from 0 to 1"},
        {"q=quantile(v,x)", "column 14: expected a share"},
        {"n=count() whre .a", "column 11: expected `where` or a comma"},
        {"n=count() where", "column 11: a condition is missing"},
        {"n=count() where .a ==", "behind where"},
        {"q=top(v,0)", "column 9: expected a number from 1 to"},
        {"q=top(v)", "top wants a field and a number"},
        {"m=sum(a) / 2", "column 10: expected `where` or a comma"},
        {"m=.a +", "aggregate `m=.a +`"},
        {"m=sum(\x90\x95)", "column 7: not UTF-8"},
    };
    static const char *const reserved[] = {"window_start", "window_end", NULL};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_aggs *a = NULL;
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(dp_aggs_parse(&cases[i].text, 1, reserved, &a, &err), DP_USAGE);
        if (!strstr(err.msg, cases[i].words)) fail_msg("%s: %s", cases[i].text, err.msg);
    }
}

/* No more rows than a sum or a count can hold when rows are added to it. */
static void too_many_rows(void **state) {
    (void)state;
    const char *text = "n=count()";
    static const uint8_t most[] = {0, 0, 0, 0, 0, 0, 128, 0}, over[] = {1, 0, 0, 0, 0, 0, 128, 0}, all[] = {255, 255, 255, 255, 255, 255, 255, 255};
    const struct { const uint8_t *count; enum dp_status want; } cases[] = {{most, DP_OK}, {over, DP_FORMAT}, {all, DP_FORMAT}};
    struct dp_agg_mem mem = {0};
    struct dp_aggs *a = NULL;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_aggs_parse(&text, 1, NULL, &a, &err), DP_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *s = dp_calloc(1, dp_agg_size(a));
        struct dp_str in = dp_str((const char *)cases[i].count, 8);
        assert_int_equal(dp_agg_load(a, s, &in, &mem, &err), cases[i].want);
        dp_agg_release(a, s, &mem);
        free(s);
    }
    dp_aggs_free(a);
}

static void descriptions(void **state) {
    (void)state;
    const char *texts[] = {" n = count( ) , q=quantile( price , 0.950 )  where  .c == \"a,b\"", "\"odd \\u0041\"=sum( .a[\"b\"] ),m=max(a.b),r=.n * 2"};
    struct dp_aggs *a = NULL;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf b = {0};
    const char *const *fields;
    size_t n;
    if (dp_aggs_parse(texts, 2, NULL, &a, &err) != DP_OK) fail_msg("%s", err.msg);
    dp_aggs_describe(a, &b);
    check("describe", dp_buf_z(&b), "\"n\"=count(),\"q\"=quantile(.price,0.95) where .c == \"a,b\",\"odd A\"=sum(.a.b),\"m\"=max(.a.b),\"r\"=.n * 2");
    assert_int_equal(dp_aggs_count(a), 5);
    assert_string_equal(dp_aggs_name(a, 2), "odd A");
    assert_true(dp_aggs_fields(a, &fields, &n));
    assert_int_equal(n, 3);
    struct dp_type *in = NULL, *out = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    assert_int_equal(dp_type_parse(DP_STR("struct<price:decimal(12,2),a:struct<b:int32 not null>>"), &in, &err), DP_OK);
    dp_aggs_schema(a, in, out);
    b.n = 0;
    dp_type_print(out, &b);
    check("schema", dp_buf_z(&b), "struct<n:int64 not null,q:decimal(12,2),`odd A`:int64,m:int32,r:void>");
    dp_type_free(in), dp_type_free(out);
    dp_aggs_free(a);
    dp_buf_release(&b);
}

/* ---- order, merges, saves, rows taken out ---- */

static uint64_t seed;
static uint64_t draw(uint64_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

static const char *draw_number(char out[64], unsigned style) {
    static const char *const odd[] = {"0", "-0", "1.0", "1.00", "1", "1e0", "10e-1", "100", "1e2", "1E+2", "0.1", "0.10", "1e400", "1e-400", "123456789012345678901234567890.123"};
    switch (style) {
    case 0: (void)snprintf(out, 64, "%d", (int)draw(2000) - 1000); break;
    case 1: (void)snprintf(out, 64, "%d.%02d", (int)draw(200) - 100, (int)draw(100)); break;
    case 2: (void)snprintf(out, 64, "%s", odd[draw(12)]); break;
    case 3: (void)snprintf(out, 64, "%d.%0*d", (int)draw(100), (int)draw(10) + 1, (int)draw(10)); break;
    case 4: (void)snprintf(out, 64, "%d.%de%d", (int)draw(9) - 4, (int)draw(1000000), (int)draw(40) - 20); break;
    case 5: (void)snprintf(out, 64, "%llu%09llu.%llu", (unsigned long long)draw(1000000000) + 1, (unsigned long long)draw(1000000000), (unsigned long long)draw(1u << 30)); break;
    default: (void)snprintf(out, 64, "0.%09llu%09llu", (unsigned long long)draw(1000000000), (unsigned long long)draw(1000000000)); break;
    }
    return out;
}

#define ROWS 160

struct rows {
    struct dp_buf row[ROWS];
    struct dp_agg_at at[ROWS];
    size_t n;
};

static void draw_rows(struct bench *b, struct rows *rows, bool one_style, unsigned style) {
    rows->n = draw(ROWS) + 1;
    for (size_t i = 0; i < rows->n; i++) {
        char number[64], record[256];
        unsigned s = one_style ? style : (unsigned)draw(7);
        rows->at[i] = (struct dp_agg_at){(int64_t)draw(20), i};
        if (draw(12)) (void)snprintf(record, sizeof record, "{\"v\":%s,\"s\":\"k%d\",\"b\":%s}", draw_number(number, s), (int)draw(20), draw(3) ? "true" : "false");
        else (void)snprintf(record, sizeof record, "{\"v\":null,\"b\":true}");
        rows->row[i].n = 0;
        if (read_row(b, record, &rows->row[i]) != DP_OK) fail_msg("%s: %s", record, b->err.msg);
    }
}

static void put(struct bench *b, const struct rows *rows, size_t i, void *state) {
    dp_agg_add(b->a, state, dp_buf_str(&rows->row[i]), rows->at[i], &b->mem);
}

static void print(struct bench *b, const void *state, struct dp_buf *out) {
    out->n = 0;
    if (dp_agg_print(b->printer, state, 0, out, &b->err) != DP_OK) dp_buf_addf(out, "error %s", b->err.msg);
    (void)dp_buf_z(out);
}

/* Saves it, empties it, loads it: the same. */
static void round_trip(struct bench *b, void *state) {
    struct dp_buf saved = {0}, again = {0};
    dp_agg_save(b->a, state, &saved);
    dp_agg_release(b->a, state, &b->mem);
    struct dp_str in = dp_buf_str(&saved);
    if (dp_agg_load(b->a, state, &in, &b->mem, &b->err) != DP_OK) fail_msg("%s", b->err.msg);
    assert_int_equal(in.n, 0);
    dp_agg_save(b->a, state, &again);
    assert_true(dp_str_eq(dp_buf_str(&saved), dp_buf_str(&again)));
    for (size_t n = 0; n < saved.n; n += n < 64 ? 1 : 37) { /* cut short: refused, and nothing is left behind */
        void *other = new_state(b);
        struct dp_str cut = dp_str(saved.p, n);
        assert_int_equal(dp_agg_load(b->a, other, &cut, &b->mem, &b->err), DP_FORMAT);
        free(other);
    }
    dp_buf_release(&saved), dp_buf_release(&again);
}

/* A random order, spread over states that are merged and saved; with `sub` also rows that come and go. */
static void shuffle(struct bench *b, const struct rows *rows, const struct rows *guests, bool sub, void *into) {
    size_t order[ROWS], parts = draw(4) + 1;
    void *states[5];
    for (size_t i = 0; i < parts; i++) states[i] = new_state(b);
    for (size_t i = 0; i < rows->n; i++) {
        size_t j = draw(i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    size_t in = 0, out = 0;
    for (size_t i = 0; i < rows->n; i++) {
        put(b, rows, order[i], states[draw(parts)]);
        if (sub && in < guests->n && draw(2)) put(b, guests, in++, states[0]);
        if (sub && out < in && !draw(3)) {
            assert_true(dp_agg_sub(b->a, states[0], dp_buf_str(&guests->row[out]), guests->at[out], &b->mem));
            out++;
        }
        if (!draw(40)) round_trip(b, states[draw(parts)]);
    }
    for (size_t i = 0; i < parts; i++) {
        dp_agg_merge(b->a, into, states[i], &b->mem);
        assert_int_equal(dp_agg_rows(b->a, states[i]), 0);
        free(states[i]);
    }
    for (; out < in; out++) assert_true(dp_agg_sub(b->a, into, dp_buf_str(&guests->row[out]), guests->at[out], &b->mem));
}

static const char every[] = "n=count(),c=count(v),w=count() where .b,s=sum(v),m=mean(v),ws=sum(v) where .b,l=min(v),h=max(v),sl=min(s),sh=max(s),va=var_samp(v),vb=var_pop(v),"
                            "sa=stddev_samp(v),sb=stddev_pop(v),q=quantile(v,0.95),q0=quantile(v,0),md=median(v),qa=quantile_approx(v,0.5),t=top(v,7),ts=top(s,3),mo=most(v,5),"
                            "ms=most(s,3) where .b,d=distinct(v),da=distinct_approx(s),dv=distinct_approx(v),f=first(v),la=last(s),co=collect(s),all=collect() where .b,e=[.n,.s]";
static const char bounded[] = "de=delta(v),ra=rate(v),s=sum(v),q=quantile_approx(v,0.9),c=collect(v)";

static void any_order(void **state) {
    (void)state;
    static struct rows rows, guests;
    for (unsigned turn = 0; turn < 120; turn++) {
        struct bench b;
        struct dp_buf wanted = {0}, got = {0}, saved = {0}, again = {0};
        bool sub = turn % 3 == 2;
        seed = turn;
        open_bench(&b, turn % 5 == 4 ? bounded : every, turn % 4 == 1 ? "struct<v:double,s:string,b:boolean>" : NULL, sub);
        draw_rows(&b, &rows, turn % 2, turn / 2 % 7);
        draw_rows(&b, &guests, false, 0);
        for (size_t i = 0; i < guests.n; i++) guests.at[i].arrival += ROWS; /* of equal rows the latest is taken out */
        void *plain = new_state(&b), *other = new_state(&b);
        for (size_t i = 0; i < rows.n; i++) put(&b, &rows, i, plain);
        print(&b, plain, &wanted);
        dp_agg_save(b.a, plain, &saved);
        for (int again_n = 0; again_n < 3; again_n++) {
            shuffle(&b, &rows, &guests, sub, other);
            assert_int_equal(dp_agg_rows(b.a, other), rows.n);
            print(&b, other, &got);
            if (!dp_str_eq(dp_buf_str(&wanted), dp_buf_str(&got))) fail_msg("turn %u\n%s\n%s", turn, wanted.p, got.p);
            again.n = 0;
            dp_agg_save(b.a, other, &again);
            if (!dp_str_eq(dp_buf_str(&saved), dp_buf_str(&again))) fail_msg("turn %u: saved bytes differ", turn);
            dp_agg_release(b.a, other, &b.mem);
        }
        if (sub) { /* what never went in does not come out, and does no harm */
            struct dp_buf stranger = {0};
            assert_int_equal(read_row(&b, "{\"v\":31415.926535,\"s\":\"nobody\",\"b\":true}", &stranger), DP_OK);
            assert_false(dp_agg_sub(b.a, plain, dp_buf_str(&stranger), (struct dp_agg_at){0}, &b.mem));
            dp_buf_release(&stranger);
            print(&b, plain, &got);
            assert_true(dp_str_eq(dp_buf_str(&wanted), dp_buf_str(&got)));
            for (size_t i = 0; i < rows.n; i++) assert_true(dp_agg_sub(b.a, plain, dp_buf_str(&rows.row[i]), rows.at[i], &b.mem));
            assert_int_equal(dp_agg_rows(b.a, plain), 0);
        }
        dp_agg_release(b.a, plain, &b.mem);
        for (size_t i = 0; i < ROWS; i++) dp_buf_release(&rows.row[i]), dp_buf_release(&guests.row[i]);
        dp_buf_release(&wanted), dp_buf_release(&got), dp_buf_release(&saved), dp_buf_release(&again);
        free(plain), free(other);
        close_bench(&b);
    }
}

/* ---- a slow and obvious model ---- */

static int by_cents(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void add_cents(struct dp_buf *b, int64_t v) {
    uint64_t u = v < 0 ? (uint64_t)-v : (uint64_t)v;
    dp_buf_addf(b, "%s%llu.%02llu", v < 0 ? "-" : "", (unsigned long long)(u / 100), (unsigned long long)(u % 100));
}

/* What is printed exactly, from values in cents by their times. */
static void model(const int64_t *v, const int64_t *times, size_t n, struct dp_buf *out) {
    int64_t sorted[ROWS], sum = 0;
    size_t first = 0, last = 0, distinct = 0, best_n = 0;
    memcpy(sorted, v, n * sizeof *v);
    qsort(sorted, n, sizeof *sorted, by_cents);
    for (size_t i = 0; i < n; i++) {
        sum += v[i];
        if (times[i] < times[first]) first = i;
        if (times[i] >= times[last]) last = i;
        distinct += !i || sorted[i] != sorted[i - 1];
        size_t same = 0;
        for (size_t k = 0; k < n; k++) same += sorted[k] == sorted[i];
        if (same > best_n) best_n = same;
    }
    static const char *const names[] = {"s", "l", "h", "q", "md", "f", "la", "de"};
    const int64_t values[] = {sum, sorted[0], sorted[n - 1], sorted[(95 * n + 99) / 100 - 1], sorted[(n + 1) / 2 - 1], v[first], v[last], v[last] - v[first]};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        dp_buf_addf(out, ",\"%s\":", names[i]);
        add_cents(out, values[i]);
    }
    dp_buf_addf(out, ",\"d\":%zu,\"t\":[", distinct);
    for (size_t i = 0; i < 3 && i < n; i++) {
        if (i) dp_buf_addc(out, ',');
        add_cents(out, sorted[n - 1 - i]);
    }
    dp_buf_addf(out, "],\"mc\":%zu", best_n);
}

static void against_model(void **state) {
    (void)state;
    for (unsigned turn = 0; turn < 200; turn++) {
        struct bench b;
        struct dp_buf wanted = {0}, got = {0}, row = {0}, record = {0};
        int64_t v[ROWS], times[ROWS];
        seed = turn + 1000;
        size_t n = draw(turn < 20 ? 4 : ROWS) + 1;
        long double mean = 0, square = 0;
        open_bench(&b, "s=sum(v),l=min(v),h=max(v),q=quantile(v,0.95),md=median(v),f=first(v),la=last(v),de=delta(v),d=distinct(v),t=top(v,3),x=most(v,1) where true,"
                       "mc=.x[0].count,va=var_pop(v),m=mean(v)", NULL, turn & 1);
        void *s = new_state(&b);
        for (size_t i = 0; i < n; i++) {
            v[i] = (int64_t)draw(turn % 3 ? 60 : 2000000) * (turn % 3 ? 1 : 1000003) - 1000;
            times[i] = (int64_t)draw(30);
            record.n = row.n = 0;
            dp_buf_addz(&record, "{\"v\":");
            add_cents(&record, v[i]);
            dp_buf_addc(&record, '}');
            assert_int_equal(read_row(&b, dp_buf_z(&record), &row), DP_OK);
            dp_agg_add(b.a, s, dp_buf_str(&row), (struct dp_agg_at){times[i], i}, &b.mem);
            mean += (long double)v[i] / 100 / (long double)n;
        }
        for (size_t i = 0; i < n; i++) square += ((long double)v[i] / 100 - mean) * ((long double)v[i] / 100 - mean) / (long double)n;
        model(v, times, n, &wanted);
        print(&b, s, &got);
        char *most = strstr(got.p, ",\"x\":"), *count = strstr(got.p, ",\"mc\":"), *rest = strstr(got.p, ",\"va\":");
        double var, average;
        assert_true(most && count && rest);
        assert_int_equal(sscanf(rest, ",\"va\":%lf,\"m\":%lf", &var, &average), 2);
        if (fabsl((long double)var - square) > 1e-12L * square + 1e-15L || fabsl((long double)average - mean) > 1e-15L * fabsl(mean) + 1e-15L) fail_msg("turn %u: %s", turn, rest);
        *rest = 0;
        memmove(most, count, strlen(count) + 1);
        check("against the model", got.p, dp_buf_z(&wanted));
        dp_agg_release(b.a, s, &b.mem);
        dp_buf_release(&wanted), dp_buf_release(&got), dp_buf_release(&row), dp_buf_release(&record);
        free(s);
        close_bench(&b);
    }
}

static void sizes(void **state) {
    (void)state;
    struct bench b;
    open_bench(&b, "n=count(),s=sum(v),m=mean(v)", NULL, false);
    assert_true(dp_agg_size(b.a) <= 48);
    close_bench(&b);
}

/* DP_LIMIT_AGGREGATES, DP_LIMIT_AGG_VALUES */
static void limits(void **state) {
    (void)state;
    struct dp_buf text = {0};
    for (unsigned i = 0; i <= DP_LIMIT_AGGREGATES; i++) {
        dp_buf_addf(&text, "%sn%u=count()", i ? "," : "", i);
        if (i + 1 < DP_LIMIT_AGGREGATES) continue;
        const char *z = dp_buf_z(&text);
        struct dp_aggs *a = NULL;
        struct dp_err err = DP_ERR_INIT;
        enum dp_status status = dp_aggs_parse(&z, 1, NULL, &a, &err);
        assert_int_equal(status, i + 1 == DP_LIMIT_AGGREGATES ? DP_OK : DP_USAGE);
        dp_aggs_free(a);
    }
    for (unsigned over = 0; over < 2; over++) {
        struct dp_aggs *a = NULL;
        struct dp_err err = DP_ERR_INIT;
        text.n = 0;
        dp_buf_addf(&text, "t=most(v,%u)", DP_LIMIT_AGG_VALUES + over);
        const char *z = dp_buf_z(&text);
        assert_int_equal(dp_aggs_parse(&z, 1, NULL, &a, &err), over ? DP_USAGE : DP_OK);
        dp_aggs_free(a);
    }
    dp_buf_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),         cmocka_unit_test(variances),    cmocka_unit_test(extremes),  cmocka_unit_test(quantiles), cmocka_unit_test(lists),        cmocka_unit_test(estimates),    cmocka_unit_test(expressions),
        cmocka_unit_test(parse_errors),
        cmocka_unit_test(too_many_rows), cmocka_unit_test(descriptions), cmocka_unit_test(any_order), cmocka_unit_test(against_model), cmocka_unit_test(sizes),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
