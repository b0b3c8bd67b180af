/*
 * Schema evolution of tables (dp/delta/evolve.h; digest sections 9 and 11).
 * What it does not do: mapped names of nested Iceberg ids, type changes of the preview feature (they need the version that the commit will get).
 */
#include "adapt_priv.h"
#include <dp/delta/evolve.h>

#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/delta/mapping.h>
#include <dp/delta/schema.h>

#include <stdlib.h>

#define KEY_ID "delta.columnMapping.id"
#define KEY_NAME "delta.columnMapping.physicalName"
#define KEY_CHANGES "delta.typeChanges"
#define KEY_TYPE "dp.type"
#define PROPERTY_WIDENING "delta.enableTypeWidening"

struct dp_delta_evolved {
    const struct dp_delta_snapshot *base;
    enum dp_delta_evolve how;
    struct dp_type *schema, *physical;  /* NULL: as in the base */
    struct dp_delta_snapshot view;
    int64_t max_id, base_max_id;
    bool widened, has_ntz, is_settled, protocol_changed;
    struct dp_buf words;
    struct dp_arena arena;
};

struct dp_delta_evolved *dp_delta_evolve_open(const struct dp_delta_snapshot *base, enum dp_delta_evolve how) {
    struct dp_delta_evolved *e = dp_calloc(1, sizeof *e);
    e->base = base;
    e->how = how;
    struct dp_str max = dp_delta_property(base, DP_DELTA_KEY_MAX_ID, "0");
    if (!dp_parse_i64(max, &e->max_id) || e->max_id < 0) e->max_id = 0;
    e->base_max_id = e->max_id;
    return e;
}

void dp_delta_evolve_close(struct dp_delta_evolved *e) {
    if (!e) return;
    dp_type_free(e->schema);
    dp_type_free(e->physical);
    dp_buf_release(&e->words);
    dp_arena_release(&e->arena);
    free(e);
}

/* ---- field metadata ---- */

/* One member set to a JSON text (json.p NULL: taken out); the others stay byte-true. */
static void set_member(struct dp_type *field, const char *key, struct dp_str json) {
    struct dp_buf text = {0}, name = {0}, out = {0};
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    struct dp_record r;
    dp_buf_addz(&text, field->metadata ? field->metadata : "{}");
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_buf_addc(&out, '{');
    bool is_object = dp_scan_value(scan, text.p, text.n, &r, NULL) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT;
    for (uint32_t k = 1; is_object && k < r.nodes[0].next; k = r.nodes[k + 1].next) {
        bool quoted = r.nodes[k + 1].kind == DP_KIND_STRING;
        dp_buf_reset(&name);
        dp_json_decode(dp_node_str(&r, k), &name);
        if (dp_str_eqz(dp_buf_str(&name), key)) continue;
        if (out.n > 1) dp_buf_addc(&out, ',');
        dp_buf_addc(&out, '"');
        dp_buf_adds(&out, dp_node_str(&r, k));
        dp_buf_addz(&out, quoted ? "\":\"" : "\":");
        dp_buf_adds(&out, dp_node_str(&r, k + 1));
        if (quoted) dp_buf_addc(&out, '"');
    }
    if (json.p) dp_buf_addf(&out, "%s\"%s\":", out.n > 1 ? "," : "", key), dp_buf_adds(&out, json);
    dp_buf_addc(&out, '}');
    free(field->metadata);
    field->metadata = out.n > 2 ? dp_buf_detach(&out) : NULL;
    dp_scan_close(scan);
    dp_buf_release(&text), dp_buf_release(&name), dp_buf_release(&out);
}

static void set_id(struct dp_type *field, int64_t id, struct dp_str physical) {
    struct dp_buf text = {0};
    dp_buf_addf(&text, "%lld", (long long)id);
    set_member(field, KEY_ID, dp_buf_str(&text));
    dp_buf_reset(&text);
    dp_json_add_string(&text, physical);
    set_member(field, KEY_NAME, dp_buf_str(&text));
    dp_buf_release(&text);
}

/* {"fromType":..,"toType":..} behind those that are there. */
static void note_change(struct dp_type *field, const char *inside, struct dp_str from, struct dp_str to) {
    struct dp_buf text = {0};
    if (dp_delta_field_meta(field, KEY_CHANGES, &text) && text.n > 2 && text.p[text.n - 1] == ']') text.p[text.n - 1] = ',';
    else dp_buf_reset(&text), dp_buf_addc(&text, '[');
    dp_buf_addf(&text, "{\"fromType\":\"%.*s\",\"toType\":\"%.*s\"", DP_STR_FMT(from), DP_STR_FMT(to));
    if (inside[0]) dp_buf_addf(&text, ",\"fieldPath\":\"%s\"", inside);
    dp_buf_addz(&text, "}]");
    set_member(field, KEY_CHANGES, dp_buf_str(&text));
    dp_buf_release(&text);
}

/* ---- types ---- */

bool dp_delta_widens(const struct dp_type *to, const struct dp_type *from) {
    bool is_small = from->id == DP_TYPE_INT8 || from->id == DP_TYPE_INT16 || from->id == DP_TYPE_INT32;
    switch (to->id) {
    case DP_TYPE_INT16: return from->id == DP_TYPE_INT8;
    case DP_TYPE_INT32: return from->id == DP_TYPE_INT8 || from->id == DP_TYPE_INT16;
    case DP_TYPE_INT64: return is_small;
    case DP_TYPE_DOUBLE: return is_small || from->id == DP_TYPE_FLOAT;
    case DP_TYPE_TIMESTAMP: return !to->utc && from->id == DP_TYPE_DATE;
    case DP_TYPE_DECIMAL: {
        int whole = to->precision - to->scale;
        if (is_small) return whole >= 10;
        if (from->id == DP_TYPE_INT64) return whole >= 20;
        bool same = to->precision == from->precision && to->scale == from->scale;
        return from->id == DP_TYPE_DECIMAL && !same && to->scale >= from->scale && whole >= from->precision - from->scale;
    }
    default: return false;
    }
}

/* Where we are: the path for messages; the nearest field of a struct, which carries the metadata, and the way from it. */
struct place {
    struct dp_buf *path;
    struct dp_type *field;
    const char *inside;
};

static enum dp_status clash(const struct place *at, const struct dp_type *t, const struct dp_type *w, const char *more, struct dp_err *err) {
    struct dp_buf a = {0}, b = {0};
    dp_delta_type_print(t, &a);
    dp_delta_type_print(w, &b);
    dp_err_set(err, DP_SCHEMA, "column %.200s: the table has %s, the new rows have %s%s", dp_buf_z(at->path), dp_buf_z(&a), dp_buf_z(&b), more);
    dp_buf_release(&a);
    dp_buf_release(&b);
    return DP_SCHEMA;
}

static void tell(struct dp_delta_evolved *e, const char *verb, const struct place *at, struct dp_str a, const char *to, struct dp_str b) {
    dp_buf_addf(&e->words, "%s%s %.200s (%.*s%s%.*s)", e->words.n ? ", " : "", verb, dp_buf_z(at->path), DP_STR_FMT(a), to, DP_STR_FMT(b));
}

static enum dp_status widen(struct dp_delta_evolved *e, const struct place *at, struct dp_type *t, const struct dp_type *w, struct dp_err *err) {
    const struct dp_delta_protocol *p = &e->base->protocol;
    if (e->how < DP_EVOLVE_WIDEN) return clash(at, t, w, ": --evolve widen widens it", err);
    if (!dp_str_eqz(dp_delta_property(e->base, PROPERTY_WIDENING, ""), "true"))
        return clash(at, t, w, ": the table does not allow it: it needs the property " PROPERTY_WIDENING "=true (dp-table create --property, or ALTER TABLE ... SET TBLPROPERTIES)", err);
    if (dp_delta_has_feature(p, "typeWidening-preview") && !dp_delta_has_feature(p, "typeWidening"))
        return dp_err_set(err, DP_UNSUPPORTED, "column %.200s: changes of types in a table of feature typeWidening-preview are not supported", dp_buf_z(at->path));
    struct dp_buf from = {0}, to = {0};
    dp_delta_type_print(t, &from);
    dp_delta_type_print(w, &to);
    note_change(at->field, at->inside, dp_buf_str(&from), dp_buf_str(&to));
    set_member(at->field, KEY_TYPE, dp_str(NULL, 0));
    tell(e, "widened", at, dp_buf_str(&from), " to ", dp_buf_str(&to));
    dp_buf_release(&from);
    dp_buf_release(&to);
    t->id = w->id, t->utc = w->utc, t->unit = w->unit, t->precision = w->precision, t->scale = w->scale;
    e->widened = true;
    e->has_ntz |= t->id == DP_TYPE_TIMESTAMP;
    return DP_OK;
}

/* ---- new columns ---- */

/* Nullable at every depth, of the metadata only what says what a string holds, and, mapped, id and physical name: its own, or new ones. */
static enum dp_status dress(struct dp_delta_evolved *e, struct dp_type *t, bool is_field, bool is_key, struct dp_err *err) {
    struct dp_buf type = {0}, id = {0}, name = {0};
    enum dp_status status = DP_OK;
    int64_t n = 0;
    bool noted = is_field && dp_delta_field_meta(t, KEY_TYPE, &type);
    bool mapped = is_field && e->base->mapping != DP_DELTA_MAPPING_NONE;
    bool own = mapped && dp_delta_field_meta(t, KEY_ID, &id) && dp_delta_field_meta(t, KEY_NAME, &name) && name.n;
    if (own && (!dp_parse_i64(dp_buf_str(&id), &n) || n > INT32_MAX || n <= e->base_max_id))
        status = dp_err_set(err, DP_SCHEMA, "column %s: its id %.*s is the table's by now: write the file again", t->name, DP_STR_FMT(dp_buf_str(&id)));
    t->nullable = !is_key;
    t->field_id = -1;
    free(t->metadata);
    t->metadata = NULL;
    if (noted) {
        struct dp_buf json = {0};
        dp_json_add_string(&json, dp_buf_str(&type));
        set_member(t, KEY_TYPE, dp_buf_str(&json));
        dp_buf_release(&json);
    }
    if (mapped && !own) {
        char uuid[37];
        dp_uuid(uuid);
        dp_buf_reset(&name);
        dp_buf_addf(&name, "col-%s", uuid);
        n = ++e->max_id;
    } else if (own && n > e->max_id) {
        e->max_id = n;
    }
    if (mapped) set_id(t, n, dp_buf_str(&name));
    e->has_ntz |= t->id == DP_TYPE_TIMESTAMP && !t->utc;
    dp_buf_release(&type), dp_buf_release(&id), dp_buf_release(&name);
    for (size_t i = 0; status == DP_OK && i < t->n_children; i++)
        status = dress(e, t->children[i], t->id == DP_TYPE_STRUCT, t->id == DP_TYPE_MAP && i == 0, err);
    return status;
}

static enum dp_status add(struct dp_delta_evolved *e, const struct place *at, struct dp_type *parent, const struct dp_type *w, struct dp_err *err) {
    const char *path = dp_buf_z(at->path);
    struct dp_type wrap = {.id = DP_TYPE_STRUCT, .children = (struct dp_type *[]){NULL}, .n_children = 1};
    struct dp_buf words = {0};
    if (e->how < DP_EVOLVE_ADD) return dp_err_set(err, DP_SCHEMA, "column %.200s is not in the table: --evolve add adds it", path);
    for (size_t i = 0; i < parent->n_children; i++)
        if (adapt_same_name(parent->children[i], w))
            return dp_err_set(err, DP_SCHEMA, "column %.200s: the table has \"%s\", which is the same when case is ignored", path, parent->children[i]->name);
    struct dp_type *c = dp_type_copy(w);
    wrap.children[0] = c;
    enum dp_status status = DP_OK;
    if (e->base->mapping == DP_DELTA_MAPPING_NONE && dp_delta_mapping_cause(&wrap))
        status = dp_err_set(err, DP_SCHEMA, "column %.200s: a name that holds one of \" ,;{}()=\", a tab or a newline needs a table with column mapping", path);
    if (status == DP_OK) status = dress(e, c, true, false, err);
    if (status != DP_OK) return dp_type_free(c), status;
    dp_type_add(parent, c);
    dp_delta_type_print(c, &words);
    tell(e, "added", at, dp_buf_str(&words), "", DP_STR(""));
    dp_buf_release(&words);
    return DP_OK;
}

/* The same column in two files of a mapped table must be the same one: by id and by physical name. */
static enum dp_status check_same(const struct dp_delta_evolved *e, const struct place *at, const struct dp_type *t, const struct dp_type *w, struct dp_err *err) {
    struct dp_buf a = {0}, b = {0};
    bool same = true;
    if (e->base->mapping != DP_DELTA_MAPPING_NONE && dp_delta_field_meta(w, KEY_NAME, &b)) same = dp_delta_field_meta(t, KEY_NAME, &a) && dp_str_eq(dp_buf_str(&a), dp_buf_str(&b));
    if (!same)
        dp_err_set(err, DP_SCHEMA, "column %.200s: the table's physical name is %.100s, the file's %.100s: write the file again", dp_buf_z(at->path), dp_buf_z(&a), dp_buf_z(&b));
    dp_buf_release(&a);
    dp_buf_release(&b);
    return same ? DP_OK : DP_SCHEMA;
}

/* ---- a schema into the table's ---- */

static enum dp_status merge(struct dp_delta_evolved *e, struct place at, struct dp_type *t, const struct dp_type *w, struct dp_err *err);

static enum dp_status merge_fields(struct dp_delta_evolved *e, struct dp_buf *path, struct dp_type *t, const struct dp_type *w, struct dp_err *err) {
    enum dp_status status = DP_OK;
    size_t mark = path->n;
    for (size_t i = 0; status == DP_OK && i < w->n_children; i++) {
        const struct dp_type *c = w->children[i];
        struct dp_type *mine = dp_type_child(t, dp_str(c->name, c->name_n));
        path->n = mark;
        if (mark) dp_buf_addc(path, '.');
        dp_buf_add(path, c->name, c->name_n);
        struct place at = {path, mine, ""};
        if (!mine) {
            status = add(e, &at, t, c, err);
            continue;
        }
        status = check_same(e, &at, mine, c, err);
        if (status == DP_OK) status = merge(e, at, mine, c, err);
    }
    path->n = mark;
    return status;
}

static enum dp_status merge_inside(struct dp_delta_evolved *e, const struct place *at, struct dp_type *t, const struct dp_type *w, struct dp_err *err) {
    static const char *const words[] = {"key", "value"};
    size_t mark = at->path->n;
    enum dp_status status = t->n_children == w->n_children ? DP_OK : clash(at, t, w, "", err);
    for (size_t i = 0; status == DP_OK && i < w->n_children; i++) {
        struct dp_buf inside = {0};
        const char *word = t->id == DP_TYPE_LIST ? "element" : words[i & 1];
        dp_buf_addf(&inside, "%s%s%s", at->inside, at->inside[0] ? "." : "", word);
        at->path->n = mark;
        dp_buf_addf(at->path, ".%s", word);
        struct place below = {at->path, at->field, dp_buf_z(&inside)};
        status = merge(e, below, t->children[i], w->children[i], err);
        dp_buf_release(&inside);
    }
    at->path->n = mark;
    return status;
}

static enum dp_status merge(struct dp_delta_evolved *e, struct place at, struct dp_type *t, const struct dp_type *w, struct dp_err *err) {
    struct dp_buf why = {0};
    if (dp_type_is_nested(t) || dp_type_is_nested(w)) {
        if (t->id != w->id) return clash(&at, t, w, "", err);
        return t->id == DP_TYPE_STRUCT ? merge_fields(e, at.path, t, w, err) : merge_inside(e, &at, t, w, err);
    }
    bool fits = dp_delta_file_fits(t, w, &why) || dp_delta_widens(t, w); /* narrower: landing knows whether the table has ever been so */
    dp_buf_release(&why);
    if (fits) return DP_OK;
    return dp_delta_widens(w, t) ? widen(e, &at, t, w, err) : clash(&at, t, w, "", err);
}

/* ---- the table as it will be ---- */

static enum dp_status settle_protocol(struct dp_delta_evolved *e, struct dp_err *err) {
    const char *names[2];
    size_t n = 0;
    if (e->widened) names[n++] = "typeWidening";
    if (e->has_ntz) names[n++] = "timestampNtz";
    e->protocol_changed = false;
    if (!n) return DP_OK;
    return dp_delta_upgrade_protocol(&e->base->protocol, names, n, &e->arena, &e->view.protocol, &e->protocol_changed, err);
}

static void settle_metadata(struct dp_delta_evolved *e) {
    struct dp_buf text = {0};
    struct dp_delta_metadata *m = &e->view.metadata;
    dp_delta_schema_print(e->schema, &text);
    m->schema_string = dp_arena_str(&e->arena, dp_buf_str(&text));
    if (e->max_id > e->base_max_id) {
        struct dp_delta_pairs all = {dp_arena_calloc(&e->arena, m->configuration.n + 1, sizeof *all.v), 0};
        for (size_t i = 0; i < m->configuration.n; i++)
            if (!dp_str_eqz(m->configuration.v[i].key, DP_DELTA_KEY_MAX_ID)) all.v[all.n++] = m->configuration.v[i];
        dp_buf_reset(&text);
        dp_buf_addf(&text, "%lld", (long long)e->max_id);
        all.v[all.n++] = (struct dp_delta_pair){DP_STR(DP_DELTA_KEY_MAX_ID), dp_arena_str(&e->arena, dp_buf_str(&text)), false};
        m->configuration = all;
    }
    dp_buf_release(&text);
}

static enum dp_status settle(struct dp_delta_evolved *e, struct dp_err *err) {
    e->view = *e->base;
    e->view.schema = e->schema;
    DP_TRY(settle_protocol(e, err));
    settle_metadata(e);
    dp_type_free(e->physical);
    e->physical = NULL;
    DP_TRY(dp_delta_schema_physical(e->schema, e->base->mapping, &e->physical, err));
    e->view.physical = e->physical;
    e->is_settled = true;
    return dp_delta_check_feed(&e->view.protocol, &e->view.metadata, e->schema, err);
}

enum dp_status dp_delta_evolve_with(struct dp_delta_evolved *e, const struct dp_type *columns, bool *changed, struct dp_err *err) {
    struct dp_buf path = {0};
    size_t before = e->words.n;
    if (!e->schema) e->schema = dp_type_copy(e->base->schema);
    enum dp_status status = merge_fields(e, &path, e->schema, columns, err);
    dp_buf_release(&path);
    bool grown = e->words.n > before;
    if (changed) *changed = grown;
    return status == DP_OK && grown ? settle(e, err) : status;
}

const struct dp_delta_snapshot *dp_delta_evolve_snapshot(const struct dp_delta_evolved *e) { return e->is_settled ? &e->view : e->base; }
const struct dp_delta_metadata *dp_delta_evolve_metadata(const struct dp_delta_evolved *e) { return e->is_settled ? &e->view.metadata : NULL; }
const struct dp_delta_protocol *dp_delta_evolve_protocol(const struct dp_delta_evolved *e) {
    return e->is_settled && e->protocol_changed ? &e->view.protocol : NULL;
}
void dp_delta_evolve_print(const struct dp_delta_evolved *e, struct dp_buf *out) { dp_buf_adds(out, dp_buf_str(&e->words)); }
