/*
 * Statuses and the error record (dp/base/status.h).  Formats into fixed fields, so that reporting
 * an error never needs memory.  Prints nothing.
 */
#include <dp/base/status.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int code;
    const char *words;
} statuses[] = {
#define DP_STATUS_ROW(name, code, words) {#name, code, words},
    DP_STATUS_LIST(DP_STATUS_ROW)
#undef DP_STATUS_ROW
};

static void fill(struct dp_err *err, enum dp_status status, int sys, const char *fmt, va_list ap) {
    err->status = status;
    err->sys_errno = sys;
    err->exit_code = 0;
    err->line = 0;
    err->offset = DP_NO_OFFSET;
    err->source[0] = '\0';
    (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
}

enum dp_status dp_err_set(struct dp_err *err, enum dp_status status, const char *fmt, ...) {
    if (!err) return status;
    va_list ap;
    va_start(ap, fmt);
    fill(err, status, 0, fmt, ap);
    va_end(ap);
    return status;
}

/* strerror_r in either of its two forms; POSIX's fills the buffer, GNU's may return another text. */
static const char *errno_text(int e, char *b, size_t n) {
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
    return strerror_r(e, b, n);
#else
    if (strerror_r(e, b, n)) (void)snprintf(b, n, "error %d", e);
    return b;
#endif
}

enum dp_status dp_err_sys(struct dp_err *err, enum dp_status status, const char *fmt, ...) {
    int e = errno;
    if (!err) return status;
    va_list ap;
    va_start(ap, fmt);
    fill(err, status, e, fmt, ap);
    va_end(ap);
    char b[128];
    size_t n = strlen(err->msg);
    (void)snprintf(err->msg + n, sizeof err->msg - n, ": %s", errno_text(e, b, sizeof b));
    errno = e;
    return status;
}

enum dp_status dp_err_prefix(struct dp_err *err, const char *fmt, ...) {
    if (!err) return DP_BUG;
    char old[sizeof err->msg];
    memcpy(old, err->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    size_t n = strlen(err->msg), m = strnlen(old, sizeof old - 1);
    if (m > sizeof err->msg - 1 - n) m = sizeof err->msg - 1 - n;
    memcpy(err->msg + n, old, m);
    err->msg[n + m] = '\0';
    return err->status;
}

enum dp_status dp_err_at(struct dp_err *err, const char *source, uint64_t line, uint64_t offset) {
    if (!err) return DP_BUG;
    if (!err->source[0] && source) (void)snprintf(err->source, sizeof err->source, "%s", source);
    if (!err->line) err->line = line;
    if (err->offset == DP_NO_OFFSET) err->offset = offset;
    return err->status;
}

int dp_status_exit(enum dp_status status, const struct dp_err *err) {
    if ((status == DP_ABORTED || status == DP_SIGNALLED) && err && err->exit_code) return err->exit_code;
    return (size_t)status < sizeof statuses / sizeof statuses[0] ? statuses[status].code : 70;
}

const char *dp_status_name(enum dp_status status) {
    return (size_t)status < sizeof statuses / sizeof statuses[0] ? statuses[status].name : "BUG";
}
