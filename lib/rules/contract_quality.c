/*
 * Entries of quality, relationships and slaProperties (ODCS v3) read into their structs.  Their keys were checked before (contract_keys.c);
 * nothing here fails: a word that is no metric stays a word, and whoever runs the rule says so.
 */
#include "contract_priv.h"

static const char *get_text(const struct dp_yaml_node *map, const char *key) {
    const struct dp_yaml_node *n = dp_yaml_get(map, key);
    return n && n->kind == DP_YAML_STRING ? n->text.p : NULL;
}

struct word {
    const char *word;
    int value;
};

static int find_word(const struct word *w, const char *text, int otherwise) {
    for (; w->word; w++)
        if (!strcmp(w->word, text)) return w->value;
    return otherwise;
}

/* 3.0 left the names of rules free; these are what its examples and the tools of its time used. */
static const struct word metric_words[] = {
    {"nullValues", DP_METRIC_NULL_VALUES},       {"nullCheck", DP_METRIC_NULL_VALUES},           {"nullCount", DP_METRIC_NULL_VALUES},
    {"notNull", DP_METRIC_NULL_VALUES},          {"missingValues", DP_METRIC_MISSING_VALUES},    {"missingCount", DP_METRIC_MISSING_VALUES},
    {"invalidValues", DP_METRIC_INVALID_VALUES}, {"invalidCount", DP_METRIC_INVALID_VALUES},     {"validValues", DP_METRIC_INVALID_VALUES},
    {"duplicateValues", DP_METRIC_DUPLICATE_VALUES}, {"duplicateCount", DP_METRIC_DUPLICATE_VALUES}, {"duplicateCheck", DP_METRIC_DUPLICATE_VALUES},
    {"uniqueCheck", DP_METRIC_DUPLICATE_VALUES}, {"unique", DP_METRIC_DUPLICATE_VALUES},         {"rowCount", DP_METRIC_ROW_COUNT},
    {"countCheck", DP_METRIC_ROW_COUNT},         {NULL, 0}};
static const struct word severity_words[] = {{"warning", DP_SEVERITY_WARNING}, {"warn", DP_SEVERITY_WARNING}, {"info", DP_SEVERITY_INFO},
                                             {"information", DP_SEVERITY_INFO}, {NULL, 0}};
static const struct word type_words[] = {{"library", DP_QUALITY_LIBRARY}, {"text", DP_QUALITY_TEXT}, {"sql", DP_QUALITY_SQL},
                                         {"custom", DP_QUALITY_CUSTOM}, {NULL, 0}};
static const struct word dimension_words[] = {{"ac", 0}, {"cp", 1}, {"cf", 2}, {"cs", 3}, {"cv", 4}, {"tm", 5}, {"uq", 6}, {NULL, 0}};
static const char *const dimensions[] = {"accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"};

static void fill_operator(struct dp_contract_quality *q) {
    for (int i = 0; contract_operator_words[i] && q->op == DP_OPERATOR_NONE; i++) {
        const struct dp_yaml_node *n = dp_yaml_get(q->node, contract_operator_words[i]);
        if (!n) continue;
        q->op = (enum dp_operator)(DP_OPERATOR_BE + i);
        bool two = n->kind == DP_YAML_LIST && n->n == 2;
        q->a = two ? n->items[0]->text : n->text;
        if (two) q->b = n->items[1]->text;
    }
}

/* In 3.0 validValues and their like stand beside the rule. */
static const struct dp_yaml_node *find_arguments(const struct dp_yaml_node *n) {
    static const char *const keys[] = {"validValues", "missingValues", "pattern", "properties", NULL};
    const struct dp_yaml_node *arguments = dp_yaml_get(n, "arguments");
    if (arguments) return arguments->kind == DP_YAML_MAP ? arguments : NULL;
    for (int i = 0; keys[i]; i++)
        if (dp_yaml_get(n, keys[i])) return n;
    return NULL;
}

static enum dp_quality_type type_of(const struct dp_contract *c, const struct dp_yaml_node *n) {
    const char *type = get_text(n, "type");
    if (type) return (enum dp_quality_type)find_word(type_words, type, DP_QUALITY_TEXT);
    return !c->is_31 || dp_yaml_get(n, "metric") ? DP_QUALITY_LIBRARY : DP_QUALITY_TEXT;
}

static void fill_rule(const struct dp_contract *c, const struct dp_yaml_node *n, struct dp_contract_quality *q) {
    q->node = n;
    q->id = get_text(n, "id");
    q->name = get_text(n, "name");
    q->description = get_text(n, "description");
    q->dimension = get_text(n, "dimension");
    int whole = q->dimension ? find_word(dimension_words, q->dimension, -1) : -1;
    if (whole >= 0) q->dimension = dimensions[whole];
    q->type = type_of(c, n);
    q->word = get_text(n, "metric");
    if (!q->word && q->type == DP_QUALITY_LIBRARY) q->word = get_text(n, "rule");
    if (q->word) q->metric = (enum dp_metric)find_word(metric_words, q->word, DP_METRIC_NONE);
    if (q->word && q->type == DP_QUALITY_TEXT) q->type = DP_QUALITY_LIBRARY;
    const char *severity = get_text(n, "severity"), *unit = get_text(n, "unit");
    if (severity) q->severity = (enum dp_severity)find_word(severity_words, severity, DP_SEVERITY_ERROR);
    q->is_percent = unit && (!strcmp(unit, "percent") || !strcmp(unit, "%"));
    q->arguments = find_arguments(n);
    q->query = get_text(n, "query");
    q->engine = get_text(n, "engine");
    q->implementation = dp_yaml_get(n, "implementation");
    fill_operator(q);
}

void contract_fill_quality(struct dp_contract *c, const struct dp_yaml_node *list, const char *path, struct dp_contract_quality **out, size_t *n) {
    if (!list || list->kind != DP_YAML_LIST || !list->n) return;
    struct dp_contract_quality *v = dp_arena_calloc(&c->arena, list->n, sizeof *v);
    for (size_t i = 0; i < list->n; i++) {
        fill_rule(c, list->items[i], &v[i]);
        v[i].path = dp_arena_printf(&c->arena, "%s/quality/%zu", path, i);
    }
    *out = v;
    *n = list->n;
}

static const char **names_of(struct dp_contract *c, const struct dp_yaml_node *n, size_t *count) {
    size_t many = n->kind == DP_YAML_LIST ? n->n : 1;
    const char **v = dp_arena_calloc(&c->arena, many, sizeof *v);
    for (size_t i = 0; i < many; i++) v[i] = n->kind == DP_YAML_LIST ? n->items[i]->text.p : n->text.p;
    for (size_t i = 0; i < many; i++) v[i] = v[i] ? v[i] : "";
    *count = many;
    return v;
}

void contract_fill_relationships(struct dp_contract *c, const struct dp_yaml_node *list, const char *path,
                                 struct dp_contract_relationship **out, size_t *n) {
    if (!list || list->kind != DP_YAML_LIST || !list->n) return;
    struct dp_contract_relationship *v = dp_arena_calloc(&c->arena, list->n, sizeof *v);
    for (size_t i = 0; i < list->n; i++) {
        const struct dp_yaml_node *from = dp_yaml_get(list->items[i], "from"), *to = dp_yaml_get(list->items[i], "to");
        size_t n_from;
        v[i].node = list->items[i];
        v[i].path = dp_arena_printf(&c->arena, "%s/relationships/%zu", path, i);
        if (to) v[i].to = names_of(c, to, &v[i].n);
        if (from) v[i].from = names_of(c, from, &n_from);
    }
    *out = v;
    *n = list->n;
}

void contract_fill_sla(struct dp_contract *c, const struct dp_yaml_node *list) {
    if (!list || list->kind != DP_YAML_LIST || !list->n) return;
    c->sla = dp_arena_calloc(&c->arena, list->n, sizeof *c->sla);
    c->n_sla = list->n;
    for (size_t i = 0; i < list->n; i++) {
        struct dp_contract_sla *s = &c->sla[i];
        const struct dp_yaml_node *n = list->items[i], *value = dp_yaml_get(n, "value"), *ext = dp_yaml_get(n, "valueExt");
        s->node = n;
        s->path = dp_arena_printf(&c->arena, "/slaProperties/%zu", i);
        s->property = get_text(n, "property");
        s->unit = get_text(n, "unit");
        s->element = get_text(n, "element");
        s->driver = get_text(n, "driver");
        if (value && value->kind != DP_YAML_NULL && value->text.p) s->value = value->text;
        if (ext && ext->kind != DP_YAML_NULL && ext->text.p) s->value_ext = ext->text;
    }
}
