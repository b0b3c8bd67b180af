/*
 * How evenly rows spread over partitions, and which values of the columns that keys are made from weigh most: for dp-partition --skew and its report.
 * Rows of partitions are counted exactly, values exactly as long as they are few; then the frequent ones, by a lower bound whose error is told (Misra and Gries).
 */
#ifndef DP_IO_SKEW_H
#define DP_IO_SKEW_H

#include <dp/io/lay.h>

struct dp_skew;

/* Bound layout, borrowed; hides says whether values of a column must not be shown (may be NULL). */
struct dp_skew *dp_skew_open(const struct dp_layout *l, bool (*hides)(void *ctx, const char *column), void *ctx);
void dp_skew_close(struct dp_skew *s); /* NULL is legal */
/* Rows that dp_lay_group has dealt with; in the order of the input. */
void dp_skew_add(struct dp_skew *s, const struct dp_lay_rows *r);
/* One JSON object, and lines of text, behind what is there (each may be NULL). */
void dp_skew_print(struct dp_skew *s, struct dp_buf *json, struct dp_buf *text);

#endif
