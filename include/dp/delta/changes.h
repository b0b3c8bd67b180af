/*
 * The change data feed (digest section 13): what became of the rows of a table in each of its versions, as batches of the table's columns
 * and three more: _change_type (insert, update_preimage, update_postimage, delete), _commit_version, _commit_timestamp.
 *
 *     dp_delta_changes_open(table, &opts, &c)
 *     while dp_delta_changes_next(c, &task) == DP_OK:
 *         task NULL: version dp_delta_changes_version(c) is complete
 *         else: read it as a task of a scan (dp/delta/scan.h), and release it before the next call
 *     dp_delta_changes_renew(c, &more)      versions that came since, for who follows
 *
 * A version with change data files is read from these alone.  Of others the rows of its files, as far as their actions say that rows changed; where a file
 * only got another deletion vector, the rows by which the two differ.  Deletes come before inserts.  All is read by the schema of the range's last version:
 * columns that came later are null before.
 */
#ifndef DP_DELTA_CHANGES_H
#define DP_DELTA_CHANGES_H

#include <dp/delta/scan.h>

#define DP_DELTA_CHANGE_TYPE "_change_type"
#define DP_DELTA_COMMIT_VERSION "_commit_version"
#define DP_DELTA_COMMIT_TIMESTAMP "_commit_timestamp"

struct dp_delta_changes_opts {
    int64_t since;                 /* first version; one behind the latest is legal, and nothing comes */
    int64_t until;                 /* last version; -1: the latest */
    bool from_files;               /* also of versions without the feed, by their files: rows of a file that was rewritten are deletes and inserts, changed or not */
    const char *const *columns; size_t n_columns; /* NULL: all; those of the feed come behind them in any case */
    const char *const *extra; size_t n_extra;     /* further columns, behind those */
    const struct dp_expr *where;   /* files and row groups that it excludes are passed over; rows are not tested */
    uint64_t memory;               /* of reading one file; 0: no bound */
};

struct dp_delta_changes;

/* All borrowed until close.  DP_UNSUPPORTED: the feed was off, or schemas of the range can't be reconciled, naming the version; DP_IO: versions that are gone. */
enum dp_status dp_delta_changes_open(const char *table, const struct dp_delta_changes_opts *o, struct dp_delta_changes **out, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_changes_close(struct dp_delta_changes *c); /* tasks must be released before; NULL is legal */
const struct dp_type *dp_delta_changes_schema(const struct dp_delta_changes *c); /* of all batches; borrowed until close */
const char *dp_delta_changes_table_id(const struct dp_delta_changes *c);         /* borrowed until close */
/* DP_END: the range is done.  DP_AGAIN: a version that came since open changes the schema; all before it was handed out. */
enum dp_status dp_delta_changes_next(struct dp_delta_changes *c, struct dp_delta_task **task, struct dp_err *err) DP_MUST_CHECK;
int64_t dp_delta_changes_version(const struct dp_delta_changes *c); /* of the latest task, or the one that is complete; before the first: the one in front of the range */
int64_t dp_delta_changes_until(const struct dp_delta_changes *c);
/* Looks for versions behind the range; it then ends with the latest. */
enum dp_status dp_delta_changes_renew(struct dp_delta_changes *c, bool *more, struct dp_err *err) DP_MUST_CHECK;

/* The first version that is not older than an instant (text as for dp_delta_as_of, a number is a version): one behind the latest when all are. */
enum dp_status dp_delta_since(const char *table, struct dp_str text, int64_t *version, struct dp_err *err) DP_MUST_CHECK;
/* The oldest version whose changes the feed can still tell: it is on from there to the latest.  Where it is off, the oldest that can be opened. */
enum dp_status dp_delta_feed_start(const char *table, int64_t *version, struct dp_err *err) DP_MUST_CHECK;

#endif
