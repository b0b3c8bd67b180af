/* The growable buffer. */
#include "dpt.h"

#include <dp/base/buf.h>

static void adds(void **state) {
    (void)state;
    struct dp_buf b = {0};
    assert_string_equal(dp_buf_z(&b), "");
    for (int i = 0; i < 500; i++) dp_buf_addc(&b, 'x');
    dp_buf_addz(&b, "end");
    dp_buf_adds(&b, DP_STR("!"));
    dp_buf_add(&b, NULL, 0);
    assert_int_equal(b.n, 504);
    assert_string_equal(dp_buf_z(&b) + 500, "end!");
    dp_buf_reset(&b);
    dp_buf_addf(&b, "%0*d|%s", 300, 7, "tail");
    assert_int_equal(b.n, 305);
    assert_string_equal(dp_buf_z(&b) + 300, "|tail");
    char *p = dp_buf_detach(&b);
    assert_null(b.p);
    assert_int_equal(strlen(p), 305);
    free(p);
    assert_string_equal(p = dp_buf_detach(&b), "");
    free(p);
    dp_buf_release(&b);
}

static void format_that_just_does_not_fit(void **state) {
    (void)state;
    for (int n = 120; n < 136; n++) {
        struct dp_buf b = {0};
        dp_buf_addf(&b, "%*s", n, "z");
        assert_int_equal(b.n, n);
        assert_int_equal(b.p[n - 1], 'z');
        dp_buf_release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(adds), cmocka_unit_test(format_that_just_does_not_fit)};
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
