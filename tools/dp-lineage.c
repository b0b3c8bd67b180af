/*
 * dp-lineage: where data came from and what it feeds.  Each command is in tools/lineage.
 *
 *     dp-lineage ingest events.ndjson && dp-lineage impact lake/orders#price
 */
#include "lineage/lineage.h"

/* In the order of the man page. */
static const struct dp_tool *const commands[] = {&lineage_ingest, &lineage_up, &lineage_down, &lineage_impact, &lineage_path, &lineage_diff, &lineage_graph, &lineage_runs, &lineage_orphans, &lineage_stale,
    &lineage_search, &lineage_show, &lineage_tag, &lineage_own, &lineage_classify, &lineage_discover, &lineage_policy, &lineage_export, &lineage_send, NULL};

static const struct dp_tool tool = {.name = "dp-lineage", .summary = "where data came from and what it feeds: takes events in, and answers", .synopsis = "COMMAND [OPTION...]",
    .min_args = 0, .max_args = -1, .args = "COMMAND", .no_lineage = "*", .commands = commands};

DP_MAIN(tool)
