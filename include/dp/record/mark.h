/*
 * Marks: records whose first key is "$dp".  Parsing, writing, the stream's header, and the running hash of records.
 * Grammar and meaning: dp-records(5).
 */
#ifndef DP_RECORD_MARK_H
#define DP_RECORD_MARK_H

#include <dp/record/json.h>
#include <dp/record/type.h>

enum dp_mark_kind { DP_MARK_NONE, DP_MARK_BEGIN, DP_MARK_CHECKPOINT, DP_MARK_WATERMARK, DP_MARK_IDLE, DP_MARK_ACTIVE, DP_MARK_HEARTBEAT, DP_MARK_END, DP_MARK_ABORT };

/* All strings owned by the mark (dp_mark_release). Absent strings are NULL. */
struct dp_mark {
    enum dp_mark_kind kind;
    char *run;          /* run id; all but watermark, idle, active of a stream without begin */
    char *source;       /* checkpoint, watermark, idle, active, heartbeat, begin */
    char *partition;    /* checkpoint */
    char *position;     /* checkpoint: opaque text, for files a decimal byte offset */
    bool more;          /* checkpoint: the next mark belongs to it too; only behind the last of such a row is everything before covered */
    char *id;           /* checkpoint id; begin: the checkpoint that the run resumes from */
    char *time;         /* watermark, heartbeat: as spelled (RFC 3339 or integer ms) */
    char *program;      /* abort */
    char *reason;       /* abort */
    int exit_code;      /* abort */
    uint64_t records;   /* end: data lines between begin and end */
    char *hash;         /* end: "xxh3:" and 32 hex digits over each data line with its LF */
    char *job;          /* begin */
    char **chain;       /* begin: programs so far */
    size_t n_chain;
    int64_t table_version; /* begin: that the run resumes from; -1 none */
    struct dp_type *schema; /* begin: NULL when not known */
    char *fields;       /* begin: JSON array text: for each field where it comes from and what was done to it; NULL */
    char *origins;      /* begin: JSON array text: the datasets that the records come from, {"namespace","name"}, with "source" those that a source of `fields` names; NULL */
    char *extra;        /* unknown members as JSON object text, kept when passed on; NULL */
};

/* Is this line (without newline) a mark?  Looks at the first key only, exact spelling `{"$dp"` with optional blanks. */
bool dp_mark_is(struct dp_str line);
enum dp_status dp_mark_parse(struct dp_str line, struct dp_mark *m, struct dp_err *err) DP_MUST_CHECK;
/* Appends the line with its newline, canonical: "$dp" first. */
void dp_mark_print(const struct dp_mark *m, struct dp_buf *b);
void dp_mark_release(struct dp_mark *m);
/* The time of a `watermark` in ms: integer ms, or RFC 3339 with a zone, digits below a millisecond cut off. False: there is none. */
bool dp_mark_time(const struct dp_mark *m, int64_t *ms);
const char *dp_mark_kind_name(enum dp_mark_kind k);

/* First place at or after `from` in p[0..n) where a line that is a mark starts; n when there is none.  `from` must be a line start. Fast: looks for '$'. */
size_t dp_mark_find(const char *p, size_t n, size_t from);

/* Running hash over data lines: the same whatever the chunks.  XXH3-128, streamed. */
struct dp_linehash;
struct dp_linehash *dp_linehash_open(void);
void dp_linehash_close(struct dp_linehash *h);
void dp_linehash_add(struct dp_linehash *h, const void *p, size_t n); /* whole lines, each with its LF */
void dp_linehash_text(const struct dp_linehash *h, char out[48]);     /* "xxh3:..." and NUL */

#endif
