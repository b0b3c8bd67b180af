/*
 * Appending to the audit log (dp/io/audit.h).  One line is one pwrite at the end that was found under the lock, then fdatasync; a torn line of a process that died is written
 * over, so the repair and its record are one write.  What can't be written whole is cut off again.
 * Not here: reading and checking (audit_read.c), retention (audit_expire.c), anchors (audit_anchor.c).
 */
#include "audit_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/record/json.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_BYTES ((uint64_t)4 << 20)
#define SEGMENT_ENTRIES 10000u
#define LOCK_WAIT_MS 10000
#define TAIL_FIRST 4096u /* what is read of a segment's end at first: most entries are shorter */

char *dp_audit_directory(const char *dir) {
    if (dir && *dir) return dp_strdup(dir);
    char *state = dp_state_home(), *path = state ? dp_path_join(state, "dp/audit") : NULL;
    free(state);
    return path;
}

char *dp_audit_object(const char *path) {
    char *plain = dp_path_of_url(path), *here = NULL;
    if (plain) path = plain;
    char *real = realpath(path, NULL);
    if (!real && *path != '/') {
        here = getcwd(NULL, 0);
        real = here ? dp_path_join(here, path) : NULL;
        free(here);
    }
    const char *of = real ? real : path;
    char *uri = dp_alloc(strlen(of) + 8);
    snprintf(uri, strlen(of) + 8, "file://%s", of);
    free(real), free(plain);
    return uri;
}

/* ---- opening ---- */

static char *login_name(void) {
    struct passwd entry, *found = NULL;
    char text[4096], id[32];
    if (getpwuid_r(getuid(), &entry, text, sizeof text, &found) == 0 && found) return dp_strdup(found->pw_name);
    snprintf(id, sizeof id, "%lu", (unsigned long)getuid());
    return dp_strdup(id);
}

static char *host_name(void) {
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0) name[0] = 0;
    return dp_strdup(name);
}

static enum dp_status make_directory(const char *dir, struct dp_err *err) {
    struct stat st;
    if (stat(dir, &st) == 0) return DP_OK;
    char *parent = dp_path_dir(dir);
    enum dp_status status = dp_mkdirs(parent, err);
    if (status == DP_OK && mkdir(dir, 0700) == 0) status = dp_fsync_dir(parent, err);
    else if (status == DP_OK && errno != EEXIST) status = dp_err_sys(err, DP_IO, "can't make %s", dir);
    free(parent);
    return status;
}

static enum dp_status set_sizes(struct dp_audit *a, struct dp_err *err) {
    const char *text = getenv("DP_AUDIT_SEGMENT");
    a->segment_bytes = SEGMENT_BYTES;
    a->segment_entries = SEGMENT_ENTRIES;
    if (!text || !*text) return DP_OK;
    enum dp_status status = dp_parse_size(dp_str_z(text), &a->segment_bytes, err);
    return status == DP_OK ? DP_OK : (dp_err_prefix(err, "DP_AUDIT_SEGMENT: "), status);
}

enum dp_status dp_audit_open(const struct dp_run *run, const char *dir, struct dp_audit **out, struct dp_err *err) {
    struct dp_audit *a = dp_calloc(1, sizeof *a);
    struct stat st;
    enum dp_status status = DP_OK;
    *out = NULL;
    a->run = run;
    a->dir_fd = a->tip.fd = -1;
    a->dir = dp_audit_directory(dir);
    if (!a->dir) DP_TRY_OUT(dp_err_set(err, DP_IO, "nobody knows a home for the audit log: --audit or DP_AUDIT names its directory"));
    DP_TRY_OUT(set_sizes(a, err));
    status = make_directory(a->dir, err);
    if (status == DP_OK) {
        a->dir_fd = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (a->dir_fd < 0 || fstat(a->dir_fd, &st) != 0) status = dp_err_sys(err, DP_IO, "can't open %s", a->dir);
    }
    if (status) dp_err_prefix(err, "audit log: ");
    if (status) goto out;
    a->mode = 0600 | (st.st_mode & 0060); /* a directory for a group is one for its members */
    a->login = login_name();
    a->host = host_name();
out:
    if (status) dp_audit_close(a);
    else *out = a;
    return status;
}

void dp_audit_close(struct dp_audit *a) {
    if (!a) return;
    if (a->tip.fd >= 0) close(a->tip.fd);
    if (a->dir_fd >= 0) close(a->dir_fd);
    for (size_t i = 0; i < a->n_open; i++) free(a->open[i].action), free(a->open[i].object);
    free(a->open), free(a->dir), free(a->login), free(a->host), free(a);
}

void dp_audit_set_segment(struct dp_audit *a, uint64_t bytes, uint64_t entries) {
    if (bytes) a->segment_bytes = bytes;
    if (entries) a->segment_entries = entries;
}

/* ---- where it ends ---- */

static enum dp_status damaged(const struct dp_audit *a, const char *why, struct dp_err *err) {
    char name[AUDIT_NAME];
    audit_name(name, a->tip.segment);
    return dp_err_set(err, DP_FORMAT, "the audit log %s is damaged: %s: %s; `dp-retain audit verify` tells more", a->dir, name, why);
}

/* The last whole line of a segment of `size` bytes, with `want` bytes of its end in b.  False: it needs more of them. */
static enum dp_status last_line(struct dp_audit *a, uint64_t size, size_t want, struct dp_buf *b, struct dp_str *line, bool *found, struct dp_err *err) {
    size_t n = want < size ? want : (size_t)size;
    dp_buf_reset(b);
    *found = false;
    DP_TRY(dp_fd_pread(a->tip.fd, dp_buf_reserve(b, n), n, size - n, err));
    b->n = n;
    size_t end = n;
    while (end && b->p[end - 1] != '\n') end--;
    if (!end) return DP_OK;
    size_t from = end - 1;
    while (from && b->p[from - 1] != '\n') from--;
    if (!from && n < size) return DP_OK;
    *found = true;
    *line = dp_str(b->p + from, end - 1 - from);
    a->tip.torn = n - end;
    a->tip.size = size - a->tip.torn;
    return DP_OK;
}

/* The segment's head: whose log it is, and its first entry. */
static enum dp_status read_head(struct dp_audit *a, uint64_t size, struct dp_err *err) {
    char text[512];
    struct audit_line l;
    size_t n = size < sizeof text ? (size_t)size : sizeof text;
    DP_TRY(dp_fd_pread(a->tip.fd, text, n, 0, err));
    const char *end = memchr(text, '\n', n), *why = end ? audit_parse(dp_str(text, (size_t)(end - text)), &l) : "it has no head";
    if (why) return damaged(a, why, err);
    if (!l.is_head || l.segment != a->tip.segment) return damaged(a, "its head is not that of this segment", err);
    a->tip.first = l.seq;
    audit_copy(a->tip.log, sizeof a->tip.log, l.log);
    return DP_OK;
}

static enum dp_status read_tip(struct dp_audit *a, struct dp_err *err) {
    struct dp_buf b = {0};
    struct dp_str line = {0};
    struct audit_line l;
    struct stat st;
    bool found = false;
    if (fstat(a->tip.fd, &st) != 0 || !S_ISREG(st.st_mode)) return damaged(a, "it is no regular file", err);
    uint64_t size = (uint64_t)st.st_size;
    enum dp_status status = read_head(a, size, err);
    for (size_t want = TAIL_FIRST; status == DP_OK && !found; want *= 4) {
        status = last_line(a, size, want, &b, &line, &found, err);
        if (status == DP_OK && !found && (want >= size || want > 8 * DP_LIMIT_AUDIT_ENTRY)) status = damaged(a, "its end is no entry", err);
    }
    const char *why = status == DP_OK ? audit_parse(line, &l) : NULL;
    if (why) status = damaged(a, why, err);
    if (status == DP_OK) {
        a->tip.seq = l.is_head ? l.seq - 1 : l.seq;
        audit_copy(a->tip.hash, sizeof a->tip.hash, l.hash);
        audit_copy(a->tip.time, sizeof a->tip.time, l.time);
    }
    dp_buf_release(&b);
    return status;
}

static enum dp_status find_tip(struct dp_audit *a, struct dp_err *err) {
    struct audit_list l = {0};
    if (a->tip.fd >= 0) close(a->tip.fd);
    memset(&a->tip, 0, sizeof a->tip);
    a->tip.fd = -1;
    enum dp_status status = audit_list(a->dir, &l, err);
    uint64_t last = l.n ? l.v[l.n - 1] : 0;
    free(l.v);
    DP_TRY(status);
    if (!last) {
        struct dp_buf tombs = {0};
        status = audit_tombs_read(a->dir, &tombs, err);
        bool gone = tombs.n > 0;
        dp_buf_release(&tombs);
        if (status == DP_OK && gone) return dp_err_set(err, DP_FORMAT, "the audit log %s is damaged: all its segments are gone", a->dir);
        return status;
    }
    char *path = audit_path(a->dir, last);
    a->tip.segment = last;
    a->tip.fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (a->tip.fd < 0) status = dp_err_sys(err, DP_IO, "can't open %s", path);
    else status = read_tip(a, err);
    free(path);
    return status;
}

/* ---- the lock ---- */

enum dp_status audit_lock(struct dp_audit *a, struct dp_err *err) {
    int64_t until = dp_time_monotonic_ms() + LOCK_WAIT_MS;
    while (flock(a->dir_fd, LOCK_EX | LOCK_NB) != 0) {
        uint16_t r;
        if (errno != EWOULDBLOCK && errno != EINTR) return dp_err_sys(err, DP_IO, "can't lock the audit log %s", a->dir);
        if (dp_time_monotonic_ms() > until) return dp_err_set(err, DP_AGAIN, "another process has held the audit log %s for 10 s", a->dir);
        dp_random(&r, sizeof r);
        nanosleep(&(struct timespec){0, (long)(100 + r % 1900u) * 1000}, NULL);
    }
    enum dp_status status = find_tip(a, err);
    if (status) audit_unlock(a);
    return status;
}

void audit_unlock(struct dp_audit *a) { (void)flock(a->dir_fd, LOCK_UN); }

/* ---- one line ---- */

/* Names of files need not be UTF-8: their other bytes stand as %XX. */
static void add_text(struct dp_buf *b, const char *text) {
    size_t bad = 0, n = strlen(text);
    if (dp_utf8_valid(text, n, NULL)) {
        dp_json_add_string(b, dp_str(text, n));
        return;
    }
    struct dp_buf clean = {0};
    while (n && !dp_utf8_valid(text, n, &bad)) {
        dp_buf_add(&clean, text, bad);
        dp_buf_addf(&clean, "%%%02X", (unsigned)(unsigned char)text[bad]);
        text += bad + 1, n -= bad + 1;
    }
    dp_buf_add(&clean, text, n);
    dp_json_add_string(b, dp_buf_str(&clean));
    dp_buf_release(&clean);
}

static void add_time(struct dp_buf *b, const char *key, int64_t micros) {
    char text[40];
    dp_buf_addf(b, ",\"%s\":\"", key);
    dp_buf_add(b, text, dp_time_print_micros(text, micros, true, 6));
    dp_buf_addc(b, '"');
}

static void add_actor(const struct dp_audit *a, struct dp_buf *b) {
    const char *as = getenv("DP_ACTOR");
    dp_buf_addf(b, ",\"actor\":{\"uid\":%lu,\"login\":", (unsigned long)getuid());
    add_text(b, a->login);
    dp_buf_addz(b, ",\"host\":"), add_text(b, a->host);
    dp_buf_addf(b, ",\"pid\":%ld", (long)getpid());
    if (as && *as) dp_buf_addz(b, ",\"as\":"), add_text(b, as);
    dp_buf_addc(b, '}');
}

static const char *outcome_word(enum dp_status s) {
    return s == DP_OK || s == DP_EMPTY || s == DP_END ? "done" : s == DP_SIGNALLED ? "stopped" : "failed";
}

static void add_body(const struct dp_audit *a, const struct audit_add *add, uint64_t seq, struct dp_buf *b) {
    const struct dp_audit_intent *i = add->intent;
    dp_buf_addf(b, "{\"seq\":%llu", (unsigned long long)seq);
    add_time(b, "time", dp_time_now_micros()); /* the clock, whatever --now says */
    dp_buf_addf(b, ",\"kind\":\"%s\",\"action\":\"%s\"", add->kind, i->action);
    if (i->object) dp_buf_addz(b, ",\"object\":"), add_text(b, i->object);
    if (add->of) dp_buf_addf(b, ",\"of\":%llu,\"outcome\":\"%s\",\"status\":\"%s\"", (unsigned long long)add->of, outcome_word(add->outcome), dp_status_name(add->outcome));
    add_actor(a, b);
    if (a->run->now_fixed) add_time(b, "now", a->run->now_micros);
    dp_buf_addz(b, ",\"program\":"), add_text(b, a->run->program ? a->run->program : "");
    dp_buf_addf(b, ",\"version\":\"%s\",\"run\":", DP_VERSION), add_text(b, a->run->run_id);
    if (i->why) dp_buf_addz(b, ",\"why\":"), add_text(b, i->why);
    if (i->what.n) dp_buf_addz(b, ",\"what\":"), dp_buf_adds(b, i->what);
}

/* At `at` of the newest segment, whole and on disk, or not at all. */
static enum dp_status write_line(struct dp_audit *a, struct dp_str line, struct dp_err *err) {
    size_t done = 0;
    bool ok = true;
    while (ok && done < line.n) {
        ssize_t n = pwrite(a->tip.fd, line.p + done, line.n - done, (off_t)(a->tip.size + done));
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        ok = n > 0;
        if (ok) done += (size_t)n;
    }
    if (ok && a->tip.torn > line.n) ok = ftruncate(a->tip.fd, (off_t)(a->tip.size + line.n)) == 0;
    if (ok && fdatasync(a->tip.fd) == 0) {
        a->tip.size += line.n;
        a->tip.torn = 0;
        return DP_OK;
    }
    enum dp_status status = dp_err_sys(err, DP_IO, "can't write the audit log %s", a->dir);
    if (ftruncate(a->tip.fd, (off_t)a->tip.size) == 0) a->tip.torn = 0; /* else the next append does it: the line is torn or has no command */
    return status;
}

static enum dp_status put_line(struct dp_audit *a, const struct audit_add *add, uint64_t *seq, struct dp_err *err) {
    struct dp_buf b = {0};
    char hash[DP_AUDIT_HASH];
    enum dp_status status = DP_OK;
    add_body(a, add, a->tip.seq + 1, &b);
    for (size_t i = 0; status == DP_OK && i < b.n; i++)
        if ((unsigned char)b.p[i] < 0x20) status = dp_err_set(err, DP_BUG, "an audit entry must be one line");
    audit_seal(&b, 0, a->tip.hash, hash);
    if (status == DP_OK && b.n > DP_LIMIT_AUDIT_ENTRY) status = dp_err_set(err, DP_LIMIT, "an audit entry of %zu bytes; the limit is %u (DP_LIMIT_AUDIT_ENTRY)", b.n, DP_LIMIT_AUDIT_ENTRY);
    if (status == DP_OK) status = write_line(a, dp_buf_str(&b), err);
    if (status == DP_OK) {
        memcpy(a->tip.hash, hash, sizeof hash);
        *seq = ++a->tip.seq;
    }
    dp_buf_release(&b);
    return status;
}

/* ---- segments ---- */

enum dp_status audit_rotate(struct dp_audit *a, struct dp_err *err) {
    struct dp_newfile f = {.slot = -1};
    struct dp_buf b = {0};
    char hash[DP_AUDIT_HASH];
    uint64_t number = a->tip.segment + 1;
    char *path = audit_path(a->dir, number);
    if (!a->tip.segment) dp_uuid(a->tip.log), memcpy(a->tip.hash, AUDIT_ZERO, sizeof AUDIT_ZERO);
    dp_buf_addf(&b, "{\"dp_audit\":1,\"log\":\"%s\",\"segment\":%llu,\"seq\":%llu", a->tip.log, (unsigned long long)number, (unsigned long long)(a->tip.seq + 1));
    add_time(&b, "time", dp_time_now_micros());
    audit_seal(&b, 0, a->tip.hash, hash);
    enum dp_status status = dp_newfile_open(&f, path, a->mode, err);
    if (status == DP_OK) status = dp_fd_write(f.fd, b.p, b.n, err);
    if (status == DP_OK) status = dp_newfile_commit_new(&f, err);
    dp_newfile_abort(&f);
    free(path);
    dp_buf_release(&b);
    if (status) dp_err_prefix(err, "audit log: ");
    return status == DP_OK ? find_tip(a, err) : status;
}

/* A torn line is written over by the entry that tells of it. */
enum dp_status audit_repair(struct dp_audit *a, struct dp_err *err) {
    struct dp_buf torn = {0}, what = {0};
    uint8_t sum[DP_SHA256_SIZE];
    char hex[2 * DP_SHA256_SIZE];
    uint64_t seq;
    if (!a->tip.torn) return DP_OK;
    if (a->tip.torn > 8 * DP_LIMIT_AUDIT_ENTRY) return damaged(a, "its end is no entry", err);
    DP_TRY(dp_fd_pread(a->tip.fd, dp_buf_reserve(&torn, a->tip.torn), a->tip.torn, a->tip.size, err));
    dp_sha256(torn.p, a->tip.torn, sum);
    dp_hex_print(hex, sum, sizeof sum);
    dp_buf_addf(&what, "{\"torn_bytes\":%llu,\"sha256\":\"%.64s\"}", (unsigned long long)a->tip.torn, hex);
    struct audit_add add = {.kind = "repair", .intent = &(struct dp_audit_intent){.action = "audit.repair", .what = dp_buf_str(&what)}};
    enum dp_status status = put_line(a, &add, &seq, err);
    dp_buf_release(&torn), dp_buf_release(&what);
    return status;
}

enum dp_status audit_append(struct dp_audit *a, const struct audit_add *add, uint64_t *seq, struct dp_err *err) {
    if (!a->tip.segment) DP_TRY(audit_rotate(a, err));
    DP_TRY(audit_repair(a, err));
    if (a->tip.seq >= a->tip.first && (a->tip.size >= a->segment_bytes || a->tip.seq - a->tip.first + 1 >= a->segment_entries)) DP_TRY(audit_rotate(a, err));
    return put_line(a, add, seq, err);
}

/* ---- what programs call ---- */

static enum dp_status append(struct dp_audit *a, const struct audit_add *add, uint64_t *seq, struct dp_err *err) {
    DP_TRY(audit_lock(a, err));
    enum dp_status status = audit_append(a, add, seq, err);
    audit_unlock(a);
    return status;
}

enum dp_status dp_audit_begin(struct dp_audit *a, const struct dp_audit_intent *i, uint64_t *ticket, struct dp_err *err) {
    DP_TRY(append(a, &(struct audit_add){.kind = "begin", .intent = i}, ticket, err));
    a->open = dp_grow(a->open, &a->cap_open, a->n_open + 1, sizeof *a->open);
    a->open[a->n_open++] = (struct ticket){.seq = *ticket, .action = dp_strdup(i->action), .object = i->object ? dp_strdup(i->object) : NULL};
    return DP_OK;
}

enum dp_status dp_audit_end(struct dp_audit *a, uint64_t ticket, enum dp_status outcome, struct dp_str what, struct dp_err *err) {
    struct dp_err late = DP_ERR_INIT;
    uint64_t seq;
    size_t k = 0;
    while (k < a->n_open && a->open[k].seq != ticket) k++;
    if (k == a->n_open) return outcome ? outcome : dp_err_set(err, DP_BUG, "entry %llu of the audit log is not open here", (unsigned long long)ticket);
    struct ticket t = a->open[k];
    a->open[k] = a->open[--a->n_open];
    struct dp_audit_intent i = {.action = t.action, .object = t.object, .what = what};
    enum dp_status status = append(a, &(struct audit_add){.kind = "end", .intent = &i, .of = ticket, .outcome = outcome}, &seq, &late);
    free(t.action), free(t.object);
    if (outcome) return outcome;
    if (status == DP_OK) return DP_OK;
    if (err) *err = late;
    dp_err_prefix(err, "it is done, but the audit log has no end of entry %llu: ", (unsigned long long)ticket);
    return status;
}

enum dp_status dp_audit_note(struct dp_audit *a, const struct dp_audit_intent *i, struct dp_err *err) {
    uint64_t seq;
    return append(a, &(struct audit_add){.kind = "note", .intent = i}, &seq, err);
}
