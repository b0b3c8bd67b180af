/*
 * Replication (dp/delta/replicate.h).
 *
 * A new destination gets its log as one directory by one rename.  An old one gets the missing entries one by one, each durable before the next; where the source has
 * lost files that only versions in between need, a checkpoint of the last version goes before them, so that the latest version of the destination is one whose
 * files are all there, whatever entries stand below it.
 * What it does not do: delete anything at the destination, merge two histories, rewrite a path.
 */
#include <dp/base/file.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/dv.h>
#include <dp/delta/hold.h>
#include <dp/delta/land.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/replicate.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 256          /* files that are synced before they get their names */
#define TRIES 5            /* of reading the source again */
#define CHUNK (1u << 20)

struct wanted {
    const char *rel;       /* borrowed from the map */
    bool copy;
};

struct replicate {
    const char *source, *dest;
    const struct dp_delta_replicate_opts *o;
    struct dp_delta_replicated *out;
    struct dp_delta_snapshot *s;
    struct dp_delta_log from, to;  /* to.dir NULL: no log there yet */
    int64_t first, last;           /* entries to link: first..last */
    int64_t lacks;                 /* the version of which an earlier try found a live file gone; -1: none */
    bool lost;                     /* the source lacks files of versions in between */
    struct dp_map files;           /* relative paths; v.u 1: the last version needs it */
    struct wanted *v;
    size_t n;
    char *staging;                 /* of the destination, locked */
    int lock;
    struct dp_delta_hold hold;
};

/* ---- what is wanted ---- */

static enum dp_status refuse_path(const struct replicate *r, struct dp_str path, struct dp_err *err) {
    return dp_err_set(err, DP_UNSUPPORTED, "%s: \"%.*s\" is outside of the table (a shallow clone?): a copy of its log would go on using it; make a deep clone first", r->source,
                      DP_STR_FMT(path));
}

static enum dp_status want(struct replicate *r, struct dp_str decoded, bool live, struct dp_str as_written, struct dp_err *err) {
    bool is_new;
    if (!decoded.n || decoded.p[0] == '/') return refuse_path(r, as_written, err);
    struct dp_map_item *item = dp_map_put(&r->files, decoded, &is_new);
    item->v.u |= live;
    return DP_OK;
}

static enum dp_status want_file(struct replicate *r, const struct dp_delta_file *f, bool live, struct dp_err *err) {
    struct dp_buf path = {0};
    enum dp_status status = dp_delta_path_resolve(r->source, f->path, &path, err);
    dp_buf_reset(&path);
    dp_delta_path_key(f->path, &path);
    if (status == DP_OK) status = want(r, dp_buf_str(&path), live, f->path, err);
    dp_buf_reset(&path);
    if (status == DP_OK && f->dv.storage.p && dp_str_eqz(f->dv.storage, "p")) status = refuse_path(r, f->dv.path, err);
    if (status == DP_OK && f->dv.storage.p && dp_str_eqz(f->dv.storage, "u"))
        status = dp_delta_dv_locate(r->source, f->dv.path, &path) ? want(r, dp_buf_str(&path), live, f->dv.path, err)
                                                     : dp_err_set(err, DP_FORMAT, "%s: a deletion vector has no name", r->source);
    dp_buf_release(&path);
    return status;
}

static enum dp_status want_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    return a->kind == DP_DELTA_ADD || a->kind == DP_DELTA_REMOVE || a->kind == DP_DELTA_CDC ? want_file(ctx, &a->u.file, false, err) : DP_OK;
}

/* All that the entries to come name, and what the last version and its tombstones do. */
static enum dp_status gather(struct replicate *r, struct dp_err *err) {
    size_t cursor = 0;
    const struct dp_delta_file *f;
    struct dp_delta_lines *lines = dp_delta_lines_open(DP_DELTA_NO_STATS);
    struct dp_arena arena = {0};
    enum dp_status status = DP_OK;
    for (int64_t v = r->first; v <= r->last && status == DP_OK; v++) {
        if (!dp_delta_log_has_commit(&r->from, v)) continue;
        char *path = dp_delta_commit_path(r->source, v);
        dp_arena_reset(&arena);
        status = dp_delta_lines_file(lines, path, &arena, want_action, r, err);
        free(path);
    }
    dp_delta_lines_close(lines);
    dp_arena_release(&arena);
    DP_TRY(status);
    while ((f = dp_delta_next_file(r->s, &cursor)) != NULL) DP_TRY(want_file(r, f, true, err));
    for (size_t i = 0; i < r->s->tombstones.n; i++)
        if (!r->s->tombstones.items[i].dead) DP_TRY(want_file(r, r->s->tombstones.items[i].v.p, false, err));
    return DP_OK;
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum dp_status plan_copies(struct replicate *r, struct dp_err *err) {
    r->v = dp_calloc(r->files.n + 1, sizeof *r->v);
    for (size_t i = 0; i < r->files.n; i++) {
        const struct dp_map_item *item = &r->files.items[i];
        char *from = dp_path_join(r->source, item->key.p), *to = dp_path_join(r->dest, item->key.p);
        struct stat a, b;
        bool here = stat(from, &a) == 0, there = stat(to, &b) == 0;
        enum dp_status status = DP_OK;
        if (!here && item->v.u && r->lacks == r->last) /* nobody has taken it meanwhile: it is lost */
            status = dp_err_set(err, DP_FORMAT, "%s: %s is in the log of version %lld and not on disk: there is no whole copy of it (dp-table verify tells all that is wrong)",
                                r->source, item->key.p, (long long)r->last);
        else if (!here && item->v.u) {
            r->lacks = r->last;
            status = dp_err_set(err, DP_AGAIN, "%s: %s is gone", r->source, item->key.p);
        }
        else if (!here && !there) r->out->gone++, r->lost = true;
        if (here && !(there && same_file(&a, &b))) {
            r->v[r->n++] = (struct wanted){item->key.p, true};
            r->out->files++;
            r->out->bytes += (uint64_t)a.st_size;
        }
        free(from);
        free(to);
        DP_TRY(status);
    }
    return DP_OK;
}

/* ---- copying ---- */

static enum dp_status copy_bytes(int in, int out, const char *from, struct dp_err *err) {
    char *p = dp_alloc(CHUNK);
    enum dp_status status = DP_OK;
    for (ssize_t n = 1; status == DP_OK && n != 0;) {
        n = read(in, p, CHUNK);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = dp_err_sys(err, DP_IO, "cannot read %s", from);
        else if (n > 0) status = dp_fd_write(out, p, (size_t)n, err);
    }
    free(p);
    return status;
}

/* One file with its times, on disk when this returns. */
static enum dp_status copy_file(const char *from, const char *to, struct dp_err *err) {
    struct stat st;
    (void)unlink(to); /* left by a run that died, maybe read-only */
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = -1;
    if (in < 0) return dp_err_sys(err, errno == ENOENT ? DP_AGAIN : DP_IO, "cannot open %s", from);
    enum dp_status status = fstat(in, &st) == 0 ? DP_OK : dp_err_sys(err, DP_IO, "cannot look at %s", from);
    if (status == DP_OK && !S_ISREG(st.st_mode)) status = dp_err_set(err, DP_UNSUPPORTED, "%s is no regular file", from); /* a device has no end */
    if (status == DP_OK && (out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, st.st_mode & 0777)) < 0) status = dp_err_sys(err, DP_IO, "cannot make %s", to);
    if (status == DP_OK) status = copy_bytes(in, out, from, err);
    if (status == DP_OK) {
        const struct timespec times[2] = {st.st_atim, st.st_mtim};
        if (futimens(out, times) != 0 || fsync(out) != 0) status = dp_err_sys(err, DP_IO, "cannot write %s", to);
    }
    if (out >= 0 && close(out) != 0 && status == DP_OK) status = dp_err_sys(err, DP_IO, "cannot write %s", to);
    close(in);
    return status == DP_IO && err && !err->source[0] ? dp_err_at(err, to, 0, DP_NO_OFFSET) : status;
}

struct copies {
    struct replicate *r;
    size_t first, n;
};

static char *staged(const struct replicate *r, size_t i) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, "%s/file-%zu", r->staging, i);
    return dp_buf_detach(&b);
}

static enum dp_status copy_one(void *ctx, unsigned worker, size_t i, struct dp_err *err) {
    struct copies *c = ctx;
    char *from = dp_path_join(c->r->source, c->r->v[c->first + i].rel), *to = staged(c->r, i);
    (void)worker;
    enum dp_status status = copy_file(from, to, err);
    free(from);
    free(to);
    return status;
}

/* The copies of a batch to their places; each directory is synced once. */
static enum dp_status place_batch(struct replicate *r, size_t first, size_t n, struct dp_err *err) {
    struct dp_map dirs = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        char *from = staged(r, i), *to = dp_path_join(r->dest, r->v[first + i].rel), *dir = dp_path_dir(to);
        status = dp_mkdirs(dir, err);
        if (status == DP_OK && rename(from, to) != 0) status = dp_err_sys(err, DP_IO, "cannot rename to %s", to);
        dp_map_put(&dirs, dp_str_z(dir), NULL);
        free(from), free(to), free(dir);
    }
    for (size_t i = 0; i < dirs.n && status == DP_OK; i++) status = dp_fsync_dir(dirs.items[i].key.p, err);
    dp_map_release(&dirs);
    return status;
}

static enum dp_status copy_files(struct replicate *r, struct dp_err *err) {
    for (size_t at = 0; at < r->n; at += BATCH) {
        struct copies c = {r, at, r->n - at < BATCH ? r->n - at : BATCH};
        DP_TRY(dp_pool_for(r->o->pool, c.n, copy_one, &c, err));
        DP_TRY(place_batch(r, at, c.n, err));
        if (r->o->tick) DP_TRY(r->o->tick(r->o->ctx, err));
    }
    return DP_OK;
}

/* ---- the log ---- */

/* A file of the log under the same name; exclusive: by link, and one that is there already stays.  Durable when this returns. */
static enum dp_status copy_entry(struct replicate *r, const char *log, const char *name, struct dp_err *err) {
    char *from = dp_path_join(r->from.dir, name), *tmp = dp_path_join(r->staging, "entry"), *to = dp_path_join(log, name), *dir = dp_path_dir(to);
    struct stat st;
    enum dp_status status = stat(to, &st) == 0 ? DP_END : dp_mkdirs(dir, err);
    if (status == DP_OK) status = copy_file(from, tmp, err);
    if (status == DP_OK && link(tmp, to) != 0 && errno != EEXIST) status = dp_err_sys(err, DP_IO, "cannot link %s", to);
    if (status == DP_OK) status = dp_fsync_dir(dir, err);
    (void)unlink(tmp);
    free(from), free(tmp), free(to), free(dir);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status copy_sidecars(struct replicate *r, const char *log, struct dp_err *err) {
    char *dir = dp_path_join(r->from.dir, "_sidecars");
    DIR *d = opendir(dir);
    enum dp_status status = DP_OK;
    for (struct dirent *e; d && status == DP_OK && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        char *name = dp_path_join("_sidecars", e->d_name);
        status = copy_entry(r, log, name, err);
        free(name);
    }
    if (d) closedir(d);
    free(dir);
    return status;
}

/* What stands beside the entries: checkpoints with what they are made of, checksums, compactions, up to the last version. */
static enum dp_status copy_beside(struct replicate *r, const char *log, struct dp_err *err) {
    struct dp_buf name = {0};
    enum dp_status status = copy_sidecars(r, log, err);
    for (size_t i = 0; i < r->from.n_checkpoints && status == DP_OK; i++)
        for (size_t k = 0; k < r->from.checkpoints[i].n_names && r->from.checkpoints[i].version <= r->last && status == DP_OK; k++)
            status = copy_entry(r, log, r->from.checkpoints[i].names[k], err);
    for (size_t i = 0; i < r->from.n_compactions && status == DP_OK; i++)
        if (r->from.compactions[i].to <= r->last) status = copy_entry(r, log, r->from.compactions[i].name, err);
    for (int64_t v = r->first; v <= r->last && status == DP_OK; v++) {
        struct stat st;
        dp_buf_reset(&name);
        dp_buf_addf(&name, "%020lld.crc", (long long)v);
        char *from = dp_path_join(r->from.dir, dp_buf_z(&name));
        if (stat(from, &st) == 0) status = copy_entry(r, log, dp_buf_z(&name), err);
        free(from);
    }
    dp_buf_release(&name);
    return status;
}

/* Does this hint name a checkpoint that was copied?  It may have moved on since the log was listed. */
static bool names_copied(const struct replicate *r, const char *hint) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    struct dp_buf text = {0};
    struct dp_record rec;
    int64_t version = -1;
    bool copied = false;
    if (dp_file_read_regular(hint, DP_LIMIT_COMMIT_BYTES, &text, NULL) == DP_OK) {
        memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        uint32_t node = dp_scan_value(scan, text.p, text.n, &rec, NULL) == DP_OK && rec.nodes[0].kind == DP_KIND_OBJECT ? dp_json_member(&rec, 0, "version") : 0;
        if (!node || !dp_json_get_i64(&rec, node, &version)) version = -1;
    }
    for (size_t i = 0; i < r->from.n_checkpoints; i++) copied |= r->from.checkpoints[i].version == version && version <= r->last;
    dp_scan_close(scan);
    dp_buf_release(&text);
    return copied;
}

/* The hint is replaced, for it moves on. */
static enum dp_status copy_hint(struct replicate *r, const char *log, struct dp_err *err) {
    char *from = dp_path_join(r->from.dir, "_last_checkpoint"), *tmp = dp_path_join(r->staging, "hint"), *to = dp_path_join(log, "_last_checkpoint");
    struct stat a, b;
    enum dp_status status = DP_OK;
    if (stat(from, &a) == 0 && !(stat(to, &b) == 0 && same_file(&a, &b))) {
        status = copy_file(from, tmp, err);
        if (status == DP_OK && names_copied(r, tmp)) status = dp_file_rename(tmp, to, err);
        (void)unlink(tmp);
    }
    free(from), free(tmp), free(to);
    return status;
}

static enum dp_status copy_commits(struct replicate *r, const char *log, struct dp_err *err) {
    struct dp_buf name = {0};
    enum dp_status status = DP_OK;
    for (int64_t v = r->first; v <= r->last && status == DP_OK; v++) {
        if (!dp_delta_log_has_commit(&r->from, v)) continue; /* older than the log's oldest checkpoint */
        dp_buf_reset(&name);
        dp_buf_addf(&name, "%020lld.json", (long long)v);
        status = copy_entry(r, log, dp_buf_z(&name), err);
        if (status == DP_OK && r->o->tick) status = r->o->tick(r->o->ctx, err);
    }
    dp_buf_release(&name);
    return status;
}

/* A log that is not there yet appears whole. */
static enum dp_status make_log(struct replicate *r, struct dp_err *err) {
    char *log = dp_path_join(r->staging, "log"), *to = dp_path_join(r->dest, "_delta_log");
    enum dp_status status = dp_mkdirs(log, err);
    if (status == DP_OK) status = copy_commits(r, log, err);
    if (status == DP_OK) status = copy_beside(r, log, err);
    if (status == DP_OK) status = copy_hint(r, log, err);
    if (status == DP_OK) status = dp_file_rename(log, to, err);
    free(log), free(to);
    return status;
}

static enum dp_status extend_log(struct replicate *r, struct dp_err *err) {
    char *log = dp_path_join(r->dest, "_delta_log");
    enum dp_status status = DP_OK;
    if (r->lost && r->first < r->last) {
        struct dp_delta_snapshot there = *r->s;
        there.table = (char *)(uintptr_t)r->dest;
        status = dp_delta_checkpoint_write(&there, r->o->now_ms, err);
    }
    if (status == DP_OK) status = copy_commits(r, log, err);
    if (status == DP_OK) status = copy_beside(r, log, err);
    if (status == DP_OK) status = copy_hint(r, log, err);
    free(log);
    return status;
}

/* ---- is the destination a copy of the source? ---- */

static enum dp_status read_whole(const char *path, struct dp_buf *b, struct dp_err *err) {
    dp_buf_reset(b);
    return dp_file_read_regular(path, DP_LIMIT_COMMIT_BYTES, b, err);
}

/* An entry that both have must be one and the same. */
static enum dp_status compare_entry(const struct replicate *r, int64_t version, struct dp_err *err) {
    char *a = dp_delta_commit_path(r->source, version), *b = dp_delta_commit_path(r->dest, version);
    struct dp_buf x = {0}, y = {0};
    struct stat s, t;
    enum dp_status status = DP_OK;
    if (!(stat(a, &s) == 0 && stat(b, &t) == 0 && same_file(&s, &t))) {
        status = read_whole(a, &x, err);
        if (status == DP_OK) status = read_whole(b, &y, err);
        if (status == DP_OK && !dp_str_eq(dp_buf_str(&x), dp_buf_str(&y)))
            status = dp_err_set(err, DP_RULE, "%s is not a copy of %s: version %lld differs", r->dest, r->source, (long long)version);
    }
    dp_buf_release(&x), dp_buf_release(&y);
    free(a), free(b);
    return status;
}

static enum dp_status compare_tables(struct replicate *r, struct dp_err *err) {
    struct dp_delta_snapshot *d = NULL;
    DP_TRY(dp_delta_open_how(r->dest, -1, &(struct dp_delta_how){.pool = r->o->pool, .skip_stats = true}, &d, err)); /* its id and version are all that is asked */
    enum dp_status status = DP_OK;
    if (!dp_str_eq(d->metadata.id, r->s->metadata.id))
        status = dp_err_set(err, DP_RULE, "%s is another table: its id is %.*s, that of %s is %.*s", r->dest, DP_STR_FMT(d->metadata.id), r->source, DP_STR_FMT(r->s->metadata.id));
    else if (d->version > r->last)
        status = dp_err_set(err, DP_RULE, "%s is at version %lld and %s only at %lld: it was written to, or the source was set back", r->dest, (long long)d->version, r->source,
                            (long long)r->last);
    dp_delta_close(d);
    for (size_t i = 0; i < r->to.n_commits && status == DP_OK; i++)
        if (dp_delta_log_has_commit(&r->from, r->to.commits[i])) status = compare_entry(r, r->to.commits[i], err);
    return status;
}

/* Entries behind those that the destination has without a gap. */
static enum dp_status find_range(struct replicate *r, struct dp_err *err) {
    size_t n = 0;
    r->first = 0;
    if (!r->to.dir) return DP_OK;
    r->first = dp_delta_log_latest(&r->to) + 1;
    if (r->to.n_commits) {
        while (n + 1 < r->to.n_commits && r->to.commits[n + 1] == r->to.commits[n] + 1) n++;
        r->first = r->to.commits[n] + 1;
    }
    for (int64_t v = r->first; v <= r->last; v++)
        if (!dp_delta_log_has_commit(&r->from, v))
            return dp_err_set(err, DP_RULE, "%s is too far behind: version %lld is gone from the log of %s; replicate to a new place", r->dest, (long long)v, r->source);
    return DP_OK;
}

/* Nothing, or a log; DP_RULE: anything else, but for what a replication of this table has left. */
static enum dp_status look_at_destination(struct replicate *r, struct dp_err *err) {
    struct dp_err ignored = DP_ERR_INIT;
    struct stat st;
    bool is_empty = true;
    if (dp_delta_log_list(r->dest, &r->to, &ignored) == DP_OK) return compare_tables(r, err);
    r->to = (struct dp_delta_log){0};
    DIR *d = opendir(r->dest);
    if (!d) return errno == ENOENT ? DP_OK : dp_err_sys(err, DP_IO, "cannot list %s", r->dest);
    for (struct dirent *e; (e = readdir(d)) != NULL;) is_empty &= e->d_name[0] == '.' || !strcmp(e->d_name, DP_DELTA_STAGING);
    closedir(d);
    if (is_empty || stat(r->staging, &st) == 0) return DP_OK;
    return dp_err_set(err, DP_RULE, "%s is not empty, and not a copy of %s", r->dest, r->source);
}

/* ---- the whole ---- */

/* DEST/_dp_staging/replicate-ID: its name says whose copy this is to be. */
static void name_staging(struct replicate *r) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, "%s/%s/replicate-", r->dest, DP_DELTA_STAGING);
    for (size_t i = 0; i < r->s->metadata.id.n; i++) {
        char c = r->s->metadata.id.p[i];
        dp_buf_addc(&b, c == '/' || c == '.' ? '_' : c);
    }
    r->staging = dp_buf_detach(&b);
}

static enum dp_status lock_destination(struct replicate *r, struct dp_err *err) {
    char *path = dp_path_join(r->staging, DP_DELTA_STAGING_LOCK);
    enum dp_status status = dp_mkdirs(r->staging, err);
    if (status == DP_OK && (r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0) status = dp_err_sys(err, DP_IO, "cannot open %s", path);
    if (status == DP_OK && flock(r->lock, LOCK_EX | LOCK_NB) != 0) status = dp_err_set(err, DP_AGAIN, "%s: another replication is at work", r->dest);
    if (status == DP_OK) status = dp_delta_hold(r->dest, &r->hold, err);
    free(path);
    return status;
}

/* A copy within its source would be part of it, and goes with its disk. */
static enum dp_status check_apart(const struct replicate *r, struct dp_err *err) {
    char root[PATH_MAX], full[PATH_MAX];
    char *at = dp_strdup(r->dest);
    while (!realpath(at, full) && strcmp(at, ".") != 0 && strcmp(at, "/") != 0) {
        char *up = dp_path_dir(at);
        free(at);
        at = up;
    }
    bool is_there = realpath(at, full) && realpath(r->source, root);
    free(at);
    size_t n = is_there ? strlen(root) : 0;
    if (!is_there || strncmp(full, root, n) != 0 || (full[n] != '/' && full[n])) return DP_OK;
    return dp_err_set(err, DP_USAGE, "%s is %s itself, or inside of it: a copy stands at another place", r->dest, r->source);
}

static enum dp_status read_source(struct replicate *r, struct dp_err *err) {
    DP_TRY(dp_delta_open_how(r->source, -1, &(struct dp_delta_how){.pool = r->o->pool}, &r->s, err)); /* with statistics: a checkpoint may be written of it */
    DP_TRY(check_apart(r, err));
    DP_TRY(dp_delta_log_list(r->source, &r->from, err));
    r->last = r->s->version;
    name_staging(r);
    DP_TRY(look_at_destination(r, err));
    DP_TRY(find_range(r, err));
    DP_TRY(gather(r, err));
    return plan_copies(r, err);
}

static void forget(struct replicate *r) {
    dp_delta_close(r->s);
    dp_delta_log_release(&r->from);
    if (r->to.dir) dp_delta_log_release(&r->to);
    dp_map_release(&r->files);
    dp_delta_hold_release(&r->hold);
    if (r->lock >= 0) close(r->lock);
    free(r->v);
    free(r->staging);
    struct replicate fresh = {.source = r->source, .dest = r->dest, .o = r->o, .out = r->out, .lacks = r->lacks, .lock = -1, .hold = DP_DELTA_HOLD_INIT};
    *r = fresh;
}

/* Empty when all went well; what a failure leaves is overwritten by the next run. */
static void tidy(const struct replicate *r) {
    char *lock = dp_path_join(r->staging, DP_DELTA_STAGING_LOCK);
    (void)unlink(lock);
    (void)rmdir(r->staging);
    free(lock);
    dp_delta_staging_sweep(r->dest, r->o->now_ms / 1000, 86400);
}

static enum dp_status replicate_once(struct replicate *r, struct dp_err *err) {
    *r->out = (struct dp_delta_replicated){0};
    DP_TRY(read_source(r, err));
    r->out->version = r->last;
    for (int64_t v = r->first; v <= r->last; v++) r->out->commits += dp_delta_log_has_commit(&r->from, v);
    if (r->o->dry_run) return DP_OK;
    DP_TRY(lock_destination(r, err));
    DP_TRY(copy_files(r, err));
    DP_TRY(r->to.dir ? extend_log(r, err) : make_log(r, err));
    tidy(r);
    return DP_OK;
}

enum dp_status dp_delta_replicate(const char *source, const char *destination, const struct dp_delta_replicate_opts *o, struct dp_delta_replicated *out, struct dp_err *err) {
    struct replicate r = {.source = source, .dest = destination, .o = o, .out = out, .lacks = -1, .lock = -1, .hold = DP_DELTA_HOLD_INIT};
    enum dp_status status = DP_AGAIN;
    for (int i = 0; i < TRIES && status == DP_AGAIN; i++) {
        forget(&r);
        status = replicate_once(&r, err);
    }
    forget(&r);
    return status;
}
