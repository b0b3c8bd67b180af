/*
 * Multisets of byte strings (agg_priv.h): what aggregates hold of which rows may be taken out again, and distinct values.  Entries stand one behind another; up to a few
 * are looked for one by one, more through a table of hashes whose seed the process draws (dp_map_hash), which never shows in results.
 */
#include "agg_priv.h"

#include <dp/base/map.h>

#define FEW 8
#define PLACE ((UINT64_C(1) << 48) - 1)

struct agg_bag {
    uint64_t total, live, used; /* of values; entries with a count, and all entries */
    char *data;
    size_t n, cap;
    uint64_t *slots; /* place of an entry / 8 + 1, and 16 bits of its hash; 0 is free */
    size_t n_slots;
};

struct entry {
    uint64_t count, hash;
    uint32_t len;
    char bytes[]; /* up to the next multiple of eight */
};

static struct entry *entry_at(const struct agg_bag *b, size_t place) { return (struct entry *)(void *)(b->data + place); }
static struct dp_str entry_str(const struct entry *e) { return dp_str(e->bytes, e->len); }
static size_t entry_size(size_t len) { return (offsetof(struct entry, bytes) + len + 7) & ~(size_t)7; }

uint64_t agg_bag_total(const struct agg_bag *b) { return b ? b->total : 0; }
uint64_t agg_bag_distinct(const struct agg_bag *b) { return b ? b->live : 0; }

static uint64_t slot_of(size_t place, uint64_t hash) { return (place / 8 + 1) | (hash & ~PLACE); }

static void put_slot(struct agg_bag *b, size_t place, uint64_t hash) {
    size_t i = hash & (b->n_slots - 1);
    while (b->slots[i]) i = (i + 1) & (b->n_slots - 1);
    b->slots[i] = slot_of(place, hash);
}

static struct entry *find(const struct agg_bag *b, struct dp_str s, uint64_t hash) {
    if (!b->n_slots) {
        for (size_t at = 0; at < b->n; at += entry_size(entry_at(b, at)->len))
            if (entry_at(b, at)->hash == hash && dp_str_eq(entry_str(entry_at(b, at)), s)) return entry_at(b, at);
        return NULL;
    }
    for (size_t i = hash & (b->n_slots - 1); b->slots[i]; i = (i + 1) & (b->n_slots - 1)) {
        if ((b->slots[i] ^ hash) & ~PLACE) continue;
        struct entry *e = entry_at(b, ((b->slots[i] & PLACE) - 1) * 8);
        if (e->hash == hash && dp_str_eq(entry_str(e), s)) return e;
    }
    return NULL;
}

static void drop_dead(struct agg_bag *b) {
    size_t to = 0, size;
    for (size_t at = 0; at < b->n; at += size) {
        size = entry_size(entry_at(b, at)->len);
        if (!entry_at(b, at)->count) continue;
        memmove(b->data + to, b->data + at, size);
        to += size;
    }
    b->n = to;
    b->used = b->live;
}

/* Room for one more entry in data and slots; entries may move. */
static void make_room(struct agg_bag *b, size_t size, struct dp_agg_mem *mem) {
    if (b->used >= FEW && b->used > 2 * b->live) {
        drop_dead(b);
        if (b->n_slots) memset(b->slots, 0, b->n_slots * sizeof *b->slots);
        for (size_t at = 0; b->n_slots && at < b->n; at += entry_size(entry_at(b, at)->len)) put_slot(b, at, entry_at(b, at)->hash);
    }
    if (b->n + size > b->cap) {
        size_t cap = b->cap < 64 ? size < 128 ? 128 : size : b->cap + b->cap / 2;
        if (cap < b->n + size) cap = b->n + size;
        b->data = agg_realloc(mem, b->data, b->cap, cap);
        b->cap = cap;
    }
    if (b->used + 1 <= FEW || (b->n_slots && (b->used + 1) * 4 <= b->n_slots * 3)) return;
    size_t n = b->n_slots ? b->n_slots * 2 : 4 * FEW;
    b->slots = agg_realloc(mem, b->slots, b->n_slots * sizeof *b->slots, n * sizeof *b->slots);
    b->n_slots = n;
    memset(b->slots, 0, n * sizeof *b->slots);
    for (size_t at = 0; at < b->n; at += entry_size(entry_at(b, at)->len)) put_slot(b, at, entry_at(b, at)->hash);
}

void agg_bag_add(struct agg_bag **bag, struct dp_str s, uint64_t count, struct dp_agg_mem *mem) {
    struct agg_bag *b = *bag;
    uint64_t hash = dp_map_hash(s);
    if (!b) {
        *bag = b = agg_realloc(mem, NULL, 0, sizeof *b);
        *b = (struct agg_bag){0};
    }
    struct entry *e = find(b, s, hash);
    if (!e) {
        size_t size = entry_size(s.n);
        make_room(b, size, mem);
        e = entry_at(b, b->n);
        e->count = 0, e->hash = hash, e->len = (uint32_t)s.n;
        if (s.n) memcpy(e->bytes, s.p, s.n);
        if (b->n_slots) put_slot(b, b->n, hash);
        b->n += size;
        b->used++;
    }
    if (!e->count) b->live++;
    e->count += count;
    b->total += count;
}

uint64_t agg_bag_count(const struct agg_bag *b, struct dp_str s) {
    const struct entry *e = b ? find(b, s, dp_map_hash(s)) : NULL;
    return e ? e->count : 0;
}

void agg_bag_sub(struct agg_bag **bag, struct dp_str s, struct dp_agg_mem *mem) {
    struct agg_bag *b = *bag;
    struct entry *e = find(b, s, dp_map_hash(s));
    b->total--;
    if (--e->count == 0 && --b->live == 0) agg_bag_release(bag, mem);
}

void agg_bag_release(struct agg_bag **bag, struct dp_agg_mem *mem) {
    struct agg_bag *b = *bag;
    if (!b) return;
    agg_free(mem, b->data, b->cap);
    agg_free(mem, b->slots, b->n_slots * sizeof *b->slots);
    agg_free(mem, b, sizeof *b);
    *bag = NULL;
}

bool agg_bag_next(const struct agg_bag *b, size_t *at, struct agg_bag_item *out) {
    while (b && *at < b->n) {
        const struct entry *e = entry_at(b, *at);
        *at += entry_size(e->len);
        *out = (struct agg_bag_item){entry_str(e), e->count};
        if (e->count) return true;
    }
    return false;
}

static int by_bytes(const void *a, const void *b) {
    return dp_str_cmp(((const struct agg_bag_item *)a)->s, ((const struct agg_bag_item *)b)->s);
}

struct agg_bag_item *agg_bag_sorted(const struct agg_bag *b) {
    size_t n = 0, at = 0;
    struct agg_bag_item *all = dp_alloc((agg_bag_distinct(b) + 1) * sizeof *all);
    while (agg_bag_next(b, &at, &all[n])) n++;
    qsort(all, n, sizeof *all, by_bytes);
    return all;
}

/* ---- as an accumulator: of encoded values ---- */

static void bag_add(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)at;
    if (v->tag != AGG_NAN) agg_bag_add(state, v->raw, 1, mem);
}
static bool bag_has(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at) {
    (void)a, (void)at;
    return v->tag == AGG_NAN || agg_bag_count(*(struct agg_bag *const *)state, v->raw) > 0;
}
static void bag_sub(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem) {
    (void)a, (void)at;
    if (v->tag != AGG_NAN) agg_bag_sub(state, v->raw, mem);
}
static void bag_merge(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem) {
    struct agg_bag **to = into, *f = *(struct agg_bag **)from;
    struct agg_bag_item item;
    (void)a;
    if (!*to || (f && f->live > (*to)->live)) { /* the smaller one into the larger */
        *(struct agg_bag **)from = *to;
        *to = f;
        f = *(struct agg_bag **)from;
    }
    for (size_t at = 0; agg_bag_next(f, &at, &item);) agg_bag_add(to, item.s, item.count, mem);
}
static void bag_release(const struct agg_acc *a, void *state, struct dp_agg_mem *mem) {
    (void)a;
    agg_bag_release(state, mem);
}
static void bag_save(const struct agg_acc *a, const void *state, struct dp_buf *out) {
    const struct agg_bag *b = *(struct agg_bag *const *)state;
    struct agg_bag_item *all = agg_bag_sorted(b);
    uint64_t n = agg_bag_distinct(b);
    (void)a;
    agg_put64(dp_buf_reserve(out, 8), n);
    out->n += 8;
    for (uint64_t i = 0; i < n; i++) {
        agg_put64(dp_buf_reserve(out, 8), all[i].count);
        out->n += 8;
        dp_buf_adds(out, all[i].s);
    }
    free(all);
}
static bool bag_load(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem) {
    if (in->n < 8) return false;
    uint64_t n = agg_get64(in->p);
    *in = dp_str(in->p + 8, in->n - 8);
    for (; n; n--) { /* each takes bytes of the input: no count makes this long */
        struct agg_val v;
        if (in->n < 8) return false;
        uint64_t count = agg_get64(in->p);
        *in = dp_str(in->p + 8, in->n - 8);
        if (!count || count > UINT64_C(1) << 48 || !agg_val_load(in, &v) || !agg_val_fits(&v, a->class) || v.tag == AGG_NAN) return false;
        agg_bag_add(state, v.raw, count, mem);
    }
    return true;
}

const struct agg_acc_ops agg_ops_bag = {sizeof(struct agg_bag *), bag_add, bag_has, bag_sub, bag_merge, bag_release, bag_save, bag_load};
