/* dp-table convert: a directory of Parquet files becomes a table where it stands. */
#include "table.h"

#include <dp/io/convert.h>

struct convert_conf {
    const char *by;
};

static const struct dp_opt convert_options[] = {
    DP_OPT_STRING(convert_conf, by, "by", 0, "NAME TYPE,...", "types of the columns that name=value directories make (default: the contract's, else by their values)"),
    DP_OPT_END};

static enum dp_status run_convert(struct dp_cli *cli, struct dp_err *err) {
    const struct convert_conf *conf = cli->conf;
    const struct dp_convert_opts o = {.dir = cli->args[0], .by = conf->by, .contract = cli->common.contract};
    struct dp_converted done;
    DP_TRY(dp_convert_directory(&cli->run, &o, &done, err));
    dp_cli_report_u64(cli, "files", done.files);
    dp_cli_report_i64(cli, "rows", done.rows);
    dp_cli_report_i64(cli, "bytes", done.bytes);
    if (done.passed_over) dp_cli_report_u64(cli, "passed_over", done.passed_over);
    return dp_cli_say(cli, err, "%s: %s a table, %zu files, %lld rows, %zu columns, %zu of them partition columns\n", o.dir, cli->run.dry_run ? "would be" : "is", done.files,
                     (long long)done.rows, done.columns, done.partition_columns);
}

const struct dp_tool table_convert = {
    .name = "convert", .summary = "make a directory of Parquet files a table, where it stands", .args = "TABLE", .synopsis = "DIR [--by 'NAME TYPE,...'] [-c CONTRACT]",
    .options = convert_options, .conf_size = sizeof(struct convert_conf), .common = DP_COMMON_CONTRACT | DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 1, .max_args = 1,
    .run = run_convert};
