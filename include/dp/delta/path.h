/*
 * Paths of a Delta table: URI references in the log, hive-escaped directory names on disk, file names for the system.
 */
#ifndef DP_DELTA_PATH_H
#define DP_DELTA_PATH_H

#include <dp/base/buf.h>

/* Percent-decodes once (bytes; a plus is a plus; a stray % stays). */
void dp_delta_path_decode(struct dp_str s, struct dp_buf *out);
/* URI-encodes a relative path as Spark does: controls, blank and "#%<>?[\]^`{|} become %XX, the rest stays. */
void dp_delta_path_encode(struct dp_str s, struct dp_buf *out);
/* Hive's escaping for one part of a directory name. */
void dp_delta_hive_escape(struct dp_str s, struct dp_buf *out);
/* "col=value", with __HIVE_DEFAULT_PARTITION__ for null and "", cut with a hash where it would be too long for a file name. */
void dp_delta_hive_dir(struct dp_str column, struct dp_str value, bool is_null, struct dp_buf *out);

/* The decoded, canonical form by which two paths are one file (file:/x, file:///x and /x are the same). */
void dp_delta_path_key(struct dp_str log_path, struct dp_buf *out);
/*
 * The name to open: relative to the current directory when `table` is.  Other schemes than file: are DP_UNSUPPORTED by name;
 * a relative path that climbs out of the table is DP_FORMAT.
 */
enum dp_status dp_delta_path_resolve(const char *table, struct dp_str log_path, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

/* NDJSON name of a version: "T/_delta_log/00000000000000000007.json"; caller frees. */
char *dp_delta_commit_path(const char *table, int64_t version);

#endif
