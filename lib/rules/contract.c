/*
 * Reading a data contract (Open Data Contract Standard v3) into its tree: schema objects and properties.  Its keys were held to the tables of
 * contract_keys.c before; rules are read in contract_quality.c, types in contract_types.c, writing is in contract_write.c.
 */
#include "contract_priv.h"

#include <dp/base/limits.h>
#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/record/class.h>
#include <stdlib.h>
#include <unistd.h>

struct building {
    struct contract_walk *w;
    struct dp_contract *c;
    size_t columns;
};

/* ---- single keys; those of a wrong kind, which only lint comes with, are as if absent ---- */

static const char *get_string(const struct dp_yaml_node *map, const char *key) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    return n && n->kind == DP_YAML_STRING ? n->text.p : NULL;
}

static bool get_bool(const struct dp_yaml_node *map, const char *key) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    return n && n->kind == DP_YAML_BOOL && (n->text.p[0] == 't' || n->text.p[0] == 'T');
}

static const struct dp_yaml_node *get_kind(const struct dp_yaml_node *map, const char *key, enum dp_yaml_kind kind) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    return n && n->kind == kind ? n : NULL;
}

/* A position counts from 1; the standard's -1 stands for none. */
static int get_position(struct building *in, const struct contract_place *at, const struct dp_yaml_node *map, const char *key) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    int64_t v;
    if (!n || n->kind != DP_YAML_INT) return 0;
    if (dp_parse_i64(n->text, &v) && v >= -1 && v != 0 && v <= 10000) return v < 0 ? 0 : (int)v;
    contract_find(in->w, DP_FINDING_ERROR, "out-of-range", at, n, key, NULL, "must be a position from 1 (or -1 for none)");
    return 0;
}

static enum dp_logical get_logical(const struct dp_yaml_node *map) {
    const char *word = get_string(map, "logicalType");
    for (int i = 0; word && contract_logical_words[i]; i++)
        if (!strcmp(word, contract_logical_words[i])) return (enum dp_logical)(DP_LOGICAL_STRING + i);
    return DP_LOGICAL_NONE;
}

/* Lists of rules are compared with each other: they have a bound of their own. */
static const struct dp_yaml_node *get_rules(struct building *in, const struct contract_place *at, const struct dp_yaml_node *map, const char *key) {
    const struct dp_yaml_node *n = get_kind(map, key, DP_YAML_LIST);
    if (!n || n->n <= DP_LIMIT_CONTRACT_RULES) return n;
    contract_find(in->w, DP_FINDING_ERROR, "limit", at, n, key, NULL, "more than %u entries", DP_LIMIT_CONTRACT_RULES);
    return NULL;
}

/* ---- properties ---- */

/* A property, or what is in one (items, the key and value of a map); `word` is then the last step of its path. */
static void read_property(struct building *in, const struct contract_place *at, const char *path, const struct dp_yaml_node *n, bool is_named,
                          struct dp_contract_property *p);

static void read_properties(struct building *in, const struct contract_place *at, const char *path, const struct dp_yaml_node *map,
                            struct dp_contract_property **out, size_t *n_out) {
    const struct dp_yaml_node *list = get_kind(map, "properties", DP_YAML_LIST);
    struct contract_place below = {.up = at, .key = "properties"}, item = {.up = &below};
    if (!list || !list->n) return;
    *out = dp_arena_calloc(&in->c->arena, list->n, sizeof **out);
    *n_out = list->n;
    struct dp_map names = {0};
    for (size_t i = 0; i < list->n && !in->w->done; i++) {
        struct dp_contract_property *p = &(*out)[i];
        bool is_new = true;
        item.index = i;
        read_property(in, &item, dp_arena_printf(&in->c->arena, "%s/properties/%zu", path, i), list->items[i], true, p);
        if (!in->w->done && p->name) dp_map_put(&names, dp_str_z(p->name), &is_new);
        if (!is_new) contract_find(in->w, DP_FINDING_ERROR, "duplicate", &item, list->items[i], "name", NULL,
                                   "column \"%.80s\" is there twice", p->name);
    }
    dp_map_release(&names);
}

static struct dp_contract_property *read_inner(struct building *in, const struct contract_place *at, const char *path, const char *step,
                                               const struct dp_yaml_node *n) {
    struct contract_place below = {.up = at, .key = step};
    if (!n || n->kind != DP_YAML_MAP) return NULL;
    struct dp_contract_property *p = dp_arena_calloc(&in->c->arena, 1, sizeof *p);
    read_property(in, &below, dp_arena_printf(&in->c->arena, "%s/%s", path, step), n, false, p);
    return p;
}

static void read_words(struct building *in, const struct contract_place *at, const struct dp_yaml_node *n, struct dp_contract_property *p) {
    p->required = get_bool(n, "required");
    p->unique = get_bool(n, "unique");
    p->primary_key = get_bool(n, "primaryKey");
    p->partitioned = get_bool(n, "partitioned");
    p->primary_key_position = get_position(in, at, n, "primaryKeyPosition");
    p->partition_position = get_position(in, at, n, "partitionKeyPosition");
    p->physical_type = get_string(n, "physicalType");
    p->description = get_string(n, "description");
    p->classification = get_string(n, "classification");
    p->encrypted_name = get_string(n, "encryptedName");
    p->options = get_kind(n, "logicalTypeOptions", DP_YAML_MAP);
    p->logical = get_logical(n);
    if (in->c->is_31) p->id = get_string(n, "id");
    if (in->c->is_32) p->enumeration = get_kind(n, "enum", DP_YAML_LIST);
}

static void read_property(struct building *in, const struct contract_place *at, const char *path, const struct dp_yaml_node *n, bool is_named,
                          struct dp_contract_property *p) {
    struct dp_contract *c = in->c;
    const char *physical_name = get_string(n, "physicalName");
    if (++in->columns > DP_LIMIT_COLUMNS) {
        contract_find(in->w, DP_FINDING_ERROR, "limit", at, n, "", NULL, "more than %u properties", DP_LIMIT_COLUMNS);
        in->w->done = true;
        return;
    }
    p->node = n;
    p->path = path;
    p->logical_name = get_string(n, "name");
    p->name = physical_name && *physical_name ? physical_name : p->logical_name;
    if (is_named && p->name && !*p->name) contract_find(in->w, DP_FINDING_ERROR, "empty", at, dp_yaml_get(n, "name"), "name", NULL,
                                                        "a property needs a name");
    read_words(in, at, n, p);
    contract_fill_quality(c, get_rules(in, at, n, "quality"), path, &p->quality, &p->n_quality);
    if (c->is_31) contract_fill_relationships(c, get_rules(in, at, n, "relationships"), path, &p->relationships, &p->n_relationships);
    p->items = read_inner(in, at, path, "items", dp_yaml_get(n, "items"));
    const struct dp_yaml_node *map = c->is_32 ? get_kind(n, "map", DP_YAML_MAP) : NULL;
    if (map) {
        struct contract_place below = {.up = at, .key = "map"};
        p->map_key = read_inner(in, &below, dp_arena_printf(&c->arena, "%s/map", path), "key", dp_yaml_get(map, "key"));
        p->map_value = read_inner(in, &below, dp_arena_printf(&c->arena, "%s/map", path), "value", dp_yaml_get(map, "value"));
    }
    read_properties(in, at, path, n, &p->properties, &p->n_properties);
}

/* ---- objects and the frame ---- */

static void read_object(struct building *in, const struct contract_place *at, const struct dp_yaml_node *n, size_t i, struct dp_contract_object *o) {
    struct dp_contract *c = in->c;
    o->node = n;
    o->path = dp_arena_printf(&c->arena, "/schema/%zu", i);
    o->name = get_string(n, "name");
    o->physical_name = get_string(n, "physicalName");
    o->description = get_string(n, "description");
    if (c->is_31) o->id = get_string(n, "id");
    if (o->name && !*o->name) contract_find(in->w, DP_FINDING_ERROR, "empty", at, dp_yaml_get(n, "name"), "name", NULL,
                                            "a schema object needs a name");
    contract_fill_quality(c, get_rules(in, at, n, "quality"), o->path, &o->quality, &o->n_quality);
    if (c->is_31) contract_fill_relationships(c, get_rules(in, at, n, "relationships"), o->path, &o->relationships, &o->n_relationships);
    read_properties(in, at, o->path, n, &o->properties, &o->n_properties);
}

static void read_schema(struct building *in, const struct dp_yaml_node *list) {
    struct dp_contract *c = in->c;
    struct contract_place below = {.key = "schema"}, item = {.up = &below};
    struct dp_map names = {0};
    if (!list) return;
    c->objects = dp_arena_calloc(&c->arena, list->n + 1, sizeof *c->objects);
    c->n_objects = list->n;
    for (size_t i = 0; i < list->n && !in->w->done; i++) {
        bool is_new = true;
        item.index = i;
        read_object(in, &item, list->items[i], i, &c->objects[i]);
        if (c->objects[i].name) dp_map_put(&names, dp_str_z(c->objects[i].name), &is_new);
        if (!is_new) contract_find(in->w, DP_FINDING_ERROR, "duplicate", &item, list->items[i], "name", NULL,
                                   "schema object \"%.80s\" is there twice", c->objects[i].name);
    }
    dp_map_release(&names);
}

void contract_build(struct contract_walk *w, struct dp_contract *c) {
    const struct dp_yaml_node *root = c->doc.root;
    struct building in = {.w = w, .c = c};
    c->api_version = w->api_version;
    c->is_31 = w->version & DP_ODCS_31;
    c->is_32 = w->version & DP_ODCS_320;
    c->id = get_string(root, "id");
    c->version = get_string(root, "version");
    c->status = get_string(root, "status");
    c->name = get_string(root, "name");
    contract_fill_sla(c, get_rules(&in, NULL, root, "slaProperties"));
    read_schema(&in, get_kind(root, "schema", DP_YAML_LIST));
}

static enum dp_status read_contract(struct dp_contract *c, struct dp_err *err) {
    struct dp_findings found = {.first_only = true};
    struct contract_walk w = {.doc = &c->doc, .out = &found};
    enum dp_status status = DP_OK;
    if (contract_version(&w, c->doc.root)) contract_check_keys(&w, c->doc.root);
    if (!w.done) contract_build(&w, c);
    if (w.done) status = contract_fault(&c->doc, &found.v[0], err);
    dp_findings_release(&found);
    if (status != DP_OK) dp_contract_release(c);
    return status;
}

enum dp_status dp_contract_parse(struct dp_str text, const char *source, struct dp_contract *c, struct dp_err *err) {
    memset(c, 0, sizeof *c);
    DP_TRY(dp_yaml_parse(text, source, &c->doc, err));
    return read_contract(c, err);
}

enum dp_status dp_contract_read(const char *path, struct dp_contract *c, struct dp_err *err) {
    memset(c, 0, sizeof *c);
    enum dp_status status = dp_yaml_read(path, &c->doc, err);
    return status == DP_OK ? read_contract(c, err) : status;
}

void dp_contract_release(struct dp_contract *c) {
    dp_arena_release(&c->arena);
    dp_yaml_release(&c->doc);
    memset(c, 0, sizeof *c);
}

/* ---- choosing ---- */

static enum dp_status no_such_object(const struct dp_contract *c, const char *name, struct dp_err *err) {
    struct dp_buf b = {0};
    if (!c->n_objects) dp_buf_addz(&b, "the contract has no schema object");
    else if (name) dp_buf_addf(&b, "no schema object \"%.80s\"; there is", name);
    else dp_buf_addz(&b, "several schema objects: choose one with FILE#OBJECT;");
    for (size_t i = 0; i < c->n_objects && b.n < 300; i++) dp_buf_addf(&b, "%s %.60s", i ? "," : "", c->objects[i].name);
    dp_yaml_error(&c->doc, NULL, err, "%s", dp_buf_z(&b));
    dp_buf_release(&b);
    return DP_USAGE;
}

enum dp_status dp_contract_object(const struct dp_contract *c, const char *name, const struct dp_contract_object **o, struct dp_err *err) {
    *o = NULL;
    if (!name && c->n_objects == 1) *o = &c->objects[0];
    for (size_t i = 0; name && i < c->n_objects && !*o; i++)
        if (!strcmp(c->objects[i].name, name)) *o = &c->objects[i];
    for (size_t i = 0; name && i < c->n_objects && !*o; i++)
        if (c->objects[i].physical_name && !strcmp(c->objects[i].physical_name, name)) *o = &c->objects[i];
    return *o ? DP_OK : no_such_object(c, name, err);
}

enum dp_status dp_contract_load(const char *spec, struct dp_contract *c, const struct dp_contract_object **o, struct dp_err *err) {
    const char *hash = strrchr(spec, '#');
    bool whole = !hash || access(spec, F_OK) == 0;
    char *path = whole ? dp_strdup(spec) : dp_strndup(spec, (size_t)(hash - spec));
    enum dp_status status = dp_contract_read(path, c, err);
    free(path);
    if (status != DP_OK) return status;
    status = dp_contract_object(c, whole ? NULL : hash + 1, o, err);
    if (status != DP_OK) dp_contract_release(c);
    return status;
}

/* ---- keys and partitions ---- */

/* Insertion by position; those without one keep the document's order behind the others. */
static size_t ordered(const struct dp_contract_object *o, bool partitions, size_t *index, size_t cap) {
    size_t n = 0, written = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t first = written;
        for (size_t i = 0; i < o->n_properties; i++) {
            const struct dp_contract_property *p = &o->properties[i];
            int at = partitions ? p->partition_position : p->primary_key_position;
            if (!(partitions ? p->partitioned : p->primary_key) || (at > 0) != (pass == 0)) continue;
            n++;
            if (written == cap) continue;
            size_t k = written++;
            for (; pass == 0 && k > first; k--) {
                const struct dp_contract_property *q = &o->properties[index[k - 1]];
                if ((partitions ? q->partition_position : q->primary_key_position) <= at) break;
                index[k] = index[k - 1];
            }
            index[k] = i;
        }
    }
    return n;
}

size_t dp_contract_primary_key(const struct dp_contract_object *o, size_t *index, size_t cap) { return ordered(o, false, index, cap); }
size_t dp_contract_partitions(const struct dp_contract_object *o, size_t *index, size_t cap) { return ordered(o, true, index, cap); }

bool dp_classification_hides(const char *classification) {
    return dp_class_is_closed(classification);
}

bool dp_contract_is_classified(const struct dp_contract_property *p) { return dp_classification_hides(p->classification); }

bool dp_contract_holds_classified(const struct dp_contract_property *p) {
    if (dp_contract_is_classified(p) || (p->items && dp_contract_holds_classified(p->items))) return true;
    for (size_t i = 0; i < p->n_properties; i++)
        if (dp_contract_holds_classified(&p->properties[i])) return true;
    return false;
}

void dp_contract_header_fields(const struct dp_contract_object *o, struct dp_buf *out) {
    size_t n = 0;
    for (size_t i = 0; i < o->n_properties; i++) {
        const struct dp_contract_property *p = &o->properties[i];
        if (!dp_contract_holds_classified(p)) continue;
        dp_buf_addz(out, n++ ? ",{\"name\":" : "[{\"name\":");
        dp_json_add_string(out, dp_str_z(p->name));
        dp_buf_addz(out, ",\"classification\":");
        dp_json_add_string(out, dp_str_z(dp_contract_is_classified(p) ? p->classification : "restricted")); /* by what is nested in it */
        dp_buf_addc(out, '}');
    }
    if (n) dp_buf_addc(out, ']');
}
