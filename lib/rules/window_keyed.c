/*
 * Units by key, for windows that depend on what a key has already: sessions, sliding and count windows.  spec: windows.md 1, 4, 5.
 *
 * A unit is found by its key in a hash table.  What is due next of all units comes from a heap whose items are lower bounds: one that is popped too early goes back with what is true by
 * then, so that a record that lengthens a session touches no heap.  Items are by (due, start, key), and therefore rows come out in the order that the header promises.
 *
 * When memory is full, what begins behind the bound is taken out of all units, piece by piece, and put aside (window_ahead.c) until time comes to it; nothing is asked for then when a record
 * makes such a piece.  Where that does not give enough back, all units are written as a run sorted by hash, and beside it a run of what is due of them, sorted as the heap is.  A unit that
 * is needed again, by a record or because it is due, is read into memory; what is in memory counts before any run, and a newer run before an older one.  A unit that became empty but is in
 * a run, or in a checkpoint, stays until that is written too.
 */
#include "window_priv.h"

#include <stdlib.h>

/* Bytes of a block of units: most of what is read of one is not asked for.  In runs of runs blocks are larger, so that what is known of them stays small. */
enum { SMALL = 1024 };

struct dp_window_keyed {
    struct dp_window *w;
    const struct dp_window_kind_ops *ops;
    struct dp_window_slab slab;
    struct dp_window_unit **slots;
    size_t n_slots, n;
    unsigned shift;
    struct dp_window_heap heap;
    struct dp_window_run **runs, **dues; /* oldest first */
    struct dp_window_cursor *cursors;    /* of dues */
    size_t n_runs, cap_runs, cap_dues, cap_cursors;
    struct dp_window_ahead ahead;
    int64_t come;                        /* every piece that begins by then was put back; no earlier than w->bound but within a step of it */
    struct dp_buf key, value, found;
};

static struct dp_str unit_key(const void *what) {
    const struct dp_window_unit *u = what;
    return dp_str(u->key, u->key_n);
}
static size_t unit_size(size_t key_n) { return sizeof(struct dp_window_unit) + key_n; }

static void set_slots(struct dp_window_keyed *k, unsigned bits) {
    struct dp_window_unit **old = k->slots;
    size_t n = k->n_slots;
    k->n_slots = (size_t)1 << bits, k->shift = 64 - bits;
    k->slots = dp_calloc(k->n_slots, sizeof *k->slots);
    for (size_t i = 0; i < n; i++)
        for (struct dp_window_unit *u = old[i], *next; u; u = next) {
            struct dp_window_unit **to = &k->slots[u->hash >> k->shift];
            next = u->next, u->next = *to, *to = u;
        }
    free(old);
}

struct dp_window_keyed *dp_window_keyed_open(struct dp_window *w, const struct dp_window_kind_ops *ops) {
    struct dp_window_keyed *k = dp_calloc(1, sizeof *k);
    k->w = w, k->ops = ops;
    k->heap.key = unit_key;
    k->slab.chunk_bytes = dp_window_chunk(w->memory);
    k->come = INT64_MIN;
    dp_window_ahead_init(&k->ahead, &w->spilled);
    set_slots(k, 6);
    return k;
}

struct dp_window_slab *dp_window_keyed_slab(const struct dp_window *w) { return &w->keyed->slab; }

static void clear(struct dp_window_keyed *k) {
    for (size_t i = 0; i < k->n_slots; i++)
        for (struct dp_window_unit *u = k->slots[i], *next; u; u = next) {
            next = u->next;
            k->ops->release(k->w, u);
            dp_window_slab_put(&k->slab, u, unit_size(u->key_n));
        }
    free(k->slots), free(k->heap.v);
    k->slots = NULL, k->n_slots = k->n = 0;
    k->heap = (struct dp_window_heap){.key = unit_key};
    dp_window_slab_reset(&k->slab);
}

void dp_window_keyed_free(struct dp_window_keyed *k) {
    if (!k) return;
    clear(k);
    for (size_t i = 0; i < k->n_runs; i++) dp_window_cursor_close(&k->cursors[i]), dp_window_run_free(k->runs[i]), dp_window_run_free(k->dues[i]);
    free(k->runs), free(k->dues), free(k->cursors);
    dp_window_ahead_release(&k->ahead);
    dp_buf_release(&k->key), dp_buf_release(&k->value), dp_buf_release(&k->found);
    free(k);
}

/* A quarter of memory may lie about in pieces that were given back; what is more counts, until the slab is begun anew. */
size_t dp_window_keyed_bytes(const struct dp_window_keyed *k) {
    size_t rest = k->slab.unused < k->w->memory / 4 ? k->slab.unused : k->w->memory / 4;
    return k->slab.bytes - rest + k->n_slots * sizeof *k->slots + k->heap.cap * sizeof *k->heap.v;
}

void dp_window_keyed_prefetch(const struct dp_window_keyed *k, uint64_t hash, bool deep) {
    struct dp_window_unit **slot = &k->slots[hash >> k->shift];
    if (!deep) __builtin_prefetch(slot);
    else if (*slot) __builtin_prefetch(*slot);
}

/* ---- units ---- */

static struct dp_window_unit *unit_find(const struct dp_window_keyed *k, uint64_t hash, struct dp_str key) {
    struct dp_window_unit *u = k->slots[hash >> k->shift];
    while (u && (u->hash != hash || !dp_str_eq(unit_key(u), key))) u = u->next;
    return u;
}

static struct dp_window_unit *unit_new(struct dp_window_keyed *k, uint64_t hash, struct dp_str key) {
    if (k->n >= k->n_slots) set_slots(k, 64 - k->shift + 1);
    struct dp_window_unit *u = dp_window_slab_get(&k->slab, unit_size(key.n));
    struct dp_window_unit **slot = &k->slots[hash >> k->shift];
    u->hash = hash, u->key_n = (uint32_t)key.n;
    if (key.n) memcpy(u->key, key.p, key.n);
    u->due = u->start = INT64_MAX;
    u->next = *slot, *slot = u;
    k->n++;
    return u;
}

/* Gives a unit back that has nothing in it and that nothing has to be said of. */
static void unit_settle(struct dp_window_keyed *k, struct dp_window_unit *u) {
    if (u->u.sessions || u->items || (u->flags & (DP_WINDOW_SAVED | DP_WINDOW_BELOW))) return;
    struct dp_window_unit **at = &k->slots[u->hash >> k->shift];
    while (*at != u) at = &(*at)->next;
    *at = u->next;
    dp_window_slab_put(&k->slab, u, unit_size(u->key_n));
    k->n--;
}

/* Sees that the heap knows what is due next of a unit. */
static void unit_queue(struct dp_window_keyed *k, struct dp_window_unit *u) {
    int64_t due, start;
    if (!u->u.sessions || !k->ops->next(k->w, u, &due, &start)) return;
    if (u->due < due || (u->due == due && u->start <= start && u->items)) return;
    dp_window_heap_push(&k->heap, due, start, u);
    u->items++;
    u->due = due, u->start = start;
}

static void run_key(struct dp_buf *b, uint64_t hash, struct dp_str key) {
    dp_buf_reset(b);
    dp_window_put64(b, hash);
    dp_buf_adds(b, key);
}

static uint64_t within(uint64_t hash, uint64_t n) { return (uint64_t)((dp_u128)hash * n >> 64); }

static bool may_have(const struct dp_window_run *r, uint64_t hash) {
    uint64_t a = within(hash * 0x9e3779b97f4a7c15u, r->filter_bits), b = within(hash * 0xd6e8feb86659fd93u, r->filter_bits);
    return (r->filter[a / 64] >> (a & 63) & 1) && (r->filter[b / 64] >> (b & 63) & 1);
}
static void filter_add(struct dp_window_run *r, uint64_t hash) {
    uint64_t a = within(hash * 0x9e3779b97f4a7c15u, r->filter_bits), b = within(hash * 0xd6e8feb86659fd93u, r->filter_bits);
    r->filter[a / 64] |= (uint64_t)1 << (a & 63);
    r->filter[b / 64] |= (uint64_t)1 << (b & 63);
}
static void filter_open(struct dp_window_run *r, uint64_t keys) {
    r->filter_bits = keys * 8 + 64;
    r->filter = dp_calloc((size_t)(r->filter_bits / 64 + 1), 8);
}

/* What an entry's flags say by now. */
static uint32_t flags_of(const struct dp_window_run *r, const struct dp_window_item *item) {
    uint32_t flags = item->flags & ~r->passed;
    if (r->is_saved) flags = item->value.n ? flags | DP_WINDOW_SAVED : flags & ~DP_WINDOW_SAVED;
    return flags;
}

/* The newest of what runs have of a key, borrowed in k->found. */
static enum dp_status ask(struct dp_window_keyed *k, uint64_t hash, struct dp_str key, struct dp_window_item *item, bool *found, struct dp_err *err) {
    *found = false;
    run_key(&k->key, hash, key);
    for (size_t i = k->n_runs; i-- && !*found;) {
        if (!may_have(k->runs[i], hash)) continue;
        DP_TRY(dp_window_run_find(k->runs[i], dp_buf_str(&k->key), &k->found, item, found, err));
        if (*found) item->flags = flags_of(k->runs[i], item);
    }
    return DP_OK;
}

/* Into memory.  A value is: due, start (INT64_MAX: nothing), and what its kind says; nothing at all: it is empty. */
static enum dp_status unit_take(struct dp_window_keyed *k, uint64_t hash, struct dp_str key, const struct dp_window_item *item, struct dp_window_unit **out, struct dp_err *err) {
    struct dp_window_unit *u = *out = unit_new(k, hash, key);
    u->flags = item->flags | DP_WINDOW_BELOW;
    if (!item->value.n) return DP_OK;
    if (item->value.n < 16) return dp_window_damaged(err);
    DP_TRY(k->ops->load(k->w, u, dp_str(item->value.p + 16, item->value.n - 16), err));
    unit_queue(k, u);
    return DP_OK;
}

/* A unit by its key, wherever it is; a new one where there is none. */
static enum dp_status unit_get(struct dp_window_keyed *k, uint64_t hash, struct dp_str key, struct dp_window_unit **out, struct dp_err *err) {
    struct dp_window_item item;
    bool found = false;
    if ((*out = unit_find(k, hash, key))) return DP_OK;
    if (k->n_runs) DP_TRY(ask(k, hash, key, &item, &found, err));
    if (found) return unit_take(k, hash, key, &item, out, err);
    *out = unit_new(k, hash, key);
    return DP_OK;
}

enum dp_status dp_window_keyed_add(struct dp_window_keyed *k, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    struct dp_window_unit *u;
    DP_TRY(unit_get(k, ev->hash, ev->key, &u, err));
    DP_TRY(k->ops->add(k->w, u, ev, fate, err));
    if (*fate == DP_WINDOW_USED) u->flags |= DP_WINDOW_DIRTY | DP_WINDOW_FRESH;
    unit_queue(k, u);
    unit_settle(k, u);
    return DP_OK;
}

/* ---- firing ---- */

int64_t dp_window_keyed_due(const struct dp_window_keyed *k) {
    int64_t due = k->heap.n && k->heap.v[0].due < k->ahead.first ? k->heap.v[0].due : k->ahead.first;
    for (size_t i = 0; i < k->n_runs; i++) {
        if (k->cursors[i].is_end) continue;
        int64_t d = dp_window_peek_time(k->cursors[i].item.key.p);
        if (d < due) due = d;
    }
    return due;
}

static enum dp_status fire_unit(struct dp_window_keyed *k, const struct dp_window_due *item, struct dp_err *err) {
    struct dp_window_unit *u = item->what;
    int64_t due, start;
    u->items--;
    if (u->due == item->due && u->start == item->start) {
        u->due = u->start = INT64_MAX;
        if (u->u.sessions && k->ops->order) k->ops->order(k->w, u);
        if (u->u.sessions && k->ops->next(k->w, u, &due, &start) && due == item->due && start == item->start) {
            DP_TRY(k->ops->fire(k->w, u, due, start, err));
            u->flags |= DP_WINDOW_DIRTY;
        }
        unit_queue(k, u);
    }
    unit_settle(k, u);
    return DP_OK;
}

/* What a run says is due: its unit comes into memory, where that is still what the newest run has of it. */
static enum dp_status wake(struct dp_window_keyed *k, struct dp_window_cursor *c, struct dp_err *err) {
    struct dp_window_item item;
    struct dp_window_unit *u;
    bool found;
    struct dp_str key = dp_str(c->item.key.p + 16, c->item.key.n - 16);
    uint64_t hash = dp_window_peek64(c->item.value.p);
    if (!unit_find(k, hash, key)) {
        DP_TRY(ask(k, hash, key, &item, &found, err));
        if (found && item.value.n >= 16 && !memcmp(item.value.p, c->item.key.p, 16)) DP_TRY(unit_take(k, hash, key, &item, &u, err));
    }
    return dp_window_cursor_next(c, err);
}

static bool is_over(const struct dp_window_keyed *k) {
    return dp_window_keyed_bytes(k) + k->w->mem.bytes + k->w->record_bytes > k->w->memory;
}

/* Is what a run says due before, or with, the first of the heap? */
static bool is_first(const struct dp_window_cursor *c, const struct dp_window_due *top) {
    int64_t due = dp_window_peek_time(c->item.key.p), start = dp_window_peek_time(c->item.key.p + 8);
    if (due != top->due) return due < top->due;
    if (start != top->start) return start < top->start;
    return dp_str_cmp(dp_str(c->item.key.p + 16, c->item.key.n - 16), unit_key(top->what)) <= 0;
}

/* The first of the pieces that were put aside is put back. */
static enum dp_status put_back(struct dp_window_keyed *k, struct dp_err *err) {
    struct dp_window_piece p;
    struct dp_window_unit *u;
    k->come = k->ahead.first;
    DP_TRY(dp_window_ahead_get(&k->ahead, &p, err));
    DP_TRY(unit_get(k, p.hash, p.key, &u, err));
    DP_TRY(k->ops->join(k->w, u, &p, err));
    u->flags |= DP_WINDOW_DIRTY | (p.flags & DP_WINDOW_FRESH);
    unit_queue(k, u);
    return dp_window_ahead_pass(&k->ahead, err);
}

enum dp_status dp_window_keyed_fire(struct dp_window_keyed *k, int64_t bound, struct dp_err *err) {
    for (;;) {
        /* what begins by the time that something is due at may be of it */
        if (k->ahead.first <= bound && k->ahead.first != INT64_MAX && (!k->heap.n || k->ahead.first <= k->heap.v[0].due)) {
            DP_TRY(put_back(k, err));
            if (is_over(k)) DP_TRY(dp_window_keyed_spill(k, err));
            continue;
        }
        struct dp_window_cursor *c = dp_window_cursor_least(k->cursors, k->n_runs);
        if (c && dp_window_peek_time(c->item.key.p) <= bound && (!k->heap.n || is_first(c, &k->heap.v[0]))) {
            DP_TRY(wake(k, c, err));
            continue;
        }
        if (!k->heap.n || k->heap.v[0].due > bound) break;
        struct dp_window_due item = dp_window_heap_pop(&k->heap);
        if (item.due > k->come) k->come = item.due;
        if (k->heap.n) __builtin_prefetch(k->heap.v[0].what); /* mostly the next one */
        DP_TRY(fire_unit(k, &item, err));
        if ((k->n_runs || k->ahead.n) && is_over(k)) DP_TRY(dp_window_keyed_spill(k, err)); /* what was woken; behind a step ahead, so that this comes to an end */
    }
    if (bound > k->come) k->come = bound;
    return DP_OK;
}

/* ---- spilling ---- */

static int by_hash(const void *a, const void *b) {
    const struct dp_window_unit *x = *(struct dp_window_unit *const *)a, *y = *(struct dp_window_unit *const *)b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return dp_str_cmp(unit_key(x), unit_key(y));
}

static int by_due(const void *a, const void *b) {
    const struct dp_window_unit *x = *(struct dp_window_unit *const *)a, *y = *(struct dp_window_unit *const *)b;
    if (x->due != y->due) return x->due < y->due ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return dp_str_cmp(unit_key(x), unit_key(y));
}

static struct dp_window_unit **units(const struct dp_window_keyed *k) {
    struct dp_window_unit **v = dp_alloc((k->n + 1) * sizeof *v);
    size_t n = 0;
    for (size_t i = 0; i < k->n_slots; i++)
        for (struct dp_window_unit *u = k->slots[i]; u; u = u->next) v[n++] = u;
    return v;
}

/* As runs hold it: k->value. */
static void unit_value(struct dp_window_keyed *k, struct dp_window_unit *u) {
    dp_buf_reset(&k->value);
    if (!u->u.sessions) return;
    if (k->ops->order) k->ops->order(k->w, u);
    if (!k->ops->next(k->w, u, &u->due, &u->start)) u->due = u->start = INT64_MAX;
    dp_window_put_time(&k->value, u->due);
    dp_window_put_time(&k->value, u->start);
    k->ops->save(k->w, u, &k->value);
}

/* Of what is due: key (due, start, key), value the hash. */
static enum dp_status put_due(struct dp_window_keyed *k, struct dp_window_run *r, const struct dp_window_unit *u, struct dp_err *err) {
    dp_buf_reset(&k->key);
    dp_window_put_time(&k->key, u->due);
    dp_window_put_time(&k->key, u->start);
    dp_buf_adds(&k->key, unit_key(u));
    dp_buf_reset(&k->value);
    dp_window_put64(&k->value, u->hash);
    struct dp_window_item item = {dp_buf_str(&k->key), dp_buf_str(&k->value), 0};
    return dp_window_run_put(r, &item, err);
}

/* Takes the two runs, also where it fails. */
static enum dp_status runs_add(struct dp_window_keyed *k, struct dp_window_run *r, struct dp_window_run *d, struct dp_err *err) {
    struct dp_window_cursor c = {0};
    enum dp_status status = dp_window_run_end(r, err);
    if (status == DP_OK) status = dp_window_run_end(d, err);
    if (status == DP_OK) status = dp_window_cursor_open(&c, d, dp_str("", 0), err);
    if (status != DP_OK) {
        dp_window_cursor_close(&c);
        dp_window_run_free(r), dp_window_run_free(d);
        return status;
    }
    if (k->n_runs == k->cap_runs) k->runs = dp_grow(k->runs, &k->cap_runs, k->n_runs + 1, sizeof *k->runs);
    if (k->n_runs == k->cap_dues) k->dues = dp_grow(k->dues, &k->cap_dues, k->n_runs + 1, sizeof *k->dues);
    if (k->n_runs == k->cap_cursors) k->cursors = dp_grow(k->cursors, &k->cap_cursors, k->n_runs + 1, sizeof *k->cursors);
    k->runs[k->n_runs] = r, k->dues[k->n_runs] = d, k->cursors[k->n_runs] = c;
    k->n_runs++;
    k->w->spilled += r->bytes + d->bytes;
    return DP_OK;
}

/* The last n runs become one: of each key what is newest, and what is due of them all, where it is looked up once more when its time comes. */
static enum dp_status merge(struct dp_window_keyed *k, size_t n, struct dp_err *err) {
    size_t from = k->n_runs - n;
    struct dp_window_cursor *c = dp_calloc(n, sizeof *c), *least;
    struct dp_window_run *r = NULL, *d = NULL;
    uint64_t keys = 0;
    enum dp_status status;
    DP_TRY_OUT(dp_window_run_open(&r, err));
    DP_TRY_OUT(dp_window_run_open(&d, err));
    r->level = k->runs[from]->level + 1;
    if (r->level < 2) r->block = SMALL;
    for (size_t i = 0; i < n; i++) {
        keys += k->runs[from + i]->entries;
        DP_TRY_OUT(dp_window_cursor_open(&c[i], k->runs[from + i], dp_str("", 0), err));
    }
    filter_open(r, keys);
    while ((least = dp_window_cursor_least(c, n))) {
        struct dp_window_item item = least->item;
        dp_buf_reset(&k->key);
        dp_buf_adds(&k->key, item.key);
        item.flags = flags_of(least->run, &least->item);
        if (!from) item.flags &= ~DP_WINDOW_BELOW;
        if (item.value.n || (item.flags & (DP_WINDOW_BELOW | DP_WINDOW_SAVED))) {
            DP_TRY_OUT(dp_window_run_put(r, &item, err));
            filter_add(r, dp_window_peek64(item.key.p));
        }
        for (size_t i = n; i--;)
            if (!c[i].is_end && dp_str_eq(c[i].item.key, dp_buf_str(&k->key))) DP_TRY_OUT(dp_window_cursor_next(&c[i], err));
    }
    while ((least = dp_window_cursor_least(k->cursors + from, n))) {
        DP_TRY_OUT(dp_window_run_put(d, &least->item, err));
        DP_TRY_OUT(dp_window_cursor_next(least, err));
    }
    for (size_t i = 0; i < n; i++) {
        dp_window_cursor_close(&k->cursors[from + i]);
        dp_window_run_free(k->runs[from + i]), dp_window_run_free(k->dues[from + i]);
    }
    k->n_runs = from;
    status = runs_add(k, r, d, err);
    r = d = NULL;
out:
    for (size_t i = 0; i < n; i++) dp_window_cursor_close(&c[i]);
    free(c);
    dp_window_run_free(r), dp_window_run_free(d);
    return status;
}

/*
 * A unit is read and written as a whole: one that alone takes half of what there is would be so for each of its records.  What is held of a key behind the bound can't be divided: sessions that
 * may still be written again, the rows of a window, and everything where records may be taken back.
 */
static enum dp_status check_few(const struct dp_window_keyed *k, struct dp_window_unit *const *v, struct dp_err *err) {
    size_t held = 0;
    for (size_t i = 0; i < k->n && held < 3; i++) held += v[i]->u.sessions != NULL;
    if (held > 2 || k->w->memory < DP_LIMIT_WINDOW_UNIT) return DP_OK;
    return dp_err_set(err, DP_LIMIT, "what is held of one key takes half of the memory for windows or more, and can't be divided: it needs a larger --memory, shorter windows or less lateness");
}

static enum dp_status spill_units(struct dp_window_keyed *k, bool is_short, struct dp_err *err) {
    if (!k->n) return DP_OK;
    struct dp_window_unit **v = units(k);
    struct dp_window_run *r = NULL, *d = NULL;
    size_t n = k->n, n_due = 0;
    enum dp_status status;
    if (is_short) DP_TRY_OUT(check_few(k, v, err));
    qsort(v, n, sizeof(struct dp_window_unit *), by_hash);
    DP_TRY_OUT(dp_window_run_open(&r, err));
    DP_TRY_OUT(dp_window_run_open(&d, err));
    r->block = SMALL;
    filter_open(r, n);
    for (size_t i = 0; i < n; i++) {
        struct dp_window_unit *u = v[i];
        run_key(&k->key, u->hash, unit_key(u));
        unit_value(k, u);
        struct dp_window_item item = {dp_buf_str(&k->key), dp_buf_str(&k->value), u->flags};
        if (!item.value.n && !(u->flags & (DP_WINDOW_BELOW | DP_WINDOW_SAVED))) continue;
        DP_TRY_OUT(dp_window_run_put(r, &item, err));
        filter_add(r, u->hash);
        if (u->u.sessions && u->due != INT64_MAX) v[n_due++] = u;
    }
    qsort(v, n_due, sizeof(struct dp_window_unit *), by_due);
    for (size_t i = 0; i < n_due; i++) DP_TRY_OUT(put_due(k, d, v[i], err));
    status = runs_add(k, r, d, err);
    r = d = NULL;
    if (status != DP_OK) goto out;
    clear(k);
    set_slots(k, 6);
    while (k->n_runs >= DP_WINDOW_FANIN && k->runs[k->n_runs - DP_WINDOW_FANIN]->level == k->runs[k->n_runs - 1]->level)
        DP_TRY_OUT(merge(k, DP_WINDOW_FANIN, err));
out:
    free(v);
    dp_window_run_free(r), dp_window_run_free(d);
    return status;
}

/* ---- what begins behind the bound ---- */

static int by_start(const void *a, const void *b) {
    const struct dp_window_part *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* The heap is made anew, so that units that have nothing any more can be given back. */
static void queue_anew(struct dp_window_keyed *k) {
    free(k->heap.v);
    k->heap = (struct dp_window_heap){.key = unit_key};
    for (size_t i = 0; i < k->n_slots; i++)
        for (struct dp_window_unit *u = k->slots[i], *next; u; u = next) {
            next = u->next;
            u->items = 0, u->due = u->start = INT64_MAX;
            if (u->u.sessions && k->ops->order) k->ops->order(k->w, u);
            unit_queue(k, u);
            unit_settle(k, u);
        }
}

/* Pieces of all units that have `least` of them. */
static enum dp_status put_aside(struct dp_window_keyed *k, uint32_t least, struct dp_err *err) {
    struct dp_window_pieces pieces = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < k->n_slots; i++)
        for (struct dp_window_unit *u = k->slots[i]; u; u = u->next) {
            if (!u->u.sessions || (least && u->n < least)) continue;
            size_t had = pieces.n;
            k->ops->cut(k->w, u, k->come > k->w->bound ? k->come : k->w->bound, &pieces);
            if (pieces.n > had) u->flags |= DP_WINDOW_DIRTY;
        }
    if (!pieces.n) goto out;
    qsort(pieces.v, pieces.n, sizeof *pieces.v, by_start);
    status = dp_window_ahead_begin(&k->ahead, err);
    for (size_t i = 0; i < pieces.n; i++) { /* also behind a failure: nobody else has them */
        const struct dp_window_unit *u = pieces.v[i].u;
        struct dp_window_piece p = {.start = pieces.v[i].start, .hash = u->hash, .key = unit_key(u)};
        if (i + 8 < pieces.n) __builtin_prefetch(pieces.v[i + 8].what), __builtin_prefetch(pieces.v[i + 8].u);
        dp_buf_reset(&k->value);
        k->ops->body(k->w, &pieces.v[i], &p, &k->value);
        p.body = dp_buf_str(&k->value);
        if (status == DP_OK) status = dp_window_ahead_put(&k->ahead, &p, err);
    }
    if (status == DP_OK) status = dp_window_ahead_end(&k->ahead, err);
    queue_anew(k);
out:
    free(pieces.v);
    return status;
}

static bool is_divided(const struct dp_window_keyed *k) { return k->ops->cut && !k->w->conf.spec.changes && k->w->is_started; }

enum dp_status dp_window_keyed_spill(struct dp_window_keyed *k, struct dp_err *err) {
    size_t had = dp_window_keyed_bytes(k) + k->w->mem.bytes + k->w->record_bytes;
    if (is_divided(k)) {
        DP_TRY(put_aside(k, 0, err));
        if (dp_window_keyed_bytes(k) + k->w->mem.bytes + k->w->record_bytes < had / 2) return DP_OK;
    }
    return spill_units(k, is_over(k), err);
}

/* ---- all units, those of runs among them ---- */

typedef enum dp_status (*unit_visit)(void *ctx, struct dp_window_unit *u, struct dp_err *err);

/* Visits units of memory, then those that only runs have, which are gone again behind the visit. */
static enum dp_status each(struct dp_window_keyed *k, uint32_t wants, unit_visit visit, void *ctx, struct dp_err *err) {
    struct dp_window_cursor *c = dp_calloc(k->n_runs + 1, sizeof *c), *least;
    struct dp_buf key = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < k->n_slots; i++)
        for (struct dp_window_unit *u = k->slots[i]; u; u = u->next)
            if (!wants || (u->flags & wants)) DP_TRY_OUT(visit(ctx, u, err));
    for (size_t i = 0; i < k->n_runs; i++) DP_TRY_OUT(dp_window_cursor_open(&c[i], k->runs[i], dp_str("", 0), err));
    while ((least = dp_window_cursor_least(c, k->n_runs))) {
        const struct dp_window_item *item = &least->item;
        dp_buf_reset(&key);
        dp_buf_adds(&key, item->key);
        uint64_t hash = dp_window_peek64(key.p);
        struct dp_str name = dp_str(key.p + 8, key.n - 8);
        uint32_t flags = flags_of(least->run, item);
        if ((!wants || (flags & wants)) && !unit_find(k, hash, name)) {
            struct dp_window_unit *u = dp_calloc(1, unit_size(name.n));
            u->hash = hash, u->flags = flags, u->key_n = (uint32_t)name.n;
            memcpy(u->key, name.p, name.n);
            if (item->value.n >= 16) status = k->ops->load(k->w, u, dp_str(item->value.p + 16, item->value.n - 16), err);
            if (status == DP_OK) status = visit(ctx, u, err);
            k->ops->release(k->w, u);
            free(u);
            if (status != DP_OK) goto out;
        }
        for (size_t i = 0; i < k->n_runs; i++)
            if (!c[i].is_end && dp_str_eq(c[i].item.key, dp_buf_str(&key))) DP_TRY_OUT(dp_window_cursor_next(&c[i], err));
    }
out:
    for (size_t i = 0; i < k->n_runs; i++) dp_window_cursor_close(&c[i]);
    free(c);
    dp_buf_release(&key);
    return status;
}

/* A flag of all units is past. */
static void passed(struct dp_window_keyed *k, uint32_t flag) {
    for (size_t i = 0; i < k->n_runs; i++) k->runs[i]->passed |= flag;
    for (size_t i = 0; i < k->n_slots; i++)
        for (struct dp_window_unit *u = k->slots[i]; u; u = u->next) u->flags &= ~flag;
}

struct saving {
    struct dp_window_keyed *k;
    bool all;
    dp_window_put put;
    void *ctx;
};

static enum dp_status save_unit(void *ctx, struct dp_window_unit *u, struct dp_err *err) {
    struct saving *s = ctx;
    struct dp_buf *key = &s->k->key, *value = &s->k->value;
    bool was_saved = (u->flags & DP_WINDOW_SAVED) != 0;
    run_key(key, u->hash, dp_str("", 0));
    dp_buf_addc(key, 'k');
    dp_buf_add(key, u->key, u->key_n);
    if (!u->u.sessions) {
        u->flags &= ~DP_WINDOW_SAVED;
        return was_saved && !s->all ? s->put(s->ctx, dp_buf_str(key), NULL, err) : DP_OK;
    }
    dp_buf_reset(value);
    s->k->ops->save(s->k->w, u, value);
    struct dp_str v = dp_buf_str(value);
    u->flags |= DP_WINDOW_SAVED;
    return s->put(s->ctx, dp_buf_str(key), &v, err);
}

enum dp_status dp_window_keyed_save(struct dp_window_keyed *k, bool all, dp_window_put put, void *ctx, struct dp_err *err) {
    struct saving s = {k, all, put, ctx};
    bool is_dirty = all;
    /* what many pieces there are of a key is written once, not whenever one of them changed */
    if (is_divided(k)) DP_TRY(put_aside(k, DP_WINDOW_MANY, err));
    DP_TRY(dp_window_ahead_save(&k->ahead, all, put, ctx, err));
    /* runs without changes are not read */
    for (size_t i = 0; i < k->n_runs; i++) is_dirty |= !(k->runs[i]->passed & DP_WINDOW_DIRTY);
    if (is_dirty || !k->n_runs) DP_TRY(each(k, all ? 0 : DP_WINDOW_DIRTY, save_unit, &s, err));
    else
        for (size_t i = 0; i < k->n_slots; i++)
            for (struct dp_window_unit *u = k->slots[i]; u; u = u->next)
                if (u->flags & DP_WINDOW_DIRTY) DP_TRY(save_unit(&s, u, err));
    passed(k, DP_WINDOW_DIRTY);
    for (size_t i = 0; i < k->n_runs; i++) k->runs[i]->is_saved = true;
    for (size_t i = 0; i < k->n_slots; i++)
        for (struct dp_window_unit *u = k->slots[i], *next; u; u = next) {
            next = u->next;
            unit_settle(k, u);
        }
    return DP_OK;
}

enum dp_status dp_window_keyed_load_ahead(struct dp_window_keyed *k, const struct dp_window_piece *p, struct dp_err *err) {
    if (!k->ops->join) return dp_window_damaged(err);
    if (k->w->is_looking) return k->ops->join(k->w, unit_new(k, p->hash, p->key), p, err);
    return dp_window_ahead_load(&k->ahead, p, k->w->memory, err);
}

enum dp_status dp_window_keyed_start(struct dp_window_keyed *k, int64_t bound, struct dp_err *err) { return dp_window_ahead_start(&k->ahead, bound, err); }

enum dp_status dp_window_keyed_load(struct dp_window_keyed *k, uint64_t hash, struct dp_str key, struct dp_str value, struct dp_err *err) {
    if (unit_find(k, hash, key)) return dp_window_damaged(err);
    struct dp_window_unit *u = unit_new(k, hash, key);
    u->flags = DP_WINDOW_SAVED | DP_WINDOW_FRESH; /* its windows know which of them is */
    DP_TRY(k->ops->load(k->w, u, value, err));
    unit_queue(k, u);
    return DP_OK;
}

/* ---- rows before their time ---- */

struct showing {
    struct dp_window_keyed *k;
    struct dp_window_grid *sorter;
    enum dp_window_which which;
    dp_window_visit visit;
    void *ctx;
    struct dp_window_unit *u;
};

static enum dp_status show_window(void *ctx, const struct dp_window_seen *seen, struct dp_err *err) {
    struct showing *s = ctx;
    struct dp_window_seen of = *seen;
    of.key = unit_key(s->u), of.hash = s->u->hash;
    return s->sorter ? dp_window_grid_take(s->sorter, &of, err) : s->visit(s->ctx, &of, err);
}

static enum dp_status show_unit(void *ctx, struct dp_window_unit *u, struct dp_err *err) {
    struct showing *s = ctx;
    s->u = u;
    return u->u.sessions ? s->k->ops->each(s->k->w, u, s->which, show_window, s, err) : DP_OK;
}

enum dp_status dp_window_keyed_each(struct dp_window_keyed *k, dp_window_visit visit, void *ctx, struct dp_err *err) {
    struct showing s = {k, NULL, DP_WINDOW_ALL, visit, ctx, NULL};
    return each(k, 0, show_unit, &s, err);
}

/* Another one over the same files, with nothing in memory. */
static enum dp_status fork_of(struct dp_window_keyed *k, struct dp_window_keyed **out, struct dp_err *err) {
    struct dp_window_keyed *f = *out = dp_window_keyed_open(k->w, k->ops);
    f->come = k->come;
    f->runs = dp_grow(NULL, &f->cap_runs, k->n_runs + 1, sizeof *f->runs);
    f->dues = dp_grow(NULL, &f->cap_dues, k->n_runs + 1, sizeof *f->dues);
    f->cursors = dp_grow(NULL, &f->cap_cursors, k->n_runs + 1, sizeof *f->cursors);
    for (; f->n_runs < k->n_runs;) {
        size_t i = f->n_runs++;
        (f->runs[i] = k->runs[i])->refs++, (f->dues[i] = k->dues[i])->refs++;
        f->cursors[i] = (struct dp_window_cursor){.is_end = true};
        DP_TRY(dp_window_cursor_fork(&f->cursors[i], &k->cursors[i], err));
    }
    return dp_window_ahead_fork(&k->ahead, &f->ahead, err);
}

/* Where pieces were put aside, what is seen of a window is only known when all of them were put back: time runs to its end, over the same files, and then it is as if it had not. */
static enum dp_status show_ahead(struct dp_window_keyed *k, struct dp_err *err) {
    struct dp_window *w = k->w;
    struct dp_window_keyed *f = NULL;
    enum dp_status status;
    DP_TRY(put_aside(k, 0, err));
    DP_TRY(spill_units(k, false, err));
    w->is_showing = true;
    status = fork_of(k, &f, err);
    w->keyed = f;
    if (status == DP_OK) status = dp_window_keyed_fire(f, INT64_MAX, err);
    dp_window_keyed_free(f);
    w->keyed = k;
    w->is_showing = false;
    return status;
}

enum dp_status dp_window_keyed_show(struct dp_window_keyed *k, bool last, struct dp_err *err) {
    enum dp_status status;
    if (k->ahead.first != INT64_MAX) {
        status = show_ahead(k, err);
    } else {
        struct showing s = {k, dp_window_grid_open(k->w, true), last ? DP_WINDOW_OPEN : DP_WINDOW_CHANGED, NULL, NULL, NULL};
        status = each(k, last ? 0 : DP_WINDOW_FRESH, show_unit, &s, err);
        if (status == DP_OK) status = dp_window_grid_fire(s.sorter, INT64_MAX, !last, err);
        dp_window_grid_free(s.sorter);
    }
    if (status != DP_OK) return status;
    passed(k, DP_WINDOW_FRESH);
    dp_window_ahead_passed(&k->ahead, DP_WINDOW_FRESH);
    return DP_OK;
}

struct dp_window_counts dp_window_keyed_counts(const struct dp_window_keyed *k) {
    struct dp_window_counts c = {.keys = k->n};
    for (size_t i = 0; i < k->n_slots; i++)
        for (const struct dp_window_unit *u = k->slots[i]; u; u = u->next)
            if (u->u.sessions) c.windows += k->ops->windows(k->w, u);
    for (size_t i = 0; i < k->n_runs; i++) c.keys += k->runs[i]->entries;
    c.windows += dp_window_ahead_entries(&k->ahead);
    return c;
}
