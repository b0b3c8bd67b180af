/*
 * The ledger (dp/io/ledger.h) in SQLite (sqlite_priv.h).
 *
 * Rows: job, source (name and member), id (with the fingerprint), position.  The id of a file that was shorter than a fingerprint's reach
 * when it was first read is renewed as it grows, so that files which begin alike are told apart as soon as that can be.
 * What earlier commits of the job were, and how to go back to them: ledger_points.c.
 * Locks are open file description locks on bytes of the file far behind its content, one byte for each source by the hash of its name;
 * the kernel drops them with the process.  They are apart from SQLite's own, which a close in the same process would not survive as POSIX locks.
 * What it does not do: forget sources that are gone (rows are small; sqlite3(1) can delete them).
 */
#include "ledger_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>

#include <errno.h>
#include <fcntl.h>
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

enum { VERSION = 2 };

/* ---- SQLite ---- */

enum dp_status ledger_failed(const struct dp_ledger *l, int rc, struct dp_err *err) {
    rc &= 0xff; /* extended codes have the plain one in their low byte */
    if (rc == SQ_BUSY || rc == SQ_LOCKED) return dp_err_set(err, DP_AGAIN, "%s: another process holds the ledger", l->path);
    if (rc == SQ_NOTADB) return dp_err_set(err, DP_USAGE, "%s is no ledger", l->path);
    return dp_err_set(err, rc == SQ_CORRUPT ? DP_FORMAT : DP_IO, "ledger %s: %s", l->path, l->db ? l->sq.errmsg(l->db) : "can't be opened");
}

enum dp_status ledger_sql(struct dp_ledger *l, const char *sql, struct dp_err *err) {
    int rc = l->sq.exec(l->db, sql, NULL, NULL, NULL);
    return rc == SQ_OK ? DP_OK : ledger_failed(l, rc, err);
}

enum dp_status ledger_number(struct dp_ledger *l, const char *sql, const char *text, long long n, long long *v, struct dp_err *err) {
    void *st = NULL;
    int rc = l->sq.prepare(l->db, sql, -1, &st, NULL);
    if (rc == SQ_OK && strstr(sql, "?1")) rc = l->sq.bind_text(st, 1, l->job, -1, NULL);
    if (rc == SQ_OK && text) rc = l->sq.bind_text(st, 2, text, -1, NULL);
    if (rc == SQ_OK && strstr(sql, "?3")) rc = l->sq.bind_int64(st, 3, n);
    if (rc == SQ_OK) rc = l->sq.step(st);
    *v = rc == SQ_ROW ? l->sq.column_int64(st, 0) : 0;
    enum dp_status status = rc == SQ_ROW || rc == SQ_DONE ? DP_OK : ledger_failed(l, rc, err);
    l->sq.finalize(st);
    return status;
}

static enum dp_status pragma(struct dp_ledger *l, const char *sql, long long *v, struct dp_err *err) { return ledger_number(l, sql, NULL, 0, v, err); }

/* ---- opening ---- */

/* Is it ours, or new?  Foreign databases are left alone. */
static enum dp_status check_kind(struct dp_ledger *l, struct dp_err *err) {
    long long id = 0, version = 0, tables = 0;
    DP_TRY(pragma(l, "PRAGMA application_id", &id, err));
    DP_TRY(pragma(l, "PRAGMA user_version", &version, err));
    DP_TRY(pragma(l, "SELECT count(*) FROM sqlite_master", &tables, err));
    l->version = 0;
    if (id == 0 && tables == 0) return DP_OK;
    if (id != APPLICATION_ID) return dp_err_set(err, DP_USAGE, "%s is another program's database, no ledger", l->path);
    if (version < 1 || version > VERSION) return dp_err_set(err, DP_UNSUPPORTED, "ledger %s is of version %lld, this program knows 1 to %d", l->path, version, VERSION);
    l->version = (int)version;
    return DP_OK;
}

/* Tables that are not there yet: all of them, or those of the second version. */
static enum dp_status make_tables(struct dp_ledger *l, struct dp_err *err) {
    if (!l->version)
        DP_TRY(ledger_sql(l,
                          "CREATE TABLE position(job TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, run TEXT NOT NULL,"
                          " time TEXT NOT NULL, PRIMARY KEY(job, source, id)) WITHOUT ROWID;"
                          "PRAGMA application_id=1685089383",
                          err));
    if (l->version < VERSION) DP_TRY(ledger_sql(l, ledger_points_tables, err));
    l->version = VERSION;
    return ledger_sql(l, "COMMIT", err);
}

static enum dp_status open_db(struct dp_ledger *l, struct dp_err *err) {
    int rc = l->sq.open(l->path, &l->db, l->read_only ? SQ_OPEN_READONLY : SQ_OPEN_READWRITE | SQ_OPEN_CREATE, NULL);
    if (rc != SQ_OK) return ledger_failed(l, rc, err);
    l->sq.busy_timeout(l->db, l->wait_ms > INT32_MAX ? INT32_MAX : (int)l->wait_ms);
    DP_TRY(check_kind(l, err));
    if (l->version == VERSION || l->read_only) return DP_OK;
    DP_TRY(ledger_sql(l, "BEGIN IMMEDIATE", err));
    DP_TRY(check_kind(l, err)); /* another process may have been first */
    return make_tables(l, err);
}

enum dp_status dp_ledger_open(const char *path, const char *job, bool read_only, int64_t wait_ms, struct dp_ledger **out, struct dp_err *err) {
    struct dp_ledger *l = dp_calloc(1, sizeof *l);
    enum dp_status status = DP_OK;
    struct stat st;
    l->path = dp_strdup(path);
    l->job = dp_strdup(job);
    l->read_only = read_only;
    l->wait_ms = wait_ms;
    l->fd = -1;
    l->told = -1;
    pthread_mutex_init(&l->lock, NULL);
    *out = NULL;
    if (read_only && stat(path, &st) != 0 && errno == ENOENT) return *out = l, DP_OK;
    l->fd = open(path, (read_only ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC | O_NOCTTY, 0600);
    if (l->fd < 0) DP_TRY_OUT(dp_err_sys(err, DP_IO, "can't open ledger %s", path));
    if (fstat(l->fd, &st) == 0 && !S_ISREG(st.st_mode)) DP_TRY_OUT(dp_err_set(err, DP_USAGE, "%s is no regular file, so no ledger", path));
    DP_TRY_OUT(dp_sqlite_load(&l->sq, "a ledger", err));
    status = open_db(l, err);
out:
    if (status) dp_ledger_close(l);
    else *out = l;
    return status;
}

void dp_ledger_close(struct dp_ledger *l) {
    if (!l) return;
    if (l->db) l->sq.close(l->db);
    if (l->fd >= 0) close(l->fd);
    dp_sqlite_unload(&l->sq);
    for (size_t i = 0; i < l->noted.n; i++) {
        struct noted *n = l->noted.items[i].v.p;
        free(n->old_id), free(n->id), free(n);
    }
    dp_map_release(&l->noted);
    pthread_mutex_destroy(&l->lock);
    free(l->path), free(l->job), free(l);
}

/* ---- locks ---- */

static enum dp_status lock_bytes(struct dp_ledger *l, off_t from, off_t n, const char *what, struct dp_err *err) {
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

static enum dp_status lock_source(struct dp_ledger *l, struct dp_str source, const char *name, struct dp_err *err) {
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

static char *source_of(const struct dp_origin *o) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, o->name);
    if (o->member) dp_buf_addf(&b, "#%s", o->member);
    return dp_buf_detach(&b);
}

/* Of the rows of this source, the one whose fingerprint reaches farthest and holds. */
static enum dp_status look_up(struct dp_ledger *l, const char *source, struct dp_origin *o, uint64_t *position, struct dp_err *err) {
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
    enum dp_status status = rc == SQ_DONE ? DP_OK : ledger_failed(l, rc, err);
    l->sq.finalize(st);
    return status;
}

enum dp_status dp_ledger_find(struct dp_ledger *l, struct dp_origin *o, uint64_t *position, struct dp_err *err) {
    char *source = source_of(o);
    enum dp_status status = DP_OK;
    *position = 0;
    if (l->fd >= 0) status = lock_source(l, dp_str_z(source), o->name, err); /* before the look: what another run commits now is seen */
    pthread_mutex_lock(&l->lock);
    if (!status && l->db && l->version) status = look_up(l, source, o, position, err); /* version 0: an empty file */
    if (!status && l->told >= 0) status = ledger_check_moved(l, source, err);
    pthread_mutex_unlock(&l->lock);
    free(source);
    return status;
}

void dp_ledger_note(struct dp_ledger *l, const struct dp_origin *o, uint64_t position) {
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

/* The statements of a commit. */
struct writing { void *before, *del, *put; };

static int write_one(struct dp_ledger *l, const struct writing *w, long long seq, const char *source, const struct noted *n, const char *run, const char *time) {
    l->sq.bind_text(w->before, 1, l->job, -1, NULL), l->sq.bind_int64(w->before, 2, seq), l->sq.bind_text(w->before, 3, source, -1, NULL);
    l->sq.bind_text(w->before, 4, n->id, -1, NULL), l->sq.bind_text(w->before, 5, n->old_id, -1, NULL);
    int rc = l->sq.step(w->before);
    l->sq.reset(w->before);
    if (rc != SQ_DONE) return rc;
    if (strcmp(n->old_id, n->id) != 0) {
        l->sq.bind_text(w->del, 1, l->job, -1, NULL), l->sq.bind_text(w->del, 2, source, -1, NULL), l->sq.bind_text(w->del, 3, n->old_id, -1, NULL);
        rc = l->sq.step(w->del);
        l->sq.reset(w->del);
        if (rc != SQ_DONE) return rc;
    }
    l->sq.bind_text(w->put, 1, l->job, -1, NULL), l->sq.bind_text(w->put, 2, source, -1, NULL), l->sq.bind_text(w->put, 3, n->id, -1, NULL);
    l->sq.bind_int64(w->put, 4, (long long)n->position);
    l->sq.bind_text(w->put, 5, run, -1, NULL), l->sq.bind_text(w->put, 6, time, -1, NULL);
    rc = l->sq.step(w->put);
    l->sq.reset(w->put);
    return rc == SQ_DONE ? SQ_OK : rc;
}

static enum dp_status write_all(struct dp_ledger *l, long long seq, const char *run, const char *time, struct dp_err *err) {
    struct writing w = {0};
    int rc = l->sq.prepare(l->db, "INSERT OR REPLACE INTO before(job, seq, source, id, old_id, old_position) VALUES (?1, ?2, ?3, ?4, ?5,"
                                  " (SELECT position FROM position WHERE job = ?1 AND source = ?3 AND id = ?5))", -1, &w.before, NULL);
    if (rc == SQ_OK) rc = l->sq.prepare(l->db, "DELETE FROM position WHERE job = ?1 AND source = ?2 AND id = ?3", -1, &w.del, NULL);
    if (rc == SQ_OK) rc = l->sq.prepare(l->db, "INSERT OR REPLACE INTO position(job, source, id, position, run, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", -1, &w.put, NULL);
    for (size_t i = 0; i < l->noted.n && rc == SQ_OK; i++) {
        const struct noted *n = l->noted.items[i].v.p;
        if (!n->is_written) rc = write_one(l, &w, seq, l->noted.items[i].key.p, n, run, time);
    }
    enum dp_status status = rc == SQ_OK ? DP_OK : ledger_failed(l, rc, err);
    l->sq.finalize(w.before);
    l->sq.finalize(w.del);
    l->sq.finalize(w.put);
    return status;
}

static enum dp_status write_noted(struct dp_ledger *l, const char *id, const char *run, int64_t now, struct dp_err *err) {
    long long seq = 0;
    char time[40];
    time[dp_time_print_micros(time, now, true, 3)] = '\0';
    DP_TRY(ledger_sql(l, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", err));
    enum dp_status status = ledger_point_next(l, &seq, err);
    if (!status) status = write_all(l, seq, run, time, err);
    if (!status) status = ledger_point_add(l, seq, id, run, time, err);
    if (!status) status = ledger_sql(l, "COMMIT", err);
    if (status) l->sq.exec(l->db, "ROLLBACK", NULL, NULL, NULL);
    else if (l->told >= 0) l->told = seq;
    return status;
}

enum dp_status dp_ledger_commit(struct dp_ledger *l, const char *id, const char *run, int64_t now, struct dp_err *err) {
    bool any = false;
    for (size_t i = 0; i < l->noted.n && !any; i++) any = !((const struct noted *)l->noted.items[i].v.p)->is_written;
    if (!any || l->read_only) return DP_OK;
    pthread_mutex_lock(&l->lock);
    enum dp_status status = write_noted(l, id, run, now, err);
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->noted.n && !status; i++) ((struct noted *)l->noted.items[i].v.p)->is_written = true;
    return status;
}
