/*
 * Persons by identifiers: words, limits at the limit and one past it, the closure over a graph, paths of columns, values by type; and the zip that a package is.
 * Tables, lineage and what the page says: tests/cli/retain-export.bats.
 */
#include "../../lib/io/subject_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/format/zip.h>
#include <dp/io/out.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dpt.h"

static struct dp_run run_of_tests = {.program = "t_subject", .run_id = "run-1", .threads = 2, .memory = 64 << 20, .max_record = DP_LIMIT_RECORD, .stop_fd = -1, .wake_fd = -1};
static char dir[64];

static int begin_test(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/t_subject.XXXXXX");
    run_of_tests.pool = dp_pool_open(2);
    run_of_tests.out = dp_out_open(&run_of_tests, STDOUT_FILENO, "the output");
    return !mkdtemp(dir);
}

static int end_test(void **state) {
    (void)state;
    char *file = dp_path_join(dir, "f.ndjson");
    (void)unlink(file);
    free(file);
    assert_int_equal(dp_out_close(run_of_tests.out, NULL), DP_OK);
    dp_pool_close(run_of_tests.pool);
    return rmdir(dir);
}

static char *file_of(const char *text, size_t n) {
    char *path = dp_path_join(dir, "f.ndjson");
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    close(fd);
    return path;
}

static enum dp_status add(struct dp_subject *s, const char *word) {
    struct dp_err err = DP_ERR_INIT;
    return dp_subject_add_word(s, dp_str_z(word), &err);
}

static void test_words(void **state) {
    struct dp_subject s = {0};
    (void)state;
    assert_int_equal(add(&s, "email=a@b.c"), DP_OK);
    assert_int_equal(add(&s, "q=a=b"), DP_OK);
    assert_string_equal(s.v[1].value, "a=b");
    assert_int_equal(add(&s, "EMAIL=a@b.c"), DP_OK);
    assert_int_equal(s.n, 2); /* names without case */
    assert_int_equal(add(&s, "email=A@b.c"), DP_OK);
    assert_int_equal(s.n, 3); /* values by every byte */
    static const char *const bad[] = {"", "email", "=x", "email=", "e\nmail=x", "email=\xff", "email=a\tb"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(add(&s, bad[i]), DP_USAGE);
    assert_int_equal(s.n, 3);
    dp_subject_release(&s);
}

static void test_limits(void **state) {
    struct dp_subject s = {0}, t = {0}, u = {0};
    char word[DP_LIMIT_SUBJECT_VALUE + 8];
    (void)state;
    for (unsigned i = 0; i < DP_LIMIT_SUBJECT_IDS; i++) {
        snprintf(word, sizeof word, "id=%u", i);
        assert_int_equal(add(&s, word), DP_OK);
    }
    assert_int_equal(add(&s, "id=7"), DP_OK);
    assert_int_equal(add(&s, "id=new"), DP_LIMIT);
    for (unsigned i = 0; i <= DP_LIMIT_SUBJECT_NAMES; i++) {
        snprintf(word, sizeof word, "n%u=x", i);
        assert_int_equal(add(&t, word), i < DP_LIMIT_SUBJECT_NAMES ? DP_OK : DP_LIMIT);
    }
    memset(word, 'x', sizeof word);
    memcpy(word, "id=", 3);
    word[3 + DP_LIMIT_SUBJECT_VALUE] = 0;
    assert_int_equal(add(&u, word), DP_OK);
    word[3 + DP_LIMIT_SUBJECT_VALUE] = 'x', word[4 + DP_LIMIT_SUBJECT_VALUE] = 0;
    assert_int_equal(add(&u, word), DP_LIMIT);
    dp_subject_release(&s), dp_subject_release(&t), dp_subject_release(&u);
}

static void test_file(void **state) {
    struct dp_subject s = {0};
    struct dp_err err = DP_ERR_INIT;
    static const char text[] = "# who\n\nemail=a@b.c\r\nid=42";
    char *path = file_of(text, sizeof text - 1), *big = dp_calloc(1, DP_LIMIT_SUBJECT_FILE + 1);
    (void)state;
    assert_int_equal(dp_subject_add_file(&s, path, &err), DP_OK);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.v[0].value, "a@b.c");
    free(path);
    path = file_of("id=1\nnonsense\n", 14);
    assert_int_equal(dp_subject_add_file(&s, path, &err), DP_USAGE);
    assert_int_equal(err.line, 2);
    free(path);
    memset(big, '\n', DP_LIMIT_SUBJECT_FILE + 1);
    path = file_of(big, DP_LIMIT_SUBJECT_FILE);
    assert_int_equal(dp_subject_add_file(&s, path, &err), DP_OK);
    free(path);
    path = file_of(big, DP_LIMIT_SUBJECT_FILE + 1);
    assert_int_equal(dp_subject_add_file(&s, path, &err), DP_LIMIT);
    free(path), free(big);
    dp_subject_release(&s);
}

static void test_digest(void **state) {
    struct dp_subject s = {0}, t = {0};
    char salt[2][33], sum[2][65], hex[65];
    uint8_t key[16], mac[DP_SHA256_SIZE];
    struct dp_hmac h;
    size_t n;
    static const char text[] = "email\0a@b.c\nid\00042\n";
    (void)state;
    assert_int_equal(add(&s, "id=42") | add(&s, "email=a@b.c"), DP_OK);
    assert_int_equal(add(&t, "email=a@b.c") | add(&t, "ID=42"), DP_OK);
    assert_int_equal(dp_subject_add(&t, DP_STR("phone"), DP_STR("1"), NULL), DP_OK); /* of a graph: not part of it */
    dp_subject_digest(&s, salt[0], sum[0]);
    dp_subject_digest(&t, salt[1], sum[1]);
    assert_string_not_equal(salt[0], salt[1]);
    assert_string_not_equal(sum[0], sum[1]);
    for (int i = 0; i < 2; i++) {
        assert_true(dp_hex_parse(dp_str_z(salt[i]), key, sizeof key, &n));
        dp_hmac_init(&h, key, sizeof key);
        dp_hmac_sum(&h, dp_str(text, sizeof text - 1), dp_str(NULL, 0), mac);
        hex[dp_hex_print(hex, mac, sizeof mac)] = 0;
        assert_string_equal(hex, sum[i]);
    }
    dp_subject_release(&s), dp_subject_release(&t);
}

static bool has(const struct dp_subject *s, const char *name, const char *value) {
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->v[i].name, name) && !strcmp(s->v[i].value, value)) return true;
    return false;
}

static void test_graph(void **state) {
    struct dp_subject s = {0};
    struct dp_err err = DP_ERR_INIT;
    static const char text[] = "{\"device\":\"z\",\"phone\":\"+1\"}\n{\"other\":\"a@b.c\",\"id\":9}\n{\"id\":42,\"email\":\"a@b.c\",\"device\":[\"x\",\"y\",null,{\"k\":1}],\"t\":true}\n"
                               "{\"id\":43,\"email\":\"b\",\"device\":\"w\"}\n{\"Device\":[\"y\",\"z\"]}\n";
    char *path = file_of(text, sizeof text - 1);
    (void)state;
    assert_int_equal(add(&s, "id=42"), DP_OK);
    assert_int_equal(dp_subject_close_over(&run_of_tests, &s, path, &err), DP_OK);
    assert_int_equal(s.n, 6);
    assert_true(has(&s, "email", "a@b.c") && has(&s, "device", "x") && has(&s, "device", "y") && has(&s, "Device", "z") && has(&s, "phone", "+1"));
    assert_true(s.v[0].is_given && !s.v[1].is_given);
    free(path);
    path = file_of("{\"id\":42}\nnonsense\n", 19);
    assert_int_not_equal(dp_subject_close_over(&run_of_tests, &s, path, &err), DP_OK);
    assert_int_equal(dp_subject_close_over(&run_of_tests, &s, "-", &err), DP_USAGE);
    free(path);
    dp_subject_release(&s);
}

/* A value that many share: at the limit, and one past it. */
static void test_graph_limit(void **state) {
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        struct dp_subject s = {0};
        struct dp_err err = DP_ERR_INIT;
        struct dp_buf b = {0};
        for (unsigned i = 0; i < DP_LIMIT_SUBJECT_IDS - 1 + more; i++) dp_buf_addf(&b, "{\"id\":%u,\"phone\":\"n/a\"}\n", i);
        char *path = file_of(b.p, b.n);
        assert_int_equal(add(&s, "id=0"), DP_OK);
        enum dp_status status = dp_subject_close_over(&run_of_tests, &s, path, &err);
        assert_int_equal(status, more ? DP_LIMIT : DP_OK);
        if (more) assert_non_null(strstr(err.msg, "field phone"));
        if (more) assert_null(strstr(err.msg, "n/a"));
        else assert_int_equal(s.n, DP_LIMIT_SUBJECT_IDS);
        free(path);
        dp_buf_release(&b);
        dp_subject_release(&s);
    }
}

static void test_paths(void **state) {
    static const struct { const char *column, *path; } cases[] = {{"a", ".\"a\"?"}, {"a.b", ".\"a\"?.\"b\"?"}, {"a[].b c", ".\"a\"?[]?.\"b c\"?"}, {"a[][]", ".\"a\"?[]?[]?"}, {"q\"", ".\"q\\\"\"?"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf b = {0};
        subject_path(dp_str_z(cases[i].column), &b);
        assert_string_equal(dp_buf_z(&b), cases[i].path);
        dp_buf_release(&b);
    }
}

static enum dp_status keep(void *ctx, struct dp_str lines, uint64_t n, struct dp_err *err) {
    (void)n, (void)err;
    dp_buf_adds(ctx, lines);
    return DP_OK;
}

static void test_values(void **state) {
    static const char text[] = "{\"k\":9007199254740993}\n{\"k\":9007199254740992}\n{\"k\":\"9007199254740993\"}\n{\"k\":9007199254740993.0}\nbad\n{\"k\":[1,9007199254740993]}\n{\"k\":\"09007199254740993\"}\n{\"k\":{\"a\":1}}\n{}\n";
    char *path = file_of(text, sizeof text - 1);
    struct dp_subject s = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf out = {0};
    struct dp_subject_seen seen;
    struct dp_subject_column column = {.column = (char *)"k", .id = (char *)"K"};
    struct dp_subject_place place = {.name = path, .columns = &column, .n_columns = 1};
    (void)state;
    assert_int_equal(add(&s, "k=9007199254740993"), DP_OK);
    assert_int_equal(dp_subject_read(&run_of_tests, &s, &place, keep, &out, &seen, &err), DP_OK);
    assert_string_equal(dp_buf_z(&out), "{\"k\":9007199254740993}\n{\"k\":\"9007199254740993\"}\n{\"k\":9007199254740993.0}\n{\"k\":[1,9007199254740993]}\n");
    assert_int_equal(seen.found, 4);
    assert_int_equal(seen.unreadable, 1);
    dp_buf_release(&out);
    dp_subject_release(&s);
    free(path);
}

/* What a condition holds, and what it doesn't. */
static void test_condition(void **state) {
    char *path = file_of("{\"k\":1}\n", 8), word[DP_LIMIT_SUBJECT_VALUE + 3];
    struct dp_subject_column column = {.column = (char *)"k", .id = (char *)"k"};
    struct dp_subject_place place = {.name = path, .columns = &column, .n_columns = 1};
    struct dp_subject s = {0};
    struct dp_subject_seen seen;
    struct dp_buf out = {0};
    (void)state;
    for (unsigned i = 0; i < 70; i++) {
        struct dp_err err = DP_ERR_INIT;
        snprintf(word, sizeof word, "k=%0*u", (int)DP_LIMIT_SUBJECT_VALUE, i); /* each 1,027 bytes with its quotes and comma */
        assert_int_equal(add(&s, word), DP_OK);
        enum dp_status status = dp_subject_read(&run_of_tests, &s, &place, keep, &out, &seen, &err);
        assert_int_equal(status, i < 63 ? DP_OK : DP_LIMIT);
    }
    dp_buf_release(&out);
    dp_subject_release(&s);
    free(path);
}

/* A member that says that it may be large gets zip64 fields, one that has more than it said is refused. */
static void test_zip(void **state) {
    char *path = file_of("", 0);
    int fd = open(path, O_RDWR);
    struct dp_zip *z = NULL;
    struct dp_zip_member m;
    struct dp_err err = DP_ERR_INIT;
    uint8_t sum[DP_SHA256_SIZE], bytes[8];
    (void)state;
    assert_int_equal(dp_zip_open(fd, -1, &z, &err), DP_OK); /* before 1980 */
    assert_int_equal(dp_zip_begin(z, "a.txt", 5, &err), DP_OK);
    assert_int_equal(dp_zip_write(z, "he", 2, &err) | dp_zip_write(z, "llo", 3, &err), DP_OK);
    assert_int_equal(dp_zip_write(z, "x", 1, &err), DP_LIMIT);
    assert_int_equal(dp_zip_end(z, &m, &err), DP_OK);
    dp_sha256("hello", 5, sum);
    assert_memory_equal(sum, m.sha256, sizeof sum);
    assert_int_equal(m.bytes, 5);
    assert_int_equal(dp_zip_begin(z, "b.txt", UINT64_MAX, &err) | dp_zip_end(z, &m, &err) | dp_zip_finish(z, &err), DP_OK);
    assert_int_equal(pread(fd, bytes, 8, 0), 8);
    assert_memory_equal(bytes, "PK\3\4\x14\0\0\0", 8);
    dp_zip_close(z);
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, 1), (void)dup2(null, 2);
        execlp("unzip", "unzip", "-tq", path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 127) assert_int_equal(WEXITSTATUS(status), 0); /* 127: this system has none */
    close(fd);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words), cmocka_unit_test(test_limits), cmocka_unit_test(test_file), cmocka_unit_test(test_digest), cmocka_unit_test(test_graph),
        cmocka_unit_test(test_graph_limit), cmocka_unit_test(test_paths), cmocka_unit_test(test_values), cmocka_unit_test(test_condition), cmocka_unit_test(test_zip)};
    return cmocka_run_group_tests(tests, begin_test, end_test);
}
