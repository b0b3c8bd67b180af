/*
 * The main of every program: words to options, options to a run, the run to an exit code (DESIGN.md, section 2).
 * Order at the end: books, rejects, standard output, the tool's settle, the message, --report and --metrics, the last lineage event, the --json line (which
 * nothing may follow); whatever fails first is the cause.
 */
#include "cli_priv.h"

#include <dp/base/file.h>
#include <dp/base/time.h>
#include <dp/io/lineage_send.h>

#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_GIVEN 160 /* rows of one tool, checked at start */

struct main_state {
    struct dp_cli cli;
    struct dp_logger logger;
    struct dp_opt common_rows[DP_COMMON_MAX];
    struct dp_opt_set sets[2];
    bool given[2][MAX_GIVEN];
    int64_t started;       /* monotonic, microseconds */
    int64_t next_progress;
    bool shows_progress;
    bool leaves_thread;    /* one that is in a call without end, as a look-up of a name, or in the loader, whose lock exit(3) would wait for */
    bool ran;              /* the tool's run was called */
};

/* A closed standard descriptor must not be taken by the first file that is opened; what is then done with it fails, as it should. */
static void guard_descriptors(void) {
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            int got = open("/dev/null", fd == 1 ? O_RDONLY : O_WRONLY);
            if (got != fd && got >= 0) close(got);
        }
}

/*
 * What is freed goes back: glibc would raise its thresholds as large blocks come and go, and then keep them, so that --memory would hold only
 * in our books.  Few arenas for the same reason; where rows are gathered, one, for they are made by one thread and freed by another.
 */
static void tame_malloc(const struct dp_tool *tool) {
    (void)tool;
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_ARENA_MAX, tool->common & DP_COMMON_OUTPUT ? 1 : 2);
#endif
}

/* ---- what is served without a run ---- */

static int print_and_exit(struct main_state *m, struct dp_buf *text) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_out *o = dp_out_open(&m->cli.run, STDOUT_FILENO, "standard output");
    enum dp_status status = dp_out_write(o, text->p, text->n, &err);
    if (status == DP_OK) status = dp_out_close(o, &err);
    else dp_out_drop(o);
    dp_buf_release(text);
    if (status != DP_OK && status != DP_PIPE) dp_logger_err(&m->logger, &err);
    return dp_status_exit(status, &err);
}

size_t dp_cli_columns(void) {
    struct winsize w;
    if (!isatty(STDOUT_FILENO)) return 0;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static size_t help_width(void) {
    size_t columns = dp_cli_columns();
    return columns ? columns : 80;
}

/* --version --json is for every program, also for those without --json. */
static bool words_given(int argc, char **argv, const char *a, const char *b) {
    bool has_a = false, has_b = false;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        has_a = has_a || strcmp(argv[i], a) == 0;
        has_b = has_b || strcmp(argv[i], b) == 0;
    }
    return has_a && has_b;
}

static bool served(struct main_state *m, int argc, char **argv, int *code) {
    struct dp_cli *cli = &m->cli;
    struct dp_buf text = {NULL, 0, 0};
    bool json = words_given(argc, argv, "--version", "--json");
    if (cli->common.help) dp_help_print(cli->root, cli->tool, help_width(), &text);
    else if (cli->common.version || json) dp_version_print(cli->root, json, &text);
    else if (cli->common.dump_options) dp_dump_print(cli->root, &text);
    else return false;
    *code = print_and_exit(m, &text);
    return true;
}

/* ---- words to options ---- */

static const char *near_command(const struct dp_tool *root, const char *word) {
    const char *names[64];
    size_t n = 0;
    for (const struct dp_tool *const *c = root->commands; *c && n < 63; c++) names[n++] = (*c)->name;
    names[n] = NULL;
    return dp_str_nearest(word, names);
}

static enum dp_status no_command(const struct dp_tool *root, const char *word, struct dp_err *err) {
    if (!word) return dp_err_set(err, DP_USAGE, "a command is needed (--help lists them)");
    const char *near = near_command(root, word);
    if (near) return dp_err_set(err, DP_USAGE, "no such command \"%.60s\"; did you mean \"%s\"?", word, near);
    return dp_err_set(err, DP_USAGE, "no such command \"%.60s\" (--help lists them)", word);
}

/* A first word that names a command chooses it; argv then begins with that word. */
static void choose_command(struct main_state *m, int *argc, char ***argv) {
    const struct dp_tool *root = m->cli.root;
    m->cli.tool = root;
    if (!root->commands || *argc < 2) return;
    for (const struct dp_tool *const *c = root->commands; *c; c++)
        if (strcmp((*c)->name, (*argv)[1]) == 0) {
            m->cli.tool = *c;
            --*argc, ++*argv;
            return;
        }
}

/* A program that runs without a command too: a first operand that is no file may be a command's name with a slip. */
static enum dp_status check_command(const struct dp_cli *cli, struct dp_err *err) {
    if (cli->tool != cli->root || !cli->root->commands || !cli->n_args || access(cli->args[0], F_OK) == 0) return DP_OK;
    const char *near = near_command(cli->root, cli->args[0]);
    return near ? dp_err_set(err, DP_USAGE, "\"%.60s\" is no file and no command; did you mean \"%s\"?", cli->args[0], near) : DP_OK;
}

static enum dp_status check_operands(const struct dp_cli *cli, struct dp_err *err) {
    const struct dp_tool *t = cli->tool;
    const char *what = cli->n_args && t->second ? t->second : t->args ? t->args : "operand";
    if (!t->run) return no_command(cli->root, cli->n_args ? cli->args[0] : NULL, err);
    if (cli->n_args < (size_t)t->min_args) return dp_err_set(err, DP_USAGE, "%s is missing (--help shows how)", what);
    if (t->max_args >= 0 && cli->n_args > (size_t)t->max_args)
        return dp_err_set(err, DP_USAGE, "one word too many: \"%.100s\"%s%s", cli->args[t->max_args], t->too_many ? "; " : "", t->too_many ? t->too_many : "");
    for (size_t i = 0; strcmp(what, "TABLE") == 0 || t->second ? i < cli->n_args : false; i++) /* "$TABLE" that has no value is not the root */
        if (!*cli->args[i]) return dp_err_set(err, DP_USAGE, "%s is an empty word", i && t->second ? t->second : t->args);
    return check_command(cli, err);
}

static size_t count_rows(const struct dp_opt *o) {
    size_t n = 0;
    while (o && o[n].name) n++;
    return n;
}

static enum dp_status parse(struct main_state *m, int argc, char **argv, struct dp_err *err) {
    struct dp_cli *cli = &m->cli;
    dp_common_rows(cli->tool, m->common_rows);
    cli->conf = dp_calloc(1, cli->tool->conf_size ? cli->tool->conf_size : 1);
    cli->common.now = INT64_MIN;
    m->sets[0] = (struct dp_opt_set){cli->tool->options, cli->conf, m->given[0]};
    m->sets[1] = (struct dp_opt_set){m->common_rows, &cli->common, m->given[1]};
    if (count_rows(cli->tool->options) > MAX_GIVEN) return dp_err_set(err, DP_BUG, "more than %d options", MAX_GIVEN);
    enum dp_status status = dp_opt_parse(m->sets, 2, argc, argv, &cli->n_args, err);
    cli->args = (const char *const *)(argv + 1);
    cli->run.marks = cli->common.marks; /* also where the words are wrong: the next program in the pipe must hear of it */
    m->logger.json = cli->common.log_format == 1;
    m->logger.level = cli->common.quiet ? DP_LOG_ERROR : cli->common.verbose ? DP_LOG_VERBOSE : DP_LOG_INFO;
    return status;
}

static bool is_given(const struct dp_cli *cli, const char *long_name, bool with_env) {
    const struct main_state *m = (const struct main_state *)(const void *)((const char *)cli - offsetof(struct main_state, cli));
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; m->sets[s].opts && m->sets[s].opts[i].name; i++)
            if (strcmp(m->sets[s].opts[i].name, long_name) == 0)
                return m->given[s][i] || (with_env && m->sets[s].opts[i].env && getenv(m->sets[s].opts[i].env));
    return false;
}

bool dp_cli_given(const struct dp_cli *cli, const char *long_name) { return is_given(cli, long_name, true); }
bool dp_cli_on_line(const struct dp_cli *cli, const char *long_name) { return is_given(cli, long_name, false); }

/* ---- options to a run ---- */

static void copy_text(char *out, size_t size, const char *text) { snprintf(out, size, "%s", text); }

/* Who we are: under dp-run its ids, under Airflow its run and task, under Hadoop its attempt, else a fresh id. */
static void identify(struct dp_run *run) {
    const char *id = getenv("DP_RUN_ID"), *job = getenv("DP_JOB");
    const char *af_run = getenv("AIRFLOW_CTX_DAG_RUN_ID"), *af_task = getenv("AIRFLOW_CTX_TASK_ID"), *af_dag = getenv("AIRFLOW_CTX_DAG_ID");
    const char *mr = getenv("mapreduce_task_attempt_id");
    run->led = id && *id;
    copy_text(run->job, sizeof run->job, job && *job ? job : "dp");
    if (id && *id) {
        copy_text(run->run_id, sizeof run->run_id, id);
    } else if (af_run && *af_run) {
        snprintf(run->run_id, sizeof run->run_id, "%s/%s/%s", af_dag ? af_dag : "", af_task ? af_task : "", af_run);
    } else if (mr && *mr) {
        copy_text(run->run_id, sizeof run->run_id, mr);
    } else {
        dp_uuid(run->run_id);
    }
}

static void on_tick(struct dp_run *run) {
    struct main_state *m = (struct main_state *)(void *)((char *)run - offsetof(struct main_state, cli.run));
    dp_cli_lineage_tick(&m->cli);
    int64_t now = m->shows_progress ? dp_time_monotonic_micros() : 0;
    if (!m->shows_progress || now < m->next_progress) return;
    m->next_progress = now + 250000;
    double seconds = (double)(now - m->started) / 1e6, mb = (double)run->books.bytes_in / 1e6;
    char text[120];
    snprintf(text, sizeof text, "%llu records, %.1f MB, %.1f MB/s, %llu rejected", (unsigned long long)run->books.in, mb,
             seconds > 0 ? mb / seconds : 0, (unsigned long long)run->books.rejected);
    dp_logger_progress(&m->logger, text);
}

/* Told at the start, and then not tried again at the end. */
static enum dp_status check_side(const char **path, const char *option, struct dp_err *err) {
    enum dp_status status = dp_side_check(option, *path, err);
    if (status != DP_OK) *path = NULL;
    return status;
}

static enum dp_status set_up(struct main_state *m, struct dp_err *err) {
    struct dp_cli *cli = &m->cli;
    const struct dp_common *c = &cli->common;
    struct dp_run *run = &cli->run;
    DP_TRY(dp_common_finish(cli, err));
    run->threads = (unsigned)c->threads;
    run->memory = c->memory;
    run->max_record = c->max_record;
    run->line_buffered = c->line_buffered;
    run->dry_run = c->dry_run;
    run->skip_empty = c->skip_empty;
    run->rejects_clear = c->rejects_clear;
    run->where = c->where;
    if (c->now != INT64_MIN) run->now_micros = c->now, run->now_fixed = true;
    m->shows_progress = c->progress == 1 || (c->progress == 0 && (cli->tool->common & DP_COMMON_PROGRESS) && !c->quiet && isatty(STDERR_FILENO));
    if (m->shows_progress) run->tick = on_tick;
    DP_TRY(dp_lineage_check(err));
    run->pool = dp_pool_open(run->threads);
    DP_TRY(check_side(&cli->common.report, "--report", err));
    DP_TRY(check_side(&cli->common.metrics, "--metrics", err));
    if (cli->tool->common & DP_COMMON_REJECTS) {
        DP_TRY(dp_rejects_open(run, c->rejects, c->max_rejects, &cli->rejects, err));
        run->rejects = cli->rejects;
    }
    return DP_OK;
}

/* ---- the end ---- */

static bool books_balance(const struct dp_books *b) {
    return b->in == b->used + b->rejected + b->filtered + b->deduplicated + b->late + b->unassigned;
}

/* The first failure is the cause; a later one is told as a message only. */
static void add_failure(struct main_state *m, enum dp_status *status, struct dp_err *err, enum dp_status st, const struct dp_err *e) {
    if (st == DP_OK) return;
    if (*status == DP_OK || *status == DP_EMPTY) {
        *status = st;
        *err = *e;
        err->status = st;
    } else if (st != DP_PIPE) {
        dp_logger_err(&m->logger, e);
    }
}

static int exit_code(const struct dp_cli *cli, enum dp_status status, const struct dp_err *err) {
    if (status == DP_EMPTY || (status == DP_OK && cli->run.skip_empty && cli->run.books.in == 0 && (cli->tool->common & DP_COMMON_REJECTS)))
        return cli->run.skip_empty ? 99 : 0;
    return dp_status_exit(status, err);
}

/* A report that could not be written: the work is done, and yet the run did not do all that it was asked. */
static void told_late(struct main_state *m, struct dp_outcome *o, enum dp_status st, const struct dp_err *e) {
    if (st == DP_OK) return;
    if (st != DP_PIPE) dp_logger_err(&m->logger, e);
    if (o->exit_code == 0) o->exit_code = dp_status_exit(st, e), o->status = st;
}

/* How many records were set aside and why, in the report and, where the run goes on to succeed, as a message. */
static void tell_rejects(struct main_state *m, enum dp_status status) {
    struct dp_cli *cli = &m->cli;
    struct dp_buf b = {NULL, 0, 0};
    dp_rejects_summary(cli->rejects, &b);
    dp_cli_report(cli, "rejects", dp_buf_str(&b));
    dp_buf_release(&b);
    dp_rejects_words(cli->rejects, 8, &cli->set_aside);
    dp_metrics_rejects(cli);
    if (cli->run.books.rejected && (status == DP_OK || status == DP_EMPTY))
        dp_run_log(&cli->run, DP_LOG_INFO, "%llu of %llu records were set aside%s%s", (unsigned long long)cli->run.books.rejected,
                   (unsigned long long)cli->run.books.in, cli->set_aside.n ? ": " : "", cli->set_aside.n ? dp_buf_z(&cli->set_aside) : "");
}

/* A run that could not write them already says so once. */
static void close_rejects(struct main_state *m, enum dp_status *status, struct dp_err *err) {
    struct dp_err e = DP_ERR_INIT;
    bool said = *status != DP_OK && strncmp(err->msg, "--rejects: ", 11) == 0;
    enum dp_status closed = dp_rejects_close(m->cli.rejects, &e);
    if (!said) add_failure(m, status, err, closed, &e);
}

/* All is written: whoever reads it need not wait with us for a receiver of lineage, and so the stages of a pipeline wait together. */
static void end_output(void) {
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0) return;
    dup2(null, STDOUT_FILENO);
    close(null);
}

static int wind_up(struct main_state *m, enum dp_status status, struct dp_err *err) {
    struct dp_cli *cli = &m->cli;
    struct dp_run *run = &cli->run;
    struct dp_err e = DP_ERR_INIT;
    if (status == DP_IO && err->sys_errno == EINTR && dp_run_stopped(run, err)) status = DP_SIGNALLED; /* an open that waited, as that of a FIFO */
    if (status == DP_OK && !books_balance(&run->books))
        status = dp_err_set(err, DP_BUG, "the books don't balance: %llu records came in, and %llu are accounted for", (unsigned long long)run->books.in,
                            (unsigned long long)(run->books.used + run->books.rejected + run->books.filtered + run->books.deduplicated +
                                                 run->books.late + run->books.unassigned));
    err->status = status;
    dp_logger_clean(err);
    if (cli->rejects) tell_rejects(m, status);
    if (status == DP_SIGNALLED) dp_rejects_drop(cli->rejects); /* a stopped run finishes nothing */
    else close_rejects(m, &status, err);
    cli->rejects = run->rejects = NULL;
    if (status != DP_OK && status != DP_EMPTY && status != DP_PIPE && cli->tool->is_stream) dp_run_abort(run, err);
    run->books.bytes_out = dp_out_bytes(run->out);
    enum dp_status flushed = dp_out_flush(run->out, &e);
    if (status == DP_OK || status == DP_EMPTY) add_failure(m, &status, err, flushed, &e); /* else it only says its first failure again */
    if (m->ran && cli->tool->settle) add_failure(m, &status, err, cli->tool->settle(cli, status, &e), &e);
    dp_logger_progress(&m->logger, NULL);

    struct dp_outcome o = {.status = status, .exit_code = exit_code(cli, status, err), .err = err, .elapsed_micros = dp_time_monotonic_micros() - m->started};
    if (o.exit_code != 0 && o.exit_code != 99 && status != DP_PIPE) dp_logger_err(&m->logger, err);
    dp_cli_book_tell(cli);
    if (cli->common.report) told_late(m, &o, dp_report_write(cli, &o, &e), &e);
    if (cli->common.metrics) told_late(m, &o, dp_metrics_write(cli, &o, &e), &e);
    if (cli->lineage && !cli->common.json) end_output();
    m->leaves_thread = !dp_cli_lineage_end(cli, &o);
    if (cli->common.json && status != DP_PIPE) {
        struct dp_buf line = {NULL, 0, 0};
        dp_report_json(cli, &o, &line);
        enum dp_status later = dp_out_write(run->out, line.p, line.n, &e);
        if (later == DP_OK) later = dp_out_flush(run->out, &e);
        dp_buf_release(&line);
        told_late(m, &o, later, &e);
    }
    return o.exit_code;
}

static void release(struct main_state *m) {
    dp_cli_book_close(&m->cli);
    dp_pool_close(m->cli.run.pool);
    dp_out_drop(m->cli.run.out);
    dp_opt_release(m->sets, 2);
    dp_buf_release(&m->cli.report);
    dp_buf_release(&m->cli.set_aside);
    dp_buf_release(&m->cli.story);
    dp_buf_release(&m->cli.metrics);
    dp_buf_release(&m->cli.figures);
    free(m->cli.conf);
}

int dp_cli_main(const struct dp_tool *tool, int argc, char **argv) {
    static struct main_state state; /* large, one a process */
    struct main_state *m = &state;
    struct dp_cli *cli = &m->cli;
    struct dp_err err = DP_ERR_INIT;
    int code;
    m->started = dp_time_monotonic_micros();
    tame_malloc(tool);
    guard_descriptors();
    cli->root = tool;
    cli->run.program = tool->name;
    cli->run.log = dp_logger_va;
    cli->run.log_ctx = &m->logger;
    m->logger = (struct dp_logger){.program = tool->name, .run_id = cli->run.run_id, .level = DP_LOG_INFO};
    cli->run.now_micros = dp_time_now_micros();
    dp_signal_oom(tool->name);
    dp_signal_install(&cli->run);
    identify(&cli->run);
    cli->run.out = dp_out_open(&cli->run, STDOUT_FILENO, "standard output");

    choose_command(m, &argc, &argv);
    enum dp_status status = parse(m, argc, argv, &err);
    if (!served(m, argc, argv, &code)) {
        if (status == DP_OK) status = check_operands(cli, &err);
        if (status == DP_OK) status = dp_opt_check(m->sets, 2, &err);
        if (status == DP_OK) status = set_up(m, &err);
        m->ran = status == DP_OK;
        if (status == DP_OK) dp_cli_lineage_start(cli);
        if (cli->lineage || cli->tool->leads) cli->run.tick = on_tick;
        if (status == DP_OK) status = cli->tool->run(cli, &err);
        code = wind_up(m, status, &err);
    }
    release(m);
    if (m->leaves_thread) _exit(code);
    return code;
}
