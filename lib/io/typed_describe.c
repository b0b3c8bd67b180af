/* Schema and metadata of Parquet files and Delta tables as records, one a line (dp/io/typed.h). */
#include <dp/io/typed.h>

#include <dp/delta/snapshot.h>
#include <dp/parquet/reader.h>

static void add_key(struct dp_buf *b, const char *key) {
    if (b->n && b->p[b->n - 1] != '{') dp_buf_addc(b, ',');
    dp_json_add_string(b, dp_str_z(key));
    dp_buf_addc(b, ':');
}

static void add_text(struct dp_buf *b, const char *key, struct dp_str text) {
    add_key(b, key);
    if (!text.p) dp_buf_addz(b, "null");
    else if (dp_utf8_valid(text.p, text.n, NULL)) dp_json_add_string(b, text);
    else dp_json_add_binary(b, text, true);
}

static void add_int(struct dp_buf *b, const char *key, int64_t v) {
    add_key(b, key);
    dp_json_add_i64(b, v);
}

static void add_known(struct dp_buf *b, const char *key, int64_t v) {
    add_key(b, key);
    if (v < 0) dp_buf_addz(b, "null");
    else dp_json_add_i64(b, v);
}

void dp_typed_print_schema(const struct dp_type *schema, struct dp_buf *out) {
    struct dp_buf type = {0};
    for (size_t i = 0; i < schema->n_children; i++) {
        const struct dp_type *t = schema->children[i];
        dp_buf_reset(&type);
        dp_type_print(t, &type);
        dp_buf_addc(out, '{');
        add_text(out, "column", dp_str(t->name, t->name_n));
        add_text(out, "type", dp_buf_str(&type));
        add_key(out, "nullable");
        dp_buf_addz(out, t->nullable ? "true}\n" : "false}\n");
    }
    dp_buf_release(&type);
}

static enum dp_status open_table(const char *name, const char *as_of, struct dp_delta_snapshot **out, struct dp_err *err) {
    int64_t version = -1;
    if (as_of) DP_TRY(dp_delta_as_of(name, dp_str_z(as_of), &version, err));
    return dp_delta_open(name, version, out, err);
}

static enum dp_status open_file(const char *name, const char *as_of, struct dp_pq_file **out, struct dp_err *err) {
    if (as_of) return dp_err_set(err, DP_USAGE, "--as-of: %s is not a table", name);
    return dp_pq_open(name, out, err);
}

/* ---- metadata ---- */

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

static void chunk_meta(const char *name, const struct dp_pq_meta *m, size_t g, size_t leaf, struct dp_buf *out) {
    const struct dp_pq_chunk *c = &m->row_groups[g].chunks[leaf];
    struct dp_buf path = {0}, min = {0}, max = {0};
    int64_t nulls;
    bool bounds = dp_pq_bounds(m, g, leaf, &min, &max, &nulls);
    dp_pq_leaf_path(m, leaf, &path);
    dp_buf_addc(out, '{');
    add_text(out, "file", dp_str_z(name));
    add_text(out, "created_by", m->created_by);
    add_int(out, "row_group", (int64_t)g);
    add_int(out, "rows", m->row_groups[g].num_rows);
    add_text(out, "column", dp_buf_str(&path));
    add_text(out, "physical_type", dp_str_z(dp_pq_type_name(c->type)));
    add_text(out, "codec", dp_str_z(dp_codec_name(c->codec)));
    add_encodings(out, c->encodings);
    add_int(out, "values", c->num_values);
    add_known(out, "nulls", nulls);
    add_text(out, "min", bounds ? dp_str(min.n ? min.p : "", min.n) : dp_str(NULL, 0));
    add_text(out, "max", bounds ? dp_str(max.n ? max.p : "", max.n) : dp_str(NULL, 0));
    add_int(out, "compressed", c->total_compressed);
    add_int(out, "uncompressed", c->total_uncompressed);
    dp_buf_addz(out, "}\n");
    dp_buf_release(&path);
    dp_buf_release(&min);
    dp_buf_release(&max);
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

enum dp_status dp_typed_describe_meta(const char *name, const char *as_of, struct dp_buf *out, struct dp_err *err) {
    if (dp_delta_is_table(name)) {
        struct dp_delta_snapshot *s;
        DP_TRY(open_table(name, as_of, &s, err));
        table_meta(s, out);
        dp_delta_close(s);
        return DP_OK;
    }
    struct dp_pq_file *f;
    DP_TRY(open_file(name, as_of, &f, err));
    const struct dp_pq_meta *m = dp_pq_meta(f);
    for (size_t g = 0; g < m->n_row_groups; g++)
        for (size_t i = 0; i < m->n_leaves; i++) chunk_meta(name, m, g, i, out);
    dp_pq_close(f);
    return DP_OK;
}
