/*
 * The window operator: the cases of corpus/window; what may be asked for, edges of time, damaged entries, parts.  Random streams are in t_window_streams.c, large ones in t_window_many.c.
 */
#include <dirent.h>
#include <math.h>

#include "window_rig.h"

/* ---- the corpus ---- */

struct doc {
    struct dp_scan *scan;
    struct dp_buf text;
    struct dp_record rec;
};

static void doc_read(struct doc *d, const char *path) {
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (size_t n; (n = fread(dp_buf_reserve(&d->text, 65536), 1, 65536, f)) > 0;) d->text.n += n;
    (void)fclose(f);
    memset(dp_buf_reserve(&d->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    d->scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    OK(dp_scan_value(d->scan, d->text.p, d->text.n, &d->rec, err));
}

static uint32_t at(const struct doc *d, uint32_t object, const char *name) { return object == UINT32_MAX ? 0 : dp_json_member(&d->rec, object, name); }
static bool num(const struct doc *d, uint32_t object, const char *name, int64_t *out) {
    uint32_t i = at(d, object, name);
    return i && dp_json_get_i64(&d->rec, i, out);
}
static bool is(const struct doc *d, uint32_t object, const char *name, const char *text) {
    uint32_t i = at(d, object, name);
    return i && dp_str_eqz(dp_node_str(&d->rec, i), text);
}

/* Calls that list's aggregates: count, and the sum of a list. */
static void corpus_aggs(const struct doc *d, uint32_t params, struct dp_buf *out) {
    uint32_t aggs = at(d, params, "aggregates");
    if (!aggs) {
        dp_buf_addz(out, "n=count()");
        return;
    }
    for (uint32_t i = aggs + 1; i < d->rec.nodes[aggs].next; i = d->rec.nodes[i].next) {
        struct dp_str name = dp_node_str(&d->rec, i), what = dp_node_str(&d->rec, i + 1);
        const char *colon = memchr(what.p, ':', what.n);
        struct dp_str op = dp_str(what.p, colon ? (size_t)(colon - what.p) : what.n), field = colon ? dp_str(colon + 1, what.n - op.n - 1) : dp_str("", 0);
        if (out->n) dp_buf_addc(out, ',');
        if (dp_str_eqz(op, "list")) /* of times; w024 has strings, which are counted */
            dp_buf_addf(out, "%.*s_n=count(),%.*s_s=sum(ts)", (int)name.n, name.p, (int)name.n, name.p);
        else
            dp_buf_addf(out, "%.*s=%.*s(%.*s)", (int)name.n, name.p, (int)op.n, op.p, (int)field.n, field.p);
    }
}

static void corpus_spec(const struct doc *d, uint32_t params, struct dp_window_spec *s, struct dp_zone **zone) {
    int64_t v;
    uint32_t tz = at(d, params, "timezone");
    *s = (struct dp_window_spec){.week_start = 1, .emit = DP_WINDOW_CHANGELOG};
    s->kind = is(d, params, "kind", "hopping") ? DP_WINDOW_HOP : is(d, params, "kind", "session") ? DP_WINDOW_SESSION : is(d, params, "kind", "sliding") ? DP_WINDOW_SLIDE : DP_WINDOW_TUMBLE;
    if (num(d, params, "size_ms", &v) || num(d, params, "gap_ms", &v) || num(d, params, "difference_ms", &v)) s->size = v;
    if (num(d, params, "slide_ms", &v)) s->slide = v;
    if (num(d, params, "offset_ms", &v)) s->offset = v;
    if (num(d, params, "allowed_lateness_ms", &v)) s->lateness = v;
    if (at(d, params, "gap_inclusive")) s->gap_exclusive = d->rec.nodes[at(d, params, "gap_inclusive")].kind == DP_KIND_FALSE;
    if (is(d, params, "accumulation", "discarding")) s->panes = DP_WINDOW_DISCARDING;
    if (at(d, params, "calendar")) {
        s->kind = DP_WINDOW_CALENDAR;
        s->unit = is(d, params, "calendar", "day") ? DP_CALENDAR_DAY : is(d, params, "calendar", "week") ? DP_CALENDAR_WEEK : DP_CALENDAR_MONTH;
        if (num(d, params, "week_start", &v)) s->week_start = (int)v;
    }
    if (tz) {
        char name[64] = "";
        struct dp_str z = dp_node_str(&d->rec, tz);
        memcpy(name, z.p, z.n < 63 ? z.n : 63);
        OK(dp_zone_open(name, zone, err));
        s->zone = *zone;
    }
}

struct feeder {
    struct doc *d;
    struct rig *r;
    struct dp_agg_reader *reader;
    uint32_t params, mark;
    size_t sources;
    struct dp_buf late, unassigned;
    int64_t now, max_future;
    bool has_max;
};

/* One line of the input: a record or a mark. */
static void feed(struct feeder *f, uint32_t i, size_t line) {
    const struct doc *d = f->d;
    int64_t v;
    struct dp_window_event ev = {.source = 0};
    if (num(d, i, "@watermark", &v)) {
        (void)dp_watermark_set(&f->r->mark, SIZE_MAX, v);
        OK(dp_window_advance(f->r->w, err));
        return;
    }
    if (at(d, i, "@idle") || at(d, i, "@active")) {
        uint32_t name = at(d, i, "@idle") ? at(d, i, "@idle") : at(d, i, "@active");
        OK(dp_watermark_source(&f->r->mark, dp_node_str(&d->rec, name), &ev.source, err));
        (void)dp_watermark_idle(&f->r->mark, ev.source, at(d, i, "@idle") != 0);
        OK(dp_window_advance(f->r->w, err));
        return;
    }
    if (!num(d, i, "ts", &ev.time)) return; /* bad_time is the program's */
    if (f->has_max && ev.time > f->now + f->max_future) return;
    uint32_t key_field = at(d, f->params, "key_field");
    if (key_field) {
        char name[32] = "";
        struct dp_str k = dp_node_str(&d->rec, key_field);
        memcpy(name, k.p, k.n);
        uint32_t k_at = at(d, i, name);
        if (!k_at || d->rec.nodes[k_at].kind == DP_KIND_NULL) return;
        ev.key = dp_node_str(&d->rec, k_at);
    }
    if (f->sources) OK(dp_watermark_source(&f->r->mark, dp_node_str(&d->rec, at(d, i, "src")), &ev.source, err));
    struct dp_buf row = {0};
    read_row(f->reader, dp_node_str(&d->rec, i), &row);
    ev.row = dp_buf_str(&row);
    ev.hash = dp_window_hash(ev.key);
    enum dp_window_fate fate;
    OK(dp_window_add(f->r->w, &ev, 1, &fate, err));
    if (fate == DP_WINDOW_LATE) dp_buf_addf(&f->late, "%zu ", line);
    if (fate == DP_WINDOW_UNASSIGNED) dp_buf_addf(&f->unassigned, "%zu ", line);
    dp_buf_release(&row);
}

static void expect_lines(const struct doc *d, uint32_t list, const struct dp_buf *got, const char *file, const char *what) {
    struct dp_buf want = {0};
    int64_t v;
    for (uint32_t i = list + 1; list && i < d->rec.nodes[list].next; i = d->rec.nodes[i].next)
        if (num(d, i, "line", &v)) dp_buf_addf(&want, "%lld ", (long long)v);
    if (!dp_str_eq(dp_buf_str(&want), dp_buf_str(got))) fail_msg("%s: %s: %.*s, not %.*s", file, what, (int)got->n, got->n ? got->p : "", (int)want.n, want.n ? want.p : "");
    dp_buf_release(&want);
}

static double value(const struct doc *d, uint32_t i) {
    double v = NAN;
    return i && dp_parse_double(dp_node_str(&d->rec, i), &v) ? v : NAN;
}

static bool near(double a, double b) { return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-12 * fabs(b); }

/* One row as it was printed, against one of the case. */
static bool same_row(const struct doc *want, uint32_t i, const char *line, size_t n) {
    struct doc got = {0};
    const char *brace = memchr(line, '{', n);
    bool ok = brace && dp_str_eq(dp_node_str(&want->rec, at(want, i, "op")), dp_str(line, (size_t)(brace - line - 1)));
    dp_buf_add(&got.text, brace, n - (size_t)(brace - line));
    memset(dp_buf_reserve(&got.text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    got.scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    OK(dp_scan_value(got.scan, got.text.p, got.text.n, &got.rec, err));
    for (uint32_t m = i + 1; ok && m < want->rec.nodes[i].next; m = want->rec.nodes[m].next) {
        char name[64] = "", list[80];
        struct dp_str k = dp_node_str(&want->rec, m);
        uint32_t v = m + 1;
        memcpy(name, k.p, k.n < 60 ? k.n : 60);
        if (!strcmp(name, "op")) continue;
        if (want->rec.nodes[v].kind == DP_KIND_ARRAY) {
            double sum = 0, count = 0;
            for (uint32_t x = v + 1; x < want->rec.nodes[v].next; x = want->rec.nodes[x].next)
                sum += want->rec.nodes[x].kind == DP_KIND_NUMBER ? value(want, x) : NAN, count++;
            (void)snprintf(list, sizeof list, "%s_n", name);
            ok = value(&got, at(&got, 0, list)) == count;
            (void)snprintf(list, sizeof list, "%s_s", name);
            ok = ok && (isnan(sum) || value(&got, at(&got, 0, list)) == sum);
        } else if (want->rec.nodes[v].kind == DP_KIND_STRING) {
            ok = dp_str_eq(dp_node_str(&want->rec, v), dp_node_str(&got.rec, at(&got, 0, name)));
        } else {
            ok = near(value(&got, at(&got, 0, name)), value(want, v));
        }
    }
    dp_scan_close(got.scan);
    dp_buf_release(&got.text);
    return ok;
}

static void corpus_case(const char *path, const char *file, uint64_t memory) {
    struct doc d = {0};
    struct rig r;
    struct dp_window_spec spec;
    struct dp_zone *zone = NULL;
    struct dp_buf aggs = {0};
    int64_t v, delay = 0;
    doc_read(&d, path);
    struct feeder f = {.d = &d, .r = &r, .params = at(&d, 0, "params")};
    corpus_spec(&d, f.params, &spec, &zone);
    corpus_aggs(&d, f.params, &aggs);
    f.mark = at(&d, f.params, "watermark");
    if (f.mark) (void)num(&d, f.mark, "bound_ms", &delay);
    rig_open(&r, dp_buf_z(&aggs), &spec, memory, !f.mark || !is(&d, f.mark, "mode", "explicit"), delay);
    uint32_t sources = f.mark ? at(&d, f.mark, "sources") : 0;
    for (uint32_t i = sources + 1; sources && i < d.rec.nodes[sources].next; i = d.rec.nodes[i].next) {
        size_t number;
        OK(dp_watermark_source(&r.mark, dp_node_str(&d.rec, i), &number, err));
        f.sources++;
    }
    f.has_max = num(&d, f.params, "now_ms", &f.now) && num(&d, f.params, "max_future_ms", &f.max_future);
    f.reader = dp_agg_reader_open(r.aggs);
    uint32_t input = at(&d, 0, "input"), expected = at(&d, 0, "expected"), flush = at(&d, f.params, "flush_at_end");
    size_t line = 0;
    for (uint32_t i = input + 1; i < d.rec.nodes[input].next; i = d.rec.nodes[i].next) feed(&f, i, ++line);
    uint32_t end = at(&d, expected, "watermark_at_end");
    if (end && dp_json_get_i64(&d.rec, end, &v)) {
        if (v != r.mark.now) fail_msg("%s: the watermark is %lld, not %lld", file, (long long)r.mark.now, (long long)v);
    } else if (r.mark.now != DP_WATERMARK_NONE) {
        fail_msg("%s: there is a watermark", file);
    }
    if (!flush || d.rec.nodes[flush].kind == DP_KIND_TRUE) OK(dp_window_flush(r.w, false, err));
    uint32_t rows = at(&d, expected, "windows");
    const char *p = dp_buf_z(&r.out);
    for (uint32_t i = rows + 1; i < d.rec.nodes[rows].next; i = d.rec.nodes[i].next) {
        const char *stop = strchr(p, '\n');
        if (!stop || !same_row(&d, i, p, (size_t)(stop - p))) fail_msg("%s: a row is %.*s, not %.*s", file, stop ? (int)(stop - p) : 4, stop ? p : "none", (int)d.rec.nodes[i].len, d.rec.base + d.rec.nodes[i].off);
        p = stop + 1;
    }
    if (*p) fail_msg("%s: more rows: %s", file, p);
    expect_lines(&d, at(&d, expected, "late"), &f.late, file, "late");
    expect_lines(&d, at(&d, expected, "unassigned"), &f.unassigned, file, "unassigned");
    dp_agg_reader_close(f.reader);
    rig_close(&r);
    dp_zone_close(zone);
    dp_scan_close(d.scan);
    dp_buf_release(&d.text), dp_buf_release(&aggs), dp_buf_release(&f.late), dp_buf_release(&f.unassigned);
}

static void corpus(void **state) {
    char dir[1024], path[1400];
    struct dirent *e;
    size_t n = 0;
    (void)state;
    DIR *d = opendir(dpt_shared(dir, "corpus/window"));
    assert_non_null(d);
    while ((e = readdir(d))) {
        if (e->d_name[0] != 'w' || !strstr(e->d_name, ".json")) continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        corpus_case(path, e->d_name, 64 << 20);
        corpus_case(path, e->d_name, 1);
        n++;
    }
    (void)closedir(d);
    assert_int_equal(n, 60);
}

/* ---- what may be asked for, and times at the edge ---- */

static void checks(void **state) {
    static const struct {
        struct dp_window_spec spec;
        enum dp_status status;
    } cases[] = {
        {{.kind = DP_WINDOW_TUMBLE, .size = 1}, DP_OK},
        {{.kind = DP_WINDOW_TUMBLE, .size = 0}, DP_USAGE},
        {{.kind = DP_WINDOW_TUMBLE, .size = -5}, DP_USAGE},
        {{.kind = DP_WINDOW_TUMBLE, .size = INT64_MAX / 4}, DP_OK},
        {{.kind = DP_WINDOW_TUMBLE, .size = INT64_MAX / 4 + 1}, DP_USAGE},
        {{.kind = DP_WINDOW_HOP, .size = 10, .slide = 0}, DP_USAGE},
        {{.kind = DP_WINDOW_HOP, .size = (int64_t)DP_LIMIT_WINDOWS_PER_RECORD * 7, .slide = 7}, DP_OK},
        {{.kind = DP_WINDOW_HOP, .size = (int64_t)DP_LIMIT_WINDOWS_PER_RECORD * 7 + 1, .slide = 7}, DP_USAGE},
        {{.kind = DP_WINDOW_HOP, .size = 5, .slide = 1000}, DP_OK},
        {{.kind = DP_WINDOW_SESSION, .size = 0}, DP_USAGE},
        {{.kind = DP_WINDOW_SLIDE, .size = 0}, DP_USAGE},
        {{.kind = DP_WINDOW_COUNT, .count = 0, .every = 1}, DP_USAGE},
        {{.kind = DP_WINDOW_COUNT, .count = 1, .every = 0}, DP_USAGE},
        {{.kind = DP_WINDOW_COUNT, .count = DP_LIMIT_WINDOWS_PER_RECORD, .every = 1}, DP_OK},
        {{.kind = DP_WINDOW_COUNT, .count = DP_LIMIT_WINDOWS_PER_RECORD + 1, .every = 1}, DP_USAGE},
        {{.kind = DP_WINDOW_COUNT, .count = 2, .every = 2, .changes = true}, DP_UNSUPPORTED},
        {{.kind = DP_WINDOW_CALENDAR, .week_start = 1}, DP_USAGE},
        {{.kind = DP_WINDOW_TUMBLE, .size = 1, .lateness = -1}, DP_USAGE},
        {{.kind = DP_WINDOW_TUMBLE, .size = 1, .changes = true, .emit = DP_WINDOW_UPDATE, .panes = DP_WINDOW_DISCARDING}, DP_UNSUPPORTED},
        {{.kind = DP_WINDOW_TUMBLE, .size = 1, .changes = true, .panes = DP_WINDOW_DISCARDING}, DP_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_err err = DP_ERR_INIT;
        enum dp_status status = dp_window_check(&cases[i].spec, &err);
        if (status != cases[i].status) fail_msg("case %zu is %s: %s", i, dp_status_name(status), err.msg);
    }
}

static void edges(void **state) {
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, INT64_MIN + 40, -1, 0, 1, INT64_MAX - 40, INT64_MAX - 1, INT64_MAX};
    static const enum dp_window_kind kinds[] = {DP_WINDOW_TUMBLE, DP_WINDOW_HOP, DP_WINDOW_SESSION, DP_WINDOW_SLIDE, DP_WINDOW_COUNT};
    struct dp_aggs *aggs = NULL;
    const char *text = "n=count()";
    struct dp_buf row = {0};
    (void)state;
    OK(dp_aggs_parse(&text, 1, NULL, &aggs, err));
    struct dp_agg_reader *reader = dp_agg_reader_open(aggs);
    read_row(reader, DP_STR("{}"), &row);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int emit = 0; emit < 3; emit++) {
            struct dp_window_spec spec = {.kind = kinds[k], .size = 10, .slide = 3, .offset = INT64_MIN, .count = 2, .every = 1, .emit = (enum dp_window_emit)emit, .lateness = INT64_MAX};
            struct rig r;
            size_t n = 0;
            rig_open(&r, text, &spec, 1 << 20, true, INT64_MAX);
            for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
                enum dp_window_fate fate;
                struct dp_window_event ev = {times[i], dp_window_hash(DP_STR("")), DP_STR(""), dp_buf_str(&row), 0, false};
                OK(dp_window_add(r.w, &ev, 1, &fate, err));
                n += fate == DP_WINDOW_USED;
                bool is_edge = times[i] <= INT64_MIN + 1 || times[i] >= INT64_MAX - 1;
                if (kinds[k] == DP_WINDOW_COUNT || !is_edge) assert_int_equal(fate, DP_WINDOW_USED);
            }
            OK(dp_window_flush(r.w, true, err));
            assert_true(n >= 5 && r.out.n);
            rig_close(&r);
        }
    dp_agg_reader_close(reader);
    dp_aggs_free(aggs);
    dp_buf_release(&row);
}

/* ---- entries of checkpoints that are not what was saved ---- */

static void damaged(void **state) {
    static const enum dp_window_kind kinds[] = {DP_WINDOW_TUMBLE, DP_WINDOW_SESSION, DP_WINDOW_SLIDE, DP_WINDOW_COUNT};
    struct dp_aggs *aggs = NULL;
    const char *text = AGGS;
    (void)state;
    OK(dp_aggs_parse(&text, 1, NULL, &aggs, err));
    struct dp_agg_reader *reader = dp_agg_reader_open(aggs);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct dp_window_spec spec = {.kind = kinds[k], .size = 10, .count = 5, .every = 2, .changes = kinds[k] != DP_WINDOW_COUNT};
        struct rig r;
        struct dp_map store = {0};
        struct dp_buf row = {0}, bytes = {0};
        rig_open(&r, AGGS, &spec, 1 << 20, true, 100);
        read_row(reader, DP_STR("{\"v\":3}"), &row);
        for (int i = 0; i < 3; i++) {
            enum dp_window_fate fate;
            struct dp_window_event ev = {i * 15, dp_window_hash(DP_STR("key")), DP_STR("key"), dp_buf_str(&row), 0, false};
            OK(dp_window_add(r.w, &ev, 1, &fate, err));
        }
        rig_save(&r, &store, true);
        for (size_t i = 0; i < store.n; i++) {
            const struct dp_buf *value = store.items[i].v.p;
            for (size_t n = 0; n <= value->n; n++)
                for (int bit = 0; bit < 8; bit += 3) { /* cut at n, and changed at n */
                    struct dp_err why = DP_ERR_INIT;
                    struct dp_window *w = NULL;
                    dp_buf_reset(&bytes);
                    dp_buf_adds(&bytes, dp_buf_str(value));
                    if (bit == 0) bytes.n = n;
                    else if (n < value->n) bytes.p[n] = (char)(bytes.p[n] ^ 1 << bit);
                    OK(dp_window_open(&r.conf, &w, err));
                    enum dp_status status = dp_window_load(w, store.items[i].key, dp_buf_str(&bytes), &why);
                    assert_true(status == DP_OK || status == DP_FORMAT || status == DP_LIMIT);
                    if (bit == 0 && n < value->n && status == DP_OK && kinds[k] == DP_WINDOW_TUMBLE) fail_msg("an entry that was cut at %zu was taken", n);
                    dp_window_close(w);
                }
            struct dp_err why = DP_ERR_INIT;
            for (size_t n = 0; n < store.items[i].key.n; n++) assert_int_equal(dp_window_load(r.w, dp_str(store.items[i].key.p, n), dp_buf_str(value), &why), DP_FORMAT);
        }
        dp_buf_release(&row), dp_buf_release(&bytes);
        store_clear(&store);
        rig_close(&r);
    }
    dp_agg_reader_close(reader);
    dp_aggs_free(aggs);
}

/* Each key is in one part, and what belongs to all is in each. */
static void parts(void **state) {
    size_t n[7] = {0};
    (void)state;
    for (int i = 0; i < 7000; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%d", i);
        uint64_t hash = dp_window_hash(dp_str_z(key));
        uint32_t in = 0;
        for (uint32_t p = 0; p < 7; p++)
            if (dp_window_part(hash, p, 7)) in++, n[p]++;
        assert_int_equal(in, 1);
    }
    for (int p = 0; p < 7; p++) assert_in_range(n[p], 800, 1200);
    assert_true(dp_window_part(0, 3, 7));
    /* in states that others wrote */
    assert_true(dp_window_hash(DP_STR("key")) == 0xbbea0d63a05165e3u && dp_window_hash(DP_STR("")) == 0x2d06800538d394c2u);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus), cmocka_unit_test(checks), cmocka_unit_test(edges), cmocka_unit_test(damaged), cmocka_unit_test(parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
