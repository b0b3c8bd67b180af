/*
 * A table's log told anew (dp/delta/amend.h): which of its files have to be, and in which order they are to be put in place.
 */
#include "amend_priv.h"
#include "mtime_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/delta/path.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char **add(char **v, size_t *cap, size_t *n, char *s) {
    v = dp_grow(v, cap, *n + 1, sizeof *v);
    v[(*n)++] = s;
    return v;
}

void amend_wrote(struct amending *m, const char *name) { m->out->files = add(m->out->files, &m->out->cap_files, &m->out->n_files, dp_arena_strdup(&m->out->arena, name)); }

void amend_obsolete(struct amending *m, const char *name) {
    char *path = dp_arena_printf(&m->out->arena, "%s/_delta_log/%s", m->a->table, name);
    m->out->obsolete = add(m->out->obsolete, &m->out->cap_obsolete, &m->out->n_obsolete, path);
}

/* ---- entries ---- */

/* With the old one's time: where commits tell none, it is the version's. */
static enum dp_status write_entry(struct amending *m, const char *name, struct dp_str text, const struct stat *old, struct dp_err *err) {
    const struct timespec times[2] = {old->st_atim, old->st_mtim};
    struct dp_newfile f = {0};
    char *to = dp_path_join(m->a->into, name);
    enum dp_status status = dp_newfile_open(&f, to, old->st_mode & 0777, err);
    if (status == DP_OK) status = dp_fd_write(f.fd, text.p, text.n, err);
    if (status == DP_OK && futimens(f.fd, times) != 0) status = dp_err_sys(err, DP_IO, "cannot set the time of %s", to);
    if (status == DP_OK) status = dp_newfile_commit(&f, err);
    dp_newfile_abort(&f);
    free(to);
    return status;
}

static enum dp_status rewrite_entry(struct amending *m, int64_t version, struct dp_err *err) {
    struct dp_buf text = {0}, fresh = {0};
    struct stat st;
    bool changed = false;
    char *path = dp_delta_commit_path(m->a->table, version);
    enum dp_status status = dp_file_read_regular(path, DP_LIMIT_COMMIT_BYTES, &text, err);
    if (status == DP_OK && stat(path, &st) != 0) status = dp_err_sys(err, DP_IO, "cannot look at %s", path);
    if (status == DP_OK) status = amend_entry(m, dp_buf_str(&text), path, &fresh, &changed, err);
    if (status == DP_OK && changed) {
        const char *name = dp_path_base(path);
        status = write_entry(m, name, dp_buf_str(&fresh), &st, err);
        amend_wrote(m, name);
    }
    free(path);
    dp_buf_release(&text), dp_buf_release(&fresh);
    return status;
}

/* ---- copies of what the log says ---- */

static bool is_checksum(const char *name, int64_t upto) {
    char *end;
    if (strspn(name, "0123456789") != 20) return false;
    long long version = strtoll(name, &end, 10);
    return version <= upto && !strcmp(end, ".crc");
}

static enum dp_status drop_checksums(struct amending *m, struct dp_err *err) {
    char *dir = dp_path_join(m->a->table, "_delta_log");
    DIR *d = opendir(dir);
    enum dp_status status = d ? DP_OK : dp_err_sys(err, DP_IO, "cannot list %s", dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (is_checksum(e->d_name, m->a->upto)) amend_obsolete(m, e->d_name);
    if (d) closedir(d);
    free(dir);
    return status;
}

static enum dp_status drop_copies(struct amending *m, const struct dp_delta_log *log, struct dp_err *err) {
    for (size_t i = 0; i < log->n_compactions; i++)
        if (log->compactions[i].from <= m->a->upto) amend_obsolete(m, log->compactions[i].name);
    return drop_checksums(m, err);
}

/* ---- the whole ---- */

enum dp_status dp_delta_amend(const struct dp_delta_amend *a, bool checkpoint, struct dp_delta_amended *out, struct dp_err *err) {
    struct amending m = {.a = a, .out = out, .vectors = a->vectors};
    struct dp_delta_log log;
    *out = (struct dp_delta_amended){0};
    DP_TRY(dp_delta_log_list(a->table, &log, err));
    enum dp_status status = checkpoint ? amend_latest(&m, err) : DP_OK;
    size_t first = out->n_files;
    if (status == DP_OK) status = amend_checkpoints(&m, &log, err);
    for (size_t i = log.n_commits; i-- > 0 && status == DP_OK;)
        if (log.commits[i] <= a->upto) status = rewrite_entry(&m, log.commits[i], err);
    if (status == DP_OK && out->n_files > first) status = drop_copies(&m, &log, err);
    dp_delta_log_release(&log);
    if (status != DP_OK) dp_delta_amended_release(out);
    return status;
}

void dp_delta_amended_release(struct dp_delta_amended *a) {
    free(a->files), free(a->obsolete);
    dp_arena_release(&a->arena);
    *a = (struct dp_delta_amended){0};
}
