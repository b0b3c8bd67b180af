/*
 * Keys as bytes: ordered by memcmp as the UTF-8 of their columns is, equal where the values are (1.0 is 1, "\u0061" is "a"), and read back as JSON.
 * What it does not do: take objects, arrays or null for a key.
 */
#include "window_priv.h"

#include <dp/base/num.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine");

enum { TAG_NUMBER = 1, TAG_BOOLEAN = 2, TAG_STRING = 3 };
enum { PLAIN_DIGITS = 40 }; /* beyond so many places a number keeps an exponent */

/* Of a JSON number: its digits without zeros at either end, and the power of ten behind them. */
static size_t digits_of(struct dp_str s, char *digits, size_t room, int64_t *power) {
    size_t n = 0, i = s.p[0] == '-';
    int64_t exponent = 0, behind = 0;
    bool in_fraction = false;
    for (; i < s.n && (s.p[i] | 32) != 'e'; i++) {
        if (s.p[i] == '.') {
            in_fraction = true;
            continue;
        }
        if (in_fraction) behind++;
        if (n < room && (n || s.p[i] != '0')) digits[n++] = s.p[i];
    }
    if (i < s.n && (!dp_parse_i64(dp_str(s.p + i + 1, s.n - i - 1), &exponent) || exponent > INT32_MAX || exponent < INT32_MIN)) exponent = 0;
    *power = exponent - behind;
    while (n && digits[n - 1] == '0') n--, ++*power;
    return n;
}

static bool add_number(struct dp_str s, uint8_t flags, struct dp_buf *out) {
    int64_t power;
    if ((flags & DP_NODE_INTEGER) && !(s.n == 2 && s.p[0] == '-' && s.p[1] == '0')) return dp_buf_adds(out, s), true;
    const char *e = memchr(s.p, 'e', s.n), *big_e = memchr(s.p, 'E', s.n);
    int64_t exponent;
    if (!e) e = big_e;
    if (e && (!dp_parse_i64(dp_str(e + 1, s.n - (size_t)(e + 1 - s.p)), &exponent) || exponent > INT32_MAX || exponent < INT32_MIN)) return false;
    char *digits = dp_alloc(s.n + 1);
    size_t n = digits_of(s, digits, s.n, &power);
    if (n && s.p[0] == '-') dp_buf_addc(out, '-');
    if (!n) {
        dp_buf_addc(out, '0');
    } else if (power >= 0 && power <= PLAIN_DIGITS) {
        dp_buf_add(out, digits, n);
        for (; power > 0; power--) dp_buf_addc(out, '0');
    } else if (power < 0 && -power <= (int64_t)n + PLAIN_DIGITS) {
        size_t whole = (int64_t)n + power > 0 ? (size_t)((int64_t)n + power) : 0;
        if (whole) dp_buf_add(out, digits, whole);
        else dp_buf_addc(out, '0');
        dp_buf_addc(out, '.');
        for (int64_t z = -power - (int64_t)n; z > 0; z--) dp_buf_addc(out, '0');
        dp_buf_add(out, digits + whole, n - whole);
    } else {
        char text[24];
        dp_buf_add(out, digits, n);
        dp_buf_addc(out, 'e');
        dp_buf_add(out, text, dp_print_i64(text, power));
    }
    free(digits);
    return true;
}

/* NUL is 00 FF. */
static void add_text(const char *p, size_t n, struct dp_buf *out) {
    const char *nul = memchr(p, 0, n);
    for (; nul; nul = n ? memchr(p, 0, n) : NULL) {
        size_t k = (size_t)(nul - p) + 1;
        dp_buf_add(out, p, k);
        dp_buf_addc(out, (char)0xff);
        p += k, n -= k;
    }
    dp_buf_add(out, p, n);
}

static void add_escaped(struct dp_str s, struct dp_buf *out) {
    struct dp_buf text = {0};
    dp_json_decode(s, &text);
    if (text.n) add_text(text.p, text.n, out);
    dp_buf_release(&text);
}

/* What is not a string without escapes. */
static __attribute__((noinline)) bool add_other(const struct dp_record *r, uint32_t node, struct dp_buf *out, const char **why) {
    const struct dp_node *n = &r->nodes[node];
    char tag = 0;
    *why = "a key must be a string, a number or a boolean";
    if (!node) return *why = "the key is missing", false;
    switch ((enum dp_kind)n->kind) {
    case DP_KIND_NULL: return *why = "the key is null", false;
    case DP_KIND_STRING: add_escaped(dp_node_str(r, node), out), tag = TAG_STRING; break;
    case DP_KIND_NUMBER:
        if (!add_number(dp_node_str(r, node), n->flags, out)) return *why = "the key is a number without end", false;
        tag = TAG_NUMBER;
        break;
    case DP_KIND_TRUE: dp_buf_addz(out, "true"), tag = TAG_BOOLEAN; break;
    case DP_KIND_FALSE: dp_buf_addz(out, "false"), tag = TAG_BOOLEAN; break;
    case DP_KIND_NONE:
    case DP_KIND_OBJECT:
    case DP_KIND_ARRAY: return false;
    }
    dp_buf_addc(out, 0);
    dp_buf_addc(out, tag);
    return true;
}

bool window_key_add(const struct dp_record *r, uint32_t node, struct dp_buf *out, const char **why) {
    const struct dp_node *n = &r->nodes[node];
    if (!node || n->kind != DP_KIND_STRING || n->flags & DP_NODE_ESCAPED) return add_other(r, node, out, why);
    char *p = dp_buf_reserve(out, (size_t)n->len + 8);
    if (n->len <= 6) { /* in one piece, so that it can be hashed at once: reading back pieces as a whole would wait for them */
        uint64_t v;
        memcpy(&v, r->base + n->off, sizeof v);
        v = (v & ((UINT64_C(1) << 8 * n->len) - 1)) | (uint64_t)TAG_STRING << (8 * n->len + 8);
        memcpy(p, &v, sizeof v);
    } else {
        memcpy(p, r->base + n->off, n->len);
        p[n->len] = 0, p[n->len + 1] = TAG_STRING;
    }
    out->n += (size_t)n->len + 2;
    return true;
}

bool window_key_print(struct dp_str *key, struct dp_buf *out) {
    struct dp_buf text = {0};
    const char *nul = key->n ? memchr(key->p, 0, key->n) : NULL;
    while (nul && (size_t)(nul - key->p) + 1 < key->n && (unsigned char)nul[1] == 0xff) { /* a NUL of the text */
        dp_buf_add(&text, key->p, (size_t)(nul - key->p) + 1);
        key->n -= (size_t)(nul - key->p) + 2, key->p = nul + 2;
        nul = key->n ? memchr(key->p, 0, key->n) : NULL;
    }
    bool ok = nul && (size_t)(nul - key->p) + 1 < key->n && nul[1] >= TAG_NUMBER && nul[1] <= TAG_STRING;
    if (ok) {
        struct dp_str part = dp_str(key->p, (size_t)(nul - key->p));
        if (text.n) dp_buf_adds(&text, part), part = dp_buf_str(&text);
        if (nul[1] == TAG_STRING) dp_json_add_string(out, part);
        else dp_buf_adds(out, part);
        key->n -= (size_t)(nul - key->p) + 2, key->p = nul + 2;
    }
    dp_buf_release(&text);
    return ok;
}
