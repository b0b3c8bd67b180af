/* The writer against the project's reader: every type, nested and null, page versions, codecs, tiny pages; and that bytes depend on rows alone. */
#include "pqrows.h"

#include <dp/parquet/reader.h>

static const char schema_text[] = "struct<id:int64 not null,n8:int8,u16:uint16,u64:uint64,f:float,d:double,b:boolean,dec:decimal(7,2),big:decimal(30,4),s:string,"
                                  "c:string,u:uuid,day:date,ts:timestamp,tm:time,bin:binary,l:list<int32>,m:map<string,int64>,"
                                  "st:struct<x:int32,y:list<struct<z:string>>>,v:int64>";

/* Row i as a JSON record; every third row has nulls, and kinds of values differ so that each encoding is chosen somewhere. */
static void put_row(struct dp_buf *b, unsigned i) {
    dp_buf_addf(b, "{\"id\":%u", 1000000 + i * 3);
    if (i % 3) dp_buf_addf(b, ",\"n8\":%d,\"u16\":%u,\"u64\":%llu,\"f\":%g,\"d\":%.17g", (int)(i % 200) - 100, i * 7 % 65536, 18446744073709551615ull - i,
                           (double)(i % 50) / 4, (double)i * 1.1e-3 + 1e10);
    if (i % 5) dp_buf_addf(b, ",\"b\":%s,\"dec\":%u.%02u,\"big\":-123456789012345678901%u.5", i % 2 ? "true" : "false", i % 9999, i % 100, i % 10);
    if (i % 7) dp_buf_addf(b, ",\"s\":\"row %u of some length %u\",\"c\":\"c%u\"", i, i * 2654435761u, i % 11);
    if (i % 2) dp_buf_addf(b, ",\"u\":\"%08x-0000-4000-8000-%012x\",\"day\":\"20%02u-01-02\"", i * 2654435761u, i, i % 100);
    dp_buf_addf(b, ",\"ts\":\"2026-01-%02uT%02u:%02u:00.%06uZ\",\"tm\":\"%02u:%02u:00\"", 1 + i / 1440 % 28, i / 60 % 24, i % 60, i % 1000000, i % 24, i % 60);
    if (i % 4) dp_buf_addf(b, ",\"bin\":\"AAEC\",\"l\":[%u,null,%u],\"m\":{\"a\":%u,\"b\":null}", i, i + 1, i);
    else if (i % 8) dp_buf_addf(b, ",\"l\":[],\"m\":{}");
    if (i % 6) dp_buf_addf(b, ",\"st\":{\"x\":%u,\"y\":[{\"z\":\"q\"},null,{\"z\":null}]}", i);
    else if (i % 12) dp_buf_addf(b, ",\"st\":{\"y\":[]}");
    dp_buf_addf(b, ",\"v\":null}\n");
}

static struct dp_type *make_rows(struct dp_batch *b, unsigned n) { return pq_rows(b, schema_text, put_row, n); }

static void write_all(const struct dp_batch *b, int64_t step, struct dp_pool *pool, const struct dp_pq_writer_opts *o, struct dp_buf *out) {
    struct dp_pq_writer *w;
    struct dp_err err = DP_ERR_INIT;
    struct dp_batch part;
    dp_batch_init(&part, b->schema);
    if (dp_pq_writer_open(b->schema, o, pool, to_buf, out, &w, &err) != DP_OK) fail_msg("%s", err.msg);
    for (int64_t i = 0; i < b->length; i += step) {
        dp_batch_reset(&part);
        dp_batch_append(&part, b, i, b->length - i < step ? b->length - i : step);
        if (dp_pq_writer_add(w, &part, &err) != DP_OK) fail_msg("%s", err.msg);
    }
    if (dp_pq_writer_finish(w, &err) != DP_OK) fail_msg("%s", err.msg);
    assert_int_equal(dp_pq_writer_size(w), out->n);
    assert_int_equal(dp_pq_writer_meta(w)->num_rows, b->length);
    dp_pq_writer_close(w);
    dp_batch_release(&part);
}

static void same_rows(const struct dp_batch *b, const struct dp_buf *file) {
    struct dp_pq_file *f;
    struct dp_pq_reader *r;
    struct dp_err err = DP_ERR_INIT;
    struct dp_batch part;
    struct dp_buf want = {0}, got = {0};
    struct dp_print_opts print = {0};
    int64_t at = 0;
    if (dp_pq_open_memory(file->p, file->n, "test", &f, &err) != DP_OK) fail_msg("%s", err.msg);
    assert_true(dp_type_equal(b->schema, dp_pq_schema(f)));
    assert_int_equal(dp_pq_reader_open(f, NULL, 0, &r, &err), DP_OK);
    dp_batch_init(&part, dp_pq_reader_schema(r));
    for (size_t g = 0; g < dp_pq_meta(f)->n_row_groups; g++) {
        enum dp_status status;
        assert_int_equal(dp_pq_reader_seek(r, g, &err), DP_OK);
        while ((status = dp_pq_reader_next(r, 700, &part, &err)) == DP_OK) {
            dp_buf_reset(&want), dp_buf_reset(&got);
            dp_batch_print(b, at, part.length, &print, &want);
            dp_batch_print(&part, 0, part.length, &print, &got);
            assert_string_equal(dp_buf_z(&want), dp_buf_z(&got));
            at += part.length;
        }
        if (status != DP_END) fail_msg("%s", err.msg);
    }
    assert_int_equal(at, b->length);
    dp_batch_release(&part);
    dp_buf_release(&want);
    dp_buf_release(&got);
    dp_pq_reader_close(r);
    dp_pq_close(f);
}

static void all_ways(void **state) {
    (void)state;
    static const struct dp_pq_column_opts bloom[] = {{.leaf = 0, .n_leaves = 1, .bloom = true}, {.leaf = 9, .n_leaves = 1, .bloom = true, .bloom_fpp = 0.001}};
    static const struct dp_pq_writer_opts cases[] = {
        {.codec = DP_PQ_ZSTD, .level = 3},
        {.codec = DP_PQ_UNCOMPRESSED, .level = -1},
        {.codec = DP_PQ_ZSTD, .level = 1, .page_v2 = true, .crc = true},
        {.codec = DP_PQ_GZIP, .level = 1, .row_group_rows = 1000, .page_rows = 77, .no_dictionary = true},
        {.codec = DP_PQ_LZ4_RAW, .level = -1, .row_group_bytes = 50000, .page_bytes = 500, .columns = bloom, .n_columns = 2},
        {.codec = DP_PQ_ZSTD, .level = -1, .page_v2 = true, .row_group_rows = 1, .no_page_index = true},
    };
    struct dp_batch b;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf out = {0};
        struct dp_type *schema = make_rows(&b, i == 5 ? 40 : 6000);
        write_all(&b, 6000, NULL, &cases[i], &out);
        same_rows(&b, &out);
        dp_buf_release(&out);
        dp_batch_release(&b);
        dp_type_free(schema);
    }
}

/* Every encoding for every leaf: where its type allows it the file has it and reads back, else it is refused by name. */
static void encodings_as_asked(void **state) {
    (void)state;
    static const enum dp_pq_encoding all[] = {DP_PQ_PLAIN, DP_PQ_RLE, DP_PQ_DELTA_BINARY_PACKED, DP_PQ_DELTA_LENGTH_BYTE_ARRAY, DP_PQ_DELTA_BYTE_ARRAY,
                                              DP_PQ_RLE_DICTIONARY, DP_PQ_BYTE_STREAM_SPLIT};
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b, 3000);
    size_t n_leaves = dp_type_leaves(schema), allowed = 0;
    struct dp_pq_column_opts *columns = dp_calloc(n_leaves, sizeof *columns);
    for (size_t e = 0; e < sizeof all / sizeof *all; e++) {
        struct dp_buf out = {0};
        struct dp_pq_writer *w;
        struct dp_pq_writer_opts o = {.codec = e % 2 ? DP_PQ_ZSTD : DP_PQ_UNCOMPRESSED, .level = 1, .page_rows = 500, .page_v2 = e % 3 == 0};
        size_t n = 0;
        for (size_t i = 0; i < n_leaves; i++) {
            struct dp_err err = DP_ERR_INIT;
            columns[n] = (struct dp_pq_column_opts){.leaf = i, .n_leaves = 1, .set_encoding = true, .encoding = all[e]};
            o.columns = &columns[n], o.n_columns = 1;
            enum dp_status status = dp_pq_writer_open(schema, &o, NULL, to_buf, &out, &w, &err);
            if (status == DP_OK) dp_pq_writer_close(w), n++;
            else assert_int_equal(status, DP_USAGE), assert_non_null(strstr(err.msg, "can't be encoded as"));
        }
        dp_buf_reset(&out);
        allowed += n;
        o.columns = columns, o.n_columns = n;
        write_all(&b, 3000, NULL, &o, &out);
        same_rows(&b, &out);
        struct dp_pq_file *f;
        struct dp_err err = DP_ERR_INIT;
        assert_int_equal(dp_pq_open_memory(out.p, out.n, "test", &f, &err), DP_OK);
        for (size_t i = 0; i < n; i++) {
            uint32_t seen = dp_pq_meta(f)->row_groups[0].chunks[columns[i].leaf].encodings;
            if (columns[i].leaf != n_leaves - 1) assert_true(seen >> all[e] & 1); /* the last column has no values */
        }
        dp_pq_close(f);
        dp_buf_release(&out);
    }
    assert_int_equal(allowed, 12 * 4 + 2 * 3 + 2 + 2 * 4 + 5 * 4); /* integers, floats, boolean, fixed, bytes */
    free(columns);
    dp_batch_release(&b);
    dp_type_free(schema);
}

static void columns_by_name(void **state) {
    (void)state;
    static const struct { const char *path; int leaf, n; const char *says; } cases[] = {
        {"id", 0, 1, NULL}, {".l", 16, 1, NULL}, {"l.element", 16, 1, NULL}, {"m", 17, 2, NULL}, {"m.value", 18, 1, NULL}, {".st", 19, 2, NULL},
        {"st.y.z", 20, 1, NULL}, {"st.y.element.z", 20, 1, NULL}, {".\"v\"", 21, 1, NULL}, {"idd", 0, 0, "did you mean id?"},
        {"m.z", 0, 0, "key or value"}, {"l[0]", 0, 0, "an index"}, {"id.x", 0, 0, "no column id.x"}, {"", 0, 0, ""},
    };
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_err err = DP_ERR_INIT;
        size_t leaf, n;
        enum dp_status status = dp_pq_find_column(schema, dp_str_z(cases[i].path), &leaf, &n, &err);
        assert_int_equal(status, cases[i].says ? DP_USAGE : DP_OK);
        if (!cases[i].says) assert_int_equal(leaf, cases[i].leaf), assert_int_equal(n, cases[i].n);
        else if (!strstr(err.msg, cases[i].says)) fail_msg("%s: %s", cases[i].path, err.msg);
    }
    enum dp_pq_encoding e;
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_pq_encoding_parse(DP_STR("delta_byte_array"), &e, &err), DP_OK);
    assert_int_equal(e, DP_PQ_DELTA_BYTE_ARRAY);
    assert_int_equal(dp_pq_encoding_parse(DP_STR("dictionry"), &e, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "did you mean dictionary?"));
    dp_batch_release(&b);
    dp_type_free(schema);
}

/* Codecs that columns have of their own, and filters that hold every value. */
static void codecs_by_column(void **state) {
    (void)state;
    struct dp_pq_column_opts columns[] = {{.leaf = 0, .n_leaves = 22, .set_codec = true, .codec = DP_PQ_GZIP, .level = 1},
                                          {.leaf = 9, .n_leaves = 1, .set_codec = true, .codec = DP_PQ_UNCOMPRESSED, .level = -1}};
    struct dp_pq_writer_opts o = {.codec = DP_PQ_ZSTD, .level = 3, .columns = columns, .n_columns = 2};
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b, 6000);
    struct dp_buf out = {0};
    struct dp_pq_file *f;
    struct dp_err err = DP_ERR_INIT;
    write_all(&b, 6000, NULL, &o, &out);
    same_rows(&b, &out);
    assert_int_equal(dp_pq_open_memory(out.p, out.n, "test", &f, &err), DP_OK);
    for (size_t i = 0; i < 22; i++) assert_true(dp_pq_meta(f)->row_groups[0].chunks[i].codec != DP_PQ_ZSTD);
    assert_int_equal(dp_pq_meta(f)->row_groups[0].chunks[9].codec, DP_PQ_UNCOMPRESSED);
    assert_int_equal(dp_pq_meta(f)->row_groups[0].chunks[1].codec, DP_PQ_GZIP);
    dp_pq_close(f);
    dp_buf_release(&out);
    dp_batch_release(&b);
    dp_type_free(schema);
}

static void bytes_depend_on_rows_alone(void **state) {
    (void)state;
    static const struct dp_pq_column_opts columns[] = {{.leaf = 0, .n_leaves = 12, .bloom = true}, {.leaf = 9, .n_leaves = 1, .set_encoding = true, .encoding = DP_PQ_DELTA_BYTE_ARRAY}};
    struct dp_pq_writer_opts o = {.codec = DP_PQ_ZSTD, .level = 3, .row_group_bytes = 300000, .row_group_rows = 4000, .columns = columns, .n_columns = 2, .crc = true};
    struct dp_buf first = {0}, other = {0};
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b, 9000);
    write_all(&b, 9000, NULL, &o, &first);
    static const int64_t steps[] = {1, 999, 4000};
    for (size_t i = 0; i < 3; i++) {
        struct dp_pool *pool = dp_pool_open((unsigned)i + 1);
        dp_buf_reset(&other);
        write_all(&b, steps[i], pool, &o, &other);
        assert_int_equal(first.n, other.n);
        assert_memory_equal(first.p, other.p, first.n);
        dp_pool_close(pool);
    }
    dp_buf_release(&first);
    dp_buf_release(&other);
    dp_batch_release(&b);
    dp_type_free(schema);
}

static void no_rows(void **state) {
    (void)state;
    struct dp_pq_writer_opts o = {.codec = DP_PQ_ZSTD, .level = -1};
    struct dp_buf out = {0};
    struct dp_batch b;
    struct dp_type *schema = make_rows(&b, 0);
    write_all(&b, 1, NULL, &o, &out);
    same_rows(&b, &out);
    dp_buf_release(&out);
    dp_batch_release(&b);
    dp_type_free(schema);
}

static void null_in_a_required_column(void **state) {
    (void)state;
    struct dp_type *schema = NULL;
    struct dp_err err = DP_ERR_INIT;
    struct dp_batch b;
    struct dp_buf out = {0};
    struct dp_pq_writer *w;
    struct dp_pq_writer_opts o = {.codec = DP_PQ_UNCOMPRESSED, .level = -1};
    assert_int_equal(dp_type_parse(DP_STR("struct<a:int32 not null>"), &schema, &err), DP_OK);
    dp_batch_init(&b, schema);
    dp_column_append_null(&b.columns[0]);
    b.length = 1;
    assert_int_equal(dp_pq_writer_open(schema, &o, NULL, to_buf, &out, &w, &err), DP_OK);
    assert_int_equal(dp_pq_writer_add(w, &b, &err), DP_OK);
    assert_int_equal(dp_pq_writer_finish(w, &err), DP_SCHEMA);
    assert_non_null(strstr(err.msg, "column a"));
    dp_pq_writer_close(w);
    dp_batch_release(&b);
    dp_buf_release(&out);
    dp_type_free(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_ways), cmocka_unit_test(encodings_as_asked), cmocka_unit_test(columns_by_name),
                                       cmocka_unit_test(codecs_by_column), cmocka_unit_test(bytes_depend_on_rows_alone), cmocka_unit_test(no_rows),
                                       cmocka_unit_test(null_in_a_required_column)};
    return cmocka_run_group_tests_name("pq_writer", tests, NULL, NULL);
}
