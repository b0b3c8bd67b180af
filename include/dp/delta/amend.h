/*
 * A table's log told anew, as if some of its data files had always been others: for erasure, which takes rows out of every version.
 *
 * Versions keep their numbers, their times and their operations.  Each entry and checkpoint that names such a file is written anew beside the log (`into`), and so put in place
 * whole; checksums and compacted entries, which are copies of what the log says, go.  What two actions of one commit say of a file that they would replace by itself, goes, too.
 *
 * Protocol: Delta, "Action Reconciliation", "Checkpoints", "Deletion Vectors" (digest sections 2, 3, 6, 10).
 */
#ifndef DP_DELTA_AMEND_H
#define DP_DELTA_AMEND_H

#include <dp/delta/snapshot.h>

/* What stands for a file.  All borrowed until the end. */
struct dp_delta_twin {
    struct dp_str path;        /* where it is, as a decoded path: absolute, or relative to the table; n 0: nothing is left of the file */
    int64_t size;              /* bytes */
    int64_t rows;              /* of the file that it stands for */
    const int64_t *gone;       /* rows of that file which it lacks, ascending; n_gone of them */
    size_t n_gone;
    struct dp_str stats;       /* of the twin, a JSON object; n 0: none */
    struct dp_str sha256;      /* of the twin, for entries that tell one (dp/delta/tier.h); n 0: not known */
};

struct dp_delta_vectors;

struct dp_delta_amend {
    const char *table;
    int64_t upto;              /* entries and checkpoints of later versions are left alone */
    const char *into;          /* a directory on the table's file system that is there and empty: laid out as _delta_log is */
    /* The twin of a file by its path as the log spells it; NULL: it stays. */
    const struct dp_delta_twin *(*twin)(void *ctx, struct dp_str log_path);
    /* The text of a string in a commitInfo, decoded: true, and what it is to say instead behind out's content; NULL or false: it stays. */
    bool (*redact)(void *ctx, struct dp_str text, bool is_parameter, struct dp_buf *out);
    void *ctx;
    struct dp_delta_vectors *vectors;
    int64_t now_ms;            /* for what has expired in checkpoints */
};

/* What was written, and what goes.  Zero value is empty; released with dp_delta_amended_release. */
struct dp_delta_amended {
    char **files; size_t n_files, cap_files;       /* relative to `into` and to _delta_log, in the order in which they are to be put in place */
    char **obsolete; size_t n_obsolete, cap_obsolete; /* whole paths of files that go behind that */
    uint64_t redacted;                             /* strings */
    struct dp_arena arena;
};

/*
 * Writes everything anew that has to be; nothing of the table changes.  Vectors are the caller's to finish before what names them is put in place.  With `checkpoint`, the one of the version `upto` is
 * written in any case, with the hint that names it, and comes first: from then on readers of the latest version look at nothing older.
 * DP_FORMAT, DP_IO, DP_UNSUPPORTED: an entry, checkpoint or vector can't be read.
 */
enum dp_status dp_delta_amend(const struct dp_delta_amend *a, bool checkpoint, struct dp_delta_amended *out, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_amended_release(struct dp_delta_amended *a);

/* The vector of a file without the rows that its twin lacks, which takes the place of `dv`; a storage of NULL: no row is deleted any more. */
struct dp_delta_vectors *dp_delta_vectors_open(const char *table, struct dp_arena *arena); /* both borrowed until close */
enum dp_status dp_delta_vectors_shift(struct dp_delta_vectors *v, const struct dp_delta_twin *t, const struct dp_delta_dv *dv, struct dp_delta_dv *out, struct dp_err *err) DP_MUST_CHECK;
/* What was made so far is synced and in place.  What is asked for behind that and was made before is the same. */
enum dp_status dp_delta_vectors_finish(struct dp_delta_vectors *v, struct dp_err *err) DP_MUST_CHECK;
void dp_delta_vectors_close(struct dp_delta_vectors *v); /* what is not finished is removed; NULL is legal */

/* A file action as it is for the twin: path, size, statistics, tags and vector.  The text is in the arena. */
enum dp_status dp_delta_twin_action(const struct dp_delta_file *f, const struct dp_delta_twin *t, struct dp_delta_vectors *v, struct dp_arena *arena, struct dp_delta_file *out,
                                    struct dp_err *err) DP_MUST_CHECK;

#endif
