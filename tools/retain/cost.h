/* What dp-retain cost gathers, and how it is printed. */
#ifndef RETAIN_COST_H
#define RETAIN_COST_H

#include <dp/cli/cli.h>
#include <dp/io/cost.h>

enum cost_by { BY_TABLE, BY_TAG, BY_OWNER, BY_TIER, BY_PIPELINE };

/* A row: a table, a tag, an owner, a tier; or the total. */
struct cost_group {
    char *name;            /* UTF-8 */
    bool is_rest;          /* tables without a tag, an owner: the last row */
    uint64_t tables;
    struct dp_cost_amount kinds[DP_COST_KINDS], all;
    uint64_t rows_unknown;
    dp_u128 month;
    struct dp_cost_time cpu;
    struct dp_cost_saving savings[DP_COST_WAYS];
};
struct cost_pipeline { char *name; struct dp_cost_pipeline p; };

struct cost_sums {
    enum cost_by by;
    const struct dp_prices *prices;
    struct cost_group *v;
    size_t n, cap;
    struct cost_group total;       /* each table once */
    bool overlaps;                 /* some table is in several rows */
    struct cost_pipeline *runs;
    size_t n_runs, cap_runs;
    struct dp_cost_pipeline all_runs;
    bool with_runs;
};

/* Appends all of it. */
void cost_print_table(const struct cost_sums *s, struct dp_buf *out);
void cost_print_csv(const struct cost_sums *s, struct dp_buf *out);
void cost_print_prometheus(const struct cost_sums *s, struct dp_buf *out);
void cost_print_records(const struct cost_sums *s, struct dp_buf *out);

#endif
