/*
 * Sums by line (dp/io/tally.h).  A run is a row of entries, each 4 bytes of length, 8 of the sum, then the line, ascending.  Runs of one size become one of the
 * next when there are FAN of them, so each line is written a few times however many there are.
 */
#include <dp/io/tally.h>

#include <dp/base/buf.h>
#include <dp/base/file.h>

#include <stdlib.h>
#include <unistd.h>

enum { FAN = 32, HEAD = 12, BLOCK = 64 << 10, LEAST = 1 << 20 };

struct entry {
    const char *p;
    size_t n;
    int64_t sum;
};

struct run {
    int fd;
    unsigned tier;
    uint64_t size;
};

struct dp_tally_lines {
    uint64_t memory, spilled;
    struct dp_buf text;       /* lines that wait, back to back */
    size_t *at;               /* where each begins; at[n] is the end */
    int64_t *sums;
    size_t n, cap_at, cap_sums;
    struct run *runs;
    size_t n_runs, cap_runs;
};

/* Where entries come from: a run that is read, or memory that is sorted. */
struct cursor {
    int fd;
    uint64_t at, size;
    struct dp_buf block;
    size_t block_at;
    const struct entry *sorted; /* memory; NULL: a run */
    size_t i, n_sorted;
    struct entry now;
};

struct dp_tally_lines *dp_tally_lines_open(uint64_t memory) {
    struct dp_tally_lines *t = dp_calloc(1, sizeof *t);
    t->memory = memory < LEAST ? LEAST : memory;
    return t;
}

void dp_tally_lines_close(struct dp_tally_lines *t) {
    if (!t) return;
    for (size_t i = 0; i < t->n_runs; i++) close(t->runs[i].fd);
    dp_buf_release(&t->text);
    free(t->at), free(t->sums), free(t->runs);
    free(t);
}

uint64_t dp_tally_lines_spilled(const struct dp_tally_lines *t) { return t->spilled; }

static int compare(const struct entry *a, const struct entry *b) { return dp_str_cmp(dp_str(a->p, a->n), dp_str(b->p, b->n)); }
static int by_line(const void *a, const void *b) { return compare(a, b); }

/* What waits, in order, equal lines summed up, those that come to nothing left out.  Caller frees. */
static struct entry *sort(const struct dp_tally_lines *t, size_t *n_out) {
    struct entry *e = dp_calloc(t->n + 1, sizeof *e);
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) e[i] = (struct entry){t->text.p + t->at[i], (i + 1 < t->n ? t->at[i + 1] : t->text.n) - t->at[i], t->sums[i]};
    if (t->n) qsort(e, t->n, sizeof *e, by_line);
    for (size_t i = 0; i < t->n; i++) {
        if (n && compare(&e[n - 1], &e[i]) == 0) {
            e[n - 1].sum += e[i].sum;
            continue;
        }
        if (n && !e[n - 1].sum) n--;
        e[n++] = e[i];
    }
    if (n && !e[n - 1].sum) n--;
    *n_out = n;
    return e;
}

/* ---- cursors ---- */

/* n bytes from where it stands; DP_IO when the file ends before. */
static enum dp_status fill(struct cursor *c, size_t n, struct dp_err *err) {
    size_t have = c->block.n - c->block_at;
    if (have >= n) return DP_OK;
    if (have) memmove(c->block.p, c->block.p + c->block_at, have);
    c->block.n = have;
    c->block_at = 0;
    uint64_t left = c->size - c->at;
    size_t want = n - have > BLOCK ? n - have : BLOCK;
    if (want > left) want = (size_t)left;
    if (want + have < n) return dp_err_set(err, DP_IO, "a spilled run ends early");
    enum dp_status status = dp_fd_pread(c->fd, dp_buf_reserve(&c->block, want), want, c->at, err);
    if (status == DP_FORMAT && err) err->status = DP_IO; /* a file of ours that ends early is the environment's fault */
    if (status != DP_OK) return DP_IO;
    c->block.n += want;
    c->at += want;
    return DP_OK;
}

/* DP_END: no more.  now.p is borrowed until the next call. */
static enum dp_status advance(struct cursor *c, struct dp_err *err) {
    uint32_t n;
    if (c->sorted) {
        if (c->i == c->n_sorted) return DP_END;
        c->now = c->sorted[c->i++];
        return DP_OK;
    }
    if (c->at == c->size && c->block_at == c->block.n) return DP_END;
    DP_TRY(fill(c, HEAD, err));
    memcpy(&n, c->block.p + c->block_at, sizeof n);
    memcpy(&c->now.sum, c->block.p + c->block_at + sizeof n, sizeof c->now.sum);
    c->block_at += HEAD;
    DP_TRY(fill(c, n, err));
    c->now.p = c->block.p + c->block_at;
    c->now.n = n;
    c->block_at += n;
    return DP_OK;
}

/* ---- merging ---- */

/* heap[0] is the cursor with the least line. */
static void sink(struct cursor **heap, size_t n, size_t i) {
    for (;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < n; k++)
            if (compare(&heap[k]->now, &heap[least]->now) < 0) least = k;
        if (least == i) return;
        struct cursor *x = heap[i];
        heap[i] = heap[least];
        heap[least] = x;
        i = least;
    }
}

typedef enum dp_status (*entry_fn)(void *ctx, struct dp_str line, int64_t n, struct dp_err *err);

static enum dp_status merge(struct cursor *cursors, size_t n_cursors, entry_fn fn, void *ctx, struct dp_err *err) {
    struct cursor **heap = dp_calloc(n_cursors + 1, sizeof(struct cursor *));
    struct dp_buf line = {0};
    int64_t sum = 0;
    size_t n = 0;
    bool has = false;
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n_cursors && status == DP_OK; i++) {
        status = advance(&cursors[i], err);
        if (status == DP_OK) heap[n++] = &cursors[i];
        else if (status == DP_END) status = DP_OK;
    }
    for (size_t i = n; i-- > 0;) sink(heap, n, i);
    while (n && status == DP_OK) {
        struct entry *e = &heap[0]->now;
        bool same = has && dp_str_eq(dp_buf_str(&line), dp_str(e->p, e->n));
        if (!same) {
            if (has && sum) status = fn(ctx, dp_buf_str(&line), sum, err);
            dp_buf_reset(&line);
            dp_buf_add(&line, e->p, e->n);
            sum = 0;
            has = true;
        }
        sum += e->sum;
        if (status == DP_OK) status = advance(heap[0], err);
        if (status == DP_END) heap[0] = heap[--n], status = DP_OK;
        sink(heap, n, 0);
    }
    if (status == DP_OK && has && sum) status = fn(ctx, dp_buf_str(&line), sum, err);
    dp_buf_release(&line);
    free(heap);
    return status;
}

/* ---- runs ---- */

struct writing {
    struct run run;
    struct dp_buf block;
};

static enum dp_status flush(struct writing *w, struct dp_err *err) {
    DP_TRY(dp_fd_write(w->run.fd, w->block.p, w->block.n, err));
    w->run.size += w->block.n;
    dp_buf_reset(&w->block);
    return DP_OK;
}

static enum dp_status write_entry(void *ctx, struct dp_str line, int64_t sum, struct dp_err *err) {
    struct writing *w = ctx;
    uint32_t n = (uint32_t)line.n;
    dp_buf_add(&w->block, &n, sizeof n);
    dp_buf_add(&w->block, &sum, sizeof sum);
    dp_buf_adds(&w->block, line);
    return w->block.n < BLOCK ? DP_OK : flush(w, err);
}

static enum dp_status write_run(struct dp_tally_lines *t, struct cursor *cursors, size_t n, unsigned tier, struct run *out, struct dp_err *err) {
    struct writing w = {.run = {.fd = -1, .tier = tier}};
    enum dp_status status = dp_spill_open(&w.run.fd, err);
    if (status == DP_OK) status = merge(cursors, n, write_entry, &w, err);
    if (status == DP_OK) status = flush(&w, err);
    dp_buf_release(&w.block);
    if (status != DP_OK && w.run.fd >= 0) close(w.run.fd);
    t->spilled += w.run.size;
    *out = w.run;
    return status;
}

static struct cursor *open_cursors(const struct run *runs, size_t n) {
    struct cursor *c = dp_calloc(n + 1, sizeof *c);
    for (size_t i = 0; i < n; i++) c[i] = (struct cursor){.fd = runs[i].fd, .size = runs[i].size};
    return c;
}

static void close_cursors(struct cursor *c, size_t n) {
    for (size_t i = 0; i < n; i++) dp_buf_release(&c[i].block);
    free(c);
}

/* The last FAN runs are of one tier: they become one of the next. */
static enum dp_status join_runs(struct dp_tally_lines *t, struct dp_err *err) {
    while (t->n_runs >= FAN && t->runs[t->n_runs - FAN].tier == t->runs[t->n_runs - 1].tier) {
        struct run *from = &t->runs[t->n_runs - FAN], one;
        struct cursor *c = open_cursors(from, FAN);
        enum dp_status status = write_run(t, c, FAN, from[0].tier + 1, &one, err);
        close_cursors(c, FAN);
        if (status != DP_OK) return status;
        for (size_t i = 0; i < FAN; i++) close(from[i].fd);
        t->n_runs -= FAN;
        t->runs[t->n_runs++] = one;
    }
    return DP_OK;
}

static enum dp_status spill(struct dp_tally_lines *t, struct dp_err *err) {
    struct cursor memory = {.fd = -1};
    struct run one;
    struct entry *sorted = sort(t, &memory.n_sorted);
    memory.sorted = sorted;
    enum dp_status status = write_run(t, &memory, 1, 0, &one, err);
    free(sorted);
    if (status != DP_OK) return status;
    t->runs = dp_grow(t->runs, &t->cap_runs, t->n_runs + 1, sizeof *t->runs);
    t->runs[t->n_runs++] = one;
    t->n = 0;
    dp_buf_reset(&t->text);
    return join_runs(t, err);
}

enum dp_status dp_tally_lines_add(struct dp_tally_lines *t, struct dp_str line, int64_t n, struct dp_err *err) {
    /* what an entry takes: itself (twice where its memory grows), its place and sum, and its part of the array that is sorted */
    uint64_t held = 2 * t->text.n + t->n * (2 * sizeof *t->at + 2 * sizeof *t->sums + sizeof(struct entry));
    if (t->n && held + line.n > t->memory) DP_TRY(spill(t, err));
    t->at = dp_grow(t->at, &t->cap_at, t->n + 1, sizeof *t->at);
    t->sums = dp_grow(t->sums, &t->cap_sums, t->n + 1, sizeof *t->sums);
    t->at[t->n] = t->text.n;
    t->sums[t->n++] = n;
    dp_buf_adds(&t->text, line);
    return DP_OK;
}

enum dp_status dp_tally_lines_each(struct dp_tally_lines *t, entry_fn fn, void *ctx, struct dp_err *err) {
    struct cursor *c = open_cursors(t->runs, t->n_runs);
    struct entry *sorted = sort(t, &c[t->n_runs].n_sorted);
    c[t->n_runs].sorted = sorted;
    enum dp_status status = merge(c, t->n_runs + 1, fn, ctx, err);
    free(sorted);
    close_cursors(c, t->n_runs);
    return status;
}
