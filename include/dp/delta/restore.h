/*
 * Restoring a table to what it was (digest section 18): a new commit that removes what is there now and was not then, and adds what was there then.
 *
 *     dp_delta_restore_plan(now, then, &plan)        what would change
 *     dp_delta_restore_missing(plan, fn, ctx)        files and deletion vectors that are needed and gone
 *     dp_delta_restore_publish(plan, ...)
 *
 * The protocol is never lowered; the table keeps its id, its highest column id, and what its versions' times hang on.
 */
#ifndef DP_DELTA_RESTORE_H
#define DP_DELTA_RESTORE_H

#include <dp/delta/commit.h>

struct dp_delta_restore {
    const struct dp_delta_snapshot *now, *then; /* borrowed */
    struct dp_delta_change change;              /* ready but for its time */
    struct dp_delta_metadata metadata;
    struct dp_delta_domain *domains;
    const struct dp_delta_file **removes;
    struct dp_delta_file *adds;
    int64_t added_bytes, removed_bytes;
    bool is_changed;                            /* there is something to commit */
    bool changes_schema, changes_properties;    /* the metaData's */
    struct dp_buf parameters, metrics;
    struct dp_arena arena;
};

void dp_delta_restore_plan(const struct dp_delta_snapshot *now, const struct dp_delta_snapshot *then, const char *timestamp, struct dp_delta_restore *out);
void dp_delta_restore_release(struct dp_delta_restore *r);
/* Calls fn for each file that the plan needs and that is not there, or has another size than it had; its failure ends it. */
enum dp_status dp_delta_restore_missing(const struct dp_delta_restore *r, enum dp_status (*fn)(void *ctx, const char *path, const char *why, struct dp_err *err), void *ctx,
                                        struct dp_err *err) DP_MUST_CHECK;
/* DP_AGAIN: another commit came in between; open the table and plan again. */
enum dp_status dp_delta_restore_publish(struct dp_delta_restore *r, int64_t now_ms, int64_t *version, struct dp_err *err) DP_MUST_CHECK;

#endif
