/* Private to lib/io/source*.c. */
#ifndef DP_IO_SOURCE_PRIV_H
#define DP_IO_SOURCE_PRIV_H

#include <dp/base/map.h>
#include <dp/base/time.h>
#include <dp/format/doc.h>
#include <dp/format/text.h>
#include <dp/io/datasets.h>
#include <dp/io/evolve.h>
#include <dp/io/rows.h>
#include <dp/io/rejects.h>
#include <dp/parquet/reader.h>

enum dp_source_format { DP_SOURCE_NONE, DP_SOURCE_LINES, DP_SOURCE_DOCUMENTS, DP_SOURCE_CSV, DP_SOURCE_PARQUET, DP_SOURCE_TABLE, DP_SOURCE_REJECTS, DP_SOURCE_EMPTY };

/* What a chunk needs to be converted; one for each origin, kept until close. */
struct dp_reading {
    struct dp_reading *next;
    enum dp_source_format format;
    struct dp_origin *origin;
    struct dp_csv_table *table;    /* CSV */
    struct dp_pq_file *parquet;
    struct dp_shared *shared;      /* which owns it */
    struct dp_type *schema;        /* Parquet: a copy, since batches outlive the file */
};

struct dp_sources {
    struct dp_run *run;
    const struct dp_source_opts *opts;
    struct dp_csv_dialect dialect; /* what the options force */
    char **names;                  /* operands, globs and directories expanded */
    size_t n_names, cap_names, next_name;
    bool piped;                    /* standard input is a stream of ours */
    /* the source that is open */
    struct dp_input *in;
    struct dp_text *text;
    const char *name;
    /* lineage: what was asked for, and (where somebody wants to know) the dataset that each name and what is open belong to */
    char **operands;
    size_t n_operands, cap_operands;
    struct dp_dataset **of_names, *dataset, *expanding;
    size_t cap_of_names;
    char *path_line;               /* its name when it came in the stream */
    size_t path_n;                 /* bytes of path_line that waits to be opened, 0: none */
    uint64_t path_at_line, path_at; /* where it stands in the stream */
    uint64_t set_end;              /* offset in the stream up to which paths are in the set */
    struct dp_reading *reading;    /* NULL: none */
    struct dp_reading *readings;   /* all so far */
    struct dp_buf carry;           /* read and not handed out */
    size_t carry_at;
    bool ended;                    /* no more bytes behind carry */
    uint64_t patience;             /* clock in ms at which waiting for more to look at ends (DP_AGAIN); 0: never */
    uint64_t look_until;           /* patience while format, encoding and dialect are told */
    bool skipping;                 /* the stream is in a line that is too long */
    uint64_t line, offset;         /* of carry_at; lines from 1 */
    uint64_t cut_from;             /* offset at which the cutters began to count */
    uint64_t cut_seen;             /* offset up to which they have looked */
    uint64_t rows;                 /* Parquet: read so far */
    struct dp_csv_cut csv_cut;
    struct dp_doc_cut doc_cut;
    bool doc_in_array;
    struct dp_pq_reader *pq;
    struct dp_type *set;           /* of the Parquet files and tables together; NULL: each is read by its own schema */
    struct dp_evolve evolve;       /* the columns of what is open as r->schema */
    struct dp_rows sized;          /* how large typed rows are */
    size_t row_group, n_row_groups;
    struct dp_table_source *table; /* a Delta table that is open, or NULL */
    struct dp_changes_source *changes; /* opts->changes: the one table, or NULL */
    /* the stream on standard input */
    struct dp_input *stdin_in;
    struct dp_buf block;           /* read; [block_at, block_lines) are whole lines */
    size_t block_at, block_lines;
    bool stream_ended, stream_eof_line;
    int mode;                      /* 0 not known, '{' records, 'p' paths */
    struct dp_origin *stdin_origin;
    uint64_t stream_line, stream_offset;
    /* CSV types learnt beforehand: header key -> table */
    struct dp_map learnt;
    bool has_learnt;
    bool surveying;                /* sources are opened for their types only */
    struct dp_type **surveyed;     /* of each name what the survey met, NULL: it is not known; of n_surveyed names */
    size_t n_surveyed;
    struct dp_csv_converter **converters; /* one per worker */
    struct dp_retry **retries;     /* the same, NULL until needed */
    const struct dp_csv_table **converter_of;
    struct dp_map warned;
    struct dp_group_gate *gate;
    /* opts->follow */
    char **specs;                  /* operands as they were given, to be expanded again */
    size_t n_specs, cap_specs;
    struct dp_follow *follow;      /* NULL: not followed */
    bool expand_again;             /* specs are expanded: what is not there is no error */
};

/* source_names.c */
enum dp_status dp_sources_expand(struct dp_sources *s, const char *const *names, size_t n, struct dp_err *err);
enum dp_status dp_sources_expand_specs(struct dp_sources *s, struct dp_err *err); /* names anew, of what is there now */
void dp_sources_add_name(struct dp_sources *s, const char *name);

/* source.c: a file that is about to be read, for lineage */
void dp_sources_note_file(const struct dp_sources *s, const char *name);

/* source_open.c: the next member of what is open, told and made ready */
enum dp_status dp_sources_open_name(struct dp_sources *s, const char *name, struct dp_err *err);
enum dp_status dp_sources_open_member(struct dp_sources *s, struct dp_err *err); /* DP_END: no more */
void dp_sources_close_member(struct dp_sources *s);
enum dp_status dp_sources_wait(void *ctx, int fd, struct dp_err *err);
enum dp_status dp_sources_place(const struct dp_sources *s, struct dp_err *err); /* adds the source's name to an error; returns its status */
void dp_sources_say(struct dp_sources *s, const char *fmt, ...) DP_PRINTF(2, 3); /* -v, with the source's name */

static inline uint64_t dp_sources_clock(void) { return (uint64_t)dp_time_monotonic_ms(); }
/* Does it come as somebody makes it?  Then nobody waits long to see more of it; what was read of a file or through a decoder is always the same. */
bool dp_sources_is_live(const struct dp_sources *s);
enum { DP_SOURCE_LOOK_MS = 1000, DP_SOURCE_LEARN_MS = 10000 };

/* source_table.c: what is to come out of a Parquet file or table whose schema this is, to r->schema and the origin; and how, to s->evolve. */
enum dp_status dp_sources_evolve(struct dp_sources *s, const struct dp_type *own, bool is_of_set, struct dp_err *err);
enum dp_status dp_sources_join(struct dp_sources *s, const char *const *names, size_t n, struct dp_err *err); /* to the set */

/* source_csv.c */
void dp_sources_forget_survey(struct dp_sources *s);
enum dp_status dp_sources_learn(struct dp_sources *s, struct dp_err *err);
enum dp_status dp_sources_open_csv(struct dp_sources *s, struct dp_err *err);
enum dp_status dp_sources_fill(struct dp_sources *s, size_t want, struct dp_err *err); /* carry holds that much, unless the source ends */

/* source_read.c */
enum dp_status dp_sources_read(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err); /* DP_END: this member is done */
void dp_sources_too_long(const struct dp_sources *s, struct dp_chunk *c); /* a reject: a line of more than --max-record begins at the chunk */
void dp_sources_begin_chunk(struct dp_sources *s, struct dp_chunk *c);
void dp_sources_end_chunk(struct dp_sources *s, struct dp_chunk *c, size_t end); /* raw[0, end) is it; line and offset move on */
uint64_t dp_sources_bound(const struct dp_sources *s); /* what the reader of a typed source may hold: half of --memory, for its records are held too */
int64_t dp_sources_rows(const struct dp_sources *s); /* of a typed source, for the next chunk */
size_t dp_sources_chunk_bytes(const struct dp_sources *s);
/* Where the last record ends in raw[from, n), which the cutters have not seen; 0: nowhere. */
enum dp_status dp_sources_find_end(struct dp_sources *s, const char *raw, size_t from, size_t n, size_t *end, struct dp_err *err);
enum dp_status dp_sources_endless_record(const struct dp_sources *s, struct dp_err *err); /* DP_LIMIT, with its place */
struct dp_batch *dp_sources_batch(struct dp_sources *s, struct dp_chunk *c); /* begins the chunk; the batch of the open source's schema that convert prints */

/* source_table.c */
enum dp_status dp_sources_open_table(struct dp_sources *s, const char *name, struct dp_err *err);
enum dp_status dp_sources_read_table(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err); /* DP_END: it is done */
void dp_sources_close_table(struct dp_sources *s);

/* source_changes.c */
enum dp_status dp_sources_open_changes(struct dp_sources *s, const char *name, struct dp_err *err);
enum dp_status dp_sources_next_change(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err);
void dp_sources_close_changes(struct dp_sources *s);

/* source_groups.c: row groups that are read by whoever converts the chunk (opts->by_groups) */
struct dp_delta_task;
struct dp_group; /* one row group that waits to be read, or is */
struct dp_group_gate *dp_group_gate_open(uint64_t memory, unsigned threads);
void dp_group_gate_close(struct dp_group_gate *g); /* NULL is legal */
struct dp_shared *dp_shared_new(void *p, void (*close)(void *p)); /* takes ownership */
void dp_shared_drop(struct dp_shared *s); /* closes it when no chunk reads it any more; NULL is legal */
/* Of a Parquet file (`source` is a struct dp_pq_file, task NULL), or a table's task, which it takes over; what comes out, and the source's own schema. */
struct dp_group *dp_group_new(struct dp_group_gate *gate, struct dp_shared *source, size_t number, struct dp_delta_task *task, const struct dp_type *schema,
                              const struct dp_type *own);
/* Up to `rows` rows, at least one; DP_END: it is done.  Any thread, the same one for all of it; it may wait for others first. */
enum dp_status dp_group_next(struct dp_group *g, unsigned worker, int64_t rows, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;
void dp_group_close(struct dp_group *g); /* NULL is legal */
/* The chunk of the open source is that row group (taken over), which has so many rows. */
void dp_sources_group(struct dp_sources *s, struct dp_chunk *c, struct dp_group *g, uint64_t rows);
/* Is it worth while?  A source with one row group alone is read in order, so that at least its pieces are spread over threads. */
bool dp_sources_by_groups(const struct dp_sources *s, size_t groups);

/* source_retry.c: lines of rejects to the records that were set aside; what is still bad goes to the chunk's bad lines. One per worker. */
struct dp_retry;
struct dp_retry *dp_retry_open(const struct dp_run *run, const struct dp_source_opts *opts); /* borrowed until close */
enum dp_status dp_retry_convert(struct dp_retry *t, struct dp_chunk *c, struct dp_err *err);
void dp_retry_close(struct dp_retry *t); /* NULL is legal */

/* source_follow.c */
enum dp_status dp_follow_open(struct dp_sources *s, struct dp_err *err); /* behind the first expansion */
enum dp_status dp_follow_next(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err);
void dp_follow_watch(struct dp_sources *s, const char *dir); /* NULL-safe: news of this directory wake us */
enum dp_status dp_follow_check(struct dp_sources *s, enum dp_source_format format, struct dp_err *err); /* can what is open grow? */
enum dp_status dp_follow_resume(struct dp_sources *s, struct dp_origin *origin, uint64_t *from, struct dp_err *err);
bool dp_follow_is_one_file(const struct dp_sources *s); /* one operand, a plain name: its types are the stream's */
void dp_follow_close(struct dp_follow *f); /* NULL is legal */

/* source_watch.c: news of directories by inotify(7); where there is none, `is_sure` stays false and the caller looks by itself. */
struct dp_watch {
    int fd; /* for poll; -1: none */
    struct dp_map dirs;
    bool is_sure;
};
void dp_watch_open(struct dp_watch *w);
void dp_watch_dir(struct dp_watch *w, const char *dir);
bool dp_watch_news(struct dp_watch *w); /* takes what came; true: names came or went, not only bytes */
/* Until there are news or the clock says `until`; output goes out meanwhile, and a signal or the end of the run ends it.  DP_OK: either. */
enum dp_status dp_watch_wait(struct dp_watch *w, struct dp_sources *s, uint64_t until, struct dp_err *err);
void dp_watch_close(struct dp_watch *w);

/* source_stdin.c */
enum dp_status dp_sources_stream(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err);

#endif
