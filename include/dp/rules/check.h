/*
 * A contract's rules over records: compiled once, run on a record in place by any number of threads.
 *
 *   compile ──► struct dp_check (immutable) ──► one dp_check_run per thread ──► broken rules of a record, counts, keys for the sets
 *
 * Each rule is one row of the verdict (dp/rules/verdict.h) that compile adds, in the contract's order: type, required, logicalTypeOptions, enum (3.2),
 * expressions (quality of type custom with engine `dp`: implementation is an expression that must be true), and the library metrics.  A metric that allows no
 * breach (mustBe 0, mustBeLessThan 1, mustBeLessOrEqualTo 0) with severity error is a rule of each record; others are judged at the end.  Keys that
 * must be unique and foreign keys are made here and looked up by the caller, in order.
 *
 * Values are JSON's: an integer is a number whose value is whole (5.0; "5" is none); date, timestamp and time are strings; comparisons are exact.
 * A null or absent value breaks `required` only.  physicalType judges nothing; decimal(p,s) does.
 */
#ifndef DP_RULES_CHECK_H
#define DP_RULES_CHECK_H

#include <dp/record/field.h>
#include <dp/rules/verdict.h>

struct dp_check_opts {
    bool between_open;       /* --between=open */
    bool duplicates_surplus; /* --duplicates=surplus */
    bool absent_fails;       /* --absent-column=fail */
    bool closed;             /* --closed: a field that the contract does not know is a broken rule */
    int64_t now_micros;      /* for freshness, retention */
};

struct dp_check;     /* immutable; borrows the contract and the verdict's arena */
struct dp_check_run; /* one per thread */

/* Adds the object's rules to `v`. DP_USAGE: a rule that is wrong (a pattern, a threshold, an expression) with file, line and key. */
enum dp_status dp_check_compile(const struct dp_contract *c, const struct dp_contract_object *o, const struct dp_check_opts *opts, struct dp_verdict *v,
                                struct dp_check **out, struct dp_err *err) DP_MUST_CHECK;
void dp_check_free(struct dp_check *k);

struct dp_check_run *dp_check_run_open(const struct dp_check *k);
void dp_check_run_close(struct dp_check_run *r);

/* One rule that a record broke. Strings are borrowed until the next record of the same run. */
struct dp_check_breach {
    uint32_t rule;        /* index in the verdict */
    uint32_t node;        /* of the value in the record; 0: absent */
    const char *path;     /* "items[2].qty" */
    const char *reason;   /* one phrase, values hidden where classified */
};

/* DP_OK: *breaches (borrowed until the next record) has what it broke, 0: nothing; also rules of lesser severity and metrics that only count. Counts go to the run. */
enum dp_status dp_check_record(struct dp_check_run *r, const struct dp_record *rec, const struct dp_check_breach **breaches, size_t *n,
                               struct dp_err *err) DP_MUST_CHECK;
/* Adds the run's counts (per rule: count, rows) to the verdict and zeroes them. In order, one at a time. */
void dp_check_collect(struct dp_check_run *r, struct dp_verdict *v);

/* Tuples to be looked up: unique, primaryKey, duplicateValues; foreign keys.  `rule` tells their row of the verdict. */
enum dp_check_tuple_kind { DP_TUPLE_UNIQUE, DP_TUPLE_FOREIGN };
struct dp_check_tuple {
    enum dp_check_tuple_kind kind;
    uint32_t rule;
    const struct dp_contract_relationship *relationship; /* FOREIGN */
    const struct dp_path *paths;  /* n_paths of them */
    size_t n_paths;
    bool null_counts;             /* false: a tuple with a null in it is left out */
};
size_t dp_check_tuples(const struct dp_check *k, const struct dp_check_tuple **tuples);
/*
 * The canonical bytes of a record's tuple behind out's content: equal values have equal bytes whatever their spelling (1.0 and 1, "\u0041" and "A"), and no
 * tuple's bytes are another's.  False: it has a null and is to be left out.
 */
bool dp_check_tuple_bytes(const struct dp_check_tuple *t, struct dp_path_hint *hints, const struct dp_record *rec, struct dp_buf *out);

#endif
