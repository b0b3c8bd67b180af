/* The log directory: which commits, checkpoints and compactions there are.  Names that are not known are passed over. */
#ifndef DP_DELTA_LOG_H
#define DP_DELTA_LOG_H

#include <dp/base/buf.h>

enum dp_delta_checkpoint_form { DP_DELTA_CLASSIC, DP_DELTA_MULTI_PART, DP_DELTA_UUID_PARQUET, DP_DELTA_UUID_JSON };

struct dp_delta_checkpoint_ref {
    int64_t version;
    enum dp_delta_checkpoint_form form;
    char **names;   /* file names in _delta_log; parts in order */
    size_t n_names;
};

struct dp_delta_compaction_ref {
    int64_t from, to;
    char *name;
};

struct dp_delta_log {
    char *dir;             /* T/_delta_log */
    int64_t *commits;      /* ascending */
    size_t n_commits;
    struct dp_delta_checkpoint_ref *checkpoints; /* complete ones only, ascending by version */
    size_t n_checkpoints;
    struct dp_delta_compaction_ref *compactions;
    size_t n_compactions;
    bool has_staged_commits; /* _commits or _staged_commits: newest commits may not be here */
};

/* DP_IO when there is no log, or nothing in it. */
enum dp_status dp_delta_log_list(const char *table, struct dp_delta_log *log, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_log_release(struct dp_delta_log *log);
/* Newest version that there is; -1: none. */
int64_t dp_delta_log_latest(const struct dp_delta_log *log);
/* The oldest version from which on `latest` can be read without a gap: 0, or that of the oldest checkpoint that no missing commit follows. */
int64_t dp_delta_log_oldest(const struct dp_delta_log *log, int64_t latest);
bool dp_delta_log_has_commit(const struct dp_delta_log *log, int64_t version);
/* Is T a directory with a log that holds something? */
bool dp_delta_is_table(const char *table);

#endif
