/*
 * Lines that a program writes as a stream of its own: it opened what it reads, so that `begin` and `end` are its to write (dp(7)).  Without --marks only the
 * lines go out.  What passes from a stream to the next goes through dp/io/stream.h instead.
 *
 *     struct dp_lines l = {.run = run};
 *     dp_lines_begin(&l, &mark, err); dp_lines_write(&l, p, n, 1, err)...; dp_lines_end(&l, err); dp_lines_release(&l);
 */
#ifndef DP_IO_LINES_H
#define DP_IO_LINES_H

#include <dp/io/out.h>
#include <dp/record/mark.h>

struct dp_lines {
    struct dp_run *run;        /* the caller's; borrowed until release */
    struct dp_linehash *hash;  /* from begin on, with --marks; else NULL */
    uint64_t n;                /* lines so far */
};

/*
 * With --marks: writes m as the begin of the run, whose only program is this one; the caller sets what he knows (source, table version, schema, fields, origins).  Without, where
 * lineage is wanted, it goes beside the pipe.
 */
enum dp_status dp_lines_begin(struct dp_lines *l, struct dp_mark *m, struct dp_err *err) DP_MUST_CHECK;
/* p[0..n): so many whole lines. */
enum dp_status dp_lines_write(struct dp_lines *l, const void *p, size_t n, uint64_t lines, struct dp_err *err) DP_MUST_CHECK;
/* Behind the last line; nothing where nothing was begun. */
enum dp_status dp_lines_end(struct dp_lines *l, struct dp_err *err) DP_MUST_CHECK;
void dp_lines_release(struct dp_lines *l);

#endif
