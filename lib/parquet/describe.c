/*
 * Parquet's own words for a file: a leaf's physical and logical type, the schema as message text, pages by their indexes (dp/parquet/reader.h,
 * spec: LogicalTypes.md of parquet-format).
 */
#include "skip_priv.h"

static const char *const units[] = {"UNKNOWN", "MILLIS", "MICROS", "NANOS"};
static const char *const repetitions[] = {"required", "optional", "repeated"};

static const char *unit_name(int32_t unit) { return units[unit >= DP_PQ_UNIT_MILLIS && unit <= DP_PQ_UNIT_NANOS ? unit : 0]; }

/* The legacy annotation, for files that have no other. */
static const char *converted_name(int32_t c) {
    static const char *const names[] = {"UTF8", "MAP", "MAP_KEY_VALUE", "LIST", "ENUM", "DECIMAL", "DATE", "TIME_MILLIS", "TIME_MICROS", "TIMESTAMP_MILLIS",
        "TIMESTAMP_MICROS", "UINT_8", "UINT_16", "UINT_32", "UINT_64", "INT_8", "INT_16", "INT_32", "INT_64", "JSON", "BSON", "INTERVAL"};
    return c >= 0 && (size_t)c < sizeof names / sizeof *names ? names[c] : NULL;
}

/* The annotation with its parameters; nothing where there is none. */
static void add_annotation(const struct dp_pq_element *e, struct dp_buf *out) {
    static const char *const names[] = {NULL, "STRING", "MAP", "LIST", "ENUM", "DECIMAL", "DATE", "TIME", "TIMESTAMP", NULL, "INTEGER", "UNKNOWN", "JSON", "BSON", "UUID",
        "FLOAT16", "VARIANT", "GEOMETRY", "GEOGRAPHY", "FILE"};
    bool known = e->logical > 0 && (size_t)e->logical < sizeof names / sizeof *names && names[e->logical];
    const char *name = known ? names[e->logical] : converted_name(e->converted);
    if (!name) return;
    dp_buf_addz(out, name);
    if (!strcmp(name, "DECIMAL")) dp_buf_addf(out, "(%d,%d)", e->precision, e->scale);
    if (!known) return;
    if (e->logical == DP_PQ_L_TIME || e->logical == DP_PQ_L_TIMESTAMP) dp_buf_addf(out, "(%s,%s)", unit_name(e->unit), e->utc ? "UTC" : "LOCAL");
    if (e->logical == DP_PQ_L_INTEGER) dp_buf_addf(out, "(%d,%s)", e->bit_width, e->is_signed ? "SIGNED" : "UNSIGNED");
}

static void add_physical(const struct dp_pq_element *e, struct dp_buf *out) {
    dp_buf_addz(out, dp_pq_type_name(e->type));
    if (e->type == DP_PQ_FLBA) dp_buf_addf(out, "(%d)", e->type_length);
}

void dp_pq_leaf_type(const struct dp_pq_meta *meta, size_t leaf, struct dp_buf *out) {
    const struct dp_pq_element *e = &meta->elements[meta->leaves[leaf]];
    add_physical(e, out);
    size_t n = out->n;
    dp_buf_addc(out, ' ');
    add_annotation(e, out);
    if (out->n == n + 1) out->n = n;
}

void dp_pq_schema_text(const struct dp_pq_meta *meta, struct dp_buf *out) {
    struct dp_buf note = {0};
    size_t open[DP_LIMIT_SCHEMA_DEPTH * 2 + 2] = {0}, depth = 0; /* children that are still to come, by depth */
    dp_buf_addf(out, "message %.*s {\n", DP_STR_FMT(meta->elements[0].name));
    open[0] = (size_t)meta->elements[0].n_children;
    for (size_t i = 1; i < meta->n_elements; i++) {
        const struct dp_pq_element *e = &meta->elements[i];
        for (; depth && !open[depth]; depth--) dp_buf_addf(out, "%*s}\n", (int)depth * 2, "");
        if (open[depth]) open[depth]--;
        dp_buf_addf(out, "%*s%s ", (int)depth * 2 + 2, "", repetitions[e->repetition]);
        if (e->is_group) dp_buf_addz(out, "group");
        else add_physical(e, out);
        dp_buf_addf(out, " %.*s", DP_STR_FMT(e->name));
        dp_buf_reset(&note);
        add_annotation(e, &note);
        if (note.n) dp_buf_addf(out, " (%.*s)", DP_STR_FMT(dp_buf_str(&note)));
        if (e->field_id >= 0) dp_buf_addf(out, " = %d", e->field_id);
        dp_buf_addz(out, e->is_group ? " {\n" : ";\n");
        if (e->is_group && depth + 1 < sizeof open / sizeof *open) open[++depth] = (size_t)e->n_children;
    }
    for (; depth; depth--) dp_buf_addf(out, "%*s}\n", (int)depth * 2, "");
    dp_buf_addz(out, "}\n");
    dp_buf_release(&note);
}

/* ---- pages ---- */

bool dp_pq_pages(const struct dp_pq_file *f, size_t row_group, size_t leaf, struct dp_arena *a, struct dp_pq_offset_index *pages, struct dp_pq_column_index *index) {
    *index = (struct dp_pq_column_index){0};
    if (!pq_offset_index(f, row_group, leaf, a, pages)) return false;
    if (!pq_column_index(f, row_group, leaf, pages->n_pages, a, index)) *index = (struct dp_pq_column_index){0};
    return true;
}

bool dp_pq_page_bounds(const struct dp_pq_meta *meta, size_t leaf, const struct dp_pq_column_index *index, size_t page, struct dp_buf *min, struct dp_buf *max) {
    bool may_nan;
    if (page >= index->n_pages || index->null_pages[page]) return false;
    struct dp_pq_stats s = {.has_min = true, .min = index->min[page], .has_max = true, .max = index->max[page], .nan_count = index->nan_counts ? index->nan_counts[page] : -1};
    return pq_spell_bounds(meta, leaf, &s, min, max, &may_nan) != DP_KIND_NONE;
}
