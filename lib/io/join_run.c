/*
 * Sorted runs of entries (join_priv.h): building, spilling, merging, searching.
 *
 * In memory a run has a directory by the leading bits of the hash, about one place for each entry; in a file it has a fence for each page of some 4 KiB, so that a search
 * reads one page, or the few that a key's entries fill.  Files are read by the process that wrote them and by nobody else.
 */
#include "join_priv.h"

#include <dp/base/file.h>

#include <stdlib.h>
#include <unistd.h>

enum { TEXT_BLOCK = 1 << 20, PAGE = 4 << 10, WRITE = 1 << 20, LINEAR = 12 };

/* ---- texts ---- */

char *join_texts_room(struct join_texts *t, uint32_t n, uint64_t *at) {
    struct join_block *b = t->n ? &t->v[t->n - 1] : NULL;
    if (!b || b->size - b->used < n) {
        t->v = dp_grow(t->v, &t->cap, t->n + 1, sizeof *t->v);
        b = &t->v[t->n++];
        *b = (struct join_block){.size = n > TEXT_BLOCK ? n : TEXT_BLOCK};
        b->p = dp_alloc(b->size);
        t->bytes += b->size;
    }
    *at = (uint64_t)(t->n - 1) << 32 | b->used;
    b->used += n;
    return b->p + (uint32_t)*at;
}

void join_texts_release(struct join_texts *t) {
    for (size_t i = 0; i < t->n; i++) free(t->v[i].p);
    free(t->v);
    *t = (struct join_texts){0};
}

/* ---- order ---- */

static inline int cmp_place(uint64_t ah, int64_t ams, uint32_t ans, uint64_t bh, int64_t bms, uint32_t bns) {
    if (ah != bh) return ah < bh ? -1 : 1;
    return join_time_cmp((struct join_time){ams, ans}, (struct join_time){bms, bns});
}

static int cmp_entry(const void *x, const void *y) {
    const struct join_entry *a = x, *b = y;
    int c = cmp_place(a->hash, a->ms, a->ns, b->hash, b->ms, b->ns);
    return c ? c : a->at < b->at ? -1 : a->at > b->at;
}

/* Few, and mostly in order already: that of arrival is that of time. */
static void sort_bucket(struct join_entry *v, size_t n) {
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++) sorted = cmp_entry(&v[i - 1], &v[i]) <= 0;
    if (sorted) return;
    if (n > 16) {
        qsort(v, n, sizeof *v, cmp_entry);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct join_entry x = v[i];
        size_t k = i;
        for (; k && cmp_entry(&v[k - 1], &x) > 0; k--) v[k] = v[k - 1];
        v[k] = x;
    }
}

static void note_span(struct join_run *r, int64_t ms) {
    if (!r->n || ms < r->min_ms) r->min_ms = ms;
    if (!r->n || ms > r->max_ms) r->max_ms = ms;
}

/* ---- in memory ---- */

static size_t bucket_of(const struct join_run *r, uint64_t hash) { return (size_t)(hash >> (64 - r->bits)); }

void join_run_build(struct join_run *r, struct join_entry **v, size_t *n, struct join_texts *texts) {
    uint64_t id = r->id;
    *r = (struct join_run){.id = id, .texts = *texts, .bits = 1, .fd = -1};
    while (r->bits < 31 && ((size_t)1 << r->bits) < *n) r->bits++;
    size_t n_dir = ((size_t)1 << r->bits) + 1;
    r->dir = dp_calloc(n_dir, sizeof *r->dir);
    r->v = dp_alloc((*n + 1) * sizeof *r->v);
    for (size_t i = 0; i < *n; i++) r->dir[bucket_of(r, (*v)[i].hash)]++;
    uint32_t sum = 0;
    for (size_t b = 0; b < n_dir; b++) {
        uint32_t here = r->dir[b];
        r->dir[b] = sum;
        sum += here;
    }
    for (size_t i = 0; i < *n; i++, r->n++) {
        const struct join_entry *e = &(*v)[i];
        note_span(r, e->ms);
        r->v[r->dir[bucket_of(r, e->hash)]++] = *e;
    }
    memmove(r->dir + 1, r->dir, (n_dir - 1) * sizeof *r->dir); /* each place has moved on to its bucket's end */
    r->dir[0] = 0;
    for (size_t b = 0; b + 1 < n_dir; b++)
        if (r->dir[b + 1] - r->dir[b] > 1) sort_bucket(r->v + r->dir[b], r->dir[b + 1] - r->dir[b]);
    r->bytes = texts->bytes + r->n * sizeof *r->v + n_dir * sizeof *r->dir;
    free(*v);
    *v = NULL, *n = 0;
    *texts = (struct join_texts){0};
}

void join_run_release(struct join_run *r) {
    if (r->is_file) close(r->fd);
    free(r->v), free(r->dir), free(r->fences);
    join_texts_release(&r->texts);
    *r = (struct join_run){.fd = -1};
}

/* ---- going through a run in its order ---- */

/* In a file an entry stands in front of its content; `at` is not used there. */
struct cursor { const struct join_run *r; uint64_t i; size_t page; struct dp_buf buf; size_t at; struct join_entry e; const char *content; };

static enum dp_status read_page(const struct join_run *r, size_t page, struct dp_buf *buf, struct dp_err *err) {
    dp_buf_reset(buf);
    (void)dp_buf_reserve(buf, r->fences[page].n);
    DP_TRY(dp_fd_pread(r->fd, buf->p, r->fences[page].n, r->fences[page].at, err));
    buf->n = r->fences[page].n;
    return DP_OK;
}

/* DP_END: no more. */
static enum dp_status cursor_next(struct cursor *c, struct dp_err *err) {
    if (c->i == c->r->n) return DP_END;
    c->i++;
    if (!c->r->is_file) {
        c->e = c->r->v[c->i - 1];
        c->content = join_texts_at(&c->r->texts, c->e.at);
        return DP_OK;
    }
    if (c->at == c->buf.n) {
        DP_TRY(read_page(c->r, c->page++, &c->buf, err));
        c->at = 0;
    }
    memcpy(&c->e, c->buf.p + c->at, sizeof c->e);
    c->content = c->buf.p + c->at + sizeof c->e;
    c->at += sizeof c->e + c->e.n;
    return DP_OK;
}

enum dp_status join_run_twice(const struct join_run *r, bool *twice, struct dp_buf *scratch, struct dp_err *err) {
    struct cursor c = {.r = r};
    struct dp_buf keys = {0}; /* of this hash, each with its length in front */
    uint64_t hash = 0;
    enum dp_status status;
    *twice = false;
    while (!*twice && (status = cursor_next(&c, err)) == DP_OK) {
        struct join_head h;
        memcpy(&h, c.content, sizeof h);
        struct dp_str key = dp_str(c.content + sizeof h, h.key_n);
        if (c.e.hash != hash) dp_buf_reset(&keys), hash = c.e.hash;
        for (size_t at = 0; at < keys.n && !*twice;) {
            uint32_t n;
            memcpy(&n, keys.p + at, sizeof n);
            *twice = dp_str_eq(dp_str(keys.p + at + sizeof n, n), key);
            at += sizeof n + n;
        }
        dp_buf_add(&keys, &h.key_n, sizeof h.key_n);
        dp_buf_adds(&keys, key);
        if (*twice) dp_buf_reset(scratch), dp_buf_adds(scratch, key);
    }
    if (*twice || status == DP_END) status = DP_OK;
    dp_buf_release(&keys);
    dp_buf_release(&c.buf);
    return status;
}

/* ---- several as one ---- */

struct writer { struct join_run *r; struct dp_buf buf; size_t page_at; uint64_t size; };

static void end_page(struct writer *w) {
    if (w->page_at == w->buf.n) return;
    w->r->fences[w->r->n_fences - 1].n = (uint32_t)(w->buf.n - w->page_at);
    w->page_at = w->buf.n;
}

static enum dp_status flush(struct writer *w, struct dp_err *err) {
    end_page(w);
    if (dp_fd_write(w->r->fd, w->buf.p, w->buf.n, err) != DP_OK) return dp_err_prefix(err, "spilling: ");
    w->size += w->buf.n;
    w->page_at = 0;
    dp_buf_reset(&w->buf);
    if (w->buf.cap > 4 * WRITE) dp_buf_release(&w->buf); /* one huge record */
    return DP_OK;
}

static enum dp_status put(struct writer *w, const struct join_entry *e, const char *content, struct dp_err *err) {
    struct join_run *r = w->r;
    if (w->buf.n >= WRITE) DP_TRY(flush(w, err));
    if (w->buf.n - w->page_at >= PAGE) end_page(w);
    if (w->page_at == w->buf.n) {
        r->fences = dp_grow(r->fences, &r->cap_fences, r->n_fences + 1, sizeof *r->fences);
        r->fences[r->n_fences++] = (struct join_fence){e->hash, e->ms, e->ns, 0, w->size + w->buf.n};
    }
    note_span(r, e->ms);
    r->n++;
    dp_buf_add(&w->buf, e, sizeof *e);
    dp_buf_add(&w->buf, content, e->n);
    return DP_OK;
}

struct merging { struct cursor *c; uint32_t *heap; size_t n, n_heap; };

/* Among equals the earlier run comes first. */
static bool is_before(const struct merging *m, uint32_t a, uint32_t b) {
    const struct join_entry *x = &m->c[a].e, *y = &m->c[b].e;
    int c = cmp_place(x->hash, x->ms, x->ns, y->hash, y->ms, y->ns);
    return c ? c < 0 : a < b;
}

static void sift_down(struct merging *m, size_t at) {
    uint32_t x = m->heap[at];
    for (size_t child; (child = 2 * at + 1) < m->n_heap; at = child) {
        if (child + 1 < m->n_heap && is_before(m, m->heap[child + 1], m->heap[child])) child++;
        if (is_before(m, x, m->heap[child])) break;
        m->heap[at] = m->heap[child];
    }
    m->heap[at] = x;
}

static enum dp_status open_merging(struct merging *m, struct join_run *const *from, size_t n, struct dp_err *err) {
    *m = (struct merging){.c = dp_calloc(n + 1, sizeof *m->c), .heap = dp_calloc(n + 1, sizeof *m->heap), .n = n};
    for (size_t i = 0; i < n; i++) {
        m->c[i].r = from[i];
        enum dp_status status = cursor_next(&m->c[i], err);
        if (status == DP_OK) m->heap[m->n_heap++] = (uint32_t)i;
        else if (status != DP_END) return status;
    }
    for (size_t i = m->n_heap / 2; i-- > 0;) sift_down(m, i);
    return DP_OK;
}

/* What is first goes, the next of its run comes. */
static enum dp_status advance(struct merging *m, struct dp_err *err) {
    enum dp_status status = cursor_next(&m->c[m->heap[0]], err);
    if (status == DP_END) m->heap[0] = m->heap[--m->n_heap];
    else if (status != DP_OK) return status;
    if (m->n_heap) sift_down(m, 0);
    return DP_OK;
}

static void close_merging(struct merging *m) {
    for (size_t i = 0; i < m->n; i++) dp_buf_release(&m->c[i].buf);
    free(m->c), free(m->heap);
}

enum dp_status join_run_merge(struct join_run *const *from, size_t n, int64_t keep_ms, struct join_run *out, struct dp_err *err) {
    struct merging m = {0};
    struct writer w = {.r = out};
    enum dp_status status;
    *out = (struct join_run){.id = out->id, .fd = -1};
    DP_TRY_OUT(open_merging(&m, from, n, err));
    DP_TRY_OUT(dp_spill_open(&out->fd, err));
    out->is_file = true;
    while (m.n_heap) {
        const struct cursor *c = &m.c[m.heap[0]];
        if (c->e.ms >= keep_ms) DP_TRY_OUT(put(&w, &c->e, c->content, err));
        DP_TRY_OUT(advance(&m, err));
    }
    status = flush(&w, err);
    out->bytes = w.size;
out:
    close_merging(&m);
    dp_buf_release(&w.buf);
    if (status != DP_OK) join_run_release(out);
    return status;
}

void join_run_join(struct join_run *const *from, size_t n, int64_t keep_ms, struct join_run *out) {
    struct join_entry *v = NULL;
    struct join_texts texts = {0};
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++) total += from[i]->n;
    v = dp_alloc((total + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++)
        for (uint64_t k = 0; k < from[i]->n; k++) {
            struct join_entry e = from[i]->v[k];
            if (e.ms < keep_ms) continue;
            const char *content = join_texts_at(&from[i]->texts, e.at);
            memcpy(join_texts_room(&texts, e.n, &e.at), content, e.n);
            v[at++] = e;
        }
    join_run_build(out, &v, &at, &texts);
}

/* ---- searching ---- */

void join_reader_release(struct join_reader *r) {
    for (size_t i = 0; i < JOIN_SLOTS; i++) dp_buf_release(&r->slots[i].buf);
    *r = (struct join_reader){0};
}

static enum dp_status page_of(const struct join_run *r, struct join_reader *reader, size_t page, const struct dp_buf **out, struct dp_err *err) {
    struct join_slot *s = &reader->slots[(page * 31 + (size_t)r->id) % JOIN_SLOTS];
    *out = &s->buf;
    if (s->run == r->id && s->page == page && s->buf.n) return DP_OK;
    s->run = 0;
    if (s->buf.cap > 64 * PAGE) dp_buf_release(&s->buf);
    DP_TRY(read_page(r, page, &s->buf, err));
    s->run = r->id, s->page = page;
    return DP_OK;
}

static bool matches(const char *content, const struct join_entry *e, const struct join_key *key, struct join_match *m) {
    struct join_head h;
    memcpy(&h, content, sizeof h);
    if (!dp_str_eq(dp_str(content + sizeof h, h.key_n), key->bytes)) return false; /* two keys of one hash */
    *m = (struct join_match){{e->ms, e->ns}, h.shape, dp_str(content + sizeof h + h.key_n, e->n - sizeof h - h.key_n)};
    return true;
}

/* First entry of the bucket at or behind this place (behind: of those at it, the end). */
static uint32_t lower(const struct join_run *r, const struct join_key *key, struct join_time t, bool behind) {
    size_t b = bucket_of(r, key->hash);
    uint32_t lo = r->dir[b], hi = r->dir[b + 1];
    while (hi - lo > LINEAR) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct join_entry *e = &r->v[mid];
        int c = cmp_place(e->hash, e->ms, e->ns, key->hash, t.ms, t.ns);
        if (c < 0 || (behind && !c)) lo = mid + 1;
        else hi = mid;
    }
    for (; lo < hi; lo++) {
        const struct join_entry *e = &r->v[lo];
        int c = cmp_place(e->hash, e->ms, e->ns, key->hash, t.ms, t.ns);
        if (c > 0 || (!behind && !c)) break;
    }
    return lo;
}

/* The last page that begins before this place (at it too: or there); 0 where none does. */
static size_t page_before(const struct join_run *r, uint64_t hash, struct join_time t, bool at_too) {
    size_t lo = 0, hi = r->n_fences;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct join_fence *f = &r->fences[mid];
        int c = cmp_place(f->hash, f->ms, f->ns, hash, t.ms, t.ns);
        if (c < 0 || (at_too && !c)) lo = mid + 1;
        else hi = mid;
    }
    return lo ? lo - 1 : 0;
}

static enum dp_status file_range(const struct join_run *r, struct join_reader *reader, const struct join_key *key, struct join_time from, struct join_time to,
                                 join_take take, void *ctx, struct dp_err *err) {
    for (size_t page = page_before(r, key->hash, from, false); page < r->n_fences; page++) {
        const struct dp_buf *b;
        const struct join_fence *f = &r->fences[page];
        if (cmp_place(f->hash, f->ms, f->ns, key->hash, to.ms, to.ns) > 0) return DP_OK;
        DP_TRY(page_of(r, reader, page, &b, err));
        for (size_t at = 0; at < b->n;) {
            struct join_entry e;
            struct join_match m;
            memcpy(&e, b->p + at, sizeof e);
            const char *content = b->p + at + sizeof e;
            at += sizeof e + e.n;
            if (cmp_place(e.hash, e.ms, e.ns, key->hash, from.ms, from.ns) < 0) continue;
            if (cmp_place(e.hash, e.ms, e.ns, key->hash, to.ms, to.ns) > 0) return DP_OK;
            if (matches(content, &e, key, &m)) DP_TRY(take(ctx, &m, err));
        }
    }
    return DP_OK;
}

enum dp_status join_run_range(const struct join_run *r, struct join_reader *reader, const struct join_key *key, struct join_time from, struct join_time to,
                              join_take take, void *ctx, struct dp_err *err) {
    if (!r->n) return DP_OK;
    if (r->is_file) return file_range(r, reader, key, from, to, take, ctx, err);
    uint32_t end = r->dir[bucket_of(r, key->hash) + 1];
    for (uint32_t i = lower(r, key, from, false); i < end; i++) {
        const struct join_entry *e = &r->v[i];
        struct join_match m;
        if (cmp_place(e->hash, e->ms, e->ns, key->hash, to.ms, to.ns) > 0) break;
        if (matches(join_texts_at(&r->texts, e->at), e, key, &m)) DP_TRY(take(ctx, &m, err));
    }
    return DP_OK;
}

static enum dp_status file_last(const struct join_run *r, struct join_reader *reader, const struct join_key *key, struct join_time from, struct join_time to,
                                join_take take, void *ctx, struct dp_err *err) {
    for (size_t page = page_before(r, key->hash, to, true) + 1; page-- > 0;) {
        const struct dp_buf *b;
        struct join_match m, best;
        bool has = false;
        DP_TRY(page_of(r, reader, page, &b, err));
        for (size_t at = 0; at < b->n;) {
            struct join_entry e;
            memcpy(&e, b->p + at, sizeof e);
            if (cmp_place(e.hash, e.ms, e.ns, key->hash, to.ms, to.ns) > 0) break;
            bool inside = cmp_place(e.hash, e.ms, e.ns, key->hash, from.ms, from.ns) >= 0;
            if (inside && matches(b->p + at + sizeof e, &e, key, &m)) best = m, has = true;
            at += sizeof e + e.n;
        }
        if (has) return take(ctx, &best, err);
        const struct join_fence *f = &r->fences[page]; /* another key of the same hash may stand between */
        if (cmp_place(f->hash, f->ms, f->ns, key->hash, from.ms, from.ns) < 0) return DP_OK;
    }
    return DP_OK;
}

enum dp_status join_run_last(const struct join_run *r, struct join_reader *reader, const struct join_key *key, struct join_time from, struct join_time to,
                             join_take take, void *ctx, struct dp_err *err) {
    if (!r->n) return DP_OK;
    if (r->is_file) return file_last(r, reader, key, from, to, take, ctx, err);
    uint32_t begin = r->dir[bucket_of(r, key->hash)];
    for (uint32_t i = lower(r, key, to, true); i-- > begin;) {
        const struct join_entry *e = &r->v[i];
        struct join_match m;
        if (cmp_place(e->hash, e->ms, e->ns, key->hash, from.ms, from.ns) < 0) break;
        if (matches(join_texts_at(&r->texts, e->at), e, key, &m)) return take(ctx, &m, err);
    }
    return DP_OK;
}
