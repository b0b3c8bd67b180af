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
/* Are n bytes the same?  Names and codes are short: a call of memcmp costs more than comparing them does. */
static inline bool dp_bytes_eq(const char *a, const char *b, size_t n) {
    uint64_t x, y, v, w;
    uint32_t s, t, p, q;
    if (n > 16) return memcmp(a, b, n) == 0;
    if (n >= 8) {
        memcpy(&x, a, 8), memcpy(&y, b, 8), memcpy(&v, a + n - 8, 8), memcpy(&w, b + n - 8, 8);
        return ((x ^ y) | (v ^ w)) == 0;
    }
    if (n >= 4) {
        memcpy(&s, a, 4), memcpy(&t, b, 4), memcpy(&p, a + n - 4, 4), memcpy(&q, b + n - 4, 4);
        return ((s ^ t) | (p ^ q)) == 0;
    }
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}
static inline bool dp_str_eq(struct dp_str a, struct dp_str b) { return a.n == b.n && dp_bytes_eq(a.p, b.p, a.n); }
static inline bool dp_str_eqz(struct dp_str a, const char *z) { return dp_str_eq(a, dp_str_z(z)); }
/* Bytewise order, shorter prefix first: -1, 0, 1. */
int dp_str_cmp(struct dp_str a, struct dp_str b);
bool dp_str_starts(struct dp_str s, struct dp_str prefix);
bool dp_str_ends(struct dp_str s, struct dp_str suffix);
/* Where `part` (not empty) first stands in s, NULL: nowhere; the last byte c of s, NULL: there is none. */
const char *dp_str_find(struct dp_str s, struct dp_str part);
const char *dp_str_last(struct dp_str s, char c);
int dp_hex_digit(char c); /* its value, of either case; -1: it is none */
/* The nearest of `words` (NULL-terminated) to `s` for "did you mean"; NULL when none is near. */
const char *dp_str_nearest(const char *s, const char *const *words);

#endif
