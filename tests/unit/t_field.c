/* Paths: syntax, printing, lookups with and without hints, equal keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dp/record/field.h>
#include <stdlib.h>
#include <string.h>

struct syntax {
    const char *text, *printed; /* NULL: refused */
};

static const struct syntax syntaxes[] = {
    {".a", ".a"},
    {"a", ".a"},
    {"a.b", ".a.b"},
    {".a.b.c.d.e.f", ".a.b.c.d.e.f"},
    {".a[0].b", ".a[0].b"},
    {".a[-1]", ".a[-1]"},
    {".[0]", ".[0]"},
    {"a[2][3]", ".a[2][3]"},
    {".\"odd name\"", ".[\"odd name\"]"},
    {".[\"odd name\"]", ".[\"odd name\"]"},
    {".a[\"odd name\"].b", ".a[\"odd name\"].b"},
    {".a.\"b\\\"c\"", ".a[\"b\\\"c\"]"},
    {".\"\\u0061\"", ".a"},
    {".[\"a\"]", ".a"},
    {"user-id", ".[\"user-id\"]"},
    {"@timestamp", ".[\"@timestamp\"]"},
    {"\xc3\xa4", ".[\"\xc3\xa4\"]"},
    {"\"x.y\"", ".[\"x.y\"]"},
    {"", NULL},
    {".", NULL},
    {"a.", NULL},
    {"a..b", NULL},
    {".a b", NULL},
    {" .a", NULL},
    {".a[", NULL},
    {".a[]", NULL},
    {".a[1", NULL},
    {".a[1.5]", NULL},
    {".a[99999999999999999999]", NULL},
    {".a[x]", NULL},
    {".\"a", NULL},
    {".\"\\x\"", NULL},
    {".\"a\"b", NULL},
    {"[0]", NULL},
    {".a[\"b\"", NULL},
    {"a\\", NULL},
    {"\"\\", NULL},
};

static void test_syntax(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof syntaxes / sizeof syntaxes[0]; i++) {
        struct dp_path path;
        struct dp_err err = DP_ERR_INIT;
        enum dp_status st = dp_path_parse(dp_str_z(syntaxes[i].text), &path, &err);
        if (!syntaxes[i].printed) {
            if (st != DP_USAGE) fail_msg("`%s` was taken", syntaxes[i].text);
            assert_null(path.steps);
            continue;
        }
        if (st != DP_OK) fail_msg("`%s`: %s", syntaxes[i].text, err.msg);
        struct dp_buf b = {0};
        dp_path_print(&path, &b);
        assert_string_equal(dp_buf_z(&b), syntaxes[i].printed);
        struct dp_path again; /* what is printed reads back the same */
        assert_int_equal(dp_path_parse(dp_buf_str(&b), &again, &err), DP_OK);
        assert_int_equal(again.n, path.n);
        dp_path_release(&again);
        dp_path_release(&path);
        dp_buf_release(&b);
    }
}

static void test_too_many_steps(void **state) {
    (void)state;
    for (unsigned n = DP_LIMIT_DEPTH; n <= DP_LIMIT_DEPTH + 1; n++) {
        struct dp_buf b = {0};
        for (unsigned i = 0; i < n; i++) dp_buf_addz(&b, ".a");
        struct dp_path path;
        assert_int_equal(dp_path_parse(dp_buf_str(&b), &path, NULL), n <= DP_LIMIT_DEPTH ? DP_OK : DP_USAGE);
        dp_path_release(&path);
        dp_buf_release(&b);
    }
}

static const char text[] = "{\"a\":{\"b\":[10,{\"c\":\"x\"},30],\"c\":1},\"c\":2,\"odd name\":3,\"\\u00e4\":4}\n"
                           "{\"c\":5,\"a\":{\"c\":6,\"b\":[]}}\n"
                           "{\"a\":[1],\"c\":7}\n"
                           "{\"z\":{\"c\":0},\"c\":8,\"c\":9}\n";

static const struct {
    const char *path;
    const char *want[4]; /* for each line; NULL: absent */
} finds[] = {
    {".c", {"2", "5", "7", "8"}},
    {".a.c", {"1", "6", NULL, NULL}},
    {".a.b[0]", {"10", NULL, NULL, NULL}},
    {".a.b[-1]", {"30", NULL, NULL, NULL}},
    {".a.b[3]", {NULL, NULL, NULL, NULL}},
    {".a.b[-4]", {NULL, NULL, NULL, NULL}},
    {".a.b[1].c", {"x", NULL, NULL, NULL}},
    {".a[0]", {NULL, NULL, "1", NULL}},
    {".c.d", {NULL, NULL, NULL, NULL}},
    {".\"odd name\"", {"3", NULL, NULL, NULL}},
    {".\"\xc3\xa4\"", {"4", NULL, NULL, NULL}},
    {".z", {NULL, NULL, NULL, "{\"c\":0}"}},
};

static void test_find(void **state) {
    (void)state;
    char *p = malloc(sizeof text + DP_SCAN_PAD);
    memcpy(p, text, sizeof text);
    memset(p + sizeof text, 0, DP_SCAN_PAD);
    for (size_t i = 0; i < sizeof finds / sizeof finds[0]; i++)
        for (int hinted = 0; hinted < 2; hinted++) {
            struct dp_path path;
            struct dp_path_hint hint = {0};
            assert_int_equal(dp_path_parse(dp_str_z(finds[i].path), &path, NULL), DP_OK);
            struct dp_scan *s = dp_scan_open(0, DP_SCAN_AUTO);
            for (int round = 0; round < 3; round++) {
                dp_scan_begin(s, p, sizeof text - 1);
                for (int l = 0; l < 4; l++) {
                    struct dp_record r;
                    assert_int_equal(dp_scan_next(s, &r, NULL), DP_OK);
                    uint32_t v = dp_path_find(&path, hinted ? &hint : NULL, &r);
                    const char *want = finds[i].want[l];
                    if (!want) assert_int_equal(v, 0);
                    else if (!v || !dp_str_eqz(dp_node_str(&r, v), want)) fail_msg("%s in line %d: node %u", finds[i].path, l, v);
                }
            }
            dp_scan_close(s);
            dp_path_release(&path);
        }
    struct dp_path key;
    dp_path_key(&key, DP_STR("a.b[0]"));
    assert_int_equal(key.n, 1);
    assert_string_equal(key.steps[0].key, "a.b[0]");
    dp_path_release(&key);
    free(p);
}

/* Lines of a few structures whose keys change, in any order, and by two scanners in turn: what a hint says is what is there. */
static void test_shapes(void **state) {
    static const char *const lines[] = {"{\"a\":1,\"b\":{\"c\":\"x\"}}", "{\"b\":2,\"a\":{\"c\":\"y\"}}", "{\"b\":3,\"d\":{\"e\":\"z\"}}", "{\"a\":4,\"a\":{\"c\":\"w\"}}",
                                        "{\"\\u0061\":5,\"b\":{\"\\u0063\":\"v\"}}", "{\"x\":null,\"a\":6}", "{\"a\":null,\"b\":7}", "{}"};
    static const char *const names[] = {".a", ".b", ".b.c", ".a.c", ".d.e"};
    enum { N_LINES = sizeof lines / sizeof *lines, N_NAMES = sizeof names / sizeof *names, RECORDS = 3000 };
    (void)state;
    struct dp_path paths[N_NAMES];
    struct dp_path_hint hints[N_NAMES] = {0};
    struct dp_scan *scan[2] = {dp_scan_open(0, DP_SCAN_AUTO), dp_scan_open(0, DP_SCAN_PORTABLE)};
    struct dp_buf b[2] = {{0}, {0}};
    unsigned dice = 1, with_shape = 0;
    for (size_t i = 0; i < N_NAMES; i++) assert_int_equal(dp_path_parse(dp_str_z(names[i]), &paths[i], NULL), DP_OK);
    for (unsigned i = 0; i < 2 * RECORDS; i++) {
        dice = dice * 1103515245 + 12345;
        dp_buf_addz(&b[i % 2], lines[(dice >> 16) % (i < RECORDS ? N_LINES : 3)]);
        dp_buf_addc(&b[i % 2], '\n');
    }
    for (size_t k = 0; k < 2; k++) {
        memset(dp_buf_reserve(&b[k], DP_SCAN_PAD), 0, DP_SCAN_PAD);
        dp_scan_begin(scan[k], b[k].p, b[k].n);
    }
    for (unsigned i = 0; i < 2 * RECORDS; i++) {
        struct dp_record r;
        assert_int_equal(dp_scan_next(scan[i % 2], &r, NULL), DP_OK);
        with_shape += r.shape != 0;
        for (size_t k = 0; k < N_NAMES; k++) assert_int_equal(dp_path_find(&paths[k], &hints[k], &r), dp_path_walk(&paths[k], NULL, &r));
    }
    assert_true(with_shape > RECORDS);
    for (size_t i = 0; i < N_NAMES; i++) dp_path_release(&paths[i]);
    for (size_t k = 0; k < 2; k++) dp_scan_close(scan[k]), dp_buf_release(&b[k]);
}

static void test_lists(void **state) {
    (void)state;
    static const struct { const char *text, *printed; /* NULL: refused */ } lists[] = {
        {"a", ".a "}, {"a,b", ".a .b "}, {".a.b,c[0]", ".a.b .c[0] "}, {".\"a,b\",c", ".[\"a,b\"] .c "}, {".[\"x\\\",y\"],z", ".[\"x\\\",y\"] .z "},
        {"", NULL}, {"a,", NULL}, {",a", NULL}, {"a,,b", NULL}, {"a,b,a", NULL}, {"a,.a", NULL}, {"a.b,.\"a\".b", NULL}, {"a, b", NULL},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct dp_path *paths;
        size_t n;
        struct dp_err err = DP_ERR_INIT;
        struct dp_buf b = {0};
        enum dp_status status = dp_paths_parse(dp_str_z(lists[i].text), &paths, &n, &err);
        if ((status == DP_OK) != (lists[i].printed != NULL)) fail_msg("%s: %s", lists[i].text, status == DP_OK ? "accepted" : err.msg);
        if (status != DP_OK) assert_int_equal(status, DP_USAGE);
        for (size_t k = 0; k < n; k++) dp_path_print(&paths[k], &b), dp_buf_addc(&b, ' ');
        if (status == DP_OK) assert_string_equal(dp_buf_z(&b), lists[i].printed);
        dp_paths_free(paths, n);
        dp_buf_release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_too_many_steps),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
