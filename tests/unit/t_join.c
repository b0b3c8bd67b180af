/* Joins without a program: times that saturate, the words, runs in memory and in files searched by key and time against a slow model. */
#include "dpt.h"

#include "../../lib/io/join_priv.h"

#include <dp/base/mem.h>
#include <dp/base/num.h>

#include <stdlib.h>

static void times(void **state) {
    (void)state;
    const struct join_time t = {5, 7};
    assert_int_equal(join_time_cmp(join_time_add(t, 3), (struct join_time){8, 7}), 0);
    assert_int_equal(join_time_cmp(join_time_add((struct join_time){INT64_MAX - 1, 0}, 5), JOIN_TIME_MOST), 0);
    assert_int_equal(join_time_cmp(join_time_add((struct join_time){INT64_MIN + 1, 9}, -5), JOIN_TIME_LEAST), 0);
    assert_true(join_time_cmp(t, (struct join_time){5, 8}) < 0 && join_time_cmp((struct join_time){6, 0}, t) > 0);
}

static const struct {
    struct dp_join_words words;
    const char *why; /* NULL: fine */
    int64_t from, to;
} words[] = {
    {{.with = "f", .on = "id", .within = "5m", .time = "t"}, NULL, -300000, 300000},
    {{.with = "f", .on = "a=b,.c.d=e", .within = "-1m,10m", .time = "t", .with_time = "u"}, NULL, -60000, 600000},
    {{.with = "f", .on = "id", .as_of = "t=u,within 7d"}, NULL, -604800000, 0},
    {{.with = "f", .on = "id", .as_of = "t"}, NULL, INT64_MIN, 0},
    {{.with = "f", .on = "id", .within = "2m,1m", .time = "t"}, "ends before it begins", 0, 0},
    {{.with = "f", .on = "id", .within = "-5m", .time = "t"}, "without a sign", 0, 0},
    {{.with = "f", .on = "id", .within = "5m"}, "needs --time", 0, 0},
    {{.with = "f", .on = "id", .as_of = "t,7d"}, "TIME[,within D]", 0, 0},
    {{.with = "f", .on = "id", .time = "t"}, "are for --within", 0, 0},
    {{.with = "f", .on = "id,", .time = "t"}, NULL, 0, 0},
    {{.with = "f", .on = "id", .take = "a,b,a"}, "stands twice", 0, 0},
    {{.with = "f", .on = "id", .take = "a,,b"}, "is missing", 0, 0},
    {{.with = "f", .on = "a=.[0]"}, "begins with the name of a column", 0, 0},
    {{.with = "-", .on = "id"}, "standard input", 0, 0},
    {{.with = "s3://b/k", .on = "id"}, "s3:// is not read", 0, 0},
    {{.with = "f", .on = "id", .timezone = "UTC"}, "--timezone", 0, 0},
    {{.with = "f", .on = "id", .kind = DP_JOIN_ANTI, .take = "a"}, "--kind anti", 0, 0},
    {{.with = "f", .on = "id", .unique = true, .as_of = "t"}, "--unique", 0, 0}};

static void spec(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct join_spec s;
        struct dp_err err = DP_ERR_INIT;
        enum dp_status status = join_spec_read(&words[i].words, &s, &err);
        if (words[i].why && (status == DP_OK || !strstr(err.msg, words[i].why))) fail_msg("%zu: %s", i, err.msg);
        if (!words[i].why && status == DP_OK && (s.from_ms != words[i].from || s.to_ms != words[i].to)) fail_msg("%zu: %lld to %lld", i, (long long)s.from_ms, (long long)s.to_ms);
        join_spec_release(&s);
    }
}

/* ---- runs ---- */

enum { KEYS = 37, PER = 4000, RUNS = 3, TOTAL = RUNS * PER };

struct item { unsigned key; int64_t ms; unsigned number; };
struct got { unsigned n, numbers[TOTAL]; };

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static enum dp_status take(void *ctx, const struct join_match *m, struct dp_err *err) {
    struct got *g = ctx;
    int64_t v;
    (void)err;
    assert_true(dp_parse_i64(m->text, &v));
    g->numbers[g->n++] = (unsigned)v;
    return DP_OK;
}

/* Two keys of each hash: it is their bytes that count. */
static uint64_t hash_of(unsigned key) { return mix(key / 2 + 1); }

static void add(struct join_entry *e, struct join_texts *texts, const struct item *x) {
    char text[24];
    const struct join_head h = {sizeof x->key, 0};
    size_t n = dp_print_u64(text, x->number);
    *e = (struct join_entry){.hash = hash_of(x->key), .ms = x->ms, .n = (uint32_t)(sizeof h + sizeof x->key + n)};
    char *p = join_texts_room(texts, e->n, &e->at);
    memcpy(p, &h, sizeof h), memcpy(p + sizeof h, &x->key, sizeof x->key), memcpy(p + sizeof h + sizeof x->key, text, n);
}

static const struct item *items_for_sort;
static int by_time(const void *a, const void *b) {
    const struct item *x = &items_for_sort[*(const unsigned *)a], *y = &items_for_sort[*(const unsigned *)b];
    return x->ms != y->ms ? (x->ms < y->ms ? -1 : 1) : x->number < y->number ? -1 : x->number > y->number;
}

static void compare(const struct join_run *r, const struct item *items, int64_t keep) {
    struct join_reader reader = {0};
    struct dp_err err = DP_ERR_INIT;
    struct got *got = dp_calloc(1, sizeof *got), *last = dp_calloc(1, sizeof *last);
    unsigned *want = dp_calloc(TOTAL, sizeof *want);
    for (unsigned i = 0; i < 400; i++) {
        unsigned key = (unsigned)(mix(i) % (KEYS + 2)), n = 0;
        int64_t from = (int64_t)(mix(i + 1000) % 1200) - 100, to = from + (int64_t)(mix(i + 2000) % 300);
        for (unsigned k = 0; k < TOTAL; k++)
            if (items[k].key == key && items[k].ms >= keep && items[k].ms >= from && items[k].ms <= to) want[n++] = k;
        items_for_sort = items;
        qsort(want, n, sizeof *want, by_time);
        const struct join_key k = {hash_of(key), dp_str((const char *)&key, sizeof key)};
        got->n = last->n = 0;
        assert_int_equal(join_run_range(r, &reader, &k, (struct join_time){from, 0}, (struct join_time){to, 0}, take, got, &err), DP_OK);
        assert_int_equal(join_run_last(r, &reader, &k, (struct join_time){from, 0}, (struct join_time){to, 0}, take, last, &err), DP_OK);
        assert_int_equal(got->n, n);
        assert_memory_equal(got->numbers, want, n * sizeof *want);
        assert_int_equal(last->n, n > 0);
        if (n) assert_int_equal(last->numbers[0], want[n - 1]);
    }
    join_reader_release(&reader);
    free(got), free(last), free(want);
}

static void runs(void **state) {
    (void)state;
    struct item *items = dp_calloc(TOTAL, sizeof *items);
    struct join_run r[RUNS] = {{.id = 1}}, whole = {.id = 10, .fd = -1}, file = {.id = 11, .fd = -1};
    struct join_run *const from[RUNS] = {&r[0], &r[1], &r[2]};
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf scratch = {0};
    bool twice = false;
    for (unsigned k = 0; k < RUNS; k++) {
        struct join_entry *v = dp_alloc(PER * sizeof *v);
        struct join_texts texts = {0};
        size_t n = 0;
        for (unsigned i = k * PER; i < (k + 1) * PER; i++) {
            items[i] = (struct item){(unsigned)(mix(i * 3 + 1) % KEYS), (int64_t)(mix(i * 5 + 2) % 1000), i};
            add(&v[n++], &texts, &items[i]);
        }
        r[k].id = k + 1;
        join_run_build(&r[k], &v, &n, &texts);
        assert_int_equal(r[k].n, PER);
    }
    assert_int_equal(join_run_merge(from, RUNS, INT64_MIN, &file, &err), DP_OK);
    assert_true(file.is_file && file.n == TOTAL);
    compare(&file, items, INT64_MIN);
    assert_int_equal(join_run_twice(&file, &twice, &scratch, &err), DP_OK);
    assert_true(twice);
    join_run_release(&file);
    file = (struct join_run){.id = 12, .fd = -1};
    assert_int_equal(join_run_merge(from, RUNS, 500, &file, &err), DP_OK);
    compare(&file, items, 500);
    join_run_join(from, RUNS, 250, &whole);
    compare(&whole, items, 250);
    for (unsigned k = 0; k < RUNS; k++) join_run_release(&r[k]);
    join_run_release(&whole);
    join_run_release(&file);
    dp_buf_release(&scratch);
    free(items);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(times), cmocka_unit_test(spec), cmocka_unit_test(runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
