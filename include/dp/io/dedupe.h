/*
 * Each key once (dp-dedupe(1)): a row of stream callbacks that let one record of each key through.
 *
 * FIRST    the record that comes first; goes out at once.  Its key stays in a set (dp/io/keyset.h), with `within` in a table with its time, until the watermark is
 *          further than `within` behind it.
 * LAST     the one that comes last; MAX, MIN: the one with the highest or lowest value of a field, of equals the last.  Records wait in an unlinked file and
 *          those that are kept go out at the end, in the order in which they came; marks wait for them.
 *
 * With a state a checkpoint is written at each checkpoint mark, before the mark goes on, and that which begin names is restored; without a begin it is the newest, and
 * one is written at the end.
 *
 * Keys are equal when their values are (dp_tuple_bytes): 1.0 is 1.  Memory is bounded; answers don't depend on it, nor on threads.
 */
#ifndef DP_IO_DEDUPE_H
#define DP_IO_DEDUPE_H

#include <dp/io/stream.h>
#include <dp/record/field.h>

enum dp_dedupe_keep { DP_DEDUPE_FIRST, DP_DEDUPE_LAST, DP_DEDUPE_MAX, DP_DEDUPE_MIN };

struct dp_dedupe_opts {
    const char *key;       /* "A,B.C": paths; ".": the whole record */
    const char *keep;      /* "first", "last", "max:FIELD", "min:FIELD" */
    bool null_passes;      /* a record whose key has a null (or lacks a part) goes out; else it is a reject */
    bool has_within;       /* with FIRST: only records whose time is at most `within` ms from that of a kept one with the key are its duplicates */
    int64_t within;
    const char *time;      /* path of the event time (dp/record/event_time.h), in ms; with has_within */
    const char *timezone;  /* of times without an offset, or NULL: they are rejects */
    int64_t max_future;    /* ms; -1: none */
    const char *late;      /* a file for records behind the watermark, or NULL */
    const char *state;     /* a directory (dp/io/state.h) in which the keys that were kept outlive the program, or NULL; with FIRST */
    bool has_delay;        /* the watermark is `delay` ms behind the highest time; else only marks move it */
    int64_t delay;
    const char *against;   /* a source: records whose key is there are dropped; NULL: none */
    const char *const *names; size_t n_names; /* the operands that are read */
    const char *against_where; /* of its rows only those that meet this; NULL: all */
};

struct dp_dedupe_counts {
    uint64_t keys;         /* that were kept */
    uint64_t against;      /* keys of the source to compare with */
    uint64_t spilled;      /* bytes written to temporary files */
    double odds;           /* at most: of any two different keys having been taken for one */
    uint64_t late;
    uint64_t checkpoints;  /* written */
};

struct dp_dedupe;

/* Strings are borrowed until close.  Reads the keys of `against`. DP_USAGE: an option is wrong. */
enum dp_status dp_dedupe_open(struct dp_run *run, const struct dp_dedupe_opts *o, struct dp_dedupe **out, struct dp_err *err) DP_MUST_CHECK;
void dp_dedupe_close(struct dp_dedupe *d); /* NULL is legal */
/* A state without marks: named files go on where its last run left them. */
enum dp_status dp_dedupe_sources(struct dp_dedupe *d, struct dp_source_opts *sources, struct dp_err *err) DP_MUST_CHECK;
/* The stream ended by a signal: without a begin what was read is in the state, since nobody will send it again. */
void dp_dedupe_stopped(struct dp_dedupe *d);
/* For dp_stream_run, with d as their context and conf.decides set. */
const struct dp_stream_ops *dp_dedupe_ops(const struct dp_dedupe *d);
struct dp_dedupe_counts dp_dedupe_count(const struct dp_dedupe *d);

#endif
