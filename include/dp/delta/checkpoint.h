/*
 * Checkpoints (digest section 6): written classic or V2.  Opening a snapshot reads every form (classic, multi-part, V2 as Parquet or JSON, with
 * sidecars).
 */
#ifndef DP_DELTA_CHECKPOINT_H
#define DP_DELTA_CHECKPOINT_H

#include <dp/delta/snapshot.h>

/* Calls fn for each action; sidecars are followed. */
enum dp_status dp_delta_checkpoint_read(const char *table, const struct dp_delta_checkpoint_ref *c, struct dp_arena *arena,
                                        dp_delta_action_fn fn, void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* The file names in _sidecars that a checkpoint names. */
enum dp_status dp_delta_checkpoint_sidecars(const char *table, const struct dp_delta_checkpoint_ref *c, enum dp_status (*fn)(void *ctx, struct dp_str name, struct dp_err *err),
                                            void *ctx, struct dp_err *err) DP_MUST_CHECK;

enum dp_delta_checkpoint_policy { DP_DELTA_FORM_AUTO, DP_DELTA_FORM_CLASSIC, DP_DELTA_FORM_V2 };
struct dp_delta_checkpoint_opts {
    enum dp_delta_checkpoint_policy form; /* AUTO: as delta.checkpointPolicy says; V2 needs the feature v2Checkpoint (DP_UNSUPPORTED) */
    int64_t now_ms;                       /* for what has expired: removes and transactions are left out then */
    int64_t sidecar_actions;              /* file actions in one file; a V2 checkpoint of more has sidecars of so many.  0: 100,000 */
    const char *into;                     /* a directory in place of _delta_log, which is laid out as that; NULL: _delta_log */
    bool no_hint;                         /* _last_checkpoint is not written */
    enum dp_status (*each)(void *ctx, const char *name, struct dp_err *err); /* of each file that was written, its name below that directory, in the order in which they may become visible; may be NULL */
    void *ctx;
};
/*
 * Writes the checkpoint of the snapshot's version, and _last_checkpoint with its checksum.  Statistics stand in it as JSON unless delta.checkpoint.writeStatsAsJson is
 * false, and as a struct (with the partition values typed) where delta.checkpoint.writeStatsAsStruct is true.
 */
enum dp_status dp_delta_checkpoint_make(const struct dp_delta_snapshot *s, const struct dp_delta_checkpoint_opts *o, struct dp_err *err) DP_MUST_CHECK;
/* The same by the table's own properties. */
enum dp_status dp_delta_checkpoint_write(const struct dp_delta_snapshot *s, int64_t now_ms, struct dp_err *err) DP_MUST_CHECK;
/* What follows a commit: the checkpoint of its version, where one is due (delta.checkpointInterval, default 10), and then the clean-up of the log (logclean.h) unless delta.enableExpiredLogCleanup is false.  dp_delta_publish calls it. */
enum dp_status dp_delta_checkpoint_follow(const char *table, const struct dp_delta_pairs *configuration, int64_t version, int64_t now_ms, struct dp_err *err) DP_MUST_CHECK;

#endif
