/*
 * Lint of the rules of a contract: quality, relationships, slaProperties.  A rule that can't be run, that is always or never true, or that refers to
 * nothing; and by name what dp does not run (text, sql, other engines).
 */
#include "contract_lint_priv.h"

#include <dp/base/num.h>
#include <dp/record/expr.h>
#include <dp/rules/reference.h>
#include <strings.h>

struct at {
    struct lint *l;
    struct contract_place place;
    const struct dp_contract_quality *q;
};

#define FIND(a, level, rule, node, key, meant, ...) contract_find(&(a)->l->w, DP_FINDING_##level, rule, &(a)->place, node, key, meant, __VA_ARGS__)

static const struct dp_yaml_node *key_of(const struct at *a, const char *key) {
    return dp_yaml_get(a->q->node, key);
}

static const struct dp_contract_property *find_column(const struct dp_contract_object *o, const char *name) {
    for (size_t i = 0; i < o->n_properties; i++) {
        const struct dp_contract_property *p = &o->properties[i];
        if ((p->logical_name && !strcmp(p->logical_name, name)) || (p->name && !strcmp(p->name, name))) return p;
    }
    return NULL;
}

/* ---- quality ---- */

static void lint_words(struct at *a) {
    static const char *const severities[] = {"error", "warning", "info", "warn", "information", "critical", NULL};
    static const char *const dimensions[][2] = {{"ac", "accuracy"}, {"cp", "completeness"}, {"cf", "conformity"}, {"cs", "consistency"},
                                                {"cv", "coverage"}, {"tm", "timeliness"}, {"uq", "uniqueness"}};
    const struct dp_yaml_node *severity = lint_get(a->q->node, "severity",
                                                   DP_YAML_STRING), *dimension = lint_get(a->q->node, "dimension", DP_YAML_STRING);
    const struct dp_yaml_node *unit = lint_get(a->q->node, "unit", DP_YAML_STRING);
    bool known = !severity;
    for (int i = 0; severities[i] && !known; i++) known = !strcmp(severities[i], severity->text.p);
    if (!known) FIND(a, WARNING, "unknown-word", severity, "severity", contract_near(&a->l->w, severity->text.p, severities),
                     "\"%.40s\" counts as error", severity->text.p);
    for (size_t i = 0; dimension && i < sizeof dimensions / sizeof dimensions[0]; i++)
        if (!strcmp(dimension->text.p, dimensions[i][0]))
            FIND(a, WARNING, "short-form", dimension, "dimension", dp_arena_printf(&a->l->w.out->arena, "write %s", dimensions[i][1]),
                 "the short form \"%s\" is in the standard's text, not in its JSON schema", dimensions[i][0]);
    static const char *const units[] = {"rows", "percent", "%", NULL};
    if (unit && strcmp(unit->text.p, "rows") != 0 && !a->q->is_percent)
        FIND(a, WARNING, "unknown-word", unit, "unit", contract_near(&a->l->w, unit->text.p, units),
             "\"%.40s\" is neither rows nor percent: rows are counted", unit->text.p);
    if (a->q->is_percent && a->q->metric == DP_METRIC_ROW_COUNT)
        FIND(a, WARNING, "no-effect", unit, "unit", NULL, "a row count has no percentage: rows are counted");
}

static void lint_metric_word(struct at *a) {
    const struct dp_yaml_node *rule = lint_get(a->q->node, "rule", DP_YAML_STRING);
    const char *word = a->q->metric == DP_METRIC_NONE ? NULL : contract_metric_words[a->q->metric - DP_METRIC_NULL_VALUES];
    const char *meant = word ? dp_arena_printf(&a->l->w.out->arena, "write metric: %s", word) : NULL;
    if (rule && a->l->c.is_31) FIND(a, WARNING, "deprecated", rule, "rule", meant, "deprecated since v3.1.0");
    if (a->l->c.is_31 || !rule) return;
    if (!word) FIND(a, WARNING, "unsupported", rule, "rule", contract_near(&a->l->w, rule->text.p, contract_metric_words),
                    "\"%.60s\" is no metric that dp knows: it is not checked", rule->text.p);
    else FIND(a, WARNING, "deprecated", rule, "rule", meant, "since v3.1.0 a rule names a metric");
}

static const struct dp_yaml_node *list_argument(struct at *a, const char *key) {
    const struct dp_yaml_node *n = dp_yaml_get(a->q->arguments, key);
    if (n && n->kind != DP_YAML_LIST) FIND(a, ERROR, "wrong-kind", n, key, NULL, "must be a list, got %s", dp_yaml_kind_name(n->kind));
    else if (n && !n->n) FIND(a, ERROR, "empty", n, key, NULL, "an empty list");
    return n && n->kind == DP_YAML_LIST ? n : NULL;
}

static void lint_key_columns(struct at *a, const struct dp_contract_object *o, const struct dp_contract_property *p) {
    const struct dp_yaml_node *list = list_argument(a, "properties");
    if (!p && !dp_yaml_get(a->q->arguments, "properties"))
        FIND(a, ERROR, "missing-key", a->q->node, "arguments", "arguments: {properties: [...]} names the columns that are unique together",
             "duplicateValues of an object needs its columns");
    for (size_t i = 0; list && i < list->n; i++) {
        const struct dp_yaml_node *n = list->items[i];
        if (n->kind != DP_YAML_STRING) FIND(a, ERROR, "wrong-kind", n, "properties", NULL, "must be names, got %s", dp_yaml_kind_name(n->kind));
        else if (!find_column(o, n->text.p)) FIND(a, ERROR, "unknown-name", n, "properties", NULL, "the object has no property \"%.60s\"", n->text.p);
    }
}

static void lint_known_arguments(struct at *a) {
    static const char *const words[] = {"missingValues", "validValues", "pattern", "properties", NULL};
    static const int of[] = {DP_METRIC_MISSING_VALUES, DP_METRIC_INVALID_VALUES, DP_METRIC_INVALID_VALUES, DP_METRIC_DUPLICATE_VALUES};
    const struct dp_yaml_node *map = lint_get(a->q->node, "arguments", DP_YAML_MAP);
    for (size_t i = 0; map && i < map->n; i++) {
        const struct dp_yaml_node *k = map->items[2 * i];
        int word = 0;
        while (words[word] && strcmp(words[word], k->text.p) != 0) word++;
        bool shared = word == 0 && a->q->metric == DP_METRIC_INVALID_VALUES; /* values that are missing are not invalid */
        if (!words[word] || ((int)a->q->metric != of[word] && !shared))
            FIND(a, WARNING, "unknown-key", k, k->text.p, contract_near(&a->l->w, k->text.p, words), "no argument of %s: passed over", a->q->word);
    }
}

static void lint_arguments(struct at *a, const struct dp_contract_object *o, const struct dp_contract_property *p) {
    const struct dp_contract_quality *q = a->q;
    bool of_column = q->metric == DP_METRIC_NULL_VALUES || q->metric == DP_METRIC_MISSING_VALUES || q->metric == DP_METRIC_INVALID_VALUES;
    if (of_column && !p) FIND(a, ERROR, "wrong-place", q->node, "quality", "put it under the property",
                              "%s is of a property, not of an object", q->word);
    if (q->metric == DP_METRIC_ROW_COUNT && p) FIND(a, WARNING, "wrong-place", q->node, "quality", "put it under the object",
                                                    "%s is of an object, not of a property", q->word);
    if (q->metric == DP_METRIC_MISSING_VALUES && !list_argument(a, "missingValues") && !dp_yaml_get(q->arguments, "missingValues"))
        FIND(a, WARNING, "missing-key", q->node, "arguments", "arguments: {missingValues: [null, '', 'N/A']}",
             "without missingValues only nulls are missing");
    if (q->metric == DP_METRIC_INVALID_VALUES) {
        const struct dp_yaml_node *pattern = dp_yaml_get(q->arguments, "pattern");
        (void)list_argument(a, "validValues");
        if (!pattern && !dp_yaml_get(q->arguments, "validValues"))
            FIND(a, ERROR, "missing-key", q->node, "arguments", "arguments: {validValues: [...]} or {pattern: ...}",
                 "%s without arguments says nothing", q->word);
        if (pattern && pattern->kind != DP_YAML_STRING) FIND(a, ERROR, "wrong-kind", pattern, "pattern", NULL, "must be a string, got %s",
                                                             dp_yaml_kind_name(pattern->kind));
        else if (pattern) lint_pattern_of(a->l, dp_arena_printf(&a->l->w.out->arena, "%s/arguments", q->path), pattern);
    }
    if (q->metric == DP_METRIC_DUPLICATE_VALUES) lint_key_columns(a, o, p);
    if (q->metric != DP_METRIC_NONE) lint_known_arguments(a);
}

/* A count is a number from 0, a percentage ends at 100. */
static void lint_threshold(struct at *a) {
    const struct dp_contract_quality *q = a->q;
    const char *key = q->op == DP_OPERATOR_NONE ? NULL : contract_operator_words[q->op - DP_OPERATOR_BE];
    const struct dp_yaml_node *n = key ? key_of(a, key) : NULL;
    double v;
    if (!n) {
        FIND(a, WARNING, "operators", q->node, "quality", "add mustBe, mustBeLessThan ...", "the rule has no operator: it judges nothing");
        return;
    }
    if ((q->op == DP_OPERATOR_BE || q->op == DP_OPERATOR_NOT_BE) && !lint_is_number(n)) {
        FIND(a, ERROR, "wrong-kind", n, key, NULL, "%s is counted: must be a number, got %s", q->word, dp_yaml_kind_name(n->kind));
        return;
    }
    if (!q->a.p || !dp_parse_double(q->a, &v)) return;
    double most = q->is_percent && q->metric != DP_METRIC_ROW_COUNT ? 100 : 1e300;
    bool never = (q->op == DP_OPERATOR_LESS && v <= 0) || (q->op == DP_OPERATOR_LESS_EQUAL && v < 0) ||
                 (q->op == DP_OPERATOR_BE && (v < 0 || v > most)) ||
                 (q->op == DP_OPERATOR_GREATER && v >= most) || (q->op == DP_OPERATOR_GREATER_EQUAL && v > most);
    bool always = (q->op == DP_OPERATOR_GREATER_EQUAL && v <= 0) || (q->op == DP_OPERATOR_GREATER && v < 0) ||
                  (q->op == DP_OPERATOR_LESS_EQUAL && v >= most) ||
                  (q->op == DP_OPERATOR_LESS && v > most) || (q->op == DP_OPERATOR_NOT_BE && (v < 0 || v > most));
    if (never) FIND(a, WARNING, "no-effect", n, key, NULL, "no data can fulfil it");
    if (always) FIND(a, WARNING, "no-effect", n, key, NULL, "all data fulfil it");
}

/* A contract is not trusted: one query that reads. */
static void lint_sql(struct at *a) {
    const struct dp_yaml_node *n = lint_get(a->q->node, "query", DP_YAML_STRING);
    FIND(a, NOTE, "unsupported", a->q->node, "quality", "a custom rule with engine: dp says it as an expression",
         "dp runs no SQL: the rule is reported as unsupported");
    if (!n) return;
    const char *p = n->text.p + strspn(n->text.p, " \t\r\n("), *end = strchr(p, ';');
    if (strncasecmp(p, "select", 6) != 0 && strncasecmp(p, "with", 4) != 0 && strncmp(p, "--", 2) != 0 && strncmp(p, "/*", 2) != 0)
        FIND(a, WARNING, "query", n, "query", NULL, "must be a query that reads (SELECT, WITH)");
    if (end && end[1 + strspn(end + 1, " \t\r\n;")] && !memchr(p, '\'', (size_t)(end - p))) FIND(a, WARNING, "query", n, "query", NULL,
                                                                                                 "more than one statement");
}

/* Of engine dp the implementation is an expression that must be true. */
static void lint_custom(struct at *a) {
    const struct dp_yaml_node *n = dp_yaml_get(a->q->node, "implementation");
    struct dp_err err = DP_ERR_INIT;
    struct dp_expr *e;
    if (!a->q->engine) return;
    if (strcmp(a->q->engine, "dp") != 0) {
        FIND(a, NOTE, "unsupported", a->q->node, "engine", NULL, "dp runs no rule of engine %.60s: it is reported as unsupported", a->q->engine);
        return;
    }
    if (n && n->kind != DP_YAML_STRING) FIND(a, ERROR, "wrong-kind", n, "implementation", NULL, "must be an expression, got %s",
                                             dp_yaml_kind_name(n->kind));
    if (!n || n->kind != DP_YAML_STRING) return;
    enum dp_status status = dp_expr_compile(n->text, &e, &err);
    if (status == DP_OK) dp_expr_free(e);
    else if (status == DP_UNSUPPORTED) FIND(a, NOTE, "unsupported", n, "implementation", NULL, "%s", err.msg);
    else FIND(a, ERROR, "expression", n, "implementation", NULL, "%s", err.msg);
}

void lint_quality(struct lint *l, const struct dp_contract_object *o, const struct dp_contract_property *p,
                  const struct dp_contract_quality *q, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct at a = {.l = l, .place = {.key = q[i].path + 1}, .q = &q[i]};
        lint_words(&a);
        if (dp_yaml_get(q[i].node, "schedule")) FIND(&a, NOTE, "unsupported", dp_yaml_get(q[i].node, "schedule"), "schedule", NULL,
                                                     "dp runs when it is run");
        switch (q[i].type) {
        case DP_QUALITY_LIBRARY:
            lint_metric_word(&a);
            lint_arguments(&a, o, p);
            lint_threshold(&a);
            break;
        case DP_QUALITY_TEXT: FIND(&a, NOTE, "unsupported", q[i].node, "quality", NULL, "a rule in words: it is reported as unsupported"); break;
        case DP_QUALITY_SQL: lint_sql(&a); break;
        case DP_QUALITY_CUSTOM: lint_custom(&a); break;
        }
    }
}

/* ---- relationships ---- */

static const struct dp_contract_property *end_of(const struct dp_reference *r) {
    return r->n ? r->chain[r->n - 1] : NULL;
}

static void lint_target(struct at *a, const struct dp_contract_property *from, const char *text, const char *key, const struct dp_yaml_node *node) {
    struct dp_reference to = dp_reference_read(&a->l->c, text, NULL);
    const struct dp_contract_property *p = end_of(&to);
    if (to.file.n) {
        FIND(a, NOTE, "unsupported", node, key, NULL, "another contract is not opened: \"%.80s\" is not looked up", text);
        return;
    }
    if (!p) {
        FIND(a, WARNING, "unknown-name", node, key, NULL, "\"%.80s\" refers to nothing: there is no such %s", text,
             to.object ? "property" : "schema object");
        return;
    }
    if (from && from->logical != DP_LOGICAL_NONE && p->logical != DP_LOGICAL_NONE && from->logical != p->logical)
        FIND(a, WARNING, "type", node, key, NULL, "%s refers to %s", contract_logical_words[from->logical - DP_LOGICAL_STRING],
             contract_logical_words[p->logical - DP_LOGICAL_STRING]);
}

void lint_relationships(struct lint *l, const struct dp_contract_object *o, const struct dp_contract_property *p,
                        const struct dp_contract_relationship *r, size_t n) {
    (void)o;
    for (size_t i = 0; i < n; i++) {
        struct at a = {.l = l, .place = {.key = r[i].path + 1}};
        const struct dp_yaml_node *to = dp_yaml_get(r[i].node, "to"), *from = dp_yaml_get(r[i].node, "from");
        for (size_t k = 0; to && k < r[i].n; k++) {
            struct dp_reference source = {0};
            bool has_source = r[i].from && from && (from->kind == DP_YAML_LIST) == (to->kind == DP_YAML_LIST) &&
                              (from->kind != DP_YAML_LIST || from->n == to->n);
            if (has_source) {
                lint_target(&a, NULL, r[i].from[k], "from", from);
                source = dp_reference_read(&l->c, r[i].from[k], NULL);
            }
            lint_target(&a, has_source ? end_of(&source) : p, r[i].to[k], "to", to);
        }
    }
}

/* ---- SLA ---- */

static const char *const sla_words[] = {"availability", "throughput", "errorRate", "generalAvailability", "endOfSupport", "endOfLife",
                                        "retention", "frequency", "latency",
                                        "timeToDetect", "timeToNotify", "timeToRepair", "freshness", "timeOfAvailability", "av", "th", "er", "ga", "es", "el", "re", "fy",
                                        "ly", "td", "tn", "tr", NULL};

static bool is_word(const char *word, const char *const *words) {
    for (; *words; words++)
        if (!strcasecmp(word, *words)) return true;
    return false;
}

static void lint_element(struct lint *l, const struct contract_place *at, const struct dp_contract_sla *s) {
    const struct dp_yaml_node *n = lint_get(s->node, "element", DP_YAML_STRING);
    if (!n) return;
    for (const char *p = n->text.p; *p;) {
        p += strspn(p, " \t");
        size_t len = strcspn(p, ",");
        size_t end = len;
        while (end && (p[end - 1] == ' ' || p[end - 1] == '\t')) end--;
        const char *one = dp_arena_printf(&l->w.out->arena, "%.*s", (int)end, p);
        struct dp_reference to = dp_reference_read(&l->c, one, l->c.n_objects == 1 ? &l->c.objects[0] : NULL);
        if (!strchr(one, '.')) {
            bool there = false;
            for (size_t i = 0; i < l->c.n_objects; i++) there = there || (l->c.objects[i].name && !strcmp(l->c.objects[i].name, one)) ||
                            find_column(&l->c.objects[i], one);
            if (!there) contract_find(&l->w, DP_FINDING_WARNING, "unknown-name", at, n, "element", "write object.property",
                                      "\"%.60s\" is nothing in this contract", one);
        } else if (!to.n && !to.file.n)
            contract_find(&l->w, DP_FINDING_WARNING, "unknown-name", at, n, "element", NULL, "\"%.80s\" refers to nothing", one);
        p += len + (p[len] == ',');
    }
}

static void lint_one_sla(struct lint *l, const struct dp_contract_sla *s) {
    static const char *const checked[] = {"latency", "ly", "freshness", "retention", "re", "frequency", "fy", "timeOfAvailability", NULL};
    static const char *const units[] = {"d", "day", "days", "y", "yr", "year", "years", "h", "hr", "hour", "hours", "m", "min", "minute",
                                        "minutes", "s", "sec", "second",
                                        "seconds", "ms", "w", "week", "weeks", "mo", "month", "months", "%", "percent", NULL};
    static const char *const drivers[] = {"regulatory", "analytics", "operational", NULL};
    struct contract_place at = {.key = s->path + 1};
    const struct dp_yaml_node *property = dp_yaml_get(s->node, "property"), *value = dp_yaml_get(s->node, "value");
    if (!s->property) return;
    bool runs = is_word(s->property, checked);
    if (!is_word(s->property, sla_words))
        contract_find(&l->w, DP_FINDING_WARNING, "unknown-word", &at, property, "property", contract_near(&l->w, s->property, sla_words),
                      "\"%.60s\" is not in the standard: it is not checked",
                      s->property);
    else if (!runs) contract_find(&l->w, DP_FINDING_NOTE, "unsupported", &at, property, "property", NULL,
                                  "data can't show %.60s: it is reported as unsupported", s->property);
    if (s->unit && !is_word(s->unit, units))
        contract_find(&l->w, DP_FINDING_WARNING, "unknown-word", &at, dp_yaml_get(s->node, "unit"), "unit",
                      contract_near(&l->w, s->unit, units), "\"%.40s\" is not a unit", s->unit);
    if (s->driver && !is_word(s->driver, drivers))
        contract_find(&l->w, DP_FINDING_WARNING, "unknown-word", &at, dp_yaml_get(s->node, "driver"), "driver",
                      "regulatory, analytics, operational", "unknown word \"%.40s\"", s->driver);
    double v;
    if (runs && strcasecmp(s->property, "timeOfAvailability") != 0 && value && value->kind == DP_YAML_STRING &&
        !dp_parse_double(value->text, &v) && s->unit)
        contract_find(&l->w, DP_FINDING_WARNING, "wrong-kind", &at, value, "value", NULL, "must be a number of %.40s, got \"%.40s\"",
                      s->unit, value->text.p);
    lint_element(l, &at, s);
}

void lint_sla(struct lint *l) {
    for (size_t i = 0; i < l->c.n_sla; i++) lint_one_sla(l, &l->c.sla[i]);
}
