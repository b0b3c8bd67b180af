/* Delivery of lineage: files, the spool, held runs, and HTTP against a server in a thread of this test. */
#include "dpt.h"

#include "../../lib/io/lineage_priv.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/base/time.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

static char dir[] = "/tmp/dp-t-send-XXXXXX";
static char said[4096]; /* what was logged */
static struct dp_run run;

static void take_log(void *ctx, enum dp_log_level level, const char *fmt, va_list ap) {
    (void)ctx;
    size_t n = strlen(said);
    if (level > DP_LOG_WARN) return;
    vsnprintf(said + n, sizeof said - n, fmt, ap);
    n = strlen(said);
    snprintf(said + n, sizeof said - n, "\n");
}

static int setup(void **state) {
    (void)state;
    run = (struct dp_run){.program = "t", .log = take_log};
    if (!mkdtemp(dir) || chdir(dir)) return -1;
    setenv("HOME", dir, 1);
    unsetenv("OPENLINEAGE_URL");
    unsetenv("OPENLINEAGE_DISABLED");
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    return 0;
}

/* A state directory of its own for each test. */
static void fresh(const char *name) {
    char path[200];
    snprintf(path, sizeof path, "%s/state-%s", dir, name);
    setenv("XDG_STATE_HOME", path, 1);
    said[0] = '\0';
}

static struct dp_lineage_conf *conf_of(const char *dp_lineage, const char *yaml) {
    struct dp_lineage_conf *c = NULL;
    struct dp_err e = DP_ERR_INIT;
    unlink("openlineage.yml");
    if (dp_lineage) setenv("DP_LINEAGE", dp_lineage, 1);
    else unsetenv("DP_LINEAGE");
    if (yaml) {
        FILE *f = fopen("openlineage.yml", "w");
        assert_non_null(f);
        fputs(yaml, f);
        fclose(f);
        chmod("openlineage.yml", 0600);
    }
    assert_int_equal(dp_lineage_conf_load(&c, &e), DP_OK);
    assert_non_null(c);
    return c;
}

static void send_id(struct dp_lineage_sender *s, const char *type, const char *id) {
    char text[300];
    snprintf(text, sizeof text, "{\"eventType\":\"%s\",\"eventTime\":\"2026-01-01T00:00:00Z\",\"run\":{\"runId\":\"%s\"}}\n", type, id);
    if (strcmp(type, "HOLD") == 0) {
        snprintf(text, sizeof text, "{\"eventType\":\"ABORT\",\"eventTime\":\"2026-01-01T00:00:00Z\",\"run\":{\"runId\":\"%s\"}}\n", id);
        dp_lineage_hold(s, id, dp_str_z(text));
    } else {
        dp_lineage_send(s, dp_str_z(text));
    }
}

/* "START a,COMPLETE a" of a text of events */
static const char *summary(struct dp_str text, char *out, size_t size) {
    size_t n = 0;
    out[0] = '\0';
    for (const char *p = text.p, *end = text.p + text.n; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
        const char *line = p;
        while (line > text.p && line[-1] != '\n') line--;
        char type[20] = "?", id[64] = "?";
        const char *t = strstr(line, "eventType\":\""), *r = strstr(line, "runId\":\"");
        if (t) snprintf(type, sizeof type, "%.*s", (int)strcspn(t + 12, "\""), t + 12);
        if (r) snprintf(id, sizeof id, "%.*s", (int)strcspn(r + 8, "\""), r + 8);
        n += (size_t)snprintf(out + n, size - n, "%s%s %s", n ? "," : "", type, id);
    }
    return out;
}

static void expect_file(const char *path, const char *want) {
    struct dp_buf b = {NULL, 0, 0};
    char out[4000];
    assert_int_equal(dp_file_read(path, 1 << 20, &b, NULL), DP_OK);
    assert_string_equal(summary(dp_buf_str(&b), out, sizeof out), want);
    dp_buf_release(&b);
}

/* Files of the spool of what DP_LINEAGE says. */
static size_t spooled(const char *dp_lineage) {
    struct dp_lineage_conf *c = conf_of(dp_lineage, NULL);
    struct dp_lineage_flushed f;
    assert_int_equal(dp_lineage_flush(&run, c, 0, &f, NULL), DP_OK);
    return f.waiting;
}

/* ---- files ---- */

static void file_in_order(void **state) {
    (void)state;
    fresh("file");
    for (int i = 0; i < 2; i++) {
        struct dp_lineage_sender *s = dp_lineage_open(&run, conf_of("f.ndjson", NULL));
        send_id(s, "START", i ? "b" : "a");
        send_id(s, "HOLD", i ? "b" : "a");
        send_id(s, "COMPLETE", i ? "b" : "a");
        dp_lineage_unhold(s, i ? "b" : "a");
        dp_lineage_close(s);
    }
    expect_file("f.ndjson", "START a,COMPLETE a,START b,COMPLETE b");
    assert_int_equal(spooled("f.ndjson"), 0);
    assert_string_equal(said, "");
}

static void a_file_each(void **state) {
    (void)state;
    fresh("each");
    struct dp_lineage_sender *s = dp_lineage_open(&run, conf_of(NULL, "transport: {type: file, log_file_path: each/e}\n"));
    assert_int_equal(mkdir("each", 0700), 0);
    for (int i = 0; i < 3; i++) send_id(s, "START", "a");
    dp_lineage_close(s);
    s = dp_lineage_open(&run, conf_of(NULL, "transport: {type: file, log_file_path: each/p, debug_mode: true}\n"));
    dp_lineage_send(s, dp_str_z("{\"eventType\":\"OTHER\",\"job\":{\"name\":\"a/b\"},\"inputs\":[],\"x\":[1,\"{\"]}\n"));
    dp_lineage_close(s);
    DIR *d = opendir("each");
    size_t n = 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (e->d_name[0] == '.') continue;
        n++;
        if (e->d_name[0] == 'e') assert_int_equal(strlen(e->d_name), strlen("e-20261122-195853.123456.json"));
        if (e->d_name[0] != 'p') continue;
        struct dp_buf b = {NULL, 0, 0};
        char path[300];
        assert_non_null(strstr(e->d_name, "-a__b-OTHER.json"));
        snprintf(path, sizeof path, "each/%s", e->d_name);
        assert_int_equal(dp_file_read(path, 1 << 20, &b, NULL), DP_OK);
        assert_string_equal(dp_buf_z(&b), "{\n  \"eventType\": \"OTHER\",\n  \"job\": {\n    \"name\": \"a/b\"\n  },\n  \"inputs\": [],\n  \"x\": [\n    1,\n    \"{\"\n  ]\n}\n");
        dp_buf_release(&b);
    }
    closedir(d);
    assert_int_equal(n, 4);
    assert_string_equal(said, "");
}

/* A directory that comes later: what waited is written first, once. */
static void file_away(void **state) {
    (void)state;
    fresh("away");
    struct dp_lineage_sender *s = dp_lineage_open(&run, conf_of("later/f.ndjson", NULL));
    send_id(s, "START", "a");
    assert_int_equal(mkdir("later", 0700), 0);
    send_id(s, "COMPLETE", "a"); /* behind the first, though it could be written now */
    dp_lineage_close(s);
    assert_non_null(strstr(said, "later/f.ndjson: can't open it: No such file or directory; 2 events wait in the spool\n"));
    assert_int_equal(spooled("later/f.ndjson"), 2);
    s = dp_lineage_open(&run, conf_of("later/f.ndjson", NULL));
    send_id(s, "START", "b");
    dp_lineage_close(s);
    expect_file("later/f.ndjson", "START a,COMPLETE a,START b");
    assert_int_equal(spooled("later/f.ndjson"), 0);
}

/* A full device, and no spool either: lost with one warning. */
static void disk_full(void **state) {
    (void)state;
    if (access("/dev/full", W_OK)) skip();
    fresh("full");
    setenv("XDG_STATE_HOME", "/dev/null/x", 1);
    struct dp_lineage_sender *s = dp_lineage_open(&run, conf_of("/dev/full", NULL));
    send_id(s, "START", "a");
    send_id(s, "HOLD", "a");
    send_id(s, "COMPLETE", "a");
    dp_lineage_close(s);
    assert_string_equal(said, "lineage: file /dev/full: can't write: No space left on device; 2 events are lost, for the spool can't be written: Not a directory\n");
}

static void composite(void **state) {
    (void)state;
    fresh("composite");
    struct dp_lineage_sender *s = dp_lineage_open(&run, conf_of(NULL, "transport:\n  type: composite\n  continue_on_success: false\n  transports:\n"
        "  - {type: file, log_file_path: /dev/null/no, append: true}\n  - {type: file, log_file_path: c1, append: true}\n  - {type: file, log_file_path: c2, append: true}\n"));
    send_id(s, "START", "a");
    dp_lineage_close(s);
    expect_file("c1", "START a");
    assert_int_equal(access("c2", F_OK), -1);
}

/* ---- held runs ---- */

static void die_holding(const char *where, const char *id) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct dp_lineage_sender *s = dp_lineage_open(&run, conf_of(where, NULL));
        send_id(s, "START", id);
        send_id(s, "HOLD", id);
        send_id(s, "HOLD", id); /* in place of the first */
        send_id(s, "HOLD", "ended");
        dp_lineage_unhold(s, "ended");
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void dead_runs(void **state) {
    (void)state;
    fresh("dead");
    die_holding("d.ndjson", "a");
    expect_file("d.ndjson", "START a");
    assert_int_equal(spooled("other.ndjson"), 0); /* it is not told to others */
    assert_int_equal(spooled("d.ndjson"), 1);
    fflush(NULL);
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            struct dp_lineage_sender *s = dp_lineage_open(&run, conf_of("d.ndjson", NULL));
            dp_lineage_reap(s);
            dp_lineage_close(s);
            _exit(0);
        }
    while (wait(NULL) > 0) continue;
    expect_file("d.ndjson", "START a,ABORT a");
    struct dp_buf b = {NULL, 0, 0};
    assert_int_equal(dp_file_read("d.ndjson", 1 << 20, &b, NULL), DP_OK);
    const char *at = strstr(strstr(dp_buf_z(&b), "ABORT"), "eventTime\":\"");
    assert_true(strncmp(at + 12, "2026-01-01", 10) > 0 && strchr(at, 'Z') - at == 12 + 26);
    dp_buf_release(&b);
    assert_int_equal(spooled("d.ndjson"), 0);
}

/* A half line at the end, as a kill leaves it, and a file that is no text of ours. */
static void cut_files(void **state) {
    (void)state;
    fresh("cut");
    die_holding("cut.ndjson", "a");
    struct dp_lineage_conf *c = conf_of("cut.ndjson", NULL);
    char *spool = lineage_spool_dir(&c->receivers[0]);
    struct lineage_left l;
    struct lineage_names names;
    assert_true(lineage_names_load(spool, 10, &names));
    assert_true(lineage_left_next(spool, &names, &l));
    lineage_names_release(&names);
    assert_int_equal(pwrite(l.fd, "{\"eventType\":\"OTHER\"", 20, (off_t)l.text.n), 20);
    lineage_left_close(&l, false);
    char path[600];
    snprintf(path, sizeof path, "%s/0000-odd.events", spool);
    FILE *f = fopen(path, "w");
    fputs("\0\n\nH\nHx\nzzz\n{\"eventType\":\"OTHER\",\"runId\":\"w\"}\n", f);
    fputs("\n\nH\nHx\nzzz\n{\"eventType\":\"OTHER\",\"runId\":\"w\"}\n", f);
    fclose(f);
    free(spool);
    dp_lineage_conf_free(c);
    struct dp_lineage_sender *s = dp_lineage_open(&run, conf_of("cut.ndjson", NULL));
    dp_lineage_close(s);
    expect_file("cut.ndjson", "START a,OTHER w,ABORT a");
}

/* A process that died when the last event of its run was in the spool, and before the hold was taken back: that event is the last, sent before or not. */
static void ended_runs(void **state) {
#define EVENT(TYPE, RUN) "\"eventType\":\"" TYPE "\",\"eventTime\":\"2026-01-01T00:00:00Z\",\"run\":{\"runId\":\"" RUN "\"}}\n"
    static const char text[] = "-" EVENT("START", "a") "Ha {" EVENT("ABORT", "a") "{" EVENT("COMPLETE", "a")
                               "-" EVENT("START", "b") "Hb {" EVENT("ABORT", "b") "-" EVENT("FAIL", "b")
                               "-" EVENT("START", "c") "Hc {" EVENT("ABORT", "c") "{" EVENT("RUNNING", "c") "-" EVENT("COMPLETE", "cc")
                               "Nd {" EVENT("ABORT", "d") "Ne {" EVENT("ABORT", "e") "-" EVENT("START", "e"); /* of d nobody was told */
    (void)state;
    fresh("ended");
    die_holding("e.ndjson", "x"); /* makes the directory */
    struct dp_lineage_conf *c = conf_of("e.ndjson", NULL);
    char *spool = lineage_spool_dir(&c->receivers[0]), path[600];
    snprintf(path, sizeof path, "%s/0000.events", spool);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    free(spool);
    dp_lineage_conf_free(c);
    assert_int_equal(spooled("e.ndjson"), 5);
    dp_lineage_close(dp_lineage_open(&run, conf_of("e.ndjson", NULL)));
    expect_file("e.ndjson", "START x,COMPLETE a,RUNNING c,ABORT c,ABORT e,ABORT x");
    assert_int_equal(spooled("e.ndjson"), 0);
#undef EVENT
}

/* At DP_LIMIT_SPOOL nothing goes; past it the oldest file does. */
static void bounded(void **state) {
    (void)state;
    fresh("bounded");
    struct dp_lineage_conf *c = conf_of("/dev/null/no", NULL);
    char *spool = lineage_spool_dir(&c->receivers[0]), path[600];
    struct lineage_spool first = {.fd = -1};
    assert_true(lineage_spool_open(&first, spool));
    char *name = strdup(first.path);
    struct dp_buf big = {NULL, 0, 0};
    dp_buf_addz(&big, "{\"a\":\"");
    size_t half = DP_LIMIT_SPOOL / 2;
    memset(dp_buf_reserve(&big, half), 'x', half);
    big.n = half - 3;
    dp_buf_addz(&big, "\"}\n");
    assert_int_equal(big.n, half);
    assert_int_equal(lineage_spool_add(&first, "", dp_buf_str(&big)), 0);
    lineage_spool_close(&first);
    snprintf(path, sizeof path, "%s/ffff-2.events", spool);
    FILE *f = fopen(path, "w");
    fwrite(big.p, 1, big.n, f);
    fflush(f);
    assert_int_equal(lineage_spool_trim(spool, INT64_MAX), 0);
    assert_int_equal(access(name, F_OK), 0);
    fputs("\n", f);
    fclose(f);
    assert_int_equal(lineage_spool_trim(spool, INT64_MAX), 1);
    assert_int_equal(access(name, F_OK), -1);
    assert_int_equal(access(path, F_OK), 0);
    assert_true(lineage_spool_reject(spool, dp_buf_str(&big)));
    assert_true(lineage_spool_reject(spool, dp_buf_str(&big)));
    assert_false(lineage_spool_reject(spool, DP_STR("{}\n")));
    dp_buf_release(&big);
    free(name);
    free(spool);
    dp_lineage_conf_free(c);
}

/* ---- HTTP ---- */

struct server {
    int fd, port;
    pthread_t thread;
    const char *const *script; /* an answer for each request; NULL: the last stays */
    _Atomic int requests;
    int connections;
    struct dp_buf heads, bodies; /* what came */
    _Atomic bool stop;
};

/* Reads one request; false: the other side has closed. */
static bool read_request(struct server *v, int fd) {
    struct dp_buf b = {NULL, 0, 0};
    size_t head = 0, length = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        while (!v->stop && poll(&p, 1, 20) == 0) continue;
        ssize_t n = v->stop ? 0 : recv(fd, dp_buf_reserve(&b, 4096), 4096, 0);
        if (n <= 0) break;
        b.n += (size_t)n;
        const char *text = dp_buf_z(&b), *end = head ? NULL : strstr(text, "\r\n\r\n"), *at = strstr(text, "Content-Length: ");
        if (end) head = (size_t)(end - text) + 4, length = at ? strtoul(at + 16, NULL, 10) : 0;
        if (head && b.n >= head + length) {
            dp_buf_add(&v->heads, b.p, head);
            dp_buf_add(&v->bodies, b.p + head, length);
            if (length && b.p[head] == '{') dp_buf_addc(&v->bodies, '\n');
            dp_buf_release(&b);
            return true;
        }
    }
    dp_buf_release(&b);
    return false;
}

static void *serve(void *ctx) {
    struct server *v = ctx;
    size_t at = 0;
    while (!v->stop) {
        struct pollfd p = {.fd = v->fd, .events = POLLIN};
        if (poll(&p, 1, 20) <= 0) continue;
        int fd = accept(v->fd, NULL, NULL);
        if (fd < 0) continue;
        v->connections++;
        while (read_request(v, fd)) {
            const char *answer = v->script[at];
            if (v->script[at + 1]) at++;
            bool silent = strcmp(answer, "hang") == 0 || strcmp(answer, "close") == 0;
            if (silent) v->requests++;
            if (strcmp(answer, "hang") == 0) {
                while (!v->stop) poll(NULL, 0, 5);
                break;
            }
            if (strcmp(answer, "close") == 0) break;
            char text[400];
            if (answer[0] >= '1' && answer[0] <= '9') snprintf(text, sizeof text, "HTTP/1.1 %.3s x\r\n%sContent-Length: 2\r\n\r\nok", answer, strlen(answer) > 4 ? answer + 4 : "");
            else snprintf(text, sizeof text, "%s", answer);
            bool sent = send(fd, text, strlen(text), MSG_NOSIGNAL) >= 0;
            v->requests++; /* counted when it is answered, so that who waits for it finds the answer on its way */
            if (!sent || strstr(text, "close\r\n")) break;
        }
        close(fd);
    }
    return NULL;
}

static struct server *start(const char *const *script) {
    struct server *v = calloc(1, sizeof *v);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof a;
    v->script = script;
    v->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(v->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(v->fd, 16), 0);
    assert_int_equal(getsockname(v->fd, (struct sockaddr *)&a, &size), 0);
    v->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&v->thread, NULL, serve, v), 0);
    return v;
}

static void stop(struct server *v) {
    v->stop = true;
    pthread_join(v->thread, NULL);
    close(v->fd);
    dp_buf_release(&v->heads);
    dp_buf_release(&v->bodies);
    free(v);
}

static void expect_bodies(struct server *v, const char *want) {
    char out[2000];
    v->stop = true;
    pthread_join(v->thread, NULL);
    assert_string_equal(summary(dp_buf_str(&v->bodies), out, sizeof out), want);
    v->stop = false;
    assert_int_equal(pthread_create(&v->thread, NULL, serve, v), 0);
}

static struct dp_lineage_sender *open_http(const struct server *v, const char *more) {
    char yaml[1000];
    snprintf(yaml, sizeof yaml, "transport:\n  type: http\n  url: http://127.0.0.1:%d\n%s", v->port, more);
    return dp_lineage_open(&run, conf_of(NULL, yaml));
}

static size_t http_waiting(const struct server *v) {
    char where[100];
    snprintf(where, sizeof where, "http://127.0.0.1:%d", v->port);
    return spooled(where);
}

/* Until the server has had so many requests: a state, bounded only so that a fault is no hang. */
static void await(const struct server *v, int requests) {
    for (int i = 0; i < 10000 && v->requests < requests; i++) poll(NULL, 0, 1);
    assert_true(v->requests >= requests);
}

static void http_good(void **state) {
    (void)state;
    static const char *const script[] = {"201", NULL};
    fresh("good");
    struct server *v = start(script);
    struct dp_lineage_sender *s = open_http(v, "  endpoint: e\n  auth: {type: api_key, apiKey: hush}\n  custom_headers: {X-Own: \"1\", Host: no}\n");
    send_id(s, "START", "a");
    send_id(s, "HOLD", "a");
    send_id(s, "RUNNING", "a");
    send_id(s, "COMPLETE", "a");
    dp_lineage_unhold(s, "a");
    await(v, 3);
    dp_lineage_close(s);
    assert_int_equal(http_waiting(v), 0);
    expect_bodies(v, "START a,RUNNING a,COMPLETE a");
    assert_int_equal(v->connections, 1);
    const char *head = dp_buf_z(&v->heads);
    assert_true(strncmp(head, "POST /e HTTP/1.1\r\nHost: 127.0.0.1:", 34) == 0);
    assert_non_null(strstr(head, "\r\nAuthorization: Bearer hush\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(head, "\r\nX-Own: 1\r\n"));
    assert_null(strstr(head, "Host: no"));
    assert_string_equal(said, "");
    stop(v);
}

static void http_gzip(void **state) {
    (void)state;
    static const char *const script[] = {"200", NULL};
    fresh("gzip");
    struct server *v = start(script);
    struct dp_lineage_sender *s = open_http(v, "  compression: gzip\n");
    send_id(s, "START", "z");
    await(v, 1);
    dp_lineage_close(s);
    assert_non_null(strstr(dp_buf_z(&v->heads), "\r\nContent-Encoding: gzip\r\n"));
    unsigned char out[1000];
    z_stream z = {.next_in = (unsigned char *)v->bodies.p, .avail_in = (unsigned)v->bodies.n, .next_out = out, .avail_out = sizeof out};
    assert_int_equal(inflateInit2(&z, 31), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_true(z.total_out > 20 && out[z.total_out - 1] == '}');
    inflateEnd(&z);
    stop(v);
}

/* What is answered, and what then becomes of one event: sent, waiting or refused, after how many requests. */
static void http_answers(void **state) {
    (void)state;
    static const struct { const char *script[8], *more; int requests; size_t waiting; bool refused; const char *said; } rows[] = {
        {{"503", "201"}, "", 2, 0, false, ""},
        {{"close", "201"}, "", 2, 0, false, ""},
        {{"400"}, "", 1, 0, true, "it answered 400; 1 event was refused and kept in "},
        {{"301 Location: /x\r\n"}, "", 1, 0, true, "it answered 301; 1 event was refused"},
        {{"307 Location: /x\r\n", "201"}, "", 2, 0, false, ""},
        {{"429"}, "", 1, 1, false, "it answered 429; 1 event waits in the spool"},
        {{"501"}, "", 1, 1, false, "it answered 501; 1 event waits in the spool"},
        {{"503"}, "  retry: {total: 1}\n", 2, 1, false, "it answered 503; 1 event waits in the spool"},
        {{"503"}, "  retry: {total: 0}\n", 1, 1, false, "it answered 503; 1 event waits in the spool"},
        {{"503"}, "  retry: {status_forcelist: [500]}\n", 1, 1, false, "it answered 503"},
        {{"500", "502", "504", "200"}, "  retry: {backoff_factor: 0}\n", 4, 0, false, ""},
        {{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n"}, "", 1, 0, false, ""},
        {{"HTTP/1.0 201 Created\r\nConnection: close\r\n\r\nwhatever"}, "", 1, 0, false, ""},
        {{"HTTP/1.1 204 No\r\n\r\n"}, "", 1, 0, false, ""},
        {{"SSH-2.0-x\r\n"}, "  retry: {total: 0}\n", 1, 1, false, "the answer is no HTTP; 1 event waits"},
        {{"HTTP/1.1 201 x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nab"}, "  retry: {total: 0}\n", 1, 1, false, "the answer is cut off"},
        {{"hang"}, "", 1, 1, false, "no answer in time; 1 event waits"},
        {{"hang"}, "  timeoutInMillis: 10\n  retry: {total: 0}\n", 1, 1, false, "no answer in time; 1 event waits"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[20];
        snprintf(name, sizeof name, "answers%zu", i);
        fresh(name);
        struct server *v = start(rows[i].script);
        struct dp_lineage_sender *s = open_http(v, rows[i].more);
        send_id(s, "START", "a");
        await(v, rows[i].requests);
        int64_t from = dp_time_monotonic_ms();
        dp_lineage_close(s);
        assert_true(dp_time_monotonic_ms() - from < 1500);
        bool told = rows[i].said[0] ? strstr(said, rows[i].said) != NULL : !said[0];
        if (!told || v->requests != rows[i].requests) print_message("row %zu: %d requests, said \"%s\"\n", i, v->requests, said);
        assert_true(told);
        assert_int_equal(v->requests, rows[i].requests);
        struct dp_lineage_conf *c = NULL;
        struct dp_lineage_flushed f;
        assert_int_equal(dp_lineage_conf_load(&c, NULL), DP_OK);
        char *spool = lineage_spool_dir(&c->receivers[0]), path[600];
        snprintf(path, sizeof path, "%s/rejected.ndjson", spool);
        assert_int_equal(access(path, F_OK) == 0, rows[i].refused);
        free(spool);
        assert_int_equal(dp_lineage_flush(&run, c, 0, &f, NULL), DP_OK);
        assert_int_equal(f.waiting, rows[i].waiting);
        stop(v);
    }
}

/* Nobody listens; then somebody does: what waited comes first and once, and by flush too. */
static void http_later(void **state) {
    (void)state;
    static const char *const script[] = {"201", NULL};
    fresh("later");
    struct server *v = start(script);
    int port = v->port;
    stop(v);
    struct server none = {.port = port};
    for (int i = 0; i < 2; i++) {
        struct dp_lineage_sender *s = open_http(&none, "");
        send_id(s, "START", i ? "b" : "a");
        send_id(s, "COMPLETE", i ? "b" : "a");
        dp_lineage_close(s);
    }
    assert_non_null(strstr(said, "Connection refused; 2 events wait in the spool"));
    struct dp_lineage_conf *c = NULL;
    struct dp_lineage_flushed f;
    struct dp_err e = DP_ERR_INIT;
    assert_int_equal(dp_lineage_conf_load(&c, NULL), DP_OK);
    assert_int_equal(dp_lineage_flush(&run, c, 1000, &f, &e), DP_AGAIN);
    assert_int_equal(f.waiting, 4);
    assert_non_null(strstr(e.msg, "Connection refused"));

    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons((uint16_t)port)};
    int on = 1;
    v = calloc(1, sizeof *v);
    v->port = port;
    v->script = script;
    v->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(v->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(v->fd, (struct sockaddr *)&a, sizeof a)) { /* another has it now */
        close(v->fd);
        free(v);
        skip();
    }
    assert_int_equal(listen(v->fd, 16), 0);
    assert_int_equal(pthread_create(&v->thread, NULL, serve, v), 0);
    struct dp_lineage_sender *s = open_http(v, "");
    send_id(s, "START", "c");
    await(v, 5);
    dp_lineage_close(s);
    assert_int_equal(http_waiting(v), 0);
    expect_bodies(v, "START a,COMPLETE a,START b,COMPLETE b,START c");
    stop(v);
}

/* A process that is killed: its START was sent, or waits; the ABORT comes, once more for each who was killed between the receiver's answer and its mark. */
static void http_killed(void **state) {
    (void)state;
    static const char *const script[] = {"201", NULL};
    fresh("killed");
    struct server *v = start(script);
    char where[100];
    snprintf(where, sizeof where, "http://127.0.0.1:%d", v->port);
    for (int i = 0; i < 3; i++) die_holding(where, "k");
    struct dp_lineage_conf *c = conf_of(where, NULL);
    struct dp_lineage_flushed f;
    assert_int_equal(dp_lineage_flush(&run, c, 5000, &f, NULL), DP_OK);
    assert_int_equal(f.waiting, 0);
    size_t starts = 0, aborts = 0;
    v->stop = true;
    pthread_join(v->thread, NULL);
    for (const char *p = dp_buf_z(&v->bodies); (p = strstr(p, "eventType\":\"")) != NULL; p++) starts += p[12] == 'S', aborts += p[12] == 'A';
    assert_in_range(starts, 3, 9); /* so is a START, and by itself before */
    assert_in_range(aborts, 3, 6); /* the first may be told by two that are killed and by us, the second by one */
    v->stop = false;
    assert_int_equal(pthread_create(&v->thread, NULL, serve, v), 0);
    stop(v);
}

static void http_tokens(void **state) {
    (void)state;
    static const char *const script[] = {"HTTP/1.1 200 x\r\nContent-Length: 45\r\n\r\n{\"Access_Token\":\"tok\",\"expires_in\":\"x\",\"a\":1}",
                                         "201", NULL};
    static const char *const jwt[] = {"HTTP/1.1 200 x\r\nContent-Length: 37\r\n\r\n{\"access_token\":\"t\",\"expiresIn\":3600}", "201", NULL};
    for (int i = 0; i < 2; i++) {
        fresh(i ? "oauth2" : "jwt");
        struct server *v = start(i ? script : jwt);
        char more[400];
        snprintf(more, sizeof more, "  retry: {total: 0}\n  auth: {type: %s, tokenEndpoint: \"http://127.0.0.1:%d/tok\"}\n",
                 i ? "oauth2, clientId: \"i:d\", clientSecret: s, scope: a b" : "jwt, apiKey: \"k&y\"", v->port);
        struct dp_lineage_sender *s = open_http(v, more);
        send_id(s, "START", "a");
        await(v, i ? 1 : 2);
        if (!i) send_id(s, "COMPLETE", "a"), await(v, 3); /* with the token that we have */
        dp_lineage_close(s);
        const char *heads = dp_buf_z(&v->heads), *bodies = dp_buf_z(&v->bodies);
        assert_true(strncmp(heads, "POST /tok ", 10) == 0);
        if (i) {
            assert_true(strncmp(bodies, "grant_type=client_credentials&scope=a%20b", 41) == 0);
            assert_non_null(strstr(heads, "\r\nAuthorization: Basic aSUzQWQ6cw==\r\n"));
        } else {
            assert_true(strncmp(bodies, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&response_type=token&apikey=k%26y", 97) == 0);
            assert_non_null(strstr(heads, "\r\nAuthorization: Bearer t\r\n"));
            assert_int_equal(v->requests, 3);
        }
        stop(v);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(file_in_order), cmocka_unit_test(a_file_each), cmocka_unit_test(file_away), cmocka_unit_test(disk_full),
                                       cmocka_unit_test(composite), cmocka_unit_test(dead_runs), cmocka_unit_test(cut_files), cmocka_unit_test(ended_runs), cmocka_unit_test(bounded),
                                       cmocka_unit_test(http_good), cmocka_unit_test(http_gzip), cmocka_unit_test(http_answers), cmocka_unit_test(http_later),
                                       cmocka_unit_test(http_killed), cmocka_unit_test(http_tokens)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
