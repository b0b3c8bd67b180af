/*
 * Deterministic authenticated encryption: AES-SIV (RFC 5297) with AES-128, one associated string and one text.
 *
 * The same text under the same key and associated string gives the same bytes, 16 more than the text has; any change of them is found when they are opened.
 */
#ifndef DP_BASE_SIV_H
#define DP_BASE_SIV_H

#include <dp/base/str.h>

#include <stdint.h>

#define DP_SIV_KEY 32  /* bytes of a key: one half authenticates, the other encrypts */
#define DP_SIV_EXTRA 16

/* Ready for use: as secret as the key.  Shared by threads. */
struct dp_siv {
    uint32_t mac[64], ctr[64]; /* libcrypto's key schedules */
    uint8_t last_whole[16], last_part[16], associated[16];
};
void dp_siv_init(struct dp_siv *s, const uint8_t key[DP_SIV_KEY], struct dp_str associated);
/* out: text.n + DP_SIV_EXTRA bytes. */
void dp_siv_seal(const struct dp_siv *s, struct dp_str text, uint8_t *out);
/* out: sealed.n - DP_SIV_EXTRA bytes.  False, and out is wiped: it was not sealed with this key and associated string, or has been changed. */
bool dp_siv_open(const struct dp_siv *s, struct dp_str sealed, uint8_t *out);

#endif
