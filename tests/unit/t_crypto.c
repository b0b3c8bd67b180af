/*
 * SHA-256, HMAC and HKDF against the vectors of the standards (corpus/crypto), other lengths against one another; hex and base64url;
 * key rings: what is read, what is refused, that files are 0600 and never overwritten.
 */
#include "dpt.h"

#include <dp/record/json.h>
#include <dp/rules/keyring.h>
#include <fcntl.h>
#include <sys/stat.h>

static const char *need(const struct dp_record *r, const char *name, struct dp_buf *b) {
    uint32_t node = dp_json_member(r, 0, name);
    dp_buf_reset(b);
    if (!node || !dp_json_get_string(r, node, b)) return NULL;
    return dp_buf_z(b);
}

static size_t bytes_of(const struct dp_record *r, const char *name, uint8_t *out, size_t cap) {
    struct dp_buf b = {0};
    size_t n = 0;
    assert_non_null(need(r, name, &b));
    assert_true(dp_hex_parse(dp_buf_str(&b), out, cap, &n));
    dp_buf_release(&b);
    return n;
}

static void each_vector(const char *file, void (*fn)(const struct dp_record *r)) {
    char path[1024];
    struct dp_buf b = {0};
    struct dp_record r;
    struct dp_err err = DP_ERR_INIT;
    FILE *f = fopen(dpt_shared(path, file), "rb");
    assert_non_null(f);
    b.n = fread(dp_buf_reserve(&b, 1 << 20), 1, 1 << 20, f);
    fclose(f);
    dp_buf_reserve(&b, DP_SCAN_PAD);
    struct dp_scan *s = dp_scan_open(1 << 20, DP_SCAN_AUTO);
    dp_scan_begin(s, b.p, b.n);
    int n = 0;
    while (dp_scan_next(s, &r, &err) == DP_OK) fn(&r), n++;
    assert_true(n > 1);
    dp_scan_close(s);
    dp_buf_release(&b);
}

static void one_sha(const struct dp_record *r) {
    struct dp_buf b = {0};
    uint8_t got[32], want[32];
    assert_int_equal(bytes_of(r, "hex", want, 32), 32);
    if (need(r, "msg_utf8", &b)) {
        dp_sha256(b.p, b.n, got);
    } else { /* a million times the letter a */
        dp_buf_reset(&b);
        memset(dp_buf_reserve(&b, 1000000), 'a', 1000000);
        dp_sha256(b.p, 1000000, got);
    }
    assert_memory_equal(got, want, 32);
    dp_buf_release(&b);
}

static void one_hmac(const struct dp_record *r) {
    uint8_t key[256], msg[256], want[32], got[32];
    struct dp_hmac h;
    size_t key_n = bytes_of(r, "key_hex", key, sizeof key), n = bytes_of(r, "msg_hex", msg, sizeof msg), want_n = bytes_of(r, "mac_hex", want, 32);
    dp_hmac_init(&h, key, key_n);
    for (size_t cut = 0; cut <= n; cut++) { /* however it is cut in two */
        dp_hmac_sum(&h, dp_str((char *)msg, cut), dp_str((char *)msg + cut, n - cut), got);
        assert_memory_equal(got, want, want_n);
    }
}

static void one_hkdf(const struct dp_record *r) {
    uint8_t key[256], salt[256], info[256], want[256], got[256];
    size_t key_n = bytes_of(r, "ikm", key, 256), salt_n = bytes_of(r, "salt", salt, 256), info_n = bytes_of(r, "info", info, 256), n = bytes_of(r, "okm", want, 256);
    dp_hkdf(dp_str((char *)key, key_n), dp_str((char *)salt, salt_n), dp_str((char *)info, info_n), got, n);
    assert_memory_equal(got, want, n);
}

static void sha_vectors(void **state) { (void)state, each_vector("corpus/crypto/sha256-fips180.ndjson", one_sha); }
static void hmac_vectors(void **state) { (void)state, each_vector("corpus/crypto/hmac-sha256-rfc4231.ndjson", one_hmac); }
static void hkdf_vectors(void **state) { (void)state, each_vector("corpus/crypto/hkdf-sha256-rfc5869.ndjson", one_hkdf); }

/* HMAC as it is defined, from the hash alone, at the lengths around the blocks. */
static void hmac_lengths(void **state) {
    (void)state;
    uint8_t msg[400], pad[64 + 400], inner[64 + 32], a[32], b[32];
    struct dp_hmac h;
    for (size_t i = 0; i < sizeof msg; i++) msg[i] = (uint8_t)(i * 7);
    dp_hmac_init(&h, "key", 3);
    for (size_t n = 0; n <= 300; n++) {
        memset(pad, 0x36, 64), memset(inner, 0x5c, 64);
        for (size_t i = 0; i < 3; i++) pad[i] ^= (uint8_t)"key"[i], inner[i] ^= (uint8_t)"key"[i];
        memcpy(pad + 64, msg, n);
        dp_sha256(pad, 64 + n, inner + 64);
        dp_sha256(inner, sizeof inner, a);
        dp_hmac_sum(&h, dp_str((char *)msg, n / 3), dp_str((char *)msg + n / 3, n - n / 3), b);
        assert_memory_equal(a, b, 32);
    }
}

static void texts(void **state) {
    (void)state;
    uint8_t in[40], out[40];
    char text[80];
    size_t n;
    for (size_t len = 0; len < sizeof in; len++) {
        for (size_t i = 0; i < len; i++) in[i] = (uint8_t)(i * 37 + len);
        assert_true(dp_hex_parse(dp_str(text, dp_hex_print(text, in, len)), out, sizeof out, &n));
        assert_true(n == len && memcmp(in, out, len) == 0);
        size_t printed = dp_base64url_print(text, in, len);
        assert_int_equal(printed, (len * 4 + 2) / 3);
        assert_true(dp_base64url_parse(dp_str(text, printed), out, sizeof out, &n));
        assert_true(n == len && memcmp(in, out, len) == 0);
    }
    assert_false(dp_hex_parse(DP_STR("abc"), out, sizeof out, &n));
    assert_false(dp_hex_parse(DP_STR("zz"), out, sizeof out, &n));
    assert_false(dp_base64url_parse(DP_STR("A"), out, sizeof out, &n));
    assert_false(dp_base64url_parse(DP_STR("AB"), out, sizeof out, &n)); /* bits behind the last byte */
    assert_true(dp_base64url_parse(DP_STR("+/8="), out, sizeof out, &n) && n == 2);
    assert_false(dp_base64url_parse(DP_STR("AAAA"), out, 2, &n));
}

static void rings(void **state) {
    (void)state;
    static const struct {
        const char *text, *id; /* id NULL: refused */
    } cases[] = {
        {"00112233445566778899aabbccddeeff", ""},
        {"mine:00112233445566778899aabbccddeeff\n", "mine"},
        {"ABEiM0RVZneImaq7zN3u_w", ""},
        {"# dp key ring 1\nb 2026-01-02T03:04:05Z retired 00112233445566778899aabbccddeeff\na 2026-01-02T03:04:05Z active ffeeddccbbaa99887766554433221100\n", "a"},
        {"a 2026-01-02T03:04:05Z active 00112233445566778899aabbccddeeff\nb 2026-01-02T03:04:05Z destroyed -\n", "a"},
        {"", NULL},
        {"secret", NULL},
        {"00112233445566778899aabbccddee", NULL},   /* 120 bits */
        {"00000000000000000000000000000000", NULL}, /* all bytes equal */
        {"m ine:00112233445566778899aabbccddeeff", NULL},
        {"a 2026-01-02T03:04:05Z active", NULL},
        {"a yesterday active 00112233445566778899aabbccddeeff", NULL},
        {"a 2026-01-02T03:04:05Z alive 00112233445566778899aabbccddeeff", NULL},
        {"a 2026-01-02T03:04:05Z destroyed 00112233445566778899aabbccddeeff", NULL},
        {"a 2026-01-02T03:04:05Z active 00112233445566778899aabbccddeeff\na 2026-01-02T03:04:05Z retired 00112233445566778899aabbccddeeff\n", NULL},
        {"a 2026-01-02T03:04:05Z active 00112233445566778899aabbccddeeff\nb 2026-01-02T03:04:05Z active 00112233445566778899aabbccddeeff\n", NULL},
        {"a/b 2026-01-02T03:04:05Z active 00112233445566778899aabbccddeeff", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dp_keyring *r = NULL;
        struct dp_err err = DP_ERR_INIT;
        enum dp_status status = dp_keyring_parse(dp_str_z(cases[i].text), "ring", &r, &err);
        if (!cases[i].id) {
            assert_int_equal(status, DP_USAGE);
            assert_non_null(strstr(err.msg, "keygen"));
            assert_null(strstr(err.msg, "0011")); /* nothing of what stands there */
            continue;
        }
        assert_int_equal(status, DP_OK);
        assert_non_null(dp_keyring_active(r));
        if (*cases[i].id) assert_string_equal(dp_keyring_active(r)->id, cases[i].id);
        else assert_int_equal(strlen(dp_keyring_active(r)->id), 8);
        dp_keyring_free(r);
    }
}

static void files(void **state) {
    (void)state;
    char dir[] = "/tmp/dp-ring-XXXXXX", path[64], id[33], second[33];
    struct dp_err err = DP_ERR_INIT;
    struct dp_keyring *r = NULL, *again = NULL;
    struct stat st;
    uint8_t a[32], b[32];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/ring", dir);
    assert_int_equal(dp_keyring_read(path, &r, &err), DP_IO);
    assert_non_null(strstr(err.msg, "dp-mask keygen"));
    assert_int_equal(dp_keyring_create(path, 1767322445000000, id, &err), DP_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(dp_keyring_create(path, 0, second, &err), DP_USAGE);
    assert_int_equal(dp_keyring_read(path, &r, &err), DP_OK);
    assert_string_equal(dp_keyring_active(r)->id, id);
    assert_string_equal(dp_keyring_active(r)->created, "2026-01-02T02:54:05Z");
    assert_int_equal(dp_keyring_add(path, 1767322445000000, second, &err), DP_OK);
    assert_int_equal(dp_keyring_read(path, &again, &err), DP_OK);
    assert_int_equal(again->n, 2);
    assert_string_equal(dp_keyring_active(again)->id, second);
    assert_int_equal(again->keys[1].state, DP_KEY_RETIRED);
    dp_key_derive(&r->keys[0], "token", DP_STR("email"), a);
    dp_key_derive(&again->keys[1], "token", DP_STR("email"), b);
    assert_memory_equal(a, b, 32);
    dp_key_derive(&r->keys[0], "token", DP_STR("name"), b);
    assert_true(memcmp(a, b, 32) != 0);
    dp_key_derive(&r->keys[0], "hmac", DP_STR("email"), b);
    assert_true(memcmp(a, b, 32) != 0);
    dp_keyring_free(r);
    dp_keyring_free(again);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(dp_keyring_read(path, &r, &err), DP_USAGE);
    assert_non_null(strstr(err.msg, "chmod 600"));
    unlink(path);
    rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sha_vectors), cmocka_unit_test(hmac_vectors), cmocka_unit_test(hkdf_vectors), cmocka_unit_test(hmac_lengths),
                                       cmocka_unit_test(texts), cmocka_unit_test(rings), cmocka_unit_test(files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
