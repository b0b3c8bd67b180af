/*
 * Transactions of a batch (digest section 14): has it been committed, is it late, did somebody else move its positions meanwhile?
 */
#include <dp/delta/commit.h>
#include <dp/delta/path.h>
#include <errno.h>
#include <stdlib.h>

void dp_delta_app_id(const char *job, const char *source, const char *partition, struct dp_buf *out) {
    dp_buf_addz(out, job);
    dp_buf_addc(out, '/');
    dp_buf_addz(out, source);
    dp_buf_addc(out, '/');
    dp_buf_addz(out, partition ? partition : "0");
}

/* Where the batch read the table's positions, they must not have changed since: else two runs read the same input. */
static enum dp_status check_moved(const struct dp_delta_snapshot *s, const struct dp_delta_txn *txns, size_t n, int64_t seen_version, int64_t now_ms,
                                  struct dp_err *err) {
    struct dp_delta_snapshot *then = NULL;
    if (seen_version < 0 || seen_version >= s->version) return DP_OK;
    enum dp_status status = dp_delta_open(s->table, seen_version, &then, err);
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        int64_t a = -1, b = -1;
        bool had = dp_delta_txn_version(then, txns[i].app_id, now_ms, &a), has = dp_delta_txn_version(s, txns[i].app_id, now_ms, &b);
        if (had != has || a != b)
            status = dp_err_set(err, DP_AGAIN, "%s: another run moved the position of %.*s to %lld meanwhile", s->table, DP_STR_FMT(txns[i].app_id), (long long)b);
    }
    dp_delta_close(then);
    return status;
}

enum dp_status dp_delta_judge(const struct dp_delta_snapshot *s, const struct dp_delta_txn *txns, size_t n, int64_t seen_version, int64_t now_ms,
                              enum dp_delta_batch *out, size_t *which, int64_t *have, struct dp_err *err) {
    size_t done = 0;
    *out = DP_DELTA_BATCH_NEW;
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        if (!dp_delta_txn_version(s, txns[i].app_id, now_ms, &v)) continue;
        if (v == txns[i].version) done++;
        if (v <= txns[i].version) continue;
        *out = DP_DELTA_BATCH_OLDER;
        *which = i;
        *have = v;
        return DP_OK;
    }
    if (n && done == n) {
        *out = DP_DELTA_BATCH_DONE;
        *which = 0;
        *have = txns[0].version;
        return DP_OK;
    }
    return check_moved(s, txns, n, seen_version, now_ms, err);
}

struct search {
    struct dp_str app_id;
    int64_t version;
    bool found;
};

static enum dp_status see_txn(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct search *f = ctx;
    (void)err;
    if (a->kind == DP_DELTA_TXN && a->u.txn.version == f->version && dp_str_eq(a->u.txn.app_id, f->app_id)) f->found = true;
    return DP_OK;
}

enum dp_status dp_delta_txn_commit(const char *table, struct dp_str app_id, int64_t version, int64_t newest, int64_t *out, struct dp_err *err) {
    struct search f = {.app_id = app_id, .version = version};
    struct dp_arena arena = {0};
    enum dp_status status = DP_OK;
    *out = newest;
    for (int64_t v = newest; v >= 0 && !f.found && status == DP_OK; v--) {
        struct dp_err e = DP_ERR_INIT;
        char *path = dp_delta_commit_path(table, v);
        status = dp_delta_actions_file(path, &arena, see_txn, &f, &e);
        free(path);
        dp_arena_reset(&arena);
        if (f.found) *out = v;
        if (status == DP_IO && e.sys_errno == ENOENT) {
            status = DP_OK;
            break;
        }
        if (status != DP_OK && err) *err = e;
    }
    dp_arena_release(&arena);
    return status;
}
