/*
 * The audit log: a small log is changed in every way by bytes and by entries, and each is found; anchors; repair; retention; several writers.
 * What needs a disk that fails or a process that is killed: tests/faults/audit.sh.
 */
#include "../../lib/io/audit_priv.h"

#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/sign.h>
#include <dp/base/time.h>
#include <dp/record/json.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "dpt.h"

static char dir[64], other[64];
static struct dp_run run_of_tests = {.program = "t_audit", .run_id = "run-1"};

static void empty(const char *d) {
    DIR *h = opendir(d);
    for (struct dirent *e; h && (e = readdir(h)) != NULL;) {
        char *path = dp_path_join(d, e->d_name);
        (void)unlink(path);
        free(path);
    }
    if (h) closedir(h);
}

static int begin_test(void **state) {
    (void)state;
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* in memory where that is to be had: nobody waits for a disk */
    snprintf(dir, sizeof dir, "%s/t_audit.XXXXXX", tmp), snprintf(other, sizeof other, "%s/t_audit.XXXXXX", tmp);
    return !mkdtemp(dir) || !mkdtemp(other);
}

static int end_test(void **state) {
    (void)state;
    empty(dir), empty(other);
    return rmdir(dir) != 0 || rmdir(other) != 0;
}

static struct dp_audit *open_log(uint64_t entries) {
    struct dp_audit *a = NULL;
    assert_int_equal(dp_audit_open(&run_of_tests, dir, &a, NULL), DP_OK);
    dp_audit_set_segment(a, 0, entries);
    return a;
}

static void note(struct dp_audit *a, const char *why) {
    struct dp_err err = DP_ERR_INIT;
    enum dp_status status = dp_audit_note(a, &(struct dp_audit_intent){.action = "test.note", .object = "file:///t", .why = why, .what = DP_STR("{\"n\":1}")}, &err);
    if (status) fail_msg("%s", err.msg);
}

/* n entries, `each` to a segment. */
static void make(uint64_t n, uint64_t each) {
    struct dp_audit *a = open_log(each);
    for (uint64_t i = 0; i < n; i++) note(a, "because");
    dp_audit_close(a);
}

static void slurp(const char *name, struct dp_buf *b) {
    char *path = dp_path_join(dir, name);
    dp_buf_reset(b);
    assert_int_equal(dp_file_read(path, 1 << 24, b, NULL), DP_OK);
    free(path);
}

static void spit(const char *name, const void *p, size_t n) {
    char *path = dp_path_join(dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(dp_fd_write(fd, p, n, NULL), DP_OK);
    close(fd), free(path);
}

static char last_finding[512];
static enum dp_status keep_finding(void *ctx, const char *source, uint64_t line, const char *text, struct dp_err *err) {
    (void)ctx, (void)err;
    snprintf(last_finding, sizeof last_finding, "%s:%llu: %s", source, (unsigned long long)line, text);
    return DP_OK;
}

static uint64_t findings_with(const struct dp_audit_anchors *k, struct dp_audit_seen *seen) {
    struct dp_audit_reader r = {.finding = keep_finding, .anchors = k ? k->v : NULL, .n_anchors = k ? k->n : 0};
    struct dp_err err = DP_ERR_INIT;
    last_finding[0] = 0;
    if (dp_audit_read(dir, &r, seen, &err) != DP_OK) fail_msg("%s", err.msg);
    return seen->findings;
}

static uint64_t findings(void) {
    struct dp_audit_seen seen;
    return findings_with(NULL, &seen);
}

static void anchor_now(struct dp_audit_anchors *k) {
    struct dp_audit_seen seen;
    struct dp_buf b = {0};
    assert_int_equal(findings_with(NULL, &seen), 0);
    assert_int_equal(dp_audit_anchor_print(&seen, NULL, &b, NULL), DP_OK);
    assert_int_equal(dp_audit_anchors_add(k, dp_buf_str(&b), "anchors", NULL, NULL), DP_OK);
    dp_buf_release(&b);
}

/* ---- writing ---- */

static void what_stands_in_it(void **state) {
    (void)state;
    struct dp_audit *a = open_log(0);
    struct dp_audit_seen seen;
    struct dp_buf b = {0};
    uint64_t one, two;
    setenv("DP_ACTOR", "ann \"a\"", 1);
    assert_int_equal(dp_audit_begin(a, &(struct dp_audit_intent){.action = "table.vacuum", .object = "file:///l\xffke", .why = "room\n"}, &one, NULL), DP_OK);
    unsetenv("DP_ACTOR");
    assert_int_equal(dp_audit_begin(a, &(struct dp_audit_intent){.action = "mask.reveal"}, &two, NULL), DP_OK);
    assert_int_equal(dp_audit_end(a, one, DP_OK, DP_STR("{\"files\":3}"), NULL), DP_OK);
    assert_int_equal(dp_audit_end(a, two, DP_IO, dp_str("", 0), NULL), DP_IO);
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_audit_end(a, two, DP_OK, dp_str("", 0), &err), DP_BUG);
    assert_int_equal(dp_audit_note(a, &(struct dp_audit_intent){.action = "x.y", .what = DP_STR("{\n}")}, &err), DP_BUG);
    dp_audit_close(a);
    assert_int_equal(findings_with(NULL, &seen), 0);
    assert_int_equal(seen.entries, 4);
    slurp("segment-000001.ndjson", &b);
    const char *text = dp_buf_z(&b);
    assert_non_null(strstr(text, "\"kind\":\"begin\",\"action\":\"table.vacuum\",\"object\":\"file:///l%FFke\",\"actor\":{\"uid\":"));
    assert_non_null(strstr(text, "\"as\":\"ann \\\"a\\\"\"},\"program\":\"t_audit\",\"version\":\"" DP_VERSION "\",\"run\":\"run-1\",\"why\":\"room\\n\",\"prev\":\""));
    assert_non_null(strstr(text, "\"kind\":\"end\",\"action\":\"table.vacuum\",\"object\":\"file:///l%FFke\",\"of\":1,\"outcome\":\"done\",\"status\":\"OK\","));
    assert_non_null(strstr(text, "\"of\":2,\"outcome\":\"failed\",\"status\":\"IO\","));
    struct stat st;
    assert_int_equal(stat(dir, &st), 0);
    char *path = dp_path_join(dir, "segment-000001.ndjson");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    free(path), dp_buf_release(&b);
}

/* The bound on an entry: one of just that many bytes, and one more. */
static void limit_of_an_entry(void **state) {
    (void)state;
    struct dp_audit *a = open_log(0);
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf b = {0}, why = {0};
    note(a, "");
    slurp("segment-000001.ndjson", &b);
    size_t head = (size_t)((char *)memchr(b.p, '\n', b.n) - b.p) + 1, plain = b.n - head; /* the next has as many digits */
    memset(dp_buf_reserve(&why, DP_LIMIT_AUDIT_ENTRY), 'x', DP_LIMIT_AUDIT_ENTRY);
    why.n = DP_LIMIT_AUDIT_ENTRY - plain + 1;
    assert_int_equal(dp_audit_note(a, &(struct dp_audit_intent){.action = "test.note", .object = "file:///t", .why = dp_buf_z(&why), .what = DP_STR("{\"n\":1}")}, &err), DP_LIMIT);
    assert_non_null(strstr(err.msg, "DP_LIMIT_AUDIT_ENTRY"));
    why.n--;
    note(a, dp_buf_z(&why));
    note(a, "behind it");
    dp_audit_close(a);
    assert_int_equal(findings(), 0);
    slurp("segment-000001.ndjson", &b);
    dp_buf_add(&b, why.p, why.n), dp_buf_add(&b, why.p, why.n), dp_buf_addc(&b, '\n');
    spit("segment-000001.ndjson", b.p, b.n);
    assert_true(findings() > 0);
    dp_buf_release(&b), dp_buf_release(&why);
}

static void segments_close(void **state) {
    (void)state;
    struct dp_audit_seen seen;
    make(10, 3);
    assert_int_equal(findings_with(NULL, &seen), 0);
    assert_int_equal(seen.segments, 4);
    assert_int_equal(seen.entries, 10);
    struct dp_audit *a = open_log(0);
    dp_audit_set_segment(a, 1, 0);
    note(a, "by size");
    dp_audit_close(a);
    assert_int_equal(findings_with(NULL, &seen), 0);
    assert_int_equal(seen.segments, 5);
}

enum { WRITERS = 6, EACH = 25 };
static void many_writers(void **state) {
    (void)state;
    struct dp_audit_seen seen;
    pid_t pid[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            struct dp_audit *a = NULL;
            bool ok = dp_audit_open(&run_of_tests, dir, &a, NULL) == DP_OK;
            if (ok) dp_audit_set_segment(a, 0, 20);
            for (int k = 0; ok && k < EACH; k++) ok = dp_audit_note(a, &(struct dp_audit_intent){.action = "test.note"}, NULL) == DP_OK;
            _exit(!ok);
        }
        assert_true(pid[i] > 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        int how;
        assert_int_equal(waitpid(pid[i], &how, 0), pid[i]);
        assert_int_equal(how, 0);
    }
    assert_int_equal(findings_with(NULL, &seen), 0);
    assert_int_equal(seen.entries, WRITERS * EACH);
}

/* ---- what is found ---- */

static void every_byte(void **state) {
    (void)state;
    static const unsigned char flips[] = {0x01, 0x20, 0x80, 0xff};
    static const char *const names[] = {"segment-000001.ndjson", "segment-000002.ndjson"};
    struct dp_buf b = {0};
    make(5, 3);
    for (size_t f = 0; f < 2; f++) {
        slurp(names[f], &b);
        for (size_t i = 0; i < b.n; i++) {
            char was = b.p[i];
            for (size_t k = 0; k < sizeof flips + 2; k++) { /* bits, and the two bytes that have a meaning of their own */
                char to = k < sizeof flips ? (char)((unsigned char)was ^ flips[k]) : k == sizeof flips ? '\n' : '"';
                if (to == was) continue;
                b.p[i] = to;
                spit(names[f], b.p, b.n);
                if (findings() == 0) fail_msg("byte %zu of %s: 0x%02x for 0x%02x is not found", i, names[f], (unsigned char)to, (unsigned char)was);
            }
            b.p[i] = was;
        }
        spit(names[f], b.p, b.n);
    }
    assert_int_equal(findings(), 0);
    dp_buf_release(&b);
}

/* One change is one finding that names the entry, and what is behind it still counts. */
static void one_change_is_one_finding(void **state) {
    (void)state;
    struct dp_audit_seen seen;
    struct dp_buf b = {0};
    make(9, 4);
    slurp("segment-000001.ndjson", &b);
    (void)dp_buf_z(&b);
    char *because = strstr(b.p, "\"seq\":3,");
    because = strstr(because, "because");
    because[0] = 'B';
    spit("segment-000001.ndjson", b.p, b.n);
    assert_int_equal(findings_with(NULL, &seen), 1);
    assert_string_equal(last_finding, "segment-000001.ndjson:4: entry 3 was changed: it is not what its hash says");
    assert_int_equal(seen.entries, 8);
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_audit_read(dir, &(struct dp_audit_reader){0}, &seen, &err), DP_FORMAT);
    assert_string_equal(err.source, "segment-000001.ndjson");
    assert_int_equal(err.line, 4);
    dp_buf_release(&b);
}

struct line { size_t from, n; };
static size_t split(const struct dp_buf *b, struct line *l, size_t most) {
    size_t n = 0, from = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->p[i] == '\n') assert_true(n < most), l[n++] = (struct line){from, i + 1 - from}, from = i + 1;
    return n;
}

static void put_lines(const char *name, const struct dp_buf *b, const struct line *l, const size_t *order, size_t n) {
    struct dp_buf out = {0};
    for (size_t i = 0; i < n; i++) dp_buf_add(&out, b->p + l[order[i]].from, l[order[i]].n);
    spit(name, out.p, out.n);
    dp_buf_release(&out);
}

/* Each line of a segment removed, repeated at each place, moved to each place. */
static void every_entry(void **state) {
    (void)state;
    static const char name[] = "segment-000002.ndjson";
    struct line l[16];
    struct dp_buf b = {0};
    size_t order[32];
    make(15, 5);
    slurp(name, &b);
    size_t n = split(&b, l, 16);
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++) {
        size_t m = 0;
        for (size_t k = 0; k < n; k++)
            if (k != i) order[m++] = k;
        put_lines(name, &b, l, order, m);
        if (!findings()) fail_msg("line %zu is gone and nobody sees it", i + 1);
        for (size_t at = 0; at <= n; at++) { /* once more, in front of line `at` */
            m = 0;
            for (size_t k = 0; k <= n; k++) {
                if (k == at) order[m++] = i;
                if (k < n) order[m++] = k;
            }
            put_lines(name, &b, l, order, m);
            if (!findings()) fail_msg("line %zu is there again before line %zu and nobody sees it", i + 1, at + 1);
        }
        for (size_t k = i + 1; k < n; k++) {
            for (size_t j = 0; j < n; j++) order[j] = j == i ? k : j == k ? i : j;
            put_lines(name, &b, l, order, n);
            if (!findings()) fail_msg("lines %zu and %zu are swapped and nobody sees it", i + 1, k + 1);
        }
    }
    dp_buf_release(&b);
}

/* A segment that is not the last is cut at every byte; the last is too: within a line without an anchor, everywhere with one. */
static void every_length(void **state) {
    (void)state;
    struct dp_audit_anchors k = {0};
    struct dp_audit_seen seen;
    struct dp_buf b = {0};
    make(8, 5);
    anchor_now(&k);
    assert_int_equal(findings_with(&k, &seen), 0);
    assert_int_equal(seen.anchors, 1);
    slurp("segment-000001.ndjson", &b);
    for (size_t n = 0; n < b.n; n++) {
        spit("segment-000001.ndjson", b.p, n);
        if (!findings()) fail_msg("cut to %zu bytes, and nobody sees it", n);
    }
    spit("segment-000001.ndjson", b.p, b.n);
    slurp("segment-000002.ndjson", &b);
    for (size_t n = 0; n < b.n; n++) {
        bool whole = n && b.p[n - 1] == '\n';
        spit("segment-000002.ndjson", b.p, n);
        if (!findings_with(&k, &seen)) fail_msg("the end cut to %zu bytes, and nobody sees it with an anchor", n);
        if ((findings() == 0) != whole) fail_msg("the end cut to %zu bytes: %s", n, whole ? "found without an anchor?" : "nobody sees it");
    }
    free(k.v), dp_buf_release(&b);
}

static void rename_in(const char *from, const char *to) {
    char *a = dp_path_join(dir, from), *b = dp_path_join(dir, to);
    assert_int_equal(rename(a, b), 0);
    free(a), free(b);
}

static void remove_in(const char *name) {
    char *a = dp_path_join(dir, name);
    assert_int_equal(unlink(a), 0);
    free(a);
}

/* Whole segments: gone, swapped, repeated, of another log; the last ones gone. */
static void every_segment(void **state) {
    (void)state;
    struct dp_audit_anchors k = {0};
    struct dp_audit_seen seen;
    struct dp_buf b = {0};
    char name[AUDIT_NAME], next[AUDIT_NAME];
    make(12, 3);
    anchor_now(&k);
    for (uint64_t i = 1; i <= 4; i++) {
        audit_name(name, i);
        slurp(name, &b);
        remove_in(name);
        assert_true(findings_with(&k, &seen) > 0);
        assert_int_equal(findings() > 0, i < 4); /* the last: with the anchor only */
        spit(name, b.p, b.n);
        audit_name(next, 5);
        spit(next, b.p, b.n); /* repeated at the end */
        assert_true(findings() > 0);
        remove_in(next);
        for (uint64_t j = i + 1; j <= 4; j++) {
            audit_name(next, j);
            rename_in(name, "x"), rename_in(next, name), rename_in("x", next);
            assert_true(findings() > 0);
            rename_in(name, "x"), rename_in(next, name), rename_in("x", next);
        }
    }
    assert_int_equal(findings_with(&k, &seen), 0);
    remove_in("segment-000003.ndjson"), remove_in("segment-000004.ndjson");
    assert_true(findings_with(&k, &seen) == 1);
    assert_string_equal(last_finding, "anchors:1: entry 12, which this anchor is of, is not there: the log ends at entry 6, the rest was cut off");
    empty(dir);
    make(12, 3); /* another log, as long */
    assert_int_equal(findings(), 0);
    assert_int_equal(findings_with(&k, &seen), 1);
    assert_non_null(strstr(last_finding, "of another log"));
    free(k.v), dp_buf_release(&b);
}

/* The log written anew from an entry on, all hashes right: nothing but an anchor tells. */
static void written_anew(void **state) {
    (void)state;
    struct dp_audit_anchors k = {0};
    struct dp_audit_seen seen;
    struct dp_buf b = {0}, again = {0};
    struct line l[16];
    char prev[DP_AUDIT_HASH] = AUDIT_ZERO;
    make(6, 100);
    anchor_now(&k);
    slurp("segment-000001.ndjson", &b);
    size_t n = split(&b, l, 16);
    for (size_t i = 0; i < n; i++) {
        size_t from = again.n;
        dp_buf_add(&again, b.p + l[i].from, l[i].n - 1 - 149);
        if (i == 3) again.p[again.n - 5] = 'X';
        audit_seal(&again, from, prev, prev);
    }
    assert_int_equal(again.n, b.n);
    spit("segment-000001.ndjson", again.p, again.n);
    assert_int_equal(findings(), 0);
    assert_int_equal(findings_with(&k, &seen), 1);
    assert_non_null(strstr(last_finding, "written anew"));
    free(k.v), dp_buf_release(&b), dp_buf_release(&again);
}

/* ---- repair ---- */

static void torn_lines_are_repaired(void **state) {
    (void)state;
    struct dp_audit_seen seen;
    struct dp_buf b = {0}, whole = {0};
    make(3, 100);
    slurp("segment-000001.ndjson", &whole);
    size_t last = whole.n - 1;
    while (whole.p[last - 1] != '\n') last--;
    for (size_t n = last + 1; n < whole.n; n += 7) {
        spit("segment-000001.ndjson", whole.p, n);
        assert_int_equal(findings_with(NULL, &seen), 1);
        assert_true(seen.torn);
        make(1, 100);
        assert_int_equal(findings_with(NULL, &seen), 0);
        assert_int_equal(seen.repairs, 1);
        assert_int_equal(seen.entries, 4); /* two, the repair, the new one */
        slurp("segment-000001.ndjson", &b);
        char text[64];
        snprintf(text, sizeof text, "\"kind\":\"repair\",\"action\":\"audit.repair\",");
        assert_non_null(strstr(dp_buf_z(&b), text));
        snprintf(text, sizeof text, "\"what\":{\"torn_bytes\":%zu,", n - last);
        assert_non_null(strstr(dp_buf_z(&b), text));
    }
    /* a torn line longer than the entry that tells of it */
    memset(dp_buf_reserve(&whole, 30000), 'y', 30000);
    spit("segment-000001.ndjson", whole.p, whole.n + 30000);
    make(1, 100);
    assert_int_equal(findings_with(NULL, &seen), 0);
    assert_int_equal(seen.entries, 5);
    dp_buf_release(&b), dp_buf_release(&whole);
}

/* A log whose end is damaged takes nothing more. */
static void damaged_ends_refuse(void **state) {
    (void)state;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf b = {0};
    make(2, 100);
    slurp("segment-000001.ndjson", &b);
    b.p[b.n - 200] ^= 1;
    spit("segment-000001.ndjson", b.p, b.n);
    struct dp_audit *a = open_log(0);
    assert_int_equal(dp_audit_note(a, &(struct dp_audit_intent){.action = "x.y"}, &err), DP_FORMAT);
    assert_non_null(strstr(err.msg, "dp-retain audit verify"));
    spit("segment-000001.ndjson", "", 0);
    assert_int_equal(dp_audit_note(a, &(struct dp_audit_intent){.action = "x.y"}, &err), DP_FORMAT);
    dp_audit_close(a);
    dp_buf_release(&b);
}

/* ---- anchors ---- */

static void signed_anchors(void **state) {
    (void)state;
    struct dp_sign_public pub, wrong;
    struct dp_sign_key *key = NULL;
    struct dp_audit_anchors k = {0};
    struct dp_audit_seen seen;
    struct dp_buf b = {0};
    char *path = dp_path_join(other, "k"), *path2 = dp_path_join(other, "k2");
    assert_int_equal(dp_sign_create(path, &pub, NULL), DP_OK);
    assert_int_equal(dp_sign_create(path2, &wrong, NULL), DP_OK);
    assert_int_equal(dp_sign_read_key(path, &key, NULL), DP_OK);
    make(3, 100);
    assert_int_equal(findings_with(NULL, &seen), 0);
    assert_int_equal(dp_audit_anchor_print(&seen, key, &b, NULL), DP_OK);
    assert_int_equal(dp_audit_anchors_add(&k, dp_buf_str(&b), "a", &pub, NULL), DP_OK);
    assert_int_equal(findings_with(&k, &seen), 0);
    assert_int_equal(seen.anchors, 1);
    assert_int_equal(dp_audit_anchors_add(&k, dp_buf_str(&b), "a", &wrong, NULL), DP_FORMAT);
    for (size_t i = 0; i + 1 < b.n; i++) { /* each byte of it counts */
        struct dp_audit_anchors none = {0};
        char was = b.p[i];
        for (int bit = 1; bit < 256; bit <<= 1) {
            b.p[i] = (char)((unsigned char)was ^ (unsigned)bit);
            if (dp_audit_anchors_add(&none, dp_buf_str(&b), "a", &pub, NULL) == DP_OK && none.n) fail_msg("byte %zu ^ %d of an anchor passes: %s", i, bit, dp_buf_z(&b));
            none.n = 0;
        }
        b.p[i] = was;
        free(none.v);
    }
    size_t n = b.n;
    while (b.p[n - 1] != ' ') n--;
    for (size_t i = 1; i < n; i++) /* cut, it is none; cut to its unsigned part, it is one without a signature */
        assert_int_equal(dp_audit_anchors_add(&k, dp_str(b.p, i), "a", &pub, NULL), DP_FORMAT);
    free(k.v), dp_sign_key_free(key), free(path), free(path2), dp_buf_release(&b);
}

static void signatures(void **state) {
    (void)state;
    struct dp_sign_public pub;
    struct dp_sign_key *key = NULL;
    uint8_t s[DP_SIGN_SIZE], again[DP_SIGN_SIZE];
    char *path = dp_path_join(other, "k");
    assert_int_equal(dp_sign_create(path, &pub, NULL), DP_OK);
    assert_int_equal(dp_sign_read_key(path, &key, NULL), DP_OK);
    assert_memory_equal(dp_sign_key_public(key)->key, pub.key, DP_SIGN_KEY);
    assert_int_equal(dp_sign(key, "tag", DP_STR("text"), s, NULL), DP_OK);
    assert_int_equal(dp_sign(key, "tag", DP_STR("text"), again, NULL), DP_OK);
    assert_memory_equal(s, again, sizeof s);
    assert_int_equal(dp_sign_verify(&pub, "tag", DP_STR("text"), s, NULL), DP_OK);
    assert_int_equal(dp_sign_verify(&pub, "tah", DP_STR("text"), s, NULL), DP_FORMAT);
    assert_int_equal(dp_sign_verify(&pub, "tag", DP_STR("texu"), s, NULL), DP_FORMAT);
    for (size_t i = 0; i < sizeof s; i++) {
        s[i] ^= 1;
        assert_int_equal(dp_sign_verify(&pub, "tag", DP_STR("text"), s, NULL), DP_FORMAT);
        s[i] ^= 1;
    }
    dp_sign_key_free(key);
    free(path);
}

/* RFC 8032, 7.1, test 1: a seed, its public key, its signature of nothing; here of the tag's zero byte it is another, so the key alone is compared. */
static void known_key(void **state) {
    (void)state;
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    static const char want[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    struct dp_sign_key *key = NULL;
    char hex[2 * DP_SIGN_KEY], *path = dp_path_join(other, "rfc");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(dp_fd_write(fd, pem, sizeof pem - 1, NULL), DP_OK);
    close(fd);
    assert_int_equal(dp_sign_read_key(path, &key, NULL), DP_OK);
    dp_hex_print(hex, dp_sign_key_public(key)->key, DP_SIGN_KEY);
    assert_memory_equal(hex, want, sizeof hex);
    dp_sign_key_free(key);
    free(path);
}

/* ---- retention ---- */

static void expiry(void **state) {
    (void)state;
    struct dp_audit_anchors k = {0};
    struct dp_audit_expired x;
    struct dp_audit_seen seen;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf b = {0};
    make(4, 3); /* two segments */
    anchor_now(&k); /* of entry 4 */
    int64_t between = dp_time_now_micros() + 1;
    while (dp_time_now_micros() <= between) {}
    make(6, 3);
    struct dp_audit *a = open_log(3);
    assert_int_equal(dp_audit_expire(a, between, "policy", true, &x, NULL), DP_OK);
    assert_int_equal(x.segments, 1); /* the second has entries of after */
    assert_int_equal(x.entries, 3);
    assert_int_equal(findings_with(&k, &seen), 0);
    assert_int_equal(seen.segments, 4);
    assert_int_equal(dp_audit_expire(a, between, "policy", false, &x, NULL), DP_OK);
    assert_int_equal(x.segments, 1);
    assert_int_equal(findings_with(&k, &seen), 0);
    assert_int_equal(seen.expired_entries, 3);
    assert_int_equal(seen.first, 4);
    assert_int_equal(seen.anchors, 1);
    assert_int_equal(dp_audit_expire(a, between, "policy", false, &x, NULL), DP_OK);
    assert_int_equal(x.segments, 0);
    assert_int_equal(dp_audit_expire(a, dp_time_now_micros() + 1, "all", false, &x, NULL), DP_OK);
    assert_int_equal(findings_with(&k, &seen), 0);
    assert_int_equal(seen.segments, 1); /* opened by the entry that tells of it */
    assert_int_equal(seen.entries, 2);
    assert_int_equal(seen.anchors_expired, 1);
    note(a, "goes on");
    assert_int_equal(findings_with(&k, &seen), 0);
    /* tombstones are covered, each byte */
    slurp(AUDIT_EXPIRED, &b);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        spit(AUDIT_EXPIRED, b.p, b.n);
        if (!findings()) fail_msg("byte %zu of the tombstones, and nobody sees it", i);
        b.p[i] ^= 1;
        spit(AUDIT_EXPIRED, b.p, i);
        if (!findings()) fail_msg("tombstones cut to %zu bytes, and nobody sees it", i);
    }
    spit(AUDIT_EXPIRED, b.p, b.n);
    assert_int_equal(findings(), 0);
    remove_in(AUDIT_EXPIRED);
    assert_true(findings() > 0);
    spit(AUDIT_EXPIRED, b.p, b.n);
    /* what is damaged stays */
    char name[AUDIT_NAME];
    audit_name(name, seen.expired_segments + 1);
    slurp(name, &b);
    b.p[b.n / 2] ^= 1;
    spit(name, b.p, b.n);
    assert_int_equal(dp_audit_expire(a, dp_time_now_micros() + 1, NULL, false, &x, &err), DP_FORMAT);
    dp_audit_close(a);
    free(k.v), dp_buf_release(&b);
}

/* The bound on tombstones: a file of just that many bytes is read (and found wrong), one more is not. */
static void limit_of_tombstones(void **state) {
    (void)state;
    struct dp_audit_seen seen;
    struct dp_err err = DP_ERR_INIT;
    struct dp_audit_reader r = {.finding = keep_finding};
    make(1, 100);
    spit(AUDIT_EXPIRED, "", 0);
    char *path = dp_path_join(dir, AUDIT_EXPIRED);
    assert_int_equal(truncate(path, DP_LIMIT_AUDIT_EXPIRED), 0);
    assert_int_equal(dp_audit_read(dir, &r, &seen, &err), DP_OK);
    assert_true(seen.findings > 0);
    assert_int_equal(truncate(path, DP_LIMIT_AUDIT_EXPIRED + 1), 0);
    assert_int_equal(dp_audit_read(dir, &r, &seen, &err), DP_LIMIT);
    free(path);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, begin_test, end_test)
    const struct CMUnitTest tests[] = {T(what_stands_in_it), T(limit_of_an_entry), T(segments_close), T(many_writers), T(every_byte), T(one_change_is_one_finding), T(every_entry),
                                       T(every_length), T(every_segment), T(written_anew), T(torn_lines_are_repaired), T(damaged_ends_refuse), T(signed_anchors), T(signatures),
                                       T(known_key), T(expiry), T(limit_of_tombstones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
