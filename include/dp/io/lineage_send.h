/*
 * Where lineage events go: receivers by configuration, a spool for what can't be sent now, and runs that are under way.
 *
 * Receivers are named, in this order of weight, by DP_LINEAGE (a path that ends in .db or .sqlite: a store, dp/io/catalog.h; another path: a file of events,
 * one line each; an http or https URL; console; none), by openlineage.yml (OPENLINEAGE_CONFIG, ./openlineage.yml, ~/.openlineage/openlineage.yml), by OPENLINEAGE__* and by
 * OPENLINEAGE_URL, _ENDPOINT, _API_KEY; OPENLINEAGE_DISABLED=true turns all off.  Transports: http (retry, gzip, auth), file, console (standard error), composite, sqlite, noop.
 *
 * A receiver never fails the run: trouble is one warning.  File and store are written at once; http is spoken on a thread of its own while the run works, and at the end
 * is waited for at most 100 ms in all.  What has not been taken by then stands in the spool ($XDG_STATE_HOME/dp/spool, one file a receiver), which later runs send first.
 *
 * A run is held open by a locked file in the spool from its START to its terminal event; one that is there unlocked belongs to a process that died, and is closed with ABORT
 * by the next run, or by dp-run for its own stages.
 */
#ifndef DP_IO_LINEAGE_SEND_H
#define DP_IO_LINEAGE_SEND_H

#include <dp/base/buf.h>
#include <dp/io/run.h>

struct dp_lineage_conf;
struct dp_lineage_sender;

/* DP_USAGE: DP_LINEAGE is wrong, which is a wrong option; what else is wrong never fails a run. */
enum dp_status dp_lineage_check(struct dp_err *err) DP_MUST_CHECK;
/* Does anything say where events go?  dp-run has a store of its own where nothing does. */
enum dp_lineage_told { DP_LINEAGE_UNTOLD, DP_LINEAGE_OFF, DP_LINEAGE_ON };
enum dp_lineage_told dp_lineage_told(void);
/* *out NULL: nobody is to be told.  No file is read but a configuration that is there; cheap where nothing is configured.  DP_USAGE: DP_LINEAGE is wrong;
   what else is wrong turns lineage off and is one warning when the conf is opened, by file, line and key. */
enum dp_status dp_lineage_conf_load(struct dp_lineage_conf **out, struct dp_err *err) DP_MUST_CHECK;
void dp_lineage_conf_free(struct dp_lineage_conf *c); /* NULL is legal */
/* Default namespace of jobs: OPENLINEAGE_NAMESPACE, the configuration's, else "default".  Borrowed. */
const char *dp_lineage_conf_namespace(const struct dp_lineage_conf *c);
/* Owns the conf from here.  Never fails: a receiver that can't be used is warned of through `run`. */
struct dp_lineage_sender *dp_lineage_open(struct dp_run *run, struct dp_lineage_conf *conf);
/* One event, a line with its newline; copied. */
void dp_lineage_send(struct dp_lineage_sender *s, struct dp_str event);
/* The run of this id has begun: should we die, this event (an ABORT, whose eventTime whoever sends it brings up to date) is sent for us.  Replaces that of an earlier call. */
void dp_lineage_hold(struct dp_lineage_sender *s, const char *run_id, struct dp_str abort_event);
/* Its terminal event was sent. */
void dp_lineage_unhold(struct dp_lineage_sender *s, const char *run_id);
/*
 * Where this sender's receivers have their places in the spool, as words for the environment of the programs that it starts (DP_LINEAGE_PLACES): such a program, when it ends soon, leaves
 * what it has for one of them there, and the next dp_lineage_reap sends it.  Appended to b.
 */
#define DP_LINEAGE_PLACES "DP_LINEAGE_PLACES"
void dp_lineage_places(const struct dp_lineage_sender *s, struct dp_buf *b);
/* Sends what dead runs left to be said.  Called by open too. */
void dp_lineage_reap(struct dp_lineage_sender *s);
/* Waits for http and stores for what is left of the run's 100 ms, a program under dp-run 10; spools the rest, frees. NULL is legal.
   False: a thread is in a call that can't be ended, so the process should end by _exit. */
bool dp_lineage_close(struct dp_lineage_sender *s);

/* For who has time: sends what waits in the spool for the receivers of `conf` (owned from here), up to wait_ms for each; 0: only counts.  DP_AGAIN: some of it still waits. */
struct dp_lineage_flushed { size_t sent, waiting, rejected; };
enum dp_status dp_lineage_flush(struct dp_run *run, struct dp_lineage_conf *conf, int64_t wait_ms, struct dp_lineage_flushed *out, struct dp_err *err) DP_MUST_CHECK;
/* Before a store is read: takes in what short runs under dp-run left in the spool for it (DP_LINEAGE_LATER).  What can't be taken stays there. */
void dp_lineage_take_in(const char *store);
/* Is there, or was there, anything in the spool for it? */
bool dp_lineage_waits(const char *store);

#endif
