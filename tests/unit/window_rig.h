/*
 * What the tests of the window operator share: an operator whose rows are printed, and a store of its checkpoints.
 */
#ifndef TESTS_UNIT_WINDOW_RIG_H
#define TESTS_UNIT_WINDOW_RIG_H

#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/base/zone.h>
#include <dp/record/json.h>
#include <dp/rules/window.h>

#include "dpt.h"

#define AGGS "n=count(),s=sum(v),hi=max(v)" /* with max a state knows which values it has */

/* ---- an operator that prints ---- */

struct rig {
    struct dp_aggs *aggs;
    struct dp_agg_printer *printer;
    struct dp_watermark mark;
    struct dp_window_conf conf;
    struct dp_window *w;
    struct dp_buf out;
};

static inline enum dp_status print_row(void *ctx, const struct dp_window_row *row, struct dp_err *err) {
    static const char *const ops[] = {"retract", "emit", "update"};
    struct rig *r = ctx;
    dp_buf_addf(&r->out, "%s ", row->is_early ? "early" : ops[row->op]);
    dp_buf_addc(&r->out, '{');
    size_t head = r->out.n;
    dp_buf_addf(&r->out, "\"start\":%lld,\"end\":%lld,\"key\":\"%.*s\",\"pane\":%lld", (long long)row->start, (long long)row->end, (int)row->key.n, row->key.p,
                row->op == DP_WINDOW_RETRACT ? -1LL : (long long)row->pane);
    if (row->state) {
        enum dp_status status = dp_agg_print(r->printer, row->state, head, &r->out, err);
        if (status != DP_OK) return status;
    }
    dp_buf_addz(&r->out, "}\n");
    return DP_OK;
}

static inline void rig_start(struct rig *r) {
    struct dp_err err = DP_ERR_INIT;
    r->conf.aggs = r->aggs;
    r->conf.watermark = &r->mark;
    r->conf.emit = print_row;
    r->conf.ctx = r;
    if (dp_window_open(&r->conf, &r->w, &err) != DP_OK) fail_msg("%s", err.msg);
}

static inline void rig_open(struct rig *r, const char *aggs, const struct dp_window_spec *spec, uint64_t memory, bool has_delay, int64_t delay) {
    struct dp_err err = DP_ERR_INIT;
    *r = (struct rig){.conf = {.spec = *spec, .memory = memory}};
    if (dp_aggs_parse(&aggs, 1, NULL, &r->aggs, &err) != DP_OK) fail_msg("%s: %s", aggs, err.msg);
    if (dp_window_subtracts(spec, r->aggs)) dp_aggs_allow_sub(r->aggs);
    r->printer = dp_agg_printer_open(r->aggs);
    dp_watermark_init(&r->mark, has_delay, delay);
    rig_start(r);
}

static inline void rig_close(struct rig *r) {
    dp_window_close(r->w);
    dp_watermark_release(&r->mark);
    dp_agg_printer_close(r->printer);
    dp_aggs_free(r->aggs);
    dp_buf_release(&r->out);
}

#define OK(call)                                                             \
    do {                                                                     \
        struct dp_err ok_err_ = DP_ERR_INIT;                                 \
        struct dp_err *err = &ok_err_;                                       \
        if ((call) != DP_OK) fail_msg("%s: %s", #call, err->msg);            \
    } while (0)

static inline void read_row(struct dp_agg_reader *reader, struct dp_str text, struct dp_buf *row) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_buf b = {0};
    struct dp_record rec;
    dp_buf_adds(&b, text);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    OK(dp_scan_value(scan, b.p, b.n, &rec, err));
    OK(dp_agg_read(reader, &rec, NULL, row, err));
    dp_scan_close(scan);
    dp_buf_release(&b);
}

/* ---- a store of checkpoints ---- */

static inline enum dp_status store_put(void *ctx, struct dp_str key, const struct dp_str *value, struct dp_err *err) {
    struct dp_map *m = ctx;
    struct dp_map_item *it = dp_map_put(m, key, NULL);
    (void)err;
    if (it->v.p) dp_buf_release(it->v.p);
    free(it->v.p);
    it->v.p = NULL;
    if (value) {
        struct dp_buf *b = it->v.p = dp_calloc(1, sizeof *b);
        dp_buf_adds(b, *value);
        dp_buf_addc(b, 0);
        b->n--;
    }
    return DP_OK;
}

static inline void store_clear(struct dp_map *m) {
    for (size_t i = 0; i < m->n; i++) {
        if (m->items[i].v.p) dp_buf_release(m->items[i].v.p);
        free(m->items[i].v.p);
    }
    dp_map_release(m);
    *m = (struct dp_map){0};
}

static inline void rig_save(struct rig *r, struct dp_map *store, bool all) {
    if (all) store_clear(store);
    OK(dp_window_save(r->w, all, store_put, store, err));
}

/* As another process would. */
static inline void rig_restore(struct rig *r, const struct dp_map *store) {
    struct dp_buf mark = {0}, text = {0};
    dp_watermark_save(&r->mark, &mark);
    struct dp_str in = dp_buf_str(&mark);
    struct dp_watermark was = r->mark;
    dp_window_close(r->w);
    dp_watermark_init(&r->mark, was.has_delay, was.delay);
    OK(dp_watermark_load(&r->mark, &in, err));
    assert_int_equal(in.n, 0);
    dp_watermark_release(&was);
    rig_start(r);
    for (size_t i = 0; i < store->n; i++) {
        const struct dp_map_item *it = &store->items[i];
        if (it->dead || !it->v.p) continue;
        OK(dp_window_inspect(&r->conf, it->key, dp_buf_str(it->v.p), &text, err));
        assert_true(text.n > 2 && text.p[0] == '{' && text.p[text.n - 1] == '}');
        dp_buf_reset(&text);
        OK(dp_window_load(r->w, it->key, dp_buf_str(it->v.p), err));
    }
    dp_buf_release(&mark), dp_buf_release(&text);
}

/* ---- chance, the same in all runs ---- */

struct dice {
    uint64_t s;
};
static inline uint64_t roll(struct dice *d, uint64_t n) {
    d->s = d->s * 6364136223846793005u + 1442695040888963407u;
    return (d->s >> 33) % n;
}

#endif
