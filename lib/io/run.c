/* The run's context: messages, the question whether to stop, and the `abort` of a program that failed. */
#include <dp/base/scrub.h>
#include <dp/io/out.h>
#include <dp/io/run.h>

#include <string.h>

void dp_run_log(const struct dp_run *run, enum dp_log_level level, const char *fmt, ...) {
    va_list ap;
    if (!run->log) return;
    va_start(ap, fmt);
    run->log(run->log_ctx, level, fmt, ap);
    va_end(ap);
}

bool dp_run_stopped(const struct dp_run *run, struct dp_err *err) {
    int sig = run->stop_signal ? *run->stop_signal : 0;
    if (!sig) return false;
    dp_err_set(err, DP_SIGNALLED, "stopped by signal %d", sig);
    if (err) err->exit_code = 128 + sig;
    return true;
}

void dp_run_abort(struct dp_run *run, const struct dp_err *err) {
    char program[64], run_id[sizeof run->run_id], reason[sizeof err->msg + sizeof err->source + 32];
    struct dp_buf shown = {NULL, 0, 0};
    if (run->marks_closed || !run->out || !(run->marks_open || run->marks)) return;
    run->marks_closed = true;
    snprintf(program, sizeof program, "%s", run->program);
    snprintf(run_id, sizeof run_id, "%s", run->run_id);
    if (err->source[0] && err->line)
        snprintf(reason, sizeof reason, "%s:%llu: %s", err->source, (unsigned long long)err->line, err->msg);
    else if (err->source[0]) snprintf(reason, sizeof reason, "%s: %s", err->source, err->msg);
    else snprintf(reason, sizeof reason, "%s", err->msg);
    dp_scrub(dp_str_z(reason), DP_SCRUB_URLS, &shown);
    snprintf(reason, sizeof reason, "%s", dp_buf_z(&shown));
    dp_buf_release(&shown);
    if (!dp_utf8_valid(reason, strlen(reason), NULL)) snprintf(reason, sizeof reason, "%s", dp_status_name(err->status));
    struct dp_mark m = {.kind = DP_MARK_ABORT, .run = run_id, .program = program, .reason = reason, .table_version = -1,
                        .exit_code = dp_status_exit(err->status, err)};
    if (dp_out_mark(run->out, &m, NULL) == DP_OK && dp_out_flush(run->out, NULL) == DP_OK) run->marks_open = false;
}
