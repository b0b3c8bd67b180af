/*
 * Keyed hashing (FIPS 180-4, RFC 2104, RFC 5869) and memory for secrets.
 *
 * libcrypto's block function, linked statically: a ready HMAC state is 64 bytes that are copied, and a message of up to 55 bytes costs two
 * blocks.  Only programs that call these carry it (measured: 0.1 ms of start-up, against 1.4 ms for dlopen of the shared library).
 */
#ifndef DP_BASE_CRYPTO_H
#define DP_BASE_CRYPTO_H

#include <dp/base/str.h>

#define DP_SHA256_SIZE 32

void dp_sha256(const void *p, size_t n, uint8_t out[DP_SHA256_SIZE]);
/* The same piece by piece: begin, add any number of times, end. */
struct dp_sha256_state { uint64_t own[16]; };
void dp_sha256_begin(struct dp_sha256_state *s);
void dp_sha256_add(struct dp_sha256_state *s, const void *p, size_t n);
void dp_sha256_end(struct dp_sha256_state *s, uint8_t out[DP_SHA256_SIZE]);
/* As hex and NUL; of the first `size` bytes of an open file, which must have them (DP_FORMAT; DP_IO). */
void dp_sha256_hex(struct dp_str text, char out[2 * DP_SHA256_SIZE + 1]);
enum dp_status dp_sha256_file(int fd, uint64_t size, char out[2 * DP_SHA256_SIZE + 1], struct dp_err *err) DP_MUST_CHECK;

/* HMAC-SHA-256 with its key taken in: as secret as the key.  Shared by threads. */
struct dp_hmac {
    uint32_t inner[8], outer[8];
};
void dp_hmac_init(struct dp_hmac *h, const void *key, size_t n);
/* Over a and then b. */
void dp_hmac_sum(const struct dp_hmac *h, struct dp_str a, struct dp_str b, uint8_t out[DP_SHA256_SIZE]);
/* HKDF-SHA-256; n at most 255 * 32. */
void dp_hkdf(struct dp_str key, struct dp_str salt, struct dp_str info, uint8_t *out, size_t n);

/* Memory for keys: whole pages, locked where the system lets us, left out of core dumps, zero; wiped when freed. */
void *dp_secret_alloc(size_t n);
void dp_secret_free(void *p, size_t n); /* NULL is legal */
void dp_wipe(void *p, size_t n);
/* All of a file into secret memory of `cap` bytes.  DP_USAGE: it is a directory, belongs to another user, can be read by others or is too long for `what` it should be. */
enum dp_status dp_secret_read(int fd, const char *path, const char *what, char *text, size_t cap, size_t *n, struct dp_err *err) DP_MUST_CHECK;
/* This process leaves no core and can't be traced by others of its user. Best effort. */
void dp_secret_guard(void);

/* Lower-case hex (2 n bytes) and base64url without padding ((n * 4 + 2) / 3 bytes); no NUL; return the length. */
size_t dp_hex_print(char *out, const void *p, size_t n);
size_t dp_base64url_print(char *out, const void *p, size_t n);
/* False: not wholly that, or more than cap bytes.  base64url takes the plain alphabet and padding too. */
bool dp_hex_parse(struct dp_str s, uint8_t *out, size_t cap, size_t *n);
bool dp_base64url_parse(struct dp_str s, uint8_t *out, size_t cap, size_t *n);

#endif
