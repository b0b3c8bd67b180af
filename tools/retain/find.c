/*
 * dp-retain find: is a subject still in anything that tables consist of?  Rows of any version, dictionaries, bounds, filters, the log, names.
 */
#include "retain.h"

#include <dp/io/catalog.h>
#include <dp/io/subject.h>
#include <dp/io/traces.h>

#include <stdlib.h>

struct find_conf { struct retain_whom whom; const char *store; };

static const struct dp_opt find_options[] = {
    RETAIN_WHOM(find_conf),
    DP_OPT_PATH(find_conf, store, "store", 0, "DB", "store of lineage, where no table is named (default: $XDG_STATE_HOME/dp/lineage.db)"),
    DP_OPT_END};

static enum dp_status say(void *ctx, const struct dp_trace *t, struct dp_err *err) {
    struct dp_cli *cli = ctx;
    struct dp_buf b = {0};
    if (cli->common.json) return DP_OK;
    dp_buf_addz(&b, dp_trace_words[t->kind]);
    if (t->value) dp_buf_addf(&b, "\t%.*s\t%llu\t", DP_STR_FMT(t->value->name), (unsigned long long)t->n);
    else dp_buf_addf(&b, "\t\t\t");
    dp_buf_addz(&b, t->path);
    if (t->why) dp_buf_addf(&b, "\t%s", t->why);
    dp_buf_addc(&b, '\n');
    enum dp_status status = dp_out_write(cli->run.out, b.p, b.n, err);
    dp_buf_release(&b);
    return status;
}

static enum dp_status read_subject(struct dp_cli *cli, struct dp_subject *s, struct dp_err *err) {
    const struct find_conf *conf = cli->conf;
    DP_TRY(retain_read_whom(&conf->whom, s, err));
    for (size_t i = 0; i < conf->whom.graph.n; i++) DP_TRY(dp_subject_close_over(&cli->run, s, conf->whom.graph.v[i], err));
    return DP_OK;
}

/* What to search: the operands, else all that lineage knows and that is still there; `away` is told, and can't be. */
struct targets { const char **v; size_t n; uint64_t away; struct dp_subject_places places; };

static enum dp_status take_known(struct dp_cli *cli, const struct dp_subject *s, struct targets *t, struct dp_err *err) {
    const struct find_conf *conf = cli->conf;
    struct dp_catalog *store = NULL;
    DP_TRY(retain_open_store(cli, conf->store, &store, err));
    if (!store) return dp_err_set(err, DP_USAGE, "name a table or a file: there is no store of lineage that knows some");
    enum dp_status status = dp_subject_find(&cli->run, s, &(struct dp_subject_where){.store = store}, &t->places, err);
    dp_catalog_close(store);
    t->v = dp_calloc(t->places.n + 1, sizeof *t->v);
    for (size_t i = 0; i < t->places.n && status == DP_OK; i++) {
        const struct dp_subject_place *p = &t->places.v[i];
        const struct dp_trace away = {.path = p->name, .kind = DP_TRACE_UNREAD, .n = 1, .why = p->fault};
        if (p->state == DP_SUBJECT_GONE) continue;
        if (p->state != DP_SUBJECT_UNREACHABLE) t->v[t->n++] = p->name;
        else t->away++, status = say(cli, &away, err);
    }
    return status;
}

static enum dp_status run_find(struct dp_cli *cli, struct dp_err *err) {
    struct dp_subject subject = {0};
    struct dp_traces_totals t = {0};
    struct dp_trace_value *values = NULL;
    struct targets targets = {.n = 0};
    enum dp_status status = read_subject(cli, &subject, err);
    if (status == DP_OK && !cli->n_args) status = take_known(cli, &subject, &targets, err);
    if (status == DP_OK) {
        values = dp_traces_of(&subject);
        status = dp_traces_find(&cli->run, cli->n_args ? cli->args : targets.v, cli->n_args ? cli->n_args : targets.n, values, subject.n, say, cli, &t, err);
    }
    t.unread += targets.away;
    dp_subject_places_release(&targets.places);
    free(targets.v);
    const struct { const char *key; uint64_t n; } rows[] = {{"tables", t.tables}, {"files", t.files}, {"bytes", t.bytes}, {"rows", t.rows}, {"identifiers", subject.n},
                                                           {"files_found", t.found}, {"files_perhaps", t.perhaps}, {"files_unread", t.unread}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) dp_cli_report_u64(cli, rows[i].key, rows[i].n);
    if (status == DP_OK) status = dp_cli_say(cli, err, "%llu files of %llu bytes, %llu rows: found in %llu, perhaps in %llu, %llu can't be told\n", (unsigned long long)t.files,
                                             (unsigned long long)t.bytes, (unsigned long long)t.rows, (unsigned long long)t.found, (unsigned long long)t.perhaps, (unsigned long long)t.unread);
    if (status == DP_OK && t.found) status = dp_err_set(err, DP_RULE, "the subject is in %llu files", (unsigned long long)t.found);
    else if (status == DP_OK && t.unread) status = dp_err_set(err, DP_IO, "of %llu files it can't be told whether the subject is in them", (unsigned long long)t.unread);
    free(values);
    dp_subject_release(&subject);
    return status;
}

const struct dp_tool retain_finder = {
    .name = "find", .summary = "search everything that tables consist of for a subject", .args = "TABLE", .synopsis = "(--subject NAME=VALUE | --subjects-from FILE)... [--id-graph SOURCE]... [--store DB] [TABLE|FILE...]",
    .options = find_options, .conf_size = sizeof(struct find_conf), .common = DP_COMMON_THREADS | DP_COMMON_MEMORY | DP_COMMON_JSON | DP_COMMON_PROGRESS,
    .min_args = 0, .max_args = -1, .no_lineage = "*", .run = run_find};
