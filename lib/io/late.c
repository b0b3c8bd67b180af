/*
 * Late records (late.h).  Why is the same for each of them: all of its windows were closed, or its keys forgotten.  With a state the file is
 * cut back to what it was at the checkpoint that is restored, so that each late record is in it once.
 */
#include "late.h"

#include <dp/base/file.h>
#include <dp/io/out.h>
#include <dp/io/source.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_file(const struct stat *a, const char *name) {
    struct stat b;
    return (strcmp(name, "-") == 0 ? fstat(STDIN_FILENO, &b) : stat(name, &b)) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

/* It must not replace what is being read. */
static enum dp_status check_input(struct dp_run *run, const char *path, const char *const *names, size_t n, struct dp_err *err) {
    struct stat st;
    char **list = NULL;
    size_t n_list = 0;
    const char *const standard[] = {"-"};
    bool is_one = false;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return DP_OK;
    (void)!dp_names_expand(run, n ? names : standard, n ? n : 1, &list, &n_list, NULL); /* what can't be opened is told when it is to be */
    for (size_t i = 0; i < n_list; i++) {
        is_one = is_one || is_file(&st, list[i]);
        free(list[i]);
    }
    free(list);
    return is_one ? dp_err_set(err, DP_USAGE, "--late: %s is what is read: late records need a file of their own", path) : DP_OK;
}

enum dp_status late_open(struct late_file *l, struct dp_run *run, const char *path, bool keeps, const char *const *names, size_t n, struct dp_err *err) {
    char *final;
    *l = (struct late_file){.path = path};
    if (!path) return DP_OK;
    if (!strcmp(path, "-")) return dp_err_set(err, DP_USAGE, "--late wants a file: standard output has the records");
    DP_TRY(dp_side_check("--late", path, err));
    DP_TRY(check_input(run, path, names, n, err));
    if (run->dry_run) return DP_OK;
    dp_side_file(path, &l->is_direct, &final);
    l->fd = l->is_direct ? dp_side_open(path) : open(final, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (keeps ? 0 : O_TRUNC), 0600);
    free(final);
    l->is_open = l->fd >= 0;
    return l->is_open ? DP_OK : dp_err_sys(err, DP_IO, "--late: can't open %s", path);
}

void late_add(struct late_file *l, const char *p, size_t n) {
    const char *nl = memchr(p, '\n', n);
    if (!l->is_open) return;
    dp_buf_add(&l->buf, p, nl ? (size_t)(nl - p) + 1 : n);
    if (!nl) dp_buf_addc(&l->buf, '\n');
}

enum dp_status late_flush(struct late_file *l, bool sync, struct dp_err *err) {
    if (!l->is_open) return DP_OK;
    if (l->buf.n && dp_fd_write(l->fd, l->buf.p, l->buf.n, err) != DP_OK) return dp_err_prefix(err, "--late: ");
    l->size += l->buf.n;
    dp_buf_reset(&l->buf);
    if (sync && !l->is_direct && fsync(l->fd) != 0) return dp_err_sys(err, DP_IO, "--late: %s", l->path);
    return DP_OK;
}

enum dp_status late_cut(struct late_file *l, uint64_t size, struct dp_err *err) {
    struct stat st;
    if (!l->is_open || l->is_direct) return DP_OK;
    if (fstat(l->fd, &st) != 0) return dp_err_sys(err, DP_IO, "--late: %s", l->path);
    if ((uint64_t)st.st_size < size)
        return dp_err_set(err, DP_FORMAT, "--late: %s has %lld bytes, and the state's checkpoint was made with %llu in it", l->path, (long long)st.st_size, (unsigned long long)size);
    if (ftruncate(l->fd, (off_t)size) != 0 || lseek(l->fd, (off_t)size, SEEK_SET) < 0) return dp_err_sys(err, DP_IO, "--late: %s", l->path);
    l->size = size;
    return DP_OK;
}

void late_close(struct late_file *l) {
    if (l->is_open) close(l->fd);
    l->is_open = false;
    dp_buf_release(&l->buf);
}
