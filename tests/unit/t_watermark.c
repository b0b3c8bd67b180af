/* Watermarks: one source, several, idle ones, marks; their checkpoints; the limit on sources. */
#include <dp/base/limits.h>
#include <dp/rules/watermark.h>

#include "dpt.h"

static size_t source(struct dp_watermark *w, const char *name) {
    size_t number = 0;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_watermark_source(w, dp_str_z(name), &number, &err), DP_OK);
    return number;
}

static void one_source(void **state) {
    struct dp_watermark w;
    (void)state;
    dp_watermark_init(&w, true, 10);
    assert_true(w.now == DP_WATERMARK_NONE);
    assert_true(dp_watermark_see(&w, 0, 100));
    assert_int_equal(w.now, 90);
    assert_false(dp_watermark_see(&w, 0, 50));
    assert_false(dp_watermark_see(&w, 0, 100));
    assert_true(dp_watermark_see(&w, 0, 101));
    assert_int_equal(w.now, 91);
    assert_true(dp_watermark_set(&w, SIZE_MAX, 200));
    assert_false(dp_watermark_set(&w, SIZE_MAX, 150));
    assert_false(dp_watermark_see(&w, 0, 209));
    assert_int_equal(w.now, 200);
    /* all idle: it stays */
    assert_false(dp_watermark_idle(&w, SIZE_MAX, true));
    assert_int_equal(w.now, 200);
    assert_true(dp_watermark_see(&w, 0, 300));
    assert_int_equal(w.now, 290);
    dp_watermark_release(&w);
    /* the edges of int64 */
    dp_watermark_init(&w, true, 10);
    assert_false(dp_watermark_see(&w, 0, INT64_MIN + 3));
    assert_true(dp_watermark_see(&w, 0, INT64_MAX));
    assert_true(w.now == INT64_MAX - 10);
    dp_watermark_release(&w);
    /* records do not move it */
    dp_watermark_init(&w, false, 0);
    assert_false(dp_watermark_see(&w, 0, 1000));
    assert_true(w.now == DP_WATERMARK_NONE);
    assert_true(dp_watermark_set(&w, 0, 5));
    dp_watermark_release(&w);
}

static void several(void **state) {
    struct dp_watermark w;
    (void)state;
    dp_watermark_init(&w, true, 0);
    size_t a = source(&w, "A"), b = source(&w, "B");
    assert_int_equal(source(&w, "A"), a);
    assert_int_not_equal(a, b);
    assert_false(dp_watermark_see(&w, a, 25)); /* B has said nothing */
    assert_true(w.now == DP_WATERMARK_NONE);
    assert_true(dp_watermark_idle(&w, b, true));
    assert_int_equal(w.now, 25);
    assert_false(dp_watermark_see(&w, b, 4)); /* wakes up behind, and holds it from now on */
    assert_false(dp_watermark_see(&w, a, 40));
    assert_int_equal(w.now, 25);
    assert_true(dp_watermark_see(&w, b, 30));
    assert_int_equal(w.now, 30);
    /* a new one holds it where it is */
    size_t c = source(&w, "C");
    assert_false(dp_watermark_see(&w, b, 50));
    assert_true(dp_watermark_set(&w, c, 35));
    assert_int_equal(w.now, 35);
    /* the nameless one counts once it was heard */
    assert_true(dp_watermark_set(&w, c, 100));
    assert_int_equal(w.now, 40);
    assert_false(dp_watermark_see(&w, 0, 41));
    assert_true(dp_watermark_see(&w, a, 90));
    assert_int_equal(w.now, 41);
    dp_watermark_release(&w);
}

static void checkpoints(void **state) {
    struct dp_watermark w, v;
    struct dp_buf b = {0}, again = {0};
    struct dp_err err = DP_ERR_INIT;
    (void)state;
    dp_watermark_init(&w, true, 3);
    (void)dp_watermark_see(&w, source(&w, "A"), 25);
    (void)dp_watermark_idle(&w, source(&w, "B"), true);
    (void)source(&w, "");
    dp_watermark_save(&w, &b);
    for (size_t n = 0; n < b.n; n++) { /* cut anywhere it is refused */
        struct dp_str in = dp_str(b.p, n);
        dp_watermark_init(&v, true, 3);
        assert_int_equal(dp_watermark_load(&v, &in, &err), DP_FORMAT);
        dp_watermark_release(&v);
    }
    struct dp_str in = dp_buf_str(&b);
    dp_watermark_init(&v, true, 3);
    assert_int_equal(dp_watermark_load(&v, &in, &err), DP_OK);
    assert_int_equal(in.n, 0);
    assert_int_equal(v.now, w.now);
    dp_watermark_save(&v, &again);
    assert_true(dp_str_eq(dp_buf_str(&b), dp_buf_str(&again)));
    dp_watermark_release(&v);
    dp_watermark_release(&w);
    dp_buf_release(&b), dp_buf_release(&again);
}

static void limit(void **state) {
    struct dp_watermark w;
    struct dp_err err = DP_ERR_INIT;
    size_t number;
    char name[16];
    (void)state;
    dp_watermark_init(&w, true, 0);
    for (unsigned i = 0; i < DP_LIMIT_WATERMARK_SOURCES; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        (void)source(&w, name);
    }
    assert_int_equal(dp_watermark_source(&w, DP_STR("one more"), &number, &err), DP_LIMIT);
    assert_int_equal(dp_watermark_source(&w, DP_STR("17"), &number, &err), DP_OK);
    dp_watermark_release(&w);
}

/* Marks, of one source, of all, and one that says nothing. */
static void marks(void **state) {
    struct dp_watermark w;
    struct dp_err err = DP_ERR_INIT;
    bool moved = false;
    char a[] = "A", none[] = "", t5[] = "5", t9[] = "1970-01-01T00:00:00.009Z";
    (void)state;
    dp_watermark_init(&w, false, 0);
    struct dp_mark m = {.kind = DP_MARK_WATERMARK, .source = a, .time = t5};
    assert_int_equal(dp_watermark_take(&w, &m, 77, &moved, &err), DP_OK);
    assert_true(moved && w.now == 5 && w.v[1].heard_at == 77);
    m.source = none, m.time = t9;
    assert_int_equal(dp_watermark_take(&w, &m, 78, &moved, &err), DP_OK);
    assert_true(moved && w.now == 9 && w.v[1].heard_at == 77 && w.n == 2);
    m.kind = DP_MARK_IDLE, m.source = a;
    assert_int_equal(dp_watermark_take(&w, &m, 79, &moved, &err), DP_OK);
    assert_true(!moved && w.v[1].is_idle);
    m.kind = DP_MARK_ACTIVE;
    assert_int_equal(dp_watermark_take(&w, &m, 79, &moved, &err), DP_OK);
    assert_false(w.v[1].is_idle);
    m = (struct dp_mark){.kind = DP_MARK_WATERMARK};
    assert_int_equal(dp_watermark_take(&w, &m, 80, &moved, &err), DP_FORMAT);
    dp_watermark_release(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(marks), cmocka_unit_test(one_source), cmocka_unit_test(several), cmocka_unit_test(checkpoints), cmocka_unit_test(limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
