/*
 * Legal holds (dp/delta/legal.h) over many tables, told in the audit log before anything is done, and not done where they can't be.
 */
#ifndef DP_IO_RETAIN_HOLD_H
#define DP_IO_RETAIN_HOLD_H

#include <dp/delta/legal.h>
#include <dp/io/run.h>

struct dp_retain_hold_opts {
    const char *name;                       /* the case */
    const char *const *tables;
    size_t n_tables;
    const char *const *partitions, *const *subjects; /* "COLUMN=VALUE" each; none at all: whole tables */
    size_t n_partitions, n_subjects;
    const char *subjects_from;              /* a file of such lines, "-": standard input; or NULL */
    const char *audit, *why, *who;          /* directory of the audit log (NULL: the usual one); the reason; who holds */
};

/* All tables are looked at before the first is held; *done: of how many it was done.  A shallow clone is held together with its source, or the source before (DP_RULE). */
enum dp_status dp_retain_hold(const struct dp_run *run, const struct dp_retain_hold_opts *o, uint64_t *done, struct dp_err *err) DP_MUST_CHECK;
/* Of the tables named, or (`under`) of all tables below directories that are held by the case. */
enum dp_status dp_retain_release(const struct dp_run *run, const struct dp_retain_hold_opts *o, bool under, uint64_t *done, struct dp_err *err) DP_MUST_CHECK;
/* Each hold of the tables, or of those below directories, in order. */
enum dp_status dp_retain_holds(const struct dp_run *run, const char *const *tables, size_t n, enum dp_status (*each)(void *ctx, const char *table, const struct dp_legal_hold *h, struct dp_err *err),
                               void *ctx, struct dp_err *err) DP_MUST_CHECK;

#endif
