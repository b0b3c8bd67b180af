/*
 * Retention of the audit log (dp/io/audit.h): whole segments, oldest first, each leaves a tombstone.  Order on disk: the entry that says so, with the digest of the new file of
 * tombstones; that file; then the segments go; then the end of the entry.  All under the lock.
 */
#include "audit_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/time.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The segments that are there, as their tombstones would be. */
struct survey {
    struct audit_tomb *v;
    size_t n, cap;
};

static void see_line(void *ctx, uint64_t segment, const struct audit_line *l) {
    struct survey *s = ctx;
    if (l->is_head) {
        s->v = dp_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
        struct audit_tomb *t = &s->v[s->n++];
        *t = (struct audit_tomb){.segment = segment, .first = l->seq, .last = l->seq - 1};
        audit_copy(t->log, sizeof t->log, l->log), audit_copy(t->prev, sizeof t->prev, l->prev), audit_copy(t->from, sizeof t->from, l->time);
    } else {
        s->v[s->n - 1].last = l->seq;
    }
    audit_copy(s->v[s->n - 1].end, DP_AUDIT_HASH, l->hash), audit_copy(s->v[s->n - 1].to, sizeof s->v->to, l->time);
}

static bool is_older(const struct audit_tomb *t, int64_t before) {
    struct dp_timestamp time;
    int64_t micros;
    return dp_time_parse(dp_str_z(t->to), false, false, &time) && dp_time_micros(&time, &micros) && micros < before;
}

/* How many of the first segments go. The newest only has to when it holds entries. */
static size_t count_old(const struct survey *s, int64_t before) {
    size_t n = 0;
    while (n < s->n && is_older(&s->v[n], before)) n++;
    if (n == s->n && n && s->v[n - 1].last < s->v[n - 1].first) n--;
    return n;
}

static uint64_t file_bytes(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Segments up to number `last`: their bytes, or away with them. */
static enum dp_status each_gone(struct dp_audit *a, uint64_t last, bool remove, struct dp_audit_expired *out, struct dp_err *err) {
    struct audit_list l = {0};
    enum dp_status status = audit_list(a->dir, &l, err);
    out->bytes = 0;
    for (size_t i = 0; status == DP_OK && i < l.n && l.v[i] <= last; i++) {
        char *path = audit_path(a->dir, l.v[i]);
        out->bytes += file_bytes(path);
        if (remove && unlink(path) != 0) status = dp_err_sys(err, DP_IO, "can't remove %s", path);
        free(path);
    }
    free(l.v);
    return status == DP_OK && remove ? dp_fsync_dir(a->dir, err) : status;
}

static void describe(struct dp_buf *b, int64_t before, const struct dp_audit_expired *x, struct dp_str tombs) {
    uint8_t sum[DP_SHA256_SIZE];
    char hex[2 * DP_SHA256_SIZE], time[40];
    dp_sha256(tombs.p, tombs.n, sum);
    dp_hex_print(hex, sum, sizeof sum);
    size_t n = dp_time_print_micros(time, before, true, -1);
    dp_buf_addf(b, "{\"before\":\"%.*s\",\"segments\":%llu,\"entries\":%llu", (int)n, time, (unsigned long long)x->segments, (unsigned long long)x->entries);
    if (x->entries) dp_buf_addf(b, ",\"first\":%llu,\"last\":%llu", (unsigned long long)x->first, (unsigned long long)x->last);
    dp_buf_addf(b, ",\"tombstones\":\"%.64s\"}", hex);
}

static enum dp_status write_tombs(struct dp_audit *a, const struct dp_buf *b, struct dp_err *err) {
    struct dp_newfile f = {.slot = -1};
    char *path = dp_path_join(a->dir, AUDIT_EXPIRED);
    enum dp_status status = dp_newfile_open(&f, path, a->mode, err);
    if (status == DP_OK) status = dp_fd_write(f.fd, b->p, b->n, err);
    if (status == DP_OK) status = dp_newfile_commit(&f, err);
    dp_newfile_abort(&f);
    free(path);
    return status;
}

/* Says it, writes the tombstones, removes the segments up to `last`, says that it is done. */
static enum dp_status remove_segments(struct dp_audit *a, uint64_t last, int64_t before, const char *why, const struct dp_buf *tombs, struct dp_audit_expired *x, struct dp_err *err) {
    struct dp_buf what = {0};
    struct dp_err late = DP_ERR_INIT;
    uint64_t seq = 0, end = 0;
    describe(&what, before, x, dp_buf_str(tombs));
    struct dp_audit_intent i = {.action = "audit.expire", .why = why, .what = dp_buf_str(&what)};
    enum dp_status status = audit_append(a, &(struct audit_add){.kind = "begin", .intent = &i}, &seq, err);
    if (status == DP_OK) {
        status = write_tombs(a, tombs, err);
        if (status == DP_OK) status = each_gone(a, last, true, x, err);
        i.why = NULL, i.what = dp_str("", 0);
        enum dp_status said = audit_append(a, &(struct audit_add){.kind = "end", .intent = &i, .of = seq, .outcome = status}, &end, &late);
        if (status == DP_OK && said != DP_OK) {
            if (err) *err = late;
            status = said;
        }
    }
    dp_buf_release(&what);
    return status;
}

static enum dp_status expire(struct dp_audit *a, int64_t before, const char *why, bool dry_run, struct dp_audit_expired *out, struct survey *s, struct dp_buf *tombs, struct dp_err *err) {
    struct dp_audit_seen seen;
    struct dp_audit_reader r = {0};
    uint64_t last = 0;
    if (!a->tip.segment) return DP_OK;
    if (!dry_run) DP_TRY(audit_repair(a, err));
    DP_TRY(audit_read(a->dir, &r, &(struct audit_lines){.ctx = s, .line = see_line}, true, &seen, err));
    DP_TRY(audit_tombs_read(a->dir, tombs, err));
    size_t n = count_old(s, before);
    last = n ? s->v[n - 1].segment : seen.expired_segments; /* they are the first ones, so their count is the number of the last */
    for (size_t i = 0; i < n; i++) {
        struct audit_tomb *t = &s->v[i];
        if (t->last >= t->first) out->first = out->first ? out->first : t->first, out->last = t->last;
        out->entries += t->last + 1 - t->first;
        audit_tomb_print(tombs, t);
    }
    out->segments = n;
    DP_TRY(each_gone(a, last, false, out, err));
    if (tombs->n > DP_LIMIT_AUDIT_EXPIRED) return dp_err_set(err, DP_LIMIT, "tombstones of more than %u bytes (DP_LIMIT_AUDIT_EXPIRED)", DP_LIMIT_AUDIT_EXPIRED);
    if (dry_run || (!n && !out->bytes)) return DP_OK; /* bytes without a segment: those of an expiry that was interrupted */
    if (n == s->n) DP_TRY(audit_rotate(a, err));
    return remove_segments(a, last, before, why, tombs, out, err);
}

enum dp_status dp_audit_expire(struct dp_audit *a, int64_t before_micros, const char *why, bool dry_run, struct dp_audit_expired *out, struct dp_err *err) {
    struct survey s = {0};
    struct dp_buf tombs = {0};
    memset(out, 0, sizeof *out);
    DP_TRY(audit_lock(a, err));
    enum dp_status status = expire(a, before_micros, why, dry_run, out, &s, &tombs, err);
    audit_unlock(a);
    free(s.v);
    dp_buf_release(&tombs);
    return status;
}
