/*
 * Column chunks from an open file as they stand (dp_pq_writer_copy): pages, statistics, page index, size statistics and bloom filter
 * (spec: parquet.thrift, ColumnMetaData, PageHeader, PageIndex, BloomFilterHeader).  Page bodies are streamed through a small window and never
 * decompressed; headers are read, checked and written anew, without the statistics that some writers put there, so a chunk of damaged headers, sizes or
 * checksums is found.  What a reader knows to distrust by the name of the file's writer does not survive under our name: bounds whose order
 * is not said are left out, and chunks of a form that only such a reader can decode are not copied at all.
 */
#include "writer_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <stdio.h>
#include <zlib.h>

#include "reader_priv.h"

#define WINDOW (256u << 10)
#define BLOOM_MAX (32u << 20) /* a larger filter is left out */
#define INDEX_MAX (64u << 20) /* the same for a page index */

/* ---- what may be copied ---- */

static bool same_nodes(const struct dp_pq_node *a, const struct dp_pq_node *b) {
    if (a->type->id != b->type->id || a->n_children != b->n_children || (a->leaf < 0) != (b->leaf < 0)) return false;
    if (a->def != b->def || a->rep != b->rep || a->entry_def != b->entry_def || a->entry_rep != b->entry_rep) return false;
    const struct dp_type *x = a->type, *y = b->type;
    if (x->unit != y->unit || x->utc != y->utc || x->precision != y->precision || x->scale != y->scale || x->width != y->width) return false;
    for (size_t i = 0; i < a->n_children; i++)
        if (!same_nodes(&a->children[i], &b->children[i])) return false;
    return true;
}

/* parquet-cpp before it became Arrow's: some of its pages of version 2 say that they are not compressed, and are. */
static bool is_early_cpp(struct dp_str by) {
    static const char head[] = "parquet-cpp version ";
    return by.n >= sizeof head - 1 && !memcmp(by.p, head, sizeof head - 1);
}

static const char *cant_copy_leaf(const struct dp_pq_writer *w, size_t leaf, const struct dp_pq_file *f, size_t row_group, size_t from) {
    const struct dp_pq_leaf *l = &w->leaves[leaf];
    const struct dp_pq_element *a = l->element, *b = &f->meta.elements[f->meta.leaves[from]];
    const struct dp_pq_chunk *c = &f->meta.row_groups[row_group].chunks[from];
    if (a->type != b->type || c->type != a->type || (a->type == DP_PQ_FLBA && a->type_length != b->type_length)) return "it is stored in another physical type";
    if (a->max_def != b->max_def || a->max_rep != b->max_rep) return "its nesting differs";
    if (a->type == DP_PQ_INT96) return "it is INT96";
    if (c->encrypted || c->file_path.n) return "its data is encrypted or in another file";
    if (c->codec == DP_PQ_LZ4 || c->codec == DP_PQ_LZO) return "its codec is not written";
    if (c->codec != l->opts.codec && !w->o.keep_codec) return "it has another codec";
    if (l->opts.set_encoding) return "an encoding was asked for";
    if (c->encodings & ~(1u << DP_PQ_PLAIN | 1u << DP_PQ_PLAIN_DICTIONARY | 1u << DP_PQ_RLE | 1u << DP_PQ_BIT_PACKED | 1u << DP_PQ_DELTA_BINARY_PACKED |
                         1u << DP_PQ_DELTA_LENGTH_BYTE_ARRAY | 1u << DP_PQ_DELTA_BYTE_ARRAY | 1u << DP_PQ_RLE_DICTIONARY | 1u << DP_PQ_BYTE_STREAM_SPLIT))
        return "it has an encoding that is not known";
    if (f->chained_prefixes && (c->encodings & 1u << DP_PQ_DELTA_BYTE_ARRAY)) return "its prefixes go on over page borders";
    return NULL;
}

const char *dp_pq_writer_cant_copy(const struct dp_pq_writer *w, size_t column, const struct dp_pq_file *f, size_t row_group, size_t from) {
    size_t to = 0, n = dp_type_leaves(w->schema->children[column]);
    for (size_t i = 0; i < column; i++) to += dp_type_leaves(w->schema->children[i]);
    if (from >= f->root->n_children || row_group >= f->meta.n_row_groups) return "there is no such column";
    const struct dp_pq_node *node = &f->root->children[from];
    size_t leaf, own;
    dp_pq_column_leaves(f, from, &leaf, &own);
    if (own == 0 || n == 0 || leaf + n > f->meta.n_leaves) return "it has no data";
    if (!same_nodes(w->leaves[to].path.nodes[0], node)) return "its type differs";
    if (is_early_cpp(f->meta.created_by)) return "its writer is known for wrong page headers";
    for (size_t i = 0; i < n; i++) {
        const char *why = cant_copy_leaf(w, to + i, f, row_group, leaf + i);
        if (why) return why;
    }
    return NULL;
}

/* ---- bytes of the source ---- */

struct copying {
    struct dp_pq_writer *w;
    const struct dp_pq_file *f;
    size_t row_group, leaf;      /* of the source */
    const struct dp_pq_element *e;
    const struct dp_pq_chunk *c;
    struct dp_buf *window;
    uint64_t window_at, at, end, hard_end;
    int32_t page_no;
    struct dp_pq_encoded *out;
    int64_t written, rows;       /* of this chunk */
    struct dp_buf places, old_offsets; /* dp_pq_page_location as written; int64_t: where the page began in the source, less the chunk's start */
    uint32_t encodings;
    bool rows_known;             /* of each page */
};

static enum dp_status fault(const struct copying *c, struct dp_err *err, enum dp_status status, const char *why) {
    struct dp_buf path = {0};
    dp_pq_leaf_path(&c->f->meta, c->leaf, &path);
    dp_err_set(err, status, "row group %zu, column %.*s, page %d: %s", c->row_group, DP_STR_FMT(dp_buf_str(&path)), c->page_no, why);
    dp_err_at(err, c->f->name, 0, DP_NO_OFFSET);
    dp_buf_release(&path);
    return status;
}

static enum dp_status read_at(const struct dp_pq_file *f, void *p, size_t n, uint64_t off, struct dp_err *err) {
    if (f->fd < 0) {
        memcpy(p, f->mem + off, n);
        return DP_OK;
    }
    enum dp_status status = dp_fd_pread(f->fd, p, n, off, err);
    return status == DP_OK ? DP_OK : dp_err_at(err, f->name, 0, DP_NO_OFFSET);
}

/* At least n bytes (within hard_end) from c->at on. */
static enum dp_status look(struct copying *c, size_t n, const uint8_t **p, size_t *have, struct dp_err *err) {
    uint64_t window_end = c->window_at + c->window->n;
    if (c->at < c->window_at || c->at + n > window_end) {
        uint64_t left = c->hard_end - c->at;
        size_t want = n > WINDOW ? n : WINDOW;
        if (want > left) want = (size_t)left;
        dp_buf_reset(c->window);
        char *to = dp_buf_reserve(c->window, want + 1);
        DP_TRY(read_at(c->f, to, want, c->at, err));
        c->window->n = want, c->window_at = c->at;
    }
    *p = (const uint8_t *)c->window->p + (c->at - c->window_at);
    *have = c->window->n - (size_t)(c->at - c->window_at);
    return DP_OK;
}

static enum dp_status read_header(struct copying *c, struct dp_pq_page_header *h, size_t *n, struct dp_err *err) {
    uint64_t left = c->hard_end - c->at;
    for (size_t want = 256;; want *= 16) {
        const uint8_t *p;
        size_t have;
        struct dp_err own = DP_ERR_INIT;
        if (want > left) want = (size_t)left;
        DP_TRY(look(c, want, &p, &have, err));
        if (have > DP_LIMIT_PAGE_HEADER) have = DP_LIMIT_PAGE_HEADER;
        if (dp_pq_page_header_parse(p, have, h, n, &own) == DP_OK) break;
        if (have >= left || have >= DP_LIMIT_PAGE_HEADER) return fault(c, err, DP_FORMAT, own.msg);
    }
    if ((uint32_t)h->compressed_size > DP_LIMIT_PAGE || (uint32_t)h->uncompressed_size > DP_LIMIT_PAGE) return fault(c, err, DP_LIMIT, "the page is too large");
    return (uint32_t)h->compressed_size > left - *n ? fault(c, err, DP_FORMAT, "the page runs past its column chunk") : DP_OK;
}

/* n bytes from c->at on go out. */
static enum dp_status pass_bytes(struct copying *c, size_t n, uint32_t *crc, struct dp_err *err) {
    while (n > 0) {
        const uint8_t *p;
        size_t have;
        DP_TRY(look(c, 1, &p, &have, err));
        if (have > n) have = n;
        if (crc) *crc = (uint32_t)crc32(*crc, p, (uInt)have);
        DP_TRY(dp_pq_writer_put(c->w, p, have, err));
        c->at += have, c->written += (int64_t)have;
        n -= have;
    }
    return DP_OK;
}

/* ---- pages ---- */

static const char *wrong_page(const struct copying *c, const struct dp_pq_page_header *h, int64_t values_left) {
    if (h->type == DP_PQ_DICTIONARY_PAGE) {
        if (c->out->meta.dictionary_page_offset >= 0) return "a second dictionary page";
        if (c->places.n) return "a dictionary page behind a data page";
        return h->encoding != DP_PQ_PLAIN && h->encoding != DP_PQ_PLAIN_DICTIONARY ? "unknown encoding of a dictionary" : NULL;
    }
    if (h->encoding < 0 || h->encoding > DP_PQ_BYTE_STREAM_SPLIT || h->encoding == 1 || h->encoding == DP_PQ_BIT_PACKED) return "unknown encoding";
    if (c->f->chained_prefixes && h->encoding == DP_PQ_DELTA_BYTE_ARRAY) return "prefixes that go on over page borders, which the column's metadata does not say";
    bool coded = h->encoding == DP_PQ_PLAIN_DICTIONARY || h->encoding == DP_PQ_RLE_DICTIONARY;
    if (coded && c->out->meta.dictionary_page_offset < 0 && h->num_values > 0 && !c->e->max_def) return "values of a dictionary, and there is none"; /* of nulls there need be none */
    if (h->num_values > values_left) return "more values in pages than the column chunk has";
    if (h->type == DP_PQ_DATA_PAGE_V2 && (h->num_rows < 0 || h->num_rows > h->num_values)) return "a page with more rows than values";
    return NULL;
}

static void note_page(struct copying *c, const struct dp_pq_page_header *h, int64_t old, int64_t head) {
    struct dp_pq_page_location at = {head, (int32_t)(c->written - head), c->rows};
    dp_buf_add(&c->places, &at, sizeof at);
    dp_buf_add(&c->old_offsets, &old, sizeof old);
    if (c->out->meta.data_page_offset < 0) c->out->meta.data_page_offset = head;
    c->encodings |= 1u << h->encoding | (c->e->max_def || c->e->max_rep ? 1u << (h->type == DP_PQ_DATA_PAGE && h->def_encoding == DP_PQ_BIT_PACKED ? DP_PQ_BIT_PACKED : DP_PQ_RLE) : 0);
    if (c->e->max_rep == 0) c->rows += h->num_values;
    else if (h->type == DP_PQ_DATA_PAGE_V2) c->rows += h->num_rows;
    else c->rows_known = false;
}

static enum dp_status copy_page(struct copying *c, int64_t *values_left, struct dp_buf *header, uint64_t start, struct dp_err *err) {
    struct dp_pq_page_header h;
    size_t n;
    int64_t old = (int64_t)(c->at - start), head = c->written;
    uint32_t crc = 0;
    c->page_no++;
    if (c->at >= c->end) return fault(c, err, DP_FORMAT, "the pages hold fewer values than the column chunk says");
    DP_TRY(read_header(c, &h, &n, err));
    bool is_data = h.type == DP_PQ_DATA_PAGE || h.type == DP_PQ_DATA_PAGE_V2;
    if (!is_data && h.type != DP_PQ_DICTIONARY_PAGE) { /* nobody reads it */
        c->at += n + (uint32_t)h.compressed_size;
        return DP_OK;
    }
    const char *why = wrong_page(c, &h, *values_left);
    if (why) return fault(c, err, DP_FORMAT, why);
    dp_buf_reset(header);
    dp_pq_page_header_write(&h, header);
    DP_TRY(dp_pq_writer_put(c->w, header->p, header->n, err));
    c->written += (int64_t)header->n;
    c->at += n;
    DP_TRY(pass_bytes(c, (size_t)h.compressed_size, h.has_crc ? &crc : NULL, err));
    if (h.has_crc && crc != h.crc) return fault(c, err, DP_FORMAT, "the page's checksum does not match");
    c->out->meta.total_uncompressed += (int64_t)header->n + h.uncompressed_size;
    if (!is_data) {
        c->out->meta.dictionary_page_offset = head;
        c->encodings |= 1u << h.encoding;
        return DP_OK;
    }
    *values_left -= h.num_values;
    note_page(c, &h, old, head);
    return DP_OK;
}

static enum dp_status copy_pages(struct copying *c, uint64_t *start, struct dp_err *err) {
    int64_t rows = c->f->meta.row_groups[c->row_group].num_rows, begin = c->c->data_page_offset, end, left = c->c->num_values;
    struct dp_buf header = {0};
    enum dp_status status = DP_OK;
    if (c->e->max_rep ? left < rows : left != rows) return fault(c, err, DP_FORMAT, "the column and the row group differ in their numbers of rows");
    if (c->c->dictionary_page_offset > 0 && c->c->dictionary_page_offset < begin) begin = c->c->dictionary_page_offset;
    if (left && (begin < 4 || c->c->total_compressed < 0 || dp_add_overflow(begin, c->c->total_compressed, &end) || (uint64_t)end > c->f->data_end))
        return fault(c, err, DP_FORMAT, "the column chunk lies outside of the file");
    if (!left) return DP_OK;
    *start = c->at = (uint64_t)begin;
    c->end = (uint64_t)end;
    c->hard_end = c->end + 100 < c->f->data_end ? c->end + 100 : c->f->data_end; /* parquet-mr once left a header out of the sum */
    while (left > 0 && status == DP_OK) status = copy_page(c, &left, &header, *start, err);
    dp_buf_release(&header);
    if (status == DP_OK && c->rows_known && c->rows != rows) status = fault(c, err, DP_FORMAT, "the pages' rows are not those of the row group");
    return status;
}

/* ---- statistics ---- */

static size_t width_of(enum dp_pq_type t) {
    return t == DP_PQ_BOOLEAN ? 1 : t == DP_PQ_INT32 || t == DP_PQ_FLOAT ? 4 : t == DP_PQ_INT64 || t == DP_PQ_DOUBLE ? 8 : 0;
}

/* Do bounds under the source's order hold under ours?  `deprecated`: those of the fields whose order nobody said. */
static bool bounds_hold(const struct copying *c, const struct dp_pq_element *to, size_t to_leaf, bool deprecated) {
    const struct dp_pq_meta *m = &c->f->meta, *own = &c->w->meta;
    enum dp_pq_compare a = dp_pq_compare_of(c->e), b = dp_pq_compare_of(to);
    if (a != b || a == DP_PQ_CMP_NONE) return false;
    if (deprecated) return a == DP_PQ_CMP_SIGNED || (a == DP_PQ_CMP_FLOAT && to->type != DP_PQ_FLBA);
    return m->column_orders && own->column_orders && m->column_orders[c->leaf] != DP_PQ_ORDER_NONE && m->column_orders[c->leaf] == own->column_orders[to_leaf];
}

static bool is_nan(const struct dp_pq_element *e, struct dp_str s) {
    float f = 0;
    double d = 0;
    if (e->type == DP_PQ_FLOAT && s.n == 4) memcpy(&f, s.p, 4);
    if (e->type == DP_PQ_DOUBLE && s.n == 8) memcpy(&d, s.p, 8);
    return f != f || d != d;
}

static bool fits(const struct dp_pq_element *e, struct dp_str bound) {
    size_t width = e->type == DP_PQ_FLBA ? (size_t)e->type_length : width_of(e->type);
    return (!width || bound.n == width) && !is_nan(e, bound);
}

static void copy_stats(struct copying *c, size_t to_leaf) {
    const struct dp_pq_element *to = c->w->leaves[to_leaf].element;
    const struct dp_pq_stats *s = &c->c->stats;
    struct dp_pq_stats *t = &c->out->meta.stats;
    int64_t n = c->c->num_values;
    *t = (struct dp_pq_stats){.min_exact = -1, .max_exact = -1};
    t->null_count = s->null_count <= n ? s->null_count : -1;
    t->distinct_count = s->distinct_count <= n ? s->distinct_count : -1;
    t->nan_count = s->nan_count <= n ? s->nan_count : -1;
    if (bounds_hold(c, to, to_leaf, false)) {
        if (s->has_min && fits(to, s->min)) t->has_min = true, t->min = s->min, t->min_exact = s->min_exact;
        if (s->has_max && fits(to, s->max)) t->has_max = true, t->max = s->max, t->max_exact = s->max_exact;
    } else if (!s->has_min && !s->has_max && s->has_old_min && s->has_old_max && bounds_hold(c, to, to_leaf, true) && fits(to, s->old_min) && fits(to, s->old_max)) {
        t->has_min = t->has_max = true;
        t->min = s->old_min, t->max = s->old_max;
    }
}

static void copy_sizes(struct copying *c) {
    const struct dp_pq_chunk *from = c->c;
    struct dp_pq_chunk *to = &c->out->meta;
    to->unencoded_bytes = from->unencoded_bytes;
    if (from->def_histogram && from->n_def_histogram == (size_t)c->e->max_def + 1) to->def_histogram = from->def_histogram, to->n_def_histogram = from->n_def_histogram;
    if (from->rep_histogram && from->n_rep_histogram == (size_t)c->e->max_rep + 1) to->rep_histogram = from->rep_histogram, to->n_rep_histogram = from->n_rep_histogram;
    to->encoding_stats = from->encoding_stats, to->n_encoding_stats = from->n_encoding_stats;
}

/* ---- page index ---- */

/* A piece of the file, all of it or nothing. */
static enum dp_status read_piece(const struct copying *c, int64_t at, int64_t n, size_t most, struct dp_buf *b, bool *yes, struct dp_err *err) {
    int64_t end;
    *yes = at >= 4 && n > 0 && (uint64_t)n <= most && !dp_add_overflow(at, n, &end) && (uint64_t)end <= c->f->data_end;
    if (!*yes) return DP_OK;
    dp_buf_reset(b);
    DP_TRY(read_at(c->f, dp_buf_reserve(b, (size_t)n + 1), (size_t)n, (uint64_t)at, err));
    b->n = (size_t)n;
    return DP_OK;
}

/* The source's offset index against the pages that there are; gives rows of pages that do not say them, and bytes. */
static bool take_offsets(struct copying *c, const struct dp_buf *b, uint64_t start) {
    struct dp_pq_offset_index x;
    struct dp_pq_offset_index *to = &c->out->offsets;
    const int64_t *old = (const int64_t *)(const void *)c->old_offsets.p;
    struct dp_err own = DP_ERR_INIT;
    if (dp_pq_offset_index_parse(b->p, b->n, &c->out->arena, &x, &own) != DP_OK || x.n_pages != to->n_pages) return false;
    for (size_t i = 0; i < x.n_pages; i++)
        if (x.pages[i].offset != (int64_t)start + old[i] || (c->rows_known && x.pages[i].first_row != to->pages[i].first_row)) return false;
    if (x.n_pages && x.pages[x.n_pages - 1].first_row >= c->f->meta.row_groups[c->row_group].num_rows) return false;
    for (size_t i = 0; i < x.n_pages; i++) to->pages[i].first_row = x.pages[i].first_row;
    to->unencoded_bytes = x.unencoded_bytes;
    return true;
}

static bool good_index(const struct copying *c, const struct dp_pq_element *to) {
    const struct dp_pq_column_index *x = &c->out->index;
    if (x->n_pages != c->out->offsets.n_pages) return false;
    for (size_t i = 0; i < x->n_pages; i++)
        if (!x->null_pages[i] && (!fits(to, x->min[i]) || !fits(to, x->max[i]))) return false;
    return true;
}

static enum dp_status copy_indexes(struct copying *c, size_t to_leaf, uint64_t start, struct dp_err *err) {
    const struct dp_pq_element *to = c->w->leaves[to_leaf].element;
    struct dp_pq_encoded *e = c->out;
    struct dp_buf b = {0};
    bool yes = false;
    struct dp_err own = DP_ERR_INIT;
    size_t n = c->places.n / sizeof *e->offsets.pages;
    enum dp_status status = DP_OK;
    e->offsets = (struct dp_pq_offset_index){.n_pages = n, .pages = dp_arena_calloc(&e->arena, n + 1, sizeof *e->offsets.pages)};
    if (n) memcpy(e->offsets.pages, c->places.p, c->places.n);
    DP_TRY_OUT(read_piece(c, c->c->offset_index_offset, c->c->offset_index_length, INDEX_MAX, &b, &yes, err));
    yes = yes && take_offsets(c, &b, start);
    if (!yes && !c->rows_known) { /* where rows begin in the pages is not known */
        e->offsets.n_pages = 0;
        goto out;
    }
    if (!bounds_hold(c, to, to_leaf, false)) goto out;
    DP_TRY_OUT(read_piece(c, c->c->column_index_offset, c->c->column_index_length, INDEX_MAX, &b, &yes, err));
    if (!yes || dp_pq_column_index_parse(b.p, b.n, &e->arena, &e->index, &own) != DP_OK) goto out;
    if (e->index.n_def_histograms != n * ((size_t)to->max_def + 1)) e->index.def_histograms = NULL, e->index.n_def_histograms = 0;
    if (e->index.n_rep_histograms != n * ((size_t)to->max_rep + 1)) e->index.rep_histograms = NULL, e->index.n_rep_histograms = 0;
    e->has_index = good_index(c, to);
out:
    dp_buf_release(&b);
    return status;
}

/* ---- bloom filter ---- */

/* Bytes of the header, and of the bits behind it; false: it is none that is written here. */
static bool bloom_header(const struct dp_buf *b, size_t *head, int32_t *bits) {
    struct dp_tr t = {.p = (const uint8_t *)b->p, .end = (const uint8_t *)b->p + b->n};
    struct dp_tr_struct s = {0};
    unsigned known = 0;
    *bits = 0;
    while (dp_tr_field(&t, &s)) {
        struct dp_tr_struct in = {0};
        if (s.id == 1) dp_tr_i32(&t, &s, bits);
        else if (s.id < 2 || s.id > 4 || !dp_tr_is_struct(&t, &s)) dp_tr_skip(&t, &s);
        else while (dp_tr_field(&t, &in)) known |= in.id == 1 ? 1u << s.id : 0, dp_tr_skip(&t, &in);
    }
    *head = (size_t)(t.p - (const uint8_t *)b->p);
    return !t.fault && known == (1u << 2 | 1u << 3 | 1u << 4) && *bits >= 32 && *bits % 32 == 0;
}

static enum dp_status copy_bloom(struct copying *c, struct dp_err *err) {
    struct dp_buf *b = &c->out->bloom;
    int64_t at = c->c->bloom_offset, left = (int64_t)c->f->data_end - at;
    size_t head;
    int32_t bits;
    bool yes;
    if (at < 4 || left <= 0) return DP_OK;
    DP_TRY(read_piece(c, at, left < 64 ? left : 64, 64, b, &yes, err)); /* the header takes some 15 */
    yes = yes && bloom_header(b, &head, &bits) && (c->c->bloom_length < 0 || (size_t)c->c->bloom_length == head + (size_t)bits);
    if (yes) DP_TRY(read_piece(c, at, (int64_t)head + bits, BLOOM_MAX, b, &yes, err));
    if (!yes) dp_buf_reset(b);
    return DP_OK;
}

/* ---- the chunk ---- */

enum dp_status dp_pq_chunk_copy(struct dp_pq_writer *w, size_t to_leaf, const struct dp_pq_file *f, size_t row_group, size_t from_leaf, struct dp_buf *window,
                                struct dp_err *err) {
    struct dp_pq_encoded *out = &w->work->encoded[to_leaf];
    struct copying c = {.w = w, .f = f, .row_group = row_group, .leaf = from_leaf, .window = window, .page_no = -1, .out = out, .rows_known = true,
                        .e = &f->meta.elements[f->meta.leaves[from_leaf]], .c = &f->meta.row_groups[row_group].chunks[from_leaf]};
    uint64_t start = 0;
    enum dp_status status = DP_OK;
    out->meta = (struct dp_pq_chunk){.type = c.c->type, .codec = c.c->codec, .num_values = c.c->num_values, .dictionary_page_offset = -1, .data_page_offset = -1, .bloom_offset = -1,
        .bloom_length = -1, .column_index_offset = -1, .offset_index_offset = -1, .unencoded_bytes = -1};
    out->index = (struct dp_pq_column_index){0};
    out->offsets = (struct dp_pq_offset_index){0};
    out->has_index = false;
    dp_buf_reset(window);
    dp_buf_reset(&out->bloom);
    DP_TRY_OUT(copy_pages(&c, &start, err));
    if (out->meta.data_page_offset < 0) out->meta.data_page_offset = 0;
    out->meta.total_compressed = c.written;
    out->meta.encodings = c.encodings;
    copy_stats(&c, to_leaf);
    copy_sizes(&c);
    DP_TRY_OUT(copy_indexes(&c, to_leaf, start, err));
    DP_TRY_OUT(copy_bloom(&c, err));
out:
    dp_buf_release(&c.places);
    dp_buf_release(&c.old_offsets);
    return status;
}
