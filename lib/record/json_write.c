/*
 * Writing of JSON values (RFC 8259 section 7: only what must be escaped is, with the short forms where there are any).
 */
#include "values_priv.h"

#include <dp/base/num.h>
#include <dp/record/json.h>
#include <math.h>

#define ONES UINT64_C(0x0101010101010101)
#define TOPS UINT64_C(0x8080808080808080)

/* Has one of eight bytes to be escaped?  (May also say yes for clean bytes behind such a one.) */
static inline bool has_special(uint64_t w) {
    uint64_t quote = w ^ ONES * '"', slash = w ^ ONES * '\\';
    uint64_t low = (w - ONES * 0x20) & ~w;
    return ((low | ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash)) & TOPS) != 0;
}

char *dp_json_put_escape(char *o, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    static const char shorts[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *o++ = '\\';
    if (c >= 0x20) {
        *o++ = (char)c;
    } else if (shorts[c]) {
        *o++ = shorts[c];
    } else {
        memcpy(o, "u00", 3);
        o[3] = hex[c >> 4];
        o[4] = hex[c & 15];
        o += 5;
    }
    return o;
}

void dp_json_add_escaped(struct dp_buf *b, struct dp_str s) {
    if (s.n == 0) return; /* p may be NULL */
    const char *p = s.p, *end = p + s.n;
    char *o = dp_buf_reserve(b, s.n + 16);
    while (p < end) {
        uint64_t w;
        if (end - p >= 8 && (memcpy(&w, p, 8), !has_special(w))) {
            memcpy(o, &w, 8);
            p += 8;
            o += 8;
            continue;
        }
        unsigned char c = (unsigned char)*p++;
        if (c >= 0x20 && c != '"' && c != '\\') {
            *o++ = (char)c;
            continue;
        }
        /* what is left fits unescaped; an escape wants more */
        o = dp_json_put_escape(o, c);
        b->n = (size_t)(o - b->p);
        o = dp_buf_reserve(b, (size_t)(end - p) + 16);
    }
    b->n = (size_t)(o - b->p);
}

void dp_json_add_string(struct dp_buf *b, struct dp_str s) {
    dp_buf_addc(b, '"');
    dp_json_add_escaped(b, s);
    dp_buf_addc(b, '"');
}

void dp_json_add_double(struct dp_buf *b, double v) {
    bool number = isfinite(v);
    if (!number) dp_buf_addc(b, '"');
    b->n += dp_print_double(dp_buf_reserve(b, 32), v);
    if (!number) dp_buf_addc(b, '"');
}

void dp_json_add_i64(struct dp_buf *b, int64_t v) { b->n += dp_print_i64(dp_buf_reserve(b, 20), v); }

static char *put_hex(char *o, const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        *o++ = "0123456789abcdef"[p[i] >> 4];
        *o++ = "0123456789abcdef"[p[i] & 15];
    }
    return o;
}

/* RFC 4648 section 4, with padding. */
static char *put_base64(char *o, const unsigned char *p, size_t n) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; n >= 3; n -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *o++ = digit[v >> 18];
        *o++ = digit[v >> 12 & 63];
        *o++ = digit[v >> 6 & 63];
        *o++ = digit[v & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
        *o++ = digit[v >> 18];
        *o++ = digit[v >> 12 & 63];
        *o++ = n == 2 ? digit[v >> 6 & 63] : '=';
        *o++ = '=';
    }
    return o;
}

void dp_json_add_binary(struct dp_buf *b, struct dp_str s, bool hex) {
    char *start = dp_buf_reserve(b, (hex ? s.n * 2 : (s.n + 2) / 3 * 4) + 2), *o = start;
    *o++ = '"';
    o = hex ? put_hex(o, (const unsigned char *)s.p, s.n) : put_base64(o, (const unsigned char *)s.p, s.n);
    *o++ = '"';
    b->n += (size_t)(o - start);
}
