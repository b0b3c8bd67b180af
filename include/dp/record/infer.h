/*
 * Inference: the schema that holds every record seen so far exactly, as dp/record/batch.h's shredding takes them.
 *
 * booleans            boolean
 * whole numbers       int64; decimal(p,0) when one does not fit and all have at most 38 digits
 * other numbers       double when each value survives it: its nearest double prints the same number, up to zeros at the end (2.55, 3.4, 10, 17850.0;
 *                     any value of up to 15 digits).  Else decimal(p,s) with the digits met, up to 38.  Else JSON
 *                     "NaN", "Infinity", "-Infinity" among numbers: double, where all numbers survive it
 * strings             date when all are yyyy-mm-dd; timestamp when all are RFC 3339 with Z or offset, timestamp_ntz when all have no zone (a blank
 *                     may stand for the T; at most 6 digits of fraction that are not 0); else string.  Times of day stay strings
 * objects             struct of the keys met; JSON when there are none, or past a limit: DP_LIMIT_INFER_KEYS keys in one object below the top
 *                     (a map in disguise), DP_LIMIT_INFER_FIELDS fields overall, DP_LIMIT_INFER_DEPTH levels
 * arrays              list of what the elements together are
 * only nulls          string
 * mixed kinds         JSON, since a string column takes no numbers
 *
 * Every column is nullable; what was never null is told as evidence (`always`).  Records with duplicate keys are passed over: no
 * column could take them.  The result depends on the records and their order alone.
 */
#ifndef DP_RECORD_INFER_H
#define DP_RECORD_INFER_H

#include <dp/record/json.h>
#include <dp/record/type.h>

struct dp_infer;

/* Somebody who looks at each scalar as it is met: `mine` is a pointer of its own for each field, NULL at first. Strings are decoded. */
struct dp_infer_watch {
    void (*value)(void **mine, enum dp_kind kind, struct dp_str v);
    void (*drop)(void *mine); /* at close */
};

struct dp_infer *dp_infer_open(void);
/* The same with a watcher, borrowed until close. */
struct dp_infer *dp_infer_open_watched(const struct dp_infer_watch *watch);
void dp_infer_close(struct dp_infer *i);
void dp_infer_record(struct dp_infer *i, const struct dp_record *r);
uint64_t dp_infer_count(const struct dp_infer *i);
/* The schema so far; caller releases with dp_type_free. Columns in order of first sight. */
struct dp_type *dp_infer_schema(const struct dp_infer *i);
/* Members of records that have no column, because the record has more than DP_LIMIT_COLUMNS names at the top. */
uint64_t dp_infer_left_out(const struct dp_infer *i);

/* Evidence per field of the schema, parents before children: for contracts. */
struct dp_infer_field {
    const char *path;              /* "a.b", "items[].qty"; only for people: names may hold dots */
    uint64_t seen, nulls;          /* present; present and null */
    struct dp_str min, max;        /* as spelled (strings decoded); n == 0: none, mixed kinds or longer than 64 bytes */
    uint64_t min_length, max_length; /* strings: bytes, decoded */
    bool always;                   /* in every record (object, array) of its parent, never null */
    const void *watched;           /* what the watcher made of it, or NULL */
};
/* Borrowed until the next record or close. In the order of the schema's fields, depth first, elements of lists included; children of what became JSON are not there. */
size_t dp_infer_fields(struct dp_infer *i, const struct dp_infer_field **fields);

#endif
