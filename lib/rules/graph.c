/*
 * The graph of lineage (dp/rules/graph.h): filling it, leaving a part of it, putting it in order.
 * Names are never looked into; what an edge means is the caller's.
 */
#include "graph_priv.h"

#include <dp/base/mem.h>

#include <stdlib.h>

void dp_graph_release(struct dp_graph *g) {
    free(g->nodes);
    free(g->edges);
    free(g->notes);
    free(g->runs);
    free(g->columns);
    dp_map_release(&g->names);
    dp_arena_release(&g->arena);
    *g = (struct dp_graph){0};
}

struct dp_str dp_graph_text(struct dp_graph *g, struct dp_str s) { return s.n ? dp_arena_str(&g->arena, s) : DP_STR(""); }

/* Kind, owner and the length of the first part stand before the text, so that no two things share a key. */
static void make_key(struct dp_buf *key, enum dp_graph_kind kind, uint32_t dataset, struct dp_str ns, struct dp_str name) {
    dp_buf_addf(key, "%d %u %zu ", (int)kind, dataset, ns.n);
    dp_buf_adds(key, ns);
    dp_buf_adds(key, name);
}

static uint32_t find(const struct dp_graph *g, enum dp_graph_kind kind, uint32_t dataset, struct dp_str ns, struct dp_str name) {
    struct dp_buf key = {0};
    make_key(&key, kind, dataset, ns, name);
    const struct dp_map_item *have = dp_map_get(&g->names, dp_buf_str(&key));
    dp_buf_release(&key);
    return have ? (uint32_t)have->v.u : DP_GRAPH_NONE;
}

static uint32_t put(struct dp_graph *g, enum dp_graph_kind kind, uint32_t dataset, struct dp_str ns, struct dp_str name) {
    struct dp_buf key = {0};
    bool is_new = false;
    make_key(&key, kind, dataset, ns, name);
    struct dp_map_item *item = dp_map_put(&g->names, dp_buf_str(&key), &is_new);
    dp_buf_release(&key);
    if (!is_new) return (uint32_t)item->v.u;
    item->v.u = g->n_nodes;
    g->nodes = dp_grow(g->nodes, &g->cap_nodes, g->n_nodes + 1, sizeof *g->nodes);
    g->nodes[g->n_nodes] = (struct dp_graph_node){.kind = kind, .ns = dp_graph_text(g, ns), .name = dp_graph_text(g, name), .dataset = dataset,
        .type = DP_STR(""), .text = DP_STR(""), .state = DP_STR(""), .programs = DP_STR("")};
    return (uint32_t)g->n_nodes++;
}

uint32_t dp_graph_node(struct dp_graph *g, enum dp_graph_kind kind, struct dp_str ns, struct dp_str name) { return put(g, kind, DP_GRAPH_NONE, ns, name); }
uint32_t dp_graph_column(struct dp_graph *g, uint32_t dataset, struct dp_str name) { return put(g, DP_GRAPH_COLUMN, dataset, DP_STR(""), name); }
uint32_t dp_graph_find(const struct dp_graph *g, enum dp_graph_kind kind, struct dp_str ns, struct dp_str name) { return find(g, kind, DP_GRAPH_NONE, ns, name); }
uint32_t dp_graph_find_column(const struct dp_graph *g, uint32_t dataset, struct dp_str name) { return find(g, DP_GRAPH_COLUMN, dataset, DP_STR(""), name); }

void dp_graph_edge(struct dp_graph *g, const struct dp_graph_edge *e) {
    g->edges = dp_grow(g->edges, &g->cap_edges, g->n_edges + 1, sizeof *g->edges);
    g->edges[g->n_edges++] = *e;
}

void dp_graph_note(struct dp_graph *g, uint32_t node, enum dp_graph_what what, struct dp_str a, struct dp_str b) {
    g->notes = dp_grow(g->notes, &g->cap_notes, g->n_notes + 1, sizeof *g->notes);
    g->notes[g->n_notes++] = (struct dp_graph_note){node, what, dp_graph_text(g, a), dp_graph_text(g, b)};
}

void dp_graph_run(struct dp_graph *g, const struct dp_graph_run *r) {
    g->runs = dp_grow(g->runs, &g->cap_runs, g->n_runs + 1, sizeof *g->runs);
    g->runs[g->n_runs] = *r;
    g->runs[g->n_runs].id = dp_graph_text(g, r->id);
    g->runs[g->n_runs++].state = dp_graph_text(g, r->state);
}

/* ---- a part of it ---- */

static bool is_column(const struct dp_graph *g, uint32_t node) { return node != DP_GRAPH_NONE && g->nodes[node].kind == DP_GRAPH_COLUMN; }
static bool is_flow(const struct dp_graph *g, const struct dp_graph_edge *e) { return !is_column(g, e->src) && !is_column(g, e->dst); }

/* Edges by the node at one end: at[v]..at[v + 1] of `list`. */
struct ends {
    uint32_t *at, *list;
};

/* Column edges to a whole dataset stand at each of its columns. */
static struct ends ends_by(const struct dp_graph *g, bool by_src, const struct ends *columns) {
    struct ends r = {dp_calloc(g->n_nodes + 2, sizeof *r.at), NULL};
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < g->n_edges; i++) {
            const struct dp_graph_edge *e = &g->edges[i];
            uint32_t v = by_src ? e->src : e->dst;
            if (v == DP_GRAPH_NONE) continue;
            bool is_whole = !is_flow(g, e) && !is_column(g, v) && columns;
            for (uint32_t k = is_whole ? columns->at[v] : 0, end = is_whole ? columns->at[v + 1] : 1; k < end; k++) {
                uint32_t w = is_whole ? columns->list[k] : v;
                if (pass == 0) r.at[w + 2]++;
                else r.list[r.at[w + 1]++] = (uint32_t)i;
            }
        }
        if (pass) break;
        for (size_t v = 1; v <= g->n_nodes; v++) r.at[v + 1] += r.at[v];
        r.list = dp_alloc((r.at[g->n_nodes + 1] + (size_t)1) * sizeof *r.list);
    }
    return r;
}

static struct ends columns_of(const struct dp_graph *g) {
    struct ends r = {dp_calloc(g->n_nodes + 2, sizeof *r.at), dp_alloc((g->n_nodes + 1) * sizeof *r.list)};
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].kind == DP_GRAPH_COLUMN) r.at[g->nodes[i].dataset + 2]++;
    for (size_t v = 1; v <= g->n_nodes; v++) r.at[v + 1] += r.at[v];
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].kind == DP_GRAPH_COLUMN) r.list[r.at[g->nodes[i].dataset + 1]++] = (uint32_t)i;
    return r;
}

static void ends_release(struct ends *e) {
    free(e->at);
    free(e->list);
}

/* What a walk uses and fills: which nodes and edges stay. */
struct walk {
    const struct dp_graph *g;
    struct ends columns, by_src, by_dst;
    bool *keep, *keep_edge;
    uint32_t *queue, *far;
    size_t n_queue;
};

static void reach(struct walk *w, uint32_t v, uint32_t distance) {
    if (v == DP_GRAPH_NONE || w->far[v] != UINT32_MAX) return;
    w->far[v] = distance;
    w->queue[w->n_queue++] = v;
}

/* Breadth first from all nodes in focus; a job's edges are looked for among all, once for each such job. */
static void walk_way(struct walk *w, bool down, uint32_t depth) {
    const struct dp_graph *g = w->g;
    const struct ends *out = down ? &w->by_src : &w->by_dst;
    for (size_t v = 0; v < g->n_nodes; v++) w->far[v] = UINT32_MAX;
    w->n_queue = 0;
    for (uint32_t v = 0; v < g->n_nodes; v++) {
        if (!g->nodes[v].is_focus) continue;
        if (g->nodes[v].kind != DP_GRAPH_JOB) {
            reach(w, v, 0);
            continue;
        }
        w->keep[v] = true;
        for (size_t i = 0; i < g->n_edges; i++)
            if (g->edges[i].job == v && is_flow(g, &g->edges[i])) {
                reach(w, down ? g->edges[i].dst : g->edges[i].src, 1);
                if (g->edges[i].src == DP_GRAPH_NONE || g->edges[i].dst == DP_GRAPH_NONE) w->keep_edge[i] = true;
            }
    }
    for (size_t q = 0; q < w->n_queue; q++) {
        uint32_t v = w->queue[q];
        w->keep[v] = true;
        if (depth && w->far[v] >= depth) continue;
        for (uint32_t k = out->at[v]; k < out->at[v + 1]; k++) {
            const struct dp_graph_edge *e = &g->edges[out->list[k]];
            uint32_t to = down ? e->dst : e->src;
            if (is_column(g, v) == is_flow(g, e)) continue;
            w->keep_edge[out->list[k]] = true;
            if (to != DP_GRAPH_NONE && is_column(g, v) && !is_column(g, to))
                for (uint32_t c = w->columns.at[to]; c < w->columns.at[to + 1]; c++) reach(w, w->columns.list[c], w->far[v] + 1);
            else reach(w, to, w->far[v] + 1);
        }
    }
}

/* Between nodes that stay so do edges; datasets of columns stay, and the flows that their column edges are part of. */
static void close_walk(struct walk *w, bool from_columns) {
    const struct dp_graph *g = w->g;
    struct dp_map pairs = {0};
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct dp_graph_edge *e = &g->edges[i];
        if (is_flow(g, e) || !w->keep_edge[i]) continue;
        uint32_t pair[2] = {g->nodes[e->src].dataset, is_column(g, e->dst) ? g->nodes[e->dst].dataset : e->dst};
        dp_map_put(&pairs, dp_str((const char *)pair, sizeof pair), NULL);
        w->keep[pair[1]] = true;
    }
    for (size_t v = 0; v < g->n_nodes; v++)
        if (w->keep[v] && g->nodes[v].kind == DP_GRAPH_COLUMN) w->keep[g->nodes[v].dataset] = true;
    if (!from_columns)
        for (size_t v = 0; v < g->n_nodes; v++)
            if (g->nodes[v].kind == DP_GRAPH_COLUMN && w->keep[g->nodes[v].dataset]) w->keep[v] = true;
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct dp_graph_edge *e = &g->edges[i];
        uint32_t pair[2] = {e->src, e->dst};
        if (is_flow(g, e)) w->keep_edge[i] = w->keep_edge[i] || dp_map_get(&pairs, dp_str((const char *)pair, sizeof pair));
        else w->keep_edge[i] = w->keep_edge[i] || (!from_columns && w->keep[e->src] && w->keep[e->dst]);
        if (is_flow(g, e) && w->keep_edge[i]) {
            if (e->job != DP_GRAPH_NONE) w->keep[e->job] = true;
            if (e->src != DP_GRAPH_NONE) w->keep[e->src] = true;
            if (e->dst != DP_GRAPH_NONE) w->keep[e->dst] = true;
        }
    }
    dp_map_release(&pairs);
}

static uint32_t renumber(const uint32_t *to, uint32_t v) { return v == DP_GRAPH_NONE ? v : to[v]; }

void graph_apply(struct dp_graph *g, const uint32_t *to, size_t n, const bool *keep_edge) {
    struct dp_graph_node *nodes = dp_alloc((n + 1) * sizeof *nodes);
    size_t kept = 0;
    for (size_t v = 0; v < g->n_nodes; v++)
        if (to[v] != DP_GRAPH_NONE) {
            nodes[to[v]] = g->nodes[v];
            nodes[to[v]].dataset = renumber(to, g->nodes[v].dataset);
        }
    free(g->nodes);
    g->nodes = nodes;
    g->n_nodes = n;
    g->cap_nodes = n + 1;
    for (size_t i = 0; i < g->n_edges; i++) {
        struct dp_graph_edge e = g->edges[i];
        if (keep_edge && !keep_edge[i]) continue;
        e.src = renumber(to, e.src);
        e.dst = renumber(to, e.dst);
        e.job = renumber(to, e.job);
        g->edges[kept++] = e;
    }
    g->n_edges = kept;
    kept = 0;
    for (size_t i = 0; i < g->n_notes; i++)
        if (to[g->notes[i].node] != DP_GRAPH_NONE) {
            g->notes[kept] = g->notes[i];
            g->notes[kept].node = to[g->notes[kept].node];
            kept++;
        }
    g->n_notes = kept;
    kept = 0;
    for (size_t i = 0; i < g->n_runs; i++)
        if (to[g->runs[i].node] != DP_GRAPH_NONE) {
            g->runs[kept] = g->runs[i];
            g->runs[kept].node = to[g->runs[kept].node];
            kept++;
        }
    g->n_runs = kept;
    dp_map_release(&g->names);
}

void dp_graph_select(struct dp_graph *g, enum dp_graph_ways ways, uint32_t depth) {
    size_t n = g->n_nodes, n_focus = 0, n_columns = 0;
    for (size_t v = 0; v < n; v++) {
        n_focus += g->nodes[v].is_focus;
        n_columns += g->nodes[v].is_focus && g->nodes[v].kind == DP_GRAPH_COLUMN;
    }
    if (!n_focus) return;
    struct walk w = {.g = g, .columns = columns_of(g), .keep = dp_calloc(n + 1, 1), .keep_edge = dp_calloc(g->n_edges + 1, 1),
        .queue = dp_alloc((n + 1) * sizeof *w.queue), .far = dp_alloc((n + 1) * sizeof *w.far)};
    uint32_t *to = dp_alloc((n + 1) * sizeof *to), next = 0;
    w.by_src = ends_by(g, true, &w.columns);
    w.by_dst = ends_by(g, false, &w.columns);
    if (ways != DP_GRAPH_DOWN) walk_way(&w, false, depth);
    if (ways != DP_GRAPH_UP) walk_way(&w, true, depth);
    close_walk(&w, n_columns == n_focus);
    for (size_t v = 0; v < n; v++) to[v] = w.keep[v] ? next++ : DP_GRAPH_NONE;
    graph_apply(g, to, next, w.keep_edge);
    ends_release(&w.columns);
    ends_release(&w.by_src);
    ends_release(&w.by_dst);
    free(w.keep);
    free(w.keep_edge);
    free(w.queue);
    free(w.far);
    free(to);
}

/* ---- order ---- */

static int order(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

/* A node with its number before, and of columns their datasets' place. */
struct ranked {
    const struct dp_graph_node *node;
    uint32_t was, dataset;
};

static int order_nodes(const void *pa, const void *pb) {
    const struct ranked *a = pa, *b = pb;
    int c = order(a->node->kind, b->node->kind);
    if (!c) c = order(a->dataset, b->dataset);
    if (!c && a->node->kind == DP_GRAPH_COLUMN) c = order(a->node->ordinal - 1, b->node->ordinal - 1); /* 0, not known, last */
    if (!c) c = dp_str_cmp(a->node->ns, b->node->ns);
    return c ? c : dp_str_cmp(a->node->name, b->node->name);
}

/* Datasets and jobs first, since the place of a column is known by that of its dataset. */
static void settle_nodes(struct dp_graph *g) {
    struct ranked *r = dp_alloc((g->n_nodes + 1) * sizeof *r);
    uint32_t *to = dp_alloc((g->n_nodes + 1) * sizeof *to);
    size_t n = 0;
    for (uint32_t v = 0; v < g->n_nodes; v++)
        if (g->nodes[v].kind != DP_GRAPH_COLUMN) r[n++] = (struct ranked){&g->nodes[v], v, DP_GRAPH_NONE};
    g->n_drawn = n;
    qsort(r, n, sizeof *r, order_nodes);
    for (uint32_t i = 0; i < n; i++) to[r[i].was] = i;
    for (uint32_t v = 0; v < g->n_nodes; v++)
        if (g->nodes[v].kind == DP_GRAPH_COLUMN) r[n++] = (struct ranked){&g->nodes[v], v, to[g->nodes[v].dataset]};
    qsort(r + g->n_drawn, n - g->n_drawn, sizeof *r, order_nodes);
    for (uint32_t i = 0; i < n; i++) to[r[i].was] = i;
    graph_apply(g, to, n, NULL);
    free(r);
    free(to);
    g->columns = dp_realloc_array(g->columns, g->n_drawn + 1, sizeof *g->columns);
    for (size_t d = 0, c = g->n_drawn; d <= g->n_drawn; d++) {
        while (c < n && g->nodes[c].dataset < d) c++;
        g->columns[d] = (uint32_t)c;
    }
}

/* Edges hold settled numbers by then: those of columns stand above those of datasets and jobs. */
static int order_edges(const void *pa, const void *pb) {
    const struct dp_graph_edge *a = pa, *b = pb;
    int c = order(a->how != 0, b->how != 0);
    if (!c) c = order(a->src, b->src);
    if (!c) c = order(a->dst, b->dst);
    return c ? c : order(a->job, b->job);
}

static void settle_edges(struct dp_graph *g) {
    size_t n = 0;
    for (size_t i = 0; i < g->n_edges; i++)
        if (is_flow(g, &g->edges[i])) g->edges[i].how = 0;
        else if (!g->edges[i].how) g->edges[i].how = DP_GRAPH_TRANSFORMATION; /* it is told of without a word on how */
    if (g->n_edges) qsort(g->edges, g->n_edges, sizeof *g->edges, order_edges);
    g->n_flows = 0;
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct dp_graph_edge *e = &g->edges[i];
        struct dp_graph_edge *last = n ? &g->edges[n - 1] : NULL;
        if (e->src == DP_GRAPH_NONE && e->dst == DP_GRAPH_NONE) continue;
        if (!last || order_edges(last, e) != 0) {
            g->edges[n++] = *e;
            g->n_flows += e->how == 0;
            continue;
        }
        last->how |= e->how;
        last->masking = last->masking && e->masking; /* seen clear once, it is not masked */
        last->runs += e->runs;
        if (e->first_at && (!last->first_at || e->first_at < last->first_at)) last->first_at = e->first_at;
        if (e->last_at > last->last_at) last->last_at = e->last_at;
    }
    g->n_edges = n;
}

static int order_notes(const void *pa, const void *pb) {
    const struct dp_graph_note *a = pa, *b = pb;
    int c = order(a->node, b->node);
    if (!c) c = order(a->what, b->what);
    if (!c) c = dp_str_cmp(a->a, b->a);
    return c ? c : dp_str_cmp(a->b, b->b);
}

static int order_runs(const void *pa, const void *pb) {
    const struct dp_graph_run *a = pa, *b = pb;
    int c = order(a->node, b->node);
    if (!c) c = a->started_at > b->started_at ? -1 : a->started_at < b->started_at;
    return c ? c : dp_str_cmp(a->id, b->id);
}

void dp_graph_settle(struct dp_graph *g) {
    size_t n = 0;
    settle_nodes(g);
    settle_edges(g);
    if (g->n_notes) qsort(g->notes, g->n_notes, sizeof *g->notes, order_notes);
    for (size_t i = 0; i < g->n_notes; i++)
        if (!n || order_notes(&g->notes[n - 1], &g->notes[i]) != 0) g->notes[n++] = g->notes[i];
    g->n_notes = n;
    n = 0;
    if (g->n_runs) qsort(g->runs, g->n_runs, sizeof *g->runs, order_runs);
    for (size_t i = 0, of = 0; i < g->n_runs; i++) {
        if (n && order_runs(&g->runs[n - 1], &g->runs[i]) == 0) continue;
        of = n && g->runs[n - 1].node == g->runs[i].node ? of + 1 : !n || g->runs[i].node != g->runs[n - 1].node ? 1 : of;
        if (!g->most_runs || of <= g->most_runs) g->runs[n++] = g->runs[i];
    }
    g->n_runs = n;
}
