/*
 * Deletion vectors (digest section 10): which rows of a data file are deleted.  In files (u, p) and inline (i), the portable 64-bit roaring layout.
 * Written are files only.
 */
#ifndef DP_DELTA_DV_H
#define DP_DELTA_DV_H

#include <dp/delta/action.h>

/* One bit for each physical row of the file. */
struct dp_delta_deleted {
    uint8_t *bits;
    int64_t rows, count;
};

static inline bool dp_delta_is_deleted(const struct dp_delta_deleted *d, int64_t row) {
    return d->bits && row >= 0 && row < d->rows && (d->bits[row >> 3] >> (row & 7) & 1);
}

/* Reads the vector of a file with `rows` rows; DP_FORMAT when it is damaged, names rows that are not there, or has another cardinality than the log says. */
enum dp_status dp_delta_dv_read(const char *table, const struct dp_delta_dv *dv, int64_t rows, struct dp_delta_deleted *out, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_deleted_release(struct dp_delta_deleted *d);

/* Z85 text to bytes behind out's content.  A tail marked with # in the last chunk, as one Rust crate writes, is taken.  False: not Z85. */
bool dp_z85_decode(struct dp_str text, struct dp_buf *out);
/* The name of a vector's file as a path of the log ("deletion_vector_<uuid>.bin", with its prefix directory), from pathOrInlineDv of storage type u. */
bool dp_delta_dv_name(struct dp_str path, struct dp_buf *out);
/* The same as the file is called on disk, relative to the table: some writers put more before the name, and the identifier in it is unique. */
bool dp_delta_dv_locate(const char *table, struct dp_str path, struct dp_buf *out);
/* The file that a vector is in, as a name to open, behind out's content; nothing where it is inline or there is none. */
enum dp_status dp_delta_dv_path(const char *table, const struct dp_delta_dv *dv, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;
/* The bytes of one vector (magic and bitmaps); for tests and fuzzing. */
enum dp_status dp_delta_dv_parse(struct dp_str bytes, int64_t rows, struct dp_delta_deleted *out, struct dp_err *err) DP_MUST_CHECK;

/* ---- writing ---- */

/* Bytes (a multiple of four, else false) as Z85 text behind out's content. */
bool dp_z85_encode(struct dp_str bytes, struct dp_buf *out);
/* An empty set for a file of so many rows; released with dp_delta_deleted_release. */
void dp_delta_deleted_open(struct dp_delta_deleted *d, int64_t rows);
/* False when it was there before, or is none of the file's rows. */
bool dp_delta_deleted_add(struct dp_delta_deleted *d, int64_t row);
/* Magic and bitmaps behind out's content; the same set gives the same bytes. */
void dp_delta_dv_print(const struct dp_delta_deleted *d, struct dp_buf *out);

/* The file of a commit's vectors, at the table's root.  It is made with the first vector; no reader looks at it before the log names it. */
struct dp_delta_dv_file;
struct dp_delta_dv_file *dp_delta_dv_file_open(const char *table);
/* All rows of the set (those that were deleted before, too); what the add action says of it goes to out, text in the arena.  An empty set is not for writing. */
enum dp_status dp_delta_dv_file_add(struct dp_delta_dv_file *f, const struct dp_delta_deleted *d, struct dp_arena *arena, struct dp_delta_dv *out,
                                    struct dp_err *err) DP_MUST_CHECK;
/* Synced and under its name: before the commit that names it. */
enum dp_status dp_delta_dv_file_finish(struct dp_delta_dv_file *f, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_dv_file_keep(struct dp_delta_dv_file *f);  /* the commit is published */
void dp_delta_dv_file_close(struct dp_delta_dv_file *f); /* any time; removes the file unless it is to be kept.  NULL is legal */

#endif
