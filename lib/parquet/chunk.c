/*
 * One column chunk: pages planned, encoded, compressed once, with statistics, page index, size statistics and bloom filter
 * (spec: Parquet file format, pages, PageIndex, Statistics, SizeStatistics).  Bytes depend on the rows and the options alone.
 */
#include "choose_priv.h"

#include <stdlib.h>
#include <zlib.h>

#define DICT_MAX (1u << 20)  /* bytes of a dictionary page */
#define BOUND_MAX 64         /* bytes of a byte array bound before it is cut */

struct page { size_t level, n_levels, value, n_values, row, n_rows; };

struct job {
    const struct dp_pq_writer_opts *o;
    const struct dp_pq_leaf_opts *lo;
    const struct dp_pq_element *e;
    const struct dp_pq_levels *levels;
    const struct dp_pq_values *v;
    struct dp_pq_dict dict; /* n > 0: dictionary coded */
    struct dp_pq_choice *choice;
    struct dp_pq_scratch *s;
    struct dp_pq_encoded *out;
    enum dp_pq_codec codec;
    enum dp_pq_compare compare;
    bool text;
    size_t n_rows, n_pages;
    const struct page *pages;
};

static unsigned bits_of(uint64_t v) { return v ? 64u - (unsigned)__builtin_clzll(v) : 0; }

static void release_over(struct dp_pq_scratch *s, size_t most) {
    struct dp_buf *all[] = {&s->def, &s->rep, &s->index, &s->def2, &s->rep2, &s->index2, &s->dense, &s->slots, &s->dict, &s->codes, &s->stamps,
                            &s->body, &s->sample, &s->packed, &s->aux, &s->pages};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]->cap > most) dp_buf_release(all[i]);
}

void dp_pq_scratch_trim(struct dp_pq_scratch *s) { release_over(s, 4u << 20); }

void dp_pq_scratch_release(struct dp_pq_scratch *s) {
    release_over(s, 0);
    dp_codec_close(s->codec);
    s->codec = NULL;
}

/* ---- plan ---- */

static size_t count_present(const struct dp_pq_levels *l, size_t from, size_t n) {
    size_t present = 0, i = from, end = from + n;
    if (!l->def) return n;
    if (l->max_def == 1) { /* eight levels of 0 or 1: their sum is in the top byte of a product */
        for (uint64_t w; i + 8 <= end; i += 8) memcpy(&w, l->def + i, 8), present += w * UINT64_C(0x0101010101010101) >> 56;
    }
    for (; i < end; i++) present += l->def[i] == l->max_def;
    return present;
}

static void add_page(struct job *j, struct page p) {
    dp_buf_add(&j->s->pages, &p, sizeof p);
    j->pages = (const struct page *)(const void *)j->s->pages.p;
    j->n_pages++;
}

/* Flat columns of fixed or coded values: pages of equal numbers of rows. */
static void plan_even(struct job *j, size_t per_page) {
    size_t pages = (j->n_rows + per_page - 1) / per_page, value = 0;
    size_t rows = (j->n_rows + pages - 1) / pages;
    for (size_t row = 0; row < j->n_rows; row += rows) {
        size_t n = j->n_rows - row < rows ? j->n_rows - row : rows, present = count_present(j->levels, row, n);
        add_page(j, (struct page){row, n, value, present, row, n});
        value += present;
    }
}

/* Everything else: row by row. */
static void plan_walk(struct job *j, size_t page_rows, size_t page_bytes) {
    const struct dp_pq_levels *l = j->levels;
    size_t pages = (j->n_rows + page_rows - 1) / page_rows, target = (j->n_rows + pages - 1) / pages, bytes = 0;
    size_t each = j->dict.n ? 2 : (size_t)j->v->width;
    const struct dp_pq_span *span = each ? NULL : j->v->spans;
    struct page p = {0};
    for (size_t i = 0; i < l->n;) {
        if (p.n_rows >= target || bytes >= page_bytes) {
            add_page(j, p);
            p = (struct page){i, 0, p.value + p.n_values, 0, p.row + p.n_rows, 0};
            bytes = 0;
        }
        size_t from = i, present = 0;
        do present += !l->def || l->def[i] == l->max_def, i++;
        while (l->rep && i < l->n && l->rep[i] != 0);
        bytes += each * present;
        for (size_t k = 0; span && k < present; k++) bytes += 4 + (size_t)(span++)->len;
        p.n_rows++, p.n_levels += i - from, p.n_values += present;
    }
    add_page(j, p);
}

static void plan(struct job *j) {
    size_t page_rows = j->o->page_rows > 0 ? (size_t)j->o->page_rows : 20000, page_bytes = j->o->page_bytes ? j->o->page_bytes : 1u << 20;
    dp_buf_reset(&j->s->pages);
    j->n_pages = 0;
    if (j->n_rows == 0) return;
    if (j->levels->rep || (j->v->type == DP_PQ_BYTE_ARRAY && j->dict.n == 0)) {
        plan_walk(j, page_rows, page_bytes);
        return;
    }
    size_t width = j->dict.n || j->v->width == 0 ? 4 : (size_t)j->v->width, by_bytes = page_bytes / width ? page_bytes / width : 1;
    plan_even(j, page_rows < by_bytes ? page_rows : by_bytes);
}

/* ---- one page ---- */

static void put_levels(struct dp_buf *out, const uint8_t *v, uint8_t all, size_t n, int max, bool prefix) {
    size_t at = out->n;
    if (prefix) dp_buf_add(out, "\0\0\0", 4);
    if (v) dp_pq_put_hybrid8(out, v, n, bits_of((uint64_t)max));
    else dp_pq_put_hybrid_run(out, all, n, bits_of((uint64_t)max));
    if (!prefix) return;
    uint32_t len = (uint32_t)(out->n - at - 4);
    memcpy(out->p + at, &len, 4);
}

static void put_codes(struct dp_buf *out, const uint32_t *codes, size_t n) {
    uint64_t any = 0, four[2];
    size_t i = 0;
    for (; i + 4 <= n; i += 4) memcpy(four, codes + i, sizeof four), any |= four[0] | four[1];
    for (; i < n; i++) any |= codes[i];
    uint32_t most = (uint32_t)(any | any >> 32); /* as many bits as the largest has */
    unsigned width = most ? bits_of(most) : 1; /* width 0 is legal, and stumbled over by some */
    dp_buf_addc(out, (char)width);
    dp_pq_put_hybrid(out, codes, n, width);
}

static enum dp_status check_size(size_t n, struct dp_err *err) {
    return n > INT32_MAX ? dp_err_set(err, DP_LIMIT, "a page of %zu bytes: Parquet pages end at 2 GiB", n) : DP_OK;
}

/* Header and body behind what is there. `head` bytes of the body stay as they are (levels of V2 pages). */
static enum dp_status put_page(struct job *j, struct dp_pq_page_header *h, const struct dp_buf *body, size_t head, struct dp_err *err) {
    struct dp_buf *packed = &j->s->packed;
    const struct dp_buf *stored = body;
    bool v2 = h->type == DP_PQ_DATA_PAGE_V2;
    DP_TRY(check_size(body->n, err));
    if (j->codec != DP_PQ_UNCOMPRESSED && !(v2 && body->n == head)) {
        dp_buf_reset(packed);
        dp_buf_add(packed, body->p, head);
        int level = h->type != DP_PQ_DICTIONARY_PAGE ? j->choice->level : j->codec == DP_PQ_ZSTD && j->lo->level <= 3 ? DP_ZSTD_QUICK : j->lo->level;
        DP_TRY(dp_codec_compress(j->s->codec, j->codec, level, body->p + head, body->n - head, packed, err));
        h->is_compressed = packed->n < body->n || !v2;
        if (h->is_compressed) stored = packed;
        DP_TRY(check_size(stored->n, err));
    }
    h->uncompressed_size = (int32_t)body->n;
    h->compressed_size = (int32_t)stored->n;
    if (j->o->crc) {
        h->has_crc = true;
        h->crc = (uint32_t)crc32(0, (const Bytef *)stored->p, (uInt)stored->n);
    }
    size_t at = j->out->pages.n;
    dp_pq_page_header_write(h, &j->out->pages);
    j->out->meta.total_uncompressed += (int64_t)(j->out->pages.n - at + body->n);
    dp_buf_add(&j->out->pages, stored->p, stored->n);
    return DP_OK;
}

static enum dp_status put_dictionary(struct job *j, struct dp_err *err) {
    struct dp_pq_values dv = dp_pq_dict_values(&j->dict, j->v);
    struct dp_pq_page_header h = {.type = DP_PQ_DICTIONARY_PAGE, .num_values = (int32_t)dv.n, .encoding = DP_PQ_PLAIN};
    dp_buf_reset(&j->s->body);
    dp_pq_put_values(&j->s->body, DP_PQ_PLAIN, &dv, 0, dv.n, &j->s->aux);
    j->out->meta.dictionary_page_offset = (int64_t)j->out->pages.n;
    return put_page(j, &h, &j->s->body, 0, err);
}

static enum dp_status put_data_page(struct job *j, const struct page *p, struct dp_err *err) {
    const struct dp_pq_levels *l = j->levels;
    struct dp_buf *body = &j->s->body;
    bool v2 = j->o->page_v2;
    struct dp_pq_page_header h = {.type = v2 ? DP_PQ_DATA_PAGE_V2 : DP_PQ_DATA_PAGE, .num_values = (int32_t)p->n_levels,
        .encoding = (int32_t)j->choice->encoding, .def_encoding = DP_PQ_RLE, .rep_encoding = DP_PQ_RLE, .num_rows = (int32_t)p->n_rows,
        .num_nulls = (int32_t)(p->n_levels - p->n_values)};
    dp_buf_reset(body);
    dp_buf_reserve(body, 16);
    if (l->max_rep) put_levels(body, l->rep ? l->rep + p->level : NULL, 0, p->n_levels, l->max_rep, !v2);
    h.rep_bytes = (int32_t)body->n;
    if (l->max_def) put_levels(body, l->def ? l->def + p->level : NULL, (uint8_t)l->max_def, p->n_levels, l->max_def, !v2);
    h.def_bytes = (int32_t)body->n - h.rep_bytes;
    size_t head = v2 ? body->n : 0;
    if (j->dict.n) put_codes(body, j->dict.codes + p->value, p->n_values);
    else dp_pq_put_values(body, j->choice->encoding, j->v, p->value, p->n_values, &j->s->aux);
    return put_page(j, &h, body, head, err);
}

/* ---- statistics ---- */

static int64_t span_bytes(const struct dp_pq_values *v, size_t from, size_t n) {
    int64_t total = 0;
    for (size_t i = from; i < from + n; i++) total += v->spans[i].len;
    return total;
}

/* Bounds of a page of coded strings are those of the dictionary entries that it uses: far fewer than its values. */
static struct dp_pq_values used_entries(struct job *j, const struct page *p, size_t page_number) {
    struct dp_pq_values x = *j->v;
    uint32_t *stamps = (uint32_t *)(void *)j->s->stamps.p, mark = (uint32_t)page_number + 1;
    dp_buf_reset(&j->s->sample);
    struct dp_pq_span *to = (struct dp_pq_span *)(void *)dp_buf_reserve(&j->s->sample, (j->dict.n + 1) * sizeof *to);
    size_t n = 0;
    for (size_t i = p->value; i < p->value + p->n_values; i++) {
        uint32_t c = j->dict.codes[i];
        to[n] = j->dict.spans[c];
        n += stamps[c] != mark;
        stamps[c] = mark;
    }
    x.spans = to, x.n = n;
    return x;
}

/* Four counters for each level, for neighbours are often equal and would wait for each other. */
static void histogram(const uint8_t *v, uint8_t all, size_t from, size_t n, size_t n_levels, int64_t *out, int64_t *total) {
    uint32_t seen[4][UINT8_MAX + 1] = {{0}};
    size_t i = from, end = from + n;
    if (!v) out[all] += (int64_t)n, total[all] += (int64_t)n;
    if (!v) return;
    for (; i + 4 <= end; i += 4) seen[0][v[i]]++, seen[1][v[i + 1]]++, seen[2][v[i + 2]]++, seen[3][v[i + 3]]++;
    for (; i < end; i++) seen[0][v[i]]++;
    for (size_t k = 0; k < n_levels; k++) {
        int64_t count = (int64_t)seen[0][k] + seen[1][k] + seen[2][k] + seen[3][k];
        out[k] += count, total[k] += count;
    }
}

static void widen_chunk_bound(struct job *j, bool is_max, struct dp_str bound, bool exact) {
    struct dp_pq_stats *x = &j->out->meta.stats;
    bool *has = is_max ? &x->has_max : &x->has_min;
    struct dp_str *now = is_max ? &x->max : &x->min;
    int8_t *now_exact = is_max ? &x->max_exact : &x->min_exact;
    int c = *has ? dp_pq_bound_cmp(j->compare, j->v->type, bound, *now) : is_max ? 1 : -1;
    if (c == 0) *now_exact |= (int8_t)exact;
    if (is_max ? c > 0 : c < 0) *now = bound, *now_exact = exact;
    *has = true;
}

/* False: this page has values and no bounds. */
static bool page_bounds(struct job *j, const struct page *p, size_t i, bool *no_max) {
    struct dp_pq_encoded *out = j->out;
    struct dp_pq_bounds_acc b;
    struct dp_pq_values v = *j->v;
    bool exact, coded = j->dict.n && v.type == DP_PQ_BYTE_ARRAY;
    out->index.null_pages[i] = p->n_values == 0;
    if (coded) v = used_entries(j, p, i);
    dp_pq_bounds_of(j->compare, &v, coded ? 0 : p->value, coded ? v.n : p->n_values, &b);
    if (out->index.nan_counts) out->index.nan_counts[i] = b.nans, out->meta.stats.nan_count += b.nans;
    if (p->n_values == 0) return true;
    if (!b.has) return false;
    struct dp_str *min = &out->index.min[i], *max = &out->index.max[i];
    bool has_min = dp_pq_bound_bytes(j->compare, &v, &b, false, j->text, BOUND_MAX, &out->arena, min, &exact);
    if (has_min) widen_chunk_bound(j, false, *min, exact);
    bool has_max = dp_pq_bound_bytes(j->compare, &v, &b, true, j->text, BOUND_MAX, &out->arena, max, &exact);
    if (has_max) widen_chunk_bound(j, true, *max, exact);
    else *no_max = true;
    return has_min && has_max;
}

static void page_counts(struct job *j, const struct page *p, size_t i) {
    struct dp_pq_encoded *out = j->out;
    struct dp_pq_chunk *c = &out->meta;
    const struct dp_pq_levels *l = j->levels;
    out->index.null_counts[i] = (int64_t)(p->n_levels - p->n_values);
    c->stats.null_count += out->index.null_counts[i];
    if (out->offsets.unencoded_bytes) {
        out->offsets.unencoded_bytes[i] = span_bytes(j->v, p->value, p->n_values);
        c->unencoded_bytes += out->offsets.unencoded_bytes[i];
    }
    if (c->def_histogram)
        histogram(l->def, (uint8_t)l->max_def, p->level, p->n_levels, c->n_def_histogram, out->index.def_histograms + i * c->n_def_histogram, c->def_histogram);
    if (c->rep_histogram) histogram(l->rep, 0, p->level, p->n_levels, c->n_rep_histogram, out->index.rep_histograms + i * c->n_rep_histogram, c->rep_histogram);
}

static void order_of_pages(struct job *j) {
    struct dp_pq_column_index *x = &j->out->index;
    bool up = true, down = true;
    size_t before = SIZE_MAX;
    for (size_t i = 0; i < x->n_pages; i++) {
        if (x->null_pages[i]) continue;
        if (before != SIZE_MAX) {
            int lo = dp_pq_bound_cmp(j->compare, j->v->type, x->min[before], x->min[i]), hi = dp_pq_bound_cmp(j->compare, j->v->type, x->max[before], x->max[i]);
            up &= lo <= 0 && hi <= 0;
            down &= lo >= 0 && hi >= 0;
        }
        before = i;
    }
    x->order = up ? DP_PQ_ASCENDING : down ? DP_PQ_DESCENDING : DP_PQ_UNORDERED;
}

static void open_indexes(struct job *j) {
    struct dp_pq_encoded *out = j->out;
    struct dp_arena *a = &out->arena;
    struct dp_pq_chunk *c = &out->meta;
    size_t n = j->n_pages + 1;
    bool nested = j->levels->max_rep > 0 || j->levels->max_def > 1;
    out->index = (struct dp_pq_column_index){.n_pages = j->n_pages, .null_pages = dp_arena_calloc(a, n, 1), .min = dp_arena_calloc(a, n, sizeof(struct dp_str)),
        .max = dp_arena_calloc(a, n, sizeof(struct dp_str)), .null_counts = dp_arena_calloc(a, n, 8)};
    out->offsets = (struct dp_pq_offset_index){.n_pages = j->n_pages, .pages = dp_arena_calloc(a, n, sizeof(struct dp_pq_page_location))};
    if (j->compare == DP_PQ_CMP_FLOAT) out->index.nan_counts = dp_arena_calloc(a, n, 8);
    c->stats.nan_count = j->compare == DP_PQ_CMP_FLOAT ? 0 : -1;
    c->unencoded_bytes = j->v->type == DP_PQ_BYTE_ARRAY ? 0 : -1;
    if (j->v->type == DP_PQ_BYTE_ARRAY) out->offsets.unencoded_bytes = dp_arena_calloc(a, n, 8);
    if (nested) {
        c->n_def_histogram = (size_t)j->levels->max_def + 1;
        c->def_histogram = dp_arena_calloc(a, c->n_def_histogram, 8);
        out->index.n_def_histograms = j->n_pages * c->n_def_histogram;
        out->index.def_histograms = dp_arena_calloc(a, n * c->n_def_histogram, 8);
    }
    if (j->levels->max_rep > 0) {
        c->n_rep_histogram = (size_t)j->levels->max_rep + 1;
        c->rep_histogram = dp_arena_calloc(a, c->n_rep_histogram, 8);
        out->index.n_rep_histograms = j->n_pages * c->n_rep_histogram;
        out->index.rep_histograms = dp_arena_calloc(a, n * c->n_rep_histogram, 8);
    }
    if (j->dict.n && j->v->type == DP_PQ_BYTE_ARRAY) {
        dp_buf_reset(&j->s->stamps);
        memset(dp_buf_reserve(&j->s->stamps, j->dict.n * 4), 0, j->dict.n * 4);
    }
}

static void count_pages(struct job *j) {
    struct dp_pq_chunk *c = &j->out->meta;
    size_t n = 0;
    c->encoding_stats = dp_arena_calloc(&j->out->arena, 2, sizeof *c->encoding_stats);
    if (j->dict.n) {
        c->encoding_stats[n++] = (struct dp_pq_encoding_stats){DP_PQ_DICTIONARY_PAGE, DP_PQ_PLAIN, 1};
        c->encodings |= 1u << DP_PQ_PLAIN;
    }
    c->encoding_stats[n++] = (struct dp_pq_encoding_stats){j->o->page_v2 ? DP_PQ_DATA_PAGE_V2 : DP_PQ_DATA_PAGE, (int8_t)j->choice->encoding, (int32_t)j->n_pages};
    c->n_encoding_stats = n;
    c->encodings |= 1u << j->choice->encoding | 1u << DP_PQ_RLE;
}

static enum dp_status put_pages(struct job *j, struct dp_err *err) {
    struct dp_pq_encoded *out = j->out;
    bool bounded = j->compare != DP_PQ_CMP_NONE, no_max = false;
    if (j->dict.n) DP_TRY(put_dictionary(j, err));
    out->meta.data_page_offset = (int64_t)out->pages.n;
    for (size_t i = 0; i < j->n_pages; i++) {
        const struct page *p = &j->pages[i];
        size_t at = out->pages.n;
        DP_TRY(put_data_page(j, p, err));
        out->offsets.pages[i] = (struct dp_pq_page_location){(int64_t)at, (int32_t)(out->pages.n - at), (int64_t)p->row};
        page_counts(j, p, i);
        bounded &= page_bounds(j, p, i, &no_max);
    }
    out->has_index = bounded;
    if (no_max) out->meta.stats.has_max = false; /* the largest of all pages is not known then */
    if (bounded) order_of_pages(j);
    return DP_OK;
}

enum dp_status dp_pq_chunk_encode(const struct dp_pq_writer_opts *o, const struct dp_pq_leaf_opts *lo, const struct dp_pq_element *e,
                                  const struct dp_pq_levels *levels, const struct dp_pq_values *values, size_t n_rows, struct dp_pq_choice *choice, struct dp_pq_scratch *s,
                                  struct dp_pq_encoded *out, struct dp_err *err) {
    struct job j = {.o = o, .lo = lo, .e = e, .levels = levels, .v = values, .choice = choice, .s = s, .out = out, .n_rows = n_rows, .compare = dp_pq_compare_of(e),
        .text = e->logical == DP_PQ_L_STRING || e->logical == DP_PQ_L_ENUM || e->logical == DP_PQ_L_JSON};
    if (!s->codec) s->codec = dp_codec_open();
    dp_buf_reset(&out->pages);
    dp_buf_reset(&out->bloom);
    DP_TRY(dp_pq_choose(lo, o->page_v2 ? NULL : levels, values, DICT_MAX, choice, s, &j.dict, err));
    j.codec = choice->store ? DP_PQ_UNCOMPRESSED : lo->codec;
    out->meta = (struct dp_pq_chunk){.type = e->type, .codec = j.codec, .num_values = (int64_t)levels->n, .dictionary_page_offset = -1, .bloom_offset = -1,
        .bloom_length = -1, .column_index_offset = -1, .offset_index_offset = -1,
        .stats = {.distinct_count = -1, .nan_count = -1, .min_exact = -1, .max_exact = -1}};
    plan(&j);
    open_indexes(&j);
    count_pages(&j);
    DP_TRY(put_pages(&j, err));
    out->meta.total_compressed = (int64_t)out->pages.n;
    if (lo->bloom) {
        struct dp_pq_values dv = j.dict.n ? dp_pq_dict_values(&j.dict, values) : *values;
        dp_pq_bloom_write(&dv, lo->bloom_fpp, &out->bloom);
    }
    return DP_OK;
}
