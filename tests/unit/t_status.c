/* Statuses, error records, memory. */
#include "dpt.h"

#include <dp/base/arena.h>
#include <errno.h>

static void set_and_prefix(void **state) {
    (void)state;
    struct dp_err e = DP_ERR_INIT;
    assert_int_equal(dp_err_set(&e, DP_FORMAT, "bad byte %d", 7), DP_FORMAT);
    assert_int_equal(dp_err_at(&e, "a.csv", 3, 99), DP_FORMAT);
    assert_int_equal(dp_err_at(&e, "b.csv", 4, 1), DP_FORMAT); /* known already: the first one stays */
    assert_string_equal(e.source, "a.csv");
    assert_int_equal(e.line, 3);
    assert_int_equal(e.offset, 99);
    assert_int_equal(dp_err_prefix(&e, "reading %s: ", "footer"), DP_FORMAT);
    assert_int_not_equal(dp_err_prefix(NULL, "reading %s: ", "footer"), DP_OK); /* who fails without an err fails still */
    assert_int_not_equal(dp_err_at(NULL, "a.csv", 3, 99), DP_OK);
    assert_string_equal(e.msg, "reading footer: bad byte 7");
    errno = ENOENT;
    assert_int_equal(dp_err_sys(&e, DP_IO, "can't open %s", "x"), DP_IO);
    assert_string_equal(e.msg, "can't open x: No such file or directory");
    assert_int_equal(e.line, 0);
    assert_int_equal(dp_err_set(NULL, DP_USAGE, "x"), DP_USAGE);
}

static void long_messages_are_cut(void **state) {
    (void)state;
    struct dp_err e = DP_ERR_INIT;
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    dp_err_set(&e, DP_FORMAT, "%s", big);
    dp_err_prefix(&e, "a: %s", big);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    errno = EIO;
    dp_err_sys(&e, DP_IO, "%s", big);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static void exits(void **state) {
    (void)state;
    struct dp_err e = DP_ERR_INIT;
    assert_int_equal(dp_status_exit(DP_OK, NULL), 0);
    assert_int_equal(dp_status_exit(DP_RULE, &e), 1);
    assert_int_equal(dp_status_exit(DP_LIMIT, &e), 4);
    assert_int_equal(dp_status_exit(DP_EMPTY, NULL), 99);
    e.exit_code = 75;
    assert_int_equal(dp_status_exit(DP_ABORTED, &e), 75);
    assert_int_equal(dp_status_exit(DP_USAGE, &e), 2);
    assert_string_equal(dp_status_name(DP_FORMAT), "FORMAT");
}

static void growing(void **state) {
    (void)state;
    size_t cap = 0;
    int *p = NULL;
    for (size_t i = 0; i < 1000; i++) {
        p = dp_grow(p, &cap, i + 1, sizeof *p);
        p[i] = (int)i;
    }
    assert_true(cap >= 1000 && p[999] == 999);
    free(p);
}

static void arenas(void **state) {
    (void)state;
    struct dp_arena a = {0};
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 3000; n += 7) {
            char *p = dp_arena_alloc(&a, n);
            assert_int_equal((uintptr_t)p % 16, 0);
            memset(p, 1, n);
        }
        char *big = dp_arena_calloc(&a, 3, 1000000);
        assert_int_equal(big[2999999], 0);
        assert_string_equal(dp_arena_strdup(&a, "hello"), "hello");
        assert_string_equal(dp_arena_printf(&a, "%d-%s", 5, "x"), "5-x");
        assert_int_equal(dp_arena_str(&a, DP_STR("ab")).p[2], 0);
        int *v = NULL;
        size_t cap = 0;
        for (int i = 0; i < 1000; i++) {
            v = dp_arena_grow(&a, v, &cap, (size_t)i + 1, sizeof *v);
            assert_true(cap > (size_t)i);
            v[i] = i;
        }
        for (int i = 0; i < 1000; i++) assert_int_equal(v[i], i);
        assert_ptr_equal(dp_arena_grow(&a, v, &cap, cap, sizeof *v), v);
        dp_arena_reset(&a);
        assert_int_equal(a.used, 0);
        assert_true(a.total >= 3000000); /* the largest block is the one kept */
    }
    dp_arena_release(&a);
    assert_null(a.head);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_and_prefix), cmocka_unit_test(long_messages_are_cut), cmocka_unit_test(exits),
        cmocka_unit_test(growing),        cmocka_unit_test(arenas),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
