/* The two halves of a key set: the table in memory (keyset.c) and the runs on disk (keyset_runs.c). */
#ifndef DP_IO_KEYSET_PRIV_H
#define DP_IO_KEYSET_PRIV_H

#include <dp/base/num.h>
#include <dp/io/keyset.h>

/* Runs of one size that are merged into one. */
#define DP_KEYSET_FAN 8
/* Keys that one read brings: 4 KiB. */
#define DP_KEYSET_BLOCK 256

/* Sorted keys in a file that has no name.  fence[i]: w[0] of key i * stride. */
struct dp_keyset_run {
    int fd;
    unsigned tier; /* merges behind it */
    uint64_t n, stride;
    uint64_t *fence;
    size_t n_fence;
};

struct dp_keyset_runs {
    struct dp_keyset_run *list;
    size_t n, cap;
    uint64_t *filter;       /* n_blocks of 64 bytes */
    uint64_t n_blocks;
    uint64_t filter_bytes, fence_bytes; /* what they may take; fence_bytes for one run */
    uint64_t written;
};

/* Order of the runs. */
static inline bool dp_key_before(const struct dp_key *a, const struct dp_key *b) {
    return a->w[0] != b->w[0] ? a->w[0] < b->w[0] : a->w[1] < b->w[1];
}
static inline uint64_t dp_key_scale(uint64_t w, uint64_t n) { return (uint64_t)(((dp_u128)w * n) >> 64); }

/* Zeroed pages of the system; NULL: there are none. */
void *dp_keyset_map(size_t bytes);
void dp_keyset_unmap(void *p, size_t bytes);

/* Writes sorted keys as a run; `room` bytes at `keys` serve as buffers when runs are merged afterwards, so the keys are gone. */
enum dp_status dp_keyset_runs_add(struct dp_keyset_runs *r, struct dp_key *keys, uint64_t n, size_t room, struct dp_err *err) DP_MUST_CHECK;
/* The filter over the first run, once the memory for it is free.  Further runs add their keys to it. */
enum dp_status dp_keyset_runs_filter(struct dp_keyset_runs *r, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_keyset_runs_find(const struct dp_keyset_runs *r, const struct dp_key *key, bool *has, struct dp_err *err) DP_MUST_CHECK;
/* All keys of the runs. */
enum dp_status dp_keyset_runs_each(const struct dp_keyset_runs *r, enum dp_status (*some)(void *ctx, const struct dp_key *keys, size_t n, struct dp_err *err), void *ctx,
                                   struct dp_err *err) DP_MUST_CHECK;
void dp_keyset_runs_release(struct dp_keyset_runs *r);

/* Four bits of one cache line: is any of them not set? */
static inline bool dp_keyset_filtered(const struct dp_keyset_runs *r, const struct dp_key *key) {
    const uint64_t *line = r->filter + 8 * dp_key_scale(key->w[1], r->n_blocks);
    uint64_t bits = key->w[0];
    for (int i = 0; i < 4; i++, bits >>= 9)
        if (!(line[bits >> 6 & 7] >> (bits & 63) & 1)) return true;
    return false;
}

#endif
