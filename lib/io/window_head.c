/*
 * The header behind the windows: names and types of the rows' fields, and what each was made of: keys are handed on and all fields are grouped by them, results
 * are aggregations, those that count hide what they count, and the time's window decides which records come together (dp/record/lineage.h).
 */
#include "window_priv.h"

#include <dp/record/lineage.h>

#include <stdlib.h>

const char *const *window_reserved(const struct dp_windowing *o) {
    static const char *const names[] = {"last_seen", "absent_ms", "window_start", "window_end", "op", "pane", NULL};
    return o->is_absence ? names : names + 2;
}

static bool has_op(const struct windowing *w) { return w->spec.emit != DP_WINDOW_FINAL || w->o->early; }

/* ---- types ---- */

static void add(struct dp_type *to, enum dp_type_id id, const char *name, bool nullable) {
    struct dp_type *t = dp_type_new(id, dp_str_z(name));
    t->nullable = nullable;
    t->utc = id == DP_TYPE_TIMESTAMP;
    dp_type_add(to, t);
}

static void add_key(struct dp_type *to, const struct window_key *k, const struct dp_type *in) {
    const struct dp_type *from = in && k->path.n == 1 && k->path.steps[0].kind == DP_STEP_KEY ? dp_type_child(in, dp_str(k->path.steps[0].key, k->path.steps[0].key_n)) : NULL;
    struct dp_type *t = dp_type_new(DP_TYPE_NONE, dp_str_z(k->name));
    if (from && !dp_type_is_nested(from)) {
        struct dp_type named = *from;
        named.name = t->name, named.name_n = t->name_n;
        named.field_id = -1, named.metadata = NULL;
        struct dp_type *copy = dp_type_copy(&named);
        dp_type_free(t);
        t = copy;
    }
    t->nullable = false;
    dp_type_add(to, t);
}

static struct dp_type *schema_of(const struct windowing *w, const struct dp_type *in) {
    struct dp_type *t = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    enum dp_type_id time = w->o->epoch_ms ? DP_TYPE_INT64 : DP_TYPE_TIMESTAMP;
    t->nullable = false;
    if (w->o->time) {
        add(t, time, "window_start", false);
        add(t, time, "window_end", false);
    }
    if (w->o->is_absence) {
        add(t, time, "last_seen", false);
        add(t, DP_TYPE_INT64, "absent_ms", false);
    }
    for (size_t i = 0; i < w->n_keys; i++) add_key(t, &w->keys[i], in);
    size_t first = t->n_children;
    dp_aggs_schema(w->aggs, in, t);
    for (size_t i = first; has_op(w) && i < t->n_children; i++) t->children[i]->nullable = true; /* a retraction has none */
    if (has_op(w)) {
        add(t, DP_TYPE_STRING, "op", false);
        add(t, DP_TYPE_INT64, "pane", false);
    }
    return t;
}

/* ---- origins ---- */

/* What the fields are made of, gathered before it is told. */
struct made {
    struct dp_lineage_made *v;
    struct dp_lineage_on *on; /* `on` of an entry counts from here */
    size_t n, cap, n_on, cap_on;
    size_t *from, cap_from;   /* of each entry: its first in `on` */
};

static void add_made(struct made *m, const char *name, const char *what) {
    m->v = dp_grow(m->v, &m->cap, m->n + 1, sizeof *m->v);
    m->from = dp_grow(m->from, &m->cap_from, m->n + 1, sizeof *m->from);
    m->from[m->n] = m->n_on;
    m->v[m->n++] = (struct dp_lineage_made){.name = dp_str_z(name), .what = what};
}

static void add_on(struct made *m, struct dp_str field, unsigned how) {
    m->on = dp_grow(m->on, &m->cap_on, m->n_on + 1, sizeof *m->on);
    m->on[m->n_on++] = (struct dp_lineage_on){.field = field, .how = how};
    if (m->n) m->v[m->n - 1].n++;
}

/* The field that a path begins at; no pointer: the record itself, or an element of it. */
static struct dp_str top_of(const struct dp_path *p) {
    bool named = p->n && p->steps[0].kind == DP_STEP_KEY;
    return named ? dp_str(p->steps[0].key, p->steps[0].key_n) : dp_str(NULL, 0);
}

static void add_path(struct made *m, const struct dp_path *p, unsigned how) {
    if (p->n) add_on(m, top_of(p), how);
}

static void add_agg(struct made *m, const char *name, const struct dp_agg_reads *r) {
    const char *const *fields;
    size_t n;
    unsigned how = r->counts ? DP_HOW_MASKED(DP_HOW_AGGREGATION) : DP_HOW_AGGREGATION;
    add_made(m, name, "derived");
    if (r->value) add_on(m, top_of(r->value), how);
    else if (r->whole) add_on(m, dp_str(NULL, 0), how);
    if (r->where && !dp_expr_fields(r->where, &fields, &n)) add_on(m, dp_str(NULL, 0), DP_HOW_FILTER);
    else if (r->where)
        for (size_t i = 0; i < n; i++) add_on(m, dp_str_z(fields[i]), DP_HOW_FILTER);
}

static void add_fields(const struct windowing *w, struct made *m) {
    if (w->o->time) {
        add_made(m, "window_start", "derived"), add_path(m, &w->time, DP_HOW_TRANSFORMATION);
        add_made(m, "window_end", "derived"), add_path(m, &w->time, DP_HOW_TRANSFORMATION);
    }
    if (w->o->is_absence) {
        add_made(m, "last_seen", "derived"), add_path(m, &w->time, DP_HOW_AGGREGATION);
        add_made(m, "absent_ms", "derived"), add_path(m, &w->time, DP_HOW_AGGREGATION);
    }
    for (size_t i = 0; i < w->n_keys; i++) {
        struct dp_str top = top_of(&w->keys[i].path);
        bool is_copy = w->keys[i].path.n == 1 && top.p;
        add_made(m, w->keys[i].name, is_copy ? NULL : "derived");
        add_path(m, &w->keys[i].path, is_copy ? DP_HOW_IDENTITY : DP_HOW_TRANSFORMATION);
    }
    for (size_t i = 0; i < dp_aggs_count(w->aggs); i++) {
        struct dp_agg_reads r;
        dp_agg_reads(w->aggs, i, &r);
        if (!r.expression) add_agg(m, dp_aggs_name(w->aggs, i), &r);
    }
    if (has_op(w)) add_made(m, "op", "derived"), add_made(m, "pane", "derived");
}

/* What the rows as a whole hang on. */
static void amend_all(const struct windowing *w, struct dp_mark *begin) {
    struct made all = {.v = NULL};
    for (size_t i = 0; i < w->n_keys; i++) add_path(&all, &w->keys[i].path, DP_HOW_GROUP_BY);
    if (w->o->time) add_path(&all, &w->time, DP_HOW_WINDOW);
    if (w->is_changes || w->has_schema_changes) add_path(&all, &w->change, DP_HOW_CONDITIONAL);
    dp_lineage_all(begin, all.on, all.n_on);
    free(all.on);
}

/* ... | .half = (.n / 2): results over those before them. */
static void amend_expressions(const struct windowing *w, struct dp_mark *begin) {
    for (size_t i = 0; i < dp_aggs_count(w->aggs); i++) {
        struct dp_agg_reads r;
        struct dp_buf program = {0};
        struct dp_expr *e = NULL;
        dp_agg_reads(w->aggs, i, &r);
        if (!r.expression) continue;
        dp_buf_addz(&program, ".[");
        dp_json_add_string(&program, dp_str_z(dp_aggs_name(w->aggs, i)));
        dp_buf_addf(&program, "] = [(%s)]", r.expression);
        if (dp_expr_compile(dp_buf_str(&program), &e, NULL) == DP_OK) dp_lineage_map(e, "dp-window", begin);
        dp_expr_free(e);
        dp_buf_release(&program);
    }
}

void window_header(const struct windowing *w, struct dp_mark *begin) {
    struct made m = {.v = NULL};
    struct dp_type *schema = schema_of(w, begin->schema);
    amend_all(w, begin); /* in the words of what comes in */
    add_fields(w, &m);
    for (size_t i = 0; i < m.n; i++) m.v[i].on = m.on ? m.on + m.from[i] : NULL;
    dp_lineage_make(begin, "dp-window", m.v, m.n, true);
    dp_type_free(begin->schema);
    begin->schema = dp_type_copy(schema);
    amend_expressions(w, begin);
    dp_type_free(begin->schema); /* of expressions too it is the aggregates' to say */
    begin->schema = schema;
    free(m.v), free(m.on), free(m.from);
}
