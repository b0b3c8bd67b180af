/* What the parts of dp/delta/amend.h share.  Private to lib/delta. */
#ifndef DP_DELTA_AMEND_PRIV_H
#define DP_DELTA_AMEND_PRIV_H

#include <dp/delta/amend.h>
#include <dp/delta/checkpoint.h>

struct amending {
    const struct dp_delta_amend *a;
    struct dp_delta_amended *out;
    struct dp_delta_vectors *vectors;
};

/* A file of `into`, by its name below it, and a file that goes, by its name in the log. */
void amend_wrote(struct amending *m, const char *name);
void amend_obsolete(struct amending *m, const char *name);

/* ---- amend_entry.c ---- */
/* The text of an entry, anew; *changed: it is another one. */
enum dp_status amend_entry(struct amending *m, struct dp_str text, const char *name, struct dp_buf *out, bool *changed, struct dp_err *err) DP_MUST_CHECK;

/* ---- amend_checkpoint.c ---- */
/* All checkpoints up to the version that name such a file; `latest`: the one of that version in any case, first. */
enum dp_status amend_checkpoints(struct amending *m, const struct dp_delta_log *log, struct dp_err *err) DP_MUST_CHECK;
enum dp_status amend_latest(struct amending *m, struct dp_err *err) DP_MUST_CHECK;

#endif
