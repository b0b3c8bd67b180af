/* A growable byte buffer.  Zero value is empty and valid; dp_buf_release frees. */
#ifndef DP_BASE_BUF_H
#define DP_BASE_BUF_H

#include <dp/base/mem.h>
#include <dp/base/str.h>

struct dp_buf {
    char *p;
    size_t n;   /* bytes used */
    size_t cap; /* bytes allocated */
};

/* Makes room for `extra` more bytes behind n and returns where they start (n is unchanged). */
char *dp_buf_room(struct dp_buf *b, size_t extra);
void dp_buf_addf(struct dp_buf *b, const char *fmt, ...) DP_PRINTF(2, 3);
void dp_buf_release(struct dp_buf *b);
/* NUL-terminates (NUL not counted in n) and hands the memory to the caller, who frees it; b is empty. */
char *dp_buf_detach(struct dp_buf *b);

static inline void dp_buf_reset(struct dp_buf *b) { b->n = 0; }
static inline char *dp_buf_reserve(struct dp_buf *b, size_t extra) {
    return b->cap - b->n >= extra && b->p ? b->p + b->n : dp_buf_room(b, extra);
}
static inline void dp_buf_add(struct dp_buf *b, const void *p, size_t n) {
    if (n) memcpy(dp_buf_reserve(b, n), p, n), b->n += n;
}
static inline void dp_buf_addc(struct dp_buf *b, char c) { *dp_buf_reserve(b, 1) = c, b->n++; }
static inline void dp_buf_adds(struct dp_buf *b, struct dp_str s) { dp_buf_add(b, s.p, s.n); }
static inline void dp_buf_addz(struct dp_buf *b, const char *z) { dp_buf_add(b, z, strlen(z)); }
static inline struct dp_str dp_buf_str(const struct dp_buf *b) { return dp_str(b->p, b->n); }
/* NUL-terminates in place (NUL not counted) and returns the text, borrowed until the next change. */
const char *dp_buf_z(struct dp_buf *b);

#endif
