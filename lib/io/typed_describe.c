/*
 * Metadata of Parquet files and Delta tables as records, one a line (dp/io/typed.h): of a file one record for it, for each row group, each column
 * of a row group, or each page that an offset index tells of.
 */
#include <dp/io/typed.h>

#include <dp/delta/snapshot.h>
#include <dp/parquet/reader.h>

static void add_key(struct dp_buf *b, const char *key) {
    if (b->n && b->p[b->n - 1] != '{') dp_buf_addc(b, ',');
    dp_json_add_string(b, dp_str_z(key));
    dp_buf_addc(b, ':');
}

static void add_value(struct dp_buf *b, struct dp_str text) {
    if (!text.p) dp_buf_addz(b, "null");
    else if (dp_utf8_valid(text.p, text.n, NULL)) dp_json_add_string(b, text);
    else dp_json_add_binary(b, text, true);
}

static void add_text(struct dp_buf *b, const char *key, struct dp_str text) {
    add_key(b, key);
    add_value(b, text);
}

/* A text that is there, if only as an empty one. */
static void add_filled(struct dp_buf *b, const char *key, const struct dp_buf *text) { add_text(b, key, dp_str(text->n ? text->p : "", text->n)); }

static void add_int(struct dp_buf *b, const char *key, int64_t v) {
    add_key(b, key);
    dp_json_add_i64(b, v);
}

/* Negative: not known. */
static void add_known(struct dp_buf *b, const char *key, int64_t v) {
    add_key(b, key);
    if (v < 0) dp_buf_addz(b, "null");
    else dp_json_add_i64(b, v);
}

static void add_bool(struct dp_buf *b, const char *key, bool v) {
    add_key(b, key);
    dp_buf_addz(b, v ? "true" : "false");
}

static void add_path(struct dp_buf *b, const char *key, const struct dp_pq_meta *m, size_t leaf) {
    struct dp_buf path = {0};
    dp_pq_leaf_path(m, leaf, &path);
    add_filled(b, key, &path);
    dp_buf_release(&path);
}

/* Of leaves that bear bounds which are said; floats of which some may be NaN have bounds of the others. */
static void add_bounds(struct dp_buf *b, bool has, const struct dp_buf *min, const struct dp_buf *max) {
    add_text(b, "min", has ? dp_str(min->n ? min->p : "", min->n) : dp_str(NULL, 0));
    add_text(b, "max", has ? dp_str(max->n ? max->p : "", max->n) : dp_str(NULL, 0));
}

/* ---- schemas ---- */

/* Parquet's types of the leaves below a top-level column: of a column that is one leaf its own, else each behind its path. */
static void add_parquet(struct dp_buf *out, const struct dp_pq_meta *m, const char *column) {
    struct dp_buf text = {0};
    add_key(out, "parquet");
    for (size_t i = 0; i < m->n_leaves; i++) {
        int32_t top = m->leaves[i];
        while (m->elements[top].parent > 0) top = m->elements[top].parent;
        if (!dp_str_eqz(m->elements[top].name, column)) continue;
        if (text.n) dp_buf_addz(&text, "; ");
        if (top != m->leaves[i]) {
            dp_pq_leaf_path(m, i, &text);
            dp_buf_addc(&text, ' ');
        }
        dp_pq_leaf_type(m, i, &text);
    }
    add_value(out, dp_str(text.n ? text.p : "", text.n));
    dp_buf_release(&text);
}

static void print_schema(const struct dp_type *schema, const struct dp_pq_meta *m, struct dp_buf *out) {
    struct dp_buf type = {0};
    for (size_t i = 0; i < schema->n_children; i++) {
        const struct dp_type *t = schema->children[i];
        dp_buf_reset(&type);
        dp_type_print(t, &type);
        dp_buf_addc(out, '{');
        add_text(out, "column", dp_str(t->name, t->name_n));
        add_text(out, "type", dp_buf_str(&type));
        add_bool(out, "nullable", t->nullable);
        if (m) add_parquet(out, m, t->name);
        dp_buf_addz(out, "}\n");
    }
    dp_buf_release(&type);
}

void dp_typed_print_schema(const struct dp_type *schema, struct dp_buf *out) { print_schema(schema, NULL, out); }

enum dp_status dp_typed_describe_schema(const char *name, const struct dp_type *schema, struct dp_buf *out, struct dp_err *err) {
    struct dp_pq_file *f;
    if (dp_delta_is_table(name)) {
        print_schema(schema, NULL, out);
        return DP_OK;
    }
    DP_TRY(dp_pq_open(name, &f, err));
    print_schema(schema, dp_pq_meta(f), out);
    dp_pq_close(f);
    return DP_OK;
}

/* ---- a file ---- */

static void file_meta(const struct dp_pq_file *f, const char *name, struct dp_buf *out) {
    const struct dp_pq_meta *m = dp_pq_meta(f);
    struct dp_buf schema = {0};
    int64_t stored = 0, raw = 0;
    for (size_t g = 0; g < m->n_row_groups; g++)
        for (size_t i = 0; i < m->n_leaves; i++) stored += m->row_groups[g].chunks[i].total_compressed, raw += m->row_groups[g].chunks[i].total_uncompressed;
    dp_buf_addc(out, '{');
    add_text(out, "file", dp_str_z(name));
    add_text(out, "created_by", m->created_by);
    add_int(out, "version", m->version);
    add_int(out, "rows", m->num_rows);
    add_int(out, "row_groups", (int64_t)m->n_row_groups);
    add_int(out, "columns", (int64_t)m->n_leaves);
    add_int(out, "compressed", stored);
    add_int(out, "uncompressed", raw);
    add_key(out, "key_values");
    dp_buf_addc(out, '[');
    for (size_t i = 0; i < m->n_kv; i++) {
        dp_buf_addz(out, i ? ",{" : "{");
        add_text(out, "key", m->kv[i].key);
        add_text(out, "value", m->kv[i].has_value ? m->kv[i].value : dp_str(NULL, 0));
        dp_buf_addc(out, '}');
    }
    dp_buf_addc(out, ']');
    dp_pq_schema_text(m, &schema);
    add_filled(out, "schema", &schema);
    dp_buf_addz(out, "}\n");
    dp_buf_release(&schema);
}

/* ---- row groups ---- */

static void group_meta(const struct dp_pq_file *f, const char *name, size_t g, struct dp_buf *out) {
    const struct dp_pq_meta *m = dp_pq_meta(f);
    const struct dp_pq_row_group *x = &m->row_groups[g];
    int64_t stored = 0, raw = 0;
    for (size_t i = 0; i < m->n_leaves; i++) stored += x->chunks[i].total_compressed, raw += x->chunks[i].total_uncompressed;
    dp_buf_addc(out, '{');
    add_text(out, "file", dp_str_z(name));
    add_int(out, "row_group", (int64_t)g);
    add_int(out, "rows", x->num_rows);
    add_int(out, "compressed", stored);
    add_int(out, "uncompressed", raw);
    add_key(out, "sorting");
    dp_buf_addc(out, '[');
    for (size_t i = 0, n = 0; i < x->n_sorting; i++) {
        const struct dp_pq_sorting *s = &x->sorting[i];
        if (s->column < 0 || (size_t)s->column >= m->n_leaves) continue;
        dp_buf_addz(out, n++ ? ",{" : "{");
        add_path(out, "column", m, (size_t)s->column);
        add_bool(out, "descending", s->descending);
        add_bool(out, "nulls_first", s->nulls_first);
        dp_buf_addc(out, '}');
    }
    dp_buf_addz(out, "]}\n");
}

/* ---- columns of row groups ---- */

static void add_encodings(struct dp_buf *b, uint32_t set) {
    bool first = true;
    add_key(b, "encodings");
    dp_buf_addc(b, '[');
    for (int i = 0; i < 32; i++) {
        if (!(set >> i & 1)) continue;
        if (!first) dp_buf_addc(b, ',');
        dp_json_add_string(b, dp_str_z(dp_pq_encoding_name(i)));
        first = false;
    }
    dp_buf_addc(b, ']');
}

/* Data pages, as the footer or the offset index counts them; -1: neither does. */
static int64_t count_pages(const struct dp_pq_file *f, size_t g, size_t leaf) {
    const struct dp_pq_chunk *c = &dp_pq_meta(f)->row_groups[g].chunks[leaf];
    struct dp_arena a = {0};
    struct dp_pq_offset_index pages;
    struct dp_pq_column_index index;
    int64_t n = -1;
    for (size_t i = 0; i < c->n_encoding_stats; i++)
        if (c->encoding_stats[i].page_type == DP_PQ_DATA_PAGE || c->encoding_stats[i].page_type == DP_PQ_DATA_PAGE_V2)
            n = (n < 0 ? 0 : n) + c->encoding_stats[i].count;
    if (n < 0 && c->offset_index_offset >= 0 && dp_pq_pages(f, g, leaf, &a, &pages, &index)) n = (int64_t)pages.n_pages;
    dp_arena_release(&a);
    return n;
}

static void chunk_meta(const struct dp_pq_file *f, const char *name, size_t g, size_t leaf, struct dp_buf *out) {
    const struct dp_pq_meta *m = dp_pq_meta(f);
    const struct dp_pq_chunk *c = &m->row_groups[g].chunks[leaf];
    struct dp_buf type = {0}, min = {0}, max = {0};
    int64_t nulls;
    bool bounds = dp_pq_bounds(m, g, leaf, &min, &max, &nulls);
    dp_pq_leaf_type(m, leaf, &type);
    dp_buf_addc(out, '{');
    add_text(out, "file", dp_str_z(name));
    add_text(out, "created_by", m->created_by);
    add_int(out, "row_group", (int64_t)g);
    add_int(out, "rows", m->row_groups[g].num_rows);
    add_path(out, "column", m, leaf);
    add_text(out, "physical_type", dp_str_z(dp_pq_type_name(c->type)));
    add_filled(out, "parquet", &type);
    add_text(out, "codec", dp_str_z(dp_codec_name(c->codec)));
    add_encodings(out, c->encodings);
    add_int(out, "values", c->num_values);
    add_known(out, "nulls", nulls);
    add_known(out, "distinct", c->stats.distinct_count);
    add_known(out, "nans", c->stats.nan_count);
    add_bounds(out, bounds, &min, &max);
    add_int(out, "compressed", c->total_compressed);
    add_int(out, "uncompressed", c->total_uncompressed);
    add_known(out, "pages", count_pages(f, g, leaf));
    add_int(out, "offset", c->dictionary_page_offset > 0 && c->dictionary_page_offset < c->data_page_offset ? c->dictionary_page_offset : c->data_page_offset);
    add_bool(out, "offset_index", c->offset_index_offset >= 0);
    add_bool(out, "column_index", c->column_index_offset >= 0);
    add_bool(out, "bloom_filter", c->bloom_offset >= 0);
    dp_buf_addz(out, "}\n");
    dp_buf_release(&type);
    dp_buf_release(&min);
    dp_buf_release(&max);
}

/* ---- pages ---- */

static void chunk_pages(const struct dp_pq_file *f, const char *name, size_t g, size_t leaf, struct dp_buf *out) {
    const struct dp_pq_meta *m = dp_pq_meta(f);
    struct dp_arena a = {0};
    struct dp_pq_offset_index pages;
    struct dp_pq_column_index index;
    struct dp_buf min = {0}, max = {0};
    bool has = dp_pq_pages(f, g, leaf, &a, &pages, &index);
    for (size_t i = 0; has && i < pages.n_pages; i++) {
        const struct dp_pq_page_location *x = &pages.pages[i];
        dp_buf_addc(out, '{');
        add_text(out, "file", dp_str_z(name));
        add_int(out, "row_group", (int64_t)g);
        add_path(out, "column", m, leaf);
        add_int(out, "page", (int64_t)i);
        add_int(out, "first_row", x->first_row);
        add_int(out, "rows", (i + 1 < pages.n_pages ? x[1].first_row : m->row_groups[g].num_rows) - x->first_row);
        add_known(out, "nulls", index.n_pages && index.null_counts ? index.null_counts[i] : -1);
        add_bounds(out, dp_pq_page_bounds(m, leaf, &index, i, &min, &max), &min, &max);
        add_int(out, "offset", x->offset);
        add_int(out, "compressed", x->compressed_size);
        dp_buf_addz(out, "}\n");
    }
    dp_buf_release(&min);
    dp_buf_release(&max);
    dp_arena_release(&a);
}

/* ---- tables ---- */

static enum dp_status open_table(const char *name, const char *as_of, struct dp_delta_snapshot **out, struct dp_err *err) {
    int64_t version = -1;
    if (as_of) DP_TRY(dp_delta_as_of(name, dp_str_z(as_of), &version, err));
    return dp_delta_open(name, version, out, err);
}

static enum dp_status open_file(const char *name, const char *as_of, struct dp_pq_file **out, struct dp_err *err) {
    if (as_of) return dp_err_set(err, DP_USAGE, "--as-of: %s is not a table", name);
    return dp_pq_open(name, out, err);
}

static void table_meta(const struct dp_delta_snapshot *s, struct dp_buf *out) {
    int64_t rows = 0, bytes = 0;
    size_t cursor = 0;
    for (const struct dp_delta_file *f; (f = dp_delta_next_file(s, &cursor));) {
        int64_t n = dp_delta_file_rows(f);
        rows = n < 0 || rows < 0 ? -1 : rows + n;
        if (f->size > 0) bytes += f->size;
    }
    dp_buf_addc(out, '{');
    add_text(out, "table", dp_str_z(s->table));
    add_int(out, "version", s->version);
    add_text(out, "id", s->metadata.id);
    add_text(out, "name", s->metadata.name);
    add_int(out, "files", (int64_t)s->n_files);
    add_known(out, "rows", rows);
    add_int(out, "bytes", bytes);
    add_int(out, "min_reader", s->protocol.min_reader);
    add_int(out, "min_writer", s->protocol.min_writer);
    add_key(out, "partition_columns");
    dp_buf_addc(out, '[');
    for (size_t i = 0; i < s->metadata.partition_columns.n; i++) {
        if (i) dp_buf_addc(out, ',');
        dp_json_add_string(out, s->metadata.partition_columns.v[i]);
    }
    dp_buf_addz(out, "],\"properties\":{");
    for (size_t i = 0; i < s->metadata.configuration.n; i++) {
        if (i) dp_buf_addc(out, ',');
        dp_json_add_string(out, s->metadata.configuration.v[i].key);
        dp_buf_addc(out, ':');
        dp_json_add_string(out, s->metadata.configuration.v[i].value);
    }
    dp_buf_addz(out, "}}\n");
}

static void parquet_meta(const struct dp_pq_file *f, const char *name, enum dp_typed_per per, struct dp_buf *out) {
    const struct dp_pq_meta *m = dp_pq_meta(f);
    if (per == DP_TYPED_PER_FILE) file_meta(f, name, out);
    for (size_t g = 0; g < m->n_row_groups; g++) {
        if (per == DP_TYPED_PER_ROW_GROUP) group_meta(f, name, g, out);
        for (size_t i = 0; i < m->n_leaves; i++) {
            if (per == DP_TYPED_PER_COLUMN) chunk_meta(f, name, g, i, out);
            if (per == DP_TYPED_PER_PAGE) chunk_pages(f, name, g, i, out);
        }
    }
}

enum dp_status dp_typed_describe_meta(const char *name, const char *as_of, enum dp_typed_per per, struct dp_buf *out, struct dp_err *err) {
    if (dp_delta_is_table(name)) {
        struct dp_delta_snapshot *s;
        DP_TRY(open_table(name, as_of, &s, err));
        table_meta(s, out);
        dp_delta_close(s);
        return DP_OK;
    }
    struct dp_pq_file *f;
    DP_TRY(open_file(name, as_of, &f, err));
    parquet_meta(f, name, per, out);
    dp_pq_close(f);
    return DP_OK;
}
