/*
 * Writing a zip archive (PKWARE APPNOTE 6.3.10): members deflated one after the other, sizes in their headers (no data descriptors, which some programs do not
 * open), zip64 where it is needed and only there.  The same bytes for the same members, names and time.
 *
 *     dp_zip_open(fd, now, &zip); for each: dp_zip_begin, dp_zip_write..., dp_zip_end; dp_zip_finish(zip); dp_zip_close(zip);
 */
#ifndef DP_FORMAT_ZIP_H
#define DP_FORMAT_ZIP_H

#include <dp/base/buf.h>
#include <dp/base/crypto.h>

struct dp_zip;
struct dp_zip_member {
    uint64_t bytes;                  /* unpacked */
    uint8_t sha256[DP_SHA256_SIZE];  /* of them */
};

/* `fd` is a new file that pwrite works on, the caller's; `micros` the time that all members get (UTC; 1980 to 2107, else the nearest). */
enum dp_status dp_zip_open(int fd, int64_t micros, struct dp_zip **out, struct dp_err *err) DP_MUST_CHECK;
/* `name`: ASCII, slashes between its parts, copied.  `most`: bytes that it may have at most; more is DP_LIMIT. */
enum dp_status dp_zip_begin(struct dp_zip *z, const char *name, uint64_t most, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_zip_write(struct dp_zip *z, const void *p, size_t n, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_zip_end(struct dp_zip *z, struct dp_zip_member *out, struct dp_err *err) DP_MUST_CHECK;
/* The directory behind the last member. */
enum dp_status dp_zip_finish(struct dp_zip *z, struct dp_err *err) DP_MUST_CHECK;
void dp_zip_close(struct dp_zip *z); /* NULL is legal */

#endif
