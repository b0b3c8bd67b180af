/*
 * One file of a durable state (its format: state_priv.h): writing and reading blocks of entries, and merging files.
 *
 * A reader trusts nothing: a block is used when its checksum holds, its length is within the file, and its entries within it; keys must ascend.  The checksum's seed
 * holds the state's name, the file's number and the block's, so a whole block from elsewhere is as wrong as a flipped bit.
 */
#include "state_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static const char magic[8] = {'d', 'p', 's', 't', 'a', 't', 'e', 1};
enum { BLOCK_HEAD = 16, WRITE = 512 << 10 };

static void put_int(char *to, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (char)(v >> (8 * i));
}

static uint64_t get_int(const char *p, int bytes) {
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--) v = v << 8 | (unsigned char)p[i];
    return v;
}

static void add_int(struct dp_buf *b, uint64_t v) {
    put_int(dp_buf_reserve(b, 8), v, 8);
    b->n += 8;
}

static uint64_t mix(uint64_t a, uint64_t b) {
    char x[16];
    put_int(x, a, 8), put_int(x + 8, b, 8);
    return XXH3_64bits(x, sizeof x);
}

/* Of block number i (from 0) of a file; head: its first eight bytes. */
static uint64_t checksum(uint64_t seed, uint64_t i, const char *head, const char *payload, size_t n) {
    return XXH3_64bits_withSeed(payload, n, mix(seed + i, get_int(head, 8)));
}

/* ---- entries ---- */

static void add_varint(struct dp_buf *b, uint64_t v) {
    for (; v >= 128; v >>= 7) dp_buf_addc(b, (char)(v | 128));
    dp_buf_addc(b, (char)v);
}

static bool take_varint(struct dp_str *in, uint64_t *out) {
    uint64_t v = 0;
    for (unsigned shift = 0; in->n && shift < 35; shift += 7) { /* lengths are below 2^31 */
        unsigned char c = (unsigned char)*in->p++;
        in->n--;
        v |= (uint64_t)(c & 127) << shift;
        if (c < 128) return *out = v, true;
    }
    return false;
}

void dp_state_encode(struct dp_buf *b, struct dp_str key, const struct dp_str *value) {
    add_varint(b, key.n);
    add_varint(b, value ? (uint64_t)value->n + 1 : 0);
    dp_buf_adds(b, key);
    if (value) dp_buf_adds(b, *value);
}

bool dp_state_decode(struct dp_str *in, struct dp_state_entry *e) {
    uint64_t k, v;
    if (!take_varint(in, &k) || !take_varint(in, &v)) return false;
    e->is_gone = !v;
    if (v) v--;
    if (k > in->n || v > in->n - k) return false;
    e->key = dp_str(in->p, (size_t)k);
    e->value = dp_str(in->p + k, (size_t)v);
    in->p += k + v, in->n -= (size_t)(k + v);
    return true;
}

uint64_t dp_state_prefix(struct dp_str key) {
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++) v = v << 8 | (i < key.n ? (unsigned char)key.p[i] : 0);
    return v;
}

/* ---- writing ---- */

void dp_state_writer_init(struct dp_state_writer *w, int fd, uint64_t state, uint64_t number) {
    *w = (struct dp_state_writer){.fd = fd, .seed = mix(state, number), .block = SIZE_MAX};
    if (number) dp_buf_add(&w->out, magic, sizeof magic);
}

void dp_state_writer_release(struct dp_state_writer *w) { dp_buf_release(&w->out); }

static void seal_block(struct dp_state_writer *w) {
    size_t n = w->out.n - w->block - BLOCK_HEAD;
    char *head = w->out.p + w->block;
    put_int(head, n, 4);
    put_int(head + 4, w->kind, 4);
    w->check = checksum(w->seed, w->blocks++, head, head + BLOCK_HEAD, n);
    put_int(head + 8, w->check, 8);
    w->digest = mix(w->digest, w->check);
    w->block = SIZE_MAX;
}

enum dp_status dp_state_writer_flush(struct dp_state_writer *w, struct dp_err *err) {
    if (w->block != SIZE_MAX) seal_block(w);
    w->bytes += w->out.n;
    enum dp_status status = dp_fd_write(w->fd, w->out.p, w->out.n, err);
    dp_buf_reset(&w->out);
    return status;
}

static enum dp_status close_block(struct dp_state_writer *w, struct dp_err *err) {
    seal_block(w);
    return w->out.n < WRITE ? DP_OK : dp_state_writer_flush(w, err);
}

static void open_block(struct dp_state_writer *w, enum dp_state_block kind) {
    w->kind = (uint8_t)kind;
    w->block = w->out.n;
    dp_buf_reserve(&w->out, BLOCK_HEAD);
    w->out.n += BLOCK_HEAD;
}

enum dp_status dp_state_write_head(struct dp_state_writer *w, const struct dp_state_head *h, struct dp_err *err) {
    open_block(w, DP_STATE_HEAD);
    add_int(&w->out, h->number), add_int(&w->out, h->parent), add_int(&w->out, h->parent_check), add_int(&w->out, h->is_full);
    dp_buf_addz(&w->out, h->id);
    return close_block(w, err);
}

enum dp_status dp_state_write_entry(struct dp_state_writer *w, struct dp_str encoded, struct dp_err *err) {
    if (w->block != SIZE_MAX && w->out.n - w->block - BLOCK_HEAD + encoded.n > DP_STATE_BLOCK) DP_TRY(close_block(w, err));
    if (w->block == SIZE_MAX) open_block(w, DP_STATE_ENTRIES);
    dp_buf_adds(&w->out, encoded);
    w->entries++;
    return DP_OK;
}

enum dp_status dp_state_write_end(struct dp_state_writer *w, struct dp_err *err) {
    if (w->block != SIZE_MAX) DP_TRY(close_block(w, err));
    uint64_t digest = w->digest, blocks = w->blocks;
    open_block(w, DP_STATE_END);
    add_int(&w->out, w->entries), add_int(&w->out, blocks), add_int(&w->out, digest);
    DP_TRY(close_block(w, err));
    return dp_state_writer_flush(w, err);
}

/* ---- reading ---- */

static enum dp_status damaged(struct dp_err *err, const char *what) { return dp_err_set(err, DP_FORMAT, "%s", what); }

/* The next block, to c->rest. */
static enum dp_status read_block(struct dp_state_cursor *c, unsigned *kind, struct dp_err *err) {
    char head[BLOCK_HEAD];
    if (c->size - c->at < BLOCK_HEAD) return damaged(err, "it ends early");
    DP_TRY(dp_fd_pread(c->fd, head, sizeof head, c->at, err));
    uint64_t n = get_int(head, 4);
    if (n > c->size - c->at - BLOCK_HEAD) return damaged(err, "it ends early");
    dp_buf_reset(&c->block);
    DP_TRY(dp_fd_pread(c->fd, dp_buf_reserve(&c->block, (size_t)n + 1), (size_t)n, c->at + BLOCK_HEAD, err));
    c->block.n = (size_t)n;
    c->at += BLOCK_HEAD + n;
    c->check = checksum(c->seed, c->blocks++, head, c->block.p, c->block.n);
    if (c->check != get_int(head + 8, 8)) return damaged(err, "the checksum of a block does not hold");
    c->rest = dp_buf_str(&c->block);
    *kind = (unsigned)get_int(head + 4, 4);
    return DP_OK;
}

enum dp_status dp_state_cursor_open(struct dp_state_cursor *c, int fd, uint64_t size, uint64_t state, uint64_t number, struct dp_state_head *head, struct dp_err *err) {
    char begin[sizeof magic];
    unsigned kind;
    *c = (struct dp_state_cursor){.fd = fd, .size = size, .at = sizeof magic, .seed = mix(state, number)};
    if (size < sizeof magic) return damaged(err, "it ends early");
    DP_TRY(dp_fd_pread(fd, begin, sizeof begin, 0, err));
    if (memcmp(begin, magic, sizeof magic) != 0) return damaged(err, "it is no checkpoint");
    DP_TRY(read_block(c, &kind, err));
    if (kind != DP_STATE_HEAD || c->rest.n < 32 || memchr(c->rest.p + 32, 0, c->rest.n - 32)) return damaged(err, "its head");
    c->digest = mix(0, c->check);
    const char *p = c->rest.p;
    *head = (struct dp_state_head){get_int(p, 8), get_int(p + 8, 8), get_int(p + 16, 8), get_int(p + 24, 8) == 1, NULL};
    if (head->number != number || head->parent >= number || get_int(p + 24, 8) > 1) return damaged(err, "its head");
    head->id = dp_strndup(p + 32, c->rest.n - 32);
    c->rest.n = 0;
    return DP_OK;
}

void dp_state_cursor_run(struct dp_state_cursor *c, int fd, uint64_t size, uint64_t state) {
    *c = (struct dp_state_cursor){.fd = fd, .size = size, .seed = mix(state, 0), .is_run = true};
}

void dp_state_cursor_release(struct dp_state_cursor *c) { dp_buf_release(&c->block), dp_buf_release(&c->key); }

static enum dp_status at_end(const struct dp_state_cursor *c, struct dp_err *err) {
    const char *p = c->rest.p;
    if (c->rest.n != 24 || get_int(p, 8) != c->entries || get_int(p + 8, 8) != c->blocks - 1 || get_int(p + 16, 8) != c->digest || c->at != c->size)
        return damaged(err, "its end");
    return DP_END;
}

enum dp_status dp_state_cursor_next(struct dp_state_cursor *c, struct dp_err *err) {
    if (c->entries && !c->is_run) { /* runs are ours: their order was seen to when they were made */
        dp_buf_reset(&c->key);
        dp_buf_adds(&c->key, c->now.key);
    }
    while (!c->rest.n) {
        unsigned kind;
        if (c->is_run && c->at == c->size) return DP_END;
        DP_TRY(read_block(c, &kind, err));
        if (kind == DP_STATE_END) return at_end(c, err);
        if (kind != DP_STATE_ENTRIES || !c->rest.n) return damaged(err, "a block of an unknown kind");
        c->digest = mix(c->digest, c->check);
    }
    const char *from = c->rest.p;
    if (!dp_state_decode(&c->rest, &c->now)) return damaged(err, "an entry");
    c->encoded = dp_str(from, (size_t)(c->rest.p - from));
    uint64_t prefix = dp_state_prefix(c->now.key);
    if (c->entries && !c->is_run && (prefix < c->prefix || (prefix == c->prefix && dp_str_cmp(dp_buf_str(&c->key), c->now.key) >= 0)))
        return damaged(err, "its order");
    c->prefix = prefix;
    c->entries++;
    return DP_OK;
}

/* ---- merging ---- */

static bool is_before(const struct dp_state_cursor *a, const struct dp_state_cursor *b) {
    if (a->prefix != b->prefix) return a->prefix < b->prefix;
    int c = dp_str_cmp(a->now.key, b->now.key);
    return c ? c < 0 : a < b;
}

/* heap[0] is the cursor with the least key. */
static void sink(struct dp_state_cursor **heap, size_t n, size_t i) {
    for (;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < n; k++)
            if (is_before(heap[k], heap[least])) least = k;
        if (least == i) return;
        struct dp_state_cursor *x = heap[i];
        heap[i] = heap[least];
        heap[least] = x;
        i = least;
    }
}

enum dp_status dp_state_merge(struct dp_state_cursor *c, size_t n, dp_state_take take, void *ctx, bool *is_twice, struct dp_err *err) {
    struct dp_state_cursor **heap = dp_calloc(n + 1, sizeof(struct dp_state_cursor *));
    struct dp_buf key = {0};
    size_t left = 0;
    bool has = false;
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n; i++) {
        status = dp_state_cursor_next(&c[i], err);
        if (status == DP_OK) heap[left++] = &c[i];
        else if (status != DP_END) goto out;
    }
    for (size_t i = left; i-- > 0;) sink(heap, left, i);
    while (left) {
        struct dp_state_cursor *x = heap[0];
        if (n > 1 && has && dp_str_eq(dp_buf_str(&key), x->now.key)) {
            if (is_twice) *is_twice = true;
        } else {
            if (n > 1) dp_buf_reset(&key), dp_buf_adds(&key, x->now.key), has = true;
            DP_TRY_OUT(take(ctx, x, err));
        }
        status = dp_state_cursor_next(x, err);
        if (status == DP_END) heap[0] = heap[--left];
        else if (status != DP_OK) goto out;
        sink(heap, left, 0);
    }
    status = DP_OK;
out:
    free(heap);
    dp_buf_release(&key);
    return status;
}
