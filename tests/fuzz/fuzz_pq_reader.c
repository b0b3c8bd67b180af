/* Fuzz target: bytes as a Parquet file, every row group read and printed.  Anything but a crash, a hang or a leak is right. */
#include <dp/parquet/reader.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static enum dp_status read_all(const struct dp_pq_file *f, struct dp_pq_reader *r, struct dp_batch *b, struct dp_err *err) {
    struct dp_buf out = {0}, min = {0}, max = {0};
    const struct dp_pq_meta *m = dp_pq_meta(f);
    enum dp_status status = DP_OK;
    for (size_t g = 0; g < m->n_row_groups && g < 16; g++) {
        int64_t nulls;
        for (size_t i = 0; i < m->n_leaves; i++) (void)dp_pq_bounds(m, g, i, &min, &max, &nulls);
        status = dp_pq_reader_seek(r, g, err);
        /* Files may claim more rows than anybody wants to wait for. */
        for (int batches = 0; status == DP_OK && batches < 8; batches++) {
            status = dp_pq_reader_next(r, 100 + batches * 1000, b, err);
            dp_buf_reset(&out);
            if (status == DP_OK) dp_batch_print(b, 0, b->length, &(struct dp_print_opts){0}, &out);
        }
        if (status != DP_OK && status != DP_END) break;
    }
    dp_buf_release(&out);
    dp_buf_release(&min);
    dp_buf_release(&max);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f = NULL;
    struct dp_pq_reader *r = NULL;
    if (dp_pq_open_memory(p, n, "fuzz", &f, &err) != DP_OK) return 0;
    if (dp_pq_reader_open(f, NULL, 0, &r, &err) == DP_OK) {
        struct dp_batch b;
        dp_batch_init(&b, dp_pq_reader_schema(r));
        (void)!read_all(f, r, &b, &err);
        dp_batch_release(&b);
    }
    dp_pq_reader_close(r);
    dp_pq_close(f);
    return 0;
}
