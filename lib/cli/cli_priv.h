/* What the files of the cli floor share and no tool needs. */
#ifndef DP_CLI_PRIV_H
#define DP_CLI_PRIV_H

#include <dp/cli/cli.h>

/* ---- common.c: rows of the common options ---- */
#define DP_COMMON_MAX 40
/* Copies the rows that the tool takes, then DP_OPT_END, into rows. */
void dp_common_rows(const struct dp_tool *tool, struct dp_opt rows[DP_COMMON_MAX]);
/* What the rows could not hold as text: processors, bounds, exclusions. */
enum dp_status dp_common_finish(struct dp_cli *cli, struct dp_err *err) DP_MUST_CHECK;

/* ---- main.c ---- */
/* Was it given as a word, not by the environment? */
bool dp_cli_on_line(const struct dp_cli *cli, const char *long_name);

/* ---- help.c ---- */
void dp_help_print(const struct dp_tool *root, const struct dp_tool *tool, size_t width, struct dp_buf *out);
void dp_version_print(const struct dp_tool *root, bool json, struct dp_buf *out);
void dp_dump_print(const struct dp_tool *root, struct dp_buf *out);

/* ---- signal.c ---- */
/* Handlers for INT, TERM and HUP (a flag, a pipe for poll, a last resort by alarm), PIPE ignored. */
void dp_signal_install(struct dp_run *run);
/* Messages of the out-of-memory hook begin with the program's name. */
void dp_signal_oom(const char *program);

/* ---- log.c ---- */
struct dp_logger {
    const char *program;
    const char *run_id;
    bool json;
    enum dp_log_level level;
    bool line_open; /* a progress line stands on the terminal */
};
void dp_logger_va(void *logger, enum dp_log_level level, const char *fmt, va_list ap);
/* "source:line: message" of an error, as one message. */
void dp_logger_err(struct dp_logger *l, const struct dp_err *err);
/* Takes the secrets out of URLs that an error repeats, before anybody is told of it. */
void dp_logger_clean(struct dp_err *err);
/* The progress line: replaces itself; NULL ends it. */
void dp_logger_progress(struct dp_logger *l, const char *text);

/* ---- report.c ---- */
struct dp_outcome {
    enum dp_status status;
    int exit_code;
    const struct dp_err *err;
    int64_t elapsed_micros;
};
void dp_report_json(const struct dp_cli *cli, const struct dp_outcome *o, struct dp_buf *out);
enum dp_status dp_report_write(const struct dp_cli *cli, const struct dp_outcome *o, struct dp_err *err) DP_MUST_CHECK;
/* Notes the counts by rule for --metrics, while the rejects are open. */
void dp_metrics_rejects(struct dp_cli *cli);
enum dp_status dp_metrics_write(const struct dp_cli *cli, const struct dp_outcome *o, struct dp_err *err) DP_MUST_CHECK;

/* ---- book.c: what a run reads and writes, for reports ---- */
/* Does a report of this run, or the one of who heads it, tell what it reads and writes? */
bool dp_cli_book_is_wanted(const struct dp_cli *cli);
/* Tells the head, once all is read and written. */
void dp_cli_book_tell(const struct dp_cli *cli);
/* `,"inputs":[...],"outputs":[...]`: a head's those of its stages.  Nothing where they are not noted. */
void dp_report_datasets(const struct dp_cli *cli, struct dp_buf *out);
/* Forgets what was noted. */
void dp_cli_book_close(struct dp_cli *cli);

/* ---- lineage.c ---- */
/* Opens run->datasets and sends START, where somebody is to be told; before anything is read.  A tool that leads does it itself. */
void dp_cli_lineage_start(struct dp_cli *cli);
/* Sends RUNNING when it is time. */
void dp_cli_lineage_tick(struct dp_cli *cli);
/* Sends the terminal event and closes what start opened; behind all output.  False: a thread of ours can't be ended. */
bool dp_cli_lineage_end(struct dp_cli *cli, const struct dp_outcome *o);

#endif
