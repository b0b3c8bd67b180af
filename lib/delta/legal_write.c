/*
 * Legal holds of a table that come, are widened and go (dp/delta/legal.h): one file, replaced as a whole, while nobody places or deletes files.
 */
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/hold.h>
#include <dp/delta/legal.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- what can be held ---- */

static enum dp_status check_partition(const struct dp_delta_snapshot *s, const struct dp_legal_scope *p, struct dp_err *err) {
    const struct dp_type *t = dp_type_child(s->schema, p->column);
    if (!t) return dp_type_no_child(s->schema, "partition", s->table, p->column, err);
    if (!dp_delta_is_partition(s, p->column)) return dp_err_set(err, DP_USAGE, "%s is not partitioned by %.*s", s->table, DP_STR_FMT(p->column));
    return DP_OK;
}

static enum dp_status check_subject(const struct dp_delta_snapshot *s, const struct dp_legal_hold *h, size_t i, struct dp_err *err) {
    struct dp_buf text = {0};
    struct dp_legal_hold one = {.subjects = &h->subjects[i], .n_subjects = 1};
    const struct dp_legal l = {.v = &one, .n = 1};
    struct dp_str column = h->subjects[i].column;
    if (!dp_type_child(s->schema, column)) return dp_type_no_child(s->schema, "subject", s->table, column, err);
    bool fine = dp_legal_rows(&l, s->schema, &text);
    dp_buf_release(&text);
    return fine ? DP_OK : dp_err_set(err, DP_UNSUPPORTED, "%s: subjects can be held by columns of text, and by integers where the value is one; %.*s is none: hold the table", s->table, DP_STR_FMT(column));
}

enum dp_status dp_legal_check(const char *table, const struct dp_legal_hold *h, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    if (!dp_legal_case_ok(h->name))
        return dp_err_set(err, DP_USAGE, "\"%.*s\" can't be a case: letters, digits, dots, underscores and hyphens, the first a letter or a digit, at most %u", DP_STR_FMT(h->name), DP_LIMIT_HOLD_CASE);
    DP_TRY(dp_delta_open_how(table, -1, &(struct dp_delta_how){.skip_stats = true}, &s, err));
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < h->n_partitions && status == DP_OK; i++) status = check_partition(s, &h->partitions[i], err);
    for (size_t i = 0; i < h->n_subjects && status == DP_OK; i++) status = check_subject(s, h, i, err);
    dp_delta_close(s);
    return status;
}

/* ---- its file ---- */

static char *file_of(const char *table, struct dp_str name) {
    struct dp_buf b = {0};
    dp_buf_addf(&b, "%s/" DP_LEGAL_DIR "/%.*s.json", table, DP_STR_FMT(name));
    return dp_buf_detach(&b);
}

static bool has_scope(const struct dp_legal_scope *v, size_t n, const struct dp_legal_scope *x) {
    for (size_t i = 0; i < n; i++)
        if (dp_str_eq(v[i].column, x->column) && dp_str_eq(v[i].value, x->value)) return true;
    return false;
}

static void add_scopes(struct dp_arena *arena, struct dp_legal_scope **v, size_t *n, const struct dp_legal_scope *more, size_t n_more) {
    struct dp_legal_scope *all = dp_arena_calloc(arena, *n + n_more + 1, sizeof *all);
    for (size_t i = 0; i < *n; i++) all[i] = (*v)[i];
    for (size_t i = 0; i < n_more; i++)
        if (!has_scope(all, *n, &more[i])) all[(*n)++] = more[i];
    *v = all;
}

/* What is held already stays held, with its beginning, reason and author. */
static enum dp_status widen(const char *table, struct dp_legal *there, struct dp_legal_hold *h, struct dp_err *err) {
    struct dp_str file = dp_str("", 0);
    for (size_t i = 0; i < there->n; i++) {
        struct dp_legal_hold *old = &there->v[i];
        if (old->trouble) {
            file = dp_str_ends(old->name, DP_STR(".json")) ? dp_str(old->name.p, old->name.n - 5) : old->name;
            if (dp_str_eq(file, h->name)) return dp_legal_refuse(there, table, "the hold can't be widened", err);
        } else if (dp_str_eq(old->name, h->name)) {
            old->whole |= h->whole;
            add_scopes(&there->arena, &old->partitions, &old->n_partitions, h->partitions, h->n_partitions);
            add_scopes(&there->arena, &old->subjects, &old->n_subjects, h->subjects, h->n_subjects);
            *h = *old;
        }
    }
    return DP_OK;
}

static enum dp_status write_file(const char *path, const struct dp_legal_hold *h, struct dp_err *err) {
    struct dp_newfile file = {0};
    struct dp_buf b = {0};
    char *dir = dp_path_dir(path);
    dp_legal_print(h, &b);
    enum dp_status status = b.n > DP_LIMIT_HOLD_FILE ? dp_err_set(err, DP_LIMIT, "%s: a legal hold of more than %u bytes", path, DP_LIMIT_HOLD_FILE) : dp_mkdirs(dir, err);
    if (status == DP_OK) status = dp_newfile_open(&file, path, 0600, err);
    if (status == DP_OK) status = dp_fd_write(file.fd, b.p, b.n, err);
    if (status == DP_OK) status = dp_newfile_commit(&file, err);
    dp_newfile_abort(&file);
    dp_buf_release(&b);
    free(dir);
    return status;
}

static void sweep(const char *table) {
    char *dir = dp_path_join(table, DP_LEGAL_DIR);
    dp_newfile_sweep(dir);
    free(dir);
}

static enum dp_status store(const char *table, const struct dp_legal_hold *h, struct dp_err *err) {
    struct dp_delta_hold lock = DP_DELTA_HOLD_INIT;
    struct dp_legal there = {0};
    struct dp_legal_hold all = *h;
    char *path = file_of(table, h->name);
    enum dp_status status = dp_delta_hold_alone(table, &lock, err);
    if (status == DP_OK) {
        dp_legal_read(table, &there);
        status = widen(table, &there, &all, err);
    }
    if (status == DP_OK) sweep(table); /* what a process that died has left names people too */
    if (status == DP_OK) status = write_file(path, &all, err);
    dp_delta_hold_release(&lock);
    dp_legal_release(&there);
    free(path);
    return status;
}

enum dp_status dp_legal_add(const char *table, const struct dp_legal_hold *h, struct dp_err *err) {
    DP_TRY(dp_legal_check(table, h, err));
    return store(table, h, err);
}

enum dp_status dp_legal_remove(const char *table, struct dp_str name, struct dp_err *err) {
    struct dp_delta_hold lock = DP_DELTA_HOLD_INIT;
    if (!dp_legal_case_ok(name)) return dp_err_set(err, DP_USAGE, "\"%.*s\" can't be a case", DP_STR_FMT(name));
    char *path = file_of(table, name), *dir = dp_path_dir(path);
    enum dp_status status = dp_delta_hold_alone(table, &lock, err);
    if (status == DP_OK) sweep(table);
    if (status == DP_OK && unlink(path) != 0)
        status = errno == ENOENT ? dp_err_set(err, DP_RULE, "%s is not held by case %.*s", table, DP_STR_FMT(name)) : dp_err_sys(err, DP_IO, "cannot remove %s", path);
    else if (status == DP_OK) status = dp_fsync_dir(dir, err);
    dp_delta_hold_release(&lock);
    free(path), free(dir);
    return status;
}

enum dp_status dp_legal_copy(const char *from, const char *to, struct dp_err *err) {
    struct dp_legal l;
    enum dp_status status = DP_OK;
    dp_legal_read(from, &l);
    for (size_t i = 0; i < l.n && status == DP_OK; i++)
        status = l.v[i].trouble ? dp_err_set(err, DP_FORMAT, "%s/" DP_LEGAL_DIR "/%.*s can't be copied: %s", from, DP_STR_FMT(l.v[i].name), l.v[i].trouble) : store(to, &l.v[i], err);
    dp_legal_release(&l);
    return status;
}
