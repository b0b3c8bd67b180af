/*
 * Delta tables as sources: the rows of one version (dp/delta/scan.h), files that --where excludes left out.
 * Batches are decoded in order and printed by the workers, as for Parquet files.
 * What it does not do: begin at a position (a table's changes are no append-only file).
 */
#include "source_priv.h"

#include <dp/base/num.h>
#include <dp/delta/scan.h>
#include <dp/delta/schema.h>

#include <stdlib.h>

struct dp_table_source {
    struct dp_shared *shared; /* by those who read its row groups */
    struct dp_delta_snapshot *snapshot;
    struct dp_type *own;
    struct dp_expr *where;
    struct dp_delta_scan *scan;
    struct dp_delta_task *task;
    struct dp_delta_read *read;
};


/* ---- sets of files and tables ---- */

enum dp_status dp_sources_join(struct dp_sources *s, const char *const *names, size_t n, struct dp_err *err) {
    struct dp_err own = DP_ERR_INIT;
    enum dp_status status = dp_evolve_schema(s->run, names, n, s->opts->as_of, true, &s->set, &own);
    if (status == DP_SCHEMA && s->opts->own_types) {
        dp_run_log(s->run, DP_LOG_WARN, "%s: each file is read by its own types", own.msg);
        dp_type_free(s->set);
        s->set = NULL;
        return DP_OK;
    }
    if (status != DP_OK && err) *err = own;
    return status;
}

enum dp_status dp_sources_evolve(struct dp_sources *s, const struct dp_type *own, bool is_of_set, struct dp_err *err) {
    struct dp_reading *r = s->reading;
    const struct dp_type *set = is_of_set && s->set && dp_evolve_covers(s->set, own) ? s->set : own;
    struct dp_type *read = NULL;
    if (s->opts->reads) DP_TRY(dp_evolve_choose(set, s->opts->reads, 0, s->opts->reads, s->opts->n_reads, &read, err));
    if (read && read->n_children) {
        r->schema = read;
    } else {
        dp_type_free(read);
        DP_TRY(dp_evolve_choose(set, s->opts->columns, s->opts->n_columns, NULL, 0, &r->schema, err));
    }
    r->origin->schema = r->schema;
    dp_evolve_open(&s->evolve, r->schema, own);
    return DP_OK;
}

/* ---- one table ---- */

static void close_table(void *p) {
    struct dp_table_source *t = p;
    dp_delta_scan_close(t->scan);
    dp_type_free(t->own);
    dp_delta_close(t->snapshot);
    dp_expr_free(t->where);
    free(t);
}

void dp_sources_close_table(struct dp_sources *s) {
    struct dp_table_source *t = s->table;
    if (!t) return;
    dp_evolve_release(&s->evolve);
    dp_delta_read_close(t->read);
    dp_delta_task_release(t->task);
    t->read = NULL;
    t->task = NULL;
    dp_shared_drop(t->shared);
    s->table = NULL;
    s->reading = NULL;
}

/* "NAME@version": another version is another source. */
static struct dp_origin *table_origin(const char *name, int64_t version) {
    char id[32];
    size_t n = dp_print_i64(id, version);
    struct dp_origin *o = dp_origin_new(name, NULL, dp_str(id, n));
    o->foreign = true;
    return o;
}

enum dp_status dp_sources_open_table(struct dp_sources *s, const char *name, struct dp_err *err) {
    int64_t version = -1;
    s->name = name;
    if (s->opts->resume) return dp_err_set(err, DP_UNSUPPORTED, "%s is a table: going on at a position is not supported for tables", name);
    if (s->opts->as_of) DP_TRY(dp_delta_as_of(name, dp_str_z(s->opts->as_of), &version, err));
    struct dp_table_source *t = s->table = dp_calloc(1, sizeof *t);
    t->shared = dp_shared_new(t, close_table);
    struct dp_reading *r = dp_calloc(1, sizeof *r);
    r->next = s->readings;
    s->readings = s->reading = r;
    r->format = DP_SOURCE_TABLE;
    DP_TRY(dp_delta_open(name, version, &t->snapshot, err));
    r->origin = table_origin(name, t->snapshot->version);
    if (!s->surveying) {
        r->origin->dataset = s->dataset;
        dp_dataset_table(s->dataset, t->snapshot);
    }
    if (s->run->where) DP_TRY(dp_expr_compile(dp_str_z(s->run->where), &t->where, err));
    t->own = dp_delta_schema_unfit(t->snapshot->schema);
    DP_TRY(dp_sources_evolve(s, t->own, true, err));
    /* files are passed over by the table's own types: where one is another in the set, none is */
    const struct dp_expr *where = !s->set || dp_evolve_keeps_bounds(s->set, t->own) ? t->where : NULL;
    DP_TRY(dp_delta_scan_open(t->snapshot, s->evolve.whole ? NULL : s->evolve.names, s->evolve.n_names, where, &t->scan, err));
    dp_delta_scan_bound(t->scan, dp_sources_bound(s));
    s->rows = 0;
    dp_sources_say(s, "version %lld, %zu files", (long long)t->snapshot->version, t->snapshot->n_files);
    return DP_OK;
}

/* The next row group's reader. */
static enum dp_status next_task(struct dp_table_source *t, struct dp_err *err) {
    dp_delta_read_close(t->read);
    dp_delta_task_release(t->task);
    t->read = NULL;
    t->task = NULL;
    DP_TRY(dp_delta_scan_next(t->scan, &t->task, err));
    return dp_delta_read_open(t->task, &t->read, err);
}

enum dp_status dp_sources_read_table(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    struct dp_table_source *t = s->table;
    if (dp_sources_by_groups(s, t->snapshot->n_files)) {
        struct dp_delta_task *task;
        DP_TRY(dp_delta_scan_next(t->scan, &task, err));
        dp_sources_begin_chunk(s, c);
        dp_sources_group(s, c, dp_group_new(s->gate, t->shared, 0, task, s->reading->schema, dp_delta_scan_schema(t->scan)), (uint64_t)dp_delta_task_rows(task));
        return DP_OK;
    }
    struct dp_batch *b = dp_sources_batch(s, c);
    for (;;) {
        struct dp_batch *raw = dp_evolve_target(&s->evolve, dp_delta_scan_schema(t->scan), b);
        enum dp_status status = t->read ? dp_delta_read_next(t->read, dp_sources_rows(s), raw, err) : DP_END;
        if (status == DP_END) {
            DP_TRY(next_task(t, err));
            continue;
        }
        if (status == DP_OK && !raw->length) continue;
        if (status == DP_OK) status = dp_evolve_batch(&s->evolve, b, err);
        if (status != DP_OK) return status;
        dp_rows_see(&s->sized, b);
        c->kind = DP_CHUNK_RECORDS;
        c->source = s->reading;
        c->origin = s->reading->origin;
        c->line = s->rows + 1;
        c->offset = s->rows;
        s->rows += (uint64_t)b->length;
        c->end_offset = s->rows;
        return DP_OK;
    }
}
