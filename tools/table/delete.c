/* dp-table delete: the rows for which an expression is true are gone, as one version. */
#include "table.h"

static enum dp_status run_delete(struct dp_cli *cli, struct dp_err *err) {
    const struct dp_edit_opts opts = {.table = cli->args[0], .where = cli->common.where};
    struct dp_edited done;
    if (!opts.where) return dp_err_set(err, DP_USAGE, "--where EXPR is needed (--where true: all rows)");
    enum dp_status status = dp_edit_delete(&cli->run, &opts, &done, err);
    return status == DP_OK ? table_say_edited(cli, &done, err) : status;
}

const struct dp_tool table_delete = {
    .name = "delete", .summary = "delete the rows for which an expression is true", .args = "TABLE", .synopsis = "TABLE --where EXPR",
    .common = TABLE_COMMON | DP_COMMON_WHERE | DP_COMMON_THREADS | DP_COMMON_MEMORY, .min_args = 1, .max_args = 1, .run = run_delete};
