/*
 * dp-lineage policy: does the catalog keep to a policy of naming and tagging?  Exit 1 when it doesn't, for CI.
 */
#include "lineage.h"

#include <dp/io/catalog_policy.h>

#include <stdlib.h>

struct policy_conf {
    const char *store, *rules, *junit;
};

static const struct dp_opt policy_options[] = {LINEAGE_STORE(policy_conf), DP_OPT_PATH(policy_conf, rules, "rules", 0, "FILE", "the policy (YAML); without, only classes are looked at"),
                                               DP_OPT_PATH(policy_conf, junit, "junit", 0, "FILE", "write the findings as JUnit XML"), DP_OPT_END};

struct checking {
    struct dp_cli *cli;
    struct dp_catalog *c;
    const char *const *rules;
    struct dp_buf json, line, *of_rule; /* of_rule: findings of each rule as text of XML */
    uint64_t errors, warnings, *failures;
};

static void add_xml(struct dp_buf *b, const char *s) {
    for (; *s; s++) {
        if (*s == '&') dp_buf_addz(b, "&amp;");
        else if (*s == '<') dp_buf_addz(b, "&lt;");
        else if (*s == '>') dp_buf_addz(b, "&gt;");
        else if (*s == '"') dp_buf_addz(b, "&quot;");
        else dp_buf_addc(b, (unsigned char)*s < 0x20 && *s != '\n' ? '?' : *s);
    }
}

static void add_json(struct dp_buf *b, const struct dp_catalog_node *n, const char *severity, const char *rule, const char *what) {
    dp_buf_addz(b, b->n > 1 ? ",{" : "{");
    lineage_add_json(n, b);
    dp_buf_addf(b, ",\"severity\":\"%s\",\"rule\":", severity), dp_json_add_string(b, dp_str_z(rule));
    dp_buf_addz(b, ",\"finding\":"), dp_json_add_string(b, dp_str_z(what)), dp_buf_addc(b, '}');
}

static enum dp_status on_finding(void *ctx, const struct dp_catalog_policy_finding *f, struct dp_err *err) {
    struct checking *k = ctx;
    struct dp_catalog_node n;
    struct dp_buf name = {0};
    const char *severity = f->is_warning ? "warning" : "error";
    DP_TRY(dp_catalog_view(k->c, f->kind, f->id, &n, err));
    *(f->is_warning ? &k->warnings : &k->errors) += 1;
    if (!f->is_warning) k->failures[f->rule]++;
    if (k->cli->common.json || k->cli->common.report) add_json(&k->json, &n, severity, k->rules[f->rule], f->what);
    lineage_add_name(&n, &name);
    dp_buf_reset(&k->line);
    dp_buf_addf(&k->line, "%s\t%s\t%s\t%s", severity, k->rules[f->rule], dp_buf_z(&name), f->what);
    for (size_t i = 0; i < k->line.n; i++)
        if (k->line.p[i] != '\t' && ((unsigned char)k->line.p[i] < 0x20 || k->line.p[i] == 0x7f)) k->line.p[i] = '?';
    struct dp_buf *x = ((const struct policy_conf *)k->cli->conf)->junit ? &k->of_rule[f->rule] : NULL;
    if (x) dp_buf_addf(x, "%s: ", severity), add_xml(x, dp_buf_z(&name)), dp_buf_addz(x, ": "), add_xml(x, f->what), dp_buf_addc(x, '\n');
    dp_buf_release(&name);
    dp_buf_addc(&k->line, '\n');
    return k->cli->common.json ? DP_OK : dp_out_write(k->cli->run.out, k->line.p, k->line.n, err);
}

/* A case for each rule; warnings stand in the output of a case that passes. */
static enum dp_status write_junit(struct checking *k, const char *path, size_t n, struct dp_err *err) {
    struct dp_buf b = {0};
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) failed += k->failures[i] > 0;
    dp_buf_addf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%zu\" failures=\"%zu\">\n<testsuite name=\"dp-lineage policy\" tests=\"%zu\" failures=\"%zu\" errors=\"0\">\n", n, failed, n, failed);
    for (size_t i = 0; i < n; i++) {
        dp_buf_addz(&b, "<testcase classname=\"policy\" name=\""), add_xml(&b, k->rules[i]), dp_buf_addz(&b, "\">");
        if (k->failures[i]) dp_buf_addf(&b, "<failure message=\"%llu findings\">%s</failure>", (unsigned long long)k->failures[i], dp_buf_z(&k->of_rule[i]));
        else if (k->of_rule[i].n) dp_buf_addf(&b, "<system-out>%s</system-out>", dp_buf_z(&k->of_rule[i]));
        dp_buf_addz(&b, "</testcase>\n");
    }
    dp_buf_addz(&b, "</testsuite>\n</testsuites>\n");
    enum dp_status status = dp_side_write(path, dp_buf_str(&b), err);
    dp_buf_release(&b);
    return status;
}

static enum dp_status run_policy(struct dp_cli *cli, struct dp_err *err) {
    const struct policy_conf *conf = cli->conf;
    struct dp_catalog_policy *p = NULL;
    struct checking k = {.cli = cli};
    uint64_t checked = 0;
    size_t n = 0;
    dp_buf_addc(&k.json, '[');
    enum dp_status status = dp_catalog_policy_read(conf->rules, &p, err);
    if (status == DP_OK) status = lineage_open(conf->store, DP_CATALOG_READ, &k.c, err);
    if (status == DP_OK) {
        k.rules = dp_catalog_policy_rules(p);
        while (k.rules[n]) n++;
        k.of_rule = dp_calloc(n, sizeof *k.of_rule), k.failures = dp_calloc(n, sizeof *k.failures);
        status = dp_catalog_policy_check(p, k.c, on_finding, &k, &checked, err);
    }
    dp_buf_addc(&k.json, ']');
    dp_cli_report(cli, "findings", dp_buf_str(&k.json));
    dp_cli_report_u64(cli, "checked", checked), dp_cli_report_u64(cli, "errors", k.errors), dp_cli_report_u64(cli, "warnings", k.warnings);
    if (status == DP_OK && conf->junit) status = write_junit(&k, conf->junit, n, err);
    for (size_t i = 0; i < n; i++) dp_buf_release(&k.of_rule[i]);
    free(k.of_rule), free(k.failures);
    dp_buf_release(&k.json), dp_buf_release(&k.line);
    dp_catalog_policy_free(p);
    dp_catalog_close(k.c);
    if (status || !k.errors) return status;
    return dp_err_set(err, DP_RULE, "%llu breach%s of the policy", (unsigned long long)k.errors, k.errors == 1 ? "" : "es");
}

const struct dp_tool lineage_policy = {
    .name = "policy", .summary = "check the catalog against a policy of naming and tagging", .synopsis = "[--rules FILE] [--junit FILE]", .options = policy_options,
    .conf_size = sizeof(struct policy_conf), .common = DP_COMMON_JSON, .min_args = 0, .max_args = 0, .run = run_policy};
