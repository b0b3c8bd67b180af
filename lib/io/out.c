/*
 * The one writer of a stream.  Small pieces are gathered into a block; a piece as large as a block goes out by itself, so
 * that a filter's job buffers (a quarter of a megabyte) are written without a copy.
 */
#include <dp/io/out.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK (128u << 10)      /* what is gathered before a write */
#define LARGE (64u << 10)       /* what is not worth copying */

struct dp_out {
    const struct dp_run *run;
    int fd;
    const char *name;
    uint64_t bytes;
    struct dp_err failed; /* the first failure; it stays */
    size_t n;
    char *block; /* allocated at the first write */
};

struct dp_out *dp_out_open(const struct dp_run *run, int fd, const char *name)
{
    struct dp_out *o = dp_calloc(1, sizeof *o);
    o->run = run;
    o->fd = fd;
    o->name = name;
    return o;
}

static enum dp_status fail(struct dp_out *o, struct dp_err *err)
{
    if (err) *err = o->failed;
    return o->failed.status;
}

static enum dp_status put(struct dp_out *o, const char *p, size_t n, struct dp_err *err)
{
    while (n > 0) {
        ssize_t w = write(o->fd, p, n);
        if (w >= 0) {
            p += w;
            n -= (size_t)w;
        } else if (errno == EINTR) {
            if (dp_run_stopped(o->run, &o->failed)) return fail(o, err);
        } else if (errno == EPIPE) {
            dp_err_set(&o->failed, DP_PIPE, "%s: its reader went away", o->name);
            return fail(o, err);
        } else {
            dp_err_sys(&o->failed, DP_IO, "cannot write %s", o->name);
            return fail(o, err);
        }
    }
    return DP_OK;
}

enum dp_status dp_out_flush(struct dp_out *o, struct dp_err *err)
{
    if (o->failed.status != DP_OK) return fail(o, err);
    size_t n = o->n;
    o->n = 0;
    return put(o, o->block, n, err);
}

enum dp_status dp_out_write(struct dp_out *o, const void *p, size_t n, struct dp_err *err)
{
    if (o->failed.status != DP_OK) return fail(o, err);
    if (n == 0) return DP_OK;
    o->bytes += n;
    if (n < LARGE && o->n + n <= BLOCK) {
        if (!o->block) o->block = dp_alloc(BLOCK);
        memcpy(o->block + o->n, p, n);
        o->n += n;
        return DP_OK;
    }
    DP_TRY(dp_out_flush(o, err));
    if (n >= LARGE) return put(o, p, n, err);
    memcpy(o->block, p, n);
    o->n = n;
    return DP_OK;
}

uint64_t dp_out_bytes(const struct dp_out *o) { return o->bytes; }

void dp_out_drop(struct dp_out *o)
{
    if (!o) return;
    free(o->block);
    free(o);
}

enum dp_status dp_out_close(struct dp_out *o, struct dp_err *err)
{
    if (!o) return DP_OK;
    enum dp_status status = dp_out_flush(o, err);
    dp_out_drop(o);
    return status;
}
