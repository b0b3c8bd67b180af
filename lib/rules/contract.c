/*
 * Reading a data contract (Open Data Contract Standard v3): the document's frame, schema objects and properties.  The types are in
 * contract_types.c, writing in contract_write.c.
 */
#include <dp/rules/contract.h>

#include <dp/base/limits.h>
#include <dp/base/map.h>
#include <dp/base/num.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const top_keys[] = {"version", "kind", "apiVersion", "id", "name", "tenant", "tags", "status", "servers", "dataProduct",
                                       "description", "domain", "schema", "support", "price", "team", "roles", "slaDefaultElement",
                                       "slaProperties", "authoritativeDefinitions", "customProperties", "contractCreatedTs", NULL};
static const char *const object_keys_30[] = {"name", "physicalType", "description", "businessName", "authoritativeDefinitions", "tags",
                                             "customProperties", "logicalType", "physicalName", "dataGranularityDescription", "properties",
                                             "quality", NULL};
static const char *const object_keys_31[] = {"id", "name", "physicalType", "description", "businessName", "authoritativeDefinitions", "tags",
                                             "customProperties", "logicalType", "physicalName", "dataGranularityDescription", "properties",
                                             "relationships", "quality", NULL};
#define PROPERTY_KEYS                                                                                                               \
    "name", "physicalType", "description", "businessName", "authoritativeDefinitions", "tags", "customProperties", "primaryKey",     \
        "primaryKeyPosition", "logicalType", "logicalTypeOptions", "physicalName", "required", "unique", "partitioned",              \
        "partitionKeyPosition", "classification", "encryptedName", "transformSourceObjects", "transformLogic",                      \
        "transformDescription", "examples", "criticalDataElement", "quality", "items", "properties"
static const char *const property_keys_30[] = {PROPERTY_KEYS, NULL};
static const char *const property_keys_31[] = {PROPERTY_KEYS, "id", "relationships", NULL};

struct reading {
    struct dp_contract *c;
    struct dp_err *err;
    size_t columns;
};

/* ---- single keys ---- */

static enum dp_status wrong_kind(struct reading *in, const struct dp_yaml_node *n, const char *key, const char *want) {
    bool number = n->kind == DP_YAML_FLOAT || n->kind == DP_YAML_INT || n->kind == DP_YAML_BOOL;
    if (number && !strcmp(want, "a string"))
        return dp_yaml_error(&in->c->doc, n, in->err, "%s must be a string, got %s: write \"%.60s\" in quotes", key, dp_yaml_kind_name(n->kind), n->text.p);
    return dp_yaml_error(&in->c->doc, n, in->err, "%s must be %s, got %s", key, want, dp_yaml_kind_name(n->kind));
}

static enum dp_status get_string(struct reading *in, const struct dp_yaml_node *map, const char *key, const char **out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_STRING) return wrong_kind(in, n, key, "a string");
    if (memchr(n->text.p, 0, n->text.n)) return dp_yaml_error(&in->c->doc, n, in->err, "%s holds a NUL", key);
    *out = n->text.p;
    return DP_OK;
}

static enum dp_status need_string(struct reading *in, const struct dp_yaml_node *map, const char *key, const char *what, const char **out) {
    DP_TRY(get_string(in, map, key, out));
    if (*out && **out) return DP_OK;
    return dp_yaml_error(&in->c->doc, dp_yaml_get(map, key) ? dp_yaml_get(map, key) : map, in->err, "%s needs the key \"%s\"", what, key);
}

static enum dp_status get_bool(struct reading *in, const struct dp_yaml_node *map, const char *key, bool *out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_BOOL) return wrong_kind(in, n, key, "true or false");
    *out = n->text.p[0] == 't' || n->text.p[0] == 'T';
    return DP_OK;
}

/* A position counts from 1; the standard's -1 stands for none. */
static enum dp_status get_position(struct reading *in, const struct dp_yaml_node *map, const char *key, int *out) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    int64_t v;
    if (!n) return DP_OK;
    if (n->kind != DP_YAML_INT || !dp_parse_i64(n->text, &v) || v < -1 || v == 0 || v > 10000)
        return dp_yaml_error(&in->c->doc, n, in->err, "%s must be a position from 1 (or -1 for none)", key);
    *out = v < 0 ? 0 : (int)v;
    return DP_OK;
}

/* A list of maps; *list NULL when absent. */
static enum dp_status get_list(struct reading *in, const struct dp_yaml_node *map, const char *key, const struct dp_yaml_node **list) {
    *list = dp_yaml_get(map, key);
    if (*list && (*list)->kind != DP_YAML_LIST) return wrong_kind(in, *list, key, "a list");
    return DP_OK;
}

/* ---- properties ---- */

static const char *const logical_words[] = {"string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean", NULL};

static enum dp_status get_logical(struct reading *in, const struct dp_yaml_node *map, enum dp_logical *out) {
    const char *word = NULL;
    const struct dp_yaml_node *n = dp_yaml_get(map, "logicalType");
    DP_TRY(get_string(in, map, "logicalType", &word));
    *out = DP_LOGICAL_NONE;
    if (!word) return DP_OK;
    for (int i = 0; logical_words[i]; i++)
        if (!strcmp(word, logical_words[i])) *out = (enum dp_logical)(DP_LOGICAL_STRING + i);
    if (*out == DP_LOGICAL_NONE) {
        const char *near = dp_str_nearest(word, logical_words);
        return dp_yaml_error(&in->c->doc, n, in->err, "unknown logicalType \"%.60s\"%s%s%s", word, near ? ", did you mean \"" : "", near ? near : "",
                             near ? "\"?" : "");
    }
    if ((*out == DP_LOGICAL_TIMESTAMP || *out == DP_LOGICAL_TIME) && !in->c->is_31)
        return dp_yaml_error(&in->c->doc, n, in->err, "logicalType %s needs apiVersion v3.1.0; in %s it is date with a physicalType", word, in->c->api_version);
    return DP_OK;
}

static enum dp_status read_property(struct reading *in, const struct dp_yaml_node *n, bool is_items, struct dp_contract_property *p);

static enum dp_status read_properties(struct reading *in, const struct dp_yaml_node *map, struct dp_contract_property **out, size_t *n_out) {
    const struct dp_yaml_node *list;
    DP_TRY(get_list(in, map, "properties", &list));
    if (!list || !list->n) return DP_OK;
    *out = dp_arena_calloc(&in->c->arena, list->n, sizeof **out);
    *n_out = list->n;
    struct dp_map names = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < list->n && status == DP_OK; i++) {
        bool is_new = true;
        status = read_property(in, list->items[i], false, &(*out)[i]);
        if (status == DP_OK) dp_map_put(&names, dp_str_z((*out)[i].name), &is_new);
        if (!is_new) status = dp_yaml_error(&in->c->doc, list->items[i], in->err, "column \"%.80s\" is there twice", (*out)[i].name);
    }
    dp_map_release(&names);
    return status;
}

static enum dp_status read_flags(struct reading *in, const struct dp_yaml_node *n, struct dp_contract_property *p) {
    DP_TRY(get_bool(in, n, "required", &p->required));
    DP_TRY(get_bool(in, n, "unique", &p->unique));
    DP_TRY(get_bool(in, n, "primaryKey", &p->primary_key));
    DP_TRY(get_bool(in, n, "partitioned", &p->partitioned));
    DP_TRY(get_position(in, n, "primaryKeyPosition", &p->primary_key_position));
    return get_position(in, n, "partitionKeyPosition", &p->partition_position);
}

static enum dp_status read_property(struct reading *in, const struct dp_yaml_node *n, bool is_items, struct dp_contract_property *p) {
    const struct dp_yaml *doc = &in->c->doc;
    const char *what = is_items ? "items" : "a property", *physical_name = NULL;
    if (++in->columns > DP_LIMIT_COLUMNS) return dp_err_set(in->err, DP_LIMIT, "%s: more than %u properties", doc->source, DP_LIMIT_COLUMNS);
    DP_TRY(dp_yaml_known_keys(doc, n, in->c->is_31 ? property_keys_31 : property_keys_30, what, in->err));
    p->node = n;
    if (!is_items) DP_TRY(need_string(in, n, "name", what, &p->logical_name));
    else DP_TRY(get_string(in, n, "name", &p->logical_name));
    DP_TRY(get_string(in, n, "physicalName", &physical_name));
    p->name = physical_name && *physical_name ? physical_name : p->logical_name;
    DP_TRY(get_logical(in, n, &p->logical));
    DP_TRY(get_string(in, n, "physicalType", &p->physical_type));
    DP_TRY(get_string(in, n, "description", &p->description));
    DP_TRY(get_string(in, n, "classification", &p->classification));
    DP_TRY(read_flags(in, n, p));
    p->options = dp_yaml_get(n, "logicalTypeOptions");
    if (p->options && p->options->kind != DP_YAML_MAP) return wrong_kind(in, p->options, "logicalTypeOptions", "a map");
    const struct dp_yaml_node *items = dp_yaml_get(n, "items");
    if (items && p->logical != DP_LOGICAL_ARRAY && p->logical != DP_LOGICAL_NONE)
        return dp_yaml_error(doc, items, in->err, "items belong to logicalType array");
    if (items) {
        p->items = dp_arena_calloc(&in->c->arena, 1, sizeof *p->items);
        DP_TRY(read_property(in, items, true, p->items));
    }
    return read_properties(in, n, &p->properties, &p->n_properties);
}

/* ---- objects and the frame ---- */

static enum dp_status read_object(struct reading *in, const struct dp_yaml_node *n, struct dp_contract_object *o) {
    DP_TRY(dp_yaml_known_keys(&in->c->doc, n, in->c->is_31 ? object_keys_31 : object_keys_30, "a schema object", in->err));
    o->node = n;
    DP_TRY(need_string(in, n, "name", "a schema object", &o->name));
    DP_TRY(get_string(in, n, "physicalName", &o->physical_name));
    DP_TRY(get_string(in, n, "description", &o->description));
    return read_properties(in, n, &o->properties, &o->n_properties);
}

static enum dp_status read_version(struct reading *in, const struct dp_yaml_node *root) {
    struct dp_contract *c = in->c;
    const char *v = NULL;
    DP_TRY(need_string(in, root, "apiVersion", "a contract", &v));
    c->api_version = v;
    c->is_31 = !strcmp(v, "v3.1.0");
    if (c->is_31 || !strcmp(v, "v3.0.0") || !strcmp(v, "v3.0.1") || !strcmp(v, "v3.0.2")) return DP_OK;
    const char *hint = !strncmp(v, "v2.", 3) ? "; 2.x has another layout: convert it to v3 first" : "";
    return dp_yaml_error(&c->doc, dp_yaml_get(root, "apiVersion"), in->err, "apiVersion \"%.40s\" is none of v3.0.0, v3.0.1, v3.0.2, v3.1.0%s", v, hint);
}

static enum dp_status read_frame(struct reading *in, const struct dp_yaml_node *root) {
    struct dp_contract *c = in->c;
    const char *kind = NULL;
    if (root->kind != DP_YAML_MAP) return wrong_kind(in, root, "a contract", "a map");
    DP_TRY(read_version(in, root));
    DP_TRY(dp_yaml_known_keys(&c->doc, root, top_keys, "a contract", in->err));
    DP_TRY(need_string(in, root, "kind", "a contract", &kind));
    if (strcmp(kind, "DataContract") != 0)
        return dp_yaml_error(&c->doc, dp_yaml_get(root, "kind"), in->err, "kind must be DataContract, got \"%.40s\"", kind);
    DP_TRY(need_string(in, root, "id", "a contract", &c->id));
    DP_TRY(need_string(in, root, "version", "a contract", &c->version));
    DP_TRY(need_string(in, root, "status", "a contract", &c->status));
    return get_string(in, root, "name", &c->name);
}

static enum dp_status read_schema(struct reading *in, const struct dp_yaml_node *root) {
    struct dp_contract *c = in->c;
    const struct dp_yaml_node *list;
    DP_TRY(get_list(in, root, "schema", &list));
    if (!list) return DP_OK;
    c->objects = dp_arena_calloc(&c->arena, list->n + 1, sizeof *c->objects);
    c->n_objects = list->n;
    for (size_t i = 0; i < list->n; i++) {
        DP_TRY(read_object(in, list->items[i], &c->objects[i]));
        for (size_t k = 0; k < i; k++)
            if (!strcmp(c->objects[k].name, c->objects[i].name))
                return dp_yaml_error(&c->doc, list->items[i], in->err, "schema object \"%.80s\" is there twice", c->objects[i].name);
    }
    return DP_OK;
}

static enum dp_status read_contract(struct dp_contract *c, struct dp_err *err) {
    struct reading in = {.c = c, .err = err};
    enum dp_status status = read_frame(&in, c->doc.root);
    if (status == DP_OK) status = read_schema(&in, c->doc.root);
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

bool dp_contract_is_classified(const struct dp_contract_property *p) {
    return p->classification && *p->classification && strcmp(p->classification, "public") != 0 && strcmp(p->classification, "internal") != 0;
}
