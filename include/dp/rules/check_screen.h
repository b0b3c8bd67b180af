/*
 * Checks on columns: which rows of a batch surely break no rule?  The others are looked at as records, which alone count breaches, take samples
 * and find the words.  So a screen may be wrong in one direction only: a row that it lets pass keeps every rule.
 */
#ifndef DP_RULES_CHECK_SCREEN_H
#define DP_RULES_CHECK_SCREEN_H

#include <dp/record/batch.h>
#include <dp/rules/check.h>

struct dp_check_screen; /* one per thread and schema */

/* NULL: there are rules that columns do not answer (keys, expressions, nested values, times, what is rare). Borrows the check and the schema. */
struct dp_check_screen *dp_check_screen_open(const struct dp_check *k, const struct dp_verdict *v, const struct dp_type *schema);
void dp_check_screen_close(struct dp_check_screen *s); /* NULL is legal */
/* look[i] = 1 for rows of the batch, from row `from` on, that must be looked at (look[0] is row `from`; it is zeroed before); returns how many. */
size_t dp_check_screen_rows(struct dp_check_screen *s, const struct dp_batch *b, int64_t from, uint8_t *look);

#endif
