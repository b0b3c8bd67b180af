/*
 * The one writer of a stream.  Small pieces are gathered into a block; a piece as large as a block goes out by itself, so
 * that a filter's job buffers (a quarter of a megabyte) are written without a copy.
 */
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/io/out.h>
#include <dp/record/mark.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (128u << 10)      /* what is gathered before a write */
#define LARGE (64u << 10)       /* what is not worth copying */

struct dp_out {
    const struct dp_run *run;
    int fd;
    const char *name;
    uint64_t bytes;
    struct dp_err failed; /* the first failure; it stays */
    size_t n;
    char *block; /* allocated at the first write */
    void (*before)(void *ctx, int fd, struct dp_str first); /* NULL: nobody asks, or was told */
    void (*before_release)(void *ctx);
    void *before_ctx;
};

struct dp_out *dp_out_open(const struct dp_run *run, int fd, const char *name) {
    struct dp_out *o = dp_calloc(1, sizeof *o);
    o->run = run;
    o->fd = fd;
    o->name = name;
    return o;
}

static enum dp_status fail(struct dp_out *o, struct dp_err *err) {
    if (err) *err = o->failed;
    return o->failed.status;
}

static void tell_before(struct dp_out *o, struct dp_str first) {
    if (o->before) o->before(o->before_ctx, o->fd, first);
    if (o->before_release) o->before_release(o->before_ctx);
    o->before = NULL, o->before_release = NULL;
}

void dp_out_before(struct dp_out *o, void (*fn)(void *ctx, int fd, struct dp_str first), void (*release)(void *ctx), void *ctx) {
    o->before = NULL;
    tell_before(o, dp_str("", 0));
    o->before = fn, o->before_release = release, o->before_ctx = ctx;
    if (o->bytes > o->n) o->before = NULL; /* too late */
}

static enum dp_status put(struct dp_out *o, const char *p, size_t n, struct dp_err *err) {
    if (n && o->before) tell_before(o, dp_str(p, n));
    while (n > 0) {
        ssize_t w = write(o->fd, p, n);
        if (w >= 0) {
            p += w;
            n -= (size_t)w;
        } else if (errno == EINTR) {
            if (dp_run_stopped(o->run, &o->failed)) return fail(o, err);
        } else if (errno == EPIPE) {
            dp_err_set(&o->failed, DP_PIPE, "%s: its reader went away", o->name);
            return fail(o, err);
        } else {
            dp_err_sys(&o->failed, DP_IO, "cannot write %s", o->name);
            return fail(o, err);
        }
    }
    return DP_OK;
}

enum dp_status dp_out_mark(struct dp_out *o, const struct dp_mark *m, struct dp_err *err) {
    struct dp_buf b = {0};
    dp_mark_print(m, &b);
    enum dp_status status = dp_out_write(o, b.p, b.n, err);
    dp_buf_release(&b);
    return status;
}

enum dp_status dp_out_flush(struct dp_out *o, struct dp_err *err) {
    if (o->failed.status != DP_OK) return fail(o, err);
    size_t n = o->n;
    o->n = 0;
    return put(o, o->block, n, err);
}

enum dp_status dp_out_write(struct dp_out *o, const void *p, size_t n, struct dp_err *err) {
    if (o->failed.status != DP_OK) return fail(o, err);
    if (n == 0) return DP_OK;
    o->bytes += n;
    if (n < LARGE && o->n + n <= BLOCK) {
        if (!o->block) o->block = dp_alloc(BLOCK);
        memcpy(o->block + o->n, p, n);
        o->n += n;
        return DP_OK;
    }
    DP_TRY(dp_out_flush(o, err));
    if (n >= LARGE) return put(o, p, n, err);
    memcpy(o->block, p, n);
    o->n = n;
    return DP_OK;
}

int dp_out_fd(const struct dp_out *o) { return o->fd; }
uint64_t dp_out_bytes(const struct dp_out *o) { return o->bytes; }

void dp_out_drop(struct dp_out *o) {
    if (!o) return;
    tell_before(o, dp_str("", 0));
    free(o->block);
    free(o);
}

enum dp_status dp_out_close(struct dp_out *o, struct dp_err *err) {
    if (!o) return DP_OK;
    enum dp_status status = dp_out_flush(o, err);
    dp_out_drop(o);
    return status;
}

void dp_side_file(const char *path, bool *direct, char **final) {
    struct stat st, target;
    *direct = stat(path, &target) == 0 && !S_ISREG(target.st_mode) && !S_ISDIR(target.st_mode);
    char *real = lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? realpath(path, NULL) : NULL;
    /* /dev/stdout may lead to a plain file, and is still a descriptor: a rename would replace the link in /dev. */
    bool is_fd = strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
    *direct = *direct || is_fd;
    *final = dp_strdup(real ? real : path);
    free(real);
}

int dp_side_open(const char *path) {
    int64_t fd = -1;
    if (strcmp(path, "/dev/stdout") == 0) fd = STDOUT_FILENO;
    else if (strcmp(path, "/dev/stderr") == 0) fd = STDERR_FILENO;
    else if (strncmp(path, "/dev/fd/", 8) != 0 || !dp_parse_i64(dp_str_z(path + 8), &fd) || fd < 0 || fd > 1 << 20) fd = -1;
    /* Opened again, a plain file would be written from another position than ours. */
    return fd >= 0 ? fcntl((int)fd, F_DUPFD_CLOEXEC, 3) : open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

enum dp_status dp_side_check(const char *option, const char *path, struct dp_err *err) {
    struct stat st;
    bool direct;
    char *final;
    if (!path) return DP_OK;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return dp_err_set(err, DP_USAGE, "%s: %s is a directory", option, path);
    dp_side_file(path, &direct, &final);
    char *dir = direct ? NULL : dp_path_dir(final);
    enum dp_status status = !dir || stat(dir, &st) == 0 ? DP_OK : dp_err_sys(err, DP_IO, "%s: cannot open directory %s", option, dir);
    free(dir);
    free(final);
    return status;
}

static enum dp_status write_direct(const char *path, struct dp_str text, struct dp_err *err) {
    int fd = dp_side_open(path);
    if (fd < 0) return dp_err_sys(err, DP_IO, "%s", path);
    enum dp_status status = dp_fd_write(fd, text.p, text.n, err);
    if (close(fd) != 0 && status == DP_OK) status = dp_err_sys(err, DP_IO, "%s", path);
    return status;
}

enum dp_status dp_side_write(const char *path, struct dp_str text, struct dp_err *err) {
    struct dp_newfile f = {0};
    bool direct;
    char *final;
    dp_side_file(path, &direct, &final);
    enum dp_status status = direct ? write_direct(path, text, err) : dp_newfile_open(&f, final, 0666, err);
    if (status == DP_OK && !direct) status = dp_fd_write(f.fd, text.p, text.n, err);
    if (status == DP_OK && !direct) status = dp_newfile_commit(&f, err);
    dp_newfile_abort(&f);
    free(final);
    return status;
}
