/*
 * Compiling a mask: for each property of the contract the rule that holds for it (order in dp/rules/mask.h), its technique held against its
 * type, its parameters bound.  Then keys, schemas and headers.  Records are in mask_record.c, batches in mask_batch.c.
 */
#include "mask_priv.h"

#include <dp/record/class.h>
#include <dp/record/lineage.h>
#include <stdlib.h>

struct compile {
    struct dp_mask *m;
    const struct dp_contract *contract;
    struct dp_map columns[2]; /* rules for columns by path: the role's, everybody's */
    struct dp_map inside;     /* paths that such a path goes into */
    struct dp_map paths;      /* of the contract */
    struct dp_err *err;
};

/* ---- which rule ---- */

static const struct dp_policy_view *view_at(const struct dp_mask *m, int i) { return i == 0 ? m->view : m->policy ? &m->policy->all : NULL; }

static const struct dp_policy_entry *find_entry(const struct dp_policy_entry *e, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(e[i].name, name)) return &e[i];
    return NULL;
}

static const struct dp_policy_entry *column_entry(struct compile *c, const char *path) {
    for (int i = 0; i < 2; i++) {
        const struct dp_map_item *it = dp_map_get(&c->columns[i], dp_str_z(path));
        if (it) return it->v.p;
    }
    return NULL;
}

static const struct dp_policy_entry *tag_entry(struct compile *c, const struct dp_contract_property *p) {
    const struct dp_yaml_node *tags = dp_yaml_get(p->node, "tags");
    for (int i = 0; i < 2 && tags && tags->kind == DP_YAML_LIST; i++) {
        const struct dp_policy_view *v = view_at(c->m, i);
        for (size_t k = 0; v && k < tags->n; k++) {
            const struct dp_policy_entry *e = tags->items[k]->kind == DP_YAML_STRING ? find_entry(v->tags, v->n_tags, tags->items[k]->text.p) : NULL;
            if (e) return e;
        }
    }
    return NULL;
}

static const struct dp_policy_entry *class_entry(struct compile *c, const char *classification) {
    for (int i = 0; i < 2 && classification && *classification; i++) {
        const struct dp_policy_view *v = view_at(c->m, i);
        const struct dp_policy_entry *e = v ? find_entry(v->classifications, v->n_classifications, classification) : NULL;
        if (e) return e;
    }
    return NULL;
}

/* Has a rule for a column a path inside this one? */
static bool has_inside(struct compile *c, const char *path) { return dp_map_get(&c->inside, dp_str_z(path)) != NULL; }

static void index_policy(struct compile *c) {
    for (int i = 0; i < 2; i++) {
        const struct dp_policy_view *v = view_at(c->m, i);
        for (size_t k = 0; v && k < v->n_columns; k++) {
            const char *name = v->columns[k].name;
            dp_map_put(&c->columns[i], dp_str_z(name), NULL)->v.p = (void *)(uintptr_t)&v->columns[k];
            for (size_t n = 1; name[n]; n++)
                if (name[n] == '.' || name[n] == '[') dp_map_put(&c->inside, dp_str(name, n), NULL);
        }
    }
}


/* ---- rules and types ---- */

static enum dp_status wrong(struct compile *c, const struct mask_node *n, const struct dp_yaml_node *property, const char *fmt, ...) DP_PRINTF(4, 5);
static enum dp_status wrong(struct compile *c, const struct mask_node *n, const struct dp_yaml_node *property, const char *fmt, ...) {
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n->rule.node) return dp_yaml_error(&c->m->policy->doc, n->rule.node, c->err, "column %.100s: %s", n->path, text);
    return dp_yaml_error(&c->contract->doc, property, c->err, "column %.100s: %s", n->path, text);
}

/* A string becomes a token, another type null; what is required can't. */
static enum dp_status default_rule(struct compile *c, const struct dp_contract_property *p, const char *classification, struct mask_node *n) {
    bool text = n->type->id == DP_TYPE_STRING;
    n->rule = (struct dp_mask_rule){.technique = dp_mask_technique_find(text ? "token" : "null"), .bits = 128};
    if (text || n->type->nullable) return DP_OK;
    struct dp_buf b = {0};
    dp_type_print_leaf(n->type, &b);
    wrong(c, n, p->node, "it is %.40s and required, and %.60s can be neither a token nor, being required, null: say in a policy (-p) what becomes of it", classification, dp_buf_z(&b));
    dp_buf_release(&b);
    return DP_USAGE;
}

static bool makes_null(const struct mask_node *n) {
    const struct dp_mask_technique *t = n->rule.technique;
    return n->rule.or_null || (t->is_null && t->is_null(n->type));
}

/* A constant must be a value of the column's type: it is held against it as a record would be. */
static bool constant_fits(const struct mask_node *n) {
    struct dp_type *schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    struct dp_type *copy = dp_type_copy(n->type);
    struct dp_shred_reject why;
    struct dp_batch b;
    struct dp_record r;
    struct dp_buf text = {0};
    free(copy->name);
    copy->name = dp_strdup("c"), copy->name_n = 1;
    dp_type_add(schema, copy);
    dp_batch_init(&b, schema);
    dp_buf_addf(&text, "{\"c\":%s}", n->constant);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    struct dp_scan *scan = dp_scan_open(0, DP_SCAN_PORTABLE);
    struct dp_shred *shred = dp_shred_open(schema, true);
    bool fits = dp_scan_value(scan, text.p, text.n, &r, NULL) == DP_OK && dp_shred_record(shred, &r, &b, &why) == DP_OK;
    dp_shred_close(shred);
    dp_scan_close(scan);
    dp_batch_release(&b);
    dp_buf_release(&text);
    dp_type_free(schema);
    return fits;
}

static enum dp_status check_rule(struct compile *c, const struct dp_contract_property *p, struct mask_node *n) {
    const struct dp_mask_technique *t = n->rule.technique;
    if (t->fit(&n->rule, n->type) == MASK_FIT_NOT) {
        struct dp_buf b = {0};
        dp_type_print_leaf(n->type, &b);
        wrong(c, n, p->node, "%s does not take a %.60s as it is asked for; it takes %s", t->name, dp_buf_z(&b), t->takes);
        dp_buf_release(&b);
        return DP_USAGE;
    }
    if (!n->type->nullable && makes_null(n) && strcmp(t->name, "drop") != 0) return wrong(c, n, p->node, "it is required, and %s would make it null; drop or fixed would not", t->name);
    if (!n->name && !strcmp(t->name, "drop")) return wrong(c, n, p->node, "drop takes a field away, not the elements of a list");
    if (n->constant && !constant_fits(n)) return wrong(c, n, p->node, "the value of fixed is not of its type");
    return DP_OK;
}

static void note_column(struct compile *c, const struct mask_node *n, const char *top, const char *classification) {
    struct dp_mask *m = c->m;
    const struct dp_mask_technique *t = n->rule.technique;
    m->columns = dp_grow(m->columns, &m->columns_cap, m->n_columns + 1, sizeof *m->columns);
    m->columns[m->n_columns++] = (struct dp_mask_column){.path = n->path, .top = top, .technique = t->name, .domain = n->rule.domain, .classification = classification,
                                                         .anonymous = t->anonymous, .dropped = !strcmp(t->name, "drop"), .leaves_clear = t->leaves_clear, .passes = !strcmp(t->name, "pass")};
}

/* ---- the tree ---- */

static enum dp_status build(struct compile *c, const struct dp_contract_property *p, const char *inherited, const char *top, struct mask_node *n);

static enum dp_status apply_rule(struct compile *c, const struct dp_contract_property *p, const char *classification, const char *top, struct mask_node *n) {
    struct dp_mask *m = c->m;
    const struct dp_mask_technique *t = n->rule.technique;
    if (!strcmp(t->name, "pass")) {
        if (dp_classification_hides(classification)) note_column(c, n, top, classification);
        return n->act = MASK_KEEP, DP_OK;
    }
    enum dp_status bound = dp_mask_bind(m->policy, &m->arena, n, c->err);
    if (n->table) { /* also of a file that was read in part */
        m->tables = dp_grow(m->tables, &m->tables_cap, m->n_tables + 1, sizeof *m->tables);
        m->tables[m->n_tables++] = n->table;
    }
    if (bound != DP_OK) { /* the place is the policy's, the status that of the file */
        (void)!wrong(c, n, p->node, "%s", c->err ? c->err->msg : "its file can't be read");
        if (c->err) c->err->status = bound;
        return bound;
    }
    DP_TRY(check_rule(c, p, n));
    n->act = !strcmp(t->name, "drop") ? MASK_DROP : MASK_APPLY;
    if (t->keyed) {
        m->keyed = dp_grow(m->keyed, &m->keyed_cap, m->n_keyed + 1, sizeof *m->keyed);
        m->keyed[m->n_keyed++] = n;
    }
    note_column(c, n, top, classification);
    return DP_OK;
}

/* The name as a step of a path: quoted where it would read as something else. */
static const char *child_path(struct compile *c, const char *parent, const char *name) {
    bool plain = *name && !strpbrk(name, ".[]\"\\");
    const char *dot = *parent ? "." : "";
    return plain ? dp_arena_printf(&c->m->arena, "%s%s%s", parent, dot, name) : dp_arena_printf(&c->m->arena, "%s%s\"%s\"", parent, dot, name);
}

static void index_children(struct compile *c, struct mask_node *n) {
    if (n->n_children <= 8) return;
    struct dp_mask *m = c->m;
    n->by_name = dp_calloc(1, sizeof *n->by_name);
    for (size_t i = 0; i < n->n_children; i++) dp_map_put(n->by_name, dp_str(n->children[i].name, n->children[i].name_n), NULL)->v.u = i;
    m->tables = dp_grow(m->tables, &m->tables_cap, m->n_tables + 1, sizeof *m->tables);
    m->tables[m->n_tables++] = n->by_name;
}

static enum dp_status build_children(struct compile *c, const struct dp_contract_property *p, size_t n_p, const char *inherited, const char *top, struct mask_node *n) {
    n->children = dp_arena_calloc(&c->m->arena, n_p + 1, sizeof *n->children);
    n->n_children = n_p;
    bool any = c->m->unknown != DP_MASK_UNKNOWN_PASS;
    for (size_t i = 0; i < n_p; i++) {
        struct mask_node *k = &n->children[i];
        k->name = k->label = p[i].name, k->name_n = strlen(p[i].name);
        k->type = n->type->children[i];
        k->path = child_path(c, n->path, k->name);
        DP_TRY(build(c, &p[i], inherited, top ? top : k->name, k));
        any = any || k->act != MASK_KEEP;
    }
    index_children(c, n);
    n->act = any ? MASK_INTO : MASK_KEEP;
    return DP_OK;
}

static enum dp_status build_inside(struct compile *c, const struct dp_contract_property *p, const char *inherited, const char *top, struct mask_node *n) {
    if (n->type->id == DP_TYPE_STRUCT) return build_children(c, p->properties, p->n_properties, inherited, top, n);
    n->items = dp_arena_calloc(&c->m->arena, 1, sizeof *n->items);
    n->items->type = n->type->children[0];
    n->items->label = n->label;
    n->items->path = dp_arena_printf(&c->m->arena, "%s[]", n->path);
    DP_TRY(build(c, p->items, inherited, top, n->items));
    n->act = n->items->act == MASK_KEEP ? MASK_KEEP : MASK_INTO;
    return DP_OK;
}

static enum dp_status build(struct compile *c, const struct dp_contract_property *p, const char *inherited, const char *top, struct mask_node *n) {
    bool own = p->classification && *p->classification, box = n->type->id == DP_TYPE_STRUCT || n->type->id == DP_TYPE_LIST;
    const char *classification = own ? p->classification : inherited;
    const struct dp_policy_entry *e = column_entry(c, n->path);
    dp_map_put(&c->paths, dp_str_z(n->path), NULL);
    c->m->classified = c->m->classified || dp_classification_hides(classification);
    if (!e && box && has_inside(c, n->path)) return build_inside(c, p, classification, top, n);
    if (!e) e = tag_entry(c, p);
    if (!e) e = class_entry(c, classification);
    if (e && box && e->rule.technique == dp_mask_technique_find("pass") && !column_entry(c, n->path)) /* what is in it is judged for itself */
        return build_inside(c, p, classification, top, n);
    if (e) {
        n->rule = e->rule;
        return apply_rule(c, p, classification, top, n);
    }
    if (dp_classification_hides(classification)) {
        DP_TRY(default_rule(c, p, classification, n));
        return apply_rule(c, p, classification, top, n);
    }
    return box ? build_inside(c, p, classification, top, n) : DP_OK;
}

/* A column that is named and not there is a mistake that would let a value pass. */
static enum dp_status check_columns(struct compile *c) {
    const struct dp_policy *p = c->m->policy;
    for (size_t v = 0; p && v <= p->n_roles; v++) {
        const struct dp_policy_view *view = v ? &p->roles[v - 1] : &p->all;
        for (size_t i = 0; i < view->n_columns; i++) {
            const struct dp_policy_entry *e = &view->columns[i];
            if (dp_map_get(&c->paths, dp_str_z(e->name))) continue;
            bool inside = false; /* of a column that has a rule of its own as a whole */
            for (size_t k = 0; k < c->m->n_columns && !inside; k++) {
                size_t n = strlen(c->m->columns[k].path);
                inside = !strncmp(e->name, c->m->columns[k].path, n) && (e->name[n] == '.' || e->name[n] == '[');
            }
            const char **names = dp_calloc(c->paths.n + 1, sizeof *names);
            for (size_t k = 0; k < c->paths.n; k++) names[k] = c->paths.items[k].key.p;
            const char *near = dp_str_nearest(e->name, names);
            if (inside) dp_yaml_error(&p->doc, e->at, c->err, "column \"%.100s\": another rule takes the column that it is in as a whole", e->name);
            else dp_yaml_error(&p->doc, e->at, c->err, "the contract has no column \"%.100s\"%s%s%s", e->name, near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
            free(names);
            return DP_USAGE;
        }
    }
    return DP_OK;
}

/* ---- rules that nothing is under ---- */

/* Tags and classifications of properties, at every depth: "t:pii", "c:restricted". */
static void note_words(struct dp_map *words, const struct dp_contract_property *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct dp_yaml_node *tags = dp_yaml_get(p[i].node, "tags");
        struct dp_buf b = {0};
        for (size_t k = 0; tags && tags->kind == DP_YAML_LIST && k < tags->n; k++) {
            dp_buf_reset(&b);
            dp_buf_addz(&b, "t:");
            dp_buf_adds(&b, tags->items[k]->text);
            dp_map_put(words, dp_buf_str(&b), NULL);
        }
        if (p[i].classification) {
            dp_buf_reset(&b);
            dp_buf_addf(&b, "c:%s", p[i].classification);
            dp_map_put(words, dp_buf_str(&b), NULL);
        }
        dp_buf_release(&b);
        note_words(words, p[i].properties, p[i].n_properties);
        if (p[i].items) note_words(words, p[i].items, 1);
    }
}

static void find_unused(struct dp_mask *m, const struct dp_map *words, const struct dp_policy_entry *e, size_t n, char kind) {
    struct dp_buf b = {0};
    for (size_t i = 0; i < n; i++) {
        dp_buf_reset(&b);
        dp_buf_addf(&b, "%c:%s", kind, e[i].name);
        if (dp_map_get(words, dp_buf_str(&b))) continue;
        m->unused = dp_grow(m->unused, &m->unused_cap, m->n_unused + 1, sizeof *m->unused);
        m->unused[m->n_unused++] = dp_arena_printf(&m->arena, "%s:%llu: no column of the contract has the %s \"%.100s\"", m->policy->doc.source,
                                                   (unsigned long long)e[i].at->line, kind == 't' ? "tag" : "classification", e[i].name);
    }
    dp_buf_release(&b);
}

/* A tag or classification that no column has may be another contract's, or a slip that lets a value pass: the caller tells it. */
static void note_unused(struct dp_mask *m, const struct dp_contract_object *o) {
    const struct dp_policy *p = m->policy;
    struct dp_map words = {0};
    if (!p) return;
    note_words(&words, o->properties, o->n_properties);
    for (size_t v = 0; v <= p->n_roles; v++) {
        const struct dp_policy_view *view = v ? &p->roles[v - 1] : &p->all;
        find_unused(m, &words, view->tags, view->n_tags, 't');
        find_unused(m, &words, view->classifications, view->n_classifications, 'c');
    }
    dp_map_release(&words);
}

size_t dp_mask_unused(const struct dp_mask *m, const char *const **words) {
    *words = m->unused;
    return m->n_unused;
}

enum dp_status dp_mask_compile(const struct dp_contract *contract, const struct dp_contract_object *o, const struct dp_policy *policy, const char *role,
                               enum dp_mask_unknown unknown, struct dp_mask **out, struct dp_err *err) {
    struct dp_mask *m = dp_calloc(1, sizeof *m);
    struct compile c = {.m = m, .contract = contract, .err = err};
    enum dp_status status = DP_OK;
    m->policy = policy;
    m->unknown = unknown;
    if (role && !policy) status = dp_err_set(err, DP_USAGE, "--role needs a policy that has it (-p FILE)");
    else if (role) status = dp_policy_role(policy, role, &m->view, err);
    if (status == DP_OK) status = dp_contract_schema(contract, o, &m->schema, err);
    if (status != DP_OK) goto out;
    index_policy(&c);
    m->root = (struct mask_node){.name = "", .path = "", .type = m->schema};
    DP_TRY_OUT(build_children(&c, o->properties, o->n_properties, NULL, NULL, &m->root));
    DP_TRY_OUT(check_columns(&c));
    note_unused(m, o);
    m->root.act = MASK_INTO;
out:
    dp_map_release(&c.columns[0]);
    dp_map_release(&c.columns[1]);
    dp_map_release(&c.inside);
    dp_map_release(&c.paths);
    if (status == DP_OK) *out = m;
    else dp_mask_free(m);
    return status;
}

void dp_mask_free(struct dp_mask *m) {
    if (!m) return;
    free(m->unused);
    dp_secret_free(m->hmacs, m->n_keyed * sizeof *m->hmacs);
    dp_secret_free(m->sivs, m->n_keyed * sizeof *m->sivs);
    mask_openers_free(m);
    for (size_t i = 0; i < m->n_tables; i++) {
        dp_map_release(m->tables[i]);
        free(m->tables[i]);
    }
    free(m->tables);
    free(m->columns);
    free(m->keyed);
    dp_type_free(m->schema);
    dp_arena_release(&m->arena);
    free(m);
}

size_t dp_mask_columns(const struct dp_mask *m, const struct dp_mask_column **out) { return *out = m->columns, m->n_columns; }
bool dp_mask_hides(const struct dp_mask *m) { return m->classified || m->n_columns > 0; }
const struct dp_type *dp_mask_contract_schema(const struct dp_mask *m) { return m->schema; }

size_t dp_mask_rows(const struct dp_mask *m, const char *rows[2]) {
    size_t n = 0;
    for (int i = 1; i >= 0; i--) {
        const struct dp_policy_view *v = view_at(m, i);
        if (v && v->rows) rows[n++] = v->rows;
    }
    return n;
}

/* ---- keys ---- */

const char *dp_mask_needs_key(const struct dp_mask *m) { return m->n_keyed ? m->keyed[0]->path : NULL; }

enum dp_status dp_mask_set_key(struct dp_mask *m, const struct dp_keyring *ring, struct dp_err *err) {
    const struct dp_keyring_key *k = dp_keyring_active(ring);
    if (!k) return dp_err_set(err, DP_USAGE, "no key of the ring is active: `dp-mask keygen --add FILE` adds one");
    if (!m->n_keyed || m->hmacs) return DP_OK;
    m->hmacs = dp_secret_alloc(m->n_keyed * sizeof *m->hmacs);
    m->sivs = dp_secret_alloc(m->n_keyed * sizeof *m->sivs);
    for (size_t i = 0; i < m->n_keyed; i++) {
        struct mask_node *n = m->keyed[i];
        uint8_t key[DP_SHA256_SIZE];
        dp_key_derive(k, n->rule.technique->name, dp_str(n->prefix.p, n->prefix.n - 1), key);
        bool seals = n->rule.technique->apply == dp_mask_encrypt;
        if (seals) dp_siv_init(&m->sivs[i], key, n->prefix);
        else dp_hmac_init(&m->hmacs[i], key, sizeof key);
        dp_wipe(key, sizeof key);
        n->hmac = seals ? NULL : &m->hmacs[i], n->siv = seals ? &m->sivs[i] : NULL;
        n->head_n = (size_t)snprintf(n->head, sizeof n->head, "%s:%s:", seals ? "e1" : "v1", k->id);
    }
    return DP_OK;
}

/* ---- schemas ---- */

static enum dp_status behind(const struct dp_mask *m, const struct mask_node *n, const struct dp_type *in, struct dp_type **out, struct dp_err *err);

static const struct mask_node *node_named(const struct mask_node *n, const struct dp_type *t) { return dp_mask_child(n, dp_str(t->name, t->name_n), 0); }

static struct dp_type *shell(const struct dp_type *in) {
    struct dp_type bare = *in;
    bare.children = NULL, bare.n_children = 0;
    return dp_type_copy(&bare);
}

static enum dp_status behind_box(const struct dp_mask *m, const struct mask_node *n, const struct dp_type *in, struct dp_type **out, struct dp_err *err) {
    struct dp_type *t = shell(in);
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < in->n_children && status == DP_OK; i++) {
        const struct dp_type *c = in->children[i];
        const struct mask_node *k = in->id == DP_TYPE_STRUCT ? node_named(n, c) : n->items;
        struct dp_type *made = NULL;
        if (!k && m->unknown == DP_MASK_UNKNOWN_DROP) continue;
        if (!k && m->unknown == DP_MASK_UNKNOWN_FAIL)
            status = dp_err_set(err, DP_SCHEMA, "column %.100s%s%.100s is not in the contract: --unknown drop leaves it out, --unknown pass lets it through", n->path, *n->path ? "." : "",
                                c->name);
        else if (!k) made = dp_type_copy(c);
        else if (k->act != MASK_DROP) status = behind(m, k, c, &made, err);
        if (made) dp_type_add(t, made);
    }
    if (status == DP_OK) *out = t;
    else dp_type_free(t);
    return status;
}

static enum dp_status no_fit(const struct mask_node *n, const struct dp_type *in, struct dp_err *err) {
    struct dp_buf a = {0}, b = {0};
    dp_type_print_leaf(n->type, &a);
    dp_type_print_leaf(in, &b);
    dp_err_set(err, DP_SCHEMA, "column %.100s: the contract says %.60s, the data says %.60s", n->path, dp_buf_z(&a), dp_buf_z(&b));
    dp_buf_release(&a);
    dp_buf_release(&b);
    return DP_SCHEMA;
}

/* The type of one field behind the mask. */
static enum dp_status behind(const struct dp_mask *m, const struct mask_node *n, const struct dp_type *in, struct dp_type **out, struct dp_err *err) {
    enum dp_kind want = dp_mask_form(n->type), is = dp_mask_form(in);
    bool same_form = in->id == DP_TYPE_NONE || want == DP_KIND_NONE || is == DP_KIND_NONE || want == is;
    switch (n->act) {
    case MASK_KEEP:
    case MASK_DROP: *out = dp_type_copy(in); return DP_OK;
    case MASK_INTO:
        if (in->id == DP_TYPE_NONE) return *out = dp_type_copy(in), DP_OK;
        if (in->id != n->type->id) return no_fit(n, in, err);
        return behind_box(m, n, in, out, err);
    case MASK_APPLY: break;
    }
    const struct dp_mask_technique *t = n->rule.technique;
    enum mask_fit fit = in->id == DP_TYPE_NONE ? t->fit(&n->rule, n->type) : t->fit(&n->rule, in);
    if ((!t->any_form && !same_form) || fit == MASK_FIT_NOT) return no_fit(n, in, err);
    if (n->constant && !same_form) return no_fit(n, in, err);
    struct dp_type *made = fit == MASK_FIT_TEXT ? dp_type_new(DP_TYPE_STRING, dp_str(in->name, in->name_n)) : dp_type_copy(in);
    made->nullable = in->nullable || makes_null(n);
    *out = made;
    return DP_OK;
}

enum dp_status dp_mask_schema(const struct dp_mask *m, const struct dp_type *in, struct dp_type **out, struct dp_err *err) {
    return behind_box(m, &m->root, in, out, err);
}

static bool passes(const struct dp_mask *m, const struct mask_node *n, const struct dp_type *t) {
    if (!n) return m->unknown == DP_MASK_UNKNOWN_PASS;
    if (n->act == MASK_KEEP) return true;
    if (n->act == MASK_APPLY || n->act == MASK_DROP) return false;
    for (size_t i = 0; i < t->n_children; i++)
        if (!passes(m, t->id == DP_TYPE_STRUCT ? node_named(n, t->children[i]) : n->items, t->children[i])) return false;
    return true;
}

bool dp_mask_passes(const struct dp_mask *m, const struct dp_type *column) { return passes(m, node_named(&m->root, column), column); }

/* ---- the header ---- */

/* One entry for each column that something was done to; what is left of classified values inside keeps the strictest classification. */
enum dp_status dp_mask_header(const struct dp_mask *m, const char *program, struct dp_mark *begin, struct dp_err *err) {
    struct dp_lineage_done *done = dp_calloc(m->n_columns + 1, sizeof *done);
    size_t n = 0;
    for (size_t i = 0; i < m->n_columns; i++) {
        const struct dp_mask_column *c = &m->columns[i];
        bool nested = strcmp(c->path, c->top) != 0;
        done[n++] = (struct dp_lineage_done){.field = dp_str_z(c->top), .path = nested ? c->path : NULL, .what = c->passes ? NULL : "masked", .technique = c->technique, .domain = c->domain,
                                             .dropped = c->dropped && !nested, .masks = !c->leaves_clear && !nested, .open = c->anonymous && !nested,
                                             .classification = c->anonymous || !dp_class_is_closed(c->classification) ? NULL : c->classification};
    }
    dp_lineage_done(begin, program, done, n);
    free(done);
    if (!begin->schema) return DP_OK;
    struct dp_type *schema = NULL;
    DP_TRY(dp_mask_schema(m, begin->schema, &schema, err));
    dp_type_free(begin->schema);
    begin->schema = schema;
    return DP_OK;
}
