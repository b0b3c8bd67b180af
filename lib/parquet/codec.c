/*
 * Page codecs: one compressed block a page, no framing of our own (spec: Parquet Compression).  Contexts are made once for each thread and
 * reused.  snappy and brotli are opened at first use.  Hadoop-framed LZ4 is read in its three wild forms, never written; LZO is refused.
 */
#include <dp/parquet/codec.h>

#include <dp/base/num.h>

#include <dlfcn.h>
#include <lz4.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for one parameter, by which literals are packed also where no repeats are sought */
#include <zstd.h>

/* snappy-c.h and brotli's headers, as far as they are used: the libraries are opened by name, so the headers are not needed to build */
typedef int (*snappy_compress_fn)(const char *, size_t, char *, size_t *);
typedef int (*snappy_uncompress_fn)(const char *, size_t, char *, size_t *);
typedef size_t (*snappy_bound_fn)(size_t);
typedef int (*snappy_length_fn)(const char *, size_t, size_t *);
typedef int (*brotli_compress_fn)(int quality, int lgwin, int mode, size_t n, const uint8_t *in, size_t *out_n, uint8_t *out);
typedef size_t (*brotli_bound_fn)(size_t);
typedef int (*brotli_decompress_fn)(size_t n, const uint8_t *in, size_t *out_n, uint8_t *out);

struct dp_codec {
    ZSTD_CCtx *zc;
    int zc_level; /* its parameters are set for; 0: none */
    ZSTD_DCtx *zd;
    void *snappy, *brotli_enc, *brotli_dec;
    snappy_compress_fn snappy_compress;
    snappy_uncompress_fn snappy_uncompress;
    snappy_bound_fn snappy_bound;
    snappy_length_fn snappy_length;
    brotli_compress_fn brotli_compress;
    brotli_bound_fn brotli_bound;
    brotli_decompress_fn brotli_decompress;
    LZ4F_dctx *lz4f;
    void *lz4_state;
    z_stream deflate, inflate;
    bool has_deflate, has_inflate;
    int deflate_level;
};

struct dp_codec *dp_codec_open(void) { return dp_calloc(1, sizeof(struct dp_codec)); }

void dp_codec_close(struct dp_codec *c) {
    if (!c) return;
    ZSTD_freeCCtx(c->zc);
    ZSTD_freeDCtx(c->zd);
    if (c->lz4f) LZ4F_freeDecompressionContext(c->lz4f);
    free(c->lz4_state);
    if (c->has_deflate) deflateEnd(&c->deflate);
    if (c->has_inflate) inflateEnd(&c->inflate);
    if (c->snappy) dlclose(c->snappy);
    if (c->brotli_enc) dlclose(c->brotli_enc);
    if (c->brotli_dec) dlclose(c->brotli_dec);
    free(c);
}

/* ---- libraries at first use ---- */

static enum dp_status open_library(void **lib, const char *name, const char *what, struct dp_err *err) {
    if (*lib) return DP_OK;
    *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!*lib) return dp_err_set(err, DP_UNSUPPORTED, "%s needs %s, which can't be opened", what, name);
    return DP_OK;
}

static enum dp_status find(void *lib, const char *symbol, void *fn, struct dp_err *err) {
    void *p = dlsym(lib, symbol);
    if (!p) return dp_err_set(err, DP_UNSUPPORTED, "a library lacks %s", symbol);
    memcpy(fn, &p, sizeof p); /* a function pointer from dlsym, without the cast that C forbids */
    return DP_OK;
}

static enum dp_status need_snappy(struct dp_codec *c, struct dp_err *err) {
    if (c->snappy_length) return DP_OK;
    DP_TRY(open_library(&c->snappy, "libsnappy.so.1", "snappy", err));
    DP_TRY(find(c->snappy, "snappy_compress", &c->snappy_compress, err));
    DP_TRY(find(c->snappy, "snappy_uncompress", &c->snappy_uncompress, err));
    DP_TRY(find(c->snappy, "snappy_max_compressed_length", &c->snappy_bound, err));
    return find(c->snappy, "snappy_uncompressed_length", &c->snappy_length, err);
}

static enum dp_status need_brotli(struct dp_codec *c, bool compress, struct dp_err *err) {
    if (compress) {
        if (c->brotli_bound) return DP_OK;
        DP_TRY(open_library(&c->brotli_enc, "libbrotlienc.so.1", "brotli", err));
        DP_TRY(find(c->brotli_enc, "BrotliEncoderCompress", &c->brotli_compress, err));
        return find(c->brotli_enc, "BrotliEncoderMaxCompressedSize", &c->brotli_bound, err);
    }
    if (c->brotli_decompress) return DP_OK;
    DP_TRY(open_library(&c->brotli_dec, "libbrotlidec.so.1", "brotli", err));
    return find(c->brotli_dec, "BrotliDecoderDecompress", &c->brotli_decompress, err);
}

static enum dp_status bad_block(struct dp_err *err, enum dp_pq_codec codec) {
    return dp_err_set(err, DP_FORMAT, "the %s block is corrupt or not of the stated size", dp_codec_name(codec));
}

/* ---- compressing ---- */

struct zstd_setting { ZSTD_cParameter parameter; int value; };

static const struct zstd_setting entropy[] = {{ZSTD_c_strategy, ZSTD_fast}, {ZSTD_c_minMatch, 7}, {ZSTD_c_targetLength, ZSTD_TARGETLENGTH_MAX},
                                              {ZSTD_c_windowLog, 17}, {ZSTD_c_hashLog, 6}, {ZSTD_c_chainLog, 6},
                                              {ZSTD_c_literalCompressionMode, ZSTD_ps_enable}};
static const struct zstd_setting quick[] = {{ZSTD_c_strategy, ZSTD_fast}, {ZSTD_c_minMatch, 5}, {ZSTD_c_hashLog, 15}};

static size_t set_zstd(struct dp_codec *c, int level) {
    const struct zstd_setting *s = level == DP_ZSTD_ENTROPY ? entropy : quick;
    size_t n = level == DP_ZSTD_ENTROPY ? sizeof entropy / sizeof *entropy : level == DP_ZSTD_QUICK ? sizeof quick / sizeof *quick : 0;
    size_t r = ZSTD_CCtx_reset(c->zc, ZSTD_reset_session_and_parameters);
    if (!ZSTD_isError(r)) r = ZSTD_CCtx_setParameter(c->zc, ZSTD_c_compressionLevel, n ? 1 : level);
    for (size_t i = 0; i < n && !ZSTD_isError(r); i++) r = ZSTD_CCtx_setParameter(c->zc, s[i].parameter, s[i].value);
    c->zc_level = ZSTD_isError(r) ? 0 : level;
    return r;
}

static enum dp_status compress_zstd(struct dp_codec *c, int level, const void *p, size_t n, struct dp_buf *out, struct dp_err *err) {
    size_t bound = ZSTD_compressBound(n), r = 0;
    if (level < 0) level = 3;
    if (!c->zc && !(c->zc = ZSTD_createCCtx())) return dp_err_set(err, DP_IO, "out of memory for zstd");
    char *to = dp_buf_reserve(out, bound);
    if (c->zc_level != level) r = set_zstd(c, level);
    if (!ZSTD_isError(r)) r = ZSTD_compress2(c->zc, to, bound, p, n);
    if (ZSTD_isError(r)) return dp_err_set(err, DP_BUG, "zstd: %s", ZSTD_getErrorName(r));
    out->n += r;
    return DP_OK;
}

static enum dp_status compress_gzip(struct dp_codec *c, int level, const void *p, size_t n, struct dp_buf *out, struct dp_err *err) {
    if (level < 0) level = 6;
    if (n > UINT32_MAX / 2) return dp_err_set(err, DP_LIMIT, "a page of more than 2 GiB");
    if (c->has_deflate && c->deflate_level != level) {
        deflateEnd(&c->deflate);
        c->has_deflate = false;
    }
    if (!c->has_deflate) {
        memset(&c->deflate, 0, sizeof c->deflate);
        if (deflateInit2(&c->deflate, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return dp_err_set(err, DP_IO, "out of memory for gzip");
        c->has_deflate = true;
        c->deflate_level = level;
    } else deflateReset(&c->deflate);
    size_t bound = deflateBound(&c->deflate, (uLong)n);
    c->deflate.next_in = (Bytef *)(uintptr_t)p;
    c->deflate.avail_in = (uInt)n;
    c->deflate.next_out = (Bytef *)dp_buf_reserve(out, bound);
    c->deflate.avail_out = (uInt)bound;
    if (deflate(&c->deflate, Z_FINISH) != Z_STREAM_END) return dp_err_set(err, DP_BUG, "gzip did not finish");
    out->n += bound - c->deflate.avail_out;
    return DP_OK;
}

static enum dp_status compress_lz4(struct dp_codec *c, const void *p, size_t n, struct dp_buf *out, struct dp_err *err) {
    if (n > LZ4_MAX_INPUT_SIZE) return dp_err_set(err, DP_LIMIT, "a page of more than 2 GiB");
    if (!c->lz4_state) c->lz4_state = dp_alloc((size_t)LZ4_sizeofState());
    int bound = LZ4_compressBound((int)n);
    int r = LZ4_compress_fast_extState(c->lz4_state, p, dp_buf_reserve(out, (size_t)bound), (int)n, bound, 1);
    if (r <= 0) return dp_err_set(err, DP_BUG, "lz4 did not finish");
    out->n += (size_t)r;
    return DP_OK;
}

static enum dp_status compress_snappy(struct dp_codec *c, const void *p, size_t n, struct dp_buf *out, struct dp_err *err) {
    DP_TRY(need_snappy(c, err));
    size_t bound = c->snappy_bound(n);
    if (c->snappy_compress(p, n, dp_buf_reserve(out, bound), &bound) != 0) return dp_err_set(err, DP_BUG, "snappy did not finish");
    out->n += bound;
    return DP_OK;
}

static enum dp_status compress_brotli(struct dp_codec *c, int level, const void *p, size_t n, struct dp_buf *out, struct dp_err *err) {
    DP_TRY(need_brotli(c, true, err));
    size_t bound = c->brotli_bound(n);
    uint8_t *to = (uint8_t *)dp_buf_reserve(out, bound);
    if (c->brotli_compress(level < 0 ? 5 : level, 22, 0, n, p, &bound, to) != 1) return dp_err_set(err, DP_BUG, "brotli did not finish");
    out->n += bound;
    return DP_OK;
}

enum dp_status dp_codec_compress(struct dp_codec *c, enum dp_pq_codec codec, int level, const void *p, size_t n, struct dp_buf *out, struct dp_err *err) {
    switch (codec) {
    case DP_PQ_UNCOMPRESSED: dp_buf_add(out, p, n); return DP_OK;
    case DP_PQ_ZSTD: return compress_zstd(c, level, p, n, out, err);
    case DP_PQ_SNAPPY: return compress_snappy(c, p, n, out, err);
    case DP_PQ_GZIP: return compress_gzip(c, level, p, n, out, err);
    case DP_PQ_LZ4_RAW: return compress_lz4(c, p, n, out, err);
    case DP_PQ_BROTLI: return compress_brotli(c, level, p, n, out, err);
    case DP_PQ_LZ4: return dp_err_set(err, DP_UNSUPPORTED, "LZ4 with Hadoop framing is not written: use lz4_raw");
    case DP_PQ_LZO: break;
    }
    return dp_err_set(err, DP_UNSUPPORTED, "codec %s is not supported", dp_codec_name(codec));
}

/* ---- decompressing ---- */

static enum dp_status decompress_zstd(struct dp_codec *c, const void *p, size_t n, void *out, size_t out_n, struct dp_err *err) {
    if (!c->zd && !(c->zd = ZSTD_createDCtx())) return dp_err_set(err, DP_IO, "out of memory for zstd");
    size_t r = ZSTD_decompressDCtx(c->zd, out, out_n, p, n);
    if (ZSTD_isError(r)) return dp_err_set(err, DP_FORMAT, "the zstd block is corrupt: %s", ZSTD_getErrorName(r));
    return r == out_n ? DP_OK : bad_block(err, DP_PQ_ZSTD);
}

/* gzip or zlib, one member or several. */
static enum dp_status decompress_gzip(struct dp_codec *c, const void *p, size_t n, void *out, size_t out_n, struct dp_err *err) {
    if (n > UINT32_MAX || out_n > UINT32_MAX) return dp_err_set(err, DP_LIMIT, "a page of more than 4 GiB");
    if (!c->has_inflate) {
        memset(&c->inflate, 0, sizeof c->inflate);
        if (inflateInit2(&c->inflate, 15 + 32) != Z_OK) return dp_err_set(err, DP_IO, "out of memory for gzip");
        c->has_inflate = true;
    }
    Bytef none;
    c->inflate.next_in = (Bytef *)(uintptr_t)p;
    c->inflate.avail_in = (uInt)n;
    c->inflate.next_out = out_n ? out : &none; /* zlib refuses NULL even for nothing */
    c->inflate.avail_out = (uInt)out_n;
    do {
        if (inflateReset(&c->inflate) != Z_OK || inflate(&c->inflate, Z_FINISH) != Z_STREAM_END) return bad_block(err, DP_PQ_GZIP);
    } while (c->inflate.avail_in > 0);
    return c->inflate.avail_out == 0 ? DP_OK : bad_block(err, DP_PQ_GZIP);
}

static enum dp_status decompress_snappy(struct dp_codec *c, const void *p, size_t n, void *out, size_t out_n, struct dp_err *err) {
    DP_TRY(need_snappy(c, err));
    size_t stated = 0, got = out_n;
    if (c->snappy_length(p, n, &stated) != 0 || stated != out_n) return bad_block(err, DP_PQ_SNAPPY);
    char none;
    if (c->snappy_uncompress(p, n, out_n ? out : &none, &got) != 0 || got != out_n) return bad_block(err, DP_PQ_SNAPPY);
    return DP_OK;
}

static enum dp_status decompress_brotli(struct dp_codec *c, const void *p, size_t n, void *out, size_t out_n, struct dp_err *err) {
    DP_TRY(need_brotli(c, false, err));
    size_t got = out_n;
    uint8_t none;
    if (c->brotli_decompress(n, p, &got, out_n ? out : &none) != 1 || got != out_n) return bad_block(err, DP_PQ_BROTLI);
    return DP_OK;
}

static bool lz4_block(const void *p, size_t n, void *out, size_t out_n) {
    if (n > INT32_MAX || out_n > INT32_MAX) return false;
    return LZ4_decompress_safe(p, out, (int)n, (int)out_n) == (int)out_n;
}

static uint32_t be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

/* Hadoop: { u32 BE raw size; { u32 BE stored size, block }... until that many bytes came out }... */
static bool lz4_hadoop(const uint8_t *p, size_t n, uint8_t *out, size_t out_n) {
    while (n >= 8) {
        size_t raw = be32(p);
        p += 4, n -= 4;
        if (raw > out_n) return false;
        while (raw > 0) {
            if (n < 4) return false;
            size_t stored = be32(p);
            p += 4, n -= 4;
            if (stored == 0 || stored > n || raw > INT32_MAX || stored > INT32_MAX) return false;
            int r = LZ4_decompress_safe((const char *)p, (char *)out, (int)stored, (int)raw);
            if (r <= 0) return false;
            p += stored, n -= stored;
            out += r, out_n -= (size_t)r, raw -= (size_t)r;
        }
    }
    return n == 0 && out_n == 0;
}

static bool lz4_frame(struct dp_codec *c, const uint8_t *p, size_t n, uint8_t *out, size_t out_n) {
    if (n < 4 || memcmp(p, "\x04\x22\x4d\x18", 4) != 0) return false;
    if (!c->lz4f && LZ4F_isError(LZ4F_createDecompressionContext(&c->lz4f, LZ4F_VERSION))) return false;
    LZ4F_resetDecompressionContext(c->lz4f);
    size_t left = 1;
    while (n > 0 && left != 0) {
        size_t in = n, room = out_n;
        left = LZ4F_decompress(c->lz4f, out, &room, p, &in, NULL);
        if (LZ4F_isError(left) || (in == 0 && room == 0)) return false;
        p += in, n -= in, out_n -= room;
        if (room) out += room; /* a page of no bytes has no memory */
    }
    return left == 0 && n == 0 && out_n == 0;
}

static enum dp_status decompress_lz4(struct dp_codec *c, const void *p, size_t n, void *out, size_t out_n, struct dp_err *err) {
    if (lz4_hadoop(p, n, out, out_n) || lz4_block(p, n, out, out_n) || lz4_frame(c, p, n, out, out_n)) return DP_OK;
    return bad_block(err, DP_PQ_LZ4);
}

enum dp_status dp_codec_decompress(struct dp_codec *c, enum dp_pq_codec codec, const void *p, size_t n, void *out, size_t out_n, struct dp_err *err) {
    switch (codec) {
    case DP_PQ_UNCOMPRESSED:
        if (n != out_n) return dp_err_set(err, DP_FORMAT, "an uncompressed page of %zu bytes states %zu", n, out_n);
        if (n) memcpy(out, p, n);
        return DP_OK;
    case DP_PQ_ZSTD: return decompress_zstd(c, p, n, out, out_n, err);
    case DP_PQ_SNAPPY: return decompress_snappy(c, p, n, out, out_n, err);
    case DP_PQ_GZIP: return decompress_gzip(c, p, n, out, out_n, err);
    case DP_PQ_LZ4_RAW: return lz4_block(p, n, out, out_n) ? DP_OK : bad_block(err, codec);
    case DP_PQ_LZ4: return decompress_lz4(c, p, n, out, out_n, err);
    case DP_PQ_BROTLI: return decompress_brotli(c, p, n, out, out_n, err);
    case DP_PQ_LZO: break;
    }
    return dp_err_set(err, DP_UNSUPPORTED, "codec %s is not supported", dp_codec_name(codec));
}

/* ---- names ---- */

static const struct {
    const char *word;
    enum dp_pq_codec codec;
    int min, max; /* levels; equal: none */
} codecs[] = {
    {"zstd", DP_PQ_ZSTD, 1, 22}, {"snappy", DP_PQ_SNAPPY, 0, 0}, {"gzip", DP_PQ_GZIP, 1, 9}, {"lz4_raw", DP_PQ_LZ4_RAW, 0, 0},
    {"lz4", DP_PQ_LZ4_RAW, 0, 0}, {"brotli", DP_PQ_BROTLI, 0, 11}, {"none", DP_PQ_UNCOMPRESSED, 0, 0}, {"uncompressed", DP_PQ_UNCOMPRESSED, 0, 0},
};
#define N_CODECS (sizeof codecs / sizeof *codecs)

enum dp_status dp_codec_parse(struct dp_str text, enum dp_pq_codec *codec, int *level, struct dp_err *err) {
    const char *colon = text.n ? memchr(text.p, ':', text.n) : NULL;
    struct dp_str word = dp_str(text.p, colon ? (size_t)(colon - text.p) : text.n);
    const char *words[N_CODECS + 1];
    char name[32];
    for (size_t i = 0; i < N_CODECS; i++) words[i] = codecs[i].word;
    words[N_CODECS] = NULL;
    for (size_t i = 0; i < N_CODECS; i++) {
        if (!dp_str_eqz(word, codecs[i].word)) continue;
        int64_t v = -1;
        if (colon) {
            struct dp_str rest = dp_str(colon + 1, text.n - word.n - 1);
            if (codecs[i].min == codecs[i].max) return dp_err_set(err, DP_USAGE, "codec %s has no levels", codecs[i].word);
            if (!dp_parse_i64(rest, &v) || v < codecs[i].min || v > codecs[i].max)
                return dp_err_set(err, DP_USAGE, "codec %s: the level is %d to %d, not \"%.*s\"", codecs[i].word, codecs[i].min, codecs[i].max, DP_STR_FMT(rest));
        }
        *codec = codecs[i].codec;
        *level = (int)v;
        return DP_OK;
    }
    size_t n = word.n < sizeof name ? word.n : sizeof name - 1;
    if (n) memcpy(name, word.p, n);
    name[n] = 0;
    const char *near = dp_str_nearest(name, words);
    return dp_err_set(err, DP_USAGE, "no codec \"%.*s\"%s%s%s", DP_STR_FMT(word), near ? "; did you mean " : " (zstd, snappy, gzip, lz4_raw, brotli, none)",
                      near ? near : "", near ? "?" : "");
}

const char *dp_codec_name(enum dp_pq_codec codec) {
    static const char *const names[] = {"none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw"};
    return (unsigned)codec <= DP_PQ_LZ4_RAW ? names[codec] : "of an unknown number";
}
