/*
 * schemaString <-> dp_type (digest section 7), and what a data file must look like to hold a table's column.
 * What it does not do: variant, geometry, intervals: those are refused by name.
 */
#include <dp/delta/evolve.h>
#include <dp/delta/mapping.h>
#include <dp/base/arena.h>
#include <dp/base/decimal.h>
#include <dp/base/map.h>
#include <stdlib.h>

static enum dp_status refuse_type(struct dp_str name, struct dp_err *err) {
    return dp_err_set(err, DP_UNSUPPORTED, "column type \"%.*s\" is not supported", DP_STR_FMT(name));
}

static const struct {
    const char *name;
    enum dp_type_id id;
    bool utc;
} primitives[] = {
    {"string", DP_TYPE_STRING, false}, {"long", DP_TYPE_INT64, false}, {"integer", DP_TYPE_INT32, false},
    {"short", DP_TYPE_INT16, false}, {"byte", DP_TYPE_INT8, false}, {"float", DP_TYPE_FLOAT, false},
    {"double", DP_TYPE_DOUBLE, false}, {"boolean", DP_TYPE_BOOLEAN, false}, {"binary", DP_TYPE_BINARY, false},
    {"date", DP_TYPE_DATE, false}, {"timestamp", DP_TYPE_TIMESTAMP, true}, {"timestamp_ntz", DP_TYPE_TIMESTAMP, false},
    {"void", DP_TYPE_NONE, false},
};
#define N_PRIMITIVES (sizeof primitives / sizeof *primitives)

static struct dp_str skip_blanks(struct dp_str s) {
    while (s.n && s.p[0] == ' ') s = dp_str(s.p + 1, s.n - 1);
    while (s.n && s.p[s.n - 1] == ' ') s.n--;
    return s;
}

/* "decimal", "decimal(10,2)", blanks allowed. */
static bool parse_decimal(struct dp_str s, struct dp_type *t) {
    if (!dp_str_starts(s, DP_STR("decimal"))) return false;
    s = skip_blanks(dp_str(s.p + 7, s.n - 7));
    t->id = DP_TYPE_DECIMAL;
    t->precision = 10;
    t->scale = 0;
    if (!s.n) return true;
    if (s.n < 5 || s.p[0] != '(' || s.p[s.n - 1] != ')') return false;
    s = dp_str(s.p + 1, s.n - 2);
    const char *comma = memchr(s.p, ',', s.n);
    if (!comma) return false;
    int64_t precision, scale;
    size_t n = (size_t)(comma - s.p);
    if (!dp_parse_i64(skip_blanks(dp_str(s.p, n)), &precision)) return false;
    if (!dp_parse_i64(skip_blanks(dp_str(comma + 1, s.n - n - 1)), &scale)) return false;
    if (precision < 1 || precision > DP_DECIMAL_MAX_PRECISION || scale < 0 || scale > precision) return false;
    t->precision = (int)precision;
    t->scale = (int)scale;
    return true;
}

static enum dp_status parse_primitive(struct dp_str name, struct dp_type *t, struct dp_err *err) {
    for (size_t i = 0; i < N_PRIMITIVES; i++) {
        if (!dp_str_eqz(name, primitives[i].name)) continue;
        t->id = primitives[i].id;
        t->utc = primitives[i].utc;
        return DP_OK;
    }
    return parse_decimal(name, t) ? DP_OK : refuse_type(name, err);
}

static enum dp_status parse_type(const struct dp_record *r, uint32_t node, unsigned depth, struct dp_type *t, struct dp_err *err);

static enum dp_status parse_child(const struct dp_record *r, uint32_t object, const char *type_key, const char *null_key, const char *name,
                                  unsigned depth, struct dp_type *parent, struct dp_err *err) {
    uint32_t node = dp_json_member(r, object, type_key);
    if (!node) return dp_err_set(err, DP_FORMAT, "%s is missing", type_key);
    struct dp_type *child = dp_type_new(DP_TYPE_NONE, dp_str_z(name));
    dp_type_add(parent, child);
    if (null_key) {
        uint32_t nulls = dp_json_member(r, object, null_key);
        if (nulls && !dp_json_get_bool(r, nulls, &child->nullable)) return dp_err_set(err, DP_FORMAT, "%s is not a boolean", null_key);
    } else {
        child->nullable = false;
    }
    return parse_type(r, node, depth + 1, child, err);
}

/* `seen`: the names so far; two of one name would be two answers to each question. */
static enum dp_status parse_field(const struct dp_record *r, uint32_t field, unsigned depth, struct dp_type *parent, struct dp_map *seen, struct dp_buf *name,
                                  struct dp_err *err) {
    uint32_t type = dp_json_member(r, field, "type"), nulls = dp_json_member(r, field, "nullable"), meta = dp_json_member(r, field, "metadata");
    bool is_new;
    dp_buf_reset(name);
    if (!type || !dp_json_get_string(r, dp_json_member(r, field, "name"), name)) return dp_err_set(err, DP_FORMAT, "a field without name or type");
    (void)dp_map_put(seen, dp_buf_str(name), &is_new);
    if (!is_new) return dp_err_set(err, DP_FORMAT, "column %.*s stands twice", DP_STR_FMT(dp_buf_str(name)));
    struct dp_type *child = dp_type_new(DP_TYPE_NONE, dp_buf_str(name));
    dp_type_add(parent, child);
    if (parent->n_children > DP_LIMIT_COLUMNS) return dp_err_set(err, DP_LIMIT, "more than %u columns", DP_LIMIT_COLUMNS);
    if (nulls) (void)dp_json_get_bool(r, nulls, &child->nullable);
    if (meta && r->nodes[meta].kind == DP_KIND_OBJECT && r->nodes[meta].len > 2) {
        struct dp_str text = dp_node_str(r, meta);
        child->metadata = dp_strndup(text.p, text.n);
    }
    enum dp_status status = parse_type(r, type, depth + 1, child, err);
    if (status != DP_OK) dp_err_prefix(err, "column %.*s: ", DP_STR_FMT(dp_buf_str(name)));
    return status;
}

static enum dp_status parse_fields(const struct dp_record *r, uint32_t object, unsigned depth, struct dp_type *parent, struct dp_err *err) {
    uint32_t fields = dp_json_member(r, object, "fields");
    if (!fields || r->nodes[fields].kind != DP_KIND_ARRAY) return dp_err_set(err, DP_FORMAT, "a struct without fields");
    struct dp_map seen = {0};
    struct dp_buf name = {0};
    enum dp_status status = DP_OK;
    for (uint32_t i = fields + 1; i < r->nodes[fields].next && status == DP_OK; i = r->nodes[i].next)
        status = parse_field(r, i, depth, parent, &seen, &name, err);
    dp_map_release(&seen);
    dp_buf_release(&name);
    return status;
}

static enum dp_status parse_type(const struct dp_record *r, uint32_t node, unsigned depth, struct dp_type *t, struct dp_err *err) {
    struct dp_buf b = {0};
    if (depth > DP_LIMIT_SCHEMA_DEPTH) return dp_err_set(err, DP_LIMIT, "schema is nested deeper than %u", DP_LIMIT_SCHEMA_DEPTH);
    if (dp_json_get_string(r, node, &b)) {
        enum dp_status status = parse_primitive(dp_buf_str(&b), t, err);
        dp_buf_release(&b);
        return status;
    }
    uint32_t kind = r->nodes[node].kind == DP_KIND_OBJECT ? dp_json_member(r, node, "type") : 0;
    if (!kind || r->nodes[kind].kind != DP_KIND_STRING) return dp_err_set(err, DP_FORMAT, "a type is neither a name nor an object with a type");
    struct dp_str word = dp_node_str(r, kind);
    if (dp_str_eqz(word, "struct")) {
        t->id = DP_TYPE_STRUCT;
        return parse_fields(r, node, depth, t, err);
    }
    if (dp_str_eqz(word, "array")) {
        t->id = DP_TYPE_LIST;
        return parse_child(r, node, "elementType", "containsNull", "element", depth, t, err);
    }
    if (dp_str_eqz(word, "map")) {
        t->id = DP_TYPE_MAP;
        DP_TRY(parse_child(r, node, "keyType", NULL, "key", depth, t, err));
        return parse_child(r, node, "valueType", "valueContainsNull", "value", depth, t, err);
    }
    return refuse_type(word, err);
}

enum dp_status dp_delta_schema_parse(struct dp_str text, struct dp_type **out, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    struct dp_record rec;
    struct dp_buf b = {0};
    struct dp_type *schema = dp_type_new(DP_TYPE_NONE, DP_STR(""));
    dp_buf_adds(&b, text);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    enum dp_status status = dp_scan_value(scan, b.p, b.n, &rec, err);
    if (status == DP_RECORD) status = dp_err_set(err, DP_FORMAT, "%s", err ? err->msg : "not JSON");
    if (status == DP_OK) status = parse_type(&rec, 0, 0, schema, err);
    if (status == DP_OK && schema->id != DP_TYPE_STRUCT) status = dp_err_set(err, DP_FORMAT, "the schema is not a struct");
    dp_scan_close(scan);
    dp_buf_release(&b);
    if (status != DP_OK) {
        dp_type_free(schema);
        return dp_err_prefix(err, "table schema: ");
    }
    schema->nullable = false;
    *out = schema;
    return DP_OK;
}

/* ---- printing ---- */

static const char *primitive_name(const struct dp_type *t) {
    for (size_t i = 0; i < N_PRIMITIVES; i++)
        if (primitives[i].id == t->id && (t->id != DP_TYPE_TIMESTAMP || primitives[i].utc == t->utc)) return primitives[i].name;
    return "string"; /* JSON, ENUM, UUID before dp_delta_schema_fit */
}

static void print_type(const struct dp_type *t, struct dp_buf *b);

static void print_struct(const struct dp_type *t, struct dp_buf *b) {
    dp_buf_addz(b, "{\"type\":\"struct\",\"fields\":[");
    for (size_t i = 0; i < t->n_children; i++) {
        const struct dp_type *c = t->children[i];
        if (i) dp_buf_addc(b, ',');
        dp_buf_addz(b, "{\"name\":");
        dp_json_add_string(b, dp_str(c->name, c->name_n));
        dp_buf_addz(b, ",\"type\":");
        print_type(c, b);
        dp_buf_addf(b, ",\"nullable\":%s,\"metadata\":", c->nullable ? "true" : "false");
        dp_buf_addz(b, c->metadata ? c->metadata : "{}");
        dp_buf_addc(b, '}');
    }
    dp_buf_addz(b, "]}");
}

static void print_type(const struct dp_type *t, struct dp_buf *b) {
    if (t->id == DP_TYPE_STRUCT) {
        print_struct(t, b);
    } else if (t->id == DP_TYPE_LIST) {
        dp_buf_addz(b, "{\"type\":\"array\",\"elementType\":");
        print_type(t->children[0], b);
        dp_buf_addf(b, ",\"containsNull\":%s}", t->children[0]->nullable ? "true" : "false");
    } else if (t->id == DP_TYPE_MAP) {
        dp_buf_addz(b, "{\"type\":\"map\",\"keyType\":");
        print_type(t->children[0], b);
        dp_buf_addz(b, ",\"valueType\":");
        print_type(t->children[1], b);
        dp_buf_addf(b, ",\"valueContainsNull\":%s}", t->children[1]->nullable ? "true" : "false");
    } else if (t->id == DP_TYPE_DECIMAL) {
        dp_buf_addf(b, "\"decimal(%d,%d)\"", t->precision, t->scale);
    } else {
        dp_buf_addf(b, "\"%s\"", primitive_name(t));
    }
}

void dp_delta_schema_print(const struct dp_type *schema, struct dp_buf *b) { print_struct(schema, b); }

void dp_delta_type_print(const struct dp_type *t, struct dp_buf *b) {
    if (t->id == DP_TYPE_STRUCT) dp_buf_addz(b, "struct");
    else if (t->id == DP_TYPE_LIST) dp_buf_addz(b, "array");
    else if (t->id == DP_TYPE_MAP) dp_buf_addz(b, "map");
    else if (t->id == DP_TYPE_DECIMAL) dp_buf_addf(b, "decimal(%d,%d)", t->precision, t->scale);
    else dp_buf_addz(b, primitive_name(t));
}

/* ---- fitting a schema to Delta ---- */

static enum dp_status fit_type(struct dp_type *t, const char *path, struct dp_err *err) {
    switch (t->id) {
    case DP_TYPE_UINT8: t->id = DP_TYPE_INT16; return DP_OK;
    case DP_TYPE_UINT16: t->id = DP_TYPE_INT32; return DP_OK;
    case DP_TYPE_UINT32: t->id = DP_TYPE_INT64; return DP_OK;
    case DP_TYPE_UINT64: t->id = DP_TYPE_DECIMAL, t->precision = 20, t->scale = 0; return DP_OK;
    case DP_TYPE_FLOAT16: t->id = DP_TYPE_FLOAT; return DP_OK;
    case DP_TYPE_NONE: case DP_TYPE_JSON: case DP_TYPE_ENUM: case DP_TYPE_UUID: t->id = DP_TYPE_STRING; return DP_OK;
    case DP_TYPE_FIXED: t->id = DP_TYPE_BINARY, t->width = 0; return DP_OK;
    case DP_TYPE_TIMESTAMP: t->unit = DP_UNIT_MICROS; return DP_OK;
    case DP_TYPE_TIME: return dp_err_set(err, DP_SCHEMA, "column %s: Delta has no type for a time of day; declare it as string or integer", path);
    case DP_TYPE_INTERVAL: return dp_err_set(err, DP_SCHEMA, "column %s: Delta has no type for an interval; declare it as string", path);
    case DP_TYPE_BOOLEAN: case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_FLOAT:
    case DP_TYPE_DOUBLE: case DP_TYPE_DECIMAL: case DP_TYPE_STRING: case DP_TYPE_BINARY: case DP_TYPE_DATE: case DP_TYPE_LIST:
    case DP_TYPE_STRUCT: case DP_TYPE_MAP: return DP_OK;
    }
    return dp_err_set(err, DP_BUG, "column %s: unknown type", path);
}

static void lower_ascii(struct dp_str s, struct dp_buf *b) {
    dp_buf_reset(b);
    for (size_t i = 0; i < s.n; i++) dp_buf_addc(b, (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 32 : s.p[i]));
}

static enum dp_status check_names(const struct dp_type *t, struct dp_err *err) {
    enum dp_status status = DP_OK;
    struct dp_map seen = {0};
    struct dp_buf b = {0};
    for (size_t i = 0; i < t->n_children && status == DP_OK; i++) {
        struct dp_str name = dp_str(t->children[i]->name, t->children[i]->name_n);
        bool is_new;
        lower_ascii(name, &b);
        struct dp_map_item *item = dp_map_put(&seen, dp_buf_str(&b), &is_new);
        if (is_new) item->v.u = i;
        else status = dp_err_set(err, DP_SCHEMA, "columns \"%s\" and \"%.*s\" have the same name when case is ignored, which tables refuse",
                                 t->children[item->v.u]->name, DP_STR_FMT(name));
        if (!name.n) status = dp_err_set(err, DP_SCHEMA, "a column without a name");
    }
    dp_map_release(&seen);
    dp_buf_release(&b);
    return status;
}

static enum dp_status fit_tree(struct dp_type *t, struct dp_buf *path, struct dp_err *err) {
    DP_TRY(fit_type(t, path->n ? dp_buf_z(path) : "", err));
    if (t->id == DP_TYPE_STRUCT) DP_TRY(check_names(t, err));
    for (size_t i = 0; i < t->n_children; i++) {
        size_t mark = path->n;
        if (mark) dp_buf_addc(path, '.');
        dp_buf_add(path, t->children[i]->name, t->children[i]->name_n);
        DP_TRY(fit_tree(t->children[i], path, err));
        path->n = mark;
    }
    return DP_OK;
}

/* ---- what a column was before the fit: JSON, which Delta holds as strings ---- */

#define KEY_TYPE "dp.type" /* of a column's metadata: its type in our words */

static bool holds_json(const struct dp_type *t) {
    bool yes = t->id == DP_TYPE_JSON;
    for (size_t i = 0; i < t->n_children && !yes; i++) yes = holds_json(t->children[i]);
    return yes;
}

static void note_type(struct dp_type *column, const struct dp_type *was) {
    struct dp_buf words = {0}, meta = {0};
    size_t n = column->metadata ? strlen(column->metadata) : 0;
    while (n && column->metadata[n - 1] != '}') n--;
    dp_type_print(was, &words);
    dp_buf_add(&meta, n ? column->metadata : "{", n ? n - 1 : 1);
    dp_buf_addf(&meta, "%s\"" KEY_TYPE "\":", n > 2 ? "," : "");
    dp_json_add_string(&meta, dp_buf_str(&words));
    dp_buf_addc(&meta, '}');
    free(column->metadata);
    column->metadata = dp_strndup(meta.p, meta.n);
    dp_buf_release(&words);
    dp_buf_release(&meta);
}

/* The column's noted type, where it still is what the column holds; else NULL. */
static struct dp_type *noted_type(const struct dp_type *column) {
    struct dp_buf words = {0}, why = {0};
    struct dp_type *was = NULL;
    if (dp_delta_field_meta(column, KEY_TYPE, &words) && dp_type_parse(dp_buf_str(&words), &was, NULL) == DP_OK &&
        (!holds_json(was) || !dp_delta_file_fits(column, was, &why))) {
        dp_type_free(was);
        was = NULL;
    }
    dp_buf_release(&words);
    dp_buf_release(&why);
    return was;
}

struct dp_type *dp_delta_schema_unfit(const struct dp_type *schema) {
    struct dp_type *t = dp_type_copy(schema);
    for (size_t i = 0; i < t->n_children; i++) {
        struct dp_type *c = t->children[i], *was = noted_type(c);
        if (!was) continue;
        free(was->name);
        was->name = dp_strndup(c->name, c->name_n);
        was->name_n = c->name_n;
        was->nullable = c->nullable;
        was->field_id = c->field_id;
        was->metadata = c->metadata ? dp_strdup(c->metadata) : NULL;
        dp_type_free(c);
        t->children[i] = was;
    }
    return t;
}

/* No field inside of a list or a map can be required: Spark refuses to change such a table. */
static void relax(struct dp_type *t, bool repeated) {
    repeated |= t->id == DP_TYPE_LIST || t->id == DP_TYPE_MAP;
    for (size_t i = 0; i < t->n_children; i++) {
        if (repeated && t->id == DP_TYPE_STRUCT) t->children[i]->nullable = true;
        relax(t->children[i], repeated);
    }
}

enum dp_status dp_delta_schema_fit(const struct dp_type *in, struct dp_type **out, struct dp_err *err) {
    struct dp_type *t = dp_type_copy(in);
    struct dp_buf path = {0};
    dp_delta_mapping_strip(t); /* ids and names of the table that it may come from say nothing of another */
    enum dp_status status = fit_tree(t, &path, err);
    dp_buf_release(&path);
    relax(t, false);
    for (size_t i = 0; status == DP_OK && i < t->n_children; i++) {
        struct dp_buf noted = {0};
        if (holds_json(in->children[i]) && !dp_delta_field_meta(t->children[i], KEY_TYPE, &noted)) note_type(t->children[i], in->children[i]);
        dp_buf_release(&noted);
    }
    if (status != DP_OK) dp_type_free(t);
    else *out = t;
    return status;
}

static bool leaf_fits(const struct dp_type *t, const struct dp_type *f) {
    switch (t->id) {
    case DP_TYPE_STRING: return f->id == DP_TYPE_STRING || f->id == DP_TYPE_JSON || f->id == DP_TYPE_ENUM;
    case DP_TYPE_BINARY: return f->id == DP_TYPE_BINARY;
    case DP_TYPE_DECIMAL: return f->id == DP_TYPE_DECIMAL && f->precision == t->precision && f->scale == t->scale;
    case DP_TYPE_TIMESTAMP: return f->id == DP_TYPE_TIMESTAMP && f->utc == t->utc && f->unit != DP_UNIT_NANOS;
    /* Without an annotation a byte or short is a plain INT32 in the file. */
    case DP_TYPE_INT8: case DP_TYPE_INT16: return f->id == t->id;
    case DP_TYPE_NONE: return false;
    case DP_TYPE_BOOLEAN: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_UINT8: case DP_TYPE_UINT16: case DP_TYPE_UINT32:
    case DP_TYPE_UINT64: case DP_TYPE_FLOAT16: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: case DP_TYPE_JSON: case DP_TYPE_ENUM:
    case DP_TYPE_FIXED: case DP_TYPE_UUID: case DP_TYPE_DATE: case DP_TYPE_TIME: case DP_TYPE_INTERVAL: case DP_TYPE_LIST:
    case DP_TYPE_STRUCT: case DP_TYPE_MAP: return f->id == t->id;
    }
    return false;
}

/* Was the column of the file's type once?  Then its readers widen it. */
static bool was(const struct dp_type *t, const struct dp_type *f) {
    struct dp_buf changes = {0}, words = {0};
    if (!t->metadata || !strstr(t->metadata, "delta.typeChanges") || !dp_delta_widens(t, f)) return false;
    dp_buf_addz(&words, "\"fromType\":\"");
    dp_delta_type_print(f, &words);
    dp_buf_addc(&words, '"');
    bool yes = dp_delta_field_meta(t, "delta.typeChanges", &changes) && strstr(dp_buf_z(&changes), dp_buf_z(&words));
    dp_buf_release(&changes);
    dp_buf_release(&words);
    return yes;
}

static bool conflict(const struct dp_type *t, const struct dp_type *f, struct dp_buf *why) {
    dp_buf_addf(why, "column %s: the table has ", t->name);
    dp_delta_type_print(t, why);
    dp_buf_addz(why, ", the file ");
    dp_type_print(f, why);
    return false;
}

bool dp_delta_file_fits(const struct dp_type *table, const struct dp_type *file, struct dp_buf *why) {
    if (!leaf_fits(table, file) && !was(table, file)) return conflict(table, file, why);
    if (table->id == DP_TYPE_LIST || table->id == DP_TYPE_MAP) {
        for (size_t i = 0; i < table->n_children && i < file->n_children; i++)
            if (!dp_delta_file_fits(table->children[i], file->children[i], why)) return false;
        return table->n_children == file->n_children ? true : conflict(table, file, why);
    }
    if (table->id != DP_TYPE_STRUCT) return true;
    for (size_t i = 0; i < file->n_children; i++) {
        const struct dp_type *f = file->children[i], *t = dp_type_child(table, dp_str(f->name, f->name_n));
        if (!t) {
            dp_buf_addf(why, "column %s is not in the table", f->name);
            return false;
        }
        if (!dp_delta_file_fits(t, f, why)) return false;
    }
    return true;
}

/* ---- column mapping ---- */

bool dp_delta_field_meta(const struct dp_type *field, const char *key, struct dp_buf *out) {
    if (!field->metadata) return false;
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    struct dp_record rec;
    struct dp_buf b = {0};
    dp_buf_addz(&b, field->metadata);
    memset(dp_buf_reserve(&b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    bool found = false;
    if (dp_scan_value(scan, b.p, b.n, &rec, NULL) == DP_OK) {
        uint32_t node = dp_json_member(&rec, 0, key);
        found = node != 0 && rec.nodes[node].kind != DP_KIND_NULL;
        if (found && !dp_json_get_string(&rec, node, out)) dp_buf_adds(out, dp_node_str(&rec, node));
    }
    dp_scan_close(scan);
    dp_buf_release(&b);
    return found;
}

static enum dp_status map_tree(struct dp_type *t, bool is_field, struct dp_err *err) {
    struct dp_buf b = {0};
    enum dp_status status = DP_OK;
    if (is_field) {
        int64_t id;
        if (!dp_delta_field_meta(t, "delta.columnMapping.id", &b) || !dp_parse_i64(dp_buf_str(&b), &id) || id < 0 || id > INT32_MAX) {
            status = dp_err_set(err, DP_FORMAT, "column %s has no delta.columnMapping.id", t->name);
        } else {
            t->field_id = (int32_t)id;
            dp_buf_reset(&b);
            if (!dp_delta_field_meta(t, "delta.columnMapping.physicalName", &b)) {
                status = dp_err_set(err, DP_FORMAT, "column %s has no delta.columnMapping.physicalName", t->name);
            } else {
                free(t->name);
                t->name_n = b.n;
                t->name = dp_strndup(b.p, b.n);
            }
        }
    }
    dp_buf_release(&b);
    for (size_t i = 0; i < t->n_children && status == DP_OK; i++) status = map_tree(t->children[i], t->id == DP_TYPE_STRUCT, err);
    return status;
}

enum dp_status dp_delta_schema_physical(const struct dp_type *schema, enum dp_delta_mapping mode, struct dp_type **out, struct dp_err *err) {
    struct dp_type *t = dp_type_copy(schema);
    if (mode != DP_DELTA_MAPPING_NONE) {
        enum dp_status status = map_tree(t, false, err);
        if (status != DP_OK) {
            dp_type_free(t);
            return status;
        }
    }
    *out = t;
    return DP_OK;
}
