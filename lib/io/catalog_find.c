/*
 * Nodes of the graph by the names that people type (dp/io/catalog_query.h).
 */
#include "catalog_priv.h"

#include <dp/rules/openlineage.h>

#include <stdlib.h>

void dp_catalog_node_release(struct dp_catalog_node *n) {
    free(n->ns), free(n->name), free(n->field);
    *n = (struct dp_catalog_node){0};
}

void dp_catalog_node_print(const struct dp_catalog_node *n, struct dp_buf *b) {
    if (n->kind == 'j' || strcmp(n->ns, "file") != 0) {
        dp_buf_addz(b, n->ns);
        if (*n->ns && !(n->name[0] == '/' && n->kind != 'j')) dp_buf_addc(b, '/');
    }
    dp_buf_addz(b, n->name);
    if (n->field) dp_buf_addc(b, '#'), dp_buf_addz(b, n->field);
}

static char *copy(struct dp_str s) { return dp_strndup(s.p ? s.p : "", s.n); }

enum { FEW_NAMES = 300, PART_OF_ALL = 8 }; /* so many, and this part of a table: from there on all of it is read at once, which costs less */

static char *keep(struct dp_catalog *c, struct dp_str s) {
    char *p = dp_arena_alloc(&c->name_arena, s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

/* Room for all names by id; what nobody asks for is never touched. */
static enum dp_status make_room(struct dp_catalog *c, int which, struct dp_err *err) {
    static const char *const most[] = {"SELECT max(id) FROM dataset", "SELECT max(id) FROM job", "SELECT max(id) FROM field"};
    struct dp_cat_names *t = &c->names[which];
    long long n = 0;
    if (t->v) return DP_OK;
    DP_TRY(dp_cat_number(c, most[which], &n, err));
    if (n < 0 || n >= UINT32_MAX) return dp_err_set(err, DP_LIMIT, "store %s: ids up to %lld", c->path, n);
    t->v = dp_calloc((size_t)n + 1, (which == 2 ? 1 : 2) * sizeof *t->v);
    if (which == 2) t->dataset = dp_calloc((size_t)n + 1, sizeof *t->dataset);
    t->n = n;
    return DP_OK;
}

/* The row that a statement is at: id, name, and the namespace or a column's dataset. */
static void keep_row(struct dp_catalog *c, int which, void *st, struct dp_str *last) {
    struct dp_cat_names *t = &c->names[which];
    int64_t id = dp_cat_i64(c, st, 0);
    if (id <= 0 || id > t->n) return;
    if (which == 2) {
        t->v[id] = keep(c, dp_cat_str(c, st, 1)), t->dataset[id] = dp_cat_i64(c, st, 2);
        return;
    }
    struct dp_str ns = dp_cat_str(c, st, 2);
    if (!last->p || !dp_str_eq(ns, *last)) *last = dp_str(keep(c, ns), ns.n); /* namespaces are few */
    t->v[2 * id] = keep(c, dp_cat_str(c, st, 1)), t->v[2 * id + 1] = (char *)(uintptr_t)last->p;
}

static enum dp_status load_names(struct dp_catalog *c, int which, struct dp_err *err) {
    static const char *const all[] = {"SELECT id, name, ns FROM dataset", "SELECT id, name, ns FROM job", "SELECT id, name, dataset FROM field"};
    void *st;
    struct dp_str last = {0};
    c->names[which].is_loaded = true;
    enum dp_status status = dp_cat_query(c, &st, err, all[which], "");
    while (dp_cat_next(c, st, &status, err)) keep_row(c, which, st, &last);
    c->sq.finalize(st);
    return status;
}

static enum dp_status look_up(struct dp_catalog *c, int which, int64_t id, struct dp_err *err) {
    static const char *const sql[] = {"SELECT id, name, ns FROM dataset WHERE id = ?1", "SELECT id, name, ns FROM job WHERE id = ?1", "SELECT id, name, dataset FROM field WHERE id = ?1"};
    enum dp_status status = DP_OK;
    void *st = dp_cat_ask(c, DP_CAT_ST_NAMES + which, sql[which], &status, err);
    if (!st) return status;
    c->sq.bind_int64(st, 1, id);
    if (dp_cat_next(c, st, &status, err)) keep_row(c, which, st, &c->names[which].last_ns);
    c->sq.reset(st);
    return status;
}

enum dp_status dp_catalog_view(struct dp_catalog *c, char kind, int64_t id, struct dp_catalog_node *out, struct dp_err *err) {
    int which = kind == 'd' ? 0 : kind == 'j' ? 1 : 2;
    struct dp_cat_names *t = &c->names[which];
    *out = (struct dp_catalog_node){.kind = kind, .id = id, .dataset = id};
    DP_TRY(make_room(c, which, err));
    bool is_there = id > 0 && id <= t->n;
    size_t at = is_there ? (size_t)id * (which == 2 ? 1 : 2) : 0;
    if (is_there && !t->v[at] && !t->is_loaded) DP_TRY(t->asked++ >= FEW_NAMES + t->n / PART_OF_ALL ? load_names(c, which, err) : look_up(c, which, id, err));
    if (is_there && which == 2 && t->v[at]) {
        struct dp_catalog_node d;
        DP_TRY(dp_catalog_view(c, 'd', t->dataset[id], &d, err));
        out->field = t->v[at], out->dataset = t->dataset[id];
        out->ns = d.ns, out->name = d.name;
    } else if (is_there && which != 2) {
        out->name = t->v[at], out->ns = t->v[at + 1];
    }
    return out->name ? DP_OK : dp_err_set(err, DP_FORMAT, "store %s: node %c%lld is named and not there", c->path, kind, (long long)id);
}

enum dp_status dp_catalog_name(struct dp_catalog *c, char kind, int64_t id, struct dp_catalog_node *out, struct dp_err *err) {
    enum dp_status status = dp_catalog_view(c, kind, id, out, err);
    out->ns = status ? NULL : dp_strdup(out->ns), out->name = status ? NULL : dp_strdup(out->name);
    out->field = status || !out->field ? NULL : dp_strdup(out->field);
    return status;
}

/* ---- by name ---- */

struct found {
    struct dp_catalog_node *v;
    size_t n, cap;
};

static void found_release(struct found *f) {
    for (size_t i = 0; i < f->n; i++) dp_catalog_node_release(&f->v[i]);
    free(f->v);
    *f = (struct found){0};
}

enum { MOST_FOUND = 12 }; /* of several, more than are named */

static void add_found(struct dp_catalog *c, char kind, void *st, struct found *f) {
    f->v = dp_grow(f->v, &f->cap, f->n + 1, sizeof *f->v);
    int64_t id = dp_cat_i64(c, st, 0);
    f->v[f->n++] = (struct dp_catalog_node){.kind = kind, .id = id, .dataset = id, .ns = copy(dp_cat_str(c, st, 1)), .name = copy(dp_cat_str(c, st, 2))};
}

static int by_names(const void *x, const void *y) {
    const struct dp_catalog_node *a = x, *b = y;
    int by = strcmp(a->name, b->name);
    return by ? by : strcmp(a->ns, b->ns);
}

/* All of a name and a namespace that make the text with `between`: each place where it can be cut is looked up, which the index does faster than going through all names does. */
static enum dp_status collect_cuts(struct dp_catalog *c, char kind, struct dp_str text, const char *between, struct found *f, struct dp_err *err) {
    void *st;
    size_t n = strlen(between);
    enum dp_status status = dp_cat_query(c, &st, err, kind == 'j' ? "SELECT id, ns, name FROM job WHERE name = ?1 AND ns = ?2" : "SELECT id, ns, name FROM dataset WHERE name = ?1 AND ns = ?2", "");
    for (size_t i = 0; i + n <= text.n && status == DP_OK; i++) {
        if (n && memcmp(text.p + i, between, n) != 0) continue;
        c->sq.bind_text(st, 1, text.p + i + n, (int)(text.n - i - n), NULL);
        c->sq.bind_text(st, 2, text.p, (int)i, NULL);
        if (dp_cat_next(c, st, &status, err)) add_found(c, kind, st, f);
        c->sq.reset(st);
    }
    c->sq.finalize(st);
    if (f->n) qsort(f->v, f->n, sizeof *f->v, by_names);
    return status;
}

static enum dp_status collect(struct dp_catalog *c, char kind, struct dp_str name, struct dp_str ns, struct found *f, struct dp_err *err) {
    void *st;
    char sql[120];
    snprintf(sql, sizeof sql, "SELECT id, ns, name FROM %s WHERE name = ?1%s ORDER BY name, ns LIMIT %d", kind == 'j' ? "job" : "dataset", ns.p ? " AND ns = ?2" : "", MOST_FOUND);
    enum dp_status status = dp_cat_query(c, &st, err, sql, ns.p ? "ss" : "s", name, ns);
    while (dp_cat_next(c, st, &status, err)) add_found(c, kind, st, f);
    c->sq.finalize(st);
    return status;
}

/* Names that end in the text, from a separator on: all names are gone through, in their index. */
static enum dp_status collect_ends(struct dp_catalog *c, char kind, struct dp_str text, struct found *f, struct dp_err *err) {
    void *st;
    enum dp_status status = dp_cat_query(c, &st, err, kind == 'j' ? "SELECT id, ns, name FROM job ORDER BY name, ns" : "SELECT id, ns, name FROM dataset ORDER BY name, ns", "");
    while (f->n < MOST_FOUND && dp_cat_next(c, st, &status, err)) {
        struct dp_str name = dp_cat_str(c, st, 2);
        if (name.n > text.n && dp_str_ends(name, text) && memchr("/.:", name.p[name.n - text.n - 1], 3)) add_found(c, kind, st, f);
    }
    c->sq.finalize(st);
    return status;
}

/* From the sharpest meaning to the vaguest; the first that is there counts.  Behind # of a URL stands a column, which is no part of the dataset's name and not passed over.  `ends`: the end of a name is a meaning too. */
static enum dp_status by_name(struct dp_catalog *c, char kind, struct dp_str text, const char *cwd, bool ends, struct found *f, struct dp_err *err) {
    static const char *const between[] = {"/", "", ":"};
    struct dp_ol_name id = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < 3 && status == DP_OK && !f->n; i++) status = collect_cuts(c, kind, text, between[i], f, err);
    if (status == DP_OK && !f->n) status = collect(c, kind, text, dp_str(NULL, 0), f, err);
    if (status == DP_OK && !f->n && kind == 'd') {
        char *what = dp_strndup(text.p, text.n);
        if (!(strstr(what, "://") && strchr(what, '#')) && dp_ol_name_of(what, cwd, &id, NULL) == DP_OK) status = collect(c, kind, dp_str_z(id.name), dp_str_z(id.ns), f, err);
        dp_ol_name_release(&id);
        free(what);
    }
    if (status == DP_OK && !f->n && ends) status = collect_ends(c, kind, text, f, err);
    return status;
}

/* The nearest of all last parts of names. */
static void nearest(struct dp_catalog *c, const char *kinds, struct dp_str text, struct dp_buf *out) {
    struct dp_arena a = {0};
    const char **words = NULL;
    size_t n = 0, cap = 0;
    char *what = dp_strndup(text.p, text.n);
    const char *slash = strrchr(what, '/');
    for (int k = 0; k < 2; k++) {
        void *st;
        enum dp_status status = DP_OK;
        if (!strchr(kinds, k ? 'j' : 'd')) continue;
        status = dp_cat_query(c, &st, NULL, k ? "SELECT name FROM job LIMIT 20000" : "SELECT name FROM dataset LIMIT 20000", "");
        while (dp_cat_next(c, st, &status, NULL)) {
            struct dp_str name = dp_cat_str(c, st, 0);
            words = dp_grow(words, &cap, n + 3, sizeof *words);
            char *z = dp_arena_printf(&a, "%.*s", (int)(name.n > 4000 ? 4000 : name.n), name.p);
            words[n++] = z;
            const char *last = strrchr(z, '/'), *dot = strrchr(z, '.');
            if (last && last[1]) words[n++] = last + 1;
            else if (dot && dot[1]) words[n++] = dot + 1;
        }
        c->sq.finalize(st);
    }
    words = dp_grow(words, &cap, n + 1, sizeof *words);
    words[n] = NULL;
    const char *near = dp_str_nearest(what, words);
    if (!near && slash && slash[1]) near = dp_str_nearest(slash + 1, words);
    if (near) dp_buf_addf(out, "; did you mean %.150s?", near);
    free(words), free(what);
    dp_arena_release(&a);
}

static enum dp_status several(const struct found *f, struct dp_str text, struct dp_err *err) {
    struct dp_buf b = {0};
    for (size_t i = 0; i < f->n && i < 5; i++) {
        dp_buf_addz(&b, i ? ", " : "");
        if (f->v[i].kind == 'j') dp_buf_addz(&b, "job:");
        dp_catalog_node_print(&f->v[i], &b);
    }
    enum dp_status status = dp_err_set(err, DP_USAGE, "%.*s is the name of several: %.300s%s", DP_STR_FMT(text), dp_buf_z(&b), f->n > 5 ? ", ..." : "");
    dp_buf_release(&b);
    return status;
}

static enum dp_status find_field(struct dp_catalog *c, struct dp_catalog_node *d, struct dp_str field, struct dp_err *err) {
    void *st;
    const char **words = NULL;
    size_t n = 0, cap = 0;
    struct dp_arena a = {0};
    enum dp_status status = dp_cat_query(c, &st, err, "SELECT id, name FROM field WHERE dataset = ?1 ORDER BY name LIMIT 20000", "i", d->id);
    while (dp_cat_next(c, st, &status, err)) {
        struct dp_str name = dp_cat_str(c, st, 1);
        if (dp_str_eq(name, field)) d->kind = 'c', d->id = dp_cat_i64(c, st, 0);
        words = dp_grow(words, &cap, n + 2, sizeof *words);
        words[n++] = dp_arena_printf(&a, "%.*s", (int)(name.n > 4000 ? 4000 : name.n), name.p);
    }
    c->sq.finalize(st);
    if (status == DP_OK && d->kind == 'c') d->field = dp_strndup(field.p, field.n);
    if (status == DP_OK && d->kind != 'c') {
        char *what = dp_strndup(field.p, field.n);
        words = dp_grow(words, &cap, n + 1, sizeof *words);
        words[n] = NULL;
        const char *near = dp_str_nearest(what, words);
        status = dp_err_set(err, DP_USAGE, "%.200s has no column %.100s%s%.100s%s", d->name, what, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        free(what);
    }
    free(words);
    dp_arena_release(&a);
    return status;
}

static enum dp_status look(struct dp_catalog *c, struct dp_str text, const char *kinds, const char *cwd, bool ends, struct found *f, struct dp_err *err) {
    if (strpbrk(kinds, "dc")) DP_TRY(by_name(c, 'd', text, cwd, ends, f, err));
    return strchr(kinds, 'j') ? by_name(c, 'j', text, cwd, ends, f, err) : DP_OK;
}

/* DATASET#COLUMN where the dataset's name is whole and the column is there: before names are gone through for their ends, which takes its time. */
static enum dp_status whole_column(struct dp_catalog *c, struct dp_str t, const char *kinds, const char *cwd, struct found *f, struct dp_str *field, struct dp_err *err) {
    if (!memchr(t.p, '#', t.n)) return DP_OK;
    DP_TRY(look(c, t, kinds, cwd, false, f, err));
    bool is_name = f->n > 0;
    found_release(f);
    for (size_t i = t.n; !is_name && i-- > 1;) {
        void *st;
        bool is_there = false;
        if (t.p[i] != '#') continue;
        *field = dp_str(t.p + i + 1, t.n - i - 1);
        DP_TRY(look(c, dp_str(t.p, i), "d", cwd, false, f, err));
        if (!f->n) continue;
        enum dp_status status = dp_cat_query(c, &st, err, "SELECT 1 FROM field WHERE dataset = ?1 AND name = ?2", "is", f->v[0].id, *field);
        if (status == DP_OK) is_there = f->n == 1 && dp_cat_next(c, st, &status, err);
        c->sq.finalize(st);
        if (status || is_there) return status;
        found_release(f);
    }
    *field = dp_str(NULL, 0);
    return DP_OK;
}

enum dp_status dp_catalog_find(struct dp_catalog *c, const char *text, const char *kinds, const char *cwd, struct dp_catalog_node *out, struct dp_err *err) {
    struct found f = {0};
    struct dp_str t = dp_str_z(text), field = {0};
    enum dp_status status = strchr(kinds, 'c') ? whole_column(c, t, kinds, cwd, &f, &field, err) : DP_OK;
    *out = (struct dp_catalog_node){0};
    if (status == DP_OK && !f.n) status = look(c, t, kinds, cwd, true, &f, err);
    if (status == DP_OK && !f.n && dp_str_starts(t, DP_STR("job:")) && strchr(kinds, 'j')) status = look(c, dp_str(t.p + 4, t.n - 4), "j", cwd, true, &f, err);
    if (status == DP_OK && !f.n && dp_str_starts(t, DP_STR("dataset:"))) {
        t = dp_str(t.p + 8, t.n - 8);
        status = look(c, t, "d", cwd, true, &f, err);
    }
    for (size_t i = t.n; status == DP_OK && !f.n && i-- > 1 && strchr(kinds, 'c');)
        if (t.p[i] == '#') {
            status = look(c, dp_str(t.p, i), "d", cwd, true, &f, err);
            if (f.n) field = dp_str(t.p + i + 1, t.n - i - 1);
        }
    if (status == DP_OK && f.n > 1) status = several(&f, t, err);
    if (status == DP_OK && !f.n) {
        struct dp_buf b = {0};
        nearest(c, kinds, t, &b);
        status = dp_err_set(err, DP_USAGE, "the store knows no %s of the name %.200s%s", strchr(kinds, 'j') ? strpbrk(kinds, "dc") ? "dataset or job" : "job" : "dataset", text, dp_buf_z(&b));
        dp_buf_release(&b);
    }
    if (status == DP_OK && field.p) status = find_field(c, &f.v[0], field, err);
    if (status == DP_OK) *out = f.v[0], f.v[0] = (struct dp_catalog_node){0};
    found_release(&f);
    return status;
}
