/*
 * Which versions of a table the log can still tell, when each was superseded, and in which of them a file that is live no more was live: what a history costs, and what
 * becomes unreadable when a file goes.  The log is read from its oldest readable version on; no data file is looked at.
 */
#ifndef DP_DELTA_LIVES_H
#define DP_DELTA_LIVES_H

#include <dp/delta/snapshot.h>

struct dp_delta_life {
    const struct dp_delta_file *file; /* the add, without statistics */
    int64_t from, to;                 /* live in the versions from .. to-1 */
    int64_t removed_ms;               /* its deletionTimestamp, or DP_DELTA_UNSET */
};

/* Zero value is empty. */
struct dp_delta_lives {
    int64_t oldest, latest;   /* versions, both inclusive */
    int64_t *times;           /* of version oldest + i, ms */
    struct dp_delta_life *v;  /* of files (with their deletion vectors) that are not live at `latest` */
    size_t n, cap;
    struct dp_delta_life *all; /* v, and those that are live: `to` INT64_MAX */
    size_t n_all;
    struct dp_delta_snapshot *first;
    struct dp_arena arena;
};

/* latest: the snapshot whose history it is. */
enum dp_status dp_delta_lives_read(const struct dp_delta_snapshot *latest, struct dp_delta_lives *out, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_lives_release(struct dp_delta_lives *l);

#endif
