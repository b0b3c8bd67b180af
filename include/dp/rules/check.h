/*
 * A contract's rules over records: compiled once, run on a record in place by any number of threads.
 *
 *   compile ──► struct dp_check (immutable) ──► one dp_check_run per thread ──► what a record broke, tuples to look up
 *                                                     └──► take (per chunk) ──► struct dp_check_tally ──► collect, in order ──► verdict ──► settle
 *
 * Each rule is one row of the verdict (dp/rules/verdict.h) that compile adds, in the contract's order: type, required, logicalTypeOptions, enum (3.2),
 * expressions (quality of type custom with engine `dp`: implementation is an expression that must be true of the record), the library metrics, and
 * slaProperties that data can show.  A metric that allows no breach (mustBe 0, mustBeLessThan 1, mustBeLessOrEqualTo 0) with severity error is a
 * rule of each record; others are judged at the end.  Keys that must be unique and foreign keys are made here and looked up by the caller, in order.
 *
 * Values are JSON's: an integer is a number whose value is whole (5.0; "5" is none); date, timestamp and time are strings; comparisons are exact.
 * A null or absent value breaks `required` only (and nullValues, missingValues).  physicalType judges nothing; decimal(p,s) does.
 * A rule inside an array counts records: one that breaks it in three items counts once, and the breach names the first item.
 */
#ifndef DP_RULES_CHECK_H
#define DP_RULES_CHECK_H

#include <dp/record/field.h>
#include <dp/rules/verdict.h>

struct dp_check_opts {
    bool between_open;       /* --between=open */
    bool duplicates_surplus; /* --duplicates=surplus: duplicateValues counts the rows beyond the first of each key */
    bool absent_fails;       /* --absent-column=fail: a top-level property that no record has is a failed rule */
    bool closed;             /* --closed: a field that the contract does not know is a broken rule */
    int64_t now_micros;      /* for freshness, retention */
};

struct dp_check;     /* immutable; borrows the contract and the verdict's arena */
struct dp_check_run; /* one per thread */

/* Adds the object's rules to `v`. DP_USAGE: a rule that is wrong (a pattern, a threshold, an expression) with file, line and key. */
enum dp_status dp_check_compile(const struct dp_contract *c, const struct dp_contract_object *o, const struct dp_check_opts *opts, struct dp_verdict *v,
                                struct dp_check **out, struct dp_err *err) DP_MUST_CHECK;
void dp_check_free(struct dp_check *k); /* NULL is legal */
/* Has any property, at any depth, a classification other than public and internal? */
bool dp_check_is_classified(const struct dp_check *k);
/* Values of these top-level columns too are told as type and length only: what the stream's header calls classified. Before the first record. */
typedef bool (*dp_check_hides)(void *ctx, struct dp_str column);
void dp_check_hide(struct dp_check_run *r, dp_check_hides is_classified, void *ctx);
/* Of the expressions, how many run in libjq; *why is of the first (NULL: none). For -v. */
size_t dp_check_in_libjq(const struct dp_check *k, const char **why);

struct dp_check_run *dp_check_run_open(const struct dp_check *k);
void dp_check_run_close(struct dp_check_run *r); /* NULL is legal */

/*
 * The types of the records that follow, as their source or the stream's header (`who`) tells them; NULL: not known, as at the start.
 * DP_SCHEMA: a column that can't hold what the contract says, both sides named.  In a column of floating point the strings "NaN" and "Infinity" are
 * values, in one of decimals strings of digits are numbers.
 */
enum dp_status dp_check_types(struct dp_check_run *r, const struct dp_type *schema, const char *who, struct dp_err *err) DP_MUST_CHECK;

/* One rule that a record broke. */
struct dp_check_breach {
    uint32_t rule;        /* index in the verdict */
    uint32_t node;        /* of the value in the record; 0: absent, or the record itself */
    uint32_t more;        /* further values of this record that break it */
    uint32_t item;        /* the run's own */
};

/*
 * DP_OK: *breaches (borrowed until the next record) has what it broke, 0: nothing; also rules of lesser severity and metrics that only count.  Which
 * of them make it a bad record: rules[rule].per_record.  Counts go to the run.
 */
enum dp_status dp_check_record(struct dp_check_run *r, const struct dp_record *rec, const struct dp_check_breach **breaches, size_t *n,
                               struct dp_err *err) DP_MUST_CHECK;

/* A breach in words, values hidden where classified; borrowed until the next record of the run. */
struct dp_check_words {
    const char *rule;     /* "minimum" */
    const char *path;     /* "items[2].qty"; NULL: the record */
    const char *reason;
    const char *expected; /* or NULL */
};
struct dp_check_words dp_check_explain(struct dp_check_run *r, const struct dp_record *rec, const struct dp_check_breach *b);
/* The same of a rule that the caller looked up (a tuple's): its path and the values as they stand in the record. */
struct dp_check_words dp_check_explain_rule(struct dp_check_run *r, const struct dp_record *rec, uint32_t rule, const char *what);
/* Notes a sample of each breach for the verdict, while the run has taken fewer than DP_VERDICT_SAMPLES of its rule. */
void dp_check_note(struct dp_check_run *r, const struct dp_record *rec, const struct dp_check_breach *b, size_t n, uint64_t line);

/* What a run counted over some records (a chunk). Zero value is empty; taking into it again reuses its memory. */
struct dp_check_tally {
    uint64_t records;
    uint64_t *count;                    /* by rule */
    uint64_t *undecided;                /* of them: the rule erred or passed a limit */
    size_t n;
    struct dp_check_tally_sample { uint32_t rule; uint64_t line; char value[80]; } *samples;
    size_t n_samples, cap_samples;
    int64_t *low, *high;                /* times of slaProperties, by rule; low > high: none */
    uint8_t *seen;                      /* by top-level property */
    size_t n_seen;
    uint32_t why;                       /* rule of `error`, the first undecided one */
    char error[200];
};
/* Moves the run's counts into the tally, which is emptied before. */
void dp_check_take(struct dp_check_run *r, struct dp_check_tally *t);
/* Adds a tally to the verdict. In the order of the input, one at a time; `source` names where its samples are. */
void dp_check_collect(const struct dp_check *k, struct dp_verdict *v, const struct dp_check_tally *t, const char *source);
void dp_check_tally_release(struct dp_check_tally *t);
/* A record that was refused before it could be checked (a cell that is not of its column's type): counts for the rule `check` of `path`, where there is one. */
void dp_check_count_refused(const struct dp_check *k, struct dp_verdict *v, const char *check, const char *path);
/* Behind the last collect: outcomes of what is not a count (times, columns that were never there, undecided rules); then dp_verdict_judge does the rest. */
void dp_check_settle(const struct dp_check *k, struct dp_verdict *v);

/*
 * Tuples to be looked up: unique, primaryKey, duplicateValues; foreign keys.  Equal tuples of several rules are one.  A tuple with a null in it is left
 * out: `required` says so where that is wrong.
 */
enum dp_check_tuple_kind { DP_TUPLE_UNIQUE, DP_TUPLE_FOREIGN };
struct dp_check_tuple {
    enum dp_check_tuple_kind kind;
    const uint32_t *rules;        /* rows of the verdict that it decides, n_rules of them */
    size_t n_rules;
    const struct dp_contract_relationship *relationship; /* FOREIGN */
    const char *const *names;     /* of the parts, as messages name them, n_paths of them */
    const struct dp_path *paths;
    size_t n_paths;
};
size_t dp_check_tuples(const struct dp_check *k, const struct dp_check_tuple **tuples);
/* The record just checked breaks the rules of this tuple (a foreign key that is nowhere): they join its breaches and counts. */
void dp_check_break_tuple(struct dp_check_run *r, const struct dp_check_tuple *t, const struct dp_check_breach **breaches, size_t *n);
/* One of the verdict's rules failed for one more key (DP_TUPLE_UNIQUE: `first` when the key was not yet known as a duplicate). In order. */
void dp_check_count_tuple(const struct dp_check *k, struct dp_verdict *v, uint32_t rule, bool first);
/*
 * The canonical bytes of the values at `paths` behind out's content: equal values have equal bytes whatever their spelling (1.0 and 1, "\u0041" and "A"), and
 * no tuple's bytes are another's.  False: one of them is null or absent (out is as it was).  One hint for each path and thread; NULL: none.
 */
bool dp_tuple_bytes(const struct dp_path *paths, size_t n, struct dp_path_hint *hints, const struct dp_record *rec, struct dp_buf *out);
/* The same of the whole record: names in any order, nulls among them (an absent field is not a null). */
void dp_record_bytes(const struct dp_record *rec, struct dp_buf *out);

#endif
