/*
 * A walk over the directories of a lake: Delta tables, Parquet, CSV, NDJSON and Avro files, as datasets for the catalog, with what contracts say of them.
 *
 * Links are not followed, names that begin with '.' or '_' are passed over, and what lies inside a table is the table's.  Files below KEY=VALUE directories, and those named part-*, are
 * parts of the directory above, which is the dataset; its columns are those of the first file.
 * A contract is a YAML file with `kind: DataContract` anywhere in the lake (or *.odcs.json).  It speaks of a dataset whose path ends with the physicalName, else the name, of one of its objects, with
 * the dots of a qualified name as slashes where need be, and without the dataset's suffix; of several contracts that which has most of the path in common.  The contract that a table keeps itself
 * (dp.contract) goes before these.
 * In memory are the names of the directories on the way, parts apart (DP_LIMIT_LAKE_DEPTH, DP_LIMIT_LAKE_NAMES), and the contracts (DP_LIMIT_LAKE_CONTRACTS).
 */
#ifndef DP_IO_LAKE_H
#define DP_IO_LAKE_H

#include <dp/io/run.h>
#include <dp/rules/openlineage.h>

/* All borrowed for the call. */
struct dp_lake_found {
    const char *path;              /* absolute */
    const struct dp_ol_dataset *d; /* NULL: a contract that can't be read */
    int64_t at;                    /* when the dataset or the contract that speaks of it was written last, in microseconds: an event of this time is the same when nothing changed */
    const char *fault;             /* why nothing is known of it, or NULL */
    const char *contract;          /* that speaks of it: a path, "dp.contract", or NULL */
};
typedef enum dp_status (*dp_lake_fn)(void *ctx, const struct dp_lake_found *f, struct dp_err *err);

/* fn's failure ends the walk, as does a directory that can't be read (DP_IO) and a signal (DP_SIGNALLED).  DP_LIMIT: see above. */
enum dp_status dp_lake_walk(struct dp_run *run, const char *dir, dp_lake_fn fn, void *ctx, struct dp_err *err) DP_MUST_CHECK;

#endif
