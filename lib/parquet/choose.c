/*
 * Which encoding a column chunk gets.  Clear cases are decided by counting; the others by encoding three short slices in each way and
 * compressing them with the file's codec, since what counts is the size after it.  The answer is kept for a few row groups.
 */
#include "choose_priv.h"

#define SLICES 3
#define SLICE 1024          /* values, and */
#define SLICE_BYTES 49152   /* bytes of one slice at most, as PLAIN */
#define DICT_SAMPLE 32768   /* bytes of a dictionary page that are tried */
#define LEVEL_SAMPLE 131072 /* bytes of PLAIN by which the effort is chosen */
#define KEEP_FOR 16         /* row groups */
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

/*
 * What a byte that goes through the codec costs, in stored bytes: time has its price, or nothing would be left as it is.  Fixed figures, not
 * measured ones, since files must not depend on the machine.  zstd: a millisecond of one core for 3 kB up to level 3, so that texts get the
 * level that was asked for; above it size alone counts, but for ties.
 */
static double price(const struct dp_pq_leaf_opts *o, int level) {
    switch (o->codec) {
    case DP_PQ_ZSTD: break;
    case DP_PQ_SNAPPY:
    case DP_PQ_LZ4:
    case DP_PQ_LZ4_RAW: return 0.08;
    default: return 0.02;
    }
    double per_ns = o->level <= 3 ? 0.003 : 0.0005;
    if (level == DP_ZSTD_ENTROPY) return 2 * per_ns;
    return per_ns * (level == DP_ZSTD_QUICK || level == 1 ? 6.5 : 12);
}

struct trial { enum dp_pq_encoding encoding; int level; bool store; double cost; };

static enum dp_status pack(const struct dp_pq_leaf_opts *o, int level, struct dp_pq_scratch *s, size_t *stored, struct dp_err *err) {
    dp_buf_reset(&s->packed);
    DP_TRY(dp_codec_compress(s->codec, o->codec, level, s->sample.p, s->sample.n, &s->packed, err));
    *stored = s->packed.n;
    return DP_OK;
}

/* The slices in one encoding, in s->sample; returns how many values they hold. */
static size_t put_slices(const struct dp_pq_values *v, const struct dp_pq_dict *d, enum dp_pq_encoding encoding, size_t slices, size_t slice,
                         struct dp_pq_scratch *s) {
    if (v->n <= slices * slice) slices = 1, slice = v->n;
    dp_buf_reset(&s->sample);
    dp_buf_reserve(&s->sample, 1);
    for (size_t i = 0; i < slices; i++) {
        size_t from = slices == 1 ? (v->n - slice) / 2 : i * (v->n - slice) / (slices - 1);
        if (encoding == DP_PQ_RLE_DICTIONARY) dp_pq_put_hybrid(&s->sample, d->codes + from, slice, bits_of(d->n > 1 ? d->n - 1 : 1));
        else dp_pq_put_values(&s->sample, encoding, v, from, slice, &s->aux);
    }
    return slices * slice;
}

/* What is in s->sample, in the cheapest of n ways or left as it is; the cost is that of the sample. */
static enum dp_status try_levels(const struct dp_pq_leaf_opts *o, const int *levels, size_t n, struct dp_pq_scratch *s, struct trial *t, struct dp_err *err) {
    t->store = true;
    t->level = o->level;
    t->cost = (double)s->sample.n;
    for (size_t i = 0; i < n; i++) {
        size_t stored;
        DP_TRY(pack(o, levels[i], s, &stored, err));
        double cost = (double)stored + (double)s->sample.n * price(o, levels[i]);
        if (cost >= t->cost) continue;
        t->cost = cost;
        t->store = false;
        t->level = levels[i];
    }
    return DP_OK;
}

/* The ways to try, the cheap ones first; returns how many. */
static size_t ways(const struct dp_pq_leaf_opts *o, bool all, int levels[4]) {
    size_t n = 0;
    if (o->codec != DP_PQ_ZSTD) return levels[0] = o->level, 1;
    levels[n++] = DP_ZSTD_ENTROPY;
    levels[n++] = DP_ZSTD_QUICK;
    if (all) levels[n++] = 1;
    if (all && o->level != 1) levels[n++] = o->level;
    return n;
}

/* Encodes the slices in one way and compresses them; the cost is scaled up to all values. */
static enum dp_status try_one(const struct dp_pq_leaf_opts *o, const struct dp_pq_values *v, const struct dp_pq_dict *d, size_t plain,
                              struct dp_pq_scratch *s, struct trial *t, struct dp_err *err) {
    int levels[4];
    size_t n = ways(o, false, levels), most = plain / v->n ? SLICE_BYTES / (plain / v->n) : SLICE, slice = most > SLICE ? SLICE : most < 32 ? 32 : most;
    /* a trial must stay cheap beside the chunk: of small ones (many partitions) three sixteenths */
    if (slice > v->n / 16) slice = v->n / 16 > TINY ? v->n / 16 : TINY;
    double scale = (double)v->n / (double)put_slices(v, d, t->encoding, SLICES, slice, s);
    DP_TRY(try_levels(o, levels, n, s, t, err));
    t->cost *= scale;
    if (t->encoding != DP_PQ_RLE_DICTIONARY) return DP_OK;
    struct dp_pq_values dv = dp_pq_dict_values(d, v);
    size_t some = d->bytes <= DICT_SAMPLE ? d->n : d->n * DICT_SAMPLE / d->bytes;
    struct trial page = {.encoding = DP_PQ_PLAIN};
    dp_buf_reset(&s->sample);
    dp_pq_put_values(&s->sample, DP_PQ_PLAIN, &dv, 0, some ? some : 1, &s->aux);
    DP_TRY(try_levels(o, levels, n, s, &page, err));
    t->cost += (double)d->bytes * page.cost / (double)s->sample.n;
    return DP_OK;
}

static size_t candidates(const struct dp_pq_leaf_opts *o, const struct dp_pq_values *v, bool has_dict, struct trial *t) {
    size_t n = 0;
    if (has_dict) t[n++].encoding = DP_PQ_RLE_DICTIONARY;
    switch (v->type) {
    case DP_PQ_INT32:
    case DP_PQ_INT64: t[n++].encoding = DP_PQ_DELTA_BINARY_PACKED; break;
    case DP_PQ_FLOAT:
    case DP_PQ_DOUBLE:
        if (o->split_floats) t[n++].encoding = DP_PQ_BYTE_STREAM_SPLIT;
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

/* The levels that stand in the pages of a slice in the middle, about, behind what s->sample has. */
static void put_levels(const struct dp_pq_levels *l, const struct dp_pq_values *v, size_t slice, struct dp_pq_scratch *s) {
    if (!l || (!l->def && !l->rep)) return;
    size_t n = (size_t)((double)l->n * (double)slice / (double)v->n), from = (l->n - n) / 2;
    if (l->rep) dp_pq_put_hybrid8(&s->sample, l->rep + from, n, bits_of((size_t)l->max_rep));
    if (l->def) dp_pq_put_hybrid8(&s->sample, l->def + from, n, bits_of((size_t)l->max_def));
}

/*
 * How hard zstd works on the chosen encoding.  A level above the first is an upper bound of effort, not an order: for bit-packed numbers, ids
 * and short words less of it gives the same size.  One slice that is long enough to hold the repeats there are.
 */
static enum dp_status choose_level(const struct dp_pq_leaf_opts *o, const struct dp_pq_levels *l, const struct dp_pq_values *v, const struct dp_pq_dict *d, size_t plain,
                                   struct dp_pq_scratch *s, struct dp_pq_choice *c, struct dp_err *err) {
    struct trial t;
    int levels[4];
    size_t bytes = plain / 8 < LEVEL_SAMPLE ? plain / 8 : LEVEL_SAMPLE, each = plain / v->n ? plain / v->n : 1;
    size_t n = ways(o, plain >= 8 * LEVEL_SAMPLE || o->level > 3, levels), slice = bytes / each < TINY ? TINY : bytes / each;
    slice = slice < v->n ? slice : v->n;
    put_slices(v, d, c->encoding, 1, slice, s);
    put_levels(l, v, slice, s);
    DP_TRY(try_levels(o, levels, n, s, &t, err));
    c->level = t.level;
    c->store = t.store;
    /* the dictionary page has the chunk's codec: where it weighs something it is compressed, and the codes with it */
    if (d && c->encoding == DP_PQ_RLE_DICTIONARY && t.store && d->bytes * 16 > codes_size(d, v->n)) {
        c->store = false;
        c->level = levels[0];
    }
    return DP_OK;
}

static enum dp_status by_trial(const struct dp_pq_leaf_opts *o, const struct dp_pq_levels *l, const struct dp_pq_values *v, const struct dp_pq_dict *d, struct dp_pq_scratch *s,
                               struct dp_pq_choice *c, struct dp_err *err) {
    struct trial t[4];
    size_t n = candidates(o, v, d != NULL, t), best = 0, plain = dp_pq_plain_size(v);
    for (size_t i = 0; i < n && n > 1; i++) {
        DP_TRY(try_one(o, v, d, plain, s, &t[i], err));
        if (i > 0 && t[i].cost < t[best].cost) best = i;
    }
    c->encoding = t[best].encoding;
    return choose_level(o, l, v, d, plain, s, c, err);
}

/* The encoding that was asked for; a dictionary that became too large gives way to PLAIN. */
static enum dp_status as_asked(const struct dp_pq_leaf_opts *o, const struct dp_pq_levels *l, const struct dp_pq_values *v, size_t max_dict_bytes, struct dp_pq_choice *c,
                               struct dp_pq_scratch *s, struct dp_pq_dict *dict, struct dp_err *err) {
    bool has_dict = o->encoding == DP_PQ_RLE_DICTIONARY && dp_pq_dict_build(v, max_dict_bytes, true, s, dict);
    enum dp_pq_encoding e = o->encoding == DP_PQ_RLE_DICTIONARY && !has_dict ? DP_PQ_PLAIN : o->encoding;
    if (!has_dict) dict->n = 0;
    if (c->set && c->uses < KEEP_FOR && c->encoding == e) {
        c->uses++;
        return DP_OK;
    }
    *c = (struct dp_pq_choice){.set = v->n >= 4096, .encoding = e, .level = o->level};
    if (v->n < TINY || o->codec == DP_PQ_UNCOMPRESSED || v->type == DP_PQ_BOOLEAN) return DP_OK;
    return choose_level(o, l, v, has_dict ? dict : NULL, dp_pq_plain_size(v), s, c, err);
}

enum dp_status dp_pq_choose(const struct dp_pq_leaf_opts *o, const struct dp_pq_levels *l, const struct dp_pq_values *v, size_t max_dict_bytes, struct dp_pq_choice *c,
                            struct dp_pq_scratch *s, struct dp_pq_dict *dict, struct dp_err *err) {
    bool again = c->set && c->uses < KEEP_FOR;
    dict->n = 0;
    if (v->n > 0 && o->set_encoding) return as_asked(o, l, v, max_dict_bytes, c, s, dict, err);
    if (v->type == DP_PQ_BOOLEAN || v->n == 0) {
        *c = (struct dp_pq_choice){.encoding = DP_PQ_PLAIN, .level = o->level};
        return DP_OK;
    }
    bool has_dict = !o->no_dictionary && !(again && c->encoding != DP_PQ_RLE_DICTIONARY) && dp_pq_dict_build(v, max_dict_bytes, false, s, dict);
    if (again && (has_dict || c->encoding != DP_PQ_RLE_DICTIONARY)) {
        c->uses++;
        return DP_OK;
    }
    *c = (struct dp_pq_choice){.set = v->n >= 4096, .level = o->level};
    const struct dp_pq_dict *d = has_dict ? dict : NULL;
    if (v->n < TINY || o->codec == DP_PQ_UNCOMPRESSED) c->encoding = by_raw_size(v, d, v->n < TINY);
    else if (has_dict && dict->n <= 256 && dict->n * 32 <= v->n) { /* nothing beats so few */
        c->encoding = DP_PQ_RLE_DICTIONARY;
        DP_TRY(choose_level(o, l, v, dict, 4 * v->n, s, c, err));
    }
    else DP_TRY(by_trial(o, l, v, d, s, c, err));
    if (c->encoding != DP_PQ_RLE_DICTIONARY) dict->n = 0;
    return DP_OK;
}
