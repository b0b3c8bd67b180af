/* Records that wait for the end (dedupe_priv.h): lines back to back, as they came, in memory and beyond it in an unlinked file. */
#include "dedupe_priv.h"

#include <dp/base/file.h>

#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

static enum dp_status spill(struct dedupe_lines *l, struct dp_err *err) {
    if (!l->is_open) {
        DP_TRY(dp_spill_open(&l->fd, err));
        l->is_open = true;
        l->most = BLOCK; /* what does not fit anyway leaves its memory to the keys */
    }
    if (dp_fd_write(l->fd, l->block.p, l->block.n, err) != DP_OK) return dp_err_prefix(err, "spilling records: ");
    l->size += l->block.n, l->spilled += l->block.n;
    dp_buf_reset(&l->block);
    if (l->block.cap > 4 * BLOCK) dp_buf_release(&l->block);
    return DP_OK;
}

enum dp_status dedupe_lines_add(struct dedupe_lines *l, struct dp_str text, uint64_t lines, struct dp_err *err) {
    dp_buf_adds(&l->block, text);
    l->n += lines;
    return l->block.n > l->most ? spill(l, err) : DP_OK;
}

struct passing {
    const struct dedupe_bits *which;
    struct dp_stream *stream;
    uint64_t number, passed;
};

/* The whole lines of p[0..n); *used is behind the last of them. */
static enum dp_status pass(struct passing *x, const char *p, size_t n, size_t *used, struct dp_err *err) {
    size_t at = 0, from = 0; /* lines from `from` to `at` go out */
    const char *nl;
    while (at < n && (nl = memchr(p + at, '\n', n - at))) {
        size_t next = (size_t)(nl - p) + 1;
        bool goes = dedupe_bits_has(x->which, x->number++);
        x->passed += goes;
        if (!goes) {
            DP_TRY(dp_stream_write(x->stream, p + from, at - from, err));
            from = next;
        }
        at = next;
    }
    *used = at;
    return dp_stream_write(x->stream, p + from, at - from, err);
}

static enum dp_status pass_file(struct dedupe_lines *l, struct passing *x, struct dp_err *err) {
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    size_t used;
    for (uint64_t at = 0; at < l->size;) {
        size_t n = l->size - at < BLOCK ? (size_t)(l->size - at) : BLOCK;
        status = dp_fd_pread(l->fd, dp_buf_reserve(&b, n), n, at, err);
        if (status != DP_OK) {
            if (err) err->status = DP_IO; /* a file of ours that ends early is the environment's fault */
            status = dp_err_prefix(err, "reading spilled records: ");
            break;
        }
        b.n += n, at += n;
        status = pass(x, b.p, b.n, &used, err);
        if (status != DP_OK) break;
        memmove(b.p, b.p + used, b.n - used);
        b.n -= used;
    }
    dp_buf_release(&b);
    return status;
}

enum dp_status dedupe_lines_pass(struct dedupe_lines *l, const struct dedupe_bits *which, struct dp_stream *s, uint64_t *n, struct dp_err *err) {
    struct passing x = {.which = which, .stream = s};
    size_t used;
    enum dp_status status = DP_OK;
    if (l->is_open && l->block.n) DP_TRY_OUT(spill(l, err));
    if (l->is_open) DP_TRY_OUT(pass_file(l, &x, err));
    else if (l->block.n) DP_TRY_OUT(pass(&x, l->block.p, l->block.n, &used, err));
    *n = x.passed;
out:
    dedupe_lines_release(l);
    return status;
}

void dedupe_lines_release(struct dedupe_lines *l) {
    if (l->is_open) close(l->fd);
    dp_buf_release(&l->block);
    l->is_open = false;
    l->size = 0;
}
