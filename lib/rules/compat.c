/*
 * Compatibility of contracts: objects, properties, types, keys.  Ranges are in compat_options.c, quality and SLA in compat_rules.c.
 */
#include "compat_priv.h"

#include <dp/base/map.h>
#include <dp/record/class.h>
#include <stdlib.h>
#include <strings.h>

const char *const dp_compat_mode_names[] = {"BACKWARD", "FORWARD", "FULL", "BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE",
                                            "NONE", NULL};

bool dp_compat_mode_find(const char *word, enum dp_compat_mode *out) {
    for (int i = 0; dp_compat_mode_names[i]; i++) {
        const char *a = word, *b = dp_compat_mode_names[i];
        while (*a && *b && (*b == '_' ? *a == '_' || *a == '-' : (*a & ~0x20) == *b)) a++, b++;
        if (*a || *b) continue;
        *out = (enum dp_compat_mode)i;
        return true;
    }
    return false;
}

void dp_compat_release(struct dp_compat *k) {
    free(k->v);
    dp_arena_release(&k->arena);
    memset(k, 0, sizeof *k);
}

void compat_add(struct comparing *c, bool warning, enum dp_compat_class class_, const char *path, const char *key, const struct dp_yaml_node *at,
                const char *fmt, ...) {
    struct dp_compat *k = c->k;
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    k->v = dp_grow(k->v, &k->cap, k->n + 1, sizeof *k->v);
    k->v[k->n++] = (struct dp_compat_reason){.path = dp_arena_strdup(&k->arena, path), .text = dp_arena_strdup(&k->arena, text),
                                             .key = key, .class_ = class_,
                                             .is_warning = warning, .direction = c->direction, .version = c->version, .line = at ? at->line : 0};
    k->n_errors += !warning;
}

/* ---- types ---- */

static const char *type_word(enum dp_logical logical, const struct dp_contract_property *p) {
    static const char *const words[] = {"", "string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean", "map"};
    if (logical != DP_LOGICAL_NONE) return words[logical];
    return p->physical_type ? p->physical_type : "of no type";
}

static bool is_json(const struct dp_contract_property *p) {
    return p->physical_type && (!strcasecmp(p->physical_type, "json") || !strcasecmp(p->physical_type, "jsonb") ||
                                !strcasecmp(p->physical_type, "variant"));
}

/* decimal(p), decimal(p,0): whole numbers. */
static bool is_whole(const char *physical) {
    const char *args = physical ? strchr(physical, '(') : NULL;
    if (!args || (strncasecmp(physical, "decimal", 7) != 0 && strncasecmp(physical, "numeric", 7) != 0 &&
                  strncasecmp(physical, "number", 6) != 0)) return false;
    args += 1 + strspn(args + 1, " 0123456789");
    if (*args == ',') args += 1 + strspn(args + 1, " 0");
    return *args == ')';
}

/* False: what is below has no sense any more. */
static bool compare_types(struct comparing *c, const char *path, const struct dp_contract_property *r, const struct dp_contract_property *w) {
    enum dp_logical a = dp_contract_logical(c->reader, r), b = dp_contract_logical(c->writer, w);
    bool reads_all = a == DP_LOGICAL_NONE && !r->physical_type;
    bool same_word = a == DP_LOGICAL_NONE && b == DP_LOGICAL_NONE && r->physical_type && w->physical_type &&
                     !strcasecmp(r->physical_type, w->physical_type);
    if (reads_all || same_word || (a == b && a != DP_LOGICAL_NONE)) return true;
    if (a == DP_LOGICAL_NUMBER && b == DP_LOGICAL_INTEGER) return true;
    if (a == DP_LOGICAL_INTEGER && b == DP_LOGICAL_NUMBER && is_whole(w->physical_type)) return true;
    bool is_open = (a == DP_LOGICAL_OBJECT && !r->n_properties) || (a == DP_LOGICAL_ARRAY && !r->items); /* held as JSON */
    if (a == DP_LOGICAL_NONE ? is_json(r) : is_open && b == DP_LOGICAL_NONE && is_json(w)) return true;
    compat_add(c, false, DP_COMPAT_DATA, path, "type", r->node, "type %s cannot be read as %s", type_word(b, w), type_word(a, r));
    return false;
}

/* ---- properties ---- */

struct side {
    const struct dp_contract_property *v;
    size_t n;
    const struct dp_yaml_node *options; /* of the object that they are in: `required` lists names */
};

static bool is_listed(const struct side *s, const struct dp_contract_property *p) {
    const struct dp_yaml_node *list = dp_yaml_get(s->options, "required");
    for (size_t i = 0; list && list->kind == DP_YAML_LIST && i < list->n; i++) {
        const char *name = list->items[i]->text.p;
        if (name && ((p->logical_name && !strcmp(name, p->logical_name)) || (p->name && !strcmp(name, p->name)))) return true;
    }
    return false;
}

static bool is_required(const struct side *s, const struct dp_contract_property *p) {
    return p->required || p->primary_key || is_listed(s, p);
}

static void compare_property(struct comparing *c, const char *path, const struct dp_contract_property *r, bool r_required,
                             const struct dp_contract_property *w,
                             bool w_required);

static void name_renamed(struct comparing *c, const char *path, const struct dp_contract_property *r, const struct side *w) {
    for (size_t i = 0; r->id && i < w->n; i++)
        if (w->v[i].id && !strcmp(w->v[i].id, r->id))
            compat_add(c, true, DP_COMPAT_DATA, path, "name", r->node, "renamed: id %.60s is %.80s in the %s", r->id,
                       w->v[i].logical_name ? w->v[i].logical_name : "",
                       c->direction == DP_COMPAT_IS_BACKWARD ? "old" : "new");
}

static void compare_properties(struct comparing *c, const char *path, const struct side *r, const struct side *w) {
    struct dp_map names = {0};
    for (size_t i = 0; i < w->n; i++)
        if (w->v[i].name) dp_map_put(&names, dp_str_z(w->v[i].name), NULL)->v.p = (void *)(uintptr_t)&w->v[i];
    for (size_t i = 0; i < r->n; i++) {
        const struct dp_contract_property *p = &r->v[i];
        struct dp_map_item *item = p->name ? dp_map_get(&names, dp_str_z(p->name)) : NULL;
        const struct dp_contract_property *q = item ? item->v.p : NULL;
        struct dp_buf b = {0};
        dp_buf_addf(&b, "%s/%s", path, p->logical_name ? p->logical_name : "");
        if (q) {
            compare_property(c, dp_buf_z(&b), p, is_required(r, p), q, is_required(w, q));
            item->v.p = NULL;
        } else if (is_required(r, p)) {
            compat_add(c, false, DP_COMPAT_DATA, dp_buf_z(&b), "required", p->node, "required by the reader, absent in the writer");
            name_renamed(c, dp_buf_z(&b), p, w);
        } else name_renamed(c, dp_buf_z(&b), p, w);
        dp_buf_release(&b);
    }
    for (size_t i = 0; c->k->closed && i < names.n; i++) {
        const struct dp_contract_property *p = names.items[i].v.p;
        struct dp_buf b = {0};
        if (!p) continue;
        dp_buf_addf(&b, "%s/%s", path, p->logical_name ? p->logical_name : "");
        compat_add(c, false, DP_COMPAT_DATA, dp_buf_z(&b), "name", NULL, "not known to the reader");
        dp_buf_release(&b);
    }
    dp_map_release(&names);
}

static void compare_inner(struct comparing *c, const char *path, const char *step, const struct dp_contract_property *r,
                          const struct dp_contract_property *w) {
    struct dp_buf b = {0};
    if (!r) return;
    dp_buf_addf(&b, "%s/%s", path, step);
    if (w) compare_property(c, dp_buf_z(&b), r, r->required, w, w->required);
    else if (r->required || r->logical != DP_LOGICAL_NONE) compat_add(c, false, DP_COMPAT_DATA, dp_buf_z(&b), "type", r->node,
                                                                      "typed in the reader only");
    dp_buf_release(&b);
}

static bool differ(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "") != 0;
}

/* Of old and new, whoever reads. */
static void compare_governance(struct comparing *c, const char *path, const struct dp_contract_property *r, const struct dp_contract_property *w) {
    bool backward = c->direction == DP_COMPAT_IS_BACKWARD;
    const struct dp_contract_property *old = backward ? w : r, *new_ = backward ? r : w;
    if (dp_class_rank_z(new_->classification) > dp_class_rank_z(old->classification))
        compat_add(c, true, DP_COMPAT_GOVERNANCE, path, "classification", r->node, "classification is now %.60s", new_->classification);
    if (differ(old->encrypted_name, new_->encrypted_name)) compat_add(c, true, DP_COMPAT_GOVERNANCE, path, "encryptedName", r->node,
                                                                      "encryptedName changed");
    if (old->physical_type && new_->physical_type && strcasecmp(old->physical_type, new_->physical_type) != 0)
        compat_add(c, true, DP_COMPAT_LAYOUT, path, "physicalType", r->node, "physicalType changed from %.60s to %.60s",
                   old->physical_type, new_->physical_type);
}

static void compare_property(struct comparing *c, const char *path, const struct dp_contract_property *r, bool r_required,
                             const struct dp_contract_property *w,
                             bool w_required) {
    bool comparable = compare_types(c, path, r, w);
    if (r_required && !w_required) compat_add(c, false, DP_COMPAT_DATA, path, "required", r->node, "required by the reader, optional in the writer");
    bool only = c->k->schema_only;
    if (!only && r->primary_key && !w->primary_key) compat_add(c, false, DP_COMPAT_DATA, path, "primaryKey", r->node,
                                                               "primaryKey in the reader only");
    if (!only && r->unique && !w->unique) compat_add(c, false, DP_COMPAT_DATA, path, "unique", r->node, "unique in the reader only");
    if (!only) compare_governance(c, path, r, w);
    if (!comparable) return;
    if (!only) compat_options(c, path, r, w);
    if (!only) compat_quality(c, path, r->quality, r->n_quality, w->quality, w->n_quality);
    compare_inner(c, path, "[]", r->items, w->items);
    compare_inner(c, path, "{key}", r->map_key, w->map_key);
    compare_inner(c, path, "{value}", r->map_value, w->map_value);
    struct side inner = {.v = r->properties, .n = r->n_properties,
                         .options = r->options}, written = {.v = w->properties, .n = w->n_properties, .options = w->options};
    compare_properties(c, path, &inner, &written);
}

/* ---- objects ---- */

static const char *object_key(const struct dp_contract_object *o) {
    return o->physical_name && *o->physical_name ? o->physical_name : o->name;
}

void compat_index_make(struct compat_index *x, const struct dp_contract *c) {
    memset(x, 0, sizeof *x);
    for (size_t i = 0; i < c->n_objects; i++) {
        bool is_new;
        struct dp_map_item *item = dp_map_put(&x->by_key, dp_str_z(object_key(&c->objects[i])), &is_new);
        if (is_new) item->v.p = &c->objects[i];
        dp_map_put(&x->by_name, dp_str_z(c->objects[i].name), NULL)->v.p = &c->objects[i];
    }
}

void compat_index_release(struct compat_index *x) {
    dp_map_release(&x->by_key);
    dp_map_release(&x->by_name);
}

const struct dp_contract_object *compat_object(const struct compat_index *x, const struct dp_contract_object *o) {
    const struct dp_map_item *key = dp_map_get(&x->by_key, dp_str_z(object_key(o))), *name = dp_map_get(&x->by_name, dp_str_z(o->name));
    const struct dp_contract_object *named = name ? name->v.p : NULL;
    if (named && !strcmp(object_key(named), object_key(o))) return named;
    return key ? key->v.p : named;
}

/* A key that is a part of the other is unique by more than the other promises; another order of the same columns changes no data. */
static void compare_keys(struct comparing *c, const char *path, const struct dp_contract_object *r, const struct dp_contract_object *w) {
    size_t n = 0, n_w = 0, shared = 0;
    bool order = false;
    for (size_t i = 0; i < w->n_properties; i++) n_w += w->properties[i].primary_key;
    struct dp_map keys = {0};
    for (size_t i = 0; i < w->n_properties; i++)
        if (w->properties[i].primary_key && w->properties[i].name) dp_map_put(&keys, dp_str_z(w->properties[i].name),
                                                                              NULL)->v.i = w->properties[i].primary_key_position;
    for (size_t i = 0; i < r->n_properties; i++) {
        const struct dp_contract_property *p = &r->properties[i];
        struct dp_map_item *item = p->primary_key && p->name ? dp_map_get(&keys, dp_str_z(p->name)) : NULL;
        n += p->primary_key;
        shared += item != NULL;
        order = order || (item && item->v.i != p->primary_key_position);
    }
    if (n && n == shared && n < n_w) compat_add(c, false, DP_COMPAT_DATA, path, "primaryKey", r->node, "primaryKey of fewer columns in the reader");
    if (n && n == shared && n == n_w && order) compat_add(c, true, DP_COMPAT_LAYOUT, path, "primaryKeyPosition", r->node,
                                                          "the order of the primary key changed");
    dp_map_release(&keys);
}

static void compare_objects(struct comparing *c) {
    struct compat_index written;
    compat_index_make(&written, c->writer);
    for (size_t i = 0; i < c->reader->n_objects; i++) {
        const struct dp_contract_object *r = &c->reader->objects[i], *w = compat_object(&written, r);
        struct dp_buf b = {0};
        dp_buf_addf(&b, "/%s", r->name);
        if (w) {
            struct side reads = {.v = r->properties, .n = r->n_properties}, wrote = {.v = w->properties, .n = w->n_properties};
            compare_properties(c, dp_buf_z(&b), &reads, &wrote);
            if (!c->k->schema_only) compare_keys(c, dp_buf_z(&b), r, w);
            if (!c->k->schema_only) compat_quality(c, dp_buf_z(&b), r->quality, r->n_quality, w->quality, w->n_quality);
        } else if (c->direction == DP_COMPAT_IS_FORWARD) compat_add(c, false, DP_COMPAT_DATA, dp_buf_z(&b), "object", r->node, "object removed");
        dp_buf_release(&b);
    }
    compat_index_release(&written);
}

/* ---- entry ---- */

void dp_compat_read(const struct dp_contract *old, const struct dp_contract *new_, enum dp_compat_direction direction, size_t version,
                    struct dp_compat *k) {
    bool backward = direction == DP_COMPAT_IS_BACKWARD;
    struct comparing c = {.k = k, .reader = backward ? new_ : old, .writer = backward ? old : new_, .direction = direction, .version = version};
    bool retired = new_->status && !strcmp(new_->status, "retired") && !(old->status && !strcmp(old->status, "retired"));
    compare_objects(&c);
    if (backward || k->schema_only) return;
    compat_sla(&c);
    if (retired) compat_add(&c, false, DP_COMPAT_SLA, "/", "status", NULL, "status retired");
}

bool dp_compat_check(const struct dp_contract *const *versions, size_t n, const struct dp_contract *candidate, enum dp_compat_mode mode,
                     struct dp_compat *k) {
    bool all = mode == DP_COMPAT_BACKWARD_TRANSITIVE || mode == DP_COMPAT_FORWARD_TRANSITIVE || mode == DP_COMPAT_FULL_TRANSITIVE;
    bool full = mode == DP_COMPAT_FULL || mode == DP_COMPAT_FULL_TRANSITIVE;
    bool backward = full || mode == DP_COMPAT_BACKWARD || mode == DP_COMPAT_BACKWARD_TRANSITIVE;
    bool forward = full || mode == DP_COMPAT_FORWARD || mode == DP_COMPAT_FORWARD_TRANSITIVE;
    if (mode == DP_COMPAT_NONE || !n) return true;
    for (size_t i = n; i-- > (all ? 0 : n - 1);) {
        if (backward) dp_compat_read(versions[i], candidate, DP_COMPAT_IS_BACKWARD, i, k);
        if (forward) dp_compat_read(versions[i], candidate, DP_COMPAT_IS_FORWARD, i, k);
    }
    return !k->n_errors;
}
