/*
 * Sorted runs of the window operator (window_priv.h): what does not fit in memory, in unlinked files of $TMPDIR.
 *
 * An entry is its head (three 32-bit numbers of this machine: bytes of the key, of the value, flags), key and value.  Every 4 KiB or so a block begins, and where is remembered,
 * with eight bytes of its first key (every key has that many): a key is found by halves over these, over the whole first keys of blocks that are the same in them, and through one block.
 */
#include "window_priv.h"

#include <dp/base/file.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEAD = 12, BLOCK = 4096, BUFFER = 32768 };

enum dp_status dp_window_run_open(struct dp_window_run **out, struct dp_err *err) {
    struct dp_window_run *r = dp_calloc(1, sizeof *r);
    enum dp_status status = dp_spill_open(&r->fd, err);
    if (status != DP_OK) {
        free(r);
        return status;
    }
    r->last = INT64_MIN;
    r->block = BLOCK;
    *out = r;
    return DP_OK;
}

void dp_window_run_free(struct dp_window_run *r) {
    if (!r || r->refs--) return;
    (void)close(r->fd);
    free(r->blocks);
    free(r->heads);
    free(r->filter);
    dp_buf_release(&r->out);
    free(r);
}

static enum dp_status write_out(struct dp_window_run *r, struct dp_err *err) {
    DP_TRY(dp_fd_write(r->fd, r->out.p, r->out.n, err));
    dp_buf_reset(&r->out);
    return DP_OK;
}

enum dp_status dp_window_run_put(struct dp_window_run *r, const struct dp_window_item *item, struct dp_err *err) {
    if (item->key.n > UINT32_MAX || item->value.n > UINT32_MAX) return dp_err_set(err, DP_LIMIT, "the state of one window is over 4 GiB");
    if (!r->n_blocks || r->bytes - r->blocks[r->n_blocks - 1] >= r->block) {
        if (r->n_blocks == r->cap_blocks) r->blocks = dp_grow(r->blocks, &r->cap_blocks, r->n_blocks + 1, sizeof *r->blocks);
        if (r->n_blocks == r->cap_heads) r->heads = dp_grow(r->heads, &r->cap_heads, r->n_blocks + 1, sizeof *r->heads);
        r->heads[r->n_blocks] = dp_window_peek64(item->key.p);
        r->blocks[r->n_blocks++] = r->bytes;
    }
    uint32_t head[3] = {(uint32_t)item->key.n, (uint32_t)item->value.n, item->flags};
    dp_buf_add(&r->out, head, sizeof head);
    dp_buf_adds(&r->out, item->key);
    dp_buf_adds(&r->out, item->value);
    r->bytes += HEAD + item->key.n + item->value.n;
    r->entries++;
    return r->out.n >= BUFFER ? write_out(r, err) : DP_OK;
}

enum dp_status dp_window_run_end(struct dp_window_run *r, struct dp_err *err) {
    DP_TRY(write_out(r, err));
    dp_buf_release(&r->out);
    return DP_OK;
}

/* The entry at p, as long as it is whole in n bytes: its size, else 0. */
static size_t entry(const char *p, size_t n, struct dp_window_item *item) {
    uint32_t head[3];
    if (n < HEAD) return 0;
    memcpy(head, p, sizeof head);
    size_t size = (size_t)HEAD + head[0] + head[1];
    if (n < size) return 0;
    *item = (struct dp_window_item){{p + HEAD, head[0]}, {p + HEAD + head[0], head[1]}, head[2]};
    return size;
}

/* The first block whose head is not before one. */
static size_t head_from(const struct dp_window_run *r, uint64_t head) {
    size_t lo = 0, hi = r->n_blocks;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->heads[mid] < head) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

/* The number of the last block whose first key is not behind `key`; the first where all are. */
static enum dp_status block_of(const struct dp_window_run *r, struct dp_str key, size_t *out, struct dp_err *err) {
    uint64_t head = dp_window_peek64(key.p);
    size_t lo = head_from(r, head), hi = head == UINT64_MAX ? r->n_blocks : head_from(r, head + 1);
    if (lo) lo--;
    struct dp_buf long_key = {0};
    enum dp_status status = DP_OK;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        char near[HEAD + 116];
        uint64_t left = r->bytes - r->blocks[mid];
        uint32_t n;
        DP_TRY_OUT(dp_fd_pread(r->fd, near, left < sizeof near ? (size_t)left : sizeof near, r->blocks[mid], err));
        memcpy(&n, near, sizeof n);
        struct dp_str first = dp_str(near + HEAD, n);
        if (n > sizeof near - HEAD) {
            dp_buf_reset(&long_key);
            DP_TRY_OUT(dp_fd_pread(r->fd, dp_buf_reserve(&long_key, n), n, r->blocks[mid] + HEAD, err));
            first.p = long_key.p;
        }
        if (dp_str_cmp(first, key) <= 0) lo = mid;
        else hi = mid;
    }
    *out = lo;
out:
    dp_buf_release(&long_key);
    return status;
}

enum dp_status dp_window_run_find(const struct dp_window_run *r, struct dp_str key, struct dp_buf *buf, struct dp_window_item *item, bool *found, struct dp_err *err) {
    size_t b;
    *found = false;
    if (!r->n_blocks) return DP_OK;
    DP_TRY(block_of(r, key, &b, err));
    uint64_t end = b + 1 < r->n_blocks ? r->blocks[b + 1] : r->bytes;
    size_t n = (size_t)(end - r->blocks[b]), size;
    dp_buf_reset(buf);
    DP_TRY(dp_fd_pread(r->fd, dp_buf_reserve(buf, n), n, r->blocks[b], err));
    for (const char *p = buf->p; (size = entry(p, n, item)) != 0; p += size, n -= size) {
        int c = dp_str_cmp(item->key, key);
        if (c >= 0) {
            *found = c == 0;
            break;
        }
    }
    return DP_OK;
}

/* ---- cursors ---- */

enum dp_status dp_window_cursor_next(struct dp_window_cursor *c, struct dp_err *err) {
    size_t size;
    while (!(size = c->buf.n ? entry(c->buf.p + c->pos, c->buf.n - c->pos, &c->item) : 0)) {
        uint64_t left = c->run->bytes - c->at;
        size_t rest = c->buf.n - c->pos, want = BUFFER;
        if (!left) {
            c->is_end = true;
            return DP_OK;
        }
        if (rest) memmove(c->buf.p, c->buf.p + c->pos, rest);
        c->buf.n = rest, c->pos = 0;
        if (rest >= HEAD) {
            uint32_t head[3];
            memcpy(head, c->buf.p, sizeof head);
            size_t whole = (size_t)HEAD + head[0] + head[1];
            if (whole > rest + want) want = whole - rest;
        }
        if (want > left) want = (size_t)left;
        DP_TRY(dp_fd_pread(c->run->fd, dp_buf_reserve(&c->buf, want), want, c->at, err));
        c->buf.n += want, c->at += want;
    }
    c->pos += size;
    return DP_OK;
}

enum dp_status dp_window_cursor_open(struct dp_window_cursor *c, const struct dp_window_run *r, struct dp_str from, struct dp_err *err) {
    size_t b = 0;
    *c = (struct dp_window_cursor){.run = r, .is_end = !r->n_blocks};
    if (c->is_end) return DP_OK;
    if (from.n) DP_TRY(block_of(r, from, &b, err));
    c->at = r->blocks[b];
    dp_buf_reserve(&c->buf, BUFFER);
    do DP_TRY(dp_window_cursor_next(c, err));
    while (!c->is_end && from.n && dp_str_cmp(c->item.key, from) < 0);
    return DP_OK;
}

enum dp_status dp_window_cursor_fork(struct dp_window_cursor *c, const struct dp_window_cursor *of, struct dp_err *err) {
    *c = (struct dp_window_cursor){.run = of->run, .is_end = of->is_end};
    if (c->is_end) return DP_OK;
    c->at = of->at - (of->buf.n - of->pos) - (HEAD + of->item.key.n + of->item.value.n);
    return dp_window_cursor_next(c, err);
}

void dp_window_cursor_close(struct dp_window_cursor *c) {
    dp_buf_release(&c->buf);
    *c = (struct dp_window_cursor){.is_end = true};
}

struct dp_window_cursor *dp_window_cursor_least(struct dp_window_cursor *c, size_t n) {
    struct dp_window_cursor *least = NULL;
    for (size_t i = 0; i < n; i++)
        if (!c[i].is_end && (!least || dp_str_cmp(c[i].item.key, least->item.key) <= 0)) least = &c[i];
    return least;
}
