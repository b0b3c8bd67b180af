/* What a durable state has beside a program's own entries (durable.h). */
#include "durable.h"

#include <dp/base/file.h>
#include <dp/base/num.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OURS "\0\0\0\0\0\0\0\0t"
enum { OURS_N = 9 };

enum dp_status durable_open(struct durable *k, const char *program, struct dp_str query, struct dp_err *err) {
    if (!k->dir) return DP_OK;
    if (k->run->dry_run) {
        char *path = dp_path_join(k->dir, "state.json");
        bool is_there = access(path, F_OK) == 0;
        free(path);
        if (!is_there) dp_run_log(k->run, DP_LOG_INFO, "--state %s is not there: it would be made", k->dir);
        if (!is_there) return DP_OK;
    }
    return dp_state_open(k->run, k->dir, program, query, k->run->dry_run, &k->state, err);
}

void durable_release(struct durable *k) {
    dp_state_close(k->state);
    late_close(&k->late);
    dp_map_release(&k->restored);
    dp_map_release(&k->positions);
}

/* ---- restoring ---- */

bool durable_is_own(struct dp_str key, char *kind, struct dp_str *name) {
    if (key.n <= OURS_N || memcmp(key.p, OURS, OURS_N) != 0) return false;
    *kind = key.p[OURS_N];
    *name = dp_str(key.p + OURS_N + 1, key.n - OURS_N - 1);
    return true;
}

static enum dp_status damaged(struct dp_err *err) { return dp_err_set(err, DP_FORMAT, "an entry of the state is damaged"); }

enum dp_status durable_load(struct durable *k, char kind, struct dp_str name, struct dp_str value, struct dp_err *err) {
    uint64_t v;
    if (kind == 'w') {
        struct dp_str in = value;
        bool has_delay = k->watermark->has_delay;
        int64_t delay = k->watermark->delay;
        dp_watermark_release(k->watermark);
        dp_watermark_init(k->watermark, has_delay, delay);
        return dp_watermark_load(k->watermark, &in, err);
    }
    if (kind == 'l') return dp_parse_u64(value, &k->late.restored) ? DP_OK : damaged(err);
    if (kind != 'p' || !dp_parse_u64(value, &v)) return damaged(err);
    dp_map_put(&k->restored, name, NULL)->v.u = v;
    return DP_OK;
}

const char *durable_resume_id(const struct durable *k) {
    if (!k->has_begin) return NULL;
    const struct dp_mark *begin = dp_stream_begin(dp_stream_of(k->run));
    return begin && begin->id ? begin->id : "";
}

void durable_check_resume(struct durable *k, const char *what) {
    struct dp_state_point p;
    k->is_restored = true;
    if (k->state && k->has_begin && !dp_stream_begin(dp_stream_of(k->run))->id && dp_state_list(k->state, 0, &p))
        dp_run_log(k->run, DP_LOG_WARN, "the stream does not say which checkpoint it goes on from (is --since missing?): --state %s is passed over, and %s begin empty", k->dir, what);
}

/* ---- saving ---- */

enum dp_status durable_put_own(struct durable *k, char kind, struct dp_str name, struct dp_str value, struct dp_err *err) {
    struct dp_buf key = {0};
    dp_buf_add(&key, OURS, OURS_N);
    dp_buf_addc(&key, kind);
    dp_buf_adds(&key, name);
    enum dp_status status = dp_state_put(k->state, dp_buf_str(&key), &value, err);
    dp_buf_release(&key);
    return status;
}

static enum dp_status put_number(struct durable *k, char kind, struct dp_str name, uint64_t v, struct dp_err *err) {
    char text[24];
    return durable_put_own(k, kind, name, dp_str(text, dp_print_u64(text, v)), err);
}

static enum dp_status put_ours(struct durable *k, bool all, struct dp_err *err) {
    struct dp_buf b = {0};
    const struct dp_str none = {"", 0};
    dp_watermark_save(k->watermark, &b);
    enum dp_status status = durable_put_own(k, 'w', none, dp_buf_str(&b), err);
    dp_buf_release(&b);
    DP_TRY(status);
    if (k->late.path) DP_TRY(put_number(k, 'l', none, k->late.size, err));
    for (size_t i = 0; i < k->positions.n; i++) DP_TRY(put_number(k, 'p', k->positions.items[i].key, k->positions.items[i].v.u, err));
    for (size_t i = 0; all && i < k->restored.n; i++)
        if (!dp_map_get(&k->positions, k->restored.items[i].key)) DP_TRY(put_number(k, 'p', k->restored.items[i].key, k->restored.items[i].v.u, err));
    return DP_OK;
}

enum dp_status durable_save(struct durable *k, const char *id, durable_put put, void *ctx, struct dp_err *err) {
    bool all = false;
    if (!k->state || k->run->dry_run) return DP_OK;
    DP_TRY(late_flush(&k->late, true, err));
    DP_TRY(dp_state_begin(k->state, id, &all, err));
    enum dp_status status = put_ours(k, all, err);
    if (status == DP_OK) status = put(ctx, all, err);
    if (status == DP_OK) status = dp_state_commit(k->state, err);
    else dp_state_abort(k->state);
    if (status == DP_OK) k->checkpoints++;
    return status;
}

/* ---- positions of named files ---- */

/* `restored` is not written to once sources are opened, so any thread may ask. */
enum dp_status durable_resume(void *ctx, struct dp_origin *o, uint64_t *from, struct dp_err *err) {
    struct durable *k = ctx;
    char *best = NULL;
    (void)err;
    *from = 0;
    for (size_t i = 0; i < k->restored.n; i++) {
        char *id = dp_strndup(k->restored.items[i].key.p, k->restored.items[i].key.n);
        bool is_farther = !best || dp_origin_reach(id) > dp_origin_reach(best);
        if (is_farther && dp_origin_adopt(o, id)) {
            free(best);
            best = id;
            *from = k->restored.items[i].v.u;
        } else {
            free(id);
        }
    }
    free(best);
    if (*from) dp_run_log(k->run, DP_LOG_VERBOSE, "%s: from %llu, where the state ends", o->name, (unsigned long long)*from);
    return DP_OK;
}

void durable_note(struct durable *k, const struct dp_origin *o, uint64_t position) {
    if (k->keeps_positions && o && o->position_id) dp_map_put(&k->positions, dp_str_z(o->position_id), NULL)->v.u = position;
}
