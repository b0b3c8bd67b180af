/* Inside of patterns: the translator to PCRE2 and the matcher of plain patterns. */
#ifndef DP_RULES_PATTERN_PRIV_H
#define DP_RULES_PATTERN_PRIV_H

#include <dp/base/buf.h>

/* ECMA-262 source to PCRE2 source (options: UTF, DOLLAR_ENDONLY, MATCH_UNSET_BACKREF; no UCP). DP_USAGE with the column. */
enum dp_status dp_pattern_translate(struct dp_str text, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

struct dp_plain;
/* NULL: the pattern is not plain. */
struct dp_plain *dp_plain_compile(struct dp_str text);
void dp_plain_free(struct dp_plain *p);
bool dp_plain_match(const struct dp_plain *p, struct dp_str text);

#endif
