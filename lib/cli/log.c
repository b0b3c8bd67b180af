/*
 * Messages on standard error: one line, one write, as text or as JSON; and the progress line of a terminal.
 * A message never holds a line break or a control byte, whatever a file is called.
 */
#include "cli_priv.h"

#include <dp/base/scrub.h>
#include <dp/record/json.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINE 4000 /* under PIPE_BUF, so that lines of several programs don't mix */

static const char *level_name(enum dp_log_level level) {
    switch (level) {
    case DP_LOG_ERROR: return "error";
    case DP_LOG_WARN: return "warning";
    case DP_LOG_INFO: return "info";
    case DP_LOG_VERBOSE: return "verbose";
    }
    return "error";
}

static void put(const char *p, size_t n) {
    while (n > 0) {
        ssize_t w = write(STDERR_FILENO, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) return; /* nowhere to complain */
        p += w;
        n -= (size_t)w;
    }
}

/* Bytes that are no UTF-8 become '?', so that the line is good text (and good JSON). */
static void clean(char *s, size_t n) {
    size_t bad, at = 0;
    while (at < n && !dp_utf8_valid(s + at, n - at, &bad)) {
        s[at + bad] = '?';
        at += bad + 1;
    }
}

/* Text without the secrets of URLs, in its place; what no longer fits is cut. */
static void scrub(char *text, size_t size) {
    struct dp_buf b = {NULL, 0, 0};
    if (!strstr(text, "://")) return;
    dp_scrub(dp_str_z(text), DP_SCRUB_URLS, &b);
    snprintf(text, size, "%s", dp_buf_z(&b));
    dp_buf_release(&b);
}

void dp_logger_clean(struct dp_err *err) {
    scrub(err->msg, sizeof err->msg);
    scrub(err->source, sizeof err->source);
}

static void write_line(const struct dp_logger *l, enum dp_log_level level, const struct dp_err *place, const char *text) {
    struct dp_buf b = {NULL, 0, 0};
    char msg[MAX_LINE / 2], source[sizeof place->source] = "";
    snprintf(msg, sizeof msg, "%s", text);
    scrub(msg, sizeof msg);
    clean(msg, strlen(msg));
    if (place) snprintf(source, sizeof source, "%s", place->source);
    scrub(source, sizeof source);
    if (l->line_open) dp_buf_addz(&b, "\r\033[K");
    if (l->json) {
        dp_buf_addf(&b, "{\"level\":\"%s\",\"program\":\"%s\",\"run\":", level_name(level), l->program);
        dp_json_add_string(&b, dp_str_z(l->run_id ? l->run_id : ""));
        if (source[0]) {
            clean(source, strlen(source));
            dp_buf_addz(&b, ",\"source\":");
            dp_json_add_string(&b, dp_str_z(source));
        }
        if (place && place->line) dp_buf_addf(&b, ",\"line\":%llu", (unsigned long long)place->line);
        if (place && place->offset != DP_NO_OFFSET) dp_buf_addf(&b, ",\"offset\":%llu", (unsigned long long)place->offset);
        if (place) dp_buf_addf(&b, ",\"status\":\"%s\"", dp_status_name(place->status));
        dp_buf_addz(&b, ",\"message\":");
        dp_json_add_string(&b, dp_str_z(msg));
        dp_buf_addz(&b, "}\n");
    } else {
        size_t from = b.n;
        dp_buf_addf(&b, "%s: ", l->program);
        if (source[0]) dp_buf_addf(&b, "%s:", source);
        if (place && place->line) dp_buf_addf(&b, "%llu:", (unsigned long long)place->line);
        if (source[0]) dp_buf_addc(&b, ' ');
        dp_buf_addf(&b, "%s%s", level == DP_LOG_WARN ? "warning: " : "", msg);
        for (size_t i = from; i < b.n; i++)
            if ((unsigned char)b.p[i] < ' ' || b.p[i] == 127) b.p[i] = ' ';
        if (b.n - from > MAX_LINE) b.n = from + MAX_LINE;
        dp_buf_addc(&b, '\n');
    }
    put(b.p, b.n);
    dp_buf_release(&b);
}

void dp_logger_va(void *logger, enum dp_log_level level, const char *fmt, va_list ap) {
    struct dp_logger *l = logger;
    char text[MAX_LINE / 2];
    if (level > l->level) return;
    vsnprintf(text, sizeof text, fmt, ap);
    write_line(l, level, NULL, text);
    l->line_open = false;
}

void dp_logger_err(struct dp_logger *l, const struct dp_err *err) {
    write_line(l, DP_LOG_ERROR, err, err->msg[0] ? err->msg : dp_status_name(err->status));
    l->line_open = false;
}

void dp_logger_progress(struct dp_logger *l, const char *text) {
    char line[200];
    if (!text && !l->line_open) return;
    int n = text ? snprintf(line, sizeof line, "\r%s: %s\033[K", l->program, text) : snprintf(line, sizeof line, "\r\033[K");
    put(line, n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    l->line_open = text != NULL;
}
