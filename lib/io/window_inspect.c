/*
 * What is in a state of dp-window, for people: its query, its checkpoints, and the entries of one of them, each as a JSON object of a line.  The query is read from the state,
 * so nothing but its name has to be known.  What it does not do: change or lock anything, or print what was written already.
 */
#include "window_priv.h"

#include <dp/io/out.h>

#include <stdlib.h>

struct inspection {
    struct dp_run *run;
    struct dp_window_conf conf;
    struct dp_watermark watermark;
    struct dp_zone *zone;
    struct dp_aggs *aggs;
    bool has_delay;
    int64_t delay;
    struct dp_buf line, scratch;
};

/* ---- the query ---- */

struct reading { const struct dp_record *r; struct dp_buf text; };

/* The member's text, "" where it is not there or null. Borrowed until the next call. */
static const char *text_of(struct reading *q, const char *name) {
    uint32_t node = dp_json_member(q->r, 0, name);
    dp_buf_reset(&q->text);
    if (node) (void)dp_json_get_string(q->r, node, &q->text);
    return dp_buf_z(&q->text);
}

static int64_t number_of(const struct reading *q, const char *name) {
    int64_t v = 0;
    uint32_t node = dp_json_member(q->r, 0, name);
    return node && dp_json_get_i64(q->r, node, &v) ? v : 0;
}

static bool flag_of(const struct reading *q, const char *name) {
    bool v = false;
    uint32_t node = dp_json_member(q->r, 0, name);
    return node && dp_json_get_bool(q->r, node, &v) && v;
}

/* Which of the words; -1: none. */
static int word_of(struct reading *q, const char *name, const char *const *words) {
    const char *text = text_of(q, name);
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], text)) return i;
    return -1;
}

static enum dp_status read_spec(struct reading *q, struct inspection *x, struct dp_err *err) {
    static const char *const kinds[] = {"tumble", "hop", "session", "slide", "count", "calendar", "absent", NULL}, *const units[] = {"day", "week", "month", NULL},
                      *const emits[] = {"final", "update", "changelog", NULL}, *const panes[] = {"accumulating", "discarding", NULL};
    static const enum dp_window_kind kind_of[] = {DP_WINDOW_TUMBLE, DP_WINDOW_HOP, DP_WINDOW_SESSION, DP_WINDOW_SLIDE, DP_WINDOW_COUNT, DP_WINDOW_CALENDAR, DP_WINDOW_SESSION};
    struct dp_window_spec *s = &x->conf.spec;
    int kind = word_of(q, "kind", kinds), unit = word_of(q, "calendar", units), emit = word_of(q, "emit", emits), pane = word_of(q, "panes", panes);
    if (kind < 0 || emit < 0 || pane < 0) return dp_err_set(err, DP_FORMAT, "the state's description is damaged");
    *s = (struct dp_window_spec){.kind = kind_of[kind], .size = number_of(q, "size_ms"), .slide = number_of(q, "slide_ms"), .offset = number_of(q, "offset_ms"),
                                 .gap_exclusive = flag_of(q, "gap_exclusive"), .count = number_of(q, "count"), .every = number_of(q, "every"),
                                 .unit = unit < 0 ? DP_CALENDAR_DAY : (enum dp_calendar)unit, .week_start = (int)number_of(q, "week_start"), .lateness = number_of(q, "lateness_ms"),
                                 .emit = (enum dp_window_emit)emit, .panes = (enum dp_window_panes)pane, .changes = flag_of(q, "changes")};
    if (*text_of(q, "timezone")) DP_TRY(dp_zone_open(text_of(q, "timezone"), &x->zone, err));
    s->zone = x->zone;
    x->delay = number_of(q, "delay_ms");
    uint32_t delay = dp_json_member(q->r, 0, "delay_ms");
    x->has_delay = delay && q->r->nodes[delay].kind == DP_KIND_NUMBER;
    const char *aggs = text_of(q, "aggregates"), *const none[] = {NULL};
    DP_TRY(dp_aggs_parse(&aggs, 1, none, &x->aggs, err));
    if (dp_window_subtracts(s, x->aggs)) dp_aggs_allow_sub(x->aggs);
    return dp_window_check(s, err);
}

static enum dp_status read_query(struct dp_str text, struct inspection *x, struct dp_err *err) {
    struct dp_buf b = {0};
    struct dp_record r;
    struct reading q = {.r = &r};
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    dp_buf_adds(&b, text);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    enum dp_status status = dp_scan_value(scan, b.p, b.n, &r, err);
    if (status == DP_OK) status = read_spec(&q, x, err);
    dp_scan_close(scan);
    dp_buf_release(&b), dp_buf_release(&q.text);
    return status;
}

/* ---- lines ---- */

static enum dp_status print_line(struct inspection *x, struct dp_err *err) {
    dp_buf_addc(&x->line, '\n');
    enum dp_status status = dp_out_write(x->run->out, x->line.p, x->line.n, err);
    dp_buf_reset(&x->line);
    return status;
}

static enum dp_status print_point(struct inspection *x, const struct dp_state_point *p, struct dp_err *err) {
    dp_buf_addf(&x->line, "{\"kind\":\"checkpoint\",\"number\":%llu,\"goes_on_from\":%llu,\"id\":", (unsigned long long)p->number, (unsigned long long)p->parent);
    dp_json_add_string(&x->line, dp_str_z(p->id));
    dp_buf_addf(&x->line, ",\"has_all\":%s,\"live\":%s,\"damaged\":%s,\"entries\":%llu,\"bytes\":%llu}", p->is_full ? "true" : "false", p->is_live ? "true" : "false",
                p->is_damaged ? "true" : "false", (unsigned long long)p->entries, (unsigned long long)p->bytes);
    return print_line(x, err);
}

/* Key columns as a list: the entry's key behind its hash does not know their names' places. */
static void print_key(struct dp_str key, struct dp_buf *out) {
    bool is_first = true;
    dp_buf_addc(out, '[');
    while (key.n) {
        size_t had = out->n;
        if (!is_first) dp_buf_addc(out, ',');
        if (window_key_print(&key, out)) {
            is_first = false;
            continue;
        }
        out->n = had;
        break;
    }
    dp_buf_addc(out, ']');
}

static enum dp_status print_own(struct inspection *x, char kind, struct dp_str name, struct dp_str value, struct dp_err *err) {
    struct dp_str in = value;
    switch (kind) {
    case 'w':
        dp_watermark_release(&x->watermark);
        dp_watermark_init(&x->watermark, x->has_delay, x->delay);
        DP_TRY(dp_watermark_load(&x->watermark, &in, err));
        dp_buf_addz(&x->line, "{\"kind\":\"watermark\",\"ms\":");
        if (x->watermark.now == DP_WATERMARK_NONE) dp_buf_addz(&x->line, "null}");
        else dp_buf_addf(&x->line, "%lld}", (long long)x->watermark.now);
        break;
    case 'p':
        dp_buf_addz(&x->line, "{\"kind\":\"position\",\"source\":");
        dp_json_add_string(&x->line, name);
        dp_buf_addf(&x->line, ",\"offset\":%.*s}", DP_STR_FMT(value));
        break;
    case 'l': dp_buf_addf(&x->line, "{\"kind\":\"late\",\"bytes\":%.*s}", DP_STR_FMT(value)); break;
    case 't': dp_buf_addf(&x->line, "{\"kind\":\"latest\",\"ms\":%.*s}", DP_STR_FMT(value)); break;
    default: return DP_OK;
    }
    return print_line(x, err);
}

static enum dp_status print_entry(void *ctx, struct dp_str key, struct dp_str value, struct dp_err *err) {
    struct inspection *x = ctx;
    char kind;
    struct dp_str name;
    if (durable_is_own(key, &kind, &name)) return print_own(x, kind, name, value, err);
    dp_buf_reset(&x->scratch);
    DP_TRY(dp_window_inspect(&x->conf, key, value, &x->scratch, err));
    dp_buf_addf(&x->line, "{\"kind\":\"%s\",", window_state_is_shared(key) ? "clock" : "windows");
    dp_buf_add(&x->line, x->scratch.p + 1, x->scratch.n - 1); /* behind its brace */
    return print_line(x, err);
}

/* ---- the run ---- */

static enum dp_status inspect(struct inspection *x, struct dp_state *s, const char *id, struct dp_err *err) {
    struct dp_state_point p;
    DP_TRY(read_query(dp_state_query(s), x, err));
    x->conf.aggs = x->aggs;
    x->conf.watermark = &x->watermark;
    x->conf.memory = x->run->memory / 4;
    x->conf.print_key = print_key;
    dp_buf_addz(&x->line, "{\"kind\":\"query\",\"query\":");
    dp_buf_adds(&x->line, dp_state_query(s));
    dp_buf_addc(&x->line, '}');
    DP_TRY(print_line(x, err));
    for (size_t i = 0; dp_state_list(s, i, &p); i++) DP_TRY(print_point(x, &p, err));
    return dp_state_restore(s, id, print_entry, x, NULL, err);
}

enum dp_status dp_windowing_inspect(struct dp_run *run, const char *dir, const char *id, struct dp_err *err) {
    struct dp_state *s = NULL;
    struct inspection x = {.run = run};
    dp_watermark_init(&x.watermark, false, 0);
    enum dp_status status = dp_state_open(run, dir, "dp-window", DP_STR(""), true, &s, err);
    if (status == DP_OK) status = inspect(&x, s, id, err);
    dp_state_close(s);
    dp_watermark_release(&x.watermark);
    dp_aggs_free(x.aggs);
    dp_zone_close(x.zone);
    dp_buf_release(&x.line), dp_buf_release(&x.scratch);
    return status;
}
