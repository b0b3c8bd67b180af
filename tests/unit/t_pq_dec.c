/* Decoders of Parquet encodings: tables of bytes and what they mean, and small encoders to check every width and block shape. */
#include "../../lib/parquet/dec_priv.h"
#include "dpt.h"

static uint64_t next_random(uint64_t *s) {
    *s ^= *s << 13, *s ^= *s >> 7, *s ^= *s << 17;
    return *s;
}

static void put_bits(uint8_t *p, size_t bit, uint64_t v, unsigned width) {
    for (unsigned i = 0; i < width; i++, bit++) p[bit >> 3] = (uint8_t)(p[bit >> 3] | (v >> i & 1) << (bit & 7));
}

static void put_varint(struct dp_buf *b, uint64_t v) {
    while (v >= 0x80) dp_buf_addc(b, (char)(v | 0x80)), v >>= 7;
    dp_buf_addc(b, (char)v);
}

static uint64_t zigzag(int64_t v) { return (uint64_t)v << 1 ^ (uint64_t)(v >> 63); }

static void test_unpack(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (unsigned w = 0; w <= 64; w++) {
        uint64_t want[32], got[32];
        uint32_t got32[32];
        uint8_t *p = dp_calloc(1, 8 * 32 + 1);
        for (size_t i = 0; i < 32; i++) {
            want[i] = w ? next_random(&seed) >> (64 - w) : 0;
            put_bits(p, i * w, want[i], w);
        }
        uint8_t *exact = dp_alloc(4 * (size_t)w + 1); /* so that the sanitizer sees a read too far */
        memcpy(exact, p, 4 * (size_t)w);
        for (size_t n = 1; n <= 32; n++) {
            dp_pq_unpack64(exact, w, n, got);
            assert_memory_equal(got, want, n * 8);
        }
        if (w <= 32) {
            dp_pq_unpack32(exact, w, got32);
            for (size_t i = 0; i < 32; i++) assert_int_equal(got32[i], want[i]);
        }
        free(exact);
        free(p);
    }
}

/* Long runs: what the processor's own instructions give, against the portable twin and the values; nothing is read behind the end. */
static void test_unpack_run(void **state) {
    (void)state;
    uint64_t seed = 11;
    enum { MOST = 400 };
    for (unsigned w = 1; w <= 32; w++) {
        for (size_t n = 8; n <= MOST; n += 56) {
            size_t bytes = n / 8 * w;
            uint32_t want[MOST], got[MOST + 8], plain[MOST + 32];
            uint8_t *p = dp_calloc(1, bytes);
            for (size_t i = 0; i < n; i++) {
                want[i] = (uint32_t)(next_random(&seed) >> (64 - w));
                put_bits(p, i * w, want[i], w);
            }
            size_t a = dp_pq_unpack_run(p, bytes, w, n, got), b = dp_pq_unpack_run_portable(p, bytes, w, n, plain);
            assert_true(a <= n && a % 8 == 0 && b <= n && b % 32 == 0);
            assert_memory_equal(got, want, a * 4);
            assert_memory_equal(plain, want, b * 4);
            struct dp_hybrid h;
            uint8_t *run = dp_alloc(bytes + 2);
            run[0] = (uint8_t)(n / 8 << 1 | 1);
            memcpy(run + 1, p, bytes);
            dp_hybrid_init(&h, run, bytes + 1, w);
            size_t first = dp_hybrid_get(&h, got, n / 3);
            assert_int_equal(first + dp_hybrid_get(&h, got + first, n - first), n);
            assert_memory_equal(got, want, n * 4);
            free(run);
            free(p);
        }
    }
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void test_hybrid_table(void **state) {
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t n;
        unsigned width;
        size_t wanted, got;
        uint32_t values[16];
        bool fault;
    } t[] = {
        {"packed 0..7", {0x03, 0x88, 0xC6, 0xFA}, 4, 3, 8, 8, {0, 1, 2, 3, 4, 5, 6, 7}, false},
        {"run", {0x08, 0x05}, 2, 3, 4, 4, {5, 5, 5, 5}, false},
        {"run, surplus", {0x7E, 0x05}, 2, 3, 2, 2, {5, 5}, false},
        {"run of two-byte values", {0x04, 0x34, 0x12}, 3, 16, 2, 2, {0x1234, 0x1234}, false},
        {"packed then run", {0x03, 0x88, 0xC6, 0xFA, 0x04, 0x02}, 6, 3, 10, 10, {0, 1, 2, 3, 4, 5, 6, 7, 2, 2}, false},
        {"last group cut short", {0x03, 0x88}, 2, 3, 8, 8, {0, 1, 2, 0, 0, 0, 0, 0}, false},
        {"whole group missing", {0x05, 0x88, 0xC6, 0xFA}, 4, 3, 16, 8, {0, 1, 2, 3, 4, 5, 6, 7}, false},
        {"no data, width 0", {0}, 0, 0, 3, 3, {0, 0, 0}, false},
        {"no data", {0}, 0, 1, 3, 0, {0}, false},
        {"run of nothing", {0x00, 0x05}, 2, 3, 1, 0, {0}, true},
        {"value wider than its width", {0x04, 0x08}, 2, 3, 1, 0, {0}, true},
        {"value cut short", {0x04, 0x08}, 2, 16, 1, 0, {0}, true},
        {"header cut short", {0x80}, 1, 3, 1, 0, {0}, true},
        {"header too long", {0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 6, 3, 1, 0, {0}, true},
        {"header above 32 bits", {0xFE, 0xFF, 0xFF, 0xFF, 0x7F, 0x01}, 6, 3, 1, 0, {0}, true},
        {"width 33", {0x04, 0x08}, 2, 33, 1, 0, {0}, true},
        {"empty packed run", {0x01, 0x04, 0x02}, 3, 2, 2, 2, {2, 2}, false},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct dp_hybrid h;
        uint32_t out[32] = {0};
        uint8_t *p = dp_alloc(t[i].n + 1);
        memcpy(p, t[i].bytes, t[i].n);
        dp_hybrid_init(&h, p, t[i].n, t[i].width);
        size_t got = dp_hybrid_get(&h, out, t[i].wanted);
        if (got != t[i].got || memcmp(out, t[i].values, got * 4) || !!h.fault != t[i].fault) fail_msg("%s: got %zu", t[i].what, got);
        free(p);
    }
}

/* Mixed runs of every width, taken in pieces of several sizes, as 32-bit and as byte values. */
static void test_hybrid_pieces(void **state) {
    (void)state;
    uint64_t seed = 99;
    for (unsigned w = 0; w <= 32; w++) {
        struct dp_buf b = {0};
        uint32_t want[2000];
        size_t n = 0;
        while (n < 1500) {
            uint64_t r = next_random(&seed);
            if (r & 1) {
                size_t k = (r >> 8) % 70 + 1;
                uint32_t v = w ? (uint32_t)(next_random(&seed) >> (64 - w)) : 0;
                put_varint(&b, k << 1);
                for (unsigned i = 0; i < (w + 7) / 8; i++) dp_buf_addc(&b, (char)(v >> (8 * i)));
                for (size_t i = 0; i < k; i++) want[n++] = v;
            } else {
                size_t groups = (r >> 8) % 9 + 1;
                uint8_t packed[9 * 32] = {0};
                for (size_t i = 0; i < groups * 8; i++) {
                    want[n] = w ? (uint32_t)(next_random(&seed) >> (64 - w)) : 0;
                    put_bits(packed, i * w, want[n++], w);
                }
                put_varint(&b, groups << 1 | 1);
                dp_buf_add(&b, packed, groups * w);
            }
        }
        static const size_t pieces[] = {1, 3, 8, 31, 32, 33, 100, 1500};
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            struct dp_hybrid a, c;
            dp_hybrid_init(&a, (const uint8_t *)b.p, b.n, w);
            dp_hybrid_init(&c, (const uint8_t *)b.p, b.n, w);
            for (size_t at = 0; at < 1500;) {
                uint32_t out[1500];
                uint8_t bytes[1500];
                size_t m = 1500 - at < pieces[k] ? 1500 - at : pieces[k];
                assert_int_equal(dp_hybrid_get(&a, out, m), m);
                assert_memory_equal(out, want + at, m * 4);
                assert_int_equal(dp_hybrid_get_u8(&c, bytes, m), m);
                for (size_t i = 0; i < m; i++) assert_int_equal(bytes[i], want[at + i] & 0xFF);
                at += m;
            }
        }
        dp_buf_release(&b);
    }
}

static void test_levels(void **state) {
    (void)state;
    struct dp_levels l;
    uint8_t out[16];
    const char *why = NULL;
    assert_int_equal(dp_level_width(0), 0);
    assert_int_equal(dp_level_width(1), 1);
    assert_int_equal(dp_level_width(7), 3);
    assert_int_equal(dp_level_width(8), 4);
    dp_levels_init_packed(&l, BYTES(0x05, 0x39, 0x77), 7);
    assert_true(dp_levels_get(&l, out, 8, &why));
    for (unsigned i = 0; i < 8; i++) assert_int_equal(out[i], i);
    assert_false(dp_levels_get(&l, out, 1, &why));
    dp_levels_init_hybrid(&l, BYTES(0x03, 0x88, 0xC6, 0xFA), 6);
    assert_false(dp_levels_get(&l, out, 8, &why));
    assert_string_equal(why, "a level above its maximum");
    dp_levels_init_hybrid(&l, BYTES(0x04, 0x01), 1);
    assert_false(dp_levels_get(&l, out, 3, &why));
    assert_string_equal(why, "fewer levels than the page says");
    dp_levels_init_zero(&l);
    assert_true(dp_levels_get(&l, out, 16, &why));
    assert_int_equal(out[15], 0);
}

/* ---- delta ---- */

static void encode_delta(struct dp_buf *b, const int64_t *v, size_t n, size_t block, size_t minis, bool narrow) {
    size_t per = block / minis;
    put_varint(b, block), put_varint(b, minis), put_varint(b, n), put_varint(b, zigzag(n ? v[0] : 0));
    for (size_t at = 1; at < n; at += block) {
        size_t k = n - at < block ? n - at : block;
        int64_t *d = dp_calloc(block, 8), min = INT64_MAX;
        for (size_t i = 0; i < k; i++) {
            d[i] = (int64_t)((uint64_t)v[at + i] - (uint64_t)v[at + i - 1]);
            if (narrow) d[i] = (int32_t)d[i];
            if (d[i] < min) min = d[i];
        }
        put_varint(b, zigzag(min));
        unsigned *w = dp_calloc(minis, sizeof *w);
        for (size_t m = 0; m < minis; m++) {
            for (size_t i = m * per; i < k && i < (m + 1) * per; i++) {
                uint64_t x = (uint64_t)d[i] - (uint64_t)min;
                if (narrow) x &= UINT32_MAX;
                while (w[m] < 64 && x >> w[m]) w[m]++;
            }
            dp_buf_addc(b, (char)(m * per < k ? w[m] : 0xEE)); /* widths of unneeded miniblocks may be garbage */
        }
        for (size_t m = 0; m * per < k; m++) {
            uint8_t *p = dp_calloc(1, per * 8 + 1);
            for (size_t i = m * per; i < k && i < (m + 1) * per; i++) {
                uint64_t x = (uint64_t)d[i] - (uint64_t)min;
                put_bits(p, (i - m * per) * w[m], narrow ? x & UINT32_MAX : x, w[m]);
            }
            dp_buf_add(b, p, per / 8 * w[m]);
            free(p);
        }
        free(w);
        free(d);
    }
}

static void test_delta_pieces(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 31, 32, 33, 129, 128, 500, 1000}, shapes[][2] = {{128, 4}, {128, 1}, {256, 2}, {1024, 32}};
    static const size_t pieces[] = {1, 7, 32, 33, 1000};
    uint64_t seed = 5;
    for (unsigned width = 0; width <= 64; width += 1 + width / 16) {
        for (size_t s = 0; s < 4; s++) {
            size_t n = counts[(width + s * 3) % 10];
            bool narrow = width <= 32 && s % 2;
            int64_t want[1000];
            for (size_t i = 0; i < n; i++) {
                uint64_t r = width ? next_random(&seed) >> (64 - width) : i * 3;
                want[i] = narrow ? (int32_t)r : (int64_t)r;
            }
            struct dp_buf b = {0};
            encode_delta(&b, want, n, shapes[s][0], shapes[s][1], narrow);
            uint8_t *p = dp_alloc(b.n + 1);
            memcpy(p, b.p, b.n);
            for (size_t k = 0; k < 5; k++) {
                struct dp_delta d;
                int64_t got[1000];
                assert_true(dp_delta_init(&d, p, b.n, narrow));
                assert_ptr_equal(dp_delta_end(&d), p + b.n);
                for (size_t at = 0; at < n;) {
                    size_t m = n - at < pieces[k] ? n - at : pieces[k];
                    assert_int_equal(dp_delta_get(&d, got + at, m), m);
                    at += m;
                }
                assert_int_equal(dp_delta_get(&d, got, 1), 0);
                if (n) assert_memory_equal(got + 1, want + 1, (n - 1) * 8);
            }
            free(p);
            dp_buf_release(&b);
        }
    }
}

static void test_delta_faults(void **state) {
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t n;
        bool header;   /* init succeeds */
        size_t wanted, got;
    } t[] = {
        {"empty", {0}, 0, false, 0, 0},
        {"block of 100", {100, 4, 1, 0}, 4, false, 0, 0},
        {"block of 0", {0, 4, 1, 0}, 4, false, 0, 0},
        {"no miniblocks", {0x80, 0x01, 0, 1, 0}, 5, false, 0, 0},
        {"3 miniblocks", {0x80, 0x01, 3, 1, 0}, 5, false, 0, 0},
        {"miniblocks of 16", {0x80, 0x01, 8, 1, 0}, 5, false, 0, 0},
        {"count above 32 bits", {0x80, 0x01, 4, 0x80, 0x80, 0x80, 0x80, 0x20, 0}, 9, false, 0, 0},
        {"one value", {0x80, 0x01, 4, 1, 6}, 5, true, 1, 1},
        {"no block", {0x80, 0x01, 4, 2, 6}, 5, true, 2, 1},
        {"widths cut short", {0x80, 0x01, 4, 2, 6, 2, 0, 0}, 8, true, 2, 1},
        {"width 65", {0x80, 0x01, 4, 2, 6, 2, 65, 0, 0, 0}, 10, true, 2, 1},
        {"miniblock cut short", {0x80, 0x01, 4, 0x20, 6, 2, 8, 0, 0, 0, 1}, 11, true, 32, 1},
        {"unpadded end", {0x80, 0x01, 4, 2, 6, 2, 8, 0, 0, 0, 1}, 11, true, 2, 2},
        {"width 0 for two billion", {0x80, 0x01, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 6, 2, 0, 0, 0, 0}, 14, true, 129, 129},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct dp_delta d;
        int64_t out[200];
        uint8_t *p = dp_alloc(t[i].n + 1);
        memcpy(p, t[i].bytes, t[i].n);
        bool ok = dp_delta_init(&d, p, t[i].n, false);
        size_t got = ok ? dp_delta_get(&d, out, t[i].wanted) : 0;
        if (ok != t[i].header || got != t[i].got) fail_msg("%s: %d, %zu", t[i].what, ok, got);
        free(p);
    }
}

static void test_delta_bytes(void **state) {
    (void)state;
    static const char *const words[] = {"axis", "axle", "babble", "", "babyhood"};
    int64_t prefix[] = {0, 2, 0, 0, 0}, suffix[] = {4, 2, 6, 0, 8}, lengths[] = {4, 4, 6, 0, 8};
    struct dp_buf b = {0}, plain = {0};
    struct dp_delta_bytes d;
    uint32_t pre;
    struct dp_str s;
    encode_delta(&b, prefix, 5, 128, 4, true);
    encode_delta(&b, suffix, 5, 128, 4, true);
    dp_buf_addz(&b, "axislebabblebabyhood");
    assert_true(dp_delta_prefix_init(&d, (const uint8_t *)b.p, b.n));
    for (size_t i = 0; i < 5; i++) {
        assert_true(dp_delta_bytes_next(&d, &pre, &s));
        assert_int_equal(pre, prefix[i]);
        assert_true(dp_str_eqz(s, words[i] + prefix[i]));
    }
    assert_false(dp_delta_bytes_next(&d, &pre, &s));
    encode_delta(&plain, lengths, 5, 128, 4, true);
    dp_buf_addz(&plain, "axisaxlebabblebabyhoo"); /* one byte too few */
    assert_true(dp_delta_length_init(&d, (const uint8_t *)plain.p, plain.n));
    for (size_t i = 0; i < 4; i++) {
        assert_true(dp_delta_bytes_next(&d, &pre, &s));
        assert_true(dp_str_eqz(s, words[i]));
    }
    assert_false(dp_delta_bytes_next(&d, &pre, &s));
    assert_string_equal(d.fault, "a value runs past the page");
    dp_buf_reset(&plain);
    lengths[1] = -1;
    encode_delta(&plain, lengths, 5, 128, 4, true);
    assert_true(dp_delta_length_init(&d, (const uint8_t *)plain.p, plain.n));
    assert_false(dp_delta_bytes_next(&d, &pre, &s));
    assert_string_equal(d.fault, "negative length");
    dp_buf_release(&b);
    dp_buf_release(&plain);
}

static void test_split(void **state) {
    (void)state;
    static const uint8_t in[] = {0xAA, 0x00, 0xA3, 0xBB, 0x11, 0xB4, 0xCC, 0x22, 0xC5, 0xDD, 0x33, 0xD6};
    static const uint8_t want[] = {0xAA, 0xBB, 0xCC, 0xDD, 0x00, 0x11, 0x22, 0x33, 0xA3, 0xB4, 0xC5, 0xD6};
    uint8_t out[64], many[5 * 8], three[15];
    dp_pq_unsplit(in, 3, 4, 0, 3, out);
    assert_memory_equal(out, want, 12);
    dp_pq_unsplit(in, 3, 4, 1, 2, out);
    assert_memory_equal(out, want + 4, 8);
    for (size_t i = 0; i < sizeof many; i++) many[i] = (uint8_t)i;
    dp_pq_unsplit(many, 5, 8, 0, 5, out);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 8; j++) assert_int_equal(out[i * 8 + j], j * 5 + i);
    dp_pq_unsplit(many, 5, 3, 0, 5, three);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 3; j++) assert_int_equal(three[i * 3 + j], j * 5 + i);
}

static void test_decimal(void **state) {
    (void)state;
    static const struct {
        uint8_t in[20];
        size_t n;
        bool ok;
        int64_t lo, hi;
    } t[] = {
        {{0}, 0, true, 0, 0},
        {{0x01, 0x02}, 2, true, 0x0102, 0},
        {{0xFF, 0xFE}, 2, true, -2, -1},
        {{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 16, true, 0, INT64_MIN},
        {{0x00, 0x7F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x05}, 17, true, 5, 0x7F00000000000000},
        {{0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 17, false, 0, 0},
        {{0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 17, false, 0, 0},
        {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFD}, 18, true, -3, -1},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint8_t out[16];
        assert_int_equal(dp_pq_decimal(t[i].in, t[i].n, out), t[i].ok);
        if (!t[i].ok) continue;
        assert_int_equal((int64_t)dp_load64(out), t[i].lo);
        assert_int_equal((int64_t)dp_load64(out + 8), t[i].hi);
    }
}

static void test_int96(void **state) {
    (void)state;
    /* 2440588 = 0x253D8C is 1970-01-01 */
    assert_int_equal(dp_pq_int96_micros((const uint8_t[12]){0, 0, 0, 0, 0, 0, 0, 0, 0x8C, 0x3D, 0x25, 0}), 0);
    assert_int_equal(dp_pq_int96_micros((const uint8_t[12]){0xE8, 3, 0, 0, 0, 0, 0, 0, 0x8D, 0x3D, 0x25, 0}), INT64_C(86400000001));
    assert_int_equal(dp_pq_int96_micros((const uint8_t[12]){0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x8C, 0x3D, 0x25, 0}), -1);
}

static void test_wide_decimal(void **state) {
    (void)state;
    static const struct { const char *bytes; size_t n; unsigned scale; const char *want; } cases[] = {
        {"", 0, 0, "0"}, {"", 0, 2, "0.00"}, {"\x05", 1, 1, "0.5"}, {"\xfb", 1, 1, "-0.5"}, {"\xff\xff", 2, 0, "-1"}, {"\x80", 1, 0, "-128"},
        {"\x00\x98\x96\x80", 4, 0, "10000000"}, {"\x3b\x9a\xca\x00", 4, 9, "1.000000000"}, {"\x0d\xe0\xb6\xb3\xa7\x64\x00\x00", 8, 0, "1000000000000000000"},
        {"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 25, 3,
         "6277101735386680763835789423207666416102355444464034512.895"},
        {"\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 17, 0, "-43556142965880123323311949751266331066368"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[DP_PQ_WIDE_TEXT];
        size_t n = dp_pq_wide_decimal((const uint8_t *)cases[i].bytes, cases[i].n, cases[i].scale, out);
        if (n != strlen(cases[i].want) || memcmp(out, cases[i].want, n)) fail_msg("%zu: %.*s, expected %s", i, (int)n, out, cases[i].want);
    }
    uint8_t largest[DP_PQ_WIDE_BYTES];
    char out[DP_PQ_WIDE_TEXT];
    memset(largest, 0x7f, sizeof largest);
    assert_int_equal(dp_pq_wide_decimal(largest, sizeof largest, 0, out), 308);
    largest[0] = 0x80;
    assert_int_equal(dp_pq_wide_decimal(largest, sizeof largest, DP_PQ_WIDE_DIGITS, out), 310);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack),        cmocka_unit_test(test_unpack_run),   cmocka_unit_test(test_hybrid_table),
        cmocka_unit_test(test_hybrid_pieces), cmocka_unit_test(test_levels),       cmocka_unit_test(test_delta_pieces),
        cmocka_unit_test(test_delta_faults),  cmocka_unit_test(test_delta_bytes),  cmocka_unit_test(test_split),
        cmocka_unit_test(test_decimal),       cmocka_unit_test(test_wide_decimal), cmocka_unit_test(test_int96),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
