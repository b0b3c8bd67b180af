/*
 * Rows on their way (dp/io/rows.h).  Beside a reader that may take all of --memory for its pages, batches and what is made of them get an eighth of
 * it more, and half of the 32 MB that may be over it.  No fewer rows than need be: where the pages of all columns do not fit, each batch reads
 * some of them again.
 */
#include <dp/io/rows.h>

enum { LEAST = 64, MOST = 8192, SLACK = 16 << 20, CELL_BYTES = 24 /* of a value: its spelling, and what stands between */ };

int64_t dp_rows_next(const struct dp_rows *r, const struct dp_run *run, unsigned copies) {
    uint64_t jobs = run->threads > 1 ? 2 * (uint64_t)run->threads + 1 : 1;
    if (!r->row_bytes) return LEAST;
    uint64_t rows = (run->memory / 8 + SLACK) / jobs / copies / r->row_bytes;
    return rows < LEAST ? LEAST : rows < MOST ? (int64_t)rows : MOST;
}

void dp_rows_see(struct dp_rows *r, const struct dp_batch *b) {
    size_t bytes = dp_batch_bytes(b) / (b->length ? (size_t)b->length : 1);
    for (size_t i = 0; i < b->n_columns; i++) bytes += (CELL_BYTES + b->schema->children[i]->name_n) / 2;
    if (bytes > r->row_bytes) r->row_bytes = bytes;
}
