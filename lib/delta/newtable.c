/*
 * Tables to be made: protocol and metaData of version 0 (digest sections 4 and 17).
 * What it does not do: publish them (commit.c).
 */
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/commit.h>
#include <dp/delta/feature.h>
#include <dp/delta/mapping.h>
#include <dp/delta/partition.h>
#include <dp/delta/schema.h>

static bool has_ntz(const struct dp_type *t) {
    if (t->id == DP_TYPE_TIMESTAMP && !t->utc) return true;
    for (size_t i = 0; i < t->n_children; i++)
        if (has_ntz(t->children[i])) return true;
    return false;
}

/* The lowest protocol that carries what the schema and the properties ask for. */
static enum dp_status choose_protocol(const struct dp_delta_new *n, bool mapped, struct dp_arena *arena, struct dp_delta_protocol *out, struct dp_err *err) {
    const struct dp_delta_protocol from = {.min_reader = 1, .min_writer = 2};
    const char *names[DP_DELTA_MAX_FEATURES + 2];
    bool changed;
    size_t k = dp_delta_property_features(n->configuration, arena, names);
    if (has_ntz(n->schema)) names[k++] = "timestampNtz";
    if (mapped) names[k++] = "columnMapping";
    return dp_delta_upgrade_protocol(&from, names, k, arena, out, &changed, err);
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

/* Commands to who creates a table, not properties of it. */
static bool is_command(struct dp_str key) {
    return dp_str_starts(key, DP_STR("delta.feature.")) || dp_str_eqz(key, "delta.minReaderVersion") || dp_str_eqz(key, "delta.minWriterVersion");
}

static void put(struct dp_delta_pairs *to, const char *key, struct dp_str value) {
    to->v[to->n++] = (struct dp_delta_pair){dp_str_z(key), value, false};
}

/* No column of a table is called so. */
void dp_delta_name_row_columns(struct dp_delta_pairs *to, struct dp_arena *arena) {
    static const char *const keys[][2] = {{DP_DELTA_KEY_ROW_ID, "_row-id-col-"}, {DP_DELTA_KEY_ROW_VERSION, "_row-commit-version-col-"}};
    for (size_t i = 0; i < 2; i++) {
        char id[37], name[80];
        if (dp_delta_pairs_get(to, dp_str_z(keys[i][0]))) continue;
        dp_uuid(id);
        snprintf(name, sizeof name, "%s%s", keys[i][1], id);
        put(to, keys[i][0], dp_arena_str(arena, dp_str_z(name)));
    }
}

static void configure(const struct dp_delta_pairs *given, bool mapped, int32_t max_id, struct dp_arena *arena, struct dp_delta_pairs *out) {
    char text[24];
    out->v = dp_arena_calloc(arena, given->n + 4, sizeof *out->v);
    for (size_t i = 0; i < given->n; i++)
        if (!is_command(given->v[i].key) && (!mapped || !dp_str_eqz(given->v[i].key, DP_DELTA_KEY_MODE))) out->v[out->n++] = given->v[i];
    if (dp_str_eqz(dp_delta_pairs_text(given, "delta.enableRowTracking", DP_STR("")), "true")) dp_delta_name_row_columns(out, arena);
    if (!mapped) return;
    size_t n = dp_print_i64(text, max_id);
    put(out, DP_DELTA_KEY_MODE, DP_STR("name"));
    put(out, DP_DELTA_KEY_MAX_ID, dp_arena_str(arena, dp_str(text, n)));
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
    DP_TRY(choose_protocol(n, mapped, arena, protocol, err));
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
    return dp_delta_check_feed(protocol, metadata, n->schema, err);
}
