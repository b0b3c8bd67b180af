/*
 * Files of a table moved from one place to another, for dp-retain's apply and restore: each is copied to its new place, checked and synced; then one commit names all of them there
 * instead.  Rows, statistics, partition values, deletion vectors and row ids stay what they are.
 *
 * May be stopped anywhere and done again: a copy that is whole is not made twice.  The old files stay where they are, for older versions; a vacuum takes them.
 */
#ifndef DP_IO_TIER_MOVE_H
#define DP_IO_TIER_MOVE_H

#include <dp/base/map.h>
#include <dp/delta/snapshot.h>
#include <dp/io/run.h>

/* Strings are copied by tier_moving_add, but for the file, which is the snapshot's. */
struct tier_item {
    const struct dp_delta_file *file;
    const char *from;        /* where its bytes are */
    const char *root, *rel;  /* where they go: rel below root; another name where something else stands there */
    const char *drafts;      /* a directory on the same file system, for copies at work */
    const char *tier;        /* the name of its tier; NULL: back into the table, whose directory root is */
    struct dp_str sha256;    /* what it must have; n 0: what it has */
};

struct tier_moving {
    struct dp_run *run;
    const char *table;
    const char *operation, *parameters; /* of the commit */
    struct dp_str app_id;               /* of a transaction in the commit; n 0: none */
    int64_t txn_version;
    /* Adds the files of this version that are to be moved.  Called again where a concurrent commit took some away. */
    enum dp_status (*choose)(void *ctx, struct tier_moving *m, const struct dp_delta_snapshot *s, struct dp_err *err);
    void *ctx;
    /* what came of it */
    int64_t version;                    /* published; -1: nothing to do, or a dry run */
    uint64_t files, bytes;
    /* its own */
    struct tier_item *items;
    size_t n, cap;
    struct dp_map copies;               /* path of the source -> struct tier_copy */
    struct dp_arena arena, round;
    char *block;
};

void tier_moving_add(struct tier_moving *m, const struct tier_item *item);
/* DP_END: a commit with the transaction is there already.  DP_AGAIN: others were faster, over and over.  DP_FORMAT: a file is not what the log or its digest says. */
enum dp_status tier_move(struct tier_moving *m, struct dp_err *err) DP_MUST_CHECK;

/* A directory for copies at work, for this process alone and emptied of what a dead one left.  DP_AGAIN: another process has it. */
enum dp_status tier_drafts_open(const char *dir, int *lock, struct dp_err *err) DP_MUST_CHECK;
void tier_drafts_close(const char *dir, int lock);

#endif
