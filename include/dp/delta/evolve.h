/*
 * A table's schema that grows with the files that are committed, or with the rows that are written for it (digest sections 9, 11).
 *
 *     dp_delta_evolve_open(snapshot, how)
 *     dp_delta_evolve_with(e, columns of a file)    again and again
 *     dp_delta_evolve_snapshot(e)                   the table as it will be: schema, metaData, protocol; the rest is the snapshot's
 *
 * ADD: columns and fields of structs that the table lacks are added behind the others, nullable; mapped ones get an id and a physical name.
 * WIDEN: the same, and types become those that Delta lets them widen to, where the table allows it (delta.enableTypeWidening); each change is recorded.
 * Nothing is dropped, renamed or narrowed.  Field metadata of others stays byte-true.
 */
#ifndef DP_DELTA_EVOLVE_H
#define DP_DELTA_EVOLVE_H

#include <dp/delta/snapshot.h>

enum dp_delta_evolve { DP_EVOLVE_NO, DP_EVOLVE_ADD, DP_EVOLVE_WIDEN };

/* Key-value metadata of a file whose columns are mapped and go beyond the table's: the table's schema with them, as schemaString has it. */
#define DP_DELTA_KV_EVOLVED "dp.evolved"

struct dp_delta_evolved;

/* The base is borrowed until close. */
struct dp_delta_evolved *dp_delta_evolve_open(const struct dp_delta_snapshot *base, enum dp_delta_evolve how);
void dp_delta_evolve_close(struct dp_delta_evolved *e); /* NULL is legal */
/*
 * Columns by the table's names, of types from dp_delta_schema_fit (or of another table's schema).  A new column of a mapped table keeps the id and the physical name that
 * it comes with, else it gets new ones.  *changed (may be NULL): the schema has grown by it.  DP_SCHEMA with the column and both types: no
 * evolution leads there, or none that was asked for; DP_UNSUPPORTED: the table's features forbid it.
 */
enum dp_status dp_delta_evolve_with(struct dp_delta_evolved *e, const struct dp_type *columns, bool *changed, struct dp_err *err) DP_MUST_CHECK;
/* The base itself as long as nothing has changed, else its like with the new schema; borrowed until the next with, or close.  Not to be closed. */
const struct dp_delta_snapshot *dp_delta_evolve_snapshot(const struct dp_delta_evolved *e);
/* What a commit has to carry; NULL: unchanged.  Borrowed likewise. */
const struct dp_delta_metadata *dp_delta_evolve_metadata(const struct dp_delta_evolved *e);
const struct dp_delta_protocol *dp_delta_evolve_protocol(const struct dp_delta_evolved *e);
/* "added note (string), widened qty (integer to long)", behind out's content. */
void dp_delta_evolve_print(const struct dp_delta_evolved *e, struct dp_buf *out);

/* May values of the type `from` be read as `to` in a table whose types are widened?  Leaves only; equal types are none. */
bool dp_delta_widens(const struct dp_type *to, const struct dp_type *from);

#endif
