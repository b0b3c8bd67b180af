/*
 * CSV, TSV and their relatives to NDJSON (RFC 4180, and what files in the wild do beside it).
 *
 * Three steps: dp_csv_sniff tells a dialect from a sample; dp_csv_cut finds record borders in raw bytes, in order and fast; dp_csv_convert turns whole
 * records into NDJSON on any thread.  Types are inferred from a sample by dp_csv_types_*, so that numbers go out as numbers, in their own spelling.
 *
 * Cells: unquoted empty is null, quoted empty is the empty string (null in columns that hold no strings); --null words are null where unquoted.
 * A quote inside an unquoted cell is a character like others; text behind a closing quote is a reject.
 */
#ifndef DP_FORMAT_CSV_H
#define DP_FORMAT_CSV_H

#include <dp/base/buf.h>
#include <dp/base/limits.h>
#include <dp/record/type.h>

enum dp_csv_newline { DP_CSV_NEWLINE_AUTO, DP_CSV_NEWLINE_LF, DP_CSV_NEWLINE_CR, DP_CSV_NEWLINE_ANY }; /* LF: also CRLF; ANY: LF, CRLF, CR */
enum dp_csv_header { DP_CSV_HEADER_AUTO, DP_CSV_HEADER_YES, DP_CSV_HEADER_NO };
enum dp_csv_ragged { DP_CSV_RAGGED_REJECT, DP_CSV_RAGGED_PAD, DP_CSV_RAGGED_FAIL };

/* What --delimiter and its like say, or what was sniffed.  Zero: to be sniffed. */
struct dp_csv_dialect {
    int delimiter;           /* a byte; 0: sniff */
    int quote;               /* a byte; 0: sniff, -1: none */
    int escape;              /* a byte inside quotes; 0: sniff, -1: none but the doubled quote */
    int comment;             /* lines that begin with this byte are passed over; 0: none */
    enum dp_csv_newline newline;
    enum dp_csv_header header;
    int skip;                /* lines in front of the header; -1: sniff (dp_csv_dialect_init) */
    enum dp_csv_ragged ragged;
    const char *const *nulls; /* words that are null where unquoted; NULL-terminated, or NULL */
    const char *const *types; /* "column=type", NULL-terminated, or NULL */
    const char *const *hidden; /* columns whose values reasons must not show (classified); NULL-terminated, or NULL */
    bool all_strings;        /* --types none: no inference */
};

void dp_csv_dialect_init(struct dp_csv_dialect *d); /* all to be sniffed */
/* Fills what is open in *d from the sample (whole: it is all there is). DP_FORMAT: this is no text of cells (NUL bytes...). */
enum dp_status dp_csv_sniff(struct dp_csv_dialect *d, struct dp_str sample, bool whole, struct dp_err *err) DP_MUST_CHECK;
/* The options that force it: --delimiter=';' --quote='"' --header=yes ... */
void dp_csv_dialect_print(const struct dp_csv_dialect *d, struct dp_buf *b);

/* ---- cutting ---- */

/* State between two calls; zero at the start of a record. */
struct dp_csv_cut {
    bool in_quotes;
    uint64_t open_at; /* where the quote opened that is still open, counted from the first call */
    uint64_t seen;    /* bytes looked at */
    int last;         /* last byte looked at, 0 at the start */
    bool escaped, comment;
};
/* Looks at p[0..n), which follows what was looked at before; returns the offset behind the last record that ends in it, 0 when none does. */
size_t dp_csv_cut(const struct dp_csv_dialect *d, struct dp_csv_cut *c, const char *p, size_t n);

/* ---- one record, cell by cell (portable; the reference of convert) ---- */

struct dp_csv_cell {
    struct dp_str text; /* as in the file, quotes not included */
    bool quoted;
    bool doubled;       /* has escapes or doubled quotes: decode with dp_csv_unquote */
    bool stray;         /* text behind the closing quote */
};
/* Splits the record that starts at p into cells (grown with dp_grow); returns its length with its newline, 0 when n == 0. *closed false: the text ends inside quotes. */
size_t dp_csv_split(const struct dp_csv_dialect *d, const char *p, size_t n, struct dp_csv_cell **cells, size_t *cap, size_t *n_cells,
                    bool *closed);
void dp_csv_unquote(const struct dp_csv_dialect *d, struct dp_str text, struct dp_buf *b);

/* ---- header and types ---- */

enum dp_csv_kind { DP_CSV_STRING, DP_CSV_NUMBER, DP_CSV_BOOLEAN, DP_CSV_DATE, DP_CSV_TIMESTAMP, DP_CSV_NONE };

struct dp_csv_table; /* names, kinds and how to print: immutable once closed, shared by threads */

/* Names from the header record in the sample (or column_1...); *data is where the first data record starts in the sample, *lines the lines before it. */
enum dp_status dp_csv_table_open(const struct dp_csv_dialect *d, struct dp_str sample, struct dp_csv_table **out, size_t *data, uint64_t *lines,
                                 struct dp_buf *notes, struct dp_err *err) DP_MUST_CHECK;
void dp_csv_table_close(struct dp_csv_table *t);
const struct dp_csv_dialect *dp_csv_table_dialect(const struct dp_csv_table *t);
char dp_csv_newline_byte(const struct dp_csv_table *t); /* the byte that is counted for line numbers */
size_t dp_csv_table_width(const struct dp_csv_table *t);
/* The header's names, joined: two files with the same key have the same columns. Borrowed. */
struct dp_str dp_csv_table_key(const struct dp_csv_table *t);
/* Columns whose type the contract (may be NULL) or the dialect tells are not learnt. False: no column is left, there is nothing to learn. */
bool dp_csv_table_must_learn(struct dp_csv_table *t, const struct dp_type *schema);
/* Looks at whole records of data; may be called again and again. */
void dp_csv_table_learn(struct dp_csv_table *t, const char *p, size_t n);
/* A table of the same columns that has learnt nothing yet: only for learn and join. Caller closes it. */
struct dp_csv_table *dp_csv_table_twin(const struct dp_csv_table *t);
/* Takes over what another table with the same key has learnt. */
void dp_csv_table_join(struct dp_csv_table *t, const struct dp_csv_table *other);
/* Decides the kinds; `schema` (may be NULL: contract) and the dialect's types win over what was learnt. DP_USAGE: --types names no column or type. */
enum dp_status dp_csv_table_decide(struct dp_csv_table *t, const struct dp_type *schema, struct dp_err *err) DP_MUST_CHECK;
const struct dp_type *dp_csv_table_schema(const struct dp_csv_table *t); /* after decide; borrowed */

/* ---- converting ---- */

struct dp_csv_reject {
    uint64_t line;          /* relative to the chunk, from 0 */
    size_t offset;          /* in the chunk */
    struct dp_str raw;
    const char *rule;       /* "ragged", "type", "malformed" */
    const char *path;       /* column name or NULL */
    const char *expected;   /* or NULL */
    char reason[320];
};

struct dp_csv_converter; /* one per thread */
struct dp_csv_converter *dp_csv_converter_open(const struct dp_csv_table *t);
void dp_csv_converter_close(struct dp_csv_converter *c);

struct dp_csv_result {
    uint64_t records, rejects, coerced, lines;
    uint32_t **rec_line, **rec_offset; /* grown and filled for each record put out; capacity *cap */
    size_t *cap;
};
/* p[0..n) are whole records (the last perhaps without newline), with at least 64 readable bytes behind; NDJSON is appended to out. */
enum dp_status dp_csv_convert(struct dp_csv_converter *c, const char *p, size_t n, struct dp_buf *out, struct dp_csv_result *result,
                              void (*reject)(void *ctx, const struct dp_csv_reject *r), void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* The same as dp_csv_split over a whole text, the way that convert goes (by marks where the dialect allows); for tests: calls back with each record's cells. */
void dp_csv_each(const struct dp_csv_dialect *d, const char *p, size_t n,
                 void (*record)(void *ctx, const struct dp_csv_cell *cells, size_t n_cells, bool closed), void *ctx);

/* ---- the scan, and its twin, for tests ---- */
/* Offsets of delimiter, quote and newline bytes in p[0..n) into out (room for n); returns their number.  p[n..n+64) must be readable. */
size_t dp_csv_marks(const char *p, size_t n, char delimiter, char quote, char newline, uint32_t *out);
size_t dp_csv_marks_portable(const char *p, size_t n, char delimiter, char quote, char newline, uint32_t *out);
/* For each 64 bytes of p[0..n) a bit for each byte that is one of the three; bits behind n mean nothing. quote < 0: none. The same readability. */
struct dp_csv_masks {
    uint64_t delimiter, quote, newline;
};
void dp_csv_mask(const char *p, size_t n, char delimiter, int quote, char newline, struct dp_csv_masks *out);
void dp_csv_mask_portable(const char *p, size_t n, char delimiter, int quote, char newline, struct dp_csv_masks *out);
/* Occurrences of one byte; the fastest there is. */
size_t dp_count_byte(const char *p, size_t n, char c);
size_t dp_count_byte_portable(const char *p, size_t n, char c);

#endif
