/*
 * Zip archives, written (dp/format/zip.h).  A member's header goes out with its sizes once they are known: the place is kept, and pwrite fills it.
 * Zip64 fields stand in the header of a member that may reach 4 GiB, and in the directory where a number does.
 */
#include <dp/format/zip.h>

#include <dp/base/time.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { OUT = 64 << 10, HEADER = 30, EXTRA = 20 };

struct zip_item { char *name; uint64_t at, packed, bytes; uint32_t crc; bool is_large; };

struct dp_zip {
    int fd;
    uint16_t date, time;
    uint64_t at;                 /* bytes of the archive so far */
    struct zip_item *v;
    size_t n, cap;
    uint64_t most;
    bool in_member;
    struct dp_sha256_state sha;
    z_stream deflate;
    unsigned char out[OUT];
};

/* ---- little-endian fields ---- */

static void put(struct dp_buf *b, uint64_t v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) dp_buf_addc(b, (char)(v >> (8 * i) & 0xff));
}

static uint64_t narrow(uint64_t v) { return v < UINT32_MAX ? v : UINT32_MAX; }

static enum dp_status write_at(struct dp_zip *z, const void *p, size_t n, uint64_t at, struct dp_err *err) {
    for (const char *c = p; n;) {
        ssize_t did = pwrite(z->fd, c, n, (off_t)at);
        if (did < 0 && errno == EINTR) continue;
        if (did <= 0) return dp_err_sys(err, DP_IO, "can't write the archive");
        c += did, n -= (size_t)did, at += (uint64_t)did;
    }
    return DP_OK;
}

static enum dp_status append(struct dp_zip *z, const void *p, size_t n, struct dp_err *err) {
    DP_TRY(write_at(z, p, n, z->at, err));
    z->at += n;
    return DP_OK;
}

/* DOS date and time (two seconds fine). */
static void set_time(struct dp_zip *z, int64_t micros) {
    int64_t seconds = micros / 1000000 - (micros % 1000000 < 0), days = seconds / 86400 - (seconds % 86400 < 0), year;
    unsigned month, day, of_day = (unsigned)(seconds - days * 86400);
    dp_civil_from_days(days, &year, &month, &day);
    if (year < 1980) year = 1980, month = day = 1, of_day = 0;
    if (year > 2107) year = 2107, month = 12, day = 31, of_day = 86398;
    z->date = (uint16_t)((unsigned)(year - 1980) << 9 | month << 5 | day);
    z->time = (uint16_t)(of_day / 3600 << 11 | of_day / 60 % 60 << 5 | of_day % 60 / 2);
}

/* ---- members ---- */

enum dp_status dp_zip_open(int fd, int64_t micros, struct dp_zip **out, struct dp_err *err) {
    struct dp_zip *z = *out = dp_calloc(1, sizeof *z);
    z->fd = fd;
    set_time(z, micros);
    if (deflateInit2(&z->deflate, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) return dp_err_set(err, DP_IO, "zlib gives no compressor");
    return DP_OK;
}

/* What both headers of a member have alike. */
static void put_facts(const struct dp_zip *z, const struct zip_item *m, bool wide, struct dp_buf *b) {
    put(b, wide ? 45 : 20, 2), put(b, 0, 2), put(b, Z_DEFLATED, 2), put(b, z->time, 2), put(b, z->date, 2), put(b, m->crc, 4);
    put(b, wide ? UINT32_MAX : m->packed, 4), put(b, wide ? UINT32_MAX : m->bytes, 4), put(b, strlen(m->name), 2);
}

static enum dp_status write_header(struct dp_zip *z, const struct zip_item *m, struct dp_err *err) {
    struct dp_buf b = {0};
    put(&b, 0x04034b50, 4);
    put_facts(z, m, m->is_large, &b);
    put(&b, m->is_large ? EXTRA : 0, 2);
    dp_buf_addz(&b, m->name);
    if (m->is_large) put(&b, 1, 2), put(&b, 16, 2), put(&b, m->bytes, 8), put(&b, m->packed, 8);
    enum dp_status status = write_at(z, b.p, b.n, m->at, err);
    dp_buf_release(&b);
    return status;
}

enum dp_status dp_zip_begin(struct dp_zip *z, const char *name, uint64_t most, struct dp_err *err) {
    if (strlen(name) > UINT16_MAX) return dp_err_set(err, DP_LIMIT, "a member's name has more than %u bytes", UINT16_MAX);
    z->v = dp_grow(z->v, &z->cap, z->n + 1, sizeof *z->v);
    /* packed bytes may be some more than unpacked ones */
    struct zip_item *m = &z->v[z->n++];
    *m = (struct zip_item){.name = dp_strdup(name), .at = z->at, .is_large = most > (uint64_t)UINT32_MAX - (UINT32_MAX >> 8)};
    z->most = most;
    z->in_member = true;
    z->at += HEADER + strlen(name) + (m->is_large ? EXTRA : 0);
    dp_sha256_begin(&z->sha);
    if (deflateReset(&z->deflate) != Z_OK) return dp_err_set(err, DP_BUG, "zlib does not begin anew");
    return DP_OK;
}

static enum dp_status pump(struct dp_zip *z, int flush, struct dp_err *err) {
    int r;
    do {
        z->deflate.next_out = z->out, z->deflate.avail_out = OUT;
        r = deflate(&z->deflate, flush);
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) return dp_err_set(err, DP_BUG, "zlib fails to compress: %d", r);
        DP_TRY(append(z, z->out, OUT - z->deflate.avail_out, err));
    } while (z->deflate.avail_out == 0 || (flush == Z_FINISH && r != Z_STREAM_END));
    return DP_OK;
}

enum dp_status dp_zip_write(struct dp_zip *z, const void *p, size_t n, struct dp_err *err) {
    struct zip_item *m = &z->v[z->n - 1];
    if (n > z->most - m->bytes) return dp_err_set(err, DP_LIMIT, "%s has more than %llu bytes", m->name, (unsigned long long)z->most);
    dp_sha256_add(&z->sha, p, n);
    for (const unsigned char *c = p; n;) {
        unsigned take = n < 1u << 30 ? (unsigned)n : 1u << 30;
        m->crc = (uint32_t)crc32(m->crc, c, take);
        z->deflate.next_in = (unsigned char *)(uintptr_t)c, z->deflate.avail_in = take;
        DP_TRY(pump(z, Z_NO_FLUSH, err));
        m->bytes += take, c += take, n -= take;
    }
    return DP_OK;
}

enum dp_status dp_zip_end(struct dp_zip *z, struct dp_zip_member *out, struct dp_err *err) {
    struct zip_item *m = &z->v[z->n - 1];
    z->deflate.next_in = NULL, z->deflate.avail_in = 0;
    DP_TRY(pump(z, Z_FINISH, err));
    m->packed = z->at - (m->at + HEADER + strlen(m->name) + (m->is_large ? EXTRA : 0));
    z->in_member = false;
    out->bytes = m->bytes;
    dp_sha256_end(&z->sha, out->sha256);
    return write_header(z, m, err);
}

/* ---- the directory ---- */

static void put_entry(const struct dp_zip *z, const struct zip_item *m, struct dp_buf *b) {
    bool wide = m->is_large, far = m->at >= UINT32_MAX;
    put(b, 0x02014b50, 4), put(b, 3 << 8 | 45, 2); /* made on Unix: its modes stand in the external attributes */
    put_facts(z, m, wide, b);
    put(b, (wide ? 16u : 0u) + (far ? 8u : 0u) + (wide || far ? 4u : 0u), 2);
    put(b, 0, 2), put(b, 0, 2), put(b, 0, 2), put(b, (uint64_t)0100600 << 16, 4), put(b, narrow(m->at), 4);
    dp_buf_addz(b, m->name);
    if (wide || far) put(b, 1, 2), put(b, (wide ? 16u : 0u) + (far ? 8u : 0u), 2);
    if (wide) put(b, m->bytes, 8), put(b, m->packed, 8);
    if (far) put(b, m->at, 8);
}

enum dp_status dp_zip_finish(struct dp_zip *z, struct dp_err *err) {
    struct dp_buf b = {0};
    uint64_t at = z->at;
    for (size_t i = 0; i < z->n; i++) put_entry(z, &z->v[i], &b);
    uint64_t size = b.n, n = z->n;
    if (at >= UINT32_MAX || size >= UINT32_MAX || n >= UINT16_MAX) {
        put(&b, 0x06064b50, 4), put(&b, 44, 8), put(&b, 3 << 8 | 45, 2), put(&b, 45, 2), put(&b, 0, 4), put(&b, 0, 4), put(&b, n, 8), put(&b, n, 8), put(&b, size, 8), put(&b, at, 8);
        put(&b, 0x07064b50, 4), put(&b, 0, 4), put(&b, at + size, 8), put(&b, 1, 4);
    }
    put(&b, 0x06054b50, 4), put(&b, 0, 4);
    put(&b, n < UINT16_MAX ? n : UINT16_MAX, 2), put(&b, n < UINT16_MAX ? n : UINT16_MAX, 2), put(&b, narrow(size), 4), put(&b, narrow(at), 4), put(&b, 0, 2);
    enum dp_status status = append(z, b.p, b.n, err);
    dp_buf_release(&b);
    return status;
}

void dp_zip_close(struct dp_zip *z) {
    if (!z) return;
    deflateEnd(&z->deflate);
    for (size_t i = 0; i < z->n; i++) free(z->v[i].name);
    free(z->v);
    free(z);
}
