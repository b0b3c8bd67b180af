/*
 * A table as of one version: the log replayed (digest section 3).
 *
 * The state is read-only once open, and may be shared by threads.  Strings are borrowed until close.
 */
#ifndef DP_DELTA_SNAPSHOT_H
#define DP_DELTA_SNAPSHOT_H

#include <dp/base/map.h>
#include <dp/delta/feature.h>
#include <dp/delta/log.h>
#include <dp/record/expr.h>

#define DP_DELTA_CLUSTERING "delta.clustering" /* the domain of a clustered table */

struct dp_delta_snapshot {
    char *table;
    int64_t version;
    int64_t checkpoint; /* version of the checkpoint that replay started from, -1 = none */
    struct dp_delta_protocol protocol;
    struct dp_delta_metadata metadata;
    enum dp_delta_mapping mapping;
    struct dp_type *schema;    /* display names; partition columns included */
    struct dp_type *physical;  /* the same tree with physical names (equal to schema without column mapping) */
    struct dp_delta_strs partition_keys; /* partition columns by their physical names, as partitionValues have them */
    struct dp_map txns;        /* appId -> struct dp_delta_txn *, expired ones included */
    struct dp_map domains;     /* name -> struct dp_delta_domain *, live ones */
    struct dp_map files;       /* (path, dv) -> struct dp_delta_file *: live adds; dead items are passed over */
    struct dp_map tombstones;  /* (path, dv) -> struct dp_delta_file *: removes */
    size_t n_files;
    struct dp_arena arena;
    struct dp_arena *parts;    /* what each thread has read */
    size_t n_parts;
};

struct dp_pool;

struct dp_delta_how {
    struct dp_pool *pool; /* the log is read by its threads; NULL: by the caller's alone */
    bool skip_stats;      /* for who only looks at paths and partition values: files have no statistics, and must not be written back */
};

/* version -1 = latest.  DP_USAGE: a version that does not exist; DP_IO: no table; DP_FORMAT: log broken; DP_UNSUPPORTED: by name. */
enum dp_status dp_delta_open(const char *table, int64_t version, struct dp_delta_snapshot **out, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_delta_open_how(const char *table, int64_t version, const struct dp_delta_how *how, struct dp_delta_snapshot **out, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_close(struct dp_delta_snapshot *s);

/* "12" is a version, RFC 3339 or a date an instant (zone-less = UTC): the version that --as-of names. */
enum dp_status dp_delta_as_of(const char *table, struct dp_str text, int64_t *version, struct dp_err *err) DP_MUST_CHECK;

/* The instant of such a text that is no version, in milliseconds; false: it is none. */
bool dp_delta_instant(struct dp_str text, int64_t *ms);

/* Goes through the live files in the order of their arrival: start with *cursor = 0; NULL at the end. */
const struct dp_delta_file *dp_delta_next_file(const struct dp_delta_snapshot *s, size_t *cursor);
/* The live transaction of an application: false when there is none or it expired (now_ms). */
bool dp_delta_txn_version(const struct dp_delta_snapshot *s, struct dp_str app_id, int64_t now_ms, int64_t *version);
/* configuration[key], or absent. */
struct dp_str dp_delta_property(const struct dp_delta_snapshot *s, const char *key, const char *absent);
bool dp_delta_is_partition(const struct dp_delta_snapshot *s, struct dp_str column);
/* (path, dvId) of a file as one key, behind out's content. */
void dp_delta_file_key(const struct dp_delta_file *f, struct dp_buf *out);
/* Physical rows by the statistics (-1 unknown). */
int64_t dp_delta_file_rows(const struct dp_delta_file *f);
/* What partition values and statistics say of an expression over the table's columns. */
enum dp_maybe dp_delta_file_skip(const struct dp_delta_snapshot *s, const struct dp_delta_file *f, const struct dp_expr *e);

/* The same for many files: what it takes is kept.  For one thread. */
struct dp_delta_skipper;
struct dp_delta_skipper *dp_delta_skipper_open(const struct dp_delta_snapshot *s, const struct dp_expr *e);
void dp_delta_skipper_close(struct dp_delta_skipper *q);
enum dp_maybe dp_delta_skipper_ask(struct dp_delta_skipper *q, const struct dp_delta_file *f);
int64_t dp_delta_skipper_rows(struct dp_delta_skipper *q, const struct dp_delta_file *f); /* as dp_delta_file_rows */
/* The live files in the order of their arrival, without those that `where` (NULL: none) excludes; *out is the caller's to free.  pool may be NULL. */
enum dp_status dp_delta_live_files(const struct dp_delta_snapshot *s, const struct dp_expr *where, struct dp_pool *pool, const struct dp_delta_file ***out,
                                   size_t *n, struct dp_err *err) DP_MUST_CHECK;

/* ---- history ---- */

struct dp_delta_history {
    int64_t version;
    int64_t timestamp_ms;   /* in-commit where the table has it, else the commit file's mtime, made monotonic */
    struct dp_delta_commit_info info; /* operation.p NULL: no commitInfo */
    uint64_t adds, removes; /* file actions of the commit */
    int64_t rows_added;     /* by statistics; -1: not known */
    int64_t bytes_added;
};
/* The commits that are there, ascending; everything is copied into the arena. */
enum dp_status dp_delta_history_read(const char *table, struct dp_arena *arena, struct dp_delta_history **out, size_t *n, struct dp_err *err) DP_MUST_CHECK;

#endif
