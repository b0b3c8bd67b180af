/* Page headers and both page indexes from hostile bytes; what is read is written and read again. */
#include <dp/parquet/meta.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_arena a = {0};
    struct dp_buf b = {0};
    struct dp_pq_page_header h, again;
    struct dp_pq_offset_index offsets;
    struct dp_pq_column_index index;
    size_t used;
    if (dp_pq_page_header_parse(p, n, &h, &used, &err) == DP_OK) {
        if (used > n || h.compressed_size < 0 || h.uncompressed_size < 0) abort();
        dp_pq_page_header_write(&h, &b);
        if (dp_pq_page_header_parse(b.p, b.n, &again, &used, &err) != DP_OK || again.type != h.type || again.num_values != h.num_values) abort();
    }
    if (dp_pq_offset_index_parse(p, n, &a, &offsets, &err) != DP_OK && err.msg[0] == 0) abort();
    if (dp_pq_column_index_parse(p, n, &a, &index, &err) != DP_OK && err.msg[0] == 0) abort();
    dp_arena_release(&a);
    dp_buf_release(&b);
    return 0;
}
