/* Encoders against published byte forms, codecs there and back, bounds, bloom filters. */
#include "dpt.h"

#include <dp/base/file.h>

#include "../../lib/parquet/enc_priv.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static void check(struct dp_buf *b, const char *bytes, size_t n) {
    assert_int_equal(b->n, n);
    assert_memory_equal(b->p, bytes, n);
    dp_buf_reset(b);
}

static void published_bytes(void **state) {
    (void)state;
    struct dp_buf b = {0};
    static const uint32_t seven[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    dp_pq_put_hybrid(&b, seven, 8, 3);
    check(&b, "\x03\x88\xc6\xfa", 4);
    uint32_t run[100];
    for (size_t i = 0; i < 100; i++) run[i] = 4;
    dp_pq_put_hybrid(&b, run, 100, 3);
    check(&b, "\xc8\x01\x04", 3);
    static const uint8_t split[12] = {0xaa, 0xbb, 0xcc, 0xdd, 0x00, 0x11, 0x22, 0x33, 0xa3, 0xb4, 0xc5, 0xd6};
    dp_pq_put_split(&b, split, 3, 4);
    check(&b, "\xaa\x00\xa3\xbb\x11\xb4\xcc\x22\xc5\xdd\x33\xd6", 12);
    /* 1..5: deltas 1, all of width 0 */
    static const int32_t five[5] = {1, 2, 3, 4, 5};
    dp_pq_put_delta32(&b, five, 5);
    check(&b, "\x80\x01\x04\x05\x02\x02\x00\x00\x00\x00", 10);
    dp_pq_put_delta64(&b, NULL, 0);
    check(&b, "\x80\x01\x04\x00\x00", 5);
    dp_buf_release(&b);
}

/* A page of nulls: its values are none, but Arrow C++ asks for the header of the encoding. */
static void headers_without_values(void **state) {
    (void)state;
    struct dp_buf b = {0}, aux = {0};
    struct dp_pq_values ints = {.type = DP_PQ_INT32, .width = 4}, strings = {.type = DP_PQ_BYTE_ARRAY}, booleans = {.type = DP_PQ_BOOLEAN, .width = 1};
    static const char head[] = "\x80\x01\x04\0\0\x80\x01\x04\0\0";
    dp_pq_put_values(&b, DP_PQ_DELTA_BINARY_PACKED, &ints, 0, 0, &aux);
    check(&b, head, 5);
    dp_pq_put_values(&b, DP_PQ_DELTA_LENGTH_BYTE_ARRAY, &strings, 0, 0, &aux);
    check(&b, head, 5);
    dp_pq_put_values(&b, DP_PQ_DELTA_BYTE_ARRAY, &strings, 0, 0, &aux);
    check(&b, head, 10);
    dp_pq_put_values(&b, DP_PQ_RLE, &booleans, 0, 0, &aux);
    check(&b, "\0\0\0", 4);
    dp_pq_put_values(&b, DP_PQ_PLAIN, &strings, 0, 0, &aux);
    dp_pq_put_values(&b, DP_PQ_BYTE_STREAM_SPLIT, &ints, 0, 0, &aux);
    assert_int_equal(b.n, 0);
    dp_buf_release(&b);
    dp_buf_release(&aux);
}

static void codecs_there_and_back(void **state) {
    (void)state;
    static const char *const names[] = {"none", "snappy", "gzip:1", "gzip", "brotli", "zstd:1", "zstd:19", "lz4_raw"};
    struct dp_codec *c = dp_codec_open();
    char text[5000], back[5000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * i >> 7);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        for (size_t n = 0; n <= sizeof text; n += 2500) {
            struct dp_buf b = {0};
            struct dp_err err = DP_ERR_INIT;
            enum dp_pq_codec codec;
            int level;
            assert_int_equal(dp_codec_parse(dp_str_z(names[k]), &codec, &level, &err), DP_OK);
            assert_int_equal(dp_codec_compress(c, codec, level, text, n, &b, &err), DP_OK);
            memset(back, 1, sizeof back);
            assert_int_equal(dp_codec_decompress(c, codec, b.p, b.n, back, n, &err), DP_OK);
            assert_memory_equal(text, back, n);
            if (n) {
                assert_int_equal(dp_codec_decompress(c, codec, b.p, b.n, back, n - 1, &err), DP_FORMAT);
                assert_int_equal(dp_codec_decompress(c, codec, b.p, b.n - 1, back, n, &err), DP_FORMAT);
            }
            dp_buf_release(&b);
        }
    }
    dp_codec_close(c);
}

/* The ways of zstd that no option names, in turn, on one codec: random hex digits halve, and repeats are found. */
static void zstd_between_levels(void **state) {
    (void)state;
    static const int levels[] = {DP_ZSTD_ENTROPY, 3, DP_ZSTD_QUICK, DP_ZSTD_ENTROPY, 1, DP_ZSTD_QUICK};
    struct dp_codec *c = dp_codec_open();
    char *text = malloc(40000), *back = malloc(40000);
    uint64_t x = 7;
    for (size_t i = 0; i < 40000; i++) x = x * 6364136223846793005u + 1442695040888963407u, text[i] = "0123456789abcdef"[x >> 60];
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
            struct dp_buf b = {0};
            assert_int_equal(dp_codec_compress(c, DP_PQ_ZSTD, levels[i], text, 40000, &b, NULL), DP_OK);
            assert_in_range(b.n, 10, k && levels[i] != DP_ZSTD_ENTROPY ? 1000 : 22000);
            assert_int_equal(dp_codec_decompress(c, DP_PQ_ZSTD, b.p, b.n, back, 40000, NULL), DP_OK);
            assert_memory_equal(text, back, 40000);
            dp_buf_release(&b);
        }
        for (size_t i = 400; i < 40000; i++) text[i] = text[i - 400];
    }
    free(text), free(back);
    dp_codec_close(c);
}

/* Strings around the length at which the key is no longer the bytes themselves, with zero bytes, up to the very end of their memory. */
static void dictionaries_of_strings(void **state) {
    (void)state;
    enum { N = 4000, KINDS = 200 };
    struct dp_pq_scratch s = {0};
    struct dp_buf bytes = {0};
    struct dp_pq_span spans[N];
    for (size_t i = 0; i < N; i++) {
        size_t kind = i * 7919 % KINDS, len = kind % 20, at = bytes.n;
        for (size_t k = 0; k < len; k++) dp_buf_addc(&bytes, k + 1 == len ? (char)(kind / 20) : k == 0 ? 'a' : 0);
        spans[i] = (struct dp_pq_span){(uint32_t)at, (uint32_t)len};
    }
    uint8_t *exact = malloc(bytes.n);
    memcpy(exact, bytes.p, bytes.n);
    struct dp_pq_values v = {.type = DP_PQ_BYTE_ARRAY, .n = N, .spans = spans, .bytes = exact, .n_bytes = bytes.n};
    struct dp_pq_dict d;
    assert_true(dp_pq_dict_build(&v, 1 << 20, false, &s, &d));
    assert_int_equal(d.n, KINDS - 9);
    for (size_t i = 0; i < N; i++) {
        struct dp_pq_span x = d.spans[d.codes[i]];
        assert_int_equal(x.len, spans[i].len);
        if (x.len) assert_memory_equal(exact + x.off, exact + spans[i].off, x.len);
    }
    free(exact);
    dp_buf_release(&bytes);
    dp_pq_scratch_release(&s);
}

/* Whether a dictionary is made is told from how the distinct values grow, at the first of them: many of few kinds pass, nearly all new ones don't. */
static void dictionaries_that_pay(void **state) {
    (void)state;
    enum { N = 122880 };
    static const struct { uint64_t kinds; bool runs, pays; } cases[] = {
        {10, false, true}, {30000, false, true}, {30000, true, true}, {110000, false, false}, {UINT64_MAX, false, false}};
    struct dp_pq_scratch s = {0};
    uint64_t *x = malloc(N * sizeof *x), at = 1;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        for (size_t i = 0; i < N; i++) {
            if (!cases[k].runs || i % 3 == 0) at = at * 6364136223846793005u + 1442695040888963407u;
            x[i] = (at >> 20) % cases[k].kinds;
        }
        struct dp_pq_values v = {.type = DP_PQ_INT64, .width = 8, .n = N, .fixed = (const uint8_t *)x};
        struct dp_pq_dict d = {0};
        assert_int_equal(dp_pq_dict_build(&v, 1 << 20, false, &s, &d), cases[k].pays);
        for (size_t i = 0; i < N && cases[k].pays; i++) assert_memory_equal(d.fixed + 8 * d.codes[i], &x[i], 8);
    }
    free(x);
    dp_pq_scratch_release(&s);
}

static void codec_words(void **state) {
    (void)state;
    static const struct { const char *text; enum dp_status status; const char *says; } cases[] = {
        {"zstd:23", DP_USAGE, "1 to 22"}, {"zstd:", DP_USAGE, "1 to 22"}, {"snapy", DP_USAGE, "did you mean snappy?"},
        {"snappy:1", DP_USAGE, "has no levels"}, {"", DP_USAGE, "no codec"}, {"gzip:9", DP_OK, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_err err = DP_ERR_INIT;
        enum dp_pq_codec codec;
        int level;
        assert_int_equal(dp_codec_parse(dp_str_z(cases[i].text), &codec, &level, &err), cases[i].status);
        if (cases[i].says[0]) assert_non_null(strstr(err.msg, cases[i].says));
    }
}

/* Bounds of one string of n copies of `unit`, which is longer than the cut. */
static bool cut(const char *unit, size_t copies, bool is_max, bool text, struct dp_arena *a, struct dp_str *out) {
    struct dp_buf b = {0};
    bool exact;
    for (size_t i = 0; i < copies; i++) dp_buf_addz(&b, unit);
    struct dp_pq_span span = {0, (uint32_t)b.n};
    struct dp_pq_values v = {.type = DP_PQ_BYTE_ARRAY, .n = 1, .spans = &span, .bytes = (const uint8_t *)b.p, .n_bytes = b.n};
    struct dp_pq_bounds_acc acc;
    dp_pq_bounds_of(DP_PQ_CMP_BYTES, &v, 0, 1, &acc);
    bool has = dp_pq_bound_bytes(DP_PQ_CMP_BYTES, &v, &acc, is_max, text, 8, a, out, &exact);
    assert_false(exact);
    dp_buf_release(&b);
    return has;
}

static void bounds_that_are_cut(void **state) {
    (void)state;
    struct dp_arena a = {0};
    struct dp_str s;
    assert_true(cut("a", 20, false, true, &a, &s));
    assert_true(dp_str_eqz(s, "aaaaaaaa"));
    assert_true(cut("a", 20, true, true, &a, &s));
    assert_true(dp_str_eqz(s, "aaaaaaab"));
    assert_true(cut("é", 20, false, true, &a, &s)); /* c3 a9 */
    assert_int_equal(s.n, 8);
    assert_true(cut("€", 20, true, true, &a, &s)); /* e2 82 ac: two whole ones in eight bytes, the second grows */
    assert_true(dp_str_eqz(s, "€₭"));
    assert_true(cut("\xed\x9f\xbf", 20, true, true, &a, &s)); /* d7ff: past the surrogates */
    assert_true(dp_str_eqz(s, "\xed\x9f\xbf\xee\x80\x80"));
    assert_false(cut("\xf4\x8f\xbf\xbf", 20, true, true, &a, &s)); /* 10ffff can't grow */
    assert_false(cut("\xff", 20, true, false, &a, &s));
    assert_true(cut("\x7f\xff", 20, true, false, &a, &s));
    assert_memory_equal(s.p, "\x7f\xff\x7f\xff\x7f\xff\x80", s.n);
    dp_arena_release(&a);
}

static void floats(void **state) {
    (void)state;
    struct dp_arena a = {0};
    double nan = __builtin_nan(""), values[] = {nan, 0.0, -0.0, nan};
    struct dp_pq_values v = {.type = DP_PQ_DOUBLE, .width = 8, .n = 4, .fixed = (const uint8_t *)values};
    struct dp_pq_bounds_acc acc;
    struct dp_str s;
    bool exact;
    dp_pq_bounds_of(DP_PQ_CMP_FLOAT, &v, 0, 4, &acc);
    assert_true(acc.has);
    assert_int_equal(acc.nans, 2);
    assert_true(dp_pq_bound_bytes(DP_PQ_CMP_FLOAT, &v, &acc, false, false, 64, &a, &s, &exact));
    assert_memory_equal(s.p, "\0\0\0\0\0\0\0\x80", 8);
    assert_true(dp_pq_bound_bytes(DP_PQ_CMP_FLOAT, &v, &acc, true, false, 64, &a, &s, &exact));
    assert_memory_equal(s.p, "\0\0\0\0\0\0\0\0", 8);
    dp_pq_bounds_of(DP_PQ_CMP_FLOAT, &v, 0, 1, &acc);
    assert_false(acc.has);
    for (uint32_t h = 0; h <= 0xffff; h++) { /* every half is its own bound, zeros widened */
        uint16_t bits = (uint16_t)h;
        struct dp_pq_values one = {.type = DP_PQ_FLBA, .width = 2, .n = 1, .fixed = (const uint8_t *)&bits};
        dp_pq_bounds_of(DP_PQ_CMP_FLOAT, &one, 0, 1, &acc);
        assert_int_equal(acc.has, (h & 0x7fff) <= 0x7c00);
        if (!acc.has) continue;
        assert_true(dp_pq_bound_bytes(DP_PQ_CMP_FLOAT, &one, &acc, h >> 15, false, 64, &a, &s, &exact));
        uint16_t got;
        memcpy(&got, s.p, 2);
        assert_int_equal(got, h == 0 ? 0x8000 : h == 0x8000 ? 0 : h);
    }
    dp_arena_release(&a);
}

static void bloom_filters(void **state) {
    (void)state;
    char path[1024];
    struct dp_buf b = {0};
    struct dp_err err = DP_ERR_INIT;
    assert_true(XXH64("hello", 5, 0) == 0x26c7827d889f6da3ull);
    struct dp_pq_span spans[1000];
    char bytes[8000];
    for (unsigned i = 0; i < 1000; i++) spans[i] = (struct dp_pq_span){i * 8, (uint32_t)snprintf(bytes + i * 8, 8, "v%u", i)};
    struct dp_pq_values v = {.type = DP_PQ_BYTE_ARRAY, .n = 1000, .spans = spans, .bytes = (const uint8_t *)bytes, .n_bytes = sizeof bytes};
    dp_pq_bloom_write(&v, 0.01, &b);
    const uint8_t *bits = (const uint8_t *)b.p + b.n - 2048;
    unsigned hits = 0;
    for (unsigned i = 0; i < 1000; i++) assert_true(dp_pq_bloom_maybe(bits, 2048, XXH64(bytes + spans[i].off, spans[i].len, 0)));
    for (uint64_t i = 0; i < 10000; i++) hits += dp_pq_bloom_maybe(bits, 2048, XXH64(&i, 8, 0));
    assert_true(hits < 200);
    /* the same values many times over: no larger, and as sharp */
    struct dp_pq_span many[16000];
    for (unsigned i = 0; i < 16000; i++) many[i] = spans[i % 1000];
    size_t once = b.n;
    dp_buf_reset(&b);
    v.spans = many, v.n = 16000;
    dp_pq_bloom_write(&v, 0.01, &b);
    assert_int_equal(b.n, once);
    for (unsigned i = 0; i < 1000; i++) assert_true(dp_pq_bloom_maybe((const uint8_t *)b.p + b.n - 2048, 2048, XXH64(bytes + spans[i].off, spans[i].len, 0)));
    dp_buf_reset(&b);
    assert_int_equal(dp_file_read(dpt_shared(path, "corpus/parquet/parquet-testing/bloom_filter.xxhash.bin"), 1 << 20, &b, &err), DP_OK);
    static const char *const words[] = {"hello", "parquet", "bloom", "filter"};
    for (size_t i = 0; i < 4; i++) assert_true(dp_pq_bloom_maybe((const uint8_t *)b.p + 16, 1024, XXH64(words[i], strlen(words[i]), 0)));
    assert_false(dp_pq_bloom_maybe((const uint8_t *)b.p + 16, 1024, XXH64("absent", 6, 0)));
    dp_buf_release(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(published_bytes), cmocka_unit_test(headers_without_values), cmocka_unit_test(codecs_there_and_back), cmocka_unit_test(codec_words),
                                       cmocka_unit_test(zstd_between_levels), cmocka_unit_test(dictionaries_of_strings), cmocka_unit_test(dictionaries_that_pay),
                                       cmocka_unit_test(bounds_that_are_cut), cmocka_unit_test(floats), cmocka_unit_test(bloom_filters)};
    return cmocka_run_group_tests_name("pq_enc", tests, NULL, NULL);
}
