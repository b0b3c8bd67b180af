/*
 * Parquet writer: gathers rows to row groups, encodes the columns of each on all threads, writes them in order, then indexes and footer
 * (spec: Parquet file format).  Row groups end at counts of rows or bytes that the rows alone decide, never at the borders of batches.
 */
#include <dp/parquet/writer.h>

#include <dp/base/limits.h>

#include <stdlib.h>

#include "writer_priv.h"

#define ROW_GROUP_ROWS 122880
#define ROW_GROUP_BYTES (128 << 20)
#define KEEP_PAGES (1 << 20) /* bytes of all columns' pages whose memory a frugal writer keeps for the next row group */
#define SAMPLE_ROWS 64       /* by which the rows of a row group are estimated, so that its columns' memory is taken at once */
#define BOUNDS_ARRAY_MAX (1 << 30) /* bytes of column memory after which offsets would overflow soon */

enum dp_status dp_pq_writer_put(struct dp_pq_writer *w, const void *p, size_t n, struct dp_err *err) {
    if (n == 0) return DP_OK;
    DP_TRY(w->sink(w->ctx, p, n, err));
    w->size += n;
    return DP_OK;
}

/* ---- open ---- */

static void find_leaves(struct dp_pq_writer *w, const struct dp_pq_node *node, const struct dp_pq_node **nodes, uint32_t *steps, size_t depth) {
    for (size_t i = 0; i < node->n_children; i++) {
        const struct dp_pq_node *child = &node->children[i];
        nodes[depth] = child;
        steps[depth] = (uint32_t)i;
        if (child->leaf < 0) {
            find_leaves(w, child, nodes, steps, depth + 1);
            continue;
        }
        struct dp_pq_leaf *l = &w->leaves[child->leaf];
        l->path.n = depth + 1;
        l->path.nodes = dp_arena_calloc(&w->arena, depth + 1, sizeof *nodes);
        l->steps = dp_arena_calloc(&w->arena, depth + 1, sizeof *steps);
        memcpy(l->path.nodes, nodes, (depth + 1) * sizeof *nodes);
        memcpy(l->steps, steps, (depth + 1) * sizeof *steps);
        l->element = &w->meta.elements[w->meta.leaves[child->leaf]];
    }
}

static void copy_options(struct dp_pq_writer *w, const struct dp_pq_writer_opts *o) {
    struct dp_arena *a = &w->arena;
    w->o = *o;
    if (w->o.row_group_rows <= 0) w->o.row_group_rows = ROW_GROUP_ROWS;
    if (w->o.row_group_bytes <= 0) w->o.row_group_bytes = ROW_GROUP_BYTES;
    if (w->o.row_group_bytes > BOUNDS_ARRAY_MAX) w->o.row_group_bytes = BOUNDS_ARRAY_MAX;
    struct dp_pq_sorting *sorting = dp_arena_calloc(a, o->n_sorting + 1, sizeof *sorting);
    if (o->n_sorting) memcpy(sorting, o->sorting, o->n_sorting * sizeof *sorting);
    w->o.sorting = sorting;
    w->meta.n_kv = o->n_kv;
    w->meta.kv = dp_arena_calloc(&w->meta.arena, o->n_kv + 1, sizeof *w->meta.kv);
    for (size_t i = 0; i < o->n_kv; i++) {
        w->meta.kv[i] = (struct dp_pq_key_value){.key = dp_arena_str(&w->meta.arena, o->kv[i].key), .has_value = o->kv[i].has_value};
        if (o->kv[i].has_value) w->meta.kv[i].value = dp_arena_str(&w->meta.arena, o->kv[i].value);
    }
    w->meta.version = 1;
    w->meta.created_by = dp_str_z(dp_arena_strdup(&w->meta.arena, o->created_by ? o->created_by : "dp version " DP_VERSION " (build release)"));
}

static enum dp_status open_schema(struct dp_pq_writer *w, struct dp_err *err) {
    struct dp_pq_node *root;
    const struct dp_pq_node *nodes[DP_LIMIT_SCHEMA_DEPTH + 1];
    uint32_t steps[DP_LIMIT_SCHEMA_DEPTH + 1];
    DP_TRY(dp_pq_from_schema(w->schema, &w->meta, err));
    for (size_t i = 0; w->o.json_as_string && i < w->meta.n_elements; i++)
        if (w->meta.elements[i].logical == DP_PQ_L_JSON) w->meta.elements[i].logical = DP_PQ_L_STRING, w->meta.elements[i].converted = DP_PQ_C_UTF8;
    DP_TRY(dp_pq_map(&w->meta, &w->arena, &w->mapped, &root, err));
    w->n_leaves = w->meta.n_leaves;
    w->leaves = dp_calloc(w->n_leaves + 1, sizeof *w->leaves);
    w->order = dp_calloc(w->n_leaves + 1, sizeof *w->order);
    find_leaves(w, root, nodes, steps, 0);
    for (size_t i = 0; i < w->n_leaves; i++) DP_TRY(dp_pq_leaf_opts(&w->o, &w->meta, i, &w->leaves[i].opts, err));
    w->o.columns = NULL, w->o.n_columns = 0; /* the caller's, read */
    return DP_OK;
}

/* ---- working memory ---- */

struct dp_pq_work *dp_pq_work_open(unsigned lanes, bool frugal) {
    struct dp_pq_work *k = dp_calloc(1, sizeof *k);
    k->lanes = lanes, k->frugal = frugal;
    return k;
}

static void release_encoded(struct dp_pq_work *k) {
    for (size_t i = 0; i < k->n_encoded; i++) {
        dp_buf_release(&k->encoded[i].pages);
        dp_buf_release(&k->encoded[i].bloom);
        dp_arena_release(&k->encoded[i].arena);
    }
}

void dp_pq_work_close(struct dp_pq_work *k) {
    if (!k) return;
    release_encoded(k);
    for (unsigned i = 0; i < k->n_scratch; i++) dp_pq_scratch_release(&k->scratch[i]);
    if (k->has_rows) dp_batch_release(&k->rows);
    free(k->encoded);
    free(k->scratch);
    free(k->unencoded);
    free(k);
}

static void open_work(struct dp_pq_writer *w) {
    struct dp_pq_work *k = w->work = w->o.work ? w->o.work : dp_pq_work_open(0, false);
    unsigned threads = w->pool ? dp_pool_threads(w->pool) : 1;
    w->own_work = !w->o.work;
    w->rows = &k->rows;
    if (k->has_rows) return;
    dp_batch_init(&k->rows, w->schema);
    k->has_rows = true;
    k->n_scratch = threads;
    k->scratch = dp_calloc(threads, sizeof *k->scratch);
    k->n_encoded = w->n_leaves;
    k->encoded = dp_calloc(k->n_encoded + 1, sizeof *k->encoded);
    k->unencoded = dp_calloc(k->rows.n_columns + 1, sizeof *k->unencoded);
}

enum dp_status dp_pq_writer_open(const struct dp_type *schema, const struct dp_pq_writer_opts *opts, struct dp_pool *pool, dp_pq_sink sink, void *ctx,
                                 struct dp_pq_writer **out, struct dp_err *err) {
    struct dp_pq_writer *w = dp_calloc(1, sizeof *w);
    enum dp_status status;
    w->schema = schema, w->pool = pool, w->sink = sink, w->ctx = ctx;
    copy_options(w, opts);
    DP_TRY_OUT(open_schema(w, err));
    open_work(w);
    DP_TRY_OUT(dp_pq_writer_put(w, "PAR1", 4, err));
    *out = w;
    return DP_OK;
out:
    dp_pq_writer_close(w);
    return status;
}

void dp_pq_writer_close(struct dp_pq_writer *w) {
    if (!w) return;
    if (w->own_work) dp_pq_work_close(w->work);
    else if (w->row_bytes) dp_batch_reset(w->rows); /* it did not finish: the next one begins without its rows */
    dp_pq_compose_free(w->compose);
    dp_buf_release(&w->column_indexes);
    dp_buf_release(&w->offset_indexes);
    free(w->places);
    free(w->leaves);
    free(w->order);
    free(w->meta.row_groups);
    dp_type_free(w->mapped);
    dp_pq_meta_release(&w->meta);
    dp_arena_release(&w->arena);
    free(w);
}

/* ---- rows in ---- */

#define ROW_WORK 16    /* bytes that a row takes while a column is encoded: a level, its place, its code, its span */
#define NESTED_WORK 24 /* the same for a value in a list */

/* What rows take in memory, additive over any split of them. */
static int64_t range_bytes(const struct dp_column *c, int64_t from, int64_t n, bool in_list) {
    int64_t total = n; /* validity, rounded up */
    if (in_list && !c->n_children) total += NESTED_WORK * n;
    switch (c->type->id) {
    case DP_TYPE_NONE:
    case DP_TYPE_BOOLEAN: return total + n;
    case DP_TYPE_STRING:
    case DP_TYPE_JSON:
    case DP_TYPE_ENUM:
    case DP_TYPE_BINARY: return total + 4 * n + (c->offsets ? c->offsets[from + n] - c->offsets[from] : 0);
    case DP_TYPE_LIST:
    case DP_TYPE_MAP:
        if (!c->offsets) return total;
        for (size_t i = 0; i < c->n_children; i++) total += range_bytes(&c->children[i], c->offsets[from], c->offsets[from + n] - c->offsets[from], true);
        return total + 4 * n;
    case DP_TYPE_STRUCT:
        for (size_t i = 0; i < c->n_children; i++) total += range_bytes(&c->children[i], from, n, in_list);
        return total;
    case DP_TYPE_FIXED: return total + n * c->type->width;
    case DP_TYPE_DECIMAL:
    case DP_TYPE_UUID:
    case DP_TYPE_INTERVAL: return total + 16 * n;
    case DP_TYPE_INT8:
    case DP_TYPE_UINT8:
    case DP_TYPE_INT16:
    case DP_TYPE_UINT16:
    case DP_TYPE_FLOAT16:
    case DP_TYPE_INT32:
    case DP_TYPE_UINT32:
    case DP_TYPE_FLOAT:
    case DP_TYPE_DATE: return total + 4 * n;
    case DP_TYPE_INT64:
    case DP_TYPE_UINT64:
    case DP_TYPE_DOUBLE:
    case DP_TYPE_TIME:
    case DP_TYPE_TIMESTAMP: return total + 8 * n;
    }
    return total;
}

static int64_t batch_range_bytes(const struct dp_batch *b, int64_t from, int64_t n) {
    int64_t total = ROW_WORK * n;
    if (n == 0) return 0;
    for (size_t i = 0; i < b->n_columns; i++) total += range_bytes(&b->columns[i], from, n, false);
    return total;
}

/* The fewest of n rows that reach `room` bytes, n when they don't. */
static int64_t rows_that_fit(const struct dp_batch *b, int64_t from, int64_t n, int64_t room) {
    if (batch_range_bytes(b, from, n) < room) return n;
    int64_t lo = 1, hi = n;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (batch_range_bytes(b, from, mid) >= room) hi = mid;
        else lo = mid + 1;
    }
    return lo;
}

/* Columns that grow by doubling would take up to twice the row group: room is made once, for as many rows as the first ones say. */
static void reserve_rows(struct dp_pq_writer *w, int64_t before) {
    int64_t rows = w->rows->length;
    if (before >= SAMPLE_ROWS || rows < SAMPLE_ROWS) return;
    int64_t fit = w->o.row_group_bytes / (w->row_bytes / rows + 1);
    fit += fit / 16; /* later rows may be smaller, and one more would double everything */
    int64_t all = fit < w->o.row_group_rows ? fit : w->o.row_group_rows;
    for (size_t i = 0; i < w->rows->n_columns && all > rows; i++) dp_column_reserve(&w->rows->columns[i], all - rows);
}

/* The first n rows of a batch are a row group by themselves: encoded where they are. */
static enum dp_status flush_lent(struct dp_pq_writer *w, const struct dp_batch *b, int64_t n, struct dp_err *err) {
    struct dp_batch lent = {.schema = b->schema, .length = n, .columns = b->columns, .n_columns = b->n_columns}, *own = w->rows;
    w->rows = &lent;
    w->rows_lent = true;
    enum dp_status status = dp_pq_writer_flush(w, err);
    w->rows_lent = false;
    w->rows = own;
    return status;
}

enum dp_status dp_pq_writer_add_some(struct dp_pq_writer *w, const struct dp_batch *b, int64_t from, int64_t n, int64_t *taken, struct dp_err *err) {
    *taken = 0;
    if (w->failed || w->finished || b->n_columns != w->rows->n_columns) return dp_err_set(err, DP_BUG, "rows for a Parquet writer that can't take them");
    if (n > w->o.row_group_rows - w->rows->length) n = w->o.row_group_rows - w->rows->length;
    n = rows_that_fit(b, from, n, w->o.row_group_bytes - w->row_bytes);
    w->row_bytes += batch_range_bytes(b, from, n);
    int64_t before = w->rows->length;
    *taken = n;
    if (before == 0 && from == 0 && (n >= w->o.row_group_rows || w->row_bytes >= w->o.row_group_bytes)) return flush_lent(w, b, n, err);
    dp_batch_append(w->rows, b, from, n);
    reserve_rows(w, before);
    return w->rows->length >= w->o.row_group_rows || w->row_bytes >= w->o.row_group_bytes ? dp_pq_writer_flush(w, err) : DP_OK;
}

enum dp_status dp_pq_writer_add(struct dp_pq_writer *w, const struct dp_batch *b, struct dp_err *err) {
    for (int64_t from = 0, taken; from < b->length; from += taken) DP_TRY(dp_pq_writer_add_some(w, b, from, b->length - from, &taken, err));
    return DP_OK;
}

int64_t dp_pq_writer_pending(const struct dp_pq_writer *w) { return w->rows->length; }

const struct dp_batch *dp_pq_writer_pending_rows(const struct dp_pq_writer *w) { return w->rows; }

void dp_pq_writer_drop_pending(struct dp_pq_writer *w) {
    dp_batch_reset(w->rows);
    w->row_bytes = 0;
}

/* ---- row groups out ---- */

static enum dp_status encode_leaf(struct dp_pq_writer *w, unsigned worker, size_t i, struct dp_err *err) {
    struct dp_pq_work *k = w->work;
    struct dp_pq_leaf *l = &w->leaves[i];
    struct dp_pq_scratch *s = &k->scratch[worker];
    struct dp_pq_levels levels;
    struct dp_pq_values values;
    DP_TRY(dp_pq_shred(w->rows, l->steps, &l->path, l->element, s, &levels, &values, err));
    DP_TRY(dp_pq_chunk_encode(&w->o, &l->opts, l->element, &levels, &values, (size_t)w->rows->length, &l->choice, s, &k->encoded[i], err));
    dp_pq_scratch_trim(s);
    if (!k->frugal || w->rows_lent) return DP_OK;
    struct dp_column *top = &w->rows->columns[l->steps[0]];
    if (atomic_fetch_sub(&k->unencoded[l->steps[0]], 1) > 1) return DP_OK;
    dp_column_release(top); /* pages take its place */
    dp_column_init(top, w->schema->children[l->steps[0]]);
    return DP_OK;
}

struct encoding {
    struct dp_pq_writer *w;
    atomic_size_t next;
    struct failure { size_t at; enum dp_status status; struct dp_err err; } *failures; /* of each lane; at is SIZE_MAX where there is none */
};

/* Takes columns until there are none. */
static enum dp_status encode_lane(void *ctx, unsigned worker, size_t lane, struct dp_err *err) {
    struct encoding *e = ctx;
    struct failure *f = &e->failures[lane];
    (void)err;
    for (size_t i; (i = atomic_fetch_add(&e->next, 1)) < e->w->n_leaves;) {
        f->status = encode_leaf(e->w, worker, e->w->order[i], &f->err);
        if (f->status == DP_OK) continue;
        f->at = i;
        break;
    }
    return DP_OK;
}

/* The failure of the first column in the order of encoding is returned, whatever the lanes. */
static enum dp_status encode_all(struct dp_pq_writer *w, struct dp_err *err) {
    struct dp_pq_work *k = w->work;
    size_t lanes = w->pool ? dp_pool_threads(w->pool) : 1;
    if (k->lanes && lanes > k->lanes) lanes = k->lanes;
    if (lanes > w->n_leaves) lanes = w->n_leaves ? w->n_leaves : 1;
    struct encoding e = {.w = w, .failures = dp_calloc(lanes, sizeof *e.failures)};
    for (size_t i = 0; i < w->rows->n_columns; i++) atomic_store(&k->unencoded[i], 0);
    for (size_t i = 0; i < w->n_leaves; i++) atomic_fetch_add(&k->unencoded[w->leaves[i].steps[0]], 1);
    for (size_t i = 0; i < lanes; i++) e.failures[i] = (struct failure){.at = SIZE_MAX, .err = DP_ERR_INIT};
    enum dp_status status = w->pool ? dp_pool_for(w->pool, lanes, encode_lane, &e, err) : encode_lane(&e, 0, 0, err);
    const struct failure *first = &e.failures[0];
    for (size_t i = 1; i < lanes; i++)
        if (e.failures[i].at < first->at) first = &e.failures[i];
    if (status == DP_OK && first->at != SIZE_MAX) {
        status = first->status;
        if (err) *err = first->err;
    }
    free(e.failures);
    return status;
}

static bool heavier(const struct dp_pq_leaf *leaves, uint32_t a, uint32_t b) {
    return leaves[a].weight != leaves[b].weight ? leaves[a].weight > leaves[b].weight : a < b;
}

/* The heaviest columns first, so that the threads end together. */
static void order_leaves(struct dp_pq_writer *w) {
    for (size_t i = 0; i < w->n_leaves; i++) {
        struct dp_pq_leaf *l = &w->leaves[i];
        const struct dp_column *top = &w->rows->columns[l->steps[0]];
        l->weight = range_bytes(top, 0, w->rows->length, false) / (int64_t)dp_type_leaves(top->type);
        size_t at = i;
        for (; at > 0 && heavier(w->leaves, (uint32_t)i, w->order[at - 1]); at--) w->order[at] = w->order[at - 1];
        w->order[at] = (uint32_t)i;
    }
}

static void place_index(struct dp_pq_writer *w, size_t leaf, size_t at, size_t n, bool is_column_index) {
    w->places = dp_grow(w->places, &w->places_cap, w->n_places + 1, sizeof *w->places);
    w->places[w->n_places++] = (struct dp_pq_index_place){w->meta.n_row_groups, leaf, at, n, is_column_index};
}

static void keep_indexes(struct dp_pq_writer *w, size_t leaf, struct dp_pq_encoded *e, int64_t start) {
    size_t at = w->offset_indexes.n;
    if (w->o.no_page_index || e->offsets.n_pages == 0) return;
    for (size_t i = 0; i < e->offsets.n_pages; i++) e->offsets.pages[i].offset += start;
    dp_pq_offset_index_write(&e->offsets, &w->offset_indexes);
    place_index(w, leaf, at, w->offset_indexes.n - at, false);
    if (!e->has_index) return;
    at = w->column_indexes.n;
    dp_pq_column_index_write(&e->index, &w->column_indexes);
    place_index(w, leaf, at, w->column_indexes.n - at, true);
}

/* The chunk's metadata outlives the encoder's memory: copied. */
static void keep_meta(struct dp_pq_writer *w, struct dp_pq_chunk *to, const struct dp_pq_chunk *from, int64_t start) {
    struct dp_arena *a = &w->meta.arena;
    *to = *from;
    to->data_page_offset += start;
    if (to->dictionary_page_offset >= 0) to->dictionary_page_offset += start;
    if (to->stats.has_min) to->stats.min = dp_arena_str(a, from->stats.min);
    if (to->stats.has_max) to->stats.max = dp_arena_str(a, from->stats.max);
    to->encoding_stats = dp_arena_alloc(a, from->n_encoding_stats * sizeof *to->encoding_stats);
    if (from->n_encoding_stats) memcpy(to->encoding_stats, from->encoding_stats, from->n_encoding_stats * sizeof *to->encoding_stats);
    if (from->def_histogram) to->def_histogram = memcpy(dp_arena_alloc(a, 8 * from->n_def_histogram), from->def_histogram, 8 * from->n_def_histogram);
    if (from->rep_histogram) to->rep_histogram = memcpy(dp_arena_alloc(a, 8 * from->n_rep_histogram), from->rep_histogram, 8 * from->n_rep_histogram);
}

struct dp_pq_row_group *dp_pq_writer_group(struct dp_pq_writer *w, int64_t rows) {
    w->meta.row_groups = dp_grow(w->meta.row_groups, &w->row_groups_cap, w->meta.n_row_groups + 1, sizeof *w->meta.row_groups);
    struct dp_pq_row_group *g = &w->meta.row_groups[w->meta.n_row_groups];
    *g = (struct dp_pq_row_group){.num_rows = rows, .n_chunks = w->n_leaves};
    g->chunks = dp_arena_calloc(&w->meta.arena, w->n_leaves + 1, sizeof *g->chunks);
    g->sorting = (struct dp_pq_sorting *)(uintptr_t)w->o.sorting, g->n_sorting = w->o.n_sorting;
    return g;
}

void dp_pq_writer_keep(struct dp_pq_writer *w, struct dp_pq_row_group *g, size_t leaf, struct dp_pq_encoded *e, int64_t start) {
    keep_meta(w, &g->chunks[leaf], &e->meta, start);
    keep_indexes(w, leaf, e, start);
    g->total_byte_size += e->meta.total_uncompressed;
    g->total_compressed += e->meta.total_compressed;
}

enum dp_status dp_pq_writer_end_group(struct dp_pq_writer *w, struct dp_pq_row_group *g, bool keep_memory, struct dp_err *err) {
    for (size_t i = 0; i < w->n_leaves; i++) {
        struct dp_pq_encoded *e = &w->work->encoded[i];
        if (e->bloom.n) {
            g->chunks[i].bloom_offset = (int64_t)w->size;
            g->chunks[i].bloom_length = (int32_t)e->bloom.n;
            DP_TRY(dp_pq_writer_put(w, e->bloom.p, e->bloom.n, err));
        }
        if (keep_memory) dp_arena_reset(&e->arena);
        else dp_arena_release(&e->arena);
    }
    w->meta.n_row_groups++;
    w->meta.num_rows += g->num_rows;
    return DP_OK;
}

static enum dp_status write_row_group(struct dp_pq_writer *w, struct dp_err *err) {
    struct dp_pq_row_group *g = dp_pq_writer_group(w, w->rows->length);
    size_t kept = 0;
    for (size_t i = 0; i < w->n_leaves; i++) {
        struct dp_pq_encoded *e = &w->work->encoded[i];
        int64_t start = (int64_t)w->size;
        DP_TRY(dp_pq_writer_put(w, e->pages.p, e->pages.n, err));
        if (w->work->frugal && (kept += e->pages.cap) > KEEP_PAGES) dp_buf_release(&e->pages);
        dp_pq_writer_keep(w, g, i, e, start);
    }
    return dp_pq_writer_end_group(w, g, !w->work->frugal || kept <= KEEP_PAGES, err);
}

enum dp_status dp_pq_writer_flush(struct dp_pq_writer *w, struct dp_err *err) {
    enum dp_status status = DP_OK;
    if (w->rows->length == 0) return DP_OK;
    order_leaves(w);
    DP_TRY_OUT(encode_all(w, err));
    DP_TRY_OUT(write_row_group(w, err));
    if (!w->rows_lent) dp_batch_reset(w->rows);
    w->row_bytes = 0;
out:
    w->failed = status != DP_OK;
    return status;
}

static void set_index_places(struct dp_pq_writer *w, uint64_t column_indexes, uint64_t offset_indexes) {
    for (size_t i = 0; i < w->n_places; i++) {
        const struct dp_pq_index_place *x = &w->places[i];
        struct dp_pq_chunk *c = &w->meta.row_groups[x->row_group].chunks[x->leaf];
        if (x->is_column_index) c->column_index_offset = (int64_t)(column_indexes + x->at), c->column_index_length = (int32_t)x->n;
        else c->offset_index_offset = (int64_t)(offset_indexes + x->at), c->offset_index_length = (int32_t)x->n;
    }
}

enum dp_status dp_pq_writer_finish(struct dp_pq_writer *w, struct dp_err *err) {
    struct dp_buf footer = {0};
    enum dp_status status = DP_OK;
    if (w->failed || w->finished) return dp_err_set(err, DP_BUG, "a Parquet writer is finished twice or after a failure");
    DP_TRY_OUT(dp_pq_writer_flush(w, err));
    uint64_t column_indexes = w->size;
    DP_TRY_OUT(dp_pq_writer_put(w, w->column_indexes.p, w->column_indexes.n, err));
    uint64_t offset_indexes = w->size;
    DP_TRY_OUT(dp_pq_writer_put(w, w->offset_indexes.p, w->offset_indexes.n, err));
    set_index_places(w, column_indexes, offset_indexes);
    dp_pq_meta_write(&w->meta, &footer);
    if (footer.n > DP_LIMIT_FOOTER) {
        status = dp_err_set(err, DP_LIMIT, "a Parquet footer of %zu bytes (limit %u)", footer.n, DP_LIMIT_FOOTER);
        goto out;
    }
    uint32_t n = (uint32_t)footer.n;
    dp_buf_add(&footer, &n, 4);
    dp_buf_add(&footer, "PAR1", 4);
    DP_TRY_OUT(dp_pq_writer_put(w, footer.p, footer.n, err));
    w->finished = true;
out:
    w->failed |= status != DP_OK;
    dp_buf_release(&footer);
    return status;
}

const struct dp_pq_meta *dp_pq_writer_meta(const struct dp_pq_writer *w) { return &w->meta; }
uint64_t dp_pq_writer_size(const struct dp_pq_writer *w) { return w->size; }

size_t dp_pq_writer_memory(const struct dp_pq_writer *w) {
    size_t own = w->meta.arena.total + w->arena.total + w->n_leaves * sizeof *w->leaves + w->column_indexes.cap + w->offset_indexes.cap;
    return own + w->places_cap * sizeof *w->places + (w->row_bytes ? dp_batch_bytes(w->rows) : 0);
}
