/* dp-retain export: all that is known of a person, as a zip that the person can open. */
#include "retain.h"

#include <dp/io/catalog.h>
#include <dp/io/export.h>

#include <stdlib.h>

struct export_conf {
    struct retain_whom whom;
    struct dp_opt_list columns, contracts, redact;
    const char *output, *audit, *reason, *request, *store;
    int64_t received;
    int law;
    bool only_columns, allow_unreachable, history;
};

static const char *const laws[] = {"gdpr", "ccpa", NULL};

static const struct dp_opt export_options[] = {
    RETAIN_WHOM(export_conf),
    DP_OPT_LIST(export_conf, columns, "column", 0, "DATASET#COLUMN=NAME", "a column that holds identifiers under another name"),
    DP_OPT_FLAG(export_conf, only_columns, "only-columns", 0, "search only what --column names, and its copies by lineage", .needs = "column"),
    DP_OPT_PATH(export_conf, output, "output", 'o', "ZIP", "the package, a new file", .required = true),
    DP_OPT_FLAG(export_conf, history, "history", 0, "rows too that only older versions of tables have"),
    DP_OPT_PATH(export_conf, store, "store", 0, "DB", "store of lineage (default: $XDG_STATE_HOME/dp/lineage.db)"),
    DP_OPT_LIST(export_conf, contracts, "contract", 'c', "FILE[#OBJECT]", "what datasets are for and how long they are kept"),
    DP_OPT_LIST(export_conf, redact, "redact", 0, "[DATASET#]COLUMN", "don't show this column's values"),
    DP_OPT_ENUM(export_conf, law, "law", 0, "LAW", "whose clock runs", laws),
    DP_OPT_TIME(export_conf, received, "received", 0, "TIME", "when the person asked (default: now)"),
    DP_OPT_STRING(export_conf, request, "request", 0, "ID", "the request's number"),
    DP_OPT_STRING(export_conf, reason, "reason", 0, "TEXT", "why, for the audit log"),
    RETAIN_AUDIT(export_conf),
    DP_OPT_FLAG(export_conf, allow_unreachable, "allow-unreachable", 0, "exit 0 also when datasets could not be searched"),
    DP_OPT_END};

static void report(struct dp_cli *cli, const struct dp_export_result *r) {
    const struct { const char *key; uint64_t n; } rows[] = {
        {"identifiers", r->identifiers}, {"searched", r->searched}, {"tables", r->tables}, {"rows", r->rows}, {"history_rows", r->history_rows}, {"without_column", r->without_column}, {"gone", r->gone},
        {"unreachable", r->unreachable}, {"unreadable", r->unreadable}, {"bytes", r->bytes}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) dp_cli_report_u64(cli, rows[i].key, rows[i].n);
    dp_cli_report_str(cli, "sha256", dp_str_z(r->sha256));
    dp_cli_report_str(cli, "received", dp_str_z(r->received));
    dp_cli_report_str(cli, "due", dp_str_z(r->due));
    dp_cli_report_str(cli, "due_extended", dp_str_z(r->extended));
    dp_cli_report_i64(cli, "days_left", r->days_left);
}

static enum dp_status tell(struct dp_cli *cli, const struct dp_export_result *r, struct dp_err *err) {
    const struct export_conf *conf = cli->conf;
    report(cli, r);
    DP_TRY(dp_cli_say(cli, err, "%s: %llu rows of %llu of %llu datasets; due %s, %lld days left\n", conf->output, (unsigned long long)r->rows, (unsigned long long)r->tables,
                      (unsigned long long)r->searched, r->due, (long long)r->days_left));
    if (r->days_left < 0) dp_run_log(&cli->run, DP_LOG_WARN, "the answer was due on %s (%s where the person was told of an extension)", r->due, r->extended);
    if (r->unreachable && !conf->allow_unreachable)
        return dp_err_set(err, DP_RULE, "%llu datasets could not be searched, or not wholly: the package lists them (--allow-unreachable where that is known)", (unsigned long long)r->unreachable);
    if (r->unreachable) dp_run_log(&cli->run, DP_LOG_WARN, "%llu datasets could not be searched, or not wholly: the package lists them", (unsigned long long)r->unreachable);
    return !r->rows && cli->common.skip_empty ? dp_err_set(err, DP_EMPTY, "nothing was found") : DP_OK;
}

static enum dp_status run_export(struct dp_cli *cli, struct dp_err *err) {
    const struct export_conf *conf = cli->conf;
    struct dp_subject subject = {0};
    struct dp_catalog *store = NULL;
    struct dp_export_result r;
    enum dp_status status;
    DP_TRY_OUT(retain_read_whom(&conf->whom, &subject, err));
    DP_TRY_OUT(retain_open_store(cli, conf->store, &store, err));
    const struct dp_export_opts o = {
        .subject = &subject, .graphs = conf->whom.graph.v, .n_graphs = conf->whom.graph.n, .contracts = conf->contracts.v, .n_contracts = conf->contracts.n, .redact = conf->redact.v, .n_redact = conf->redact.n,
        .where = {.store = store, .operands = cli->args, .n_operands = cli->n_args, .columns = conf->columns.v, .n_columns = conf->columns.n, .only_columns = conf->only_columns},
        .history = conf->history, .output = conf->output, .audit = conf->audit, .why = conf->reason, .request = conf->request, .law = conf->law == 1 ? DP_EXPORT_CCPA : DP_EXPORT_GDPR,
        .received = dp_cli_given(cli, "received") ? conf->received : INT64_MIN};
    DP_TRY_OUT(dp_export(&cli->run, &o, &r, err));
    status = tell(cli, &r, err);
out:
    dp_catalog_close(store);
    dp_subject_release(&subject);
    return status;
}

const struct dp_tool retain_export = {
    .name = "export", .summary = "all that is known of a person, as a zip to open", .args = "SOURCE",
    .synopsis = "--subject NAME=VALUE... | --subjects-from FILE  -o ZIP\n[--id-graph SOURCE] [--column DATASET#COLUMN=NAME]... [--redact COLUMN]...\n[--history] [--law gdpr|ccpa] [--received TIME] [--request ID] [--reason TEXT] [SOURCE|DIR...]",
    .options = export_options, .conf_size = sizeof(struct export_conf), .common = DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_JSON | DP_COMMON_EMPTY | DP_COMMON_PROGRESS,
    .min_args = 0, .max_args = -1, .no_lineage = "*", .run = run_export};
