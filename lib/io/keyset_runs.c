/*
 * The runs of a key set: sorted keys in unlinked files, one filter over all of them, a fence of first words for each.
 *
 * The filter has its whole size from the start, so it is never built anew: a blocked Bloom filter, four bits of one cache line for a key.  A key
 * that passes it costs one read of 4 KiB for each run that could hold it.  Eight runs of one size become one of the next.
 */
#include "keyset_priv.h"

#include <dp/base/file.h>
#include <dp/base/mem.h>

#include <stdlib.h>
#include <unistd.h>

#define KEY sizeof(struct dp_key)

static void run_release(struct dp_keyset_run *x) {
    close(x->fd);
    free(x->fence);
}

void dp_keyset_runs_release(struct dp_keyset_runs *r) {
    for (size_t i = 0; i < r->n; i++) run_release(&r->list[i]);
    free(r->list);
    dp_keyset_unmap(r->filter, (size_t)r->n_blocks * 64);
    *r = (struct dp_keyset_runs){0};
}

static void filter_add(struct dp_keyset_runs *r, const struct dp_key *key) {
    uint64_t *line = r->filter + 8 * dp_key_scale(key->w[1], r->n_blocks), bits = key->w[0];
    for (int i = 0; i < 4; i++, bits >>= 9) line[bits >> 6 & 7] |= UINT64_C(1) << (bits & 63);
}

/* ---- a run being written ---- */

static enum dp_status run_open(const struct dp_keyset_runs *r, uint64_t n, unsigned tier, struct dp_keyset_run *x, struct dp_err *err) {
    uint64_t stride = DP_KEYSET_BLOCK;
    while (n / stride > r->fence_bytes / sizeof *x->fence) stride *= 2;
    *x = (struct dp_keyset_run){.tier = tier, .stride = stride};
    DP_TRY(dp_spill_open(&x->fd, err));
    x->fence = dp_alloc((size_t)(n / stride + 1) * sizeof *x->fence);
    return DP_OK;
}

static enum dp_status run_write(struct dp_keyset_runs *r, struct dp_keyset_run *x, const struct dp_key *keys, uint64_t n, struct dp_err *err) {
    for (uint64_t i = (x->stride - x->n % x->stride) % x->stride; i < n; i += x->stride) x->fence[x->n_fence++] = keys[i].w[0];
    x->n += n;
    r->written += n * KEY;
    if (dp_fd_write(x->fd, keys, (size_t)n * KEY, err) == DP_OK) return DP_OK;
    return dp_err_prefix(err, "spilling keys: ");
}

static enum dp_status read_keys(const struct dp_keyset_run *x, uint64_t from, struct dp_key *to, size_t n, struct dp_err *err) {
    if (dp_fd_pread(x->fd, to, n * KEY, from * KEY, err) == DP_OK) return DP_OK;
    if (err) err->status = DP_IO; /* a file of ours that ends early is the environment's fault */
    (void)dp_err_prefix(err, "reading spilled keys: ");
    return DP_IO;
}

enum dp_status dp_keyset_runs_filter(struct dp_keyset_runs *r, struct dp_err *err) {
    struct dp_key block[DP_KEYSET_BLOCK];
    uint64_t n_blocks = r->filter_bytes / 64;
    r->filter = dp_keyset_map((size_t)n_blocks * 64);
    if (!r->filter) return dp_err_set(err, DP_IO, "no memory for a filter of %llu bytes", (unsigned long long)n_blocks * 64);
    r->n_blocks = n_blocks;
    for (uint64_t i = 0; i < r->list[0].n; i += DP_KEYSET_BLOCK) {
        uint64_t n = r->list[0].n - i < DP_KEYSET_BLOCK ? r->list[0].n - i : DP_KEYSET_BLOCK;
        DP_TRY(read_keys(&r->list[0], i, block, (size_t)n, err));
        for (uint64_t j = 0; j < n; j++) filter_add(r, &block[j]);
    }
    return DP_OK;
}

/* ---- merging ---- */

struct input {
    const struct dp_keyset_run *run;
    struct dp_key *buf;
    size_t at, n, cap; /* keys */
    uint64_t read;     /* of the run */
};

static enum dp_status refill(struct input *in, struct dp_err *err) {
    uint64_t left = in->run->n - in->read;
    in->at = 0, in->n = left < in->cap ? (size_t)left : in->cap;
    if (!in->n) return DP_OK;
    DP_TRY(read_keys(in->run, in->read, in->buf, in->n, err));
    in->read += in->n;
    return DP_OK;
}

static enum dp_status merge_into(struct dp_keyset_runs *r, struct input *in, struct dp_keyset_run *x, struct dp_key *out, size_t cap, struct dp_err *err) {
    size_t n = 0;
    for (size_t i = 0; i < DP_KEYSET_FAN; i++) DP_TRY(refill(&in[i], err));
    for (;;) {
        struct input *least = NULL;
        for (struct input *i = in; i < in + DP_KEYSET_FAN; i++)
            if (i->at < i->n && (!least || dp_key_before(&i->buf[i->at], &least->buf[least->at]))) least = i;
        if (!least || n == cap) {
            DP_TRY(run_write(r, x, out, n, err));
            n = 0;
            if (!least) return DP_OK;
        }
        out[n++] = least->buf[least->at++];
        if (least->at == least->n) DP_TRY(refill(least, err));
    }
}

/* The last eight runs become one; `room` bytes at `buf` are its buffers. */
static enum dp_status merge(struct dp_keyset_runs *r, struct dp_key *buf, size_t room, struct dp_err *err) {
    struct dp_keyset_run *from = r->list + r->n - DP_KEYSET_FAN, x;
    struct input in[DP_KEYSET_FAN];
    size_t cap = room / KEY / (DP_KEYSET_FAN + 2);
    uint64_t n = 0;
    for (size_t i = 0; i < DP_KEYSET_FAN; i++) {
        in[i] = (struct input){.run = &from[i], .buf = buf + i * cap, .cap = cap};
        n += from[i].n;
    }
    DP_TRY(run_open(r, n, from->tier + 1, &x, err));
    enum dp_status status = merge_into(r, in, &x, buf + DP_KEYSET_FAN * cap, 2 * cap, err);
    if (status != DP_OK) {
        run_release(&x);
        return status;
    }
    for (size_t i = 0; i < DP_KEYSET_FAN; i++) run_release(&from[i]);
    r->n -= DP_KEYSET_FAN;
    r->list[r->n++] = x;
    return DP_OK;
}

static bool is_due(const struct dp_keyset_runs *r) {
    return r->n >= DP_KEYSET_FAN && r->list[r->n - DP_KEYSET_FAN].tier == r->list[r->n - 1].tier;
}

enum dp_status dp_keyset_runs_add(struct dp_keyset_runs *r, struct dp_key *keys, uint64_t n, size_t room, struct dp_err *err) {
    struct dp_keyset_run x;
    DP_TRY(run_open(r, n, 0, &x, err));
    for (uint64_t i = 0; r->filter && i < n; i++) filter_add(r, &keys[i]);
    enum dp_status status = run_write(r, &x, keys, n, err);
    if (status != DP_OK) {
        run_release(&x);
        return status;
    }
    if (r->n == r->cap) r->list = dp_grow(r->list, &r->cap, r->n + 1, sizeof *r->list);
    r->list[r->n++] = x;
    while (is_due(r)) DP_TRY(merge(r, keys, room, err));
    return DP_OK;
}

enum dp_status dp_keyset_runs_each(const struct dp_keyset_runs *r, enum dp_status (*some)(void *ctx, const struct dp_key *keys, size_t n, struct dp_err *err), void *ctx,
                                   struct dp_err *err) {
    struct dp_key block[DP_KEYSET_BLOCK];
    for (size_t i = 0; i < r->n; i++)
        for (uint64_t at = 0; at < r->list[i].n; at += DP_KEYSET_BLOCK) {
            uint64_t left = r->list[i].n - at;
            size_t n = left < DP_KEYSET_BLOCK ? (size_t)left : DP_KEYSET_BLOCK;
            DP_TRY(read_keys(&r->list[i], at, block, n, err));
            DP_TRY(some(ctx, block, n, err));
        }
    return DP_OK;
}

/* ---- looking up ---- */

/* The first and the last block, by number of fences, that may hold a first word. */
static uint64_t fences_below(const struct dp_keyset_run *x, uint64_t w) {
    size_t low = 0, high = x->n_fence; /* fences below or at w */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (x->fence[mid] < w) low = mid + 1;
        else high = mid;
    }
    return low;
}

static enum dp_status run_find(const struct dp_keyset_run *x, const struct dp_key *key, bool *has, struct dp_err *err) {
    struct dp_key block[DP_KEYSET_BLOCK];
    /* Fences before `first` are below the key; the one at it may be equal, so keys of its block count too. */
    uint64_t fence = fences_below(x, key->w[0]);
    uint64_t low = fence ? (fence - 1) * x->stride : 0, high = fence * x->stride;
    while (fence < x->n_fence && x->fence[fence] == key->w[0]) high = ++fence * x->stride;
    if (high > x->n) high = x->n;
    while (high - low > DP_KEYSET_BLOCK) {
        uint64_t mid = low + (high - low) / 2;
        DP_TRY(read_keys(x, mid, block, 1, err));
        if (dp_key_before(key, block)) high = mid;
        else low = mid;
    }
    if (low == high) return DP_OK;
    DP_TRY(read_keys(x, low, block, (size_t)(high - low), err));
    size_t a = 0, b = (size_t)(high - low);
    while (a < b) {
        size_t mid = (a + b) / 2;
        if (dp_key_before(&block[mid], key)) a = mid + 1;
        else b = mid;
    }
    *has = a < high - low && block[a].w[0] == key->w[0] && block[a].w[1] == key->w[1];
    return DP_OK;
}

enum dp_status dp_keyset_runs_find(const struct dp_keyset_runs *r, const struct dp_key *key, bool *has, struct dp_err *err) {
    *has = false;
    for (size_t i = r->n; i-- && !*has;) DP_TRY(run_find(&r->list[i], key, has, err));
    return DP_OK;
}
