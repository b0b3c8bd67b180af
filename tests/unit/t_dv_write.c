/* Deletion vectors that are written: the digest's bytes, each kind of container, and what the reader makes of them. */
#include <dp/base/mem.h>
#include <dp/delta/dv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_z85(void **state) {
    struct dp_buf bytes = {0}, text = {0};
    (void)state;
    /* The digest's vector: the UUID d2c639aa-8816-431a-aaf6-d3fe2512ff61. */
    assert_true(dp_z85_decode(dp_str_z("-aqEH.-t@S}K{vb[*k^"), &bytes) == false); /* 19 characters */
    assert_true(dp_z85_decode(dp_str_z("^-aqEH.-t@S}K{vb[*k^"), &bytes));
    assert_true(dp_z85_encode(dp_buf_str(&bytes), &text));
    assert_string_equal(dp_buf_z(&text), "^-aqEH.-t@S}K{vb[*k^");
    assert_false(dp_z85_encode(DP_STR("abc"), &text));
    dp_buf_release(&bytes);
    dp_buf_release(&text);
}

/* Rows 3 4 7 11 18 29, which the digest gives as bytes. */
static void test_digest(void **state) {
    static const int64_t rows[] = {3, 4, 7, 11, 18, 29};
    struct dp_delta_deleted d;
    struct dp_buf out = {0}, want = {0};
    (void)state;
    dp_delta_deleted_open(&d, 30);
    for (size_t i = 0; i < 6; i++) assert_true(dp_delta_deleted_add(&d, rows[i]));
    assert_false(dp_delta_deleted_add(&d, 3));
    assert_false(dp_delta_deleted_add(&d, 30));
    assert_false(dp_delta_deleted_add(&d, -1));
    assert_int_equal(d.count, 6);
    dp_delta_dv_print(&d, &out);
    assert_true(dp_z85_decode(dp_str_z("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"), &want));
    assert_int_equal(out.n, 44);
    assert_memory_equal(out.p, want.p, 44);
    dp_delta_deleted_release(&d);
    dp_buf_release(&out);
    dp_buf_release(&want);
}

static void round_trip(const struct dp_delta_deleted *d, size_t most_bytes) {
    struct dp_buf out = {0};
    struct dp_delta_deleted back;
    struct dp_err err = DP_ERR_INIT;
    dp_delta_dv_print(d, &out);
    assert_true(out.n <= most_bytes);
    assert_int_equal(dp_delta_dv_parse(dp_buf_str(&out), d->rows, &back, &err), DP_OK);
    assert_int_equal(back.count, d->count);
    assert_memory_equal(back.bits, d->bits, (size_t)(d->rows / 8) + 1);
    dp_delta_deleted_release(&back);
    dp_buf_release(&out);
}

/* Every form, alone and side by side: sparse, dense and odd, runs; fewer and more than four containers. */
static void test_round_trip(void **state) {
    static const int64_t sizes[] = {1, 7, 8, 9, 65535, 65536, 65537, 200000, 500001};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (unsigned kind = 0; kind < 6; kind++) {
            struct dp_delta_deleted d;
            uint32_t x = 12345;
            dp_delta_deleted_open(&d, sizes[s]);
            for (int64_t i = 0; i < sizes[s]; i++) {
                x = x * 1664525 + 1013904223;
                bool in = kind == 0 ? i == sizes[s] - 1 : kind == 1 ? x >> 24 == 0 : kind == 2 ? x >> 31 : kind == 3 ? true :
                          kind == 4 ? i / 1000 % 2 == 0 : (i >> 16) % 3 == 0 ? x >> 24 == 0 : (i >> 16) % 3 == 1 ? i % 2 == 0 : i % 65536 < 60000;
                if (in) assert_true(dp_delta_deleted_add(&d, i));
            }
            if (d.count) round_trip(&d, kind == 3 ? 200 : SIZE_MAX);
            dp_delta_deleted_release(&d);
        }
}

/* Two vectors in one file, read as the log names them; without keep the file goes. */
static void test_file(void **state) {
    char dir[] = "/tmp/dp-dv-XXXXXX";
    struct dp_arena arena = {0};
    struct dp_err err = DP_ERR_INIT;
    struct dp_delta_dv dv[2];
    struct dp_buf name = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    for (int keep = 0; keep < 2; keep++) {
        struct dp_delta_dv_file *f = dp_delta_dv_file_open(dir);
        for (int64_t k = 0; k < 2; k++) {
            struct dp_delta_deleted d;
            dp_delta_deleted_open(&d, 1000);
            for (int64_t i = k; i < 1000; i += 3 + k) dp_delta_deleted_add(&d, i);
            assert_int_equal(dp_delta_dv_file_add(f, &d, &arena, &dv[k], &err), DP_OK);
            dp_delta_deleted_release(&d);
        }
        assert_int_equal(dv[0].offset, 1);
        assert_int_equal(dp_delta_dv_file_finish(f, &err), DP_OK);
        for (int64_t k = 0; k < 2; k++) {
            struct dp_delta_deleted back;
            assert_int_equal(dp_delta_dv_read(dir, &dv[k], 1000, &back, &err), DP_OK);
            assert_int_equal(back.count, k ? 250 : 334);
            assert_true(dp_delta_is_deleted(&back, k));
            dp_delta_deleted_release(&back);
        }
        if (keep) dp_delta_dv_file_keep(f);
        dp_delta_dv_file_close(f);
        dp_buf_reset(&name);
        dp_buf_addf(&name, "%s/", dir);
        assert_true(dp_delta_dv_name(dv[0].path, &name));
        assert_int_equal(access(dp_buf_z(&name), F_OK), keep ? 0 : -1);
    }
    unlink(dp_buf_z(&name));
    assert_int_equal(rmdir(dir), 0);
    dp_buf_release(&name);
    dp_arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_z85), cmocka_unit_test(test_digest), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
