/* AES-SIV: the vector of RFC 5297 (A.1), every length, and that each changed byte is found. */
#include "dpt.h"

#include <dp/base/crypto.h>
#include <dp/base/siv.h>

#include <stdlib.h>

static void bytes(const char *hex, uint8_t *out, size_t n) {
    size_t got;
    assert_true(dp_hex_parse(dp_str_z(hex), out, n, &got));
    assert_int_equal(got, n);
}

static void published(void **state) {
    uint8_t key[32], ad[24], text[14], want[30], got[30], back[14];
    struct dp_siv s;
    (void)state;
    bytes("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", key, 32);
    bytes("101112131415161718191a1b1c1d1e1f2021222324252627", ad, 24);
    bytes("112233445566778899aabbccddee", text, 14);
    bytes("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c", want, 30);
    dp_siv_init(&s, key, dp_str((char *)ad, 24));
    dp_siv_seal(&s, dp_str((char *)text, 14), got);
    assert_memory_equal(got, want, 30);
    assert_true(dp_siv_open(&s, dp_str((char *)got, 30), back));
    assert_memory_equal(back, text, 14);
}

static void lengths(void **state) {
    static const uint8_t key[32] = {1, 2, 3}, other[32] = {1, 2, 4};
    uint8_t text[100], sealed[116], back[100];
    struct dp_siv s, t, u;
    (void)state;
    dp_siv_init(&s, key, DP_STR("a"));
    dp_siv_init(&t, key, DP_STR("b"));
    dp_siv_init(&u, other, DP_STR("a"));
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)(i * 37);
    for (size_t n = 0; n <= sizeof text; n++) {
        struct dp_str whole = dp_str((char *)sealed, n + DP_SIV_EXTRA);
        dp_siv_seal(&s, dp_str((char *)text, n), sealed);
        assert_true(dp_siv_open(&s, whole, back));
        assert_memory_equal(back, text, n);
        assert_false(dp_siv_open(&t, whole, back));
        assert_false(dp_siv_open(&u, whole, back));
        for (size_t i = 0; i < whole.n; i++) {
            sealed[i] ^= 1;
            assert_false(dp_siv_open(&s, whole, back));
            sealed[i] ^= 1;
        }
        if (n) assert_false(dp_siv_open(&s, dp_str((char *)sealed, whole.n - 1), back));
    }
    assert_false(dp_siv_open(&s, dp_str((char *)sealed, 15), back));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(published), cmocka_unit_test(lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
