/*
 * Files that lose rows, read once more (dp/io/edit.h): the rows that stay go to new files in their order, row groups that lose none as they stand; those that
 * go, or get other values, to whoever asks.  Rows are decoded and written in order, and changed by any thread.
 *
 * With deletion vectors nothing is copied, and nothing is read unless values or change data are wanted of the rows that go (digest sections 10 and 13).
 */
#include "edit_priv.h"
#include "mask_priv.h"

#include <dp/delta/path.h>
#include <dp/io/rows.h>
#include <dp/parquet/reader.h>
#include <dp/parquet/writer.h>

#include <stdlib.h>

struct rewriting {
    struct edit *e;
    const struct edit_plan *plan;
    struct dp_delta_file *only; /* the files to be read, */
    char **paths;
    size_t *numbers, n_only;    /* and which of e->files each is */
    struct dp_delta_task *task; /* that is read now */
    struct dp_delta_read *read;
    struct edit_file *file;
    struct dp_rows pace;
    struct dp_pq_encoder *encoder; /* only to ask what can be copied */
};

struct job {
    struct dp_delta_task *copy; /* a row group that goes as it stands; else rows: */
    struct dp_batch in, before, after;
    uint32_t *hit, *stay;       /* their numbers in `in` */
    size_t n_hit, n_stay, hit_cap, stay_cap;
    bool keeps;                 /* the rows that stay are written */
    bool has_types;
    uint8_t *types;             /* of the hits, for change data */
    size_t types_cap;
    struct dp_lay_rows rest, fresh, cdc;
};

static bool is_whole(const struct edit_file *f) { return !f->hits.bits || f->hits.count == f->live; }
static bool is_hit(const struct edit_file *f) { return !f->hits.bits || f->hits.count > 0; }
/* Is the file written anew? */
static bool is_copied(const struct edit *e, const struct edit_file *f) { return is_hit(f) && !is_whole(f) && !e->uses_dv; }

/* ---- in order: row groups and rows ---- */

static bool group_is_hit(const struct edit_file *f, const struct dp_delta_task *t) {
    int64_t rows = dp_pq_meta(dp_delta_task_file(t))->row_groups[dp_delta_task_row_group(t)].num_rows;
    return !f->hits.bits || dp_bits_count(f->hits.bits, dp_delta_task_first_row(t), rows) > 0;
}

static bool can_copy(const struct rewriting *w, struct dp_delta_task *t) {
    const struct group g = group_of_task(t);
    return group_can_copy(&g, &w->e->rest.opts, w->encoder);
}

/* The next row group that rows are read from, or that is copied as a whole (then *copy has it). */
static enum dp_status next_group(struct rewriting *w, struct dp_delta_task **copy, struct dp_err *err) {
    *copy = NULL;
    while (!w->read) {
        DP_TRY(dp_delta_scan_next(w->e->shape, &w->task, err));
        w->file = &w->e->files[w->numbers[dp_delta_task_action(w->task) - w->only]];
        bool keeps = is_copied(w->e, w->file), hit = group_is_hit(w->file, w->task);
        if (keeps && !hit && can_copy(w, w->task)) {
            *copy = w->task;
            w->task = NULL;
            return DP_OK;
        }
        if (keeps || hit) return dp_delta_read_open(w->task, &w->read, err);
        dp_delta_task_release(w->task);
        w->task = NULL;
    }
    return DP_OK;
}

static void end_group(struct rewriting *w) {
    dp_delta_read_close(w->read);
    dp_delta_task_release(w->task);
    w->read = NULL, w->task = NULL;
}

static void divide(const struct rewriting *w, struct job *j) {
    size_t n = (size_t)j->in.length;
    j->hit = dp_grow(j->hit, &j->hit_cap, n + 1, sizeof *j->hit);
    j->stay = dp_grow(j->stay, &j->stay_cap, n + 1, sizeof *j->stay);
    j->types = dp_grow(j->types, &j->types_cap, n + 1, 1);
    j->has_types = w->file->gone.bits != NULL;
    j->n_hit = j->n_stay = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t row = dp_delta_read_row(w->read, (int64_t)i);
        bool hit = !w->file->hits.bits || dp_delta_is_deleted(&w->file->hits, row);
        if (hit) j->types[j->n_hit] = dp_delta_is_deleted(&w->file->gone, row) ? EDIT_DELETE : EDIT_BEFORE;
        if (hit) j->hit[j->n_hit++] = (uint32_t)i;
        else j->stay[j->n_stay++] = (uint32_t)i;
    }
    j->keeps = is_copied(w->e, w->file);
}

static enum dp_status produce(void *ctx, void *job, struct dp_err *err) {
    struct rewriting *w = ctx;
    struct job *j = job;
    if (dp_run_stopped(w->e->run, err)) return DP_SIGNALLED;
    for (;;) {
        DP_TRY(next_group(w, &j->copy, err));
        if (j->copy) return DP_OK;
        if (!j->in.schema) dp_batch_init(&j->in, w->e->stored);
        enum dp_status status = dp_delta_read_next(w->read, dp_rows_next(&w->pace, w->e->run, 4), &j->in, err);
        if (status == DP_END) {
            end_group(w);
            continue;
        }
        DP_TRY(status);
        if (!j->in.length) continue;
        dp_rows_see(&w->pace, &j->in);
        divide(w, j);
        return DP_OK;
    }
}

/* ---- any thread: what becomes of the rows ---- */

static void begin_rows(struct dp_lay_rows *r, const struct dp_lay_opts *o) {
    if (!r->is_open) dp_lay_rows_open(o, r);
    dp_batch_reset(&r->rows);
}

static void begin_batch(struct dp_batch *b, const struct dp_type *schema) {
    if (!b->schema) dp_batch_init(b, schema);
    dp_batch_reset(b);
}

/* All rows in their order, those that were hit with their new values. */
static void put_in_place(const struct job *j, struct dp_batch *out) {
    int64_t at = 0;
    for (size_t i = 0, n; i < j->n_hit; i += n) {
        for (n = 1; i + n < j->n_hit && j->hit[i + n] == j->hit[i] + n; n++) {}
        dp_batch_append(out, &j->in, at, (int64_t)j->hit[i] - at);
        dp_batch_append(out, &j->after, (int64_t)i, (int64_t)n);
        at = (int64_t)(j->hit[i] + n);
    }
    dp_batch_append(out, &j->in, at, j->in.length - at);
}

/* A row with new values is the same row; the version that wrote it is the one that the log will say of its file. */
static void keep_ids(const struct edit *e, struct job *j) {
    size_t at = e->schema->n_children;
    if (!e->keeps_ids) return;
    dp_column_append(&j->after.columns[at], &j->before.columns[at], 0, j->after.length);
    dp_column_append_nulls(&j->after.columns[at + 1], j->after.length);
}

static enum dp_status work(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct rewriting *w = ctx;
    struct edit *e = w->e;
    struct job *j = job;
    bool changes = w->plan->change && j->n_hit, in_place = changes && w->plan->in_place && j->keeps;
    if (j->copy) return DP_OK;
    begin_rows(&j->rest, &e->rest.opts);
    begin_rows(&j->fresh, &e->fresh.opts);
    begin_rows(&j->cdc, &e->cdc.opts);
    begin_batch(&j->before, e->stored);
    begin_batch(&j->after, e->stored);
    if ((changes || w->e->tells) && j->n_hit) dp_batch_gather(&j->before, &j->in, j->hit, j->n_hit);
    struct dp_batch before = edit_columns(e, &j->before), after = edit_columns(e, &j->after);
    if (changes) {
        DP_TRY(w->plan->change(w->plan->ctx, worker, &before, &after, err));
        j->after.length = after.length;
        keep_ids(e, j);
    }
    if (w->e->tells) {
        edit_tell(&before, j->has_types ? j->types : NULL, w->plan->type, &j->cdc.rows);
        if (changes) edit_tell(&after, NULL, EDIT_AFTER, &j->cdc.rows);
        DP_TRY(dp_lay_group(&e->cdc.opts, &j->cdc, err));
    }
    if (in_place) put_in_place(j, &j->rest.rows);
    else if (j->keeps) dp_batch_gather(&j->rest.rows, &j->in, j->stay, j->n_stay);
    if (changes && !in_place) {
        dp_batch_append(&j->fresh.rows, &j->after, 0, j->after.length);
        DP_TRY(dp_lay_group(&e->fresh.opts, &j->fresh, err));
    }
    return dp_lay_group(&e->rest.opts, &j->rest, err);
}

/* ---- in order: to the files ---- */

static enum dp_status copy(struct edit *e, struct dp_delta_task *t, struct dp_err *err) {
    const struct group g = group_of_task(t);
    DP_TRY(group_copy(&g, &e->rest.opts, e->rest.lay, &e->key, err));
    e->counts->copied += g.rows;
    return DP_OK;
}

static enum dp_status add(struct edit *e, struct edit_output *o, const struct dp_lay_rows *r, struct dp_err *err) {
    if (!r->rows.length) return DP_OK;
    DP_TRY(edit_need(e, o, err));
    return dp_lay_add(o->lay, r, err);
}

static enum dp_status consume(void *ctx, void *job, struct dp_err *err) {
    struct rewriting *w = ctx;
    struct edit *e = w->e;
    struct job *j = job;
    if (e->run->tick) e->run->tick(e->run);
    if (j->copy) {
        enum dp_status status = copy(e, j->copy, err);
        dp_delta_task_release(j->copy);
        j->copy = NULL;
        return status;
    }
    if (j->keeps) e->counts->copied += (int64_t)j->n_stay;
    e->n_read += (int64_t)j->n_hit;
    if (j->rest.rows.length) DP_TRY(dp_lay_follow(e->rest.lay, &j->rest, err));
    DP_TRY(add(e, &e->fresh, &j->fresh, err));
    return w->e->tells ? add(e, &e->cdc, &j->cdc, err) : DP_OK;
}

static void release(void *ctx, void *job) {
    struct job *j = job;
    (void)ctx;
    dp_delta_task_release(j->copy);
    if (j->in.schema) dp_batch_release(&j->in);
    if (j->before.schema) dp_batch_release(&j->before), dp_batch_release(&j->after);
    dp_lay_rows_release(&j->rest);
    dp_lay_rows_release(&j->fresh);
    dp_lay_rows_release(&j->cdc);
    free(j->hit);
    free(j->stay);
    free(j->types);
}

/* ---- deletion vectors ---- */

/*
 * Statistics of a file with a new vector: numRecords is exact, bounds are wide from now on.  Null counts of bounds that were tight beside an older vector
 * spoke of live rows, which wide ones must not: they are left out.
 */
static void print_stats(const struct edit_file *f, struct dp_buf *out) {
    struct dp_str text = f->action->stats.n ? f->action->stats : f->action->stats_parsed;
    struct dp_buf padded = {0};
    struct dp_record r;
    bool tight = true;
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    dp_buf_addf(out, "{\"numRecords\":%lld,\"tightBounds\":false", (long long)f->hits.rows);
    dp_buf_adds(&padded, text);
    memset(dp_buf_reserve(&padded, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (text.n && dp_delta_file_rows(f->action) == f->hits.rows && dp_scan_value(scan, padded.p, text.n, &r, NULL) == DP_OK) {
        uint32_t node = dp_json_member(&r, 0, "tightBounds");
        if (node) (void)dp_json_get_bool(&r, node, &tight);
        static const char *const names[] = {"minValues", "maxValues", "nullCount"};
        for (size_t i = 0; i < 3; i++) {
            node = dp_json_member(&r, 0, names[i]);
            if (!node || r.nodes[node].kind != DP_KIND_OBJECT || (i == 2 && tight && f->action->dv.storage.p)) continue;
            dp_buf_addf(out, ",\"%s\":", names[i]);
            dp_buf_adds(out, dp_node_str(&r, node));
        }
    }
    dp_buf_addc(out, '}');
    dp_scan_close(scan);
    dp_buf_release(&padded);
}

static enum dp_status write_vector(struct edit *e, struct edit_file *f, struct dp_err *err) {
    struct dp_delta_file add = *f->action;
    struct dp_delta_deleted old;
    struct dp_buf stats = {0};
    if (f->action->dv.storage.p) {
        DP_TRY(dp_delta_dv_read(e->table, &f->action->dv, f->hits.rows, &old, err));
        for (int64_t i = 0; i <= f->hits.rows / 8; i++) old.bits[i] |= f->hits.bits[i];
        old.count += f->hits.count;
        enum dp_status status = dp_delta_dv_file_add(e->vectors, &old, &e->arena, &add.dv, err);
        dp_delta_deleted_release(&old);
        DP_TRY(status);
    } else {
        DP_TRY(dp_delta_dv_file_add(e->vectors, &f->hits, &e->arena, &add.dv, err));
    }
    print_stats(f, &stats);
    add.stats = dp_arena_str(&e->arena, dp_buf_str(&stats));
    add.stats_parsed = (struct dp_str){0};
    dp_buf_release(&stats);
    e->dv_adds = dp_grow(e->dv_adds, &e->dv_cap, e->n_dv_adds + 1, sizeof *e->dv_adds);
    e->dv_adds[e->n_dv_adds++] = add;
    return DP_OK;
}

/* ---- the whole ---- */

static enum dp_status choose_files(struct rewriting *w, struct dp_err *err) {
    struct edit *e = w->e;
    w->only = dp_calloc(e->n_files + 1, sizeof *w->only);
    w->paths = dp_calloc(e->n_files + 1, sizeof *w->paths);
    w->numbers = dp_calloc(e->n_files + 1, sizeof *w->numbers);
    for (size_t i = 0; i < e->n_files; i++) {
        const struct edit_file *f = &e->files[i];
        struct dp_buf path = {0};
        if (!is_hit(f) || (!w->e->tells && !w->plan->change && !is_copied(e, f))) continue;
        DP_TRY(dp_delta_path_resolve(e->table, f->action->path, &path, err));
        w->only[w->n_only] = *f->action;
        w->paths[w->n_only] = dp_buf_detach(&path);
        w->numbers[w->n_only++] = i;
    }
    dp_delta_scan_only(e->shape, w->only, (const char *const *)w->paths, w->n_only);
    return DP_OK;
}

static enum dp_status read_files(struct rewriting *w, bool copies, struct dp_err *err) {
    const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    enum dp_status status = choose_files(w, err);
    if (status == DP_OK && copies) status = edit_need(w->e, &w->e->rest, err);
    if (status == DP_OK && copies) status = dp_lay_encoder(w->e->rest.lay, &w->encoder, err);
    if (status == DP_OK && w->n_only) status = dp_pool_run(w->e->run->pool, &ops, w, err);
    end_group(w);
    dp_pq_encoder_close(w->encoder);
    for (size_t i = 0; w->paths && i < w->n_only; i++) free(w->paths[i]);
    free(w->only), free(w->paths), free(w->numbers);
    return status;
}

enum dp_status edit_rewrite(struct edit *e, const struct edit_plan *plan, struct dp_err *err) {
    struct rewriting w = {.e = e, .plan = plan};
    bool copies = false;
    e->counts->files_removed = e->counts->vectors = 0;
    for (size_t i = 0; i < e->n_files; i++) {
        const struct edit_file *f = &e->files[i];
        bool gets_vector = e->uses_dv && is_hit(f) && !is_whole(f);
        copies |= is_copied(e, f);
        e->counts->vectors += gets_vector;
        e->counts->files_removed += is_hit(f) && !gets_vector;
    }
    e->tells = e->uses_cdf && (copies || plan->change || plan->has_others);
    if (e->run->dry_run) return DP_OK;
    DP_TRY(read_files(&w, copies, err));
    for (size_t i = 0; i < e->n_files && e->uses_dv; i++)
        if (is_hit(&e->files[i]) && !is_whole(&e->files[i])) DP_TRY(write_vector(e, &e->files[i], err));
    return DP_OK;
}
