/*
 * Questions to the store of lineage: nodes by the names that people type, the graph's edges, and walks over it.
 *
 * Opened with DP_CATALOG_READ a store is seen as it was at that moment, whoever writes meanwhile.  Ids are the store's own and no one else's; names are what is printed.
 */
#ifndef DP_IO_CATALOG_QUERY_H
#define DP_IO_CATALOG_QUERY_H

#include <dp/io/catalog.h>

/* ---- nodes ---- */

/* Zero value is none; strings owned, dp_catalog_node_release. */
struct dp_catalog_node {
    char kind;         /* 'd' dataset, 'c' column, 'j' job */
    int64_t id;        /* of the dataset, field or job */
    int64_t dataset;   /* of a column; of a dataset its own */
    char *ns, *name;   /* of the dataset or job */
    char *field;       /* of a column */
};
void dp_catalog_node_release(struct dp_catalog_node *n);
/*
 * What a person means: NAMESPACE/NAME, a name alone, a path or URL (taken from cwd), or the end of a name from a `/`, `.` or `:` on, as long as it is one; `#COLUMN` behind a dataset;
 * `job:` or `dataset:` before it where both are there.  `kinds`: those that are asked for ("dcj").  DP_USAGE: none, with the nearest name, or several, with them.
 */
enum dp_status dp_catalog_find(struct dp_catalog *c, const char *text, const char *kinds, const char *cwd, struct dp_catalog_node *out, struct dp_err *err) DP_MUST_CHECK;
/* Datasets or columns that a name with {date}, {n} ... stands for (dp/rules/fold.h), by name; none: it stands for nothing here.  Caller releases each and frees the array. */
enum dp_status dp_catalog_find_folded(struct dp_catalog *c, const char *text, struct dp_catalog_node **v, size_t *n, struct dp_err *err) DP_MUST_CHECK;
/* Is a dataset said to be kept as a table (Delta, Iceberg ...), whatever it is called? */
enum dp_status dp_catalog_is_table(struct dp_catalog *c, int64_t dataset, bool *is_table, struct dp_err *err) DP_MUST_CHECK;
/* Names by id. */
enum dp_status dp_catalog_name(struct dp_catalog *c, char kind, int64_t id, struct dp_catalog_node *out, struct dp_err *err) DP_MUST_CHECK;
/* The same, borrowed from the store until it is closed: no release.  Who asks for many gets them fast. */
enum dp_status dp_catalog_view(struct dp_catalog *c, char kind, int64_t id, struct dp_catalog_node *out, struct dp_err *err) DP_MUST_CHECK;
/* "NAMESPACE/NAME", with "#COLUMN"; of namespace `file` the path alone. */
void dp_catalog_node_print(const struct dp_catalog_node *n, struct dp_buf *b);

/* ---- edges ---- */

struct dp_catalog_flow_edge { uint32_t dst, src, src_dataset, how; }; /* fields; dst 0: all rows of the dataset; how: enum dp_catalog_how */

/* ---- walks ---- */

struct dp_walk_conf {
    bool down;             /* to what is fed; else to where it came from */
    bool columns;          /* column by column; always so when a start is a column */
    bool values;           /* by columns only edges along which values flow, masked or not; of jobs that say nothing of columns only where a start is a whole dataset */
    bool current;          /* only edges of the latest run of each job */
    bool with_failed;      /* also what only runs had that ended in FAIL or ABORT */
    bool apart;            /* datasets that symlinks call the same are not */
    int64_t depth;         /* datasets away, at most; 0: no bound */
    int64_t as_of;         /* edges seen up to then; INT64_MAX: all */
};

/* How a column, or all rows of a dataset, depend on the start. */
enum dp_walk_level {
    DP_WALK_UNKNOWN = 1, /* a job read one and wrote the other and said nothing of columns */
    DP_WALK_INDIRECT,    /* which rows there are, or their order, not what is in them */
    DP_WALK_MASKED,      /* values, through a mask */
    DP_WALK_DIRECT       /* values */
};

struct dp_walk_node {
    char kind;             /* 'd', 'c', 'j' */
    uint8_t level;         /* enum dp_walk_level; of datasets and jobs the greatest of what is reached in them */
    uint8_t rows;          /* of datasets, down and by columns: how all rows of it depend, which are not told column by column; 0: they don't */
    int32_t depth;         /* datasets away from the start; of a job that of what it leads to */
    int64_t id, dataset;   /* dataset: of a column */
    int64_t from, by;      /* the node of the same kind before it on a shortest way, and the job between; 0: none */
};

/* Zero value is empty. */
struct dp_walk {
    struct dp_walk_node *v; /* without the starts; in the order in which they were reached */
    size_t n, cap;
};
enum dp_status dp_catalog_walk(struct dp_catalog *c, const struct dp_catalog_node *starts, size_t n, const struct dp_walk_conf *conf, struct dp_walk *w, struct dp_err *err) DP_MUST_CHECK;
void dp_walk_release(struct dp_walk *w);

/* ---- questions whose answers are rows ---- */

enum dp_catalog_question {
    DP_ASK_RUNS,        /* newest first: run, job, state, started_at, ended_at, seconds, rows_in, rows_out, parent, error */
    DP_ASK_ORPHANS,     /* dataset, why, last_at: not read by anybody, not written by anybody */
    DP_ASK_STALE,       /* dataset, written_at, seconds: last written before `to`, oldest first; never: written_at is null */
    DP_ASK_DIFF,        /* what, change, name, detail: between from and to */
    DP_ASK_OWNERS,      /* kind (d, j), id, name, type: of all datasets and jobs that have one */
    DP_ASK_TAGS,        /* node, key, value, source, since_at: that hold now, of a job, or of a dataset and its columns, or of one column */
    DP_ASK_FILES,       /* name: of datasets of namespace `file` that were not dropped, by name */
    DP_ASK_FILES_GONE,  /* name: of those that were dropped */
    DP_ASK_DATASETS,    /* namespace, name, dataset: its id, gone: it was dropped; of all, by namespace and name */
    DP_ASK_MARKED,      /* name, what (tag, owner), key, value: of all datasets of namespace `file` that were not dropped, but not of their columns; those that hold now */
    DP_ASK_OWNED,       /* node, owner, type, source, since_at: that hold now, of a job or dataset */
    /* of one dataset or job, for its page; `limit` bounds the last three */
    DP_ASK_ABOUT,       /* one row: what is known of it in single words */
    DP_ASK_COLUMNS,     /* position, column, type, description, field: its id; those that are there now */
    DP_ASK_CHECKS,      /* result, assertion, column, expected, actual, checked_at: of the latest that was said, failed ones first */
    DP_ASK_METRICS,     /* column, nulls, distinct, measured_at: of the latest */
    DP_ASK_SCHEMAS,     /* changed_at, change (first, came, went, changed), column, detail: newest first */
    DP_ASK_FROM,        /* dataset, job, last_at: where it comes from, newest first */
    DP_ASK_TO           /* the same: where it goes */
};
struct dp_catalog_args {
    int64_t job, dataset;  /* 0: any */
    int64_t field;         /* 0: any */
    int64_t from, to;      /* times; INT64_MIN and INT64_MAX: unbounded */
    bool failed, unread, unwritten; /* failed: of DP_ASK_DIFF also runs that failed count, of DP_ASK_RUNS only they do */
    int64_t limit;         /* 0: none */
};
/* A value of a row: text, or a number; names that end in _at are times. */
struct dp_catalog_cell { const char *name; bool is_null, is_text; struct dp_str text; int64_t number; };
/* Calls fn with each row, borrowed for the call. */
enum dp_status dp_catalog_ask(struct dp_catalog *c, enum dp_catalog_question q, const struct dp_catalog_args *args,
                              enum dp_status (*fn)(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err), void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* Events as they came, each on one line without its newline, by eventTime and then as they came; of a job, a dataset (events of runs that touched it), since a time. */
enum dp_status dp_catalog_events(struct dp_catalog *c, const struct dp_catalog_args *args, enum dp_status (*fn)(void *ctx, struct dp_str event, struct dp_err *err), void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* All edges for who draws the graph: dataset to dataset by a job (0: none), and column edges of a job into a dataset. */
enum dp_status dp_catalog_edges(struct dp_catalog *c, int64_t as_of, enum dp_status (*fn)(void *ctx, int64_t src, int64_t dst, int64_t job, int64_t first_at, int64_t last_at, struct dp_err *err),
                                void *ctx, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_catalog_flows(struct dp_catalog *c, int64_t as_of, enum dp_status (*fn)(void *ctx, int64_t dataset, int64_t job, const struct dp_catalog_flow_edge *edges, size_t n, struct dp_err *err),
                                void *ctx, struct dp_err *err) DP_MUST_CHECK;

#endif
