/*
 * The driver of every program that reads records (or paths) and goes through them in order.
 *
 *   dp_sources_next ──► convert, scan, --where, ops.record (any thread) ──► books, rejects, ops.emit, output, marks (in order)
 *
 * The tool gives a table of functions.  Only `record` runs on many threads at once, each with its own job and worker memory; everything
 * else runs one at a time and in the order of the input, so output does not depend on --threads.
 *
 * Marks are kept here (DESIGN section 1): begin and end of a program that opens its input; the chain, header, count and hash of one that is
 * piped; end verified before ours is written; a stream with begin and without end is cut (exit 4); abort passed on; a foreign run id refused.
 * When dp_stream_run fails, it has written `abort`, and the caller publishes nothing.  When it returns DP_OK, the input was read to its end,
 * the stream was whole, the books balance and rejects are within --max-rejects; the caller may publish.
 *
 * Every record must end as exactly one of: dp_job_pass, dp_job_use, dp_job_filter, dp_job_reject, dp_job_count; or dp_job_hold, and then as one of those in
 * ops.decide, for what only the order of the input can tell.
 */
#ifndef DP_IO_STREAM_H
#define DP_IO_STREAM_H

#include <dp/base/map.h>
#include <dp/io/out.h>
#include <dp/io/positions.h>
#include <dp/io/rejects.h>
#include <dp/record/expr.h>

struct dp_stream;

/* One chunk on its way.  Tools use the named members; those with a trailing _ are the driver's. */
struct dp_job {
    struct dp_stream *stream;
    struct dp_run *run;
    unsigned worker;
    void *worker_mem;      /* ops.worker_size bytes of this thread (record, chunk_begin, chunk_end) */
    void *mem;             /* ops.job_size bytes of this job; zeroed before its first chunk, then as the tool left it */
    struct dp_buf out;     /* text for standard output: whole lines; written behind ops.emit */
    const struct dp_chunk *chunk; /* origin, line, offset: where the records come from */
    bool new_keys;         /* in record: its top-level keys may be others, or in another order, than those of the record that this thread's call before had */
    struct dp_books books_;
    struct dp_buf rejects_;
    struct dp_err first_reject_;
    struct dp_chunk chunk_;
    uint64_t bad_line_;    /* line of the first row that conversion refused, 0: none */
    bool data_;            /* its records were looked at, not skipped */
    bool rejected_;        /* a reject where none is tolerated: what stands behind it was not looked at */
    bool malformed_;       /* kind of the latest reject */
    struct dp_map reasons_; /* of rejects that nobody keeps */
    /* records on hold */
    struct dp_job_held_ *held_;
    size_t n_held_, cap_held_, next_held_;
    struct dp_buf held_out_, held_rejects_;
    struct dp_books held_books_;
};

enum dp_tally { DP_TALLY_USED, DP_TALLY_FILTERED, DP_TALLY_DEDUPLICATED, DP_TALLY_LATE, DP_TALLY_UNASSIGNED };

/* The record goes out as it came in. */
void dp_job_pass(struct dp_job *j, const struct dp_record *r);
/* The record went into output (j->out or the tool's memory), a file or an aggregate. */
static inline void dp_job_use(struct dp_job *j) { j->books_.used++; }
static inline void dp_job_filter(struct dp_job *j) { j->books_.filtered++; }
void dp_job_count(struct dp_job *j, enum dp_tally tally);
/* The record is bad.  rule "malformed" and "reserved-key" count as malformed (exit 4), all others as broken rules (exit 1). */
void dp_job_reject(struct dp_job *j, const struct dp_record *r, const char *rule, const char *path, const char *expected, const char *fmt, ...)
    DP_PRINTF(6, 7);
void dp_job_reject_rules(struct dp_job *j, const struct dp_record *r, const struct dp_reject_rule *rules, size_t n, bool hide_raw);
/* What becomes of it is said in ops.decide. Records on hold keep their place among the others. */
void dp_job_hold(struct dp_job *j, const struct dp_record *r);
/*
 * In ops.decide: the next record on hold, in order, until false (none is left, or one was rejected where none is tolerated).  Only its raw bytes and its
 * place are there: no nodes.  Each must end as said above before the next call.
 */
bool dp_job_next_held(struct dp_job *j, struct dp_record *r);
/*
 * In ops.chunk_end, and in ops.decide where nothing is on hold: a record that was passed is not to go out after all.  The caller has taken its line out of
 * j->out (from which he noted it); whatever else stands there stays.
 */
void dp_job_withdraw(struct dp_job *j, enum dp_tally tally);
/* Line and byte offset of a record in its source, for messages. */
void dp_job_place(const struct dp_job *j, const struct dp_record *r, uint64_t *line, uint64_t *offset);

struct dp_stream_ops {
    size_t worker_size, job_size;
    /* All may be NULL, and their words are borrowed for the call. */
    enum dp_status (*worker_open)(void *ctx, void *worker_mem, struct dp_err *err);
    void (*worker_close)(void *ctx, void *worker_mem);
    void (*job_close)(void *ctx, void *job_mem);

    /* Any thread.  NULL record: dp_job_pass.  A failure here ends the run; a bad record is dp_job_reject and DP_OK. */
    enum dp_status (*chunk_begin)(void *ctx, struct dp_job *j, struct dp_err *err);
    enum dp_status (*record)(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err);
    enum dp_status (*chunk_end)(void *ctx, struct dp_job *j, struct dp_err *err);

    /* In order, one at a time. */
    /* Of each chunk, before its counts, rejects and output are taken: goes through the records on hold (dp_job_next_held).  With none on hold, j->out is
       what `record` made it. */
    enum dp_status (*decide)(void *ctx, struct dp_job *j, struct dp_err *err);
    enum dp_status (*emit)(void *ctx, struct dp_job *j, struct dp_err *err);
    /* One path line of standard input (conf.paths DP_PATHS_PASS).  The path is NUL-terminated behind its end. Each counts as one used. */
    enum dp_status (*path)(void *ctx, struct dp_str path, struct dp_err *err);
    /* The header before it goes out (or, on a program that writes no stream, is dropped): take the schema, amend it. Also called for a begin of our own. */
    enum dp_status (*begin)(void *ctx, struct dp_mark *begin, struct dp_err *err);
    /*
     * Behind that: amends the header to that of what this program makes, and notes it for an output (dp_dataset_header).  Called too where no begin goes through and
     * lineage is wanted; so it must not change what the program does, and there a failure only ends what is known.
     */
    enum dp_status (*header)(void *ctx, struct dp_mark *begin, struct dp_err *err);
    /* checkpoint, watermark, idle, active, heartbeat.  *pass is true; false holds it back (dp_stream_mark writes it later). */
    enum dp_status (*mark)(void *ctx, const struct dp_mark *m, bool *pass, struct dp_err *err);
    /*
     * The input makes us wait and all that came is through: what is due may be written, it goes out behind this.  Called again each conf.wake_ms (0: not) while
     * the wait lasts, on any thread, never beside another of these.
     */
    enum dp_status (*wait)(void *ctx, struct dp_err *err);
    /* The input has ended and was whole: last output (dp_stream_write), held-back checkpoints. Not called after a failure. */
    enum dp_status (*finish)(void *ctx, struct dp_err *err);
};

struct dp_stream_conf {
    struct dp_source_opts sources;
    bool decides;        /* the program decides by, or changes, fields: a record with duplicate keys is a reject */
    bool keep_text;      /* no scanning: chunks are handed to emit whole (j->chunk->text), each line counted as used */
    bool sink;           /* standard output is not the stream: no marks are written */
    bool strict;         /* begin first and end last, or DP_FORMAT (dp-table commit) */
    bool read_all;       /* rejects over the limit fail the run only at the end of input */
    bool keeps_chunks;   /* emit looks at the text of the chunk (j->chunk->text), also where it is huge */
    int64_t wake_ms;     /* of ops.wait */
    bool no_checkpoints; /* don't emit a checkpoint behind each source that we open */
    const struct dp_positions *resumes; /* the positions that this run goes on from: begin names their checkpoint. NULL: it goes on from none that it knows of */
};

/* Names and n as in dp_sources_open. */
enum dp_status dp_stream_run(struct dp_run *run, const char *const *names, size_t n, const struct dp_stream_conf *conf,
                             const struct dp_stream_ops *ops, void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* The types of this chunk's records as their source or the stream's begin tells them, NULL: not known. Any thread; borrowed until the end of the run. */
const struct dp_type *dp_job_types(const struct dp_job *j);
/* Does the header of the stream that came in call this column classified?  Any thread; NULL: no. */
bool dp_stream_is_classified(const struct dp_stream *s, struct dp_str column);

/* ---- from inside the callbacks that run in order ---- */
struct dp_stream *dp_stream_of(const struct dp_run *run); /* the stream that runs now, NULL outside */
/* Whole lines of data. */
enum dp_status dp_stream_write(struct dp_stream *s, const void *p, size_t n, struct dp_err *err) DP_MUST_CHECK;
/* A mark of ours or one held back; run id is filled in. */
enum dp_status dp_stream_mark(struct dp_stream *s, const struct dp_mark *m, struct dp_err *err) DP_MUST_CHECK;
/* Enough was read: what follows is drained (pipe) or left (files) and counts nowhere. */
void dp_stream_stop(struct dp_stream *s);
/* The header of the stream (begin), NULL when there is none; borrowed until the end of the run. */
const struct dp_mark *dp_stream_begin(const struct dp_stream *s);
/* Verified `end` of the input (count and hash of its data lines), NULL while there is none. */
const struct dp_mark *dp_stream_end(const struct dp_stream *s);
bool dp_stream_is_piped(const struct dp_stream *s);

#endif
