/* The growable byte buffer (dp/base/buf.h). */
#include <dp/base/buf.h>

#include <stdio.h>
#include <stdlib.h>

char *dp_buf_room(struct dp_buf *b, size_t extra) {
    size_t want;
    if (__builtin_add_overflow(b->n, extra, &want)) want = SIZE_MAX; /* which dp_realloc can't give */
    if (!b->p || want > b->cap) {
        size_t cap = b->cap < 64 ? 64 : b->cap;
        while (cap < want) cap = cap > SIZE_MAX / 2 ? want : cap * 2;
        b->p = dp_realloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void dp_buf_addf(struct dp_buf *b, const char *fmt, ...) {
    va_list ap;
    dp_buf_reserve(b, 128);
    va_start(ap, fmt);
    int n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
    va_end(ap);
    if (n < 0) return;
    if ((size_t)n >= b->cap - b->n) {
        dp_buf_reserve(b, (size_t)n + 1);
        va_start(ap, fmt);
        (void)vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
        va_end(ap);
    }
    b->n += (size_t)n;
}

void dp_buf_release(struct dp_buf *b) {
    free(b->p);
    *b = (struct dp_buf){0};
}

const char *dp_buf_z(struct dp_buf *b) {
    *dp_buf_reserve(b, 1) = '\0';
    return b->p;
}

char *dp_buf_detach(struct dp_buf *b) {
    (void)dp_buf_z(b);
    char *p = b->p;
    *b = (struct dp_buf){0};
    return p;
}
