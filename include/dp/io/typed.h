/*
 * Typed sources: Parquet files and Delta tables as a row of batches, for programs that want columns and not text (dp-cat, and whoever
 * lays data out anew).  Files, row groups and pages that statistics, page indexes and bloom filters exclude are passed over; only the columns
 * asked for are read.  Several are one set (dp/io/evolve.h): all batches have its schema.
 *
 * A table's batches have the table's names and types, its partition columns among them, and not the rows that deletion vectors delete.
 */
#ifndef DP_IO_TYPED_H
#define DP_IO_TYPED_H

#include <dp/io/evolve.h>
#include <dp/record/expr.h>

struct dp_typed_opts {
    const struct dp_type *schema;                 /* of the set that the names belong to, borrowed; NULL: they are the set */
    const char *const *columns; size_t n_columns; /* NULL: all; a name that is nowhere is DP_SCHEMA */
    const char *const *extra; size_t n_extra;     /* further columns where columns is set, behind them, those that are there */
    const struct dp_expr *where;                  /* only for passing over; rows are not tested */
    const char *as_of;                            /* tables; NULL: latest */
};

/* What there was: groups of the files that were opened, pages of the row groups that were read (where the file tells how many); and what was left out. */
struct dp_typed_counts { uint64_t files, files_skipped, groups, groups_skipped, pages, pages_skipped, bytes_skipped; };

struct dp_typed;

/* The files and tables that names stand for (globs and directories expanded), when all of them are Parquet or tables; else *n_out is 0.  Caller frees all. */
enum dp_status dp_typed_expand(const struct dp_run *run, const char *const *names, size_t n, char ***out, size_t *n_out, struct dp_err *err) DP_MUST_CHECK;
/* Names and opts are borrowed until close. */
enum dp_status dp_typed_open(struct dp_run *run, const char *const *names, size_t n, const struct dp_typed_opts *opts, struct dp_typed **out,
                             struct dp_err *err) DP_MUST_CHECK;
const struct dp_type *dp_typed_schema(const struct dp_typed *t); /* of all batches; borrowed until close */
void dp_typed_close(struct dp_typed *t); /* NULL is legal; batches must be released before */
/* Up to max_rows into b, which is zero or came from here; its schema is that of dp_typed_schema. DP_END: no more. */
enum dp_status dp_typed_next(struct dp_typed *t, int64_t max_rows, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;
/*
 * Before the first next and not with opts->where: passes over up to `skip` rows by their counts, *skipped of them (all, but for rows of tables that stand
 * in the row group where reading begins), and lets reading end behind `want` rows from the skip-th on.
 */
enum dp_status dp_typed_window(struct dp_typed *t, int64_t skip, int64_t want, int64_t *skipped, struct dp_err *err) DP_MUST_CHECK;
struct dp_typed_counts dp_typed_counts(const struct dp_typed *t);

/* What metadata has a record of: each column of each row group, the file, each row group, each page of a column that has an offset index. */
enum dp_typed_per { DP_TYPED_PER_COLUMN, DP_TYPED_PER_FILE, DP_TYPED_PER_ROW_GROUP, DP_TYPED_PER_PAGE };
/* One record a line behind out's content: metadata of a source; of a table one record, whatever `per` is. */
enum dp_status dp_typed_describe_meta(const char *name, const char *as_of, enum dp_typed_per per, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;
/* The columns of a schema, one record a line. */
void dp_typed_print_schema(const struct dp_type *schema, struct dp_buf *out);
/* The same of one source, with Parquet's own types where it is a file. */
enum dp_status dp_typed_describe_schema(const char *name, const struct dp_type *schema, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

#endif
