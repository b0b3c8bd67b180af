/*
 * The nodes of a walk as a person reads them: nearer ones first, then datasets with their columns and jobs, by name, whatever order the store has them in; and files that are parts of one
 * dataset (dp/rules/fold.h) as that one.
 */
#include "lineage.h"

#include <dp/base/map.h>
#include <dp/rules/fold.h>

#include <stdlib.h>

static const char *const level_words[] = {"", "unknown", "indirect", "masked", "direct"};

/* ---- a node ---- */

enum dp_status lineage_add_named(struct dp_catalog *c, const struct dp_walk_node *n, const struct dp_catalog_node *names, size_t files, bool how, bool json, bool first, struct dp_buf *b, struct dp_err *err) {
    struct dp_catalog_node by = {0};
    if (n->by && json) DP_TRY(dp_catalog_view(c, 'j', n->by, &by, err));
    if (json) {
        dp_buf_addz(b, first ? "{" : ",{");
        lineage_add_json(names, b);
        if (files) dp_buf_addf(b, ",\"files\":%zu", files);
        dp_buf_addf(b, ",\"depth\":%d", n->depth);
        if (how) dp_buf_addf(b, ",\"how\":\"%s\"", level_words[n->level]);
        if (n->rows) dp_buf_addf(b, ",\"rows\":\"%s\"", level_words[n->rows]);
        if (n->by) dp_buf_addz(b, ",\"by\":{"), lineage_add_json(&by, b), dp_buf_addc(b, '}');
        dp_buf_addc(b, '}');
        return DP_OK;
    }
    dp_json_add_i64(b, n->depth);
    dp_buf_addz(b, n->kind == 'd' ? "\tdataset\t" : n->kind == 'j' ? "\tjob\t" : "\tcolumn\t");
    if (how) dp_buf_addz(b, level_words[n->level]), dp_buf_addc(b, '\t');
    lineage_add_name(names, b);
    if (files) dp_buf_addf(b, "\t%zu files", files);
    dp_buf_addz(b, n->rows >= DP_WALK_INDIRECT ? "\trows\n" : "\n");
    return DP_OK;
}

enum dp_status lineage_add_node(struct dp_catalog *c, const struct dp_walk_node *n, bool how, bool json, bool first, struct dp_buf *b, struct dp_err *err) {
    struct dp_catalog_node names = {0};
    DP_TRY(dp_catalog_view(c, n->kind, n->id, &names, err));
    return lineage_add_named(c, n, &names, 0, how, json, first, b, err);
}

void lineage_add_asked(const struct lineage_nodes *s, struct dp_buf *b) {
    struct dp_fold_name *v = dp_calloc(s->n + 1, sizeof *v);
    struct dp_fold_group *groups = NULL;
    struct dp_arena arena = {0};
    struct dp_catalog_node one = s->v[0];
    for (size_t i = 0; i < s->n; i++) v[i] = (struct dp_fold_name){.ns = dp_str_z(s->v[i].ns), .name = dp_str_z(s->v[i].name)};
    bool is_folded = s->n > 1 && dp_fold_group(v, s->n, &arena, &groups) == 1;
    char *name = is_folded ? dp_strndup(groups[0].name.p, groups[0].name.n) : NULL;
    if (name) one.name = name;
    dp_buf_addc(b, '{'), lineage_add_json(&one, b);
    if (name && one.kind == 'd') dp_buf_addf(b, ",\"files\":%zu", s->n);
    dp_buf_addc(b, '}');
    free(name), free(groups), free(v);
    dp_arena_release(&arena);
}

/* ---- all of them ---- */

struct told {
    struct dp_walk_node node;
    struct dp_catalog_node names; /* borrowed */
    size_t files;
};

struct telling {
    struct dp_catalog *c;
    struct told *v;
    size_t n;
    struct dp_arena arena;
    struct dp_err *err;
};

static int order(const void *x, const void *y) {
    const struct told *a = x, *b = y;
    int by = (a->node.depth > b->node.depth) - (a->node.depth < b->node.depth);
    if (!by) by = (a->node.kind == 'j') - (b->node.kind == 'j');
    if (!by) by = strcmp(a->names.ns, b->names.ns);
    if (!by) by = strcmp(a->names.name, b->names.name);
    if (!by) by = (a->node.kind == 'c') - (b->node.kind == 'c');
    return by || a->node.kind != 'c' ? by : strcmp(a->names.field, b->names.field);
}

static enum dp_status view_all(struct telling *t, const struct dp_walk *w) {
    t->v = dp_calloc(w->n + 1, sizeof *t->v);
    for (; t->n < w->n; t->n++) {
        t->v[t->n].node = w->v[t->n];
        DP_TRY(dp_catalog_view(t->c, w->v[t->n].kind, w->v[t->n].id, &t->v[t->n].names, t->err));
    }
    return DP_OK;
}

/* Tables that could be taken for files by their names stay apart. */
static enum dp_status part_tables(struct telling *t, struct dp_fold_name *v, bool *any) {
    for (size_t i = 0; i < t->n; i++)
        if (v[i].group != DP_FOLD_ALONE) {
            DP_TRY(dp_catalog_is_table(t->c, t->v[i].node.dataset ? t->v[i].node.dataset : t->v[i].node.id, &v[i].is_apart, t->err));
            *any = *any || v[i].is_apart;
        }
    return DP_OK;
}

/* One node of what were two: as near and as dependent as either is. */
static void unite(struct told *to, const struct told *other) {
    bool is_before = other->node.depth < to->node.depth;
    struct dp_walk_node n = is_before ? other->node : to->node;
    n.level = other->node.level > to->node.level ? other->node.level : to->node.level;
    n.rows = other->node.rows > to->node.rows ? other->node.rows : to->node.rows;
    to->node = n;
}

/* Members of a group, and columns of them, go into the first by name. */
static void unite_all(struct telling *t, const struct dp_fold_name *v, const struct dp_fold_group *groups) {
    struct dp_map met = {0};
    struct dp_buf key = {0};
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++) {
        struct told *x = &t->v[i];
        bool is_new = true;
        struct dp_map_item *it = NULL;
        if (v[i].group != DP_FOLD_ALONE) {
            dp_buf_reset(&key);
            dp_buf_addf(&key, "%u#", v[i].group);
            if (x->node.kind == 'c') dp_buf_addz(&key, "#"), dp_buf_addz(&key, x->names.field);
            it = dp_map_put(&met, dp_buf_str(&key), &is_new);
            x->names.name = dp_arena_printf(&t->arena, "%.*s", DP_STR_FMT(groups[v[i].group].name));
            x->files = x->node.kind == 'd';
        }
        if (!is_new) {
            t->v[it->v.u].files += x->files;
            unite(&t->v[it->v.u], x);
            continue;
        }
        if (it) it->v.u = kept;
        t->v[kept++] = *x;
    }
    t->n = kept;
    dp_buf_release(&key);
    dp_map_release(&met);
}

/* The datasets of columns count too, told or not; what is united is in order before, so that it is the same whatever the store's order is. */
static enum dp_status fold(struct telling *t) {
    struct dp_fold_name *v = dp_calloc(t->n + 1, sizeof *v);
    struct dp_fold_group *groups = NULL;
    bool any = false;
    for (size_t i = 0; i < t->n; i++) {
        const struct dp_catalog_node *n = &t->v[i].names;
        v[i] = (struct dp_fold_name){.ns = dp_str_z(n->ns), .name = dp_str_z(n->name), .is_apart = n->kind != 'd'};
    }
    size_t n = dp_fold_group(v, t->n, &t->arena, &groups);
    enum dp_status status = n ? part_tables(t, v, &any) : DP_OK;
    if (any) free(groups), n = dp_fold_group(v, t->n, &t->arena, &groups);
    if (n && status == DP_OK) {
        struct dp_map of = {0}; /* group by dataset */
        for (size_t i = 0; i < t->n; i++)
            if (v[i].group != DP_FOLD_ALONE) dp_map_put(&of, dp_str((const char *)&t->v[i].node.id, sizeof t->v[i].node.id), NULL)->v.u = v[i].group;
        for (size_t i = 0; i < t->n; i++) {
            struct dp_map_item *it = t->v[i].node.kind == 'c' ? dp_map_get(&of, dp_str((const char *)&t->v[i].names.dataset, sizeof t->v[i].names.dataset)) : NULL;
            if (it) v[i].group = (uint32_t)it->v.u;
        }
        unite_all(t, v, groups);
        dp_map_release(&of);
    }
    free(groups), free(v);
    return status;
}

static enum dp_status print(struct telling *t, struct dp_cli *cli, bool columns, size_t *counts) {
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    if (cli->common.json) dp_buf_addc(&b, '[');
    for (size_t i = 0; i < t->n && status == DP_OK; i++) {
        const struct told *x = &t->v[i];
        counts[x->node.kind == 'd' ? 0 : x->node.kind == 'j' ? 1 : 2]++;
        status = lineage_add_named(t->c, &x->node, &x->names, x->files, columns, cli->common.json, i == 0, &b, t->err);
        if (cli->common.json || b.n < (1 << 16)) continue;
        if (status == DP_OK) status = lineage_write(cli, &b, t->err);
        dp_buf_reset(&b);
    }
    if (cli->common.json) {
        dp_buf_addc(&b, ']');
        dp_cli_report(cli, "nodes", dp_buf_str(&b));
    } else if (status == DP_OK) {
        status = lineage_write(cli, &b, t->err);
    }
    dp_buf_release(&b);
    return status;
}

enum dp_status lineage_print_walk(struct dp_cli *cli, struct dp_catalog *c, const struct dp_walk *w, bool columns, bool each, size_t *n, struct dp_err *err) {
    struct telling t = {.c = c, .err = err};
    size_t counts[3] = {0};
    enum dp_status status = view_all(&t, w);
    if (status == DP_OK && t.n) qsort(t.v, t.n, sizeof *t.v, order);
    if (status == DP_OK && !each) status = fold(&t);
    if (status == DP_OK && t.n && !each) qsort(t.v, t.n, sizeof *t.v, order);
    if (status == DP_OK) status = print(&t, cli, columns, counts);
    dp_cli_report_u64(cli, "datasets", counts[0]);
    dp_cli_report_u64(cli, "jobs", counts[1]);
    if (columns) dp_cli_report_u64(cli, "columns", counts[2]);
    if (n) memcpy(n, counts, sizeof counts);
    free(t.v);
    dp_arena_release(&t.arena);
    return status;
}
