/* Rejects: the line, the shared file, what a re-run replaces, the tolerance. */
#include <dp/base/file.h>
#include <dp/io/rejects.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/dp-t-rejects-XXXXXX";
static char path[64];

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/bad.ndjson", dir);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(path);
    return rmdir(dir); /* fails where a temporary was left */
}

static const char *file_text(void) {
    static struct dp_buf b;
    dp_buf_reset(&b);
    return dp_file_read(path, 1 << 20, &b, NULL) == DP_OK ? dp_buf_z(&b) : "(none)";
}

static void test_line(void **state) {
    (void)state;
    struct dp_run run = {.program = "dp-ingest", .run_id = "r\"1"};
    struct dp_origin origin = {.name = (char[]){"a.tar"}, .member = (char[]){"x/b.csv"}};
    const struct dp_reject_rule rules[] = {{"type", "price", "expected a number, got \"n/a\"", "decimal(10,2)"}, {"required", "id", NULL, NULL}};
    const struct {
        struct dp_reject reject;
        bool hide, clear;
        const char *text;
    } cases[] = {
        {{.origin = &origin, .line = 17, .offset = 99, .rules = rules, .n_rules = 2, .raw = DP_STR("{\"price\":\"n/a\"}"), .raw_is_json = true}, false, false,
         "{\"reject\":{\"program\":\"dp-ingest\",\"run\":\"r\\\"1\",\"source\":\"a.tar\",\"member\":\"x/b.csv\",\"line\":17,\"offset\":99,\"rules\":["
         "{\"rule\":\"type\",\"path\":\"price\",\"reason\":\"expected a number, got \\\"n/a\\\"\",\"expected\":\"decimal(10,2)\"},"
         "{\"rule\":\"required\",\"path\":\"id\",\"reason\":null,\"expected\":null}]},\"raw\":{\"price\":\"n/a\"}}\n"},
        {{.offset = DP_NO_OFFSET, .raw = DP_STR("a,\"b")}, false, false,
         "{\"reject\":{\"program\":\"dp-ingest\",\"run\":\"r\\\"1\",\"source\":\"-\",\"member\":null,\"line\":null,\"offset\":null,\"rules\":[]},\"raw\":\"a,\\\"b\"}\n"},
        {{.offset = 0, .raw = DP_STR("{}"), .raw_is_json = true}, true, false,
         "{\"reject\":{\"program\":\"dp-ingest\",\"run\":\"r\\\"1\",\"source\":\"-\",\"member\":null,\"line\":null,\"offset\":0,\"rules\":[]},\"raw\":null}\n"},
        {{.offset = 0, .raw = DP_STR("{}"), .raw_is_json = true}, true, true,
         "{\"reject\":{\"program\":\"dp-ingest\",\"run\":\"r\\\"1\",\"source\":\"-\",\"member\":null,\"line\":null,\"offset\":0,\"rules\":[]},\"raw\":{}}\n"},
        {{.offset = 0, .raw = DP_STR("\xff\x01")}, false, false,
         "{\"reject\":{\"program\":\"dp-ingest\",\"run\":\"r\\\"1\",\"source\":\"-\",\"member\":null,\"line\":null,\"offset\":0,\"rules\":[]},\"raw\":null,\"raw_base64\":\"/wE=\"}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf b = {NULL, 0, 0};
        run.hide_raw = cases[i].hide;
        run.rejects_clear = cases[i].clear;
        dp_reject_print(&run, &cases[i].reject, &b);
        assert_string_equal(dp_buf_z(&b), cases[i].text);
        dp_buf_release(&b);
    }
}

/* One program's run over one source, with `n` rejects. */
static void one_run(const char *program, const char *run_id, const char *source, int n) {
    struct dp_run run = {.program = program};
    struct dp_rejects *r;
    struct dp_err err = DP_ERR_INIT;
    char name[40];
    snprintf(run.run_id, sizeof run.run_id, "%s", run_id);
    snprintf(name, sizeof name, "%s", source);
    struct dp_origin origin = {.name = name};
    assert_int_equal(dp_rejects_open(&run, path, (struct dp_tolerance){.count = 100}, &r, &err), DP_OK);
    dp_rejects_source(r, &origin);
    for (int i = 0; i < n; i++) {
        struct dp_buf b = {NULL, 0, 0};
        const struct dp_reject reject = {.origin = &origin, .line = (uint64_t)i + 1, .offset = DP_NO_OFFSET};
        dp_reject_print(&run, &reject, &b);
        assert_int_equal(dp_rejects_write(r, b.p, b.n, &err), DP_OK);
        dp_buf_release(&b);
    }
    assert_int_equal(dp_rejects_close(r, &err), DP_OK);
}

static int lines_with(const char *what) {
    int n = 0;
    for (const char *p = file_text(); (p = strstr(p, what)) != NULL; p++) n++;
    return n;
}

static void test_file(void **state) {
    (void)state;
    struct stat st;
    one_run("dp-ingest", "r1", "a.csv", 0);
    assert_int_not_equal(access(path, F_OK), 0); /* nothing to say, nothing written */
    one_run("dp-ingest", "r1", "a.csv", 3);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    one_run("dp-validate", "r1", "-", 2);
    assert_int_equal(lines_with("\"reject\""), 5);
    one_run("dp-validate", "r1", "-", 1); /* a retry of the same run */
    assert_int_equal(lines_with("\"reject\""), 4);
    one_run("dp-validate", "r2", "-", 1); /* another run; standard input says nothing of what it was */
    assert_int_equal(lines_with("\"dp-validate\""), 2);
    one_run("dp-ingest", "r3", "b.csv", 2); /* another file */
    assert_int_equal(lines_with("\"dp-ingest\""), 5);
    one_run("dp-ingest", "r4", "a.csv", 1); /* the first file again, mended but for one */
    assert_int_equal(lines_with("\"a.csv\""), 1);
    assert_int_equal(lines_with("\"b.csv\""), 2);
    one_run("dp-ingest", "r5", "a.csv", 0);
    assert_int_equal(lines_with("\"a.csv\""), 0);
    assert_int_equal(lines_with("\"reject\""), 4);
    /* what is not ours stays, whatever it is */
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs("not json\n{\"reject\":7}\nno newline", f);
    fclose(f);
    one_run("dp-ingest", "r6", "c.csv", 1);
    assert_int_equal(lines_with("not json\n{\"reject\":7}\nno newline\n{\"reject\":{\"program\":\"dp-ingest\""), 1);
}

static void add_at(struct dp_rejects *r, const struct dp_run *run, const struct dp_origin *o, uint64_t offset) {
    struct dp_buf b = {NULL, 0, 0};
    struct dp_err err = DP_ERR_INIT;
    const struct dp_reject reject = {.origin = o, .line = 1, .offset = offset};
    dp_reject_print(run, &reject, &b);
    assert_int_equal(dp_rejects_write(r, b.p, b.n, &err), DP_OK);
    dp_buf_release(&b);
}

/* A run that is committed piece by piece, stopped, and gone on with at a position; also by the same id, as dp-run tries again. */
static void test_flush(void **state) {
    (void)state;
    struct dp_run run = {.program = "dp-ingest", .run_id = "f1"};
    struct dp_origin a = {.name = (char[]){"a"}}, b = {.name = (char[]){"b"}}, piped = {.name = (char[]){"-"}};
    struct dp_err err = DP_ERR_INIT;
    struct dp_rejects *r;
    unlink(path);
    assert_int_equal(dp_rejects_open(&run, path, (struct dp_tolerance){.count = 100}, &r, &err), DP_OK);
    assert_int_equal(dp_rejects_flush(r, &err), DP_OK);
    assert_int_not_equal(access(path, F_OK), 0); /* nothing to say */
    dp_rejects_source(r, &a);
    add_at(r, &run, &a, 10);
    assert_int_equal(dp_rejects_flush(r, &err), DP_OK);
    assert_int_equal(lines_with("\"reject\""), 1);
    add_at(r, &run, &a, 20);
    assert_int_equal(dp_rejects_flush(r, &err), DP_OK);
    assert_int_equal(lines_with("\"reject\""), 2);
    dp_rejects_source(r, &b); /* another file joins: the lines of this run stay */
    add_at(r, &run, &b, 5);
    assert_int_equal(dp_rejects_flush(r, &err), DP_OK);
    assert_int_equal(lines_with("\"reject\""), 3);
    add_at(r, &run, &a, 30);
    dp_rejects_drop(r); /* stopped by a signal: what was not published is forgotten */
    assert_int_equal(lines_with("\"reject\""), 3);

    snprintf(run.run_id, sizeof run.run_id, "f2");
    a.from = 20;
    assert_int_equal(dp_rejects_open(&run, path, (struct dp_tolerance){.count = 100}, &r, &err), DP_OK);
    dp_rejects_source(r, &a);
    add_at(r, &run, &a, 20);
    add_at(r, &run, &a, 30);
    assert_int_equal(dp_rejects_flush(r, &err), DP_OK);
    assert_int_equal(lines_with("\"offset\":10,"), 1); /* stands before the position */
    assert_int_equal(lines_with("\"offset\":20,"), 1); /* was read again */
    assert_int_equal(lines_with("\"reject\""), 4);
    add_at(r, &run, &piped, 1);
    assert_int_equal(dp_rejects_close(r, &err), DP_OK);
    assert_int_equal(lines_with("\"reject\""), 5);

    assert_int_equal(dp_rejects_open(&run, path, (struct dp_tolerance){.count = 100}, &r, &err), DP_OK); /* the same run again, further on */
    a.from = 31;
    dp_rejects_source(r, &a);
    add_at(r, &run, &a, 40);
    assert_int_equal(dp_rejects_flush(r, &err), DP_OK);
    assert_int_equal(dp_rejects_close(r, &err), DP_OK);
    assert_int_equal(lines_with("\"reject\""), 6);
}

static void test_tolerance(void **state) {
    (void)state;
    static const struct {
        struct dp_tolerance max;
        uint64_t in, rejected, malformed;
        bool latest_malformed, at_end;
        enum dp_status status;
    } cases[] = {
        {{.count = 0}, 5, 0, 0, false, true, DP_OK},
        {{.count = 0}, 5, 1, 0, false, false, DP_RULE},
        {{.count = 0}, 5, 1, 1, true, false, DP_RECORD},
        {{.count = 2}, 5, 2, 1, true, true, DP_OK},
        {{.count = 2}, 5, 3, 1, true, false, DP_RECORD},
        {{.count = 2}, 5, 3, 1, false, false, DP_RULE},
        {{.is_percent = true, .ppm = 10000}, 100, 1, 0, false, true, DP_OK},
        {{.is_percent = true, .ppm = 10000}, 99, 1, 0, false, true, DP_RULE},
        {{.is_percent = true, .ppm = 10000}, 99, 1, 0, false, false, DP_OK},
        {{.is_percent = true, .ppm = 10000}, 99, 2, 2, false, true, DP_RECORD},
        {{.is_percent = true, .ppm = 0}, 0, 0, 0, false, true, DP_OK},
        {{.is_percent = true, .ppm = 1000000}, UINT64_MAX, UINT64_MAX, 0, false, true, DP_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_run run = {.program = "dp-test"};
        struct dp_rejects *r;
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(dp_rejects_open(&run, NULL, cases[i].max, &r, &err), DP_OK);
        run.books = (struct dp_books){.in = cases[i].in, .rejected = cases[i].rejected, .rejected_malformed = cases[i].malformed};
        enum dp_status status = dp_rejects_judge(r, cases[i].latest_malformed, cases[i].at_end, NULL, &err);
        if (status != cases[i].status) fail_msg("case %zu: %s", i, dp_status_name(status));
        assert_int_equal(dp_rejects_close(r, &err), DP_OK);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line), cmocka_unit_test(test_file), cmocka_unit_test(test_flush), cmocka_unit_test(test_tolerance)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
