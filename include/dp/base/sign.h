/*
 * Ed25519 (RFC 8032) signatures over bytes with a domain tag, and the files that hold their keys.
 *
 * A private key is PEM (PKCS #8, RFC 8410) in a file of mode 0600 or 0400 that belongs to its user; the public key is PEM (SubjectPublicKeyInfo) in a file beside it, FILE.pub.
 * So anybody can check a signature with what they have: what is signed is TAG, a zero byte and then the bytes.  The tag says what for, and keeps a signature of one
 * purpose from standing for another.  A key's id is the first 16 hex digits of the SHA-256 of the 32 bytes of the public key.
 *
 * Only programs that call these carry libcrypto's EVP; its configuration file is not read.
 */
#ifndef DP_BASE_SIGN_H
#define DP_BASE_SIGN_H

#include <dp/base/str.h>

#define DP_SIGN_KEY 32    /* bytes of a public key */
#define DP_SIGN_SIZE 64   /* bytes of a signature */
#define DP_SIGN_ID 17     /* a key's id and its NUL */

struct dp_sign_key; /* a private key, in secret memory */

struct dp_sign_public {
    uint8_t key[DP_SIGN_KEY];
    char id[DP_SIGN_ID];
};

/* Makes a key: FILE and FILE.pub.  Neither is ever overwritten (DP_USAGE); where FILE alone is there, FILE.pub is written from it. */
enum dp_status dp_sign_create(const char *path, struct dp_sign_public *out, struct dp_err *err) DP_MUST_CHECK;
/* DP_USAGE: what is there is no key, or can be read by others, or belongs to another user; DP_IO: it can't be read. */
enum dp_status dp_sign_read_key(const char *path, struct dp_sign_key **out, struct dp_err *err) DP_MUST_CHECK;
void dp_sign_key_free(struct dp_sign_key *k); /* NULL is legal */
/* Borrowed until the key is freed. */
const struct dp_sign_public *dp_sign_key_public(const struct dp_sign_key *k);
enum dp_status dp_sign_read_public(const char *path, struct dp_sign_public *out, struct dp_err *err) DP_MUST_CHECK;

enum dp_status dp_sign(const struct dp_sign_key *k, const char *tag, struct dp_str bytes, uint8_t out[DP_SIGN_SIZE], struct dp_err *err) DP_MUST_CHECK;
/* Is this the signature of that key over these bytes?  DP_FORMAT: it is not.  DP_IO: libcrypto can't. */
enum dp_status dp_sign_verify(const struct dp_sign_public *k, const char *tag, struct dp_str bytes, const uint8_t signature[DP_SIGN_SIZE], struct dp_err *err) DP_MUST_CHECK;

#endif
