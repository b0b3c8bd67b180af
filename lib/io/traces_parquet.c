/*
 * Traces in a Parquet file (dp/io/traces.h): its rows, dictionaries and pages, bounds and filters.
 *
 * Rows are printed as records and searched as such, so that whatever encoding a value has, it is met.  A dictionary's entries that no row has any more are texts in its page, or
 * integers of its width.
 */
#include "traces_priv.h"

#include <dp/base/num.h>
#include <dp/parquet/pages.h>

enum { ROWS = 4096 };

struct paging {
    struct trace_search *s;
    const struct dp_pq_file *f;
};

/* Has the leaf, or a group that it is in, the value's name? */
static bool is_named(const struct dp_pq_meta *m, size_t leaf, struct dp_str name) {
    for (int32_t e = m->leaves[leaf]; e > 0; e = m->elements[e].parent)
        if (trace_is_name(m->elements[e].name, name)) return true;
    return false;
}

static bool is_text(const struct dp_pq_element *e) { return e->type == DP_PQ_BYTE_ARRAY || e->type == DP_PQ_FLBA; }

/* ---- pages ---- */

static bool has_integer(struct dp_str bytes, size_t width, int64_t want) {
    for (size_t i = 0; i + width <= bytes.n; i += width) {
        int64_t v = 0;
        if (width == 4) {
            int32_t x;
            memcpy(&x, bytes.p + i, 4);
            v = x;
        } else {
            memcpy(&v, bytes.p + i, 8);
        }
        if (v == want) return true;
    }
    return false;
}

static enum dp_status on_page(void *ctx, const struct dp_pq_page_bytes *p, struct dp_err *err) {
    struct paging *k = ctx;
    const struct dp_pq_meta *m = dp_pq_meta(k->f);
    const struct dp_pq_element *e = &m->elements[m->leaves[p->leaf]];
    if (dp_run_stopped(k->s->run, err)) return DP_SIGNALLED;
    if (is_text(e)) trace_bytes(k->s, p->bytes, 0, DP_TRACE_PAGE);
    if (!p->is_dictionary) return DP_OK;
    for (size_t i = 0; i < k->s->set->n; i++) {
        const struct dp_trace_value *v = &k->s->set->v[i];
        int64_t want;
        if ((e->type == DP_PQ_INT32 || e->type == DP_PQ_INT64) && dp_parse_i64(v->text, &want) && is_named(m, p->leaf, v->name) && has_integer(p->bytes, e->type == DP_PQ_INT32 ? 4 : 8, want))
            trace_met(k->s, DP_TRACE_PAGE, i, 1);
    }
    return DP_OK;
}

/* ---- bounds and filters ---- */

static uint64_t count_bounds(const struct dp_pq_file *f, size_t group, size_t leaf, struct dp_str want) {
    const struct dp_pq_meta *m = dp_pq_meta(f);
    struct dp_buf min = {0}, max = {0};
    struct dp_arena arena = {0};
    struct dp_pq_offset_index pages;
    struct dp_pq_column_index index;
    int64_t nulls;
    uint64_t n = 0;
    if (dp_pq_bounds(m, group, leaf, &min, &max, &nulls)) n += (uint64_t)trace_is_bound(dp_buf_str(&min), want) + (uint64_t)trace_is_bound(dp_buf_str(&max), want);
    if (dp_pq_pages(f, group, leaf, &arena, &pages, &index))
        for (size_t i = 0; i < index.n_pages; i++) {
            dp_buf_reset(&min), dp_buf_reset(&max);
            if (dp_pq_page_bounds(m, leaf, &index, i, &min, &max)) n += (uint64_t)trace_is_bound(dp_buf_str(&min), want) + (uint64_t)trace_is_bound(dp_buf_str(&max), want);
        }
    dp_buf_release(&min), dp_buf_release(&max);
    dp_arena_release(&arena);
    return n;
}

static void look_at_metadata(struct trace_search *s, const struct dp_pq_file *f) {
    const struct dp_pq_meta *m = dp_pq_meta(f);
    for (size_t g = 0; g < m->n_row_groups; g++)
        for (size_t l = 0; l < m->n_leaves && l < m->row_groups[g].n_chunks; l++)
            for (size_t i = 0; i < s->set->n; i++) {
                const struct dp_trace_value *v = &s->set->v[i];
                int64_t number;
                if (!is_named(m, l, v->name)) continue;
                uint64_t bounds = count_bounds(f, g, l, v->text);
                if (bounds) trace_met(s, DP_TRACE_STATISTICS, i, bounds);
                enum dp_kind kind = is_text(&m->elements[m->leaves[l]]) || !dp_parse_i64(v->text, &number) ? DP_KIND_STRING : DP_KIND_NUMBER;
                if (dp_pq_bloom_ask(f, g, l, kind, v->text) == DP_MAYBE) trace_met(s, DP_TRACE_BLOOM, i, 1);
            }
}

/* ---- rows ---- */

static enum dp_status look_at_rows(struct trace_search *s, const struct dp_pq_file *f, struct dp_err *err) {
    struct dp_pq_reader *r = NULL;
    struct dp_batch b;
    struct dp_buf text = {0};
    enum dp_status status = dp_pq_reader_open(f, NULL, 0, &r, err);
    if (status != DP_OK) return status;
    dp_batch_init(&b, dp_pq_reader_schema(r));
    for (size_t g = 0; g < dp_pq_meta(f)->n_row_groups && status == DP_OK; g++) {
        status = dp_pq_reader_seek(r, g, err);
        while (status == DP_OK && (status = dp_pq_reader_next(r, ROWS, &b, err)) == DP_OK) {
            dp_buf_reset(&text);
            dp_batch_print(&b, 0, b.length, NULL, &text);
            memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
            trace_lines(s, dp_buf_str(&text));
            s->rows += (uint64_t)b.length;
            if (dp_run_stopped(s->run, err)) status = DP_SIGNALLED;
        }
        if (status == DP_END) status = DP_OK;
    }
    dp_batch_release(&b);
    dp_buf_release(&text);
    dp_pq_reader_close(r);
    return status;
}

enum dp_status trace_parquet(struct trace_search *s, const char *path, struct dp_err *err) {
    struct dp_pq_file *f = NULL;
    struct paging k = {.s = s};
    DP_TRY(dp_pq_open_bounded(path, s->run->memory / (2 * s->run->threads), &f, err));
    k.f = f;
    look_at_metadata(s, f);
    enum dp_status status = look_at_rows(s, f, err);
    if (status == DP_OK) status = dp_pq_each_page(f, on_page, &k, err);
    dp_pq_close(f);
    return status;
}
