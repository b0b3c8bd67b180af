/*
 * Row groups that are put together from encoded pieces and copied chunks (dp/parquet/writer.h).  Pages go out as they come; a column's metadata
 * and page index are complete when its last piece is there.  What a piece is depends on its rows alone: choices of encoding are not remembered
 * from one to the next, for pieces are made in any order.
 */
#include "writer_priv.h"

#include <dp/parquet/reader.h>

#include <stdlib.h>

#include "reader_priv.h"

struct dp_pq_piece {
    size_t column, first_leaf, n_leaves;
    int64_t rows;
    bool whole;
    struct dp_pq_encoded *leaves;
};

struct dp_pq_encoder {
    struct dp_pq_writer *w; /* without an output: it knows schema, options and leaves */
    struct dp_pq_scratch scratch;
    struct dp_column *columns;
};

/* The row group that is being put together. */
struct dp_pq_compose {
    bool is_open;
    struct dp_pq_row_group *group;
    size_t next_column, next_leaf;
    int64_t rows, column_rows;     /* of the column that comes in pieces */
    struct dp_pq_piece **pieces;   /* of it, their pages written */
    size_t n_pieces, pieces_cap;
    int64_t start;                 /* of its chunk */
    struct dp_buf window;
    /* what undo goes back to */
    uint64_t size;
    size_t n_places, n_column_indexes, n_offset_indexes;
    /* sorting of a source that all columns come from */
    const struct dp_pq_row_group *source;
    size_t *source_leaf;           /* by leaf: where it was copied from; SIZE_MAX: encoded */
};

/* ---- pieces, on any thread ---- */

static enum dp_status nowhere(void *ctx, const void *p, size_t n, struct dp_err *err) {
    (void)ctx, (void)p, (void)n, (void)err;
    return DP_OK;
}

enum dp_status dp_pq_encoder_open(const struct dp_type *schema, const struct dp_pq_writer_opts *opts, struct dp_pq_encoder **out, struct dp_err *err) {
    struct dp_pq_writer *w;
    struct dp_pq_writer_opts own = *opts;
    own.work = NULL;
    DP_TRY(dp_pq_writer_open(schema, &own, NULL, nowhere, NULL, &w, err));
    struct dp_pq_encoder *e = dp_calloc(1, sizeof *e);
    e->w = w;
    e->columns = dp_calloc(schema->n_children + 1, sizeof *e->columns);
    *out = e;
    return DP_OK;
}

void dp_pq_encoder_close(struct dp_pq_encoder *e) {
    if (!e) return;
    dp_pq_scratch_release(&e->scratch);
    dp_pq_writer_close(e->w);
    free(e->columns);
    free(e);
}

const char *dp_pq_cant_copy(const struct dp_pq_encoder *e, size_t column, const struct dp_pq_file *f, size_t row_group, size_t from) {
    return dp_pq_writer_cant_copy(e->w, column, f, row_group, from);
}

static size_t leaves_before(const struct dp_type *schema, size_t column) {
    size_t n = 0;
    for (size_t i = 0; i < column; i++) n += dp_type_leaves(schema->children[i]);
    return n;
}

static enum dp_status encode_leaf(struct dp_pq_encoder *e, const struct dp_batch *b, size_t leaf, bool whole, struct dp_pq_encoded *out, struct dp_err *err) {
    const struct dp_pq_leaf *l = &e->w->leaves[leaf];
    struct dp_pq_leaf_opts o = l->opts;
    struct dp_pq_choice choice = {0};
    struct dp_pq_levels levels;
    struct dp_pq_values values;
    if (!whole) o.no_dictionary = true, o.bloom = false;
    DP_TRY(dp_pq_shred(b, l->steps, &l->path, l->element, &e->scratch, &levels, &values, err));
    DP_TRY(dp_pq_chunk_encode(&e->w->o, &o, l->element, &levels, &values, (size_t)b->length, &choice, &e->scratch, out, err));
    if (!whole && out->meta.codec != o.codec) { /* all pieces of a chunk have one codec, also one that does not get smaller */
        choice = (struct dp_pq_choice){.set = true, .encoding = choice.encoding, .level = o.level};
        dp_arena_reset(&out->arena);
        DP_TRY(dp_pq_chunk_encode(&e->w->o, &o, l->element, &levels, &values, (size_t)b->length, &choice, &e->scratch, out, err));
    }
    dp_pq_scratch_trim(&e->scratch);
    return DP_OK;
}

enum dp_status dp_pq_encode(struct dp_pq_encoder *e, size_t column, const struct dp_column *rows, bool whole, struct dp_pq_piece **out, struct dp_err *err) {
    const struct dp_type *schema = e->w->schema;
    struct dp_batch b = {.schema = schema, .length = rows->length, .columns = e->columns, .n_columns = schema->n_children};
    struct dp_pq_piece *p = dp_calloc(1, sizeof *p);
    enum dp_status status = DP_OK;
    *p = (struct dp_pq_piece){.column = column, .first_leaf = leaves_before(schema, column), .n_leaves = dp_type_leaves(schema->children[column]), .rows = rows->length, .whole = whole};
    p->leaves = dp_calloc(p->n_leaves + 1, sizeof *p->leaves);
    if (!whole && p->n_leaves != 1) status = dp_err_set(err, DP_BUG, "a column of several leaves is encoded in one piece");
    e->columns[column] = *rows;
    for (size_t i = 0; i < p->n_leaves && status == DP_OK; i++) status = encode_leaf(e, &b, p->first_leaf + i, whole, &p->leaves[i], err);
    e->columns[column] = (struct dp_column){0};
    if (status == DP_OK) *out = p;
    else dp_pq_piece_free(p);
    return status;
}

void dp_pq_piece_free(struct dp_pq_piece *p) {
    if (!p) return;
    for (size_t i = 0; i < p->n_leaves; i++) {
        dp_buf_release(&p->leaves[i].pages);
        dp_buf_release(&p->leaves[i].bloom);
        dp_arena_release(&p->leaves[i].arena);
    }
    free(p->leaves);
    free(p);
}

size_t dp_pq_piece_bytes(const struct dp_pq_piece *p) {
    size_t n = sizeof *p;
    for (size_t i = 0; i < p->n_leaves; i++) n += p->leaves[i].pages.cap + p->leaves[i].bloom.cap + p->leaves[i].arena.total;
    return n;
}

/* ---- several pieces are one chunk ---- */

static void join_stats(enum dp_pq_compare how, enum dp_pq_type type, struct dp_pq_chunk *to, const struct dp_pq_chunk *from) {
    struct dp_pq_stats *t = &to->stats;
    const struct dp_pq_stats *s = &from->stats;
    bool to_nulls = t->null_count == to->num_values, from_nulls = s->null_count == from->num_values;
    if (from_nulls) return;
    bool min = to_nulls ? s->has_min : t->has_min && s->has_min, max = to_nulls ? s->has_max : t->has_max && s->has_max;
    if (min && (to_nulls || dp_pq_bound_cmp(how, type, s->min, t->min) < 0)) t->min = s->min, t->min_exact = s->min_exact;
    if (max && (to_nulls || dp_pq_bound_cmp(how, type, s->max, t->max) > 0)) t->max = s->max, t->max_exact = s->max_exact;
    t->has_min = min, t->has_max = max;
}

static void add_counts(int64_t *to, const int64_t *from, size_t n) {
    for (size_t i = 0; to && from && i < n; i++) to[i] += from[i];
}

static void join_encodings(struct dp_pq_chunk *to, const struct dp_pq_chunk *from) {
    to->encodings |= from->encodings;
    for (size_t i = 0; i < from->n_encoding_stats; i++) {
        const struct dp_pq_encoding_stats *x = &from->encoding_stats[i];
        size_t k = 0;
        while (k < to->n_encoding_stats && (to->encoding_stats[k].page_type != x->page_type || to->encoding_stats[k].encoding != x->encoding)) k++;
        if (k < to->n_encoding_stats) to->encoding_stats[k].count += x->count;
        else to->encoding_stats[to->n_encoding_stats++] = *x;
    }
}

static void join_meta(enum dp_pq_compare how, struct dp_pq_chunk *to, const struct dp_pq_chunk *from, bool first) {
    if (first) return;
    join_stats(how, to->type, to, from);
    to->num_values += from->num_values;
    to->total_compressed += from->total_compressed, to->total_uncompressed += from->total_uncompressed;
    to->stats.null_count += from->stats.null_count;
    if (to->stats.nan_count >= 0) to->stats.nan_count += from->stats.nan_count;
    if (to->unencoded_bytes >= 0) to->unencoded_bytes += from->unencoded_bytes;
    add_counts(to->def_histogram, from->def_histogram, to->n_def_histogram);
    add_counts(to->rep_histogram, from->rep_histogram, to->n_rep_histogram);
    join_encodings(to, from);
}

static void *joined(struct dp_arena *a, const void *first, size_t count, size_t size) { return first ? dp_arena_calloc(a, count + 1, size) : NULL; }

/* Arrays as long as all pages of the pieces together. */
static void open_indexes(struct dp_pq_encoded *e, const struct dp_pq_encoded *first, size_t pages) {
    const struct dp_pq_column_index *x = &first->index;
    struct dp_arena *a = &e->arena;
    e->offsets = (struct dp_pq_offset_index){.pages = dp_arena_calloc(a, pages + 1, sizeof *e->offsets.pages), .unencoded_bytes = joined(a, first->offsets.unencoded_bytes, pages, 8)};
    e->index = (struct dp_pq_column_index){.null_pages = dp_arena_calloc(a, pages + 1, 1), .min = dp_arena_calloc(a, pages + 1, sizeof *x->min),
        .max = dp_arena_calloc(a, pages + 1, sizeof *x->max), .null_counts = joined(a, x->null_counts, pages, 8), .nan_counts = joined(a, x->nan_counts, pages, 8),
        .def_histograms = joined(a, x->def_histograms, pages * first->meta.n_def_histogram, 8), .rep_histograms = joined(a, x->rep_histograms, pages * first->meta.n_rep_histogram, 8)};
}

static void append(void *to, size_t at, const void *from, size_t n, size_t size) {
    if (to && from && n) memcpy((char *)to + at * size, from, n * size);
}

static void join_indexes(struct dp_pq_encoded *e, const struct dp_pq_encoded *from, int64_t bytes_before, int64_t rows_before) {
    size_t at = e->offsets.n_pages, n = from->offsets.n_pages, def = from->meta.n_def_histogram, rep = from->meta.n_rep_histogram;
    const struct dp_pq_column_index *x = &from->index;
    for (size_t i = 0; i < n; i++) {
        struct dp_pq_page_location p = from->offsets.pages[i];
        e->offsets.pages[at + i] = (struct dp_pq_page_location){p.offset + bytes_before, p.compressed_size, p.first_row + rows_before};
    }
    append(e->offsets.unencoded_bytes, at, from->offsets.unencoded_bytes, n, 8);
    append(e->index.null_pages, at, x->null_pages, n, 1);
    append(e->index.min, at, x->min, n, sizeof *x->min);
    append(e->index.max, at, x->max, n, sizeof *x->max);
    append(e->index.null_counts, at, x->null_counts, n, 8);
    append(e->index.nan_counts, at, x->nan_counts, n, 8);
    append(e->index.def_histograms, at * def, x->def_histograms, n * def, 8);
    append(e->index.rep_histograms, at * rep, x->rep_histograms, n * rep, 8);
    e->index.n_def_histograms += e->index.def_histograms ? n * def : 0;
    e->index.n_rep_histograms += e->index.rep_histograms ? n * rep : 0;
    e->offsets.n_pages += n, e->index.n_pages += n;
}

static enum dp_pq_order order_of_pages(enum dp_pq_compare how, enum dp_pq_type type, const struct dp_pq_column_index *x) {
    bool up = true, down = true;
    size_t before = SIZE_MAX;
    for (size_t i = 0; i < x->n_pages; i++) {
        if (x->null_pages[i]) continue;
        if (before != SIZE_MAX) {
            int lo = dp_pq_bound_cmp(how, type, x->min[before], x->min[i]), hi = dp_pq_bound_cmp(how, type, x->max[before], x->max[i]);
            up &= lo <= 0 && hi <= 0;
            down &= lo >= 0 && hi >= 0;
        }
        before = i;
    }
    return up ? DP_PQ_ASCENDING : down ? DP_PQ_DESCENDING : DP_PQ_UNORDERED;
}

/* The chunk that the pieces of one leaf make, as the writer's encoder would have left it; memory of the pieces is borrowed until they are freed. */
static void join_pieces(struct dp_pq_piece **pieces, size_t n, enum dp_pq_compare how, struct dp_pq_encoded *e) {
    const struct dp_pq_encoded *first = &pieces[0]->leaves[0];
    size_t pages = 0, stats = 0;
    int64_t bytes = 0, rows = 0;
    for (size_t i = 0; i < n; i++) pages += pieces[i]->leaves[0].offsets.n_pages, stats += pieces[i]->leaves[0].meta.n_encoding_stats;
    e->meta = first->meta;
    e->meta.encoding_stats = dp_arena_calloc(&e->arena, stats + 1, sizeof *e->meta.encoding_stats);
    append(e->meta.encoding_stats, 0, first->meta.encoding_stats, first->meta.n_encoding_stats, sizeof *e->meta.encoding_stats);
    open_indexes(e, first, pages);
    e->has_index = true;
    for (size_t i = 0; i < n; i++) {
        const struct dp_pq_encoded *x = &pieces[i]->leaves[0];
        join_meta(how, &e->meta, &x->meta, i == 0);
        join_indexes(e, x, bytes, rows);
        e->has_index &= x->has_index;
        bytes += x->meta.total_compressed, rows += pieces[i]->rows;
    }
    e->index.order = e->has_index ? order_of_pages(how, e->meta.type, &e->index) : DP_PQ_UNORDERED;
}

/* ---- the row group ---- */

static void drop_pieces(struct dp_pq_compose *c) {
    for (size_t i = 0; i < c->n_pieces; i++) dp_pq_piece_free(c->pieces[i]);
    c->n_pieces = 0;
}

void dp_pq_compose_free(struct dp_pq_compose *c) {
    if (!c) return;
    drop_pieces(c);
    dp_buf_release(&c->window);
    free(c->pieces);
    free(c->source_leaf);
    free(c);
}

enum dp_status dp_pq_writer_begin(struct dp_pq_writer *w, int64_t rows, struct dp_err *err) {
    if (w->failed || w->finished || rows < 1 || (w->compose && w->compose->is_open)) return dp_err_set(err, DP_BUG, "a row group that can't begin");
    DP_TRY(dp_pq_writer_flush(w, err));
    if (!w->compose) {
        w->compose = dp_calloc(1, sizeof *w->compose);
        w->compose->source_leaf = dp_calloc(w->n_leaves + 1, sizeof *w->compose->source_leaf);
    }
    struct dp_pq_compose *c = w->compose;
    c->is_open = true;
    c->rows = rows;
    c->next_column = c->next_leaf = 0;
    c->source = NULL;
    c->size = w->size;
    c->n_places = w->n_places, c->n_column_indexes = w->column_indexes.n, c->n_offset_indexes = w->offset_indexes.n;
    for (size_t i = 0; i < w->n_leaves; i++) c->source_leaf[i] = SIZE_MAX, dp_buf_reset(&w->work->encoded[i].bloom);
    c->group = dp_pq_writer_group(w, rows);
    return DP_OK;
}

static enum dp_status broken(struct dp_pq_writer *w, enum dp_status status) {
    w->failed = true;
    return status;
}

/* The column that came in pieces is whole. */
static enum dp_status end_column(struct dp_pq_writer *w, struct dp_err *err) {
    struct dp_pq_compose *c = w->compose;
    if (!c->n_pieces) return DP_OK;
    size_t leaf = c->next_leaf - 1;
    if (c->column_rows != c->rows) return dp_err_set(err, DP_BUG, "the pieces of a column are not the rows of their row group");
    if (!c->pieces[0]->whole) {
        join_pieces(c->pieces, c->n_pieces, dp_pq_compare_of(w->leaves[leaf].element), &w->work->encoded[leaf]);
        dp_pq_writer_keep(w, c->group, leaf, &w->work->encoded[leaf], c->start);
    }
    drop_pieces(c);
    return DP_OK;
}

static enum dp_status add_piece(struct dp_pq_writer *w, struct dp_pq_piece *p, struct dp_err *err) {
    struct dp_pq_compose *c = w->compose;
    bool further = c->n_pieces && c->pieces[0]->column == p->column;
    if (!further) DP_TRY(end_column(w, err));
    c->pieces = dp_grow(c->pieces, &c->pieces_cap, c->n_pieces + 1, sizeof *c->pieces);
    c->pieces[c->n_pieces++] = p;
    if (further ? p->whole || c->pieces[0]->whole : p->column != c->next_column) return dp_err_set(err, DP_BUG, "a piece of another column than the next");
    if (!further) c->start = (int64_t)w->size, c->column_rows = 0, c->next_column++, c->next_leaf += p->n_leaves;
    c->column_rows += p->rows;
    for (size_t i = 0; i < p->n_leaves; i++) {
        struct dp_pq_encoded *x = &p->leaves[i], *e = &w->work->encoded[p->first_leaf + i];
        int64_t start = (int64_t)w->size;
        DP_TRY(dp_pq_writer_put(w, x->pages.p, x->pages.n, err));
        dp_buf_release(&x->pages);
        if (!p->whole) continue;
        dp_pq_writer_keep(w, c->group, p->first_leaf + i, x, start);
        dp_buf_adds(&e->bloom, dp_buf_str(&x->bloom));
    }
    return DP_OK;
}

enum dp_status dp_pq_writer_piece(struct dp_pq_writer *w, struct dp_pq_piece *p, struct dp_err *err) {
    if (!w->compose || !w->compose->is_open || w->failed || p->rows > w->compose->rows) {
        dp_pq_piece_free(p);
        return dp_err_set(err, DP_BUG, "a piece without a row group that it fits");
    }
    enum dp_status status = add_piece(w, p, err);
    return status == DP_OK ? DP_OK : broken(w, status);
}

static enum dp_status copy_column(struct dp_pq_writer *w, const struct dp_pq_file *f, size_t row_group, size_t from, struct dp_err *err) {
    struct dp_pq_compose *c = w->compose;
    DP_TRY(end_column(w, err));
    const char *why = c->next_column < w->schema->n_children ? dp_pq_writer_cant_copy(w, c->next_column, f, row_group, from) : "there are no more columns";
    if (why || f->meta.row_groups[row_group].num_rows != c->rows) return dp_err_set(err, DP_BUG, "a chunk that can't be copied: %s", why ? why : "its row group has other rows");
    size_t n, leaf;
    dp_pq_column_leaves(f, from, &leaf, &n);
    c->source = &f->meta.row_groups[row_group];
    for (size_t i = 0; i < n; i++) {
        size_t to = c->next_leaf + i;
        int64_t start = (int64_t)w->size;
        DP_TRY(dp_pq_chunk_copy(w, to, f, row_group, leaf + i, &c->window, err));
        dp_pq_writer_keep(w, c->group, to, &w->work->encoded[to], start);
        c->source_leaf[to] = leaf + i;
    }
    c->next_column++, c->next_leaf += n;
    return DP_OK;
}

enum dp_status dp_pq_writer_copy(struct dp_pq_writer *w, const struct dp_pq_file *f, size_t row_group, size_t from, struct dp_err *err) {
    if (!w->compose || !w->compose->is_open || w->failed) return dp_err_set(err, DP_BUG, "a chunk without a row group");
    enum dp_status status = copy_column(w, f, row_group, from, err);
    return status == DP_OK ? DP_OK : broken(w, status);
}

/* Rows stay in their order: of what the source was sorted by, the columns that were copied, up to the first that was not. */
static void keep_sorting(struct dp_pq_writer *w) {
    struct dp_pq_compose *c = w->compose;
    struct dp_pq_row_group *g = c->group;
    g->sorting = NULL, g->n_sorting = 0;
    if (!c->source || !c->source->n_sorting) return;
    g->sorting = dp_arena_calloc(&w->meta.arena, c->source->n_sorting, sizeof *g->sorting);
    for (size_t i = 0; i < c->source->n_sorting; i++) {
        size_t to = 0;
        while (to < w->n_leaves && (int64_t)c->source_leaf[to] != c->source->sorting[i].column) to++;
        if (to == w->n_leaves) return;
        g->sorting[g->n_sorting] = c->source->sorting[i];
        g->sorting[g->n_sorting++].column = (int32_t)to;
    }
}

enum dp_status dp_pq_writer_end(struct dp_pq_writer *w, struct dp_err *err) {
    struct dp_pq_compose *c = w->compose;
    if (!c || !c->is_open || w->failed) return dp_err_set(err, DP_BUG, "a row group ends that did not begin");
    enum dp_status status = end_column(w, err);
    if (status == DP_OK && c->next_column != w->schema->n_children) status = dp_err_set(err, DP_BUG, "a row group ends without some of its columns");
    if (status != DP_OK) return broken(w, status);
    keep_sorting(w);
    c->is_open = false;
    dp_buf_release(&c->window);
    status = dp_pq_writer_end_group(w, c->group, !w->work->frugal, err);
    return status == DP_OK ? DP_OK : broken(w, status);
}

void dp_pq_writer_undo(struct dp_pq_writer *w) {
    struct dp_pq_compose *c = w->compose;
    if (!c || !c->is_open) return;
    drop_pieces(c);
    c->is_open = false;
    w->size = c->size;
    w->n_places = c->n_places, w->column_indexes.n = c->n_column_indexes, w->offset_indexes.n = c->n_offset_indexes;
    for (size_t i = 0; i < w->n_leaves; i++) dp_arena_reset(&w->work->encoded[i].arena), dp_buf_reset(&w->work->encoded[i].bloom);
}
