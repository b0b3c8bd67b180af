/* Private to lib/format/csv_*.c. */
#ifndef DP_FORMAT_CSV_PRIV_H
#define DP_FORMAT_CSV_PRIV_H

#include <dp/base/num.h>
#include <dp/format/csv.h>

/* A number as JSON spells it, taken apart. */
struct dp_csv_number {
    unsigned whole, scale; /* digits before (0 alone counts as none) and behind the point */
    bool fraction, fraction_zero, exponent;
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
    uint64_t scales;            /* a bit for each scale seen */
    bool exponents, fractions, real_fractions, double_ok, int64_ok;
    enum dp_csv_kind kind;      /* decided */
    bool forced, utc, whole_only, hidden;
    char *expected;             /* the type in words */
};

struct dp_csv_table {
    struct dp_csv_dialect dialect;
    struct dp_csv_column *columns;
    size_t width, prefix_bytes;
    struct dp_type *schema;
    struct dp_buf key;
};

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

#endif
