/*
 * A table copied to another place, byte for byte, which is at every moment a valid table: data files first, then the entries of the log in their order.
 * Again: only what is new is copied.  Times of files are kept, versions have the times that they have at the source.
 *
 * Files that a vacuum took at the source are not there for the versions that need them, as at the source; what the destination has already stays until its own
 * vacuum.  Killed anywhere, the next run goes on.
 */
#ifndef DP_DELTA_REPLICATE_H
#define DP_DELTA_REPLICATE_H

#include <dp/base/pool.h>
#include <dp/delta/snapshot.h>

struct dp_delta_replicate_opts {
    bool dry_run;
    struct dp_pool *pool;
    int64_t now_ms;
    enum dp_status (*tick)(void *ctx, struct dp_err *err); /* now and then: a failure ends it; may be NULL */
    void *ctx;
};

struct dp_delta_replicated {
    int64_t version;         /* of the source that the destination has now, or would have */
    uint64_t files, bytes;   /* copied: data, vectors, change data */
    uint64_t commits;        /* entries copied */
    uint64_t gone;           /* files of older versions that the source has no more */
};

/*
 * DP_RULE: the destination is something else than a copy of the source, or too far behind it; DP_UNSUPPORTED: a path that leads out of the table (a shallow
 * clone), by name; DP_AGAIN: another replication is at work, or the source changes faster than it can be copied.
 */
enum dp_status dp_delta_replicate(const char *source, const char *destination, const struct dp_delta_replicate_opts *o, struct dp_delta_replicated *out,
                                  struct dp_err *err) DP_MUST_CHECK;

#endif
