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
#include <dp/base/time.h>
#include <dp/cli/cli.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/path.h>
#include <dp/io/commit.h>
#include <dp/io/create.h>

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

static enum dp_status run_create(struct dp_cli *cli, struct dp_err *err)
{
    const struct create_conf *conf = cli->conf;
    struct dp_create_opts opts = {.table = cli->args[0], .contract = cli->common.contract, .name = conf->name, .by = conf->by.v, .n_by = conf->by.n,
                                  .property = conf->property.v, .n_property = conf->property.n};
    struct dp_created made = {0};
    if (!opts.contract) return dp_err_set(err, DP_USAGE, "--contract is needed: it says which columns the table has");
    enum dp_status status = dp_create_table(&cli->run, &opts, &made, err);
    if (status == DP_OK || made.existed) {
        dp_cli_report_i64(cli, "version", made.version);
        dp_cli_report_str(cli, "result", made.existed ? DP_STR("exists already") : DP_STR("created"));
    }
    if (status != DP_OK) return status;
    if (made.existed) return say(cli, err, "%s: exists already, with this schema, at version %lld\n", opts.table, (long long)made.version);
    return say(cli, err, "%s: %s, %zu columns, %zu of them partition columns\n", opts.table, cli->run.dry_run ? "would be created" : "created", made.columns,
               made.partition_columns);
}

/* ---- commit ---- */

static const char *const mode_names[] = {"append", "overwrite", "replace", NULL};
static const char *const older_names[] = {"fail", "skip", NULL};

struct commit_conf {
    int mode, txn_older;
    const char *txn;
    bool contract, eof_commits;
    int64_t commit_every;
};

static const struct dp_opt commit_options[] = {
    DP_OPT_ENUM(commit_conf, mode, "mode", 0, "MODE", "append; overwrite: the new files replace all; replace: they replace the partitions that they touch", mode_names),
    DP_OPT_STRING(commit_conf, txn, "txn", 0, "APP:VERSION", "name of the batch: the same again is done already"),
    DP_OPT_ENUM(commit_conf, txn_older, "txn-older", 0, "WHAT", "what to do with a batch older than the table's", older_names),
    DP_OPT_FLAG(commit_conf, contract, "contract", 0, "check the new files against the table's contract; nothing is published where they break it"),
    DP_OPT_DURATION(commit_conf, commit_every, "commit-every", 0, "D", "publish what stands before a checkpoint on every D, not only at the end", 0, 0,
                    .conflicts = "txn"),
    DP_OPT_FLAG(commit_conf, eof_commits, "eof-commits", 0, "take the end of input for the end of a stream without marks"),
    DP_OPT_END};

/* What came of it, as a line. */
static enum dp_status say_committed(struct dp_cli *cli, const struct dp_committed *d, struct dp_err *err)
{
    const char *table = cli->args[0];
    switch (d->result) {
    case DP_COMMIT_DONE: return say(cli, err, "%s: version %lld, %zu files, %lld rows\n", table, (long long)d->version, d->files, (long long)d->rows);
    case DP_COMMIT_ALREADY: return say(cli, err, "%s: already committed as version %lld\n", table, (long long)d->version);
    case DP_COMMIT_OLDER:
        return say(cli, err, "%s: batch %s:%lld is older than the table's %lld: skipped\n", table, d->app_id, (long long)d->app_version, (long long)d->table_has);
    case DP_COMMIT_DRY: return say(cli, err, "%s: would commit %zu files, %lld rows\n", table, d->files, (long long)d->rows);
    }
    return DP_OK;
}

/* A part is told at once: who waits for it may be a program. */
static enum dp_status say_part(void *ctx, const struct dp_committed *d, struct dp_err *err)
{
    struct dp_cli *cli = ctx;
    DP_TRY(say_committed(cli, d, err));
    return dp_out_flush(cli->run.out, err);
}

static void report_committed(struct dp_cli *cli, const struct dp_committed *d, bool in_parts)
{
    static const char *const words[] = {"committed", "already committed", "older, skipped", "nothing changed"};
    if (d->result != DP_COMMIT_DRY) dp_cli_report_str(cli, "result", dp_str_z(words[d->commits ? DP_COMMIT_DONE : d->result]));
    if (d->result == DP_COMMIT_DONE || d->result == DP_COMMIT_ALREADY) dp_cli_report_i64(cli, "version", d->version);
    if (!d->commits) return;
    if (in_parts) dp_cli_report_u64(cli, "commits", d->commits);
    dp_cli_report_u64(cli, "files", d->all_files);
    dp_cli_report_i64(cli, "rows", d->all_rows);
}

static enum dp_status run_commit(struct dp_cli *cli, struct dp_err *err)
{
    const struct commit_conf *conf = cli->conf;
    struct dp_commit_opts opts = {.table = cli->args[0], .mode = (enum dp_delta_mode)conf->mode, .txn = conf->txn, .skip_older = conf->txn_older == 1,
                                  .eof_commits = conf->eof_commits, .in_parts = dp_cli_given(cli, "commit-every"), .commit_every = conf->commit_every,
                                  .each = say_part, .each_ctx = cli, .check_contract = conf->contract};
    struct dp_committed done = {0};
    struct dp_buf verdict = {0};
    if (conf->contract) opts.verdict = &verdict;
    if (opts.in_parts && conf->mode != DP_DELTA_APPEND)
        return dp_err_set(err, DP_USAGE, "--commit-every appends: with --mode %s each part would replace the one before it", mode_names[conf->mode]);
    enum dp_status status = dp_commit_stream(&cli->run, &opts, &done, err);
    if (status == DP_OK || done.commits) report_committed(cli, &done, opts.in_parts);
    else if (status == DP_EMPTY) dp_cli_report_str(cli, "result", DP_STR("nothing new"));
    if (status == DP_OK && done.has_rest) status = say_committed(cli, &done, err);
    else if (status != DP_OK && done.commits)
        dp_run_log(&cli->run, DP_LOG_INFO, "%llu versions up to %lld were published before that, and stay", (unsigned long long)done.commits, (long long)done.version);
    if (verdict.n) dp_cli_report(cli, "verdict", dp_buf_str(&verdict));
    dp_buf_release(&verdict);
    free(done.app_id);
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
    .name = "create", .summary = "make an empty table from a contract", .args = "TABLE", .synopsis = "TABLE -c CONTRACT [--by KEY]... [--property KEY=VALUE]...",
    .options = create_options, .conf_size = sizeof(struct create_conf), .common = DP_COMMON_CONTRACT | DP_COMMON_DRY_RUN | DP_COMMON_JSON,
    .min_args = 1, .max_args = 1, .run = run_create};
static const struct dp_tool commit_tool = {
    .name = "commit", .summary = "publish finished Parquet files as one version", .args = "TABLE",
    .too_many = "the paths to commit come on standard input, and --contract takes no file: it means the contract that `create TABLE -c FILE` put into the table",
    .synopsis = "TABLE [--mode append|overwrite|replace] [--txn APP:VERSION] [--txn-older fail|skip] [--contract] [--commit-every D] [--eof-commits]",
    .options = commit_options, .conf_size = sizeof(struct commit_conf), .common = COMMON | DP_COMMON_THREADS | DP_COMMON_MEMORY, .min_args = 1, .max_args = 1, .run = run_commit};
static const struct dp_tool files_tool = {
    .name = "files", .summary = "print the paths of a version's data files", .args = "TABLE",
    .synopsis = "TABLE [--as-of VERSION|TIME] [--where EXPR]", .options = files_options, .conf_size = sizeof(struct files_conf),
    .common = DP_COMMON_WHERE | DP_COMMON_MARKS | DP_COMMON_EMPTY, .is_stream = true, .min_args = 1, .max_args = 1, .run = run_files};
static const struct dp_tool log_tool = {
    .name = "log", .summary = "print the table's history, newest first", .args = "TABLE", .synopsis = "TABLE [--limit N] [--json]",
    .options = log_options, .conf_size = sizeof(struct log_conf), .common = DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_log};
static const struct dp_tool checkpoint_tool = {
    .name = "checkpoint", .summary = "write the latest version's state as one file, for fast readers", .args = "TABLE", .synopsis = "TABLE",
    .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_checkpoint};

static const struct dp_tool *const commands[] = {&create_tool, &commit_tool, &files_tool, &log_tool, &checkpoint_tool, NULL};

static const struct dp_tool tool = {.name = "dp-table", .summary = "the Delta table itself: create, commit, files, log, checkpoint",
    .synopsis = "COMMAND TABLE [OPTION...]", .min_args = 0, .max_args = -1, .args = "COMMAND", .commands = commands};

DP_MAIN(tool)
