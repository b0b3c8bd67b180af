/* Fuzz target: SQL of a table's constraints, compiled against a schema of every kind of column, printed as a filter, and tested on two rows. */
#include <dp/delta/sql.h>
#include <dp/record/expr.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char words[] = "struct<i:int64,b:int32,f:double,r:float,d:decimal(12,2),s:string,t:boolean,day:date,at:timestamp,loc:timestamp_ntz,bin:binary,o:struct<x:int64>,l:list<int64>>";
static const char line[] = "{\"i\":5,\"f\":1.5,\"r\":0.1,\"d\":12.30,\"s\":\"Abc d\",\"t\":true,\"day\":\"2026-02-03\",\"at\":\"2026-02-03T04:05:06.789Z\","
                           "\"loc\":\"1969-12-31T23:59:59\",\"bin\":\"AAE=\",\"o\":{\"x\":7},\"l\":[1]}\n{}\n";

static void fill(struct dp_type *schema, struct dp_batch *b) {
    struct dp_buf text = {0};
    struct dp_record r;
    struct dp_shred_reject why;
    struct dp_shred *shred = dp_shred_open(schema, true);
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    dp_buf_addz(&text, line);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(scan, text.p, text.n);
    while (dp_scan_next(scan, &r, NULL) == DP_OK)
        if (dp_shred_record(shred, &r, b, &why) != DP_OK) abort();
    dp_shred_close(shred);
    dp_scan_close(scan);
    dp_buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct dp_type *schema = NULL;
    struct dp_batch b;
    struct dp_sql *s = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (dp_type_parse(dp_str_z(words), &schema, NULL) != DP_OK) abort();
    dp_batch_init(&b, schema);
    fill(schema, &b);
    if (dp_sql_compile(dp_str((const char *)data, n), schema, &s, &err) == DP_OK) {
        struct dp_buf filter = {0};
        struct dp_expr *e = NULL;
        enum dp_sql_truth truth;
        if (dp_sql_filter(s, &filter) && dp_expr_compile(dp_buf_str(&filter), &e, NULL) != DP_OK) abort(); /* what is printed is an expression */
        dp_expr_free(e);
        dp_buf_release(&filter);
        struct dp_sql_run *r = dp_sql_run_open(s);
        for (int64_t row = 0; row < b.length; row++)
            if (dp_sql_test(r, &b, row, &truth, &err) != DP_OK) err.msg[0] = 0;
        dp_sql_run_close(r);
        dp_sql_free(s);
    }
    dp_batch_release(&b);
    dp_type_free(schema);
    return 0;
}
