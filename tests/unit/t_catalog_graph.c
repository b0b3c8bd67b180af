/* The store of lineage as a graph: nodes, edges of one run, columns, what is said of them, moments. */
#include "dpt.h"

#include <dp/io/catalog_graph.h>

#include <sys/wait.h>

static char dir[] = "/tmp/dp-t-catgraph-XXXXXX";

static int setup(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    pid_t child = fork();
    (void)state;
    if (child == 0) {
        execlp("rm", "rm", "-rf", dir, (char *)NULL);
        _exit(1);
    }
    return child > 0 && waitpid(child, NULL, 0) == child ? 0 : -1;
}

#define HEAD "\"producer\":\"https://example.org/t\",\"schemaURL\":\"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent\""
#define FACET "\"_producer\":\"https://example.org/t\",\"_schemaURL\":\"https://example.org/f\""

/* A run of `job` from `in` to `out` (NULL: none); facets are those of the output. */
static void add_run(struct dp_catalog *c, int n, const char *type, const char *at, const char *job, const char *in, const char *out, const char *facets) {
    struct dp_buf b = {0};
    struct dp_err err = DP_ERR_INIT;
    dp_buf_addf(&b, "{\"eventType\":\"%s\",\"eventTime\":\"%s\"," HEAD ",\"run\":{\"runId\":\"0199b2c4-0000-7000-8000-%012d\"},\"job\":{\"namespace\":\"default\",\"name\":\"%s\"},\"inputs\":[", type, at, n, job);
    if (in) dp_buf_addf(&b, "{\"namespace\":\"file\",\"name\":\"%s\"}", in);
    dp_buf_addz(&b, "],\"outputs\":[");
    if (out) dp_buf_addf(&b, "{\"namespace\":\"file\",\"name\":\"%s\",\"facets\":{%s},\"outputFacets\":{\"outputStatistics\":{" FACET ",\"rowCount\":42,\"size\":7}}}", out, facets ? facets : "");
    dp_buf_addz(&b, "]}");
    if (dp_catalog_add(c, dp_buf_str(&b), false, NULL, &err) != DP_OK) fail_msg("%s", err.msg);
    dp_buf_release(&b);
}

#define FACETS_OF_B \
    "\"schema\":{" FACET ",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"mail\",\"type\":\"string\"}]}," \
    "\"documentation\":{" FACET ",\"description\":\"All of b.\"},\"storage\":{" FACET ",\"storageLayer\":\"delta\",\"fileFormat\":\"parquet\"}," \
    "\"ownership\":{" FACET ",\"owners\":[{\"name\":\"ada\",\"type\":\"DATAOWNER\"}]},\"tags\":{" FACET ",\"tags\":[{\"key\":\"zone\",\"value\":\"silver\"},{\"key\":\"pii\",\"value\":\"true\",\"field\":\"mail\"}]}," \
    "\"columnLineage\":{" FACET ",\"fields\":{\"mail\":{\"inputFields\":[{\"namespace\":\"file\",\"name\":\"/a\",\"field\":\"mail\",\"transformations\":[{\"type\":\"DIRECT\",\"subtype\":\"TRANSFORMATION\",\"masking\":true}]}]}}," \
    "\"dataset\":[{\"namespace\":\"file\",\"name\":\"/a\",\"field\":\"day\",\"transformations\":[{\"type\":\"INDIRECT\",\"subtype\":\"FILTER\"}]}]}"

static void fill(struct dp_graph *g, const char *store, int64_t as_of, bool current, bool with_failed) {
    struct dp_catalog *c = NULL;
    struct dp_err err = DP_ERR_INIT;
    const struct dp_catalog_graph_conf conf = {.as_of = as_of, .current = current, .with_failed = with_failed, .columns = true, .runs = 5};
    if (dp_catalog_open(store, DP_CATALOG_READ, 1000, &c, &err) != DP_OK || dp_catalog_graph(c, &conf, g, &err) != DP_OK) fail_msg("%s", err.msg);
    dp_graph_settle(g);
    dp_catalog_close(c);
}

static const struct dp_graph_node *node(const struct dp_graph *g, const char *name) {
    for (size_t v = 0; v < g->n_nodes; v++)
        if (dp_str_eqz(g->nodes[v].name, name)) return &g->nodes[v];
    return NULL;
}

static const char *flows_of(const struct dp_graph *g, struct dp_buf *b) {
    dp_buf_reset(b);
    for (size_t i = 0; i < g->n_flows; i++) {
        const struct dp_graph_edge *e = &g->edges[i];
        if (e->src != DP_GRAPH_NONE) dp_buf_adds(b, g->nodes[e->src].name);
        dp_buf_addc(b, '>');
        if (e->dst != DP_GRAPH_NONE) dp_buf_adds(b, g->nodes[e->dst].name);
        dp_buf_addc(b, ' ');
    }
    return dp_buf_z(b);
}

static void test_graph(void **unused) {
    char store[100];
    struct dp_catalog *c = NULL;
    struct dp_err err = DP_ERR_INIT;
    struct dp_graph g = {0};
    struct dp_buf b = {0};
    (void)unused;
    (void)snprintf(store, sizeof store, "%s/s.db", dir);
    if (dp_catalog_open(store, DP_CATALOG_WRITE, 1000, &c, &err) != DP_OK) fail_msg("%s", err.msg);
    add_run(c, 1, "COMPLETE", "2026-01-01T00:00:00Z", "load", "/a", "/b", FACETS_OF_B);
    add_run(c, 2, "COMPLETE", "2026-01-02T00:00:00Z", "load", "/z", "/y", NULL); /* another run of the same job */
    add_run(c, 3, "FAIL", "2026-01-03T00:00:00Z", "ingest", NULL, "/a", NULL);
    assert_int_equal(dp_catalog_commit(c, &err), DP_OK);
    dp_catalog_close(c);

    fill(&g, store, INT64_MAX, false, false); /* no edge of what never got through */
    assert_string_equal(flows_of(&g, &b), "/a>/b /z>/y ");
    dp_graph_release(&g);

    fill(&g, store, INT64_MAX, false, true);
    assert_string_equal(flows_of(&g, &b), "/a>/b /z>/y >/a ");
    assert_true(g.as_of == 1767398400000000);
    const struct dp_graph_node *n = node(&g, "/b");
    assert_true(dp_str_eqz(n->text, "All of b.") && dp_str_eqz(n->type, "delta") && dp_str_eqz(n->state, "live"));
    assert_true(dp_str_eqz(node(&g, "load")->state, "complete") && dp_str_eqz(node(&g, "ingest")->state, "fail"));
    size_t columns = 0, masked = 0, whole = 0, tags = 0, owners = 0, written = 0;
    for (size_t v = g.n_drawn; v < g.n_nodes; v++) columns++;
    for (size_t i = g.n_flows; i < g.n_edges; i++) {
        masked += g.edges[i].masking && g.edges[i].how == DP_GRAPH_TRANSFORMATION;
        whole += g.nodes[g.edges[i].dst].kind == DP_GRAPH_DATASET && g.edges[i].how == DP_GRAPH_FILTER;
    }
    for (size_t i = 0; i < g.n_notes; i++) {
        tags += g.notes[i].what == DP_GRAPH_TAG;
        owners += g.notes[i].what == DP_GRAPH_OWNER && dp_str_eqz(g.notes[i].a, "ada");
    }
    for (size_t i = 0; i < g.n_runs; i++) written += g.runs[i].rows == 42;
    assert_int_equal(columns, 4); /* id and mail of b, mail and day of a */
    assert_int_equal(masked, 1);
    assert_int_equal(whole, 1);
    assert_int_equal(tags, 2);
    assert_int_equal(owners, 1);
    assert_int_equal(written, 3);
    dp_graph_release(&g);

    fill(&g, store, 1767312000000000 - 1, false, true); /* before the second run */
    assert_string_equal(flows_of(&g, &b), "/a>/b ");
    dp_graph_release(&g);

    fill(&g, store, INT64_MAX, true, true); /* the job's latest run did not go from a to b */
    assert_string_equal(flows_of(&g, &b), "/z>/y >/a ");
    dp_graph_release(&g);
    dp_buf_release(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_graph)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
