/*
 * Legal holds over many tables (dp/io/retain_hold.h): all are checked, then each is told in the audit log and done.
 *
 * The log gets the case, the reason and how much is held, never whom: subjects stand in the table's own file alone and go with it.
 */
#include "retain_priv.h"

#include <dp/base/file.h>
#include <dp/base/time.h>
#include <dp/delta/path.h>
#include <dp/io/audit.h>
#include <dp/io/retain_hold.h>

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

struct holding {
    const struct dp_run *run;
    const struct dp_retain_hold_opts *o;
    struct dp_arena arena;
    struct dp_legal_hold hold;
    size_t cap_partitions, cap_subjects;
    struct dp_audit *audit;
    char time[40];
};

/* ---- what is to be held ---- */

static enum dp_status add_scope(struct dp_legal_scope **v, size_t *n, size_t *cap, struct dp_str text, const char *source, struct dp_err *err) {
    const char *eq = text.n ? memchr(text.p, '=', text.n) : NULL;
    if (!eq || eq == text.p) return dp_err_set(err, DP_USAGE, "%s: expected COLUMN=VALUE", source); /* what stands there may name somebody */
    if (!dp_utf8_valid(text.p, text.n, NULL)) return dp_err_set(err, DP_USAGE, "%s: a value is no UTF-8", source);
    size_t column = (size_t)(eq - text.p);
    *v = dp_grow(*v, cap, *n + 1, sizeof **v);
    (*v)[(*n)++] = (struct dp_legal_scope){dp_str(text.p, column), dp_str(eq + 1, text.n - column - 1)};
    return DP_OK;
}

static enum dp_status read_subjects(struct holding *h, struct dp_err *err) {
    struct dp_buf text = {0};
    const char *from = h->o->subjects_from;
    DP_TRY(dp_file_read(!strcmp(from, "-") ? "/dev/stdin" : from, DP_LIMIT_HOLD_FILE, &text, err));
    struct dp_str all = dp_arena_str(&h->arena, dp_buf_str(&text));
    enum dp_status status = DP_OK;
    size_t before = h->hold.n_subjects;
    dp_buf_release(&text);
    for (size_t at = 0; at < all.n && status == DP_OK;) {
        const char *end = memchr(all.p + at, '\n', all.n - at);
        size_t n = (end ? (size_t)(end - all.p) : all.n) - at, next = at + n + 1;
        if (n && all.p[at + n - 1] == '\r') n--;
        if (n && all.p[at] != '#') status = add_scope(&h->hold.subjects, &h->hold.n_subjects, &h->cap_subjects, dp_str(all.p + at, n), from, err);
        at = next;
    }
    if (status == DP_OK && h->hold.n_subjects == before) status = dp_err_set(err, DP_USAGE, "%s: no subjects; the whole table is held where none is asked for", from);
    return status;
}

static enum dp_status take_scopes(struct holding *h, struct dp_err *err) {
    const struct dp_retain_hold_opts *o = h->o;
    for (size_t i = 0; i < o->n_partitions; i++)
        DP_TRY(add_scope(&h->hold.partitions, &h->hold.n_partitions, &h->cap_partitions, dp_str_z(o->partitions[i]), "--partition", err));
    for (size_t i = 0; i < o->n_subjects; i++) DP_TRY(add_scope(&h->hold.subjects, &h->hold.n_subjects, &h->cap_subjects, dp_str_z(o->subjects[i]), "--subject", err));
    if (o->subjects_from) DP_TRY(read_subjects(h, err));
    h->hold.whole = !h->hold.n_partitions && !h->hold.n_subjects;
    return DP_OK;
}

/* ---- clones ---- */

/* The table that a file with an absolute path belongs to, in `root`; false: none. */
static bool find_table(const char *path, char root[PATH_MAX]) {
    char *at = dp_path_dir(path);
    bool found = false;
    while (!found && strcmp(at, "/") != 0 && strcmp(at, ".") != 0) {
        char *log = dp_path_join(at, "_delta_log");
        found = access(log, F_OK) == 0 && realpath(at, root);
        free(log);
        char *up = dp_path_dir(at);
        free(at);
        at = up;
    }
    free(at);
    return found;
}

static bool is_held_too(const struct holding *h, const char *root) {
    struct dp_legal l;
    char real[PATH_MAX];
    bool yes = false;
    for (size_t i = 0; i < h->o->n_tables && !yes; i++) yes = realpath(h->o->tables[i], real) && !strcmp(real, root);
    dp_legal_read(root, &l);
    for (size_t i = 0; i < l.n && !yes; i++) yes = l.v[i].whole && !l.v[i].trouble && dp_str_eq(l.v[i].name, h->hold.name);
    dp_legal_release(&l);
    return yes;
}

static enum dp_status check_foreign(const struct holding *h, const char *table, const char *own, const struct dp_delta_file *f, struct dp_buf *known, struct dp_err *err) {
    struct dp_buf path = {0};
    char root[PATH_MAX];
    enum dp_status status = DP_OK;
    dp_delta_path_key(f->path, &path);
    bool seen = !path.n || path.p[0] != '/' || (known->n && dp_str_starts(dp_buf_str(&path), dp_buf_str(known)));
    if (!seen && find_table(dp_buf_z(&path), root) && strcmp(root, own) != 0) {
        if (is_held_too(h, root)) dp_buf_reset(known), dp_buf_addf(known, "%s/", root);
        else status = dp_err_set(err, DP_RULE, "%s needs files of %s, from which they could go: name that table too", table, root);
    }
    dp_buf_release(&path);
    return status;
}

static enum dp_status check_clone(const struct holding *h, const char *table, struct dp_err *err) {
    struct dp_delta_snapshot *s = NULL;
    struct dp_buf known = {0};
    const struct dp_delta_file *f;
    char own[PATH_MAX];
    if (!realpath(table, own)) return dp_err_sys(err, DP_IO, "cannot open %s", table);
    DP_TRY(dp_delta_open_how(table, -1, &(struct dp_delta_how){.skip_stats = true}, &s, err));
    enum dp_status status = DP_OK;
    for (size_t cursor = 0; status == DP_OK && (f = dp_delta_next_file(s, &cursor)) != NULL;) status = check_foreign(h, table, own, f, &known, err);
    for (size_t i = 0; status == DP_OK && i < s->tombstones.n; i++)
        if (!s->tombstones.items[i].dead) status = check_foreign(h, table, own, s->tombstones.items[i].v.p, &known, err);
    dp_buf_release(&known);
    dp_delta_close(s);
    return status;
}

/* ---- doing it ---- */

static enum dp_status act(struct holding *h, const char *table, bool releases, struct dp_err *err) {
    struct dp_buf what = {0};
    uint64_t ticket = 0;
    char *object = dp_audit_object(table);
    dp_buf_addz(&what, "{\"case\":");
    dp_json_add_string(&what, h->hold.name);
    if (!releases) dp_buf_addf(&what, ",\"whole\":%s,\"partitions\":%zu,\"subjects\":%zu", h->hold.whole ? "true" : "false", h->hold.n_partitions, h->hold.n_subjects);
    dp_buf_addc(&what, '}');
    enum dp_status status = dp_audit_begin(h->audit, &(struct dp_audit_intent){.action = releases ? "retain.release" : "retain.hold", .object = object, .why = h->o->why, .what = dp_buf_str(&what)},
                                           &ticket, err);
    if (status == DP_OK) {
        status = releases ? dp_legal_remove(table, h->hold.name, err) : dp_legal_add(table, &h->hold, err);
        status = dp_audit_end(h->audit, ticket, status, dp_str("", 0), err);
    }
    dp_buf_release(&what);
    free(object);
    return status;
}

static enum dp_status begin(struct holding *h, struct dp_err *err) {
    const struct dp_retain_hold_opts *o = h->o;
    h->hold.name = dp_str_z(o->name);
    if (!dp_legal_case_ok(h->hold.name))
        return dp_err_set(err, DP_USAGE, "\"%s\" can't be a case: letters, digits, dots, underscores and hyphens, the first a letter or a digit, at most %u", o->name, DP_LIMIT_HOLD_CASE);
    if (!o->why || !*o->why) return dp_err_set(err, DP_USAGE, "--reason is needed");
    if (!dp_utf8_valid(o->why, strlen(o->why), NULL)) return dp_err_set(err, DP_USAGE, "--reason is no UTF-8");
    h->hold.reason = dp_str_z(o->why), h->hold.who = dp_str_z(o->who);
    h->hold.time = dp_str(h->time, dp_time_print_micros(h->time, h->run->now_micros, true, 6));
    return DP_OK;
}

static void end(struct holding *h) {
    dp_audit_close(h->audit);
    free(h->hold.partitions), free(h->hold.subjects);
    dp_arena_release(&h->arena);
}

enum dp_status dp_retain_hold(const struct dp_run *run, const struct dp_retain_hold_opts *o, uint64_t *done, struct dp_err *err) {
    struct holding h = {.run = run, .o = o};
    enum dp_status status;
    *done = 0;
    DP_TRY_OUT(begin(&h, err));
    DP_TRY_OUT(take_scopes(&h, err));
    for (size_t i = 0; i < o->n_tables; i++) {
        DP_TRY_OUT(dp_legal_check(o->tables[i], &h.hold, err));
        DP_TRY_OUT(check_clone(&h, o->tables[i], err));
    }
    if (!run->dry_run) DP_TRY_OUT(dp_audit_open(run, o->audit, &h.audit, err));
    for (size_t i = 0; i < o->n_tables; i++) {
        if (!run->dry_run) DP_TRY_OUT(act(&h, o->tables[i], false, err));
        ++*done;
    }
out:
    end(&h);
    return status;
}

/* Held by this case, readable or not. */
static bool has_case(const char *table, struct dp_str name) {
    struct dp_legal l;
    bool has = false;
    dp_legal_read(table, &l);
    for (size_t i = 0; i < l.n && !has; i++) {
        struct dp_str file = l.v[i].name;
        if (l.v[i].trouble && dp_str_ends(file, DP_STR(".json"))) file.n -= 5;
        has = dp_str_eq(file, name);
    }
    dp_legal_release(&l);
    return has;
}

enum dp_status dp_retain_release(const struct dp_run *run, const struct dp_retain_hold_opts *o, bool under, uint64_t *done, struct dp_err *err) {
    struct holding h = {.run = run, .o = o};
    struct retain_place *places = NULL;
    size_t n = 0;
    enum dp_status status;
    *done = 0;
    DP_TRY_OUT(begin(&h, err));
    DP_TRY_OUT(retain_find(run, o->tables, o->n_tables, &places, &n, err));
    for (size_t i = 0; i < n && !under; i++)
        if (!has_case(places[i].path, h.hold.name)) DP_TRY_OUT(dp_err_set(err, DP_RULE, "%s is not held by case %s", places[i].path, o->name));
    if (!run->dry_run) DP_TRY_OUT(dp_audit_open(run, o->audit, &h.audit, err));
    for (size_t i = 0; i < n; i++) {
        if (under && !has_case(places[i].path, h.hold.name)) continue;
        if (!run->dry_run) DP_TRY_OUT(act(&h, places[i].path, true, err));
        ++*done;
    }
    if (!*done) status = dp_err_set(err, DP_RULE, "no table there is held by case %s", o->name);
out:
    retain_places_free(places, n);
    end(&h);
    return status;
}

enum dp_status dp_retain_holds(const struct dp_run *run, const char *const *tables, size_t n, enum dp_status (*each)(void *ctx, const char *table, const struct dp_legal_hold *h, struct dp_err *err),
                               void *ctx, struct dp_err *err) {
    struct retain_place *places = NULL;
    size_t n_places = 0;
    enum dp_status status = retain_find(run, tables, n, &places, &n_places, err);
    for (size_t i = 0; i < n_places && status == DP_OK; i++) {
        struct dp_legal l;
        dp_legal_read(places[i].path, &l);
        for (size_t k = 0; k < l.n && status == DP_OK; k++) status = each(ctx, places[i].path, &l.v[k], err);
        dp_legal_release(&l);
    }
    retain_places_free(places, n_places);
    return status;
}
