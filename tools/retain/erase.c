/* dp-retain erase: a person out of tables, in all of their versions. */
#include "retain.h"

#include <dp/io/catalog.h>
#include <dp/io/erase.h>

#include <stdlib.h>

struct erase_conf {
    struct retain_whom whom;
    struct dp_opt_list columns;
    const char *audit, *reason, *store, *evidence;
    int64_t young;
    bool only_columns, verify;
};

static const struct dp_opt erase_options[] = {
    RETAIN_WHOM(erase_conf),
    DP_OPT_LIST(erase_conf, columns, "column", 0, "DATASET#COLUMN=NAME", "a column that holds identifiers under another name"),
    DP_OPT_FLAG(erase_conf, only_columns, "only-columns", 0, "rows are known by what --column names, and its copies by lineage, alone", .needs = "column"),
    DP_OPT_FLAG(erase_conf, verify, "verify", 0, "search everything that is left"),
    DP_OPT_PATH(erase_conf, evidence, "evidence", 0, "FILE", "write what was done and found, for dp-retain certify"),
    DP_OPT_DURATION(erase_conf, young, "orphans", 0, "AGE", "remove files that no version names and that are older than this (default: 1d)", 0, 0),
    DP_OPT_PATH(erase_conf, store, "store", 0, "DB", "store of lineage (default: $XDG_STATE_HOME/dp/lineage.db)"),
    DP_OPT_STRING(erase_conf, reason, "reason", 0, "TEXT", "why, for the audit log"),
    RETAIN_AUDIT(erase_conf),
    DP_OPT_END};

static enum dp_status say(void *ctx, const struct dp_trace *t, struct dp_err *err) {
    struct dp_cli *cli = ctx;
    (void)err;
    if (t->value) dp_run_log(&cli->run, t->kind == DP_TRACE_BLOOM ? DP_LOG_VERBOSE : DP_LOG_WARN, "left: %s %.*s %llu times in %s", dp_trace_words[t->kind], DP_STR_FMT(t->value->name), (unsigned long long)t->n, t->path);
    else dp_run_log(&cli->run, DP_LOG_WARN, "%s can't be told about: %s", t->path, t->why ? t->why : "");
    return DP_OK;
}

static void report(struct dp_cli *cli, const struct dp_erased *d) {
    const struct { const char *key; uint64_t n; } rows[] = {
        {"identifiers", d->identifiers}, {"tables", d->tables}, {"plain_files", d->plain_files}, {"unreachable", d->unreachable}, {"files", d->files}, {"files_read", d->files_read},
        {"files_rewritten", d->files_rewritten}, {"files_removed", d->files_removed}, {"change_files", d->change_files}, {"orphans_removed", d->orphans}, {"orphans_left", d->young},
        {"foreign_files", d->foreign}, {"rows_erased", d->rows}, {"rows_erased_live", d->rows_live}, {"bytes_removed", d->bytes_removed}, {"bytes_written", d->bytes_written},
        {"log_files", d->log_files}, {"texts_redacted", d->redacted}, {"versions", d->versions}, {"resumed", d->resumed}, {"files_searched", d->left.files}, {"files_found", d->left.found},
        {"files_perhaps", d->left.perhaps}, {"files_unread", d->left.unread}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) dp_cli_report_u64(cli, rows[i].key, rows[i].n);
}

static enum dp_status judge(struct dp_cli *cli, const struct dp_erased *d, struct dp_err *err) {
    const struct erase_conf *conf = cli->conf;
    if (d->foreign) dp_run_log(&cli->run, DP_LOG_WARN, "%llu files belong to other tables, which have the person still: erase from these, too", (unsigned long long)d->foreign);
    if (d->unreachable) return dp_err_set(err, DP_RULE, "%llu datasets are known that could not be searched", (unsigned long long)d->unreachable);
    if (d->young) return dp_err_set(err, DP_RULE, "%llu files that no version names have the person, and are too young to be removed (--orphans)", (unsigned long long)d->young);
    if (conf->verify && d->left.found) return dp_err_set(err, DP_RULE, "the person is in %llu files still", (unsigned long long)d->left.found);
    if (conf->verify && d->left.unread) return dp_err_set(err, DP_IO, "of %llu files it can't be told whether the person is in them", (unsigned long long)d->left.unread);
    return !d->rows && !d->log_files && !d->orphans && !d->resumed && cli->common.skip_empty ? dp_err_set(err, DP_EMPTY, "nothing was found") : DP_OK;
}

static enum dp_status run_erase(struct dp_cli *cli, struct dp_err *err) {
    const struct erase_conf *conf = cli->conf;
    struct dp_subject subject = {0};
    struct dp_catalog *store = NULL;
    struct dp_erased d = {0};
    enum dp_status status;
    if (!conf->reason && !cli->run.dry_run) return dp_err_set(err, DP_USAGE, "erase needs --reason TEXT, for the audit log (--dry-run tells what would go)");
    DP_TRY_OUT(retain_read_whom(&conf->whom, &subject, err));
    DP_TRY_OUT(retain_open_store(cli, conf->store, &store, err));
    const struct dp_erase_opts o = {.subject = &subject, .graphs = conf->whom.graph.v, .n_graphs = conf->whom.graph.n,
                                    .where = {.store = store, .operands = cli->args, .n_operands = cli->n_args, .columns = conf->columns.v, .n_columns = conf->columns.n, .only_columns = conf->only_columns},
                                    .audit = conf->audit, .why = conf->reason, .verify = conf->verify, .evidence = conf->evidence, .say = say, .ctx = cli,
                                    .young_ms = dp_cli_given(cli, "orphans") ? conf->young : 86400000};
    status = dp_erase(&cli->run, &o, &d, err);
    report(cli, &d);
    if (status != DP_OK) goto out;
    status = dp_cli_say(cli, err, "%llu rows %s from %llu of %llu files, %llu files %s; %llu versions of %llu tables%s\n", (unsigned long long)d.rows, cli->run.dry_run ? "would go" : "went",
                        (unsigned long long)(d.files_rewritten + d.change_files), (unsigned long long)(d.files + d.plain_files), (unsigned long long)(d.files_removed + d.orphans),
                        cli->run.dry_run ? "would be removed" : "were removed", (unsigned long long)d.versions, (unsigned long long)d.tables,
                        conf->verify && !cli->run.dry_run && !d.left.found && !d.left.unread ? "; nothing is left" : "");
    if (status == DP_OK) status = judge(cli, &d, err);
out:
    dp_catalog_close(store);
    dp_subject_release(&subject);
    return status;
}

const struct dp_tool retain_erase = {
    .name = "erase", .summary = "take a person out of tables, in all of their versions", .args = "TABLE",
    .synopsis = "(--subject NAME=VALUE | --subjects-from FILE)... --reason TEXT\n[--id-graph SOURCE]... [--column DATASET#COLUMN=NAME]...\n[--verify] [--evidence FILE] [--orphans AGE] [--audit DIR] [TABLE|FILE|DIR...]",
    .options = erase_options, .conf_size = sizeof(struct erase_conf),
    .common = DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_DRY_RUN | DP_COMMON_JSON | DP_COMMON_EMPTY | DP_COMMON_PROGRESS, .min_args = 0, .max_args = -1, .no_lineage = "*", .run = run_erase};
