/* dp-table verify: does the table hold what its log says? */
#include "table.h"

#include <dp/delta/verify.h>

struct verify_conf {
    const char *as_of;
    bool deep;
};

static const struct dp_opt verify_options[] = {
    DP_OPT_STRING(verify_conf, as_of, "as-of", 0, "VERSION|TIME", "the table as it was"),
    DP_OPT_FLAG(verify_conf, deep, "deep", 0, "decode every value, and hold the statistics against them"),
    DP_OPT_END};

struct findings {
    struct dp_cli *cli;
    struct dp_buf json;
};

static enum dp_status print_finding(void *ctx, const char *what, const char *why, struct dp_err *err) {
    struct findings *f = ctx;
    struct dp_buf line = {0};
    enum dp_status status = DP_OK;
    if (f->cli->common.json) {
        dp_buf_addz(&f->json, f->json.n ? ",{\"path\":" : "[{\"path\":");
        dp_json_add_string(&f->json, dp_str_z(what));
        dp_buf_addz(&f->json, ",\"finding\":");
        dp_json_add_string(&f->json, dp_str_z(why));
        dp_buf_addc(&f->json, '}');
    } else {
        table_add_name(&line, what);
        dp_buf_addz(&line, ": ");
        table_add_name(&line, why);
        dp_buf_addc(&line, '\n');
        status = dp_out_write(f->cli->run.out, line.p, line.n, err);
    }
    dp_buf_release(&line);
    return status;
}

static enum dp_status look_up(void *ctx, struct dp_err *err) {
    const struct findings *f = ctx;
    return dp_run_stopped(&f->cli->run, err) ? DP_SIGNALLED : DP_OK;
}

static void report(struct dp_cli *cli, const struct dp_delta_verified *v, struct dp_buf *json) {
    dp_cli_report_i64(cli, "version", v->version);
    dp_cli_report_u64(cli, "commits", v->commits);
    dp_cli_report_u64(cli, "checkpoints", v->checkpoints);
    dp_cli_report_u64(cli, "files", v->files);
    dp_cli_report_u64(cli, "bytes", v->bytes);
    dp_cli_report_u64(cli, "rows", v->rows);
    dp_cli_report_u64(cli, "deletion_vectors", v->vectors);
    dp_buf_addz(json, json->n ? "]" : "[]");
    dp_cli_report(cli, "findings", dp_buf_str(json));
}

static enum dp_status run_verify(struct dp_cli *cli, struct dp_err *err) {
    const struct verify_conf *conf = cli->conf;
    struct findings f = {.cli = cli};
    struct dp_delta_verified v;
    struct dp_delta_verify_opts o = {.version = -1, .deep = conf->deep, .pool = cli->run.pool, .memory = cli->common.memory, .found = print_finding, .tick = look_up, .ctx = &f};
    if (conf->as_of) DP_TRY(dp_delta_as_of(cli->args[0], dp_str_z(conf->as_of), &o.version, err));
    enum dp_status status = dp_delta_verify(cli->args[0], &o, &v, err);
    if (status == DP_OK) {
        report(cli, &v, &f.json);
        status = dp_cli_say(cli, err, "%s: version %lld, %llu files of %llu bytes, %llu rows: %llu findings\n", cli->args[0], (long long)v.version, (unsigned long long)v.files,
                           (unsigned long long)v.bytes, (unsigned long long)v.rows, (unsigned long long)v.findings);
    }
    dp_buf_release(&f.json);
    if (status == DP_OK && v.findings) status = dp_err_set(err, DP_FORMAT, "%s: it does not hold what its log says: %llu findings", cli->args[0], (unsigned long long)v.findings);
    return status;
}

const struct dp_tool table_verify = {
    .name = "verify", .summary = "does the table hold what its log says?", .args = "TABLE", .synopsis = "TABLE [--as-of VERSION|TIME] [--deep]",
    .options = verify_options, .conf_size = sizeof(struct verify_conf), .common = DP_COMMON_JSON | DP_COMMON_THREADS | DP_COMMON_MEMORY, .min_args = 1, .max_args = 1, .no_lineage = "*", .run = run_verify};
