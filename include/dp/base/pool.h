/*
 * The one place where work is spread over threads: chunks in, chunks out, in order.
 *
 * `threads` is the number of threads that run at once, the caller's included; with 1 nothing is
 * created and everything runs inline.  Threads are created at the first run that needs them.
 * Each thread takes, in this order: a piece of a dp_pool_for in progress, the next chunk to consume,
 * a chunk to work on, the next chunk to produce.
 */
#ifndef DP_BASE_POOL_H
#define DP_BASE_POOL_H

#include <dp/base/status.h>

struct dp_pool;

struct dp_pool *dp_pool_open(unsigned threads);
void dp_pool_close(struct dp_pool *p); /* NULL is legal */
unsigned dp_pool_threads(const struct dp_pool *p);

struct dp_pool_ops {
    size_t job_size; /* bytes of one job (a slot is reused for later jobs; zeroed before its first) */
    /* One at a time, in order: fill the job; DP_END: there is none.  May block. */
    enum dp_status (*produce)(void *ctx, void *job, struct dp_err *err);
    /* Any thread, any order; `worker` is 0..threads-1, never used by two threads at once. */
    enum dp_status (*work)(void *ctx, unsigned worker, void *job, struct dp_err *err);
    /* One at a time, in the order of produce. */
    enum dp_status (*consume)(void *ctx, void *job, struct dp_err *err);
    /* Frees what a job holds; called once for each slot at the end.  May be NULL. */
    void (*release)(void *ctx, void *job);
};

/* Runs until produce says DP_END or something fails.  The failure that is first in the order of the
   chunks is returned, and everything before it has been consumed: the result does not depend on threads. */
enum dp_status dp_pool_run(struct dp_pool *p, const struct dp_pool_ops *ops, void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* True from the moment that a run is known to fail until the next one: a producer that waits for input looks at it. */
bool dp_pool_stopping(const struct dp_pool *p);

/* fn(ctx, i) for i in 0..n-1, on all threads that are free; may be called inside consume.  The failure of the lowest i is returned. */
enum dp_status dp_pool_for(struct dp_pool *p, size_t n, enum dp_status (*fn)(void *ctx, unsigned worker, size_t i, struct dp_err *err),
                           void *ctx, struct dp_err *err) DP_MUST_CHECK;

#endif
