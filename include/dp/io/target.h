/*
 * What the table that is written, the contract and the stream's header say of the same rows: whether they agree on types, and which partition
 * columns are made from others.
 */
#ifndef DP_IO_TARGET_H
#define DP_IO_TARGET_H

#include <dp/delta/snapshot.h>
#include <dp/io/run.h>
#include <dp/rules/layout.h>

/* Two sayers ("table", "contract", "stream's header") in conflict over a column: sets and returns DP_SCHEMA. */
enum dp_status dp_target_conflict(const char *column, const char *a, const struct dp_type *ta, const char *b, const struct dp_type *tb, struct dp_err *err);
/* Records typed as the header says must be able to fit what `by` (the table or the contract) has fixed. Columns that only one of them has are no conflict. DP_SCHEMA. */
enum dp_status dp_target_check_header(const struct dp_type *fixed, const char *by, const struct dp_type *header, struct dp_err *err) DP_MUST_CHECK;
/* Rows of the contract's types must be able to go into the table. DP_SCHEMA. */
enum dp_status dp_target_check_contract(const struct dp_type *table, const struct dp_type *contract, struct dp_err *err) DP_MUST_CHECK;
/*
 * Adds the table's partition columns that `layout` (what --by says) does not have: made as the layout that is kept with the table has it, else taken
 * as they stand in the records.  DP_USAGE: --by names a column that does not partition the table; DP_SCHEMA: --by and the kept layout differ.
 */
enum dp_status dp_target_layout(struct dp_run *run, const struct dp_delta_snapshot *table, struct dp_layout *layout, struct dp_err *err) DP_MUST_CHECK;

/*
 * The columns that rows of this schema ask of a table that may evolve: the table's types, those that the rows widen (widen), and what the table lacks.
 * Types are Delta's; caller releases with dp_type_free.  DP_SCHEMA: a type that Delta lacks.
 */
enum dp_status dp_target_wanted(const struct dp_type *table, const struct dp_type *rows, bool widen, struct dp_type **out, struct dp_err *err) DP_MUST_CHECK;

#endif
