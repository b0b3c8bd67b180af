/*
 * CSV records to NDJSON (dp/format/csv.h).  Where quotes stand as in RFC 4180, a record is as many separators as there are columns, and its cells
 * are copied between precomputed names; whatever has another shape goes cell by cell, with the same result.
 * Each cell is written as its column's kind asks, or the record is a reject that says which option would let it pass.
 */
#include "simd_csv_copy.h"

#include <dp/base/time.h>
#include <dp/record/json.h>

#include <stdio.h>
#include <stdlib.h>

/* ---- the converter ---- */

struct dp_csv_converter {
    const struct dp_csv_table *t;
    struct dp_csv_splitter split;
    struct dp_csv_seps seps;
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
    free(c->seps.at);
    dp_buf_release(&c->text);
    free(c);
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

/* A JSON string; p[n..n+16) must be readable and w have room for 6 n + 32. */
static inline char *put_string(char *w, const char *p, size_t n) {
    *w++ = '"';
    w = dp_csv_copy(w, p, n) ? put_escaped(w, p, n) : w + n;
    *w++ = '"';
    return w;
}

static bool refuse(struct dp_csv_converter *c, const struct dp_csv_column *col, struct dp_str got) {
    c->why.rule = "type";
    c->why.path = col->name.p;
    c->why.expected = col->expected;
    size_t size = sizeof c->why.reason;
    int n = col->hidden ? snprintf(c->why.reason, size, "expected %s, got text of %zu bytes", col->expected, got.n)
                        : snprintf(c->why.reason, size, "expected %s, got \"%.*s\"", col->expected, (int)(got.n > 40 ? 40 : got.n), got.p);
    if (!col->by_schema && n >= 0 && (size_t)n < size)
        (void)snprintf(c->why.reason + n, size - (size_t)n, " (--types '%.80s=string' would let it pass)", col->name.p);
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
        (void)dp_buf_reserve(&c->text, 64);
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

/* Bytes that a record may need at most: each of its bytes escaped, each cell with quotes or null, and what copies write too far. */
static inline size_t room_for(const struct dp_csv_table *t, size_t n) { return t->prefix_bytes + 6 * n + 8 * t->width + 64; }

static inline char *put_prefix(char *w, const struct dp_csv_column *col) {
    for (size_t i = 0; i < col->prefix.n; i += 16) memcpy(w + i, col->prefix.p + i, 16);
    return w + col->prefix.n;
}

static bool put_record(struct dp_csv_converter *c, struct dp_buf *out, bool check_utf8) {
    const struct dp_csv_splitter *s = &c->split;
    const struct dp_csv_table *t = c->t;
    size_t bad;
    c->why.rule = c->why.path = c->why.expected = NULL;
    if (!shape_ok(c)) return false;
    if (check_utf8 && !dp_utf8_valid(s->p + s->start, s->end - s->start, &bad)) {
        c->why.rule = "malformed";
        (void)snprintf(c->why.reason, sizeof c->why.reason, "byte %zu of the record is not UTF-8 (--encoding names another)", bad + 1);
        return false;
    }
    char *first = dp_buf_reserve(out, room_for(t, s->end - s->start)), *w = first;
    for (size_t i = 0; i < t->width; i++) {
        const struct dp_csv_column *col = &t->columns[i];
        w = put_prefix(w, col);
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

/* ---- the fast way ---- */

/* A cell that is no plain text or number: quotes in it are doubled ones. */
static bool put_odd_cell(struct dp_csv_converter *c, const struct dp_csv_column *col, struct dp_str text, bool quoted, char **w) {
    struct dp_csv_cell cell = {.text = text, .quoted = quoted};
    cell.doubled = quoted && memchr(text.p, c->t->dialect.quote, text.n) != NULL;
    return put_cell(c, col, &cell, w);
}

/*
 * The record at p + start whose cells end at the separators at[0 .. width).  False: they do not, or a cell is not of its type;
 * then nothing was put out, and the slow way finds what is wrong with it (the same thing, whatever stands around it).
 */
static bool put_fast(struct dp_csv_converter *c, size_t start, const uint32_t *at, struct dp_buf *out) {
    const struct dp_csv_table *t = c->t;
    const struct dp_csv_column *col = t->columns, *last = col + t->width - 1;
    const char *p = c->seps.p;
    const char delimiter = (char)t->dialect.delimiter, newline = dp_csv_newline_of(&t->dialect), quote = (char)t->dialect.quote;
    bool has_quotes = t->dialect.quote > 0, no_words = !t->dialect.nulls, json_quote = t->dialect.quote == '"';
    if (p[at[t->width - 1]] != newline) return false;
    char *first = dp_buf_reserve(out, room_for(t, at[t->width - 1] - start)), *w = first;
    for (size_t from = start;; col++, at++) {
        const char *x = p + from, *end = p + *at;
        from = (size_t)*at + 1;
        if (col != last) {
            if (__builtin_expect(*end != delimiter, 0)) return false;
        } else if (newline == '\n' && end > x && end[-1] == '\r') {
            end--;
        }
        bool quoted = has_quotes && end > x && *x == quote;
        if (quoted) {
            if (end - x < 2 || end[-1] != quote) return false; /* text behind the closing quote */
            x++, end--;
        }
        size_t n = (size_t)(end - x);
        w = put_prefix(w, col);
        if (n && no_words && col->kind == DP_CSV_STRING && (!quoted || json_quote)) {
            *w = '"';
            if (__builtin_expect(!dp_csv_copy(w + 1, x, n), 1)) {
                w[1 + n] = '"';
                w += n + 2;
                goto next;
            }
        } else if (n && n <= 16 && no_words && col->kind == DP_CSV_NUMBER && dp_csv_copy_number(w, x, n)) {
            w += n;
            goto next;
        }
        if (!put_odd_cell(c, col, dp_str(x, n), quoted, &w)) return false;
    next:
        if (col == last) break;
    }
    *w++ = '}', *w++ = '\n';
    out->n += (size_t)(w - first);
    return true;
}

/* ---- all records of a chunk ---- */

/* A chunk under way. */
struct task {
    struct dp_csv_converter *c;
    struct dp_buf *out;
    struct dp_csv_result *result;
    void (*reject)(void *ctx, const struct dp_csv_reject *r);
    void *ctx;
    uint64_t line;
    bool check_utf8;
};

static void put_reject(struct task *k, const char *p, size_t start, size_t end) {
    struct dp_csv_reject *why = &k->c->why;
    why->line = k->line, why->offset = start;
    while (end > start && (p[end - 1] == '\n' || p[end - 1] == '\r')) end--;
    why->raw = dp_str(p + start, end - start);
    k->reject(k->ctx, why);
    k->result->rejects++;
}

/* The record that the splitter is at. */
static enum dp_status put_split(struct task *k, const char *p, size_t base, struct dp_err *err) {
    struct dp_csv_converter *c = k->c;
    const struct dp_csv_splitter *s = &c->split;
    bool blank = s->n_cells == 1 && !s->cells[0].text.n && !s->cells[0].quoted && c->t->width != 1;
    enum dp_status status = DP_OK;
    if (!s->closed) {
        status = dp_err_set(err, DP_FORMAT, "the input ends inside a quoted cell, in the record that begins here");
    } else if (blank || !s->n_cells) {
    } else if (put_record(c, k->out, k->check_utf8)) {
        note_place(k->result, k->line, base + s->start);
        k->result->records++;
    } else if (c->t->dialect.ragged == DP_CSV_RAGGED_FAIL && c->why.rule[0] == 'r') {
        status = dp_err_set(err, DP_FORMAT, "%s", c->why.reason);
    } else {
        put_reject(k, p, base + s->start, base + s->end);
    }
    if (status && err) err->line = k->line, err->offset = base + s->start; /* relative to the chunk; the caller adds its place */
    k->line += dp_count_byte(s->p + s->start, s->end - s->start, dp_csv_newline_of(&c->t->dialect));
    return status;
}

/* One record that is not as it should be: the reference splitter reads it. */
static enum dp_status put_one(struct task *k, const char *p, size_t start, size_t n, size_t *end, struct dp_err *err) {
    struct dp_csv_splitter *s = &k->c->split;
    s->d = &k->c->t->dialect, s->p = p + start, s->n = n - start, s->start = 0;
    s->end = dp_csv_split(s->d, s->p, s->n, &s->cells, &s->cap, &s->n_cells, &s->closed);
    *end = start + s->end;
    return put_split(k, p, start, err);
}

/* From *at on, as far as quotes stand where they belong. */
static enum dp_status convert_fast(struct task *k, const char *p, size_t n, size_t *at, struct dp_err *err) {
    struct dp_csv_converter *c = k->c;
    struct dp_csv_seps *s = &c->seps;
    size_t width = c->t->width, start = 0;
    enum dp_status status = DP_OK;
    dp_csv_seps_start(s, &c->t->dialect, p, n);
    while (!status && start < n) {
        for (bool more = true; more;) { /* a record read the slow way may end behind what was scanned */
            while (s->next < s->n && s->at[s->next] < start) s->next++;
            more = s->n - s->next < width && dp_csv_seps_more(s);
        }
        if (s->n - s->next < width && s->odd) break;
        const uint32_t *seps = s->at + s->next;
        uint64_t coerced = c->coerced;
        if (s->n - s->next < width || !put_fast(c, start, seps, k->out)) {
            c->coerced = coerced;
            status = put_one(k, p, start, n, &start, err);
            continue;
        }
        size_t end = (size_t)seps[width - 1] + 1;
        note_place(k->result, k->line, start), k->result->records++;
        k->line += s->embedded ? dp_count_byte(p + start, end - start, dp_csv_newline_of(&c->t->dialect)) : 1;
        start = end;
        s->next += width;
    }
    *at = start;
    return status;
}

enum dp_status dp_csv_convert(struct dp_csv_converter *c, const char *p, size_t n, struct dp_buf *out, struct dp_csv_result *result,
                              void (*reject)(void *ctx, const struct dp_csv_reject *r), void *ctx, struct dp_err *err) {
    struct task k = {.c = c, .out = out, .result = result, .reject = reject, .ctx = ctx, .check_utf8 = !dp_utf8_valid(p, n, NULL)};
    struct dp_csv_splitter *s = &c->split;
    size_t at = 0;
    c->coerced = 0;
    if (!k.check_utf8 && dp_csv_by_marks(&c->t->dialect) && n < UINT32_MAX && c->t->width) DP_TRY(convert_fast(&k, p, n, &at, err));
    dp_csv_splitter_start(s, &c->t->dialect, p + at, n - at);
    for (size_t counted = 0; dp_csv_splitter_next(s); counted = s->end) {
        if (counted < s->start) k.line += dp_count_byte(s->p + counted, s->start - counted, dp_csv_newline_of(s->d)); /* comments in between */
        DP_TRY(put_split(&k, p, at, err));
    }
    result->coerced += c->coerced;
    result->lines += k.line;
    return DP_OK;
}
