/* What the files of dp-window's run share: window_read.c (records to events), window_key.c, window_row.c (rows out), window_head.c (header), window_state.c (checkpoints), window_parts.c (keys from other states), window_inspect.c, window_run.c (in order). */
#ifndef DP_IO_WINDOW_PRIV_H
#define DP_IO_WINDOW_PRIV_H

#include "durable.h"

#include <dp/base/arena.h>
#include <dp/base/map.h>
#include <dp/io/kept_marks.h>
#include <dp/io/window.h>
#include <dp/record/event_time.h>
#include <dp/record/field.h>

/* ---- times ---- */

/* The times whose windows can be printed (window_row.c). */
void window_clock_set(const struct dp_window_spec *spec, bool epoch_ms, struct dp_event_clock *c);
/* With quotes where it is text: a time that RFC 3339 can't say is an integer.  At most 44 bytes. */
size_t window_time_print(char out[44], int64_t ms, bool epoch_ms);

/* ---- keys ---- */

/* One column of a key's bytes is its text, NUL as 00 FF, then 00 and a tag: memcmp orders by the text of each column, then the next. */
/* False: null, absent (node 0) or of another kind; *why says so. */
bool window_key_add(const struct dp_record *r, uint32_t node, struct dp_buf *out, const char **why);
/* The next column's value as JSON; *key moves behind it.  False: it is no key. */
bool window_key_print(struct dp_str *key, struct dp_buf *out);

/* ---- the run ---- */

struct window_key { char *name; struct dp_path path; struct dp_buf member; }; /* member: how its field begins in a row, with the comma */

struct window_job {
    struct dp_window_event *events;
    size_t n, cap;
    struct dp_buf keys, rows;
    uint32_t *line_off; size_t cap_line_off; /* of each event, where late lines are kept */
    bool *others; size_t cap_others;         /* of each event: it is another part's */
    struct dp_map sources;                   /* name to number in the job; its items are in that order */
    bool first_is_change;                    /* the first event came with a change type */
    int64_t future;                          /* times behind it are rejected */
    bool wants_change;                       /* the header says that records are changes */
    bool has_subtract;                       /* of one event at least */
    int64_t latest;                          /* time of its events */
    const struct dp_type *types;             /* of its records, or NULL */
};

struct window_worker {
    struct dp_agg_reader *reader;
    struct dp_path_hint time, source, change, *keys;
    bool lacks_change;                       /* the records since one that had no change type have the same names */
    struct dp_event_day day;
    struct dp_buf scratch;
    struct dp_err err;
};

/* A source that is due to be idle. */
struct window_silence { size_t source; int64_t since, promise; };

struct windowing {
    struct dp_run *run;
    const struct dp_windowing *o;
    struct dp_windowed *out;
    struct window_key *keys; size_t n_keys;
    struct dp_path time, source, change;
    char **named; size_t n_named;            /* sources that hold the watermark from the start */
    uint32_t part, parts;
    struct dp_event_clock clock;
    struct dp_zone *zone;
    struct dp_window_spec spec;
    struct dp_aggs *aggs;
    struct dp_agg_printer *printer;
    struct dp_watermark watermark;
    struct dp_window *window;                /* NULL: not open yet */
    bool is_changes, has_schema_changes;
    enum dp_window_fate *fates; size_t cap_fates;
    size_t *numbers; size_t cap_numbers;     /* of the watermark, by a job's */
    int64_t latest;                          /* time of an accepted record */
    /* rows on their way out */
    struct dp_buf rows;
    struct dp_buf bounds; int64_t start_ms, end_ms; /* how the latest row began, and its window: there are rows of many keys */
    /* clocks, in ms */
    int64_t begun_at, stalled_at, next_early;
    struct window_silence *silent; size_t cap_silent;
    /* marks */
    struct dp_kept_marks kept;               /* checkpoints, until what is before them is out or in the state */
    int64_t passed;                          /* the watermark that went downstream */
    bool is_held_told;
    struct durable durable;
    const char **reads; size_t n_reads, cap_reads; /* columns of typed sources */
    struct dp_expr *where;                   /* --where, for its columns; NULL */
};

#define WINDOW_CHANGE_TYPE "_change_type"

/* window_read.c: the parts of the stream's table of functions that run on any thread */
enum dp_status window_worker_open(void *ctx, void *mem, struct dp_err *err);
void window_worker_close(void *ctx, void *mem);
void window_job_close(void *ctx, void *mem);
enum dp_status window_chunk_begin(void *ctx, struct dp_job *j, struct dp_err *err);
enum dp_status window_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err);
enum dp_status window_chunk_end(void *ctx, struct dp_job *j, struct dp_err *err);

/* window_row.c */
enum dp_status window_row(void *ctx, const struct dp_window_row *row, struct dp_err *err);
enum dp_status window_rows_out(struct windowing *w, struct dp_err *err) DP_MUST_CHECK;

/* window_head.c: names that rows have beside key and aggregates, NULL behind them; and the header behind us */
const char *const *window_reserved(const struct dp_windowing *o);
void window_header(const struct windowing *w, struct dp_mark *begin);

/* window_state.c */
/* Was the state that is there made of changes?  So it goes on where a mark comes before the first record. */
bool window_state_has_changes(const struct windowing *w);
enum dp_status window_state_open(struct windowing *w, struct dp_err *err) DP_MUST_CHECK;
/* id as in dp_state_restore. The windows must be open. */
enum dp_status window_state_restore(struct windowing *w, const char *id, struct dp_err *err) DP_MUST_CHECK;
enum dp_status window_state_save(struct windowing *w, const char *id, struct dp_err *err) DP_MUST_CHECK;
/* Entries that are not of a key are said alike in the states of all parts. */
bool window_state_is_shared(struct dp_str key);
enum dp_status window_state_load(struct windowing *w, struct dp_str key, struct dp_str value, struct dp_err *err) DP_MUST_CHECK;

/* window_parts.c: "I/N", i from 0; and all entries of our part out of --from-state, at the checkpoint of this id (NULL: the newest). *taken_id: which one it was, the caller's to free. */
bool window_part_parse(const char *text, uint32_t *i, uint32_t *n);
enum dp_status window_parts_take(struct windowing *w, const char *id, char **taken_id, struct dp_err *err) DP_MUST_CHECK;

#endif
