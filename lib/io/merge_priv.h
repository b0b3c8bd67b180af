/* What the files of merge share: merge.c (records that come), merge_sort.c (keys in order), merge_apply.c (what becomes of the table). */
#ifndef DP_IO_MERGE_PRIV_H
#define DP_IO_MERGE_PRIV_H

#include "commit_priv.h"
#include "edit_priv.h"
#include "lay_priv.h"

#include <dp/io/generated.h>
#include <dp/io/keyset.h>
#include <dp/io/merge.h>

/* A record or a row: its key, its sequence in an order of unsigned numbers, and where it is (unique). */
struct merge_entry { uint64_t key[2], seq[2], where; int64_t id; /* of a row of a table that tracks them */ };

/* ---- merge_sort.c: entries of any number in bounded memory, by key, sequence, place ---- */

struct merge_run { uint64_t at, n, next; struct merge_entry *block; size_t i, filled; };
struct merge_sort {
    size_t cap, n;          /* of entries in memory */
    struct merge_entry *v;
    size_t room;
    struct merge_run *runs; /* in the file; behind them, while reading, those in memory */
    size_t n_runs, runs_cap;
    size_t next;            /* in memory */
    int fd;
    bool is_open;
    uint64_t size;
};
void merge_sort_open(struct merge_sort *s, uint64_t memory);
enum dp_status merge_sort_add(struct merge_sort *s, const struct merge_entry *v, size_t n, struct dp_err *err) DP_MUST_CHECK;
/* To the first one; again as often as wanted, and no add from here on. */
enum dp_status merge_sort_begin(struct merge_sort *s, struct dp_err *err) DP_MUST_CHECK;
/* False: no more. */
enum dp_status merge_sort_next(struct merge_sort *s, struct merge_entry *out, bool *more, struct dp_err *err) DP_MUST_CHECK;
void merge_sort_release(struct merge_sort *s);

/* ---- the run ---- */

struct merge {
    struct dp_run *run;
    struct dp_run side;           /* what merge_apply works with: in the middle of the stream the run's own pool is busy with that */
    struct dp_pool *pool;         /* its threads, or NULL: those of the run */
    const struct dp_merge_opts *o;
    struct dp_merged *out;
    struct commit_batch batch;
    struct dp_dataset *output;    /* the table, for lineage */
    struct dp_type *schema;       /* the table's, as rows are read */
    struct dp_type *in_schema;    /* of records: that, with what they may lack nullable, and what says what they are */
    struct dp_generated *generated; /* columns that the table makes of others; NULL: none */
    size_t *keys, n_keys;         /* columns */
    size_t sequence;              /* column of in_schema; SIZE_MAX: none */
    size_t change_type, op;       /* columns of in_schema; SIZE_MAX: the table has a column of that name */
    /* what came, since the last commit */
    struct dp_keyset *hasher;     /* holds nothing: its seed is that of all keys, which are made before it is known what commit they belong to */
    struct dp_keyset *set;
    struct merge_sort entries;
    struct dp_lay_store store;
    struct dp_lay_extent *extents;
    size_t n_extents, extents_cap;
    uint64_t n;                   /* records */
    bool *seen;                   /* scratch of the set */
    size_t seen_cap;
    struct dp_batch bounds;       /* for each key whose type has bounds the least and the greatest: two rows */
    bool has_bounds;
    /* parts */
    bool covered;
    int64_t next_part;
};

/* Bytes of a row's key behind out's content, or false where it holds a null. */
bool merge_key(const struct merge *m, const struct dp_column *const *columns, int64_t row, struct dp_buf *out);
/* A sequence as unsigned numbers; null is the least. */
void merge_sequence(const struct dp_column *c, int64_t row, uint64_t out[2]);
/* Of keys of this type the bounds are kept: spellings whose order is that of the values. */
bool merge_has_bounds(const struct dp_type *t);
/* All that came, as one commit. */
enum dp_status merge_apply(struct merge *m, struct dp_err *err) DP_MUST_CHECK;

#endif
