/*
 * The ledger: which part of each source earlier runs have read, for inputs that go into no table (--ledger).
 *
 * One SQLite file; a row for each job and source with the position id (dp/io/source.h) and the position behind its last record.  Many
 * processes may use one file.  A source that one of them reads is locked for the others until that run has ended, however it ends: two
 * runs that overlap don't read the same records.  A lock, or the file itself, that stays busy for `wait_ms` is DP_AGAIN.
 *
 * Call order: open; dp_ledger_find for each source when it is opened, dp_ledger_note as its records go out; dp_ledger_commit after the output
 * was handed over, once, or at each checkpoint of an endless run; close.  Without commit nothing is recorded.  find may run beside note and commit.
 */
#ifndef DP_IO_LEDGER_H
#define DP_IO_LEDGER_H

#include <dp/io/positions.h>
#include <dp/io/source.h>

#define DP_LEDGER_KEEP 256 /* commits of a job that can be gone back to */

struct dp_ledger;

/* Made (0600) when it is not there, unless read_only: then there is nothing in it.  `job` is copied.  DP_USAGE: the file is none of ours. */
enum dp_status dp_ledger_open(const char *path, const char *job, bool read_only, int64_t wait_ms, struct dp_ledger **out,
                              struct dp_err *err) DP_MUST_CHECK;
/* Locks the source; *position = where to go on, 0: from its start.  Adopts the id that the ledger has of it. One thread at a time, as note. */
enum dp_status dp_ledger_find(struct dp_ledger *l, struct dp_origin *origin, uint64_t *position, struct dp_err *err) DP_MUST_CHECK;
/* What stands before `position` has gone out.  Only remembered. */
void dp_ledger_note(struct dp_ledger *l, const struct dp_origin *origin, uint64_t position);
/*
 * Writes what was noted, in one transaction that is on disk when this returns DP_OK.  `id`: of the checkpoint that this is, "" where none was named.
 * `run` and `now` (microseconds) are told to people who look.
 */
enum dp_status dp_ledger_commit(struct dp_ledger *l, const char *id, const char *run, int64_t now, struct dp_err *err) DP_MUST_CHECK;
/*
 * All positions of the ledger's job, as application ids of `job` (dp_delta_app_id), under the name that its last commit had.  From here on a source that another run moves before
 * it is found is DP_AGAIN: what was told is not true any more.
 */
enum dp_status dp_ledger_positions(struct dp_ledger *l, const char *job, struct dp_positions *p, struct dp_err *err) DP_MUST_CHECK;
/*
 * Before the first find.  Both are on disk at once; read_only: as if.
 * begin: where nothing of the job was ever committed that is noted as what one can go back to, and *is_first.
 * back: the job goes back to the commit that was made at this checkpoint, "": to what begin noted.  *found is false, and nothing is done, where that is none of the last
 * DP_LEDGER_KEEP.
 */
enum dp_status dp_ledger_begin(struct dp_ledger *l, const char *run, int64_t now, bool *is_first, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_ledger_back(struct dp_ledger *l, const char *id, bool *found, struct dp_err *err) DP_MUST_CHECK;
void dp_ledger_close(struct dp_ledger *l); /* NULL is legal; unlocks */

#endif
