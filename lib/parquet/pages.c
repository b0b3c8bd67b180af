/*
 * Pages as bytes (dp/parquet/pages.h): each column chunk from its first page to its end, header by header; bodies decompressed, nothing decoded.
 */
#include "skip_priv.h"

#include <dp/parquet/pages.h>

struct walking {
    const struct dp_pq_file *f;
    struct dp_codec *codec;
    struct dp_buf stored, raw;
    enum dp_status (*fn)(void *ctx, const struct dp_pq_page_bytes *p, struct dp_err *err);
    void *ctx;
};

static enum dp_status damaged(const struct walking *w, const struct dp_pq_page_bytes *p, const char *what, struct dp_err *err) {
    dp_err_set(err, DP_FORMAT, "row group %zu, leaf %zu: %s", p->row_group, p->leaf, what);
    dp_err_at(err, w->f->name, 0, p->offset);
    return DP_FORMAT;
}

static enum dp_status room(const struct walking *w, struct dp_buf *b, size_t n, struct dp_err *err) {
    if (n > DP_LIMIT_PAGE || (w->f->bound && n > w->f->bound)) return dp_err_set(err, DP_LIMIT, "%s: a page of %zu bytes", w->f->name, n);
    dp_buf_reset(b);
    (void)dp_buf_reserve(b, n + 1);
    b->n = n;
    return DP_OK;
}

/* Headers with long bounds need more than the first try. */
static enum dp_status read_header(struct walking *w, const struct dp_pq_page_bytes *p, uint64_t end, struct dp_pq_page_header *h, size_t *used, struct dp_err *err) {
    for (size_t want = 512;; want *= 16) {
        struct dp_err fault = DP_ERR_INIT;
        bool is_all = want >= end - p->offset || want >= DP_LIMIT_PAGE_HEADER;
        if (want > end - p->offset) want = (size_t)(end - p->offset);
        if (want > DP_LIMIT_PAGE_HEADER) want = DP_LIMIT_PAGE_HEADER;
        DP_TRY(room(w, &w->stored, want, err));
        DP_TRY(pq_read_at(w->f, w->stored.p, want, p->offset, err));
        if (dp_pq_page_header_parse(w->stored.p, want, h, used, &fault) == DP_OK) return DP_OK;
        if (is_all) return damaged(w, p, fault.msg, err);
    }
}

/* The body behind the header at p->offset. */
static enum dp_status read_body(struct walking *w, const struct dp_pq_chunk *c, const struct dp_pq_page_header *h, size_t used, struct dp_pq_page_bytes *p, struct dp_err *err) {
    size_t stored = (size_t)h->compressed_size, raw = (size_t)h->uncompressed_size, levels = 0;
    DP_TRY(room(w, &w->stored, stored, err));
    if (stored) DP_TRY(pq_read_at(w->f, w->stored.p, stored, p->offset + used, err));
    if (h->type == DP_PQ_DATA_PAGE_V2) levels = (size_t)(h->def_bytes + h->rep_bytes);
    p->bytes = dp_buf_str(&w->stored);
    if (c->codec == DP_PQ_UNCOMPRESSED || stored == levels || (h->type == DP_PQ_DATA_PAGE_V2 && !h->is_compressed && stored == raw)) return DP_OK;
    if (raw < levels) return damaged(w, p, "levels run past the page", err);
    DP_TRY(room(w, &w->raw, raw, err));
    memcpy(w->raw.p, w->stored.p, levels);
    DP_TRY(dp_codec_decompress(w->codec, c->codec, w->stored.p + levels, stored - levels, w->raw.p + levels, raw - levels, err));
    p->bytes = dp_buf_str(&w->raw);
    return DP_OK;
}

static enum dp_status walk_chunk(struct walking *w, size_t row_group, size_t leaf, struct dp_err *err) {
    const struct dp_pq_chunk *c = &w->f->meta.row_groups[row_group].chunks[leaf];
    struct dp_pq_page_bytes p = {.row_group = row_group, .leaf = leaf};
    int64_t start = c->data_page_offset, end;
    if (c->num_values == 0) return DP_OK; /* offsets may be anything */
    if (c->encrypted) return dp_err_set(err, DP_UNSUPPORTED, "%s: leaf %zu is encrypted", w->f->name, leaf);
    if (c->file_path.n) return dp_err_set(err, DP_UNSUPPORTED, "%s: data is in another file (%.*s): this is a summary file", w->f->name, DP_STR_FMT(c->file_path));
    if (c->dictionary_page_offset > 0 && c->dictionary_page_offset < start) start = c->dictionary_page_offset;
    if (start < 4 || c->total_compressed < 0 || dp_add_overflow(start, c->total_compressed, &end) || (uint64_t)end > w->f->data_end) return damaged(w, &p, "the column chunk lies outside of the file", err);
    for (p.offset = (uint64_t)start; p.offset < (uint64_t)end;) {
        struct dp_pq_page_header h;
        size_t used;
        DP_TRY(read_header(w, &p, (uint64_t)end, &h, &used, err));
        if ((uint64_t)h.compressed_size > (uint64_t)end - p.offset - used) return damaged(w, &p, "the page runs past its column chunk", err);
        p.is_dictionary = h.type == DP_PQ_DICTIONARY_PAGE, p.num_values = h.num_values;
        if (p.is_dictionary || h.type == DP_PQ_DATA_PAGE || h.type == DP_PQ_DATA_PAGE_V2) {
            DP_TRY(read_body(w, c, &h, used, &p, err));
            DP_TRY(w->fn(w->ctx, &p, err));
        }
        p.offset += used + (size_t)h.compressed_size;
    }
    return DP_OK;
}

enum dp_status dp_pq_each_page(const struct dp_pq_file *f, enum dp_status (*fn)(void *ctx, const struct dp_pq_page_bytes *p, struct dp_err *err), void *ctx, struct dp_err *err) {
    struct walking w = {.f = f, .codec = dp_codec_open(), .fn = fn, .ctx = ctx};
    enum dp_status status = DP_OK;
    for (size_t g = 0; g < f->meta.n_row_groups && status == DP_OK; g++)
        for (size_t l = 0; l < f->meta.n_leaves && l < f->meta.row_groups[g].n_chunks && status == DP_OK; l++) status = walk_chunk(&w, g, l, err);
    dp_codec_close(w.codec);
    dp_buf_release(&w.stored), dp_buf_release(&w.raw);
    return status;
}

/* The type of a leaf, as the schema tree has it. */
static const struct dp_type *type_of(const struct dp_pq_node *node, size_t leaf) {
    if (node->leaf == (int32_t)leaf) return node->type;
    const struct dp_type *t = NULL;
    for (size_t i = 0; i < node->n_children && !t; i++) t = type_of(&node->children[i], leaf);
    return t;
}

enum dp_maybe dp_pq_bloom_ask(const struct dp_pq_file *f, size_t row_group, size_t leaf, enum dp_kind kind, struct dp_str value) {
    struct pq_bloom b;
    const struct dp_type *t = type_of(f->root, leaf);
    if (!t || !pq_bloom_open(f, row_group, leaf, &b)) return DP_ALWAYS;
    return pq_bloom_lacks(f, &b, leaf, t, kind, value) ? DP_NEVER : DP_MAYBE;
}
