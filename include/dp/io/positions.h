/*
 * Positions of all the sources of a stream, and the name that they have together: the id of a checkpoint.  The id is the same whichever run gets there, in
 * whichever order, so that the `begin` of a run that goes on from positions that a table has (--since TABLE) names the checkpoint behind which they were
 * committed, and a program with a durable state finds it.  Grammar: dp-records(5).
 */
#ifndef DP_IO_POSITIONS_H
#define DP_IO_POSITIONS_H

#include <dp/base/map.h>
#include <dp/delta/snapshot.h>

struct dp_positions {
    struct dp_map at; /* application id (dp_delta_app_id) -> its part of the sum */
    uint64_t sum;
};

/* The position of one source and partition is this one now. */
void dp_positions_put(struct dp_positions *p, struct dp_str app_id, struct dp_str position);
/* Those that the table has: of the job, or of one application alone where `only` is not NULL. */
void dp_positions_of_table(struct dp_positions *p, const struct dp_delta_snapshot *s, const char *job, const struct dp_str *only, int64_t now_ms);
/* The id: 16 hex digits and NUL, or "" where there are no positions. */
void dp_positions_id(const struct dp_positions *p, char out[24]);
/* What they are now has this id, as dp_positions_id gave it once; what moves from here on changes it as ever. No id: nothing is done. */
void dp_positions_name(struct dp_positions *p, struct dp_str id);
void dp_positions_copy(struct dp_positions *to, const struct dp_positions *from);
void dp_positions_release(struct dp_positions *p);

#endif
