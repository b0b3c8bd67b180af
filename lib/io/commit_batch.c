/* What names a batch, so that it is in the table once: positions of the stream that it came with, --txn, or the run and the stream's hash (DESIGN section 1). */
#include "commit_priv.h"

#include <dp/base/num.h>

#include <stdlib.h>

void commit_batch_begin(struct commit_batch *b, const struct dp_mark *begin) {
    free(b->job), free(b->run_id);
    b->job = begin->job ? dp_strdup(begin->job) : NULL;
    b->run_id = begin->run ? dp_strdup(begin->run) : NULL;
    b->seen_version = begin->table_version;
}

static void put_txn(struct commit_batch *b, struct dp_str app_id, int64_t version) {
    for (size_t i = 0; i < b->n_txns; i++)
        if (dp_str_eq(b->txns[i].app_id, app_id)) {
            b->txns[i].version = version;
            return;
        }
    b->txns = dp_grow(b->txns, &b->cap_txns, b->n_txns + 1, sizeof *b->txns);
    b->txns[b->n_txns++] = (struct dp_delta_txn){dp_arena_str(&b->arena, app_id), version, b->now_ms};
}

enum dp_status commit_batch_position(struct commit_batch *b, const struct dp_mark *m, struct dp_err *err) {
    struct dp_buf app = {0};
    int64_t version;
    if (!m->source || !m->position) return DP_OK;
    if (!dp_parse_i64(dp_str_z(m->position), &version) || version < 0)
        return dp_err_set(err, DP_FORMAT, "checkpoint of source %s: position \"%.40s\" is not an offset", m->source, m->position);
    dp_delta_app_id(b->job ? b->job : b->run->job, m->source, m->partition, &app);
    put_txn(b, dp_buf_str(&app), version);
    dp_buf_release(&app);
    return DP_OK;
}

void commit_batch_end(struct commit_batch *b, const struct dp_mark *end) {
    if (!end || !end->hash) return;
    free(b->end_hash);
    b->end_hash = dp_strdup(end->hash);
}

enum dp_status commit_batch_name(struct commit_batch *b, const char *txn, bool has_content, struct dp_err *err) {
    const char *colon = txn ? strrchr(txn, ':') : NULL;
    int64_t version;
    if (txn) {
        if (!colon || colon == txn || !dp_parse_i64(dp_str_z(colon + 1), &version) || version < 0)
            return dp_err_set(err, DP_USAGE, "--txn %s: APP:VERSION is wanted, VERSION a whole number", txn);
        put_txn(b, dp_str(txn, (size_t)(colon - txn)), version);
        return DP_OK;
    }
    bool lasting = getenv("DP_RUN_ID") || getenv("AIRFLOW_CTX_DAG_RUN_ID");
    if (b->n_txns || !lasting || !b->end_hash || !has_content) return DP_OK;
    struct dp_buf app = {0};
    dp_buf_addf(&app, "run/%s/%s", b->run_id ? b->run_id : b->run->run_id, b->end_hash);
    put_txn(b, dp_buf_str(&app), 0);
    dp_buf_release(&app);
    return DP_OK;
}

void commit_batch_print(const struct commit_batch *b, struct dp_buf *out) {
    dp_buf_addz(out, ",\"job\":{\"jobName\":");
    dp_json_add_string(out, dp_str_z(b->job ? b->job : b->run->job));
    dp_buf_addz(out, ",\"runId\":");
    dp_json_add_string(out, dp_str_z(b->run_id ? b->run_id : b->run->run_id));
    dp_buf_addc(out, '}');
}

void commit_batch_forget(struct commit_batch *b) {
    b->n_txns = 0;
    dp_arena_reset(&b->arena);
}

void commit_batch_release(struct commit_batch *b) {
    free(b->txns), free(b->job), free(b->run_id), free(b->end_hash);
    dp_arena_release(&b->arena);
}
