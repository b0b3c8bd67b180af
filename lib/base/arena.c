/* Arenas: memory in blocks that is freed at once (dp/base/arena.h).  Large requests get a block of their own. */
#include <dp/base/arena.h>

#include <stdio.h>
#include <stdlib.h>

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_STEP = 1 << 20 };

struct dp_arena_block {
    struct dp_arena_block *next;
    size_t size, used; /* of the bytes behind this head */
    _Alignas(ALIGN) char bytes[];
};

static void add_block(struct dp_arena *a, size_t n) {
    size_t size = a->total < FIRST_BLOCK ? FIRST_BLOCK : a->total > LARGEST_STEP ? LARGEST_STEP : a->total, all;
    if (size < n) size = n;
    if (__builtin_add_overflow(size, sizeof(struct dp_arena_block), &all)) all = SIZE_MAX;
    struct dp_arena_block *b = dp_alloc(all);
    b->size = size;
    b->used = 0;
    b->next = a->head;
    a->head = b;
    a->total += size;
}

void *dp_arena_alloc(struct dp_arena *a, size_t n) {
    size_t up = n > SIZE_MAX - ALIGN ? SIZE_MAX : (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->head || a->head->size - a->head->used < up) add_block(a, up);
    struct dp_arena_block *b = a->head;
    void *p = b->bytes + b->used;
    b->used += up;
    a->used += up;
    return p;
}

void dp_arena_trim(struct dp_arena *a, const void *p, size_t n) {
    struct dp_arena_block *b = a->head;
    size_t used = (size_t)((const char *)p - b->bytes) + ((n + ALIGN - 1) & ~(size_t)(ALIGN - 1));
    a->used -= b->used - used;
    b->used = used;
}

void *dp_arena_calloc(struct dp_arena *a, size_t count, size_t size) {
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) n = SIZE_MAX;
    return memset(dp_arena_alloc(a, n), 0, n);
}

void *dp_arena_grow(struct dp_arena *a, void *p, size_t *cap, size_t want, size_t size) {
    if (want <= *cap) return p;
    size_t n = *cap > SIZE_MAX / 2 ? want : *cap * 2;
    if (n < want) n = want;
    if (n < 8) n = 8;
    void *more = dp_arena_calloc(a, n, size);
    if (*cap) memcpy(more, p, *cap * size);
    *cap = n;
    return more;
}

struct dp_str dp_arena_str(struct dp_arena *a, struct dp_str s) {
    char *p = dp_arena_alloc(a, s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return dp_str(p, s.n);
}

char *dp_arena_strdup(struct dp_arena *a, const char *z) {
    size_t n = strlen(z) + 1;
    return memcpy(dp_arena_alloc(a, n), z, n);
}

char *dp_arena_printf(struct dp_arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    size_t size = n < 0 ? 1 : (size_t)n + 1;
    char *p = dp_arena_alloc(a, size);
    p[0] = '\0';
    va_start(ap, fmt);
    (void)vsnprintf(p, size, fmt, ap);
    va_end(ap);
    return p;
}

static void free_blocks(struct dp_arena_block *b) {
    while (b) {
        struct dp_arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void dp_arena_reset(struct dp_arena *a) {
    a->used = 0;
    if (!a->head) return;
    struct dp_arena_block *keep = a->head; /* the largest one */
    for (struct dp_arena_block *b = keep->next; b; b = b->next)
        if (b->size > keep->size) keep = b;
    for (struct dp_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        if (b != keep) free(b);
    }
    a->head = keep;
    keep->next = NULL;
    keep->used = 0;
    a->total = keep->size;
}

void dp_arena_release(struct dp_arena *a) {
    free_blocks(a->head);
    *a = (struct dp_arena){0};
}
