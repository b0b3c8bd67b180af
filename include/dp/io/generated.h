/*
 * Columns that a table generates from others, made for rows that are written into it, and those with a default, which records have to give.
 */
#ifndef DP_IO_GENERATED_H
#define DP_IO_GENERATED_H

#include <dp/delta/snapshot.h>
#include <dp/record/batch.h>

struct dp_generated; /* immutable, shared by threads */

/* For rows of this schema, borrowed until close.  *out is NULL where the table generates none of its columns and has no defaults.  DP_UNSUPPORTED by name. */
enum dp_status dp_generated_open(const struct dp_delta_snapshot *table, const struct dp_type *rows, struct dp_generated **out, struct dp_err *err) DP_MUST_CHECK;
void dp_generated_close(struct dp_generated *g); /* NULL is legal */
/* Does it make this column of the rows? */
bool dp_generated_makes(const struct dp_generated *g, struct dp_str column);
/* The columns that it makes are nullable until they are made. */
void dp_generated_relax(const struct dp_delta_snapshot *table, struct dp_type *rows);
/* A column with a default that the record does not have; NULL: none. */
const char *dp_generated_missing(const struct dp_generated *g, const struct dp_record *r);
/* The columns that it makes of one of these and that are none of them (numbers in the rows' schema); out has room for all columns.  How many. */
size_t dp_generated_follow(const struct dp_generated *g, const size_t *changed, size_t n, size_t *out);
/* Makes all values of such a column anew. */
enum dp_status dp_generated_remake(const struct dp_generated *g, size_t column, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;
/* Makes the values that are null; those that rows came with stay, and commit checks them. */
enum dp_status dp_generated_fill(const struct dp_generated *g, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;

#endif
