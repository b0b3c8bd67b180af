/*
 * The window operator with more than fits: many keys, many sessions and rows of one key, count windows that overlap.  The same bytes whatever the memory, in a time that is near linear.
 */
#include <dp/base/limits.h>

#include "window_rig.h"

/* ---- many keys: the same bytes, whatever the memory ---- */

static void feed_many(struct rig *r, struct dp_agg_reader *reader, uint64_t seed, size_t n, bool saves) {
    struct dice d = {seed};
    struct dp_buf rows[50] = {{0}};
    struct dp_map store = {0};
    for (int i = 0; i < 50; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "{\"v\":%d}", i);
        read_row(reader, dp_str_z(text), &rows[i]);
    }
    for (size_t i = 0; i < n; i++) {
        char key[32];
        enum dp_window_fate fate;
        (void)snprintf(key, sizeof key, "key-%llu", (unsigned long long)roll(&d, n / 2));
        struct dp_str k = dp_str_z(key);
        struct dp_window_event ev = {(int64_t)(i + roll(&d, 300)), dp_window_hash(k), k, dp_buf_str(&rows[roll(&d, 50)]), 0, false};
        OK(dp_window_add(r->w, &ev, 1, &fate, err));
        assert_int_equal(fate, DP_WINDOW_USED);
        if (saves && i % (n / 5) == n / 10) {
            rig_save(r, &store, i < n / 5);
            if (i > n / 2) rig_restore(r, &store);
        }
    }
    for (int i = 0; i < 50; i++) dp_buf_release(&rows[i]);
    store_clear(&store);
    r->conf.spec.count = (int64_t)dp_window_counts(r->w).spilled; /* for the caller */
    OK(dp_window_flush(r->w, true, err));
}

static void many_keys(void **state) {
    static const struct dp_window_spec specs[] = {
        {.kind = DP_WINDOW_TUMBLE, .size = 3000},
        {.kind = DP_WINDOW_HOP, .size = 3000, .slide = 1000, .emit = DP_WINDOW_UPDATE, .lateness = 2000},
        {.kind = DP_WINDOW_SESSION, .size = 3000},
        {.kind = DP_WINDOW_SESSION, .size = 3000, .emit = DP_WINDOW_CHANGELOG, .lateness = 500},
        {.kind = DP_WINDOW_SLIDE, .size = 3000},
        {.kind = DP_WINDOW_COUNT, .count = 4, .every = 2},
    };
    struct dp_aggs *aggs = NULL;
    const char *text = AGGS;
    (void)state;
    OK(dp_aggs_parse(&text, 1, NULL, &aggs, err));
    struct dp_agg_reader *reader = dp_agg_reader_open(aggs);
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct rig a, b;
        rig_open(&a, AGGS, &specs[i], (uint64_t)1 << 30, true, 400);
        rig_open(&b, AGGS, &specs[i], 100000, true, 400);
        feed_many(&a, reader, 7, 12000, false);
        feed_many(&b, reader, 7, 12000, true);
        assert_int_equal(a.conf.spec.count, 0);
        if (b.conf.spec.count < 400000) fail_msg("only %lld bytes were written out", (long long)b.conf.spec.count);
        if (!dp_str_eq(dp_buf_str(&a.out), dp_buf_str(&b.out))) fail_msg("the output of windows %zu depends on memory", i);
        rig_close(&a);
        rig_close(&b);
    }
    dp_agg_reader_close(reader);
    dp_aggs_free(aggs);
}

/* 100,000 sessions of one key that are all open: a search through them for each record would take minutes. */
static void many_sessions(void **state) {
    const struct dp_window_spec spec = {.kind = DP_WINDOW_SESSION, .size = 5};
    enum { N = 100000 };
    struct rig r[2];
    struct dp_aggs *aggs = NULL;
    const char *text = "n=count()";
    struct dp_buf row = {0};
    (void)state;
    OK(dp_aggs_parse(&text, 1, NULL, &aggs, err));
    struct dp_agg_reader *reader = dp_agg_reader_open(aggs);
    read_row(reader, DP_STR("{}"), &row);
    for (int back = 0; back < 2; back++) {
        rig_open(&r[back], text, &spec, (uint64_t)1 << 30, false, 0);
        for (int64_t i = 0; i < 2 * N; i++) { /* two records each, 3 apart */
            enum dp_window_fate fate;
            int64_t at = back ? 2 * N - 1 - i : i;
            struct dp_window_event ev = {at / 2 * 10 + at % 2 * 3, dp_window_hash(DP_STR("")), DP_STR(""), dp_buf_str(&row), 0, false};
            OK(dp_window_add(r[back].w, &ev, 1, &fate, err));
            assert_int_equal(fate, DP_WINDOW_USED);
        }
        assert_int_equal(dp_window_counts(r[back].w).windows, N);
        OK(dp_window_flush(r[back].w, true, err));
    }
    assert_true(r[0].out.n > N && dp_str_eq(dp_buf_str(&r[0].out), dp_buf_str(&r[1].out)));
    for (int back = 0; back < 2; back++) rig_close(&r[back]);
    dp_agg_reader_close(reader);
    dp_aggs_free(aggs);
    dp_buf_release(&row);
}

/* ---- few keys, each with more than fits ---- */

/* One after the other, backwards, or in no order at all. */
enum order { FORWARD, BACKWARD, SHUFFLED };

static int64_t place_of(enum order order, int64_t i, int64_t n) {
    switch (order) {
    case FORWARD: return i;
    case BACKWARD: return n - 1 - i;
    case SHUFFLED: return (int64_t)((uint64_t)i * 7919u % (uint64_t)n); /* n is not a multiple of that prime */
    }
    return 0;
}

struct load {
    struct dp_window_spec spec;
    const char *aggs;
    int64_t delay, step; /* of time, from one record to the next */
    int64_t n;
    enum order order;
    bool saves;
    uint64_t memory;
};

/* Feeds n records of two keys; what the operator held at most goes to *most. */
static enum dp_status carry(struct rig *r, const struct load *l, uint64_t *most) {
    static const char *const keys[2] = {"", "the other key"};
    struct dp_buf rows[64] = {{0}};
    struct dp_map store = {0};
    struct dp_err e = DP_ERR_INIT;
    enum dp_status status = DP_OK;
    rig_open(r, l->aggs, &l->spec, l->memory, true, l->delay);
    struct dp_agg_reader *reader = dp_agg_reader_open(r->aggs);
    for (int i = 0; i < 64; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "{\"v\":%d}", i * 37 % 101);
        read_row(reader, dp_str_z(text), &rows[i]);
    }
    *most = 0;
    for (int64_t i = 0; i < l->n && status == DP_OK; i++) {
        enum dp_window_fate fate;
        int64_t at = place_of(l->order, i, l->n);
        struct dp_str k = dp_str_z(keys[at % 3 == 0]);
        struct dp_window_event ev = {at * l->step, dp_window_hash(k), k, dp_buf_str(&rows[at % 64]), 0, false};
        status = dp_window_add(r->w, &ev, 1, &fate, &e);
        uint64_t bytes = i % 1000 == 999 ? dp_window_counts(r->w).bytes : 0; /* it counts all windows */
        if (bytes > *most) *most = bytes;
        if (l->saves && i % (l->n / 6) == l->n / 7) {
            rig_save(r, &store, i < l->n / 6);
            rig_restore(r, &store);
        }
    }
    if (status == DP_OK) status = dp_window_flush(r->w, true, &e);
    for (int i = 0; i < 64; i++) dp_buf_release(&rows[i]);
    store_clear(&store);
    dp_agg_reader_close(reader);
    return status;
}

static void same_bytes(const struct load *small) {
    struct load large = *small;
    struct rig a, b;
    uint64_t most;
    large.memory = (uint64_t)1 << 30, large.saves = false;
    assert_int_equal(carry(&a, &large, &most), DP_OK);
    assert_int_equal(carry(&b, small, &most), DP_OK);
    assert_true(most < small->memory + small->memory / 4);
    assert_true(dp_window_counts(b.w).spilled > small->memory);
    assert_int_equal(dp_window_counts(a.w).spilled, 0);
    if (!dp_str_eq(dp_buf_str(&a.out), dp_buf_str(&b.out))) fail_msg("the output of windows %d in order %d depends on memory", small->spec.kind, small->order);
    rig_close(&a), rig_close(&b);
}

/* Sessions and rows that time has not come to: they are put aside one by one. */
static void few_keys(void **state) {
    static const struct dp_window_spec specs[] = {
        {.kind = DP_WINDOW_SESSION, .size = 5},
        {.kind = DP_WINDOW_SESSION, .size = 10, .gap_exclusive = true},
        {.kind = DP_WINDOW_SESSION, .size = 5, .emit = DP_WINDOW_CHANGELOG, .lateness = 100},
        {.kind = DP_WINDOW_SLIDE, .size = 25},
        {.kind = DP_WINDOW_SLIDE, .size = 15, .emit = DP_WINDOW_UPDATE, .lateness = 40},
    };
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
        for (int order = FORWARD; order <= SHUFFLED; order++)
            for (int saves = 0; saves < 2; saves++) {
                const struct load l = {specs[i], AGGS, 400000, 10, 9001, (enum order)order, saves, 200000};
                same_bytes(&l);
            }
}

/* Sessions that have fired and may be written again are looked for by each record: one after the other that would take minutes. */
static void many_held(void **state) {
    const struct load l = {{.kind = DP_WINDOW_SESSION, .size = 5, .emit = DP_WINDOW_UPDATE, .lateness = INT64_MAX / 2}, "n=count()", 0, 10, 150001, SHUFFLED, false, (uint64_t)1 << 30};
    struct rig r;
    uint64_t most;
    (void)state;
    assert_int_equal(carry(&r, &l, &most), DP_OK);
    size_t lines = 0;
    for (size_t i = 0; i < r.out.n; i++) lines += r.out.p[i] == '\n';
    assert_int_equal(lines, 150001);
    rig_close(&r);
}

/* What can't be divided is refused by name, and not before it has to be. */
static void too_much(void **state) {
    struct load l = {{.kind = DP_WINDOW_SESSION, .size = 5, .emit = DP_WINDOW_UPDATE, .lateness = INT64_MAX / 2}, AGGS, 0, 10, 60000, FORWARD, false, DP_LIMIT_WINDOW_UNIT * 2};
    struct rig r;
    uint64_t most;
    (void)state;
    assert_int_equal(carry(&r, &l, &most), DP_LIMIT);
    rig_close(&r);
    l.spec = (struct dp_window_spec){.kind = DP_WINDOW_COUNT, .count = 50000, .every = 1};
    assert_int_equal(carry(&r, &l, &most), DP_LIMIT);
    rig_close(&r);
    l.memory = DP_LIMIT_WINDOW_UNIT, l.n = 7001; /* three quarters of it are for windows: below the limit it is only slow */
    l.spec = (struct dp_window_spec){.kind = DP_WINDOW_SESSION, .size = 5, .emit = DP_WINDOW_UPDATE, .lateness = INT64_MAX / 2};
    assert_int_equal(carry(&r, &l, &most), DP_OK);
    rig_close(&r);
}

/* ---- count windows that overlap, each against rows that are added up one by one ---- */

static bool is_of_first_key(const char *line, size_t n) {
    static const char mark[] = "\"key\":\"\"";
    for (size_t i = 0; i + sizeof mark - 1 <= n; i++)
        if (!memcmp(line + i, mark, sizeof mark - 1)) return true;
    return false;
}

static void count_one(const char *aggs, int64_t count, int64_t every, bool saves) {
    enum { N = 700 };
    const struct load l = {{.kind = DP_WINDOW_COUNT, .count = count, .every = every}, aggs, 0, 10, N, SHUFFLED, saves, (uint64_t)1 << 30};
    struct rig r, is;
    uint64_t most;
    const struct dp_window_spec all = {.kind = DP_WINDOW_COUNT, .count = count, .every = count};
    assert_int_equal(carry(&r, &l, &most), DP_OK);
    /* a window of its own for each: tumbling ones, begun at each of its first records */
    struct dp_buf want = {0};
    struct dp_agg_reader *reader = dp_agg_reader_open(r.aggs);
    int64_t of[N], n = 0; /* of the first key */
    for (int64_t i = 0; i < N; i++)
        if (place_of(SHUFFLED, i, N) % 3) of[n++] = place_of(SHUFFLED, i, N);
    for (int64_t first = 0; first + count <= n; first += every) {
        rig_open(&is, aggs, &all, (uint64_t)1 << 30, false, 0);
        for (int64_t i = first; i < first + count; i++) {
            char text[32];
            struct dp_buf row = {0};
            enum dp_window_fate fate;
            (void)snprintf(text, sizeof text, "{\"v\":%lld}", (long long)(of[i] % 64 * 37 % 101));
            read_row(reader, dp_str_z(text), &row);
            struct dp_window_event ev = {of[i] * 10, dp_window_hash(DP_STR("")), DP_STR(""), dp_buf_str(&row), 0, false};
            OK(dp_window_add(is.w, &ev, 1, &fate, err));
            dp_buf_release(&row);
        }
        dp_buf_adds(&want, dp_buf_str(&is.out));
        rig_close(&is);
    }
    /* those of the first key, but for what is left at the end */
    struct dp_buf got = {0};
    for (size_t at = 0, end; at < r.out.n && got.n < want.n; at = end) {
        for (end = at; r.out.p[end++] != '\n';) continue;
        if (is_of_first_key(r.out.p + at, end - at)) dp_buf_add(&got, r.out.p + at, end - at);
    }
    assert_true(want.n > 0);
    assert_string_equal(dp_buf_z(&got), dp_buf_z(&want));
    dp_buf_release(&got), dp_buf_release(&want);
    dp_agg_reader_close(reader);
    rig_close(&r);
}

static void count_overlaps(void **state) {
    static const char *const aggs[] = {"n=count(),s=sum(v)", "n=count(),a=min(v),b=max(v),f=first(v),l=last(v),d=delta(v)", "n=count(),q=median(v),d=distinct(v),a=min(v),c=collect(v)"};
    static const int64_t shapes[][2] = {{1, 1}, {2, 1}, {50, 1}, {50, 7}, {50, 30}, {50, 49}, {50, 50}, {120, 40}};
    (void)state;
    for (size_t i = 0; i < sizeof aggs / sizeof aggs[0]; i++)
        for (size_t j = 0; j < sizeof shapes / sizeof shapes[0]; j++)
            for (int saves = 0; saves < 2; saves++) count_one(aggs[i], shapes[j][0], shapes[j][1], saves);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_keys), cmocka_unit_test(many_sessions), cmocka_unit_test(few_keys), cmocka_unit_test(many_held), cmocka_unit_test(too_much),
                                       cmocka_unit_test(count_overlaps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
