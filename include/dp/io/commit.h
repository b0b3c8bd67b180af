/*
 * Publishing a stream of finished files as one version of a table (dp-table(1), commit): only a stream that is whole, each batch once, whole or not at all.
 * With commit_every what stands before a checkpoint is a batch of its own, published with the positions so far, and stays whatever comes behind it.
 */
#ifndef DP_IO_COMMIT_H
#define DP_IO_COMMIT_H

#include <dp/delta/commit.h>
#include <dp/delta/evolve.h>
#include <dp/io/run.h>

struct dp_committed;

struct dp_commit_opts {
    const char *table;
    enum dp_delta_mode mode;
    const char *txn;          /* "APP:VERSION" names the batch, or NULL */
    bool skip_older;          /* a batch older than the table's is passed over, not an error */
    bool eof_commits;         /* the end of input is good enough for a stream without marks */
    bool check_contract;      /* the table's contract (property dp.contract) is checked over the new files first: DP_RULE, and nothing is published, where it is broken */
    enum dp_delta_evolve evolve; /* the table's schema grows with the files' */
    struct dp_buf *verdict;   /* with it: the last verdict as JSON; NULL: nobody asks */
    bool in_parts;            /* publish at checkpoints too, at most every commit_every ms */
    int64_t commit_every;
    /* Told of each part as it is settled; NULL: nobody asks.  A failure ends the run. */
    enum dp_status (*each)(void *ctx, const struct dp_committed *part, struct dp_err *err);
    void *each_ctx;
};

enum dp_commit_result { DP_COMMIT_DONE, DP_COMMIT_ALREADY, DP_COMMIT_OLDER, DP_COMMIT_DRY };

struct dp_committed {
    enum dp_commit_result result;
    int64_t version;          /* DONE, ALREADY */
    size_t files;
    int64_t rows;
    char *app_id;             /* OLDER: which, its version, and what the table has; caller frees */
    int64_t app_version, table_has;
    uint64_t commits;         /* of all parts, also where the stream failed later: versions published, and what is in them */
    uint64_t all_files;
    int64_t all_rows;
    struct dp_buf evolved;    /* what became of the schema, in words (dp_delta_evolve_print); caller releases */
    bool has_rest;            /* the result is that of files behind the last part (without in_parts: always) */
};

/* Reads standard input.  DP_EMPTY: nothing to do.  run->dry_run: all is checked, nothing changed. */
enum dp_status dp_commit_stream(struct dp_run *run, const struct dp_commit_opts *o, struct dp_committed *out, struct dp_err *err) DP_MUST_CHECK;

#endif
