/*
 * Hash map from bytes to a 64-bit value (or pointer), insertion order kept.  Keys are copied into
 * the map.  Open addressing, XXH3 with a seed drawn once (DP_HASH_SEED), so that hostile keys can't
 * collide on purpose; iteration is by insertion, so the seed never shows in output.
 */
#ifndef DP_BASE_MAP_H
#define DP_BASE_MAP_H

#include <dp/base/str.h>

struct dp_map_item {
    struct dp_str key; /* owned by the map, NUL behind it; not so after dp_map_put_kept */
    uint64_t hash;
    union {
        uint64_t u;
        int64_t i;
        void *p;
    } v;
    bool dead; /* removed; skip when iterating */
};

struct dp_map {
    struct dp_map_item *items; /* n of them, in order of insertion, removed ones marked dead */
    size_t n, cap, live;
    uint32_t *slots;
    size_t nslots;
    struct dp_arena *arena;
};

/* The hash of a key in this process. */
uint64_t dp_map_hash(struct dp_str key);
/* Borrowed until the next insertion; NULL when absent. */
struct dp_map_item *dp_map_get(const struct dp_map *m, struct dp_str key);
/* Finds or inserts (value zero); *is_new may be NULL.  Borrowed until the next insertion. */
struct dp_map_item *dp_map_put(struct dp_map *m, struct dp_str key, bool *is_new);
/* The same, but a key that is new is not copied: its bytes stay the caller's, as long as the map. */
struct dp_map_item *dp_map_put_kept(struct dp_map *m, struct dp_str key, bool *is_new);
bool dp_map_remove(struct dp_map *m, struct dp_str key);
void dp_map_reset(struct dp_map *m);
void dp_map_release(struct dp_map *m); /* values that are pointers stay the caller's */

#endif
