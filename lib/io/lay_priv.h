/* What the files of the partition writer share: partitions, the store of waiting rows, sorting. */
#ifndef DP_IO_LAY_PRIV_H
#define DP_IO_LAY_PRIV_H

#include <dp/base/file.h>
#include <dp/io/lay.h>
#include <dp/parquet/writer.h>

/* ---- lay_store.c: rows that wait ---- */

/* Rows of one partition that were put at once, as n bytes of a block. */
struct dp_lay_extent { size_t n; uint32_t block, offset, rows, level; };

/*
 * Extents stand behind each other in blocks.  Blocks are in memory until they take more than `memory` together; then the oldest goes to an
 * unlinked file.  A block whose extents are all dropped is used again, so neither memory nor the file grows with what has passed through.
 */
struct dp_lay_block { char *mem; uint64_t place, room; size_t cap, n; uint32_t live, next_free; };
struct dp_lay_store {
    size_t memory, held;
    struct dp_lay_block *blocks;
    size_t n_blocks, cap;
    uint32_t free, current, oldest; /* block numbers + 1, 0: none */
    int fd;
    bool is_open;
    uint64_t size, spilled;         /* of the file; bytes ever written to it */
    struct dp_buf buf, read;
};
/* All rows of b, which must begin at its first; at most 4 GiB of rows' numbers. */
enum dp_status dp_lay_store_put(struct dp_lay_store *s, const struct dp_batch *b, struct dp_lay_extent *out, struct dp_err *err) DP_MUST_CHECK;
/* Makes b, an initialised batch, a view of the rows.  copy NULL: borrowed until the next put, view or drop; else they are copied there. */
enum dp_status dp_lay_store_view(struct dp_lay_store *s, const struct dp_lay_extent *x, struct dp_batch *b, struct dp_buf *copy, struct dp_err *err) DP_MUST_CHECK;
void dp_lay_store_drop(struct dp_lay_store *s, const struct dp_lay_extent *x);
void dp_lay_store_close(struct dp_lay_store *s);

/* ---- lay_writer.c ---- */

/*
 * The Parquet writer's options but for row groups' owner, sorting and metadata.  names: the files' columns as records name them.  *columns is
 * what the options point to: the caller frees it.
 */
enum dp_status dp_lay_writer_opts(const struct dp_lay_opts *o, const struct dp_type *names, struct dp_pq_writer_opts *w, struct dp_pq_column_opts **columns,
                                  struct dp_err *err) DP_MUST_CHECK;

/* ---- lay_sort.c ---- */

struct dp_lay_sort_key { size_t column; bool descending; };
struct dp_lay_sort {
    struct dp_lay_sort_key *keys;
    size_t n;
    bool is_head; /* the first key's head decides alone */
};
/* "a,-b" against a schema; DP_USAGE names what is wrong. */
enum dp_status dp_lay_sort_parse(struct dp_lay_sort *s, const char *text, const struct dp_type *schema, struct dp_err *err) DP_MUST_CHECK;
int dp_lay_sort_cmp(const struct dp_lay_sort *s, const struct dp_batch *a, int64_t i, const struct dp_batch *b, int64_t j);
/*
 * A value as a number: where the numbers of two values differ, they order as the values do.  Of bytes the first eight.  Not for nulls, nested types and those without
 * values.
 */
uint64_t dp_lay_head(const struct dp_column *c, int64_t row);
uint64_t dp_lay_head_of_bytes(struct dp_str s);
struct dp_str dp_lay_bytes_of(const struct dp_column *c, int64_t row); /* variable or fixed */
/* The same of a row's first key, nulls and direction included. */
uint64_t dp_lay_sort_head(const struct dp_lay_sort *s, const struct dp_batch *b, int64_t row);
#define DP_LAY_SORT_BYTES 40 /* of memory that sorting takes for each row */
/* Brings row numbers of a batch into order, stable; spare has room for n. */
void dp_lay_sort_rows(const struct dp_lay_sort *s, const struct dp_batch *b, uint32_t *rows, uint32_t *spare, size_t n);

#endif
