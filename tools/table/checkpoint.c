/*
 * dp-table checkpoint: the latest version's state as one file (or, large and in form V2, some), and with --cleanup the entries of the log that are
 * older than the table keeps them.
 */
#include "table.h"

#include <dp/delta/checkpoint.h>
#include <dp/delta/logclean.h>

static const char *const form_names[] = {"auto", "classic", "v2", NULL};

struct checkpoint_conf {
    int format;
    bool cleanup;
};

static const struct dp_opt checkpoint_options[] = {
    DP_OPT_ENUM(checkpoint_conf, format, "format", 0, "FORM", "auto: as the property delta.checkpointPolicy says; classic; v2, with sidecars where the table is large", form_names),
    DP_OPT_FLAG(checkpoint_conf, cleanup, "cleanup", 0, "then remove log entries that are older than delta.logRetentionDuration and that no version kept needs"),
    DP_OPT_END};

static enum dp_status say_file(void *ctx, const char *path, struct dp_err *err) { return dp_cli_say(ctx, err, "%s\n", path); }

static enum dp_status clean(struct dp_cli *cli, const struct dp_delta_snapshot *s, struct dp_err *err) {
    struct dp_delta_cleaned done;
    bool dry = cli->run.dry_run;
    struct dp_delta_clean_opts o = {.now_ms = cli->run.now_micros / 1000, .dry_run = dry, .each = dry ? say_file : NULL, .each_ctx = cli};
    DP_TRY(dp_delta_log_clean(s, &o, &done, err));
    dp_cli_report_u64(cli, "removed", done.files);
    dp_cli_report_i64(cli, "removed_bytes", done.bytes);
    if (done.oldest < 0) return dp_cli_say(cli, err, "%s: nothing in the log is old enough to go\n", s->table);
    dp_cli_report_i64(cli, "oldest_version", done.oldest);
    return dp_cli_say(cli, err, "%s: %s %llu files of the log, %lld bytes; the oldest version is %lld\n", s->table, dry ? "would remove" : "removed",
                     (unsigned long long)done.files, (long long)done.bytes, (long long)done.oldest);
}

static enum dp_status run_checkpoint(struct dp_cli *cli, struct dp_err *err) {
    const struct checkpoint_conf *conf = cli->conf;
    struct dp_delta_snapshot *s = NULL;
    struct dp_delta_checkpoint_opts o = {.form = (enum dp_delta_checkpoint_policy)conf->format, .now_ms = cli->run.now_micros / 1000};
    struct dp_delta_intent nothing = {0};
    DP_TRY(dp_delta_open(cli->args[0], -1, &s, err));
    enum dp_status status = dp_delta_check_write(&s->protocol, &s->metadata, s->schema, &nothing, err);
    if (status == DP_OK && !cli->run.dry_run) status = dp_delta_checkpoint_make(s, &o, err);
    if (status == DP_OK)
        status = dp_cli_say(cli, err, "%s: %scheckpoint of version %lld, %zu files\n", s->table, cli->run.dry_run ? "would write a " : "", (long long)s->version, s->n_files);
    dp_cli_report_i64(cli, "version", s->version);
    if (status == DP_OK && conf->cleanup) status = clean(cli, s, err);
    dp_delta_close(s);
    return status;
}

const struct dp_tool table_checkpoint = {
    .name = "checkpoint", .summary = "write the latest version's state as one file, for fast readers", .args = "TABLE",
    .synopsis = "TABLE [--format auto|classic|v2] [--cleanup]", .options = checkpoint_options, .conf_size = sizeof(struct checkpoint_conf),
    .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 1, .max_args = 1, .no_lineage = "*", .run = run_checkpoint};
