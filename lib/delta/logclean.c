/*
 * Clean-up of the log (digest section 6): entries that are older than the table keeps them and that no version from the newest old enough checkpoint on needs.
 *
 * The checkpoint that stays is read to its end before anything goes.  Entries go before checkpoints, the oldest first: wherever it is interrupted, what is left is
 * a log with a shorter history.  Sidecars go only when every checkpoint that stays could be read and none names them, after a day.
 */
#include "mtime_priv.h"
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/hold.h>
#include <dp/delta/legal.h>
#include <dp/delta/log.h>
#include <dp/delta/logclean.h>
#include <dp/delta/path.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS 86400000LL

struct cleaning {
    const struct dp_delta_snapshot *s;
    const struct dp_delta_clean_opts *o;
    struct dp_delta_log log;
    struct dp_delta_cleaned *out;
};

static int64_t floor_day(int64_t ms) { return (ms - (ms % DAY_MS + DAY_MS) % DAY_MS); }

static int64_t cut_off(const struct cleaning *c) {
    int64_t keep_ms, at;
    struct dp_str text = dp_delta_property(c->s, "delta.logRetentionDuration", "");
    if (!text.n || !dp_delta_interval_parse(text, &keep_ms)) keep_ms = 30 * DAY_MS;
    return dp_sub_overflow(c->o->now_ms, keep_ms, &at) ? INT64_MIN : floor_day(at);
}

/* The newest entry at or before the cut-off, by the files' times made monotonic; -1: none. */
static int64_t newest_old(const struct cleaning *c, int64_t cut) {
    int64_t found = -1, last = INT64_MIN;
    for (size_t i = 0; i < c->log.n_commits; i++) {
        char *path = dp_delta_commit_path(c->s->table, c->log.commits[i]);
        int64_t ms = delta_mtime_ms(path, INT64_MAX);
        free(path);
        if (last != INT64_MIN && ms <= last) ms = last + 1;
        if (ms > cut) break;
        last = ms;
        found = c->log.commits[i];
    }
    return found;
}

/* ---- what stays ---- */

struct seen {
    struct dp_arena arena;
    bool protocol, metadata;
};

static enum dp_status see(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct seen *s = ctx;
    (void)err;
    if (a->kind == DP_DELTA_PROTOCOL) s->protocol = true;
    if (a->kind == DP_DELTA_METADATA) s->metadata = true;
    return DP_OK;
}

/* Can a reader really start from it? */
static bool is_readable(const struct cleaning *c, const struct dp_delta_checkpoint_ref *ref) {
    struct seen s = {0};
    struct dp_err ignored = DP_ERR_INIT;
    bool ok = dp_delta_checkpoint_read(c->s->table, ref, &s.arena, see, &s, &ignored) == DP_OK && s.protocol && s.metadata;
    dp_arena_release(&s.arena);
    return ok;
}

/* The newest checkpoint at or before the version that can be read; NULL: none, and nothing may go. */
static const struct dp_delta_checkpoint_ref *find_kept(const struct cleaning *c, int64_t version) {
    for (size_t i = c->log.n_checkpoints; i-- > 0;) {
        const struct dp_delta_checkpoint_ref *ref = &c->log.checkpoints[i];
        if (ref->version > version) continue;
        if (ref->version <= c->log.commits[0]) return NULL; /* older entries are gone already */
        if (is_readable(c, ref)) return ref;
    }
    return NULL;
}

/* ---- what goes ---- */

static enum dp_status drop(struct cleaning *c, const char *dir, const char *name, struct dp_err *err) {
    struct stat st;
    enum dp_status status = DP_OK;
    char *path = dp_path_join(dir, name);
    if (stat(path, &st) == 0) {
        c->out->files++;
        c->out->bytes += st.st_size;
        if (c->o->each) status = c->o->each(c->o->each_ctx, path, err);
        if (status == DP_OK && !c->o->dry_run && unlink(path) != 0 && errno != ENOENT) status = dp_err_sys(err, DP_IO, "cannot remove %s", path);
    }
    free(path);
    return status;
}

static enum dp_status drop_entries(struct cleaning *c, int64_t below, struct dp_err *err) {
    for (size_t i = 0; i < c->log.n_commits && c->log.commits[i] < below; i++) {
        char *path = dp_delta_commit_path(c->s->table, c->log.commits[i]);
        enum dp_status status = drop(c, c->log.dir, dp_path_base(path), err);
        free(path);
        DP_TRY(status);
        c->out->entries++;
    }
    return DP_OK;
}

static int cmp_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Everything else in the log that a version below belongs to: checkpoints whole and in parts, checksums, compactions that start at or below the kept one. */
static enum dp_status drop_others(struct cleaning *c, int64_t below, struct dp_err *err) {
    char **names = NULL;
    size_t n = 0, cap = 0;
    DIR *d = opendir(c->log.dir);
    if (!d) return dp_err_sys(err, DP_IO, "cannot list %s", c->log.dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        long long version = 0;
        if (strlen(e->d_name) < 24 || strspn(e->d_name, "0123456789") != 20 || e->d_name[20] != '.') continue;
        version = strtoll(e->d_name, NULL, 10);
        const char *rest = e->d_name + 21;
        bool compacted = strstr(rest, ".compacted.json") != NULL;
        if (!compacted && strncmp(rest, "checkpoint.", 11) != 0 && strcmp(rest, "crc") != 0) continue;
        if (compacted ? version > below : version >= below) continue;
        names = dp_grow(names, &cap, n + 1, sizeof *names);
        names[n++] = dp_strdup(e->d_name);
    }
    closedir(d);
    enum dp_status status = DP_OK;
    if (n) qsort(names, n, sizeof *names, cmp_name);
    for (size_t i = 0; i < n && status == DP_OK; i++) status = drop(c, c->log.dir, names[i], err);
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
    return status;
}

static enum dp_status keep_sidecar(void *ctx, struct dp_str name, struct dp_err *err) {
    (void)err;
    dp_map_put(ctx, name, NULL);
    return DP_OK;
}

static enum dp_status drop_sidecars(struct cleaning *c, int64_t below, struct dp_err *err) {
    struct dp_map named = {0};
    struct dp_err ignored = DP_ERR_INIT;
    char *dir = dp_path_join(c->log.dir, "_sidecars");
    enum dp_status status = DP_OK;
    bool known = true;
    for (size_t i = 0; i < c->log.n_checkpoints && known; i++)
        if (c->log.checkpoints[i].version >= below)
            known = dp_delta_checkpoint_sidecars(c->s->table, &c->log.checkpoints[i], keep_sidecar, &named, &ignored) == DP_OK;
    DIR *d = known ? opendir(dir) : NULL;
    for (struct dirent *e; d && status == DP_OK && (e = readdir(d)) != NULL;) {
        struct stat st;
        char *path = dp_path_join(dir, e->d_name);
        bool old = e->d_name[0] != '.' && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (int64_t)st.st_mtim.tv_sec * 1000 < c->o->now_ms - DAY_MS;
        if (old && !dp_map_get(&named, dp_str_z(e->d_name))) status = drop(c, dir, e->d_name, err);
        free(path);
    }
    if (d) closedir(d);
    dp_map_release(&named);
    free(dir);
    return status;
}

static enum dp_status clean(struct cleaning *c, struct dp_err *err) {
    struct dp_legal legal;
    enum dp_status held = DP_OK;
    dp_legal_read(c->s->table, &legal);
    if (legal.n) held = dp_legal_refuse(&legal, c->s->table, "its log is not cleaned", err);
    dp_legal_release(&legal);
    DP_TRY(held);
    DP_TRY(dp_delta_log_list(c->s->table, &c->log, err));
    int64_t version = c->log.n_commits ? newest_old(c, cut_off(c)) : -1;
    const struct dp_delta_checkpoint_ref *kept = version >= 0 ? find_kept(c, version) : NULL;
    enum dp_status status = DP_OK;
    if (kept) {
        c->out->oldest = kept->version;
        status = drop_entries(c, kept->version, err);
        if (status == DP_OK) status = drop_others(c, kept->version, err);
        if (status == DP_OK) status = drop_sidecars(c, kept->version, err);
    }
    dp_delta_log_release(&c->log);
    return status;
}

enum dp_status dp_delta_log_clean(const struct dp_delta_snapshot *s, const struct dp_delta_clean_opts *o, struct dp_delta_cleaned *out, struct dp_err *err) {
    struct cleaning c = {.s = s, .o = o, .out = out};
    struct dp_delta_intent nothing = {0};
    *out = (struct dp_delta_cleaned){.oldest = -1};
    DP_TRY(dp_delta_check_write(&s->protocol, &s->metadata, s->schema, &nothing, err));
    if (dp_delta_has_feature(&s->protocol, "checkpointProtection"))
        return dp_err_set(err, DP_UNSUPPORTED, "%s: the log of a table with the feature checkpointProtection is not cleaned", s->table);
    if (o->dry_run) return clean(&c, err);
    struct dp_delta_hold hold = DP_DELTA_HOLD_INIT; /* no legal hold comes while it is at work */
    DP_TRY(dp_delta_hold_log(s->table, &hold, err));
    enum dp_status status = clean(&c, err);
    dp_delta_hold_release(&hold);
    return status;
}
