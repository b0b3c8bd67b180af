/*
 * Snapshots: replay of checkpoint and commits into the state of a table at one version (digest section 3).
 * What it does not do: read files (load.c feeds it actions), judge expressions (skip.c).
 */
#include "load_priv.h"
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/delta/snapshot.h>
#include <stdlib.h>

struct replay {
    struct dp_delta_snapshot *s;
    struct delta_load load;
    struct dp_map seen;    /* keys of the compaction in progress */
    bool first_wins;       /* inside a compaction */
    bool has_protocol, has_metadata;
};

void dp_delta_file_key(const struct dp_delta_file *f, struct dp_buf *out) {
    dp_delta_path_key(f->path, out);
    if (!f->dv.storage.p) return;
    dp_buf_addc(out, 0);
    dp_buf_adds(out, f->dv.storage);
    dp_buf_adds(out, f->dv.path);
    if (f->dv.offset != DP_DELTA_UNSET) dp_buf_addf(out, "@%lld", (long long)f->dv.offset);
}

/* A file action of a compaction counts only when it is the first of its key there. */
static bool shadowed(struct replay *r, const char *kind, struct dp_str key) {
    if (!r->first_wins) return false;
    struct dp_buf b = {0};
    bool is_new;
    dp_buf_addz(&b, kind);
    dp_buf_addc(&b, 0);
    dp_buf_adds(&b, key);
    dp_map_put(&r->seen, dp_buf_str(&b), &is_new);
    dp_buf_release(&b);
    return !is_new;
}

/* Values of the maps; they are only read through them. */
static void set(struct dp_map_item *item, const void *p) { memcpy(&item->v.p, &p, sizeof p); }

static void replay_file(struct replay *r, const struct dp_delta_file *f, struct dp_str key, bool is_add) {
    struct dp_delta_snapshot *s = r->s;
    if (shadowed(r, "file", key)) return;
    dp_map_remove(is_add ? &s->tombstones : &s->files, key);
    set(dp_map_put_kept(is_add ? &s->files : &s->tombstones, key, NULL), f);
}

static enum dp_status replay_metadata(struct replay *r, const struct dp_delta_metadata *m, struct dp_err *err) {
    if (shadowed(r, "metaData", DP_STR(""))) return DP_OK;
    if (!dp_str_eqz(m->provider, "parquet"))
        return dp_err_set(err, DP_UNSUPPORTED, "format provider \"%.*s\" is not supported", DP_STR_FMT(m->provider));
    r->s->metadata = *m;
    r->has_metadata = true;
    return DP_OK;
}

static void replay_domain(struct replay *r, const struct dp_delta_domain *d) {
    struct dp_delta_snapshot *s = r->s;
    if (shadowed(r, "domain", d->domain)) return;
    if (d->removed) dp_map_remove(&s->domains, d->domain);
    else set(dp_map_put_kept(&s->domains, d->domain, NULL), d);
}

static enum dp_status replay_action(void *ctx, const struct dp_delta_action *a, struct dp_str key, struct dp_err *err) {
    struct replay *r = ctx;
    switch (a->kind) {
    case DP_DELTA_ADD:
    case DP_DELTA_REMOVE:
        replay_file(r, &a->u.file, key, a->kind == DP_DELTA_ADD);
        return DP_OK;
    case DP_DELTA_PROTOCOL:
        if (shadowed(r, "protocol", DP_STR(""))) return DP_OK;
        r->s->protocol = a->u.protocol;
        r->has_protocol = true;
        return DP_OK;
    case DP_DELTA_METADATA:
        return replay_metadata(r, &a->u.metadata, err);
    case DP_DELTA_TXN:
        if (!shadowed(r, "txn", a->u.txn.app_id)) set(dp_map_put_kept(&r->s->txns, a->u.txn.app_id, NULL), &a->u.txn);
        return DP_OK;
    case DP_DELTA_DOMAIN:
        replay_domain(r, &a->u.domain);
        return DP_OK;
    case DP_DELTA_NONE: case DP_DELTA_CDC: case DP_DELTA_COMMIT_INFO: case DP_DELTA_SIDECAR: case DP_DELTA_CHECKPOINT:
        return DP_OK;
    }
    return DP_OK;
}

static void forget(struct replay *r) {
    struct dp_delta_snapshot *s = r->s;
    dp_map_reset(&s->files);
    dp_map_reset(&s->tombstones);
    dp_map_reset(&s->txns);
    dp_map_reset(&s->domains);
    r->has_protocol = r->has_metadata = false;
}

/* A compaction that starts at `version` and does not pass `target`; only asked when a commit is missing. */
static const struct dp_delta_compaction_ref *find_compaction(const struct dp_delta_log *log, int64_t version, int64_t target) {
    for (size_t i = 0; i < log->n_compactions; i++)
        if (log->compactions[i].from == version && log->compactions[i].to <= target) return &log->compactions[i];
    return NULL;
}

static enum dp_status replay_compaction(struct replay *r, const struct dp_delta_log *log, const struct dp_delta_compaction_ref *c,
                                        struct dp_err *err) {
    char *path = dp_path_join(log->dir, c->name);
    r->first_wins = true;
    enum dp_status status = delta_load_lines(&r->load, path, err);
    r->first_wins = false;
    dp_map_reset(&r->seen);
    free(path);
    return status;
}

/* The last version of the commits that are there from `version` on without a gap. */
static int64_t run_end(const struct dp_delta_log *log, int64_t version, int64_t to) {
    while (version < to && dp_delta_log_has_commit(log, version + 1)) version++;
    return version;
}

static enum dp_status replay_commits(struct replay *r, const struct dp_delta_log *log, int64_t from, int64_t to, struct dp_err *err) {
    for (int64_t v = from; v <= to; v++) {
        if (dp_delta_log_has_commit(log, v)) {
            int64_t end = run_end(log, v, to);
            DP_TRY(delta_load_commits(&r->load, r->s->table, v, end, err));
            v = end;
            continue;
        }
        const struct dp_delta_compaction_ref *c = find_compaction(log, v, to);
        if (!c) return dp_err_set(err, DP_FORMAT, "%s: the commit of version %lld is missing", log->dir, (long long)v);
        DP_TRY(replay_compaction(r, log, c, err));
        v = c->to;
    }
    return DP_OK;
}

/* Starts from the newest checkpoint at or below the version; one that can't be read gives way to an older one while the commits reach back. */
static enum dp_status replay_log(struct replay *r, const struct dp_delta_log *log, int64_t version, struct dp_err *err) {
    struct dp_err first = DP_ERR_INIT;
    for (size_t i = log->n_checkpoints; i-- > 0;) {
        const struct dp_delta_checkpoint_ref *c = &log->checkpoints[i];
        if (c->version > version) continue;
        struct dp_err bad = DP_ERR_INIT;
        forget(r);
        if (delta_load_checkpoint(&r->load, r->s->table, c, &bad) == DP_OK) {
            r->s->checkpoint = c->version;
            return replay_commits(r, log, c->version + 1, version, err);
        }
        if (first.status == DP_OK) first = bad;
    }
    forget(r);
    r->s->checkpoint = -1;
    if (first.status != DP_OK && !dp_delta_log_has_commit(log, 0)) {
        if (err) *err = first;
        return first.status;
    }
    return replay_commits(r, log, 0, version, err);
}

static enum dp_status find_partition_keys(struct dp_delta_snapshot *s, struct dp_err *err) {
    const struct dp_delta_strs *columns = &s->metadata.partition_columns;
    s->partition_keys = (struct dp_delta_strs){dp_arena_calloc(&s->arena, columns->n + 1, sizeof(struct dp_str)), columns->n, true};
    for (size_t i = 0; i < columns->n; i++) {
        size_t k = 0;
        while (k < s->schema->n_children && !dp_str_eqz(columns->v[i], s->schema->children[k]->name)) k++;
        if (k == s->schema->n_children)
            return dp_err_set(err, DP_FORMAT, "partition column %.*s is not in the schema", DP_STR_FMT(columns->v[i]));
        s->partition_keys.v[i] = dp_str(s->physical->children[k]->name, s->physical->children[k]->name_n);
    }
    return DP_OK;
}

static enum dp_status finish(struct replay *r, struct dp_err *err) {
    struct dp_delta_snapshot *s = r->s;
    if (!r->has_protocol) return dp_err_set(err, DP_FORMAT, "the log holds no protocol");
    DP_TRY(dp_delta_check_read(&s->protocol, err));
    if (!r->has_metadata) return dp_err_set(err, DP_FORMAT, "the log holds no metaData");
    DP_TRY(dp_delta_mapping_mode(&s->protocol, &s->metadata, &s->mapping, err));
    if (!s->metadata.schema_string.n) return dp_err_set(err, DP_FORMAT, "the metaData has no schemaString");
    DP_TRY(dp_delta_schema_parse(s->metadata.schema_string, &s->schema, err));
    DP_TRY(dp_delta_schema_physical(s->schema, s->mapping, &s->physical, err));
    DP_TRY(find_partition_keys(s, err));
    s->n_files = s->files.live;
    return DP_OK;
}

enum dp_status dp_delta_open(const char *table, int64_t version, struct dp_delta_snapshot **out, struct dp_err *err) {
    return dp_delta_open_how(table, version, &(struct dp_delta_how){0}, out, err);
}

enum dp_status dp_delta_open_how(const char *table, int64_t version, const struct dp_delta_how *how, struct dp_delta_snapshot **out, struct dp_err *err) {
    struct dp_delta_log log;
    DP_TRY(dp_delta_log_list(table, &log, err));
    int64_t latest = dp_delta_log_latest(&log);
    if (version > latest || version < -1) {
        enum dp_status status = dp_err_set(err, DP_USAGE, "%s has no version %lld: the latest is %lld", table, (long long)version, (long long)latest);
        dp_delta_log_release(&log);
        return status;
    }
    struct dp_delta_snapshot *s = dp_calloc(1, sizeof *s);
    struct replay r = {.s = s};
    s->table = dp_strdup(table);
    s->version = version < 0 ? latest : version;
    s->checkpoint = -1;
    delta_load_open(&r.load, how->pool, DP_DELTA_STATE | (how->skip_stats ? DP_DELTA_NO_STATS : 0), replay_action, &r);
    enum dp_status status = replay_log(&r, &log, s->version, err);
    if (status == DP_OK) status = finish(&r, err);
    delta_load_close(&r.load, &s->parts, &s->n_parts);
    dp_map_release(&r.seen);
    dp_delta_log_release(&log);
    if (status != DP_OK) {
        dp_delta_close(s);
        return dp_err_at(err, table, 0, DP_NO_OFFSET);
    }
    *out = s;
    return DP_OK;
}

void dp_delta_close(struct dp_delta_snapshot *s) {
    if (!s) return;
    dp_map_release(&s->txns);
    dp_map_release(&s->domains);
    dp_map_release(&s->files);
    dp_map_release(&s->tombstones);
    dp_type_free(s->schema);
    dp_type_free(s->physical);
    dp_arena_release(&s->arena);
    for (size_t i = 0; i < s->n_parts; i++) dp_arena_release(&s->parts[i]);
    free(s->parts);
    free(s->table);
    free(s);
}

const struct dp_delta_file *dp_delta_next_file(const struct dp_delta_snapshot *s, size_t *cursor) {
    while (*cursor < s->files.n) {
        const struct dp_map_item *item = &s->files.items[(*cursor)++];
        if (!item->dead) return item->v.p;
    }
    return NULL;
}

bool dp_delta_txn_version(const struct dp_delta_snapshot *s, struct dp_str app_id, int64_t now_ms, int64_t *version) {
    const struct dp_map_item *item = dp_map_get(&s->txns, app_id);
    if (!item) return false;
    const struct dp_delta_txn *t = item->v.p;
    int64_t keep_ms, expires;
    struct dp_str retention = dp_delta_property(s, "delta.setTransactionRetentionDuration", "");
    if (retention.n && t->last_updated != DP_DELTA_UNSET && dp_delta_interval_parse(retention, &keep_ms) &&
        !dp_add_overflow(t->last_updated, keep_ms, &expires) && expires < now_ms)
        return false;
    *version = t->version;
    return true;
}

struct dp_str dp_delta_property(const struct dp_delta_snapshot *s, const char *key, const char *absent) {
    return dp_delta_pairs_text(&s->metadata.configuration, key, dp_str_z(absent));
}

bool dp_delta_is_partition(const struct dp_delta_snapshot *s, struct dp_str column) {
    for (size_t i = 0; i < s->metadata.partition_columns.n; i++)
        if (dp_str_eq(s->metadata.partition_columns.v[i], column)) return true;
    return false;
}
