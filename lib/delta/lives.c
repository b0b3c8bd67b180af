/* Lifetimes of files over the versions that the log still tells (dp/delta/lives.h): the oldest version that can be rebuilt, and each commit behind it (digest section 3). */
#include "mtime_priv.h"
#include <dp/delta/lives.h>
#include <dp/delta/path.h>
#include <stdlib.h>

struct reading {
    struct dp_delta_lives *l;
    struct dp_map open;   /* key -> index in all */
    struct dp_delta_life *all;
    size_t n, cap;
    int64_t version, in_commit;
    struct dp_buf key;
};

static void open_life(struct reading *r, const struct dp_delta_file *f) {
    dp_buf_reset(&r->key);
    dp_delta_file_key(f, &r->key);
    r->all = dp_grow(r->all, &r->cap, r->n + 1, sizeof *r->all);
    r->all[r->n] = (struct dp_delta_life){.file = f, .from = r->version, .to = INT64_MAX, .removed_ms = DP_DELTA_UNSET};
    dp_map_put(&r->open, dp_buf_str(&r->key), NULL)->v.u = r->n++;
}

static void close_life(struct reading *r, const struct dp_delta_file *f) {
    dp_buf_reset(&r->key);
    dp_delta_file_key(f, &r->key);
    struct dp_map_item *item = dp_map_get(&r->open, dp_buf_str(&r->key));
    if (!item) return;
    struct dp_delta_life *life = &r->all[item->v.u];
    if (life->to != INT64_MAX || life->from == r->version) return; /* added anew by the same commit, whatever the order of its lines */
    life->to = r->version;
    life->removed_ms = f->deletion_timestamp;
}

static enum dp_status see(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct reading *r = ctx;
    (void)err;
    if (a->kind == DP_DELTA_COMMIT_INFO) r->in_commit = a->u.commit_info.in_commit_timestamp;
    if (a->kind == DP_DELTA_REMOVE) close_life(r, &a->u.file);
    if (a->kind != DP_DELTA_ADD) return DP_OK;
    dp_buf_reset(&r->key);
    dp_delta_file_key(&a->u.file, &r->key);
    struct dp_map_item *item = dp_map_get(&r->open, dp_buf_str(&r->key));
    if (item && r->all[item->v.u].to == INT64_MAX) return DP_OK; /* other statistics of the same file */
    struct dp_delta_file *f = dp_arena_alloc(&r->l->arena, sizeof *f);
    *f = a->u.file;
    open_life(r, f);
    return DP_OK;
}

static enum dp_status read_commits(struct reading *r, const char *table, struct dp_err *err) {
    struct dp_delta_lines *lines = dp_delta_lines_open(DP_DELTA_NO_STATS);
    enum dp_status status = DP_OK;
    for (int64_t v = r->l->oldest; status == DP_OK && v <= r->l->latest; v++) {
        char *path = dp_delta_commit_path(table, v);
        int64_t *time = &r->l->times[v - r->l->oldest];
        *time = delta_mtime_ms(path, 0);
        r->version = v, r->in_commit = DP_DELTA_UNSET;
        if (v > r->l->oldest || v == 0) status = dp_delta_lines_file(lines, path, &r->l->arena, see, r, err);
        free(path);
        if (r->in_commit != DP_DELTA_UNSET) *time = r->in_commit;
        else if (v > r->l->oldest && *time <= time[-1]) *time = time[-1] + 1;
    }
    dp_delta_lines_close(lines);
    return status;
}

enum dp_status dp_delta_lives_read(const struct dp_delta_snapshot *latest, struct dp_delta_lives *out, struct dp_err *err) {
    struct dp_delta_log log;
    struct reading r = {.l = out};
    const struct dp_delta_file *f;
    memset(out, 0, sizeof *out);
    DP_TRY(dp_delta_log_list(latest->table, &log, err));
    out->latest = latest->version;
    out->oldest = dp_delta_log_oldest(&log, latest->version);
    dp_delta_log_release(&log);
    out->times = dp_calloc((size_t)(out->latest - out->oldest) + 1, sizeof *out->times);
    enum dp_status status = DP_OK;
    if (out->oldest > 0) status = dp_delta_open_how(latest->table, out->oldest, &(struct dp_delta_how){.skip_stats = true}, &out->first, err);
    r.version = out->oldest;
    if (status == DP_OK && out->first)
        for (size_t cursor = 0; (f = dp_delta_next_file(out->first, &cursor)) != NULL;) open_life(&r, f);
    if (status == DP_OK) status = read_commits(&r, latest->table, err);
    for (size_t i = 0; i < r.n; i++) {
        if (r.all[i].to == INT64_MAX) continue;
        out->v = dp_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
        out->v[out->n++] = r.all[i];
    }
    out->all = r.all, out->n_all = r.n;
    dp_map_release(&r.open);
    dp_buf_release(&r.key);
    if (status != DP_OK) dp_delta_lives_release(out);
    return status;
}

void dp_delta_lives_release(struct dp_delta_lives *l) {
    free(l->times), free(l->v), free(l->all);
    dp_delta_close(l->first);
    dp_arena_release(&l->arena);
    memset(l, 0, sizeof *l);
}
