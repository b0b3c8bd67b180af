/*
 * The Parquet reader over the corpus: row counts, refusals, the same rows for any batch size and from memory, projection, bounds;
 * and no crash over files with bytes changed.  Values are compared by tests/interop/parquet_corpus.py.
 */
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <dp/parquet/reader.h>
#include <dp/parquet/writer.h>

#include "pqrows.h"
#include "pqfile.h"
#include "../../lib/parquet/dec_priv.h"

static char corpus_path[1024];
static const char *corpus(void) { return corpus_path; }
#define NEED_CORPUS() dpt_shared(corpus_path, "corpus")

struct result {
    enum dp_status status;
    char msg[512];
    int64_t rows;
    struct dp_buf text;
};

static void read_rows(const struct dp_pq_file *f, struct dp_pq_reader *r, int64_t batch, struct result *out) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_batch b;
    dp_batch_init(&b, dp_pq_reader_schema(r));
    enum dp_status status = DP_OK;
    for (size_t g = 0; status == DP_OK && g < dp_pq_meta(f)->n_row_groups; g++) {
        status = dp_pq_reader_seek(r, g, &err);
        while (status == DP_OK && (status = dp_pq_reader_next(r, batch, &b, &err)) == DP_OK) {
            assert_in_range(b.length, 1, batch);
            out->rows += b.length;
            dp_batch_print(&b, 0, b.length, &(struct dp_print_opts){.binary_hex = true}, &out->text);
        }
        if (status == DP_END) status = DP_OK;
    }
    dp_batch_release(&b);
    out->status = status;
    snprintf(out->msg, sizeof out->msg, "%s", status == DP_OK ? "" : err.msg);
}

static struct result read_file(struct dp_pq_file *f, const char *const *columns, size_t n, int64_t batch) {
    struct result out = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_reader *r = NULL;
    out.status = dp_pq_reader_open(f, columns, n, &r, &err);
    if (out.status == DP_OK) read_rows(f, r, batch, &out);
    else snprintf(out.msg, sizeof out.msg, "%s", err.msg);
    dp_pq_reader_close(r);
    return out;
}

/* The same rows as a table. */
static struct result read_whole(const struct dp_pq_file *f, unsigned threads) {
    struct result out = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_pool *pool = dp_pool_open(threads);
    struct dp_pq_table t;
    out.status = dp_pq_table_read(f, NULL, 0, pool, &t, &err);
    snprintf(out.msg, sizeof out.msg, "%s", out.status == DP_OK ? "" : err.msg);
    for (size_t i = 0; i < t.n_batches; i++) {
        out.rows += t.batches[i].length;
        dp_batch_print(&t.batches[i], 0, t.batches[i].length, &(struct dp_print_opts){.binary_hex = true}, &out.text);
    }
    if (out.status == DP_OK) assert_int_equal(out.rows, t.rows);
    dp_pq_table_release(&t);
    dp_pool_close(pool);
    return out;
}

static void same_as_table(const char *name, const struct dp_pq_file *f, const struct result *want) {
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct result got = read_whole(f, threads);
        if ((got.status == DP_OK) != (want->status == DP_OK) && want->status != DP_LIMIT) fail_msg("%s: \"%s\" as batches, \"%s\" as a table", name, want->msg, got.msg);
        bool same = got.status != DP_OK || want->status != DP_OK || (got.text.n == want->text.n && (!got.text.n || !memcmp(got.text.p, want->text.p, got.text.n)));
        if (!same) fail_msg("%s: the table has other rows than the batches", name);
        dp_buf_release(&got.text);
    }
}

static struct result read_path(const char *path, int64_t batch) {
    struct result out = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f = NULL;
    out.status = dp_pq_open(path, &f, &err);
    if (out.status == DP_OK) {
        out = read_file(f, NULL, 0, batch);
        if (batch == 8192) same_as_table(path, f, &out);
    } else snprintf(out.msg, sizeof out.msg, "%s", err.msg);
    dp_pq_close(f);
    return out;
}

static struct result read_corpus(const char *name, int64_t batch) {
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", corpus(), name);
    return read_path(path, batch);
}

/* Calls fn for each file of the index: name from the corpus' root, rows (-1: none said), whether the other reader read it. */
static size_t each_file(const char *folder, void (*fn)(const char *name, int64_t rows, bool read)) {
    char path[5000], name[4200];
    struct dp_buf b = {0};
    struct dp_err err = DP_ERR_INIT;
    size_t count = 0;
    snprintf(path, sizeof path, "%s/%s/INDEX.ndjson", corpus(), folder);
    assert_int_equal(dp_file_read(path, 1 << 24, &b, &err), DP_OK);
    dp_buf_addc(&b, 0);
    for (char *line = b.p, *end; (end = strchr(line, '\n')); line = end + 1, count++) {
        *end = 0;
        char *at = strstr(line, "\"file\": \"") + 9, *rows = strstr(line, "\"rows\": ");
        snprintf(name, sizeof name, "%s/%.*s", folder, (int)strcspn(at, "\""), at);
        fn(name, rows ? atoll(rows + 8) : -1, strstr(line, "\"duckdb\": \"read") != NULL);
    }
    dp_buf_release(&b);
    return count;
}

/* Files that are refused on purpose, with a piece of the reason. */
static const struct {
    const char *name, *why;
    enum dp_status status;
} refused[] = {
    {"parquet/parquet-testing/datapage_v1-corrupt-checksum.parquet", "row group 0, column a, page 0: the page's checksum does not match", DP_FORMAT},
    {"parquet/parquet-testing/uniform_encryption.parquet.encrypted", "encrypted", DP_UNSUPPORTED},
    {"parquet/parquet-testing/encrypt_columns_and_footer.parquet.encrypted", "encrypted", DP_UNSUPPORTED},
    {"parquet/parquet-testing/encrypt_columns_plaintext_footer.parquet.encrypted", "column float_field", DP_UNSUPPORTED},
    {"parquet/duckdb/encryption/encrypted_column.parquet", "encrypted", DP_UNSUPPORTED},
    {"parquet/parquet-testing/large_string_map.brotli.parquet", "limit is 268435456", DP_LIMIT},
    {"parquet-bad/parquet-testing/ARROW-GH-45185.parquet", "the first repetition level is not 0", DP_FORMAT},
};

static void test_refused(void **state) {
    (void)state;
    NEED_CORPUS();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct result r = read_corpus(refused[i].name, 8192);
        if (r.status != refused[i].status || !strstr(r.msg, refused[i].why)) fail_msg("%s: %s: %s", refused[i].name, dp_status_name(r.status), r.msg);
        dp_buf_release(&r.text);
    }
}

static bool is_refused(const char *name) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!strcmp(name, refused[i].name)) return true;
    return false;
}

static void check_good(const char *name, int64_t rows, bool read) {
    if (is_refused(name) || !read) return;
    struct result a = read_corpus(name, 8192);
    if (a.status != DP_OK) fail_msg("%s: %s", name, a.msg);
    if (rows >= 0 && a.rows != rows) fail_msg("%s: %lld rows, expected %lld", name, (long long)a.rows, (long long)rows);
    struct result b = read_corpus(name, a.rows > 500 ? 997 : 7);
    if (b.status != DP_OK || b.text.n != a.text.n || (a.text.n && memcmp(a.text.p, b.text.p, a.text.n))) fail_msg("%s: rows depend on the batch's size", name);
    dp_buf_release(&a.text);
    dp_buf_release(&b.text);
}

static void test_good(void **state) {
    (void)state;
    NEED_CORPUS();
    assert_in_range(each_file("parquet", check_good), 100, 10000);
}

/* Within little memory the rows are the same, or there is a limit that is told; most columns are given back and found again on the way. */
static size_t n_within;
static void check_within(const char *name, int64_t rows, bool read) {
    if (is_refused(name) || !read) return;
    char path[5000];
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f = NULL;
    struct result a = read_corpus(name, 500);
    (void)rows;
    for (uint64_t memory = 80 << 10; memory <= 1280 << 10; memory *= 4) {
        snprintf(path, sizeof path, "%s/%s", corpus(), name);
        assert_int_equal(dp_pq_open(path, &f, &err), DP_OK);
        dp_pq_bound(f, memory);
        struct result b = read_file(f, NULL, 0, 500);
        if (b.status == DP_OK) n_within++;
        else if (b.status != DP_LIMIT) fail_msg("%s within %llu bytes: %s", name, (unsigned long long)memory, b.msg);
        if (b.status == DP_OK && (b.text.n != a.text.n || (a.text.n && memcmp(a.text.p, b.text.p, a.text.n)))) fail_msg("%s: rows depend on memory", name);
        dp_buf_release(&b.text);
        dp_pq_close(f);
    }
    dp_buf_release(&a.text);
}

static void test_within(void **state) {
    (void)state;
    NEED_CORPUS();
    each_file("parquet", check_within);
    assert_in_range(n_within, 200, 10000);
}

/* A batch that does not fit begins again at the chunk's start, where its dictionary stands. */
static void test_dictionary_again(void **state) {
    (void)state;
    enum { LONG = 20000, ROWS = 8000 };
    struct pqfile f;
    struct dp_pq_file *file = NULL;
    struct dp_err err = DP_ERR_INIT;
    char *body = dp_alloc(LONG + 4);
    uint32_t n = LONG;
    memcpy(body, &n, 4);
    memset(body + 4, 'x', LONG);
    pqfile_begin(&f, 1);
    pqfile_leaf(&f, "s", DP_PQ_REQUIRED, DP_PQ_BYTE_ARRAY, DP_PQ_L_STRING);
    pqfile_chunk(&f, DP_PQ_BYTE_ARRAY, DP_PQ_UNCOMPRESSED, ROWS);
    pqfile_page(&f, (struct dp_pq_page_header){.type = DP_PQ_DICTIONARY_PAGE, .num_values = 1}, body, LONG + 4);
    pqfile_page(&f, pqfile_v1(ROWS, DP_PQ_RLE_DICTIONARY), "\x01\x80\x7d\x00", 4); /* a run of 8000 */
    assert_true(pqfile_end(&f, ROWS));
    assert_int_equal(dp_pq_open_memory(f.bytes.p, f.bytes.n, "hand", &file, &err), DP_OK);
    struct result r = read_file(file, NULL, 0, ROWS);
    if (r.status != DP_OK) fail_msg("%s", r.msg);
    assert_int_equal(r.rows, ROWS);
    assert_int_equal(r.text.n, (size_t)ROWS * (LONG + 9));
    dp_buf_release(&r.text);
    dp_pq_close(file);
    pqfile_release(&f);
    free(body);
}

/* Big endian decimals of every width are what the plain decoder says, one by one. */
static void test_fixed_decimals(void **state) {
    (void)state;
    enum { ROWS = 37 };
    static const int32_t digits[] = {0, 2, 4, 6, 9, 11, 14, 16, 18, 21, 23, 26, 28, 31, 33, 36, 38};
    for (int32_t width = 1; width <= 16; width++) {
        uint8_t body[ROWS * 16], want[16];
        struct pqfile f;
        struct dp_pq_file *file = NULL;
        struct dp_pq_reader *r = NULL;
        struct dp_batch b;
        struct dp_err err = DP_ERR_INIT;
        for (unsigned i = 0; i < sizeof body; i++) body[i] = (uint8_t)(i * 2654435761u >> 13);
        memset(body, 0xFF, (size_t)width), memset(body + width, 0, (size_t)width);
        pqfile_begin(&f, 1);
        struct dp_pq_element *e = pqfile_leaf(&f, "d", DP_PQ_REQUIRED, DP_PQ_FLBA, DP_PQ_L_DECIMAL);
        e->type_length = width, e->precision = digits[width], e->converted = DP_PQ_C_DECIMAL;
        pqfile_chunk(&f, DP_PQ_FLBA, DP_PQ_UNCOMPRESSED, ROWS);
        pqfile_page(&f, pqfile_v1(ROWS, DP_PQ_PLAIN), body, (size_t)width * ROWS);
        assert_true(pqfile_end(&f, ROWS));
        assert_int_equal(dp_pq_open_memory(f.bytes.p, f.bytes.n, "hand", &file, &err), DP_OK);
        assert_int_equal(dp_pq_reader_open(file, NULL, 0, &r, &err), DP_OK);
        dp_batch_init(&b, dp_pq_reader_schema(r));
        assert_int_equal(dp_pq_reader_seek(r, 0, &err), DP_OK);
        assert_int_equal(dp_pq_reader_next(r, ROWS, &b, &err), DP_OK);
        for (size_t i = 0; i < ROWS; i++) {
            assert_true(dp_pq_decimal(body + i * (size_t)width, (size_t)width, want));
            assert_memory_equal(b.columns[0].data + i * 16, want, 16);
        }
        dp_batch_release(&b);
        dp_pq_reader_close(r);
        dp_pq_close(file);
        pqfile_release(&f);
    }
}

static void check_bad(const char *name, int64_t rows, bool read) {
    (void)rows, (void)read;
    struct result a = read_corpus(name, 8192);
    if (a.status != DP_OK && (!a.msg[0] || (a.status != DP_FORMAT && a.status != DP_LIMIT && a.status != DP_UNSUPPORTED)))
        fail_msg("%s: %s: %s", name, dp_status_name(a.status), a.msg);
    dp_buf_release(&a.text);
}

static void test_bad(void **state) {
    (void)state;
    NEED_CORPUS();
    assert_in_range(each_file("parquet-bad", check_bad), 50, 10000);
}

/* Deterministic damage: each file with single bytes changed, and cut short. */
static void check_damaged(const char *name, int64_t rows, bool read) {
    char path[5000];
    struct dp_buf b = {0};
    struct dp_err err = DP_ERR_INIT;
    (void)rows, (void)read;
    snprintf(path, sizeof path, "%s/%s", corpus(), name);
    if (dp_file_read(path, 20000, &b, &err) != DP_OK || b.n < 12) {
        dp_buf_release(&b);
        return;
    }
    uint64_t seed = b.n * 2654435761u + 1;
    for (int i = 0; i < 24; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        size_t at = (size_t)(seed >> 16) % (b.n - 8);
        char was = b.p[at];
        b.p[at] = (char)(i % 3 ? seed >> 8 : (uint64_t)(uint8_t)was ^ (1u << (seed & 7)));
        uint8_t *exact = dp_alloc(b.n); /* so that the sanitizer sees a read behind the end */
        memcpy(exact, b.p, b.n);
        struct dp_pq_file *f = NULL;
        if (dp_pq_open_memory(exact, b.n, "damaged", &f, &err) == DP_OK) {
            int64_t claimed = dp_pq_meta(f)->num_rows;
            struct result r = {0};
            if (claimed < 100000) r = read_file(f, NULL, 0, 1000);
            if (claimed < 100000 && i % 4 == 0) same_as_table(name, f, &r);
            dp_buf_release(&r.text);
        }
        dp_pq_close(f);
        free(exact);
        b.p[at] = was;
    }
    dp_buf_release(&b);
}

static void test_damaged(void **state) {
    (void)state;
    NEED_CORPUS();
    each_file("parquet", check_damaged);
    each_file("parquet-bad", check_damaged);
}

static void test_projection(void **state) {
    (void)state;
    NEED_CORPUS();
    char path[5000];
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f;
    struct dp_pq_reader *r;
    snprintf(path, sizeof path, "%s/parquet/parquet-testing/alltypes_plain.parquet", corpus());
    assert_int_equal(dp_pq_open(path, &f, &err), DP_OK);
    const char *const two[] = {"bigint_col", "id"}, *const none[] = {"nothing"}, *const twice[] = {"id", "id"};
    struct result a = read_file(f, two, 2, 3);
    assert_int_equal(a.status, DP_OK);
    static const char first[] = "{\"bigint_col\":0,\"id\":4}\n{\"bigint_col\":10,\"id\":5}\n";
    assert_true(a.text.n > sizeof first && !memcmp(a.text.p, first, sizeof first - 1));
    dp_buf_release(&a.text);
    assert_int_equal(dp_pq_reader_open(f, none, 1, &r, &err), DP_SCHEMA);
    assert_string_equal(err.msg, "no column nothing");
    assert_int_equal(dp_pq_reader_open(f, twice, 2, &r, &err), DP_USAGE);
    struct result zero = read_file(f, none, 0, 3);
    assert_int_equal(zero.rows, 8);
    dp_buf_release(&zero.text);
    dp_pq_close(f);
}

static void test_not_parquet(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        enum dp_status status;
    } t[] = {
        {"", 0, DP_FORMAT},
        {"PAR1PAR1", 8, DP_FORMAT},
        {"PAR1\0\0\0\0PAR1", 12, DP_FORMAT},
        {"PAR1\1\0\0\0PAR1", 12, DP_FORMAT},
        {"PAR1\xFF\xFF\xFF\xFFPAR1", 12, DP_FORMAT},
        {"PAR1\0\0\0\0\0PARE", 13, DP_UNSUPPORTED},
        {"a,b\n1,2\n3,4\n", 12, DP_FORMAT},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct dp_err err = DP_ERR_INIT;
        struct dp_pq_file *f;
        assert_int_equal(dp_pq_open_memory(t[i].bytes, t[i].n, "t", &f, &err), t[i].status);
        assert_string_equal(err.source, "t");
    }
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f;
    assert_int_equal(dp_pq_open("/nonexistent/file", &f, &err), DP_IO);
    assert_int_equal(dp_pq_open("/tmp", &f, &err), DP_UNSUPPORTED);
}

/* Every value of every file lies within the bounds that are said of it, as text or as number. */
static void check_bounds(const char *name, int64_t rows, bool read) {
    char path[5000];
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f = NULL;
    (void)rows;
    if (!read) return;
    snprintf(path, sizeof path, "%s/%s", corpus(), name);
    if (dp_pq_open(path, &f, &err) != DP_OK) return;
    const struct dp_pq_meta *m = dp_pq_meta(f);
    struct dp_buf min = {0}, max = {0};
    for (size_t g = 0; g < m->n_row_groups; g++)
        for (size_t i = 0; i < m->n_leaves; i++) {
            int64_t nulls;
            if (!dp_pq_bounds(m, g, i, &min, &max, &nulls)) continue;
            assert_true(nulls >= -1);
            if (dp_str_cmp(dp_buf_str(&min), dp_buf_str(&max)) > 0) {
                double a, b;
                if (!dp_parse_double(dp_buf_str(&min), &a) || !dp_parse_double(dp_buf_str(&max), &b) || a > b)
                    print_message("%s: leaf %zu: %s > %s\n", name, i, dp_buf_z(&min), dp_buf_z(&max));
            }
        }
    dp_buf_release(&min);
    dp_buf_release(&max);
    dp_pq_close(f);
}

static void test_bounds(void **state) {
    (void)state;
    NEED_CORPUS();
    each_file("parquet", check_bounds);
}

/* ---- values too wide for a batch ---- */

/* Rows of 1 MiB of text between narrow ones, and a list that grows: batches become shorter, no row is lost or read twice. */
static void test_wide_rows(void **state) {
    (void)state;
    struct dp_type *schema;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf file = {0}, big = {0};
    struct dp_batch b;
    struct dp_pool *pool = dp_pool_open(1);
    struct dp_pq_writer *w;
    assert_int_equal(dp_type_parse(DP_STR("struct<id:int64,s:string,l:list<int64>>"), &schema, &err), DP_OK);
    dp_batch_init(&b, schema);
    memset(dp_buf_reserve(&big, 1 << 20), 'x', 1 << 20);
    big.n = 1 << 20;
    for (int64_t i = 0; i < 300; i++) {
        bool wide = i >= 100 && i < 200;
        dp_column_append_fixed(&b.columns[0], &i, 1);
        dp_column_append_bytes(&b.columns[1], big.p, wide ? big.n - (size_t)(i % 3) : 3);
        for (int64_t k = 0; k < i % 5; k++) dp_column_append_fixed(&b.columns[2].children[0], &k, 1);
        dp_column_reserve(&b.columns[2], 1);
        b.columns[2].offsets[i + 1] = (int32_t)b.columns[2].children[0].length;
        b.columns[2].length++;
        b.length++;
    }
    struct dp_pq_writer_opts opts = {.codec = DP_PQ_ZSTD, .level = 1};
    assert_int_equal(dp_pq_writer_open(schema, &opts, pool, to_buf, &file, &w, &err), DP_OK);
    assert_int_equal(dp_pq_writer_add(w, &b, &err), DP_OK);
    assert_int_equal(dp_pq_writer_finish(w, &err), DP_OK);
    dp_pq_writer_close(w);

    struct dp_pq_file *f;
    struct dp_pq_reader *r;
    struct dp_batch got;
    assert_int_equal(dp_pq_open_memory(file.p, file.n, "wide", &f, &err), DP_OK);
    assert_int_equal(dp_pq_reader_open(f, NULL, 0, &r, &err), DP_OK);
    dp_batch_init(&got, dp_pq_reader_schema(r));
    int64_t row = 0, batches = 0;
    for (size_t g = 0; g < dp_pq_meta(f)->n_row_groups; g++) {
        enum dp_status status = dp_pq_reader_seek(r, g, &err);
        while (status == DP_OK && (status = dp_pq_reader_next(r, 300, &got, &err)) == DP_OK) {
            batches++;
            assert_true(dp_batch_bytes(&got) < (80u << 20));
            for (int64_t i = 0; i < got.length; i++, row++) {
                const int32_t *s = got.columns[1].offsets, *l = got.columns[2].offsets;
                assert_int_equal(((int64_t *)(void *)got.columns[0].data)[i], row);
                assert_int_equal(s[i + 1] - s[i], row >= 100 && row < 200 ? (1 << 20) - row % 3 : 3);
                assert_int_equal(l[i + 1] - l[i], row % 5);
            }
        }
        assert_int_equal(status, DP_END);
    }
    assert_int_equal(row, 300);
    assert_true(batches > 3);
    dp_batch_release(&got);
    dp_pq_reader_close(r);
    dp_pq_close(f);
    dp_batch_release(&b);
    dp_type_free(schema);
    dp_pool_close(pool);
    dp_buf_release(&file);
    dp_buf_release(&big);
}

/* Texts of more than one piece of a table's memory, nulls that begin late, and a bound that such a table passes. */
static void test_large_table(void **state) {
    (void)state;
    enum { LONG = 1000, ROWS = 70000 };
    struct dp_type *schema;
    struct dp_err err = DP_ERR_INIT;
    struct dp_buf file = {0};
    struct dp_batch b;
    struct dp_pool *pool = dp_pool_open(2);
    struct dp_pq_writer *w;
    struct dp_pq_file *f;
    struct dp_pq_table t;
    char text[LONG];
    memset(text, 'x', LONG);
    assert_int_equal(dp_type_parse(DP_STR("struct<s:string,l:list<string>,n:int32>"), &schema, &err), DP_OK);
    dp_batch_init(&b, schema);
    for (int32_t i = 0; i < ROWS; i++) {
        struct dp_column *l = &b.columns[1];
        text[0] = (char)('a' + i % 7);
        if (i > 60000 && i % 11 == 0) dp_column_append_null(&b.columns[0]);
        else dp_column_append_bytes(&b.columns[0], text, LONG);
        for (int32_t k = 0; k < i % 3; k++) dp_column_append_bytes(&l->children[0], text, (size_t)(k + 1) * 20);
        dp_column_reserve(l, 1);
        l->offsets[i + 1] = (int32_t)l->children[0].length;
        dp_column_push_valid(l, 1);
        dp_column_append_fixed(&b.columns[2], &i, 1);
        b.length++;
    }
    struct dp_pq_writer_opts opts = {.codec = DP_PQ_SNAPPY, .row_group_bytes = INT64_C(1) << 40};
    assert_int_equal(dp_pq_writer_open(schema, &opts, pool, to_buf, &file, &w, &err), DP_OK);
    assert_int_equal(dp_pq_writer_add(w, &b, &err), DP_OK);
    assert_int_equal(dp_pq_writer_finish(w, &err), DP_OK);
    dp_pq_writer_close(w);
    assert_int_equal(dp_pq_open_memory(file.p, file.n, "large", &f, &err), DP_OK);
    assert_int_equal(dp_pq_table_read(f, NULL, 0, pool, &t, &err), DP_OK);
    int64_t at = 0;
    for (size_t g = 0; g < t.n_batches; at += t.batches[g++].length) {
        struct dp_column *got = t.batches[g].columns;
        for (int64_t i = 0; i < t.batches[g].length; i++) {
            bool there = !(at + i > 60000 && (at + i) % 11 == 0);
            assert_int_equal(dp_column_is_valid(&got[0], i), there);
            assert_int_equal(got[0].offsets[i + 1] - got[0].offsets[i], there ? LONG : 0);
            if (there) assert_int_equal(got[0].data[got[0].offsets[i]], 'a' + (at + i) % 7);
            if (there) assert_int_equal(got[0].data[got[0].offsets[i + 1] - 1], 'x');
            assert_int_equal(got[1].offsets[i + 1] - got[1].offsets[i], (at + i) % 3);
            assert_int_equal(((int32_t *)(void *)got[2].data)[i], at + i);
        }
    }
    assert_int_equal(at, ROWS);
    dp_pq_table_release(&t);
    dp_pq_table_release(&t);
    const char *n[] = {"n"}, *no[] = {"none"};
    dp_pq_bound(f, 8u << 20);
    assert_int_equal(dp_pq_table_read(f, NULL, 0, pool, &t, &err), DP_LIMIT);
    assert_null(t.memory);
    assert_int_equal(dp_pq_table_read(f, no, 1, pool, &t, &err), DP_SCHEMA);
    assert_int_equal(dp_pq_table_read(f, n, 1, pool, &t, &err), DP_OK);
    assert_int_equal(t.schema->n_children, 1);
    dp_pq_table_release(&t);
    dp_pq_close(f);
    dp_batch_release(&b);
    dp_type_free(schema);
    dp_pool_close(pool);
    dp_buf_release(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_parquet), cmocka_unit_test(test_refused),    cmocka_unit_test(test_good), cmocka_unit_test(test_within), cmocka_unit_test(test_dictionary_again),   cmocka_unit_test(test_bad),
        cmocka_unit_test(test_projection),  cmocka_unit_test(test_damaged), cmocka_unit_test(test_bounds), cmocka_unit_test(test_wide_rows), cmocka_unit_test(test_large_table), cmocka_unit_test(test_fixed_decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
