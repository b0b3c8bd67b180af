/* A lakehouse that never was: sources, layers of tables, jobs between them, columns, owners; the same for the same seed. For the tests of graphs. */
#ifndef DP_TESTS_GRAPHGEN_H
#define DP_TESTS_GRAPHGEN_H

#include <dp/rules/graph.h>

#include <stdio.h>

struct graphgen {
    uint64_t x;
    struct dp_graph *g;
};

static inline uint32_t graphgen_below(struct graphgen *r, uint32_t n) {
    r->x ^= r->x << 13;
    r->x ^= r->x >> 7;
    r->x ^= r->x << 17;
    return (uint32_t)((r->x >> 20) % n);
}

static inline struct dp_str graphgen_text(char out[120], const char *fmt, ...) DP_PRINTF(2, 3);
static inline struct dp_str graphgen_text(char out[120], const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, 120, fmt, ap);
    va_end(ap);
    return dp_str(out, (size_t)n);
}

/* What the page shows of a dataset beside its name. */
static inline void graphgen_dress(struct graphgen *r, uint32_t v, uint32_t i, uint32_t level) {
    static const char *const owners[] = {"ada", "grace", "team-orders", "team-risk", "edsger"}, *const zones[] = {"bronze", "silver", "gold", "mart"};
    struct dp_graph *g = r->g;
    char t[120];
    struct dp_graph_node *n = &g->nodes[v];
    n->type = level == 0 ? DP_STR("csv") : DP_STR("delta");
    n->state = i % 97 == 5 ? DP_STR("dropped") : DP_STR("live");
    n->first_at = 1700000000000000;
    n->last_at = 1760000000000000 - (int64_t)graphgen_below(r, 90) * 43200000000;
    n->due_at = i % 4 == 0 ? n->last_at + 3 * (int64_t)86400000000 : 0;
    n->text = dp_graph_text(g, graphgen_text(t, "Table %u of the %s zone.", i, zones[level % 4]));
    dp_graph_note(g, v, DP_GRAPH_OWNER, dp_str_z(owners[graphgen_below(r, 5)]), DP_STR("DATAOWNER"));
    dp_graph_note(g, v, DP_GRAPH_TAG, DP_STR("zone"), dp_str_z(zones[level % 4]));
    if (i % 11 == 3) dp_graph_note(g, v, DP_GRAPH_TAG, DP_STR("deprecated"), DP_STR(""));
}

static inline uint32_t graphgen_dataset(struct graphgen *r, uint32_t i, uint32_t level, uint32_t n_columns) {
    static const char *const zones[] = {"landing", "bronze", "silver", "gold", "mart", "report"}, *const words[] = {"orders", "customers", "payments", "events", "sessions", "prices", "stock", "returns"};
    static const char *const fields[] = {"id", "email", "amount", "created_at", "country", "status", "customer_id", "note", "day", "channel"}, *const types[] = {"long", "string", "decimal(12,2)", "timestamp", "string", "string", "long", "string", "date", "string"};
    char t[120];
    uint32_t v = dp_graph_node(r->g, DP_GRAPH_DATASET, level == 0 && i % 5 == 0 ? DP_STR("s3://raw-events") : DP_STR("file"), graphgen_text(t, "/lake/%s/%s_%u", zones[level % 6], words[i % 8], i));
    graphgen_dress(r, v, i, level);
    for (uint32_t c = 0; c < n_columns; c++) {
        uint32_t column = dp_graph_column(r->g, v, c < 10 ? dp_str_z(fields[c]) : graphgen_text(t, "field_%u", c));
        r->g->nodes[column].type = dp_str_z(types[c % 10]);
        r->g->nodes[column].ordinal = c + 1;
        if (c == 1) dp_graph_note(r->g, column, DP_GRAPH_CLASS, DP_STR("restricted"), DP_STR(""));
    }
    return v;
}

/* Columns of a flow: the like go into the like, the second is masked now and then, the fourth decides on rows. */
static inline void graphgen_threads(struct graphgen *r, uint32_t src, uint32_t dst, uint32_t job, uint32_t n_columns) {
    static const char *const fields[] = {"id", "email", "amount", "created_at", "country", "status", "customer_id", "note", "day", "channel"};
    for (uint32_t c = 0; c < n_columns && c < 10; c++) {
        struct dp_graph_edge e = {.src = dp_graph_find_column(r->g, src, dp_str_z(fields[c])), .dst = dp_graph_find_column(r->g, dst, dp_str_z(fields[c])), .job = job,
            .how = c == 2 ? DP_GRAPH_AGGREGATION : DP_GRAPH_IDENTITY, .last_at = 1760000000000000};
        if (c == 1) e.how = DP_GRAPH_TRANSFORMATION, e.masking = r->x & 1;
        if (e.src != DP_GRAPH_NONE && e.dst != DP_GRAPH_NONE) dp_graph_edge(r->g, &e);
        if (c == 3 && e.src != DP_GRAPH_NONE) {
            e.dst = dst;
            e.how = DP_GRAPH_FILTER;
            dp_graph_edge(r->g, &e);
        }
    }
}

/* n_datasets tables in levels, as many jobs that each read one to four and write one, in the end of which a few jobs read what they write. */
static inline void graphgen_fill(struct dp_graph *g, uint64_t seed, uint32_t n_datasets, uint32_t n_jobs, uint32_t n_columns, uint32_t reads) {
    struct graphgen r = {seed * 2654435761u + 88172645463325252u, g};
    uint32_t *datasets = dp_calloc(n_datasets, sizeof *datasets), levels = n_datasets < 24 ? n_datasets / 2 : 12;
    char t[120];
    g->as_of = 1760000000000000;
    for (uint32_t i = 0; i < n_datasets; i++) datasets[i] = graphgen_dataset(&r, i, (uint32_t)((uint64_t)i * levels / n_datasets), n_columns);
    for (uint32_t i = 0; i < n_jobs; i++) {
        uint32_t to = n_datasets / levels + i % (n_datasets - n_datasets / levels), near = n_datasets / levels * 2;
        uint32_t job = dp_graph_node(g, DP_GRAPH_JOB, DP_STR("nightly"), graphgen_text(t, "load_%u.dp-table-commit", i));
        g->nodes[job].type = DP_STR("batch");
        g->nodes[job].state = i % 53 == 7 ? DP_STR("fail") : DP_STR("complete");
        g->nodes[job].last_at = 1759990000000000;
        for (uint32_t k = 0; k < 3; k++) {
            struct dp_graph_run run = {.node = job, .id = graphgen_text(t, "0199b2c4-%04x-7000-8000-%012x", i & 0xffff, k), .state = k == 0 ? g->nodes[job].state : DP_STR("complete"),
                .started_at = 1759990000000000 - k * (int64_t)86400000000, .ended_at = 1759990090000000 - k * (int64_t)86400000000, .rows = UINT64_MAX, .bytes = UINT64_MAX};
            dp_graph_run(g, &run);
            run.node = datasets[to];
            run.rows = 1000 * (uint64_t)(i + k);
            run.bytes = 30000 * (uint64_t)(i + k);
            dp_graph_run(g, &run);
        }
        for (uint32_t k = 1 + (i % reads); k; k--) {
            uint32_t back = graphgen_below(&r, near < to ? near : to) + 1, from = datasets[to - back];
            struct dp_graph_edge e = {.src = from, .dst = datasets[to], .job = job, .first_at = 1700000000000000, .last_at = 1759990000000000, .runs = 30};
            dp_graph_edge(g, &e);
            if (k == 1) graphgen_threads(&r, from, datasets[to], job, n_columns);
        }
        if (i % 40 == 9) dp_graph_edge(g, &(struct dp_graph_edge){.src = datasets[to], .dst = datasets[to], .job = job, .runs = 1});
        if (i % 60 == 11) dp_graph_edge(g, &(struct dp_graph_edge){.src = datasets[to], .dst = datasets[to / 2], .job = job, .runs = 1});
    }
    free(datasets);
}

#endif
