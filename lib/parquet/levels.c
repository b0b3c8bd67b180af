/*
 * The RLE / bit-packed hybrid and repetition and definition levels (spec: Encodings.md, "RLE = 3", "BIT_PACKED = 4").
 * Does not know where levels lie in a page: page.c cuts them out.
 */
#include "dec_priv.h"

void dp_hybrid_init(struct dp_hybrid *h, const uint8_t *p, size_t n, unsigned width) {
    h->p = p;
    h->end = p ? p + n : p;
    h->packed = h->packed_end = NULL;
    h->packed_left = h->run_left = 0;
    h->run_value = 0;
    h->width = width;
    h->buf_pos = h->buf_n = 0;
    h->fault = width > 32 ? "bit width above 32" : NULL;
    if (width == 0) h->run_left = UINT64_MAX; /* all zero, and the data may be missing */
}

/* A packed run says how many groups of 8 follow; the last group at the end of the data may be cut short, whole groups may not. */
static void start_packed(struct dp_hybrid *h, uint32_t groups) {
    size_t have = (size_t)(h->end - h->p);
    uint64_t want = (uint64_t)groups * h->width;
    h->packed = h->p;
    if (want <= have) {
        h->packed_left = (uint64_t)groups * 8;
        h->p += want;
    } else {
        h->packed_left = (uint64_t)((have + h->width - 1) / h->width) * 8;
        h->p = h->end;
    }
    h->packed_end = h->p;
}

/* Reads the next run's header; false: end or fault. */
static bool next_run(struct dp_hybrid *h) {
    while (!h->fault) {
        if (h->p == h->end) return false;
        uint64_t head = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (h->p == h->end) return h->fault = "run header cut short", false;
            uint8_t byte = *h->p++;
            head |= (uint64_t)(byte & 0x7F) << shift;
            if (!(byte & 0x80)) break;
            if (shift == 28) return h->fault = "run header too long", false;
        }
        if (head > UINT32_MAX) return h->fault = "run too long", false;
        if (head & 1) {
            start_packed(h, (uint32_t)(head >> 1));
            if (h->packed_left) return true;
            continue; /* zero groups hold nothing */
        }
        if (head == 0) return h->fault = "run of length zero", false;
        unsigned bytes = (h->width + 7) / 8;
        if ((size_t)(h->end - h->p) < bytes) return h->fault = "run value cut short", false;
        uint32_t v = 0;
        for (unsigned i = 0; i < bytes; i++) v |= (uint32_t)h->p[i] << (8 * i);
        h->p += bytes;
        if (h->width < 32 && v >> h->width) return h->fault = "run value wider than its bit width", false;
        h->run_value = v;
        h->run_left = head >> 1;
        return true;
    }
    return false;
}

/* Unpacks up to 32 values of the packed run into out; returns how many. */
static unsigned unpack_some(struct dp_hybrid *h, uint32_t out[32]) {
    unsigned n = h->packed_left > 32 ? 32 : (unsigned)h->packed_left;
    size_t have = (size_t)(h->packed_end - h->packed), want = 4 * (size_t)h->width;
    if (have >= want) {
        dp_pq_unpack32(h->packed, h->width, out);
        h->packed += want;
    } else {
        uint8_t tail[128] = {0};
        memcpy(tail, h->packed, have);
        dp_pq_unpack32(tail, h->width, out);
        h->packed = h->packed_end;
    }
    h->packed_left -= n;
    return n;
}

size_t dp_hybrid_get(struct dp_hybrid *h, uint32_t *out, size_t n) {
    size_t done = 0;
    while (done < n) {
        size_t want = n - done;
        if (h->buf_pos < h->buf_n) {
            size_t k = h->buf_n - h->buf_pos;
            if (k > want) k = want;
            memcpy(out + done, h->buf + h->buf_pos, k * 4);
            h->buf_pos += (unsigned)k;
            done += k;
        } else if (h->packed_left) {
            size_t k = h->packed_left < want ? (size_t)h->packed_left : want;
            k = dp_pq_unpack_run(h->packed, (size_t)(h->packed_end - h->packed), h->width, k, out + done);
            if (k) {
                h->packed += k / 8 * h->width;
                h->packed_left -= k;
                done += k;
            } else if (want >= 32) {
                done += unpack_some(h, out + done);
            } else {
                h->buf_n = unpack_some(h, h->buf);
                h->buf_pos = 0;
            }
        } else if (h->run_left) {
            size_t k = h->run_left < want ? (size_t)h->run_left : want;
            for (size_t i = 0; i < k; i++) out[done + i] = h->run_value;
            if (h->width) h->run_left -= k;
            done += k;
        } else if (!next_run(h)) {
            break;
        }
    }
    return done;
}

/* Eight values of `width` (1 to 8) bits to eight bytes, LSB first: halves, quarters and eighths are moved apart. */
static inline uint64_t spread_values(uint64_t x, unsigned width) {
    uint64_t m4 = (UINT64_C(1) << 4 * width) - 1, m2 = ((UINT64_C(1) << 2 * width) - 1) * UINT64_C(0x0000000100000001);
    uint64_t m1 = ((UINT64_C(1) << width) - 1) * UINT64_C(0x0001000100010001);
    x = (x & m4) | (x >> 4 * width & m4) << 32;
    x = (x & m2) | (x >> 2 * width & m2) << 16;
    return (x & m1) | (x >> width & m1) << 8;
}

/* As many whole groups of eight as there are and are wanted; returns how many values. */
static size_t unpack_bytes(struct dp_hybrid *h, uint8_t *out, size_t want) {
    size_t done = 0;
    while (want - done >= 8 && h->packed_left >= 8 && (size_t)(h->packed_end - h->packed) >= h->width) {
        uint64_t x = 0;
        if (h->packed_end - h->packed >= 8) x = dp_load64(h->packed);
        else memcpy(&x, h->packed, h->width);
        x = spread_values(x, h->width);
        memcpy(out + done, &x, 8);
        h->packed += h->width;
        h->packed_left -= 8;
        done += 8;
    }
    return done;
}

size_t dp_hybrid_get_u8(struct dp_hybrid *h, uint8_t *out, size_t n) {
    size_t done = 0;
    while (done < n) {
        size_t want = n - done;
        if (h->buf_pos < h->buf_n) {
            out[done++] = (uint8_t)h->buf[h->buf_pos++];
        } else if (h->packed_left) {
            if (h->width <= 8) done += unpack_bytes(h, out + done, want);
            if (done < n && h->packed_left) h->buf_n = unpack_some(h, h->buf), h->buf_pos = 0;
        } else if (h->run_left) {
            size_t k = h->run_left < want ? (size_t)h->run_left : want;
            memset(out + done, (int)(h->run_value & 0xFF), k);
            if (h->width) h->run_left -= k;
            done += k;
        } else if (!next_run(h)) {
            break;
        }
    }
    return done;
}

size_t dp_hybrid_run(struct dp_hybrid *h, size_t n, uint32_t *value) {
    if (h->buf_pos < h->buf_n || h->packed_left) return 0;
    if (!h->run_left && (!next_run(h) || !h->run_left)) return 0;
    size_t k = h->run_left < n ? (size_t)h->run_left : n;
    if (h->width) h->run_left -= k;
    *value = h->run_value;
    return k;
}

unsigned dp_level_width(unsigned max) {
    unsigned w = 0;
    while (max >> w) w++;
    return w;
}

void dp_levels_init_zero(struct dp_levels *l) {
    l->kind = DP_LEVELS_ZERO;
    l->max = 0;
}

void dp_levels_init_hybrid(struct dp_levels *l, const uint8_t *p, size_t n, unsigned max) {
    l->kind = DP_LEVELS_HYBRID;
    l->max = (uint8_t)max;
    l->width = dp_level_width(max);
    dp_hybrid_init(&l->h, p, n, l->width);
}

void dp_levels_init_packed(struct dp_levels *l, const uint8_t *p, size_t n, unsigned max) {
    l->kind = DP_LEVELS_PACKED;
    l->max = (uint8_t)max;
    l->width = dp_level_width(max);
    l->p = p;
    l->bit = 0;
    l->bits = (uint64_t)n * 8;
}

static size_t get_packed(struct dp_levels *l, uint8_t *out, size_t n) {
    size_t i = 0;
    for (; i < n && l->bits - l->bit >= l->width; i++) {
        unsigned v = 0;
        for (unsigned b = 0; b < l->width; b++, l->bit++) v = v << 1 | (l->p[l->bit >> 3] >> (7 - (l->bit & 7)) & 1u);
        out[i] = (uint8_t)v;
    }
    return i;
}

bool dp_levels_get(struct dp_levels *l, uint8_t *out, size_t n, const char **fault) {
    size_t got = n;
    switch (l->kind) {
    case DP_LEVELS_ZERO:
        memset(out, 0, n);
        return true;
    case DP_LEVELS_HYBRID:
        got = dp_hybrid_get_u8(&l->h, out, n);
        if (l->h.fault) return *fault = l->h.fault, false;
        break;
    case DP_LEVELS_PACKED:
        got = get_packed(l, out, n);
        break;
    }
    if (got < n) return *fault = "fewer levels than the page says", false;
    if (l->max == (1u << l->width) - 1) return true; /* no other fits its bits */
    uint8_t top = 0;
    for (size_t i = 0; i < n; i++) top = out[i] > top ? out[i] : top;
    if (top > l->max) return *fault = "a level above its maximum", false;
    return true;
}
