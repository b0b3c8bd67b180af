/*
 * Files and their atomic publication (dp/base/file.h).  What a reader can see under its final name is whole and on
 * disk.  The list of unfinished files is one of the three pieces of mutable file-scope data of the library: a
 * signal handler has no other way to find them.
 */
#include <dp/base/file.h>
#include <dp/base/map.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading and writing ---- */

static enum dp_status read_all(int fd, const char *path, uint64_t limit, struct dp_buf *b, struct dp_err *err) {
    size_t start = b->n;
    for (;;) {
        char *p = dp_buf_reserve(b, 65536);
        ssize_t n = read(fd, p, b->cap - b->n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return dp_err_sys(err, DP_IO, "can't read %s", path);
        if (!n) return DP_OK;
        b->n += (size_t)n;
        if (b->n - start > limit)
            return dp_err_set(err, DP_LIMIT, "%s is larger than %llu bytes", path, (unsigned long long)limit);
    }
}

static enum dp_status read_path(const char *path, bool regular, uint64_t limit, struct dp_buf *b, struct dp_err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0)); /* opening a FIFO would wait for its writer */
    if (fd < 0) return dp_err_sys(err, DP_IO, "can't open %s", path);
    enum dp_status status = DP_OK;
    struct stat st;
    if (fstat(fd, &st)) {
        status = dp_err_sys(err, DP_IO, "can't read %s", path);
    } else if (regular && !S_ISREG(st.st_mode)) {
        status = dp_err_set(err, DP_IO, "%s is no regular file", path);
    } else if (S_ISREG(st.st_mode) && st.st_size > 0) {
        if ((uint64_t)st.st_size > limit)
            status = dp_err_set(err, DP_LIMIT, "%s is larger than %llu bytes", path, (unsigned long long)limit);
        else
            dp_buf_reserve(b, (size_t)st.st_size + 65536);
    }
    if (!status) status = read_all(fd, path, limit, b, err);
    close(fd);
    return status;
}

enum dp_status dp_file_read(const char *path, uint64_t limit, struct dp_buf *b, struct dp_err *err) { return read_path(path, false, limit, b, err); }
enum dp_status dp_file_read_regular(const char *path, uint64_t limit, struct dp_buf *b, struct dp_err *err) { return read_path(path, true, limit, b, err); }

void dp_fd_raise_limit(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= r.rlim_max) return;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
}

enum dp_status dp_fd_write(int fd, const void *p, size_t n, struct dp_err *err) {
    const char *at = p;
    while (n) {
        ssize_t w = write(fd, at, n < SSIZE_MAX ? n : SSIZE_MAX);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return dp_err_sys(err, errno == EPIPE ? DP_PIPE : DP_IO, "can't write");
        at += w;
        n -= (size_t)w;
    }
    return DP_OK;
}

enum dp_status dp_fd_pread(int fd, void *p, size_t n, uint64_t offset, struct dp_err *err) {
    char *at = p;
    uint64_t end;
    if (__builtin_add_overflow(offset, n, &end) || end > INT64_MAX)
        return dp_err_set(err, DP_FORMAT, "an offset is beyond any file");
    while (n) {
        ssize_t r = pread(fd, at, n, (off_t)offset);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return dp_err_sys(err, DP_IO, "can't read");
        if (!r) return dp_err_set(err, DP_FORMAT, "the file ends before byte %llu", (unsigned long long)end);
        at += r;
        n -= (size_t)r;
        offset += (uint64_t)r;
    }
    return DP_OK;
}

/* ---- names ---- */

char *dp_path_join(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    bool slash = n && a[n - 1] != '/' && b[0] != '/';
    char *p = dp_alloc(n + m + 2);
    memcpy(p, a, n);
    if (slash) p[n++] = '/';
    memcpy(p + n, b, m + 1);
    return p;
}

char *dp_path_of_url(const char *text) {
    static const char local[] = "localhost/";
    const char *p = text + 5;
    if (strncasecmp(text, "file:", 5) != 0) return dp_strdup(text);
    if (strncmp(p, "//", 2) == 0) {
        p += 2;
        if (strncasecmp(p, local, sizeof local - 1) == 0) p += sizeof local - 2;
    }
    char *out = dp_alloc(strlen(p) + 1), *to = out;
    bool good = *p == '/' && p[1] && p[1] != '/';
    while (good && *p) {
        char hex[3] = "";
        char *end = hex;
        if (*p == '%') memcpy(hex, p + 1, strnlen(p + 1, 2));
        unsigned long c = *p == '%' && hex[0] != '+' && hex[0] != '-' && hex[0] != ' ' ? strtoul(hex, &end, 16) : 0;
        good = *p != '%' || (c && end == hex + 2);
        *to++ = *p == '%' ? (char)(unsigned char)c : *p;
        p += *p == '%' ? good ? 3 : 1 : 1;
    }
    *to = 0;
    if (good) return out;
    free(out);
    return NULL;
}

char *dp_state_home(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    struct passwd entry, *found = NULL;
    char text[4096];
    if (state && *state == '/') return dp_strdup(state); /* relative ones are to be ignored (XDG base directories) */
    if ((!home || !*home) && getpwuid_r(geteuid(), &entry, text, sizeof text, &found) == 0 && found) home = found->pw_dir;
    return home && *home ? dp_path_join(home, ".local/state") : NULL;
}

char *dp_path_dir(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return dp_strdup(".");
    while (slash > path && slash[-1] == '/') slash--;
    return slash == path ? dp_strdup("/") : dp_strndup(path, (size_t)(slash - path));
}

const char *dp_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- unfinished files ---- */

enum { SLOTS = 256 };

struct slots {
    _Atomic(char *) name[SLOTS];
    _Atomic(struct slots *) next;
};

static struct slots unfinished; /* further blocks hang on it and are never freed: a handler may be reading them */

int dp_unfinished_add(const char *path) {
    char *copy = dp_strdup(path);
    struct slots *s = &unfinished;
    for (int base = 0;; base += SLOTS) {
        for (int i = 0; i < SLOTS; i++) {
            char *none = NULL;
            if (atomic_compare_exchange_strong(&s->name[i], &none, copy)) return base + i;
        }
        struct slots *next = atomic_load(&s->next);
        if (!next) {
            struct slots *fresh = dp_calloc(1, sizeof *fresh);
            if (atomic_compare_exchange_strong(&s->next, &next, fresh)) next = fresh;
            else free(fresh);
        }
        s = next;
    }
}

void dp_unfinished_drop(int slot) {
    if (slot < 0) return;
    struct slots *s = &unfinished;
    for (; slot >= SLOTS && s; slot -= SLOTS) s = atomic_load(&s->next);
    if (s) free(atomic_exchange(&s->name[slot], NULL));
}

void dp_unfinished_remove(void) {
    int keep = errno;
    for (struct slots *s = &unfinished; s; s = atomic_load(&s->next))
        for (int i = 0; i < SLOTS; i++) {
            char *name = atomic_load(&s->name[i]);
            if (name) (void)unlink(name);
        }
    errno = keep;
}

/* ---- publication ---- */

enum dp_status dp_fsync_dir(const char *dir, struct dp_err *err) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return dp_err_sys(err, DP_IO, "can't open %s", dir);
    enum dp_status status = DP_OK;
    /* Some file systems can't sync a directory and say EINVAL; there is nothing better to do there. */
    if (fsync(fd) && errno != EINVAL) status = dp_err_sys(err, DP_IO, "can't sync %s", dir);
    close(fd);
    return status;
}

static enum dp_status fsync_dir_of(const char *path, struct dp_err *err) {
    char *dir = dp_path_dir(path);
    enum dp_status status = dp_fsync_dir(dir, err);
    free(dir);
    return status;
}

static enum dp_status make_one(const char *dir, bool sync, struct dp_err *err) {
    if (mkdir(dir, 0777) == 0) return sync ? fsync_dir_of(dir, err) : DP_OK;
    return errno == EEXIST ? DP_OK : dp_err_sys(err, DP_IO, "can't make directory %s", dir);
}

static enum dp_status make_dirs(const char *dir, bool sync, struct dp_err *err) {
    if (mkdir(dir, 0777) == 0) return sync ? fsync_dir_of(dir, err) : DP_OK;
    struct stat st;
    if (errno == EEXIST && stat(dir, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return DP_OK;
        errno = ENOTDIR;
    }
    if (errno != ENOENT) return dp_err_sys(err, DP_IO, "can't make directory %s", dir);
    enum dp_status status = DP_OK;
    char *copy = dp_strdup(dir);
    for (char *p = copy + 1; *p && !status; p++) {
        if (*p != '/') continue;
        *p = '\0';
        status = make_one(copy, sync, err);
        *p = '/';
    }
    if (!status) status = make_one(copy, sync, err);
    free(copy);
    return status;
}

enum dp_status dp_mkdirs(const char *dir, struct dp_err *err) { return make_dirs(dir, true, err); }
enum dp_status dp_mkdirs_unsynced(const char *dir, struct dp_err *err) { return make_dirs(dir, false, err); }

enum dp_status dp_file_rename(const char *from, const char *to, struct dp_err *err) {
    if (rename(from, to)) return dp_err_sys(err, DP_IO, "can't rename %s to %s", from, to);
    DP_TRY(fsync_dir_of(to, err));
    return fsync_dir_of(from, err);
}

bool dp_newfile_is_tmp(struct dp_str name) { return name.n > 8 && dp_str_starts(name, DP_STR(".dp-")) && dp_str_ends(name, DP_STR(".tmp")); }

void dp_newfile_sweep(const char *dir) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (!dp_newfile_is_tmp(dp_str_z(e->d_name))) continue;
        char *path = dp_path_join(dir, e->d_name);
        (void)unlink(path);
        free(path);
    }
    if (d) closedir(d);
}

enum dp_status dp_newfile_open(struct dp_newfile *f, const char *final, unsigned mode, struct dp_err *err) {
    *f = (struct dp_newfile){.fd = -1, .slot = -1};
    char *dir = dp_path_dir(final);
    enum dp_status status = DP_OK;
    for (int tries = 0;; tries++) {
        unsigned char r[8];
        char name[40];
        dp_random(r, sizeof r);
        (void)snprintf(name, sizeof name, ".dp-%02x%02x%02x%02x%02x%02x%02x%02x.tmp", r[0], r[1], r[2], r[3], r[4], r[5],
                       r[6], r[7]);
        f->tmp = dp_path_join(dir, name);
        f->slot = dp_unfinished_add(f->tmp); /* before it exists, so that no instant leaves it behind */
        f->fd = open(f->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
        if (f->fd >= 0) break;
        int e = errno;
        dp_unfinished_drop(f->slot);
        free(f->tmp);
        *f = (struct dp_newfile){.fd = -1, .slot = -1};
        errno = e;
        if (e == EEXIST && tries < 100) continue;
        status = dp_err_sys(err, DP_IO, "can't create a file in %s", dir);
        break;
    }
    if (!status) {
        f->is_open = true;
        f->final = dp_strdup(final);
    }
    free(dir);
    return status;
}

static enum dp_status sync_and_close(struct dp_newfile *f, struct dp_err *err) {
    int bad = fsync(f->fd), e = errno;
    if (close(f->fd) && !bad) bad = -1, e = errno;
    f->fd = -1;
    errno = e;
    return bad ? dp_err_sys(err, DP_IO, "can't write %s", f->final) : DP_OK;
}

/* Forgets a file that now has its place. */
static void settle(struct dp_newfile *f) {
    dp_unfinished_drop(f->slot);
    free(f->tmp);
    free(f->final);
    *f = (struct dp_newfile){.fd = -1, .slot = -1};
}

enum dp_status dp_newfile_commit(struct dp_newfile *f, struct dp_err *err) {
    DP_TRY(sync_and_close(f, err));
    if (rename(f->tmp, f->final)) return dp_err_sys(err, DP_IO, "can't rename to %s", f->final);
    enum dp_status status = fsync_dir_of(f->final, err);
    settle(f);
    return status;
}

enum dp_status dp_newfile_commit_new(struct dp_newfile *f, struct dp_err *err) {
    DP_TRY(sync_and_close(f, err));
    if (link(f->tmp, f->final)) {
        if (errno == EEXIST) return dp_err_set(err, DP_AGAIN, "%s exists already", f->final);
        return dp_err_sys(err, DP_IO, "can't link %s", f->final);
    }
    (void)unlink(f->tmp);
    enum dp_status status = fsync_dir_of(f->final, err);
    settle(f);
    return status;
}

void dp_newfile_abort(struct dp_newfile *f) {
    if (!f->is_open) return;
    if (f->fd >= 0) close(f->fd);
    (void)unlink(f->tmp);
    settle(f);
}

/* ---- many files at once ---- */

enum { SYNC_THREADS = 16, SYNC_INLINE = 4 };

struct syncs {
    enum dp_status (*one)(void *of, size_t i, struct dp_err *err);
    void *of;
    size_t n;
    atomic_size_t next;
    pthread_mutex_t lock;
    size_t failed_at;
    enum dp_status status;
    struct dp_err err;
};

static void *sync_some(void *arg) {
    struct syncs *s = arg;
    for (size_t i; (i = atomic_fetch_add(&s->next, 1)) < s->n;) {
        struct dp_err err = DP_ERR_INIT;
        enum dp_status status = s->one(s->of, i, &err);
        if (!status) continue;
        pthread_mutex_lock(&s->lock);
        if (i < s->failed_at) s->failed_at = i, s->status = status, s->err = err;
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

/* These threads only wait for the disk, so there may be more of them than processors.  All n are tried; the first failure is returned. */
static enum dp_status sync_all(enum dp_status (*one)(void *, size_t, struct dp_err *), void *of, size_t n, struct dp_err *err) {
    struct syncs s = {.one = one, .of = of, .n = n, .failed_at = SIZE_MAX};
    pthread_t ids[SYNC_THREADS];
    size_t started = 0;
    pthread_mutex_init(&s.lock, NULL);
    while (n > SYNC_INLINE && started < SYNC_THREADS - 1 && started + 1 < n && pthread_create(&ids[started], NULL, sync_some, &s) == 0) started++;
    sync_some(&s);
    for (size_t i = 0; i < started; i++) pthread_join(ids[i], NULL);
    pthread_mutex_destroy(&s.lock);
    if (s.status && err) *err = s.err;
    return s.status;
}

static enum dp_status sync_newfile(void *of, size_t i, struct dp_err *err) {
    struct dp_newfile *const *f = of;
    return sync_and_close(f[i], err);
}

enum dp_status dp_newfiles_sync(struct dp_newfile *const *f, size_t n, struct dp_err *err) {
    return sync_all(sync_newfile, (void *)(uintptr_t)f, n, err);
}

static enum dp_status sync_dir(void *of, size_t i, struct dp_err *err) {
    const struct dp_map *dirs = of;
    return dp_fsync_dir(dirs->items[i].key.p, err);
}

/* The directory of a file and those above it, up to top (or to where the path ends). */
static void add_dirs(struct dp_map *dirs, const char *path, const char *top) {
    char *dir = dp_path_dir(path);
    bool is_new = true, is_top = false;
    while (is_new && !is_top) {
        dp_map_put(dirs, dp_str_z(dir), &is_new);
        is_top = strcmp(dir, top) == 0 || strlen(dir) <= strlen(top);
        char *up = dp_path_dir(dir);
        free(dir);
        dir = up;
    }
    free(dir);
}

enum dp_status dp_newfiles_publish(struct dp_newfile *const *f, size_t n, const char *top, struct dp_err *err) {
    struct dp_map dirs = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n && !status; i++) {
        if (rename(f[i]->tmp, f[i]->final)) {
            status = dp_err_sys(err, DP_IO, "can't rename to %s", f[i]->final);
            break;
        }
        add_dirs(&dirs, f[i]->final, top);
        dp_unfinished_drop(f[i]->slot);
        free(f[i]->tmp);
        f[i]->tmp = NULL, f[i]->slot = -1, f[i]->is_open = false;
    }
    if (!status) status = sync_all(sync_dir, &dirs, dirs.n, err);
    dp_map_release(&dirs);
    return status;
}

/* ---- temporary files and chance ---- */

enum dp_status dp_spill_open(int *fd, struct dp_err *err) {
    const char *dir = getenv("TMPDIR");
    if (!dir || !*dir) dir = "/tmp";
    char *name = dp_path_join(dir, "dp-spill-XXXXXX");
    *fd = mkstemp(name);
    if (*fd < 0) {
        enum dp_status status = dp_err_sys(err, DP_IO, "can't create a temporary file in %s", dir);
        free(name);
        return status;
    }
    (void)unlink(name);
    free(name);
    (void)fcntl(*fd, F_SETFD, FD_CLOEXEC);
    return DP_OK;
}

void dp_random(void *p, size_t n) {
    char *at = p;
    while (n) {
        ssize_t r = getrandom(at, n, 0);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) { /* a kernel without the call: the device is as good, and without both there is no safe name */
            int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
            r = fd < 0 ? -1 : read(fd, at, n);
            if (fd >= 0) close(fd);
            if (r <= 0) abort();
        }
        at += r;
        n -= (size_t)r;
    }
}

void dp_uuid(char out[37]) {
    static const char hex[] = "0123456789abcdef";
    unsigned char r[16];
    dp_random(r, sizeof r);
    r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
    r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
    size_t w = 0;
    for (size_t i = 0; i < sizeof r; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out[w++] = '-';
        out[w++] = hex[r[i] >> 4];
        out[w++] = hex[r[i] & 15];
    }
    out[w] = '\0';
}
