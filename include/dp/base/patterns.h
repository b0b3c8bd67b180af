/*
 * Many byte strings searched for in one pass over a text (Aho and Corasick, 1975): the time does not depend on how many there are.
 */
#ifndef DP_BASE_PATTERNS_H
#define DP_BASE_PATTERNS_H

#include <dp/base/str.h>

struct dp_patterns; /* read-only once made; any thread */

/* Copies what it needs of v.  An empty string is nowhere.  The sum of their bytes is below 2^31. */
struct dp_patterns *dp_patterns_make(const struct dp_str *v, size_t n);
void dp_patterns_free(struct dp_patterns *p); /* NULL is legal */
/* Calls hit for each place where one ends: which one, and how many bytes of the text lie before its end.  In the order of these ends, longer ones first; one that stands in v twice is met twice. */
void dp_patterns_find(const struct dp_patterns *p, struct dp_str text, void (*hit)(void *ctx, size_t which, size_t end), void *ctx);

#endif
