/*
 * Compatibility of rules of quality (a reader may not ask for more than the writer promises) and of service levels (promises may not get weaker).
 */
#include "compat_priv.h"

#include <dp/base/num.h>
#include <strings.h>

/* ---- quality ---- */

static const char *rule_name(const struct dp_contract_quality *q) {
    static const char *const metrics[] = {"", "nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"};
    return q->metric != DP_METRIC_NONE ? metrics[q->metric] : q->name ? q->name : q->id ? q->id : q->word ? q->word : "rule";
}

/* What a threshold lets through: lo to hi; an end may be open. */
struct interval {
    double lo, hi;
    bool lo_open, hi_open;
};

static bool interval_of(const struct dp_contract_quality *q, struct interval *out) {
    double a, b = 0;
    *out = (struct interval){-1e308, 1e308, false, false};
    if (!q->a.p || !dp_parse_double(q->a, &a)) return false;
    switch (q->op) {
    case DP_OPERATOR_BE: out->lo = out->hi = a; return true;
    case DP_OPERATOR_GREATER: out->lo = a, out->lo_open = true; return true;
    case DP_OPERATOR_GREATER_EQUAL: out->lo = a; return true;
    case DP_OPERATOR_LESS: out->hi = a, out->hi_open = true; return true;
    case DP_OPERATOR_LESS_EQUAL: out->hi = a; return true;
    case DP_OPERATOR_BETWEEN:
        if (!q->b.p || !dp_parse_double(q->b, &b)) return false;
        out->lo = a, out->hi = b;
        return true;
    case DP_OPERATOR_NONE:
    case DP_OPERATOR_NOT_BE:
    case DP_OPERATOR_NOT_BETWEEN: break;
    }
    return false;
}

static bool same_threshold(const struct dp_contract_quality *r, const struct dp_contract_quality *w) {
    return r->op == w->op && dp_str_eq(r->a, w->a) && dp_str_eq(r->b, w->b);
}

/* Does the reader let everything through that the writer does? */
static bool lets_through(const struct dp_contract_quality *r, const struct dp_contract_quality *w) {
    struct interval a, b;
    if (r->op == DP_OPERATOR_NONE) return true;
    if (r->is_percent == w->is_percent && same_threshold(r, w)) return true;
    if (!interval_of(r, &a) || !interval_of(w, &b)) return false;
    if (b.lo < 0) b.lo = 0, b.lo_open = false; /* counts begin at 0 */
    if (!w->is_percent && b.hi_open && b.hi <= 1) b.hi = 0, b.hi_open = false; /* fewer than one */
    if (r->is_percent != w->is_percent && b.hi > 0) return false; /* none is none in either unit */
    bool low = a.lo < b.lo || (a.lo == b.lo && (!a.lo_open || b.lo_open));
    bool high = a.hi > b.hi || (a.hi == b.hi && (!a.hi_open || b.hi_open));
    return low && high;
}

/* All of b's values in a. */
static bool list_holds(const struct dp_yaml_node *a, const struct dp_yaml_node *b) {
    for (size_t i = 0; b && b->kind == DP_YAML_LIST && i < b->n; i++) {
        bool there = false;
        for (size_t k = 0; a && a->kind == DP_YAML_LIST && k < a->n && !there; k++) there = compat_same(a->items[k], b->items[i]);
        if (!there) return false;
    }
    return true;
}

/* Does the reader count no more records than the writer? */
static bool counts_no_more(const struct dp_contract_quality *r, const struct dp_contract_quality *w) {
    const struct dp_yaml_node *a = r->arguments, *b = w->arguments;
    switch (r->metric) {
    case DP_METRIC_MISSING_VALUES: return list_holds(dp_yaml_get(b, "missingValues"), dp_yaml_get(a, "missingValues"));
    case DP_METRIC_INVALID_VALUES: {
        const struct dp_yaml_node *valid = dp_yaml_get(a, "validValues"), *valid_w = dp_yaml_get(b, "validValues");
        if (dp_yaml_get(a, "pattern") && !compat_same(dp_yaml_get(a, "pattern"), dp_yaml_get(b, "pattern"))) return false;
        return !valid || (valid_w && list_holds(valid, valid_w));
    }
    case DP_METRIC_DUPLICATE_VALUES: return list_holds(dp_yaml_get(a, "properties"), dp_yaml_get(b, "properties"));
    case DP_METRIC_NONE:
    case DP_METRIC_NULL_VALUES:
    case DP_METRIC_ROW_COUNT: break;
    }
    return true;
}

static bool is_binding(const struct dp_contract_quality *q) {
    return q->type == DP_QUALITY_LIBRARY && q->severity == DP_SEVERITY_ERROR && q->metric != DP_METRIC_NONE && q->op != DP_OPERATOR_NONE;
}

static void compare_library(struct comparing *c, const char *path, const struct dp_contract_quality *r,
                            const struct dp_contract_quality *w, size_t n) {
    bool there = false, implied = false;
    for (size_t i = 0; i < n; i++) {
        if (!is_binding(&w[i]) || w[i].metric != r->metric) continue;
        there = true;
        implied = implied || (counts_no_more(r, &w[i]) && lets_through(r, &w[i]));
    }
    if (!implied) compat_add(c, false, DP_COMPAT_DATA, path, "quality", r->node,
                             there ? "quality %s stricter in the reader" : "quality %s in the reader only", rule_name(r));
}

/* Rules that dp does not understand: the same, or changed. */
static bool is_there(const struct dp_contract_quality *q, const struct dp_contract_quality *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool same_text = q->query && v[i].query ? !strcmp(q->query, v[i].query) : !q->query == !v[i].query;
        bool same_words = q->description && v[i].description ? !strcmp(q->description, v[i].description) : !q->description == !v[i].description;
        if (q->type == v[i].type && same_text && (q->type != DP_QUALITY_TEXT || same_words) &&
            compat_same(q->implementation, v[i].implementation) && same_threshold(q, &v[i]))
            return true;
    }
    return false;
}

void compat_quality(struct comparing *c, const char *path, const struct dp_contract_quality *r, size_t n_r,
                    const struct dp_contract_quality *w, size_t n_w) {
    static const char *const kinds[] = {"library", "text", "sql", "custom"};
    for (size_t i = 0; i < n_r; i++) {
        if (is_binding(&r[i])) compare_library(c, path, &r[i], w, n_w);
        else if (r[i].type != DP_QUALITY_LIBRARY && r[i].severity == DP_SEVERITY_ERROR && !is_there(&r[i], w, n_w))
            compat_add(c, true, DP_COMPAT_DATA, path, "quality", r[i].node,
                       "quality rule of type %s in the reader only: what it asks is not known", kinds[r[i].type]);
    }
}

/* ---- SLA ---- */

/* Words of one property; does more mean a better promise? */
static const struct {
    const char *words[3];
    bool more_is_better;
} sla_kinds[] = {
    {{"latency", "ly", NULL}, false},      {{"freshness", NULL}, false},         {{"frequency", "fy", NULL},
                                                                                  false},    {{"retention", "re", NULL}, true},
    {{"availability", "av", NULL}, true},  {{"throughput", "th", NULL}, true},   {{"errorRate", "er", NULL},
                                                                                  false},    {{"endOfSupport", "es", NULL}, true},
    {{"endOfLife", "el", NULL}, true},     {{"timeToDetect", "td", NULL}, false}, {{"timeToNotify", "tn", NULL},
                                                                                   false}, {{"timeToRepair", "tr", NULL}, false},
    {{"generalAvailability", "ga", NULL}, false}};
enum { N_SLA_KINDS = sizeof sla_kinds / sizeof sla_kinds[0] };

static int sla_kind(const char *property) {
    for (int i = 0; property && i < N_SLA_KINDS; i++)
        for (int k = 0; k < 3 && sla_kinds[i].words[k]; k++)
            if (!strcasecmp(property, sla_kinds[i].words[k])) return i;
    return -1;
}

static bool same_sla(const struct dp_contract_sla *a, const struct dp_contract_sla *b) {
    int kind = sla_kind(a->property);
    bool same = a->property && b->property && (kind >= 0 ? kind == sla_kind(b->property) : !strcmp(a->property, b->property));
    return same && !strcmp(a->element ? a->element : "", b->element ? b->element : "") && !strcmp(a->driver ? a->driver : "",
                                                                                                  b->driver ? b->driver : "");
}

/* Seconds of a unit; 0: no unit of time. */
static double unit_seconds(const char *unit) {
    static const struct {
        const char *word;
        double seconds;
    } units[] = {{"ms", 0.001}, {"s", 1}, {"sec", 1}, {"second", 1}, {"seconds", 1}, {"m", 60}, {"min", 60}, {"minute", 60},
                 {"minutes", 60}, {"h", 3600}, {"hr", 3600},
                 {"hour", 3600}, {"hours", 3600}, {"d", 86400}, {"day", 86400}, {"days", 86400}, {"w", 604800}, {"week", 604800}, {"weeks", 604800},
                 {"y", 31556952}, {"yr", 31556952}, {"year", 31556952}, {"years", 31556952}};
    for (size_t i = 0; unit && i < sizeof units / sizeof units[0]; i++)
        if (!strcasecmp(unit, units[i].word)) return units[i].seconds;
    return 0;
}

/* -1: the new promise is less, 1: more, 0: the same; *known false: it can't be told. */
static int sla_order(const struct dp_contract_sla *old, const struct dp_contract_sla *new_, bool *known) {
    double a, b;
    bool same_unit = !strcmp(old->unit ? old->unit : "", new_->unit ? new_->unit : "");
    *known = true;
    if (dp_str_eq(old->value, new_->value) && same_unit) return 0;
    if (!old->value.p || !new_->value.p) return *known = false, 0;
    if (!dp_parse_double(old->value, &a) || !dp_parse_double(new_->value, &b)) {
        bool dates = old->value.n >= 10 && new_->value.n >= 10 && old->value.p[4] == '-' && new_->value.p[4] == '-';
        *known = dates && same_unit;
        return dp_str_cmp(new_->value, old->value);
    }
    if (!same_unit) {
        a *= unit_seconds(old->unit), b *= unit_seconds(new_->unit);
        *known = unit_seconds(old->unit) > 0 && unit_seconds(new_->unit) > 0;
    }
    return b < a ? -1 : b > a;
}

/* Is this promise kept by that one? 1 yes, 0 no, -1 it can't be told. */
static int keeps(const struct dp_contract_sla *old, const struct dp_contract_sla *new_) {
    bool known;
    int kind = sla_kind(old->property), order = sla_order(old, new_, &known);
    if (!order && known) return 1;
    if (!known || kind < 0) return -1;
    return (order < 0) != sla_kinds[kind].more_is_better;
}

static void compare_sla(struct comparing *c, const struct dp_contract_sla *old) {
    const struct dp_contract_sla *other = NULL; /* the first of the same kind; one that keeps the promise ends the search */
    int kept = 0;
    char path[200];
    for (size_t k = 0; k < c->writer->n_sla && kept != 1; k++) {
        if (!same_sla(old, &c->writer->sla[k])) continue;
        int now = keeps(old, &c->writer->sla[k]);
        if (!other || now == 1) other = &c->writer->sla[k], kept = now;
    }
    (void)snprintf(path, sizeof path, "/slaProperties/%.150s", old->property);
    if (!other) compat_add(c, false, DP_COMPAT_SLA, path, "sla", old->node, "SLA %s removed", old->property);
    else if (kept < 0) compat_add(c, true, DP_COMPAT_SLA, path, "sla", old->node, "SLA %s changed", old->property);
    else if (!kept)
        compat_add(c, false, DP_COMPAT_SLA, path, "sla", old->node, "SLA %s weaker: %.*s %s was %.*s %s", old->property,
                   DP_STR_FMT(other->value), other->unit ? other->unit : "",
                   DP_STR_FMT(old->value), old->unit ? old->unit : "");
}

/* The reader has the old contract: it relies on what was promised. */
void compat_sla(struct comparing *c) {
    for (size_t i = 0; i < c->reader->n_sla; i++)
        if (c->reader->sla[i].property) compare_sla(c, &c->reader->sla[i]);
}
