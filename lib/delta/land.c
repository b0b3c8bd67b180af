/*
 * Landing of finished Parquet files (digest sections 7, 8 and 17): each is checked against the table, gets its statistics and partition values,
 * and is renamed from staging to its place.  Between the renames and the log entry a file is there that no reader sees: a run that dies then leaves
 * an orphan, never a row.
 */
#include "mtime_priv.h"
#include <dp/base/file.h>
#include <dp/delta/hold.h>
#include <dp/delta/land.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/delta/stats.h>
#include <dp/parquet/reader.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct landed {
    char *from;       /* as given; NULL: in its place already */
    char *to;         /* decoded, with the table in front */
    bool requires;    /* what the table requires inside of columns the file does too */
};

struct dp_delta_landing {
    const char *table;
    const struct dp_delta_snapshot *snapshot;
    struct dp_delta_evolved *evolved; /* NULL: the schema stays */
    struct dp_type *schema;       /* of the table: the snapshot's or that of the first file */
    bool owns_schema;
    struct dp_type *data;         /* physical schema without partition columns */
    struct dp_type *data_names;   /* the same with the table's names */
    struct dp_delta_strs partition_columns;
    struct dp_delta_strs partition_keys; /* the same by their physical names: what files and actions have */
    struct dp_delta_stats_opts stats;
    struct dp_delta_file *files;
    struct landed *landed;
    size_t n, cap_files, cap_landed, known;
    int64_t rows, bytes;
    struct dp_delta_hold hold;    /* from the first rename on */
    struct dp_arena arena;
};

struct dp_delta_landing *dp_delta_landing_open(const char *table, const struct dp_delta_snapshot *snapshot) {
    struct dp_delta_landing *l = dp_calloc(1, sizeof *l);
    struct dp_delta_pairs none = {0};
    l->table = table;
    l->snapshot = snapshot;
    l->hold = (struct dp_delta_hold)DP_DELTA_HOLD_INIT;
    dp_delta_stats_configure(snapshot ? &snapshot->metadata.configuration : &none, &l->arena, &l->stats);
    if (snapshot && dp_delta_has_feature(&snapshot->protocol, "clustering")) l->stats.indexed_columns = -1;
    return l;
}

void dp_delta_landing_evolve(struct dp_delta_landing *l, struct dp_delta_evolved *e) { l->evolved = e; }
const struct dp_delta_snapshot *dp_delta_landing_snapshot(const struct dp_delta_landing *l) { return l->snapshot; }

void dp_delta_landing_close(struct dp_delta_landing *l) {
    if (!l) return;
    dp_delta_hold_release(&l->hold);
    for (size_t i = 0; i < l->n; i++) free(l->landed[i].from), free(l->landed[i].to);
    if (l->owns_schema) dp_type_free(l->schema);
    dp_type_free(l->data);
    dp_type_free(l->data_names);
    dp_arena_release(&l->arena);
    free(l->files);
    free(l->landed);
    free(l);
}

/* ---- partition values ---- */

static enum dp_status read_partition_values(struct dp_delta_landing *l, const struct dp_pq_meta *m, struct dp_delta_pairs *out, struct dp_err *err) {
    if (dp_delta_file_values(m, &l->arena, out, err) == DP_OK) return DP_OK;
    return dp_err_set(err, DP_FORMAT, "its key-value metadata " DP_DELTA_KV_PARTITION " is not an object of strings and nulls");
}

/* All partition columns of the table, in its order; each value must be one of its type. */
static enum dp_status settle_partition_values(struct dp_delta_landing *l, struct dp_delta_pairs *values, struct dp_err *err) {
    struct dp_delta_pairs all = {dp_arena_calloc(&l->arena, l->partition_columns.n + 1, sizeof *all.v), 0};
    struct dp_buf json = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < l->partition_columns.n && status == DP_OK; i++) {
        struct dp_str column = l->partition_columns.v[i];
        const struct dp_delta_pair *v = dp_delta_pairs_get(values, l->partition_keys.v[i]);
        const struct dp_type *t = dp_type_child(l->schema, column);
        if (!v) {
            status = dp_err_set(err, DP_SCHEMA, "it has no value of partition column %.*s in its key-value metadata (" DP_DELTA_KV_PARTITION ")", DP_STR_FMT(column));
            break;
        }
        if (!v->is_null && !v->value.n) {
            status = dp_err_set(err, DP_RULE, "partition column %.*s is an empty string, which no Delta table can tell from null (for a table that dp-table "
                                "create made, dp-partition sets such records aside)", DP_STR_FMT(column));
            break;
        }
        bool is_null = v->is_null;
        all.v[all.n] = *v;
        all.v[all.n].is_null = is_null;
        all.n++;
        if (is_null && !t->nullable) status = dp_err_set(err, DP_RULE, "partition column %.*s is required and null", DP_STR_FMT(column));
        else status = dp_delta_partition_json(t, v->value, is_null, &json, err);
        if (status == DP_FORMAT) status = DP_SCHEMA, err ? (void)(err->status = DP_SCHEMA) : (void)0;
    }
    for (size_t i = 0; i < values->n && status == DP_OK; i++)
        if (!dp_delta_pairs_get(&all, values->v[i].key))
            status = dp_err_set(err, DP_SCHEMA, "it is partitioned by %.*s, the table is not", DP_STR_FMT(values->v[i].key));
    dp_buf_release(&json);
    *values = all;
    return status;
}

/* ---- schema ---- */

static enum dp_status schema_of_file(const struct dp_pq_file *f, struct dp_type **out, struct dp_err *err) {
    struct dp_type *whole;
    enum dp_status status = dp_delta_file_schema(dp_pq_meta(f), &whole, err);
    if (status == DP_RECORD) return dp_err_set(err, DP_FORMAT, "its key-value metadata " DP_DELTA_KV_SCHEMA " is not a schema");
    if (status == DP_OK) status = dp_delta_schema_fit(whole ? whole : dp_pq_schema(f), out, err);
    dp_type_free(whole);
    return status;
}

/* The table's schema; for a table that does not exist yet the first file's, and its partition columns. */
static enum dp_status settle_schema(struct dp_delta_landing *l, const struct dp_pq_file *f, const struct dp_delta_pairs *values, struct dp_err *err) {
    if (l->schema) return DP_OK;
    if (l->snapshot) {
        l->schema = l->snapshot->schema;
        l->partition_columns = l->snapshot->metadata.partition_columns;
        l->partition_keys = l->snapshot->partition_keys;
    } else {
        DP_TRY(schema_of_file(f, &l->schema, err));
        l->owns_schema = true;
        l->partition_columns = (struct dp_delta_strs){dp_arena_calloc(&l->arena, values->n + 1, sizeof(struct dp_str)), values->n, true};
        l->partition_keys = l->partition_columns; /* the files' names become the physical ones, mapped or not */
        for (size_t i = 0; i < values->n; i++) {
            l->partition_columns.v[i] = values->v[i].key;
            if (!dp_type_child(l->schema, values->v[i].key))
                return dp_err_set(err, DP_SCHEMA, "the type of partition column %.*s is not known; create the table first", DP_STR_FMT(values->v[i].key));
        }
    }
    dp_delta_data_columns(l->schema, l->snapshot ? l->snapshot->physical : l->schema, &l->partition_columns, &l->data, &l->data_names);
    l->stats.names = l->data_names;
    return DP_OK;
}

/* The columns of a file by the table's names; NULL: a file of a mapped table that names none but the table's. */
static enum dp_status columns_of_file(const struct dp_delta_landing *l, const struct dp_pq_file *f, struct dp_type **out, struct dp_err *err) {
    struct dp_str text;
    *out = NULL;
    if (l->snapshot->mapping == DP_DELTA_MAPPING_NONE) return schema_of_file(f, out, err);
    return dp_pq_find_value(dp_pq_meta(f), DP_DELTA_KV_EVOLVED, &text) ? dp_delta_schema_parse(text, out, err) : DP_OK;
}

static enum dp_status evolve(struct dp_delta_landing *l, const struct dp_pq_file *f, struct dp_err *err) {
    struct dp_type *columns = NULL;
    bool changed = false;
    if (!l->evolved) return DP_OK;
    DP_TRY(columns_of_file(l, f, &columns, err));
    enum dp_status status = columns ? dp_delta_evolve_with(l->evolved, columns, &changed, err) : DP_OK;
    dp_type_free(columns);
    if (status != DP_OK || !changed) return status;
    l->snapshot = dp_delta_evolve_snapshot(l->evolved);
    dp_type_free(l->data);
    dp_type_free(l->data_names);
    l->schema = l->data = l->data_names = NULL; /* settled anew */
    return DP_OK;
}

/* Is every field of a table's column that is required required in the file's? */
static bool requires(const struct dp_type *t, const struct dp_type *f) {
    for (size_t i = 0; i < t->n_children; i++) {
        const struct dp_type *c = t->children[i], *have = t->id == DP_TYPE_STRUCT ? dp_type_child(f, dp_str(c->name, c->name_n)) : i < f->n_children ? f->children[i] : NULL;
        bool is_key = t->id == DP_TYPE_MAP && i == 0;
        if (!is_key && !c->nullable && (!have || have->nullable)) return false;
        if (have && !requires(c, have)) return false;
    }
    return true;
}

static bool file_requires(const struct dp_delta_landing *l, const struct dp_type *file) {
    for (size_t i = 0; i < l->data->n_children; i++) {
        const struct dp_type *t = l->data->children[i], *f = dp_type_child(file, dp_str(t->name, t->name_n));
        if (f && !requires(t, f)) return false;
    }
    return true;
}

static int64_t count_nulls(const struct dp_pq_meta *m, int32_t leaf) {
    int64_t nulls = 0;
    for (size_t i = 0; i < m->n_row_groups; i++) {
        int64_t n = m->row_groups[i].chunks[leaf].stats.null_count;
        if (n < 0) return -1;
        nulls += n;
    }
    return nulls;
}

static int32_t find_element(const struct dp_pq_meta *m, int32_t parent, const struct dp_type *t) {
    for (size_t i = (size_t)parent + 1; i < m->n_elements; i++)
        if (m->elements[i].parent == parent && dp_str_eq(m->elements[i].name, dp_str(t->name, t->name_n))) return (int32_t)i;
    return -1;
}

/* The value of a column with a default must be in the file: nothing here makes one. */
static enum dp_status check_default(const struct dp_delta_landing *l, const struct dp_pq_meta *m, const struct dp_type *t, struct dp_err *err) {
    struct dp_buf text = {0};
    bool missing = t->metadata && l->snapshot && dp_delta_has_feature(&l->snapshot->protocol, "allowColumnDefaults") && find_element(m, 0, t) < 0 &&
                   dp_delta_field_meta(t, "CURRENT_DEFAULT", &text);
    dp_buf_release(&text);
    return missing ? dp_err_set(err, DP_UNSUPPORTED, "column %s has a default value, which is not made here: the file must have the column", t->name) : DP_OK;
}

/* A required column must be in the file and hold no null: by its declaration, or by the file's own count. */
static enum dp_status check_required(const struct dp_delta_landing *l, const struct dp_pq_meta *m, struct dp_err *err) {
    for (size_t i = 0; i < l->data->n_children; i++) {
        const struct dp_type *t = l->data->children[i];
        DP_TRY(check_default(l, m, t, err));
        if (t->nullable) continue;
        int32_t e = find_element(m, 0, t);
        if (e < 0) return dp_err_set(err, DP_RULE, "required column %s is not in the file", t->name);
        if (m->elements[e].repetition == DP_PQ_REQUIRED || m->num_rows == 0) continue;
        int64_t nulls = m->elements[e].leaf >= 0 ? count_nulls(m, m->elements[e].leaf) : -1;
        if (nulls > 0) return dp_err_set(err, DP_RULE, "required column %s holds %lld nulls", t->name, (long long)nulls);
        if (nulls < 0) return dp_err_set(err, DP_RULE, "required column %s may hold nulls: the file declares it optional and does not count them", t->name);
    }
    return DP_OK;
}

static bool is_mapped(const struct dp_delta_landing *l) { return l->snapshot && l->snapshot->mapping != DP_DELTA_MAPPING_NONE; }

static bool is_partition_key(const struct dp_delta_landing *l, const struct dp_type *column) {
    for (size_t i = 0; i < l->partition_keys.n; i++)
        if (dp_str_eqz(l->partition_keys.v[i], column->name)) return true;
    return false;
}

/* Where readers find columns by id, a file without the ids would read as null. */
static enum dp_status check_ids(const struct dp_type *t, const struct dp_type *f, struct dp_err *err) {
    if (t->field_id >= 0 && t->field_id != f->field_id)
        return dp_err_set(err, DP_SCHEMA, "column %s: the table maps columns by id (%d), the file has %d", t->name, (int)t->field_id, (int)f->field_id);
    for (size_t i = 0; i < f->n_children; i++) {
        const struct dp_type *c = f->children[i], *k = t->id != DP_TYPE_STRUCT ? t->children[i] : dp_type_child(t, dp_str(c->name, c->name_n));
        if (k) DP_TRY(check_ids(k, c, err));
    }
    return DP_OK;
}

/* Is it where rows that were moved keep their ids? */
static bool is_row_column(const struct dp_delta_landing *l, const struct dp_type *c) {
    if (!l->snapshot || c->id != DP_TYPE_INT64 || !dp_delta_has_feature(&l->snapshot->protocol, "rowTracking")) return false;
    const struct dp_delta_row_columns names = dp_delta_row_columns(&l->snapshot->metadata);
    return dp_str_eqz(names.id, c->name) || dp_str_eqz(names.version, c->name);
}

static enum dp_status check_schema(const struct dp_delta_landing *l, const struct dp_pq_file *f, struct dp_err *err) {
    const struct dp_type *file = dp_pq_schema(f);
    struct dp_buf why = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < file->n_children && status == DP_OK; i++) {
        const struct dp_type *c = file->children[i];
        const struct dp_type *t = dp_type_child(l->data, dp_str(c->name, c->name_n));
        if (!t) {
            if (!is_partition_key(l, c) && !is_row_column(l, c)) /* partition columns may stand in the file too */
                status = dp_err_set(err, DP_SCHEMA, "column %s is not in the table%s", c->name, is_mapped(l) ? ", whose files have physical names (column mapping)" : "");
        } else if (!dp_delta_file_fits(t, c, &why)) {
            status = dp_err_set(err, DP_SCHEMA, "%s", dp_buf_z(&why));
        } else if (l->snapshot && l->snapshot->mapping == DP_DELTA_MAPPING_ID) {
            status = check_ids(t, c, err);
        }
    }
    dp_buf_release(&why);
    return status == DP_OK ? check_required(l, dp_pq_meta(f), err) : status;
}

/* ---- places ---- */

/* The part of a path below the table, NULL when it is not below: by text first, then by the real directories. */
static char *below_table(const char *table, const char *path) {
    size_t n = strlen(table);
    while (n > 1 && table[n - 1] == '/') n--;
    if (!strncmp(path, table, n) && path[n] == '/') return dp_strdup(path + n + 1);
    if (!strcmp(table, ".") && path[0] != '/') return dp_strdup(path);
    char *t = realpath(table, NULL), *dir = dp_path_dir(path), *d = realpath(dir, NULL), *out = NULL;
    free(dir);
    n = t ? strlen(t) : 0;
    if (t && d && !strncmp(d, t, n) && (d[n] == '/' || !d[n]))
        out = d[n] ? dp_path_join(d + n + 1, dp_path_base(path)) : dp_strdup(dp_path_base(path));
    free(t);
    free(d);
    return out;
}

/* "_dp_staging/RUN/rest" -> "rest"; other paths as they are. */
static const char *strip_staging(const char *rel) {
    size_t n = strlen(DP_DELTA_STAGING);
    if (strncmp(rel, DP_DELTA_STAGING "/", n + 1) != 0) return rel;
    const char *slash = strchr(rel + n + 1, '/');
    return slash ? slash + 1 : NULL;
}

/* Directories as the staging has them, else the usual ones by partition value. */
static void final_place(const char *rest, const struct dp_delta_pairs *values, struct dp_buf *out) {
    if (!strchr(rest, '/'))
        for (size_t i = 0; i < values->n; i++) {
            dp_delta_hive_dir(values->v[i].key, values->v[i].value, values->v[i].is_null, out);
            dp_buf_addc(out, '/');
        }
    dp_buf_addz(out, rest);
}

static bool exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

/* The place below the table of a file by its name (which holds a UUID), NULL when it is nowhere; caller frees. */
static char *find_placed(const char *dir, const char *rel, const char *name, unsigned depth) {
    char *found = NULL;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && !found && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' || (e->d_name[0] == '_' && !strchr(e->d_name, '='))) continue;
        char *path = dp_path_join(dir, e->d_name), *below = *rel ? dp_path_join(rel, e->d_name) : dp_strdup(e->d_name);
        struct stat st;
        if (!strcmp(e->d_name, name)) found = dp_strdup(below);
        else if (depth < 32 && lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) found = find_placed(path, below, name, depth + 1);
        free(below);
        free(path);
    }
    if (d) closedir(d);
    return found;
}

static bool is_live(const struct dp_delta_landing *l, const char *place) {
    struct dp_buf key = {0};
    if (!l->snapshot) return false;
    dp_buf_addz(&key, place);
    bool live = dp_map_get(&l->snapshot->files, dp_buf_str(&key)) != NULL;
    dp_buf_release(&key);
    return live;
}

/* ---- one file ---- */

static enum dp_status describe(struct dp_delta_landing *l, const char *open_as, struct dp_delta_file *f, bool *declares, struct dp_err *err) {
    struct dp_pq_file *file = NULL;
    struct stat st;
    struct dp_buf stats = {0};
    DP_TRY(dp_pq_open(open_as, &file, err));
    enum dp_status status = read_partition_values(l, dp_pq_meta(file), &f->partition_values, err);
    if (status == DP_OK) status = evolve(l, file, err);
    if (status == DP_OK) status = settle_schema(l, file, &f->partition_values, err);
    if (status == DP_OK) status = settle_partition_values(l, &f->partition_values, err);
    if (status == DP_OK) status = check_schema(l, file, err);
    if (status == DP_OK && stat(open_as, &st) != 0) status = dp_err_sys(err, DP_IO, "cannot look at %s", open_as);
    if (status == DP_OK) {
        dp_delta_stats_print(dp_pq_meta(file), l->data, &l->stats, &stats);
        f->stats = dp_arena_str(&l->arena, dp_buf_str(&stats));
        f->size = st.st_size;
        f->modification_time = delta_stat_ms(&st);
        l->rows += dp_pq_meta(file)->num_rows;
        l->bytes += f->size;
        *declares = file_requires(l, dp_pq_schema(file));
    }
    dp_buf_release(&stats);
    dp_pq_close(file);
    return status;
}

static void keep_file(struct dp_delta_landing *l, struct dp_delta_file *f, const char *from, const char *place, bool declares) {
    struct dp_buf encoded = {0};
    dp_delta_path_encode(dp_str_z(place), &encoded);
    f->path = dp_arena_str(&l->arena, dp_buf_str(&encoded));
    dp_buf_release(&encoded);
    l->files = dp_grow(l->files, &l->cap_files, l->n + 1, sizeof *l->files);
    l->landed = dp_grow(l->landed, &l->cap_landed, l->n + 1, sizeof *l->landed);
    l->files[l->n] = *f;
    l->landed[l->n++] = (struct landed){from ? dp_strdup(from) : NULL, dp_path_join(l->table, place), declares};
}

/* Does a part of this relative path lead upwards?  A value of a partition may well hold two dots. */
static bool climbs(const char *rel) {
    for (const char *p = rel;; p++) {
        if (p[0] == '.' && p[1] == '.' && (!p[2] || p[2] == '/')) return true;
        p = strchr(p, '/');
        if (!p) return false;
    }
}

enum dp_status dp_delta_landing_add(struct dp_delta_landing *l, const char *path, struct dp_err *err) {
    struct dp_delta_file f = {.data_change = true, .size = DP_DELTA_UNSET, .deletion_timestamp = DP_DELTA_UNSET,
                              .base_row_id = DP_DELTA_UNSET, .default_row_commit_version = DP_DELTA_UNSET};
    struct dp_buf place = {0};
    bool declares = false;
    enum dp_status status = DP_OK;
    char *rel = below_table(l->table, path), *placed = NULL, *moved = NULL;
    const char *rest = rel ? strip_staging(rel) : NULL;
    if (!rest || climbs(rest)) {
        status = dp_err_set(err, DP_USAGE, "%s is not a file inside the table %s", path, l->table);
        goto out;
    }
    /* A run that died behind the rename left it in its place; one that died behind the link left it in the table. */
    if (!exists(path) && strcmp(rest, rel) != 0) placed = find_placed(l->table, "", dp_path_base(rest), 0);
    if (placed) moved = dp_path_join(l->table, placed);
    const char *open_as = moved ? moved : path;
    if (is_live(l, placed ? placed : rest)) {
        l->known++;
        goto out;
    }
    status = describe(l, open_as, &f, &declares, err);
    if (status != DP_OK) {
        dp_err_prefix(err, "%s: ", path);
        goto out;
    }
    if (placed || !strcmp(rest, rel)) dp_buf_addz(&place, placed ? placed : rel); /* it stays where it is */
    else final_place(rest, &f.partition_values, &place);
    if (is_live(l, dp_buf_z(&place))) l->known++;
    else keep_file(l, &f, placed || !strcmp(rest, rel) ? NULL : path, dp_buf_z(&place), declares);
out:
    dp_buf_release(&place);
    free(moved);
    free(placed);
    free(rel);
    return status;
}

size_t dp_delta_landing_count(const struct dp_delta_landing *l) { return l->n; }
size_t dp_delta_landing_known(const struct dp_delta_landing *l) { return l->known; }
int64_t dp_delta_landing_rows(const struct dp_delta_landing *l) { return l->rows; }
int64_t dp_delta_landing_bytes(const struct dp_delta_landing *l) { return l->bytes; }
const struct dp_delta_file *dp_delta_landing_files(const struct dp_delta_landing *l) { return l->files; }
bool dp_delta_landing_requires(const struct dp_delta_landing *l, size_t i) { return l->landed[i].requires; }
const char *dp_delta_landing_path(const struct dp_delta_landing *l, size_t i) { return l->landed[i].from ? l->landed[i].from : l->landed[i].to; }
const struct dp_type *dp_delta_landing_schema(const struct dp_delta_landing *l) { return l->schema; }
const struct dp_delta_strs *dp_delta_landing_partition_columns(const struct dp_delta_landing *l) { return &l->partition_columns; }

enum dp_status dp_delta_landing_place(struct dp_delta_landing *l, const struct dp_delta_file **adds, size_t *n, struct dp_err *err) {
    if (l->n && l->hold.table < 0) {
        DP_TRY(dp_mkdirs(l->table, err));
        DP_TRY(dp_delta_hold(l->table, &l->hold, err));
    }
    for (size_t i = 0; i < l->n; i++) {
        if (!l->landed[i].from) { /* in its place before it was held */
            if (!exists(l->landed[i].to)) return dp_err_set(err, DP_IO, "%s is gone: a vacuum has deleted it", l->landed[i].to);
            continue;
        }
        char *dir = dp_path_dir(l->landed[i].to);
        enum dp_status status = dp_mkdirs(dir, err);
        free(dir);
        if (status == DP_OK && exists(l->landed[i].to)) status = dp_err_set(err, DP_IO, "%s exists already", l->landed[i].to);
        if (status == DP_OK) status = dp_file_rename(l->landed[i].from, l->landed[i].to, err);
        DP_TRY(status);
    }
    *adds = l->files;
    *n = l->n;
    return DP_OK;
}

/* ---- staging ---- */

/* Removes empty directories below and including dir, and its lock file; with `all` everything. */
static void remove_below(const char *dir, bool all, unsigned depth) {
    DIR *d = depth < 64 ? opendir(dir) : NULL;
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *path = dp_path_join(dir, e->d_name);
        struct stat st;
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) remove_below(path, all, depth + 1);
        else if (all || !strcmp(e->d_name, DP_DELTA_STAGING_LOCK)) (void)unlink(path);
        free(path);
    }
    closedir(d);
    (void)rmdir(dir);
}

void dp_delta_staging_remove(const char *dir) { remove_below(dir, true, 0); }

bool dp_delta_staging_is_free(const char *dir) {
    char *path = dp_path_join(dir, DP_DELTA_STAGING_LOCK);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    free(path);
    if (fd < 0) return errno == ENOENT;
    bool free_now = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return free_now;
}

void dp_delta_staging_sweep(const char *table, int64_t now_s, int64_t max_age_s) {
    char *staging = dp_path_join(table, DP_DELTA_STAGING);
    DIR *d = opendir(staging);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *run = dp_path_join(staging, e->d_name);
        struct stat st;
        bool is_old = lstat(run, &st) == 0 && st.st_mtim.tv_sec < now_s - max_age_s;
        if (is_old && !S_ISDIR(st.st_mode)) (void)unlink(run); /* a log entry that was never linked */
        else if (is_old && dp_delta_staging_is_free(run)) remove_below(run, true, 0);
        free(run);
    }
    if (d) closedir(d);
    free(staging);
}

/* The run's directory of a staged path: up to the second slash behind the staging directory's name. */
static char *run_directory(const char *path) {
    const char *at = strstr(path, DP_DELTA_STAGING "/");
    const char *slash = at ? strchr(at + strlen(DP_DELTA_STAGING) + 1, '/') : NULL;
    return slash ? dp_strndup(path, (size_t)(slash - path)) : NULL;
}

void dp_delta_landing_tidy(struct dp_delta_landing *l) {
    char *last = NULL;
    for (size_t i = 0; i < l->n; i++) {
        char *dir = l->landed[i].from ? run_directory(l->landed[i].from) : NULL;
        if (dir && (!last || strcmp(dir, last) != 0) && dp_delta_staging_is_free(dir)) remove_below(dir, false, 0);
        free(last);
        last = dir;
    }
    free(last);
}
