/* gzip (RFC 1952, any number of members) and zstd (RFC 8878, any number of frames) as layers of bytes. */
#include "input_priv.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { IN_BYTES = 128 << 10 };

struct codec {
    struct dp_layer layer;
    z_stream z;
    ZSTD_DStream *zstd;
    bool between; /* at a border of members: the end is legal here */
    bool ended;
    size_t at, n; /* of in */
    uint64_t in_bytes;
    unsigned char in[IN_BYTES];
};

static enum dp_status fill(struct codec *c, struct dp_err *err) {
    c->at = 0;
    DP_TRY(dp_layer_read(c->layer.below, c->in, sizeof c->in, &c->n, err));
    c->in_bytes += c->n;
    return DP_OK;
}

static enum dp_status bad(struct codec *c, struct dp_err *err, const char *what) {
    return dp_err_set(err, DP_FORMAT, "%s at compressed byte %llu", what, (unsigned long long)(c->in_bytes - (c->n - c->at)));
}

/* Behind a member: another one, padding of zeros, or the end. */
static enum dp_status next_gzip_member(struct codec *c, struct dp_err *err) {
    for (;;) {
        if (c->at == c->n) {
            DP_TRY(fill(c, err));
            if (!c->n) return c->ended = true, DP_OK;
        }
        if (c->in[c->at] == 0x1f) break;
        if (c->in[c->at]) return bad(c, err, "bytes that are no gzip member");
        c->at++;
    }
    c->between = false;
    return inflateReset(&c->z) == Z_OK ? DP_OK : bad(c, err, "can't go on");
}

static enum dp_status gzip_read(struct dp_layer *l, void *p, size_t cap, size_t *n, struct dp_err *err) {
    struct codec *c = (struct codec *)l;
    if (cap > 1u << 30) cap = 1u << 30;
    *n = 0;
    while (!*n && !c->ended) {
        if (c->between) {
            DP_TRY(next_gzip_member(c, err));
            continue;
        }
        if (c->at == c->n) {
            DP_TRY(fill(c, err));
            if (!c->n) return bad(c, err, "the gzip stream is cut off");
        }
        c->z.next_in = c->in + c->at;
        c->z.avail_in = (unsigned)(c->n - c->at);
        c->z.next_out = p;
        c->z.avail_out = (unsigned)cap;
        int r = inflate(&c->z, Z_NO_FLUSH);
        c->at = c->n - c->z.avail_in;
        *n = cap - c->z.avail_out;
        if (r == Z_STREAM_END) c->between = true;
        else if (r != Z_OK && r != Z_BUF_ERROR) return bad(c, err, "the gzip stream is damaged");
    }
    return DP_OK;
}

static void gzip_close(struct dp_layer *l) { inflateEnd(&((struct codec *)l)->z); }

struct dp_layer *dp_layer_gzip(struct dp_layer *below) {
    struct codec *c = dp_calloc(1, sizeof *c);
    c->layer = (struct dp_layer){.read = gzip_read, .close = gzip_close, .below = below};
    (void)inflateInit2(&c->z, 15 + 16);
    return &c->layer;
}

static enum dp_status zstd_read(struct dp_layer *l, void *p, size_t cap, size_t *n, struct dp_err *err) {
    struct codec *c = (struct codec *)l;
    ZSTD_outBuffer out = {p, cap, 0};
    while (!out.pos && !c->ended) {
        if (c->at == c->n) {
            DP_TRY(fill(c, err));
            if (!c->n) {
                if (!c->between) return bad(c, err, "the zstd stream is cut off");
                c->ended = true;
                break;
            }
        }
        ZSTD_inBuffer in = {c->in, c->n, c->at};
        size_t r = ZSTD_decompressStream(c->zstd, &out, &in);
        c->at = in.pos;
        if (ZSTD_isError(r)) return bad(c, err, "the zstd stream is damaged");
        c->between = r == 0;
    }
    *n = out.pos;
    return DP_OK;
}

static void zstd_close(struct dp_layer *l) { ZSTD_freeDStream(((struct codec *)l)->zstd); }

struct dp_layer *dp_layer_zstd(struct dp_layer *below) {
    struct codec *c = dp_calloc(1, sizeof *c);
    c->layer = (struct dp_layer){.read = zstd_read, .close = zstd_close, .below = below};
    c->zstd = ZSTD_createDStream();
    c->between = true;
    return &c->layer;
}
