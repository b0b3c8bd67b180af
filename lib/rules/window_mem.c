/*
 * Memory of the window operator (window_priv.h): pieces of few sizes that come and go by the million, a heap of what is due next, and rows that are kept in
 * order of time.  malloc would do all that with 16 bytes more for each piece and half as fast (measured with states of 64 bytes).
 */
#include "window_priv.h"

#include <stdlib.h>

struct dp_window_chunk {
    struct dp_window_chunk *next;
    char pad[8];
};

static size_t class_of(size_t n) { return (n + 15) / 16; }

void *dp_window_slab_get(struct dp_window_slab *s, size_t n) {
    size_t c = class_of(n);
    if (c > DP_WINDOW_CLASSES) {
        s->bytes += n + 16;
        return dp_calloc(1, n);
    }
    void *p = s->free[c];
    if (p) {
        memcpy(&s->free[c], p, sizeof(void *));
        s->unused -= c * 16;
    } else {
        if ((size_t)(s->end - s->at) < c * 16) {
            size_t size = s->chunk_bytes;
            struct dp_window_chunk *k = dp_alloc(size + sizeof *k);
            k->next = s->chunks, s->chunks = k;
            s->at = (char *)(k + 1), s->end = s->at + size;
            s->bytes += size + sizeof *k + 16;
        }
        p = s->at, s->at += c * 16;
    }
    memset(p, 0, c * 16);
    return p;
}

void dp_window_slab_put(struct dp_window_slab *s, void *p, size_t n) {
    size_t c = class_of(n);
    if (c > DP_WINDOW_CLASSES) {
        s->bytes -= n + 16;
        free(p);
        return;
    }
    memcpy(p, &s->free[c], sizeof(void *));
    s->free[c] = p;
    s->unused += c * 16;
}

void dp_window_slab_reset(struct dp_window_slab *s) {
    while (s->chunks) {
        struct dp_window_chunk *k = s->chunks;
        s->chunks = k->next;
        free(k);
    }
    size_t size = s->chunk_bytes;
    *s = (struct dp_window_slab){.chunk_bytes = size};
}

/* ---- the heap ---- */

static bool before(const struct dp_window_heap *h, const struct dp_window_due *a, const struct dp_window_due *b) {
    if (a->due != b->due) return a->due < b->due;
    if (a->start != b->start) return a->start < b->start;
    return h->key && a->what != b->what && dp_str_cmp(h->key(a->what), h->key(b->what)) < 0;
}

void dp_window_heap_push(struct dp_window_heap *h, int64_t due, int64_t start, void *what) {
    if (h->n == h->cap) h->v = dp_grow(h->v, &h->cap, h->n + 1, sizeof *h->v);
    struct dp_window_due item = {due, start, what};
    size_t i = h->n++;
    while (i) {
        size_t up = (i - 1) / 4; /* four below each: fewer steps, and those are in one line of the cache or two */
        if (!before(h, &item, &h->v[up])) break;
        h->v[i] = h->v[up];
        i = up;
    }
    h->v[i] = item;
}

struct dp_window_due dp_window_heap_pop(struct dp_window_heap *h) {
    struct dp_window_due top = h->v[0], item = h->v[--h->n];
    size_t i = 0;
    for (;;) {
        size_t least = i * 4 + 1;
        if (least >= h->n) break;
        size_t stop = least + 4 < h->n ? least + 4 : h->n;
        for (size_t j = least + 1; j < stop; j++)
            if (before(h, &h->v[j], &h->v[least])) least = j;
        if (!before(h, &h->v[least], &item)) break;
        h->v[i] = h->v[least];
        i = least;
    }
    h->v[i] = item;
    return top;
}

/* ---- rows ---- */

static size_t record_bytes(size_t n) { return sizeof(struct dp_window_record) + n + 16; }

size_t dp_window_records_from(const struct dp_window_records *r, int64_t time) {
    size_t lo = 0, hi = r->n;
    if (hi && r->v[hi - 1]->time < time) return hi;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->v[mid]->time < time) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

/* One more place at the end. */
static void room(struct dp_window *w, struct dp_window_records *r) {
    if (r->gone + r->n < r->cap) return;
    struct dp_window_record **base = r->v ? r->v - r->gone : NULL;
    size_t had = r->cap;
    if (r->gone > r->n) {
        memmove(base, r->v, r->n * sizeof *base);
        r->v = base, r->gone = 0;
        return;
    }
    base = dp_grow(base, &r->cap, r->cap + 1, sizeof *base);
    w->record_bytes += (r->cap - had) * sizeof *base;
    r->v = base + r->gone;
}

static bool comes_before(const struct dp_window_record *a, const struct dp_window_record *b) { return a->time != b->time ? a->time < b->time : a->arrival < b->arrival; }

static int by_time(const void *a, const void *b) {
    const struct dp_window_record *x = *(struct dp_window_record *const *)a, *y = *(struct dp_window_record *const *)b;
    return comes_before(x, y) ? -1 : comes_before(y, x);
}

void dp_window_records_append(struct dp_window *w, struct dp_window_records *r, int64_t time, uint64_t arrival, struct dp_str row) {
    room(w, r);
    struct dp_window_record *rec = dp_alloc(sizeof *rec + row.n);
    w->record_bytes += record_bytes(row.n);
    *rec = (struct dp_window_record){.time = time, .arrival = arrival, .n = row.n};
    if (row.n) memcpy(rec->row, row.p, row.n);
    r->v[r->n] = rec;
    if (r->sorted == r->n && (!r->n || !comes_before(rec, r->v[r->n - 1]))) r->sorted++;
    r->n++;
}

/* Places before the first: rows that were put aside come back in front of those that were not. */
static void room_before(struct dp_window *w, struct dp_window_records *r) {
    size_t gap = r->n / 2 + 1, had = r->cap;
    struct dp_window_record **base = r->v;
    if (r->n + gap > r->cap) base = dp_grow(base, &r->cap, r->n + gap, sizeof *base);
    w->record_bytes += (r->cap - had) * sizeof *base;
    memmove(base + gap, base, r->n * sizeof *base);
    r->v = base + gap, r->gone = gap;
}

/* The last one, which is the only one that is not in its place, goes there on the shorter way. */
static void sort_one(struct dp_window *w, struct dp_window_records *r) {
    struct dp_window_record *one = r->v[r->n - 1];
    size_t lo = 0, hi = r->n - 1;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (comes_before(one, r->v[mid])) hi = mid;
        else lo = mid + 1;
    }
    if (lo < r->n / 2 && r->n > 16) {
        r->n--;
        if (!r->gone) room_before(w, r);
        r->v--, r->gone--, r->n++;
        memmove(r->v, r->v + 1, lo * sizeof *r->v);
    } else {
        memmove(r->v + lo + 1, r->v + lo, (r->n - 1 - lo) * sizeof *r->v);
    }
    r->v[lo] = one;
    r->sorted = r->n;
}

/* The end is sorted, then moved into what was in order, from the back. */
void dp_window_records_sort(struct dp_window *w, struct dp_window_records *r) {
    size_t n = r->n - r->sorted, at = r->n, i = r->sorted, j = n;
    if (!n) return;
    if (n == 1) {
        sort_one(w, r);
        return;
    }
    struct dp_window_record **end = r->v + r->sorted, **other = dp_alloc(n * sizeof(struct dp_window_record *));
    qsort(end, n, sizeof(struct dp_window_record *), by_time);
    memcpy(other, end, n * sizeof(struct dp_window_record *));
    while (j) r->v[--at] = i && comes_before(other[j - 1], r->v[i - 1]) ? r->v[--i] : other[--j];
    free(other);
    r->sorted = r->n;
}

void dp_window_records_add(struct dp_window *w, struct dp_window_records *r, int64_t time, uint64_t arrival, struct dp_str row) {
    dp_window_records_append(w, r, time, arrival, row);
    dp_window_records_sort(w, r);
}

void dp_window_record_free(struct dp_window *w, struct dp_window_record *r) {
    w->record_bytes -= record_bytes(r->n);
    free(r);
}

bool dp_window_records_find(const struct dp_window_records *r, int64_t time, struct dp_str row, size_t *at) {
    for (size_t i = dp_window_records_from(r, time); i < r->n && r->v[i]->time == time; i++)
        if (dp_str_eq(dp_window_record_row(r->v[i]), row)) {
            *at = i;
            return true;
        }
    return false;
}

void dp_window_records_cut(struct dp_window *w, struct dp_window_records *r, size_t from, size_t n) {
    if (!n) return;
    for (size_t i = from; i < from + n; i++) dp_window_record_free(w, r->v[i]);
    r->n -= n, r->sorted = r->n;
    if (from) memmove(r->v + from, r->v + from + n, (r->n - from) * sizeof *r->v);
    else r->v += n, r->gone += n; /* the oldest go all the time */
}

void dp_window_records_release(struct dp_window *w, struct dp_window_records *r) {
    for (size_t i = 0; i < r->n; i++) dp_window_record_free(w, r->v[i]);
    w->record_bytes -= r->cap * sizeof *r->v;
    if (r->v) free(r->v - r->gone);
    *r = (struct dp_window_records){0};
}

void dp_window_records_save(const struct dp_window_records *r, struct dp_buf *out) {
    dp_window_put64(out, r->n);
    for (size_t i = 0; i < r->n; i++) {
        dp_window_put_time(out, r->v[i]->time);
        dp_window_put64(out, r->v[i]->arrival);
        dp_window_put64(out, r->v[i]->n);
        dp_buf_adds(out, dp_window_record_row(r->v[i]));
    }
}

enum dp_status dp_window_records_load(struct dp_window *w, struct dp_window_records *r, struct dp_str *in, struct dp_err *err) {
    uint64_t n, arrival, size;
    int64_t time;
    if (!dp_window_take64(in, &n)) return dp_window_damaged(err);
    for (uint64_t i = 0; i < n; i++) {
        if (!dp_window_take_time(in, &time) || !dp_window_take64(in, &arrival) || !dp_window_take64(in, &size) || size > in->n) return dp_window_damaged(err);
        dp_window_records_append(w, r, time, arrival, dp_str(in->p, (size_t)size));
        in->p += size, in->n -= (size_t)size;
    }
    dp_window_records_sort(w, r);
    return DP_OK;
}
