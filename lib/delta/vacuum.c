/*
 * Vacuum (digest section 16, dp/delta/vacuum.h).
 *
 * First the whole list, then the deleting, some files at a time while no writer of dp holds any (dp/delta/hold.h): before each batch the commits
 * that came since are read, and what they name is left out.  A file that a writer had in its place when the list was made is in such a commit by then, or
 * its writer is dead; one that comes later has another name.
 * What it does not do: look for clones elsewhere that use the table's files (nothing tells of them), write VACUUM entries.
 */
#include "mtime_priv.h"
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/dv.h>
#include <dp/delta/hold.h>
#include <dp/delta/land.h>
#include <dp/delta/legal.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/tier.h>
#include <dp/delta/vacuum.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 1000       /* files that are deleted while writers wait */
#define MAX_DEPTH 64     /* of directories; what lies deeper stays */

struct victim {
    char *rel;
    int64_t bytes;
    dev_t dev;
    ino_t ino;
};

struct emptied {
    char *rel;
};

struct vacuum {
    const char *table;
    const struct dp_delta_vacuum_opts *o;
    struct dp_delta_vacuumed *out;
    const struct dp_delta_snapshot *s;
    struct dp_delta_snapshot *opened;
    int64_t oldest_ms;             /* files and tombstones from before may go */
    int64_t stranger_ms;           /* the same of files that the log never named */
    struct dp_legal legal;         /* as of the batch at hand */
    struct dp_map told;            /* names of files that went -> their tombstone or add, once there is a hold */
    struct dp_map known;           /* those that it named, where that matters */
    int64_t seen;                  /* the newest version whose files are in `names` */
    struct dp_map names, inodes;   /* files that stay: relative paths; device and inode of those with absolute ones */
    struct dp_strings { struct dp_buf *v; size_t n; } prefixes; /* "p=" of partition columns */
    bool iceberg, has_links, protocol_changed;
    struct victim *victims;
    size_t n, cap;
    struct emptied *dirs;          /* old enough, innermost first */
    size_t n_dirs, cap_dirs;
};

/* ---- what stays ---- */

static void keep_inode(struct vacuum *v, const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return;
    struct { dev_t dev; ino_t ino; } key;
    memset(&key, 0, sizeof key);
    key.dev = st.st_dev, key.ino = st.st_ino;
    dp_map_put(&v->inodes, dp_str((const char *)&key, sizeof key), NULL);
}

/* The name to use: what is listed below the table is named from there, what is in a tier by its whole path. */
static char *name_of(const struct vacuum *v, const char *rel) { return *rel == '/' ? dp_strdup(rel) : *rel ? dp_path_join(v->table, rel) : dp_strdup(v->table); }

/* A decoded path: relative ones without "." and doubled slashes, absolute ones by their inode. */
static void keep_path(struct vacuum *v, struct dp_str path) {
    struct dp_buf name = {0};
    if (path.n && path.p[0] == '/') {
        dp_buf_adds(&name, path);
        keep_inode(v, dp_buf_z(&name));
        dp_map_put(&v->names, path, NULL);
    } else {
        for (size_t i = 0; i < path.n;) {
            size_t j = i;
            while (j < path.n && path.p[j] != '/') j++;
            if (j > i && !(j == i + 1 && path.p[i] == '.')) {
                if (name.n) dp_buf_addc(&name, '/');
                dp_buf_add(&name, path.p + i, j - i);
            }
            i = j + 1;
        }
        dp_map_put(&v->names, dp_buf_str(&name), NULL);
    }
    dp_buf_release(&name);
}

static void keep_file(struct vacuum *v, const struct dp_delta_file *f) {
    struct dp_buf path = {0};
    dp_delta_path_key(f->path, &path);
    keep_path(v, dp_buf_str(&path));
    dp_buf_reset(&path);
    if (f->dv.storage.p && dp_str_eqz(f->dv.storage, "p")) dp_delta_path_key(f->dv.path, &path);
    else if (f->dv.storage.p && dp_str_eqz(f->dv.storage, "u") && !dp_delta_dv_locate(v->table, f->dv.path, &path)) dp_buf_reset(&path);
    if (path.n) keep_path(v, dp_buf_str(&path));
    dp_buf_release(&path);
}

static bool is_expired(const struct vacuum *v, const struct dp_delta_file *f) {
    return f->deletion_timestamp == DP_DELTA_UNSET || f->deletion_timestamp < v->oldest_ms;
}

static void keep_snapshot(struct vacuum *v) {
    size_t cursor = 0;
    const struct dp_delta_file *f;
    while ((f = dp_delta_next_file(v->s, &cursor)) != NULL) keep_file(v, f);
    for (size_t i = 0; i < v->s->tombstones.n; i++) {
        const struct dp_map_item *item = &v->s->tombstones.items[i];
        if (!item->dead && !is_expired(v, item->v.p)) keep_file(v, item->v.p);
    }
    for (size_t i = 0; i < v->o->n_keep; i++) keep_file(v, v->o->keep[i]);
}

/* The names of a file and of its deletion vector, for `known`. */
static void know_file(struct vacuum *v, const struct dp_delta_file *f) {
    struct vacuum names = {.table = v->table};
    keep_file(&names, f);
    for (size_t i = 0; i < names.names.n; i++) dp_map_put(&v->known, names.names.items[i].key, NULL);
    dp_map_release(&names.names);
    dp_map_release(&names.inodes);
}

static void know_files(struct vacuum *v) {
    for (size_t i = 0; i < v->o->n_known; i++) know_file(v, v->o->known[i]);
    for (size_t i = 0; v->o->known && i < v->s->tombstones.n; i++)
        if (!v->s->tombstones.items[i].dead) know_file(v, v->s->tombstones.items[i].v.p);
}

/* Where the table has links to directories, a file has several names. */
static void keep_inodes(struct vacuum *v) {
    for (size_t i = 0; v->has_links && i < v->names.n; i++) {
        char *path = name_of(v, v->names.items[i].key.p);
        keep_inode(v, path);
        free(path);
    }
}

static enum dp_status keep_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct vacuum *v = ctx;
    (void)err;
    if (a->kind == DP_DELTA_ADD || (a->kind == DP_DELTA_REMOVE && !is_expired(v, &a->u.file))) keep_file(v, &a->u.file);
    if (a->kind == DP_DELTA_PROTOCOL) v->protocol_changed = true;
    return DP_OK;
}

/* What commits since the last look name. */
static enum dp_status look_again(struct vacuum *v, struct dp_err *err) {
    struct dp_delta_log log;
    size_t before = v->names.n;
    DP_TRY(dp_delta_log_list(v->table, &log, err));
    int64_t latest = dp_delta_log_latest(&log);
    struct dp_delta_lines *lines = v->seen < latest ? dp_delta_lines_open(DP_DELTA_NO_STATS) : NULL;
    struct dp_arena arena = {0};
    enum dp_status status = DP_OK;
    while (status == DP_OK && v->seen < latest) {
        char *path = dp_delta_commit_path(v->table, v->seen + 1);
        dp_arena_reset(&arena);
        status = dp_delta_lines_file(lines, path, &arena, keep_action, v, err);
        free(path);
        if (status == DP_OK) v->seen++;
    }
    dp_delta_lines_close(lines);
    dp_arena_release(&arena);
    dp_delta_log_release(&log);
    if (status == DP_OK && v->names.n > before) keep_inodes(v);
    if (status == DP_OK && v->protocol_changed) status = dp_err_set(err, DP_AGAIN, "%s: a concurrent commit changed the protocol", v->table);
    return status;
}

static bool stays(const struct vacuum *v, const struct victim *x) {
    struct { dev_t dev; ino_t ino; } key;
    if (dp_map_get(&v->names, dp_str_z(x->rel))) return true;
    memset(&key, 0, sizeof key);
    key.dev = x->dev, key.ino = x->ino;
    return dp_map_get(&v->inodes, dp_str((const char *)&key, sizeof key)) != NULL;
}

/* ---- what is there ---- */

static void know_prefixes(struct vacuum *v) {
    const struct dp_delta_strs *columns = &v->s->metadata.partition_columns;
    v->prefixes.v = dp_calloc(2 * columns->n + 1, sizeof *v->prefixes.v);
    for (size_t i = 0; i < columns->n; i++) {
        dp_delta_hive_escape(columns->v[i], &v->prefixes.v[v->prefixes.n]);
        dp_buf_addc(&v->prefixes.v[v->prefixes.n++], '=');
        dp_delta_hive_escape(v->s->partition_keys.v[i], &v->prefixes.v[v->prefixes.n]);
        dp_buf_addc(&v->prefixes.v[v->prefixes.n++], '=');
    }
    struct dp_str formats = dp_delta_property(v->s, "delta.universalFormat.enabledFormats", "");
    for (size_t i = 0; i + 7 <= formats.n; i++) v->iceberg |= !memcmp(formats.p + i, "iceberg", 7);
}

static bool is_hidden(const struct vacuum *v, const char *name, bool is_dir, unsigned depth) {
    if (depth == 0 && is_dir && v->iceberg && !strcmp(name, "metadata")) return true;
    if (name[0] != '_' && name[0] != '.') return false;
    if (depth == 0 && is_dir && (!strcmp(name, "_change_data") || !strcmp(name, "_delta_index"))) return false;
    for (size_t i = 0; is_dir && i < v->prefixes.n; i++)
        if (dp_str_starts(dp_str_z(name), dp_buf_str(&v->prefixes.v[i]))) return false;
    return true;
}

static bool is_old(const struct vacuum *v, const struct stat *st) {
    return delta_stat_ms(st) < v->oldest_ms;
}

static bool is_old_file(const struct vacuum *v, const char *rel, const struct stat *st) {
    return is_old(v, st) && (!v->o->known || delta_stat_ms(st) < v->stranger_ms || dp_map_get(&v->known, dp_str_z(rel)));
}

static enum dp_status list(struct vacuum *v, const char *rel, unsigned depth, struct dp_err *err);

static enum dp_status see_entry(struct vacuum *v, char *rel, const char *path, const char *name, unsigned depth, bool *taken, struct dp_err *err) {
    struct stat st;
    if (lstat(path, &st) != 0) return errno == ENOENT ? DP_OK : dp_err_sys(err, DP_IO, "cannot look at %s", path);
    if (is_hidden(v, name, S_ISDIR(st.st_mode), depth)) return DP_OK;
    if (S_ISLNK(st.st_mode)) v->has_links = true;
    if (S_ISDIR(st.st_mode)) {
        DP_TRY(list(v, rel, depth + 1, err));
        if (!is_old(v, &st)) return DP_OK;
        v->dirs = dp_grow(v->dirs, &v->cap_dirs, v->n_dirs + 1, sizeof *v->dirs);
        v->dirs[v->n_dirs++] = (struct emptied){rel};
        *taken = true;
    } else if (S_ISREG(st.st_mode)) {
        struct victim x = {rel, st.st_size, st.st_dev, st.st_ino};
        if (stays(v, &x)) return DP_OK;
        if (!is_old_file(v, rel, &st)) {
            v->out->young++;
            return DP_OK;
        }
        v->victims = dp_grow(v->victims, &v->cap, v->n + 1, sizeof *v->victims);
        v->victims[v->n++] = x;
        *taken = true;
    }
    return DP_OK;
}

static enum dp_status list(struct vacuum *v, const char *rel, unsigned depth, struct dp_err *err) {
    if (depth >= MAX_DEPTH) return DP_OK;
    char *dir = name_of(v, rel);
    DIR *d = opendir(dir);
    enum dp_status status = d || errno == ENOENT ? DP_OK : dp_err_sys(err, DP_IO, "cannot list %s", dir);
    for (struct dirent *e; d && status == DP_OK && (e = readdir(d)) != NULL;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        bool taken = false;
        char *below = *rel ? dp_path_join(rel, e->d_name) : dp_strdup(e->d_name), *path = dp_path_join(dir, e->d_name);
        if (e->d_type != DT_REG || !dp_map_get(&v->names, dp_str_z(below))) status = see_entry(v, below, path, e->d_name, depth, &taken, err);
        if (!taken) free(below);
        free(path);
    }
    if (d) closedir(d);
    free(dir);
    return status;
}

/* What was moved out of the table by rule, where it can be reached. */
static enum dp_status list_tiers(struct vacuum *v, struct dp_err *err) {
    char **homes;
    size_t n;
    DP_TRY(dp_delta_tier_homes(v->table, v->s->metadata.id, &homes, &n, err));
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n; i++) {
        if (status == DP_OK) status = list(v, homes[i], 1, err);
        free(homes[i]);
    }
    free(homes);
    return status;
}

static int by_path(const void *a, const void *b) { return strcmp(((const struct victim *)a)->rel, ((const struct victim *)b)->rel); }

/* ---- deleting ---- */

static enum dp_status take(struct vacuum *v, const struct victim *x, struct dp_err *err) {
    char *path = name_of(v, x->rel);
    enum dp_status status = DP_OK;
    bool gone = false;
    if (!v->o->dry_run && unlink(path) != 0) {
        gone = errno == ENOENT;
        if (!gone) status = dp_err_sys(err, DP_IO, "cannot delete %s", path);
    }
    if (status == DP_OK && !gone) {
        v->out->files++;
        v->out->bytes += (uint64_t)x->bytes;
        if (v->o->each) status = v->o->each(v->o->ctx, path, x->bytes, err);
    }
    free(path);
    return status;
}

/* Whose partition is known: tombstones say it, and the adds of files that the caller knows.  Not vectors, which several files may share. */
static void tell_file(struct vacuum *v, const struct dp_delta_file *f) {
    struct dp_buf path = {0};
    dp_delta_path_key(f->path, &path);
    struct dp_map_item *item = dp_map_put(&v->told, dp_buf_str(&path), NULL);
    if (!item->v.p || f->partition_values.n) item->v.p = (void *)(uintptr_t)f;
    dp_buf_release(&path);
}

static void tell_files(struct vacuum *v) {
    for (size_t i = 0; i < v->s->tombstones.n; i++)
        if (!v->s->tombstones.items[i].dead) tell_file(v, v->s->tombstones.items[i].v.p);
    for (size_t i = 0; i < v->o->n_known; i++) tell_file(v, v->o->known[i]);
}

/* The holds as they are now. */
static void ask_holds(struct vacuum *v) {
    dp_legal_release(&v->legal);
    dp_legal_read(v->table, &v->legal);
    if (v->legal.n && !v->told.n) tell_files(v);
}

/* Is it not sure that no legal hold keeps it?  Of files that the log does not tell any more nobody knows the partition. */
static bool is_held(const struct vacuum *v, const struct victim *x) {
    if (!v->legal.n) return false;
    if (v->legal.whole || v->legal.subjects) return true; /* no statistics of files that went */
    const struct dp_map_item *told = dp_map_get(&v->told, dp_str_z(x->rel));
    return !told || dp_legal_holds_file(&v->legal, v->s, told->v.p);
}

/* Victims from `at` on, as many as go at once, while no writer has a file between its place and the log. */
static enum dp_status take_batch(struct vacuum *v, size_t *at, struct dp_err *err) {
    struct dp_delta_hold hold = DP_DELTA_HOLD_INIT;
    size_t end = v->n - *at < BATCH ? v->n : *at + BATCH;
    enum dp_status status = DP_OK;
    if (!v->o->dry_run) status = dp_delta_hold_alone(v->table, &hold, err);
    if (status == DP_OK) status = look_again(v, err);
    ask_holds(v); /* one that comes waits until this batch is done, and is seen by the next */
    for (; status == DP_OK && *at < end; ++*at) {
        const struct victim *x = &v->victims[*at];
        if (stays(v, x)) continue;
        if (is_held(v, x)) v->out->held_files++, v->out->held_bytes += (uint64_t)x->bytes;
        else status = take(v, x, err);
    }
    dp_delta_hold_release(&hold);
    return status;
}

/* Directories that were old before their files went; the list has the inner ones first. */
static enum dp_status take_dirs(struct vacuum *v, struct dp_err *err) {
    struct dp_delta_hold hold = DP_DELTA_HOLD_INIT;
    if (v->o->dry_run || !v->n_dirs) return DP_OK;
    DP_TRY(dp_delta_hold_alone(v->table, &hold, err));
    for (size_t i = 0; i < v->n_dirs; i++) {
        char *path = name_of(v, v->dirs[i].rel);
        if (rmdir(path) == 0) v->out->dirs++;
        free(path);
    }
    dp_delta_hold_release(&hold);
    return DP_OK;
}

/* ---- the whole ---- */

static enum dp_status settle_retention(struct vacuum *v, struct dp_err *err) {
    struct dp_str text = dp_delta_property(v->s, "delta.deletedFileRetentionDuration", "");
    int64_t wanted = 7 * 86400000LL;
    if (text.n && !dp_delta_interval_parse(text, &wanted))
        return dp_err_set(err, DP_UNSUPPORTED, "%s: delta.deletedFileRetentionDuration \"%.*s\" is not a duration", v->table, DP_STR_FMT(text));
    v->out->retain_ms = v->o->retain_ms < 0 ? wanted : v->o->retain_ms;
    if (v->out->retain_ms < wanted && !v->o->force)
        return dp_err_set(err, DP_USAGE, "%s: a retention of less than the table's %lld hours needs --force: files of writers at work and versions that readers still use would be lost",
                          v->table, (long long)(wanted / 3600000));
    if (dp_sub_overflow(v->o->now_ms, v->out->retain_ms, &v->oldest_ms)) v->oldest_ms = INT64_MIN;
    if (dp_sub_overflow(v->o->now_ms, wanted, &v->stranger_ms)) v->stranger_ms = INT64_MIN;
    return DP_OK;
}

static enum dp_status plan(struct vacuum *v, struct dp_err *err) {
    struct dp_delta_intent intent = {0};
    if (!v->o->latest) DP_TRY(dp_delta_open_how(v->table, -1, &(struct dp_delta_how){.skip_stats = true}, &v->opened, err));
    v->s = v->o->latest ? v->o->latest : v->opened;
    DP_TRY(dp_delta_check_write(&v->s->protocol, &v->s->metadata, v->s->schema, &intent, err));
    DP_TRY(settle_retention(v, err));
    v->out->version = v->seen = v->s->version;
    know_prefixes(v);
    keep_snapshot(v);
    know_files(v);
    DP_TRY(list(v, "", 0, err));
    DP_TRY(list_tiers(v, err));
    keep_inodes(v);
    if (v->n) qsort(v->victims, v->n, sizeof *v->victims, by_path);
    return DP_OK;
}

enum dp_status dp_delta_vacuum(const char *table, const struct dp_delta_vacuum_opts *o, struct dp_delta_vacuumed *out, struct dp_err *err) {
    struct vacuum v = {.table = table, .o = o, .out = out};
    *out = (struct dp_delta_vacuumed){0};
    enum dp_status status = plan(&v, err);
    for (size_t at = 0; status == DP_OK && at < v.n;) status = take_batch(&v, &at, err);
    if (status == DP_OK) status = take_dirs(&v, err);
    if (status == DP_OK) ask_holds(&v);
    if (status == DP_OK && !o->dry_run && !v.legal.n) dp_delta_staging_sweep(table, o->now_ms / 1000, 86400);
    for (size_t i = 0; i < v.n; i++) free(v.victims[i].rel);
    for (size_t i = 0; i < v.n_dirs; i++) free(v.dirs[i].rel);
    for (size_t i = 0; i < v.prefixes.n; i++) dp_buf_release(&v.prefixes.v[i]);
    free(v.prefixes.v);
    free(v.victims);
    free(v.dirs);
    dp_map_release(&v.names);
    dp_map_release(&v.inodes);
    dp_map_release(&v.known);
    dp_map_release(&v.told);
    dp_legal_release(&v.legal);
    dp_delta_close(v.opened);
    return status;
}
