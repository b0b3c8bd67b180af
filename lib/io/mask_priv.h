/*
 * Between the files of masking, compacting and editing Parquet and tables: the row groups of a source (mask_groups.c), those that are copied (group_copy.c),
 * what becomes of the others (mask_files.c, compact_rewrite.c, edit_rewrite.c).
 */
#ifndef DP_IO_MASK_PRIV_H
#define DP_IO_MASK_PRIV_H

#include <dp/delta/scan.h>
#include <dp/io/evolve.h>
#include <dp/io/lay.h>
#include <dp/parquet/reader.h>

struct groups; /* a file or a table that is open, or files of it */
struct member; /* one of files by name */

/* set is borrowed until close: the schema of which all files are read together (dp/io/evolve.h), NULL: its own. A table keeps its own. */
enum dp_status groups_open(const char *name, const struct dp_type *set, struct groups **out, struct dp_err *err) DP_MUST_CHECK;
/* These files of a table that is open, which are read at paths[i]; all borrowed until close. memory: what reading a file may take, 0: no bound. */
enum dp_status groups_open_files(const struct dp_delta_snapshot *table, const struct dp_delta_file *files, const char *const *paths, size_t n, bool row_ids,
                                 uint64_t memory, struct groups **out, struct dp_err *err) DP_MUST_CHECK;
/* Files by name one behind the other, as one set; all borrowed until close. */
enum dp_status groups_open_names(const char *const *names, size_t n, const struct dp_type *set, uint64_t memory, struct groups **out, struct dp_err *err) DP_MUST_CHECK;
void groups_close(struct groups *g); /* all its row groups are released before; NULL is legal */
const struct dp_type *groups_schema(const struct groups *g);       /* of rows; borrowed until close */
const struct dp_type *groups_column(struct groups *g, size_t i);    /* of rows of column i alone; one thread at a time, borrowed until close */
const struct dp_pq_file *groups_file(const struct groups *g);          /* NULL: a table */
const struct dp_delta_snapshot *groups_table(const struct groups *g); /* NULL: a file */

/* A row group, shared by threads. */
struct group {
    const struct groups *of;
    const struct dp_pq_file *file;
    struct dp_delta_task *task; /* of a table, NULL */
    struct member *member;      /* of files by name, NULL */
    size_t number;              /* in the file */
    int64_t rows;               /* deleted ones included */
};
/* In order; DP_END: no more. */
enum dp_status groups_next(struct groups *g, struct group *out, struct dp_err *err) DP_MUST_CHECK;
void group_release(struct group *g);
/* The file's column that is column `i` of groups_schema as it stands; -1: none is. */
int group_column(const struct group *g, size_t i);
bool group_is_whole(const struct group *g); /* no row is deleted */

/* Rows of a row group: all columns, or one (not a partition column) alone. */
struct group_rows { struct dp_pq_reader *reader; struct dp_delta_read *read; struct dp_evolve join; bool joins; };
#define ALL_COLUMNS SIZE_MAX
enum dp_status group_rows_open(const struct group *g, size_t column, struct group_rows *out, struct dp_err *err) DP_MUST_CHECK;
/* b has groups_schema, or groups_column of the one column; DP_END: no more. A batch may be empty. */
enum dp_status group_rows_next(struct group_rows *r, int64_t max_rows, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;
void group_rows_close(struct group_rows *r);

/* ---- group_copy.c: row groups that go into new files as they stand ---- */

/* Of a task of the caller's: borrowed, and not released by group_release. */
struct group group_of_task(struct dp_delta_task *t);
/* One row, of which only what the layout takes from the rows as it stands is filled in: the partition.  No row where there are no partitions. */
enum dp_status group_key(const struct group *g, const struct dp_lay_opts *o, struct dp_lay_rows *key, struct dp_err *err) DP_MUST_CHECK;
/* Are all its rows there, and each column as the files want it?  Columns of groups_schema are those of the lay. */
bool group_can_copy(const struct group *g, const struct dp_lay_opts *o, const struct dp_pq_encoder *e);
/* All of it, into the partition of its key, for which `key` has room. */
enum dp_status group_copy(const struct group *g, const struct dp_lay_opts *o, struct dp_lay *lay, struct dp_lay_rows *key, struct dp_err *err) DP_MUST_CHECK;

#endif
