/* What the parts of the search for traces share (dp/io/traces.h): patterns, and what one file's search has met. */
#ifndef DP_IO_TRACES_PRIV_H
#define DP_IO_TRACES_PRIV_H

#include <dp/base/arena.h>
#include <dp/base/patterns.h>
#include <dp/io/traces.h>
#include <dp/record/json.h>

/* A text that says something of a value: SURE by itself, or only where the record around it is looked at. */
struct trace_pattern { struct dp_str bytes; size_t value; bool is_sure; };

/* Zero value is empty.  Read-only once made; of all threads. */
struct trace_set {
    struct dp_trace_value *v; /* those asked for, and behind them the same under physical names */
    size_t *asked;            /* of each: the number of the value that was asked for */
    size_t n, n_asked;
    struct trace_pattern *patterns;
    size_t n_patterns, cap_patterns;
    struct dp_patterns *finder; /* of all patterns */
    size_t longest;           /* bytes of a pattern */
    struct dp_arena arena;
};
void trace_set_make(struct trace_set *s, const struct dp_trace_value *values, size_t n, const struct dp_trace_value *aliases, const size_t *alias_of, size_t n_aliases);
void trace_set_release(struct trace_set *s);
/* Names of columns are told apart without case (ASCII), as everywhere where a subject is looked for. */
bool trace_is_name(struct dp_str a, struct dp_str b);

/* One thread's search of one file.  counts: kind * n_asked + value. */
struct trace_search {
    const struct dp_run *run;
    const struct trace_set *set;
    uint64_t *counts;
    uint64_t rows, bytes;
    struct dp_scan *scan, *inner;
    struct dp_buf text, decoded, nested;
    uint64_t *line_of;        /* of each value: the last line that it was met in; numbered through all that is searched */
    size_t *met, n_met;       /* values met in the line at hand */
    bool *is_sure;            /* of each value: by a pattern that says so by itself */
    size_t *last_end;         /* of each pattern: where it was met last in the bytes at hand */
    uint64_t line;
    struct dp_buf why;        /* not empty: nothing can be said */
};
void trace_search_open(struct trace_search *s, const struct dp_run *run, const struct trace_set *set);
void trace_search_close(struct trace_search *s);
static inline void trace_met(struct trace_search *s, enum dp_trace_kind kind, size_t value, uint64_t n) { s->counts[kind * s->set->n_asked + s->set->asked[value]] += n; }

/* ---- traces_text.c ---- */
/* Counts what begins or goes on behind the first `before` bytes. */
void trace_bytes(struct trace_search *s, struct dp_str bytes, size_t before, enum dp_trace_kind kind);
/* Lines of JSON, each with its newline but perhaps the last; DP_SCAN_PAD bytes readable behind. */
void trace_lines(struct trace_search *s, struct dp_str lines);
/* A path from the log or from a directory. */
void trace_name(struct trace_search *s, struct dp_str path);
/* A bound of a column: the value itself, or what is left of it where bounds are cut short. */
bool trace_is_bound(struct dp_str bound, struct dp_str value);

/* ---- traces_parquet.c ---- */
enum dp_status trace_parquet(struct trace_search *s, const char *path, struct dp_err *err) DP_MUST_CHECK;

#endif
