/*
 * The keys of a contract: which there are, of what kind, in which versions of the standard (v3.0.0 to v3.2.0), as tables, and the walk that holds a
 * document to them.  Where the text of the standard and its JSON schema differ the text is taken; dp-contract(5) lists where.
 *
 * Meaning (a column that is there twice, patterns, references) is not looked at here.
 */
#include "contract_priv.h"

#include <dp/base/map.h>
#include <dp/base/num.h>
#include <stdlib.h>

/* ---- findings ---- */

static const char *place_text(struct dp_arena *a, const struct contract_place *at, const char *key) {
    const struct contract_place *chain[256];
    size_t n = 0;
    struct dp_buf b = {0};
    for (; at && n < 256; at = at->up) chain[n++] = at;
    while (n--) {
        if (chain[n]->key) dp_buf_addf(&b, "/%s", chain[n]->key);
        else dp_buf_addf(&b, "/%zu", chain[n]->index);
    }
    if (key && *key) dp_buf_addf(&b, "/%s", key);
    char *text = dp_arena_strdup(a, b.n ? dp_buf_z(&b) : "/");
    dp_buf_release(&b);
    return text;
}

void contract_find(struct contract_walk *w, enum dp_finding_level level, const char *rule, const struct contract_place *at,
                   const struct dp_yaml_node *node,
                   const char *key, const char *meant, const char *fmt, ...) {
    struct dp_findings *out = w->out;
    char text[400];
    va_list args;
    if (w->done || (out->first_only && level != DP_FINDING_ERROR)) return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (out->n == DP_FINDINGS_MAX) {
        (void)snprintf(text, sizeof text, "more than %d findings: the rest is not looked for", DP_FINDINGS_MAX);
        level = DP_FINDING_ERROR, rule = "limit", at = NULL, node = NULL, key = NULL, meant = NULL;
        w->done = true;
    }
    out->v = dp_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
    out->v[out->n++] = (struct dp_finding){.level = level, .line = node ? node->line : 0, .column = node ? node->column : 0, .rule = rule,
                                           .path = place_text(&out->arena, at, key), .key = key ? dp_arena_strdup(&out->arena, key) : "",
                                           .text = dp_arena_strdup(&out->arena, text), .meant = meant};
    out->n_levels[level]++;
    w->done = w->done || out->first_only;
}

const char *contract_near(struct contract_walk *w, const char *word, const char *const *words) {
    const char *near = dp_str_nearest(word, words);
    return near ? dp_arena_printf(&w->out->arena, "did you mean \"%s\"?", near) : NULL;
}

void dp_finding_print(const struct dp_finding *f, struct dp_buf *b) {
    if (*f->key) dp_buf_addf(b, "%s: ", f->key);
    dp_buf_addz(b, f->text);
    if (f->meant) dp_buf_addf(b, "; %s", f->meant);
}

enum dp_status contract_fault(const struct dp_yaml *doc, const struct dp_finding *f, struct dp_err *err) {
    struct dp_buf b = {0};
    struct dp_yaml_node at = {.line = f->line, .column = f->column};
    bool limit = !strcmp(f->rule, "limit");
    dp_finding_print(f, &b);
    (void)dp_yaml_error(doc, f->line ? &at : NULL, err, "%s", dp_buf_z(&b));
    if (limit && err) err->status = DP_LIMIT;
    dp_buf_release(&b);
    return limit ? DP_LIMIT : DP_USAGE;
}

void dp_findings_release(struct dp_findings *f) {
    free(f->v);
    dp_arena_release(&f->arena);
    memset(f, 0, sizeof *f);
}

/* ---- tables ---- */

enum kind {
    ANY, STRING, BOOL, INT, NUMBER, COUNT, POSITIVE, SCALAR, MAP, STRINGS,
    ID,     /* a stable id */
    WORD,   /* arg: words */
    SHAPE,  /* arg: the shape of a map */
    SHAPES, /* arg: of each map of a list */
    ANYS,   /* a list of anything */
    LATER   /* known; the shape's own function looks at it */
};

struct field {
    const char *key;
    enum kind kind;
    uint8_t in, need; /* versions that know it, that ask for it */
    const void *arg;
};

struct shape {
    const char *what;
    uint8_t strict; /* versions that refuse other keys */
    const struct field *fields;
    void (*more)(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map);
};

enum { S300 = DP_ODCS_300, S301 = DP_ODCS_301, S302 = DP_ODCS_302, S30 = DP_ODCS_30, S31 = DP_ODCS_31, S32 = DP_ODCS_320, ALL = DP_ODCS_ALL };
#define END {NULL, ANY, 0, 0, NULL}

const char *const contract_logical_words[] = {"string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean", "map", NULL};
const char *const contract_metric_words[] = {"nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount", NULL};
const char *const contract_operator_words[] = {"mustBe",         "mustNotBe",           "mustBeGreaterThan", "mustBeGreaterOrEqualTo",
                                               "mustBeLessThan", "mustBeLessOrEqualTo", "mustBeBetween",     "mustNotBeBetween", NULL};
static const char *const kind_words[] = {"DataContract", NULL};
static const char *const object_words[] = {"object", NULL};
static const char *const semantic_words[] = {"column", "measure", "dimension", NULL};
static const char *const quality_words[] = {"library", "text", "sql", "custom", NULL};
static const char *const relation_words[] = {"foreignKey", NULL};
static const char *const dimension_words[] = {"accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness",
                                              "ac", "cp", "cf", "cs", "cv", "tm", "uq", NULL};

static const struct shape top_shape, object_shape, property_shape, items_shape, quality_shape, object_relation_shape, property_relation_shape, server_shape,
    role_shape, team_shape, member_shape, support_shape, price_shape, sla_shape, custom_shape, definition_shape, description_shape, context_shape,
    statement_shape, constraint_shape, synonym_shape, enum_shape, map_shape;

#define TAGS {"tags", STRINGS, ALL, 0, NULL}
#define CUSTOM(in) {"customProperties", SHAPES, in, 0, &custom_shape}
#define DEFINITIONS(in) {"authoritativeDefinitions", SHAPES, in, 0, &definition_shape}
#define STABLE {"id", ID, S31, 0, NULL}
#define TEXT(key) {key, STRING, ALL, 0, NULL}
#define TEXT_IN(key, in) {key, STRING, in, 0, NULL}

static const struct field top_fields[] = {
    {"apiVersion", STRING, ALL, ALL, NULL}, {"kind", WORD, ALL, ALL, kind_words}, {"id", STRING, ALL, ALL, NULL}, {"version", STRING, ALL, ALL, NULL},
    {"status", STRING, ALL, ALL & ~S32, NULL}, TEXT("name"), TEXT("tenant"), TAGS, {"servers", SHAPES, ALL, 0, &server_shape}, TEXT("dataProduct"),
    {"description", SHAPE, ALL, 0, &description_shape}, TEXT("domain"), {"schema", SHAPES, ALL, 0, &object_shape},
    {"support", SHAPES, ALL, 0, &support_shape}, {"price", SHAPE, ALL, 0, &price_shape}, {"team", LATER, ALL, 0, NULL},
    {"roles", SHAPES, ALL, 0, &role_shape}, TEXT("slaDefaultElement"), {"slaProperties", SHAPES, ALL, 0, &sla_shape},
    DEFINITIONS(ALL & ~S300), CUSTOM(ALL), TEXT("contractCreatedTs"), {"context", LATER, S32, 0, NULL}, END};
static const struct field description_fields[] = {TEXT("usage"), TEXT("purpose"), TEXT("limitations"), DEFINITIONS(ALL & ~S300),
                                                  CUSTOM(ALL & ~S300), END};
#define ELEMENT                                                                                                                                          \
    STABLE, TEXT("physicalType"), TEXT("description"), TEXT("businessName"), DEFINITIONS(ALL), TAGS, CUSTOM(ALL), {"synonyms", SHAPES, S32, 0, &synonym_shape}
static const struct field object_fields[] = {
    {"name", STRING, ALL, ALL, NULL}, ELEMENT, {"logicalType", WORD, ALL, 0, object_words}, TEXT("physicalName"), TEXT("dataGranularityDescription"),
    {"properties", SHAPES, ALL, 0, &property_shape}, {"relationships", SHAPES, S31, 0, &object_relation_shape},
    {"quality", SHAPES, ALL, 0, &quality_shape}, {"context", LATER, S32, 0, NULL}, END};
#define PROPERTY                                                                                                                                         \
    ELEMENT, {"primaryKey", BOOL, ALL, 0, NULL}, {"primaryKeyPosition", INT, ALL, 0, NULL}, {"logicalType", LATER, ALL, 0, NULL},                        \
        {"logicalTypeOptions", LATER, ALL, 0, NULL}, TEXT_IN("physicalName", S302 | S31), {"required", BOOL, ALL, 0, NULL},                              \
        {"unique", BOOL, ALL, 0, NULL}, {"partitioned", BOOL, ALL, 0, NULL}, {"partitionKeyPosition", INT, ALL, 0, NULL}, TEXT("classification"),         \
        TEXT("encryptedName"), {"transformSourceObjects", STRINGS, ALL, 0, NULL}, TEXT("transformLogic"), TEXT("transformDescription"),                   \
        {"examples", ANYS, ALL, 0, NULL}, {"criticalDataElement", BOOL, ALL, 0, NULL}, {"relationships", SHAPES, S31, 0, &property_relation_shape},      \
        {"quality", SHAPES, ALL, 0, &quality_shape}, {"items", SHAPE, ALL, 0, &items_shape}, {"properties", SHAPES, ALL, 0, &property_shape},            \
        {"semanticType", WORD, S32, 0, semantic_words}, {"enum", SHAPES, S32, 0, &enum_shape}, {"map", SHAPE, S32, 0, &map_shape}
static const struct field property_fields[] = {{"name", STRING, ALL, ALL, NULL}, PROPERTY, END};
static const struct field items_fields[] = {TEXT("name"), PROPERTY, END};
static const struct field map_fields[] = {{"key", SHAPE, S32, S32, &items_shape}, {"value", SHAPE, S32, S32, &items_shape}, END};
static const struct field enum_fields[] = {{"value", SCALAR, S32, S32, NULL}, TEXT("label"), STABLE, TEXT("description"), CUSTOM(ALL),
                                           DEFINITIONS(ALL), TAGS, END};
static const struct field synonym_fields[] = {{"synonym", STRING, S32, S32, NULL}, STABLE, TEXT("description"), TEXT("locale"),
                                              TEXT("source"), TEXT("status"),
                                              CUSTOM(ALL), END};
static const struct field context_fields[] = {TEXT("instructions"), {"verifiedStatements", SHAPES, S32, 0, &statement_shape},
                                              {"constraints", SHAPES, S32, 0, &constraint_shape}, END};
static const struct field statement_fields[] = {{"question", STRING, S32, S32, NULL}, TEXT("id"), TEXT("answer"), DEFINITIONS(ALL), TAGS,
                                                CUSTOM(ALL), END};
static const struct field constraint_fields[] = {{"constraint", STRING, S32, S32, NULL}, TEXT("id"), DEFINITIONS(ALL), TAGS, CUSTOM(ALL), END};
#define OPERATION(word) {word, LATER, ALL, 0, NULL}
static const struct field quality_fields[] = {
    STABLE, TEXT("name"), TEXT("description"), {"type", WORD, ALL, 0, quality_words}, {"dimension", WORD, ALL, 0, dimension_words}, TEXT("severity"),
    TEXT("unit"), TEXT("method"), TEXT("businessImpact"), TEXT("schedule"), TEXT("scheduler"), TAGS, DEFINITIONS(ALL), CUSTOM(ALL),
    {"metric", LATER, S31, 0, NULL}, {"rule", LATER, ALL, 0, NULL}, {"arguments", LATER, S31, 0, NULL}, {"query", LATER, ALL, 0, NULL},
    {"engine", LATER, ALL, 0, NULL}, {"implementation", LATER, ALL, 0,
                                      NULL}, OPERATION("mustBe"), OPERATION("mustNotBe"), OPERATION("mustBeGreaterThan"),
    OPERATION("mustBeGreaterOrEqualTo"), OPERATION("mustBeLessThan"), OPERATION("mustBeLessOrEqualTo"), OPERATION("mustBeBetween"),
    OPERATION("mustNotBeBetween"), END};
static const struct field relation_fields[] = {{"type", WORD, S31, 0, relation_words}, {"from", LATER, S31, 0, NULL}, {"to", LATER, S31, S31, NULL},
                                               CUSTOM(S31), END};
static const struct field server_fields[] = {{"server", STRING, ALL, ALL, NULL}, {"type", LATER, ALL, ALL, NULL}, STABLE,
                                             TEXT("description"), TEXT("environment"),
                                             {"roles", SHAPES, ALL, 0, &role_shape}, CUSTOM(ALL), END};
static const struct field role_fields[] = {{"role", STRING, ALL, ALL, NULL}, STABLE, TEXT("description"), TEXT("access"), TEXT("firstLevelApprovers"),
                                           TEXT("secondLevelApprovers"), CUSTOM(ALL & ~(S300 | S301)), END};
static const struct field team_fields[] = {STABLE, TEXT("name"), TEXT("description"), {"members", SHAPES, S31, 0, &member_shape}, TAGS, CUSTOM(ALL),
                                           DEFINITIONS(ALL), END};
static const struct field member_fields[] = {{"username", STRING, ALL, S31, NULL}, STABLE, TEXT_IN("name", S302 | S31),
                                             TEXT_IN("description", S302 | S31),
                                             TEXT("role"), TEXT("dateIn"), TEXT("dateOut"), TEXT("replacedByUsername"), {"tags", STRINGS, S31, 0, NULL},
                                             CUSTOM(S31), DEFINITIONS(S31), END};
static const struct field support_fields[] = {{"channel", STRING, ALL, ALL, NULL}, {"url", STRING, ALL, S30, NULL}, STABLE,
                                              TEXT("description"), TEXT("tool"),
                                              TEXT("scope"), TEXT("invitationUrl"), CUSTOM(S31), END};
static const struct field price_fields[] = {STABLE, {"priceAmount", NUMBER, ALL, 0, NULL}, TEXT("priceCurrency"), TEXT("priceUnit"), END};
static const struct field sla_fields[] = {{"property", STRING, ALL, ALL, NULL}, {"value", SCALAR, ALL, ALL, NULL}, {"valueExt", SCALAR, ALL, 0, NULL},
                                          STABLE, TEXT("unit"), TEXT("element"), TEXT("driver"), TEXT_IN("description", S31), TEXT_IN("scheduler", S31),
                                          TEXT_IN("schedule", S31), END};
static const struct field custom_fields[] = {{"property", STRING, ALL, S31, NULL}, {"value", ANY, ALL, S31, NULL}, STABLE,
                                             TEXT_IN("description", S31), END};
static const struct field definition_fields[] = {{"url", STRING, ALL, ALL, NULL}, {"type", STRING, ALL, ALL, NULL}, STABLE,
                                                 TEXT_IN("description", S31), END};

static void more_top(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map);
static void more_object(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map);
static void more_property(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map);

static const struct shape top_shape = {"a contract", ALL, top_fields, more_top};
static const struct shape description_shape = {"a description", 0, description_fields, NULL};
static const struct shape object_shape = {"a schema object", ALL, object_fields, more_object};
static const struct shape property_shape = {"a property", ALL, property_fields, more_property};
static const struct shape items_shape = {"an element", ALL, items_fields, more_property};
static const struct shape map_shape = {"a map", ALL, map_fields, NULL};
static const struct shape enum_shape = {"a value of an enum", ALL, enum_fields, NULL};
static const struct shape synonym_shape = {"a synonym", ALL, synonym_fields, NULL};
static const struct shape context_shape = {"a context", ALL, context_fields, NULL};
static const struct shape statement_shape = {"a verified statement", ALL, statement_fields, NULL};
static const struct shape constraint_shape = {"a constraint", ALL, constraint_fields, NULL};
static const struct shape quality_shape = {"a quality rule", S31, quality_fields, contract_more_quality};
static const struct shape object_relation_shape = {"a relationship", S31, relation_fields, contract_more_object_relation};
static const struct shape property_relation_shape = {"a relationship", S31, relation_fields, contract_more_property_relation};
static const struct shape server_shape = {"a server", 0, server_fields, contract_more_server};
static const struct shape role_shape = {"a role", S31, role_fields, NULL};
static const struct shape team_shape = {"a team", S31, team_fields, NULL};
static const struct shape member_shape = {"a team member", S31, member_fields, NULL};
static const struct shape support_shape = {"a support channel", S31, support_fields, NULL};
static const struct shape price_shape = {"a price", S31, price_fields, NULL};
static const struct shape sla_shape = {"an SLA property", S31, sla_fields, NULL};
static const struct shape custom_shape = {"a custom property", S31, custom_fields, NULL};
static const struct shape definition_shape = {"an authoritative definition", S31, definition_fields, NULL};

/* ---- the walk ---- */

static void check_shape(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map, const struct shape *s,
                        const char *key);

void contract_wrong_kind(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key, const char *want) {
    const char *meant = NULL;
    bool number = n->kind == DP_YAML_FLOAT || n->kind == DP_YAML_INT || n->kind == DP_YAML_BOOL;
    if (number && !strcmp(want, "a string")) meant = dp_arena_printf(&w->out->arena, "write \"%.60s\" in quotes", n->text.p);
    if (n->kind == DP_YAML_STRING && !strcmp(want, "true or false")) {
        static const char *const yes[] = {"yes", "Yes", "on", "y", "Y", NULL}, *const no[] = {"no", "No", "off", "n", "N", NULL};
        for (int i = 0; yes[i] && !meant; i++)
            if (!strcmp(n->text.p, yes[i]) || !strcmp(n->text.p, no[i]))
                meant = !strcmp(n->text.p, yes[i]) ? "write true; YAML 1.2 reads this word as text" : "write false; YAML 1.2 reads this word as text";
    }
    contract_find(w, DP_FINDING_ERROR, "wrong-kind", at, n, key, meant, "must be %s, got %s", want, dp_yaml_kind_name(n->kind));
}

static bool is_number(const struct dp_yaml_node *n) {
    return n->kind == DP_YAML_INT || n->kind == DP_YAML_FLOAT;
}

/* As JSON Schema has it: 5.0 is an integer. */
bool contract_is_integer(const struct dp_yaml_node *n) {
    double d;
    if (n->kind == DP_YAML_INT) return true;
    return n->kind == DP_YAML_FLOAT && dp_parse_double(n->text, &d) && d > -1e15 && d < 1e15 && d == (double)(int64_t)d;
}

static bool is_stable_id(struct dp_str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) return false;
    }
    return s.n > 0;
}

bool contract_need_string(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key) {
    if (n->kind != DP_YAML_STRING) return contract_wrong_kind(w, at, n, key, "a string"), false;
    if (!memchr(n->text.p, 0, n->text.n)) return true;
    contract_find(w, DP_FINDING_ERROR, "wrong-kind", at, n, key, NULL, "holds a NUL");
    return false;
}

static bool need_list(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key) {
    if (n->kind == DP_YAML_LIST) return true;
    contract_wrong_kind(w, at, n, key, "a list");
    return false;
}

static const char *all_words(struct contract_walk *w, const char *const *words) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, words[1] ? "it must be one of" : "it must be");
    for (int i = 0; words[i]; i++) dp_buf_addf(&b, "%s %s", i ? "," : "", words[i]);
    const char *text = dp_arena_strdup(&w->out->arena, dp_buf_z(&b));
    dp_buf_release(&b);
    return text;
}

void contract_check_word(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key,
                         const char *const *words) {
    if (!contract_need_string(w, at, n, key)) return;
    for (int i = 0; words[i]; i++)
        if (!strcmp(n->text.p, words[i])) return;
    const char *meant = contract_near(w, n->text.p, words);
    if (!meant) meant = all_words(w, words);
    contract_find(w, DP_FINDING_ERROR, "unknown-word", at, n, key, meant, "unknown word \"%.60s\"", n->text.p);
}

static void check_strings(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key) {
    if (!need_list(w, at, n, key)) return;
    for (size_t i = 0; i < n->n && !w->done; i++) (void)contract_need_string(w, at, n->items[i], key);
}

static void check_number(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key, enum kind kind) {
    double d = 0;
    bool right = kind == NUMBER || kind == POSITIVE ? is_number(n) : contract_is_integer(n);
    if (!right) {
        contract_wrong_kind(w, at, n, key, kind == INT ? "a whole number" : kind == COUNT ? "a whole number from 0" : "a number");
        return;
    }
    if (kind != COUNT && kind != POSITIVE) return;
    bool negative = n->text.p[0] == '-';
    bool zero = dp_parse_double(n->text, &d) && d == 0;
    if (kind == COUNT && negative && !zero) contract_find(w, DP_FINDING_ERROR, "out-of-range", at, n, key, NULL,
                                                          "must not be negative, got %.40s", n->text.p);
    if (kind == POSITIVE && (negative || zero)) contract_find(w, DP_FINDING_ERROR, "out-of-range", at, n, key, NULL,
                                                              "must be above 0, got %.40s", n->text.p);
}

static void check_shapes(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key,
                         const struct shape *s) {
    if (!need_list(w, at, n, key)) return;
    struct contract_place list = {.up = at, .key = key}, item = {.up = &list};
    for (size_t i = 0; i < n->n && !w->done; i++) {
        item.index = i;
        check_shape(w, &item, n->items[i], s, key);
    }
}

static void check_field(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const struct field *f) {
    struct contract_place below = {.up = at, .key = f->key};
    switch (f->kind) {
    case ANY:
    case LATER: break;
    case STRING: (void)contract_need_string(w, at, n, f->key); break;
    case BOOL:
        if (n->kind != DP_YAML_BOOL) contract_wrong_kind(w, at, n, f->key, "true or false");
        break;
    case INT:
    case NUMBER:
    case COUNT:
    case POSITIVE: check_number(w, at, n, f->key, f->kind); break;
    case SCALAR:
        if (n->kind == DP_YAML_LIST || n->kind == DP_YAML_MAP) contract_wrong_kind(w, at, n, f->key, "one value");
        break;
    case MAP:
        if (n->kind != DP_YAML_MAP) contract_wrong_kind(w, at, n, f->key, "a map");
        break;
    case STRINGS: check_strings(w, at, n, f->key); break;
    case ANYS: (void)need_list(w, at, n, f->key); break;
    case ID:
        if (contract_need_string(w, at, n, f->key) && !is_stable_id(n->text))
            contract_find(w, DP_FINDING_ERROR, "wrong-id", at, n, f->key, "letters, digits, _ and - only", "\"%.60s\" is not an id", n->text.p);
        break;
    case WORD: contract_check_word(w, at, n, f->key, f->arg); break;
    case SHAPE: check_shape(w, &below, n, f->arg, f->key); break;
    case SHAPES: check_shapes(w, at, n, f->key, f->arg); break;
    }
}

static const struct field *find_field(const struct field *fields, const char *key) {
    while (fields->key && strcmp(fields->key, key) != 0) fields++;
    return fields->key ? fields : NULL;
}

bool contract_is_server_key(const struct contract_walk *w, const char *key) {
    const struct field *f = find_field(server_fields, key);
    return f && f->in & w->version;
}

const char *contract_first_version(unsigned in) {
    return in & DP_ODCS_300 ? "v3.0.0" : in & DP_ODCS_301 ? "v3.0.1" : in & DP_ODCS_302 ? "v3.0.2" : in & DP_ODCS_310 ? "v3.1.0" : "v3.2.0";
}

/* The nearest key that this version has. */
static const char *near_key(struct contract_walk *w, const struct field *fields, const char *key) {
    const char *words[64];
    size_t n = 0;
    for (; fields->key && n < 63; fields++)
        if (fields->in & w->version) words[n++] = fields->key;
    words[n] = NULL;
    return contract_near(w, key, words);
}

static void unknown_key(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *k, const char *what,
                        const struct field *fields,
                        const struct field *other) {
    const char *meant = NULL;
    if (other) meant = dp_arena_printf(&w->out->arena, "it came with apiVersion %s", contract_first_version(other->in));
    if (!meant) meant = near_key(w, fields, k->text.p);
    if (!meant) meant = "keys of one's own belong in customProperties";
    contract_find(w, DP_FINDING_ERROR, "unknown-key", at, k, k->text.p, meant, "%s has no such key%s%s", what, other ? " in " : "",
                  other ? w->api_version : "");
}

static void check_fields(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map, const char *what, unsigned strict,
                         const struct field *fields) {
    for (size_t i = 0; i < map->n && !w->done; i++) {
        const struct dp_yaml_node *k = map->items[2 * i];
        const struct field *f = find_field(fields, k->text.p);
        if (f && f->in & w->version) check_field(w, at, map->items[2 * i + 1], f);
        else if (strict & w->version) unknown_key(w, at, k, what, fields, f);
    }
    for (; fields->key && !w->done; fields++) {
        if (!(fields->need & w->version)) continue;
        const struct dp_yaml_node *v = dp_yaml_get(map, fields->key);
        if (!v) contract_find(w, DP_FINDING_ERROR, "missing-key", at, map, fields->key, NULL, "%s needs this key", what);
    }
}

static void check_shape(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map, const struct shape *s,
                        const char *key) {
    if (map->kind != DP_YAML_MAP) {
        contract_wrong_kind(w, at, map, key, "a map");
        return;
    }
    check_fields(w, at, map, s->what, s->strict, s->fields);
    if (s->more && !w->done) s->more(w, at, map);
}

/* ---- the top ---- */

static void check_context(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    const struct dp_yaml_node *n = w->version & S32 ? dp_yaml_get(map, "context") : NULL;
    struct contract_place below = {.up = at, .key = "context"};
    if (n && n->kind != DP_YAML_STRING) check_shape(w, &below, n, &context_shape, "context");
}

/* The keys of a contract that must hold something: an empty id names nothing. */
static void more_top(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    const struct dp_yaml_node *team = dp_yaml_get(map, "team");
    struct contract_place below = {.up = at, .key = "team"};
    if (team && team->kind == DP_YAML_MAP && w->version & S31) check_shape(w, &below, team, &team_shape, "team");
    else if (team && team->kind == DP_YAML_MAP)
        contract_find(w, DP_FINDING_ERROR, "wrong-kind", at, team, "team", "a team with members came with apiVersion v3.1.0",
                      "must be a list of members in %s", w->api_version);
    else if (team) check_shapes(w, at, team, "team", &member_shape);
    check_context(w, at, map);
}

static void more_object(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    check_context(w, at, map);
}

/* ---- properties ---- */

static const char *const integer_formats[] = {"i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", NULL};
static const char *const number_formats[] = {"f32", "f64", NULL};
static const struct field string_options[] = {{"minLength", COUNT, ALL, 0, NULL}, {"maxLength", COUNT, ALL, 0, NULL}, TEXT("pattern"),
                                              TEXT("format"), END};
/* Exclusive bounds are flags beside the bounds in 3.0 and bounds themselves since 3.1. */
#define BOUNDS30(kind) {"minimum", kind, ALL, 0, NULL}, {"maximum", kind, ALL, 0, NULL}, {"exclusiveMinimum", BOOL, ALL, 0, NULL}, {"exclusiveMaximum", BOOL, ALL, 0, NULL}
#define BOUNDS31(kind) {"minimum", kind, ALL, 0, NULL}, {"maximum", kind, ALL, 0, NULL}, {"exclusiveMinimum", kind, ALL, 0, NULL}, {"exclusiveMaximum", kind, ALL, 0, NULL}
static const struct field date_options_30[] = {TEXT("format"), BOUNDS30(STRING), END};
static const struct field date_options_31[] = {TEXT("format"), BOUNDS31(STRING), END};
static const struct field timestamp_options[] = {TEXT("format"), BOUNDS31(STRING), {"timezone", BOOL, ALL, 0, NULL}, TEXT("defaultTimezone"), END};
#define NUMERIC(bounds, formats) {{"multipleOf", POSITIVE, ALL, 0, NULL}, bounds(NUMBER), {"format", WORD, ALL, 0, formats}, END}
static const struct field integer_options_30[] = NUMERIC(BOUNDS30, integer_formats);
static const struct field integer_options_31[] = NUMERIC(BOUNDS31, integer_formats);
static const struct field number_options_30[] = NUMERIC(BOUNDS30, number_formats);
static const struct field number_options_31[] = NUMERIC(BOUNDS31, number_formats);
static const struct field object_options[] = {{"minProperties", COUNT, ALL, 0, NULL}, {"maxProperties", COUNT, ALL, 0, NULL},
                                              {"required", STRINGS, ALL, 0, NULL}, END};
static const struct field array_options[] = {{"minItems", COUNT, ALL, 0, NULL}, {"maxItems", COUNT, ALL, 0, NULL},
                                             {"uniqueItems", BOOL, ALL, 0, NULL}, END};

static const struct field *options_of(enum dp_logical logical, bool is_31) {
    switch (logical) {
    case DP_LOGICAL_STRING: return string_options;
    case DP_LOGICAL_DATE: return is_31 ? date_options_31 : date_options_30;
    case DP_LOGICAL_TIMESTAMP:
    case DP_LOGICAL_TIME: return timestamp_options;
    case DP_LOGICAL_NUMBER: return is_31 ? number_options_31 : number_options_30;
    case DP_LOGICAL_INTEGER: return is_31 ? integer_options_31 : integer_options_30;
    case DP_LOGICAL_OBJECT: return object_options;
    case DP_LOGICAL_ARRAY: return array_options;
    case DP_LOGICAL_NONE:
    case DP_LOGICAL_BOOLEAN:
    case DP_LOGICAL_MAP: break;
    }
    return NULL;
}

static void check_required_option(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *options) {
    const struct dp_yaml_node *n = dp_yaml_get(options, "required");
    if (!n || n->kind != DP_YAML_LIST || w->done) return;
    if (!n->n) contract_find(w, DP_FINDING_ERROR, "empty", at, n, "required", "leave the key out", "an empty list");
    struct dp_map seen = {0};
    for (size_t i = 0; i < n->n; i++) {
        bool is_new = true;
        if (n->items[i]->kind == DP_YAML_STRING) dp_map_put(&seen, n->items[i]->text, &is_new);
        if (!is_new) contract_find(w, DP_FINDING_ERROR, "duplicate", at, n->items[i], "required", NULL, "\"%.60s\" is there twice",
                                   n->items[i]->text.p);
    }
    dp_map_release(&seen);
}

/* A boolean and a map have no options of their own and the standard leaves theirs open. */
static void check_options(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, enum dp_logical logical) {
    struct contract_place below = {.up = at, .key = "logicalTypeOptions"};
    char what[64];
    if (n->kind != DP_YAML_MAP) {
        contract_wrong_kind(w, at, n, "logicalTypeOptions", "a map");
        return;
    }
    if (logical == DP_LOGICAL_NONE) {
        if (n->n) contract_find(w, DP_FINDING_ERROR, "missing-key", at, n, "logicalTypeOptions", "name the type that they are of",
                                "options without a logicalType");
        return;
    }
    const struct field *fields = options_of(logical, w->version & S31);
    if (!fields) return;
    (void)snprintf(what, sizeof what, "logicalType %s", contract_logical_words[logical - DP_LOGICAL_STRING]);
    check_fields(w, &below, n, what, ALL, fields);
    if (logical == DP_LOGICAL_OBJECT) check_required_option(w, &below, n);
}

static const char *near_logical(struct contract_walk *w, const char *word) {
    static const char *const others[][2] = {{"int", "integer"}, {"long", "integer"}, {"bigint", "integer"}, {"double", "number"},
                                            {"float", "number"}, {"decimal", "number"},
                                            {"numeric", "number"}, {"text", "string"}, {"varchar",
                                                                                        "string"}, {"bool", "boolean"}, {"datetime", "timestamp"},
                                            {"struct", "object"}, {"record", "object"}, {"list", "array"}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (!strcmp(word, others[i][0])) return dp_arena_printf(&w->out->arena, "write %s, and physicalType: %s", others[i][1], word);
    if (!strcmp(word, "binary") || !strcmp(word, "bytes")) return "write string with logicalTypeOptions: {format: binary}";
    const char *near = contract_near(w, word, contract_logical_words);
    return near ? near : all_words(w, contract_logical_words);
}

/* NONE: absent; *is_known false: a word that is none (a finding says so). */
static enum dp_logical check_logical(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map, bool *is_known) {
    const struct dp_yaml_node *n = dp_yaml_get(map, "logicalType");
    enum dp_logical logical = DP_LOGICAL_NONE;
    *is_known = false;
    if (!n) return *is_known = true, DP_LOGICAL_NONE;
    if (!contract_need_string(w, at, n, "logicalType")) return DP_LOGICAL_NONE;
    for (int i = 0; contract_logical_words[i]; i++)
        if (!strcmp(n->text.p, contract_logical_words[i])) logical = (enum dp_logical)(DP_LOGICAL_STRING + i);
    if (logical == DP_LOGICAL_NONE) {
        contract_find(w, DP_FINDING_ERROR, "unknown-word", at, n, "logicalType", near_logical(w, n->text.p), "unknown word \"%.60s\"", n->text.p);
        return logical;
    }
    bool is_time = logical == DP_LOGICAL_TIMESTAMP || logical == DP_LOGICAL_TIME;
    *is_known = !(is_time && !(w->version & S31)) && !(logical == DP_LOGICAL_MAP && !(w->version & S32));
    if (!*is_known)
        contract_find(w, DP_FINDING_ERROR, "unknown-word", at, n, "logicalType", is_time ? "before it is date with a physicalType" : NULL,
                      "%s needs apiVersion %s", n->text.p,
                      is_time ? "v3.1.0" : "v3.2.0");
    return logical;
}

static void only_with(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map, const char *key,
                      enum dp_logical has, enum dp_logical want) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    const char *word = contract_logical_words[want - DP_LOGICAL_STRING];
    if (n && has != want && has != DP_LOGICAL_NONE)
        contract_find(w, DP_FINDING_ERROR, "wrong-place", at, n, key, NULL, "only logicalType %s has %s, this is %s", word, key,
                      contract_logical_words[has - DP_LOGICAL_STRING]);
}

static void check_enum(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n) {
    if (!n || n->kind != DP_YAML_LIST || w->done) return;
    if (!n->n) contract_find(w, DP_FINDING_ERROR, "empty", at, n, "enum", "leave the key out", "an empty list of values");
    struct dp_map seen = {0};
    for (size_t i = 0; i < n->n; i++) {
        const struct dp_yaml_node *v = dp_yaml_get(n->items[i], "value");
        bool is_new = true;
        if (!v || v->kind == DP_YAML_LIST || v->kind == DP_YAML_MAP) continue;
        struct dp_buf b = {0};
        dp_buf_addf(&b, "%d", v->kind == DP_YAML_STRING);
        dp_buf_add(&b, v->text.p, v->text.n);
        dp_map_put(&seen, dp_buf_str(&b), &is_new);
        dp_buf_release(&b);
        if (!is_new) contract_find(w, DP_FINDING_ERROR, "duplicate", at, v, "enum", NULL, "the value \"%.60s\" is there twice", v->text.p);
    }
    dp_map_release(&seen);
}

static void more_property(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    bool is_known;
    enum dp_logical logical = check_logical(w, at, map, &is_known);
    const struct dp_yaml_node *options = dp_yaml_get(map, "logicalTypeOptions");
    if (!is_known) return;
    if (options) check_options(w, at, options, logical);
    only_with(w, at, map, "items", logical, DP_LOGICAL_ARRAY);
    only_with(w, at, map, "properties", logical, DP_LOGICAL_OBJECT);
    if (!(w->version & S32)) return;
    only_with(w, at, map, "map", logical, DP_LOGICAL_MAP);
    if (logical == DP_LOGICAL_MAP && !dp_yaml_get(map, "map"))
        contract_find(w, DP_FINDING_ERROR, "missing-key", at, map, "map", "the types of its key and its value", "logicalType map needs this key");
    check_enum(w, at, dp_yaml_get(map, "enum"));
}

/* ---- entry ---- */

bool contract_version(struct contract_walk *w, const struct dp_yaml_node *root) {
    static const char *const words[] = {"v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0", NULL};
    const struct dp_yaml_node *n = dp_yaml_get(root, "apiVersion");
    w->version = 0;
    if (root->kind != DP_YAML_MAP) {
        contract_find(w, DP_FINDING_ERROR, "wrong-kind", NULL, root, "", NULL, "a contract must be a map, got %s", dp_yaml_kind_name(root->kind));
        return false;
    }
    if (!n) {
        bool old = dp_yaml_get(root, "dataContractSpecification");
        contract_find(w, DP_FINDING_ERROR, "missing-key", NULL, root, "apiVersion",
                      old ? "this is a Data Contract Specification: convert it to ODCS v3 first" : NULL,
                      "a contract needs this key");
        return false;
    }
    if (!contract_need_string(w, NULL, n, "apiVersion")) return false;
    for (unsigned i = 0; words[i]; i++)
        if (!strcmp(n->text.p, words[i])) w->version = 1u << i;
    w->api_version = n->text.p;
    if (w->version) return true;
    bool other = n->text.p[0] == 'v' && n->text.p[1] >= '0' && n->text.p[1] <= '9';
    const char *hint = !strncmp(n->text.p, "v2.", 3) ? "2.x has another layout: convert it to v3 first" : other ? NULL : contract_near(w, n->text.p, words);
    contract_find(w, DP_FINDING_ERROR, "unknown-version", NULL, n, "apiVersion", hint,
                  "\"%.40s\" is none of v3.0.0, v3.0.1, v3.0.2, v3.1.0, v3.2.0", n->text.p);
    return false;
}

void contract_check_keys(struct contract_walk *w, const struct dp_yaml_node *root) {
    check_shape(w, NULL, root, &top_shape, "");
}
