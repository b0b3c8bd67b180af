/*
 * A person out of tables, in all of their versions (GDPR article 17).
 *
 * Tables that are named together are erased together: a table and its shallow clones.  Of each, every data file and change data file that has a row of the person, whichever version names
 * it and wherever it stands (tiers), gets a twin without these rows, and the log is told anew so that each version names the twins (dp/delta/amend.h): versions keep their numbers, their times
 * and all other rows.  Before that the latest version gets the twins by a commit of its own, which other writers' commits can be in conflict with; behind it the old files go.  Files that no
 * version names and that have the person go, where they are old enough that nobody is about to name them.  Plain files of records lose their lines.
 *
 * The audit log is told before anything is read, legal holds are asked before anything is written, and no two changes of a table take place at once (dp/delta/hold.h).  Readers of the latest
 * version are never disturbed; who reads an older one while this runs may find it half told.
 *
 * Killed anywhere, the tables are valid, and the next run ends what was begun: once all that is to be put in place is written and synced, T/_dp_erase/journal says so.
 */
#ifndef DP_IO_ERASE_H
#define DP_IO_ERASE_H

#include <dp/io/subject.h>
#include <dp/io/traces.h>

struct dp_erase_opts {
    struct dp_subject *subject;                  /* those given; what the graphs say is added */
    const char *const *graphs; size_t n_graphs;
    struct dp_subject_where where;               /* its store is opened by the caller */
    const char *audit, *why;                     /* directory of the log or NULL; --reason */
    bool verify;                                 /* search everything that is left */
    int64_t young_ms;                            /* files that no version names stay when they are younger */
    const char *evidence;                        /* where the report goes, or NULL */
    enum dp_status (*say)(void *ctx, const struct dp_trace *t, struct dp_err *err); /* what verify met; must be there with verify */
    void *ctx;
};

/* Sums over all tables and files; what a dry run would do. */
struct dp_erased {
    uint64_t identifiers;
    uint64_t tables, plain_files;      /* that were searched */
    uint64_t unreachable;              /* datasets that are known and could not be searched */
    uint64_t files, files_read;        /* data files; those that statistics did not exclude */
    uint64_t files_rewritten, files_removed, change_files; /* with twins; without; change data files with twins */
    uint64_t orphans, young;           /* files of no version that had the person: removed; left because somebody may be about to name them */
    uint64_t foreign;                  /* files of other tables, which have it still */
    uint64_t rows, rows_live;          /* rows that went from files; of them in the latest versions */
    uint64_t bytes_removed, bytes_written;
    uint64_t log_files, redacted, versions, resumed; /* of the logs: written anew, texts of commits in which a value was put out, versions that can be read; journals that were finished */
    struct dp_traces_totals left;      /* where verify was asked for */
};

/*
 * DP_RULE: a legal hold keeps the person's rows, by its case.  What is left or could not be reached is counted, no failure.  DP_IO: no audit log, a tier out of reach, a dataset that can't be read: nothing was
 * changed.  DP_UNSUPPORTED: a table whose features dp can't keep.  DP_AGAIN: other writers were faster, over and over.  DP_USAGE: nothing to search, or a journal that
 * names a table which is not among those given.
 */
enum dp_status dp_erase(struct dp_run *run, const struct dp_erase_opts *o, struct dp_erased *out, struct dp_err *err) DP_MUST_CHECK;

#endif
