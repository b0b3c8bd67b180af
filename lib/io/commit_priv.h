/* What the files of commits share: commit.c (streams), commit_check.c (contracts). */
#ifndef DP_IO_COMMIT_PRIV_H
#define DP_IO_COMMIT_PRIV_H

#include <dp/delta/land.h>
#include <dp/io/run.h>

/*
 * Checks the landed files against the contract that the table was made with.  DP_RULE: a rule of severity error is broken, each told in a
 * message of its own; DP_USAGE: the table keeps no contract.  `verdict` (may be NULL) is set to the verdict as JSON.
 */
enum dp_status dp_commit_check(struct dp_run *run, const char *table, const struct dp_delta_snapshot *s, const struct dp_delta_landing *l, struct dp_buf *verdict,
                               struct dp_err *err) DP_MUST_CHECK;

#endif
