/*
 * The key set (dp/io/keyset.h), its table.
 *
 * Keys are made uniform when they are made: short ones by a seeded bijection of 128 bits (so different ones stay different), long ones by a seeded
 * hash.  So a key's home is its first word scaled to the table's size, and linear probing without wrapping keeps the table in order but for the
 * inside of clusters: growing is one pass from front to back (the old pages are given back behind it, so that it never takes both), and
 * a run is written after each cluster is sorted where it stands.  Measured: 5,000,000 keys take 134 MB; 50 ns a key that is there.
 */
#include "keyset_priv.h"

#include <dp/base/file.h>
#include <dp/base/mem.h>

#include <stdlib.h>
#include <sys/mman.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#define MIN_MEMORY (UINT64_C(1) << 20)
#define FIRST_SLOTS 4096
#define SLACK 1024          /* slots behind the last home; a key that finds no room there makes the table grow */
#define AHEAD 16            /* keys whose place is fetched in advance */
#define GIVE_BACK ((size_t)4 << 20)

struct dp_keyset {
    uint64_t seed[3];
    struct dp_key *slots;   /* n_slots homes and SLACK more; {0, 0} is free */
    uint64_t n_slots, used, limit;
    uint64_t most_slots;    /* before the first run; half of the memory afterwards */
    uint64_t memory;
    uint64_t count;
    bool has_zero;          /* the key that looks like a free slot */
    struct dp_keyset_runs runs;
};

void *dp_keyset_map(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= (size_t)8 << 20) (void)madvise(p, bytes, MADV_HUGEPAGE); /* every page is touched at random: fewer of them are faster */
#endif
    return p;
}

void dp_keyset_unmap(void *p, size_t bytes) {
    if (p) (void)munmap(p, bytes);
}

static size_t bytes_of(uint64_t slots) { return (size_t)(slots + SLACK) * sizeof(struct dp_key); }

struct dp_keyset *dp_keyset_open(uint64_t memory) {
    struct dp_keyset *k = dp_calloc(1, sizeof *k);
    dp_random(k->seed, sizeof k->seed);
    k->memory = memory < MIN_MEMORY ? MIN_MEMORY : memory;
    k->most_slots = k->memory / 10 * 9 / sizeof(struct dp_key) - SLACK;
    k->runs.filter_bytes = k->memory / 5 * 2;
    k->runs.fence_bytes = k->memory / 32;
    return k;
}

void dp_keyset_close(struct dp_keyset *k) {
    if (!k) return;
    dp_keyset_unmap(k->slots, bytes_of(k->n_slots));
    dp_keyset_runs_release(&k->runs);
    free(k);
}

void dp_keyset_set_seed(struct dp_keyset *k, const uint64_t seed[3]) { memcpy(k->seed, seed, sizeof k->seed); }
void dp_keyset_seed(const struct dp_keyset *k, uint64_t seed[3]) { memcpy(seed, k->seed, sizeof k->seed); }

enum dp_status dp_keyset_each(const struct dp_keyset *k, enum dp_status (*some)(void *ctx, const struct dp_key *keys, size_t n, struct dp_err *err), void *ctx, struct dp_err *err) {
    const uint64_t all = k->slots ? k->n_slots + SLACK : 0;
    const struct dp_key zero = {{0, 0}};
    if (k->has_zero) DP_TRY(some(ctx, &zero, 1, err));
    for (uint64_t i = 0, end; i < all; i = end) { /* a row without a gap at a time */
        for (end = i; end < all && (k->slots[end].w[0] | k->slots[end].w[1]); end++) {}
        if (end > i) DP_TRY(some(ctx, k->slots + i, (size_t)(end - i), err));
        else end++;
    }
    return dp_keyset_runs_each(&k->runs, some, ctx, err);
}

uint64_t dp_keyset_count(const struct dp_keyset *k) { return k->count; }
uint64_t dp_keyset_spilled(const struct dp_keyset *k) { return k->runs.written; }

static uint64_t fold(uint64_t a, uint64_t b) {
    dp_u128 m = (dp_u128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

struct dp_key dp_keyset_key(const struct dp_keyset *k, struct dp_str bytes) {
    struct dp_key key = {{0, 0}};
    if (bytes.n > 15) {
        XXH128_hash_t h = XXH3_128bits_withSeed(bytes.p, bytes.n, k->seed[0]);
        return (struct dp_key){{h.high64, h.low64}};
    }
    unsigned char text[16] = {0};
    if (bytes.n) memcpy(text, bytes.p, bytes.n);
    text[15] = (unsigned char)(bytes.n + 1);
    memcpy(&key, text, sizeof key);
    /* Three rounds of a Feistel network: one to one, whatever the rounds do. */
    key.w[0] ^= fold(key.w[1] ^ k->seed[0], UINT64_C(0x9E3779B97F4A7C15));
    key.w[1] ^= fold(key.w[0] ^ k->seed[1], UINT64_C(0xD6E8FEB86659FD93));
    key.w[0] ^= fold(key.w[1] ^ k->seed[2], UINT64_C(0xA0761D6478BD642F));
    return key;
}

static bool is_free(const struct dp_key *s) { return !(s->w[0] | s->w[1]); }
static bool is_same(const struct dp_key *a, const struct dp_key *b) { return a->w[0] == b->w[0] && a->w[1] == b->w[1]; }

/* Where the key is, or the free slot for it; NULL: the table ends in front of one. */
static struct dp_key *place(const struct dp_keyset *k, const struct dp_key *key) {
    struct dp_key *s = k->slots + dp_key_scale(key->w[0], k->n_slots), *end = k->slots + k->n_slots + SLACK;
    while (s < end && !is_free(s) && !is_same(s, key)) s++;
    return s < end ? s : NULL;
}

static enum dp_status no_memory(struct dp_err *err, uint64_t slots) {
    return dp_err_set(err, DP_IO, "no memory for %llu bytes of keys", (unsigned long long)bytes_of(slots));
}

static void set_slots(struct dp_keyset *k, struct dp_key *slots, uint64_t n) {
    k->slots = slots, k->n_slots = n;
    k->limit = n / 10 * 7; /* a search that fails looks at six slots, at 0.8 it would be thirteen */
}

/* Moves the keys to a table of n slots, in order.  There they are half as dense at most, so that none comes near its end. */
static enum dp_status grow(struct dp_keyset *k, uint64_t n, struct dp_err *err) {
    struct dp_keyset old = *k;
    struct dp_key *slots = dp_keyset_map(bytes_of(n));
    if (!slots) return no_memory(err, n);
    set_slots(k, slots, n);
    size_t given = 0, all = old.slots ? bytes_of(old.n_slots) : 0;
    for (size_t i = 0; i * sizeof *slots < all; i++) {
        if (!is_free(&old.slots[i])) *place(k, &old.slots[i]) = old.slots[i];
        size_t behind = i * sizeof *slots;
        if (behind - given < GIVE_BACK) continue;
        (void)madvise((char *)old.slots + given, GIVE_BACK, MADV_DONTNEED);
        given += GIVE_BACK;
    }
    dp_keyset_unmap(old.slots, all);
    return DP_OK;
}

static int compare(const void *a, const void *b) { return dp_key_before(a, b) ? -1 : dp_key_before(b, a) ? 1 : 0; }

static void sort_cluster(struct dp_key *s, size_t n) {
    if (n > 64) {
        qsort(s, n, sizeof *s, compare);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct dp_key key = s[i];
        size_t j = i;
        for (; j && dp_key_before(&key, &s[j - 1]); j--) s[j] = s[j - 1];
        s[j] = key;
    }
}

/* All keys to the front of the table, in order. */
static uint64_t gather(struct dp_keyset *k) {
    uint64_t all = k->n_slots + SLACK, n = 0;
    for (uint64_t i = 0; i < all;) {
        if (is_free(&k->slots[i])) {
            i++;
            continue;
        }
        uint64_t start = n;
        while (i < all && !is_free(&k->slots[i])) k->slots[n++] = k->slots[i++];
        sort_cluster(k->slots + start, (size_t)(n - start));
    }
    return n;
}

/* The table's keys become a run.  At the first one the table gives half of its room to the filter, which is then filled from the run. */
static enum dp_status spill(struct dp_keyset *k, struct dp_err *err) {
    bool is_first = !k->runs.n;
    uint64_t n = gather(k);
    DP_TRY(dp_keyset_runs_add(&k->runs, k->slots, n, bytes_of(k->n_slots), err));
    k->used = 0;
    if (!is_first) {
        memset(k->slots, 0, bytes_of(k->n_slots));
        return DP_OK;
    }
    dp_keyset_unmap(k->slots, bytes_of(k->n_slots));
    k->slots = NULL;
    DP_TRY(dp_keyset_runs_filter(&k->runs, err));
    k->most_slots = k->memory / 2 / sizeof(struct dp_key) - SLACK;
    return grow(k, k->most_slots, err);
}

static enum dp_status make_room(struct dp_keyset *k, struct dp_err *err) {
    if (k->n_slots == k->most_slots) return spill(k, err);
    uint64_t n = k->n_slots ? k->n_slots * 2 : FIRST_SLOTS;
    return grow(k, n > k->most_slots ? k->most_slots : n, err);
}

/* In the table?  *free_slot is where it belongs otherwise, NULL where there is no room. */
static inline bool in_table(const struct dp_keyset *k, const struct dp_key *key, struct dp_key **free_slot) {
    struct dp_key *s = place(k, key);
    if (s && !is_free(s)) return true;
    *free_slot = s;
    return false;
}

static inline enum dp_status in_runs(const struct dp_keyset *k, const struct dp_key *key, bool *has, struct dp_err *err) {
    *has = false;
    return !k->runs.n || dp_keyset_filtered(&k->runs, key) ? DP_OK : dp_keyset_runs_find(&k->runs, key, has, err);
}

static enum dp_status add(struct dp_keyset *k, const struct dp_key *key, bool *seen, struct dp_err *err) {
    struct dp_key *slot = NULL;
    if (is_free(key)) {
        *seen = k->has_zero;
        k->count += !k->has_zero;
        k->has_zero = true;
        return DP_OK;
    }
    if ((*seen = in_table(k, key, &slot))) return DP_OK;
    DP_TRY(in_runs(k, key, seen, err));
    if (*seen) return DP_OK;
    while (k->used >= k->limit || !slot) {
        DP_TRY(make_room(k, err));
        slot = place(k, key);
    }
    *slot = *key;
    k->used++, k->count++;
    return DP_OK;
}

static inline void fetch(const struct dp_keyset *k, const struct dp_key *key) {
    __builtin_prefetch(k->slots + dp_key_scale(key->w[0], k->n_slots), 1);
    if (k->runs.n) __builtin_prefetch(k->runs.filter + 8 * dp_key_scale(key->w[1], k->runs.n_blocks));
}

enum dp_status dp_keyset_add(struct dp_keyset *k, const struct dp_key *keys, size_t n, bool *seen, struct dp_err *err) {
    if (!k->slots && n) DP_TRY(make_room(k, err));
    for (size_t i = 0; i < n && i < AHEAD; i++) fetch(k, &keys[i]);
    for (size_t i = 0; i < n; i++) {
        if (n - i > AHEAD) fetch(k, &keys[i + AHEAD]);
        DP_TRY(add(k, &keys[i], &seen[i], err));
    }
    return DP_OK;
}

enum dp_status dp_keyset_find(struct dp_keyset *k, const struct dp_key *keys, size_t n, bool *has, struct dp_err *err) {
    struct dp_key *unused = NULL;
    if (!k->slots) {
        memset(has, 0, n * sizeof *has);
        return DP_OK;
    }
    for (size_t i = 0; i < n && i < AHEAD; i++) fetch(k, &keys[i]);
    for (size_t i = 0; i < n; i++) {
        if (n - i > AHEAD) fetch(k, &keys[i + AHEAD]);
        has[i] = is_free(&keys[i]) ? k->has_zero : in_table(k, &keys[i], &unused);
        if (!has[i]) DP_TRY(in_runs(k, &keys[i], &has[i], err));
    }
    return DP_OK;
}

enum dp_status dp_keyset_has(struct dp_keyset *k, struct dp_key key, bool *has, struct dp_err *err) { return dp_keyset_find(k, &key, 1, has, err); }
