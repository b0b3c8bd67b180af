/*
 * The subset of SQL that constraints, invariants and generated columns of tables are evaluated in (digest section 4).
 *
 *   comparisons = == <> != < <= > >= <=>, AND, OR, NOT, !, IS [NOT] NULL | TRUE | FALSE | DISTINCT FROM, [NOT] IN (...), [NOT] BETWEEN, [NOT] LIKE [ESCAPE],
 *   + - * / % of numbers, || of strings, literals (numbers, strings, TRUE, FALSE, NULL, DATE '..', TIMESTAMP '..Z', TIMESTAMP_NTZ '..'),
 *   columns and fields of structs (a.b, `a b`.c; exact names first, else ignoring case), CASE WHEN, CAST(x AS type),
 *   abs coalesce nvl ifnull nullif if isnull isnotnull isnan length char_length upper lower ucase lcase trim ltrim rtrim substring substr concat
 *   startswith endswith contains year month day dayofmonth hour minute second to_date date date_trunc date_format
 *
 * Logic has three values.  Numbers compare exactly, against a float or double as doubles (NaN equals itself and is greatest).  What overflows, and a division by
 * zero, is null.  Instants are taken in UTC.  Whatever else there is in a text is DP_UNSUPPORTED, by its word and column.
 */
#ifndef DP_DELTA_SQL_H
#define DP_DELTA_SQL_H

#include <dp/record/batch.h>

struct dp_sql;     /* immutable, shared by threads */
struct dp_sql_run; /* one per thread */

/* Bound to the schema of the batches, which is borrowed until free. */
enum dp_status dp_sql_compile(struct dp_str text, const struct dp_type *schema, struct dp_sql **out, struct dp_err *err) DP_MUST_CHECK;
void dp_sql_free(struct dp_sql *s); /* NULL is legal */
bool dp_sql_is_boolean(const struct dp_sql *s);
/* Does it read this column of the schema? */
bool dp_sql_reads(const struct dp_sql *s, size_t column);
/* May its value be one of the column's? */
bool dp_sql_fits(const struct dp_sql *s, const struct dp_type *column);
/*
 * A filter in jq's grammar (dp/record/expr.h) that is true of no row for which this is not true, behind out's content; false: there is none to be had.
 * With it statistics can prove that all rows of a file satisfy the text.
 */
bool dp_sql_filter(const struct dp_sql *s, struct dp_buf *out);

struct dp_sql_run *dp_sql_run_open(const struct dp_sql *s);
void dp_sql_run_close(struct dp_sql_run *r); /* NULL is legal */

enum dp_sql_truth { DP_SQL_FALSE, DP_SQL_TRUE, DP_SQL_NULL };
/* DP_UNSUPPORTED: a value that the function can't be evaluated on (upper of text beyond ASCII). */
enum dp_status dp_sql_test(struct dp_sql_run *r, const struct dp_batch *b, int64_t row, enum dp_sql_truth *out, struct dp_err *err) DP_MUST_CHECK;
/* Is the row's value of a column (of a type that fits) equal to this, null to null? */
enum dp_status dp_sql_same(struct dp_sql_run *r, const struct dp_batch *b, int64_t row, const struct dp_column *column, bool *out, struct dp_err *err) DP_MUST_CHECK;
/* Appends its value to a column of a type that fits; one that the type can't hold is null. */
enum dp_status dp_sql_append(struct dp_sql_run *r, const struct dp_batch *b, int64_t row, struct dp_column *out, struct dp_err *err) DP_MUST_CHECK;

#endif
