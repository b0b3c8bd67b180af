/*
 * Watermarks: W is the promise that no record with a time before it will come.  Of each source the largest time that was accepted, less the bound on
 * disorder, or what `watermark` marks said; W is the least over the sources that are not idle, and never goes back.  Times in milliseconds.
 */
#ifndef DP_RULES_WATERMARK_H
#define DP_RULES_WATERMARK_H

#include <dp/base/buf.h>
#include <dp/base/map.h>
#include <dp/base/str.h>
#include <dp/record/mark.h>

#define DP_WATERMARK_NONE INT64_MIN /* minus infinity: nothing is promised */

struct dp_watermark_source {
    char *name;
    int64_t promise;
    bool is_idle, is_heard; /* heard: a record or a mark of its own came, ever */
    int64_t heard_at;       /* wall clock, ms: the caller's */
};

struct dp_watermark {
    struct dp_watermark_source *v; /* [0] is the one of records without a source: where others are named it holds W only once it was heard */
    size_t n, cap;
    struct dp_map names; /* of the others: their numbers */
    bool has_delay;      /* records move it; else only marks do */
    int64_t delay;
    int64_t now;         /* W */
};

void dp_watermark_init(struct dp_watermark *w, bool has_delay, int64_t delay);
void dp_watermark_release(struct dp_watermark *w);
/* The number of a source; one that is new is added, and holds W where it stands from now on, until it is heard or idle.  More than DP_LIMIT_WATERMARK_SOURCES: DP_LIMIT. */
enum dp_status dp_watermark_source(struct dp_watermark *w, struct dp_str name, size_t *number, struct dp_err *err) DP_MUST_CHECK;
/* A record of the source that was not rejected (a late one too: it wakes its source up).  True: W moved. */
bool dp_watermark_see(struct dp_watermark *w, size_t source, int64_t time);
/* A `watermark` mark, which also ends idleness: source SIZE_MAX is all of them. */
bool dp_watermark_set(struct dp_watermark *w, size_t source, int64_t time);
/* idle and active marks, and idle timeouts (SIZE_MAX: all).  All idle: W stays. */
bool dp_watermark_idle(struct dp_watermark *w, size_t source, bool is_idle);
/* A watermark, idle or active mark, of its source or of all, that came at `now` by the wall clock.  *moved: W did.  DP_FORMAT: a watermark without a time. */
enum dp_status dp_watermark_take(struct dp_watermark *w, const struct dp_mark *m, int64_t now, bool *moved, struct dp_err *err) DP_MUST_CHECK;
/* For checkpoints: bytes that hold it all; DP_FORMAT: damaged. Load is into one that was made with the same delay. */
void dp_watermark_save(const struct dp_watermark *w, struct dp_buf *out);
enum dp_status dp_watermark_load(struct dp_watermark *w, struct dp_str *in, struct dp_err *err) DP_MUST_CHECK;

#endif
