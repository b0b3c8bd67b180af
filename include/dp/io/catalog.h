/*
 * The store of lineage and catalog: one SQLite file (WAL) that several programs write at once.
 *
 * Kept are all events as they came (for export without loss) and what they add up to, which does not depend on the order in which they arrive: a run's events accumulate, of a facet
 * the latest by eventTime counts (at one time the one that came last), a terminal event wins over later ones that are none, and the same event again changes nothing.
 * Dataset-to-dataset edges are those of each run's inputs to its outputs, column edges those of columnLineage, both with the times when they were first and last seen:
 * nothing vanishes because a later run did not have it.  What a JobEvent or DatasetEvent says belongs to a run of its own that is only declared.
 *
 * Those who ask use dp/io/catalog_query.h.  Tables, times in microseconds since 1970 (UTC):
 *   event(id, digest, at, type, run, job, dataset, size, body)  body as it came, zstd; digest: of the JSON value; dataset: of a DatasetEvent
 *   dataset(id, ns, name, first_at, last_at, life, life_at, dropped_at, dropped_run, schema, schema_at, schema_from)   schema: body of the latest one
 *   job(id, ns, name, first_at, last_at)
 *   run(id, uuid, job, state, state_at, started_at, ended_at, parent, root, parent_at, first_at, last_at)   state: enum dp_catalog_state
 *   run_io(run, dataset, side, version, version_at, rows, bytes, files, stat_at, flow, flow_at)    side: enum dp_catalog_side
 *   edge(src, dst, job, first_at, last_at, runs, failed, said)     dataset to dataset, by a job (0: by none); failed: how many of its runs ended in FAIL or ABORT; said 1: declared, or by a
 *                                                     lineage facet.  Where all runs failed and it is not said, it is told only to who asks for what failed
 *   job_io(job, dataset, side, first_at, last_at, runs, failed, said)     the same; job_edge(src, dst, first_at, last_at): job to job
 *   field(id, dataset, name, type, ordinal, description, first_at, schema, schema_at)   nested ones by path; gone where schema is not its dataset's, NULL: only lineage names it; schema_at: when it was said last, of one that is not gone the dataset's
 *   flow(id, dataset, job, digest, first_at, last_at, runs, edges)   column edges of a job into a dataset: struct dp_catalog_flow_edge each; flow_src(src, flow): datasets they come from
 *   facet(kind, owner, key, at, run, body)            each time a facet was said; kind 'd', 'j', 'r', or 'i' and 'o' of a dataset as input and output; body NULL: _deleted
 *   body(id, digest, text)                            of facets, each text once; '' of columnLineage: what it says is in flow, its words in event
 *   symlink(dataset, other, type, at)                 rename(old, new, at)
 *   tag(kind, owner, field, key, value, source, at, until, event)    owner(kind, id, name, type, source, at, until, event)    class(dataset, field, class, source, at, until)
 *                                                     event 1: from the latest facet, which replaces it; else said by a person
 *   changed(kind, id)                                 datasets ('d') and jobs ('j') whose words an index of text has to read again
 */
#ifndef DP_IO_CATALOG_H
#define DP_IO_CATALOG_H

#include <dp/base/arena.h>
#include <dp/base/buf.h>
#include <dp/base/status.h>
#include <dp/record/json.h>
#include <dp/record/lineage.h>

struct dp_catalog;
struct dp_cat_event;

/*
 * WRITE makes the file (0600) and its directory where they are not there.  BRIEF is WRITE for who adds a few events and leaves: it keeps the log short, for whoever
 * opens a store that nobody else has open reads all of its log first.
 */
enum dp_catalog_mode { DP_CATALOG_READ, DP_CATALOG_WRITE, DP_CATALOG_BRIEF };
/* How one column depends on another: DP_HOW_ of dp/record/lineage.h, and */
enum dp_catalog_how {
    DP_HOW_INDIRECT = 512,  /* no more is said */
    DP_HOW_MASKING = 1024   /* with the bits above: no clear value goes this way */
};
#define DP_HOW_ALL_INDIRECT (DP_HOW_JOIN | DP_HOW_GROUP_BY | DP_HOW_FILTER | DP_HOW_SORT | DP_HOW_WINDOW | DP_HOW_CONDITIONAL | DP_HOW_INDIRECT)
enum dp_catalog_side { DP_SIDE_IN, DP_SIDE_OUT };
enum dp_catalog_state { DP_STATE_DECLARED, DP_STATE_OTHER, DP_STATE_START, DP_STATE_RUNNING, DP_STATE_COMPLETE, DP_STATE_FAIL, DP_STATE_ABORT };

/* $DP_LINEAGE where that is a store, else $XDG_STATE_HOME/dp/lineage.db (~/.local/state/dp/lineage.db). Caller frees. */
char *dp_catalog_default(void);
/* Is a name of $DP_LINEAGE or --store that of a store: does it end in .db or .sqlite? */
bool dp_catalog_is_store(const char *name);
/* DP_USAGE: the file is none of ours, or of a newer form, or of an older one and can't be written (else it is brought up to this one); DP_AGAIN: it stayed busy for wait_ms; DP_IO: READ and it is not there. */
enum dp_status dp_catalog_open(const char *path, enum dp_catalog_mode mode, int64_t wait_ms, struct dp_catalog **out, struct dp_err *err) DP_MUST_CHECK;
/*
 * One event (JSON object text).  DP_FORMAT: it is no event, `err` says why; nothing of it is kept then, and what was added before stays.  Lenient: what upstream's own events lack
 * (an offset in eventTime, _producer, a member of a facet) passes, each counted in *warnings (may be NULL) with the first in `err`'s message.  Many calls make one transaction, which
 * commit ends.  On another status the transaction is undone.
 */
enum dp_status dp_catalog_add(struct dp_catalog *c, struct dp_str event, bool strict, size_t *warnings, struct dp_err *err) DP_MUST_CHECK;
/*
 * The two halves of it, for who takes in many: reading needs no store, and each thread may read with a reader of its own.  What is read stays in the arena, but for the record's text
 * (r->base and r->raw), which is borrowed until it was put.  Errors and warnings of reading as above; put has those of the store, and DP_FORMAT where it refuses the event.
 */
struct dp_catalog_reader;
struct dp_catalog_reader *dp_catalog_reader_open(void);
void dp_catalog_reader_close(struct dp_catalog_reader *reader); /* NULL is legal */
enum dp_status dp_catalog_read(struct dp_catalog_reader *reader, const struct dp_record *r, bool strict, struct dp_arena *arena, struct dp_cat_event **out, size_t *warnings,
                               struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_catalog_put(struct dp_catalog *c, struct dp_cat_event *e, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_catalog_commit(struct dp_catalog *c, struct dp_err *err) DP_MUST_CHECK;
uint64_t dp_catalog_repeated(const struct dp_catalog *c); /* events that were there already */
void dp_catalog_close(struct dp_catalog *c); /* what was not committed is undone; NULL is legal */
/* The same for who must not wait for the disk: the log of the last transactions stays beside the store (NAME-wal) for whoever opens it next. */
void dp_catalog_leave(struct dp_catalog *c);

#endif
