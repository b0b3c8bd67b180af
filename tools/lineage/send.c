/*
 * dp-lineage send: what waits in the spool, to its receivers.
 *
 * Every run does it on its way, in the little time that it has; this one waits.  The receivers are those that programs have (dp/io/lineage_send.h).
 */
#include "lineage.h"

#include <dp/io/lineage_send.h>

#include <stdlib.h>
#include <unistd.h>

struct send_conf {
    int64_t wait;
};

static const struct dp_opt send_options[] = {
    DP_OPT_DURATION(send_conf, wait, "wait", 0, "D", "give up a receiver after this long (default: 30s)", 1, 86400000),
    DP_OPT_END};

static enum dp_status run_send(struct dp_cli *cli, struct dp_err *err) {
    const struct send_conf *conf = cli->conf;
    struct dp_lineage_conf *to = NULL;
    struct dp_lineage_flushed f = {0, 0, 0};
    char *own = dp_lineage_told() == DP_LINEAGE_UNTOLD ? dp_catalog_default() : NULL; /* dp-run's, where nobody is named */
    if (own && (access(own, F_OK) == 0 || dp_lineage_waits(own))) setenv("DP_LINEAGE", own, 1);
    free(own);
    DP_TRY(dp_lineage_conf_load(&to, err));
    if (!to) return dp_err_set(err, DP_USAGE, "no receiver is named: DP_LINEAGE, openlineage.yml or OPENLINEAGE_URL names one");
    enum dp_status status = dp_lineage_flush(&cli->run, to, cli->run.dry_run ? 0 : conf->wait ? conf->wait : 30000, &f, err);
    dp_cli_report_u64(cli, "sent", f.sent);
    dp_cli_report_u64(cli, "waiting", f.waiting);
    dp_cli_report_u64(cli, "refused", f.rejected);
    if (status == DP_OK || status == DP_AGAIN) {
        struct dp_err late = DP_ERR_INIT;
        enum dp_status said = dp_cli_say(cli, &late, "%zu events sent, %zu waiting, %zu refused\n", f.sent, f.waiting, f.rejected);
        if (status == DP_OK && said != DP_OK) *err = late, status = said;
    }
    return status;
}

const struct dp_tool lineage_send = {
    .name = "send", .summary = "send the events that wait in the spool", .synopsis = "[--wait D]", .options = send_options, .conf_size = sizeof(struct send_conf),
    .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 0, .max_args = 0, .run = run_send};
