/*
 * Memory of a table that is read whole: large pieces, each from the system and in huge pages where there are such, out of which buffers are cut one
 * behind the other.  A megabyte of fresh memory costs 256 faults in pages of 4 KB, which was a quarter of the time that reading a wide table took; in
 * pages of 2 MB it costs half a fault.  The last buffer can grow where it is; nothing is freed alone.
 */
#include "reader_priv.h"

#include <stdlib.h>
#include <sys/mman.h>

#define PIECE ((size_t)64 << 20) /* reserved, not touched: memory is taken page by page as it is written */
#define HUGE_PAGE ((size_t)2 << 20)
#define LINE ((size_t)64)

static size_t to_line(size_t n) { return (n + LINE - 1) & ~(LINE - 1); }

static void in_huge_pages(void *p, size_t n) {
#ifdef MADV_HUGEPAGE
    (void)madvise(p, n, MADV_HUGEPAGE); /* a wish: without it all is as before, and slower */
#else
    (void)p, (void)n;
#endif
}

void *pq_huge_alloc(size_t *n) {
    size_t want = (*n + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    void *p = aligned_alloc(HUGE_PAGE, want);
    if (!p) return dp_alloc(*n);
    in_huge_pages(p, want);
    return *n = want, p;
}

static void add_piece(struct pq_region *r, size_t want) {
    size_t n = want > PIECE ? (want + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1) : PIECE, all = n + HUGE_PAGE;
    void *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct pq_piece piece = {.map = p, .map_n = all};
    if (p == MAP_FAILED) { /* perhaps a limit of address space: what is needed, and no more */
        n = to_line(want);
        piece = (struct pq_piece){.from = dp_alloc(n + LINE)};
        piece.map = piece.from;
    }
    size_t border = piece.map_n ? HUGE_PAGE : LINE;
    piece.from = (uint8_t *)piece.map + (border - (uintptr_t)piece.map % border) % border;
    piece.end = piece.from + n;
    if (piece.map_n) in_huge_pages(piece.from, n);
    r->pieces = dp_grow(r->pieces, &r->cap, r->n + 1, sizeof *r->pieces);
    r->pieces[r->n++] = piece;
    r->at = piece.from;
    r->end = piece.end;
}

bool pq_region_has(const struct pq_region *r, const void *p) {
    for (size_t i = r->n; i-- > 0;)
        if ((uintptr_t)p >= (uintptr_t)r->pieces[i].from && (uintptr_t)p < (uintptr_t)r->pieces[i].end) return true;
    return false;
}

void *pq_region_grow(struct pq_region *r, void *p, size_t used, size_t *cap, size_t want) {
    bool ours = p && *cap && pq_region_has(r, p), last = ours && (uint8_t *)p + to_line(*cap) == r->at;
    size_t n = to_line(want);
    if (last && n <= (size_t)(r->end - (uint8_t *)p)) {
        r->at = (uint8_t *)p + n;
        return *cap = n, p;
    }
    if (ours && !last && n < 2 * *cap) n = 2 * to_line(*cap); /* it would move at each step otherwise */
    if (!r->n || n > (size_t)(r->end - r->at)) add_piece(r, n);
    uint8_t *q = r->at;
    r->at += n;
    if (p && used) memcpy(q, p, used);
    if (p && *cap && !ours) free(p);
    return *cap = n, q;
}

void pq_region_trim(struct pq_region *r, const void *p, size_t *cap, size_t used) {
    if (!p || used > *cap || (const uint8_t *)p + to_line(*cap) != r->at || !pq_region_has(r, p)) return;
    r->at -= to_line(*cap) - to_line(used);
    *cap = to_line(used);
}

void pq_region_release(struct pq_region *r) {
    for (size_t i = 0; i < r->n; i++) {
        if (r->pieces[i].map_n) (void)munmap(r->pieces[i].map, r->pieces[i].map_n);
        else free(r->pieces[i].map);
    }
    free(r->pieces);
    *r = (struct pq_region){0};
}
