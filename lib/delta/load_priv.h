/*
 * The actions of commits and checkpoints in their order, read by all threads of a pool and delivered by one at a time.
 *
 *     delta_load_open(&load, pool, without)
 *     delta_load_checkpoint, delta_load_commits ...   fn is called in the log's order, whatever the threads
 *     delta_load_close(&load, &arenas, &n)            what fn was given lives in these arenas, which are the caller's
 */
#ifndef DP_DELTA_LOAD_PRIV_H
#define DP_DELTA_LOAD_PRIV_H

#include <dp/base/pool.h>
#include <dp/delta/action.h>
#include <dp/delta/log.h>

/* key: of add and remove, as dp_delta_file_key makes it.  Both stay until the arenas are released. */
typedef enum dp_status (*delta_load_fn)(void *ctx, const struct dp_delta_action *action, struct dp_str key, struct dp_err *err);

struct delta_load {
    struct dp_pool *pool, *alone; /* alone: of one thread, for what is small */
    unsigned without, n_workers;
    struct delta_load_worker *workers;
    delta_load_fn fn;
    void *ctx;
};

/* pool NULL: by the caller's thread alone. */
void delta_load_open(struct delta_load *l, struct dp_pool *pool, unsigned without, delta_load_fn fn, void *ctx);
void delta_load_close(struct delta_load *l, struct dp_arena **arenas, size_t *n);
/* The commits of versions from .. to, all of which are there. */
enum dp_status delta_load_commits(struct delta_load *l, const char *table, int64_t from, int64_t to, struct dp_err *err) DP_MUST_CHECK;
/* A file of lines: a compaction, a checkpoint as JSON. */
enum dp_status delta_load_lines(struct delta_load *l, const char *path, struct dp_err *err) DP_MUST_CHECK;
/* The file that a checkpoint means by a sidecar's path, whatever directory that names: it stands in _sidecars.  Borrowed. */
struct dp_str delta_sidecar_name(struct dp_str path);
/* Sidecars are followed. */
enum dp_status delta_load_checkpoint(struct delta_load *l, const char *table, const struct dp_delta_checkpoint_ref *c, struct dp_err *err) DP_MUST_CHECK;

#endif
