/* Parquet metadata: what real footers hold, what hostile bytes do, and that written equals read. */
#include "dpt.h"

#include <dp/base/file.h>
#include <dp/base/limits.h>
#include <dp/parquet/meta.h>

#include "../../lib/parquet/meta_priv.h"

static void load(const char *path, struct dp_buf *b, size_t *footer) {
    char full[1024];
    struct dp_err err = DP_ERR_INIT;
    uint32_t n;
    assert_int_equal(dp_file_read(dpt_shared(full, path), 1u << 30, b, &err), DP_OK);
    assert_true(b->n > 12);
    memcpy(&n, b->p + b->n - 8, 4);
    assert_true(n + 12 <= b->n);
    *footer = n;
}

static void real_footers(void **state) {
    (void)state;
    static const struct { const char *path; int64_t rows; size_t leaves, groups; } cases[] = {
        {"corpus/parquet/parquet-testing/alltypes_plain.parquet", 8, 11, 1},
        {"corpus/parquet/parquet-testing/nested_lists.snappy.parquet", 3, 2, 1},
        {"corpus/parquet/parquet-testing/repeated_no_annotation.parquet", 6, 3, 1},
        {"corpus/parquet/parquet-testing/dict-page-offset-zero.parquet", 39, 1, 1},
        {"corpus/parquet/fastparquet/nation.dict.parquet", 25, 4, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf b = {0}, w = {0};
        struct dp_pq_meta m, again;
        struct dp_err err = DP_ERR_INIT;
        size_t n;
        load(cases[i].path, &b, &n);
        assert_int_equal(dp_pq_meta_parse(b.p + b.n - 8 - n, n, b.n, &m, &err), DP_OK);
        assert_int_equal(m.num_rows, cases[i].rows);
        assert_int_equal(m.n_leaves, cases[i].leaves);
        assert_int_equal(m.n_row_groups, cases[i].groups);
        dp_pq_meta_write(&m, &w);
        assert_int_equal(dp_pq_meta_parse(w.p, w.n, b.n, &again, &err), DP_OK);
        assert_int_equal(again.num_rows, m.num_rows);
        for (size_t k = 0; k < m.n_leaves; k++) {
            const struct dp_pq_chunk *x = &m.row_groups[0].chunks[k], *y = &again.row_groups[0].chunks[k];
            assert_int_equal(x->encodings, y->encodings);
            assert_int_equal(x->data_page_offset, y->data_page_offset);
            assert_int_equal(x->stats.null_count, y->stats.null_count);
            assert_true(x->stats.has_min == y->stats.has_min && dp_str_eq(x->stats.min, y->stats.min));
        }
        dp_pq_meta_release(&again);
        dp_pq_meta_release(&m);
        dp_buf_release(&w);
        dp_buf_release(&b);
    }
}

/* Each prefix and each flipped byte ends in a status, never in anything else. */
static void hostile_footers(void **state) {
    (void)state;
    struct dp_buf b = {0};
    size_t n;
    load("corpus/parquet/parquet-testing/nested_lists.snappy.parquet", &b, &n);
    char *p = b.p + b.n - 8 - n, *copy = dp_alloc(n);
    for (size_t i = 0; i < n; i++) {
        struct dp_pq_meta m;
        struct dp_err err = DP_ERR_INIT;
        memcpy(copy, p, i);
        assert_int_not_equal(dp_pq_meta_parse(copy, i, b.n, &m, &err), DP_OK);
        assert_true(err.msg[0] != 0);
        dp_pq_meta_release(&m);
    }
    for (size_t i = 0; i < n * 8; i++) {
        struct dp_pq_meta m;
        struct dp_type *schema = NULL;
        struct dp_err err = DP_ERR_INIT;
        memcpy(copy, p, n);
        copy[i / 8] = (char)(copy[i / 8] ^ 1 << i % 8);
        if (dp_pq_meta_parse(copy, n, b.n, &m, &err) == DP_OK && dp_pq_to_schema(&m, &schema, &err) == DP_OK) dp_type_free(schema);
        dp_pq_meta_release(&m);
    }
    free(copy);
    dp_buf_release(&b);
}

static void thrift_limits(void **state) {
    (void)state;
    static const struct { const char *bytes; size_t n; const char *fault; } cases[] = {
        {"\x15\x02\x05\x02\x02\x00", 6, "a field stands twice"},
        {"\x1c\x1c\x1c\x1c", 4, "truncated"},
        {"\x1f\x00", 2, "unknown wire type"},
        {"\x18\xff\xff\xff\xff\x0f", 6, "length beyond the end"},
        {"\x19\xfc\xff\xff\xff\xff\x0f", 7, "list longer than the bytes left"},
        {"\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, "number too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_tr t = {.p = (const uint8_t *)cases[i].bytes, .end = (const uint8_t *)cases[i].bytes + cases[i].n};
        struct dp_tr_struct s = {0};
        int64_t v;
        while (dp_tr_field(&t, &s)) {
            if (s.id == 1 && s.type == DP_TT_I64) dp_tr_i64(&t, &s, &v);
            else dp_tr_skip(&t, &s);
        }
        assert_string_equal(t.fault, cases[i].fault);
    }
    /* nesting: at the limit, and one past it */
    for (unsigned over = 0; over < 2; over++) {
        uint8_t deep[2 * DP_LIMIT_THRIFT_DEPTH + 8];
        unsigned depth = DP_LIMIT_THRIFT_DEPTH - 1 + over, n = 0;
        deep[n++] = 0x1c;
        for (unsigned i = 0; i < depth; i++) deep[n++] = 0x1c;
        for (unsigned i = 0; i < depth + 2; i++) deep[n++] = 0;
        struct dp_tr t = {.p = deep, .end = deep + n};
        struct dp_tr_struct s = {0};
        while (dp_tr_field(&t, &s)) dp_tr_skip(&t, &s);
        if (over) assert_string_equal(t.fault, "nested too deep");
        else assert_null(t.fault);
    }
}

static void page_headers(void **state) {
    (void)state;
    static const struct dp_pq_page_header cases[] = {
        {.type = DP_PQ_DATA_PAGE, .uncompressed_size = 100, .compressed_size = 50, .num_values = 7, .encoding = DP_PQ_PLAIN, .def_encoding = 3, .rep_encoding = 3},
        {.type = DP_PQ_DICTIONARY_PAGE, .uncompressed_size = 0, .compressed_size = 0, .num_values = 0, .encoding = DP_PQ_PLAIN, .is_sorted = true},
        {.type = DP_PQ_DATA_PAGE_V2, .uncompressed_size = 100, .compressed_size = 90, .num_values = 9, .num_nulls = 2, .num_rows = 4,
         .encoding = DP_PQ_DELTA_BINARY_PACKED, .def_bytes = 3, .rep_bytes = 4, .has_crc = true, .crc = 0xdeadbeef},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_buf b = {0};
        struct dp_pq_page_header h;
        struct dp_err err = DP_ERR_INIT;
        size_t used = 0;
        dp_pq_page_header_write(&cases[i], &b);
        for (size_t n = 0; n < b.n; n++) assert_int_equal(dp_pq_page_header_parse(b.p, n, &h, &used, &err), DP_FORMAT);
        assert_int_equal(dp_pq_page_header_parse(b.p, b.n, &h, &used, &err), DP_OK);
        assert_int_equal(used, b.n);
        assert_int_equal(h.num_values, cases[i].num_values);
        assert_int_equal(h.encoding, cases[i].encoding);
        assert_int_equal(h.crc, cases[i].crc);
        assert_int_equal(h.def_bytes, cases[i].def_bytes);
        assert_int_equal(h.is_compressed, false);
        dp_buf_release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_footers), cmocka_unit_test(hostile_footers), cmocka_unit_test(thrift_limits),
                                       cmocka_unit_test(page_headers)};
    return cmocka_run_group_tests_name("pq_meta", tests, NULL, NULL);
}
