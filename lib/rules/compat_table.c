/* The schemas of a Delta table over its versions (dp/rules/compat.h), from the metaData actions that its log still has. */
#include <dp/rules/compat.h>

#include <dp/delta/schema.h>
#include <dp/delta/snapshot.h>
#include <stdlib.h>

struct collecting {
    struct dp_compat_history *out;
    const char *object;
    size_t cap;
    struct dp_buf last;    /* schema text of the latest entry */
    int64_t version;       /* being read */
    struct dp_buf pending; /* its schema text, when it has one */
    bool has_schema;
};

/* The draft that a schema makes, read back: what it says is types, names and what is required. */
static enum dp_status to_contract(const struct dp_type *schema, const char *object, int64_t version, struct dp_contract *c, struct dp_err *err) {
    struct dp_type *plain = dp_delta_schema_unfit(schema);
    struct dp_contract_draft d = {.id = object, .name = object, .schema = plain};
    struct dp_buf b = {0};
    char source[64];
    (void)snprintf(source, sizeof source, "version %lld", (long long)version);
    dp_contract_write(&d, &b);
    enum dp_status status = dp_contract_parse(dp_buf_str(&b), source, c, err);
    dp_buf_release(&b);
    dp_type_free(plain);
    return status;
}

static enum dp_status keep(struct collecting *g, struct dp_str text, int64_t version, struct dp_err *err) {
    struct dp_compat_history *h = g->out;
    struct dp_type *schema = NULL;
    if (h->n && dp_str_eq(text, dp_buf_str(&g->last))) return DP_OK;
    DP_TRY(dp_delta_schema_parse(text, &schema, err));
    if (h->n == g->cap) {
        size_t cap_v = g->cap;
        h->versions = dp_grow(h->versions, &cap_v, h->n + 1, sizeof *h->versions);
        h->contracts = dp_grow(h->contracts, &g->cap, h->n + 1, sizeof *h->contracts);
    }
    enum dp_status status = to_contract(schema, g->object, version, &h->contracts[h->n], err);
    if (status == DP_OK) {
        h->versions[h->n++] = version;
        g->last.n = 0;
        dp_buf_add(&g->last, text.p, text.n);
    }
    dp_type_free(schema);
    return status;
}

static enum dp_status on_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct collecting *g = ctx;
    (void)err;
    if (a->kind != DP_DELTA_METADATA) return DP_OK;
    g->pending.n = 0;
    dp_buf_add(&g->pending, a->u.metadata.schema_string.p, a->u.metadata.schema_string.n);
    g->has_schema = true;
    return DP_OK;
}

static enum dp_status read_commit(struct collecting *g, const struct dp_delta_log *log, int64_t version, struct dp_err *err) {
    struct dp_arena arena = {0};
    char name[40];
    struct dp_buf path = {0};
    (void)snprintf(name, sizeof name, "/%020lld.json", (long long)version);
    dp_buf_addz(&path, log->dir);
    dp_buf_addz(&path, name);
    g->has_schema = false;
    enum dp_status status = dp_delta_actions_file(dp_buf_z(&path), &arena, on_action, g, err);
    if (status == DP_OK && g->has_schema) status = keep(g, dp_buf_str(&g->pending), version, err);
    dp_buf_release(&path);
    dp_arena_release(&arena);
    return status;
}

/* Where the first commits are gone, the table as of the oldest checkpoint tells the schema. */
static enum dp_status read_first(struct collecting *g, const char *table, const struct dp_delta_log *log, int64_t *from, struct dp_err *err) {
    struct dp_delta_snapshot *s;
    *from = 0;
    if (dp_delta_log_has_commit(log, 0) || !log->n_checkpoints) return DP_OK;
    DP_TRY(dp_delta_open(table, log->checkpoints[0].version, &s, err));
    enum dp_status status = keep(g, s->metadata.schema_string, s->version, err);
    *from = s->version + 1;
    dp_delta_close(s);
    return status;
}

enum dp_status dp_compat_history_read(const char *table, const char *object, struct dp_compat_history *out, struct dp_err *err) {
    struct dp_delta_log log = {0};
    struct collecting g = {.out = out, .object = object};
    int64_t from = 0;
    struct dp_delta_snapshot *latest = NULL;
    memset(out, 0, sizeof *out);
    enum dp_status status = dp_delta_open(table, -1, &latest, err); /* a log that is broken, or of a kind that is not read, is so here as elsewhere */
    if (status == DP_OK) dp_delta_close(latest);
    if (status == DP_OK) status = dp_delta_log_list(table, &log, err);
    if (status == DP_OK) status = read_first(&g, table, &log, &from, err);
    for (size_t i = 0; i < log.n_commits && status == DP_OK; i++)
        if (log.commits[i] >= from) status = read_commit(&g, &log, log.commits[i], err);
    if (status == DP_OK && !out->n) status = dp_err_set(err, DP_FORMAT, "%s: no schema in the log", table);
    if (status != DP_OK) dp_compat_history_release(out);
    dp_delta_log_release(&log);
    dp_buf_release(&g.last), dp_buf_release(&g.pending);
    return status;
}

void dp_compat_history_release(struct dp_compat_history *h) {
    for (size_t i = 0; i < h->n; i++) dp_contract_release(&h->contracts[i]);
    free(h->contracts);
    free(h->versions);
    memset(h, 0, sizeof *h);
}
