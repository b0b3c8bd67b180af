/* Page headers, offset index and column index: parse and write (spec: Parquet thrift definitions PageHeader, OffsetIndex, ColumnIndex). */
#include "meta_priv.h"

static void read_v1(struct dp_tr *t, struct dp_pq_page_header *h, unsigned *got) {
    struct dp_tr_struct s = {0};
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1: *got |= dp_tr_i32(t, &s, &h->num_values) ? 1 : 0; break;
        case 2: *got |= dp_tr_i32(t, &s, &h->encoding) ? 2 : 0; break;
        case 3: dp_tr_i32(t, &s, &h->def_encoding); break;
        case 4: dp_tr_i32(t, &s, &h->rep_encoding); break;
        default: dp_tr_skip(t, &s);
        }
}

static void read_dictionary(struct dp_tr *t, struct dp_pq_page_header *h, unsigned *got) {
    struct dp_tr_struct s = {0};
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1: *got |= dp_tr_i32(t, &s, &h->num_values) ? 1 : 0; break;
        case 2: *got |= dp_tr_i32(t, &s, &h->encoding) ? 2 : 0; break;
        case 3: dp_tr_bool(t, &s, &h->is_sorted); break;
        default: dp_tr_skip(t, &s);
        }
}

static void read_v2(struct dp_tr *t, struct dp_pq_page_header *h, unsigned *got) {
    struct dp_tr_struct s = {0};
    unsigned lengths = 0;
    h->is_compressed = true;
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1: *got |= dp_tr_i32(t, &s, &h->num_values) ? 1 : 0; break;
        case 2: dp_tr_i32(t, &s, &h->num_nulls); break;
        case 3: dp_tr_i32(t, &s, &h->num_rows); break;
        case 4: *got |= dp_tr_i32(t, &s, &h->encoding) ? 2 : 0; break;
        case 5: lengths |= dp_tr_i32(t, &s, &h->def_bytes) ? 1 : 0; break;
        case 6: lengths |= dp_tr_i32(t, &s, &h->rep_bytes) ? 2 : 0; break;
        case 7: dp_tr_bool(t, &s, &h->is_compressed); break;
        default: dp_tr_skip(t, &s);
        }
    if (t->fault) return;
    if (lengths != 3) dp_tr_fail(t, "a data page lacks the lengths of its levels");
    int64_t levels = (int64_t)h->def_bytes + h->rep_bytes;
    if (h->def_bytes < 0 || h->rep_bytes < 0) dp_tr_fail(t, "a negative length of levels");
    else if (levels > h->uncompressed_size || levels > h->compressed_size) dp_tr_fail(t, "levels longer than their page");
}

enum dp_status dp_pq_page_header_parse(const void *p, size_t n, struct dp_pq_page_header *h, size_t *used, struct dp_err *err) {
    struct dp_tr t = {.p = p, .end = (const uint8_t *)p + n};
    struct dp_tr_struct s = {0};
    unsigned head = 0, got = 0, body = 0;
    int32_t crc;
    *h = (struct dp_pq_page_header){.type = -1, .encoding = -1};
    while (dp_tr_field(&t, &s)) switch (s.id) {
        case 1: head |= dp_tr_i32(&t, &s, &h->type) ? 1 : 0; break;
        case 2: head |= dp_tr_i32(&t, &s, &h->uncompressed_size) ? 2 : 0; break;
        case 3: head |= dp_tr_i32(&t, &s, &h->compressed_size) ? 4 : 0; break;
        case 4:
            if (dp_tr_i32(&t, &s, &crc)) h->has_crc = true, h->crc = (uint32_t)crc;
            break;
        case 5:
        case 7:
        case 8:
            /* only the struct that goes with the page's type says something */
            if (s.id != (h->type == DP_PQ_DATA_PAGE ? 5 : h->type == DP_PQ_DICTIONARY_PAGE ? 7 : h->type == DP_PQ_DATA_PAGE_V2 ? 8 : 0)) {
                dp_tr_skip(&t, &s);
                break;
            }
            if (!dp_tr_is_struct(&t, &s)) break;
            body = 1;
            if (s.id == 5) read_v1(&t, h, &got);
            else if (s.id == 7) read_dictionary(&t, h, &got);
            else read_v2(&t, h, &got);
            break;
        default: dp_tr_skip(&t, &s);
        }
    if (!t.fault && head != 7) dp_tr_fail(&t, "a required field is missing");
    if (!t.fault && (h->uncompressed_size < 0 || h->compressed_size < 0)) dp_tr_fail(&t, "a negative page size");
    if (!t.fault && h->num_values < 0) dp_tr_fail(&t, "a negative number of values");
    bool known = h->type == DP_PQ_DATA_PAGE || h->type == DP_PQ_DICTIONARY_PAGE || h->type == DP_PQ_DATA_PAGE_V2;
    if (!t.fault && known && (!body || got != 3)) dp_tr_fail(&t, "the header of its type is missing or incomplete");
    if (t.fault) return dp_err_set(err, DP_FORMAT, "page header: %s", t.fault);
    *used = (size_t)(t.p - (const uint8_t *)p);
    return DP_OK;
}

void dp_pq_page_header_write(const struct dp_pq_page_header *h, struct dp_buf *out) {
    int last = 0, in = 0;
    dp_tw_i32(out, &last, 1, h->type);
    dp_tw_i32(out, &last, 2, h->uncompressed_size);
    dp_tw_i32(out, &last, 3, h->compressed_size);
    if (h->has_crc) dp_tw_i32(out, &last, 4, (int32_t)h->crc);
    if (h->type == DP_PQ_DATA_PAGE) {
        dp_tw_head(out, &last, 5, DP_TT_STRUCT);
        dp_tw_i32(out, &in, 1, h->num_values);
        dp_tw_i32(out, &in, 2, h->encoding);
        dp_tw_i32(out, &in, 3, h->def_encoding);
        dp_tw_i32(out, &in, 4, h->rep_encoding);
    } else if (h->type == DP_PQ_DICTIONARY_PAGE) {
        dp_tw_head(out, &last, 7, DP_TT_STRUCT);
        dp_tw_i32(out, &in, 1, h->num_values);
        dp_tw_i32(out, &in, 2, h->encoding);
        if (h->is_sorted) dp_tw_bool(out, &in, 3, true);
    } else {
        dp_tw_head(out, &last, 8, DP_TT_STRUCT);
        dp_tw_i32(out, &in, 1, h->num_values);
        dp_tw_i32(out, &in, 2, h->num_nulls);
        dp_tw_i32(out, &in, 3, h->num_rows);
        dp_tw_i32(out, &in, 4, h->encoding);
        dp_tw_i32(out, &in, 5, h->def_bytes);
        dp_tw_i32(out, &in, 6, h->rep_bytes);
        dp_tw_bool(out, &in, 7, h->is_compressed);
    }
    dp_tw_stop(out);
    dp_tw_stop(out);
}

/* ---- offset index ---- */

static void read_location(struct dp_tr *t, struct dp_pq_page_location *x) {
    struct dp_tr_struct s = {0};
    unsigned got = 0;
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1: got |= dp_tr_i64(t, &s, &x->offset) ? 1 : 0; break;
        case 2: got |= dp_tr_i32(t, &s, &x->compressed_size) ? 2 : 0; break;
        case 3: got |= dp_tr_i64(t, &s, &x->first_row) ? 4 : 0; break;
        default: dp_tr_skip(t, &s);
        }
    if (!t->fault && got != 7) dp_tr_fail(t, "a page location lacks a field");
}

enum dp_status dp_pq_offset_index_parse(const void *p, size_t n, struct dp_arena *a, struct dp_pq_offset_index *out, struct dp_err *err) {
    struct dp_tr t = {.p = p, .end = (const uint8_t *)p + n};
    struct dp_tr_struct s = {0};
    size_t n_bytes = 0;
    bool has_pages = false;
    *out = (struct dp_pq_offset_index){0};
    while (dp_tr_field(&t, &s)) switch (s.id) {
        case 1:
            if (!dp_tr_list(&t, &s, DP_TT_STRUCT, 7, &out->n_pages)) break;
            has_pages = true;
            out->pages = dp_arena_calloc(a, out->n_pages + 1, sizeof *out->pages);
            for (size_t i = 0; i < out->n_pages && !t.fault; i++) read_location(&t, &out->pages[i]);
            break;
        case 2: out->unencoded_bytes = dp_pq_read_i64_list(&t, &s, a, &n_bytes); break;
        default: dp_tr_skip(&t, &s);
        }
    if (!t.fault && !has_pages) dp_tr_fail(&t, "no page locations");
    for (size_t i = 0; i < out->n_pages && !t.fault; i++) {
        const struct dp_pq_page_location *x = &out->pages[i];
        if (x->offset < 4 || x->compressed_size < 0) dp_tr_fail(&t, "a page location is outside the file");
        else if (i == 0 ? x->first_row != 0 : x->first_row <= x[-1].first_row) dp_tr_fail(&t, "first rows do not rise from 0");
        else if (i && x->offset <= x[-1].offset) dp_tr_fail(&t, "page offsets do not grow");
    }
    if (t.fault) return dp_err_set(err, DP_FORMAT, "offset index: %s", t.fault);
    if (n_bytes != out->n_pages) out->unencoded_bytes = NULL;
    return DP_OK;
}

void dp_pq_offset_index_write(const struct dp_pq_offset_index *x, struct dp_buf *out) {
    int last = 0;
    dp_tw_list(out, &last, 1, DP_TT_STRUCT, x->n_pages);
    for (size_t i = 0; i < x->n_pages; i++) {
        int in = 0;
        dp_tw_i64(out, &in, 1, x->pages[i].offset);
        dp_tw_i32(out, &in, 2, x->pages[i].compressed_size);
        dp_tw_i64(out, &in, 3, x->pages[i].first_row);
        dp_tw_stop(out);
    }
    if (x->unencoded_bytes) {
        dp_tw_list(out, &last, 2, DP_TT_I64, x->n_pages);
        for (size_t i = 0; i < x->n_pages; i++) dp_tw_elem_i64(out, x->unencoded_bytes[i]);
    }
    dp_tw_stop(out);
}

/* ---- column index ---- */

static struct dp_str *read_bytes_list(struct dp_tr *t, const struct dp_tr_struct *s, struct dp_arena *a, size_t *n) {
    if (!dp_tr_list(t, s, DP_TT_BINARY, 1, n)) return NULL;
    struct dp_str *v = dp_arena_calloc(a, *n + 1, sizeof *v);
    for (size_t i = 0; i < *n && !t->fault; i++) v[i] = dp_arena_str(a, dp_tr_elem_bytes(t));
    return v;
}

enum dp_status dp_pq_column_index_parse(const void *p, size_t n, struct dp_arena *a, struct dp_pq_column_index *out, struct dp_err *err) {
    struct dp_tr t = {.p = p, .end = (const uint8_t *)p + n};
    struct dp_tr_struct s = {0};
    size_t n_null = 0, n_min = 0, n_max = 0, n_counts = 0, n_nan = 0;
    int32_t order = -1;
    *out = (struct dp_pq_column_index){0};
    while (dp_tr_field(&t, &s)) switch (s.id) {
        case 1:
            if (!dp_tr_list(&t, &s, DP_TT_TRUE, 1, &n_null)) break;
            out->null_pages = dp_arena_calloc(a, n_null + 1, sizeof *out->null_pages);
            for (size_t i = 0; i < n_null && !t.fault; i++) out->null_pages[i] = dp_tr_elem_bool(&t);
            break;
        case 2: out->min = read_bytes_list(&t, &s, a, &n_min); break;
        case 3: out->max = read_bytes_list(&t, &s, a, &n_max); break;
        case 4: dp_tr_i32(&t, &s, &order); break;
        case 5: out->null_counts = dp_pq_read_i64_list(&t, &s, a, &n_counts); break;
        case 6: out->rep_histograms = dp_pq_read_i64_list(&t, &s, a, &out->n_rep_histograms); break;
        case 7: out->def_histograms = dp_pq_read_i64_list(&t, &s, a, &out->n_def_histograms); break;
        case 8: out->nan_counts = dp_pq_read_i64_list(&t, &s, a, &n_nan); break;
        default: dp_tr_skip(&t, &s);
        }
    if (!t.fault && (!out->null_pages || !out->min || !out->max || order < 0)) dp_tr_fail(&t, "a required field is missing");
    if (!t.fault && (n_null != n_min || n_null != n_max)) dp_tr_fail(&t, "lists of unequal length");
    if (t.fault) return dp_err_set(err, DP_FORMAT, "column index: %s", t.fault);
    out->n_pages = n_null;
    out->order = order > DP_PQ_DESCENDING ? DP_PQ_UNORDERED : (enum dp_pq_order)order;
    if (n_counts != n_null) out->null_counts = NULL;
    if (n_nan != n_null) out->nan_counts = NULL;
    return DP_OK;
}

static void write_i64_list(struct dp_buf *out, int *last, int id, const int64_t *v, size_t n) {
    if (!v) return;
    dp_tw_list(out, last, id, DP_TT_I64, n);
    for (size_t i = 0; i < n; i++) dp_tw_elem_i64(out, v[i]);
}

void dp_pq_column_index_write(const struct dp_pq_column_index *x, struct dp_buf *out) {
    int last = 0;
    dp_tw_list(out, &last, 1, DP_TT_TRUE, x->n_pages);
    for (size_t i = 0; i < x->n_pages; i++) dp_buf_addc(out, x->null_pages[i] ? 1 : 2);
    dp_tw_list(out, &last, 2, DP_TT_BINARY, x->n_pages);
    for (size_t i = 0; i < x->n_pages; i++) dp_tw_elem_bytes(out, x->min[i]);
    dp_tw_list(out, &last, 3, DP_TT_BINARY, x->n_pages);
    for (size_t i = 0; i < x->n_pages; i++) dp_tw_elem_bytes(out, x->max[i]);
    dp_tw_i32(out, &last, 4, (int32_t)x->order);
    write_i64_list(out, &last, 5, x->null_counts, x->n_pages);
    write_i64_list(out, &last, 6, x->rep_histograms, x->n_rep_histograms);
    write_i64_list(out, &last, 7, x->def_histograms, x->n_def_histograms);
    write_i64_list(out, &last, 8, x->nan_counts, x->n_pages);
    dp_tw_stop(out);
}
