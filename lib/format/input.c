/* Operands as bytes (dp/format/input.h): a stack of layers over a descriptor, chosen by magic bytes. */
#include "input_priv.h"

#include <dp/base/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEEK_MAX = 64 << 10, MAGIC = 560 };
#define EXPANSION_FREE ((uint64_t)1 << 30) /* below this many bytes out, no ratio is too high */

/* ---- layers ---- */

/* Also of bytes that nobody asked for, as those of a member that is passed over. */
static enum dp_status passes(struct dp_layer *l, size_t n, struct dp_err *err) {
    l->passed += n;
    if (!l->below || l->passed <= EXPANSION_FREE || l->passed / (l->below->passed | 1) <= DP_LIMIT_EXPANSION) return DP_OK;
    return dp_err_set(err, DP_LIMIT, "more than %u bytes out for each byte in", DP_LIMIT_EXPANSION);
}

enum dp_status dp_layer_read(struct dp_layer *l, void *p, size_t cap, size_t *n, struct dp_err *err) {
    if (l->taken < l->held.n) {
        *n = l->held.n - l->taken < cap ? l->held.n - l->taken : cap;
        memcpy(p, l->held.p + l->taken, *n);
        l->taken += *n;
        return DP_OK;
    }
    *n = 0;
    DP_TRY(l->read(l, p, cap, n, err));
    return passes(l, *n, err);
}

enum dp_status dp_layer_peek(struct dp_layer *l, size_t want, struct dp_str *out, struct dp_err *err) {
    if (l->taken) {
        memmove(l->held.p, l->held.p + l->taken, l->held.n - l->taken);
        l->held.n -= l->taken;
        l->taken = 0;
    }
    if (want > PEEK_MAX) want = PEEK_MAX;
    while (l->held.n < want) {
        size_t n = 0;
        char *p = dp_buf_reserve(&l->held, PEEK_MAX);
        DP_TRY(l->read(l, p, PEEK_MAX, &n, err));
        if (!n) break;
        DP_TRY(passes(l, n, err));
        l->held.n += n;
    }
    *out = dp_str(l->held.p ? l->held.p : "", l->held.n);
    return DP_OK;
}

void dp_layer_close(struct dp_layer *l) {
    while (l) {
        struct dp_layer *below = l->below;
        if (l->close) l->close(l);
        dp_buf_release(&l->held);
        free(l);
        l = below;
    }
}

struct fd_layer {
    struct dp_layer layer;
    int fd;
    const struct dp_input_opts *opts;
};

static enum dp_status fd_read(struct dp_layer *l, void *p, size_t cap, size_t *n, struct dp_err *err) {
    struct fd_layer *f = (struct fd_layer *)l;
    for (;;) {
        if (f->opts->wait) DP_TRY(f->opts->wait(f->opts->wait_ctx, f->fd, err));
        ssize_t r = read(f->fd, p, cap);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0 && errno == EAGAIN && f->opts->wait) continue;
        if (r < 0) return dp_err_sys(err, DP_IO, "can't read");
        *n = (size_t)r;
        return DP_OK;
    }
}

/* A member of an archive as a layer of its own, so that it can be peeked at and decompressed. */
struct member_layer {
    struct dp_layer layer;
    struct dp_archive *archive;
};

static enum dp_status member_read(struct dp_layer *l, void *p, size_t cap, size_t *n, struct dp_err *err) {
    return dp_archive_read(((struct member_layer *)l)->archive, p, cap, n, err);
}

/* ---- magic ---- */

enum magic { PLAIN, GZIP, ZSTD, FILTER, TAR, ZIP, SEVENZIP, CPIO };

static bool starts(struct dp_str s, const char *magic, size_t n) { return s.n >= n && memcmp(s.p, magic, n) == 0; }

/* A tar header without "ustar" (old tar) is told by its checksum, as is one with it. */
static bool is_tar(struct dp_str s) {
    if (s.n < 512) return false;
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned sum = 0, want = 0, digits = 0;
    for (size_t i = 0; i < 512; i++) sum += i >= 148 && i < 156 ? ' ' : p[i];
    for (size_t i = 148; i < 156; i++)
        if (p[i] >= '0' && p[i] <= '7') want = want * 8 + p[i] - '0', digits++;
        else if (digits) break;
    return digits >= 2 && p[0] && want == sum;
}

static enum magic tell(struct dp_str s) {
    if (starts(s, "\x1f\x8b\x08", 3)) return GZIP;
    if (starts(s, "\x28\xb5\x2f\xfd", 4) || (s.n >= 8 && (s.p[0] & 0xf0) == 0x50 && memcmp(s.p + 1, "\x2a\x4d\x18", 3) == 0))
        return ZSTD;
    if (starts(s, "BZh", 3) && s.n >= 10 && (memcmp(s.p + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 || (unsigned char)s.p[4] == 0x17))
        return FILTER;
    if (starts(s, "\xfd" "7zXZ\0", 6) || starts(s, "\x04\x22\x4d\x18", 4) || starts(s, "LZIP\x01", 5) || starts(s, "\x1f\x9d", 2))
        return FILTER;
    if (starts(s, "PK\x03\x04", 4) || starts(s, "PK\x05\x06", 4)) return ZIP;
    if (starts(s, "7z\xbc\xaf\x27\x1c", 6)) return SEVENZIP;
    if (starts(s, "070701", 6) || starts(s, "070702", 6) || starts(s, "070707", 6)) {
        for (size_t i = 6; i < 30 && i < s.n; i++)
            if (!strchr("0123456789abcdefABCDEF", s.p[i]) || !s.p[i]) return PLAIN; /* a number at the start of a text */
        return CPIO;
    }
    return is_tar(s) ? TAR : PLAIN;
}

/* ---- the input ---- */

struct dp_input {
    char *path;
    struct dp_input_opts opts;
    int fd;
    bool is_regular, started, plain;
    uint64_t size;
    struct dp_layer *base;          /* the descriptor's layer, lowest of `bytes` (or of the archive's) */
    struct dp_layer *bytes;         /* what dp_input_read gives; NULL between members */
    struct dp_layer *outer;         /* below the archive */
    struct dp_archive *archive;
    struct dp_archive *filter;      /* libarchive as a decompressor below `outer` */
    struct dp_archive *member_filter;
    char *member;
    uint64_t out;                   /* decompressed bytes so far */
    struct dp_buf layers;
};

enum dp_status dp_input_open(const char *path, const struct dp_input_opts *opts, struct dp_input **out, struct dp_err *err) {
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    *out = NULL;
    if (fd < 0) return dp_err_sys(err, DP_IO, "can't open %s", path);
    struct stat st;
    if (fstat(fd, &st) || S_ISDIR(st.st_mode)) {
        if (S_ISDIR(st.st_mode)) errno = EISDIR;
        dp_err_sys(err, DP_IO, "can't read %s", path);
        if (!is_stdin) close(fd);
        return DP_IO;
    }
    struct dp_input *in = dp_calloc(1, sizeof *in);
    in->path = dp_strdup(path);
    if (opts) in->opts = *opts;
    in->fd = fd;
    in->is_regular = S_ISREG(st.st_mode) && !is_stdin;
    if (in->is_regular) in->opts.wait = NULL; /* never blocks */
    in->size = (uint64_t)st.st_size;
    struct fd_layer *f = dp_calloc(1, sizeof *f);
    f->layer.read = fd_read;
    f->fd = fd;
    f->opts = &in->opts;
    in->base = in->bytes = &f->layer;
    *out = in;
    return DP_OK;
}

void dp_input_close(struct dp_input *in) {
    if (!in) return;
    if (in->bytes != in->outer) dp_layer_close(in->bytes);
    dp_archive_close(in->member_filter);
    dp_archive_close(in->archive);
    dp_layer_close(in->outer);
    dp_archive_close(in->filter);
    if (in->fd > STDIN_FILENO) close(in->fd);
    free(in->path);
    free(in->member);
    dp_buf_release(&in->layers);
    free(in);
}

const char *dp_input_member(const struct dp_input *in) { return in->member; }
const char *dp_input_layers(const struct dp_input *in) { return in->layers.n ? in->layers.p : ""; }

int dp_input_fd(const struct dp_input *in, uint64_t *size) {
    if (!in->plain || !in->is_regular) return -1;
    *size = in->size;
    return in->fd;
}

static void note(struct dp_input *in, const char *layer) {
    if (in->layers.n) dp_buf_addz(&in->layers, ", ");
    dp_buf_addz(&in->layers, layer);
    (void)dp_buf_z(&in->layers);
}

/* Lays a decompressor over *l where its bytes ask for one; *filter takes libarchive's when it is that. */
static enum dp_status decompress(struct dp_input *in, struct dp_layer **l, struct dp_archive **filter, enum magic *what,
                                 struct dp_err *err) {
    struct dp_str head;
    DP_TRY(dp_layer_peek(*l, 10, &head, err));
    /* A line of text is none of these, and may be all that comes for a while. */
    bool text = head.n >= 10 && tell(head) == PLAIN && memchr(head.p, '\n', head.n) && !memchr(head.p, '\0', head.n);
    if (!text) DP_TRY(dp_layer_peek(*l, MAGIC, &head, err));
    *what = tell(head);
    if (*what == GZIP || *what == ZSTD) {
        *l = *what == GZIP ? dp_layer_gzip(*l) : dp_layer_zstd(*l);
        note(in, *what == GZIP ? "gzip" : "zstd");
    } else if (*what == FILTER) {
        struct member_layer *m = dp_calloc(1, sizeof *m);
        const char *name;
        note(in, starts(head, "BZh", 3) ? "bzip2" : starts(head, "\xfd" "7z", 3) ? "xz" : starts(head, "\x04\x22", 2) ? "lz4" : "compressed");
        m->layer = (struct dp_layer){.read = member_read, .below = *l};
        *l = &m->layer;
        DP_TRY(dp_archive_open(m->layer.below, -1, true, filter, err));
        m->archive = *filter;
        enum dp_status status = dp_archive_next(*filter, &name, err);
        if (status == DP_END) return dp_err_set(err, DP_FORMAT, "the compressed stream is cut off");
        if (status) return status;
    } else {
        return DP_OK;
    }
    DP_TRY(dp_layer_peek(*l, MAGIC, &head, err));
    *what = tell(head);
    return DP_OK;
}

/* zip and 7z keep their directory at the end: without a file to seek in, one is made. */
static enum dp_status spool(struct dp_layer *l, int *fd, struct dp_err *err) {
    DP_TRY(dp_spill_open(fd, err));
    char *b = dp_alloc(PEEK_MAX);
    enum dp_status status;
    for (size_t n = 1;;) {
        status = dp_layer_read(l, b, PEEK_MAX, &n, err);
        if (status || !n) break;
        if ((status = dp_fd_write(*fd, b, n, err))) break;
    }
    free(b);
    if (!status && lseek(*fd, 0, SEEK_SET)) status = dp_err_sys(err, DP_IO, "can't seek");
    return status;
}

static enum dp_status start(struct dp_input *in, struct dp_err *err) {
    enum magic what;
    in->started = true;
    DP_TRY(decompress(in, &in->bytes, &in->filter, &what, err));
    if (what == GZIP || what == ZSTD || what == FILTER)
        return dp_err_set(err, DP_UNSUPPORTED, "the input is compressed more than once");
    if (what == PLAIN) {
        in->plain = in->bytes == in->base;
        return DP_OK;
    }
    note(in, what == TAR ? "tar" : what == ZIP ? "zip" : what == SEVENZIP ? "7z" : "cpio");
    in->outer = in->bytes;
    in->bytes = NULL;
    int fd = -1;
    if (what == ZIP || what == SEVENZIP) {
        if (in->is_regular && in->outer == in->base) {
            fd = in->fd;
            if (lseek(fd, 0, SEEK_SET)) return dp_err_sys(err, DP_IO, "can't seek");
            in->base->passed = in->size;
        } else {
            int spooled;
            DP_TRY(spool(in->outer, &spooled, err));
            if (in->fd > STDIN_FILENO) close(in->fd);
            in->fd = fd = spooled;
        }
    }
    return dp_archive_open(in->outer, fd, false, &in->archive, err);
}

/* What archivers add for themselves. */
static bool is_junk(const char *name) {
    const char *base = dp_path_base(name);
    return strncmp(name, "__MACOSX/", 9) == 0 || strncmp(base, "._", 2) == 0 || strcmp(base, ".DS_Store") == 0 || !*base;
}

static void drop_member(struct dp_input *in) {
    dp_layer_close(in->bytes);
    dp_archive_close(in->member_filter);
    free(in->member);
    in->bytes = NULL;
    in->member_filter = NULL;
    in->member = NULL;
}

enum dp_status dp_input_next(struct dp_input *in, struct dp_err *err) {
    if (!in->started) {
        DP_TRY(start(in, err));
        if (!in->archive) return DP_OK;
    } else if (!in->archive) {
        return DP_END;
    }
    drop_member(in);
    const char *name;
    do DP_TRY(dp_archive_next(in->archive, &name, err));
    while (is_junk(name) || (in->opts.member && !dp_glob_match(in->opts.member, name)));
    in->member = dp_strdup(name);
    struct member_layer *m = dp_calloc(1, sizeof *m);
    m->layer.read = member_read;
    m->archive = in->archive;
    in->bytes = &m->layer;
    enum magic what;
    DP_TRY(decompress(in, &in->bytes, &in->member_filter, &what, err));
    if (what != PLAIN) return dp_err_set(err, DP_UNSUPPORTED, "member %.200s is an archive itself", in->member);
    return DP_OK;
}

enum dp_status dp_input_next_raw(struct dp_input *in, struct dp_err *err) {
    (void)err;
    if (in->started) return DP_END;
    in->started = in->plain = true;
    return DP_OK;
}

static enum dp_status check_expansion(struct dp_input *in, struct dp_err *err) {
    if (in->out <= EXPANSION_FREE || in->plain) return DP_OK;
    uint64_t from = in->base->passed ? in->base->passed : 1;
    if (in->out / from > DP_LIMIT_EXPANSION)
        return dp_err_set(err, DP_LIMIT, "more than %u bytes out for each byte in", DP_LIMIT_EXPANSION);
    return DP_OK;
}

enum dp_status dp_input_read(struct dp_input *in, void *p, size_t cap, size_t *n, struct dp_err *err) {
    *n = 0;
    if (!in->bytes) return DP_OK;
    DP_TRY(dp_layer_read(in->bytes, p, cap, n, err));
    in->out += *n;
    return check_expansion(in, err);
}

enum dp_status dp_input_peek(struct dp_input *in, size_t want, struct dp_str *out, struct dp_err *err) {
    *out = dp_str("", 0);
    return in->bytes ? dp_layer_peek(in->bytes, want, out, err) : DP_OK;
}

/* ---- globs ---- */

/* One [set] at *p (behind the bracket); false when it has no end, and then `[` stands for itself. */
static bool set_match(const char **p, unsigned char c, bool *hit) {
    const char *q = *p;
    bool not = *q == '!' || *q == '^', in = false;
    q += not;
    for (const char *first = q; *q && (*q != ']' || q == first); q++) {
        unsigned char lo = (unsigned char)*q, hi = lo;
        if (q[1] == '-' && q[2] && q[2] != ']') hi = (unsigned char)q[2], q += 2;
        in |= c >= lo && c <= hi;
    }
    if (!*q) return false;
    *p = q + 1;
    *hit = in != not;
    return true;
}

bool dp_glob_match(const char *pattern, const char *name) {
    const char *p = pattern, *n = name, *star = NULL, *again = NULL;
    while (*n) {
        const char *next = p;
        bool hit = false;
        if (*p == '*') {
            star = ++p, again = n;
            continue;
        }
        if (*p == '[' && (next = p + 1, set_match(&next, (unsigned char)*n, &hit))) {
        } else if (*p == '?') {
            next = p + 1, hit = true;
        } else {
            if (*p == '\\' && p[1]) p++;
            next = p + 1, hit = *p == *n && *p;
        }
        if (hit) {
            p = next, n++;
        } else if (star) {
            p = star, n = ++again;
        } else {
            return false;
        }
    }
    while (*p == '*') p++;
    return !*p;
}
