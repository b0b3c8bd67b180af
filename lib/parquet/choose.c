/*
 * Which encoding a column chunk gets.  Clear cases are decided by counting; the others by encoding three short slices in each way and
 * compressing them with the file's codec, since what counts is the size after it.  The answer is kept for a few row groups.
 */
#include "choose_priv.h"

#define SLICES 3
#define SLICE 1024          /* values, and */
#define SLICE_BYTES 49152   /* bytes of one slice at most, as PLAIN */
#define DICT_SAMPLE 32768   /* bytes of a dictionary page that are tried */
#define KEEP_FOR 8          /* row groups */
#define TINY 64             /* values; below this counting is enough */

static unsigned bits_of(size_t v) { return v ? 64u - (unsigned)__builtin_clzll(v) : 0; }

size_t dp_pq_plain_size(const struct dp_pq_values *v) {
    if (v->type == DP_PQ_BOOLEAN) return (v->n + 7) / 8;
    if (v->width) return v->n * (size_t)v->width;
    size_t total = 4 * v->n;
    for (size_t i = 0; i < v->n; i++) total += v->spans[i].len;
    return total;
}

static size_t codes_size(const struct dp_pq_dict *d, size_t n) { return n * bits_of(d->n > 1 ? d->n - 1 : 1) / 8 + 16; }

/* Neighbours that share a fifth of their bytes: worth trying DELTA_BYTE_ARRAY. */
static bool shares_prefixes(const struct dp_pq_values *v) {
    size_t shared = 0, total = 0, n = v->n < SLICE ? v->n : SLICE;
    for (size_t i = 1; i < n; i++) {
        struct dp_pq_span a = v->spans[i - 1], b = v->spans[i];
        uint32_t most = a.len < b.len ? a.len : b.len, k = 0;
        while (k < most && v->bytes[a.off + k] == v->bytes[b.off + k]) k++;
        shared += k, total += b.len;
    }
    return shared * 5 > total && total > 0;
}

struct trial { enum dp_pq_encoding encoding; double raw, stored; };

static enum dp_status pack(const struct dp_pq_writer_opts *o, int level, struct dp_pq_scratch *s, size_t *stored, struct dp_err *err) {
    dp_buf_reset(&s->packed);
    DP_TRY(dp_codec_compress(s->codec, o->codec, level, s->sample.p, s->sample.n, &s->packed, err));
    *stored = s->packed.n;
    return DP_OK;
}

/* The slices in one encoding, in s->sample; returns how many values they hold. */
static size_t put_slices(const struct dp_pq_values *v, const struct dp_pq_dict *d, enum dp_pq_encoding encoding, size_t plain, struct dp_pq_scratch *s) {
    size_t most = plain / v->n ? SLICE_BYTES / (plain / v->n) : SLICE, slice = most > SLICE ? SLICE : most < 32 ? 32 : most, slices = SLICES;
    /* a trial must stay cheap beside the chunk: of small ones (many partitions) three sixteenths */
    if (slice > v->n / 16) slice = v->n / 16 > TINY ? v->n / 16 : TINY;
    if (v->n <= SLICES * slice) slices = 1, slice = v->n;
    dp_buf_reset(&s->sample);
    dp_buf_reserve(&s->sample, 1);
    for (size_t i = 0; i < slices; i++) {
        size_t from = slices == 1 ? 0 : i * (v->n - slice) / (slices - 1);
        if (encoding == DP_PQ_RLE_DICTIONARY) dp_pq_put_hybrid(&s->sample, d->codes + from, slice, bits_of(d->n > 1 ? d->n - 1 : 1));
        else dp_pq_put_values(&s->sample, encoding, v, from, slice, &s->aux);
    }
    return slices * slice;
}

/* Encodes the slices in one way and compresses them; sizes are scaled up to all values. */
static enum dp_status try_one(const struct dp_pq_writer_opts *o, const struct dp_pq_values *v, const struct dp_pq_dict *d, size_t plain,
                              struct dp_pq_scratch *s, struct trial *t, struct dp_err *err) {
    size_t stored;
    double scale = (double)v->n / (double)put_slices(v, d, t->encoding, plain, s);
    DP_TRY(pack(o, o->level, s, &stored, err));
    t->raw = (double)s->sample.n * scale;
    t->stored = (double)stored * scale;
    if (t->encoding != DP_PQ_RLE_DICTIONARY) return DP_OK;
    struct dp_pq_values dv = dp_pq_dict_values(d, v);
    size_t n = d->bytes <= DICT_SAMPLE ? d->n : d->n * DICT_SAMPLE / d->bytes;
    dp_buf_reset(&s->sample);
    dp_pq_put_values(&s->sample, DP_PQ_PLAIN, &dv, 0, n ? n : 1, &s->aux);
    DP_TRY(pack(o, o->level, s, &stored, err));
    t->raw += (double)d->bytes;
    t->stored += (double)d->bytes * (double)stored / (double)s->sample.n;
    return DP_OK;
}

static size_t candidates(const struct dp_pq_writer_opts *o, const struct dp_pq_values *v, bool has_dict, struct trial *t) {
    size_t n = 0;
    if (has_dict) t[n++].encoding = DP_PQ_RLE_DICTIONARY;
    switch (v->type) {
    case DP_PQ_INT32:
    case DP_PQ_INT64: t[n++].encoding = DP_PQ_DELTA_BINARY_PACKED; break;
    case DP_PQ_FLOAT:
    case DP_PQ_DOUBLE:
        if (o->codec != DP_PQ_UNCOMPRESSED) t[n++].encoding = DP_PQ_BYTE_STREAM_SPLIT;
        break;
    case DP_PQ_BYTE_ARRAY:
        t[n++].encoding = DP_PQ_DELTA_LENGTH_BYTE_ARRAY;
        if (shares_prefixes(v)) t[n++].encoding = DP_PQ_DELTA_BYTE_ARRAY;
        return n;
    case DP_PQ_BOOLEAN:
    case DP_PQ_INT96:
    case DP_PQ_FLBA: break;
    }
    t[n++].encoding = DP_PQ_PLAIN;
    return n;
}

/* By counting alone: nothing is compressed, or too little to try. */
static enum dp_pq_encoding by_raw_size(const struct dp_pq_values *v, const struct dp_pq_dict *d, bool tiny) {
    size_t plain = dp_pq_plain_size(v), best = plain;
    enum dp_pq_encoding e = DP_PQ_PLAIN;
    if (d && d->bytes + codes_size(d, v->n) + 32 < best) best = d->bytes + codes_size(d, v->n) + 32, e = DP_PQ_RLE_DICTIONARY;
    if (tiny) return e;
    if ((v->type == DP_PQ_INT32 || v->type == DP_PQ_INT64) && dp_pq_delta_size(v) < best) e = DP_PQ_DELTA_BINARY_PACKED;
    if (v->type == DP_PQ_BYTE_ARRAY && e == DP_PQ_PLAIN) e = shares_prefixes(v) ? DP_PQ_DELTA_BYTE_ARRAY : DP_PQ_DELTA_LENGTH_BYTE_ARRAY;
    return e;
}

/*
 * zstd's first level is twice as fast as its third, and for bit-packed numbers, ids and short words it gives the same size: where the slices
 * say so (within half a percent), it is used. A level above the first is an upper bound of effort, not an order.
 */
static enum dp_status try_first_level(const struct dp_pq_writer_opts *o, const struct dp_pq_values *v, const struct dp_pq_dict *d, size_t plain,
                                      struct dp_pq_scratch *s, struct dp_pq_choice *c, struct dp_err *err) {
    size_t asked, first;
    if (o->codec != DP_PQ_ZSTD || o->level == 1 || c->store) return DP_OK;
    put_slices(v, d, c->encoding, plain, s);
    DP_TRY(pack(o, o->level, s, &asked, err));
    DP_TRY(pack(o, 1, s, &first, err));
    if ((double)first <= 1.005 * (double)asked) c->level = 1;
    return DP_OK;
}

static enum dp_status by_trial(const struct dp_pq_writer_opts *o, const struct dp_pq_values *v, const struct dp_pq_dict *d, struct dp_pq_scratch *s,
                               struct dp_pq_choice *c, struct dp_err *err) {
    struct trial t[4];
    size_t n = candidates(o, v, d != NULL, t), best = 0, plain = dp_pq_plain_size(v);
    if (n == 1 && v->type == DP_PQ_BYTE_ARRAY) {
        c->encoding = t[0].encoding;
        return try_first_level(o, v, d, plain, s, c, err);
    }
    for (size_t i = 0; i < n; i++) {
        DP_TRY(try_one(o, v, d, plain, s, &t[i], err));
        /* as stored: a codec that gains less than two in a hundred is left out */
        double cost = t[i].stored > 0.98 * t[i].raw ? t[i].raw : t[i].stored;
        double least = t[best].stored > 0.98 * t[best].raw ? t[best].raw : t[best].stored;
        if (i > 0 && cost < least) best = i;
    }
    c->encoding = t[best].encoding;
    c->store = t[best].stored > 0.98 * t[best].raw;
    return try_first_level(o, v, d, plain, s, c, err);
}

enum dp_status dp_pq_choose(const struct dp_pq_writer_opts *o, const struct dp_pq_values *v, size_t max_dict_bytes, struct dp_pq_choice *c,
                            struct dp_pq_scratch *s, struct dp_pq_dict *dict, struct dp_err *err) {
    bool again = c->set && c->uses < KEEP_FOR;
    dict->n = 0;
    if (v->type == DP_PQ_BOOLEAN || v->n == 0) {
        *c = (struct dp_pq_choice){.encoding = DP_PQ_PLAIN, .level = o->level};
        return DP_OK;
    }
    bool has_dict = !o->no_dictionary && !(again && c->encoding != DP_PQ_RLE_DICTIONARY) && dp_pq_dict_build(v, max_dict_bytes, s, dict);
    if (again && (has_dict || c->encoding != DP_PQ_RLE_DICTIONARY)) {
        c->uses++;
        return DP_OK;
    }
    *c = (struct dp_pq_choice){.set = v->n >= 4096, .level = o->level};
    const struct dp_pq_dict *d = has_dict ? dict : NULL;
    if (v->n < TINY || o->codec == DP_PQ_UNCOMPRESSED) c->encoding = by_raw_size(v, d, v->n < TINY);
    else if (has_dict && dict->n <= 256 && dict->n * 32 <= v->n) c->encoding = DP_PQ_RLE_DICTIONARY; /* nothing beats so few */
    else DP_TRY(by_trial(o, v, d, s, c, err));
    if (c->encoding != DP_PQ_RLE_DICTIONARY) dict->n = 0;
    return DP_OK;
}
