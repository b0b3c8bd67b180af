/*
 * Events into files: a line behind the end of one file, in one write that appends, so that lines of several programs never mix; or a file for each event, its
 * name with the time as the reference client has it (but UTC).  A line that did not fit on the disk is taken back where nobody wrote behind it.
 */
#include "lineage_priv.h"

#include <dp/base/file.h>
#include <dp/base/time.h>
#include <dp/record/json.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum lineage_result failed(struct lineage_answer *a, const char *what) {
    int e = errno;
    a->trouble = LINEAGE_NOT_POSSIBLE;
    snprintf(a->why, sizeof a->why, "%s: %s", what, strerror(e));
    return LINEAGE_AWAY;
}

static enum lineage_result write_whole(int fd, struct dp_str text, struct lineage_answer *a) {
    ssize_t n;
    do n = write(fd, text.p, text.n);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)text.n) return LINEAGE_TAKEN;
    if (n >= 0) {
        struct stat st;
        off_t end = lseek(fd, 0, SEEK_CUR);
        if (n > 0 && end > 0 && fstat(fd, &st) == 0 && st.st_size == end && ftruncate(fd, end - n)) return failed(a, "can't take back half a line");
        errno = ENOSPC;
    }
    return failed(a, "can't write");
}

/* The event with two blanks for each level. */
static void indent(struct dp_str event, struct dp_buf *b) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < event.n; i++) {
        char c = event.p[i];
        if (quoted || c == '"') {
            if (c == '\\' && i + 1 < event.n) dp_buf_addc(b, c), c = event.p[++i];
            else if (c == '"') quoted = !quoted;
            dp_buf_addc(b, c);
            continue;
        }
        bool opens = c == '{' || c == '[', closes = c == '}' || c == ']', empty = opens && i + 1 < event.n && (event.p[i + 1] == '}' || event.p[i + 1] == ']');
        depth += opens ? 1 : closes ? -1 : 0;
        bool was_empty = closes && i && (event.p[i - 1] == '{' || event.p[i - 1] == '[');
        if (closes && !was_empty) dp_buf_addf(b, "\n%*s", depth > 0 ? 2 * depth : 0, "");
        dp_buf_addc(b, c);
        if ((opens && !empty) || c == ',') dp_buf_addf(b, "\n%*s", depth > 0 ? 2 * depth : 0, "");
        else if (c == ':') dp_buf_addc(b, ' ');
    }
}

static void add_safe(struct dp_buf *b, struct dp_str name) {
    for (size_t i = 0; i < name.n && i < 100; i++) {
        char c = name.p[i];
        bool safe = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '.' || c == '-';
        if (safe) dp_buf_addc(b, c);
        else dp_buf_addz(b, "__");
    }
}

/* "-JOB-TYPE" of a name in debug mode. */
static void add_subject(struct dp_buf *b, struct dp_str event) {
    struct dp_scan *s = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    struct dp_buf padded = {NULL, 0, 0}, text = {NULL, 0, 0};
    struct dp_err ignored = DP_ERR_INIT;
    struct dp_record r;
    dp_buf_adds(&padded, event);
    memset(dp_buf_reserve(&padded, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    bool good = dp_scan_value(s, padded.p, padded.n, &r, &ignored) == DP_OK && r.nodes[0].kind == DP_KIND_OBJECT;
    uint32_t of = good ? dp_json_member(&r, 0, "job") : 0, type = good ? dp_json_member(&r, 0, "eventType") : 0;
    if (!of && good) of = dp_json_member(&r, 0, "dataset");
    uint32_t name = of ? dp_json_member(&r, of, "name") : 0;
    dp_buf_addc(b, '-');
    if (name && dp_json_get_string(&r, name, &text)) add_safe(b, dp_buf_str(&text));
    else dp_buf_addz(b, "unknown_job_name");
    dp_buf_addc(b, '-');
    dp_buf_reset(&text);
    if (type && dp_json_get_string(&r, type, &text)) add_safe(b, dp_buf_str(&text));
    else dp_buf_addz(b, "unknown_event_type");
    dp_scan_close(s);
    dp_buf_release(&padded);
    dp_buf_release(&text);
}

static void add_stamp(struct dp_buf *b, int64_t micros, bool pretty) {
    char t[40]; /* yyyy-mm-ddThh:mm:ss.ffffffZ */
    size_t n = dp_time_print_micros(t, micros, true, 6);
    for (size_t i = pretty ? 2 : 0; i + 1 < n; i++) {
        if (t[i] == '-' || t[i] == ':') continue;
        dp_buf_addc(b, t[i] == 'T' && !pretty ? '-' : t[i]);
    }
}

/* A name that is taken gets the next microsecond. */
static int open_one(const struct lineage_receiver *r, struct dp_str event) {
    int64_t now = dp_time_now_micros();
    for (int tries = 0; tries < 1000; tries++) {
        struct dp_buf name = {NULL, 0, 0};
        dp_buf_addf(&name, "%s-", r->path);
        add_stamp(&name, now + tries, r->pretty);
        if (r->pretty) add_subject(&name, event);
        dp_buf_addz(&name, ".json");
        int fd = open(dp_buf_z(&name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        int e = errno;
        dp_buf_release(&name);
        errno = e;
        if (fd >= 0 || e != EEXIST) return fd;
    }
    return -1;
}

enum lineage_result lineage_file_put(const struct lineage_receiver *r, struct dp_str event, struct lineage_answer *a) {
    int fd = r->append ? open(r->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666) : open_one(r, event);
    if (fd < 0) return failed(a, "can't open it");
    enum lineage_result result;
    if (r->pretty) {
        struct dp_buf b = {NULL, 0, 0};
        indent(dp_str(event.p, event.n ? event.n - 1 : 0), &b);
        dp_buf_addc(&b, '\n');
        result = write_whole(fd, dp_buf_str(&b), a);
        dp_buf_release(&b);
    } else {
        result = write_whole(fd, event, a);
    }
    if (close(fd) && result == LINEAGE_TAKEN) result = failed(a, "can't write");
    return result;
}
