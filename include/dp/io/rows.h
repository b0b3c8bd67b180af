/*
 * How many rows of a typed source go on their way at once: as many as fit what --memory leaves beside the source's own pages.
 */
#ifndef DP_IO_ROWS_H
#define DP_IO_ROWS_H

#include <dp/io/run.h>
#include <dp/record/batch.h>

/* Zero value: no row was seen yet. */
struct dp_rows { size_t row_bytes; };

/* Rows for the next batch of a run whose jobs each hold it and what is made of it `copies` times; few for the first, which tells how large they are. */
int64_t dp_rows_next(const struct dp_rows *r, const struct dp_run *run, unsigned copies);
/* A batch that was read. */
void dp_rows_see(struct dp_rows *r, const struct dp_batch *b);

#endif
