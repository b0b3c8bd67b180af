/*
 * A file as a whole in memory: the columns of all row groups are pieces of work, which the threads of a pool take in turn, each with a reader
 * and memory of its own.  Does not stream: for files that do not fit, dp_pq_reader_next.
 */
#include "reader_priv.h"

#include <dp/base/pool.h>
#include <stdatomic.h>
#include <stdlib.h>

struct hand {
    struct dp_pq_reader *reader;
    struct pq_region region;
};

struct dp_pq_table_memory {
    struct hand *hands; /* of each thread */
    unsigned n_hands;
    struct dp_pq_reader *first; /* has the schema */
};

struct job {
    struct dp_pq_table *table;
    _Atomic uint64_t bytes; /* of the columns that are there */
    const struct dp_pq_file *file;
    const char *const *columns;
    size_t n_columns;
};

static enum dp_status read_piece(void *ctx, unsigned worker, size_t i, struct dp_err *err) {
    struct job *j = ctx;
    struct hand *h = &j->table->memory->hands[worker];
    size_t n = j->table->schema->n_children, group = i / n, column = i % n;
    struct dp_column *c = &j->table->batches[group].columns[column];
    if (!h->reader) {
        DP_TRY(dp_pq_reader_open(j->file, j->columns, j->n_columns, &h->reader, err));
        h->reader->region = &h->region;
    }
    if (j->table->batches[group].length == 0) return DP_OK;
    enum dp_status status = pq_read_column(h->reader, group, column, c, err);
    pq_column_settle(c, &h->region);
    uint64_t bytes = dp_column_bytes(c), all = atomic_fetch_add(&j->bytes, bytes) + bytes;
    if (status == DP_OK && j->file->bound && all > j->file->bound) return dp_err_set(err, DP_LIMIT, "the table takes more than the memory allowed");
    return status;
}

enum dp_status dp_pq_table_read(const struct dp_pq_file *f, const char *const *columns, size_t n_columns, struct dp_pool *pool, struct dp_pq_table *out,
                                struct dp_err *err) {
    enum dp_status status = DP_OK;
    struct job j = {.table = out, .file = f, .columns = columns, .n_columns = n_columns};
    struct dp_pq_table_memory *m = dp_calloc(1, sizeof *m);
    *out = (struct dp_pq_table){.memory = m};
    m->n_hands = dp_pool_threads(pool);
    m->hands = dp_calloc(m->n_hands, sizeof *m->hands);
    DP_TRY_OUT(dp_pq_reader_open(f, columns, n_columns, &m->first, err));
    out->schema = dp_pq_reader_schema(m->first);
    out->n_batches = f->meta.n_row_groups;
    out->batches = dp_calloc(out->n_batches + 1, sizeof *out->batches);
    for (size_t i = 0; i < out->n_batches; i++) {
        dp_batch_init(&out->batches[i], out->schema);
        out->rows += out->batches[i].length = f->meta.row_groups[i].num_rows;
    }
    DP_TRY_OUT(dp_pool_for(pool, out->n_batches * out->schema->n_children, read_piece, &j, err));
out:
    for (unsigned i = 0; i < m->n_hands; i++) { /* pages and windows are not needed any more */
        dp_pq_reader_close(m->hands[i].reader);
        m->hands[i].reader = NULL;
    }
    if (status != DP_OK) dp_pq_table_release(out);
    return status;
}

void dp_pq_table_release(struct dp_pq_table *t) {
    struct dp_pq_table_memory *m = t->memory;
    if (!m) return;
    for (size_t i = 0; i < t->n_batches; i++) dp_batch_release(&t->batches[i]);
    free(t->batches);
    for (unsigned i = 0; i < m->n_hands; i++) pq_region_release(&m->hands[i].region);
    free(m->hands);
    dp_pq_reader_close(m->first);
    free(m);
    *t = (struct dp_pq_table){0};
}
