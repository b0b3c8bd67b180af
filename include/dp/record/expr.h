/*
 * Expressions in jq's grammar.  The common part (paths, literals, comparisons, and/or/not, arithmetic, //, in, IN, test, startswith, endswith,
 * contains, length, ascii_downcase, tonumber, tostring, type, has, dates, if-then-else, |, object and array construction for dp-map) is compiled and runs on the record in place;
 * what is beyond it runs in libjq (opened at first use).  Where we differ from jq on purpose is listed in dp.7: numbers compare exactly, an ordering against null is
 * false, an error is an error of this record, env/input/import/debug/halt and the like are refused.
 */
#ifndef DP_RECORD_EXPR_H
#define DP_RECORD_EXPR_H

#include <dp/record/json.h>

struct dp_expr;      /* immutable, shared by threads */
struct dp_expr_run;  /* one per thread */

/* `where` use: one boolean.  DP_USAGE with the column of the error; DP_UNSUPPORTED when libjq is needed and can't be opened. */
enum dp_status dp_expr_compile(struct dp_str text, struct dp_expr **out, struct dp_err *err) DP_MUST_CHECK;
void dp_expr_free(struct dp_expr *e);
/* Does it run compiled, without libjq? */
bool dp_expr_is_compiled(const struct dp_expr *e);
/* Forces libjq; for the differential test. */
enum dp_status dp_expr_compile_jq(struct dp_str text, struct dp_expr **out, struct dp_err *err) DP_MUST_CHECK;

struct dp_expr_run *dp_expr_run_open(const struct dp_expr *e);
void dp_expr_run_close(struct dp_expr_run *r);

/* True, false (null is false).  DP_RECORD: the expression erred on this record, err->msg says why. */
enum dp_status dp_expr_test(struct dp_expr_run *r, const struct dp_record *rec, bool *out, struct dp_err *err) DP_MUST_CHECK;

/*
 * Appends each output of the program as JSON text with a newline to `out`; *n (may be NULL) counts them.
 * Untouched values and, for updates such as `.a = 1` or `del(.x)`, untouched members keep their bytes.
 */
enum dp_status dp_expr_apply(struct dp_expr_run *r, const struct dp_record *rec, struct dp_buf *out, size_t *n, struct dp_err *err) DP_MUST_CHECK;

/* Top-level fields that the expression may read, for projection; false: it may read all. Borrowed strings. */
bool dp_expr_fields(const struct dp_expr *e, const char *const **fields, size_t *n);

/* ---- data skipping: what statistics say ---- */
enum dp_verdict { DP_MAYBE, DP_NEVER, DP_ALWAYS };
/* Bounds of one field over a set of rows, values as JSON spelling (strings without quotes, decoded). */
struct dp_expr_bounds {
    bool known;              /* false: nothing is known of the field */
    enum dp_kind kind;       /* of min and max: NUMBER or STRING; NONE: no bounds */
    struct dp_str min, max;  /* inclusive; max may be an upper bound only */
    int64_t rows, nulls;     /* nulls -1: not known */
};
/* Asks bounds(ctx, field) for the fields it uses; NEVER: no row can satisfy it. */
enum dp_verdict dp_expr_skip(const struct dp_expr *e, bool (*bounds)(void *ctx, struct dp_str field, struct dp_expr_bounds *out), void *ctx);

#endif
