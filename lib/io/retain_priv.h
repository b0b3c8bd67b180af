/* What plan and apply of retention share (dp/io/retain_plan.h): what the rules say of one table, as of the plan's time. */
#ifndef DP_IO_RETAIN_PRIV_H
#define DP_IO_RETAIN_PRIV_H

#include <dp/delta/legal.h>
#include <dp/delta/lives.h>
#include <dp/delta/vacuum.h>
#include <dp/io/retain_plan.h>
#include <dp/rules/retention.h>

/* One table under the rules.  Zero value with path, below, all and now set. */
struct retain_table {
    const char *path, *below;
    const struct dp_retain_rules *all;       /* NULL: the table's own contract says */
    int64_t now;                             /* micros */
    struct dp_retain_rules own;
    const struct dp_retain_rule **rules;     /* that are about it */
    size_t n;
    struct dp_expr *where, *unheld;          /* rows that go; rows that none holds by a column; NULL: none, all */
    struct dp_legal legal;                   /* what is held, as of the opening */
    struct dp_expr *held;                    /* rows of held subjects; NULL: none */
    bool has_rows, has_versions, has_leftovers, has_tier;
    int64_t most;                            /* percent of its rows; -1 */
    struct dp_buf text, where_text;          /* what the two say, for the digest; the first */
};

/* Chooses and compiles. */
enum dp_status retain_table_open(struct retain_table *t, const struct dp_delta_snapshot *s, struct dp_err *err) DP_MUST_CHECK;
void retain_table_close(struct retain_table *t);
/* Of one thread. */
struct retain_judge { struct retain_table *t; const struct dp_delta_snapshot *s; struct dp_delta_skipper *where, *unheld, *held; };
void retain_judge_open(struct retain_judge *j, struct retain_table *t, const struct dp_delta_snapshot *s);
void retain_judge_close(struct retain_judge *j);
enum dp_maybe retain_judge_ask(struct retain_judge *j, const struct dp_delta_file *f);

/* What goes of the live files.  The digest is over the rules' effect and the files that it touches, in any order. */
struct retain_rows {
    uint64_t files, rewrites, bytes, rewrite_bytes, least, most, all_rows;
    bool is_known;       /* rows of all these files */
    char digest[33];     /* 32 hex digits */
};
enum dp_status retain_rows_count(struct retain_table *t, const struct dp_delta_snapshot *s, struct retain_rows *out, struct dp_err *err) DP_MUST_CHECK;

/* Versions up to `base`: which stay.  Later ones do. */
struct retain_versions {
    struct dp_delta_lives lives;
    bool *stays;                       /* of each version from lives.oldest on */
    const struct dp_delta_file **keep; /* files of those that stay, and are live no more */
    const struct dp_delta_file **known;
    size_t n_keep;
    int64_t cut_ms;                    /* what was superseded before it, and no rule keeps, goes */
    bool purges;                       /* nothing is kept for a time: what goes now goes at once */
    bool force;                        /* below what the table says */
};
enum dp_status retain_versions_read(struct retain_table *t, const struct dp_delta_snapshot *s, int64_t base, bool rows_go, struct retain_versions *out, struct dp_err *err) DP_MUST_CHECK;
void retain_versions_release(struct retain_versions *v);
/* Options of the vacuum that takes what no version needs, at `now_ms`. */
struct dp_delta_vacuum_opts retain_vacuum(const struct retain_versions *v, int64_t now_ms);

/* Staging and temporary files from before `cut`: how many; removed where `take`. */
uint64_t retain_leftovers(const struct retain_table *t, bool take);
int64_t retain_leftovers_cut(const struct retain_table *t);

/* Files that move to a tier: which rule says so, how many. */
struct retain_tier {
    const struct dp_retain_rule *rule;
    struct dp_retain_rule age;         /* as a rule of rows: what it would let go is cold */
    struct retain_table t;             /* under that rule alone */
    struct dp_retain_rules one;
    struct retain_judge judge;
    char *home;                        /* of the table, in this tier */
    int64_t cut;
    bool rewrites;                     /* written anew before */
    uint64_t files, bytes;
};
struct retain_tiers {
    struct retain_table *table;
    struct retain_judge rows;          /* what goes altogether is not moved */
    struct retain_tier *v;             /* coldest first */
    size_t n;
    uint64_t files, bytes;
    char digest[33];                   /* over the rules' effect and the files, in any order */
};
/* Of one version: its files are counted.  The table and the snapshot are borrowed until close.  DP_IO, DP_USAGE: a tier that can't be used (dp/delta/tier.h). */
enum dp_status retain_tiers_open(struct retain_tiers *x, struct retain_table *t, const struct dp_delta_snapshot *s, struct dp_err *err) DP_MUST_CHECK;
void retain_tiers_close(struct retain_tiers *x);
/* Where a file moves to; NULL: it stays. */
struct retain_tier *retain_tier_of(struct retain_tiers *x, const struct dp_delta_file *f);
/* Has a plan with this digest begun to move files of the table? */
bool retain_tiers_begun(const struct retain_table *t, const struct dp_delta_snapshot *s, const char *digest, int64_t now_micros);
/* Writes anew and moves, as of the plan's time. */
struct retain_moved { uint64_t files, bytes, rewritten, commits; };
enum dp_status retain_tiers_move(struct dp_run *run, struct retain_table *t, const char *digest, struct retain_moved *out, struct dp_err *err) DP_MUST_CHECK;

/* Tables under the operands, in order. */
struct retain_place { char *path, *below; };
enum dp_status retain_find(const struct dp_run *run, const char *const *names, size_t n, struct retain_place **out, size_t *n_out, struct dp_err *err) DP_MUST_CHECK;
void retain_places_free(struct retain_place *p, size_t n);

/* What a plan says of one table, in numbers; nothing is written. */
enum dp_status retain_plan_sums(const struct retain_place *place, const struct dp_retain_plan_opts *o, const struct dp_retain_rules *rules, int64_t now, struct dp_retain_totals *sums, struct dp_err *err) DP_MUST_CHECK;

/* "rule a (90d...), rule b": ids, with commas. */
void retain_ids(const struct retain_table *t, unsigned what, struct dp_buf *out);
enum { RETAIN_ROWS = 1, RETAIN_VERSIONS = 2, RETAIN_LEFTOVERS = 4 };
/* Reads rule files and the contract. */
enum dp_status retain_read_rules(const char *const *files, size_t n, const char *contract, struct dp_retain_rules *out, struct dp_err *err) DP_MUST_CHECK;

#endif
