/*
 * The journal of an erasure (lib/io/erase_priv.h).  In T/_dp_erase/log stands what is to take the place of files of the log, and T/_dp_erase/journal, a file of JSON lines, says what is to be put
 * in place and what is to go then, of all tables that are erased together; each of them has a copy.  It is there only when all of that is written and synced, what it says can be done again and
 * again, and nothing is decided any more while it is done.
 *
 * It is no secret and comes with the table: nothing is touched that is not of the tables which were given.
 */
#include "erase_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/delta/land.h>
#include <dp/delta/tier.h>
#include <dp/record/json.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "{\"dp_erase\":1}\n"
#define END "{\"end\":true}\n"

static char *in_dir(const struct erase_table *t, const char *name) {
    char *dir = dp_path_join(t->root, ERASE_DIR), *path = dp_path_join(dir, name);
    free(dir);
    return path;
}

/* ---- writing ---- */

static void add_line(struct dp_buf *b, const char *what, const char *text, const char *table) {
    dp_buf_addf(b, "{\"%s\":", what);
    dp_json_add_string(b, dp_str_z(text));
    if (table) dp_buf_addz(b, ",\"table\":"), dp_json_add_string(b, dp_str_z(table));
    dp_buf_addz(b, "}\n");
}

static bool is_young(const struct erase *x, const struct erase_file *f) {
    struct stat st;
    char *rel = dp_strndup(f->hive.p, f->hive.n);
    bool at_work = erase_is_at_work(rel, f->path);
    free(rel);
    return at_work || (stat(f->path, &st) == 0 && (int64_t)st.st_mtim.tv_sec * 1000 > x->run->now_micros / 1000 - x->o->young_ms);
}

static void add_files(struct erase *x, struct dp_buf *b) {
    x->out->young = x->out->orphans = 0;
    for (size_t i = 0; i < x->files.n; i++) {
        const struct erase_file *f = x->files.items[i].v.p;
        if (!f->is_own || (!f->all && !f->n_gone)) continue;
        if (!f->is_named && is_young(x, f)) x->out->young++;
        else if (!f->is_named || f->is_done) add_line(b, "remove", f->path, NULL), x->out->orphans += !f->is_named;
    }
}

static enum dp_status write_journal(const struct erase_table *t, struct dp_str text, struct dp_err *err) {
    struct dp_newfile f = {0};
    char *path = in_dir(t, ERASE_JOURNAL), *dir = dp_path_join(t->root, ERASE_DIR);
    enum dp_status status = dp_mkdirs(dir, err);
    if (status == DP_OK) status = dp_newfile_open(&f, path, 0600, err);
    if (status == DP_OK) status = dp_fd_write(f.fd, text.p, text.n, err);
    if (status == DP_OK) status = dp_newfile_commit(&f, err);
    dp_newfile_abort(&f);
    free(path), free(dir);
    return status;
}

static enum dp_status amend(struct erase *x, struct erase_table *t, struct dp_err *err) {
    char *log = in_dir(t, "log"), *sidecars = dp_path_join(log, "_sidecars");
    enum dp_status status = dp_mkdirs(sidecars, err);
    if (status == DP_OK) status = erase_amend(x, t, log, err);
    free(log), free(sidecars);
    return status;
}

enum dp_status erase_prepare(struct erase *x, struct dp_err *err) {
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    bool any = false;
    dp_buf_addz(&b, HEAD);
    for (size_t i = 0; i < x->n_tables && status == DP_OK; i++) {
        struct erase_table *t = &x->tables[i];
        add_line(&b, "with", t->root, NULL);
        status = amend(x, t, err);
        for (size_t k = 0; k < t->amended.n_files && status == DP_OK; k++) add_line(&b, "put", t->amended.files[k], t->root);
        for (size_t k = 0; k < t->amended.n_obsolete && status == DP_OK; k++) add_line(&b, "remove", t->amended.obsolete[k], NULL);
        any |= t->amended.n_files > 0;
    }
    size_t mark = b.n;
    if (status == DP_OK) add_files(x, &b);
    any |= b.n > mark;
    dp_buf_addz(&b, END);
    for (size_t i = 0; i < x->n_tables && status == DP_OK && any; i++) status = write_journal(&x->tables[i], dp_buf_str(&b), err);
    dp_buf_release(&b);
    return status;
}

/* ---- doing what it says ---- */

struct replay {
    struct erase *x;
    struct dp_map dirs;  /* to be synced */
    struct dp_buf text;
    bool whole;
};

static struct erase_table *table_of(struct erase *x, const char *root) {
    for (size_t i = 0; i < x->n_tables; i++)
        if (!strcmp(x->tables[i].root, root)) return &x->tables[i];
    return NULL;
}

/* No way out of a directory. */
static bool climbs(const char *path) { return strstr(path, "/../") || dp_str_ends(dp_str_z(path), DP_STR("/..")) || !strncmp(path, "../", 3); }

static enum dp_status is_ours(struct erase *x, const char *path, bool *yes, struct dp_err *err) {
    char real[PATH_MAX], *dir = dp_path_dir(path);
    bool is_real = !realpath(dir, real) || !strcmp(real, dir); /* no symbolic link on the way; what is not there is not removed */
    *yes = false;
    free(dir);
    for (size_t i = 0; i < x->n_tables && is_real && !climbs(path); i++) {
        struct erase_table *t = &x->tables[i];
        if (erase_is_below(path, t->root)) *yes = true;
        if (!t->s) DP_TRY(dp_delta_open_how(t->root, -1, &(struct dp_delta_how){.skip_stats = true}, &t->s, err));
        if (!t->homes) DP_TRY(dp_delta_tier_homes(t->root, t->s->metadata.id, &t->homes, &t->n_homes, err));
        for (size_t k = 0; k < t->n_homes; k++) {
            char home[PATH_MAX];
            *yes |= realpath(t->homes[k], home) && erase_is_below(path, home);
        }
    }
    return DP_OK;
}

static void touched(struct replay *r, const char *path) {
    char *dir = dp_path_dir(path);
    dp_map_put(&r->dirs, dp_str_z(dir), NULL);
    free(dir);
}

static enum dp_status sync_dirs(struct replay *r, struct dp_err *err) {
    for (size_t i = 0; i < r->dirs.n; i++)
        if (access(r->dirs.items[i].key.p, F_OK) == 0) DP_TRY(dp_fsync_dir(r->dirs.items[i].key.p, err));
    dp_map_reset(&r->dirs);
    return DP_OK;
}

/* Hadoop's own checksum of a file beside it, which would not fit the one that takes its place: before that one does. */
static void drop_sum(struct replay *r, const char *path) {
    struct dp_buf b = {0};
    char *dir = dp_path_dir(path);
    dp_buf_addf(&b, "%s/.%s.crc", dir, dp_path_base(path));
    if (unlink(dp_buf_z(&b)) == 0) touched(r, path);
    dp_buf_release(&b);
    free(dir);
}

static enum dp_status put(struct replay *r, const char *name, const char *root, struct dp_err *err) {
    struct erase_table *t = table_of(r->x, root);
    const char *slash = strchr(name, '/');
    if (!t || name[0] == '/' || (slash && strncmp(name, "_sidecars/", 10) != 0) || (slash && strchr(slash + 1, '/')) || !strcmp(name, "..")) return dp_err_set(err, DP_FORMAT, "it names %s", name);
    char *log = in_dir(t, "log"), *from = dp_path_join(log, name), *to_log = dp_path_join(root, "_delta_log"), *to = dp_path_join(to_log, name);
    enum dp_status status = DP_OK;
    drop_sum(r, to);
    if (rename(from, to) == 0) touched(r, from), touched(r, to);
    else if (errno != ENOENT) status = dp_err_sys(err, DP_IO, "cannot rename %s to %s", from, to);
    else if (access(to, F_OK) != 0) status = dp_err_set(err, DP_FORMAT, "neither %s nor %s is there", from, to);
    free(log), free(from), free(to_log), free(to);
    return status;
}

/* With directories of partitions that are empty then. */
static enum dp_status take_away(struct replay *r, const char *path, struct dp_err *err) {
    bool ours;
    DP_TRY(is_ours(r->x, path, &ours, err));
    if (!ours) return dp_err_set(err, DP_FORMAT, "it names %s, which is of none of these tables", path);
    if (unlink(path) != 0 && errno != ENOENT) return dp_err_sys(err, DP_IO, "cannot remove %s", path);
    touched(r, path);
    drop_sum(r, path);
    char *dir = dp_path_dir(path);
    while (strchr(dp_path_base(dir), '=') && rmdir(dir) == 0) {
        char *up = dp_path_dir(dir);
        touched(r, dir);
        free(dir);
        dir = up;
    }
    free(dir);
    return DP_OK;
}

static enum dp_status each_line(struct replay *r, const char *only, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_record rec;
    struct dp_buf value = {0}, table = {0};
    enum dp_status status;
    dp_scan_begin(scan, r->text.p, r->text.n);
    while ((status = dp_scan_next(scan, &rec, err)) == DP_OK) {
        uint32_t node = dp_json_member(&rec, 0, only), of = dp_json_member(&rec, 0, "table");
        if (dp_json_member(&rec, 0, "end")) r->whole = true;
        if (!node) continue;
        dp_buf_reset(&value), dp_buf_reset(&table);
        if (!dp_json_get_string(&rec, node, &value)) continue;
        if (of) (void)dp_json_get_string(&rec, of, &table);
        const char *text = dp_buf_z(&value);
        if (!strcmp(only, "with") && !table_of(r->x, text)) status = dp_err_set(err, DP_USAGE, "an erasure that was interrupted is to be finished, of %s too: name it", text);
        else if (!strcmp(only, "put")) status = put(r, text, dp_buf_z(&table), err);
        else if (!strcmp(only, "remove")) status = take_away(r, text, err);
        if (status != DP_OK) break;
    }
    dp_buf_release(&value), dp_buf_release(&table);
    dp_scan_close(scan);
    return status == DP_END ? DP_OK : status;
}

/* Nobody but its owner may say what is to be done to a table. */
static enum dp_status read_journal(struct replay *r, const struct erase_table *t, bool *there, struct dp_err *err) {
    struct dp_err why = DP_ERR_INIT;
    char *path = in_dir(t, ERASE_JOURNAL);
    dp_buf_reset(&r->text);
    enum dp_status status = dp_file_read_regular(path, UINT64_C(1) << 30, &r->text, &why);
    *there = status == DP_OK;
    if (status != DP_OK && why.sys_errno != ENOENT && why.sys_errno != ENOTDIR) status = dp_err_set(err, why.status, "%s", why.msg);
    else status = DP_OK;
    if (*there) {
        memset(dp_buf_reserve(&r->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        r->whole = false;
        if (!dp_str_starts(dp_buf_str(&r->text), DP_STR(HEAD))) status = dp_err_set(err, DP_FORMAT, "%s is no journal", path);
        if (status == DP_OK) status = each_line(r, "with", err);
        if (status == DP_OK && !r->whole) status = dp_err_set(err, DP_FORMAT, "%s is cut short", path);
    }
    free(path);
    return status;
}

static enum dp_status perform(struct replay *r, struct dp_err *err) {
    DP_TRY(each_line(r, "put", err));
    DP_TRY(sync_dirs(r, err));
    DP_TRY(each_line(r, "remove", err));
    return sync_dirs(r, err);
}

/* The journal first: what stands beside it means nothing without. */
static enum dp_status forget(const struct erase_table *t, struct dp_err *err) {
    char *path = in_dir(t, ERASE_JOURNAL), *dir = dp_path_join(t->root, ERASE_DIR);
    enum dp_status status = DP_OK;
    struct stat st;
    if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (unlink(path) != 0 && errno != ENOENT) status = dp_err_sys(err, DP_IO, "cannot remove %s", path);
        if (status == DP_OK) status = dp_fsync_dir(dir, err);
        if (status == DP_OK) dp_delta_staging_remove(dir), status = dp_fsync_dir(t->root, err);
    }
    free(path), free(dir);
    return status;
}

enum dp_status erase_replay(struct erase *x, uint64_t *n, struct dp_err *err) {
    struct replay r = {.x = x};
    enum dp_status status = DP_OK;
    *n = 0;
    for (size_t i = 0; i < x->n_tables && status == DP_OK; i++) {
        bool there;
        status = read_journal(&r, &x->tables[i], &there, err);
        if (status != DP_OK || !there) continue;
        ++*n;
        status = perform(&r, err);
        if (status != DP_OK) {
            char *path = in_dir(&x->tables[i], ERASE_JOURNAL);
            dp_err_prefix(err, "%s: ", path);
            free(path);
        }
    }
    for (size_t i = 0; i < x->n_tables && status == DP_OK; i++) status = forget(&x->tables[i], err);
    dp_map_release(&r.dirs);
    dp_buf_release(&r.text);
    return status;
}
