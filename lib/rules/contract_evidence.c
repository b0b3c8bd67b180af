/*
 * Rules of a draft, out of evidence.  A rule is only as good as the number of values behind it, so each kind asks for some; what it rests on stands beside it.
 */
#include "contract_evidence.h"

#include <dp/base/decimal.h>
#include <dp/base/num.h>
#include <dp/rules/profile.h>
#include <math.h>

#define ENOUGH 20           /* values before a bound, a format or a pattern is a rule, or uniqueness */
#define ENOUGH_OF_EACH 5    /* of each value before all are an enumeration: a rare one says that there are others */
#define LONGEST_KEY 64      /* bytes; longer texts are prose */
#define TELLING 12          /* characters of a whole number that may be a card or an account: its values are not shown */

static uint64_t values_of(const struct dp_infer_field *e) { return e->watched ? dp_profile_count(e->watched) : 0; }

bool dp_contract_seems_unique(const struct dp_type *t, const struct dp_infer_field *e) {
    bool integer = t->id == DP_TYPE_INT64 || t->id == DP_TYPE_INT32 || (t->id == DP_TYPE_DECIMAL && !t->scale);
    bool identifies = integer || ((t->id == DP_TYPE_STRING || t->id == DP_TYPE_UUID) && e->max_length <= LONGEST_KEY);
    if (!identifies || values_of(e) < ENOUGH || !dp_profile_is_unique(e->watched)) return false;
    enum dp_textform form = dp_profile_format(e->watched);
    return form != DP_TEXTFORM_IPV4 && form != DP_TEXTFORM_IPV6; /* two records from one machine will come */
}

static bool is_telling(const struct dp_infer_field *e) {
    return e->max.n >= TELLING && !memchr(e->max.p, '.', e->max.n) && !memchr(e->min.p, '.', e->min.n);
}

static bool is_number(const struct dp_type *t) {
    return t->id == DP_TYPE_DECIMAL || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE || (t->id >= DP_TYPE_INT8 && t->id <= DP_TYPE_UINT64);
}

/* The number without exponent, for the comment and for exact bounds: as spelled unless it has one. */
static void add_plain(struct dp_buf *b, struct dp_str v) {
    struct dp_decimal d;
    char text[48];
    if ((memchr(v.p, 'e', v.n) || memchr(v.p, 'E', v.n)) && dp_decimal_parse(v, &d)) v = dp_str(text, dp_decimal_print(text, d.unscaled, d.scale));
    dp_buf_adds(b, v);
}

/* The power of ten at or above twice the value, as text; false: beyond what is sensible. */
static bool add_rounded(struct dp_buf *b, struct dp_str v) {
    double d, bound = 1;
    if (!dp_parse_double(v, &d) || !(fabs(d) < 5e14)) return false;
    while (bound < fabs(d) * 2) bound *= 10;
    dp_buf_addf(b, "%s%.0f", d < 0 ? "-" : "", bound);
    return true;
}

static void add_bounds(const struct dp_contract_draft *d, const struct dp_type *t, const struct dp_infer_field *e, struct dp_buf *options, int at) {
    bool exact = d->rules == DP_CONTRACT_RULES_EXACT;
    double min, max;
    exact = exact && !is_telling(e);
    if (!is_number(t) || !e->min.n || !dp_parse_double(e->min, &min) || !dp_parse_double(e->max, &max)) return;
    struct dp_buf bound = {0};
    if (exact) add_plain(&bound, e->min);
    else if (min >= 0) dp_buf_addc(&bound, '0');
    else if (!add_rounded(&bound, e->min)) dp_buf_reset(&bound);
    if (bound.n) indent(options, at), dp_buf_addf(options, "minimum: %s\n", dp_buf_z(&bound));
    dp_buf_reset(&bound);
    if (exact) add_plain(&bound, e->max);
    else if (max <= 0) dp_buf_addz(&bound, min < 0 ? "0" : "");
    else if (dp_contract_seems_unique(t, e) || !add_rounded(&bound, e->max)) dp_buf_reset(&bound); /* identifiers grow */
    if (bound.n) indent(options, at), dp_buf_addf(options, "maximum: %s\n", dp_buf_z(&bound));
    dp_buf_release(&bound);
}

static void add_text_rules(const struct dp_contract_draft *d, const struct dp_infer_field *e, struct dp_buf *options, int at) {
    enum dp_textform form = dp_profile_format(e->watched);
    struct dp_buf pattern = {0};
    if (form) {
        indent(options, at);
        dp_buf_addf(options, "format: %s\n", dp_textform_names[form]);
    } else if (dp_profile_pattern(e->watched, &pattern)) {
        indent(options, at);
        dp_buf_addz(options, "pattern: ");
        dp_yaml_add_scalar(options, dp_buf_str(&pattern));
        dp_buf_addc(options, '\n');
    } else if (d->rules == DP_CONTRACT_RULES_EXACT && e->max_length) {
        indent(options, at);
        dp_buf_addf(options, "maxLength: %llu\n", (unsigned long long)e->max_length); /* bytes: never fewer than its characters */
    }
    dp_buf_release(&pattern);
}

/* How many different strings make an enumeration here; 0: none. */
static size_t enumeration(const struct dp_type *t, const struct dp_infer_field *e, struct dp_str values[DP_PROFILE_VALUES]) {
    size_t n = t->id == DP_TYPE_STRING ? dp_profile_values(e->watched, ENOUGH_OF_EACH, values) : 0;
    return values_of(e) >= ENOUGH ? n : 0;
}

static void add_enumeration(const struct dp_str *values, size_t n, struct dp_buf *b, int at) {
    indent(b, at);
    dp_buf_addz(b, "quality:\n");
    indent(b, at + 2);
    dp_buf_addz(b, "- metric: invalidValues\n");
    indent(b, at + 4);
    dp_buf_addz(b, "arguments:\n");
    indent(b, at + 6);
    dp_buf_addz(b, "validValues:\n");
    for (size_t i = 0; i < n; i++) {
        indent(b, at + 8);
        dp_buf_addz(b, "- ");
        dp_yaml_add_scalar(b, values[i]);
        dp_buf_addc(b, '\n');
    }
    indent(b, at + 4);
    dp_buf_addz(b, "mustBe: 0\n");
}

/* "# seen: 14022 of 14100, all different, 1 .. 999"; text is told by its length. */
static void add_evidence(const struct dp_contract_draft *d, const struct dp_type *t, const struct dp_infer_field *e, bool in_list, size_t n_values, int at, struct dp_buf *b) {
    bool times = t->id == DP_TYPE_DATE || t->id == DP_TYPE_TIMESTAMP;
    indent(b, at);
    dp_buf_addf(b, "# seen: %llu", (unsigned long long)(e->seen - e->nulls));
    if (!in_list && d->records) dp_buf_addf(b, " of %llu", (unsigned long long)d->records);
    if (dp_profile_is_unique(e->watched) && values_of(e) > 1) dp_buf_addz(b, ", all different");
    else if (n_values) dp_buf_addf(b, ", %zu different", n_values);
    if (is_number(t) && e->min.n && is_telling(e)) {
        dp_buf_addf(b, ", up to %zu digits", e->max.n);
    } else if ((is_number(t) || times) && e->min.n) {
        dp_buf_addz(b, ", ");
        add_plain(b, e->min);
        dp_buf_addz(b, " .. ");
        add_plain(b, e->max);
    } else if (e->max_length) {
        if (e->min_length == e->max_length) dp_buf_addf(b, ", %llu bytes", (unsigned long long)e->max_length);
        else dp_buf_addf(b, ", %llu .. %llu bytes", (unsigned long long)e->min_length, (unsigned long long)e->max_length);
    }
    dp_buf_addc(b, '\n');
}

void dp_contract_write_rules(const struct dp_contract_draft *d, const struct dp_type *t, const struct dp_infer_field *e, bool in_list, int at, struct dp_buf *b) {
    struct dp_str values[DP_PROFILE_VALUES];
    struct dp_buf options = {0};
    if (!e->watched || !values_of(e) || t->id == DP_TYPE_JSON) return;
    size_t n = enumeration(t, e, values);
    add_evidence(d, t, e, in_list, n, at, b);
    if (!in_list && dp_contract_seems_unique(t, e)) indent(b, at), dp_buf_addz(b, "unique: true\n");
    if (values_of(e) >= ENOUGH) add_bounds(d, t, e, &options, at + 2);
    if (values_of(e) >= ENOUGH && t->id == DP_TYPE_STRING && !n) add_text_rules(d, e, &options, at + 2);
    if (options.n) {
        indent(b, at);
        dp_buf_addz(b, "logicalTypeOptions:\n");
        dp_buf_adds(b, dp_buf_str(&options));
    }
    if (n) add_enumeration(values, n, b, at);
    dp_buf_release(&options);
}
