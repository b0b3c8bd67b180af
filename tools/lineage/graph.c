/*
 * dp-lineage graph: the graph, or the part of it that nodes lie in, as a page to look at, or for other programs to draw.
 */
#include "lineage.h"

#include <dp/base/file.h>
#include <dp/io/catalog_graph.h>

#include <stdlib.h>
#include <unistd.h>

enum { TO_DOT, TO_MERMAID, TO_JSON, TO_HTML, RUNS_SHOWN = 8 };

struct graph_conf {
    const char *store, *output;
    int64_t depth, as_of;
    bool up, down, columns, current, with_failed, each;
    int to, group;
};

static const char *const forms[] = {"dot", "mermaid", "json", "html", NULL}, *const groups[] = {"job", "none", NULL};

static const struct dp_opt graph_options[] = {
    LINEAGE_STORE(graph_conf),
    DP_OPT_INT(graph_conf, depth, "depth", 'd', "N", "at most N datasets away; 0: as far as it goes", 0, INT32_MAX),
    DP_OPT_FLAG(graph_conf, up, "up", 0, "only what the nodes come from", .conflicts = "down"),
    DP_OPT_FLAG(graph_conf, down, "down", 0, "only what comes from them"),
    DP_OPT_FLAG(graph_conf, columns, "columns", 0, "columns and the edges between them; a page has them always and opens with them shown"),
    DP_OPT_TIME(graph_conf, as_of, "as-of", 0, "TIME", "only what was seen up to then", .def = "9999-12-31T23:59:59Z", .up_to = true),
    DP_OPT_FLAG(graph_conf, current, "current", 0, "only what the latest run of each job read and wrote"),
    LINEAGE_WITH_FAILED(graph_conf),
    LINEAGE_EACH(graph_conf),
    DP_OPT_ENUM(graph_conf, group, "group", 0, "WHAT", "programs of one pipeline are one job, or each is its own", groups),
    DP_OPT_ENUM(graph_conf, to, "to", 0, "FORM", "form of the graph", forms),
    DP_OPT_PATH(graph_conf, output, "output", 'o', "FILE", "write it there instead of to standard output"),
    DP_OPT_END};

/* Puts the nodes that were named in focus. */
static enum dp_status focus_on(struct dp_catalog *c, struct dp_graph *g, const char *text, struct dp_err *err) {
    struct lineage_nodes s = {0};
    size_t met = 0;
    DP_TRY(lineage_find_all(c, text, "dcj", &s, err));
    for (size_t i = 0; i < s.n; i++) {
        const struct dp_catalog_node *n = &s.v[i];
        uint32_t d = dp_graph_find(g, n->kind == 'j' ? DP_GRAPH_JOB : DP_GRAPH_DATASET, dp_str_z(n->ns), dp_str_z(n->name)), v = d;
        if (d != DP_GRAPH_NONE && n->kind == 'c') v = dp_graph_find_column(g, d, dp_str_z(n->field));
        if (v == DP_GRAPH_NONE) continue;
        met++;
        g->nodes[v].is_focus = true;
        g->nodes[d].is_apart = s.n == 1; /* a file that is named is that file */
    }
    lineage_nodes_release(&s);
    return met ? DP_OK : dp_err_set(err, DP_USAGE, "%s: it was not yet there at that time", text);
}

static void add_title(const struct dp_cli *cli, struct dp_buf *b) {
    dp_buf_addz(b, cli->n_args ? "Lineage of " : "Lineage");
    for (size_t i = 0; i < cli->n_args; i++) dp_buf_addf(b, "%s%s", i ? ", " : "", cli->args[i]);
}

static enum dp_status print_graph(struct dp_cli *cli, const struct dp_graph *g, struct dp_buf *b, struct dp_err *err) {
    const struct graph_conf *conf = cli->conf;
    struct dp_buf title = {0};
    struct dp_graph_layout l = {0};
    enum dp_status status = DP_OK;
    add_title(cli, &title);
    const struct dp_graph_view view = {.title = dp_buf_str(&title), .columns = conf->columns};
    if (conf->to != TO_MERMAID) dp_graph_lay(g, &l);
    if (conf->to == TO_DOT) dp_graph_dot(g, &l, &view, b);
    else if (conf->to == TO_JSON) dp_graph_json(g, &l, &view, b);
    else if (conf->to == TO_HTML) dp_graph_html(g, &l, &view, b);
    else status = dp_graph_mermaid(g, &view, b, err);
    dp_graph_layout_release(&l);
    dp_buf_release(&title);
    return status;
}

static enum dp_status write_file(const char *path, const struct dp_buf *b, struct dp_err *err) {
    struct dp_newfile f = {0};
    bool direct = false;
    char *final = NULL;
    enum dp_status status;
    dp_side_file(path, &direct, &final);
    if (direct) {
        int fd = dp_side_open(path);
        status = fd < 0 ? dp_err_sys(err, DP_IO, "can't open %s", path) : dp_fd_write(fd, b->p, b->n, err);
        if (fd >= 0) close(fd);
    } else {
        status = dp_newfile_open(&f, final, 0666, err);
        if (status == DP_OK) status = dp_fd_write(f.fd, b->p, b->n, err);
        if (status == DP_OK) status = dp_newfile_commit(&f, err);
        if (status != DP_OK) dp_newfile_abort(&f);
    }
    free(final);
    return status;
}

static enum dp_status run_graph(struct dp_cli *cli, struct dp_err *err) {
    const struct graph_conf *conf = cli->conf;
    struct dp_catalog *c = NULL;
    struct dp_graph g = {0};
    struct dp_buf b = {0};
    const bool some_columns = conf->columns || conf->to == TO_HTML;
    bool column_asked = false;
    for (size_t i = 0; i < cli->n_args; i++) column_asked = column_asked || strchr(cli->args[i], '#');
    const struct dp_catalog_graph_conf gc = {.as_of = conf->as_of, .current = conf->current, .with_failed = conf->with_failed, .columns = some_columns || column_asked,
        .runs = conf->to == TO_HTML || conf->to == TO_JSON ? RUNS_SHOWN : 0};
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &c, err);
    if (status == DP_OK) status = dp_catalog_graph(c, &gc, &g, err);
    for (size_t i = 0; status == DP_OK && i < cli->n_args; i++) status = focus_on(c, &g, cli->args[i], err);
    if (status == DP_OK) {
        if (conf->group == 0) dp_graph_group(&g);
        dp_graph_select(&g, conf->up ? DP_GRAPH_UP : conf->down ? DP_GRAPH_DOWN : DP_GRAPH_BOTH, (uint32_t)conf->depth);
        if (!conf->each) dp_graph_fold(&g);
        dp_graph_settle(&g);
        status = print_graph(cli, &g, &b, err);
    }
    if (status == DP_OK && conf->output) status = write_file(conf->output, &b, err);
    else if (status == DP_OK) status = dp_out_write(cli->run.out, b.p, b.n, err);
    dp_cli_report_u64(cli, "nodes", g.n_nodes);
    dp_cli_report_u64(cli, "edges", g.n_edges);
    dp_buf_release(&b);
    dp_graph_release(&g);
    dp_catalog_close(c);
    return status;
}

const struct dp_tool lineage_graph = {
    .name = "graph", .summary = "draw the graph, or the part of it that nodes lie in", .args = "NODE",
    .synopsis = "[NODE...] [--depth N] [--up | --down] [--columns] [--as-of TIME] [--current] [--each] [--group job|none] [--to dot|mermaid|json|html] [-o FILE]", .options = graph_options,
    .conf_size = sizeof(struct graph_conf), .common = 0, .min_args = 0, .max_args = -1, .run = run_graph};
