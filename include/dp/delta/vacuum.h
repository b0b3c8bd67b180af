/*
 * Vacuum (digest section 16): deletes the files below a table that neither a live entry nor an unexpired tombstone of the latest version names
 * and that are older than the retention.
 *
 * Never looked at: the log, names that begin with _ or . (but change data, and directories of partition columns), symbolic links, whatever lies outside
 * of the table but in the directories that its tiers have for it alone (dp/delta/tier.h).  Killed anywhere the table is valid, and the next run goes on.
 */
#ifndef DP_DELTA_VACUUM_H
#define DP_DELTA_VACUUM_H

#include <dp/delta/snapshot.h>

struct dp_delta_vacuum_opts {
    int64_t retain_ms; /* -1: what the table says (delta.deletedFileRetentionDuration, 7 days) */
    bool force;        /* retain_ms may be below that */
    bool dry_run;      /* nothing is deleted, and nobody is locked out */
    int64_t now_ms;
    const struct dp_delta_file *const *keep; /* files that stay besides, with their deletion vectors: those of versions that are to be read further on */
    size_t n_keep;
    const struct dp_delta_file *const *known; /* NULL, or all files that the log named: any other must be as old as the table says, whatever retain_ms is (a writer may be about to name it) */
    size_t n_known;
    const struct dp_delta_snapshot *latest;  /* NULL, or the latest version, opened already (its statistics may be missing) */
    /* Each file, in the order of their paths: when it is deleted, or would be.  Failure ends the vacuum.  May be NULL. */
    enum dp_status (*each)(void *ctx, const char *path, int64_t bytes, struct dp_err *err);
    void *ctx;
};

struct dp_delta_vacuumed {
    int64_t version;             /* that was looked at */
    int64_t retain_ms;           /* that held */
    uint64_t files, bytes, dirs; /* deleted, or to be */
    uint64_t held_files, held_bytes; /* that legal holds keep (dp/delta/legal.h) */
    uint64_t young;              /* unreferenced files that are too young */
};

/* DP_USAGE: a retention below the table's without force; DP_UNSUPPORTED: a table feature that dp can't honour, by name; DP_AGAIN: the protocol changed meanwhile. */
enum dp_status dp_delta_vacuum(const char *table, const struct dp_delta_vacuum_opts *o, struct dp_delta_vacuumed *out, struct dp_err *err) DP_MUST_CHECK;

#endif
