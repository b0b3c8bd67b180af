/*
 * Traces: is a subject still in anything that a table consists of?  Every file below the table's directory, every file in its tiers and every file that its log names elsewhere is
 * searched, whatever version needs it or none:
 *
 *   name        names of files and directories (escapes of the log and of Hive undone)
 *   row         records: of Parquet files (all physical rows, deleted ones too: data, change data, checkpoints, sidecars) and of files of JSON lines (the log, rejects)
 *   page        pages decompressed, dictionaries with entries that no row has any more among them
 *   statistics  bounds in footers and page indexes, also where they are cut short
 *   bloom       filters that say "perhaps" (such an answer may be a chance hit, and is told apart)
 *   bytes       the file as it is on disk
 *   unread      nothing can be said: it can't be read, or is of a kind that is not looked into (compressed)
 *
 * A file that is no table's is searched in the same ways; of CSV the records too.
 *
 * An identifier is a column's name and a value as records spell it.  Values of at least DP_TRACE_FREE bytes that are no number are looked for everywhere; shorter ones and numbers
 * would be met by chance, and are looked for in columns and members of that name (the physical one too), and as Hive's NAME=VALUE in paths.
 */
#ifndef DP_IO_TRACES_H
#define DP_IO_TRACES_H

#include <dp/io/run.h>

#define DP_TRACE_FREE 5

struct dp_trace_value { struct dp_str name, text; };
/* The identifiers of a subject, borrowed from it, one for each of s->n; caller frees. */
struct dp_subject;
struct dp_trace_value *dp_traces_of(const struct dp_subject *s);

enum dp_trace_kind { DP_TRACE_NAME, DP_TRACE_ROW, DP_TRACE_PAGE, DP_TRACE_STATISTICS, DP_TRACE_BLOOM, DP_TRACE_BYTES, DP_TRACE_UNREAD, DP_TRACE_KINDS };
extern const char *const dp_trace_words[DP_TRACE_KINDS];

/* What was met in one file. */
struct dp_trace {
    const char *path;
    enum dp_trace_kind kind;
    const struct dp_trace_value *value; /* NULL: UNREAD */
    uint64_t n;                         /* rows, pages, bounds, filters, places */
    const char *why;                    /* UNREAD: why it can't be told; else NULL */
};

struct dp_traces_totals {
    uint64_t tables, files, bytes, rows;
    uint64_t found;   /* files in which a value was met, in any way but a filter's "perhaps" */
    uint64_t perhaps; /* files of which only a bloom filter says so */
    uint64_t unread;  /* files of which nothing can be said */
};

/*
 * Searches tables and files one after the other, the files of a table on all threads; `say` is told in the order of the paths, whatever the threads do.  Values are borrowed and never part of a
 * message.  DP_USAGE: neither a table nor a file; DP_IO, DP_FORMAT ...: its log can't be read, so that nobody knows which files belong to it.
 */
enum dp_status dp_traces_find(struct dp_run *run, const char *const *tables, size_t n, const struct dp_trace_value *values, size_t n_values,
                              enum dp_status (*say)(void *ctx, const struct dp_trace *t, struct dp_err *err), void *ctx, struct dp_traces_totals *out, struct dp_err *err) DP_MUST_CHECK;

#endif
