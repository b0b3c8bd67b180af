/*
 * Records and cells of CSV, byte by byte (dp/format/csv.h): the reader for every dialect, and the reference of the fast one in
 * csv_marks.c.  RFC 4180 section 2, with these liberties: any newline, escapes, quotes inside unquoted cells.
 */
#include "csv_priv.h"

static bool is_newline(const struct dp_csv_dialect *d, char c) {
    return (c == '\n' && d->newline != DP_CSV_NEWLINE_CR) || (c == '\r' && d->newline >= DP_CSV_NEWLINE_CR);
}

/* Length of the newline at p[i]: CRLF is one in every mode but CR. */
static size_t newline_length(const struct dp_csv_dialect *d, const char *p, size_t i, size_t n) {
    if (p[i] == '\r' && d->newline == DP_CSV_NEWLINE_ANY && i + 1 < n && p[i + 1] == '\n') return 2;
    return 1;
}

/* Walks a quoted cell from behind its opening quote; returns the offset of the closing quote, n when there is none. */
static size_t find_close(const struct dp_csv_dialect *d, const char *p, size_t i, size_t n, bool *doubled) {
    for (; i < n; i++) {
        if (d->escape > 0 && p[i] == (char)d->escape && d->escape != d->quote && i + 1 < n) {
            *doubled = true;
            i++;
        } else if (p[i] == (char)d->quote) {
            if (i + 1 >= n || p[i + 1] != (char)d->quote) return i;
            *doubled = true;
            i++;
        }
    }
    return n;
}

size_t dp_csv_split(const struct dp_csv_dialect *d, const char *p, size_t n, struct dp_csv_cell **cells, size_t *cap, size_t *n_cells,
                    bool *closed) {
    size_t i = 0, k = 0;
    *closed = true;
    while (d->comment && n && p[0] == (char)d->comment) { /* a comment is a record without cells */
        while (i < n && !is_newline(d, p[i])) i++;
        *n_cells = 0;
        return i < n ? i + newline_length(d, p, i, n) : n;
    }
    while (n) {
        *cells = dp_grow(*cells, cap, k + 1, sizeof **cells);
        struct dp_csv_cell *c = &(*cells)[k++];
        *c = (struct dp_csv_cell){0};
        size_t start = i;
        if (d->quote > 0 && i < n && p[i] == (char)d->quote) {
            size_t close = find_close(d, p, i + 1, n, &c->doubled);
            c->quoted = true;
            c->text = dp_str(p + i + 1, close - i - 1);
            if (close == n) *closed = false;
            i = close < n ? close + 1 : n;
            start = i;
        }
        while (i < n && p[i] != (char)d->delimiter && !is_newline(d, p[i])) i++;
        size_t end = i;
        bool at_newline = i < n && p[i] != (char)d->delimiter;
        if ((at_newline || i == n) && end > start && p[end - 1] == '\r' && d->newline == DP_CSV_NEWLINE_LF) end--;
        if (c->quoted) c->stray = end > start;
        else c->text = dp_str(p + start, end - start);
        if (i == n) break;
        if (at_newline) {
            i += newline_length(d, p, i, n);
            break;
        }
        i++;
    }
    *n_cells = k;
    return i;
}

void dp_csv_unquote(const struct dp_csv_dialect *d, struct dp_str text, struct dp_buf *b) {
    char *out = dp_buf_reserve(b, text.n);
    size_t w = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool escape = (d->escape > 0 && text.p[i] == (char)d->escape) || text.p[i] == (char)d->quote;
        if (escape && i + 1 < text.n) i++;
        out[w++] = text.p[i];
    }
    b->n += w;
}

/* ---- cutting ---- */

/* For dialects with escapes, comments or mixed newlines. */
static size_t cut_slowly(const struct dp_csv_dialect *d, struct dp_csv_cut *c, const char *p, size_t n) {
    size_t end = 0;
    for (size_t i = 0; i < n; i++) {
        int last = c->last;
        c->last = (unsigned char)p[i];
        bool at_start = !last || is_newline(d, (char)last);
        if (c->in_quotes) {
            if (c->escaped) c->escaped = false;
            else if (d->escape > 0 && p[i] == (char)d->escape && d->escape != d->quote) c->escaped = true;
            else if (p[i] == (char)d->quote) c->in_quotes = false, c->last = -1;
        } else if (last == -1 && p[i] == (char)d->quote) {
            c->in_quotes = true; /* the second of a doubled quote */
        } else if (is_newline(d, p[i])) {
            c->comment = false;
            end = i + 1;
            if (p[i] == '\r' && d->newline == DP_CSV_NEWLINE_ANY && (i + 1 == n || p[i + 1] == '\n')) end = i + 1 == n ? end : 0;
        } else if (d->comment && at_start && p[i] == (char)d->comment) {
            c->comment = true;
        } else if (!c->comment && d->quote > 0 && p[i] == (char)d->quote && (at_start || last == d->delimiter)) {
            c->in_quotes = true;
            c->open_at = c->seen + i;
        }
    }
    c->seen += n;
    return end;
}

size_t dp_csv_cut(const struct dp_csv_dialect *d, struct dp_csv_cut *c, const char *p, size_t n) {
    return dp_csv_by_marks(d) ? dp_csv_cut_by_masks(d, c, p, n) : cut_slowly(d, c, p, n);
}
