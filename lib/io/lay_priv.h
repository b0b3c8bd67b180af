/* What the files of the partition writer share: partitions, the store of waiting rows, sorting. */
#ifndef DP_IO_LAY_PRIV_H
#define DP_IO_LAY_PRIV_H

#include <dp/base/file.h>
#include <dp/io/lay.h>
#include <dp/parquet/writer.h>

#include "curve_priv.h"

/* ---- lay_store.c: rows that wait ---- */

/* Rows of one partition that were put at once, as n bytes of a block. */
struct dp_lay_extent { size_t n; uint32_t block, offset, rows, level; };

/*
 * Extents stand behind each other in blocks.  Blocks are in memory until they take more than `memory` together; then the oldest goes to an
 * unlinked file.  A block whose extents are all dropped is used again, so neither memory nor the file grows with what has passed through.
 */
struct dp_lay_block { char *mem; uint64_t place, room; size_t cap, n; uint32_t live, next_free; };
struct dp_lay_store {
    size_t memory, held;
    struct dp_lay_block *blocks;
    size_t n_blocks, cap;
    uint32_t free, current, oldest; /* block numbers + 1, 0: none */
    int fd;
    bool is_open;
    uint64_t size, spilled;         /* of the file; bytes ever written to it */
    struct dp_buf buf, read;
};
/* All rows of b, which must begin at its first; at most 4 GiB of rows' numbers. */
enum dp_status dp_lay_store_put(struct dp_lay_store *s, const struct dp_batch *b, struct dp_lay_extent *out, struct dp_err *err) DP_MUST_CHECK;
/* Makes b, an initialised batch, a view of the rows.  copy NULL: borrowed until the next put, view or drop; else they are copied there. */
enum dp_status dp_lay_store_view(struct dp_lay_store *s, const struct dp_lay_extent *x, struct dp_batch *b, struct dp_buf *copy, struct dp_err *err) DP_MUST_CHECK;
void dp_lay_store_drop(struct dp_lay_store *s, const struct dp_lay_extent *x);
void dp_lay_store_close(struct dp_lay_store *s);

/* ---- lay_writer.c ---- */

/*
 * The Parquet writer's options but for row groups' owner, sorting and metadata.  names: the files' columns as records name them.  *columns is
 * what the options point to: the caller frees it.
 */
enum dp_status dp_lay_writer_opts(const struct dp_lay_opts *o, const struct dp_type *names, struct dp_pq_writer_opts *w, struct dp_pq_column_opts **columns,
                                  struct dp_err *err) DP_MUST_CHECK;

/* ---- lay_sort.c ---- */

struct dp_lay_sort_key { size_t column; bool descending; };
struct dp_lay_sort {
    struct dp_lay_sort_key *keys;
    size_t n;
    bool is_head; /* the first key's head decides alone */
};
/* "a,-b" against a schema; DP_USAGE names what is wrong. */
enum dp_status dp_lay_sort_parse(struct dp_lay_sort *s, const char *text, const struct dp_type *schema, struct dp_err *err) DP_MUST_CHECK;
int dp_lay_sort_cmp(const struct dp_lay_sort *s, const struct dp_batch *a, int64_t i, const struct dp_batch *b, int64_t j);
/*
 * A value as a number: where the numbers of two values differ, they order as the values do.  Of bytes the first eight.  Not for nulls, nested types and those without
 * values.
 */
uint64_t dp_lay_head(const struct dp_column *c, int64_t row);
uint64_t dp_lay_head_of_bytes(struct dp_str s);
struct dp_str dp_lay_bytes_of(const struct dp_column *c, int64_t row); /* variable or fixed */
/* The same of a row's first key, nulls and direction included. */
uint64_t dp_lay_sort_head(const struct dp_lay_sort *s, const struct dp_batch *b, int64_t row);
#define DP_LAY_SORT_BYTES 40 /* of memory that sorting takes for each row */
/* Brings row numbers of a batch into order, stable; spare has room for n. */
void dp_lay_sort_rows(const struct dp_lay_sort *s, const struct dp_batch *b, uint32_t *rows, uint32_t *spare, size_t n);

/* ---- lay.c ---- */

#define DP_LAY_PIECE_BYTES (128 << 10)    /* of rows that are handed on at once, about */
#define DP_LAY_TIER 16                    /* small extents or runs that become one */
#define DP_LAY_TIER_BYTES (256 << 10)     /* what they may have together */

struct dp_lay_file {
    struct dp_newfile new;
    struct dp_pq_writer *writer;
    int64_t rows;
};

struct dp_lay_run { size_t first, n; };

struct dp_lay_part {
    char *values;       /* JSON object for the file's metadata */
    char *subdir;       /* plain directories: "day=2026-01-02/...", else "" */
    struct dp_lay_extent *extents; /* rows in the store, in order */
    size_t n_extents, extents_cap;
    struct dp_lay_run *runs;   /* with --sort: extents that are sorted among each other */
    size_t n_runs, runs_cap;
    int64_t rows;       /* in the store */
    size_t bytes, staged; /* in the store; rows in the stage */
    struct dp_lay_file *file;  /* begun and not complete, or NULL */
};

/* A file that is complete.  Then it is synced, and then it gets its name: in staging soon, in plain directories when the input has ended. */
struct dp_lay_finished { struct dp_newfile new; int64_t rows; uint64_t bytes; };

struct dp_lay {
    struct dp_run *run;
    struct dp_lay_opts o;
    dp_lay_done done;
    void *ctx;
    char *dir;               /* where files go: the directory, or the run's in staging */
    int lock;                /* of the staging directory, -1 */
    struct dp_type *file_schema;
    struct dp_type *stored;  /* the same, and behind it the order column where there is one: rows on their way */
    struct curve *curve;     /* of cluster: rows wait unordered, */
    struct dp_column no_order, places; /* without places, which they get at the end */
    struct dp_type *names;   /* the file's with the names that records have */
    struct dp_type *keys;    /* of the layout, as the files' metadata names them */
    size_t *columns;         /* of the incoming rows that are in the files */
    struct dp_pq_writer_opts writer;
    struct dp_pq_sorting *sorting;
    struct dp_pq_column_opts *columns_asked; /* of writer */
    struct dp_buf row_schema; /* JSON */
    struct dp_lay_sort sort;
    struct dp_map index;     /* key bytes -> part number */
    struct dp_lay_part direct;      /* whose file goes on (dp_lay_group_begin, dp_lay_follow) */
    struct dp_buf direct_key;
    struct dp_lay_part *parts;
    size_t n_parts, parts_cap, n_open, n_cut_parts, n_files;
    uint64_t spilled;        /* before the latest cut */
    struct dp_batch stage;   /* rows that are not dealt out */
    uint32_t *stage_part;    /* the partition of each */
    size_t stage_part_cap, stage_bytes, stage_max;
    uint32_t *order, *spare; /* rows of the stage by partition */
    size_t order_cap, spare_cap;
    struct dp_lay_store store;
    struct dp_batch piece, view; /* rows on their way; view borrows */
    struct dp_pq_work *work;
    struct dp_lay_finished *finished;
    size_t n_finished, finished_cap, n_synced, n_named;
    uint64_t unsynced;       /* bytes */
    bool is_kept;
};

/* Rows into the file of a partition, which is begun where there is none; whole row groups are written. */
enum dp_status dp_lay_feed(struct dp_lay *l, struct dp_lay_part *p, const struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;
/* Rows into the store, behind those of the partition that are there. */
enum dp_status dp_lay_put_extent(struct dp_lay *l, struct dp_lay_part *p, const struct dp_batch *b, uint32_t level, struct dp_err *err) DP_MUST_CHECK;
/* n of them, from the first on, leave the store; their places in the partition stay. */
void dp_lay_drop_extents(struct dp_lay *l, struct dp_lay_part *p, size_t first, size_t n);
/* The piece has no rows then. */
void dp_lay_empty_piece(struct dp_lay *l);
/* Rows of the stage, sorted, as a run behind the others. */
enum dp_status dp_lay_put_run(struct dp_lay *l, struct dp_lay_part *p, uint32_t *rows, size_t n, struct dp_err *err) DP_MUST_CHECK;

/* ---- lay_rows.c ---- */

/* A partition's key as bytes, into out (reset first). */
enum dp_status dp_lay_key_bytes(const struct dp_batch *keys, int64_t row, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

/* ---- lay_cluster.c ---- */

/* The rows of a partition that wait get their places on the curve, and become runs.  The stage is empty. */
enum dp_status dp_lay_cluster(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) DP_MUST_CHECK;

/* ---- lay_merge.c ---- */

/* The extents from `first` on, which are sorted among each other, are a run. */
void dp_lay_add_run(struct dp_lay_part *p, size_t first);
/* Small runs at the end become one, so that a partition of many small extents does not have as many runs. */
enum dp_status dp_lay_join_small_runs(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) DP_MUST_CHECK;
/* All of a sorted partition to its file. */
enum dp_status dp_lay_merge(struct dp_lay *l, struct dp_lay_part *p, struct dp_err *err) DP_MUST_CHECK;

#endif
