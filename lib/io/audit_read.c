/*
 * Reading and checking the audit log (dp/io/audit.h): tombstones, then segments in order, line by line, each against the one before.  What does not hold is a finding, and
 * reading goes on behind it with what the line itself says, so that one change is one finding.
 * It reads what was there when it began: appends that come meanwhile are not looked at.
 */
#include "audit_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/time.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_WAIT_MS 10000
#define BLOCK ((size_t)256 << 10)

/* The chain as far as it was read. */
struct chain {
    const char *dir;
    const struct dp_audit_reader *r;
    const struct audit_lines *lines;
    struct dp_audit_seen *seen;
    char prev[DP_AUDIT_HASH];
    uint64_t next;                  /* the entry that must come */
    bool knows_prev, knows_next;    /* not behind damage */
    char name[AUDIT_NAME];          /* of the segment */
    uint64_t segment, line;
    bool is_last;                   /* no segment behind it */
    struct dp_audit_anchor *anchor; /* sorted */
    size_t n_anchors, at;           /* the first that was not met yet */
    struct dp_buf tombs;
    char tombs_sum[DP_AUDIT_HASH];
    bool tombs_told;                /* an entry says how they came to be */
};

static enum dp_status finding(struct chain *c, const char *source, uint64_t line, struct dp_err *err, const char *fmt, ...) DP_PRINTF(5, 6);
static enum dp_status finding(struct chain *c, const char *source, uint64_t line, struct dp_err *err, const char *fmt, ...) {
    char text[384];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->seen->findings++;
    if (c->r->finding) return c->r->finding(c->r->ctx, source, line, text, err);
    dp_err_set(err, DP_FORMAT, "%s", text);
    dp_err_at(err, source, line, DP_NO_OFFSET);
    return DP_FORMAT;
}

#define ULL(v) ((unsigned long long)(v))

/* ---- anchors ---- */

static int by_seq(const void *a, const void *b) {
    const struct dp_audit_anchor *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static void sort_anchors(struct chain *c) {
    c->n_anchors = c->r->n_anchors;
    if (!c->n_anchors) return;
    c->anchor = dp_realloc_array(NULL, c->n_anchors, sizeof *c->anchor);
    memcpy(c->anchor, c->r->anchors, c->n_anchors * sizeof *c->anchor);
    qsort(c->anchor, c->n_anchors, sizeof *c->anchor, by_seq);
}

/* Anchors of entries up to `seq`, of which the last has this hash (NULL: it is not known).  `expired`: those before it went by the rules. */
static enum dp_status meet_anchors(struct chain *c, uint64_t seq, const char *hash, bool expired, struct dp_err *err) {
    for (; c->at < c->n_anchors && c->anchor[c->at].seq <= seq; c->at++) {
        const struct dp_audit_anchor *k = &c->anchor[c->at];
        if (strcmp(k->log, c->seen->log) != 0) {
            DP_TRY(finding(c, k->source, k->line, err, "this anchor is of another log (%s, not %s)", k->log, c->seen->log[0] ? c->seen->log : "none"));
        } else if (k->seq == seq && hash) {
            if (strcmp(k->hash, hash) == 0) c->seen->anchors++;
            else DP_TRY(finding(c, k->source, k->line, err, "entry %llu is not the one that this anchor is of: the log was written anew", ULL(seq)));
        } else if (expired) {
            c->seen->anchors_expired++;
        } else {
            DP_TRY(finding(c, k->source, k->line, err, "entry %llu, which this anchor is of, is missing", ULL(k->seq)));
        }
    }
    return DP_OK;
}

static enum dp_status end_anchors(struct chain *c, struct dp_err *err) {
    for (; c->at < c->n_anchors; c->at++) {
        const struct dp_audit_anchor *k = &c->anchor[c->at];
        if (c->seen->log[0] && strcmp(k->log, c->seen->log) != 0)
            DP_TRY(finding(c, k->source, k->line, err, "this anchor is of another log (%s, not %s)", k->log, c->seen->log));
        else
            DP_TRY(finding(c, k->source, k->line, err, "entry %llu, which this anchor is of, is not there: the log ends at entry %llu, the rest was cut off", ULL(k->seq), ULL(c->seen->last)));
    }
    return DP_OK;
}

/* ---- lines ---- */

/* Where a good line stands in the chain. */
static enum dp_status check_place(struct chain *c, const struct audit_line *l, bool *ok, struct dp_err *err) {
    const char *what = l->is_head ? "the segment's first entry" : "entry";
    *ok = false;
    if (l->is_head != (c->line == 1))
        return finding(c, c->name, c->line, err, l->is_head ? "a head of a segment amid entries" : "entry %llu where the segment's head must be", ULL(l->seq));
    if (l->is_head && l->segment != c->segment)
        return finding(c, c->name, c->line, err, "this is segment %llu: it was put in the place of segment %llu, or repeated", ULL(l->segment), ULL(c->segment));
    if (l->is_head && c->seen->log[0] && !dp_str_eqz(l->log, c->seen->log)) return finding(c, c->name, c->line, err, "this segment is of another log (%.*s)", DP_STR_FMT(l->log));
    if (c->knows_next && l->seq > c->next) return finding(c, c->name, c->line, err, "%s %llu is here, and entries %llu to %llu are missing before it", what, ULL(l->seq), ULL(c->next), ULL(l->seq - 1));
    if (c->knows_next && l->seq < c->next) return finding(c, c->name, c->line, err, "%s %llu is here out of its place, or once more; entry %llu was to come", what, ULL(l->seq), ULL(c->next));
    if (c->knows_prev && !dp_str_eqz(l->prev, c->prev)) return finding(c, c->name, c->line, err, "%s %llu does not follow the line before it: one of them was changed", what, ULL(l->seq));
    *ok = true;
    return DP_OK;
}

static bool holds(struct dp_str text, const char *what) {
    size_t n = strlen(what);
    for (size_t i = 0; n <= text.n && i <= text.n - n; i++)
        if (text.p[i] == what[0] && memcmp(text.p + i, what, n) == 0) return true;
    return false;
}

static enum dp_status take_entry(struct chain *c, const struct audit_line *l, struct dp_str text, struct dp_err *err) {
    struct dp_audit_seen *s = c->seen;
    if (!s->entries++) s->first = l->seq;
    s->last = l->seq;
    audit_copy(s->hash, sizeof s->hash, l->hash), audit_copy(s->time, sizeof s->time, l->time);
    if (dp_str_eqz(l->kind, "repair")) s->repairs++;
    if (c->tombs.n && !c->tombs_told && dp_str_eqz(l->action, "audit.expire") && dp_str_eqz(l->kind, "begin")) c->tombs_told = holds(text, c->tombs_sum);
    DP_TRY(meet_anchors(c, l->seq, s->hash, false, err));
    if (!c->r->entry) return DP_OK;
    return c->r->entry(c->r->ctx, &(struct dp_audit_entry){.seq = l->seq, .segment = c->name, .line = c->line, .text = text}, err);
}

static enum dp_status take_line(struct chain *c, struct dp_str text, struct dp_err *err) {
    struct audit_line l;
    bool ok;
    c->line++;
    const char *why = audit_parse(text, &l);
    if (why) {
        uint64_t seq = c->knows_next ? c->next : l.seq;
        c->knows_prev = l.hash.n > 0 && c->knows_next && l.seq == c->next; /* it is in its place, and what it said its hash was is what the next links to */
        audit_copy(c->prev, sizeof c->prev, l.hash);
        c->knows_next = c->knows_prev;
        if (c->knows_next && c->line > 1) c->next++;
        return finding(c, c->name, c->line, err, c->line == 1 ? "the segment's head (before entry %llu) was changed: %s" : "entry %llu was changed: %s", ULL(seq), why);
    }
    DP_TRY(check_place(c, &l, &ok, err));
    if (l.is_head && !c->seen->log[0]) audit_copy(c->seen->log, sizeof c->seen->log, l.log);
    audit_copy(c->prev, sizeof c->prev, l.hash);
    c->next = l.is_head ? l.seq : l.seq + 1;
    c->knows_prev = c->knows_next = true;
    if (ok && c->lines) c->lines->line(c->lines->ctx, c->segment, &l);
    return ok && !l.is_head ? take_entry(c, &l, text, err) : DP_OK;
}

/* What stands behind the last newline of a segment. */
static enum dp_status take_rest(struct chain *c, size_t n, struct dp_err *err) {
    if (!n && c->line) return DP_OK;
    if (!n) return finding(c, c->name, 0, err, "the segment is empty");
    c->knows_prev = c->knows_next = false;
    if (!c->is_last) return finding(c, c->name, c->line + 1, err, "the last line of the segment (entry %llu) was cut", ULL(c->next));
    c->seen->torn = true;
    return finding(c, c->name, c->line + 1, err, "the last line is torn (entry %llu, %zu bytes): its writer died, or it was cut; the next entry takes its place and says so", ULL(c->next), n);
}

/* A line may be this long at most, in memory. */
#define LONGEST ((size_t)DP_LIMIT_AUDIT_ENTRY)

static enum dp_status read_lines(struct chain *c, int fd, uint64_t size, struct dp_buf *b, struct dp_err *err) {
    uint64_t at = 0;
    bool skips = false; /* in a line that is too long */
    dp_buf_reset(b);
    while (at < size) {
        size_t want = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        DP_TRY(dp_fd_pread(fd, dp_buf_reserve(b, want), want, at, err));
        b->n += want, at += want;
        size_t from = 0;
        for (const char *end; (end = memchr(b->p + from, '\n', b->n - from)) != NULL; from = (size_t)(end - b->p) + 1) {
            if (!skips) DP_TRY(take_line(c, dp_str(b->p + from, (size_t)(end - b->p) - from), err));
            skips = false;
        }
        memmove(b->p, b->p + from, b->n - from);
        b->n -= from;
        if (b->n <= LONGEST) continue;
        if (!skips) {
            c->line++;
            c->knows_prev = c->knows_next = false;
            DP_TRY(finding(c, c->name, c->line, err, "a line longer than an entry may be (%u bytes) where entry %llu was to come", DP_LIMIT_AUDIT_ENTRY, ULL(c->next)));
        }
        skips = true;
        dp_buf_reset(b);
    }
    return take_rest(c, skips ? 0 : b->n, err);
}

/* ---- tombstones ---- */

static enum dp_status take_tomb(struct chain *c, struct dp_str text, uint64_t line, uint64_t *last, struct dp_err *err) {
    struct audit_tomb t;
    const char *why = audit_tomb_parse(text, &t);
    if (why) return finding(c, AUDIT_EXPIRED, line, err, "the tombstone of segment %llu was changed: %s", ULL(*last + 1), why);
    if (t.segment != *last + 1 || t.first != c->next || strcmp(t.prev, c->prev) != 0 || (c->seen->log[0] && strcmp(c->seen->log, t.log) != 0))
        DP_TRY(finding(c, AUDIT_EXPIRED, line, err, "the tombstone of segment %llu (entries %llu to %llu) does not follow the one before it", ULL(t.segment), ULL(t.first), ULL(t.last)));
    audit_copy(c->seen->log, sizeof c->seen->log, dp_str_z(t.log));
    audit_copy(c->prev, sizeof c->prev, dp_str_z(t.end));
    c->next = t.last + 1;
    *last = t.segment;
    c->seen->expired_segments++;
    c->seen->expired_entries += t.last + 1 - t.first;
    return meet_anchors(c, t.last, t.last >= t.first ? t.end : NULL, true, err);
}

static enum dp_status take_tombs(struct chain *c, uint64_t *last, struct dp_err *err) {
    uint8_t sum[DP_SHA256_SIZE];
    struct dp_str in = dp_buf_str(&c->tombs);
    uint64_t line = 0;
    *last = 0;
    if (!in.n) return DP_OK;
    dp_sha256(in.p, in.n, sum);
    c->tombs_sum[dp_hex_print(c->tombs_sum, sum, sizeof sum)] = 0;
    while (in.n) {
        const char *end = memchr(in.p, '\n', in.n);
        size_t n = end ? (size_t)(end - in.p) : in.n;
        line++;
        if (!end) DP_TRY(finding(c, AUDIT_EXPIRED, line, err, "the last tombstone was cut"));
        else DP_TRY(take_tomb(c, dp_str(in.p, n), line, last, err));
        in.p += n + (end != NULL), in.n -= n + (end != NULL);
    }
    return DP_OK;
}

/* ---- the whole ---- */

/* Segments that are missing before number `k`. */
static enum dp_status check_number(struct chain *c, uint64_t k, struct dp_err *err) {
    uint64_t from = c->segment + 1;
    if (k == from) return DP_OK;
    c->knows_prev = c->knows_next = false;
    if (k == from + 1) return finding(c, c->dir, 0, err, "segment %llu is missing, which begins with entry %llu", ULL(from), ULL(c->next));
    return finding(c, c->dir, 0, err, "segments %llu to %llu are missing, which begin with entry %llu", ULL(from), ULL(k - 1), ULL(c->next));
}

static enum dp_status read_segment(struct chain *c, uint64_t k, uint64_t size, struct dp_buf *b, struct dp_err *err) {
    struct stat st;
    DP_TRY(check_number(c, k, err));
    char *path = audit_path(c->dir, k);
    c->segment = k, c->line = 0;
    audit_name(c->name, k);
    c->seen->segments++;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum dp_status status = DP_OK;
    if (fd < 0 && errno == ENOENT) status = dp_err_set(err, DP_AGAIN, "%s went away meanwhile: the log is being expired", path);
    else if (fd < 0 || fstat(fd, &st) != 0) status = dp_err_sys(err, DP_IO, "can't open %s", path);
    else if (!S_ISREG(st.st_mode)) status = finding(c, c->name, 0, err, "it is no regular file");
    else status = read_lines(c, fd, size == UINT64_MAX ? (uint64_t)st.st_size : size, b, err);
    if (fd >= 0) close(fd);
    free(path);
    return status;
}

/* What is there now: segments, the last one's size, tombstones.  Between two writes of others, where it can be locked. */
static enum dp_status look(struct chain *c, bool locked, struct audit_list *l, uint64_t *size, struct dp_err *err) {
    struct stat st;
    int fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return dp_err_set(err, DP_IO, "there is no audit log in %s", c->dir);
    if (fd < 0) return dp_err_sys(err, DP_IO, "can't open the audit log %s", c->dir);
    int64_t until = dp_time_monotonic_ms() + LOCK_WAIT_MS;
    enum dp_status status = DP_OK;
    while (!locked && status == DP_OK && flock(fd, LOCK_SH | LOCK_NB) != 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
        if (dp_time_monotonic_ms() > until) status = dp_err_set(err, DP_AGAIN, "another process has held the audit log %s for 10 s", c->dir);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    if (status == DP_OK) status = audit_list(c->dir, l, err);
    if (status == DP_OK) status = audit_tombs_read(c->dir, &c->tombs, err);
    *size = 0;
    if (status == DP_OK && l->n) {
        char *path = audit_path(c->dir, l->v[l->n - 1]);
        if (stat(path, &st) != 0) status = dp_err_sys(err, DP_IO, "can't look at %s", path);
        else *size = (uint64_t)st.st_size;
        free(path);
    }
    close(fd);
    return status;
}

static void start_chain(struct chain *c, struct dp_audit_seen *seen) {
    memset(seen, 0, sizeof *seen);
    memcpy(c->prev, AUDIT_ZERO, sizeof AUDIT_ZERO);
    c->next = 1;
    c->knows_prev = c->knows_next = true;
}

enum dp_status audit_read(const char *dir, const struct dp_audit_reader *r, const struct audit_lines *lines, bool locked, struct dp_audit_seen *seen, struct dp_err *err) {
    struct chain c = {.dir = dir, .r = r, .lines = lines, .seen = seen};
    struct audit_list l = {0};
    struct dp_buf b = {0};
    uint64_t size = 0, expired = 0;
    start_chain(&c, seen);
    enum dp_status status = look(&c, locked, &l, &size, err);
    sort_anchors(&c);
    if (status == DP_OK) status = take_tombs(&c, &expired, err);
    c.segment = expired;
    if (status == DP_OK && expired && (!l.n || l.v[l.n - 1] <= expired)) status = finding(&c, dir, 0, err, "all segments behind number %llu, which expired, are gone", ULL(expired));
    for (size_t i = 0; status == DP_OK && i < l.n; i++) {
        if (l.v[i] <= expired) continue; /* an expiry that was interrupted left it */
        c.is_last = i + 1 == l.n;
        status = read_segment(&c, l.v[i], c.is_last ? size : UINT64_MAX, &b, err);
    }
    if (status == DP_OK && c.tombs.n && !c.tombs_told) status = finding(&c, AUDIT_EXPIRED, 0, err, "no entry of the log says that segments expired so: the tombstones are not those that were written");
    if (status == DP_OK) status = end_anchors(&c, err);
    dp_buf_release(&b), dp_buf_release(&c.tombs);
    free(c.anchor), free(l.v);
    return status;
}

enum dp_status audit_read_segment(int fd, uint64_t size, const struct dp_audit_reader *r, struct dp_audit_seen *seen, struct dp_err *err) {
    struct chain c = {.dir = ".", .r = r, .seen = seen, .segment = 1, .is_last = true};
    struct dp_buf b = {0};
    start_chain(&c, seen);
    audit_name(c.name, 1);
    seen->segments = 1;
    sort_anchors(&c);
    enum dp_status status = read_lines(&c, fd, size, &b, err);
    if (status == DP_OK) status = end_anchors(&c, err);
    dp_buf_release(&b);
    free(c.anchor);
    return status;
}

enum dp_status dp_audit_read(const char *dir, const struct dp_audit_reader *r, struct dp_audit_seen *seen, struct dp_err *err) { return audit_read(dir, r, NULL, false, seen, err); }
