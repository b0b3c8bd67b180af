/* Between the files of compaction: row groups written anew (compact_rewrite.c), what is worth it (compact_plan.c). */
#ifndef DP_IO_COMPACT_PRIV_H
#define DP_IO_COMPACT_PRIV_H

#include <dp/delta/feature.h>
#include <dp/io/compact.h>
#include <dp/io/lay.h>

#include "curve_priv.h"
#include "mask_priv.h"

/* ---- compact_rewrite.c ---- */

/* Row groups of one schema and layout, laid out anew.  `lay` and `encoder` are made by the caller with these options. */
struct rewrite {
    struct dp_run *run;
    struct dp_lay_opts lay_opts;
    struct dp_lay *lay;
    struct dp_pq_encoder *encoder; /* asked what may be copied */
    struct curve *curve;           /* or NULL */
    bool sorts;
    bool mixes;                    /* rows of one input may belong to several partitions */
    uint64_t rows, groups_copied;
    struct dp_lay_rows key;        /* one row: the partition of what is copied */
};

/*
 * Sets lay_opts (but where files go) and the curve; run and sorts are set.  Adds the columns of row ids (rows NULL: there are none) and the order column to the schema,
 * which is borrowed like the others.
 */
enum dp_status rewrite_open(struct rewrite *r, const struct dp_compact_opts *o, struct dp_type *schema, struct dp_layout *layout, const struct dp_delta_row_columns *rows,
                            struct dp_err *err) DP_MUST_CHECK;
/* Files that become new ones together: of a table (with files), or by name as the set that `set` says. */
struct inputs {
    const struct dp_delta_snapshot *table;
    const struct dp_type *set;
    struct dp_delta_file *files;
    char **paths;
    size_t n, cap, paths_cap;
    uint64_t memory;   /* that reading a file may take */
    int64_t rows;      /* how many there are, about */
};
enum dp_status inputs_add(struct inputs *in, const struct dp_delta_file *f, struct dp_err *err) DP_MUST_CHECK;
void inputs_add_path(struct inputs *in, const struct dp_delta_file *f, const char *path); /* f NULL: by name */
void inputs_release(struct inputs *in);
enum dp_status rewrite_inputs(struct rewrite *r, const struct inputs *in, struct dp_err *err) DP_MUST_CHECK;
void rewrite_release(struct rewrite *r); /* not the lay */

/* ---- compact_plan.c ---- */

/* A live file that is to be rewritten, and why. */
enum why { WHY_NONE, WHY_SMALL = 1, WHY_DELETED = 2, WHY_CODEC = 4, WHY_ORDER = 8, WHY_CUBE = 16 };
struct candidate { const struct dp_delta_file *file; unsigned why; };
/* The files of one partition that become new ones together. */
struct unit {
    char *key;              /* the partition's values as a JSON object */
    struct candidate *files;
    size_t n, cap;
    uint64_t bytes;
    int64_t rows, deleted;  /* by statistics; rows -1: not known */
    bool in_part;           /* more of this partition is to be done behind it */
};
struct plan {
    struct unit *units;
    size_t n, cap;
    struct dp_map index;    /* key -> unit number */
    size_t n_files, n_foreign; /* live ones; those of another clustering implementation */
};
/*
 * seen: paths of the files that may be touched (NULL: all).  DP_USAGE: --where asks for more than partition columns.
 */
enum dp_status plan_make(const struct dp_delta_snapshot *s, const struct dp_compact_opts *o, const struct dp_map *seen, struct plan *p, struct dp_err *err) DP_MUST_CHECK;
void plan_release(struct plan *p);
/* A file's partition as unit.key. */
enum dp_status plan_key(const struct dp_delta_snapshot *s, const struct dp_delta_file *f, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

#define COMPACT_PROVIDER "dp" /* clusteringProvider of what is clustered here */
#define TAG_ORDER "dp.order" /* of an add action: in which order its rows are, */
#define TAG_CUBE "dp.cube"   /* together with which files, */
#define TAG_CODEC "dp.codec" /* and what --codec asked for */

#endif
