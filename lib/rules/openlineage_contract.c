/*
 * What a contract says of data and of who answers for it, as facets (dp/rules/openlineage_contract.h).
 */
#include <dp/rules/openlineage_contract.h>

#include <dp/record/json.h>

#include <stdlib.h>
#include <string.h>

#define SOURCE "CONTRACT"

static const char *text_at(const struct dp_yaml_node *map, const char *key) {
    const struct dp_yaml_node *v = map && map->kind == DP_YAML_MAP ? dp_yaml_get(map, key) : NULL;
    return v && v->kind != DP_YAML_LIST && v->kind != DP_YAML_MAP && v->kind != DP_YAML_NULL && v->text.n ? v->text.p : NULL;
}

static void add_owner(struct dp_buf *b, const char *name, const char *type) {
    if (!name) return;
    dp_buf_addz(b, b->n ? ",{\"name\":" : "{\"name\":");
    dp_ol_text(b, name);
    if (type) dp_buf_addz(b, ",\"type\":"), dp_ol_text(b, type);
    dp_buf_addc(b, '}');
}

/* A list of members, or from 3.1 on a team that has them; who has left is no owner. */
static void add_owners(struct dp_buf *b, const struct dp_yaml_node *team) {
    const struct dp_yaml_node *members = team && team->kind == DP_YAML_MAP ? dp_yaml_get(team, "members") : team;
    add_owner(b, text_at(team, "name"), "team");
    for (size_t i = 0; members && members->kind == DP_YAML_LIST && i < members->n; i++) {
        const struct dp_yaml_node *m = members->items[i];
        const char *name = text_at(m, "username");
        if (!text_at(m, "dateOut")) add_owner(b, name ? name : text_at(m, "name"), text_at(m, "role"));
    }
}

static void add_tag(struct dp_buf *b, struct dp_str key, const char *value, const char *field) {
    struct dp_buf k = {NULL, 0, 0};
    dp_buf_adds(&k, key);
    dp_buf_addz(b, ",{\"key\":");
    dp_ol_text(b, dp_buf_z(&k));
    dp_buf_addz(b, ",\"value\":");
    dp_ol_text(b, value);
    if (field) dp_buf_addz(b, ",\"field\":"), dp_ol_text(b, field);
    dp_buf_addz(b, ",\"source\":\"" SOURCE "\"}");
    dp_buf_release(&k);
}

/* A tag of the form key:value is that, any other is there or not. */
static void add_tags(struct dp_buf *b, const struct dp_yaml_node *map) {
    const struct dp_yaml_node *tags = map && map->kind == DP_YAML_MAP ? dp_yaml_get(map, "tags") : NULL;
    for (size_t i = 0; tags && tags->kind == DP_YAML_LIST && i < tags->n; i++) {
        struct dp_str t = tags->items[i]->text;
        const char *colon = t.n ? strchr(t.p, ':') : NULL;
        bool pair = colon && colon > t.p && colon[1];
        if (t.n) add_tag(b, pair ? dp_str(t.p, (size_t)(colon - t.p)) : t, pair ? colon + 1 : "true", NULL);
    }
}

static void add_facet(struct dp_buf *b, enum dp_ol_place place, const char *key, const char *member, const struct dp_buf *items) {
    if (!items->n) return;
    dp_ol_facet(b, place, key);
    dp_buf_addf(b, ",\"%s\":[", member);
    bool comma = items->p[0] == ',';
    dp_buf_add(b, items->p + comma, items->n - comma);
    dp_buf_addz(b, "]}");
}

static void add_documentation(struct dp_buf *b, enum dp_ol_place place, const char *text) {
    if (!text) return;
    dp_ol_facet(b, place, "documentation");
    dp_buf_addz(b, ",\"description\":");
    dp_ol_text(b, text);
    dp_buf_addc(b, '}');
}

static void keep_classes(struct dp_ol_about *a, const struct dp_contract_object *o) {
    a->classes = dp_calloc(o->n_properties + 1, sizeof *a->classes);
    for (size_t i = 0; i < o->n_properties; i++)
        if (o->properties[i].classification && *o->properties[i].classification && o->properties[i].name)
            a->classes[a->n_classes++] = (struct dp_ol_class){dp_strdup(o->properties[i].name), dp_strdup(o->properties[i].classification)};
}

void dp_ol_about_read(const struct dp_contract *c, const struct dp_contract_object *o, struct dp_ol_about *a) {
    struct dp_buf owners = {0};
    struct dp_err err = DP_ERR_INIT;
    const struct dp_yaml_node *root = c->doc.root;
    const char *purpose = text_at(dp_yaml_get(root, "description"), "purpose");
    *a = (struct dp_ol_about){.schema = NULL};
    add_owners(&owners, dp_yaml_get(root, "team"));
    add_tags(&a->tags, root);
    add_facet(&a->job_facets, DP_OL_OF_JOB, "ownership", "owners", &owners);
    add_facet(&a->job_facets, DP_OL_OF_JOB, "tags", "tags", &a->tags);
    add_documentation(&a->job_facets, DP_OL_OF_JOB, purpose);
    add_tags(&a->tags, o->node);
    add_facet(&a->facets, DP_OL_OF_DATASET, "ownership", "owners", &owners);
    add_documentation(&a->facets, DP_OL_OF_DATASET, o->description ? o->description : purpose);
    keep_classes(a, o);
    if (dp_contract_schema(c, o, &a->schema, &err) != DP_OK) a->schema = NULL;
    dp_buf_release(&owners);
}

void dp_ol_about_release(struct dp_ol_about *a) {
    dp_type_free(a->schema);
    dp_buf_release(&a->facets), dp_buf_release(&a->job_facets), dp_buf_release(&a->tags);
    for (size_t i = 0; i < a->n_classes; i++) free(a->classes[i].column), free(a->classes[i].word);
    free(a->classes);
    *a = (struct dp_ol_about){.schema = NULL};
}

/* Was a mask laid over what this column of the dataset comes from?  `columns` is parsed JSON, or NULL. */
static bool is_masked(const struct dp_record *columns, const char *column) {
    uint32_t node = columns ? dp_json_member(columns, 0, column) : 0;
    struct dp_str s = node ? dp_node_str(columns, node) : dp_str("", 0);
    static const char mask[] = "\"masking\":true";
    for (size_t i = 0; i + sizeof mask - 1 <= s.n; i++)
        if (memcmp(s.p + i, mask, sizeof mask - 1) == 0) return true;
    return false;
}

static void add_dataset_tags(const struct dp_ol_about *a, struct dp_ol_dataset *d) {
    struct dp_buf tags = {NULL, 0, 0}, text = {NULL, 0, 0};
    struct dp_record r;
    bool parsed = false;
    struct dp_scan *scan = NULL;
    if (d->columns && a->n_classes) {
        scan = dp_scan_open(64 << 20, DP_SCAN_AUTO);
        dp_buf_addz(&text, d->columns);
        memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        parsed = dp_scan_value(scan, text.p, text.n, &r, NULL) == DP_OK;
    }
    dp_buf_adds(&tags, dp_buf_str(&a->tags));
    for (size_t i = 0; i < a->n_classes; i++) {
        const struct dp_ol_class *c = &a->classes[i];
        bool there = !d->schema || dp_type_child(d->schema, dp_str_z(c->column));
        if (there && !is_masked(parsed ? &r : NULL, c->column)) add_tag(&tags, DP_STR("classification"), c->word, c->column);
    }
    add_facet(&d->facets, DP_OL_OF_DATASET, "tags", "tags", &tags);
    if (scan) dp_scan_close(scan);
    dp_buf_release(&tags);
    dp_buf_release(&text);
}

/* Columns without metadata of their own take the contract's description. */
static void describe_columns(struct dp_type *to, const struct dp_type *from) {
    for (size_t i = 0; i < to->n_children; i++) {
        struct dp_type *c = to->children[i];
        const struct dp_type *f = dp_type_child(from, dp_str(c->name, c->name_n));
        if (!f) continue;
        if (f->metadata && !c->metadata) c->metadata = dp_strdup(f->metadata);
        if (c->id == DP_TYPE_STRUCT && f->id == DP_TYPE_STRUCT) describe_columns(c, f);
    }
}

void dp_ol_about_dataset(const struct dp_ol_about *a, struct dp_ol_dataset *d) {
    if (!dp_ol_has_facet(&d->facets, "ownership") && !dp_ol_has_facet(&d->facets, "documentation")) dp_buf_adds(&d->facets, dp_buf_str(&a->facets));
    if (!dp_ol_has_facet(&d->facets, "tags")) add_dataset_tags(a, d);
    if (d->schema && a->schema) describe_columns(d->schema, a->schema);
}
