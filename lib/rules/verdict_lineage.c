/*
 * The verdict as facets of OpenLineage: dataQualityAssertions 1-1-0 (one a rule that was decided), test 1-0-1 (one a rule, what was not run is skipped) and
 * dataQualityMetrics 1-0-3 (nulls a column).  Rules are told by what they are, what they expect and how many broke them; examples of values are not told.
 */
#include "verdict_priv.h"

#include <dp/record/json.h>

#include <stdlib.h>

static void add_text(struct dp_buf *b, const char *key, const char *text) {
    if (!text || !*text) return;
    dp_buf_addf(b, ",\"%s\":", key);
    dp_json_add_string(b, dp_str_z(text));
}

static const char *severity_word(enum dp_severity s) {
    switch (s) {
    case DP_SEVERITY_ERROR: return "error";
    case DP_SEVERITY_WARNING: return "warn";
    case DP_SEVERITY_INFO: return "info";
    }
    return "error";
}

/* The words that other checkers have for the same. */
static const char *kind_of(const struct dp_verdict_rule *r) {
    static const char *const words[][2] = {{"required", "not_null"}, {"nullValues", "not_null"}, {"unique", "unique"}, {"primaryKey", "unique"}, {"duplicateValues", "unique"},
                                           {"rowCount", "row_count"}, {"foreignKey", "relationships"}, {"enum", "accepted_values"}, {"invalidValues", "accepted_values"}};
    for (size_t i = 0; r->check && i < sizeof words / sizeof *words; i++)
        if (strcmp(r->check, words[i][0]) == 0) return words[i][1];
    return r->check ? r->check : "rule";
}

static bool is_decided(const struct dp_verdict_rule *r, bool whole) {
    if (!whole) return r->per_record && r->count > 0;
    return r->outcome == DP_OUTCOME_PASS || r->outcome == DP_OUTCOME_FAIL || r->outcome == DP_OUTCOME_ERROR;
}

static bool holds(const struct dp_verdict_rule *r, bool whole) { return whole && r->outcome == DP_OUTCOME_PASS; }

/* What both kinds of item have behind their first members. */
static void add_rest(const struct dp_verdict_rule *r, bool decided, struct dp_buf *b) {
    struct dp_buf text = {NULL, 0, 0};
    add_text(b, "severity", severity_word(r->severity));
    add_text(b, "name", r->id ? r->id : r->path);
    add_text(b, "description", r->description ? r->description : r->name);
    if (r->op != DP_OPERATOR_NONE) dp_verdict_allowed(r, &text);
    else if (r->expected) dp_buf_addz(&text, r->expected);
    if (text.n) add_text(b, "expected", dp_buf_z(&text));
    dp_buf_reset(&text);
    if (decided) dp_buf_addf(&text, "%llu of %llu", (unsigned long long)r->count, (unsigned long long)r->rows);
    if (text.n && r->outcome != DP_OUTCOME_ERROR) add_text(b, "actual", dp_buf_z(&text));
    dp_buf_release(&text);
}

static void print_assertions(const struct dp_verdict *v, bool whole, struct dp_buf *b) {
    bool any = false;
    dp_buf_addz(b, "\"assertions\":[");
    for (size_t i = 0; i < v->n; i++) {
        const struct dp_verdict_rule *r = &v->rules[i];
        if (!is_decided(r, whole)) continue;
        dp_buf_addf(b, "%s{\"assertion\":", any ? "," : "");
        dp_json_add_string(b, dp_str_z(kind_of(r)));
        dp_buf_addf(b, ",\"success\":%s", holds(r, whole) ? "true" : "false");
        add_text(b, "column", r->property);
        add_rest(r, true, b);
        dp_buf_addc(b, '}');
        any = true;
    }
    dp_buf_addc(b, ']');
}

static void print_tests(const struct dp_verdict *v, bool whole, struct dp_buf *b) {
    dp_buf_addz(b, "\"tests\":[");
    for (size_t i = 0; i < v->n; i++) {
        const struct dp_verdict_rule *r = &v->rules[i];
        bool decided = is_decided(r, whole);
        dp_buf_addf(b, "%s{\"status\":\"%s\",\"type\":", i ? "," : "", !decided ? "skip" : holds(r, whole) ? "pass" : "fail");
        dp_json_add_string(b, dp_str_z(kind_of(r)));
        add_rest(r, decided, b);
        dp_buf_addc(b, '}');
    }
    dp_buf_addc(b, ']');
}

/* Does an earlier rule tell this column's nulls already? */
static bool is_told(const struct dp_verdict *v, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (v->rules[i].property && strcmp(v->rules[i].property, v->rules[at].property) == 0 && strcmp(kind_of(&v->rules[i]), "not_null") == 0) return true;
    return false;
}

static void print_metrics(const struct dp_verdict *v, struct dp_buf *b) {
    bool any = false;
    dp_buf_addf(b, "\"rowCount\":%llu,\"columnMetrics\":{", (unsigned long long)v->rows);
    for (size_t i = 0; i < v->n; i++) {
        const struct dp_verdict_rule *r = &v->rules[i];
        if (!r->property || strcmp(kind_of(r), "not_null") != 0 || !is_decided(r, true) || r->outcome == DP_OUTCOME_ERROR || is_told(v, i)) continue;
        if (any) dp_buf_addc(b, ',');
        dp_json_add_string(b, dp_str_z(r->property));
        dp_buf_addf(b, ":{\"nullCount\":%llu,\"count\":%llu}", (unsigned long long)r->count, (unsigned long long)r->rows);
        any = true;
    }
    dp_buf_addc(b, '}');
}

void dp_verdict_print_facet(const struct dp_verdict *v, enum dp_verdict_facet which, bool whole, struct dp_buf *out) {
    switch (which) {
    case DP_VERDICT_ASSERTIONS: print_assertions(v, whole, out); break;
    case DP_VERDICT_METRICS: print_metrics(v, out); break;
    case DP_VERDICT_TESTS: print_tests(v, whole, out); break;
    }
}
