/*
 * Records to events, on any thread: time, source, key, kind of change, and the inputs of the aggregates.  What can't be read is a reject, and moves no watermark.
 * What it does not do: know of windows, or of the order of chunks.
 */
#include "window_priv.h"

#include <dp/base/time.h>

#include <stdlib.h>

enum dp_status window_worker_open(void *ctx, void *mem, struct dp_err *err) {
    const struct windowing *w = ctx;
    struct window_worker *k = mem;
    (void)err;
    k->reader = dp_agg_reader_open(w->aggs);
    k->keys = dp_calloc(w->n_keys + 1, sizeof *k->keys);
    k->err = (struct dp_err)DP_ERR_INIT;
    return DP_OK;
}

void window_worker_close(void *ctx, void *mem) {
    struct window_worker *k = mem;
    (void)ctx;
    dp_agg_reader_close(k->reader);
    dp_buf_release(&k->scratch);
    free(k->keys);
}

void window_job_close(void *ctx, void *mem) {
    struct window_job *x = mem;
    (void)ctx;
    free(x->events), free(x->line_off), free(x->others);
    dp_buf_release(&x->keys);
    dp_buf_release(&x->rows);
    dp_map_release(&x->sources);
}

enum dp_status window_chunk_begin(void *ctx, struct dp_job *j, struct dp_err *err) {
    const struct windowing *w = ctx;
    struct window_job *x = j->mem;
    struct window_worker *k = j->worker_mem;
    const struct dp_type *types = x->types = dp_job_types(j);
    (void)err;
    x->n = 0;
    x->first_is_change = x->has_subtract = false;
    x->latest = INT64_MIN;
    dp_buf_reset(&x->keys);
    dp_buf_reset(&x->rows);
    if (x->sources.n) dp_map_reset(&x->sources);
    k->lacks_change = false;
    x->wants_change = w->o->changes || (types && dp_type_child(types, DP_STR(WINDOW_CHANGE_TYPE)));
    x->future = INT64_MAX;
    if (w->o->max_future >= 0) {
        int64_t now = (w->run->now_fixed ? w->run->now_micros : dp_time_now_micros()) / 1000;
        if (__builtin_add_overflow(now, w->o->max_future, &x->future)) x->future = INT64_MAX;
    }
    return DP_OK;
}

/* ---- the parts of an event ---- */

static const char *top_of(const struct dp_path *p) { return p->n && p->steps[0].kind == DP_STEP_KEY ? p->steps[0].key : NULL; }

/* Values may not be shown where the header or contract calls the column classified. */
static bool read_time(const struct windowing *w, struct dp_job *j, const struct dp_record *r, int64_t *ms) {
    struct window_worker *k = j->worker_mem;
    const struct window_job *x = j->mem;
    if (!w->o->time) return *ms = 0, true;
    uint32_t node = dp_path_find(&w->time, &k->time, r);
    const char *why = dp_event_time_ms(&w->clock, &k->day, r, node, &k->scratch, ms);
    if (why) {
        dp_job_reject(j, r, "time", w->o->time, "a time", "%s", why);
        return false;
    }
    if (*ms > x->future) {
        dp_job_reject(j, r, "future", w->o->time, "a time that is not beyond --max-future", "the time is too far in the future");
        return false;
    }
    return true;
}

/* The number of its source in the job. */
static bool read_source(const struct windowing *w, struct dp_job *j, const struct dp_record *r, size_t *number) {
    struct window_worker *k = j->worker_mem;
    struct window_job *x = j->mem;
    bool is_new;
    *number = 0;
    if (!w->o->source) return true;
    uint32_t node = dp_path_find(&w->source, &k->source, r);
    uint8_t kind = node ? r->nodes[node].kind : DP_KIND_NONE;
    if (kind != DP_KIND_STRING && kind != DP_KIND_NUMBER) {
        dp_job_reject(j, r, "source", top_of(&w->source), "the name of a source", !node ? "the source is missing" : kind == DP_KIND_NULL ? "the source is null" : "the source must be a string or a number");
        return false;
    }
    struct dp_str name = dp_node_str(r, node);
    if (r->nodes[node].flags & DP_NODE_ESCAPED) {
        dp_buf_reset(&k->scratch);
        dp_json_decode(name, &k->scratch);
        name = dp_buf_str(&k->scratch);
    }
    struct dp_map_item *it = dp_map_put(&x->sources, name, &is_new);
    if (is_new) it->v.u = x->sources.n - 1;
    *number = it->v.u;
    return true;
}

static bool read_key(const struct windowing *w, struct dp_job *j, const struct dp_record *r) {
    struct window_worker *k = j->worker_mem;
    struct window_job *x = j->mem;
    const char *why;
    for (size_t i = 0; i < w->n_keys; i++) {
        uint32_t node = dp_path_find(&w->keys[i].path, &k->keys[i], r);
        if (window_key_add(r, node, &x->keys, &why)) continue;
        dp_job_reject(j, r, "key", w->keys[i].name, "a key", "%s", why);
        return false;
    }
    return true;
}

enum change { CHANGE_NONE, CHANGE_ADD, CHANGE_SUBTRACT, CHANGE_BAD };

static enum change read_change(const struct windowing *w, struct dp_job *j, const struct dp_record *r) {
    static const struct { const char *word; enum change change; } words[] = {
        {"insert", CHANGE_ADD}, {"update_postimage", CHANGE_ADD}, {"delete", CHANGE_SUBTRACT}, {"update_preimage", CHANGE_SUBTRACT}};
    struct window_worker *k = j->worker_mem;
    const struct window_job *x = j->mem;
    if (k->lacks_change) return CHANGE_NONE;
    uint32_t node = dp_path_find(&w->change, &k->change, r);
    k->lacks_change = !node;
    if (!node && !x->wants_change) return CHANGE_NONE;
    for (size_t i = 0; node && r->nodes[node].kind == DP_KIND_STRING && i < sizeof words / sizeof *words; i++)
        if (dp_json_equal(dp_node_str(r, node), r->nodes[node].flags, dp_str_z(words[i].word))) return words[i].change;
    if (!node || r->nodes[node].kind == DP_KIND_NULL) return CHANGE_ADD; /* no change: a new record */
    dp_job_reject(j, r, "change", WINDOW_CHANGE_TYPE, "insert, update_preimage, update_postimage or delete", "it says neither insert nor update nor delete");
    return CHANGE_BAD;
}

enum dp_status window_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    const struct windowing *w = ctx;
    struct window_worker *k = j->worker_mem;
    struct window_job *x = j->mem;
    size_t keys = x->keys.n, rows = x->rows.n;
    if (x->n == x->cap) x->events = dp_grow(x->events, &x->cap, x->n + 1, sizeof *x->events);
    struct dp_window_event *e = &x->events[x->n]; /* it counts when all of it was read */
    enum change change;
    if (j->new_keys) k->lacks_change = false; /* also of records that came no further than here, or not here */
    if (!read_time(w, j, r, &e->time) || !read_source(w, j, r, &e->source)) return DP_OK;
    if (!read_key(w, j, r) || (change = read_change(w, j, r)) == CHANGE_BAD) return x->keys.n = keys, DP_OK;
    enum dp_status status = dp_agg_read(k->reader, r, x->types, &x->rows, &k->err);
    if (status == DP_RECORD) {
        bool hide = j->run->hide_raw && !j->run->rejects_clear; /* what it says may quote a value */
        dp_job_reject(j, r, "aggregate", NULL, NULL, "%s", hide ? "an aggregate can't take this record" : k->err.msg);
        x->keys.n = keys;
        return DP_OK;
    }
    if (status != DP_OK) {
        if (err) *err = k->err;
        return status;
    }
    e->key.n = x->keys.n - keys;
    e->hash = dp_window_hash(e->key.n ? dp_str(x->keys.p + keys, e->key.n) : dp_str("", 0));
    e->subtract = change == CHANGE_SUBTRACT;
    x->has_subtract |= e->subtract;
    if (e->time > x->latest) x->latest = e->time;
    if (!x->n) x->first_is_change = change != CHANGE_NONE;
    if (w->o->late) {
        x->line_off = dp_grow(x->line_off, &x->cap_line_off, x->n + 1, sizeof *x->line_off);
        x->line_off[x->n] = r->line_off;
    }
    if (w->parts > 1) {
        x->others = dp_grow(x->others, &x->cap_others, x->n + 1, sizeof *x->others);
        x->others[x->n] = !dp_window_part(e->hash, w->part, w->parts);
        if (x->others[x->n]) x->rows.n = rows, x->keys.n = keys, e->key.n = 0; /* it moves the watermark alone */
    }
    e->row.n = x->rows.n - rows;
    x->n++;
    return DP_OK;
}

/* The buffers stand still now: keys and rows are behind each other in them. */
enum dp_status window_chunk_end(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct window_job *x = j->mem;
    const char *key = x->keys.p, *row = x->rows.p;
    (void)ctx;
    (void)err;
    for (size_t i = 0; i < x->n; i++) {
        struct dp_window_event *e = &x->events[i];
        e->key.p = key, e->row.p = row;
        if (e->key.n) key += e->key.n;
        if (e->row.n) row += e->row.n;
    }
    return DP_OK;
}
