/*
 * Ed25519 by libcrypto (format and rules in the header).  The two PEM forms are written and read here, for of Ed25519 each is a fixed head and 32 bytes (RFC 8410 section 7
 * and 4): the private key then never passes through buffers that aren't wiped.  Not read: encrypted keys, keys with attributes, other algorithms.
 */
#include <dp/base/sign.h>

#include <dp/base/buf.h>
#include <dp/base/crypto.h>
#include <dp/base/file.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_BYTES 4096u

struct dp_sign_key {
    uint8_t seed[DP_SIGN_KEY];
    struct dp_sign_public pub;
};

/* The DER in front of the 32 bytes. */
static const uint8_t private_head[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
static const uint8_t public_head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

/* Its own defaults, whatever OPENSSL_CONF says. */
static enum dp_status start(struct dp_err *err) {
    return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1 ? DP_OK : dp_err_set(err, DP_IO, "libcrypto does not start");
}

static void set_id(struct dp_sign_public *p) {
    uint8_t sum[DP_SHA256_SIZE];
    dp_sha256(p->key, sizeof p->key, sum);
    p->id[dp_hex_print(p->id, sum, (DP_SIGN_ID - 1) / 2)] = 0;
}

static enum dp_status derive(struct dp_sign_key *k, struct dp_err *err) {
    size_t n = sizeof k->pub.key;
    DP_TRY(start(err));
    EVP_PKEY *p = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, k->seed, sizeof k->seed);
    bool ok = p && EVP_PKEY_get_raw_public_key(p, k->pub.key, &n) == 1 && n == sizeof k->pub.key;
    EVP_PKEY_free(p);
    if (!ok) return dp_err_set(err, DP_IO, "libcrypto has no Ed25519");
    set_id(&k->pub);
    return DP_OK;
}

/* ---- PEM ---- */

static size_t put(char *out, size_t n, const char *text) {
    size_t len = strlen(text);
    memcpy(out + n, text, len);
    return n + len;
}

/* At most 200 bytes. */
static size_t print_pem(char *out, const char *label, const uint8_t *head, size_t n_head, const uint8_t key[DP_SIGN_KEY]) {
    uint8_t der[sizeof private_head + DP_SIGN_KEY];
    memcpy(der, head, n_head);
    memcpy(der + n_head, key, DP_SIGN_KEY);
    size_t n = put(out, put(out, put(out, 0, "-----BEGIN "), label), "-----\n"), from = n;
    n += dp_base64url_print(out + n, der, n_head + DP_SIGN_KEY);
    for (size_t i = from; i < n; i++) out[i] = out[i] == '-' ? '+' : out[i] == '_' ? '/' : out[i];
    while ((n - from) % 4) out[n++] = '=';
    n = put(out, put(out, put(out, n, "\n-----END "), label), "-----\n");
    dp_wipe(der, sizeof der);
    return n;
}

static const char *find(struct dp_str in, const char *what) {
    size_t n = strlen(what);
    for (size_t i = 0; n <= in.n && i <= in.n - n; i++)
        if (memcmp(in.p + i, what, n) == 0) return in.p + i;
    return NULL;
}

static bool parse_pem(struct dp_str text, const char *label, const uint8_t *head, size_t n_head, uint8_t key[DP_SIGN_KEY]) {
    char begin[64], end[64], plain[128];
    uint8_t der[sizeof private_head + DP_SIGN_KEY];
    size_t n = 0, got = 0;
    snprintf(begin, sizeof begin, "-----BEGIN %s-----", label);
    snprintf(end, sizeof end, "-----END %s-----", label);
    const char *from = find(text, begin);
    if (!from) return false;
    from += strlen(begin);
    const char *to = find(dp_str(from, text.n - (size_t)(from - text.p)), end);
    for (; to && from < to; from++) {
        if (*from == '\n' || *from == '\r' || *from == ' ' || *from == '\t') continue;
        if (n == sizeof plain) break;
        plain[n++] = *from;
    }
    bool ok = to && from == to && dp_base64url_parse(dp_str(plain, n), der, n_head + DP_SIGN_KEY, &got) && got == n_head + DP_SIGN_KEY && memcmp(der, head, n_head) == 0;
    if (ok) memcpy(key, der + n_head, DP_SIGN_KEY);
    dp_wipe(plain, sizeof plain), dp_wipe(der, sizeof der);
    return ok;
}

/* ---- files ---- */

static enum dp_status write_new(const char *path, unsigned mode, const char *text, size_t n, struct dp_err *err) {
    struct dp_newfile f = {.slot = -1};
    enum dp_status status = dp_newfile_open(&f, path, mode, err);
    if (status == DP_OK) status = dp_fd_write(f.fd, text, n, err);
    if (status == DP_OK) status = dp_newfile_commit_new(&f, err);
    if (status == DP_AGAIN) status = dp_err_set(err, DP_USAGE, "%s is there already: a key file is never overwritten", path);
    dp_newfile_abort(&f);
    return status;
}

enum dp_status dp_sign_create(const char *path, struct dp_sign_public *out, struct dp_err *err) {
    struct dp_sign_key *k = NULL;
    char *pub = dp_alloc(strlen(path) + 5), *text = dp_secret_alloc(FILE_BYTES);
    enum dp_status status = DP_OK;
    snprintf(pub, strlen(path) + 5, "%s.pub", path);
    if (access(pub, F_OK) == 0) DP_TRY_OUT(dp_err_set(err, DP_USAGE, "%s is there already: a key file is never overwritten", pub));
    if (access(path, F_OK) == 0) {
        status = dp_sign_read_key(path, &k, err);
        if (status) dp_err_prefix(err, "a key file is never overwritten, and no public key can be made from what is there: ");
        if (status) goto out;
    } else {
        k = dp_secret_alloc(sizeof *k);
        dp_random(k->seed, sizeof k->seed);
        DP_TRY_OUT(derive(k, err));
        size_t n = print_pem(text, "PRIVATE KEY", private_head, sizeof private_head, k->seed);
        DP_TRY_OUT(write_new(path, 0600, text, n, err));
    }
    status = write_new(pub, 0644, text, print_pem(text, "PUBLIC KEY", public_head, sizeof public_head, k->pub.key), err);
    *out = k->pub;
out:
    dp_sign_key_free(k);
    dp_secret_free(text, FILE_BYTES);
    free(pub);
    return status;
}

enum dp_status dp_sign_read_key(const char *path, struct dp_sign_key **out, struct dp_err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) return dp_err_set(err, DP_IO, "there is no key file %s: `dp-retain keygen %s` makes it", path, path);
    if (fd < 0) return dp_err_sys(err, DP_IO, "cannot open key file %s", path);
    char *text = dp_secret_alloc(FILE_BYTES);
    struct dp_sign_key *k = dp_secret_alloc(sizeof *k);
    size_t n = 0;
    enum dp_status status = dp_secret_read(fd, path, "key", text, FILE_BYTES, &n, err);
    if (status == DP_OK && !parse_pem(dp_str(text, n), "PRIVATE KEY", private_head, sizeof private_head, k->seed))
        status = dp_err_set(err, DP_USAGE, "%s holds no Ed25519 key as dp-retain keygen writes it (PKCS #8, PEM)", path);
    for (size_t i = 1; status == DP_OK && k->seed[i] == k->seed[0]; i++)
        if (i == sizeof k->seed - 1) status = dp_err_set(err, DP_USAGE, "%s: all bytes of the key are equal", path);
    if (status == DP_OK) status = derive(k, err);
    if (status == DP_OK) *out = k;
    else dp_sign_key_free(k);
    dp_secret_free(text, FILE_BYTES);
    close(fd);
    return status;
}

void dp_sign_key_free(struct dp_sign_key *k) { dp_secret_free(k, sizeof *k); }

const struct dp_sign_public *dp_sign_key_public(const struct dp_sign_key *k) { return &k->pub; }

enum dp_status dp_sign_read_public(const char *path, struct dp_sign_public *out, struct dp_err *err) {
    struct dp_buf b = {0};
    enum dp_status status = dp_file_read(path, FILE_BYTES, &b, err);
    struct dp_str text = dp_buf_str(&b);
    if (status == DP_LIMIT) status = dp_err_set(err, DP_USAGE, "%s is too long for a key", path);
    if (status == DP_OK && !parse_pem(text, "PUBLIC KEY", public_head, sizeof public_head, out->key)) {
        bool is_private = find(text, "PRIVATE KEY") != NULL;
        status = dp_err_set(err, DP_USAGE, "%s holds no Ed25519 public key%s", path, is_private ? ", but a private one: FILE.pub is meant" : "");
    }
    dp_wipe(b.p, b.n);
    dp_buf_release(&b);
    if (status == DP_OK) set_id(out);
    return status;
}

/* ---- signatures ---- */

static void add_tag(struct dp_buf *b, const char *tag, struct dp_str bytes) {
    dp_buf_addz(b, tag);
    dp_buf_addc(b, 0);
    dp_buf_adds(b, bytes);
}

enum dp_status dp_sign(const struct dp_sign_key *k, const char *tag, struct dp_str bytes, uint8_t out[DP_SIGN_SIZE], struct dp_err *err) {
    struct dp_buf b = {0};
    size_t n = DP_SIGN_SIZE;
    DP_TRY(start(err));
    add_tag(&b, tag, bytes);
    EVP_PKEY *p = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, k->seed, sizeof k->seed);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = p && c && EVP_DigestSignInit(c, NULL, NULL, NULL, p) == 1 && EVP_DigestSign(c, out, &n, (const uint8_t *)b.p, b.n) == 1 && n == DP_SIGN_SIZE;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(p);
    dp_buf_release(&b);
    return ok ? DP_OK : dp_err_set(err, DP_IO, "libcrypto does not sign");
}

enum dp_status dp_sign_verify(const struct dp_sign_public *k, const char *tag, struct dp_str bytes, const uint8_t signature[DP_SIGN_SIZE], struct dp_err *err) {
    struct dp_buf b = {0};
    DP_TRY(start(err));
    add_tag(&b, tag, bytes);
    EVP_PKEY *p = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->key, sizeof k->key);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ready = p && c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, p) == 1;
    bool ok = ready && EVP_DigestVerify(c, signature, DP_SIGN_SIZE, (const uint8_t *)b.p, b.n) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(p);
    dp_buf_release(&b);
    if (ok) return DP_OK;
    return dp_err_set(err, ready ? DP_FORMAT : DP_IO, ready ? "the signature is not that of key %s" : "libcrypto does not check with key %s", k->id);
}
