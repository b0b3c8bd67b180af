/*
 * Rows of a table deleted, or given other values (dp-table(1), delete and update): as one version, whole or not at all.
 *
 * Files that hold none of the rows are left as they are, by partition values and statistics mostly unread.  A file that loses all rows is removed.  One that loses
 * some is written anew without them, row groups without such a row copied as they stand; or, where the table has delta.enableDeletionVectors, gets a deletion
 * vector, and rows with new values go into new files.  Where it has delta.enableChangeDataFeed, files are written anew, or there are new rows, what
 * changed goes to _change_data, too.  A commit that wins meanwhile and is in conflict lets all of it be decided again.
 */
#ifndef DP_IO_EDIT_H
#define DP_IO_EDIT_H

#include <dp/delta/snapshot.h>
#include <dp/io/run.h>

struct dp_edited {
    int64_t version;            /* published; -1: nothing to do, or a dry run */
    int64_t deleted, updated, inserted; /* rows; deleted -1: whole files went whose rows nobody counted */
    int64_t copied;             /* rows that stand in new files as they were */
    uint64_t files_removed, files_added; /* without deletion vectors: files that are replaced, and by what */
    uint64_t bytes_added;          /* of those that were added */
    uint64_t vectors, change_files;
    uint64_t files, files_skipped; /* of the table, and those that were not read */
};

struct dp_edit_opts {
    const char *table;
    const char *where;           /* NULL: all rows */
    const char *const *sets;     /* update: "COLUMN=EXPR" */
    size_t n_sets;
    /* Of delete, for who decides over whole files, too; all may be NULL. */
    enum dp_maybe (*judge)(void *ctx, const struct dp_delta_file *f); /* DP_ALWAYS: all its rows go; DP_NEVER: none does; DP_MAYBE: those that `where` says (NULL: none) */
    enum dp_status (*check)(void *ctx, const struct dp_delta_snapshot *s, struct dp_err *err); /* of each version that is tried, before anything else; its failure is final */
    void *ctx;
    const struct dp_delta_txn *txn; /* goes into the same commit */
    const char *predicate;          /* what the log says instead of `where` */
};

/* DP_USAGE: a column that is not there.  DP_RULE: an expression errs on a row, or gives a value that its column does not hold; nothing is changed. */
enum dp_status dp_edit_delete(struct dp_run *run, const struct dp_edit_opts *o, struct dp_edited *out, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_edit_update(struct dp_run *run, const struct dp_edit_opts *o, struct dp_edited *out, struct dp_err *err) DP_MUST_CHECK;

#endif
