/*
 * Files by name put together (dp/io/compact.h).  A file's rows are what its table says of them where it stands in one: partition values, names, types and deleted rows
 * come from the newest version of the log.  A file that stands in none and has partition values in its metadata, as dp-partition leaves them, keeps those.
 * All others are read as one set.
 *
 * What it does not do: mix the three kinds, or tables whose rows differ.
 */
#include "compact_priv.h"

#include <dp/base/file.h>
#include <dp/delta/log.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/io/datasets.h>
#include <dp/io/typed.h>
#include <dp/parquet/reader.h>

#include <stdlib.h>

/* A table that files stand in; or, without a log, what dp-partition wrote into the metadata of files, as a table. */
struct home {
    struct dp_delta_snapshot *s;
    bool is_made;
    char *root;              /* its real path */
    struct dp_map files;     /* decoded path in the log -> struct dp_delta_file * */
};

struct part { char *key; struct inputs in; };

struct dp_compact_files {
    struct dp_run *run;
    struct dp_compact_opts o;
    const char *dir;
    dp_lay_done done;
    void *ctx;
    struct dp_delta_snapshot *target; /* that dir is, or NULL */
    struct home home;
    struct part *parts;
    size_t n_parts, parts_cap;
    struct dp_map index;         /* key -> part */
    struct dp_type *set, *schema;
    struct dp_layout layout;
    struct rewrite rewrite;
    struct dp_compacted counts;
    struct dp_arena arena;
};

/* ---- where a file stands ---- */

/* The table around a real path: the nearest directory above it that has a log; NULL: none. Caller frees. */
static char *table_around(const char *real) {
    char *dir = dp_path_dir(real);
    while (dir[0] == '/' && dir[1]) {
        if (dp_delta_is_table(dir)) return dir;
        char *up = dp_path_dir(dir);
        free(dir);
        dir = up;
    }
    free(dir);
    return NULL;
}

static enum dp_status open_home(struct dp_compact_files *f, const char *root, struct dp_err *err) {
    const struct dp_delta_file *file;
    size_t cursor = 0;
    struct dp_buf key = {0};
    DP_TRY(dp_delta_open(root, -1, &f->home.s, err));
    f->home.root = dp_strdup(root);
    while ((file = dp_delta_next_file(f->home.s, &cursor)) != NULL) {
        dp_buf_reset(&key);
        dp_delta_path_key(file->path, &key);
        dp_map_put(&f->home.files, dp_buf_str(&key), NULL)->v.p = (void *)(uintptr_t)file;
    }
    dp_buf_release(&key);
    return DP_OK;
}

static enum dp_status mixed(const char *name, struct dp_err *err) {
    return dp_err_set(err, DP_SCHEMA, "%s: files of one table, files of another and files of none can't be put together in one run", name);
}

/* ---- partitions ---- */

static struct part *part_of(struct dp_compact_files *f, struct dp_str key) {
    bool is_new;
    struct dp_map_item *item = dp_map_put(&f->index, key, &is_new);
    if (is_new) {
        item->v.u = f->n_parts;
        f->parts = dp_grow(f->parts, &f->parts_cap, f->n_parts + 1, sizeof *f->parts);
        f->parts[f->n_parts++] = (struct part){.key = dp_strndup(key.p, key.n), .in = {.table = f->home.s, .memory = f->run->memory / 3}};
    }
    return &f->parts[item->v.u];
}

static bool is_at_home(const struct dp_compact_files *f) { return f->home.s || !f->n_parts; }

static enum dp_status add_file(struct dp_compact_files *f, const struct dp_delta_file *file, const char *path, struct dp_err *err) {
    struct dp_buf key = {0};
    enum dp_status status = plan_key(f->home.s, file, &key, err);
    if (status == DP_OK) {
        struct inputs *in = &part_of(f, dp_buf_str(&key))->in;
        int64_t rows = dp_delta_file_rows(file);
        in->rows += rows > 0 ? rows : file->size > 0 ? file->size / 64 : 100000;
        if (path) inputs_add_path(in, file, path);
        else status = inputs_add(in, file, err);
        f->counts.files_in++;
        f->counts.bytes_in += file->size > 0 ? (uint64_t)file->size : 0;
    }
    dp_buf_release(&key);
    return status;
}

static enum dp_status add_table(struct dp_compact_files *f, const char *name, struct dp_err *err) {
    const struct dp_delta_file *file;
    size_t cursor = 0;
    if (f->home.s || f->n_parts) return mixed(name, err);
    DP_TRY(open_home(f, name, err));
    while ((file = dp_delta_next_file(f->home.s, &cursor)) != NULL) DP_TRY(add_file(f, file, NULL, err));
    return DP_OK;
}

static enum dp_status add_of_table(struct dp_compact_files *f, const char *name, const char *real, const char *root, struct dp_err *err) {
    if (!is_at_home(f) || (f->home.s && (f->home.is_made || strcmp(f->home.root, root) != 0))) return mixed(name, err);
    if (!f->home.s) DP_TRY(open_home(f, root, err));
    const struct dp_map_item *item = dp_map_get(&f->home.files, dp_str_z(real + strlen(root) + 1));
    if (!item) return dp_err_set(err, DP_USAGE, "%s stands in the table %s, and its newest version does not have it", name, root);
    return add_file(f, item->v.p, NULL, err);
}

/* ---- files with partition values in their metadata ---- */

/* The first such file says what the table would be like. */
static struct dp_delta_snapshot *make_home(struct dp_compact_files *f, struct dp_type *schema, const struct dp_delta_pairs *values) {
    struct dp_delta_snapshot *s = dp_calloc(1, sizeof *s);
    s->table = dp_strdup(".");
    s->version = -1;
    s->protocol = (struct dp_delta_protocol){.min_reader = 1, .min_writer = 2};
    s->schema = schema;
    s->physical = dp_type_copy(schema);
    struct dp_str *names = dp_arena_calloc(&f->arena, values->n + 1, sizeof *names);
    for (size_t i = 0; i < values->n; i++) names[i] = values->v[i].key;
    s->metadata.partition_columns = s->partition_keys = (struct dp_delta_strs){names, values->n, true};
    return s;
}

static enum dp_status read_own(struct dp_compact_files *f, const char *name, const struct dp_pq_meta *m, struct dp_delta_file *file, struct dp_err *err) {
    struct dp_type *schema = NULL;
    enum dp_status status;
    DP_TRY_OUT(dp_delta_file_values(m, &f->arena, &file->partition_values, err));
    DP_TRY_OUT(dp_delta_file_schema(m, &schema, err));
    if (!f->home.s) {
        f->home.s = make_home(f, schema, &file->partition_values);
        f->home.is_made = true;
        schema = NULL;
    } else if (!dp_type_equal(schema, f->home.s->schema)) {
        status = dp_err_set(err, DP_SCHEMA, "%s: its columns differ from those of the files before, which partitioned files must share: put them into a table", name);
    }
out:
    dp_type_free(schema);
    return status == DP_OK ? DP_OK : dp_err_at(err, name, 0, DP_NO_OFFSET);
}

static enum dp_status add_with_values(struct dp_compact_files *f, const char *name, const struct dp_pq_file *pq, struct dp_err *err) {
    struct dp_delta_file file = {.size = DP_DELTA_UNSET, .base_row_id = DP_DELTA_UNSET, .default_row_commit_version = DP_DELTA_UNSET, .path = dp_arena_str(&f->arena, dp_str_z(name))};
    struct dp_str schema;
    if (!is_at_home(f) || (f->home.s && !f->home.is_made)) return mixed(name, err);
    if (!dp_pq_find_value(dp_pq_meta(pq), DP_DELTA_KV_SCHEMA, &schema))
        return dp_err_set(err, DP_UNSUPPORTED, "%s has partition values in its metadata (" DP_DELTA_KV_PARTITION ") and not their types (" DP_DELTA_KV_SCHEMA ")", name);
    DP_TRY(read_own(f, name, dp_pq_meta(pq), &file, err));
    return add_file(f, &file, name, err);
}

static enum dp_status add_plain(struct dp_compact_files *f, const char *name, struct dp_err *err) {
    struct dp_pq_file *pq = NULL;
    struct dp_str values;
    DP_TRY(dp_pq_open(name, &pq, err));
    enum dp_status status = DP_OK;
    if (dp_pq_find_value(dp_pq_meta(pq), DP_DELTA_KV_PARTITION, &values) && values.n > 2) {
        status = add_with_values(f, name, pq, err);
    } else if (f->home.s) {
        status = mixed(name, err);
    } else {
        struct inputs *in = &part_of(f, DP_STR(""))->in;
        in->rows += dp_pq_meta(pq)->num_rows;
        inputs_add_path(in, NULL, name);
        f->counts.files_in++;
    }
    dp_pq_close(pq);
    return status;
}

static enum dp_status add_name(struct dp_compact_files *f, const char *name, struct dp_err *err) {
    if (dp_delta_is_table(name)) return add_table(f, name, err);
    if (!dp_typed_is(name)) return dp_err_set(err, DP_USAGE, "%s is no Parquet file and no table", name);
    char *real = realpath(name, NULL), *root = real ? table_around(real) : NULL;
    if (!real) return dp_err_sys(err, DP_IO, "%s", name);
    enum dp_status status = root ? add_of_table(f, name, real, root, err) : add_plain(f, name, err);
    free(root);
    free(real);
    return status;
}

/* ---- what is written ---- */

static enum dp_status on_done(void *ctx, const char *path, int64_t rows, uint64_t bytes, struct dp_err *err) {
    struct dp_compact_files *f = ctx;
    f->counts.files_out++, f->counts.bytes_out += bytes, f->counts.rows += rows;
    return f->done(f->ctx, path, rows, bytes, err);
}

/* Columns of the table that is written must be there, and hold these. */
static enum dp_status check_target(const struct dp_compact_files *f, struct dp_err *err) {
    struct dp_buf why = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; f->target && i < f->schema->n_children && status == DP_OK; i++) {
        const struct dp_type *c = f->schema->children[i], *t = dp_type_child(f->target->schema, dp_str(c->name, c->name_n));
        dp_buf_reset(&why);
        if (!t) status = dp_err_set(err, DP_SCHEMA, "column %s: the files have it, table %s does not", c->name, f->dir);
        else if (!dp_delta_file_fits(t, c, &why)) status = dp_err_set(err, DP_SCHEMA, "column %s does not fit table %s: %s", c->name, f->dir, why.n ? dp_buf_z(&why) : "other types");
    }
    dp_buf_release(&why);
    return status;
}

static enum dp_status set_layout(struct dp_compact_files *f, struct dp_err *err) {
    const struct dp_delta_snapshot *of = f->target ? f->target : f->home.s;
    for (size_t i = 0; of && i < of->metadata.partition_columns.n; i++) {
        struct dp_str column = of->metadata.partition_columns.v[i];
        if (!dp_type_child(f->schema, column)) return dp_err_set(err, DP_SCHEMA, "table %s is partitioned by %.*s, and the files don't have it", f->dir, DP_STR_FMT(column));
        DP_TRY(dp_layout_add_column(&f->layout, column, err));
    }
    return dp_layout_bind(&f->layout, f->schema, err);
}

/* Rows in the order of the target's partitions may come from anywhere; row groups are copied where both have the same ones. */
static bool same_partitions(const struct dp_compact_files *f) {
    size_t n = f->home.s ? f->home.s->metadata.partition_columns.n : 0;
    if (f->layout.n != n) return false;
    for (size_t i = 0; i < n; i++)
        if (!dp_layout_is_value(&f->layout, f->home.s->metadata.partition_columns.v[i])) return false;
    return true;
}

/* Where partitions are not those of the files, all of them are one input. */
static void join_parts(struct dp_compact_files *f) {
    for (size_t i = 1; i < f->n_parts; i++) {
        struct inputs *to = &f->parts[0].in, *from = &f->parts[i].in;
        for (size_t k = 0; k < from->n; k++) inputs_add_path(to, &from->files[k], from->paths[k]);
        to->rows += from->rows;
        free(f->parts[i].key), inputs_release(from);
    }
    f->n_parts = f->n_parts ? 1 : 0;
}

static enum dp_status open_lay(struct dp_compact_files *f, struct dp_err *err) {
    const struct dp_order *order = &f->o.order;
    f->schema = f->home.s ? dp_delta_schema_unfit(f->home.s->schema) : dp_type_copy(f->set);
    f->schema->nullable = false;
    dp_dataset_schema(dp_dataset_output(f->run, f->dir), f->schema);
    DP_TRY(check_target(f, err));
    DP_TRY(set_layout(f, err));
    struct rewrite *r = &f->rewrite;
    r->run = f->run;
    r->sorts = order->kind != DP_ORDER_NONE;
    r->mixes = !same_partitions(f);
    if (r->mixes) join_parts(f);
    DP_TRY(rewrite_open(r, &f->o, f->schema, &f->layout, NULL, err));
    r->lay_opts.dir = f->dir, r->lay_opts.staging = f->target != NULL, r->lay_opts.table = f->target;
    DP_TRY(dp_lay_open(f->run, &r->lay_opts, on_done, f, &r->lay, err));
    return r->sorts || r->mixes ? DP_OK : dp_lay_encoder(r->lay, &r->encoder, err);
}

enum dp_status dp_compact_files_open(struct dp_run *run, const char *dir, const struct dp_compact_opts *o, dp_lay_done done, void *ctx, struct dp_compact_files **out,
                                     struct dp_err *err) {
    struct dp_compact_files *f = dp_calloc(1, sizeof *f);
    f->run = run, f->dir = dir, f->o = *o, f->done = done, f->ctx = ctx;
    f->counts.version = -1;
    *out = f;
    if (dp_delta_is_table(dir)) DP_TRY(dp_delta_open(dir, -1, &f->target, err));
    return DP_OK;
}

enum dp_status dp_compact_files_add(struct dp_compact_files *f, const char *const *names, size_t n, struct dp_err *err) {
    char **all = NULL;
    size_t n_all = 0;
    enum dp_status status = dp_typed_expand(f->run, names, n, &all, &n_all, err);
    if (status == DP_OK && !n_all && n) status = dp_err_set(err, DP_USAGE, "%s: Parquet files and tables are read", names[0]);
    for (size_t i = 0; i < n_all && status == DP_OK; i++) status = add_name(f, all[i], err);
    if (status == DP_OK && n_all && !f->home.s) status = dp_evolve_schema(f->run, (const char *const *)all, n_all, NULL, false, &f->set, err);
    if (status == DP_OK && n_all) status = open_lay(f, err);
    for (size_t i = 0; i < f->n_parts && status == DP_OK && !f->run->dry_run; i++) {
        f->parts[i].in.set = f->set;
        status = rewrite_inputs(&f->rewrite, &f->parts[i].in, err);
    }
    for (size_t i = 0; i < n_all; i++) free(all[i]);
    free(all);
    f->run->books.in += f->rewrite.rows, f->run->books.used += f->rewrite.rows;
    return status;
}

enum dp_status dp_compact_files_finish(struct dp_compact_files *f, struct dp_err *err) {
    f->counts.partitions = f->n_parts, f->counts.groups_copied = f->rewrite.groups_copied;
    return f->rewrite.lay && !f->run->dry_run ? dp_lay_finish(f->rewrite.lay, err) : DP_OK;
}

struct dp_compacted dp_compact_files_counts(const struct dp_compact_files *f) { return f->counts; }
void dp_compact_files_keep(struct dp_compact_files *f) { dp_lay_keep(f->rewrite.lay); }

static void close_home(struct home *h) {
    if (h->is_made) {
        dp_type_free(h->s->schema), dp_type_free(h->s->physical);
        free(h->s->table), free(h->s);
    } else {
        dp_delta_close(h->s);
    }
    free(h->root);
    dp_map_release(&h->files);
}

void dp_compact_files_close(struct dp_compact_files *f) {
    if (!f) return;
    for (size_t i = 0; i < f->n_parts; i++) free(f->parts[i].key), inputs_release(&f->parts[i].in);
    free(f->parts);
    dp_map_release(&f->index);
    dp_lay_close(f->rewrite.lay);
    rewrite_release(&f->rewrite);
    dp_layout_release(&f->layout);
    dp_type_free(f->set), dp_type_free(f->schema);
    close_home(&f->home);
    dp_delta_close(f->target);
    dp_arena_release(&f->arena);
    free(f);
}
