/*
 * Inference: the schema that holds every record seen so far exactly.  Integers become int64, numbers with a fraction decimal(p,s) while at most 18 digits
 * with one or few scales hold them exactly, else double when each value's spelling is the shortest of its double, else string; RFC 3339 text timestamp, yyyy-mm-dd date;
 * mixed kinds string (scalars) or JSON; objects structs up to named limits, then JSON; fields seen in every record and never null are required only in `evidence`, the schema itself is nullable.
 */
#ifndef DP_RECORD_INFER_H
#define DP_RECORD_INFER_H

#include <dp/record/type.h>

struct dp_infer;

struct dp_infer *dp_infer_open(void);
void dp_infer_close(struct dp_infer *i);
void dp_infer_record(struct dp_infer *i, const struct dp_record *r);
uint64_t dp_infer_count(const struct dp_infer *i);
/* The schema so far; caller releases with dp_type_free. Columns in order of first sight; columns with only nulls become string. */
struct dp_type *dp_infer_schema(const struct dp_infer *i);

/* Evidence per top-level or nested field, for contracts: dotted path, borrowed until close. */
struct dp_infer_field {
    const char *path;
    uint64_t seen, nulls;          /* present; present and null */
    struct dp_str min, max;        /* as spelled; n == 0: none */
    uint64_t min_length, max_length;
    bool always;                   /* in every record of its parent, never null */
};
size_t dp_infer_fields(const struct dp_infer *i, const struct dp_infer_field **fields);

#endif
