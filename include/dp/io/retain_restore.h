/*
 * What stands in tiers of a table (dp/delta/tier.h), and bringing it back: copied into the table, size and SHA-256 checked, then one commit that names it there (dp-retain(1), restore).
 *
 * The tier's copy goes with a later vacuum.  May be stopped anywhere and done again.
 */
#ifndef DP_IO_RETAIN_RESTORE_H
#define DP_IO_RETAIN_RESTORE_H

#include <dp/io/run.h>

struct dp_tier_file {
    const char *path;      /* in the tier, whole */
    const char *source;    /* where its bytes are now; NULL: out of reach */
    const char *rel;       /* where it stood below the table */
    uint64_t bytes;
    struct dp_str sha256, tier;
};

struct dp_tier_opts {
    const char *table;
    const char *where;     /* of which files: an expression that partition values and statistics answer; NULL: of all */
    const char *from;      /* where archived files were brought back to, as FROM/ID/REL or FROM/REL; NULL: the tier alone */
    const char *audit, *why; /* of restore */
    enum dp_status (*each)(void *ctx, const struct dp_tier_file *f, struct dp_err *err); /* of list, in the order of their arrival; may be NULL */
    void *ctx;
};

struct dp_tier_restored {
    int64_t version;       /* published; -1: nothing to do, or a dry run */
    uint64_t files, bytes; /* chosen */
    uint64_t lost_files, lost_bytes; /* of them, those out of reach */
};

/* DP_USAGE: a column that is not there. */
enum dp_status dp_tier_list(struct dp_run *run, const struct dp_tier_opts *o, struct dp_tier_restored *out, struct dp_err *err) DP_MUST_CHECK;
/* Begins in the audit log; where that can't be, nothing is done.  DP_IO: some are out of reach, nothing is done; DP_FORMAT: one is not the file that was moved. */
enum dp_status dp_tier_restore(struct dp_run *run, const struct dp_tier_opts *o, struct dp_tier_restored *out, struct dp_err *err) DP_MUST_CHECK;

#endif
