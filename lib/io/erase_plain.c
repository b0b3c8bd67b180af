/*
 * Files of records that are no table's (lib/io/erase_priv.h): rejects, spooled records, exports.  Lines of JSON that say something of the person go, by the same rules by which traces are
 * looked for (dp/io/traces.h): a reject's line, too, that has the bad record as a text.  The others stay byte for byte; the file is replaced at once.
 */
#include "erase_priv.h"
#include "traces_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

struct plain {
    struct erase *x;
    const char *path;
    struct trace_set set;
    struct trace_search search;
    uint64_t *counts;
    struct dp_buf text, line, keep;
    struct dp_newfile out;
    uint64_t lines, bytes;        /* that go */
};

static bool is_met(struct plain *p, struct dp_str lines) {
    size_t n = DP_TRACE_KINDS * p->set.n_asked;
    memset(p->counts, 0, n * sizeof *p->counts);
    dp_buf_reset(&p->line);
    dp_buf_adds(&p->line, lines);
    memset(dp_buf_reserve(&p->line, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    trace_lines(&p->search, dp_buf_str(&p->line));
    for (size_t i = 0; i < n; i++)
        if (p->counts[i]) return true;
    return false;
}

/* Whole lines: those that stay, to the draft. */
static enum dp_status take_lines(struct plain *p, struct dp_str lines, struct dp_err *err) {
    if (!is_met(p, lines)) return dp_fd_write(p->out.fd, lines.p, lines.n, err);
    dp_buf_reset(&p->keep);
    for (size_t at = 0, n; at < lines.n; at += n) {
        const char *nl = memchr(lines.p + at, '\n', lines.n - at);
        n = nl ? (size_t)(nl - lines.p) + 1 - at : lines.n - at;
        struct dp_str line = dp_str(lines.p + at, n);
        if (is_met(p, line)) p->lines++, p->bytes += n;
        else dp_buf_adds(&p->keep, line);
    }
    return dp_fd_write(p->out.fd, p->keep.p, p->keep.n, err);
}

static bool is_lines(struct dp_str text) {
    size_t i = 0;
    while (i < text.n && (text.p[i] == ' ' || text.p[i] == '\n' || text.p[i] == '\r' || text.p[i] == '\t')) i++;
    return i == text.n || text.p[i] == '{';
}

static enum dp_status filter(struct plain *p, int fd, struct dp_err *err) {
    bool is_first = true;
    for (;;) {
        ssize_t got = read(fd, dp_buf_reserve(&p->text, BLOCK), BLOCK);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return dp_err_sys(err, DP_IO, "cannot read %s", p->path);
        if (!got) return p->text.n ? take_lines(p, dp_buf_str(&p->text), err) : DP_OK;
        p->text.n += (size_t)got;
        if (is_first && !is_lines(dp_buf_str(&p->text))) return dp_err_set(err, DP_UNSUPPORTED, "%s: only tables, and files of JSON lines, CSV and Parquet can be erased from", p->path);
        is_first = false;
        const char *last = dp_str_last(dp_buf_str(&p->text), '\n');
        if (!last && p->text.n > DP_LIMIT_RECORD) return dp_err_set(err, DP_LIMIT, "%s: a line of more than %llu bytes", p->path, (unsigned long long)DP_LIMIT_RECORD);
        if (!last) continue;
        size_t n = (size_t)(last - p->text.p) + 1;
        DP_TRY(take_lines(p, dp_str(p->text.p, n), err));
        memmove(p->text.p, p->text.p + n, p->text.n - n);
        p->text.n -= n;
        if (dp_run_stopped(p->x->run, err)) return DP_SIGNALLED;
    }
}

static void open_search(struct plain *p) {
    const struct dp_subject *s = p->x->o->subject;
    struct dp_trace_value *values = dp_traces_of(s);
    trace_set_make(&p->set, values, s->n, NULL, NULL, 0);
    free(values);
    p->counts = dp_calloc(DP_TRACE_KINDS * p->set.n_asked + 1, sizeof *p->counts);
    trace_search_open(&p->search, p->x->run, &p->set);
    p->search.counts = p->counts;
}

static void close_search(struct plain *p) {
    trace_search_close(&p->search);
    trace_set_release(&p->set);
    free(p->counts);
    dp_buf_release(&p->text), dp_buf_release(&p->line), dp_buf_release(&p->keep);
}

enum dp_status erase_plain(struct erase *x, const struct dp_subject_place *place, struct dp_err *err) {
    struct plain p = {.x = x, .path = place->name};
    struct stat st;
    int fd = open(p.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) return dp_err_sys(err, DP_IO, "cannot open %s", p.path);
    enum dp_status status = fstat(fd, &st) == 0 ? DP_OK : dp_err_sys(err, DP_IO, "cannot look at %s", p.path);
    if (status == DP_OK && !S_ISREG(st.st_mode)) status = dp_err_set(err, DP_UNSUPPORTED, "%s is no regular file", p.path);
    open_search(&p);
    if (status == DP_OK) status = dp_newfile_open(&p.out, p.path, st.st_mode & 0777, err);
    if (status == DP_OK) status = filter(&p, fd, err);
    if (status == DP_OK && p.lines && !x->run->dry_run) status = dp_newfile_commit(&p.out, err);
    if (status == DP_OK) {
        x->out->plain_files++, x->out->rows += p.lines, x->out->bytes_removed += p.bytes;
        x->out->files_rewritten += p.lines > 0;
    }
    dp_newfile_abort(&p.out);
    close(fd);
    close_search(&p);
    return status;
}
