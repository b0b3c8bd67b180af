/* dp-retain plan: what rules of retention let go, of which tables, and why; nothing is changed. */
#include "retain.h"

#include <dp/io/retain_plan.h>

struct plan_conf {
    struct dp_opt_list rules;
    const char *output;
};

static const struct dp_opt plan_options[] = {
    DP_OPT_LIST(plan_conf, rules, "rules", 'r', "FILE", "rules of retention: YAML, or the lifecycle configuration of an S3 bucket as JSON"),
    DP_OPT_PATH(plan_conf, output, "output", 'o', "PLAN", "write the plan, for dp-retain apply"),
    DP_OPT_END};

static enum dp_status say(void *ctx, struct dp_str lines, struct dp_err *err) {
    struct dp_cli *cli = ctx;
    return cli->common.json ? DP_OK : dp_out_write(cli->run.out, lines.p, lines.n, err);
}

static void report(struct dp_cli *cli, const struct dp_retain_totals *t) {
    const struct { const char *key; uint64_t n; } rows[] = {
        {"tables", t->tables}, {"tables_to_do", t->to_do}, {"tables_refused", t->refused}, {"files", t->files}, {"bytes", t->bytes}, {"rewrites", t->rewrites},
        {"rewrite_bytes", t->rewrite_bytes}, {"rows_least", t->rows_least}, {"rows_most", t->rows_most}, {"tables_rows_unknown", t->rows_unknown},
        {"versions_stay", t->versions_stay}, {"versions_go", t->versions_go}, {"old_files", t->old_files}, {"old_bytes", t->old_bytes}, {"leftovers", t->leftovers},
        {"tier_files", t->tier_files}, {"tier_bytes", t->tier_bytes},
        {"tables_held", t->held}, {"held_files", t->held_files}, {"held_bytes", t->held_bytes}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) dp_cli_report_u64(cli, rows[i].key, rows[i].n);
}

static enum dp_status run_plan(struct dp_cli *cli, struct dp_err *err) {
    const struct plan_conf *conf = cli->conf;
    const struct dp_retain_plan_opts o = {.rules = conf->rules.v, .n_rules = conf->rules.n, .contract = cli->common.contract, .tables = cli->args, .n_tables = cli->n_args,
                                          .output = conf->output, .say = say, .ctx = cli};
    struct dp_retain_totals t;
    enum dp_status worst;
    DP_TRY(dp_retain_plan(&cli->run, &o, &t, &worst, err));
    if (!o.n_rules && !o.contract && !t.ruled && worst == DP_OK)
        return dp_err_set(err, DP_USAGE, "no table keeps a contract with slaProperties of retention: -r FILE or -c CONTRACT is needed");
    report(cli, &t);
    DP_TRY(dp_cli_say(cli, err, "%llu of %llu tables: %llu files go whole, %llu in part; %llu versions go, %llu stay; %llu old files of %llu bytes, %llu leftovers\n",
                      (unsigned long long)t.to_do, (unsigned long long)t.tables, (unsigned long long)t.files, (unsigned long long)t.rewrites, (unsigned long long)t.versions_go,
                      (unsigned long long)t.versions_stay, (unsigned long long)t.old_files, (unsigned long long)t.old_bytes, (unsigned long long)t.leftovers));
    if (t.tier_files) DP_TRY(dp_cli_say(cli, err, "%llu files of %llu bytes move to a tier\n", (unsigned long long)t.tier_files, (unsigned long long)t.tier_bytes));
    if (worst != DP_OK) return dp_err_set(err, worst, "%llu tables could not be planned", (unsigned long long)t.refused);
    if (!t.to_do && cli->common.skip_empty) return dp_err_set(err, DP_EMPTY, "nothing goes");
    return DP_OK;
}

const struct dp_tool retain_plan = {
    .name = "plan", .summary = "say what rules of retention let go, and why; change nothing", .args = "TABLE", .synopsis = "[-r FILE]... [-c CONTRACT] [-o PLAN] TABLE|DIR...",
    .options = plan_options, .conf_size = sizeof(struct plan_conf), .common = DP_COMMON_CONTRACT | DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_DRY_RUN | DP_COMMON_JSON | DP_COMMON_EMPTY | DP_COMMON_PROGRESS,
    .min_args = 1, .max_args = -1, .no_lineage = "*", .run = run_plan};
