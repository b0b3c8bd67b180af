/*
 * Standard output (or any descriptor that takes a stream): blocks of 64 KiB and more, written by one thread, every failure seen.
 *
 * EPIPE is DP_PIPE; anything else that a write or the last flush says is DP_IO.  While a write is interrupted by a signal that asks
 * to stop, DP_SIGNALLED.  After a failure all further writes return it again and write nothing.
 */
#ifndef DP_IO_OUT_H
#define DP_IO_OUT_H

#include <dp/io/run.h>

struct dp_out;

/* `name` is for messages ("standard output"), borrowed.  The descriptor stays the caller's. */
struct dp_out *dp_out_open(const struct dp_run *run, int fd, const char *name);
/* Copies small pieces, writes large ones at once. */
enum dp_status dp_out_write(struct dp_out *o, const void *p, size_t n, struct dp_err *err) DP_MUST_CHECK;
/* A mark, as its line. */
struct dp_mark;
enum dp_status dp_out_mark(struct dp_out *o, const struct dp_mark *m, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_out_flush(struct dp_out *o, struct dp_err *err) DP_MUST_CHECK;
/*
 * Once, before the first byte is written: fn(ctx, the descriptor, the first bytes, at least a line or 4 KiB of them); or, where none is, when it is closed or dropped (no
 * bytes).  Takes ownership of ctx, which `release` frees; another one set before takes its place.
 */
void dp_out_before(struct dp_out *o, void (*fn)(void *ctx, int fd, struct dp_str first), void (*release)(void *ctx), void *ctx);
int dp_out_fd(const struct dp_out *o);
uint64_t dp_out_bytes(const struct dp_out *o); /* handed in so far */
/* Flushes, then frees; NULL is legal. */
enum dp_status dp_out_close(struct dp_out *o, struct dp_err *err) DP_MUST_CHECK;
/* Frees without a flush. */
void dp_out_drop(struct dp_out *o);

/*
 * Where a side file (report, metrics, rejects) really goes.  *direct: a device, a FIFO, or one of our own descriptors by its name in /dev or /proc,
 * also through a link: it takes the bytes as they come and must never be renamed over.  Else *final is the name to replace, links followed.
 * Caller frees *final.
 */
void dp_side_file(const char *path, bool *direct, char **final);
/* Before the work: can such a file be made, as far as its directory tells?  `option` is named in the message; path NULL: nothing is asked. */
enum dp_status dp_side_check(const char *option, const char *path, struct dp_err *err) DP_MUST_CHECK;
/* A descriptor for a direct one, for appending: our own descriptor again for /dev/stdout, /dev/stderr, /dev/fd/N. -1 and errno: it can't be opened. */
int dp_side_open(const char *path);
/* The whole of such a file: at once and synced, or to a direct one as it comes. */
enum dp_status dp_side_write(const char *path, struct dp_str text, struct dp_err *err) DP_MUST_CHECK;

#endif
