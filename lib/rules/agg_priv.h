/*
 * What the files of the aggregates share: values as rows hold them, accumulators, and the compiled list.
 *
 *   agg_parse.c   texts -> struct dp_aggs: functions share inputs (a path behind a condition) and accumulators (sum and mean of one input are one)
 *   agg_read.c    record -> row: the value of each input, encoded
 *   agg_value.c   encoded values: decoding, order, printing
 *   agg_state.c   states: a count of rows, then the accumulators; framing of add, sub, merge, save and load
 *   agg_wide.c    exact sums of any size, rounded once
 *   agg_num.c     sums and variances        agg_order.c   extremes and the k largest
 *   agg_vec.c     exact quantiles           agg_sketch.c  approximate ones
 *   agg_bag.c     multisets of values       agg_set.c     the most frequent ones; how many, by HyperLogLog
 *   agg_list.c    first, last, change, all  agg_canon.c   canonical texts
 *   agg_print.c   results and expressions   agg_schema.c  types of results
 *
 * Every accumulator is a function of the multiset of values that are in it, and so are its saved bytes.
 */
#ifndef DP_RULES_AGG_PRIV_H
#define DP_RULES_AGG_PRIV_H

#include <dp/base/decimal.h>
#include <dp/base/num.h>
#include <dp/record/field.h>
#include <dp/rules/agg.h>

/* ---- values ---- */

#define AGG_DEC_DIGITS 18 /* of a number that is held as one word */
#define AGG_DEC_SCALE 10
#define AGG_WIDE_SCALE 38

enum agg_tag {
    AGG_NULL,                            /* null, missing, or the condition is not met */
    AGG_DEC,                             /* AGG_DEC + s: a word, behind the point s digits (0 to 10) */
    AGG_DEC_END = AGG_DEC + AGG_DEC_SCALE,
    AGG_WIDE,                            /* scale, then 16 bytes: up to 38 digits, spelled without an exponent */
    AGG_DBL,                             /* a double, and the number that its shortest text spells */
    AGG_TEXT,                            /* a number as spelled that none of these holds; a double (infinite: beyond it), length, text */
    AGG_NAN,                             /* NaN or an infinity, in a column of floats */
    AGG_STR,                             /* a string, decoded; length, bytes */
    AGG_JSON,                            /* any value: as spelled, or canonical; length, bytes */
    AGG_TRUE                             /* it is there */
};

struct agg_val {
    unsigned tag;
    int scale;         /* DEC, WIDE */
    int64_t i;         /* DEC */
    dp_i128 w;         /* WIDE */
    double d;          /* DBL, TEXT */
    struct dp_str s;   /* TEXT, STR, JSON: its text */
    struct dp_str raw; /* the encoded bytes */
};

static inline bool agg_is_dec(unsigned tag) { return tag - AGG_DEC <= AGG_DEC_SCALE; }
static inline bool agg_is_number(unsigned tag) { return tag - AGG_DEC <= AGG_TEXT - AGG_DEC; }

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define AGG_LE64(v) (v)
#define AGG_LE32(v) (v)
#else
#define AGG_LE64(v) __builtin_bswap64(v)
#define AGG_LE32(v) __builtin_bswap32(v)
#endif
/* Rows of a state that is loaded, and what is counted of them: sums of several stay in their fields. */
#define AGG_ROWS_MAX (UINT64_C(1) << 55)

static inline void agg_put64(char *p, uint64_t v) {
    v = AGG_LE64(v);
    memcpy(p, &v, 8);
}
static inline uint64_t agg_get64(const char *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return AGG_LE64(v);
}
static inline void agg_put32(char *p, uint32_t v) {
    v = AGG_LE32(v);
    memcpy(p, &v, 4);
}
static inline uint32_t agg_get32(const char *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return AGG_LE32(v);
}
static inline double agg_bits_double(uint64_t u) {
    double d;
    memcpy(&d, &u, 8);
    return d;
}
static inline uint64_t agg_double_bits(double d) {
    uint64_t u;
    memcpy(&u, &d, 8);
    return u;
}

/* The value at p, which was made here; returns what stands behind it. */
const char *agg_val_decode_long(const char *p, struct agg_val *v);
static inline const char *agg_val_decode(const char *p, struct agg_val *v) {
    unsigned tag = (unsigned char)*p;
    v->tag = tag;
    if (tag == AGG_NULL) return p + 1;
    if (!agg_is_dec(tag)) return agg_val_decode_long(p, v);
    v->scale = (int)tag - AGG_DEC;
    v->i = (int64_t)agg_get64(p + 1);
    v->raw = dp_str(p, 9);
    return p + 9;
}
/* One from the front of *in, whoever made it; false: it is none that encoding makes. */
bool agg_val_load(struct dp_str *in, struct agg_val *v);
void agg_val_add_dec(struct dp_buf *b, int64_t i, int scale);
/* A number as a record spells it (valid JSON); `is_float`: what it stands for is the double. */
/* Eight bytes from the text's first must be readable. */
void agg_val_add_number(struct dp_buf *b, struct dp_str text, bool is_float);
void agg_val_add_bytes(struct dp_buf *b, unsigned tag, struct dp_str s);
/* Numbers by value, exactly, then strings by bytes. */
int agg_val_cmp(const struct agg_val *a, const struct agg_val *b);
/* The same, and equal values by their encoding: 0 is the same bytes. */
int agg_val_order(const struct agg_val *a, const struct agg_val *b);
/* Its double, rounded once; TEXT may be infinite. */
double agg_val_double(const struct agg_val *v);
/* JSON. */
void agg_val_print(struct dp_buf *b, const struct agg_val *v);
/* A decimal without the zeros at its end, but with `least` digits behind the point. */
void agg_dec_print_least(struct dp_buf *b, dp_i128 unscaled, int scale, int least);
/* The canonical text of a node: equal for equal values. */
void agg_canonical(struct dp_buf *b, const struct dp_record *r, uint32_t node);

/* ---- memory ---- */

void *agg_realloc(struct dp_agg_mem *mem, void *p, size_t old, size_t size);
void agg_free(struct dp_agg_mem *mem, void *p, size_t size);

/* ---- exact sums ---- */

/* The sum of v[i] * 2^(64 * (lo + i)), the last limb signed; n 0 is zero.  Shifted as far as it needs. */
struct agg_wide {
    uint64_t *v;
    int32_t lo;
    uint16_t n, cap;
};
/* Adds (minus: takes away) the magnitude m[0..n) * 2^bit. */
void agg_wide_add(struct agg_wide *w, const uint64_t *m, int n, int64_t bit, bool minus, struct dp_agg_mem *mem);
void agg_wide_add_double(struct agg_wide *w, double d, bool minus, struct dp_agg_mem *mem); /* finite */
void agg_wide_add_square(struct agg_wide *w, double d, bool minus, struct dp_agg_mem *mem);
void agg_wide_add_i128(struct agg_wide *w, dp_i128 v, bool minus, struct dp_agg_mem *mem);
void agg_wide_add_scaled(struct agg_wide *w, dp_i128 v, int n, bool minus, struct dp_agg_mem *mem); /* v * 10^n, n up to 38 */
void agg_wide_add_wide(struct agg_wide *w, const struct agg_wide *from, bool minus, struct dp_agg_mem *mem);
void agg_wide_release(struct agg_wide *w, struct dp_agg_mem *mem);
bool agg_wide_is_negative(const struct agg_wide *w);
bool agg_wide_is_zero(const struct agg_wide *w);
/* Without limbs that say nothing; the same for the same value. */
void agg_wide_trim(struct agg_wide *w);
/* out = a * b, out is fresh. */
void agg_wide_mul(struct agg_wide *out, const struct agg_wide *a, const struct agg_wide *b);
void agg_wide_power_of_ten(struct agg_wide *out, int n);
/* The double that is nearest to num / den (den > 0): rounded once. */
double agg_wide_ratio(const struct agg_wide *num, const struct agg_wide *den);
/* An integer (no limb below 2^0) in decimal with `scale` digits behind the point. */
void agg_wide_print(struct dp_buf *b, const struct agg_wide *w, int scale);
void agg_wide_save(struct dp_buf *b, const struct agg_wide *w);
bool agg_wide_load(struct dp_str *in, struct agg_wide *w, struct dp_agg_mem *mem);

/* ---- multisets of byte strings ---- */

struct agg_bag;
uint64_t agg_bag_total(const struct agg_bag *b);    /* NULL is the empty one in all of these */
uint64_t agg_bag_distinct(const struct agg_bag *b);
void agg_bag_add(struct agg_bag **b, struct dp_str s, uint64_t count, struct dp_agg_mem *mem);
uint64_t agg_bag_count(const struct agg_bag *b, struct dp_str s);
void agg_bag_sub(struct agg_bag **b, struct dp_str s, struct dp_agg_mem *mem); /* it is there */
void agg_bag_release(struct agg_bag **b, struct dp_agg_mem *mem);
struct agg_bag_item { struct dp_str s; uint64_t count; };
/* The next one of those that are there, in no order; *at begins at 0. */
bool agg_bag_next(const struct agg_bag *b, size_t *at, struct agg_bag_item *out);
/* All of them sorted by bytes; caller frees. */
struct agg_bag_item *agg_bag_sorted(const struct agg_bag *b);

/* ---- accumulators ---- */

/* What an input's values must be. Of one input the strictest counts; BYTES and CANONICAL stand for themselves. */
enum agg_class {
    AGG_CLASS_PRESENT,   /* there or not */
    AGG_CLASS_ORDERED,   /* number or string */
    AGG_CLASS_NUMBER,
    AGG_CLASS_JSON,      /* as spelled */
    AGG_CLASS_CANONICAL
};

/* Is it of a kind that inputs of the class have?  For what is loaded. */
bool agg_val_fits(const struct agg_val *v, enum agg_class class);

struct agg_acc;
struct agg_acc_ops {
    size_t size; /* of a state, a multiple of 8 */
    /* v is not NULL in any of these */
    void (*add)(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem);
    bool (*has)(const struct agg_acc *a, const void *state, const struct agg_val *v, struct dp_agg_at at);
    void (*sub)(const struct agg_acc *a, void *state, const struct agg_val *v, struct dp_agg_at at, struct dp_agg_mem *mem);
    void (*merge)(const struct agg_acc *a, void *into, void *from, struct dp_agg_mem *mem); /* from may be left as it is; release follows */
    void (*release)(const struct agg_acc *a, void *state, struct dp_agg_mem *mem);          /* may leave bytes that are not zero */
    void (*save)(const struct agg_acc *a, const void *state, struct dp_buf *out);
    bool (*load)(const struct agg_acc *a, void *state, struct dp_str *in, struct dp_agg_mem *mem);
};

struct agg_acc {
    const struct agg_acc_ops *ops;
    size_t input;
    enum agg_class class; /* of its values */
    size_t offset;  /* of its state */
    uint64_t k;     /* of the k largest */
    bool largest;   /* of extremes; of edges: the last */
    bool counted;   /* rows may be taken out */
};

extern const struct agg_acc_ops agg_ops_count, agg_ops_sum, agg_ops_var, agg_ops_extreme, agg_ops_top, agg_ops_vec, agg_ops_approx, agg_ops_bag, agg_ops_hll,
    agg_ops_edge, agg_ops_list;

struct agg_input {
    size_t path;             /* of dp_aggs.paths; SIZE_MAX: the whole record */
    size_t where;            /* of dp_aggs.wheres; SIZE_MAX: none */
    enum agg_class class;
    const char *function;    /* the first that asked, for messages */
    const char *summed;      /* the first that adds its numbers up; NULL: none */
    size_t first_acc, n_acc; /* its accumulators */
};

struct agg_quantile { uint64_t num; int scale; }; /* num / 10^scale, 0 to 1 */

enum agg_fn {
    AGG_FN_COUNT, AGG_FN_SUM, AGG_FN_MEAN, AGG_FN_MIN, AGG_FN_MAX, AGG_FN_VAR_SAMP, AGG_FN_VAR_POP, AGG_FN_STDDEV_SAMP, AGG_FN_STDDEV_POP,
    AGG_FN_QUANTILE, AGG_FN_MEDIAN, AGG_FN_QUANTILE_APPROX, AGG_FN_TOP, AGG_FN_MOST, AGG_FN_DISTINCT, AGG_FN_DISTINCT_APPROX, AGG_FN_FIRST, AGG_FN_LAST,
    AGG_FN_COLLECT, AGG_FN_DELTA, AGG_FN_RATE, AGG_FN_EXPRESSION
};

struct agg_one {
    enum agg_fn fn;
    char *name;           /* decoded */
    struct dp_buf member; /* ,"name": */
    size_t acc, acc2;     /* SIZE_MAX: none (rows, an expression); acc2 is the last value's where acc is the first's */
    size_t path;          /* SIZE_MAX: none */
    struct agg_quantile q;
    uint64_t k;
    struct dp_expr *expr; /* EXPRESSION */
    char *describe;       /* canonical text behind the name */
};

struct agg_path {
    struct dp_path path;
    char *text;  /* canonical */
    char *label; /* for messages: price, .geo.lat */
};
struct agg_where { struct dp_expr *expr; char *text; };

struct dp_aggs {
    struct agg_one *ones;       size_t n_ones;
    struct agg_path *paths;     size_t n_paths;
    struct agg_where *wheres;   size_t n_wheres;
    struct agg_input *inputs;   size_t n_inputs;
    struct agg_acc *accs;       size_t n_accs; /* sorted by input */
    size_t size;
    bool counted;
    const char **fields; size_t n_fields; bool all_fields;
};

/* Results, appended; null where there is none. */
uint64_t agg_count_value(const void *state);
void agg_sum_print(const void *state, struct dp_buf *out);
void agg_mean_print(const void *state, struct dp_buf *out);
void agg_var_print(const void *state, bool samp, bool root, struct dp_buf *out);
/* DP_RECORD: numbers and strings are in it. */
enum dp_status agg_extreme_print(const struct agg_acc *a, const void *state, bool largest, struct dp_buf *out, struct dp_err *err);
void agg_vec_print(const struct agg_acc *a, const void *state, struct agg_quantile q, struct dp_buf *scratch, struct dp_buf *out);

enum dp_status agg_top_print(const struct agg_acc *a, const void *state, uint64_t k, struct dp_buf *out, struct dp_err *err);
void agg_approx_print(const struct agg_acc *a, const void *state, struct agg_quantile q, struct dp_buf *scratch, struct dp_buf *out);
uint64_t agg_hll_value(const struct agg_acc *a, const void *state);
void agg_most_print(const struct agg_bag *bag, uint64_t k, struct dp_buf *out);
void agg_edge_print(const struct agg_acc *a, const void *state, bool last, struct dp_buf *out);
void agg_list_print(const void *state, struct dp_buf *out);
/* The last value less the first; rate: a second. */
void agg_change_print(const struct agg_acc *first, const void *first_state, const struct agg_acc *last, const void *last_state, bool rate, struct dp_buf *out);

/* ---- quantiles, for both kinds ---- */

#define AGG_VEC_SIZE 40
/* ceil(q * n), at least 1. */
uint64_t agg_rank(struct agg_quantile q, uint64_t n);
uint64_t agg_vec_count(const void *state);
void agg_vec_each(const void *state, void (*each)(void *ctx, const struct agg_val *v, struct dp_agg_mem *mem), void *ctx, struct dp_agg_mem *mem);

/* The type of what a path leads to; NULL: not known. */
const struct dp_type *agg_type_of(const struct dp_type *types, const struct dp_path *path);

/* Which accumulators a path's functions share is decided while parsing; their places when all are known, and again when rows may be taken out. */
void agg_lay_out(struct dp_aggs *a);

#endif
