/*
 * Events that wait on disk, and runs that are held open (lineage_priv.h has the form of the files).
 *
 * A file belongs to the process that locks it (flock, which dies with it); one that is there unlocked was left behind, and whoever locks it sends what waits in
 * it and then, for runs that were still open, their ABORT.  So there is one sender of each event at a time, and each event is sent once, but for a death between
 * a receiver's answer and our mark.  Nothing is synced: what matters is that it outlives the process, not the machine.
 */
#include "lineage_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/base/time.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define SUFFIX ".events"
#define REJECTED "rejected.ndjson"
#define TOLD "told"       /* when somebody was last told that events wait here */
#define TOLD_EACH_S 3600

/* ---- places ---- */

char *lineage_spool_dir(const struct lineage_receiver *r) {
    static const char *const kinds[] = {"file", "console", "store", "http"};
    const char *what = r->kind == LINEAGE_HTTP ? r->http.url : r->path;
    char *state = what ? dp_state_home() : NULL;
    if (!state) return NULL;
    struct dp_buf b = {NULL, 0, 0};
    dp_buf_addf(&b, "%s/dp/spool/%s-%016llx", state, kinds[r->kind], (unsigned long long)XXH3_64bits(what, strlen(what)));
    free(state);
    return dp_buf_detach(&b);
}

/* The spool and what is in it are their owner's alone. */
static bool make_dirs(const char *dir) {
    char *spool = dp_path_dir(dir), *above = dp_path_dir(spool);
    bool good = dp_mkdirs_unsynced(above, NULL) == DP_OK && (mkdir(spool, 0700) == 0 || errno == EEXIST) && (mkdir(dir, 0700) == 0 || errno == EEXIST);
    free(spool);
    free(above);
    return good;
}

/* ---- our own file ---- */

bool lineage_spool_open(struct lineage_spool *s, const char *dir) {
    if (s->is_open || s->failed) return s->is_open;
    struct stat st;
    bool made = false;
    for (int tries = 0; dir && tries < 100; tries++) {
        struct dp_buf name = {NULL, 0, 0};
        unsigned r;
        dp_random(&r, sizeof r);
        dp_buf_addf(&name, "%s/%016llx-%08x" SUFFIX, dir, (unsigned long long)dp_time_now_micros(), r); /* names sort by time */
        s->path = dp_buf_detach(&name);
        s->fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (s->fd >= 0 && flock(s->fd, LOCK_EX | LOCK_NB) == 0 && fstat(s->fd, &st) == 0 && st.st_nlink == 1) return s->is_open = true;
        s->sys_errno = errno;
        free(s->path);
        s->path = NULL;
        if (s->fd >= 0) { /* another took it for one that was left behind, between the two calls */
            close(s->fd);
            continue;
        }
        if (s->sys_errno == EEXIST) continue;
        if (s->sys_errno != ENOENT || made || !make_dirs(dir)) break;
        made = true;
    }
    s->failed = true;
    return false;
}

int64_t lineage_spool_add(struct lineage_spool *s, const char *head, struct dp_str line) {
    struct dp_buf b = {NULL, 0, 0};
    if (!s->is_open) return -1;
    dp_buf_addz(&b, head);
    dp_buf_adds(&b, line);
    ssize_t n = pwrite(s->fd, b.p, b.n, (off_t)s->end);
    bool whole = n == (ssize_t)b.n;
    dp_buf_release(&b);
    if (!whole) {
        s->sys_errno = n < 0 ? errno : ENOSPC;
        if (n > 0 && ftruncate(s->fd, (off_t)s->end)) return -1; /* a half line at the end is cut by who reads it */
        return -1;
    }
    int64_t at = (int64_t)s->end;
    s->end += (uint64_t)n;
    s->waiting++;
    return at;
}

void lineage_spool_mark(struct lineage_spool *s, int64_t at, enum lineage_line as) {
    char c = (char)as;
    if (!s->is_open || at < 0) return;
    if (s->waiting) s->waiting--;
    if (pwrite(s->fd, &c, 1, (off_t)at) != 1) return; /* it is told twice then, which receivers must bear */
}

void lineage_spool_close(struct lineage_spool *s) {
    if (s->is_open) {
        if (!s->waiting) (void)unlink(s->path);
        close(s->fd);
    }
    free(s->path);
    *s = (struct lineage_spool){.failed = true};
}

/* ---- what others left ---- */

static bool is_spool_name(const char *name) {
    size_t n = strlen(name), m = strlen(SUFFIX);
    return n > m && name[0] != '.' && strcmp(name + n - m, SUFFIX) == 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

bool lineage_names_load(const char *dir, size_t most, struct lineage_names *names) {
    DIR *d = opendir(dir);
    bool whole = true;
    *names = (struct lineage_names){.at = NULL};
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (!is_spool_name(e->d_name)) continue;
        whole = names->n < most;
        if (!whole) break;
        names->at = dp_grow(names->at, &names->cap, names->n + 1, sizeof *names->at);
        names->at[names->n++] = dp_strdup(e->d_name);
    }
    if (d) closedir(d);
    if (names->n) qsort(names->at, names->n, sizeof *names->at, by_name); /* names begin with the time */
    return whole;
}

void lineage_names_release(struct lineage_names *names) {
    for (size_t i = 0; i < names->n; i++) free(names->at[i]);
    free(names->at);
    *names = (struct lineage_names){.at = NULL};
}

/* Locks it, if nobody has and it is still there. */
static int lock_left(const char *path) {
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0 && S_ISREG(st.st_mode)) return fd;
    close(fd);
    return -1;
}

static bool read_left(struct lineage_left *l) {
    char block[65536];
    struct stat st;
    if (fstat(l->fd, &st) != 0 || st.st_size > 2 * (off_t)DP_LIMIT_SPOOL) return false; /* none that we would write */
    for (;;) {
        ssize_t n = read(l->fd, block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        if (!n) break;
        dp_buf_add(&l->text, block, (size_t)n);
        if (l->text.n > 2 * (size_t)DP_LIMIT_SPOOL) return false;
    }
    while (l->text.n && l->text.p[l->text.n - 1] != '\n') l->text.n--;
    return true;
}

bool lineage_left_next(const char *dir, struct lineage_names *names, struct lineage_left *l) {
    while (names->next < names->n) {
        *l = (struct lineage_left){.path = dp_path_join(dir, names->at[names->next++])};
        l->fd = lock_left(l->path);
        if (l->fd >= 0 && read_left(l)) return true;
        if (l->fd >= 0) close(l->fd);
        dp_buf_release(&l->text);
        free(l->path);
    }
    *l = (struct lineage_left){.fd = -1};
    return false;
}

void lineage_redate(struct dp_str event, int64_t now_micros, struct dp_buf *b) {
    static const char key[] = "\"eventTime\":\"";
    char now[40];
    size_t n = dp_time_print_micros(now, now_micros, true, 6);
    for (size_t i = 0; i + sizeof key < event.n; i++) {
        if (memcmp(event.p + i, key, sizeof key - 1) != 0) continue;
        size_t from = i + sizeof key - 1, to = from;
        while (to < event.n && event.p[to] != '"') to++;
        dp_buf_add(b, event.p, from);
        dp_buf_add(b, now, n);
        dp_buf_add(b, event.p + to, event.n - to);
        return;
    }
    dp_buf_adds(b, event);
}

static bool holds(struct dp_str text, const char *part, size_t n) {
    for (const char *p = text.p, *end = text.p + text.n; p && n && (size_t)(end - p) >= n && (p = memchr(p, *part, (size_t)(end - p) - n + 1)) != NULL; p++)
        if (memcmp(p, part, n) == 0) return true;
    return false;
}

static bool is_held(char line) { return line == LINEAGE_HELD || line == LINEAGE_NEW; }

/* Is an event of this run in the file, sent or not?  Only the last: then its process died between putting it there and taking back what was held. */
static bool has_event(const struct lineage_left *l, struct dp_str run, bool only_last) {
    static const char *const last[] = {"\"eventType\":\"COMPLETE\"", "\"eventType\":\"FAIL\"", "\"eventType\":\"ABORT\""};
    struct dp_buf id = {NULL, 0, 0};
    bool found = false;
    dp_buf_addz(&id, "\"runId\":\"");
    dp_buf_adds(&id, run);
    dp_buf_addc(&id, '"');
    for (size_t at = 0; at < l->text.n && !found;) {
        const char *line = l->text.p + at;
        size_t n = (size_t)((const char *)memchr(line, '\n', l->text.n - at) - line) + 1;
        at += n;
        if (*line != LINEAGE_WAITS && *line != LINEAGE_SENT) continue;
        size_t head = n < 200 ? n : 200; /* the type is the first member, the run's id comes before any other's */
        bool is_last = !only_last;
        for (size_t i = 0; i < sizeof last / sizeof *last; i++) is_last = is_last || holds(dp_str(line, head), last[i], strlen(last[i]));
        found = is_last && holds(dp_str(line, head), id.p, id.n);
    }
    dp_buf_release(&id);
    return found;
}

bool lineage_left_event(struct lineage_left *l, int64_t now_micros, struct dp_buf *event, int64_t *place) {
    for (;;) {
        if (l->at >= l->text.n) {
            if (l->runs_only) return false;
            l->runs_only = true;
            l->at = 0;
            continue;
        }
        size_t from = l->at;
        const char *line = l->text.p + from, *end = memchr(line, '\n', l->text.n - from);
        size_t n = (size_t)(end - line) + 1;
        l->at += n;
        *place = (int64_t)from;
        dp_buf_reset(event);
        if (!l->runs_only && *line == LINEAGE_WAITS) return dp_buf_add(event, line, n), true;
        const char *body = l->runs_only && is_held(*line) ? memchr(line, ' ', n) : NULL;
        struct dp_str run = dp_str(line + 1, body ? (size_t)(body - line) - 1 : 0);
        if (!body || has_event(l, run, true) || (*line == LINEAGE_NEW && !has_event(l, run, false))) continue;
        lineage_redate(dp_str(body + 1, n - (size_t)(body + 1 - line)), now_micros, event);
        return true;
    }
}

void lineage_left_mark(struct lineage_left *l, int64_t place) {
    char c = is_held(l->text.p[place]) ? LINEAGE_ENDED : LINEAGE_SENT;
    l->text.p[place] = c;
    if (pwrite(l->fd, &c, 1, (off_t)place) != 1) return;
}

void lineage_left_close(struct lineage_left *l, bool all_sent) {
    if (l->fd < 0) return;
    if (all_sent) (void)unlink(l->path); /* while it is locked: nobody else can hold it for whole */
    close(l->fd);
    free(l->path);
    dp_buf_release(&l->text);
    *l = (struct lineage_left){.fd = -1};
}

/* ---- bounds ---- */

/* Bytes of the files of these names. */
static uint64_t spool_bytes(const char *dir, const struct lineage_names *names) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t sum = 0;
    struct stat st;
    for (size_t i = 0; fd >= 0 && i < names->n; i++)
        if (fstatat(fd, names->at[i], &st, AT_SYMLINK_NOFOLLOW) == 0) sum += (uint64_t)st.st_size;
    if (fd >= 0) close(fd);
    return sum;
}

size_t lineage_spool_trim(const char *dir, int64_t until_ms) {
    struct lineage_names names;
    struct lineage_left l;
    struct dp_buf event = {NULL, 0, 0};
    size_t gone = 0;
    (void)lineage_names_load(dir, LINEAGE_NAMES, &names);
    uint64_t bytes = spool_bytes(dir, &names);
    while (bytes > DP_LIMIT_SPOOL && dp_time_monotonic_ms() < until_ms && lineage_left_next(dir, &names, &l)) {
        int64_t place;
        struct stat st;
        uint64_t size = fstat(l.fd, &st) == 0 ? (uint64_t)st.st_size : 0;
        bytes -= size < bytes ? size : bytes;
        while (lineage_left_event(&l, 0, &event, &place)) gone++;
        lineage_left_close(&l, true);
    }
    lineage_names_release(&names);
    dp_buf_release(&event);
    return gone;
}

bool lineage_spool_reject(const char *dir, struct dp_str event) {
    struct stat st;
    if (!dir) return false;
    char *path = dp_path_join(dir, REJECTED);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    if (fd < 0) return false;
    bool kept = fstat(fd, &st) == 0 && (uint64_t)st.st_size + event.n <= DP_LIMIT_SPOOL && write(fd, event.p, event.n) == (ssize_t)event.n;
    close(fd);
    return kept;
}

bool lineage_spool_may_tell(const char *dir) {
    struct stat st;
    if (!dir) return true;
    char *path = dp_path_join(dir, TOLD);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    int64_t now = dp_time_now_micros() / 1000000;
    free(path);
    if (fd < 0) return true;
    bool mine = flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0; /* else another tells it at this moment */
    bool is_due = mine && (st.st_size == 0 || st.st_mtime > now || now - st.st_mtime >= TOLD_EACH_S);
    if (is_due && (pwrite(fd, "told\n", 5, 0) < 0 || futimens(fd, NULL) != 0)) is_due = true; /* told too often rather than never */
    close(fd);
    return is_due;
}
