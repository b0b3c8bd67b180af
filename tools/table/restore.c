/* dp-table restore: a new version that is what an older one was. */
#include "table.h"

#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/delta/hold.h>
#include <dp/delta/land.h>
#include <dp/delta/restore.h>
#include <dp/io/datasets.h>

enum { TRIES = 10, TOLD = 20 /* files by name */ };

struct restore_conf {
    const char *to;
};

static const struct dp_opt restore_options[] = {
    DP_OPT_STRING(restore_conf, to, "to", 0, "VERSION|TIME", "the version that the table is to be again"),
    DP_OPT_END};

struct missing {
    struct dp_cli *cli;
    uint64_t n;
};

static enum dp_status tell_missing(void *ctx, const char *path, const char *why, struct dp_err *err) {
    struct missing *m = ctx;
    (void)err;
    if (m->n++ < TOLD) dp_run_log(&m->cli->run, DP_LOG_ERROR, "%s %s", path, why);
    return DP_OK;
}

static enum dp_status say_restored(struct dp_cli *cli, const struct dp_delta_restore *r, int64_t version, struct dp_err *err) {
    const struct dp_delta_change *c = &r->change;
    dp_cli_report_i64(cli, "restored", r->then->version);
    dp_cli_report_i64(cli, "version", version);
    dp_cli_report_u64(cli, "files_added", c->n_adds);
    dp_cli_report_u64(cli, "files_removed", c->n_removes);
    if (!r->is_changed) return dp_cli_say(cli, err, "%s: is as it was at version %lld\n", r->now->table, (long long)r->then->version);
    const char *also = r->changes_schema && r->changes_properties ? ", schema and properties changed" : r->changes_schema ? ", schema changed" : r->changes_properties ? ", properties changed" : "";
    if (cli->run.dry_run)
        return dp_cli_say(cli, err, "%s: would be as at version %lld: %zu files added, %zu removed%s\n", r->now->table, (long long)r->then->version, c->n_adds, c->n_removes, also);
    return dp_cli_say(cli, err, "%s: version %lld is as version %lld was: %zu files added, %zu removed%s\n", r->now->table, (long long)version, (long long)r->then->version, c->n_adds,
                     c->n_removes, also);
}

static enum dp_status restore_once(struct dp_cli *cli, int64_t to, const char *timestamp, struct dp_err *err) {
    struct dp_delta_snapshot *now = NULL, *then = NULL;
    struct dp_delta_restore r = {0};
    struct missing m = {.cli = cli};
    struct dp_delta_hold hold = DP_DELTA_HOLD_INIT; /* no live entry names what is to come back */
    int64_t now_ms = (cli->run.now_fixed ? cli->run.now_micros : dp_time_now_micros()) / 1000;
    enum dp_status status = cli->run.dry_run ? DP_OK : dp_delta_hold(cli->args[0], &hold, err);
    if (status == DP_OK) status = dp_delta_open(cli->args[0], -1, &now, err);
    if (status == DP_OK) status = dp_delta_open(cli->args[0], to, &then, err);
    int64_t version = now ? now->version : -1;
    if (status == DP_OK) {
        dp_delta_restore_plan(now, then, timestamp, &r);
        struct dp_delta_intent intent = {.removes = r.change.n_removes > 0, .writes = r.change.n_adds > 0, .checks = true};
        status = dp_delta_check_write(&now->protocol, &now->metadata, now->schema, &intent, err);
    }
    if (status == DP_OK) status = dp_delta_restore_missing(&r, tell_missing, &m, err);
    if (status == DP_OK && m.n)
        status = dp_err_set(err, DP_IO, "%s: %llu of the files of version %lld are gone, and nothing was changed: a vacuum deletes what no version within the retention needs", cli->args[0],
                            (unsigned long long)m.n, (long long)to);
    if (status == DP_OK && r.is_changed && !cli->run.dry_run) status = dp_delta_restore_publish(&r, now_ms, &version, err);
    dp_delta_hold_release(&hold);
    if (status == DP_OK && r.is_changed && !cli->run.dry_run) dp_delta_staging_sweep(cli->args[0], cli->run.now_micros / 1000000, 86400);
    if (status == DP_OK && !cli->run.dry_run) {
        struct dp_dataset *d = dp_dataset_copied(&cli->run, cli->args[0], cli->args[0], then->schema);
        dp_dataset_version(dp_dataset_input(&cli->run, cli->args[0]), to);
        dp_dataset_version(d, version);
        dp_dataset_lifecycle(d, r.changes_schema ? DP_OL_ALTER : DP_OL_OVERWRITE);
    }
    if (status == DP_OK) status = say_restored(cli, &r, version, err);
    if (status == DP_OK && !r.is_changed && cli->common.skip_empty) status = dp_err_set(err, DP_EMPTY, "nothing to restore");
    dp_delta_restore_release(&r);
    dp_delta_close(now);
    dp_delta_close(then);
    return status;
}

static enum dp_status run_restore(struct dp_cli *cli, struct dp_err *err) {
    const struct restore_conf *conf = cli->conf;
    enum dp_status status = DP_AGAIN;
    int64_t to, ignored;
    if (!conf->to) return dp_err_set(err, DP_USAGE, "--to is needed: the version or time that the table is to be again");
    DP_TRY(dp_delta_as_of(cli->args[0], dp_str_z(conf->to), &to, err));
    bool is_number = dp_parse_i64(dp_str_z(conf->to), &ignored);
    for (int i = 0; i < TRIES && status == DP_AGAIN; i++) status = restore_once(cli, to, is_number ? NULL : conf->to, err);
    return status;
}

const struct dp_tool table_restore = {
    .name = "restore", .summary = "make the table again what it was at a version", .args = "TABLE", .synopsis = "TABLE --to VERSION|TIME", .options = restore_options,
    .conf_size = sizeof(struct restore_conf), .common = TABLE_COMMON, .min_args = 1, .max_args = 1, .run = run_restore};
