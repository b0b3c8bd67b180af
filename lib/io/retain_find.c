/* Tables below the directories that a plan of retention is made over (lib/io/retain_priv.h): names in order, links not followed, hidden names and what lies inside a table passed over. */
#include "retain_priv.h"

#include <dp/base/file.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DEPTH = 100 };

struct finding {
    const struct dp_run *run;
    struct retain_place *v;
    size_t n, cap;
    size_t root;             /* bytes of the operand and its slash */
    struct dp_err *err;
};

static void found(struct finding *f, const char *path, const char *below) {
    f->v = dp_grow(f->v, &f->cap, f->n + 1, sizeof *f->v);
    f->v[f->n++] = (struct retain_place){dp_strdup(path), dp_strdup(below)};
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static enum dp_status list(struct finding *f, const char *dir, char ***out, size_t *n) {
    char **v = NULL;
    size_t cap = 0;
    DIR *d = opendir(dir);
    *n = 0;
    if (!d) return dp_err_sys(f->err, DP_IO, "can't read directory %s", dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' || e->d_name[0] == '_' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN)) continue;
        v = dp_grow(v, &cap, *n + 1, sizeof *v);
        v[(*n)++] = dp_strdup(e->d_name);
    }
    closedir(d);
    if (*n) qsort(v, *n, sizeof *v, by_name);
    *out = v;
    return DP_OK;
}

static bool is_directory(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool has_log(const char *path) {
    char *log = dp_path_join(path, "_delta_log");
    bool yes = is_directory(log);
    free(log);
    return yes;
}

static enum dp_status walk(struct finding *f, const char *dir, int depth) {
    char **names = NULL;
    size_t n = 0;
    if (depth == DEPTH) return dp_err_set(f->err, DP_LIMIT, "%s: more than %d directories in each other", dir, DEPTH);
    if (dp_run_stopped(f->run, f->err)) return DP_SIGNALLED;
    enum dp_status status = list(f, dir, &names, &n);
    for (size_t i = 0; i < n; i++) {
        char *path = dp_path_join(dir, names[i]);
        if (status == DP_OK && has_log(path)) found(f, path, path + f->root);
        else if (status == DP_OK && is_directory(path)) status = walk(f, path, depth + 1);
        free(path), free(names[i]);
    }
    free(names);
    return status;
}

enum dp_status retain_find(const struct dp_run *run, const char *const *names, size_t n, struct retain_place **out, size_t *n_out, struct dp_err *err) {
    struct finding f = {.run = run, .err = err};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        char *name = dp_strdup(names[i]);
        size_t end = strlen(name);
        struct stat st;
        while (end > 1 && name[end - 1] == '/') name[--end] = 0;
        f.root = end + (name[end - 1] != '/');
        if (stat(name, &st) != 0) status = dp_err_sys(err, DP_IO, "cannot open %s", name);
        else if (!S_ISDIR(st.st_mode)) status = dp_err_set(err, DP_USAGE, "%s is no table and no directory of tables", name);
        else if (has_log(name)) found(&f, name, dp_path_base(name));
        else status = walk(&f, name, 0);
        free(name);
    }
    *out = f.v, *n_out = f.n;
    return status;
}

void retain_places_free(struct retain_place *p, size_t n) {
    for (size_t i = 0; i < n; i++) free(p[i].path), free(p[i].below);
    free(p);
}
