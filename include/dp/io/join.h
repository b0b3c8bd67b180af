/*
 * Records joined with what another source knows of their keys: with all of its records of the key (a reference), with those within an interval of time, or with
 * the latest one at the time of the record (as-of).  Keys are the canonical bytes of dp_tuple_bytes, so 1.0 is 1; a key with a null in it matches nothing.
 *
 *   read the words ──► dp_join_open: the other source is read into an index ──► dp_stream_run with dp_join_ops ──► dp_join_close
 *
 * A record goes out as its own bytes with the members of its match behind them, once for each match: in the order of the other source, in an interval in that of its
 * times.  Output is in the order of the input and depends on neither memory nor threads: what does not fit waits as a sorted run in an unlinked file.
 *
 * With a delay (DP_JOIN_WITHIN) both sides are streams: the other source is read only as far as the record at hand needs it, each side promises that its times go
 * back by no more than the delay, and what can't match any more is dropped.  A record that breaks the promise of its own side is late and joins nothing, so what
 * comes out does not depend on how the two sides arrive.
 */
#ifndef DP_IO_JOIN_H
#define DP_IO_JOIN_H

#include <dp/io/stream.h>

enum dp_join_kind { DP_JOIN_INNER, DP_JOIN_LEFT, DP_JOIN_ANTI };
enum dp_join_how { DP_JOIN_KEYS, DP_JOIN_WITHIN, DP_JOIN_AS_OF };

/* As the options say it; all borrowed until dp_join_close. */
struct dp_join_words {
    const char *with;               /* file, glob, directory, table; FILE#TABLE of SQLite */
    const char *on;                 /* "id", "customer=id,.country" */
    enum dp_join_kind kind;
    const char *within;             /* "5m", "-1m,10m"; NULL */
    const char *as_of;              /* "ts", "ts=valid_from,within 7d"; NULL */
    const char *time, *with_time;   /* fields of WITHIN; with_time NULL: as time */
    const char *timezone;           /* of times without an offset, which are instants then; NULL: they are local */
    const char *take;               /* "name,tier": columns of the other source; NULL: all but keys and, where it has the name of the record's, the time */
    const char *prefix;             /* in front of their names; NULL */
    const char *with_version;       /* of a table: the version or time to read; NULL: the latest */
    bool require;                   /* a record without a match is a reject */
    bool unique;                    /* a key that stands twice in the other source is DP_RULE (KEYS) */
    bool follow;                    /* with a delay: the other source is read as it grows, without an end */
    int64_t delay_ms;               /* -1: the other source is read to its end first */
    int64_t reload_ms;              /* KEYS, AS_OF: how often a newer version of the source is looked for; 0: never; -1: each second, of records from a pipe */
    bool piped;                     /* the records come from a pipe */
};

struct dp_join;

/* DP_USAGE: words that are wrong.  DP_SCHEMA: no record of the source has a column that is named.  DP_FORMAT: a record of it is bad. */
enum dp_status dp_join_open(struct dp_run *run, const struct dp_join_words *words, struct dp_join **out, struct dp_err *err) DP_MUST_CHECK;
void dp_join_close(struct dp_join *j); /* NULL is legal */
/* For dp_stream_run, whose ctx is the join; conf.decides must be set. */
const struct dp_stream_ops *dp_join_ops(void);

/* Of the other source: its records, those without a key or a time, late ones, bytes spilled, and how often it was read anew. */
struct dp_join_counts { uint64_t records, no_key, late, spilled, reloads; };
struct dp_join_counts dp_join_counts(const struct dp_join *j);

#endif
