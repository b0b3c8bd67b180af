/*
 * Commits: put-if-absent of the next version, conflict check, retry (digest section 5); creation of tables.
 *
 * Nothing of the table changes before dp_delta_publish links the entry, and after that everything has: killing the process at any
 * instant leaves the table as it was, or as it is after.
 */
#ifndef DP_DELTA_COMMIT_H
#define DP_DELTA_COMMIT_H

#include <dp/delta/snapshot.h>

enum dp_delta_mode { DP_DELTA_APPEND, DP_DELTA_OVERWRITE, DP_DELTA_REPLACE };

/*
 * What the change was made from: it decides which concurrent commits are in conflict with it (digest section 5).  Files that it removes were read in any case.
 * NOTHING: rows that came from elsewhere; WHERE: the files that `where` does not exclude by partition values and statistics; TABLE: all of them.
 */
enum dp_delta_reads { DP_DELTA_READ_NOTHING, DP_DELTA_READ_WHERE, DP_DELTA_READ_TABLE };

/* A change to publish.  The caller's; all pointers borrowed. */
struct dp_delta_change {
    enum dp_delta_mode mode;
    enum dp_delta_reads reads;
    const struct dp_expr *where;               /* with READ_WHERE */
    bool keeps_row_ids;                        /* rows that are copied or updated carry their ids and versions in the materialised columns (row tracking) */
    bool alone;                                /* the caller holds the table alone (dp/delta/hold.h): nobody is waited for */
    bool rearranges;                           /* no row changes: every file action has dataChange false, and concurrent appends are no conflict (compaction) */
    bool checked;                              /* new rows were held to what the table demands of them (dp/delta/constraint.h), or the adds bring no new ones */
    const struct dp_delta_file *const *removes; /* besides what the mode removes: live files of the base, as they are there (deletion vector included) */
    size_t n_removes;
    const struct dp_delta_file *cdcs;          /* change data files: path, partition values, size */
    size_t n_cdcs;
    const struct dp_delta_domain *domains;
    size_t n_domains;
    const struct dp_delta_protocol *protocol;  /* NULL: unchanged */
    const struct dp_delta_metadata *metadata;  /* NULL: unchanged */
    const struct dp_delta_file *adds;
    size_t n_adds;
    const struct dp_delta_txn *txns;
    size_t n_txns;
    const char *operation;         /* "WRITE", "CREATE TABLE", "DELETE", "MERGE", "OPTIMIZE", "RESTORE", ... as the reference calls them */
    const char *parameters;        /* JSON object text of operationParameters */
    const char *extra;             /* further members of commitInfo as JSON, with a leading comma, or NULL */
    int64_t rows;                  /* for operationMetrics; -1 unknown */
    const char *metrics;           /* further members of operationMetrics as JSON, with a leading comma, or NULL */
    int64_t now_ms;
    struct dp_err *after;          /* what failed behind the commit (a checkpoint that was due), for a warning; NULL: nobody asks */
    unsigned max_retries;          /* lost races before it gives up; 0 = 200 */
};

/*
 * Publishes, and behind that writes the checkpoint that is due (delta.checkpointInterval).
 *
 * What concurrent commits are in conflict with the change is decided by `reads`, the files that it removes, and the table's delta.isolationLevel (Serializable, or
 * WriteSerializable: then rows that others appended blindly to what was read are no conflict).  Adds need not have row ids: files that are new to the table
 * get theirs here, those whose path is removed in the same change (another deletion vector, other statistics) or that bring some keep them; a domain delta.rowTracking in
 * `domains` is passed over.  The metaData that turns in-commit timestamps on gets the properties which say from where on they count.
 *
 * base: the snapshot that the change was made against, NULL: the table is created (version 0).  *version is what was published.
 * DP_AGAIN: a concurrent commit is in conflict; DP_END: a concurrent commit carries one of our txns at our version or above (read the table again).
 */
enum dp_status dp_delta_publish(const char *table, const struct dp_delta_snapshot *base, const struct dp_delta_change *change,
                                int64_t *version, struct dp_err *err) DP_MUST_CHECK;

/* A table to be made.  All borrowed. */
struct dp_delta_new {
    const struct dp_type *schema;              /* from dp_delta_schema_fit */
    const struct dp_delta_strs *partition_columns;
    const struct dp_delta_pairs *configuration;
    const char *name;                          /* or NULL */
    bool names_are_physical;                   /* data files with these names exist: where columns are mapped, the names are the physical ones too */
    int64_t now_ms;
};
/*
 * Its protocol and metaData; strings are in the arena or borrowed.  *cause: the column whose name makes column mapping necessary (readers without it
 * can't read the table), p NULL when there is none.
 */
enum dp_status dp_delta_new_table(const struct dp_delta_new *n, struct dp_arena *arena, struct dp_delta_protocol *protocol,
                                  struct dp_delta_metadata *metadata, struct dp_str *cause, struct dp_err *err) DP_MUST_CHECK;

/* ---- transactions: each batch once (digest section 14) ---- */

/* "JOB/SOURCE/PARTITION", the appId of a position; partition NULL is "0".  dp-ingest --since looks these up. */
void dp_delta_app_id(const char *job, const char *source, const char *partition, struct dp_buf *out);

enum dp_delta_batch { DP_DELTA_BATCH_NEW, DP_DELTA_BATCH_DONE, DP_DELTA_BATCH_OLDER };
/*
 * Is a batch with these transactions new?  DONE: each is in the table at its version.  OLDER: one is below what the table has (*which names it, *have is the table's).
 * seen_version: the table's version that the batch's positions start from (-1: not known); DP_AGAIN when one of them was moved by somebody else since.
 */
enum dp_status dp_delta_judge(const struct dp_delta_snapshot *s, const struct dp_delta_txn *txns, size_t n, int64_t seen_version, int64_t now_ms,
                              enum dp_delta_batch *out, size_t *which, int64_t *have, struct dp_err *err) DP_MUST_CHECK;
/* The version whose commit carries the transaction, looked for from `newest` down; `newest` itself when the commit file is gone (only a checkpoint tells of it). */
enum dp_status dp_delta_txn_commit(const char *table, struct dp_str app_id, int64_t version, int64_t newest, int64_t *out, struct dp_err *err) DP_MUST_CHECK;

#endif
