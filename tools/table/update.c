/* dp-table update: rows get new values, as one version. */
#include "table.h"

struct update_conf {
    struct dp_opt_list sets;
};

static const struct dp_opt update_options[] = {
    DP_OPT_LIST(update_conf, sets, "set", 0, "COLUMN=EXPR", "the column's new value, an expression over the row as it was"),
    DP_OPT_END};

static enum dp_status run_update(struct dp_cli *cli, struct dp_err *err) {
    const struct update_conf *conf = cli->conf;
    const struct dp_edit_opts opts = {.table = cli->args[0], .where = cli->common.where, .sets = (const char *const *)conf->sets.v, .n_sets = conf->sets.n};
    struct dp_edited done;
    enum dp_status status = dp_edit_update(&cli->run, &opts, &done, err);
    return status == DP_OK ? table_say_edited(cli, &done, err) : status;
}

const struct dp_tool table_update = {
    .name = "update", .summary = "give rows new values", .args = "TABLE", .synopsis = "TABLE --set COLUMN=EXPR... [--where EXPR]",
    .options = update_options, .conf_size = sizeof(struct update_conf),
    .common = TABLE_COMMON | DP_COMMON_WHERE | DP_COMMON_THREADS | DP_COMMON_MEMORY, .min_args = 1, .max_args = 1, .run = run_update};
