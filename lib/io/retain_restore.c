/*
 * What a tier holds of a table, and bringing it back (dp/io/retain_restore.h).
 */
#include <dp/io/retain_restore.h>

#include "tier_move.h"

#include <dp/base/file.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/tier.h>
#include <dp/io/audit.h>

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

struct restoring {
    struct dp_run *run;
    const struct dp_tier_opts *o;
    struct dp_tier_restored *out;
    char *drafts;
    char root[PATH_MAX];   /* of the table */
};

/* Where the bytes of a file are: in --from, below the table's id or at once, else in the tier.  False: nowhere. */
static bool find(const struct dp_tier_opts *o, struct dp_str id, struct dp_str path, struct dp_str rel, struct dp_buf *out) {
    for (int i = 0; i < 3; i++) {
        struct stat st;
        if (i < 2 && !o->from) continue;
        dp_buf_reset(out);
        if (i == 0) dp_buf_addf(out, "%s/%.*s/%.*s", o->from, DP_STR_FMT(id), DP_STR_FMT(rel));
        else if (i == 1) dp_buf_addf(out, "%s/%.*s", o->from, DP_STR_FMT(rel));
        else dp_buf_adds(out, path);
        if (stat(dp_buf_z(out), &st) == 0 && S_ISREG(st.st_mode)) return true;
    }
    return false;
}

static enum dp_status check_fields(const struct dp_delta_snapshot *s, const struct dp_expr *where, struct dp_err *err) {
    const char *const *fields;
    size_t n = 0;
    if (!where || !dp_expr_fields(where, &fields, &n)) return DP_OK;
    for (size_t i = 0; i < n; i++)
        if (!dp_type_child(s->schema, dp_str_z(fields[i]))) return dp_type_no_child(s->schema, "--where", s->table, dp_str_z(fields[i]), err);
    return DP_OK;
}

static enum dp_status each(const struct dp_tier_opts *o, const struct dp_delta_snapshot *s, struct dp_pool *pool,
                           enum dp_status (*fn)(void *ctx, const struct dp_delta_file *f, const struct dp_tier_file *t, struct dp_err *err), void *ctx, struct dp_err *err) {
    struct dp_expr *where = NULL;
    const struct dp_delta_file **files = NULL;
    struct dp_buf path = {0}, source = {0};
    size_t n = 0;
    enum dp_status status = o->where ? dp_expr_compile(dp_str_z(o->where), &where, err) : DP_OK;
    if (status == DP_OK) status = check_fields(s, where, err);
    if (status == DP_OK) status = dp_delta_live_files(s, where, pool, &files, &n, err);
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        struct dp_str dir, rel;
        if (!dp_delta_is_tiered(files[i])) continue;
        dp_buf_reset(&path);
        if ((status = dp_delta_path_resolve(s->table, files[i]->path, &path, err)) != DP_OK) break;
        const char *whole = dp_buf_z(&path);
        if (!dp_delta_tier_split(dp_buf_str(&path), s->metadata.id, &dir, &rel)) continue; /* of another table: a clone's */
        bool there = find(o, s->metadata.id, dp_buf_str(&path), rel, &source);
        const struct dp_tier_file t = {.path = whole, .source = there ? dp_buf_z(&source) : NULL, .rel = rel.p, .bytes = files[i]->size > 0 ? (uint64_t)files[i]->size : 0,
                                       .sha256 = dp_delta_pairs_text(&files[i]->tags, DP_DELTA_TAG_SHA256, DP_STR("")), .tier = dp_delta_pairs_text(&files[i]->tags, DP_DELTA_TAG_TIER, DP_STR(""))};
        status = fn(ctx, files[i], &t, err);
    }
    free(files);
    dp_expr_free(where);
    dp_buf_release(&path), dp_buf_release(&source);
    return status;
}

/* ---- the list ---- */

struct listing { const struct dp_tier_opts *o; struct dp_tier_restored *out; };

static enum dp_status list_file(void *ctx, const struct dp_delta_file *f, const struct dp_tier_file *t, struct dp_err *err) {
    struct listing *l = ctx;
    (void)f;
    l->out->files++, l->out->bytes += t->bytes;
    if (!t->source) l->out->lost_files++, l->out->lost_bytes += t->bytes;
    return l->o->each ? l->o->each(l->o->ctx, t, err) : DP_OK;
}

enum dp_status dp_tier_list(struct dp_run *run, const struct dp_tier_opts *o, struct dp_tier_restored *out, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    struct listing l = {o, out};
    *out = (struct dp_tier_restored){.version = -1};
    enum dp_status status = dp_delta_open_how(o->table, -1, &(struct dp_delta_how){.pool = run->pool, .skip_stats = !o->where}, &s, err);
    if (status == DP_OK) status = each(o, s, run->pool, list_file, &l, err);
    dp_delta_close(s);
    return status;
}

/* ---- bringing back ---- */

struct choosing { struct restoring *r; struct tier_moving *m; };

static enum dp_status choose_file(void *ctx, const struct dp_delta_file *f, const struct dp_tier_file *t, struct dp_err *err) {
    struct choosing *c = ctx;
    (void)err;
    c->r->out->files++, c->r->out->bytes += t->bytes;
    if (!t->source) {
        c->r->out->lost_files++, c->r->out->lost_bytes += t->bytes;
        return DP_OK;
    }
    tier_moving_add(c->m, &(struct tier_item){.file = f, .from = t->source, .root = c->r->root, .rel = t->rel, .drafts = c->r->drafts, .sha256 = t->sha256});
    return DP_OK;
}

static enum dp_status choose(void *ctx, struct tier_moving *m, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct restoring *r = ctx;
    struct choosing c = {r, m};
    r->out->files = r->out->bytes = r->out->lost_files = r->out->lost_bytes = 0;
    DP_TRY(each(r->o, s, r->run->pool, choose_file, &c, err));
    if (!r->out->lost_files) return DP_OK;
    return dp_err_set(err, DP_IO, "%s: %llu of %llu files, of %llu bytes, are out of reach: bring them back (restore --list tells which) and name their directory with --from", s->table,
                      (unsigned long long)r->out->lost_files, (unsigned long long)r->out->files, (unsigned long long)r->out->lost_bytes);
}

static enum dp_status restore(struct restoring *r, struct dp_err *err) {
    struct tier_moving m = {.run = r->run, .table = r->o->table, .operation = "RESTORE TIER", .parameters = "{}", .choose = choose, .ctx = r};
    int lock = -1;
    enum dp_status status = DP_OK;
    if (!realpath(r->o->table, r->root)) return dp_err_sys(err, DP_IO, "%s", r->o->table);
    r->drafts = dp_path_join(r->root, DP_DELTA_STAGING "/tier");
    if (!r->run->dry_run) status = tier_drafts_open(r->drafts, &lock, err);
    if (status == DP_OK) status = tier_move(&m, err);
    if (status == DP_OK) r->out->version = m.version;
    tier_drafts_close(r->drafts, lock);
    free(r->drafts);
    return status;
}

enum dp_status dp_tier_restore(struct dp_run *run, const struct dp_tier_opts *o, struct dp_tier_restored *out, struct dp_err *err) {
    struct restoring r = {.run = run, .o = o, .out = out};
    struct dp_audit *audit = NULL;
    struct dp_buf intent = {0}, result = {0};
    uint64_t ticket = 0;
    *out = (struct dp_tier_restored){.version = -1};
    if (!dp_delta_is_table(o->table)) return dp_err_set(err, DP_IO, "%s is no Delta table", o->table);
    if (run->dry_run) return restore(&r, err);
    char *object = dp_audit_object(o->table);
    enum dp_status status = dp_audit_open(run, o->audit, &audit, err);
    dp_buf_addf(&intent, "{\"chosen\":%s,\"from\":%s}", o->where ? "true" : "false", o->from ? "true" : "false");
    if (status == DP_OK)
        status = dp_audit_begin(audit, &(struct dp_audit_intent){.action = "retain.restore", .object = object, .why = o->why, .what = dp_buf_str(&intent)}, &ticket, err);
    if (status == DP_OK) {
        status = restore(&r, err);
        dp_buf_addf(&result, "{\"files\":%llu,\"bytes\":%llu,\"version\":%lld}", (unsigned long long)(status == DP_OK ? out->files : 0), (unsigned long long)(status == DP_OK ? out->bytes : 0),
                    (long long)out->version);
        status = dp_audit_end(audit, ticket, status, dp_buf_str(&result), err);
    }
    dp_audit_close(audit);
    dp_buf_release(&intent), dp_buf_release(&result);
    free(object);
    return status;
}
