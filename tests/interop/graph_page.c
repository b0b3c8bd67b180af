/* Prints the page of a made-up graph, for the test in a browser. usage: graph_page DATASETS JOBS COLUMNS READS [hostile] */
#include <stdlib.h>
#include <string.h>

#include "../unit/graphgen.h"

int main(int argc, char **argv) {
    struct dp_graph g = {0};
    struct dp_graph_layout l = {0};
    struct dp_buf b = {0};
    struct dp_graph_view view = {.title = DP_STR("Lineage of a made-up lakehouse")};
    if (argc < 5) return 2;
    graphgen_fill(&g, 7, (uint32_t)strtoul(argv[1], NULL, 10), (uint32_t)strtoul(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10), (uint32_t)strtoul(argv[4], NULL, 10));
    if (argc > 5) {
        static const char bad[] = "</script><img src=x onerror=document.documentElement.dataset.pwned=1>";
        struct dp_str name = DP_STR(bad), slash = DP_STR("/lake/<script>document.documentElement.dataset.pwned=1</script>\xe2\x80\xae" "x\"';--><b>");
        uint32_t a = dp_graph_node(&g, DP_GRAPH_DATASET, name, name), c = dp_graph_node(&g, DP_GRAPH_DATASET, DP_STR("file"), slash), j = dp_graph_node(&g, DP_GRAPH_JOB, name, slash);
        dp_graph_edge(&g, &(struct dp_graph_edge){.src = a, .dst = c, .job = j});
        uint32_t f = dp_graph_column(&g, a, name);
        g.nodes[f].type = g.nodes[a].text = g.nodes[a].state = g.nodes[a].type = name;
        dp_graph_note(&g, a, DP_GRAPH_TAG, name, name);
        dp_graph_note(&g, a, DP_GRAPH_OWNER, name, name);
        dp_graph_note(&g, a, DP_GRAPH_CLASS, name, name);
        dp_graph_run(&g, &(struct dp_graph_run){.node = a, .id = name, .state = name, .rows = UINT64_MAX, .bytes = UINT64_MAX});
        view.title = name;
    }
    dp_graph_settle(&g);
    dp_graph_lay(&g, &l);
    dp_graph_html(&g, &l, &view, &b);
    size_t done = fwrite(b.p, 1, b.n, stdout);
    fprintf(stderr, "%zu nodes (%zu drawn), %zu edges, %zu bytes, %d x %d, %llu crossings\n", g.n_nodes, g.n_drawn, g.n_edges, b.n, l.width, l.height, (unsigned long long)l.crossings);
    bool ok = done == b.n;
    dp_buf_release(&b);
    dp_graph_layout_release(&l);
    dp_graph_release(&g);
    return ok ? 0 : 1;
}
