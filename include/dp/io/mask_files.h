/*
 * Parquet files and tables through a mask into Parquet (dp-mask -o): columns are read, masked and written as columns; of those that pass the chunks are
 * copied as they stand, wherever all rows of a row group stay.
 *
 * A table's partitioning is kept: where a partition column is masked, its masked values are what the new files are partitioned by.  Files whose
 * schemas differ are read as one set (dp/io/evolve.h); a table among them must have the set's schema.  A row that can't be masked is a reject, told by source and row number.
 */
#ifndef DP_IO_MASK_FILES_H
#define DP_IO_MASK_FILES_H

#include <dp/io/lay.h>
#include <dp/rules/mask.h>

struct dp_mask_filter {
    const struct dp_expr *expr;
    const char *rule; /* of a reject where it errs: "where", "rows" */
};

struct dp_mask_files_opts {
    const struct dp_mask *mask;
    struct dp_mask_filter filters[3]; /* all must be true of a row's clear values */
    size_t n_filters;
    const char *dir;                  /* a directory, or a table: files go to its staging */
    const char *codec;                /* NULL: as dp_lay_opts says, and columns that are copied keep theirs */
};

/* What came out so far, or would. */
struct dp_mask_files_counts { uint64_t rows, groups_copied, chunks_copied; };

struct dp_mask_files;

/* opts are borrowed until close; done as in dp_lay_open. */
enum dp_status dp_mask_files_open(struct dp_run *run, const struct dp_mask_files_opts *opts, dp_lay_done done, void *ctx, struct dp_mask_files **out,
                                  struct dp_err *err) DP_MUST_CHECK;
/* All files and tables, once; adds their rows to run->books. DP_SCHEMA: two have types of a column that no type holds. */
enum dp_status dp_mask_files_add(struct dp_mask_files *f, const char *const *names, size_t n, struct dp_err *err) DP_MUST_CHECK;
/* The rest of the files, and their names. */
enum dp_status dp_mask_files_finish(struct dp_mask_files *f, struct dp_err *err) DP_MUST_CHECK;
struct dp_mask_files_counts dp_mask_files_counts(const struct dp_mask_files *f);
/* Their paths have gone out: the files stay. */
void dp_mask_files_keep(struct dp_mask_files *f);
void dp_mask_files_close(struct dp_mask_files *f); /* any time; NULL is legal */

#endif
