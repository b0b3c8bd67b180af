/*
 * dp-lineage path: a shortest way from one node to another, down the lineage or, where there is none, up.
 */
#include "lineage.h"

#include <stdlib.h>

struct path_conf {
    const char *store;
    int64_t as_of;
    bool current, with_failed, apart;
};

static const struct dp_opt path_options[] = {
    LINEAGE_STORE(path_conf), DP_OPT_TIME(path_conf, as_of, "as-of", 0, "TIME", "only what was seen up to then", .def = "9999-12-31T23:59:59Z", .up_to = true),
    DP_OPT_FLAG(path_conf, current, "current", 0, "only what the latest run of each job read and wrote"),
    LINEAGE_WITH_FAILED(path_conf),
    DP_OPT_FLAG(path_conf, apart, "apart", 0, "names that symlinks call the same dataset are each their own"), DP_OPT_END};

static const struct dp_walk_node *find_node(const struct dp_walk *w, char kind, int64_t id) {
    for (size_t i = 0; i < w->n; i++)
        if (w->v[i].kind == kind && w->v[i].id == id) return &w->v[i];
    return NULL;
}

/* The way back from the end to the start; nodes are chained by those of their kind. */
static size_t trace(const struct dp_walk *w, const struct dp_catalog_node *end, const struct dp_walk_node **way, size_t most) {
    size_t n = 0;
    char kind = end->kind;
    const struct dp_walk_node *x = find_node(w, kind, end->id);
    while (x && n < most) {
        way[n++] = x;
        x = x->from ? find_node(w, x->kind == 'j' ? 'd' : x->kind, x->from) : NULL;
    }
    return n;
}

/*
 * Downwards a walk tells what depends on a column by way of its rows dataset by dataset; upwards it is told column by column.  So a way down that leads over rows is
 * found from its end, and how each column on it depends on the start is what the walk down says, or by its rows.
 */
static enum dp_status trace_rows(struct dp_catalog *c, const struct dp_walk_conf *down, const struct dp_catalog_node *a, const struct dp_catalog_node *b, const struct dp_walk *w,
                                 struct dp_walk_node **own, const struct dp_walk_node ***way, size_t *n, struct dp_err *err) {
    struct dp_walk_conf wc = *down;
    struct dp_walk up = {0};
    wc.down = false;
    enum dp_status status = dp_catalog_walk(c, b, 1, &wc, &up, err);
    const struct dp_walk_node **back = dp_calloc(up.n + 1, sizeof *back);
    if (status == DP_OK) *n = trace(&up, a, back, up.n);
    *own = dp_calloc(*n + 1, sizeof **own);
    free(*way);
    *way = dp_calloc(*n + 1, sizeof **way);
    for (size_t i = 0; i < *n; i++) { /* step i leads from back[i] to the next, the last to the end */
        struct dp_walk_node *x = &(*own)[i];
        *x = i + 1 < *n ? *back[i + 1] : (struct dp_walk_node){.kind = 'c', .id = b->id, .dataset = b->dataset};
        const struct dp_walk_node *known = find_node(w, 'c', x->id);
        x->by = back[i]->by;
        x->depth = back[0]->depth - x->depth;
        x->level = known ? known->level : DP_WALK_INDIRECT;
        (*way)[*n - 1 - i] = x;
    }
    free(back);
    dp_walk_release(&up);
    return status;
}

static enum dp_status print_way(struct dp_cli *cli, struct dp_catalog *c, const struct dp_catalog_node *from, const struct dp_walk_node **way, size_t n, bool columns, struct dp_err *err) {
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    bool json = cli->common.json;
    if (json) {
        dp_buf_addz(&b, "[{"), lineage_add_json(from, &b), dp_buf_addz(&b, ",\"depth\":0}");
    } else {
        dp_buf_addf(&b, "0\t%s\t%s", from->kind == 'd' ? "dataset" : from->kind == 'j' ? "job" : "column", columns ? "direct\t" : "");
        lineage_add_name(from, &b);
        dp_buf_addc(&b, '\n');
    }
    for (size_t i = n; i-- > 0 && status == DP_OK;) {
        if (way[i]->by && way[i]->kind != 'j') {
            const struct dp_walk_node job = {.kind = 'j', .id = way[i]->by, .depth = way[i]->depth, .level = way[i]->level};
            status = lineage_add_node(c, &job, columns, json, false, &b, err);
        }
        if (status == DP_OK) status = lineage_add_node(c, way[i], columns, json, false, &b, err);
    }
    if (json) dp_buf_addc(&b, ']'), dp_cli_report(cli, "path", dp_buf_str(&b));
    else if (status == DP_OK) status = lineage_write(cli, &b, err);
    dp_buf_release(&b);
    return status;
}

/* Of several ends the nearest, the first by name; NULL: none is reached. */
static const struct dp_catalog_node *nearest(const struct dp_walk *w, const struct lineage_nodes *ends) {
    const struct dp_catalog_node *best = NULL;
    int32_t depth = INT32_MAX;
    for (size_t i = 0; i < ends->n; i++) {
        const struct dp_walk_node *x = find_node(w, ends->v[i].kind, ends->v[i].id);
        if (x && x->depth < depth) best = &ends->v[i], depth = x->depth;
    }
    return best;
}

/* Of several starts that from which the way's first step leads. */
static const struct dp_catalog_node *start_of(const struct lineage_nodes *starts, const struct dp_walk_node *first) {
    for (size_t i = 0; i < starts->n; i++)
        if (starts->v[i].kind == first->kind && starts->v[i].id == first->from) return &starts->v[i];
    return &starts->v[0];
}

static enum dp_status run_path(struct dp_cli *cli, struct dp_err *err) {
    const struct path_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    struct lineage_nodes starts = {0}, ends = {0};
    const struct dp_catalog_node *a = NULL, *b = NULL;
    struct dp_walk w = {0};
    struct dp_walk_node *own = NULL;
    const struct dp_walk_node **way = NULL;
    size_t n = 0;
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK) status = lineage_find_all(c, cli->args[0], "dcj", &starts, err);
    if (status == DP_OK) status = lineage_find_all(c, cli->args[1], "dcj", &ends, err);
    const bool columns = starts.n && starts.v[0].kind == 'c';
    if (status == DP_OK && columns != (ends.v[0].kind == 'c')) status = dp_err_set(err, DP_USAGE, "a way from a column leads to columns: name one of both, or of neither");
    for (int down = 1; down >= 0 && status == DP_OK && !n; down--) {
        const struct dp_walk_conf wc = {.down = down, .columns = columns, .current = conf->current, .with_failed = conf->with_failed, .apart = conf->apart, .as_of = conf->as_of};
        status = dp_catalog_walk(c, starts.v, starts.n, &wc, &w, err);
        free(way);
        way = dp_calloc(w.n + 1, sizeof *way);
        b = nearest(&w, &ends);
        if (status == DP_OK && b) n = trace(&w, b, way, w.n);
        if (n) a = start_of(&starts, way[n - 1]);
        for (size_t i = 0; status == DP_OK && !n && down && columns && i < starts.n * ends.n; i++) {
            a = &starts.v[i / ends.n];
            free(own), own = NULL;
            status = trace_rows(c, &wc, a, &ends.v[i % ends.n], &w, &own, &way, &n, err);
        }
        if (!n) continue;
        dp_cli_report_str(cli, "direction", down ? DP_STR("down") : DP_STR("up"));
        if (!down) dp_run_log(&cli->run, DP_LOG_INFO, "%.200s does not come from %.200s; the other way round it does: dp-lineage path %.200s %.200s", cli->args[1], cli->args[0], cli->args[1], cli->args[0]);
    }
    if (status == DP_OK && !n) status = dp_err_set(err, DP_RULE, "no way leads from %.200s to %.200s, nor back", cli->args[0], cli->args[1]);
    if (status == DP_OK) status = print_way(cli, c, a, way, n, columns, err);
    free(way), free(own);
    dp_walk_release(&w);
    lineage_nodes_release(&starts), lineage_nodes_release(&ends);
    dp_catalog_close(c);
    return status;
}

const struct dp_tool lineage_path = {
    .name = "path", .summary = "tell a shortest way from one node to another", .args = "NODE", .second = "the node to end at", .synopsis = "FROM TO [--as-of TIME] [--current]", .options = path_options,
    .conf_size = sizeof(struct path_conf), .common = DP_COMMON_JSON, .min_args = 2, .max_args = 2, .run = run_path};
