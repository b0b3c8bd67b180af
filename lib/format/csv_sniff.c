/*
 * Telling a dialect from a sample (dp/format/csv.h).  Each candidate delimiter splits the start of the sample; the one under which most
 * records have the same width wins.  What was told is printed by -v as the options that force it.
 */
#include <dp/format/csv.h>

#include <math.h>
#include <stdlib.h>

enum { SCORE_BYTES = 128 << 10, SCORE_RECORDS = 400, WIDTHS = 2048, PREAMBLE = 20 };

void dp_csv_dialect_init(struct dp_csv_dialect *d) { *d = (struct dp_csv_dialect){.skip = -1}; }

/* The shape of a sample under a dialect. */
struct shape {
    size_t records, modal, modal_n, strays;
    size_t filled[SCORE_RECORDS]; /* cells of each record that are not empty */
    size_t widths[SCORE_RECORDS]; /* of each record, blank ones and comments left out */
    size_t offset[SCORE_RECORDS];
    size_t lines[SCORE_RECORDS];
    bool open_end;
};

static void measure(const struct dp_csv_dialect *d, struct dp_str s, bool whole, struct shape *o) {
    struct dp_csv_cell *cells = NULL;
    size_t cap = 0, at = 0, line = 0;
    unsigned count[WIDTHS] = {0};
    memset(o, 0, sizeof *o);
    while (at < s.n && at < SCORE_BYTES && o->records < SCORE_RECORDS) {
        size_t n_cells;
        bool closed;
        size_t len = dp_csv_split(d, s.p + at, s.n - at, &cells, &cap, &n_cells, &closed);
        if (!closed) {
            o->open_end = whole || len > SCORE_BYTES;
            break;
        }
        if (at + len == s.n && !whole) break; /* perhaps cut */
        bool blank = !n_cells || (n_cells == 1 && !cells[0].text.n && !cells[0].quoted);
        if (!blank) {
            size_t r = o->records++;
            for (size_t i = 0; i < n_cells; i++) o->strays += cells[i].stray, o->filled[r] += cells[i].text.n > 0;
            o->widths[r] = n_cells;
            o->offset[r] = at;
            o->lines[r] = line;
            if (n_cells < WIDTHS && ++count[n_cells] > o->modal_n) o->modal = n_cells, o->modal_n = count[n_cells];
        }
        line += dp_count_byte(s.p + at, len, d->newline == DP_CSV_NEWLINE_CR ? '\r' : '\n');
        at += len;
    }
    free(cells);
}

static double score(const struct shape *o) {
    if (!o->records || o->modal < 2) return 0;
    double good = (double)o->modal_n / (double)o->records;
    double stray = 1.0 / (1.0 + (double)o->strays / (double)o->records * 4);
    return good * good * log2((double)o->modal) * stray * (o->widths[0] == o->modal ? 1 : 0.7) * (o->open_end ? 0.3 : 1);
}

static void sniff_newline(struct dp_csv_dialect *d, struct dp_str s) {
    size_t lf = 0, cr = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.n && i < SCORE_BYTES; i++) {
        if (s.p[i] == '"') quoted = !quoted;
        if (s.p[i] == '\n') lf++;
        if (s.p[i] == '\r' && !quoted && i + 1 < s.n && s.p[i + 1] != '\n') cr++;
        if (s.p[i] == '\r' && i + 1 == s.n && !lf && cr) cr++;
    }
    d->newline = !cr ? DP_CSV_NEWLINE_LF : !lf ? DP_CSV_NEWLINE_CR : DP_CSV_NEWLINE_ANY;
}

/* Do cells begin with this quote? */
static bool opens_cells(struct dp_str s, char quote) {
    for (size_t i = 0; i < s.n && i < SCORE_BYTES; i++)
        if (s.p[i] == quote && (!i || memchr("\n\r,;\t|", s.p[i - 1], 6))) return true;
    return false;
}

static void sniff_marks(struct dp_csv_dialect *d, struct dp_str s, bool whole) {
    static const char delimiters[] = "\t|;,";
    struct shape *o = dp_alloc(sizeof *o);
    struct dp_csv_dialect best = *d;
    bool want_delimiter = !d->delimiter;
    if (!d->quote) best.quote = !opens_cells(s, '"') && opens_cells(s, '\'') ? '\'' : '"';
    bool backslash = false;
    for (size_t i = 0; i + 1 < s.n && i < SCORE_BYTES && !backslash; i++) backslash = s.p[i] == '\\' && s.p[i + 1] == best.quote;
    if (want_delimiter) best.delimiter = ',';
    if (!d->escape) best.escape = -1;
    struct dp_csv_dialect try = best;
    double best_score = -1;
    size_t strays = 0; /* under the best so far */
    int quote = best.quote;
    /* As it is; with backslash escapes; without quotes (where quotes are mere text, which shows as text behind closing ones). */
    for (int way = 0; way < 3; way++)
        for (const char *c = delimiters; *c; c++) {
            if ((way == 1 && (d->escape || !backslash)) || (way == 2 && (d->quote || !strays))) break;
            if (want_delimiter) try.delimiter = *c;
            else if (c != delimiters) break;
            if (!d->escape) try.escape = way == 1 ? '\\' : -1;
            try.quote = way == 2 ? -1 : quote;
            measure(&try, s, whole, o);
            double v = score(o);
            if (v > best_score + 1e-9) best_score = v, strays = o->strays, best = try;
        }
    if (best_score <= 0 && want_delimiter) best.delimiter = ',';
    *d = best;
    free(o);
}

/* ---- header ---- */

enum look { LOOK_EMPTY, LOOK_TEXT, LOOK_NUMBER, LOOK_TIME };

/* What a cell looks like to a person: wider than what is later taken for a number. */
static enum look look_at(struct dp_str s) {
    while (s.n && (s.p[0] == ' ' || s.p[0] == '$')) s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '%')) s.n--;
    if (!s.n) return LOOK_EMPTY;
    size_t digits = 0, other = 0, marks = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= '0' && s.p[i] <= '9') digits++;
        else if (memchr("+-.,eE", s.p[i], 6)) marks += 1;
        else if (memchr(":/TZ ", s.p[i], 5)) other += 1;
        else return LOOK_TEXT;
    }
    if (!digits) return LOOK_TEXT;
    if (other || (digits >= 6 && marks == 2 && s.p[0] != '-' && memchr(s.p, '-', s.n))) return LOOK_TIME;
    return LOOK_NUMBER;
}

struct header_votes {
    int yes, no;
    bool odd; /* empty or repeated names */
};

static void vote(const struct dp_csv_dialect *d, struct dp_str s, const struct shape *o, size_t first, struct header_votes *v) {
    struct dp_csv_cell *head = NULL, *row = NULL;
    size_t head_cap = 0, row_cap = 0, n_head, n_row;
    bool closed;
    (void)dp_csv_split(d, s.p + o->offset[first], s.n - o->offset[first], &head, &head_cap, &n_head, &closed);
    unsigned (*seen)[4] = dp_calloc(n_head ? n_head : 1, sizeof *seen);
    for (size_t r = first + 1; r < o->records && r < first + 100; r++) {
        (void)dp_csv_split(d, s.p + o->offset[r], s.n - o->offset[r], &row, &row_cap, &n_row, &closed);
        for (size_t i = 0; i < n_row && i < n_head; i++) seen[i][look_at(row[i].text)]++;
    }
    for (size_t i = 0; i < n_head; i++) {
        enum look h = look_at(head[i].text);
        unsigned typed = seen[i][LOOK_NUMBER] + seen[i][LOOK_TIME], text = seen[i][LOOK_TEXT];
        if (h == LOOK_TEXT && typed && text * 10 <= typed) v->yes++;
        if ((h == LOOK_NUMBER || h == LOOK_TIME) && seen[i][h] > text) v->no++;
        if (h == LOOK_EMPTY) v->odd = true;
        for (size_t j = 0; j < i && i < 200; j++) v->odd |= head[i].text.n && dp_str_eq(head[i].text, head[j].text);
    }
    free(seen), free(head), free(row);
}

/*
 * Records in front of the table: a title is narrower than it; so is, in spreadsheets, a row of no or one filled cell of three or more
 * right above a row in which all are.
 */
static size_t preamble(const struct shape *o) {
    size_t first = 0;
    while (first < o->records && first < PREAMBLE && o->widths[first] < o->modal && o->modal > 1) first++;
    if (first == o->records || first == PREAMBLE || o->modal_n * 2 <= o->records - first) first = 0;
    size_t at = first;
    while (at < o->records && at < PREAMBLE && o->modal > 2 && o->widths[at] == o->modal && o->filled[at] <= 1) at++;
    if (at == o->records || at == PREAMBLE || o->widths[at] != o->modal || o->filled[at] < o->modal) return first;
    return at;
}

static void sniff_header(struct dp_csv_dialect *d, struct dp_str s, bool whole) {
    struct shape *o = dp_alloc(sizeof *o);
    measure(d, s, whole, o);
    size_t first = 0;
    if (d->skip < 0) {
        first = preamble(o);
        d->skip = o->records ? (int)o->lines[first] : 0;
        if (!first) d->skip = 0;
    } else {
        while (first < o->records && o->lines[first] < (size_t)d->skip) first++;
    }
    if (d->header == DP_CSV_HEADER_AUTO) {
        struct header_votes v = {0};
        if (first < o->records) vote(d, s, o, first, &v);
        bool yes = v.yes ? v.yes >= v.no : !v.no && (!v.odd || o->records - first > 1);
        d->header = yes ? DP_CSV_HEADER_YES : DP_CSV_HEADER_NO;
    }
    free(o);
}

enum dp_status dp_csv_sniff(struct dp_csv_dialect *d, struct dp_str sample, bool whole, struct dp_err *err) {
    size_t zeros = 0, looked = sample.n < 4096 ? sample.n : 4096;
    for (size_t i = 0; i < looked; i++) zeros += !sample.p[i];
    if (zeros * 10 > looked) {
        dp_err_set(err, DP_FORMAT, "this is no text (NUL bytes), nor another format that is known here (-f names one)");
        (void)dp_err_at(err, NULL, 1, 0);
        return DP_FORMAT;
    }
    if (d->newline == DP_CSV_NEWLINE_AUTO) sniff_newline(d, sample);
    if (!d->delimiter || !d->quote || !d->escape) sniff_marks(d, sample, whole);
    if (d->skip < 0 || d->header == DP_CSV_HEADER_AUTO) sniff_header(d, sample, whole);
    return DP_OK;
}

static void print_byte(struct dp_buf *b, const char *option, int c) {
    dp_buf_addf(b, " --%s=", option);
    if (c < 0) dp_buf_addz(b, "none");
    else if (c == '\t') dp_buf_addz(b, "tab");
    else if (c == '\'') dp_buf_addz(b, "\"'\"");
    else dp_buf_addf(b, "'%c'", c);
}

void dp_csv_dialect_print(const struct dp_csv_dialect *d, struct dp_buf *b) {
    static const char *const newlines[] = {"auto", "lf", "cr", "any"};
    print_byte(b, "delimiter", d->delimiter);
    print_byte(b, "quote", d->quote);
    print_byte(b, "escape", d->escape);
    dp_buf_addf(b, " --newline=%s --header=%s --skip=%d", newlines[d->newline], d->header == DP_CSV_HEADER_NO ? "no" : "yes", d->skip);
}
