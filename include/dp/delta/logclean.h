/*
 * Clean-up of the log: entries, checkpoints, checksums and compactions that are older than delta.logRetentionDuration (30 days unless set) and that no version from
 * the newest old enough checkpoint on needs.  Versions before that checkpoint can't be read any more; data files are not touched (vacuum is for those).
 */
#ifndef DP_DELTA_LOGCLEAN_H
#define DP_DELTA_LOGCLEAN_H

#include <dp/delta/snapshot.h>

struct dp_delta_clean_opts {
    int64_t now_ms;
    bool dry_run; /* tell, remove nothing */
    enum dp_status (*each)(void *ctx, const char *path, struct dp_err *err); /* before each file goes; may be NULL */
    void *each_ctx;
};
struct dp_delta_cleaned {
    uint64_t entries;  /* commits */
    uint64_t files;    /* all */
    int64_t bytes;
    int64_t oldest;    /* the version that is the oldest readable one now; -1: nothing was old enough */
};
/* DP_UNSUPPORTED: a feature of the table forbids it; DP_RULE: legal holds do (dp/delta/legal.h); DP_AGAIN: a vacuum is at work. */
enum dp_status dp_delta_log_clean(const struct dp_delta_snapshot *s, const struct dp_delta_clean_opts *o, struct dp_delta_cleaned *out, struct dp_err *err) DP_MUST_CHECK;

#endif
