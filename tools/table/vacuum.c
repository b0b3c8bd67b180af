/*
 * dp-table vacuum: deletes the files that no version within the retention needs.
 *
 * Forced below the table's own retention it takes history from others, so it stands in the audit log before anything goes, and does not run where it can't stand there.
 */
#include "table.h"

#include <dp/delta/legal.h>
#include <dp/delta/vacuum.h>
#include <dp/io/audit.h>

#include <stdlib.h>

struct vacuum_conf {
    int64_t retain;
    const char *audit, *reason;
    bool force;
};

static const struct dp_opt vacuum_options[] = {
    DP_OPT_DURATION(vacuum_conf, retain, "retain", 0, "D", "keep what is younger than this, instead of what the table says (7 days)", 0, 0),
    DP_OPT_FLAG(vacuum_conf, force, "force", 0, "let --retain be less than the table says, and say so in the audit log"),
    DP_OPT_DIR(vacuum_conf, audit, "audit", 0, "DIR", "the audit log that a forced one is written to (default: $XDG_STATE_HOME/dp/audit)", .env = "DP_AUDIT"),
    DP_OPT_STRING(vacuum_conf, reason, "reason", 0, "TEXT", "why it is forced, for the audit log", .needs = "force"),
    DP_OPT_END};

struct listing {
    struct dp_cli *cli;
    struct dp_buf json; /* paths, with --json and --dry-run */
};

static enum dp_status print_file(void *ctx, const char *path, int64_t bytes, struct dp_err *err) {
    struct listing *l = ctx;
    struct dp_buf line = {0};
    if (dp_run_stopped(&l->cli->run, err)) return DP_SIGNALLED;
    if (l->cli->common.json) {
        if (!l->cli->run.dry_run) return DP_OK;
        dp_buf_addc(&l->json, l->json.n ? ',' : '[');
        dp_json_add_string(&l->json, dp_str_z(path));
        return DP_OK;
    }
    dp_buf_addf(&line, "%lld\t", (long long)bytes);
    table_add_name(&line, path);
    dp_buf_addc(&line, '\n');
    enum dp_status status = dp_out_write(l->cli->run.out, line.p, line.n, err);
    dp_buf_release(&line);
    return status;
}

/* What holds keep, and which. */
static void report_held(struct dp_cli *cli, const struct dp_delta_vacuumed *v) {
    struct dp_legal l;
    struct dp_buf names = {0}, json = {0};
    dp_legal_read(cli->args[0], &l);
    dp_cli_report_u64(cli, "held_files", v->held_files);
    dp_cli_report_u64(cli, "held_bytes", v->held_bytes);
    for (size_t i = 0; i < l.n; i++) {
        dp_buf_addc(&json, i ? ',' : '[');
        dp_json_add_string(&json, l.v[i].name);
    }
    dp_buf_addz(&json, l.n ? "]" : "[]");
    dp_cli_report(cli, "cases", dp_buf_str(&json));
    dp_legal_names(&l, &names);
    if (v->held_files) dp_run_log(&cli->run, DP_LOG_WARN, "%s: %llu files of %llu bytes stay: held by %s", cli->args[0], (unsigned long long)v->held_files, (unsigned long long)v->held_bytes,
                                  l.n ? dp_buf_z(&names) : "a case that was released meanwhile");
    dp_buf_release(&names), dp_buf_release(&json);
    dp_legal_release(&l);
}

static void report(struct dp_cli *cli, const struct dp_delta_vacuumed *v, struct dp_buf *paths) {
    dp_cli_report_i64(cli, "version", v->version);
    dp_cli_report_u64(cli, "files", v->files);
    dp_cli_report_u64(cli, "bytes", v->bytes);
    dp_cli_report_u64(cli, "directories", v->dirs);
    dp_cli_report_u64(cli, "young", v->young);
    dp_cli_report_i64(cli, "retention_seconds", v->retain_ms / 1000);
    if (!cli->run.dry_run) return;
    dp_buf_addz(paths, paths->n ? "]" : "[]");
    dp_cli_report(cli, "paths", dp_buf_str(paths));
}

/* The same, between the two entries of the log. */
static enum dp_status vacuum_audited(struct dp_cli *cli, const struct dp_delta_vacuum_opts *o, struct dp_delta_vacuumed *v, struct dp_err *err) {
    const struct vacuum_conf *conf = cli->conf;
    struct dp_audit *log = NULL;
    struct dp_buf what = {0};
    uint64_t ticket = 0;
    char *object = dp_audit_object(cli->args[0]);
    struct dp_audit_intent i = {.action = "table.vacuum", .object = object, .why = conf->reason};
    dp_buf_addf(&what, "{\"force\":true,\"retain_seconds\":%lld}", (long long)(o->retain_ms / 1000));
    i.what = dp_buf_str(&what);
    enum dp_status status = dp_audit_open(&cli->run, conf->audit, &log, err);
    if (status == DP_OK) status = dp_audit_begin(log, &i, &ticket, err);
    if (status == DP_OK) {
        status = dp_delta_vacuum(cli->args[0], o, v, err);
        dp_buf_reset(&what);
        if (status == DP_OK) dp_buf_addf(&what, "{\"version\":%lld,\"files\":%llu,\"bytes\":%llu}", (long long)v->version, (unsigned long long)v->files, (unsigned long long)v->bytes);
        status = dp_audit_end(log, ticket, status, dp_buf_str(&what), err);
    }
    dp_audit_close(log);
    dp_buf_release(&what);
    free(object);
    return status;
}

static enum dp_status run_vacuum(struct dp_cli *cli, struct dp_err *err) {
    const struct vacuum_conf *conf = cli->conf;
    struct listing l = {.cli = cli};
    struct dp_delta_vacuumed v;
    struct dp_delta_vacuum_opts o = {.retain_ms = dp_cli_given(cli, "retain") ? conf->retain : -1, .force = conf->force, .dry_run = cli->run.dry_run,
                                     .now_ms = cli->run.now_micros / 1000, .each = print_file, .ctx = &l};
    bool audited = conf->force && o.retain_ms >= 0 && !o.dry_run;
    enum dp_status status = audited ? vacuum_audited(cli, &o, &v, err) : dp_delta_vacuum(cli->args[0], &o, &v, err);
    if (status == DP_OK) {
        report(cli, &v, &l.json);
        report_held(cli, &v);
        status = dp_cli_say(cli, err, "%s: %s%llu files of %llu bytes, %llu are too young\n", cli->args[0], cli->run.dry_run ? "would delete " : "deleted ",
                           (unsigned long long)v.files, (unsigned long long)v.bytes, (unsigned long long)v.young);
    }
    dp_buf_release(&l.json);
    if (status == DP_OK && !v.files && cli->common.skip_empty) return dp_err_set(err, DP_EMPTY, "nothing to delete");
    return status;
}

const struct dp_tool table_vacuum = {
    .name = "vacuum", .summary = "delete the files that no version within the retention needs", .args = "TABLE", .synopsis = "TABLE [--retain D] [--force] [--dry-run]",
    .options = vacuum_options, .conf_size = sizeof(struct vacuum_conf), .common = TABLE_COMMON, .min_args = 1, .max_args = 1, .no_lineage = "*", .run = run_vacuum};
