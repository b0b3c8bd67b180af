/* Files and their publication. */
#include "dpt.h"

#include <dirent.h>
#include <dp/base/file.h>
#include <fcntl.h>
#include <sys/stat.h>

static char dir[] = "/tmp/dp-t-file-XXXXXX";

static int setup(void **state) { return (void)state, mkdtemp(dir) ? 0 : -1; }
static int remove_tree(const char *path) {
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *below = dp_path_join(path, e->d_name);
        if (unlink(below)) (void)remove_tree(below);
        free(below);
    }
    if (d) closedir(d);
    return rmdir(path);
}
static int teardown(void **state) { return (void)state, remove_tree(dir); }

static int entries(const char *path) {
    DIR *d = opendir(path);
    int n = -2;
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static void publish(void **state) {
    (void)state;
    struct dp_err e = DP_ERR_INIT;
    struct dp_newfile f = {0};
    char *sub = dp_path_join(dir, "a/b/c"), *name = dp_path_join(sub, "x.json");
    dp_newfile_abort(&f);
    assert_int_equal(dp_mkdirs(sub, &e), DP_OK);
    assert_int_equal(dp_mkdirs(sub, &e), DP_OK);
    assert_int_equal(dp_newfile_open(&f, name, 0600, &e), DP_OK);
    assert_int_equal(dp_fd_write(f.fd, "one", 3, &e), DP_OK);
    assert_int_equal(access(name, F_OK), -1);
    assert_int_equal(dp_newfile_commit_new(&f, &e), DP_OK);
    assert_int_equal(entries(sub), 1);
    assert_int_equal(dp_newfile_open(&f, name, 0600, &e), DP_OK);
    assert_int_equal(dp_newfile_commit_new(&f, &e), DP_AGAIN);
    dp_newfile_abort(&f);
    dp_newfile_abort(&f);
    assert_int_equal(entries(sub), 1);
    assert_int_equal(dp_newfile_open(&f, name, 0600, &e), DP_OK);
    assert_int_equal(dp_fd_write(f.fd, "second", 6, &e), DP_OK);
    assert_int_equal(dp_newfile_commit(&f, &e), DP_OK);
    struct dp_buf b = {0};
    assert_int_equal(dp_file_read(name, 6, &b, &e), DP_OK);
    assert_string_equal(dp_buf_z(&b), "second");
    assert_int_equal(dp_file_read(name, 5, &b, &e), DP_LIMIT);
    struct stat st;
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char *other = dp_path_join(dir, "moved");
    assert_int_equal(dp_file_rename(name, other, &e), DP_OK);
    assert_int_equal(dp_mkdirs(other, &e), DP_IO);
    int fd = open(other, O_RDONLY);
    char part[4] = {0};
    assert_int_equal(dp_fd_pread(fd, part, 3, 3, &e), DP_OK);
    assert_string_equal(part, "ond");
    assert_int_equal(dp_fd_pread(fd, part, 3, 4, &e), DP_FORMAT);
    assert_int_equal(dp_fd_pread(fd, part, 3, UINT64_MAX - 1, &e), DP_FORMAT);
    close(fd);
    assert_int_equal(dp_newfile_open(&f, "/nonexistent/x", 0600, &e), DP_IO);
    dp_buf_release(&b);
    free(sub), free(name), free(other);
}

static void unfinished_are_removed(void **state) {
    (void)state;
    char *sub = dp_path_join(dir, "u"), *name = dp_path_join(sub, "f");
    struct dp_err e = DP_ERR_INIT;
    assert_int_equal(dp_mkdirs(sub, &e), DP_OK);
    struct dp_newfile f[600];
    for (int i = 0; i < 600; i++) assert_int_equal(dp_newfile_open(&f[i], name, 0600, &e), DP_OK);
    assert_int_equal(entries(sub), 600);
    dp_unfinished_remove();
    assert_int_equal(entries(sub), 0);
    for (int i = 0; i < 600; i++) dp_newfile_abort(&f[i]);
    assert_int_equal(dp_unfinished_add("x"), 0); /* all places are free again */
    dp_unfinished_drop(0);
    free(sub), free(name);
}

static void names(void **state) {
    (void)state;
    static const char *const dirs[][2] = {{"a", "."}, {"/a", "/"}, {"a/b", "a"}, {"a//b", "a"}, {"//b", "/"}, {"a/b/", "a/b"}};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        char *d = dp_path_dir(dirs[i][0]);
        assert_string_equal(d, dirs[i][1]);
        free(d);
    }
    char *j = dp_path_join("a/", "b");
    assert_string_equal(j, "a/b");
    free(j);
    char u[37], v[37];
    dp_uuid(u), dp_uuid(v);
    assert_int_equal(strlen(u), 36);
    assert_int_equal(u[14], '4');
    assert_string_not_equal(u, v);
    int fd;
    assert_int_equal(dp_spill_open(&fd, NULL), DP_OK);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(publish), cmocka_unit_test(unfinished_are_removed), cmocka_unit_test(names)};
    return cmocka_run_group_tests_name("file", tests, setup, teardown);
}
