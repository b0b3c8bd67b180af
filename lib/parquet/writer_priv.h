/* What the files of the writer share: rows to row groups (writer.c), row groups that are put together (compose.c, copy.c). */
#ifndef DP_PARQUET_WRITER_PRIV_H
#define DP_PARQUET_WRITER_PRIV_H

#include "enc_priv.h"

#include <stdatomic.h>

struct dp_pq_leaf {
    uint32_t *steps;
    struct dp_pq_path path;
    const struct dp_pq_element *element;
    struct dp_pq_leaf_opts opts;
    struct dp_pq_choice choice;
    int64_t weight; /* bytes of the row group at hand */
};

struct dp_pq_index_place { size_t row_group, leaf, at, n; bool is_column_index; };

struct dp_pq_work {
    unsigned lanes;
    bool frugal;
    struct dp_batch rows;
    bool has_rows;              /* the batch is initialised */
    struct dp_pq_scratch *scratch;
    unsigned n_scratch;
    struct dp_pq_encoded *encoded; /* of each leaf */
    size_t n_encoded;
    atomic_uint *unencoded;     /* of each column: leaves that still need its memory */
};

struct dp_pq_writer {
    struct dp_pq_writer_opts o;
    struct dp_pq_work *work;
    struct dp_pool *pool;
    dp_pq_sink sink;
    void *ctx;
    const struct dp_type *schema;
    struct dp_type *mapped;     /* the node tree borrows from it */
    struct dp_arena arena;
    struct dp_batch *rows;      /* of work, but for a moment */
    bool rows_lent;             /* rows are the caller's */
    int64_t row_bytes;          /* of rows that wait */
    bool own_work;
    struct dp_pq_meta meta;
    size_t row_groups_cap;
    struct dp_pq_leaf *leaves;
    size_t n_leaves;
    uint32_t *order;            /* leaves, heaviest first */
    struct dp_buf column_indexes, offset_indexes;
    struct dp_pq_index_place *places;
    size_t n_places, places_cap;
    uint64_t size;
    bool failed, finished;
    struct dp_pq_compose *compose; /* compose.c; NULL: none so far */
};

enum dp_status dp_pq_writer_put(struct dp_pq_writer *w, const void *p, size_t n, struct dp_err *err) DP_MUST_CHECK;
/* The rows that wait become a row group. */
enum dp_status dp_pq_writer_flush(struct dp_pq_writer *w, struct dp_err *err) DP_MUST_CHECK;
/* A row group, in order: its metadata; each leaf's, whose pages begin at `start`; bloom filters (work->encoded), and it counts (keep_memory: for the next one). */
struct dp_pq_row_group *dp_pq_writer_group(struct dp_pq_writer *w, int64_t rows);
void dp_pq_writer_keep(struct dp_pq_writer *w, struct dp_pq_row_group *g, size_t leaf, struct dp_pq_encoded *e, int64_t start);
enum dp_status dp_pq_writer_end_group(struct dp_pq_writer *w, struct dp_pq_row_group *g, bool keep_memory, struct dp_err *err) DP_MUST_CHECK;

/* ---- compose.c ---- */
void dp_pq_compose_free(struct dp_pq_compose *c); /* NULL is legal */

/* ---- copy.c ---- */
const char *dp_pq_writer_cant_copy(const struct dp_pq_writer *w, size_t column, const struct dp_pq_file *f, size_t row_group, size_t from);
/* A chunk to the sink; its metadata, indexes and filter to w->work->encoded[to_leaf], offsets from where the chunk begins. */
enum dp_status dp_pq_chunk_copy(struct dp_pq_writer *w, size_t to_leaf, const struct dp_pq_file *f, size_t row_group, size_t from_leaf, struct dp_buf *window,
                                struct dp_err *err) DP_MUST_CHECK;

#endif
