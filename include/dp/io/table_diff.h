/*
 * What makes two tables, or two versions of one, differ (dp-table(1), diff): schema, properties, protocol, files, and rows.
 *
 *     dp_table_diff_open(run, a, b, &d)       what their logs say
 *     dp_table_diff_rows(d, fn, ctx)          rows that one has and the other has not, in bounded memory
 *     dp_table_diff_close(d)
 *
 * Files are the same when they are the same on disk, so a shallow clone has those of its source.  Rows are compared as records of the columns of both together (a
 * column that one lacks is null there), and counted: one that stands twice in one and once in the other differs once.  Files that both have are not read.
 */
#ifndef DP_IO_TABLE_DIFF_H
#define DP_IO_TABLE_DIFF_H

#include <dp/delta/snapshot.h>
#include <dp/io/run.h>

enum dp_table_diff_sign { DP_TABLE_DIFF_REMOVED, DP_TABLE_DIFF_ADDED, DP_TABLE_DIFF_CHANGED };

/* Text of one difference: "column price: int -> long", or the path of a file. */
struct dp_table_diff_item {
    enum dp_table_diff_sign sign;
    char *text;
};
struct dp_table_diff_list {
    struct dp_table_diff_item *v;
    size_t n, cap;
};

struct dp_table_diff {
    struct dp_run *run;
    const struct dp_delta_snapshot *a, *b; /* borrowed until close */
    struct dp_table_diff_list schema, properties, files;
    uint64_t files_added, files_removed, files_changed;
    struct dp_type *both;                  /* the columns of rows; NULL until dp_table_diff_rows */
    struct dp_table_diff_side *sides;            /* the module's */
};

enum dp_status dp_table_diff_open(struct dp_run *run, const struct dp_delta_snapshot *a, const struct dp_delta_snapshot *b, struct dp_table_diff **out, struct dp_err *err) DP_MUST_CHECK;
void dp_table_diff_close(struct dp_table_diff *d); /* NULL is legal */
static inline bool dp_table_diff_is_any(const struct dp_table_diff *d) { return d->schema.n || d->properties.n || d->files.n; }

/* The columns of both.  DP_SCHEMA: a column has types that no type holds. */
enum dp_status dp_table_diff_schema(struct dp_table_diff *d, struct dp_err *err) DP_MUST_CHECK;
/* A row, as a line without its newline; n times only in b where it is positive, only in a where it is negative.  In the order of the lines' bytes. */
typedef enum dp_status (*dp_table_diff_row_fn)(void *ctx, struct dp_str line, int64_t n, struct dp_err *err);
enum dp_status dp_table_diff_rows(struct dp_table_diff *d, dp_table_diff_row_fn fn, void *ctx, struct dp_err *err) DP_MUST_CHECK;

#endif
