/*
 * Selected rows of a row group (dp_pq_reader_select): from range to range, by the offset index where there is one that can be true
 * (spec: PageIndex.md of parquet-format), else page by page.  Each page that is reached by an offset index must begin where that
 * says, with a row, and have as many rows as it says: an index that tells otherwise is an error, never other rows.
 */
#include "skip_priv.h"

static int64_t group_rows(const struct dp_pq_reader *r) { return r->file->meta.row_groups[r->row_group].num_rows; }

/* ---- what is selected ---- */

static bool is_valid(const struct dp_pq_range *v, size_t n, int64_t rows) {
    int64_t at = -1;
    for (size_t i = 0; i < n; at = v[i++].to)
        if (v[i].from <= at || v[i].to <= v[i].from || v[i].to > rows) return false;
    return true;
}

/* Pages as the footer counts them; 0: it does not. */
static uint64_t pages_told(const struct dp_pq_chunk *c) {
    uint64_t n = 0;
    for (size_t i = 0; i < c->n_encoding_stats; i++) {
        const struct dp_pq_encoding_stats *s = &c->encoding_stats[i];
        if ((s->page_type == DP_PQ_DATA_PAGE || s->page_type == DP_PQ_DATA_PAGE_V2) && s->count > 0) n += (uint32_t)s->count;
    }
    return n;
}

static void count_pages(struct dp_pq_reader *r, const struct pq_leaf *l) {
    size_t at = 0;
    r->counts.pages += l->pages.n_pages;
    for (size_t i = 0; i < l->pages.n_pages; i++) {
        struct dp_pq_range p = pq_page_rows(&l->pages, i, group_rows(r));
        while (at < r->ranges.n && r->ranges.v[at].to <= p.from) at++;
        if (at < r->ranges.n && r->ranges.v[at].from < p.to) continue;
        r->counts.pages_skipped++;
        r->counts.bytes_skipped += (uint32_t)l->pages.pages[i].compressed_size;
    }
}

enum dp_status dp_pq_reader_select(struct dp_pq_reader *r, const struct dp_pq_range *v, size_t n, struct dp_err *err) {
    if (!r->positioned || r->row != 0 || r->selected || !is_valid(v, n, group_rows(r))) return dp_err_set(err, DP_BUG, "rows that can't be selected");
    bool all = n == 1 && v[0].from == 0 && v[0].to == group_rows(r);
    r->selected = !all;
    r->ranges.n = r->range = 0;
    r->rows_left = 0;
    for (size_t i = 0; i < n; i++) {
        r->ranges.v = dp_grow(r->ranges.v, &r->ranges.cap, i + 1, sizeof *r->ranges.v);
        r->ranges.v[r->ranges.n++] = v[i];
        r->rows_left += v[i].to - v[i].from;
    }
    dp_arena_reset(&r->indexes);
    for (size_t i = 0; i < r->n_leaves; i++) {
        struct pq_leaf *l = &r->leaves[i];
        l->jumps = !all && !r->file->chained_prefixes && pq_offset_index(r->file, r->row_group, l->number, &r->indexes, &l->pages);
        l->page_at = 0;
        if (l->jumps) count_pages(r, l);
        else r->counts.pages += pages_told(l->chunk);
    }
    return DP_OK;
}

int64_t dp_pq_reader_row(const struct dp_pq_reader *r) { return r->batch_row; }
struct dp_pq_read_counts dp_pq_reader_counts(const struct dp_pq_reader *r) { return r->counts; }

static uint64_t node_bytes(const struct dp_pq_row_group *g, const struct dp_pq_node *node) {
    uint64_t n = node->leaf >= 0 && g->chunks[node->leaf].total_compressed > 0 ? (uint64_t)g->chunks[node->leaf].total_compressed : 0;
    for (size_t i = 0; i < node->n_children; i++) n += node_bytes(g, &node->children[i]);
    return n;
}

uint64_t dp_pq_bytes(const struct dp_pq_file *f, size_t row_group, const char *const *columns, size_t n) {
    const struct dp_pq_row_group *g = &f->meta.row_groups[row_group];
    if (!columns) return node_bytes(g, f->root);
    uint64_t bytes = 0;
    for (size_t i = 0; i < f->root->n_children; i++) {
        const struct dp_pq_node *node = &f->root->children[i];
        for (size_t k = 0; k < n; k++)
            if (!strcmp(node->type->name, columns[k])) bytes += node_bytes(g, node);
    }
    return bytes;
}

/* ---- from range to range ---- */

static bool within_page(const struct pq_leaf *l) { return l->page_left || l->ahead_pos < l->ahead_n; }

static void jump(struct pq_leaf *l, size_t page) {
    const struct dp_pq_page_location *x = &l->pages.pages[page];
    l->page_left = l->page_entries = 0;
    l->ahead_pos = l->ahead_n = 0;
    l->next_off = (uint64_t)x->offset;
    l->page_no += (int32_t)(page - l->page_at);
    l->page_at = page;
    /* Of nested columns the index tells no entries: all that the pages before may not have had. */
    if (!l->max_rep) l->entries_left = l->entries_total - x->first_row;
}

/* The leaf stands at `row`; what is wanted next is `range`. */
static enum dp_status go(struct pq_leaf *l, int64_t row, struct dp_pq_range range, struct dp_err *err) {
    if (!l->jumps) return pq_leaf_pass(l, range.from - row, err);
    if (l->entries_total == 0) return DP_OK;
    if (l->page_at == 0 && !within_page(l)) DP_TRY(pq_page_prelude(l, err));
    size_t page = pq_page_of(&l->pages, range.from), last = pq_page_of(&l->pages, range.to - 1);
    l->want_end = (uint64_t)(l->pages.pages[last].offset + l->pages.pages[last].compressed_size);
    if (page >= l->page_at) {
        jump(l, page);
        row = l->pages.pages[page].first_row;
    }
    return pq_leaf_pass(l, range.from - row, err);
}

enum dp_status pq_select_next(struct dp_pq_reader *r, struct dp_err *err) {
    if (r->row == r->ranges.v[r->range].to) r->range++;
    struct dp_pq_range range = r->ranges.v[r->range];
    bool begins = r->row < range.from || r->row == 0;
    if (!begins) return DP_OK;
    for (size_t i = 0; i < r->n_leaves; i++) DP_TRY(go(&r->leaves[i], r->row, range, err));
    r->row = range.from;
    return DP_OK;
}

/* ---- the index against the pages ---- */

static int64_t rows_of(const struct pq_leaf *l, size_t page) {
    struct dp_pq_range p = pq_page_rows(&l->pages, page, group_rows(l->reader));
    return p.to - p.from;
}

static enum dp_status false_index(struct pq_leaf *l, struct dp_err *err) {
    return pq_fail(l, err, DP_FORMAT, "the page is not what the offset index says of it");
}

enum dp_status pq_select_page(struct pq_leaf *l, uint64_t off, struct dp_err *err) {
    if (l->page_at >= l->pages.n_pages || (uint64_t)l->pages.pages[l->page_at].offset != off) return false_index(l, err);
    size_t page = l->page_at++;
    l->page_rows = 0;
    l->row_begun = false; /* the page's first repetition level must be 0 */
    return l->max_rep || l->page_entries == rows_of(l, page) ? DP_OK : false_index(l, err);
}

enum dp_status pq_select_rows(struct pq_leaf *l, size_t k, struct dp_err *err) {
    if (l->page_rows < 0) return DP_OK;
    for (size_t i = 0; i < k; i++) l->page_rows += l->ahead_rep[i] == 0;
    return l->page_left || l->page_rows == rows_of(l, l->page_at - 1) ? DP_OK : false_index(l, err);
}

void pq_select_again(struct pq_leaf *l) {
    l->page_at = 0;
    while (l->page_at < l->pages.n_pages && (uint64_t)l->pages.pages[l->page_at].offset < l->next_off) l->page_at++;
}
