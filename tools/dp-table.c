/*
 * dp-table: the Delta table itself.  Each command is a file of tools/table.
 *
 *     dp-ingest --since t *.csv | dp-partition -o t | dp-table commit t
 */
#include "table/table.h"

/* In the order of the man page. */
static const struct dp_tool *const commands[] = {
    &table_create,
    &table_commit,
    &table_delete,
    &table_update,
    &table_merge,
    &table_files,
    &table_log,
    &table_diff,
    &table_changes,
    &table_restore,
    &table_clone,
    &table_branch,
    &table_convert,
    &table_checkpoint,
    &table_vacuum,
    &table_verify,
    &table_replicate,
    NULL};

static const struct dp_tool tool = {.name = "dp-table", .summary = "the Delta table itself: make it, change it, ask it, look after it",
    .synopsis = "COMMAND TABLE [OPTION...]", .min_args = 0, .max_args = -1, .args = "COMMAND", .commands = commands};

DP_MAIN(tool)
