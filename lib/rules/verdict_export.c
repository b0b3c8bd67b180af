/*
 * The verdict for programs: NDJSON and JSON, JUnit XML (testsuites > testsuite > testcase, as CI servers read it: the elements and attributes of
 * Jenkins' junit-10 schema), Prometheus' text exposition 0.0.4.
 *
 * What XML 1.0 can't hold (control characters, U+FFFE, bytes that are not UTF-8) becomes U+FFFD.  There are no times in it: a rule has none of its own.
 */
#include "verdict_priv.h"

#include <dp/record/json.h>

/* ---- JSON ---- */

/* Names of sources may be any bytes. */
static void text(struct dp_buf *out, const char *z) {
    struct dp_str s = dp_str_z(z);
    size_t bad;
    struct dp_buf mended = {0};
    while (!dp_utf8_valid(s.p, s.n, &bad)) {
        dp_buf_add(&mended, s.p, bad);
        dp_buf_addz(&mended, "\xef\xbf\xbd");
        s.p += bad + 1, s.n -= bad + 1;
    }
    dp_buf_adds(&mended, s);
    dp_json_add_string(out, dp_buf_str(&mended));
    dp_buf_release(&mended);
}

static void member(struct dp_buf *out, const char *name, const char *value) {
    dp_buf_addf(out, ",\"%s\":", name);
    if (value) text(out, value);
    else dp_buf_addz(out, "null");
}

static void number(struct dp_buf *out, const char *name, uint64_t value) { dp_buf_addf(out, ",\"%s\":%llu", name, (unsigned long long)value); }

static const char *const operator_names[] = {[DP_OPERATOR_NONE] = NULL, [DP_OPERATOR_BE] = "mustBe", [DP_OPERATOR_NOT_BE] = "mustNotBe",
                                             [DP_OPERATOR_GREATER] = "mustBeGreaterThan", [DP_OPERATOR_GREATER_EQUAL] = "mustBeGreaterOrEqualTo",
                                             [DP_OPERATOR_LESS] = "mustBeLessThan", [DP_OPERATOR_LESS_EQUAL] = "mustBeLessOrEqualTo",
                                             [DP_OPERATOR_BETWEEN] = "mustBeBetween", [DP_OPERATOR_NOT_BETWEEN] = "mustNotBeBetween"};

static void operand(struct dp_buf *out, struct dp_str s) {
    if (!dp_verdict_number(s, out)) dp_json_add_string(out, s);
}

static void threshold(struct dp_buf *out, const struct dp_verdict_rule *r) {
    if (r->op == DP_OPERATOR_NONE) {
        dp_buf_addz(out, ",\"threshold\":null");
        return;
    }
    dp_buf_addf(out, ",\"threshold\":{\"%s\":", operator_names[r->op]);
    bool two = dp_verdict_two_operands(r->op);
    if (two) dp_buf_addc(out, '[');
    operand(out, r->a);
    if (two) dp_buf_addc(out, ','), operand(out, r->b), dp_buf_addc(out, ']');
    if (two && r->between_open) dp_buf_addz(out, ",\"open\":true");
    dp_buf_addf(out, ",\"unit\":\"%s\"}", r->is_percent ? "percent" : "rows");
}

static const char *severity_name(enum dp_severity s) {
    switch (s) {
    case DP_SEVERITY_ERROR: return "error";
    case DP_SEVERITY_WARNING: return "warning";
    case DP_SEVERITY_INFO: return "info";
    }
    return "error";
}

/* One place, so that every form has one word: a failed rule's outcome is "fail" whatever its severity. */
static const char *outcome_name(enum dp_outcome o) {
    switch (o) {
    case DP_OUTCOME_NONE: return "none";
    case DP_OUTCOME_PASS: return "pass";
    case DP_OUTCOME_FAIL: return "fail";
    case DP_OUTCOME_ERROR: return "error";
    case DP_OUTCOME_UNSUPPORTED: return "unsupported";
    }
    return "none";
}

static void sample_list(struct dp_buf *out, const struct dp_verdict_rule *r) {
    dp_buf_addz(out, ",\"samples\":[");
    for (size_t i = 0; i < r->n_samples; i++) {
        const struct dp_verdict_sample *s = &r->samples[i];
        dp_buf_addz(out, i ? ",{\"source\":" : "{\"source\":");
        if (*s->source) text(out, s->source);
        else dp_buf_addz(out, "null");
        if (s->line) number(out, "line", s->line);
        else dp_buf_addz(out, ",\"line\":null");
        member(out, "value", *s->value ? s->value : NULL);
        dp_buf_addc(out, '}');
    }
    dp_buf_addc(out, ']');
}

static void heading(struct dp_buf *out, const struct dp_verdict *v) {
    dp_buf_addz(out, "\"contract\":");
    text(out, v->contract_id ? v->contract_id : "");
    member(out, "version", v->contract_version);
}

static void rule_row(struct dp_buf *out, const struct dp_verdict *v, const struct dp_verdict_rule *r) {
    dp_buf_addc(out, '{');
    heading(out, v);
    member(out, "object", r->object ? r->object : v->object);
    member(out, "property", r->property);
    member(out, "rule", r->id ? r->id : r->path);
    member(out, "path", r->path);
    member(out, "name", r->name);
    member(out, "check", r->check);
    member(out, "dimension", r->dimension);
    member(out, "severity", severity_name(r->severity));
    member(out, "outcome", outcome_name(r->outcome));
    bool decided = r->outcome == DP_OUTCOME_PASS || r->outcome == DP_OUTCOME_FAIL;
    if (decided) {
        number(out, "count", r->count);
        number(out, "rows", r->rows);
        dp_buf_addz(out, ",\"percent\":");
        dp_verdict_percent(r->count, r->rows, out);
        if (r->surplus) number(out, "surplus", r->surplus);
    }
    threshold(out, r);
    member(out, "expected", r->expected);
    member(out, "reason", r->reason);
    dp_buf_addz(out, r->from_statistics ? ",\"from_statistics\":true" : ",\"from_statistics\":false");
    sample_list(out, r);
    dp_buf_addc(out, '}');
}

static void summary(struct dp_buf *out, const struct dp_verdict *v) {
    struct dp_verdict_counts c = dp_verdict_count(v);
    heading(out, v);
    member(out, "object", v->object);
    member(out, "outcome", dp_verdict_overall(v));
    number(out, "rows", v->rows);
    dp_buf_addf(out, ",\"rules\":{\"all\":%zu,\"pass\":%zu,\"fail\":%zu,\"warn\":%zu,\"error\":%zu,\"unsupported\":%zu}", v->n, c.pass, c.fail, c.warn,
                c.error, c.unsupported);
}

void dp_verdict_print_ndjson(const struct dp_verdict *v, struct dp_buf *out) {
    for (size_t i = 0; i < v->n; i++) {
        rule_row(out, v, &v->rules[i]);
        dp_buf_addc(out, '\n');
    }
    dp_buf_addz(out, "{\"summary\":{");
    summary(out, v);
    dp_buf_addz(out, "}}\n");
}

void dp_verdict_print_json(const struct dp_verdict *v, struct dp_buf *out) {
    dp_buf_addc(out, '{');
    summary(out, v);
    dp_buf_addz(out, ",\"findings\":[");
    for (size_t i = 0; i < v->n; i++) {
        if (i) dp_buf_addc(out, ',');
        rule_row(out, v, &v->rules[i]);
    }
    dp_buf_addz(out, "]}\n");
}

/* ---- JUnit XML ---- */

static void xml(struct dp_buf *out, struct dp_str s) {
    size_t bad = 0;
    for (size_t i = 0, valid_to = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (i >= valid_to) valid_to = dp_utf8_valid(s.p + i, s.n - i, &bad) ? s.n : i + bad;
        bool is_noncharacter = c == 0xef && s.n - i >= 3 && (unsigned char)s.p[i + 1] == 0xbf && (unsigned char)s.p[i + 2] >= 0xbe;
        if (i >= valid_to || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) dp_buf_addz(out, "\xef\xbf\xbd");
        else if (is_noncharacter) dp_buf_addz(out, "\xef\xbf\xbd"), i += 2;
        else if (c == '&') dp_buf_addz(out, "&amp;");
        else if (c == '<') dp_buf_addz(out, "&lt;");
        else if (c == '>') dp_buf_addz(out, "&gt;");
        else if (c == '"') dp_buf_addz(out, "&quot;");
        else if (c < 0x20) dp_buf_addf(out, "&#%d;", c); /* kept by attributes, which would make a blank of it */
        else dp_buf_addc(out, (char)c);
    }
}

static void attribute(struct dp_buf *out, const char *name, struct dp_str value) {
    dp_buf_addf(out, " %s=\"", name);
    xml(out, value);
    dp_buf_addc(out, '"');
}

/* "invalidValues (/schema/0/...)": the path tells two rules of one kind apart. */
static void case_open(struct dp_buf *out, const struct dp_verdict *v, const struct dp_verdict_rule *r, struct dp_buf *scratch) {
    dp_buf_addz(out, "    <testcase");
    dp_buf_reset(scratch);
    dp_verdict_field(v, r, scratch);
    attribute(out, "classname", dp_buf_str(scratch));
    dp_buf_reset(scratch);
    dp_buf_addz(scratch, r->check ? r->check : "");
    if (r->name) dp_buf_addf(scratch, ": %s", r->name);
    if (r->id || r->path) dp_buf_addf(scratch, " (%s)", r->id ? r->id : r->path);
    attribute(out, "name", dp_buf_str(scratch));
}

static void why(const struct dp_verdict_rule *r, struct dp_buf *out) {
    if (r->outcome == DP_OUTCOME_FAIL && r->severity != DP_SEVERITY_ERROR) dp_buf_addf(out, "%s: ", severity_name(r->severity));
    dp_verdict_found(r, out);
    if (r->outcome != DP_OUTCOME_FAIL) return;
    if (r->op != DP_OPERATOR_NONE) dp_buf_addz(out, ", allowed: "), dp_verdict_allowed(r, out);
    else if (r->expected) dp_buf_addf(out, ", expected: %s", r->expected);
}

static void test_case(struct dp_buf *out, const struct dp_verdict *v, const struct dp_verdict_rule *r, struct dp_buf *scratch) {
    case_open(out, v, r, scratch);
    bool decided = r->outcome == DP_OUTCOME_PASS || r->outcome == DP_OUTCOME_NONE;
    if (decided) {
        dp_buf_addz(out, "/>\n");
        return;
    }
    const char *element = r->outcome == DP_OUTCOME_ERROR ? "error" : r->outcome == DP_OUTCOME_FAIL && r->severity == DP_SEVERITY_ERROR ? "failure" : "skipped";
    dp_buf_addf(out, ">\n      <%s", element);
    dp_buf_reset(scratch);
    why(r, scratch);
    attribute(out, "message", dp_buf_str(scratch));
    attribute(out, "type", dp_str_z(r->check ? r->check : ""));
    dp_buf_addc(out, '>');
    for (size_t i = 0; i < r->n_samples; i++) {
        const struct dp_verdict_sample *s = &r->samples[i];
        dp_buf_addc(out, '\n');
        xml(out, dp_str_z(s->source));
        if (s->line) dp_buf_addf(out, "%sline %llu", *s->source ? " " : "", (unsigned long long)s->line);
        dp_buf_addz(out, ": ");
        xml(out, dp_str_z(s->value));
    }
    dp_buf_addf(out, "</%s>\n    </testcase>\n", element);
}

void dp_verdict_print_junit(const struct dp_verdict *v, struct dp_buf *out) {
    struct dp_verdict_counts c = dp_verdict_count(v);
    struct dp_buf scratch = {0};
    dp_buf_addz(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    dp_buf_addz(&scratch, v->contract_id ? v->contract_id : "contract");
    if (v->contract_version) dp_buf_addf(&scratch, " %s", v->contract_version);
    attribute(out, "name", dp_buf_str(&scratch));
    dp_buf_addf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n  <testsuite", v->n, c.fail, c.error);
    attribute(out, "name", dp_str_z(v->object ? v->object : "contract"));
    dp_buf_addf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n", v->n, c.fail, c.error, c.warn + c.unsupported);
    for (size_t i = 0; i < v->n; i++) test_case(out, v, &v->rules[i], &scratch);
    dp_buf_addz(out, "  </testsuite>\n</testsuites>\n");
    dp_buf_release(&scratch);
}

/* ---- Prometheus ---- */

static void label(struct dp_buf *out, const char *name, const char *value) {
    if (out->p[out->n - 1] != '{') dp_buf_addc(out, ',');
    dp_buf_addf(out, "%s=\"", name);
    for (const char *p = value ? value : ""; *p; p++) {
        if (*p == '"' || *p == '\\') dp_buf_addc(out, '\\');
        if (*p == '\n') dp_buf_addz(out, "\\n");
        else dp_buf_addc(out, *p);
    }
    dp_buf_addc(out, '"');
}

static void family(struct dp_buf *out, const char *name, const char *help) { dp_buf_addf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name); }

static void series(struct dp_buf *out, const struct dp_verdict *v, const char *name) {
    dp_buf_addf(out, "%s{", name);
    label(out, "contract", v->contract_id);
    label(out, "contract_version", v->contract_version);
    label(out, "object", v->object);
}

static void value(struct dp_buf *out, uint64_t n) { dp_buf_addf(out, "} %llu\n", (unsigned long long)n); }

static void rule_series(struct dp_buf *out, const struct dp_verdict *v, const struct dp_verdict_rule *r, const char *name, uint64_t n) {
    series(out, v, name);
    label(out, "property", r->property);
    label(out, "check", r->check);
    label(out, "rule", r->id ? r->id : r->path);
    label(out, "severity", severity_name(r->severity));
    value(out, n);
}

static bool is_decided(const struct dp_verdict_rule *r) { return r->outcome == DP_OUTCOME_PASS || r->outcome == DP_OUTCOME_FAIL; }

void dp_verdict_print_prometheus(const struct dp_verdict *v, struct dp_buf *out) {
    struct dp_verdict_counts c = dp_verdict_count(v);
    const struct { const char *name; size_t n; } outcomes[] = {{"pass", c.pass}, {"fail", c.fail}, {"warn", c.warn}, {"error", c.error}, {"unsupported", c.unsupported}};
    family(out, "dp_validate_rows", "Rows that the last run looked at.");
    series(out, v, "dp_validate_rows");
    value(out, v->rows);
    family(out, "dp_validate_rules", "Rules of the contract by their outcome (warn: failed with severity warning or info).");
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        series(out, v, "dp_validate_rules");
        label(out, "outcome", outcomes[i].name);
        value(out, outcomes[i].n);
    }
    family(out, "dp_validate_rule_failed", "1: the rule failed; 0: it passed.");
    for (size_t i = 0; i < v->n; i++)
        if (is_decided(&v->rules[i])) rule_series(out, v, &v->rules[i], "dp_validate_rule_failed", v->rules[i].outcome == DP_OUTCOME_FAIL);
    family(out, "dp_validate_rule_count", "What the rule counts: rows that break it, rows, keys seen more than once.");
    for (size_t i = 0; i < v->n; i++)
        if (is_decided(&v->rules[i])) rule_series(out, v, &v->rules[i], "dp_validate_rule_count", v->rules[i].count);
    family(out, "dp_validate_rule_undecided", "1: the rule is not supported, or could not be decided.");
    for (size_t i = 0; i < v->n; i++)
        if (!is_decided(&v->rules[i])) rule_series(out, v, &v->rules[i], "dp_validate_rule_undecided", 1);
}
