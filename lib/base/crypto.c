/*
 * SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869) over libcrypto's block function; secret memory.
 * The low-level calls are used on purpose: a context of the EVP calls costs twice as much to copy as the two blocks that most values need,
 * and pulls in the providers.  Not here: ciphers.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <dp/base/crypto.h>
#include <dp/base/file.h>
#include <dp/base/mem.h>

#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define BLOCK 64u
#define PIECE (1u << 20) /* of a file */

/* The leak checker traces its own process. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

void dp_wipe(void *p, size_t n) {
    if (n) explicit_bzero(p, n);
}

void dp_sha256(const void *p, size_t n, uint8_t out[DP_SHA256_SIZE]) {
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, p, n);
    SHA256_Final(out, &c);
    dp_wipe(&c, sizeof c);
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct dp_sha256_state), "libcrypto's state fits into ours");

void dp_sha256_begin(struct dp_sha256_state *s) { SHA256_Init((SHA256_CTX *)(void *)s->own); }
void dp_sha256_add(struct dp_sha256_state *s, const void *p, size_t n) { if (n) SHA256_Update((SHA256_CTX *)(void *)s->own, p, n); }
void dp_sha256_end(struct dp_sha256_state *s, uint8_t out[DP_SHA256_SIZE]) {
    SHA256_Final(out, (SHA256_CTX *)(void *)s->own);
    dp_wipe(s, sizeof *s);
}

static void print_hex(const uint8_t sum[DP_SHA256_SIZE], char out[2 * DP_SHA256_SIZE + 1]) { out[dp_hex_print(out, sum, DP_SHA256_SIZE)] = 0; }

void dp_sha256_hex(struct dp_str text, char out[2 * DP_SHA256_SIZE + 1]) {
    uint8_t sum[DP_SHA256_SIZE];
    dp_sha256(text.p, text.n, sum);
    print_hex(sum, out);
}

enum dp_status dp_sha256_file(int fd, uint64_t size, char out[2 * DP_SHA256_SIZE + 1], struct dp_err *err) {
    struct dp_sha256_state s;
    uint8_t sum[DP_SHA256_SIZE];
    char *block = dp_alloc(PIECE);
    enum dp_status status = DP_OK;
    dp_sha256_begin(&s);
    for (uint64_t at = 0, n; status == DP_OK && at < size; at += n) {
        n = size - at < PIECE ? size - at : PIECE;
        status = dp_fd_pread(fd, block, n, at, err);
        if (status == DP_OK) dp_sha256_add(&s, block, n);
    }
    dp_sha256_end(&s, sum);
    print_hex(sum, out);
    free(block);
    return status;
}

static void start(uint32_t state[8], const uint8_t pad[BLOCK]) {
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Transform(&c, pad);
    memcpy(state, c.h, sizeof c.h);
    dp_wipe(&c, sizeof c);
}

void dp_hmac_init(struct dp_hmac *h, const void *key, size_t n) {
    uint8_t k[BLOCK] = {0}, pad[BLOCK];
    if (n > BLOCK) dp_sha256(key, n, k);
    else if (n) memcpy(k, key, n);
    for (size_t i = 0; i < BLOCK; i++) pad[i] = k[i] ^ 0x36;
    start(h->inner, pad);
    for (size_t i = 0; i < BLOCK; i++) pad[i] = k[i] ^ 0x5c;
    start(h->outer, pad);
    dp_wipe(k, sizeof k);
    dp_wipe(pad, sizeof pad);
}

static void put_be32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}

/* One last block of up to 55 bytes behind a state that has taken in one block. */
static void finish_short(const uint32_t state[8], uint8_t block[BLOCK], size_t n, uint8_t out[DP_SHA256_SIZE]) {
    SHA256_CTX c;
    block[n] = 0x80;
    memset(block + n + 1, 0, BLOCK - 4 - (n + 1));
    put_be32(block + BLOCK - 4, (uint32_t)(BLOCK + n) * 8);
    memcpy(c.h, state, sizeof c.h);
    SHA256_Transform(&c, block);
    for (int i = 0; i < 8; i++) put_be32(out + 4 * i, c.h[i]);
}

void dp_hmac_sum(const struct dp_hmac *h, struct dp_str a, struct dp_str b, uint8_t out[DP_SHA256_SIZE]) {
    uint8_t block[BLOCK];
    if (a.n <= BLOCK - 9 && b.n <= BLOCK - 9 - a.n) {
        if (a.n) memcpy(block, a.p, a.n);
        if (b.n) memcpy(block + a.n, b.p, b.n);
        finish_short(h->inner, block, a.n + b.n, out);
    } else {
        SHA256_CTX c;
        SHA256_Init(&c);
        memcpy(c.h, h->inner, sizeof c.h);
        c.Nl = BLOCK * 8;
        SHA256_Update(&c, a.p, a.n);
        SHA256_Update(&c, b.p, b.n);
        SHA256_Final(out, &c);
    }
    memcpy(block, out, DP_SHA256_SIZE);
    finish_short(h->outer, block, DP_SHA256_SIZE, out);
}

void dp_hkdf(struct dp_str key, struct dp_str salt, struct dp_str info, uint8_t *out, size_t n) {
    static const uint8_t none[DP_SHA256_SIZE] = {0};
    struct dp_hmac h;
    uint8_t prk[DP_SHA256_SIZE], t[DP_SHA256_SIZE];
    uint8_t *text = dp_alloc(DP_SHA256_SIZE + info.n + 1);
    dp_hmac_init(&h, salt.n ? (const void *)salt.p : none, salt.n ? salt.n : sizeof none);
    dp_hmac_sum(&h, key, dp_str("", 0), prk);
    dp_hmac_init(&h, prk, sizeof prk);
    size_t had = 0;
    for (uint8_t i = 1; n > 0; i++) {
        memcpy(text, t, had);
        if (info.n) memcpy(text + had, info.p, info.n);
        text[had + info.n] = i;
        dp_hmac_sum(&h, dp_str((const char *)text, had + info.n + 1), dp_str("", 0), t);
        size_t take = n < sizeof t ? n : sizeof t;
        memcpy(out, t, take);
        out += take, n -= take;
        had = sizeof t;
    }
    dp_wipe(text, DP_SHA256_SIZE + info.n + 1);
    free(text);
    dp_wipe(prk, sizeof prk);
    dp_wipe(t, sizeof t);
    dp_wipe(&h, sizeof h);
}

/* ---- secret memory ---- */

static size_t whole_pages(size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (n + page - 1) / page * page;
}

void *dp_secret_alloc(size_t n) {
    size_t size = whole_pages(n ? n : 1);
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return dp_alloc(PTRDIFF_MAX); /* ends as any other lack of memory does */
    bool locked = mlock(p, size) == 0; /* the bound on locked memory may be low: the key works all the same */
    (void)locked;
#ifdef MADV_DONTDUMP
    (void)madvise(p, size, MADV_DONTDUMP);
#endif
    return p;
}

void dp_secret_free(void *p, size_t n) {
    if (!p) return;
    dp_wipe(p, n);
    (void)munmap(p, whole_pages(n ? n : 1));
}

enum dp_status dp_secret_read(int fd, const char *path, const char *what, char *text, size_t cap, size_t *n, struct dp_err *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return dp_err_sys(err, DP_IO, "cannot look at %s", path);
    if (S_ISDIR(st.st_mode)) return dp_err_set(err, DP_USAGE, "%s is a directory, not a %s", path, what);
    if (st.st_uid != geteuid() && st.st_uid != 0) return dp_err_set(err, DP_USAGE, "key file %s belongs to another user", path);
    if (st.st_mode & 077)
        return dp_err_set(err, DP_USAGE, "key file %s can be read by others (mode %03o): chmod 600 it, and take a new key if they may have", path, (unsigned)(st.st_mode & 0777));
    for (*n = 0; *n < cap;) {
        ssize_t got = read(fd, text + *n, cap - *n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return dp_err_sys(err, DP_IO, "cannot read %s", path);
        if (got == 0) return DP_OK;
        *n += (size_t)got;
    }
    return dp_err_set(err, DP_USAGE, "%s is too long for a %s", path, what);
}

void dp_secret_guard(void) {
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
#if defined(__linux__) && !defined(IS_SANITIZED)
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* ---- text ---- */

static const char hex_digits[] = "0123456789abcdef";
static const char base64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t dp_hex_print(char *out, const void *p, size_t n) {
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = hex_digits[b[i] >> 4];
        out[2 * i + 1] = hex_digits[b[i] & 15];
    }
    return 2 * n;
}

size_t dp_base64url_print(char *out, const void *p, size_t n) {
    const uint8_t *b = p;
    char *o = out;
    for (; n >= 3; n -= 3, b += 3) {
        uint32_t v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
        for (int shift = 18; shift >= 0; shift -= 6) *o++ = base64url_digits[v >> shift & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)b[0] << 16 | (n > 1 ? (uint32_t)b[1] << 8 : 0);
        *o++ = base64url_digits[v >> 18];
        *o++ = base64url_digits[v >> 12 & 63];
        if (n > 1) *o++ = base64url_digits[v >> 6 & 63];
    }
    return (size_t)(o - out);
}

bool dp_hex_parse(struct dp_str s, uint8_t *out, size_t cap, size_t *n) {
    if (s.n % 2 || s.n / 2 > cap) return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned c = (unsigned char)s.p[i], v;
        if (c >= '0' && c <= '9') v = c - '0';
        else if ((c | 32) >= 'a' && (c | 32) <= 'f') v = (c | 32) - 'a' + 10;
        else return false;
        out[i / 2] = (uint8_t)(i % 2 ? (unsigned)out[i / 2] << 4 | v : v);
    }
    *n = s.n / 2;
    return true;
}

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' || c == '+' ? 62 : c == '_' || c == '/' ? 63 : -1;
}

bool dp_base64url_parse(struct dp_str s, uint8_t *out, size_t cap, size_t *n) {
    uint32_t v = 0;
    unsigned bits = 0;
    size_t at = 0;
    for (int pad = 0; s.n && s.p[s.n - 1] == '=' && pad < 2; pad++) s.n--;
    if (s.n % 4 == 1) return false;
    for (size_t i = 0; i < s.n; i++) {
        int d = base64_value(s.p[i]);
        if (d < 0) return false;
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        if (at == cap) return false;
        out[at++] = (uint8_t)(v >> bits);
    }
    *n = at;
    return (v & ((1u << bits) - 1)) == 0;
}
