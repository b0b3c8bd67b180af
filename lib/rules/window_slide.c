/*
 * Sliding windows of a key by its records, difference D, both bounds in them: [t-D, t] for each record's time t, and [t+1, t+1+D] where a record is in it.  Each set of records that are
 * within D of each other comes once that way.  spec: windows.md 1, case w060.
 *
 * A unit keeps its rows in order of time, as long as a window that is open may need them; which windows there are, and what is in them, is read from the rows when a window fires.
 * One ends at e inclusive, so it is due when the bound is at e + 1, and there is one window for each e at most.
 */
#include "window_priv.h"

#include <stdlib.h>

/* A window that was written and is held. */
struct fired {
    int64_t end;
    uint64_t fires;
};

struct dp_window_slides {
    struct dp_window_records rows;
    int64_t done;              /* windows that end by it have fired, or never will */
    int64_t first, last;       /* times that changed since the last early rows; first > last: none */
    struct fired *fired;       /* by end */
    size_t n_fired, cap_fired, fired_gone; /* fired_gone: places before it that are free */
    size_t looked;             /* so many rows were seen by who asked what is due */
};

static int64_t size_of(const struct dp_window *w) { return w->conf.spec.size; }
static struct dp_str key_of(const struct dp_window_unit *u) { return dp_str(u->key, u->key_n); }

static struct dp_window_slides *slides_of(struct dp_window *w, struct dp_window_unit *u) {
    struct dp_window_slides *s = u->u.slides;
    if (!s) {
        s = u->u.slides = dp_window_slab_get(dp_window_keyed_slab(w), sizeof *s);
        s->done = INT64_MIN;
        s->first = INT64_MAX, s->last = INT64_MIN;
    }
    return s;
}

static void set_count(struct dp_window_unit *u) {
    size_t n = u->u.slides->rows.n;
    u->n = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static void slide_release(struct dp_window *w, struct dp_window_unit *u) {
    struct dp_window_slides *s = u->u.slides;
    if (!s) return;
    dp_window_records_release(w, &s->rows);
    w->record_bytes -= s->cap_fired * sizeof *s->fired;
    if (s->fired) free(s->fired - s->fired_gone);
    dp_window_slab_put(dp_window_keyed_slab(w), s, sizeof *s);
    u->u.slides = NULL;
    u->n = 0;
}

/* ---- which windows there are ---- */

static bool exists(const struct dp_window *w, const struct dp_window_slides *s, int64_t end) {
    const struct dp_window_records *r = &s->rows;
    size_t i = dp_window_records_from(r, end);
    int64_t before = end - 1 - size_of(w);
    if (i < r->n && r->v[i]->time == end) return true;
    for (i = dp_window_records_from(r, before); i < r->n && r->v[i]->time == before; i++) continue;
    return i && r->v[i - 1]->time == before && i < r->n && r->v[i]->time <= end;
}

/* The end of the first window that ends behind x. */
static bool next_end(const struct dp_window *w, const struct dp_window_slides *s, int64_t x, int64_t *end) {
    const struct dp_window_records *r = &s->rows;
    size_t i = x == INT64_MAX ? r->n : dp_window_records_from(r, x + 1), j;
    bool found = i < r->n;
    if (found) *end = r->v[i]->time;
    for (i = dp_window_records_from(r, dp_window_sub_sat(x, size_of(w))); i < r->n; i = j) {
        int64_t right = r->v[i]->time + 1 + size_of(w);
        if (found && right >= *end) break;
        for (j = i + 1; j < r->n && r->v[j]->time == r->v[i]->time;) j++;
        if (j < r->n && r->v[j]->time <= right) {
            *end = right;
            return true;
        }
    }
    return found;
}

static void fill(struct dp_window *w, const struct dp_window_slides *s, int64_t end) {
    for (size_t i = dp_window_records_from(&s->rows, end - size_of(w)); i < s->rows.n && s->rows.v[i]->time <= end; i++) {
        const struct dp_window_record *r = s->rows.v[i];
        dp_agg_add(w->conf.aggs, w->scratch, dp_window_record_row(r), (struct dp_agg_at){r->time, r->arrival}, &w->mem);
    }
}

/* Writes the window, with what is in w->scratch, which is empty behind it. */
static enum dp_status write(struct dp_window *w, const struct dp_window_unit *u, enum dp_window_op op, int64_t end, uint64_t pane, struct dp_err *err) {
    enum dp_status status = dp_window_emit(w, op, end - size_of(w), end, key_of(u), pane, w->scratch, false, err);
    dp_agg_release(w->conf.aggs, w->scratch, &w->mem);
    return status;
}

/* ---- windows that were written ---- */

static size_t fired_from(const struct dp_window_slides *s, int64_t end) {
    size_t lo = 0, hi = s->n_fired;
    if (hi && s->fired[hi - 1].end < end) return hi;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->fired[mid].end < end) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static void fired_add(struct dp_window *w, struct dp_window_slides *s, int64_t end, uint64_t fires) {
    size_t i = fired_from(s, end), had = s->cap_fired;
    if (s->fired_gone + s->n_fired == s->cap_fired) {
        struct fired *base = s->fired ? s->fired - s->fired_gone : NULL;
        if (s->fired_gone > s->n_fired) memmove(base, s->fired, s->n_fired * sizeof *base), s->fired_gone = 0;
        else base = dp_grow(base, &s->cap_fired, s->cap_fired + 1, sizeof *base);
        s->fired = base + s->fired_gone;
    }
    w->record_bytes += (s->cap_fired - had) * sizeof *s->fired;
    memmove(s->fired + i + 1, s->fired + i, (s->n_fired - i) * sizeof *s->fired);
    s->fired[i] = (struct fired){end, fires};
    s->n_fired++;
}

static void fired_cut(struct dp_window_slides *s, size_t i, size_t n) {
    if (!n) return;
    s->n_fired -= n;
    if (i) memmove(s->fired + i, s->fired + i + n, (s->n_fired - i) * sizeof *s->fired);
    else s->fired += n, s->fired_gone += n; /* the oldest go all the time */
}

/* ---- records ---- */

/* A record at t came, or went: windows that were due before are written again at once. */
static enum dp_status refire(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_event *ev, struct dp_err *err) {
    struct dp_window_slides *s = u->u.slides;
    int64_t t = ev->time, stop = t + 1 + size_of(w), due = dp_window_sub_sat(w->bound, 1), open = dp_window_sub_sat(due, w->holds), end = t - 1;
    if (w->is_final || t > due || w->bound == INT64_MIN) return DP_OK;
    dp_window_records_sort(w, &s->rows);
    if (stop > due) stop = due;
    if (end < open) end = open;
    for (size_t i; !ev->subtract && next_end(w, s, end, &end) && end <= stop;) {
        i = fired_from(s, end);
        if (i == s->n_fired || s->fired[i].end != end) {
            fired_add(w, s, end, 1);
            fill(w, s, end);
            DP_TRY(write(w, u, DP_WINDOW_EMIT, end, 0, err));
        } else if (end - size_of(w) <= t) {
            if (w->is_discarding) dp_agg_add(w->conf.aggs, w->scratch, ev->row, dp_window_at(w, ev), &w->mem);
            else fill(w, s, end);
            DP_TRY(write(w, u, DP_WINDOW_UPDATED, end, s->fired[i].fires++, err));
        }
    }
    for (size_t i = fired_from(s, dp_window_add_sat(end, 1)); ev->subtract && i < s->n_fired && s->fired[i].end <= stop;) {
        end = s->fired[i].end;
        if (!exists(w, s, end)) {
            DP_TRY(dp_window_emit(w, DP_WINDOW_RETRACT, end - size_of(w), end, key_of(u), 0, NULL, false, err));
            fired_cut(s, i, 1);
            continue;
        }
        if (end - size_of(w) <= t) {
            fill(w, s, end);
            DP_TRY(write(w, u, DP_WINDOW_UPDATED, end, s->fired[i].fires++, err));
        }
        i++;
    }
    return DP_OK;
}

static enum dp_status slide_add(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    int64_t least, most;
    if (dp_sub_overflow(ev->time, size_of(w), &least) || dp_sub_overflow(least, 2, &least) || dp_add_overflow(ev->time, size_of(w), &most) || dp_add_overflow(most, 2, &most)) {
        *fate = DP_WINDOW_UNASSIGNED;
        return DP_OK;
    }
    if (dp_window_is_closed(w, most - 1)) {
        *fate = DP_WINDOW_LATE;
        return DP_OK;
    }
    size_t at = 0;
    if (ev->subtract && u->u.slides) dp_window_records_sort(w, &u->u.slides->rows);
    if (ev->subtract && !(u->u.slides && dp_window_records_find(&u->u.slides->rows, ev->time, ev->row, &at))) {
        *fate = DP_WINDOW_UNKNOWN;
        return DP_OK;
    }
    struct dp_window_slides *s = slides_of(w, u);
    if (ev->subtract) dp_window_records_cut(w, &s->rows, at, 1);
    else dp_window_records_append(w, &s->rows, ev->time, w->arrivals, ev->row);
    set_count(u);
    if (ev->time < s->first) s->first = ev->time;
    if (ev->time > s->last) s->last = ev->time;
    if (s->done < dp_window_sub_sat(w->bound, 1)) s->done = dp_window_sub_sat(w->bound, 1);
    *fate = DP_WINDOW_USED;
    DP_TRY(refire(w, u, ev, err));
    if (!s->rows.n) slide_release(w, u);
    return DP_OK;
}

/* ---- what is due: a window, or rows that no window needs any more ---- */

static int64_t gone_at(const struct dp_window *w, int64_t t) { return dp_window_add_sat(t + 2 + size_of(w), w->holds); }

static void slide_order(struct dp_window *w, struct dp_window_unit *u) {
    dp_window_records_sort(w, &u->u.slides->rows);
    u->u.slides->looked = 0;
}

static bool slide_next(const struct dp_window *w, const struct dp_window_unit *u, int64_t *due, int64_t *start) {
    struct dp_window_slides *s = u->u.slides;
    int64_t end;
    if (s->rows.sorted < s->rows.n && u->items) {
        /* no window that ends before the first of the new ones has changed */
        int64_t t = INT64_MAX;
        for (size_t i = s->looked > s->rows.sorted ? s->looked : s->rows.sorted; i < s->rows.n; i++)
            if (s->rows.v[i]->time < t) t = s->rows.v[i]->time;
        s->looked = s->rows.n;
        if (t == INT64_MAX) return false;
        *due = t + 1, *start = t - size_of(w);
        return true;
    }
    slide_order((struct dp_window *)(uintptr_t)w, (struct dp_window_unit *)(uintptr_t)u);
    *due = gone_at(w, s->rows.v[0]->time), *start = INT64_MAX; /* behind a window that is due with it */
    if (next_end(w, s, s->done, &end) && end < *due) *due = end + 1, *start = end - size_of(w);
    return true;
}

/* Since the last early rows. */
static bool is_changed(const struct dp_window *w, const struct dp_window_slides *s, int64_t end) { return end >= s->first && end - size_of(w) - 1 <= s->last; }

static enum dp_status slide_fire(struct dp_window *w, struct dp_window_unit *u, int64_t due, int64_t start, struct dp_err *err) {
    struct dp_window_slides *s = u->u.slides;
    if (start != INT64_MAX) {
        s->done = due - 1;
        if (w->is_showing && !is_changed(w, s, due - 1)) return DP_OK;
        fill(w, s, due - 1);
        if (w->is_showing) {
            enum dp_status status = dp_window_emit(w, DP_WINDOW_EMIT, start, due - 1, key_of(u), 0, w->scratch, true, err);
            dp_agg_release(w->conf.aggs, w->scratch, &w->mem);
            return status;
        }
        if (w->holds) fired_add(w, s, due - 1, 1);
        return write(w, u, DP_WINDOW_EMIT, due - 1, 0, err);
    }
    size_t n = 0; /* rows are in order, since what is due was asked */
    while (n < s->rows.n && gone_at(w, s->rows.v[n]->time) <= due) n++;
    dp_window_records_cut(w, &s->rows, 0, n);
    set_count(u);
    fired_cut(s, 0, fired_from(s, dp_window_sub_sat(due, w->holds)));
    if (!s->rows.n) slide_release(w, u);
    return DP_OK;
}

/* ---- as bytes: done, first, last, the rows, windows that were written ---- */

static void slide_save(const struct dp_window *w, const struct dp_window_unit *u, struct dp_buf *out) {
    const struct dp_window_slides *s = u->u.slides;
    (void)w;
    dp_window_put_time(out, s->done);
    dp_window_put_time(out, s->first);
    dp_window_put_time(out, s->last);
    dp_window_records_save(&s->rows, out);
    for (size_t i = 0; i < s->n_fired; i++) {
        dp_window_put_time(out, s->fired[i].end);
        dp_window_put64(out, s->fired[i].fires);
    }
}

static enum dp_status slide_load(struct dp_window *w, struct dp_window_unit *u, struct dp_str in, struct dp_err *err) {
    struct dp_window_slides *s = slides_of(w, u);
    int64_t end, edge;
    uint64_t fires;
    if (!dp_window_take_time(&in, &s->done) || !dp_window_take_time(&in, &s->first) || !dp_window_take_time(&in, &s->last)) return dp_window_damaged(err);
    if (!(u->flags & DP_WINDOW_FRESH)) s->first = INT64_MAX, s->last = INT64_MIN;
    DP_TRY(dp_window_records_load(w, &s->rows, &in, err));
    if (!s->rows.n || dp_sub_overflow(s->rows.v[0]->time, size_of(w), &edge) || dp_sub_overflow(edge, 2, &edge) ||
        dp_add_overflow(s->rows.v[s->rows.n - 1]->time, size_of(w), &edge) || dp_add_overflow(edge, 2, &edge))
        return dp_window_damaged(err);
    set_count(u);
    while (in.n) {
        if (!dp_window_take_time(&in, &end) || !dp_window_take64(&in, &fires)) return dp_window_damaged(err);
        fired_add(w, s, end, fires);
    }
    return DP_OK;
}

/* ---- pieces that are put aside: a row each ---- */

static void slide_cut(struct dp_window *w, struct dp_window_unit *u, int64_t behind, struct dp_window_pieces *out) {
    struct dp_window_slides *s = u->u.slides;
    if (!s) return;
    slide_order(w, u);
    size_t from = dp_window_records_from(&s->rows, behind + 1);
    for (size_t i = from; i < s->rows.n; i++) {
        uint32_t flags = DP_WINDOW_DIRTY | (s->rows.v[i]->time >= s->first && s->rows.v[i]->time <= s->last ? DP_WINDOW_FRESH : 0);
        if (out->n == out->cap) out->v = dp_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
        out->v[out->n++] = (struct dp_window_part){s->rows.v[i]->time, u, s->rows.v[i], flags};
    }
    s->rows.n = s->rows.sorted = from;
    set_count(u);
    if (!from) slide_release(w, u);
}

static void slide_body(struct dp_window *w, const struct dp_window_part *part, struct dp_window_piece *p, struct dp_buf *out) {
    struct dp_window_record *r = part->what;
    p->number = r->arrival;
    p->flags = part->flags;
    dp_buf_adds(out, dp_window_record_row(r));
    dp_window_record_free(w, r);
}

static enum dp_status slide_join(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_piece *p, struct dp_err *err) {
    int64_t edge;
    if (dp_sub_overflow(p->start, size_of(w), &edge) || dp_sub_overflow(edge, 2, &edge) || dp_add_overflow(p->start, size_of(w), &edge) || dp_add_overflow(edge, 2, &edge))
        return dp_window_damaged(err);
    struct dp_window_slides *s = slides_of(w, u);
    dp_window_records_append(w, &s->rows, p->start, p->number, p->body);
    set_count(u);
    if (!(p->flags & DP_WINDOW_FRESH)) return DP_OK;
    if (p->start < s->first) s->first = p->start;
    if (p->start > s->last) s->last = p->start;
    return DP_OK;
}

static enum dp_status slide_each(struct dp_window *w, struct dp_window_unit *u, enum dp_window_which which, dp_window_visit visit, void *ctx, struct dp_err *err) {
    struct dp_window_slides *s = u->u.slides;
    slide_order(w, u);
    int64_t end = which == DP_WINDOW_ALL && s->n_fired ? s->fired[0].end - 1 : s->done;
    while (next_end(w, s, end, &end)) {
        if (which == DP_WINDOW_CHANGED && !is_changed(w, s, end)) continue;
        size_t i = fired_from(s, end);
        struct dp_window_seen seen = {.start = end - size_of(w), .end = end, .fires = i < s->n_fired && s->fired[i].end == end ? s->fired[i].fires : 0, .state = w->scratch};
        fill(w, s, end);
        enum dp_status status = visit(ctx, &seen, err);
        dp_agg_release(w->conf.aggs, w->scratch, &w->mem);
        if (status != DP_OK) return status;
    }
    if (which == DP_WINDOW_CHANGED) s->first = INT64_MAX, s->last = INT64_MIN;
    return DP_OK;
}

static uint64_t slide_windows(const struct dp_window *w, const struct dp_window_unit *u) {
    uint64_t n = 0;
    slide_order((struct dp_window *)(uintptr_t)w, (struct dp_window_unit *)(uintptr_t)u);
    for (int64_t end = u->u.slides->done; next_end(w, u->u.slides, end, &end);) n++;
    return n;
}

const struct dp_window_kind_ops dp_window_slide_ops = {slide_add, slide_next, slide_fire, slide_save, slide_load, slide_release, slide_each, slide_windows,
                                                       slide_cut, slide_body, slide_join, slide_order};
