/*
 * dp-lineage up and down: where a dataset, job or column came from, and what it feeds.
 */
#include "lineage.h"

struct walk_conf {
    const char *store;
    int64_t depth, as_of;
    bool columns, current, with_failed, apart, each, direct;
};

static const struct dp_opt walk_options[] = {
    LINEAGE_STORE(walk_conf),
    DP_OPT_INT(walk_conf, depth, "depth", 'd', "N", "at most N datasets away; 0: as far as it goes", 0, INT32_MAX),
    DP_OPT_FLAG(walk_conf, columns, "columns", 0, "by columns, also where a dataset is asked for"),
    DP_OPT_TIME(walk_conf, as_of, "as-of", 0, "TIME", "only what was seen up to then", .def = "9999-12-31T23:59:59Z", .up_to = true),
    DP_OPT_FLAG(walk_conf, current, "current", 0, "only what the latest run of each job read and wrote"),
    LINEAGE_WITH_FAILED(walk_conf),
    LINEAGE_EACH(walk_conf),
    LINEAGE_DIRECT(walk_conf),
    DP_OPT_FLAG(walk_conf, apart, "apart", 0, "names that symlinks call the same dataset are each their own"),
    DP_OPT_END};

void lineage_whole(struct dp_walk *w) {
    size_t kept = 0;
    for (size_t i = 0; i < w->n; i++)
        if (w->v[i].kind != 'c') w->v[kept++] = w->v[i];
    w->n = kept;
}

static enum dp_status walk(struct dp_cli *cli, bool down, struct dp_err *err) {
    const struct walk_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    struct lineage_nodes starts = {0};
    struct dp_walk w = {0};
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK) status = lineage_find_all(c, cli->args[0], "dcj", &starts, err);
    char kind = starts.n ? starts.v[0].kind : 'd';
    bool columns = conf->columns || kind == 'c';
    if (status == DP_OK && columns && kind == 'j') status = dp_err_set(err, DP_USAGE, "--columns: %s is a job, which has none", cli->args[0]);
    const struct dp_walk_conf wc = {.down = down, .columns = columns || (conf->direct && kind == 'd'), .values = conf->direct, .current = conf->current, .with_failed = conf->with_failed, .apart = conf->apart, .depth = lineage_depth(cli, conf->direct, conf->depth), .as_of = conf->as_of};
    if (status == DP_OK) status = dp_catalog_walk(c, starts.v, starts.n, &wc, &w, err);
    if (!columns) lineage_whole(&w);
    if (status == DP_OK && cli->common.json) {
        struct dp_buf b = {0};
        lineage_add_asked(&starts, &b);
        dp_cli_report(cli, "of", dp_buf_str(&b));
        dp_buf_release(&b);
    }
    if (status == DP_OK) status = lineage_print_walk(cli, c, &w, columns, conf->each, NULL, err);
    dp_walk_release(&w);
    lineage_nodes_release(&starts);
    dp_catalog_close(c);
    return status;
}

static enum dp_status run_up(struct dp_cli *cli, struct dp_err *err) { return walk(cli, false, err); }
static enum dp_status run_down(struct dp_cli *cli, struct dp_err *err) { return walk(cli, true, err); }

const struct dp_tool lineage_up = {
    .name = "up", .summary = "tell where a dataset, job or column came from", .args = "NODE", .synopsis = "NODE [--depth N] [--columns] [--direct] [--as-of TIME] [--current]", .options = walk_options,
    .conf_size = sizeof(struct walk_conf), .common = DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_up};
const struct dp_tool lineage_down = {
    .name = "down", .summary = "tell what a dataset, job or column feeds", .args = "NODE", .synopsis = "NODE [--depth N] [--columns] [--direct] [--as-of TIME] [--current]", .options = walk_options,
    .conf_size = sizeof(struct walk_conf), .common = DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_down};
