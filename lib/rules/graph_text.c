/*
 * A graph of lineage as DOT (Graphviz) and as Mermaid.
 * Ids are numbers, names stand in labels alone, and there only escaped: in DOT's quoted strings and HTML-like labels, in Mermaid as entity codes.
 */
#include <dp/base/limits.h>
#include <dp/rules/graph.h>

/* What follows the last slash; all of it where nothing does. */
static struct dp_str short_name(struct dp_str s) {
    size_t at = s.n;
    while (at && s.p[at - 1] != '/') at--;
    return at < s.n ? dp_str(s.p + at, s.n - at) : s;
}

/* How many a node stands for, as it follows its name. */
static void add_number(const struct dp_graph_node *n, const char *before, const char *behind, struct dp_buf *b) {
    if (n->files) dp_buf_addf(b, "%s%u files%s", before, n->files, behind);
    else if (n->n_programs) dp_buf_addf(b, "%s%u program%s%s", before, n->n_programs, n->n_programs == 1 ? "" : "s", behind);
}

static const char *edge_color(const struct dp_graph_edge *e) { return e->masking ? "#0a7d5a" : e->how & DP_GRAPH_DIRECT ? "#2f5fd0" : "#98a2b3"; }

/* ---- DOT ---- */

static void add_quoted(struct dp_buf *b, struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') dp_buf_addc(b, '\\');
        dp_buf_addc(b, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
}

static void add_markup(struct dp_buf *b, struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '&') dp_buf_addz(b, "&amp;");
        else if (c == '<') dp_buf_addz(b, "&lt;");
        else if (c == '>') dp_buf_addz(b, "&gt;");
        else if (c == '"') dp_buf_addz(b, "&quot;");
        else dp_buf_addc(b, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
    if (!s.n) dp_buf_addc(b, ' '); /* an empty cell is no label */
}

/* A table of its columns; each row is a port that column edges end at. */
static void dot_table(const struct dp_graph *g, uint32_t v, struct dp_buf *b) {
    dp_buf_addz(b, "shape=plain, label=<<TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"0\" CELLPADDING=\"4\"><TR><TD PORT=\"t\" BGCOLOR=\"#e6edfb\"><B>");
    add_markup(b, short_name(g->nodes[v].name));
    dp_buf_addz(b, "</B>");
    add_number(&g->nodes[v], " (", ")", b);
    dp_buf_addz(b, "</TD></TR>");
    for (uint32_t c = g->columns[v]; c < g->columns[v + 1]; c++) {
        dp_buf_addf(b, "<TR><TD PORT=\"c%u\" ALIGN=\"LEFT\">", c);
        add_markup(b, g->nodes[c].name);
        if (g->nodes[c].type.n) {
            dp_buf_addz(b, " <FONT COLOR=\"#667085\">");
            add_markup(b, g->nodes[c].type);
            dp_buf_addz(b, "</FONT>");
        }
        dp_buf_addz(b, "</TD></TR>");
    }
    dp_buf_addz(b, "</TABLE>>");
}

static void dot_node(const struct dp_graph *g, const struct dp_graph_layout *l, const struct dp_graph_view *view, uint32_t v, struct dp_buf *b) {
    const struct dp_graph_node *n = &g->nodes[v];
    bool is_job = n->kind == DP_GRAPH_JOB;
    dp_buf_addf(b, "  n%u [", v);
    if (view->columns && !is_job && g->columns[v + 1] > g->columns[v]) dot_table(g, v, b);
    else {
        dp_buf_addz(b, is_job ? "shape=box, style=\"rounded,filled\", fillcolor=\"#fdf0e1\", label=\"" : "shape=cylinder, style=filled, fillcolor=\"#e6edfb\", label=\"");
        add_quoted(b, is_job ? n->name : short_name(n->name));
        add_number(n, "\\n", "", b);
        dp_buf_addc(b, '"');
    }
    dp_buf_addz(b, ", tooltip=\"");
    add_quoted(b, n->ns);
    dp_buf_addc(b, ' ');
    add_quoted(b, n->name);
    dp_buf_addf(b, "\", pos=\"%d,%d\"", l->spots[v].x + DP_GRAPH_CARD_WIDTH / 2, -l->spots[v].y - DP_GRAPH_CARD_HEIGHT / 2);
    if (n->is_focus) dp_buf_addz(b, ", penwidth=3");
    dp_buf_addz(b, "];\n");
}

/* Between datasets and jobs each pair once: several edges of one job share it. */
static void dot_pair(struct dp_map *met, uint32_t a, uint32_t c, struct dp_buf *b) {
    uint32_t pair[2] = {a, c};
    bool is_new = false;
    if (a == DP_GRAPH_NONE || c == DP_GRAPH_NONE) return;
    dp_map_put(met, dp_str((const char *)pair, sizeof pair), &is_new);
    if (is_new) dp_buf_addf(b, "  n%u -> n%u;\n", a, c);
}

static void dot_end(const struct dp_graph *g, uint32_t v, struct dp_buf *b) {
    if (g->nodes[v].kind == DP_GRAPH_COLUMN) dp_buf_addf(b, "n%u:c%u", g->nodes[v].dataset, v);
    else if (g->columns[v + 1] > g->columns[v]) dp_buf_addf(b, "n%u:t", v);
    else dp_buf_addf(b, "n%u", v);
}

void dp_graph_dot(const struct dp_graph *g, const struct dp_graph_layout *l, const struct dp_graph_view *view, struct dp_buf *b) {
    struct dp_map met = {0};
    dp_buf_addz(b, "digraph \"");
    add_quoted(b, view->title);
    dp_buf_addz(b, "\" {\n  rankdir=LR;\n  node [fontname=\"Helvetica\", fontsize=11];\n  edge [color=\"#98a2b3\"];\n");
    for (uint32_t v = 0; v < g->n_drawn; v++) dot_node(g, l, view, v, b);
    for (size_t i = 0; i < g->n_flows; i++) {
        const struct dp_graph_edge *e = &g->edges[i];
        if (e->job == DP_GRAPH_NONE) dot_pair(&met, e->src, e->dst, b);
        else dot_pair(&met, e->src, e->job, b), dot_pair(&met, e->job, e->dst, b);
    }
    for (size_t i = g->n_flows; view->columns && i < g->n_edges; i++) {
        const struct dp_graph_edge *e = &g->edges[i];
        dp_buf_addz(b, "  ");
        dot_end(g, e->src, b);
        dp_buf_addz(b, " -> ");
        dot_end(g, e->dst, b);
        dp_buf_addf(b, " [color=\"%s\", style=%s, constraint=false];\n", edge_color(e), e->how & DP_GRAPH_DIRECT ? e->masking ? "bold" : "solid" : "dashed");
    }
    dp_buf_addz(b, "}\n");
    dp_map_release(&met);
}

/* ---- Mermaid ---- */

/* Anything that its grammar or its Markdown could take for more than text is an entity code. */
static void add_entities(struct dp_buf *b, struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80 || (c && memchr(" ./:-", c, 5));
        if (plain) dp_buf_addc(b, (char)c);
        else if (c < 0x20 || c == 0x7f) dp_buf_addc(b, ' ');
        else dp_buf_addf(b, "#%u;", c);
    }
    if (!s.n) dp_buf_addc(b, ' ');
}

static void mermaid_node(const struct dp_graph *g, const struct dp_graph_view *view, uint32_t v, struct dp_buf *b) {
    const struct dp_graph_node *n = &g->nodes[v];
    if (view->columns && n->kind == DP_GRAPH_DATASET && g->columns[v + 1] > g->columns[v]) {
        dp_buf_addf(b, "  subgraph n%u[\"", v);
        add_entities(b, short_name(n->name));
        add_number(n, " - ", "", b);
        dp_buf_addz(b, "\"]\n");
        for (uint32_t c = g->columns[v]; c < g->columns[v + 1]; c++) {
            dp_buf_addf(b, "    n%u[\"", c);
            add_entities(b, g->nodes[c].name);
            dp_buf_addz(b, "\"]\n");
        }
        dp_buf_addz(b, "  end\n");
        return;
    }
    dp_buf_addf(b, n->kind == DP_GRAPH_JOB ? "  n%u([\"" : "  n%u[(\"", v);
    add_entities(b, n->kind == DP_GRAPH_JOB ? n->name : short_name(n->name));
    add_number(n, " - ", "", b);
    dp_buf_addf(b, n->kind == DP_GRAPH_JOB ? "\"]):::job\n" : "\")]:::dataset\n");
}

static void mermaid_pair(struct dp_map *met, uint32_t a, uint32_t c, struct dp_buf *b) {
    uint32_t pair[2] = {a, c};
    bool is_new = false;
    if (a == DP_GRAPH_NONE || c == DP_GRAPH_NONE) return;
    dp_map_put(met, dp_str((const char *)pair, sizeof pair), &is_new);
    if (is_new) dp_buf_addf(b, "  n%u --> n%u\n", a, c);
}

enum dp_status dp_graph_mermaid(const struct dp_graph *g, const struct dp_graph_view *view, struct dp_buf *b, struct dp_err *err) {
    struct dp_map met = {0};
    size_t from = b->n, n_edges;
    dp_buf_addz(b, "flowchart LR\n  classDef dataset fill:#e6edfb,stroke:#2f5fd0,color:#101828\n  classDef job fill:#fdf0e1,stroke:#c4731a,color:#101828\n");
    for (uint32_t v = 0; v < g->n_drawn; v++) mermaid_node(g, view, v, b);
    for (size_t i = 0; i < g->n_flows; i++) {
        const struct dp_graph_edge *e = &g->edges[i];
        if (e->job == DP_GRAPH_NONE) mermaid_pair(&met, e->src, e->dst, b);
        else mermaid_pair(&met, e->src, e->job, b), mermaid_pair(&met, e->job, e->dst, b);
    }
    n_edges = met.n;
    dp_map_release(&met);
    for (size_t i = g->n_flows; view->columns && i < g->n_edges; i++, n_edges++) {
        const struct dp_graph_edge *e = &g->edges[i];
        dp_buf_addf(b, "  n%u %s n%u\n", e->src, !(e->how & DP_GRAPH_DIRECT) ? "-.->" : e->masking ? "==>" : "-->", e->dst);
    }
    size_t n_bytes = b->n - from;
    if (n_edges <= DP_LIMIT_MERMAID_EDGES && n_bytes <= DP_LIMIT_MERMAID_BYTES) return DP_OK;
    b->n = from;
    return dp_err_set(err, DP_LIMIT, "a Mermaid diagram has at most %u edges and %u bytes, this one would have %zu and %zu: ask for a part (a name, --depth) or for another form (--to html)",
        DP_LIMIT_MERMAID_EDGES, DP_LIMIT_MERMAID_BYTES, n_edges, n_bytes);
}
