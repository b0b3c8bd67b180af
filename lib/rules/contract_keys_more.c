/*
 * Keys of a contract whose rules no table tells: quality (which keys a kind of rule has, one operator), relationships (references), servers (keys by type).
 * The tables and the walk are in contract_keys.c.
 */
#include "contract_priv.h"

#include <dp/base/num.h>

static bool is_number(const struct dp_yaml_node *n) {
    return n->kind == DP_YAML_INT || n->kind == DP_YAML_FLOAT;
}

static const char *text_of(const struct dp_yaml_node *n) {
    return n && n->kind == DP_YAML_STRING ? n->text.p : NULL;
}

/* ---- quality ---- */

static void check_between(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key) {
    bool two = n->kind == DP_YAML_LIST && n->n == 2 && is_number(n->items[0]) && is_number(n->items[1]);
    double a, b;
    if (!two) {
        contract_find(w, DP_FINDING_ERROR, "wrong-kind", at, n, key, "write [lower, upper]", "must be a list of two numbers");
        return;
    }
    if (!dp_parse_double(n->items[0]->text, &a) || !dp_parse_double(n->items[1]->text, &b)) return;
    if (a == b) contract_find(w, DP_FINDING_ERROR, "out-of-range", at, n, key, "mustBe takes one number", "both bounds are the same");
    if (a > b) contract_find(w, DP_FINDING_ERROR, "out-of-range", at, n, key, "the lower bound comes first", "the first bound is above the second");
}

/* Kinds of the operators; returns how many there are. */
static size_t check_operators(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    size_t n = 0;
    const struct dp_yaml_node *last = NULL;
    for (size_t i = 0; contract_operator_words[i]; i++) {
        const char *key = contract_operator_words[i];
        const struct dp_yaml_node *v = dp_yaml_get(map, key);
        enum dp_operator op = (enum dp_operator)(DP_OPERATOR_BE + i);
        if (!v) continue;
        n++, last = v;
        if (op == DP_OPERATOR_BETWEEN || op == DP_OPERATOR_NOT_BETWEEN) check_between(w, at, v, key);
        else if (op != DP_OPERATOR_BE && op != DP_OPERATOR_NOT_BE && !is_number(v)) contract_wrong_kind(w, at, v, key, "a number");
    }
    if (n > 1) contract_find(w, DP_FINDING_ERROR, "operators", at, last, "quality", "two bounds are mustBeBetween",
                             "a rule has one operator, this has %zu", n);
    return n;
}

static void need_key(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map, const char *key, const char *what) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    if (!n) contract_find(w, DP_FINDING_ERROR, "missing-key", at, map, key, NULL, "%s needs this key", what);
    else (void)contract_need_string(w, at, n, key);
}

static void check_custom_quality(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    const struct dp_yaml_node *n = dp_yaml_get(map, "implementation");
    need_key(w, at, map, "engine", "a custom rule");
    if (!n) contract_find(w, DP_FINDING_ERROR, "missing-key", at, map, "implementation", NULL, "a custom rule needs this key");
    else if (n->kind != DP_YAML_STRING && n->kind != DP_YAML_MAP) contract_wrong_kind(w, at, n, "implementation", "a string or a map");
}

/* 3.0: `rule` names what is measured, by a free name; other keys are not looked at. */
static void check_quality_30(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map, const char *type) {
    if (!type || !strcmp(type, "library")) {
        need_key(w, at, map, "rule", "a library rule of 3.0");
        (void)check_operators(w, at, map);
    } else if (!strcmp(type, "sql")) need_key(w, at, map, "query", "a rule of type sql");
    else if (!strcmp(type, "custom")) check_custom_quality(w, at, map);
}

static void check_metric(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    const struct dp_yaml_node *metric = dp_yaml_get(map, "metric"), *rule = dp_yaml_get(map, "rule"), *arguments = dp_yaml_get(map, "arguments");
    if (metric) contract_check_word(w, at, metric, "metric", contract_metric_words);
    else contract_find(w, DP_FINDING_ERROR, "missing-key", at, rule ? rule : map, "metric",
                       rule ? "since v3.1.0 the key rule is called metric" : NULL, "a library rule needs this key");
    if (rule) (void)contract_need_string(w, at, rule, "rule");
    if (arguments && arguments->kind != DP_YAML_MAP) contract_wrong_kind(w, at, arguments, "arguments", "a map");
}

/* Keys of a kind of rule in a rule of another kind. */
static void foreign_keys(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map, const char *const *keys,
                         const char *meant) {
    for (; *keys; keys++) {
        const struct dp_yaml_node *n = dp_yaml_get(map, *keys);
        if (n) contract_find(w, DP_FINDING_ERROR, "wrong-place", at, n, *keys, meant, "this kind of rule has no such key");
    }
}

void contract_more_quality(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    static const char *const library_keys[] = {"metric", "rule", "arguments", NULL}, *const sql_keys[] = {"query", NULL};
    static const char *const custom_keys[] = {"engine", "implementation", NULL};
    const char *type = text_of(dp_yaml_get(map, "type"));
    if (w->version & DP_ODCS_30) {
        check_quality_30(w, at, map, type);
        return;
    }
    bool library = (type && !strcmp(type, "library")) || text_of(dp_yaml_get(map, "metric"));
    bool sql = type && !strcmp(type, "sql"), custom = type && !strcmp(type, "custom");
    if (library) check_metric(w, at, map);
    else foreign_keys(w, at, map, library_keys, "since v3.1.0 a library rule has a metric");
    if (sql) need_key(w, at, map, "query", "a rule of type sql");
    else foreign_keys(w, at, map, sql_keys, "it belongs to type: sql");
    if (custom) check_custom_quality(w, at, map);
    else foreign_keys(w, at, map, custom_keys, "it belongs to type: custom");
    if (!library && !sql) foreign_keys(w, at, map, contract_operator_words, "only a library rule (with metric) and one of type sql have operators");
    else if (!check_operators(w, at, map)) contract_find(w, DP_FINDING_ERROR, "operators", at, map, "quality",
                                                         "add mustBe, mustBeLessThan ...", "the rule has no operator");
}

/* ---- relationships ---- */

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* A name at p (a letter first, or where `loose` also digits and -); its end, or NULL. */
static const char *skip_name(const char *p, bool loose) {
    const char *from = p;
    while (is_letter(*p) || ((loose || p > from) && is_digit(*p)) || (loose && *p == '-')) p++;
    return p > from ? p : NULL;
}

/* object.property, with more names for nested ones. */
static bool is_short_reference(const char *p) {
    int names = 0;
    do {
        p = skip_name(p + (names > 0), false);
        names++;
    } while (p && *p == '.');
    return p && !*p && names > 1;
}

/* What follows `file.yaml#`, where another contract is named, and a slash; NULL: no file of that name. */
static const char *skip_file(const char *p) {
    const char *hash = strstr(p, ".yaml#");
    if (hash) {
        if (!strncmp(p, "https://", 8)) p += 8;
        else if (!strncmp(p, "http://", 7)) p += 7;
        if (hash <= p) return NULL;
        for (; p < hash; p++)
            if (!is_letter(*p) && !is_digit(*p) && *p != '.' && *p != '-' && *p != '/') return NULL;
        p = hash + 6;
    }
    return *p == '/' ? p + 1 : p;
}

/* schema/ID/properties/ID. */
static bool is_full_reference(const char *p) {
    for (int pairs = 0;; pairs++) {
        p = skip_name(p, false);
        if (!p || *p != '/') return false;
        p = skip_name(p + 1, true);
        if (!p) return false;
        if (!*p) return true;
        if (*p++ != '/') return false;
    }
}

static void check_reference(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key) {
    if (!contract_need_string(w, at, n, key)) return;
    const char *behind = skip_file(n->text.p);
    if (is_short_reference(n->text.p) || (behind && (is_full_reference(behind) || (strchr(n->text.p, '#') && is_short_reference(behind))))) return;
    contract_find(w, DP_FINDING_ERROR, "wrong-reference", at, n, key, "write object.property or schema/ID/properties/ID",
                  "\"%.80s\" is not a reference", n->text.p);
}

static void check_references(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key) {
    if (n->kind != DP_YAML_LIST) {
        check_reference(w, at, n, key);
        return;
    }
    if (!n->n) contract_find(w, DP_FINDING_ERROR, "empty", at, n, key, NULL, "an empty list of properties");
    for (size_t i = 0; i < n->n && !w->done; i++) check_reference(w, at, n->items[i], key);
}

void contract_more_object_relation(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    const struct dp_yaml_node *from = dp_yaml_get(map, "from"), *to = dp_yaml_get(map, "to");
    if (!from) contract_find(w, DP_FINDING_ERROR, "missing-key", at, map, "from", NULL, "a relationship of an object needs this key");
    else check_references(w, at, from, "from");
    if (to) check_references(w, at, to, "to");
    if (!from || !to || w->done) return;
    if ((from->kind == DP_YAML_LIST) != (to->kind == DP_YAML_LIST))
        contract_find(w, DP_FINDING_ERROR, "wrong-kind", at, to, "to", NULL, "from and to must both be one property or both be lists");
    else if (from->kind == DP_YAML_LIST && from->n != to->n)
        contract_find(w, DP_FINDING_ERROR, "wrong-kind", at, to, "to", NULL, "must name as many properties as from: %zu, got %zu", from->n, to->n);
}

void contract_more_property_relation(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    const struct dp_yaml_node *from = dp_yaml_get(map, "from"), *to = dp_yaml_get(map, "to");
    if (from) contract_find(w, DP_FINDING_ERROR, "wrong-place", at, from, "from", "leave it out",
                            "a property's own relationship starts at the property");
    if (!to || w->done) return;
    check_references(w, at, to, "to");
    if (to->kind == DP_YAML_LIST && to->n > 1)
        contract_find(w, DP_FINDING_ERROR, "wrong-kind", at, to, "to", "a key of several columns is a relationship of the object",
                      "one property refers to one");
}

/* ---- servers ---- */

/* Keys that a type of server needs and may have: strings, but `port`. */
struct server_type {
    const char *type;
    uint8_t in;
    const char *need, *may;
};

static const struct server_type server_types[] = {
    {"api", DP_ODCS_ALL, "location", ""},
    {"athena", DP_ODCS_300 | DP_ODCS_301, "schema", "stagingDir staging_dir catalog regionName"},
    {"athena", DP_ODCS_302 | DP_ODCS_310, "stagingDir schema", "catalog regionName"},
    {"athena", DP_ODCS_320, "schema", "stagingDir catalog regionName workgroup"},
    {"azure", DP_ODCS_ALL, "location format", "delimiter"},
    {"bigquery", DP_ODCS_ALL, "project dataset", ""},
    {"clickhouse", DP_ODCS_ALL, "host port database", ""},
    {"databricks", DP_ODCS_ALL, "catalog schema", "host"},
    {"denodo", DP_ODCS_ALL, "host port", "database"},
    {"dremio", DP_ODCS_ALL, "host port", "schema"},
    {"duckdb", DP_ODCS_ALL, "database", "schema"},
    {"glue", DP_ODCS_ALL, "account database", "location format"},
    {"cloudsql", DP_ODCS_ALL, "host port database schema", ""},
    {"db2", DP_ODCS_ALL, "host port database", "schema"},
    {"hive", DP_ODCS_31, "host database", "port"},
    {"impala", DP_ODCS_31, "host database", "port"},
    {"informix", DP_ODCS_ALL, "host database", "port"},
    {"kafka", DP_ODCS_ALL, "host", "format"},
    {"kinesis", DP_ODCS_ALL, "", "region format"},
    {"local", DP_ODCS_ALL, "path format", ""},
    {"mysql", DP_ODCS_ALL, "host port database", ""},
    {"oracle", DP_ODCS_ALL, "host port serviceName", ""},
    {"postgresql", DP_ODCS_ALL, "host port database schema", ""},
    {"postgres", DP_ODCS_ALL, "host port database schema", ""},
    {"presto", DP_ODCS_ALL, "host", "catalog schema"},
    {"pubsub", DP_ODCS_ALL, "project", ""},
    {"redshift", DP_ODCS_ALL, "database schema", "host region account"},
    {"s3", DP_ODCS_ALL, "location", "endpointUrl format delimiter"},
    {"sftp", DP_ODCS_ALL, "location", "format delimiter"},
    {"snowflake", DP_ODCS_ALL, "account database schema", "host port warehouse"},
    {"sqlserver", DP_ODCS_ALL, "host database schema", "port"},
    {"synapse", DP_ODCS_ALL, "host port database", ""},
    {"trino", DP_ODCS_ALL, "host port catalog schema", ""},
    {"vertica", DP_ODCS_ALL, "host port database schema", ""},
    {"zen", DP_ODCS_31, "host database", "port"},
    {"custom", DP_ODCS_30, "", "account catalog database dataset delimiter endpointUrl format host location path port project region regionName schema serviceName stagingDir warehouse"},
    {"custom", DP_ODCS_31, "", "account catalog database dataset delimiter endpointUrl format host location path port project region regionName schema serviceName stagingDir "
                        "warehouse stream"},
};
enum { N_SERVER_TYPES = sizeof server_types / sizeof server_types[0] };

static bool has_word(const char *words, const char *word) {
    size_t n = strlen(word);
    for (const char *p = words; (p = strstr(p, word)) != NULL; p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return true;
    return false;
}

static const struct server_type *find_server(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *type) {
    const char *words[N_SERVER_TYPES + 1];
    size_t n = 0;
    const struct server_type *other = NULL;
    if (!contract_need_string(w, at, type, "type")) return NULL;
    for (size_t i = 0; i < N_SERVER_TYPES; i++) {
        const struct server_type *t = &server_types[i];
        bool same = !strcmp(t->type, type->text.p);
        if (same && t->in & w->version) return t;
        if (same) other = t;
        if (t->in & w->version) words[n++] = t->type;
    }
    words[n] = NULL;
    const char *meant = other ? dp_arena_printf(&w->out->arena, "it came with apiVersion %s",
                                                contract_first_version(other->in)) : contract_near(w, type->text.p, words);
    contract_find(w, DP_FINDING_ERROR, "unknown-word", at, type, "type", meant ? meant : "type: custom takes any",
                  "no type of server is called \"%.60s\" in %s", type->text.p, w->api_version);
    return NULL;
}

static void need_server_keys(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map, const struct server_type *t) {
    for (const char *p = t->need; *p;) {
        size_t n = strcspn(p, " ");
        char key[32];
        (void)snprintf(key, sizeof key, "%.*s", (int)n, p);
        if (!dp_yaml_get(map, key)) contract_find(w, DP_FINDING_ERROR, "missing-key", at, map, key, NULL,
                                                  "a server of type %s needs this key", t->type);
        p += n + (p[n] == ' ');
    }
}

/* In 3.0 the format of files in object stores was one of four words, the delimiter of two. */
static void check_server_value(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *n, const char *key,
                               const struct server_type *t) {
    static const char *const formats[] = {"parquet", "delta", "json", "csv", NULL}, *const delimiters[] = {"new_line", "array", NULL};
    bool store = !strcmp(t->type, "azure") || !strcmp(t->type, "s3") || !strcmp(t->type, "sftp");
    bool old = w->version & DP_ODCS_30;
    if (!strcmp(key, "port")) {
        if (!contract_is_integer(n)) contract_wrong_kind(w, at, n, key, "a whole number");
    }
    else if (old && store && !strcmp(key, "format")) contract_check_word(w, at, n, key, formats);
    else if (old && store && !strcmp(key, "delimiter")) contract_check_word(w, at, n, key, delimiters);
    else if (old && !strcmp(t->type, "duckdb") && !strcmp(key, "schema") && contract_is_integer(n)) return; /* as its JSON schema has it */
    else if (contract_need_string(w, at, n, key) && !strcmp(t->type, "sftp") && !strcmp(key, "location") && strncmp(n->text.p, "sftp://", 7) != 0)
        contract_find(w, DP_FINDING_ERROR, "wrong-word", at, n, key, NULL, "must begin with sftp://");
}

void contract_more_server(struct contract_walk *w, const struct contract_place *at, const struct dp_yaml_node *map) {
    const struct dp_yaml_node *type = dp_yaml_get(map, "type");
    const struct server_type *t = type ? find_server(w, at, type) : NULL;
    if (!t) return;
    for (size_t i = 0; i < map->n && !w->done; i++) {
        const struct dp_yaml_node *k = map->items[2 * i];
        const char *key = k->text.p;
        if (has_word(t->need, key) || has_word(t->may, key)) check_server_value(w, at, map->items[2 * i + 1], key, t);
        else if (w->version & DP_ODCS_31 && !contract_is_server_key(w, key))
            contract_find(w, DP_FINDING_ERROR, "unknown-key", at, k, key, "keys of one's own belong in customProperties",
                          "a server of type %s has no such key", t->type);
    }
    if (!w->done) need_server_keys(w, at, map, t);
}
