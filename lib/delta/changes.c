/*
 * The change data feed (dp/delta/changes.h; digest section 13): each commit of the range is read, what it says of rows becomes a list of files, and these are
 * scanned like those of a snapshot, in a view of the table that has three more columns.  Those are partition columns of the view, whose values this file
 * puts into copies of the actions; of change data files _change_type alone is a column like any other.
 * What it does not do: hand out more than one task at a time, or undo renames: a column that the last version of the range has not is refused.
 */
#include "mtime_priv.h"
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/delta/changes.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/record/cast.h>

#include <errno.h>
#include <stdlib.h>

enum { N_OWN = 3 }; /* columns of the feed */

/* Snapshots serve for their schema, metaData and paths: files that are read have their statistics from the commits themselves. */
static const struct dp_delta_how bare = {.skip_stats = true};

/* What a commit says, as far as the feed asks. */
struct commit {
    struct dp_delta_file *adds, *removes, *cdcs;
    size_t n_adds, n_removes, n_cdcs, cap_adds, cap_removes, cap_cdcs;
    struct dp_delta_metadata metadata;
    struct dp_delta_protocol protocol;
    bool has_metadata, has_protocol;
    int64_t in_commit_timestamp;
};

struct dp_delta_changes {
    const struct dp_delta_changes_opts *o;
    struct dp_delta_snapshot *end;      /* of the range's last version at open */
    struct dp_delta_snapshot view[2];   /* of data files, of change data files: borrow from end all but these */
    struct dp_type *schema, *physical;
    const char **columns;
    size_t n_columns;
    int64_t version, until, first_end;  /* first_end: until at open */
    int64_t timestamp_ms;               /* of the latest version that was looked at */
    int64_t timed;                      /* which one that is, -1: none */
    struct dp_arena arena;              /* of the version that is being read */
    struct dp_arena kept;               /* of the views */
    struct dp_delta_lines *lines;       /* reads the commits */
    struct commit commit;
    struct dp_delta_picked *picked;
    size_t n_picked, cap_picked;
    struct dp_delta_file *files;        /* of picked, for the scan */
    const char **paths;
    size_t cap_files, cap_paths;
    struct dp_delta_scan *scan;         /* of the version; NULL: none is begun */
    struct dp_delta_scan *shape;        /* without files: whose schema is that of all */
};

/* ---- the view ---- */

static struct dp_type *add_own(const struct dp_type *schema) {
    static const struct {
        const char *name;
        enum dp_type_id id;
    } own[N_OWN] = {{DP_DELTA_CHANGE_TYPE, DP_TYPE_STRING}, {DP_DELTA_COMMIT_VERSION, DP_TYPE_INT64}, {DP_DELTA_COMMIT_TIMESTAMP, DP_TYPE_TIMESTAMP}};
    struct dp_type *t = dp_type_copy(schema);
    for (size_t i = 0; i < N_OWN; i++) {
        struct dp_type *c = dp_type_new(own[i].id, dp_str_z(own[i].name));
        c->utc = own[i].id == DP_TYPE_TIMESTAMP;
        dp_type_add(t, c);
    }
    return t;
}

static struct dp_delta_strs add_partitions(struct dp_delta_changes *c, const struct dp_delta_strs *columns, bool with_type) {
    struct dp_delta_strs s = {dp_arena_calloc(&c->kept, columns->n + N_OWN, sizeof(struct dp_str)), columns->n, true};
    if (columns->n) memcpy(s.v, columns->v, columns->n * sizeof *s.v);
    if (with_type) s.v[s.n++] = DP_STR(DP_DELTA_CHANGE_TYPE);
    s.v[s.n++] = DP_STR(DP_DELTA_COMMIT_VERSION);
    s.v[s.n++] = DP_STR(DP_DELTA_COMMIT_TIMESTAMP);
    return s;
}

static enum dp_status make_view(struct dp_delta_changes *c, struct dp_err *err) {
    static const char *const own[N_OWN] = {DP_DELTA_CHANGE_TYPE, DP_DELTA_COMMIT_VERSION, DP_DELTA_COMMIT_TIMESTAMP};
    for (size_t i = 0; i < N_OWN; i++)
        if (dp_type_child(c->end->schema, dp_str_z(own[i])))
            return dp_err_set(err, DP_UNSUPPORTED, "%s has a column %s of its own, which is the feed's", c->end->table, own[i]);
    c->schema = add_own(c->end->schema);
    c->physical = add_own(c->end->physical);
    for (size_t i = 0; i < 2; i++) {
        struct dp_delta_snapshot *v = &c->view[i];
        *v = *c->end;
        v->schema = c->schema;
        v->physical = c->physical;
        v->metadata.partition_columns = add_partitions(c, &c->end->metadata.partition_columns, i == 0);
        v->partition_keys = add_partitions(c, &c->end->partition_keys, i == 0);
    }
    return DP_OK;
}

static void take_column(struct dp_delta_changes *c, const char *name) {
    for (size_t i = 0; i < c->n_columns; i++)
        if (!strcmp(c->columns[i], name)) return;
    c->columns[c->n_columns++] = name;
}

/* Columns of all scans: those asked for, those of the feed, what else is needed.  Extra ones that there are not are the expression's to miss. */
static void choose_columns(struct dp_delta_changes *c) {
    const struct dp_delta_changes_opts *o = c->o;
    size_t n = o->columns ? o->n_columns : c->end->schema->n_children;
    c->columns = dp_calloc(n + o->n_extra + N_OWN + 1, sizeof *c->columns);
    for (size_t i = 0; i < n; i++) take_column(c, o->columns ? o->columns[i] : c->end->schema->children[i]->name);
    take_column(c, DP_DELTA_CHANGE_TYPE);
    take_column(c, DP_DELTA_COMMIT_VERSION);
    take_column(c, DP_DELTA_COMMIT_TIMESTAMP);
    for (size_t i = 0; i < o->n_extra; i++)
        if (dp_type_child(c->schema, dp_str_z(o->extra[i]))) take_column(c, o->extra[i]);
}

/* ---- may these versions be read as one feed? ---- */

static bool has_feed(const struct dp_delta_metadata *m) {
    return dp_delta_is_on(m, "delta.enableChangeDataFeed") || dp_delta_is_on(m, "delta.enableChangeDataCapture");
}

static enum dp_status check_on(const struct dp_delta_changes *c, const struct dp_delta_metadata *m, int64_t version, struct dp_err *err) {
    if (has_feed(m) || c->o->from_files) return DP_OK;
    return dp_err_set(err, DP_UNSUPPORTED, "%s: the change data feed (delta.enableChangeDataFeed) is off in version %lld; --from-files makes changes of its files, in which "
                      "rows that were only rewritten are a delete and an insert", c->end->table, (long long)version);
}

/* Can what was written as `old` be read as `now`?  Both have physical names.  False with the place in `why`. */
static bool fits(const struct dp_type *old, const struct dp_type *now, struct dp_buf *why) {
    if (old->id == DP_TYPE_STRUCT && now->id == DP_TYPE_STRUCT) {
        for (size_t i = 0; i < old->n_children; i++) {
            const struct dp_type *o = old->children[i], *n = dp_type_child(now, dp_str(o->name, o->name_n));
            if (!n) return dp_buf_addf(why, "column %.*s, which the last version of the range has not", (int)o->name_n, o->name), false;
            if (!fits(o, n, why)) return false;
        }
        return true;
    }
    bool same = old->id == now->id && old->n_children == now->n_children;
    if (same && old->n_children) {
        for (size_t i = 0; i < old->n_children; i++)
            if (!fits(old->children[i], now->children[i], why)) return false;
        return true;
    }
    if (!dp_type_is_nested(old) && !dp_type_is_nested(now) && dp_cast_widens(now, old)) return true;
    dp_buf_addf(why, "column %.*s as ", (int)old->name_n, old->name);
    dp_delta_type_print(old, why);
    dp_buf_addz(why, ", which in the last version of the range is ");
    dp_delta_type_print(now, why);
    return false;
}

static enum dp_status check_schema(const struct dp_delta_changes *c, const struct dp_delta_protocol *p, const struct dp_delta_metadata *m, int64_t version, struct dp_err *err) {
    struct dp_type *schema = NULL, *physical = NULL;
    enum dp_delta_mapping mode;
    struct dp_buf why = {0};
    bool is_later = version > c->first_end;
    enum dp_status status = dp_delta_mapping_mode(p, m, &mode, err);
    if (status == DP_OK) status = dp_delta_schema_parse(m->schema_string, &schema, err);
    if (status == DP_OK) status = dp_delta_schema_physical(schema, mode, &physical, err);
    if (status == DP_OK && !dp_delta_strs_equal(&m->partition_columns, &c->end->metadata.partition_columns)) dp_buf_addz(&why, "other partition columns");
    else if (status == DP_OK && !(is_later ? fits(c->end->physical, physical, &why) && fits(physical, c->end->physical, &why) : fits(physical, c->end->physical, &why))) {}
    dp_type_free(schema);
    dp_type_free(physical);
    if (status == DP_OK && why.n && is_later)
        status = dp_err_set(err, DP_AGAIN, "%s: version %lld changes the schema; read on from there to have its columns", c->end->table, (long long)version);
    else if (status == DP_OK && why.n)
        status = dp_err_set(err, DP_UNSUPPORTED, "%s: version %lld has %s: read the versions up to there and those behind apart (--until)", c->end->table,
                            (long long)version, dp_buf_z(&why));
    dp_buf_release(&why);
    return status;
}

/* ---- time ---- */

static int64_t mtime_ms(const char *table, int64_t version) {
    char *path = dp_delta_commit_path(table, version);
    int64_t ms = delta_mtime_ms(path, 0);
    free(path);
    return ms;
}

/* The commit's own time where it has one, else its file's, later than that of the version before. */
static void tell_time(struct dp_delta_changes *c, int64_t version, int64_t own) {
    int64_t ms = own != DP_DELTA_UNSET ? own : mtime_ms(c->end->table, version);
    if (own == DP_DELTA_UNSET && c->timed >= 0 && ms <= c->timestamp_ms) ms = c->timestamp_ms + 1;
    c->timestamp_ms = ms;
    c->timed = version;
}

/* Times of the versions before the range, on which those of the range may depend. */
static void tell_times_before(struct dp_delta_changes *c, const struct dp_delta_log *log) {
    for (size_t i = 0; i < log->n_commits && log->commits[i] <= c->version; i++) tell_time(c, log->commits[i], DP_DELTA_UNSET);
}

/* ---- open ---- */

static enum dp_status check_gap(const struct dp_delta_changes *c, const struct dp_delta_log *log, struct dp_err *err) {
    for (int64_t v = c->version + 1; v <= c->until; v++) {
        if (dp_delta_log_has_commit(log, v)) continue;
        return dp_err_set(err, DP_IO, "%s: the commit of version %lld is gone (old log entries are cleaned up): its changes can't be told any more; the oldest is %lld",
                          c->end->table, (long long)v, (long long)(log->n_commits ? log->commits[0] : -1));
    }
    return DP_OK;
}

static enum dp_status open_range(struct dp_delta_changes *c, const char *table, struct dp_err *err) {
    struct dp_delta_log log;
    struct dp_delta_snapshot *start = NULL;
    int64_t since = c->o->since;
    DP_TRY(dp_delta_open_how(table, c->o->until, &bare, &c->end, err));
    c->until = c->first_end = c->end->version;
    c->version = since - 1;
    if (c->o->until < 0 && since > c->until + 1)
        return dp_err_set(err, DP_USAGE, "%s has no version %lld: the latest is %lld", table, (long long)since, (long long)c->until);
    DP_TRY(dp_delta_log_list(table, &log, err));
    enum dp_status status = check_gap(c, &log, err);
    if (status == DP_OK) tell_times_before(c, &log);
    dp_delta_log_release(&log);
    if (status == DP_OK) status = make_view(c, err);
    if (since >= c->until) start = c->end;
    else if (status == DP_OK) status = dp_delta_open_how(table, since, &bare, &start, err);
    if (status == DP_OK) status = check_on(c, &start->metadata, start->version, err);
    if (status == DP_OK) status = check_schema(c, &start->protocol, &start->metadata, start->version, err);
    if (start != c->end) dp_delta_close(start);
    return status;
}

enum dp_status dp_delta_changes_open(const char *table, const struct dp_delta_changes_opts *o, struct dp_delta_changes **out, struct dp_err *err) {
    struct dp_delta_changes *c = dp_calloc(1, sizeof *c);
    c->o = o;
    c->timed = -1;
    c->lines = dp_delta_lines_open(0);
    enum dp_status status = open_range(c, table, err);
    if (status == DP_OK) {
        choose_columns(c);
        status = dp_delta_scan_open(&c->view[0], c->columns, c->n_columns, NULL, &c->shape, err);
    }
    if (status == DP_OK) *out = c;
    else dp_delta_changes_close(c);
    return status;
}

static void forget_commit(struct dp_delta_changes *c) {
    struct commit *m = &c->commit;
    dp_delta_scan_close(c->scan);
    c->scan = NULL;
    m->n_adds = m->n_removes = m->n_cdcs = c->n_picked = 0;
    m->has_metadata = m->has_protocol = false;
    m->in_commit_timestamp = DP_DELTA_UNSET;
    dp_arena_reset(&c->arena);
}

void dp_delta_changes_close(struct dp_delta_changes *c) {
    if (!c) return;
    dp_delta_scan_close(c->scan);
    dp_delta_scan_close(c->shape);
    free(c->commit.adds), free(c->commit.removes), free(c->commit.cdcs);
    free(c->picked), free(c->files), free(c->paths), free(c->columns);
    dp_type_free(c->schema);
    dp_type_free(c->physical);
    dp_arena_release(&c->arena);
    dp_arena_release(&c->kept);
    dp_delta_lines_close(c->lines);
    dp_delta_close(c->end);
    free(c);
}

const struct dp_type *dp_delta_changes_schema(const struct dp_delta_changes *c) { return dp_delta_scan_schema(c->shape); }
const char *dp_delta_changes_table_id(const struct dp_delta_changes *c) { return c->end->metadata.id.p ? c->end->metadata.id.p : ""; }
int64_t dp_delta_changes_version(const struct dp_delta_changes *c) { return c->version; }
int64_t dp_delta_changes_until(const struct dp_delta_changes *c) { return c->until; }

enum dp_status dp_delta_changes_renew(struct dp_delta_changes *c, bool *more, struct dp_err *err) {
    struct dp_delta_log log;
    DP_TRY(dp_delta_log_list(c->end->table, &log, err));
    int64_t latest = dp_delta_log_latest(&log);
    *more = latest > c->until;
    if (*more) c->until = latest;
    enum dp_status status = *more ? check_gap(c, &log, err) : DP_OK;
    dp_delta_log_release(&log);
    return status;
}

/* ---- one version ---- */

static void keep_file(struct dp_delta_file **v, size_t *n, size_t *cap, const struct dp_delta_file *f) {
    *v = dp_grow(*v, cap, *n + 1, sizeof **v);
    (*v)[(*n)++] = *f;
}

static enum dp_status see_action(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct commit *m = ctx;
    (void)err;
    switch (a->kind) {
    case DP_DELTA_ADD:
        if (a->u.file.data_change) keep_file(&m->adds, &m->n_adds, &m->cap_adds, &a->u.file);
        break;
    case DP_DELTA_REMOVE:
        if (a->u.file.data_change) keep_file(&m->removes, &m->n_removes, &m->cap_removes, &a->u.file);
        break;
    case DP_DELTA_CDC: keep_file(&m->cdcs, &m->n_cdcs, &m->cap_cdcs, &a->u.file); break;
    case DP_DELTA_METADATA: m->metadata = a->u.metadata, m->has_metadata = true; break;
    case DP_DELTA_PROTOCOL: m->protocol = a->u.protocol, m->has_protocol = true; break;
    case DP_DELTA_COMMIT_INFO: m->in_commit_timestamp = a->u.commit_info.in_commit_timestamp; break;
    case DP_DELTA_NONE: case DP_DELTA_TXN: case DP_DELTA_DOMAIN: case DP_DELTA_SIDECAR: case DP_DELTA_CHECKPOINT: break;
    }
    return DP_OK;
}

/* A remove of a writer that does not say what the file's partition is: the version before knows. */
static enum dp_status complete_removes(struct dp_delta_changes *c, struct dp_err *err) {
    struct dp_delta_snapshot *before = NULL;
    struct dp_buf key = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < c->commit.n_removes && c->end->metadata.partition_columns.n && status == DP_OK; i++) {
        struct dp_delta_file *f = &c->commit.removes[i];
        if (f->partition_values.n) continue;
        if (!before) status = dp_delta_open_how(c->end->table, c->version - 1, &bare, &before, err);
        if (status != DP_OK) break;
        dp_buf_reset(&key);
        dp_delta_file_key(f, &key);
        const struct dp_map_item *it = dp_map_get(&before->files, dp_buf_str(&key));
        if (!it) continue;
        const struct dp_delta_file *add = it->v.p;
        f->partition_values.n = add->partition_values.n;
        f->partition_values.v = dp_arena_calloc(&c->arena, add->partition_values.n + 1, sizeof *f->partition_values.v);
        for (size_t k = 0; k < add->partition_values.n; k++) {
            struct dp_delta_pair p = add->partition_values.v[k];
            f->partition_values.v[k] = (struct dp_delta_pair){dp_arena_str(&c->arena, p.key), dp_arena_str(&c->arena, p.value), p.is_null};
        }
    }
    dp_delta_close(before);
    dp_buf_release(&key);
    return status;
}

/* The view's values of its own columns, behind the file's. */
static void add_values(struct dp_delta_changes *c, struct dp_delta_file *f, const char *type) {
    char text[40];
    struct dp_delta_pairs *p = &f->partition_values;
    struct dp_delta_pair *v = dp_arena_calloc(&c->arena, p->n + N_OWN, sizeof *v);
    if (p->n) memcpy(v, p->v, p->n * sizeof *v);
    if (type) v[p->n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_CHANGE_TYPE), dp_str_z(type), false};
    size_t n = dp_print_i64(text, c->version);
    v[p->n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_COMMIT_VERSION), dp_arena_str(&c->arena, dp_str(text, n)), false};
    n = dp_time_print_micros(text, c->timestamp_ms * 1000, true, 6);
    v[p->n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_COMMIT_TIMESTAMP), dp_arena_str(&c->arena, dp_str(text, n)), false};
    p->v = v;
}

/* Rows of f; where it is the half of a pair, only those that the other half deletes. */
static enum dp_status pick(struct dp_delta_changes *c, const struct dp_delta_file *f, const char *type, const struct dp_delta_dv *other, struct dp_err *err) {
    struct dp_buf path = {0};
    size_t n = c->n_picked;
    DP_TRY(dp_delta_path_resolve(c->end->table, f->path, &path, err));
    c->picked = dp_grow(c->picked, &c->cap_picked, n + 1, sizeof *c->picked);
    c->files = dp_grow(c->files, &c->cap_files, n + 1, sizeof *c->files);
    c->paths = dp_grow(c->paths, &c->cap_paths, n + 1, sizeof *c->paths);
    c->files[n] = *f;
    if (other) c->files[n].stats = c->files[n].stats_parsed = (struct dp_str){0}; /* they may be of other rows */
    add_values(c, &c->files[n], type);
    c->paths[n] = dp_arena_str(&c->arena, dp_buf_str(&path)).p;
    c->picked[n] = (struct dp_delta_picked){.is_pair = other != NULL, .deleted = f->dv};
    if (other) c->picked[n].wanted = *other;
    c->n_picked++;
    dp_buf_release(&path);
    return DP_OK;
}

static bool same_dv(const struct dp_delta_dv *a, const struct dp_delta_dv *b) {
    if (!a->storage.p || !b->storage.p) return a->storage.p == b->storage.p;
    return dp_str_eq(a->storage, b->storage) && dp_str_eq(a->path, b->path) && a->offset == b->offset;
}

static void note_paths(const struct dp_delta_file *files, size_t n, struct dp_map *to) {
    struct dp_buf key = {0};
    for (size_t i = 0; i < n; i++) {
        dp_buf_reset(&key);
        dp_delta_path_key(files[i].path, &key);
        dp_map_put(to, dp_buf_str(&key), NULL)->v.u = i + 1;
    }
    dp_buf_release(&key);
}

/* The rows of the files that the other side of the commit has not; of those that it has, the rows by which their deletion vectors differ. */
static enum dp_status pick_side(struct dp_delta_changes *c, const struct dp_delta_file *files, size_t n, const struct dp_delta_file *others, const struct dp_map *paths,
                                const char *type, struct dp_err *err) {
    struct dp_buf key = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        dp_buf_reset(&key);
        dp_delta_path_key(files[i].path, &key);
        const struct dp_map_item *it = dp_map_get(paths, dp_buf_str(&key));
        const struct dp_delta_dv *other = it ? &others[it->v.u - 1].dv : NULL;
        if (!other) status = pick(c, &files[i], type, NULL, err);
        else if (other->storage.p && !same_dv(&files[i].dv, other)) status = pick(c, &files[i], type, other, err);
    }
    dp_buf_release(&key);
    return status;
}

/* Deletes first: who applies the changes in their order ends with what is there. */
static enum dp_status pick_files(struct dp_delta_changes *c, struct dp_err *err) {
    struct commit *m = &c->commit;
    struct dp_map added = {0}, removed = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < m->n_cdcs && status == DP_OK; i++) status = pick(c, &m->cdcs[i], NULL, NULL, err);
    if (m->n_cdcs) return status;
    note_paths(m->adds, m->n_adds, &added);
    note_paths(m->removes, m->n_removes, &removed);
    status = complete_removes(c, err);
    if (status == DP_OK) status = pick_side(c, m->removes, m->n_removes, m->adds, &added, "delete", err);
    if (status == DP_OK) status = pick_side(c, m->adds, m->n_adds, m->removes, &removed, "insert", err);
    dp_map_release(&added);
    dp_map_release(&removed);
    return status;
}

/* Reads the commit behind `version`, which it becomes, and begins its scan where it has changes. */
static enum dp_status begin_version(struct dp_delta_changes *c, struct dp_err *err) {
    struct commit *m = &c->commit;
    int64_t version = c->version + 1;
    forget_commit(c);
    char *path = dp_delta_commit_path(c->end->table, version);
    enum dp_status status = dp_delta_lines_file(c->lines, path, &c->arena, see_action, m, err);
    free(path);
    if (status == DP_OK && m->has_protocol) status = dp_delta_check_read(&m->protocol, err);
    if (status == DP_OK && m->has_metadata) status = check_on(c, &m->metadata, version, err);
    if (status == DP_OK && m->has_metadata) status = check_schema(c, m->has_protocol ? &m->protocol : &c->end->protocol, &m->metadata, version, err);
    if (status != DP_OK) return status;
    tell_time(c, version, m->in_commit_timestamp);
    c->version = version;
    DP_TRY(pick_files(c, err));
    if (!c->n_picked) return DP_OK;
    DP_TRY(dp_delta_scan_open(&c->view[m->n_cdcs > 0], c->columns, c->n_columns, c->o->where, &c->scan, err));
    dp_delta_scan_only(c->scan, c->files, c->paths, c->n_picked);
    dp_delta_scan_pick(c->scan, c->picked);
    dp_delta_scan_bound(c->scan, c->o->memory);
    return DP_OK;
}

enum dp_status dp_delta_changes_next(struct dp_delta_changes *c, struct dp_delta_task **task, struct dp_err *err) {
    *task = NULL;
    if (!c->scan) {
        if (c->version >= c->until) return DP_END;
        DP_TRY(begin_version(c, err));
        if (!c->scan) return DP_OK;
    }
    enum dp_status status = dp_delta_scan_next(c->scan, task, err);
    if (status == DP_IO && err && err->sys_errno == ENOENT) (void)dp_err_prefix(err, "version %lld: a file that tells its changes is gone (vacuumed): ", (long long)c->version);
    if (status != DP_END) return status;
    dp_delta_scan_close(c->scan);
    c->scan = NULL;
    return DP_OK;
}

/* ---- since when ---- */

struct switches {
    int64_t version, start; /* the version that is read; the first of the feed's latest run, -1: it is off */
};

static enum dp_status see_switch(void *ctx, const struct dp_delta_action *a, struct dp_err *err) {
    struct switches *w = ctx;
    (void)err;
    if (a->kind != DP_DELTA_METADATA) return DP_OK;
    if (!has_feed(&a->u.metadata)) w->start = -1;
    else if (w->start < 0) w->start = w->version;
    return DP_OK;
}

enum dp_status dp_delta_feed_start(const char *table, int64_t *version, struct dp_err *err) {
    struct dp_delta_log log;
    struct dp_arena arena = {0};
    struct dp_delta_snapshot *s = NULL;
    DP_TRY(dp_delta_log_list(table, &log, err));
    size_t first = log.n_commits;
    while (first > 0 && (first == log.n_commits || log.commits[first - 1] + 1 == log.commits[first])) first--; /* of the unbroken run at the end */
    int64_t from = log.n_commits ? log.commits[first] : 0;
    for (size_t i = 0; from > 0 && i < log.n_checkpoints; i++) /* a version that can be opened: what is in front of the first checkpoint can't */
        if (log.checkpoints[i].version >= from) {
            from = log.checkpoints[i].version;
            break;
        }
    enum dp_status status = dp_delta_open_how(table, from, &bare, &s, err);
    struct dp_delta_lines *lines = dp_delta_lines_open(DP_DELTA_NO_STATS);
    struct switches w = {.start = status == DP_OK && has_feed(&s->metadata) ? from : -1};
    for (size_t i = first; i < log.n_commits && status == DP_OK; i++) {
        if (log.commits[i] <= from) continue;
        char *path = dp_delta_commit_path(table, w.version = log.commits[i]);
        status = dp_delta_lines_file(lines, path, &arena, see_switch, &w, err);
        free(path);
        dp_arena_reset(&arena);
    }
    *version = w.start < 0 ? from : w.start;
    dp_delta_lines_close(lines);
    dp_arena_release(&arena);
    dp_delta_close(s);
    dp_delta_log_release(&log);
    return status;
}

enum dp_status dp_delta_since(const char *table, struct dp_str text, int64_t *version, struct dp_err *err) {
    struct dp_delta_history *h;
    struct dp_arena arena = {0};
    size_t n = 0, i = 0;
    int64_t want;
    if (dp_parse_i64(text, version)) {
        if (*version >= 0) return DP_OK;
        return dp_err_set(err, DP_USAGE, "version %.*s: versions begin with 0", DP_STR_FMT(text));
    }
    if (!dp_delta_instant(text, &want)) return dp_err_set(err, DP_USAGE, "\"%.*s\" is neither a version nor a time (RFC 3339)", DP_STR_FMT(text));
    enum dp_status status = dp_delta_history_read(table, &arena, &h, &n, err);
    while (status == DP_OK && i < n && h[i].timestamp_ms < want) i++;
    if (status == DP_OK) *version = i < n ? h[i].version : n ? h[n - 1].version + 1 : 0;
    dp_arena_release(&arena);
    return status;
}
