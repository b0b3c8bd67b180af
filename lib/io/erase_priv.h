/* What the parts of dp/io/erase.h share.  Private to lib/io. */
#ifndef DP_IO_ERASE_PRIV_H
#define DP_IO_ERASE_PRIV_H

#include <dp/base/file.h>
#include <dp/delta/amend.h>
#include <dp/delta/hold.h>
#include <dp/io/erase.h>
#include <dp/parquet/reader.h>

#include <limits.h>

#define ERASE_DIR "_dp_erase"
#define ERASE_JOURNAL "journal"

struct erase_table;

/* A Parquet file, by its real path. */
struct erase_file {
    const char *path;
    struct erase_table *table;     /* whose directory or tier it is in; else the first that names it */
    bool is_own, is_named, is_change;
    struct dp_str hive;            /* path below the table, for a file that no version names */
    struct dp_delta_pairs values;  /* partition values, by their physical names */
    int64_t base_row_id;           /* or UNSET */
    int64_t row_version;           /* the version that wrote its rows, or UNSET */
    uint64_t bytes;
    bool is_searched, is_done;
    int64_t rows, *gone;           /* of the person, n_gone of them, ascending */
    size_t n_gone;
    bool all;                      /* every row */
    const char *twin_name;         /* its base name; NULL: nothing is left */
    struct dp_delta_twin twin;     /* but for the path, which each table spells for itself */
};

struct erase_table {
    char root[PATH_MAX];
    const char *name;              /* as it was given */
    const struct dp_subject_place *place; /* or NULL */
    struct dp_delta_hold hold;
    struct dp_delta_snapshot *s;
    char **homes; size_t n_homes;  /* of its tiers */
    struct dp_map names;           /* path of its log -> struct erase_file * */
    struct dp_map twins;           /* path of its log -> struct dp_delta_twin *, with its own spelling of the path */
    struct dp_map conditions;      /* terms, to have each once */
    struct dp_expr *where, *of_partition; /* over columns of files and over partition values, both by physical names; NULL: no such column */
    struct dp_expr *of_all;        /* both, over columns of files that were written when the table was partitioned otherwise */
    struct dp_delta_row_columns row_columns;
    int64_t newest;                /* entry that has been read, -1: none */
    struct dp_delta_vectors *vectors;
    struct dp_delta_amended amended;
    uint64_t rows_live;
    int64_t version;               /* that was published, -1: none */
};

struct erase {
    struct dp_run *run;
    const struct dp_erase_opts *o;
    struct dp_erased *out;
    struct dp_subject_places places;
    struct erase_table *tables; size_t n_tables; /* by root */
    struct dp_map files;           /* real path -> struct erase_file * */
    struct dp_arena arena;
};

/* Is it inside of this directory? */
bool erase_is_below(const char *path, const char *dir);

/* ---- erase_files.c: which files there are, and what their rows are called ---- */
enum dp_status erase_gather(struct erase *x, struct erase_table *t, struct dp_err *err) DP_MUST_CHECK;

/* Is the draft at this path of the table that of a living process? */
bool erase_is_at_work(const char *rel, const char *path);
/* Drafts of checkpoints and entries that nobody placed: for who holds the table alone. */
void erase_sweep(const struct erase_table *t);

/* ---- erase_where.c: what is the person's in a table ---- */
void erase_conditions(struct erase *x, struct erase_table *t, const struct dp_type *schema, const struct dp_type *physical, bool is_latest);
enum dp_status erase_compile(struct erase_table *t, struct dp_err *err) DP_MUST_CHECK;

/* ---- erase_find.c: the rows, on all threads; files that were searched before are passed over ---- */
enum dp_status erase_find(struct erase *x, struct dp_err *err) DP_MUST_CHECK;

/* ---- erase_twin.c ---- */
enum dp_status erase_twins(struct erase *x, struct dp_err *err) DP_MUST_CHECK;
/* The same of a file that is no table's, to take its own place: without these rows, ascending.  The caller commits. */
enum dp_status erase_rewrite(struct erase *x, const char *path, int64_t *gone, size_t n_gone, unsigned mode, struct dp_newfile *out, struct dp_err *err) DP_MUST_CHECK;

/* ---- erase_log.c: the commit, and what the log says ---- */
/* Publishes the twins of what is live; *again: another writer was faster. */
enum dp_status erase_publish(struct erase *x, struct erase_table *t, bool *again, struct dp_err *err) DP_MUST_CHECK;
/* The files of the log that change, into a directory laid out as it. */
enum dp_status erase_amend(struct erase *x, struct erase_table *t, const char *into, struct dp_err *err) DP_MUST_CHECK;

/* ---- erase_journal.c ---- */
/* All that is to be put in place is written; the journals are last. */
enum dp_status erase_prepare(struct erase *x, struct dp_err *err) DP_MUST_CHECK;
/* Does what the journals of the tables say, and forgets them.  *n: how many there were.  What was written without one is removed. */
enum dp_status erase_replay(struct erase *x, uint64_t *n, struct dp_err *err) DP_MUST_CHECK;

/* ---- erase_plain.c: files of records that are no table's ---- */
enum dp_status erase_plain(struct erase *x, const struct dp_subject_place *place, struct dp_err *err) DP_MUST_CHECK;

/* ---- erase_records.c: CSV and Parquet files that are no table's ---- */
bool erase_has_records(const struct dp_subject_place *place);
enum dp_status erase_records(struct erase *x, const struct dp_subject_place *place, struct dp_err *err) DP_MUST_CHECK;

/* ---- erase_report.c ---- */
void erase_report(const struct erase *x, struct dp_buf *out); /* one line of JSON */

#endif
