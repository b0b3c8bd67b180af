/* Durable state: what was put is restored, whatever happened to its files and at whatever call the process died. */
#include "dpt.h"

#include <dp/base/buf.h>
#include <dp/base/limits.h>
#include <dp/base/num.h>
#include <dp/io/state.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- calls that change the disk: these stand before libc's, count, and stop or fail at one ---- */

static long calls, stop_at, fail_from;
static bool tear; /* the call that stops a write lets half of it through */

static bool fails(void) {
    calls++;
    if (fail_from && calls >= fail_from) return errno = ENOSPC, true;
    return false;
}
static void stops(void) {
    if (calls == stop_at) _exit(9);
}

ssize_t write(int fd, const void *p, size_t n) {
    if (fd > 2 && fails()) return -1;
    if (fd > 2 && calls == stop_at && tear) syscall(SYS_write, fd, p, n / 2);
    if (fd > 2) stops();
    return syscall(SYS_write, fd, p, n);
}
int fsync(int fd) {
    if (fails()) return -1;
    stops();
    return (int)syscall(SYS_fsync, fd);
}
int rename(const char *a, const char *b) {
    if (fails()) return -1;
    stops();
    return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 0);
}
int unlink(const char *a) {
    calls++;
    stops();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, a, 0);
}

/* ---- a state, and what it should hold ---- */

#define QUERY "{\"size\":60000,\"key\":[\"a\",\"b\"],\"aggs\":\"n=count()\"}"
enum { KEYS = 40 };

struct model { int v[KEYS]; }; /* 0: not there */
struct changes { const struct model *from, *to; };

static char warned[600];
static void note_warning(void *ctx, enum dp_log_level level, const char *fmt, va_list ap) {
    (void)ctx;
    if (level == DP_LOG_WARN) (void)vsnprintf(warned, sizeof warned, fmt, ap);
}

static struct dp_run run = {.program = "dp-test", .memory = 160u << 20, .log = note_warning, .stop_fd = -1, .wake_fd = -1};
static char dir[64];

static int make_dir(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof dir, "%s/dp-state-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    warned[0] = 0;
    calls = stop_at = fail_from = 0;
    return mkdtemp(dir) ? 0 : -1;
}
static void empty_dir(const char *path) {
    DIR *d = opendir(path);
    char name[400];
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) unlink(name);
    }
    closedir(d);
}
static int drop_dir(void **state) {
    (void)state;
    empty_dir(dir);
    return rmdir(dir);
}

static struct dp_state *opened(void) {
    struct dp_state *s = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (dp_state_open(&run, dir, "dp-test", DP_STR(QUERY), false, &s, &err) != DP_OK) fail_msg("%s", err.msg);
    return s;
}

static enum dp_status take(void *ctx, struct dp_str key, struct dp_str value, struct dp_err *err) {
    struct model *m = ctx;
    int64_t k, v;
    if (key.n < 3 || !dp_parse_i64(dp_str(key.p + 3, key.n - 3), &k) || !dp_parse_i64(value, &v) || k < 0 || k >= KEYS || v <= 0 || m->v[k])
        return dp_err_set(err, DP_BUG, "an entry that was never put: %.*s", DP_STR_FMT(key));
    m->v[k] = (int)v;
    return DP_OK;
}

static enum dp_status restore(struct dp_state *s, const char *id, struct model *m, struct dp_state_point *point, struct dp_err *err) {
    *m = (struct model){{0}};
    enum dp_status status = dp_state_restore(s, id, take, m, point, err);
    if (status == DP_BUG) fail_msg("%s", err->msg);
    return status;
}

/* Writes a checkpoint: what differs between two models, or all of the second. */
static enum dp_status commit(struct dp_state *s, const char *id, const struct model *from, const struct model *to, struct dp_err *err) {
    bool all;
    char key[32], value[32];
    DP_TRY(dp_state_begin(s, id, &all, err));
    for (int i = KEYS; i-- > 0;) { /* not in order of their bytes */
        struct dp_str v = {value, (size_t)snprintf(value, sizeof value, "%d", to->v[i])};
        int n = snprintf(key, sizeof key, "key%d", i);
        if (all ? to->v[i] : from->v[i] != to->v[i]) DP_TRY(dp_state_put(s, dp_str(key, (size_t)n), to->v[i] ? &v : NULL, err));
    }
    return dp_state_commit(s, err);
}

static void must_commit(struct dp_state *s, const char *id, const struct model *from, const struct model *to) {
    struct dp_err err = DP_ERR_INIT;
    if (commit(s, id, from, to, &err) != DP_OK) fail_msg("%s", err.msg);
}

static bool same(const struct model *a, const struct model *b) { return memcmp(a, b, sizeof *a) == 0; }

/* Model number i of a series. */
static struct model model_of(int i) {
    struct model m;
    uint64_t r = (uint64_t)i * 0x9e3779b97f4a7c15u + 1;
    for (int k = 0; k < KEYS; k++) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        m.v[k] = k < i % 7 ? 0 : k < 30 ? 1000 + k : (int)(r >> 40) % 5; /* most stay as they are */
    }
    return m;
}

static char *path_of(unsigned number, unsigned parent) {
    static char path[200];
    (void)snprintf(path, sizeof path, "%s/%012u-%012u.ck", dir, number, parent);
    return path;
}
static bool is_there(unsigned number, unsigned parent) { return access(path_of(number, parent), F_OK) == 0; }

static size_t slurp(const char *path, char *to, size_t cap) {
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s", path);
    size_t n = fread(to, 1, cap, f);
    fclose(f);
    return n;
}
static void spit(const char *path, const char *p, size_t n) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && syscall(SYS_write, fd, p, n) == (long)n);
    close(fd);
}

/* ---- tests ---- */

static void back_and_forth(void **state) {
    (void)state;
    struct model before = {{0}}, got;
    struct dp_state_point p;
    struct dp_err err = DP_ERR_INIT;
    struct dp_state *s = opened();
    assert_int_equal(restore(s, NULL, &got, &p, &err), DP_OK);
    assert_true(p.number == 0 && same(&got, &before));
    for (int i = 1; i <= 60; i++) {
        struct model m = model_of(i);
        char id[16];
        (void)snprintf(id, sizeof id, "id%d", i);
        must_commit(s, id, &before, &m);
        before = m;
        if (i % 4) continue;
        dp_state_close(s);
        s = opened();
        assert_int_equal(restore(s, i % 8 ? NULL : id, &got, &p, &err), DP_OK);
        assert_true(same(&got, &m));
        assert_true(p.number == (uint64_t)i && strcmp(p.id, id) == 0);
    }
    size_t n = 0, full = 0;
    for (; dp_state_list(s, n, &p); n++) {
        assert_true(p.is_live && !p.is_damaged && p.number == n + 1);
        full += p.is_full;
    }
    assert_true(n == 60 && full > 1 && full < 40);
    for (int i = 1; i <= 60; i++) { /* each one, as it was */
        struct model m = model_of(i);
        char id[16];
        (void)snprintf(id, sizeof id, "id%d", i);
        assert_int_equal(restore(s, id, &got, NULL, &err), DP_OK);
        assert_true(same(&got, &m));
    }
    assert_int_equal(restore(s, "id61", &got, NULL, &err), DP_FORMAT);
    assert_non_null(strstr(err.msg, "\"id60\", \"id59\""));
    dp_state_close(s);
    assert_string_equal(warned, "");
}

/* The table is at n, the state at n+1. */
static void branches(void **state) {
    (void)state;
    struct model none = {{0}}, a = model_of(1), b = model_of(2), c = model_of(3), d = model_of(4), got;
    struct dp_err err = DP_ERR_INIT;
    struct dp_state_point p;
    struct dp_state *s = opened();
    must_commit(s, "n", &none, &a);
    must_commit(s, "n+1", &a, &b);
    dp_state_close(s);
    s = opened();
    assert_int_equal(restore(s, "n", &got, &p, &err), DP_OK);
    assert_true(same(&got, &a) && p.number == 1);
    dp_state_close(s); /* died before the next one: nothing has changed */
    s = opened();
    assert_int_equal(restore(s, "n", &got, &p, &err), DP_OK);
    must_commit(s, "n+2", &a, &c);
    assert_true(is_there(3, 1) && is_there(2, 1) && is_there(1, 0));
    dp_state_close(s);
    s = opened();
    assert_true(dp_state_list(s, 1, &p) && !p.is_live && dp_state_list(s, 2, &p) && p.is_live);
    assert_int_equal(restore(s, NULL, &got, &p, &err), DP_OK);
    assert_true(same(&got, &c) && p.number == 3);
    assert_int_equal(restore(s, "n+1", &got, &p, &err), DP_OK); /* its commit won after all */
    assert_true(same(&got, &b));
    dp_state_close(s);
    char bytes[4096];
    size_t n = slurp(path_of(3, 1), bytes, sizeof bytes);
    bytes[60] ^= 1;
    spit(path_of(3, 1), bytes, n);
    s = opened();
    assert_int_equal(restore(s, NULL, &got, &p, &err), DP_OK); /* never n+1 */
    assert_true(same(&got, &a) && p.number == 1);
    assert_non_null(strstr(warned, "damaged"));
    assert_int_equal(restore(s, "n+2", &got, &p, &err), DP_FORMAT);
    assert_non_null(strstr(err.msg, "damaged; whole are: \"n+1\", \"n\""));
    assert_int_equal(restore(s, "", &got, &p, &err), DP_OK);
    assert_true(same(&got, &none) && p.number == 0);
    must_commit(s, "x", &none, &d);
    assert_true(is_there(4, 0));
    dp_state_close(s);
    s = opened(); /* x is the newest, and of no branch of the others */
    assert_int_equal(restore(s, "x", &got, &p, &err), DP_OK);
    must_commit(s, "y", &d, &c);
    assert_false(is_there(2, 1) || is_there(1, 0) || is_there(3, 1));
    dp_state_close(s);
}

/* An id that stands twice is that of the newer, or of the one that is whole. */
static void same_id(void **state) {
    (void)state;
    struct model none = {{0}}, a = model_of(1), b = model_of(2), got;
    struct dp_err err = DP_ERR_INIT;
    struct dp_state *s = opened();
    must_commit(s, "i", &none, &a);
    must_commit(s, "i", &a, &b);
    assert_int_equal(restore(s, "i", &got, NULL, &err), DP_OK);
    assert_true(same(&got, &b));
    dp_state_close(s);
    spit(path_of(2, 1), "x", 1);
    s = opened();
    assert_int_equal(restore(s, "i", &got, NULL, &err), DP_OK);
    assert_true(same(&got, &a));
    dp_state_close(s);
}

static size_t count_files(void) {
    struct dp_state_point p;
    struct dp_state *s = opened();
    size_t n = 0;
    while (dp_state_list(s, n, &p)) n++;
    dp_state_close(s);
    return n;
}

static void what_is_kept(void **state) {
    (void)state;
    struct model before = {{0}}, got;
    struct dp_err err = DP_ERR_INIT;
    struct dp_state_point p;
    struct dp_state *s = opened();
    for (int i = 1; i <= 700; i++) {
        struct model m = model_of(i);
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        must_commit(s, id, &before, &m);
        before = m;
        if (i == 100) { /* the begin that holds */
            dp_state_close(s);
            s = opened();
            assert_int_equal(restore(s, "100", &got, &p, &err), DP_OK);
        }
    }
    dp_state_close(s);
    size_t n = count_files();
    assert_true(n >= DP_STATE_KEEP_MOST && n < DP_STATE_KEEP_MOST + 2 * 128);
    static const int ids[] = {100, 445, 500, 699, 700};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct model m = model_of(ids[i]);
        char id[16];
        (void)snprintf(id, sizeof id, "%d", ids[i]);
        s = opened();
        assert_int_equal(restore(s, id, &got, &p, &err), DP_OK);
        assert_true(same(&got, &m));
        dp_state_close(s);
    }
    s = opened();
    assert_int_equal(restore(s, "102", &got, &p, &err), DP_FORMAT);
    assert_non_null(strstr(err.msg, "not there"));
    assert_int_equal(restore(s, "700", &got, &p, &err), DP_OK);
    must_commit(s, "701", &before, &before); /* 700 is confirmed: 100 goes */
    assert_int_equal(restore(s, "100", &got, &p, &err), DP_FORMAT);
    dp_state_close(s);
}

/* A crash loop does not fill the disk: of branches, this run's and the one before stay. */
static void many_branches(void **state) {
    (void)state;
    struct model none = {{0}}, a = model_of(1), b = model_of(2), got;
    struct dp_err err = DP_ERR_INIT;
    struct dp_state *s = opened();
    must_commit(s, "n", &none, &a);
    dp_state_close(s);
    for (int i = 0; i < 20; i++) {
        s = opened();
        assert_int_equal(restore(s, "n", &got, NULL, &err), DP_OK);
        assert_true(same(&got, &a));
        must_commit(s, "p", &a, &b);
        must_commit(s, "q", &b, &a);
        dp_state_close(s);
    }
    assert_int_equal(count_files(), 5);
}

static void refusals(void **state) {
    (void)state;
    struct dp_state *s = NULL, *t = NULL;
    struct dp_err err = DP_ERR_INIT;
    char path[200];
    (void)snprintf(path, sizeof path, "%s/file", dir);
    spit(path, "x", 1);
    assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR(QUERY), false, &s, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "other files"));
    unlink(path);
    assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR(""), true, &s, &err), DP_USAGE);
    s = opened();
    assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR(QUERY), false, &t, &err), DP_AGAIN);
    assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR(""), true, &t, &err), DP_OK);
    assert_true(dp_state_is_held(t));
    assert_true(dp_str_eq(dp_state_query(t), DP_STR(QUERY)));
    dp_state_close(t);
    dp_state_close(s);
    assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR(QUERY), true, &t, &err), DP_OK);
    assert_false(dp_state_is_held(t));
    dp_state_close(t);
    assert_int_equal(dp_state_open(&run, dir, "dp-other", DP_STR(QUERY), false, &s, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "dp-test"));
    assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR("{\"size\":30000,\"aggs\":\"n=count()\",\"zone\":\"UTC\",\"key\":[\"a\",\"b\"]}"), false, &s, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "size was 60000, is 30000; zone was not there, is \"UTC\""));
    assert_int_equal(dp_state_same_query("it", DP_STR("{\"a\":1,\"part\":\"1/2\"}"), DP_STR("{\"part\":\"2/2\",\"a\":1}"), (const char *const[]){"part", NULL}, &err), DP_OK);
    (void)snprintf(path, sizeof path, "%s/state.json", dir);
    static const struct { const char *text; enum dp_status status; } bad[] = {
        {"", DP_FORMAT}, {"{", DP_FORMAT}, {"[]", DP_FORMAT}, {"{\"format\":1,\"program\":\"dp-test\",\"state\":\"x\"}", DP_FORMAT},
        {"{\"format\":2,\"program\":\"dp-test\",\"state\":\"x\",\"query\":{}}", DP_UNSUPPORTED}, {"{\"format\":1,\"program\":\"dp-test\",\"state\":\"x\",\"query\":[]}", DP_FORMAT},
        {"{\"format\":1,\"program\":\"dp-test\",\"state\":\"x\",\"query\":" QUERY "}", DP_OK}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        spit(path, bad[i].text, strlen(bad[i].text));
        assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR(QUERY), false, &s, &err), bad[i].status);
        dp_state_close(s);
    }
    char *big = calloc(1, DP_LIMIT_STATE_QUERY + 1); /* at the limit, and one past it */
    memset(big, ' ', DP_LIMIT_STATE_QUERY);
    memcpy(big, bad[6].text, strlen(bad[6].text));
    for (size_t extra = 0; extra < 2; extra++) {
        spit(path, big, DP_LIMIT_STATE_QUERY + extra);
        if (extra) spit(path, (memset(big + DP_LIMIT_STATE_QUERY, ' ', 1), big), DP_LIMIT_STATE_QUERY + 1);
        assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR(QUERY), false, &s, &err), extra ? DP_FORMAT : DP_OK);
        dp_state_close(s);
    }
    free(big);
    unlink(path);
    spit(path_of(1, 0), "x", 1);
    assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR(QUERY), false, &s, &err), DP_FORMAT);
    assert_non_null(strstr(err.msg, "no state.json"));
}

static void leftovers(void **state) {
    (void)state;
    char path[200];
    struct dp_state *s = opened();
    dp_state_close(s);
    (void)snprintf(path, sizeof path, "%s/.dp-0123456789abcdef.tmp", dir);
    spit(path, "x", 1);
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_state_open(&run, dir, "dp-test", DP_STR(QUERY), true, &s, &err), DP_OK);
    dp_state_close(s);
    assert_int_equal(access(path, F_OK), 0);
    s = opened();
    dp_state_close(s);
    assert_int_not_equal(access(path, F_OK), 0);
    struct stat st;
    assert_true(stat(dir, &st) == 0);
    bool all;
    s = opened();
    assert_int_equal(dp_state_put(s, DP_STR("k"), NULL, &err), DP_BUG);
    assert_int_equal(dp_state_commit(s, &err), DP_BUG);
    assert_int_equal(dp_state_begin(s, "x", &all, &err), DP_OK);
    assert_int_equal(dp_state_begin(s, "x", &all, &err), DP_BUG);
    assert_int_equal(dp_state_put(s, DP_STR("k"), &DP_STR("v"), &err), DP_OK);
    assert_int_equal(dp_state_put(s, DP_STR("k"), &DP_STR("w"), &err), DP_OK);
    assert_int_equal(dp_state_commit(s, &err), DP_BUG);
    dp_state_close(s);
}

/* A series of four: all, two with changes, and one more with all that builds on the third. */
static void make_series(struct model m[5]) {
    struct dp_state *s = opened();
    bool all;
    struct dp_err err = DP_ERR_INIT;
    m[0] = (struct model){{0}};
    for (int i = 1; i <= 4; i++) {
        char id[2] = {(char)('0' + i), 0};
        m[i] = model_of(i);
        if (i == 4) assert_int_equal(dp_state_begin(s, id, &all, &err), DP_OK), dp_state_abort(s);
        must_commit(s, id, &m[i - 1], &m[i]);
    }
    dp_state_close(s);
}

/* With one file damaged: by name each checkpoint is as it was or DP_FORMAT; the newest is the newest one that does not need that file. */
static void check_damage(const struct model m[5], int damaged_one) {
    struct dp_state *s = opened();
    struct dp_err err = DP_ERR_INIT;
    struct model got;
    struct dp_state_point p = {.number = 0};
    static const int newest[] = {4, 4, 4, 4, 3}, lost[5][4] = {{0, 0, 0, 0}, {1, 1, 1, 0}, {0, 1, 1, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    for (int i = 1; i <= 4; i++) {
        char id[2] = {(char)('0' + i), 0};
        enum dp_status status = restore(s, id, &got, NULL, &err);
        assert_int_equal(status, lost[damaged_one][i - 1] ? DP_FORMAT : DP_OK);
        if (status == DP_OK) assert_true(same(&got, &m[i]));
    }
    assert_int_equal(restore(s, NULL, &got, &p, &err), DP_OK);
    assert_int_equal(p.number, newest[damaged_one]);
    assert_true(same(&got, &m[p.number]));
    dp_state_close(s);
}

static void flips_and_cuts(void **state) {
    (void)state;
    struct model m[5];
    char bytes[4096], other[4096];
    make_series(m);
    check_damage(m, 0);
    for (unsigned i = 1; i <= 4; i++) {
        const char *path = path_of(i, i - 1);
        size_t n = slurp(path, bytes, sizeof bytes);
        assert_true(n < sizeof bytes);
        for (size_t at = 0; at < n; at++) { /* a bit of each byte */
            bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
            spit(path, bytes, n);
            check_damage(m, (int)i);
            bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
        }
        for (size_t cut = 0; cut < n; cut += 7) {
            spit(path, bytes, cut);
            check_damage(m, (int)i);
        }
        bytes[n] = 0;
        spit(path, bytes, n + 1); /* a byte more */
        check_damage(m, (int)i);
        memset(other, 0, n);
        spit(path, other, n); /* a file system that lost what it had */
        check_damage(m, (int)i);
        size_t k = slurp(path_of(i % 4 + 1, i % 4), other, sizeof other);
        path = path_of(i, i - 1);
        spit(path, other, k); /* whole, but another's */
        check_damage(m, (int)i);
        spit(path, bytes, n);
        check_damage(m, 0);
    }
    unlink(path_of(2, 1)); /* one in the middle is gone */
    struct dp_state *s = opened();
    struct model got;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(restore(s, "3", &got, NULL, &err), DP_FORMAT);
    assert_int_equal(restore(s, "4", &got, NULL, &err), DP_OK);
    dp_state_close(s);
    for (unsigned i = 1; i <= 4; i++) spit(path_of(i, i - 1), "", 0);
    s = opened();
    assert_int_equal(restore(s, NULL, &got, NULL, &err), DP_FORMAT); /* not silently from the beginning */
    dp_state_close(s);
}

/* A file of the same number, made by another branch of the same state's copy, is not what the next one builds on. */
static void foreign_parent(void **state) {
    (void)state;
    struct model none = {{0}}, a = model_of(1), b = model_of(2), c = model_of(3), got;
    struct dp_err err = DP_ERR_INIT;
    char bytes[4096];
    struct dp_state *s = opened();
    must_commit(s, "1", &none, &a);
    dp_state_close(s);
    size_t n = slurp(path_of(1, 0), bytes, sizeof bytes);
    unlink(path_of(1, 0));
    s = opened();
    must_commit(s, "1", &none, &c);
    must_commit(s, "2", &c, &b);
    dp_state_close(s);
    spit(path_of(1, 0), bytes, n);
    s = opened();
    assert_int_equal(restore(s, "2", &got, NULL, &err), DP_FORMAT);
    assert_int_equal(restore(s, "1", &got, NULL, &err), DP_OK);
    assert_true(same(&got, &a));
    dp_state_close(s);
}

/* In a child: opens, restores, writes a checkpoint; dies at a call. */
static int child(long at, bool torn, int number) {
    pid_t pid = fork();
    if (pid == 0) {
        struct dp_state *s = NULL;
        struct model before, m = model_of(number);
        char id[16];
        (void)snprintf(id, sizeof id, "%d", number);
        calls = 0, stop_at = at, tear = torn;
        if (dp_state_open(&run, dir, "dp-test", DP_STR(QUERY), false, &s, NULL) != DP_OK) _exit(1);
        if (restore(s, NULL, &before, NULL, NULL) != DP_OK) _exit(2);
        if (commit(s, id, &before, &m, NULL) != DP_OK) _exit(3);
        dp_state_close(s);
        _exit(0);
    }
    int status = -1;
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void killed_at_each_call(void **state) {
    (void)state;
    for (int torn = 0; torn < 2; torn++) {
        for (long at = 1;; at++) {
            struct model got, before = {{0}};
            struct dp_state_point p;
            struct dp_err err = DP_ERR_INIT;
            empty_dir(dir);
            int last = 0, done = 0;
            for (int number = 1; number <= 3; number++) { /* the third dies, or the first where there is nothing yet */
                done = child(number == 3 || at % 2 ? at : 0, torn, number);
                if (done != 0 && done != 9) fail_msg("call %ld, checkpoint %d: exit %d", at, number, done);
                struct dp_state *s = opened();
                assert_int_equal(restore(s, NULL, &got, &p, &err), DP_OK);
                int is = *p.id ? p.id[0] - '0' : 0;
                if (is != number && (is != last || done == 0)) fail_msg("call %ld: checkpoint %d where %d was written", at, is, number);
                struct model want = is ? model_of(is) : before;
                assert_true(same(&got, &want));
                dp_state_close(s);
                last = is;
            }
            assert_string_equal(warned, "");
            if (done == 0) {
                assert_true(at > 4);
                break;
            }
        }
    }
}

static void full_disk(void **state) {
    (void)state;
    struct model none = {{0}}, a = model_of(1), b = model_of(2), c = model_of(3), got;
    struct dp_err err = DP_ERR_INIT;
    for (long from = 1; from <= 3; from++) {
        empty_dir(dir);
        struct dp_state *s = opened();
        must_commit(s, "1", &none, &a);
        calls = 0, fail_from = from; /* write, fsync, rename */
        assert_int_equal(commit(s, "2", &a, &b, &err), DP_IO);
        assert_non_null(strstr(err.msg, "writing a checkpoint"));
        fail_from = 0;
        must_commit(s, "3", &b, &c); /* all of it again */
        dp_state_close(s);
        s = opened();
        assert_int_equal(restore(s, NULL, &got, NULL, &err), DP_OK);
        assert_true(same(&got, &c));
        dp_state_close(s);
    }
}

/* ---- many entries, little memory ---- */

enum { MANY = 120000 };
static uint32_t versions[MANY];

static void many_key(uint32_t i, char key[24]) {
    uint64_t hash = (i % 3 ? i : 7) * UINT64_C(0x9e3779b97f4a7c15); /* a third of them begins alike */
    for (int k = 0; k < 8; k++) key[k] = (char)(hash >> (56 - 8 * k));
    (void)snprintf(key + 8, 16, "%08x", i);
}

static enum dp_status take_many(void *ctx, struct dp_str key, struct dp_str value, struct dp_err *err) {
    uint32_t *n = ctx, v;
    char want[24], text[9] = {0};
    memcpy(text, key.p + 8, 8);
    uint32_t i = (uint32_t)strtoul(text, NULL, 16);
    many_key(i, want);
    if (i >= MANY || key.n != 16 || memcmp(want, key.p, 16) != 0 || value.n != 20) return dp_err_set(err, DP_BUG, "a key that was never put");
    memcpy(&v, value.p, 4);
    if (!versions[i] || v != versions[i]) return dp_err_set(err, DP_BUG, "key %u is of version %u, not %u", i, v, versions[i]);
    ++*n;
    return DP_OK;
}

static void many_entries(void **state) {
    (void)state;
    struct dp_run small = run;
    struct dp_err err = DP_ERR_INIT;
    uint32_t want = 0, got = 0;
    char key[24], value[20] = {0};
    for (int round = 1; round <= 6; round++) {
        small.memory = round % 2 ? 1 << 20 : 160 << 20; /* in runs, and in memory */
        struct dp_state *s;
        assert_int_equal(dp_state_open(&small, dir, "dp-test", DP_STR(QUERY), false, &s, &err), DP_OK);
        got = 0;
        if (dp_state_restore(s, NULL, take_many, &got, NULL, &err) != DP_OK) fail_msg("%s", err.msg);
        assert_int_equal(got, want);
        bool all;
        assert_int_equal(dp_state_begin(s, "", &all, &err), DP_OK);
        for (uint32_t k = 0; k < MANY; k++) {
            uint32_t i = (uint32_t)((uint64_t)k * 7919 % MANY);
            bool changes = round == 1 || i % 5 == (uint32_t)round % 5;
            if (changes) {
                bool gone = round > 1 && i % 10 < 5;
                want = want - (versions[i] != 0) + !gone;
                versions[i] = gone ? 0 : (uint32_t)round;
            }
            if (!changes && (!all || !versions[i])) continue;
            many_key(i, key);
            memcpy(value, &versions[i], 4);
            if (dp_state_put(s, dp_str(key, 16), versions[i] ? &(struct dp_str){value, 20} : NULL, &err) != DP_OK) fail_msg("%s", err.msg);
        }
        if (dp_state_commit(s, &err) != DP_OK) fail_msg("%s", err.msg);
        dp_state_close(s);
    }
}

/* Two runs of memory: what is written does not tell how much of it there was. */
static void bytes_do_not_tell_memory(void **state) {
    (void)state;
    static char bytes[2][1 << 21];
    size_t n[2];
    struct dp_err err = DP_ERR_INIT;
    char path[200];
    for (int k = 0; k < 2; k++) {
        struct dp_run r = run;
        struct dp_state *s;
        bool all;
        char key[24];
        r.memory = k ? 1 << 20 : 1 << 30;
        if (k == 0) s = opened(), dp_state_close(s);
        unlink(path_of(1, 0));
        assert_int_equal(dp_state_open(&r, dir, "dp-test", DP_STR(QUERY), false, &s, &err), DP_OK);
        assert_int_equal(dp_state_begin(s, "", &all, &err), DP_OK);
        for (uint32_t i = 0; i < 30000; i++) many_key(i, key), assert_int_equal(dp_state_put(s, dp_str(key, 16), &DP_STR("value"), &err), DP_OK);
        assert_int_equal(dp_state_commit(s, &err), DP_OK);
        dp_state_close(s);
        n[k] = slurp(path_of(1, 0), bytes[k], sizeof bytes[k]);
    }
    (void)path;
    assert_true(n[0] == n[1] && n[0] > 600000 && memcmp(bytes[0], bytes[1], n[0]) == 0);
}

static void odd_entries(void **state) {
    (void)state;
    struct dp_err err = DP_ERR_INIT;
    bool all;
    size_t big = 3u << 20;
    char *v = calloc(1, big);
    struct dp_state *s = opened();
    assert_int_equal(dp_state_begin(s, "", &all, &err), DP_OK);
    assert_int_equal(dp_state_put(s, DP_STR("b"), &(struct dp_str){v, big}, &err), DP_OK); /* larger than a block and than the memory */
    assert_int_equal(dp_state_put(s, DP_STR(""), &DP_STR("empty key"), &err), DP_OK);
    assert_int_equal(dp_state_put(s, DP_STR("a\0b"), &DP_STR(""), &err), DP_OK);
    assert_int_equal(dp_state_put(s, dp_str(v, DP_LIMIT_STATE_ENTRY), &DP_STR("x"), &err), DP_LIMIT); /* told before a byte of it is read */
    assert_int_equal(dp_state_commit(s, &err), DP_OK);
    dp_state_close(s);
    free(v);
    s = opened();
    struct dp_state_point p;
    assert_true(dp_state_list(s, 0, &p) && p.entries == 3 && p.bytes > big && p.is_full);
    dp_state_close(s);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)
    const struct CMUnitTest tests[] = {T(back_and_forth), T(branches),       T(same_id),        T(what_is_kept),        T(many_branches), T(refusals),     T(leftovers),
                                       T(flips_and_cuts), T(foreign_parent), T(full_disk),      T(killed_at_each_call), T(many_entries),  T(odd_entries),  T(bytes_do_not_tell_memory)};
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
