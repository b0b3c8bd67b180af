/*
 * The log of a table against itself (digest sections 3 and 6): commits without a gap, each readable, replayed once from the beginning; at each version that has
 * a checkpoint or a checksum these are held against the state so far.  A log whose oldest commits are gone begins with its oldest checkpoint.
 *
 * The state holds a hash for each file, so that large tables fit.  What it does not do: compare texts of statistics (a checkpoint may have them as a struct,
 * or none) or tombstones that have expired since; look at the md5 of _last_checkpoint, which is only a hint.
 */
#include "verify_priv.h"

#include <dp/base/file.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/path.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <xxhash.h>

struct entry {
    uint64_t hash;
    int64_t rows, size;
};

struct state {
    struct dp_map files, tombstones, txns, domains; /* v.p: struct entry; txns: v.i version; domains: v.u hash */
    uint64_t protocol, metadata;                    /* hashes, 0: none */
    int64_t bytes;                                  /* of live files */
    struct dp_arena arena;
};

struct replay {
    struct state *s;
    struct dp_buf b;
};

static void state_release(struct state *s) {
    dp_map_release(&s->files);
    dp_map_release(&s->tombstones);
    dp_map_release(&s->txns);
    dp_map_release(&s->domains);
    dp_arena_release(&s->arena);
    memset(s, 0, sizeof *s);
}

/* ---- what is compared, as a hash ---- */

static uint64_t hash_of(const struct dp_buf *b) { return XXH3_64bits(b->p, b->n) | 1; }

static int by_key(const void *a, const void *b) { return dp_str_cmp(((const struct dp_delta_pair *)a)->key, ((const struct dp_delta_pair *)b)->key); }

/* Pairs in the order of their keys; null and empty are one. */
static void add_pairs(const struct dp_delta_pairs *p, struct dp_buf *b) {
    struct dp_delta_pair *v = dp_calloc(p->n + 1, sizeof *v);
    if (p->n) memcpy(v, p->v, p->n * sizeof *v);
    if (p->n) qsort(v, p->n, sizeof *v, by_key);
    for (size_t i = 0; i < p->n; i++) {
        if (v[i].is_null || !v[i].value.n) continue;
        dp_buf_addf(b, "%zu:", v[i].key.n);
        dp_buf_adds(b, v[i].key);
        dp_buf_addf(b, "%zu:", v[i].value.n);
        dp_buf_adds(b, v[i].value);
    }
    free(v);
}

static int cmp_str(const void *a, const void *b) { return dp_str_cmp(*(const struct dp_str *)a, *(const struct dp_str *)b); }

static void add_names(const struct dp_delta_strs *s, struct dp_buf *b) {
    struct dp_str *v = dp_calloc(s->n + 1, sizeof *v);
    if (s->n) memcpy(v, s->v, s->n * sizeof *v);
    if (s->n) qsort(v, s->n, sizeof *v, cmp_str);
    dp_buf_addf(b, "%zu;", s->n);
    for (size_t i = 0; i < s->n; i++) {
        dp_buf_adds(b, v[i]);
        dp_buf_addc(b, ',');
    }
    free(v);
}

static uint64_t hash_file(const struct dp_delta_file *f, struct dp_buf *b) {
    dp_buf_reset(b);
    dp_buf_addf(b, "%lld,%lld,%lld,%lld,%lld;", (long long)f->size, (long long)f->modification_time, (long long)f->base_row_id,
                (long long)f->default_row_commit_version, (long long)(f->dv.storage.p ? f->dv.cardinality : -1));
    add_pairs(&f->partition_values, b);
    return hash_of(b);
}

static uint64_t hash_metadata(const struct dp_delta_metadata *m, struct dp_buf *b) {
    dp_buf_reset(b);
    dp_buf_adds(b, m->id);
    dp_buf_addc(b, 0);
    dp_buf_adds(b, m->schema_string);
    dp_buf_addc(b, 0);
    for (size_t i = 0; i < m->partition_columns.n; i++) {
        dp_buf_adds(b, m->partition_columns.v[i]);
        dp_buf_addc(b, 0);
    }
    add_pairs(&m->configuration, b);
    return hash_of(b);
}

static uint64_t hash_protocol(const struct dp_delta_protocol *p, struct dp_buf *b) {
    dp_buf_reset(b);
    dp_buf_addf(b, "%lld,%lld;", (long long)p->min_reader, (long long)p->min_writer);
    add_names(&p->reader_features, b);
    add_names(&p->writer_features, b);
    return hash_of(b);
}

/* ---- replay ---- */

static void replay_file(struct replay *r, const struct dp_delta_file *f, bool is_add) {
    struct state *s = r->s;
    struct dp_buf key = {0};
    dp_delta_file_key(f, &key);
    struct dp_map_item *old = dp_map_get(&s->files, dp_buf_str(&key));
    if (old) s->bytes -= ((const struct entry *)old->v.p)->size;
    dp_map_remove(is_add ? &s->tombstones : &s->files, dp_buf_str(&key));
    struct entry *e = dp_arena_alloc(&s->arena, sizeof *e);
    *e = (struct entry){is_add ? hash_file(f, &r->b) : 0, is_add ? dp_delta_file_rows(f) : -1, is_add && f->size > 0 ? f->size : 0};
    if (is_add) s->bytes += e->size;
    dp_map_put(is_add ? &s->files : &s->tombstones, dp_buf_str(&key), NULL)->v.p = e;
    dp_buf_release(&key);
}

static enum dp_status replay_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct replay *r = ctx;
    (void)err;
    switch (a->kind) {
    case DP_DELTA_ADD: case DP_DELTA_REMOVE: replay_file(r, &a->u.file, a->kind == DP_DELTA_ADD); break;
    case DP_DELTA_PROTOCOL: r->s->protocol = hash_protocol(&a->u.protocol, &r->b); break;
    case DP_DELTA_METADATA: r->s->metadata = hash_metadata(&a->u.metadata, &r->b); break;
    case DP_DELTA_TXN: dp_map_put(&r->s->txns, a->u.txn.app_id, NULL)->v.i = a->u.txn.version; break;
    case DP_DELTA_DOMAIN:
        if (a->u.domain.removed) {
            dp_map_remove(&r->s->domains, a->u.domain.domain);
            break;
        }
        dp_buf_reset(&r->b);
        dp_buf_adds(&r->b, a->u.domain.configuration);
        dp_map_put(&r->s->domains, a->u.domain.domain, NULL)->v.u = hash_of(&r->b);
        break;
    case DP_DELTA_NONE: case DP_DELTA_CDC: case DP_DELTA_COMMIT_INFO: case DP_DELTA_SIDECAR: case DP_DELTA_CHECKPOINT: break;
    }
    return DP_OK;
}

/* ---- checkpoints ---- */

/* How many of one map are not the same in the other, and the first of them. */
static size_t differ(const struct dp_map *a, const struct dp_map *b, bool compare, struct dp_str *first) {
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        const struct dp_map_item *x = &a->items[i], *y = x->dead ? NULL : dp_map_get(b, x->key);
        if (x->dead) continue;
        bool same = y != NULL;
        if (same && compare) {
            const struct entry *p = x->v.p, *q = y->v.p;
            same = p->hash == q->hash && (p->rows < 0 || q->rows < 0 || p->rows == q->rows);
        }
        if (same) continue;
        if (!n++) *first = x->key;
    }
    return n;
}

static enum dp_status compare_states(struct verify *v, const char *path, const struct state *replayed, const struct state *c, struct dp_err *err) {
    struct dp_str first = {0};
    size_t n = differ(&c->files, &replayed->files, true, &first);
    if (n) DP_TRY(verify_found(v, path, err, "%zu of its files are not live in the commits, or different there: %.*s", n, DP_STR_FMT(first)));
    n = differ(&replayed->files, &c->files, false, &first);
    if (n) DP_TRY(verify_found(v, path, err, "%zu live files of the commits are not in it: %.*s", n, DP_STR_FMT(first)));
    n = differ(&c->tombstones, &replayed->tombstones, false, &first);
    if (n) DP_TRY(verify_found(v, path, err, "%zu files that it calls removed are not so in the commits: %.*s", n, DP_STR_FMT(first)));
    if (c->protocol != replayed->protocol) DP_TRY(verify_found(v, path, err, "its protocol is not that of the commits"));
    if (c->metadata != replayed->metadata) DP_TRY(verify_found(v, path, err, "its metaData is not that of the commits"));
    for (size_t i = 0; i < c->txns.n; i++) {
        const struct dp_map_item *x = &c->txns.items[i], *y = dp_map_get(&replayed->txns, x->key);
        if (!y || y->v.i != x->v.i) DP_TRY(verify_found(v, path, err, "transaction %.*s is at another version than in the commits", DP_STR_FMT(x->key)));
    }
    for (size_t i = 0; i < replayed->domains.n; i++) {
        const struct dp_map_item *x = &replayed->domains.items[i], *y = x->dead ? NULL : dp_map_get(&c->domains, x->key);
        if (!x->dead && (!y || y->v.u != x->v.u)) DP_TRY(verify_found(v, path, err, "domain %.*s is not as in the commits", DP_STR_FMT(x->key)));
    }
    return DP_OK;
}

/* `base` takes the state where there is none yet. */
static enum dp_status check_checkpoint(struct verify *v, const struct dp_delta_log *log, const struct dp_delta_checkpoint_ref *c, struct state *replayed, bool valid, bool base,
                                       bool *loaded, struct dp_err *err) {
    struct state own = {0};
    struct replay r = {.s = base ? replayed : &own};
    struct dp_err bad = DP_ERR_INIT;
    struct dp_arena text = {0};
    char *path = dp_path_join(log->dir, c->names[0]);
    v->out->checkpoints++;
    enum dp_status status = dp_delta_checkpoint_read(v->table, c, &text, replay_action, &r, &bad);
    *loaded = status == DP_OK;
    if (status != DP_OK) status = verify_found(v, path, err, "%s", bad.msg);
    else if (!base && valid) status = compare_states(v, path, replayed, &own, err);
    free(path);
    dp_arena_release(&text);
    dp_buf_release(&r.b);
    state_release(&own);
    return status;
}

/* ---- checksums and the hint ---- */

/* One JSON object in a small file; false with a finding, or when it is not there. */
static bool read_object(struct verify *v, const char *path, struct dp_scan *scan, struct dp_buf *text, struct dp_record *rec, enum dp_status *status, struct dp_err *err) {
    struct dp_err bad = DP_ERR_INIT;
    *status = DP_OK;
    dp_buf_reset(text);
    if (dp_file_read_regular(path, DP_LIMIT_COMMIT_BYTES, text, &bad) != DP_OK) {
        if (bad.sys_errno != ENOENT) *status = verify_found(v, path, err, "%s", bad.msg);
        return false;
    }
    memset(dp_buf_reserve(text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(scan, text->p, text->n, rec, NULL) == DP_OK && rec->nodes[0].kind == DP_KIND_OBJECT) return true;
    *status = verify_found(v, path, err, "it is no JSON object");
    return false;
}

static enum dp_status check_checksum(struct verify *v, const struct dp_delta_log *log, int64_t version, const struct state *s, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    struct dp_buf text = {0}, path = {0};
    struct dp_record rec;
    enum dp_status status;
    int64_t n;
    dp_buf_addf(&path, "%s/%020lld.crc", log->dir, (long long)version);
    if (read_object(v, dp_buf_z(&path), scan, &text, &rec, &status, err)) {
        uint32_t files = dp_json_member(&rec, 0, "numFiles"), bytes = dp_json_member(&rec, 0, "tableSizeBytes");
        if (files && dp_json_get_i64(&rec, files, &n) && n != (int64_t)s->files.live)
            status = verify_found(v, path.p, err, "numFiles is %lld, the commits leave %zu", (long long)n, s->files.live);
        if (status == DP_OK && bytes && dp_json_get_i64(&rec, bytes, &n) && n != s->bytes)
            status = verify_found(v, path.p, err, "tableSizeBytes is %lld, the commits leave %lld", (long long)n, (long long)s->bytes);
    }
    dp_scan_close(scan);
    dp_buf_release(&text);
    dp_buf_release(&path);
    return status;
}

/* The log is listed behind the hint: a checkpoint that was written meanwhile was there before its hint. */
static enum dp_status check_hint(struct verify *v, const struct dp_delta_log *before, struct dp_err *err) {
    struct dp_delta_log log;
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    struct dp_buf text = {0};
    struct dp_record rec;
    enum dp_status status;
    int64_t version = -1;
    char *path = dp_path_join(before->dir, "_last_checkpoint");
    if (read_object(v, path, scan, &text, &rec, &status, err)) {
        uint32_t node = dp_json_member(&rec, 0, "version");
        bool there = false;
        if (!node || !dp_json_get_i64(&rec, node, &version)) version = -1;
        status = dp_delta_log_list(v->table, &log, err);
        for (size_t i = 0; status == DP_OK && i < log.n_checkpoints; i++) there |= log.checkpoints[i].version == version;
        if (status == DP_OK) dp_delta_log_release(&log);
        if (status == DP_OK && version < 0) status = verify_found(v, path, err, "it names no version");
        else if (status == DP_OK && !there) status = verify_found(v, path, err, "it names a checkpoint of version %lld, which is not there or not whole", (long long)version);
    }
    dp_scan_close(scan);
    dp_buf_release(&text);
    free(path);
    return status;
}

/* ---- the whole ---- */

/* The version that replay begins with: 0, or that of a checkpoint from which commits go on; -1: none. */
static int64_t first_version(const struct dp_delta_log *log, const struct dp_delta_checkpoint_ref **from) {
    *from = NULL;
    if (dp_delta_log_has_commit(log, 0)) return 0;
    int64_t oldest = log->n_commits ? log->commits[0] : INT64_MAX;
    for (size_t i = 0; i < log->n_checkpoints; i++) {
        const struct dp_delta_checkpoint_ref *c = &log->checkpoints[i];
        if (c->version < oldest - 1 && i + 1 < log->n_checkpoints) continue;
        *from = c;
        return c->version;
    }
    return -1;
}

static enum dp_status replay_commit(struct verify *v, int64_t version, struct state *s, bool *valid, struct dp_err *err) {
    struct replay r = {.s = s};
    struct dp_err bad = DP_ERR_INIT;
    struct dp_arena text = {0};
    char *path = dp_delta_commit_path(v->table, version);
    enum dp_status status = DP_OK;
    v->out->commits++;
    if (dp_delta_lines_file(v->lines, path, &text, replay_action, &r, &bad) != DP_OK) {
        status = verify_found(v, path, err, "%s", bad.msg);
        *valid = false;
    }
    dp_arena_release(&text);
    dp_buf_release(&r.b);
    free(path);
    return status;
}

/* Where the log goes on behind a missing commit: at a compaction that stands for it, or at the next checkpoint (*from) behind the gap; last + 1: nowhere. */
static enum dp_status pass_gap(struct verify *v, const struct dp_delta_log *log, int64_t last, int64_t *at, const struct dp_delta_checkpoint_ref **from, struct dp_err *err) {
    int64_t first = *at, end = first;
    *from = NULL;
    for (size_t i = 0; i < log->n_compactions; i++)
        if (log->compactions[i].from == first && log->compactions[i].to <= last) {
            *at = log->compactions[i].to + 1;
            return DP_OK;
        }
    while (end < last && !dp_delta_log_has_commit(log, end + 1)) end++;
    for (size_t i = 0; i < log->n_checkpoints && !*from; i++)
        if (log->checkpoints[i].version >= end && log->checkpoints[i].version <= last) *from = &log->checkpoints[i];
    *at = *from ? (*from)->version + 1 : last + 1;
    if (first == end) return verify_found(v, log->dir, err, "the log has a gap: version %lld is missing", (long long)first);
    return verify_found(v, log->dir, err, "the log has a gap: versions %lld to %lld are missing", (long long)first, (long long)end);
}

/* The version at `at` and what belongs to it. */
static enum dp_status check_version(struct verify *v, const struct dp_delta_log *log, int64_t at, struct state *s, bool *valid, struct dp_err *err) {
    bool loaded;
    DP_TRY(replay_commit(v, at, s, valid, err));
    for (size_t i = 0; i < log->n_checkpoints; i++)
        if (log->checkpoints[i].version == at) DP_TRY(check_checkpoint(v, log, &log->checkpoints[i], s, *valid, false, &loaded, err));
    return *valid ? check_checksum(v, log, at, s, err) : DP_OK;
}

static enum dp_status check_versions(struct verify *v, const struct dp_delta_log *log, int64_t last, struct dp_err *err) {
    struct state s = {0};
    const struct dp_delta_checkpoint_ref *from;
    int64_t first = first_version(log, &from);
    bool valid = true;
    if (first < 0 || first > last) return verify_found(v, log->dir, err, "nothing to start from: version 0 is missing, and a checkpoint that the commits go on from");
    enum dp_status status = DP_OK;
    if (from) status = check_checkpoint(v, log, from, &s, true, true, &valid, err);
    for (int64_t at = from ? first + 1 : 0; status == DP_OK && at <= last;) {
        if (dp_delta_log_has_commit(log, at)) {
            status = check_version(v, log, at++, &s, &valid, err);
        } else {
            status = pass_gap(v, log, last, &at, &from, err);
            if (status == DP_OK && from) state_release(&s), status = check_checkpoint(v, log, from, &s, true, true, &valid, err);
            else valid = false;
        }
        if (status == DP_OK && v->o->tick) status = v->o->tick(v->o->ctx, err);
    }
    state_release(&s);
    return status;
}

enum dp_status verify_log(struct verify *v, int64_t version, struct dp_err *err) {
    struct dp_delta_log log;
    DP_TRY(dp_delta_log_list(v->table, &log, err));
    int64_t last = dp_delta_log_latest(&log);
    v->out->version = version < 0 ? last : version;
    enum dp_status status = DP_OK;
    if (version > last) status = dp_err_set(err, DP_USAGE, "%s has no version %lld: the latest is %lld", v->table, (long long)version, (long long)last);
    v->lines = dp_delta_lines_open(0);
    if (status == DP_OK) status = check_versions(v, &log, v->out->version, err);
    if (status == DP_OK) status = check_hint(v, &log, err);
    dp_delta_lines_close(v->lines);
    v->lines = NULL;
    dp_delta_log_release(&log);
    return status;
}
