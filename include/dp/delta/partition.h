/*
 * Partition values: text in the log, values in records, directory names (digest section 8).
 *
 * dp-partition writes them into the key-value metadata of each Parquet file under DP_DELTA_KV_PARTITION, and dp-table commit reads them there:
 * directory names mean nothing.
 */
#ifndef DP_DELTA_PARTITION_H
#define DP_DELTA_PARTITION_H

#include <dp/delta/action.h>
#include <dp/parquet/meta.h>
#include <dp/record/batch.h>

/* Key-value metadata of a data file: a JSON object, partition column -> Delta's text of the value or null, in the order of the columns: {"day":"2026-01-02","country":null}. */
#define DP_DELTA_KV_PARTITION "dp.partition"
/* The whole row's schema as dp_type_to_json prints it, partition columns included (they need not be in the file). From it commit creates a table that does not exist yet. */
#define DP_DELTA_KV_SCHEMA "dp.schema"

/*
 * The values and the schema that a data file's key-value metadata says; none, and NULL, where it says nothing.  Values are in the arena, the schema is the caller's
 * to free.  Errors are those of the JSON and name no file.
 */
enum dp_status dp_delta_file_values(const struct dp_pq_meta *m, struct dp_arena *arena, struct dp_delta_pairs *out, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_delta_file_schema(const struct dp_pq_meta *m, struct dp_type **out, struct dp_err *err) DP_MUST_CHECK;

/* Staging below a table: T/_dp_staging/RUN/; the writer holds flock(LOCK_EX) on .lock in it while it lives. */
#define DP_DELTA_STAGING "_dp_staging"
#define DP_DELTA_STAGING_LOCK ".lock"

/* May a column of this type be a partition column? */
bool dp_delta_partition_type_ok(const struct dp_type *t);
/*
 * Text of a value as the log has it, behind out's content.  *is_null also for an empty string (that is what the protocol says; callers that must not lose
 * the difference refuse it before).  DP_UNSUPPORTED for a type that can't partition, DP_RULE for binary that is not UTF-8.
 */
enum dp_status dp_delta_partition_text(const struct dp_column *c, int64_t row, struct dp_buf *out, bool *is_null, struct dp_err *err) DP_MUST_CHECK;
/*
 * The log's text as a JSON value, as records have it (dp-records(5)).  Zone-less text of an instant is taken as UTC.
 * DP_FORMAT when it is not a value of the type.  An empty string is null.
 */
enum dp_status dp_delta_partition_json(const struct dp_type *t, struct dp_str text, bool is_null, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

#endif
