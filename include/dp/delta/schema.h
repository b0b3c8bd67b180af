/*
 * schemaString <-> dp_type (digest section 7).  Field metadata is kept as text, byte-true, in dp_type.metadata.
 */
#ifndef DP_DELTA_SCHEMA_H
#define DP_DELTA_SCHEMA_H

#include <dp/delta/feature.h>

/* Caller releases with dp_type_free.  Unknown type names (and variant) are DP_UNSUPPORTED by name. */
enum dp_status dp_delta_schema_parse(struct dp_str text, struct dp_type **out, struct dp_err *err) DP_MUST_CHECK;
/* The schema must hold types of Delta only (dp_delta_schema_fit makes it so). */
void dp_delta_schema_print(const struct dp_type *schema, struct dp_buf *b);
/* "decimal(10,2)", "array<..>" ...: a type in Delta's words, for messages. */
void dp_delta_type_print(const struct dp_type *t, struct dp_buf *b);

/*
 * A copy in which every type is one of Delta's: unsigned integers become the next wider signed type (uint64 decimal(20,0)), float16 float,
 * JSON, enum and UUID string, fixed binary, timestamps microseconds.  DP_SCHEMA by column for time and interval, which Delta lacks,
 * and for names that differ only in case.  Fields inside of lists and maps become nullable (Delta can't require them).  Names that need column mapping (dp/delta/mapping.h) are kept; ids and physical names of another
 * table are not.
 */
enum dp_status dp_delta_schema_fit(const struct dp_type *in, struct dp_type **out, struct dp_err *err) DP_MUST_CHECK;
/*
 * A copy of a table's schema with the columns that were JSON before the fit as JSON again: Delta holds them as strings, and the fit notes
 * the type as dp.type in the metadata of the column.  A column that has become another since stays as it is.  Caller releases.
 */
struct dp_type *dp_delta_schema_unfit(const struct dp_type *schema);

/* Does a column of a data file hold the table's type as it stands, so that any reader will read it?  False with the path and both types in `why`. */
bool dp_delta_file_fits(const struct dp_type *table, const struct dp_type *file, struct dp_buf *why);

/* A copy whose names are the physical ones (and field_id the mapped ids); with mode none a plain copy. DP_FORMAT when a field lacks its physical name or id. */
enum dp_status dp_delta_schema_physical(const struct dp_type *schema, enum dp_delta_mapping mode, struct dp_type **out, struct dp_err *err) DP_MUST_CHECK;

/* One value of a field's metadata as JSON text appended to out (strings decoded); false when absent. */
bool dp_delta_field_meta(const struct dp_type *field, const char *key, struct dp_buf *out);

#endif
