/* dp-table replicate: a copy of the table at another place, brought up to date. */
#include "table.h"

#include <dp/base/file.h>
#include <dp/delta/legal.h>
#include <dp/delta/replicate.h>
#include <dp/io/datasets.h>

#include <stdlib.h>
#include <unistd.h>

static enum dp_status look_up(void *ctx, struct dp_err *err) {
    struct dp_cli *cli = ctx;
    return dp_run_stopped(&cli->run, err) ? DP_SIGNALLED : DP_OK;
}

/* For lineage. */
static void note(struct dp_cli *cli, const struct dp_delta_replicated *r, bool is_new) {
    struct dp_delta_snapshot *s = NULL;
    if (dp_delta_open(cli->args[1], r->version, &s, NULL) != DP_OK) return;
    struct dp_dataset *d = dp_dataset_copied(&cli->run, cli->args[0], cli->args[1], s->schema);
    dp_dataset_version(dp_dataset_input(&cli->run, cli->args[0]), r->version);
    dp_dataset_version(d, r->version);
    if (is_new) dp_dataset_lifecycle(d, DP_OL_CREATE);
    dp_dataset_count(d, UINT64_MAX, r->bytes, r->files);
    dp_delta_close(s);
}

static enum dp_status run_replicate(struct dp_cli *cli, struct dp_err *err) {
    struct dp_delta_replicated r;
    struct dp_delta_replicate_opts o = {.dry_run = cli->run.dry_run, .pool = cli->run.pool, .now_ms = cli->run.now_micros / 1000, .tick = look_up, .ctx = cli};
    char *log = dp_path_join(cli->args[1], "_delta_log");
    bool is_new = access(log, F_OK) != 0;
    free(log);
    DP_TRY(dp_delta_replicate(cli->args[0], cli->args[1], &o, &r, err));
    if (!cli->run.dry_run) DP_TRY(dp_legal_copy(cli->args[0], cli->args[1], err)); /* what is held is held in its copies */
    if (cli->run.datasets && !cli->run.dry_run) note(cli, &r, is_new);
    dp_cli_report_i64(cli, "version", r.version);
    dp_cli_report_u64(cli, "commits", r.commits);
    dp_cli_report_u64(cli, "files", r.files);
    dp_cli_report_u64(cli, "bytes", r.bytes);
    dp_cli_report_u64(cli, "gone", r.gone);
    DP_TRY(dp_cli_say(cli, err, "%s: %s version %lld, %llu commits, %llu files of %llu bytes\n", cli->args[1], cli->run.dry_run ? "would be at" : "at", (long long)r.version,
                     (unsigned long long)r.commits, (unsigned long long)r.files, (unsigned long long)r.bytes));
    if (r.gone) dp_run_log(&cli->run, DP_LOG_INFO, "%llu files that only older versions need are gone from %s", (unsigned long long)r.gone, cli->args[0]);
    if (!r.commits && !r.files && cli->common.skip_empty) return dp_err_set(err, DP_EMPTY, "nothing to copy");
    return DP_OK;
}

const struct dp_tool table_replicate = {
    .name = "replicate", .summary = "copy what is new of a table to a copy of it", .args = "TABLE", .second = "DEST", .synopsis = "TABLE DEST [--dry-run]",
    .common = TABLE_COMMON | DP_COMMON_THREADS, .min_args = 2, .max_args = 2, .run = run_replicate};
