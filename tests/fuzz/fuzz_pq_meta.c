/* Parquet footers from hostile bytes, with their schema; written and read again. */
#include <dp/parquet/meta.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Encrypted columns are only told, never written. */
static bool is_encrypted(const struct dp_pq_meta *m) {
    for (size_t g = 0; g < m->n_row_groups; g++)
        for (size_t i = 0; i < m->row_groups[g].n_chunks; i++)
            if (m->row_groups[g].chunks[i].encrypted) return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct dp_pq_meta m;
    struct dp_err err = DP_ERR_INIT;
    struct dp_arena a = {0};
    struct dp_type *schema = NULL;
    struct dp_pq_node *root;
    if (dp_pq_meta_parse(p, n, n * 64 + 4096, &m, &err) == DP_OK) {
        struct dp_buf b = {0};
        struct dp_pq_meta again;
        if (dp_pq_map(&m, &a, &schema, &root, &err) == DP_OK) dp_pq_unmap(root), dp_type_free(schema);
        if (!is_encrypted(&m)) {
            dp_pq_meta_write(&m, &b);
            if (dp_pq_meta_parse(b.p, b.n, n * 64 + 4096, &again, &err) != DP_OK) abort();
            dp_pq_meta_release(&again);
        }
        dp_buf_release(&b);
    }
    dp_pq_meta_release(&m);
    dp_arena_release(&a);
    return 0;
}
