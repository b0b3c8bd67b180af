/*
 * CSV records to NDJSON (dp/format/csv.h).  The splitter hops from mark to mark (delimiters, quotes, newlines found 64 bytes at a time, window by
 * window so that the list stays in cache); for dialects with escapes, comments or mixed newlines it goes cell by cell.
 * Each cell is written as its column's kind asks, or the record is a reject that says which option would let it pass.
 */
#include "csv_priv.h"

#include <dp/base/time.h>
#include <dp/record/json.h>

#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 32 << 10 };

/* ---- the splitter ---- */

void dp_csv_splitter_start(struct dp_csv_splitter *s, const struct dp_csv_dialect *d, const char *p, size_t n) {
    bool by_marks = d->escape <= 0 && !d->comment && d->newline != DP_CSV_NEWLINE_ANY && n < UINT32_MAX;
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
                              d->newline == DP_CSV_NEWLINE_CR ? '\r' : '\n', s->marks);
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

/* ---- the converter ---- */

struct dp_csv_converter {
    const struct dp_csv_table *t;
    struct dp_csv_splitter split;
    struct dp_buf text;             /* a cell with its quotes undone */
    struct dp_csv_reject why;       /* of the record at hand */
    uint64_t coerced;
};

struct dp_csv_converter *dp_csv_converter_open(const struct dp_csv_table *t) {
    struct dp_csv_converter *c = dp_calloc(1, sizeof *c);
    c->t = t;
    return c;
}

void dp_csv_converter_close(struct dp_csv_converter *c) {
    if (!c) return;
    dp_csv_splitter_release(&c->split);
    dp_buf_release(&c->text);
    free(c);
}

/* True when any of eight bytes is a control byte, a quote or a backslash (which a JSON string can't hold as they are). */
static inline bool needs_escape(uint64_t v) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t q = v ^ ones * '"', b = v ^ ones * '\\';
    return (((v - ones * 0x20) & ~v) | ((q - ones) & ~q) | ((b - ones) & ~b)) & high;
}

static char *put_escaped(char *w, const char *p, size_t n) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)p[i];
        if (ch == '"' || ch == '\\') {
            *w++ = '\\', *w++ = (char)ch;
        } else if (ch >= 0x20) {
            *w++ = (char)ch;
        } else if (ch == '\n' || ch == '\t' || ch == '\r') {
            *w++ = '\\', *w++ = ch == '\n' ? 'n' : ch == '\t' ? 't' : 'r';
        } else {
            memcpy(w, "\\u00", 4);
            w[4] = hex[ch >> 4], w[5] = hex[ch & 15];
            w += 6;
        }
    }
    return w;
}

/* A JSON string; p[n..n+8) must be readable and w have room for 6 n + 16. */
static inline char *put_string(char *w, const char *p, size_t n) {
    *w++ = '"';
    size_t i = 0;
    for (; i < n; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        memcpy(w + i, &v, 8);
        if (n - i < 8) v = (v & ((UINT64_C(1) << 8 * (n - i)) - 1)) | UINT64_C(0x2020202020202020) << 8 * (n - i);
        if (__builtin_expect(needs_escape(v), 0)) {
            w = put_escaped(w + i, p + i, n - i);
            *w++ = '"';
            return w;
        }
    }
    w += n;
    *w++ = '"';
    return w;
}

static bool refuse(struct dp_csv_converter *c, const struct dp_csv_column *col, struct dp_str got) {
    c->why.rule = "type";
    c->why.path = col->name.p;
    c->why.expected = col->expected;
    if (col->hidden) {
        (void)snprintf(c->why.reason, sizeof c->why.reason, "expected %s, got text of %zu bytes (--types '%.80s=string' would let it pass)", col->expected,
                       got.n, col->name.p);
        return false;
    }
    (void)snprintf(c->why.reason, sizeof c->why.reason, "expected %s, got \"%.*s\" (--types '%.80s=string' would let it pass)", col->expected,
                   (int)(got.n > 40 ? 40 : got.n), got.p, col->name.p);
    return false;
}

/* Other spellings of a number, where the type was asked for: blanks around, +, leading zeros, no digit before or behind the point. */
static bool coerce_number(struct dp_str s, char **w) {
    while (s.n && s.p[0] == ' ') s.p++, s.n--;
    while (s.n && s.p[s.n - 1] == ' ') s.n--;
    char b[128];
    size_t k = 0;
    bool digits = false, point = false;
    if (s.n > sizeof b - 4) return false;
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
        if (s.p[0] == '-') b[k++] = '-';
        s.p++, s.n--;
    }
    while (s.n > 1 && s.p[0] == '0' && s.p[1] >= '0' && s.p[1] <= '9') s.p++, s.n--;
    if (s.n && s.p[0] == '.') b[k++] = '0';
    for (size_t i = 0; i < s.n; i++) {
        digits |= s.p[i] >= '0' && s.p[i] <= '9';
        if (s.p[i] == '.') {
            point = true;
            if (i + 1 == s.n || (s.p[i + 1] | 32) == 'e') continue; /* a point with nothing behind it */
        }
        b[k++] = s.p[i];
    }
    struct dp_csv_number n;
    (void)point;
    if (!digits || !dp_csv_number(dp_str(b, k), &n)) return false;
    memcpy(*w, b, k);
    *w += k;
    return true;
}

static bool put_number(struct dp_csv_converter *c, const struct dp_csv_column *col, struct dp_str s, char **w) {
    struct dp_csv_number n;
    if (dp_csv_number(s, &n)) {
        memcpy(*w, s.p, s.n);
        *w += s.n;
        return true;
    }
    if (col->forced && (dp_str_eqz(s, "NaN") || dp_str_eqz(s, "Infinity") || dp_str_eqz(s, "-Infinity")) && !col->whole_only)
        return *w = put_string(*w, s.p, s.n), true;
    if (!col->forced || !coerce_number(s, w)) return refuse(c, col, s);
    c->coerced++;
    return true;
}

static bool put_boolean(struct dp_csv_converter *c, const struct dp_csv_column *col, struct dp_str s, char **w) {
    static const char *const words[2][6] = {{"false", "False", "FALSE", "f", "0", "no"}, {"true", "True", "TRUE", "t", "1", "yes"}};
    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < (col->forced ? 6u : 1u); i++) {
            if (!dp_str_eqz(s, words[v][i])) continue;
            c->coerced += i > 0;
            size_t n = strlen(words[v][0]);
            memcpy(*w, words[v][0], n);
            *w += n;
            return true;
        }
    return refuse(c, col, s);
}

static bool put_time(struct dp_csv_converter *c, const struct dp_csv_column *col, struct dp_str s, char **w) {
    bool utc;
    if (!dp_csv_timestamp(s, &utc) || utc != col->utc) return refuse(c, col, s);
    char *at = *w + 1;
    *w = put_string(*w, s.p, s.n);
    if (at[10] != 'T') at[10] = 'T', c->coerced++;
    return true;
}

static inline bool put_cell(struct dp_csv_converter *c, const struct dp_csv_column *col, const struct dp_csv_cell *cell, char **w) {
    const struct dp_csv_dialect *d = &c->t->dialect;
    struct dp_str s = cell->text;
    if ((!s.n && (!cell->quoted || col->kind != DP_CSV_STRING)) || (d->nulls && dp_csv_is_null(d, cell))) {
        memcpy(*w, "null", 4);
        *w += 4;
        return true;
    }
    if (cell->doubled) {
        c->text.n = 0;
        dp_csv_unquote(d, s, &c->text);
        (void)dp_buf_reserve(&c->text, 16);
        s = dp_buf_str(&c->text);
    }
    int32_t days;
    switch (col->kind) {
    case DP_CSV_NUMBER: return put_number(c, col, s, w);
    case DP_CSV_BOOLEAN: return put_boolean(c, col, s, w);
    case DP_CSV_TIMESTAMP: return put_time(c, col, s, w);
    case DP_CSV_DATE:
        if (!dp_date_parse(s, &days)) return refuse(c, col, s);
        break;
    case DP_CSV_STRING:
    case DP_CSV_NONE: break;
    }
    *w = put_string(*w, s.p, s.n);
    return true;
}

/* Is the number of cells right, and nothing behind a closing quote? */
static bool shape_ok(struct dp_csv_converter *c) {
    const struct dp_csv_splitter *s = &c->split;
    size_t width = c->t->width;
    for (size_t i = 0; i < s->n_cells; i++) {
        if (!s->cells[i].stray) continue;
        c->why.rule = "malformed";
        c->why.path = i < width ? c->t->columns[i].name.p : NULL;
        (void)snprintf(c->why.reason, sizeof c->why.reason, "text behind the closing quote of cell %zu (--quote=none, or --escape, if the file means it)", i + 1);
        return false;
    }
    if (s->n_cells == width || (s->n_cells < width && c->t->dialect.ragged == DP_CSV_RAGGED_PAD)) return true;
    c->why.rule = "ragged";
    (void)snprintf(c->why.reason, sizeof c->why.reason, "expected %zu cells, got %zu%s", width, s->n_cells,
                   s->n_cells < width ? " (--ragged=pad fills short records with null)" : "");
    return false;
}

static bool put_record(struct dp_csv_converter *c, struct dp_buf *out, bool check_utf8) {
    const struct dp_csv_splitter *s = &c->split;
    const struct dp_csv_table *t = c->t;
    size_t bad;
    c->why = (struct dp_csv_reject){0};
    if (!shape_ok(c)) return false;
    if (check_utf8 && !dp_utf8_valid(s->p + s->start, s->end - s->start, &bad)) {
        c->why.rule = "malformed";
        (void)snprintf(c->why.reason, sizeof c->why.reason, "byte %zu of the record is not UTF-8 (--encoding names another)", bad + 1);
        return false;
    }
    char *first = dp_buf_reserve(out, t->prefix_bytes + 6 * (s->end - s->start) + 16 * s->n_cells + 64), *w = first;
    for (size_t i = 0; i < t->width; i++) {
        const struct dp_csv_column *col = &t->columns[i];
        memcpy(w, col->prefix.p, col->prefix.n);
        w += col->prefix.n;
        static const struct dp_csv_cell none = {{"", 0}, false, false, false};
        if (!put_cell(c, col, i < s->n_cells ? &s->cells[i] : &none, &w)) return false;
    }
    *w++ = '}', *w++ = '\n';
    out->n += (size_t)(w - first);
    return true;
}

static void note_place(struct dp_csv_result *r, uint64_t line, size_t offset) {
    if (!r->rec_line || !r->rec_offset) return;
    if (r->records >= *r->cap) {
        size_t cap = *r->cap;
        *r->rec_line = dp_grow(*r->rec_line, &cap, r->records + 1, sizeof **r->rec_line);
        *r->rec_offset = dp_realloc_array(*r->rec_offset, cap, sizeof **r->rec_offset);
        *r->cap = cap;
    }
    (*r->rec_line)[r->records] = (uint32_t)line;
    (*r->rec_offset)[r->records] = (uint32_t)offset;
}

enum dp_status dp_csv_convert(struct dp_csv_converter *c, const char *p, size_t n, struct dp_buf *out, struct dp_csv_result *result,
                              void (*reject)(void *ctx, const struct dp_csv_reject *r), void *ctx, struct dp_err *err) {
    struct dp_csv_splitter *s = &c->split;
    char newline = c->t->dialect.newline == DP_CSV_NEWLINE_CR ? '\r' : '\n';
    bool check_utf8 = !dp_utf8_valid(p, n, NULL);
    uint64_t line = 0;
    c->coerced = 0;
    dp_csv_splitter_start(s, &c->t->dialect, p, n);
    for (size_t counted = 0; dp_csv_splitter_next(s); counted = s->end) {
        if (counted < s->start) line += dp_count_byte(p + counted, s->start - counted, newline); /* comments in between */
        bool blank = s->n_cells == 1 && !s->cells[0].text.n && !s->cells[0].quoted && c->t->width != 1;
        if (!s->closed) {
            dp_err_set(err, DP_FORMAT, "the input ends inside a quoted cell, in the record that begins here");
            err->line = line, err->offset = s->start; /* relative to the chunk; the caller adds its place */
            return DP_FORMAT;
        }
        if (blank) {
        } else if (put_record(c, out, check_utf8)) {
            note_place(result, line, s->start);
            result->records++;
        } else if (c->t->dialect.ragged == DP_CSV_RAGGED_FAIL && c->why.rule[0] == 'r') {
            dp_err_set(err, DP_FORMAT, "%s", c->why.reason);
            err->line = line, err->offset = s->start;
            return DP_FORMAT;
        } else {
            c->why.line = line, c->why.offset = s->start;
            c->why.raw = dp_str(p + s->start, s->end - s->start);
            while (c->why.raw.n && (c->why.raw.p[c->why.raw.n - 1] == '\n' || c->why.raw.p[c->why.raw.n - 1] == '\r')) c->why.raw.n--;
            reject(ctx, &c->why);
            result->rejects++;
        }
        /* A record that is not quoted is one line; only quoted cells can hold newlines. */
        line += dp_count_byte(p + s->start, s->end - s->start, newline);
    }
    result->coerced += c->coerced;
    result->lines += line;
    return DP_OK;
}
