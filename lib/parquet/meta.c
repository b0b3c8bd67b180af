/*
 * FileMetaData and below: parse with every size checked (spec: Parquet thrift definitions; the checks of a careful reader), and write.
 * Unknown fields, negative ids and known ids with another wire type are skipped.  Page headers and indexes are in meta_page.c.
 */
#include "meta_priv.h"

#include <dp/base/limits.h>

#define MIN_ELEMENT 3   /* least bytes of a SchemaElement, ColumnChunk, RowGroup, KeyValue on the wire */
#define MIN_CHUNK 20
#define MIN_ROW_GROUP 7
#define MIN_KEY_VALUE 3

/* ---- reading ---- */

/* Cleared memory for a list; after a fault, and where the bound would be passed, which is one: NULL. */
static void *take(struct dp_tr *t, struct dp_arena *a, size_t n, size_t size) {
    if (t->fault) return NULL;
    if (t->bound && (n > t->bound / size || a->used + n * size > t->bound)) {
        t->over = true;
        dp_tr_fail(t, "it takes more than the memory allowed");
        return NULL;
    }
    return dp_arena_calloc(a, n, size);
}

static void read_time_unit(struct dp_tr *t, struct dp_pq_element *e) {
    struct dp_tr_struct s = {0};
    while (dp_tr_field(t, &s)) {
        if (s.id >= 1 && s.id <= 3) e->unit = s.id;
        dp_tr_skip(t, &s);
    }
}

/* The parameters of one LogicalType member. */
static void read_logical_member(struct dp_tr *t, struct dp_pq_element *e) {
    struct dp_tr_struct s = {0};
    while (dp_tr_field(t, &s)) {
        int8_t width;
        if (e->logical == DP_PQ_L_DECIMAL && s.id == 1) dp_tr_i32(t, &s, &e->scale);
        else if (e->logical == DP_PQ_L_DECIMAL && s.id == 2) dp_tr_i32(t, &s, &e->precision);
        else if ((e->logical == DP_PQ_L_TIME || e->logical == DP_PQ_L_TIMESTAMP) && s.id == 1) dp_tr_bool(t, &s, &e->utc);
        else if ((e->logical == DP_PQ_L_TIME || e->logical == DP_PQ_L_TIMESTAMP) && s.id == 2) {
            if (dp_tr_is_struct(t, &s)) read_time_unit(t, e);
        } else if (e->logical == DP_PQ_L_INTEGER && s.id == 1) {
            if (dp_tr_i8(t, &s, &width)) e->bit_width = width;
        } else if (e->logical == DP_PQ_L_INTEGER && s.id == 2) dp_tr_bool(t, &s, &e->is_signed);
        else dp_tr_skip(t, &s);
    }
}

static void read_logical(struct dp_tr *t, struct dp_pq_element *e) {
    struct dp_tr_struct s = {0};
    while (dp_tr_field(t, &s)) {
        if (s.type != DP_TT_STRUCT || s.id <= 0) {
            dp_tr_skip(t, &s);
            continue;
        }
        e->logical = s.id;
        read_logical_member(t, e);
    }
}

static void read_element(struct dp_tr *t, struct dp_arena *a, struct dp_pq_element *e, bool *has_repetition) {
    struct dp_tr_struct s = {0};
    struct dp_str name = {0};
    bool has_name = false, has_type = false;
    int32_t type = 0, repetition = 0, scale = 0, precision = 0;
    *e = (struct dp_pq_element){.converted = -1, .field_id = -1, .leaf = -1, .parent = -1};
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1: has_type |= dp_tr_i32(t, &s, &type); break;
        case 2: dp_tr_i32(t, &s, &e->type_length); break;
        case 3: *has_repetition = dp_tr_i32(t, &s, &repetition); break;
        case 4: has_name |= dp_tr_bytes(t, &s, &name); break;
        case 5: dp_tr_i32(t, &s, &e->n_children); break;
        case 6: dp_tr_i32(t, &s, &e->converted); break;
        case 7: dp_tr_i32(t, &s, &scale); break;
        case 8: dp_tr_i32(t, &s, &precision); break;
        case 9: dp_tr_i32(t, &s, &e->field_id); break;
        case 10:
            if (dp_tr_is_struct(t, &s)) read_logical(t, e);
            break;
        default: dp_tr_skip(t, &s);
        }
    if (t->fault) return;
    if (!has_name) dp_tr_fail(t, "a schema element has no name");
    if (has_type && (type < 0 || type > DP_PQ_FLBA)) dp_tr_fail(t, "a physical type that is not known");
    if (repetition < 0 || repetition > DP_PQ_REPEATED) dp_tr_fail(t, "a repetition type that is not known");
    if (e->n_children < 0) dp_tr_fail(t, "a negative number of children");
    if (has_type && e->n_children > 0) dp_tr_fail(t, "a schema element with both a type and children");
    if (has_type && type == DP_PQ_FLBA && e->type_length <= 0) dp_tr_fail(t, "a fixed-length column without a length");
    if (t->fault) return;
    e->name = dp_arena_str(a, name);
    e->is_group = !has_type;
    e->type = (enum dp_pq_type)type;
    e->repetition = (enum dp_pq_repetition)repetition;
    /* the logical type's own parameters go before the old fields */
    if (e->logical != DP_PQ_L_DECIMAL) e->scale = scale, e->precision = precision;
}

void dp_pq_read_stats(struct dp_tr *t, struct dp_arena *a, struct dp_pq_stats *x) {
    struct dp_tr_struct s = {0};
    bool exact;
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1: x->has_old_max = dp_tr_bytes(t, &s, &x->old_max); break;
        case 2: x->has_old_min = dp_tr_bytes(t, &s, &x->old_min); break;
        case 3: dp_tr_i64(t, &s, &x->null_count); break;
        case 4: dp_tr_i64(t, &s, &x->distinct_count); break;
        case 5: x->has_max = dp_tr_bytes(t, &s, &x->max); break;
        case 6: x->has_min = dp_tr_bytes(t, &s, &x->min); break;
        case 7:
            if (dp_tr_bool(t, &s, &exact)) x->max_exact = exact;
            break;
        case 8:
            if (dp_tr_bool(t, &s, &exact)) x->min_exact = exact;
            break;
        case 9: dp_tr_i64(t, &s, &x->nan_count); break;
        default: dp_tr_skip(t, &s);
        }
    if (t->fault) return;
    if (x->has_min) x->min = dp_arena_str(a, x->min);
    if (x->has_max) x->max = dp_arena_str(a, x->max);
    if (x->has_old_min) x->old_min = dp_arena_str(a, x->old_min);
    if (x->has_old_max) x->old_max = dp_arena_str(a, x->old_max);
    /* a negative count says nothing */
    if (x->null_count < -1) x->null_count = -1;
    if (x->distinct_count < -1) x->distinct_count = -1;
    if (x->nan_count < -1) x->nan_count = -1;
}

int64_t *dp_pq_read_i64_list(struct dp_tr *t, const struct dp_tr_struct *s, struct dp_arena *a, size_t *n) {
    if (!dp_tr_list(t, s, DP_TT_I64, 1, n)) return NULL;
    int64_t *v = take(t, a, *n + 1, sizeof *v);
    for (size_t i = 0; i < *n && !t->fault; i++) v[i] = dp_tr_elem_i64(t);
    return v;
}

static void read_size_stats(struct dp_tr *t, struct dp_arena *a, struct dp_pq_chunk *c) {
    struct dp_tr_struct s = {0};
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1: dp_tr_i64(t, &s, &c->unencoded_bytes); break;
        case 2: c->rep_histogram = dp_pq_read_i64_list(t, &s, a, &c->n_rep_histogram); break;
        case 3: c->def_histogram = dp_pq_read_i64_list(t, &s, a, &c->n_def_histogram); break;
        default: dp_tr_skip(t, &s);
        }
}

static void read_encoding_stats(struct dp_tr *t, const struct dp_tr_struct *f, struct dp_arena *a, struct dp_pq_chunk *c) {
    size_t n;
    if (!dp_tr_list(t, f, DP_TT_STRUCT, 1, &n)) return;
    c->encoding_stats = take(t, a, n + 1, sizeof *c->encoding_stats);
    for (size_t i = 0; i < n && !t->fault; i++) {
        struct dp_tr_struct s = {0};
        int32_t page = -1, encoding = -1, count = 0;
        while (dp_tr_field(t, &s)) {
            if (s.id == 1) dp_tr_i32(t, &s, &page);
            else if (s.id == 2) dp_tr_i32(t, &s, &encoding);
            else if (s.id == 3) dp_tr_i32(t, &s, &count);
            else dp_tr_skip(t, &s);
        }
        struct dp_pq_encoding_stats *e = &c->encoding_stats[i];
        e->page_type = (int8_t)(page >= 0 && page < 100 ? page : -1);
        e->encoding = (int8_t)(encoding >= 0 && encoding < 100 ? encoding : -1);
        e->count = count;
    }
    c->n_encoding_stats = n;
}

static void read_encodings(struct dp_tr *t, const struct dp_tr_struct *f, struct dp_pq_chunk *c) {
    size_t n;
    if (!dp_tr_list(t, f, DP_TT_I32, 1, &n)) return;
    while (n-- && !t->fault) {
        int32_t e = dp_tr_elem_i32(t);
        if (e >= 0 && e < 32) c->encodings |= 1u << e;
    }
}

enum { GOT_TYPE = 1, GOT_CODEC = 2, GOT_VALUES = 4, GOT_RAW = 8, GOT_STORED = 16, GOT_OFFSET = 32, GOT_ALL = 63 };

static void read_column_meta(struct dp_tr *t, struct dp_arena *a, struct dp_pq_chunk *c) {
    struct dp_tr_struct s = {0};
    int32_t type = -1, codec = -1;
    unsigned got = 0;
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1: got |= dp_tr_i32(t, &s, &type) ? GOT_TYPE : 0; break;
        case 2: read_encodings(t, &s, c); break;
        case 4: got |= dp_tr_i32(t, &s, &codec) ? GOT_CODEC : 0; break;
        case 5: got |= dp_tr_i64(t, &s, &c->num_values) ? GOT_VALUES : 0; break;
        case 6: got |= dp_tr_i64(t, &s, &c->total_uncompressed) ? GOT_RAW : 0; break;
        case 7: got |= dp_tr_i64(t, &s, &c->total_compressed) ? GOT_STORED : 0; break;
        case 9: got |= dp_tr_i64(t, &s, &c->data_page_offset) ? GOT_OFFSET : 0; break;
        case 11: dp_tr_i64(t, &s, &c->dictionary_page_offset); break;
        case 12:
            if (dp_tr_is_struct(t, &s)) dp_pq_read_stats(t, a, &c->stats);
            break;
        case 13: read_encoding_stats(t, &s, a, c); break;
        case 14: dp_tr_i64(t, &s, &c->bloom_offset); break;
        case 15: dp_tr_i32(t, &s, &c->bloom_length); break;
        case 16:
            if (dp_tr_is_struct(t, &s)) read_size_stats(t, a, c);
            break;
        default: dp_tr_skip(t, &s);
        }
    if (t->fault) return;
    if (got != GOT_ALL) dp_tr_fail(t, "column metadata lacks a required field");
    if (type < 0 || type > DP_PQ_FLBA) dp_tr_fail(t, "a physical type that is not known");
    if (codec < 0) dp_tr_fail(t, "a compression codec that is not known");
    c->type = (enum dp_pq_type)(type < 0 ? 0 : type);
    c->codec = (enum dp_pq_codec)codec;
}

static void read_chunk(struct dp_tr *t, struct dp_arena *a, struct dp_pq_chunk *c) {
    struct dp_tr_struct s = {0};
    bool has_meta = false;
    *c = (struct dp_pq_chunk){.dictionary_page_offset = -1, .bloom_offset = -1, .bloom_length = -1, .column_index_offset = -1,
        .offset_index_offset = -1, .unencoded_bytes = -1,
        .stats = {.null_count = -1, .distinct_count = -1, .nan_count = -1, .min_exact = -1, .max_exact = -1}};
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1:
            if (dp_tr_bytes(t, &s, &c->file_path)) c->file_path = dp_arena_str(a, c->file_path);
            break;
        case 3:
            if (dp_tr_is_struct(t, &s)) read_column_meta(t, a, c), has_meta = true;
            break;
        case 4: dp_tr_i64(t, &s, &c->offset_index_offset); break;
        case 5: dp_tr_i32(t, &s, &c->offset_index_length); break;
        case 6: dp_tr_i64(t, &s, &c->column_index_offset); break;
        case 7: dp_tr_i32(t, &s, &c->column_index_length); break;
        case 8:
        case 9: c->encrypted = true; dp_tr_skip(t, &s); break;
        default: dp_tr_skip(t, &s);
        }
    if (!t->fault && !has_meta && !c->encrypted) dp_tr_fail(t, "a column chunk has no metadata");
}

static void read_sorting(struct dp_tr *t, const struct dp_tr_struct *f, struct dp_arena *a, struct dp_pq_row_group *g) {
    size_t n;
    if (!dp_tr_list(t, f, DP_TT_STRUCT, 1, &n)) return;
    g->sorting = take(t, a, n + 1, sizeof *g->sorting);
    g->n_sorting = n;
    for (size_t i = 0; i < n && !t->fault; i++) {
        struct dp_tr_struct s = {0};
        struct dp_pq_sorting *x = &g->sorting[i];
        x->column = -1;
        while (dp_tr_field(t, &s)) {
            if (s.id == 1) dp_tr_i32(t, &s, &x->column);
            else if (s.id == 2) dp_tr_bool(t, &s, &x->descending);
            else if (s.id == 3) dp_tr_bool(t, &s, &x->nulls_first);
            else dp_tr_skip(t, &s);
        }
    }
}

static void read_row_group(struct dp_tr *t, struct dp_arena *a, struct dp_pq_row_group *g) {
    struct dp_tr_struct s = {0};
    bool has_columns = false, has_rows = false;
    *g = (struct dp_pq_row_group){.total_compressed = -1};
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1:
            if (!dp_tr_list(t, &s, DP_TT_STRUCT, MIN_CHUNK, &g->n_chunks)) break;
            has_columns = true;
            g->chunks = take(t, a, g->n_chunks + 1, sizeof *g->chunks);
            for (size_t i = 0; i < g->n_chunks && !t->fault; i++) read_chunk(t, a, &g->chunks[i]);
            break;
        case 2: dp_tr_i64(t, &s, &g->total_byte_size); break;
        case 3: has_rows |= dp_tr_i64(t, &s, &g->num_rows); break;
        case 4: read_sorting(t, &s, a, g); break;
        case 6: dp_tr_i64(t, &s, &g->total_compressed); break;
        default: dp_tr_skip(t, &s);
        }
    if (!t->fault && (!has_columns || !has_rows)) dp_tr_fail(t, "a row group lacks a required field");
}

static void read_kv(struct dp_tr *t, const struct dp_tr_struct *f, struct dp_pq_meta *m) {
    size_t n;
    if (!dp_tr_list(t, f, DP_TT_STRUCT, MIN_KEY_VALUE, &n)) return;
    m->kv = take(t, &m->arena, n + 1, sizeof *m->kv);
    m->n_kv = n;
    for (size_t i = 0; i < n && !t->fault; i++) {
        struct dp_tr_struct s = {0};
        struct dp_pq_key_value *x = &m->kv[i];
        bool has_key = false;
        while (dp_tr_field(t, &s)) {
            if (s.id == 1) has_key |= dp_tr_bytes(t, &s, &x->key);
            else if (s.id == 2) x->has_value = dp_tr_bytes(t, &s, &x->value);
            else dp_tr_skip(t, &s);
        }
        if (t->fault) return;
        if (!has_key) dp_tr_fail(t, "a key-value pair without a key");
        x->key = dp_arena_str(&m->arena, x->key);
        if (x->has_value) x->value = dp_arena_str(&m->arena, x->value);
    }
}

static uint8_t read_order(struct dp_tr *t) {
    struct dp_tr_struct s = {0};
    uint8_t order = DP_PQ_ORDER_NONE;
    while (dp_tr_field(t, &s)) {
        if (s.id >= DP_PQ_ORDER_TYPE && s.id <= DP_PQ_ORDER_INT96) order = (uint8_t)s.id;
        dp_tr_skip(t, &s);
    }
    return order;
}

static bool read_schema(struct dp_tr *t, const struct dp_tr_struct *f, struct dp_pq_meta *m) {
    if (!dp_tr_list(t, f, DP_TT_STRUCT, MIN_ELEMENT, &m->n_elements)) return false;
    m->elements = take(t, &m->arena, m->n_elements + 1, sizeof *m->elements);
    for (size_t i = 0; i < m->n_elements && !t->fault; i++) {
        bool has_repetition = false;
        read_element(t, &m->arena, &m->elements[i], &has_repetition);
        if (!t->fault && i > 0 && !has_repetition) dp_tr_fail(t, "a schema element has no repetition type");
    }
    return !t->fault;
}

static void read_file_meta(struct dp_tr *t, struct dp_pq_meta *m, uint8_t **orders, size_t *n_orders) {
    struct dp_tr_struct s = {0};
    bool has_schema = false, has_rows = false, has_groups = false;
    while (dp_tr_field(t, &s)) switch (s.id) {
        case 1: dp_tr_i32(t, &s, &m->version); break;
        case 2: has_schema = read_schema(t, &s, m); break;
        case 3: has_rows = dp_tr_i64(t, &s, &m->num_rows); break;
        case 4:
            if (!dp_tr_list(t, &s, DP_TT_STRUCT, MIN_ROW_GROUP, &m->n_row_groups)) break;
            has_groups = true;
            m->row_groups = take(t, &m->arena, m->n_row_groups + 1, sizeof *m->row_groups);
            for (size_t i = 0; i < m->n_row_groups && !t->fault; i++) read_row_group(t, &m->arena, &m->row_groups[i]);
            break;
        case 5: read_kv(t, &s, m); break;
        case 6:
            if (dp_tr_bytes(t, &s, &m->created_by)) m->created_by = dp_arena_str(&m->arena, m->created_by);
            break;
        case 7:
            if (!dp_tr_list(t, &s, DP_TT_STRUCT, 1, n_orders)) break;
            *orders = dp_arena_calloc(&m->arena, *n_orders + 1, 1);
            for (size_t i = 0; i < *n_orders && !t->fault; i++) (*orders)[i] = read_order(t);
            break;
        case 8: m->footer_signed = true; dp_tr_skip(t, &s); break;
        default: dp_tr_skip(t, &s);
        }
    if (!t->fault && (!has_schema || !has_rows || !has_groups)) dp_tr_fail(t, "a required field is missing");
}

/* ---- checks and what is derived ---- */

/* Parents, levels and leaves from the depth-first list. */
enum dp_status dp_pq_derive(struct dp_pq_meta *m, struct dp_err *err) {
    struct { int32_t element, left; } stack[DP_LIMIT_SCHEMA_DEPTH + 1];
    size_t depth = 0, n_leaves = 0;
    if (m->n_elements == 0) return dp_err_set(err, DP_FORMAT, "the schema is empty");
    if (!m->elements[0].is_group) return dp_err_set(err, DP_FORMAT, "the schema's root has a type");
    m->leaves = dp_arena_calloc(&m->arena, m->n_elements, sizeof *m->leaves);
    m->elements[0].parent = -1, m->elements[0].leaf = -1;
    stack[0].element = 0, stack[0].left = m->elements[0].n_children;
    for (size_t i = 1; i < m->n_elements; i++) {
        struct dp_pq_element *e = &m->elements[i];
        while (depth > 0 && stack[depth].left == 0) depth--;
        if (stack[depth].left == 0) return dp_err_set(err, DP_FORMAT, "the schema has more elements than its root counts");
        stack[depth].left--;
        const struct dp_pq_element *up = &m->elements[stack[depth].element];
        e->parent = stack[depth].element;
        e->max_def = (int16_t)(up->max_def + (e->repetition != DP_PQ_REQUIRED));
        e->max_rep = (int16_t)(up->max_rep + (e->repetition == DP_PQ_REPEATED));
        e->leaf = -1;
        if (!e->is_group) {
            if (n_leaves == DP_LIMIT_COLUMNS) return dp_err_set(err, DP_LIMIT, "more than %u leaf columns", DP_LIMIT_COLUMNS);
            e->leaf = (int32_t)n_leaves;
            m->leaves[n_leaves++] = (int32_t)i;
        } else {
            if (depth == DP_LIMIT_SCHEMA_DEPTH) return dp_err_set(err, DP_LIMIT, "the schema is nested deeper than %u", DP_LIMIT_SCHEMA_DEPTH);
            depth++;
            stack[depth].element = (int32_t)i, stack[depth].left = e->n_children;
        }
    }
    for (;; depth--) {
        if (stack[depth].left != 0) return dp_err_set(err, DP_FORMAT, "the schema has fewer elements than its groups count");
        if (depth == 0) break;
    }
    m->n_leaves = n_leaves;
    return DP_OK;
}

static enum dp_status check_chunk(const struct dp_pq_chunk *c, uint64_t file_size, struct dp_err *err) {
    if (c->num_values < 0) return dp_err_set(err, DP_FORMAT, "a negative number of values");
    if (c->num_values == 0 || c->file_path.n) return DP_OK;
    if (c->total_compressed < 0 || c->total_uncompressed < 0) return dp_err_set(err, DP_FORMAT, "a negative size");
    int64_t start = c->data_page_offset, end;
    if (c->dictionary_page_offset > 0 && c->dictionary_page_offset < start) start = c->dictionary_page_offset;
    if (start < 4 || (uint64_t)start >= file_size) return dp_err_set(err, DP_FORMAT, "page offset %lld is outside the file", (long long)start);
    if (dp_add_overflow(start, c->total_compressed, &end) || (uint64_t)end > file_size)
        return dp_err_set(err, DP_FORMAT, "its %lld bytes at %lld reach beyond the file", (long long)c->total_compressed, (long long)start);
    return DP_OK;
}

static enum dp_status check_row_group(struct dp_pq_meta *m, struct dp_pq_row_group *g, uint64_t file_size, struct dp_err *err) {
    if (g->num_rows < 0) return dp_err_set(err, DP_FORMAT, "a negative number of rows");
    if (g->n_chunks != m->n_leaves)
        return dp_err_set(err, DP_FORMAT, "%zu column chunks for %zu leaf columns", g->n_chunks, m->n_leaves);
    for (size_t i = 0; i < g->n_chunks; i++) {
        struct dp_pq_chunk *c = &g->chunks[i];
        if (c->encrypted && c->num_values == 0) {
            c->type = m->elements[m->leaves[i]].type;
            continue;
        }
        if (c->type != m->elements[m->leaves[i]].type)
            return dp_err_set(err, DP_FORMAT, "column %zu is %s in the schema and %s in the chunk", i,
                              dp_pq_type_name(m->elements[m->leaves[i]].type), dp_pq_type_name(c->type));
        if (!c->encrypted && check_chunk(c, file_size, err) != DP_OK) return dp_err_prefix(err, "column %zu: ", i);
        if (c->num_values < g->num_rows && !c->encrypted && m->elements[m->leaves[i]].max_rep)
            return dp_err_set(err, DP_FORMAT, "column %zu has %lld values for %lld rows", i, (long long)c->num_values, (long long)g->num_rows);
    }
    for (size_t i = 0; i < g->n_sorting; i++) {
        if (g->sorting[i].column >= 0 && (size_t)g->sorting[i].column < m->n_leaves) continue;
        g->n_sorting = i; /* only the part that makes sense is a sort order */
        break;
    }
    return DP_OK;
}

enum dp_status dp_pq_meta_parse(const void *p, size_t n, uint64_t file_size, struct dp_pq_meta *meta, struct dp_err *err) {
    return dp_pq_meta_parse_within(p, n, file_size, 0, meta, err);
}

enum dp_status dp_pq_meta_parse_within(const void *p, size_t n, uint64_t file_size, uint64_t memory, struct dp_pq_meta *meta, struct dp_err *err) {
    struct dp_tr t = {.p = p, .end = (const uint8_t *)p + n, .bound = memory};
    uint8_t *orders = NULL;
    size_t n_orders = 0;
    int64_t rows = 0;
    *meta = (struct dp_pq_meta){0};
    read_file_meta(&t, meta, &orders, &n_orders);
    if (t.fault) return dp_err_set(err, t.over ? DP_LIMIT : DP_FORMAT, "footer: %s", t.fault);
    if (dp_pq_derive(meta, err) != DP_OK) return dp_err_prefix(err, "footer: ");
    meta->column_orders = dp_arena_calloc(&meta->arena, meta->n_leaves + 1, 1);
    if (orders && n_orders == meta->n_leaves) memcpy(meta->column_orders, orders, n_orders);
    for (size_t i = 0; i < meta->n_row_groups; i++) {
        struct dp_pq_row_group *g = &meta->row_groups[i];
        if (check_row_group(meta, g, file_size, err) != DP_OK) return dp_err_prefix(err, "footer: row group %zu: ", i);
        if (dp_add_overflow(rows, g->num_rows, &rows)) return dp_err_set(err, DP_FORMAT, "footer: too many rows");
    }
    if (meta->num_rows == 0) meta->num_rows = rows; /* repeated_no_annotation.parquet: the count was never filled in */
    if (rows != meta->num_rows)
        return dp_err_set(err, DP_FORMAT, "footer: %lld rows in the file, %lld in its row groups", (long long)meta->num_rows, (long long)rows);
    return DP_OK;
}

int64_t dp_pq_meta_rows(const struct dp_pq_meta *meta) {
    int64_t n = 0;
    for (size_t i = 0; i < meta->n_row_groups; i++) n += meta->row_groups[i].num_rows;
    return n;
}

void dp_pq_meta_release(struct dp_pq_meta *meta) {
    dp_arena_release(&meta->arena);
    *meta = (struct dp_pq_meta){0};
}

/* ---- names ---- */

const char *dp_pq_type_name(enum dp_pq_type t) {
    static const char *const names[] = {"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};
    return (unsigned)t <= DP_PQ_FLBA ? names[t] : "UNKNOWN";
}

const char *dp_pq_encoding_name(int encoding) {
    static const char *const names[] = {"PLAIN", "GROUP_VAR_INT", "PLAIN_DICTIONARY", "RLE", "BIT_PACKED", "DELTA_BINARY_PACKED",
        "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT", "ALP"};
    return encoding >= 0 && encoding <= DP_PQ_ALP ? names[encoding] : "UNKNOWN";
}

void dp_pq_leaf_path(const struct dp_pq_meta *meta, size_t leaf, struct dp_buf *out) {
    int32_t path[DP_LIMIT_SCHEMA_DEPTH + 2];
    size_t n = 0;
    for (int32_t e = meta->leaves[leaf]; e > 0; e = meta->elements[e].parent) path[n++] = e;
    while (n--) {
        dp_buf_adds(out, meta->elements[path[n]].name);
        if (n) dp_buf_addc(out, '.');
    }
}

bool dp_pq_find_value(const struct dp_pq_meta *meta, const char *key, struct dp_str *value) {
    for (size_t i = 0; i < meta->n_kv; i++) {
        if (!meta->kv[i].has_value || !dp_str_eqz(meta->kv[i].key, key)) continue;
        *value = meta->kv[i].value;
        return true;
    }
    return false;
}
