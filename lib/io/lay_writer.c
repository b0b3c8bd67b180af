/*
 * What dp-partition(1)'s options and a table's properties ask of the Parquet writer (Delta: delta.parquet.compression.codec and
 * delta.parquet.format.version).  Options win over properties.
 */
#include "lay_priv.h"

#include <dp/base/num.h>

#include <stdlib.h>

#define ROW_GROUP_ROWS 122880
#define ROW_GROUP_BYTES (26u << 20) /* fixed, for contents must not depend on --memory: the largest that the least memory holds */
#define LEAST_MEMORY (16u << 20)

/* "COLUMN=WORD" cut at its last equals sign; *word is empty where there is none. */
static void cut(const char *text, struct dp_str *column, struct dp_str *word) {
    const char *at = strrchr(text, '=');
    *column = at ? dp_str(text, (size_t)(at - text)) : dp_str_z(text);
    *word = at ? dp_str_z(at + 1) : DP_STR("");
}

static enum dp_status add_encoding(const struct dp_type *names, const char *text, struct dp_pq_column_opts *c, struct dp_err *err) {
    struct dp_str column, word;
    cut(text, &column, &word);
    if (!word.n) return dp_err_set(err, DP_USAGE, "--encoding %s: COLUMN=ENCODING is needed", text);
    c->set_encoding = true;
    enum dp_status status = dp_pq_encoding_parse(word, &c->encoding, err);
    if (status == DP_OK) status = dp_pq_find_column(names, column, &c->leaf, &c->n_leaves, err);
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "--encoding %s: ", text);
}

static enum dp_status add_bloom(const struct dp_type *names, const char *text, struct dp_pq_column_opts *c, struct dp_err *err) {
    struct dp_str column, word;
    cut(text, &column, &word);
    c->bloom = true;
    if (word.n && (!dp_parse_double(word, &c->bloom_fpp) || !(c->bloom_fpp >= 0.000001 && c->bloom_fpp <= 0.5)))
        return dp_err_set(err, DP_USAGE, "--bloom %s: the share of false hits is 0.000001 to 0.5, not \"%.*s\"", text, DP_STR_FMT(word));
    enum dp_status status = dp_pq_find_column(names, column, &c->leaf, &c->n_leaves, err);
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "--bloom %s: ", text);
}

static enum dp_status set_codec(const struct dp_lay_opts *o, struct dp_pq_writer_opts *w, struct dp_err *err) {
    static const char key[] = "delta.parquet.compression.codec";
    struct dp_str of_table = o->table ? dp_delta_property(o->table, key, "") : DP_STR("");
    char word[32];
    if (o->codec) return dp_codec_parse(dp_str_z(o->codec), &w->codec, &w->level, err);
    if (!of_table.n) return dp_codec_parse(DP_STR("zstd:3"), &w->codec, &w->level, err);
    size_t n = of_table.n < sizeof word ? of_table.n : sizeof word;
    for (size_t i = 0; i < n; i++) word[i] = (char)(of_table.p[i] >= 'A' && of_table.p[i] <= 'Z' ? of_table.p[i] | 32 : of_table.p[i]);
    enum dp_status status = dp_codec_parse(dp_str(word, n), &w->codec, &w->level, err);
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "table property %s: ", key);
}

/* Half of what is over the least memory may go into a larger row group. */
static enum dp_status set_row_groups(const struct dp_lay_opts *o, struct dp_pq_writer_opts *w, struct dp_err *err) {
    uint64_t memory = o->memory ? o->memory : UINT64_C(160) << 20, room = ROW_GROUP_BYTES + (memory > LEAST_MEMORY ? (memory - LEAST_MEMORY) / 2 : 0);
    w->row_group_rows = o->row_group_rows > 0 ? o->row_group_rows : ROW_GROUP_ROWS;
    w->row_group_bytes = o->row_group_bytes ? (int64_t)o->row_group_bytes : ROW_GROUP_BYTES;
    if (o->row_group_bytes <= room) return DP_OK;
    uint64_t need = LEAST_MEMORY + 2 * (o->row_group_bytes - ROW_GROUP_BYTES);
    return dp_err_set(err, DP_USAGE, "--row-group-size of %llu MiB: needs --memory %lluM", (unsigned long long)(o->row_group_bytes >> 20),
                      (unsigned long long)((need + (1u << 20) - 1) >> 20));
}

enum dp_status dp_lay_writer_opts(const struct dp_lay_opts *o, const struct dp_type *names, struct dp_pq_writer_opts *w, struct dp_pq_column_opts **columns,
                                  struct dp_err *err) {
    size_t n = 0;
    *columns = dp_calloc(o->n_encodings + o->n_blooms + 1, sizeof **columns);
    *w = (struct dp_pq_writer_opts){.columns = *columns, .crc = o->page_checksums, .page_v2 = o->page_version == 2};
    if (!o->page_version && o->table) {
        struct dp_str version = dp_delta_property(o->table, "delta.parquet.format.version", "");
        w->page_v2 = version.n > 1 && version.p[0] == '2' && version.p[1] == '.';
    }
    DP_TRY(set_codec(o, w, err));
    DP_TRY(set_row_groups(o, w, err));
    for (size_t i = 0; i < o->n_encodings; i++) DP_TRY(add_encoding(names, o->encodings[i], &(*columns)[n++], err));
    for (size_t i = 0; i < o->n_blooms; i++) DP_TRY(add_bloom(names, o->blooms[i], &(*columns)[n++], err));
    w->n_columns = n;
    return DP_OK;
}

/* ---- before there are rows ---- */

static enum dp_status to_nowhere(void *ctx, const void *p, size_t n, struct dp_err *err) {
    (void)ctx, (void)p, (void)n, (void)err;
    return DP_OK;
}

enum dp_status dp_lay_check(const struct dp_lay_opts *o, struct dp_err *err) {
    struct dp_type *names = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    struct dp_pq_column_opts *columns = NULL;
    struct dp_pq_writer_opts w;
    struct dp_pq_writer *writer = NULL;
    struct curve *curve = NULL;
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < o->schema->n_children - (o->order_column != NULL); i++) {
        const struct dp_type *c = o->schema->children[i];
        if (!dp_layout_is_value(o->layout, dp_str(c->name, c->name_n))) dp_type_add(names, dp_type_copy(c));
    }
    DP_TRY_OUT(dp_lay_writer_opts(o, names, &w, &columns, err));
    if (o->n_cluster) DP_TRY_OUT(curve_open(names, o->cluster, o->n_cluster, &curve, err));
    if (w.n_columns) DP_TRY_OUT(dp_pq_writer_open(names, &w, NULL, to_nowhere, NULL, &writer, err));
out:
    dp_pq_writer_close(writer);
    curve_close(curve);
    free(columns);
    dp_type_free(names);
    return status;
}
