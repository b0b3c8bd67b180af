/*
 * Rows of a row group that an expression excludes (dp/parquet/reader.h): all of them by the bounds in the footer and by bloom filters, or runs
 * of pages by the page indexes.  The columns of a row group have different page borders: the expression is asked of each run of
 * rows that lies between two neighbouring borders of any column that it reads.
 * What it does not do: repeated columns, of which a record has more than one value.
 */
#include "skip_priv.h"
#include <stdlib.h>

/* A page's bounds as records spell them; the texts are in the arena. */
struct spelled {
    bool done, may_nan;
    enum dp_kind kind;
    int8_t nulls; /* -1 not known, 0 none, 1 all */
    struct dp_str min, max;
};

/* A column that the expression reads. */
struct column {
    const struct dp_str *path; /* of the expression, whose texts tell it from others */
    size_t n_path;
    const struct dp_type *type; /* NULL: no statistics hold for it */
    size_t leaf;
    bool is_null; /* in all rows */
    bool has_pages, has_bloom, sought_bloom;
    struct pq_bloom bloom;
    struct dp_pq_offset_index pages;
    struct dp_pq_column_index index;
    struct spelled whole, *spelled;
    size_t page; /* at hand */
};

struct asked {
    const struct dp_pq_file *f;
    size_t group;
    dp_pq_column_of column_of;
    void *ctx;
    bool by_pages;
    struct column *columns;
    size_t n, cap;
    struct lacked { size_t column; const char *p; size_t n; enum dp_kind kind; bool lacks; } *lacked; /* answers of filters */
    size_t n_lacked, cap_lacked;
    struct dp_buf min, max;
    struct dp_arena arena;
};

/* ---- columns ---- */

/* Bounds of these types sort as their spellings do. */
static bool has_order(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_STRING: case DP_TYPE_ENUM: case DP_TYPE_UUID: case DP_TYPE_DATE: case DP_TYPE_TIME: case DP_TYPE_TIMESTAMP: case DP_TYPE_BOOLEAN:
    case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: case DP_TYPE_DECIMAL: return true;
    default: return dp_type_is_integer(t);
    }
}

static const struct dp_type *own_column(const struct asked *a, const struct dp_str *path, size_t n) {
    const struct dp_type *t = dp_pq_schema(a->f);
    for (size_t i = 0; t && i < n; i++) t = t->id == DP_TYPE_STRUCT ? dp_type_child(t, path[i]) : NULL;
    return t;
}

static const struct dp_pq_node *node_of(const struct dp_pq_node *n, const struct dp_type *t) {
    if (n->type == t) return n;
    for (size_t i = 0; i < n->n_children; i++) {
        const struct dp_pq_node *found = node_of(&n->children[i], t);
        if (found) return found;
    }
    return NULL;
}

static void find_leaf(const struct asked *a, struct column *c) {
    const struct dp_pq_meta *m = &a->f->meta;
    const struct dp_type *t = a->column_of ? a->column_of(a->ctx, c->path, c->n_path) : own_column(a, c->path, c->n_path);
    c->is_null = t && t->id == DP_TYPE_NONE;
    const struct dp_pq_node *node = t && has_order(t) ? node_of(a->f->root, t) : NULL;
    if (!node || node->leaf < 0 || m->elements[m->leaves[node->leaf]].max_rep) return;
    c->leaf = (size_t)node->leaf;
    c->type = t;
}

static bool same_path(const struct column *c, const struct dp_str *path, size_t n) {
    if (c->n_path != n) return false;
    for (size_t i = 0; i < n; i++)
        if (c->path[i].p != path[i].p || c->path[i].n != path[i].n) return false;
    return true;
}

static struct column *column(struct asked *a, const struct dp_str *path, size_t n) {
    for (size_t i = 0; i < a->n; i++)
        if (same_path(&a->columns[i], path, n)) return &a->columns[i];
    a->columns = dp_grow(a->columns, &a->cap, a->n + 1, sizeof *a->columns);
    struct column *c = &a->columns[a->n++];
    struct dp_str *copy = dp_arena_alloc(&a->arena, n * sizeof *copy);
    memcpy(copy, path, n * sizeof *copy);
    *c = (struct column){.path = copy, .n_path = n};
    find_leaf(a, c);
    return c;
}

/* ---- bounds ---- */

static void spell(struct asked *a, const struct column *c, const struct dp_pq_stats *s, struct spelled *out) {
    out->done = true;
    out->kind = pq_spell_bounds(&a->f->meta, c->leaf, s, &a->min, &a->max, &out->may_nan);
    if (out->kind == DP_KIND_NONE) return;
    out->min = dp_arena_str(&a->arena, dp_buf_str(&a->min));
    out->max = dp_arena_str(&a->arena, dp_buf_str(&a->max));
}

static void spell_whole(struct asked *a, struct column *c) {
    const struct dp_pq_meta *m = &a->f->meta;
    const struct dp_pq_stats *s = &m->row_groups[a->group].chunks[c->leaf].stats;
    int64_t rows = m->row_groups[a->group].num_rows;
    spell(a, c, s, &c->whole);
    c->whole.nulls = m->elements[m->leaves[c->leaf]].max_def == 0 || s->null_count == 0 ? 0 : s->null_count == rows ? 1 : -1;
}

static void spell_page(struct asked *a, struct column *c, size_t page, struct spelled *out) {
    const struct dp_pq_meta *m = &a->f->meta;
    const struct dp_pq_column_index *x = &c->index;
    struct dp_pq_range rows = pq_page_rows(&c->pages, page, m->row_groups[a->group].num_rows);
    int64_t nulls = x->null_counts ? x->null_counts[page] : -1;
    bool optional = m->elements[m->leaves[c->leaf]].max_def > 0, all = nulls == rows.to - rows.from;
    out->done = true;
    out->nulls = !optional || nulls == 0 ? 0 : -1;
    if (x->null_pages[page]) {
        if (optional && (nulls < 0 || all)) out->nulls = 1;
        else out->nulls = -1; /* it contradicts itself */
        return;
    }
    if (all && optional) return;
    struct dp_pq_stats s = {.has_min = true, .min = x->min[page], .has_max = true, .max = x->max[page], .nan_count = x->nan_counts ? x->nan_counts[page] : -1};
    spell(a, c, &s, out);
}

static const struct spelled *spelled(struct asked *a, struct column *c) {
    if (a->by_pages && c->has_pages) {
        struct spelled *s = &c->spelled[c->page];
        if (!s->done) spell_page(a, c, c->page, s);
        return s;
    }
    if (!c->whole.done) spell_whole(a, c);
    return &c->whole;
}

static bool bounds(void *ctx, const struct dp_str *path, size_t n, struct dp_expr_bounds *out) {
    struct asked *a = ctx;
    struct column *c = column(a, path, n);
    if (c->is_null) *out = (struct dp_expr_bounds){.known = true, .rows = 1, .nulls = 1};
    if (!c->type) return c->is_null;
    const struct spelled *s = spelled(a, c);
    *out = (struct dp_expr_bounds){.known = s->kind != DP_KIND_NONE || s->nulls >= 0, .kind = s->kind, .min = s->min, .max = s->max, .rows = 1,
        .nulls = s->nulls, .may_nan = s->may_nan};
    return out->known;
}

static bool lacks(void *ctx, const struct dp_str *path, size_t n, enum dp_kind kind, struct dp_str value) {
    struct asked *a = ctx;
    struct column *c = column(a, path, n);
    if (!c->type) return false;
    if (!c->sought_bloom) c->sought_bloom = true, c->has_bloom = pq_bloom_open(a->f, a->group, c->leaf, &c->bloom);
    if (!c->has_bloom) return false;
    struct lacked now = {.column = (size_t)(c - a->columns), .p = value.p, .n = value.n, .kind = kind};
    for (size_t i = 0; i < a->n_lacked; i++) {
        const struct lacked *l = &a->lacked[i];
        if (l->column == now.column && l->p == now.p && l->n == now.n && l->kind == kind) return l->lacks;
    }
    now.lacks = pq_bloom_lacks(a->f, &c->bloom, c->leaf, c->type, kind, value);
    a->lacked = dp_grow(a->lacked, &a->cap_lacked, a->n_lacked + 1, sizeof *a->lacked);
    a->lacked[a->n_lacked++] = now;
    return now.lacks;
}

/* ---- runs of rows ---- */

static void add_rows(struct dp_pq_ranges *r, int64_t from, int64_t to) {
    if (r->n && r->v[r->n - 1].to == from) {
        r->v[r->n - 1].to = to;
        return;
    }
    r->v = dp_grow(r->v, &r->cap, r->n + 1, sizeof *r->v);
    r->v[r->n++] = (struct dp_pq_range){from, to};
}

void dp_pq_ranges_release(struct dp_pq_ranges *r) {
    free(r->v);
    *r = (struct dp_pq_ranges){0};
}

/* Loads the page indexes of the columns that were asked for; false: there are none. */
static bool load_pages(struct asked *a) {
    bool some = false;
    for (size_t i = 0; i < a->n; i++) {
        struct column *c = &a->columns[i];
        if (!c->type || a->f->meta.row_groups[a->group].chunks[c->leaf].column_index_offset < 0) continue;
        c->has_pages = pq_offset_index(a->f, a->group, c->leaf, &a->arena, &c->pages) &&
                       pq_column_index(a->f, a->group, c->leaf, c->pages.n_pages, &a->arena, &c->index);
        if (c->has_pages) c->spelled = dp_arena_calloc(&a->arena, c->pages.n_pages, sizeof *c->spelled);
        some |= c->has_pages;
    }
    return some;
}

/* Where the run that begins at `from` ends; each column's page at hand becomes the one that holds it. */
static int64_t run_end(struct asked *a, int64_t from, int64_t rows) {
    int64_t end = rows;
    for (size_t i = 0; i < a->n; i++) {
        struct column *c = &a->columns[i];
        if (!c->has_pages) continue;
        if (c->page + 1 < c->pages.n_pages && c->pages.pages[c->page + 1].first_row == from) c->page++;
        struct dp_pq_range r = pq_page_rows(&c->pages, c->page, rows);
        if (r.to < end) end = r.to;
    }
    return end;
}

static enum dp_maybe skip_pages(struct asked *a, const struct dp_expr *e, const struct dp_expr_facts *facts, struct dp_pq_ranges *out) {
    int64_t rows = a->f->meta.row_groups[a->group].num_rows;
    a->by_pages = true;
    for (int64_t from = 0, to; from < rows; from = to) {
        to = run_end(a, from, rows);
        if (dp_expr_skip(e, facts) != DP_NEVER) add_rows(out, from, to);
    }
    return out->n ? DP_MAYBE : DP_NEVER;
}

enum dp_maybe dp_pq_skip(const struct dp_pq_file *f, size_t row_group, const struct dp_expr *e, dp_pq_column_of column_of, void *ctx, struct dp_pq_ranges *rows) {
    struct asked a = {.f = f, .group = row_group, .column_of = column_of, .ctx = ctx};
    struct dp_expr_facts facts = {.bounds = bounds, .lacks = lacks, .ctx = &a};
    int64_t n_rows = f->meta.row_groups[row_group].num_rows;
    if (rows) rows->n = 0;
    enum dp_maybe v = n_rows > 0 ? dp_expr_skip(e, &facts) : DP_NEVER;
    if (v == DP_MAYBE && rows && load_pages(&a)) v = skip_pages(&a, e, &facts, rows);
    else if (v != DP_NEVER && rows) add_rows(rows, 0, n_rows);
    dp_buf_release(&a.min);
    dp_buf_release(&a.max);
    dp_arena_release(&a.arena);
    free(a.columns);
    free(a.lacked);
    return v;
}
