/*
 * Private to lib/io/join*.c.
 *
 * An entry is a record of the other source: hash of its key, time, and its content: key and text.  Runs of entries sorted by (hash, time, arrival) are what is
 * searched: in memory with a directory by the hash's leading bits, or in a file as pages with a fence each.
 */
#ifndef DP_IO_JOIN_PRIV_H
#define DP_IO_JOIN_PRIV_H

#include <dp/base/map.h>
#include <dp/io/join.h>
#include <dp/io/source.h>
#include <dp/record/event_time.h>
#include <dp/record/field.h>

#include <pthread.h>

/* Milliseconds and, within them, nanoseconds. */
struct join_time { int64_t ms; uint32_t ns; };
enum join_clock { JOIN_CLOCK_NONE, JOIN_CLOCK_INSTANT, JOIN_CLOCK_LOCAL };

static inline int join_time_cmp(struct join_time a, struct join_time b) {
    return a.ms != b.ms ? (a.ms < b.ms ? -1 : 1) : a.ns != b.ns ? (a.ns < b.ns ? -1 : 1) : 0;
}
#define JOIN_TIME_LEAST ((struct join_time){INT64_MIN, 0})
#define JOIN_TIME_MOST ((struct join_time){INT64_MAX, 999999})
/* Saturates. */
struct join_time join_time_add(struct join_time t, int64_t ms);
/* DP_OK; DP_END: null or absent; DP_RECORD: no time. */
enum dp_status join_time_read(const struct dp_event_clock *c, const struct dp_record *r, uint32_t node, struct dp_buf *scratch, struct join_time *t, enum join_clock *clock);

/* ---- entries ---- */

struct join_entry { uint64_t hash; int64_t ms; uint32_t ns, n; uint64_t at; }; /* n bytes of content at `at` of the texts; `at` grows with arrival */
struct join_head { uint32_t key_n, shape; };                                   /* content: this, the key, the text */

/* Contents in blocks: `at` is the block's number and the place in it. */
struct join_texts { struct join_block { char *p; uint32_t used, size; } *v; size_t n, cap; uint64_t bytes; };
char *join_texts_room(struct join_texts *t, uint32_t n, uint64_t *at);
static inline const char *join_texts_at(const struct join_texts *t, uint64_t at) { return t->v[at >> 32].p + (uint32_t)at; }
void join_texts_release(struct join_texts *t);

/* ---- runs ---- */

struct join_fence { uint64_t hash; int64_t ms; uint32_t ns, n; uint64_t at; }; /* first entry of a page, and where its n bytes are */

struct join_run {
    uint64_t id, n;            /* id: of all runs of a process that are searched by one reader */
    int64_t min_ms, max_ms;
    uint64_t bytes;            /* in memory: of all it holds; in a file: its size */
    bool is_file;
    struct join_entry *v; uint32_t *dir; unsigned bits; struct join_texts texts;
    int fd; struct join_fence *fences; size_t n_fences, cap_fences;
};

/* Takes over entries and texts (both are empty then), and sorts. */
void join_run_build(struct join_run *r, struct join_entry **v, size_t *n, struct join_texts *texts);
void join_run_release(struct join_run *r);
/* Several runs in the order of their arrival as one in a file, without entries before `keep_ms`; they are left as they are. */
enum dp_status join_run_merge(struct join_run *const *from, size_t n, int64_t keep_ms, struct join_run *out, struct dp_err *err) DP_MUST_CHECK;
/* The same in memory. */
void join_run_join(struct join_run *const *from, size_t n, int64_t keep_ms, struct join_run *out);
/* Is a key there twice?  *key: its bytes, in scratch. */
enum dp_status join_run_twice(const struct join_run *r, bool *twice, struct dp_buf *scratch, struct dp_err *err) DP_MUST_CHECK;

/* Pages of runs in files, one reader a thread.  Zero value is empty. */
enum { JOIN_SLOTS = 64 };
struct join_reader { struct join_slot { uint64_t run; size_t page; struct dp_buf buf; } slots[JOIN_SLOTS]; };
void join_reader_release(struct join_reader *r);

struct join_match { struct join_time time; uint32_t shape; struct dp_str text; }; /* borrowed for the call */
typedef enum dp_status (*join_take)(void *ctx, const struct join_match *m, struct dp_err *err);

struct join_key { uint64_t hash; struct dp_str bytes; };
/* Entries of the key with from <= time <= to, in order. */
enum dp_status join_run_range(const struct join_run *r, struct join_reader *reader, const struct join_key *key, struct join_time from, struct join_time to,
                              join_take take, void *ctx, struct dp_err *err) DP_MUST_CHECK;
/* The last of them. */
enum dp_status join_run_last(const struct join_run *r, struct join_reader *reader, const struct join_key *key, struct join_time from, struct join_time to,
                             join_take take, void *ctx, struct dp_err *err) DP_MUST_CHECK;

/* ---- the other source ---- */

struct join_spec {
    enum dp_join_kind kind;
    enum dp_join_how how;
    struct dp_path *left, *right; size_t n_keys;
    struct dp_path left_time, right_time; bool has_time;
    struct dp_zone *zone;
    struct dp_event_clock clock;  /* how they are read */
    int64_t from_ms, to_ms;       /* of the match's time less the record's */
    char **take; size_t n_take; bool takes;
    const char *with, *prefix, *version;
    bool drops_time;              /* the time column has the record's name and is not asked for */
};

struct join_column { char *name; struct dp_type *type; }; /* type NULL: not known */

/* What was read of it. */
struct join_ref {
    unsigned refs;                /* under the join's lock */
    uint64_t hash_seed;
    struct join_run run;
    struct join_column *columns; size_t n_columns, cap_columns;
    struct dp_map names;          /* column -> its number + 1 */
    struct dp_map shapes;         /* columns of a record -> number */
    char **tails; size_t n_tails; /* by shape: nulls for the columns that it lacks */
    char *nulls;                  /* for all of them */
    struct dp_map out_names;      /* as they go out */
    enum join_clock clock;
    uint64_t records, no_key, spilled;
    bool *found; size_t n_found;  /* by key, then time, then taken column: some record had it */
};

enum dp_status join_spec_read(const struct dp_join_words *w, struct join_spec *s, struct dp_err *err) DP_MUST_CHECK;
void join_spec_release(struct join_spec *s);

/* Names of columns that alone must be read of a typed source; n 0: all. Strings are the spec's, the list the caller's. */
const char **join_spec_columns(const struct join_spec *s, size_t *n);

/* Reads the whole source on these threads. */
enum dp_status join_ref_load(struct dp_run *run, struct dp_pool *pool, unsigned threads, const struct join_spec *s, bool unique, uint64_t memory, uint64_t id,
                             struct join_ref **out, struct dp_err *err) DP_MUST_CHECK;
void join_ref_free(struct join_ref *ref);

#endif
