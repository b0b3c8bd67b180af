/*
 * The change data feed of a table as a source (dp/delta/changes.h): rows of one version after the other, behind each a checkpoint whose position is the next
 * version; batches are decoded in order and printed by the workers.
 *
 * Who follows is woken by the log directory (inotify, or a look now and then), and hears marks meanwhile as from files that grow: a heartbeat a second,
 * idle when there was nothing for a while, active when it goes on.
 * What it does not do: go on behind a version that changes the schema, for the stream's header is out (DP_AGAIN: read on from there).
 */
#include "source_priv.h"

#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/delta/changes.h>
#include <dp/io/changes.h>

#include <stdlib.h>

enum { TICK_MS = 1000, IDLE_MS = 5000 };

struct dp_changes_source {
    struct dp_delta_changes_opts o;
    struct dp_delta_changes *changes;
    struct dp_expr *where;
    struct dp_delta_task *task;
    struct dp_delta_read *read;
    struct dp_watch watch;
    bool is_begun, is_idle, owes_idle, owes_heartbeat;
    uint64_t last_tick, last_news;
};

void dp_changes_source_id(const char *table_id, struct dp_buf *out) {
    dp_buf_addz(out, "delta:");
    dp_buf_addz(out, table_id);
}

static void close_task(struct dp_changes_source *x) {
    dp_delta_read_close(x->read);
    dp_delta_task_release(x->task);
    x->read = NULL;
    x->task = NULL;
}

void dp_sources_close_changes(struct dp_sources *s) {
    struct dp_changes_source *x = s->changes;
    if (!x) return;
    close_task(x);
    dp_delta_changes_close(x->changes);
    dp_watch_close(&x->watch);
    dp_expr_free(x->where);
    free(x);
    s->changes = NULL;
}

enum dp_status dp_sources_open_changes(struct dp_sources *s, const char *name, struct dp_err *err) {
    const struct dp_source_changes *w = s->opts->changes;
    struct dp_changes_source *x = s->changes = dp_calloc(1, sizeof *x);
    struct dp_reading *r = dp_calloc(1, sizeof *r);
    struct dp_buf id = {0};
    x->watch.fd = -1;
    r->next = s->readings;
    s->readings = s->reading = r;
    r->format = DP_SOURCE_TABLE;
    s->dataset = s->expanding = dp_dataset_input(s->run, name);
    s->operands = dp_grow(s->operands, &s->cap_operands, 1, sizeof *s->operands);
    s->operands[s->n_operands++] = dp_strdup(name);
    dp_sources_add_name(s, name);
    s->name = s->names[0];
    if (s->run->where) DP_TRY(dp_expr_compile(dp_str_z(s->run->where), &x->where, err));
    x->o = (struct dp_delta_changes_opts){.since = w->since, .until = w->until, .from_files = w->from_files, .columns = s->opts->columns, .n_columns = s->opts->n_columns,
                                          .extra = w->extra, .n_extra = w->n_extra, .where = x->where, .memory = dp_sources_bound(s)};
    if (s->opts->follow) { /* watched before the range is fixed: what comes in between is news */
        char *log = dp_path_join(name, "_delta_log");
        dp_watch_open(&x->watch);
        dp_watch_dir(&x->watch, log);
        free(log);
    }
    DP_TRY(dp_delta_changes_open(name, &x->o, &x->changes, err));
    r->schema = dp_type_copy(dp_delta_changes_schema(x->changes));
    dp_changes_source_id(dp_delta_changes_table_id(x->changes), &id);
    r->origin = dp_origin_new(name, NULL, dp_str("", 0));
    free(r->origin->position_id);
    r->origin->position_id = dp_buf_detach(&id);
    r->origin->schema = r->schema;
    r->origin->foreign = true;
    r->origin->dataset = s->dataset;
    dp_dataset_storage(s->dataset, "delta", "parquet");
    dp_dataset_version(s->dataset, dp_delta_changes_until(x->changes));
    x->last_tick = x->last_news = dp_sources_clock();
    dp_sources_say(s, "versions %lld to %lld", (long long)w->since, (long long)dp_delta_changes_until(x->changes));
    return DP_OK;
}

/* ---- marks ---- */

static enum dp_status say(struct dp_sources *s, struct dp_chunk *c, struct dp_mark m) {
    m.table_version = -1;
    dp_sources_begin_chunk(s, c);
    dp_mark_release(&c->mark);
    c->kind = DP_CHUNK_MARK;
    c->mark = m;
    c->origin = NULL, c->source = NULL;
    return DP_OK;
}

static enum dp_status say_checkpoint(struct dp_sources *s, struct dp_chunk *c) {
    char text[24];
    size_t n = dp_print_i64(text, dp_delta_changes_version(s->changes->changes) + 1);
    return say(s, c, (struct dp_mark){.kind = DP_MARK_CHECKPOINT, .source = dp_strdup(s->reading->origin->position_id), .partition = dp_strdup("0"), .position = dp_strndup(text, n)});
}

static enum dp_status say_heartbeat(struct dp_sources *s, struct dp_chunk *c) {
    char text[40];
    size_t n = dp_time_print_micros(text, s->run->now_fixed ? s->run->now_micros : dp_time_now_micros(), true, 3);
    return say(s, c, (struct dp_mark){.kind = DP_MARK_HEARTBEAT, .time = dp_strndup(text, n)});
}

/* ---- waiting ---- */

/* DP_OK: versions came, or marks are due. */
static enum dp_status wait_for_versions(struct dp_sources *s, struct dp_err *err) {
    struct dp_changes_source *x = s->changes;
    for (;;) {
        bool more = false;
        DP_TRY(dp_delta_changes_renew(x->changes, &more, err));
        uint64_t now = dp_sources_clock();
        if (more) return x->last_news = now, DP_OK;
        if (now >= x->last_tick + TICK_MS) {
            x->last_tick = now;
            x->owes_heartbeat = true;
            x->owes_idle = !x->is_idle && now >= x->last_news + IDLE_MS;
            return DP_OK;
        }
        DP_TRY(dp_watch_wait(&x->watch, s, x->last_tick + TICK_MS, err));
        (void)dp_watch_news(&x->watch);
    }
}

/* ---- chunks ---- */

/* The next rows of the version; DP_END: it is complete. */
static enum dp_status next_rows(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    struct dp_changes_source *x = s->changes;
    struct dp_batch *b = dp_sources_batch(s, c);
    for (;;) {
        enum dp_status status = x->read ? dp_delta_read_next(x->read, dp_sources_rows(s), b, err) : DP_END;
        if (status == DP_OK && !b->length) continue;
        if (status != DP_OK && status != DP_END) return status;
        if (status == DP_OK) {
            dp_rows_see(&s->sized, b);
            c->line = s->rows + 1;
            c->offset = s->rows;
            s->rows += (uint64_t)b->length;
            c->end_offset = s->rows;
            return DP_OK;
        }
        close_task(x);
        DP_TRY(dp_delta_changes_next(x->changes, &x->task, err)); /* DP_END: of the range */
        if (!x->task) return DP_EMPTY;
        DP_TRY(dp_delta_read_open(x->task, &x->read, err));
    }
}

enum dp_status dp_sources_next_change(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    struct dp_changes_source *x = s->changes;
    if (!x->is_begun) { /* without rows, so that the header goes out before the first mark, also where no rows come at all */
        x->is_begun = true;
        dp_batch_reset(dp_sources_batch(s, c));
        return DP_OK;
    }
    for (;;) {
        if (x->owes_heartbeat) return x->owes_heartbeat = false, say_heartbeat(s, c);
        if (x->owes_idle) return x->owes_idle = false, x->is_idle = true, say(s, c, (struct dp_mark){.kind = DP_MARK_IDLE});
        bool is_news = x->is_idle && dp_delta_changes_version(x->changes) < dp_delta_changes_until(x->changes);
        if (is_news) return x->is_idle = false, say(s, c, (struct dp_mark){.kind = DP_MARK_ACTIVE});
        enum dp_status status = next_rows(s, c, err);
        if (status == DP_EMPTY) return say_checkpoint(s, c);
        if (status == DP_END && s->opts->follow) DP_TRY(wait_for_versions(s, err));
        else if (status != DP_OK && status != DP_END) return dp_sources_place(s, err), status;
        else return status;
    }
}
