/* Private to lib/format/input*.c: layers of bytes. */
#ifndef DP_FORMAT_INPUT_PRIV_H
#define DP_FORMAT_INPUT_PRIV_H

#include <dp/format/input.h>

/* A layer gives bytes; the one below is its own to close. */
struct dp_layer {
    enum dp_status (*read)(struct dp_layer *l, void *p, size_t cap, size_t *n, struct dp_err *err);
    void (*close)(struct dp_layer *l);
    struct dp_layer *below;
    struct dp_buf held; /* peeked, not taken */
    size_t taken;       /* of held */
    uint64_t passed;    /* bytes given out by read */
};

enum dp_status dp_layer_read(struct dp_layer *l, void *p, size_t cap, size_t *n, struct dp_err *err);
enum dp_status dp_layer_peek(struct dp_layer *l, size_t want, struct dp_str *out, struct dp_err *err);
void dp_layer_close(struct dp_layer *l); /* and all below */

struct dp_layer *dp_layer_gzip(struct dp_layer *below);
struct dp_layer *dp_layer_zstd(struct dp_layer *below);

/* libarchive over a layer, or over a descriptor that can seek (fd >= 0). raw: only a filter, one nameless member. */
struct dp_archive;
enum dp_status dp_archive_open(struct dp_layer *below, int fd, bool raw, struct dp_archive **out, struct dp_err *err);
enum dp_status dp_archive_next(struct dp_archive *a, const char **name, struct dp_err *err); /* DP_END */
enum dp_status dp_archive_read(struct dp_archive *a, void *p, size_t cap, size_t *n, struct dp_err *err);
void dp_archive_close(struct dp_archive *a);

#endif
