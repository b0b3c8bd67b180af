/*
 * dp-table commit: finished Parquet files become one version, whole or not at all.
 *
 * Only a stream that is whole is published (begin first, end last, counts and hash agree); the positions that came with it go into the same
 * log entry, so that a batch is never in the table twice.
 */
#include "table.h"

#include <dp/io/commit.h>

#include <stdlib.h>

static const char *const mode_names[] = {"append", "overwrite", "replace", NULL};
static const char *const evolve_names[] = {"no", "add", "widen", NULL};
static const char *const older_names[] = {"fail", "skip", NULL};

struct commit_conf {
    int mode, txn_older, evolve;
    const char *txn;
    bool contract, eof_commits;
    int64_t commit_every;
};

static const struct dp_opt commit_options[] = {
    DP_OPT_ENUM(commit_conf, mode, "mode", 0, "MODE", "append; overwrite: the new files replace all; replace: they replace the partitions that they touch", mode_names),
    DP_OPT_STRING(commit_conf, txn, "txn", 0, "APP:VERSION", "name of the batch: the same again is done already"),
    DP_OPT_ENUM(commit_conf, txn_older, "txn-older", 0, "WHAT", "what to do with a batch older than the table's", older_names),
    DP_OPT_ENUM(commit_conf, evolve, "evolve", 0, "HOW", "add: columns of the files that the table lacks become its columns; widen: that, and types are widened", evolve_names),
    DP_OPT_FLAG(commit_conf, contract, "contract", 0, "check the new files against the table's contract; nothing is published where they break it"),
    DP_OPT_DURATION(commit_conf, commit_every, "commit-every", 0, "D", "publish what stands before a checkpoint on every D, not only at the end", 0, 0,
                    .conflicts = "txn"),
    DP_OPT_FLAG(commit_conf, eof_commits, "eof-commits", 0, "take the end of input for the end of a stream without marks"),
    DP_OPT_END};

/* What came of it, as a line. */
static enum dp_status say_committed(struct dp_cli *cli, const struct dp_committed *d, struct dp_err *err) {
    const char *table = cli->args[0];
    struct dp_str evolved = dp_buf_str(&d->evolved);
    if (evolved.n && (d->result == DP_COMMIT_DONE || d->result == DP_COMMIT_DRY))
        DP_TRY(dp_cli_say(cli, err, "%s: %s%.*s\n", table, d->result == DP_COMMIT_DRY ? "would have " : "", (int)(evolved.n < 4000 ? evolved.n : 4000), evolved.p));
    switch (d->result) {
    case DP_COMMIT_DONE: return dp_cli_say(cli, err, "%s: version %lld, %zu files, %lld rows\n", table, (long long)d->version, d->files, (long long)d->rows);
    case DP_COMMIT_ALREADY: return dp_cli_say(cli, err, "%s: already committed as version %lld\n", table, (long long)d->version);
    case DP_COMMIT_OLDER:
        return dp_cli_say(cli, err, "%s: batch %s:%lld is older than the table's %lld: skipped\n", table, d->app_id, (long long)d->app_version, (long long)d->table_has);
    case DP_COMMIT_DRY: return dp_cli_say(cli, err, "%s: would commit %zu files, %lld rows\n", table, d->files, (long long)d->rows);
    }
    return DP_OK;
}

/* A part is told at once: who waits for it may be a program. */
static enum dp_status say_part(void *ctx, const struct dp_committed *d, struct dp_err *err) {
    struct dp_cli *cli = ctx;
    DP_TRY(say_committed(cli, d, err));
    return dp_out_flush(cli->run.out, err);
}

static void report_committed(struct dp_cli *cli, const struct dp_committed *d, bool in_parts) {
    static const char *const words[] = {"committed", "already committed", "older, skipped", "nothing changed"};
    if (d->result != DP_COMMIT_DRY) dp_cli_report_str(cli, "result", dp_str_z(words[d->commits ? DP_COMMIT_DONE : d->result]));
    if (d->result == DP_COMMIT_DONE || d->result == DP_COMMIT_ALREADY) dp_cli_report_i64(cli, "version", d->version);
    if (d->evolved.n) dp_cli_report_str(cli, "evolved", dp_buf_str(&d->evolved));
    if (d->result == DP_COMMIT_DRY) {
        dp_cli_report_u64(cli, "files", d->files);
        dp_cli_report_i64(cli, "rows", d->rows);
    }
    if (!d->commits) return;
    if (in_parts) dp_cli_report_u64(cli, "commits", d->commits);
    dp_cli_report_u64(cli, "files", d->all_files);
    dp_cli_report_i64(cli, "rows", d->all_rows);
}

static enum dp_status run_commit(struct dp_cli *cli, struct dp_err *err) {
    const struct commit_conf *conf = cli->conf;
    struct dp_commit_opts opts = {.table = cli->args[0], .mode = (enum dp_delta_mode)conf->mode, .txn = conf->txn, .skip_older = conf->txn_older == 1,
                                  .eof_commits = conf->eof_commits, .in_parts = dp_cli_given(cli, "commit-every"), .commit_every = conf->commit_every,
                                  .each = say_part, .each_ctx = cli, .check_contract = conf->contract, .evolve = (enum dp_delta_evolve)conf->evolve};
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
    dp_buf_release(&done.evolved);
    return status;
}

const struct dp_tool table_commit = {
    .name = "commit", .summary = "publish finished Parquet files as one version", .args = "TABLE",
    .too_many = "the paths to commit come on standard input, and --contract takes no file: it means the contract that `create TABLE -c FILE` put into the table",
    .synopsis = "TABLE [--mode append|overwrite|replace] [--txn APP:VERSION] [--txn-older fail|skip] [--evolve no|add|widen] [--contract] [--commit-every D] [--eof-commits]",
    .options = commit_options, .conf_size = sizeof(struct commit_conf), .common = TABLE_COMMON | DP_COMMON_THREADS | DP_COMMON_MEMORY, .min_args = 1, .max_args = 1, .run = run_commit};
