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

/* A change to publish.  The caller's; all pointers borrowed. */
struct dp_delta_change {
    enum dp_delta_mode mode;
    const struct dp_delta_protocol *protocol;  /* NULL: unchanged */
    const struct dp_delta_metadata *metadata;  /* NULL: unchanged */
    const struct dp_delta_file *adds;
    size_t n_adds;
    const struct dp_delta_txn *txns;
    size_t n_txns;
    const char *operation;         /* "WRITE", "CREATE TABLE" */
    const char *parameters;        /* JSON object text of operationParameters */
    const char *extra;             /* further members of commitInfo as JSON, with a leading comma, or NULL */
    int64_t rows;                  /* for operationMetrics; -1 unknown */
    int64_t now_ms;
    unsigned max_retries;          /* 0 = 20 */
};

/*
 * base: the snapshot that the change was made against, NULL: the table is created (version 0).  *version is what was published.
 * DP_AGAIN: a concurrent commit is in conflict; DP_END: a concurrent commit carries one of our txns at our version or above (read the table again).
 */
enum dp_status dp_delta_publish(const char *table, const struct dp_delta_snapshot *base, const struct dp_delta_change *change,
                                int64_t *version, struct dp_err *err) DP_MUST_CHECK;

/* Protocol and metaData of a new table.  Strings are in the arena; the schema must come from dp_delta_schema_fit. */
enum dp_status dp_delta_new_table(const struct dp_type *schema, const struct dp_delta_strs *partition_columns, const struct dp_delta_pairs *configuration,
                                  const char *name, int64_t now_ms, struct dp_arena *arena, struct dp_delta_protocol *protocol,
                                  struct dp_delta_metadata *metadata, struct dp_err *err) DP_MUST_CHECK;

#endif
