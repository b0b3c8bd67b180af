/*
 * Checkpoints (digest section 6), written by shredding lines of a commit into columns, so that there is one description of each action (action.c).
 * What it does not do: read them (load.c), write V2, multi-part or stats_parsed; a classic checkpoint with JSON statistics serves every reader.
 */
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/partition.h>
#include <dp/parquet/writer.h>
#include <stdlib.h>

static struct dp_type *leaf(struct dp_type *parent, enum dp_type_id id, const char *name) {
    struct dp_type *t = dp_type_new(id, dp_str_z(name));
    dp_type_add(parent, t);
    return t;
}

static void text_map(struct dp_type *parent, const char *name) {
    struct dp_type *m = leaf(parent, DP_TYPE_MAP, name);
    leaf(m, DP_TYPE_STRING, "key")->nullable = false;
    leaf(m, DP_TYPE_STRING, "value");
}

static void text_list(struct dp_type *parent, const char *name) { leaf(leaf(parent, DP_TYPE_LIST, name), DP_TYPE_STRING, "element"); }

static void dv_column(struct dp_type *parent) {
    struct dp_type *dv = leaf(parent, DP_TYPE_STRUCT, "deletionVector");
    leaf(dv, DP_TYPE_STRING, "storageType");
    leaf(dv, DP_TYPE_STRING, "pathOrInlineDv");
    leaf(dv, DP_TYPE_INT32, "offset");
    leaf(dv, DP_TYPE_INT32, "sizeInBytes");
    leaf(dv, DP_TYPE_INT64, "cardinality");
}

static void file_columns(struct dp_type *root) {
    struct dp_type *add = leaf(root, DP_TYPE_STRUCT, "add"), *remove;
    leaf(add, DP_TYPE_STRING, "path");
    text_map(add, "partitionValues");
    leaf(add, DP_TYPE_INT64, "size");
    leaf(add, DP_TYPE_INT64, "modificationTime");
    leaf(add, DP_TYPE_BOOLEAN, "dataChange");
    text_map(add, "tags");
    dv_column(add);
    leaf(add, DP_TYPE_INT64, "baseRowId");
    leaf(add, DP_TYPE_INT64, "defaultRowCommitVersion");
    leaf(add, DP_TYPE_STRING, "clusteringProvider");
    leaf(add, DP_TYPE_STRING, "stats");
    remove = leaf(root, DP_TYPE_STRUCT, "remove");
    leaf(remove, DP_TYPE_STRING, "path");
    leaf(remove, DP_TYPE_INT64, "deletionTimestamp");
    leaf(remove, DP_TYPE_BOOLEAN, "dataChange");
    leaf(remove, DP_TYPE_BOOLEAN, "extendedFileMetadata");
    text_map(remove, "partitionValues");
    leaf(remove, DP_TYPE_INT64, "size");
    dv_column(remove);
    leaf(remove, DP_TYPE_INT64, "baseRowId");
    leaf(remove, DP_TYPE_INT64, "defaultRowCommitVersion");
}

static struct dp_type *checkpoint_schema(void) {
    struct dp_type *root = dp_type_new(DP_TYPE_STRUCT, DP_STR("")), *t;
    t = leaf(root, DP_TYPE_STRUCT, "txn");
    leaf(t, DP_TYPE_STRING, "appId");
    leaf(t, DP_TYPE_INT64, "version");
    leaf(t, DP_TYPE_INT64, "lastUpdated");
    file_columns(root);
    t = leaf(root, DP_TYPE_STRUCT, "metaData");
    leaf(t, DP_TYPE_STRING, "id");
    leaf(t, DP_TYPE_STRING, "name");
    leaf(t, DP_TYPE_STRING, "description");
    struct dp_type *format = leaf(t, DP_TYPE_STRUCT, "format");
    leaf(format, DP_TYPE_STRING, "provider");
    text_map(format, "options");
    leaf(t, DP_TYPE_STRING, "schemaString");
    text_list(t, "partitionColumns");
    text_map(t, "configuration");
    leaf(t, DP_TYPE_INT64, "createdTime");
    t = leaf(root, DP_TYPE_STRUCT, "protocol");
    leaf(t, DP_TYPE_INT32, "minReaderVersion");
    leaf(t, DP_TYPE_INT32, "minWriterVersion");
    text_list(t, "readerFeatures");
    text_list(t, "writerFeatures");
    t = leaf(root, DP_TYPE_STRUCT, "domainMetadata");
    leaf(t, DP_TYPE_STRING, "domain");
    leaf(t, DP_TYPE_STRING, "configuration");
    leaf(t, DP_TYPE_BOOLEAN, "removed");
    root->nullable = false;
    return root;
}

struct writing {
    struct dp_pq_writer *writer;
    struct dp_shred *shred;
    struct dp_scan *scan;
    struct dp_batch batch;
    struct dp_buf lines; /* actions not yet shredded */
    int64_t actions, adds;
};

static enum dp_status flush_lines(struct writing *w, struct dp_err *err) {
    struct dp_record rec;
    enum dp_status status;
    memset(dp_buf_reserve(&w->lines, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(w->scan, w->lines.p, w->lines.n);
    while ((status = dp_scan_next(w->scan, &rec, err)) == DP_OK) {
        struct dp_shred_reject why;
        if (dp_shred_record(w->shred, &rec, &w->batch, &why) != DP_OK)
            return dp_err_set(err, DP_BUG, "an action does not fit the checkpoint: %s: %s", why.path, why.reason);
        w->actions++;
    }
    dp_buf_reset(&w->lines);
    if (status != DP_END) return status;
    status = dp_pq_writer_add(w->writer, &w->batch, err);
    dp_batch_reset(&w->batch);
    return status;
}

static enum dp_status more_lines(struct writing *w, struct dp_err *err) { return w->lines.n < (1u << 20) ? DP_OK : flush_lines(w, err); }

static int64_t retention_ms(const struct dp_delta_snapshot *s, const char *key, int64_t absent) {
    int64_t ms;
    struct dp_str text = dp_delta_property(s, key, "");
    return text.n && dp_delta_interval_parse(text, &ms) ? ms : absent;
}

static enum dp_status add_tombstones(const struct dp_delta_snapshot *s, int64_t now_ms, struct writing *w, struct dp_err *err) {
    int64_t keep_ms = retention_ms(s, "delta.deletedFileRetentionDuration", 7 * 86400000LL), oldest;
    if (dp_sub_overflow(now_ms, keep_ms, &oldest)) oldest = INT64_MIN;
    for (size_t i = 0; i < s->tombstones.n; i++) {
        if (s->tombstones.items[i].dead) continue;
        struct dp_delta_file f = *(const struct dp_delta_file *)s->tombstones.items[i].v.p;
        if (f.deletion_timestamp == DP_DELTA_UNSET || f.deletion_timestamp < oldest) continue;
        f.stats = (struct dp_str){0};
        f.tags.n = 0;
        f.data_change = false;
        dp_delta_remove_print(&f, &w->lines);
        DP_TRY(more_lines(w, err));
    }
    return DP_OK;
}

static enum dp_status add_state(const struct dp_delta_snapshot *s, int64_t now_ms, struct writing *w, struct dp_err *err) {
    bool no_stats = dp_str_eqz(dp_delta_property(s, "delta.checkpoint.writeStatsAsJson", "true"), "false") &&
                    !dp_str_eqz(dp_delta_property(s, "delta.checkpoint.writeStatsAsStruct", "false"), "true");
    dp_delta_protocol_print(&s->protocol, &w->lines);
    dp_delta_metadata_print(&s->metadata, &w->lines);
    for (size_t i = 0; i < s->txns.n; i++) {
        int64_t v;
        if (s->txns.items[i].dead || !dp_delta_txn_version(s, s->txns.items[i].key, now_ms, &v)) continue;
        dp_delta_txn_print(s->txns.items[i].v.p, &w->lines);
        DP_TRY(more_lines(w, err));
    }
    for (size_t i = 0; i < s->domains.n; i++)
        if (!s->domains.items[i].dead) dp_delta_domain_print(s->domains.items[i].v.p, &w->lines);
    DP_TRY(add_tombstones(s, now_ms, w, err));
    size_t cursor = 0;
    const struct dp_delta_file *live;
    while ((live = dp_delta_next_file(s, &cursor)) != NULL) {
        struct dp_delta_file f = *live;
        if (!f.stats.n) f.stats = f.stats_parsed;
        if (no_stats || !f.stats.n) f.stats = (struct dp_str){0};
        f.data_change = false;
        dp_delta_add_print(&f, &w->lines);
        w->adds++;
        DP_TRY(more_lines(w, err));
    }
    return flush_lines(w, err);
}

static enum dp_status sink_fd(void *ctx, const void *p, size_t n, struct dp_err *err) { return dp_fd_write(*(int *)ctx, p, n, err); }

static enum dp_status write_file(const struct dp_delta_snapshot *s, int64_t now_ms, int fd, struct writing *w, uint64_t *size, struct dp_err *err) {
    struct dp_pq_writer_opts opts = {.codec = DP_PQ_ZSTD, .level = -1};
    struct dp_type *schema = checkpoint_schema();
    struct dp_pool *pool = dp_pool_open(1);
    w->shred = dp_shred_open(schema, false);
    w->scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    dp_batch_init(&w->batch, schema);
    enum dp_status status = dp_pq_writer_open(schema, &opts, pool, sink_fd, &fd, &w->writer, err);
    if (status == DP_OK) status = add_state(s, now_ms, w, err);
    if (status == DP_OK) status = dp_pq_writer_finish(w->writer, err);
    if (status == DP_OK) *size = dp_pq_writer_size(w->writer);
    if (w->writer) dp_pq_writer_close(w->writer);
    dp_batch_release(&w->batch);
    dp_buf_release(&w->lines);
    dp_scan_close(w->scan);
    dp_shred_close(w->shred);
    dp_pool_close(pool);
    dp_type_free(schema);
    return status;
}

/* Built in the table's staging directory, then renamed into the log: a killed process leaves nothing there. */
static enum dp_status place(const struct dp_delta_snapshot *s, struct dp_newfile *file, const char *draft, const char *name, struct dp_err *err) {
    char *log = dp_path_join(s->table, "_delta_log"), *to = dp_path_join(log, name);
    enum dp_status status = dp_newfile_commit(file, err);
    if (status == DP_OK) status = dp_file_rename(draft, to, err);
    free(to);
    free(log);
    return status;
}

static enum dp_status write_hint(const struct dp_delta_snapshot *s, const struct writing *w, uint64_t size, const char *draft, struct dp_err *err) {
    struct dp_newfile file = {0};
    struct dp_buf b = {0};
    dp_buf_addf(&b, "{\"version\":%lld,\"size\":%lld,\"sizeInBytes\":%llu,\"numOfAddFiles\":%lld}", (long long)s->version, (long long)w->actions,
                (unsigned long long)size, (long long)w->adds);
    enum dp_status status = dp_newfile_open(&file, draft, 0666, err);
    if (status == DP_OK) status = dp_fd_write(file.fd, b.p, b.n, err);
    if (status == DP_OK) status = place(s, &file, draft, "_last_checkpoint", err);
    dp_newfile_abort(&file);
    dp_buf_release(&b);
    return status;
}

enum dp_status dp_delta_checkpoint_write(const struct dp_delta_snapshot *s, int64_t now_ms, struct dp_err *err) {
    struct dp_newfile file = {0};
    struct writing w = {0};
    uint64_t size = 0;
    char id[37], *staging = dp_path_join(s->table, DP_DELTA_STAGING);
    struct dp_buf draft = {0}, name = {0};
    dp_uuid(id);
    dp_buf_addf(&draft, "%s/checkpoint-%s", staging, id);
    dp_buf_addf(&name, "%020lld.checkpoint.parquet", (long long)s->version);
    enum dp_status status = dp_mkdirs(staging, err);
    if (status == DP_OK) status = dp_newfile_open(&file, dp_buf_z(&draft), 0666, err);
    if (status == DP_OK) status = write_file(s, now_ms, file.fd, &w, &size, err);
    if (status == DP_OK) status = place(s, &file, dp_buf_z(&draft), dp_buf_z(&name), err);
    if (status == DP_OK) status = write_hint(s, &w, size, dp_buf_z(&draft), err);
    dp_newfile_abort(&file);
    dp_buf_release(&name);
    dp_buf_release(&draft);
    free(staging);
    return status;
}

enum dp_status dp_delta_checkpoint_follow(const char *table, const struct dp_delta_pairs *configuration, int64_t version, int64_t now_ms, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    int64_t interval;
    if (!dp_parse_i64(dp_delta_pairs_text(configuration, "delta.checkpointInterval", DP_STR("10")), &interval) || interval < 1) interval = 10;
    if (version == 0 || version % interval) return DP_OK;
    enum dp_status status = dp_delta_open(table, version, &s, err);
    if (status == DP_OK) status = dp_delta_checkpoint_write(s, now_ms, err);
    dp_delta_close(s);
    return status;
}
