/* Commits: put-if-absent, conflicts, transactions, processes that race and processes that are killed. */
#include "tabledir.h"

#include <dp/delta/commit.h>
#include <dp/delta/schema.h>
#include <signal.h>
#include <sys/wait.h>

static enum dp_status create(const char *property, struct dp_err *err) {
    struct dp_type *schema = NULL;
    struct dp_delta_protocol protocol;
    struct dp_delta_metadata metadata;
    struct dp_arena arena = {0};
    struct dp_str column = DP_STR("p");
    struct dp_delta_strs by = {&column, 1, true};
    struct dp_delta_pair pair = {dp_str_z(property ? property : ""), DP_STR("true"), false};
    struct dp_delta_pairs configuration = {&pair, property ? 1 : 0};
    struct dp_str cause;
    int64_t version;
    assert_int_equal(dp_type_parse(DP_STR("struct<id:int64,p:string>"), &schema, err), DP_OK);
    enum dp_status status = dp_delta_new_table(&(struct dp_delta_new){schema, &by, &configuration, NULL, false, 1000}, &arena, &protocol, &metadata, &cause, err);
    struct dp_delta_change c = {.protocol = &protocol, .metadata = &metadata, .operation = "CREATE TABLE", .parameters = "{}", .rows = -1, .now_ms = 1000};
    if (status == DP_OK) status = dp_delta_publish(dir, NULL, &c, &version, err);
    dp_type_free(schema);
    dp_arena_release(&arena);
    return status;
}

static struct dp_delta_snapshot *latest(void) {
    struct dp_delta_snapshot *s = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (dp_delta_open(dir, -1, &s, &err) != DP_OK) fail_msg("%s: %s", err.source, err.msg);
    return s;
}

static enum dp_status commit(const struct dp_delta_snapshot *base, enum dp_delta_mode mode, const char *path, const char *p, const char *app, int64_t app_version,
                             int64_t *version, struct dp_err *err) {
    struct dp_delta_pair pair = {DP_STR("p"), dp_str_z(p), false};
    struct dp_delta_file f = {.path = dp_str_z(path), .partition_values = {&pair, 1}, .size = 10, .deletion_timestamp = DP_DELTA_UNSET, .data_change = true,
                              .dv.offset = DP_DELTA_UNSET, .base_row_id = DP_DELTA_UNSET, .default_row_commit_version = DP_DELTA_UNSET};
    struct dp_delta_txn t = {dp_str_z(app ? app : ""), app_version, 5000};
    struct dp_delta_change c = {.mode = mode, .adds = &f, .n_adds = 1, .txns = &t, .n_txns = app ? 1 : 0, .operation = "WRITE", .parameters = "{}", .rows = -1, .now_ms = 5000};
    return dp_delta_publish(dir, base, &c, version, err);
}

static void append_goes_behind_others(void **state) {
    struct dp_err err = DP_ERR_INIT;
    int64_t v;
    (void)state;
    assert_int_equal(create(NULL, &err), DP_OK);
    assert_int_equal(create(NULL, &err), DP_AGAIN);
    struct dp_delta_snapshot *base = latest();
    assert_int_equal(commit(base, DP_DELTA_APPEND, "a", "1", NULL, 0, &v, &err), DP_OK);
    assert_int_equal(v, 1);
    assert_int_equal(commit(base, DP_DELTA_APPEND, "b", "1", NULL, 0, &v, &err), DP_OK); /* the base is stale */
    assert_int_equal(v, 2);
    dp_delta_close(base);
    base = latest();
    assert_int_equal(base->version, 2);
    assert_int_equal(base->n_files, 2);
    dp_delta_close(base);
}

static void replacing_conflicts(void **state) {
    struct dp_err err = DP_ERR_INIT;
    int64_t v;
    (void)state;
    assert_int_equal(create(NULL, &err), DP_OK);
    struct dp_delta_snapshot *zero = latest();
    assert_int_equal(commit(zero, DP_DELTA_APPEND, "a1", "1", NULL, 0, &v, &err), DP_OK);
    assert_int_equal(commit(zero, DP_DELTA_APPEND, "a2", "2", NULL, 0, &v, &err), DP_OK);
    assert_int_equal(commit(zero, DP_DELTA_OVERWRITE, "o", "1", NULL, 0, &v, &err), DP_AGAIN);
    assert_int_equal(commit(zero, DP_DELTA_REPLACE, "r", "1", NULL, 0, &v, &err), DP_AGAIN);
    assert_int_equal(commit(zero, DP_DELTA_REPLACE, "r", "3", NULL, 0, &v, &err), DP_OK); /* nobody touched partition 3 */
    dp_delta_close(zero);
    struct dp_delta_snapshot *s = latest();
    assert_int_equal(s->n_files, 3);
    assert_int_equal(commit(s, DP_DELTA_REPLACE, "r1", "1", NULL, 0, &v, &err), DP_OK);
    dp_delta_close(s);
    s = latest();
    assert_int_equal(s->n_files, 3); /* a1 went, r1 came */
    assert_non_null(dp_map_get(&s->tombstones, DP_STR("a1")));
    assert_int_equal(commit(s, DP_DELTA_OVERWRITE, "all", "9", NULL, 0, &v, &err), DP_OK);
    dp_delta_close(s);
    s = latest();
    assert_int_equal(s->n_files, 1);
    dp_delta_close(s);
}

static void append_only(void **state) {
    struct dp_err err = DP_ERR_INIT;
    int64_t v;
    (void)state;
    assert_int_equal(create("delta.appendOnly", &err), DP_OK);
    struct dp_delta_snapshot *s = latest();
    assert_int_equal(commit(s, DP_DELTA_OVERWRITE, "o", "1", NULL, 0, &v, &err), DP_RULE);
    assert_int_equal(commit(s, DP_DELTA_APPEND, "a", "1", NULL, 0, &v, &err), DP_OK);
    dp_delta_close(s);
}

static void transactions(void **state) {
    struct dp_err err = DP_ERR_INIT;
    int64_t v, have;
    size_t which;
    enum dp_delta_batch verdict;
    (void)state;
    assert_int_equal(create(NULL, &err), DP_OK);
    struct dp_delta_snapshot *zero = latest();
    assert_int_equal(commit(zero, DP_DELTA_APPEND, "a", "1", "job/f/0", 100, &v, &err), DP_OK);
    assert_int_equal(commit(zero, DP_DELTA_APPEND, "b", "1", "job/f/0", 100, &v, &err), DP_END);
    dp_delta_close(zero);
    struct dp_delta_snapshot *s = latest();
    assert_int_equal(s->n_files, 1);
    static const struct {
        int64_t version, seen;
        enum dp_delta_batch verdict;
        enum dp_status status;
    } cases[] = {{100, -1, DP_DELTA_BATCH_DONE, DP_OK}, {99, -1, DP_DELTA_BATCH_OLDER, DP_OK}, {200, -1, DP_DELTA_BATCH_NEW, DP_OK},
                 {200, 1, DP_DELTA_BATCH_NEW, DP_OK}, {200, 0, DP_DELTA_BATCH_NEW, DP_AGAIN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_delta_txn t = {DP_STR("job/f/0"), cases[i].version, 0};
        assert_int_equal(dp_delta_judge(s, &t, 1, cases[i].seen, 5000, &verdict, &which, &have, &err), cases[i].status);
        assert_int_equal(verdict, cases[i].verdict);
    }
    assert_int_equal(dp_delta_txn_commit(dir, DP_STR("job/f/0"), 100, s->version, &v, &err), DP_OK);
    assert_int_equal(v, 1);
    dp_delta_close(s);
}

/* Whatever is in the log directory is a whole entry or checkpoint. */
static void check_log(void) {
    char *log = dp_path_join(dir, "_delta_log");
    DIR *d = opendir(log);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' && (!e->d_name[1] || e->d_name[1] == '.')) continue;
        if (!strcmp(e->d_name, "_last_checkpoint")) continue;
        assert_true(strlen(e->d_name) == 25 || (strlen(e->d_name) == 39 && !strcmp(e->d_name + 20, ".checkpoint.parquet")));
    }
    closedir(d);
    free(log);
}

static void appends_race(void **state) {
    enum { PROCESSES = 8, EACH = 50 };
    struct dp_err err = DP_ERR_INIT;
    (void)state;
    assert_int_equal(create(NULL, &err), DP_OK);
    for (int p = 0; p < PROCESSES; p++) {
        if (fork() != 0) continue;
        for (int i = 0; i < EACH; i++) {
            struct dp_delta_snapshot *s = NULL;
            char name[32];
            int64_t v;
            snprintf(name, sizeof name, "f-%d-%d", p, i);
            if (dp_delta_open(dir, -1, &s, &err) != DP_OK || commit(s, DP_DELTA_APPEND, name, "1", NULL, 0, &v, &err) != DP_OK) {
                fprintf(stderr, "%s: %s\n", name, err.msg);
                _exit(1);
            }
            dp_delta_close(s);
        }
        _exit(0);
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    struct dp_delta_snapshot *s = latest();
    assert_int_equal(s->version, PROCESSES * EACH);
    assert_int_equal(s->n_files, PROCESSES * EACH);
    dp_delta_close(s);
    check_log();
}

static void kills(void **state) {
    struct dp_err err = DP_ERR_INIT;
    (void)state;
    assert_int_equal(create(NULL, &err), DP_OK);
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int i = 0;; i++) {
                struct dp_delta_snapshot *s = NULL;
                char name[32];
                int64_t v;
                snprintf(name, sizeof name, "k-%d-%d", round, i);
                if (dp_delta_open(dir, -1, &s, &err) != DP_OK || commit(s, DP_DELTA_APPEND, name, "1", NULL, 0, &v, &err) != DP_OK) _exit(1);
                dp_delta_close(s);
            }
        }
        usleep((unsigned)(2000 + round * 997));
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        struct dp_delta_snapshot *s = latest();
        assert_int_equal(s->n_files, s->version); /* one file a version: nothing lost, nothing twice */
        dp_delta_close(s);
        check_log();
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, in_new_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(append_goes_behind_others), TEST(replacing_conflicts), TEST(append_only),
                                       TEST(transactions), TEST(appends_race), TEST(kills)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
