/*
 * What a program of expressions does to a stream's header: names and types of its fields, and for each field where it comes from.
 * Form of the begin mark's `schema` and `fields`: dp-records(5).
 */
#ifndef DP_RECORD_LINEAGE_H
#define DP_RECORD_LINEAGE_H

#include <dp/record/expr.h>
#include <dp/record/mark.h>

/*
 * Amends the begin mark of the records that go into `e` to that of the records that come out.  Where their names can't be told, the schema
 * goes and `fields` stays as it was (what is classified stays so, whatever its name); it stays too where it would outgrow a mark.
 */
void dp_lineage_map(const struct dp_expr *e, const char *program, struct dp_mark *begin);
/* The same for a condition that records must meet (--where): all fields depend on what it reads. */
void dp_lineage_where(const struct dp_expr *e, struct dp_mark *begin);

#endif
