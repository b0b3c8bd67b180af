/* What the files of commits share: commit.c (files), merge.c (records), edit.c and compact.c (what follows a commit), commit_batch.c (each batch once), commit_check.c (contracts). */
#ifndef DP_IO_COMMIT_PRIV_H
#define DP_IO_COMMIT_PRIV_H

#include <dp/delta/land.h>
#include <dp/io/run.h>

/*
 * Checks the landed files against the contract that the table was made with.  DP_RULE: a rule of severity error is broken, each told in a
 * message of its own; DP_USAGE: the table keeps no contract.  `verdict` (may be NULL) is set to the verdict as JSON.
 */
enum dp_status dp_commit_check(struct dp_run *run, const char *table, const struct dp_delta_snapshot *s, const struct dp_delta_landing *l, struct dp_buf *verdict,
                               struct dp_err *err) DP_MUST_CHECK;

/* Behind a commit that is published: staging that nobody owns for a day is swept, and a checkpoint that failed (`after`, of the change) is told. */
void commit_after(struct dp_run *run, const char *table, int64_t now_ms, int64_t version, const struct dp_err *after);

/* The name of a batch: positions of the stream, or what --txn says (Delta: digest section 14).  Initialise run, now_ms, and seen_version with -1. */
struct commit_batch {
    struct dp_run *run;
    int64_t now_ms;
    struct dp_delta_txn *txns;
    size_t n_txns, cap_txns;
    struct dp_arena arena;
    char *job, *run_id, *end_hash; /* job and run as the stream says */
    int64_t seen_version;          /* the table's, that the stream's positions start from */
};
void commit_batch_begin(struct commit_batch *b, const struct dp_mark *begin);
/* The latest position of each source and partition.  DP_FORMAT: it is no offset. */
enum dp_status commit_batch_position(struct commit_batch *b, const struct dp_mark *checkpoint, struct dp_err *err) DP_MUST_CHECK;
void commit_batch_end(struct commit_batch *b, const struct dp_mark *end); /* NULL is legal */
/* --txn APP:VERSION; else, where nothing else names the batch and dp-run or Airflow gave the run an id that its retries share, that id and the hash of the stream. */
enum dp_status commit_batch_name(struct commit_batch *b, const char *txn, bool has_content, struct dp_err *err) DP_MUST_CHECK;
/* Job and run as a member of commitInfo, with a leading comma. */
void commit_batch_print(const struct commit_batch *b, struct dp_buf *out);
void commit_batch_forget(struct commit_batch *b); /* it is published: the next one */
void commit_batch_release(struct commit_batch *b);

#endif
