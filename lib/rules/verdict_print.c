/*
 * The verdict for people: text for a terminal or a log, Markdown for a summary page of a CI run (tables as GitHub renders them).
 * Names and values come from contracts and data: control characters are shown as \u00XX, Markdown's own are escaped.
 */
#include "verdict_priv.h"

#include <stdlib.h>

/* Longest a column is padded to: a longer cell pushes its own row only. */
#define PAD 40
/* Rows of a Markdown table: a summary page takes 1 MiB. */
#define MARKDOWN_ROWS 1000

static void plain(struct dp_str s, struct dp_buf *out) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f) dp_buf_addf(out, "\\u%04x", c);
        else dp_buf_addc(out, (char)c);
    }
}

static void samples(const struct dp_verdict_rule *r, struct dp_buf *out) {
    for (size_t i = 0; i < r->n_samples; i++) {
        const struct dp_verdict_sample *s = &r->samples[i];
        dp_buf_addz(out, i ? "; " : "e.g. ");
        if (*s->source) dp_buf_addf(out, s->line ? "%s:" : "%s", s->source);
        if (s->line) dp_buf_addf(out, *s->source ? "%llu" : "line %llu", (unsigned long long)s->line);
        if (*s->value) dp_buf_addf(out, "%s%s", *s->source || s->line ? ": " : "", s->value);
    }
}

static size_t width(struct dp_str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void cell(struct dp_str s, size_t pad, struct dp_buf *out) {
    size_t start = out->n;
    plain(s, out);
    for (size_t n = width(dp_str(out->p + start, out->n - start)); n < pad; n++) dp_buf_addc(out, ' ');
    dp_buf_addz(out, "  ");
}

/* One line's parts; reset and filled for each rule. */
struct line {
    struct dp_buf field, found, expected, samples;
};

static void fill(struct line *l, const struct dp_verdict *v, const struct dp_verdict_rule *r) {
    dp_buf_reset(&l->field), dp_buf_reset(&l->found), dp_buf_reset(&l->expected), dp_buf_reset(&l->samples);
    dp_verdict_field(v, r, &l->field);
    dp_verdict_found(r, &l->found);
    if (r->op != DP_OPERATOR_NONE) dp_verdict_allowed(r, &l->expected);
    else if (r->expected) dp_buf_addz(&l->expected, r->expected);
    samples(r, &l->samples);
}

static void line_release(struct line *l) {
    dp_buf_release(&l->field), dp_buf_release(&l->found), dp_buf_release(&l->expected), dp_buf_release(&l->samples);
}

static bool is_decided(const struct dp_verdict_rule *r) { return r->outcome == DP_OUTCOME_PASS || r->outcome == DP_OUTCOME_FAIL; }

static struct dp_str check_name(const struct dp_verdict_rule *r) { return dp_str_z(r->check ? r->check : ""); }

static const char *label(const struct dp_verdict_rule *r) {
    switch (r->outcome) {
    case DP_OUTCOME_NONE: return "NONE";
    case DP_OUTCOME_PASS: return "PASS";
    case DP_OUTCOME_FAIL: return r->severity == DP_SEVERITY_ERROR ? "FAIL" : r->severity == DP_SEVERITY_WARNING ? "WARN" : "INFO";
    case DP_OUTCOME_ERROR: return "ERROR";
    case DP_OUTCOME_UNSUPPORTED: return "UNSUPPORTED";
    }
    return "NONE";
}

/* Widths of the first three columns. */
struct pads {
    size_t label, field, check;
};

static void widen(size_t *pad, size_t n) {
    if (n > *pad) *pad = n < PAD ? n : PAD;
}

static void rule_line(const struct line *l, const struct dp_verdict_rule *r, const struct pads *pad, struct dp_buf *out) {
    cell(dp_str_z(label(r)), pad->label, out);
    cell(dp_buf_str(&l->field), pad->field, out);
    cell(check_name(r), pad->check, out);
    plain(dp_buf_str(&l->found), out);
    if (l->expected.n && is_decided(r)) {
        dp_buf_addz(out, r->op == DP_OPERATOR_NONE ? ", expected: " : ", allowed: ");
        plain(dp_buf_str(&l->expected), out);
    }
    if (r->name || r->description) {
        dp_buf_addz(out, "   [");
        plain(dp_str_z(r->name ? r->name : r->description), out);
        dp_buf_addc(out, ']');
    }
    if (l->samples.n && r->outcome != DP_OUTCOME_PASS) {
        dp_buf_addz(out, "   ");
        plain(dp_buf_str(&l->samples), out);
    }
    if (r->from_statistics) dp_buf_addz(out, "   (from statistics)");
    dp_buf_addc(out, '\n');
}

static void tail(const struct dp_verdict *v, struct dp_buf *out) {
    struct dp_verdict_counts c = dp_verdict_count(v);
    const struct { const char *word; size_t n; } parts[] = {{"failed", c.fail}, {"warned", c.warn}, {"could not be decided", c.error},
                                                            {"unsupported", c.unsupported}, {"passed", c.pass}};
    dp_buf_addf(out, "%llu row%s, %zu rule%s", (unsigned long long)v->rows, v->rows == 1 ? "" : "s", v->n, v->n == 1 ? "" : "s");
    const char *between = ": ";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].n) continue;
        dp_buf_addf(out, "%s%zu %s", between, parts[i].n, parts[i].word);
        between = ", ";
    }
}

static void title(const struct dp_verdict *v, struct dp_buf *out) {
    dp_buf_addz(out, v->object ? v->object : v->contract_id ? v->contract_id : "contract");
    if (v->contract_version) dp_buf_addf(out, " %s", v->contract_version);
}

void dp_verdict_print_text(const struct dp_verdict *v, struct dp_buf *out) {
    struct line l = {0};
    struct pads pad = {0};
    size_t *order = dp_verdict_order(v);
    for (size_t i = 0; i < v->n; i++) {
        dp_buf_reset(&l.field);
        dp_verdict_field(v, &v->rules[i], &l.field);
        widen(&pad.label, strlen(label(&v->rules[i])));
        widen(&pad.field, width(dp_buf_str(&l.field)));
        widen(&pad.check, check_name(&v->rules[i]).n);
    }
    for (size_t i = 0; i < v->n; i++) {
        fill(&l, v, &v->rules[order[i]]);
        rule_line(&l, &v->rules[order[i]], &pad, out);
    }
    dp_buf_reset(&l.field);
    title(v, &l.field);
    plain(dp_buf_str(&l.field), out);
    dp_buf_addz(out, ": ");
    tail(v, out);
    dp_buf_addc(out, '\n');
    free(order);
    line_release(&l);
}

/* Text in a table's cell: what Markdown and HTML would read is escaped, a line break is a blank. */
static void escaped(struct dp_str s, struct dp_buf *out) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '&') dp_buf_addz(out, "&amp;");
        else if (c == '<') dp_buf_addz(out, "&lt;");
        else if (c == '>') dp_buf_addz(out, "&gt;");
        else if (c == '\n' || c == '\r' || c == '\t') dp_buf_addc(out, ' ');
        else if (c < 0x20 || c == 0x7f) dp_buf_addf(out, "\\\\u%04x", c);
        else {
            if (strchr("\\`*_[]|~#!$", c)) dp_buf_addc(out, '\\');
            dp_buf_addc(out, (char)c);
        }
    }
}

static void column(struct dp_str s, struct dp_buf *out) {
    dp_buf_addc(out, ' ');
    escaped(s, out);
    dp_buf_addz(out, " |");
}

static void table(const struct dp_verdict *v, const size_t *order, size_t from, size_t to, struct dp_buf *out) {
    struct line l = {0};
    size_t shown = to - from > MARKDOWN_ROWS ? from + MARKDOWN_ROWS : to;
    dp_buf_addz(out, "| | field | rule | found | expected | examples |\n| --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = from; i < shown; i++) {
        const struct dp_verdict_rule *r = &v->rules[order[i]];
        fill(&l, v, r);
        dp_buf_addf(out, "| %s%s |", label(r), r->from_statistics ? " (statistics)" : "");
        column(dp_buf_str(&l.field), out);
        dp_buf_addc(out, ' ');
        escaped(check_name(r), out);
        if (r->name) dp_buf_addz(out, ": "), escaped(dp_str_z(r->name), out);
        dp_buf_addz(out, " |");
        column(dp_buf_str(&l.found), out);
        column(dp_buf_str(&l.expected), out);
        column(r->outcome == DP_OUTCOME_PASS ? dp_str(NULL, 0) : dp_buf_str(&l.samples), out);
        dp_buf_addc(out, '\n');
    }
    if (shown < to) dp_buf_addf(out, "\nand %zu more\n", to - shown);
    line_release(&l);
}

void dp_verdict_print_markdown(const struct dp_verdict *v, struct dp_buf *out) {
    struct dp_buf name = {0};
    size_t *order = dp_verdict_order(v), open = 0;
    while (open < v->n && v->rules[order[open]].outcome != DP_OUTCOME_PASS) open++;
    title(v, &name);
    dp_buf_addz(out, "### ");
    escaped(dp_buf_str(&name), out);
    dp_buf_addf(out, ": %s\n\n", dp_verdict_overall(v));
    tail(v, out);
    dp_buf_addz(out, "\n");
    if (open) {
        dp_buf_addc(out, '\n');
        table(v, order, 0, open, out);
    }
    if (open < v->n) {
        dp_buf_addf(out, "\n<details><summary>%zu passed</summary>\n\n", v->n - open);
        table(v, order, open, v->n, out);
        dp_buf_addz(out, "\n</details>\n");
    }
    free(order);
    dp_buf_release(&name);
}

void dp_verdict_print(const struct dp_verdict *v, enum dp_verdict_form form, struct dp_buf *out) {
    switch (form) {
    case DP_VERDICT_TEXT: dp_verdict_print_text(v, out); break;
    case DP_VERDICT_NDJSON: dp_verdict_print_ndjson(v, out); break;
    case DP_VERDICT_JSON: dp_verdict_print_json(v, out); break;
    case DP_VERDICT_JUNIT: dp_verdict_print_junit(v, out); break;
    case DP_VERDICT_MARKDOWN: dp_verdict_print_markdown(v, out); break;
    case DP_VERDICT_PROMETHEUS: dp_verdict_print_prometheus(v, out); break;
    }
}
