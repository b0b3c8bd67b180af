/*
 * Expressions in jq's grammar, over one record.  The common part is compiled and runs on the record in place; a program that goes
 * beyond it runs as a whole in libjq (opened at first use).  Compiled are: paths with `?`, slices, `.[]`, literals, strings with `\( )`,
 * comparisons, and/or/not, arithmetic, `//`, `,`, `|`, if, try without catch (or with a constant one), `as $x`, arrays, objects,
 * assignments to paths, @text, @json and the functions in expr_func.c's table: length not type keys to_entries has in contains inside startswith
 * endswith ltrimstr rtrimstr ascii_downcase ascii_upcase tostring tonumber tojson split join floor round ceil fabs sqrt add any all first last min
 * max sort unique reverse fromdate todate error empty select map map_values IN del test and the selections by type (values, strings ...).
 *
 * Differences from jq 1.6.  Every one is in this list; the names are those of the differential test.
 *   exact-compare   Numbers compare by their digits: 9007199254740993 is not 9007199254740992, 1e400 is not 1e401.
 *   exact-arith     Sums, differences and products are exact up to 38 digits (0.1 + 0.2 is 0.3); a quotient that ends within 17 places is exact;
 *                   % takes whole parts exactly.  Others are the double's.
 *   null-order      < <= > >= with null on a side are false.  In sort, min, max, unique, and inside arrays and objects, null is first as in jq.
 *   spelling        What is passed through keeps its bytes: numbers (1.10, also as text of tostring, tojson and strings), escapes, blanks.
 *                   Exact results have no exponent and no zeros at the end; those of doubles are the shortest text.
 *   range           A number or result beyond the range of a double is an error where arithmetic needs one (jq: the largest double);
 *                   NaN and infinities are errors, not null, when they come out.
 *   error-rejects   An error ends the whole record: outputs before it are dropped, and it is the record's reject.
 *   own-errors      `?` and try catch the errors of their own body, not those of what follows (as jq 1.7 does).
 *   null-error      error with null is an error (jq: no output).
 *   duplicate-key   A record with a key twice in one object is an error (jq: the last one).
 *   depth           Records may be nested 512 deep (jq 1.6: 256, an object counting twice); in libjq it stays jq's limit.
 *   surrogate       Half of a surrogate pair in a record reads as U+FFFD (jq 1.6 refuses some).
 *   tonumber        Takes digits only, no blanks around them, no nan.
 *   dates           fromdate takes all of RFC 3339, with fractions and offsets; todate takes the years 0 to 9999.
 *   pattern         test with a constant pattern is PCRE2's, with a match limit; flags other than g, i, x go to libjq.
 *   search          A search or slice given as a value (`.[$array]`, `.[$object]`) is an error in compiled programs (null[$object] is null).
 *   grammar         `if` without `else` and `.a.[0]` are accepted (as in jq 1.7); `.a?//b` is `(.a?) // b`.
 *   refused         env $ENV input inputs debug stderr input_filename input_line_number halt halt_error import include module modulemeta
 *                   get_search_list $__loc__ now localtime strflocaltime, and names with an underscore in front.
 *   bounded         One record may cost a named number of steps, turns of loops, bytes and outputs (dp/base/limits.h); more is an error.
 *   libjq           Beyond the compiled part numbers are doubles: a record (or literal) with a number that would not read back equal is refused,
 *                   numbers that are printed are respelled, and the version of libjq decides what jq's versions differ in.
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
/* The first thing in it that is beyond the compiled part ("column 5: reduce"); NULL when there is none. For -v. */
const char *dp_expr_why(const struct dp_expr *e);
/* Forces libjq; for the differential test. */
enum dp_status dp_expr_compile_jq(struct dp_str text, struct dp_expr **out, struct dp_err *err) DP_MUST_CHECK;

/* Is it true only of records whose top-level field `name` is the string `text`, and never an error of others?  Borrowed from e. */
bool dp_expr_needs(const struct dp_expr *e, struct dp_str *name, struct dp_str *text);

struct dp_expr_run *dp_expr_run_open(const struct dp_expr *e);
void dp_expr_run_close(struct dp_expr_run *r);

/* True when an output is neither false nor null.  DP_RECORD: the expression erred on this record, err->msg says why. */
enum dp_status dp_expr_test(struct dp_expr_run *r, const struct dp_record *rec, bool *out, struct dp_err *err) DP_MUST_CHECK;

/*
 * Appends each output of the program as JSON text with a newline to `out`; *n (may be NULL) counts them.
 * Untouched values and, for updates such as `.a = 1` or `del(.x)`, untouched members keep their bytes.
 */
enum dp_status dp_expr_apply(struct dp_expr_run *r, const struct dp_record *rec, struct dp_buf *out, size_t *n, struct dp_err *err) DP_MUST_CHECK;

/* Top-level fields that the expression may read, for projection; false: it may read all. Borrowed strings. */
bool dp_expr_fields(const struct dp_expr *e, const char *const **fields, size_t *n);

/* ---- data skipping: what statistics say ---- */
enum dp_maybe { DP_MAYBE, DP_NEVER, DP_ALWAYS };
/* Bounds of one value over a set of rows, as JSON spelling (strings without quotes, decoded). */
struct dp_expr_bounds {
    bool known;              /* false: nothing is known of it */
    enum dp_kind kind;       /* of min and max: NUMBER, STRING, or FALSE for "false" and "true"; NONE: no bounds */
    struct dp_str min, max;  /* inclusive; each may be a bound only, not a value that is there */
    int64_t rows, nulls;     /* nulls -1: not known */
    bool may_nan;            /* float bounds that leave NaN and infinities out: rows may hold "NaN" and the like as strings (Delta statistics) */
};
/* What is known of a set of rows.  A path is the names from the record down, as in `.a.b`. */
struct dp_expr_facts {
    bool (*bounds)(void *ctx, const struct dp_str *path, size_t n, struct dp_expr_bounds *out);
    /* Is it sure that no row has this NUMBER (as spelled) or STRING (decoded) there?  Asked where bounds leave it open; NULL: never known. */
    bool (*lacks)(void *ctx, const struct dp_str *path, size_t n, enum dp_kind kind, struct dp_str value);
    void *ctx;
};
/* NEVER: no row can satisfy it (rows on which it would err are not told from those for which it is false). */
enum dp_maybe dp_expr_skip(const struct dp_expr *e, const struct dp_expr_facts *facts);

#endif
