/*
 * The window operator (dp/rules/window.h): which windows a record is in, the watermark's steps, checkpoints.  spec: windows.md 1, 3 to 7.
 * What becomes of the states is in window_grid.c and window_keyed.c; window_priv.h is the map.
 */
#include "window_priv.h"

#include <stdlib.h>
#define XXH_INLINE_ALL /* keys are short */
#include <xxhash.h>

enum { FORMAT = 2 };

static int64_t floor_mod(int64_t a, int64_t b) {
    int64_t r = a % b;
    return r < 0 ? r + b : r;
}

/* ---- what may be asked for ---- */

static enum dp_status check_size(const char *what, int64_t size, struct dp_err *err) {
    if (size < 1) return dp_err_set(err, DP_USAGE, "%s must be at least 1 ms", what);
    if (size > INT64_MAX / 4) return dp_err_set(err, DP_USAGE, "%s is too long", what);
    return DP_OK;
}

static enum dp_status check_often(int64_t size, int64_t step, struct dp_err *err) {
    if ((size - 1) / step + 1 > (int64_t)DP_LIMIT_WINDOWS_PER_RECORD)
        return dp_err_set(err, DP_USAGE, "a record would be in %lld windows, more than %u", (long long)((size - 1) / step + 1), DP_LIMIT_WINDOWS_PER_RECORD);
    return DP_OK;
}

enum dp_status dp_window_check(const struct dp_window_spec *s, struct dp_err *err) {
    switch (s->kind) {
    case DP_WINDOW_TUMBLE: DP_TRY(check_size("the size of a tumbling window", s->size, err)); break;
    case DP_WINDOW_HOP:
        DP_TRY(check_size("the size of a hopping window", s->size, err));
        DP_TRY(check_size("the slide of a hopping window", s->slide, err));
        DP_TRY(check_often(s->size, s->slide, err));
        break;
    case DP_WINDOW_SESSION: DP_TRY(check_size("the gap of a session", s->size, err)); break;
    case DP_WINDOW_SLIDE: DP_TRY(check_size("the difference of a sliding window", s->size, err)); break;
    case DP_WINDOW_COUNT:
        if (s->count < 1 || s->every < 1) return dp_err_set(err, DP_USAGE, "a count window is of at least 1 record, every 1 or more");
        DP_TRY(check_often(s->count, s->every, err));
        if (s->changes) return dp_err_set(err, DP_UNSUPPORTED, "count windows over changes: records that are taken out would move all behind them");
        break;
    case DP_WINDOW_CALENDAR:
        if (!s->zone) return dp_err_set(err, DP_USAGE, "calendar windows need a time zone");
        if (s->week_start < 1 || s->week_start > 7) return dp_err_set(err, DP_USAGE, "a week starts on day 1 (Monday) to 7");
        break;
    }
    if (s->lateness < 0) return dp_err_set(err, DP_USAGE, "lateness must not be negative");
    if (s->changes && s->emit != DP_WINDOW_FINAL && s->panes == DP_WINDOW_DISCARDING)
        return dp_err_set(err, DP_UNSUPPORTED, "discarding panes over changes: what is taken out may be in a pane that was written");
    return DP_OK;
}

/* ---- open and close ---- */

uint64_t dp_window_hash(struct dp_str key) {
    uint64_t h = XXH3_64bits(key.n ? key.p : "", key.n);
    return h ? h : 1;
}

bool dp_window_part(uint64_t hash, uint32_t i, uint32_t n) {
    return !hash || (uint32_t)((dp_u128)hash * n >> 64) == i;
}

enum dp_status dp_window_open(const struct dp_window_conf *conf, struct dp_window **out, struct dp_err *err) {
    DP_TRY(dp_window_check(&conf->spec, err));
    struct dp_window *w = dp_calloc(1, sizeof *w);
    const struct dp_window_spec *s = &w->conf.spec;
    w->conf = *conf;
    w->state_size = dp_agg_size(conf->aggs);
    w->scratch = dp_calloc(1, w->state_size + !w->state_size);
    w->is_final = s->emit == DP_WINDOW_FINAL;
    w->is_changelog = s->emit == DP_WINDOW_CHANGELOG;
    w->is_discarding = !w->is_final && s->panes == DP_WINDOW_DISCARDING;
    w->holds = w->is_final ? 0 : s->lateness;
    w->bound = w->seen = INT64_MIN;
    w->due = INT64_MAX;
    w->cell_start = w->cell_end = 0;
    /* a quarter is for what sorting and the runs' buffers need */
    w->memory = (size_t)(conf->memory / 4 * 3);
    if (w->memory < 4096) w->memory = 4096;
    if (s->kind == DP_WINDOW_TUMBLE) w->conf.spec.slide = s->size;
    if (s->kind == DP_WINDOW_TUMBLE || s->kind == DP_WINDOW_HOP) w->offset = floor_mod(s->offset, s->slide);
    switch (s->kind) {
    case DP_WINDOW_TUMBLE:
    case DP_WINDOW_HOP:
    case DP_WINDOW_CALENDAR: w->grid = dp_window_grid_open(w, false); break;
    case DP_WINDOW_SESSION: w->keyed = dp_window_keyed_open(w, &dp_window_session_ops); break;
    case DP_WINDOW_SLIDE: w->keyed = dp_window_keyed_open(w, &dp_window_slide_ops); break;
    case DP_WINDOW_COUNT: w->keyed = dp_window_keyed_open(w, &dp_window_count_ops); break;
    }
    *out = w;
    return DP_OK;
}

void dp_window_close(struct dp_window *w) {
    if (!w) return;
    dp_window_grid_free(w->grid);
    dp_window_keyed_free(w->keyed);
    dp_agg_release(w->conf.aggs, w->scratch, &w->mem);
    free(w->scratch);
    dp_buf_release(&w->bytes);
    free(w);
}

enum dp_status dp_window_emit(struct dp_window *w, enum dp_window_op op, int64_t start, int64_t end, struct dp_str key, uint64_t pane, const void *state, bool is_early,
                              struct dp_err *err) {
    if (op == DP_WINDOW_RETRACT && !w->is_changelog) return DP_OK;
    struct dp_window_row row = {op, start, end, key, pane, state, is_early};
    return w->conf.emit(w->conf.ctx, &row, err);
}

/* ---- the watermark's steps ---- */

static int64_t due_of(const struct dp_window *w) { return w->grid ? dp_window_grid_due(w->grid) : dp_window_keyed_due(w->keyed); }

/* Fires what is due by a bound, which is not before the one that is. */
static enum dp_status fire(struct dp_window *w, int64_t bound, struct dp_err *err) {
    if (w->due <= bound) {
        DP_TRY(w->grid ? dp_window_grid_fire(w->grid, bound, false, err) : dp_window_keyed_fire(w->keyed, bound, err));
        w->due = due_of(w);
    }
    w->bound = bound;
    return DP_OK;
}

static enum dp_status step(struct dp_window *w, struct dp_err *err) {
    w->seen = w->conf.watermark->now;
    int64_t bound = w->is_final ? dp_window_sub_sat(w->seen, w->conf.spec.lateness) : w->seen;
    return bound > w->bound ? fire(w, bound, err) : DP_OK;
}

/* Behind the last load, before anything else. */
static enum dp_status start(struct dp_window *w, struct dp_err *err) {
    if (w->is_started) return DP_OK;
    w->is_started = true;
    DP_TRY(w->grid ? dp_window_grid_start(w->grid, w->bound, err) : dp_window_keyed_start(w->keyed, w->bound, err));
    w->due = due_of(w);
    return step(w, err);
}

enum dp_status dp_window_advance(struct dp_window *w, struct dp_err *err) {
    DP_TRY(start(w, err));
    return step(w, err);
}

enum dp_status dp_window_settle(struct dp_window *w, struct dp_err *err) { return dp_window_advance(w, err); }

enum dp_status dp_window_flush(struct dp_window *w, bool rest, struct dp_err *err) {
    DP_TRY(start(w, err));
    if (w->conf.spec.kind == DP_WINDOW_COUNT) return rest ? dp_window_keyed_show(w->keyed, true, err) : DP_OK;
    w->conf.watermark->now = w->seen = INT64_MAX;
    return fire(w, INT64_MAX, err);
}

/* ---- records ---- */

static enum dp_status spill(struct dp_window *w, struct dp_err *err) {
    DP_TRY(w->grid ? dp_window_grid_spill(w->grid, err) : dp_window_keyed_spill(w->keyed, err));
    w->due = due_of(w);
    return DP_OK;
}

static size_t tables_of(const struct dp_window *w) { return w->grid ? dp_window_grid_bytes(w->grid) : dp_window_keyed_bytes(w->keyed); }

static bool is_over(const struct dp_window *w) { return tables_of(w) + w->mem.bytes + w->record_bytes > w->memory; }

/* Into w->cell_*: the tumbling window or calendar period of a time; false: beyond int64. */
static bool cell_of(struct dp_window *w, int64_t t) {
    const struct dp_window_spec *s = &w->conf.spec;
    if (t >= w->cell_start && t < w->cell_end) return true;
    if (s->kind == DP_WINDOW_CALENDAR) return dp_zone_period(s->zone, s->unit, s->week_start, t, &w->cell_start, &w->cell_end);
    int64_t back = floor_mod(t, s->size) - w->offset, first, end;
    if (back < 0) back += s->size;
    if (dp_sub_overflow(t, back, &first) || dp_add_overflow(first, s->size, &end)) return false;
    w->cell_start = first, w->cell_end = end;
    return true;
}

static enum dp_status put(struct dp_window *w, int64_t first, int64_t end, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    if (dp_window_is_closed(w, end)) {
        *fate = DP_WINDOW_LATE;
        return DP_OK;
    }
    if (end < w->due) w->due = end;
    return dp_window_grid_add(w->grid, first, end, ev, fate, err);
}

static enum dp_status put_hop(struct dp_window *w, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    const struct dp_window_spec *s = &w->conf.spec;
    int64_t back = floor_mod(ev->time, s->slide) - w->offset, last, first, end;
    if (back < 0) back += s->slide;
    *fate = DP_WINDOW_UNASSIGNED;
    if (back >= s->size || dp_sub_overflow(ev->time, back, &last) || dp_add_overflow(last, s->size, &end)) return DP_OK;
    if (dp_sub_overflow(last, (s->size - 1 - back) / s->slide * s->slide, &first)) return DP_OK;
    *fate = DP_WINDOW_LATE;
    for (;;) {
        enum dp_window_fate one;
        DP_TRY(put(w, first, first + s->size, ev, &one, err));
        if (tables_of(w) + w->mem.bytes > w->memory) DP_TRY(spill(w, err)); /* one record alone may be in a million windows */
        if (one != DP_WINDOW_LATE && *fate != DP_WINDOW_USED) *fate = one;
        if (first == last) return DP_OK;
        first += s->slide;
    }
}

static enum dp_status assign(struct dp_window *w, const struct dp_window_event *ev, enum dp_window_fate *fate, struct dp_err *err) {
    w->arrivals++;
    if (w->keyed) {
        DP_TRY(dp_window_keyed_add(w->keyed, ev, fate, err));
        int64_t due = dp_window_keyed_due(w->keyed);
        if (due < w->due) w->due = due;
        return DP_OK;
    }
    if (w->conf.spec.kind == DP_WINDOW_HOP) return put_hop(w, ev, fate, err);
    *fate = DP_WINDOW_UNASSIGNED;
    return cell_of(w, ev->time) ? put(w, w->cell_start, w->cell_end, ev, fate, err) : DP_OK;
}

/* Slots of records that come soon are fetched into the cache while others are worked on: a table of a million windows is not in it. */
static void prefetch(struct dp_window *w, const struct dp_window_event *ev, bool deep) {
    const struct dp_window_spec *s = &w->conf.spec;
    if (w->keyed) {
        dp_window_keyed_prefetch(w->keyed, ev->hash, deep);
    } else if (s->kind != DP_WINDOW_CALENDAR) {
        int64_t back = floor_mod(ev->time, s->slide) - w->offset;
        uint64_t first = (uint64_t)ev->time - (uint64_t)(back < 0 ? back + s->slide : back);
        dp_window_grid_prefetch(w->grid, (int64_t)first, ev->hash, deep);
        for (int64_t more = s->slide; more < s->size && more < 8 * s->slide; more += s->slide) dp_window_grid_prefetch(w->grid, (int64_t)(first - (uint64_t)more), ev->hash, deep);
    } else {
        dp_window_grid_prefetch(w->grid, w->cell_start, ev->hash, deep);
    }
}

enum dp_status dp_window_add(struct dp_window *w, const struct dp_window_event *events, size_t n, enum dp_window_fate *fates, struct dp_err *err) {
    enum { SLOT = 12, ENTRY = 6 };
    DP_TRY(start(w, err));
    bool is_large = tables_of(w) > 1u << 20; /* what is in the cache anyway needs no help */
    for (size_t i = 0; i < n; i++) {
        const struct dp_window_event *ev = &events[i];
        if (is_large && i + SLOT < n) prefetch(w, ev + SLOT, false);
        if (is_large && i + ENTRY < n) prefetch(w, ev + ENTRY, true);
        DP_TRY(assign(w, ev, &fates[i], err));
        if (dp_watermark_see(w->conf.watermark, ev->source, ev->time)) DP_TRY(step(w, err));
        /* a session that was cut in two may be due by now */
        else if (w->due <= w->bound && w->conf.spec.changes) DP_TRY(fire(w, w->bound, err));
        if (is_over(w)) DP_TRY(spill(w, err));
    }
    return DP_OK;
}

/* ---- early rows ---- */

static enum dp_status show(void *ctx, const struct dp_window_seen *seen, struct dp_err *err) {
    struct dp_window *w = ctx;
    if (!(seen->flags & DP_WINDOW_FRESH) || dp_window_is_due(w, seen->end) || !dp_agg_rows(w->conf.aggs, seen->state)) return DP_OK;
    return dp_window_emit(w, DP_WINDOW_EMIT, seen->start, seen->end, seen->key, seen->fires, seen->state, true, err);
}

enum dp_status dp_window_early(struct dp_window *w, struct dp_err *err) {
    DP_TRY(dp_window_advance(w, err));
    if (w->keyed) return dp_window_keyed_show(w->keyed, false, err);
    return dp_window_grid_each(w->grid, true, DP_WINDOW_FRESH, DP_WINDOW_FRESH, show, w, err);
}

/* ---- checkpoints ---- */

struct saving {
    struct dp_window *w;
    bool all;
    dp_window_put put;
    void *ctx;
    struct dp_buf key;
};

/* Of a window: key hash, 'g', end, start, key; value fires and whether it is fresh, state. */
static enum dp_status save_window(void *ctx, const struct dp_window_seen *seen, struct dp_err *err) {
    struct saving *s = ctx;
    struct dp_window *w = s->w;
    if (!s->all && !(seen->flags & DP_WINDOW_DIRTY)) return DP_OK;
    dp_buf_reset(&s->key);
    dp_window_grid_key(&s->key, dp_window_hash(seen->key), seen->start, seen->end, seen->key);
    if (!seen->fires && !dp_agg_rows(w->conf.aggs, seen->state)) return s->all ? DP_OK : s->put(s->ctx, dp_buf_str(&s->key), NULL, err);
    dp_buf_reset(&w->bytes);
    dp_window_put64(&w->bytes, seen->fires << 1 | (seen->flags & DP_WINDOW_FRESH ? 1 : 0));
    dp_agg_save(w->conf.aggs, seen->state, &w->bytes);
    struct dp_str value = dp_buf_str(&w->bytes);
    return s->put(s->ctx, dp_buf_str(&s->key), &value, err);
}

/* What belongs to all parts: format, bound, W, records. */
static enum dp_status save_clock(struct saving *s, struct dp_err *err) {
    struct dp_window *w = s->w;
    dp_buf_reset(&s->key), dp_buf_reset(&w->bytes);
    dp_window_put64(&s->key, 0);
    dp_buf_addc(&s->key, 'w');
    dp_window_put64(&w->bytes, FORMAT);
    dp_window_put_time(&w->bytes, w->bound);
    dp_window_put64(&w->bytes, w->arrivals);
    struct dp_str value = dp_buf_str(&w->bytes);
    return s->put(s->ctx, dp_buf_str(&s->key), &value, err);
}

enum dp_status dp_window_save(struct dp_window *w, bool all, dp_window_put put_entry, void *ctx, struct dp_err *err) {
    struct saving s = {w, all, put_entry, ctx, {0}};
    enum dp_status status;
    DP_TRY(dp_window_settle(w, err));
    DP_TRY_OUT(save_clock(&s, err));
    if (w->keyed) {
        status = dp_window_keyed_save(w->keyed, all, put_entry, ctx, err);
        goto out;
    }
    DP_TRY_OUT(dp_window_grid_gone(w->grid, all ? NULL : put_entry, ctx, err));
    status = dp_window_grid_each(w->grid, false, all ? 0 : DP_WINDOW_DIRTY, DP_WINDOW_DIRTY, save_window, &s, err);
out:
    dp_buf_release(&s.key);
    return status;
}

static enum dp_status load_clock(struct dp_window *w, struct dp_str in, struct dp_err *err) {
    uint64_t format, arrivals;
    int64_t bound;
    if (!dp_window_take64(&in, &format)) return dp_window_damaged(err);
    if (format != FORMAT && !(format == 1 && w->conf.spec.kind != DP_WINDOW_COUNT)) return dp_err_set(err, DP_FORMAT, "the state of windows has format %llu, and this program reads %d", (unsigned long long)format, FORMAT);
    if (!dp_window_take_time(&in, &bound) || !dp_window_take64(&in, &arrivals) || in.n) return dp_window_damaged(err);
    if (w->is_loaded && bound != w->bound) return dp_err_set(err, DP_FORMAT, "parts of a state of windows are of different moments");
    w->is_loaded = true;
    w->bound = bound;
    if (arrivals > w->arrivals) w->arrivals = arrivals;
    return DP_OK;
}

enum dp_status dp_window_load(struct dp_window *w, struct dp_str key, struct dp_str value, struct dp_err *err) {
    uint64_t hash, fires;
    if (!dp_window_take64(&key, &hash) || !key.n) return dp_window_damaged(err);
    char tag = *key.p++;
    key.n--;
    if (!hash && tag == 'w' && !key.n) return load_clock(w, value, err);
    if (tag == 'k' && w->keyed && hash == dp_window_hash(key)) {
        DP_TRY(dp_window_keyed_load(w->keyed, hash, key, value, err));
    } else if (tag == 'f' && w->keyed) {
        struct dp_window_piece p = {.hash = hash};
        if (!dp_window_take_time(&key, &p.start) || !dp_window_take64(&key, &p.number) || !dp_window_take64(&value, &fires) || hash != dp_window_hash(key)) return dp_window_damaged(err);
        p.key = key, p.body = value, p.flags = fires & 1 ? DP_WINDOW_FRESH : 0;
        if (dp_add_overflow(p.start, w->conf.spec.size, &(int64_t){0})) return dp_window_damaged(err);
        DP_TRY(dp_window_keyed_load_ahead(w->keyed, &p, err));
    } else if (tag == 'g' && w->grid) {
        struct dp_window_seen seen = {.hash = hash};
        if (!dp_window_take_time(&key, &seen.end) || !dp_window_take_time(&key, &seen.start) || !dp_window_take64(&value, &fires) || hash != dp_window_hash(key) ||
            seen.start >= seen.end)
            return dp_window_damaged(err);
        seen.key = key, seen.fires = fires >> 1, seen.flags = fires & 1 ? DP_WINDOW_FRESH : 0;
        DP_TRY(dp_window_grid_load(w->grid, &seen, value, err));
    } else {
        return dp_window_damaged(err);
    }
    return is_over(w) ? spill(w, err) : DP_OK;
}

/* ---- inspection ---- */

struct looking {
    const struct dp_window *w;
    struct dp_agg_printer *printer;
    struct dp_buf *out;
    bool is_first;
};

static enum dp_status print_window(void *ctx, const struct dp_window_seen *seen, struct dp_err *err) {
    struct looking *l = ctx;
    if (!l->is_first) dp_buf_addc(l->out, ',');
    l->is_first = false;
    dp_buf_addz(l->out, "{");
    size_t head = l->out->n;
    dp_buf_addf(l->out, "\"start\":%lld,\"end\":%lld,\"written\":%llu,\"records\":%llu", (long long)seen->start, (long long)seen->end, (unsigned long long)seen->fires,
                (unsigned long long)dp_agg_rows(l->w->conf.aggs, seen->state));
    DP_TRY(dp_agg_print(l->printer, seen->state, head, l->out, err));
    dp_buf_addz(l->out, "}");
    return DP_OK;
}

enum dp_status dp_window_inspect(const struct dp_window_conf *conf, struct dp_str key, struct dp_str value, struct dp_buf *out, struct dp_err *err) {
    struct dp_window *w = NULL;
    struct looking l = {.out = out, .is_first = true};
    size_t had = out->n;
    DP_TRY(dp_window_open(conf, &w, err));
    w->is_looking = true;
    enum dp_status status = dp_window_load(w, key, value, err);
    if (status != DP_OK) goto out;
    if (w->is_loaded) {
        dp_buf_addf(out, "{\"bound\":%lld,\"arrivals\":%llu}", (long long)w->bound, (unsigned long long)w->arrivals);
        goto out;
    }
    size_t behind = w->grid || key.p[8] == 'f' ? 25 : 9;
    l.w = w;
    l.printer = dp_agg_printer_open(conf->aggs);
    dp_buf_addz(out, "{\"key\":");
    if (conf->print_key) conf->print_key(dp_str(key.p + behind, key.n - behind), out);
    else dp_json_add_string(out, dp_str(key.p + behind, key.n - behind));
    dp_buf_addz(out, ",\"windows\":[");
    w->is_started = true; /* nothing of it is over for who looks */
    status = w->grid ? dp_window_grid_each(w->grid, true, 0, 0, print_window, &l, err) : dp_window_keyed_each(w->keyed, print_window, &l, err);
    dp_buf_addz(out, "]}");
out:
    if (status != DP_OK) out->n = had;
    if (l.printer) dp_agg_printer_close(l.printer);
    dp_window_close(w);
    return status;
}

struct dp_window_counts dp_window_counts(const struct dp_window *w) {
    struct dp_window_counts c = w->grid ? dp_window_grid_counts(w->grid) : dp_window_keyed_counts(w->keyed);
    c.bytes = (w->grid ? dp_window_grid_bytes(w->grid) : dp_window_keyed_bytes(w->keyed)) + w->mem.bytes + w->record_bytes;
    c.spilled = w->spilled;
    return c;
}
