/* The store of lineage: what events add up to, in whatever order they come; what is refused; several writers; files that are none of ours. */
#include "dpt.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/io/catalog.h>

#include "../../lib/io/sqlite_priv.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[] = "/tmp/dp-t-catalog-XXXXXX";
static unsigned n_stores;
static struct dp_sqlite sq;

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    return dp_sqlite_load(&sq, "a test", NULL) == DP_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    dp_sqlite_unload(&sq);
    pid_t child = fork();
    if (child == 0) {
        execlp("rm", "rm", "-rf", dir, (char *)NULL);
        _exit(1);
    }
    return child > 0 && waitpid(child, NULL, 0) == child ? 0 : -1;
}

static const char *new_path(void) {
    static char path[128];
    snprintf(path, sizeof path, "%s/sub/%u.db", dir, n_stores++);
    return path;
}

static struct dp_catalog *open_store(const char *path) {
    struct dp_catalog *c = NULL;
    struct dp_err e = DP_ERR_INIT;
    enum dp_status status = dp_catalog_open(path, DP_CATALOG_WRITE, 20000, &c, &e);
    if (status) print_message("%s\n", e.msg);
    assert_int_equal(status, DP_OK);
    return c;
}

static void add(struct dp_catalog *c, const char *event) {
    struct dp_err e = DP_ERR_INIT;
    enum dp_status status = dp_catalog_add(c, dp_str_z(event), false, NULL, &e);
    if (status) print_message("%s: %s\n", e.msg, event);
    assert_int_equal(status, DP_OK);
}

static void close_store(struct dp_catalog *c) {
    assert_int_equal(dp_catalog_commit(c, NULL), DP_OK);
    dp_catalog_close(c);
}

/* All rows of a query as text, "a|b\n". */
static char *ask(const char *path, const char *sql) {
    void *db = NULL, *st = NULL;
    struct dp_buf b = {0};
    assert_int_equal(sq.open(path, &db, SQ_OPEN_READWRITE, NULL), SQ_OK);
    if (sq.prepare(db, sql, -1, &st, NULL) != SQ_OK) fail_msg("%s: %s", sq.errmsg(db), sql);
    while (sq.step(st) == SQ_ROW) {
        for (int i = 0; i < sq.column_count(st); i++) dp_buf_addf(&b, "%s%s", i ? "|" : "", sq.column_text(st, i) ? (const char *)sq.column_text(st, i) : "-");
        dp_buf_addc(&b, '\n');
    }
    sq.finalize(st);
    sq.close(db);
    return dp_buf_detach(&b);
}

static void expect(const char *path, const char *sql, const char *want) {
    char *got = ask(path, sql);
    assert_string_equal(got, want);
    free(got);
}

#define HEAD "\"producer\":\"p\",\"schemaURL\":\"s\""
#define FACET "\"_producer\":\"p\",\"_schemaURL\":\"s\","
#define RUN(n) "\"run\":{\"runId\":\"00000000-0000-7000-8000-00000000000" n "\"}"
#define JOB(n) "\"job\":{\"namespace\":\"j\",\"name\":\"" n "\"}"
#define AT(s) "\"eventTime\":\"2026-01-01T00:00:" s "Z\""
#define EVENT(type, at, run, rest) "{\"eventType\":\"" type "\"," AT(at) "," run "," rest "," HEAD "}"
#define SCHEMA(fields) "\"schema\":{" FACET "\"fields\":[" fields "]}"
#define DS(name, facets) "{\"namespace\":\"n\",\"name\":\"" name "\",\"facets\":{" facets "}}"
#define FROM(ds, field, how) "{\"namespace\":\"n\",\"name\":\"" ds "\",\"field\":\"" field "\",\"transformations\":[" how "]}"
#define IDENTITY "{\"type\":\"DIRECT\",\"subtype\":\"IDENTITY\"}"
#define COLUMNS(fields) "\"columnLineage\":{" FACET "\"fields\":{" fields "}}"

static const char *const story[] = {
    EVENT("START", "01", RUN("1"), JOB("load") ",\"inputs\":[" DS("a", SCHEMA("{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"y\"}")) "]"),
    EVENT("RUNNING", "02", RUN("1"), JOB("load") ",\"outputs\":[" DS("b", COLUMNS("\"x\":{\"inputFields\":[" FROM("a", "y", IDENTITY) "]}")) "]"),
    EVENT("COMPLETE", "03", RUN("1"), JOB("load") ",\"outputs\":[" DS("b", COLUMNS("\"x\":{\"inputFields\":[" FROM("a", "x", IDENTITY) "]}")) "]"),
    EVENT("OTHER", "04", RUN("1"), JOB("load")),
    EVENT("START", "05", RUN("2"), JOB("load") ",\"inputs\":[" DS("a", SCHEMA("{\"name\":\"x\",\"type\":\"long\"}")) "]"),
    EVENT("COMPLETE", "06", RUN("2"), JOB("load") ",\"inputs\":[" DS("a", SCHEMA("{\"name\":\"x\",\"type\":\"long\"}")) "],\"outputs\":[" DS("b", COLUMNS("\"x\":{\"inputFields\":[" FROM("a", "x", IDENTITY) "," FROM("c", "z", "{\"type\":\"INDIRECT\",\"subtype\":\"JOIN\"}") "]}")) "]"),
    EVENT("START", "07", RUN("3"), JOB("mask") ",\"inputs\":[" DS("b", "\"tags\":{" FACET "\"tags\":[{\"key\":\"k\",\"value\":\"1\"}]}") "]"),
    EVENT("FAIL", "08", RUN("3"), JOB("mask") ",\"inputs\":[" DS("b", "\"tags\":{" FACET "\"tags\":[{\"key\":\"k\",\"value\":\"2\"}]}") "],\"outputs\":[" DS("d", "\"lifecycleStateChange\":{" FACET "\"lifecycleStateChange\":\"DROP\"}") "]"),
    EVENT("RUNNING", "09", RUN("3"), JOB("mask")),
    "{" AT("10") ",\"dataset\":" DS("b", "\"tags\":{" FACET "\"tags\":[{\"key\":\"k\",\"value\":\"1\"}]},\"ownership\":{" FACET "\"owners\":[{\"name\":\"team:x\"}]}") "," HEAD "}",
    "{" AT("11") "," JOB("load") ",\"inputs\":[" DS("e", "") "],\"outputs\":[" DS("b", "") "]," HEAD "}",
    "{" AT("12") ",\"dataset\":" DS("a", SCHEMA("{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"y\"}")) "," HEAD "}",
    "{" AT("13") ",\"dataset\":" DS("b2", "\"lifecycleStateChange\":{" FACET "\"lifecycleStateChange\":\"RENAME\",\"previousIdentifier\":{\"namespace\":\"n\",\"name\":\"b\"}},\"ownership\":{" FACET "\"_deleted\":true}") "," HEAD "}",
};
#define N_STORY (sizeof story / sizeof story[0])

/* All that the store says, by names, so that ids don't matter. */
static const char *const questions[] = {
    "SELECT ns, name, first_at, last_at, life, life_at, dropped_at, schema_at, (SELECT text FROM body WHERE body.id = schema) FROM dataset ORDER BY name",
    "SELECT ns, name, first_at, last_at FROM job ORDER BY name",
    "SELECT (SELECT name FROM job WHERE job.id = job), state, state_at, started_at, ended_at, first_at, last_at FROM run ORDER BY 1, 6, 2",
    "SELECT r.first_at, d.name, side, version, rows, bytes, files, (SELECT hex(edges) <> '' FROM flow WHERE flow.id = io.flow), flow_at FROM run_io io JOIN run r ON r.id = run JOIN dataset d ON d.id = dataset ORDER BY 1, 2, 3",
    "SELECT s.name, d.name, (SELECT name FROM job WHERE id = job), e.first_at, e.last_at, runs, failed, said FROM edge e JOIN dataset s ON s.id = src JOIN dataset d ON d.id = dst ORDER BY 1, 2, 3",
    "SELECT (SELECT name FROM job WHERE id = job), d.name, side, io.first_at, io.last_at, runs, failed, said FROM job_io io JOIN dataset d ON d.id = dataset ORDER BY 1, 2, 3",
    "SELECT d.name, f.name, type, ordinal, f.first_at, CASE WHEN f.schema IS d.schema THEN d.schema_at ELSE f.schema_at END, f.schema IS d.schema, (SELECT text FROM body WHERE body.id = f.schema) FROM field f JOIN dataset d ON d.id = dataset ORDER BY 1, 2",
    "SELECT d.name, (SELECT name FROM job WHERE id = job), f.first_at, f.last_at, runs, length(edges) FROM flow f JOIN dataset d ON d.id = dataset ORDER BY 1, 2, 3, 4",
    "SELECT s.name, d.name, f.first_at FROM flow_src JOIN dataset s ON s.id = src JOIN flow f ON f.id = flow JOIN dataset d ON d.id = f.dataset ORDER BY 1, 2, 3",
    "SELECT kind, (SELECT name FROM dataset WHERE id = owner), key, at, (SELECT hex(digest) || ' ' || text FROM body WHERE id = body) FROM facet WHERE kind IN ('d', 'i', 'o') ORDER BY 1, 2, 3, 4",
    "SELECT kind, field, key, value, at FROM tag ORDER BY 1, 2, 3, 4", "SELECT kind, name, at FROM owner ORDER BY 1, 2",
    "SELECT (SELECT name FROM dataset WHERE id = old), (SELECT name FROM dataset WHERE id = new), at FROM rename ORDER BY 1, 2"};

static char *dump(const char *path) {
    struct dp_buf b = {0};
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        char *rows = ask(path, questions[i]);
        dp_buf_addf(&b, "-- %zu\n%s", i, rows);
        free(rows);
    }
    return dp_buf_detach(&b);
}

static void test_order(void **state) {
    (void)state;
    char *first = NULL;
    uint64_t seed = 42;
    for (int round = 0; round < 40; round++) {
        size_t order[N_STORY];
        char path[128];
        snprintf(path, sizeof path, "%s", new_path());
        struct dp_catalog *c = open_store(path);
        for (size_t i = 0; i < N_STORY; i++) order[i] = i;
        for (size_t i = N_STORY; round && i-- > 1;) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t k = (size_t)(seed >> 33) % (i + 1), t = order[i];
            order[i] = order[k], order[k] = t;
        }
        for (size_t i = 0; i < N_STORY; i++) {
            add(c, story[order[i]]);
            if (round % 3 == 1) assert_int_equal(dp_catalog_commit(c, NULL), DP_OK);
            if (round % 4 == 2) add(c, story[order[i / 2]]); /* some come twice */
        }
        close_store(c);
        char *now = dump(path);
        if (!first) first = now;
        else {
            if (strcmp(first, now) != 0) {
                size_t at = 0;
                while (now[at] == first[at]) at++;
                while (at && now[at - 1] != '\n') at--;
                print_message("differs at:\n%.300s\n---\n%.300s\n", now + at, first + at);
                for (size_t i = 0; i < N_STORY; i++) print_message("%zu ", order[i]);
                print_message("\n");
            }
            assert_string_equal(now, first);
            free(now);
        }
    }
    free(first);
}

static void test_sums(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s", new_path());
    struct dp_catalog *c = open_store(path);
    for (size_t i = 0; i < N_STORY; i++) add(c, story[i]);
    close_store(c);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    expect(path, "SELECT s.name, d.name, (SELECT name FROM job WHERE id = job), runs, failed, said FROM edge e JOIN dataset s ON s.id = src JOIN dataset d ON d.id = dst ORDER BY 1, 2, 3",
           "a|b|load|2|0|0\nb|b2|-|0|0|1\nb|d|mask|1|1|0\nc|b|load|1|0|0\ne|b|load|0|0|1\n");
    /* the second column lineage of a run overwrites its first */
    expect(path, "SELECT (SELECT name FROM dataset WHERE id = dataset), length(edges) / 16, runs FROM flow ORDER BY first_at", "b|1|1\nb|2|1\n");
    expect(path, "SELECT name, type, schema IS (SELECT schema FROM dataset WHERE name = 'a') FROM field WHERE dataset = (SELECT id FROM dataset WHERE name = 'a') ORDER BY name", "x|int|1\ny|-|1\n");
    expect(path, "SELECT state FROM run WHERE state > 0 ORDER BY first_at", "4\n4\n5\n");
    expect(path, "SELECT value FROM tag", "1\n");
    expect(path, "SELECT name FROM owner", "team:x\n");
    expect(path, "SELECT name FROM dataset WHERE dropped_at IS NOT NULL ORDER BY name", "b\nd\n");
    expect(path, "SELECT count(*) FROM event", "13\n");
}

/* A run that fails takes back what it alone said, whenever that is heard; one that came through after all says it again. */
static void test_failed(void **state) {
    (void)state;
    static const char in_out[] = JOB("load") ",\"inputs\":[" DS("a", "") "],\"outputs\":[" DS("b", "") "]";
    static const char edges[] = "SELECT runs, failed FROM edge", ios[] = "SELECT side, runs, failed FROM job_io ORDER BY 1";
    char path[128], late[128];
    struct dp_buf b = {0};
    snprintf(path, sizeof path, "%s", new_path());
    const struct { const char *type, *at, *run, *rest, *want; } steps[] = {
        {"START", "01", "1", in_out, "1|0\n"},          {"RUNNING", "02", "1", JOB("load"), "1|0\n"}, {"FAIL", "03", "1", JOB("load"), "1|1\n"}, {"FAIL", "03", "1", JOB("load"), "1|1\n"},
        {"ABORT", "04", "2", JOB("load"), "1|1\n"},     {"START", "02", "2", in_out, "2|2\n"},        {"START", "05", "3", in_out, "3|2\n"},     {"COMPLETE", "06", "3", JOB("load"), "3|2\n"},
        {"COMPLETE", "09", "1", JOB("load"), "3|1\n"}, {"FAIL", "08", "1", JOB("load"), "3|1\n"}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct dp_catalog *c = open_store(path);
        dp_buf_reset(&b);
        dp_buf_addf(&b, "{\"eventType\":\"%s\",\"eventTime\":\"2026-01-01T00:00:%sZ\",\"run\":{\"runId\":\"00000000-0000-7000-8000-00000000000%s\"},%s," HEAD "}", steps[i].type, steps[i].at, steps[i].run, steps[i].rest);
        add(c, dp_buf_z(&b));
        close_store(c);
        expect(path, edges, steps[i].want);
    }
    expect(path, ios, "0|3|1\n1|3|1\n");
    /* all in one transaction */
    snprintf(late, sizeof late, "%s", new_path());
    struct dp_catalog *c = open_store(late);
    for (size_t i = sizeof steps / sizeof steps[0]; i-- > 0;) {
        dp_buf_reset(&b);
        dp_buf_addf(&b, "{\"eventType\":\"%s\",\"eventTime\":\"2026-01-01T00:00:%sZ\",\"run\":{\"runId\":\"00000000-0000-7000-8000-00000000000%s\"},%s," HEAD "}", steps[i].type, steps[i].at, steps[i].run, steps[i].rest);
        add(c, dp_buf_z(&b));
    }
    close_store(c);
    expect(late, edges, "3|1\n");
    expect(late, ios, "0|3|1\n1|3|1\n");
    dp_buf_release(&b);
}

/* A store of form 1 is brought up to what it would be had it been of this one; not by who may only read it. */
static void test_older_form(void **state) {
    (void)state;
    static const char back[] = "ALTER TABLE edge DROP COLUMN failed; ALTER TABLE edge DROP COLUMN said; ALTER TABLE job_io DROP COLUMN runs; ALTER TABLE job_io DROP COLUMN failed;"
                               "ALTER TABLE job_io DROP COLUMN said; PRAGMA user_version=1; PRAGMA journal_mode=DELETE";
    for (int mode = 0; mode < 3; mode++) {
        char path[128];
        void *db = NULL;
        struct dp_err e = DP_ERR_INIT;
        snprintf(path, sizeof path, "%s", new_path());
        struct dp_catalog *c = open_store(path);
        for (size_t i = 0; i < N_STORY; i++) add(c, story[i]);
        close_store(c);
        char *want = dump(path), *got;
        assert_int_equal(sq.open(path, &db, SQ_OPEN_READWRITE, NULL), SQ_OK);
        if (sq.exec(db, back, NULL, NULL, NULL) != SQ_OK) fail_msg("%s", sq.errmsg(db));
        sq.close(db);
        if (mode == 2 && (geteuid() == 0 || chmod(path, 0400))) { /* root may write anything */
            free(want);
            continue;
        }
        enum dp_status status = dp_catalog_open(path, mode ? DP_CATALOG_READ : DP_CATALOG_WRITE, 0, &c, &e);
        assert_int_equal(status, mode == 2 ? DP_USAGE : DP_OK);
        if (mode == 2) assert_non_null(strstr(e.msg, "older form"));
        if (status == DP_OK) dp_catalog_close(c);
        if (status == DP_OK) {
            got = dump(path);
            assert_string_equal(got, want);
            free(got);
        }
        free(want);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const struct { const char *event, *words; } bad[] = {
        {"[]", "no JSON object"},
        {"{", ""},
        {"{}", "no job and no dataset"},
        {"{" AT("01") "," RUN("1") "," HEAD "}", "without its job"},
        {"{" AT("01") "," JOB("a") ",\"dataset\":" DS("d", "") "," HEAD "}", "in one"},
        {"{\"eventTime\":\"yesterday\"," RUN("1") "," JOB("a") "," HEAD "}", "RFC 3339"},
        {"{" RUN("1") "," JOB("a") "," HEAD "}", "eventTime"},
        {"{" AT("01") ",\"run\":{}," JOB("a") "," HEAD "}", "runId"},
        {"{" AT("01") ",\"run\":7," JOB("a") "," HEAD "}", "run: no object"},
        {"{" AT("01") "," RUN("1") ",\"job\":{\"name\":\"a\"}," HEAD "}", "job.namespace"},
        {"{" AT("01") ",\"eventType\":\"DONE\"," RUN("1") "," JOB("a") "," HEAD "}", "none of START"},
        {"{" AT("01") "," RUN("1") "," JOB("a") ",\"inputs\":{}," HEAD "}", "no array"},
        {"{" AT("01") "," RUN("1") "," JOB("a") ",\"inputs\":[{\"name\":\"x\"}]," HEAD "}", "inputs[0].namespace"},
        {"{" AT("01") "," RUN("1") "," JOB("a") ",\"inputs\":[" DS("x", "\"schema\":1") "]," HEAD "}", "a facet is an object"},
        {"{" AT("01") "," RUN("1") "," JOB("a") "," JOB("a") "," HEAD "}", "twice"}};
    static const char *const lax[] = {
        "{" AT("01") ",\"eventType\":null," RUN("1") "," JOB("a") "," HEAD "}",
        "{\"eventTime\":\"2026-01-01T00:00:00\"," RUN("1") "," JOB("a") "," HEAD "}",
        "{" AT("01") "," RUN("1") "," JOB("a") "}",
        "{" AT("01") ",\"run\":{\"runId\":\"nightly\"}," JOB("a") "," HEAD "}",
        "{" AT("01") "," RUN("1") "," JOB("a") ",\"inputs\":[" DS("x", "\"schema\":{\"fields\":[]}") "]," HEAD "}",
        "{" AT("01") "," RUN("1") "," JOB("a") ",\"inputs\":[" DS("x", "\"schema\":{" FACET "\"fields\":[{\"type\":\"int\"}]}") "]," HEAD "}",
        "{" AT("01") "," RUN("1") "," JOB("a") ",\"outputs\":[" DS("x", "\"columnLineage\":{" FACET "\"fields\":{\"a\":{}}}") "]," HEAD "}"};
    char path[128];
    snprintf(path, sizeof path, "%s", new_path());
    struct dp_catalog *c = open_store(path);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct dp_err e = DP_ERR_INIT;
        assert_int_equal(dp_catalog_add(c, dp_str_z(bad[i].event), false, NULL, &e), DP_FORMAT);
        if (!strstr(e.msg, bad[i].words)) fail_msg("%s: %s", bad[i].event, e.msg);
    }
    for (size_t i = 0; i < sizeof lax / sizeof lax[0]; i++) {
        struct dp_err e = DP_ERR_INIT;
        size_t warnings = 0;
        assert_int_equal(dp_catalog_add(c, dp_str_z(lax[i]), true, NULL, &e), DP_FORMAT);
        assert_true(e.msg[0]);
        assert_int_equal(dp_catalog_add(c, dp_str_z(lax[i]), false, &warnings, &e), DP_OK);
        assert_true(warnings > 0);
    }
    close_store(c);
    expect(path, "SELECT count(*) FROM event", "7\n");
}

/* DP_LIMIT_LINEAGE_PAIRS: a thousand inputs and a thousand outputs, and one more. */
static void test_pairs(void **state) {
    (void)state;
    char path[128];
    struct dp_buf b = {0};
    struct dp_err e = DP_ERR_INIT;
    snprintf(path, sizeof path, "%s", new_path());
    struct dp_catalog *c = open_store(path);
    for (unsigned extra = 0; extra < 2; extra++) {
        dp_buf_reset(&b);
        dp_buf_addf(&b, "{" AT("01") ",\"run\":{\"runId\":\"00000000-0000-7000-8000-00000000000%u\"}," JOB("a") "," HEAD ",\"inputs\":[", extra);
        for (unsigned i = 0; i < DP_LIMIT_LINEAGE_PAIRS / 1000 + extra; i++) dp_buf_addf(&b, "%s{\"namespace\":\"n\",\"name\":\"i%u\"}", i ? "," : "", i);
        dp_buf_addz(&b, "],\"outputs\":[");
        for (unsigned i = 0; i < 1000; i++) dp_buf_addf(&b, "%s{\"namespace\":\"n\",\"name\":\"o%u\"}", i ? "," : "", i);
        dp_buf_addz(&b, "]}");
        assert_int_equal(dp_catalog_add(c, dp_buf_str(&b), false, NULL, &e), extra ? DP_FORMAT : DP_OK);
    }
    assert_non_null(strstr(e.msg, "DP_LIMIT_LINEAGE_PAIRS"));
    add(c, story[0]);
    close_store(c);
    expect(path, "SELECT count(*), (SELECT count(*) FROM edge), (SELECT count(*) FROM dataset WHERE name = 'i1000') FROM event", "2|1000000|0\n");
    dp_buf_release(&b);
}

static void test_writers(void **state) {
    (void)state;
    char path[128];
    pid_t pids[8];
    snprintf(path, sizeof path, "%s", new_path());
    for (int w = 0; w < 8; w++) {
        if ((pids[w] = fork()) == 0) {
            struct dp_catalog *c = NULL;
            bool ok = dp_catalog_open(path, DP_CATALOG_WRITE, 60000, &c, NULL) == DP_OK;
            for (int i = 0; i < 50 && ok; i++) {
                char event[600];
                snprintf(event, sizeof event, "{" AT("01") ",\"run\":{\"runId\":\"00000000-0000-7000-8000-0000000%d%04d\"}," JOB("w") ",\"inputs\":[{\"namespace\":\"n\",\"name\":\"in%d\"}],\"outputs\":[{\"namespace\":\"n\",\"name\":\"out\"}]," HEAD "}", w, i, i);
                ok = dp_catalog_add(c, dp_str_z(event), true, NULL, NULL) == DP_OK && (i % 5 || dp_catalog_commit(c, NULL) == DP_OK);
            }
            ok = ok && dp_catalog_commit(c, NULL) == DP_OK;
            dp_catalog_close(c);
            _exit(ok ? 0 : 1);
        }
    }
    for (int w = 0; w < 8; w++) {
        int status = 0;
        assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
        assert_int_equal(status, 0);
    }
    expect(path, "PRAGMA integrity_check", "ok\n");
    expect(path, "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM dataset), (SELECT count(*) FROM job), (SELECT count(*) FROM run), sum(runs), count(*) FROM edge", "400|51|1|400|400|50\n");
}

/* Several make the same store: each finds it new or finished, none half made. */
static void test_makers(void **state) {
    (void)state;
    for (int round = 0; round < 30; round++) {
        char path[128];
        pid_t pids[4];
        snprintf(path, sizeof path, "%s", new_path());
        for (int w = 0; w < 4; w++)
            if ((pids[w] = fork()) == 0) {
                struct dp_catalog *c = NULL;
                bool ok = dp_catalog_open(path, DP_CATALOG_BRIEF, 60000, &c, NULL) == DP_OK;
                dp_catalog_leave(c);
                _exit(ok ? 0 : 1);
            }
        for (int w = 0; w < 4; w++) {
            int status = 0;
            assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
            assert_int_equal(status, 0);
        }
    }
}

static void test_files(void **state) {
    (void)state;
    char path[128];
    struct dp_catalog *c = NULL;
    struct dp_err e = DP_ERR_INIT;
    void *db = NULL;
    snprintf(path, sizeof path, "%s", new_path());
    assert_int_equal(dp_catalog_open(path, DP_CATALOG_READ, 0, &c, &e), DP_IO);
    assert_int_equal(dp_catalog_open(dir, DP_CATALOG_WRITE, 0, &c, &e), DP_USAGE);
    close_store(open_store(path));
    assert_int_equal(dp_catalog_open(path, DP_CATALOG_READ, 0, &c, &e), DP_OK);
    dp_catalog_close(c);
    /* of a newer form */
    assert_int_equal(sq.open(path, &db, SQ_OPEN_READWRITE, NULL), SQ_OK);
    assert_int_equal(sq.exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQ_OK);
    sq.close(db);
    assert_int_equal(dp_catalog_open(path, DP_CATALOG_WRITE, 0, &c, &e), DP_USAGE);
    assert_non_null(strstr(e.msg, "form 99"));
    /* another program's */
    snprintf(path, sizeof path, "%s", new_path());
    assert_int_equal(sq.open(path, &db, SQ_OPEN_READWRITE | SQ_OPEN_CREATE, NULL), SQ_OK);
    assert_int_equal(sq.exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL), SQ_OK);
    sq.close(db);
    assert_int_equal(dp_catalog_open(path, DP_CATALOG_WRITE, 0, &c, &e), DP_USAGE);
    /* no database at all */
    snprintf(path, sizeof path, "%s/text.db", dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "some text that is no database at all, and long enough to have a header of one hundred bytes........", 100), 100);
    close(fd);
    assert_int_equal(dp_catalog_open(path, DP_CATALOG_READ, 0, &c, &e), DP_USAGE);
    assert_int_equal(dp_catalog_open(path, DP_CATALOG_WRITE, 0, &c, &e), DP_USAGE);
}

/* Pages of the store, the first aside, are overwritten: whoever adds an event is told of the store, not that it is no event. */
static void test_damaged(void **state) {
    (void)state;
    char path[128], block[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s", new_path());
    struct dp_catalog *c = open_store(path);
    add(c, story[0]);
    close_store(c);
    memset(block, 0xa5, sizeof block);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 8192);
    for (off_t at = 4096; at < st.st_size; at += 4096) assert_int_equal(pwrite(fd, block, sizeof block, at), sizeof block);
    close(fd);
    struct dp_err e = DP_ERR_INIT;
    enum dp_status status = dp_catalog_open(path, DP_CATALOG_BRIEF, 0, &c, &e);
    if (status == DP_OK) {
        status = dp_catalog_add(c, dp_str_z(story[1]), false, NULL, &e);
        assert_int_equal(status, DP_IO);
        assert_int_equal(e.status, DP_IO);
        dp_catalog_close(c);
    }
    assert_int_not_equal(status, DP_OK);
    assert_non_null(strstr(e.msg, path));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_sums), cmocka_unit_test(test_failed), cmocka_unit_test(test_older_form), cmocka_unit_test(test_refused), cmocka_unit_test(test_damaged), cmocka_unit_test(test_pairs),
                                       cmocka_unit_test(test_writers), cmocka_unit_test(test_makers), cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
