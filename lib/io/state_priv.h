/* The parts of a durable state: one file of entries (state_file.c), entries on their way there (state_sort.c), the description (state_query.c), the directory (state.c). */
#ifndef DP_IO_STATE_PRIV_H
#define DP_IO_STATE_PRIV_H

#include <dp/base/buf.h>
#include <dp/io/state.h>

#define DP_STATE_BLOCK (64u << 10) /* payload of a block, but for one entry that is larger */

/* ---- state_file.c ---- */

/*
 * A file is the magic, then blocks: 4 bytes of length n, one of kind, three zero, 8 of checksum (XXH3 seeded with which state, which file and the how manieth block it is, so
 * that one block in another's place is told too), n of payload.  All numbers little endian.
 *   head     number, parent, check of the parent's end block, flags, id
 *   entries  varint of the key's length, varint of the value's length + 1 (0: the entry is gone), key, value; keys ascending over all of the file
 *   end      number of entries, of blocks, hash over the blocks' checksums; nothing may follow
 * A sorted run that was spilled is blocks of entries alone.
 */
enum dp_state_block { DP_STATE_HEAD = 1, DP_STATE_ENTRIES = 2, DP_STATE_END = 3 };

struct dp_state_head {
    uint64_t number, parent, parent_check;
    bool is_full;
    char *id; /* caller frees */
};

struct dp_state_entry { struct dp_str key, value; bool is_gone; };

struct dp_state_writer {
    int fd; /* borrowed */
    uint64_t seed, blocks, entries, bytes, digest, check; /* check: of the last block */
    struct dp_buf out; /* whole blocks, then the one that is being filled */
    size_t block;      /* where that one begins; SIZE_MAX: none */
    uint8_t kind;
};
/* state: what tells this state from others; number 0: a run. */
void dp_state_writer_init(struct dp_state_writer *w, int fd, uint64_t state, uint64_t number);
void dp_state_writer_release(struct dp_state_writer *w);
enum dp_status dp_state_write_head(struct dp_state_writer *w, const struct dp_state_head *h, struct dp_err *err) DP_MUST_CHECK;
/* An entry as it stands in a block (dp_state_encode). */
enum dp_status dp_state_write_entry(struct dp_state_writer *w, struct dp_str encoded, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_state_write_end(struct dp_state_writer *w, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_state_writer_flush(struct dp_state_writer *w, struct dp_err *err) DP_MUST_CHECK;

void dp_state_encode(struct dp_buf *b, struct dp_str key, const struct dp_str *value);
/* Takes the entry from the front of *in. False: damaged. */
bool dp_state_decode(struct dp_str *in, struct dp_state_entry *e) DP_MUST_CHECK;

/* Reads the entries of a file. */
struct dp_state_cursor {
    int fd;
    uint64_t size, at, seed, blocks, entries, digest, check;
    bool is_run;
    struct dp_buf block, key; /* key: the one before, for the order */
    struct dp_str rest;       /* of the block */
    struct dp_state_entry now;
    struct dp_str encoded;    /* now, as it stands in the block */
    uint64_t prefix;          /* of now.key */
};
/* Of a checkpoint's file: reads magic and head. DP_FORMAT: damaged. */
enum dp_status dp_state_cursor_open(struct dp_state_cursor *c, int fd, uint64_t size, uint64_t state, uint64_t number, struct dp_state_head *head, struct dp_err *err) DP_MUST_CHECK;
void dp_state_cursor_run(struct dp_state_cursor *c, int fd, uint64_t size, uint64_t state);
/* now and encoded are borrowed until the next call. DP_END: no more, and all that was read is as it was written. */
enum dp_status dp_state_cursor_next(struct dp_state_cursor *c, struct dp_err *err) DP_MUST_CHECK;
void dp_state_cursor_release(struct dp_state_cursor *c); /* leaves fd open */
/* First eight bytes of a key as a number that orders as they do. */
uint64_t dp_state_prefix(struct dp_str key);

typedef enum dp_status (*dp_state_take)(void *ctx, const struct dp_state_cursor *c, struct dp_err *err);
/* Over all keys in order: of those with one key the cursor that comes first in c has the word; is_twice (may be NULL): set where there were such. */
enum dp_status dp_state_merge(struct dp_state_cursor *c, size_t n, dp_state_take take, void *ctx, bool *is_twice, struct dp_err *err) DP_MUST_CHECK;

/* ---- state_sort.c ---- */

struct dp_state_item { uint64_t prefix; uint32_t at, n; };
struct dp_state_run { int fd; unsigned tier; uint64_t size; };

/* Entries in any order, to be had sorted. Zero value but for `memory` is empty. */
struct dp_state_sort {
    uint64_t memory; /* of entries that wait */
    struct dp_buf text;
    struct dp_state_item *items;
    size_t n, cap_items;
    struct dp_state_run *runs;
    size_t n_runs, cap_runs;
};
enum dp_status dp_state_sort_put(struct dp_state_sort *s, struct dp_str key, const struct dp_str *value, struct dp_err *err) DP_MUST_CHECK;
/* DP_BUG: a key was put twice. */
enum dp_status dp_state_sort_write(struct dp_state_sort *s, struct dp_state_writer *w, struct dp_err *err) DP_MUST_CHECK;
/* Empty behind it; memory for the next ones stays. */
void dp_state_sort_reset(struct dp_state_sort *s);
void dp_state_sort_release(struct dp_state_sort *s);

/* ---- state_query.c ---- */

/* Text of state.json. */
void dp_state_describe(const char *program, const char *state, struct dp_str query, struct dp_buf *out);
/* Reads it: whose it is, the state's name, and where the query stands in `text`. DP_FORMAT, DP_UNSUPPORTED (a later format), DP_USAGE (another program's). */
enum dp_status dp_state_read_description(const char *dir, const char *program, const struct dp_buf *text, struct dp_buf *state, struct dp_str *query, struct dp_err *err) DP_MUST_CHECK;

#endif
