/* Pipelines that need no shell: which texts are taken, as which words; all others are left to bash. */
#include "dpt.h"

#include <dp/cli/plain.h>
#include <sys/stat.h>

/* Words with a blank behind each, stages with a bar; NULL: not plain. */
static const struct {
    const char *text, *want;
} cases[] = {
    {"dp-cat", "[dp-cat]"},
    {"  dp-cat  a.ndjson\t-j 2 ", "[dp-cat][a.ndjson][-j][2]"},
    {"dp-ingest a,b.csv --by=x|dp-table commit lake/orders", "[dp-ingest][a,b.csv][--by=x]|[dp-table][commit][lake/orders]"},
    {"dp-map '.a == \"x|y\" | {b}' | dp-cat \"it's\" ''", "[dp-map][.a == \"x|y\" | {b}]|[dp-cat][it's][]"},
    {"dp-map '.a'\"b\"c", "[dp-map][.abc]"},
    {"\n dp-a |\n dp-b |\n\n dp-c \n\n", "[dp-a]|[dp-b]|[dp-c]"},
    {"dp-map '$x `y` \\n \n z'", "[dp-map][$x `y` \\n \n z]"},
    {"'dp-a' \"#\" \"~\" '*'", "[dp-a][#][~][*]"},
    {"", NULL},
    {" \n", NULL},
    {"|", NULL},
    {"dp-a |", NULL},
    {"| dp-a", NULL},
    {"dp-a || dp-b", NULL},
    {"dp-a |& dp-b", NULL},
    {"dp-a | | dp-b", NULL},
    {"dp-a\ndp-b", NULL},
    {"dp-a\n| dp-b", NULL},
    {"dp-a; dp-b", NULL},
    {"dp-a & dp-b", NULL},
    {"dp-a > f", NULL},
    {"dp-a 2>&1", NULL},
    {"A=1 dp-a", NULL},
    {"dp-a $x", NULL},
    {"dp-a \"$x\"", NULL},
    {"dp-a \"`x`\"", NULL},
    {"dp-a \"a\\\"b\"", NULL},
    {"dp-a a\\ b", NULL},
    {"dp-a *.csv", NULL},
    {"dp-a a?", NULL},
    {"dp-a [ab]", NULL},
    {"dp-a {a,b}", NULL},
    {"dp-a ~/x", NULL},
    {"dp-a # x", NULL},
    {"dp-a !x", NULL},
    {"(dp-a)", NULL},
    {"dp-a 'x", NULL},
    {"dp-a \"x", NULL},
    {"dp-a \r", NULL},
    {"dp-a \xc3\xa4", NULL},
};

static void test_words(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_plain p;
        char got[512] = "";
        size_t n = 0;
        bool plain = dp_plain_parse(cases[i].text, &p);
        if (plain != (cases[i].want != NULL)) fail_msg("`%s`: plain is %d", cases[i].text, plain);
        if (!plain) continue;
        for (size_t k = 0; k < p.n; k++) {
            if (k) n += (size_t)snprintf(got + n, sizeof got - n, "|");
            for (size_t w = 0; w < p.stage[k].n; w++) n += (size_t)snprintf(got + n, sizeof got - n, "[%s]", p.stage[k].argv[w]);
            assert_null(p.stage[k].argv[p.stage[k].n]);
        }
        assert_string_equal(got, cases[i].want);
        dp_plain_release(&p);
    }
}

static bool found(const char *text, const char *path) {
    struct dp_plain p;
    assert_true(dp_plain_parse(text, &p));
    bool ok = dp_plain_find(&p, path);
    dp_plain_release(&p);
    return ok;
}

static void put_file(const char *dir, const char *name, const char *text, mode_t mode) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_find(void **state) {
    char dir[] = "/tmp/dp-plain-XXXXXX", path[700], text[700];
    (void)state;
    assert_non_null(mkdtemp(dir));
    put_file(dir, "dp-good", "#!/bin/sh\n", 0755);
    put_file(dir, "dp-text", "echo\n", 0755);
    put_file(dir, "dp-no", "#!/bin/sh\n", 0644);
    put_file(dir, "echo", "#!/bin/sh\n", 0755);
    (void)snprintf(path, sizeof path, "/nowhere:%s:/bin", dir);
    assert_true(found("dp-good", path));
    assert_true(found("dp-good x | dp-good y", path));
    assert_true(found("dp-good | /bin/sh", path));
    assert_false(found("dp-good | echo", path)); /* bash has its own */
    assert_false(found("echo", path));
    assert_false(found("dp-text", path));
    assert_false(found("dp-no", path));
    assert_false(found("dp-missing", path));
    assert_false(found("dp-good", "/nowhere"));
    (void)snprintf(text, sizeof text, "%s/echo", dir);
    assert_true(found(text, ""));
    static const char *const names[] = {"dp-good", "dp-text", "dp-no", "echo"};
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(text, sizeof text, "%s/%s", dir, names[i]);
        (void)unlink(text);
    }
    (void)rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_find)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
