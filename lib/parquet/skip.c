/*
 * Row groups that an expression excludes by the bounds of their columns (dp/parquet/reader.h).
 * What it does not do: page indexes, bloom filters, fields inside groups.
 */
#include <dp/parquet/reader.h>
#include <stdlib.h>

struct asked {
    const struct dp_pq_file *f;
    size_t group;
    dp_pq_column_of column_of;
    void *ctx;
    struct dp_buf *texts; /* kept until the question is answered */
    size_t n, cap;
};

static enum dp_kind bounds_kind(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_STRING: case DP_TYPE_ENUM: case DP_TYPE_DATE: case DP_TYPE_TIMESTAMP: return DP_KIND_STRING;
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_UINT8: case DP_TYPE_UINT16: case DP_TYPE_UINT32:
    case DP_TYPE_UINT64: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: case DP_TYPE_DECIMAL: return DP_KIND_NUMBER;
    default: return DP_KIND_NONE;
    }
}

/* Leaf of a top-level column that is no group; -1: none. */
static int find_leaf(const struct dp_pq_meta *m, struct dp_str name) {
    for (size_t i = 0; i < m->n_leaves; i++) {
        const struct dp_pq_element *e = &m->elements[m->leaves[i]];
        if (e->parent == 0 && dp_str_eq(e->name, name)) return (int)i;
    }
    return -1;
}

static bool bounds(void *ctx, struct dp_str field, struct dp_expr_bounds *out) {
    struct asked *a = ctx;
    const struct dp_pq_meta *m = dp_pq_meta(a->f);
    *out = (struct dp_expr_bounds){.nulls = -1, .rows = m->row_groups[a->group].num_rows};
    const struct dp_type *type = a->column_of ? a->column_of(a->ctx, field) : dp_type_child(dp_pq_schema(a->f), field);
    if (type && type->id == DP_TYPE_NONE) return out->nulls = out->rows, out->known = true; /* null in every row */
    int leaf = type ? find_leaf(m, dp_str(type->name, type->name_n)) : -1;
    if (leaf < 0 || bounds_kind(type) == DP_KIND_NONE) return false;
    a->texts = dp_grow(a->texts, &a->cap, a->n + 2, sizeof *a->texts);
    struct dp_buf *min = &a->texts[a->n], *max = min + 1;
    memset(min, 0, 2 * sizeof *min);
    a->n += 2;
    bool both = dp_pq_bounds(m, a->group, (size_t)leaf, min, max, &out->nulls);
    out->known = both || out->nulls >= 0;
    if (both) out->kind = bounds_kind(type), out->min = dp_buf_str(min), out->max = dp_buf_str(max);
    return out->known;
}

enum dp_maybe dp_pq_skip(const struct dp_pq_file *f, size_t row_group, const struct dp_expr *e, dp_pq_column_of column_of, void *ctx) {
    struct asked a = {.f = f, .group = row_group, .column_of = column_of, .ctx = ctx};
    enum dp_maybe v = dp_expr_skip(e, bounds, &a);
    for (size_t i = 0; i < a.n; i++) dp_buf_release(&a.texts[i]);
    free(a.texts);
    return v;
}
