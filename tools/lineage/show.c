/*
 * dp-lineage show: all that is known of a dataset, a column or a job, on one page.
 *
 * Sections of which nothing is known are left out.  In JSON each is an array of objects, and what is said in single words are members of their own.
 */
#include "lineage.h"

#include <stdlib.h>

struct show_conf {
    const char *store;
    int64_t limit;
};

static const struct dp_opt show_options[] = {LINEAGE_STORE(show_conf),
    DP_OPT_INT(show_conf, limit, "limit", 0, "N", "runs, changes and neighbours: the newest N of each; 0: all", 0, INT32_MAX, .def = "10"), DP_OPT_END};

enum { MOST_CELLS = 10 };

/* A page on its way out: rows of a section wait until their widths are known. */
struct page {
    struct dp_cli *cli;
    struct dp_catalog *c;
    struct dp_catalog_args args;
    const struct dp_classes *classes;
    const char *node_field;     /* only this column's row; NULL: all */
    struct dp_buf out, cells;   /* cells: texts, each with NUL behind it */
    size_t n_rows, n_cells, width[MOST_CELLS];
    bool json;
};

/* ---- tables ---- */

/* Characters, not bytes. */
static size_t width_of(const char *s) {
    size_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void end_cell(struct page *p, size_t from, size_t i) {
    dp_buf_addc(&p->cells, 0);
    size_t w = width_of(p->cells.p + from);
    if (w > p->width[i]) p->width[i] = w;
}

static void print_table(struct page *p, const char *title) {
    const char *cell = p->cells.p;
    if (p->n_rows) dp_buf_addf(&p->out, "%s\n", title);
    for (size_t r = 0; r < p->n_rows; r++) {
        size_t pad = 2;
        for (size_t i = 0; i < p->n_cells; i++) {
            size_t w = width_of(cell);
            if (w) {
                for (; pad; pad--) dp_buf_addc(&p->out, ' ');
                dp_buf_addz(&p->out, cell);
            }
            if (p->width[i]) pad += p->width[i] - w + 2;
            cell += strlen(cell) + 1;
        }
        dp_buf_addc(&p->out, '\n');
    }
    dp_buf_reset(&p->cells);
    p->n_rows = 0;
    memset(p->width, 0, sizeof p->width);
}

/* A row: its cells, and behind a column's what is known of its class.  Members that are null are left out of the JSON. */
static enum dp_status on_row(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err) {
    struct page *p = ctx;
    const struct dp_class *class = NULL;
    bool columns = n && !strcmp(cells[n - 1].name, "field"), first = true;
    (void)err;
    if (columns) class = dp_classes_find(p->classes, cells[--n].number);
    if (columns && p->node_field && !dp_str_eqz(cells[1].text, p->node_field)) return DP_OK;
    if (p->json) dp_buf_addz(&p->cells, p->n_rows ? ",{" : "{");
    for (size_t i = 0; i < n && i < MOST_CELLS; i++) {
        size_t from = p->cells.n;
        if (!p->json && !cells[i].is_null) lineage_add_cell(&p->cells, &cells[i], false);
        if (!p->json) end_cell(p, from, i);
        if (!p->json || cells[i].is_null) continue;
        dp_buf_addf(&p->cells, "%s\"%s\":", first ? "" : ",", cells[i].name), first = false;
        lineage_add_cell(&p->cells, &cells[i], true);
    }
    if (columns && !p->json) {
        size_t from = p->cells.n;
        if (class) lineage_add_class(p->c, class, false, &p->cells);
        char *tab = class ? memchr(p->cells.p + from, '\t', p->cells.n - from) : NULL;
        if (tab) *tab = ' ';
        end_cell(p, from, n++);
    } else if (class) {
        lineage_add_class(p->c, class, true, &p->cells);
    }
    if (p->json) dp_buf_addc(&p->cells, '}');
    p->n_cells = n;
    p->n_rows++;
    return DP_OK;
}

static enum dp_status section(struct page *p, enum dp_catalog_question q, const char *key, const char *title, struct dp_err *err) {
    if (p->json) dp_buf_addc(&p->cells, '[');
    DP_TRY(dp_catalog_ask(p->c, q, &p->args, on_row, p, err));
    if (!p->json) return print_table(p, title), DP_OK;
    dp_buf_addc(&p->cells, ']');
    dp_cli_report(p->cli, key, dp_buf_str(&p->cells));
    dp_buf_reset(&p->cells);
    p->n_rows = 0;
    return DP_OK;
}

/* ---- single words ---- */

static enum dp_status on_about(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err) {
    struct page *p = ctx;
    struct dp_buf b = {0};
    (void)err;
    for (size_t i = 0; i < n; i++) {
        if (cells[i].is_null) continue;
        dp_buf_reset(&b);
        lineage_add_cell(&b, &cells[i], p->json);
        if (p->json) {
            dp_cli_report(p->cli, cells[i].name, dp_buf_str(&b));
            continue;
        }
        dp_buf_addz(&p->out, "  ");
        for (const char *z = cells[i].name; *z; z++) dp_buf_addc(&p->out, *z == '_' ? ' ' : *z);
        for (size_t w = strlen(cells[i].name); w < 20; w++) dp_buf_addc(&p->out, ' ');
        dp_buf_adds(&p->out, dp_buf_str(&b)), dp_buf_addc(&p->out, '\n');
    }
    dp_buf_release(&b);
    return DP_OK;
}

/* The columns that a column is made from, and those that are made from it, one job away. */
static enum dp_status column_neighbours(struct page *p, const struct dp_catalog_node *node, struct dp_err *err) {
    enum dp_status status = DP_OK;
    for (int down = 0; down < 2 && status == DP_OK; down++) {
        const struct dp_walk_conf conf = {.down = down, .columns = true, .depth = 1, .as_of = INT64_MAX};
        struct dp_walk w = {0};
        struct dp_buf b = {0};
        size_t n = 0;
        status = dp_catalog_walk(p->c, node, 1, &conf, &w, err);
        for (size_t i = 0; i < w.n && status == DP_OK; i++) {
            if (w.v[i].kind != 'c') continue;
            if (!p->json) dp_buf_addz(&b, "  ");
            status = lineage_add_node(p->c, &w.v[i], true, p->json, !n++, &b, err);
        }
        if (p->json) {
            struct dp_buf list = {0};
            dp_buf_addf(&list, "[%s]", dp_buf_z(&b));
            dp_cli_report(p->cli, down ? "to" : "from", dp_buf_str(&list));
            dp_buf_release(&list);
        } else if (n) {
            dp_buf_addf(&p->out, "%s\n%s", down ? "into" : "made from", dp_buf_z(&b));
        }
        dp_buf_release(&b);
        dp_walk_release(&w);
    }
    return status;
}

static enum dp_status show_column(struct page *p, const struct dp_catalog_node *node, struct dp_err *err) {
    p->node_field = node->field;
    DP_TRY(section(p, DP_ASK_COLUMNS, "columns", "column", err));
    DP_TRY(section(p, DP_ASK_TAGS, "tags", "tags", err));
    return column_neighbours(p, node, err);
}

static enum dp_status show(struct page *p, const struct dp_catalog_node *node, struct dp_err *err) {
    static const struct { enum dp_catalog_question q; const char *key, *title; bool of_job; } sections[] = {
        {DP_ASK_OWNED, "owners", "owners", true}, {DP_ASK_TAGS, "tags", "tags", true}, {DP_ASK_COLUMNS, "columns", "columns", false}, {DP_ASK_CHECKS, "checks", "checks", false},
        {DP_ASK_METRICS, "metrics", "metrics (nulls, distinct values)", false}, {DP_ASK_SCHEMAS, "schema_changes", "changes of the schema", false},
        {DP_ASK_RUNS, "runs", "runs", true}, {DP_ASK_FROM, "from", "from", true}, {DP_ASK_TO, "to", "to", true}};
    if (node->kind == 'c') return show_column(p, node, err);
    DP_TRY(dp_catalog_ask(p->c, DP_ASK_ABOUT, &p->args, on_about, p, err));
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (node->kind == 'd' || sections[i].of_job) DP_TRY(section(p, sections[i].q, sections[i].key, sections[i].title, err));
    return DP_OK;
}

static void begin_page(struct page *p, const struct dp_catalog_node *node) {
    const char *kind = node->kind == 'd' ? "dataset" : node->kind == 'j' ? "job" : "column";
    if (p->json) {
        dp_cli_report_str(p->cli, "kind", dp_str_z(kind));
        dp_cli_report_str(p->cli, "namespace", dp_str_z(node->ns)), dp_cli_report_str(p->cli, "name", dp_str_z(node->name));
        if (node->field) dp_cli_report_str(p->cli, "column", dp_str_z(node->field));
        return;
    }
    dp_buf_addf(&p->out, "%s ", kind);
    lineage_add_name(node, &p->out);
    dp_buf_addc(&p->out, '\n');
}

static enum dp_status run_show(struct dp_cli *cli, struct dp_err *err) {
    const struct show_conf *conf = cli->conf;
    struct dp_catalog_node n = {0};
    struct dp_classes classes = {0};
    struct page p = {.cli = cli, .json = cli->common.json, .classes = &classes};
    enum dp_status status = lineage_open(conf->store, DP_CATALOG_READ, &p.c, err);
    if (status == DP_OK) status = lineage_find(p.c, cli->args[0], "dcj", &n, err);
    p.args = (struct dp_catalog_args){.job = n.kind == 'j' ? n.id : 0, .dataset = n.kind == 'j' ? 0 : n.dataset, .field = n.kind == 'c' ? n.id : 0, .from = INT64_MIN, .to = INT64_MAX, .limit = conf->limit};
    if (status == DP_OK && n.kind != 'j') status = dp_catalog_classes(p.c, &n.dataset, 1, &classes, err);
    if (status == DP_OK) begin_page(&p, &n);
    if (status == DP_OK) status = show(&p, &n, err);
    if (status == DP_OK && !p.json) status = dp_out_write(cli->run.out, p.out.p, p.out.n, err);
    dp_buf_release(&p.out), dp_buf_release(&p.cells);
    dp_classes_release(&classes);
    dp_catalog_node_release(&n);
    dp_catalog_close(p.c);
    return status;
}

const struct dp_tool lineage_show = {
    .name = "show", .summary = "tell all that is known of a dataset, column or job", .args = "NODE", .synopsis = "NODE [--limit N]", .options = show_options,
    .conf_size = sizeof(struct show_conf), .common = DP_COMMON_JSON, .min_args = 1, .max_args = 1, .run = run_show};
