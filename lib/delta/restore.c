/* Restoring (dp/delta/restore.h).  What it does not do: bring back files that a vacuum has deleted. */
#include <dp/delta/restore.h>

#include <dp/base/num.h>
#include <dp/delta/dv.h>
#include <dp/delta/mapping.h>
#include <dp/delta/path.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static int64_t size_of(const struct dp_delta_file *f) { return f->size > 0 ? f->size : 0; }

static void plan_files(struct dp_delta_restore *r) {
    struct dp_buf key = {0};
    const struct dp_delta_file *f;
    r->removes = dp_calloc(r->now->n_files + 1, sizeof *r->removes);
    r->adds = dp_calloc(r->then->n_files + 1, sizeof *r->adds);
    for (size_t cursor = 0; (f = dp_delta_next_file(r->now, &cursor)) != NULL;) {
        dp_buf_reset(&key);
        dp_delta_file_key(f, &key);
        if (dp_map_get(&r->then->files, dp_buf_str(&key))) continue;
        r->removes[r->change.n_removes++] = f;
        r->removed_bytes += size_of(f);
    }
    for (size_t cursor = 0; (f = dp_delta_next_file(r->then, &cursor)) != NULL;) {
        dp_buf_reset(&key);
        dp_delta_file_key(f, &key);
        if (dp_map_get(&r->now->files, dp_buf_str(&key))) continue;
        r->adds[r->change.n_adds++] = *f;
        r->added_bytes += size_of(f);
    }
    dp_buf_release(&key);
}

/* Properties that say how the history is to be read, not what the table is. */
static bool stays(struct dp_str key) {
    return dp_str_eqz(key, "delta.enableInCommitTimestamps") || dp_str_eqz(key, "delta.inCommitTimestampEnablementVersion") ||
           dp_str_eqz(key, "delta.inCommitTimestampEnablementTimestamp");
}

static int64_t max_id(const struct dp_delta_pairs *p) {
    int64_t id = 0;
    return dp_parse_i64(dp_delta_pairs_text(p, DP_DELTA_KEY_MAX_ID, DP_STR("0")), &id) ? id : 0;
}

static bool same_pairs(const struct dp_delta_pairs *a, const struct dp_delta_pairs *b) {
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) same = dp_delta_pairs_has(b, &a->v[i]);
    return same;
}

static void plan_properties(struct dp_delta_restore *r) {
    const struct dp_delta_pairs *now = &r->now->metadata.configuration, *then = &r->then->metadata.configuration;
    struct dp_delta_pairs *out = &r->metadata.configuration;
    char text[24];
    *out = (struct dp_delta_pairs){dp_arena_calloc(&r->arena, now->n + then->n + 1, sizeof *out->v), 0};
    for (size_t i = 0; i < then->n; i++)
        if (!stays(then->v[i].key)) out->v[out->n++] = then->v[i];
    for (size_t i = 0; i < now->n; i++)
        if (stays(now->v[i].key)) out->v[out->n++] = now->v[i];
    for (size_t i = 0; i < out->n; i++) /* ids are never used again */
        if (dp_str_eqz(out->v[i].key, DP_DELTA_KEY_MAX_ID) && max_id(now) > max_id(then)) out->v[i].value = dp_arena_str(&r->arena, dp_str(text, dp_print_i64(text, max_id(now))));
}

static void plan_metadata(struct dp_delta_restore *r) {
    const struct dp_delta_metadata *now = &r->now->metadata, *then = &r->then->metadata;
    r->metadata = *then;
    r->metadata.id = now->id;
    r->metadata.created_time = now->created_time;
    plan_properties(r);
    r->changes_schema = !dp_str_eq(now->schema_string, then->schema_string) || !dp_delta_strs_equal(&now->partition_columns, &then->partition_columns);
    r->changes_properties = !same_pairs(&now->configuration, &r->metadata.configuration) || !dp_str_eq(now->name, then->name) || !dp_str_eq(now->description, then->description);
    if (r->changes_schema || r->changes_properties) r->change.metadata = &r->metadata;
}

/* Clustering columns are part of what the table was; other domains are their writers'. */
static void plan_domains(struct dp_delta_restore *r) {
    const struct dp_map_item *a = dp_map_get(&r->now->domains, DP_STR(DP_DELTA_CLUSTERING)), *b = dp_map_get(&r->then->domains, DP_STR(DP_DELTA_CLUSTERING));
    const struct dp_delta_domain *now = a ? a->v.p : NULL, *then = b ? b->v.p : NULL;
    if ((!now && !then) || (now && then && dp_str_eq(now->configuration, then->configuration))) return;
    r->domains = dp_arena_calloc(&r->arena, 1, sizeof *r->domains);
    *r->domains = then ? *then : *now;
    r->domains->removed = !then;
    r->change.domains = r->domains;
    r->change.n_domains = 1;
}

static void print_words(struct dp_delta_restore *r, const char *timestamp) {
    int64_t bytes = r->added_bytes - r->removed_bytes;
    const struct dp_delta_file *f;
    for (size_t cursor = 0; (f = dp_delta_next_file(r->now, &cursor)) != NULL;) bytes += size_of(f);
    dp_buf_addf(&r->parameters, "{\"version\":\"%lld\",\"timestamp\":", (long long)r->then->version);
    if (timestamp) dp_json_add_string(&r->parameters, dp_str_z(timestamp));
    else dp_buf_addz(&r->parameters, "null");
    dp_buf_addc(&r->parameters, '}');
    dp_buf_addf(&r->metrics, ",\"numRestoredFiles\":\"%zu\",\"restoredFilesSize\":\"%lld\",\"removedFilesSize\":\"%lld\",\"numOfFilesAfterRestore\":\"%zu\",\"tableSizeAfterRestore\":\"%lld\"",
                r->change.n_adds, (long long)r->added_bytes, (long long)r->removed_bytes, r->then->n_files, (long long)bytes);
}

void dp_delta_restore_plan(const struct dp_delta_snapshot *now, const struct dp_delta_snapshot *then, const char *timestamp, struct dp_delta_restore *r) {
    *r = (struct dp_delta_restore){.now = now, .then = then};
    r->change = (struct dp_delta_change){.reads = DP_DELTA_READ_TABLE, .checked = true, .operation = "RESTORE", .rows = -1};
    plan_files(r);
    plan_metadata(r);
    plan_domains(r);
    print_words(r, timestamp);
    r->change.removes = r->removes;
    r->change.adds = r->adds;
    r->change.parameters = dp_buf_z(&r->parameters);
    r->change.metrics = dp_buf_z(&r->metrics);
    r->is_changed = r->change.n_adds || r->change.n_removes || r->change.metadata || r->change.n_domains;
}

void dp_delta_restore_release(struct dp_delta_restore *r) {
    free(r->removes);
    free(r->adds);
    dp_buf_release(&r->parameters);
    dp_buf_release(&r->metrics);
    dp_arena_release(&r->arena);
    *r = (struct dp_delta_restore){0};
}

/* size -1: any. */
static enum dp_status look(const char *path, int64_t size, enum dp_status (*fn)(void *ctx, const char *path, const char *why, struct dp_err *err), void *ctx, struct dp_err *err) {
    struct stat st;
    if (stat(path, &st) != 0) return errno == ENOENT || errno == ENOTDIR ? fn(ctx, path, "is gone", err) : dp_err_sys(err, DP_IO, "%s", path);
    return size >= 0 && st.st_size != size ? fn(ctx, path, "has another size than it had", err) : DP_OK;
}

enum dp_status dp_delta_restore_missing(const struct dp_delta_restore *r, enum dp_status (*fn)(void *ctx, const char *path, const char *why, struct dp_err *err), void *ctx,
                                        struct dp_err *err) {
    struct dp_buf path = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < r->change.n_adds && status == DP_OK; i++) {
        const struct dp_delta_file *f = &r->adds[i];
        dp_buf_reset(&path);
        status = dp_delta_path_resolve(r->now->table, f->path, &path, err);
        if (status == DP_OK) status = look(dp_buf_z(&path), f->size >= 0 ? f->size : -1, fn, ctx, err);
        dp_buf_reset(&path);
        if (status == DP_OK) status = dp_delta_dv_path(r->now->table, &f->dv, &path, err);
        if (status == DP_OK && path.n) status = look(dp_buf_z(&path), -1, fn, ctx, err);
    }
    dp_buf_release(&path);
    return status;
}

enum dp_status dp_delta_restore_publish(struct dp_delta_restore *r, int64_t now_ms, int64_t *version, struct dp_err *err) {
    r->change.now_ms = now_ms;
    return dp_delta_publish(r->now->table, r->now, &r->change, version, err);
}
