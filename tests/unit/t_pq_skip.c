/*
 * Rows that are passed over: selected ranges give the rows that reading everything gives, for any page form and index; what an expression leaves of
 * a row group holds all rows that satisfy it; filters never deny a value that is there; indexes that lie are errors or nothing.
 */
#include "pqrows.h"

#include <dp/parquet/reader.h>

static uint32_t seed = 12345;
static uint32_t any(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)seed * n) >> 32);
}

enum { ROWS = 3000 };

static const char schema_text[] = "struct<id:int64 not null,n8:int8,u:uint32,f:float,d:double,b:boolean,dec:decimal(7,2),big:decimal(30,4),s:string,"
                                  "g:uuid,day:date,ts:timestamp,tm:time,l:list<int32>,st:struct<x:int32,y:struct<z:string>>>";

static void put_row(struct dp_buf *b, unsigned i) {
    dp_buf_addf(b, "{\"id\":%u,\"n8\":%d", i * 3, (int)(i / 30) - 50);
    if (i % 5) dp_buf_addf(b, ",\"u\":%u,\"f\":%g,\"d\":%.17g,\"dec\":%u.%02u,\"big\":-123456789012345678901%u.5", 4294967295u - i, (double)i / 10, (double)i * 1.1e-3,
                           i, i % 100, i % 10);
    if (i % 7) dp_buf_addf(b, ",\"b\":%s,\"s\":\"key %05u\"", i > 2000 ? "true" : "false", i / 2);
    if (i % 3) dp_buf_addf(b, ",\"g\":\"%08x-0000-4000-8000-%012x\",\"day\":\"2026-%02u-%02u\"", i * 2654435761u, i, 1 + i / 300, 1 + i % 28);
    dp_buf_addf(b, ",\"ts\":\"2026-01-%02uT%02u:%02u:00.%03uZ\",\"tm\":\"%02u:%02u:00\"", 1 + i / 1440, i / 60 % 24, i % 60, i % 1000, i / 125, i % 60);
    if (i % 4) dp_buf_addf(b, ",\"l\":[%u,null,%u]", i, i + 1);
    else if (i % 8) dp_buf_addz(b, ",\"l\":[]");
    if (i % 6) dp_buf_addf(b, ",\"st\":{\"x\":%u,\"y\":{\"z\":\"v%04u\"}}", i, i);
    else if (i % 12) dp_buf_addz(b, ",\"st\":{\"y\":null}");
    dp_buf_addz(b, "}\n");
}

static struct dp_type *make_rows(struct dp_batch *b) { return pq_rows(b, schema_text, put_row, ROWS); }

/* All columns before the times but the boolean. */
static const struct dp_pq_column_opts bloom[] = {{.leaf = 0, .n_leaves = 5, .bloom = true}, {.leaf = 6, .n_leaves = 6, .bloom = true}};

static void write_file(const struct dp_batch *b, const struct dp_pq_writer_opts *o, struct dp_buf *out) {
    struct dp_pq_writer *w;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_pq_writer_open(b->schema, o, NULL, to_buf, out, &w, &err), DP_OK);
    assert_int_equal(dp_pq_writer_add(w, b, &err), DP_OK);
    assert_int_equal(dp_pq_writer_finish(w, &err), DP_OK);
    dp_pq_writer_close(w);
}

/* ---- reading ---- */

/* Rows of a row group, printed; `ends` of each. */
struct rows {
    struct dp_buf text;
    size_t *ends;
    int64_t n;
};

static enum dp_status read_group(struct dp_pq_reader *r, size_t g, const struct dp_pq_ranges *only, int64_t batch, struct rows *out, struct dp_err *err) {
    struct dp_batch b;
    size_t cap = 0;
    int64_t expect = 0;
    size_t range = 0;
    *out = (struct rows){.n = 0};
    dp_batch_init(&b, dp_pq_reader_schema(r));
    enum dp_status status = dp_pq_reader_seek(r, g, err);
    if (status == DP_OK && only) status = dp_pq_reader_select(r, only->v, only->n, err);
    while (status == DP_OK && (status = dp_pq_reader_next(r, batch, &b, err)) == DP_OK) {
        if (only) {
            if (expect == only->v[range].to) range++;
            if (expect < only->v[range].from) expect = only->v[range].from;
            assert_true(expect + b.length <= only->v[range].to);
        }
        assert_int_equal(dp_pq_reader_row(r), expect);
        expect += b.length;
        out->ends = dp_grow(out->ends, &cap, (size_t)(out->n + b.length), sizeof *out->ends);
        for (int64_t i = 0; i < b.length; i++) {
            dp_batch_print(&b, i, 1, &(struct dp_print_opts){0}, &out->text);
            out->ends[out->n++] = out->text.n;
        }
    }
    dp_batch_release(&b);
    return status == DP_END ? DP_OK : status;
}

static void rows_release(struct rows *r) {
    dp_buf_release(&r->text);
    free(r->ends);
}

static struct dp_str row(const struct rows *r, int64_t i) {
    size_t from = i ? r->ends[i - 1] : 0;
    return dp_str(r->text.p + from, r->ends[i] - from);
}

static void any_ranges(int64_t rows, struct dp_pq_ranges *out) {
    out->n = 0;
    for (int64_t at = any(3) ? any((uint32_t)rows) : 0; at < rows;) {
        int64_t to = at + 1 + any(any(2) ? 20 : (uint32_t)rows);
        if (to > rows) to = rows;
        out->v = dp_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
        out->v[out->n++] = (struct dp_pq_range){at, to};
        at = to + 1 + any(any(2) ? 5 : (uint32_t)rows);
    }
}

/* Do the selected rows come out of `all`? `lies`: an error is right too. */
static void check_selection(struct dp_pq_reader *r, size_t g, const struct rows *all, const struct dp_pq_ranges *only, bool lies, const char *name) {
    struct rows got;
    struct dp_err err = DP_ERR_INIT;
    enum dp_status status = read_group(r, g, only, 1 + any(700), &got, &err);
    if (status != DP_OK) {
        if (!lies || status != DP_FORMAT) fail_msg("%s: %s", name, err.msg);
        rows_release(&got);
        return;
    }
    int64_t k = 0;
    for (size_t i = 0; i < only->n; i++)
        for (int64_t at = only->v[i].from; at < only->v[i].to; at++, k++)
            if (k >= got.n || !dp_str_eq(row(&got, k), row(all, at)))
                fail_msg("%s: row group %zu, row %lld: %.*s", name, g, (long long)at, k < got.n ? (int)row(&got, k).n : 4, k < got.n ? row(&got, k).p : "none");
    assert_int_equal(k, got.n);
    rows_release(&got);
}

static void check_file(struct dp_pq_file *f, unsigned turns, const char *name) {
    struct dp_pq_reader *r;
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_ranges only = {0};
    if (dp_pq_reader_open(f, NULL, 0, &r, &err) != DP_OK) return;
    for (size_t g = 0; g < dp_pq_meta(f)->n_row_groups && g < 3; g++) {
        struct rows all;
        int64_t n = dp_pq_meta(f)->row_groups[g].num_rows;
        if (n < 20000 && read_group(r, g, NULL, 8192, &all, &err) == DP_OK) {
            for (unsigned i = 0; i < turns && n > 0; i++) {
                any_ranges(n, &only);
                check_selection(r, g, &all, &only, false, name);
            }
            rows_release(&all);
        }
    }
    dp_pq_ranges_release(&only);
    dp_pq_reader_close(r);
}

static void selection(void **state) {
    (void)state;
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b);
    for (unsigned i = 0; i < 16; i++) {
        struct dp_buf file = {0};
        struct dp_pq_file *f;
        struct dp_err err = DP_ERR_INIT;
        char name[80];
        struct dp_pq_writer_opts o = {.codec = i & 8 ? DP_PQ_SNAPPY : DP_PQ_UNCOMPRESSED, .level = -1, .row_group_rows = 1700, .page_rows = 40 + 37 * (i & 7), .page_v2 = i & 1,
                                      .no_dictionary = i & 2, .no_page_index = i & 4, .crc = true};
        snprintf(name, sizeof name, "form %u", i);
        write_file(&b, &o, &file);
        assert_int_equal(dp_pq_open_memory(file.p, file.n, name, &f, &err), DP_OK);
        check_file(f, 12, name);
        dp_pq_close(f);
        dp_buf_release(&file);
    }
    dp_batch_release(&b);
    dp_type_free(schema);
}

/* Files of other writers, those that can be read at all. */
static void selection_of_corpus(void **state) {
    (void)state;
    char path[1024], name[4200], whole[6000];
    struct dp_buf index = {0};
    struct dp_err err = DP_ERR_INIT;
    dpt_shared(path, "corpus/parquet");
    snprintf(name, sizeof name, "%s/INDEX.ndjson", path);
    FILE *in = fopen(name, "r");
    assert_non_null(in);
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, in) > 0) {
        char *at = strstr(line, "\"file\": \"");
        struct dp_pq_file *f;
        if (!at || !strstr(line, "\"duckdb\": \"read")) continue;
        at += 9;
        at[strcspn(at, "\"")] = 0;
        snprintf(whole, sizeof whole, "%s/%s", path, at);
        if (dp_pq_open(whole, &f, &err) != DP_OK) continue;
        check_file(f, 3, at);
        dp_pq_close(f);
    }
    free(line);
    fclose(in);
    dp_buf_release(&index);
}

/* Bytes of offset indexes are changed: rows are right or the file is refused. */
static void lies(void **state) {
    (void)state;
    struct dp_batch b;
    struct dp_buf file = {0};
    struct dp_type *schema = make_rows(&b);
    struct dp_pq_file *f;
    struct dp_pq_reader *r;
    struct dp_err err = DP_ERR_INIT;
    struct rows all;
    struct dp_pq_ranges only = {0};
    struct dp_pq_writer_opts o = {.level = -1, .page_rows = 100, .no_dictionary = true};
    write_file(&b, &o, &file);
    assert_int_equal(dp_pq_open_memory(file.p, file.n, "lies", &f, &err), DP_OK);
    assert_int_equal(dp_pq_reader_open(f, NULL, 0, &r, &err), DP_OK);
    assert_int_equal(read_group(r, 0, NULL, 8192, &all, &err), DP_OK);
    for (unsigned i = 0; i < 200; i++) {
        const struct dp_pq_chunk *c = &dp_pq_meta(f)->row_groups[0].chunks[any((uint32_t)dp_pq_meta(f)->n_leaves)];
        size_t at = (size_t)c->offset_index_offset + any((uint32_t)c->offset_index_length);
        char before = file.p[at];
        file.p[at] = (char)(before + (any(2) ? 1 + (int)any(3) : (int)any(255) + 1));
        any_ranges(ROWS, &only);
        check_selection(r, 0, &all, &only, true, "lies");
        file.p[at] = before;
    }
    rows_release(&all);
    dp_pq_ranges_release(&only);
    dp_pq_reader_close(r);
    dp_pq_close(f);
    dp_buf_release(&file);
    dp_batch_release(&b);
    dp_type_free(schema);
}

/* ---- expressions ---- */

static struct dp_expr *compile(const char *text) {
    struct dp_expr *e = NULL;
    struct dp_err err = DP_ERR_INIT;
    if (dp_expr_compile(dp_str_z(text), &e, &err) != DP_OK) fail_msg("%s: %s", text, err.msg);
    return e;
}

/* Every row that satisfies the expression must be left; returns how many are left in all. */
static int64_t check_expr(const struct dp_pq_file *f, const struct rows *all, const char *text) {
    struct dp_expr *e = compile(text);
    struct dp_expr_run *run = dp_expr_run_open(e);
    struct dp_pq_ranges left = {0};
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_record rec;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf line = {0};
    int64_t n = 0;
    size_t k = 0;
    bool never = dp_pq_skip(f, 0, e, NULL, NULL, &left) == DP_NEVER;
    assert_int_equal(never, left.n == 0);
    for (size_t i = 0; i < left.n; i++) n += left.v[i].to - left.v[i].from;
    for (int64_t i = 0; i < all->n; i++) {
        bool yes = false;
        while (k < left.n && left.v[k].to <= i) k++;
        if (k < left.n && left.v[k].from <= i) continue;
        dp_buf_reset(&line);
        dp_buf_adds(&line, row(all, i));
        memset(dp_buf_reserve(&line, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        assert_int_equal(dp_scan_value(scan, line.p, line.n - 1, &rec, &err), DP_OK);
        if (dp_expr_test(run, &rec, &yes, &err) == DP_OK && yes) fail_msg("%s leaves out %.*s", text, DP_STR_FMT(row(all, i)));
    }
    dp_buf_release(&line);
    dp_scan_close(scan);
    dp_pq_ranges_release(&left);
    dp_expr_run_close(run);
    dp_expr_free(e);
    return n;
}

static void expressions(void **state) {
    (void)state;
    static const struct { const char *text; int64_t most; } t[] = {
        {".id == 3000", 100}, {".id >= 8900", 200}, {".id < 0", 0}, {".id == 3000.5", 100}, {".id == 3001 or .id == 6001", 200}, {".id | IN(1, 2, 9000)", 100},
        {".id > 3000 and .id < 3300 | not", 3000}, {".n8 == -50", 100}, {".n8 > 30", 700}, {".u > 4294967200", 200}, {".f < 1", 3000}, {".f == 150.3", 3000},
        {".d > 3.2", 3000}, {".d <= 0.1", 200}, {".b == true", 1100}, {".b", 1100}, {".b == false", 2100}, {".b == null", 3000}, {".dec == 1500.00", 100}, {".dec == 1500", 100},
        {".dec >= 2999", 100}, {".big < 0", 3000}, {".s == \"key 00700\"", 100}, {".s == \"absent\"", 0}, {".s // \"\" | startswith(\"key 007\")", 400},
        {".s // \"\" | test(\"^key 0149\")", 200}, {".g == \"00000000-0000-4000-8000-000000000000\"", 3000}, {".day < \"2026-02\"", 400},
        {".day == \"2026-05-03\"", 500}, {".ts < \"2026-01-01T01\"", 100}, {".ts >= \"2026-01-03\"", 200}, {".ts == \"2026-01-02T00:00:00.440Z\"", 100},
        {".tm < \"01\"", 200}, {".st.x > 2990", 100}, {".st.y.z == \"v0100\"", 100}, {".st.x == null", 3000}, {".l == null", 3000}, {".absent == 1", 3000},
        {".absent == null", 3000}, {".id > 3000 and .s == \"key 00001\"", 0}, {".id % 7 == 0 and .id < 300", 100}, {"(.id < 300 or .id > 8700) and .b", 100},
    };
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b);
    for (unsigned i = 0; i < 4; i++) {
        struct dp_buf file = {0};
        struct dp_pq_file *f;
        struct dp_pq_reader *r;
        struct dp_err err = DP_ERR_INIT;
        struct rows all;
        struct dp_pq_writer_opts o = {.level = -1, .page_rows = 100, .page_v2 = i & 1, .no_dictionary = i & 1, .columns = bloom, .n_columns = i & 2};
        write_file(&b, &o, &file);
        assert_int_equal(dp_pq_open_memory(file.p, file.n, "x", &f, &err), DP_OK);
        assert_int_equal(dp_pq_reader_open(f, NULL, 0, &r, &err), DP_OK);
        assert_int_equal(read_group(r, 0, NULL, 8192, &all, &err), DP_OK);
        for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
            int64_t left = check_expr(f, &all, t[k].text);
            if (left > t[k].most) fail_msg("%s leaves %lld rows", t[k].text, (long long)left);
        }
        rows_release(&all);
        dp_pq_reader_close(r);
        dp_pq_close(f);
        dp_buf_release(&file);
    }
    dp_batch_release(&b);
    dp_type_free(schema);
}

static enum dp_maybe ask(const struct dp_pq_file *f, const char *text) {
    struct dp_expr *e = compile(text);
    enum dp_maybe v = dp_pq_skip(f, 0, e, NULL, NULL, NULL);
    dp_expr_free(e);
    return v;
}

/* Filters: each value that is there may be, others between the bounds are mostly known to be absent. */
static void filters(void **state) {
    (void)state;
    static const char *const columns[] = {"id", "u", "f", "d", "dec", "big", "s", "g", "day", "ts"};
    struct dp_batch b;
    struct dp_buf file = {0}, text = {0};
    struct dp_type *schema = make_rows(&b);
    struct dp_pq_file *f;
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_writer_opts o = {.level = -1, .columns = bloom, .n_columns = 2};
    write_file(&b, &o, &file);
    assert_int_equal(dp_pq_open_memory(file.p, file.n, "x", &f, &err), DP_OK);
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        size_t k = 0;
        while (strcmp(schema->children[k]->name, columns[c]) != 0) k++;
        for (int64_t i = 0; i < ROWS; i += 1 + any(20)) {
            if (!dp_column_is_valid(&b.columns[k], i)) continue;
            bool quoted = schema->children[k]->id >= DP_TYPE_STRING;
            dp_buf_reset(&text);
            dp_buf_addf(&text, ".%s == %s", columns[c], quoted ? "\"" : "");
            dp_column_print_text(&b.columns[k], i, &(struct dp_print_opts){0}, &text);
            if (quoted) dp_buf_addc(&text, '"');
            if (ask(f, dp_buf_z(&text)) == DP_NEVER) fail_msg("%s is said to be absent", dp_buf_z(&text));
        }
    }
    static const char *const absent[] = {".id == 3001", ".id == 3000.25", ".id == 1e3", ".u == 4294967295.5", ".f == 0.05", ".f == 1e-3", ".d == 0.00115", ".dec == 1.005", ".dec == 100.99",
        ".s == \"key 00000x\"", ".g == \"55555555-0000-4000-8000-000000000000\"", ".ts == \"2026-01-01T00:00:01Z\""};
    unsigned known = 0;
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) known += ask(f, absent[i]) == DP_NEVER;
    assert_in_range(known, sizeof absent / sizeof *absent - 2, sizeof absent / sizeof *absent);
    assert_int_not_equal(ask(f, ".id == 3000.0"), DP_NEVER);
    dp_pq_close(f);
    dp_buf_release(&file);
    dp_buf_release(&text);
    dp_batch_release(&b);
    dp_type_free(schema);
}

/* Filters and indexes that others wrote. */
static void filters_of_others(void **state) {
    (void)state;
    char path[1024];
    struct dp_pq_file *f;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_pq_open(dpt_shared(path, "corpus/parquet/parquet-testing/data_index_bloom_encoding_stats.parquet"), &f, &err), DP_OK);
    static const char *const there[] = {"Hello", "This is", "a", "test", "How", "are you", "doing ", "today", "the quick", "brown fox", "jumps", "over", "the lazy", "dog"};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
        char text[100];
        snprintf(text, sizeof text, ".String == \"%s\"", there[i]);
        assert_int_not_equal(ask(f, text), DP_NEVER);
        snprintf(text, sizeof text, ".String == \"%s?\"", there[i]);
        if (strcmp(there[i], "today")) assert_int_equal(ask(f, text), DP_NEVER);
    }
    dp_pq_close(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection), cmocka_unit_test(selection_of_corpus), cmocka_unit_test(lies),
        cmocka_unit_test(expressions), cmocka_unit_test(filters), cmocka_unit_test(filters_of_others),
    };
    return cmocka_run_group_tests_name("pq_skip", tests, NULL, NULL);
}
