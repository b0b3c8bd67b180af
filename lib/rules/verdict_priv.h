/* What the verdict's printers share. */
#ifndef DP_RULES_VERDICT_PRIV_H
#define DP_RULES_VERDICT_PRIV_H

#include <dp/rules/verdict.h>

/* A number of YAML 1.2 (+5, .5, 5., 05) as JSON spells it, behind out's content; false, and nothing added: it is none. */
bool dp_verdict_number(struct dp_str s, struct dp_buf *out);
bool dp_verdict_two_operands(enum dp_operator op);
/* 100 * count / rows for people and reports: six digits behind the point or what it takes to show that it is not 0, cut. */
void dp_verdict_percent(uint64_t count, uint64_t rows, struct dp_buf *out);
/* "2 of 5 rows (40 %)", "1 key more than once, 3 rows too many of 9", the reason of what was not decided. */
void dp_verdict_found(const struct dp_verdict_rule *r, struct dp_buf *out);
/* pass, fail, warning, info, error, unsupported: a failed rule's severity is in the word. */
const char *dp_verdict_word(const struct dp_verdict_rule *r);
const char *dp_verdict_overall(const struct dp_verdict *v); /* fail, error, pass */
/* Indexes of the rules, those that failed first; caller frees. */
size_t *dp_verdict_order(const struct dp_verdict *v);
/* "orders.items[].qty" */
void dp_verdict_field(const struct dp_verdict *v, const struct dp_verdict_rule *r, struct dp_buf *out);

void dp_verdict_print_text(const struct dp_verdict *v, struct dp_buf *out);
void dp_verdict_print_markdown(const struct dp_verdict *v, struct dp_buf *out);
void dp_verdict_print_ndjson(const struct dp_verdict *v, struct dp_buf *out);
void dp_verdict_print_json(const struct dp_verdict *v, struct dp_buf *out);
void dp_verdict_print_junit(const struct dp_verdict *v, struct dp_buf *out);
void dp_verdict_print_prometheus(const struct dp_verdict *v, struct dp_buf *out);

#endif
