/* A place on a Z-curve for each row, for who orders rows along it: compaction (compact_rewrite.c), files as rows come (lay_cluster.c). */
#ifndef DP_IO_CURVE_PRIV_H
#define DP_IO_CURVE_PRIV_H

#include <dp/record/batch.h>

struct curve;
/* columns: top-level ones of the schema, which is borrowed until close; DP_USAGE, DP_UNSUPPORTED: one that has no order. */
enum dp_status curve_open(const struct dp_type *schema, const char *const *columns, size_t n, struct curve **out, struct dp_err *err) DP_MUST_CHECK;
void curve_close(struct curve *c); /* NULL is legal */
size_t curve_columns(const struct curve *c, const size_t **columns); /* their numbers in the schema */
/* Forgets what was learned; then values of column number k of the curve, in any order; then the bounds of its ranges are settled. */
void curve_forget(struct curve *c);
void curve_learn(struct curve *c, size_t k, const struct dp_column *values);
void curve_settle(struct curve *c);
/* Appends the place of each row to `out` (int64).  Any thread. */
void curve_places(const struct curve *c, const struct dp_batch *rows, struct dp_column *out);

#define ORDER_COLUMN "\001order" /* of rows on their way, no name that a table can have */

#endif
