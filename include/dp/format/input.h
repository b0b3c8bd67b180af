/*
 * Bytes of an operand, through whatever compression and archive they are in, told by magic bytes and never by name.
 *
 * gzip (several members, zero padding) and zstd are read by the linked libraries; bzip2, xz, lz4, lzip, compress and the archives tar, zip,
 * 7z, cpio by libarchive, opened at first use.  A compressed archive, and a compressed member of an archive, are seen through; an archive
 * inside an archive is refused.  Truncated or damaged input is DP_FORMAT.
 *
 * Call order: open, then dp_input_next until DP_END; after each DP_OK dp_input_read until it gives 0 bytes (or earlier); close.
 */
#ifndef DP_FORMAT_INPUT_H
#define DP_FORMAT_INPUT_H

#include <dp/base/buf.h>
#include <dp/base/limits.h>

struct dp_input;

struct dp_input_opts {
    const char *member; /* glob over member names (`*` also over slashes), NULL: all */
    /* Asked before a read of the descriptor that may block; a failure ends the read. NULL: nobody asks. */
    enum dp_status (*wait)(void *ctx, int fd, struct dp_err *err);
    void *wait_ctx;
};

/* path is for opening and messages; "-" reads descriptor 0. Copied. */
enum dp_status dp_input_open(const char *path, const struct dp_input_opts *opts, struct dp_input **out, struct dp_err *err) DP_MUST_CHECK;
void dp_input_close(struct dp_input *in); /* NULL is legal */

/* The next member (once, without a name, when the input is no archive); DP_END: no more. */
enum dp_status dp_input_next(struct dp_input *in, struct dp_err *err) DP_MUST_CHECK;
/* Instead of dp_input_next: the bytes as they are, whatever they look like. */
enum dp_status dp_input_next_raw(struct dp_input *in, struct dp_err *err) DP_MUST_CHECK;
/* Name of the current member, NULL when the input is no archive; borrowed until the next dp_input_next. */
const char *dp_input_member(const struct dp_input *in);
/* Up to cap bytes of the current member; *n = 0 is its end.  Gives what is there, does not wait to fill p. */
enum dp_status dp_input_read(struct dp_input *in, void *p, size_t cap, size_t *n, struct dp_err *err) DP_MUST_CHECK;
/* At least `want` bytes of what comes next without taking them, fewer only at the end; borrowed until the next read. want <= 64 KiB. */
enum dp_status dp_input_peek(struct dp_input *in, size_t want, struct dp_str *out, struct dp_err *err) DP_MUST_CHECK;
/* Descriptor and size when the current bytes are those of a plain regular file (nothing taken apart), for readers that seek; -1 else. */
int dp_input_fd(const struct dp_input *in, uint64_t *size);
/* Words for -v: "gzip", "tar, gzip", "" . Borrowed. */
const char *dp_input_layers(const struct dp_input *in);

/* Glob over a whole name: * ? [a-z] [!a-z] \x. */
bool dp_glob_match(const char *pattern, const char *name);

#endif
