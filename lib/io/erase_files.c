/*
 * Which files a table has, for erasure (lib/io/erase_priv.h): what stands in its directory and in its tiers, and what any of its entries and checkpoints names, wherever that is.
 */
#include "erase_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/land.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/delta/tier.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH = 100 };

bool erase_is_below(const char *path, const char *dir) {
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static struct erase_file *file_of(struct erase *x, struct erase_table *t, const char *real, bool is_own) {
    bool is_new;
    struct dp_map_item *it = dp_map_put(&x->files, dp_str_z(real), &is_new);
    struct erase_file *f = it->v.p;
    if (is_new) {
        struct stat st;
        f = it->v.p = dp_arena_calloc(&x->arena, 1, sizeof *f);
        f->path = dp_arena_strdup(&x->arena, real);
        f->base_row_id = f->row_version = DP_DELTA_UNSET;
        f->bytes = stat(real, &st) == 0 ? (uint64_t)st.st_size : 0;
    }
    if (!f->table || (is_own && !f->is_own)) f->table = t;
    f->is_own |= is_own;
    return f;
}

/* ---- drafts ---- */

/* Those of a writer that is at work are under a lock. */
bool erase_is_at_work(const char *rel, const char *path) {
    if (strncmp(rel, DP_DELTA_STAGING "/", sizeof DP_DELTA_STAGING) != 0) return false;
    char *dir = dp_path_dir(path);
    bool yes = !dp_delta_staging_is_free(dir);
    free(dir);
    return yes;
}

static void sweep_files(const char *dir) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        struct stat st;
        char *path = dp_path_join(dir, e->d_name);
        if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode)) (void)unlink(path);
        free(path);
    }
    if (d) closedir(d);
}

void erase_sweep(const struct erase_table *t) {
    char *staging = dp_path_join(t->root, DP_DELTA_STAGING), *log = dp_path_join(t->root, "_delta_log"), *sidecars = dp_path_join(log, "_sidecars");
    sweep_files(staging);
    dp_newfile_sweep(log);
    dp_newfile_sweep(sidecars);
    free(staging), free(log), free(sidecars);
}

/* ---- what stands there ---- */

static bool is_data(const char *name) { return dp_str_ends(dp_str_z(name), DP_STR(".parquet")); }

/* dp's own files and the log are no data; change data is. */
static bool is_passed(const char *name, bool is_top) {
    return !strcmp(name, ".") || !strcmp(name, "..") || (is_top && (!strcmp(name, "_delta_log") || !strcmp(name, ERASE_DIR)));
}

static enum dp_status walk(struct erase *x, struct erase_table *t, const char *dir, size_t root, unsigned depth, struct dp_err *err) {
    if (depth == DEPTH) return dp_err_set(err, DP_LIMIT, "%s: more than %d directories in each other", dir, DEPTH);
    DIR *d = opendir(dir);
    enum dp_status status = DP_OK;
    if (!d) return dp_err_sys(err, DP_IO, "can't read directory %s", dir);
    for (struct dirent *e; status == DP_OK && (e = readdir(d)) != NULL;) {
        struct stat st;
        if (is_passed(e->d_name, !depth)) continue;
        char *path = dp_path_join(dir, e->d_name);
        if (lstat(path, &st) != 0) {
            if (errno != ENOENT) status = dp_err_sys(err, DP_IO, "cannot look at %s", path);
        } else if (S_ISDIR(st.st_mode)) {
            if (!dp_delta_is_table(path)) status = walk(x, t, path, root, depth + 1, err); /* a table inside of another is not its data */
        } else if (S_ISREG(st.st_mode) && dp_newfile_is_tmp(dp_str_z(e->d_name))) {
            if (!x->run->dry_run && !erase_is_at_work(path + root + 1, path)) (void)unlink(path);
        } else if (S_ISREG(st.st_mode) && is_data(e->d_name)) {
            struct erase_file *f = file_of(x, t, path, true);
            f->hive = dp_str_z(f->path + root + 1);
        }
        free(path);
    }
    closedir(d);
    return status;
}

static enum dp_status walk_homes(struct erase *x, struct erase_table *t, struct dp_err *err) {
    enum dp_status status = DP_OK;
    if (!t->homes) status = dp_delta_tier_homes(t->root, t->s->metadata.id, &t->homes, &t->n_homes, err);
    for (size_t i = 0; i < t->n_homes && status == DP_OK; i++) {
        char real[PATH_MAX];
        if (!realpath(t->homes[i], real)) return dp_err_sys(err, DP_IO, "tier %s", t->homes[i]);
        status = walk(x, t, real, strlen(real), 1, err);
    }
    return status;
}

/* ---- what the log names ---- */

struct reading { struct erase *x; struct erase_table *t; struct dp_buf path; };

/* A file that is not there was vacuumed, unless its whole directory is away. */
static enum dp_status missing(const struct erase_table *t, struct dp_str log_path, const char *path, struct dp_err *err) {
    if (errno != ENOENT && errno != ENOTDIR) return dp_err_sys(err, DP_IO, "cannot look at %s", path);
    if (!dp_delta_path_is_absolute(log_path)) return DP_OK;
    char *dir = dp_path_dir(path);
    bool is_away = access(dir, F_OK) != 0;
    free(dir);
    return is_away ? dp_err_set(err, DP_IO, "%s: %s is out of reach, so that nobody knows what is in it; dp-retain restore --list %s tells what is in tiers", t->name, path, t->name) : DP_OK;
}

static void copy_values(struct erase *x, const struct dp_delta_pairs *from, struct dp_delta_pairs *to) {
    if (to->n || !from->n) return;
    to->v = dp_arena_calloc(&x->arena, from->n, sizeof *to->v);
    to->n = from->n;
    for (size_t i = 0; i < from->n; i++) to->v[i] = (struct dp_delta_pair){dp_arena_str(&x->arena, from->v[i].key), dp_arena_str(&x->arena, from->v[i].value), from->v[i].is_null};
}

static enum dp_status take_file(struct reading *r, enum dp_delta_kind kind, const struct dp_delta_file *f, struct dp_err *err) {
    char real[PATH_MAX];
    bool is_new;
    struct dp_map_item *it = dp_map_put(&r->t->names, f->path, &is_new);
    struct erase_file *file = it->v.p;
    if (is_new) {
        dp_buf_reset(&r->path);
        DP_TRY(dp_delta_path_resolve(r->t->root, f->path, &r->path, err));
        if (!realpath(dp_buf_z(&r->path), real)) return missing(r->t, f->path, dp_buf_z(&r->path), err);
        file = it->v.p = file_of(r->x, r->t, real, false);
        file->is_named = true;
    }
    if (!file) return DP_OK;
    file->is_change |= kind == DP_DELTA_CDC;
    copy_values(r->x, &f->partition_values, &file->values);
    if (f->base_row_id != DP_DELTA_UNSET) file->base_row_id = f->base_row_id;
    if (f->default_row_commit_version != DP_DELTA_UNSET) file->row_version = f->default_row_commit_version;
    return DP_OK;
}

/* Columns that the table had may be in its files still. */
static enum dp_status take_schema(struct reading *r, const struct dp_delta_metadata *m, struct dp_err *err) {
    struct dp_type *schema = NULL, *physical = NULL;
    if (!m->schema_string.n) return DP_OK;
    enum dp_status status = dp_delta_schema_parse(m->schema_string, &schema, err);
    struct dp_str mode = dp_delta_pairs_text(&m->configuration, "delta.columnMapping.mode", DP_STR("none"));
    enum dp_delta_mapping mapping = dp_str_eqz(mode, "name") ? DP_DELTA_MAPPING_NAME : dp_str_eqz(mode, "id") ? DP_DELTA_MAPPING_ID : DP_DELTA_MAPPING_NONE;
    if (status == DP_OK) status = dp_delta_schema_physical(schema, mapping, &physical, err);
    if (status == DP_OK) erase_conditions(r->x, r->t, schema, physical, false);
    dp_type_free(schema), dp_type_free(physical);
    return status;
}

static enum dp_status take_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct reading *r = ctx;
    if (a->kind == DP_DELTA_METADATA) return take_schema(r, &a->u.metadata, err);
    if (a->kind != DP_DELTA_ADD && a->kind != DP_DELTA_REMOVE && a->kind != DP_DELTA_CDC) return DP_OK;
    return take_file(r, a->kind, &a->u.file, err);
}

static enum dp_status read_log(struct reading *r, struct dp_err *err) {
    struct dp_delta_log log;
    struct dp_arena arena = {0};
    struct dp_delta_lines *lines = dp_delta_lines_open(DP_DELTA_NO_STATS);
    enum dp_status status = dp_delta_log_list(r->t->root, &log, err);
    if (status != DP_OK) return dp_delta_lines_close(lines), status;
    for (size_t i = 0; i < log.n_checkpoints && status == DP_OK; i++) {
        if (log.checkpoints[i].version <= r->t->newest) continue;
        status = dp_delta_checkpoint_read(r->t->root, &log.checkpoints[i], &arena, take_action, r, err);
        dp_arena_reset(&arena);
    }
    for (size_t i = 0; i < log.n_commits && status == DP_OK; i++) {
        if (log.commits[i] <= r->t->newest) continue;
        char *path = dp_delta_commit_path(r->t->root, log.commits[i]);
        status = dp_delta_lines_file(lines, path, &arena, take_action, r, err);
        dp_arena_reset(&arena);
        free(path);
    }
    if (status == DP_OK) r->t->newest = dp_delta_log_latest(&log);
    dp_delta_lines_close(lines);
    dp_delta_log_release(&log);
    dp_arena_release(&arena);
    return status;
}

enum dp_status erase_gather(struct erase *x, struct erase_table *t, struct dp_err *err) {
    struct reading r = {x, t, {0}};
    dp_delta_close(t->s);
    t->s = NULL;
    DP_TRY(dp_delta_open_how(t->root, -1, &(struct dp_delta_how){.pool = x->run->pool}, &t->s, err));
    DP_TRY(dp_delta_check_write(&t->s->protocol, &t->s->metadata, t->s->schema, &(struct dp_delta_intent){.copies = true}, err));
    DP_TRY(dp_delta_tier_reach(t->s, NULL, err));
    t->row_columns = dp_delta_tracks_rows(&t->s->protocol, &t->s->metadata) ? dp_delta_row_columns(&t->s->metadata) : (struct dp_delta_row_columns){0};
    enum dp_status status = walk(x, t, t->root, strlen(t->root), 0, err);
    if (status == DP_OK) status = walk_homes(x, t, err);
    if (status == DP_OK) status = read_log(&r, err);
    if (status == DP_OK) {
        erase_conditions(x, t, t->s->schema, t->s->physical, true);
        status = erase_compile(t, err);
    }
    dp_buf_release(&r.path);
    return status;
}
