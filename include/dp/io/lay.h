/*
 * Rows into Parquet files, one set of files for each partition, with bounded memory.
 *
 * Rows wait in memory; over the bound they go to an unlinked file in $TMPDIR.  A partition that has a row group's worth of rows begins its
 * file, as long as not too many are open; the others are written one after the other at the end.  What is in a file depends on the rows
 * and their order alone, and so does where files and row groups end.
 *
 * In a table (staging) files stand in T/_dp_staging/RUN/, under a lock; in a plain directory in name=value directories, and get their
 * names only at finish.
 */
#ifndef DP_IO_LAY_H
#define DP_IO_LAY_H

#include <dp/base/map.h>
#include <dp/delta/snapshot.h>
#include <dp/io/stream.h>
#include <dp/rules/layout.h>

struct dp_lay_opts {
    const char *dir;             /* exists or is made */
    bool staging;                /* dir is a table */
    const struct dp_delta_snapshot *table; /* that table, or NULL: where it maps its columns, files have the physical names */
    bool evolved;                /* table has columns that the table on disk lacks (dp/delta/evolve.h): files say so where columns are mapped */
    struct dp_layout *layout;    /* bound; borrowed */
    const struct dp_type *schema; /* of the rows that come in; borrowed */
    bool tracks_rows;            /* the last two columns of it are row ids (dp_delta_scan_row_ids): of files, not of the table */
    const char *codec;           /* "zstd:3"; NULL: the table's delta.parquet.compression.codec, else zstd:3 */
    bool keep_codec;             /* chunks that are copied (dp_lay_group_begin) may have another */
    int64_t row_group_rows;      /* 0: the writer's own */
    uint64_t row_group_bytes;    /* of rows in memory; 0: 26 MiB, more where --memory has room */
    int page_version;            /* of data pages: 1 or 2; 0: by the table's delta.parquet.format.version, else 1 */
    bool page_checksums;
    const char *const *encodings; size_t n_encodings; /* "COLUMN=ENCODING" */
    const char *const *blooms; size_t n_blooms;       /* "COLUMN" or "COLUMN=SHARE" of false hits */
    uint64_t target_size;        /* bytes after which a file is complete (at the end of a row group); 0: 128 MiB */
    uint64_t memory;             /* of the run, 0: 160 MiB */
    size_t max_open;             /* files open at once; 0: as many as memory allows, at most 64 */
    const char *sort;            /* "a,-b": order of a partition's rows, over all its files, or NULL */
    const char *const *cluster; size_t n_cluster; /* instead: columns of a Z-curve along which they are ordered; its ranges are learned when all rows have come */
    const char *order_column;    /* instead: one more column, the last of the schema (int64, not null), by which rows are ordered, and which stands in no file; NULL: none */
};

/* Is it a codec and level that files can be written with?  DP_USAGE names the nearest right word. */
enum dp_status dp_lay_check_codec(const char *codec, struct dp_err *err) DP_MUST_CHECK;

/* The columns that options name, and what is asked of them, against the schema; schema and layout must be set.  DP_USAGE. */
enum dp_status dp_lay_check(const struct dp_lay_opts *o, struct dp_err *err) DP_MUST_CHECK;

struct dp_lay;
struct dp_pq_writer;
struct dp_pq_encoder;

/* Called for each file that is whole, on disk and under its final name. */
typedef enum dp_status (*dp_lay_done)(void *ctx, const char *path, int64_t rows, uint64_t bytes, struct dp_err *err);

enum dp_status dp_lay_open(struct dp_run *run, const struct dp_lay_opts *o, dp_lay_done done, void *ctx, struct dp_lay **out, struct dp_err *err) DP_MUST_CHECK;

/* Rows of one chunk with their partitions; made on any thread (dp_lay_group), taken in order (dp_lay_add). Zero value is empty. */
struct dp_lay_rows {
    struct dp_batch rows, keys;
    bool is_open;
    struct dp_map groups;      /* key bytes -> number */
    uint32_t *group_of;        /* one for each row */
    uint32_t *first;           /* of each group: its first row */
    size_t group_cap, first_cap;
    struct dp_buf key;
};
void dp_lay_rows_open(const struct dp_lay_opts *o, struct dp_lay_rows *r);
void dp_lay_rows_release(struct dp_lay_rows *r);
enum dp_status dp_lay_group(const struct dp_lay_opts *o, struct dp_lay_rows *r, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_lay_add(struct dp_lay *l, const struct dp_lay_rows *r, struct dp_err *err) DP_MUST_CHECK;
/*
 * Files that keep the order of what comes, and its row groups: as long as rows are of one partition they go on in one file, up to the target size.  Row groups
 * are put together by the caller (dp/parquet/writer.h, between begin and end); rows in between are row groups of their own.  `r` has rows of one partition,
 * of which group_begin takes the first one's key alone.  What came through dp_lay_add is in other files.  Not with sort.
 */
enum dp_status dp_lay_group_begin(struct dp_lay *l, const struct dp_lay_rows *r, struct dp_pq_writer **w, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_lay_group_end(struct dp_lay *l, int64_t rows, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_lay_group_undo(struct dp_lay *l, struct dp_err *err) DP_MUST_CHECK; /* instead of end: what was written since begin is cut off */
enum dp_status dp_lay_follow(struct dp_lay *l, const struct dp_lay_rows *r, struct dp_err *err) DP_MUST_CHECK;
/* For one thread, of columns as these files have them: those of the schema that are not keys of the layout, in their order. */
enum dp_status dp_lay_encoder(const struct dp_lay *l, struct dp_pq_encoder **out, struct dp_err *err) DP_MUST_CHECK;
/* The input was whole: the rest of the files, then their names. */
enum dp_status dp_lay_finish(struct dp_lay *l, struct dp_err *err) DP_MUST_CHECK;
/* The same in the middle of the input (what came so far was whole): those files stay, whatever happens later, and further rows go into new ones. */
enum dp_status dp_lay_cut(struct dp_lay *l, struct dp_err *err) DP_MUST_CHECK;
size_t dp_lay_partitions(const struct dp_lay *l); /* counted anew behind each cut, and added up */
uint64_t dp_lay_spilled(const struct dp_lay *l); /* bytes */
/* Their paths have gone out: the files stay. NULL is legal. */
void dp_lay_keep(struct dp_lay *l);
/* Any time; what was not finished is removed, and what was finished too unless it is to be kept. NULL is legal. */
void dp_lay_close(struct dp_lay *l);

#endif
