/*
 * A graph of lineage as one HTML page: the sources in graph_page/ with the graph as JSON between them.
 * The page refers to nothing outside itself.  Names are data: they stand in a JSON block in which no tag can begin, and the page's policy names its one script and
 * one style by their hashes, so that nothing else could run or load even if it got in.
 */
#include "graph_page.h" /* graph_page_html, _css, _js: made by the build */

#include <dp/base/crypto.h>
#include <dp/record/json.h>
#include <dp/rules/graph.h>

/* Strings of the data block, each once, in the order of their first use. */
struct strings {
    struct dp_map map;
};

static void add_string(struct strings *s, struct dp_buf *b, struct dp_str text) {
    bool is_new = false;
    struct dp_map_item *item = dp_map_put(&s->map, text.n ? text : DP_STR(""), &is_new);
    if (is_new) item->v.u = s->map.n - 1;
    dp_buf_addf(b, "%llu,", (unsigned long long)item->v.u);
}

static void add_number(struct dp_buf *b, int64_t n) { dp_buf_addf(b, "%lld,", (long long)n); }
static void add_id(struct dp_buf *b, uint32_t id) { add_number(b, id == DP_GRAPH_NONE ? -1 : (int64_t)id); }
static void add_seconds(struct dp_buf *b, int64_t micros) { add_number(b, micros / 1000000); }
static void add_count(struct dp_buf *b, uint64_t n) { add_number(b, n > (uint64_t)1 << 53 ? -1 : (int64_t)n); }

static void open_list(struct dp_buf *b, const char *key) { dp_buf_addf(b, ",\n\"%s\":[", key); }
static void close_list(struct dp_buf *b) {
    if (b->p[b->n - 1] == ',') b->n--;
    dp_buf_addc(b, ']');
}

static void add_nodes(const struct dp_graph *g, const struct dp_graph_layout *l, struct strings *s, struct dp_buf *b) {
    open_list(b, "n");
    for (size_t v = 0; v < g->n_drawn; v++) {
        const struct dp_graph_node *n = &g->nodes[v];
        add_number(b, n->kind);
        add_string(s, b, n->ns);
        add_string(s, b, n->name);
        add_string(s, b, n->type);
        add_string(s, b, n->text);
        add_string(s, b, n->state);
        add_seconds(b, n->first_at);
        add_seconds(b, n->last_at);
        add_seconds(b, n->due_at);
        add_number(b, n->is_focus);
        add_number(b, l->spots[v].part);
        add_number(b, l->spots[v].layer);
        add_number(b, l->spots[v].x);
        add_number(b, l->spots[v].y);
        add_number(b, n->files);
        add_string(s, b, n->programs);
    }
    close_list(b);
    open_list(b, "t");
    for (uint32_t v = 0; v < g->n_drawn; v++) {
        if (l->trunk_at[v] == l->trunk_at[v + 1]) continue;
        add_number(b, v);
        add_number(b, l->trunk_at[v + 1] - l->trunk_at[v]);
        for (uint32_t i = l->trunk_at[v]; i < l->trunk_at[v + 1]; i++) add_number(b, l->trunk[i].x), add_number(b, l->trunk[i].y);
    }
    close_list(b);
    open_list(b, "c");
    for (size_t v = g->n_drawn; v < g->n_nodes; v++) {
        const struct dp_graph_node *n = &g->nodes[v];
        add_id(b, n->dataset);
        add_string(s, b, n->name);
        add_string(s, b, n->type);
        add_string(s, b, n->text);
        add_string(s, b, n->state);
    }
    close_list(b);
}

static void add_edges(const struct dp_graph *g, struct dp_buf *b) {
    open_list(b, "f");
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct dp_graph_edge *e = &g->edges[i];
        if (i == g->n_flows) close_list(b), open_list(b, "e");
        add_id(b, e->src);
        add_id(b, e->dst);
        add_id(b, e->job);
        if (i >= g->n_flows) add_number(b, (int64_t)(e->how | (e->masking ? 1024u : 0u)));
        add_seconds(b, e->first_at);
        add_seconds(b, e->last_at);
        if (i < g->n_flows) add_count(b, e->runs);
    }
    close_list(b);
    if (g->n_edges == g->n_flows) dp_buf_addz(b, ",\n\"e\":[]");
}

static void add_rest(const struct dp_graph *g, struct strings *s, struct dp_buf *b) {
    open_list(b, "o");
    for (size_t i = 0; i < g->n_notes; i++) {
        add_id(b, g->notes[i].node);
        add_number(b, g->notes[i].what);
        add_string(s, b, g->notes[i].a);
        add_string(s, b, g->notes[i].b);
    }
    close_list(b);
    open_list(b, "r");
    for (size_t i = 0; i < g->n_runs; i++) {
        const struct dp_graph_run *r = &g->runs[i];
        add_id(b, r->node);
        add_string(s, b, r->id);
        add_string(s, b, r->state);
        add_seconds(b, r->started_at);
        add_seconds(b, r->ended_at);
        add_count(b, r->rows);
        add_count(b, r->bytes);
    }
    close_list(b);
}

/* JSON in which no tag begins or ends and no entity stands. */
static void add_guarded(struct dp_buf *b, const struct dp_buf *json) {
    for (size_t i = 0; i < json->n; i++) {
        char c = json->p[i];
        if (c == '<' || c == '>' || c == '&') dp_buf_addf(b, "\\u%04x", (unsigned)c);
        else dp_buf_addc(b, c);
    }
}

static void add_data(const struct dp_graph *g, const struct dp_graph_layout *l, const struct dp_graph_view *v, struct dp_buf *b) {
    struct strings s = {0};
    struct dp_buf json = {0};
    dp_buf_addz(&json, "{\"title\":");
    dp_json_add_string(&json, v->title);
    dp_buf_addf(&json, ",\"asOf\":%lld,\"open\":%d", (long long)(g->as_of / 1000000), v->columns);
    add_nodes(g, l, &s, &json);
    add_edges(g, &json);
    add_rest(g, &s, &json);
    open_list(&json, "s");
    for (size_t i = 0; i < s.map.n; i++) {
        dp_json_add_string(&json, s.map.items[i].key);
        dp_buf_addc(&json, ',');
    }
    close_list(&json);
    dp_buf_addc(&json, '}');
    add_guarded(b, &json);
    dp_buf_release(&json);
    dp_map_release(&s.map);
}

static void add_hash(struct dp_buf *b, const char *directive, const char *text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t hash[DP_SHA256_SIZE + 1] = {0};
    dp_sha256(text, strlen(text), hash);
    dp_buf_addf(b, "%s 'sha256-", directive);
    for (size_t i = 0; i < DP_SHA256_SIZE; i += 3) {
        uint32_t three = (uint32_t)hash[i] << 16 | (uint32_t)hash[i + 1] << 8 | (i + 2 < DP_SHA256_SIZE ? hash[i + 2] : 0u);
        for (int k = 18; k >= (i + 2 < DP_SHA256_SIZE ? 0 : 6); k -= 6) dp_buf_addc(b, digits[three >> k & 63]);
    }
    dp_buf_addz(b, "='; ");
}

static void add_policy(struct dp_buf *b) {
    dp_buf_addz(b, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ");
    add_hash(b, "script-src", graph_page_js);
    add_hash(b, "style-src", graph_page_css);
    dp_buf_addz(b, "img-src data: blob:; base-uri 'none'; form-action 'none'\">");
}

static void add_markup(struct dp_buf *b, struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '&') dp_buf_addz(b, "&amp;");
        else if (s.p[i] == '<') dp_buf_addz(b, "&lt;");
        else dp_buf_addc(b, s.p[i]);
    }
}

void dp_graph_html(const struct dp_graph *g, const struct dp_graph_layout *l, const struct dp_graph_view *v, struct dp_buf *b) {
    static const char *const marks[] = {"@policy@", "@title@", "@style@", "@data@", "@script@"};
    const char *from = graph_page_html;
    for (int i = 0; i < 5; i++) {
        const char *mark = strstr(from, marks[i]);
        if (!mark) break;
        dp_buf_add(b, from, (size_t)(mark - from));
        from = mark + strlen(marks[i]);
        if (i == 0) add_policy(b);
        else if (i == 1) add_markup(b, v->title);
        else if (i == 2) dp_buf_addz(b, graph_page_css);
        else if (i == 3) add_data(g, l, v, b);
        else dp_buf_addz(b, graph_page_js);
    }
    dp_buf_addz(b, from);
}
