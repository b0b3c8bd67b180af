/*
 * What tables hold and cost, and what could be saved: each file below a table's directory is counted once, by what it is.
 *
 * Sizes are those of the directory entries; rows those that the log counts.  Regular files only: links are not followed and not counted, nor is what a table names outside of its directory.
 * In memory are one table's files for each thread, and the names of all tables.
 */
#ifndef DP_IO_COST_H
#define DP_IO_COST_H

#include <dp/io/run.h>
#include <dp/rules/prices.h>

enum dp_cost_kind {
    DP_COST_LIVE,      /* data files of the latest version; rows: those that are not deleted */
    DP_COST_VECTORS,   /* their deletion vectors; rows: those that are deleted and still stand in the files */
    DP_COST_HISTORY,   /* files with their vectors that only older versions need */
    DP_COST_LOG,       /* commits, checkpoints, checksums */
    DP_COST_CHANGES,   /* the change data feed */
    DP_COST_REJECTS,   /* records that were set aside: below _rejects, or reject*.ndjson */
    DP_COST_LEFTOVERS, /* what no version names: staging, temporary files, strangers */
    DP_COST_KINDS
};
struct dp_cost_amount { uint64_t files, bytes, rows; };

enum dp_cost_way { DP_COST_COMPACTION, DP_COST_RETENTION, DP_COST_TIERING, DP_COST_WAYS };
/* What one of them would save of a table. */
struct dp_cost_saving {
    uint64_t files, bytes; /* fewer; of tiering those that move */
    dp_u128 month;         /* dp_price_month */
    bool is_estimate;
    char *rule;            /* which rule says so */
};

struct dp_cost_names { char **v; size_t n, cap; }; /* in order, each once */

struct dp_cost_table {
    const char *path;                             /* as it was found */
    char *real;                                   /* what that resolves to; NULL: of one with a fault */
    const char *fault;                            /* why nothing is known of it, or NULL */
    struct dp_cost_amount kinds[DP_COST_KINDS];
    uint64_t rows_unknown;                        /* live files whose rows the log does not tell */
    size_t tier;                                  /* of the prices */
    dp_u128 month;
    struct dp_cost_saving savings[DP_COST_WAYS];  /* rule NULL: nothing is saved so */
    struct dp_cost_names tags, owners;
};

struct dp_cost_opts {
    const char *const *tables;     /* tables, or directories of tables */
    size_t n_tables;
    const char *const *rules;      /* of retention */
    size_t n_rules;
    const char *contract;          /* FILE[#OBJECT] with rules of retention, or NULL */
    const char *store;             /* of lineage, whose tags and owners count; or NULL */
    const struct dp_prices *prices;
    uint64_t target_size;          /* of compaction */
    /* Each table, in the order of the walk, borrowed for the call. */
    enum dp_status (*each)(void *ctx, const struct dp_cost_table *t, struct dp_err *err);
    void *ctx;
};

/* A table that several operands name counts once.  What hinders a single table is its `fault`, and *worst the status of the first.  DP_USAGE, DP_IO ...: of the rules, the operands, the store. */
enum dp_status dp_cost_tables(struct dp_run *run, const struct dp_cost_opts *o, enum dp_status *worst, struct dp_err *err) DP_MUST_CHECK;

/* ---- runs ---- */

struct dp_cost_pipeline {
    uint64_t runs, cpu_user_us, cpu_system_us, peak, bytes_in, bytes_out, rows;
    uint64_t files;      /* written to data; what dp-table commit only names was counted where it was written */
    uint64_t unmeasured; /* runs whose reports have no processor time */
};
struct dp_cost_time { uint64_t runs, user_us, system_us; };

struct dp_cost_runs_opts {
    const char *const *names; /* files and directories of reports */
    size_t n;
    /* Each job, in order. */
    enum dp_status (*each)(void *ctx, const char *job, const struct dp_cost_pipeline *p, struct dp_err *err);
    /* Each table or file that runs wrote or, where a run wrote nothing, read; path NULL: of runs whose reports name none. */
    enum dp_status (*each_data)(void *ctx, const char *path, const struct dp_cost_time *t, struct dp_err *err);
    void *ctx;
};
/*
 * Sums of run reports (--report, --json: a line of JSON each), by job and by the data that they went to.  A directory stands for its files that end in .json, .ndjson or .jsonl.  A report of dp-run
 * holds the processor time of its stages: reports of the same run are counted in it alone.  DP_FORMAT: a line that is no report, with its place.
 */
enum dp_status dp_cost_runs(const struct dp_run *run, const struct dp_cost_runs_opts *o, struct dp_err *err) DP_MUST_CHECK;

#endif
