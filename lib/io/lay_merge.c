/*
 * Sorted partitions: runs of extents that are sorted among each other become one run, or the file.  The rows of each run are read an extent at a time;
 * a heap of the runs' first rows chooses the next one.
 */
#include "lay_priv.h"

#include <stdlib.h>

struct cursor { struct dp_batch b; struct dp_buf bytes; size_t extent, end; int64_t row; uint64_t head; };

/* Runs on their way into one: cursors, a heap of the numbers of those that have rows, and rows that are chosen and not yet copied. */
struct merging {
    struct cursor *c;
    const struct dp_batch **batches;
    uint32_t *heap;
    size_t n, n_heap;
    uint32_t *from, *rows;
    size_t n_chosen, room;
};

static enum dp_status next_extent(struct dp_lay *l, const struct dp_lay_part *p, struct cursor *c, struct dp_err *err) {
    c->row = 0;
    c->b.length = 0;
    if (c->extent == c->end) return DP_OK;
    DP_TRY(dp_lay_store_view(&l->store, &p->extents[c->extent++], &c->b, &c->bytes, err));
    c->head = dp_lay_sort_head(&l->sort, &c->b, 0);
    return DP_OK;
}

/* Among equals the earlier run comes first. */
static bool is_before(const struct dp_lay *l, const struct merging *m, uint32_t a, uint32_t b) {
    const struct cursor *x = &m->c[a], *y = &m->c[b];
    if (x->head != y->head) return x->head < y->head;
    int cmp = l->sort.is_head ? 0 : dp_lay_sort_cmp(&l->sort, &x->b, x->row, &y->b, y->row);
    return cmp ? cmp < 0 : a < b;
}

static void sift_down(const struct dp_lay *l, struct merging *m, size_t at) {
    uint32_t x = m->heap[at];
    for (size_t child; (child = 2 * at + 1) < m->n_heap; at = child) {
        if (child + 1 < m->n_heap && is_before(l, m, m->heap[child + 1], m->heap[child])) child++;
        if (is_before(l, m, x, m->heap[child])) break;
        m->heap[at] = m->heap[child];
    }
    m->heap[at] = x;
}

/* The chosen rows become the piece, and the piece goes on. */
static enum dp_status hand_on(struct dp_lay *l, struct dp_lay_part *p, struct merging *m, bool to_file, bool is_last, struct dp_err *err) {
    dp_batch_mix(&l->piece, m->batches, m->from, m->rows, m->n_chosen);
    m->n_chosen = 0;
    if (!l->piece.length || (!is_last && dp_batch_bytes(&l->piece) < DP_LAY_PIECE_BYTES / 2)) return DP_OK;
    DP_TRY(to_file ? dp_lay_feed(l, p, &l->piece, err) : dp_lay_put_extent(l, p, &l->piece, 0, err));
    dp_lay_empty_piece(l);
    return DP_OK;
}

static enum dp_status open_merging(struct dp_lay *l, const struct dp_lay_part *p, size_t first, size_t n, struct merging *m, struct dp_err *err) {
    size_t rows = 0, bytes = 0;
    *m = (struct merging){.c = dp_calloc(n + 1, sizeof *m->c), .batches = dp_calloc(n + 1, sizeof *m->batches), .heap = dp_calloc(n + 1, sizeof *m->heap)};
    for (; m->n < n; m->n++) {
        struct cursor *c = &m->c[m->n];
        const struct dp_lay_run *r = &p->runs[first + m->n];
        dp_batch_init(&c->b, l->stored);
        m->batches[m->n] = &c->b;
        c->extent = r->first, c->end = r->first + r->n;
        for (size_t i = c->extent; i < c->end; i++) rows += p->extents[i].rows, bytes += p->extents[i].n;
        enum dp_status status = next_extent(l, p, c, err);
        if (status != DP_OK) return m->n++, status;
        if (c->b.length) m->heap[m->n_heap++] = (uint32_t)m->n;
    }
    for (size_t i = m->n_heap / 2; i-- > 0;) sift_down(l, m, i);
    size_t each = rows ? bytes / rows + 1 : 1;
    m->room = DP_LAY_PIECE_BYTES / 2 / each + 1;
    m->from = dp_calloc(m->room, sizeof *m->from), m->rows = dp_calloc(m->room, sizeof *m->rows);
    return DP_OK;
}

static void close_merging(struct merging *m) {
    for (size_t i = 0; i < m->n; i++) {
        dp_batch_release(&m->c[i].b);
        dp_buf_release(&m->c[i].bytes);
    }
    free(m->c), free(m->batches), free(m->heap), free(m->from), free(m->rows);
}

/* Sorted runs as one sorted sequence, to the file or as a run behind the others. */
static enum dp_status merge_runs(struct dp_lay *l, struct dp_lay_part *p, size_t first, size_t n, bool to_file, struct dp_err *err) {
    struct merging m;
    enum dp_status status;
    DP_TRY_OUT(open_merging(l, p, first, n, &m, err));
    dp_lay_empty_piece(l);
    while (m.n_heap) {
        struct cursor *c = &m.c[m.heap[0]];
        m.from[m.n_chosen] = m.heap[0];
        m.rows[m.n_chosen++] = (uint32_t)c->row++;
        bool is_done = c->row == c->b.length;
        if (is_done || m.n_chosen == m.room) DP_TRY_OUT(hand_on(l, p, &m, to_file, false, err));
        if (is_done) DP_TRY_OUT(next_extent(l, p, c, err));
        else c->head = dp_lay_sort_head(&l->sort, &c->b, c->row);
        if (!c->b.length) m.heap[0] = m.heap[--m.n_heap];
        if (m.n_heap) sift_down(l, &m, 0);
    }
    status = hand_on(l, p, &m, to_file, true, err);
out:
    close_merging(&m);
    return status;
}

void dp_lay_add_run(struct dp_lay_part *p, size_t first) {
    p->runs = dp_grow(p->runs, &p->runs_cap, p->n_runs + 1, sizeof *p->runs);
    p->runs[p->n_runs++] = (struct dp_lay_run){first, p->n_extents - first};
}

/* The last n runs become one; they are the last extents, too. */
static enum dp_status join_last_runs(struct dp_lay *l, struct dp_lay_part *p, size_t n, struct dp_err *err) {
    size_t first = p->runs[p->n_runs - n].first, old = p->n_extents - first;
    DP_TRY(merge_runs(l, p, p->n_runs - n, n, false, err));
    dp_lay_drop_extents(l, p, first, old);
    memmove(p->extents + first, p->extents + first + old, (p->n_extents - first - old) * sizeof *p->extents);
    p->n_extents -= old;
    p->n_runs -= n;
    dp_lay_add_run(p, first);
    return DP_OK;
}

enum dp_status dp_lay_join_small_runs(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) {
    while (p->n_runs >= DP_LAY_TIER) {
        size_t bytes = 0;
        for (size_t i = p->runs[p->n_runs - DP_LAY_TIER].first; i < p->n_extents; i++) bytes += p->extents[i].n;
        if (bytes >= DP_LAY_TIER_BYTES) break;
        DP_TRY(join_last_runs(l, p, DP_LAY_TIER, err));
    }
    return DP_OK;
}

/* All of a sorted partition to its file.  More runs than there is memory for are made fewer first, level by level, in order. */
enum dp_status dp_lay_merge(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) {
    size_t fan = (l->store.memory + l->stage_max) / (4 * DP_LAY_PIECE_BYTES);
    fan = fan < 4 ? 4 : fan > 64 ? 64 : fan;
    while (p->n_runs > fan) {
        size_t n = 0, at = 0;
        struct dp_lay_run *made = dp_calloc(p->n_runs / fan + 1, sizeof *made);
        for (; at < p->n_runs; at += fan) {
            size_t first = p->n_extents, some = p->n_runs - at < fan ? p->n_runs - at : fan;
            enum dp_status status = merge_runs(l, p, at, some, false, err);
            if (status != DP_OK) {
                free(made);
                return status;
            }
            made[n++] = (struct dp_lay_run){first, p->n_extents - first};
            for (size_t i = at; i < at + some; i++) dp_lay_drop_extents(l, p, p->runs[i].first, p->runs[i].n);
        }
        memcpy(p->runs, made, n * sizeof *made);
        p->n_runs = n;
        free(made);
    }
    DP_TRY(merge_runs(l, p, 0, p->n_runs, true, err));
    for (size_t i = 0; i < p->n_runs; i++) dp_lay_drop_extents(l, p, p->runs[i].first, p->runs[i].n);
    p->n_runs = p->n_extents = 0;
    return DP_OK;
}
