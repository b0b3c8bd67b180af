/* The hash map. */
#include "dpt.h"

#include <dp/base/map.h>

static void put_get_remove(void **state) {
    (void)state;
    struct dp_map m = {0};
    char key[32];
    assert_null(dp_map_get(&m, DP_STR("a")));
    assert_false(dp_map_remove(&m, DP_STR("a")));
    for (unsigned i = 0; i < 20000; i++) {
        bool fresh;
        size_t n = (size_t)snprintf(key, sizeof key, "key-%u", i);
        dp_map_put(&m, dp_str(key, n), &fresh)->v.u = i;
        assert_true(fresh);
    }
    for (unsigned i = 0; i < 20000; i += 2) {
        size_t n = (size_t)snprintf(key, sizeof key, "key-%u", i);
        assert_true(dp_map_remove(&m, dp_str(key, n)));
        assert_false(dp_map_remove(&m, dp_str(key, n)));
    }
    assert_int_equal(m.live, 10000);
    for (unsigned i = 0; i < 20000; i++) {
        size_t n = (size_t)snprintf(key, sizeof key, "key-%u", i);
        struct dp_map_item *it = dp_map_get(&m, dp_str(key, n));
        if (i % 2) assert_non_null(it), assert_int_equal(it->v.u, i);
        else assert_null(it);
    }
    bool fresh;
    dp_map_put(&m, DP_STR("key-0"), &fresh)->v.i = -1;
    assert_true(fresh);
    assert_int_equal(dp_map_get(&m, DP_STR("key-0"))->v.i, -1);
    dp_map_put(&m, DP_STR("key-1"), &fresh);
    assert_false(fresh);
    dp_map_reset(&m);
    assert_null(dp_map_get(&m, DP_STR("key-1")));
    dp_map_put(&m, dp_str(NULL, 0), &fresh);
    assert_true(fresh && dp_map_get(&m, DP_STR("")));
    dp_map_release(&m);
}

static void churn_keeps_its_size(void **state) {
    (void)state;
    struct dp_map m = {0};
    char key[32];
    for (unsigned i = 0; i < 100000; i++) {
        size_t n = (size_t)snprintf(key, sizeof key, "%u", i);
        dp_map_put(&m, dp_str(key, n), NULL);
        if (i >= 10) {
            n = (size_t)snprintf(key, sizeof key, "%u", i - 10);
            assert_true(dp_map_remove(&m, dp_str(key, n)));
        }
    }
    assert_int_equal(m.live, 10);
    assert_true(m.nslots <= 64); /* removed items are cleared away when the table is built anew */
    dp_map_release(&m);
}

static void iteration_is_by_insertion(void **state) {
    (void)state;
    static const char *const words[] = {"zulu", "alpha", "mike", "bravo"};
    struct dp_map m = {0};
    for (unsigned i = 0; i < 4; i++) dp_map_put(&m, dp_str_z(words[i]), NULL);
    for (unsigned i = 0; i < 4; i++) assert_string_equal(m.items[i].key.p, words[i]);
    dp_map_release(&m);
}

/* A kept key is the caller's; a key that is there already stays as it is. */
static void kept_keys(void **state) {
    (void)state;
    struct dp_map m = {0};
    char text[2][8] = {"one", "one"};
    bool fresh;
    assert_ptr_equal(dp_map_put_kept(&m, dp_str(text[0], 3), &fresh)->key.p, text[0]);
    assert_true(fresh);
    assert_ptr_equal(dp_map_put_kept(&m, dp_str(text[1], 3), &fresh)->key.p, text[0]);
    assert_false(fresh);
    assert_ptr_not_equal(dp_map_put(&m, DP_STR("two"), NULL)->key.p, NULL);
    assert_true(dp_map_remove(&m, DP_STR("one")));
    assert_int_equal(m.live, 1);
    dp_map_release(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(put_get_remove), cmocka_unit_test(churn_keeps_its_size),
                                       cmocka_unit_test(iteration_is_by_insertion), cmocka_unit_test(kept_keys)};
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
