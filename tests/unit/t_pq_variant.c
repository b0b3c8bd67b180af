/*
 * Variants: values byte for byte, hostile ones, shredded groups made by hand, and the samples of the corpus, whose shredded files
 * and encoded values must give the same JSON.
 */
#include "../../lib/parquet/variant_priv.h"
#include "dpt.h"
#include "pqfile.h"
#include <dirent.h>
#include <dp/base/file.h>
#include <dp/parquet/reader.h>

#define BYTES(s) (s), sizeof(s) - 1

static const char no_names[] = "\x01\x00\x00", ab[] = "\x11\x02\x00\x01\x02" "ab", ba[] = "\x01\x02\x00\x01\x02" "ba";

/* A value's JSON, or "! " and why there is none. */
static struct dp_str put(const char *metadata, size_t metadata_n, const char *value, size_t n, size_t most, struct dp_buf *text) {
    struct dp_variant_out o = {.to = text, .most = most};
    /* in memory of their own sizes, so that a sanitizer sees one byte too far */
    char *m = dp_strndup(metadata, metadata_n), *v = malloc(n ? n : 1);
    assert_non_null(v);
    if (n) memcpy(v, value, n);
    dp_buf_reset(text);
    if (!dp_variant_begin(&o, dp_str(m, metadata_n)) || !dp_variant_put(&o, (const uint8_t *)v, n, 0)) {
        dp_buf_reset(text);
        dp_buf_addf(text, "! %s", o.why);
    }
    dp_buf_release(&o.fields);
    free(m);
    free(v);
    return dp_buf_str(text);
}

static const struct {
    const char *metadata; size_t metadata_n;
    const char *value; size_t n;
    const char *want;
} values[] = {
    {BYTES(no_names), BYTES("\x00"), "null"},
    {BYTES(no_names), BYTES("\x04"), "true"},
    {BYTES(no_names), BYTES("\x08"), "false"},
    {BYTES(no_names), BYTES("\x0c\xde"), "-34"},
    {BYTES(no_names), BYTES("\x10\x2e\xfb"), "-1234"},
    {BYTES(no_names), BYTES("\x14\x39\x30\x00\x00"), "12345"},
    {BYTES(no_names), BYTES("\x18\x00\x00\x00\x00\x00\x00\x00\x80"), "-9223372036854775808"},
    {BYTES(no_names), BYTES("\x1c\x9a\x99\x99\x99\x99\x99\xb9\x3f"), "0.1"},
    {BYTES(no_names), BYTES("\x1c\x00\x00\x00\x00\x00\x00\xf8\x7f"), "\"NaN\""},
    {BYTES(no_names), BYTES("\x1c\x00\x00\x00\x00\x00\x00\xf0\xff"), "\"-Infinity\""},
    {BYTES(no_names), BYTES("\x20\x02\xd2\x04\x00\x00"), "12.34"},
    {BYTES(no_names), BYTES("\x20\x02\x2e\xfb\xff\xff"), "-12.34"},
    {BYTES(no_names), BYTES("\x24\x00\xff\xff\xff\xff\xff\xff\xff\xff"), "-1"},
    {BYTES(no_names), BYTES("\x28\x26\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "0.00000000000000000000000000000000000001"},
    {BYTES(no_names), BYTES("\x28\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "-1"},
    {BYTES(no_names), BYTES("\x28\x27\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "! a decimal with a scale above 38"},
    {BYTES(no_names), BYTES("\x2c\xff\xff\xff\xff"), "\"1969-12-31\""},
    {BYTES(no_names), BYTES("\x30\x01\x00\x00\x00\x00\x00\x00\x00"), "\"1970-01-01T00:00:00.000001Z\""},
    {BYTES(no_names), BYTES("\x34\x00\x00\x00\x00\x00\x00\x00\x00"), "\"1970-01-01T00:00:00\""},
    {BYTES(no_names), BYTES("\x38\xcd\xcc\xcc\x3d"), "0.1"},
    {BYTES(no_names), BYTES("\x3c\x03\x00\x00\x00\x00\x01\x02"), "\"AAEC\""},
    {BYTES(no_names), BYTES("\x40\x02\x00\x00\x00hi"), "\"hi\""},
    {BYTES(no_names), BYTES("\x44\x40\x42\x0f\x00\x00\x00\x00\x00"), "\"00:00:01\""},
    {BYTES(no_names), BYTES("\x48\xff\xff\xff\xff\xff\xff\xff\xff"), "\"1969-12-31T23:59:59.999999999Z\""},
    {BYTES(no_names), BYTES("\x4c\x01\x00\x00\x00\x00\x00\x00\x00"), "\"1970-01-01T00:00:00.000000001\""},
    {BYTES(no_names), BYTES("\x50\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"), "\"00112233-4455-6677-8899-aabbccddeeff\""},
    {BYTES(no_names), BYTES("\x0d" "n/a"), "\"n/a\""},
    {BYTES(no_names), BYTES("\x01"), "\"\""},
    {BYTES(no_names), BYTES("\x03\x00\x00"), "[]"},
    {BYTES(no_names), BYTES("\x03\x02\x00\x01\x03\x04\x0c\x07"), "[true,7]"},
    {BYTES(no_names), BYTES("\x02\x00\x00"), "{}"},
    {BYTES(ab), BYTES("\x02\x02\x00\x01\x00\x01\x03\x00\x0c\x07"), "{\"a\":null,\"b\":7}"},
    {BYTES(ab), BYTES("\x02\x02\x00\x01\x02\x00\x03\x0c\x07\x00"), "{\"a\":null,\"b\":7}"}, /* values in another order than keys */
    {BYTES(ba), BYTES("\x02\x02\x00\x01\x00\x01\x03\x00\x0c\x07"), "{\"a\":7,\"b\":null}"}, /* keys out of order */
    {BYTES(ab), BYTES("\x46\x01\x00\x00\x00\x01\x00\x00\x01\x00\x04"), "{\"b\":true}"}, /* large, offsets of two bytes */
    {BYTES(no_names), BYTES("\x13\x01\x00\x00\x00\x00\x01\x04"), "[true]"},                /* a large array */
    {BYTES("\x41\x01\x00\x00\x00\x01\x00k"), BYTES("\x02\x01\x00\x00\x01\x04"), "{\"k\":true}"}, /* offsets of two bytes in the metadata */
    /* hostile */
    {BYTES(""), BYTES("\x00"), "! its metadata is empty"},
    {BYTES("\x02\x00\x00"), BYTES("\x00"), "! its metadata is of a version that is not known"},
    {BYTES("\xc1\xff\xff\xff\xff"), BYTES("\x00"), "! its metadata is cut short"},
    {BYTES("\x01\x01\x00"), BYTES("\x00"), "! its metadata is cut short"},
    {BYTES(no_names), BYTES(""), "! its bytes are cut short"},
    {BYTES(no_names), BYTES("\x14\x39\x30\x00"), "! its bytes are cut short"},
    {BYTES(no_names), BYTES("\x40\xff\xff\xff\xff" "hi"), "! its bytes are cut short"},
    {BYTES(no_names), BYTES("\x0d" "n/"), "! its bytes are cut short"},
    {BYTES(no_names), BYTES("\x05\xff"), "! text that is not UTF-8"},
    {BYTES(no_names), BYTES("\x54"), "! a value of a type that is not known"},
    {BYTES(no_names), BYTES("\x03\x02\x00\x01\x09\x04\x0c\x07"), "! its bytes are cut short"},
    {BYTES(no_names), BYTES("\x03\x02\x00\x03\x03\x04\x0c\x07"), "! a value that lies outside of its object or array"},
    {BYTES(no_names), BYTES("\x13\xff\xff\xff\xff\x00"), "! its bytes are cut short"},
    {BYTES(ab), BYTES("\x02\x01\x02\x00\x01\x04"), "! a key that its metadata does not have"},
    {BYTES(ab), BYTES("\x02\x02\x01\x01\x00\x01\x02\x04\x08"), "! an object with the same key twice"},
    {BYTES("\x11\x02\x00\x09\x02" "ab"), BYTES("\x02\x01\x00\x00\x01\x04"), "! a key that lies outside of its metadata"},
    {BYTES("\x11\x01\x00\x01\xff"), BYTES("\x02\x01\x00\x00\x01\x04"), "! text that is not UTF-8"},
};

static void test_values(void **state) {
    (void)state;
    struct dp_buf text = {0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct dp_str got = put(values[i].metadata, values[i].metadata_n, values[i].value, values[i].n, 1 << 20, &text);
        if (!dp_str_eqz(got, values[i].want)) fail_msg("value %zu: got %.*s, expected %s", i, DP_STR_FMT(got), values[i].want);
        if (values[i].want[0] == '!') continue;
        for (size_t n = 0; n < values[i].n; n++) { /* no shorter one is read too far */
            got = put(values[i].metadata, values[i].metadata_n, values[i].value, n, 1 << 20, &text);
            assert_true(got.n > 0);
        }
    }
    dp_buf_release(&text);
}

/* Arrays in arrays: the limit, and one past it. */
static void test_depth(void **state) {
    (void)state;
    struct dp_buf value = {0}, next = {0}, text = {0};
    for (unsigned over = 0; over < 2; over++) {
        dp_buf_reset(&value);
        dp_buf_addc(&value, 0);
        for (unsigned i = 0; i < DP_LIMIT_VARIANT_DEPTH + over; i++) { /* offsets of two bytes */
            dp_buf_reset(&next);
            dp_buf_add(&next, "\x07\x01\x00\x00", 4);
            dp_buf_addc(&next, (char)(value.n & 255)), dp_buf_addc(&next, (char)(value.n >> 8));
            dp_buf_adds(&next, dp_buf_str(&value));
            struct dp_buf swap = value;
            value = next, next = swap;
        }
        struct dp_str got = put(BYTES(no_names), value.p, value.n, 1 << 20, &text);
        assert_int_equal(dp_str_eqz(got, "! it is nested too deep"), over);
    }
    dp_buf_release(&value), dp_buf_release(&next), dp_buf_release(&text);
}

/* Objects whose two fields share one value, thirty deep: 2^30 values in 240 bytes. */
static void test_shared_values(void **state) {
    (void)state;
    struct dp_buf value = {0}, next = {0}, text = {0};
    dp_buf_addc(&value, 4);
    for (unsigned i = 0; i < 30; i++) {
        dp_buf_reset(&next);
        dp_buf_add(&next, "\x06\x02\x00\x01\x00\x00\x00\x00", 8);
        dp_buf_addc(&next, (char)(value.n & 255)), dp_buf_addc(&next, (char)(value.n >> 8));
        dp_buf_adds(&next, dp_buf_str(&value));
        struct dp_buf swap = value;
        value = next, next = swap;
    }
    assert_true(dp_str_eqz(put(BYTES(ab), value.p, value.n, 1 << 16, &text), "! its JSON text is too long"));
    dp_buf_release(&value), dp_buf_release(&next), dp_buf_release(&text);
}

/* ---- files ---- */

/* All rows as NDJSON, or "! " and why not. */
static void read_rows(struct dp_pq_file *f, int64_t step, struct dp_buf *out) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_reader *r = NULL;
    struct dp_batch b;
    enum dp_status status = dp_pq_reader_open(f, NULL, 0, &r, &err);
    if (status == DP_OK) {
        dp_batch_init(&b, dp_pq_reader_schema(r));
        status = dp_pq_reader_seek(r, 0, &err);
        while (status == DP_OK && (status = dp_pq_reader_next(r, step, &b, &err)) == DP_OK) dp_batch_print(&b, 0, b.length, NULL, out);
        dp_batch_release(&b);
    }
    if (status != DP_END) {
        dp_buf_reset(out);
        dp_buf_addf(out, "! %s: %s", dp_status_name(status), err.msg);
    }
    dp_pq_reader_close(r);
}

static void required_bytes(struct pqfile *f, const char *const *v, const size_t *n, size_t count) {
    struct dp_buf body = {0};
    for (size_t i = 0; i < count; i++) {
        uint32_t len = (uint32_t)n[i];
        dp_buf_add(&body, &len, 4);
        dp_buf_add(&body, v[i], n[i]);
    }
    pqfile_chunk(f, DP_PQ_BYTE_ARRAY, DP_PQ_UNCOMPRESSED, (int64_t)count);
    pqfile_page(f, pqfile_v1((int32_t)count, DP_PQ_PLAIN), body.p, body.n);
    dp_buf_release(&body);
}

/* One row of an optional column: present when `n` is not 0. */
static void optional_one(struct pqfile *f, enum dp_pq_type type, const void *v, size_t n, char level) {
    char body[64] = "\x02\x00\x00\x00\x02", *w = body + 5;
    *w++ = level;
    if (n) memcpy(w, v, n);
    pqfile_chunk(f, type, DP_PQ_UNCOMPRESSED, 1);
    pqfile_page(f, pqfile_v1(1, DP_PQ_PLAIN), body, 6 + n);
}

static void expect_rows(struct pqfile *f, int64_t rows, const char *want) {
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *file = NULL;
    struct dp_buf out = {0};
    assert_true(pqfile_end(f, rows));
    if (dp_pq_open_memory(f->bytes.p, f->bytes.n, "hand", &file, &err) != DP_OK) fail_msg("%s", err.msg);
    assert_int_equal(dp_pq_schema(file)->children[0]->id, DP_TYPE_JSON);
    read_rows(file, 1000, &out);
    if (want[0] == '!' ? !strstr(dp_buf_z(&out), want + 2) || out.p[0] != '!' : strcmp(dp_buf_z(&out), want) != 0) fail_msg("got %s, expected %s", dp_buf_z(&out), want);
    dp_buf_release(&out);
    dp_pq_close(file);
    pqfile_release(f);
}

static void test_plain_file(void **state) {
    (void)state;
    struct pqfile f;
    static const char *const metadata[] = {ab, no_names}, *const value[] = {"\x02\x02\x00\x01\x00\x01\x03\x00\x0c\x07", "\x0d" "n/a"};
    static const size_t metadata_n[] = {sizeof ab - 1, sizeof no_names - 1}, value_n[] = {10, 4};
    pqfile_begin(&f, 1);
    pqfile_group(&f, "v", DP_PQ_REQUIRED, 2, DP_PQ_L_VARIANT);
    pqfile_leaf(&f, "value", DP_PQ_REQUIRED, DP_PQ_BYTE_ARRAY, 0); /* found by name, not by place */
    pqfile_leaf(&f, "metadata", DP_PQ_REQUIRED, DP_PQ_BYTE_ARRAY, 0);
    required_bytes(&f, value, value_n, 2);
    required_bytes(&f, metadata, metadata_n, 2);
    expect_rows(&f, 2, "{\"v\":{\"a\":null,\"b\":7}}\n{\"v\":\"n/a\"}\n");
}

/* What a typed_value of one type makes of a row without value. */
static const struct {
    enum dp_pq_type type;
    int32_t logical, unit, bits;
    bool utc;
    const char *bytes; size_t n;
    const char *want;
} typed[] = {
    {DP_PQ_INT32, 0, 0, 0, false, BYTES("\x07\x00\x00\x00"), "{\"v\":7}\n"},
    {DP_PQ_INT64, 0, 0, 0, false, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), "{\"v\":-1}\n"},
    {DP_PQ_DOUBLE, 0, 0, 0, false, BYTES("\x00\x00\x00\x00\x00\x00\xf8\x3f"), "{\"v\":1.5}\n"},
    {DP_PQ_FLOAT, 0, 0, 0, false, BYTES("\xcd\xcc\xcc\x3d"), "{\"v\":0.1}\n"},
    {DP_PQ_BYTE_ARRAY, DP_PQ_L_STRING, 0, 0, false, BYTES("\x02\x00\x00\x00hi"), "{\"v\":\"hi\"}\n"},
    {DP_PQ_BYTE_ARRAY, 0, 0, 0, false, BYTES("\x03\x00\x00\x00\x00\x01\x02"), "{\"v\":\"AAEC\"}\n"},
    {DP_PQ_INT32, DP_PQ_L_DATE, 0, 0, false, BYTES("\x01\x00\x00\x00"), "{\"v\":\"1970-01-02\"}\n"},
    {DP_PQ_INT64, DP_PQ_L_TIME, DP_PQ_UNIT_MICROS, 0, false, BYTES("\x01\x00\x00\x00\x00\x00\x00\x00"), "{\"v\":\"00:00:00.000001\"}\n"},
    {DP_PQ_INT64, DP_PQ_L_TIMESTAMP, DP_PQ_UNIT_MICROS, 0, true, BYTES("\x00\x00\x00\x00\x00\x00\x00\x00"), "{\"v\":\"1970-01-01T00:00:00Z\"}\n"},
    {DP_PQ_INT64, DP_PQ_L_TIMESTAMP, DP_PQ_UNIT_NANOS, 0, false, BYTES("\x01\x00\x00\x00\x00\x00\x00\x00"), "{\"v\":\"1970-01-01T00:00:00.000000001\"}\n"},
    {DP_PQ_INT32, DP_PQ_L_INTEGER, 0, 8, false, BYTES("\x01\x00\x00\x00"), "! a type that shredding does not have"},
    {DP_PQ_INT64, DP_PQ_L_TIME, DP_PQ_UNIT_NANOS, 0, false, BYTES("\x01\x00\x00\x00\x00\x00\x00\x00"), "! a type that shredding does not have"},
    {DP_PQ_INT64, DP_PQ_L_TIMESTAMP, DP_PQ_UNIT_MILLIS, 0, true, BYTES("\x01\x00\x00\x00\x00\x00\x00\x00"), "! a type that shredding does not have"},
    {DP_PQ_FLBA, 0, 0, 0, false, BYTES("\x01\x00\x00\x00"), "! a type that shredding does not have"},
    {DP_PQ_BYTE_ARRAY, DP_PQ_L_ENUM, 0, 0, false, BYTES("\x02\x00\x00\x00hi"), "! a type that shredding does not have"},
};

static void test_typed_values(void **state) {
    (void)state;
    static const char *const metadata[] = {no_names};
    static const size_t metadata_n[] = {sizeof no_names - 1};
    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
        struct pqfile f;
        pqfile_begin(&f, 1);
        pqfile_group(&f, "v", DP_PQ_REQUIRED, 3, DP_PQ_L_VARIANT);
        pqfile_leaf(&f, "metadata", DP_PQ_REQUIRED, DP_PQ_BYTE_ARRAY, 0);
        pqfile_leaf(&f, "value", DP_PQ_OPTIONAL, DP_PQ_BYTE_ARRAY, 0);
        struct dp_pq_element *e = pqfile_leaf(&f, "typed_value", DP_PQ_OPTIONAL, typed[i].type, typed[i].logical);
        e->unit = typed[i].unit, e->utc = typed[i].utc, e->bit_width = typed[i].bits, e->type_length = typed[i].type == DP_PQ_FLBA ? 4 : 0;
        required_bytes(&f, metadata, metadata_n, 1);
        optional_one(&f, DP_PQ_BYTE_ARRAY, NULL, 0, 0);
        optional_one(&f, typed[i].type, typed[i].bytes, typed[i].n, 1);
        expect_rows(&f, 1, typed[i].want);
    }
}

/* An object shredded to the field a, the rest in value. */
static void object_file(struct pqfile *f, enum dp_pq_repetition field, const char *rest, size_t rest_n, bool has_a) {
    static const char *const metadata[] = {ab};
    static const size_t metadata_n[] = {sizeof ab - 1};
    char value[40];
    uint32_t len = (uint32_t)rest_n;
    memcpy(value, &len, 4);
    if (rest_n) memcpy(value + 4, rest, rest_n);
    pqfile_begin(f, 1);
    pqfile_group(f, "v", DP_PQ_REQUIRED, 3, DP_PQ_L_VARIANT);
    pqfile_leaf(f, "metadata", DP_PQ_REQUIRED, DP_PQ_BYTE_ARRAY, 0);
    pqfile_leaf(f, "value", DP_PQ_OPTIONAL, DP_PQ_BYTE_ARRAY, 0);
    pqfile_group(f, "typed_value", DP_PQ_OPTIONAL, 1, 0);
    pqfile_group(f, "a", field, 1, 0);
    pqfile_leaf(f, "typed_value", DP_PQ_OPTIONAL, DP_PQ_INT32, 0);
    required_bytes(f, metadata, metadata_n, 1);
    optional_one(f, DP_PQ_BYTE_ARRAY, value, rest_n ? rest_n + 4 : 0, rest_n > 0);
    optional_one(f, DP_PQ_INT32, "\x07\x00\x00\x00", has_a ? 4 : 0, has_a ? 2 : 1);
}

static void test_objects(void **state) {
    (void)state;
    static const char has_b[] = "\x02\x01\x01\x00\x01\x04", has_a[] = "\x02\x01\x00\x00\x01\x04";
    struct pqfile f;
    object_file(&f, DP_PQ_REQUIRED, BYTES(has_b), true);
    expect_rows(&f, 1, "{\"v\":{\"a\":7,\"b\":true}}\n");
    object_file(&f, DP_PQ_REQUIRED, BYTES(has_b), false);
    expect_rows(&f, 1, "{\"v\":{\"b\":true}}\n");
    object_file(&f, DP_PQ_REQUIRED, "", 0, false);
    expect_rows(&f, 1, "{\"v\":{}}\n");
    object_file(&f, DP_PQ_REQUIRED, BYTES(has_a), true);
    expect_rows(&f, 1, "! row group 0, column v.metadata: row 0: a Variant that can't be read: a shredded field that is in the value too");
    object_file(&f, DP_PQ_REQUIRED, BYTES("\x0c\x07"), true);
    expect_rows(&f, 1, "! a value that is no object beside shredded fields");
    object_file(&f, DP_PQ_OPTIONAL, BYTES(has_b), true);
    expect_rows(&f, 1, "! a field or element that is not required");
}

/* Groups that only say that they are a Variant are structs. */
static void test_no_variant(void **state) {
    (void)state;
    static const struct { const char *a, *b; enum dp_pq_type type; enum dp_pq_repetition repetition; } cases[] = {
        {"metadata", "other", DP_PQ_BYTE_ARRAY, DP_PQ_REQUIRED}, {"meta", "value", DP_PQ_BYTE_ARRAY, DP_PQ_REQUIRED},
        {"metadata", "value", DP_PQ_INT32, DP_PQ_REQUIRED}, {"metadata", "value", DP_PQ_BYTE_ARRAY, DP_PQ_REPEATED}, {"metadata", "metadata", DP_PQ_BYTE_ARRAY, DP_PQ_REQUIRED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pqfile f;
        struct dp_err err = DP_ERR_INIT;
        struct dp_type *t = NULL;
        pqfile_begin(&f, 1);
        pqfile_group(&f, "v", DP_PQ_OPTIONAL, 2, DP_PQ_L_VARIANT);
        pqfile_leaf(&f, cases[i].a, DP_PQ_REQUIRED, DP_PQ_BYTE_ARRAY, 0);
        pqfile_leaf(&f, cases[i].b, cases[i].repetition, cases[i].type, 0);
        f.meta.elements = f.elements;
        assert_int_equal(dp_pq_derive(&f.meta, &err), DP_OK);
        assert_int_equal(dp_pq_to_schema(&f.meta, &t, &err), DP_OK);
        assert_int_equal(t->children[0]->id, DP_TYPE_STRUCT);
        dp_type_free(t);
        pqfile_release(&f);
    }
}

/* ---- the corpus ---- */

/* The encoded value of a sample: metadata and value stand in one file. */
static void decode_sample(const char *path, struct dp_buf *text) {
    struct dp_buf b = {0};
    struct dp_err err = DP_ERR_INIT;
    assert_int_equal(dp_file_read(path, 1 << 20, &b, &err), DP_OK);
    const uint8_t *p = (const uint8_t *)b.p;
    unsigned width = (p[0] >> 6) + 1u;
    size_t n = 0, last = 0;
    memcpy(&n, p + 1, width);
    memcpy(&last, p + 1 + width + n * width, width);
    size_t head = 1 + width + (n + 1) * width + last;
    put(b.p, head, b.p + head, b.n - head, 1 << 20, text);
    dp_buf_release(&b);
}

static void check_sample(const char *folder, const char *name, int row) {
    char path[2000];
    struct dp_buf want = {0}, got = {0}, line = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_pq_file *f = NULL;
    snprintf(path, sizeof path, "%s/%s_row-%d.variant.bin", folder, name, row);
    decode_sample(path, &want);
    snprintf(path, sizeof path, "%s/%s.parquet", folder, name);
    if (dp_pq_open(path, &f, &err) != DP_OK) fail_msg("%s: %s", name, err.msg);
    read_rows(f, 2, &got);
    dp_buf_addf(&line, "{\"id\":%d,\"var\":%s}\n", row ? row : 1, dp_buf_z(&want));
    bool refused = strstr(name, "INVALID") != NULL;
    if (refused ? strncmp(dp_buf_z(&got), "! FORMAT", 8) != 0 : !strstr(dp_buf_z(&got), dp_buf_z(&line))) fail_msg("%s: got %s, expected %s", name, got.p, line.p);
    dp_pq_close(f);
    dp_buf_release(&want), dp_buf_release(&got), dp_buf_release(&line);
}

static void test_samples(void **state) {
    (void)state;
    char folder[1024];
    dpt_shared(folder, "corpus/parquet/shredded_variant");
    DIR *d = opendir(folder);
    size_t n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char name[300];
        char *row = strstr(e->d_name, "_row-");
        if (!row) continue;
        snprintf(name, sizeof name, "%.*s", (int)(row - e->d_name), e->d_name);
        check_sample(folder, name, row[5] - '0');
        n++;
    }
    closedir(d);
    assert_in_range(n, 80, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_depth), cmocka_unit_test(test_shared_values),
                                       cmocka_unit_test(test_plain_file), cmocka_unit_test(test_typed_values), cmocka_unit_test(test_objects),
                                       cmocka_unit_test(test_no_variant), cmocka_unit_test(test_samples)};
    return cmocka_run_group_tests_name("pq_variant", tests, NULL, NULL);
}
