/* dp-retain restore: what tiers hold of a table, and bringing it back. */
#include "retain.h"

#include <dp/io/retain_restore.h>
#include <dp/record/json.h>

struct restore_conf {
    const char *audit, *reason, *from;
    bool list;
};

static const struct dp_opt restore_options[] = {
    DP_OPT_FLAG(restore_conf, list, "list", 0, "print the files that would be brought back; change nothing"),
    DP_OPT_DIR(restore_conf, from, "from", 0, "DIR", "where archived files were brought back to"),
    RETAIN_AUDIT(restore_conf),
    DP_OPT_STRING(restore_conf, reason, "reason", 0, "TEXT", "why, for the audit log"),
    DP_OPT_END};

struct listing { struct dp_cli *cli; struct dp_buf line, json; };

static enum dp_status list_file(void *ctx, const struct dp_tier_file *f, struct dp_err *err) {
    struct listing *l = ctx;
    struct dp_buf *b = l->cli->common.json ? &l->json : &l->line;
    if (!l->cli->common.json) {
        dp_buf_reset(b);
        dp_buf_addf(b, "%s\t%llu\t%.*s\t%s\n", f->path, (unsigned long long)f->bytes, DP_STR_FMT(f->sha256), f->source ? "there" : "out of reach");
        for (size_t i = 0; f->path[i]; i++)
            if ((unsigned char)f->path[i] < 0x20) b->p[i] = '?';
        return dp_out_write(l->cli->run.out, b->p, b->n, err);
    }
    dp_buf_addz(b, b->n ? ",{\"path\":" : "[{\"path\":");
    dp_json_add_string(b, dp_str_z(f->path));
    dp_buf_addf(b, ",\"bytes\":%llu,\"sha256\":", (unsigned long long)f->bytes);
    dp_json_add_string(b, f->sha256);
    dp_buf_addz(b, ",\"tier\":");
    dp_json_add_string(b, f->tier);
    dp_buf_addf(b, ",\"there\":%s}", f->source ? "true" : "false");
    return DP_OK;
}

static void report(struct dp_cli *cli, const struct dp_tier_restored *d) {
    dp_cli_report_u64(cli, "files", d->files);
    dp_cli_report_u64(cli, "bytes", d->bytes);
    dp_cli_report_u64(cli, "files_out_of_reach", d->lost_files);
    dp_cli_report_u64(cli, "bytes_out_of_reach", d->lost_bytes);
}

static enum dp_status run_restore(struct dp_cli *cli, struct dp_err *err) {
    const struct restore_conf *conf = cli->conf;
    struct listing l = {.cli = cli};
    struct dp_tier_restored d;
    struct dp_tier_opts o = {.table = cli->args[0], .where = cli->common.where, .from = conf->from, .audit = conf->audit, .why = conf->reason, .each = list_file, .ctx = &l};
    enum dp_status status;
    if (!conf->list && !conf->reason && !cli->run.dry_run) return dp_err_set(err, DP_USAGE, "restore needs --reason TEXT, for the audit log (--list tells what there is)");
    if (conf->list) {
        status = dp_tier_list(&cli->run, &o, &d, err);
        if (status == DP_OK && cli->common.json) {
            dp_buf_addz(&l.json, l.json.n ? "]" : "[]");
            dp_cli_report(cli, "list", dp_buf_str(&l.json));
        }
    } else {
        status = dp_tier_restore(&cli->run, &o, &d, err);
    }
    dp_buf_release(&l.line), dp_buf_release(&l.json);
    DP_TRY(status);
    report(cli, &d);
    if (!d.files && cli->common.skip_empty) return dp_err_set(err, DP_EMPTY, "no file is in a tier");
    if (conf->list) return DP_OK;
    if (d.version >= 0) dp_cli_report_u64(cli, "version", (uint64_t)d.version);
    if (d.version < 0) return dp_cli_say(cli, err, "%s: %llu files of %llu bytes%s\n", o.table, (unsigned long long)d.files, (unsigned long long)d.bytes, cli->run.dry_run ? " would be brought back" : "");
    return dp_cli_say(cli, err, "%s: %llu files of %llu bytes brought back, version %lld\n", o.table, (unsigned long long)d.files, (unsigned long long)d.bytes, (long long)d.version);
}

const struct dp_tool retain_restore = {
    .name = "restore", .summary = "bring files of a table back from its tiers, or list them", .args = "TABLE",
    .synopsis = "--list [--where EXPR] [--from DIR] TABLE\n[--where EXPR] [--from DIR] [--audit DIR] --reason TEXT TABLE", .options = restore_options, .conf_size = sizeof(struct restore_conf),
    .common = DP_COMMON_WHERE | DP_COMMON_THREADS | DP_COMMON_DRY_RUN | DP_COMMON_JSON | DP_COMMON_EMPTY, .min_args = 1, .max_args = 1, .no_lineage = "*", .run = run_restore};
