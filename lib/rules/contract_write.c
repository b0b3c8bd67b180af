/*
 * Writing a first contract (ODCS v3.1.0, YAML) from a schema and what inference saw.  It says what is known and leaves the rest to a
 * person: no keys and no classification are guessed; columns fit for partitions and keys are named in comments.  Rules out of evidence are in contract_evidence.c.
 */
#include "contract_evidence.h"

#include <dp/base/map.h>

struct writing {
    struct dp_buf *b;
    const struct dp_contract_draft *draft;
    size_t in_lists;        /* how many lists the property is in */
    struct dp_map evidence; /* path -> struct dp_infer_field, NULL where two fields make the same path */
    struct dp_buf path;     /* of the property being written, as dp_infer_fields spells it */
};

struct words {
    const char *logical, *physical; /* NULL: none; of a decimal, written apart */
};

static struct words type_words(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_BOOLEAN: return (struct words){"boolean", "boolean"};
    case DP_TYPE_INT8: return (struct words){"integer", "tinyint"};
    case DP_TYPE_UINT8:
    case DP_TYPE_INT16: return (struct words){"integer", "smallint"};
    case DP_TYPE_UINT16:
    case DP_TYPE_INT32: return (struct words){"integer", "int"};
    case DP_TYPE_UINT32:
    case DP_TYPE_INT64: return (struct words){"integer", "bigint"};
    case DP_TYPE_UINT64: return (struct words){"integer", "decimal(20,0)"};
    case DP_TYPE_FLOAT16:
    case DP_TYPE_FLOAT: return (struct words){"number", "float"};
    case DP_TYPE_DOUBLE: return (struct words){"number", "double"};
    case DP_TYPE_DECIMAL: return (struct words){"number", NULL};
    case DP_TYPE_NONE:
    case DP_TYPE_STRING:
    case DP_TYPE_ENUM:
    case DP_TYPE_UUID:
    case DP_TYPE_INTERVAL: return (struct words){"string", "string"};
    case DP_TYPE_JSON: return (struct words){NULL, "json"}; /* of any kind: no logicalType fits */
    case DP_TYPE_BINARY:
    case DP_TYPE_FIXED: return (struct words){"string", "binary"};
    case DP_TYPE_DATE: return (struct words){"date", "date"};
    case DP_TYPE_TIME: return (struct words){"time", "time"};
    case DP_TYPE_TIMESTAMP: return (struct words){"timestamp", t->utc ? "timestamp" : "timestamp_ntz"};
    case DP_TYPE_LIST: return (struct words){"array", "array"};
    case DP_TYPE_STRUCT: return (struct words){"object", "struct"};
    case DP_TYPE_MAP: return (struct words){"object", "map"};
    }
    return (struct words){"string", "string"};
}

static void add_key(struct dp_buf *b, int at, const char *key, const char *value) {
    indent(b, at);
    dp_buf_addf(b, "%s: %s\n", key, value);
}

static const struct dp_infer_field *evidence_of(struct writing *w) {
    struct dp_map_item *item = dp_map_get(&w->evidence, dp_buf_str(&w->path));
    return item ? item->v.p : NULL;
}

/* Always there, as far as one can tell. */
static bool is_required(struct writing *w, const struct dp_type *t) {
    const struct dp_infer_field *e = evidence_of(w);
    return e && t->nullable ? e->always : !t->nullable;
}

static void gather_evidence(struct writing *w, const struct dp_contract_draft *d) {
    for (size_t i = 0; i < d->n_fields; i++) {
        bool is_new;
        struct dp_map_item *item = dp_map_put(&w->evidence, dp_str_z(d->fields[i].path), &is_new);
        item->v.p = is_new ? (void *)(uintptr_t)&d->fields[i] : NULL;
    }
}

static void write_types(struct dp_buf *b, const struct dp_type *t, int at) {
    struct words words = type_words(t);
    if (words.logical) add_key(b, at, "logicalType", words.logical);
    if (words.physical) add_key(b, at, "physicalType", words.physical);
    else {
        indent(b, at);
        dp_buf_addf(b, "physicalType: decimal(%d,%d)\n", t->precision, t->scale);
    }
}

static void write_children(struct writing *w, const struct dp_type *t, int at);

/* What is known of a property behind its types. */
static void write_facts(struct writing *w, const struct dp_type *t, int at) {
    const struct dp_infer_field *e = evidence_of(w);
    if (is_required(w, t)) add_key(w->b, at, "required", "true");
    if (e && w->draft->rules) dp_contract_write_rules(w->draft, t, e, w->in_lists > 0, at, w->b);
    write_children(w, t, at);
}

static bool has_name(const struct dp_type *t) { return t->name_n && !memchr(t->name, 0, t->name_n); }

static bool any_name(const struct dp_type *t) {
    for (size_t i = 0; i < t->n_children; i++)
        if (has_name(t->children[i])) return true;
    return false;
}

static void write_property(struct writing *w, const struct dp_type *t, int at) {
    size_t back = w->path.n;
    if (!has_name(t)) {
        indent(w->b, at);
        dp_buf_addz(w->b, "# A field whose name is empty or holds a NUL is left out: contracts can't name it.\n");
        return;
    }
    if (back) dp_buf_addc(&w->path, '.');
    dp_buf_add(&w->path, t->name, t->name_n);
    indent(w->b, at);
    dp_buf_addz(w->b, "- name: ");
    dp_yaml_add_scalar(w->b, dp_str(t->name, t->name_n));
    dp_buf_addc(w->b, '\n');
    write_types(w->b, t, at + 2);
    write_facts(w, t, at + 2);
    w->path.n = back;
}

/* A map has no words of its own in 3.1: it is an object whose keys are not named. */
static void write_children(struct writing *w, const struct dp_type *t, int at) {
    if (t->id == DP_TYPE_STRUCT && t->n_children) {
        if (any_name(t)) indent(w->b, at), dp_buf_addz(w->b, "properties:\n");
        for (size_t i = 0; i < t->n_children; i++) write_property(w, t->children[i], at + 2);
    }
    if (t->id != DP_TYPE_LIST || !t->n_children) return;
    dp_buf_addz(&w->path, "[]");
    indent(w->b, at);
    dp_buf_addz(w->b, "items:\n");
    write_types(w->b, t->children[0], at + 2);
    w->in_lists++;
    write_facts(w, t->children[0], at + 2);
    w->in_lists--;
    w->path.n -= 2;
}

static void list_columns(const struct dp_type *schema, enum dp_type_id id, const char *word, struct dp_buf *b) {
    size_t n = 0;
    for (size_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->id != id) continue;
        dp_buf_addz(b, n++ ? ", " : word);
        dp_yaml_add_scalar(b, dp_str(schema->children[i]->name, schema->children[i]->name_n));
    }
    if (n) dp_buf_addc(b, '\n');
}

/* Dates and days of timestamps divide well; whatever else might is for a person to know. */
static void write_partition_hint(const struct dp_contract_draft *d, struct dp_buf *b) {
    list_columns(d->schema, DP_TYPE_DATE, "    # Fit for partitions (partitioned: true, partitionKeyPosition: 1): ", b);
    list_columns(d->schema, DP_TYPE_TIMESTAMP, "    # Fit for partitions by day (dp-partition --by 'day=day(COLUMN)'): ", b);
}

/* Columns that could be the key: always there and different in every record. */
static void write_key_hint(struct writing *w) {
    size_t n = 0;
    for (size_t i = 0; w->draft->rules && i < w->draft->schema->n_children; i++) {
        const struct dp_type *t = w->draft->schema->children[i];
        w->path.n = 0;
        dp_buf_add(&w->path, t->name, t->name_n);
        const struct dp_infer_field *e = evidence_of(w);
        if (!e || !e->always || !dp_contract_seems_unique(t, e)) continue;
        dp_buf_addz(w->b, n++ ? ", " : "    # Fit for a key (primaryKey: true): ");
        dp_yaml_add_scalar(w->b, dp_str(t->name, t->name_n));
    }
    if (n) dp_buf_addc(w->b, '\n');
    w->path.n = 0;
}

void dp_contract_write(const struct dp_contract_draft *d, struct dp_buf *b) {
    struct writing w = {.b = b, .draft = d};
    if (d->fields) gather_evidence(&w, d);
    if (d->records) dp_buf_addf(b, "# Inferred from %llu records: a first draft to read and amend.\n", (unsigned long long)d->records);
    dp_buf_addz(b, "apiVersion: v3.1.0\nkind: DataContract\nid: ");
    dp_yaml_add_scalar(b, dp_str_z(d->id));
    dp_buf_addz(b, "\nname: ");
    dp_yaml_add_scalar(b, dp_str_z(d->name));
    dp_buf_addz(b, "\nversion: 0.1.0\nstatus: draft\nschema:\n  - name: ");
    dp_yaml_add_scalar(b, dp_str_z(d->name));
    dp_buf_addz(b, "\n    logicalType: object\n    physicalType: table\n");
    write_partition_hint(d, b);
    write_key_hint(&w);
    if (any_name(d->schema)) dp_buf_addz(b, "    properties:\n");
    for (size_t i = 0; i < d->schema->n_children; i++) write_property(&w, d->schema->children[i], 6);
    dp_map_release(&w.evidence);
    dp_buf_release(&w.path);
}
