/* Private to lib/format/csv_*.c. */
#ifndef DP_FORMAT_CSV_PRIV_H
#define DP_FORMAT_CSV_PRIV_H

#include <dp/base/num.h>
#include <dp/format/csv.h>

/* A number as JSON spells it, taken apart. */
struct dp_csv_number {
    unsigned whole, scale; /* digits before (0 alone counts as none) and behind the point */
    bool fraction, exponent;
};
bool dp_csv_number(struct dp_str s, struct dp_csv_number *o);
bool dp_csv_timestamp(struct dp_str s, bool *utc); /* ISO, `T` or a blank between; zone or none; microseconds at most */

enum {
    DP_CSV_MAY_NUMBER = 1,
    DP_CSV_MAY_BOOLEAN = 2,
    DP_CSV_MAY_DATE = 4,
    DP_CSV_MAY_LOCAL = 8,
    DP_CSV_MAY_UTC = 16,
    DP_CSV_MAY_ALL = 31
};

struct dp_csv_column {
    struct dp_str name, prefix; /* owned; prefix is `{"name":` or `,"name":` */
    unsigned may;               /* what no value has ruled out yet */
    uint64_t values;            /* that were looked at and not null */
    unsigned max_whole, max_scale;
    bool fractions, double_ok, decimal_ok, int64_ok;
    enum dp_csv_kind kind;      /* decided */
    bool forced, utc, whole_only, hidden, by_schema; /* by_schema: a contract says the type, so --types is no way out */
    char *expected;             /* the type in words */
};

struct dp_csv_table {
    struct dp_csv_dialect dialect;
    struct dp_csv_column *columns;
    size_t width, prefix_bytes;
    struct dp_type *schema;
    struct dp_buf key;
};

/* The byte that ends lines, and is counted. */
static inline char dp_csv_newline_of(const struct dp_csv_dialect *d) { return d->newline == DP_CSV_NEWLINE_CR ? '\r' : '\n'; }
/* Do three bytes tell all: delimiter, quote, newline? */
static inline bool dp_csv_by_marks(const struct dp_csv_dialect *d) { return d->escape <= 0 && !d->comment && d->newline != DP_CSV_NEWLINE_ANY; }

bool dp_csv_is_null(const struct dp_csv_dialect *d, const struct dp_csv_cell *c);

/* Goes through the records of a text, by marks where the dialect allows it. */
struct dp_csv_splitter {
    const struct dp_csv_dialect *d;
    const char *p;
    size_t n, at;            /* at: start of the next record */
    size_t start, end;       /* the current record with its newline */
    struct dp_csv_cell *cells;
    size_t cap, n_cells;
    bool closed;
    uint32_t *marks;         /* NULL: cell by cell */
    size_t n_marks, next_mark, marks_cap, marks_from, marks_to; /* window of the text that marks cover */
};
/* p[0..n) whole records; 64 bytes behind must be readable. */
void dp_csv_splitter_start(struct dp_csv_splitter *s, const struct dp_csv_dialect *d, const char *p, size_t n);
bool dp_csv_splitter_next(struct dp_csv_splitter *s); /* false: no more; comments are passed over */
void dp_csv_splitter_release(struct dp_csv_splitter *s);

/* Separators of cells: delimiters and newlines outside of quotes, a window at a time. Zero value, start, more; free(at) at the end. */
struct dp_csv_seps {
    const struct dp_csv_dialect *d;
    const char *p;
    size_t n_bytes, scanned;
    uint32_t *at;            /* at[next, n) are known and not used up */
    size_t n, next, cap;
    uint64_t inside;         /* all ones inside of quotes */
    uint64_t opens;          /* 1: a quote may stand at `scanned` */
    bool odd;                /* there are quotes behind `scanned` that this can't read */
    bool embedded;           /* newlines inside of quotes were seen */
};
/* p[0..n) starts with a record, n < 4 GiB; 64 bytes behind must be readable. Only where dp_csv_by_marks. */
void dp_csv_seps_start(struct dp_csv_seps *s, const struct dp_csv_dialect *d, const char *p, size_t n);
bool dp_csv_seps_more(struct dp_csv_seps *s); /* moves at[next, n) to the front and adds to it; false: there is no more */

/* dp_csv_cut where dp_csv_by_marks. */
size_t dp_csv_cut_by_masks(const struct dp_csv_dialect *d, struct dp_csv_cut *c, const char *p, size_t n);

#endif
