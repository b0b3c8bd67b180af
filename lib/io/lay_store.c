/*
 * Rows that wait for their file, as columns' raw buffers in blocks, in memory and beyond a bound in a temporary file without a name.
 * Read by the process that wrote it and by nobody else, so there is no version and no check beyond the sizes.
 */
#include "lay_priv.h"

#include <dp/base/num.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK (256u << 10)
#define ALIGN 8u

/* ---- rows to bytes and back ---- */

static void put_bytes(struct dp_buf *b, const void *p, size_t n) {
    char *to = dp_buf_reserve(b, n + ALIGN);
    if (n) memcpy(to, p, n);
    memset(to + n, 0, ALIGN);
    b->n += (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* Bytes of values of a column with so many rows; those of variable size are told by their offsets. */
static size_t value_bytes(const struct dp_column *c, int64_t rows) {
    if (c->type->id == DP_TYPE_BOOLEAN) return (size_t)(rows + 7) / 8;
    if (dp_type_is_bytes(c->type)) return (size_t)c->offsets[rows];
    return dp_type_width(c->type) * (size_t)rows;
}

static void put_column(struct dp_buf *b, const struct dp_column *c) {
    uint64_t has_nulls = c->validity != NULL;
    put_bytes(b, &has_nulls, 1);
    if (has_nulls) put_bytes(b, c->validity, (size_t)(c->length + 7) / 8);
    if (c->offsets) put_bytes(b, c->offsets, (size_t)(c->length + 1) * sizeof *c->offsets);
    put_bytes(b, c->data, value_bytes(c, c->length));
    for (size_t i = 0; i < c->n_children; i++) put_column(b, &c->children[i]);
}

static void *take(char **p, size_t n) {
    char *at = *p;
    *p += (n + ALIGN - 1) / ALIGN * ALIGN;
    return at;
}

/* Buffers of its own are given up for borrowed ones. */
static void forget_own(struct dp_column *c) {
    if (c->validity_cap) free(c->validity);
    if (c->offsets_cap) free(c->offsets);
    if (c->data_cap) free(c->data);
    c->validity_cap = c->offsets_cap = c->data_cap = 0;
}

static void view_column(char **p, struct dp_column *c, int64_t rows) {
    forget_own(c);
    bool has_nulls = *(const uint8_t *)take(p, 1) != 0, has_offsets = dp_type_is_bytes(c->type) || c->type->id == DP_TYPE_LIST || c->type->id == DP_TYPE_MAP;
    c->length = rows;
    c->validity = has_nulls ? take(p, (size_t)(rows + 7) / 8) : NULL;
    c->offsets = has_offsets ? take(p, (size_t)(rows + 1) * sizeof *c->offsets) : NULL;
    c->null_count = c->type->id == DP_TYPE_NONE ? rows : has_nulls ? rows - dp_bits_count(c->validity, 0, rows) : 0;
    c->data_n = value_bytes(c, rows);
    c->data = take(p, c->data_n);
    int64_t below = c->type->id == DP_TYPE_STRUCT ? rows : has_offsets ? c->offsets[rows] : 0;
    for (size_t i = 0; i < c->n_children; i++) view_column(p, &c->children[i], below);
}

/* ---- blocks ---- */

static enum dp_status write_block(struct dp_lay_store *s, struct dp_lay_block *b, struct dp_err *err) {
    if (!s->is_open) {
        DP_TRY(dp_spill_open(&s->fd, err));
        s->is_open = true;
    }
    if (b->room < b->n) b->place = s->size, b->room = b->cap, s->size += b->cap;
    for (size_t at = 0; at < b->n;) {
        ssize_t r = pwrite(s->fd, b->mem + at, b->n - at, (off_t)(b->place + at));
        if (r < 0) {
            if (errno == EINTR) continue;
            return dp_err_sys(err, DP_IO, "spilling: can't write");
        }
        at += (size_t)r;
    }
    s->spilled += b->n;
    return DP_OK;
}

static void free_memory(struct dp_lay_store *s, struct dp_lay_block *b) {
    free(b->mem);
    b->mem = NULL;
    s->held -= b->cap;
}

/* Until `more` bytes fit; round the blocks from where it stopped last. */
static enum dp_status make_room(struct dp_lay_store *s, size_t more, struct dp_err *err) {
    for (size_t i = 0; i < s->n_blocks && s->held > 0 && s->held + more > s->memory; i++) {
        s->oldest = s->oldest < s->n_blocks ? s->oldest : 0;
        struct dp_lay_block *b = &s->blocks[s->oldest++];
        if (!b->mem) continue;
        if (b->live) DP_TRY(write_block(s, b, err));
        free_memory(s, b);
    }
    return DP_OK;
}

static enum dp_status new_block(struct dp_lay_store *s, size_t least, struct dp_err *err) {
    size_t cap = least > BLOCK ? least : BLOCK;
    s->current = 0;
    DP_TRY(make_room(s, cap, err));
    if (!s->free) {
        s->blocks = dp_grow(s->blocks, &s->cap, s->n_blocks + 1, sizeof *s->blocks);
        s->blocks[s->n_blocks] = (struct dp_lay_block){0};
        s->free = (uint32_t)++s->n_blocks;
    }
    s->current = s->free;
    struct dp_lay_block *b = &s->blocks[s->current - 1];
    s->free = b->next_free;
    b->mem = dp_alloc(cap);
    b->cap = cap, b->n = 0;
    s->held += cap;
    return DP_OK;
}

enum dp_status dp_lay_store_put(struct dp_lay_store *s, const struct dp_batch *b, struct dp_lay_extent *out, struct dp_err *err) {
    dp_buf_reset(&s->buf);
    for (size_t i = 0; i < b->n_columns; i++) put_column(&s->buf, &b->columns[i]);
    struct dp_lay_block *at = s->current ? &s->blocks[s->current - 1] : NULL;
    if (!at || at->n + s->buf.n > at->cap) {
        DP_TRY(new_block(s, s->buf.n, err));
        at = &s->blocks[s->current - 1];
    }
    *out = (struct dp_lay_extent){.n = s->buf.n, .block = s->current - 1, .offset = (uint32_t)at->n, .rows = (uint32_t)b->length};
    if (s->buf.n) memcpy(at->mem + at->n, s->buf.p, s->buf.n);
    at->n += s->buf.n;
    at->live++;
    if (s->buf.cap > 4u << 20) dp_buf_release(&s->buf); /* a huge record's */
    return DP_OK;
}

enum dp_status dp_lay_store_view(struct dp_lay_store *s, const struct dp_lay_extent *x, struct dp_batch *b, struct dp_buf *copy, struct dp_err *err) {
    const struct dp_lay_block *at = &s->blocks[x->block];
    struct dp_buf *to = copy ? copy : &s->read;
    char *p = at->mem ? at->mem + x->offset : NULL;
    if (!p || copy) {
        dp_buf_reset(to);
        char *into = dp_buf_reserve(to, x->n + 1);
        if (p) memcpy(into, p, x->n);
        else if (dp_fd_pread(s->fd, into, x->n, at->place + x->offset, err) != DP_OK) return dp_err_prefix(err, "reading what was spilled: ");
        p = into;
    }
    for (size_t i = 0; i < b->n_columns; i++) view_column(&p, &b->columns[i], x->rows);
    b->length = x->rows;
    return DP_OK;
}

void dp_lay_store_drop(struct dp_lay_store *s, const struct dp_lay_extent *x) {
    struct dp_lay_block *b = &s->blocks[x->block];
    if (b->live) b->live--;
    if (b->live) return;
    b->n = 0;
    if (x->block + 1 == s->current) return;
    if (b->mem) free_memory(s, b);
    b->next_free = s->free;
    s->free = x->block + 1;
}

void dp_lay_store_close(struct dp_lay_store *s) {
    if (s->is_open) close(s->fd);
    for (size_t i = 0; i < s->n_blocks; i++) free(s->blocks[i].mem);
    free(s->blocks);
    dp_buf_release(&s->buf);
    dp_buf_release(&s->read);
    *s = (struct dp_lay_store){0};
}
