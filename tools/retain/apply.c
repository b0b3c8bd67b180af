/* dp-retain apply: carries a plan out. */
#include "retain.h"

#include <dp/io/retain_plan.h>

struct apply_conf {
    const char *audit, *reason;
};

static const struct dp_opt apply_options[] = {
    RETAIN_AUDIT(apply_conf),
    DP_OPT_STRING(apply_conf, reason, "reason", 0, "TEXT", "why, for the audit log"),
    DP_OPT_END};

static enum dp_status say(void *ctx, struct dp_str lines, struct dp_err *err) {
    struct dp_cli *cli = ctx;
    return cli->common.json ? DP_OK : dp_out_write(cli->run.out, lines.p, lines.n, err);
}

static enum dp_status run_apply(struct dp_cli *cli, struct dp_err *err) {
    const struct apply_conf *conf = cli->conf;
    const struct dp_retain_apply_opts o = {.plan = cli->args[0], .audit = conf->audit, .why = conf->reason, .say = say, .ctx = cli};
    struct dp_retain_applied d;
    enum dp_status status = dp_retain_apply(&cli->run, &o, &d, err);
    const struct { const char *key; uint64_t n; } rows[] = {
        {"tables", d.tables}, {"tables_out_of_date", d.stale}, {"tables_done_before", d.done_before}, {"commits", d.commits}, {"rows", d.rows}, {"files_removed", d.files_removed},
        {"files_added", d.files_added}, {"deletion_vectors", d.vectors}, {"old_files", d.old_files}, {"old_bytes", d.old_bytes}, {"leftovers", d.leftovers}, {"tier_files", d.tier_files}, {"tier_bytes", d.tier_bytes}, {"rewritten", d.rewritten},
        {"tables_held", d.held}, {"held_files", d.held_files}, {"held_bytes", d.held_bytes}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) dp_cli_report_u64(cli, rows[i].key, rows[i].n);
    if (status != DP_OK) return status;
    if (!d.tables && cli->common.skip_empty) return dp_err_set(err, DP_EMPTY, "nothing is planned");
    if (d.tier_files) DP_TRY(dp_cli_say(cli, err, "%llu files of %llu bytes %s to a tier\n", (unsigned long long)d.tier_files, (unsigned long long)d.tier_bytes, cli->run.dry_run ? "would move" : "moved"));
    return dp_cli_say(cli, err, "%llu tables: %llu rows, %llu files, %llu old files of %llu bytes%s\n", (unsigned long long)d.tables, (unsigned long long)d.rows,
                      (unsigned long long)d.files_removed, (unsigned long long)d.old_files, (unsigned long long)d.old_bytes, cli->run.dry_run ? " would go" : "");
}

const struct dp_tool retain_apply = {
    .name = "apply", .summary = "carry a plan of dp-retain plan out", .args = "FILE", .synopsis = "[--audit DIR] [--reason TEXT] PLAN",
    .options = apply_options, .conf_size = sizeof(struct apply_conf), .common = DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_DRY_RUN | DP_COMMON_JSON | DP_COMMON_EMPTY | DP_COMMON_PROGRESS,
    .min_args = 1, .max_args = 1, .run = run_apply};
