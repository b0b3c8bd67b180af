/*
 * Keys with their times (dedupe_priv.h).
 *
 * Time is cut into spans of within + 1 ms.  Two times of a key in one span are near, so of each key and span at most one time is kept, under a name made of both; whether a
 * time is near one that is kept is asked of its own span and the two beside it.  Names stand in a table in the order of their first word; what is old is left out when the
 * table is full, and what is left then, if that is much, becomes a sorted run in an unlinked file, with a filter and an index in memory.  Eight runs of one size become one
 * of the next, without what is old by then, and a run of which all is old goes at once.
 */
#include "dedupe_priv.h"

#include <dp/base/file.h>

#include <stdlib.h>
#include <unistd.h>

enum { FAN = 8, FIRST = 1024, SLACK = 512, BLOCK = 170 /* entries that one read brings: 4 KiB */, BUFFER = 2048 /* entries */, LEAST = 1 << 20 };

struct run {
    int fd;
    unsigned tier;
    uint64_t n, stride;
    int64_t newest;
    uint64_t *fence;     /* first word of entry i * stride */
    size_t n_fence;
    uint64_t *filter;    /* lines of 64 bytes, four bits of one for each name; NULL: there was no room */
    uint64_t n_lines;
};

struct dedupe_recent {
    int64_t within, before;
    uint64_t memory, count, spilled;
    struct dedupe_entry *slots; /* n_slots homes and SLACK more */
    size_t n_slots, used;
    struct run *runs;
    size_t n_runs, cap_runs;
    uint64_t filter_bytes; /* of all runs */
};

struct dedupe_recent *dedupe_recent_open(uint64_t memory, int64_t within) {
    struct dedupe_recent *r = dp_calloc(1, sizeof *r);
    r->memory = memory < LEAST ? LEAST : memory;
    r->within = within;
    r->before = INT64_MIN;
    return r;
}

static void run_release(struct dedupe_recent *r, struct run *x) {
    close(x->fd);
    free(x->fence);
    free(x->filter);
    r->filter_bytes -= x->n_lines * 64;
}

void dedupe_recent_close(struct dedupe_recent *r) {
    if (!r) return;
    for (size_t i = 0; i < r->n_runs; i++) run_release(r, &r->runs[i]);
    free(r->runs);
    free(r->slots);
    free(r);
}

uint64_t dedupe_recent_count(const struct dedupe_recent *r) { return r->count; }
uint64_t dedupe_recent_spilled(const struct dedupe_recent *r) { return r->spilled; }

static int order(const void *x, const void *y) {
    const struct dedupe_entry *a = x, *b = y;
    for (int i = 0; i < 2; i++)
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

/* w {0, 0} */
static bool is_free(const struct dedupe_entry *e) { return !(e->w[0] | e->w[1]); }
static uint64_t scale(uint64_t w, uint64_t n) { return (uint64_t)(((dp_u128)w * n) >> 64); }
static size_t bytes_of(size_t slots) { return (slots + SLACK) * sizeof(struct dedupe_entry); }

/* ---- names ---- */

static int64_t span_of(const struct dedupe_recent *r, int64_t t) {
    int64_t width = r->within + 1, q = t / width;
    return q - (t % width < 0);
}

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Keys are spread evenly already: a span moves each of them elsewhere. */
static struct dedupe_entry name_of(struct dp_key key, uint64_t span) {
    struct dedupe_entry e = {.w = {key.w[0] ^ mix(span + UINT64_C(0x9e3779b97f4a7c15)), key.w[1] ^ mix(span * UINT64_C(0xd6e8feb86659fd93) + 1)}};
    if (is_free(&e)) e.w[1] = 1;
    return e;
}

/* ---- the table ---- */

/* The name's slot, or the free one for it; NULL: the table ends in front of one. */
static struct dedupe_entry *place(const struct dedupe_recent *r, const struct dedupe_entry *name) {
    struct dedupe_entry *s = r->slots + scale(name->w[0], r->n_slots), *end = r->slots + r->n_slots + SLACK;
    while (s < end && !is_free(s) && order(s, name) != 0) s++;
    return s < end ? s : NULL;
}

static void rebuild(struct dedupe_recent *r, size_t n) {
    struct dedupe_entry *old = r->slots, *end = old ? old + r->n_slots + SLACK : old;
    r->slots = dp_calloc(n + SLACK, sizeof *r->slots);
    r->n_slots = n;
    r->used = 0;
    for (struct dedupe_entry *e = old; e < end; e++)
        if (!is_free(e) && e->t >= r->before) *place(r, e) = *e, r->used++; /* less dense than it was: there is room */
    free(old);
}

/* Entries to the front of the table, in order: only within a row without a gap are they not in order already. */
static size_t gather(struct dedupe_recent *r) {
    size_t all = r->n_slots + SLACK, n = 0;
    for (size_t i = 0; i < all;) {
        size_t start = n;
        for (; i < all && !is_free(&r->slots[i]); i++)
            if (r->slots[i].t >= r->before) r->slots[n++] = r->slots[i];
        if (n - start > 1) qsort(r->slots + start, n - start, sizeof *r->slots, order);
        while (i < all && is_free(&r->slots[i])) i++;
    }
    return n;
}

/* ---- runs ---- */

/* A run that is being written. */
struct writing { struct run run; struct dedupe_entry *buf; size_t n; };

static enum dp_status begin(struct dedupe_recent *r, uint64_t n, unsigned tier, struct writing *w, struct dp_err *err) {
    struct run x = {.tier = tier, .stride = BLOCK, .newest = INT64_MIN};
    uint64_t lines = n / 48 + 1; /* ten bits and more a name */
    while (n / x.stride > r->memory / 64 / sizeof *x.fence) x.stride *= 2;
    DP_TRY(dp_spill_open(&x.fd, err));
    x.fence = dp_alloc((size_t)(n / x.stride + 1) * sizeof *x.fence);
    if (r->filter_bytes + lines * 64 <= r->memory / 6) {
        x.filter = dp_calloc((size_t)lines, 64);
        x.n_lines = lines;
        r->filter_bytes += lines * 64;
    }
    *w = (struct writing){.run = x, .buf = dp_alloc(BUFFER * sizeof *w->buf)};
    return DP_OK;
}

static enum dp_status flush(struct dedupe_recent *r, struct writing *w, struct dp_err *err) {
    if (dp_fd_write(w->run.fd, w->buf, w->n * sizeof *w->buf, err) != DP_OK) return dp_err_prefix(err, "spilling keys: ");
    r->spilled += w->n * sizeof *w->buf;
    w->n = 0;
    return DP_OK;
}

static enum dp_status put(struct dedupe_recent *r, struct writing *w, const struct dedupe_entry *e, struct dp_err *err) {
    struct run *x = &w->run;
    if (x->n % x->stride == 0) x->fence[x->n_fence++] = e->w[0];
    x->n++;
    if (e->t > x->newest) x->newest = e->t;
    if (x->filter) {
        uint64_t *line = x->filter + 8 * scale(e->w[1], x->n_lines), bits = e->w[0];
        for (int i = 0; i < 4; i++, bits >>= 9) line[bits >> 6 & 7] |= UINT64_C(1) << (bits & 63);
    }
    w->buf[w->n++] = *e;
    return w->n == BUFFER ? flush(r, w, err) : DP_OK;
}

/* Into the list, or away with it. */
static enum dp_status end(struct dedupe_recent *r, struct writing *w, enum dp_status status, struct dp_err *err) {
    if (status == DP_OK) status = flush(r, w, err);
    free(w->buf);
    if (status != DP_OK) {
        run_release(r, &w->run);
        return status;
    }
    r->runs = dp_grow(r->runs, &r->cap_runs, r->n_runs + 1, sizeof *r->runs);
    r->runs[r->n_runs++] = w->run;
    return DP_OK;
}

static enum dp_status read_entries(const struct run *x, uint64_t from, struct dedupe_entry *to, size_t n, struct dp_err *err) {
    if (dp_fd_pread(x->fd, to, n * sizeof *to, from * sizeof *to, err) == DP_OK) return DP_OK;
    if (err) err->status = DP_IO; /* a file of ours that ends early is the environment's fault */
    (void)dp_err_prefix(err, "reading spilled keys: ");
    return DP_IO;
}

struct cursor { const struct run *run; struct dedupe_entry *buf; size_t at, n; uint64_t read; };

static enum dp_status refill(struct cursor *c, struct dp_err *err) {
    uint64_t left = c->run->n - c->read;
    c->at = 0, c->n = left < BUFFER ? (size_t)left : BUFFER;
    if (!c->n) return DP_OK;
    DP_TRY(read_entries(c->run, c->read, c->buf, c->n, err));
    c->read += c->n;
    return DP_OK;
}

static enum dp_status merge_into(struct dedupe_recent *r, struct cursor *c, size_t n, struct writing *w, struct dp_err *err) {
    for (size_t i = 0; i < n; i++) DP_TRY(refill(&c[i], err));
    for (;;) {
        struct cursor *least = NULL;
        for (size_t i = 0; i < n; i++)
            if (c[i].at < c[i].n && (!least || order(&c[i].buf[c[i].at], &least->buf[least->at]) < 0)) least = &c[i];
        if (!least) return DP_OK;
        const struct dedupe_entry *e = &least->buf[least->at++];
        if (e->t >= r->before) DP_TRY(put(r, w, e, err));
        if (least->at == least->n) DP_TRY(refill(least, err));
    }
}

/* The last FAN runs, which are of one size, become one. */
static enum dp_status merge(struct dedupe_recent *r, struct dp_err *err) {
    struct cursor c[FAN];
    struct run from[FAN];
    struct writing w;
    uint64_t n = 0;
    r->n_runs -= FAN;
    memcpy(from, r->runs + r->n_runs, sizeof from);
    for (size_t i = 0; i < FAN; i++) { /* their filters make room for the new one's */
        n += from[i].n;
        free(from[i].filter);
        r->filter_bytes -= from[i].n_lines * 64;
        from[i].filter = NULL, from[i].n_lines = 0;
    }
    struct dedupe_entry *buf = dp_alloc(FAN * BUFFER * sizeof *buf);
    for (size_t i = 0; i < FAN; i++) c[i] = (struct cursor){.run = &from[i], .buf = buf + i * BUFFER};
    enum dp_status status = begin(r, n, from[0].tier + 1, &w, err);
    if (status == DP_OK) status = end(r, &w, merge_into(r, c, FAN, &w, err), err);
    for (size_t i = 0; i < FAN; i++) run_release(r, &from[i]);
    free(buf);
    return status;
}

static void drop_old_runs(struct dedupe_recent *r) {
    size_t n = 0;
    for (size_t i = 0; i < r->n_runs; i++) {
        if (r->runs[i].newest < r->before) run_release(r, &r->runs[i]);
        else r->runs[n++] = r->runs[i];
    }
    r->n_runs = n;
}

static enum dp_status spill(struct dedupe_recent *r, struct dp_err *err) {
    struct writing w;
    enum dp_status status = DP_OK;
    drop_old_runs(r);
    size_t n = gather(r);
    DP_TRY(begin(r, n, 0, &w, err));
    for (size_t i = 0; i < n && status == DP_OK; i++) status = put(r, &w, &r->slots[i], err);
    DP_TRY(end(r, &w, status, err));
    memset(r->slots, 0, bytes_of(r->n_slots));
    r->used = 0;
    while (r->n_runs >= FAN && r->runs[r->n_runs - FAN].tier == r->runs[r->n_runs - 1].tier) DP_TRY(merge(r, err));
    return DP_OK;
}

/* The first entry of [low, high) that is not below the name, by reads of single entries until a block holds the rest. */
static enum dp_status find_in_run(const struct run *x, const struct dedupe_entry *name, int64_t *t, bool *has, struct dp_err *err) {
    struct dedupe_entry block[BLOCK];
    size_t a = 0, b = x->n_fence; /* fences before `a` are below the name's first word */
    while (a < b) {
        size_t mid = (a + b) / 2;
        if (x->fence[mid] < name->w[0]) a = mid + 1;
        else b = mid;
    }
    uint64_t low = a ? (a - 1) * x->stride : 0, high = a * x->stride;
    while (a < x->n_fence && x->fence[a] == name->w[0]) high = ++a * x->stride; /* one that is equal may stand in front of the name */
    if (high > x->n) high = x->n;
    while (high - low > BLOCK) {
        uint64_t mid = low + (high - low) / 2;
        DP_TRY(read_entries(x, mid, block, 1, err));
        if (order(name, block) < 0) high = mid;
        else low = mid;
    }
    if (low == high) return DP_OK;
    DP_TRY(read_entries(x, low, block, (size_t)(high - low), err));
    const struct dedupe_entry *e = bsearch(name, block, (size_t)(high - low), sizeof *block, order);
    if (e) *has = true, *t = e->t;
    return DP_OK;
}

static bool is_filtered(const struct run *x, const struct dedupe_entry *name) {
    if (!x->filter) return false;
    const uint64_t *line = x->filter + 8 * scale(name->w[1], x->n_lines);
    uint64_t bits = name->w[0];
    for (int i = 0; i < 4; i++, bits >>= 9)
        if (!(line[bits >> 6 & 7] >> (bits & 63) & 1)) return true;
    return false;
}

/* ---- what is asked ---- */

static enum dp_status find(const struct dedupe_recent *r, const struct dedupe_entry *name, int64_t *t, bool *has, struct dp_err *err) {
    *has = false;
    const struct dedupe_entry *s = r->slots ? place(r, name) : NULL;
    if (s && !is_free(s)) {
        *has = true, *t = s->t;
        return DP_OK;
    }
    for (size_t i = r->n_runs; i-- && !*has;)
        if (!is_filtered(&r->runs[i], name)) DP_TRY(find_in_run(&r->runs[i], name, t, has, err));
    return DP_OK;
}

static bool is_near(const struct dedupe_recent *r, int64_t a, int64_t b) {
    uint64_t apart = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    return apart <= (uint64_t)r->within;
}

/* The table is full: what is old goes, then it grows, then it becomes a run. */
static enum dp_status make_room(struct dedupe_recent *r, struct dp_err *err) {
    size_t live = 0, all = r->slots ? r->n_slots + SLACK : 0;
    if (!all) return rebuild(r, FIRST), DP_OK;
    for (size_t i = 0; i < all; i++) live += !is_free(&r->slots[i]) && r->slots[i].t >= r->before;
    bool may_grow = 3 * bytes_of(r->n_slots) <= r->memory / 8 * 5; /* both are there for a while */
    if (live > r->n_slots / 2 && !may_grow) return spill(r, err);
    rebuild(r, live > r->n_slots / 4 && may_grow ? r->n_slots * 2 : r->n_slots);
    return DP_OK;
}

static enum dp_status keep(struct dedupe_recent *r, struct dedupe_entry name, int64_t t, struct dp_err *err) {
    struct dedupe_entry *s = NULL;
    while (!s) {
        if (!r->slots || r->used >= r->n_slots / 10 * 7) DP_TRY(make_room(r, err));
        else if (!(s = place(r, &name))) rebuild(r, r->n_slots * 2);
    }
    name.t = t;
    *s = name;
    r->used++, r->count++;
    return DP_OK;
}

enum dp_status dedupe_recent_add(struct dedupe_recent *r, struct dp_key key, int64_t t, bool *near, struct dp_err *err) {
    const uint64_t span = (uint64_t)span_of(r, t);
    const struct dedupe_entry name = name_of(key, span);
    int64_t kept = 0;
    DP_TRY(find(r, &name, &kept, near, err));
    for (uint64_t side = 0; side < 2 && !*near; side++) {
        const struct dedupe_entry beside = name_of(key, side ? span + 1 : span - 1);
        DP_TRY(find(r, &beside, &kept, near, err));
        *near = *near && is_near(r, kept, t);
    }
    return *near ? DP_OK : keep(r, name, t, err);
}

/* ---- checkpoints ---- */

struct dedupe_entry dedupe_recent_entry(const struct dedupe_recent *r, struct dp_key key, int64_t t) {
    struct dedupe_entry e = name_of(key, (uint64_t)span_of(r, t));
    e.t = t;
    return e;
}

enum dp_status dedupe_recent_load(struct dedupe_recent *r, const struct dedupe_entry *e, struct dp_err *err) {
    return is_free(e) || e->t < r->before ? DP_OK : keep(r, *e, e->t, err);
}

enum dp_status dedupe_recent_each(const struct dedupe_recent *r, enum dp_status (*one)(void *ctx, const struct dedupe_entry *e, struct dp_err *err), void *ctx, struct dp_err *err) {
    struct dedupe_entry block[BLOCK];
    for (size_t i = 0; r->slots && i < r->n_slots + SLACK; i++)
        if (!is_free(&r->slots[i]) && r->slots[i].t >= r->before) DP_TRY(one(ctx, &r->slots[i], err));
    for (size_t i = 0; i < r->n_runs; i++)
        for (uint64_t at = 0; at < r->runs[i].n; at += BLOCK) {
            size_t n = r->runs[i].n - at < BLOCK ? (size_t)(r->runs[i].n - at) : BLOCK;
            DP_TRY(read_entries(&r->runs[i], at, block, n, err));
            for (size_t k = 0; k < n; k++)
                if (block[k].t >= r->before) DP_TRY(one(ctx, &block[k], err));
        }
    return DP_OK;
}

void dedupe_recent_forget(struct dedupe_recent *r, int64_t before) {
    if (before > r->before) r->before = before;
}
