/*
 * Schemas as JSON: the header that a stream's begin mark carries.  Form: dp/record/type.h.  Input may be hostile: depth, columns and
 * parameters are checked as they are read.
 */
#include <dp/base/limits.h>
#include <dp/record/json.h>
#include <dp/record/type.h>

#include <stdlib.h>

static void add_field(const struct dp_type *t, struct dp_buf *b);

static void add_fields(const struct dp_type *t, struct dp_buf *b) {
    dp_buf_addz(b, "\"fields\":[");
    for (size_t i = 0; i < t->n_children; i++) {
        if (i) dp_buf_addc(b, ',');
        add_field(t->children[i], b);
    }
    dp_buf_addc(b, ']');
}

static void add_field(const struct dp_type *t, struct dp_buf *b) {
    dp_buf_addz(b, "{\"name\":");
    dp_json_add_string(b, dp_str(t->name, t->name_n));
    dp_buf_addz(b, ",\"type\":\"");
    dp_type_print_leaf(t, b);
    dp_buf_addz(b, t->nullable ? "\",\"nullable\":true" : "\",\"nullable\":false");
    if (t->field_id >= 0) dp_buf_addf(b, ",\"id\":%d", (int)t->field_id);
    if (t->metadata) dp_buf_addf(b, ",\"metadata\":%s", t->metadata);
    if (dp_type_is_nested(t)) dp_buf_addc(b, ','), add_fields(t, b);
    dp_buf_addc(b, '}');
}

void dp_type_to_json(const struct dp_type *schema, struct dp_buf *b) {
    dp_buf_addc(b, '{');
    add_fields(schema, b);
    dp_buf_addc(b, '}');
}

/* ---- reading ---- */

struct reading {
    const struct dp_record *r;
    struct dp_err *err;
    unsigned depth;
    size_t columns;
};

static enum dp_status bad(struct reading *in, const char *what) {
    return dp_err_set(in->err, DP_FORMAT, "schema in JSON: %s", what);
}

static enum dp_status read_fields(struct reading *in, uint32_t object, struct dp_type *parent);

/* "list", "struct" and "map" get their children from "fields". */
static enum dp_status read_type(struct reading *in, uint32_t object, struct dp_type **out) {
    struct dp_buf text = {0};
    enum dp_status status = DP_OK;
    uint32_t node = dp_json_member(in->r, object, "type");
    if (!node || !dp_json_get_string(in->r, node, &text)) return bad(in, "a field has no type");
    struct dp_str w = dp_buf_str(&text);
    if (dp_str_eqz(w, "list")) *out = dp_type_new(DP_TYPE_LIST, DP_STR(""));
    else if (dp_str_eqz(w, "struct")) *out = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    else if (dp_str_eqz(w, "map")) *out = dp_type_new(DP_TYPE_MAP, DP_STR(""));
    else {
        status = dp_type_parse(w, out, in->err);
        if (status != DP_OK) status = bad(in, "a type that dp does not know");
    }
    dp_buf_release(&text);
    return status;
}

static enum dp_status read_details(struct reading *in, uint32_t object, struct dp_type *t) {
    const struct dp_record *r = in->r;
    struct dp_buf name = {0};
    uint32_t node = dp_json_member(r, object, "name");
    if (!node || !dp_json_get_string(r, node, &name)) {
        dp_buf_release(&name);
        return bad(in, "a field has no name");
    }
    free(t->name);
    t->name_n = name.n;
    t->name = dp_buf_detach(&name);
    t->nullable = true;
    if ((node = dp_json_member(r, object, "nullable")) && !dp_json_get_bool(r, node, &t->nullable))
        return bad(in, "\"nullable\" is neither true nor false");
    int64_t id;
    if ((node = dp_json_member(r, object, "id"))) {
        if (!dp_json_get_i64(r, node, &id) || id < 0 || id > INT32_MAX) return bad(in, "\"id\" is no field id");
        t->field_id = (int32_t)id;
    }
    if ((node = dp_json_member(r, object, "metadata"))) {
        if (r->nodes[node].kind != DP_KIND_OBJECT) return bad(in, "\"metadata\" is no object");
        struct dp_str raw = dp_node_str(r, node);
        t->metadata = dp_strndup(raw.p, raw.n);
    }
    return DP_OK;
}

static enum dp_status read_field(struct reading *in, uint32_t node, struct dp_type **out) {
    struct dp_type *t = NULL;
    enum dp_status status = DP_OK;
    if (in->r->nodes[node].kind != DP_KIND_OBJECT) return bad(in, "a field is no object");
    DP_TRY_OUT(read_type(in, node, &t));
    DP_TRY_OUT(read_details(in, node, t));
    if (t->n_children == 0 && dp_type_is_nested(t)) DP_TRY_OUT(read_fields(in, node, t));
    if (t->id == DP_TYPE_LIST && t->n_children != 1) DP_TRY_OUT(bad(in, "a list needs one field"));
    if (t->id == DP_TYPE_MAP && t->n_children != 2) DP_TRY_OUT(bad(in, "a map needs a key and a value"));
out:
    if (status != DP_OK) dp_type_free(t);
    else *out = t;
    return status;
}

static enum dp_status read_fields(struct reading *in, uint32_t object, struct dp_type *parent) {
    const struct dp_record *r = in->r;
    uint32_t list = dp_json_member(r, object, "fields");
    if (!list || r->nodes[list].kind != DP_KIND_ARRAY) return bad(in, "\"fields\" is missing");
    if (++in->depth > DP_LIMIT_SCHEMA_DEPTH) return dp_err_set(in->err, DP_LIMIT, "schema nested deeper than %u", DP_LIMIT_SCHEMA_DEPTH);
    for (uint32_t i = list + 1, end = r->nodes[list].next; i < end; i = r->nodes[i].next) {
        struct dp_type *child = NULL;
        if (++in->columns > DP_LIMIT_COLUMNS) return dp_err_set(in->err, DP_LIMIT, "schema with more than %u columns", DP_LIMIT_COLUMNS);
        DP_TRY(read_field(in, i, &child));
        dp_type_add(parent, child);
    }
    in->depth--;
    return DP_OK;
}

enum dp_status dp_type_from_json(const struct dp_record *r, uint32_t node, struct dp_type **schema, struct dp_err *err) {
    struct reading in = {.r = r, .err = err};
    if (r->nodes[node].kind != DP_KIND_OBJECT) return bad(&in, "it is no object");
    struct dp_type *t = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    t->nullable = false;
    enum dp_status status = read_fields(&in, node, t);
    if (status != DP_OK) dp_type_free(t);
    else *schema = t;
    return status;
}
