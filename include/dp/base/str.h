/* A borrowed piece of text: pointer and length, not NUL-terminated. */
#ifndef DP_BASE_STR_H
#define DP_BASE_STR_H

#include <dp/base/status.h>
#include <string.h>

struct dp_str {
    const char *p;
    size_t n;
};

#define DP_STR(lit) ((struct dp_str){(lit), sizeof(lit) - 1})
#define DP_STR_FMT(s) (int)((s).n > 200 ? 200 : (s).n), (s).p /* for "%.*s" in messages */

static inline struct dp_str dp_str(const char *p, size_t n) { return (struct dp_str){p, n}; }
static inline struct dp_str dp_str_z(const char *z) { return (struct dp_str){z, strlen(z)}; }
static inline bool dp_str_eq(struct dp_str a, struct dp_str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool dp_str_eqz(struct dp_str a, const char *z) { return dp_str_eq(a, dp_str_z(z)); }
/* Bytewise order, shorter prefix first: -1, 0, 1. */
int dp_str_cmp(struct dp_str a, struct dp_str b);
bool dp_str_starts(struct dp_str s, struct dp_str prefix);
bool dp_str_ends(struct dp_str s, struct dp_str suffix);
/* The nearest of `words` (NULL-terminated) to `s` for "did you mean"; NULL when none is near. */
const char *dp_str_nearest(const char *s, const char *const *words);

#endif
