/*
 * Two streams within an interval (dp/io/join.h): the other source is read until its promise has passed the last time that the record at hand can match, so the result
 * does not depend on which side is faster.  What was read is runs in the order of arrival, small ones made larger, the oldest in files; a run all of whose times lie
 * before what a record that is not late can match is dropped.
 */
#include "join_stream.h"

#include "join_load.h"

#include <stdlib.h>

enum { TIER = 8, MATCHES = 1 << 16, TEXTS = 8 << 20 };

struct held_run { struct join_run run; unsigned level; };
struct found { struct join_match m; size_t text_at; bool is_copy; };

struct join_stream {
    struct dp_run run;
    const struct join_spec *spec;
    struct join_ref *ref;
    struct join_feed *feed;
    struct join_parser parser;
    struct dp_chunk chunk;
    struct join_parsed parsed;
    int64_t delay, left, right;   /* promises: no time before them will come */
    bool ended;
    uint64_t memory, next_id, late, spilled;
    struct held_run *runs; size_t n, cap; /* in the order of arrival: those in files first */
    struct found *found; size_t n_found, cap_found;
    struct dp_buf texts;
};

static void raise(int64_t *promise, int64_t ms) {
    if (ms > *promise) *promise = ms;
}

static int64_t back(int64_t ms, int64_t by) {
    int64_t out;
    return __builtin_sub_overflow(ms, by, &out) ? INT64_MIN : out;
}

/* What stands before this matches no record that is to come. */
static int64_t needed_from(const struct join_stream *st) { return st->left == INT64_MIN ? INT64_MIN : join_time_add((struct join_time){st->left, 0}, st->spec->from_ms).ms; }

/* ---- runs ---- */

static void drop_old(struct join_stream *st) {
    int64_t from = needed_from(st);
    size_t n = 0;
    for (size_t i = 0; i < st->n; i++) {
        if (st->runs[i].run.max_ms < from || !st->runs[i].run.n) join_run_release(&st->runs[i].run);
        else st->runs[n++] = st->runs[i];
    }
    st->n = n;
}

/* [first, first + n) become one. */
static enum dp_status merge_runs(struct join_stream *st, size_t first, size_t n, bool to_file, unsigned level, struct dp_err *err) {
    struct join_run **from = dp_calloc(n, sizeof *from), out = {.id = st->next_id++, .fd = -1};
    for (size_t i = 0; i < n; i++) from[i] = &st->runs[first + i].run;
    enum dp_status status = DP_OK;
    if (to_file) status = join_run_merge(from, n, needed_from(st), &out, err);
    else join_run_join(from, n, needed_from(st), &out);
    free(from);
    if (status != DP_OK) return status;
    if (to_file) st->spilled += out.bytes;
    for (size_t i = 0; i < n; i++) join_run_release(&st->runs[first + i].run);
    memmove(&st->runs[first + 1], &st->runs[first + n], (st->n - first - n) * sizeof *st->runs);
    st->n -= n - 1;
    st->runs[first] = (struct held_run){out, level};
    return DP_OK;
}

/* Runs of one kind and level that end at `end`, TIER of them, become one of the next. */
static enum dp_status make_larger(struct join_stream *st, size_t end, struct dp_err *err) {
    while (end) {
        const struct held_run *last = &st->runs[end - 1];
        size_t n = 1;
        while (n < end && n < TIER && st->runs[end - 1 - n].level == last->level && st->runs[end - 1 - n].run.is_file == last->run.is_file) n++;
        if (n < TIER) return DP_OK;
        DP_TRY(merge_runs(st, end - n, n, last->run.is_file, last->level + 1, err));
        end -= n - 1;
    }
    return DP_OK;
}

static enum dp_status keep_bounded(struct join_stream *st, struct dp_err *err) {
    uint64_t bytes = 0;
    size_t files = 0;
    DP_TRY(make_larger(st, st->n, err));
    for (size_t i = 0; i < st->n; i++) {
        if (st->runs[i].run.is_file) files++;
        else bytes += st->runs[i].run.bytes;
    }
    if (2 * bytes <= st->memory) return DP_OK; /* two of a kind while they become one */
    DP_TRY(merge_runs(st, files, st->n - files, true, 0, err));
    return make_larger(st, files + 1, err);
}

/* ---- reading ---- */

static enum dp_status add_parsed(struct join_stream *st, struct dp_err *err) {
    struct join_parsed *p = &st->parsed;
    struct join_entry *v = dp_alloc((p->n + 1) * sizeof *v);
    struct join_texts texts = {0};
    size_t n = 0;
    int64_t from = needed_from(st);
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].ms < st->right) {
            st->late++;
            continue;
        }
        raise(&st->right, back(p->v[i].ms, st->delay));
        if (p->v[i].ms >= from) join_copy_entry(p, i, &texts, &v[n++]);
    }
    struct join_run run = {.id = st->next_id++};
    join_run_build(&run, &v, &n, &texts);
    st->runs = dp_grow(st->runs, &st->cap, st->n + 1, sizeof *st->runs);
    st->runs[st->n++] = (struct held_run){run, 0};
    drop_old(st);
    return keep_bounded(st, err);
}

static enum dp_status pull(struct join_stream *st, struct dp_err *err) {
    if (dp_run_stopped(&st->run, err)) return DP_SIGNALLED;
    enum dp_status status = join_feed_next(st->feed, &st->chunk, err);
    if (status == DP_END) {
        st->ended = true;
        return join_ref_found(st->ref, st->spec, &st->parser, 1, err);
    }
    DP_TRY(status);
    DP_TRY(join_feed_convert(st->feed, 0, &st->chunk, err));
    DP_TRY(join_parse(&st->parser, &st->chunk, &st->parsed, err));
    DP_TRY(join_ref_clock(st->ref, st->parsed.clock, err));
    if (st->parsed.mixed) return dp_err_set(err, DP_FORMAT, "some of its times are instants and some are local");
    for (size_t i = 0; i < st->ref->n_found; i++) st->ref->found[i] = st->ref->found[i] || st->parsed.found[i];
    st->ref->records += st->parsed.records;
    st->ref->no_key += st->parsed.no_key;
    return add_parsed(st, err);
}

bool join_stream_waits(const struct join_stream *st, struct join_time t) { return !st->ended && st->right <= join_time_add(t, st->spec->to_ms).ms; }

enum dp_status join_stream_reach(struct join_stream *st, struct join_time t, bool *late, struct dp_err *err) {
    *late = t.ms < st->left;
    if (*late) return DP_OK;
    join_stream_promise(st, back(t.ms, st->delay));
    while (join_stream_waits(st, t)) {
        enum dp_status status = pull(st, err);
        if (status != DP_OK) return status == DP_SIGNALLED || status == DP_PIPE ? status : dp_err_prefix(err, "reading %.200s: ", st->spec->with);
    }
    return DP_OK;
}

void join_stream_promise(struct join_stream *st, int64_t ms) { raise(&st->left, ms); }

/* ---- searching ---- */

struct collecting { struct join_stream *st; bool copy, full, one_time; };

static enum dp_status collect(void *ctx, const struct join_match *m, struct dp_err *err) {
    struct collecting *c = ctx;
    struct join_stream *st = c->st;
    (void)err;
    if (!c->one_time && (st->n_found >= MATCHES || st->texts.n >= TEXTS)) return c->full = true, DP_END;
    st->found = dp_grow(st->found, &st->cap_found, st->n_found + 1, sizeof *st->found);
    st->found[st->n_found++] = (struct found){*m, st->texts.n, c->copy};
    if (c->copy) dp_buf_adds(&st->texts, m->text); /* the page may go */
    return DP_OK;
}

static int by_time(const void *x, const void *y) {
    const struct found *a = x, *b = y;
    int c = join_time_cmp(a->m.time, b->m.time);
    return c ? c : a->text_at < b->text_at ? -1 : a->text_at > b->text_at;
}

static enum dp_status hand_over(struct join_stream *st, join_take take, void *ctx, struct dp_err *err) {
    for (size_t i = 0; i < st->n_found; i++) {
        struct found *f = &st->found[i];
        if (f->is_copy) f->m.text.p = st->texts.p + f->text_at;
        f->text_at = i;
    }
    if (st->n_found > 1) qsort(st->found, st->n_found, sizeof *st->found, by_time);
    for (size_t i = 0; i < st->n_found; i++) DP_TRY(take(ctx, &st->found[i].m, err));
    return DP_OK;
}

enum dp_status join_stream_search(struct join_stream *st, struct join_reader *reader, const struct join_key *key, struct join_time from, struct join_time to,
                                  join_take take, void *ctx, struct dp_err *err) {
    struct collecting c = {.st = st, .one_time = from.ms == to.ms};
    st->n_found = 0;
    dp_buf_reset(&st->texts);
    for (size_t i = 0; i < st->n && !c.full; i++) {
        const struct join_run *r = &st->runs[i].run;
        if (r->max_ms < from.ms || r->min_ms > to.ms) continue;
        c.copy = r->is_file;
        enum dp_status status = join_run_range(r, reader, key, from, to, collect, &c, err);
        if (status != DP_OK && status != DP_END) return status;
    }
    if (!c.full) return hand_over(st, take, ctx, err);
    struct join_time mid = {from.ms + (int64_t)(((uint64_t)to.ms - (uint64_t)from.ms) / 2), 999999}; /* too many at once: the earlier half, then the later */
    DP_TRY(join_stream_search(st, reader, key, from, mid, take, ctx, err));
    return join_stream_search(st, reader, key, (struct join_time){mid.ms + 1, 0}, to, take, ctx, err);
}

void join_stream_counts(const struct join_stream *st, struct dp_join_counts *c) {
    c->late = st->late;
    c->spilled += st->spilled;
}

/* ---- open and close ---- */

enum dp_status join_stream_open(struct dp_run *run, const struct join_spec *s, bool follow, int64_t delay_ms, uint64_t memory, struct join_stream **out,
                                struct join_ref **ref, struct dp_err *err) {
    struct join_stream *st = *out = dp_calloc(1, sizeof *st);
    *st = (struct join_stream){.run = *run, .spec = s, .delay = delay_ms, .left = INT64_MIN, .right = INT64_MIN, .memory = memory, .next_id = 2};
    st->run.where = NULL;
    st->run.marks = false;
    st->run.threads = 1;
    *ref = st->ref = join_ref_new(s, 1);
    join_ref_columns(st->ref, s, NULL);
    DP_TRY(join_ref_tails(st->ref, s, err));
    join_parser_open(&st->parser, s, st->ref->hash_seed, run->max_record);
    return join_feed_open(&st->run, s, follow, &st->feed, err);
}

void join_stream_close(struct join_stream *st) {
    if (!st) return;
    join_feed_close(st->feed);
    join_parser_close(&st->parser);
    join_parsed_release(&st->parsed);
    dp_chunk_release(&st->chunk);
    for (size_t i = 0; i < st->n; i++) join_run_release(&st->runs[i].run);
    free(st->runs), free(st->found);
    dp_buf_release(&st->texts);
    free(st);
}
