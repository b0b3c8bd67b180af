/*
 * Operands to names: globs and directories expanded in byte order, --files-from read.  A directory gives the files below it, those
 * whose names begin with a dot or an underscore left out (logs, staging, markers).  Who follows (source_follow.c) expands again, and what is not there may come.
 */
#include "source_priv.h"

#include <dp/io/typed.h>

#include <dp/base/file.h>

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH = 64, NAMES = 10000000 };

void dp_sources_add_name(struct dp_sources *s, const char *name) {
    s->names = dp_grow(s->names, &s->cap_names, s->n_names + 1, sizeof *s->names);
    if (s->run->datasets) {
        s->of_names = dp_grow(s->of_names, &s->cap_of_names, s->n_names + 1, sizeof *s->of_names);
        s->of_names[s->n_names] = s->expanding;
    }
    s->names[s->n_names++] = dp_strdup(name);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static enum dp_status expand_dir(struct dp_sources *s, const char *dir, int depth, struct dp_err *err) {
    dp_follow_watch(s, dir);
    char *log = dp_path_join(dir, "_delta_log");
    bool is_table = access(log, F_OK) == 0;
    free(log);
    if (is_table) return dp_sources_add_name(s, dir), DP_OK;
    if (depth > DEPTH) return dp_err_set(err, DP_LIMIT, "%s: directories are nested deeper than %d", dir, DEPTH);
    DIR *d = opendir(dir);
    if (!d && s->expand_again && errno == ENOENT) return DP_OK;
    if (!d) return dp_err_sys(err, DP_IO, "can't open directory %s", dir);
    char **list = NULL;
    size_t n = 0, cap = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || e->d_name[0] == '_') continue;
        list = dp_grow(list, &cap, n + 1, sizeof *list);
        list[n++] = dp_path_join(dir, e->d_name);
    }
    closedir(d);
    if (n) qsort(list, n, sizeof *list, by_bytes);
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (!status && stat(list[i], &st) == 0) {
            if (S_ISDIR(st.st_mode)) status = expand_dir(s, list[i], depth + 1, err);
            else if (S_ISREG(st.st_mode)) dp_sources_add_name(s, list[i]);
        }
        free(list[i]);
    }
    free(list);
    if (!status && s->n_names > NAMES) status = dp_err_set(err, DP_LIMIT, "more than %d files", NAMES);
    return status;
}

static enum dp_status expand_one(struct dp_sources *s, const char *name, struct dp_err *err) {
    struct stat st;
    if (strcmp(name, "-") == 0) return dp_sources_add_name(s, name), DP_OK;
    if (s->follow) {
        char *dir = dp_path_dir(name);
        if (!strpbrk(dir, "*?[")) dp_follow_watch(s, dir);
        free(dir);
    }
    if (stat(name, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return expand_dir(s, name, 0, err);
        return dp_sources_add_name(s, name), DP_OK;
    }
    bool is_absent = s->follow && errno == ENOENT; /* it may come */
    if (is_absent && !strpbrk(name, "*?[")) {
        if (!s->expand_again) dp_run_log(s->run, DP_LOG_INFO, "%s is not there yet: waiting for it", name);
        return DP_OK;
    }
    if (errno != ENOENT || !strpbrk(name, "*?[")) return dp_err_sys(err, DP_IO, "can't open %s", name);
    glob_t g;
    int r = glob(name, GLOB_NOSORT, NULL, &g); /* its own order would follow the locale */
    if (r == GLOB_NOMATCH && s->follow) return DP_OK;
    if (r == GLOB_NOMATCH && s->run->skip_empty) return DP_OK; /* a day without files: nothing to do */
    if (r == GLOB_NOMATCH) return dp_err_set(err, DP_IO, "no file matches %s (--skip-empty takes that for nothing to do)", name);
    if (r) return dp_err_set(err, DP_IO, "can't expand %s", name);
    qsort(g.gl_pathv, g.gl_pathc, sizeof *g.gl_pathv, by_bytes);
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < g.gl_pathc && !status; i++) {
        if (stat(g.gl_pathv[i], &st) == 0 && S_ISDIR(st.st_mode)) status = expand_dir(s, g.gl_pathv[i], 0, err);
        else dp_sources_add_name(s, g.gl_pathv[i]);
    }
    globfree(&g);
    return status;
}

/* An operand; who follows will expand it again. */
static enum dp_status expand_spec(struct dp_sources *s, const char *name, struct dp_err *err) {
    if (s->follow) {
        s->specs = dp_grow(s->specs, &s->cap_specs, s->n_specs + 1, sizeof *s->specs);
        s->specs[s->n_specs++] = dp_strdup(name);
    }
    s->operands = dp_grow(s->operands, &s->cap_operands, s->n_operands + 1, sizeof *s->operands);
    s->operands[s->n_operands++] = dp_strdup(name);
    s->expanding = dp_dataset_input(s->run, name);
    enum dp_status status = expand_one(s, name, err);
    s->expanding = NULL;
    return status;
}

enum dp_status dp_sources_expand_specs(struct dp_sources *s, struct dp_err *err) {
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < s->n_names; i++) free(s->names[i]);
    s->n_names = 0;
    s->expand_again = true;
    for (size_t i = 0; i < s->n_specs && !status; i++) status = expand_one(s, s->specs[i], err);
    return status;
}

/* One name a line; an empty line is none. */
static enum dp_status expand_list(struct dp_sources *s, const char *list, struct dp_err *err) {
    struct dp_buf b = {0};
    enum dp_status status = dp_file_read(strcmp(list, "-") == 0 ? "/dev/stdin" : list, (uint64_t)1 << 30, &b, err);
    size_t line = 1;
    for (size_t at = 0; at < b.n && !status; line++) {
        char *nl = memchr(b.p + at, '\n', b.n - at);
        size_t n = nl ? (size_t)(nl - b.p) - at : b.n - at;
        char *name = dp_strndup(b.p + at, n);
        if (n && name[n - 1] == '\r') name[n - 1] = '\0';
        if (*name) status = strlen(name) > DP_LIMIT_PATH ? dp_err_set(err, DP_LIMIT, "a name is longer than %u bytes", DP_LIMIT_PATH) : expand_spec(s, name, err);
        if (status) (void)dp_err_at(err, list, line, DP_NO_OFFSET);
        free(name);
        at += n + 1;
    }
    dp_buf_release(&b);
    return status;
}

enum dp_status dp_sources_expand(struct dp_sources *s, const char *const *names, size_t n, struct dp_err *err) {
    for (size_t i = 0; i < n; i++) DP_TRY(expand_spec(s, names[i], err));
    if (s->opts->files_from) DP_TRY(expand_list(s, s->opts->files_from, err));
    else if (!n) dp_sources_add_name(s, "-");
    return DP_OK;
}

enum dp_status dp_names_expand(const struct dp_run *run, const char *const *names, size_t n, char ***out, size_t *n_out, struct dp_err *err) {
    struct dp_run own = *run;
    own.datasets = NULL; /* nothing is read here */
    const struct dp_source_opts opts = {0};
    struct dp_sources s = {.run = &own, .opts = &opts};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n && status == DP_OK; i++) status = expand_one(&s, names[i], err);
    *out = s.names;
    *n_out = s.n_names;
    return status;
}

enum dp_status dp_typed_expand(const struct dp_run *run, const char *const *names, size_t n, char ***out, size_t *n_out, struct dp_err *err) {
    struct dp_run own = *run;
    own.datasets = NULL; /* nothing is read here */
    const struct dp_source_opts opts = {0};
    struct dp_sources s = {.run = &own, .opts = &opts};
    enum dp_status status = DP_OK;
    bool typed = n > 0;
    for (size_t i = 0; i < n && typed && status == DP_OK; i++) {
        struct stat st;
        bool pattern = strpbrk(names[i], "*?[") && stat(names[i], &st) != 0;
        if (!strcmp(names[i], "-")) typed = false;
        else if (pattern || (stat(names[i], &st) == 0 && S_ISDIR(st.st_mode))) status = expand_one(&s, names[i], err);
        else dp_sources_add_name(&s, names[i]);
    }
    for (size_t i = 0; i < s.n_names && typed && status == DP_OK; i++) typed = dp_typed_is(s.names[i]);
    if (!typed || status != DP_OK || !s.n_names) {
        for (size_t i = 0; i < s.n_names; i++) free(s.names[i]);
        free(s.names);
        s.names = NULL, s.n_names = 0;
    }
    *out = s.names;
    *n_out = s.n_names;
    return status;
}
