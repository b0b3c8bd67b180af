/*
 * Records of CSV by marks (dp/format/csv.h): masks of delimiters, quotes and newlines, 64 bytes at a time, and what is made of them.
 *
 *   separators  delimiters and newlines outside of quotes, for texts in which quotes only stand where RFC 4180 has them (the fast way)
 *   the cut     the last newline outside of quotes, whatever the quotes do
 *   the splitter  cell by cell from mark to mark, window by window so that the list stays in cache; for odd quotes and learning
 *
 * Inside of quotes is where the number of quotes so far is odd.  That is right as long as each quote that opens stands behind a separator
 * or a closing quote; a block where one does not is odd, and goes byte by byte.
 */
#include "csv_priv.h"

#include <stdlib.h>

enum { WINDOW = 32 << 10, BLOCKS = 64 };

/* Each bit the exclusive or of all bits up to it. */
static inline uint64_t parity(uint64_t m) {
    m ^= m << 1, m ^= m << 2, m ^= m << 4, m ^= m << 8, m ^= m << 16;
    return m ^ m << 32;
}

/* ---- separators ---- */

/* Ends the scan at a quote that RFC 4180 does not have there. */
static void scan_blocks(struct dp_csv_seps *s, const struct dp_csv_masks *masks, size_t from, size_t n) {
    uint32_t *out = s->at;
    size_t k = s->n;
    for (size_t b = 0, at = from; at < from + n; b++, at += 64) {
        size_t left = from + n - at;
        uint64_t valid = left < 64 ? (UINT64_C(1) << left) - 1 : ~UINT64_C(0);
        uint64_t separators = (masks[b].delimiter | masks[b].newline) & valid, quotes = masks[b].quote & valid, inside = s->inside;
        if (quotes) {
            inside ^= parity(quotes);
            uint64_t before = (separators | quotes) << 1 | s->opens;
            if (quotes & inside & ~before) {
                s->odd = true;
                break;
            }
            s->inside = (uint64_t)((int64_t)inside >> 63);
        }
        s->opens = (separators | quotes) >> 63;
        if (masks[b].newline & valid & inside) s->embedded = true;
        for (uint64_t m = separators & ~inside; m; m &= m - 1) out[k++] = (uint32_t)(at + (size_t)__builtin_ctzll(m));
        s->scanned = at + (left < 64 ? left : 64);
    }
    s->n = k;
}

void dp_csv_seps_start(struct dp_csv_seps *s, const struct dp_csv_dialect *d, const char *p, size_t n) {
    s->d = d, s->p = p, s->n_bytes = n;
    s->n = s->next = s->scanned = 0;
    s->inside = 0, s->opens = 1;
    s->odd = s->embedded = false;
}

bool dp_csv_seps_more(struct dp_csv_seps *s) {
    if (s->odd || s->scanned == s->n_bytes) return false;
    struct dp_csv_masks masks[BLOCKS];
    size_t keep = s->n - s->next, most = s->n_bytes - s->scanned < WINDOW ? s->n_bytes - s->scanned : WINDOW;
    if (keep) memmove(s->at, s->at + s->next, keep * sizeof *s->at);
    s->at = dp_grow(s->at, &s->cap, keep + most, sizeof *s->at);
    s->n = keep, s->next = 0;
    for (size_t to = s->scanned + most; s->scanned < to && !s->odd;) {
        size_t n = to - s->scanned < 64 * BLOCKS ? to - s->scanned : 64 * BLOCKS;
        dp_csv_mask(s->p + s->scanned, n, (char)s->d->delimiter, s->d->quote > 0 ? s->d->quote : -1, dp_csv_newline_of(s->d), masks);
        scan_blocks(s, masks, s->scanned, n);
    }
    return s->n > keep || !s->odd;
}

/* ---- the cut ---- */

/* Byte by byte; p[-1] need not be readable. Returns the offset behind the last newline outside of quotes, 0: none. */
static size_t cut_bytes(const struct dp_csv_dialect *d, struct dp_csv_cut *c, const char *p, size_t n, uint64_t at) {
    size_t end = 0;
    char nl = dp_csv_newline_of(d);
    for (size_t i = 0; i < n; i++) {
        bool quote = d->quote > 0 && p[i] == (char)d->quote;
        if (c->in_quotes) {
            if (quote) c->in_quotes = false, c->last = -1; /* the closing one, or the first of two */
            continue;
        }
        if (quote && c->last == -1) {
            c->in_quotes = true; /* doubled: the same cell goes on */
        } else if (quote && (!c->last || c->last == d->delimiter || c->last == (unsigned char)nl)) {
            c->in_quotes = true;
            c->open_at = at + i;
        } else {
            c->last = (unsigned char)p[i];
            if (p[i] == nl) end = i + 1;
        }
    }
    return end;
}

/* One block by its masks; false: a quote is where only text should be. */
static bool cut_block(const struct dp_csv_dialect *d, struct dp_csv_cut *c, const struct dp_csv_masks *m, const char *p, uint64_t at, size_t *end) {
    char nl = dp_csv_newline_of(d);
    uint64_t inside = c->in_quotes ? ~UINT64_C(0) : 0;
    if (m->quote) {
        bool closed = c->last == -1;
        bool opens = closed || !c->last || c->last == d->delimiter || c->last == (unsigned char)nl;
        inside ^= parity(m->quote);
        uint64_t opening = m->quote & inside, before = (m->delimiter | m->newline | m->quote) << 1 | (opens && !c->in_quotes);
        if (opening & ~before) return false;
        uint64_t first = opening & ~(m->quote << 1 | (closed && !c->in_quotes)); /* not the second of a doubled one */
        if (first) c->open_at = at + 63 - (uint64_t)__builtin_clzll(first);
    }
    uint64_t newlines = m->newline & ~inside;
    if (newlines) *end = 64 - (size_t)__builtin_clzll(newlines);
    c->in_quotes = inside >> 63;
    if (!c->in_quotes) c->last = m->quote >> 63 ? -1 : (unsigned char)p[63];
    return true;
}

size_t dp_csv_cut_by_masks(const struct dp_csv_dialect *d, struct dp_csv_cut *c, const char *p, size_t n) {
    struct dp_csv_masks masks[BLOCKS];
    size_t end = 0, i = 0;
    while (n - i >= 64) {
        size_t blocks = (n - i) / 64 < BLOCKS ? (n - i) / 64 : BLOCKS;
        dp_csv_mask(p + i, 64 * blocks, (char)d->delimiter, d->quote > 0 ? d->quote : -1, dp_csv_newline_of(d), masks);
        for (size_t b = 0; b < blocks; b++, i += 64) {
            size_t e = 0;
            if (!cut_block(d, c, &masks[b], p + i, c->seen + i, &e)) e = cut_bytes(d, c, p + i, 64, c->seen + i);
            if (e) end = i + e;
        }
    }
    size_t e = cut_bytes(d, c, p + i, n - i, c->seen + i);
    if (e) end = i + e;
    c->seen += n;
    return end;
}

/* ---- the splitter ---- */

void dp_csv_splitter_start(struct dp_csv_splitter *s, const struct dp_csv_dialect *d, const char *p, size_t n) {
    bool by_marks = dp_csv_by_marks(d) && n < UINT32_MAX;
    s->d = d, s->p = p, s->n = n, s->at = 0;
    s->marks_from = s->marks_to = s->n_marks = s->next_mark = 0;
    if (by_marks && !s->marks) s->marks = dp_grow(NULL, &s->marks_cap, WINDOW + 64, sizeof *s->marks);
    if (!by_marks) free(s->marks), s->marks = NULL, s->marks_cap = 0;
}

void dp_csv_splitter_release(struct dp_csv_splitter *s) {
    free(s->marks);
    free(s->cells);
    *s = (struct dp_csv_splitter){0};
}

static void window(struct dp_csv_splitter *s, size_t bytes) {
    const struct dp_csv_dialect *d = s->d;
    size_t n = s->n - s->at < bytes ? s->n - s->at : bytes;
    s->marks = dp_grow(s->marks, &s->marks_cap, n + 64, sizeof *s->marks);
    s->marks_from = s->at, s->marks_to = s->at + n;
    s->n_marks = dp_csv_marks(s->p + s->at, n, (char)d->delimiter, (char)(d->quote > 0 ? d->quote : d->delimiter),
                              dp_csv_newline_of(d), s->marks);
    s->next_mark = 0;
}

/* One cell from `start`; *m is the first mark at or behind it. Returns false when the window ends first. end_mark: the mark that ends the cell. */
static inline bool one_cell(const struct dp_csv_splitter *s, size_t start, size_t *mark, struct dp_csv_cell *c, size_t *end, bool *closed) {
    const char *p = s->p;
    size_t m = *mark, from = start;
    char quote = (char)s->d->quote;
    bool has_quotes = s->d->quote > 0;
    *c = (struct dp_csv_cell){0};
    if (has_quotes && start < s->marks_to && p[start] == quote) {
        c->quoted = true;
        for (m++;;) {
            while (m < s->n_marks && p[s->marks_from + s->marks[m]] != quote) m++;
            if (m == s->n_marks) {
                if (s->marks_to < s->n) return false;
                *closed = false;
                c->text = dp_str(p + start + 1, s->n - start - 1);
                *mark = m, *end = s->n;
                return true;
            }
            if (m + 1 == s->n_marks && s->marks_to < s->n) return false; /* perhaps doubled behind the window */
            if (m + 1 == s->n_marks || s->marks[m + 1] != s->marks[m] + 1 || p[s->marks_from + s->marks[m + 1]] != quote) break;
            c->doubled = true;
            m += 2;
        }
        from = s->marks_from + s->marks[m] + 1;
        c->text = dp_str(p + start + 1, from - start - 2);
        m++;
    }
    while (has_quotes && m < s->n_marks && p[s->marks_from + s->marks[m]] == quote) m++;
    if (m == s->n_marks && s->marks_to < s->n) return false;
    size_t stop = m < s->n_marks ? s->marks_from + s->marks[m] : s->n, text_end = stop;
    if (stop > from && p[stop - 1] == '\r' && s->d->newline == DP_CSV_NEWLINE_LF && (stop == s->n || p[stop] == '\n')) text_end--;
    if (c->quoted) c->stray = text_end > from;
    else c->text = dp_str(p + start, text_end - start);
    *mark = m, *end = stop;
    return true;
}

static bool split_by_marks(struct dp_csv_splitter *s) {
    size_t k = 0, m = s->next_mark, at = s->at;
    bool closed = true;
    for (;;) {
        if (k == s->cap) s->cells = dp_grow(s->cells, &s->cap, k + 1, sizeof *s->cells);
        size_t end;
        if (!one_cell(s, at, &m, &s->cells[k], &end, &closed)) return false;
        k++;
        at = end + 1;
        if (end >= s->n || s->p[end] != (char)s->d->delimiter) break;
        m++;
    }
    s->closed = closed;
    s->n_cells = k;
    s->start = s->at;
    s->end = s->at = at < s->n ? at : s->n;
    s->next_mark = m + 1;
    return true;
}

bool dp_csv_splitter_next(struct dp_csv_splitter *s) {
    if (s->at >= s->n) return false;
    if (s->marks) {
        if (s->at >= s->marks_to) window(s, WINDOW);
        while (!split_by_marks(s)) window(s, s->at == s->marks_from ? (s->marks_to - s->marks_from) * 2 : WINDOW);
        return true;
    }
    do {
        s->start = s->at;
        s->at += dp_csv_split(s->d, s->p + s->at, s->n - s->at, &s->cells, &s->cap, &s->n_cells, &s->closed);
        s->end = s->at;
    } while (!s->n_cells && s->at < s->n);
    return s->n_cells > 0;
}

void dp_csv_each(const struct dp_csv_dialect *d, const char *p, size_t n,
                 void (*record)(void *ctx, const struct dp_csv_cell *cells, size_t n_cells, bool closed), void *ctx) {
    struct dp_csv_splitter s = {0};
    dp_csv_splitter_start(&s, d, p, n);
    while (dp_csv_splitter_next(&s)) record(ctx, s.cells, s.n_cells, s.closed);
    dp_csv_splitter_release(&s);
}
