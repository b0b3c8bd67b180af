/*
 * AES-SIV (dp/base/siv.h) over libcrypto's AES, called directly for the same reasons as in crypto.c: S2V (section 2.4) with CMAC (NIST SP 800-38B), then counter mode (section 2.5).
 * What S2V makes of the associated string is the same for each text: it is made once.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <dp/base/siv.h>

#include <dp/base/crypto.h>

#include <openssl/aes.h>
#include <string.h>

enum { BLOCK = 16 };

_Static_assert(sizeof(AES_KEY) <= sizeof(((struct dp_siv *)0)->mac), "libcrypto's key schedule fits into ours");

static void encrypt(const uint32_t *key, const uint8_t in[BLOCK], uint8_t out[BLOCK]) { AES_encrypt(in, out, (const AES_KEY *)(const void *)key); }

/* Times two in the field of 2^128 elements. */
static void twice(uint8_t b[BLOCK]) {
    uint8_t carry = (uint8_t)(-(b[0] >> 7) & 0x87);
    for (int i = 0; i < BLOCK - 1; i++) b[i] = (uint8_t)(b[i] << 1 | b[i + 1] >> 7);
    b[BLOCK - 1] = (uint8_t)(b[BLOCK - 1] << 1 ^ carry);
}

static void mix(uint8_t to[BLOCK], const uint8_t *p) {
    for (int i = 0; i < BLOCK; i++) to[i] ^= p[i];
}

/* CMAC of p; `end` is mixed into the last BLOCK bytes of it first (n >= BLOCK), or NULL. */
static void cmac(const struct dp_siv *s, const uint8_t *p, size_t n, const uint8_t *end, uint8_t out[BLOCK]) {
    uint8_t x[BLOCK] = {0}, block[BLOCK];
    size_t at = 0;
    for (;;) {
        size_t left = n - at, take = left < BLOCK ? left : BLOCK;
        bool is_last = left <= BLOCK;
        memset(block, 0, sizeof block);
        if (take) memcpy(block, p + at, take);
        for (size_t i = 0; end && i < take; i++)
            if (at + i >= n - BLOCK) block[i] ^= end[at + i - (n - BLOCK)];
        if (is_last && take < BLOCK) block[take] = 0x80;
        mix(x, block);
        if (is_last) mix(x, take < BLOCK ? s->last_part : s->last_whole);
        encrypt(s->mac, x, x);
        if (is_last) break;
        at += BLOCK;
    }
    memcpy(out, x, BLOCK);
    dp_wipe(block, sizeof block);
}

void dp_siv_init(struct dp_siv *s, const uint8_t key[DP_SIV_KEY], struct dp_str associated) {
    static const uint8_t zero[BLOCK];
    uint8_t sum[BLOCK];
    AES_set_encrypt_key(key, 128, (AES_KEY *)(void *)s->mac);
    AES_set_encrypt_key(key + DP_SIV_KEY / 2, 128, (AES_KEY *)(void *)s->ctr);
    encrypt(s->mac, zero, s->last_whole);
    twice(s->last_whole);
    memcpy(s->last_part, s->last_whole, BLOCK);
    twice(s->last_part);
    cmac(s, zero, BLOCK, NULL, s->associated);
    twice(s->associated);
    cmac(s, (const uint8_t *)associated.p, associated.n, NULL, sum);
    mix(s->associated, sum);
}

static void synthesize(const struct dp_siv *s, const uint8_t *p, size_t n, uint8_t iv[BLOCK]) {
    uint8_t d[BLOCK], block[BLOCK] = {0};
    memcpy(d, s->associated, BLOCK);
    if (n >= BLOCK) {
        cmac(s, p, n, d, iv);
        return;
    }
    twice(d);
    if (n) memcpy(block, p, n);
    block[n] = 0x80;
    mix(block, d);
    cmac(s, block, BLOCK, NULL, iv);
    dp_wipe(block, sizeof block);
}

/* The counter begins with the synthetic IV, two bits of which are cleared. */
static void count(const struct dp_siv *s, const uint8_t iv[BLOCK], const uint8_t *in, size_t n, uint8_t *out) {
    uint8_t counter[BLOCK], stream[BLOCK];
    memcpy(counter, iv, BLOCK);
    counter[8] &= 0x7f, counter[12] &= 0x7f;
    for (size_t at = 0; at < n; at++) {
        if (at % BLOCK == 0) {
            encrypt(s->ctr, counter, stream);
            for (int i = BLOCK - 1; i >= 0 && ++counter[i] == 0; i--) continue;
        }
        out[at] = in[at] ^ stream[at % BLOCK];
    }
    dp_wipe(stream, sizeof stream);
}

void dp_siv_seal(const struct dp_siv *s, struct dp_str text, uint8_t *out) {
    synthesize(s, (const uint8_t *)text.p, text.n, out);
    count(s, out, (const uint8_t *)text.p, text.n, out + BLOCK);
}

bool dp_siv_open(const struct dp_siv *s, struct dp_str sealed, uint8_t *out) {
    uint8_t iv[BLOCK], differs = 0;
    if (sealed.n < BLOCK) return false;
    size_t n = sealed.n - BLOCK;
    const uint8_t *p = (const uint8_t *)sealed.p;
    count(s, p, p + BLOCK, n, out);
    synthesize(s, out, n, iv);
    for (int i = 0; i < BLOCK; i++) differs |= (uint8_t)(iv[i] ^ p[i]);
    if (differs) dp_wipe(out, n);
    return !differs;
}
