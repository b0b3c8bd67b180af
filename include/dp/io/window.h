/*
 * The run of dp-window: records of a stream into windows of event time, rows out.  Time, key and the inputs of aggregates are read on many threads; windows, watermark
 * and output are one thread's, in the order of the input, so that output does not depend on --threads.
 *
 * What a stream with a begin resumes from decides which checkpoint of the state is restored: the one that begin names, else none, and a checkpoint is written at each
 * checkpoint mark before the mark goes on.  Without a begin it is the newest, and one is written at the end; named files then go on where that state's last run left them.
 */
#ifndef DP_IO_WINDOW_H
#define DP_IO_WINDOW_H

#include <dp/io/stream.h>
#include <dp/record/event_time.h>
#include <dp/rules/window.h>

enum dp_windowing_flush { DP_WINDOWING_FLUSH_AUTO, DP_WINDOWING_FLUSH, DP_WINDOWING_NO_FLUSH };

struct dp_windowing {
    struct dp_window_spec window;  /* without zone and changes, which are made of what follows */
    bool is_absence;               /* SESSION: a row says that a key was silent for the gap */
    const char *time;              /* path of the time; NULL: none (COUNT only) */
    enum dp_event_unit unit;       /* of times that are numbers */
    const char *key;               /* "A,B" or NULL; each NAME, PATH or NAME=PATH */
    const char *source;            /* "FIELD" or "FIELD:A,B" or NULL */
    const char *timezone;          /* of calendar windows and of times without an offset, or NULL */
    const char *part;              /* "I/N" or NULL */
    const char *const *aggs; size_t n_aggs;
    bool has_delay;
    int64_t delay, idle, early;    /* ms; idle and early 0: none */
    int64_t max_future;            /* ms; -1: none */
    const char *late, *state;      /* a file, a directory, or NULL */
    const char *const *from_state; /* other states, which keys are taken from where the own one has not the checkpoint yet */
    size_t n_from_state;
    enum dp_windowing_flush flush;
    bool epoch_ms;                 /* times are printed as integer ms */
    bool changes;                  /* records are changes of a table, though neither header nor first record says so */
    struct dp_print_opts print;    /* of typed sources */
};

struct dp_windowed {
    uint64_t rows, unknown;        /* printed; records to be subtracted that were never there */
    uint64_t keys, windows;        /* still held at the end */
    uint64_t checkpoints;          /* written */
    uint64_t part_of_others;       /* records of other parts */
    int64_t watermark;             /* DP_WATERMARK_NONE: none; INT64_MAX: the end of time */
    bool has_state;
};

enum dp_status dp_windowing_run(struct dp_run *run, const char *const *names, size_t n, const struct dp_windowing *o, struct dp_windowed *out, struct dp_err *err) DP_MUST_CHECK;
/* Prints what is in a state, a JSON object a line: its query, its checkpoints, the entries of one (id and NULL as in dp_state_restore). */
enum dp_status dp_windowing_inspect(struct dp_run *run, const char *dir, const char *id, struct dp_err *err) DP_MUST_CHECK;

#endif
