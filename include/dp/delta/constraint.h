/*
 * What a table demands of new rows (digest section 4): its constraints (delta.constraints.NAME), invariants of columns, generated columns, lengths of char and varchar
 * columns, and required fields inside of others.  SQL is evaluated as far as dp/delta/sql.h goes; a table that demands more is refused by name, before
 * anything is written.
 *
 *     dp_delta_checks_open(snapshot, NULL, &checks)        NULL: nothing to check
 *     dp_delta_checker_open(checks)                        one per thread
 *     dp_delta_checker_batch(checker, batch, ...)          DP_RULE: the first row that breaks one, by name
 *
 * or, of files that are to be committed, dp_delta_landing_check.  Who has checked its new rows says so: dp_delta_intent.checks, dp_delta_change.checked; else
 * such a table is refused.
 */
#ifndef DP_DELTA_CONSTRAINT_H
#define DP_DELTA_CONSTRAINT_H

#include <dp/base/pool.h>
#include <dp/delta/land.h>
#include <dp/record/batch.h>

struct dp_delta_checks;  /* immutable, shared by threads */
struct dp_delta_checker;

/*
 * Of rows with this schema (names as the table has them; borrowed until close), NULL: the table's own.  *out is NULL where the table demands nothing.  DP_UNSUPPORTED with the
 * name of what can't be evaluated; DP_FORMAT: a table property that can't be read.
 */
enum dp_status dp_delta_checks_open(const struct dp_delta_snapshot *s, const struct dp_type *rows, struct dp_delta_checks **out, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_checks_close(struct dp_delta_checks *c); /* NULL is legal */
/* The same of a table that is known by its metaData alone, to learn whether rows can be checked at all. */
enum dp_status dp_delta_checks_supported(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, const struct dp_type *schema, struct dp_err *err) DP_MUST_CHECK;
/* Does any of them look at this column of the schema? */
bool dp_delta_checks_read(const struct dp_delta_checks *c, size_t column);

struct dp_delta_checker *dp_delta_checker_open(const struct dp_delta_checks *c);
void dp_delta_checker_close(struct dp_delta_checker *k); /* NULL is legal */
/* DP_RULE: "row N breaks the constraint NAME: TEXT", N being first_row + its place in the batch. */
enum dp_status dp_delta_checker_batch(struct dp_delta_checker *k, const struct dp_batch *b, int64_t first_row, struct dp_err *err) DP_MUST_CHECK;

/*
 * All files of a landing, before they are placed: only the columns that matter are read, row group by row group, on all threads (pool may be NULL), and no file whose statistics
 * prove everything.  DP_RULE: "FILE: row N ...", the first in the order of the files.  *read (may be NULL): how many files were read.
 */
enum dp_status dp_delta_landing_check(const struct dp_delta_landing *l, struct dp_pool *pool, uint64_t memory, size_t *read, struct dp_err *err) DP_MUST_CHECK;

/* ---- generated columns ---- */

/* The text of a column's generation expression behind out's content; false: it has none, or the protocol does not carry the feature. */
bool dp_delta_generated(const struct dp_delta_protocol *p, const struct dp_type *column, struct dp_buf *out);

#endif
