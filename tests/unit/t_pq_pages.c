/* Pages as bytes: each one is met once, decompressed, whatever the codec and the page's version; dictionaries and bloom filters tell what was put in; damaged files are refused. */
#include "pqrows.h"

#include <dp/parquet/pages.h>

enum { ROWS = 3000 };

static void put_row(struct dp_buf *b, unsigned i) { dp_buf_addf(b, "{\"id\":%u,\"city\":\"town number %u\",\"note\":\"note of row %u\"}\n", i, i % 7, i); }

struct met { uint64_t pages, dictionaries, town, note, bytes; };

static uint64_t count(struct dp_str s, const char *part) {
    uint64_t n = 0;
    for (const char *at = s.p, *hit; (hit = dp_str_find(dp_str(at, s.n - (size_t)(at - s.p)), dp_str_z(part))) != NULL; at = hit + 1) n++;
    return n;
}

static enum dp_status on_page(void *ctx, const struct dp_pq_page_bytes *p, struct dp_err *err) {
    struct met *m = ctx;
    (void)err;
    m->pages++, m->dictionaries += p->is_dictionary, m->bytes += p->bytes.n;
    m->town += count(p->bytes, "town number 3"), m->note += count(p->bytes, "note of row 2999");
    return DP_OK;
}

static void write_file(const struct dp_pq_writer_opts *o, struct dp_buf *out) {
    struct dp_batch b;
    struct dp_pq_writer *w;
    struct dp_err err = DP_ERR_INIT;
    struct dp_type *schema = pq_rows(&b, "struct<id:int64,city:string,note:string>", put_row, ROWS);
    assert_int_equal(dp_pq_writer_open(b.schema, o, NULL, to_buf, out, &w, &err), DP_OK);
    assert_int_equal(dp_pq_writer_add(w, &b, &err), DP_OK);
    assert_int_equal(dp_pq_writer_finish(w, &err), DP_OK);
    dp_pq_writer_close(w);
    dp_batch_release(&b);
    dp_type_free(schema);
}

static void test_codecs(void **state) {
    static const enum dp_pq_codec codecs[] = {DP_PQ_UNCOMPRESSED, DP_PQ_ZSTD, DP_PQ_GZIP, DP_PQ_SNAPPY, DP_PQ_LZ4_RAW};
    (void)state;
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        for (int v2 = 0; v2 < 2; v2++) {
            struct dp_buf file = {0};
            struct dp_pq_file *f;
            struct dp_err err = DP_ERR_INIT;
            struct met m = {0};
            write_file(&(struct dp_pq_writer_opts){.codec = codecs[i], .level = -1, .row_group_rows = 1000, .page_rows = 250, .page_v2 = v2 == 1}, &file);
            assert_int_equal(dp_pq_open_memory(file.p, file.n, "file", &f, &err), DP_OK);
            assert_int_equal(dp_pq_each_page(f, on_page, &m, &err), DP_OK);
            assert_int_equal(dp_pq_meta(f)->n_row_groups, 3);
            assert_int_equal(m.town, 3); /* in the dictionary of each row group, once */
            assert_true(m.dictionaries >= 3 && m.pages >= m.dictionaries + 3 * 3 * 4);
            dp_pq_bound(f, 16);
            assert_int_equal(dp_pq_each_page(f, on_page, &m, &err), DP_LIMIT);
            dp_pq_close(f);
            dp_buf_release(&file);
        }
}

static void test_plain(void **state) {
    struct dp_buf file = {0};
    struct dp_pq_file *f;
    struct dp_err err = DP_ERR_INIT;
    struct met m = {0};
    const struct dp_pq_column_opts plain[] = {{.leaf = 2, .n_leaves = 1, .set_encoding = true, .encoding = DP_PQ_PLAIN}};
    (void)state;
    write_file(&(struct dp_pq_writer_opts){.codec = DP_PQ_ZSTD, .level = 1, .no_dictionary = true, .columns = plain, .n_columns = 1}, &file);
    assert_int_equal(dp_pq_open_memory(file.p, file.n, "file", &f, &err), DP_OK);
    assert_int_equal(dp_pq_each_page(f, on_page, &m, &err), DP_OK);
    assert_int_equal(m.note, 1);
    assert_int_equal(m.dictionaries, 0);
    dp_pq_close(f);
    dp_buf_release(&file);
}

static void test_bloom(void **state) {
    struct dp_buf file = {0};
    struct dp_pq_file *f;
    struct dp_err err = DP_ERR_INIT;
    const struct dp_pq_column_opts blooms[] = {{.leaf = 0, .n_leaves = 1, .bloom = true}, {.leaf = 2, .n_leaves = 1, .bloom = true}};
    unsigned strangers = 0;
    (void)state;
    write_file(&(struct dp_pq_writer_opts){.codec = DP_PQ_ZSTD, .level = 1, .no_dictionary = true, .columns = blooms, .n_columns = 2}, &file);
    assert_int_equal(dp_pq_open_memory(file.p, file.n, "file", &f, &err), DP_OK);
    assert_int_equal(dp_pq_bloom_ask(f, 0, 0, DP_KIND_NUMBER, DP_STR("2999")), DP_MAYBE);
    assert_int_equal(dp_pq_bloom_ask(f, 0, 2, DP_KIND_STRING, DP_STR("note of row 17")), DP_MAYBE);
    assert_int_equal(dp_pq_bloom_ask(f, 0, 1, DP_KIND_STRING, DP_STR("town number 3")), DP_ALWAYS); /* it has none */
    for (unsigned i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "%u", 100000 + i);
        strangers += dp_pq_bloom_ask(f, 0, 0, DP_KIND_NUMBER, dp_str_z(text)) != DP_NEVER;
    }
    assert_true(strangers < 50); /* one in a hundred is what the filter promises */
    dp_pq_close(f);
    dp_buf_release(&file);
}

/* Every byte of the file changed once: an error or an answer, and no read past the end (the sanitizers look). */
static void test_damaged(void **state) {
    struct dp_buf file = {0};
    unsigned refused = 0;
    (void)state;
    write_file(&(struct dp_pq_writer_opts){.codec = DP_PQ_ZSTD, .level = 1, .row_group_rows = 1500}, &file);
    for (size_t i = 0; i < file.n; i += 7) {
        struct dp_pq_file *f = NULL;
        struct dp_err err = DP_ERR_INIT;
        struct met m = {0};
        file.p[i] = (char)(file.p[i] ^ 0x55);
        if (dp_pq_open_memory(file.p, file.n, "file", &f, &err) != DP_OK || dp_pq_each_page(f, on_page, &m, &err) != DP_OK) refused++;
        dp_pq_close(f);
        file.p[i] = (char)(file.p[i] ^ 0x55);
    }
    assert_true(refused > 100);
    dp_buf_release(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_codecs), cmocka_unit_test(test_plain), cmocka_unit_test(test_bloom), cmocka_unit_test(test_damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
