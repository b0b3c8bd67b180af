/*
 * Files: whole reads, whole writes, and publication that is atomic: write to a hidden temporary name
 * in the same directory, fsync, rename or link, fsync the directory.  Unfinished files are on a list
 * that a signal handler can walk (dp_unfinished_remove is async-signal-safe).
 */
#ifndef DP_BASE_FILE_H
#define DP_BASE_FILE_H

#include <dp/base/buf.h>

/* Whole file behind b's content; DP_LIMIT when it is larger than `limit`. */
enum dp_status dp_file_read(const char *path, uint64_t limit, struct dp_buf *b, struct dp_err *err) DP_MUST_CHECK;
/* The same of a name that data chose: a FIFO, a device or a directory is an error and is not waited for. */
enum dp_status dp_file_read_regular(const char *path, uint64_t limit, struct dp_buf *b, struct dp_err *err) DP_MUST_CHECK;
/* write(2) until all is out; EINTR handled; EPIPE gives DP_PIPE. */
enum dp_status dp_fd_write(int fd, const void *p, size_t n, struct dp_err *err) DP_MUST_CHECK;
/* For who keeps many files open: as many as the system lets this process have. */
void dp_fd_raise_limit(void);
/* Exactly n bytes at offset; DP_FORMAT when the file ends before. */
enum dp_status dp_fd_pread(int fd, void *p, size_t n, uint64_t offset, struct dp_err *err) DP_MUST_CHECK;

/* A file under construction.  Zero value is closed. */
struct dp_newfile {
    int fd; /* valid while open */
    bool is_open;
    char *tmp;   /* its name until then, ".dp-<random>.tmp" in the final directory */
    char *final; /* may be NULL until commit */
    int slot;    /* in the list of unfinished files, -1 = none */
};

/* Creates a temporary beside `final` with `mode` (umask applies). */
enum dp_status dp_newfile_open(struct dp_newfile *f, const char *final, unsigned mode, struct dp_err *err) DP_MUST_CHECK;
/* fsync, then rename over `final`, then fsync the directory. */
enum dp_status dp_newfile_commit(struct dp_newfile *f, struct dp_err *err) DP_MUST_CHECK;
/* fsync, then link to `final`, which must not exist (DP_AGAIN when it does), unlink the temporary, fsync the directory. */
enum dp_status dp_newfile_commit_new(struct dp_newfile *f, struct dp_err *err) DP_MUST_CHECK;
/* Is it the name of such a temporary?  Removes those that processes which died have left in a directory: for who is alone in it.  Best effort. */
bool dp_newfile_is_tmp(struct dp_str name);
void dp_newfile_sweep(const char *dir);
/* Closes and removes the temporary; also legal after commit and on the zero value. */
void dp_newfile_abort(struct dp_newfile *f);

/*
 * Many at once, for a disk takes one wait for many files as easily as for one.  First fsync and close, of all; then each is renamed to its
 * final name and every directory from theirs up to and with `top` is synced, once.  After the second only `final` is left in f, which
 * the caller frees; a file whose tmp is NULL has its name, also where this failed.
 */
enum dp_status dp_newfiles_sync(struct dp_newfile *const *f, size_t n, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_newfiles_publish(struct dp_newfile *const *f, size_t n, const char *top, struct dp_err *err) DP_MUST_CHECK;

enum dp_status dp_fsync_dir(const char *dir, struct dp_err *err) DP_MUST_CHECK;
/* mkdir -p; each new directory's parent is fsynced. */
enum dp_status dp_mkdirs(const char *dir, struct dp_err *err) DP_MUST_CHECK;
/* The same without: dp_newfiles_publish does it for all of them. */
enum dp_status dp_mkdirs_unsynced(const char *dir, struct dp_err *err) DP_MUST_CHECK;
/* rename + fsync of both directories. */
enum dp_status dp_file_rename(const char *from, const char *to, struct dp_err *err) DP_MUST_CHECK;
char *dp_path_join(const char *a, const char *b);  /* caller frees */
char *dp_path_dir(const char *path);               /* caller frees; "." for a bare name */
const char *dp_path_base(const char *path);        /* borrowed */
/* The path that a file URL names (RFC 8089: file:/P, file:///P, file://localhost/P, decoded); any other text as it is.  NULL: the URL is of another host, or of no absolute path.
   Caller frees. */
char *dp_path_of_url(const char *text);
/* Where a user's state is: XDG_STATE_HOME, else .local/state in HOME, else in the home that the system has for this user (service managers and `env -i` set no HOME).
   NULL: nobody knows one.  Caller frees. */
char *dp_state_home(void);

/* Unfinished files: registered names are unlinked by dp_unfinished_remove (async-signal-safe). */
int dp_unfinished_add(const char *path);
void dp_unfinished_drop(int slot);
void dp_unfinished_remove(void);

/* An unlinked temporary file in $TMPDIR (default /tmp) for spilling; *fd is the caller's. */
enum dp_status dp_spill_open(int *fd, struct dp_err *err) DP_MUST_CHECK;

/* Random bytes from the kernel; a version-4 UUID in text (36 bytes and NUL). */
void dp_random(void *p, size_t n);
void dp_uuid(char out[37]);

#endif
