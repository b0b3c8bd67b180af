/*
 * Plans of retention: what the rules (dp/rules/retention.h) let go of which tables, and carrying a plan out.
 *
 * A plan is made from the logs alone: partition values, statistics, tombstones; no data file is opened, and only those that no version needs are looked at.  It is a file of JSON lines:
 * a head (the rule files, their digest, the time that counts as now), a line for each table for which there is something to do, an end with a digest of all lines before.  It names
 * rules, files by their number and versions; conditions and values stand in the rule files alone.  Applying it reads the rules and the tables again, as of the plan's
 * time, and what comes out for a table must be what the plan says: else the plan is out of date for that table, and nothing is done to it.
 */
#ifndef DP_IO_RETAIN_PLAN_H
#define DP_IO_RETAIN_PLAN_H

#include <dp/io/run.h>

/* Sums over tables. */
struct dp_retain_totals {
    uint64_t tables, ruled;                /* looked at; that a rule is about */
    uint64_t to_do, refused;               /* with something to do; that can't be planned (each is told, with why) */
    uint64_t files, rewrites;              /* live files that go whole; that lose some of their rows */
    uint64_t bytes, rewrite_bytes;
    uint64_t rows_least, rows_most;        /* rows that go: equal where the log knows */
    uint64_t rows_unknown;                 /* tables with files whose rows the log doesn't tell */
    uint64_t versions_stay, versions_go;   /* that can be read now, and afterwards can or can't */
    uint64_t old_files, old_bytes;         /* that no version that stays needs */
    uint64_t leftovers;
    uint64_t tier_files, tier_bytes;       /* that move to a tier */
    uint64_t held, held_files, held_bytes; /* tables with legal holds; old files that would go without them, and stay */
};

struct dp_retain_plan_opts {
    const char *const *rules;              /* files; with neither these nor a contract each table goes by the one that it keeps itself */
    size_t n_rules;
    const char *contract;                  /* FILE[#OBJECT], or NULL */
    const char *const *tables;             /* tables, or directories of tables */
    size_t n_tables;
    const char *output;                    /* the plan; NULL: none is written */
    /* What is to be said of a table, lines for people; in the order of the tables. */
    enum dp_status (*say)(void *ctx, struct dp_str lines, struct dp_err *err);
    void *ctx;
};

/* DP_USAGE, DP_UNSUPPORTED ...: of the rules.  What hinders a single table is told, counted in `refused`, and *worst is the status of the first. */
enum dp_status dp_retain_plan(struct dp_run *run, const struct dp_retain_plan_opts *o, struct dp_retain_totals *out, enum dp_status *worst, struct dp_err *err) DP_MUST_CHECK;

struct dp_retain_apply_opts {
    const char *plan;
    const char *audit;                     /* directory of the audit log, NULL: the usual one */
    const char *why;
    enum dp_status (*say)(void *ctx, struct dp_str lines, struct dp_err *err);
    void *ctx;
};
struct dp_retain_applied {
    uint64_t tables, done_before, stale;   /* of the plan; whose rows had gone already; for which it is out of date */
    uint64_t commits, files_removed, files_added, vectors;
    uint64_t rows;                         /* deleted, as far as they are counted */
    uint64_t old_files, old_bytes, leftovers;
    uint64_t tier_files, tier_bytes, rewritten; /* moved to a tier; files that were written anew for that */
    uint64_t held, held_files, held_bytes; /* tables of which something was refused for a legal hold; old files that stay for one */
};

/* DP_RULE: rows of some table are held now; DP_AGAIN: the plan is out of date for some table; the others were done.  May be stopped anywhere, and run again. */
enum dp_status dp_retain_apply(struct dp_run *run, const struct dp_retain_apply_opts *o, struct dp_retain_applied *out, struct dp_err *err) DP_MUST_CHECK;

#endif
