/*
 * Deletion vectors (digest section 10): which rows of a data file are deleted.  In files (u, p) and inline (i), the portable 64-bit roaring layout.
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
/* The bytes of one vector (magic and bitmaps); for tests and fuzzing. */
enum dp_status dp_delta_dv_parse(struct dp_str bytes, int64_t rows, struct dp_delta_deleted *out, struct dp_err *err) DP_MUST_CHECK;

#endif
