/*
 * The verdict of a run of checks: every rule that the contract declares, with what became of it.  Rules are added once, by whoever compiles
 * them; workers count into arrays of their own (struct dp_tally_row), which are added up in order; judging turns counts into outcomes.
 *
 * No rule is skipped in silence: what can't be run is UNSUPPORTED with the reason, what could not be decided is ERROR.
 */
#ifndef DP_RULES_VERDICT_H
#define DP_RULES_VERDICT_H

#include <dp/base/arena.h>
#include <dp/base/buf.h>
#include <dp/rules/contract.h>

enum dp_outcome { DP_OUTCOME_NONE, DP_OUTCOME_PASS, DP_OUTCOME_FAIL, DP_OUTCOME_ERROR, DP_OUTCOME_UNSUPPORTED };

#define DP_VERDICT_SAMPLES 5

/* A bad value: where it is; the value itself only where the field is not classified. */
struct dp_verdict_sample {
    char source[128];
    uint64_t line;    /* 0: not known */
    char value[80];   /* JSON, cut; type and length of a classified field */
};

struct dp_verdict_rule {
    /* set when it is added; strings are the verdict's */
    const char *path;        /* in the contract: "/schema/0/properties/2/quality/0", "/schema/0/properties/2/required" */
    const char *id, *name, *description, *dimension;
    const char *object;
    const char *property;    /* dotted, "items[].qty"; "a,b" for a tuple; NULL: of the object */
    const char *check;       /* "type", "required", "unique", "primaryKey", "minimum", "maxLength", "pattern", "format", "enum", "invalidValues", "rowCount", "foreignKey", "expression", "freshness" ... */
    const char *expected;    /* "at least 0", "at most 10 % of rows" */
    enum dp_severity severity;
    bool is_classified;      /* of a classified field: samples tell type and length only */
    bool per_record;         /* a record that breaks it is a bad record (severity error only) */
    enum dp_operator op;     /* threshold on the count; NONE: none may break it */
    struct dp_str a, b;      /* as in dp_contract_quality */
    bool is_percent;
    bool between_open;       /* --between=open */

    /* counted */
    uint64_t count;          /* what the check counts: rows that break it, rows, keys seen more than once */
    uint64_t surplus;        /* duplicates: rows beyond the first of each key */
    uint64_t rows;           /* that it looked at */
    struct dp_verdict_sample samples[DP_VERDICT_SAMPLES];
    size_t n_samples;

    /* judged */
    enum dp_outcome outcome;
    const char *reason;      /* of ERROR and UNSUPPORTED; "measured 3 d 4 h" of times */
    bool from_statistics;    /* answered by file statistics, no record was looked at */
};

/* Zero value is empty. */
struct dp_verdict {
    struct dp_arena arena;
    struct dp_verdict_rule *rules;
    size_t n, cap;
    uint64_t rows;
    const char *contract_id, *contract_version, *object;
};

/* A zeroed rule at the end; borrowed until the next one is added: keep the index. */
struct dp_verdict_rule *dp_verdict_add(struct dp_verdict *v);
/* Keeps a sample where there is room (the first ones in the order of the input). `value` is shown as given, the caller hides what is classified. */
void dp_verdict_sample(struct dp_verdict_rule *r, const char *source, uint64_t line, struct dp_str value);
/* DP_USAGE: an operand that is no number, or a range whose first number is not the smaller one. For compilers, before judging would call it an error. */
enum dp_status dp_verdict_threshold(enum dp_operator op, struct dp_str a, struct dp_str b, struct dp_err *err) DP_MUST_CHECK;
/* Outcomes of all rules that have none, from their counts and thresholds; a percentage of no rows is 0. */
void dp_verdict_judge(struct dp_verdict *v);
void dp_verdict_judge_rule(struct dp_verdict *v, size_t rule); /* one, now */
struct dp_verdict_counts { size_t pass, fail, warn, error, unsupported; }; /* warn: failed with severity warning or info */
struct dp_verdict_counts dp_verdict_count(const struct dp_verdict *v);
void dp_verdict_release(struct dp_verdict *v);

/* "less than 10 %"; "none" without an operator. */
void dp_verdict_allowed(const struct dp_verdict_rule *r, struct dp_buf *out);
enum dp_verdict_form { DP_VERDICT_TEXT, DP_VERDICT_NDJSON, DP_VERDICT_JSON, DP_VERDICT_JUNIT, DP_VERDICT_MARKDOWN, DP_VERDICT_PROMETHEUS };
/*
 * Appends the report; text and Markdown have what failed first, with examples; NDJSON has a row for each rule and a summary at the end.
 * In JUnit XML a rule that failed with severity warning or info, and one that is not supported, is `skipped`: CI goes on, and shows it.
 */
void dp_verdict_print(const struct dp_verdict *v, enum dp_verdict_form form, struct dp_buf *out);

/*
 * Members of facets of OpenLineage: dataQualityAssertions and dataQualityMetrics (of an input), test (of a run).  Expectations are the contract's, what was met is counts:
 * no value out of any row.  `whole` false: the input was not read to its end, so that only what failed is known.
 */
enum dp_verdict_facet { DP_VERDICT_ASSERTIONS, DP_VERDICT_METRICS, DP_VERDICT_TESTS };
void dp_verdict_print_facet(const struct dp_verdict *v, enum dp_verdict_facet which, bool whole, struct dp_buf *out);

#endif
