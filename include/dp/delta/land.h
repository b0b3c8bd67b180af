/*
 * Landing: from finished Parquet files in staging to add actions.  Each file is checked (size, footer, schema, partition values, nulls)
 * before the first one is renamed to its place.
 */
#ifndef DP_DELTA_LAND_H
#define DP_DELTA_LAND_H

#include <dp/delta/commit.h>
#include <dp/delta/evolve.h>

struct dp_delta_landing;

/* snapshot NULL: the table does not exist; its schema comes from the first file.  Borrowed until close. */
struct dp_delta_landing *dp_delta_landing_open(const char *table, const struct dp_delta_snapshot *snapshot);
/* Before the first add: the table's schema grows with the files.  Borrowed until close; e is of the landing's snapshot. */
void dp_delta_landing_evolve(struct dp_delta_landing *l, struct dp_delta_evolved *e);
/* The table as these files make it: the snapshot, or what has evolved from it. */
const struct dp_delta_snapshot *dp_delta_landing_snapshot(const struct dp_delta_landing *l);
void dp_delta_landing_close(struct dp_delta_landing *l);

/* Checks one file and keeps its action.  DP_SCHEMA, DP_RULE, DP_FORMAT, DP_UNSUPPORTED with path and column; DP_USAGE: the path is outside the table. */
enum dp_status dp_delta_landing_add(struct dp_delta_landing *l, const char *path, struct dp_err *err) DP_MUST_CHECK;

size_t dp_delta_landing_count(const struct dp_delta_landing *l);   /* files to commit */
size_t dp_delta_landing_known(const struct dp_delta_landing *l);   /* files that the table has already: not committed again */
int64_t dp_delta_landing_rows(const struct dp_delta_landing *l);
int64_t dp_delta_landing_bytes(const struct dp_delta_landing *l);
/* The files to commit, and where each is now; borrowed until close (paths[i] until place). */
const struct dp_delta_file *dp_delta_landing_files(const struct dp_delta_landing *l);
const char *dp_delta_landing_path(const struct dp_delta_landing *l, size_t i);
/* Does the file declare each field inside of another as required that the table requires?  Then none is null. */
bool dp_delta_landing_requires(const struct dp_delta_landing *l, size_t i);
/* For a table to be created: its schema (Delta types) and partition columns; borrowed until close. */
const struct dp_type *dp_delta_landing_schema(const struct dp_delta_landing *l);
const struct dp_delta_strs *dp_delta_landing_partition_columns(const struct dp_delta_landing *l);

/* Renames the files to their places, where no vacuum takes them until close (dp/delta/hold.h); publish before.  The actions are borrowed until close. */
enum dp_status dp_delta_landing_place(struct dp_delta_landing *l, const struct dp_delta_file **adds, size_t *n, struct dp_err *err) DP_MUST_CHECK;

/* Does no living writer hold the lock of this directory of staged files?  Removes one with all that is in it.  Best effort. */
bool dp_delta_staging_is_free(const char *dir);
void dp_delta_staging_remove(const char *dir);
/* Removes what is in staging, unlocked and older than max_age_s.  Best effort. */
void dp_delta_staging_sweep(const char *table, int64_t now_s, int64_t max_age_s);
/* Removes the emptied run directories of the landed files.  Best effort. */
void dp_delta_landing_tidy(struct dp_delta_landing *l);

#endif
