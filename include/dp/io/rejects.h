/*
 * Rejects: bad records, the same JSON line in every program (dp-records(5)).
 *
 *   {"reject":{"program","run","source","member","line","offset","rules":[{"rule","path","reason","expected"}]},"raw":...}
 *
 * `raw` is the record itself when it is a JSON object, a JSON string when it is other text, null when it must not be shown
 * (run->hide_raw without run->rejects_clear); bytes that are no UTF-8 stand in "raw_base64" beside a null.
 *
 * The file is for a whole pipeline: several programs share it, and a run that is repeated replaces what it wrote before.  So
 * each program collects its lines in a temporary file beside it, and at the end, under a lock on the directory, writes a new file
 * of what others wrote and its own, and renames it into place (0600).  Its own from before are lines of the same program with the same run id, or
 * with a source (and member) that this run read too; source "-" alone says nothing, there only the run id counts.
 * A FIFO or device gets the lines as they come.
 *
 * A run that is committed piece by piece publishes at its checkpoints (dp_rejects_flush): then its lines are appended, and of those that are there
 * only what is about bytes that this run read again is replaced, for what an earlier try of the same run set aside before them is set aside for good.
 */
#ifndef DP_IO_REJECTS_H
#define DP_IO_REJECTS_H

#include <dp/io/source.h>

/* --max-rejects N or N%: parts per million of the records that came in. */
struct dp_tolerance {
    bool is_percent;
    uint64_t count;
    uint32_t ppm;
};

struct dp_reject_rule {
    const char *rule;     /* "type", "required", "malformed", "duplicate-key", "reserved-key", "where", ... */
    const char *path;     /* dotted path of the field, or NULL */
    const char *reason;   /* one phrase; values of classified fields only as type and length */
    const char *expected; /* or NULL */
};

struct dp_reject {
    const struct dp_origin *origin; /* NULL: "-" */
    uint64_t line;                  /* from 1; 0 = not known */
    uint64_t offset;                /* DP_NO_OFFSET = not known */
    const struct dp_reject_rule *rules;
    size_t n_rules;
    struct dp_str raw;              /* the record as it came */
    bool raw_is_json;               /* raw is one valid JSON object: kept verbatim; else it becomes a string */
    bool hide_raw;                  /* beside run->hide_raw: this record must not be shown */
};

/* Appends the line with its newline.  Any thread. */
void dp_reject_print(const struct dp_run *run, const struct dp_reject *r, struct dp_buf *out);

struct dp_rejects;

/* path NULL: nobody keeps them, they are only counted; "-": run->rejects_inline is set and the stream puts them into the output. */
enum dp_status dp_rejects_open(struct dp_run *run, const char *path, struct dp_tolerance max, struct dp_rejects **out,
                               struct dp_err *err) DP_MUST_CHECK;
/* Printed lines, in order (one thread at a time). */
enum dp_status dp_rejects_write(struct dp_rejects *r, const void *lines, size_t n, struct dp_err *err) DP_MUST_CHECK;
/* The same without lines, where run->rejects_unkept: keys as dp_reject_key makes them. */
void dp_reject_key(const struct dp_reject_rule *rule, struct dp_buf *key);
void dp_rejects_count(struct dp_rejects *r, struct dp_str key, uint64_t n);
/* This run reads `origin` from origin->from on: what an earlier run said of that is replaced. */
void dp_rejects_source(struct dp_rejects *r, const struct dp_origin *origin);
/*
 * Are run->books within the tolerance?  Called after the books were added to; with `at_end` percentages are judged too.
 * No: DP_RECORD (exit 4) when the reject that broke the limit was malformed, else DP_RULE (exit 1).  err->msg names numbers only where
 * `first` (may be NULL) has no message: a run that tolerates none fails with the reject's own words and place.
 */
enum dp_status dp_rejects_judge(struct dp_rejects *r, bool malformed, bool at_end, const struct dp_err *first, struct dp_err *err) DP_MUST_CHECK;
/* Should the caller stop at the first breach (false: dp_rejects_defer was called, judged at the end)? */
void dp_rejects_defer(struct dp_rejects *r);
/*
 * Why records were set aside: `[{"rule","path","count"},...]`, most frequent first (of rules in the lines written so far; with --rejects - none).
 * The words name at most `most` of them; 0: all.  Also as words: "type price 12, malformed 3".
 */
void dp_rejects_summary(const struct dp_rejects *r, struct dp_buf *json);
/* Each rule with its count over all fields, in the order in which rules were first broken. */
void dp_rejects_each_rule(const struct dp_rejects *r, void (*fn)(void *ctx, const char *rule, uint64_t count), void *ctx);
void dp_rejects_words(const struct dp_rejects *r, size_t most, struct dp_buf *text);
/* Does the first bad record end the run? */
bool dp_rejects_are_kept(const struct dp_rejects *r); /* in a file, or in the output */
bool dp_rejects_tolerates_none(const struct dp_rejects *r);
/* Publishes what was written so far; the run goes on. */
enum dp_status dp_rejects_flush(struct dp_rejects *r, struct dp_err *err) DP_MUST_CHECK;
/* Forgets what it holds; the file stays as it was.  NULL is legal. */
void dp_rejects_drop(struct dp_rejects *r);
/* Publishes the file.  NULL is legal. */
enum dp_status dp_rejects_close(struct dp_rejects *r, struct dp_err *err) DP_MUST_CHECK;

#endif
