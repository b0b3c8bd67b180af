/*
 * Patterns of contracts: ECMA-262 regular expressions (the `u` reading), run by PCRE2 with JIT and a match limit.
 *
 * What differs in PCRE2 is rewritten before it is compiled: \d \w \s and \b mean ECMA's sets, $ is the end and nothing before it,
 * \uXXXX and \u{X} are code points, \cX, [^] and [] have ECMA's sense; lookaround, named groups (?<n>) and \p{..} are taken as they are.
 * PCRE's own extensions (recursion, verbs, \K, conditionals, inline flags, possessive quantifiers, atomic groups) are refused by name.
 * A pattern is not anchored.
 */
#ifndef DP_RULES_PATTERN_H
#define DP_RULES_PATTERN_H

#include <dp/base/str.h>
#include <dp/base/status.h>

struct dp_pattern;      /* immutable, shared by threads */
struct dp_pattern_run;  /* one per thread, for any number of patterns */

/* DP_USAGE: not a pattern, with the column and the reason. */
enum dp_status dp_pattern_compile(struct dp_str text, struct dp_pattern **out, struct dp_err *err) DP_MUST_CHECK;
void dp_pattern_free(struct dp_pattern *p); /* NULL is legal */
struct dp_pattern_run *dp_pattern_run_open(void);
void dp_pattern_run_close(struct dp_pattern_run *r);
/*
 * Does it match somewhere in `text` (valid UTF-8)?  DP_LIMIT: the match limit (DP_LIMIT_PCRE_MATCH) was passed, it is not known.
 * Plain patterns (a literal, a class repeated between anchors) are answered without PCRE2.
 */
enum dp_status dp_pattern_match(const struct dp_pattern *p, struct dp_pattern_run *r, struct dp_str text, bool *matches, struct dp_err *err) DP_MUST_CHECK;

#endif
