/*
 * UTF-8 validation (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).  Blocks first, with whatever the processor has
 * (simd_utf8.c), then eight bytes or one sequence at a time.
 */
#include "utf8_priv.h"

/* Length of the valid sequence at p, 0 when there is none. */
static unsigned sequence(const unsigned char *p, size_t n) {
    unsigned c = p[0], len, low = 0x80, high = 0xbf;
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    if (c < 0xe0) {
        len = 2;
    } else if (c < 0xf0) {
        len = 3;
        if (c == 0xe0) low = 0xa0;
        if (c == 0xed) high = 0x9f;
    } else {
        len = 4;
        if (c == 0xf0) low = 0x90;
        if (c == 0xf4) high = 0x8f;
    }
    if (n < len || p[1] < low || p[1] > high) return 0;
    for (unsigned i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return len;
}

bool dp_utf8_valid(const char *text, size_t n, size_t *bad) {
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = dp_utf8_good_blocks(text, n); i < n;) {
        uint64_t word;
        if (n - i >= 8 && (memcpy(&word, p + i, 8), (word & UINT64_C(0x8080808080808080)) == 0)) {
            i += 8;
            continue;
        }
        unsigned len = sequence(p + i, n - i);
        if (!len) {
            if (bad) *bad = i;
            return false;
        }
        i += len;
    }
    return true;
}

bool dp_is_ascii(const char *p, size_t n) {
    uint64_t word, high = 0;
    size_t i = dp_ascii_blocks(p, n);
    for (; n - i >= 8 && !(high & UINT64_C(0x8080808080808080)); i += 8) memcpy(&word, p + i, 8), high |= word;
    if (high & UINT64_C(0x8080808080808080)) return false;
    for (; i < n; i++) high |= (unsigned char)p[i];
    return !(high & 0x80);
}
