/*
 * Memory that never comes back NULL (dp/base/mem.h).  The hook is one of the three pieces of
 * mutable file-scope data that the library has; cli sets it once at start.
 */
#include <dp/base/mem.h>

#include <stdlib.h>
#include <string.h>

static void (*oom_hook)(size_t wanted);

void dp_mem_set_oom_hook(void (*hook)(size_t wanted)) { oom_hook = hook; }

__attribute__((noreturn, cold)) static void out_of_memory(size_t n) {
    if (oom_hook) oom_hook(n);
    abort();
}

void *dp_alloc(size_t n) {
    void *p = malloc(n ? n : 1);
    if (!p) out_of_memory(n);
    return p;
}

void *dp_calloc(size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p) out_of_memory(size && count > SIZE_MAX / size ? SIZE_MAX : count * size);
    return p;
}

void *dp_realloc(void *p, size_t n) {
    void *q = realloc(p, n ? n : 1);
    if (!q) out_of_memory(n);
    return q;
}

void *dp_realloc_array(void *p, size_t count, size_t size) {
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) out_of_memory(SIZE_MAX);
    return dp_realloc(p, n);
}

char *dp_strndup(const char *s, size_t n) {
    if (n == SIZE_MAX) out_of_memory(n);
    char *p = dp_alloc(n + 1);
    if (n) memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *dp_strdup(const char *s) { return dp_strndup(s, strlen(s)); }

void *dp_grow(void *p, size_t *cap, size_t want, size_t size) {
    if (p && want <= *cap) return p;
    size_t n = *cap > SIZE_MAX / 2 ? want : *cap * 2;
    if (n < want) n = want;
    if (n < 8) n = 8;
    p = dp_realloc_array(p, n, size);
    *cap = n;
    return p;
}
