/*
 * Parquet files and tables whose schemas differ, read as one set: its schema is the union of theirs by name, in order of first appearance, each column of the
 * narrowest type that holds all of its files' (dp/record/cast.h), null where a file lacks it.  Names that differ in case are two columns.
 * All footers are read before the first row, one at a time.
 */
#ifndef DP_IO_EVOLVE_H
#define DP_IO_EVOLVE_H

#include <dp/io/run.h>
#include <dp/record/batch.h>

/* Is this name a Parquet file or a Delta table?  Looks at it, says nothing of what can't be opened. */
bool dp_typed_is(const char *name);

/*
 * Joins the schemas of the sources among names to *schema (NULL: none so far), which the caller releases with dp_type_free; names that are neither Parquet nor table
 * are passed over, and so are those that can't be read where the caller will meet them again (readable_only).  as_of: of tables, NULL: latest.  DP_SCHEMA: two have types of a column that no type holds; both, the column's path and both types are named.
 */
enum dp_status dp_evolve_schema(const struct dp_run *run, const char *const *names, size_t n, const char *as_of, bool readable_only,
                                struct dp_type **schema, struct dp_err *err) DP_MUST_CHECK;
/* A copy of the schema, or of its columns that are wanted, in their order (columns NULL: all); one that it has not is DP_SCHEMA.  Of extra those that there are. */
enum dp_status dp_evolve_choose(const struct dp_type *schema, const char *const *columns, size_t n, const char *const *extra, size_t n_extra, struct dp_type **out,
                                struct dp_err *err) DP_MUST_CHECK;
/* Is every column of the source in the set, of a type that the set's holds? */
bool dp_evolve_covers(const struct dp_type *schema, const struct dp_type *source);

/* One source's columns as a set's. */
struct dp_evolve {
    const struct dp_type *schema; /* what comes out; borrowed */
    const char **names;           /* columns to read of the source, in this order */
    size_t n_names;
    int *at;                      /* for each column that comes out: which of them, -1: null */
    bool plain;                   /* the source's batches are those that come out */
    bool whole;                   /* and names are all of its columns, in its order */
    struct dp_batch raw;          /* as read; belongs to the source's reader, so it goes before it */
};

/* schema: what is to come out; source: the source's; both are borrowed until release. */
void dp_evolve_open(struct dp_evolve *e, const struct dp_type *schema, const struct dp_type *source);
void dp_evolve_release(struct dp_evolve *e); /* the zero value is legal */
/* Readies e->raw for the reader's schema and says which batch it fills: b itself where e is plain. */
struct dp_batch *dp_evolve_target(struct dp_evolve *e, const struct dp_type *reader, struct dp_batch *b);
/* What was read, into b of e->schema, by then in b already where e is plain. */
enum dp_status dp_evolve_batch(struct dp_evolve *e, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;
/* Do bounds of all of the source's columns hold for the set's? */
bool dp_evolve_keeps_bounds(const struct dp_type *schema, const struct dp_type *source);
/*
 * The source's column whose bounds hold for what stands at a path in records of the set (dp_pq_column_of); one of DP_TYPE_NONE where the source has none;
 * NULL: none to go by.
 */
const struct dp_type *dp_evolve_bounded(const struct dp_type *schema, const struct dp_type *source, const struct dp_str *path, size_t n);

#endif
