/*
 * Rules that statistics of files can answer without a record being read: row counts, nulls, types of columns, bounds, times of slaProperties.
 *
 * A rule is answered when the statistics decide it: counts that are known are judged as they are; a rule of each record only when nothing breaks it, since a
 * record that does is to be shown.  What is answered is not asked of records any more, so this comes between compile and the first run.
 */
#ifndef DP_RULES_CHECK_STATS_H
#define DP_RULES_CHECK_STATS_H

#include <dp/record/type.h>
#include <dp/rules/check.h>

/* A column at the top, over all rows. */
struct dp_check_column {
    const struct dp_type *type;  /* the same in all files; NULL: it is in none */
    int64_t nulls;               /* -1: not known; rows where it is absent count */
    bool has_numbers;            /* low and high hold all values, as numbers in JSON's spelling */
    struct dp_str low, high;
    bool has_times, exact_times; /* low_micros and high_micros hold all values; are values themselves */
    int64_t low_micros, high_micros;
};

struct dp_check_stats {
    uint64_t rows;
    /* False: nothing is known of this column. Strings are borrowed until the next call. */
    bool (*column)(void *ctx, const char *name, struct dp_check_column *out);
    void *ctx;
};

/* Answers what it can in the verdict (from_statistics). */
void dp_check_answer(struct dp_check *k, struct dp_verdict *v, const struct dp_check_stats *stats);
/*
 * What records must still tell: *n 0 and true: nothing; else the columns to read (*n of them, borrowed from the check, the list freed by the caller).
 * False: all columns.
 */
bool dp_check_columns(const struct dp_check *k, const struct dp_verdict *v, const char ***columns, size_t *n);

#endif
