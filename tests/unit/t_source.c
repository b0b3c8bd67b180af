/* Sources: chunks of any size give the same records and places; compression; documents; positions; standard input with marks and paths. */
#include "dpt.h"

#include <dp/base/file.h>
#include <dp/format/doc.h>
#include <dp/format/input.h>
#include <dp/io/source.h>
#include <fcntl.h>
#include <zlib.h>

static char dir[] = "/tmp/dp-t-source-XXXXXX";
static int setup(void **state) { return (void)state, mkdtemp(dir) ? 0 : -1; }

static struct dp_run run_of(void) { return (struct dp_run){.program = "t", .threads = 1, .max_record = 1 << 20, .stop_fd = -1, .wake_fd = -1}; }

static const char *put_file(const char *name, const void *p, size_t n) {
    static char path[4][200];
    static int slot;
    char *to = path[slot++ & 3];
    (void)snprintf(to, 200, "%s/%s", dir, name);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && dp_fd_write(fd, p, n, NULL) == DP_OK);
    close(fd);
    return to;
}

/* Everything as one text: records, MARK and PATHS lines, rejects counted; then the status that ended it. */
static enum dp_status slurp(struct dp_run *run, const char *name, const struct dp_source_opts *o, struct dp_buf *out, uint64_t *bad, struct dp_err *e) {
    struct dp_sources *s = NULL;
    struct dp_chunk c = {0};
    *e = (struct dp_err)DP_ERR_INIT;
    out->n = 0;
    *bad = 0;
    enum dp_status status = dp_sources_open(run, &name, name ? 1 : 0, o, &s, e);
    while (!status) {
        status = dp_sources_next(s, &c, e);
        if (!status) status = dp_sources_convert(s, 0, &c, e);
        if (status) break;
        if (c.kind == DP_CHUNK_MARK) dp_buf_addf(out, "MARK %s ", dp_mark_kind_name(c.mark.kind));
        if (c.kind == DP_CHUNK_PATHS) dp_buf_addz(out, "PATHS ");
        dp_buf_add(out, c.text, c.n);
        *bad += c.bad;
    }
    dp_chunk_release(&c);
    dp_sources_close(s);
    (void)dp_buf_z(out);
    return status == DP_END ? DP_OK : status;
}

static void lines_in_chunks_of_any_size(void **state) {
    (void)state;
    struct dp_buf text = {0}, out = {0};
    struct dp_run run = run_of();
    struct dp_err e;
    uint64_t bad;
    for (int i = 0; i < 500; i++) dp_buf_addf(&text, "{\"i\":%d,\"pad\":\"%*s\"}%s\n", i, i % 90, "", i % 7 ? "" : "\r");
    dp_buf_addz(&text, "{\"last\":true}");
    const char *path = put_file("a.ndjson", text.p, text.n);
    for (size_t chunk = 16; chunk < 70000; chunk = chunk * 3 + 1) {
        struct dp_source_opts o = {.chunk_bytes = chunk};
        assert_int_equal(slurp(&run, path, &o, &out, &bad, &e), DP_OK);
        assert_int_equal(out.n, text.n);
        assert_memory_equal(out.p, text.p, text.n);
    }
    dp_buf_release(&text), dp_buf_release(&out);
}

static void places_in_csv(void **state) {
    (void)state;
    struct dp_buf text = {0}, first = {0}, out = {0};
    struct dp_run run = run_of();
    dp_buf_addz(&text, "a,b\n");
    for (int i = 0; i < 300; i++) dp_buf_addf(&text, "%d,\"x%s%d\"\n%s", i, i % 5 ? "," : "\n", i, i % 11 ? "" : "\n");
    const char *path = put_file("a.csv", text.p, text.n);
    for (size_t chunk = 20; chunk < 30000; chunk *= 3) {
        struct dp_source_opts o = {.chunk_bytes = chunk};
        struct dp_sources *s;
        struct dp_chunk c = {0};
        out.n = 0;
        assert_int_equal(dp_sources_open(&run, &path, 1, &o, &s, NULL), DP_OK);
        while (dp_sources_next(s, &c, NULL) == DP_OK) {
            assert_int_equal(dp_sources_convert(s, 0, &c, NULL), DP_OK);
            size_t at = 0;
            for (size_t k = 0; at < c.n; k++) { /* line and offset of each record point at it in the file */
                uint64_t offset = c.offset + c.rec_offset[k];
                uint64_t line = 1;
                for (size_t i = 0; i < offset; i++) line += text.p[i] == '\n';
                assert_int_equal(c.line + c.rec_line[k], line);
                int want, got;
                assert_int_equal(sscanf(text.p + offset, "%d,", &want), 1);
                assert_int_equal(sscanf(c.text + at, "{\"a\":%d", &got), 1);
                assert_int_equal(got, want);
                at = (size_t)((char *)memchr(c.text + at, '\n', c.n - at) - c.text) + 1;
            }
            dp_buf_add(&out, c.text, c.n);
        }
        dp_chunk_release(&c);
        dp_sources_close(s);
        if (!first.n) dp_buf_adds(&first, dp_buf_str(&out));
        assert_int_equal(out.n, first.n);
        assert_memory_equal(out.p, first.p, out.n);
    }
    dp_buf_release(&text), dp_buf_release(&first), dp_buf_release(&out);
}

static void gzip_members_and_damage(void **state) {
    (void)state;
    struct dp_buf z = {0}, out = {0};
    struct dp_run run = run_of();
    struct dp_err e;
    struct dp_source_opts o = {0};
    uint64_t bad;
    for (int i = 0; i < 3; i++) {
        char line[64];
        int n = snprintf(line, sizeof line, "{\"member\":%d}\n", i);
        z_stream s = {0};
        assert_int_equal(deflateInit2(&s, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
        s.next_in = (unsigned char *)line, s.avail_in = (unsigned)n;
        s.next_out = (unsigned char *)dp_buf_reserve(&z, 200), s.avail_out = 200;
        assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
        z.n += 200 - s.avail_out;
        deflateEnd(&s);
    }
    assert_int_equal(slurp(&run, put_file("m.gz", z.p, z.n), &o, &out, &bad, &e), DP_OK);
    assert_string_equal(out.p, "{\"member\":0}\n{\"member\":1}\n{\"member\":2}\n");
    assert_int_equal(slurp(&run, put_file("cut", z.p, z.n - 9), &o, &out, &bad, &e), DP_FORMAT);
    assert_non_null(strstr(e.msg, "cut off"));
    z.p[15] ^= 0x55;
    assert_int_equal(slurp(&run, put_file("bad", z.p, z.n), &o, &out, &bad, &e), DP_FORMAT);
    dp_buf_release(&z), dp_buf_release(&out);
}

static void documents(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
        enum dp_status status;
    } cases[] = {
        {"[{\"a\":1},{\"a\":2}]", "{\"a\":1}\n{\"a\":2}\n", DP_OK},
        {"[\n {\n  \"a\": [1,\n2]\n }\n]\n", "{   \"a\": [1, 2]  }\n", DP_OK},
        {"{\"a\":1}{\"a\":2} {\"a\":\"}\"}\n", "{\"a\":1}\n{\"a\":2}\n{\"a\":\"}\"}\n", DP_OK},
        {"{\n\"a\":1\n}\n{\n\"a\":2\n}\n", "{ \"a\":1 }\n{ \"a\":2 }\n", DP_OK},
        {"[]", "", DP_OK},
        {"[[1],[]]", "[1]\n[]\n", DP_OK},
        {"[1,{\"a\":1},\"x\"]", "1\n{\"a\":1}\n\"x\"\n", DP_OK},
        {"[{\"a\":1},\n", "{\"a\":1}\n", DP_FORMAT},
        {"[{\"a\":1} {\"a\":2}]", "", DP_FORMAT},
        {"[{\"a\":1},]", "", DP_FORMAT},
        {"[{\"a\":\n", "", DP_FORMAT},
        {"\xef\xbb\xbf{\"a\":1}\n", "{\"a\":1}\n", DP_OK},
        {"", "", DP_OK},
    };
    struct dp_buf out = {0};
    struct dp_run run = run_of();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_err e;
        uint64_t bad;
        const char *path = put_file("doc", cases[i].in, strlen(cases[i].in));
        for (size_t chunk = 3; chunk < 100; chunk = chunk * 4 + 1) {
            struct dp_source_opts o = {.chunk_bytes = chunk};
            assert_int_equal(slurp(&run, path, &o, &out, &bad, &e), cases[i].status);
            if (!cases[i].status) assert_string_equal(out.p, cases[i].out);
            else assert_true(e.line > 0 && strcmp(e.source, path) == 0);
        }
    }
    dp_buf_release(&out);
}

static void long_record(void **state) {
    (void)state;
    struct dp_buf text = {0}, out = {0};
    struct dp_run run = run_of();
    struct dp_source_opts o = {0};
    struct dp_err e;
    uint64_t bad;
    run.max_record = 1000;
    dp_buf_addz(&text, "{\"a\":1}\n{\"b\":\"");
    for (int i = 0; i < 700000; i++) dp_buf_addc(&text, 'x');
    dp_buf_addz(&text, "\"}\n{\"c\":1}\n");
    assert_int_equal(slurp(&run, put_file("long", text.p, text.n), &o, &out, &bad, &e), DP_OK);
    assert_int_equal(bad, 1);
    assert_string_equal(out.p, "{\"a\":1}\n{\"c\":1}\n");
    dp_buf_release(&text), dp_buf_release(&out);
}

struct resume {
    const char *id;
    uint64_t at;
    bool adopted;
    char seen[300];
};
static enum dp_status resume_at(void *ctx, struct dp_origin *o, uint64_t *from, struct dp_err *err) {
    struct resume *r = ctx;
    (void)err;
    (void)snprintf(r->seen, sizeof r->seen, "%s", o->position_id);
    r->adopted = r->id && dp_origin_adopt(o, r->id);
    *from = r->adopted ? r->at : 0;
    return DP_OK;
}

static void positions(void **state) {
    (void)state;
    struct dp_buf out = {0};
    struct dp_run run = run_of();
    struct dp_err e;
    uint64_t bad;
    struct resume r = {0};
    struct dp_source_opts o = {.resume = resume_at, .resume_ctx = &r};
    const char *csv = "a,b\n1,x\n2,y\n";
    assert_int_equal(slurp(&run, put_file("p.csv", csv, strlen(csv)), &o, &out, &bad, &e), DP_OK);
    char id[300];
    (void)snprintf(id, sizeof id, "%s", r.seen);
    r.id = id, r.at = strlen(csv);
    const char *grown = "a,b\n1,x\n2,y\n3,z\n";
    assert_int_equal(slurp(&run, put_file("p.csv", grown, strlen(grown)), &o, &out, &bad, &e), DP_OK);
    assert_true(r.adopted);
    assert_string_equal(out.p, "{\"a\":3,\"b\":\"z\"}\n");
    const char *rewritten = "a,b\n7,x\n2,y\n3,z\n";
    assert_int_equal(slurp(&run, put_file("p.csv", rewritten, strlen(rewritten)), &o, &out, &bad, &e), DP_OK);
    assert_false(r.adopted);
    assert_string_equal(out.p, "{\"a\":7,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n{\"a\":3,\"b\":\"z\"}\n");
    dp_buf_release(&out);
}

/* ---- standard input ---- */

static enum dp_status from_stdin(const char *in, const struct dp_source_opts *o, struct dp_buf *out, struct dp_err *e) {
    int fd[2], keep = dup(0);
    uint64_t bad;
    struct dp_run run = run_of();
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(dp_fd_write(fd[1], in, strlen(in), NULL), DP_OK);
    close(fd[1]);
    dup2(fd[0], 0), close(fd[0]);
    enum dp_status status = slurp(&run, NULL, o, out, &bad, e);
    dup2(keep, 0), close(keep);
    return status;
}

static void streams(void **state) {
    (void)state;
    char path[200];
    (void)snprintf(path, sizeof path, "%s", put_file("in.ndjson", "{\"f\":1}\n", 8));
    struct dp_buf out = {0}, in = {0};
    struct dp_err e;
    struct dp_source_opts o = {.paths = DP_PATHS_OPEN};
    assert_int_equal(from_stdin("{\"a\":1}\n\n{\"$dp\":\"watermark\",\"time\":5}\n{\"a\":2}", &o, &out, &e), DP_OK);
    assert_string_equal(out.p, "{\"a\":1}\n\nMARK watermark {\"$dp\":\"watermark\",\"time\":5}\n{\"a\":2}");
    assert_int_equal(from_stdin("", &o, &out, &e), DP_OK);
    assert_int_equal(from_stdin("\n\n", &o, &out, &e), DP_OK);
    assert_int_equal(from_stdin("{\"a\":1}\nfile\n", &o, &out, &e), DP_FORMAT);
    assert_int_equal(e.line, 2);
    dp_buf_addf(&in, "%s\n{\"$dp\":\"watermark\",\"time\":5}\n%s\n", path, path);
    assert_int_equal(from_stdin(dp_buf_z(&in), &o, &out, &e), DP_OK);
    char want[700]; /* each path line is shown, so that the driver can count and hash it, then what is in the file */
    (void)snprintf(want, sizeof want, "PATHS %s\n{\"f\":1}\nMARK watermark {\"$dp\":\"watermark\",\"time\":5}\nPATHS %s\n{\"f\":1}\n", path, path);
    assert_string_equal(out.p, want);
    dp_buf_addz(&in, "{\"a\":1}\n");
    assert_int_equal(from_stdin(dp_buf_z(&in), &o, &out, &e), DP_FORMAT);
    assert_int_equal(e.line, 4);
    o.paths = DP_PATHS_PASS;
    assert_int_equal(from_stdin("a\nb\n", &o, &out, &e), DP_OK);
    assert_string_equal(out.p, "PATHS a\nb\n");
    o.paths = DP_PATHS_REFUSE;
    assert_int_equal(from_stdin("a\nb\n", &o, &out, &e), DP_FORMAT);
    o.paths = DP_PATHS_OPEN;
    assert_int_equal(from_stdin("http://x/y\n", &o, &out, &e), DP_FORMAT);
    assert_int_equal(from_stdin("/nonexistent/file\n", &o, &out, &e), DP_IO);
    o.raw_stdin = true;
    assert_int_equal(from_stdin("a,b\n1,x\n", &o, &out, &e), DP_OK);
    assert_string_equal(out.p, "{\"a\":1,\"b\":\"x\"}\n");
    dp_buf_release(&out), dp_buf_release(&in);
}

/* A whole line is handed on although the pipe stays open and the next line is only begun. */
static void no_waiting(void **state) {
    (void)state;
    int fd[2], keep = dup(0);
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(dp_fd_write(fd[1], "{\"a\":1}\n{\"b\"", 12, NULL), DP_OK);
    dup2(fd[0], 0), close(fd[0]);
    struct dp_run run = run_of();
    struct dp_source_opts o = {0};
    struct dp_sources *s;
    struct dp_chunk c = {0};
    assert_int_equal(dp_sources_open(&run, NULL, 0, &o, &s, NULL), DP_OK);
    assert_true(dp_sources_piped(s));
    assert_int_equal(dp_sources_next(s, &c, NULL), DP_OK);
    assert_int_equal(c.n, 8);
    assert_int_equal(dp_fd_write(fd[1], ":2}\n", 4, NULL), DP_OK);
    assert_int_equal(dp_sources_next(s, &c, NULL), DP_OK);
    assert_memory_equal(c.text, "{\"b\":2}\n", 8);
    assert_int_equal(c.line, 2);
    assert_int_equal(c.offset, 8);
    close(fd[1]);
    assert_int_equal(dp_sources_next(s, &c, NULL), DP_END);
    dp_chunk_release(&c);
    dp_sources_close(s);
    dup2(keep, 0), close(keep);
}

static void globs(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool match;
    } cases[] = {{"*.csv", "a/b.csv", true}, {"*.csv", "a.csv.gz", false}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"[a-c]x", "bx", true},
                 {"[!a-c]x", "bx", false}, {"[]]x", "]x", true}, {"a[", "a[", true}, {"*a*b*c", "xxaxxbxxc", true}, {"*", "", true},
                 {"\\*", "*", true}, {"\\*", "x", false}, {"", "", true}, {"", "x", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) assert_int_equal(dp_glob_match(cases[i].pattern, cases[i].name), cases[i].match);
}

static void shared_archives(void **state) {
    (void)state;
    char path[1024];
    struct dp_run run = run_of();
    struct dp_buf out = {0};
    struct dp_err e;
    uint64_t bad;
    struct dp_source_opts o = {.member = "*2010-12-01.csv"};
    assert_int_equal(slurp(&run, dpt_shared(path, "data/retail/retail-2010-12.zip"), &o, &out, &bad, &e), DP_OK);
    assert_int_equal(dp_count_byte(out.p, out.n, '\n'), 3108);
    o.member = NULL;
    assert_int_equal(slurp(&run, dpt_shared(path, "data/retail/retail-2011-11.tar.gz"), &o, &out, &bad, &e), DP_OK);
    assert_int_equal(dp_count_byte(out.p, out.n, '\n'), 84711);
    assert_int_equal(slurp(&run, dpt_shared(path, "data/csv/csvkit_dummy.csv.bz2"), &o, &out, &bad, &e), DP_OK);
    assert_string_equal(out.p, "{\"a\":1,\"b\":2,\"c\":3}\n");
    assert_int_equal(slurp(&run, dpt_shared(path, "data/parquet/generated/orders.polars.parquet"), &o, &out, &bad, &e), DP_OK);
    assert_int_equal(dp_count_byte(out.p, out.n, '\n'), 3108);
    dp_buf_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_in_chunks_of_any_size), cmocka_unit_test(places_in_csv), cmocka_unit_test(gzip_members_and_damage),
        cmocka_unit_test(documents), cmocka_unit_test(long_record), cmocka_unit_test(positions), cmocka_unit_test(streams),
        cmocka_unit_test(no_waiting), cmocka_unit_test(globs), cmocka_unit_test(shared_archives),
    };
    return cmocka_run_group_tests_name("source", tests, setup, NULL);
}
