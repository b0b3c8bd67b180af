/*
 * Tables from contracts (dp/io/create.h; dp-table(1), create).  The contract itself becomes the property dp.contract and the
 * keys of the layout dp.layout, which later programs read.
 * What it does not do: switch on table features that would put duties on writers, but column mapping.
 */
#include <dp/base/file.h>
#include <dp/delta/mapping.h>
#include <dp/io/create.h>
#include <dp/io/datasets.h>
#include <dp/rules/contract.h>
#include <dp/rules/layout.h>

#include <stdlib.h>

struct create {
    const struct dp_create_opts *o;
    struct dp_arena arena;
    struct dp_contract contract;
    const struct dp_contract_object *object;
    struct dp_type *schema;
    struct dp_delta_strs by;
    struct dp_layout layout; /* the keys of by */
    struct dp_delta_pairs configuration;
};

void dp_create_warn(struct dp_run *run, const char *table, struct dp_str cause) {
    struct dp_buf name = {0};
    if (!cause.p) return;
    dp_json_add_string(&name, cause);
    dp_run_log(run, DP_LOG_WARN, "%s: column %s has a name that needs column mapping: readers without it (polars) can't read the table", table, dp_buf_z(&name));
    dp_buf_release(&name);
}

/* A key that is made by a function is a column of its own. */
static enum dp_status choose_partitions(struct create *c, struct dp_err *err) {
    size_t index[64], n = c->o->n_by ? 0 : dp_contract_partitions(c->object, index, 64);
    if (n > 64) return dp_err_set(err, DP_LIMIT, "more than 64 partition columns");
    for (size_t i = 0; i < n; i++) DP_TRY(dp_layout_add_column(&c->layout, dp_str_z(c->object->properties[index[i]].name), err));
    for (size_t i = 0; i < c->o->n_by; i++) DP_TRY(dp_layout_add(&c->layout, dp_str_z(c->o->by[i]), err));
    DP_TRY(dp_layout_bind(&c->layout, c->schema, err));
    c->by = (struct dp_delta_strs){dp_arena_calloc(&c->arena, c->layout.n + 1, sizeof(struct dp_str)), 0, true};
    for (size_t i = 0; i < c->layout.n; i++) {
        struct dp_str name = dp_str_z(c->layout.keys[i].name);
        if (!dp_type_child(c->schema, name)) dp_type_add(c->schema, dp_type_copy(c->layout.schema->children[i]));
        c->by.v[c->by.n++] = dp_arena_str(&c->arena, name);
    }
    return DP_OK;
}

static void put_property(struct create *c, struct dp_str key, struct dp_str value) {
    c->configuration.v[c->configuration.n++] = (struct dp_delta_pair){dp_arena_str(&c->arena, key), dp_arena_str(&c->arena, value), false};
}

/* What a protocol feature that dp does not write would have to stand behind is not dp's to switch on. */
static enum dp_status check_property(struct dp_str key, struct dp_err *err) {
    static const char *const free_keys[] = {"delta.checkpointInterval", "delta.logRetentionDuration", "delta.deletedFileRetentionDuration", "delta.appendOnly",
                                            "delta.dataSkippingNumIndexedCols", "delta.dataSkippingStatsColumns", "delta.dataSkippingStringPrefixLength",
                                            "delta.setTransactionRetentionDuration", "delta.checkpoint.writeStatsAsJson", "delta.parquet.compression.codec",
                                            "delta.parquet.format.version", DP_DELTA_KEY_MODE, "delta.enableChangeDataFeed", "delta.enableDeletionVectors", "delta.enableTypeWidening",
                                            "delta.enableRowTracking", "delta.enableInCommitTimestamps", "delta.checkpointPolicy", "delta.checkpoint.writeStatsAsStruct",
                                            "delta.enableExpiredLogCleanup", "delta.isolationLevel", NULL};
    if (dp_str_eqz(key, DP_LAYOUT_PROPERTY)) return dp_err_set(err, DP_USAGE, "--property " DP_LAYOUT_PROPERTY ": it is made from --by");
    if (!dp_str_starts(key, DP_STR("delta.")) || dp_str_starts(key, DP_STR("delta.feature."))) return DP_OK;
    for (size_t i = 0; free_keys[i]; i++)
        if (dp_str_eqz(key, free_keys[i])) return DP_OK;
    return dp_err_set(err, DP_UNSUPPORTED, "property %.*s is not supported for a new table", DP_STR_FMT(key));
}

/* Spark stops at a switch that is neither. */
static enum dp_status check_switch(struct dp_str key, struct dp_str value, struct dp_err *err) {
    static const char *const more[] = {"delta.appendOnly", "delta.checkpoint.writeStatsAsJson", "delta.checkpoint.writeStatsAsStruct", NULL};
    bool is_switch = dp_str_starts(key, DP_STR("delta.enable"));
    for (size_t i = 0; more[i] && !is_switch; i++) is_switch = dp_str_eqz(key, more[i]);
    if (!is_switch || dp_str_eqz(value, "true") || dp_str_eqz(value, "false")) return DP_OK;
    return dp_err_set(err, DP_USAGE, "--property %.*s=%.*s: true or false is wanted", DP_STR_FMT(key), DP_STR_FMT(value));
}

/* FILE#OBJECT, unless a file has that whole name. */
static enum dp_status read_contract_text(const char *name, struct dp_buf *text, struct dp_err *err) {
    struct dp_err first = DP_ERR_INIT;
    const char *hash = strrchr(name, '#');
    enum dp_status status = dp_file_read(name, 1u << 20, text, &first);
    if (status == DP_OK) return DP_OK;
    if (!hash) {
        *err = first;
        return status;
    }
    char *file = dp_strndup(name, (size_t)(hash - name));
    dp_buf_reset(text);
    status = dp_file_read(file, 1u << 20, text, err);
    free(file);
    return status;
}

/* Those given, the contract, and the keys of the layout. */
static enum dp_status choose_properties(struct create *c, struct dp_err *err) {
    struct dp_buf text = {0};
    c->configuration.v = dp_arena_calloc(&c->arena, c->o->n_property + 3, sizeof *c->configuration.v);
    for (size_t i = 0; i < c->o->n_property; i++) {
        const char *p = c->o->property[i], *eq = strchr(p, '=');
        if (!eq || eq == p) return dp_err_set(err, DP_USAGE, "--property %s: KEY=VALUE is wanted", p);
        struct dp_str key = dp_str(p, (size_t)(eq - p));
        DP_TRY(check_property(key, err));
        DP_TRY(check_switch(key, dp_str_z(eq + 1), err));
        if (dp_delta_pairs_get(&c->configuration, key)) return dp_err_set(err, DP_USAGE, "--property %.*s is given twice", DP_STR_FMT(key));
        put_property(c, key, dp_str_z(eq + 1));
    }
    enum dp_status status = read_contract_text(c->o->contract, &text, err);
    if (status == DP_OK) put_property(c, DP_STR("dp.contract"), dp_buf_str(&text));
    if (status == DP_OK && c->contract.n_objects > 1 && c->object->name) put_property(c, DP_STR("dp.contract.object"), dp_str_z(c->object->name));
    dp_buf_reset(&text);
    dp_layout_print(&c->layout, &text);
    if (status == DP_OK && c->layout.n) put_property(c, DP_STR(DP_LAYOUT_PROPERTY), dp_buf_str(&text));
    dp_buf_release(&text);
    return status;
}

/* A table may have no layout (others made it): then none contradicts. */
static enum dp_status compare_layout(const struct create *c, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct dp_str theirs = dp_delta_property(s, DP_LAYOUT_PROPERTY, "");
    struct dp_buf ours = {0};
    enum dp_status status = DP_OK;
    dp_layout_print(&c->layout, &ours);
    if (c->layout.n && theirs.n && !dp_str_eq(dp_buf_str(&ours), theirs))
        status = dp_err_set(err, DP_SCHEMA, "%s exists already, with another layout: %.*s, not %s", c->o->table, DP_STR_FMT(theirs), dp_buf_z(&ours));
    dp_buf_release(&ours);
    return status;
}

/* A table that is there keeps its properties: who asked for others is told. */
static void warn_of_properties(const struct create *c, struct dp_run *run, const struct dp_delta_snapshot *s) {
    for (size_t i = 0; i < c->o->n_property; i++) {
        struct dp_str key = c->configuration.v[i].key, theirs = dp_delta_property(s, c->configuration.v[i].key.p, "");
        if (dp_str_starts(key, DP_STR("delta.feature.")) || dp_str_eq(theirs, c->configuration.v[i].value)) continue;
        dp_run_log(run, DP_LOG_WARN, "%s: exists already, and its property %.*s stays %s%.*s%s", c->o->table, DP_STR_FMT(key), theirs.n ? "\"" : "unset", DP_STR_FMT(theirs),
                   theirs.n ? "\"" : "");
    }
}

/* The same table again is no error: a script that begins with create can run twice.  Names and types count, not how they are mapped. */
static enum dp_status compare_existing(struct create *c, struct dp_run *run, struct dp_created *out, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    struct dp_buf theirs = {0}, ours = {0};
    enum dp_status status = DP_OK;
    DP_TRY(dp_delta_open(c->o->table, -1, &s, err));
    struct dp_type *bare = dp_type_copy(s->schema);
    dp_delta_mapping_strip(bare);
    dp_delta_schema_print(bare, &theirs);
    dp_delta_schema_print(c->schema, &ours);
    bool same = dp_str_eq(dp_buf_str(&theirs), dp_buf_str(&ours)) && s->metadata.partition_columns.n == c->by.n;
    for (size_t i = 0; same && i < c->by.n; i++) same = dp_str_eq(c->by.v[i], s->metadata.partition_columns.v[i]);
    out->existed = true;
    out->version = s->version;
    if (!same)
        status = dp_err_set(err, DP_SCHEMA, "%s exists already, with another schema or other partition columns (version %lld)", c->o->table, (long long)s->version);
    else status = compare_layout(c, s, err);
    if (status == DP_OK) warn_of_properties(c, run, s);
    dp_type_free(bare);
    dp_buf_release(&theirs);
    dp_buf_release(&ours);
    dp_delta_close(s);
    return status;
}

static void print_parameters(const struct create *c, struct dp_buf *out) {
    struct dp_buf by = {0};
    dp_buf_addc(&by, '[');
    for (size_t i = 0; i < c->by.n; i++) {
        if (i) dp_buf_addc(&by, ',');
        dp_json_add_string(&by, c->by.v[i]);
    }
    dp_buf_addc(&by, ']');
    dp_buf_addz(out, "{\"isManaged\":\"false\",\"partitionBy\":");
    dp_json_add_string(out, dp_buf_str(&by));
    dp_buf_addc(out, '}');
    dp_buf_release(&by);
}

static enum dp_status create_new(struct create *c, struct dp_run *run, struct dp_created *out, struct dp_err *err) {
    struct dp_delta_protocol protocol;
    struct dp_delta_metadata metadata;
    struct dp_buf parameters = {0};
    struct dp_str cause;
    const char *name = c->o->name ? c->o->name : c->object->physical_name ? c->object->physical_name : c->object->name;
    struct dp_delta_new wanted = {.schema = c->schema, .partition_columns = &c->by, .configuration = &c->configuration, .name = name,
                                  .now_ms = run->now_micros / 1000};
    DP_TRY(dp_delta_new_table(&wanted, &c->arena, &protocol, &metadata, &cause, err));
    dp_create_warn(run, c->o->table, cause);
    print_parameters(c, &parameters);
    struct dp_delta_change change = {.protocol = &protocol, .metadata = &metadata, .operation = "CREATE TABLE", .parameters = dp_buf_z(&parameters),
                                     .rows = -1, .now_ms = wanted.now_ms};
    enum dp_status status = run->dry_run ? DP_OK : dp_delta_publish(c->o->table, NULL, &change, &out->version, err);
    struct dp_dataset *d = status == DP_OK && !run->dry_run ? dp_dataset_output(run, c->o->table) : NULL;
    dp_dataset_schema(d, c->schema);
    dp_dataset_storage(d, "delta", "parquet");
    dp_dataset_version(d, out->version);
    dp_dataset_lifecycle(d, DP_OL_CREATE);
    dp_buf_release(&parameters);
    return status;
}

enum dp_status dp_create_table(struct dp_run *run, const struct dp_create_opts *o, struct dp_created *out, struct dp_err *err) {
    struct create c = {.o = o};
    struct dp_type *declared = NULL;
    *out = (struct dp_created){0};
    enum dp_status status = dp_contract_load(o->contract, &c.contract, &c.object, err);
    if (status == DP_OK) status = dp_contract_schema(&c.contract, c.object, &declared, err);
    if (status == DP_OK) status = dp_delta_schema_fit(declared, &c.schema, err);
    if (status == DP_OK) status = choose_partitions(&c, err);
    if (status == DP_OK) status = choose_properties(&c, err);
    if (status == DP_OK) {
        out->columns = c.schema->n_children;
        out->partition_columns = c.by.n;
        status = dp_delta_is_table(o->table) ? compare_existing(&c, run, out, err) : create_new(&c, run, out, err);
    }
    dp_type_free(declared);
    dp_type_free(c.schema);
    dp_layout_release(&c.layout);
    dp_contract_release(&c.contract);
    dp_arena_release(&c.arena);
    return status;
}
