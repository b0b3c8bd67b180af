/*
 * Does a table hold what its log says?  Its log (no gap, each entry readable, checkpoints and checksums as replay of the commits says), and each live file: there, its size,
 * footer, row count, partition values, statistics, deletion vector.  Deep: every value is decoded, and statistics are held against the values; else against the footers.
 *
 * Nothing is written.  A finding is not a failure: the caller counts.
 */
#ifndef DP_DELTA_VERIFY_H
#define DP_DELTA_VERIFY_H

#include <dp/base/pool.h>
#include <dp/delta/snapshot.h>

struct dp_delta_verify_opts {
    int64_t version;      /* -1: the latest */
    bool deep;
    struct dp_pool *pool;
    uint64_t memory;      /* of the readers together; 0: no bound */
    /* One finding: what (a path of the log or of the file, with the table in front) and what is wrong with it.  In a stable order, one at a time. */
    enum dp_status (*found)(void *ctx, const char *what, const char *why, struct dp_err *err);
    /* Now and then: a failure ends it.  May be NULL. */
    enum dp_status (*tick)(void *ctx, struct dp_err *err);
    void *ctx;
};

struct dp_delta_verified {
    int64_t version;
    uint64_t commits, checkpoints;        /* looked at */
    uint64_t files, bytes, rows, vectors; /* live; rows with those that are deleted */
    uint64_t findings;
};

/* DP_OK also with findings.  DP_IO: no table; DP_USAGE: no such version; DP_UNSUPPORTED: a table feature, by name. */
enum dp_status dp_delta_verify(const char *table, const struct dp_delta_verify_opts *o, struct dp_delta_verified *out, struct dp_err *err) DP_MUST_CHECK;

#endif
