/*
 * Statistics of data files (digest section 8): the JSON text of an add action, made from Parquet metadata, and what it says of a field.
 */
#ifndef DP_DELTA_STATS_H
#define DP_DELTA_STATS_H

#include <dp/delta/action.h>
#include <dp/parquet/meta.h>

struct dp_delta_stats_opts {
    int64_t indexed_columns;        /* first leaves that get bounds; -1 all; default 32 */
    struct dp_delta_strs columns;   /* delta.dataSkippingStatsColumns; wins when is_set */
    const struct dp_type *names;    /* the tree of `data` with the names that `columns` uses (mapped tables); NULL: those of data */
    size_t prefix;                  /* UTF-16 units that a string is cut to; default 32 */
};

/* The columns that data files have, of all but the partition columns (by the names of `schema`): with the names of `physical`, the same tree, and with those of `schema`.  Caller frees both. */
void dp_delta_data_columns(const struct dp_type *schema, const struct dp_type *physical, const struct dp_delta_strs *partition_columns, struct dp_type **data, struct dp_type **names);

/* Options as the table's configuration says; strings borrowed from arena. */
void dp_delta_stats_configure(const struct dp_delta_pairs *configuration, struct dp_arena *arena, struct dp_delta_stats_opts *out);

/* `data`: the table's physical schema without its partition columns.  Appends {"numRecords":..,"minValues":..}. */
void dp_delta_stats_print(const struct dp_pq_meta *meta, const struct dp_type *data, const struct dp_delta_stats_opts *opts, struct dp_buf *out);

/* The type of statistics as a struct (stats_parsed of a checkpoint): numRecords and those of minValues, maxValues, nullCount that have fields.  Caller releases. */
struct dp_type *dp_delta_stats_type(const struct dp_type *data, const struct dp_delta_stats_opts *opts);

/* The longest prefix of at most `units` UTF-16 units (one more rather than half a pair): a lower bound of s. */
struct dp_str dp_delta_string_min(struct dp_str s, size_t units);
/* An upper bound of s of about `units` units behind out's content; false: there is none short enough. */
bool dp_delta_string_max(struct dp_str s, size_t units, struct dp_buf *out);

#endif
