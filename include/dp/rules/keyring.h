/*
 * Key rings: master keys with their ids, from a file that only its owner may read or from the environment.
 *
 *     # dp key ring 1
 *     8c1f03aa 2026-01-02T03:04:05Z active 5f2c...      id, created, state, key in hex ("-" once it is destroyed)
 *
 * A file with one key alone (hex or base64url) is a ring of one: its id is made from the key by HKDF.  A key has 128 to 512 bits, and not
 * all its bytes may be equal.  The memory of a ring is secret (dp/base/crypto.h).
 */
#ifndef DP_RULES_KEYRING_H
#define DP_RULES_KEYRING_H

#include <dp/base/crypto.h>

#define DP_KEY_MAX 64
#define DP_KEY_MIN 16
#define DP_KEYRING_MAX 64 /* keys of a ring */

enum dp_key_state { DP_KEY_ACTIVE, DP_KEY_RETIRED, DP_KEY_DESTROYED };

struct dp_keyring_key {
    char id[33];      /* letters, digits, _ and - */
    char created[33]; /* RFC 3339 */
    enum dp_key_state state;
    size_t n;         /* bytes; 0: destroyed */
    uint8_t bytes[DP_KEY_MAX];
};

struct dp_keyring {
    size_t n;
    struct dp_keyring_key keys[DP_KEYRING_MAX];
};

/* Caller releases with dp_keyring_free.  DP_USAGE: not there, others may read it, not a ring; messages never show what is in it. */
enum dp_status dp_keyring_read(const char *path, struct dp_keyring **out, struct dp_err *err) DP_MUST_CHECK;
/* The same from text ("ID:KEY", "KEY" or a whole ring); `name` is for messages. */
enum dp_status dp_keyring_parse(struct dp_str text, const char *name, struct dp_keyring **out, struct dp_err *err) DP_MUST_CHECK;
void dp_keyring_free(struct dp_keyring *r); /* NULL is legal */
/* The one that writes; NULL: none. */
const struct dp_keyring_key *dp_keyring_active(const struct dp_keyring *r);

/* A new ring with one new key of 256 bits, mode 0600.  DP_USAGE: the file is there already. */
enum dp_status dp_keyring_create(const char *path, int64_t now_micros, char id[33], struct dp_err *err) DP_MUST_CHECK;
/* A new active key in front; the one that was active is retired.  The file is replaced as a whole. */
enum dp_status dp_keyring_add(const char *path, int64_t now_micros, char id[33], struct dp_err *err) DP_MUST_CHECK;

/*
 * A key for one purpose: HKDF-SHA-256 of a ring's key, no salt, info = "dp|TECHNIQUE|DOMAIN|ID".
 * One key, one use: tokens of another domain or technique have nothing in common.
 */
void dp_key_derive(const struct dp_keyring_key *k, const char *technique, struct dp_str domain, uint8_t out[DP_SHA256_SIZE]);

#endif
