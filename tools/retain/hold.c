/* dp-retain hold, release, holds: what has to be kept for a case, whatever the rules say. */
#include "retain.h"

#include <dp/io/retain_hold.h>

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

struct hold_conf {
    struct dp_opt_list partitions, subjects;
    const char *from, *audit, *reason;
    bool under;
};

static const struct dp_opt hold_options[] = {
    DP_OPT_LIST(hold_conf, partitions, "partition", 0, "COLUMN=VALUE", "hold this partition, not the whole table"),
    DP_OPT_LIST(hold_conf, subjects, "subject", 0, "COLUMN=VALUE", "hold the rows that have this value"),
    DP_OPT_PATH(hold_conf, from, "subjects-from", 0, "FILE", "the same, a line each"),
    DP_OPT_STRING(hold_conf, reason, "reason", 0, "TEXT", "why, for the audit log"),
    RETAIN_AUDIT(hold_conf),
    DP_OPT_END};

static const struct dp_opt release_options[] = {
    DP_OPT_FLAG(hold_conf, under, "all-under", 0, "release all tables below the directories that the case holds"),
    DP_OPT_STRING(hold_conf, reason, "reason", 0, "TEXT", "why, for the audit log"),
    RETAIN_AUDIT(hold_conf),
    DP_OPT_END};

static struct dp_retain_hold_opts opts_of(struct dp_cli *cli, char login[64]) {
    const struct hold_conf *c = cli->conf;
    const char *as = getenv("DP_ACTOR");
    const struct passwd *p = as && *as ? NULL : getpwuid(getuid());
    if (p) snprintf(login, 64, "%s", p->pw_name);
    else snprintf(login, 64, "%lu", (unsigned long)getuid());
    return (struct dp_retain_hold_opts){.name = cli->args[0], .tables = cli->args + 1, .n_tables = cli->n_args - 1, .partitions = c->partitions.v, .n_partitions = c->partitions.n,
                                        .subjects = c->subjects.v, .n_subjects = c->subjects.n, .subjects_from = c->from, .audit = c->audit, .why = c->reason, .who = as && *as ? as : login};
}

static enum dp_status report(struct dp_cli *cli, const char *done, const char *would, uint64_t n, struct dp_err *err) {
    dp_cli_report_str(cli, "case", dp_str_z(cli->args[0]));
    dp_cli_report_u64(cli, "tables", n);
    return dp_cli_say(cli, err, "case %s: %llu tables %s\n", cli->args[0], (unsigned long long)n, cli->run.dry_run ? would : done);
}

static enum dp_status run_hold(struct dp_cli *cli, struct dp_err *err) {
    char login[64];
    const struct dp_retain_hold_opts o = opts_of(cli, login);
    uint64_t n;
    DP_TRY(dp_retain_hold(&cli->run, &o, &n, err));
    return report(cli, "held", "would be held", n, err);
}

static enum dp_status run_release(struct dp_cli *cli, struct dp_err *err) {
    const struct hold_conf *c = cli->conf;
    char login[64];
    const struct dp_retain_hold_opts o = opts_of(cli, login);
    uint64_t n;
    DP_TRY(dp_retain_release(&cli->run, &o, c->under, &n, err));
    return report(cli, "released", "would be released", n, err);
}

struct listing {
    struct dp_cli *cli;
    struct dp_buf json, line;
    uint64_t n;
};

static void add_json(struct dp_buf *b, const char *table, const struct dp_legal_hold *h) {
    const struct { const char *key; struct dp_str text; } rows[] = {{",\"case\":", h->name}, {",\"time\":", h->time}, {",\"who\":", h->who}, {",\"reason\":", h->reason}};
    dp_buf_addz(b, b->n ? ",{\"table\":" : "[{\"table\":");
    dp_json_add_string(b, dp_str_z(table));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) dp_buf_addz(b, rows[i].key), dp_json_add_string(b, rows[i].text);
    if (h->trouble) dp_buf_addz(b, ",\"trouble\":"), dp_json_add_string(b, dp_str_z(h->trouble));
    dp_buf_addf(b, ",\"whole\":%s,\"partitions\":[", h->whole ? "true" : "false");
    for (size_t i = 0; i < h->n_partitions; i++) {
        dp_buf_addz(b, i ? ",{\"column\":" : "{\"column\":"), dp_json_add_string(b, h->partitions[i].column);
        dp_buf_addz(b, ",\"value\":"), dp_json_add_string(b, h->partitions[i].value), dp_buf_addc(b, '}');
    }
    dp_buf_addf(b, "],\"subjects\":%zu}", h->n_subjects); /* who they are stands in the table's file alone */
}

static void add_line(struct dp_buf *b, const char *table, const struct dp_legal_hold *h) {
    dp_buf_addf(b, "%s\t%.*s\t%.*s\t%.*s\t", table, DP_STR_FMT(h->name), DP_STR_FMT(h->time), DP_STR_FMT(h->who));
    if (h->trouble) dp_buf_addf(b, "all, it can't be read\t%s", h->trouble);
    else {
        size_t n = 0;
        if (h->whole) n++, dp_buf_addz(b, "all");
        for (size_t i = 0; i < h->n_partitions; i++) dp_buf_addf(b, "%s%.*s=%.*s", n++ ? ", " : "", DP_STR_FMT(h->partitions[i].column), DP_STR_FMT(h->partitions[i].value));
        if (h->n_subjects) dp_buf_addf(b, "%s%zu subjects", n ? ", " : "", h->n_subjects);
        dp_buf_addf(b, "\t%.*s", DP_STR_FMT(h->reason));
    }
    for (size_t i = 0; i < b->n; i++)
        if ((unsigned char)b->p[i] < 0x20 && b->p[i] != '\t') b->p[i] = '?';
    dp_buf_addc(b, '\n');
}

static enum dp_status list_hold(void *ctx, const char *table, const struct dp_legal_hold *h, struct dp_err *err) {
    struct listing *l = ctx;
    l->n++;
    if (l->cli->common.json) return add_json(&l->json, table, h), DP_OK;
    dp_buf_reset(&l->line);
    add_line(&l->line, table, h);
    return dp_out_write(l->cli->run.out, l->line.p, l->line.n, err);
}

static enum dp_status run_holds(struct dp_cli *cli, struct dp_err *err) {
    static const char *const here[] = {"."};
    struct listing l = {.cli = cli};
    enum dp_status status = dp_retain_holds(&cli->run, cli->n_args ? cli->args : here, cli->n_args ? cli->n_args : 1, list_hold, &l, err);
    if (status == DP_OK && cli->common.json) {
        dp_buf_addz(&l.json, l.json.n ? "]" : "[]");
        dp_cli_report(cli, "holds", dp_buf_str(&l.json));
    }
    dp_buf_release(&l.json), dp_buf_release(&l.line);
    if (status == DP_OK && !l.n && cli->common.skip_empty) return dp_err_set(err, DP_EMPTY, "nothing is held");
    return status;
}

const struct dp_tool retain_hold = {
    .name = "hold", .summary = "keep tables, partitions or subjects for a case, whatever rules and vacuum say", .args = "CASE", .second = "TABLE",
    .synopsis = "CASE TABLE... [--partition COLUMN=VALUE]... [--subject COLUMN=VALUE]... [--subjects-from FILE] --reason TEXT", .options = hold_options,
    .conf_size = sizeof(struct hold_conf), .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 2, .max_args = -1, .no_lineage = "*", .run = run_hold};

const struct dp_tool retain_release = {
    .name = "release", .summary = "end a case's holds", .args = "CASE", .second = "TABLE", .synopsis = "CASE TABLE... [--all-under] --reason TEXT", .options = release_options,
    .conf_size = sizeof(struct hold_conf), .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 2, .max_args = -1, .no_lineage = "*", .run = run_release};

const struct dp_tool retain_holds = {
    .name = "holds", .summary = "list what is held, and by which cases", .args = "TABLE", .synopsis = "[TABLE|DIR...]", .common = DP_COMMON_JSON | DP_COMMON_EMPTY, .min_args = 0, .max_args = -1,
    .no_lineage = "*", .run = run_holds};
