/*
 * Records to columns and back from any bytes: what inference saw fits its schema; what prints shreds to the same text again; a schema
 * in the first line (type text) takes the rest without a crash, and refused records leave nothing behind.
 */
#include <dp/record/arrow.h>
#include <dp/record/infer.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void shred(struct dp_scan *scan, const char *p, size_t n, const struct dp_type *schema, bool must_fit, struct dp_buf *out) {
    struct dp_shred *s = dp_shred_open(schema, must_fit);
    struct dp_shred_reject why;
    struct dp_batch b;
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    enum dp_status st;
    dp_batch_init(&b, schema);
    dp_scan_begin(scan, p, n);
    while ((st = dp_scan_next(scan, &r, &err)) != DP_END) {
        if (st != DP_OK || r.duplicate_keys) continue;
        if (dp_shred_record(s, &r, &b, &why) != DP_OK && must_fit) abort();
    }
    for (size_t i = 0; i < b.n_columns; i++)
        if (b.columns[i].length != b.length || !dp_column_utf8(&b.columns[i], NULL)) abort();
    dp_batch_print(&b, 0, b.length, NULL, out);
    memset(dp_buf_reserve(out, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_batch_release(&b);
    dp_shred_close(s);
}

static void twice(struct dp_scan *scan, const char *p, size_t n, const struct dp_type *schema, bool must_fit) {
    struct dp_buf first = {0}, second = {0};
    shred(scan, p, n, schema, must_fit, &first);
    shred(scan, first.p, first.n, schema, true, &second);
    if (first.n != second.n || (first.n && memcmp(first.p, second.p, first.n) != 0)) abort();
    dp_buf_release(&first), dp_buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *p = calloc(1, size + DP_SCAN_PAD);
    if (!p) return 0;
    if (size) memcpy(p, data, size);
    struct dp_scan *scan = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    struct dp_infer *in = dp_infer_open();
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    enum dp_status st;
    dp_scan_begin(scan, p, size);
    while ((st = dp_scan_next(scan, &r, &err)) != DP_END)
        if (st == DP_OK) dp_infer_record(in, &r);
    struct dp_type *schema = dp_infer_schema(in);
    twice(scan, p, size, schema, dp_infer_left_out(in) == 0);
    dp_type_free(schema);
    dp_infer_close(in);
    const char *line = memchr(p, '\n', size);
    schema = NULL;
    if (line && dp_type_parse(dp_str(p, (size_t)(line - p)), &schema, NULL) == DP_OK) {
        if (schema->id == DP_TYPE_STRUCT) twice(scan, line + 1, size - (size_t)(line + 1 - p), schema, false);
        dp_type_free(schema);
    }
    dp_scan_close(scan);
    free(p);
    return 0;
}
