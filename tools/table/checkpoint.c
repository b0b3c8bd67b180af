/* dp-table checkpoint: the latest version's state as one file. */
#include "table.h"

#include <dp/delta/checkpoint.h>

static enum dp_status run_checkpoint(struct dp_cli *cli, struct dp_err *err)
{
    struct dp_delta_snapshot *s = NULL;
    DP_TRY(dp_delta_open(cli->args[0], -1, &s, err));
    enum dp_status status = cli->run.dry_run ? DP_OK : dp_delta_checkpoint_write(s, cli->run.now_micros / 1000, err);
    if (status == DP_OK)
        status = table_say(cli, err, "%s: %scheckpoint of version %lld, %zu files\n", s->table, cli->run.dry_run ? "would write a " : "", (long long)s->version, s->n_files);
    dp_cli_report_i64(cli, "version", s->version);
    dp_delta_close(s);
    return status;
}

const struct dp_tool table_checkpoint = {
    .name = "checkpoint", .summary = "write the latest version's state as one file, for fast readers", .args = "TABLE", .synopsis = "TABLE",
    .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_checkpoint};
