/* A graph of lineage as JSON: the form that dp-lineage(1) tells of, for other programs to draw or to ask. */
#include <dp/base/time.h>
#include <dp/record/json.h>
#include <dp/rules/graph.h>

static void add_text(struct dp_buf *b, const char *key, struct dp_str s) {
    if (!s.n) return;
    dp_buf_addf(b, ",\"%s\":", key);
    dp_json_add_string(b, s);
}

static void add_time(struct dp_buf *b, const char *key, int64_t at) {
    char when[40];
    if (!at) return;
    size_t n = dp_time_print_micros(when, at, true, -1);
    dp_buf_addf(b, ",\"%s\":\"%.*s\"", key, (int)n, when);
}

static void add_count(struct dp_buf *b, const char *key, uint64_t n) {
    if (n != UINT64_MAX) dp_buf_addf(b, ",\"%s\":%llu", key, (unsigned long long)n);
}

/* The notes of one kind of node v, from *i on; those of a node stand together, in order of their kinds. */
static void add_notes(const struct dp_graph *g, uint32_t v, enum dp_graph_what what, size_t *i, struct dp_buf *b) {
    static const char *const names[] = {"tags", "owners", "classification"}, *const first[] = {"key", "name", NULL}, *const second[] = {"value", "type", NULL};
    bool any = false;
    for (; *i < g->n_notes && g->notes[*i].node == v && g->notes[*i].what == what; (*i)++, any = true) {
        const struct dp_graph_note *n = &g->notes[*i];
        if (any) dp_buf_addc(b, ',');
        else dp_buf_addf(b, ",\"%s\":[", names[what]);
        if (!first[what]) {
            dp_json_add_string(b, n->a);
            continue;
        }
        dp_buf_addf(b, "{\"%s\":", first[what]);
        dp_json_add_string(b, n->a);
        add_text(b, second[what], n->b);
        dp_buf_addc(b, '}');
    }
    if (any) dp_buf_addc(b, ']');
}

static void add_runs(const struct dp_graph *g, uint32_t v, size_t *i, struct dp_buf *b) {
    bool any = false;
    for (; *i < g->n_runs && g->runs[*i].node == v; (*i)++, any = true) {
        const struct dp_graph_run *r = &g->runs[*i];
        dp_buf_addz(b, any ? ",{\"id\":" : ",\"runs\":[{\"id\":");
        dp_json_add_string(b, r->id);
        add_text(b, "state", r->state);
        add_time(b, "startedAt", r->started_at);
        add_time(b, "endedAt", r->ended_at);
        add_count(b, "rows", r->rows);
        add_count(b, "bytes", r->bytes);
        dp_buf_addc(b, '}');
    }
    if (any) dp_buf_addc(b, ']');
}

static void add_node(const struct dp_graph *g, const struct dp_graph_layout *l, uint32_t v, size_t *note, size_t *run, struct dp_buf *b) {
    static const char *const kinds[] = {"dataset", "job", "column"};
    const struct dp_graph_node *n = &g->nodes[v];
    dp_buf_addf(b, "{\"id\":%u,\"kind\":\"%s\"", v, kinds[n->kind]);
    if (n->kind == DP_GRAPH_COLUMN) dp_buf_addf(b, ",\"dataset\":%u", n->dataset);
    else {
        dp_buf_addz(b, ",\"namespace\":");
        dp_json_add_string(b, n->ns);
    }
    dp_buf_addz(b, ",\"name\":");
    dp_json_add_string(b, n->name);
    if (n->files) add_count(b, "files", n->files);
    for (size_t i = 0, end; i < n->programs.n; i = end + 2) {
        const char *comma = memchr(n->programs.p + i, ',', n->programs.n - i);
        end = comma ? (size_t)(comma - n->programs.p) : n->programs.n;
        dp_buf_addf(b, "%s\"%.*s\"%s", i ? "," : ",\"programs\":[", (int)(end - i), n->programs.p + i, comma ? "" : "]");
    }
    add_text(b, "type", n->type);
    add_text(b, "description", n->text);
    add_text(b, "state", n->state);
    add_time(b, "firstAt", n->first_at);
    add_time(b, "lastAt", n->last_at);
    add_time(b, "dueAt", n->due_at);
    while (*note < g->n_notes && g->notes[*note].node < v) (*note)++;
    for (unsigned what = DP_GRAPH_TAG; what <= DP_GRAPH_CLASS; what++) add_notes(g, v, (enum dp_graph_what)what, note, b);
    while (*run < g->n_runs && g->runs[*run].node < v) (*run)++;
    add_runs(g, v, run, b);
    if (n->is_focus) dp_buf_addz(b, ",\"focus\":true");
    if (v < g->n_drawn) dp_buf_addf(b, ",\"part\":%u,\"layer\":%u,\"x\":%d,\"y\":%d", l->spots[v].part, l->spots[v].layer, l->spots[v].x, l->spots[v].y);
    dp_buf_addc(b, '}');
}

static void add_edge(const struct dp_graph_edge *e, struct dp_buf *b) {
    static const char *const how[] = {"IDENTITY", "TRANSFORMATION", "AGGREGATION", "JOIN", "GROUP_BY", "FILTER", "SORT", "WINDOW", "CONDITIONAL", "INDIRECT"};
    bool any = false;
    dp_buf_addc(b, '{');
    if (e->src != DP_GRAPH_NONE) dp_buf_addf(b, "\"from\":%u,", e->src);
    if (e->dst != DP_GRAPH_NONE) dp_buf_addf(b, "\"to\":%u,", e->dst);
    if (e->job != DP_GRAPH_NONE) dp_buf_addf(b, "\"job\":%u,", e->job);
    for (unsigned i = 0; i < 10; i++)
        if (e->how >> i & 1) dp_buf_addf(b, any ? ",\"%s\"" : "\"how\":[\"%s\"", how[i]), any = true;
    if (any) dp_buf_addf(b, "],\"masking\":%s,", e->masking ? "true" : "false");
    b->n--; /* the last comma gives way to what follows */
    add_time(b, "firstAt", e->first_at);
    add_time(b, "lastAt", e->last_at);
    if (e->runs) add_count(b, "runs", e->runs);
    dp_buf_addc(b, '}');
}

void dp_graph_json(const struct dp_graph *g, const struct dp_graph_layout *l, const struct dp_graph_view *view, struct dp_buf *b) {
    size_t note = 0, run = 0, n_nodes = view->columns ? g->n_nodes : g->n_drawn, n_edges = view->columns ? g->n_edges : g->n_flows;
    dp_buf_addz(b, "{\"graph\":1,\"title\":");
    dp_json_add_string(b, view->title);
    add_time(b, "asOf", g->as_of);
    dp_buf_addz(b, ",\"nodes\":[");
    for (uint32_t v = 0; v < n_nodes; v++) {
        if (v) dp_buf_addc(b, ',');
        dp_buf_addc(b, '\n');
        add_node(g, l, v, &note, &run, b);
    }
    dp_buf_addz(b, "],\"edges\":[");
    for (size_t i = 0; i < n_edges; i++) {
        if (i) dp_buf_addc(b, ',');
        dp_buf_addc(b, '\n');
        add_edge(&g->edges[i], b);
    }
    dp_buf_addz(b, "]}\n");
}
