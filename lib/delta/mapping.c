/*
 * Column mapping of new tables (digest section 9): ids and physical names into the metadata of fields, and out of it.
 * What it does not do: mode id, nested ids of Iceberg, changes of a table that is there.
 */
#include <dp/base/map.h>
#include <dp/delta/mapping.h>
#include <stdlib.h>

#define REFUSED " ,;{}()=\t\n"
#define KEYS "delta.columnMapping."

static bool is_refused(char c) { return c && strchr(REFUSED, c); }

static bool is_legal(const struct dp_type *t) {
    for (size_t i = 0; i < t->name_n; i++)
        if (is_refused(t->name[i])) return false;
    return true;
}

const struct dp_type *dp_delta_mapping_cause(const struct dp_type *schema) {
    const struct dp_type *found = NULL;
    for (size_t i = 0; i < schema->n_children && !found; i++) {
        const struct dp_type *c = schema->children[i];
        found = schema->id == DP_TYPE_STRUCT && !is_legal(c) ? c : dp_delta_mapping_cause(c);
    }
    return found;
}

/* ---- metadata ---- */

/* The members of a field's metadata but those of the mapping, with commas between and one behind when `more` follow. */
static void print_others(const struct dp_type *t, bool more, struct dp_buf *out) {
    struct dp_buf text = {0}, key = {0};
    struct dp_record r;
    if (!t->metadata) return;
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    dp_buf_addz(&text, t->metadata);
    memset(dp_buf_reserve(&text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    size_t start = out->n;
    bool is_object = dp_scan_value(scan, text.p, text.n, &r, NULL) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT;
    for (uint32_t k = 1; is_object && k < r.nodes[0].next; k = r.nodes[k + 1].next) {
        const struct dp_node *v = &r.nodes[k + 1];
        dp_buf_reset(&key);
        dp_json_decode(dp_node_str(&r, k), &key);
        if (dp_str_starts(dp_buf_str(&key), DP_STR(KEYS))) continue;
        if (out->n > start) dp_buf_addc(out, ',');
        dp_json_add_string(out, dp_buf_str(&key));
        dp_buf_addc(out, ':');
        if (v->kind == DP_KIND_STRING) dp_buf_addc(out, '"');
        dp_buf_adds(out, dp_node_str(&r, k + 1));
        if (v->kind == DP_KIND_STRING) dp_buf_addc(out, '"');
    }
    if (more && out->n > start) dp_buf_addc(out, ',');
    dp_scan_close(scan);
    dp_buf_release(&text);
    dp_buf_release(&key);
}

static void set_metadata(struct dp_type *t, struct dp_buf *text) {
    free(t->metadata);
    t->metadata = text->n > 2 ? dp_buf_detach(text) : NULL;
    dp_buf_release(text);
}

static void describe(struct dp_type *t, int32_t id, struct dp_str physical) {
    struct dp_buf b = {0};
    dp_buf_addc(&b, '{');
    print_others(t, true, &b);
    dp_buf_addf(&b, "\"" KEYS "id\":%d,\"" KEYS "physicalName\":", (int)id);
    dp_json_add_string(&b, physical);
    dp_buf_addc(&b, '}');
    set_metadata(t, &b);
}

void dp_delta_mapping_strip(struct dp_type *schema) {
    for (size_t i = 0; i < schema->n_children; i++) {
        struct dp_type *c = schema->children[i];
        if (c->metadata && strstr(c->metadata, KEYS)) {
            struct dp_buf b = {0};
            dp_buf_addc(&b, '{');
            print_others(c, false, &b);
            dp_buf_addc(&b, '}');
            set_metadata(c, &b);
        }
        dp_delta_mapping_strip(c);
    }
}

/* ---- names ---- */

/* False: the name is taken, ignoring case. */
static bool take(struct dp_map *taken, struct dp_str name) {
    struct dp_buf lower = {0};
    bool is_new;
    for (size_t i = 0; i < name.n; i++) dp_buf_addc(&lower, (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]));
    dp_map_put(taken, dp_buf_str(&lower), &is_new);
    dp_buf_release(&lower);
    return is_new;
}

static void make_name(const struct dp_type *t, struct dp_map *taken, struct dp_buf *out) {
    dp_buf_reset(out);
    for (size_t i = 0; i < t->name_n; i++) dp_buf_addc(out, is_refused(t->name[i]) ? '_' : t->name[i]);
    size_t n = out->n;
    for (unsigned k = 2; !take(taken, dp_buf_str(out)); k++) {
        out->n = n;
        dp_buf_addf(out, "_%u", k);
    }
}

static int32_t assign(struct dp_type *t, bool keep_names, int32_t id) {
    struct dp_map taken = {0};
    struct dp_buf name = {0};
    bool is_struct = t->id == DP_TYPE_STRUCT;
    for (size_t i = 0; is_struct && i < t->n_children; i++) /* a legal name is never given to another */
        if (is_legal(t->children[i])) (void)take(&taken, dp_str(t->children[i]->name, t->children[i]->name_n));
    for (size_t i = 0; i < t->n_children; i++) {
        struct dp_type *c = t->children[i];
        if (is_struct) {
            bool own = keep_names || is_legal(c);
            if (!own) make_name(c, &taken, &name);
            describe(c, ++id, own ? dp_str(c->name, c->name_n) : dp_buf_str(&name));
        }
        id = assign(c, keep_names, id);
    }
    dp_map_release(&taken);
    dp_buf_release(&name);
    return id;
}

int32_t dp_delta_mapping_assign(struct dp_type *schema, bool keep_names) { return assign(schema, keep_names, 0); }
