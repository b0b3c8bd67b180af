/*
 * DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY (spec: Encodings.md, sections of these names).
 * All of it streams: a header may claim two billion values in ten bytes, so nothing is sized by it.
 */
#include "dec_priv.h"

static bool varint(const uint8_t **p, const uint8_t *end, uint64_t *out) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (*p == end) return false;
        uint8_t byte = *(*p)++;
        if (shift == 63 && byte > 1) return false;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) return *out = v, true;
    }
    return false;
}

static uint64_t unzigzag(uint64_t v) { return (v >> 1) ^ (0 - (v & 1)); }

bool dp_delta_init(struct dp_delta *d, const uint8_t *p, size_t n, bool narrow) {
    *d = (struct dp_delta){.p = p, .end = p + n, .narrow = narrow, .first = true};
    uint64_t block, minis, total, first;
    if (!varint(&d->p, d->end, &block) || !varint(&d->p, d->end, &minis) || !varint(&d->p, d->end, &total) ||
        !varint(&d->p, d->end, &first))
        return d->fault = "delta header cut short", false;
    if (block == 0 || block % 128 || block > UINT32_MAX) return d->fault = "delta block size is not a multiple of 128", false;
    if (minis == 0 || block % minis || block / minis % 32) return d->fault = "delta miniblocks do not divide the block", false;
    if (total > UINT32_MAX) return d->fault = "delta count too large", false;
    d->per_mini = block / minis;
    d->n_minis = d->mini = (uint32_t)minis;
    d->left = total;
    d->value = unzigzag(first);
    return true;
}

/* Makes a miniblock current, reading a block's header first where one is due. */
static bool next_mini(struct dp_delta *d) {
    if (d->mini == d->n_minis) {
        uint64_t min;
        if (!varint(&d->p, d->end, &min)) return d->fault = "delta block cut short", false;
        d->min_delta = unzigzag(min);
        if ((size_t)(d->end - d->p) < d->n_minis) return d->fault = "delta bit widths cut short", false;
        d->widths = d->p;
        d->p += d->n_minis;
        d->mini = 0;
    }
    unsigned w = d->widths[d->mini];
    if (w > 64) return d->fault = "delta bit width above 64", false;
    uint64_t bytes = d->per_mini / 8 * w; /* per_mini is below 2^32: no overflow */
    if (bytes > (uint64_t)(d->end - d->p)) {
        /* The last one may be cut behind its last needed value by writers that do not pad. */
        uint64_t need = ((d->left < d->per_mini ? d->left : d->per_mini) * w + 7) / 8;
        if (need > (uint64_t)(d->end - d->p)) return d->fault = "delta miniblock cut short", false;
        bytes = (uint64_t)(d->end - d->p);
    }
    d->mini_p = d->p;
    d->mini_width = w;
    d->mini_left = d->per_mini;
    d->p += bytes;
    d->mini++;
    return true;
}

/* Up to n values of the current miniblock as 64-bit sums; n is at most 32 and a whole group unless it is the last. */
static void unpack_sum(struct dp_delta *d, uint64_t *out, size_t n) {
    unsigned w = d->mini_width;
    uint64_t v = d->value, min = d->min_delta;
    size_t bytes = 4 * (size_t)w; /* of a group of 32 */
    if (w == 0) {
        for (size_t i = 0; i < n; i++) out[i] = v += min;
    } else if (w <= 32) {
        uint32_t tmp[32];
        if ((size_t)(d->end - d->mini_p) >= bytes) {
            dp_pq_unpack32(d->mini_p, w, tmp);
        } else {
            uint8_t tail[128] = {0};
            memcpy(tail, d->mini_p, (size_t)(d->end - d->mini_p));
            dp_pq_unpack32(tail, w, tmp);
        }
        for (size_t i = 0; i < n; i++) out[i] = v += min + tmp[i];
    } else {
        dp_pq_unpack64(d->mini_p, w, n, out);
        for (size_t i = 0; i < n; i++) out[i] = v += min + out[i];
    }
    d->mini_p += (size_t)(d->end - d->mini_p) < bytes ? (size_t)(d->end - d->mini_p) : bytes;
    d->value = v;
}

size_t dp_delta_get(struct dp_delta *d, int64_t *out, size_t n) {
    size_t done = 0;
    if (d->fault) return 0;
    if (n > d->left) n = (size_t)d->left;
    if (n && d->first) {
        out[done++] = d->narrow ? (int32_t)d->value : (int64_t)d->value;
        d->first = false;
        d->left--;
    }
    while (done < n) {
        if (!d->mini_left && !next_mini(d)) break;
        uint64_t tmp[32];
        size_t k = n - done < 32 ? n - done : 32;
        /* Groups of 32 start at every multiple of 32 of the miniblock: a caller that wants fewer gets them one by one. */
        size_t in_group = (size_t)(d->mini_left - 1) % 32 + 1;
        if (k < in_group || in_group < 32) {
            uint64_t bit = (d->per_mini - d->mini_left) % 32 * d->mini_width;
            const uint8_t *group = d->mini_p;
            k = k < in_group ? k : in_group;
            for (size_t i = 0; i < k; i++, bit += d->mini_width) {
                uint64_t v = 0, raw[2] = {0, 0};
                size_t at = (size_t)(bit >> 3), have = (size_t)(d->end - group);
                if (d->mini_width && at < have) memcpy(raw, group + at, have - at < 9 ? have - at : 9);
                unsigned s = bit & 7;
                v = raw[0] >> s | (s ? raw[1] << (64 - s) : 0);
                if (d->mini_width < 64) v &= (UINT64_C(1) << d->mini_width) - 1;
                tmp[i] = d->value += d->min_delta + v;
            }
            if (k == in_group) {
                size_t bytes = 4 * (size_t)d->mini_width, have = (size_t)(d->end - group);
                d->mini_p += have < bytes ? have : bytes;
            }
        } else {
            unpack_sum(d, tmp, k);
        }
        for (size_t i = 0; i < k; i++) out[done + i] = d->narrow ? (int32_t)tmp[i] : (int64_t)tmp[i];
        done += k;
        d->mini_left -= k;
        d->left -= k;
    }
    return done;
}

size_t dp_delta_get32(struct dp_delta *d, int32_t *out, size_t n) {
    size_t done = 0;
    while (done < n) {
        int64_t tmp[256];
        size_t k = n - done < 256 ? n - done : 256, got = dp_delta_get(d, tmp, k);
        for (size_t i = 0; i < got; i++) out[done + i] = (int32_t)tmp[i];
        done += got;
        if (got < k) break;
    }
    return done;
}

const uint8_t *dp_delta_end(const struct dp_delta *fresh) {
    struct dp_delta d = *fresh;
    if (d.left) d.left--;
    while (d.left) {
        if (!next_mini(&d)) return NULL;
        d.left -= d.left < d.per_mini ? d.left : d.per_mini;
    }
    return d.p;
}

bool dp_delta_length_init(struct dp_delta_bytes *d, const uint8_t *p, size_t n) {
    d->has_prefix = false;
    d->pos = d->n = 0;
    d->fault = NULL;
    d->end = p + n;
    if (!dp_delta_init(&d->length, p, n, true)) return d->fault = d->length.fault, false;
    d->p = dp_delta_end(&d->length);
    if (!d->p) return d->fault = "lengths cut short", false;
    return true;
}

bool dp_delta_prefix_init(struct dp_delta_bytes *d, const uint8_t *p, size_t n) {
    struct dp_delta prefix;
    if (!dp_delta_init(&prefix, p, n, true)) return d->fault = prefix.fault, false;
    const uint8_t *q = dp_delta_end(&prefix);
    if (!q) return d->fault = "prefix lengths cut short", false;
    if (!dp_delta_length_init(d, q, (size_t)(p + n - q))) return false;
    d->prefix = prefix;
    d->has_prefix = true;
    return true;
}

bool dp_delta_bytes_next(struct dp_delta_bytes *d, uint32_t *prefix, struct dp_str *suffix) {
    if (d->fault) return false;
    if (d->pos == d->n) {
        int32_t a[64], b[64];
        size_t want = d->length.left < 64 ? (size_t)d->length.left : 64;
        size_t got = dp_delta_get32(&d->length, a, want);
        if (!got) return d->fault = d->length.fault ? d->length.fault : "fewer lengths than values", false;
        if (d->has_prefix && dp_delta_get32(&d->prefix, b, got) < got) return d->fault = "fewer prefixes than suffixes", false;
        for (size_t i = 0; i < got; i++) {
            if (a[i] < 0 || (d->has_prefix && b[i] < 0)) return d->fault = "negative length", false;
            d->lengths[i] = (uint32_t)a[i];
            d->prefixes[i] = d->has_prefix ? (uint32_t)b[i] : 0;
        }
        d->pos = 0;
        d->n = (unsigned)got;
    }
    uint32_t n = d->lengths[d->pos];
    if (n > (size_t)(d->end - d->p)) return d->fault = "a value runs past the page", false;
    *prefix = d->prefixes[d->pos++];
    *suffix = dp_str((const char *)d->p, n);
    d->p += n;
    return true;
}
