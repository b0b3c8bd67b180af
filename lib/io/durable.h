/*
 * Private to lib/io: what programs with a durable state (dp/io/state.h) have in it beside entries of their own: the watermark, the length of the file of late records, the byte
 * behind what was read of each named file; which checkpoint is restored, and when one is written.
 *
 *   durable_open ──► durable_restore with durable_load for its entries ──► checkpoint marks, and the end: durable_save with durable_put
 *
 * Its entries are under keys of eight zero bytes, 't' and a letter of their kind, which no hash of a key begins with.
 */
#ifndef DP_IO_DURABLE_H
#define DP_IO_DURABLE_H

#include "late.h"

#include <dp/base/map.h>
#include <dp/io/state.h>
#include <dp/io/stream.h>
#include <dp/rules/watermark.h>

struct durable {
    struct dp_run *run;
    const char *dir;                    /* NULL: there is no state */
    struct dp_state *state;             /* NULL: none, or not open yet */
    struct dp_watermark *watermark;
    struct late_file late;
    struct dp_map restored, positions;  /* of named files: position id to the byte behind what is in the state; as it was, and what this run read */
    bool keeps_positions, has_begin, is_restored;
    uint64_t checkpoints;               /* written */
};

/* `program` and `query` as in dp_state_open.  A dry run makes nothing, so there may be nothing to read. */
enum dp_status durable_open(struct durable *k, const char *program, struct dp_str query, struct dp_err *err) DP_MUST_CHECK;
void durable_release(struct durable *k); /* not the watermark */

/* Is it one of these? Its kind, and what is behind it. */
bool durable_is_own(struct dp_str key, char *kind, struct dp_str *name);
enum dp_status durable_load(struct durable *k, char kind, struct dp_str name, struct dp_str value, struct dp_err *err) DP_MUST_CHECK;
enum dp_status durable_put_own(struct durable *k, char kind, struct dp_str name, struct dp_str value, struct dp_err *err) DP_MUST_CHECK;

/* Which checkpoint the run goes on from, as dp_state_restore wants it: NULL without a begin. */
const char *durable_resume_id(const struct durable *k);
/* Behind durable_resume_id's: a warning where the stream does not say. */
void durable_check_resume(struct durable *k, const char *what);

typedef enum dp_status (*durable_put)(void *ctx, bool all, struct dp_err *err);
/* One checkpoint: ours, and what `put` adds by dp_state_put. */
enum dp_status durable_save(struct durable *k, const char *id, durable_put put, void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* For dp_source_opts.resume, with the struct as context. */
enum dp_status durable_resume(void *ctx, struct dp_origin *o, uint64_t *from, struct dp_err *err);
void durable_note(struct durable *k, const struct dp_origin *o, uint64_t position);

#endif
