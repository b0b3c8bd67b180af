/* A graph (dp/rules/graph.h) out of the store of lineage (dp/io/catalog.h), for who draws it. */
#ifndef DP_IO_CATALOG_GRAPH_H
#define DP_IO_CATALOG_GRAPH_H

#include <dp/io/catalog.h>
#include <dp/rules/graph.h>

struct dp_catalog_graph_conf {
    int64_t as_of; /* what was seen up to then; INT64_MAX: all */
    bool current;  /* only edges of the latest run of each job */
    bool with_failed; /* also what only runs had that ended in FAIL or ABORT */
    bool columns;  /* columns and column edges too */
    int64_t runs;  /* the newest runs of each job and dataset; 0: none */
};
/*
 * Adds all datasets, jobs and edges.  The graph's moment is as_of, but not after the newest event, so that the same store gives the same graph.
 * What jobs say of jobs (jobDependencies) is not in it: no data flows there.
 */
enum dp_status dp_catalog_graph(struct dp_catalog *c, const struct dp_catalog_graph_conf *conf, struct dp_graph *g, struct dp_err *err) DP_MUST_CHECK;

#endif
