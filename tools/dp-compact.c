/*
 * dp-compact: many small Parquet files to few good ones.
 *
 *   dp-compact lake/orders
 *   dp-table files lake/orders --where '.day < "2026-01-01"' | dp-compact -o archive
 *
 * Of a table: rewrites what is worth it, partition by partition, and publishes it as commits that only rearrange rows, while others append to it and read it.  With -o
 * files and tables, by operands or as paths in the pipe, are put together into a directory (or a table's staging), and the new paths are printed.
 */
#include <dp/cli/cli.h>
#include <dp/delta/log.h>
#include <dp/io/compact.h>
#include <dp/io/datasets.h>
#include <dp/io/lines.h>

#include <stdlib.h>

struct conf {
    const char *sort, *cluster, *codec;
    uint64_t target_size, commit_size;
    int64_t deleted;
};

static const struct dp_opt options[] = {
    DP_OPT_SIZE(conf, target_size, "target-size", 0, "SIZE", "complete a file at this size; files below three quarters of it are small", 1 << 16, UINT64_C(1) << 40, .def = "128M"),
    DP_OPT_STRING(conf, sort, "sort", 0, "COLS", "order a partition's rows by columns; -COL is descending", .conflicts = "cluster"),
    DP_OPT_STRING(conf, cluster, "cluster", 0, "'zorder(A,B)'", "order a partition's rows along a Z-curve through columns (default: as the table is clustered)"),
    DP_OPT_STRING(conf, codec, "codec", 0, "NAME", "compression: zstd[:LEVEL], snappy, gzip, lz4_raw, brotli, none; files that have another are rewritten (default: the table's)"),
    DP_OPT_INT(conf, deleted, "deleted", 0, "PERCENT", "rewrite files of which so many rows are deleted; 0: all that have a deletion vector", 0, 100, .def = "10"),
    DP_OPT_SIZE(conf, commit_size, "commit-size", 0, "SIZE", "publish about so much of a table at once", 1 << 16, UINT64_C(1) << 50, .def = "4G"),
    DP_OPT_END};

struct compaction {
    struct dp_cli *cli;
    struct dp_compact_opts o;
    struct dp_expr *where;
    /* -o */
    struct dp_compact_files *files;
    struct dp_opt_list names;    /* paths of the pipe */
    struct dp_lines lines;       /* of a stream that we begin */
    struct dp_dataset *output;
    bool has_header;
};

static enum dp_status prepare(struct compaction *c, struct dp_err *err) {
    const struct conf *conf = c->cli->conf;
    struct dp_run *run = &c->cli->run;
    c->o = (struct dp_compact_opts){.target_size = conf->target_size, .commit_size = conf->commit_size, .deleted_percent = (unsigned)conf->deleted, .codec = conf->codec};
    if (conf->codec) DP_TRY(dp_lay_check_codec(conf->codec, err));
    if (conf->cluster) DP_TRY(dp_order_parse_cluster(&c->o.order, conf->cluster, err));
    else if (conf->sort) dp_order_set_sort(&c->o.order, conf->sort);
    if (!run->where) return DP_OK;
    if (dp_expr_compile(dp_str_z(run->where), &c->where, err) != DP_OK) return dp_err_prefix(err, "--where: ");
    c->o.where = c->where;
    run->where = NULL; /* it chooses partitions, not records */
    return DP_OK;
}

static void report(struct dp_cli *cli, const struct dp_compacted *d) {
    dp_cli_report_u64(cli, "files_in", d->files_in);
    dp_cli_report_u64(cli, "files_out", d->files_out);
    dp_cli_report_u64(cli, "size_in", d->bytes_in);
    dp_cli_report_u64(cli, "size_out", d->bytes_out);
    dp_cli_report_u64(cli, "partitions", d->partitions);
    dp_cli_report_u64(cli, "deletion_vectors", d->vectors);
    dp_cli_report_i64(cli, "rows_purged", d->rows_deleted);
    if (d->commits) dp_cli_report_i64(cli, "rows", d->rows);
    dp_cli_report_u64(cli, "row_groups_copied", d->groups_copied);
}

static enum dp_status compact_table(struct compaction *c, struct dp_err *err) {
    struct dp_cli *cli = c->cli;
    const char *table = cli->args[0];
    struct dp_compacted d;
    enum dp_status status = dp_compact_table(&cli->run, table, &c->o, &d, err);
    if (d.files_foreign) dp_run_log(&cli->run, DP_LOG_VERBOSE, "%s: %llu files that another implementation clusters were left alone", table, (unsigned long long)d.files_foreign);
    if (status != DP_OK && d.commits)
        dp_run_log(&cli->run, DP_LOG_INFO, "%llu versions up to %lld were published before that, and stay", (unsigned long long)d.commits, (long long)d.version);
    report(cli, &d);
    dp_cli_report_u64(cli, "commits", d.commits);
    dp_cli_report_u64(cli, "conflicts", d.conflicts);
    if (d.commits) dp_cli_report_i64(cli, "version", d.version);
    if (status == DP_EMPTY) {
        (void)dp_cli_say(cli, NULL, "%s: nothing to do, %llu files are as they should be\n", table, (unsigned long long)d.files);
        return status;
    }
    DP_TRY(status);
    if (cli->run.dry_run)
        return dp_cli_say(cli, err, "%s: would rewrite %llu of %llu files of %llu partitions, %llu bytes, to about %llu; %llu deletion vectors would go\n", table,
                   (unsigned long long)d.files_in, (unsigned long long)d.files, (unsigned long long)d.partitions, (unsigned long long)d.bytes_in,
                   (unsigned long long)d.files_out, (unsigned long long)d.vectors);
    return dp_cli_say(cli, err, "%s: version %lld, %llu files to %llu, %llu bytes to %llu\n", table, (long long)d.version, (unsigned long long)d.files_in,
               (unsigned long long)d.files_out, (unsigned long long)d.bytes_in, (unsigned long long)d.bytes_out);
}

/* ---- -o: files by name ---- */

/* One whole file: its path goes out. */
static enum dp_status on_file(void *ctx, const char *path, int64_t rows, uint64_t bytes, struct dp_err *err) {
    struct compaction *c = ctx;
    struct dp_buf line = {0};
    struct dp_stream *s = dp_stream_of(&c->cli->run);
    (void)rows, (void)bytes;
    dp_buf_addf(&line, "%s%s\n", path[0] == '{' ? "./" : "", path);
    enum dp_status status = s ? dp_stream_write(s, line.p, line.n, err) : dp_lines_write(&c->lines, line.p, line.n, 1, err);
    dp_buf_release(&line);
    return status;
}

/* Rows stay what they are, in another order. */
static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct compaction *c = ctx;
    (void)err;
    dp_order_lineage(&c->o.order, begin);
    dp_dataset_header(c->output, begin);
    c->has_header = true;
    return DP_OK;
}

/* Operands are opened by us, so begin and end are ours to write. */
static enum dp_status compact_operands(struct compaction *c, struct dp_err *err) {
    struct dp_run *run = &c->cli->run;
    struct dp_mark begin = {.table_version = -1};
    dp_datasets_operands(run, c->cli->args, c->cli->n_args, &begin);
    enum dp_status status = on_header(c, &begin, err);
    if (!status) status = dp_lines_begin(&c->lines, &begin, err);
    if (status) goto out;
    DP_TRY_OUT(dp_compact_files_add(c->files, c->cli->args, c->cli->n_args, err));
    DP_TRY_OUT(dp_compact_files_finish(c->files, err));
    DP_TRY_OUT(dp_lines_end(&c->lines, err));
    status = dp_out_flush(run->out, err);
out:
    free(begin.fields), free(begin.origins);
    dp_lines_release(&c->lines);
    return status;
}

static enum dp_status on_path(void *ctx, struct dp_str path, struct dp_err *err) {
    struct compaction *c = ctx;
    (void)err;
    c->names.v = dp_grow(c->names.v, &c->names.cap, c->names.n + 1, sizeof *c->names.v);
    c->names.v[c->names.n++] = dp_strndup(path.p, path.n);
    return DP_OK;
}

static enum dp_status no_records(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    (void)ctx, (void)j, (void)r;
    return dp_err_set(err, DP_USAGE, "paths of Parquet files are read: of records, dp-partition makes files");
}

/* The pipe was whole: what it named is read.  The books count rows, not paths. */
static enum dp_status on_paths_end(void *ctx, struct dp_err *err) {
    struct compaction *c = ctx;
    struct dp_books *b = &c->cli->run.books;
    b->in -= c->names.n, b->used -= c->names.n;
    if (!c->has_header) { /* nobody says where the files came from: they are what is read */
        struct dp_mark begin = {.table_version = -1};
        dp_datasets_operands(&c->cli->run, (const char *const *)c->names.v, c->names.n, &begin);
        DP_TRY(on_header(c, &begin, err));
        free(begin.fields), free(begin.origins);
    }
    if (c->names.n) DP_TRY(dp_compact_files_add(c->files, (const char *const *)c->names.v, c->names.n, err));
    return dp_compact_files_finish(c->files, err);
}

static enum dp_status compact_files(struct compaction *c, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.record = no_records, .path = on_path, .header = on_header, .finish = on_paths_end};
    const struct dp_stream_conf stream = {.sources = {.paths = DP_PATHS_PASS}};
    struct dp_cli *cli = c->cli;
    bool piped = !cli->n_args || (cli->n_args == 1 && !strcmp(cli->args[0], "-"));
    if (c->where) return dp_err_set(err, DP_USAGE, "--where chooses partitions of a table that is rewritten: of files, `dp-table files T --where EXPR | dp-compact -o DIR` does");
    c->output = dp_dataset_output(&cli->run, cli->common.output);
    dp_dataset_storage(c->output, dp_delta_is_table(cli->common.output) ? "delta" : NULL, "parquet");
    enum dp_status status = dp_compact_files_open(&cli->run, cli->common.output, &c->o, on_file, c, &c->files, err);
    if (status == DP_OK) status = piped ? dp_cli_stream(cli, &stream, &ops, c, err) : compact_operands(c, err);
    if (status == DP_OK) dp_compact_files_keep(c->files);
    struct dp_compacted d = dp_compact_files_counts(c->files);
    report(cli, &d);
    dp_dataset_count(c->output, UINT64_MAX, d.bytes_out, d.files_out);
    if (status == DP_OK && cli->run.dry_run)
        dp_run_log(&cli->run, DP_LOG_INFO, "would put %llu files together in %s", (unsigned long long)d.files_in, cli->common.output);
    dp_compact_files_close(c->files);
    for (size_t i = 0; i < c->names.n; i++) free((char *)c->names.v[i]);
    free(c->names.v);
    return status;
}

static enum dp_status run(struct dp_cli *cli, struct dp_err *err) {
    struct compaction c = {.cli = cli, .lines = {.run = &cli->run}};
    enum dp_status status = prepare(&c, err);
    if (status == DP_OK && cli->common.output) status = compact_files(&c, err);
    else if (status == DP_OK && cli->n_args == 1 && dp_delta_is_table(cli->args[0])) status = compact_table(&c, err);
    else if (status == DP_OK && !cli->n_args) status = dp_err_set(err, DP_USAGE, "TABLE is missing, or -o DIR for files (--help shows how)");
    else if (status == DP_OK)
        status = dp_err_set(err, DP_USAGE, cli->n_args == 1 ? "%s is not a Delta table, and only a table is rewritten where it is: -o DIR is needed"
                                                            : "%s and others: only one table is rewritten where it is: -o DIR is needed", cli->args[0]);
    dp_order_release(&c.o.order);
    dp_expr_free(c.where);
    return status;
}

static const struct dp_tool tool = {.name = "dp-compact",
                                    .summary = "put small Parquet files together, of a live table or by name",
                                    .synopsis = "[--target-size SIZE] [--sort COLS | --cluster 'zorder(A,B)'] [--where EXPR] TABLE\n"
                                                "-o DIR [--target-size SIZE] [--sort COLS | --cluster 'zorder(A,B)'] [SOURCE...]",
                                    .options = options,
                                    .conf_size = sizeof(struct conf),
                                    .common = DP_COMMON_OUTPUT | DP_COMMON_WHERE | DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_DRY_RUN | DP_COMMON_JSON |
                                              DP_COMMON_PROGRESS | DP_COMMON_EMPTY | DP_COMMON_MARKS,
                                    .is_stream = true,
                                    .min_args = 0,
                                    .max_args = -1,
                                    .args = "SOURCE",
                                    .run = run};
DP_MAIN(tool)
