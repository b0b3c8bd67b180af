/*
 * Keyed techniques: token and hmac.  Both are HMAC-SHA-256 over the domain, a NUL and the canonical value, under a key derived for this technique
 * and domain (dp/rules/keyring.h).  The same value gives the same text in every table, so joins go on working; without the key it can't be tried.
 *
 * Canonical value, version 1 (the "v1" of a token): a string's UTF-8 bytes behind its escapes, nothing folded or trimmed unless the rule says so; a number's
 * exact value in plain decimals without zeros that say nothing (1.10, 1.1 and 11e-1 are one value, 7 and "7" too); a date as spelled, yyyy-mm-dd.
 */
#include "mask_priv.h"

/* A power of ten beyond this stays an exponent: 1e400 does not become 400 digits. */
#define MAX_PLAIN 64

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Digits without zeros at either end, and the power of ten of the last one. */
static void split_number(struct dp_str s, struct dp_buf *digits, int64_t *exponent) {
    size_t i = s.n && s.p[0] == '-';
    bool fraction = false;
    *exponent = 0;
    for (; i < s.n && (is_digit(s.p[i]) || s.p[i] == '.'); i++) {
        if (s.p[i] == '.') fraction = true;
        else if (digits->n || s.p[i] != '0') dp_buf_addc(digits, s.p[i]), *exponent -= fraction;
        else *exponent -= fraction;
    }
    if (i < s.n) { /* e, E; saturates far beyond what a number of this length can balance */
        bool minus = i + 1 < s.n && s.p[i + 1] == '-';
        int64_t e = 0;
        for (i++; i < s.n; i++)
            if (is_digit(s.p[i]) && e < INT64_C(1) << 40) e = e * 10 + (s.p[i] - '0');
        *exponent += minus ? -e : e;
    }
    while (digits->n && digits->p[digits->n - 1] == '0') digits->n--, ++*exponent;
}

static void add_zeros(struct dp_buf *b, int64_t n) {
    while (n-- > 0) dp_buf_addc(b, '0');
}

/* Behind b's content. */
void mask_canonical_number(struct dp_str s, struct dp_buf *b) {
    struct dp_buf digits = {0};
    int64_t e;
    split_number(s, &digits, &e);
    if (!digits.n) {
        dp_buf_addc(b, '0');
    } else {
        if (s.p[0] == '-') dp_buf_addc(b, '-');
        int64_t n = (int64_t)digits.n, point = n + e; /* digits in front of the point */
        if (e >= 0 && e <= MAX_PLAIN) {
            dp_buf_adds(b, dp_buf_str(&digits));
            add_zeros(b, e);
        } else if (e < 0 && point > 0) {
            dp_buf_add(b, digits.p, (size_t)point);
            dp_buf_addc(b, '.');
            dp_buf_add(b, digits.p + point, (size_t)(n - point));
        } else if (e < 0 && point > -MAX_PLAIN) {
            dp_buf_addz(b, "0.");
            add_zeros(b, -point);
            dp_buf_adds(b, dp_buf_str(&digits));
        } else {
            dp_buf_adds(b, dp_buf_str(&digits));
            dp_buf_addf(b, "e%lld", (long long)e);
        }
    }
    dp_buf_release(&digits);
}

/* Blanks and ASCII letters only: what is beyond differs from one Unicode version to the next. */
static struct dp_str normalised(const struct dp_mask_rule *r, struct dp_str s, struct dp_buf *b) {
    if (r->trim) {
        while (s.n && (*s.p == ' ' || (*s.p >= '\t' && *s.p <= '\r'))) s.p++, s.n--;
        while (s.n && (s.p[s.n - 1] == ' ' || (s.p[s.n - 1] >= '\t' && s.p[s.n - 1] <= '\r'))) s.n--;
    }
    if (!r->lower) return s;
    dp_buf_reset(b);
    dp_buf_adds(b, s);
    for (size_t i = 0; i < b->n; i++)
        if (b->p[i] >= 'A' && b->p[i] <= 'Z') b->p[i] = (char)(b->p[i] + 32);
    return dp_buf_str(b);
}

/* False: an empty string, which stays one. */
static bool sum(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, uint8_t out[DP_SHA256_SIZE]) {
    struct dp_str text = v.text;
    if (v.kind == DP_KIND_NUMBER) {
        dp_buf_reset(scratch);
        mask_canonical_number(v.text, scratch);
        text = dp_buf_str(scratch);
    } else if (n->rule.trim || n->rule.lower) {
        text = normalised(&n->rule, text, scratch);
    }
    if (!text.n) return false;
    dp_hmac_sum(n->hmac, n->prefix, text, out);
    return true;
}

const char *dp_mask_token(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    uint8_t mac[DP_SHA256_SIZE];
    *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true};
    if (!sum(n, scratch, v, mac)) return NULL;
    dp_buf_reset(scratch);
    char *p = dp_buf_reserve(scratch, n->head_n + 48);
    memcpy(p, n->head, n->head_n);
    scratch->n = n->head_n + dp_base64url_print(p + n->head_n, mac, (size_t)n->rule.bits / 8);
    out->text = dp_buf_str(scratch);
    return NULL;
}

const char *dp_mask_hmac(const struct mask_node *n, struct dp_buf *scratch, struct mask_value v, struct mask_result *out) {
    uint8_t mac[DP_SHA256_SIZE];
    size_t bytes = (size_t)n->rule.bits / 8;
    *out = (struct mask_result){.kind = DP_KIND_STRING, .plain = true};
    if (!sum(n, scratch, v, mac)) return NULL;
    dp_buf_reset(scratch);
    char *p = dp_buf_reserve(scratch, 64);
    scratch->n = n->rule.encoding == DP_MASK_HEX ? dp_hex_print(p, mac, bytes) : dp_base64url_print(p, mac, bytes);
    out->text = dp_buf_str(scratch);
    return NULL;
}
