/*
 * What the run did: --report (JSON, Markdown, text), --json (the same JSON on one line), --metrics (Prometheus text exposition 0.0.4).
 * Files are written beside their place and renamed.  A device or FIFO gets the bytes as they are.
 */
#include "cli_priv.h"

#include <dp/base/file.h>
#include <dp/base/time.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Quote, backslash and line feed are escaped in a label. */
static void label(struct dp_buf *b, const char *name, const char *value) {
    dp_buf_addf(b, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') dp_buf_addc(b, '\\');
        if (*value == '\n') dp_buf_addz(b, "\\n");
        else dp_buf_addc(b, *value);
    }
    dp_buf_addc(b, '"');
}

/* With `name`, a label of that name and value. */
static void sample(struct dp_buf *b, const struct dp_cli *cli, const char *metric, const char *name, const char *of, const char *value) {
    dp_buf_addf(b, "%s{", metric);
    label(b, "program", cli->root->name);
    dp_buf_addc(b, ',');
    label(b, "job", cli->run.job);
    if (name) {
        dp_buf_addc(b, ',');
        label(b, name, of);
    }
    dp_buf_addf(b, "} %s\n", value);
}

void dp_cli_report(struct dp_cli *cli, const char *key, struct dp_str json) {
    dp_buf_addc(&cli->report, ',');
    dp_json_add_string(&cli->report, dp_str_z(key));
    dp_buf_addc(&cli->report, ':');
    dp_buf_adds(&cli->report, json);
}

void dp_cli_report_str(struct dp_cli *cli, const char *key, struct dp_str text) {
    struct dp_buf b = {NULL, 0, 0};
    dp_json_add_string(&b, text);
    dp_cli_report(cli, key, dp_buf_str(&b));
    dp_buf_release(&b);
}

static void head(struct dp_buf *b, const char *metric, const char *help) { dp_buf_addf(b, "# HELP %s %s\n# TYPE %s gauge\n", metric, help, metric); }

/* What a program counts beside records: files, rows, version, ... */
static void figure_metric(struct dp_cli *cli, const char *key, const char *value) {
    if (!cli->figures.n) head(&cli->figures, "dp_figure", "Figures of the last run's report.");
    sample(&cli->figures, cli, "dp_figure", "name", key, value);
}

static void rule_metric(void *ctx, const char *rule, uint64_t count) {
    struct dp_cli *cli = ctx;
    char v[24];
    snprintf(v, sizeof v, "%llu", (unsigned long long)count);
    sample(&cli->metrics, cli, "dp_rejects", "rule", rule, v);
}

void dp_metrics_rejects(struct dp_cli *cli) {
    head(&cli->metrics, "dp_rejects", "Records that the last run set aside, by rule.");
    dp_rejects_each_rule(cli->rejects, rule_metric, cli);
}

void dp_cli_report_u64(struct dp_cli *cli, const char *key, uint64_t v) {
    char s[24];
    snprintf(s, sizeof s, "%llu", (unsigned long long)v);
    figure_metric(cli, key, s);
    dp_cli_report(cli, key, dp_str_z(s));
}

void dp_cli_report_i64(struct dp_cli *cli, const char *key, int64_t v) {
    char s[24];
    snprintf(s, sizeof s, "%lld", (long long)v);
    figure_metric(cli, key, s);
    dp_cli_report(cli, key, dp_str_z(s));
}

struct figure {
    const char *name;
    uint64_t value;
};

#define N_FIGURES 7
static void figures(const struct dp_books *b, struct figure out[N_FIGURES]) {
    const struct figure f[N_FIGURES] = {{"in", b->in},           {"used", b->used}, {"rejected", b->rejected},    {"filtered", b->filtered},
                                        {"deduplicated", b->deduplicated}, {"late", b->late}, {"unassigned", b->unassigned}};
    memcpy(out, f, sizeof f);
}

/* Processor time and the most memory so far; of a program that runs others, theirs with it (of those that have ended). */
static void add_usage(const struct dp_cli *cli, struct dp_buf *out) {
    struct rusage own = {0}, theirs = {0};
    (void)getrusage(RUSAGE_SELF, &own);
    if (cli->root->leads) (void)getrusage(RUSAGE_CHILDREN, &theirs);
    long long user = (own.ru_utime.tv_sec + theirs.ru_utime.tv_sec) * 1000000LL + own.ru_utime.tv_usec + theirs.ru_utime.tv_usec;
    long long sys = (own.ru_stime.tv_sec + theirs.ru_stime.tv_sec) * 1000000LL + own.ru_stime.tv_usec + theirs.ru_stime.tv_usec;
    long long peak = own.ru_maxrss > theirs.ru_maxrss ? own.ru_maxrss : theirs.ru_maxrss;
    dp_buf_addf(out, ",\"cpu_user_us\":%lld,\"cpu_system_us\":%lld,\"peak_memory_bytes\":%lld", user, sys, peak * 1024);
}

void dp_report_json(const struct dp_cli *cli, const struct dp_outcome *o, struct dp_buf *out) {
    const struct dp_run *run = &cli->run;
    struct figure f[N_FIGURES];
    char when[40];
    figures(&run->books, f);
    dp_buf_addf(out, "{\"program\":\"%s\"", cli->root->name);
    if (cli->tool != cli->root) dp_buf_addf(out, ",\"command\":\"%s\"", cli->tool->name);
    dp_buf_addf(out, ",\"program_version\":\"%s\",\"run\":", DP_VERSION);
    dp_json_add_string(out, dp_str_z(run->run_id));
    dp_buf_addz(out, ",\"job\":");
    dp_json_add_string(out, dp_str_z(run->job));
    dp_buf_addf(out, ",\"started\":\"%.*s\",\"elapsed_ms\":%lld", (int)dp_time_print_micros(when, run->now_micros, true, 3), when,
                (long long)(o->elapsed_micros / 1000));
    dp_buf_addf(out, ",\"status\":\"%s\",\"exit\":%d", dp_status_name(o->status), o->exit_code);
    if (o->exit_code != 0 && o->err->msg[0]) {
        dp_buf_addz(out, ",\"message\":");
        size_t n = strlen(o->err->msg);
        dp_json_add_string(out, dp_utf8_valid(o->err->msg, n, NULL) ? dp_str(o->err->msg, n) : DP_STR("(not UTF-8)"));
    }
    if (o->exit_code != 0 && o->err->source[0]) {
        size_t n = strlen(o->err->source);
        dp_buf_addz(out, ",\"source\":");
        dp_json_add_string(out, dp_utf8_valid(o->err->source, n, NULL) ? dp_str(o->err->source, n) : DP_STR("(not UTF-8)"));
        if (o->err->line) dp_buf_addf(out, ",\"line\":%llu", (unsigned long long)o->err->line);
    }
    dp_buf_addz(out, ",\"records\":{");
    for (int i = 0; i < N_FIGURES; i++) dp_buf_addf(out, "%s\"%s\":%llu", i ? "," : "", f[i].name, (unsigned long long)f[i].value);
    dp_buf_addf(out, "},\"malformed\":%llu,\"coerced\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu",
                (unsigned long long)run->books.rejected_malformed, (unsigned long long)run->books.coerced,
                (unsigned long long)run->books.bytes_in, (unsigned long long)run->books.bytes_out);
    add_usage(cli, out);
    dp_report_datasets(cli, out);
    dp_buf_adds(out, dp_buf_str(&cli->report));
    dp_buf_addz(out, "}\n");
}

/* Words that may hold names out of data: no control bytes, no line breaks, and in Markdown nothing that is markup. */
static void add_words(struct dp_buf *out, const char *p, size_t n, bool markdown) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        bool c1 = c == 0xc2 && i + 1 < n && (unsigned char)p[i + 1] < 0xa0;
        if (c1) i++;
        if (c1 || c < 0x20 || c == 0x7f) dp_buf_addc(out, '?');
        else if (markdown && c == '<') dp_buf_addz(out, "&lt;");
        else if (markdown && strchr("\\`*_[]|", c)) dp_buf_addc(out, '\\'), dp_buf_addc(out, (char)c);
        else dp_buf_addc(out, (char)c);
    }
}

static void report_text(const struct dp_cli *cli, const struct dp_outcome *o, bool markdown, struct dp_buf *out) {
    struct figure f[N_FIGURES];
    figures(&cli->run.books, f);
    const char *name = cli->root->name, *command = cli->tool == cli->root ? "" : cli->tool->name;
    dp_buf_addf(out, "%s%s%s%s: %s (exit %d)\n\n", markdown ? "# " : "", name, *command ? " " : "", command, dp_status_name(o->status),
                o->exit_code);
    if (o->exit_code != 0 && o->err->msg[0]) {
        dp_buf_addz(out, markdown ? "> " : "");
        add_words(out, o->err->msg, strlen(o->err->msg), markdown);
        dp_buf_addz(out, "\n\n");
    }
    if (markdown) dp_buf_addz(out, "| records | count |\n| --- | ---: |\n");
    for (int i = 0; i < N_FIGURES; i++)
        dp_buf_addf(out, markdown ? "| %s | %llu |\n" : "%-14s %12llu\n", f[i].name, (unsigned long long)f[i].value);
    if (cli->set_aside.n) {
        dp_buf_addz(out, "\nSet aside: ");
        add_words(out, cli->set_aside.p, cli->set_aside.n, markdown);
        dp_buf_addz(out, ".\n");
    }
    dp_buf_addf(out, "\nrun %s, job %s, %lld ms, %llu bytes in, %llu bytes out\n", cli->run.run_id, cli->run.job,
                (long long)(o->elapsed_micros / 1000), (unsigned long long)cli->run.books.bytes_in,
                (unsigned long long)cli->run.books.bytes_out);
    if (cli->story.n) {
        dp_buf_addc(out, '\n');
        dp_buf_adds(out, dp_buf_str(&cli->story));
        return;
    }
    if (cli->report.n > 1) dp_buf_addf(out, "%s%.*s%s\n", markdown ? "\n```json\n{" : "\n{", (int)cli->report.n - 1, cli->report.p + 1,
                                       markdown ? "}\n```" : "}");
}

enum dp_status dp_report_write(const struct dp_cli *cli, const struct dp_outcome *o, struct dp_err *err) {
    struct dp_buf b = {NULL, 0, 0};
    struct dp_str name = dp_str_z(cli->common.report);
    if (dp_str_ends(name, DP_STR(".md"))) report_text(cli, o, true, &b);
    else if (dp_str_ends(name, DP_STR(".txt"))) report_text(cli, o, false, &b);
    else dp_report_json(cli, o, &b);
    enum dp_status status = dp_side_write(cli->common.report, dp_buf_str(&b), err);
    dp_buf_release(&b);
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "--report: ");
}

enum dp_status dp_metrics_write(const struct dp_cli *cli, const struct dp_outcome *o, struct dp_err *err) {
    struct dp_buf b = {NULL, 0, 0};
    struct figure f[N_FIGURES];
    char v[40];
    figures(&cli->run.books, f);
    dp_buf_addz(&b, "# HELP dp_records Records of the last run by what became of them.\n# TYPE dp_records gauge\n");
    for (int i = 0; i < N_FIGURES; i++) {
        snprintf(v, sizeof v, "%llu", (unsigned long long)f[i].value);
        sample(&b, cli, "dp_records", "outcome", f[i].name, v);
    }
    const struct {
        const char *name, *help;
        long long value;
    } gauges[] = {{"dp_bytes_in", "Bytes read in the last run.", (long long)cli->run.books.bytes_in},
                  {"dp_bytes_out", "Bytes written to standard output in the last run.", (long long)cli->run.books.bytes_out},
                  {"dp_exit_code", "Exit code of the last run.", o->exit_code},
                  {"dp_elapsed_milliseconds", "How long the last run took.", (long long)(o->elapsed_micros / 1000)},
                  {"dp_last_run_timestamp_seconds", "When the last run began.", (long long)(cli->run.now_micros / 1000000)}};
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++) {
        head(&b, gauges[i].name, gauges[i].help);
        snprintf(v, sizeof v, "%lld", gauges[i].value);
        sample(&b, cli, gauges[i].name, NULL, NULL, v);
    }
    dp_buf_adds(&b, dp_buf_str(&cli->metrics));
    dp_buf_adds(&b, dp_buf_str(&cli->figures));
    enum dp_status status = dp_side_write(cli->common.metrics, dp_buf_str(&b), err);
    dp_buf_release(&b);
    return status == DP_OK ? DP_OK : dp_err_prefix(err, "--metrics: ");
}

enum dp_status dp_cli_say(struct dp_cli *cli, struct dp_err *err, const char *fmt, ...) {
    char line[1024];
    va_list ap;
    if (cli->common.json) return DP_OK;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0) return DP_OK;
    return dp_out_write(cli->run.out, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1, err);
}
