/*
 * Types of a contract's properties: logicalType says what a value is, physicalType and logicalTypeOptions how wide it is.  The table is
 * in dp-contract(5).  Words of physicalType that dp does not know are the server's own and change nothing.
 */
#include <dp/record/json.h>
#include <dp/rules/compat.h>

#include <dp/base/num.h>
#include <stdlib.h>

struct physical {
    char word[64];       /* lower case, without parameters */
    int64_t args[2];
    int n_args;
};

/* "DECIMAL(12, 2)" to decimal, 12, 2. */
static void split_physical(const char *text, struct physical *p) {
    size_t n = 0;
    memset(p, 0, sizeof *p);
    if (!text) return;
    for (; *text && *text != '(' && *text != '[' && n < sizeof p->word - 1; text++)
        p->word[n++] = (char)(*text >= 'A' && *text <= 'Z' ? *text + 32 : *text);
    while (n && p->word[n - 1] == ' ') p->word[--n] = 0;
    if (*text == '(') text++;
    while (*text && p->n_args < 2) {
        size_t len = strcspn(text, ",)");
        const char *a = text, *end = text + len;
        while (a < end && *a == ' ') a++;
        while (end > a && end[-1] == ' ') end--;
        if (!dp_parse_i64(dp_str(a, (size_t)(end - a)), &p->args[p->n_args])) break;
        p->n_args++;
        text += len;
        if (*text != ',') break;
        text++;
    }
}

struct word_type {
    const char *word;
    enum dp_type_id id;
};

static const struct word_type number_words[] = {
    {"tinyint", DP_TYPE_INT8},   {"byte", DP_TYPE_INT8},      {"smallint", DP_TYPE_INT16}, {"int2", DP_TYPE_INT16},
    {"short", DP_TYPE_INT16},    {"int16", DP_TYPE_INT16},    {"int", DP_TYPE_INT32},      {"integer", DP_TYPE_INT32},
    {"int4", DP_TYPE_INT32},     {"int32", DP_TYPE_INT32},    {"serial", DP_TYPE_INT32},   {"bigint", DP_TYPE_INT64},
    {"long", DP_TYPE_INT64},     {"int8", DP_TYPE_INT64},     {"int64", DP_TYPE_INT64},    {"bigserial", DP_TYPE_INT64},
    {"real", DP_TYPE_FLOAT},     {"float4", DP_TYPE_FLOAT},   {"float32", DP_TYPE_FLOAT},  {"float", DP_TYPE_FLOAT},
    {"double", DP_TYPE_DOUBLE},  {"float8", DP_TYPE_DOUBLE},  {"float64", DP_TYPE_DOUBLE}, {"double precision", DP_TYPE_DOUBLE},
    {"decimal", DP_TYPE_DECIMAL}, {"numeric", DP_TYPE_DECIMAL}, {"number", DP_TYPE_DECIMAL}, {NULL, DP_TYPE_NONE},
};
static const struct word_type format_words[] = {
    {"i8", DP_TYPE_INT8},    {"i16", DP_TYPE_INT16},  {"i32", DP_TYPE_INT32},   {"i64", DP_TYPE_INT64},   {"i128", DP_TYPE_DECIMAL},
    {"u8", DP_TYPE_INT16},   {"u16", DP_TYPE_INT32},  {"u32", DP_TYPE_INT64},   {"u64", DP_TYPE_DECIMAL}, {"u128", DP_TYPE_DECIMAL},
    {"f32", DP_TYPE_FLOAT},  {"f64", DP_TYPE_DOUBLE}, {NULL, DP_TYPE_NONE},
};
static const struct word_type other_words[] = {
    {"boolean", DP_TYPE_BOOLEAN}, {"bool", DP_TYPE_BOOLEAN}, {"bit", DP_TYPE_BOOLEAN}, {"date", DP_TYPE_DATE}, {"time", DP_TYPE_TIME},
    {"string", DP_TYPE_STRING},   {"str", DP_TYPE_STRING},   {"text", DP_TYPE_STRING}, {"varchar", DP_TYPE_STRING}, {"char", DP_TYPE_STRING},
    {"nvarchar", DP_TYPE_STRING}, {"varchar2", DP_TYPE_STRING}, {"uuid", DP_TYPE_STRING}, {"character varying", DP_TYPE_STRING},
    {"binary", DP_TYPE_BINARY},   {"bytea", DP_TYPE_BINARY}, {"varbinary", DP_TYPE_BINARY}, {"blob", DP_TYPE_BINARY}, {"bytes", DP_TYPE_BINARY},
    {"json", DP_TYPE_JSON},       {"jsonb", DP_TYPE_JSON},   {"variant", DP_TYPE_JSON}, {NULL, DP_TYPE_NONE},
};
static const char *const local_words[] = {"timestamp_ntz", "timestampntz", "datetime", "datetime2", "timestamp without time zone", NULL};
static const char *const utc_words[] = {"timestamp", "timestamptz", "timestamp_tz", "timestamp_ltz", "timestamp with time zone", "datetimeoffset", NULL};

static enum dp_type_id find_word(const struct word_type *w, const char *text) {
    while (w->word && strcmp(w->word, text) != 0) w++;
    return w->id;
}

static bool is_one_of(const char *text, const char *const *words) {
    while (*words && strcmp(*words, text) != 0) words++;
    return *words;
}

bool dp_contract_is_floating(const struct dp_contract_property *p) {
    struct physical physical;
    split_physical(p->physical_type, &physical);
    enum dp_type_id id = find_word(number_words, physical.word);
    return id == DP_TYPE_FLOAT || id == DP_TYPE_DOUBLE;
}

struct typing {
    const struct dp_contract *c;
    const struct dp_contract_property *p;
    struct physical physical;
    const char *format; /* logicalTypeOptions.format or "" */
    struct dp_err *err;
};

static enum dp_status wrong(struct typing *t, const char *what) {
    const struct dp_contract_property *p = t->p;
    return dp_yaml_error(&t->c->doc, p->node, t->err, "property \"%.80s\": %s", p->logical_name ? p->logical_name : "items", what);
}

/* Bare decimal has no digits to hold to: it is a double; format u64 is decimal(20,0), i128 and u128 decimal(38,0). */
static enum dp_status decimal_type(struct typing *t, struct dp_type *out) {
    const struct physical *ph = &t->physical;
    bool by_format = find_word(number_words, ph->word) != DP_TYPE_DECIMAL;
    if (by_format) {
        out->precision = !strcmp(t->format, "u64") ? 20 : 38;
        return DP_OK;
    }
    if (!ph->n_args) {
        out->id = t->p->logical == DP_LOGICAL_INTEGER ? DP_TYPE_INT64 : DP_TYPE_DOUBLE;
        return DP_OK;
    }
    int64_t scale = ph->n_args > 1 ? ph->args[1] : 0;
    if (ph->args[0] < 1 || ph->args[0] > 38 || scale < 0 || scale > ph->args[0]) return wrong(t, "physicalType needs 1 to 38 digits and a scale within them");
    if (t->p->logical == DP_LOGICAL_INTEGER && scale) return wrong(t, "logicalType integer with a physicalType that has a fraction");
    out->precision = (int)ph->args[0];
    out->scale = (int)scale;
    return DP_OK;
}

static enum dp_status number_type(struct typing *t, struct dp_type *out) {
    bool integer = t->p->logical == DP_LOGICAL_INTEGER;
    enum dp_type_id id = find_word(number_words, t->physical.word);
    if (id == DP_TYPE_NONE) id = find_word(format_words, t->format);
    if (id == DP_TYPE_NONE) id = integer ? DP_TYPE_INT64 : DP_TYPE_DOUBLE;
    if (integer && (id == DP_TYPE_FLOAT || id == DP_TYPE_DOUBLE)) return wrong(t, "logicalType integer with a physicalType of floating point");
    out->id = id;
    return id == DP_TYPE_DECIMAL ? decimal_type(t, out) : DP_OK;
}

static void timestamp_type(struct typing *t, struct dp_type *out) {
    const struct dp_yaml_node *zone = dp_yaml_get(t->p->options, "timezone");
    bool no_zone = zone && zone->kind == DP_YAML_BOOL && (zone->text.p[0] == 'f' || zone->text.p[0] == 'F');
    out->id = DP_TYPE_TIMESTAMP;
    out->utc = !is_one_of(t->physical.word, local_words) && !(no_zone && !is_one_of(t->physical.word, utc_words));
}

/* In 3.0 `date` stands for timestamps and times too: the physical word or the letters of its format tell. */
static void date_type(struct typing *t, struct dp_type *out) {
    const char *w = t->physical.word;
    bool hours = strchr(t->format, 'H') || strchr(t->format, 'h');
    out->id = DP_TYPE_DATE;
    if (t->c->is_31) return;
    if (is_one_of(w, local_words) || is_one_of(w, utc_words) || (hours && strchr(t->format, 'd'))) timestamp_type(t, out);
    else if (!strcmp(w, "time")) out->id = DP_TYPE_TIME;
}

static enum dp_status property_type(struct typing *t, struct dp_type *out);

static enum dp_status add_property(const struct dp_contract *c, const struct dp_contract_property *p, const char *name, struct dp_type *parent,
                                   struct dp_err *err) {
    struct typing t = {.c = c, .p = p, .format = "", .err = err};
    const struct dp_yaml_node *format = dp_yaml_get(p->options, "format");
    if (format && format->kind == DP_YAML_STRING) t.format = format->text.p;
    split_physical(p->physical_type, &t.physical);
    struct dp_type *child = dp_type_new(DP_TYPE_NONE, dp_str_z(name));
    child->nullable = !p->required && !p->primary_key;
    dp_type_add(parent, child);
    if (p->description) {
        struct dp_buf b = {0};
        dp_buf_addz(&b, "{\"comment\":");
        dp_json_add_string(&b, dp_str_z(p->description));
        dp_buf_addc(&b, '}');
        child->metadata = dp_buf_detach(&b);
    }
    return property_type(&t, child);
}

/* An object or array that says nothing of what is in it is held as JSON. */
static enum dp_status nested_type(struct typing *t, struct dp_type *out) {
    const struct dp_contract_property *p = t->p;
    if (p->items) {
        out->id = DP_TYPE_LIST;
        return add_property(t->c, p->items, "element", out, t->err);
    }
    out->id = p->n_properties ? DP_TYPE_STRUCT : DP_TYPE_JSON;
    for (size_t i = 0; i < p->n_properties; i++) DP_TRY(add_property(t->c, &p->properties[i], p->properties[i].name, out, t->err));
    return DP_OK;
}

/* No logicalType: the physical word alone. */
static enum dp_status physical_type(struct typing *t, struct dp_type *out) {
    const char *w = t->physical.word;
    if (t->p->items || t->p->n_properties) return nested_type(t, out);
    if (find_word(number_words, w) != DP_TYPE_NONE) return number_type(t, out);
    if (is_one_of(w, utc_words) || is_one_of(w, local_words)) return timestamp_type(t, out), DP_OK;
    out->id = find_word(other_words, w);
    if (out->id != DP_TYPE_NONE) return DP_OK;
    return wrong(t, *w ? "needs a logicalType: dp does not know its physicalType" : "needs a logicalType");
}

static enum dp_status property_type(struct typing *t, struct dp_type *out) {
    enum dp_type_id other = find_word(other_words, t->physical.word);
    switch (t->p->logical) {
    case DP_LOGICAL_NONE: return physical_type(t, out);
    case DP_LOGICAL_STRING:
        out->id = other == DP_TYPE_BINARY || other == DP_TYPE_JSON ? other : DP_TYPE_STRING;
        if (!strcmp(t->format, "binary") || !strcmp(t->format, "byte")) out->id = DP_TYPE_BINARY;
        return DP_OK;
    case DP_LOGICAL_DATE: date_type(t, out); return DP_OK;
    case DP_LOGICAL_TIMESTAMP: timestamp_type(t, out); return DP_OK;
    case DP_LOGICAL_TIME: out->id = DP_TYPE_TIME; return DP_OK;
    case DP_LOGICAL_NUMBER:
    case DP_LOGICAL_INTEGER: return number_type(t, out);
    case DP_LOGICAL_BOOLEAN: out->id = DP_TYPE_BOOLEAN; return DP_OK;
    case DP_LOGICAL_MAP:
        out->id = DP_TYPE_MAP;
        DP_TRY(add_property(t->c, t->p->map_key, "key", out, t->err));
        out->children[0]->nullable = false;
        return add_property(t->c, t->p->map_value, "value", out, t->err);
    case DP_LOGICAL_OBJECT:
    case DP_LOGICAL_ARRAY:
        if (t->p->logical == DP_LOGICAL_ARRAY && t->p->n_properties) return wrong(t, "an array has items, not properties");
        return nested_type(t, out);
    }
    return DP_OK;
}

enum dp_status dp_contract_schema(const struct dp_contract *c, const struct dp_contract_object *o, struct dp_type **schema, struct dp_err *err) {
    struct dp_type *t = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    enum dp_status status = DP_OK;
    t->nullable = false;
    if (!o->n_properties) status = dp_yaml_error(&c->doc, o->node, err, "schema object \"%.80s\" has no properties", o->name);
    for (size_t i = 0; i < o->n_properties && status == DP_OK; i++)
        status = add_property(c, &o->properties[i], o->properties[i].name, t, err);
    if (status != DP_OK) dp_type_free(t);
    else *schema = t;
    return status;
}

/* The type that the words make, as a logicalType again. */
enum dp_logical dp_contract_logical(const struct dp_contract *c, const struct dp_contract_property *p) {
    if (p->logical != DP_LOGICAL_NONE && (c->is_31 || p->logical != DP_LOGICAL_DATE)) return p->logical;
    if (p->items) return DP_LOGICAL_ARRAY;
    if (p->n_properties) return DP_LOGICAL_OBJECT;
    if (p->map_key) return DP_LOGICAL_MAP;
    struct typing t = {.c = c, .p = p, .format = ""};
    struct dp_type type = {0};
    const struct dp_yaml_node *format = dp_yaml_get(p->options, "format");
    if (format && format->kind == DP_YAML_STRING) t.format = format->text.p;
    split_physical(p->physical_type, &t.physical);
    if (property_type(&t, &type) != DP_OK) return p->logical;
    switch (type.id) {
    case DP_TYPE_BOOLEAN: return DP_LOGICAL_BOOLEAN;
    case DP_TYPE_INT8:
    case DP_TYPE_INT16:
    case DP_TYPE_INT32:
    case DP_TYPE_INT64: return DP_LOGICAL_INTEGER;
    case DP_TYPE_FLOAT:
    case DP_TYPE_DOUBLE: return DP_LOGICAL_NUMBER;
    case DP_TYPE_DECIMAL: return type.scale ? DP_LOGICAL_NUMBER : DP_LOGICAL_INTEGER;
    case DP_TYPE_STRING:
    case DP_TYPE_BINARY: return DP_LOGICAL_STRING;
    case DP_TYPE_DATE: return DP_LOGICAL_DATE;
    case DP_TYPE_TIME: return DP_LOGICAL_TIME;
    case DP_TYPE_TIMESTAMP: return DP_LOGICAL_TIMESTAMP;
    default: return p->logical;
    }
}
