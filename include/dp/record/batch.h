/*
 * Batches of columns in Arrow's memory layout (Arrow columnar format 1.x; the C data interface is in dp/record/arrow.h).
 *
 * Physical forms, by type: NONE nothing but the length (every row null, no buffers); BOOLEAN bits LSB first; INT8..UINT64, FLOAT,
 * DOUBLE, DATE (int32), TIME, TIMESTAMP (int64) plain little endian arrays of their width; FLOAT16 2 bytes; DECIMAL 16 bytes little
 * endian two's complement; FIXED `width`, UUID 16, INTERVAL 12 bytes; STRING, JSON, ENUM, BINARY: int32 offsets[length + 1] into
 * data; LIST, MAP: int32 offsets[length + 1] into the child (MAP: child 0 keys, child 1 values, of equal length); STRUCT: children
 * of the same length.  validity: one bit a row, 1 = present; NULL pointer = no nulls.
 *
 * A null row holds: in fixed widths a zero value, in variable sizes no bytes, in LIST and MAP no elements, in STRUCT a null in every
 * child (also in one that is not nullable: look at the parent first).  offsets is there, with offsets[0] = 0, also in an empty
 * column.  A column's data must stay under 2 GiB: the caller bounds its batches, and appending past it ends as running out of
 * memory does.
 */
#ifndef DP_RECORD_BATCH_H
#define DP_RECORD_BATCH_H

#include <dp/record/type.h>

struct dp_column {
    const struct dp_type *type; /* borrowed from the batch's schema */
    int64_t length;
    int64_t null_count;
    uint8_t *validity;          /* NULL: all valid */
    int32_t *offsets;           /* variable-size types, LIST, MAP */
    uint8_t *data;              /* values */
    size_t data_n;              /* bytes used in data */
    struct dp_column *children; /* n_children of them */
    size_t n_children;
    size_t validity_cap, offsets_cap, data_cap; /* allocated bytes; 0: borrowed memory, not freed */
};

struct dp_batch {
    const struct dp_type *schema; /* borrowed; outlives the batch */
    int64_t length;
    struct dp_column *columns;
    size_t n_columns;
};

void dp_batch_init(struct dp_batch *b, const struct dp_type *schema);
void dp_batch_reset(struct dp_batch *b);   /* no rows, memory kept */
void dp_batch_release(struct dp_batch *b);
/* Bytes held by its buffers (used, not allocated). */
size_t dp_batch_bytes(const struct dp_batch *b);
size_t dp_column_bytes(const struct dp_column *c);
void dp_batch_drop_last(struct dp_batch *b); /* its last row, of which it has one */
/* Appends rows [from, from + n) of src (same schema) to dst. */
void dp_batch_append(struct dp_batch *dst, const struct dp_batch *src, int64_t from, int64_t n);
/* Appends the rows whose numbers are rows[0..n) of src. */
void dp_batch_gather(struct dp_batch *dst, const struct dp_batch *src, const uint32_t *rows, size_t n);

/* Appends rows of several batches of one schema: row rows[i] of srcs[from[i]], for i in 0..n-1. */
void dp_batch_mix(struct dp_batch *dst, const struct dp_batch *const *srcs, const uint32_t *from, const uint32_t *rows, size_t n);

/* ---- filling columns by hand (readers of file formats) ---- */

/* An empty column of a type, with its children; released with dp_column_release. */
void dp_column_init(struct dp_column *c, const struct dp_type *type);
void dp_column_release(struct dp_column *c);
void dp_column_reset(struct dp_column *c);
/* Room for `rows` more rows in validity (where there is one), offsets and fixed-width values; children are left alone but for STRUCT. */
void dp_column_reserve(struct dp_column *c, int64_t rows);
/* Room for `bytes` more in data; returns where they start (data_n is unchanged). */
uint8_t *dp_column_room(struct dp_column *c, size_t bytes);
/* Makes the bitmap, with all rows so far valid and room for what is reserved. */
void dp_column_need_validity(struct dp_column *c);
/* Appends `n` rows; values, offsets and children are already written or are the caller's to write: sets validity bits and length. */
void dp_column_push_valid(struct dp_column *c, int64_t n);
/* n values appended at once: fixed widths copied from values (n * width bytes); not for BOOLEAN. */
void dp_column_append_fixed(struct dp_column *c, const void *values, int64_t n);
void dp_column_append_bool(struct dp_column *c, bool v);
void dp_column_append_bytes(struct dp_column *c, const void *p, size_t n);
/* One null appended (children of a STRUCT too). */
void dp_column_append_null(struct dp_column *c);
void dp_column_append_nulls(struct dp_column *c, int64_t n);
/* Rows from `length` on are dropped. */
void dp_column_truncate(struct dp_column *c, int64_t length);
/* Appends rows [from, from + n) of a column of the same type. */
void dp_column_append(struct dp_column *c, const struct dp_column *src, int64_t from, int64_t n);
/* Is every value of STRING, JSON, ENUM valid UTF-8 (in nested children too)?  *row (may be NULL): first row that is not. */
bool dp_column_utf8(const struct dp_column *c, int64_t *row);

static inline int64_t dp_bits_count(const uint8_t *bits, int64_t from, int64_t n) { /* ones in bits [from, from + n) */
    int64_t ones = 0;
    for (; n > 0 && (from & 7); n--, from++) ones += bits[from >> 3] >> (from & 7) & 1;
    const uint8_t *p = bits + (from >> 3);
    for (; n >= 64; n -= 64, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        ones += __builtin_popcountll(w);
    }
    for (int64_t i = 0; i < n; i++) ones += p[i >> 3] >> (i & 7) & 1;
    return ones;
}

/* Writes bit i of a bitmap that grows at its end: bits behind i in its byte become 0. */
static inline void dp_bit_put(uint8_t *bits, int64_t i, bool v) {
    uint8_t *p = bits + (i >> 3);
    unsigned k = (unsigned)(i & 7);
    unsigned keep = k ? *p & ((1u << k) - 1) : 0;
    *p = (uint8_t)(keep | (unsigned)(v ? 1 : 0) << k);
}

static inline bool dp_column_is_valid(const struct dp_column *c, int64_t i) {
    return !c->validity || (c->validity[i >> 3] >> (i & 7) & 1);
}

/* ---- records to columns ---- */

struct dp_shred;

/* What became of a record that did not fit. */
struct dp_shred_reject {
    char path[256];     /* "price", "items[].qty" */
    char expected[64];  /* "decimal(10,2)" */
    char reason[256];   /* `expected decimal(10,2), got "n/a"`; values cut at 40 bytes */
    const char *rule;   /* "type", "required", "range", "duplicate-key", "unknown-field" ("limit" with DP_LIMIT) */
};

/* `closed`: a field that the schema does not have is a reject, else it is counted and left out. One per thread. Schema is borrowed. */
struct dp_shred *dp_shred_open(const struct dp_type *schema, bool closed);
void dp_shred_close(struct dp_shred *s);
/*
 * Appends one record as a row of `b`.  DP_RECORD: nothing was appended and *why says what did not fit.  DP_LIMIT: a column of b would
 * pass 2 GiB; nothing was appended: flush b and offer the record again (with b empty: the record itself is too large).
 * r's bytes must be followed by DP_SCAN_PAD readable ones, as the scanner asks too.
 *
 * Values are held exactly or rejected, never cast:
 *   boolean           true, false
 *   integers          numbers whose value is whole (5, 5.0, 5e3) and in range; a string is a reject
 *   float, double     any number that is finite in the type, as the nearest value; "NaN", "Infinity", "-Infinity"
 *   decimal(p,s)      numbers that need at most s digits behind the point and p - s before it (1.10 fits decimal(9,1), 1.11 does not)
 *   string, enum      strings, decoded.   json: any value, its own bytes.   uuid: the 36-byte text, either case
 *   binary, fixed(n)  strict padded base64
 *   date              yyyy-mm-dd.   time: hh:mm:ss[.f]
 *   timestamp         RFC 3339 with Z or an offset (converted); a blank may stand for the T.  timestamp_ntz: the same without a zone.
 *                     Each refuses the other's text, digits below its unit that are not 0, and leap seconds
 *   interval          ISO 8601: P1Y2M3DT4H5M6.789S
 *   list              array.   struct: object.   map: object where keys are strings, else array of {"key":..,"value":..}
 * null and an absent member are null; in a field that is not nullable they are rule "required".  Of a record with duplicate keys (at any
 * depth) none is taken.  Values appear in why->reason: with classified fields the caller shows path and expected only.
 */
enum dp_status dp_shred_record(struct dp_shred *s, const struct dp_record *r, struct dp_batch *b, struct dp_shred_reject *why) DP_MUST_CHECK;
/* Fields left out because the schema lacks them, so far. */
uint64_t dp_shred_unknown(const struct dp_shred *s);

/* ---- columns to records ---- */

struct dp_print_opts {
    bool binary_hex;      /* --binary hex */
    bool decimal_string;  /* --decimal string */
    bool skip_nulls;      /* leave null fields out */
};

/*
 * Appends rows [from, from + n) as NDJSON (each with its newline), in the text forms of dp-records(5); o may be NULL.  Always valid lines:
 * bytes that are not UTF-8 become U+FFFD (dp_column_utf8 tells beforehand), a JSON column whose text is not one JSON value becomes a
 * string, of equal map keys the last wins.  Many rows in one call are fast; a call has a fixed cost for each column.
 */
void dp_batch_print(const struct dp_batch *b, int64_t from, int64_t n, const struct dp_print_opts *o, struct dp_buf *out);
/* One value as JSON. */
void dp_column_print(const struct dp_column *c, int64_t row, const struct dp_print_opts *o, struct dp_buf *out);
/* One value as bare text for CSV and tables (strings undecorated; null prints nothing; nested values as JSON). */
void dp_column_print_text(const struct dp_column *c, int64_t row, const struct dp_print_opts *o, struct dp_buf *out);

/* ---- columns to CSV (RFC 4180 quoting, LF line ends): null is nothing between commas, an empty string "" ---- */

/* One cell behind out's content, quoted where needed; an empty text is written as "". */
void dp_csv_add(struct dp_buf *out, struct dp_str text);
/* Appends rows [from, from + n); ends (n of them, or NULL): out->n behind each row. */
void dp_batch_print_csv(const struct dp_batch *b, int64_t from, int64_t n, const struct dp_print_opts *o, size_t *ends, struct dp_buf *out);

#endif
