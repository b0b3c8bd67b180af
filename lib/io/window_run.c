/*
 * The run of dp-window (dp/io/window.h), in order: events of each chunk into the windows, rows out, marks, idle sources and early rows by the clock, checkpoints.
 * What it does not do: know what a window is (dp/rules/window.h), or how its state is kept on disk (dp/io/state.h).
 */
#include "window_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>

#include <stdlib.h>
#include <time.h>

enum { WAKE_LEAST = 10, WAKE_MOST = 200, STALL_MS = 50 };

static int64_t clock_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- opening ---- */

static enum dp_status check_resume(struct windowing *w, const char *id, struct dp_err *err) {
    durable_check_resume(&w->durable, "windows");
    return window_state_restore(w, id, err);
}

/* Sources that hold the watermark from the start. */
static enum dp_status name_sources(struct windowing *w, struct dp_err *err) {
    size_t number;
    for (size_t i = 0; i < w->n_named; i++) DP_TRY(dp_watermark_source(&w->watermark, dp_str_z(w->named[i]), &number, err));
    for (size_t i = 0; i < w->watermark.n; i++) w->watermark.v[i].heard_at = w->begun_at;
    return DP_OK;
}

/* As soon as it is known whether records may be taken back, and which checkpoint to go on from: at the first event or mark, or at the end. */
static enum dp_status open_windows(struct windowing *w, bool is_changes, const char *id, struct dp_err *err) {
    if (w->window) return DP_OK;
    w->is_changes = is_changes || w->o->changes || w->has_schema_changes || window_state_has_changes(w);
    w->spec.changes = w->is_changes;
    if (dp_window_subtracts(&w->spec, w->aggs)) dp_aggs_allow_sub(w->aggs);
    const struct dp_window_conf conf = {.spec = w->spec, .aggs = w->aggs, .watermark = &w->watermark, .memory = w->run->memory / 4 * 3, .emit = window_row, .ctx = w};
    DP_TRY(dp_window_open(&conf, &w->window, err));
    w->printer = dp_agg_printer_open(w->aggs);
    DP_TRY(window_state_open(w, err));
    DP_TRY(check_resume(w, id, err));
    DP_TRY(name_sources(w, err));
    w->next_early = clock_ms() + w->o->early;
    return DP_OK;
}

static enum dp_status ensure_open(struct windowing *w, bool is_changes, struct dp_err *err) { return w->window ? DP_OK : open_windows(w, is_changes, durable_resume_id(&w->durable), err); }

static enum dp_status on_begin(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    struct windowing *w = ctx;
    (void)err;
    w->durable.has_begin = true;
    w->has_schema_changes = begin->schema && dp_type_child(begin->schema, DP_STR(WINDOW_CHANGE_TYPE));
    return DP_OK;
}

static enum dp_status on_header(void *ctx, struct dp_mark *begin, struct dp_err *err) {
    (void)err;
    window_header(ctx, begin);
    return DP_OK;
}

/* ---- clocks ---- */

static int by_silence(const void *a, const void *b) {
    const struct window_silence *x = a, *y = b;
    if (x->since != y->since) return x->since > y->since ? 1 : -1;
    if (x->promise != y->promise) return x->promise > y->promise ? 1 : -1;
    return (x->source > y->source) - (x->source < y->source);
}

/*
 * A source that said nothing for --idle leaves the minimum, the one that is silent for longest first (of equal ones that which is farthest behind): where all of them leave, time
 * stays where the last one had it.
 * Time in which we were held up ourselves does not count.
 */
static enum dp_status see_idle(struct windowing *w, struct dp_err *err) {
    struct dp_watermark *m = &w->watermark;
    int64_t now = clock_ms();
    size_t n = 0;
    bool moved = false;
    if (!w->o->idle) return DP_OK;
    for (size_t i = 0; i < m->n; i++) {
        int64_t since = m->v[i].heard_at > w->stalled_at ? m->v[i].heard_at : w->stalled_at;
        if (m->v[i].is_idle || now - since < w->o->idle) continue;
        w->silent = dp_grow(w->silent, &w->cap_silent, n + 1, sizeof *w->silent);
        w->silent[n++] = (struct window_silence){i, m->v[i].heard_at, m->v[i].promise};
    }
    if (n > 1) qsort(w->silent, n, sizeof *w->silent, by_silence);
    for (size_t i = 0; i < n; i++) moved |= dp_watermark_idle(m, w->silent[i].source, true);
    return moved ? dp_window_advance(w->window, err) : DP_OK;
}

static enum dp_status see_early(struct windowing *w, struct dp_err *err) {
    int64_t now = w->o->early ? clock_ms() : 0;
    if (!w->o->early || now < w->next_early) return DP_OK;
    w->next_early = now + w->o->early;
    return dp_window_early(w->window, err);
}

/* The input makes us wait: what is due goes out. */
static enum dp_status on_wait(void *ctx, struct dp_err *err) {
    struct windowing *w = ctx;
    if (!w->window) return DP_OK;
    DP_TRY(see_idle(w, err));
    DP_TRY(dp_window_settle(w->window, err));
    DP_TRY(see_early(w, err));
    DP_TRY(late_flush(&w->durable.late, false, err));
    return window_rows_out(w, err);
}

/* ---- events ---- */

static enum dp_status count(struct windowing *w, const struct dp_job *j, size_t from, size_t n) {
    const struct window_job *x = j->mem;
    struct dp_books *b = &w->run->books;
    for (size_t i = 0; i < n; i++)
        switch (w->fates[i]) {
        case DP_WINDOW_USED: b->used++; break;
        case DP_WINDOW_UNASSIGNED: b->unassigned++; break;
        case DP_WINDOW_UNKNOWN: b->unassigned++, w->out->unknown++; break;
        case DP_WINDOW_LATE:
            b->late++;
            if (w->o->late) late_add(&w->durable.late, j->chunk->text + x->line_off[from + i], j->chunk->n - x->line_off[from + i]);
            break;
        }
    return DP_OK;
}

static enum dp_status add(struct windowing *w, const struct dp_job *j, size_t from, size_t n, struct dp_err *err) {
    const struct window_job *x = j->mem;
    if (!n) return DP_OK;
    w->fates = dp_grow(w->fates, &w->cap_fates, n, sizeof *w->fates);
    DP_TRY(dp_window_add(w->window, x->events + from, n, w->fates, err));
    return count(w, j, from, n);
}

/* Records of other parts move the watermark, so that all parts are of one mind. */
static enum dp_status add_parts(struct windowing *w, const struct dp_job *j, size_t from, size_t n, struct dp_err *err) {
    const struct window_job *x = j->mem;
    const size_t end = from + n;
    for (size_t i = from; i < end; from = i) {
        while (i < end && !x->others[i]) i++;
        DP_TRY(add(w, j, from, i - from, err));
        bool moved = false;
        for (; i < end && x->others[i]; i++) {
            moved |= dp_watermark_see(&w->watermark, x->events[i].source, x->events[i].time);
            w->run->books.filtered++;
            w->out->part_of_others++;
        }
        if (moved) DP_TRY(dp_window_advance(w->window, err));
    }
    return DP_OK;
}

/* Numbers of a job's sources are its own; those of the watermark are given in the order of the input. A new source holds the watermark from its first event on, not before. */
static enum dp_status add_all(struct windowing *w, const struct dp_job *j, struct dp_err *err) {
    struct window_job *x = j->mem;
    int64_t now = w->o->idle ? clock_ms() : 0;
    w->numbers = dp_grow(w->numbers, &w->cap_numbers, x->sources.n + 1, sizeof *w->numbers);
    for (size_t i = 0; i < x->sources.n; i++) {
        const struct dp_map_item *known = dp_map_get(&w->watermark.names, x->sources.items[i].key);
        w->numbers[i] = known ? (size_t)known->v.u : SIZE_MAX;
        if (known) w->watermark.v[w->numbers[i]].heard_at = now;
    }
    if (!w->o->source) { /* all of them are of the nameless one, which is 0 here and there */
        w->watermark.v[0].heard_at = now;
        return w->parts > 1 ? add_parts(w, j, 0, x->n, err) : add(w, j, 0, x->n, err);
    }
    for (size_t from = 0, i = 0; i < x->n; from = i) {
        size_t *number = &w->numbers[x->events[i].source];
        if (*number == SIZE_MAX) {
            DP_TRY(dp_watermark_source(&w->watermark, x->sources.items[x->events[i].source].key, number, err));
            w->watermark.v[*number].heard_at = now;
        }
        for (; i < x->n && w->numbers[x->events[i].source] != SIZE_MAX; i++) x->events[i].source = w->numbers[x->events[i].source];
        DP_TRY(w->parts > 1 ? add_parts(w, j, from, i - from, err) : add(w, j, from, i - from, err));
    }
    return DP_OK;
}

static enum dp_status check_changes(const struct windowing *w, const struct window_job *x, struct dp_err *err) {
    if (w->is_changes || !x->has_subtract) return DP_OK;
    return dp_err_set(err, DP_USAGE, "a record is to be taken back (%s), and the first one had no such field: --changes says that records are changes of a table", WINDOW_CHANGE_TYPE);
}

static enum dp_status on_emit(void *ctx, struct dp_job *j, struct dp_err *err) {
    struct windowing *w = ctx;
    struct window_job *x = j->mem;
    int64_t begun = w->o->idle ? clock_ms() : 0;
    durable_note(&w->durable, j->chunk->origin, j->chunk->end_offset);
    if (!x->n) return DP_OK;
    DP_TRY(ensure_open(w, x->first_is_change, err));
    DP_TRY(check_changes(w, x, err));
    if (x->latest > w->latest) w->latest = x->latest;
    DP_TRY(add_all(w, j, err));
    DP_TRY(see_early(w, err));
    DP_TRY(window_rows_out(w, err));
    if (!w->o->idle) return DP_OK;
    if (clock_ms() - begun > STALL_MS) w->stalled_at = clock_ms();
    return see_idle(w, err);
}

/* ---- marks ---- */

/* What stands behind us will not be before this. Rows of one time are told by the end of their window. */
static enum dp_status pass_watermark(struct windowing *w, struct dp_err *err) {
    struct dp_mark m = {.kind = DP_MARK_WATERMARK, .table_version = -1};
    int64_t now = w->watermark.now, bound;
    char text[44];
    if (now == DP_WATERMARK_NONE || now <= w->passed || w->spec.kind == DP_WINDOW_COUNT || __builtin_sub_overflow(now, w->spec.lateness, &bound)) return DP_OK;
    w->passed = now;
    size_t n = window_time_print(text, bound, w->o->epoch_ms);
    bool is_quoted = text[0] == '"';
    m.time = dp_strndup(text + is_quoted, n - 2u * is_quoted);
    enum dp_status status = w->run->marks_open ? dp_stream_mark(dp_stream_of(w->run), &m, err) : dp_out_mark(w->run->out, &m, err);
    free(m.time);
    return status;
}

static enum dp_status settle(struct windowing *w, struct dp_err *err) {
    DP_TRY(dp_window_settle(w->window, err));
    return window_rows_out(w, err);
}

static enum dp_status on_checkpoint(struct windowing *w, const struct dp_mark *m, struct dp_err *err) {
    dp_kept_marks_add(&w->kept, m);
    if (m->more) return DP_OK;
    if (!w->durable.state) {
        if (!w->is_held_told) dp_run_log(w->run, DP_LOG_VERBOSE, "without --state checkpoints go on at the end of input, when no window is open");
        w->is_held_told = true;
        return DP_OK;
    }
    DP_TRY(settle(w, err));
    DP_TRY(pass_watermark(w, err));
    DP_TRY(dp_out_flush(w->run->out, err)); /* who goes by the state (dp-ingest --since-state) has the rows before it says that they went out */
    DP_TRY(window_state_save(w, m->id ? m->id : "", err));
    if (w->run->rejects) DP_TRY(dp_rejects_flush(w->run->rejects, err));
    return dp_kept_marks_pass(&w->kept, dp_stream_of(w->run), err);
}

static enum dp_status on_time_mark(struct windowing *w, const struct dp_mark *m, bool *pass, struct dp_err *err) {
    bool moved = false;
    DP_TRY(dp_watermark_take(&w->watermark, m, clock_ms(), &moved, err));
    if (moved) DP_TRY(dp_window_advance(w->window, err));
    *pass = m->kind != DP_MARK_WATERMARK && !(m->source && *m->source);
    DP_TRY(settle(w, err));
    return pass_watermark(w, err);
}

static enum dp_status on_mark(void *ctx, const struct dp_mark *m, bool *pass, struct dp_err *err) {
    struct windowing *w = ctx;
    DP_TRY(ensure_open(w, false, err));
    DP_TRY(see_idle(w, err));
    DP_TRY(see_early(w, err));
    switch (m->kind) {
    case DP_MARK_CHECKPOINT: *pass = false; return on_checkpoint(w, m, err);
    case DP_MARK_WATERMARK:
    case DP_MARK_IDLE:
    case DP_MARK_ACTIVE: return on_time_mark(w, m, pass, err);
    case DP_MARK_HEARTBEAT:
        DP_TRY(settle(w, err));
        return w->run->marks_open ? pass_watermark(w, err) : DP_OK;
    case DP_MARK_NONE:
    case DP_MARK_BEGIN:
    case DP_MARK_END:
    case DP_MARK_ABORT: break;
    }
    return DP_OK;
}

/* ---- the end ---- */

static enum dp_status flush_windows(struct windowing *w, struct dp_err *err) {
    bool is_asked = w->o->flush == DP_WINDOWING_FLUSH, fires = is_asked || (w->o->flush == DP_WINDOWING_FLUSH_AUTO && !w->durable.state);
    w->out->watermark = w->watermark.now;
    if (fires && w->o->is_absence && !is_asked) { /* who was silent is told as far as time is known to have come */
        if (w->latest != INT64_MIN && dp_watermark_set(&w->watermark, SIZE_MAX, w->latest)) DP_TRY(dp_window_advance(w->window, err));
        fires = false;
    }
    if (fires) DP_TRY(dp_window_flush(w->window, is_asked, err));
    return settle(w, err);
}

static enum dp_status on_finish(void *ctx, struct dp_err *err) {
    struct windowing *w = ctx;
    DP_TRY(ensure_open(w, false, err));
    DP_TRY(flush_windows(w, err));
    DP_TRY(late_flush(&w->durable.late, false, err));
    if (w->durable.state && !w->durable.has_begin) {
        DP_TRY(dp_out_flush(w->run->out, err));
        DP_TRY(window_state_save(w, "", err));
    }
    return dp_kept_marks_pass(&w->kept, dp_stream_of(w->run), err);
}

/* A signal asked to stop: what was read is in the state, where nobody will send it again. */
static enum dp_status save_stopped(struct windowing *w) {
    struct dp_err err = DP_ERR_INIT;
    if (!w->durable.state || !w->window || w->durable.has_begin || !w->durable.is_restored) return DP_OK;
    enum dp_status status = window_rows_out(w, &err);
    if (status == DP_OK) status = dp_out_flush(w->run->out, &err);
    if (status == DP_OK) status = window_state_save(w, "", &err);
    if (status != DP_OK) dp_run_log(w->run, DP_LOG_WARN, "no checkpoint was written: %s", err.msg);
    return status;
}

/* ---- the columns that are read ---- */

static bool add_root(struct windowing *w, const struct dp_path *p) {
    if (p->n && p->steps[0].kind != DP_STEP_KEY) return false;
    if (p->n) w->reads = dp_grow(w->reads, &w->cap_reads, w->n_reads + 1, sizeof *w->reads), w->reads[w->n_reads++] = p->steps[0].key;
    return true;
}

static void add_fields(struct windowing *w, const char *const *fields, size_t n) {
    w->reads = dp_grow(w->reads, &w->cap_reads, w->n_reads + n + 1, sizeof *w->reads);
    for (size_t i = 0; i < n; i++) w->reads[w->n_reads++] = fields[i];
}

/* Of Parquet and tables.  Where records are kept as they are (late ones, rejects) or an expression may look at all of one, they are read whole. */
static void choose_columns(struct windowing *w, struct dp_source_opts *sources) {
    const char *const *fields = NULL;
    size_t n = 0;
    if (w->o->late || (w->run->rejects && dp_rejects_are_kept(w->run->rejects)) || !dp_aggs_fields(w->aggs, &fields, &n)) return;
    add_fields(w, fields, n);
    if (w->run->where) {
        if (dp_expr_compile(dp_str_z(w->run->where), &w->where, NULL) != DP_OK || !dp_expr_fields(w->where, &fields, &n)) return; /* what is wrong with it is told by who filters */
        add_fields(w, fields, n);
    }
    if (!add_root(w, &w->time) || !add_root(w, &w->source) || !add_root(w, &w->change)) return;
    for (size_t i = 0; i < w->n_keys; i++)
        if (!add_root(w, &w->keys[i].path)) return;
    sources->reads = w->reads, sources->n_reads = w->n_reads;
}

/* ---- the run ---- */

static enum dp_status split(const char *text, const char *option, char ***out, size_t *n, struct dp_err *err) {
    size_t cap = 0;
    for (const char *p = text; p;) {
        size_t len = 0;
        for (bool in_quotes = false; p[len] && (in_quotes || p[len] != ','); len++) in_quotes ^= p[len] == '"';
        if (!len) return dp_err_set(err, DP_USAGE, "%s: an empty name in '%.200s'", option, text);
        *out = dp_grow(*out, &cap, *n + 1, sizeof **out);
        (*out)[(*n)++] = dp_strndup(p, len);
        p = p[len] ? p + len + 1 : NULL;
    }
    return DP_OK;
}

/* NAME, PATH or NAME=PATH; a path goes by its last name. */
static enum dp_status parse_key(struct windowing *w, const char *text, struct dp_err *err) {
    struct window_key *k = &w->keys[w->n_keys];
    const char *eq = strchr(text, '='), *path = eq ? eq + 1 : text;
    if (eq == text) return dp_err_set(err, DP_USAGE, "--key: no name in front of '%.200s'", text);
    if (dp_path_parse(dp_str_z(path), &k->path, err) != DP_OK) return dp_err_prefix(err, "--key: ");
    const struct dp_step *last = k->path.n ? &k->path.steps[k->path.n - 1] : NULL;
    if (!last || (!eq && last->kind != DP_STEP_KEY)) return dp_err_set(err, DP_USAGE, "--key: '%.200s' has no name of its own: NAME=PATH gives one", text);
    k->name = eq ? dp_strndup(text, (size_t)(eq - text)) : dp_strndup(last->key, last->key_n);
    dp_buf_addc(&k->member, ',');
    dp_json_add_string(&k->member, dp_str_z(k->name));
    dp_buf_addc(&k->member, ':');
    w->n_keys++;
    for (const char *const *r = window_reserved(w->o); *r; r++)
        if (!strcmp(*r, k->name)) return dp_err_set(err, DP_USAGE, "--key: %s is a field of each row: give the key another name (NAME=PATH)", k->name);
    for (size_t i = 0; i + 1 < w->n_keys; i++)
        if (!strcmp(w->keys[i].name, k->name)) return dp_err_set(err, DP_USAGE, "--key: %s is named twice", k->name);
    return DP_OK;
}

static enum dp_status parse_keys(struct windowing *w, struct dp_err *err) {
    char **names = NULL;
    size_t n = 0;
    enum dp_status status = split(w->o->key, "--key", &names, &n, err);
    w->keys = dp_calloc(n + 1, sizeof *w->keys);
    for (size_t i = 0; i < n && status == DP_OK; i++) status = parse_key(w, names[i], err);
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
    return status;
}

static enum dp_status parse_source(struct windowing *w, struct dp_err *err) {
    const char *text = w->o->source, *colon = text ? strchr(text, ':') : NULL;
    if (!text) return DP_OK;
    if (dp_path_parse(dp_str(text, colon ? (size_t)(colon - text) : strlen(text)), &w->source, err) != DP_OK) return dp_err_prefix(err, "--source: ");
    return colon ? split(colon + 1, "--source", &w->named, &w->n_named, err) : DP_OK;
}

static enum dp_status parse_part(struct windowing *w, struct dp_err *err) {
    w->parts = 1;
    if (w->o->n_from_state && !w->o->state) return dp_err_set(err, DP_USAGE, "--from-state needs --state: what is taken is kept there");
    if (!w->o->part || window_part_parse(w->o->part, &w->part, &w->parts)) return DP_OK;
    return dp_err_set(err, DP_USAGE, "--part %s: I/N is wanted, I from 1 to N", w->o->part);
}

static enum dp_status parse_aggs(struct windowing *w, struct dp_err *err) {
    const char *const *reserved = window_reserved(w->o);
    static const char *const rows[] = {"n=count()"};
    size_t n = 0;
    for (size_t i = 0; !w->o->n_aggs && i < w->n_keys; i++)
        if (!strcmp(w->keys[i].name, "n")) return dp_err_set(err, DP_USAGE, "--key: n is also the name of the count that is printed without --agg: give --agg, or the key another name (NAME=n)");
    while (reserved[n]) n++;
    const char **names = dp_calloc(n + w->n_keys + 1, sizeof *names);
    for (size_t i = 0; i < n; i++) names[i] = reserved[i];
    for (size_t i = 0; i < w->n_keys; i++) names[n + i] = w->keys[i].name;
    enum dp_status status = dp_aggs_parse(w->o->n_aggs ? w->o->aggs : rows, w->o->n_aggs ? w->o->n_aggs : 1, names, &w->aggs, err);
    free(names);
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "--agg: ");
}

static enum dp_status prepare(struct windowing *w, const char *const *names, size_t n, struct dp_err *err) {
    const struct dp_windowing *o = w->o;
    w->durable = (struct durable){.run = w->run, .dir = o->state, .watermark = &w->watermark};
    w->begun_at = clock_ms();
    w->latest = INT64_MIN;
    w->passed = DP_WATERMARK_NONE;
    w->spec = o->window;
    w->out->watermark = DP_WATERMARK_NONE;
    if (!o->time && o->window.kind != DP_WINDOW_COUNT) return dp_err_set(err, DP_USAGE, "--time is missing: the field that says when a record happened");
    if (o->time && dp_path_parse(dp_str_z(o->time), &w->time, err) != DP_OK) return dp_err_prefix(err, "--time: ");
    dp_path_key(&w->change, DP_STR(WINDOW_CHANGE_TYPE));
    DP_TRY(parse_keys(w, err));
    DP_TRY(parse_source(w, err));
    DP_TRY(parse_part(w, err));
    DP_TRY(parse_aggs(w, err));
    if (o->timezone && dp_zone_open(o->timezone, &w->zone, err) != DP_OK) return dp_err_prefix(err, "--timezone: ");
    if (o->window.kind == DP_WINDOW_CALENDAR && !w->zone) return dp_err_set(err, DP_USAGE, "--calendar needs --timezone: a day begins where somebody is");
    w->spec.zone = w->zone;
    DP_TRY(dp_window_check(&w->spec, err));
    w->clock = (struct dp_event_clock){.unit = o->unit, .zone = w->zone};
    window_clock_set(&w->spec, o->epoch_ms, &w->clock);
    dp_watermark_init(&w->watermark, o->has_delay, o->delay);
    return late_open(&w->durable.late, w->run, o->late, o->state != NULL, names, n, err);
}

static void release(struct windowing *w) {
    durable_release(&w->durable);
    dp_window_close(w->window);
    dp_agg_printer_close(w->printer);
    dp_aggs_free(w->aggs);
    dp_watermark_release(&w->watermark);
    dp_zone_close(w->zone);
    for (size_t i = 0; i < w->n_keys; i++) {
        free(w->keys[i].name);
        dp_path_release(&w->keys[i].path);
        dp_buf_release(&w->keys[i].member);
    }
    for (size_t i = 0; i < w->n_named; i++) free(w->named[i]);
    free(w->keys), free(w->named), free(w->fates), free(w->numbers), free(w->silent), free(w->reads);
    dp_expr_free(w->where);
    dp_path_release(&w->time);
    dp_path_release(&w->source);
    dp_path_release(&w->change);
    dp_kept_marks_release(&w->kept);
    dp_buf_release(&w->rows);
    dp_buf_release(&w->bounds);
}

static int64_t wake_ms(const struct dp_windowing *o) {
    int64_t least = o->idle ? o->idle / 4 : 0;
    if (o->early && (!least || o->early < least)) least = o->early;
    return !least ? 0 : least < WAKE_LEAST ? WAKE_LEAST : least > WAKE_MOST ? WAKE_MOST : least;
}

enum dp_status dp_windowing_run(struct dp_run *run, const char *const *names, size_t n, const struct dp_windowing *o, struct dp_windowed *out, struct dp_err *err) {
    static const struct dp_stream_ops ops = {.worker_size = sizeof(struct window_worker), .job_size = sizeof(struct window_job), .worker_open = window_worker_open,
        .worker_close = window_worker_close, .job_close = window_job_close, .chunk_begin = window_chunk_begin, .record = window_record, .chunk_end = window_chunk_end,
        .emit = on_emit, .begin = on_begin, .header = on_header, .mark = on_mark, .wait = on_wait, .finish = on_finish};
    struct windowing w = {.run = run, .o = o, .out = out};
    struct dp_stream_conf conf = {.decides = true, .keeps_chunks = o->late != NULL, .wake_ms = wake_ms(o), .sources.print = o->print};
    bool is_piped = n == 0 || (n == 1 && !strcmp(names[0], "-"));
    enum dp_status status;
    *out = (struct dp_windowed){.has_state = o->state != NULL};
    DP_TRY_OUT(prepare(&w, names, n, err));
    choose_columns(&w, &conf.sources);
    if (o->state && !is_piped && !run->marks) { /* each file is read once: its position is in the state */
        DP_TRY_OUT(open_windows(&w, false, NULL, err));
        w.durable.keeps_positions = true;
        conf.sources.resume = durable_resume, conf.sources.resume_ctx = &w.durable;
    }
    status = dp_stream_run(run, names, n, &conf, &ops, &w, err);
    if (status == DP_SIGNALLED) (void)save_stopped(&w);
    out->checkpoints = w.durable.checkpoints;
    if (w.window) {
        struct dp_window_counts c = dp_window_counts(w.window);
        out->keys = c.keys, out->windows = c.windows;
    }
out:
    release(&w);
    return status;
}
