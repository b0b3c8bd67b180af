/* CSV: the scan and its twin, the two splitters against each other, against libcsv and against the rows that others expect; sniffing, types, rejects. */
#include "dpt.h"

#include <csv.h>
#include <dirent.h>
#include <dp/base/file.h>
#include <dp/format/csv.h>
#include <dp/record/json.h>

static uint64_t next_random(uint64_t *x) {
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

static struct dp_csv_dialect plain(void) {
    return (struct dp_csv_dialect){.delimiter = ',', .quote = '"', .escape = -1, .newline = DP_CSV_NEWLINE_LF};
}

static void scan_equals_its_twin(void **state) {
    (void)state;
    char p[700];
    uint32_t a[700], b[700];
    uint64_t x = 7;
    for (int round = 0; round < 3000; round++) {
        size_t n = next_random(&x) % 600, from = next_random(&x) % 30;
        for (size_t i = 0; i < sizeof p; i++) p[i] = ",\"\nabcdefgh"[next_random(&x) % ((unsigned)round % 11 + 1)];
        size_t na = dp_csv_marks(p + from, n, ',', '"', '\n', a), nb = dp_csv_marks_portable(p + from, n, ',', '"', '\n', b);
        assert_int_equal(na, nb);
        assert_memory_equal(a, b, na * sizeof *a);
        assert_int_equal(dp_count_byte(p + from, n, '\n'), dp_count_byte_portable(p + from, n, '\n'));
    }
    for (int round = 0; round < 3000; round++) {
        struct dp_csv_masks m[12], w[12];
        size_t n = next_random(&x) % 600, from = next_random(&x) % 30;
        for (size_t i = 0; i < sizeof p; i++) p[i] = ",\"\nabcdefgh"[next_random(&x) % ((unsigned)round % 11 + 1)];
        dp_csv_mask(p + from, n, ',', round % 3 ? '"' : -1, '\n', m);
        dp_csv_mask_portable(p + from, n, ',', round % 3 ? '"' : -1, '\n', w);
        for (size_t i = 0; i * 64 < n; i++) {
            uint64_t valid = n - i * 64 < 64 ? (UINT64_C(1) << (n - i * 64)) - 1 : ~UINT64_C(0);
            assert_true((m[i].delimiter & valid) == w[i].delimiter && (m[i].quote & valid) == w[i].quote && (m[i].newline & valid) == w[i].newline);
        }
    }
    char *big = malloc(100000);
    memset(big, 'x', 100000);
    assert_int_equal(dp_count_byte(big, 100000, 'x'), 100000); /* more than a byte of counters holds */
    free(big);
}

/* Records as one text: cells in brackets, so that two readers can be compared. */
static void print_record(void *ctx, const struct dp_csv_cell *cells, size_t n, bool closed) {
    struct dp_buf *b = ctx;
    for (size_t i = 0; i < n; i++)
        dp_buf_addf(b, "%c%d%d<%.*s>", cells[i].quoted ? 'q' : 'u', cells[i].doubled, cells[i].stray, (int)cells[i].text.n, cells[i].text.p);
    dp_buf_addz(b, closed ? "\n" : "!\n");
}

static void split_slowly(const struct dp_csv_dialect *d, const char *p, size_t n, struct dp_buf *out) {
    struct dp_csv_cell *cells = NULL;
    size_t cap = 0, n_cells;
    bool closed;
    for (size_t at = 0; at < n;) {
        at += dp_csv_split(d, p + at, n - at, &cells, &cap, &n_cells, &closed);
        print_record(out, cells, n_cells, closed);
    }
    free(cells);
}

static void splitters_agree(void **state) {
    (void)state;
    struct dp_buf text = {0}, a = {0}, b = {0};
    struct dp_csv_dialect d = plain();
    uint64_t x = 99;
    for (int round = 0; round < 4000; round++) {
        size_t n = round % 50 ? next_random(&x) % 120 : 40000 + next_random(&x) % 90000;
        const char *letters = round % 2 ? ",\"\n\rab" : "abcdefghijkl,\n\"\"";
        text.n = a.n = b.n = 0;
        for (size_t i = 0; i < n; i++) dp_buf_addc(&text, letters[next_random(&x) % strlen(letters)]);
        dp_buf_reserve(&text, 64);
        split_slowly(&d, text.p, n, &a);
        dp_csv_each(&d, text.p, n, print_record, &b);
        assert_int_equal(a.n, b.n);
        if (a.n) assert_memory_equal(a.p, b.p, a.n);
    }
    dp_buf_release(&text), dp_buf_release(&a), dp_buf_release(&b);
}

/* Cutting in any pieces finds the same borders as splitting. */
static void cutting_finds_borders(void **state) {
    (void)state;
    static const struct dp_csv_dialect dialects[] = {
        {.delimiter = ',', .quote = '"', .escape = -1, .newline = DP_CSV_NEWLINE_LF},
        {.delimiter = ';', .quote = '\'', .escape = '\\', .newline = DP_CSV_NEWLINE_LF},
        {.delimiter = ',', .quote = '"', .escape = -1, .newline = DP_CSV_NEWLINE_CR},
        {.delimiter = '\t', .quote = -1, .escape = -1, .newline = DP_CSV_NEWLINE_LF},
        {.delimiter = ',', .quote = '"', .escape = -1, .comment = '#', .newline = DP_CSV_NEWLINE_LF}};
    struct dp_csv_cell *cells = NULL;
    size_t cap = 0, n_cells;
    uint64_t x = 5;
    char p[300];
    for (int round = 0; round < 20000; round++) {
        const struct dp_csv_dialect *d = &dialects[round % 5];
        size_t n = next_random(&x) % 200, last = 0, at = 0, end = 0;
        for (size_t i = 0; i < n; i++) p[i] = ",;\t\"'\\\n\r#ab"[next_random(&x) % 11];
        while (at < n) { /* borders by splitting: those behind a newline */
            bool closed;
            at += dp_csv_split(d, p + at, n - at, &cells, &cap, &n_cells, &closed);
            char nl = d->newline == DP_CSV_NEWLINE_CR ? '\r' : '\n';
            if (closed && p[at - 1] == nl) last = at;
        }
        struct dp_csv_cut c = {0};
        for (at = 0; at < n;) {
            size_t step = next_random(&x) % 40 + 1;
            if (step > n - at) step = n - at;
            size_t e = dp_csv_cut(d, &c, p + at, step);
            if (e) end = at + e;
            at += step;
        }
        if (end != last) fail_msg("round %d: cut %zu, split %zu: %.*s", round, end, last, (int)n, p);
    }
    free(cells);
}

/* ---- libcsv as the reference for well-formed RFC 4180 ---- */

struct ref {
    struct dp_buf *out;
    bool first;
};
static void ref_cell(void *p, size_t n, void *ctx) {
    struct ref *r = ctx;
    dp_buf_addf(r->out, "%s<%.*s>", r->first ? "" : ",", (int)n, (const char *)p);
    r->first = false;
}
static void ref_row(int c, void *ctx) {
    struct ref *r = ctx;
    (void)c;
    dp_buf_addc(r->out, '\n');
    r->first = true;
}
static int no_space(unsigned char c) { return (void)c, 0; }

static void our_record(void *ctx, const struct dp_csv_cell *cells, size_t n, bool closed) {
    struct dp_buf *b = ctx, t = {0};
    struct dp_csv_dialect d = plain();
    assert_true(closed);
    if (n == 1 && !cells[0].text.n && !cells[0].quoted) return; /* libcsv passes blank lines over */
    for (size_t i = 0; i < n; i++) {
        t.n = 0;
        dp_csv_unquote(&d, cells[i].text, &t);
        struct dp_str s = cells[i].doubled ? dp_buf_str(&t) : cells[i].text;
        dp_buf_addf(b, "%s<%.*s>", i ? "," : "", (int)s.n, s.p);
    }
    dp_buf_addc(b, '\n');
    dp_buf_release(&t);
}

static void as_libcsv(void **state) {
    (void)state;
    struct csv_parser parser;
    assert_int_equal(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI), 0);
    csv_set_space_func(&parser, no_space);
    struct dp_buf text = {0}, a = {0}, b = {0};
    struct dp_csv_dialect d = plain();
    uint64_t x = 3;
    for (int round = 0; round < 2000; round++) {
        text.n = a.n = b.n = 0;
        for (size_t rows = next_random(&x) % 8; rows; rows--) {
            for (size_t cells = next_random(&x) % 5 + 1; cells; cells--) {
                bool quoted = next_random(&x) % 2;
                if (quoted) dp_buf_addc(&text, '"');
                for (size_t n = next_random(&x) % 9; n; n--) {
                    char c = quoted ? "ab ,\n\r\""[next_random(&x) % 7] : "ab 'c"[next_random(&x) % 5];
                    dp_buf_addc(&text, c);
                    if (c == '"') dp_buf_addc(&text, c);
                }
                if (quoted) dp_buf_addc(&text, '"');
                if (cells > 1) dp_buf_addc(&text, ',');
            }
            dp_buf_addz(&text, next_random(&x) % 2 ? "\n" : "\r\n");
        }
        struct ref r = {&a, true};
        dp_buf_reserve(&text, 64);
        assert_int_equal(csv_parse(&parser, text.p, text.n, ref_cell, ref_row, &r), text.n);
        assert_int_equal(csv_fini(&parser, ref_cell, ref_row, &r), 0);
        dp_csv_each(&d, text.p, text.n, our_record, &b);
        assert_string_equal(dp_buf_z(&b), dp_buf_z(&a));
    }
    csv_free(&parser);
    dp_buf_release(&text), dp_buf_release(&a), dp_buf_release(&b);
}

/* ---- rows that others expect ---- */

static void json_record(void *ctx, const struct dp_csv_cell *cells, size_t n, bool closed) {
    struct dp_buf *b = ctx, t = {0};
    struct dp_csv_dialect d = plain();
    (void)closed;
    dp_buf_addc(b, '[');
    bool blank = n == 1 && !cells[0].text.n && !cells[0].quoted;
    for (size_t i = 0; i < n && !blank; i++) {
        t.n = 0;
        if (cells[i].doubled) dp_csv_unquote(&d, cells[i].text, &t);
        else dp_buf_adds(&t, cells[i].text);
        if (i) dp_buf_addc(b, ',');
        dp_json_add_string(b, dp_buf_str(&t));
    }
    dp_buf_addz(b, "]\n");
    dp_buf_release(&t);
}

/* Both sides as arrays of decoded strings, spelled our way. */
static void normalise(struct dp_scan *scan, struct dp_buf *lines, struct dp_buf *out) {
    dp_buf_reserve(lines, DP_SCAN_PAD);
    for (size_t at = 0; at < lines->n;) {
        char *nl = memchr(lines->p + at, '\n', lines->n - at);
        size_t n = nl ? (size_t)(nl - lines->p) - at : lines->n - at;
        struct dp_record r;
        struct dp_buf t = {0};
        assert_int_equal(dp_scan_value(scan, lines->p + at, n, &r, NULL), DP_OK);
        dp_buf_addc(out, '[');
        for (uint32_t i = 1; i < r.n_nodes; i++) {
            t.n = 0;
            dp_json_decode(dp_node_str(&r, i), &t);
            if (i > 1) dp_buf_addc(out, ',');
            dp_json_add_string(out, dp_buf_str(&t));
        }
        dp_buf_addz(out, "]\n");
        dp_buf_release(&t);
        at += n + 1;
    }
}

static void expected_rows(void **state) {
    (void)state;
    char dir[1024];
    (void)dpt_shared(dir, "corpus/csv/expected");
    DIR *d = opendir(dir);
    assert_non_null(d);
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    int n = 0, same = 0;
    for (struct dirent *e; (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        if (len < 8 || strcmp(e->d_name + len - 7, ".ndjson") || strstr(e->d_name, ".head.")) continue;
        char path[3000], name[600];
        (void)snprintf(name, sizeof name, "%.*s", (int)(len - 7), e->d_name);
        for (char *p; (p = strstr(name, "__"));) *p = '/', memmove(p + 1, p + 2, strlen(p + 2) + 1);
        struct dp_buf want = {0}, raw = {0}, got = {0}, want_n = {0};
        (void)snprintf(path, sizeof path, "%s/../%s", dir, name);
        if (dp_file_read(path, 8 << 20, &raw, NULL)) { /* a name that itself had two underscores */
            dp_buf_release(&raw);
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        assert_int_equal(dp_file_read(path, 64 << 20, &want, NULL), DP_OK);
        size_t bom = raw.n >= 3 && memcmp(raw.p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        struct dp_csv_dialect di = plain();
        bool cr = false;
        for (size_t i = bom; i < raw.n && !cr; i++) cr = raw.p[i] == '\r' && (i + 1 == raw.n || raw.p[i + 1] != '\n');
        if (cr) di.newline = DP_CSV_NEWLINE_ANY;
        dp_buf_reserve(&raw, 64);
        dp_csv_each(&di, raw.p + bom, raw.n - bom, json_record, &got);
        normalise(scan, &want, &want_n);
        n++;
        bool eq = got.n == want_n.n && (!got.n || memcmp(got.p, want_n.p, got.n) == 0);
        same += eq;
        if (!eq) print_message("differs: %s\n", name);
        dp_buf_release(&want), dp_buf_release(&raw), dp_buf_release(&got), dp_buf_release(&want_n);
    }
    closedir(d);
    dp_scan_close(scan);
    print_message("%d of %d files as expected\n", same, n);
    assert_true(n > 100);
    assert_int_equal(n, same);
}

/* ---- sniffing, types, conversion ---- */

static void add_reject(void *ctx, const struct dp_csv_reject *r) {
    struct dp_buf *b = ctx;
    dp_buf_addf(b, "!%s %s line %llu: %s\n", r->rule, r->path ? r->path : "-", (unsigned long long)r->line, r->reason);
}

static void converted(const char *in, struct dp_csv_dialect d, const char *types, struct dp_buf *out) {
    const char *const list[] = {types, NULL};
    if (types) d.types = list;
    struct dp_buf text = {0};
    struct dp_csv_table *t = NULL;
    struct dp_err e = DP_ERR_INIT;
    size_t data;
    uint64_t lines, cap_none = 0;
    (void)cap_none;
    dp_buf_addz(&text, in);
    dp_buf_reserve(&text, 64);
    out->n = 0;
    assert_int_equal(dp_csv_sniff(&d, dp_buf_str(&text), true, &e), DP_OK);
    assert_int_equal(dp_csv_table_open(&d, dp_buf_str(&text), &t, &data, &lines, NULL, &e), DP_OK);
    dp_csv_table_learn(t, text.p + data, text.n - data);
    assert_int_equal(dp_csv_table_decide(t, NULL, &e), DP_OK);
    struct dp_csv_converter *c = dp_csv_converter_open(t);
    struct dp_csv_result r = {0};
    struct dp_buf bad = {0};
    enum dp_status status = dp_csv_convert(c, text.p + data, text.n - data, out, &r, add_reject, &bad, &e);
    if (status) dp_buf_addf(out, "?%s\n", e.msg);
    dp_buf_adds(out, dp_buf_str(&bad));
    (void)dp_buf_z(out);
    dp_csv_converter_close(c);
    dp_csv_table_close(t);
    dp_buf_release(&text), dp_buf_release(&bad);
}

static void conversions(void **state) {
    (void)state;
    static const struct {
        const char *in, *types, *out;
    } cases[] = {
        {"a,b,c\n1,x,2.50\n-3,y,1.10\n", NULL, "{\"a\":1,\"b\":\"x\",\"c\":2.50}\n{\"a\":-3,\"b\":\"y\",\"c\":1.10}\n"},
        {"code,n\n01,1\n10,2\n", NULL, "{\"code\":\"01\",\"n\":1}\n{\"code\":\"10\",\"n\":2}\n"},
        {"id,n\n17850.0,9007199254740993\n", NULL, "{\"id\":17850.0,\"n\":9007199254740993}\n"},
        {"a,b\n+1,1e5\n", NULL, "{\"a\":\"+1\",\"b\":1e5}\n"},
        {"a;b\n1,5;x\n2,5;y\n", NULL, "{\"a\":\"1,5\",\"b\":\"x\"}\n{\"a\":\"2,5\",\"b\":\"y\"}\n"},
        {"a\tb\n1\t\"q\"\"q\"\n", NULL, "{\"a\":1,\"b\":\"q\\\"q\"}\n"},
        {"a,b\n1,\n2,\"\"\n3,x\n", NULL, "{\"a\":1,\"b\":null}\n{\"a\":2,\"b\":\"\"}\n{\"a\":3,\"b\":\"x\"}\n"},
        {"t,d,ok\n2010-12-01 08:26:00,2010-12-01,true\n", NULL, "{\"t\":\"2010-12-01T08:26:00\",\"d\":\"2010-12-01\",\"ok\":true}\n"},
        {"t,n\n2026-01-02T03:04:05Z,1\n2026-01-02 03:04:05,2\n", NULL, "{\"t\":\"2026-01-02T03:04:05Z\",\"n\":1}\n{\"t\":\"2026-01-02 03:04:05\",\"n\":2}\n"},
        {"a,a,\n1,2,3\n", NULL, "{\"a\":1,\"a_2\":2,\"column_3\":3}\n"},
        {"a,b\r\n1,\"x\r\ny\"\r\n", NULL, "{\"a\":1,\"b\":\"x\\r\\ny\"}\n"},
        {"a,b\r1,x\r2,y\r", NULL, "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n"},
        {"a,b\n1,x\n\n2,y", NULL, "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n"},
        {"A title\na,b\n1,x\n2,y\n3,z\n", NULL, "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n{\"a\":3,\"b\":\"z\"}\n"},
        {"1,x\n2,y\n", NULL, "{\"column_1\":1,\"column_2\":\"x\"}\n{\"column_1\":2,\"column_2\":\"y\"}\n"},
        {"a,b\n1,5' 5\" tall\n2,y\n", NULL, "{\"a\":1,\"b\":\"5' 5\\\" tall\"}\n{\"a\":2,\"b\":\"y\"}\n"},
        {"a,b\n1,2\n3\n4,5,6\n7,8\n9,9\n", NULL,
         "{\"a\":1,\"b\":2}\n{\"a\":7,\"b\":8}\n{\"a\":9,\"b\":9}\n!ragged - line 1: expected 2 cells, got 1 (--ragged=pad fills short records with null)\n"
         "!ragged - line 2: expected 2 cells, got 3\n"},
        {"a,b\n1,\"x\" y\n2,z\n3,\"q,q\"\n4,\"r,r\"\n", NULL,
         "{\"a\":2,\"b\":\"z\"}\n{\"a\":3,\"b\":\"q,q\"}\n{\"a\":4,\"b\":\"r,r\"}\n"
         "!malformed b line 0: text behind the closing quote of cell 2 (--quote=none, or --escape, if the file means it)\n"},
        {"a,b\n1,x\n2,\"open\n", NULL, "{\"a\":1,\"b\":\"x\"}\n?the input ends inside a quoted cell, in the record that begins here\n"},
        {"a,b\n1,x\nn/a,y\n", "a=int64",
         "{\"a\":1,\"b\":\"x\"}\n!type a line 1: expected int64, got \"n/a\" (--types 'a=string' would let it pass)\n"},
        {"a,b\n+40.92,x\n-072.5,y\n", "a=double", "{\"a\":40.92,\"b\":\"x\"}\n{\"a\":-72.5,\"b\":\"y\"}\n"},
        {"a,b\n1,x\n", "a=string", "{\"a\":\"1\",\"b\":\"x\"}\n"},
        {"a,b\nTRUE,x\nf,y\n", "a=boolean", "{\"a\":true,\"b\":\"x\"}\n{\"a\":false,\"b\":\"y\"}\n"},
        {"n\n1\n\n3\n", NULL, "{\"n\":1}\n{\"n\":null}\n{\"n\":3}\n"},
        {"a,b\nx,tab\there\ny,\x01\n", NULL, "{\"a\":\"x\",\"b\":\"tab\\there\"}\n{\"a\":\"y\",\"b\":\"\\u0001\"}\n"},
        {"a,b\nx,ok\ny,\xff\xfe\nz,\xc3\xa9\n", NULL,
         "{\"a\":\"x\",\"b\":\"ok\"}\n{\"a\":\"z\",\"b\":\"\xc3\xa9\"}\n!malformed - line 1: byte 3 of the record is not UTF-8 (--encoding names another)\n"},
    };
    struct dp_buf out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_csv_dialect d;
        dp_csv_dialect_init(&d);
        converted(cases[i].in, d, cases[i].types, &out);
        assert_string_equal(out.p, cases[i].out);
    }
    struct dp_csv_dialect d;
    static const char *const nulls[] = {"NA", "-", NULL};
    dp_csv_dialect_init(&d);
    d.nulls = nulls, d.comment = '#', d.ragged = DP_CSV_RAGGED_PAD;
    converted("a,b\n# note\n1,NA\n-,\"NA\"\n5\n", d, NULL, &out);
    assert_string_equal(out.p, "{\"a\":1,\"b\":null}\n{\"a\":null,\"b\":\"NA\"}\n{\"a\":5,\"b\":null}\n");
    dp_csv_dialect_init(&d);
    d.all_strings = true, d.escape = '\\';
    converted("a,b\n1,\"x \\\"y\\\" z\"\n", d, NULL, &out);
    assert_string_equal(out.p, "{\"a\":\"1\",\"b\":\"x \\\"y\\\" z\"}\n");
    dp_buf_release(&out);
}

/* Texts of any shape come out the same by separators and cell by cell (which a comment byte that never comes asks for). */
static void ways_agree(void **state) {
    (void)state;
    static const char *const letters[] = {",\"\n\rab", "abc12,\n\"\"", "0123456789-.eE,,\n", "ab,,\n\\\t\x01\"", "true,false\n2026-01-02T:Z"};
    static const char *const types[] = {"a=double", "b=boolean", NULL};
    struct dp_buf text = {0}, out[2] = {{0}, {0}};
    uint64_t x = 31;
    for (int round = 0; round < 6000; round++) {
        size_t n = round % 60 ? next_random(&x) % 150 : 30000 + next_random(&x) % 80000;
        const char *of = letters[round % 5];
        uint32_t *lines[2] = {0}, *offsets[2] = {0};
        struct dp_csv_result res[2];
        size_t caps[2] = {0};
        text.n = 0;
        dp_buf_addz(&text, round % 2 ? "a,b,c\n" : "\"a\",b\n");
        size_t data = text.n;
        for (size_t i = 0; i < n; i++) {
            if (next_random(&x) % 5 == 0) dp_buf_addz(&text, (const char *const[]){"x,", "1,2\n", "\"q\",", "\"a\"\"b\"\n", "1.50,"}[next_random(&x) % 5]);
            else dp_buf_addc(&text, of[next_random(&x) % strlen(of)]);
        }
        memset(dp_buf_reserve(&text, 64), 0, 64);
        for (int way = 0; way < 2; way++) {
            struct dp_csv_dialect d = plain();
            struct dp_csv_table *t;
            size_t at;
            uint64_t in_front;
            struct dp_err err = DP_ERR_INIT;
            d.header = DP_CSV_HEADER_YES, d.comment = way ? '\x7f' : 0, d.types = round % 3 ? NULL : types;
            d.ragged = round % 7 ? DP_CSV_RAGGED_REJECT : DP_CSV_RAGGED_PAD;
            assert_int_equal(dp_csv_table_open(&d, dp_buf_str(&text), &t, &at, &in_front, NULL, NULL), DP_OK);
            assert_int_equal(at, data);
            dp_csv_table_learn(t, text.p + data, (text.n - data) / 3);
            assert_int_equal(dp_csv_table_decide(t, NULL, NULL), DP_OK);
            struct dp_csv_converter *c = dp_csv_converter_open(t);
            res[way] = (struct dp_csv_result){.rec_line = &lines[way], .rec_offset = &offsets[way], .cap = &caps[way]};
            out[way].n = 0;
            enum dp_status status = dp_csv_convert(c, text.p + data, text.n - data, &out[way], &res[way], add_reject, &out[way], &err);
            dp_buf_addf(&out[way], "%d %s %llu %llu", status, err.msg, (unsigned long long)err.line, (unsigned long long)err.offset);
            dp_csv_converter_close(c);
            dp_csv_table_close(t);
        }
        if (strcmp(dp_buf_z(&out[0]), dp_buf_z(&out[1]))) fail_msg("round %d:\n%.*s\n%s\n%s", round, (int)text.n, text.p, dp_buf_z(&out[0]), dp_buf_z(&out[1]));
        assert_int_equal(res[0].lines, res[1].lines);
        assert_int_equal(res[0].records, res[1].records);
        assert_int_equal(res[0].coerced, res[1].coerced);
        if (res[0].records) assert_memory_equal(lines[0], lines[1], res[0].records * sizeof **lines);
        if (res[0].records) assert_memory_equal(offsets[0], offsets[1], res[0].records * sizeof **offsets);
        free(lines[0]), free(lines[1]), free(offsets[0]), free(offsets[1]);
    }
    dp_buf_release(&text), dp_buf_release(&out[0]), dp_buf_release(&out[1]);
}

/* A record with too many cells runs over the border of what is scanned at once; its own separators must not be taken for the next one's. */
static void long_record_at_a_border(void **state) {
    (void)state;
    struct dp_buf text = {0}, out = {0};
    struct dp_csv_dialect d = plain();
    d.header = DP_CSV_HEADER_YES;
    dp_buf_addz(&text, "a,b\n");
    for (int i = 0; i < 8190; i++) dp_buf_addz(&text, "x,y\n");
    dp_buf_addz(&text, "1,2,3,4,5,66\nu,v\n");
    converted(dp_buf_z(&text), d, "a=string", &out);
    assert_string_equal(out.p + 8190 * 18, "{\"a\":\"u\",\"b\":\"v\"}\n!ragged - line 8190: expected 2 cells, got 6\n");
    dp_buf_release(&text), dp_buf_release(&out);
}

static void schemas(void **state) {
    (void)state;
    const char *in = "i,big,money,mixed,pct,id,d,t,u,s,none,b\n1,99999999999999999999,2.50,1.5,1e-3,7.0,2026-01-02,2026-01-02 03:04:05,2026-01-02T03:04:05Z,x,,true\n";
    struct dp_buf text = {0}, words = {0};
    struct dp_csv_dialect d;
    struct dp_csv_table *t;
    size_t data;
    uint64_t lines;
    dp_csv_dialect_init(&d);
    dp_buf_addz(&text, in);
    dp_buf_reserve(&text, 64);
    assert_int_equal(dp_csv_sniff(&d, dp_buf_str(&text), true, NULL), DP_OK);
    assert_int_equal(dp_csv_table_open(&d, dp_buf_str(&text), &t, &data, &lines, NULL, NULL), DP_OK);
    dp_csv_table_learn(t, text.p + data, text.n - data);
    assert_int_equal(dp_csv_table_decide(t, NULL, NULL), DP_OK);
    const struct dp_type *s = dp_csv_table_schema(t);
    for (size_t i = 0; i < s->n_children; i++) dp_type_print(s->children[i], &words), dp_buf_addc(&words, ' ');
    assert_string_equal(dp_buf_z(&words), "int64 decimal(20,0) double double double double date timestamp_ntz timestamp string string boolean ");
    dp_csv_table_close(t);
    dp_buf_release(&text), dp_buf_release(&words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_equals_its_twin), cmocka_unit_test(splitters_agree), cmocka_unit_test(cutting_finds_borders),
        cmocka_unit_test(as_libcsv),            cmocka_unit_test(expected_rows),   cmocka_unit_test(conversions),
        cmocka_unit_test(ways_agree), cmocka_unit_test(long_record_at_a_border),           cmocka_unit_test(schemas),
    };
    return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
