/*
 * Entries in the order of their keys: in memory, and beyond the bound as sorted runs in an unlinked file, merged as they are read.  The file is read by
 * the process that wrote it and by nobody else.
 */
#include "merge_priv.h"

#include <dp/base/file.h>

#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 1024, LEAST = 8192 };

static int cmp(const void *x, const void *y) {
    const struct merge_entry *a = x, *b = y;
    for (int i = 0; i < 2; i++)
        if (a->key[i] != b->key[i]) return a->key[i] < b->key[i] ? -1 : 1;
    for (int i = 0; i < 2; i++)
        if (a->seq[i] != b->seq[i]) return a->seq[i] < b->seq[i] ? -1 : 1;
    return a->where < b->where ? -1 : a->where > b->where;
}

void merge_sort_open(struct merge_sort *s, uint64_t memory) {
    *s = (struct merge_sort){.fd = -1, .cap = (size_t)(memory / sizeof *s->v)};
    if (s->cap < LEAST) s->cap = LEAST;
}

static enum dp_status write_run(struct merge_sort *s, struct dp_err *err) {
    if (!s->is_open) DP_TRY(dp_spill_open(&s->fd, err));
    s->is_open = true;
    qsort(s->v, s->n, sizeof *s->v, cmp);
    DP_TRY(dp_fd_write(s->fd, s->v, s->n * sizeof *s->v, err));
    s->runs = dp_grow(s->runs, &s->runs_cap, s->n_runs + 1, sizeof *s->runs);
    s->runs[s->n_runs++] = (struct merge_run){.at = s->size, .n = s->n};
    s->size += s->n * sizeof *s->v;
    s->n = 0;
    return DP_OK;
}

enum dp_status merge_sort_add(struct merge_sort *s, const struct merge_entry *v, size_t n, struct dp_err *err) {
    while (n) {
        if (s->n == s->cap) DP_TRY(write_run(s, err));
        size_t some = s->cap - s->n < n ? s->cap - s->n : n;
        s->v = dp_grow(s->v, &s->room, s->n + some, sizeof *s->v);
        memcpy(s->v + s->n, v, some * sizeof *v);
        s->n += some, v += some, n -= some;
    }
    return DP_OK;
}

static enum dp_status fill(struct merge_sort *s, struct merge_run *r, struct dp_err *err) {
    uint64_t left = r->n - r->next;
    r->filled = left < BLOCK ? (size_t)left : BLOCK;
    r->i = 0;
    if (!r->filled) return DP_OK;
    if (!r->block) r->block = dp_calloc(BLOCK, sizeof *r->block);
    enum dp_status status = dp_fd_pread(s->fd, r->block, r->filled * sizeof *r->block, r->at + r->next * sizeof *r->block, err);
    r->next += r->filled;
    return status;
}

enum dp_status merge_sort_begin(struct merge_sort *s, struct dp_err *err) {
    if (s->n) qsort(s->v, s->n, sizeof *s->v, cmp);
    s->next = 0;
    for (size_t i = 0; i < s->n_runs; i++) {
        s->runs[i].next = 0;
        DP_TRY(fill(s, &s->runs[i], err));
    }
    return DP_OK;
}

enum dp_status merge_sort_next(struct merge_sort *s, struct merge_entry *out, bool *more, struct dp_err *err) {
    const struct merge_entry *best = s->next < s->n ? &s->v[s->next] : NULL;
    struct merge_run *from = NULL;
    for (size_t i = 0; i < s->n_runs; i++) {
        struct merge_run *r = &s->runs[i];
        if (r->i == r->filled || (best && cmp(best, &r->block[r->i]) < 0)) continue;
        best = &r->block[r->i];
        from = r;
    }
    *more = best != NULL;
    if (!best) return DP_OK;
    *out = *best;
    if (!from) s->next++;
    else if (++from->i == from->filled) return fill(s, from, err);
    return DP_OK;
}

void merge_sort_release(struct merge_sort *s) {
    for (size_t i = 0; i < s->n_runs; i++) free(s->runs[i].block);
    if (s->is_open) close(s->fd);
    free(s->runs);
    free(s->v);
    *s = (struct merge_sort){.fd = -1};
}
