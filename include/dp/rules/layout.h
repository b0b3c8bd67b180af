/*
 * Where rows go: the keys of --by, each a column or a function of one, and the values that they give to rows.
 *
 *   country              the column's value
 *   day=day(ts)          also year, month ("2026-01"), hour ("2026-01-02T03"); of a date or timestamp, whose own clock is taken (UTC for an instant)
 *   b=hash(id, 16)       0..15, by XXH64 of the value's bytes; the same for the same value whatever its column is called
 *   p=truncate(code, 2)  the first two code points; of an integer the multiple of two at or below it
 *
 *   r=range(n, 10, 50)   0 below 10, 1 from 10 on, 2 from 50 on: how many of the bounds, which ascend, are at or below the value of an integer, float, double,
 *                        string, date or timestamp; NaN is above all
 *
 * A null gives a null. A derived key makes a column of its name; without one it is called year, month, day, hour, COLUMN_hash, COLUMN_truncate or COLUMN_range.
 * hash and truncate also take their number first, as some engines spell it.
 *
 * dp-table create keeps the keys with the table (DP_LAYOUT_PROPERTY), and dp-partition takes them from there.
 */
#ifndef DP_RULES_LAYOUT_H
#define DP_RULES_LAYOUT_H

#include <dp/record/batch.h>

#define DP_LAYOUT_PROPERTY "dp.layout"

enum dp_layout_fn { DP_LAYOUT_VALUE, DP_LAYOUT_YEAR, DP_LAYOUT_MONTH, DP_LAYOUT_DAY, DP_LAYOUT_HOUR, DP_LAYOUT_HASH, DP_LAYOUT_TRUNCATE, DP_LAYOUT_RANGE };

struct dp_layout_key {
    char *name;      /* of the partition column */
    char *column;    /* that it is made from */
    enum dp_layout_fn fn;
    int64_t n;       /* HASH, TRUNCATE; RANGE: how many bounds */
    char *bounds;    /* RANGE: as spelled, with ',' between */
    struct dp_layout_bound { int64_t i; double d; struct dp_str s; } *parsed; /* once bound; s is in bounds */
    size_t index;    /* of the column in the bound schema */
};

/* Zero value is empty: all rows belong together. */
struct dp_layout {
    struct dp_layout_key *keys;
    size_t n, cap;
    struct dp_type *schema; /* of the keys, once bound: one column each, in order */
};

/* Adds one key. DP_USAGE with the nearest right word; also for a name that was there before. */
enum dp_status dp_layout_add(struct dp_layout *l, struct dp_str spec, struct dp_err *err) DP_MUST_CHECK;
/* Adds a column by its name alone, whatever characters it holds. DP_USAGE: it was there before. */
enum dp_status dp_layout_add_column(struct dp_layout *l, struct dp_str name, struct dp_err *err) DP_MUST_CHECK;
/* One key as --by has it, in its one spelling, behind out's content. */
void dp_layout_key_print(const struct dp_layout_key *k, struct dp_buf *out);
bool dp_layout_key_eq(const struct dp_layout_key *a, const struct dp_layout_key *b);
/* All keys as a JSON array, each as --by has it, a column as {"column":NAME}: what a table keeps as its property dp.layout; and back. DP_FORMAT. */
void dp_layout_print(const struct dp_layout *l, struct dp_buf *out);
enum dp_status dp_layout_parse(struct dp_layout *l, struct dp_str text, struct dp_err *err) DP_MUST_CHECK;
/* Finds the columns. DP_USAGE: a column that is not there; DP_SCHEMA: a type that the function does not take, or a derived name that is taken. */
enum dp_status dp_layout_bind(struct dp_layout *l, const struct dp_type *schema, struct dp_err *err) DP_MUST_CHECK;
/* True when the key is the column itself. */
bool dp_layout_is_value(const struct dp_layout *l, struct dp_str column);
/* The keys of all rows, into `keys` (of l->schema, reset first). DP_SCHEMA: a time out of the calendar's range. */
enum dp_status dp_layout_keys(const struct dp_layout *l, const struct dp_batch *rows, struct dp_batch *keys, struct dp_err *err) DP_MUST_CHECK;
void dp_layout_release(struct dp_layout *l);

#endif
