/*
 * Memory.  A small allocation that fails ends the program through one hook, which cli installs and
 * which removes unfinished files; so these never return NULL for n > 0.  Sizes that come from input
 * must pass a named limit (dp/base/limits.h) and checked arithmetic before they get here.
 */
#ifndef DP_BASE_MEM_H
#define DP_BASE_MEM_H

#include <dp/base/status.h>

/* Called when memory runs out; must not return.  Without one the process aborts. */
void dp_mem_set_oom_hook(void (*hook)(size_t wanted));

void *dp_alloc(size_t n) __attribute__((malloc, returns_nonnull));            /* not cleared; free() */
void *dp_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *dp_realloc(void *p, size_t n) __attribute__((returns_nonnull));
void *dp_realloc_array(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
char *dp_strndup(const char *s, size_t n) __attribute__((returns_nonnull));   /* adds a NUL */
char *dp_strdup(const char *s) __attribute__((returns_nonnull));

/* Grows *p (elements of `size` bytes, capacity *cap) so that at least `want` elements fit; doubles. */
void *dp_grow(void *p, size_t *cap, size_t want, size_t size) __attribute__((returns_nonnull));

#endif
