/* What the commands of dp-table share. */
#include "table.h"

#include <dp/delta/land.h>

#include <stdio.h>

enum dp_status table_say(struct dp_cli *cli, struct dp_err *err, const char *fmt, ...)
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

enum dp_status table_open(const char *table, const char *as_of, struct dp_delta_snapshot **out, struct dp_err *err)
{
    int64_t version = -1;
    if (as_of) DP_TRY(dp_delta_as_of(table, dp_str_z(as_of), &version, err));
    return dp_delta_open(table, version, out, err);
}

void table_after(struct dp_cli *cli, const char *table, int64_t version)
{
    (void)version;
    dp_delta_staging_sweep(table, cli->run.now_micros / 1000000, 86400);
}
