/* Value encodings other than the dictionary's: PLAIN, the delta encodings of strings, and the way to those of enc_bits.c (spec: Parquet Encodings). */
#include "enc_priv.h"

static void put_bits(struct dp_buf *out, const uint8_t *v, size_t n) {
    uint8_t *p = (uint8_t *)dp_buf_reserve(out, (n + 7) / 8 + 1);
    size_t i = 0, bytes = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, v + i, 8);
        p[bytes++] = (uint8_t)(w * 0x0102040810204080ull >> 56);
    }
    unsigned rest = 0;
    for (unsigned k = 0; i < n; i++, k++) rest |= (unsigned)v[i] << k;
    if (n % 8) p[bytes++] = (uint8_t)rest;
    out->n += bytes;
}

static size_t spans_total(const struct dp_pq_span *s, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += s[i].len;
    return total;
}

static void put_plain_bytes(struct dp_buf *out, const struct dp_pq_values *v, size_t from, size_t n) {
    const struct dp_pq_span *s = v->spans + from;
    char *p = dp_buf_reserve(out, spans_total(s, n) + 4 * n + 16), *start = p;
    for (size_t i = 0; i < n; i++) {
        memcpy(p, &s[i].len, 4);
        p += 4;
        /* short strings are the rule: 16 bytes at once where the source has them, the surplus is overwritten */
        if (s[i].len <= 16 && (size_t)s[i].off + 16 <= v->n_bytes) memcpy(p, v->bytes + s[i].off, 16);
        else if (s[i].len) memcpy(p, v->bytes + s[i].off, s[i].len);
        p += s[i].len;
    }
    out->n += (size_t)(p - start);
}

static bool contiguous(const struct dp_pq_span *s, size_t n) {
    for (size_t i = 1; i < n; i++) {
        if (s[i].off != s[i - 1].off + s[i - 1].len) return false;
    }
    return true;
}

static void put_bytes(struct dp_buf *out, const struct dp_pq_values *v, const struct dp_pq_span *s, size_t n) {
    if (n && contiguous(s, n)) {
        dp_buf_add(out, v->bytes + s[0].off, (size_t)s[n - 1].off + s[n - 1].len - s[0].off);
        return;
    }
    for (size_t i = 0; i < n; i++) dp_buf_add(out, v->bytes + s[i].off, s[i].len);
}

static void put_delta_length(struct dp_buf *out, const struct dp_pq_values *v, const struct dp_pq_span *s, size_t n, struct dp_buf *aux) {
    dp_buf_reset(aux);
    int32_t *lengths = (int32_t *)(void *)dp_buf_reserve(aux, n * 4 + 4);
    for (size_t i = 0; i < n; i++) lengths[i] = (int32_t)s[i].len;
    dp_pq_put_delta32(out, lengths, n);
    put_bytes(out, v, s, n);
}

static uint32_t common_prefix(const uint8_t *a, uint32_t an, const uint8_t *b, uint32_t bn) {
    uint32_t n = an < bn ? an : bn, i = 0;
    while (i < n && a[i] == b[i]) i++;
    return i;
}

/* Value i as a span of the bytes that `base` is. */
static struct dp_pq_span span_of(const struct dp_pq_values *v, size_t i) {
    return v->spans ? v->spans[i] : (struct dp_pq_span){(uint32_t)(i * (size_t)v->width), (uint32_t)v->width};
}

static void put_delta_bytes(struct dp_buf *out, const struct dp_pq_values *v, size_t from, size_t n, struct dp_buf *aux) {
    const uint8_t *base = v->spans ? v->bytes : v->fixed;
    struct dp_pq_span before = {0}, *rest;
    dp_buf_reset(aux);
    int32_t *prefix = (int32_t *)(void *)dp_buf_reserve(aux, n * (4 + sizeof *rest) + 4);
    rest = (struct dp_pq_span *)(void *)(prefix + n + (n & 1));
    int32_t *lengths = prefix; /* written anew once the prefixes are out */
    for (size_t i = 0; i < n; i++) {
        struct dp_pq_span x = span_of(v, from + i);
        uint32_t k = common_prefix(base + before.off, before.len, base + x.off, x.len);
        prefix[i] = (int32_t)k;
        rest[i] = (struct dp_pq_span){x.off + k, x.len - k};
        before = x;
    }
    dp_pq_put_delta32(out, prefix, n);
    for (size_t i = 0; i < n; i++) lengths[i] = (int32_t)rest[i].len;
    dp_pq_put_delta32(out, lengths, n);
    for (size_t i = 0; i < n; i++) dp_buf_add(out, base + rest[i].off, rest[i].len);
}

/* Booleans as runs, behind the number of their bytes. */
static void put_runs(struct dp_buf *out, const uint8_t *v, size_t n) {
    size_t at = out->n;
    dp_buf_add(out, "\0\0\0", 4);
    dp_pq_put_hybrid8(out, v, n, 1);
    uint32_t len = (uint32_t)(out->n - at - 4);
    memcpy(out->p + at, &len, 4);
}

void dp_pq_put_values(struct dp_buf *out, enum dp_pq_encoding encoding, const struct dp_pq_values *v, size_t from, size_t n, struct dp_buf *aux) {
    size_t width = (size_t)v->width;
    /* a page without values has the header of its encoding all the same: Arrow C++ looks for it */
    switch (encoding) {
    case DP_PQ_DELTA_BINARY_PACKED:
        if (n == 0) dp_pq_put_delta64(out, NULL, 0);
        else if (v->width == 4) dp_pq_put_delta32(out, (const int32_t *)(const void *)v->fixed + from, n);
        else dp_pq_put_delta64(out, (const int64_t *)(const void *)v->fixed + from, n);
        return;
    case DP_PQ_DELTA_LENGTH_BYTE_ARRAY: put_delta_length(out, v, n ? v->spans + from : NULL, n, aux); return;
    case DP_PQ_DELTA_BYTE_ARRAY: put_delta_bytes(out, v, from, n, aux); return;
    case DP_PQ_BYTE_STREAM_SPLIT:
        if (n) dp_pq_put_split(out, v->fixed + from * width, n, width);
        return;
    case DP_PQ_RLE: put_runs(out, n ? v->fixed + from : NULL, n); return;
    case DP_PQ_PLAIN:
    case DP_PQ_PLAIN_DICTIONARY:
    case DP_PQ_BIT_PACKED:
    case DP_PQ_RLE_DICTIONARY:
    case DP_PQ_ALP: break;
    }
    if (n == 0) return;
    if (v->type == DP_PQ_BOOLEAN) put_bits(out, v->fixed + from, n);
    else if (v->type == DP_PQ_BYTE_ARRAY) put_plain_bytes(out, v, from, n);
    else dp_buf_add(out, v->fixed + from * width, n * width);
}
