/*
 * Deletion vectors (digest section 10; the roaring format specification for the bitmaps): parsed with every length checked, into one bit for each row.
 * What it does not do: write them (dv_write.c), or read the native layout that preceded the portable one (refused by name).
 */
#include "dv_priv.h"

#include <dp/base/file.h>
#include <dp/delta/dv.h>
#include <dp/delta/path.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define MAGIC_NATIVE 1681511376u

static uint32_t le32(const char *p) {
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static uint32_t be32(const char *p) {
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}
static uint32_t le16(const char *p) {
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8;
}

/* ---- Z85 ---- */

static int z85_digit(char c) {
    static const char alphabet[] = DV_Z85;
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

bool dp_z85_decode(struct dp_str text, struct dp_buf *out) {
    if (text.n % 5) return false;
    for (size_t i = 0; i < text.n; i += 5) {
        char chunk[5];
        size_t missing = 0;
        uint64_t v = 0;
        memcpy(chunk, text.p + i, 5);
        for (int k = 0; k < 5; k++) {
            int d = z85_digit(chunk[k]);
            if (d < 0) return false;
            v = v * 85 + (uint64_t)d;
        }
        if (v > UINT32_MAX) {
            /* A short tail: each leading # stands for a byte that is not there. */
            if (i + 5 != text.n) return false;
            v = 0;
            while (missing < 3 && chunk[missing] == '#') missing++;
            for (size_t k = missing; k < 5; k++) v = v * 85 + (uint64_t)z85_digit(chunk[k]);
            if (!missing || v >> (8 * (4 - missing))) return false;
        }
        for (size_t k = missing; k < 4; k++) dp_buf_addc(out, (char)(unsigned char)(v >> (8 * (3 - k))));
    }
    return true;
}

bool dp_delta_dv_name(struct dp_str path, struct dp_buf *out) {
    struct dp_buf id = {0};
    bool ok = path.n >= 20 && dp_z85_decode(dp_str(path.p + path.n - 20, 20), &id) && id.n == 16;
    if (ok) {
        if (path.n > 20) {
            dp_buf_add(out, path.p, path.n - 20);
            dp_buf_addc(out, '/');
        }
        dp_buf_addz(out, "deletion_vector_");
        for (int i = 0; i < 16; i++) dp_buf_addf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", (unsigned char)id.p[i]);
        dp_buf_addz(out, ".bin");
    }
    dp_buf_release(&id);
    return ok;
}

/* Looks in `dir` for a file whose name ends with `base`; what comes before `base` goes to out. */
static void find_prefixed(const char *dir, const char *base, struct dp_buf *out) {
    DIR *d = opendir(dir);
    const struct dirent *e;
    size_t n = strlen(base);
    while (d && (e = readdir(d)) != NULL) {
        size_t k = strlen(e->d_name);
        if (k <= n || strcmp(e->d_name + k - n, base) != 0) continue;
        dp_buf_add(out, e->d_name, k - n);
        break;
    }
    if (d) closedir(d);
}

bool dp_delta_dv_locate(const char *table, struct dp_str path, struct dp_buf *out) {
    struct dp_buf name = {0}, prefix = {0};
    if (!dp_delta_dv_name(path, &name)) return false;
    char *full = dp_path_join(table, dp_buf_z(&name)), *dir = dp_path_dir(full);
    const char *base = strrchr(full, '/') ? strrchr(full, '/') + 1 : full;
    if (access(full, F_OK) != 0 && errno == ENOENT) find_prefixed(dir, base, &prefix);
    dp_buf_add(out, name.p, name.n - strlen(base));
    dp_buf_adds(out, dp_buf_str(&prefix));
    dp_buf_addz(out, base);
    free(dir), free(full);
    dp_buf_release(&prefix);
    dp_buf_release(&name);
    return true;
}

/* ---- roaring ---- */

struct cursor {
    const char *p;
    size_t n, at;
};

static enum dp_status cut_off(struct dp_err *err) { return dp_err_set(err, DP_FORMAT, "deletion vector: cut off"); }

static bool take(struct cursor *c, size_t n, const char **out) {
    if (c->n - c->at < n) return false;
    *out = c->p + c->at;
    c->at += n;
    return true;
}

static enum dp_status set_row(struct dp_delta_deleted *d, uint64_t row, struct dp_err *err) {
    if (row >= (uint64_t)d->rows)
        return dp_err_set(err, DP_FORMAT, "deletion vector: it names row %llu, the file has %lld", (unsigned long long)row, (long long)d->rows);
    uint8_t bit = (uint8_t)(1u << (row & 7));
    if (!(d->bits[row >> 3] & bit)) d->count++;
    d->bits[row >> 3] |= bit;
    return DP_OK;
}

static enum dp_status read_runs(struct cursor *c, uint64_t base, struct dp_delta_deleted *d, struct dp_err *err) {
    const char *p;
    if (!take(c, 2, &p)) return cut_off(err);
    uint32_t n = le16(p);
    for (uint32_t i = 0; i < n; i++) {
        if (!take(c, 4, &p)) return cut_off(err);
        uint32_t start = le16(p), more = le16(p + 2);
        if (start + more > 0xffff) return dp_err_set(err, DP_FORMAT, "deletion vector: a run leaves its container");
        for (uint32_t k = 0; k <= more; k++) DP_TRY(set_row(d, base + start + k, err));
    }
    return DP_OK;
}

static enum dp_status read_array(struct cursor *c, uint64_t base, uint32_t cardinality, struct dp_delta_deleted *d, struct dp_err *err) {
    const char *p;
    if (!take(c, 2u * cardinality, &p)) return cut_off(err);
    for (uint32_t i = 0; i < cardinality; i++) DP_TRY(set_row(d, base + le16(p + 2 * i), err));
    return DP_OK;
}

static enum dp_status read_bitmap(struct cursor *c, uint64_t base, struct dp_delta_deleted *d, struct dp_err *err) {
    const char *p;
    if (!take(c, 8192, &p)) return cut_off(err);
    for (uint32_t i = 0; i < 8192; i++)
        for (unsigned b = (unsigned char)p[i]; b; b &= b - 1) DP_TRY(set_row(d, base + 8 * i + (unsigned)__builtin_ctz(b), err));
    return DP_OK;
}

/* One 32-bit bitmap at the cursor. */
static enum dp_status read_roaring(struct cursor *c, uint64_t high, struct dp_delta_deleted *d, struct dp_err *err) {
    const char *p, *flags = NULL, *keys;
    uint32_t n;
    if (!take(c, 4, &p)) return cut_off(err);
    uint32_t cookie = le32(p);
    if ((cookie & 0xffff) == DV_COOKIE_RUNS) {
        n = (cookie >> 16) + 1;
        if (!take(c, (n + 7) / 8, &flags)) return cut_off(err);
    } else if (cookie == DV_COOKIE_PLAIN) {
        if (!take(c, 4, &p)) return cut_off(err);
        n = le32(p);
        if (n > 65536) return dp_err_set(err, DP_FORMAT, "deletion vector: %u containers", n);
    } else {
        return dp_err_set(err, DP_FORMAT, "deletion vector: not a roaring bitmap");
    }
    if (!take(c, 4u * n, &keys)) return cut_off(err);
    if ((!flags || n >= DV_NO_OFFSETS_BELOW) && !take(c, 4u * n, &p)) return cut_off(err); /* offsets: the containers stand in order anyway */
    for (uint32_t i = 0; i < n; i++) {
        uint64_t base = high << 32 | (uint64_t)le16(keys + 4 * i) << 16;
        uint32_t cardinality = le16(keys + 4 * i + 2) + 1;
        int64_t before = d->count;
        if (flags && (flags[i / 8] >> (i % 8) & 1)) DP_TRY(read_runs(c, base, d, err));
        else if (cardinality <= 4096) DP_TRY(read_array(c, base, cardinality, d, err));
        else DP_TRY(read_bitmap(c, base, d, err));
        if (d->count - before != cardinality) return dp_err_set(err, DP_FORMAT, "deletion vector: a container does not hold what it says");
    }
    return DP_OK;
}

enum dp_status dp_delta_dv_parse(struct dp_str bytes, int64_t rows, struct dp_delta_deleted *out, struct dp_err *err) {
    struct cursor c = {bytes.p, bytes.n, 0};
    const char *p;
    uint64_t last = 0;
    enum dp_status status = DP_OK;
    if (!take(&c, 12, &p)) return cut_off(err);
    if (le32(p) == MAGIC_NATIVE) return dp_err_set(err, DP_UNSUPPORTED, "deletion vector in the native roaring layout is not supported");
    if (le32(p) != DV_MAGIC) return dp_err_set(err, DP_FORMAT, "deletion vector: wrong magic number");
    uint64_t buckets = (uint64_t)le32(p + 8) << 32 | le32(p + 4);
    dp_delta_deleted_open(out, rows);
    for (uint64_t i = 0; i < buckets && status == DP_OK; i++) {
        if (!take(&c, 4, &p)) {
            status = cut_off(err);
            break;
        }
        uint64_t high = le32(p);
        if (high >> 31 || (i && high <= last)) status = dp_err_set(err, DP_FORMAT, "deletion vector: its keys are not ascending");
        else status = read_roaring(&c, high, out, err);
        last = high;
    }
    if (status == DP_OK && c.at != c.n) status = dp_err_set(err, DP_FORMAT, "deletion vector: bytes behind its end");
    if (status != DP_OK) dp_delta_deleted_release(out);
    return status;
}

void dp_delta_deleted_release(struct dp_delta_deleted *d) {
    free(d->bits);
    memset(d, 0, sizeof *d);
}

/* ---- where they are ---- */

static enum dp_status read_file(const char *path, const struct dp_delta_dv *dv, struct dp_buf *out, struct dp_err *err) {
    char word[8];
    uint64_t at = dv->offset == DP_DELTA_UNSET ? 1 : (uint64_t)dv->offset;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO can't be read at an offset, and is not waited for */
    if (fd < 0) return dp_err_sys(err, DP_IO, "cannot open deletion vector %s", path);
    size_t n = (size_t)dv->size_bytes;
    enum dp_status status = dp_fd_pread(fd, word, 1, 0, err);
    if (status == DP_OK && word[0] != 1) status = dp_err_set(err, DP_UNSUPPORTED, "%s: version %d of deletion vector files", path, word[0]);
    if (status == DP_OK) status = dp_fd_pread(fd, word, 4, at, err);
    if (status == DP_OK && be32(word) != n) status = dp_err_set(err, DP_FORMAT, "%s: the deletion vector is not of the size that the log says", path);
    if (status == DP_OK) status = dp_fd_pread(fd, dp_buf_reserve(out, n), n, at + 4, err);
    if (status == DP_OK) {
        out->n += n;
        status = dp_fd_pread(fd, word, 4, at + 4 + n, err);
    }
    if (status == DP_OK && be32(word) != crc32(0, (const Bytef *)out->p, (uInt)n))
        status = dp_err_set(err, DP_FORMAT, "%s: the deletion vector's checksum is wrong", path);
    close(fd);
    return status;
}

enum dp_status dp_delta_dv_path(const char *table, const struct dp_delta_dv *dv, struct dp_buf *out, struct dp_err *err) {
    struct dp_buf name = {0}, found = {0};
    enum dp_status status = DP_OK;
    if (!dv->storage.p || dp_str_eqz(dv->storage, "i")) return DP_OK;
    if (dp_str_eqz(dv->storage, "u")) {
        if (!dp_delta_dv_locate(table, dv->path, &found)) status = dp_err_set(err, DP_FORMAT, "a deletion vector's name is damaged");
        dp_delta_path_encode(dp_buf_str(&found), &name);
    } else if (dp_str_eqz(dv->storage, "p")) {
        dp_buf_adds(&name, dv->path);
    } else {
        status = dp_err_set(err, DP_UNSUPPORTED, "deletion vectors of storage type \"%.*s\" are not supported", DP_STR_FMT(dv->storage));
    }
    if (status == DP_OK) status = dp_delta_path_resolve(table, dp_buf_str(&name), out, err);
    dp_buf_release(&found);
    dp_buf_release(&name);
    return status;
}

static enum dp_status fetch(const char *table, const struct dp_delta_dv *dv, struct dp_buf *out, struct dp_err *err) {
    struct dp_buf path = {0};
    if (dp_str_eqz(dv->storage, "i")) {
        if (!dp_z85_decode(dv->path, out) || out->n < (size_t)dv->size_bytes) return dp_err_set(err, DP_FORMAT, "an inline deletion vector is damaged");
        out->n = (size_t)dv->size_bytes;
        return DP_OK;
    }
    enum dp_status status = dp_delta_dv_path(table, dv, &path, err);
    if (status == DP_OK) status = read_file(dp_buf_z(&path), dv, out, err);
    dp_buf_release(&path);
    return status;
}

enum dp_status dp_delta_dv_read(const char *table, const struct dp_delta_dv *dv, int64_t rows, struct dp_delta_deleted *out, struct dp_err *err) {
    struct dp_buf bytes = {0};
    memset(out, 0, sizeof *out);
    if (dv->size_bytes < 12 || dv->size_bytes > INT32_MAX || rows < 0 || (dv->offset != DP_DELTA_UNSET && dv->offset < 0))
        return dp_err_set(err, DP_FORMAT, "a deletion vector's size or offset is not possible");
    enum dp_status status = fetch(table, dv, &bytes, err);
    if (status == DP_OK) status = dp_delta_dv_parse(dp_buf_str(&bytes), rows, out, err);
    dp_buf_release(&bytes);
    if (status == DP_OK && out->count != dv->cardinality) {
        status = dp_err_set(err, DP_FORMAT, "deletion vector: the log says %lld rows, it holds %lld", (long long)dv->cardinality, (long long)out->count);
        dp_delta_deleted_release(out);
    }
    return status;
}
