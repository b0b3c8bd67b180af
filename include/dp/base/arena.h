/* Memory that is freed at once: per batch or per document.  Zero value is empty and valid. */
#ifndef DP_BASE_ARENA_H
#define DP_BASE_ARENA_H

#include <dp/base/mem.h>
#include <dp/base/str.h>

struct dp_arena {
    struct dp_arena_block *head;
    size_t used;  /* bytes handed out since the last reset */
    size_t total; /* bytes held from the system */
};

/* Aligned to 16, not cleared, freed by reset or release.  Never NULL. */
void *dp_arena_alloc(struct dp_arena *a, size_t n);
/* p is what was handed out last: all but its first n bytes is given back. */
void dp_arena_trim(struct dp_arena *a, const void *p, size_t n);
void *dp_arena_calloc(struct dp_arena *a, size_t count, size_t size);
/* An array that has room for `want`: p, or a copy of its *cap elements with twice the room; p is left to the arena. */
void *dp_arena_grow(struct dp_arena *a, void *p, size_t *cap, size_t want, size_t size);
struct dp_str dp_arena_str(struct dp_arena *a, struct dp_str s);     /* copied, NUL behind it */
char *dp_arena_strdup(struct dp_arena *a, const char *z);
char *dp_arena_printf(struct dp_arena *a, const char *fmt, ...) DP_PRINTF(2, 3);
void dp_arena_reset(struct dp_arena *a);   /* keeps one block */
void dp_arena_release(struct dp_arena *a);

#endif
