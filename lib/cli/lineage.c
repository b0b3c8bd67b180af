/*
 * Lineage events of a run (OpenLineage 2-0-2): START before anything is read, RUNNING once a period while it goes on, and one of COMPLETE, FAIL and ABORT when all
 * that it wrote is where it stays.  A run is held open meanwhile (dp/io/lineage_send.h), so that where this process dies the next one says ABORT for it.
 *
 * None: where nobody is to be told (then the look at the environment is all that is done), for --help, --version, words that are wrong, --dry-run, and programs
 * that only look at metadata (no_lineage of struct dp_tool).
 */
#include "lineage_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/io/catalog.h>
#include <dp/io/datasets.h>
#include <dp/io/lineage_send.h>

#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define PERIOD_MS 60000
#define WORDS 100 /* operands that START names; more are named when they are read */

/* ---- whether ---- */

/* Is an option given with which the program only looks at metadata, or is that all it does? */
static bool only_looks(const struct dp_cli *cli) {
    const char *p = cli->tool->no_lineage, *all = cli->root->no_lineage;
    char word[32];
    if (all && strcmp(all, "*") == 0) return true;
    if (!p || strcmp(p, "*") == 0) return p != NULL;
    for (; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        if (dp_cli_given(cli, word)) return true;
        p += n;
    }
    return false;
}

/*
 * Who heads others records into the user's own store where nothing else is said, and says so to them.  A short run leaves its events to who reads that store:
 * to open it costs each program more than many a pipeline does.
 */
static void choose_store(void) {
    if (dp_lineage_told() != DP_LINEAGE_UNTOLD) return;
    char *path = dp_catalog_default();
    if (path) setenv("DP_LINEAGE", path, 1), setenv("DP_LINEAGE_LATER", "1", 0);
    free(path);
}

/* ---- events ---- */

/* All that was noted so far, with what the contract says of it; caller releases. */
static struct dp_ol_dataset *list_datasets(const struct dp_cli *cli, size_t *n) {
    const struct dp_lineage_run *l = cli->lineage;
    struct dp_ol_dataset *d = dp_datasets_list(cli->run.datasets, n);
    bool writes = false, of_inputs = strcmp(cli->root->name, "dp-mask") == 0;
    for (size_t i = 0; i < *n; i++) writes = writes || d[i].is_output;
    for (size_t i = 0; i < *n; i++)
        if (d[i].is_output == (writes && !of_inputs)) lineage_describe(l, &d[i]);
    return d;
}

static void print_event(const struct dp_cli *cli, enum dp_ol_event type, struct dp_buf *b) {
    size_t n = 0;
    struct dp_ol_dataset *d = list_datasets(cli, &n);
    dp_ol_print(&cli->lineage->run, type, dp_time_now_micros(), d, n, b);
    for (size_t i = 0; i < n; i++) dp_ol_dataset_release(&d[i]);
    free(d);
}

static void send_event(const struct dp_cli *cli, enum dp_ol_event type) {
    struct dp_buf b = {NULL, 0, 0};
    print_event(cli, type, &b);
    dp_lineage_send(cli->lineage->sender, dp_buf_str(&b));
    dp_buf_release(&b);
}

/* What is said for us, should this process die from here on. */
static void hold(const struct dp_cli *cli) {
    struct dp_lineage_run *l = cli->lineage;
    struct dp_buf b = {NULL, 0, 0};
    l->run.error = dp_strdup("the process died without a word");
    print_event(cli, DP_OL_ABORT, &b);
    free(l->run.error);
    l->run.error = NULL;
    dp_lineage_hold(l->sender, l->run.id, dp_buf_str(&b));
    dp_buf_release(&b);
}

/* ---- the run ---- */

/*
 * Who heads others has the id that they know as DP_RUN_ID: theirs are their own.  Under Airflow that id is one for all tries of a task, and each try is a run.
 * In a pipeline of its own kind (dp-run in dp-run) the id is taken.
 */
static void choose_id(const struct dp_cli *cli, struct dp_ol_run *r) {
    const char *attempt = getenv("AIRFLOW_CTX_TRY_NUMBER");
    char text[sizeof cli->run.run_id + 40], id[sizeof r->id];
    dp_ol_uuid7(dp_time_now_micros(), r->id);
    if (!cli->tool->leads) return;
    snprintf(text, sizeof text, "%s%s%.20s", cli->run.run_id, attempt && *attempt ? "/" : "", attempt ? attempt : "");
    dp_ol_uuid_of(dp_str_z(text), id);
    if (!r->parent.run || strcmp(id, r->parent.run) != 0) memcpy(r->id, id, sizeof id);
}

static int64_t period(const struct dp_run *run) {
    const char *text = getenv("DP_LINEAGE_PERIOD");
    struct dp_err err = DP_ERR_INIT;
    int64_t ms = 0;
    if (!text || !*text) return PERIOD_MS;
    if (dp_parse_duration(dp_str_z(text), &ms, &err) == DP_OK && ms > 0) return ms;
    dp_run_log(run, DP_LOG_WARN, "DP_LINEAGE_PERIOD: %s", err.msg[0] ? err.msg : "must be above 0");
    return PERIOD_MS;
}

/* Does it follow its input, or publish on the way: it, or one of those that it heads? */
static bool is_endless(const struct dp_cli *cli) {
    const char *pipeline = cli->tool->leads && cli->n_args ? cli->args[0] : "";
    return dp_cli_given(cli, "follow") || dp_cli_given(cli, "commit-every") || strstr(pipeline, " --follow") || strstr(pipeline, " --commit-every");
}

static bool is_command(const struct dp_tool *t, const char *const *names) {
    for (; *names; names++)
        if (strcmp(t->name, *names) == 0) return true;
    return false;
}

/*
 * What the words alone tell of what is read and written, so that START and the ABORT of a process that dies name it.  Only where the program itself would note the
 * same, for events of a run accumulate: operands that are there, the directory of -o, and the table of commands that change rows.
 */
static void note_words(struct dp_cli *cli) {
    static const char *const writers[] = {"commit", "merge", "update", "delete", NULL}, *const readers[] = {"merge", "update", "delete", NULL};
    const struct dp_tool *t = cli->tool;
    bool sources = t->args && strcmp(t->args, "SOURCE") == 0 && !dp_cli_given(cli, "retry-rejects"), table = strcmp(cli->root->name, "dp-table") == 0 && t != cli->root && cli->n_args;
    for (size_t i = t->first_for && !dp_cli_given(cli, t->first_for); sources && i < cli->n_args && i < WORDS; i++)
        if (!strpbrk(cli->args[i], "*?[") && access(cli->args[i], F_OK) == 0) (void)dp_dataset_input(&cli->run, cli->args[i]);
    if (table && is_command(t, readers)) (void)dp_dataset_input(&cli->run, cli->args[0]);
    if (table && is_command(t, writers)) (void)dp_dataset_output(&cli->run, cli->args[0]);
    if (sources && cli->common.output) (void)dp_dataset_output(&cli->run, cli->common.output);
}

/* Of who only looks, or looks after: for its report alone, the tables that it works for. */
static void note_tables(struct dp_cli *cli) {
    if (!cli->tool->args || strcmp(cli->tool->args, "TABLE") != 0) return;
    cli->run.datasets = dp_datasets_open();
    for (size_t i = 0; i < cli->n_args && i < WORDS; i++)
        if (access(cli->args[i], F_OK) == 0) (void)dp_dataset_input(&cli->run, cli->args[i]);
}

static void note(struct dp_cli *cli) {
    cli->run.datasets = dp_datasets_open();
    if (!cli->tool->leads) note_words(cli);
}

/* Takes ownership of `job`. */
static void start(struct dp_cli *cli, char *job) {
    struct dp_lineage_conf *conf = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (cli->tool->leads) choose_store();
    if (dp_lineage_conf_load(&conf, &err) != DP_OK) dp_run_log(&cli->run, DP_LOG_WARN, "no lineage is sent: %s", err.msg);
    if (!conf) {
        free(job);
        return;
    }
    struct dp_lineage_run *l = cli->lineage = dp_calloc(1, sizeof *l);
    l->run.ns = dp_strdup(dp_lineage_conf_namespace(conf));
    l->run.job = job ? job : lineage_job_name(cli);
    l->run.streaming = is_endless(cli);
    lineage_find_parent(cli, &l->run);
    choose_id(cli, &l->run);
    lineage_source_code(&l->run);
    lineage_read_contract(cli, l);
    note(cli);
    l->period = period(&cli->run);
    l->next = dp_time_monotonic_ms() + l->period;
    l->sender = dp_lineage_open(&cli->run, conf);
    hold(cli);
    send_event(cli, DP_OL_START);
}

void dp_cli_lineage_start(struct dp_cli *cli) {
    if (cli->run.dry_run || cli->tool->leads) return;
    if (only_looks(cli)) {
        if (dp_cli_book_is_wanted(cli)) note_tables(cli);
        return;
    }
    start(cli, NULL);
    if (!cli->run.datasets && dp_cli_book_is_wanted(cli)) note(cli);
}

void dp_cli_lineage_lead(struct dp_cli *cli, char *job) {
    struct dp_buf places = {NULL, 0, 0};
    start(cli, job);
    if (!cli->lineage) return;
    lineage_lead(&cli->lineage->run);
    dp_lineage_places(cli->lineage->sender, &places);
    setenv(DP_LINEAGE_PLACES, dp_buf_z(&places), 1);
    dp_buf_release(&places);
}

void dp_cli_lineage_tick(struct dp_cli *cli) {
    struct dp_lineage_run *l = cli->lineage;
    int64_t now = l ? dp_time_monotonic_ms() : 0;
    if (!l || now < l->next) return;
    l->next = now + l->period;
    hold(cli);
    send_event(cli, DP_OL_RUNNING);
}

/* Stopped from outside, or because another program failed, is no failure of its own; who heads others fails with theirs. */
static enum dp_ol_event how_it_ended(const struct dp_cli *cli, const struct dp_outcome *o) {
    if (o->exit_code == 0 || o->exit_code == 99) return DP_OL_COMPLETE;
    if (o->status == DP_SIGNALLED || o->status == DP_PIPE) return DP_OL_ABORT;
    if (o->status == DP_ABORTED) return cli->tool->leads && o->exit_code < 128 ? DP_OL_FAIL : DP_OL_ABORT;
    return DP_OL_FAIL;
}

bool dp_cli_lineage_end(struct dp_cli *cli, const struct dp_outcome *o) {
    struct dp_lineage_run *l = cli->lineage;
    if (!l) return true;
    enum dp_ol_event type = how_it_ended(cli, o);
    if (type != DP_OL_COMPLETE) l->run.error = lineage_error_text(cli, o->err);
    dp_datasets_facets(cli->run.datasets, &l->run);
    send_event(cli, type);
    dp_lineage_unhold(l->sender, l->run.id);
    bool whole = dp_lineage_close(l->sender);
    lineage_forget_contract(l);
    dp_ol_run_release(&l->run);
    free(l);
    cli->lineage = NULL;
    return whole;
}

void dp_cli_lineage_reap(struct dp_cli *cli) {
    if (cli->lineage) dp_lineage_reap(cli->lineage->sender);
}
