/*
 * Values of a page to values of a column: every encoding of every physical type, and the change to the batch's form
 * (spec: Encodings.md; LogicalTypes.md).  Values are decoded densely behind the column's end and then spread over the slots.
 */
#include "reader_priv.h"

#define SECTION_LEFT(v) ((size_t)((v)->end - (v)->p))

static enum dp_status cut_short(const struct pq_leaf *l, struct dp_err *err) {
    return pq_fail(l, err, DP_FORMAT, "the page holds fewer values than it says");
}

static enum dp_status fault(const struct pq_leaf *l, const char *why, struct dp_err *err) {
    return why ? pq_fail(l, err, DP_FORMAT, "%s", why) : cut_short(l, err);
}

static enum dp_status cap_met(struct pq_leaf *l, struct dp_err *err) {
    l->over = true;
    return pq_fail(l, err, DP_LIMIT, "values of one row take more than %zu bytes", l->cap);
}

static bool is_bytes(const struct pq_leaf *l) { return l->form == PQ_FORM_BYTES || l->form == PQ_FORM_BYTES_DECIMAL; }

static bool is_dictionary(enum dp_pq_encoding e) { return e == DP_PQ_PLAIN_DICTIONARY || e == DP_PQ_RLE_DICTIONARY; }

void pq_values_begin(struct pq_leaf *l, enum dp_pq_encoding encoding, const uint8_t *p, size_t n) {
    struct pq_values *v = &l->values;
    v->encoding = encoding;
    v->p = p;
    v->end = p + n;
    v->pos = v->total = 0;
    v->started = false; /* a page without values may have any bytes here, or none: look only when one is wanted */
    if (!l->file->chained_prefixes) dp_buf_reset(&l->previous);
}

static enum dp_status wrong_encoding(const struct pq_leaf *l, struct dp_err *err) {
    return pq_fail(l, err, DP_FORMAT, "encoding %s does not fit type %s", dp_pq_encoding_name((int)l->values.encoding),
                   dp_pq_type_name(l->chunk->type));
}

static enum dp_status start_dictionary(struct pq_leaf *l, struct dp_err *err) {
    struct pq_values *v = &l->values;
    if (!l->dict.present) return pq_fail(l, err, DP_FORMAT, "dictionary indices without a dictionary page");
    if (v->p == v->end) return cut_short(l, err);
    unsigned width = *v->p++;
    if (width > 32) return pq_fail(l, err, DP_FORMAT, "dictionary index width %u is above 32", width);
    dp_hybrid_init(&v->index, v->p, SECTION_LEFT(v), width);
    return DP_OK;
}

static enum dp_status start_rle_bool(struct pq_leaf *l, struct dp_err *err) {
    struct pq_values *v = &l->values;
    if (SECTION_LEFT(v) < 4) return cut_short(l, err);
    uint32_t n = dp_load32(v->p);
    v->p += 4;
    if (n > SECTION_LEFT(v)) return pq_fail(l, err, DP_FORMAT, "values run past the page");
    dp_hybrid_init(&v->index, v->p, n, 1);
    return DP_OK;
}

static enum dp_status start_split(struct pq_leaf *l, struct dp_err *err) {
    struct pq_values *v = &l->values;
    size_t n = SECTION_LEFT(v);
    if ((is_bytes(l) && l->chunk->type == DP_PQ_BYTE_ARRAY) || l->form == PQ_FORM_BOOL || l->form == PQ_FORM_INT96) return wrong_encoding(l, err);
    if (n % l->in_width) return pq_fail(l, err, DP_FORMAT, "split streams of unequal length");
    v->total = n / l->in_width;
    return DP_OK;
}

/* At the first value that is wanted of a page. */
static enum dp_status start(struct pq_leaf *l, struct dp_err *err) {
    struct pq_values *v = &l->values;
    size_t n = SECTION_LEFT(v);
    enum dp_pq_type t = l->chunk->type;
    v->started = true;
    switch (v->encoding) {
    case DP_PQ_PLAIN:
        return DP_OK;
    case DP_PQ_PLAIN_DICTIONARY:
    case DP_PQ_RLE_DICTIONARY:
        return start_dictionary(l, err);
    case DP_PQ_RLE:
        return l->form == PQ_FORM_BOOL ? start_rle_bool(l, err) : wrong_encoding(l, err);
    case DP_PQ_DELTA_BINARY_PACKED:
        if (t != DP_PQ_INT32 && t != DP_PQ_INT64) return wrong_encoding(l, err);
        return dp_delta_init(&v->delta, v->p, n, t == DP_PQ_INT32) ? DP_OK : fault(l, v->delta.fault, err);
    case DP_PQ_DELTA_LENGTH_BYTE_ARRAY:
        if (t != DP_PQ_BYTE_ARRAY) return wrong_encoding(l, err);
        return dp_delta_length_init(&v->bytes, v->p, n) ? DP_OK : fault(l, v->bytes.fault, err);
    case DP_PQ_DELTA_BYTE_ARRAY:
        if (t != DP_PQ_BYTE_ARRAY && t != DP_PQ_FLBA) return wrong_encoding(l, err);
        return dp_delta_prefix_init(&v->bytes, v->p, n) ? DP_OK : fault(l, v->bytes.fault, err);
    case DP_PQ_BYTE_STREAM_SPLIT:
        return start_split(l, err);
    case DP_PQ_BIT_PACKED:
    case DP_PQ_ALP:
        break;
    }
    return wrong_encoding(l, err);
}

/* ---- byte arrays, one after the other ---- */

/* The next of values of one width (wide decimals), where they are not prefixed; borrowed until the next call. */
static enum dp_status next_fixed(struct pq_leaf *l, struct dp_str *out, struct dp_err *err) {
    struct pq_values *v = &l->values;
    if (v->encoding == DP_PQ_BYTE_STREAM_SPLIT) {
        dp_buf_reset(&l->reader->scratch);
        char *to = dp_buf_reserve(&l->reader->scratch, l->in_width);
        if (v->pos == v->total) return cut_short(l, err);
        dp_pq_unsplit(v->p, v->total, l->in_width, v->pos++, 1, (uint8_t *)to);
        *out = dp_str(to, l->in_width);
        return DP_OK;
    }
    if (v->encoding != DP_PQ_PLAIN) return wrong_encoding(l, err);
    if (SECTION_LEFT(v) < l->in_width) return cut_short(l, err);
    *out = dp_str((const char *)v->p, l->in_width);
    v->p += l->in_width;
    return DP_OK;
}

/* The next value; borrowed until the next call. */
static enum dp_status next_bytes(struct pq_leaf *l, struct dp_str *out, struct dp_err *err) {
    struct pq_values *v = &l->values;
    if (l->chunk->type == DP_PQ_FLBA && v->encoding != DP_PQ_DELTA_BYTE_ARRAY) return next_fixed(l, out, err);
    if (v->encoding == DP_PQ_PLAIN) {
        if (SECTION_LEFT(v) < 4) return cut_short(l, err);
        size_t n = dp_load32(v->p);
        if (n > SECTION_LEFT(v) - 4) return pq_fail(l, err, DP_FORMAT, "a value runs past the page");
        *out = dp_str((const char *)v->p + 4, n);
        v->p += 4 + n;
        return DP_OK;
    }
    uint32_t prefix;
    struct dp_str suffix;
    if (!dp_delta_bytes_next(&v->bytes, &prefix, &suffix)) return fault(l, v->bytes.fault, err);
    if (!v->bytes.has_prefix) {
        *out = suffix;
        return DP_OK;
    }
    if (prefix > l->previous.n) return pq_fail(l, err, DP_FORMAT, "a prefix longer than the value before");
    if (prefix + suffix.n > DP_LIMIT_PAGE) return pq_fail(l, err, DP_LIMIT, "a value of more than %u bytes", DP_LIMIT_PAGE);
    l->previous.n = prefix;
    dp_buf_adds(&l->previous, suffix);
    *out = dp_buf_str(&l->previous);
    return DP_OK;
}

/* The next value as the column has it: a decimal that 128 bits do not hold is JSON, all its digits. */
static enum dp_status next_value(struct pq_leaf *l, char digits[PQ_WIDE_TEXT], struct dp_str *out, struct dp_err *err) {
    DP_TRY(next_bytes(l, out, err));
    if (!l->is_wide) return DP_OK;
    if (out->n > PQ_WIDE_BYTES) return pq_fail(l, err, DP_FORMAT, "a decimal of %zu bytes", out->n);
    *out = dp_str(digits, dp_pq_wide_decimal((const uint8_t *)out->p, out->n, (unsigned)l->file->meta.elements[l->file->meta.leaves[l->number]].scale, digits));
    return DP_OK;
}

/* ---- fixed width ---- */

static enum dp_status read_bools(struct pq_leaf *l, uint8_t *out, size_t n, struct dp_err *err) {
    struct pq_values *v = &l->values;
    if (v->encoding == DP_PQ_RLE) return dp_hybrid_get_u8(&v->index, out, n) == n ? DP_OK : fault(l, v->index.fault, err);
    if (v->encoding != DP_PQ_PLAIN) return wrong_encoding(l, err);
    if (n > SECTION_LEFT(v) * 8 - v->pos) return cut_short(l, err);
    size_t i = 0;
    for (; i < n && v->pos & 7; i++, v->pos++) out[i] = v->p[v->pos >> 3] >> (v->pos & 7) & 1;
    for (; n - i >= 8; i += 8, v->pos += 8) {
        uint64_t bits = dp_spread_bits(v->p[v->pos >> 3]);
        memcpy(out + i, &bits, 8);
    }
    for (; i < n; i++, v->pos++) out[i] = v->p[v->pos >> 3] >> (v->pos & 7) & 1;
    return DP_OK;
}

/* FLBA in DELTA_BYTE_ARRAY. */
static enum dp_status read_fixed_prefixed(struct pq_leaf *l, uint8_t *out, size_t n, struct dp_err *err) {
    for (size_t i = 0; i < n; i++) {
        struct dp_str s;
        DP_TRY(next_bytes(l, &s, err));
        if (s.n != l->in_width) return pq_fail(l, err, DP_FORMAT, "a value of %zu bytes where all have %zu", s.n, l->in_width);
        memcpy(out + i * l->in_width, s.p, s.n);
    }
    return DP_OK;
}

/* n stored values of in_width bytes, not from a dictionary. */
static enum dp_status read_fixed(struct pq_leaf *l, uint8_t *out, size_t n, struct dp_err *err) {
    struct pq_values *v = &l->values;
    size_t bytes = n * l->in_width;
    switch (v->encoding) {
    case DP_PQ_PLAIN:
        if (bytes > SECTION_LEFT(v)) return cut_short(l, err);
        memcpy(out, v->p, bytes);
        v->p += bytes;
        return DP_OK;
    case DP_PQ_BYTE_STREAM_SPLIT:
        if (n > v->total - v->pos) return cut_short(l, err);
        dp_pq_unsplit(v->p, v->total, l->in_width, v->pos, n, out);
        v->pos += n;
        return DP_OK;
    case DP_PQ_DELTA_BINARY_PACKED: {
        size_t got = l->in_width == 4 ? dp_delta_get32(&v->delta, (int32_t *)(void *)out, n) : dp_delta_get(&v->delta, (int64_t *)(void *)out, n);
        return got == n ? DP_OK : fault(l, v->delta.fault, err);
    }
    case DP_PQ_DELTA_BYTE_ARRAY:
        return read_fixed_prefixed(l, out, n, err);
    case DP_PQ_PLAIN_DICTIONARY:
    case DP_PQ_RLE_DICTIONARY:
    case DP_PQ_RLE:
    case DP_PQ_BIT_PACKED:
    case DP_PQ_DELTA_LENGTH_BYTE_ARRAY:
    case DP_PQ_ALP:
        break;
    }
    return wrong_encoding(l, err);
}

static void widen128(const uint8_t *in, size_t width, size_t n, uint8_t *out) {
    for (size_t i = 0; i < n; i++) {
        int64_t lo = width == 4 ? (int32_t)dp_load32(in + i * 4) : (int64_t)dp_load64(in + i * 8), hi = lo < 0 ? -1 : 0;
        memcpy(out + i * 16, &lo, 8);
        memcpy(out + i * 16 + 8, &hi, 8);
    }
}

/*
 * Big endian decimals of one width.  Of up to eight bytes each is a word that is turned round and shifted down, as far as a word can be read.
 */
static bool fixed_decimals(const uint8_t *in, size_t width, size_t n, uint8_t *out) {
    size_t i = 0;
    for (; width && width <= 8 && (n - i) * width >= 8; i++) {
        int64_t v = (int64_t)__builtin_bswap64(dp_load64(in + i * width)) >> (64 - 8 * width), sign = v >> 63;
        memcpy(out + i * 16, &v, 8);
        memcpy(out + i * 16 + 8, &sign, 8);
    }
    for (; i < n; i++)
        if (!dp_pq_decimal(in + i * width, width, out + i * 16)) return false;
    return true;
}

/* Stored values to the column's values. */
static enum dp_status convert(struct pq_leaf *l, const uint8_t *in, size_t n, uint8_t *out, struct dp_err *err) {
    switch (l->form) {
    case PQ_FORM_TO8:
        for (size_t i = 0; i < n; i++) out[i] = in[i * 4];
        return DP_OK;
    case PQ_FORM_TO16:
        for (size_t i = 0; i < n; i++) memcpy(out + i * 2, in + i * 4, 2);
        return DP_OK;
    case PQ_FORM_TO64:
        for (size_t i = 0; i < n; i++) {
            int64_t v = (int32_t)dp_load32(in + i * 4);
            memcpy(out + i * 8, &v, 8);
        }
        return DP_OK;
    case PQ_FORM_DECIMAL32:
    case PQ_FORM_DECIMAL64:
        widen128(in, l->in_width, n, out);
        return DP_OK;
    case PQ_FORM_DECIMAL_FIXED:
        return fixed_decimals(in, l->in_width, n, out) ? DP_OK : pq_fail(l, err, DP_FORMAT, "a decimal of more than 128 bits");
    case PQ_FORM_INT96:
        for (size_t i = 0; i < n; i++) {
            int64_t us = dp_pq_int96_micros(in + i * 12);
            memcpy(out + i * 8, &us, 8);
        }
        return DP_OK;
    case PQ_FORM_COPY:
    case PQ_FORM_NONE:
    case PQ_FORM_BOOL:
    case PQ_FORM_BYTES:
    case PQ_FORM_BYTES_DECIMAL:
        break;
    }
    memcpy(out, in, n * l->in_width);
    return DP_OK;
}

static void gather(const uint8_t *dict, size_t width, const uint32_t *index, size_t n, uint8_t *out) {
    switch (width) {
    case 1: for (size_t i = 0; i < n; i++) out[i] = dict[index[i]]; return;
    case 2: for (size_t i = 0; i < n; i++) memcpy(out + i * 2, dict + (size_t)index[i] * 2, 2); return;
    case 4:
#pragma GCC unroll 8
        for (size_t i = 0; i < n; i++) memcpy(out + i * 4, dict + (size_t)index[i] * 4, 4);
        return;
    case 8:
#pragma GCC unroll 8
        for (size_t i = 0; i < n; i++) memcpy(out + i * 8, dict + (size_t)index[i] * 8, 8);
        return;
    case 16: for (size_t i = 0; i < n; i++) memcpy(out + i * 16, dict + (size_t)index[i] * 16, 16); return;
    default: for (size_t i = 0; i < n; i++) memcpy(out + i * width, dict + (size_t)index[i] * width, width); return;
    }
}

typedef uint32_t words4 __attribute__((vector_size(16)));

/* limit < 2^31: then limit - 1 - v has no top bit, nor has v, where v is below it. */
static bool all_below(const uint32_t *v, size_t n, uint32_t limit) {
    uint32_t last = limit - 1, each[4], bad = limit ? 0 : UINT32_MAX;
    words4 tops = {0};
    size_t i = 0;
    for (; n - i >= 4; i += 4) {
        words4 x;
        memcpy(&x, v + i, 16);
        tops |= x | (last - x);
    }
    for (; i < n; i++) bad |= v[i] | (last - v[i]);
    memcpy(each, &tops, 16);
    return !((bad | each[0] | each[1] | each[2] | each[3]) >> 31);
}

/* n <= PQ_BLOCK indices, all within the dictionary, in the reader's scratch. */
static enum dp_status read_indices(struct pq_leaf *l, size_t n, struct dp_err *err) {
    uint32_t *index = l->reader->index, top = 0;
    if (dp_hybrid_get(&l->values.index, index, n) < n) return fault(l, l->values.index.fault, err);
    if (n == 0 || all_below(index, n, l->dict.n)) return DP_OK;
    for (size_t i = 0; i < n; i++) top = index[i] > top ? index[i] : top;
    if (top >= l->dict.n) return pq_fail(l, err, DP_FORMAT, "dictionary index %u, but the dictionary has %u values", top, l->dict.n);
    return DP_OK;
}

/* n dense values in the column's form. */
static enum dp_status fixed_values(struct pq_leaf *l, uint8_t *out, size_t n, struct dp_err *err) {
    if (is_dictionary(l->values.encoding)) {
        DP_TRY(read_indices(l, n, err));
        gather((const uint8_t *)l->dict.fixed.p, l->out_width, l->reader->index, n, out);
        return DP_OK;
    }
    if (l->form == PQ_FORM_COPY) return read_fixed(l, out, n, err);
    if (l->form == PQ_FORM_BYTES_DECIMAL) {
        for (size_t i = 0; i < n; i++) {
            struct dp_str s;
            DP_TRY(next_bytes(l, &s, err));
            if (!dp_pq_decimal((const uint8_t *)s.p, s.n, out + i * 16)) return pq_fail(l, err, DP_FORMAT, "a decimal of more than 128 bits");
        }
        return DP_OK;
    }
    struct dp_buf *tmp = &l->reader->scratch;
    size_t block = l->in_width < 32 ? PQ_BLOCK : 65536 / l->in_width + 1; /* wide decimals: what they claim bounds no memory */
    dp_buf_reset(tmp);
    uint8_t *in = (uint8_t *)dp_buf_reserve(tmp, block * l->in_width + 16);
    for (size_t k; n > 0; n -= k, out += k * l->out_width) {
        k = n < block ? n : block;
        DP_TRY(read_fixed(l, in, k, err));
        DP_TRY(convert(l, in, k, out, err));
    }
    return DP_OK;
}

static enum dp_status append_fixed(struct pq_leaf *l, const uint8_t *valid, size_t k, size_t nn, struct dp_err *err) {
    size_t at = (size_t)l->slots * l->out_width, more = k * l->out_width;
    if (at + more > l->cap) return cap_met(l, err);
    uint8_t *p = pq_column_data(l->col, l->region, at + more) + at;
    l->col->data_n = at + more;
    if (nn) DP_TRY(fixed_values(l, p, nn, err));
    pq_spread(p, l->out_width, valid, k, nn);
    return DP_OK;
}

static enum dp_status append_bools(struct pq_leaf *l, const uint8_t *valid, size_t k, size_t nn, struct dp_err *err) {
    uint8_t bits[PQ_BLOCK + 8];
    size_t all = (size_t)(l->slots + (int64_t)k + 7) / 8;
    if (all > l->cap) return cap_met(l, err);
    if (is_dictionary(l->values.encoding) && nn) {
        DP_TRY(read_indices(l, nn, err));
        gather((const uint8_t *)l->dict.fixed.p, 1, l->reader->index, nn, bits);
    } else if (nn) {
        DP_TRY(read_bools(l, bits, nn, err));
    }
    pq_spread(bits, 1, valid, k, nn);
    pq_bits_put(pq_column_data(l->col, l->region, all), l->slots, bits, k);
    l->col->data_n = all;
    return DP_OK;
}

/* ---- byte arrays to offsets and data ---- */

/* Short copies are most of all copies: a fixed number of bytes at once where the source has so many; the target has PQ_SLACK behind its end. */
static inline void copy_short(uint8_t *to, const char *from, size_t n, size_t readable) {
    if (n <= 16 && readable >= 16) memcpy(to, from, 16);
    else if (n <= 64 && readable >= 64) memcpy(to, from, 64);
    else memcpy(to, from, n);
}

/* n values one behind the other, and where each ends; `step` (a constant, at least the longest's length) bytes are copied of each, 0: as many as it has. */
static inline uint8_t *copy_values(const struct pq_leaf *l, size_t n, size_t step, uint8_t *base, uint8_t *to, int32_t *ends) {
    const uint32_t *at = (const uint32_t *)(const void *)l->dict.offsets.p, *index = l->reader->index;
    const char *dict = l->dict.bytes.p;
    for (size_t i = 0; i < n; i++) {
        uint32_t from = at[index[i]], len = at[index[i] + 1] - from - PQ_PREFIX;
        if (step) memcpy(to, dict + from, step);
        else copy_short(to, dict + from, len, PQ_SLACK);
        to += len;
        ends[i] = (int32_t)(to - base);
    }
    return to;
}

static enum dp_status bytes_from_dictionary(struct pq_leaf *l, int32_t *ends, size_t n, struct dp_err *err) {
    DP_TRY(read_indices(l, n, err));
    const uint32_t *at = (const uint32_t *)(const void *)l->dict.offsets.p, *index = l->reader->index;
    size_t used = l->col->data_n, longest = l->dict.longest, total = n * longest;
    if (longest > 32 || used + total > l->cap) { /* else there is room for the longest each time, and nobody need count */
        total = 0;
        for (size_t i = 0; i < n; i++) total += at[index[i] + 1] - at[index[i]];
        total -= n * PQ_PREFIX;
        if (used + total > l->cap) return cap_met(l, err);
    }
    uint8_t *base = pq_column_data(l->col, l->region, used + total), *to = base + used;
    if (longest <= 16) to = copy_values(l, n, 16, base, to, ends);
    else if (longest <= 32) to = copy_values(l, n, 32, base, to, ends);
    else to = copy_values(l, n, 0, base, to, ends);
    l->col->data_n = (size_t)(to - base);
    return DP_OK;
}

static enum dp_status bytes_plain(struct pq_leaf *l, int32_t *ends, size_t n, struct dp_err *err) {
    struct pq_values *v = &l->values;
    size_t used = l->col->data_n, most = SECTION_LEFT(v);
    if (most > l->cap - used) most = l->cap - used;
    uint8_t *base = pq_column_data(l->col, l->region, used + most), *to = base + used, *limit = to + most;
    const uint8_t *p = v->p, *end = v->end;
    for (size_t i = 0; i < n; i++) {
        if (end - p < 4) return cut_short(l, err);
        size_t len = dp_load32(p);
        p += 4;
        if (len > (size_t)(end - p)) return pq_fail(l, err, DP_FORMAT, "a value runs past the page");
        if (len > (size_t)(limit - to)) return cap_met(l, err);
        copy_short(to, (const char *)p, len, (size_t)(end - p));
        p += len, to += len;
        ends[i] = (int32_t)(to - base);
    }
    v->p = p;
    l->col->data_n = (size_t)(to - base);
    return DP_OK;
}

static enum dp_status bytes_delta(struct pq_leaf *l, int32_t *ends, size_t n, struct dp_err *err) {
    char digits[PQ_WIDE_TEXT];
    if (!l->col->data) (void)pq_column_data(l->col, l->region, 0); /* who prints empty texts adds to it */
    for (size_t i = 0; i < n; i++) {
        struct dp_str s;
        DP_TRY(next_value(l, digits, &s, err));
        size_t used = l->col->data_n;
        if (used + s.n > l->cap) return cap_met(l, err);
        if (s.n) memcpy(pq_column_data(l->col, l->region, used + s.n) + used, s.p, s.n);
        l->col->data_n = used + s.n;
        ends[i] = (int32_t)l->col->data_n;
    }
    return DP_OK;
}

/* All values at once: then a border inside a character shows as a value that starts with a continuation byte. */
static bool all_text(const char *text, size_t bytes, const int32_t *offsets, size_t n) {
    if (!bytes || dp_is_ascii(text, bytes)) return true; /* without bytes there is perhaps no memory at all */
    bool good = dp_utf8_valid(text, bytes, NULL);
    for (size_t i = 0; good && i < n; i++) good = offsets[i] == offsets[i + 1] || (text[offsets[i] - offsets[0]] & 0xC0) != 0x80;
    return good;
}

static enum dp_status append_bytes(struct pq_leaf *l, const uint8_t *valid, size_t k, size_t nn, struct dp_err *err) {
    if (((size_t)l->slots + k + 1) * 4 > l->cap) return cap_met(l, err);
    int32_t *offsets = pq_column_offsets(l->col, l->region, (size_t)l->slots + k + 1, (size_t)l->slots + 1) + l->slots;
    size_t from = l->col->data_n;
    if (nn == 0) {
        /* only the offsets move on */
    } else if (is_dictionary(l->values.encoding)) {
        DP_TRY(bytes_from_dictionary(l, offsets + 1, nn, err));
    } else if (l->values.encoding == DP_PQ_PLAIN && !l->is_wide) {
        DP_TRY(bytes_plain(l, offsets + 1, nn, err));
    } else {
        DP_TRY(bytes_delta(l, offsets + 1, nn, err));
    }
    /* A dictionary's values were checked when it was loaded. */
    if (l->check_text && l->col->data_n > from && !is_dictionary(l->values.encoding) &&
        !all_text((const char *)l->col->data + from, l->col->data_n - from, offsets, nn))
        return pq_fail(l, err, DP_FORMAT, "text that is not UTF-8");
    pq_spread_offsets(offsets, valid, k, nn);
    return DP_OK;
}

/* ---- the dictionary ---- */

/* The bytes of a dictionary page into `to`: by taking the page's memory, where it was decompressed, else as a copy. */
static enum dp_status keep_page(struct pq_leaf *l, struct dp_buf *to, const uint8_t *p, size_t n, struct dp_err *err) {
    if (p == (const uint8_t *)l->page.p) {
        struct dp_buf page = l->page; /* inflate_page has claimed the slack */
        l->page = *to;
        *to = page;
        memset(to->p + n, 0, PQ_SLACK);
        return DP_OK;
    }
    DP_TRY(pq_claim(l, to, n + PQ_SLACK, "a dictionary", err));
    if (n) memcpy(to->p, p, n);
    memset(to->p + n, 0, PQ_SLACK);
    to->n = n;
    return DP_OK;
}

/* Wide decimals become text, in the layout of the others. */
static enum dp_status load_wide(struct pq_leaf *l, uint32_t *at, uint32_t count, struct dp_err *err) {
    struct dp_buf *b = &l->dict.bytes;
    DP_TRY(pq_claim(l, b, (size_t)count * (PQ_WIDE_TEXT + PQ_PREFIX) + PQ_PREFIX + PQ_SLACK, "a dictionary", err));
    l->dict.longest = PQ_WIDE_TEXT;
    memset(b->p, 0, PQ_PREFIX);
    b->n = at[0] = PQ_PREFIX;
    for (uint32_t i = 0; i < count; i++) {
        char digits[PQ_WIDE_TEXT];
        struct dp_str s;
        DP_TRY(next_value(l, digits, &s, err));
        dp_buf_adds(b, s);
        dp_buf_add(b, "\0\0\0", PQ_PREFIX);
        at[i + 1] = (uint32_t)b->n;
    }
    memset(b->p + b->n, 0, PQ_SLACK);
    return DP_OK;
}

/* Where all bytes of all lengths are ASCII, the page is text if and only if each value is, for no character reaches over a length. */
static bool all_text_prefixed(const char *page, size_t bytes, const uint32_t *at, uint32_t count, bool plain_lengths) {
    if (dp_is_ascii(page, bytes)) return true;
    if (plain_lengths) return dp_utf8_valid(page, bytes, NULL);
    for (uint32_t i = 0; i < count; i++)
        if (!dp_utf8_valid(page + at[i], at[i + 1] - at[i] - PQ_PREFIX, NULL)) return false;
    return true;
}

static enum dp_status load_byte_arrays(struct pq_leaf *l, const uint8_t *p, size_t n, uint32_t count, struct dp_err *err) {
    struct pq_dictionary *d = &l->dict;
    uint32_t longest = 0, bits = 0;
    size_t pos = 0;
    DP_TRY(pq_claim(l, &d->offsets, ((size_t)count + 1) * 4, "a dictionary", err));
    uint32_t *at = (uint32_t *)(void *)d->offsets.p;
    if (l->is_wide) return load_wide(l, at, count, err);
    DP_TRY(keep_page(l, &d->bytes, p, n, err));
    for (uint32_t i = 0; i < count; i++) {
        if (n - pos < PQ_PREFIX) return cut_short(l, err);
        uint32_t len = dp_load32(d->bytes.p + pos);
        pos += PQ_PREFIX;
        at[i] = (uint32_t)pos;
        if (len > n - pos) return pq_fail(l, err, DP_FORMAT, "a value runs past the page");
        longest = len > longest ? len : longest;
        bits |= len & 0x80808080;
        pos += len;
    }
    at[count] = (uint32_t)pos + PQ_PREFIX;
    d->longest = longest;
    if (l->check_text && !all_text_prefixed(d->bytes.p, pos, at, count, !bits))
        return pq_fail(l, err, DP_FORMAT, "text in the dictionary that is not UTF-8");
    return DP_OK;
}

enum dp_status pq_dictionary_load(struct pq_leaf *l, const uint8_t *p, size_t n, int32_t count, struct dp_err *err) {
    struct pq_dictionary *d = &l->dict;
    uint64_t least = is_bytes(l) && l->chunk->type == DP_PQ_BYTE_ARRAY ? 4 * (uint64_t)(uint32_t)count
                     : l->form == PQ_FORM_BOOL ? ((uint64_t)(uint32_t)count + 7) / 8 : (uint64_t)(uint32_t)count * l->in_width;
    if (least > n) return pq_fail(l, err, DP_FORMAT, "the dictionary page holds fewer than its %d values", count);
    d->n = (uint32_t)count;
    d->present = true;
    pq_values_begin(l, DP_PQ_PLAIN, p, n);
    l->values.started = true;
    if (l->form == PQ_FORM_NONE) return DP_OK;
    if (l->form == PQ_FORM_BYTES) return load_byte_arrays(l, p, n, d->n, err);
    if ((uint64_t)d->n * l->out_width > DP_LIMIT_PAGE)
        return pq_fail(l, err, DP_LIMIT, "a dictionary of more than %u bytes", DP_LIMIT_PAGE);
    if (l->form == PQ_FORM_COPY) return keep_page(l, &d->fixed, p, n, err);
    DP_TRY(pq_claim(l, &d->fixed, (size_t)d->n * l->out_width + 16, "a dictionary", err));
    uint8_t *out = (uint8_t *)d->fixed.p;
    if (l->form == PQ_FORM_BOOL) return read_bools(l, out, d->n, err);
    return fixed_values(l, out, d->n, err);
}

/* ---- the door ---- */

enum dp_status pq_values_append(struct pq_leaf *l, const uint8_t *valid, size_t k, size_t nn, struct dp_err *err) {
    if (l->form == PQ_FORM_NONE) {
        l->slots += (int64_t)k;
        l->nulls += (int64_t)k;
        return DP_OK;
    }
    if (nn && !l->values.started) DP_TRY(start(l, err));
    if (l->form == PQ_FORM_BYTES) DP_TRY(append_bytes(l, valid, k, nn, err));
    else if (l->form == PQ_FORM_BOOL) DP_TRY(append_bools(l, valid, k, nn, err));
    else DP_TRY(append_fixed(l, valid, k, nn, err));
    pq_column_validity(l->col, l->region, l->slots, k == nn ? NULL : valid, k, l->expected);
    l->slots += (int64_t)k;
    l->nulls += (int64_t)(k - nn);
    return DP_OK;
}

enum dp_status pq_values_skip(struct pq_leaf *l, size_t n, struct dp_err *err) {
    if (n == 0 || l->form == PQ_FORM_NONE) return DP_OK;
    if (!l->values.started) DP_TRY(start(l, err));
    if (is_dictionary(l->values.encoding)) return read_indices(l, n, err);
    if (is_bytes(l) || l->values.encoding == DP_PQ_DELTA_BYTE_ARRAY) {
        for (struct dp_str s; n > 0; n--) DP_TRY(next_bytes(l, &s, err));
        return DP_OK;
    }
    if (l->form != PQ_FORM_BOOL && l->values.encoding == DP_PQ_PLAIN) {
        if (n * l->in_width > SECTION_LEFT(&l->values)) return cut_short(l, err);
        l->values.p += n * l->in_width;
        return DP_OK;
    }
    if (l->values.encoding == DP_PQ_BYTE_STREAM_SPLIT) {
        if (n > l->values.total - l->values.pos) return cut_short(l, err);
        l->values.pos += n;
        return DP_OK;
    }
    dp_buf_reset(&l->reader->scratch);
    uint8_t *out = (uint8_t *)dp_buf_reserve(&l->reader->scratch, n * 8 + 16);
    return l->form == PQ_FORM_BOOL ? read_bools(l, out, n, err) : read_fixed(l, out, n, err);
}
