/*
 * Entries of a checkpoint that come in any order, sorted by key (state_priv.h).  What waits is sorted by the first eight bytes of its keys as numbers, digit by digit; keys of
 * windows begin with a hash, so few need another look.  What does not fit goes to unlinked files as sorted runs, of which FAN of one size become one of the next.
 */
#include "state_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>

#include <stdlib.h>
#include <unistd.h>

enum { FAN = 32, DIGIT = 11, DIGITS = 6 };

void dp_state_sort_reset(struct dp_state_sort *s) {
    for (size_t i = 0; i < s->n_runs; i++) close(s->runs[i].fd);
    s->n_runs = s->n = 0;
    dp_buf_reset(&s->text);
}

void dp_state_sort_release(struct dp_state_sort *s) {
    dp_state_sort_reset(s);
    dp_buf_release(&s->text);
    free(s->items), free(s->runs);
    s->items = NULL, s->runs = NULL;
    s->cap_items = s->cap_runs = 0;
}

/* ---- in memory ---- */

static struct dp_state_entry entry_of(const struct dp_state_sort *s, const struct dp_state_item *x) {
    struct dp_state_entry e = {0};
    struct dp_str in = dp_str(s->text.p + x->at, x->n);
    return dp_state_decode(&in, &e) ? e : (struct dp_state_entry){0}; /* it is of our own making, so it can be read */
}

static int compare(const struct dp_state_sort *s, const struct dp_state_item *a, const struct dp_state_item *b) {
    if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
    return dp_str_cmp(entry_of(s, a).key, entry_of(s, b).key);
}

/* By first bytes: n items at a, with room for as many at b; the result is where it returns. */
static struct dp_state_item *by_prefix(struct dp_state_item *a, struct dp_state_item *b, size_t n) {
    uint32_t (*count)[1 << DIGIT] = dp_calloc(DIGITS, sizeof *count);
    for (size_t i = 0; i < n; i++)
        for (int d = 0; d < DIGITS; d++) count[d][a[i].prefix >> (d * DIGIT) & ((1 << DIGIT) - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        uint32_t at = 0;
        if (count[d][a[0].prefix >> (d * DIGIT) & ((1 << DIGIT) - 1)] == n) continue; /* the same in all */
        for (int v = 0; v < 1 << DIGIT; v++) {
            uint32_t here = count[d][v];
            count[d][v] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++) b[count[d][a[i].prefix >> (d * DIGIT) & ((1 << DIGIT) - 1)]++] = a[i];
        struct dp_state_item *x = a;
        a = b;
        b = x;
    }
    free(count);
    return a;
}

/* n items of one prefix: a heap sort, for which nothing but the order of keys is needed. */
static void down(const struct dp_state_sort *s, struct dp_state_item *x, size_t n, size_t i) {
    for (size_t k; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && compare(s, &x[k], &x[k + 1]) < 0) k++;
        if (compare(s, &x[i], &x[k]) >= 0) return;
        struct dp_state_item t = x[i];
        x[i] = x[k];
        x[k] = t;
    }
}

static void by_key(const struct dp_state_sort *s, struct dp_state_item *x, size_t n) {
    for (size_t i = n / 2; i-- > 0;) down(s, x, n, i);
    while (n > 1) {
        struct dp_state_item t = x[0];
        x[0] = x[--n];
        x[n] = t;
        down(s, x, n, 0);
    }
}

/* What waits, in order, to a writer. */
static enum dp_status write_sorted(const struct dp_state_sort *s, struct dp_state_writer *w, struct dp_err *err) {
    if (!s->n) return DP_OK;
    struct dp_state_item *room = dp_realloc_array(NULL, s->n, sizeof *room), *x = by_prefix(s->items, room, s->n);
    enum dp_status status = DP_OK;
    for (size_t i = 0, end; i < s->n && status == DP_OK; i = end) {
        for (end = i + 1; end < s->n && x[end].prefix == x[i].prefix;) end++;
        if (end - i > 1) by_key(s, x + i, end - i);
        for (size_t k = i; k < end && status == DP_OK; k++) {
            if (k > i && compare(s, &x[k - 1], &x[k]) == 0) status = dp_err_set(err, DP_BUG, "an entry of the state was put twice");
            else status = dp_state_write_entry(w, dp_str(s->text.p + x[k].at, x[k].n), err);
        }
    }
    free(room);
    return status;
}

/* ---- runs ---- */

static enum dp_status write_entry(void *ctx, const struct dp_state_cursor *c, struct dp_err *err) { return dp_state_write_entry(ctx, c->encoded, err); }

static enum dp_status merge_runs(const struct dp_state_run *runs, size_t n, struct dp_state_writer *w, struct dp_err *err) {
    struct dp_state_cursor *c = dp_calloc(n, sizeof *c);
    bool is_twice = false;
    for (size_t i = 0; i < n; i++) dp_state_cursor_run(&c[i], runs[i].fd, runs[i].size, 0);
    enum dp_status status = dp_state_merge(c, n, write_entry, w, &is_twice, err);
    if (status == DP_FORMAT) status = dp_err_set(err, DP_IO, "a spilled run of the state was not read as it was written"); /* the environment's fault */
    if (status == DP_OK && is_twice) status = dp_err_set(err, DP_BUG, "an entry of the state was put twice");
    for (size_t i = 0; i < n; i++) dp_state_cursor_release(&c[i]);
    free(c);
    return status;
}

/* from: of these runs; NULL: what waits. */
static enum dp_status make_run(struct dp_state_sort *s, const struct dp_state_run *from, size_t n, struct dp_state_run *out, struct dp_err *err) {
    struct dp_state_writer w;
    DP_TRY(dp_spill_open(&out->fd, err));
    dp_state_writer_init(&w, out->fd, 0, 0);
    enum dp_status status = from ? merge_runs(from, n, &w, err) : write_sorted(s, &w, err);
    if (status == DP_OK) status = dp_state_writer_flush(&w, err);
    out->size = w.bytes;
    dp_state_writer_release(&w);
    if (status == DP_OK) return DP_OK;
    close(out->fd);
    return dp_err_prefix(err, "spilling the state: ");
}

static enum dp_status spill(struct dp_state_sort *s, struct dp_err *err) {
    struct dp_state_run one = {.tier = 0};
    if (!s->n) return DP_OK;
    DP_TRY(make_run(s, NULL, 0, &one, err));
    s->n = 0;
    dp_buf_reset(&s->text);
    s->runs = dp_grow(s->runs, &s->cap_runs, s->n_runs + 1, sizeof *s->runs);
    s->runs[s->n_runs++] = one;
    while (s->n_runs >= FAN && s->runs[s->n_runs - FAN].tier == s->runs[s->n_runs - 1].tier) {
        struct dp_state_run *from = &s->runs[s->n_runs - FAN];
        one.tier = from->tier + 1;
        DP_TRY(make_run(s, from, FAN, &one, err));
        for (size_t i = 0; i < FAN; i++) close(from[i].fd);
        s->n_runs -= FAN;
        s->runs[s->n_runs++] = one;
    }
    return DP_OK;
}

enum dp_status dp_state_sort_put(struct dp_state_sort *s, struct dp_str key, const struct dp_str *value, struct dp_err *err) {
    if (key.n > DP_LIMIT_STATE_ENTRY || (value && value->n > DP_LIMIT_STATE_ENTRY - key.n))
        return dp_err_set(err, DP_LIMIT, "an entry of the state has more than %u bytes", DP_LIMIT_STATE_ENTRY);
    size_t n = key.n + (value ? value->n : 0);
    if (s->n && s->text.n + n + s->n * 2 * sizeof *s->items > s->memory) DP_TRY(spill(s, err)); /* items twice: they are sorted from one place to another */
    s->items = dp_grow(s->items, &s->cap_items, s->n + 1, sizeof *s->items);
    size_t at = s->text.n;
    dp_state_encode(&s->text, key, value);
    s->items[s->n++] = (struct dp_state_item){dp_state_prefix(key), (uint32_t)at, (uint32_t)(s->text.n - at)};
    return DP_OK;
}

enum dp_status dp_state_sort_write(struct dp_state_sort *s, struct dp_state_writer *w, struct dp_err *err) {
    if (!s->n_runs) return write_sorted(s, w, err);
    DP_TRY(spill(s, err));
    return merge_runs(s->runs, s->n_runs, w, err);
}
