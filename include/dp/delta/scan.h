/*
 * Rows of a table: live files with their partition values, deletion vectors applied, columns in the table's order and types.
 *
 * Tasks (one row group each) are handed out in order by one thread and read by any thread:
 *
 *     dp_delta_scan_open(snapshot, NULL, 0, where, &scan)
 *     while dp_delta_scan_next(scan, &task) == DP_OK:          in order, one thread at a time
 *         dp_delta_read_open(task, &read)                      any thread
 *         while dp_delta_read_next(read, 8192, &batch) == DP_OK: ...   batch has dp_delta_scan_schema(scan)
 *         dp_delta_read_close(read)
 *         dp_delta_task_release(task)
 */
#ifndef DP_DELTA_SCAN_H
#define DP_DELTA_SCAN_H

#include <dp/delta/snapshot.h>
#include <dp/record/batch.h>

struct dp_pq_file; /* dp/parquet/reader.h */
struct dp_delta_scan;
struct dp_delta_task;
struct dp_delta_read;

/*
 * columns: display names, NULL = all (one that is not there is DP_SCHEMA).  where: files and row groups that it excludes are not read; rows are not
 * tested.  All borrowed until close.
 */
enum dp_status dp_delta_scan_open(const struct dp_delta_snapshot *s, const char *const *columns, size_t n_columns, const struct dp_expr *where,
                                  struct dp_delta_scan **out, struct dp_err *err) DP_MUST_CHECK;
/* Instead of the live files these, which are read at paths[i]: files about to be committed.  Before the first next; borrowed until close. */
void dp_delta_scan_only(struct dp_delta_scan *scan, const struct dp_delta_file *files, const char *const *paths, size_t n);
/* Which rows of a file are read: those that `deleted` leaves, and of a pair only what `wanted` deletes among them (two states of one file: what the second has not). */
struct dp_delta_picked {
    bool is_pair;
    struct dp_delta_dv deleted, wanted;
};
/* Beside dp_delta_scan_only, one for each of its files; row groups without a wanted row are passed over.  Borrowed until close. */
void dp_delta_scan_pick(struct dp_delta_scan *scan, const struct dp_delta_picked *picked);
void dp_delta_scan_close(struct dp_delta_scan *scan); /* tasks must be released before */
const struct dp_type *dp_delta_scan_schema(const struct dp_delta_scan *scan); /* display names; borrowed until close */

/*
 * Two more columns behind the others, for who moves rows of a table that tracks them: each row's id and the version that wrote it last, under the names that such columns have in
 * files (dp_delta_row_columns).  Before the first next.  DP_FORMAT: the table has not named them, or names a column of its own.
 */
enum dp_status dp_delta_scan_row_ids(struct dp_delta_scan *scan, struct dp_err *err) DP_MUST_CHECK;

/* DP_END: no more.  The first: DP_IO where files that stand outside of the table are wanted and are not there (dp/delta/tier.h). */
enum dp_status dp_delta_scan_next(struct dp_delta_scan *scan, struct dp_delta_task **out, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_task_release(struct dp_delta_task *task); /* any thread; NULL is legal */
/* Passes over up to `rows` live rows by whole row groups, before the next task; *skipped says how many.  DP_END: no more.  Not with where. */
enum dp_status dp_delta_scan_skip(struct dp_delta_scan *scan, int64_t rows, int64_t *skipped, struct dp_err *err) DP_MUST_CHECK;
/* What reading each of its files may take (dp_pq_open_bounded); to be called before the first task. */
void dp_delta_scan_bound(struct dp_delta_scan *scan, uint64_t memory);
/* What there was so far, and what `where` left out; groups are those of the files that were opened. */
struct dp_delta_scan_counts { uint64_t files, files_skipped, groups, groups_skipped, pages, pages_skipped, bytes_skipped; };
struct dp_delta_scan_counts dp_delta_scan_counts(const struct dp_delta_scan *scan);
const char *dp_delta_task_path(const struct dp_delta_task *task); /* the data file; borrowed until release */
const struct dp_delta_file *dp_delta_task_action(const struct dp_delta_task *task); /* of the snapshot, or of dp_delta_scan_only */
int64_t dp_delta_task_first_row(const struct dp_delta_task *task); /* physical, of the file, from 0 */
int64_t dp_delta_task_rows(const struct dp_delta_task *task); /* that are not deleted and may satisfy `where` */

/* For who copies column chunks as they stand: the open file, borrowed until release, and the row group in it. */
const struct dp_pq_file *dp_delta_task_file(const struct dp_delta_task *task);
size_t dp_delta_task_row_group(const struct dp_delta_task *task);
/* The column of that file which is column number `column` of the scan as it stands, names aside; -1: none is (partition columns, missing and widened ones). */
int dp_delta_task_column(const struct dp_delta_task *task, size_t column);
/* One row: the values of the scan's partition columns, in their order. */
const struct dp_batch *dp_delta_task_constants(const struct dp_delta_task *task);

enum dp_status dp_delta_read_open(const struct dp_delta_task *task, struct dp_delta_read **out, struct dp_err *err) DP_MUST_CHECK;
/* One column of the scan alone, not a partition column; batches have dp_delta_read_schema. */
enum dp_status dp_delta_read_open_column(const struct dp_delta_task *task, size_t column, struct dp_delta_read **out, struct dp_err *err) DP_MUST_CHECK;
const struct dp_type *dp_delta_read_schema(const struct dp_delta_read *read); /* borrowed until close */
void dp_delta_read_close(struct dp_delta_read *read);
size_t dp_delta_read_bytes(const struct dp_delta_read *read); /* dp_pq_reader_bytes */
/* Adds the pages that reading met and those that `where` left out; read may be NULL. */
void dp_delta_read_count(const struct dp_delta_read *read, struct dp_delta_scan_counts *to);
/* Up to max_rows physical rows, those that are not deleted into b (reset first; may come out empty); DP_END when the row group is done. */
enum dp_status dp_delta_read_next(struct dp_delta_read *read, int64_t max_rows, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;
/* The physical row, of the file, of row i of the batch that the latest next gave. */
int64_t dp_delta_read_row(const struct dp_delta_read *read, int64_t i);

#endif
