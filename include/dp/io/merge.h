/*
 * Records into a table by key (dp-table(1), merge): a record whose key is there replaces the row, one whose key is not there is a new row, and one that says
 * delete (_change_type or op) takes the row away.  A record is the whole row: a field that it lacks is null.
 *
 * Of the records of one commit with the same key one counts: that with the highest sequence, of equals, or without a sequence, the last.  A row with a higher
 * sequence than the record's stays as it is.  Keys are compared by the table's types; a row whose key holds a null is nobody's.
 *
 * Records wait in bounded memory and beyond it in unlinked files; for each of them two bits are kept, and one for each row of a file in which some row goes.
 */
#ifndef DP_IO_MERGE_H
#define DP_IO_MERGE_H

#include <dp/io/edit.h>

struct dp_merged;

struct dp_merge_opts {
    const char *table;
    const char *key;           /* "A,B"; NULL: the primary key of the table's contract (property dp.contract) */
    const char *sequence;      /* a column of the table that is a number, a date or a timestamp, or _commit_version; NULL: the order of the records */
    const char *txn;           /* "APP:VERSION" names the batch, or NULL */
    bool eof_commits;          /* the end of a pipe without marks is good enough */
    bool in_parts;             /* commit at checkpoints too, at most every commit_every ms */
    int64_t commit_every;
    /* Told of each part as it is settled; NULL: nobody asks.  A failure ends the run. */
    enum dp_status (*each)(void *ctx, const struct dp_merged *part, struct dp_err *err);
    void *each_ctx;
};

enum dp_merge_result { DP_MERGE_NOTHING, DP_MERGE_DONE, DP_MERGE_ALREADY, DP_MERGE_DRY };

struct dp_merged {
    enum dp_merge_result result;
    int64_t version;           /* DONE, ALREADY */
    struct dp_edited edited;
    uint64_t records;          /* that came, without those that are passed over; of them */
    uint64_t superseded;       /* another record with the key counts */
    uint64_t stale;            /* the row has a higher sequence */
    uint64_t unmatched;        /* deletes of keys that are not there */
    uint64_t collapsed;        /* rows of the table that went because one record replaced several with its key */
    uint64_t commits;          /* published, of all parts */
    bool has_rest;             /* this is of what came behind the last part (without in_parts: always) */
};

/* DP_EMPTY: nothing to do. */
enum dp_status dp_merge_stream(struct dp_run *run, const char *const *sources, size_t n, const struct dp_merge_opts *o, struct dp_merged *out,
                               struct dp_err *err) DP_MUST_CHECK;

#endif
