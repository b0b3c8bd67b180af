/* What stream.c (chunks, workers, books) and stream_marks.c (begin, end, checkpoints, abort) share. */
#ifndef DP_IO_STREAM_PRIV_H
#define DP_IO_STREAM_PRIV_H

#include <dp/base/map.h>
#include <dp/io/stream.h>

#include <pthread.h>
#include <stdatomic.h>

/* A job is the driver's part, then the tool's, aligned. */
#define DP_STREAM_JOB_HEAD ((sizeof(struct dp_job) + 63) / 64 * 64)

/* A record on hold: its bytes and line in the chunk, how far output, rejects and books were when it came. */
struct dp_job_held_ {
    const char *raw;
    size_t raw_n, out_at, rejects_at;
    uint32_t index, line_off;
    struct dp_books books;
};

struct dp_stream_worker {
    struct dp_scan *scan;
    struct dp_expr_run *where;
    void *mem;
    bool is_open, is_ready;
    struct dp_err err; /* of an expression: set where it fails, since clearing it for each record costs as much as a comparison */
    bool reserved; /* the latest record had a key that is kept for marks */
};

struct dp_stream {
    struct dp_run *run;
    const struct dp_stream_conf *conf;
    const struct dp_stream_ops *ops;
    void *ctx;
    const char *const *names;
    size_t n_names;
    struct dp_sources *sources;
    struct dp_expr *where;
    struct dp_stream_worker *workers;
    bool piped, decides, stop_first;
    bool is_surveyed;       /* of several sources that we open: their common schema, or NULL */
    struct dp_type *schema;
    atomic_bool stopped;
    const struct dp_origin *last_origin; /* of the latest records, and the byte behind them */
    uint64_t last_end;

    /* Who waits for whom: the source for input, the output for the jobs under way. */
    pthread_mutex_t lock;
    uint64_t produced, consumed;
    bool waiting;

    /* Input side of the marks, kept by produce. */
    bool in_begin, in_end, in_data;
    struct dp_linehash *in_hash;
    uint64_t in_lines;
    struct dp_type *in_types; /* of begin, before anybody amends it */
    struct dp_map in_classified; /* names of columns that begin calls classified */
    bool in_all_classified;   /* what begin says of its fields can't be read */

    /* Kept by consume. */
    struct dp_mark begin, end;
    struct dp_linehash *out_hash;
    uint64_t out_lines;
    struct dp_positions positions; /* of our own checkpoints */
    bool tried_open;

    /* Lineage where no begin goes through: the first bytes of the input, before they are gone; NULL: nobody wants them. */
    struct dp_buf first;
    bool has_first;
};

void dp_marks_start(struct dp_stream *s);
void dp_marks_release(struct dp_stream *s);
/* In produce: order of begin, data and end; count and hash; `end` must agree with them. */
enum dp_status dp_marks_note_input(struct dp_stream *s, const struct dp_chunk *c, struct dp_err *err) DP_MUST_CHECK;
/* In consume. */
enum dp_status dp_marks_take(struct dp_stream *s, struct dp_mark *m, struct dp_err *err) DP_MUST_CHECK;
/* In consume: a mark that the sources of our own made (followed files). */
enum dp_status dp_marks_own(struct dp_stream *s, struct dp_mark *m, struct dp_err *err) DP_MUST_CHECK;
/* A begin of our own where we open the input, before the first output. */
enum dp_status dp_marks_open(struct dp_stream *s, const struct dp_origin *origin, struct dp_err *err) DP_MUST_CHECK;
void dp_marks_note_output(struct dp_stream *s, const void *p, size_t n);
/* The latest origin was read to its end: a checkpoint behind it. */
enum dp_status dp_marks_origin_done(struct dp_stream *s, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_marks_input_ended(struct dp_stream *s, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_marks_end(struct dp_stream *s, struct dp_err *err) DP_MUST_CHECK;

#endif
