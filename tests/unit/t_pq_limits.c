/*
 * Limits of dp/base/limits.h that a Parquet file can meet, at the limit and one past it.  The files are made here, byte by byte where it counts:
 * small ones that ask for much.  What is just within a limit and not well-formed is DP_FORMAT: it was looked at.
 */
#include <dp/base/limits.h>
#include <dp/parquet/meta.h>
#include <dp/parquet/reader.h>
#include <dp/parquet/writer.h>

#include "pqrows.h"

static void put_varint(struct dp_buf *b, uint64_t v) {
    for (; v > 127; v >>= 7) dp_buf_addc(b, (char)(v | 128));
    dp_buf_addc(b, (char)v);
}
static void put_le32(struct dp_buf *b, uint32_t v) {
    for (int i = 0; i < 4; i++) dp_buf_addc(b, (char)(v >> 8 * i));
}
static void put_i32(struct dp_buf *b, int32_t v) { /* the next field of a Thrift struct */
    dp_buf_addc(b, 0x15);
    put_varint(b, ((uint32_t)v << 1) ^ (uint32_t)(v >> 31));
}
static void put_zero(struct dp_buf *b, size_t n) {
    memset(dp_buf_reserve(b, n), 0, n);
    b->n += n;
}
static void put_run(struct dp_buf *b, uint64_t n, char level) {
    put_varint(b, n << 1);
    dp_buf_addc(b, level);
}

/* A version 1 page; filler bytes of statistics in its header (0: none). */
static void put_page(struct dp_buf *b, int32_t values, int32_t raw, int32_t packed, size_t filler) {
    dp_buf_addc(b, 0x15), dp_buf_addc(b, 0); /* type */
    put_i32(b, raw), put_i32(b, packed);
    dp_buf_addc(b, 0x2c); /* field 5: data_page_header */
    put_i32(b, values), put_i32(b, DP_PQ_PLAIN), put_i32(b, DP_PQ_RLE), put_i32(b, DP_PQ_RLE);
    if (filler) {
        dp_buf_addc(b, 0x1c), dp_buf_addc(b, 0x18); /* statistics, max */
        put_varint(b, filler);
        put_zero(b, filler);
        dp_buf_addc(b, 0);
    }
    dp_buf_addc(b, 0), dp_buf_addc(b, 0);
}

/* A file of one row and one column, as the writer makes it; change() makes of it what is wanted. */
static struct dp_pq_file *make(const char *type, struct dp_buf *b) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_writer *w = NULL;
    struct dp_pq_writer_opts o = {0};
    struct dp_type *t = NULL;
    struct dp_batch one;
    struct dp_pq_file *f = NULL;
    assert_int_equal(dp_type_parse(dp_str_z(type), &t, &err), DP_OK);
    dp_batch_init(&one, t);
    dp_column_append_null(&one.columns[0]);
    one.length = 1;
    if (dp_pq_writer_open(t, &o, NULL, to_buf, b, &w, &err) != DP_OK || dp_pq_writer_add(w, &one, &err) != DP_OK || dp_pq_writer_finish(w, &err) != DP_OK)
        fail_msg("%s", err.msg);
    dp_pq_writer_close(w);
    dp_batch_release(&one);
    dp_type_free(t);
    if (dp_pq_open_memory(b->p, b->n, "made", &f, &err) != DP_OK) fail_msg("%s", err.msg);
    return f;
}

static void put_file(struct dp_buf *b, const struct dp_buf *pages, const struct dp_pq_meta *meta) {
    dp_buf_addz(b, "PAR1");
    dp_buf_add(b, pages->p, pages->n);
    size_t at = b->n;
    dp_pq_meta_write(meta, b);
    put_le32(b, (uint32_t)(b->n - at));
    dp_buf_addz(b, "PAR1");
}

static enum dp_status read_all(const struct dp_buf *b, struct dp_err *err) {
    struct dp_pq_file *f = NULL;
    struct dp_pq_reader *r = NULL;
    struct dp_batch rows;
    DP_TRY(dp_pq_open_memory(b->p, b->n, "made", &f, err));
    enum dp_status status = dp_pq_reader_open(f, NULL, 0, &r, err);
    if (status == DP_OK) {
        dp_batch_init(&rows, dp_pq_reader_schema(r));
        for (size_t g = 0; g < dp_pq_meta(f)->n_row_groups && status == DP_OK; g++)
            if ((status = dp_pq_reader_seek(r, g, err)) == DP_OK) status = dp_pq_reader_next(r, 1024, &rows, err);
        dp_batch_release(&rows);
    }
    dp_pq_reader_close(r);
    dp_pq_close(f);
    return status;
}

/* The file of one row whose only column chunk is these pages. */
static enum dp_status read_pages(const char *type, const struct dp_buf *pages, int64_t values, enum dp_pq_codec codec, struct dp_err *err) {
    struct dp_buf model = {0}, b = {0};
    struct dp_pq_file *f = make(type, &model);
    struct dp_pq_meta meta = *dp_pq_meta(f);
    struct dp_pq_row_group *g = &meta.row_groups[0];
    g->total_byte_size = g->total_compressed = (int64_t)pages->n;
    g->chunks[0] = (struct dp_pq_chunk){.type = g->chunks[0].type, .codec = codec, .encodings = 1u << DP_PQ_PLAIN | 1u << DP_PQ_RLE, .num_values = values,
        .total_uncompressed = (int64_t)pages->n, .total_compressed = (int64_t)pages->n, .data_page_offset = 4, .dictionary_page_offset = -1,
        .bloom_offset = -1, .bloom_length = -1, .column_index_offset = -1, .offset_index_offset = -1, .unencoded_bytes = -1,
        .stats = {.null_count = -1, .distinct_count = -1, .nan_count = -1, .min_exact = -1, .max_exact = -1}};
    put_file(&b, pages, &meta);
    enum dp_status status = read_all(&b, err);
    dp_pq_close(f);
    dp_buf_release(&model), dp_buf_release(&b);
    return status;
}

static void expect(const char *what, bool over, enum dp_status got, enum dp_status want, const struct dp_err *err, const char *words) {
    if (got != want || (over && !strstr(err->msg, words))) fail_msg("%s, %s: %s %s", what, over ? "past" : "at", dp_status_name(got), err->msg);
}

static void page_sizes(void **state) {
    (void)state;
    static const struct { const char *what; bool is_raw; enum dp_status at; } cases[] = {{"unpacked", true, DP_FORMAT}, {"packed", false, DP_FORMAT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned over = 0; over < 2; over++) {
            struct dp_buf pages = {0};
            struct dp_err err = DP_ERR_INIT;
            int32_t n = (int32_t)(DP_LIMIT_PAGE + over);
            put_page(&pages, 1, cases[i].is_raw ? n : 6, cases[i].is_raw ? 6 : n, 0);
            put_zero(&pages, 6);
            expect(cases[i].what, over, read_pages("struct<v:int64>", &pages, 1, DP_PQ_SNAPPY, &err), over ? DP_LIMIT : cases[i].at, &err, "the limit is");
            dp_buf_release(&pages);
        }
}

static void page_header(void **state) {
    (void)state;
    struct dp_buf bare = {0};
    put_page(&bare, 1, 6, 6, 1u << 23);
    size_t around = bare.n - (1u << 23); /* a length below 2^28 takes four bytes */
    for (unsigned over = 0; over < 2; over++) {
        struct dp_buf pages = {0};
        struct dp_err err = DP_ERR_INIT;
        put_page(&pages, 1, 6, 6, DP_LIMIT_PAGE_HEADER - around + over);
        assert_int_equal(pages.n, DP_LIMIT_PAGE_HEADER + over);
        put_le32(&pages, 2);
        put_run(&pages, 1, 0); /* one null */
        expect("header", over, read_pages("struct<v:int64>", &pages, 1, DP_PQ_UNCOMPRESSED, &err), over ? DP_FORMAT : DP_OK, &err, "page 0");
        dp_buf_release(&pages);
    }
    dp_buf_release(&bare);
}

/* One row, a list of so many nulls: runs of levels, no values. */
static void row_values(void **state) {
    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        struct dp_buf pages = {0}, rep = {0}, def = {0};
        struct dp_err err = DP_ERR_INIT;
        int32_t n = (int32_t)(DP_LIMIT_ROW_VALUES + over);
        put_run(&rep, 1, 0), put_run(&rep, (uint64_t)n - 1, 1);
        put_run(&def, (uint64_t)n, 2);
        int32_t bytes = (int32_t)(rep.n + def.n + 8);
        put_page(&pages, n, bytes, bytes, 0);
        put_le32(&pages, (uint32_t)rep.n), dp_buf_add(&pages, rep.p, rep.n);
        put_le32(&pages, (uint32_t)def.n), dp_buf_add(&pages, def.p, def.n);
        expect("row", over, read_pages("struct<l:list<boolean>>", &pages, n, DP_PQ_UNCOMPRESSED, &err), over ? DP_LIMIT : DP_OK, &err, "column l");
        dp_buf_release(&pages), dp_buf_release(&rep), dp_buf_release(&def);
    }
}

static void fixed_width(void **state) {
    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        struct dp_buf model = {0}, b = {0}, none = {0};
        struct dp_err err = DP_ERR_INIT;
        struct dp_pq_file *f = make("struct<v:fixed(16)>", &model);
        struct dp_pq_meta meta = *dp_pq_meta(f);
        meta.elements[1].type_length = (int32_t)(DP_LIMIT_FIXED_WIDTH + over);
        meta.num_rows = 0, meta.n_row_groups = 0;
        put_file(&b, &none, &meta);
        expect("width", over, read_all(&b, &err), over ? DP_LIMIT : DP_OK, &err, "the limit is");
        dp_pq_close(f);
        dp_buf_release(&model), dp_buf_release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(page_sizes), cmocka_unit_test(page_header), cmocka_unit_test(row_values), cmocka_unit_test(fixed_width)};
    return cmocka_run_group_tests_name("pq_limits", tests, NULL, NULL);
}
