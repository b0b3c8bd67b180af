/* Many strings in one pass: as many as a search for each finds, in the order of their ends. */
#include "dpt.h"

#include <dp/base/buf.h>
#include <dp/base/patterns.h>

#include <stdlib.h>

struct met { size_t which, end; };
struct mets { struct met *v; size_t n, cap; };

static void on_hit(void *ctx, size_t which, size_t end) {
    struct mets *m = ctx;
    m->v = dp_grow(m->v, &m->cap, m->n + 1, sizeof *m->v);
    m->v[m->n++] = (struct met){which, end};
}

static void expect(const struct dp_str *v, size_t n, struct dp_str text) {
    struct mets got = {0}, want = {0};
    struct dp_patterns *p = dp_patterns_make(v, n);
    dp_patterns_find(p, text, on_hit, &got);
    for (size_t end = 1; end <= text.n; end++)
        for (size_t len = end; len > 0; len--)
            for (size_t i = 0; i < n; i++)
                if (v[i].n == len && !memcmp(text.p + end - len, v[i].p, len)) on_hit(&want, i, end);
    assert_int_equal(got.n, want.n);
    for (size_t i = 0; i < got.n; i++) {
        assert_int_equal(got.v[i].which, want.v[i].which);
        assert_int_equal(got.v[i].end, want.v[i].end);
    }
    free(got.v), free(want.v);
    dp_patterns_free(p);
}

static void known(void **state) {
    (void)state;
    const struct dp_str words[] = {DP_STR("he"), DP_STR("she"), DP_STR("his"), DP_STR("hers"), DP_STR(""), DP_STR("he"), DP_STR("s"), DP_STR("\xff\x00\xff")};
    expect(words, 8, DP_STR("ushers and his \xff\x00\xff\x00\xff, she sells hehehe"));
    expect(words, 8, DP_STR(""));
    expect(words, 0, DP_STR("ushers"));
    expect(words + 4, 1, DP_STR("ushers"));
    dp_patterns_free(NULL);
}

/* Short words over few letters, so that they are parts of each other. */
static void at_random(void **state) {
    uint32_t seed = 7;
    (void)state;
    for (int round = 0; round < 400; round++) {
        struct dp_str v[40];
        char letters[40][9], text[300];
        size_t n = (size_t)(round % 40), len = (size_t)(round * 7 % 300);
        for (size_t i = 0; i < n; i++) {
            v[i] = dp_str(letters[i], (seed >> 16) % 9);
            for (size_t k = 0; k < 9; k++) seed = seed * 1664525 + 1013904223, letters[i][k] = (char)('a' + (seed >> 24) % 3);
        }
        for (size_t k = 0; k < len; k++) seed = seed * 1664525 + 1013904223, text[k] = (char)('a' + (seed >> 24) % (round % 2 ? 3 : 4));
        expect(v, n, dp_str(text, len));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
