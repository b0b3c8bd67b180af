/*
 * Checkpoints (digest section 6): written in the classic form.  Opening a snapshot reads every form (classic, multi-part, V2 as Parquet or
 * JSON, with sidecars).
 */
#ifndef DP_DELTA_CHECKPOINT_H
#define DP_DELTA_CHECKPOINT_H

#include <dp/delta/snapshot.h>

/* Calls fn for each action; sidecars are followed. */
enum dp_status dp_delta_checkpoint_read(const char *table, const struct dp_delta_checkpoint_ref *c, struct dp_arena *arena,
                                        dp_delta_action_fn fn, void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* Writes N.checkpoint.parquet and _last_checkpoint for the snapshot's version.  now_ms: for what has expired. */
enum dp_status dp_delta_checkpoint_write(const struct dp_delta_snapshot *s, int64_t now_ms, struct dp_err *err) DP_MUST_CHECK;
/* What follows a commit: the checkpoint of its version, where one is due (delta.checkpointInterval, default 10).  dp_delta_publish calls it. */
enum dp_status dp_delta_checkpoint_follow(const char *table, const struct dp_delta_pairs *configuration, int64_t version, int64_t now_ms, struct dp_err *err) DP_MUST_CHECK;

#endif
