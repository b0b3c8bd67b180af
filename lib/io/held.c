/*
 * Records that wait for their types (dp/io/held.h).  In the store each record stands behind its struct dp_held_record.
 */
#include <dp/base/file.h>
#include <dp/io/held.h>

#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

/* ---- lists ---- */

/* A huge record's copy is not kept beside the next copy of it. */
static void let_go(struct dp_buf *b) {
    if (b->n >= BLOCK || b->cap <= 4 * BLOCK) return;
    b->cap = 2 * BLOCK;
    b->p = dp_realloc(b->p, b->cap);
}

void dp_held_add(struct dp_held *h, struct dp_held_record x, struct dp_str raw) {
    x.at = h->text.n, x.n = raw.n;
    h->v = dp_grow(h->v, &h->cap, h->n + 1, sizeof *h->v);
    h->v[h->n++] = x;
    dp_buf_adds(&h->text, raw);
    dp_buf_addc(&h->text, '\n');
}

void dp_held_reset(struct dp_held *h) {
    h->n = 0;
    dp_buf_reset(&h->text);
}

void dp_held_free_text(struct dp_held *h) {
    dp_buf_reset(&h->text);
    let_go(&h->text);
}

void dp_held_release(struct dp_held *h) {
    free(h->v);
    dp_buf_release(&h->text);
    *h = (struct dp_held){0};
}

/* ---- the store ---- */

enum dp_status dp_held_store_add(struct dp_held_store *s, struct dp_held_record x, struct dp_str raw, struct dp_err *err) {
    x.n = raw.n;
    dp_buf_add(&s->block, &x, sizeof x);
    dp_buf_adds(&s->block, raw);
    s->text += raw.n + 1;
    s->n++;
    if (s->block.n < BLOCK) return DP_OK;
    if (!s->is_open) {
        DP_TRY(dp_spill_open(&s->fd, err));
        s->is_open = true;
    }
    if (dp_fd_write(s->fd, s->block.p, s->block.n, err) != DP_OK) return dp_err_prefix(err, "spilling: ");
    s->size += s->block.n;
    dp_buf_reset(&s->block);
    let_go(&s->block);
    return DP_OK;
}

struct taking {
    dp_held_take take;
    void *ctx;
    struct dp_held some;
};

static enum dp_status hand_over(struct taking *t, struct dp_err *err) {
    enum dp_status status = t->take(t->ctx, &t->some, err);
    t->some.n = 0;
    dp_held_free_text(&t->some);
    return status;
}

/* The first n bytes are used up. */
static void take_front(struct dp_buf *b, size_t n) {
    if (n) memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    let_go(b);
}

/* The records in a buffer, as far as they are whole; the rest stays at its front. */
static enum dp_status take_block(struct taking *t, struct dp_buf *b, struct dp_err *err) {
    size_t at = 0;
    struct dp_held_record x;
    while (b->n - at >= sizeof x) {
        memcpy(&x, b->p + at, sizeof x);
        if (b->n - at - sizeof x < x.n) break;
        dp_held_add(&t->some, x, dp_str(b->p + at + sizeof x, x.n));
        at += sizeof x + x.n;
        if (t->some.text.n < BLOCK / 4) continue;
        take_front(b, at), at = 0;
        DP_TRY(hand_over(t, err));
    }
    take_front(b, at);
    return DP_OK;
}

enum dp_status dp_held_store_take(struct dp_held_store *s, dp_held_take take, void *ctx, struct dp_err *err) {
    struct taking t = {.take = take, .ctx = ctx};
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    for (uint64_t at = 0; at < s->size;) {
        size_t n = s->size - at < BLOCK / 4 ? (size_t)(s->size - at) : BLOCK / 4;
        DP_TRY_OUT(dp_fd_pread(s->fd, dp_buf_reserve(&b, n), n, at, err));
        b.n += n, at += n;
        DP_TRY_OUT(take_block(&t, &b, err));
    }
    DP_TRY_OUT(take_block(&t, &s->block, err));
    DP_TRY_OUT(hand_over(&t, err));
out:
    dp_held_store_release(s);
    dp_buf_release(&b);
    dp_held_release(&t.some);
    return status;
}

void dp_held_store_release(struct dp_held_store *s) {
    if (s->is_open) close(s->fd);
    dp_buf_release(&s->block);
    *s = (struct dp_held_store){0};
}
