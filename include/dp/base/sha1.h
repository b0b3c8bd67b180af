/* SHA-1 (FIPS 180-4): what version-5 UUIDs are made of.  It proves nothing against an adversary. */
#ifndef DP_BASE_SHA1_H
#define DP_BASE_SHA1_H

#include <dp/base/str.h>

#define DP_SHA1_SIZE 20

/* Over a and then b. */
void dp_sha1(struct dp_str a, struct dp_str b, uint8_t out[DP_SHA1_SIZE]);

#endif
