/*
 * Lint of a contract: both passes of the reader with every finding kept, then what no reader asks: words that are going out of use, rules that can't
 * be run or can't fail, positions with gaps, references to nothing, secrets.  Rules of quality are in contract_lint_rules.c.
 */
#include "contract_lint_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/base/map.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/record/class.h>
#include <dp/rules/pattern.h>
#include <dp/rules/textform.h>
#include <ctype.h>
#include <stdlib.h>

const struct dp_yaml_node *lint_get(const struct dp_yaml_node *map, const char *key, enum dp_yaml_kind kind) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    return n && n->kind == kind ? n : NULL;
}

bool lint_is_number(const struct dp_yaml_node *n) {
    return n && (n->kind == DP_YAML_INT || n->kind == DP_YAML_FLOAT);
}

/* ---- the frame ---- */

static bool is_semver(const char *p) {
    for (int part = 0; part < 3; part++) {
        if (part && *p++ != '.') return false;
        if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9')) return false;
        while (*p >= '0' && *p <= '9') p++;
    }
    return !*p || *p == '-' || *p == '+';
}

static void lint_word(struct lint *l, const char *key, const char *const *words, const char *meant) {
    const struct dp_yaml_node *n = lint_get(l->c.doc.root, key, DP_YAML_STRING);
    if (!n) return;
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], n->text.p)) return;
    const char *near = contract_near(&l->w, n->text.p, words);
    contract_find(&l->w, DP_FINDING_WARNING, "unknown-word", NULL, n, key, near ? near : meant, "\"%.60s\" is not a word of the standard", n->text.p);
}

static void lint_date(struct lint *l, const struct dp_yaml_node *map, const char *key, const char *path) {
    const struct dp_yaml_node *n = lint_get(map, key, DP_YAML_STRING);
    struct contract_place at = {.key = path + 1};
    int32_t days;
    if (n && !dp_date_parse(n->text, &days)) contract_find(&l->w, DP_FINDING_WARNING, "wrong-date", &at, n, key, "write yyyy-mm-dd",
                                                           "\"%.40s\" is not a date", n->text.p);
}

static void lint_team(struct lint *l) {
    const struct dp_yaml_node *team = dp_yaml_get(l->c.doc.root, "team"), *list = team;
    if (!team) return;
    if (team->kind == DP_YAML_MAP) list = lint_get(team, "members", DP_YAML_LIST);
    else if (l->c.is_31)
        contract_find(&l->w, DP_FINDING_WARNING, "deprecated", NULL, team, "team", "write team: {members: [...]}",
                      "a list of members is deprecated since v3.1.0");
    for (size_t i = 0; list && list->kind == DP_YAML_LIST && i < list->n; i++) {
        lint_date(l, list->items[i], "dateIn", "/team");
        lint_date(l, list->items[i], "dateOut", "/team");
    }
}

/* What dp reads and does nothing with. */
static void note_sections(struct lint *l) {
    static const char *const sections[] = {"servers", "roles", "support", "price", "team", "context", NULL};
    for (int i = 0; sections[i]; i++) {
        const struct dp_yaml_node *n = dp_yaml_get(l->c.doc.root, sections[i]);
        const char *meant = i ? NULL : "data is named on the command line; a contract opens nothing";
        if (n) contract_find(&l->w, DP_FINDING_NOTE, "unsupported", NULL, n, sections[i], meant, "read and checked, not acted upon");
    }
}

static void lint_frame(struct lint *l) {
    static const char *const statuses[] = {"proposed", "draft", "active", "deprecated", "retired", NULL};
    const struct dp_yaml_node *root = l->c.doc.root;
    static const char *const going[][2] = {{"dataProduct", "say it in customProperties or in a data product's own document"},
                                           {"slaDefaultElement", "give each of slaProperties its element"}};
    for (size_t i = 0; l->c.is_31 && i < 2; i++) {
        const struct dp_yaml_node *n = dp_yaml_get(root, going[i][0]);
        if (n) contract_find(&l->w, DP_FINDING_WARNING, "deprecated", NULL, n, going[i][0], going[i][1], "deprecated since v3.1.0");
    }
    lint_word(l, "status", statuses, "proposed, draft, active, deprecated, retired");
    const struct dp_yaml_node *version = lint_get(root, "version", DP_YAML_STRING), *created = lint_get(root, "contractCreatedTs", DP_YAML_STRING);
    if (version && !is_semver(version->text.p))
        contract_find(&l->w, DP_FINDING_WARNING, "version", NULL, version, "version",
                      "write MAJOR.MINOR.PATCH, so that a breaking change shows", "\"%.40s\" is not a semantic version",
                      version->text.p);
    struct dp_timestamp t;
    if (created && !dp_time_parse(created->text, false, false, &t))
        contract_find(&l->w, DP_FINDING_WARNING, "wrong-date", NULL, created, "contractCreatedTs", "write 2026-01-02T03:04:05Z",
                      "\"%.40s\" is not an RFC 3339 time", created->text.p);
    if (!l->c.n_objects) contract_find(&l->w, DP_FINDING_WARNING, "empty", NULL, root, "schema", NULL,
                                       "the contract has no schema object: there is nothing to hold data to");
    if (l->w.version == DP_ODCS_320)
        contract_find(&l->w, DP_FINDING_NOTE, "version", NULL, dp_yaml_get(root, "apiVersion"), "apiVersion", NULL,
                      "v3.2.0 is in preparation: its keys may change");
    lint_team(l);
    note_sections(l);
}

/* ---- secrets ---- */

/* Words of keys whose values are no one's business; compared without case, _ and -. */
static bool is_secret_key(const char *key) {
    static const char *const words[] = {"password", "passwd", "secret", "apikey", "accesskey", "secretkey", "privatekey", "token",
                                        "accesstoken", "connectionstring",
                                        "clientsecret", "secretaccesskey", "authtoken", NULL};
    char plain[64];
    size_t n = 0;
    for (; *key && n < sizeof plain - 1; key++)
        if (*key != '_' && *key != '-') plain[n++] = (char)tolower((unsigned char)*key);
    plain[n] = 0;
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], plain)) return true;
    return false;
}

/* A reference to where the secret is: ${NAME}, env:NAME, vault:..., <name>, stars. */
static bool is_reference(struct dp_str s) {
    static const char *const starts[] = {"${", "{{", "$", "<", "env:", "env(", "file:", "vault:", "vault/", "secret://", "arn:", "*",
                                         "xxx", "REDACTED", NULL};
    for (int i = 0; starts[i]; i++)
        if (dp_str_starts(s, dp_str_z(starts[i]))) return true;
    return !s.n;
}

static bool is_word_char(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* What a secret looks like by itself; the name of its kind, or NULL. */
static const char *secret_kind(struct dp_str s) {
    const char *p;
    if (strstr(s.p, "-----BEGIN ") && strstr(s.p, "PRIVATE KEY-----")) return "a private key";
    p = strstr(s.p, "AKIA");
    if (p && (p == s.p || !is_word_char(p[-1])) && strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == 20 &&
        !is_word_char(p[20])) return "an AWS access key id";
    p = strstr(s.p, "ghp_");
    if (p && strspn(p + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") >= 36) return "a GitHub token";
    p = strstr(s.p, "://");
    if (!p) return NULL;
    const char *end = p + 3 + strcspn(p + 3, "/?# \t\n"), *at = memchr(p + 3, '@', (size_t)(end - p - 3));
    const char *colon = at ? memchr(p + 3, ':', (size_t)(at - p - 3)) : NULL;
    return colon && at > colon + 1 && !is_reference(dp_str(colon + 1, (size_t)(at - colon - 1))) ? "a password in an address" : NULL;
}

static void lint_secret(struct lint *l, const struct contract_place *at, const char *key, const char *name, const struct dp_yaml_node *v) {
    const char *kind = v->kind == DP_YAML_STRING ? secret_kind(v->text) : NULL;
    bool named = is_secret_key(name) && (v->kind == DP_YAML_STRING || v->kind == DP_YAML_INT) && !is_reference(v->text);
    if (kind || named)
        contract_find(&l->w, DP_FINDING_WARNING, "secret", at, v, key, "contracts are passed around: name where the secret is kept",
                      "looks like %s", kind ? kind : "a secret");
}

/* Every scalar of the document once, wherever aliases put it. */
static void lint_secrets(struct lint *l, const struct contract_place *up, const struct dp_yaml_node *n) {
    struct contract_place at = {.up = up};
    if (n->kind == DP_YAML_MAP) {
        const struct dp_yaml_node *property = lint_get(n, "property", DP_YAML_STRING);
        for (size_t i = 0; i < n->n; i++) {
            const struct dp_yaml_node *k = n->items[2 * i], *v = n->items[2 * i + 1];
            bool pair = property && !strcmp(k->text.p, "value");
            at.key = k->text.p;
            if (v->kind == DP_YAML_LIST || v->kind == DP_YAML_MAP) lint_secrets(l, &at, v);
            else lint_secret(l, &at, k->text.p, pair ? property->text.p : k->text.p, v);
        }
    } else if (n->kind == DP_YAML_LIST) {
        for (size_t i = 0; i < n->n; i++) {
            at.index = i;
            if (n->items[i]->kind == DP_YAML_LIST || n->items[i]->kind == DP_YAML_MAP) lint_secrets(l, &at, n->items[i]);
            else lint_secret(l, &at, "", "", n->items[i]);
        }
    }
}

/* ---- properties ---- */

static void lint_pair(struct lint *l, const struct contract_place *at, const struct dp_yaml_node *options, const char *low, const char *high) {
    const struct dp_yaml_node *a = dp_yaml_get(options, low), *b = dp_yaml_get(options, high);
    bool above = false;
    if (!a || !b) return;
    double x, y;
    if (lint_is_number(a) && lint_is_number(b)) above = dp_parse_double(a->text, &x) && dp_parse_double(b->text, &y) && x > y;
    else if (a->kind == DP_YAML_STRING && b->kind == DP_YAML_STRING && !dp_yaml_get(options, "format")) above = dp_str_cmp(a->text, b->text) > 0;
    if (above) contract_find(&l->w, DP_FINDING_ERROR, "out-of-range", at, b, high, NULL, "%.40s is below %s %.40s: no value can be right",
                             b->text.p, low, a->text.p);
}

static void lint_time_format(struct lint *l, const struct contract_place *at, const struct dp_yaml_node *n, struct dp_timeform **form) {
    struct dp_err err = DP_ERR_INIT;
    enum dp_status status = dp_timeform_compile(n->text, form, &err);
    if (status == DP_OK) return;
    *form = NULL;
    contract_find(&l->w, DP_FINDING_WARNING, "format", at, n, "format",
                  status == DP_UNSUPPORTED ? "it is not checked" : "write letters of the JDK's DateTimeFormatter: yyyy-MM-dd",
                  "%s", err.msg);
}

static bool is_time_text(enum dp_logical logical, const struct dp_timeform *form, struct dp_str s) {
    int32_t days;
    int64_t v;
    struct dp_timestamp t;
    if (form) return dp_timeform_read(form, s, &v, NULL);
    if (dp_time_parse(s, true, true, &t)) return logical != DP_LOGICAL_TIME;
    if (dp_date_parse(s, &days)) return logical == DP_LOGICAL_DATE;
    return logical != DP_LOGICAL_TIMESTAMP && dp_timeofday_parse(s, &v);
}

static void lint_time_options(struct lint *l, const struct contract_place *at, const struct dp_contract_property *p) {
    static const char *const bounds[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", NULL};
    const struct dp_yaml_node *format = lint_get(p->options, "format", DP_YAML_STRING);
    struct dp_timeform *form = NULL;
    if (format) lint_time_format(l, at, format, &form);
    for (int i = 0; bounds[i] && (form || !format); i++) {
        const struct dp_yaml_node *n = lint_get(p->options, bounds[i], DP_YAML_STRING);
        if (n && !is_time_text(p->logical, form, n->text))
            contract_find(&l->w, DP_FINDING_ERROR, "wrong-date", at, n, bounds[i], NULL, "\"%.40s\" is not a value of this property", n->text.p);
    }
    dp_timeform_free(form);
}

static void lint_pattern(struct lint *l, const struct contract_place *at, const struct dp_yaml_node *n) {
    struct dp_pattern *pattern;
    struct dp_err err = DP_ERR_INIT;
    if (!n) return;
    if (dp_pattern_compile(n->text, &pattern, &err) == DP_OK) dp_pattern_free(pattern);
    else contract_find(&l->w, DP_FINDING_ERROR, "pattern", at, n, "pattern", NULL, "%s", err.msg);
}

void lint_pattern_of(struct lint *l, const char *path, const struct dp_yaml_node *n) {
    struct contract_place at = {.key = path + 1};
    lint_pattern(l, &at, n);
}

/* 3.0: exclusiveMinimum is a flag of minimum. */
static void lint_flags(struct lint *l, const struct contract_place *at, const struct dp_yaml_node *options) {
    static const char *const pairs[][2] = {{"exclusiveMinimum", "minimum"}, {"exclusiveMaximum", "maximum"}};
    for (size_t i = 0; i < 2; i++) {
        const struct dp_yaml_node *n = lint_get(options, pairs[i][0], DP_YAML_BOOL);
        if (n && !dp_yaml_get(options, pairs[i][1]))
            contract_find(&l->w, DP_FINDING_WARNING, "no-effect", at, n, pairs[i][0], NULL, "changes nothing without %s", pairs[i][1]);
    }
}

static void lint_object_required(struct lint *l, const struct contract_place *at, const struct dp_contract_property *p) {
    const struct dp_yaml_node *list = lint_get(p->options, "required", DP_YAML_LIST);
    struct dp_map names = {0};
    for (size_t k = 0; list && k < p->n_properties; k++) {
        const struct dp_contract_property *q = &p->properties[k];
        if (q->name) dp_map_put(&names, dp_str_z(q->name), NULL);
        if (q->logical_name) dp_map_put(&names, dp_str_z(q->logical_name), NULL);
    }
    for (size_t i = 0; list && p->n_properties && i < list->n; i++) {
        const struct dp_yaml_node *n = list->items[i];
        if (n->kind == DP_YAML_STRING && !dp_map_get(&names, n->text))
            contract_find(&l->w, DP_FINDING_WARNING, "unknown-name", at, n, "required", NULL, "the object has no property \"%.60s\"", n->text.p);
    }
    dp_map_release(&names);
}

/* The words that JSON Schema has for times are types here. */
static const char *near_format(struct lint *l, const char *word) {
    if (!strcmp(word, "date")) return "write logicalType: date";
    if (!strcmp(word, "date-time") || !strcmp(word, "datetime")) return l->c.is_31 ? "write logicalType: timestamp" : "write logicalType: date, which stands for timestamps in 3.0";
    if (!strcmp(word, "time")) return l->c.is_31 ? "write logicalType: time" : "write logicalType: date, which stands for times in 3.0";
    return contract_near(&l->w, word, dp_textform_names + 1);
}

static void lint_options(struct lint *l, const struct dp_contract_property *p) {
    struct contract_place up = {.key = p->path + 1}, at = {.up = &up, .key = "logicalTypeOptions"};
    const struct dp_yaml_node *format = lint_get(p->options, "format", DP_YAML_STRING);
    static const char *const pairs[][2] = {{"minLength", "maxLength"}, {"minimum", "maximum"}, {"minItems", "maxItems"},
                                           {"minProperties", "maxProperties"},
                                           {"exclusiveMinimum", "exclusiveMaximum"}, {"minimum",
                                                                                      "exclusiveMaximum"}, {"exclusiveMinimum", "maximum"}};
    if (!p->options) return;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) lint_pair(l, &at, p->options, pairs[i][0], pairs[i][1]);
    lint_flags(l, &at, p->options);
    lint_pattern(l, &at, lint_get(p->options, "pattern", DP_YAML_STRING));
    if (p->logical == DP_LOGICAL_STRING && format && dp_textform_find(format->text.p) == DP_TEXTFORM_NONE)
        contract_find(&l->w, DP_FINDING_WARNING, "format", &at, format, "format", near_format(l, format->text.p),
                      "\"%.60s\" is not a format that dp knows: it is not checked", format->text.p);
    if (p->logical == DP_LOGICAL_DATE || p->logical == DP_LOGICAL_TIMESTAMP || p->logical == DP_LOGICAL_TIME) lint_time_options(l, &at, p);
    if (p->logical == DP_LOGICAL_OBJECT) lint_object_required(l, &at, p);
    const struct dp_yaml_node *zone = lint_get(p->options, "defaultTimezone", DP_YAML_STRING);
    if (zone && strcmp(zone->text.p, "UTC") != 0 && strcmp(zone->text.p, "Etc/UTC") != 0 && strcmp(zone->text.p, "Z") != 0)
        contract_find(&l->w, DP_FINDING_NOTE, "unsupported", &at, zone, "defaultTimezone", NULL,
                      "dp has no time zones but UTC: times without one stay local");
}

static void lint_classification(struct lint *l, const struct contract_place *at, const struct dp_contract_property *p) {
    static const char *const words[] = {"public", "internal", "restricted", "confidential", "pii", "personal", "sensitive", "secret",
                                        "private", NULL};
    char plain[64];
    size_t n = 0;
    if (!p->classification) return;
    for (const char *s = p->classification; *s && n < sizeof plain - 1; s++) plain[n++] = (char)tolower((unsigned char)*s);
    plain[n] = 0;
    const struct dp_yaml_node *node = dp_yaml_get(p->node, "classification");
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], p->classification)) return;
        if (!dp_class_is_closed(words[i]) && !strcmp(words[i], plain)) {
            contract_find(&l->w, DP_FINDING_WARNING, "unknown-word", at, node, "classification",
                          dp_arena_printf(&l->w.out->arena, "write %s", words[i]),
                          "\"%.60s\" is not the word \"%s\": the column counts as classified", p->classification, words[i]);
            return;
        }
    }
    const char *near = dp_str_nearest(plain, words);
    if (near && strcmp(near, plain) != 0)
        contract_find(&l->w, DP_FINDING_WARNING, "unknown-word", at, node, "classification", contract_near(&l->w, plain, words),
                      "unknown word \"%.60s\"", p->classification);
}

static void lint_enum(struct lint *l, const struct contract_place *at, const struct dp_contract_property *p) {
    for (size_t i = 0; p->enumeration && i < p->enumeration->n; i++) {
        const struct dp_yaml_node *v = dp_yaml_get(p->enumeration->items[i], "value");
        if (!v || v->kind == DP_YAML_NULL || v->kind == DP_YAML_LIST || v->kind == DP_YAML_MAP) continue;
        bool number = p->logical == DP_LOGICAL_NUMBER || p->logical == DP_LOGICAL_INTEGER;
        bool wrong = number ? !lint_is_number(v) : p->logical == DP_LOGICAL_BOOLEAN ? v->kind != DP_YAML_BOOL : v->kind != DP_YAML_STRING;
        if (p->logical == DP_LOGICAL_INTEGER && v->kind == DP_YAML_FLOAT) wrong = !dp_number_is_integer(v->text);
        if (p->logical != DP_LOGICAL_NONE && wrong)
            contract_find(&l->w, DP_FINDING_ERROR, "wrong-kind", at, v, "enum", NULL, "%.60s is %s, the property is %s", v->text.p,
                          dp_yaml_kind_name(v->kind),
                          contract_logical_words[p->logical - DP_LOGICAL_STRING]);
    }
}

static void lint_place_flags(struct lint *l, const struct contract_place *at, const struct dp_contract_property *p, bool top) {
    static const char *const keys[] = {"primaryKey", "partitioned", NULL};
    bool flags[2] = {p->primary_key, p->partitioned};
    int positions[2] = {p->primary_key_position, p->partition_position};
    static const char *const position_keys[] = {"primaryKeyPosition", "partitionKeyPosition"};
    for (int i = 0; keys[i]; i++) {
        if (flags[i] && !top)
            contract_find(&l->w, DP_FINDING_WARNING, "no-effect", at, dp_yaml_get(p->node, keys[i]), keys[i], NULL,
                          "only columns at the top are keys and partitions: passed over here");
        if (!flags[i] && positions[i])
            contract_find(&l->w, DP_FINDING_WARNING, "no-effect", at, dp_yaml_get(p->node, position_keys[i]), position_keys[i],
                          dp_arena_printf(&l->w.out->arena, "add %s: true", keys[i]), "a position without %s", keys[i]);
    }
    const struct dp_yaml_node *required = lint_get(p->node, "required", DP_YAML_BOOL);
    if (p->primary_key && required && !p->required)
        contract_find(&l->w, DP_FINDING_NOTE, "no-effect", at, required, "required", NULL,
                      "a column of the primary key is required whatever this says");
    if (p->encrypted_name && p->name && !strcmp(p->encrypted_name, p->name))
        contract_find(&l->w, DP_FINDING_WARNING, "no-effect", at, dp_yaml_get(p->node, "encryptedName"), "encryptedName", NULL,
                      "is the property's own name");
}

static void lint_property(struct lint *l, const struct dp_contract_object *o, const struct dp_contract_property *p, bool top) {
    struct contract_place at = {.key = p->path + 1};
    lint_options(l, p);
    lint_classification(l, &at, p);
    lint_enum(l, &at, p);
    lint_place_flags(l, &at, p, top);
    if (p->logical == DP_LOGICAL_ARRAY && !p->items) contract_find(&l->w, DP_FINDING_NOTE, "open", &at, p->node, "items", NULL,
                                                                   "an array without items: its elements are not checked");
    if (p->logical == DP_LOGICAL_OBJECT && !p->n_properties)
        contract_find(&l->w, DP_FINDING_NOTE, "open", &at, p->node, "properties", NULL, "an object without properties: what is in it is not checked");
    lint_quality(l, o, p, p->quality, p->n_quality);
    lint_relationships(l, o, p, p->relationships, p->n_relationships);
    if (p->items) lint_property(l, o, p->items, false);
    if (p->map_key) lint_property(l, o, p->map_key, false);
    if (p->map_value) lint_property(l, o, p->map_value, false);
    for (size_t i = 0; i < p->n_properties; i++) lint_property(l, o, &p->properties[i], false);
}

/* ---- objects ---- */

/* Positions count 1, 2, 3 without gaps, each once. */
static void lint_positions(struct lint *l, const struct dp_contract_object *o, bool partitions) {
    const char *key = partitions ? "partitionKeyPosition" : "primaryKeyPosition", *flag = partitions ? "partitioned" : "primaryKey";
    size_t n = 0, placed = 0;
    for (size_t i = 0; i < o->n_properties; i++) {
        const struct dp_contract_property *p = &o->properties[i];
        if (!(partitions ? p->partitioned : p->primary_key)) continue;
        n++;
        placed += (partitions ? p->partition_position : p->primary_key_position) > 0;
    }
    for (size_t i = 0; i < o->n_properties; i++) {
        const struct dp_contract_property *p = &o->properties[i];
        struct contract_place at = {.key = p->path + 1};
        int position = partitions ? p->partition_position : p->primary_key_position;
        const struct dp_yaml_node *node = dp_yaml_get(p->node, key);
        if (!(partitions ? p->partitioned : p->primary_key)) continue;
        if (placed && !position) contract_find(&l->w, DP_FINDING_WARNING, "position", &at, p->node, key, NULL,
                                               "other columns with %s have a position, this one comes last", flag);
        if (position > (int)n) contract_find(&l->w, DP_FINDING_WARNING, "position", &at, node, key, NULL,
                                             "position %d of %zu columns: there is a gap", position, n);
        for (size_t k = 0; position && k < i; k++) {
            const struct dp_contract_property *q = &o->properties[k];
            if ((partitions ? q->partitioned && q->partition_position == position : q->primary_key && q->primary_key_position == position))
                contract_find(&l->w, DP_FINDING_WARNING, "position", &at, node, key, NULL, "position %d is \"%.60s\"'s too", position,
                              q->name ? q->name : "");
        }
    }
}

static void lint_case(struct lint *l, const struct dp_contract_object *o) {
    struct dp_map seen = {0};
    for (size_t i = 0; i < o->n_properties; i++) {
        const struct dp_contract_property *p = &o->properties[i];
        struct contract_place at = {.key = p->path + 1};
        struct dp_buf b = {0};
        bool is_new;
        if (!p->name) continue;
        for (const char *s = p->name; *s; s++) dp_buf_addc(&b, (char)tolower((unsigned char)*s));
        struct dp_map_item *item = dp_map_put(&seen, dp_buf_str(&b), &is_new);
        const char *other = is_new ? NULL : item->v.p;
        if (is_new) item->v.p = (void *)(uintptr_t)p->name;
        if (other && strcmp(other, p->name) != 0)
            contract_find(&l->w, DP_FINDING_WARNING, "duplicate", &at, p->node, "name", NULL,
                          "\"%.60s\" and \"%.60s\" differ only in case: a Delta table can't have both", other, p->name);
        dp_buf_release(&b);
    }
    dp_map_release(&seen);
}

static void lint_object(struct lint *l, const struct dp_contract_object *o) {
    struct contract_place at = {.key = o->path + 1};
    struct dp_type *schema = NULL;
    struct dp_err err = DP_ERR_INIT;
    bool sound = !l->w.out->n_levels[DP_FINDING_ERROR];
    if (!o->n_properties) contract_find(&l->w, DP_FINDING_WARNING, "empty", &at, o->node, "properties", NULL,
                                        "an object without properties: there is nothing to hold records to");
    lint_positions(l, o, false);
    lint_positions(l, o, true);
    lint_case(l, o);
    for (size_t i = 0; i < o->n_properties; i++) lint_property(l, o, &o->properties[i], true);
    lint_quality(l, o, NULL, o->quality, o->n_quality);
    lint_relationships(l, o, NULL, o->relationships, o->n_relationships);
    if (!sound || !o->n_properties) return;
    if (dp_contract_schema(&l->c, o, &schema, &err) == DP_OK) dp_type_free(schema);
    else {
        struct dp_yaml_node where = {.line = (uint32_t)err.line};
        contract_find(&l->w, DP_FINDING_WARNING, "type", &at, &where, "", "dp can make no table of it", "%s", err.msg);
    }
}

/* ---- entry ---- */

static int by_place(const void *a, const void *b) {
    const struct dp_finding *x = a, *y = b;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    if (x->level != y->level) return x->level < y->level ? -1 : 1;
    if (x->column != y->column) return x->column < y->column ? -1 : 1;
    int path = strcmp(x->path, y->path);
    return path ? path : strcmp(x->text, y->text);
}

/* A text that is no YAML, or more of it than is read. */
static void no_document(struct dp_findings *out, enum dp_status status, const struct dp_err *err) {
    struct contract_walk w = {.out = out};
    struct dp_yaml_node at = {.line = (uint32_t)err->line};
    contract_find(&w, DP_FINDING_ERROR, status == DP_LIMIT ? "limit" : "yaml", NULL, err->line ? &at : NULL, "", NULL, "%s", err->msg);
}

static void lint_document(struct lint *l) {
    const struct dp_yaml_node *root = l->c.doc.root;
    l->w.doc = &l->c.doc;
    if (!contract_version(&l->w, root)) return;
    contract_check_keys(&l->w, root);
    contract_build(&l->w, &l->c);
    if (l->w.done) return;
    lint_frame(l);
    for (size_t i = 0; i < l->c.n_objects; i++) lint_object(l, &l->c.objects[i]);
    lint_sla(l);
    lint_secrets(l, NULL, root);
}

void dp_contract_lint_text(struct dp_str text, const char *source, struct dp_findings *out) {
    struct lint l = {.w = {.out = out}};
    struct dp_err err = DP_ERR_INIT;
    enum dp_status status = dp_yaml_parse(text, source, &l.c.doc, &err);
    if (status == DP_OK) lint_document(&l);
    else no_document(out, status, &err);
    if (out->n) qsort(out->v, out->n, sizeof *out->v, by_place);
    dp_contract_release(&l.c);
}

enum dp_status dp_contract_lint(const char *path, struct dp_findings *out, struct dp_err *err) {
    struct dp_buf b = {0};
    enum dp_status status = dp_file_read(path, DP_LIMIT_YAML_BYTES, &b, err);
    if (status == DP_OK) dp_contract_lint_text(dp_buf_str(&b), path, out);
    else if (status == DP_LIMIT) no_document(out, status, err), status = DP_OK;
    dp_buf_release(&b);
    return status;
}
