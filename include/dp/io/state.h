/*
 * A program's durable state (--state DIR): entries by key, as they were at checkpoints.
 *
 *   DIR/state.json                     what made it: program, format, description of the query; never changes
 *   DIR/NNNNNNNNNNNN-PPPPPPPPPPPP.ck   one checkpoint: its number, and that of the one it goes on from (0: from nothing); in it the id, and the entries that changed
 *                                      since that one (or all), sorted by key, in blocks with a checksum each
 *   DIR/.lock                          held while a program runs on it
 *
 * A checkpoint is whole when its file has its name (temporary, fsync, rename, fsync of the directory).  It builds on the one that it goes on from, back to one that has all
 * entries; that chain is kept short by writing one with all entries now and then (dp_state_begin says when).  A file that is damaged is never used.
 *
 * Branches.  Numbers only grow.  The line is the newest checkpoint, the one that it goes on from, and so on.  When a `begin` names checkpoint n and the state is at n+1 already,
 * n is restored, and the next one (n+2) goes on from n: from then on n+1 is of a dead branch.  It is never restored as the newest, also not when n+2 is damaged (the file's
 * name tells the line without its content); but a `begin` may still name it, since a commit that was under way when the last run was killed may win after all.
 *
 * What is kept.  Behind each commit of a checkpoint, files are removed that nobody can ask for: all but
 *   - the one that was restored, which is where the last `begin` was;
 *   - of the line, the latest DP_STATE_KEEP_LEAST checkpoints, and up to DP_STATE_KEEP_MOST while they take no more than DP_STATE_KEEP_BYTES: a sink tells only by the next
 *     `begin` which one it has, so one that lags farther behind than this finds its checkpoint gone (DP_FORMAT, and nothing is computed from a wrong one);
 *   - the same of the line of the run before this one, which is dead where this run went on from an older one;
 *   - the whole chain before the newest one with all entries, for when that is damaged;
 *   - what these build on.
 *
 * Memory is that of a block for each file of a chain.
 */
#ifndef DP_IO_STATE_H
#define DP_IO_STATE_H

#include <dp/io/run.h>

#define DP_STATE_KEEP_LEAST 16
#define DP_STATE_KEEP_MOST 256
#define DP_STATE_KEEP_BYTES (UINT64_C(1) << 30)

struct dp_state;

/* One of its checkpoints. Borrowed until the next call. */
struct dp_state_point {
    uint64_t number, parent;
    const char *id;          /* of the `checkpoint` mark, "" where there was none */
    bool is_full;            /* has all entries */
    bool is_live;            /* of the line; the others are of dead branches */
    bool is_damaged;         /* as far as its first block tells; what is in the others is looked at when it is restored */
    uint64_t entries, bytes; /* of its file */
};

/*
 * Made (0700) when it is not there.  `query` is JSON text of one flat object that describes what is computed: a state made by another one is DP_USAGE, and the members that
 * differ are named with both values.  DP_AGAIN: another process has it.  read_only: nothing is made, locked or removed, and an empty program or query is any.
 */
enum dp_status dp_state_open(struct dp_run *run, const char *dir, const char *program, struct dp_str query, bool read_only, struct dp_state **out, struct dp_err *err) DP_MUST_CHECK;
void dp_state_close(struct dp_state *s); /* NULL is legal */
/* Does a process work on it? For who opened it read_only. */
bool dp_state_is_held(const struct dp_state *s);
/* The description that the state was made with, for inspection without knowing the query. Borrowed. */
struct dp_str dp_state_query(const struct dp_state *s);
/* Do two descriptions say the same, but for these members (NULL-terminated; NULL: none)?  DP_USAGE names those that differ, with both values; `what` begins the message. */
enum dp_status dp_state_same_query(const char *what, struct dp_str was, struct dp_str is, const char *const *except, struct dp_err *err) DP_MUST_CHECK;
/* Appends the value of a member of a description, as it is spelled; false: it has none of this name. */
bool dp_state_query_member(struct dp_str query, const char *name, struct dp_buf *out);
/* Its checkpoints, oldest first; false: no more. */
bool dp_state_list(const struct dp_state *s, size_t i, struct dp_state_point *out);

/*
 * Restores a checkpoint: `id` that of begin ("" restores an empty state, from before any checkpoint), NULL: the newest of the line that is whole (with a warning where that is
 * not the newest), an empty state where there is none yet.  Each entry goes to `each` once, by key; all has been checked before the first.
 * DP_FORMAT: that one is not there or damaged; those that are whole, are named.  An id that stands twice is that of the newer.  *point (may be NULL): number 0 where there was none.
 */
enum dp_status dp_state_restore(struct dp_state *s, const char *id, enum dp_status (*each)(void *ctx, struct dp_str key, struct dp_str value, struct dp_err *err),
                                void *ctx, struct dp_state_point *point, struct dp_err *err) DP_MUST_CHECK;

/* Begins the next one, which goes on from the one that was restored or committed last; *all: every entry is to be put (the chain is long, or this is the first).  One at a time. */
enum dp_status dp_state_begin(struct dp_state *s, const char *id, bool *all, struct dp_err *err) DP_MUST_CHECK;
/* In any order, each key once; value NULL: the entry is gone (not where all are put).  What does not fit an eighth of the run's memory is sorted in unlinked files. */
enum dp_status dp_state_put(struct dp_state *s, struct dp_str key, const struct dp_str *value, struct dp_err *err) DP_MUST_CHECK;
/* On disk when it returns. Then files that no checkpoint needs are removed. */
enum dp_status dp_state_commit(struct dp_state *s, struct dp_err *err) DP_MUST_CHECK;
void dp_state_abort(struct dp_state *s); /* of the one that was begun; nothing without one. The next has all entries. */

#endif
