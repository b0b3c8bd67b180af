/*
 * Lines with a number each, summed up by line, in bounded memory: any number of lines goes in, and each that does not sum up to zero comes out once, in the order
 * of their bytes.  What does not fit waits as sorted runs in unlinked files of $TMPDIR, which are merged, and summed up, as they grow in number.
 */
#ifndef DP_IO_TALLY_H
#define DP_IO_TALLY_H

#include <dp/base/status.h>
#include <dp/base/str.h>

struct dp_tally_lines;

/* About so many bytes of memory, at least 1 MiB. */
struct dp_tally_lines *dp_tally_lines_open(uint64_t memory);
void dp_tally_lines_close(struct dp_tally_lines *t); /* NULL is legal */
enum dp_status dp_tally_lines_add(struct dp_tally_lines *t, struct dp_str line, int64_t n, struct dp_err *err) DP_MUST_CHECK;
/* Once, behind the last add.  fn's failure ends it; `line` is borrowed for the call. */
enum dp_status dp_tally_lines_each(struct dp_tally_lines *t, enum dp_status (*fn)(void *ctx, struct dp_str line, int64_t n, struct dp_err *err), void *ctx,
                                   struct dp_err *err) DP_MUST_CHECK;
uint64_t dp_tally_lines_spilled(const struct dp_tally_lines *t); /* bytes */

#endif
