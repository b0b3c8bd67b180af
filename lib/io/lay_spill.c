/*
 * Rows in a temporary file that has no name: a batch as its columns' raw buffers, one behind the other.  Read by the process that wrote it
 * and by nobody else, so there is no version and no check beyond the sizes.
 */
#include "lay_priv.h"

#include <stdlib.h>
#include <unistd.h>

static void put_column(struct dp_buf *b, const struct dp_column *c) {
    int64_t head[4] = {c->length, c->null_count, c->validity != NULL, (int64_t)c->data_n};
    dp_buf_add(b, head, sizeof head);
    if (c->validity) dp_buf_add(b, c->validity, (size_t)(c->length + 7) / 8);
    bool has_offsets = c->offsets != NULL;
    dp_buf_addc(b, has_offsets);
    if (has_offsets) dp_buf_add(b, c->offsets, (size_t)(c->length + 1) * sizeof *c->offsets);
    dp_buf_add(b, c->data, c->data_n);
    for (size_t i = 0; i < c->n_children; i++) put_column(b, &c->children[i]);
}

/* Replaces a buffer that a fresh column may have already. */
static void *take(const char **p, size_t n, void *before, size_t *cap) {
    if (*cap) free(before);
    *cap = (n + 7) / 8 * 8 + 8;
    void *to = dp_alloc(*cap);
    if (n) memcpy(to, *p, n);
    *p += n;
    return to;
}

static void get_column(const char **p, struct dp_column *c) {
    int64_t head[4];
    memcpy(head, *p, sizeof head);
    *p += sizeof head;
    c->length = head[0], c->null_count = head[1], c->data_n = (size_t)head[3];
    if (head[2]) c->validity = take(p, (size_t)(c->length + 7) / 8, c->validity, &c->validity_cap);
    bool has_offsets = *(*p)++;
    if (has_offsets) c->offsets = take(p, (size_t)(c->length + 1) * sizeof *c->offsets, c->offsets, &c->offsets_cap);
    if (c->data_n) c->data = take(p, c->data_n, c->data, &c->data_cap);
    for (size_t i = 0; i < c->n_children; i++) get_column(p, &c->children[i]);
}

static enum dp_status write_at_end(struct dp_lay_spill *s, const struct dp_batch *b, struct dp_lay_extent *out, struct dp_err *err) {
    dp_buf_reset(&s->buf);
    for (size_t i = 0; i < b->n_columns; i++) put_column(&s->buf, &b->columns[i]);
    if (!s->is_open) {
        DP_TRY(dp_spill_open(&s->fd, err));
        s->is_open = true;
    }
    *out = (struct dp_lay_extent){s->size, s->buf.n, b->length};
    if (dp_fd_write(s->fd, s->buf.p, s->buf.n, err) != DP_OK) return dp_err_prefix(err, "spilling: ");
    s->size += s->buf.n;
    return DP_OK;
}

enum dp_status dp_lay_spill_write(struct dp_lay_spill *s, const struct dp_batch *b, int64_t from, int64_t n, struct dp_lay_extent *out, struct dp_err *err) {
    if (from == 0 && n == b->length) return write_at_end(s, b, out, err);
    struct dp_batch part;
    dp_batch_init(&part, b->schema);
    dp_batch_append(&part, b, from, n);
    enum dp_status status = write_at_end(s, &part, out, err);
    dp_batch_release(&part);
    return status;
}

enum dp_status dp_lay_spill_read(struct dp_lay_spill *s, const struct dp_lay_extent *x, struct dp_batch *b, struct dp_err *err) {
    const struct dp_type *schema = b->schema;
    dp_buf_reset(&s->buf);
    if (dp_fd_pread(s->fd, dp_buf_reserve(&s->buf, x->n + 1), x->n, x->offset, err) != DP_OK) return dp_err_prefix(err, "reading what was spilled: ");
    const char *p = s->buf.p;
    dp_batch_release(b);
    dp_batch_init(b, schema);
    for (size_t i = 0; i < b->n_columns; i++) get_column(&p, &b->columns[i]);
    b->length = x->rows;
    return DP_OK;
}

void dp_lay_spill_close(struct dp_lay_spill *s) {
    if (s->is_open) close(s->fd);
    s->is_open = false;
    dp_buf_release(&s->buf);
}
