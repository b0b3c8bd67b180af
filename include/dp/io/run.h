/*
 * The context of one run of one program: limits, identity, books, outputs.  cli fills it from the options; nothing else is global.
 */
#ifndef DP_IO_RUN_H
#define DP_IO_RUN_H

#include <dp/base/pool.h>
#include <dp/base/buf.h>
#include <dp/record/mark.h>

/* in = used + rejected + filtered + deduplicated + late + unassigned, or the run fails as a bug. */
struct dp_books {
    uint64_t in, used, rejected, filtered, deduplicated, late, unassigned;
    uint64_t rejected_malformed; /* part of rejected: not records at all (exit 4), the rest broke a rule (exit 1) */
    uint64_t coerced;            /* values whose spelling was changed on purpose (-v says which options would keep them) */
    uint64_t bytes_in, bytes_out;
};

enum dp_log_level { DP_LOG_ERROR, DP_LOG_WARN, DP_LOG_INFO, DP_LOG_VERBOSE };

struct dp_run {
    const char *program;      /* "dp-map" */
    char run_id[128];         /* DP_RUN_ID (set by dp-run), Airflow's ids, or a fresh UUID */
    char job[128];            /* DP_JOB, else "dp" */
    unsigned threads;
    uint64_t memory;          /* bytes */
    uint64_t max_record;
    bool marks;               /* --marks or DP_MARKS=1 */
    bool line_buffered;
    bool led;            /* dp-run has started this program: it speaks for all its stages */
    bool dry_run, skip_empty;
    int64_t now_micros;       /* --now or the clock at start */
    struct dp_pool *pool;
    struct dp_rejects *rejects;
    struct dp_out *out;       /* standard output */
    struct dp_books books;
    const volatile int *stop_signal; /* non-zero: the signal's number; loops look at it between chunks; may be NULL */
    int stop_fd;              /* readable when a signal came, for poll beside an input; -1: none */
    int wake_fd;              /* the other end: whoever fails while another thread waits for input writes a byte here; -1: none */
    bool hide_raw;            /* the contract or the stream's header has classified fields: reject lines carry no raw record */
    bool rejects_clear;       /* --rejects-clear: they do all the same */
    bool rejects_inline;      /* --rejects -: a reject's line takes the record's place in the output */
    bool rejects_unkept;      /* no --rejects: lines are made for the count of their reasons, without the record */
    const char *where;        /* --where, applied by dp_stream; NULL: none */
    bool marks_open;          /* a begin was written (or taken over): a failure must write abort */
    bool marks_closed;        /* end or abort was written: no mark may follow */
    bool now_fixed;           /* --now was given: it is the clock */
    struct dp_stream *stream; /* the one that runs now */
    struct dp_datasets *datasets; /* what is read and written (dp/io/datasets.h); NULL: nobody wants to know */
    void (*tick)(struct dp_run *run); /* called by dp_stream now and then, for progress; may be NULL */
    void (*log)(void *ctx, enum dp_log_level level, const char *fmt, va_list ap);
    void *log_ctx;
};

/* True (with err set to DP_SIGNALLED and the exit code 128+N) when a signal asked to stop. */
bool dp_run_stopped(const struct dp_run *run, struct dp_err *err);
/* Writes `abort` to run->out, once, where a stream with marks is open or marks are wanted. Failures to write are passed over: the run has failed anyway. */
void dp_run_abort(struct dp_run *run, const struct dp_err *err);
/* One line, where the level is wanted. */
void dp_run_log(const struct dp_run *run, enum dp_log_level level, const char *fmt, ...) DP_PRINTF(3, 4);

#endif
