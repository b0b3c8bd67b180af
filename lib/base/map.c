/*
 * The hash map (dp/base/map.h): items in order of insertion, slots hold item numbers plus one,
 * linear probing.  Removed items stay in their slot as dead, until the table is built anew.
 * The seed is one of the three pieces of mutable file-scope data of the library.
 */
#include <dp/base/arena.h>
#include <dp/base/map.h>
#include <dp/base/num.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

static uint64_t hash_seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void draw_seed(void) {
    const char *z = getenv("DP_HASH_SEED");
    if (z && dp_parse_u64(dp_str_z(z), &hash_seed)) return;
    if (getrandom(&hash_seed, sizeof hash_seed, GRND_NONBLOCK) == (ssize_t)sizeof hash_seed) return;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    hash_seed = (uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec << 30 ^ (uint64_t)getpid() << 48;
}

uint64_t dp_map_hash(struct dp_str key) {
    pthread_once(&seed_once, draw_seed);
    return XXH3_64bits_withSeed(key.n ? key.p : "", key.n, hash_seed);
}

static struct dp_map_item *find(const struct dp_map *m, struct dp_str key, uint64_t h) {
    if (!m->nslots) return NULL;
    for (size_t i = h & (m->nslots - 1); m->slots[i]; i = (i + 1) & (m->nslots - 1)) {
        struct dp_map_item *it = &m->items[m->slots[i] - 1];
        if (it->hash == h && !it->dead && dp_str_eq(it->key, key)) return it;
    }
    return NULL;
}

/* Builds the slots for the live items, with room for as many again; items keep their order. */
static void rebuild(struct dp_map *m) {
    size_t k = 0;
    for (size_t i = 0; i < m->n; i++)
        if (!m->items[i].dead) m->items[k++] = m->items[i];
    m->n = k;
    size_t want = 16;
    while (want < (k + 1) * 4) want *= 2;
    if (want != m->nslots) {
        free(m->slots);
        m->slots = dp_calloc(want, sizeof *m->slots);
        m->nslots = want;
    } else {
        memset(m->slots, 0, want * sizeof *m->slots);
    }
    for (size_t i = 0; i < k; i++) {
        size_t s = m->items[i].hash & (want - 1);
        while (m->slots[s]) s = (s + 1) & (want - 1);
        m->slots[s] = (uint32_t)(i + 1);
    }
}

struct dp_map_item *dp_map_get(const struct dp_map *m, struct dp_str key) {
    return m->live ? find(m, key, dp_map_hash(key)) : NULL;
}

static struct dp_map_item *put(struct dp_map *m, struct dp_str key, bool copy, bool *is_new) {
    uint64_t h = dp_map_hash(key);
    struct dp_map_item *it = find(m, key, h);
    if (is_new) *is_new = !it;
    if (it) return it;
    if (!m->nslots || (m->n + 1) * 2 > m->nslots) rebuild(m);
    if (copy && !m->arena) m->arena = dp_calloc(1, sizeof *m->arena);
    m->items = dp_grow(m->items, &m->cap, m->n + 1, sizeof *m->items);
    it = &m->items[m->n++];
    *it = (struct dp_map_item){.key = copy ? dp_arena_str(m->arena, key) : key, .hash = h};
    size_t s = h & (m->nslots - 1);
    while (m->slots[s]) s = (s + 1) & (m->nslots - 1);
    m->slots[s] = (uint32_t)m->n;
    m->live++;
    return it;
}

struct dp_map_item *dp_map_put(struct dp_map *m, struct dp_str key, bool *is_new) { return put(m, key, true, is_new); }

struct dp_map_item *dp_map_put_kept(struct dp_map *m, struct dp_str key, bool *is_new) { return put(m, key, false, is_new); }

bool dp_map_remove(struct dp_map *m, struct dp_str key) {
    struct dp_map_item *it = m->live ? find(m, key, dp_map_hash(key)) : NULL;
    if (!it) return false;
    it->dead = true;
    m->live--;
    return true;
}

void dp_map_reset(struct dp_map *m) {
    m->n = m->live = 0;
    if (m->slots) memset(m->slots, 0, m->nslots * sizeof *m->slots);
    if (m->arena) dp_arena_reset(m->arena);
}

void dp_map_release(struct dp_map *m) {
    free(m->items);
    free(m->slots);
    if (m->arena) dp_arena_release(m->arena);
    free(m->arena);
    *m = (struct dp_map){0};
}
