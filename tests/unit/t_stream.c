/*
 * The stream driver: marks, books, rejects and the order of output, over a stand-in for the sources (one line a chunk), with one thread and with three.
 */
#include <dp/io/stream.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the stand-in: lines of a text; with `named` they come from a file "in.ndjson", else from standard input ---- */

struct dp_sources {
    const char *p;
    bool named;
    uint64_t line, offset;
    struct dp_origin origin;
};

static const char *input_text;
static bool input_named;

enum dp_status dp_sources_open(struct dp_run *run, const char *const *names, size_t n, const struct dp_source_opts *opts, struct dp_sources **out,
                               struct dp_err *err) {
    static char dash[] = "-", file[] = "in.ndjson", position[] = "in.ndjson#1";
    (void)run, (void)names, (void)n, (void)opts, (void)err;
    *out = dp_calloc(1, sizeof **out);
    (*out)->p = input_text;
    (*out)->named = input_named;
    (*out)->line = 1;
    (*out)->origin.name = input_named ? file : dash;
    (*out)->origin.position_id = input_named ? position : NULL;
    return DP_OK;
}

enum dp_status dp_sources_next(struct dp_sources *s, struct dp_chunk *c, struct dp_err *err) {
    if (!*s->p) return DP_END;
    size_t n = strcspn(s->p, "\n"), whole = n + (s->p[n] == '\n');
    dp_buf_reset(&c->raw);
    dp_mark_release(&c->mark);
    memset(&c->mark, 0, sizeof c->mark);
    dp_buf_add(&c->raw, s->p, whole);
    dp_buf_reserve(&c->raw, DP_SCAN_PAD);
    c->text = c->raw.p;
    c->n = whole;
    c->origin = &s->origin;
    c->line = s->line++;
    c->offset = s->offset;
    c->end_offset = s->offset += whole;
    c->kind = s->p[0] == '{' ? DP_CHUNK_RECORDS : DP_CHUNK_PATHS;
    if (!s->named && dp_mark_is(dp_str(s->p, n))) {
        c->kind = DP_CHUNK_MARK;
        DP_TRY(dp_mark_parse(dp_str(s->p, n), &c->mark, err));
    }
    s->p += whole;
    c->last_of_origin = !*s->p;
    return DP_OK;
}

enum dp_status dp_sources_convert(struct dp_sources *s, unsigned worker, struct dp_chunk *c, struct dp_err *err) {
    (void)s, (void)worker, (void)c, (void)err;
    return DP_OK;
}

size_t dp_sources_count(const struct dp_sources *s) { return s ? 1 : 0; }
enum dp_status dp_sources_survey(struct dp_sources *s, struct dp_type **schema, struct dp_err *err) { return (void)s, (void)err, *schema = NULL, DP_OK; }
bool dp_sources_piped(const struct dp_sources *s) { return !s->named; }
void dp_sources_origins(const struct dp_sources *s, struct dp_mark *begin) { (void)s, (void)begin; }
void dp_sources_close(struct dp_sources *s) { free(s); }

void dp_chunk_release(struct dp_chunk *c) {
    dp_buf_release(&c->raw);
    dp_mark_release(&c->mark);
}

/* ---- one run ---- */

struct result {
    enum dp_status status;
    struct dp_err err;
    struct dp_books books;
    char out[8000];
    size_t n_paths;
};

static enum dp_status on_path(void *ctx, struct dp_str path, struct dp_err *err) {
    (void)path, (void)err;
    ++*(size_t *)ctx;
    return DP_OK;
}

/* Passes all but records whose key is "drop" (filtered) and "bad" (a broken rule); "stop" ends the reading. */
static enum dp_status on_record(void *ctx, struct dp_job *j, const struct dp_record *r, struct dp_err *err) {
    (void)ctx, (void)err;
    if (dp_json_member(r, 0, "lost")) return DP_OK; /* in no book */
    if (dp_json_member(r, 0, "drop")) dp_job_filter(j);
    else if (dp_json_member(r, 0, "bad")) dp_job_reject(j, r, "type", "bad", "a good one", "a bad \"value\"");
    else dp_job_pass(j, r);
    return DP_OK;
}

struct how {
    bool named, marks, sink, strict, decides, read_all;
    enum dp_paths paths;
    struct dp_tolerance max;
    const char *rejects;
};

static void run_stream(const char *text, const struct how *how, unsigned threads, struct result *res) {
    struct dp_run run = {.program = "dp-test", .run_id = "r1", .job = "dp", .threads = threads, .memory = 1 << 27, .max_record = 1 << 20,
                         .marks = how->marks, .now_micros = 0, .now_fixed = true, .stop_fd = -1, .wake_fd = -1};
    struct dp_stream_conf conf = {.sources = {.paths = how->paths}, .sink = how->sink, .strict = how->strict, .decides = how->decides,
                                  .read_all = how->read_all};
    struct dp_stream_ops ops = {.record = on_record, .path = on_path};
    static const char *const names[] = {"in.ndjson"};
    FILE *f = tmpfile();
    assert_non_null(f);
    memset(res, 0, sizeof *res);
    res->err.offset = DP_NO_OFFSET;
    input_text = text;
    input_named = how->named;
    run.pool = dp_pool_open(threads);
    run.out = dp_out_open(&run, fileno(f), "the output");
    struct dp_rejects *rejects;
    assert_int_equal(dp_rejects_open(&run, how->rejects, how->max, &rejects, NULL), DP_OK);
    run.rejects = rejects;
    res->status = dp_stream_run(&run, names, how->named, &conf, &ops, &res->n_paths, &res->err);
    res->books = run.books;
    assert_int_equal(dp_rejects_close(rejects, NULL), DP_OK);
    assert_int_equal(dp_out_close(run.out, NULL), DP_OK);
    dp_pool_close(run.pool);
    ssize_t n = pread(fileno(f), res->out, sizeof res->out - 1, 0);
    assert_true(n >= 0);
    fclose(f);
}

/* A begin, the lines, and an end that fits them. */
static const char *marked(const char *lines, char out[4000]) {
    struct dp_linehash *h = dp_linehash_open();
    char hash[48];
    size_t n = 0;
    dp_linehash_add(h, lines, strlen(lines));
    dp_linehash_text(h, hash);
    dp_linehash_close(h);
    for (const char *p = lines; *p; p++) n += *p == '\n';
    snprintf(out, 4000, "{\"$dp\":\"begin\",\"run\":\"up\",\"chain\":[\"dp-first\"]}\n%s{\"$dp\":\"end\",\"run\":\"up\",\"records\":%zu,\"hash\":\"%s\"}\n", lines, n, hash);
    return out;
}

struct stream_case {
    const char *name, *in;
    struct how how;
    enum dp_status status;
    int exit_code;
    const char *holds, *lacks; /* of the output */
    uint64_t used;
};

static void check(const struct stream_case *c) {
    struct result one, three;
    run_stream(c->in, &c->how, 1, &one);
    run_stream(c->in, &c->how, 3, &three);
    if (one.status != c->status || dp_status_exit(one.status, &one.err) != c->exit_code)
        fail_msg("%s: %s, exit %d: %s", c->name, dp_status_name(one.status), dp_status_exit(one.status, &one.err), one.err.msg);
    if (strcmp(one.out, three.out) != 0) fail_msg("%s: threads change the output:\n%s---\n%s", c->name, one.out, three.out);
    if (c->holds && !strstr(one.out, c->holds)) fail_msg("%s: no %s in\n%s", c->name, c->holds, one.out);
    if (c->lacks && strstr(one.out, c->lacks)) fail_msg("%s: %s in\n%s", c->name, c->lacks, one.out);
    if (one.books.used != c->used) fail_msg("%s: %d used", c->name, (int)one.books.used);
}

static void test_plain(void **state) {
    (void)state;
    static const struct stream_case cases[] = {
        {"empty", "", {.named = false}, DP_OK, 0, NULL, "{", 0},
        {"bytes are kept", "{\"b\":1.10, \"a\" :9007199254740993}\n{\"a\":1}", {.named = false}, DP_OK, 0,
         "{\"b\":1.10, \"a\" :9007199254740993}\n{\"a\":1}\n", "$dp", 2},
        {"no marks for a pipe without begin", "{\"a\":1}\n", {.marks = true}, DP_OK, 0, "{\"a\":1}\n", "$dp", 1},
        {"filtered", "{\"a\":1}\n{\"drop\":1}\n", {.named = false}, DP_OK, 0, "{\"a\":1}\n", "drop", 1},
        {"malformed", "{\"a\":1}\n{a}\n{\"b\":1}\n", {.named = false}, DP_RECORD, 4, "{\"a\":1}\n", "{\"b\":1}", 1},
        {"rule", "{\"a\":1}\n{\"bad\":1}\n{\"b\":1}\n", {.named = false}, DP_RULE, 1, "{\"a\":1}\n", "{\"b\":1}", 1},
        {"cut in a record", "{\"a\":1}\n{\"a\":", {.max = {.count = 5}}, DP_FORMAT, 4, NULL, NULL, 1},
        {"tolerated", "{\"a\":1}\n{\"bad\":1}\n{x}\n{\"b\":1}\n", {.max = {.count = 2}}, DP_OK, 0, "{\"a\":1}\n{\"b\":1}\n", "bad", 2},
        {"one too many", "{\"a\":1}\n{\"bad\":1}\n{x}\n{\"b\":1}\n", {.max = {.count = 1}}, DP_RECORD, 4, NULL, NULL, 1},
        {"half are", "{\"a\":1}\n{\"bad\":1}\n{\"bad\":1}\n{\"b\":1}\n", {.max = {.is_percent = true, .ppm = 500000}}, DP_OK, 0, "{\"b\":1}\n", "bad", 2},
        {"more than a percentage", "{\"a\":1}\n{\"bad\":1}\n{\"bad\":1}\n{\"b\":1}\n", {.max = {.is_percent = true, .ppm = 499999}}, DP_RULE, 1, "{\"b\":1}\n", "bad", 2},
        {"read to the end", "{\"bad\":1}\n{\"b\":1}\n", {.read_all = true}, DP_RULE, 1, "{\"b\":1}\n", NULL, 1},
        {"in their place", "{\"a\":1}\n{\"bad\":1}\n{\"b\":1}\n", {.max = {.count = 1}, .rejects = "-"}, DP_OK, 0,
         "{\"a\":1}\n{\"reject\":{\"program\":\"dp-test\",\"run\":\"r1\",\"source\":\"-\",\"member\":null,\"line\":2,\"offset\":8,\"rules\":[{\"rule\":\"type\","
         "\"path\":\"bad\",\"reason\":\"a bad \\\"value\\\"\",\"expected\":\"a good one\"}]},\"raw\":{\"bad\":1}}\n{\"b\":1}\n", NULL, 2},
        {"reserved", "{\"a\":1,\"$dp\":\"end\"}\n", {.named = false}, DP_RECORD, 4, NULL, "{", 0},
        {"reserved, escaped", "{\"a\":1,\"\\u0024dp\":\"end\"}\n", {.named = false}, DP_RECORD, 4, NULL, "{", 0},
        {"a mark in a file", "{\"$dp\":\"watermark\",\"time\":1}\n", {.named = true}, DP_RECORD, 4, NULL, "{", 0},
        {"duplicate keys pass", "{\"a\":1,\"a\":2}\n", {.named = false}, DP_OK, 0, "{\"a\":1,\"a\":2}\n", NULL, 1},
        {"duplicate keys decide", "{\"a\":1,\"\\u0061\":2}\n", {.decides = true}, DP_RULE, 1, NULL, "{", 0},
        {"watermark without begin", "{\"$dp\":\"watermark\",\"time\":5}\n{\"a\":1}\n", {.named = false}, DP_OK, 0, "\"watermark\"", "begin", 1},
        {"checkpoint without begin", "{\"$dp\":\"checkpoint\",\"run\":\"x\",\"position\":\"1\"}\n", {.named = false}, DP_FORMAT, 4, NULL, NULL, 0},
        {"books", "{\"a\":1}\n{\"lost\":1}\n", {.named = false}, DP_BUG, 70, NULL, "lost", 1},
        {"paths", "a.parquet\nb.parquet\n", {.paths = DP_PATHS_PASS}, DP_OK, 0, NULL, "a", 2},
        {"strict, no marks", "a.parquet\n", {.paths = DP_PATHS_PASS, .strict = true, .sink = true}, DP_FORMAT, 4, NULL, "a", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i]);
}

static void test_begin_and_end(void **state) {
    (void)state;
    char b1[4000], b2[4000], b3[4000], b4[4000], b5[4000], b6[4000], b7[4000], b8[4000];
    const char *two = marked("{\"a\":1}\n{\"drop\":2}\n", b1);
    struct stream_case own = {"own begin", "{\"a\":1}\n", {.named = true, .marks = true}, DP_OK, 0,
                              "{\"a\":1}\n{\"$dp\":\"checkpoint\",\"run\":\"r1\",\"source\":\"in.ndjson#1\",\"partition\":\"0\",\"position\":\"8\",\"id\":\"6fbcacb5d77db80c\"}\n", NULL, 1};
    check(&own);
    own = (struct stream_case){"own, empty", "", {.named = true, .marks = true}, DP_OK, 0, "\"records\":0", NULL, 0};
    check(&own);
    own = (struct stream_case){"own, fails", "{\"a\":1}\n{x}\n", {.named = true, .marks = true}, DP_RECORD, 4, "\"abort\"", "\"end\"", 1};
    check(&own);
    struct stream_case c = {"piped", two, {.named = false}, DP_OK, 0, "\"chain\":[\"dp-first\",\"dp-test\"]", "drop", 1};
    check(&c);
    c.holds = "\"records\":1";
    check(&c);
    /* what we wrote is a whole stream again */
    struct result r;
    run_stream(two, &c.how, 1, &r);
    c = (struct stream_case){"piped twice", r.out, {.named = false}, DP_OK, 0, "\"dp-test\",\"dp-test\"", NULL, 1};
    char copy[8000];
    snprintf(copy, sizeof copy, "%s", r.out);
    c.in = copy;
    check(&c);

    snprintf(b2, sizeof b2, "%.*s", (int)(strstr(two, "{\"$dp\":\"end\"") - two), two);
    c = (struct stream_case){"cut behind a record", b2, {.named = false}, DP_FORMAT, 4, "\"abort\"", "\"end\"", 1};
    check(&c);
    snprintf(b3, sizeof b3, "%s", two);
    *strstr(b3, "\"records\":2") = ' ', memcpy(strstr(b3, "records\":2") - 1, "\"records\":3", 11);
    c = (struct stream_case){"wrong count", b3, {.named = false}, DP_FORMAT, 4, "\"abort\"", "\"end\"", 1};
    check(&c);
    snprintf(b4, sizeof b4, "%s", two);
    *strstr(b4, "1}") = '2';
    c = (struct stream_case){"changed", b4, {.named = false}, DP_FORMAT, 4, "\"abort\"", "\"end\"", 1};
    check(&c);
    snprintf(b5, sizeof b5, "%s{\"a\":1}\n", two);
    c = (struct stream_case){"behind the end", b5, {.named = false}, DP_FORMAT, 4, NULL, NULL, 1};
    run_stream(b5, &c.how, 1, &r);
    assert_int_equal(r.status, DP_FORMAT);
    snprintf(b6, sizeof b6, "{\"$dp\":\"begin\",\"run\":\"up\"}\n{\"a\":1}\n{\"$dp\":\"abort\",\"run\":\"up\",\"program\":\"dp-x\",\"exit_code\":75,\"reason\":\"busy\"}\n");
    c = (struct stream_case){"abort", b6, {.named = false}, DP_ABORTED, 75, "\"exit_code\":75,\"reason\":\"busy\"", "\"end\"", 1};
    check(&c);
    snprintf(b7, sizeof b7, "{\"$dp\":\"begin\",\"run\":\"up\"}\n{\"$dp\":\"watermark\",\"run\":\"other\",\"time\":1}\n");
    c = (struct stream_case){"foreign run", b7, {.named = false}, DP_FORMAT, 4, "\"abort\"", "other\",\"time\"", 0};
    check(&c);
    snprintf(b8, sizeof b8, "{\"$dp\":\"begin\",\"run\":\"up\"}\n{\"$dp\":\"begin\",\"run\":\"up\"}\n");
    c = (struct stream_case){"two begins", b8, {.named = false}, DP_FORMAT, 4, "\"abort\"", NULL, 0};
    check(&c);
}

static void test_sink(void **state) {
    (void)state;
    char b1[4000], b2[4000];
    struct stream_case c = {"sink", marked("a.parquet\nb.parquet\n", b1), {.paths = DP_PATHS_PASS, .strict = true, .sink = true}, DP_OK, 0, NULL, "$dp", 2};
    check(&c);
    snprintf(b2, sizeof b2, "%.*s", (int)(strstr(b1, "{\"$dp\":\"end\"") - b1), b1);
    c = (struct stream_case){"sink, cut", b2, {.paths = DP_PATHS_PASS, .strict = true, .sink = true}, DP_FORMAT, 4, NULL, "$dp", 2};
    check(&c);
}

static void test_heartbeat(void **state) {
    (void)state;
    struct stream_case c = {"heartbeat", "{\"$dp\":\"begin\",\"run\":\"up\"}\n{\"$dp\":\"heartbeat\",\"run\":\"up\",\"time\":1}\n", {.named = false}, DP_FORMAT, 4,
                            "\"stages\":[{\"program\":\"dp-test\",\"time\":\"1970-01-01T00:00:00.000Z\"}]", NULL, 0};
    check(&c);
    c.in = "{\"$dp\":\"begin\",\"run\":\"up\"}\n{\"$dp\":\"heartbeat\",\"run\":\"up\",\"time\":1,\"stages\":[{\"program\":\"a\"}],\"x\":2}\n";
    c.holds = "\"stages\":[{\"program\":\"a\"},{\"program\":\"dp-test\"";
    check(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain), cmocka_unit_test(test_begin_and_end), cmocka_unit_test(test_sink),
                                       cmocka_unit_test(test_heartbeat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
