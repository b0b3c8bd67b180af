/*
 * dp-lineage up and down: where a dataset, job or column came from, and what it feeds.
 */
#include "lineage.h"

struct walk_conf {
    const char *store;
    int64_t depth, as_of;
    bool columns, current, with_failed, apart;
};

static const struct dp_opt walk_options[] = {
    LINEAGE_STORE(walk_conf),
    DP_OPT_INT(walk_conf, depth, "depth", 'd', "N", "at most N datasets away; 0: as far as it goes", 0, INT32_MAX),
    DP_OPT_FLAG(walk_conf, columns, "columns", 0, "by columns, also where a dataset is asked for"),
    DP_OPT_TIME(walk_conf, as_of, "as-of", 0, "TIME", "only what was seen up to then", .def = "9999-12-31T23:59:59Z", .up_to = true),
    DP_OPT_FLAG(walk_conf, current, "current", 0, "only what the latest run of each job read and wrote"),
    LINEAGE_WITH_FAILED(walk_conf),
    DP_OPT_FLAG(walk_conf, apart, "apart", 0, "names that symlinks call the same dataset are each their own"),
    DP_OPT_END};

static const char *const level_words[] = {"", "unknown", "indirect", "masked", "direct"};

enum dp_status lineage_add_node(struct dp_catalog *c, const struct dp_walk_node *n, bool how, bool json, bool first, struct dp_buf *b, struct dp_err *err)
{
    struct dp_catalog_node names = {0}, by = {0};
    enum dp_status status = dp_catalog_view(c, n->kind, n->id, &names, err);
    if (status == DP_OK && n->by && json) status = dp_catalog_view(c, 'j', n->by, &by, err);
    if (status == DP_OK && json) {
        dp_buf_addz(b, first ? "{" : ",{");
        lineage_add_json(&names, b);
        dp_buf_addf(b, ",\"depth\":%d", n->depth);
        if (how) dp_buf_addf(b, ",\"how\":\"%s\"", level_words[n->level]);
        if (n->rows) dp_buf_addf(b, ",\"rows\":\"%s\"", level_words[n->rows]);
        if (n->by) dp_buf_addz(b, ",\"by\":{"), lineage_add_json(&by, b), dp_buf_addc(b, '}');
        dp_buf_addc(b, '}');
    } else if (status == DP_OK) {
        dp_json_add_i64(b, n->depth);
        dp_buf_addz(b, n->kind == 'd' ? "\tdataset\t" : n->kind == 'j' ? "\tjob\t" : "\tcolumn\t");
        if (how) dp_buf_addz(b, level_words[n->level]), dp_buf_addc(b, '\t');
        lineage_add_name(&names, b);
        dp_buf_addz(b, n->rows >= DP_WALK_INDIRECT ? "\trows\n" : "\n");
    }
    return status;
}

enum dp_status lineage_print_walk(struct dp_cli *cli, struct dp_catalog *c, const struct dp_walk *w, bool columns, struct dp_err *err)
{
    struct dp_buf b = {0};
    uint64_t counts[3] = {0};
    enum dp_status status = DP_OK;
    if (cli->common.json) dp_buf_addc(&b, '[');
    for (size_t i = 0; i < w->n && status == DP_OK; i++) {
        counts[w->v[i].kind == 'd' ? 0 : w->v[i].kind == 'j' ? 1 : 2]++;
        status = lineage_add_node(c, &w->v[i], columns, cli->common.json, i == 0, &b, err);
        if (cli->common.json || b.n < (1 << 16)) continue;
        if (status == DP_OK) status = dp_out_write(cli->run.out, b.p, b.n, err);
        dp_buf_reset(&b);
    }
    if (cli->common.json) {
        dp_buf_addc(&b, ']');
        dp_cli_report(cli, "nodes", dp_buf_str(&b));
    } else if (status == DP_OK) {
        status = dp_out_write(cli->run.out, b.p, b.n, err);
    }
    dp_cli_report_u64(cli, "datasets", counts[0]);
    dp_cli_report_u64(cli, "jobs", counts[1]);
    if (columns) dp_cli_report_u64(cli, "columns", counts[2]);
    dp_buf_release(&b);
    return status;
}

static enum dp_status walk(struct dp_cli *cli, bool down, struct dp_err *err)
{
    const struct walk_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    struct dp_catalog_node start = {0};
    struct dp_walk w = {0};
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK) status = lineage_find(c, cli->args[0], "dcj", &start, err);
    bool columns = conf->columns || start.kind == 'c';
    if (status == DP_OK && columns && start.kind == 'j') status = dp_err_set(err, DP_USAGE, "--columns: %s is a job, which has none", cli->args[0]);
    const struct dp_walk_conf wc = {.down = down, .columns = columns, .current = conf->current, .with_failed = conf->with_failed, .apart = conf->apart, .depth = conf->depth, .as_of = conf->as_of};
    if (status == DP_OK) status = dp_catalog_walk(c, &start, 1, &wc, &w, err);
    if (status == DP_OK && cli->common.json) {
        struct dp_buf b = {0};
        dp_buf_addc(&b, '{'), lineage_add_json(&start, &b), dp_buf_addc(&b, '}');
        dp_cli_report(cli, "of", dp_buf_str(&b));
        dp_buf_release(&b);
    }
    if (status == DP_OK) status = lineage_print_walk(cli, c, &w, columns, err);
    dp_walk_release(&w);
    dp_catalog_node_release(&start);
    dp_catalog_close(c);
    return status;
}

static enum dp_status run_up(struct dp_cli *cli, struct dp_err *err) { return walk(cli, false, err); }
static enum dp_status run_down(struct dp_cli *cli, struct dp_err *err) { return walk(cli, true, err); }

const struct dp_tool lineage_up = {
    .name = "up", .summary = "tell where a dataset, job or column came from", .args = "NODE", .synopsis = "NODE [--depth N] [--columns] [--as-of TIME] [--current]", .options = walk_options,
    .conf_size = sizeof(struct walk_conf), .common = DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_up};
const struct dp_tool lineage_down = {
    .name = "down", .summary = "tell what a dataset, job or column feeds", .args = "NODE", .synopsis = "NODE [--depth N] [--columns] [--as-of TIME] [--current]", .options = walk_options,
    .conf_size = sizeof(struct walk_conf), .common = DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_down};
