/*
 * Parquet files made by hand, for what writers do wrong or no writer does any more: elements, then for each leaf a chunk and its pages,
 * byte for byte, in one row group.  Used by tests and fuzz targets.
 */
#ifndef DP_TESTS_PQFILE_H
#define DP_TESTS_PQFILE_H

#include "../../lib/parquet/meta_priv.h"
#include <string.h>

#define PQFILE_MAX 24

struct pqfile {
    struct dp_buf bytes;
    struct dp_pq_meta meta;
    struct dp_pq_element elements[PQFILE_MAX];
    struct dp_pq_chunk chunks[PQFILE_MAX];
    struct dp_pq_row_group group;
    size_t n_chunks;
};

static inline struct dp_pq_element *pqfile_element(struct pqfile *f, const char *name, enum dp_pq_repetition repetition) {
    struct dp_pq_element *e = &f->elements[f->meta.n_elements++];
    *e = (struct dp_pq_element){.name = dp_str_z(name), .repetition = repetition, .converted = -1, .field_id = -1, .leaf = -1};
    return e;
}

static inline struct dp_pq_element *pqfile_group(struct pqfile *f, const char *name, enum dp_pq_repetition repetition, int32_t children, int32_t logical) {
    struct dp_pq_element *e = pqfile_element(f, name, repetition);
    e->is_group = true, e->n_children = children, e->logical = logical;
    return e;
}

static inline struct dp_pq_element *pqfile_leaf(struct pqfile *f, const char *name, enum dp_pq_repetition repetition, enum dp_pq_type type, int32_t logical) {
    struct dp_pq_element *e = pqfile_element(f, name, repetition);
    e->type = type, e->logical = logical;
    return e;
}

static inline void pqfile_begin(struct pqfile *f, int32_t columns) {
    memset(f, 0, sizeof *f);
    dp_buf_addz(&f->bytes, "PAR1");
    pqfile_group(f, "root", DP_PQ_REQUIRED, columns, 0);
}

/* The chunk of the next leaf begins here. */
static inline struct dp_pq_chunk *pqfile_chunk(struct pqfile *f, enum dp_pq_type type, enum dp_pq_codec codec, int64_t values) {
    struct dp_pq_chunk *c = &f->chunks[f->n_chunks++];
    *c = (struct dp_pq_chunk){.type = type, .codec = codec, .num_values = values, .data_page_offset = (int64_t)f->bytes.n, .dictionary_page_offset = -1,
        .bloom_offset = -1, .bloom_length = -1, .column_index_offset = -1, .offset_index_offset = -1, .unencoded_bytes = -1, .encodings = 1,
        .stats = {.null_count = -1, .distinct_count = -1, .nan_count = -1, .min_exact = -1, .max_exact = -1}};
    return c;
}

/* A page of the chunk; sizes that are 0 in the header become the body's. */
static inline void pqfile_page(struct pqfile *f, struct dp_pq_page_header h, const void *body, size_t n) {
    struct dp_pq_chunk *c = &f->chunks[f->n_chunks - 1];
    size_t at = f->bytes.n;
    if (!h.compressed_size) h.compressed_size = (int32_t)n;
    if (!h.uncompressed_size) h.uncompressed_size = (int32_t)n;
    dp_pq_page_header_write(&h, &f->bytes);
    dp_buf_add(&f->bytes, body, n);
    c->total_compressed += (int64_t)(f->bytes.n - at);
    c->total_uncompressed += (int64_t)(f->bytes.n - at);
}

static inline struct dp_pq_page_header pqfile_v1(int32_t values, enum dp_pq_encoding encoding) {
    return (struct dp_pq_page_header){.type = DP_PQ_DATA_PAGE, .num_values = values, .encoding = (int32_t)encoding, .def_encoding = DP_PQ_RLE, .rep_encoding = DP_PQ_RLE};
}

/* Footer and end; false: the elements make no schema. */
static inline bool pqfile_end(struct pqfile *f, int64_t rows) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf footer = {0};
    struct dp_pq_meta *m = &f->meta;
    m->elements = f->elements;
    if (dp_pq_derive(m, &err) != DP_OK) return false;
    m->version = 1, m->num_rows = rows;
    f->group = (struct dp_pq_row_group){.chunks = f->chunks, .n_chunks = f->n_chunks, .num_rows = rows, .total_compressed = -1};
    m->row_groups = &f->group, m->n_row_groups = 1;
    m->column_orders = dp_arena_calloc(&m->arena, m->n_leaves + 1, 1);
    dp_pq_meta_write(m, &footer);
    dp_buf_adds(&f->bytes, dp_buf_str(&footer));
    uint32_t n = (uint32_t)footer.n;
    dp_buf_add(&f->bytes, &n, 4);
    dp_buf_addz(&f->bytes, "PAR1");
    dp_buf_release(&footer);
    return true;
}

static inline void pqfile_release(struct pqfile *f) {
    dp_buf_release(&f->bytes);
    dp_arena_release(&f->meta.arena);
}

#endif
