/*
 * SHA-1 (FIPS 180-4, section 6.1), plain: some dozens of bytes a run, in every program.  libcrypto's would bring its start-up into all of them.
 */
#include <dp/base/sha1.h>

#define BLOCK 64

struct sha1 {
    uint32_t h[5];
    uint64_t n; /* bytes so far */
    uint8_t part[BLOCK];
};

static uint32_t turn(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void take_block(struct sha1 *s) {
    uint32_t w[80], a = s->h[0], b = s->h[1], c = s->h[2], d = s->h[3], e = s->h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)s->part[4 * i] << 24 | (uint32_t)s->part[4 * i + 1] << 16 | (uint32_t)s->part[4 * i + 2] << 8 | s->part[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
        uint32_t k = i < 20 ? 0x5a827999u : i < 40 ? 0x6ed9eba1u : i < 60 ? 0x8f1bbcdcu : 0xca62c1d6u;
        uint32_t t = turn(a, 5) + f + e + k + w[i];
        e = d, d = c, c = turn(b, 30), b = a, a = t;
    }
    s->h[0] += a, s->h[1] += b, s->h[2] += c, s->h[3] += d, s->h[4] += e;
}

static void take(struct sha1 *s, struct dp_str text) {
    for (size_t i = 0; i < text.n; i++) {
        s->part[s->n++ % BLOCK] = (uint8_t)text.p[i];
        if (s->n % BLOCK == 0) take_block(s);
    }
}

void dp_sha1(struct dp_str a, struct dp_str b, uint8_t out[DP_SHA1_SIZE]) {
    struct sha1 s = {.h = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u}};
    char bits[8];
    take(&s, a);
    take(&s, b);
    uint64_t n = s.n * 8;
    take(&s, DP_STR("\x80"));
    while (s.n % BLOCK != BLOCK - 8) take(&s, dp_str("", 1));
    for (int i = 0; i < 8; i++) bits[i] = (char)(n >> (56 - 8 * i));
    take(&s, dp_str(bits, 8));
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 4; k++) out[4 * i + k] = (uint8_t)(s.h[i] >> (24 - 8 * k));
}
