/* Rows for tests of the Parquet writer and reader, from records that a test prints; and a sink that keeps what the writer writes. */
#ifndef DP_TESTS_PQROWS_H
#define DP_TESTS_PQROWS_H

#include "dpt.h"

#include <dp/parquet/writer.h>

static inline enum dp_status to_buf(void *ctx, const void *p, size_t n, struct dp_err *err) {
    (void)err;
    dp_buf_add(ctx, p, n);
    return DP_OK;
}

/* Rows 0 to n-1, each as put_row prints it, into b; the schema is the caller's to free, behind b. */
static inline struct dp_type *pq_rows(struct dp_batch *b, const char *schema_text, void (*put_row)(struct dp_buf *b, unsigned i), unsigned n) {
    struct dp_type *schema = NULL;
    struct dp_buf text = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_record rec;
    struct dp_shred_reject why;
    assert_int_equal(dp_type_parse(dp_str_z(schema_text), &schema, &err), DP_OK);
    schema->nullable = false;
    dp_batch_init(b, schema);
    struct dp_shred *shred = dp_shred_open(schema, true);
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    for (unsigned i = 0; i < n; i++) put_row(&text, i);
    size_t bytes = text.n;
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(scan, text.p, bytes);
    while (dp_scan_next(scan, &rec, &err) == DP_OK)
        if (dp_shred_record(shred, &rec, b, &why) != DP_OK) fail_msg("%s: %s", why.path, why.reason);
    assert_int_equal(b->length, n);
    dp_scan_close(scan);
    dp_shred_close(shred);
    dp_buf_release(&text);
    return schema;
}

#endif
