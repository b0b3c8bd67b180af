/*
 * Tables to be made: protocol and metaData of version 0 (digest sections 4 and 17).
 * What it does not do: publish them (commit.c).
 */
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/commit.h>
#include <dp/delta/mapping.h>
#include <dp/delta/partition.h>
#include <dp/delta/schema.h>

static bool has_ntz(const struct dp_type *t) {
    if (t->id == DP_TYPE_TIMESTAMP && !t->utc) return true;
    for (size_t i = 0; i < t->n_children; i++)
        if (has_ntz(t->children[i])) return true;
    return false;
}

/* A feature that is listed by name; two lists, for readers and for writers. */
static void list_feature(struct dp_delta_protocol *p, const char *name, bool readers) {
    if (readers) p->reader_features.v[p->reader_features.n++] = dp_str_z(name);
    p->writer_features.v[p->writer_features.n++] = dp_str_z(name);
}

static void choose_protocol(const struct dp_type *schema, bool mapped, struct dp_arena *arena, struct dp_delta_protocol *p) {
    memset(p, 0, sizeof *p);
    p->min_reader = mapped ? 2 : 1;
    p->min_writer = mapped ? 5 : 2;
    if (!has_ntz(schema)) return;
    p->min_reader = 3;
    p->min_writer = 7; /* which implies nothing: Spark refuses a table with a required column where `invariants` is not listed */
    p->reader_features = (struct dp_delta_strs){dp_arena_calloc(arena, 2, sizeof(struct dp_str)), 0, true};
    p->writer_features = (struct dp_delta_strs){dp_arena_calloc(arena, 4, sizeof(struct dp_str)), 0, true};
    list_feature(p, "timestampNtz", true);
    if (mapped) list_feature(p, "columnMapping", true);
    list_feature(p, "appendOnly", false);
    list_feature(p, "invariants", false);
}

static enum dp_status check_partition_columns(const struct dp_type *schema, const struct dp_delta_strs *columns, struct dp_err *err) {
    for (size_t i = 0; i < columns->n; i++) {
        const struct dp_type *t = dp_type_child(schema, columns->v[i]);
        if (!t) return dp_err_set(err, DP_SCHEMA, "partition column %.*s is not in the schema", DP_STR_FMT(columns->v[i]));
        if (dp_delta_partition_type_ok(t)) continue;
        struct dp_buf words = {0};
        dp_type_print(t, &words);
        dp_err_set(err, DP_SCHEMA, "column %s of type %s can't partition a table", t->name, dp_buf_z(&words));
        dp_buf_release(&words);
        return DP_SCHEMA;
    }
    return DP_OK;
}

/* Is the table to be mapped?  Where a name asks for it, or the property does. */
static enum dp_status choose_mapping(const struct dp_delta_new *n, struct dp_arena *arena, bool *mapped, struct dp_str *cause, struct dp_err *err) {
    const struct dp_type *field = dp_delta_mapping_cause(n->schema);
    struct dp_str mode = dp_delta_pairs_text(n->configuration, DP_DELTA_KEY_MODE, DP_STR(""));
    *cause = field ? dp_arena_str(arena, dp_str(field->name, field->name_n)) : dp_str(NULL, 0);
    *mapped = field || dp_str_eqz(mode, "name");
    if (mode.n && !dp_str_eqz(mode, "name") && !dp_str_eqz(mode, "none"))
        return dp_err_set(err, DP_UNSUPPORTED, DP_DELTA_KEY_MODE "=%.*s is not supported for a new table; name is", DP_STR_FMT(mode));
    if (field && dp_str_eqz(mode, "none"))
        return dp_err_set(err, DP_SCHEMA, "column \"%s\": the name holds one of \" ,;{}()=\", a tab or a newline, which needs " DP_DELTA_KEY_MODE "=name", field->name);
    return DP_OK;
}

static void configure(const struct dp_delta_pairs *given, bool mapped, int32_t max_id, struct dp_arena *arena, struct dp_delta_pairs *out) {
    char text[24];
    out->v = dp_arena_calloc(arena, given->n + 2, sizeof *out->v);
    for (size_t i = 0; i < given->n; i++)
        if (!mapped || !dp_str_eqz(given->v[i].key, DP_DELTA_KEY_MODE)) out->v[out->n++] = given->v[i];
    if (!mapped) return;
    size_t n = dp_print_i64(text, max_id);
    out->v[out->n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_KEY_MODE), DP_STR("name"), false};
    out->v[out->n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_KEY_MAX_ID), dp_arena_str(arena, dp_str(text, n)), false};
}

enum dp_status dp_delta_new_table(const struct dp_delta_new *n, struct dp_arena *arena, struct dp_delta_protocol *protocol,
                                  struct dp_delta_metadata *metadata, struct dp_str *cause, struct dp_err *err) {
    struct dp_buf b = {0};
    char id[37];
    bool mapped;
    if (!n->schema->n_children) return dp_err_set(err, DP_SCHEMA, "a table needs at least one column");
    if (n->partition_columns->n && n->partition_columns->n >= n->schema->n_children)
        return dp_err_set(err, DP_SCHEMA, "a table needs at least one column that is not a partition column");
    DP_TRY(choose_mapping(n, arena, &mapped, cause, err));
    DP_TRY(check_partition_columns(n->schema, n->partition_columns, err));
    choose_protocol(n->schema, mapped, arena, protocol);
    struct dp_type *schema = dp_type_copy(n->schema);
    int32_t max_id = mapped ? dp_delta_mapping_assign(schema, n->names_are_physical) : 0;
    dp_delta_schema_print(schema, &b);
    dp_type_free(schema);
    dp_uuid(id);
    memset(metadata, 0, sizeof *metadata);
    metadata->id = dp_arena_str(arena, dp_str_z(id));
    if (n->name) metadata->name = dp_arena_str(arena, dp_str_z(n->name));
    metadata->provider = DP_STR("parquet");
    metadata->schema_string = dp_arena_str(arena, dp_buf_str(&b));
    metadata->partition_columns = *n->partition_columns;
    metadata->partition_columns.is_set = true;
    metadata->created_time = n->now_ms;
    configure(n->configuration, mapped, max_id, arena, &metadata->configuration);
    dp_buf_release(&b);
    return DP_OK;
}
