/*
 * Edits of a table (dp/io/edit.h): the state of one attempt, its outputs in staging, and their way into the log (Delta: digest sections 5, 10, 13).
 * edit_rewrite.c reads and writes the files; edit_where.c and merge.c say which rows.
 */
#include "commit_priv.h"
#include "edit_priv.h"

#include <dp/base/file.h>
#include <dp/base/time.h>
#include <dp/delta/changes.h>
#include <dp/delta/constraint.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/schema.h>
#include <dp/parquet/reader.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- rows that are hit ---- */

static struct edit_file *add_file(struct edit *e, const struct dp_delta_file *action) {
    e->files = dp_grow(e->files, &e->files_cap, e->n_files + 1, sizeof *e->files);
    e->files[e->n_files] = (struct edit_file){.action = action};
    return &e->files[e->n_files++];
}

void edit_drop(struct edit *e, const struct dp_delta_file *action) {
    struct edit_file *f = add_file(e, action);
    int64_t rows = dp_delta_file_rows(action);
    f->live = rows < 0 ? -1 : action->dv.storage.p ? rows - action->dv.cardinality : rows;
}

struct dp_delta_deleted *edit_hits(struct edit *e, const struct dp_delta_file *action, int64_t rows) {
    if (e->n_files && e->files[e->n_files - 1].action == action) return &e->files[e->n_files - 1].hits;
    struct edit_file *f = add_file(e, action);
    dp_delta_deleted_open(&f->hits, rows);
    f->live = action->dv.storage.p ? rows - action->dv.cardinality : rows;
    return &f->hits;
}

int64_t edit_file_rows(const struct dp_delta_task *t) {
    return dp_pq_meta_rows(dp_pq_meta(dp_delta_task_file(t)));
}

static int by_number(const void *a, const void *b) {
    const struct edit_file *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

void edit_sort(struct edit *e) {
    if (e->n_files) qsort(e->files, e->n_files, sizeof *e->files, by_number);
}

/* ---- change data ---- */

void edit_tell(const struct dp_batch *rows, const uint8_t *types, enum edit_type type, struct dp_batch *out) {
    static const char *const words[] = {"insert", "update_preimage", "update_postimage", "delete"};
    for (size_t i = 0; i < rows->n_columns; i++) dp_column_append(&out->columns[i], &rows->columns[i], 0, rows->length);
    for (int64_t i = 0; i < rows->length; i++) {
        const char *word = words[types ? types[i] : type];
        dp_column_append_bytes(&out->columns[rows->n_columns], word, strlen(word));
    }
    out->length += rows->length;
}

static void add_ids(struct edit *e, const int64_t *ids) {
    size_t at = e->schema->n_children;
    struct dp_batch *rows = &e->rows.rows;
    if (!e->keeps_ids) return;
    for (int64_t i = 0; i < rows->length; i++) {
        if (ids[i] >= 0) dp_column_append_fixed(&rows->columns[at], &ids[i], 1);
        else dp_column_append_null(&rows->columns[at]);
    }
    dp_column_append_nulls(&rows->columns[at + 1], rows->length); /* the version is that of the file */
}

/* Every row that is new to the table passes here or through the plan's `change`: NOT NULL is judged at landing. */
enum dp_status edit_insert(struct edit *e, const uint8_t *types, const int64_t *ids, struct dp_err *err) {
    const struct dp_batch rows = edit_columns(e, &e->rows.rows);
    if (!rows.length) return DP_OK;
    add_ids(e, ids);
    DP_TRY(dp_lay_group(&e->fresh.opts, &e->rows, err));
    DP_TRY(edit_need(e, &e->fresh, err));
    DP_TRY(dp_lay_add(e->fresh.lay, &e->rows, err));
    if (!e->tells) return DP_OK;
    if (!e->cdc_rows.is_open) dp_lay_rows_open(&e->cdc.opts, &e->cdc_rows);
    dp_batch_reset(&e->cdc_rows.rows);
    edit_tell(&rows, types, EDIT_INSERT, &e->cdc_rows.rows);
    DP_TRY(dp_lay_group(&e->cdc.opts, &e->cdc_rows, err));
    DP_TRY(edit_need(e, &e->cdc, err));
    return dp_lay_add(e->cdc.lay, &e->cdc_rows, err);
}

/* ---- outputs ---- */

static enum dp_status on_done(void *ctx, const char *path, int64_t rows, uint64_t bytes, struct dp_err *err) {
    struct edit_output *o = ctx;
    (void)rows, (void)bytes, (void)err;
    o->done.v = dp_grow(o->done.v, &o->done.cap, o->done.n + 1, sizeof *o->done.v);
    o->done.v[o->done.n++] = dp_strdup(path);
    return DP_OK;
}

enum dp_status edit_need(struct edit *e, struct edit_output *o, struct dp_err *err) {
    return o->lay ? DP_OK : dp_lay_open(e->run, &o->opts, on_done, o, &o->lay, err);
}

static void set_outputs(struct edit *e) {
    struct dp_lay_opts o = {.dir = e->table, .staging = true, .table = e->s, .layout = &e->layout, .schema = e->stored, .tracks_rows = e->keeps_ids,
                            .memory = e->run->memory / 5};
    e->fresh.opts = e->rest.opts = e->cdc.opts = o;
    e->rest.opts.keep_codec = true;
    e->cdc.opts.layout = &e->cdc_layout;
    e->cdc.opts.schema = e->cdc_schema;
    e->cdc.opts.tracks_rows = false;
    e->cdc.opts.row_group_bytes = 8 << 20; /* read once and in one go, if ever */
}

static enum dp_status set_layouts(struct edit *e, struct dp_err *err) {
    const struct dp_delta_strs *by = &e->s->metadata.partition_columns;
    for (size_t i = 0; i < by->n; i++) {
        DP_TRY(dp_layout_add_column(&e->layout, by->v[i], err));
        DP_TRY(dp_layout_add_column(&e->cdc_layout, by->v[i], err));
    }
    DP_TRY(dp_layout_bind(&e->layout, e->schema, err));
    return dp_layout_bind(&e->cdc_layout, e->cdc_schema, err);
}

static struct dp_type *with_change_type(const struct dp_type *schema) {
    struct dp_type *t = dp_type_copy(schema);
    dp_type_add(t, dp_type_new(DP_TYPE_STRING, DP_STR(DP_DELTA_CHANGE_TYPE)));
    return t;
}

/* Rows that move keep their ids where the table has columns for these; else the commit says that they don't. */
static enum dp_status set_schemas(struct edit *e, struct dp_err *err) {
    const struct dp_delta_row_columns names = dp_delta_row_columns(&e->s->metadata);
    e->schema = e->stored = dp_delta_scan_schema(e->shape);
    e->keeps_ids = dp_delta_tracks_rows(&e->s->protocol, &e->s->metadata) && names.id.n && names.version.n;
    if (!e->keeps_ids) return DP_OK;
    e->schema = e->own = dp_type_copy(e->stored);
    return dp_delta_scan_row_ids(e->shape, err);
}

enum dp_status edit_open(struct dp_run *run, const char *table, struct dp_edited *counts, struct edit **out, struct dp_err *err) {
    const struct dp_delta_intent intent = {.removes = true, .writes = true, .checks = true};
    struct edit *e = dp_calloc(1, sizeof *e);
    enum dp_status status;
    *e = (struct edit){.run = run, .table = table, .counts = counts, .hold = DP_DELTA_HOLD_INIT, .now_ms = (run->now_fixed ? run->now_micros : dp_time_now_micros()) / 1000};
    DP_TRY_OUT(dp_delta_open(table, -1, &e->s, err));
    DP_TRY_OUT(dp_delta_check_write(&e->s->protocol, &e->s->metadata, e->s->schema, &intent, err));
    DP_TRY_OUT(dp_delta_scan_open(e->s, NULL, 0, NULL, &e->shape, err));
    DP_TRY_OUT(set_schemas(e, err));
    e->cdc_schema = with_change_type(e->schema);
    DP_TRY_OUT(set_layouts(e, err));
    set_outputs(e);
    dp_delta_scan_bound(e->shape, run->memory / 4);
    e->uses_dv = dp_delta_has_feature(&e->s->protocol, "deletionVectors") && dp_delta_is_on(&e->s->metadata, "delta.enableDeletionVectors");
    e->uses_cdf = dp_delta_has_feature(&e->s->protocol, "changeDataFeed") &&
                  (dp_delta_is_on(&e->s->metadata, "delta.enableChangeDataFeed") || dp_delta_is_on(&e->s->metadata, "delta.enableChangeDataCapture"));
    e->vectors = dp_delta_dv_file_open(table);
    e->landing = dp_delta_landing_open(table, e->s);
    dp_lay_rows_open(&e->fresh.opts, &e->rows);
    *counts = (struct dp_edited){.version = -1, .files = e->s->n_files};
    *out = e;
    return DP_OK;
out:
    edit_close(e);
    return status;
}

static void release_output(struct edit_output *o) {
    dp_lay_close(o->lay);
    for (size_t i = 0; i < o->done.n; i++) free(o->done.v[i]);
    free(o->done.v);
}

void edit_close(struct edit *e) {
    if (!e) return;
    dp_lay_rows_release(&e->rows);
    dp_lay_rows_release(&e->cdc_rows);
    dp_lay_rows_release(&e->key);
    release_output(&e->rest);
    release_output(&e->fresh);
    release_output(&e->cdc);
    for (size_t i = 0; i < e->n_files; i++) dp_delta_deleted_release(&e->files[i].hits), dp_delta_deleted_release(&e->files[i].gone);
    for (size_t i = 0; i < e->n_placed; i++) free(e->placed[i]);
    dp_delta_dv_file_close(e->vectors);
    dp_delta_landing_close(e->landing);
    dp_delta_hold_release(&e->hold);
    dp_layout_release(&e->layout);
    dp_layout_release(&e->cdc_layout);
    dp_delta_scan_close(e->shape);
    dp_type_free(e->cdc_schema);
    dp_type_free(e->own);
    dp_delta_close(e->s);
    dp_arena_release(&e->arena);
    free(e->files), free(e->dv_adds), free(e->placed);
    free(e);
}

/* ---- publishing ---- */

/* Partition values of a change data file, by its own metadata. */
static enum dp_status read_values(struct edit *e, const char *path, struct dp_delta_pairs *out, struct dp_err *err) {
    struct dp_pq_file *f = NULL;
    enum dp_status status = dp_pq_open(path, &f, err);
    if (status == DP_OK) status = dp_delta_file_values(dp_pq_meta(f), &e->arena, out, err);
    dp_pq_close(f);
    return status;
}

/* Change data files to T/_change_data. */
static enum dp_status place_changes(struct edit *e, struct dp_delta_file **out, struct dp_err *err) {
    enum dp_status status = DP_OK;
    struct dp_delta_file *cdcs = dp_arena_calloc(&e->arena, e->cdc.done.n + 1, sizeof *cdcs);
    char *dir = dp_path_join(e->table, "_change_data");
    if (e->cdc.done.n) status = dp_mkdirs(dir, err);
    for (size_t i = 0; i < e->cdc.done.n && status == DP_OK; i++) {
        const char *from = e->cdc.done.v[i], *base = dp_path_base(from);
        struct stat st;
        char *name = dp_arena_printf(&e->arena, "_change_data/cdc-%s", dp_str_starts(dp_str_z(base), DP_STR("part-")) ? base + 5 : base);
        cdcs[i] = (struct dp_delta_file){.path = dp_str_z(name), .deletion_timestamp = DP_DELTA_UNSET, .base_row_id = DP_DELTA_UNSET,
                                         .default_row_commit_version = DP_DELTA_UNSET};
        status = read_values(e, from, &cdcs[i].partition_values, err);
        if (status == DP_OK && stat(from, &st) != 0) status = dp_err_sys(err, DP_IO, "cannot look at %s", from);
        if (status != DP_OK) break;
        cdcs[i].size = st.st_size;
        e->placed = dp_grow(e->placed, &e->placed_cap, e->n_placed + 1, sizeof *e->placed);
        e->placed[e->n_placed++] = dp_path_join(e->table, name);
        status = dp_file_rename(from, e->placed[e->n_placed - 1], err);
    }
    free(dir);
    *out = cdcs;
    return status;
}

static enum dp_status land(struct edit *e, struct edit_output *o, struct dp_err *err) {
    if (o->lay) DP_TRY(dp_lay_finish(o->lay, err));
    for (size_t i = 0; i < o->done.n && o != &e->cdc; i++) {
        if (dp_run_stopped(e->run, err)) return DP_SIGNALLED;
        DP_TRY(dp_delta_landing_add(e->landing, o->done.v[i], err));
    }
    return DP_OK;
}

/* Those of the landing and those with new deletion vectors. */
static enum dp_status gather_adds(struct edit *e, struct dp_delta_change *c, struct dp_err *err) {
    const struct dp_delta_file *landed;
    size_t n;
    DP_TRY(dp_delta_landing_place(e->landing, &landed, &n, err));
    struct dp_delta_file *adds = dp_arena_calloc(&e->arena, n + e->n_dv_adds + 1, sizeof *adds);
    if (n) memcpy(adds, landed, n * sizeof *adds);
    if (e->n_dv_adds) memcpy(adds + n, e->dv_adds, e->n_dv_adds * sizeof *adds);
    c->adds = adds, c->n_adds = n + e->n_dv_adds;
    e->counts->files_added = n;
    e->counts->bytes_added = 0;
    for (size_t i = 0; i < n; i++) e->counts->bytes_added += landed[i].size > 0 ? (uint64_t)landed[i].size : 0;
    return DP_OK;
}

static void gather_removes(struct edit *e, struct dp_delta_change *c) {
    const struct dp_delta_file **removes = dp_arena_calloc(&e->arena, e->n_files + 1, sizeof *removes);
    size_t n = 0;
    for (size_t i = 0; i < e->n_files; i++)
        if (!e->files[i].hits.bits || e->files[i].hits.count) removes[n++] = e->files[i].action;
    c->removes = removes, c->n_removes = n;
}

/* The directory of staged files, emptied and no longer locked. */
static void leave_staging(struct edit_output *o) {
    char *dir = o->done.n ? dp_path_dir(o->done.v[0]) : NULL;
    dp_lay_close(o->lay);
    o->lay = NULL;
    if (!dir) return;
    char *lock = dp_path_join(dir, DP_DELTA_STAGING_LOCK);
    (void)unlink(lock);
    (void)rmdir(dir);
    free(lock);
    free(dir);
}

/* The commit lost: no log names these files, and none will. */
static void take_away(struct edit *e) {
    for (size_t i = 0; i < dp_delta_landing_count(e->landing); i++) {
        const struct dp_delta_file *f = &dp_delta_landing_files(e->landing)[i];
        struct dp_buf path = {0};
        if (dp_delta_path_resolve(e->table, f->path, &path, NULL) == DP_OK) (void)unlink(dp_buf_z(&path));
        dp_buf_release(&path);
    }
    for (size_t i = 0; i < e->n_placed; i++) (void)unlink(e->placed[i]);
}

enum dp_status edit_publish(struct edit *e, struct dp_delta_change *c, edit_metrics metrics, void *ctx, int64_t *version, struct dp_err *err) {
    struct dp_buf extra = {0}, numbers = {0};
    struct dp_err after = DP_ERR_INIT;
    struct dp_delta_file *cdcs;
    enum dp_status status = DP_OK;
    bool is_sent = false;
    DP_TRY_OUT(land(e, &e->rest, err));
    DP_TRY_OUT(land(e, &e->fresh, err));
    if (strcmp(c->operation, "DELETE") != 0) /* it has no new rows */
        DP_TRY_OUT(dp_delta_landing_check(e->landing, e->run->pool, e->run->memory / 4, NULL, err));
    c->checked = true;
    DP_TRY_OUT(land(e, &e->cdc, err));
    DP_TRY_OUT(gather_adds(e, c, err)); /* from here on the landing holds its files; where it has none, we hold the others */
    if (!dp_delta_landing_count(e->landing)) DP_TRY_OUT(dp_delta_hold(e->table, &e->hold, err));
    DP_TRY_OUT(place_changes(e, &cdcs, err));
    DP_TRY_OUT(dp_delta_dv_file_finish(e->vectors, err));
    gather_removes(e, c);
    e->counts->change_files = e->cdc.done.n;
    c->cdcs = cdcs, c->n_cdcs = e->cdc.done.n;
    c->now_ms = e->now_ms;
    c->keeps_row_ids &= e->keeps_ids;
    if (!c->extra) {
        const struct commit_batch none = {.run = e->run};
        commit_batch_print(&none, &extra);
        c->extra = dp_buf_z(&extra);
    }
    c->after = &after;
    if (metrics) {
        metrics(ctx, e->counts, &numbers);
        c->metrics = dp_buf_z(&numbers);
    }
    is_sent = true;
    status = dp_delta_publish(e->table, e->s, c, version, err);
out:
    /* A failure behind the link may have published: then nothing is taken away. */
    if (!is_sent || status == DP_AGAIN || status == DP_END) {
        take_away(e);
    } else {
        dp_lay_keep(e->rest.lay), dp_lay_keep(e->fresh.lay), dp_lay_keep(e->cdc.lay);
        dp_delta_dv_file_keep(e->vectors);
    }
    leave_staging(&e->rest), leave_staging(&e->fresh), leave_staging(&e->cdc);
    if (status == DP_OK) commit_after(e->run, e->table, e->now_ms, *version, &after);
    dp_buf_release(&extra);
    dp_buf_release(&numbers);
    return status;
}
