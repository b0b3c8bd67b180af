/* What tests of tables share: an empty directory for each test, and commits put there as text. */
#ifndef DP_TESTS_TABLEDIR_H
#define DP_TESTS_TABLEDIR_H

#include "dpt.h"

#include <dirent.h>
#include <dp/base/file.h>
#include <dp/delta/path.h>

static char dir[64]; /* of the test that runs */

static inline int in_new_directory(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/dp-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static inline void remove_tree(const char *path) {
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        char *p = dp_path_join(path, e->d_name);
        if (unlink(p) != 0) remove_tree(p);
        free(p);
    }
    if (d) closedir(d);
    rmdir(path);
}

static inline int remove_directory(void **state) {
    (void)state;
    remove_tree(dir);
    return 0;
}

static inline void put_commit(int64_t version, const char *text) {
    struct dp_err err = DP_ERR_INIT;
    char *path = dp_delta_commit_path(dir, version), *log = dp_path_dir(path);
    assert_int_equal(dp_mkdirs(log, &err), DP_OK);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    free(log), free(path);
}

#endif
