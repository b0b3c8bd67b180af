/* Rows of windows as records: bounds, key, aggregates, and what became of the window. */
#include "window_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>

enum { BLOCK = 64 << 10 };

/* ---- times ---- */

static int64_t behind(int64_t t, int64_t of, int64_t step) {
    dp_i128 m = ((dp_i128)t - of) % step;
    return (int64_t)(m < 0 ? m + step : m);
}

/* A record is taken only where both bounds of each of its windows lie in the years that RFC 3339 can say; as integers, where they leave room. */
void window_clock_set(const struct dp_window_spec *s, bool epoch_ms, struct dp_event_clock *c) {
    const int64_t days = INT64_C(32) * 86400000;
    int64_t least = DP_EVENT_LEAST_MS, most = DP_EVENT_MOST_MS;
    c->least = INT64_MIN / 4, c->most = INT64_MAX / 4;
    if (epoch_ms) return;
    switch (s->kind) {
    case DP_WINDOW_TUMBLE:
        if (dp_add_overflow(least, s->size - 1 - behind(least - 1, s->offset, s->size), &least)) least = INT64_MAX;
        if (dp_sub_overflow(most, behind(most, s->offset, s->size) + 1, &most)) most = INT64_MIN;
        break;
    case DP_WINDOW_HOP:
    case DP_WINDOW_SLIDE:
        if (dp_add_overflow(least, s->size, &least)) least = INT64_MAX;
        if (dp_sub_overflow(most, s->size, &most) || dp_sub_overflow(most, 2, &most)) most = INT64_MIN;
        break;
    case DP_WINDOW_SESSION:
        if (dp_sub_overflow(most, s->size, &most)) most = INT64_MIN;
        break;
    case DP_WINDOW_CALENDAR: least += days, most -= days; break;
    case DP_WINDOW_COUNT: break;
    }
    c->least = least, c->most = most;
}

size_t window_time_print(char out[44], int64_t ms, bool epoch_ms) {
    if (epoch_ms || ms < DP_EVENT_LEAST_MS || ms > DP_EVENT_MOST_MS) return dp_print_i64(out, ms);
    out[0] = '"';
    size_t n = dp_time_print_micros(out + 1, ms * 1000, true, -1) + 1;
    out[n] = '"';
    return n + 1;
}

/* ---- rows ---- */

static void add_bounds(struct windowing *w, const struct dp_window_row *row) {
    struct dp_buf *b = &w->bounds;
    if (!b->n || w->start_ms != row->start || w->end_ms != row->end) {
        dp_buf_reset(b);
        dp_buf_addz(b, "{\"window_start\":");
        b->n += window_time_print(dp_buf_reserve(b, 44), row->start, w->o->epoch_ms);
        dp_buf_addz(b, ",\"window_end\":");
        b->n += window_time_print(dp_buf_reserve(b, 44), row->end, w->o->epoch_ms);
        w->start_ms = row->start, w->end_ms = row->end;
    }
    dp_buf_adds(&w->rows, dp_buf_str(b));
}

/* An absence is told by what it is: since when, and for how long at least. */
static void add_absence(struct windowing *w, const struct dp_window_row *row) {
    char text[44];
    dp_buf_addz(&w->rows, ",\"last_seen\":");
    dp_buf_add(&w->rows, text, window_time_print(text, row->end - w->spec.size, w->o->epoch_ms));
    dp_buf_addz(&w->rows, ",\"absent_ms\":");
    dp_buf_add(&w->rows, text, dp_print_i64(text, w->spec.size));
}

static enum dp_status add_key(struct windowing *w, struct dp_str key, struct dp_err *err) {
    for (size_t i = 0; i < w->n_keys; i++) {
        struct dp_str member = dp_buf_str(&w->keys[i].member);
        dp_buf_adds(&w->rows, i || w->o->time ? member : dp_str(member.p + 1, member.n - 1));
        if (!window_key_print(&key, &w->rows)) return dp_err_set(err, DP_BUG, "the key of a window can't be read back");
    }
    return DP_OK;
}

enum dp_status window_row(void *ctx, const struct dp_window_row *row, struct dp_err *err) {
    static const char *const ops[] = {[DP_WINDOW_RETRACT] = "retract", [DP_WINDOW_EMIT] = "emit", [DP_WINDOW_UPDATED] = "update"};
    struct windowing *w = ctx;
    struct dp_buf *b = &w->rows;
    size_t start = b->n;
    if (w->o->time) add_bounds(w, row);
    else dp_buf_addc(b, '{');
    if (w->o->is_absence) add_absence(w, row);
    DP_TRY(add_key(w, row->key, err));
    if (row->state) {
        enum dp_status status = dp_agg_print(w->printer, row->state, start + 1, b, err);
        if (status == DP_RECORD) {
            b->n = start;
            if (w->run->hide_raw && !w->run->rejects_clear) return dp_err_set(err, DP_RULE, "an expression errs on a row"); /* what it says may quote a value */
            return err ? err->status = DP_RULE : DP_RULE;
        }
        DP_TRY(status);
        if (b->p[start + 1] == ',') memmove(b->p + start + 1, b->p + start + 2, b->n-- - start - 2); /* nothing stood before the aggregates */
    }
    if (w->spec.emit != DP_WINDOW_FINAL || w->o->early) {
        char text[24];
        dp_buf_addz(b, row->is_early ? ",\"op\":\"early\",\"pane\":" : ",\"op\":\"");
        if (!row->is_early) dp_buf_addz(b, ops[row->op]), dp_buf_addz(b, "\",\"pane\":");
        dp_buf_add(b, text, dp_print_u64(text, row->pane));
    }
    dp_buf_add(b, "}\n", 2);
    w->out->rows++;
    return b->n >= BLOCK ? window_rows_out(w, err) : DP_OK;
}

enum dp_status window_rows_out(struct windowing *w, struct dp_err *err) {
    struct dp_stream *s = dp_stream_of(w->run);
    size_t n = w->rows.n;
    w->rows.n = 0;
    if (!n) return DP_OK;
    return s ? dp_stream_write(s, w->rows.p, n, err) : dp_out_write(w->run->out, w->rows.p, n, err);
}
