/* The ledger: positions by job, source and fingerprint; locks between runs; what is no ledger. */
#include "dpt.h"

#include <dp/io/ledger.h>

#include <fcntl.h>
#include <sys/stat.h>

static char dir[] = "/tmp/dp-t-ledger-XXXXXX", path[64];

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/l", dir);
    return 0;
}

static struct dp_ledger *open_as(const char *job, bool read_only) {
    struct dp_ledger *l = NULL;
    struct dp_err e = DP_ERR_INIT;
    enum dp_status status = dp_ledger_open(path, job, read_only, 40, &l, &e);
    if (status) print_message("%s\n", e.msg);
    assert_int_equal(status, DP_OK);
    return l;
}

static uint64_t find(struct dp_ledger *l, const char *name, const char *member, const char *head) {
    struct dp_origin *o = dp_origin_new(name, member, dp_str_z(head));
    uint64_t at = 99;
    assert_int_equal(dp_ledger_find(l, o, &at, NULL), DP_OK);
    dp_origin_free(o);
    return at;
}

/* A commit at a checkpoint. */
static void commit_at(const char *job, const char *id, const char *name, const char *head, uint64_t to) {
    struct dp_ledger *l = open_as(job, false);
    struct dp_origin *o = dp_origin_new(name, NULL, dp_str_z(head));
    uint64_t at;
    assert_int_equal(dp_ledger_find(l, o, &at, NULL), DP_OK);
    dp_ledger_note(l, o, to);
    assert_int_equal(dp_ledger_commit(l, id, "run", 0, NULL), DP_OK);
    dp_origin_free(o);
    dp_ledger_close(l);
}

static bool back(const char *job, bool read_only, const char *id, uint64_t *a, uint64_t *b) {
    struct dp_ledger *l = open_as(job, read_only);
    bool found = false;
    assert_int_equal(dp_ledger_back(l, id, &found, NULL), DP_OK);
    *a = find(l, "a", NULL, "abcdefghi"), *b = find(l, "b", NULL, "abcdefghi");
    dp_ledger_close(l);
    return found;
}

static bool begins(const char *job) {
    struct dp_ledger *l = open_as(job, false);
    bool is_first = false;
    assert_int_equal(dp_ledger_begin(l, "run", 0, &is_first, NULL), DP_OK);
    dp_ledger_close(l);
    return is_first;
}

static void goes_back(void **state) {
    (void)state;
    uint64_t a, b;
    assert_true(begins("back"));
    commit_at("back", "one", "a", "abc", 3);
    assert_false(begins("back"));
    commit_at("back", "two", "a", "abcdef", 6);
    commit_at("back", "three", "b", "abcdef", 6);
    commit_at("other", "two", "a", "abcdef", 6);
    assert_false(back("back", false, "none of them", &a, &b));
    assert_int_equal(a + 100 * b, 606);
    assert_true(back("back", true, "one", &a, &b));
    assert_int_equal(a + 100 * b, 3);
    assert_true(back("back", false, "three", &a, &b));
    assert_int_equal(a + 100 * b, 606); /* a dry run has changed nothing */
    assert_true(back("back", false, "two", &a, &b));
    assert_int_equal(a + 100 * b, 6);
    assert_false(back("back", false, "three", &a, &b)); /* there is no way forward */
    commit_at("back", "three", "b", "abcdef", 5);
    assert_true(back("back", false, "one", &a, &b));
    assert_int_equal(a + 100 * b, 3);
    assert_true(back("back", false, "", &a, &b));
    assert_int_equal(a + 100 * b, 0);
    assert_false(back("other", false, "", &a, &b)); /* of which it is not known that there was nothing before */
    assert_true(back("other", false, "two", &a, &b));
    assert_int_equal(a, 6);
}

static void keeps_so_many(void **state) {
    (void)state;
    char id[16];
    uint64_t a, b;
    assert_true(begins("keep"));
    for (int i = 1; i <= DP_LEDGER_KEEP + 1; i++) {
        snprintf(id, sizeof id, "at%d", i);
        commit_at("keep", id, "a", "abcdefghi", (uint64_t)i);
    }
    assert_false(back("keep", false, "", &a, &b));
    assert_false(back("keep", false, "at1", &a, &b));
    assert_true(back("keep", false, "at2", &a, &b));
    assert_int_equal(a, 2);
}

/* The name that the positions have is that of the checkpoint; a run that was overtaken is told. */
static void names(void **state) {
    (void)state;
    struct dp_positions p = {0};
    struct dp_ledger *l = open_as("names", false);
    struct dp_origin *o = dp_origin_new("a", NULL, DP_STR("abcdef"));
    struct dp_err e = DP_ERR_INIT;
    char id[24];
    uint64_t at;
    assert_int_equal(dp_ledger_positions(l, "j", &p, NULL), DP_OK);
    dp_positions_id(&p, id);
    assert_string_equal(id, "");
    dp_ledger_close(l);
    commit_at("names", "0123456789abcdef", "a", "abc", 3);
    l = open_as("names", false);
    assert_int_equal(dp_ledger_positions(l, "j", &p, NULL), DP_OK);
    dp_positions_id(&p, id);
    assert_string_equal(id, "0123456789abcdef");
    commit_at("names", "", "a", "abcdef", 6);
    assert_int_equal(dp_ledger_find(l, o, &at, &e), DP_AGAIN);
    dp_ledger_close(l);
    dp_positions_release(&p);
    l = open_as("names", false); /* a commit without a name: that of the positions */
    assert_int_equal(dp_ledger_positions(l, "j", &p, NULL), DP_OK);
    dp_positions_id(&p, id);
    assert_int_equal(strlen(id), 16);
    assert_string_not_equal(id, "0123456789abcdef");
    assert_int_equal(dp_ledger_find(l, o, &at, &e), DP_OK);
    dp_ledger_close(l);
    dp_positions_release(&p);
    dp_origin_free(o);
}

/* Finds, notes and commits in a run of its own; returns where it went on. */
static uint64_t read_up_to(const char *job, const char *name, const char *member, const char *head, uint64_t to) {
    struct dp_ledger *l = open_as(job, false);
    struct dp_origin *o = dp_origin_new(name, member, dp_str_z(head));
    uint64_t at = 99;
    assert_int_equal(dp_ledger_find(l, o, &at, NULL), DP_OK);
    dp_ledger_note(l, o, 1);
    dp_ledger_note(l, o, to);
    assert_int_equal(dp_ledger_commit(l, "", "run", 0, NULL), DP_OK);
    dp_origin_free(o);
    dp_ledger_close(l);
    return at;
}

static void positions(void **state) {
    (void)state;
    assert_int_equal(read_up_to("j", "a", NULL, "abc", 3), 0);
    assert_int_equal(read_up_to("j", "a", NULL, "abcdef", 6), 3);
    assert_int_equal(read_up_to("j", "a", NULL, "abcdxx", 6), 0); /* another file: the fingerprint has grown to six bytes */
    assert_int_equal(read_up_to("j", "a", NULL, "abcdefghi", 9), 6);
    assert_int_equal(read_up_to("j", "a", "m", "abcdef", 6), 0);
    assert_int_equal(read_up_to("k", "a", NULL, "abcdef", 6), 0);
    struct dp_ledger *l = open_as("j", true);
    assert_int_equal(find(l, "a", NULL, "abcdefghi"), 9);
    assert_int_equal(find(l, "a'; DROP TABLE position; --", NULL, "abcdefghi"), 0);
    dp_ledger_close(l);
}

static void without_commit_nothing(void **state) {
    (void)state;
    struct dp_ledger *l = open_as("w", false);
    struct dp_origin *o = dp_origin_new("b", NULL, DP_STR("abc"));
    uint64_t at;
    assert_int_equal(dp_ledger_find(l, o, &at, NULL), DP_OK);
    dp_ledger_note(l, o, 3);
    dp_ledger_close(l);
    dp_origin_free(o);
    l = open_as("w", false);
    assert_int_equal(find(l, "b", NULL, "abc"), 0);
    dp_ledger_close(l);
}

static void locks(void **state) {
    (void)state;
    struct dp_ledger *a = open_as("j", false), *b = open_as("j", false), *k = open_as("k", false);
    struct dp_origin *o = dp_origin_new("x", NULL, DP_STR("abc"));
    struct dp_err e = DP_ERR_INIT;
    uint64_t at;
    assert_int_equal(find(a, "x", NULL, "abc"), 0);
    assert_int_equal(find(a, "x", NULL, "abc"), 0);
    assert_int_equal(dp_ledger_find(b, o, &at, &e), DP_AGAIN);
    assert_int_equal(dp_status_exit(DP_AGAIN, &e), 75);
    assert_int_equal(find(b, "y", NULL, "abc"), 0);
    assert_int_equal(find(k, "x", NULL, "abc"), 0);
    dp_ledger_close(a);
    assert_int_equal(dp_ledger_find(b, o, &at, &e), DP_OK);
    dp_ledger_close(b);
    dp_ledger_close(k);
    dp_origin_free(o);
}

/* Very many sources take one lock over all. */
static void many(void **state) {
    (void)state;
    struct dp_ledger *a = open_as("m", false), *b = open_as("m", false);
    struct dp_err e = DP_ERR_INIT;
    struct dp_origin *o = dp_origin_new("none of them", NULL, DP_STR("abc"));
    char name[32];
    uint64_t at;
    for (int i = 0; i < 4096; i++) snprintf(name, sizeof name, "f%d", i), assert_int_equal(find(a, name, NULL, "abc"), 0);
    assert_int_equal(dp_ledger_find(b, o, &at, &e), DP_OK);
    dp_ledger_close(b);
    assert_int_equal(find(a, "one more", NULL, "abc"), 0);
    b = open_as("m", false);
    assert_int_equal(dp_ledger_find(b, o, &at, &e), DP_AGAIN);
    dp_ledger_close(a);
    dp_ledger_close(b);
    dp_origin_free(o);
}

static void foreign(void **state) {
    (void)state;
    static const char text[] = "{\"a\":\"this is no database, and longer than the head of one would be: one hundred bytes at least, please\"}\n";
    char other[80];
    struct dp_ledger *l = NULL;
    struct dp_err e = DP_ERR_INIT;
    snprintf(other, sizeof other, "%s/text", dir);
    int fd = open(other, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    assert_int_equal(dp_ledger_open(other, "j", false, 40, &l, &e), DP_USAGE);
    assert_int_equal(dp_ledger_open(dir, "j", false, 40, &l, &e), DP_IO);
    assert_int_equal(dp_ledger_open("/dev/null", "j", false, 40, &l, &e), DP_USAGE);
    snprintf(other, sizeof other, "%s/absent", dir);
    assert_int_equal(dp_ledger_open(other, "j", true, 40, &l, &e), DP_OK);
    assert_int_equal(find(l, "x", NULL, "abc"), 0);
    dp_ledger_close(l);
    assert_int_equal(access(other, F_OK), -1);
    dp_ledger_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(positions), cmocka_unit_test(without_commit_nothing), cmocka_unit_test(locks),
                                       cmocka_unit_test(many), cmocka_unit_test(goes_back), cmocka_unit_test(keeps_so_many),
                                       cmocka_unit_test(names), cmocka_unit_test(foreign)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
