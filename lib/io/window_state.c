/*
 * Checkpoints of dp-window (dp/io/state.h): the entries of the windows, the latest time, and what all programs with a state have there (durable.h).
 */
#include "window_priv.h"

#include <dp/base/num.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- what is computed ---- */

static void add_text(struct dp_buf *b, const char *name, const char *text) {
    dp_buf_addf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
    if (text) dp_json_add_string(b, dp_str_z(text));
    else dp_buf_addz(b, "null");
}

static void add_number(struct dp_buf *b, const char *name, int64_t v) { dp_buf_addf(b, "%s\"%s\":%lld", b->n > 1 ? "," : "", name, (long long)v); }

static const char *kind_name(const struct windowing *w) {
    static const char *const names[] = {[DP_WINDOW_TUMBLE] = "tumble", [DP_WINDOW_HOP] = "hop", [DP_WINDOW_SESSION] = "session", [DP_WINDOW_SLIDE] = "slide",
                                        [DP_WINDOW_COUNT] = "count", [DP_WINDOW_CALENDAR] = "calendar"};
    return w->o->is_absence ? "absent" : names[w->spec.kind];
}

/* One flat object; what does not alter the state (idle times, early rows, where late records go) is not in it. */
static void describe(const struct windowing *w, struct dp_buf *b) {
    static const char *const units[] = {"ms", "s", "us", "ns"}, *const emits[] = {"final", "update", "changelog"}, *const panes[] = {"accumulating", "discarding"},
                      *const calendars[] = {"day", "week", "month"};
    const struct dp_window_spec *s = &w->spec;
    struct dp_buf aggs = {0};
    dp_buf_addc(b, '{');
    add_text(b, "kind", kind_name(w));
    if (s->kind == DP_WINDOW_COUNT) add_number(b, "count", s->count), add_number(b, "every", s->every);
    else if (s->kind != DP_WINDOW_CALENDAR) add_number(b, "size_ms", s->size);
    if (s->kind == DP_WINDOW_HOP) add_number(b, "slide_ms", s->slide);
    if (s->kind == DP_WINDOW_HOP || s->kind == DP_WINDOW_TUMBLE) add_number(b, "offset_ms", s->offset);
    if (s->kind == DP_WINDOW_SESSION) dp_buf_addf(b, ",\"gap_exclusive\":%s", s->gap_exclusive ? "true" : "false");
    if (s->kind == DP_WINDOW_CALENDAR) add_text(b, "calendar", calendars[s->unit]), add_number(b, "week_start", s->week_start);
    if (w->zone) {
        char edition[24];
        snprintf(edition, sizeof edition, "%016llx", (unsigned long long)dp_zone_edition(w->zone));
        add_text(b, "timezone", dp_zone_name(w->zone));
        add_text(b, "timezone_edition", edition);
    }
    add_text(b, "time", w->o->time);
    add_text(b, "unit", units[w->o->unit]);
    add_text(b, "key", w->o->key);
    dp_aggs_describe(w->aggs, &aggs);
    add_text(b, "aggregates", dp_buf_z(&aggs));
    dp_buf_release(&aggs);
    add_text(b, "source", w->o->source);
    if (w->o->has_delay) add_number(b, "delay_ms", w->o->delay);
    else dp_buf_addz(b, ",\"delay_ms\":null");
    add_number(b, "lateness_ms", s->lateness);
    add_text(b, "emit", emits[s->emit]);
    add_text(b, "panes", panes[s->panes]);
    dp_buf_addf(b, ",\"changes\":%s", s->changes ? "true" : "false");
    if (w->parts > 1) dp_buf_addf(b, ",\"part\":\"%u/%u\"}", w->part + 1, w->parts);
    else dp_buf_addz(b, ",\"part\":null}");
}

bool window_state_has_changes(const struct windowing *w) {
    struct dp_state *s = NULL;
    struct dp_buf value = {0};
    if (!w->o->state || dp_state_open(w->run, w->o->state, "dp-window", DP_STR(""), true, &s, NULL) != DP_OK) return false; /* what is wrong with it is told later */
    bool has = dp_state_query_member(dp_state_query(s), "changes", &value) && dp_str_eq(dp_buf_str(&value), DP_STR("true"));
    dp_buf_release(&value);
    dp_state_close(s);
    return has;
}

enum dp_status window_state_open(struct windowing *w, struct dp_err *err) {
    struct dp_buf query = {0};
    if (!w->o->state) return DP_OK;
    describe(w, &query);
    enum dp_status status = durable_open(&w->durable, "dp-window", dp_buf_str(&query), err);
    dp_buf_release(&query);
    return status;
}

/* ---- restoring ---- */

static uint64_t hash_of(struct dp_str key) {
    uint64_t hash = 0;
    for (size_t i = 0; i < 8 && i < key.n; i++) hash = hash << 8 | (unsigned char)key.p[i];
    return hash;
}

bool window_state_is_shared(struct dp_str key) { return !hash_of(key); }

enum dp_status window_state_load(struct windowing *w, struct dp_str key, struct dp_str value, struct dp_err *err) {
    struct dp_str name;
    char kind;
    if (durable_is_own(key, &kind, &name)) {
        if (kind != 't') return durable_load(&w->durable, kind, name, value, err);
        return dp_parse_i64(value, &w->latest) ? DP_OK : dp_err_set(err, DP_FORMAT, "an entry of the state is damaged");
    }
    if (w->parts > 1 && !dp_window_part(hash_of(key), w->part, w->parts)) return DP_OK;
    return dp_window_load(w->window, key, value, err);
}

static enum dp_status load(void *ctx, struct dp_str key, struct dp_str value, struct dp_err *err) { return window_state_load(ctx, key, value, err); }

/* Has our own state the checkpoint that is asked for? */
static bool has_checkpoint(const struct windowing *w, const char *id) {
    struct dp_state_point p;
    for (size_t i = 0; dp_state_list(w->durable.state, i, &p); i++)
        if (!id || !strcmp(id, p.id)) return true;
    return false;
}

/* From other states; the first checkpoint of ours has it all, under the same id. */
static enum dp_status take_over(struct windowing *w, const char *id, struct dp_err *err) {
    char *taken = NULL;
    enum dp_status status = dp_state_restore(w->durable.state, "", load, w, NULL, err);
    if (status == DP_OK) status = window_parts_take(w, id, &taken, err);
    if (status == DP_OK) status = late_cut(&w->durable.late, 0, err); /* ours begins here */
    w->passed = w->watermark.now;
    if (status == DP_OK) status = window_state_save(w, taken, err);
    free(taken);
    return status;
}

enum dp_status window_state_restore(struct windowing *w, const char *id, struct dp_err *err) {
    struct dp_state_point point;
    if (!w->durable.state) return DP_OK;
    if (w->o->n_from_state && !(id && !*id) && !has_checkpoint(w, id)) return take_over(w, id, err);
    DP_TRY(dp_state_restore(w->durable.state, id, load, w, &point, err));
    DP_TRY(late_cut(&w->durable.late, w->durable.late.restored, err));
    w->passed = w->watermark.now;
    if (point.number)
        dp_run_log(w->run, DP_LOG_VERBOSE, "--state %s: checkpoint %llu%s%s", w->o->state, (unsigned long long)point.number, *point.id ? ", of mark " : "", point.id);
    return DP_OK;
}

/* ---- saving ---- */

static enum dp_status put(void *ctx, struct dp_str key, const struct dp_str *value, struct dp_err *err) { return dp_state_put(ctx, key, value, err); }

static enum dp_status put_all(void *ctx, bool all, struct dp_err *err) {
    struct windowing *w = ctx;
    char text[24];
    DP_TRY(durable_put_own(&w->durable, 't', dp_str("", 0), dp_str(text, dp_print_i64(text, w->latest)), err));
    return dp_window_save(w->window, all, put, w->durable.state, err);
}

enum dp_status window_state_save(struct windowing *w, const char *id, struct dp_err *err) { return durable_save(&w->durable, id, put_all, w, err); }
