/*
 * Aggregates over the records of a window: what `--agg 'n=count(), de=sum(price) where .country == "DE"'` says, compiled; reading their inputs from a record;
 * states that take records in, and out again; results.
 *
 *   parse ──► struct dp_aggs (immutable) ──► dp_agg_reader, one per thread: record ──► row (bytes) ──► dp_agg_add into a state ──► dp_agg_print
 *
 * What a state prints depends on the set of rows in it alone (with their times and arrival numbers): not on their order, nor on how they were spread over
 * states that were merged, saved and loaded.  So output is the same whatever --memory and --threads say, and a row that is taken out leaves no trace.
 *
 *   NAME=count()            rows; count(f): rows whose f is there and not null
 *   sum mean                of numbers; null and missing are skipped, none at all is null
 *   min max                 of numbers by value, of strings by their bytes (dates, times); both in one window is an error of its result
 *   var_samp var_pop stddev_samp stddev_pop
 *   first last collect(f) collect()   by event time, then arrival; collect(): whole records
 *   delta rate              last value less first; for each second between them
 *   distinct distinct_approx (HyperLogLog, p = 14, standard error 0.81 %; exact below 256 values)
 *   quantile(f,q) (nearest rank, exact), quantile_approx(f,q) (DDSketch, 1 % of the value; exact below 1,000 values), median(f)
 *   top(f,k) (the k largest values, largest first), most(f,k) (the k most frequent, each {"value","count"})
 *   NAME=EXPRESSION         in jq's grammar over the object of window_start, window_end, the key fields and the aggregates before it
 * Behind a call: `where EXPRESSION`, over the record.  f is a field name or a path (price, .geo.lat).
 *
 * Sums are exact, of decimals of up to 38 digits as they are spelled (printed with the longest scale among them), of others and of float columns as doubles; with doubles among them the
 * exact sum of all is rounded once.  Means and variances are quotients of exact sums, rounded once.  "NaN" and infinities of float columns: sums are NaN, orders pass them over.
 * More: AGGREGATES in dp-window(1).
 */
#ifndef DP_RULES_AGG_H
#define DP_RULES_AGG_H

#include <dp/record/expr.h>
#include <dp/record/type.h>

struct dp_aggs;
struct dp_agg_reader;
struct dp_agg_printer;

/*
 * texts[0..n): each one or more, separated by commas outside of brackets and quotes.  reserved: names that are taken (key fields, window_start ...), NULL-terminated.
 * DP_USAGE: with the text and column; the nearest function's name is told.
 */
enum dp_status dp_aggs_parse(const char *const *texts, size_t n, const char *const *reserved, struct dp_aggs **out, struct dp_err *err) DP_MUST_CHECK;
void dp_aggs_free(struct dp_aggs *a); /* NULL is legal */
/* Rows may also be taken out (dp_agg_sub): before the first reader or state.  States of min, max, first, last and the like then hold all their values. */
void dp_aggs_allow_sub(struct dp_aggs *a);
/* Canonical text, the same for what computes the same; for a checkpoint's description of its query. */
void dp_aggs_describe(const struct dp_aggs *a, struct dp_buf *out);
/* Adds the result columns to `out` (a struct type); `in` is the schema of the records, NULL: not known. */
void dp_aggs_schema(const struct dp_aggs *a, const struct dp_type *in, struct dp_type *out);
/* Is a state of few bytes however many rows are in it, and would not be when rows may be taken out (min, max, first, last and the like, without any that hold many values)? */
bool dp_aggs_are_small(const struct dp_aggs *a);
size_t dp_aggs_count(const struct dp_aggs *a);
const char *dp_aggs_name(const struct dp_aggs *a, size_t i);
/* Top-level fields that it reads, for projection and lineage; false: it may read all.  Borrowed. */
bool dp_aggs_fields(const struct dp_aggs *a, const char *const **fields, size_t *n);

/* What result i is made of, for lineage.  Borrowed from a. */
struct dp_agg_reads {
    const char *expression;       /* over the results before; NULL: it is an aggregate of the next ones */
    const struct dp_path *value;  /* NULL: of no field (count()), or of whole records */
    bool whole;
    bool counts;                  /* its values can't be seen in the result, only how many there are */
    const struct dp_expr *where;  /* NULL: none */
};
void dp_agg_reads(const struct dp_aggs *a, size_t i, struct dp_agg_reads *out);

struct dp_agg_reader *dp_agg_reader_open(const struct dp_aggs *a);
void dp_agg_reader_close(struct dp_agg_reader *r);
/* types: of the records, NULL: not known (looked up once: the same pointer is the same schema).  Appends the row.  DP_RECORD: a value is of the wrong kind or an expression errs; err->msg says which, nothing is appended. */
enum dp_status dp_agg_read(struct dp_agg_reader *r, const struct dp_record *rec, const struct dp_type *types, struct dp_buf *row, struct dp_err *err) DP_MUST_CHECK;

/* Heap of all states that were given this, for who bounds memory. */
struct dp_agg_mem { size_t bytes; };
/* Of a row: its event time and its number among the records that were accepted. */
struct dp_agg_at { int64_t time; uint64_t arrival; };

/* Bytes of a state, a multiple of 8; all zero is the empty one.  A state may be moved with memcpy.  One thread at a time, also for what takes it const. */
size_t dp_agg_size(const struct dp_aggs *a);
void dp_agg_add(const struct dp_aggs *a, void *state, struct dp_str row, struct dp_agg_at at, struct dp_agg_mem *mem);
/* Takes out a row that is equal to one that went in (arrival numbers are passed over: of equal rows of one time the latest goes). False: there is none such, as far as can be told; nothing was done. */
bool dp_agg_sub(const struct dp_aggs *a, void *state, struct dp_str row, struct dp_agg_at at, struct dp_agg_mem *mem) DP_MUST_CHECK;
uint64_t dp_agg_rows(const struct dp_aggs *a, const void *state); /* in it */
/* from is empty behind it. */
void dp_agg_merge(const struct dp_aggs *a, void *into, void *from, struct dp_agg_mem *mem);
void dp_agg_release(const struct dp_aggs *a, void *state, struct dp_agg_mem *mem); /* it is empty behind it */
/* Appends bytes that stand for the state, the same for the same set of rows wherever they are read (any machine). */
void dp_agg_save(const struct dp_aggs *a, const void *state, struct dp_buf *out);
/* Reads one state from the front of *in into an empty one, and moves *in behind it.  DP_FORMAT: it is damaged; no size of it is trusted. */
enum dp_status dp_agg_load(const struct dp_aggs *a, void *state, struct dp_str *in, struct dp_agg_mem *mem, struct dp_err *err) DP_MUST_CHECK;

/* Prints; not shared by threads.  reset: before each state, `head` = members of the result so far ("\"window_start\":...,\"k\":\"a\""), which expressions read. */
struct dp_agg_printer *dp_agg_printer_open(const struct dp_aggs *a);
void dp_agg_printer_close(struct dp_agg_printer *p);
/* Appends `,"n":5,"sum":1.20` behind head, which stands in out from byte `head` on (behind the record's `{`).  DP_RECORD: an expression errs on it, or values without an order are in it; err->msg says which. */
enum dp_status dp_agg_print(struct dp_agg_printer *p, const void *state, size_t head, struct dp_buf *out, struct dp_err *err) DP_MUST_CHECK;

#endif
