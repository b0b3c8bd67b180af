/*
 * CSV and Parquet files that are no table's (lib/io/erase_priv.h): records that are the person's by the columns that were found (dp/io/subject.h) go.
 *
 * Of CSV all other bytes stay, the header among them; of Parquet row groups that lose none are copied as they stand.  A file of which the search that finds people reads other records than are
 * found here, as bytes of the file, is left alone; the new file is searched before it takes the old one's place.
 */
#include "erase_priv.h"
#include "subject_priv.h"

#include <dp/base/file.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 20 };

/* A record: where it begins (CSV: its byte, Parquet: its row, from 0), and whose it is. */
struct mark { int64_t at; bool is_theirs; };

struct picking {
    struct erase *x;
    const struct dp_subject_place *place;
    int fd;
    bool is_text;
    struct dp_expr *expr;
    int64_t *v;               /* of CSV ranges that go, begin and end; of Parquet rows */
    size_t n, cap;
    bool is_open, is_checked; /* the last range has no end; the bytes are those of the file */
    int64_t bom;              /* bytes in front of what offsets count */
    uint64_t records, all;    /* that go, of so many */
};
struct picker { struct dp_expr_run *run; };

/* ---- which records ---- */

static enum dp_status worker_open(void *ctx, void *mem, struct dp_err *err) {
    (void)err;
    ((struct picker *)mem)->run = dp_expr_run_open(((struct picking *)ctx)->expr);
    return DP_OK;
}

static void worker_close(void *ctx, void *mem) {
    (void)ctx;
    dp_expr_run_close(((struct picker *)mem)->run);
}

static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    const struct picking *p = ctx;
    struct mark m = {.at = 0};
    uint64_t line, offset;
    DP_TRY(dp_expr_test(((struct picker *)j->worker_mem)->run, r, &m.is_theirs, err));
    dp_job_use(j);
    if (!p->is_text && !m.is_theirs) return DP_OK;
    dp_job_place(j, r, &line, &offset);
    m.at = p->is_text ? (int64_t)offset : (int64_t)line - 1;
    dp_buf_add(&j->out, (const char *)&m, sizeof m);
    return DP_OK;
}

static void add(struct picking *p, int64_t v) {
    p->v = dp_grow(p->v, &p->cap, p->n + 1, sizeof *p->v);
    p->v[p->n++] = v;
}

static enum dp_status refuse(const struct picking *p, struct dp_err *err) {
    return dp_err_set(err, DP_UNSUPPORTED, "%s: of compressed files and those in other encodings than UTF-8 nothing can be erased", p->place->name);
}

/* Offsets are those of the file only where what was read are its bytes. */
static enum dp_status check_bytes(struct picking *p, const struct dp_origin *o, struct dp_err *err) {
    char head[sizeof o->head];
    p->is_checked = true;
    if (o->member || o->head_n > sizeof head || dp_fd_pread(p->fd, head, o->head_n, 0, NULL) != DP_OK || memcmp(head, o->head, o->head_n) != 0) return refuse(p, err);
    if (o->head_n >= 3 && !memcmp(head, "\xef\xbb\xbf", 3)) p->bom = 3;
    return DP_OK;
}

static enum dp_status on_chunk(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct picking *p = ctx;
    struct mark m;
    if (p->is_text && !p->is_checked && j->out.n) DP_TRY(check_bytes(p, j->chunk->origin, err));
    for (size_t i = 0; i + sizeof m <= j->out.n; i += sizeof m) {
        memcpy(&m, j->out.p + i, sizeof m);
        if (!p->is_text) {
            add(p, m.at);
        } else if (m.is_theirs != p->is_open) {
            add(p, m.at + p->bom);
            p->is_open = m.is_theirs;
        }
        p->records += m.is_theirs;
    }
    dp_buf_reset(&j->out);
    return DP_OK;
}

static enum dp_status pick(struct picking *p, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.worker_size = sizeof(struct picker), .worker_open = worker_open, .worker_close = worker_close, .record = on_record, .emit = on_chunk};
    struct dp_stream_conf conf = {.sources = {.paths = DP_PATHS_REFUSE, .own_types = true}, .sink = true, .no_checkpoints = true};
    struct dp_run own = subject_run(p->x->run);
    struct dp_buf where = {0};
    enum dp_status status = subject_where(p->x->o->subject, p->place, &where, err);
    if (status == DP_OK) status = dp_expr_compile(dp_buf_str(&where), &p->expr, err);
    if (p->is_text) conf.sources.encoding = "utf-8"; /* nothing is decoded, and so moved */
    if (status == DP_OK && !p->is_text) own.where = dp_buf_z(&where); /* passes over row groups and pages */
    if (status == DP_OK) status = subject_stream(&own, p->place->name, &conf, &ops, p, err);
    p->all = own.books.in;
    if (status == DP_OK && own.books.rejected)
        status = dp_err_set(err, DP_UNSUPPORTED, "%s: %llu of its records can't be read, and nothing is erased between them", p->place->name, (unsigned long long)own.books.rejected);
    dp_buf_release(&where);
    return status;
}

/* ---- without them ---- */

static enum dp_status copy(const struct picking *p, int to, int64_t from, int64_t end, struct dp_buf *b, struct dp_err *err) {
    while (from < end) {
        size_t n = end - from < PIECE ? (size_t)(end - from) : PIECE;
        DP_TRY(dp_fd_pread(p->fd, dp_buf_reserve(b, n), n, (uint64_t)from, err));
        DP_TRY(dp_fd_write(to, b->p, n, err));
        from += (int64_t)n;
        if (dp_run_stopped(p->x->run, err)) return DP_SIGNALLED;
    }
    return DP_OK;
}

/* Ranges begin and end where lines do. */
static enum dp_status check_ranges(const struct picking *p, int64_t size, struct dp_err *err) {
    for (size_t i = 0; i < p->n; i++) {
        char before = 0;
        if (p->v[i] == size) continue;
        DP_TRY(p->v[i] > 0 ? dp_fd_pread(p->fd, &before, 1, (uint64_t)p->v[i] - 1, err) : DP_OK);
        if (before != '\n' && before != '\r') return refuse(p, err);
    }
    return DP_OK;
}

static enum dp_status write_text(struct picking *p, const struct stat *st, struct dp_newfile *out, struct dp_err *err) {
    struct dp_buf b = {0};
    int64_t at = 0;
    if (p->is_open) add(p, st->st_size);
    DP_TRY(check_ranges(p, st->st_size, err));
    enum dp_status status = dp_newfile_open(out, p->place->name, st->st_mode & 0777, err);
    for (size_t i = 0; i + 1 < p->n && status == DP_OK; i += 2) {
        status = copy(p, out->fd, at, p->v[i], &b, err);
        p->x->out->bytes_removed += (uint64_t)(p->v[i + 1] - p->v[i]);
        at = p->v[i + 1];
    }
    if (status == DP_OK) status = copy(p, out->fd, at, st->st_size, &b, err);
    dp_buf_release(&b);
    return status;
}

static enum dp_status nothing(void *ctx, struct dp_str lines, uint64_t n, struct dp_err *err) {
    (void)ctx, (void)lines, (void)n, (void)err;
    return DP_OK;
}

/* What the search sees of it. */
static enum dp_status search(const struct picking *p, const char *path, struct dp_subject_seen *seen, struct dp_err *err) {
    struct dp_subject_place place = *p->place;
    char *name = dp_strdup(path);
    place.name = name;
    enum dp_status status = dp_subject_read(p->x->run, p->x->o->subject, &place, nothing, NULL, seen, err);
    free(name);
    return status;
}

/* The new file, before anybody sees it: all others are there. */
static enum dp_status check(const struct picking *p, const char *draft, struct dp_err *err) {
    struct dp_subject_seen seen;
    DP_TRY(search(p, draft, &seen, err));
    if (!seen.found && (!p->is_text || seen.rows == p->all - p->records)) return DP_OK;
    return dp_err_set(err, DP_UNSUPPORTED, "%s: %llu of %llu records would go, and %llu stay, of them %llu of the person; it stays as it is", p->place->name, (unsigned long long)p->records,
                      (unsigned long long)p->all, (unsigned long long)seen.rows, (unsigned long long)seen.found);
}

static enum dp_status rewrite(struct picking *p, struct dp_err *err) {
    struct dp_newfile out = {0};
    struct stat st;
    enum dp_status status = fstat(p->fd, &st) == 0 ? DP_OK : dp_err_sys(err, DP_IO, "cannot look at %s", p->place->name);
    if (status == DP_OK && p->is_text) status = write_text(p, &st, &out, err);
    else if (status == DP_OK) status = erase_rewrite(p->x, p->place->name, p->v, p->n, st.st_mode & 0777, &out, err);
    if (status == DP_OK) status = check(p, out.tmp, err);
    if (status == DP_OK) status = dp_newfile_commit(&out, err);
    dp_newfile_abort(&out);
    return status;
}

/* ---- one file ---- */

bool erase_has_records(const struct dp_subject_place *place) {
    int fd = open(place->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct stat st;
    bool is_file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode), yes = is_file && (dp_pq_is(fd) || subject_is_csv(place->name));
    if (fd >= 0) close(fd);
    return yes;
}

enum dp_status erase_records(struct erase *x, const struct dp_subject_place *place, struct dp_err *err) {
    struct picking p = {.x = x, .place = place, .fd = open(place->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)};
    enum dp_status status = DP_OK;
    struct dp_subject_seen seen = {0};
    if (p.fd < 0) return dp_err_sys(err, DP_IO, "cannot open %s", place->name);
    p.is_text = !dp_pq_is(p.fd);
    if (place->n_columns) status = pick(&p, err);
    if (status == DP_OK && place->n_columns) status = search(&p, place->name, &seen, err);
    if (status == DP_OK && seen.found != p.records) status = refuse(&p, err);
    if (status == DP_OK && p.records && !x->run->dry_run) status = rewrite(&p, err);
    if (status == DP_OK) x->out->plain_files++, x->out->rows += p.records, x->out->files_rewritten += p.records > 0;
    dp_expr_free(p.expr);
    free(p.v);
    close(p.fd);
    return status;
}
