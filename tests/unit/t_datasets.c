/* What a run reads and writes: one dataset a name, figures that add up, columns as the header tells them, and the header's way beside a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dp/base/limits.h>
#include <dp/io/datasets.h>
#include <dp/io/out.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/io/handover.h"

static struct dp_mark parsed(const char *line) {
    struct dp_mark m;
    struct dp_err err = DP_ERR_INIT;
    if (dp_mark_parse(dp_str_z(line), &m, &err) != DP_OK) fail_msg("%s: %s", line, err.msg);
    return m;
}

static void drop(struct dp_ol_dataset *v, size_t n) {
    for (size_t i = 0; i < n; i++) dp_ol_dataset_release(&v[i]);
    free(v);
}

static void test_nobody_wants_to_know(void **state) {
    struct dp_run run = {.program = "t"};
    (void)state;
    struct dp_dataset *d = dp_dataset_input(&run, "/a");
    assert_null(d);
    dp_dataset_header(d, NULL), dp_dataset_schema(d, NULL), dp_dataset_storage(d, "delta", NULL), dp_dataset_version(d, 1), dp_dataset_lifecycle(d, DP_OL_CREATE);
    dp_dataset_part(d, "x"), dp_dataset_count(d, 1, 1, 1), dp_dataset_facet(d, true, "k", DP_STR(""));
    dp_datasets_run_facet(&run, true, "k", DP_STR(""));
    dp_datasets_close(NULL);
}

static void test_one_a_name(void **state) {
    struct dp_run run = {.program = "t", .datasets = dp_datasets_open()};
    size_t n;
    (void)state;
    dp_dataset_count(dp_dataset_input(&run, "/d/b.csv"), 3, 10, 1);
    dp_dataset_count(dp_dataset_input(&run, "/d/../d//b.csv"), 4, UINT64_MAX, 1);
    dp_dataset_version(dp_dataset_output(&run, "/t"), 7);
    assert_non_null(dp_dataset_input(&run, "/a"));
    assert_null(dp_dataset_input(&run, "-"));
    assert_null(dp_dataset_input(&run, ""));
    struct dp_ol_dataset *v = dp_datasets_list(run.datasets, &n);
    assert_int_equal(n, 3);
    assert_string_equal(v[0].id.name, "/a");
    assert_true(v[0].rows == UINT64_MAX && !v[0].is_output);
    assert_string_equal(v[1].id.name, "/d/b.csv");
    assert_true(v[1].rows == 7 && v[1].bytes == 10 && v[1].files == 2);
    assert_true(v[2].is_output);
    assert_string_equal(v[2].version, "7");
    drop(v, n);
    dp_datasets_close(run.datasets);
}

/* The header, the output's columns (NULL: not known), and the facet's two members. */
static const struct {
    const char *header, *columns, *fields, *all;
} lineages[] = {
    {",\"schema\":{\"fields\":[{\"name\":\"a\",\"type\":\"int64\",\"nullable\":true}]}", NULL,
     "{\"a\":{\"inputFields\":[{\"namespace\":\"file\",\"name\":\"/a.csv\",\"field\":\"a\",\"transformations\":[{\"type\":\"DIRECT\",\"subtype\":\"IDENTITY\",\"masking\":false}]}]}}", NULL},
    /* what the stream doesn't have is from nowhere; what it has and the output lacks is gone */
    {",\"schema\":{\"fields\":[{\"name\":\"a\",\"type\":\"int64\",\"nullable\":true}]}", "b", NULL, NULL},
    {"", "b", "{\"b\":{\"inputFields\":[{\"namespace\":\"file\",\"name\":\"/a.csv\",\"field\":\"b\",\"transformations\":[{\"type\":\"DIRECT\",\"subtype\":\"IDENTITY\",\"masking\":false}]}]}}", NULL},
    /* several ways to one field are one input field */
    {",\"fields\":[{\"name\":\"b\",\"from\":[{\"field\":\"x\",\"how\":\"transformation\",\"masking\":true},{\"field\":\"x\",\"how\":\"conditional\"}]},{\"name\":null,\"from\":[{\"field\":\"k\",\"how\":"
     "\"join\"},{\"field\":\"K\",\"source\":\"r\",\"how\":\"join\"},{\"field\":\"q\",\"source\":\"who\",\"how\":\"join\"},{\"field\":null,\"how\":\"filter\"}]}]", "b",
     "{\"b\":{\"inputFields\":[{\"namespace\":\"file\",\"name\":\"/a.csv\",\"field\":\"x\",\"transformations\":[{\"type\":\"DIRECT\",\"subtype\":\"TRANSFORMATION\",\"masking\":true},{\"type\":"
     "\"INDIRECT\",\"subtype\":\"CONDITIONAL\",\"masking\":false}]}]}}",
     "[{\"namespace\":\"file\",\"name\":\"/a.csv\",\"field\":\"k\",\"transformations\":[{\"type\":\"INDIRECT\",\"subtype\":\"JOIN\",\"masking\":false}]},{\"namespace\":\"file\",\"name\":\"/r\",\"field\":"
     "\"K\",\"transformations\":[{\"type\":\"INDIRECT\",\"subtype\":\"JOIN\",\"masking\":false}]}]"},
    {",\"fields\":[{\"name\":null,\"from\":[],\"others\":\"none\"}]", "b", NULL, NULL},
    {",\"fields\":[{\"name\":\"b\",\"from\":[{\"field\":\"b\",\"how\":\"identity\"}]},{\"name\":null,\"from\":[],\"others\":\"any\"}]", "b", NULL, NULL},
    {",\"fields\":[{\"name\":\"b\",\"from\":[]},7]", "b", NULL, NULL},
    {",\"fields\":[{\"name\":\"b\",\"classification\":\"secret\"}]", "b",
     "{\"b\":{\"inputFields\":[{\"namespace\":\"file\",\"name\":\"/a.csv\",\"field\":\"b\",\"transformations\":[{\"type\":\"DIRECT\",\"subtype\":\"IDENTITY\",\"masking\":false}]}]}}", NULL},
};

static void test_columns(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof lineages / sizeof lineages[0]; i++) {
        struct dp_run run = {.program = "t", .datasets = dp_datasets_open()};
        struct dp_buf line = {0};
        size_t n;
        dp_buf_addf(&line, "{\"$dp\":\"begin\",\"run\":\"r\"%s,\"origins\":[{\"namespace\":\"file\",\"name\":\"/a.csv\"},{\"namespace\":\"file\",\"name\":\"/r\",\"source\":\"r\"},{\"name\":\"nameless\"}]}", lineages[i].header);
        struct dp_mark m = parsed(dp_buf_z(&line));
        struct dp_dataset *d = dp_dataset_output(&run, "/t");
        if (lineages[i].columns) {
            struct dp_type *t = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
            dp_type_add(t, dp_type_new(DP_TYPE_STRING, dp_str_z(lineages[i].columns)));
            dp_dataset_schema(d, t);
            dp_type_free(t);
        }
        dp_dataset_header(d, &m);
        dp_datasets_of_header(&run, &m);
        struct dp_ol_dataset *v = dp_datasets_list(run.datasets, &n);
        assert_int_equal(n, 3); /* both origins are inputs */
        if (lineages[i].fields) assert_string_equal(v[2].columns, lineages[i].fields);
        else assert_null(v[2].columns);
        if (lineages[i].all) assert_string_equal(v[2].columns_all, lineages[i].all);
        else assert_null(v[2].columns_all);
        drop(v, n);
        dp_mark_release(&m);
        dp_buf_release(&line);
        dp_datasets_close(run.datasets);
    }
}

static void test_origins(void **state) {
    struct dp_mark m = {.table_version = -1};
    (void)state;
    dp_datasets_origin(&m, NULL, "-", NULL);
    assert_null(m.origins);
    dp_datasets_origin(&m, NULL, "/x/./a \"b\".csv", NULL);
    dp_datasets_origin(&m, "ref", "/r", NULL);
    dp_datasets_origin(&m, NULL, "/x/a \"b\".csv", NULL);
    assert_string_equal(m.origins, "[{\"namespace\":\"file\",\"name\":\"/x/a \\\"b\\\".csv\"},{\"namespace\":\"file\",\"name\":\"/r\",\"source\":\"ref\"}]");
    dp_mark_release(&m);
    /* DP_LIMIT_ORIGINS: what is beyond is left out, and the rest stays whole */
    for (int i = 0; i < 40000; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "/some/directory/of/files/%d.csv", i);
        dp_datasets_origin(&m, NULL, name, NULL);
        if (strlen(m.origins) >= DP_LIMIT_ORIGINS - DP_LIMIT_PATH) break;
    }
    size_t n = strlen(m.origins);
    assert_true(n <= DP_LIMIT_ORIGINS && n >= DP_LIMIT_ORIGINS - DP_LIMIT_PATH);
    dp_datasets_origin(&m, NULL, "/one/more", NULL);
    assert_int_equal(strlen(m.origins), n);
    dp_mark_release(&m);
}

/* ---- beside a pipe ---- */

static char dir[] = "/tmp/t_datasets.XXXXXX";

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return 1;
    return setenv("XDG_RUNTIME_DIR", dir, 1);
}

/* What is left in it: links and files that no test took, and the directory itself. */
static int tear_down(void **state) {
    char path[100];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/dp", dir);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d) closedir(d);
    return rmdir(path) + rmdir(dir);
}

/* A child writes `text` to the pipe and leaves a header beside it first; it has ended when we look. */
static void write_with_header(const int fds[2], const char *text) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct dp_run run = {.program = "t", .datasets = dp_datasets_open()};
        struct dp_mark m = {.kind = DP_MARK_BEGIN, .run = (char[]){"r1"}, .table_version = -1};
        (void)dup2(fds[1], 1);
        run.out = dp_out_open(&run, 1, "standard output");
        handover_offer(&run, &m);
        enum dp_status st = dp_out_write(run.out, text, strlen(text), NULL);
        if (st == DP_OK) st = dp_out_close(run.out, NULL);
        _exit(st == DP_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* In a child whose standard input is the pipe: was a header there for these first bytes? */
static bool is_taken(const int fds[2], const char *first) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct dp_mark m = {.table_version = -1};
        (void)dup2(fds[0], 0);
        _exit(handover_take(dp_str_z(first), &m) && strcmp(m.run, "r1") == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_handover(void **state) {
    static const struct {
        const char *sent, *came;
        bool is_ours;
    } cases[] = {{"{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n{\"a\":2}\n", true},
                 {"{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n", true}, /* the first line tells */
                 {"{\"a\":1}\n", "{\"b\":1}\n", false},          /* a file that somebody else left for a pipe of this number */
                 {"", "", true},
                 {"{\"a\":1}\n", "", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        write_with_header(fds, cases[i].sent);
        assert_int_equal(is_taken(fds, cases[i].came), cases[i].is_ours);
        assert_false(is_taken(fds, cases[i].came)); /* it was taken away, whatever it was */
        close(fds[0]), close(fds[1]);
    }
}

static void test_handover_of_others(void **state) {
    int fds[2];
    char path[100], held[120];
    struct stat st;
    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_false(is_taken(fds, "")); /* nothing is there */
    write_with_header(fds, "x\n");
    (void)snprintf(path, sizeof path, "%s/dp", dir);
    assert_int_equal(chmod(path, 0755), 0); /* a directory that others may look into is not used */
    assert_false(is_taken(fds, "x\n"));
    assert_int_equal(chmod(path, 0700), 0);
    assert_true(is_taken(fds, "x\n"));
    /* nor a link in its place */
    (void)snprintf(held, sizeof held, "%s.held", path);
    assert_int_equal(rename(path, held), 0);
    assert_int_equal(symlink(held, path), 0);
    write_with_header(fds, "x\n");
    assert_false(is_taken(fds, "x\n"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(held, path), 0);
    /* a link in place of the file itself is not followed */
    assert_int_equal(fstat(fds[0], &st), 0);
    write_with_header(fds, "x\n");
    (void)snprintf(held, sizeof held, "%s/dp/pipe-%llx-%llx", dir, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    char aside[140];
    (void)snprintf(aside, sizeof aside, "%s.aside", held);
    assert_int_equal(rename(held, aside), 0);
    assert_int_equal(symlink(aside, held), 0);
    assert_false(is_taken(fds, "x\n"));
    close(fds[0]), close(fds[1]);
}

/* A runtime directory that is not there, or has no place of its own, is none: the one for temporary files serves. */
static void test_handover_without_runtime(void **state) {
    static const char *const none[] = {"/there/is/none", "relative", ""};
    char path[100];
    (void)state;
    assert_int_equal(setenv("TMPDIR", dir, 1), 0);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", none[i], 1), 0);
        write_with_header(fds, "x\n");
        assert_true(is_taken(fds, "x\n"));
        close(fds[0]), close(fds[1]);
    }
    (void)snprintf(path, sizeof path, "%s/dp-%lu", dir, (unsigned long)geteuid());
    assert_int_equal(rmdir(path), 0); /* it was there, and all was taken */
    assert_int_equal(unsetenv("TMPDIR") + setenv("XDG_RUNTIME_DIR", dir, 1), 0);
}

/* A file of the given process and boot, this many seconds old. */
static void leave(const char *name, long pid, const char *boot, time_t age, char path[200]) {
    (void)snprintf(path, 200, "%s/dp/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    if (boot) (void)fprintf(f, "%ld 0 0000000000000000 %s\nmark\n", pid, boot);
    assert_int_equal(fclose(f), 0);
    struct timespec t[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

/* What nobody will come for goes: its process has ended, and some time ago, or it is of another boot. */
static void test_handover_sweep(void **state) {
    char boot[64] = "", dead[200], fresh[200], other[200], living[200], broken[200], old[200];
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    (void)state;
    if (!f || !fgets(boot, sizeof boot, f)) skip();
    (void)fclose(f);
    boot[strcspn(boot, "\n")] = 0;
    pid_t gone = fork();
    if (gone == 0) _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    leave("pipe-0-1", gone, boot, 120, dead);
    leave("pipe-0-2", gone, boot, 0, fresh);
    leave("pipe-0-3", getpid(), "00000000-0000-0000-0000-000000000000", 0, other);
    leave("pipe-0-4", getpid(), boot, 1000000, living);
    leave("pipe-0-5", 0, NULL, 120, broken);
    leave("pipe-0-6", 0, NULL, 100000, old);
    for (int i = 0; i < 2000 && access(dead, F_OK) == 0; i++) { /* until a pipe has one of the numbers that sweep */
        int fds[2];
        struct stat st;
        assert_int_equal(pipe(fds), 0);
        assert_int_equal(fstat(fds[1], &st), 0);
        if (st.st_ino % 16 == 0) write_with_header(fds, "x\n"), assert_true(is_taken(fds, "x\n"));
        close(fds[0]), close(fds[1]);
    }
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_not_equal(access(other, F_OK), 0);
    assert_int_not_equal(access(old, F_OK), 0);
    assert_int_equal(unlink(fresh), 0);
    assert_int_equal(unlink(living), 0);
    assert_int_equal(unlink(broken), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_wants_to_know), cmocka_unit_test(test_one_a_name), cmocka_unit_test(test_columns), cmocka_unit_test(test_origins),
        cmocka_unit_test(test_handover), cmocka_unit_test(test_handover_of_others), cmocka_unit_test(test_handover_without_runtime), cmocka_unit_test(test_handover_sweep),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
