/* What the files of cost share (dp/io/cost.h).  Private to lib/io. */
#ifndef DP_IO_COST_PRIV_H
#define DP_IO_COST_PRIV_H

#include "lake_priv.h"
#include "retain_priv.h"

#include <dp/base/map.h>
#include <dp/io/cost.h>

/* Who answers for tables, and what they are tagged with: what contracts in the lake and the store of lineage say. */
struct cost_who {
    struct lake_contracts contracts;
    struct dp_map store; /* path -> struct cost_said * */
};
struct cost_said { struct dp_cost_names tags, owners; };
enum dp_status cost_who_open(struct cost_who *w, const struct retain_place *places, size_t n, const char *store, struct dp_err *err) DP_MUST_CHECK;
void cost_who_close(struct cost_who *w);
/* Of one table; from any thread. */
void cost_who_ask(const struct cost_who *w, const char *real, const struct dp_delta_snapshot *s, struct dp_cost_table *t);
void cost_names_add(struct dp_cost_names *l, struct dp_str name);
void cost_names_release(struct dp_cost_names *l);

/* Files, bytes and rows of a table by what they are. */
enum dp_status cost_measure(const char *path, const char *real, const struct dp_delta_snapshot *s, struct dp_cost_table *t, struct dp_err *err) DP_MUST_CHECK;
/* What small files and old ones would save; t->tier is known. */
void cost_compaction(const struct dp_delta_snapshot *s, const struct dp_cost_opts *o, struct dp_cost_table *t);
void cost_tiering(const struct dp_delta_snapshot *s, const struct dp_cost_opts *o, int64_t now_ms, struct dp_cost_table *t);

/* ---- runs ---- */

/* Processor time by the data that it went to.  Zero value is empty. */
struct cost_data {
    struct dp_map told;           /* a name as reports have it -> which of paths */
    struct dp_map paths;          /* -> struct dp_cost_time * */
    struct dp_map of_run, of_job; /* what their reports wrote -> struct cost_list * */
    struct dp_cost_time none;     /* of runs that tell of no data */
};
/* Of all reports first, ... */
void cost_data_note(struct cost_data *d, const struct dp_record *r, struct dp_str run, struct dp_str job);
/* ... then of each whose time counts. */
void cost_data_add(struct cost_data *d, const struct dp_record *r, struct dp_str run, struct dp_str job, uint64_t user, uint64_t sys);
enum dp_status cost_data_tell(const struct cost_data *d, const struct dp_cost_runs_opts *o, struct dp_err *err) DP_MUST_CHECK;
void cost_data_release(struct cost_data *d);

static inline void cost_add(uint64_t *to, uint64_t n) {
    if (__builtin_add_overflow(*to, n, to)) *to = UINT64_MAX;
}

#endif
