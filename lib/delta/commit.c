/*
 * Commits (digest section 5): the entry is written whole under a hidden name, synced, and linked to the next version, which must not exist.
 *
 * Who loses the race reads what won, and goes on at the version after it when nothing there is in conflict: appends always do.  Overwrite and replace
 * remove what the snapshot has, so a winner that touched the same files or partitions ends them (DP_AGAIN: read again, decide again).
 * What it does not do: row tracking, change data files, checks of rows: dp_delta_check_write refuses such tables.
 */
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/commit.h>
#include <dp/delta/mapping.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct publication {
    const char *table;
    const struct dp_delta_snapshot *base;
    const struct dp_delta_change *change;
    struct dp_map touched;      /* REPLACE: partitions of the new files */
    struct dp_map removed;      /* decoded paths of change->removes */
    int64_t read_version;       /* the newest version that was checked */
    int64_t previous_ict;       /* its in-commit timestamp, UNSET when not active */
    bool ict;
    char txn_id[37];
    struct dp_arena arena;
};

/* What the conflict check needs to know of a commit that won. */
struct winner {
    const struct publication *p;
    bool protocol, metadata, same_txn, files, read, domain;
    struct dp_delta_commit_info info;
};

static void partition_key(const struct dp_delta_strs *columns, const struct dp_delta_pairs *values, struct dp_buf *out) {
    dp_buf_reset(out);
    for (size_t i = 0; i < columns->n; i++) {
        const struct dp_delta_pair *v = dp_delta_pairs_get(values, columns->v[i]);
        bool null = !v || v->is_null || !v->value.n;
        dp_buf_addf(out, "%c%zu:", null ? 'n' : 'v', null ? 0 : v->value.n);
        if (!null) dp_buf_adds(out, v->value);
    }
}

/* Does a file lie in what this change removes? */
static bool is_touched(const struct publication *p, const struct dp_delta_file *f) {
    if (p->change->mode == DP_DELTA_APPEND || !p->base) return false;
    if (p->change->mode == DP_DELTA_OVERWRITE || !p->base->metadata.partition_columns.n) return true;
    struct dp_buf key = {0};
    partition_key(&p->base->partition_keys, &f->partition_values, &key);
    bool is = dp_map_get(&p->touched, dp_buf_str(&key)) != NULL;
    dp_buf_release(&key);
    return is;
}

/* Was it read by this change, and is it gone now, or has it another deletion vector? */
static bool is_removed(const struct publication *p, const struct dp_delta_file *f) {
    struct dp_buf path = {0};
    if (!p->removed.n) return false;
    dp_delta_path_key(f->path, &path);
    bool is = dp_map_get(&p->removed, dp_buf_str(&path)) != NULL;
    dp_buf_release(&path);
    return is;
}

/* Does a file that a winner added, or removed, lie in what this change read? */
static bool is_read(const struct publication *p, const struct dp_delta_file *f) {
    switch (p->change->reads) {
    case DP_DELTA_READ_NOTHING: return false;
    case DP_DELTA_READ_WHERE: return dp_delta_file_skip(p->base, f, p->change->where) != DP_NEVER;
    case DP_DELTA_READ_TABLE: return true;
    }
    return true;
}

static enum dp_status see_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct winner *w = ctx;
    (void)err;
    switch (a->kind) {
    case DP_DELTA_PROTOCOL: w->protocol = true; break;
    case DP_DELTA_METADATA: w->metadata = true; break;
    case DP_DELTA_COMMIT_INFO: w->info = a->u.commit_info; break;
    case DP_DELTA_TXN:
        for (size_t i = 0; i < w->p->change->n_txns; i++)
            if (dp_str_eq(w->p->change->txns[i].app_id, a->u.txn.app_id)) w->same_txn = true;
        break;
    case DP_DELTA_ADD: case DP_DELTA_REMOVE:
        if (is_touched(w->p, &a->u.file) || is_removed(w->p, &a->u.file)) w->files = true;
        else if (!w->p->change->rearranges && is_read(w->p, &a->u.file)) w->read = true;
        break;
    case DP_DELTA_DOMAIN:
        for (size_t i = 0; i < w->p->change->n_domains; i++)
            if (dp_str_eq(w->p->change->domains[i].domain, a->u.domain.domain)) w->domain = true;
        break;
    case DP_DELTA_NONE: case DP_DELTA_CDC: case DP_DELTA_SIDECAR: case DP_DELTA_CHECKPOINT: break;
    }
    return DP_OK;
}

/* DP_OK: go on behind it.  *ours: it is this very commit, whose link succeeded before it was reported as failed. */
static enum dp_status check_winner(struct publication *p, int64_t version, bool *ours, struct dp_err *err) {
    struct winner w = {.p = p, .info = {.in_commit_timestamp = DP_DELTA_UNSET}};
    char *path = dp_delta_commit_path(p->table, version);
    enum dp_status status = dp_delta_actions_file(path, &p->arena, see_action, &w, err);
    free(path);
    if (status != DP_OK) return status;
    *ours = dp_str_eqz(w.info.txn_id, p->txn_id);
    if (*ours) return DP_OK;
    const char *why = !p->base ? "created the table" : w.protocol ? "changed the protocol" : w.metadata ? "changed the table's metadata" :
                      w.files ? "changed files that this commit replaces" : w.read ? "changed files that this commit has read" :
                      w.domain ? "changed a domain that this commit changes" : NULL;
    if (why) return dp_err_set(err, DP_AGAIN, "%s: a concurrent commit (version %lld) %s", p->table, (long long)version, why);
    if (w.same_txn) return dp_err_set(err, DP_END, "%s: version %lld carries one of our transactions", p->table, (long long)version);
    p->read_version = version;
    if (p->ict && w.info.in_commit_timestamp != DP_DELTA_UNSET) p->previous_ict = w.info.in_commit_timestamp;
    return DP_OK;
}

/* ---- the entry's text ---- */

static int64_t in_commit_time(const struct publication *p) {
    int64_t now = p->change->now_ms;
    return p->previous_ict != DP_DELTA_UNSET && p->previous_ict >= now ? p->previous_ict + 1 : now;
}

static void print_commit_info(const struct publication *p, size_t n_removes, struct dp_buf *b) {
    const struct dp_delta_change *c = p->change;
    int64_t bytes = 0;
    for (size_t i = 0; i < c->n_adds; i++) bytes += c->adds[i].size;
    dp_buf_addz(b, "{\"commitInfo\":{");
    if (p->ict) dp_buf_addf(b, "\"inCommitTimestamp\":%lld,", (long long)in_commit_time(p));
    dp_buf_addf(b, "\"timestamp\":%lld,\"operation\":\"%s\",\"operationParameters\":%s", (long long)c->now_ms, c->operation, c->parameters);
    if (p->base) dp_buf_addf(b, ",\"readVersion\":%lld", (long long)p->read_version);
    bool is_blind = c->mode == DP_DELTA_APPEND && !c->metadata && !c->n_removes && c->reads == DP_DELTA_READ_NOTHING;
    dp_buf_addf(b, ",\"isolationLevel\":\"%s\",\"isBlindAppend\":%s,\"operationMetrics\":{\"numFiles\":\"%zu\"",
                c->rearranges ? "SnapshotIsolation" : "Serializable", is_blind ? "true" : "false", c->n_adds);
    if (n_removes) dp_buf_addf(b, ",\"numRemovedFiles\":\"%zu\"", n_removes);
    if (c->rows >= 0) dp_buf_addf(b, ",\"numOutputRows\":\"%lld\"", (long long)c->rows);
    dp_buf_addf(b, ",\"numOutputBytes\":\"%lld\"%s},\"engineInfo\":\"dp/" DP_VERSION "\",\"txnId\":\"%s\"%s}}\n", (long long)bytes,
                c->metrics ? c->metrics : "", p->txn_id, c->extra ? c->extra : "");
}

static void print_remove(const struct publication *p, const struct dp_delta_file *f, struct dp_buf *b) {
    struct dp_delta_file gone = *f;
    gone.deletion_timestamp = p->change->now_ms;
    gone.data_change = !p->change->rearranges;
    gone.extended = true;
    gone.stats = (struct dp_str){0};
    dp_delta_remove_print(&gone, b);
}

static size_t print_removes(const struct publication *p, struct dp_buf *b) {
    size_t n = p->change->n_removes, cursor = 0;
    const struct dp_delta_file *f;
    for (size_t i = 0; i < n; i++) print_remove(p, p->change->removes[i], b);
    while (p->base && p->change->mode != DP_DELTA_APPEND && (f = dp_delta_next_file(p->base, &cursor)) != NULL)
        if (is_touched(p, f)) print_remove(p, f, b), n++;
    return n;
}

static void print_add(const struct publication *p, const struct dp_delta_file *f, struct dp_buf *b) {
    struct dp_delta_file add = *f;
    add.data_change = !p->change->rearranges;
    dp_delta_add_print(&add, b);
}

static void print_entry(const struct publication *p, struct dp_buf *b) {
    const struct dp_delta_change *c = p->change;
    struct dp_buf removes = {0};
    size_t n_removes = print_removes(p, &removes);
    print_commit_info(p, n_removes, b);
    if (c->protocol) dp_delta_protocol_print(c->protocol, b);
    if (c->metadata) dp_delta_metadata_print(c->metadata, b);
    for (size_t i = 0; i < c->n_txns; i++) dp_delta_txn_print(&c->txns[i], b);
    dp_buf_adds(b, dp_buf_str(&removes));
    for (size_t i = 0; i < c->n_adds; i++) print_add(p, &c->adds[i], b);
    for (size_t i = 0; i < c->n_cdcs; i++) dp_delta_cdc_print(&c->cdcs[i], b);
    for (size_t i = 0; i < c->n_domains; i++) dp_delta_domain_print(&c->domains[i], b);
    dp_buf_release(&removes);
}

/*
 * DP_AGAIN: the version is taken.  The entry is built in the table's staging directory, on the same file system: whatever is left of a killed
 * process is swept there, and _delta_log holds nothing but whole entries.
 */
static enum dp_status link_entry(const struct publication *p, int64_t version, struct dp_err *err) {
    struct dp_newfile file = {0};
    struct dp_buf text = {0};
    char *path = dp_delta_commit_path(p->table, version), *dir = dp_path_dir(path);
    char *staging = dp_path_join(p->table, DP_DELTA_STAGING), *draft = dp_path_join(staging, "entry");
    print_entry(p, &text);
    enum dp_status status = dp_mkdirs(staging, err);
    if (status == DP_OK && text.n > DP_LIMIT_COMMIT_BYTES)
        status = dp_err_set(err, DP_LIMIT, "the log entry is larger than %u bytes", DP_LIMIT_COMMIT_BYTES);
    if (status == DP_OK) status = dp_newfile_open(&file, draft, 0666, err);
    if (status == DP_OK) status = dp_fd_write(file.fd, text.p, text.n, err);
    if (status == DP_OK && fsync(file.fd) != 0) status = dp_err_sys(err, DP_IO, "cannot sync %s", file.tmp);
    if (status == DP_OK && link(file.tmp, path) != 0)
        status = errno == EEXIST ? dp_err_set(err, DP_AGAIN, "%s exists already", path) : dp_err_sys(err, DP_IO, "cannot link %s", path);
    if (status == DP_OK) status = dp_fsync_dir(dir, err);
    dp_newfile_abort(&file);
    dp_buf_release(&text);
    free(draft), free(staging), free(dir), free(path);
    return status;
}

/* ---- publishing ---- */

static enum dp_status see_info(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    (void)err;
    if (a->kind == DP_DELTA_COMMIT_INFO) *(int64_t *)ctx = a->u.commit_info.in_commit_timestamp;
    return DP_OK;
}

/* The time that the new entry's must exceed: the base version's own, or its file's when it is from before in-commit timestamps. */
static enum dp_status read_previous_time(struct publication *p, struct dp_err *err) {
    struct dp_err ignored = DP_ERR_INIT;
    struct stat st;
    char *path = dp_delta_commit_path(p->table, p->base->version);
    enum dp_status status = dp_delta_actions_file(path, &p->arena, see_info, &p->previous_ict, &ignored);
    if (status == DP_OK && p->previous_ict == DP_DELTA_UNSET && stat(path, &st) == 0)
        p->previous_ict = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    if (status == DP_IO && ignored.sys_errno == ENOENT) status = DP_OK; /* only the checkpoint is left of it */
    else if (status != DP_OK && err) *err = ignored;
    free(path);
    return status;
}

static enum dp_status prepare(struct publication *p, struct dp_err *err) {
    struct dp_buf key = {0};
    dp_uuid(p->txn_id);
    p->previous_ict = DP_DELTA_UNSET;
    if (!p->base) {
        char *dir = dp_path_join(p->table, "_delta_log");
        enum dp_status status = dp_mkdirs(dir, err);
        free(dir);
        p->read_version = -1;
        return status;
    }
    p->read_version = p->base->version;
    p->ict = dp_delta_has_feature(&p->base->protocol, "inCommitTimestamp") &&
             dp_str_eqz(dp_delta_property(p->base, "delta.enableInCommitTimestamps", ""), "true");
    if (p->ict) DP_TRY(read_previous_time(p, err));
    for (size_t i = 0; p->change->mode == DP_DELTA_REPLACE && i < p->change->n_adds; i++) {
        partition_key(&p->base->partition_keys, &p->change->adds[i].partition_values, &key);
        dp_map_put(&p->touched, dp_buf_str(&key), NULL);
    }
    for (size_t i = 0; i < p->change->n_removes; i++) {
        dp_buf_reset(&key);
        dp_delta_path_key(p->change->removes[i]->path, &key);
        dp_map_put(&p->removed, dp_buf_str(&key), NULL);
    }
    dp_buf_release(&key);
    return DP_OK;
}

static enum dp_status check_intent(const struct publication *p, struct dp_err *err) {
    if (!p->base) return DP_OK;
    struct dp_delta_intent intent = {.removes = !p->change->rearranges && (p->change->mode != DP_DELTA_APPEND || p->change->n_removes), .writes = p->change->n_adds > 0};
    return dp_delta_check_write(&p->base->protocol, &p->base->metadata, p->base->schema, &intent, err);
}

enum dp_status dp_delta_publish(const char *table, const struct dp_delta_snapshot *base, const struct dp_delta_change *change, int64_t *version,
                                struct dp_err *err) {
    struct publication p = {.table = table, .base = base, .change = change};
    unsigned tries = change->max_retries ? change->max_retries : 100;
    int64_t v = base ? base->version + 1 : 0;
    enum dp_status status = check_intent(&p, err);
    if (status == DP_OK) status = prepare(&p, err);
    while (status == DP_OK) {
        bool ours = false;
        status = link_entry(&p, v, err);
        if (status == DP_OK) break;
        struct stat st;
        char *path = dp_delta_commit_path(table, v);
        bool taken = status == DP_AGAIN && stat(path, &st) == 0;
        free(path);
        if (!taken) break;
        status = check_winner(&p, v, &ours, err);
        if (ours) break;
        if (status == DP_OK && tries-- == 0)
            status = dp_err_set(err, DP_AGAIN, "%s: other commits won every time up to version %lld", table, (long long)v);
        v++;
    }
    dp_map_release(&p.touched);
    dp_map_release(&p.removed);
    dp_arena_release(&p.arena);
    if (status == DP_OK) *version = v;
    return status;
}

/* ---- new tables ---- */

static bool has_ntz(const struct dp_type *t) {
    if (t->id == DP_TYPE_TIMESTAMP && !t->utc) return true;
    for (size_t i = 0; i < t->n_children; i++)
        if (has_ntz(t->children[i])) return true;
    return false;
}

/* A feature that is listed by name; two lists, for readers and for writers. */
static void list_feature(struct dp_delta_protocol *p, const char *name, bool readers) {
    if (readers) p->reader_features.v[p->reader_features.n++] = dp_str_z(name);
    p->writer_features.v[p->writer_features.n++] = dp_str_z(name);
}

static void choose_protocol(const struct dp_type *schema, bool mapped, struct dp_arena *arena, struct dp_delta_protocol *p) {
    memset(p, 0, sizeof *p);
    p->min_reader = mapped ? 2 : 1;
    p->min_writer = mapped ? 5 : 2;
    if (!has_ntz(schema)) return;
    p->min_reader = 3;
    p->min_writer = 7; /* which implies nothing: Spark refuses a table with a required column where `invariants` is not listed */
    p->reader_features = (struct dp_delta_strs){dp_arena_calloc(arena, 2, sizeof(struct dp_str)), 0, true};
    p->writer_features = (struct dp_delta_strs){dp_arena_calloc(arena, 4, sizeof(struct dp_str)), 0, true};
    list_feature(p, "timestampNtz", true);
    if (mapped) list_feature(p, "columnMapping", true);
    list_feature(p, "appendOnly", false);
    list_feature(p, "invariants", false);
}

static enum dp_status check_partition_columns(const struct dp_type *schema, const struct dp_delta_strs *columns, struct dp_err *err) {
    for (size_t i = 0; i < columns->n; i++) {
        const struct dp_type *t = dp_type_child(schema, columns->v[i]);
        if (!t) return dp_err_set(err, DP_SCHEMA, "partition column %.*s is not in the schema", DP_STR_FMT(columns->v[i]));
        if (dp_delta_partition_type_ok(t)) continue;
        struct dp_buf words = {0};
        dp_type_print(t, &words);
        dp_err_set(err, DP_SCHEMA, "column %s of type %s can't partition a table", t->name, dp_buf_z(&words));
        dp_buf_release(&words);
        return DP_SCHEMA;
    }
    return DP_OK;
}

/* Is the table to be mapped?  Where a name asks for it, or the property does. */
static enum dp_status choose_mapping(const struct dp_delta_new *n, struct dp_arena *arena, bool *mapped, struct dp_str *cause, struct dp_err *err) {
    const struct dp_type *field = dp_delta_mapping_cause(n->schema);
    struct dp_str mode = dp_delta_pairs_text(n->configuration, DP_DELTA_KEY_MODE, DP_STR(""));
    *cause = field ? dp_arena_str(arena, dp_str(field->name, field->name_n)) : dp_str(NULL, 0);
    *mapped = field || dp_str_eqz(mode, "name");
    if (mode.n && !dp_str_eqz(mode, "name") && !dp_str_eqz(mode, "none"))
        return dp_err_set(err, DP_UNSUPPORTED, DP_DELTA_KEY_MODE "=%.*s is not supported for a new table; name is", DP_STR_FMT(mode));
    if (field && dp_str_eqz(mode, "none"))
        return dp_err_set(err, DP_SCHEMA, "column \"%s\": the name holds one of \" ,;{}()=\", a tab or a newline, which needs " DP_DELTA_KEY_MODE "=name", field->name);
    return DP_OK;
}

static void configure(const struct dp_delta_pairs *given, bool mapped, int32_t max_id, struct dp_arena *arena, struct dp_delta_pairs *out) {
    char text[24];
    out->v = dp_arena_calloc(arena, given->n + 2, sizeof *out->v);
    for (size_t i = 0; i < given->n; i++)
        if (!mapped || !dp_str_eqz(given->v[i].key, DP_DELTA_KEY_MODE)) out->v[out->n++] = given->v[i];
    if (!mapped) return;
    size_t n = dp_print_i64(text, max_id);
    out->v[out->n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_KEY_MODE), DP_STR("name"), false};
    out->v[out->n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_KEY_MAX_ID), dp_arena_str(arena, dp_str(text, n)), false};
}

enum dp_status dp_delta_new_table(const struct dp_delta_new *n, struct dp_arena *arena, struct dp_delta_protocol *protocol,
                                  struct dp_delta_metadata *metadata, struct dp_str *cause, struct dp_err *err) {
    struct dp_buf b = {0};
    char id[37];
    bool mapped;
    if (!n->schema->n_children) return dp_err_set(err, DP_SCHEMA, "a table needs at least one column");
    if (n->partition_columns->n && n->partition_columns->n >= n->schema->n_children)
        return dp_err_set(err, DP_SCHEMA, "a table needs at least one column that is not a partition column");
    DP_TRY(choose_mapping(n, arena, &mapped, cause, err));
    DP_TRY(check_partition_columns(n->schema, n->partition_columns, err));
    choose_protocol(n->schema, mapped, arena, protocol);
    struct dp_type *schema = dp_type_copy(n->schema);
    int32_t max_id = mapped ? dp_delta_mapping_assign(schema, n->names_are_physical) : 0;
    dp_delta_schema_print(schema, &b);
    dp_type_free(schema);
    dp_uuid(id);
    memset(metadata, 0, sizeof *metadata);
    metadata->id = dp_arena_str(arena, dp_str_z(id));
    if (n->name) metadata->name = dp_arena_str(arena, dp_str_z(n->name));
    metadata->provider = DP_STR("parquet");
    metadata->schema_string = dp_arena_str(arena, dp_buf_str(&b));
    metadata->partition_columns = *n->partition_columns;
    metadata->partition_columns.is_set = true;
    metadata->created_time = n->now_ms;
    configure(n->configuration, mapped, max_id, arena, &metadata->configuration);
    dp_buf_release(&b);
    return DP_OK;
}
