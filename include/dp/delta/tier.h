/*
 * Tiers: files of a table that stand in a directory elsewhere, by rule (dp-retain(1)).
 *
 * Such a file's entry in the log has an absolute path, DIR/ID/REL (ID: the table's own id, REL: where it stood below the table), and says in its tags which tier it
 * is in and its SHA-256.  DIR/ID is the home of this table in that tier: it holds nothing else, and its marker (.dp-tier) says whose it is.  A table keeps the list of its homes in
 * the file _dp_tiers beside its log, so that a vacuum finds them when no entry names them any more.  A copy of a table has the list, too, and is
 * told from it by the marker.
 */
#ifndef DP_DELTA_TIER_H
#define DP_DELTA_TIER_H

#include <dp/delta/snapshot.h>

#define DP_DELTA_TAG_TIER "dp.tier"     /* of an add: the name of its tier */
#define DP_DELTA_TAG_SHA256 "dp.sha256" /* of the file, 64 hex digits */

/* A path of the log that names a file by its whole path. */
bool dp_delta_path_is_absolute(struct dp_str log_path);
/* Is the file in a tier? */
bool dp_delta_is_tiered(const struct dp_delta_file *f);
/* Can it be a file's place below a home and below the table?  No empty part, none of . and .., not in the log, the staging or the list. */
bool dp_delta_tier_fits(struct dp_str rel);
/* Of a decoded absolute path: where DIR ends and REL begins.  False: it is in no home of this table, or REL does not fit. */
bool dp_delta_tier_split(struct dp_str path, struct dp_str id, struct dp_str *dir, struct dp_str *rel);
/* "file:///..." of a whole path, behind out's content. */
void dp_delta_path_uri(struct dp_str path, struct dp_buf *out);

/* The table's homes that can be reached and are its own; each and the list are the caller's to free. */
enum dp_status dp_delta_tier_homes(const char *table, struct dp_str id, char ***out, size_t *n, struct dp_err *err) DP_MUST_CHECK;
/*
 * A home of the table in `dir`, made where there is none, for this process alone until *lock is closed.  DP_IO: dir is not there, or has lost the home
 * that it had (a disk that is not mounted); DP_USAGE: dir is inside of a table, or the home belongs to another one, of which this is a copy; DP_AGAIN: another process has it.
 */
enum dp_status dp_delta_tier_claim(const char *table, struct dp_str id, const char *dir, char **home, int *lock, struct dp_err *err) DP_MUST_CHECK;
/* Only whether that could be done; nothing is changed. */
enum dp_status dp_delta_tier_check(const char *table, struct dp_str id, const char *dir, struct dp_err *err) DP_MUST_CHECK;

/* DP_IO where files that `skipper` (NULL: none) does not exclude have an absolute path and are not there: how many, where, what to do. */
enum dp_status dp_delta_tier_reach(const struct dp_delta_snapshot *s, struct dp_delta_skipper *skipper, struct dp_err *err) DP_MUST_CHECK;

#endif
