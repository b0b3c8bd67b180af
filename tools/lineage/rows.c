/*
 * dp-lineage runs, orphans, stale, diff and export: questions whose answers are rows, and the events themselves.
 */
#include "lineage.h"

struct rows_conf {
    const char *store, *job, *dataset;
    int64_t since, until, limit, older;
    bool failed, with_failed, unread, unwritten;
};

#define OF_JOB DP_OPT_STRING(rows_conf, job, "job", 'J', "JOB", "of this job")
#define OF_DATASET DP_OPT_STRING(rows_conf, dataset, "dataset", 'D', "DATASET", "of runs that read or wrote it")
#define SINCE DP_OPT_TIME(rows_conf, since, "since", 0, "TIME", "from then on", .def = "0001-01-01T00:00:00Z")
#define UNTIL DP_OPT_TIME(rows_conf, until, "until", 0, "TIME", "up to then", .def = "9999-12-31T23:59:59Z", .up_to = true)

static const struct dp_opt runs_options[] = {LINEAGE_STORE(rows_conf), DP_OPT_FLAG(rows_conf, failed, "failed", 0, "only runs that ended in FAIL or ABORT"), SINCE, UNTIL,
                                             DP_OPT_INT(rows_conf, limit, "limit", 0, "N", "only the newest N", 0, INT32_MAX), DP_OPT_END};
static const struct dp_opt orphans_options[] = {LINEAGE_STORE(rows_conf), DP_OPT_FLAG(rows_conf, unread, "unread", 0, "only what nobody reads", .conflicts = "unwritten"),
                                                DP_OPT_FLAG(rows_conf, unwritten, "unwritten", 0, "only what nobody writes"), DP_OPT_END};
static const struct dp_opt stale_options[] = {LINEAGE_STORE(rows_conf), DP_OPT_DURATION(rows_conf, older, "older", 0, "D", "last written longer ago than this", 0, 0, .def = "1d"), DP_OPT_END};
static const struct dp_opt diff_options[] = {LINEAGE_STORE(rows_conf), DP_OPT_TIME(rows_conf, since, "from", 0, "TIME", "the earlier time", .required = true),
                                             DP_OPT_TIME(rows_conf, until, "to", 0, "TIME", "the later time", .def = "9999-12-31T23:59:59Z", .up_to = true), LINEAGE_WITH_FAILED(rows_conf), DP_OPT_END};
static const struct dp_opt export_options[] = {LINEAGE_STORE(rows_conf), OF_JOB, OF_DATASET, SINCE, UNTIL, DP_OPT_END};

static enum dp_status find_id(struct dp_catalog *c, const char *text, const char *kinds, struct dp_catalog_args *args, struct dp_err *err) {
    struct dp_catalog_node n = {0};
    if (!text) return DP_OK;
    DP_TRY(lineage_find(c, text, kinds, &n, err));
    if (n.kind == 'j') args->job = n.id;
    else args->dataset = n.dataset;
    dp_catalog_node_release(&n);
    return DP_OK;
}

static enum dp_status answer(struct dp_cli *cli, enum dp_catalog_question q, struct dp_catalog_args args, const char *node, const char *key, uint64_t *n, struct dp_err *err) {
    const struct rows_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK) status = find_id(c, node, "dj", &args, err);
    if (status == DP_OK) status = lineage_answer(cli, c, q, &args, key, n, err);
    dp_catalog_close(c);
    return status;
}

static enum dp_status run_runs(struct dp_cli *cli, struct dp_err *err) {
    const struct rows_conf *conf = cli->conf;
    uint64_t n;
    return answer(cli, DP_ASK_RUNS, (struct dp_catalog_args){.from = conf->since, .to = conf->until, .failed = conf->failed, .limit = conf->limit}, cli->n_args ? cli->args[0] : NULL, "runs", &n, err);
}

static enum dp_status run_orphans(struct dp_cli *cli, struct dp_err *err) {
    const struct rows_conf *conf = cli->conf;
    uint64_t n;
    return answer(cli, DP_ASK_ORPHANS, (struct dp_catalog_args){.unread = conf->unread, .unwritten = conf->unwritten}, NULL, "orphans", &n, err);
}

static enum dp_status run_stale(struct dp_cli *cli, struct dp_err *err) {
    const struct rows_conf *conf = cli->conf;
    int64_t now = cli->run.now_micros, bound;
    uint64_t n = 0;
    if (__builtin_mul_overflow(conf->older, 1000, &bound) || __builtin_sub_overflow(now, bound, &bound)) return dp_err_set(err, DP_USAGE, "--older: out of range");
    DP_TRY(answer(cli, DP_ASK_STALE, (struct dp_catalog_args){.from = now, .to = bound}, cli->n_args ? cli->args[0] : NULL, "stale", &n, err));
    if (!n) return DP_OK;
    return dp_err_set(err, DP_RULE, "%llu dataset%s not been written for longer than that", (unsigned long long)n, n == 1 ? " has" : "s have");
}

static enum dp_status run_diff(struct dp_cli *cli, struct dp_err *err) {
    const struct rows_conf *conf = cli->conf;
    uint64_t n = 0;
    if (conf->since > conf->until) return dp_err_set(err, DP_USAGE, "--from is later than --to");
    DP_TRY(answer(cli, DP_ASK_DIFF, (struct dp_catalog_args){.from = conf->since, .to = conf->until, .failed = conf->with_failed}, NULL, "differences", &n, err));
    dp_cli_report(cli, "differ", n ? DP_STR("true") : DP_STR("false"));
    return n ? dp_err_set(err, DP_RULE, "%llu difference%s", (unsigned long long)n, n == 1 ? "" : "s") : DP_OK;
}

struct printing {
    struct dp_cli *cli;
    struct dp_buf line;
    uint64_t n;
};

static enum dp_status on_event(void *ctx, struct dp_str event, struct dp_err *err) {
    struct printing *p = ctx;
    if (dp_run_stopped(&p->cli->run, err)) return DP_SIGNALLED;
    dp_buf_reset(&p->line);
    dp_buf_adds(&p->line, event), dp_buf_addc(&p->line, '\n');
    p->n++;
    return dp_out_write(p->cli->run.out, p->line.p, p->line.n, err);
}

static enum dp_status run_export(struct dp_cli *cli, struct dp_err *err) {
    const struct rows_conf *conf = cli->conf;
    struct printing p = {.cli = cli};
    struct dp_catalog *c = NULL;
    struct dp_catalog_args args = {.from = conf->since, .to = conf->until};
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK) status = find_id(c, conf->job, "j", &args, err);
    if (status == DP_OK) status = find_id(c, conf->dataset, "d", &args, err);
    if (status == DP_OK) status = dp_catalog_events(c, &args, on_event, &p, err);
    dp_cli_report_u64(cli, "events", p.n);
    dp_buf_release(&p.line);
    dp_catalog_close(c);
    return status;
}

const struct dp_tool lineage_runs = {
    .name = "runs", .summary = "list runs, newest first", .args = "NODE", .synopsis = "[NODE] [--failed] [--since TIME] [--limit N]", .options = runs_options,
    .conf_size = sizeof(struct rows_conf), .common = DP_COMMON_JSON, .min_args = 0, .max_args = 1, .run = run_runs};
const struct dp_tool lineage_orphans = {
    .name = "orphans", .summary = "list datasets that nobody reads or nobody writes", .synopsis = "[--unread | --unwritten]", .options = orphans_options,
    .conf_size = sizeof(struct rows_conf), .common = DP_COMMON_JSON, .min_args = 0, .max_args = 0, .run = run_orphans};
const struct dp_tool lineage_stale = {
    .name = "stale", .summary = "list datasets that were not written for long", .args = "DATASET", .synopsis = "[DATASET] [--older D]", .options = stale_options,
    .conf_size = sizeof(struct rows_conf), .common = DP_COMMON_JSON, .min_args = 0, .max_args = 1, .run = run_stale};
const struct dp_tool lineage_diff = {
    .name = "diff", .summary = "tell what changed in the graph between two times", .synopsis = "--from TIME [--to TIME]", .options = diff_options,
    .conf_size = sizeof(struct rows_conf), .common = DP_COMMON_JSON, .min_args = 0, .max_args = 0, .run = run_diff};
const struct dp_tool lineage_export = {
    .name = "export", .summary = "print the events again, as they came", .synopsis = "[--job JOB] [--dataset DATASET] [--since TIME]", .options = export_options,
    .conf_size = sizeof(struct rows_conf), .common = 0, .min_args = 0, .max_args = 0, .run = run_export};
