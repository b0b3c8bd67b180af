/*
 * A graph of lineage that a person can take in (dp/rules/graph.h): files of one dataset are one node, programs of one pipeline are one job.
 * What two nodes say is united without regard to their order, so that the same graph gives the same bytes however it was filled.
 */
#include "graph_priv.h"

#include <dp/base/mem.h>
#include <dp/rules/fold.h>

#include <stdlib.h>

static int64_t first_of(int64_t a, int64_t b) { return !a || (b && b < a) ? b : a; }
static int64_t last_of(int64_t a, int64_t b) { return a > b ? a : b; }
/* Of two texts the first that is there. */
static struct dp_str text_of(struct dp_str a, struct dp_str b) { return !a.n || (b.n && dp_str_cmp(b, a) < 0) ? b : a; }

/* What is alive in one of them is alive. */
static struct dp_str state_of(struct dp_str a, struct dp_str b) {
    return dp_str_eqz(a, "dropped") || dp_str_eqz(a, "gone") ? b : a;
}

static void unite(struct dp_graph_node *to, const struct dp_graph_node *n) {
    to->type = text_of(to->type, n->type);
    to->text = text_of(to->text, n->text);
    to->state = state_of(to->state, n->state);
    to->first_at = first_of(to->first_at, n->first_at);
    to->last_at = last_of(to->last_at, n->last_at);
    to->due_at = first_of(to->due_at, n->due_at);
    to->is_focus = to->is_focus || n->is_focus;
    if (!to->ordinal || (n->ordinal && n->ordinal < to->ordinal)) to->ordinal = n->ordinal;
}

/* What names a node names the one that it went into; `into` of one that stays is itself. */
static void rename_all(struct dp_graph *g, const uint32_t *into) {
    for (size_t v = 0; v < g->n_nodes; v++)
        if (g->nodes[v].dataset != DP_GRAPH_NONE) g->nodes[v].dataset = into[g->nodes[v].dataset];
    for (size_t i = 0; i < g->n_edges; i++) {
        struct dp_graph_edge *e = &g->edges[i];
        if (e->src != DP_GRAPH_NONE) e->src = into[e->src];
        if (e->dst != DP_GRAPH_NONE) e->dst = into[e->dst];
        if (e->job != DP_GRAPH_NONE) e->job = into[e->job];
    }
    for (size_t i = 0; i < g->n_notes; i++) g->notes[i].node = into[g->notes[i].node];
    for (size_t i = 0; i < g->n_runs; i++) g->runs[i].node = into[g->runs[i].node];
}

/* Nodes that went into others go, and edges that are not kept. */
static void drop_rest(struct dp_graph *g, uint32_t *into, const bool *keep_edge) {
    uint32_t next = 0;
    for (uint32_t v = 0; v < g->n_nodes; v++) into[v] = into[v] == v ? next++ : DP_GRAPH_NONE;
    graph_apply(g, into, next, keep_edge);
}

/* ---- files ---- */

static bool is_table(struct dp_str type) {
    static const char *const tables[] = {"delta", "iceberg", "hudi", "paimon"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (dp_str_eqz(type, tables[i])) return true;
    return false;
}

/* Columns of one name of datasets that are one are one. */
static void unite_columns(struct dp_graph *g, uint32_t *into) {
    struct dp_map met = {0};
    struct dp_buf key = {0};
    for (uint32_t v = 0; v < g->n_nodes; v++) {
        struct dp_graph_node *n = &g->nodes[v];
        bool is_new;
        if (n->kind != DP_GRAPH_COLUMN || (into[n->dataset] == n->dataset && !g->nodes[n->dataset].files)) continue;
        dp_buf_reset(&key);
        dp_buf_addf(&key, "%u ", into[n->dataset]);
        dp_buf_adds(&key, n->name);
        struct dp_map_item *it = dp_map_put(&met, dp_buf_str(&key), &is_new);
        if (is_new) it->v.u = v;
        else unite(&g->nodes[it->v.u], n);
        into[v] = (uint32_t)it->v.u;
    }
    dp_buf_release(&key);
    dp_map_release(&met);
}

void dp_graph_fold(struct dp_graph *g) {
    struct dp_fold_name *names = dp_calloc(g->n_nodes + 1, sizeof *names);
    struct dp_fold_group *groups = NULL;
    uint32_t *into = dp_alloc((g->n_nodes + 1) * sizeof *into);
    for (uint32_t v = 0; v < g->n_nodes; v++) {
        const struct dp_graph_node *n = &g->nodes[v];
        names[v] = (struct dp_fold_name){.ns = n->ns, .name = n->name, .is_apart = n->kind != DP_GRAPH_DATASET || n->is_apart || is_table(n->type)};
        into[v] = v;
    }
    size_t n_groups = dp_fold_group(names, g->n_nodes, &g->arena, &groups);
    uint32_t *first = dp_alloc((n_groups + 1) * sizeof *first);
    for (size_t i = 0; i < n_groups; i++) first[i] = DP_GRAPH_NONE;
    for (uint32_t v = 0; v < g->n_nodes; v++) {
        uint32_t k = names[v].group;
        if (k == DP_FOLD_ALONE) continue;
        if (first[k] == DP_GRAPH_NONE) {
            first[k] = v;
            g->nodes[v].name = groups[k].name;
            g->nodes[v].files = (uint32_t)groups[k].n;
        } else {
            unite(&g->nodes[first[k]], &g->nodes[v]);
        }
        into[v] = first[k];
    }
    if (n_groups) {
        unite_columns(g, into);
        rename_all(g, into);
        drop_rest(g, into, NULL);
    }
    free(first), free(groups), free(names), free(into);
}

/* ---- pipelines ---- */

/* PIPELINE.dp-PROGRAM: how much of it is the pipeline's name; 0: it is no program of one. */
static size_t pipeline_of(struct dp_str name) {
    size_t at = name.n;
    while (at && ((name.p[at - 1] >= 'a' && name.p[at - 1] <= 'z') || name.p[at - 1] == '-')) at--;
    return at > 1 && name.p[at - 1] == '.' && dp_str_starts(dp_str(name.p + at, name.n - at), DP_STR("dp-")) ? at - 1 : 0;
}

struct program { struct dp_str ns, pipeline, name; uint32_t node; };

static int order_programs(const void *pa, const void *pb) {
    const struct program *a = pa, *b = pb;
    int c = dp_str_cmp(a->ns, b->ns);
    if (!c) c = dp_str_cmp(a->pipeline, b->pipeline);
    return c ? c : dp_str_cmp(a->name, b->name);
}

/* Edges between the same nodes by one pipeline are one, seen as often as the one that was seen most; half an edge is none where the pipeline has the whole. */
static void unite_edges(struct dp_graph *g, const bool *is_pipeline, bool *keep) {
    struct dp_map met = {0};
    for (int pass = 0; pass < 2; pass++) /* whole ones first */
        for (size_t i = 0; i < g->n_edges; i++) {
            struct dp_graph_edge *e = &g->edges[i];
            bool is_half = e->src == DP_GRAPH_NONE || e->dst == DP_GRAPH_NONE, is_new;
            if (pass == 0) keep[i] = true;
            if (e->job == DP_GRAPH_NONE || !is_pipeline[e->job] || is_half != (pass == 1)) continue;
            if (!is_half && g->nodes[e->src].kind == DP_GRAPH_COLUMN) continue;
            const uint32_t key[3] = {e->src, e->dst, e->job}, out[3] = {e->src, DP_GRAPH_NONE, e->job}, in[3] = {DP_GRAPH_NONE, e->dst, e->job};
            struct dp_map_item *it = dp_map_put(&met, dp_str((const char *)key, sizeof key), &is_new);
            if (is_new) it->v.u = i;
            keep[i] = is_new;
            if (is_new && !is_half) {
                dp_map_put(&met, dp_str((const char *)out, sizeof out), NULL)->v.u = i;
                dp_map_put(&met, dp_str((const char *)in, sizeof in), NULL)->v.u = i;
            }
            if (is_new || (is_half && g->edges[it->v.u].src != DP_GRAPH_NONE && g->edges[it->v.u].dst != DP_GRAPH_NONE)) continue;
            struct dp_graph_edge *to = &g->edges[it->v.u];
            to->runs = to->runs > e->runs ? to->runs : e->runs;
            to->first_at = first_of(to->first_at, e->first_at);
            to->last_at = last_of(to->last_at, e->last_at);
        }
    dp_map_release(&met);
}

/* The programs p[0..n) of one pipeline go into the node of its own job, where there is one, or into the first. */
static void gather(struct dp_graph *g, const struct program *p, size_t n, uint32_t *into, bool *is_pipeline) {
    struct dp_buf b = {0};
    uint32_t own = dp_graph_find(g, DP_GRAPH_JOB, p->ns, p->pipeline);
    bool is_own = own != DP_GRAPH_NONE;
    if (!is_own && n < 2) return;
    if (!is_own) own = p->node;
    struct dp_graph_node *to = &g->nodes[own];
    struct dp_str type = to->type, text = to->text, state = to->state;
    for (size_t i = 0; i < n; i++) {
        dp_buf_addf(&b, "%s%.*s", i ? ", " : "", DP_STR_FMT(p[i].name));
        into[p[i].node] = own;
        if (p[i].node != own) unite(to, &g->nodes[p[i].node]);
    }
    if (is_own) to->type = type.n ? type : to->type, to->text = text, to->state = state;
    to->name = p->pipeline;
    to->programs = dp_graph_text(g, dp_buf_str(&b));
    to->n_programs = (uint32_t)n;
    is_pipeline[own] = true;
    /* the runs of a pipeline are its own, not those of each program as well */
    size_t kept = 0;
    for (size_t i = 0; i < g->n_runs; i++)
        if (!is_own || into[g->runs[i].node] != own || g->runs[i].node == own) g->runs[kept++] = g->runs[i];
    g->n_runs = kept;
    dp_buf_release(&b);
}

void dp_graph_group(struct dp_graph *g) {
    struct program *v = dp_calloc(g->n_nodes + 1, sizeof *v);
    uint32_t *into = dp_alloc((g->n_nodes + 1) * sizeof *into);
    bool *is_pipeline = dp_calloc(g->n_nodes + 1, sizeof *is_pipeline), *keep = dp_calloc(g->n_edges + 1, sizeof *keep);
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        struct dp_str name = g->nodes[i].name;
        size_t head = g->nodes[i].kind == DP_GRAPH_JOB ? pipeline_of(name) : 0;
        into[i] = i;
        if (head) v[n++] = (struct program){g->nodes[i].ns, dp_str(name.p, head), dp_str(name.p + head + 1, name.n - head - 1), i};
    }
    if (n) qsort(v, n, sizeof *v, order_programs);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && dp_str_eq(v[end].ns, v[i].ns) && dp_str_eq(v[end].pipeline, v[i].pipeline);) end++;
        gather(g, v + i, end - i, into, is_pipeline);
    }
    rename_all(g, into);
    unite_edges(g, is_pipeline, keep);
    drop_rest(g, into, keep);
    free(v), free(into), free(is_pipeline), free(keep);
}
