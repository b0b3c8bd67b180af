/*
 * dp-table: the Delta table itself.
 *
 * create makes an empty table from a contract; commit reads the paths of finished Parquet files and publishes them as one version, whole or not at all;
 * files prints the paths of a version's data files, leaving out those that partition values and statistics exclude; log prints the history;
 * checkpoint writes the state of the latest version as one file.
 *
 * commit publishes only a stream that is whole (begin first, end last, counts and hash agree); the positions that came with it go into the same
 * log entry, so that a batch is never in the table twice.
 *
 *     dp-ingest --since t *.csv | dp-partition -o t | dp-table commit t
 */
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/cli/cli.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/land.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/rules/contract.h>
#include <dp/rules/layout.h>

#include <stdio.h>
#include <stdlib.h>

static enum dp_status say(struct dp_cli *cli, struct dp_err *err, const char *fmt, ...) DP_PRINTF(3, 4);
static enum dp_status say(struct dp_cli *cli, struct dp_err *err, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    if (cli->common.json) return DP_OK;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0) return DP_OK;
    return dp_out_write(cli->run.out, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1, err);
}

/* ---- create ---- */

struct create_conf {
    const char *name;
    struct dp_opt_list by, property;
};

static const struct dp_opt create_options[] = {
    DP_OPT_LIST(create_conf, by, "by", 0, "KEY", "partition by COLUMN or NAME=FUNCTION(COLUMN), as dp-partition does"),
    DP_OPT_STRING(create_conf, name, "name", 0, "NAME", "the table's name (default: the contract's object)"),
    DP_OPT_LIST(create_conf, property, "property", 0, "KEY=VALUE", "a table property, such as delta.checkpointInterval=50"),
    DP_OPT_END};

struct create {
    struct dp_cli *cli;
    const struct create_conf *conf;
    struct dp_arena arena;
    struct dp_contract contract;
    const struct dp_contract_object *object;
    struct dp_type *schema;
    struct dp_delta_strs by;
    struct dp_delta_pairs configuration;
};

/* A key of --by that is made by a function is a column of its own. */
static enum dp_status choose_keys(struct create *c, struct dp_err *err)
{
    struct dp_layout layout = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < c->conf->by.n && status == DP_OK; i++) status = dp_layout_add(&layout, dp_str_z(c->conf->by.v[i]), err);
    if (status == DP_OK) status = dp_layout_bind(&layout, c->schema, err);
    for (size_t i = 0; status == DP_OK && i < layout.n; i++) {
        struct dp_str name = dp_str_z(layout.keys[i].name);
        if (!dp_type_child(c->schema, name)) dp_type_add(c->schema, dp_type_copy(layout.schema->children[i]));
        c->by.v[c->by.n++] = dp_arena_str(&c->arena, name);
    }
    dp_layout_release(&layout);
    return status;
}

static enum dp_status choose_partitions(struct create *c, struct dp_err *err)
{
    size_t index[64], n = c->conf->by.n ? 0 : dp_contract_partitions(c->object, index, 64);
    if (n > 64) return dp_err_set(err, DP_LIMIT, "more than 64 partition columns");
    c->by = (struct dp_delta_strs){dp_arena_calloc(&c->arena, c->conf->by.n + n + 1, sizeof(struct dp_str)), 0, true};
    for (size_t i = 0; i < n; i++) c->by.v[c->by.n++] = dp_str_z(c->object->properties[index[i]].name);
    return choose_keys(c, err);
}

static void put_property(struct create *c, struct dp_str key, struct dp_str value)
{
    c->configuration.v[c->configuration.n++] = (struct dp_delta_pair){dp_arena_str(&c->arena, key), dp_arena_str(&c->arena, value), false};
}

/* What a protocol feature would have to stand behind is not dp's to switch on. */
static enum dp_status check_property(struct dp_str key, struct dp_err *err)
{
    static const char *const free_keys[] = {"delta.checkpointInterval", "delta.logRetentionDuration", "delta.deletedFileRetentionDuration", "delta.appendOnly",
                                            "delta.dataSkippingNumIndexedCols", "delta.dataSkippingStatsColumns", "delta.dataSkippingStringPrefixLength",
                                            "delta.setTransactionRetentionDuration", "delta.checkpoint.writeStatsAsJson", NULL};
    if (!dp_str_starts(key, DP_STR("delta."))) return DP_OK;
    for (size_t i = 0; free_keys[i]; i++)
        if (dp_str_eqz(key, free_keys[i])) return DP_OK;
    return dp_err_set(err, DP_UNSUPPORTED, "property %.*s is not supported for a new table", DP_STR_FMT(key));
}

/* --property, and the contract itself, which later stages read from the table. */
static enum dp_status choose_properties(struct create *c, const char *contract_path, struct dp_err *err)
{
    struct dp_buf text = {0};
    c->configuration.v = dp_arena_calloc(&c->arena, c->conf->property.n + 2, sizeof *c->configuration.v);
    for (size_t i = 0; i < c->conf->property.n; i++) {
        const char *p = c->conf->property.v[i], *eq = strchr(p, '=');
        if (!eq || eq == p) return dp_err_set(err, DP_USAGE, "--property %s: KEY=VALUE is wanted", p);
        struct dp_str key = dp_str(p, (size_t)(eq - p));
        DP_TRY(check_property(key, err));
        if (dp_delta_pairs_get(&c->configuration, key)) return dp_err_set(err, DP_USAGE, "--property %.*s is given twice", DP_STR_FMT(key));
        put_property(c, key, dp_str_z(eq + 1));
    }
    /* FILE#OBJECT, unless a file has that whole name. */
    struct dp_err ignored = DP_ERR_INIT;
    enum dp_status status = dp_file_read(contract_path, 1u << 20, &text, &ignored);
    const char *hash = strrchr(contract_path, '#');
    if (status != DP_OK && hash) {
        char *file = dp_strndup(contract_path, (size_t)(hash - contract_path));
        dp_buf_reset(&text);
        status = dp_file_read(file, 1u << 20, &text, err);
        free(file);
    } else if (status != DP_OK) {
        *err = ignored;
    }
    if (status == DP_OK) put_property(c, DP_STR("dp.contract"), dp_buf_str(&text));
    if (status == DP_OK && c->contract.n_objects > 1 && c->object->name) put_property(c, DP_STR("dp.contract.object"), dp_str_z(c->object->name));
    dp_buf_release(&text);
    return status;
}

/* The same table again is no error: a script that begins with create can run twice. */
static enum dp_status compare_existing(struct create *c, const char *table, struct dp_err *err)
{
    struct dp_delta_snapshot *s = NULL;
    struct dp_buf theirs = {0}, ours = {0};
    DP_TRY(dp_delta_open(table, -1, &s, err));
    dp_delta_schema_print(s->schema, &theirs);
    dp_delta_schema_print(c->schema, &ours);
    bool same = dp_str_eq(dp_buf_str(&theirs), dp_buf_str(&ours)) && s->metadata.partition_columns.n == c->by.n;
    for (size_t i = 0; same && i < c->by.n; i++) same = dp_str_eq(c->by.v[i], s->metadata.partition_columns.v[i]);
    enum dp_status status;
    dp_cli_report_i64(c->cli, "version", s->version);
    dp_cli_report_str(c->cli, "result", DP_STR("exists already"));
    if (same) status = say(c->cli, err, "%s: exists already, with this schema, at version %lld\n", table, (long long)s->version);
    else status = dp_err_set(err, DP_SCHEMA, "%s exists already, with another schema or other partition columns (version %lld)", table, (long long)s->version);
    dp_buf_release(&theirs);
    dp_buf_release(&ours);
    dp_delta_close(s);
    return status;
}

static void print_create_parameters(const struct create *c, struct dp_buf *out)
{
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

static enum dp_status create_new(struct create *c, const char *table, struct dp_err *err)
{
    struct dp_delta_protocol protocol;
    struct dp_delta_metadata metadata;
    struct dp_buf parameters = {0};
    int64_t version = 0, now_ms = c->cli->run.now_micros / 1000;
    const char *name = c->conf->name ? c->conf->name : c->object->physical_name ? c->object->physical_name : c->object->name;
    DP_TRY(dp_delta_new_table(c->schema, &c->by, &c->configuration, name, now_ms, &c->arena, &protocol, &metadata, err));
    print_create_parameters(c, &parameters);
    struct dp_delta_change change = {.protocol = &protocol, .metadata = &metadata, .operation = "CREATE TABLE", .parameters = dp_buf_z(&parameters),
                                     .rows = -1, .now_ms = now_ms};
    enum dp_status status = c->cli->run.dry_run ? DP_OK : dp_delta_publish(table, NULL, &change, &version, err);
    dp_buf_release(&parameters);
    if (status != DP_OK) return status;
    dp_cli_report_i64(c->cli, "version", version);
    dp_cli_report_str(c->cli, "result", DP_STR("created"));
    return say(c->cli, err, "%s: %s, %zu columns, %zu of them partition columns\n", table, c->cli->run.dry_run ? "would be created" : "created",
               c->schema->n_children, c->by.n);
}

static enum dp_status run_create(struct dp_cli *cli, struct dp_err *err)
{
    struct create c = {.cli = cli, .conf = cli->conf};
    struct dp_type *declared = NULL;
    const char *table = cli->args[0];
    if (!cli->common.contract) return dp_err_set(err, DP_USAGE, "--contract is needed: it says which columns the table has");
    enum dp_status status = dp_contract_load(cli->common.contract, &c.contract, &c.object, err);
    if (status == DP_OK) status = dp_contract_schema(&c.contract, c.object, &declared, err);
    if (status == DP_OK) status = dp_delta_schema_fit(declared, &c.schema, err);
    if (status == DP_OK) status = choose_partitions(&c, err);
    if (status == DP_OK) status = choose_properties(&c, cli->common.contract, err);
    if (status == DP_OK) status = dp_delta_is_table(table) ? compare_existing(&c, table, err) : create_new(&c, table, err);
    dp_type_free(declared);
    dp_type_free(c.schema);
    dp_contract_release(&c.contract);
    dp_arena_release(&c.arena);
    return status;
}

/* ---- commit ---- */

static const char *const mode_names[] = {"append", "overwrite", "replace", NULL};
static const char *const older_names[] = {"fail", "skip", NULL};

struct commit_conf {
    int mode, txn_older;
    const char *txn;
    bool eof_commits;
};

static const struct dp_opt commit_options[] = {
    DP_OPT_ENUM(commit_conf, mode, "mode", 0, "MODE", "append; overwrite: the new files replace all; replace: they replace the partitions that they touch", mode_names),
    DP_OPT_STRING(commit_conf, txn, "txn", 0, "APP:VERSION", "name of the batch: the same again is done already"),
    DP_OPT_ENUM(commit_conf, txn_older, "txn-older", 0, "WHAT", "what to do with a batch older than the table's", older_names),
    DP_OPT_FLAG(commit_conf, eof_commits, "eof-commits", 0, "take the end of input for the end of a stream without marks"),
    DP_OPT_END};

/* One commit in the making. */
struct commit {
    struct dp_cli *cli;
    const struct commit_conf *conf;
    const char *table;
    int64_t now_ms;
    char **paths;
    size_t n_paths, cap_paths;
    struct dp_delta_txn *txns;
    size_t n_txns, cap_txns;
    struct dp_arena arena;
    char *job, *run, *end_hash;
    int64_t seen_version;
    struct dp_delta_snapshot *snapshot; /* NULL: the table does not exist */
    struct dp_delta_landing *landing;
};

static enum dp_status on_begin(void *ctx, struct dp_mark *begin, struct dp_err *err)
{
    struct commit *c = ctx;
    (void)err;
    free(c->job), free(c->run);
    c->job = begin->job ? dp_strdup(begin->job) : NULL;
    c->run = begin->run ? dp_strdup(begin->run) : NULL;
    c->seen_version = begin->table_version;
    return DP_OK;
}

static enum dp_status on_path(void *ctx, struct dp_str path, struct dp_err *err)
{
    struct commit *c = ctx;
    (void)err;
    c->paths = dp_grow(c->paths, &c->cap_paths, c->n_paths + 1, sizeof *c->paths);
    c->paths[c->n_paths++] = dp_strndup(path.p, path.n);
    return DP_OK;
}

static void put_txn(struct commit *c, struct dp_str app_id, int64_t version)
{
    for (size_t i = 0; i < c->n_txns; i++)
        if (dp_str_eq(c->txns[i].app_id, app_id)) {
            c->txns[i].version = version;
            return;
        }
    c->txns = dp_grow(c->txns, &c->cap_txns, c->n_txns + 1, sizeof *c->txns);
    c->txns[c->n_txns++] = (struct dp_delta_txn){dp_arena_str(&c->arena, app_id), version, c->now_ms};
}

/* The latest position of each source and partition. */
static enum dp_status on_mark(void *ctx, const struct dp_mark *m, bool *pass, struct dp_err *err)
{
    struct commit *c = ctx;
    struct dp_buf app = {0};
    int64_t version;
    *pass = false;
    if (m->kind != DP_MARK_CHECKPOINT || !m->source || !m->position) return DP_OK;
    if (!dp_parse_i64(dp_str_z(m->position), &version) || version < 0)
        return dp_err_set(err, DP_FORMAT, "checkpoint of source %s: position \"%.40s\" is not an offset", m->source, m->position);
    dp_delta_app_id(c->job ? c->job : c->cli->run.job, m->source, m->partition, &app);
    put_txn(c, dp_buf_str(&app), version);
    dp_buf_release(&app);
    return DP_OK;
}

static enum dp_status on_finish(void *ctx, struct dp_err *err)
{
    struct commit *c = ctx;
    const struct dp_mark *end = dp_stream_end(dp_stream_of(&c->cli->run));
    (void)err;
    if (end && end->hash) c->end_hash = dp_strdup(end->hash);
    return DP_OK;
}

/* --txn APP:VERSION; else, where nothing else names the batch and dp-run or Airflow gave the run an id that its retries share, that id and the hash of the stream. */
static enum dp_status name_batch(struct commit *c, struct dp_err *err)
{
    const char *txn = c->conf->txn, *colon = txn ? strrchr(txn, ':') : NULL;
    int64_t version;
    if (txn) {
        if (!colon || colon == txn || !dp_parse_i64(dp_str_z(colon + 1), &version) || version < 0)
            return dp_err_set(err, DP_USAGE, "--txn %s: APP:VERSION is wanted, VERSION a whole number", txn);
        put_txn(c, dp_str(txn, (size_t)(colon - txn)), version);
        return DP_OK;
    }
    bool lasting = getenv("DP_RUN_ID") || getenv("AIRFLOW_CTX_DAG_RUN_ID");
    if (c->n_txns || !lasting || !c->end_hash || !c->n_paths) return DP_OK;
    struct dp_buf app = {0};
    dp_buf_addf(&app, "run/%s/%s", c->run ? c->run : c->cli->run.run_id, c->end_hash);
    put_txn(c, dp_buf_str(&app), 0);
    dp_buf_release(&app);
    return DP_OK;
}

static enum dp_status say_done(struct commit *c, int64_t version, struct dp_err *err)
{
    dp_cli_report_str(c->cli, "result", DP_STR("already committed"));
    dp_cli_report_i64(c->cli, "version", version);
    DP_TRY(say(c->cli, err, "%s: already committed as version %lld\n", c->table, (long long)version));
    return DP_OK;
}

/* *go: the batch is new. */
static enum dp_status judge(struct commit *c, bool *go, struct dp_err *err)
{
    enum dp_delta_batch verdict;
    size_t which = 0;
    int64_t have = 0, version;
    *go = true;
    if (!c->snapshot || !c->n_txns) return DP_OK;
    DP_TRY(dp_delta_judge(c->snapshot, c->txns, c->n_txns, c->seen_version, c->now_ms, &verdict, &which, &have, err));
    if (verdict == DP_DELTA_BATCH_NEW) return DP_OK;
    *go = false;
    if (verdict == DP_DELTA_BATCH_DONE) {
        if (!c->n_paths && !c->conf->txn) return dp_err_set(err, DP_EMPTY, "nothing new");
        DP_TRY(dp_delta_txn_commit(c->table, c->txns[0].app_id, c->txns[0].version, c->snapshot->version, &version, err));
        return say_done(c, version, err);
    }
    if (c->conf->txn_older == 1) {
        dp_cli_report_str(c->cli, "result", DP_STR("older, skipped"));
        return say(c->cli, err, "%s: batch %.*s:%lld is older than the table's %lld: skipped\n", c->table, DP_STR_FMT(c->txns[which].app_id),
                   (long long)c->txns[which].version, (long long)have);
    }
    return dp_err_set(err, DP_RULE, "%s: batch %.*s:%lld is older than the table's %lld (--txn-older skip passes it over)", c->table,
                      DP_STR_FMT(c->txns[which].app_id), (long long)c->txns[which].version, (long long)have);
}

/* A table that is not there yet is made of what the files say of themselves. */
static enum dp_status describe_new(struct commit *c, struct dp_delta_change *change, struct dp_delta_protocol *protocol,
                                   struct dp_delta_metadata *metadata, struct dp_err *err)
{
    struct dp_delta_pairs none = {0};
    if (c->snapshot) return DP_OK;
    if (!dp_delta_landing_schema(c->landing)) return dp_err_set(err, DP_IO, "%s is not a table, and there are no files to make one of", c->table);
    DP_TRY(dp_delta_new_table(dp_delta_landing_schema(c->landing), dp_delta_landing_partition_columns(c->landing), &none, NULL, c->now_ms, &c->arena,
                              protocol, metadata, err));
    change->protocol = protocol;
    change->metadata = metadata;
    return DP_OK;
}

static void print_parameters(const struct commit *c, struct dp_buf *out)
{
    static const char *const modes[] = {"Append", "Overwrite", "Overwrite"};
    const struct dp_delta_strs *by = dp_delta_landing_partition_columns(c->landing);
    struct dp_buf list = {0};
    dp_buf_addc(&list, '[');
    for (size_t i = 0; i < by->n; i++) {
        if (i) dp_buf_addc(&list, ',');
        dp_json_add_string(&list, by->v[i]);
    }
    dp_buf_addc(&list, ']');
    dp_buf_addf(out, "{\"mode\":\"%s\",\"partitionBy\":", modes[c->conf->mode]);
    dp_json_add_string(out, dp_buf_str(&list));
    if (c->conf->mode == DP_DELTA_REPLACE) dp_buf_addz(out, ",\"partitionOverwriteMode\":\"dynamic\"");
    dp_buf_addc(out, '}');
    dp_buf_release(&list);
}

static void print_extra(const struct commit *c, struct dp_buf *out)
{
    dp_buf_addz(out, ",\"job\":{\"jobName\":");
    dp_json_add_string(out, dp_str_z(c->job ? c->job : c->cli->run.job));
    dp_buf_addz(out, ",\"runId\":");
    dp_json_add_string(out, dp_str_z(c->run ? c->run : c->cli->run.run_id));
    dp_buf_addc(out, '}');
}

/* The commit is published already: a checkpoint that fails is told, and the next one that is due makes up for it. */
static void after_commit(struct commit *c, int64_t version)
{
    struct dp_err err = DP_ERR_INIT;
    struct dp_delta_snapshot *s = NULL;
    dp_delta_landing_tidy(c->landing);
    dp_delta_staging_sweep(c->table, c->now_ms / 1000, 86400);
    if (!c->snapshot || version == 0) return;
    int64_t saved = c->snapshot->version;
    c->snapshot->version = version;
    bool due = dp_delta_checkpoint_due(c->snapshot);
    c->snapshot->version = saved;
    if (!due) return;
    if (dp_delta_open(c->table, version, &s, &err) != DP_OK || dp_delta_checkpoint_write(s, c->now_ms, &err) != DP_OK)
        dp_run_log(&c->cli->run, DP_LOG_WARN, "no checkpoint at version %lld: %s", (long long)version, err.msg);
    dp_delta_close(s);
}

static enum dp_status publish(struct commit *c, struct dp_err *err)
{
    struct dp_delta_protocol protocol;
    struct dp_delta_metadata metadata;
    struct dp_delta_change change = {.mode = (enum dp_delta_mode)c->conf->mode, .operation = "WRITE", .txns = c->txns, .n_txns = c->n_txns,
                                     .rows = dp_delta_landing_rows(c->landing), .now_ms = c->now_ms};
    struct dp_buf parameters = {0}, extra = {0};
    int64_t version = -1;
    print_parameters(c, &parameters);
    print_extra(c, &extra);
    change.parameters = dp_buf_z(&parameters);
    change.extra = dp_buf_z(&extra);
    enum dp_status status = describe_new(c, &change, &protocol, &metadata, err);
    if (status == DP_OK) status = dp_delta_landing_place(c->landing, &change.adds, &change.n_adds, err);
    if (status == DP_OK) status = dp_delta_publish(c->table, c->snapshot, &change, &version, err);
    if (status == DP_OK) {
        after_commit(c, version);
        dp_cli_report_str(c->cli, "result", DP_STR("committed"));
        dp_cli_report_i64(c->cli, "version", version);
        dp_cli_report_u64(c->cli, "files", change.n_adds);
        dp_cli_report_i64(c->cli, "rows", change.rows);
        status = say(c->cli, err, "%s: version %lld, %zu files, %lld rows\n", c->table, (long long)version, change.n_adds, (long long)change.rows);
    }
    dp_buf_release(&parameters);
    dp_buf_release(&extra);
    return status;
}

static enum dp_status check_files(struct commit *c, struct dp_err *err)
{
    struct dp_delta_intent intent = {.removes = c->conf->mode != 0, .writes = c->n_paths > 0};
    if (c->snapshot)
        DP_TRY(dp_delta_check_write(&c->snapshot->protocol, &c->snapshot->metadata, c->snapshot->schema, &intent, err));
    c->landing = dp_delta_landing_open(c->table, c->snapshot);
    for (size_t i = 0; i < c->n_paths; i++) {
        if (dp_run_stopped(&c->cli->run, err)) return DP_SIGNALLED;
        DP_TRY(dp_delta_landing_add(c->landing, c->paths[i], err));
    }
    if (dp_delta_landing_known(c->landing) && dp_delta_landing_count(c->landing))
        return dp_err_set(err, DP_RULE, "%s: %zu of %zu files are in the table already", c->table, dp_delta_landing_known(c->landing), c->n_paths);
    return DP_OK;
}

static enum dp_status commit_once(struct commit *c, struct dp_err *err)
{
    bool go;
    if (dp_delta_is_table(c->table)) DP_TRY(dp_delta_open(c->table, -1, &c->snapshot, err));
    DP_TRY(judge(c, &go, err));
    if (!go) return DP_OK;
    DP_TRY(check_files(c, err));
    if (dp_delta_landing_known(c->landing)) return say_done(c, c->snapshot->version, err);
    if (!dp_delta_landing_count(c->landing) && !c->n_txns && c->conf->mode != DP_DELTA_OVERWRITE) return dp_err_set(err, DP_EMPTY, "no files came");
    if (c->cli->run.dry_run)
        return say(c->cli, err, "%s: would commit %zu files, %lld rows\n", c->table, dp_delta_landing_count(c->landing), (long long)dp_delta_landing_rows(c->landing));
    return publish(c, err);
}

static void forget_attempt(struct commit *c)
{
    dp_delta_landing_close(c->landing);
    dp_delta_close(c->snapshot);
    c->landing = NULL;
    c->snapshot = NULL;
}

static enum dp_status run_commit(struct dp_cli *cli, struct dp_err *err)
{
    struct commit c = {.cli = cli, .conf = cli->conf, .table = cli->args[0], .now_ms = cli->run.now_micros / 1000, .seen_version = -1};
    struct dp_stream_conf conf = {.sources = {.paths = DP_PATHS_PASS}, .sink = true, .strict = !c.conf->eof_commits};
    struct dp_stream_ops ops = {.begin = on_begin, .path = on_path, .mark = on_mark, .finish = on_finish};
    enum dp_status status = dp_stream_run(&cli->run, NULL, 0, &conf, &ops, &c, err);
    if (status == DP_OK) status = name_batch(&c, err);
    if (status == DP_OK) status = commit_once(&c, err);
    if (status == DP_END) { /* a concurrent commit carries our transaction: look again, once */
        forget_attempt(&c);
        status = commit_once(&c, err);
        if (status == DP_END) status = dp_err_set(err, DP_AGAIN, "%s: concurrent commits carry the same transactions", c.table);
    }
    forget_attempt(&c);
    for (size_t i = 0; i < c.n_paths; i++) free(c.paths[i]);
    free(c.paths), free(c.txns), free(c.job), free(c.run), free(c.end_hash);
    dp_arena_release(&c.arena);
    return status;
}

/* ---- files ---- */

struct files_conf {
    const char *as_of;
};

static const struct dp_opt files_options[] = {
    DP_OPT_STRING(files_conf, as_of, "as-of", 0, "VERSION|TIME", "the table as it was"),
    DP_OPT_END};

static enum dp_status open_as_of(const char *table, const char *as_of, struct dp_delta_snapshot **out, struct dp_err *err)
{
    int64_t version = -1;
    if (as_of) DP_TRY(dp_delta_as_of(table, dp_str_z(as_of), &version, err));
    return dp_delta_open(table, version, out, err);
}

/* Output of files: with --marks a stream of its own. */
struct listing {
    struct dp_cli *cli;
    struct dp_linehash *hash;
    uint64_t n;
};

static enum dp_status write_mark(struct dp_cli *cli, const struct dp_mark *m, struct dp_err *err)
{
    struct dp_buf b = {0};
    dp_mark_print(m, &b);
    enum dp_status status = dp_out_write(cli->run.out, b.p, b.n, err);
    dp_buf_release(&b);
    return status;
}

static enum dp_status list_begin(struct listing *l, const struct dp_delta_snapshot *s, struct dp_err *err)
{
    char *chain[1] = {dp_strdup(l->cli->run.program)};
    struct dp_mark m = {.kind = DP_MARK_BEGIN, .run = l->cli->run.run_id, .job = l->cli->run.job, .source = s->table, .chain = chain, .n_chain = 1,
                        .table_version = s->version};
    enum dp_status status = DP_OK;
    if (l->cli->run.marks) {
        l->hash = dp_linehash_open();
        status = write_mark(l->cli, &m, err);
        l->cli->run.marks_open = true;
    }
    free(chain[0]);
    return status;
}

static enum dp_status list_end(struct listing *l, struct dp_err *err)
{
    char hash[48];
    if (!l->hash) return DP_OK;
    dp_linehash_text(l->hash, hash);
    struct dp_mark m = {.kind = DP_MARK_END, .run = l->cli->run.run_id, .records = l->n, .hash = hash, .table_version = -1};
    l->cli->run.marks_closed = true;
    return write_mark(l->cli, &m, err);
}

static enum dp_status list_file(struct listing *l, const struct dp_delta_snapshot *s, const struct dp_delta_file *f, struct dp_err *err)
{
    struct dp_buf line = {0};
    enum dp_status status = DP_OK;
    if (f->dv.storage.p)
        status = dp_err_set(err, DP_UNSUPPORTED, "%s: file %.*s has a deletion vector, which a path can't carry: read the table itself", s->table, DP_STR_FMT(f->path));
    if (status == DP_OK && s->table[0] == '{') dp_buf_addz(&line, "./");
    if (status == DP_OK) status = dp_delta_path_resolve(s->table, f->path, &line, err);
    if (status == DP_OK && memchr(line.p, '\n', line.n))
        status = dp_err_set(err, DP_UNSUPPORTED, "%s: a file's name holds a newline and can't be a line", s->table);
    if (status == DP_OK) {
        dp_buf_addc(&line, '\n');
        if (l->hash) dp_linehash_add(l->hash, line.p, line.n);
        l->n++;
        l->cli->run.books.used++;
        status = dp_out_write(l->cli->run.out, line.p, line.n, err);
    }
    dp_buf_release(&line);
    return status;
}

static enum dp_status list_files(struct listing *l, const struct dp_delta_snapshot *s, const struct dp_expr *where, struct dp_err *err)
{
    const struct dp_delta_file *f;
    size_t cursor = 0;
    DP_TRY(list_begin(l, s, err));
    while ((f = dp_delta_next_file(s, &cursor)) != NULL) {
        if (dp_run_stopped(&l->cli->run, err)) return DP_SIGNALLED;
        l->cli->run.books.in++;
        if (where && dp_delta_file_skip(s, f, where) == DP_NEVER) {
            l->cli->run.books.filtered++;
            continue;
        }
        DP_TRY(list_file(l, s, f, err));
    }
    return list_end(l, err);
}

static enum dp_status run_files(struct dp_cli *cli, struct dp_err *err)
{
    const struct files_conf *conf = cli->conf;
    struct dp_delta_snapshot *s = NULL;
    struct dp_expr *where = NULL;
    struct listing l = {.cli = cli};
    enum dp_status status = cli->common.where ? dp_expr_compile(dp_str_z(cli->common.where), &where, err) : DP_OK;
    if (status == DP_OK) status = open_as_of(cli->args[0], conf->as_of, &s, err);
    if (status == DP_OK) status = list_files(&l, s, where, err);
    if (l.hash) dp_linehash_close(l.hash);
    dp_delta_close(s);
    dp_expr_free(where);
    return status;
}

/* ---- log ---- */

struct log_conf {
    int64_t limit;
};

static const struct dp_opt log_options[] = {
    DP_OPT_INT(log_conf, limit, "limit", 0, "N", "only the newest N versions", 0, INT32_MAX),
    DP_OPT_END};

static void print_entry_text(const struct dp_delta_history *h, struct dp_buf *out)
{
    char when[40];
    size_t n = dp_time_print_micros(when, h->timestamp_ms * 1000, true, 3);
    dp_buf_addf(out, "%lld\t%.*s\t", (long long)h->version, (int)n, when);
    dp_buf_adds(out, h->info.operation.p ? h->info.operation : DP_STR("-"));
    dp_buf_addf(out, "\t+%llu -%llu files\t", (unsigned long long)h->adds, (unsigned long long)h->removes);
    if (h->rows_added >= 0) dp_buf_addf(out, "%lld rows\t", (long long)h->rows_added);
    else dp_buf_addz(out, "- rows\t");
    dp_buf_addf(out, "%lld bytes\n", (long long)h->bytes_added);
}

static void print_entry_json(const struct dp_delta_history *h, struct dp_buf *out)
{
    char when[40];
    size_t n = dp_time_print_micros(when, h->timestamp_ms * 1000, true, 3);
    dp_buf_addf(out, "{\"version\":%lld,\"time\":\"%.*s\",\"operation\":", (long long)h->version, (int)n, when);
    if (h->info.operation.p) dp_json_add_string(out, h->info.operation);
    else dp_buf_addz(out, "null");
    dp_buf_addf(out, ",\"filesAdded\":%llu,\"filesRemoved\":%llu,\"rowsAdded\":", (unsigned long long)h->adds, (unsigned long long)h->removes);
    if (h->rows_added >= 0) dp_buf_addf(out, "%lld", (long long)h->rows_added);
    else dp_buf_addz(out, "null");
    dp_buf_addf(out, ",\"bytesAdded\":%lld,\"commitInfo\":", (long long)h->bytes_added);
    if (h->info.raw.p) dp_buf_adds(out, h->info.raw);
    else dp_buf_addz(out, "null");
    dp_buf_addc(out, '}');
}

static enum dp_status run_log(struct dp_cli *cli, struct dp_err *err)
{
    const struct log_conf *conf = cli->conf;
    struct dp_arena arena = {0};
    struct dp_buf text = {0};
    struct dp_delta_history *h = NULL;
    size_t n = 0;
    enum dp_status status = dp_delta_history_read(cli->args[0], &arena, &h, &n, err);
    size_t from = conf->limit > 0 && (size_t)conf->limit < n ? n - (size_t)conf->limit : 0;
    if (status == DP_OK && cli->common.json) dp_buf_addc(&text, '[');
    for (size_t i = n; status == DP_OK && i-- > from;) {
        if (!cli->common.json) print_entry_text(&h[i], &text);
        else print_entry_json(&h[i], &text);
        if (cli->common.json && i > from) dp_buf_addc(&text, ',');
    }
    if (status == DP_OK && cli->common.json) {
        dp_buf_addc(&text, ']');
        dp_cli_report(cli, "versions", dp_buf_str(&text));
    } else if (status == DP_OK) {
        status = dp_out_write(cli->run.out, text.p, text.n, err);
    }
    dp_buf_release(&text);
    dp_arena_release(&arena);
    return status;
}

/* ---- checkpoint ---- */

static enum dp_status run_checkpoint(struct dp_cli *cli, struct dp_err *err)
{
    struct dp_delta_snapshot *s = NULL;
    DP_TRY(dp_delta_open(cli->args[0], -1, &s, err));
    enum dp_status status = cli->run.dry_run ? DP_OK : dp_delta_checkpoint_write(s, cli->run.now_micros / 1000, err);
    if (status == DP_OK)
        status = say(cli, err, "%s: %scheckpoint of version %lld, %zu files\n", s->table, cli->run.dry_run ? "would write a " : "", (long long)s->version, s->n_files);
    dp_cli_report_i64(cli, "version", s->version);
    dp_delta_close(s);
    return status;
}

/* ---- the program ---- */

#define COMMON (DP_COMMON_DRY_RUN | DP_COMMON_JSON | DP_COMMON_EMPTY)

static const struct dp_tool create_tool = {
    .name = "create", .summary = "make an empty table from a contract", .args = "TABLE", .synopsis = "create TABLE -c CONTRACT [--by KEY]... [--property KEY=VALUE]...",
    .options = create_options, .conf_size = sizeof(struct create_conf), .common = DP_COMMON_CONTRACT | DP_COMMON_DRY_RUN | DP_COMMON_JSON,
    .min_args = 1, .max_args = 1, .run = run_create};
static const struct dp_tool commit_tool = {
    .name = "commit", .summary = "publish finished Parquet files as one version", .args = "TABLE",
    .synopsis = "commit TABLE [--mode append|overwrite|replace] [--txn APP:VERSION] [--txn-older fail|skip] [--eof-commits]",
    .options = commit_options, .conf_size = sizeof(struct commit_conf), .common = COMMON, .min_args = 1, .max_args = 1, .run = run_commit};
static const struct dp_tool files_tool = {
    .name = "files", .summary = "print the paths of a version's data files", .args = "TABLE",
    .synopsis = "files TABLE [--as-of VERSION|TIME] [--where EXPR]", .options = files_options, .conf_size = sizeof(struct files_conf),
    .common = DP_COMMON_WHERE | DP_COMMON_MARKS | DP_COMMON_EMPTY, .is_stream = true, .min_args = 1, .max_args = 1, .run = run_files};
static const struct dp_tool log_tool = {
    .name = "log", .summary = "print the table's history, newest first", .args = "TABLE", .synopsis = "log TABLE [--limit N] [--json]",
    .options = log_options, .conf_size = sizeof(struct log_conf), .common = DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_log};
static const struct dp_tool checkpoint_tool = {
    .name = "checkpoint", .summary = "write the latest version's state as one file, for fast readers", .args = "TABLE", .synopsis = "checkpoint TABLE",
    .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_checkpoint};

static const struct dp_tool *const commands[] = {&create_tool, &commit_tool, &files_tool, &log_tool, &checkpoint_tool, NULL};

static const struct dp_tool tool = {.name = "dp-table", .summary = "the Delta table itself: create, commit, files, log, checkpoint",
    .synopsis = "COMMAND TABLE [OPTION...]", .min_args = 0, .max_args = -1, .args = "COMMAND", .commands = commands};

DP_MAIN(tool)
