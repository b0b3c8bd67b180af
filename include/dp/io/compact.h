/*
 * Compaction: many small Parquet files become few good ones, of a live table or of files by name (dp-compact(1)).
 *
 * In a table partition by partition.  Files that are worth it are rewritten: small ones, those of which many rows are deleted, and, where an order or a codec is asked for,
 * those that don't have it.  What is published only rearranges rows (dataChange false): appends at the same time are no conflict, readers of an older version are not
 * disturbed, and a second run finds nothing to do.
 *
 * Work is published in commits of about commit_size bytes of input.  Where a concurrent commit took away some of the inputs, the partitions that it touched are left
 * out of the commit and looked at again.
 */
#ifndef DP_IO_COMPACT_H
#define DP_IO_COMPACT_H

#include <dp/delta/snapshot.h>
#include <dp/io/lay.h>

/* Order of rows within a partition, over all its files: text is "a,-b" (SORT) or "a,b" (ZORDER). */
enum dp_order_kind { DP_ORDER_NONE, DP_ORDER_SORT, DP_ORDER_ZORDER };
struct dp_order {
    enum dp_order_kind kind;
    char *text;            /* as it is kept with the files: "sort(a,-b)", "zorder(a,b)" */
    char *sort;            /* SORT: as dp_lay_opts takes it */
    char **columns;        /* ZORDER */
    size_t n;
};
/* --cluster 'zorder(a,b)'; DP_USAGE. */
enum dp_status dp_order_parse_cluster(struct dp_order *o, const char *text, struct dp_err *err) DP_MUST_CHECK;
void dp_order_set_sort(struct dp_order *o, const char *columns);
/* That of a clustered table (domain delta.clustering): its columns in Z-order; NONE where it has none. */
enum dp_status dp_order_of_table(struct dp_order *o, const struct dp_delta_snapshot *s, struct dp_err *err) DP_MUST_CHECK;
/* Adds to a header that all rows stand in this order. */
void dp_order_lineage(const struct dp_order *o, struct dp_mark *begin);
void dp_order_release(struct dp_order *o);

struct dp_compact_opts {
    uint64_t target_size;        /* of files; those below three quarters of it are small */
    uint64_t commit_size;        /* bytes of input that are published at once, about; 0: 4 GiB */
    unsigned deleted_percent;    /* files of which so many rows are deleted are rewritten (0: every file that has a deletion vector) */
    const char *codec;           /* NULL: the table's own, and large files keep theirs */
    const struct dp_expr *where; /* which partitions, or NULL */
    struct dp_order order;       /* NONE: the table's clustering, where it has one */
};

struct dp_compacted {
    uint64_t files_in, files_out, bytes_in, bytes_out, partitions, commits, vectors; /* vectors: deletion vectors that are gone */
    uint64_t files, files_foreign; /* live ones; those that another implementation clusters, which are left alone */
    int64_t rows, rows_deleted;
    int64_t version;             /* the last that was published, -1: none */
    uint64_t conflicts;          /* partitions that a concurrent commit made us do again */
    uint64_t groups_copied;      /* row groups that stand in new files as they stood in the old ones */
};

/* DP_EMPTY: nothing is worth it.  run->dry_run: what would be rewritten (files_in, bytes_in, partitions, vectors; files_out by their size); nothing is changed. */
enum dp_status dp_compact_table(struct dp_run *run, const char *table, const struct dp_compact_opts *o, struct dp_compacted *out, struct dp_err *err) DP_MUST_CHECK;

/* ---- files by name: into a directory or into the staging of a table ---- */

struct dp_compact_files;
/* done is told of each file that is whole. */
enum dp_status dp_compact_files_open(struct dp_run *run, const char *dir, const struct dp_compact_opts *o, dp_lay_done done, void *ctx, struct dp_compact_files **out,
                                     struct dp_err *err) DP_MUST_CHECK;
/*
 * Parquet files and tables; several are read as one set (dp/io/evolve.h).  Files that stand in a table have the partition values, the names and the types that its log
 * gives them.  Called once.
 */
enum dp_status dp_compact_files_add(struct dp_compact_files *f, const char *const *names, size_t n, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_compact_files_finish(struct dp_compact_files *f, struct dp_err *err) DP_MUST_CHECK;
struct dp_compacted dp_compact_files_counts(const struct dp_compact_files *f);
void dp_compact_files_keep(struct dp_compact_files *f); /* their paths have gone out */
void dp_compact_files_close(struct dp_compact_files *f); /* NULL is legal */

#endif
