/*
 * Checkpoints are written (digest section 6): lines of a commit, shredded into columns.  Classic, or V2 under a name of its own, with the file actions inline or, of
 * large tables, in sidecars.  Nothing is held but the batch and the row group in the making; each file is built in the table's staging directory and renamed
 * into the log, sidecars before the file that names them.
 * What it does not do: read them (load.c), multi-part checkpoints, which the protocol deprecates.
 */
#include "checkpoint_priv.h"
#include "mtime_priv.h"

#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/checkpoint.h>
#include <dp/delta/logclean.h>
#include <dp/delta/partition.h>
#include <dp/delta/stats.h>
#include <dp/parquet/writer.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define BATCH_ROWS 4096
#define SIDECAR_ACTIONS 100000

/* A Parquet file in the making. */
struct part {
    struct dp_newfile file;
    struct dp_type *schema;
    struct dp_pool *pool;
    struct dp_pq_writer *writer;
    struct dp_shred *shred;
    struct dp_scan *scan;
    struct dp_batch batch;
    struct dp_buf line;  /* padded */
    char *draft;
    int64_t actions;
    uint64_t size;
    bool is_open;
};

struct checkpoint {
    const struct dp_delta_snapshot *s;
    const struct dp_delta_checkpoint_opts *o;
    bool is_v2, in_sidecars, json_stats;
    int64_t oldest;                 /* deletionTimestamp of removes that are kept */
    struct dp_type *stats_type;     /* stats_parsed; NULL: none */
    struct dp_type *partition_type; /* partitionValues_parsed; NULL: none */
    struct part main, side;
    struct dp_buf sidecars;         /* lines that name them, for the main file */
    struct dp_buf text, extended;
    int64_t actions, adds;
    uint64_t size;                  /* of all files */
    struct dp_buf name;
    char *log;                      /* the directory that it goes into */
};

/* ---- columns ---- */

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

static void file_columns(struct checkpoint *c, struct dp_type *root) {
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
    if (c->partition_type) dp_type_add(add, dp_type_copy(c->partition_type));
    if (c->stats_type) dp_type_add(add, dp_type_copy(c->stats_type));
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

static void v2_columns(struct dp_type *root) {
    struct dp_type *t = leaf(root, DP_TYPE_STRUCT, "checkpointMetadata");
    leaf(t, DP_TYPE_INT64, "version");
    text_map(t, "tags");
    t = leaf(root, DP_TYPE_STRUCT, "sidecar");
    leaf(t, DP_TYPE_STRING, "path");
    leaf(t, DP_TYPE_INT64, "sizeInBytes");
    leaf(t, DP_TYPE_INT64, "modificationTime");
    text_map(t, "tags");
}

static struct dp_type *sidecar_schema(struct checkpoint *c) {
    struct dp_type *root = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    file_columns(c, root);
    root->nullable = false;
    return root;
}

static struct dp_type *main_schema(struct checkpoint *c) {
    struct dp_type *root = dp_type_new(DP_TYPE_STRUCT, DP_STR("")), *t;
    t = leaf(root, DP_TYPE_STRUCT, "txn");
    leaf(t, DP_TYPE_STRING, "appId");
    leaf(t, DP_TYPE_INT64, "version");
    leaf(t, DP_TYPE_INT64, "lastUpdated");
    if (!c->in_sidecars) file_columns(c, root);
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
    if (c->is_v2) v2_columns(root);
    root->nullable = false;
    return root;
}

/* The partition columns as typed values, the statistics as a struct: keyed by physical names. */
static void parsed_columns(struct checkpoint *c) {
    const struct dp_delta_snapshot *s = c->s;
    struct dp_delta_stats_opts opts;
    struct dp_arena arena = {0};
    struct dp_type *data = dp_type_new(DP_TYPE_STRUCT, DP_STR("")), *names = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    dp_delta_stats_configure(&s->metadata.configuration, &arena, &opts);
    if (s->partition_keys.n) c->partition_type = dp_type_new(DP_TYPE_STRUCT, DP_STR("partitionValues_parsed"));
    for (size_t i = 0; i < s->schema->n_children; i++) {
        const struct dp_type *t = s->schema->children[i];
        bool is_key = dp_delta_is_partition(s, dp_str(t->name, t->name_n));
        struct dp_type *copy = dp_type_copy(s->physical->children[i]);
        if (is_key) copy->nullable = true;
        dp_type_add(is_key ? c->partition_type : data, copy);
        if (!is_key) dp_type_add(names, dp_type_copy(t));
    }
    opts.names = names;
    c->stats_type = dp_delta_stats_type(data, &opts);
    dp_type_free(data);
    dp_type_free(names);
    dp_arena_release(&arena);
}

/* ---- one file ---- */

static enum dp_status sink_fd(void *ctx, const void *p, size_t n, struct dp_err *err) { return dp_fd_write(*(int *)ctx, p, n, err); }

/* Where files are before they are whole; caller frees. */
static char *drafts(const struct checkpoint *c) { return c->o->into ? dp_strdup(c->o->into) : dp_path_join(c->s->table, DP_DELTA_STAGING); }

/* Takes ownership of the schema. */
static enum dp_status part_open(struct part *p, const struct checkpoint *c, struct dp_type *schema, struct dp_err *err) {
    struct dp_pq_writer_opts opts = {.codec = DP_PQ_ZSTD, .level = -1};
    char id[37], *staging = drafts(c);
    struct dp_buf draft = {0};
    memset(p, 0, sizeof *p);
    p->is_open = true;
    p->schema = schema;
    dp_uuid(id);
    dp_buf_addf(&draft, "%s/checkpoint-%s", staging, id);
    p->draft = dp_buf_detach(&draft);
    p->pool = dp_pool_open(1);
    p->shred = dp_shred_open(schema, false);
    p->scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    dp_batch_init(&p->batch, schema);
    enum dp_status status = dp_mkdirs(staging, err);
    if (status == DP_OK) status = dp_newfile_open(&p->file, p->draft, 0666, err);
    if (status == DP_OK) status = dp_pq_writer_open(schema, &opts, p->pool, sink_fd, &p->file.fd, &p->writer, err);
    free(staging);
    return status;
}

static void part_release(struct part *p) {
    if (!p->is_open) return;
    if (p->writer) dp_pq_writer_close(p->writer);
    dp_newfile_abort(&p->file);
    dp_batch_release(&p->batch);
    dp_buf_release(&p->line);
    dp_scan_close(p->scan);
    dp_shred_close(p->shred);
    dp_pool_close(p->pool);
    dp_type_free(p->schema);
    free(p->draft);
    p->is_open = false;
}

static enum dp_status part_flush(struct part *p, struct dp_err *err) {
    enum dp_status status = dp_pq_writer_add(p->writer, &p->batch, err);
    dp_batch_reset(&p->batch);
    return status;
}

/* DP_RECORD: a value is not one of its column's type, and nothing was put. */
static enum dp_status part_put(struct part *p, struct dp_str line, struct dp_shred_reject *why, struct dp_err *err) {
    struct dp_record rec;
    dp_buf_reset(&p->line);
    dp_buf_adds(&p->line, line);
    memset(dp_buf_reserve(&p->line, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    DP_TRY(dp_scan_value(p->scan, p->line.p, p->line.n, &rec, err));
    if (p->batch.length >= BATCH_ROWS) DP_TRY(part_flush(p, err));
    enum dp_status status = dp_shred_record(p->shred, &rec, &p->batch, why);
    if (status == DP_LIMIT && p->batch.length) {
        DP_TRY(part_flush(p, err));
        status = dp_shred_record(p->shred, &rec, &p->batch, why);
    }
    if (status == DP_OK) p->actions++;
    return status == DP_LIMIT ? dp_err_set(err, DP_LIMIT, "an action is too large for a checkpoint") : status;
}

static enum dp_status part_place(struct part *p, const char *dir, const char *name, struct dp_err *err) {
    char *to = dp_path_join(dir, name);
    enum dp_status status = part_flush(p, err);
    if (status == DP_OK) status = dp_pq_writer_finish(p->writer, err);
    if (status == DP_OK) p->size = dp_pq_writer_size(p->writer);
    if (status == DP_OK) status = dp_newfile_commit(&p->file, err);
    if (status == DP_OK) status = dp_file_rename(p->draft, to, err);
    free(to);
    return status;
}

/* ---- actions ---- */

static enum dp_status does_not_fit(const struct dp_shred_reject *why, struct dp_err *err) {
    return dp_err_set(err, DP_BUG, "an action does not fit the checkpoint: %s: %s", why->path, why->reason);
}

static enum dp_status put_line(struct checkpoint *c, struct dp_str line, struct dp_err *err) {
    struct dp_shred_reject why;
    enum dp_status status = part_put(&c->main, line, &why, err);
    return status == DP_RECORD ? does_not_fit(&why, err) : status;
}

static enum dp_status put_text(struct checkpoint *c, struct dp_err *err) {
    enum dp_status status = put_line(c, dp_str(c->text.p, c->text.n - 1), err);
    dp_buf_reset(&c->text);
    return status;
}

static enum dp_status tell(const struct checkpoint *c, const char *dir, const char *name, struct dp_err *err) {
    struct dp_buf b = {0};
    if (!c->o->each) return DP_OK;
    dp_buf_addz(&b, dir), dp_buf_addz(&b, name);
    enum dp_status status = c->o->each(c->o->ctx, dp_buf_z(&b), err);
    dp_buf_release(&b);
    return status;
}

static enum dp_status finish_sidecar(struct checkpoint *c, struct dp_err *err) {
    struct stat st;
    char id[37];
    struct dp_buf name = {0};
    char *dir = dp_path_join(c->log, "_sidecars");
    dp_uuid(id);
    dp_buf_addf(&name, "%s.parquet", id);
    enum dp_status status = dp_mkdirs(dir, err);
    if (status == DP_OK) status = part_place(&c->side, dir, dp_buf_z(&name), err);
    char *path = dp_path_join(dir, dp_buf_z(&name));
    if (status == DP_OK) status = tell(c, "_sidecars/", dp_buf_z(&name), err);
    if (status == DP_OK && stat(path, &st) != 0) status = dp_err_sys(err, DP_IO, "cannot look at %s", path);
    if (status == DP_OK)
        dp_buf_addf(&c->sidecars, "{\"sidecar\":{\"path\":\"%s\",\"sizeInBytes\":%llu,\"modificationTime\":%lld}}\n", dp_buf_z(&name),
                    (unsigned long long)c->side.size, (long long)delta_stat_ms(&st));
    c->size += c->side.size;
    c->actions += c->side.actions;
    part_release(&c->side);
    dp_buf_release(&name);
    free(path), free(dir);
    return status;
}

/* Where file actions go now. */
static enum dp_status file_part(struct checkpoint *c, struct part **out, struct dp_err *err) {
    int64_t most = c->o->sidecar_actions > 0 ? c->o->sidecar_actions : SIDECAR_ACTIONS;
    *out = &c->main;
    if (!c->in_sidecars) return DP_OK;
    if (c->side.is_open && c->side.actions >= most) DP_TRY(finish_sidecar(c, err));
    *out = &c->side;
    return c->side.is_open ? DP_OK : part_open(&c->side, c, sidecar_schema(c), err);
}

static bool is_kept(const struct checkpoint *c, const struct dp_delta_file *f) {
    return f->deletion_timestamp != DP_DELTA_UNSET && f->deletion_timestamp >= c->oldest;
}

static enum dp_status put_remove(struct checkpoint *c, const struct dp_delta_file *gone, struct dp_err *err) {
    struct dp_shred_reject why;
    struct dp_delta_file f = *gone;
    struct part *part;
    f.stats = (struct dp_str){0};
    f.tags.n = 0;
    f.data_change = false;
    DP_TRY(file_part(c, &part, err));
    dp_delta_remove_print(&f, &c->text);
    enum dp_status status = part_put(part, dp_str(c->text.p, c->text.n - 1), &why, err);
    dp_buf_reset(&c->text);
    return status == DP_RECORD ? does_not_fit(&why, err) : status;
}

/* The line without its last two braces, with the parsed columns behind.  rows: what the file's statistics give, -1: nothing; rows_only: of them only this number. */
static void extend(struct checkpoint *c, const struct dp_delta_file *f, struct dp_str stats, int64_t rows, bool rows_only) {
    struct dp_buf *b = &c->extended;
    const struct dp_type *p = c->partition_type;
    dp_buf_reset(b);
    dp_buf_add(b, c->text.p, c->text.n - 3);
    for (size_t i = 0; p && !rows_only && i < p->n_children; i++) {
        const struct dp_type *t = p->children[i];
        const struct dp_delta_pair *v = dp_delta_pairs_get(&f->partition_values, dp_str(t->name, t->name_n));
        struct dp_buf json = {0};
        dp_buf_addz(b, i ? "," : ",\"partitionValues_parsed\":{");
        dp_json_add_string(b, dp_str(t->name, t->name_n));
        dp_buf_addc(b, ':');
        bool known = dp_delta_partition_json(t, v ? v->value : DP_STR(""), !v || v->is_null, &json, NULL) == DP_OK;
        dp_buf_adds(b, known ? dp_buf_str(&json) : DP_STR("null"));
        dp_buf_release(&json);
    }
    if (p && !rows_only) dp_buf_addc(b, '}');
    if (c->stats_type && rows_only) dp_buf_addf(b, ",\"stats_parsed\":{\"numRecords\":%lld}", (long long)rows);
    else if (c->stats_type && stats.n && rows >= 0) dp_buf_addz(b, ",\"stats_parsed\":"), dp_buf_adds(b, stats);
    dp_buf_addz(b, "}}");
}

/* Statistics that others wrote may not be of the column's type any more, or hold what no number is: such a file keeps its number of rows alone. */
static enum dp_status put_add(struct checkpoint *c, const struct dp_delta_file *live, struct dp_err *err) {
    struct dp_shred_reject why;
    struct dp_delta_file f = *live;
    struct dp_str stats = f.stats.n ? f.stats : f.stats_parsed;
    struct part *part;
    DP_TRY(file_part(c, &part, err));
    f.stats = c->json_stats && stats.n ? stats : (struct dp_str){0};
    f.data_change = false;
    dp_delta_add_print(&f, &c->text);
    enum dp_status status = DP_RECORD;
    if (c->stats_type || c->partition_type) {
        int64_t rows = c->stats_type ? dp_delta_file_rows(live) : -1;
        extend(c, live, stats, rows, false);
        status = part_put(part, dp_buf_str(&c->extended), &why, err);
        if (status == DP_RECORD && rows >= 0) {
            extend(c, live, stats, rows, true);
            status = part_put(part, dp_buf_str(&c->extended), &why, err);
        }
    }
    if (status == DP_RECORD) status = part_put(part, dp_str(c->text.p, c->text.n - 1), &why, err);
    dp_buf_reset(&c->text);
    c->adds++;
    return status == DP_RECORD ? does_not_fit(&why, err) : status;
}

static enum dp_status put_files(struct checkpoint *c, struct dp_err *err) {
    const struct dp_map *gone = &c->s->tombstones;
    const struct dp_delta_file *live;
    size_t cursor = 0;
    for (size_t i = 0; i < gone->n; i++)
        if (!gone->items[i].dead && is_kept(c, gone->items[i].v.p)) DP_TRY(put_remove(c, gone->items[i].v.p, err));
    while ((live = dp_delta_next_file(c->s, &cursor)) != NULL) DP_TRY(put_add(c, live, err));
    return c->side.is_open ? finish_sidecar(c, err) : DP_OK;
}

static enum dp_status put_state(struct checkpoint *c, struct dp_err *err) {
    const struct dp_delta_snapshot *s = c->s;
    if (c->is_v2) {
        dp_buf_addf(&c->text, "{\"checkpointMetadata\":{\"version\":%lld}}\n", (long long)s->version);
        DP_TRY(put_text(c, err));
    }
    dp_delta_protocol_print(&s->protocol, &c->text);
    DP_TRY(put_text(c, err));
    dp_delta_metadata_print(&s->metadata, &c->text);
    DP_TRY(put_text(c, err));
    for (size_t i = 0; i < s->txns.n; i++) {
        int64_t v;
        if (s->txns.items[i].dead || !dp_delta_txn_version(s, s->txns.items[i].key, c->o->now_ms, &v)) continue;
        dp_delta_txn_print(s->txns.items[i].v.p, &c->text);
        DP_TRY(put_text(c, err));
    }
    for (size_t i = 0; i < s->domains.n; i++) {
        if (s->domains.items[i].dead) continue;
        dp_delta_domain_print(s->domains.items[i].v.p, &c->text);
        DP_TRY(put_text(c, err));
    }
    return DP_OK;
}

/* ---- the checkpoint ---- */

static bool is_on(const struct dp_delta_snapshot *s, const char *key, const char *absent) { return dp_str_eqz(dp_delta_property(s, key, absent), "true"); }

static enum dp_status choose_form(struct checkpoint *c, struct dp_err *err) {
    const struct dp_delta_snapshot *s = c->s;
    bool may_v2 = dp_delta_has_feature(&s->protocol, "v2Checkpoint");
    int64_t keep_ms;
    struct dp_str text = dp_delta_property(s, "delta.deletedFileRetentionDuration", "");
    if (!text.n || !dp_delta_interval_parse(text, &keep_ms)) keep_ms = 7 * 86400000LL;
    if (dp_sub_overflow(c->o->now_ms, keep_ms, &c->oldest)) c->oldest = INT64_MIN;
    if (c->o->form == DP_DELTA_FORM_V2 && !may_v2)
        return dp_err_set(err, DP_UNSUPPORTED, "%s: the table's protocol does not carry v2Checkpoint, without which readers need not know the form", s->table);
    c->is_v2 = c->o->form == DP_DELTA_FORM_V2 ||
               (c->o->form == DP_DELTA_FORM_AUTO && may_v2 && dp_str_eqz(dp_delta_property(s, "delta.checkpointPolicy", "classic"), "v2"));
    c->json_stats = is_on(s, "delta.checkpoint.writeStatsAsJson", "true");
    if (is_on(s, "delta.checkpoint.writeStatsAsStruct", "false")) parsed_columns(c);
    int64_t file_actions = (int64_t)s->n_files;
    for (size_t i = 0; i < s->tombstones.n; i++)
        file_actions += !s->tombstones.items[i].dead && is_kept(c, s->tombstones.items[i].v.p);
    c->in_sidecars = c->is_v2 && file_actions > (c->o->sidecar_actions > 0 ? c->o->sidecar_actions : SIDECAR_ACTIONS);
    return DP_OK;
}

static enum dp_status put_sidecars(struct checkpoint *c, struct dp_err *err) {
    const char *p = c->sidecars.p, *end = p ? p + c->sidecars.n : p;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        DP_TRY(put_line(c, dp_str(p, (size_t)(nl - p)), err));
        p = nl + 1;
    }
    return DP_OK;
}

static enum dp_status write_hint(struct checkpoint *c, struct dp_err *err) {
    struct dp_newfile file = {0};
    struct dp_buf b = {0};
    char id[37], *staging = drafts(c), *draft = NULL;
    char *to = dp_path_join(c->log, "_last_checkpoint"), *main = dp_path_join(c->log, dp_buf_z(&c->name));
    struct stat st;
    struct dp_buf name = {0};
    enum dp_status status = stat(main, &st) == 0 ? DP_OK : dp_err_sys(err, DP_IO, "cannot look at %s", main);
    dp_uuid(id);
    dp_buf_addf(&name, "%s/hint-%s", staging, id);
    draft = dp_buf_detach(&name);
    struct dp_delta_checkpoint_hint hint = {.version = c->s->version, .actions = c->actions, .adds = c->adds, .size_bytes = (int64_t)c->size};
    if (c->is_v2) hint.v2_path = dp_buf_str(&c->name), hint.v2_size = (int64_t)c->main.size;
    hint.v2_modified = status == DP_OK ? delta_stat_ms(&st) : 0;
    dp_delta_hint_print(&hint, &b);
    if (status == DP_OK) status = dp_newfile_open(&file, draft, 0666, err);
    if (status == DP_OK) status = dp_fd_write(file.fd, b.p, b.n, err);
    if (status == DP_OK) status = dp_newfile_commit(&file, err);
    if (status == DP_OK) status = dp_file_rename(draft, to, err);
    dp_newfile_abort(&file);
    dp_buf_release(&b);
    if (status == DP_OK) status = tell(c, "", "_last_checkpoint", err);
    free(main), free(to), free(draft), free(staging);
    return status;
}

static enum dp_status write_all(struct checkpoint *c, struct dp_err *err) {
    char id[37];
    dp_uuid(id);
    dp_buf_addf(&c->name, "%020lld.checkpoint%s%s.parquet", (long long)c->s->version, c->is_v2 ? "." : "", c->is_v2 ? id : "");
    enum dp_status status = part_open(&c->main, c, main_schema(c), err);
    if (status == DP_OK) status = put_state(c, err);
    if (status == DP_OK) status = put_files(c, err);
    if (status == DP_OK) status = put_sidecars(c, err);
    if (status == DP_OK) status = part_place(&c->main, c->log, dp_buf_z(&c->name), err);
    if (status == DP_OK) status = tell(c, "", dp_buf_z(&c->name), err);
    c->size += c->main.size;
    c->actions += c->main.actions;
    return status == DP_OK && !c->o->no_hint ? write_hint(c, err) : status;
}

enum dp_status dp_delta_checkpoint_make(const struct dp_delta_snapshot *s, const struct dp_delta_checkpoint_opts *o, struct dp_err *err) {
    struct checkpoint c = {.s = s, .o = o, .log = o->into ? dp_strdup(o->into) : dp_path_join(s->table, "_delta_log")};
    enum dp_status status = choose_form(&c, err);
    if (status == DP_OK) status = write_all(&c, err);
    part_release(&c.main);
    part_release(&c.side);
    dp_type_free(c.stats_type);
    dp_type_free(c.partition_type);
    dp_buf_release(&c.sidecars);
    dp_buf_release(&c.text);
    dp_buf_release(&c.extended);
    dp_buf_release(&c.name);
    free(c.log);
    return status;
}

enum dp_status dp_delta_checkpoint_write(const struct dp_delta_snapshot *s, int64_t now_ms, struct dp_err *err) {
    return dp_delta_checkpoint_make(s, &(struct dp_delta_checkpoint_opts){.now_ms = now_ms}, err);
}

enum dp_status dp_delta_checkpoint_follow(const char *table, const struct dp_delta_pairs *configuration, int64_t version, int64_t now_ms, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    struct dp_delta_cleaned cleaned;
    int64_t interval;
    if (!dp_parse_i64(dp_delta_pairs_text(configuration, "delta.checkpointInterval", DP_STR("10")), &interval) || interval < 1) interval = 10;
    if (version == 0 || version % interval) return DP_OK;
    enum dp_status status = dp_delta_open(table, version, &s, err);
    if (status == DP_OK) status = dp_delta_checkpoint_write(s, now_ms, err);
    bool cleans = status == DP_OK && is_on(s, "delta.enableExpiredLogCleanup", "true") && !dp_delta_has_feature(&s->protocol, "checkpointProtection");
    if (cleans) status = dp_delta_log_clean(s, &(struct dp_delta_clean_opts){.now_ms = now_ms}, &cleaned, err);
    if (cleans && (status == DP_RULE || status == DP_AGAIN)) status = DP_OK; /* held, or another time */
    dp_delta_close(s);
    return status;
}
