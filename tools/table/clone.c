/* dp-table clone, dp-table branch: a new table that is what another one was. */
#include "table.h"

#include <dp/io/clone.h>

#include <stdlib.h>

struct clone_conf {
    const char *as_of;
    bool shallow, deep;
};

static const struct dp_opt clone_options[] = {
    DP_OPT_FLAG(clone_conf, shallow, "shallow", 0, "copy nothing: name the source's files where they are (this is what it does without --deep)", .conflicts = "deep"),
    DP_OPT_FLAG(clone_conf, deep, "deep", 0, "copy the files"),
    DP_OPT_STRING(clone_conf, as_of, "as-of", 0, "VERSION|TIME", "the source as it was"),
    DP_OPT_END};

static enum dp_status run_clone_of(struct dp_cli *cli, const struct dp_clone_opts *o, struct dp_err *err) {
    struct dp_cloned done;
    DP_TRY(dp_clone_table(&cli->run, o, &done, err));
    const char *would = cli->run.dry_run ? "would be " : "", *kind = o->branch ? "branch" : o->deep ? "deep clone" : "shallow clone";
    dp_cli_report_str(cli, "table", dp_str_z(o->dest));
    dp_cli_report_i64(cli, "source_version", done.source_version);
    dp_cli_report_u64(cli, "files", done.files);
    dp_cli_report_i64(cli, "bytes", done.bytes);
    if (o->deep) dp_cli_report_u64(cli, "files_copied", done.copied);
    if (!o->deep) return dp_cli_say(cli, err, "%s: %sa %s of %s version %lld, %zu files\n", o->dest, would, kind, o->source, (long long)done.source_version, done.files);
    return dp_cli_say(cli, err, "%s: %sa %s of %s version %lld, %zu files, %lld bytes copied\n", o->dest, would, kind, o->source, (long long)done.source_version, done.files,
                     (long long)done.copied_bytes);
}

static enum dp_status run_clone(struct dp_cli *cli, struct dp_err *err) {
    const struct clone_conf *conf = cli->conf;
    const struct dp_clone_opts o = {.source = cli->args[0], .dest = cli->args[1], .as_of = conf->as_of, .deep = conf->deep};
    return run_clone_of(cli, &o, err);
}

const struct dp_tool table_clone = {
    .name = "clone", .summary = "make a new table of what this one is or was", .args = "TABLE", .second = "DEST", .synopsis = "SOURCE DEST [--shallow | --deep] [--as-of VERSION|TIME]",
    .options = clone_options, .conf_size = sizeof(struct clone_conf), .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 2, .max_args = 2, .run = run_clone};

struct branch_conf {
    const char *as_of;
};

static const struct dp_opt branch_options[] = {
    DP_OPT_STRING(branch_conf, as_of, "as-of", 0, "VERSION|TIME", "the table as it was"),
    DP_OPT_END};

static enum dp_status run_branch(struct dp_cli *cli, struct dp_err *err) {
    const struct branch_conf *conf = cli->conf;
    bool is_name = *cli->args[1] != 0;
    for (const char *p = cli->args[1]; *p; p++) is_name = is_name && (unsigned char)*p >= 0x20;
    if (!is_name) return dp_err_set(err, DP_USAGE, "a branch needs a name, without control characters");
    char *dest = dp_branch_dest(cli->args[0], cli->args[1]);
    const struct dp_clone_opts o = {.source = cli->args[0], .dest = dest, .as_of = conf->as_of, .branch = true};
    enum dp_status status = run_clone_of(cli, &o, err);
    free(dest);
    return status;
}

const struct dp_tool table_branch = {
    .name = "branch", .summary = "make a copy to work on, without copying the data", .args = "TABLE", .second = "NAME or DEST", .synopsis = "TABLE NAME|DEST [--as-of VERSION|TIME]", .options = branch_options,
    .conf_size = sizeof(struct branch_conf), .common = DP_COMMON_DRY_RUN | DP_COMMON_JSON, .min_args = 2, .max_args = 2, .run = run_branch};
