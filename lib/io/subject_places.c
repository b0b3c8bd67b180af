/*
 * Where a person's data may be (dp/io/subject.h): operands and what lineage knows, with the columns to search in each.
 *
 * Columns are found by their names in a place's schema, at any depth; by what --column says; and by lineage: whatever an edge of identity joins with such a column, up and down, holds the
 * same values.  A column that is reached through a mask is told and not searched by lineage.
 */
#include "lake_priv.h"
#include "subject_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/io/catalog_query.h>
#include <dp/io/lake.h>
#include <dp/io/typed.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct wanted { char *dataset, *column, *id; bool is_used; };

struct finding {
    struct dp_run *run;
    const struct dp_subject *s;
    const struct dp_subject_where *w;
    struct dp_subject_places *out;
    struct dp_map by_name;                /* place's name -> its index */
    struct wanted *wanted;                /* of w->columns */
    struct dp_catalog_flow_edge *edges;
    size_t n_edges, cap_edges;
    struct dp_map clear, masked, owner;   /* field -> bits of names; -> its dataset */
    char *names[DP_LIMIT_SUBJECT_NAMES];  /* borrowed from s */
    size_t n_names;
};

/* ---- places ---- */

static void place_release(struct dp_subject_place *p) {
    for (size_t i = 0; i < p->n_columns; i++) free(p->columns[i].column), free(p->columns[i].id);
    for (size_t i = 0; i < p->n_masked; i++) free(p->masked[i]);
    free(p->columns), free(p->masked), free(p->name), free(p->fault);
    dp_type_free(p->schema);
}

void dp_subject_places_release(struct dp_subject_places *p) {
    for (size_t i = 0; i < p->n; i++) place_release(&p->v[i]);
    free(p->v);
    *p = (struct dp_subject_places){0};
}

/* That of this name; a new one is to be searched.  Borrowed until the next. */
static struct dp_subject_place *place_of(struct finding *f, const char *name) {
    bool is_new = false;
    struct dp_map_item *item = dp_map_put(&f->by_name, dp_str_z(name), &is_new);
    if (is_new) {
        item->v.u = f->out->n;
        f->out->v = dp_grow(f->out->v, &f->out->cap, f->out->n + 1, sizeof *f->out->v);
        f->out->v[f->out->n++] = (struct dp_subject_place){.name = dp_strdup(name), .state = DP_SUBJECT_SEARCHED};
    }
    return &f->out->v[item->v.u];
}

static void set_fault(struct dp_subject_place *p, enum dp_subject_state state, const char *why) {
    p->state = state;
    free(p->fault);
    p->fault = dp_strdup(why);
}

static void add_column(struct dp_subject_place *p, const char *column, const char *id, enum dp_subject_why why) {
    for (size_t i = 0; i < p->n_columns; i++)
        if (!strcmp(p->columns[i].column, column) && subject_same_name(p->columns[i].id, id)) {
            if (why == DP_SUBJECT_TOLD) p->columns[i].why = why;
            return;
        }
    p->columns = dp_grow(p->columns, &p->cap_columns, p->n_columns + 1, sizeof *p->columns);
    p->columns[p->n_columns++] = (struct dp_subject_column){dp_strdup(column), dp_strdup(id), why};
}

static void add_masked(struct dp_subject_place *p, const char *column) {
    for (size_t i = 0; i < p->n_masked; i++)
        if (!strcmp(p->masked[i], column)) return;
    p->masked = dp_grow(p->masked, &p->cap_masked, p->n_masked + 1, sizeof *p->masked);
    p->masked[p->n_masked++] = dp_strdup(column);
}

/* Is it that dataset, by its whole name or the end of it from a slash on? */
static bool is_dataset(const char *name, const char *word) {
    size_t n = strlen(name), k = strlen(word);
    char *real = *word == '/' ? NULL : realpath(word, NULL);
    bool same = !strcmp(name, word) || (real && !strcmp(name, real)) || (k && n > k && name[n - k - 1] == '/' && !strcmp(name + n - k, word));
    free(real);
    return same;
}

/* ---- operands ---- */

static enum dp_status on_lake(void *ctx, const struct dp_lake_found *found, struct dp_err *err) {
    (void)err;
    if (found->d) (void)place_of(ctx, found->path);
    return DP_OK;
}

static enum dp_status take_operands(struct finding *f, struct dp_err *err) {
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < f->w->n_operands && status == DP_OK; i++) {
        char *real = realpath(f->w->operands[i], NULL);
        struct stat st;
        if (!real || stat(real, &st) != 0) status = dp_err_sys(err, DP_IO, "cannot open %s", f->w->operands[i]);
        else if (S_ISDIR(st.st_mode) && !dp_typed_is(real)) status = dp_lake_walk(f->run, real, on_lake, f, err);
        else (void)place_of(f, real);
        free(real);
    }
    return status;
}

/* ---- what lineage knows ---- */

static enum dp_status on_dataset(void *ctx, const struct dp_catalog_cell *cells, size_t n, struct dp_err *err) {
    struct finding *f = ctx;
    struct dp_subject_place *p = NULL;
    struct dp_buf name = {0};
    struct stat st;
    bool is_file = dp_str_eqz(cells[0].text, "file"), is_gone = cells[3].number != 0;
    (void)n, (void)err;
    if (!is_file) dp_buf_adds(&name, cells[0].text), dp_buf_addc(&name, '/');
    dp_buf_adds(&name, cells[1].text);
    const char *z = dp_buf_z(&name);
    bool is_there = is_file && stat(z, &st) == 0;
    int why = errno;
    if (is_gone && !is_there) goto out;
    p = place_of(f, z);
    p->dataset = cells[2].number;
    if (!is_file) set_fault(p, DP_SUBJECT_UNREACHABLE, "on another system");
    else if (!is_there && (why == ENOENT || why == ENOTDIR)) set_fault(p, DP_SUBJECT_GONE, "not there any more");
    else if (!is_there) set_fault(p, DP_SUBJECT_UNREACHABLE, strerror(why));
    else if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) set_fault(p, DP_SUBJECT_GONE, "a device or a pipe, which keeps nothing");
    else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) set_fault(p, DP_SUBJECT_UNREACHABLE, "neither a file nor a directory");
out:
    dp_buf_release(&name);
    return DP_OK;
}

static enum dp_status on_flow(void *ctx, int64_t dataset, int64_t job, const struct dp_catalog_flow_edge *edges, size_t n, struct dp_err *err) {
    struct finding *f = ctx;
    (void)dataset, (void)job, (void)err;
    for (size_t i = 0; i < n; i++) {
        if (!edges[i].dst || !edges[i].src || !(edges[i].how & (DP_HOW_IDENTITY | DP_HOW_MASKING))) continue;
        f->edges = dp_grow(f->edges, &f->cap_edges, f->n_edges + 1, sizeof *f->edges);
        f->edges[f->n_edges++] = edges[i];
    }
    return DP_OK;
}

static struct dp_str field_key(const uint32_t *field) { return dp_str((const char *)field, sizeof *field); }
static uint64_t bits(const struct dp_map *m, uint32_t field) {
    const struct dp_map_item *i = dp_map_get(m, field_key(&field));
    return i ? i->v.u : 0;
}
static bool join_bits(struct dp_map *m, uint32_t field, uint64_t with) {
    if (!with) return false;
    struct dp_map_item *i = dp_map_put(m, field_key(&field), NULL);
    bool grew = (i->v.u | with) != i->v.u;
    i->v.u |= with;
    return grew;
}

static const char *last_part(const char *column) {
    const char *dot = strrchr(column, '.');
    return dot ? dot + 1 : column;
}

/* Does the field hold identifiers by itself: by its name, or because it was said? */
static enum dp_status seed(struct finding *f, uint32_t field, struct dp_err *err) {
    struct dp_catalog_node node = {0};
    struct dp_buf dataset = {0};
    if (dp_map_get(&f->owner, field_key(&field))) return DP_OK;
    DP_TRY(dp_catalog_view(f->w->store, 'c', field, &node, err));
    dp_map_put(&f->owner, field_key(&field), NULL)->v.i = node.dataset;
    if (strcmp(node.ns, "file") != 0) dp_buf_addf(&dataset, "%s/", node.ns);
    dp_buf_addz(&dataset, node.name);
    for (size_t i = 0; i < f->n_names; i++) {
        bool is_it = !f->w->only_columns && subject_same_name(last_part(node.field), f->names[i]);
        for (size_t k = 0; k < f->w->n_columns && !is_it; k++)
            is_it = subject_same_name(f->wanted[k].id, f->names[i]) && !strcmp(f->wanted[k].column, node.field) && is_dataset(dp_buf_z(&dataset), f->wanted[k].dataset);
        if (is_it) join_bits(&f->clear, field, (uint64_t)1 << i);
    }
    dp_buf_release(&dataset);
    return DP_OK;
}

/* What a mask makes has the name and not the values: it is no beginning, unless it was told. */
static void unseed_masked(struct finding *f) {
    for (size_t i = 0; i < f->n_edges && !f->w->only_columns; i++) {
        const struct dp_catalog_flow_edge *e = &f->edges[i];
        struct dp_map_item *dst = e->how & DP_HOW_MASKING ? dp_map_get(&f->clear, field_key(&e->dst)) : NULL;
        uint64_t gone = dst && e->src != e->dst ? bits(&f->clear, e->src) : 0;
        if (!gone) continue;
        join_bits(&f->masked, e->dst, gone);
        dst->v.u &= ~gone;
    }
}

/* Until nothing is reached any more: values flow unchanged both ways, what is masked only down. */
static void spread(struct finding *f) {
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < f->n_edges; i++) {
            const struct dp_catalog_flow_edge *e = &f->edges[i];
            if (e->how & DP_HOW_MASKING) {
                grew |= join_bits(&f->masked, e->dst, bits(&f->clear, e->src) | bits(&f->masked, e->src));
                continue;
            }
            grew |= join_bits(&f->clear, e->dst, bits(&f->clear, e->src));
            grew |= join_bits(&f->clear, e->src, bits(&f->clear, e->dst));
            grew |= join_bits(&f->masked, e->dst, bits(&f->masked, e->src));
        }
    }
}

static enum dp_status tell_fields(struct finding *f, const struct dp_map *fields, bool masked, const struct dp_map *places, struct dp_err *err) {
    for (size_t i = 0; i < fields->n; i++) {
        uint32_t field;
        struct dp_catalog_node node = {0};
        memcpy(&field, fields->items[i].key.p, sizeof field);
        DP_TRY(dp_catalog_view(f->w->store, 'c', field, &node, err));
        const struct dp_map_item *at = dp_map_get(places, dp_str((const char *)&node.dataset, sizeof node.dataset));
        for (size_t k = 0; at && k < f->n_names; k++) {
            if (!(fields->items[i].v.u >> k & 1)) continue;
            if (masked && !(bits(&f->clear, field) >> k & 1)) add_masked(&f->out->v[at->v.u], node.field);
            else if (!masked) add_column(&f->out->v[at->v.u], node.field, f->names[k], !f->w->only_columns && subject_same_name(last_part(node.field), f->names[k]) ? DP_SUBJECT_NAMED : DP_SUBJECT_COPIED);
        }
    }
    return DP_OK;
}

static enum dp_status follow_lineage(struct finding *f, struct dp_err *err) {
    struct dp_map places = {0};
    enum dp_status status = dp_catalog_flows(f->w->store, INT64_MAX, on_flow, f, err);
    for (size_t i = 0; i < f->n_edges && status == DP_OK; i++) {
        status = seed(f, f->edges[i].src, err);
        if (status == DP_OK) status = seed(f, f->edges[i].dst, err);
    }
    unseed_masked(f);
    spread(f);
    for (size_t i = 0; i < f->out->n; i++)
        if (f->out->v[i].dataset) dp_map_put(&places, dp_str((const char *)&f->out->v[i].dataset, sizeof f->out->v[i].dataset), NULL)->v.u = i;
    if (status == DP_OK) status = tell_fields(f, &f->clear, false, &places, err);
    if (status == DP_OK) status = tell_fields(f, &f->masked, true, &places, err);
    dp_map_release(&places);
    return status;
}

/* ---- columns of a place ---- */

static void walk_type(struct finding *f, struct dp_subject_place *p, const struct dp_type *t, struct dp_buf *path, unsigned depth) {
    for (size_t i = 0; i < t->n_children && depth < DP_LIMIT_SCHEMA_DEPTH; i++) {
        const struct dp_type *c = t->children[i], *leaf = c;
        size_t was = path->n;
        if (path->n) dp_buf_addc(path, '.');
        dp_buf_addz(path, c->name);
        for (; leaf->id == DP_TYPE_LIST && leaf->n_children; leaf = leaf->children[0]) dp_buf_addz(path, "[]");
        for (size_t k = 0; k < f->n_names && leaf->id != DP_TYPE_STRUCT && leaf->id != DP_TYPE_MAP; k++)
            if (subject_same_name(c->name, f->names[k])) add_column(p, dp_buf_z(path), f->names[k], DP_SUBJECT_NAMED);
        if (leaf->id == DP_TYPE_STRUCT) walk_type(f, p, leaf, path, depth + 1);
        path->n = was;
    }
}

/* *is_typed: the schema is that of all its rows, not of the first alone. */
static enum dp_status learn(struct finding *f, struct dp_subject_place *p, bool *is_typed, struct dp_err *why) {
    char **names = NULL;
    const char *name = p->name;
    size_t n = 0;
    struct dp_run own = subject_run(f->run);
    enum dp_status status = dp_typed_expand(&own, &name, 1, &names, &n, why);
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
    *is_typed = n != 0;
    return status == DP_OK ? lake_learn(&own, p->name, n ? "parquet" : "", &p->schema, why) : status;
}

static void take_wanted(struct finding *f, struct dp_subject_place *p) {
    for (size_t k = 0; k < f->w->n_columns; k++) {
        if (!is_dataset(p->name, f->wanted[k].dataset)) continue;
        f->wanted[k].is_used = true;
        add_column(p, f->wanted[k].column, f->wanted[k].id, DP_SUBJECT_TOLD);
    }
}

/* A column that was told and is not there is a mistake. */
static enum dp_status check_told(const struct dp_subject_place *p, struct dp_err *err) {
    for (size_t i = 0; i < p->n_columns; i++) {
        struct dp_str first = dp_str(p->columns[i].column, strcspn(p->columns[i].column, ".["));
        if (p->columns[i].why != DP_SUBJECT_TOLD || dp_type_child(p->schema, first) || dp_type_child(p->schema, dp_str_z(p->columns[i].column))) continue;
        return dp_type_no_child(p->schema, "--column", p->name, first, err);
    }
    return DP_OK;
}

static enum dp_status look_at(struct finding *f, struct dp_subject_place *p, struct dp_err *err) {
    struct dp_err why = DP_ERR_INIT;
    struct dp_buf path = {0};
    if (dp_run_stopped(f->run, err)) return DP_SIGNALLED;
    take_wanted(f, p);
    if (p->state != DP_SUBJECT_SEARCHED) return DP_OK;
    bool is_typed = false;
    enum dp_status status = learn(f, p, &is_typed, &why);
    if (status == DP_SIGNALLED) return dp_err_set(err, DP_SIGNALLED, "%s", why.msg);
    if (status != DP_OK) {
        set_fault(p, DP_SUBJECT_UNREACHABLE, why.msg);
        return DP_OK;
    }
    if (is_typed && p->schema) status = check_told(p, err);
    if (p->schema && !f->w->only_columns) walk_type(f, p, p->schema, &path, 0);
    for (size_t i = 0; i < f->n_names && !is_typed && !f->w->only_columns; i++) add_column(p, f->names[i], f->names[i], DP_SUBJECT_NAMED); /* later records may have it */
    if (!p->n_columns) {
        p->state = DP_SUBJECT_NO_COLUMN;
        dp_type_free(p->schema);
        p->schema = NULL;
    }
    dp_buf_release(&path);
    return status;
}

/* ---- all ---- */

static enum dp_status read_wanted(struct finding *f, struct dp_err *err) {
    f->wanted = dp_calloc(f->w->n_columns + 1, sizeof *f->wanted);
    for (size_t i = 0; i < f->w->n_columns; i++) {
        const char *word = f->w->columns[i], *eq = strrchr(word, '='), *hash = strrchr(word, '#');
        bool is_known = false;
        if (!eq || !eq[1] || !hash || hash == word || hash + 1 >= eq) return dp_err_set(err, DP_USAGE, "--column %.200s: DATASET#COLUMN=NAME is wanted", word);
        f->wanted[i] = (struct wanted){.dataset = dp_strndup(word, (size_t)(hash - word)), .column = dp_strndup(hash + 1, (size_t)(eq - hash - 1)), .id = dp_strdup(eq + 1)};
        for (size_t k = strlen(f->wanted[i].dataset); k > 1 && f->wanted[i].dataset[k - 1] == '/'; k--) f->wanted[i].dataset[k - 1] = 0;
        for (size_t k = 0; k < f->n_names; k++) is_known = is_known || subject_same_name(f->names[k], f->wanted[i].id);
        if (!is_known) return dp_err_set(err, DP_USAGE, "--column %.200s: no identifier has the name %s", word, f->wanted[i].id);
    }
    return DP_OK;
}

static void take_names(struct finding *f) {
    for (size_t i = 0; i < f->s->n; i++) {
        bool is_new = true;
        for (size_t k = 0; k < f->n_names && is_new; k++) is_new = !subject_same_name(f->names[k], f->s->v[i].name);
        if (is_new && f->n_names < DP_LIMIT_SUBJECT_NAMES) f->names[f->n_names++] = f->s->v[i].name;
    }
}

static int by_name(const void *a, const void *b) { return strcmp(((const struct dp_subject_place *)a)->name, ((const struct dp_subject_place *)b)->name); }

enum dp_status dp_subject_find(struct dp_run *run, const struct dp_subject *s, const struct dp_subject_where *w, struct dp_subject_places *out, struct dp_err *err) {
    struct finding f = {.run = run, .s = s, .w = w, .out = out};
    const struct dp_catalog_args all = {.from = INT64_MIN, .to = INT64_MAX};
    enum dp_status status;
    take_names(&f);
    DP_TRY_OUT(read_wanted(&f, err));
    DP_TRY_OUT(take_operands(&f, err));
    if (w->store) {
        DP_TRY_OUT(dp_catalog_ask(w->store, DP_ASK_DATASETS, &all, on_dataset, &f, err));
        DP_TRY_OUT(follow_lineage(&f, err));
    }
    status = DP_OK;
    for (size_t i = 0; i < out->n && status == DP_OK; i++) status = look_at(&f, &out->v[i], err);
    for (size_t i = 0; i < w->n_columns && status == DP_OK; i++)
        if (!f.wanted[i].is_used) status = dp_err_set(err, DP_USAGE, "--column %.200s: there is no such dataset", w->columns[i]);
    if (out->n) qsort(out->v, out->n, sizeof *out->v, by_name);
out:
    for (size_t i = 0; f.wanted && i < w->n_columns; i++) free(f.wanted[i].dataset), free(f.wanted[i].column), free(f.wanted[i].id);
    free(f.wanted), free(f.edges);
    dp_map_release(&f.by_name), dp_map_release(&f.clear), dp_map_release(&f.masked), dp_map_release(&f.owner);
    return status;
}
