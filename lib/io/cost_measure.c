/*
 * Files below a table's directory, each by what it is (dp/io/cost.h).  Names of the latest version and of tombstones are looked up first; only where a file is left that neither has is
 * the whole log read.
 */
#include "cost_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/delta/dv.h>
#include <dp/delta/path.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct measuring {
    const char *path, *real;
    const struct dp_delta_snapshot *s;
    struct dp_cost_table *t;
    struct dp_map names;              /* relative paths -> 1 + enum dp_cost_kind */
    struct dp_map strangers;          /* -> bytes */
    struct dp_buf rel;                /* of the entry that is looked at */
    struct dp_err *err;
};

/* ---- names of the log ---- */

/* Relative to the table, without "." and doubled slashes; nothing of what lies elsewhere. */
static void relative(const struct measuring *m, struct dp_str path, struct dp_buf *out) {
    size_t n = strlen(m->real), i = 0;
    if (path.n && path.p[0] == '/') {
        if (path.n <= n + 1 || memcmp(path.p, m->real, n) != 0 || path.p[n] != '/') return;
        i = n;
    }
    while (i < path.n) {
        size_t j = i;
        while (j < path.n && path.p[j] != '/') j++;
        if (j > i && !(j == i + 1 && path.p[i] == '.')) {
            if (out->n) dp_buf_addc(out, '/');
            dp_buf_add(out, path.p + i, j - i);
        }
        i = j + 1;
    }
}

static void name(struct measuring *m, struct dp_str log_path, bool is_decoded, enum dp_cost_kind kind) {
    struct dp_buf key = {0}, rel = {0};
    bool is_new;
    if (!is_decoded) dp_delta_path_key(log_path, &key);
    relative(m, is_decoded ? log_path : dp_buf_str(&key), &rel);
    if (rel.n) {
        struct dp_map_item *item = dp_map_put(&m->names, dp_buf_str(&rel), &is_new);
        if (is_new) item->v.u = 1 + (uint64_t)kind;
    }
    dp_buf_release(&key);
    dp_buf_release(&rel);
}

static void name_file(struct measuring *m, const struct dp_delta_file *f, enum dp_cost_kind data, enum dp_cost_kind vector) {
    struct dp_buf dv = {0};
    name(m, f->path, false, data);
    if (f->dv.storage.p && dp_str_eqz(f->dv.storage, "p")) name(m, f->dv.path, false, vector);
    else if (f->dv.storage.p && dp_str_eqz(f->dv.storage, "u") && dp_delta_dv_locate(m->path, f->dv.path, &dv)) name(m, dp_buf_str(&dv), true, vector);
    dp_buf_release(&dv);
}

static void name_all(struct measuring *m) {
    struct dp_delta_skipper *rows = dp_delta_skipper_open(m->s, NULL);
    const struct dp_delta_file *f;
    for (size_t cursor = 0; (f = dp_delta_next_file(m->s, &cursor)) != NULL;) {
        int64_t n = dp_delta_skipper_rows(rows, f), dead = f->dv.storage.p && f->dv.cardinality > 0 ? f->dv.cardinality : 0;
        name_file(m, f, DP_COST_LIVE, DP_COST_VECTORS);
        if (n < 0) m->t->rows_unknown++;
        else if (n > dead) m->t->kinds[DP_COST_LIVE].rows += (uint64_t)(n - dead);
        m->t->kinds[DP_COST_VECTORS].rows += (uint64_t)dead;
    }
    for (size_t i = 0; i < m->s->tombstones.n; i++)
        if (!m->s->tombstones.items[i].dead) name_file(m, m->s->tombstones.items[i].v.p, DP_COST_HISTORY, DP_COST_HISTORY);
    dp_delta_skipper_close(rows);
}

/* ---- what is there ---- */

static void count(struct measuring *m, enum dp_cost_kind kind, uint64_t bytes) {
    m->t->kinds[kind].files++;
    m->t->kinds[kind].bytes += bytes;
}


/* `name` has a NUL behind it. */
static bool is_reject(struct dp_str name) {
    return dp_str_starts(name, DP_STR("reject")) && strstr(name.p, ".ndjson") != NULL; /* maybe compressed */
}

/* What the directories at the top of a table are for; -1: their files have to be asked for. */
static int of_directory(struct dp_str name, bool at_top, int inherited) {
    if (!at_top) return inherited;
    if (dp_str_eqz(name, "_delta_log")) return DP_COST_LOG;
    if (dp_str_eqz(name, "_change_data")) return DP_COST_CHANGES;
    if (dp_str_eqz(name, "_rejects")) return DP_COST_REJECTS;
    return dp_str_eqz(name, "_dp_staging") ? DP_COST_LEFTOVERS : -1;
}

static void see_file(struct measuring *m, struct dp_str base, int inherited, uint64_t bytes) {
    struct dp_map_item *item = inherited < 0 || inherited == DP_COST_LEFTOVERS ? dp_map_get(&m->names, dp_buf_str(&m->rel)) : NULL;
    if (item) count(m, (enum dp_cost_kind)(item->v.u - 1), bytes);
    else if (dp_newfile_is_tmp(base)) count(m, DP_COST_LEFTOVERS, bytes);
    else if (inherited >= 0) count(m, (enum dp_cost_kind)inherited, bytes);
    else if (is_reject(base)) count(m, DP_COST_REJECTS, bytes);
    else dp_map_put(&m->strangers, dp_buf_str(&m->rel), NULL)->v.u = bytes;
}

static enum dp_status walk(struct measuring *m, int at, const char *dir, int inherited, unsigned depth) {
    struct stat st;
    size_t n = m->rel.n;
    enum dp_status status = DP_OK;
    if (depth > DP_LIMIT_LAKE_DEPTH) return dp_err_set(m->err, DP_LIMIT, "%s: more than %u directories in each other", m->path, DP_LIMIT_LAKE_DEPTH);
    int fd = openat(at, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
    if (fd < 0) return errno == ENOENT && depth ? DP_OK : dp_err_sys(m->err, DP_IO, "can't read directory %s%s%s", m->path, depth ? "/" : "", dp_buf_z(&m->rel));
    DIR *d = fdopendir(fd);
    if (!d) return close(fd), dp_err_sys(m->err, DP_IO, "can't read directory %s", m->path);
    for (struct dirent *e; status == DP_OK && (e = readdir(d)) != NULL;) {
        struct dp_str base = dp_str_z(e->d_name);
        if (dp_str_eqz(base, ".") || dp_str_eqz(base, "..")) continue;
        m->rel.n = n;
        dp_buf_addf(&m->rel, "%s%s", n ? "/" : "", e->d_name);
        if (e->d_type == DT_DIR) status = walk(m, fd, e->d_name, of_directory(base, !depth, inherited), depth + 1);
        else if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) status = errno == ENOENT ? DP_OK : dp_err_sys(m->err, DP_IO, "cannot look at %s/%s", m->path, dp_buf_z(&m->rel));
        else if (S_ISDIR(st.st_mode)) status = walk(m, fd, e->d_name, of_directory(base, !depth, inherited), depth + 1);
        else if (S_ISREG(st.st_mode)) see_file(m, base, inherited, st.st_size > 0 ? (uint64_t)st.st_size : 0);
    }
    m->rel.n = n;
    closedir(d);
    return status;
}

/* Files that the log named once are history, others are left over. */
static enum dp_status settle_strangers(struct measuring *m) {
    struct dp_delta_lives lives = {0};
    if (!m->strangers.n) return DP_OK;
    DP_TRY(dp_delta_lives_read(m->s, &lives, m->err));
    for (size_t i = 0; i < lives.n; i++) name_file(m, lives.v[i].file, DP_COST_HISTORY, DP_COST_HISTORY);
    for (size_t i = 0; i < m->strangers.n; i++)
        count(m, dp_map_get(&m->names, m->strangers.items[i].key) ? DP_COST_HISTORY : DP_COST_LEFTOVERS, m->strangers.items[i].v.u);
    dp_delta_lives_release(&lives);
    return DP_OK;
}

enum dp_status cost_measure(const char *path, const char *real, const struct dp_delta_snapshot *s, struct dp_cost_table *t, struct dp_err *err) {
    struct measuring m = {.path = path, .real = real, .s = s, .t = t, .err = err};
    name_all(&m);
    enum dp_status status = walk(&m, AT_FDCWD, path, -1, 0);
    if (status == DP_OK) status = settle_strangers(&m);
    dp_map_release(&m.names);
    dp_map_release(&m.strangers);
    dp_buf_release(&m.rel);
    return status;
}
