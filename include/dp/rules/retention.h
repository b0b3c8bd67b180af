/*
 * Rules of retention: how long rows, versions and leftovers of which tables are kept.  Read from YAML (dp-retain(1)), from the slaProperties `retention` of a contract, and from
 * the lifecycle configuration of S3 as JSON.
 *
 * All of them become the same rules.  A file is read strictly: a key that is not known, a word that is none is DP_USAGE with file, line and the nearest right word.  What is
 * well formed and not carried out (transitions to a storage class without a directory ...) becomes a note, which whoever uses the rules must show.
 *
 * Several rules for one table: the longest keep wins.  A row goes when a rule says so and no other rule that covers the row keeps it longer; a version stays while any rule keeps
 * it; leftovers stay as long as the longest says.
 */
#ifndef DP_RULES_RETENTION_H
#define DP_RULES_RETENTION_H

#include <dp/base/zone.h>
#include <dp/delta/snapshot.h>
#include <dp/rules/contract.h>

/* What is `months`, then `micros` (whole days of it by the calendar) after a time is kept until then. */
struct dp_retain_keep {
    bool is_given, forever;
    int64_t months, micros;
    bool to_midnight; /* and until the midnight behind that */
};

enum dp_retain_unit { DP_RETAIN_UNIT_NONE, DP_RETAIN_UNIT_S, DP_RETAIN_UNIT_MS, DP_RETAIN_UNIT_US }; /* of a column of integers */

struct dp_retain_pair { const char *key, *value; };

/* Strings are borrowed from the rules; absent ones are NULL. */
struct dp_retain_rule {
    const char *id, *description, *reason; /* reason: the legal basis */
    const char *source;
    uint32_t line;
    bool enabled;
    /* which tables: each that is given must hold */
    const char **tables;                   /* any of these globs */
    size_t n_tables;
    bool by_name;                          /* tables are names of a contract: of the directory, or the table's own name */
    const char *prefix;                    /* S3: what the path from the operand on begins with */
    struct dp_retain_pair *tags;           /* table properties dp.tag.KEY */
    size_t n_tags;
    const struct dp_zone *zone;            /* whose calendar it is */
    /* rows */
    bool has_rows;
    struct dp_retain_keep rows;
    const char *time;                      /* the column; NULL: when the row's file was written */
    enum dp_retain_unit unit;
    const char *where;                     /* only these rows */
    int64_t over, under;                   /* only of files of more, of less bytes; -1 */
    int64_t from;                          /* S3 Date: from then on all rows go, micros; INT64_MIN */
    int64_t most;                          /* percent of a table's rows that one plan may delete; -1 */
    /* versions */
    bool has_versions;
    struct dp_retain_keep versions;        /* after they were superseded */
    int64_t last, daily, weekly, monthly, yearly; /* the newest of so many; 0: none */
    bool below_table;                      /* may be shorter than the table's own retention of files */
    /* leftovers: staging and temporary files */
    bool has_leftovers;
    struct dp_retain_keep leftovers;
    /* tier: files of which all rows are older move to another directory */
    bool has_tier;
    struct dp_retain_keep tier;
    const char *tier_time;                 /* as `time` */
    enum dp_retain_unit tier_unit;
    const char *tier_to, *tier_name;       /* a directory, absolute and without .. in it; what the files are marked with */
    const char *codec, *sort, *cluster;    /* how they are written anew before, NULL: as they are */
};

struct dp_retain_note { const char *source, *rule, *text; uint32_t line; };

/* Zero value is empty. */
struct dp_retain_rules {
    struct dp_retain_rule *v;
    size_t n, cap;
    struct dp_retain_pair *classes; /* storage classes of S3 and the directories that stand for them, for lifecycles that are read behind them */
    size_t n_classes, classes_cap;
    struct dp_retain_note *notes; /* what is not carried out */
    size_t n_notes, notes_cap;
    struct dp_arena arena;
    struct dp_zone **zones;
    size_t n_zones, zones_cap;
    uint8_t digest[32];           /* over all that was read, in this order */
};

/* Adds the rules of a file (YAML, or S3 lifecycle JSON, which its top-level key Rules tells). */
enum dp_status dp_retain_read(struct dp_retain_rules *r, const char *path, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_retain_parse(struct dp_retain_rules *r, struct dp_str text, const char *source, struct dp_err *err) DP_MUST_CHECK;
/* Those of a contract: FILE[#OBJECT].  An entry without a column to measure by goes by when rows were written. */
enum dp_status dp_retain_contract(struct dp_retain_rules *r, const char *spec, struct dp_err *err) DP_MUST_CHECK;
/* Those of the contract that a table keeps itself (properties dp.contract and dp.contract.object), for it alone; adds nothing where it has none that speaks of retention. */
enum dp_status dp_retain_own(struct dp_retain_rules *r, const struct dp_delta_snapshot *s, struct dp_err *err) DP_MUST_CHECK;
void dp_retain_rules_release(struct dp_retain_rules *r);

/*
 * The instant (micros) such that whatever is older than it has been kept long enough at `now`, and nothing that is not: t + keep <= now for each t before it.  INT64_MIN where
 * it is kept forever, INT64_MAX without a keep.
 */
int64_t dp_retain_cut(const struct dp_retain_keep *k, const struct dp_zone *zone, int64_t now);

/* Is the rule about the table?  `path` as it was found, `below` the part of it behind the operand (its last name where it is the operand).  DP_UNSUPPORTED: the S3 prefix ends inside of the table. */
enum dp_status dp_retain_covers(const struct dp_retain_rule *rule, const char *path, const char *below, const struct dp_delta_snapshot *s, bool *out, struct dp_err *err) DP_MUST_CHECK;

/*
 * Appends the expression that is true of the rows that go by these rules (those that have rows and go by a column or a condition), nothing where none can.  A row without a time
 * stays.  DP_USAGE: a column is not there, or holds no times.
 */
enum dp_status dp_retain_where(const struct dp_retain_rule *const *rules, size_t n, const struct dp_delta_snapshot *s, int64_t now, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

/* Appends what is true of rows that none of these rules holds by a column; nothing where none has one.  Errors as above. */
enum dp_status dp_retain_unheld(const struct dp_retain_rule *const *rules, size_t n, const struct dp_delta_snapshot *s, int64_t now, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

/* What the rules that go by when rows were written say of a whole file: DP_ALWAYS, it goes; DP_NEVER, one keeps it; DP_MAYBE, none is about it. */
enum dp_maybe dp_retain_file(const struct dp_retain_rule *const *rules, size_t n, const struct dp_delta_file *f, int64_t now);

#endif
