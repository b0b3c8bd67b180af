/* Private to lib/io: records that came too late, byte for byte, in a file of mode 0600 (--late). */
#ifndef DP_IO_LATE_H
#define DP_IO_LATE_H

#include <dp/io/run.h>

/* size: what is in it, restored: what was in it at the checkpoint.  Zero value: there is none. */
struct late_file { const char *path; int fd; bool is_open, is_direct; uint64_t size, restored; struct dp_buf buf; };

/* NULL is no file.  keeps: what is in it stays, until it is cut.  names: the operands that are read; DP_USAGE: it is one of them, or in one. */
enum dp_status late_open(struct late_file *l, struct dp_run *run, const char *path, bool keeps, const char *const *names, size_t n, struct dp_err *err) DP_MUST_CHECK;
/* A record; what is behind its newline is not looked at. */
void late_add(struct late_file *l, const char *p, size_t n);
enum dp_status late_flush(struct late_file *l, bool sync, struct dp_err *err) DP_MUST_CHECK;
/* Back to what it was at the checkpoint that is restored. */
enum dp_status late_cut(struct late_file *l, uint64_t size, struct dp_err *err) DP_MUST_CHECK;
void late_close(struct late_file *l);

#endif
