/*
 * A stream's header as the two members of OpenLineage's columnLineage facet (1-2-0): `fields`, for each column of the output those it was made of, and
 * `dataset`, those that decided which rows there are.  Form of the header: dp-records(5).
 *
 * A column without entry comes from that of its name, where the header's schema has it or there is none.  An origin whose source no dataset stands for,
 * and one that says "some field", is left out: nothing is claimed that isn't known.
 */
#include "datasets_priv.h"

#include <dp/base/map.h>

#include <stdlib.h>

static const struct {
    const char *word, *type, *subtype;
} hows[] = {{"identity", "DIRECT", "IDENTITY"},    {"transformation", "DIRECT", "TRANSFORMATION"}, {"aggregation", "DIRECT", "AGGREGATION"},
            {"join", "INDIRECT", "JOIN"},          {"group_by", "INDIRECT", "GROUP_BY"},           {"filter", "INDIRECT", "FILTER"},
            {"sort", "INDIRECT", "SORT"},          {"window", "INDIRECT", "WINDOW"},               {"conditional", "INDIRECT", "CONDITIONAL"}};
#define N_HOWS (sizeof hows / sizeof hows[0])

/* One text of JSON, parsed. */
struct parsed {
    struct dp_scan *scan;
    struct dp_buf text;
    struct dp_record r;
    bool ok;
};

static void parse(struct parsed *p, const char *json) {
    p->scan = dp_scan_open(DP_LIMIT_MARK, DP_SCAN_PORTABLE);
    dp_buf_addz(&p->text, json);
    memset(dp_buf_reserve(&p->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    p->ok = dp_scan_value(p->scan, p->text.p, p->text.n, &p->r, NULL) == DP_OK && p->r.nodes[0].kind == DP_KIND_ARRAY;
}

static void parsed_release(struct parsed *p) {
    dp_scan_close(p->scan);
    dp_buf_release(&p->text);
}

char *datasets_text(const struct dp_record *r, uint32_t of, const char *key) {
    struct dp_buf b = {NULL, 0, 0};
    uint32_t at = dp_json_member(r, of, key);
    if (at && dp_json_get_string(r, at, &b)) return dp_buf_detach(&b);
    dp_buf_release(&b);
    return NULL;
}

/* ---- origins ---- */

static struct dp_type *columns_member(const struct dp_record *r, uint32_t of) {
    uint32_t at = dp_json_member(r, of, "columns");
    if (!at || r->nodes[at].kind != DP_KIND_ARRAY) return NULL;
    struct dp_type *columns = dp_type_new(DP_TYPE_STRUCT, dp_str("", 0));
    struct dp_buf name = {NULL, 0, 0};
    for (uint32_t i = at + 1; i < r->nodes[at].next; i = r->nodes[i].next) {
        dp_buf_reset(&name);
        if (dp_json_get_string(r, i, &name)) dp_type_add(columns, dp_type_new(DP_TYPE_STRING, dp_buf_str(&name)));
    }
    dp_buf_release(&name);
    return columns;
}

static void origin_release(struct datasets_origin *o) {
    free(o->ns), free(o->name), free(o->source);
    dp_type_free(o->columns);
}

struct datasets_origin *datasets_origins(const char *origins, size_t *n) {
    struct parsed p = {.ok = false};
    struct datasets_origin *v = NULL;
    size_t cap = 0;
    *n = 0;
    if (!origins) return NULL;
    parse(&p, origins);
    for (uint32_t i = 1; p.ok && i < p.r.nodes[0].next; i = p.r.nodes[i].next) {
        if (p.r.nodes[i].kind != DP_KIND_OBJECT) continue;
        struct datasets_origin o = {datasets_text(&p.r, i, "namespace"), datasets_text(&p.r, i, "name"), datasets_text(&p.r, i, "source"), columns_member(&p.r, i)};
        v = dp_grow(v, &cap, *n + 1, sizeof *v);
        if (o.ns && o.name) v[(*n)++] = o;
        else origin_release(&o);
    }
    parsed_release(&p);
    return v;
}

void datasets_origins_free(struct datasets_origin *o, size_t n) {
    for (size_t i = 0; i < n; i++) origin_release(&o[i]);
    free(o);
}

/* ---- input fields ---- */

struct columns {
    struct datasets_origin *origins;
    size_t n_origins;
    struct parsed fields;
    struct dp_map entries; /* name to node of its entry */
    uint32_t of_all;       /* the entry without a name; 0 */
    bool none, any;        /* what it says of columns without an entry: there are none; they may come from anywhere, as those that have one */
    struct dp_map inputs;  /* of the column at hand: namespace, LF, name, LF, field; how often each: bit 2 * how + masking */
};

/* The column of a path: up to its first dot or bracket. */
static struct dp_str top_of(struct dp_str field) {
    for (size_t i = 0; i < field.n; i++)
        if (field.p[i] == '.' || field.p[i] == '[') return dp_str(field.p, i);
    return field;
}

static void add_input(struct columns *c, const char *source, struct dp_str field, unsigned how, bool masking) {
    struct dp_buf key = {NULL, 0, 0};
    for (size_t i = 0; i < c->n_origins; i++) {
        const struct datasets_origin *o = &c->origins[i];
        if (!o->source != !source || (source && strcmp(o->source, source) != 0)) continue;
        if (o->columns && !dp_type_child(o->columns, field) && !dp_type_child(o->columns, top_of(field))) continue;
        dp_buf_reset(&key);
        dp_json_add_string(&key, dp_str_z(o->ns));
        dp_buf_addz(&key, ",\"name\":"), dp_json_add_string(&key, dp_str_z(o->name));
        dp_buf_addz(&key, ",\"field\":"), dp_json_add_string(&key, field);
        dp_map_put(&c->inputs, dp_buf_str(&key), NULL)->v.u |= (uint64_t)1 << (2 * how + masking);
    }
    dp_buf_release(&key);
}

static void add_entry(struct columns *c, uint32_t entry) {
    const struct dp_record *r = &c->fields.r;
    uint32_t from = dp_json_member(r, entry, "from");
    struct dp_buf field = {NULL, 0, 0};
    if (!from || r->nodes[from].kind != DP_KIND_ARRAY) return;
    for (uint32_t i = from + 1; i < r->nodes[from].next; i = r->nodes[i].next) {
        if (r->nodes[i].kind != DP_KIND_OBJECT) continue;
        uint32_t at = dp_json_member(r, i, "field"), how = dp_json_member(r, i, "how"), mask = dp_json_member(r, i, "masking");
        unsigned k = 1; /* a word that is not known is a transformation */
        dp_buf_reset(&field);
        if (!at || !dp_json_get_string(r, at, &field)) continue;
        for (unsigned h = 0; how && h < N_HOWS; h++)
            if (dp_json_equal(dp_node_str(r, how), r->nodes[how].flags, dp_str_z(hows[h].word))) k = h;
        char *source = datasets_text(r, i, "source");
        add_input(c, source, dp_buf_str(&field), k, mask && r->nodes[mask].kind == DP_KIND_TRUE);
        free(source);
    }
    dp_buf_release(&field);
}

static void print_inputs(struct columns *c, struct dp_buf *b) {
    for (size_t i = 0; i < c->inputs.n; i++) {
        const char *comma = "";
        dp_buf_addf(b, "%s{\"namespace\":", i ? "," : "");
        dp_buf_adds(b, c->inputs.items[i].key);
        dp_buf_addz(b, ",\"transformations\":[");
        for (unsigned bit = 0; bit < 2 * N_HOWS; bit++) {
            if (!(c->inputs.items[i].v.u >> bit & 1)) continue;
            dp_buf_addf(b, "%s{\"type\":\"%s\",\"subtype\":\"%s\",\"masking\":%s}", comma, hows[bit / 2].type, hows[bit / 2].subtype, bit % 2 ? "true" : "false");
            comma = ",";
        }
        dp_buf_addz(b, "]}");
    }
    dp_map_reset(&c->inputs);
}

/* ---- columns ---- */

static void print_column(struct columns *c, struct dp_str name, const struct dp_type *names, struct dp_buf *b) {
    const struct dp_map_item *it = dp_map_get(&c->entries, name);
    if (it && dp_json_member(&c->fields.r, (uint32_t)it->v.u, "from")) add_entry(c, (uint32_t)it->v.u);
    else if (it || (names ? dp_type_child(names, name) != NULL : !c->none)) add_input(c, NULL, name, 0, false);
    if (!c->inputs.n) return;
    if (b->n > 1) dp_buf_addc(b, ',');
    dp_json_add_string(b, name);
    dp_buf_addz(b, ":{\"inputFields\":[");
    print_inputs(c, b);
    dp_buf_addz(b, "]}");
}

static void read_entries(struct columns *c, const char *fields) {
    parse(&c->fields, fields ? fields : "[]");
    const struct dp_record *r = &c->fields.r;
    for (uint32_t i = 1; c->fields.ok && i < r->nodes[0].next; i = r->nodes[i].next) {
        if (r->nodes[i].kind != DP_KIND_OBJECT) continue;
        struct dp_buf name = {NULL, 0, 0};
        uint32_t at = dp_json_member(r, i, "name");
        if (at && dp_json_get_string(r, at, &name)) dp_map_put(&c->entries, dp_buf_str(&name), NULL)->v.u = i;
        else c->of_all = i;
        dp_buf_release(&name);
    }
    char *others = c->of_all ? datasets_text(r, c->of_all, "others") : NULL;
    c->none = others && strcmp(others, "none") == 0;
    c->any = others && strcmp(others, "any") == 0;
    free(others);
}

void datasets_columns(const struct dp_dataset *d, char **columns, char **of_all) {
    struct columns c = {.of_all = 0};
    struct dp_buf b = {NULL, 0, 0};
    const struct dp_type *of = d->d.schema ? d->d.schema : d->names;
    c.origins = datasets_origins(d->origins, &c.n_origins);
    read_entries(&c, d->fields);
    if (c.fields.ok) {
        dp_buf_addc(&b, '{');
        for (size_t i = 0; of && !c.any && i < of->n_children; i++) print_column(&c, dp_str(of->children[i]->name, of->children[i]->name_n), d->names, &b);
        for (size_t i = 0; !of && !c.any && i < c.entries.n; i++) print_column(&c, c.entries.items[i].key, NULL, &b);
        dp_buf_addc(&b, '}');
        if (b.n > 2) *columns = dp_buf_detach(&b);
        dp_buf_reset(&b);
        dp_buf_addc(&b, '[');
        if (c.of_all) add_entry(&c, c.of_all), print_inputs(&c, &b);
        dp_buf_addc(&b, ']');
        if (b.n > 2) *of_all = dp_buf_detach(&b);
    }
    datasets_origins_free(c.origins, c.n_origins);
    parsed_release(&c.fields);
    dp_map_release(&c.entries);
    dp_map_release(&c.inputs);
    dp_buf_release(&b);
}
