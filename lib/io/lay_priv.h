/* What the files of the partition writer share: partitions, spilled runs, sorting. */
#ifndef DP_IO_LAY_PRIV_H
#define DP_IO_LAY_PRIV_H

#include <dp/base/file.h>
#include <dp/io/lay.h>
#include <dp/parquet/writer.h>

/* A block of rows in the spill file. */
struct dp_lay_extent { uint64_t offset; size_t n; int64_t rows; };
/* Blocks that were written at once; with --sort each run is sorted. */
struct dp_lay_run { size_t first, n; };

struct dp_lay_spill { int fd; bool is_open; uint64_t size; struct dp_buf buf; };
enum dp_status dp_lay_spill_write(struct dp_lay_spill *s, const struct dp_batch *b, int64_t from, int64_t n, struct dp_lay_extent *out, struct dp_err *err) DP_MUST_CHECK;
/* b is released and filled anew. */
enum dp_status dp_lay_spill_read(struct dp_lay_spill *s, const struct dp_lay_extent *x, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;
void dp_lay_spill_close(struct dp_lay_spill *s);

struct dp_lay_sort_key { size_t column; bool descending; };
struct dp_lay_sort { struct dp_lay_sort_key *keys; size_t n; };
/* "a,-b" against a schema; DP_USAGE names what is wrong. */
enum dp_status dp_lay_sort_parse(struct dp_lay_sort *s, const char *text, const struct dp_type *schema, struct dp_err *err) DP_MUST_CHECK;
int dp_lay_sort_cmp(const struct dp_lay_sort *s, const struct dp_batch *a, int64_t i, const struct dp_batch *b, int64_t j);
/* The order of a batch's rows, stable; caller frees. */
uint32_t *dp_lay_sort_order(const struct dp_lay_sort *s, const struct dp_batch *b);
/* Rows in order into a fresh batch that replaces it. */
void dp_lay_sort_batch(const struct dp_lay_sort *s, struct dp_batch *b);

#endif
