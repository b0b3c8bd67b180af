/*
 * Directories to tables (dp/io/convert.h).  A column's type in the table must be the one that every file holds as it stands, for other readers cast nothing: files
 * of which one has it narrower are refused by name.
 * What it does not do: read rows; take names below hidden directories (`_`, `.`) for data.
 */
#include <dp/io/convert.h>

#include <dp/base/file.h>
#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/delta/commit.h>
#include <dp/delta/log.h>
#include <dp/delta/mapping.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/delta/stats.h>
#include <dp/io/create.h>
#include <dp/io/datasets.h>
#include <dp/io/evolve.h>
#include <dp/parquet/reader.h>
#include <dp/rules/contract.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DEPTH = 64, FILES = 10000000 };

struct source {
    char *path, *relative;
    struct dp_delta_pairs values;  /* of its directories */
};

struct convert {
    struct dp_run *run;
    const struct dp_convert_opts *o;
    struct dp_converted *out;
    struct source *v;
    size_t n, cap;
    struct dp_arena arena;
    struct dp_type *declared;      /* columns of the contract, and of --by, which win: types of partition columns */
    struct dp_type *partition;     /* the partition columns */
    struct dp_type *schema;        /* of the table */
    struct dp_delta_strs by;
    struct dp_delta_file *adds;
};

/* ---- what is there ---- */

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static enum dp_status see_file(struct convert *c, const char *path, const char *relative, struct dp_err *err) {
    if (!dp_typed_is(path)) {
        c->out->passed_over++;
        dp_run_log(c->run, DP_LOG_VERBOSE, "%s is not Parquet, and no part of the table", path);
        return DP_OK;
    }
    if (c->n == FILES) return dp_err_set(err, DP_LIMIT, "%s holds more than %d files", c->o->dir, FILES);
    c->v = dp_grow(c->v, &c->cap, c->n + 1, sizeof *c->v);
    c->v[c->n++] = (struct source){.path = dp_strdup(path), .relative = dp_strdup(relative)};
    return DP_OK;
}

static enum dp_status walk(struct convert *c, const char *dir, const char *relative, int depth, struct dp_err *err) {
    char **names = NULL;
    size_t n = 0, cap = 0;
    enum dp_status status = DP_OK;
    if (depth > DEPTH) return dp_err_set(err, DP_LIMIT, "%s: directories are nested deeper than %d", dir, DEPTH);
    DIR *d = opendir(dir);
    if (!d) return dp_err_sys(err, DP_IO, "can't open directory %s", dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        bool is_partition = e->d_name[0] == '_' && strchr(e->d_name, '=');
        if (e->d_name[0] == '.' || (e->d_name[0] == '_' && !is_partition)) continue;
        names = dp_grow(names, &cap, n + 1, sizeof *names);
        names[n++] = dp_strdup(e->d_name);
    }
    closedir(d);
    if (n) qsort(names, n, sizeof *names, by_bytes);
    for (size_t i = 0; i < n; i++) {
        char *path = dp_path_join(dir, names[i]), *below = *relative ? dp_path_join(relative, names[i]) : dp_strdup(names[i]);
        struct stat st;
        if (status == DP_OK && dp_run_stopped(c->run, err)) status = DP_SIGNALLED;
        if (status == DP_OK && stat(path, &st) != 0) status = dp_err_sys(err, DP_IO, "%s", path);
        if (status == DP_OK && S_ISDIR(st.st_mode)) {
            if (dp_delta_is_table(path)) status = dp_err_set(err, DP_USAGE, "%s is a table, and can't be a part of another", path);
            else status = walk(c, path, below, depth + 1, err);
        } else if (status == DP_OK && S_ISREG(st.st_mode)) {
            status = see_file(c, path, below, err);
        }
        free(path), free(below), free(names[i]);
    }
    free(names);
    return status;
}

/* ---- partition values ---- */

/* The name=value directories of a path. */
static void read_values(struct convert *c, struct source *x) {
    struct dp_buf name = {0}, value = {0};
    size_t cap = 0;
    const char *slash;
    for (const char *p = x->relative; (slash = strchr(p, '/')) != NULL; p = slash + 1) {
        const char *eq = memchr(p, '=', (size_t)(slash - p));
        if (!eq || eq == p) continue;
        dp_buf_reset(&name), dp_buf_reset(&value);
        dp_delta_path_decode(dp_str(p, (size_t)(eq - p)), &name);
        dp_delta_path_decode(dp_str(eq + 1, (size_t)(slash - eq) - 1), &value);
        bool is_null = !value.n || dp_str_eqz(dp_buf_str(&value), "__HIVE_DEFAULT_PARTITION__");
        x->values.v = dp_grow(x->values.v, &cap, x->values.n + 1, sizeof *x->values.v);
        x->values.v[x->values.n++] = (struct dp_delta_pair){dp_arena_str(&c->arena, dp_buf_str(&name)), dp_arena_str(&c->arena, is_null ? DP_STR("") : dp_buf_str(&value)), is_null};
    }
    dp_buf_release(&name), dp_buf_release(&value);
}

static enum dp_status check_keys(const struct convert *c, const struct source *x, struct dp_err *err) {
    const struct dp_delta_pairs *a = &c->v[0].values, *b = &x->values;
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) same = dp_str_eq(a->v[i].key, b->v[i].key);
    if (same) return DP_OK;
    return dp_err_set(err, DP_SCHEMA, "%s and %s do not lie in directories of the same keys", c->v[0].path, x->path);
}

/* The type that holds all values of a key exactly: long, date, else string. */
static enum dp_type_id infer(const struct convert *c, size_t key) {
    bool is_long = true, is_date = true, any = false;
    for (size_t i = 0; i < c->n; i++) {
        const struct dp_delta_pair *p = &c->v[i].values.v[key];
        char text[24];
        int64_t v;
        int32_t days;
        if (p->is_null) continue;
        any = true;
        is_long = is_long && dp_parse_i64(p->value, &v) && dp_str_eq(dp_str(text, dp_print_i64(text, v)), p->value);
        is_date = is_date && dp_date_parse(p->value, &days);
    }
    return any && is_long ? DP_TYPE_INT64 : any && is_date ? DP_TYPE_DATE : DP_TYPE_STRING;
}

static struct dp_type *type_of_key(const struct convert *c, const struct dp_type *files, size_t key) {
    struct dp_str name = c->v[0].values.v[key].key;
    const struct dp_type *said = c->declared ? dp_type_child(c->declared, name) : NULL;
    if (!said) said = dp_type_child(files, name);
    if (said) {
        struct dp_type *t = dp_type_copy(said);
        t->nullable = true;
        return t;
    }
    return dp_type_new(infer(c, key), name);
}

/* Each value must be one of its column's type; a whole number loses the zeros in front of it. */
static enum dp_status check_values(struct convert *c, struct source *x, struct dp_err *err) {
    struct dp_buf json = {0};
    char text[24];
    int64_t v;
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < x->values.n && status == DP_OK; i++) {
        struct dp_delta_pair *p = &x->values.v[i];
        if (dp_type_is_integer(c->partition->children[i]) && !p->is_null && dp_parse_i64(p->value, &v)) p->value = dp_arena_str(&c->arena, dp_str(text, dp_print_i64(text, v)));
        dp_buf_reset(&json);
        status = dp_delta_partition_json(c->partition->children[i], p->value, p->is_null, &json, err);
    }
    dp_buf_release(&json);
    if (status == DP_OK) return DP_OK;
    (void)dp_err_prefix(err, "%s: ", x->relative);
    if (err) err->status = DP_SCHEMA;
    return DP_SCHEMA;
}

/* ---- the types that are said ---- */

static enum dp_status read_by(struct convert *c, struct dp_err *err) {
    for (const char *p = c->o->by; p && *p;) {
        int depth = 0;
        const char *end = p;
        for (; *end && (*end != ',' || depth); end++) depth += (*end == '(') - (*end == ')');
        while (*p == ' ') p++;
        const char *blank = memchr(p, ' ', (size_t)(end - p));
        if (!blank || blank == p) return dp_err_set(err, DP_USAGE, "--by: NAME TYPE is wanted, got '%.*s'", (int)(end - p), p);
        struct dp_type *t = NULL;
        const char *from = blank, *to = end;
        while (from < to && *from == ' ') from++;
        while (to > from && to[-1] == ' ') to--;
        if (dp_type_parse(dp_str(from, (size_t)(to - from)), &t, err) != DP_OK) return dp_err_prefix(err, "--by: "), DP_USAGE;
        free(t->name);
        t->name_n = (size_t)(blank - p);
        t->name = dp_strndup(p, t->name_n);
        dp_type_add(c->declared, t);
        p = *end ? end + 1 : end;
    }
    return DP_OK;
}

static enum dp_status read_declared(struct convert *c, struct dp_err *err) {
    struct dp_contract contract = {0};
    const struct dp_contract_object *object;
    struct dp_type *schema = NULL;
    enum dp_status status = DP_OK;
    c->declared = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    DP_TRY(read_by(c, err));
    if (!c->o->contract) return DP_OK;
    status = dp_contract_load(c->o->contract, &contract, &object, err);
    if (status == DP_OK) status = dp_contract_schema(&contract, object, &schema, err);
    for (size_t i = 0; status == DP_OK && i < schema->n_children; i++)
        if (!dp_type_child(c->declared, dp_str(schema->children[i]->name, schema->children[i]->name_n))) dp_type_add(c->declared, dp_type_copy(schema->children[i]));
    dp_type_free(schema);
    dp_contract_release(&contract);
    return status;
}

/* ---- the schema ---- */

static enum dp_status join_files(struct convert *c, struct dp_type **files, struct dp_err *err) {
    const char **names = dp_calloc(c->n + 1, sizeof *names);
    for (size_t i = 0; i < c->n; i++) names[i] = c->v[i].path;
    enum dp_status status = dp_evolve_schema(c->run, names, c->n, NULL, false, files, err);
    free(names);
    return status;
}

static enum dp_status check_by(const struct convert *c, struct dp_err *err) {
    const char *p = c->o->by;
    for (size_t i = 0; p && i < c->declared->n_children; i++) {
        const struct dp_type *t = c->declared->children[i];
        bool is_of_by = false;
        for (const char *at = p; (at = strstr(at, t->name)) != NULL && !is_of_by; at++) is_of_by = (at == p || at[-1] == ',' || at[-1] == ' ') && at[t->name_n] == ' ';
        if (is_of_by && !dp_type_child(c->partition, dp_str(t->name, t->name_n)))
            return dp_err_set(err, DP_USAGE, "--by: no directory of %s is named %s=...", c->o->dir, t->name);
    }
    return DP_OK;
}

/* Columns of the files in their order, then the partition columns that they do not have. */
static enum dp_status settle_schema(struct convert *c, struct dp_err *err) {
    struct dp_type *files = NULL, *all = NULL;
    DP_TRY(join_files(c, &files, err));
    size_t n = c->v[0].values.n;
    c->partition = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    c->by = (struct dp_delta_strs){dp_arena_calloc(&c->arena, n + 1, sizeof(struct dp_str)), n, true};
    for (size_t i = 0; i < n; i++) {
        dp_type_add(c->partition, type_of_key(c, files, i));
        c->by.v[i] = c->v[0].values.v[i].key;
    }
    all = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    for (size_t i = 0; i < files->n_children; i++) {
        const struct dp_type *f = files->children[i], *p = dp_type_child(c->partition, dp_str(f->name, f->name_n));
        dp_type_add(all, dp_type_copy(p ? p : f));
    }
    for (size_t i = 0; i < n; i++)
        if (!dp_type_child(all, c->by.v[i])) dp_type_add(all, dp_type_copy(c->partition->children[i]));
    enum dp_status status = dp_delta_schema_fit(all, &c->schema, err);
    for (size_t i = 0; status == DP_OK && i < n; i++) { /* of Delta's types from here on */
        struct dp_type *t = dp_type_copy(dp_type_child(c->schema, c->by.v[i]));
        dp_type_free(c->partition->children[i]);
        c->partition->children[i] = t;
    }
    dp_type_free(all);
    dp_type_free(files);
    return status == DP_OK ? check_by(c, err) : status;
}

/* ---- files to actions ---- */

static enum dp_status check_file(const struct convert *c, const struct dp_pq_file *f, struct dp_err *err) {
    const struct dp_type *own = dp_pq_schema(f);
    struct dp_buf why = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < own->n_children && status == DP_OK; i++) {
        struct dp_str name = dp_str(own->children[i]->name, own->children[i]->name_n);
        if (dp_type_child(c->partition, name)) continue;
        if (!dp_delta_file_fits(dp_type_child(c->schema, name), own->children[i], &why))
            status = dp_err_set(err, DP_SCHEMA, "%s: the files have no common schema that every reader can read them by (dp-compact -o or dp-cat rewrite what differs)", dp_buf_z(&why));
    }
    dp_buf_release(&why);
    return status;
}

static enum dp_status take_file(struct convert *c, size_t i, const struct dp_type *data, const struct dp_delta_stats_opts *opts, struct dp_err *err) {
    struct source *x = &c->v[i];
    struct dp_delta_file *f = &c->adds[i];
    struct dp_pq_file *file = NULL;
    struct dp_buf text = {0};
    struct stat st;
    *f = (struct dp_delta_file){.base_row_id = DP_DELTA_UNSET, .default_row_commit_version = DP_DELTA_UNSET, .deletion_timestamp = DP_DELTA_UNSET, .data_change = true,
                                .partition_values = x->values};
    DP_TRY(check_values(c, x, err));
    DP_TRY(dp_pq_open(x->path, &file, err));
    enum dp_status status = check_file(c, file, err);
    if (status == DP_OK && stat(x->path, &st) != 0) status = dp_err_sys(err, DP_IO, "%s", x->path);
    if (status == DP_OK) {
        dp_delta_stats_print(dp_pq_meta(file), data, opts, &text);
        f->stats = dp_arena_str(&c->arena, dp_buf_str(&text));
        dp_buf_reset(&text);
        dp_delta_path_encode(dp_str_z(x->relative), &text);
        f->path = dp_arena_str(&c->arena, dp_buf_str(&text));
        f->size = st.st_size;
        f->modification_time = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
        c->out->rows += dp_pq_meta(file)->num_rows;
        c->out->bytes += f->size;
        c->out->files++;
    }
    dp_buf_release(&text);
    dp_pq_close(file);
    if (status != DP_OK) (void)dp_err_at(err, x->path, 0, DP_NO_OFFSET);
    return status;
}

static enum dp_status take_files(struct convert *c, struct dp_err *err) {
    struct dp_delta_pairs none = {0};
    struct dp_delta_stats_opts opts;
    struct dp_type *data = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    enum dp_status status = DP_OK;
    dp_delta_stats_configure(&none, &c->arena, &opts);
    for (size_t i = 0; i < c->schema->n_children; i++) {
        const struct dp_type *t = c->schema->children[i];
        if (!dp_type_child(c->partition, dp_str(t->name, t->name_n))) dp_type_add(data, dp_type_copy(t));
    }
    c->adds = dp_calloc(c->n + 1, sizeof *c->adds);
    for (size_t i = 0; i < c->n && status == DP_OK; i++) {
        if (dp_run_stopped(c->run, err)) status = DP_SIGNALLED;
        if (status == DP_OK) status = take_file(c, i, data, &opts, err);
    }
    dp_type_free(data);
    return status;
}

/* ---- the table ---- */

static enum dp_status publish(struct convert *c, struct dp_err *err) {
    struct dp_delta_protocol protocol;
    struct dp_delta_metadata metadata;
    struct dp_delta_pairs none = {0};
    struct dp_buf by = {0}, parameters = {0};
    struct dp_str cause;
    int64_t version;
    struct dp_delta_new wanted = {.schema = c->schema, .partition_columns = &c->by, .configuration = &none, .names_are_physical = true, .now_ms = c->run->now_micros / 1000};
    DP_TRY(dp_delta_new_table(&wanted, &c->arena, &protocol, &metadata, &cause, err));
    dp_create_warn(c->run, c->o->dir, cause);
    if (c->run->dry_run) return DP_OK;
    dp_buf_addc(&by, '[');
    for (size_t i = 0; i < c->by.n; i++) {
        if (i) dp_buf_addc(&by, ',');
        dp_json_add_string(&by, c->by.v[i]);
    }
    dp_buf_addc(&by, ']');
    dp_buf_addf(&parameters, "{\"numFiles\":\"%zu\",\"partitionedBy\":", c->n);
    dp_json_add_string(&parameters, dp_buf_str(&by));
    dp_buf_addz(&parameters, ",\"collectStats\":\"true\"}");
    struct dp_delta_change change = {.protocol = &protocol, .metadata = &metadata, .operation = "CONVERT", .parameters = dp_buf_z(&parameters), .adds = c->adds, .n_adds = c->n,
                                     .rows = c->out->rows, .now_ms = wanted.now_ms};
    enum dp_status status = dp_delta_publish(c->o->dir, NULL, &change, &version, err);
    if (status == DP_OK) { /* the files stay, and so does their name: now it is a table's */
        struct dp_dataset *d = dp_dataset_copied(c->run, c->o->dir, c->o->dir, c->schema);
        dp_dataset_version(d, version);
        dp_dataset_lifecycle(d, DP_OL_CREATE);
        dp_dataset_count(d, c->out->rows >= 0 ? (uint64_t)c->out->rows : UINT64_MAX, UINT64_MAX, c->n);
    }
    dp_buf_release(&by);
    dp_buf_release(&parameters);
    return status;
}

static enum dp_status convert(struct convert *c, struct dp_err *err) {
    if (dp_delta_is_table(c->o->dir)) return dp_err_set(err, DP_USAGE, "%s is a table already", c->o->dir);
    DP_TRY(read_declared(c, err));
    DP_TRY(walk(c, c->o->dir, "", 0, err));
    if (!c->n) return dp_err_set(err, DP_USAGE, "%s holds no Parquet file", c->o->dir);
    for (size_t i = 0; i < c->n; i++) read_values(c, &c->v[i]);
    for (size_t i = 1; i < c->n; i++) DP_TRY(check_keys(c, &c->v[i], err));
    DP_TRY(settle_schema(c, err));
    c->out->columns = c->schema->n_children;
    c->out->partition_columns = c->by.n;
    DP_TRY(take_files(c, err));
    return publish(c, err);
}

enum dp_status dp_convert_directory(struct dp_run *run, const struct dp_convert_opts *o, struct dp_converted *out, struct dp_err *err) {
    struct convert c = {.run = run, .o = o, .out = out};
    *out = (struct dp_converted){0};
    enum dp_status status = convert(&c, err);
    for (size_t i = 0; i < c.n; i++) free(c.v[i].path), free(c.v[i].relative), free(c.v[i].values.v);
    free(c.v), free(c.adds);
    dp_type_free(c.declared);
    dp_type_free(c.partition);
    dp_type_free(c.schema);
    dp_arena_release(&c.arena);
    return status;
}
