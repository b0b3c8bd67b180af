/*
 * Fuzz target: bytes as a Parquet file whose pages are decompressed and whose bloom filters are asked.  Anything but a crash, a hang or a leak is right.
 */
#include <dp/parquet/pages.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Reads every byte of the page, and gives up where a small file says that it has very many. */
static enum dp_status on_page(void *ctx, const struct dp_pq_page_bytes *page, struct dp_err *err) {
    uint64_t *seen = ctx;
    for (size_t i = 0; i < page->bytes.n; i++) seen[1] += (unsigned char)page->bytes.p[i];
    seen[0] += page->bytes.n + 64;
    return seen[0] > (8u << 20) ? dp_err_set(err, DP_LIMIT, "enough") : DP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f = NULL;
    uint64_t seen[2] = {0};
    if (dp_pq_open_memory(p, n, "fuzz", &f, &err) != DP_OK) return 0;
    dp_pq_bound(f, 4u << 20);
    if (dp_pq_each_page(f, on_page, seen, &err) == DP_END) abort(); /* it has no end to tell of */
    const struct dp_pq_meta *m = dp_pq_meta(f);
    for (size_t g = 0; g < m->n_row_groups && g < 8; g++)
        for (size_t l = 0; l < m->n_leaves && l < m->row_groups[g].n_chunks && l < 64; l++) {
            (void)dp_pq_bloom_ask(f, g, l, DP_KIND_NUMBER, DP_STR("42"));
            (void)dp_pq_bloom_ask(f, g, l, DP_KIND_STRING, DP_STR("2020-01-01"));
        }
    dp_pq_close(f);
    return 0;
}
