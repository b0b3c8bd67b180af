/*
 * Files that are in their place and not yet in the log.
 *
 * A data file, a deletion vector, a change data file gets its place first and is named by the log afterwards; in between nothing but its age tells
 * a vacuum that somebody wants it.  So who places files, or relies on files that no live entry names, holds them from before that until the entry is linked, and
 * a vacuum deletes only while nobody holds any and new holders wait: then it looks at the log again, where it finds what the last holders linked.
 * Both are flock(2) locks on directories, so nothing is left behind, and a process that dies lets go.
 *
 *     dp_delta_hold(table, &hold, err)          many at once
 *     rename files to their places; dp_delta_publish(...)
 *     dp_delta_hold_release(&hold)
 */
#ifndef DP_DELTA_HOLD_H
#define DP_DELTA_HOLD_H

#include <dp/base/status.h>

/* Initialise with DP_DELTA_HOLD_INIT. */
struct dp_delta_hold {
    int table, log; /* descriptors, -1 = none */
};
#define DP_DELTA_HOLD_INIT {-1, -1}

/* Waits while a vacuum deletes.  The table's directory must be there.  A process must not take it again while it has it.  No locks on this file system: DP_OK, and nothing is held. */
enum dp_status dp_delta_hold(const char *table, struct dp_delta_hold *h, struct dp_err *err) DP_MUST_CHECK;
/* Waits until nobody holds files of the table, and keeps everybody from it until the release; who waits is served before those that come later. */
enum dp_status dp_delta_hold_alone(const char *table, struct dp_delta_hold *h, struct dp_err *err) DP_MUST_CHECK;
/* For who removes from the log alone, holding files or not: keeps off who wants to be alone.  Never waits: DP_AGAIN where one is at work. */
enum dp_status dp_delta_hold_log(const char *table, struct dp_delta_hold *h, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_hold_release(struct dp_delta_hold *h);

#endif
