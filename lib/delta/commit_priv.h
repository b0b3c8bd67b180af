/* A commit on its way into the log: what commit.c (the entry, the link), conflict.c (who won before) and rowids.c share. */
#ifndef DP_DELTA_COMMIT_PRIV_H
#define DP_DELTA_COMMIT_PRIV_H

#include <dp/delta/commit.h>

struct dp_delta_publication {
    const char *table;
    const struct dp_delta_snapshot *base;
    const struct dp_delta_change *change;
    /* What holds for the entry: the change's own, else the table's as of read_version. */
    const struct dp_delta_protocol *protocol;
    const struct dp_delta_metadata *metadata;
    struct dp_map touched;      /* REPLACE: partitions of the new files */
    struct dp_map removed;      /* decoded paths of change->removes -> the file */
    struct dp_map won;          /* decoded paths that concurrent commits added */
    int64_t read_version;       /* the newest version that was checked */
    int64_t previous_time;      /* of that version: in-commit timestamp, else its file's mtime; UNSET not known */
    int64_t high_water;         /* row id of that version */
    bool ict;                   /* the entry needs an in-commit timestamp */
    bool row_ids;               /* the entry's new files need row ids */
    char txn_id[37];
    struct dp_delta_skipper *skipper; /* was a file read (change->where)?  NULL: nobody has asked yet */
    struct dp_arena arena;
};

enum dp_delta_level { DP_DELTA_SERIALIZABLE, DP_DELTA_WRITE_SERIALIZABLE, DP_DELTA_SNAPSHOT_ISOLATION };
enum dp_delta_level dp_delta_level_of(const struct dp_delta_publication *p);

/* Does a file lie in what the change's mode removes? */
bool dp_delta_is_touched(const struct dp_delta_publication *p, const struct dp_delta_file *f);
/* Nothing of the table was read, and nothing but files is added. */
bool dp_delta_is_blind(const struct dp_delta_change *c);
/* Protocol and metaData have changed, or are new: which duties does the entry have? */
void dp_delta_settle_duties(struct dp_delta_publication *p);
enum dp_status dp_delta_check_intent(const struct dp_delta_publication *p, struct dp_err *err) DP_MUST_CHECK;

/* DP_OK: the entry may go behind that version.  *ours: it is this very entry, whose link succeeded before it was reported as failed. */
enum dp_status dp_delta_check_winner(struct dp_delta_publication *p, int64_t version, bool *ours, struct dp_err *err) DP_MUST_CHECK;

/* ---- row ids (digest section 12) ---- */

#define DP_DELTA_ROW_DOMAIN "delta.rowTracking"
/* The mark in a domain's configuration, -1 when it can't be read. */
int64_t dp_delta_high_water(struct dp_str configuration);
/* Is the path of this add in the table already (it gets another deletion vector or other statistics)?  The live file, or NULL. */
const struct dp_delta_file *dp_delta_readded(const struct dp_delta_publication *p, const struct dp_delta_file *add);
/* Ids for a new file, as the entry of `version` has it; *mark goes up.  DP_UNSUPPORTED without a number of rows. */
enum dp_status dp_delta_number_rows(const struct dp_delta_publication *p, int64_t version, struct dp_delta_file *add, int64_t *mark, struct dp_err *err) DP_MUST_CHECK;

#endif
