/*
 * Pieces of units that begin behind the bound (window_priv.h): a session that time has not come to, a row that no window needs yet.
 *
 * Nothing has to be known of a key to put a piece of it aside, and nothing is asked for: pieces are written in order of time, read once in that order, and joined with what there is of their
 * key when time comes to them.  So streams in any order cost a sort and a few passes, and the sessions of one key need not fit in memory together.
 *
 * An item of a run is: key start, hash, number; value the key's bytes behind their length, then the body.
 */
#include "window_priv.h"

#include <stdlib.h>

enum { KEY = 24 };

void dp_window_ahead_init(struct dp_window_ahead *a, uint64_t *spilled) { *a = (struct dp_window_ahead){.first = INT64_MAX, .spilled = spilled}; }

void dp_window_ahead_release(struct dp_window_ahead *a) {
    for (size_t i = 0; i < a->n; i++) dp_window_cursor_close(&a->cursors[i]), dp_window_run_free(a->runs[i]);
    free(a->runs), free(a->cursors), free(a->places);
    dp_window_run_free(a->open);
    dp_buf_release(&a->key), dp_buf_release(&a->value), dp_buf_release(&a->loaded);
    dp_window_ahead_init(a, a->spilled);
}

static int64_t start_of(const struct dp_window_cursor *c) { return dp_window_peek_time(c->item.key.p); }

static void look(struct dp_window_ahead *a) {
    a->first = INT64_MAX;
    for (size_t i = 0; i < a->n; i++) {
        if (a->cursors[i].is_end) continue;
        int64_t start = start_of(&a->cursors[i]);
        if (start < a->first) a->first = start, a->least = i;
    }
}

static void run_remove(struct dp_window_ahead *a, size_t i) {
    dp_window_cursor_close(&a->cursors[i]);
    dp_window_run_free(a->runs[i]);
    a->n--;
    memmove(a->runs + i, a->runs + i + 1, (a->n - i) * sizeof(struct dp_window_run *));
    memmove(a->cursors + i, a->cursors + i + 1, (a->n - i) * sizeof *a->cursors);
}

/* Takes the run, also where it fails. */
static enum dp_status run_add(struct dp_window_ahead *a, struct dp_window_run *r, struct dp_err *err) {
    struct dp_window_cursor c = {0};
    enum dp_status status = dp_window_run_end(r, err);
    if (status == DP_OK) status = dp_window_cursor_open(&c, r, dp_str("", 0), err);
    if (status != DP_OK) {
        dp_window_cursor_close(&c);
        dp_window_run_free(r);
        return status;
    }
    if (a->n == a->cap) a->runs = dp_grow(a->runs, &a->cap, a->n + 1, sizeof *a->runs);
    if (a->n == a->cap_cursors) a->cursors = dp_grow(a->cursors, &a->cap_cursors, a->n + 1, sizeof *a->cursors);
    a->runs[a->n] = r, a->cursors[a->n] = c;
    a->n++;
    *a->spilled += r->bytes;
    return DP_OK;
}

/* The last n runs become one, of what was not taken of them. */
static enum dp_status merge(struct dp_window_ahead *a, size_t n, struct dp_err *err) {
    size_t from = a->n - n;
    struct dp_window_ahead some = {.runs = a->runs + from, .cursors = a->cursors + from, .n = n};
    struct dp_window_run *r = NULL;
    enum dp_status status;
    DP_TRY_OUT(dp_window_run_open(&r, err));
    for (size_t i = from; i < a->n; i++)
        if (a->runs[i]->level >= r->level) r->level = a->runs[i]->level + 1;
    for (look(&some); some.first != INT64_MAX; look(&some)) {
        struct dp_window_cursor *c = &some.cursors[some.least];
        struct dp_window_item item = c->item;
        item.flags &= ~c->run->passed;
        DP_TRY_OUT(dp_window_run_put(r, &item, err));
        DP_TRY_OUT(dp_window_cursor_next(c, err));
    }
    while (a->n > from) run_remove(a, a->n - 1);
    status = run_add(a, r, err);
    r = NULL;
out:
    dp_window_run_free(r);
    return status;
}

/* ---- writing ---- */

enum dp_status dp_window_ahead_begin(struct dp_window_ahead *a, struct dp_err *err) { return dp_window_run_open(&a->open, err); }

enum dp_status dp_window_ahead_put(struct dp_window_ahead *a, const struct dp_window_piece *p, struct dp_err *err) {
    dp_buf_reset(&a->key), dp_buf_reset(&a->value);
    dp_window_put_time(&a->key, p->start);
    dp_window_put64(&a->key, p->hash);
    dp_window_put64(&a->key, p->number);
    dp_window_put64(&a->value, p->key.n);
    dp_buf_adds(&a->value, p->key);
    dp_buf_adds(&a->value, p->body);
    struct dp_window_item item = {dp_buf_str(&a->key), dp_buf_str(&a->value), p->flags};
    return dp_window_run_put(a->open, &item, err);
}

enum dp_status dp_window_ahead_end(struct dp_window_ahead *a, struct dp_err *err) {
    struct dp_window_run *r = a->open;
    a->open = NULL;
    for (size_t i = a->n; i--;)
        if (a->cursors[i].is_end) run_remove(a, i);
    DP_TRY(run_add(a, r, err));
    while (a->n >= DP_WINDOW_FANIN && a->runs[a->n - DP_WINDOW_FANIN]->level == a->runs[a->n - 1]->level) DP_TRY(merge(a, DP_WINDOW_FANIN, err));
    look(a);
    return DP_OK;
}

/* ---- reading ---- */

static enum dp_status piece_of(const struct dp_window_item *item, uint32_t passed, struct dp_window_piece *p, struct dp_err *err) {
    struct dp_str in = item->value;
    uint64_t n;
    if (item->key.n != KEY || !dp_window_take64(&in, &n) || n > in.n) return dp_window_damaged(err);
    *p = (struct dp_window_piece){.start = dp_window_peek_time(item->key.p), .hash = dp_window_peek64(item->key.p + 8), .number = dp_window_peek64(item->key.p + 16),
                                  .key = {in.p, (size_t)n}, .body = {in.p + n, in.n - (size_t)n}, .flags = item->flags & ~passed};
    return DP_OK;
}

enum dp_status dp_window_ahead_get(struct dp_window_ahead *a, struct dp_window_piece *p, struct dp_err *err) {
    const struct dp_window_cursor *c = &a->cursors[a->least];
    return piece_of(&c->item, c->run->passed, p, err);
}

enum dp_status dp_window_ahead_pass(struct dp_window_ahead *a, struct dp_err *err) {
    struct dp_window_cursor *c = &a->cursors[a->least];
    DP_TRY(dp_window_cursor_next(c, err));
    if (c->is_end || start_of(c) != a->first) look(a);
    return DP_OK;
}

enum dp_status dp_window_ahead_fork(const struct dp_window_ahead *of, struct dp_window_ahead *a, struct dp_err *err) {
    dp_window_ahead_init(a, of->spilled);
    if (!of->n) return DP_OK;
    a->runs = dp_grow(NULL, &a->cap, of->n, sizeof *a->runs);
    a->cursors = dp_grow(NULL, &a->cap_cursors, of->n, sizeof *a->cursors);
    for (size_t i = 0; i < of->n; i++) {
        a->runs[i] = of->runs[i];
        a->runs[i]->refs++;
        a->cursors[i] = (struct dp_window_cursor){.is_end = true};
        a->n++;
        DP_TRY(dp_window_cursor_fork(&a->cursors[i], &of->cursors[i], err));
    }
    look(a);
    return DP_OK;
}

uint64_t dp_window_ahead_entries(const struct dp_window_ahead *a) {
    uint64_t n = a->n_places;
    for (size_t i = 0; i < a->n; i++) n += a->cursors[i].is_end ? 0 : a->runs[i]->entries;
    return n;
}

void dp_window_ahead_passed(struct dp_window_ahead *a, uint32_t flag) {
    for (size_t i = 0; i < a->n; i++) a->runs[i]->passed |= flag;
}

/* ---- checkpoints: key hash, 'f', start, number, key; value whether it is fresh, body ---- */

static enum dp_status save_run(struct dp_window_ahead *a, size_t i, bool all, dp_window_put put, void *ctx, struct dp_err *err) {
    struct dp_window_cursor c = {0};
    struct dp_window_piece p;
    enum dp_status status;
    DP_TRY_OUT(dp_window_cursor_fork(&c, &a->cursors[i], err));
    for (; !c.is_end; status = dp_window_cursor_next(&c, err)) {
        if (status != DP_OK) goto out;
        DP_TRY_OUT(piece_of(&c.item, c.run->passed, &p, err));
        if (!all && !(p.flags & DP_WINDOW_DIRTY)) continue;
        dp_buf_reset(&a->key), dp_buf_reset(&a->value);
        dp_window_put64(&a->key, p.hash);
        dp_buf_addc(&a->key, 'f');
        dp_window_put_time(&a->key, p.start);
        dp_window_put64(&a->key, p.number);
        dp_buf_adds(&a->key, p.key);
        dp_window_put64(&a->value, p.flags & DP_WINDOW_FRESH ? 1 : 0);
        dp_buf_adds(&a->value, p.body);
        struct dp_str value = dp_buf_str(&a->value);
        DP_TRY_OUT(put(ctx, dp_buf_str(&a->key), &value, err));
    }
out:
    dp_window_cursor_close(&c);
    return status;
}

enum dp_status dp_window_ahead_save(struct dp_window_ahead *a, bool all, dp_window_put put, void *ctx, struct dp_err *err) {
    for (size_t i = 0; i < a->n; i++) {
        if (!all && (a->runs[i]->passed & DP_WINDOW_DIRTY)) continue;
        DP_TRY(save_run(a, i, all, put, ctx, err));
        a->runs[i]->passed |= DP_WINDOW_DIRTY;
    }
    return DP_OK;
}

static int by_start(const void *a, const void *b) {
    const struct dp_window_place *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* What was loaded becomes a run. */
static enum dp_status sort_loaded(struct dp_window_ahead *a, struct dp_err *err) {
    if (!a->n_places) return DP_OK;
    qsort(a->places, a->n_places, sizeof *a->places, by_start);
    DP_TRY(dp_window_ahead_begin(a, err));
    for (size_t i = 0; i < a->n_places; i++) {
        struct dp_str in = dp_str(a->loaded.p + a->places[i].at, a->loaded.n - a->places[i].at);
        struct dp_window_piece p = {.start = a->places[i].start};
        uint64_t flags, key, body;
        if (!dp_window_take64(&in, &p.hash) || !dp_window_take64(&in, &p.number) || !dp_window_take64(&in, &flags) || !dp_window_take64(&in, &key) || !dp_window_take64(&in, &body))
            return dp_window_damaged(err);
        p.flags = (uint32_t)flags;
        p.key = dp_str(in.p, (size_t)key), p.body = dp_str(in.p + key, (size_t)body);
        DP_TRY(dp_window_ahead_put(a, &p, err));
    }
    a->n_places = 0;
    dp_buf_release(&a->loaded);
    return dp_window_ahead_end(a, err);
}

enum dp_status dp_window_ahead_load(struct dp_window_ahead *a, const struct dp_window_piece *p, size_t memory, struct dp_err *err) {
    if (a->n_places == a->cap_places) a->places = dp_grow(a->places, &a->cap_places, a->n_places + 1, sizeof *a->places);
    a->places[a->n_places++] = (struct dp_window_place){p->start, a->loaded.n};
    dp_window_put64(&a->loaded, p->hash);
    dp_window_put64(&a->loaded, p->number);
    dp_window_put64(&a->loaded, p->flags);
    dp_window_put64(&a->loaded, p->key.n);
    dp_window_put64(&a->loaded, p->body.n);
    dp_buf_adds(&a->loaded, p->key);
    dp_buf_adds(&a->loaded, p->body);
    return a->loaded.n + a->n_places * sizeof *a->places > memory / 8 ? sort_loaded(a, err) : DP_OK;
}

/* Behind the last load: what time had come to is in entries of its key. */
enum dp_status dp_window_ahead_start(struct dp_window_ahead *a, int64_t bound, struct dp_err *err) {
    DP_TRY(sort_loaded(a, err));
    free(a->places);
    a->places = NULL, a->cap_places = 0;
    for (size_t i = 0; i < a->n; i++)
        while (!a->cursors[i].is_end && start_of(&a->cursors[i]) <= bound) DP_TRY(dp_window_cursor_next(&a->cursors[i], err));
    look(a);
    return DP_OK;
}
