/*
 * Page indexes of a column chunk (spec: PageIndex.md of parquet-format), read and held against what the footer says.  One that can't be
 * true is as good as none: it costs speed, never rows.
 */
#include "skip_priv.h"
#include <stdlib.h>

/* Tens of thousands of pages; what is longer takes more memory than it can save. */
#define MAX_INDEX (4u << 20)

/* The bytes of an index in b; false: there is none, or not within the file. */
static bool load(const struct dp_pq_file *f, int64_t off, int32_t length, struct dp_buf *b) {
    int64_t end;
    if (off < 4 || length <= 0 || (uint32_t)length > MAX_INDEX || dp_add_overflow(off, length, &end) || (uint64_t)end > f->data_end) return false;
    b->n = 0;
    char *p = dp_buf_reserve(b, (size_t)length);
    if (pq_read_at(f, p, (size_t)length, (uint64_t)off, NULL) != DP_OK) return false;
    b->n = (size_t)length;
    return true;
}

bool pq_offset_index(const struct dp_pq_file *f, size_t group, size_t leaf, struct dp_arena *a, struct dp_pq_offset_index *out) {
    const struct dp_pq_row_group *g = &f->meta.row_groups[group];
    const struct dp_pq_chunk *c = &g->chunks[leaf];
    struct dp_buf b = {0};
    bool good = !c->encrypted && !c->file_path.n && load(f, c->offset_index_offset, c->offset_index_length, &b) &&
                dp_pq_offset_index_parse(b.p, b.n, a, out, NULL) == DP_OK && out->n_pages > 0;
    dp_buf_release(&b);
    if (!good) return false;
    int64_t start = c->data_page_offset, end;
    if (c->dictionary_page_offset > 0 && c->dictionary_page_offset < start) start = c->dictionary_page_offset;
    if (c->total_compressed < 0 || dp_add_overflow(start, c->total_compressed, &end) || (uint64_t)end > f->data_end) return false;
    if (out->pages[0].offset < start || out->pages[out->n_pages - 1].first_row >= g->num_rows) return false;
    for (size_t i = 0; i < out->n_pages; i++) {
        const struct dp_pq_page_location *x = &out->pages[i];
        int64_t next = i + 1 < out->n_pages ? x[1].offset : end;
        if (x->offset > next || x->compressed_size > next - x->offset || (i + 1 < out->n_pages && x->compressed_size != next - x->offset)) return false;
    }
    return true;
}

bool pq_column_index(const struct dp_pq_file *f, size_t group, size_t leaf, size_t n_pages, struct dp_arena *a, struct dp_pq_column_index *out) {
    const struct dp_pq_chunk *c = &f->meta.row_groups[group].chunks[leaf];
    struct dp_buf b = {0};
    bool good = load(f, c->column_index_offset, c->column_index_length, &b) && dp_pq_column_index_parse(b.p, b.n, a, out, NULL) == DP_OK &&
                out->n_pages == n_pages;
    dp_buf_release(&b);
    return good;
}

struct dp_pq_range pq_page_rows(const struct dp_pq_offset_index *x, size_t page, int64_t n_rows) {
    return (struct dp_pq_range){x->pages[page].first_row, page + 1 < x->n_pages ? x->pages[page + 1].first_row : n_rows};
}

size_t pq_page_of(const struct dp_pq_offset_index *x, int64_t row) {
    size_t lo = 0, hi = x->n_pages; /* the page is in [lo, hi) */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->pages[mid].first_row <= row) lo = mid;
        else hi = mid;
    }
    return lo;
}
