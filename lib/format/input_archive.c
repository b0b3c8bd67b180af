/*
 * Archives and the rarer compressions through libarchive, opened with dlopen at first use (its start-up and its own libraries
 * would cost every program that never meets an archive).  Formats are named one by one: never mtree, which is plain text and
 * would claim anything.  What an archive may make us do is bounded: number of members, bytes between two members, memory for a directory,
 * and bytes out for each byte in (input.c).
 */
#include "input_priv.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

/* The part of libarchive's ABI that is used; archive.h need not be installed. */
#define AR_EOF 1
#define AR_OK 0
#define AR_WARN (-20)
#define AR_RETRY (-10)
#define AE_REGULAR 0100000
#define AE_TYPE 0170000

struct api {
    void *lib;
    void *(*new_)(void);
    int (*free_)(void *);
    int (*open_fd)(void *, int, size_t);
    int (*open)(void *, void *, void *, ssize_t (*)(void *, void *, const void **), void *);
    int (*next_header)(void *, void **);
    ssize_t (*read_data)(void *, void *, size_t);
    int (*skip_data)(void *);
    const char *(*error_string)(void *);
    const char *(*pathname)(void *);
    const char *(*pathname_utf8)(void *);
    unsigned (*filetype)(void *);
    int (*is_encrypted)(void *);
};

struct dp_archive {
    struct api api;
    void *a;
    struct dp_layer *below; /* borrowed; NULL: a descriptor */
    struct dp_err err;      /* of below, kept while libarchive passes on that something failed */
    uint64_t members;
    uint64_t header_bytes; /* of below since the last member ended */
    bool is_raw, in_header, in_member;
    unsigned char in[64 << 10];
};

static void *symbol(struct api *api, const char *name, struct dp_err *err) {
    void *f = api->lib ? dlsym(api->lib, name) : NULL;
    if (!f && api->lib) dp_err_set(err, DP_UNSUPPORTED, "libarchive.so.13 has no %s", name);
    return f;
}

static enum dp_status load(struct api *api, struct dp_err *err) {
    api->lib = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!api->lib)
        return dp_err_set(err, DP_UNSUPPORTED, "this input needs libarchive.so.13 (package libarchive13), which can't be loaded");
    static const char *const names[] = {
        "archive_read_new",       "archive_read_free",       "archive_read_open_fd",  "archive_read_open",
        "archive_read_next_header", "archive_read_data",     "archive_error_string",  "archive_entry_pathname",
        "archive_entry_pathname_utf8", "archive_entry_filetype", "archive_entry_is_data_encrypted",
        "archive_read_data_skip"};
    void *f[sizeof names / sizeof names[0]];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!(f[i] = symbol(api, names[i], err))) return DP_UNSUPPORTED;
    memcpy(&api->new_, &f[0], sizeof f[0]);
    memcpy(&api->free_, &f[1], sizeof f[0]);
    memcpy(&api->open_fd, &f[2], sizeof f[0]);
    memcpy(&api->open, &f[3], sizeof f[0]);
    memcpy(&api->next_header, &f[4], sizeof f[0]);
    memcpy(&api->read_data, &f[5], sizeof f[0]);
    memcpy(&api->error_string, &f[6], sizeof f[0]);
    memcpy(&api->pathname, &f[7], sizeof f[0]);
    memcpy(&api->pathname_utf8, &f[8], sizeof f[0]);
    memcpy(&api->filetype, &f[9], sizeof f[0]);
    memcpy(&api->is_encrypted, &f[10], sizeof f[0]);
    memcpy(&api->skip_data, &f[11], sizeof f[0]);
    return DP_OK;
}

/* A support function that is missing in a build of libarchive only means that it will not know that format. */
static void support(struct dp_archive *a, const char *name) {
    int (*f)(void *);
    void *p = dlsym(a->api.lib, name);
    if (!p) return;
    memcpy(&f, &p, sizeof p);
    (void)f(a->a);
}

static ssize_t pull(void *archive, void *ctx, const void **p) {
    (void)archive;
    struct dp_archive *a = ctx;
    size_t n = 0;
    if (dp_layer_read(a->below, a->in, sizeof a->in, &n, &a->err)) return -1;
    if (a->in_header && !a->is_raw && (a->header_bytes += n) > DP_LIMIT_ARCHIVE_HEADER + sizeof a->in) {
        (void)!dp_err_set(&a->err, DP_LIMIT, "the header of a member has more than %u bytes", DP_LIMIT_ARCHIVE_HEADER);
        return -1;
    }
    *p = a->in;
    return (ssize_t)n;
}

static enum dp_status failed(struct dp_archive *a, struct dp_err *err) {
    if (a->err.status) { /* the layer below said why */
        if (err) *err = a->err;
        return a->err.status;
    }
    const char *why = a->api.error_string(a->a);
    return dp_err_set(err, DP_FORMAT, "the archive is damaged or cut off: %s", why ? why : "no reason given");
}

enum dp_status dp_archive_open(struct dp_layer *below, int fd, bool raw, struct dp_archive **out, struct dp_err *err) {
    static const char *const filters[] = {"archive_read_support_filter_bzip2", "archive_read_support_filter_xz",
                                          "archive_read_support_filter_lzma",  "archive_read_support_filter_lz4",
                                          "archive_read_support_filter_lzip",  "archive_read_support_filter_compress"};
    static const char *const formats[] = {"archive_read_support_format_tar", "archive_read_support_format_zip",
                                          "archive_read_support_format_7zip", "archive_read_support_format_cpio"};
    struct dp_archive *a = dp_calloc(1, sizeof *a);
    enum dp_status status = load(&a->api, err);
    *out = a;
    if (status) return status;
    a->err = (struct dp_err)DP_ERR_INIT;
    a->below = below;
    a->is_raw = raw;
    a->a = a->api.new_();
    if (!a->a) return dp_err_set(err, DP_IO, "libarchive gives no reader");
    if (raw) {
        for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) support(a, filters[i]);
        support(a, "archive_read_support_format_raw");
    } else {
        for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) support(a, formats[i]);
    }
    int r = fd >= 0 ? a->api.open_fd(a->a, fd, 64 << 10) : a->api.open(a->a, a, NULL, pull, NULL);
    return r == AR_OK || r == AR_WARN ? DP_OK : failed(a, err);
}

/*
 * libarchive allocates what a header says before it looks for it: the directory of a 7z may ask for gigabytes with a few bytes, the name of
 * a cpio member too.  While headers are read the address space may grow by DP_LIMIT_ARCHIVE_MEMORY; an allocation beyond that fails there.
 */
static bool bound_memory(struct rlimit *was) {
    char text[32] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    long page = sysconf(_SC_PAGESIZE);
    if (fd >= 0) close(fd);
    if (n <= 0 || page <= 0 || getrlimit(RLIMIT_AS, was)) return false;
    struct rlimit now = *was;
    rlim_t most = (rlim_t)strtoull(text, NULL, 10) * (rlim_t)page + DP_LIMIT_ARCHIVE_MEMORY;
    if (now.rlim_cur <= most) return false;
    now.rlim_cur = most;
    return setrlimit(RLIMIT_AS, &now) == 0;
}

static int next_header(struct dp_archive *a, void **entry) {
    struct rlimit was;
    bool bounded = (!a->is_raw && !a->members) && bound_memory(&was);
    a->header_bytes = 0;
    a->in_header = true;
    int r = a->api.next_header(a->a, entry);
    a->in_header = false;
    if (bounded) (void)setrlimit(RLIMIT_AS, &was);
    return r;
}

enum dp_status dp_archive_next(struct dp_archive *a, const char **name, struct dp_err *err) {
    for (;;) {
        void *entry = NULL;
        int r = a->in_member ? a->api.skip_data(a->a) : AR_OK; /* not left to next_header, whose bytes are counted */
        a->in_member = false;
        if (r == AR_EOF) return dp_err_set(err, DP_FORMAT, "the archive is damaged or cut off: it ends in a member");
        if (r != AR_OK && r != AR_WARN) return failed(a, err);
        r = next_header(a, &entry);
        if (r == AR_EOF) return a->err.status ? failed(a, err) : DP_END;
        if (r != AR_OK && r != AR_WARN) return failed(a, err);
        a->in_member = true;
        if (++a->members > DP_LIMIT_ARCHIVE_MEMBERS)
            return dp_err_set(err, DP_LIMIT, "the archive has more than %u members", DP_LIMIT_ARCHIVE_MEMBERS);
        unsigned type = a->api.filetype(entry) & AE_TYPE;
        if (type && type != AE_REGULAR) continue; /* directories, links, devices */
        const char *z = a->api.pathname_utf8(entry);
        if (!z) z = a->api.pathname(entry);
        *name = z ? z : "?";
        if (a->api.is_encrypted(entry) > 0)
            return dp_err_set(err, DP_UNSUPPORTED, "member %.200s is encrypted", *name);
        return DP_OK;
    }
}

enum dp_status dp_archive_read(struct dp_archive *a, void *p, size_t cap, size_t *n, struct dp_err *err) {
    ssize_t r;
    do r = a->api.read_data(a->a, p, cap);
    while (r == AR_RETRY);
    if (r < 0) return failed(a, err);
    *n = (size_t)r;
    return DP_OK;
}

void dp_archive_close(struct dp_archive *a) {
    if (!a) return;
    if (a->a) (void)a->api.free_(a->a);
    /* The library stays loaded: closing it would only make the next archive pay for it again. */
    free(a);
}
