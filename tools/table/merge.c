/*
 * dp-table merge: records into the table by key, as one version: rows are replaced, new or gone.
 *
 *     dp-table changes orders --since mirror --marks | dp-table merge mirror
 *
 * Only a stream that is whole is merged; the positions that came with it go into the same log entry, so that a batch is merged once.
 */
#include "table.h"

#include <dp/io/merge.h>

struct merge_conf {
    const char *key, *sequence, *txn;
    bool eof_commits;
    int64_t commit_every;
};

static const struct dp_opt merge_options[] = {
    DP_OPT_STRING(merge_conf, key, "key", 0, "A,B", "columns that name a row; default: the primary key of the table's contract"),
    DP_OPT_STRING(merge_conf, sequence, "sequence", 0, "COLUMN", "the highest of a key counts, and a row with a higher one stays"),
    DP_OPT_STRING(merge_conf, txn, "txn", 0, "APP:VERSION", "name of the batch: the same again is done already"),
    DP_OPT_DURATION(merge_conf, commit_every, "commit-every", 0, "D", "merge what stands before a checkpoint on every D, not only at the end", 0, 0,
                    .conflicts = "txn"),
    DP_OPT_FLAG(merge_conf, eof_commits, "eof-commits", 0, "take the end of input for the end of a stream without marks"),
    DP_OPT_END};

/* A run and the sum of its versions. */
struct merging {
    struct dp_cli *cli;
    struct dp_merged sum;
};

static void add_up(struct merging *g, const struct dp_merged *d) {
    struct dp_edited *sum = &g->sum.edited;
    if (d->result == DP_MERGE_DONE) sum->version = d->version;
    sum->deleted += d->edited.deleted, sum->updated += d->edited.updated, sum->inserted += d->edited.inserted, sum->copied += d->edited.copied;
    sum->files_removed += d->edited.files_removed, sum->files_added += d->edited.files_added, sum->files_skipped += d->edited.files_skipped;
    sum->vectors += d->edited.vectors, sum->change_files += d->edited.change_files;
    g->sum.superseded += d->superseded, g->sum.stale += d->stale, g->sum.unmatched += d->unmatched, g->sum.collapsed += d->collapsed;
}

/* A key that does not name one row takes rows away that no record told of: that is not done in silence. */
static void warn_collapsed(struct dp_cli *cli, const struct dp_merged *d) {
    if (d->result == DP_MERGE_ALREADY || !d->collapsed) return;
    dp_run_log(&cli->run, DP_LOG_WARN, "%s: the key is not unique in the table: %llu rows more than were updated %s replaced with them", cli->args[0], (unsigned long long)d->collapsed,
               d->result == DP_MERGE_DRY ? "would be" : "are");
}

/* A part is told at once: who waits for it may be a program. */
static enum dp_status say_part(void *ctx, const struct dp_merged *d, struct dp_err *err) {
    struct merging *g = ctx;
    add_up(g, d);
    warn_collapsed(g->cli, d);
    DP_TRY(table_say_edited_line(g->cli, &d->edited, err));
    return dp_out_flush(g->cli->run.out, err);
}

static void report_merged(const struct merging *g, uint64_t commits) {
    struct dp_cli *cli = g->cli;
    dp_cli_report_u64(cli, "superseded", g->sum.superseded);
    dp_cli_report_u64(cli, "stale", g->sum.stale);
    dp_cli_report_u64(cli, "unmatched_deletes", g->sum.unmatched);
    dp_cli_report_u64(cli, "collapsed", g->sum.collapsed);
    if (commits > 1) dp_cli_report_u64(cli, "commits", commits);
    table_report_edited(cli, &g->sum.edited);
}

static enum dp_status run_merge(struct dp_cli *cli, struct dp_err *err) {
    const struct merge_conf *conf = cli->conf;
    struct merging g = {.cli = cli, .sum.edited.version = -1};
    const struct dp_merge_opts opts = {.table = cli->args[0], .key = conf->key, .sequence = conf->sequence, .txn = conf->txn, .eof_commits = conf->eof_commits,
                                       .in_parts = dp_cli_given(cli, "commit-every"), .commit_every = conf->commit_every, .each = say_part, .each_ctx = &g};
    struct dp_merged done;
    enum dp_status status = dp_merge_stream(&cli->run, cli->args + 1, cli->n_args - 1, &opts, &done, err);
    bool is_already = status == DP_OK && done.has_rest && done.result == DP_MERGE_ALREADY;
    if (status == DP_OK && done.has_rest && !is_already) add_up(&g, &done);
    if (is_already && !done.commits) {
        dp_cli_report_str(cli, "result", DP_STR("already committed"));
        dp_cli_report_i64(cli, "version", done.version);
    } else if (status == DP_OK || done.commits) report_merged(&g, done.commits);
    else if (status == DP_EMPTY) dp_cli_report_str(cli, "result", DP_STR("nothing new"));
    if (is_already) return dp_cli_say(cli, err, "%s: already committed as version %lld\n", cli->args[0], (long long)done.version);
    if (status == DP_OK && done.has_rest) warn_collapsed(cli, &done);
    if (status == DP_OK && done.has_rest) return table_say_edited_line(cli, &done.edited, err);
    if (status != DP_OK && done.commits)
        dp_run_log(&cli->run, DP_LOG_INFO, "%llu versions up to %lld were published before that, and stay", (unsigned long long)done.commits, (long long)g.sum.edited.version);
    return status;
}

const struct dp_tool table_merge = {
    .name = "merge", .summary = "put records into the table by key: rows are replaced, new or gone", .args = "TABLE",
    .synopsis = "TABLE [--key A,B] [--sequence COLUMN] [--txn APP:VERSION] [--commit-every D] [--eof-commits] [SOURCE...]",
    .options = merge_options, .conf_size = sizeof(struct merge_conf),
    .common = TABLE_COMMON | DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_REJECTS | DP_COMMON_RECORDS | DP_COMMON_WHERE | DP_COMMON_PROGRESS,
    .min_args = 1, .max_args = -1, .run = run_merge};
