/* FileMetaData as thrift compact bytes (spec: Parquet thrift definitions).  Writes what struct dp_pq_meta holds and nothing else. */
#include "meta_priv.h"

#include <dp/base/limits.h>

static void write_time_parameters(const struct dp_pq_element *e, struct dp_buf *b) {
    int last = 0, unit = 0;
    dp_tw_bool(b, &last, 1, e->utc);
    dp_tw_head(b, &last, 2, DP_TT_STRUCT);
    dp_tw_empty(b, &unit, e->unit);
    dp_tw_stop(b); /* of the unit's union */
}

static void write_logical(const struct dp_pq_element *e, struct dp_buf *b, int *last_of_element) {
    int last = 0, in = 0;
    dp_tw_head(b, last_of_element, 10, DP_TT_STRUCT);
    dp_tw_head(b, &last, e->logical, DP_TT_STRUCT);
    if (e->logical == DP_PQ_L_DECIMAL) {
        dp_tw_i32(b, &in, 1, e->scale);
        dp_tw_i32(b, &in, 2, e->precision);
    } else if (e->logical == DP_PQ_L_TIME || e->logical == DP_PQ_L_TIMESTAMP) {
        write_time_parameters(e, b);
    } else if (e->logical == DP_PQ_L_INTEGER) {
        dp_tw_i8(b, &in, 1, (int8_t)e->bit_width);
        dp_tw_bool(b, &in, 2, e->is_signed);
    }
    dp_tw_stop(b);
    dp_tw_stop(b);
}

static void write_element(const struct dp_pq_element *e, bool is_root, struct dp_buf *b) {
    int last = 0;
    if (!e->is_group) dp_tw_i32(b, &last, 1, (int32_t)e->type);
    if (!e->is_group && e->type == DP_PQ_FLBA) dp_tw_i32(b, &last, 2, e->type_length);
    if (!is_root) dp_tw_i32(b, &last, 3, (int32_t)e->repetition);
    dp_tw_bytes(b, &last, 4, e->name);
    if (e->is_group) dp_tw_i32(b, &last, 5, e->n_children);
    if (e->converted >= 0) dp_tw_i32(b, &last, 6, e->converted);
    if (e->precision > 0) {
        dp_tw_i32(b, &last, 7, e->scale);
        dp_tw_i32(b, &last, 8, e->precision);
    }
    if (e->field_id >= 0) dp_tw_i32(b, &last, 9, e->field_id);
    if (e->logical > 0 && e->logical <= DP_PQ_L_FILE) write_logical(e, b, &last);
    dp_tw_stop(b);
}

static void write_stats(const struct dp_pq_stats *x, struct dp_buf *b) {
    int last = 0;
    if (x->has_old_max) dp_tw_bytes(b, &last, 1, x->old_max);
    if (x->has_old_min) dp_tw_bytes(b, &last, 2, x->old_min);
    if (x->null_count >= 0) dp_tw_i64(b, &last, 3, x->null_count);
    if (x->distinct_count >= 0) dp_tw_i64(b, &last, 4, x->distinct_count);
    if (x->has_max) dp_tw_bytes(b, &last, 5, x->max);
    if (x->has_min) dp_tw_bytes(b, &last, 6, x->min);
    if (x->has_max && x->max_exact >= 0) dp_tw_bool(b, &last, 7, x->max_exact);
    if (x->has_min && x->min_exact >= 0) dp_tw_bool(b, &last, 8, x->min_exact);
    if (x->nan_count >= 0) dp_tw_i64(b, &last, 9, x->nan_count);
    dp_tw_stop(b);
}

static void write_histogram(struct dp_buf *b, int *last, int id, const int64_t *v, size_t n) {
    if (!v || n == 0) return;
    dp_tw_list(b, last, id, DP_TT_I64, n);
    for (size_t i = 0; i < n; i++) dp_tw_elem_i64(b, v[i]);
}

static void write_size_stats(const struct dp_pq_chunk *c, struct dp_buf *b) {
    int last = 0;
    if (c->unencoded_bytes >= 0) dp_tw_i64(b, &last, 1, c->unencoded_bytes);
    write_histogram(b, &last, 2, c->rep_histogram, c->n_rep_histogram);
    write_histogram(b, &last, 3, c->def_histogram, c->n_def_histogram);
    dp_tw_stop(b);
}

static void write_path(const struct dp_pq_meta *m, int32_t element, struct dp_buf *b, int *last) {
    int32_t path[DP_LIMIT_SCHEMA_DEPTH + 2];
    size_t n = 0;
    for (int32_t e = element; e > 0; e = m->elements[e].parent) path[n++] = e;
    dp_tw_list(b, last, 3, DP_TT_BINARY, n);
    while (n--) dp_tw_elem_bytes(b, m->elements[path[n]].name);
}

static void write_column_meta(const struct dp_pq_meta *m, size_t leaf, const struct dp_pq_chunk *c, struct dp_buf *b) {
    int last = 0;
    size_t n = (size_t)__builtin_popcount(c->encodings);
    dp_tw_i32(b, &last, 1, (int32_t)c->type);
    dp_tw_list(b, &last, 2, DP_TT_I32, n);
    for (int32_t e = 0; e < 32; e++) {
        if (c->encodings >> e & 1) dp_tw_elem_i32(b, e);
    }
    write_path(m, m->leaves[leaf], b, &last);
    dp_tw_i32(b, &last, 4, (int32_t)c->codec);
    dp_tw_i64(b, &last, 5, c->num_values);
    dp_tw_i64(b, &last, 6, c->total_uncompressed);
    dp_tw_i64(b, &last, 7, c->total_compressed);
    dp_tw_i64(b, &last, 9, c->data_page_offset);
    if (c->dictionary_page_offset > 0) dp_tw_i64(b, &last, 11, c->dictionary_page_offset);
    dp_tw_head(b, &last, 12, DP_TT_STRUCT);
    write_stats(&c->stats, b);
    if (c->n_encoding_stats) {
        dp_tw_list(b, &last, 13, DP_TT_STRUCT, c->n_encoding_stats);
        for (size_t i = 0; i < c->n_encoding_stats; i++) {
            int in = 0;
            dp_tw_i32(b, &in, 1, c->encoding_stats[i].page_type);
            dp_tw_i32(b, &in, 2, c->encoding_stats[i].encoding);
            dp_tw_i32(b, &in, 3, c->encoding_stats[i].count);
            dp_tw_stop(b);
        }
    }
    if (c->bloom_offset >= 0) dp_tw_i64(b, &last, 14, c->bloom_offset);
    if (c->bloom_offset >= 0 && c->bloom_length >= 0) dp_tw_i32(b, &last, 15, c->bloom_length);
    if (c->unencoded_bytes >= 0 || c->n_rep_histogram || c->n_def_histogram) {
        dp_tw_head(b, &last, 16, DP_TT_STRUCT);
        write_size_stats(c, b);
    }
    dp_tw_stop(b);
}

static void write_chunk(const struct dp_pq_meta *m, size_t leaf, const struct dp_pq_chunk *c, struct dp_buf *b) {
    int last = 0;
    if (c->file_path.n) dp_tw_bytes(b, &last, 1, c->file_path);
    dp_tw_i64(b, &last, 2, 0);
    dp_tw_head(b, &last, 3, DP_TT_STRUCT);
    write_column_meta(m, leaf, c, b);
    if (c->offset_index_offset >= 0) {
        dp_tw_i64(b, &last, 4, c->offset_index_offset);
        dp_tw_i32(b, &last, 5, c->offset_index_length);
    }
    if (c->column_index_offset >= 0) {
        dp_tw_i64(b, &last, 6, c->column_index_offset);
        dp_tw_i32(b, &last, 7, c->column_index_length);
    }
    dp_tw_stop(b);
}

static int64_t chunk_start(const struct dp_pq_chunk *c) {
    return c->dictionary_page_offset > 0 && c->dictionary_page_offset < c->data_page_offset ? c->dictionary_page_offset : c->data_page_offset;
}

static void write_row_group(const struct dp_pq_meta *m, size_t i, struct dp_buf *b) {
    const struct dp_pq_row_group *g = &m->row_groups[i];
    int last = 0;
    dp_tw_list(b, &last, 1, DP_TT_STRUCT, g->n_chunks);
    for (size_t k = 0; k < g->n_chunks; k++) write_chunk(m, k, &g->chunks[k], b);
    dp_tw_i64(b, &last, 2, g->total_byte_size);
    dp_tw_i64(b, &last, 3, g->num_rows);
    if (g->n_sorting) {
        dp_tw_list(b, &last, 4, DP_TT_STRUCT, g->n_sorting);
        for (size_t k = 0; k < g->n_sorting; k++) {
            int in = 0;
            dp_tw_i32(b, &in, 1, g->sorting[k].column);
            dp_tw_bool(b, &in, 2, g->sorting[k].descending);
            dp_tw_bool(b, &in, 3, g->sorting[k].nulls_first);
            dp_tw_stop(b);
        }
    }
    if (g->n_chunks) dp_tw_i64(b, &last, 5, chunk_start(&g->chunks[0]));
    if (g->total_compressed >= 0) dp_tw_i64(b, &last, 6, g->total_compressed);
    if (i <= INT16_MAX) dp_tw_i16(b, &last, 7, (int16_t)i);
    dp_tw_stop(b);
}

static void write_kv(const struct dp_pq_meta *m, struct dp_buf *b, int *last) {
    if (m->n_kv == 0) return;
    dp_tw_list(b, last, 5, DP_TT_STRUCT, m->n_kv);
    for (size_t i = 0; i < m->n_kv; i++) {
        int in = 0;
        dp_tw_bytes(b, &in, 1, m->kv[i].key);
        if (m->kv[i].has_value) dp_tw_bytes(b, &in, 2, m->kv[i].value);
        dp_tw_stop(b);
    }
}

void dp_pq_meta_write(const struct dp_pq_meta *meta, struct dp_buf *out) {
    int last = 0;
    dp_tw_i32(out, &last, 1, meta->version ? meta->version : 1);
    dp_tw_list(out, &last, 2, DP_TT_STRUCT, meta->n_elements);
    for (size_t i = 0; i < meta->n_elements; i++) write_element(&meta->elements[i], i == 0, out);
    dp_tw_i64(out, &last, 3, meta->num_rows);
    dp_tw_list(out, &last, 4, DP_TT_STRUCT, meta->n_row_groups);
    for (size_t i = 0; i < meta->n_row_groups; i++) write_row_group(meta, i, out);
    write_kv(meta, out, &last);
    if (meta->created_by.n) dp_tw_bytes(out, &last, 6, meta->created_by);
    /* a list with a gap would claim an order that nobody stated: none at all then */
    if (meta->column_orders && meta->n_leaves && !memchr(meta->column_orders, DP_PQ_ORDER_NONE, meta->n_leaves)) {
        dp_tw_list(out, &last, 7, DP_TT_STRUCT, meta->n_leaves);
        for (size_t i = 0; i < meta->n_leaves; i++) {
            int in = 0;
            dp_tw_empty(out, &in, meta->column_orders[i]);
            dp_tw_stop(out);
        }
    }
    dp_tw_stop(out);
}
