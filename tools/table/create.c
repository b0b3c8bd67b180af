/* dp-table create: an empty table from a contract. */
#include "table.h"

#include <dp/io/create.h>

struct create_conf {
    const char *name;
    struct dp_opt_list by, property;
};

static const struct dp_opt create_options[] = {
    DP_OPT_LIST(create_conf, by, "by", 0, "KEY", "partition by COLUMN or NAME=FUNCTION(COLUMN), as dp-partition does"),
    DP_OPT_STRING(create_conf, name, "name", 0, "NAME", "the table's name (default: the contract's object)"),
    DP_OPT_LIST(create_conf, property, "property", 0, "KEY=VALUE", "a table property, such as delta.checkpointInterval=50"),
    DP_OPT_END};

static enum dp_status run_create(struct dp_cli *cli, struct dp_err *err) {
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
    if (made.existed) return dp_cli_say(cli, err, "%s: exists already, with this schema, at version %lld\n", opts.table, (long long)made.version);
    return dp_cli_say(cli, err, "%s: %s, %zu columns, %zu of them partition columns\n", opts.table, cli->run.dry_run ? "would be created" : "created", made.columns,
               made.partition_columns);
}

const struct dp_tool table_create = {
    .name = "create", .summary = "make an empty table from a contract", .args = "TABLE", .synopsis = "TABLE -c CONTRACT [--by KEY]... [--property KEY=VALUE]...",
    .options = create_options, .conf_size = sizeof(struct create_conf), .common = DP_COMMON_CONTRACT | DP_COMMON_DRY_RUN | DP_COMMON_JSON,
    .min_args = 1, .max_args = 1, .run = run_create};
