/*
 * What delete, update and merge share: which rows of which files are gone, how the files that hold them are replaced, and how that becomes a version.
 *
 *     edit_open(run, options, &e)                  the latest snapshot
 *     edit_hits(e, file, rows) ...                 or edit_drop(e, file): in the order of the snapshot's files
 *     edit_rewrite(e, &plan)                       reads the files that lose some of their rows
 *     edit_insert(e, rows) ...                     new rows
 *     edit_publish(e, &change, &version)           or DP_AGAIN: close, and decide again
 *     edit_close(e)
 */
#ifndef DP_IO_EDIT_PRIV_H
#define DP_IO_EDIT_PRIV_H

#include <dp/delta/dv.h>
#include <dp/delta/hold.h>
#include <dp/delta/land.h>
#include <dp/delta/scan.h>
#include <dp/io/edit.h>
#include <dp/io/lay.h>

enum { EDIT_TRIES = 10 };

enum edit_type { EDIT_INSERT, EDIT_BEFORE, EDIT_AFTER, EDIT_DELETE };

struct edit_file {
    const struct dp_delta_file *action; /* of the snapshot */
    struct dp_delta_deleted hits;       /* rows that go; bits NULL: all of them */
    struct dp_delta_deleted gone;       /* of the hits those that change data tells as deleted, where the plan says something else of the others; or empty */
    size_t number;                      /* of the caller, for edit_sort */
    int64_t live;                       /* rows before that; -1: not known (all go, and nobody counted them) */
};

/* Files under one of these lays, as they were finished. */
struct edit_paths { char **v; size_t n, cap; };

struct edit_output {
    struct dp_lay_opts opts;
    struct dp_lay *lay;
    struct edit_paths done;
};

struct edit {
    struct dp_run *run;
    const char *table;
    struct dp_delta_snapshot *s;
    const struct dp_type *schema;   /* the table's rows */
    const struct dp_type *stored;   /* as they are read and written: with their ids behind them where they keep these */
    bool keeps_ids;                 /* the table tracks rows, and names the columns for that */
    struct dp_type *own;            /* schema, where the two differ */
    struct dp_delta_scan *shape;    /* whose schema `stored` is */
    struct dp_type *cdc_schema;     /* the same and _change_type */
    struct dp_layout layout, cdc_layout;
    bool uses_dv, uses_cdf;
    bool tells;                     /* change data is written; known behind edit_rewrite */
    struct edit_file *files;
    size_t n_files, files_cap;
    struct edit_output rest, fresh, cdc; /* rows that stay; rows that are new; what changed */
    struct dp_lay_rows rows, cdc_rows, key; /* of whoever runs in order */
    struct dp_delta_dv_file *vectors;
    struct dp_delta_file *dv_adds;
    size_t n_dv_adds, dv_cap;
    struct dp_delta_landing *landing;
    struct dp_delta_hold hold;      /* of change data and vectors, where there is no data file */
    char **placed;                  /* change data files under their names */
    size_t n_placed, placed_cap;
    struct dp_arena arena;
    struct dp_edited *counts;
    int64_t n_read;                 /* rows that were hit, as far as they were read */
    int64_t now_ms;
};

enum dp_status edit_open(struct dp_run *run, const char *table, struct dp_edited *counts, struct edit **out, struct dp_err *err) DP_MUST_CHECK;
void edit_close(struct edit *e); /* NULL is legal; what was not published is removed */

/* The table's columns of stored rows; borrows them. */
static inline struct dp_batch edit_columns(const struct edit *e, const struct dp_batch *stored) {
    struct dp_batch b = *stored;
    b.schema = e->schema, b.n_columns = e->schema->n_children;
    return b;
}

/* All rows of a file go. */
void edit_drop(struct edit *e, const struct dp_delta_file *action);
/* The set of rows of a file that go, for the caller to fill; the file's last one when it is asked for again. */
struct dp_delta_deleted *edit_hits(struct edit *e, const struct dp_delta_file *action, int64_t rows);

/* Rows of the file that a row group stands in, deleted ones too. */
int64_t edit_file_rows(const struct dp_delta_task *t);

/* Files by their numbers: what is written must not depend on the order in which they were hit. */
void edit_sort(struct edit *e);

/* Makes rows of what they were: one for each, in the same order and schema.  Any thread; `worker` is its number. */
typedef enum dp_status (*edit_change)(void *ctx, unsigned worker, const struct dp_batch *before, struct dp_batch *after, struct dp_err *err);
struct edit_plan {
    edit_change change; /* NULL: the rows are gone */
    void *ctx;
    bool in_place;      /* changed rows stay where they are, when the file is written anew */
    bool has_others;    /* there are new rows besides: with change data, all of it must be told */
    enum edit_type type; /* of rows that go, in the change data */
};
/* Rows of the files that were hit: what stays, what comes of the others, what is told of both.  A dry run counts only. */
enum dp_status edit_rewrite(struct edit *e, const struct edit_plan *plan, struct dp_err *err) DP_MUST_CHECK;
/*
 * New rows in e->rows.rows (its edit_columns), behind edit_rewrite; types (enum edit_type) are what change data says of each, ids those of the rows that they replace, -1 where
 * there is none.
 */
enum dp_status edit_insert(struct edit *e, const uint8_t *types, const int64_t *ids, struct dp_err *err) DP_MUST_CHECK;

/* Members of operationMetrics, each with a leading comma, once everything is counted. */
typedef void (*edit_metrics)(void *ctx, const struct dp_edited *counts, struct dp_buf *out);
/* Fills in removes, adds and change data of the change, and publishes.  keeps_row_ids: rows that got new values have kept theirs, if there are any. */
enum dp_status edit_publish(struct edit *e, struct dp_delta_change *change, edit_metrics metrics, void *ctx, int64_t *version, struct dp_err *err) DP_MUST_CHECK;

/* Opens an output where it is not open. */
enum dp_status edit_need(struct edit *e, struct edit_output *o, struct dp_err *err) DP_MUST_CHECK;
/* Rows with a _change_type; types NULL: all have `type`. */
void edit_tell(const struct dp_batch *rows, const uint8_t *types, enum edit_type type, struct dp_batch *out);

#endif
