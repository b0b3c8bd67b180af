/*
 * The ledger (dp/io/ledger.h) in SQLite, opened with dlopen at first use; the few functions of its ABI that are used are declared here.
 *
 * Rows: job, source (name and member), id (with the fingerprint), position.  The id of a file that was shorter than a fingerprint's reach
 * when it was first read is renewed as it grows, so that files which begin alike are told apart as soon as that can be.
 * Locks are open file description locks on bytes of the file far behind its content, one byte for each source by the hash of its name;
 * the kernel drops them with the process.  They are apart from SQLite's own, which a close in the same process would not survive as POSIX locks.
 * What it does not do: forget sources that are gone (rows are small; sqlite3(1) can delete them).
 */
#include <dp/io/ledger.h>

#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/base/time.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#ifndef F_OFD_SETLK
#define F_OFD_SETLK 37 /* Linux; its name needs _GNU_SOURCE until POSIX.1-2024 is there */
#endif
#define APPLICATION_ID 0x64706c67 /* "dplg" */
#define MANY_SOURCES 4096         /* from here on one lock for all of them */

enum { SQ_OK = 0, SQ_BUSY = 5, SQ_LOCKED = 6, SQ_READONLY = 8, SQ_NOTADB = 26, SQ_ROW = 100, SQ_DONE = 101, SQ_CORRUPT = 11 };
enum { SQ_OPEN_READONLY = 1, SQ_OPEN_READWRITE = 2, SQ_OPEN_CREATE = 4 };

struct api {
    void *lib;
    int (*open)(const char *, void **, int, const char *);
    int (*close)(void *);
    int (*busy_timeout)(void *, int);
    int (*exec)(void *, const char *, int (*)(void *, int, char **, char **), void *, char **);
    int (*prepare)(void *, const char *, int, void **, const char **);
    int (*bind_text)(void *, int, const char *, int, void (*)(void *));
    int (*bind_int64)(void *, int, long long);
    int (*step)(void *);
    int (*reset)(void *);
    int (*finalize)(void *);
    const unsigned char *(*column_text)(void *, int);
    long long (*column_int64)(void *, int);
    const char *(*errmsg)(void *);
};

struct noted {
    char *old_id, *id; /* the row that is replaced, and its new id */
    uint64_t position;
    bool is_written;
};

struct dp_ledger {
    struct api sq;
    char *path, *job;
    bool read_only;
    int64_t wait_ms;
    int fd; /* for the locks; -1: none */
    void *db; /* NULL: nothing there to read */
    size_t n_locked;
    bool all_locked;
    struct dp_map noted; /* source -> struct noted */
    pthread_mutex_t lock; /* of the database: a file may join while another's position is written */
};

/* ---- the library ---- */

static enum dp_status load(struct api *sq, struct dp_err *err)
{
    const struct {
        const char *name;
        void *where;
    } names[] = {{"sqlite3_open_v2", &sq->open}, {"sqlite3_close", &sq->close}, {"sqlite3_busy_timeout", &sq->busy_timeout},
                 {"sqlite3_exec", &sq->exec}, {"sqlite3_prepare_v2", &sq->prepare}, {"sqlite3_bind_text", &sq->bind_text},
                 {"sqlite3_bind_int64", &sq->bind_int64}, {"sqlite3_step", &sq->step}, {"sqlite3_reset", &sq->reset},
                 {"sqlite3_finalize", &sq->finalize}, {"sqlite3_column_text", &sq->column_text}, {"sqlite3_column_int64", &sq->column_int64},
                 {"sqlite3_errmsg", &sq->errmsg}};
    sq->lib = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!sq->lib) return dp_err_set(err, DP_UNSUPPORTED, "a ledger needs libsqlite3.so.0 (package libsqlite3-0), which can't be loaded");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *f = dlsym(sq->lib, names[i].name);
        if (!f) return dp_err_set(err, DP_UNSUPPORTED, "libsqlite3.so.0 has no %s", names[i].name);
        memcpy(names[i].where, &f, sizeof f);
    }
    return DP_OK;
}

static enum dp_status failed(const struct dp_ledger *l, int rc, struct dp_err *err)
{
    rc &= 0xff; /* extended codes have the plain one in their low byte */
    if (rc == SQ_BUSY || rc == SQ_LOCKED) return dp_err_set(err, DP_AGAIN, "%s: another process holds the ledger", l->path);
    if (rc == SQ_NOTADB) return dp_err_set(err, DP_USAGE, "%s is no ledger", l->path);
    return dp_err_set(err, rc == SQ_CORRUPT ? DP_FORMAT : DP_IO, "ledger %s: %s", l->path, l->db ? l->sq.errmsg(l->db) : "can't be opened");
}

static enum dp_status run_sql(struct dp_ledger *l, const char *sql, struct dp_err *err)
{
    int rc = l->sq.exec(l->db, sql, NULL, NULL, NULL);
    return rc == SQ_OK ? DP_OK : failed(l, rc, err);
}

static enum dp_status number(struct dp_ledger *l, const char *sql, long long *v, struct dp_err *err)
{
    void *st = NULL;
    int rc = l->sq.prepare(l->db, sql, -1, &st, NULL);
    if (rc == SQ_OK) rc = l->sq.step(st);
    if (rc == SQ_ROW) *v = l->sq.column_int64(st, 0);
    enum dp_status status = rc == SQ_ROW ? DP_OK : failed(l, rc, err);
    l->sq.finalize(st);
    return status;
}

/* ---- opening ---- */

/* Is it ours, or new?  Foreign databases are left alone. */
static enum dp_status check_kind(struct dp_ledger *l, bool *is_new, struct dp_err *err)
{
    long long id = 0, version = 0, tables = 0;
    DP_TRY(number(l, "PRAGMA application_id", &id, err));
    DP_TRY(number(l, "PRAGMA user_version", &version, err));
    DP_TRY(number(l, "SELECT count(*) FROM sqlite_master", &tables, err));
    *is_new = id == 0 && tables == 0;
    if (*is_new) return DP_OK;
    if (id != APPLICATION_ID) return dp_err_set(err, DP_USAGE, "%s is another program's database, no ledger", l->path);
    if (version != 1) return dp_err_set(err, DP_UNSUPPORTED, "ledger %s is of version %lld, this program knows 1", l->path, version);
    return DP_OK;
}

static enum dp_status open_db(struct dp_ledger *l, struct dp_err *err)
{
    bool is_new = false;
    int rc = l->sq.open(l->path, &l->db, l->read_only ? SQ_OPEN_READONLY : SQ_OPEN_READWRITE | SQ_OPEN_CREATE, NULL);
    if (rc != SQ_OK) return failed(l, rc, err);
    l->sq.busy_timeout(l->db, l->wait_ms > INT32_MAX ? INT32_MAX : (int)l->wait_ms);
    DP_TRY(check_kind(l, &is_new, err));
    if (!is_new || l->read_only) return DP_OK;
    DP_TRY(run_sql(l, "BEGIN IMMEDIATE", err));
    DP_TRY(check_kind(l, &is_new, err)); /* another process may have been first */
    if (!is_new) return run_sql(l, "COMMIT", err);
    return run_sql(l,
                   "CREATE TABLE position(job TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, run TEXT NOT NULL,"
                   " time TEXT NOT NULL, PRIMARY KEY(job, source, id)) WITHOUT ROWID;"
                   "PRAGMA application_id=1685089383; PRAGMA user_version=1; COMMIT",
                   err);
}

enum dp_status dp_ledger_open(const char *path, const char *job, bool read_only, int64_t wait_ms, struct dp_ledger **out, struct dp_err *err)
{
    struct dp_ledger *l = dp_calloc(1, sizeof *l);
    enum dp_status status = DP_OK;
    struct stat st;
    l->path = dp_strdup(path);
    l->job = dp_strdup(job);
    l->read_only = read_only;
    l->wait_ms = wait_ms;
    l->fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    *out = NULL;
    if (read_only && stat(path, &st) != 0 && errno == ENOENT) return *out = l, DP_OK;
    l->fd = open(path, (read_only ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC | O_NOCTTY, 0600);
    if (l->fd < 0) DP_TRY_OUT(dp_err_sys(err, DP_IO, "can't open ledger %s", path));
    if (fstat(l->fd, &st) == 0 && !S_ISREG(st.st_mode)) DP_TRY_OUT(dp_err_set(err, DP_USAGE, "%s is no regular file, so no ledger", path));
    DP_TRY_OUT(load(&l->sq, err));
    status = open_db(l, err);
out:
    if (status) dp_ledger_close(l);
    else *out = l;
    return status;
}

void dp_ledger_close(struct dp_ledger *l)
{
    if (!l) return;
    if (l->db) l->sq.close(l->db);
    if (l->fd >= 0) close(l->fd);
    if (l->sq.lib) dlclose(l->sq.lib);
    for (size_t i = 0; i < l->noted.n; i++) {
        struct noted *n = l->noted.items[i].v.p;
        free(n->old_id), free(n->id), free(n);
    }
    dp_map_release(&l->noted);
    pthread_mutex_destroy(&l->lock);
    free(l->path), free(l->job), free(l);
}

/* ---- locks ---- */

static enum dp_status lock_bytes(struct dp_ledger *l, off_t from, off_t n, const char *what, struct dp_err *err)
{
    struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = n};
    const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
    for (int64_t waited = 0;; waited += 20) {
        if (fcntl(l->fd, F_OFD_SETLK, &f) == 0) return DP_OK;
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EACCES) return dp_err_sys(err, DP_IO, "can't lock ledger %s", l->path);
        if (waited >= l->wait_ms) return dp_err_set(err, DP_AGAIN, "%.200s: another run with ledger %.200s is reading it", what, l->path);
        nanosleep(&nap, NULL);
    }
}

static enum dp_status lock_source(struct dp_ledger *l, struct dp_str source, const char *name, struct dp_err *err)
{
    const off_t base = (off_t)1 << 62, width = (off_t)1 << 61;
    if (l->read_only || l->all_locked) return DP_OK;
    if (++l->n_locked > MANY_SOURCES) { /* the kernel keeps locks in a list */
        DP_TRY(lock_bytes(l, base, width, name, err));
        l->all_locked = true;
        return DP_OK;
    }
    uint64_t hash = XXH3_64bits_withSeed(source.p, source.n, XXH3_64bits(l->job, strlen(l->job)));
    return lock_bytes(l, base + (off_t)(hash % (uint64_t)width), 1, name, err);
}

/* ---- positions ---- */

static char *source_of(const struct dp_origin *o)
{
    struct dp_buf b = {0};
    dp_buf_addz(&b, o->name);
    if (o->member) dp_buf_addf(&b, "#%s", o->member);
    return dp_buf_detach(&b);
}

/* Of the rows of this source, the one whose fingerprint reaches farthest and holds. */
static enum dp_status look_up(struct dp_ledger *l, const char *source, struct dp_origin *o, uint64_t *position, struct dp_err *err)
{
    void *st = NULL;
    char *best = NULL;
    uint64_t best_reach = 0;
    int rc = l->sq.prepare(l->db, "SELECT id, position FROM position WHERE job = ?1 AND source = ?2", -1, &st, NULL);
    if (rc == SQ_OK) rc = l->sq.bind_text(st, 1, l->job, -1, NULL);
    if (rc == SQ_OK) rc = l->sq.bind_text(st, 2, source, -1, NULL);
    while (rc == SQ_OK || rc == SQ_ROW) {
        rc = l->sq.step(st);
        if (rc != SQ_ROW) break;
        const char *id = (const char *)l->sq.column_text(st, 0);
        long long at = l->sq.column_int64(st, 1);
        if (!id || at <= 0 || (best && dp_origin_reach(id) <= best_reach) || !dp_origin_adopt(o, id)) continue;
        free(best);
        best = dp_strdup(id);
        best_reach = dp_origin_reach(id);
        *position = (uint64_t)at;
    }
    free(best);
    enum dp_status status = rc == SQ_DONE ? DP_OK : failed(l, rc, err);
    l->sq.finalize(st);
    return status;
}

enum dp_status dp_ledger_find(struct dp_ledger *l, struct dp_origin *o, uint64_t *position, struct dp_err *err)
{
    char *source = source_of(o);
    enum dp_status status = DP_OK;
    *position = 0;
    if (l->fd >= 0) status = lock_source(l, dp_str_z(source), o->name, err); /* before the look: what another run commits now is seen */
    pthread_mutex_lock(&l->lock);
    if (!status && l->db) {
        long long tables = 0;
        if (l->read_only) status = number(l, "SELECT count(*) FROM sqlite_master", &tables, err); /* an empty file */
        if (!status && (!l->read_only || tables)) status = look_up(l, source, o, position, err);
    }
    pthread_mutex_unlock(&l->lock);
    free(source);
    return status;
}

void dp_ledger_note(struct dp_ledger *l, const struct dp_origin *o, uint64_t position)
{
    char *source = source_of(o);
    bool is_new;
    struct dp_map_item *it = dp_map_put(&l->noted, dp_str_z(source), &is_new);
    struct noted *n = it->v.p;
    if (is_new) it->v.p = n = dp_calloc(1, sizeof *n);
    if (!n->id || strcmp(n->old_id, o->position_id) != 0) {
        struct dp_origin *fresh = dp_origin_new(o->name, o->member, dp_str(o->head, o->head_n));
        free(n->old_id), free(n->id);
        n->is_written = false;
        n->old_id = dp_strdup(o->position_id);
        n->id = dp_strdup(fresh->position_id);
        dp_origin_free(fresh);
    }
    n->is_written = n->is_written && n->position == position;
    n->position = position;
    free(source);
}

static int write_one(struct dp_ledger *l, void *del, void *put, const char *source, const struct noted *n, const char *run, const char *time)
{
    int rc = SQ_OK;
    if (strcmp(n->old_id, n->id) != 0) {
        l->sq.bind_text(del, 1, l->job, -1, NULL), l->sq.bind_text(del, 2, source, -1, NULL), l->sq.bind_text(del, 3, n->old_id, -1, NULL);
        rc = l->sq.step(del);
        l->sq.reset(del);
        if (rc != SQ_DONE) return rc;
    }
    l->sq.bind_text(put, 1, l->job, -1, NULL), l->sq.bind_text(put, 2, source, -1, NULL), l->sq.bind_text(put, 3, n->id, -1, NULL);
    l->sq.bind_int64(put, 4, (long long)n->position);
    l->sq.bind_text(put, 5, run, -1, NULL), l->sq.bind_text(put, 6, time, -1, NULL);
    rc = l->sq.step(put);
    l->sq.reset(put);
    return rc == SQ_DONE ? SQ_OK : rc;
}

static enum dp_status write_noted(struct dp_ledger *l, const char *run, int64_t now, struct dp_err *err)
{
    void *del = NULL, *put = NULL;
    char time[40];
    time[dp_time_print_micros(time, now, true, 3)] = '\0';
    DP_TRY(run_sql(l, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", err));
    int rc = l->sq.prepare(l->db, "DELETE FROM position WHERE job = ?1 AND source = ?2 AND id = ?3", -1, &del, NULL);
    if (rc == SQ_OK) rc = l->sq.prepare(l->db, "INSERT OR REPLACE INTO position(job, source, id, position, run, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", -1, &put, NULL);
    for (size_t i = 0; i < l->noted.n && rc == SQ_OK; i++) {
        const struct noted *n = l->noted.items[i].v.p;
        if (!n->is_written) rc = write_one(l, del, put, l->noted.items[i].key.p, n, run, time);
    }
    enum dp_status status = rc == SQ_OK ? DP_OK : failed(l, rc, err);
    l->sq.finalize(del);
    l->sq.finalize(put);
    if (!status) status = run_sql(l, "COMMIT", err);
    if (status) l->sq.exec(l->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

enum dp_status dp_ledger_commit(struct dp_ledger *l, const char *run, int64_t now, struct dp_err *err)
{
    bool any = false;
    for (size_t i = 0; i < l->noted.n && !any; i++) any = !((const struct noted *)l->noted.items[i].v.p)->is_written;
    if (!any || l->read_only) return DP_OK;
    pthread_mutex_lock(&l->lock);
    enum dp_status status = write_noted(l, run, now, err);
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->noted.n && !status; i++) ((struct noted *)l->noted.items[i].v.p)->is_written = true;
    return status;
}
