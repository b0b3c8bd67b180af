/*
 * Session windows: records of a key that are at most a gap apart.  spec: windows.md 1 and 4, cases w027 to w039.
 *
 * A unit's sessions are sorted by time and never touch each other.  A record is joined with all that it touches first, and what comes of that is judged for lateness.
 * Where records may be taken out again a session keeps its rows, since it may fall into several.
 *
 * Few sessions are a list.  From MANY on those that are added are in a skip list too (levels above the list, each with a quarter of what is below): one of n is found in O(log n) steps.
 */
#include "window_priv.h"

enum { LEVELS = 12, MANY = 24 };

struct dp_window_session {
    struct dp_window_session *next;
    int64_t start, last; /* it ends a gap behind its last record */
    uint64_t fires;
    struct dp_window_records *rows; /* with changes */
    bool is_fresh;
    uint8_t levels; /* above the list */
}; /* behind it: the state, the rows, the next ones of its levels */

struct dp_window_tower {
    struct dp_window_session *first[LEVELS];
};

static void *state_of(struct dp_window_session *s) { return s + 1; }
static size_t rows_at(const struct dp_window *w) { return sizeof(struct dp_window_session) + w->state_size; }
static size_t levels_at(const struct dp_window *w) { return rows_at(w) + (w->conf.spec.changes ? sizeof(struct dp_window_records) : 0); }
static size_t session_size(const struct dp_window *w, unsigned levels) { return levels_at(w) + levels * sizeof(struct dp_window_session *); }
/* of its end overflows: such a record was refused */
static int64_t end_of(const struct dp_window *w, const struct dp_window_session *s) { return s->last + w->conf.spec.size; }
static struct dp_str key_of(const struct dp_window_unit *u) { return dp_str(u->key, u->key_n); }

/* ---- the list, and the levels above it ---- */

/* Where the next session is told, on the list and on each level. */
struct path {
    struct dp_window_session **at[LEVELS + 1];
};

static struct dp_window_session **next_on(const struct dp_window *w, struct dp_window_session *s, unsigned level) {
    return level ? (struct dp_window_session **)(void *)((char *)s + levels_at(w)) + (level - 1) : &s->next;
}

typedef bool (*is_before)(const struct dp_window *w, const struct dp_window_session *s, int64_t x);

/* To the first session that is not before x; `before` is true of the first ones of a unit and of no others. */
static void seek(const struct dp_window *w, struct dp_window_unit *u, is_before before, int64_t x, struct path *p) {
    struct dp_window_session *s = NULL, **at;
    for (unsigned level = u->tower ? LEVELS : 0; level; level--) {
        for (at = s ? next_on(w, s, level) : &u->tower->first[level - 1]; *at && before(w, *at, x); at = next_on(w, s, level)) s = *at;
        p->at[level] = at;
    }
    for (at = s ? &s->next : &u->u.sessions; *at && before(w, *at, x);) at = &(*at)->next;
    p->at[0] = at;
}

/* Behind a session that the path is at, or that was put there. */
static void pass(const struct dp_window *w, struct path *p, struct dp_window_session *s) {
    for (unsigned level = 0; level <= s->levels; level++) p->at[level] = next_on(w, s, level);
}

static void link_at(struct dp_window *w, struct dp_window_unit *u, struct path *p, struct dp_window_session *s) {
    for (unsigned level = 0; level <= s->levels; level++) {
        *next_on(w, s, level) = *p->at[level];
        *p->at[level] = s;
    }
    u->n++;
}

static void unlink_at(const struct dp_window *w, struct dp_window_unit *u, struct path *p) {
    struct dp_window_session *s = *p->at[0];
    for (unsigned level = 0; level <= s->levels; level++) *p->at[level] = *next_on(w, s, level);
    if (u->latest == s) u->latest = NULL;
    u->n--;
}

static void tower_drop(struct dp_window *w, struct dp_window_unit *u) {
    if (u->tower) dp_window_slab_put(dp_window_keyed_slab(w), u->tower, sizeof *u->tower);
    u->tower = NULL;
}

/* The path, which was found before, knows of the levels too. */
static unsigned levels_for(struct dp_window *w, struct dp_window_unit *u, struct path *p) {
    unsigned levels = 0;
    if (!u->tower) {
        if (u->n < MANY) return 0;
        u->tower = dp_window_slab_get(dp_window_keyed_slab(w), sizeof *u->tower);
        for (unsigned i = 0; i < LEVELS; i++) p->at[i + 1] = &u->tower->first[i];
    }
    for (uint64_t x = w->dice = w->dice * 6364136223846793005u + 1442695040888963407u; levels < LEVELS && (x >> 62) == 3; x <<= 2) levels++;
    return levels;
}

static struct dp_window_session *session_new(struct dp_window *w, struct dp_window_unit *u, struct path *p, int64_t start, int64_t last) {
    unsigned levels = levels_for(w, u, p);
    struct dp_window_session *s = dp_window_slab_get(dp_window_keyed_slab(w), session_size(w, levels));
    s->start = start, s->last = last;
    s->is_fresh = true;
    s->levels = (uint8_t)levels;
    if (w->conf.spec.changes) s->rows = (struct dp_window_records *)(void *)((char *)s + rows_at(w));
    link_at(w, u, p, s);
    return s;
}

static void session_free(struct dp_window *w, struct dp_window_session *s) {
    dp_agg_release(w->conf.aggs, state_of(s), &w->mem);
    if (s->rows) dp_window_records_release(w, s->rows);
    dp_window_slab_put(dp_window_keyed_slab(w), s, session_size(w, s->levels));
}

static void session_put(struct dp_window *w, struct dp_window_session *s, int64_t time, uint64_t arrival, struct dp_str row) {
    dp_agg_add(w->conf.aggs, state_of(s), row, (struct dp_agg_at){time, arrival}, &w->mem);
    if (s->rows) dp_window_records_add(w, s->rows, time, arrival, row);
    s->is_fresh = true;
}

/* Are these times, the first not behind the second, of one session? */
static bool are_near(const struct dp_window *w, int64_t a, int64_t b) {
    int64_t d;
    if (b <= a) return true;
    if (dp_sub_overflow(b, a, &d)) return false;
    return w->conf.spec.gap_exclusive ? d < w->conf.spec.size : d <= w->conf.spec.size;
}

static bool is_apart(const struct dp_window *w, const struct dp_window_session *s, int64_t t) { return !are_near(w, s->last, t); }
static bool starts_before(const struct dp_window *w, const struct dp_window_session *s, int64_t t) { return (void)w, s->start < t; }
static bool starts_by(const struct dp_window *w, const struct dp_window_session *s, int64_t t) { return (void)w, s->start <= t; }
static bool ends_before(const struct dp_window *w, const struct dp_window_session *s, int64_t t) { return (void)w, s->last < t; }
static bool has_fired(const struct dp_window *w, const struct dp_window_session *s, int64_t t) { return (void)w, (void)t, s->fires != 0; }

/* Writes a session whose time has come; where it was written before it is an update. */
static enum dp_status refire(struct dp_window *w, const struct dp_window_unit *u, struct dp_window_session *s, struct dp_err *err) {
    enum dp_window_op op = s->fires ? DP_WINDOW_UPDATED : DP_WINDOW_EMIT;
    if (!dp_window_is_due(w, end_of(w, s)) || w->is_final) return DP_OK;
    DP_TRY(dp_window_emit(w, op, s->start, end_of(w, s), key_of(u), s->fires++, state_of(s), false, err));
    if (w->is_discarding) dp_agg_release(w->conf.aggs, state_of(s), &w->mem);
    return DP_OK;
}

static enum dp_status retract(struct dp_window *w, const struct dp_window_unit *u, const struct dp_window_session *s, struct dp_err *err) {
    return s->fires ? dp_window_emit(w, DP_WINDOW_RETRACT, s->start, end_of(w, s), key_of(u), 0, NULL, false, err) : DP_OK;
}

/* All from the first of the path, which is there, up to `stop` becomes one session that holds start to last too. */
static enum dp_status join(struct dp_window *w, struct dp_window_unit *u, struct path *p, struct dp_window_session *stop, int64_t start, int64_t last, struct dp_err *err) {
    struct dp_window_session *s = *p->at[0], *x;
    for (x = s; x != stop; x = x->next) DP_TRY(retract(w, u, x, err));
    pass(w, p, s);
    while ((x = s->next) != stop) {
        unlink_at(w, u, p);
        dp_agg_merge(w->conf.aggs, state_of(s), state_of(x), &w->mem);
        for (size_t i = 0; x->rows && i < x->rows->n; i++)
            dp_window_records_add(w, s->rows, x->rows->v[i]->time, x->rows->v[i]->arrival, dp_window_record_row(x->rows->v[i]));
        if (x->last > s->last) s->last = x->last;
        s->is_fresh |= x->is_fresh;
        session_free(w, x);
    }
    if (start < s->start) s->start = start;
    if (last > s->last) s->last = last;
    s->fires = 0;
    return DP_OK;
}

static enum dp_status take_out(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err);

/* Records mostly come in order: is this one of the session that the last one was of, and of no other? */
static struct dp_window_session *same_again(const struct dp_window *w, const struct dp_window_unit *u, int64_t t) {
    struct dp_window_session *s = u->latest;
    if (!s || s->start > t || !are_near(w, s->last, t)) return NULL;
    if (t <= s->last) return s;
    if ((s->next && are_near(w, t, s->next->start)) || s->fires) return NULL;
    s->last = t;
    return s;
}

/* The session of a record, made where there is none; NULL: it is late. */
static enum dp_status place(struct dp_window *w, struct dp_window_unit *u, int64_t t, struct dp_window_session **out, struct dp_err *err) {
    struct dp_window_session *s, *stop;
    struct path p;
    if ((*out = same_again(w, u, t))) return DP_OK;
    if (u->latest && !u->tower && u->latest->start <= t && !are_near(w, u->latest->last, t)) { /* then no session before it is near */
        p.at[0] = &u->latest->next;
        while (*p.at[0] && is_apart(w, *p.at[0], t)) p.at[0] = &(*p.at[0])->next;
    } else {
        seek(w, u, is_apart, t, &p);
    }
    s = *p.at[0];
    for (stop = s; stop && are_near(w, t, stop->start);) stop = stop->next;
    if (stop == s) {
        if (dp_window_is_closed(w, t + w->conf.spec.size)) return DP_OK;
        s = session_new(w, u, &p, t, t);
    } else if (s->next != stop || t < s->start || t > s->last) {
        DP_TRY(join(w, u, &p, stop, t, t, err));
    }
    *out = u->latest = s;
    return DP_OK;
}

static enum dp_status session_add(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    struct dp_window_session *s;
    int64_t end;
    if (dp_add_overflow(ev->time, w->conf.spec.size, &end)) {
        *fate = DP_WINDOW_UNASSIGNED;
        return DP_OK;
    }
    if (ev->subtract) return take_out(w, u, ev, fate, err);
    DP_TRY(place(w, u, ev->time, &s, err));
    *fate = s ? DP_WINDOW_USED : DP_WINDOW_LATE;
    if (!s) return DP_OK;
    session_put(w, s, ev->time, w->arrivals, ev->row);
    return refire(w, u, s, err);
}

/* ---- records that are taken out ---- */

/* Makes a session anew of rows first..last of another. */
static struct dp_window_session *part_of(struct dp_window *w, struct dp_window_unit *u, struct path *p, const struct dp_window_records *rows, size_t first, size_t last) {
    struct dp_window_session *s = session_new(w, u, p, rows->v[first]->time, rows->v[last]->time);
    for (size_t i = first; i <= last; i++) session_put(w, s, rows->v[i]->time, rows->v[i]->arrival, dp_window_record_row(rows->v[i]));
    return s;
}

/* Puts what is left of the session that the path is at in its place: nothing, or one or more sessions. */
static enum dp_status split(struct dp_window *w, struct dp_window_unit *u, struct path *p, struct dp_err *err) {
    struct dp_window_session *old = *p->at[0];
    const struct dp_window_records *rows = old->rows;
    enum dp_status status = retract(w, u, old, err);
    unlink_at(w, u, p);
    u->latest = NULL;
    for (size_t i = 0, j; status == DP_OK && i < rows->n; i = j + 1) {
        for (j = i; j + 1 < rows->n && are_near(w, rows->v[j]->time, rows->v[j + 1]->time);) j++;
        struct dp_window_session *s = part_of(w, u, p, rows, i, j);
        status = refire(w, u, s, err);
        pass(w, p, s);
    }
    session_free(w, old);
    if (!u->n) tower_drop(w, u);
    return status;
}

static enum dp_status take_out(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    struct dp_window_session *s;
    struct path p;
    size_t i;
    seek(w, u, ends_before, ev->time, &p);
    s = *p.at[0];
    if (!s || s->start > ev->time || !dp_window_records_find(s->rows, ev->time, ev->row, &i)) {
        *fate = !(s && s->start <= ev->time) && dp_window_is_closed(w, ev->time + w->conf.spec.size) ? DP_WINDOW_LATE : DP_WINDOW_UNKNOWN;
        return DP_OK;
    }
    struct dp_window_records *r = s->rows;
    bool is_inside = i > 0 && i + 1 < r->n && are_near(w, r->v[i - 1]->time, r->v[i + 1]->time);
    bool is_twice = (i > 0 && r->v[i - 1]->time == ev->time) || (i + 1 < r->n && r->v[i + 1]->time == ev->time);
    struct dp_agg_at row_at = {ev->time, r->v[i]->arrival};
    *fate = DP_WINDOW_USED;
    s->is_fresh = true;
    dp_window_records_cut(w, r, i, 1);
    if ((is_inside || is_twice) && dp_agg_sub(w->conf.aggs, state_of(s), ev->row, row_at, &w->mem)) return refire(w, u, s, err);
    return split(w, u, &p, err);
}

/* ---- what is due ---- */

static int64_t due_of(const struct dp_window *w, const struct dp_window_session *s) {
    return s->fires ? dp_window_add_sat(end_of(w, s), w->holds) : end_of(w, s);
}

/* Sessions that have fired are before those that have not, and both are due in their order. */
static bool session_next(const struct dp_window *w, const struct dp_window_unit *u, int64_t *due, int64_t *start) {
    const struct dp_window_session *least = u->u.sessions, *s = least;
    struct path p;
    if (s->fires) {
        seek(w, (struct dp_window_unit *)(uintptr_t)u, has_fired, 0, &p);
        s = *p.at[0];
        if (s && due_of(w, s) < due_of(w, least)) least = s;
    }
    *due = due_of(w, least), *start = least->start;
    return true;
}

static enum dp_status session_fire(struct dp_window *w, struct dp_window_unit *u, int64_t due, int64_t start, struct dp_err *err) {
    struct path p;
    seek(w, u, starts_before, start, &p);
    struct dp_window_session *s = *p.at[0];
    if (!s || s->start != start || due_of(w, s) != due) return dp_err_set(err, DP_BUG, "a session is due that is not there");
    if (!s->fires) {
        if (!w->is_showing) DP_TRY(dp_window_emit(w, DP_WINDOW_EMIT, s->start, end_of(w, s), key_of(u), 0, state_of(s), false, err));
        else if (s->is_fresh) DP_TRY(dp_window_emit(w, DP_WINDOW_EMIT, s->start, end_of(w, s), key_of(u), 0, state_of(s), true, err));
        s->fires = 1;
        if (w->is_discarding) dp_agg_release(w->conf.aggs, state_of(s), &w->mem);
        if (w->holds && !w->is_showing) return DP_OK;
    }
    unlink_at(w, u, &p);
    session_free(w, s);
    if (!u->n) tower_drop(w, u);
    return DP_OK;
}

/* ---- as bytes: of each session start, last, fires, fresh, its rows with changes, its state ---- */

static void body_of(const struct dp_window *w, struct dp_window_session *s, struct dp_buf *out) {
    dp_window_put_time(out, s->last);
    dp_window_put64(out, s->fires << 1 | s->is_fresh);
    if (s->rows) dp_window_records_save(s->rows, out);
    dp_agg_save(w->conf.aggs, state_of(s), out);
}

static void session_save(const struct dp_window *w, const struct dp_window_unit *u, struct dp_buf *out) {
    for (struct dp_window_session *s = u->u.sessions; s; s = s->next) {
        dp_window_put_time(out, s->start);
        body_of(w, s, out);
    }
}

/* At the path; *in is behind it then. */
static enum dp_status session_read(struct dp_window *w, struct dp_window_unit *u, struct path *p, int64_t start, bool is_fresh, struct dp_str *in, struct dp_window_session **out, struct dp_err *err) {
    int64_t last, end;
    uint64_t fires;
    if (!dp_window_take_time(in, &last) || !dp_window_take64(in, &fires) || start > last || dp_add_overflow(last, w->conf.spec.size, &end)) return dp_window_damaged(err);
    struct dp_window_session *s = *out = session_new(w, u, p, start, last);
    s->fires = fires >> 1, s->is_fresh = (fires & 1) && is_fresh;
    if (s->rows) DP_TRY(dp_window_records_load(w, s->rows, in, err));
    return dp_agg_load(w->conf.aggs, state_of(s), in, &w->mem, err);
}

static enum dp_status session_load(struct dp_window *w, struct dp_window_unit *u, struct dp_str in, struct dp_err *err) {
    struct dp_window_session *s;
    struct path p = {{&u->u.sessions}};
    int64_t start;
    while (in.n) {
        if (!dp_window_take_time(&in, &start)) return dp_window_damaged(err);
        DP_TRY(session_read(w, u, &p, start, (u->flags & DP_WINDOW_FRESH) != 0, &in, &s, err));
        pass(w, &p, s);
    }
    return DP_OK;
}

static void session_release(struct dp_window *w, struct dp_window_unit *u) {
    while (u->u.sessions) {
        struct dp_window_session *s = u->u.sessions;
        u->u.sessions = s->next;
        session_free(w, s);
    }
    u->n = 0, u->latest = NULL;
    tower_drop(w, u);
}

/* ---- pieces that are put aside ---- */

static void session_cut(struct dp_window *w, struct dp_window_unit *u, int64_t behind, struct dp_window_pieces *out) {
    struct path p;
    if (!u->u.sessions) return;
    seek(w, u, starts_by, behind, &p);
    struct dp_window_session *s = *p.at[0];
    for (unsigned level = 0; level <= (u->tower ? LEVELS : 0); level++) *p.at[level] = NULL;
    for (; s; s = s->next) {
        if (out->n == out->cap) out->v = dp_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
        out->v[out->n++] = (struct dp_window_part){s->start, u, s, DP_WINDOW_DIRTY | (s->is_fresh ? DP_WINDOW_FRESH : 0)};
        if (u->latest == s) u->latest = NULL;
        u->n--;
    }
    if (!u->n) tower_drop(w, u);
}

static void session_body(struct dp_window *w, const struct dp_window_part *part, struct dp_window_piece *p, struct dp_buf *out) {
    struct dp_window_session *s = part->what;
    p->number = w->arrivals;
    p->flags = part->flags;
    body_of(w, s, out);
    session_free(w, s);
}

/* Among the others: all that it touches becomes one. */
static enum dp_status session_join(struct dp_window *w, struct dp_window_unit *u, const struct dp_window_piece *piece, struct dp_err *err) {
    struct dp_str in = piece->body;
    struct dp_window_session *s, *stop;
    struct path p;
    seek(w, u, is_apart, piece->start, &p);
    /* before the first that it touches where that begins behind it, else behind that one */
    if (*p.at[0] && (*p.at[0])->start <= piece->start) {
        struct path at = p;
        pass(w, &at, *p.at[0]);
        DP_TRY(session_read(w, u, &at, piece->start, (piece->flags & DP_WINDOW_FRESH) != 0, &in, &s, err));
    } else {
        DP_TRY(session_read(w, u, &p, piece->start, (piece->flags & DP_WINDOW_FRESH) != 0, &in, &s, err));
    }
    if (in.n || s->fires) return dp_window_damaged(err);
    seek(w, u, is_apart, piece->start, &p);
    int64_t last = s->last;
    if ((*p.at[0])->last > last) last = (*p.at[0])->last;
    for (stop = s; stop && are_near(w, last, stop->start); stop = stop->next)
        if (stop->last > last) last = stop->last;
    if (*p.at[0] != s || s->next != stop) DP_TRY(join(w, u, &p, stop, piece->start, last, err));
    return DP_OK;
}

/* ---- for who looks ---- */

/* A copy of a state, in one that is empty. */
static enum dp_status copy(struct dp_window *w, const void *from, void *to, struct dp_err *err) {
    dp_buf_reset(&w->bytes);
    dp_agg_save(w->conf.aggs, from, &w->bytes);
    struct dp_str in = dp_buf_str(&w->bytes);
    return dp_agg_load(w->conf.aggs, to, &in, &w->mem, err);
}

static enum dp_status session_each(struct dp_window *w, struct dp_window_unit *u, enum dp_window_which which, dp_window_visit visit, void *ctx, struct dp_err *err) {
    for (struct dp_window_session *s = u->u.sessions; s; s = s->next) {
        if ((which != DP_WINDOW_ALL && s->fires) || (which == DP_WINDOW_CHANGED && !s->is_fresh)) continue;
        struct dp_window_seen seen = {.start = s->start, .end = end_of(w, s), .fires = s->fires, .state = w->scratch};
        if (which == DP_WINDOW_CHANGED) s->is_fresh = false;
        DP_TRY(copy(w, state_of(s), w->scratch, err));
        enum dp_status status = visit(ctx, &seen, err);
        dp_agg_release(w->conf.aggs, w->scratch, &w->mem);
        if (status != DP_OK) return status;
    }
    return DP_OK;
}

static uint64_t session_windows(const struct dp_window *w, const struct dp_window_unit *u) { return (void)w, u->n; }

const struct dp_window_kind_ops dp_window_session_ops = {session_add,  session_next,    session_fire,    session_save, session_load, session_release,
                                                         session_each, session_windows, session_cut, session_body, session_join, NULL};
