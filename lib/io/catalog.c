/*
 * The store's file (dp/io/catalog.h): where it is, how it is made and opened, transactions.
 *
 * Every transaction that writes begins as such (BEGIN IMMEDIATE), so none has to be given up half-way because another was faster; who waits looks again every few milliseconds, up to
 * wait_ms.  Written with synchronous=NORMAL: a process that dies loses nothing that it committed, a machine that loses power at most the last commits, and never the file.
 */
#include "catalog_priv.h"

#include <dp/base/file.h>
#include <dp/base/time.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const schema_sql =
    "CREATE TABLE event(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, at INTEGER NOT NULL, type INTEGER NOT NULL, run INTEGER, job INTEGER, dataset INTEGER,"
    " size INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX event_at ON event(at);"
    "CREATE INDEX event_run ON event(run);"
    "CREATE INDEX event_static ON event(job, dataset) WHERE run IS NULL;"
    "CREATE TABLE dataset(id INTEGER PRIMARY KEY, ns TEXT NOT NULL, name TEXT NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, life TEXT, life_at INTEGER,"
    " dropped_at INTEGER, dropped_run INTEGER, schema INTEGER, schema_at INTEGER, schema_from INTEGER, UNIQUE(name, ns));"
    "CREATE TABLE job(id INTEGER PRIMARY KEY, ns TEXT NOT NULL, name TEXT NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, UNIQUE(name, ns));"
    "CREATE TABLE run(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, job INTEGER, state INTEGER NOT NULL, state_at INTEGER, started_at INTEGER, ended_at INTEGER,"
    " parent INTEGER, root INTEGER, parent_at INTEGER, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL);"
    "CREATE INDEX run_job ON run(job, first_at);"
    "CREATE INDEX run_parent ON run(parent) WHERE parent IS NOT NULL;"
    "CREATE TABLE run_io(run INTEGER NOT NULL, dataset INTEGER NOT NULL, side INTEGER NOT NULL, version TEXT, version_at INTEGER, rows INTEGER, bytes INTEGER, files INTEGER,"
    " stat_at INTEGER, flow INTEGER, flow_at INTEGER, PRIMARY KEY(run, dataset, side)) WITHOUT ROWID;"
    "CREATE INDEX run_io_dataset ON run_io(dataset, side);"
    "CREATE INDEX run_io_flow ON run_io(flow) WHERE flow IS NOT NULL;"
    "CREATE TABLE edge(src INTEGER NOT NULL, dst INTEGER NOT NULL, job INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, runs INTEGER NOT NULL,"
    " failed INTEGER NOT NULL DEFAULT 0, said INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(src, dst, job)) WITHOUT ROWID;"
    "CREATE INDEX edge_dst ON edge(dst, src, job, first_at);"
    "CREATE TABLE job_io(job INTEGER NOT NULL, dataset INTEGER NOT NULL, side INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,"
    " runs INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, said INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(job, side, dataset)) WITHOUT ROWID;"
    "CREATE INDEX job_io_dataset ON job_io(dataset, side, job, first_at);"
    "CREATE TABLE job_edge(src INTEGER NOT NULL, dst INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, PRIMARY KEY(src, dst)) WITHOUT ROWID;"
    "CREATE INDEX job_edge_dst ON job_edge(dst, src, first_at);"
    "CREATE TABLE field(id INTEGER PRIMARY KEY, dataset INTEGER NOT NULL, name TEXT NOT NULL, type TEXT, ordinal INTEGER, description TEXT, first_at INTEGER NOT NULL,"
    " schema INTEGER, schema_at INTEGER, UNIQUE(dataset, name));"
    "CREATE TABLE flow(id INTEGER PRIMARY KEY, dataset INTEGER NOT NULL, job INTEGER NOT NULL, digest BLOB NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,"
    " runs INTEGER NOT NULL, edges BLOB NOT NULL, UNIQUE(dataset, job, digest));"
    "CREATE TABLE flow_src(src INTEGER NOT NULL, flow INTEGER NOT NULL, PRIMARY KEY(src, flow)) WITHOUT ROWID;"
    "CREATE TABLE facet(kind TEXT NOT NULL, owner INTEGER NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, run INTEGER, body INTEGER, PRIMARY KEY(kind, owner, key, at)) WITHOUT ROWID;"
    "CREATE TABLE body(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, text TEXT NOT NULL);"
    "CREATE TABLE symlink(dataset INTEGER NOT NULL, other INTEGER NOT NULL, type TEXT, at INTEGER NOT NULL, PRIMARY KEY(dataset, other)) WITHOUT ROWID;"
    "CREATE TABLE rename(old INTEGER NOT NULL, new INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(old, new)) WITHOUT ROWID;"
    "CREATE TABLE tag(kind TEXT NOT NULL, owner INTEGER NOT NULL, field TEXT, key TEXT NOT NULL, value TEXT NOT NULL, source TEXT, at INTEGER NOT NULL, until INTEGER, event INTEGER NOT NULL);"
    "CREATE INDEX tag_owner ON tag(kind, owner);"
    "CREATE INDEX tag_key ON tag(key, value);"
    "CREATE TABLE owner(kind TEXT NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, type TEXT, source TEXT, at INTEGER NOT NULL, until INTEGER, event INTEGER NOT NULL);"
    "CREATE INDEX owner_id ON owner(kind, id);"
    "CREATE INDEX owner_name ON owner(name);"
    "CREATE TABLE class(dataset INTEGER NOT NULL, field TEXT, class TEXT NOT NULL, source TEXT, at INTEGER NOT NULL, until INTEGER);"
    "CREATE INDEX class_dataset ON class(dataset);"
    "CREATE TABLE changed(kind TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(kind, id)) WITHOUT ROWID;";

/* Form 1 did not count runs that failed; what it knows of runs tells. */
static const char *const from_1_sql =
    "ALTER TABLE edge ADD COLUMN failed INTEGER NOT NULL DEFAULT 0; ALTER TABLE edge ADD COLUMN said INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job_io ADD COLUMN runs INTEGER NOT NULL DEFAULT 0; ALTER TABLE job_io ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job_io ADD COLUMN said INTEGER NOT NULL DEFAULT 0;"
    "UPDATE edge SET said = 1 WHERE runs = 0;"
    "INSERT INTO edge(src, dst, job, first_at, last_at, runs, failed, said) SELECT i.dataset, o.dataset, r.job, min(r.first_at), max(r.last_at), sum(r.state > 0), sum(r.state >= 5), max(r.state = 0)"
    " FROM run r JOIN run_io i ON i.run = r.id AND i.side = 0 JOIN run_io o ON o.run = r.id AND o.side = 1 WHERE r.job > 0 AND (r.state = 0 OR r.state >= 5) GROUP BY 1, 2, 3"
    " ON CONFLICT(src, dst, job) DO UPDATE SET failed = excluded.failed, said = max(said, excluded.said);"
    "INSERT INTO job_io(job, dataset, side, first_at, last_at, runs, failed, said) SELECT r.job, i.dataset, i.side, min(r.first_at), max(r.last_at), sum(r.state > 0), sum(r.state >= 5), max(r.state = 0)"
    " FROM run r JOIN run_io i ON i.run = r.id AND i.side < 2 WHERE r.job > 0 GROUP BY 1, 2, 3"
    " ON CONFLICT(job, side, dataset) DO UPDATE SET runs = excluded.runs, failed = excluded.failed, said = excluded.said;"
    "UPDATE job_io SET said = 1 WHERE runs = 0;";

/* ---- where it is ---- */

bool dp_catalog_is_store(const char *name) {
    return dp_str_ends(dp_str_z(name), DP_STR(".db")) || dp_str_ends(dp_str_z(name), DP_STR(".sqlite"));
}

char *dp_catalog_default(void) {
    const char *named = getenv("DP_LINEAGE");
    char *own = named && dp_catalog_is_store(named) ? dp_path_of_url(named) : NULL;
    if (own) return own;
    char *state = dp_state_home(), *path = dp_path_join(state ? state : ".local/state", "dp/lineage.db");
    free(state);
    return path;
}

/* ---- SQL ---- */

enum dp_status dp_cat_failed(const struct dp_catalog *c, int rc, struct dp_err *err) {
    rc &= 0xff; /* extended codes have the plain one in their low byte */
    if (rc == SQ_BUSY || rc == SQ_LOCKED) return dp_err_set(err, DP_AGAIN, "%s: other programs keep the store busy", c->path);
    if (rc == SQ_NOTADB) return dp_err_set(err, DP_USAGE, "%s is no store of lineage", c->path);
    return dp_err_set(err, rc == SQ_CORRUPT ? DP_FORMAT : DP_IO, "store %s: %s", c->path, c->db ? c->sq.errmsg(c->db) : "can't be opened");
}

enum dp_status dp_cat_sql(struct dp_catalog *c, const char *sql, struct dp_err *err) {
    c->waited_from = 0;
    int rc = c->sq.exec(c->db, sql, NULL, NULL, NULL);
    return rc == SQ_OK ? DP_OK : dp_cat_failed(c, rc, err);
}

int dp_cat_bind(struct dp_catalog *c, void *st, const char *form, va_list ap) {
    int rc = SQ_OK;
    for (int i = 1; *form && rc == SQ_OK; form++, i++) {
        if (*form == 'i') {
            rc = c->sq.bind_int64(st, i, va_arg(ap, int64_t));
            continue;
        }
        struct dp_str s = va_arg(ap, struct dp_str);
        if (!s.p) rc = c->sq.bind_null(st, i);
        else rc = *form == 's' ? c->sq.bind_text(st, i, s.p, (int)s.n, NULL) : c->sq.bind_blob(st, i, s.p, (int)s.n, NULL);
    }
    return rc;
}

enum dp_status dp_cat_query(struct dp_catalog *c, void **st, struct dp_err *err, const char *sql, const char *form, ...) {
    va_list ap;
    *st = NULL;
    c->waited_from = 0;
    int rc = c->sq.prepare(c->db, sql, -1, st, NULL);
    if (rc == SQ_OK) {
        va_start(ap, form);
        rc = dp_cat_bind(c, *st, form, ap);
        va_end(ap);
    }
    return rc == SQ_OK ? DP_OK : dp_cat_failed(c, rc, err);
}

int dp_cat_kept(struct dp_catalog *c, int slot, const char *sql) { return c->st[slot] ? SQ_OK : c->sq.prepare(c->db, sql, -1, &c->st[slot], NULL); }

void *dp_cat_ask(struct dp_catalog *c, int slot, const char *sql, enum dp_status *status, struct dp_err *err) {
    if (*status) return NULL;
    int rc = dp_cat_kept(c, slot, sql);
    if (rc != SQ_OK) *status = dp_cat_failed(c, rc, err);
    else c->sq.reset(c->st[slot]);
    return *status ? NULL : c->st[slot];
}

bool dp_cat_next(struct dp_catalog *c, void *st, enum dp_status *status, struct dp_err *err) {
    if (*status) return false;
    int rc = c->sq.step(st);
    if (rc != SQ_ROW && rc != SQ_DONE) *status = dp_cat_failed(c, rc, err);
    return rc == SQ_ROW;
}

bool dp_cat_next_kept(struct dp_catalog *c, void *st, enum dp_status *status, struct dp_err *err) {
    bool more = dp_cat_next(c, st, status, err);
    if (!more && st) c->sq.reset(st);
    return more;
}

struct dp_str dp_cat_str(struct dp_catalog *c, void *st, int column) {
    const char *p = c->sq.column_blob(st, column);
    if (!p && c->sq.column_type(st, column) != SQ_NULL) p = "";
    return dp_str(p, p ? (size_t)c->sq.column_bytes(st, column) : 0);
}

enum dp_status dp_cat_number(struct dp_catalog *c, const char *sql, long long *v, struct dp_err *err) {
    void *st = NULL;
    enum dp_status status = dp_cat_query(c, &st, err, sql, "");
    if (dp_cat_next(c, st, &status, err)) *v = c->sq.column_int64(st, 0);
    c->sq.finalize(st);
    return status;
}

/* ---- opening ---- */

/* Short naps of uneven length: who waits gets in between the transactions of one who writes much. */
static int wait_more(void *ctx, int times) {
    struct dp_catalog *c = ctx;
    int64_t now = dp_time_monotonic_ms();
    if (times == 0 || !c->waited_from) c->waited_from = now;
    if (now - c->waited_from >= c->wait_ms) return 0;
    unsigned long at = (unsigned long)dp_time_monotonic_micros();
    struct timespec nap = {.tv_nsec = 500000L + (long)(at * 2654435761u >> 7 & 0xfff) * 1000L};
    nanosleep(&nap, NULL);
    return 1;
}

/* What is to be done before a store can be used. */
enum kind { KIND_READY, KIND_NEW, KIND_OLD };

static enum dp_status check_kind(struct dp_catalog *c, enum kind *kind, struct dp_err *err) {
    long long id = 0, form = 0, tables = 0;
    /* The tables first: who makes them sets the rest with them, and may do so between two of these looks. */
    DP_TRY(dp_cat_number(c, "SELECT count(*) FROM sqlite_master", &tables, err));
    DP_TRY(dp_cat_number(c, "PRAGMA application_id", &id, err));
    DP_TRY(dp_cat_number(c, "PRAGMA user_version", &form, err));
    *kind = id == 0 && tables == 0 ? KIND_NEW : form == DP_CATALOG_FORM ? KIND_READY : KIND_OLD;
    if (*kind == KIND_NEW) return DP_OK;
    if (id != DP_CATALOG_ID) return dp_err_set(err, DP_USAGE, "%s is another program's database, no store of lineage", c->path);
    if (form < 1 || form > DP_CATALOG_FORM) return dp_err_set(err, DP_USAGE, "store %s is of form %lld, this program knows %d", c->path, form, DP_CATALOG_FORM);
    return DP_OK;
}

/* Makes the tables, or brings those of an older form up to this one. */
static enum dp_status make_tables(struct dp_catalog *c, struct dp_err *err) {
    enum kind kind = KIND_READY;
    struct dp_buf sql = {0};
    DP_TRY(dp_cat_sql(c, "BEGIN IMMEDIATE", err));
    DP_TRY(check_kind(c, &kind, err)); /* another process may have been first */
    if (kind == KIND_READY) return dp_cat_sql(c, "COMMIT", err);
    dp_buf_addf(&sql, "%s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", kind == KIND_NEW ? schema_sql : from_1_sql, DP_CATALOG_ID, DP_CATALOG_FORM);
    enum dp_status status = dp_cat_sql(c, dp_buf_z(&sql), err);
    dp_buf_release(&sql);
    return status;
}

/* Made by us, so that its mode is ours; SQLite gives its companions the same. */
static enum dp_status make_file(const char *path, struct dp_err *err) {
    struct stat st;
    if (stat(path, &st) == 0) return S_ISREG(st.st_mode) ? DP_OK : dp_err_set(err, DP_USAGE, "%s is no regular file, so no store", path);
    char *dir = dp_path_dir(path);
    enum dp_status status = dp_mkdirs_unsynced(dir, err);
    free(dir);
    if (status) return status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) return dp_err_sys(err, DP_IO, "can't make store %s", path);
    close(fd);
    return DP_OK;
}

static enum dp_status open_writer(struct dp_catalog *c, bool brief, struct dp_err *err) {
    enum kind kind = KIND_READY;
    DP_TRY(make_file(c->path, err));
    int rc = c->sq.open(c->path, &c->db, SQ_OPEN_READWRITE | SQ_OPEN_NOMUTEX, NULL);
    if (rc != SQ_OK) return dp_cat_failed(c, rc, err);
    c->sq.busy_handler(c->db, wait_more, c);
    DP_TRY(check_kind(c, &kind, err));
    if (kind == KIND_NEW) {
        /* Going over to WAL asks for the whole file for an instant, and is told "busy" at once when another does the same. */
        for (int64_t from = dp_time_monotonic_ms();;) {
            enum dp_status status = dp_cat_sql(c, "PRAGMA journal_mode=WAL", err);
            if (status == DP_OK) break;
            if (status != DP_AGAIN || dp_time_monotonic_ms() - from >= c->wait_ms) return status;
            nanosleep(&(struct timespec){.tv_nsec = 3 * 1000 * 1000}, NULL);
        }
    }
    if (kind != KIND_READY) DP_TRY(make_tables(c, err));
    return dp_cat_sql(c, brief ? "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=800; PRAGMA temp_store=MEMORY"
                               : "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY", err);
}

/* A reader of a WAL wants to write beside it (its index of the log); where nothing can be written, nobody else does either. */
static enum dp_status open_reader(struct dp_catalog *c, struct dp_err *err) {
    struct stat st;
    enum kind kind = KIND_READY;
    if (stat(c->path, &st) != 0) {
        if (errno == ENOENT) return dp_err_set(err, DP_IO, "no store of lineage at %s: dp-lineage ingest makes one, and programs with DP_LINEAGE=%s write to it", c->path, c->path);
        return dp_err_sys(err, DP_IO, "can't open store %s", c->path);
    }
    if (!S_ISREG(st.st_mode)) return dp_err_set(err, DP_USAGE, "%s is no regular file, so no store", c->path);
    bool can_write = access(c->path, W_OK) == 0;
    int rc = c->sq.open(c->path, &c->db, (can_write ? SQ_OPEN_READWRITE : SQ_OPEN_READONLY) | SQ_OPEN_NOMUTEX, NULL);
    if (rc != SQ_OK) return dp_cat_failed(c, rc, err);
    c->sq.busy_handler(c->db, wait_more, c);
    enum dp_status status = check_kind(c, &kind, err);
    if (status == DP_IO && !can_write) {
        struct dp_buf uri = {0};
        dp_buf_addz(&uri, "file:");
        for (const char *p = c->path; *p; p++)
            if (*p == '?' || *p == '#' || *p == '%') dp_buf_addf(&uri, "%%%02X", (unsigned char)*p);
            else dp_buf_addc(&uri, *p);
        dp_buf_addz(&uri, "?immutable=1");
        c->sq.close(c->db), c->db = NULL;
        rc = c->sq.open(dp_buf_z(&uri), &c->db, SQ_OPEN_READONLY | SQ_OPEN_URI | SQ_OPEN_NOMUTEX, NULL);
        dp_buf_release(&uri);
        status = rc == SQ_OK ? check_kind(c, &kind, err) : dp_cat_failed(c, rc, err);
    }
    DP_TRY(status);
    if (kind == KIND_OLD && !can_write) return dp_err_set(err, DP_USAGE, "store %s is of an older form: whoever may write it brings it up to form %d by asking it", c->path, DP_CATALOG_FORM);
    if (kind == KIND_OLD) DP_TRY(make_tables(c, err));
    if (kind == KIND_NEW) return dp_err_set(err, DP_USAGE, "%s is empty, no store of lineage", c->path);
    /* One view of the store for all that is asked. */
    return dp_cat_sql(c, "PRAGMA query_only=1; PRAGMA mmap_size=1073741824; PRAGMA cache_size=-16384; BEGIN", err);
}

enum dp_status dp_catalog_open(const char *path, enum dp_catalog_mode mode, int64_t wait_ms, struct dp_catalog **out, struct dp_err *err) {
    struct dp_catalog *c = dp_calloc(1, sizeof *c);
    c->path = dp_strdup(path);
    c->wait_ms = wait_ms;
    c->is_reader = mode == DP_CATALOG_READ;
    c->data_version = -1;
    *out = NULL;
    enum dp_status status = dp_sqlite_load(&c->sq, "a store of lineage", err);
    if (status == DP_OK) status = c->is_reader ? open_reader(c, err) : open_writer(c, mode == DP_CATALOG_BRIEF, err);
    if (status) dp_catalog_close(c);
    else *out = c;
    return status;
}

/* ---- transactions ---- */

void dp_cat_forget(struct dp_catalog *c) {
    dp_map_reset(&c->datasets), dp_map_reset(&c->jobs), dp_map_reset(&c->fields), dp_map_reset(&c->bodies), dp_map_reset(&c->flows);
    dp_map_reset(&c->facets), dp_map_reset(&c->job_ios), dp_map_reset(&c->edges);
    c->n_dirty = 0;
    dp_arena_reset(&c->cache_arena);
}

enum dp_status dp_catalog_commit(struct dp_catalog *c, struct dp_err *err) {
    if (!c->in_transaction) return DP_OK;
    enum dp_status status = dp_cat_flush(c, err);
    if (status == DP_OK) status = dp_cat_sql(c, "COMMIT", err);
    if (status) c->sq.exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    c->in_transaction = false;
    if (status || c->cache_arena.used > (64u << 20)) dp_cat_forget(c);
    return status;
}

uint64_t dp_catalog_repeated(const struct dp_catalog *c) { return c->repeated; }

void dp_catalog_leave(struct dp_catalog *c) {
    if (c && c->db) c->sq.config(c->db, SQ_CONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    dp_catalog_close(c);
}

void dp_catalog_close(struct dp_catalog *c) {
    if (!c) return;
    for (size_t i = 0; i < DP_CATALOG_STATEMENTS; i++)
        if (c->st[i]) c->sq.finalize(c->st[i]);
    if (c->db && c->in_transaction) c->sq.exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    if (c->db) c->sq.close(c->db);
    dp_sqlite_unload(&c->sq);
    if (c->scan) dp_scan_close(c->scan);
    if (c->codec) dp_codec_close(c->codec);
    dp_buf_release(&c->text), dp_buf_release(&c->work);
    dp_map_release(&c->datasets), dp_map_release(&c->jobs), dp_map_release(&c->fields), dp_map_release(&c->bodies), dp_map_release(&c->flows);
    dp_map_release(&c->facets), dp_map_release(&c->job_ios), dp_map_release(&c->edges);
    free(c->dirty);
    for (size_t i = 0; i < 3; i++) free(c->names[i].v), free(c->names[i].dataset);
    dp_arena_release(&c->name_arena), dp_arena_release(&c->event_arena), dp_arena_release(&c->cache_arena);
    free(c->path), free(c);
}
