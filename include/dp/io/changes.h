/*
 * The change data feed of a table on its way through a pipe (dp-table(1), changes): where it begins, and the positions that make it exactly once.
 */
#ifndef DP_IO_CHANGES_H
#define DP_IO_CHANGES_H

#include <dp/delta/snapshot.h>
#include <dp/io/positions.h>
#include <dp/io/source.h>

/* The source of the feed's checkpoints, "delta:" and the table's id: a table that was moved or copied goes on, one that was made anew begins anew. */
void dp_changes_source_id(const char *table_id, struct dp_buf *out);

struct dp_changes_start {
    int64_t since;          /* first version */
    int64_t target_version; /* of the table whose position it is; -1: it is none's */
    struct dp_positions positions; /* that table's of this feed; the caller releases them */
};

/*
 * Where --since TEXT begins in a table: VERSION, TIME, or the name of a table whose commits carry positions of this feed (of run->job): behind the latest
 * one.  Where it has none, and where text is NULL: the oldest version of the feed.
 */
enum dp_status dp_changes_since(const struct dp_run *run, const char *table, const char *text, struct dp_changes_start *out, struct dp_err *err) DP_MUST_CHECK;

#endif
