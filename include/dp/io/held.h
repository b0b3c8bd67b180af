/*
 * Records that wait until the types of their columns are known: in lists, as they came out of a chunk, and in a store that holds many of them in
 * little memory (a block, and beyond it a temporary file without a name).
 */
#ifndef DP_IO_HELD_H
#define DP_IO_HELD_H

#include <dp/io/rejects.h>

/* Where a record came from, and where its bytes stand in its list's text. */
struct dp_held_record { const struct dp_origin *origin; uint64_t line, offset; size_t at, n; };

/* Zero value is empty. text: the records, each with a newline behind it. */
struct dp_held { struct dp_held_record *v; size_t n, cap; struct dp_buf text; };

/* Appends a copy of raw; `at` and `n` of x are set here. */
void dp_held_add(struct dp_held *h, struct dp_held_record x, struct dp_str raw);
void dp_held_reset(struct dp_held *h);
/* The text is dropped, and its memory too where one huge record made it large: it would stand beside the next copy of that record. */
void dp_held_free_text(struct dp_held *h);
void dp_held_release(struct dp_held *h);

/* Zero value is empty. size: bytes in the file; text: of all records, with their newlines; n: how many there are. */
struct dp_held_store { struct dp_buf block; int fd; bool is_open; uint64_t size, text; size_t n; };

/* Appends a copy. DP_IO: the temporary file can't be made or written. */
enum dp_status dp_held_store_add(struct dp_held_store *s, struct dp_held_record x, struct dp_str raw, struct dp_err *err) DP_MUST_CHECK;
/* Takes some records; the list is its caller's, and may be emptied. */
typedef enum dp_status (*dp_held_take)(void *ctx, struct dp_held *some, struct dp_err *err);
/* Hands all records to `take`, in order, some at a time; the store is empty then, also after a failure. */
enum dp_status dp_held_store_take(struct dp_held_store *s, dp_held_take take, void *ctx, struct dp_err *err) DP_MUST_CHECK;
void dp_held_store_release(struct dp_held_store *s);

#endif
