/*
 * States by (end, start, key): tumbling, hopping and calendar windows, and whatever else must come out in that order (a sorter).  spec: windows.md 1, 4, 5.
 *
 * In memory there is one hash table of (window, key), and the entries of a window hang on its pane; panes are in a heap by what is due next.  When memory is full everything is written as
 * one run sorted by (end, start, key).  States merge exactly, so an entry whose window has not fired does not look for its older parts: those are joined when the window fires, in
 * one pass over the pane and the runs' cursors, which all stand at that window then.  Only where a whole state is needed at once (a window that has fired already, records to be taken
 * out) the runs are asked for the key; the entry is then `whole`, and what older runs have of it does not count any more.
 */
#include "window_priv.h"

#include <stdlib.h>

enum { AHEAD = 8 }; /* entries that are fetched into the cache before they are needed */

struct entry {
    struct entry *next; /* of its slot */
    struct pane *pane;
    uint64_t mixed;     /* of key and window */
    uint64_t fires;     /* rows that were written of it */
    uint32_t flags, key_n;
}; /* behind it: the key, and aligned to 16 the state */

/* An entry in its pane. */
struct place {
    uint64_t prefix; /* first bytes of the key: most comparisons touch no entry */
    struct entry *e;
};

struct pane {
    struct pane *next; /* of its slot */
    int64_t start, end;
    struct place *v;
    size_t n, cap;
    bool has_fired;
};

struct dp_window_grid {
    struct dp_window *w;
    bool is_sorter, asks;      /* asks: entries must be whole */
    struct dp_window_slab slab;
    struct entry **slots;
    size_t n_slots, n;
    unsigned shift;
    struct pane **pane_slots, *last;
    size_t n_pane_slots, n_panes;
    struct dp_window_heap heap;
    struct dp_window_run **runs;      /* oldest first */
    struct dp_window_cursor *cursors; /* of each: the next window that fires */
    size_t n_runs, cap_runs, cap_cursors;
    struct dp_buf key, value, found;
    struct dp_buf gone;               /* keys of entries in checkpoints whose windows were dropped; as many as fit, since a checkpoint's bound tells too */
};

static size_t padded(size_t key_n) { return (key_n + 15) / 16 * 16; }
static void *state_of(struct entry *e) { return (char *)(e + 1) + padded(e->key_n); }
static struct dp_str key_of(const struct entry *e) { return dp_str((const char *)(e + 1), e->key_n); }
static size_t entry_size(const struct dp_window_grid *g, size_t key_n) { return sizeof(struct entry) + padded(key_n) + g->w->state_size; }
static int64_t bound_of(const struct dp_window_grid *g) { return g->is_sorter ? INT64_MIN : g->w->bound; }
static int64_t holds(const struct dp_window_grid *g) { return g->is_sorter ? 0 : g->w->holds; }

static inline uint64_t mix(uint64_t hash, int64_t start) {
    return (hash ^ (uint64_t)start * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
}
static inline size_t slot_of(const struct dp_window_grid *g, uint64_t mixed) { return (size_t)(mixed >> g->shift); }
static inline size_t pane_slot(const struct dp_window_grid *g, int64_t start, int64_t end) {
    uint64_t h = ((uint64_t)start + (uint64_t)end * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
    return (size_t)(h >> 32) & (g->n_pane_slots - 1);
}

static void set_slots(struct dp_window_grid *g, unsigned bits) {
    struct entry **old = g->slots;
    size_t n = g->n_slots;
    g->n_slots = (size_t)1 << bits, g->shift = 64 - bits;
    g->slots = dp_calloc(g->n_slots, sizeof *g->slots);
    for (size_t i = 0; i < n; i++)
        for (struct entry *e = old[i], *next; e; e = next) {
            struct entry **to = &g->slots[slot_of(g, e->mixed)];
            next = e->next, e->next = *to, *to = e;
        }
    free(old);
}

static void set_pane_slots(struct dp_window_grid *g, size_t want) {
    struct pane **old = g->pane_slots;
    size_t n = g->n_pane_slots;
    g->n_pane_slots = want;
    g->pane_slots = dp_calloc(want, sizeof *g->pane_slots);
    for (size_t i = 0; i < n; i++)
        for (struct pane *p = old[i], *next; p; p = next) {
            struct pane **to = &g->pane_slots[pane_slot(g, p->start, p->end)];
            next = p->next, p->next = *to, *to = p;
        }
    free(old);
}

struct dp_window_grid *dp_window_grid_open(struct dp_window *w, bool is_sorter) {
    struct dp_window_grid *g = dp_calloc(1, sizeof *g);
    g->w = w;
    g->is_sorter = is_sorter;
    g->asks = !is_sorter && w->conf.spec.changes;
    g->slab.chunk_bytes = dp_window_chunk(w->memory);
    set_slots(g, 6);
    set_pane_slots(g, 64);
    return g;
}

/* The key of an entry of a checkpoint, behind what is in b. */
void dp_window_grid_key(struct dp_buf *b, uint64_t hash, int64_t start, int64_t end, struct dp_str key) {
    dp_window_put64(b, hash);
    dp_buf_addc(b, 'g');
    dp_window_put_time(b, end);
    dp_window_put_time(b, start);
    dp_buf_adds(b, key);
}

/* ---- panes ---- */

static inline struct pane *pane_find(struct dp_window_grid *g, int64_t start, int64_t end) {
    if (g->last && g->last->start == start && g->last->end == end) return g->last;
    struct pane *p = g->pane_slots[pane_slot(g, start, end)];
    while (p && (p->start != start || p->end != end)) p = p->next;
    if (p) g->last = p;
    return p;
}

static void pane_queue(struct dp_window_grid *g, struct pane *p) {
    p->has_fired = p->end <= bound_of(g);
    dp_window_heap_push(&g->heap, p->has_fired ? dp_window_add_sat(p->end, holds(g)) : p->end, p->start, p);
}

static struct pane *pane_new(struct dp_window_grid *g, int64_t start, int64_t end) {
    struct pane *p;
    if (g->n_panes >= g->n_pane_slots) set_pane_slots(g, g->n_pane_slots * 2);
    p = dp_window_slab_get(&g->slab, sizeof *p);
    p->start = start, p->end = end;
    p->cap = 1;
    p->v = dp_window_slab_get(&g->slab, sizeof *p->v);
    struct pane **slot = &g->pane_slots[pane_slot(g, start, end)];
    p->next = *slot, *slot = p;
    g->n_panes++;
    g->last = p;
    if (g->w->is_started || g->is_sorter) pane_queue(g, p);
    return p;
}

static inline struct pane *pane_get(struct dp_window_grid *g, int64_t start, int64_t end) {
    struct pane *p = pane_find(g, start, end);
    return p ? p : pane_new(g, start, end);
}

static void entry_free(struct dp_window_grid *g, struct entry *e) {
    dp_agg_release(g->w->conf.aggs, state_of(e), &g->w->mem);
    dp_window_slab_put(&g->slab, e, entry_size(g, e->key_n));
    g->n--;
}

static void note_gone(struct dp_window_grid *g, const struct entry *e) {
    if (g->gone.n > g->w->memory / 16) return;
    dp_window_put64(&g->gone, e->key_n);
    dp_window_grid_key(&g->gone, dp_window_hash(key_of(e)), e->pane->start, e->pane->end, key_of(e));
}

/* The pane is not in the heap any more. */
static void pane_drop(struct dp_window_grid *g, struct pane *p) {
    for (size_t i = 0; i < p->n; i++) {
        struct entry *e = p->v[i].e, **at = &g->slots[slot_of(g, e->mixed)];
        if (i + AHEAD < p->n) __builtin_prefetch(&g->slots[slot_of(g, p->v[i + AHEAD].e->mixed)]);
        if (i + 2 * AHEAD < p->n) __builtin_prefetch(p->v[i + 2 * AHEAD].e);
        while (*at != e) at = &(*at)->next;
        *at = e->next;
        if (e->flags & DP_WINDOW_SAVED) note_gone(g, e);
        entry_free(g, e);
    }
    dp_window_slab_put(&g->slab, p->v, p->cap * sizeof *p->v);
    struct pane **at = &g->pane_slots[pane_slot(g, p->start, p->end)];
    while (*at != p) at = &(*at)->next;
    *at = p->next;
    g->n_panes--;
    if (g->last == p) g->last = NULL;
    dp_window_slab_put(&g->slab, p, sizeof *p);
}

/* All of memory is given back. */
static void clear(struct dp_window_grid *g) {
    for (size_t i = 0; i < g->n_pane_slots; i++)
        for (struct pane *p = g->pane_slots[i]; p; p = p->next) dp_window_slab_put(&g->slab, p->v, p->cap * sizeof *p->v);
    for (size_t i = 0; i < g->n_slots; i++)
        for (struct entry *e = g->slots[i], *next; e; e = next) {
            next = e->next;
            entry_free(g, e);
        }
    free(g->slots), free(g->pane_slots), free(g->heap.v);
    g->slots = NULL, g->pane_slots = NULL, g->heap = (struct dp_window_heap){0}, g->last = NULL;
    g->n_slots = g->n_pane_slots = g->n_panes = 0;
    dp_window_slab_reset(&g->slab);
}

void dp_window_grid_free(struct dp_window_grid *g) {
    if (!g) return;
    clear(g);
    for (size_t i = 0; i < g->n_runs; i++) dp_window_cursor_close(&g->cursors[i]), dp_window_run_free(g->runs[i]);
    free(g->runs), free(g->cursors);
    dp_buf_release(&g->key), dp_buf_release(&g->value), dp_buf_release(&g->found), dp_buf_release(&g->gone);
    free(g);
}

size_t dp_window_grid_bytes(const struct dp_window_grid *g) {
    return g->slab.bytes + (g->n_slots + g->n_pane_slots) * sizeof(void *) + g->heap.cap * sizeof *g->heap.v;
}

/* ---- parts that were written out ---- */

static void run_key(struct dp_buf *b, int64_t start, int64_t end, struct dp_str key) {
    dp_buf_reset(b);
    dp_window_put_time(b, end);
    dp_window_put_time(b, start);
    dp_buf_adds(b, key);
}

/* Joins a part of a run to a state. */
static enum dp_status join(struct dp_window_grid *g, const struct dp_window_item *item, uint32_t passed, struct dp_window_seen *to, bool with_state, struct dp_err *err) {
    struct dp_window *w = g->w;
    struct dp_str in = item->value;
    uint64_t fires;
    if (!dp_window_take64(&in, &fires)) return dp_window_damaged(err);
    if (fires > to->fires) to->fires = fires;
    to->flags |= item->flags & ~passed;
    if (!with_state) return DP_OK;
    DP_TRY(dp_agg_load(w->conf.aggs, w->scratch, &in, &w->mem, err));
    dp_agg_merge(w->conf.aggs, to->state, w->scratch, &w->mem);
    return DP_OK;
}

/* Makes an entry whole. */
static enum dp_status ask(struct dp_window_grid *g, struct entry *e, bool *found, struct dp_err *err) {
    struct dp_window *w = g->w;
    bool is_due = e->pane->end <= bound_of(g), is_there;
    struct dp_window_seen seen = {.state = state_of(e), .fires = e->fires};
    *found = false;
    run_key(&g->key, e->pane->start, e->pane->end, key_of(e));
    for (size_t i = g->n_runs; i-- && !(seen.flags & DP_WINDOW_WHOLE);) {
        struct dp_window_item item;
        if (g->runs[i]->last < e->pane->end) continue;
        DP_TRY(dp_window_run_find(g->runs[i], dp_buf_str(&g->key), &g->found, &item, &is_there, err));
        if (!is_there) continue;
        *found = true;
        DP_TRY(join(g, &item, g->runs[i]->passed, &seen, !(is_due && w->is_discarding), err));
    }
    /* that it fired was not noted where only runs had it */
    if (*found && is_due && !seen.fires && (w->is_discarding || dp_agg_rows(w->conf.aggs, seen.state))) seen.fires = 1;
    e->fires = seen.fires;
    e->flags |= seen.flags | DP_WINDOW_WHOLE;
    return DP_OK;
}

/* ---- entries ---- */

static inline struct entry *entry_find(struct dp_window_grid *g, const struct pane *p, uint64_t mixed, struct dp_str key) {
    for (struct entry *e = g->slots[slot_of(g, mixed)]; e; e = e->next)
        if (e->mixed == mixed && e->pane == p && dp_str_eq(key_of(e), key)) return e;
    return NULL;
}

static struct entry *entry_new(struct dp_window_grid *g, struct pane *p, uint64_t mixed, struct dp_str key) {
    if (g->n >= g->n_slots) set_slots(g, 64 - g->shift + 1);
    struct entry *e = dp_window_slab_get(&g->slab, entry_size(g, key.n));
    struct entry **slot = &g->slots[slot_of(g, mixed)];
    e->next = *slot, *slot = e;
    e->pane = p, e->mixed = mixed, e->key_n = (uint32_t)key.n;
    if (key.n) memcpy(e + 1, key.p, key.n);
    if (p->n == p->cap) {
        struct place *v = dp_window_slab_get(&g->slab, 2 * p->cap * sizeof *v);
        memcpy(v, p->v, p->n * sizeof *v);
        dp_window_slab_put(&g->slab, p->v, p->cap * sizeof *v);
        p->v = v, p->cap *= 2;
    }
    char head[8] = {0};
    memcpy(head, key.n ? key.p : "", key.n < 8 ? key.n : 8);
    p->v[p->n++] = (struct place){dp_window_peek64(head), e};
    g->n++;
    return e;
}

void dp_window_grid_prefetch(const struct dp_window_grid *g, int64_t start, uint64_t hash, bool deep) {
    struct entry **slot = &g->slots[slot_of(g, mix(hash, start))];
    if (!deep) __builtin_prefetch(slot);
    else if (*slot) {
        __builtin_prefetch(*slot);
        __builtin_prefetch((const char *)*slot + 64);
    }
}

/* A window that has fired and was changed is written again at once. */
static enum dp_status refire(struct dp_window_grid *g, struct entry *e, struct dp_err *err) {
    struct dp_window *w = g->w;
    enum dp_window_op op = e->fires ? DP_WINDOW_UPDATED : DP_WINDOW_EMIT;
    DP_TRY(dp_window_emit(w, op, e->pane->start, e->pane->end, key_of(e), e->fires++, state_of(e), false, err));
    if (w->is_discarding) dp_agg_release(w->conf.aggs, state_of(e), &w->mem);
    return DP_OK;
}

static enum dp_status take_out(struct dp_window_grid *g, struct entry *e, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    struct dp_window *w = g->w;
    if (!dp_agg_rows(w->conf.aggs, state_of(e)) || !dp_agg_sub(w->conf.aggs, state_of(e), ev->row, dp_window_at(w, ev), &w->mem)) {
        *fate = DP_WINDOW_UNKNOWN;
        return DP_OK;
    }
    *fate = DP_WINDOW_USED;
    e->flags |= DP_WINDOW_DIRTY | DP_WINDOW_FRESH;
    if (dp_agg_rows(w->conf.aggs, state_of(e))) return e->pane->end <= bound_of(g) ? refire(g, e, err) : DP_OK;
    bool had_fired = e->fires != 0;
    e->fires = 0;
    return had_fired ? dp_window_emit(w, DP_WINDOW_RETRACT, e->pane->start, e->pane->end, key_of(e), 0, NULL, false, err) : DP_OK;
}

enum dp_status dp_window_grid_add(struct dp_window_grid *g, int64_t start, int64_t end, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    struct dp_window *w = g->w;
    uint64_t mixed = mix(ev->hash, start);
    bool found;
    if (ev->subtract && !g->n_runs && !pane_find(g, start, end)) {
        *fate = DP_WINDOW_UNKNOWN;
        return DP_OK;
    }
    struct pane *p = pane_get(g, start, end);
    struct entry *e = entry_find(g, p, mixed, ev->key);
    if (!e) {
        if (ev->subtract && !g->n_runs) {
            *fate = DP_WINDOW_UNKNOWN;
            return DP_OK;
        }
        e = entry_new(g, p, mixed, ev->key);
        if (g->n_runs && (g->asks || end <= bound_of(g))) DP_TRY(ask(g, e, &found, err));
    }
    if (ev->subtract) return take_out(g, e, ev, fate, err);
    dp_agg_add(w->conf.aggs, state_of(e), ev->row, dp_window_at(w, ev), &w->mem);
    e->flags |= DP_WINDOW_DIRTY | DP_WINDOW_FRESH;
    *fate = DP_WINDOW_USED;
    return end <= bound_of(g) ? refire(g, e, err) : DP_OK;
}

enum dp_status dp_window_grid_take(struct dp_window_grid *g, const struct dp_window_seen *seen, struct dp_err *err) {
    struct dp_window *w = g->w;
    struct pane *p = pane_get(g, seen->start, seen->end);
    struct entry *e = entry_new(g, p, mix(seen->hash, seen->start), seen->key);
    e->fires = seen->fires;
    dp_agg_merge(w->conf.aggs, state_of(e), seen->state, &w->mem);
    return dp_window_grid_bytes(g) > w->memory / 4 ? dp_window_grid_spill(g, err) : DP_OK;
}

/* ---- one window through all that there is of it ---- */

static int by_key(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    if (x->prefix != y->prefix) return x->prefix < y->prefix ? -1 : 1;
    return dp_str_cmp(key_of(x->e), key_of(y->e));
}

/* By the bytes of the prefix, the last first, those that are all the same left out; then what has the same prefix by the whole key. */
static void radix(struct place *v, size_t n) {
    size_t (*counts)[256] = dp_calloc(8, sizeof *counts);
    struct place *other = dp_alloc(n * sizeof *other), *from = v, *to = other;
    for (size_t i = 0; i < n; i++)
        for (int b = 0; b < 8; b++) counts[b][v[i].prefix >> (8 * b) & 255]++;
    for (int b = 0; b < 8; b++) {
        if (counts[b][from[0].prefix >> (8 * b) & 255] == n) continue;
        for (size_t d = 0, at = 0; d < 256; d++) {
            size_t k = counts[b][d];
            counts[b][d] = at, at += k;
        }
        for (size_t i = 0; i < n; i++) to[counts[b][from[i].prefix >> (8 * b) & 255]++] = from[i];
        struct place *x = from;
        from = to, to = x;
    }
    if (from != v) memcpy(v, from, n * sizeof *v);
    free(other);
    free(counts);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && v[j].prefix == v[i].prefix;) j++;
        if (j - i > 1) qsort(v + i, j - i, sizeof *v, by_key);
    }
}

/* Few entries are what most panes have. */
static void insertion_sort(struct place *v, size_t n) {
    for (size_t i = 1; i < n; i++) {
        struct place x = v[i];
        size_t j = i;
        for (; j && (v[j - 1].prefix != x.prefix ? v[j - 1].prefix > x.prefix : by_key(&v[j - 1], &x) > 0); j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

static void pane_sort(struct pane *p) {
    if (p->n >= 128) radix(p->v, p->n);
    else if (p->n > 32) qsort(p->v, p->n, sizeof *p->v, by_key);
    else insertion_sort(p->v, p->n);
}

/* Joins what cursors (newest last) have of the key in g->key, and moves them behind it. */
static enum dp_status gather(struct dp_window_grid *g, struct dp_window_cursor *c, size_t n, struct dp_window_seen *to, bool with_state, struct dp_err *err) {
    bool is_whole = (to->flags & DP_WINDOW_WHOLE) != 0;
    for (size_t i = n; i--;) {
        if (c[i].is_end || !dp_str_eq(c[i].item.key, dp_buf_str(&g->key))) continue;
        if (!is_whole) DP_TRY(join(g, &c[i].item, c[i].run->passed, to, with_state, err));
        is_whole = (to->flags & DP_WINDOW_WHOLE) != 0;
        DP_TRY(dp_window_cursor_next(&c[i], err));
    }
    return DP_OK;
}

/* Behind a visit of everything.  What a save has visited is in a checkpoint. */
static uint32_t passed(uint32_t flags, uint32_t clears) { return (flags & ~clears) | (clears & flags & DP_WINDOW_DIRTY ? DP_WINDOW_SAVED : 0); }

/*
 * Visits the entries of a window by key: those of a pane (NULL: none) with what cursors have of them, and what only these have.  A pane's entry is whole behind it.
 * clears: flags that are taken from the pane's entries.
 */
static enum dp_status each_of(struct dp_window_grid *g, int64_t start, int64_t end, struct pane *p, struct dp_window_cursor *c, size_t n_cursors, uint32_t clears,
                              dp_window_visit visit, void *ctx, struct dp_err *err) {
    struct dp_window *w = g->w;
    struct place *v = p ? p->v : NULL;
    size_t n = p ? p->n : 0, i = 0;
    enum dp_status status = DP_OK;
    void *state = dp_calloc(1, w->state_size);
    char window[16];
    run_key(&g->key, start, end, dp_str("", 0));
    memcpy(window, g->key.p, 16);
    if (p) pane_sort(p);
    for (;;) {
        struct dp_window_cursor *least = dp_window_cursor_least(c, n_cursors);
        if (least && memcmp(least->item.key.p, window, 16)) least = NULL;
        struct entry *e = i < n ? v[i].e : NULL;
        if (i + AHEAD < n) __builtin_prefetch(v[i + AHEAD].e), __builtin_prefetch((const char *)v[i + AHEAD].e + 64);
        struct dp_window_seen seen = {.start = start, .end = end, .state = state};
        if (!e && !least) break;
        int order = e && least ? dp_str_cmp(key_of(e), dp_str(least->item.key.p + 16, least->item.key.n - 16)) : e ? -1 : 1;
        if (order <= 0) seen.key = key_of(e), seen.flags = e->flags, seen.fires = e->fires, seen.state = state_of(e), i++;
        if (order >= 0) {
            dp_buf_reset(&g->key);
            dp_buf_adds(&g->key, least->item.key);
            if (order > 0) seen.key = dp_str(g->key.p + 16, g->key.n - 16);
            DP_TRY_OUT(gather(g, c, n_cursors, &seen, !(end <= bound_of(g) && w->is_discarding), err));
            if (order == 0) e->flags = seen.flags | DP_WINDOW_WHOLE;
        }
        if (end <= bound_of(g) && !seen.fires && (w->is_discarding || dp_agg_rows(w->conf.aggs, seen.state))) seen.fires = 1; /* it fired out of a run */
        DP_TRY_OUT(visit(ctx, &seen, err));
        if (order <= 0) e->fires = seen.fires, e->flags = passed(e->flags, clears);
        else dp_agg_release(w->conf.aggs, state, &w->mem);
    }
out:
    dp_agg_release(w->conf.aggs, state, &w->mem);
    free(state);
    return status;
}

/* ---- firing ---- */

struct firing {
    struct dp_window_grid *g;
    bool is_early;
};

static enum dp_status fire_one(void *ctx, const struct dp_window_seen *seen, struct dp_err *err) {
    struct firing *f = ctx;
    struct dp_window *w = f->g->w;
    if (!dp_agg_rows(w->conf.aggs, seen->state)) return DP_OK;
    DP_TRY(dp_window_emit(w, DP_WINDOW_EMIT, seen->start, seen->end, seen->key, f->g->is_sorter ? seen->fires : 0, seen->state, f->is_early, err));
    if (w->is_discarding) dp_agg_release(w->conf.aggs, seen->state, &w->mem);
    return DP_OK;
}

/* Panes that are dropped without a word go before the next one that fires. */
static void drop_due(struct dp_window_grid *g, int64_t bound) {
    while (g->heap.n && g->heap.v[0].due <= bound && ((struct pane *)g->heap.v[0].what)->has_fired) pane_drop(g, dp_window_heap_pop(&g->heap).what);
}

static void run_remove(struct dp_window_grid *g, size_t i) {
    dp_window_cursor_close(&g->cursors[i]);
    dp_window_run_free(g->runs[i]);
    g->n_runs--;
    memmove(g->runs + i, g->runs + i + 1, (g->n_runs - i) * sizeof *g->runs);
    memmove(g->cursors + i, g->cursors + i + 1, (g->n_runs - i) * sizeof *g->cursors);
}

int64_t dp_window_grid_due(const struct dp_window_grid *g) {
    int64_t due = g->heap.n ? g->heap.v[0].due : INT64_MAX;
    for (size_t i = 0; i < g->n_runs; i++) {
        if (g->cursors[i].is_end) continue;
        int64_t end = dp_window_peek_time(g->cursors[i].item.key.p);
        if (end < due) due = end;
    }
    return due;
}

enum dp_status dp_window_grid_fire(struct dp_window_grid *g, int64_t bound, bool is_early, struct dp_err *err) {
    struct firing f = {g, is_early};
    for (;;) {
        drop_due(g, bound);
        struct pane *p = g->heap.n && g->heap.v[0].due <= bound ? g->heap.v[0].what : NULL;
        const struct dp_window_cursor *c = dp_window_cursor_least(g->cursors, g->n_runs);
        int64_t start = p ? p->start : 0, end = p ? p->end : INT64_MAX;
        if (c) {
            int64_t e = dp_window_peek_time(c->item.key.p), s = dp_window_peek_time(c->item.key.p + 8);
            if (e <= bound && (!p || e < end || (e == end && s < start))) start = s, end = e, p = NULL;
            else if (!p) c = NULL;
        }
        if (!p && !c) break;
        DP_TRY(each_of(g, start, end, p, g->cursors, g->n_runs, 0, fire_one, &f, err));
        if (!p) continue;
        dp_window_heap_pop(&g->heap);
        if (!holds(g)) {
            pane_drop(g, p);
            continue;
        }
        for (size_t i = 0; i < p->n; i++)
            if (!p->v[i].e->fires) p->v[i].e->fires = g->w->is_discarding || dp_agg_rows(g->w->conf.aggs, state_of(p->v[i].e));
        p->has_fired = true;
        dp_window_heap_push(&g->heap, dp_window_add_sat(end, holds(g)), start, p);
    }
    for (size_t i = g->n_runs; i--;)
        if (g->cursors[i].is_end && dp_window_add_sat(g->runs[i]->last, holds(g)) <= bound) run_remove(g, i);
    return DP_OK;
}

/* ---- spilling ---- */

static int by_end(const void *a, const void *b) {
    const struct pane *x = *(struct pane *const *)a, *y = *(struct pane *const *)b;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

static struct pane **sorted_panes(const struct dp_window_grid *g) {
    struct pane **v = dp_alloc((g->n_panes + 1) * sizeof *v);
    size_t n = 0;
    for (size_t i = 0; i < g->n_pane_slots; i++)
        for (struct pane *p = g->pane_slots[i]; p; p = p->next) v[n++] = p;
    qsort(v, n, sizeof(struct pane *), by_end);
    return v;
}

/* The first key of windows that end behind a bound. */
static void behind(struct dp_buf *b, int64_t bound) {
    dp_buf_reset(b);
    if (bound != INT64_MIN) dp_window_put_time(b, bound == INT64_MAX ? bound : bound + 1);
}

static enum dp_status run_add(struct dp_window_grid *g, size_t at, struct dp_window_run *r, struct dp_err *err) {
    struct dp_window_cursor c;
    behind(&g->key, bound_of(g));
    enum dp_status status = dp_window_cursor_open(&c, r, dp_buf_str(&g->key), err);
    if (status != DP_OK) {
        dp_window_cursor_close(&c);
        dp_window_run_free(r);
        return status;
    }
    if (g->n_runs == g->cap_runs) g->runs = dp_grow(g->runs, &g->cap_runs, g->n_runs + 1, sizeof *g->runs);
    if (g->n_runs == g->cap_cursors) g->cursors = dp_grow(g->cursors, &g->cap_cursors, g->n_runs + 1, sizeof *g->cursors);
    memmove(g->runs + at + 1, g->runs + at, (g->n_runs - at) * sizeof *g->runs);
    memmove(g->cursors + at + 1, g->cursors + at, (g->n_runs - at) * sizeof *g->cursors);
    g->runs[at] = r, g->cursors[at] = c;
    g->n_runs++;
    g->w->spilled += r->bytes;
    return DP_OK;
}

/* Runs from..from+n become one. */
static enum dp_status merge(struct dp_window_grid *g, size_t from, size_t n, struct dp_err *err) {
    struct dp_window *w = g->w;
    struct dp_window_cursor *c = dp_calloc(n, sizeof *c), *least;
    struct dp_window_run *r = NULL;
    void *state = dp_calloc(1, w->state_size);
    enum dp_status status;
    DP_TRY_OUT(dp_window_run_open(&r, err));
    r->level = g->runs[from]->level + 1;
    behind(&g->value, dp_window_sub_sat(bound_of(g), holds(g)));
    for (size_t i = 0; i < n; i++) {
        DP_TRY_OUT(dp_window_cursor_open(&c[i], g->runs[from + i], dp_buf_str(&g->value), err));
        if (g->runs[from + i]->last > r->last) r->last = g->runs[from + i]->last;
    }
    while ((least = dp_window_cursor_least(c, n))) {
        struct dp_window_seen seen = {.state = state};
        dp_buf_reset(&g->key);
        dp_buf_adds(&g->key, least->item.key);
        DP_TRY_OUT(gather(g, c, n, &seen, true, err));
        dp_buf_reset(&g->value);
        dp_window_put64(&g->value, seen.fires);
        dp_agg_save(w->conf.aggs, state, &g->value);
        dp_agg_release(w->conf.aggs, state, &w->mem);
        struct dp_window_item item = {dp_buf_str(&g->key), dp_buf_str(&g->value), seen.flags};
        DP_TRY_OUT(dp_window_run_put(r, &item, err));
    }
    DP_TRY_OUT(dp_window_run_end(r, err));
    for (size_t i = from + n; i-- > from;) run_remove(g, i);
    status = run_add(g, from, r, err);
    r = NULL;
out:
    for (size_t i = 0; i < n; i++) dp_window_cursor_close(&c[i]);
    free(c);
    dp_agg_release(w->conf.aggs, state, &w->mem);
    free(state);
    dp_window_run_free(r);
    return status;
}

static enum dp_status write_pane(struct dp_window_grid *g, struct pane *p, struct dp_window_run *r, struct dp_err *err) {
    pane_sort(p);
    for (size_t i = 0; i < p->n; i++) {
        struct entry *e = p->v[i].e;
        if (i + AHEAD < p->n) __builtin_prefetch(p->v[i + AHEAD].e);
        run_key(&g->key, p->start, p->end, key_of(e));
        dp_buf_reset(&g->value);
        dp_window_put64(&g->value, e->fires);
        dp_agg_save(g->w->conf.aggs, state_of(e), &g->value);
        struct dp_window_item item = {dp_buf_str(&g->key), dp_buf_str(&g->value), e->flags};
        DP_TRY(dp_window_run_put(r, &item, err));
    }
    if (p->end > r->last) r->last = p->end;
    return DP_OK;
}

enum dp_status dp_window_grid_spill(struct dp_window_grid *g, struct dp_err *err) {
    struct dp_window_run *r = NULL;
    if (!g->n) return DP_OK;
    struct pane **v = sorted_panes(g);
    enum dp_status status = dp_window_run_open(&r, err);
    for (size_t i = 0; status == DP_OK && i < g->n_panes; i++) status = write_pane(g, v[i], r, err);
    free(v);
    if (status == DP_OK) status = dp_window_run_end(r, err);
    if (status != DP_OK) {
        dp_window_run_free(r);
        return status;
    }
    clear(g);
    set_slots(g, 6);
    set_pane_slots(g, 64);
    DP_TRY(run_add(g, g->n_runs, r, err));
    while (g->n_runs >= DP_WINDOW_FANIN && g->runs[g->n_runs - DP_WINDOW_FANIN]->level == g->runs[g->n_runs - 1]->level)
        DP_TRY(merge(g, g->n_runs - DP_WINDOW_FANIN, DP_WINDOW_FANIN, err));
    return DP_OK;
}

/* ---- everything that is held ---- */

static enum dp_status each_sorted(struct dp_window_grid *g, struct dp_window_cursor *c, uint32_t clears, dp_window_visit visit, void *ctx, struct dp_err *err) {
    struct pane **v = sorted_panes(g);
    size_t n = g->n_panes, i = 0;
    enum dp_status status = DP_OK;
    for (;;) {
        struct pane *p = i < n ? v[i] : NULL;
        const struct dp_window_cursor *least = dp_window_cursor_least(c, g->n_runs);
        int64_t start = p ? p->start : 0, end = p ? p->end : 0;
        if (!p && !least) break;
        if (least) {
            int64_t e = dp_window_peek_time(least->item.key.p), s = dp_window_peek_time(least->item.key.p + 8);
            if (!p || e < end || (e == end && s < start)) start = s, end = e, p = NULL;
        }
        DP_TRY_OUT(each_of(g, start, end, p, c, g->n_runs, clears, visit, ctx, err));
        if (p) i++;
    }
out:
    free(v);
    return status;
}

/* Those of memory that have a flag of `wants`, where no run has one; each is whole behind it. */
static enum dp_status each_here(struct dp_window_grid *g, uint32_t wants, uint32_t clears, dp_window_visit visit, void *ctx, struct dp_err *err) {
    bool found;
    for (size_t i = 0; i < g->n_slots; i++)
        for (struct entry *e = g->slots[i]; e; e = e->next) {
            if (wants && !(e->flags & wants)) continue;
            if (g->n_runs && !(e->flags & DP_WINDOW_WHOLE)) DP_TRY(ask(g, e, &found, err));
            struct dp_window_seen seen = {e->pane->start, e->pane->end, key_of(e), 0, e->fires, e->flags, state_of(e)};
            DP_TRY(visit(ctx, &seen, err));
            e->flags = passed(e->flags, clears);
        }
    return DP_OK;
}

enum dp_status dp_window_grid_each(struct dp_window_grid *g, bool sorted, uint32_t wants, uint32_t clears, dp_window_visit visit, void *ctx, struct dp_err *err) {
    bool is_here = wants || !g->n_runs;
    for (size_t i = 0; i < g->n_runs; i++) is_here &= (g->runs[i]->passed & wants) == wants;
    if (is_here && !sorted) return each_here(g, wants, clears, visit, ctx, err);
    struct dp_window_cursor *c = dp_calloc(g->n_runs + 1, sizeof *c);
    enum dp_status status = DP_OK;
    struct dp_buf from = {0};
    behind(&from, dp_window_sub_sat(bound_of(g), holds(g)));
    for (size_t i = 0; i < g->n_runs && status == DP_OK; i++) status = dp_window_cursor_open(&c[i], g->runs[i], dp_buf_str(&from), err);
    dp_buf_release(&from);
    if (status == DP_OK) status = each_sorted(g, c, clears, visit, ctx, err);
    for (size_t i = 0; i < g->n_runs; i++) {
        g->runs[i]->passed |= status == DP_OK ? clears : 0;
        dp_window_cursor_close(&c[i]);
    }
    free(c);
    return status;
}

/* ---- checkpoints ---- */

enum dp_status dp_window_grid_load(struct dp_window_grid *g, const struct dp_window_seen *seen, struct dp_str in, struct dp_err *err) {
    struct dp_window *w = g->w;
    struct pane *p = pane_get(g, seen->start, seen->end);
    uint64_t mixed = mix(seen->hash, seen->start);
    struct entry *e = entry_find(g, p, mixed, seen->key);
    if (e) return dp_window_damaged(err); /* one that stands twice */
    e = entry_new(g, p, mixed, seen->key);
    e->fires = seen->fires;
    e->flags = DP_WINDOW_WHOLE | DP_WINDOW_SAVED | seen->flags;
    DP_TRY(dp_agg_load(w->conf.aggs, state_of(e), &in, &w->mem, err));
    return in.n ? dp_window_damaged(err) : DP_OK;
}

enum dp_status dp_window_grid_gone(struct dp_window_grid *g, dp_window_put put, void *ctx, struct dp_err *err) {
    struct dp_str in = dp_buf_str(&g->gone);
    uint64_t n;
    while (put && dp_window_take64(&in, &n)) {
        DP_TRY(put(ctx, dp_str(in.p, 25 + (size_t)n), NULL, err));
        in.p += 25 + n, in.n -= 25 + (size_t)n;
    }
    dp_buf_reset(&g->gone);
    return DP_OK;
}

/* Behind the last load: what is over is forgotten, what has fired is told by its end. */
enum dp_status dp_window_grid_start(struct dp_window_grid *g, int64_t bound, struct dp_err *err) {
    struct pane **v = sorted_panes(g);
    size_t n = g->n_panes;
    g->w->bound = bound;
    for (size_t i = 0; i < n; i++) {
        struct pane *p = v[i];
        if (dp_window_add_sat(p->end, holds(g)) <= bound) {
            pane_drop(g, p);
            continue;
        }
        pane_queue(g, p);
        for (size_t j = 0; p->has_fired && j < p->n; j++) {
            struct entry *e = p->v[j].e;
            if (e->fires || !dp_agg_rows(g->w->conf.aggs, state_of(e))) continue;
            e->fires = 1;
            if (g->w->is_discarding) dp_agg_release(g->w->conf.aggs, state_of(e), &g->w->mem);
        }
    }
    free(v);
    for (size_t i = 0; i < g->n_runs; i++) {
        dp_window_cursor_close(&g->cursors[i]);
        behind(&g->key, bound);
        DP_TRY(dp_window_cursor_open(&g->cursors[i], g->runs[i], dp_buf_str(&g->key), err));
    }
    return DP_OK;
}

struct dp_window_counts dp_window_grid_counts(const struct dp_window_grid *g) {
    struct dp_window_counts c = {.windows = g->n};
    for (size_t i = 0; i < g->n_runs; i++) c.windows += g->runs[i]->entries;
    return c;
}
