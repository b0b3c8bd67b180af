/*
 * The audit log's reader from any bytes, chosen by the first: a segment; a segment whose lines are sealed, so that what is behind their hashes is met too; anchors; tombstones.
 * No crash; a segment in which nothing is found has one entry after the other from 1 on; what is sealed in order holds.
 */
#include "../../lib/io/audit_priv.h"

#include <dp/base/file.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct met {
    uint64_t last, findings;
};

static enum dp_status see_entry(void *ctx, const struct dp_audit_entry *e, struct dp_err *err) {
    struct met *m = ctx;
    (void)err;
    if (!m->findings && e->seq != m->last + 1) abort();
    m->last = e->seq;
    if (!e->text.n || memchr(e->text.p, '\n', e->text.n)) abort();
    return DP_OK;
}

static enum dp_status see_finding(void *ctx, const char *source, uint64_t line, const char *text, struct dp_err *err) {
    struct met *m = ctx;
    (void)line, (void)err;
    if (!*source || !*text) abort();
    m->findings++;
    return DP_OK;
}

static void read_segment(struct dp_str text) {
    struct dp_audit_anchor anchor = {.log = "x", .seq = 2, .source = "a", .line = 1};
    struct met m = {0, 0};
    struct dp_audit_reader r = {.ctx = &m, .entry = see_entry, .finding = see_finding, .anchors = &anchor, .n_anchors = 1};
    struct dp_audit_seen seen;
    int fd;
    if (dp_spill_open(&fd, NULL) != DP_OK) return;
    if (dp_fd_write(fd, text.p, text.n, NULL) == DP_OK && audit_read_segment(fd, text.n, &r, &seen, NULL) == DP_OK && seen.findings != m.findings) abort();
    r.finding = NULL;
    m = (struct met){0, 1};
    if (audit_read_segment(fd, text.n, &r, &seen, NULL) == DP_OK && seen.findings) abort();
    close(fd);
}

/* A head, then an entry for each line of the input, whose text goes into `why` as it stands. */
static void read_sealed(const char *p, size_t n) {
    struct dp_buf b = {0};
    char hash[DP_AUDIT_HASH] = AUDIT_ZERO;
    uint64_t seq = 1;
    dp_buf_addz(&b, "{\"dp_audit\":1,\"log\":\"00000000-0000-4000-8000-000000000000\",\"segment\":1,\"seq\":1,\"time\":\"2026-01-01T00:00:00Z\"");
    audit_seal(&b, 0, hash, hash);
    while (n) {
        const char *end = memchr(p, '\n', n);
        size_t line = end ? (size_t)(end - p) : n, from = b.n;
        bool skips = line && *p == '!'; /* a number is left out */
        dp_buf_addf(&b, "{\"seq\":%llu,\"time\":\"2026-01-01T00:00:00Z\",\"kind\":\"note\",\"action\":\"", (unsigned long long)(seq += 1 + skips) - 1);
        dp_buf_add(&b, p, line);
        audit_seal(&b, from, hash, hash);
        p += line + (end != NULL), n -= line + (end != NULL);
    }
    read_segment(dp_buf_str(&b));
    dp_buf_release(&b);
}

static void read_tombs(struct dp_str in) {
    while (in.n) {
        const char *end = memchr(in.p, '\n', in.n);
        size_t n = end ? (size_t)(end - in.p) : in.n;
        struct audit_tomb t;
        if (!audit_tomb_parse(dp_str(in.p, n), &t)) { /* one spelling alone */
            struct dp_buf b = {0};
            audit_tomb_print(&b, &t);
            if (b.n != n + 1 || memcmp(b.p, in.p, n) != 0) abort();
            dp_buf_release(&b);
        }
        in.p += n + (end != NULL), in.n -= n + (end != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dp_audit_anchors a = {0};
    if (!size) return 0;
    struct dp_str in = dp_str((const char *)data + 1, size - 1);
    switch (data[0] % 4) {
    case 0: read_segment(in); break;
    case 1: read_sealed(in.p, in.n); break;
    case 2:
        if (dp_audit_anchors_add(&a, in, "fuzz", NULL, NULL) == DP_OK)
            for (size_t i = 0; i < a.n; i++)
                if (!a.v[i].seq || strlen(a.v[i].hash) != DP_AUDIT_HASH - 1) abort();
        free(a.v);
        break;
    default: read_tombs(in);
    }
    return 0;
}
