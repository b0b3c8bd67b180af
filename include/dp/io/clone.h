/*
 * A new table that is what another one was at a version (digest section 18; dp-table(1), clone and branch).
 *
 * Shallow: its log names the source's files where they are, by absolute paths, and nothing is copied.  Deep: the files and deletion vectors are copied, synced,
 * and the log comes last; until then DEST is no table, and a clone that was killed goes on where it stopped when it is asked for again.
 */
#ifndef DP_IO_CLONE_H
#define DP_IO_CLONE_H

#include <dp/delta/commit.h>
#include <dp/io/run.h>

/* Properties of a branch: where it came from. */
#define DP_BRANCH_SOURCE "dp.branch.source"
#define DP_BRANCH_VERSION "dp.branch.version"

struct dp_clone_opts {
    const char *source, *dest;
    const char *as_of;      /* of the source; NULL: latest */
    bool deep;
    bool branch;            /* a shallow clone that notes where it came from, and keeps a change data feed of what becomes of it */
};

struct dp_cloned {
    int64_t source_version, version;
    size_t files, copied;   /* copied: by this run */
    int64_t bytes, copied_bytes;
};

/* With run->dry_run nothing is made.  DP_USAGE: DEST is a table or holds something else; DP_AGAIN: another clone is at work on it. */
enum dp_status dp_clone_table(struct dp_run *run, const struct dp_clone_opts *o, struct dp_cloned *out, struct dp_err *err) DP_MUST_CHECK;

/* Where the branch NAME of a table stands: a name without a slash is TABLE@NAME beside the table, another is a path as it is.  Caller frees. */
char *dp_branch_dest(const char *table, const char *name);

#endif
