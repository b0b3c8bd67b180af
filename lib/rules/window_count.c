/*
 * Count windows: of each key the records `every` * i + 1 to `every` * i + `count`, in the order that they arrive in.  They fire when the last of them is there, and nothing is late.
 * Their bounds are the least and the greatest time in them.  spec: windows.md 1.
 *
 * There is one state: that of the oldest window that is not full, of which the others are the end.  Windows that overlap keep its rows too, so that a record costs the same in however many
 * windows it is: when a window is written, the rows that the next one has not are taken out of the state (which leaves no trace of them: dp/rules/agg.h).  Where that would make a small
 * state large (all values, for the sake of one that is the least) there are two stacks instead: ends of the rows that were there at some time, a state for each window that begins among
 * them, and a state of the rows that came since; a window is one of these ends and those rows.
 */
#include "window_priv.h"

#include <stdlib.h>

struct row {
    int64_t time;
    uint64_t arrival;
    uint32_t n; /* bytes of it in `bytes` */
};

/* Numbers of rows whose times are extremes of the rows behind them: the first is that of the window. */
struct edge {
    uint64_t *v;
    size_t from, to, cap;
};

struct dp_window_tally {
    uint64_t skip;      /* records until a window begins; 0: one is open, or the next record opens one */
    uint64_t n;         /* records in it */
    int64_t least, most;
    bool is_fresh;
    /* where windows overlap */
    struct row *rows;   /* of the window, from `from` on */
    size_t from, cap;
    uint64_t first;     /* number of the first of them */
    char *bytes;
    size_t byte_from, byte_to, byte_cap;
    struct edge low, high;
    struct dp_buf ends; /* states as bytes, that of the oldest window last */
    size_t *end_at, n_ends, cap_ends;
}; /* behind it: the state, where there are ends of the rows behind them */

static void *state_of(struct dp_window_tally *t) { return t + 1; }
static size_t tally_size(const struct dp_window *w) { return sizeof(struct dp_window_tally) + w->state_size; }
static bool has_stacks(const struct dp_window *w) { return dp_aggs_are_small(w->conf.aggs); }
static bool do_overlap(const struct dp_window *w) { return w->conf.spec.every < w->conf.spec.count; }

static void count_release(struct dp_window *w, struct dp_window_unit *u) {
    struct dp_window_tally *t = u->u.tally;
    if (!t) return;
    dp_agg_release(w->conf.aggs, state_of(t), &w->mem);
    w->record_bytes -= t->cap * sizeof *t->rows + t->byte_cap + (t->low.cap + t->high.cap) * sizeof(uint64_t) + t->ends.cap + t->cap_ends * sizeof *t->end_at;
    free(t->rows), free(t->bytes), free(t->low.v), free(t->high.v), free(t->end_at);
    dp_buf_release(&t->ends);
    dp_window_slab_put(dp_window_keyed_slab(w), t, tally_size(w));
    u->u.tally = NULL;
}

static struct dp_window_tally *tally_of(struct dp_window *w, struct dp_window_unit *u) {
    struct dp_window_tally *t = u->u.tally;
    if (!t) {
        t = u->u.tally = dp_window_slab_get(dp_window_keyed_slab(w), tally_size(w));
        t->least = INT64_MAX, t->most = INT64_MIN;
    }
    return t;
}

/* ---- the rows of windows that overlap ---- */

static int64_t time_of(const struct dp_window_tally *t, uint64_t number) { return t->rows[t->from + (size_t)(number - t->first)].time; }

/* A row's text.  Rows without any need no bytes: then there is nothing to count an offset from. */
static struct dp_str text_at(const struct dp_window_tally *t, size_t at, size_t n) { return n ? dp_str(t->bytes + at, n) : dp_str("", 0); }

static void edge_add(struct dp_window *w, const struct dp_window_tally *t, struct edge *e, uint64_t number, bool is_high) {
    int64_t time = time_of(t, number);
    while (e->to > e->from && (is_high ? time_of(t, e->v[e->to - 1]) <= time : time_of(t, e->v[e->to - 1]) >= time)) e->to--;
    if (e->to == e->cap && e->from) {
        memmove(e->v, e->v + e->from, (e->to - e->from) * sizeof *e->v);
        e->to -= e->from, e->from = 0;
    }
    if (e->to == e->cap) {
        size_t had = e->cap;
        e->v = dp_grow(e->v, &e->cap, e->to + 1, sizeof *e->v);
        w->record_bytes += (e->cap - had) * sizeof *e->v;
    }
    e->v[e->to++] = number;
}

static void edge_cut(struct edge *e, uint64_t first) {
    while (e->from < e->to && e->v[e->from] < first) e->from++;
}

static void keep(struct dp_window *w, struct dp_window_tally *t, int64_t time, uint64_t arrival, struct dp_str row) {
    size_t had = t->cap * sizeof *t->rows + t->byte_cap;
    if (t->from > t->n && t->from + t->n == t->cap) {
        memmove(t->rows, t->rows + t->from, (size_t)t->n * sizeof *t->rows);
        t->from = 0;
    }
    if (t->byte_from > t->byte_to - t->byte_from && t->byte_to + row.n > t->byte_cap) {
        memmove(t->bytes, t->bytes + t->byte_from, t->byte_to - t->byte_from);
        t->byte_to -= t->byte_from, t->byte_from = 0;
    }
    if (t->from + t->n == t->cap) t->rows = dp_grow(t->rows, &t->cap, t->cap + 1, sizeof *t->rows);
    if (t->byte_to + row.n > t->byte_cap) t->bytes = dp_grow(t->bytes, &t->byte_cap, t->byte_to + row.n, 1);
    w->record_bytes += t->cap * sizeof *t->rows + t->byte_cap - had;
    t->rows[t->from + t->n] = (struct row){time, arrival, (uint32_t)row.n};
    if (row.n) memcpy(t->bytes + t->byte_to, row.p, row.n);
    t->byte_to += row.n;
}

static void tally_add(struct dp_window *w, struct dp_window_tally *t, struct dp_agg_at at, struct dp_str row) {
    dp_agg_add(w->conf.aggs, state_of(t), row, at, &w->mem);
    if (do_overlap(w)) {
        keep(w, t, at.time, at.arrival, row);
        edge_add(w, t, &t->low, t->first + t->n, false);
        edge_add(w, t, &t->high, t->first + t->n, true);
    }
    if (at.time < t->least) t->least = at.time;
    if (at.time > t->most) t->most = at.time;
    t->n++;
    t->is_fresh = true;
}

/* What is left of the rows makes the state anew. */
static void refill(struct dp_window *w, struct dp_window_tally *t) {
    size_t at = t->byte_from;
    dp_agg_release(w->conf.aggs, state_of(t), &w->mem);
    for (size_t i = t->from; i < t->from + t->n; at += t->rows[i++].n)
        dp_agg_add(w->conf.aggs, state_of(t), text_at(t, at, t->rows[i].n), (struct dp_agg_at){t->rows[i].time, t->rows[i].arrival}, &w->mem);
}

/* All rows that there are become ends, of each window that begins among them. */
static void turn(struct dp_window *w, struct dp_window_tally *t) {
    uint64_t every = (uint64_t)w->conf.spec.every;
    size_t at = t->byte_to, had = t->ends.cap + t->cap_ends * sizeof *t->end_at;
    void *state = state_of(t);
    dp_agg_release(w->conf.aggs, state, &w->mem);
    dp_buf_reset(&t->ends), t->n_ends = 0;
    for (uint64_t i = t->n; i--;) {
        const struct row *r = &t->rows[t->from + i];
        at -= r->n;
        dp_agg_add(w->conf.aggs, state, text_at(t, at, r->n), (struct dp_agg_at){r->time, r->arrival}, &w->mem);
        if (i % every) continue;
        if (t->n_ends == t->cap_ends) t->end_at = dp_grow(t->end_at, &t->cap_ends, t->n_ends + 1, sizeof *t->end_at);
        t->end_at[t->n_ends++] = t->ends.n;
        dp_agg_save(w->conf.aggs, state, &t->ends);
    }
    dp_agg_release(w->conf.aggs, state, &w->mem);
    w->record_bytes += t->ends.cap + t->cap_ends * sizeof *t->end_at - had;
}

/* The state of the window; of two stacks in w->scratch, where it is to be released from. */
static enum dp_status whole(struct dp_window *w, struct dp_window_tally *t, const void **out, struct dp_err *err) {
    enum dp_status status;
    *out = state_of(t);
    if (!t->n_ends) return DP_OK;
    size_t at = t->end_at[t->n_ends - 1];
    struct dp_str in = dp_str(t->ends.p + at, t->ends.n - at);
    void *copy = dp_calloc(1, w->state_size);
    DP_TRY_OUT(dp_agg_load(w->conf.aggs, w->scratch, &in, &w->mem, err));
    dp_buf_reset(&w->bytes);
    dp_agg_save(w->conf.aggs, state_of(t), &w->bytes);
    in = dp_buf_str(&w->bytes);
    DP_TRY_OUT(dp_agg_load(w->conf.aggs, copy, &in, &w->mem, err));
    dp_agg_merge(w->conf.aggs, w->scratch, copy, &w->mem);
    *out = w->scratch;
out:
    dp_agg_release(w->conf.aggs, copy, &w->mem);
    free(copy);
    return status;
}

/* The window is full and was written: the next one has what is behind its first `every` records. */
static void slide(struct dp_window *w, struct dp_window_tally *t) {
    uint64_t every = (uint64_t)w->conf.spec.every, n = every < t->n ? every : t->n;
    bool is_whole = n * 2 <= t->n && !has_stacks(w); /* else it is less work to begin anew */
    t->n -= n, t->first += n;
    for (uint64_t i = 0; i < n; i++) {
        const struct row *r = &t->rows[t->from++];
        if (is_whole) is_whole = dp_agg_sub(w->conf.aggs, state_of(t), text_at(t, t->byte_from, r->n), (struct dp_agg_at){r->time, r->arrival}, &w->mem);
        t->byte_from += r->n;
    }
    if (t->n_ends) t->ends.n = t->end_at[--t->n_ends];
    if (has_stacks(w)) {
        if (!t->n_ends) turn(w, t);
    } else if (!is_whole) {
        refill(w, t);
    }
    edge_cut(&t->low, t->first), edge_cut(&t->high, t->first);
    t->least = t->n ? time_of(t, t->low.v[t->low.from]) : INT64_MAX;
    t->most = t->n ? time_of(t, t->high.v[t->high.from]) : INT64_MIN;
}

/* ---- records ---- */

static enum dp_status count_add(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    uint64_t count = (uint64_t)w->conf.spec.count, every = (uint64_t)w->conf.spec.every;
    struct dp_window_tally *t = tally_of(w, u);
    *fate = DP_WINDOW_USED;
    if (t->skip) {
        if (!--t->skip) count_release(w, u);
        return DP_OK;
    }
    tally_add(w, t, dp_window_at(w, ev), ev->row);
    if (t->n < count) return DP_OK;
    const void *state;
    DP_TRY(whole(w, t, &state, err));
    enum dp_status status = dp_window_emit(w, DP_WINDOW_EMIT, t->least, t->most, dp_str(u->key, u->key_n), 0, state, false, err);
    dp_agg_release(w->conf.aggs, w->scratch, &w->mem);
    if (do_overlap(w)) {
        slide(w, t);
    } else if (every == count) {
        count_release(w, u);
    } else {
        t->skip = every - count;
        dp_agg_release(w->conf.aggs, state_of(t), &w->mem);
        t->n = 0, t->least = INT64_MAX, t->most = INT64_MIN;
    }
    return status;
}

static bool count_next(const struct dp_window *w, const struct dp_window_unit *u, int64_t *due, int64_t *start) {
    (void)w, (void)u, (void)due, (void)start;
    return false;
}

static enum dp_status count_fire(struct dp_window *w, struct dp_window_unit *u, int64_t due, int64_t start, struct dp_err *err) {
    (void)w, (void)u, (void)due, (void)start;
    return dp_err_set(err, DP_BUG, "a count window is never due");
}

/* ---- as bytes: skip, n, fresh; where windows overlap time, arrival and row of each, else least, most and the state ---- */

static void count_save(const struct dp_window *w, const struct dp_window_unit *u, struct dp_buf *out) {
    struct dp_window_tally *t = u->u.tally;
    dp_window_put64(out, t->skip);
    dp_window_put64(out, t->n << 1 | t->is_fresh);
    if (!do_overlap(w)) {
        dp_window_put_time(out, t->least);
        dp_window_put_time(out, t->most);
        dp_agg_save(w->conf.aggs, state_of(t), out);
        return;
    }
    size_t at = t->byte_from;
    for (size_t i = t->from; i < t->from + t->n; at += t->rows[i++].n) {
        dp_window_put_time(out, t->rows[i].time);
        dp_window_put64(out, t->rows[i].arrival);
        dp_window_put64(out, t->rows[i].n);
        dp_buf_adds(out, text_at(t, at, t->rows[i].n));
    }
}

static enum dp_status count_load(struct dp_window *w, struct dp_window_unit *u, struct dp_str in, struct dp_err *err) {
    struct dp_window_tally *t = tally_of(w, u);
    uint64_t n, size, count = (uint64_t)w->conf.spec.count, every = (uint64_t)w->conf.spec.every;
    struct dp_agg_at at;
    if (!dp_window_take64(&in, &t->skip) || !dp_window_take64(&in, &n) || n >> 1 >= count || (t->skip ? every <= count || t->skip > every - count || n >> 1 : !(n >> 1)))
        return dp_window_damaged(err);
    if (!do_overlap(w)) {
        if (!dp_window_take_time(&in, &t->least) || !dp_window_take_time(&in, &t->most)) return dp_window_damaged(err);
        t->n = n >> 1;
        DP_TRY(dp_agg_load(w->conf.aggs, state_of(t), &in, &w->mem, err));
    } else {
        for (uint64_t i = 0; i < n >> 1; i++) {
            if (!dp_window_take_time(&in, &at.time) || !dp_window_take64(&in, &at.arrival) || !dp_window_take64(&in, &size) || size > in.n || size > UINT32_MAX)
                return dp_window_damaged(err);
            tally_add(w, t, at, dp_str(in.p, (size_t)size));
            in.p += size, in.n -= (size_t)size;
        }
    }
    t->is_fresh = (n & 1) && (u->flags & DP_WINDOW_FRESH);
    return in.n ? dp_window_damaged(err) : DP_OK;
}

/* ---- for who looks ---- */

/* state: NULL is that of the first window. */
static enum dp_status show(struct dp_window *w, struct dp_window_tally *t, const void *state, int64_t least, int64_t most, dp_window_visit visit, void *ctx, struct dp_err *err) {
    struct dp_window_seen seen = {.start = least, .end = most, .state = w->scratch};
    if (!state) DP_TRY(whole(w, t, &state, err));
    if (state != w->scratch) {
        dp_buf_reset(&w->bytes);
        dp_agg_save(w->conf.aggs, state, &w->bytes);
        struct dp_str in = dp_buf_str(&w->bytes);
        DP_TRY(dp_agg_load(w->conf.aggs, w->scratch, &in, &w->mem, err));
    }
    enum dp_status status = visit(ctx, &seen, err);
    dp_agg_release(w->conf.aggs, w->scratch, &w->mem);
    return status;
}

/* The windows that began behind the first one, the last one first: each has what the one before it has, and some more. */
static enum dp_status show_others(struct dp_window *w, struct dp_window_tally *t, dp_window_visit visit, void *ctx, struct dp_err *err) {
    uint64_t every = (uint64_t)w->conf.spec.every;
    void *state = dp_calloc(1, w->state_size);
    size_t at = t->byte_to;
    int64_t least = INT64_MAX, most = INT64_MIN;
    enum dp_status status = DP_OK;
    for (uint64_t i = t->n; status == DP_OK && i-- > 1;) {
        const struct row *r = &t->rows[t->from + i];
        at -= r->n;
        dp_agg_add(w->conf.aggs, state, text_at(t, at, r->n), (struct dp_agg_at){r->time, r->arrival}, &w->mem);
        if (r->time < least) least = r->time;
        if (r->time > most) most = r->time;
        if (i % every == 0) status = show(w, t, state, least, most, visit, ctx, err);
    }
    dp_agg_release(w->conf.aggs, state, &w->mem);
    free(state);
    return status;
}

/* At the end what is left is the oldest window that is not full; the others are parts of it. */
static enum dp_status count_each(struct dp_window *w, struct dp_window_unit *u, enum dp_window_which which, dp_window_visit visit, void *ctx, struct dp_err *err) {
    struct dp_window_tally *t = u->u.tally;
    if (!t->n || (which == DP_WINDOW_CHANGED && !t->is_fresh)) return DP_OK;
    if (which == DP_WINDOW_CHANGED) t->is_fresh = false;
    DP_TRY(show(w, t, NULL, t->least, t->most, visit, ctx, err));
    return which != DP_WINDOW_OPEN && do_overlap(w) ? show_others(w, t, visit, ctx, err) : DP_OK;
}

static uint64_t count_windows(const struct dp_window *w, const struct dp_window_unit *u) {
    uint64_t n = u->u.tally->n, every = (uint64_t)w->conf.spec.every;
    return n ? (n - 1) / every + 1 : 0;
}

const struct dp_window_kind_ops dp_window_count_ops = {count_add, count_next, count_fire, count_save, count_load, count_release, count_each, count_windows, NULL, NULL, NULL, NULL};
