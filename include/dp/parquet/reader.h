/*
 * Parquet reader: a file to batches, row group by row group, with projection.  Trusts no length: every size is checked against the
 * file's size and the named limits before it is allocated.  Errors name row group, column and page.
 */
#ifndef DP_PARQUET_READER_H
#define DP_PARQUET_READER_H

#include <dp/base/pool.h>
#include <dp/parquet/codec.h>
#include <dp/parquet/meta.h>
#include <dp/record/batch.h>
#include <dp/record/expr.h>

struct dp_pq_file;   /* an open file; shared by threads */
struct dp_pq_reader; /* one thread's position in it */

/* Is it a regular file that begins or ends as Parquet does (encrypted footers too)?  A damaged beginning does not make it another format. */
bool dp_pq_is(int fd);
/* Reads and checks the footer. Encrypted footers are DP_UNSUPPORTED. */
enum dp_status dp_pq_open(const char *path, struct dp_pq_file **out, struct dp_err *err) DP_MUST_CHECK;
/*
 * The same, bounded: the footer, and of each reader windows, pages, dictionaries and batches together, take at most `memory` bytes (0: no bound);
 * what needs more is DP_LIMIT before it is allocated.  Where all columns at once would pass it, some give theirs back and are found again.
 */
enum dp_status dp_pq_open_bounded(const char *path, uint64_t memory, struct dp_pq_file **out, struct dp_err *err) DP_MUST_CHECK;
/* Another bound for the readers that are opened from now on. */
void dp_pq_bound(struct dp_pq_file *f, uint64_t memory);
/* From memory (tests, archive members, fuzzing): borrowed until close. */
enum dp_status dp_pq_open_memory(const void *p, size_t n, const char *name, struct dp_pq_file **out, struct dp_err *err) DP_MUST_CHECK;
void dp_pq_close(struct dp_pq_file *f);
const struct dp_pq_meta *dp_pq_meta(const struct dp_pq_file *f);
const struct dp_type *dp_pq_schema(const struct dp_pq_file *f); /* borrowed until close */
/* Numbers of the leaves of a top-level column. Counted in the file: a column of JSON may be a Variant, which has several. n 0: none. */
void dp_pq_column_leaves(const struct dp_pq_file *f, size_t column, size_t *first, size_t *n);

/* columns: top-level names to read, NULL = all (a name that is not there is DP_SCHEMA). */
enum dp_status dp_pq_reader_open(const struct dp_pq_file *f, const char *const *columns, size_t n_columns, struct dp_pq_reader **out, struct dp_err *err) DP_MUST_CHECK;
void dp_pq_reader_close(struct dp_pq_reader *r);
const struct dp_type *dp_pq_reader_schema(const struct dp_pq_reader *r); /* projected; batches use it; borrowed until close */
/* Bytes of the pages that it holds now. */
size_t dp_pq_reader_bytes(const struct dp_pq_reader *r);
/* Positions at a row group. */
enum dp_status dp_pq_reader_seek(struct dp_pq_reader *r, size_t row_group, struct dp_err *err) DP_MUST_CHECK;
/* Rows of a row group, from `from` up to `to`, which is not one of them. */
struct dp_pq_range { int64_t from, to; };
struct dp_pq_ranges { struct dp_pq_range *v; size_t n, cap; };
void dp_pq_ranges_release(struct dp_pq_ranges *r);
/*
 * Behind seek: only these rows of the row group, which ascend and don't touch, come out; a batch never reaches over a gap between them.  Pages without any of
 * them are not read where the file has an offset index that can be true, and not decompressed where their headers tell how many rows they have.
 * An index that contradicts the pages that are read is DP_FORMAT.
 */
enum dp_status dp_pq_reader_select(struct dp_pq_reader *r, const struct dp_pq_range *v, size_t n, struct dp_err *err) DP_MUST_CHECK;
int64_t dp_pq_reader_row(const struct dp_pq_reader *r); /* of the last batch's first row within the row group */
/* Pages of all row groups that select was called for (as far as the file tells how many there are), and what select left out of them. */
struct dp_pq_read_counts { uint64_t pages, pages_skipped, bytes_skipped; };
struct dp_pq_read_counts dp_pq_reader_counts(const struct dp_pq_reader *r);
/* Bytes of the file that these top-level columns (NULL: all) take in a row group. */
uint64_t dp_pq_bytes(const struct dp_pq_file *f, size_t row_group, const char *const *columns, size_t n);
/* Up to max_rows of the current row group into b (reset first); DP_END when it is done. */
enum dp_status dp_pq_reader_next(struct dp_pq_reader *r, int64_t max_rows, struct dp_batch *b, struct dp_err *err) DP_MUST_CHECK;

/* ---- whole files in memory ---- */

struct dp_pq_table {
    const struct dp_type *schema; /* projected */
    int64_t rows;
    struct dp_batch *batches;     /* one for each row group; their columns are borrowed from the table until it is released */
    size_t n_batches;
    struct dp_pq_table_memory *memory;
};

/*
 * Reads a file whole, or the named columns of it: the columns of the row groups are shared out over the threads of the pool.
 * Memory comes in large pieces, in huge pages where the system has them.  DP_LIMIT: 2 GiB in one column of a row group (read that file in batches), or
 * a table that passes the bound, which shows at the end of the column that does.
 * On failure *out is empty.  Caller releases with dp_pq_table_release; the file must not be closed before.
 */
enum dp_status dp_pq_table_read(const struct dp_pq_file *f, const char *const *columns, size_t n_columns, struct dp_pool *pool, struct dp_pq_table *out, struct dp_err *err) DP_MUST_CHECK;
void dp_pq_table_release(struct dp_pq_table *t); /* an empty one is legal */

/*
 * Bounds of a leaf in a row group in the spelling of records (text without quotes), where they may be trusted and the spelling sorts as the
 * values do; false: none. Timestamps: bounds of the text of all fractions of their second. *nulls: -1 = not known (also set where there are no bounds).
 */
bool dp_pq_bounds(const struct dp_pq_meta *meta, size_t row_group, size_t leaf, struct dp_buf *min, struct dp_buf *max, int64_t *nulls);

/* Bounds of a leaf of dates or timestamps as microseconds since the epoch (rounded outwards from nanoseconds), where they may be trusted. */
bool dp_pq_bounds_micros(const struct dp_pq_meta *meta, size_t row_group, size_t leaf, int64_t *min, int64_t *max);

/* A leaf's type in Parquet's words: "INT64 TIMESTAMP(MICROS,UTC)"; the whole schema as message text. */
void dp_pq_leaf_type(const struct dp_pq_meta *meta, size_t leaf, struct dp_buf *out);
void dp_pq_schema_text(const struct dp_pq_meta *meta, struct dp_buf *out);
/* Pages of a leaf in a row group, in the arena; false: it has no offset index that can be true.  Without such a column index, index->n_pages is 0. */
bool dp_pq_pages(const struct dp_pq_file *f, size_t row_group, size_t leaf, struct dp_arena *a, struct dp_pq_offset_index *pages,
                 struct dp_pq_column_index *index);
/* A page's bounds as those of dp_pq_bounds; floats that are NaN are passed over. */
bool dp_pq_page_bounds(const struct dp_pq_meta *meta, size_t leaf, const struct dp_pq_column_index *index, size_t page, struct dp_buf *min, struct dp_buf *max);

/* The file's column (in dp_pq_schema) that the value at a path from the record down is in; one of DP_TYPE_NONE: it is null in all
   rows; NULL: none whose statistics would hold for it. */
typedef const struct dp_type *(*dp_pq_column_of)(void *ctx, const struct dp_str *path, size_t n);
/*
 * What statistics and bloom filters say of an expression on a row group; where they leave it open and `rows` is not NULL, the rows that page indexes
 * leave.  DP_NEVER: none.  `rows` is emptied first; without DP_NEVER it holds at least one range.  column_of NULL: paths are the file's own.
 * What is damaged or can't be read of indexes and filters excludes nothing.
 */
enum dp_maybe dp_pq_skip(const struct dp_pq_file *f, size_t row_group, const struct dp_expr *e, dp_pq_column_of column_of, void *ctx, struct dp_pq_ranges *rows);

#endif
