/*
 * What changed between two contracts, walked pair by pair; whether a change breaks anyone is looked up in what the compatibility check found at
 * the same place.  Printing is in contract_diff_print.c.
 */
#include "compat_priv.h"
#include "contract_priv.h"

#include <dp/base/map.h>
#include <dp/rules/diff.h>
#include <stdlib.h>

struct diffing {
    struct dp_diff *d;
    const struct dp_contract *old, *new_;
    struct dp_compat found;
    bool *told;            /* by reason: a change stands for it */
    struct dp_map by_path; /* 1 + the last reason of a path */
    size_t *before;        /* by reason: 1 + the one before it of the same path, 0: none */
    struct compat_index olds, news;
};

/* ---- recording ---- */

/* A place in both documents: dotted for people, names with slashes as in the reasons. */
struct spot {
    const char *dotted, *old_path, *new_path;
};

static bool take(struct diffing *f, enum dp_compat_direction direction, const char *path, const char *key, uint32_t line) {
    const struct dp_map_item *item = dp_map_get(&f->by_path, dp_str_z(path));
    bool any = false;
    for (size_t i = item ? item->v.u : 0; i; i = f->before[i - 1]) {
        const struct dp_compat_reason *r = &f->found.v[i - 1];
        if ((line && r->line != line) || r->direction != direction || r->is_warning || strcmp(r->key, key) != 0) continue;
        f->told[i - 1] = any = true;
    }
    return any;
}

static void index_reasons(struct diffing *f) {
    f->told = dp_calloc(f->found.n + 1, sizeof *f->told);
    f->before = dp_calloc(f->found.n + 1, sizeof *f->before);
    for (size_t i = 0; i < f->found.n; i++) {
        struct dp_map_item *item = dp_map_put(&f->by_path, dp_str_z(f->found.v[i].path), NULL);
        f->before[i] = item->v.u;
        item->v.u = i + 1;
    }
}

static struct dp_change *add_change(struct diffing *f, enum dp_change_class class_, const char *path, const char *key, const struct dp_yaml_node *old,
                                    const struct dp_yaml_node *new_, const char *text) {
    struct dp_diff *d = f->d;
    d->v = dp_grow(d->v, &d->cap, d->n + 1, sizeof *d->v);
    d->v[d->n] = (struct dp_change){.class_ = class_, .path = dp_arena_strdup(&d->arena, path), .key = dp_arena_strdup(&d->arena, key), .text = text,
                                    .old_line = old ? old->line : 0, .new_line = new_ ? new_->line : 0};
    return &d->v[d->n++];
}

/* A change that may break: the reasons at its place, by one of its keys, say so. `by_line`: only the reason of that very line. */
static void add_weighed(struct diffing *f, const struct spot *s, const char *const *keys, bool by_line, const struct dp_yaml_node *old,
                        const struct dp_yaml_node *new_,
                        const char *text) {
    bool data = false, consumers = false;
    for (int i = 0; keys[i]; i++) {
        data = take(f, DP_COMPAT_IS_BACKWARD, s->new_path, keys[i], by_line && new_ ? new_->line : 0) || data;
        consumers = take(f, DP_COMPAT_IS_FORWARD, s->old_path, keys[i], by_line && old ? old->line : 0) || consumers;
    }
    struct dp_change *c = add_change(f, data || consumers ? DP_CHANGE_BREAKING : DP_CHANGE_COMPATIBLE, s->dotted, keys[0], old, new_, text);
    c->breaks_data = data;
    c->breaks_consumers = consumers;
}

#define KEYS(...) (const char *const[]){__VA_ARGS__, NULL}
#define TEXT(f, ...) dp_arena_printf(&(f)->d->arena, __VA_ARGS__)

/* A value as people read it; NULL: too large to be shown. */
static const char *shown(struct diffing *f, const struct dp_yaml_node *n) {
    if (n->kind == DP_YAML_LIST || n->kind == DP_YAML_MAP) return NULL;
    if (n->text.n > 60) return NULL;
    return n->kind == DP_YAML_STRING ? TEXT(f, "\"%s\"", n->text.p) : TEXT(f, "%s", n->text.p);
}

static const char *value_change(struct diffing *f, const char *key, const struct dp_yaml_node *a, const struct dp_yaml_node *b) {
    const char *old = a ? shown(f, a) : NULL, *new_ = b ? shown(f, b) : NULL;
    if (!a) return new_ ? TEXT(f, "%s %s added", key, new_) : TEXT(f, "%s added", key);
    if (!b) return old ? TEXT(f, "%s %s dropped", key, old) : TEXT(f, "%s dropped", key);
    return old && new_ ? TEXT(f, "%s %s was %s", key, new_, old) : TEXT(f, "%s changed", key);
}

/* Keys whose change means nothing to data. */
static void diff_keys(struct diffing *f, const char *path, enum dp_change_class class_, const char *const *keys,
                      const struct dp_yaml_node *old, const struct dp_yaml_node *new_) {
    for (; *keys; keys++) {
        const struct dp_yaml_node *a = dp_yaml_get(old, *keys), *b = dp_yaml_get(new_, *keys);
        if (!compat_same(a, b)) add_change(f, class_, path, *keys, a, b, value_change(f, *keys, a, b));
    }
}

/* ---- properties ---- */

static const char *type_text(struct diffing *f, const struct dp_contract *c, const struct dp_contract_property *p) {
    enum dp_logical logical = dp_contract_logical(c, p);
    if (logical != DP_LOGICAL_NONE) return contract_logical_words[logical - DP_LOGICAL_STRING];
    return p->physical_type ? TEXT(f, "%s", p->physical_type) : "no type";
}

static void diff_flag(struct diffing *f, const struct spot *s, bool old, bool new_, const char *const *keys, const struct dp_contract_property *a,
                      const struct dp_contract_property *b, const char *on, const char *off) {
    const struct dp_yaml_node *x = dp_yaml_get(a->node, keys[0]), *y = dp_yaml_get(b->node, keys[0]);
    if (old != new_) add_weighed(f, s, keys, false, x ? x : a->node, y ? y : b->node, new_ ? on : off);
}

/* The reason may name the exclusive one of two bounds, or the other. */
static const char *other_bound(const char *key) {
    static const char *const pairs[][2] = {{"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 2; k++)
            if (!strcmp(key, pairs[i][k])) return pairs[i][1 - k];
    return key;
}

static void diff_options(struct diffing *f, const struct spot *s, const struct dp_yaml_node *old, const struct dp_yaml_node *new_) {
    for (int side = 0; side < 2; side++) {
        const struct dp_yaml_node *map = side ? new_ : old;
        for (size_t i = 0; map && map->kind == DP_YAML_MAP && i < map->n; i++) {
            const char *key = map->items[2 * i]->text.p;
            const struct dp_yaml_node *a = dp_yaml_get(old, key), *b = dp_yaml_get(new_, key);
            if ((side && a) || compat_same(a, b) || !strcmp(key, "required")) continue;
            add_weighed(f, s, KEYS(key, other_bound(key)), false, a, b, value_change(f, key, a, b));
        }
    }
    const struct dp_yaml_node *a = dp_yaml_get(old, "required"), *b = dp_yaml_get(new_, "required");
    if (!compat_same(a, b)) add_change(f, DP_CHANGE_COMPATIBLE, s->dotted, "required", a, b, "the list of required properties changed");
}

static bool has_value(const struct dp_yaml_node *list, const struct dp_yaml_node *value) {
    for (size_t i = 0; list && i < list->n; i++)
        if (compat_same(dp_yaml_get(list->items[i], "value"), value)) return true;
    return false;
}

static void list_values(struct diffing *f, const struct dp_yaml_node *in, const struct dp_yaml_node *not_in, const char *word, struct dp_buf *b) {
    size_t n = 0;
    for (size_t i = 0; in && i < in->n; i++) {
        const struct dp_yaml_node *v = dp_yaml_get(in->items[i], "value");
        const char *text = v ? shown(f, v) : NULL;
        if (!text || has_value(not_in, v)) continue;
        if (n++ < 10) dp_buf_addf(b, "%s %s", n == 1 ? (b->n ? "; values" : "values") : ",", text);
    }
    if (n > 10) dp_buf_addf(b, " and %zu more", n - 10);
    if (n) dp_buf_addf(b, " %s", word);
}

static void diff_enum(struct diffing *f, const struct spot *s, const struct dp_yaml_node *old, const struct dp_yaml_node *new_) {
    struct dp_buf b = {0};
    if (compat_same(old, new_)) return;
    if (!old || !new_) {
        const char *text = new_ ? TEXT(f, "values limited to a list of %zu", new_->n) : "no longer limited to a list of values";
        add_weighed(f, s, KEYS("enum"), false, old, new_, text);
        return;
    }
    list_values(f, new_, old, "added", &b);
    list_values(f, old, new_, "dropped", &b);
    if (b.n) add_weighed(f, s, KEYS("enum"), false, old, new_, TEXT(f, "%s", dp_buf_z(&b)));
    else add_change(f, DP_CHANGE_DOCS, s->dotted, "enum", old, new_, "labels or order of the values changed");
    dp_buf_release(&b);
}

static const char *quality_text(struct diffing *f, const struct dp_contract_quality *q) {
    static const char *const kinds[] = {"library", "text", "sql", "custom"};
    struct dp_buf b = {0};
    dp_buf_addz(&b, q->word ? q->word : kinds[q->type]);
    if (q->name) dp_buf_addf(&b, " \"%.60s\"", q->name);
    if (q->op != DP_OPERATOR_NONE) {
        dp_buf_addf(&b, " %s %.*s", contract_operator_words[q->op - DP_OPERATOR_BE], DP_STR_FMT(q->a));
        if (q->b.p) dp_buf_addf(&b, " and %.*s", DP_STR_FMT(q->b));
        if (q->is_percent) dp_buf_addz(&b, " %");
    }
    if (q->severity != DP_SEVERITY_ERROR) dp_buf_addz(&b, q->severity == DP_SEVERITY_WARNING ? " (warning)" : " (info)");
    const char *text = TEXT(f, "%s", dp_buf_z(&b));
    dp_buf_release(&b);
    return text;
}

/* The rule that a rule was: by id, by name, else the same metric (or query) not yet taken. */
static size_t find_rule(const struct dp_contract_quality *q, const struct dp_contract_quality *v, size_t n, const bool *taken) {
    for (size_t i = 0; i < n; i++)
        if (!taken[i] && q->id && v[i].id && !strcmp(q->id, v[i].id)) return i;
    for (size_t i = 0; i < n; i++)
        if (!taken[i] && q->metric == v[i].metric && q->op == v[i].op && dp_str_eq(q->a, v[i].a) && compat_same(q->node, v[i].node)) return i;
    for (size_t i = 0; i < n; i++) {
        bool names = q->name && v[i].name ? !strcmp(q->name, v[i].name) : !q->name == !v[i].name;
        if (!taken[i] && q->type == v[i].type && q->metric == v[i].metric && names) return i;
    }
    return n;
}

static void diff_quality(struct diffing *f, const struct spot *s, const struct dp_contract_quality *old, size_t n_old,
                         const struct dp_contract_quality *new_, size_t n_new) {
    bool *taken = dp_arena_calloc(&f->d->arena, n_new + 1, sizeof *taken);
    for (size_t i = 0; i < n_old; i++) {
        size_t k = find_rule(&old[i], new_, n_new, taken);
        if (k == n_new) {
            add_weighed(f, s, KEYS("quality"), true, old[i].node, NULL, TEXT(f, "quality rule %s dropped", quality_text(f, &old[i])));
            continue;
        }
        taken[k] = true;
        const char *a = quality_text(f, &old[i]), *b = quality_text(f, &new_[k]);
        bool same = !strcmp(a, b) && compat_same(old[i].arguments, new_[k].arguments) &&
                    compat_same(dp_yaml_get(old[i].node, "query"), dp_yaml_get(new_[k].node, "query")) &&
                    compat_same(old[i].implementation, new_[k].implementation);
        if (!same) add_weighed(f, s, KEYS("quality"), true, old[i].node, new_[k].node,
                               strcmp(a, b) != 0 ? TEXT(f, "quality rule %s was %s", b, a) : TEXT(f, "quality rule %s asks for something else", b));
        else if (!compat_same(old[i].node, new_[k].node)) add_change(f, DP_CHANGE_DOCS, s->dotted, "quality", old[i].node, new_[k].node,
                                                                     TEXT(f, "quality rule %s: its description changed", b));
    }
    for (size_t k = 0; k < n_new; k++)
        if (!taken[k]) add_weighed(f, s, KEYS("quality"), true, NULL, new_[k].node, TEXT(f, "quality rule %s added", quality_text(f, &new_[k])));
}

static const char *const element_docs[] = {"description", "businessName", "tags", "authoritativeDefinitions", "customProperties",
                                           "synonyms", "context", "id", NULL};
static const char *const property_docs[] = {"examples", "transformLogic", "transformDescription", "transformSourceObjects", "semanticType", NULL};
static const char *const property_governance[] = {"classification", "encryptedName", "criticalDataElement", NULL};
static const char *const property_layout[] = {"physicalType", "partitioned", "partitionKeyPosition", "primaryKeyPosition", NULL};

static void diff_lists(struct diffing *f, const struct spot *s, const struct dp_contract_property *old, size_t n_old,
                       const struct dp_contract_property *new_, size_t n_new);

static void diff_property(struct diffing *f, const struct spot *s, const struct dp_contract_property *a, const struct dp_contract_property *b);

static void diff_inner(struct diffing *f, const struct spot *s, const char *dotted, const char *step, const struct dp_contract_property *a,
                       const struct dp_contract_property *b) {
    if (!a && !b) return;
    struct spot inner = {TEXT(f, "%s%s", s->dotted, dotted), TEXT(f, "%s/%s", s->old_path, step), TEXT(f, "%s/%s", s->new_path, step)};
    if (a && b) diff_property(f, &inner, a, b);
    else add_weighed(f, &inner, KEYS("type"), false, a ? a->node : NULL, b ? b->node : NULL,
                     b ? TEXT(f, "typed now: %s", type_text(f, f->new_, b)) : TEXT(f, "no longer typed: was %s", type_text(f, f->old, a)));
}

static void diff_property(struct diffing *f, const struct spot *s, const struct dp_contract_property *a, const struct dp_contract_property *b) {
    const char *old = type_text(f, f->old, a), *new_ = type_text(f, f->new_, b);
    const struct dp_yaml_node *x = dp_yaml_get(a->node, "logicalType"), *y = dp_yaml_get(b->node, "logicalType");
    if (strcmp(old, new_) != 0) add_weighed(f, s, KEYS("type"), false, x ? x : a->node, y ? y : b->node, TEXT(f, "type %s was %s", new_, old));
    diff_flag(f, s, a->primary_key, b->primary_key, KEYS("primaryKey", "required"), a, b, "is now in the primary key",
              "is no longer in the primary key");
    diff_flag(f, s, a->required, b->required, KEYS("required"), a, b, "is now required", "is no longer required");
    diff_flag(f, s, a->unique, b->unique, KEYS("unique"), a, b, "is now unique", "is no longer unique");
    if (take(f, DP_COMPAT_IS_BACKWARD, s->new_path, "required", 0) || take(f, DP_COMPAT_IS_FORWARD, s->old_path, "required", 0)) {
        struct dp_change *c = &f->d->v[f->d->n ? f->d->n - 1 : 0];
        if (!f->d->n || strcmp(c->path, s->dotted) != 0) (void)add_change(f, DP_CHANGE_BREAKING, s->dotted, "required", a->node, b->node,
                                                                          "what its object requires changed");
    }
    diff_options(f, s, a->options, b->options);
    diff_enum(f, s, a->enumeration, b->enumeration);
    diff_quality(f, s, a->quality, a->n_quality, b->quality, b->n_quality);
    if (!compat_same(dp_yaml_get(a->node, "relationships"), dp_yaml_get(b->node, "relationships")))
        add_change(f, DP_CHANGE_COMPATIBLE, s->dotted, "relationships", a->node, b->node, "relationships changed");
    diff_keys(f, s->dotted, DP_CHANGE_COMPATIBLE, property_layout, a->node, b->node);
    diff_keys(f, s->dotted, DP_CHANGE_GOVERNANCE, property_governance, a->node, b->node);
    diff_keys(f, s->dotted, DP_CHANGE_DOCS, element_docs, a->node, b->node);
    diff_keys(f, s->dotted, DP_CHANGE_DOCS, property_docs, a->node, b->node);
    if (a->logical_name && b->logical_name && strcmp(a->logical_name, b->logical_name) != 0)
        add_change(f, DP_CHANGE_DOCS, s->dotted, "name", a->node, b->node, TEXT(f, "renamed from %s; the column is %s as before",
                                                                                a->logical_name, b->name));
    diff_inner(f, s, "[]", "[]", a->items, b->items);
    diff_inner(f, s, "{key}", "{key}", a->map_key, b->map_key);
    diff_inner(f, s, "{value}", "{value}", a->map_value, b->map_value);
    diff_lists(f, s, a->properties, a->n_properties, b->properties, b->n_properties);
}

static const struct dp_contract_property *by_id(const struct dp_contract_property *v, size_t n, const char *id) {
    for (size_t i = 0; id && i < n; i++)
        if (v[i].id && !strcmp(v[i].id, id)) return &v[i];
    return NULL;
}

static void tell_removed(struct diffing *f, const struct spot *s, const struct dp_contract_property *p, const struct dp_contract_property *renamed) {
    bool required = p->required || p->primary_key;
    const char *text = TEXT(f, "%s column removed%s%s%s", required ? "required" : "optional", renamed ? ", renamed to " : "", renamed &&
                            renamed->logical_name ? renamed->logical_name : "",
                            required || renamed ? "" : ": readers find nulls");
    add_weighed(f, s, KEYS("column", "required", "name"), false, p->node, NULL, text);
}

static void tell_added(struct diffing *f, const struct spot *s, const struct dp_contract_property *p, const struct dp_contract_property *renamed) {
    const char *words = p->primary_key ? "column of the primary key" : p->required ? "required column" : "optional column";
    const char *text = TEXT(f, "%s added, %s%s%s", words, type_text(f, f->new_, p), renamed ? ", renamed from " : "", renamed &&
                            renamed->logical_name ? renamed->logical_name : "");
    add_weighed(f, s, KEYS("column", "required", "name"), false, NULL, p->node, text);
}

static struct spot spot_of(struct diffing *f, const struct spot *up, const struct dp_contract_property *a, const struct dp_contract_property *b) {
    const char *old = a && a->logical_name ? a->logical_name : "", *new_ = b && b->logical_name ? b->logical_name : "";
    return (struct spot){TEXT(f, "%s.%s", up->dotted, b ? new_ : old), TEXT(f, "%s/%s", up->old_path, a ? old : new_),
                         TEXT(f, "%s/%s", up->new_path, b ? new_ : old)};
}

static void diff_lists(struct diffing *f, const struct spot *s, const struct dp_contract_property *old, size_t n_old,
                       const struct dp_contract_property *new_, size_t n_new) {
    struct dp_map names = {0};
    for (size_t i = 0; i < n_old; i++)
        if (old[i].name) dp_map_put(&names, dp_str_z(old[i].name), NULL)->v.p = (void *)(uintptr_t)&old[i];
    for (size_t k = 0; k < n_new; k++) {
        struct dp_map_item *item = new_[k].name ? dp_map_get(&names, dp_str_z(new_[k].name)) : NULL;
        const struct dp_contract_property *a = item ? item->v.p : NULL;
        struct spot here = spot_of(f, s, a, &new_[k]);
        if (a) diff_property(f, &here, a, &new_[k]);
        else tell_added(f, &here, &new_[k], by_id(old, n_old, new_[k].id));
        if (item) item->v.p = NULL;
    }
    for (size_t i = 0; i < names.n; i++) {
        const struct dp_contract_property *a = names.items[i].v.p;
        if (!a) continue;
        struct spot here = spot_of(f, s, a, NULL);
        tell_removed(f, &here, a, by_id(new_, n_new, a->id));
    }
    dp_map_release(&names);
}

/* ---- objects and the rest ---- */



static void diff_object(struct diffing *f, const struct dp_contract_object *a, const struct dp_contract_object *b) {
    static const char *const layout[] = {"physicalName", "physicalType", NULL}, *const docs[] = {"dataGranularityDescription", NULL};
    struct spot s = {b->name, TEXT(f, "/%s", a->name), TEXT(f, "/%s", b->name)};
    diff_lists(f, &s, a->properties, a->n_properties, b->properties, b->n_properties);
    bool data = take(f, DP_COMPAT_IS_BACKWARD, s.new_path, "primaryKey", 0), consumers = take(f, DP_COMPAT_IS_FORWARD, s.old_path, "primaryKey", 0);
    if (data || consumers) {
        struct dp_change *c = add_change(f, DP_CHANGE_BREAKING, s.dotted, "primaryKey", a->node, b->node,
                                         data ? "the primary key has fewer columns" : "the primary key has more columns");
        c->breaks_data = data, c->breaks_consumers = consumers;
    }
    diff_quality(f, &s, a->quality, a->n_quality, b->quality, b->n_quality);
    if (!compat_same(dp_yaml_get(a->node, "relationships"), dp_yaml_get(b->node, "relationships")))
        add_change(f, DP_CHANGE_COMPATIBLE, s.dotted, "relationships", a->node, b->node, "relationships changed");
    diff_keys(f, s.dotted, DP_CHANGE_COMPATIBLE, layout, a->node, b->node);
    diff_keys(f, s.dotted, DP_CHANGE_DOCS, element_docs, a->node, b->node);
    diff_keys(f, s.dotted, DP_CHANGE_DOCS, docs, a->node, b->node);
    if (strcmp(a->name, b->name) != 0) add_change(f, DP_CHANGE_DOCS, s.dotted, "name", a->node, b->node, TEXT(f, "renamed from %s", a->name));
}

static void diff_objects(struct diffing *f) {
    for (size_t k = 0; k < f->new_->n_objects; k++) {
        const struct dp_contract_object *b = &f->new_->objects[k], *a = compat_object(&f->olds, b);
        struct spot s = {b->name, TEXT(f, "/%s", b->name), TEXT(f, "/%s", b->name)};
        if (a) diff_object(f, a, b);
        else add_weighed(f, &s, KEYS("object"), false, NULL, b->node, TEXT(f, "object added, %zu columns", b->n_properties));
    }
    for (size_t i = 0; i < f->old->n_objects; i++) {
        const struct dp_contract_object *a = &f->old->objects[i];
        struct spot s = {a->name, TEXT(f, "/%s", a->name), TEXT(f, "/%s", a->name)};
        if (!compat_object(&f->news, a)) add_weighed(f, &s, KEYS("object"), false, a->node, NULL, "object removed");
    }
}

static void diff_sla(struct diffing *f) {
    const struct dp_yaml_node *a = dp_yaml_get(f->old->doc.root, "slaProperties"), *b = dp_yaml_get(f->new_->doc.root, "slaProperties");
    if (compat_same(a, b)) return;
    bool any = false;
    for (size_t i = 0; i < f->found.n; i++) {
        const struct dp_compat_reason *r = &f->found.v[i];
        if (f->told[i] || strcmp(r->key, "sla") != 0 || r->direction != DP_COMPAT_IS_FORWARD) continue;
        struct dp_change *c = add_change(f, r->is_warning ? DP_CHANGE_COMPATIBLE : DP_CHANGE_BREAKING, "slaProperties", "sla", a, b,
                                         TEXT(f, "%s", r->text));
        c->old_line = r->line;
        c->breaks_consumers = !r->is_warning;
        f->told[i] = any = true;
    }
    if (!any) add_change(f, DP_CHANGE_COMPATIBLE, "slaProperties", "sla", a, b, a &&
                         b ? "service levels changed, none is weaker" : b ? "service levels added" : "service levels dropped");
}

static void diff_frame(struct diffing *f) {
    static const char *const governance[] = {"status", "team", "roles", "domain", "tenant", "dataProduct", NULL};
    static const char *const docs[] = {"name", "description", "tags", "support", "price", "servers", "authoritativeDefinitions",
                                       "customProperties", "contractCreatedTs",
                                       "slaDefaultElement", "context", "apiVersion", "id", NULL};
    const struct dp_yaml_node *a = f->old->doc.root, *b = f->new_->doc.root;
    struct spot s = {"", "/", "/"};
    if (take(f, DP_COMPAT_IS_FORWARD, "/", "status", 0)) {
        struct dp_change *c = add_change(f, DP_CHANGE_BREAKING, s.dotted, "status", dp_yaml_get(a, "status"), dp_yaml_get(b, "status"),
                                         "the contract is retired");
        c->breaks_consumers = true;
        diff_keys(f, "", DP_CHANGE_GOVERNANCE, governance + 1, a, b);
    } else diff_keys(f, "", DP_CHANGE_GOVERNANCE, governance, a, b);
    diff_keys(f, "", DP_CHANGE_DOCS, docs, a, b);
}

/* What stands in the way and no change told of. */
static void tell_rest(struct diffing *f) {
    for (size_t i = 0; i < f->found.n; i++) {
        const struct dp_compat_reason *r = &f->found.v[i];
        if (f->told[i] || r->is_warning) continue;
        struct dp_buf b = {0};
        for (const char *p = r->path + 1; *p; p++) dp_buf_addc(&b, *p == '/' ? '.' : *p);
        struct dp_change *c = add_change(f, DP_CHANGE_BREAKING, dp_buf_z(&b), r->key, NULL, NULL, TEXT(f, "%s", r->text));
        c->breaks_data = r->direction == DP_COMPAT_IS_BACKWARD;
        c->breaks_consumers = !c->breaks_data;
        dp_buf_release(&b);
    }
}

/* ---- versions ---- */

static bool read_version(const char *p, uint64_t v[3], const char **rest) {
    for (int i = 0; p && i < 3; i++) {
        if (i && *p++ != '.') return false;
        if (*p < '0' || *p > '9') return false;
        for (v[i] = 0; *p >= '0' && *p <= '9'; p++) {
            if (v[i] > 1000000000) return false;
            v[i] = v[i] * 10 + (uint64_t)(*p - '0');
        }
    }
    *rest = p;
    return p && (!*p || *p == '-' || *p == '+');
}

static void judge_version(struct dp_diff *d, const struct dp_contract *old, const struct dp_contract *new_) {
    uint64_t a[3], b[3];
    const char *rest_a, *rest_b;
    d->needed = d->n_class[DP_CHANGE_BREAKING] ? DP_VERSION_MAJOR : d->n_class[DP_CHANGE_COMPATIBLE] ? DP_VERSION_MINOR : d->n ? DP_VERSION_PATCH : DP_VERSION_NONE;
    d->version_is_right = d->needed == DP_VERSION_NONE;
    d->versions_known = read_version(old->version, a, &rest_a) && read_version(new_->version, b, &rest_b);
    if (!d->versions_known) {
        if (strcmp(old->version, new_->version) != 0) d->version_is_right = true; /* which comes later can't be told */
        return;
    }
    if (b[0] > a[0]) d->made = DP_VERSION_MAJOR;
    else if (b[0] == a[0] && b[1] > a[1]) d->made = DP_VERSION_MINOR;
    else if (b[0] == a[0] && b[1] == a[1] && b[2] > a[2]) d->made = DP_VERSION_PATCH;
    bool was_draft = *rest_a == '-' && b[0] == a[0] && b[1] == a[1] && b[2] == a[2] && strcmp(rest_a, rest_b) != 0; /* 2.0.0-rc1, then 2.0.0 */
    d->version_is_right = d->version_is_right || d->made >= d->needed || was_draft;
    if (d->needed == DP_VERSION_MAJOR) d->suggested = dp_arena_printf(&d->arena, "%llu.0.0", (unsigned long long)a[0] + 1);
    if (d->needed == DP_VERSION_MINOR) d->suggested = dp_arena_printf(&d->arena, "%llu.%llu.0", (unsigned long long)a[0],
                                                                      (unsigned long long)a[1] + 1);
    if (d->needed == DP_VERSION_PATCH) d->suggested = dp_arena_printf(&d->arena, "%llu.%llu.%llu", (unsigned long long)a[0],
                                                                      (unsigned long long)a[1], (unsigned long long)a[2] + 1);
}

/* ---- entry ---- */

/* Stable by class. */
static void sort_changes(struct dp_diff *d) {
    struct dp_change *sorted = dp_alloc((d->n + 1) * sizeof *sorted);
    size_t n = 0;
    for (int class_ = 0; class_ <= DP_CHANGE_DOCS; class_++)
        for (size_t i = 0; i < d->n; i++)
            if (d->v[i].class_ == (enum dp_change_class)class_) sorted[n++] = d->v[i], d->n_class[class_]++;
    free(d->v);
    d->v = sorted;
    d->cap = d->n + 1;
}

void dp_diff_contracts(const struct dp_contract *old, const struct dp_contract *new_, enum dp_compat_mode mode, struct dp_diff *d) {
    struct diffing f = {.d = d, .old = old, .new_ = new_};
    (void)dp_compat_check(&old, 1, new_, mode, &f.found);
    index_reasons(&f);
    compat_index_make(&f.olds, old);
    compat_index_make(&f.news, new_);
    diff_frame(&f);
    diff_objects(&f);
    diff_sla(&f);
    tell_rest(&f);
    sort_changes(d);
    judge_version(d, old, new_);
    free(f.told);
    free(f.before);
    dp_map_release(&f.by_path);
    compat_index_release(&f.olds);
    compat_index_release(&f.news);
    dp_compat_release(&f.found);
}

void dp_diff_release(struct dp_diff *d) {
    free(d->v);
    dp_arena_release(&d->arena);
    memset(d, 0, sizeof *d);
}
