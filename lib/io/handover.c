/*
 * The way of a header across a pipe that carries no marks, so that `dp-ingest a.csv | dp-mask ... | dp-partition -o T | dp-table commit T` is one lineage
 * without dp-run.  Nothing may be added to the pipe's bytes, and a pipe has no other place for them: so the writer leaves the begin mark in a small file
 * named by the pipe (device and inode of its descriptor 1), and the reader looks for it by its own descriptor 0, and takes it away.
 *
 * When: the file stands, whole and by a rename, before the writer's first byte goes out; the reader looks when it has its first byte, or the end of an input
 * that was empty.  So there is nothing to wait for, and nobody is late.
 * Where: a directory of this user alone (0700, owner and kind checked): $XDG_RUNTIME_DIR/dp where that is this user's, as it is not after su or in many a container,
 * else ${TMPDIR:-/tmp}/dp-UID.  Files are not followed as links.
 *
 * Numbers of pipes come again, and a reader that is not one of ours (wc) leaves the file behind.  So what is found must be of this boot, its writer, if the
 * process is still there, must have this pipe for its output, and it names the hash of the first bytes that the writer sent, which must be those that
 * came.  What isn't so is nothing: a lineage too little, never a wrong one.  Programs between two of ours are other pipes, and nothing is found there.
 * Of those who put one down each sixteenth sweeps, for with readers that are not ours there may be many: what another boot left, what a process left that has
 * ended a minute ago or more (its reader may only now have begun), and what is no such file and a day old.  A few hundred names are looked at, no more.
 *
 * What it does not do: several writers into one pipe (the first is found), sockets, other users' pipes.
 */
#include "handover.h"

#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/io/out.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

enum { FIRST = 256, WORDS = 256, DAY = 86400, MINUTE = 60, SWEEP_EACH = 16, SWEEP_MOST = 256 };

/* ---- the directory and the name ---- */

static bool is_own_dir(const char *path) {
    struct stat st;
    return path && *path == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* -1: there is none that is ours alone. */
static int open_dir(bool make) {
    const char *runtime = getenv("XDG_RUNTIME_DIR"), *tmp = getenv("TMPDIR");
    struct dp_buf path = {NULL, 0, 0};
    struct stat st;
    if (is_own_dir(runtime)) dp_buf_addf(&path, "%s/dp", runtime);
    else dp_buf_addf(&path, "%s/dp-%lu", tmp && *tmp ? tmp : "/tmp", (unsigned long)geteuid());
    if (make) (void)mkdir(dp_buf_z(&path), 0700);
    int fd = open(dp_buf_z(&path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    dp_buf_release(&path);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

/* False: it is no pipe. */
static bool pipe_name(int fd, char name[64], unsigned long long *inode) {
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode)) return false;
    *inode = (unsigned long long)st.st_ino;
    snprintf(name, 64, "pipe-%llx-%llx", (unsigned long long)st.st_dev, *inode);
    return true;
}

static size_t read_small(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : 0;
    if (fd >= 0) close(fd);
    if (n < 0) n = 0;
    out[n] = 0;
    return (size_t)n;
}

/* No line feed in it; empty where the system doesn't tell. */
static void boot_id(char out[64]) {
    read_small("/proc/sys/kernel/random/boot_id", out, 64);
    out[strcspn(out, "\n")] = 0;
}

/* When a process began, in the kernel's ticks since the boot; 0: it is not there. */
static unsigned long long start_of(long pid) {
    char path[64], text[1024];
    unsigned long long start = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_small(path, text, sizeof text);
    const char *p = strrchr(text, ')'); /* the name before it may hold anything */
    for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
    if (p) start = strtoull(p + 1, NULL, 10);
    return start;
}

static unsigned long long hash_of(struct dp_str first) {
    size_t n = first.n < FIRST ? first.n : FIRST;
    const char *nl = n ? memchr(first.p, '\n', n) : NULL;
    if (nl) n = (size_t)(nl - first.p) + 1;
    return (unsigned long long)XXH3_64bits(first.p ? first.p : "", n);
}

/* ---- putting down ---- */

/* Will nobody come for this file any more? */
static bool is_left(int dir, const char *name, const char *boot, time_t now) {
    char line[WORDS], theirs[64] = "";
    struct stat st;
    long pid = 0;
    unsigned long long start = 0, hash = 0;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
    bool known = fd >= 0 && fstat(fd, &st) == 0;
    if (fd >= 0) close(fd);
    if (!known && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    line[n > 0 ? n : 0] = 0;
    if (sscanf(line, "%ld %llu %llx %63s", &pid, &start, &hash, theirs) < 4) return st.st_mtime < now - DAY;
    if (*boot && strcmp(theirs, boot) != 0) return true;
    bool lives = start ? start_of(pid) == start : kill((pid_t)pid, 0) == 0 || errno == EPERM;
    return !lives && st.st_mtime < now - MINUTE;
}

static void sweep(int dir, const char *boot) {
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    time_t now = time(NULL);
    int looked = 0;
    if (!d && fd >= 0) close(fd);
    for (struct dirent *e; d && looked < SWEEP_MOST && (e = readdir(d));)
        if (strncmp(e->d_name, "pipe-", 5) == 0 && ++looked && is_left(dir, e->d_name, boot, now)) (void)unlinkat(dir, e->d_name, 0);
    if (d) closedir(d);
}

/* The first line tells whose it is, the second is the mark. */
static void put_down(int fd, struct dp_str mark, struct dp_str first) {
    char name[64], fresh[96], boot[64];
    unsigned long long inode;
    struct dp_buf b = {NULL, 0, 0};
    int dir = pipe_name(fd, name, &inode) ? open_dir(true) : -1;
    if (dir < 0) return;
    boot_id(boot);
    if (inode % SWEEP_EACH == 0) sweep(dir, boot);
    snprintf(fresh, sizeof fresh, "%s-%ld", name, (long)getpid());
    dp_buf_addf(&b, "%ld %llu %016llx %s\n", (long)getpid(), start_of(getpid()), hash_of(first), boot);
    dp_buf_adds(&b, mark);
    (void)unlinkat(dir, fresh, 0);
    int to = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = to >= 0 && dp_fd_write(to, b.p, b.n, NULL) == DP_OK;
    if (to >= 0 && close(to) != 0) ok = false;
    if (!ok || renameat(dir, fresh, dir, name) != 0) (void)unlinkat(dir, fresh, 0);
    dp_buf_release(&b);
    close(dir);
}

static void before_output(void *ctx, int fd, struct dp_str first) {
    struct dp_buf *mark = ctx;
    if (mark->n <= DP_LIMIT_MARK) put_down(fd, dp_buf_str(mark), first);
}

static void drop_mark(void *ctx) {
    struct dp_buf *mark = ctx;
    dp_buf_release(mark);
    free(mark);
}

void handover_offer(struct dp_run *run, const struct dp_mark *header) {
    char name[64];
    unsigned long long inode;
    if (!run->datasets || !run->out || !pipe_name(dp_out_fd(run->out), name, &inode)) return;
    struct dp_buf *mark = dp_calloc(1, sizeof *mark);
    dp_mark_print(header, mark);
    dp_out_before(run->out, before_output, drop_mark, mark);
}

/* ---- taking ---- */

/* Is what the first line says of this pipe, as it is now? */
static bool is_ours(const char *line, unsigned long long inode, struct dp_str first) {
    char boot[64], theirs[64] = "", link[64], out[64], want[64];
    long pid = 0;
    unsigned long long start = 0, hash = 0;
    if (sscanf(line, "%ld %llu %llx %63s", &pid, &start, &hash, theirs) < 3) return false;
    boot_id(boot);
    if (strcmp(boot, theirs) != 0 || hash != hash_of(first)) return false;
    if (!start || start_of(pid) != start) return true; /* it has ended, or can't be asked */
    snprintf(link, sizeof link, "/proc/%ld/fd/1", pid);
    ssize_t n = readlink(link, out, sizeof out - 1);
    if (n <= 0) return true; /* on its way out */
    out[n] = 0;
    snprintf(want, sizeof want, "pipe:[%llu]", inode);
    return strncmp(out, "pipe:[", 6) != 0 || strcmp(out, want) == 0; /* a FIFO by name is told by its device and inode alone */
}

bool handover_take(struct dp_str first, struct dp_mark *header) {
    char name[64];
    unsigned long long inode;
    struct dp_buf b = {NULL, 0, 0};
    struct stat st;
    bool ok = false;
    int dir = pipe_name(STDIN_FILENO, name, &inode) ? open_dir(false) : -1;
    int fd = dir >= 0 ? openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_size > 0 && st.st_size <= DP_LIMIT_MARK + WORDS) {
        size_t size = (size_t)st.st_size;
        char *p = dp_buf_reserve(&b, size);
        for (ssize_t n; b.n < size && (n = read(fd, p + b.n, size - b.n)) > 0;) b.n += (size_t)n;
        const char *nl = memchr(b.p, '\n', b.n);
        size_t head = nl ? (size_t)(nl - b.p) + 1 : 0;
        char line[WORDS] = "";
        if (head && head < sizeof line) memcpy(line, b.p, head);
        size_t mark = b.n - head;
        if (mark && b.p[b.n - 1] == '\n') mark--;
        ok = line[0] && is_ours(line, inode, first) && dp_mark_parse(dp_str(b.p + head, mark), header, NULL) == DP_OK;
        if (ok && header->kind != DP_MARK_BEGIN) dp_mark_release(header), ok = false;
    }
    if (fd >= 0) (void)unlinkat(dir, name, 0), close(fd);
    if (dir >= 0) close(dir);
    dp_buf_release(&b);
    return ok;
}
