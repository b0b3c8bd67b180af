/*
 * Header in, header out: joins what an expression does (expr_flow.c) with what the header knew of the fields before (dp/record/lineage.h).
 * Origins are carried through, so each field names those of the stream's source.  The words for how are OpenLineage's column lineage in
 * lower case.
 */
#include <dp/base/map.h>
#include <dp/record/class.h>
#include <dp/record/lineage.h>

#include "expr_flow.h"

struct origin {
    struct dp_str field;  /* decoded; no pointer: some field, not known which */
    struct dp_str source; /* as in JSON; empty: the stream's */
    unsigned how;
};

enum others { SAME, NONE, ANY };

struct lineage {
    struct dp_arena arena;
    const struct dp_type *schema;  /* of the input; NULL */
    const char *program;
    struct dp_scan *scan;
    struct dp_buf text;
    struct dp_record old;          /* `fields` of the input; no nodes: none */
    struct dp_map entries;         /* name to node */
    uint32_t of_all;               /* the entry without a name; 0 */
    unsigned others;               /* enum others: where fields without an entry come from: that of their name, there are none, it can't be told */
    struct origin *origins;
    size_t n_origins, cap_origins;
};

static const struct {
    unsigned how;
    const char *word;
} words[] = {{DP_HOW_IDENTITY, "identity"}, {DP_HOW_TRANSFORMATION, "transformation"}, {DP_HOW_AGGREGATION, "aggregation"},
             {DP_HOW_JOIN, "join"},         {DP_HOW_GROUP_BY, "group_by"},             {DP_HOW_FILTER, "filter"},
             {DP_HOW_SORT, "sort"},         {DP_HOW_WINDOW, "window"},                 {DP_HOW_CONDITIONAL, "conditional"}};
#define N_WORDS (sizeof words / sizeof words[0])

static const char *const others_words[] = {"same", "none", "any"};

/* ---- what the header knew ---- */

static bool read_fields(struct lineage *l, const char *fields) {
    l->scan = dp_scan_open(DP_LIMIT_MARK, DP_SCAN_AUTO);
    dp_buf_addz(&l->text, fields);
    memset(dp_buf_reserve(&l->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(l->scan, l->text.p, l->text.n, &l->old, NULL) != DP_OK || l->old.nodes[0].kind != DP_KIND_ARRAY) return false;
    for (uint32_t i = 1; i < l->old.nodes[0].next; i = l->old.nodes[i].next) {
        struct dp_buf name = {0};
        uint32_t node = l->old.nodes[i].kind == DP_KIND_OBJECT ? dp_json_member(&l->old, i, "name") : 0;
        if (l->old.nodes[i].kind != DP_KIND_OBJECT) return false;
        if (!node || l->old.nodes[node].kind == DP_KIND_NULL) l->of_all = i;
        else if (dp_json_get_string(&l->old, node, &name)) dp_map_put(&l->entries, dp_buf_str(&name), NULL)->v.u = i;
        dp_buf_release(&name);
    }
    uint32_t others = l->of_all ? dp_json_member(&l->old, l->of_all, "others") : 0;
    for (unsigned i = NONE; others && i <= ANY; i++)
        if (dp_json_equal(dp_node_str(&l->old, others), l->old.nodes[others].flags, dp_str_z(others_words[i]))) l->others = i;
    return true;
}

static uint32_t entry_of(const struct lineage *l, struct dp_str name) {
    const struct dp_map_item *it = dp_map_get(&l->entries, name);
    return it ? (uint32_t)it->v.u : 0;
}

static struct dp_str raw_of(const struct lineage *l, uint32_t node) {
    const struct dp_node *n = &l->old.nodes[node];
    bool quoted = n->kind == DP_KIND_STRING;
    return dp_str(l->old.base + n->off - quoted, n->len + 2u * quoted);
}

/* ---- classification ---- */

/* What is no word is none that is known. */
static enum dp_rank rank(const struct lineage *l, uint32_t node) {
    struct dp_buf word = {NULL, 0, 0};
    if (!node || l->old.nodes[node].kind == DP_KIND_NULL) return DP_RANK_NONE;
    if (l->old.nodes[node].kind != DP_KIND_STRING) return DP_RANK_OTHER;
    dp_json_decode(dp_node_str(&l->old, node), &word);
    enum dp_rank found = dp_class_rank(word.n ? dp_buf_str(&word) : DP_STR(""));
    dp_buf_release(&word);
    return found;
}

static void stricter(const struct lineage *l, uint32_t entry, uint32_t *best) {
    uint32_t node = entry ? dp_json_member(&l->old, entry, "classification") : 0;
    if (rank(l, node) > rank(l, *best)) *best = node;
}

/* Of what is made of these; what only decides whether a record passes is not in it. */
static void classify(const struct lineage *l, const struct dp_flow_deps *deps, uint32_t *best) {
    const unsigned in_it = DP_FLOW_COPY | DP_FLOW_DIRECT | DP_FLOW_CONDITION;
    for (size_t i = 0; i < deps->n; i++)
        if (deps->v[i].how & in_it) stricter(l, entry_of(l, deps->v[i].name), best);
    for (size_t i = 0; (deps->all & in_it) && i < l->entries.n; i++) stricter(l, (uint32_t)l->entries.items[i].v.u, best);
}

/* ---- origins ---- */

static void add_origin(struct lineage *l, struct dp_str field, struct dp_str source, unsigned how) {
    for (size_t i = 0; i < l->n_origins; i++) {
        struct origin *o = &l->origins[i];
        if (!o->field.p == !field.p && dp_str_eq(o->field, field) && dp_str_eq(o->source, source)) {
            o->how |= how;
            return;
        }
    }
    l->origins = dp_grow(l->origins, &l->cap_origins, l->n_origins + 1, sizeof *l->origins);
    l->origins[l->n_origins++] = (struct origin){field, source, how};
}

/* Of an origin. */
static unsigned how_of(const struct lineage *l, uint32_t origin) {
    uint32_t node = dp_json_member(&l->old, origin, "how"), masking = dp_json_member(&l->old, origin, "masking");
    unsigned how = DP_HOW_TRANSFORMATION;
    for (size_t i = 0; node && i < N_WORDS; i++)
        if (dp_json_equal(dp_node_str(&l->old, node), l->old.nodes[node].flags, dp_str_z(words[i].word))) how = words[i].how;
    return masking && l->old.nodes[masking].kind == DP_KIND_TRUE ? DP_HOW_MASKED(how) : how;
}

/* The origins that an entry names, through a dependency on its field. */
static bool add_entry_origins(struct lineage *l, uint32_t entry, unsigned by) {
    uint32_t from = entry ? dp_json_member(&l->old, entry, "from") : 0;
    if (!from || l->old.nodes[from].kind != DP_KIND_ARRAY) return false;
    for (uint32_t i = from + 1; i < l->old.nodes[from].next; i = l->old.nodes[i].next) {
        if (l->old.nodes[i].kind != DP_KIND_OBJECT) continue;
        struct dp_buf name = {0};
        uint32_t field = dp_json_member(&l->old, i, "field"), source = dp_json_member(&l->old, i, "source");
        bool named = field && dp_json_get_string(&l->old, field, &name);
        add_origin(l, named ? dp_arena_str(&l->arena, dp_buf_str(&name)) : dp_str(NULL, 0), source ? raw_of(l, source) : dp_str("", 0),
                   dp_flow_through(how_of(l, i), by));
        dp_buf_release(&name);
    }
    return true;
}

static void add_field_origins(struct lineage *l, struct dp_str name, unsigned by) {
    if (l->others != ANY && add_entry_origins(l, entry_of(l, name), by)) return; /* else an entry's name may have another value by now */
    if (l->others == ANY) add_origin(l, dp_str(NULL, 0), dp_str("", 0), by);
    if (l->others == SAME) add_origin(l, name, dp_str("", 0), by);
}

static void add_deps(struct lineage *l, const struct dp_flow_deps *deps) {
    for (size_t i = 0; i < deps->n; i++) add_field_origins(l, deps->v[i].name, deps->v[i].how);
    if (!deps->all) return;
    if (l->schema)
        for (size_t i = 0; i < l->schema->n_children; i++)
            add_field_origins(l, dp_str(l->schema->children[i]->name, l->schema->children[i]->name_n), deps->all);
    else add_origin(l, dp_str(NULL, 0), dp_str("", 0), deps->all);
}

/* ,"from":[...] */
static void print_origins(struct lineage *l, struct dp_buf *b) {
    const char *comma = "";
    dp_buf_addz(b, ",\"from\":[");
    for (size_t i = 0; i < l->n_origins; i++)
        for (size_t k = 0; k < 2 * N_WORDS; k++) { /* clear ones first */
            const struct origin *o = &l->origins[i];
            bool masking = k >= N_WORDS;
            unsigned how = masking ? o->how >> 16 : o->how & 0xffff, bit = words[k % N_WORDS].how;
            if (!(how & bit) || (bit == DP_HOW_IDENTITY && (how & DP_HOW_TRANSFORMATION))) continue;
            dp_buf_addf(b, "%s{\"field\":", comma);
            if (o->field.p) dp_json_add_string(b, o->field);
            else dp_buf_addz(b, "null");
            if (o->source.n) dp_buf_addz(b, ",\"source\":"), dp_buf_adds(b, o->source);
            dp_buf_addf(b, ",\"how\":\"%s\"%s}", words[k % N_WORDS].word, masking ? ",\"masking\":true" : "");
            comma = ",";
        }
    dp_buf_addc(b, ']');
    l->n_origins = 0;
}

/* ---- entries ---- */

static bool is_unchanged(struct dp_str name, const struct dp_flow *v) {
    return v->is_copy && v->deps.n == 1 && !v->deps.all && v->deps.v[0].how == DP_FLOW_COPY && dp_str_eq(v->deps.v[0].name, name);
}

/* ,"done":[...]: what was done to the field before, and here. */
static void print_done(const struct lineage *l, uint32_t before, const char *what, struct dp_buf *b) {
    uint32_t done = before ? dp_json_member(&l->old, before, "done") : 0;
    struct dp_str old = done && l->old.nodes[done].kind == DP_KIND_ARRAY ? raw_of(l, done) : dp_str("[]", 2);
    bool some = done && l->old.nodes[done].kind == DP_KIND_ARRAY && l->old.nodes[done].next > done + 1;
    dp_buf_addz(b, ",\"done\":");
    dp_buf_add(b, old.p, old.n - 1);
    dp_buf_addz(b, some ? ",{\"program\":" : "{\"program\":");
    dp_json_add_string(b, dp_str_z(l->program));
    dp_buf_addf(b, ",\"what\":\"%s\"}]", what);
}

/* Members that other programs wrote and that hold for a copy. */
static void print_others(const struct lineage *l, uint32_t entry, struct dp_buf *b) {
    static const char *const ours[] = {"name", "from", "done", "classification", "others"};
    for (uint32_t k = entry + 1; k < l->old.nodes[entry].next; k = l->old.nodes[k + 1].next) {
        bool own = false;
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) own = own || dp_json_equal(dp_node_str(&l->old, k), l->old.nodes[k].flags, dp_str_z(ours[i]));
        if (own) continue;
        dp_buf_addc(b, ',');
        dp_buf_adds(b, raw_of(l, k));
        dp_buf_addc(b, ':');
        dp_buf_adds(b, raw_of(l, k + 1));
    }
}

static void print_entry(struct lineage *l, struct dp_str name, const struct dp_flow *v, uint32_t at_least, struct dp_buf *b) {
    uint32_t before = v->is_copy ? entry_of(l, v->deps.v[0].name) : 0, class = at_least;
    if (b->n > 1) dp_buf_addc(b, ',');
    if (before && l->others != ANY && is_unchanged(name, v)) {
        dp_buf_adds(b, raw_of(l, before));
        return;
    }
    dp_buf_addz(b, "{\"name\":");
    dp_json_add_string(b, name);
    if (v->kind == DP_FLOW_RECORD) { /* an object in a field: all that its members are made of */
        struct dp_flow_deps all = {0};
        dp_flow_add(&l->arena, &all, &v->deps, DP_FLOW_COPY);
        for (size_t i = 0; i < v->n; i++)
            if (v->fields[i].value) dp_flow_add(&l->arena, &all, &v->fields[i].value->deps, DP_FLOW_DIRECT);
        if (v->open) all.all |= DP_FLOW_DIRECT;
        classify(l, &all, &class);
        add_deps(l, &all);
    } else {
        classify(l, &v->deps, &class);
        add_deps(l, &v->deps);
    }
    print_origins(l, b);
    if (!v->is_copy) print_done(l, 0, "derived", b);
    else if (!dp_str_eq(v->deps.v[0].name, name)) print_done(l, before, "renamed", b);
    if (class) dp_buf_addz(b, ",\"classification\":"), dp_buf_adds(b, raw_of(l, class));
    if (before) print_others(l, before, b);
    dp_buf_addc(b, '}');
}

/* The entry without a name, of the origins gathered and those that it had: what decides which records there are. */
static void print_of_all(struct lineage *l, struct dp_buf *b) {
    add_entry_origins(l, l->of_all, DP_HOW_IDENTITY);
    if (!l->n_origins && l->others == SAME) return;
    if (b->n > 1) dp_buf_addc(b, ',');
    dp_buf_addz(b, "{\"name\":null");
    print_origins(l, b);
    if (l->others != SAME) dp_buf_addf(b, ",\"others\":\"%s\"", others_words[l->others]);
    if (l->of_all) print_others(l, l->of_all, b);
    dp_buf_addc(b, '}');
}

/* ---- the output ---- */

static const struct dp_flow_field *listed(const struct dp_flow *r, struct dp_str name) {
    for (size_t i = 0; i < r->n; i++)
        if (dp_str_eq(r->fields[i].name, name)) return &r->fields[i];
    return NULL;
}

/* All fields of the output that have names that are known, those of the input first. */
static struct dp_flow_field *output_fields(struct lineage *l, const struct dp_flow *r, size_t *n) {
    size_t known = l->schema ? l->schema->n_children : l->entries.n;
    struct dp_flow_field *out = dp_arena_calloc(&l->arena, known + r->n + 1, sizeof *out);
    struct dp_map seen = {0};
    for (size_t i = 0; r->open && i < known; i++) {
        struct dp_str name = l->schema ? dp_str(l->schema->children[i]->name, l->schema->children[i]->name_n) : l->entries.items[i].key;
        const struct dp_flow_field *f = listed(r, name);
        dp_map_put(&seen, name, NULL);
        if (f && !f->value) continue;
        out[(*n)++] = (struct dp_flow_field){name, f ? f->value : dp_flow_copy(&l->arena, l->schema, name, r->loose)};
    }
    for (size_t i = 0; i < r->n; i++)
        if (r->fields[i].value && !dp_map_get(&seen, r->fields[i].name)) out[(*n)++] = r->fields[i];
    dp_map_release(&seen);
    return out;
}

static struct dp_type *output_schema(const struct dp_flow_field *f, size_t n) {
    struct dp_type *schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    schema->nullable = false;
    for (size_t i = 0; i < n; i++) {
        const struct dp_flow *v = f[i].value;
        bool kept = v->is_copy && dp_str_eq(v->deps.v[0].name, f[i].name);
        struct dp_type *t = dp_type_new(DP_TYPE_NONE, f[i].name);
        if (v->kind == DP_FLOW_VALUE && v->type) {
            struct dp_type named = *v->type;
            named.name = t->name, named.name_n = t->name_n;
            if (!kept) named.field_id = -1;
            if (!v->is_copy) named.metadata = NULL;
            named.nullable = !v->is_copy || v->nullable; /* what is made is never promised */
            struct dp_type *copy = dp_type_copy(&named);
            dp_type_free(t);
            t = copy;
        }
        dp_type_add(schema, t);
    }
    return schema;
}

static bool has_type(const struct dp_type *schema) {
    for (size_t i = 0; i < schema->n_children; i++)
        if (schema->children[i]->id != DP_TYPE_NONE) return true;
    return false;
}

static void drop_schema(struct dp_mark *begin) {
    dp_type_free(begin->schema);
    begin->schema = NULL;
}

static void write_header(struct lineage *l, const struct dp_flow *r, struct dp_mark *begin) {
    size_t n = 0;
    struct dp_flow_field *f = output_fields(l, r, &n);
    struct dp_type *schema = !r->open || l->schema ? output_schema(f, n) : NULL;
    struct dp_buf b = {0};
    uint32_t class = 0;
    classify(l, &r->deps, &class);
    dp_buf_addc(&b, '[');
    for (size_t i = 0; i < n && b.n < DP_LIMIT_MARK / 2; i++) print_entry(l, f[i].name, f[i].value, class, &b);
    if (schema && (!has_type(schema) || n > DP_LIMIT_COLUMNS)) dp_type_free(schema), schema = NULL;
    add_entry_origins(l, l->of_all, DP_HOW_IDENTITY); /* before the new ones */
    add_deps(l, &r->deps);
    if (!r->open) l->others = schema ? SAME : NONE; /* its names are those of the schema, else of the entries */
    print_of_all(l, &b);
    dp_buf_addc(&b, ']');
    if (schema && b.n >= DP_LIMIT_MARK / 2) dp_type_free(schema), schema = NULL;
    drop_schema(begin);
    begin->schema = schema;
    if (b.n < DP_LIMIT_MARK / 2) {
        free(begin->fields);
        begin->fields = b.n > 2 ? dp_buf_detach(&b) : NULL;
    }
    dp_buf_release(&b);
}

/* The names behind it are not known: the entries stay, and what has none may come from anywhere. */
static void write_unknown(struct lineage *l, struct dp_mark *begin) {
    struct dp_buf b = {0};
    dp_buf_addc(&b, '[');
    for (size_t i = 0; i < l->entries.n; i++) dp_buf_addz(&b, i ? "," : ""), dp_buf_adds(&b, raw_of(l, (uint32_t)l->entries.items[i].v.u));
    l->others = ANY;
    print_of_all(l, &b);
    dp_buf_addc(&b, ']');
    free(begin->fields);
    begin->fields = dp_buf_detach(&b);
    drop_schema(begin);
}

static void amend(const struct dp_expr *e, bool where, const char *program, struct dp_mark *begin) {
    struct lineage l = {.schema = begin->schema, .program = program};
    bool readable = !begin->fields || read_fields(&l, begin->fields);
    const struct dp_flow *r = dp_expr_flow(e, begin->schema, &l.arena);
    if (where && r && r->kind != DP_FLOW_NOTHING) { /* its outputs are the condition */
        struct dp_flow *all = dp_arena_calloc(&l.arena, 1, sizeof *all);
        all->kind = DP_FLOW_RECORD;
        all->open = true;
        dp_flow_add(&l.arena, &all->deps, &r->deps, DP_FLOW_FILTER);
        for (size_t i = 0; r->kind == DP_FLOW_RECORD && i < r->n; i++)
            if (r->fields[i].value) dp_flow_add(&l.arena, &all->deps, &r->fields[i].value->deps, DP_FLOW_FILTER);
        for (size_t i = 0; i < all->deps.n; i++) all->deps.v[i].how = DP_FLOW_FILTER;
        r = all;
    }
    bool as_is = r && (r->kind == DP_FLOW_NOTHING || (r->kind == DP_FLOW_RECORD && r->open && !r->n && !r->deps.n && !r->deps.all));
    if (readable && r && r->kind == DP_FLOW_RECORD && !as_is) write_header(&l, r, begin);
    else if (!as_is && !where && readable) write_unknown(&l, begin);
    else if (!as_is && !where) drop_schema(begin);
    free(l.origins);
    dp_map_release(&l.entries);
    dp_scan_close(l.scan);
    dp_buf_release(&l.text);
    dp_arena_release(&l.arena);
}

void dp_lineage_map(const struct dp_expr *e, const char *program, struct dp_mark *begin) { amend(e, false, program, begin); }

void dp_lineage_where(const struct dp_expr *e, struct dp_mark *begin) { amend(e, true, "", begin); }

/* ---- what a program did to fields by name ---- */

static bool is_of(const struct dp_lineage_done *d, struct dp_str name) { return dp_str_eq(d->field, name); }

/* {"program":..,"what":..} for each thing done to a field, behind those of before. */
static void print_all_done(const struct lineage *l, uint32_t before, struct dp_str name, const struct dp_lineage_done *d, size_t n, struct dp_buf *b) {
    uint32_t done = before ? dp_json_member(&l->old, before, "done") : 0;
    bool has = done && l->old.nodes[done].kind == DP_KIND_ARRAY;
    struct dp_str old = has ? raw_of(l, done) : dp_str("[]", 2);
    const char *comma = has && l->old.nodes[done].next > done + 1 ? "," : "";
    dp_buf_addz(b, ",\"done\":");
    dp_buf_add(b, old.p, old.n - 1);
    for (size_t i = 0; i < n; i++) {
        if (!is_of(&d[i], name) || !d[i].what) continue;
        dp_buf_addf(b, "%s{\"program\":\"%s\",\"what\":\"%s\"", comma, l->program, d[i].what);
        if (d[i].path) dp_buf_addz(b, ",\"path\":"), dp_json_add_string(b, dp_str_z(d[i].path));
        if (d[i].technique) dp_buf_addf(b, ",\"technique\":\"%s\"", d[i].technique);
        if (d[i].domain) dp_buf_addz(b, ",\"domain\":"), dp_json_add_string(b, dp_str_z(d[i].domain));
        dp_buf_addc(b, '}');
        comma = ",";
    }
    dp_buf_addc(b, ']');
}

static void print_done_entry(struct lineage *l, uint32_t before, struct dp_str name, const struct dp_lineage_done *d, size_t n, struct dp_buf *b) {
    const char *word = NULL;
    bool open = false, changed = false, masks = false, reveals = false;
    for (size_t i = 0; i < n; i++) {
        if (!is_of(&d[i], name)) continue;
        open = open || d[i].open;
        masks = masks || d[i].masks;
        reveals = reveals || d[i].reveals;
        changed = changed || d[i].what;
        if (dp_class_rank_z(d[i].classification) > dp_class_rank_z(word)) word = d[i].classification;
    }
    uint32_t class = before && !open ? dp_json_member(&l->old, before, "classification") : 0;
    if (b->n > 1) dp_buf_addc(b, ',');
    dp_buf_addz(b, "{\"name\":");
    dp_json_add_string(b, name);
    add_field_origins(l, name, masks ? DP_HOW_MASKED(DP_HOW_TRANSFORMATION) : changed ? DP_HOW_TRANSFORMATION : DP_HOW_IDENTITY);
    for (size_t i = 0; reveals && i < l->n_origins; i++) l->origins[i].how = (l->origins[i].how | l->origins[i].how >> 16) & 0xffff;
    print_origins(l, b);
    print_all_done(l, before, name, d, n, b);
    if (class && rank(l, class) >= dp_class_rank_z(word)) dp_buf_addz(b, ",\"classification\":"), dp_buf_adds(b, raw_of(l, class));
    else if (word) dp_buf_addz(b, ",\"classification\":"), dp_json_add_string(b, dp_str_z(word));
    if (before) print_others(l, before, b);
    dp_buf_addc(b, '}');
}

static void amend_done(struct lineage *l, const struct dp_lineage_done *d, size_t n, struct dp_buf *b) {
    struct dp_map seen = {0};
    for (size_t i = 0; i < n; i++) dp_map_put(&seen, d[i].field, NULL)->v.u |= d[i].dropped ? 2u : 0;
    dp_buf_addc(b, '[');
    for (size_t i = 0; i < l->entries.n; i++) { /* those that are there, in their order */
        uint32_t entry = (uint32_t)l->entries.items[i].v.u;
        struct dp_map_item *it = dp_map_get(&seen, l->entries.items[i].key);
        if (it && (it->v.u & 2)) continue;
        if (it) print_done_entry(l, entry, it->key, d, n, b);
        else dp_buf_addz(b, b->n > 1 ? "," : ""), dp_buf_adds(b, raw_of(l, entry));
        if (it) it->v.u |= 1;
    }
    for (size_t i = 0; i < seen.n; i++)
        if (!seen.items[i].v.u) print_done_entry(l, 0, seen.items[i].key, d, n, b);
    if (l->of_all) dp_buf_addz(b, b->n > 1 ? "," : ""), dp_buf_adds(b, raw_of(l, l->of_all));
    dp_buf_addc(b, ']');
    dp_map_release(&seen);
}

void dp_lineage_done(struct dp_mark *begin, const char *program, const struct dp_lineage_done *done, size_t n) {
    struct lineage l = {.schema = begin->schema, .program = program};
    struct dp_buf b = {0};
    if (n && (!begin->fields || read_fields(&l, begin->fields))) {
        amend_done(&l, done, n, &b);
        free(begin->fields);
        begin->fields = b.n > 2 ? dp_buf_detach(&b) : NULL;
    }
    free(l.origins);
    dp_map_release(&l.entries);
    dp_scan_close(l.scan);
    dp_buf_release(&l.text);
    dp_buf_release(&b);
    dp_arena_release(&l.arena);
}

/* ---- fields that a program makes ---- */

static void add_on(struct lineage *l, const struct dp_lineage_on *on) {
    struct dp_flow_deps deps = {.v = &(struct dp_flow_dep){.name = on->field, .how = on->how}, .n = 1};
    struct dp_buf source = {0};
    if (on->source) {
        dp_json_add_string(&source, dp_str_z(on->source));
        add_origin(l, on->field, dp_arena_str(&l->arena, dp_buf_str(&source)), on->how);
        dp_buf_release(&source);
        return;
    }
    if (!on->field.p) deps = (struct dp_flow_deps){.all = on->how};
    add_deps(l, &deps);
}

static void print_made(struct lineage *l, const struct dp_lineage_made *m, struct dp_buf *b) {
    const struct dp_lineage_on *on = m->on;
    const unsigned in_it = DP_HOW_DIRECT | DP_HOW_CONDITIONAL;
    uint32_t class = 0;
    if (!m->what && m->n && on->how == DP_HOW_IDENTITY && !on->source && m->n == 1) {
        print_entry(l, m->name, dp_flow_copy(&l->arena, l->schema, on->field, false), 0, b);
        return;
    }
    dp_buf_addz(b, b->n > 1 ? ",{\"name\":" : "{\"name\":");
    dp_json_add_string(b, m->name);
    for (size_t i = 0; i < m->n; i++) {
        add_on(l, &on[i]);
        if (on[i].source || !(on[i].how & in_it)) continue; /* what is masked has lost it */
        if (on[i].field.p) stricter(l, entry_of(l, on[i].field), &class);
        for (size_t k = 0; !on[i].field.p && k < l->entries.n; k++) stricter(l, (uint32_t)l->entries.items[k].v.u, &class);
    }
    print_origins(l, b);
    if (m->what) print_done(l, 0, m->what, b);
    if (class) dp_buf_addz(b, ",\"classification\":"), dp_buf_adds(b, raw_of(l, class));
    dp_buf_addc(b, '}');
}

static void amend_make(struct lineage *l, const struct dp_lineage_made *made, size_t n, bool closed, struct dp_buf *b) {
    struct dp_map of_name = {0};
    for (size_t i = 0; i < n; i++) dp_map_put(&of_name, made[i].name, NULL);
    for (size_t i = 0; i < l->entries.n && !closed; i++)
        if (!dp_map_get(&of_name, l->entries.items[i].key)) dp_buf_addz(b, b->n > 1 ? "," : ""), dp_buf_adds(b, raw_of(l, (uint32_t)l->entries.items[i].v.u));
    for (size_t i = 0; i < n && b->n < DP_LIMIT_MARK / 2; i++) print_made(l, &made[i], b);
    if (closed) l->others = NONE;
    dp_map_release(&of_name);
}

/* Both of the following: on_all holds for all fields. */
static void amend_by_name(struct dp_mark *begin, const char *program, const struct dp_lineage_made *made, size_t n, bool closed, const struct dp_lineage_on *on_all,
                          size_t n_all) {
    struct lineage l = {.schema = begin->schema, .program = program};
    struct dp_buf b = {0};
    if (!begin->fields || read_fields(&l, begin->fields)) {
        dp_buf_addc(&b, '[');
        amend_make(&l, made, n, closed, &b);
        add_entry_origins(&l, l.of_all, DP_HOW_IDENTITY);
        for (size_t i = 0; i < n_all; i++) add_on(&l, &on_all[i]);
        print_of_all(&l, &b);
        dp_buf_addc(&b, ']');
        if (b.n < DP_LIMIT_MARK / 2) {
            free(begin->fields);
            begin->fields = b.n > 2 ? dp_buf_detach(&b) : NULL;
        }
    }
    free(l.origins);
    dp_map_release(&l.entries);
    dp_scan_close(l.scan);
    dp_buf_release(&l.text);
    dp_buf_release(&b);
    dp_arena_release(&l.arena);
}

void dp_lineage_make(struct dp_mark *begin, const char *program, const struct dp_lineage_made *made, size_t n, bool closed) {
    if (n || closed) amend_by_name(begin, program, made, n, closed, NULL, 0);
}

void dp_lineage_all(struct dp_mark *begin, const struct dp_lineage_on *on, size_t n) {
    if (n) amend_by_name(begin, "", NULL, 0, false, on, n);
}
