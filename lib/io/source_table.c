/*
 * Delta tables as sources: the rows of one version (dp/delta/scan.h), files that --where excludes left out.
 * Batches are decoded in order and printed by the workers, as for Parquet files.
 * What it does not do: begin at a position (a table's changes are no append-only file).
 */
#include "source_priv.h"

#include <dp/base/num.h>
#include <dp/delta/scan.h>

#include <stdlib.h>

struct dp_table_source {
    struct dp_shared *shared; /* by those who read its row groups */
    struct dp_delta_snapshot *snapshot;
    struct dp_expr *where;
    struct dp_delta_scan *scan;
    struct dp_delta_task *task;
    struct dp_delta_read *read;
};

enum { TABLE_ROWS = 8192 };

static void close_table(void *p) {
    struct dp_table_source *t = p;
    dp_delta_scan_close(t->scan);
    dp_delta_close(t->snapshot);
    dp_expr_free(t->where);
    free(t);
}

void dp_sources_close_table(struct dp_sources *s) {
    struct dp_table_source *t = s->table;
    if (!t) return;
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
    if (s->run->where) DP_TRY(dp_expr_compile(dp_str_z(s->run->where), &t->where, err));
    DP_TRY(dp_delta_scan_open(t->snapshot, s->opts->columns, s->opts->n_columns, t->where, &t->scan, err));
    r->schema = dp_type_copy(dp_delta_scan_schema(t->scan));
    r->origin->schema = r->schema;
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
        dp_sources_group(s, c, dp_group_new(s->gate, t->shared, 0, task), (uint64_t)dp_delta_task_rows(task));
        return DP_OK;
    }
    struct dp_batch *b = dp_sources_batch(s, c);
    for (;;) {
        enum dp_status status = t->read ? dp_delta_read_next(t->read, TABLE_ROWS, b, err) : DP_END;
        if (status == DP_END) {
            DP_TRY(next_task(t, err));
            continue;
        }
        if (status != DP_OK) return status;
        if (!b->length) continue;
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
