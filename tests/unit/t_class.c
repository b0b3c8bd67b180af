/* The order of classifications. */
#include "dpt.h"

#include <dp/record/class.h>

static void test_order(void **state) {
    static const char *const words[] = {"public", "internal", "confidential", "restricted"};
    static const char *const others[] = {"pii", "secret", "Public", "restricted ", "publi", "public\n"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(dp_class_rank(dp_str_z(words[i])), i);
        assert_int_equal(dp_class_rank_z(words[i]), i);
        assert_int_equal(dp_class_is_closed(words[i]), i > DP_RANK_INTERNAL);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(dp_class_rank_z(others[i]), DP_RANK_OTHER);
        assert_true(dp_class_is_closed(others[i]));
    }
    assert_true(DP_RANK_OTHER > DP_RANK_RESTRICTED && DP_RANK_PUBLIC > DP_RANK_NONE);
    assert_int_equal(dp_class_rank(dp_str("publicity", 6)), DP_RANK_PUBLIC);
}

static void test_none(void **state) {
    (void)state;
    assert_int_equal(dp_class_rank(dp_str(NULL, 0)), DP_RANK_NONE);
    assert_int_equal(dp_class_rank(DP_STR("")), DP_RANK_OTHER);
    assert_int_equal(dp_class_rank_z(NULL), DP_RANK_NONE);
    assert_int_equal(dp_class_rank_z(""), DP_RANK_NONE);
    assert_false(dp_class_is_closed(NULL));
    assert_false(dp_class_is_closed(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
