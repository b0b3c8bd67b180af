/*
 * Windows: which ones a record is in, what becomes of them as the watermark moves, what comes out, in which order.  No pipes, no clock: whoever runs it gives it records
 * and gets rows.  One thread; all of the state is here.
 *
 *   open ──► (dp_window_load of a checkpoint) ──► dp_window_add, dp_window_advance ... ──► dp_window_flush ──► close
 *
 * A window fires when W >= end and is dropped when W >= end + lateness.  Order of rows: by end, start, key bytes (memcmp), then retract before emit before update within
 * one step of the watermark; but what a record changes at once (late windows written again) goes first, and of sessions that it joins all retractions come before the new one.
 * With DP_WINDOW_FINAL a window's row comes once, when it is dropped, and rows are in that order over the whole run.
 *
 * SLIDE has both bounds in it: it fires when W > end, is dropped when W > end + lateness (records at W itself may still come), and a record is late when W > time + size + lateness,
 * since a window that begins with it may yet come.  COUNT fires when a window is full, is never late, and its bounds are the least and the greatest time in it.
 *
 * With `changes` a record that is subtracted is taken out of the windows that it was in: they are written again where they had fired, and retracted where nothing is left (a window
 * that comes back begins anew, with pane 0).  A session may fall into several by it; parts that are over by then come at once, behind windows that ended later.
 * Memory is bounded: what does not fit waits in unlinked files of $TMPDIR, and output does not depend on it.  What begins behind the watermark is put aside piece by piece, a session or a row
 * each.  What is held of one key and has to be at hand as a whole (sessions that may be written again, the rows of its open windows, all of it with `changes`) may take half of the memory
 * where that is over DP_LIMIT_WINDOW_UNIT; DP_LIMIT: it would take more.
 */
#ifndef DP_RULES_WINDOW_H
#define DP_RULES_WINDOW_H

#include <dp/base/zone.h>
#include <dp/rules/agg.h>
#include <dp/rules/watermark.h>

enum dp_window_kind { DP_WINDOW_TUMBLE, DP_WINDOW_HOP, DP_WINDOW_SESSION, DP_WINDOW_SLIDE, DP_WINDOW_COUNT, DP_WINDOW_CALENDAR };
enum dp_window_emit { DP_WINDOW_FINAL, DP_WINDOW_UPDATE, DP_WINDOW_CHANGELOG };
enum dp_window_panes { DP_WINDOW_ACCUMULATING, DP_WINDOW_DISCARDING };

struct dp_window_spec {
    enum dp_window_kind kind;
    int64_t size;             /* ms: TUMBLE, HOP; the difference of SLIDE (both bounds inclusive); the gap of SESSION */
    int64_t slide;            /* HOP */
    int64_t offset;           /* TUMBLE, HOP */
    bool gap_exclusive;       /* SESSION: a distance equal to the gap splits */
    int64_t count, every;     /* COUNT: records of a window, and from one to the next (every = count: tumbling) */
    enum dp_calendar unit; int week_start; const struct dp_zone *zone; /* CALENDAR; borrowed */
    int64_t lateness;
    enum dp_window_emit emit;
    enum dp_window_panes panes;
    bool changes;             /* records may be subtracted; a window without records left is retracted (final: not written) */
};
/* DP_USAGE: sizes below 1, more than DP_LIMIT_WINDOWS_PER_RECORD windows for a record, and the like. */
enum dp_status dp_window_check(const struct dp_window_spec *s, struct dp_err *err) DP_MUST_CHECK;

/*
 * Does it take rows out of states (changes; count windows that overlap, but where states are small)?  dp_aggs_allow_sub is to be called then; without it count windows that overlap are slow.
 */
static inline bool dp_window_subtracts(const struct dp_window_spec *s, const struct dp_aggs *aggs) {
    return s->changes || (s->kind == DP_WINDOW_COUNT && s->every < s->count && !dp_aggs_are_small(aggs));
}

/* What was read from a record, borrowed for the call. */
struct dp_window_event {
    int64_t time;             /* ms */
    uint64_t hash;            /* dp_window_hash(key) */
    struct dp_str key, row;   /* the key's bytes (may be empty), and dp_agg_read's */
    size_t source;            /* of the watermark */
    bool subtract;
};
uint64_t dp_window_hash(struct dp_str key); /* the same on all machines and in all runs */

/* LATE: all its windows are closed. UNASSIGNED: it is in a hole between hops, or its window would be beyond int64. UNKNOWN: it is to be subtracted, and was never there. */
enum dp_window_fate { DP_WINDOW_USED, DP_WINDOW_LATE, DP_WINDOW_UNASSIGNED, DP_WINDOW_UNKNOWN };

enum dp_window_op { DP_WINDOW_RETRACT, DP_WINDOW_EMIT, DP_WINDOW_UPDATED };
/* Borrowed for the call.  state is NULL where op is RETRACT. */
struct dp_window_row { enum dp_window_op op; int64_t start, end; struct dp_str key; uint64_t pane; const void *state; bool is_early; };

struct dp_window_conf {
    struct dp_window_spec spec;
    const struct dp_aggs *aggs;      /* borrowed */
    struct dp_watermark *watermark;  /* borrowed; moved by add */
    uint64_t memory;
    enum dp_status (*emit)(void *ctx, const struct dp_window_row *row, struct dp_err *err);
    void *ctx;
    void (*print_key)(struct dp_str key, struct dp_buf *out); /* as JSON, for dp_window_inspect; NULL: its bytes as a string */
};

struct dp_window;
enum dp_status dp_window_open(const struct dp_window_conf *conf, struct dp_window **out, struct dp_err *err) DP_MUST_CHECK;
void dp_window_close(struct dp_window *w); /* NULL is legal */
/* Records in their order: each is put into its windows, then moves the watermark, then what is due fires; all of it has gone to emit when it returns. fates[i] is set for each. */
enum dp_status dp_window_add(struct dp_window *w, const struct dp_window_event *events, size_t n, enum dp_window_fate *fates, struct dp_err *err) DP_MUST_CHECK;
/* The watermark was moved by something else than a record (marks, idle sources): what is due fires. */
enum dp_status dp_window_advance(struct dp_window *w, struct dp_err *err) DP_MUST_CHECK;
/* All that is due has gone to emit when it returns, whatever moved the watermark. */
enum dp_status dp_window_settle(struct dp_window *w, struct dp_err *err) DP_MUST_CHECK;
/* Rows of windows that have not fired and changed since the last call, marked is_early, in order (early results by processing time); behind a restore some may come once more. */
enum dp_status dp_window_early(struct dp_window *w, struct dp_err *err) DP_MUST_CHECK;
/* The end of time: W is plus infinity from now on and everything fires.  COUNT: nothing, but with `rest` of each key the oldest window that is not full (that is for the very end: it stays). */
enum dp_status dp_window_flush(struct dp_window *w, bool rest, struct dp_err *err) DP_MUST_CHECK;

/*
 * Checkpoints.  The state is entries by key; save hands out those that changed since the last save (all: every one), value NULL: gone.  The key of an entry begins with the
 * eight bytes of dp_window_hash of the window's key, big endian, so that a part I of N can be told (dp_window_part); keys with eight zero bytes and more belong to all parts.
 * Save settles first.  Windows that are over may stay in a checkpoint as entries until one with all entries: a load passes them over, by the bound that is in the entry of all parts.
 */
typedef enum dp_status (*dp_window_put)(void *ctx, struct dp_str key, const struct dp_str *value, struct dp_err *err);
enum dp_status dp_window_save(struct dp_window *w, bool all, dp_window_put put, void *ctx, struct dp_err *err) DP_MUST_CHECK;
/* Before the first add; in any order.  DP_FORMAT: damaged. */
enum dp_status dp_window_load(struct dp_window *w, struct dp_str key, struct dp_str value, struct dp_err *err) DP_MUST_CHECK;
/* Does an entry, or a record's key by its hash, belong to part i (from 0) of n? */
bool dp_window_part(uint64_t hash, uint32_t i, uint32_t n);
/* One entry as a JSON object of a line, for people who look at a state. */
enum dp_status dp_window_inspect(const struct dp_window_conf *conf, struct dp_str key, struct dp_str value, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

/* In memory and in files, where what is there twice counts twice; keys: 0 where windows are of a grid (TUMBLE, HOP, CALENDAR); spilled: bytes written to files, ever. */
struct dp_window_counts { uint64_t keys, windows, bytes, spilled; };
struct dp_window_counts dp_window_counts(const struct dp_window *w);

#endif
