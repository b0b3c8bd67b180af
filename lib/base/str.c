/* Borrowed text: order, prefixes, and the nearest word for "did you mean" (dp/base/str.h). */
#include <dp/base/str.h>

int dp_str_cmp(struct dp_str a, struct dp_str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c) return c < 0 ? -1 : 1;
    return (a.n > b.n) - (a.n < b.n);
}

bool dp_str_starts(struct dp_str s, struct dp_str prefix) {
    return s.n >= prefix.n && (!prefix.n || memcmp(s.p, prefix.p, prefix.n) == 0);
}

int dp_hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool dp_str_ends(struct dp_str s, struct dp_str suffix) {
    return s.n >= suffix.n && (!suffix.n || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

const char *dp_str_find(struct dp_str s, struct dp_str part) {
    if (part.n > s.n) return NULL;
    const char *last = s.p + (s.n - part.n);
    for (const char *at = s.p; at <= last; at++) {
        at = memchr(at, part.p[0], (size_t)(last - at) + 1);
        if (!at || !memcmp(at, part.p, part.n)) return at;
    }
    return NULL;
}

const char *dp_str_last(struct dp_str s, char c) {
    for (size_t i = s.n; i-- > 0;)
        if (s.p[i] == c) return s.p + i;
    return NULL;
}

enum { WORD = 63 }; /* words beyond this length are not option names */

static unsigned least(unsigned a, unsigned b, unsigned c) {
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/*
 * Edits between two words, a swap of neighbours counting as one (optimal string alignment), EDIT each; a letter that is another costs a little more than one
 * that is missing, so that of two words as near "rols" means "roles", not "rows".
 */
enum { EDIT = 2 * WORD };

static unsigned distance(const char *a, size_t an, const char *b, size_t bn) {
    unsigned rows[3][WORD + 1];
    for (size_t j = 0; j <= bn; j++) rows[0][j] = (unsigned)j * EDIT;
    for (size_t i = 1; i <= an; i++) {
        unsigned *cur = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        cur[0] = (unsigned)i * EDIT;
        for (size_t j = 1; j <= bn; j++) {
            cur[j] = least(last[j] + EDIT, cur[j - 1] + EDIT, last[j - 1] + (a[i - 1] != b[j - 1] ? EDIT + 1 : 0));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + EDIT < cur[j])
                cur[j] = before[j - 2] + EDIT;
        }
    }
    return rows[an % 3][bn];
}

const char *dp_str_nearest(const char *s, const char *const *words) {
    const char *best = NULL;
    size_t n = strlen(s);
    if (!n || n > WORD) return NULL;
    unsigned best_d = ((unsigned)(n / 3) + 1) * EDIT + EDIT - 1; /* a third of the letters may be wrong */
    for (; *words; words++) {
        size_t m = strlen(*words);
        if (!m || m > WORD) continue;
        unsigned d = distance(s, n, *words, m);
        bool prefix = n >= 3 && n < m && memcmp(s, *words, n) == 0;
        if (prefix && d > EDIT) d = EDIT;
        if (d < best_d || (d == best_d && !best)) best = *words, best_d = d;
    }
    return best;
}
