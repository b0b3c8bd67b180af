/*
 * Protocol versions and table features (digest section 4): what may be read, what may be written, by name.
 */
#ifndef DP_DELTA_FEATURE_H
#define DP_DELTA_FEATURE_H

#include <dp/delta/action.h>
#include <dp/record/type.h>

/* Is the protocol well formed, and does it carry the feature (by number or by name)? */
enum dp_status dp_delta_protocol_check(const struct dp_delta_protocol *p, struct dp_err *err) DP_MUST_CHECK;
bool dp_delta_has_feature(const struct dp_delta_protocol *p, const char *name);

/* DP_UNSUPPORTED, naming the version or the features, when reading needs something that dp does not know. */
enum dp_status dp_delta_check_read(const struct dp_delta_protocol *p, struct dp_err *err) DP_MUST_CHECK;

/* What a commit is going to do, as far as the rules for writers ask. */
struct dp_delta_intent {
    bool removes; /* it removes rows (overwrite, replace) */
    bool writes;  /* it adds rows */
    bool copies;  /* it adds files whose rows are all the table's already (compaction) */
    bool checks;  /* and holds them to what the table demands (dp/delta/constraint.h): only what can't be evaluated is refused */
};
/* DP_UNSUPPORTED, naming feature and column, when a rule for writers can't be honoured; DP_RULE for an append-only table. */
enum dp_status dp_delta_check_write(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, const struct dp_type *schema,
                                    const struct dp_delta_intent *intent, struct dp_err *err) DP_MUST_CHECK;

/* DP_UNSUPPORTED when the change data feed is on and a column has one of its names: such a table could not be written to any more. */
enum dp_status dp_delta_check_feed(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, const struct dp_type *schema,
                                   struct dp_err *err) DP_MUST_CHECK;

/*
 * `from` with these features as well, and with what they need (rowTracking and clustering: domainMetadata).  A protocol goes to the lowest one that
 * carries them: by version number while the number can say it ((1,2) with changeDataFeed is (1,4)), else by names, where everything that the
 * old number implied is listed ((1,2) with deletionVectors is (3,7) with appendOnly and invariants).  Nothing is ever lowered or dropped.
 * *changed: false when `from` carries them all, and then *out is `from`.  Lists are in the arena or borrowed from `from` and `names`.
 * DP_UNSUPPORTED for a feature that dp can't write.  Activating a feature (its table property) is the caller's, in the same metaData.
 */
enum dp_status dp_delta_upgrade_protocol(const struct dp_delta_protocol *from, const char *const *names, size_t n, struct dp_arena *arena,
                                         struct dp_delta_protocol *out, bool *changed, struct dp_err *err) DP_MUST_CHECK;

/* Is `to` `from` with further features, none of which puts a duty on a commit that was made under `from`? */
bool dp_delta_protocol_widens(const struct dp_delta_protocol *from, const struct dp_delta_protocol *to);
/* The features that table properties activate (delta.enableChangeDataFeed=true ...) or ask for (delta.feature.X=supported): how many; names[] has room for these. */
#define DP_DELTA_MAX_FEATURES 64
size_t dp_delta_property_features(const struct dp_delta_pairs *configuration, struct dp_arena *arena, const char **names);

/* Is the property `true`?  m NULL: nothing is. */
bool dp_delta_is_on(const struct dp_delta_metadata *m, const char *key);

/* Does each row have an id, which it keeps wherever it is moved (digest section 12)? */
bool dp_delta_tracks_rows(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m);
/* The columns of files in which rows that were moved keep their ids, and the versions that wrote them.  Empty: the table has not named them. */
#define DP_DELTA_KEY_ROW_ID "delta.rowTracking.materializedRowIdColumnName"
#define DP_DELTA_KEY_ROW_VERSION "delta.rowTracking.materializedRowCommitVersionColumnName"
struct dp_delta_row_columns { struct dp_str id, version; };
struct dp_delta_row_columns dp_delta_row_columns(const struct dp_delta_metadata *m);
/* Names those that have no name; to->v has room for two more. */
void dp_delta_name_row_columns(struct dp_delta_pairs *to, struct dp_arena *arena);

enum dp_delta_mapping { DP_DELTA_MAPPING_NONE, DP_DELTA_MAPPING_NAME, DP_DELTA_MAPPING_ID };
enum dp_status dp_delta_mapping_mode(const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, enum dp_delta_mapping *out,
                                     struct dp_err *err) DP_MUST_CHECK;

/* "interval 30 days", "24 hours" to milliseconds; false when it is not one (months and years are not). */
bool dp_delta_interval_parse(struct dp_str s, int64_t *ms);

#endif
