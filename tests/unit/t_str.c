/* Borrowed text. */
#include "dpt.h"

#include <dp/base/str.h>

static void order(void **state) {
    (void)state;
    static const char *const up[] = {"", "a", "aa", "ab", "b", "\xff"};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            assert_int_equal(dp_str_cmp(dp_str_z(up[i]), dp_str_z(up[j])), (i > j) - (i < j));
    assert_true(dp_str_starts(DP_STR("abc"), DP_STR("ab")) && dp_str_starts(DP_STR("abc"), DP_STR("")));
    assert_false(dp_str_starts(DP_STR("a"), DP_STR("ab")));
    assert_true(dp_str_ends(DP_STR("x.gz"), DP_STR(".gz")));
    assert_false(dp_str_ends(DP_STR("z"), DP_STR(".gz")));
    assert_true(dp_str_eq(dp_str(NULL, 0), DP_STR("")));
}

static void nearest(void **state) {
    (void)state;
    static const char *const words[] = {"rejects", "max-rejects", "threads", "where", "output", NULL};
    static const struct {
        const char *in, *out;
    } cases[] = {{"reject", "rejects"}, {"thraeds", "threads"}, {"wher", "where"}, {"max-reject", "max-rejects"},
                 {"outptu", "output"},  {"out", "output"},      {"zzz", NULL},     {"", NULL}};
    static const char *const keys[] = {"rows", "roles", NULL}; /* as many edits to both: a letter is rather missing than another */
    assert_string_equal(dp_str_nearest("rols", keys), "roles");
    assert_string_equal(dp_str_nearest("rws", keys), "rows");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = dp_str_nearest(cases[i].in, words);
        if (cases[i].out) assert_non_null(got), assert_string_equal(got, cases[i].out);
        else assert_null(got);
    }
}

static void hex(void **state) {
    (void)state;
    static const char digits[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    for (int c = -128; c < 128; c++) {
        const char *low = c > 0 ? strchr(digits, c) : NULL, *high = c > 0 ? strchr(upper, c) : NULL;
        assert_int_equal(dp_hex_digit((char)c), low ? low - digits : high ? high - upper : -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(order), cmocka_unit_test(nearest), cmocka_unit_test(hex)};
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
