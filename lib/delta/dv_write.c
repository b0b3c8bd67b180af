/*
 * Deletion vectors, written (digest section 10; the roaring format specification): one bit for each row becomes containers of the smallest form
 * (sorted array, bitmap or runs) in the portable 64-bit layout, and the vectors of one commit become one file at the table's root.
 * What it does not do: inline vectors.  They are legal, and the reference reads but does not write them.
 */
#include "dv_priv.h"

#include <dp/base/file.h>
#include <dp/delta/dv.h>
#include <dp/delta/path.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define CONTAINER 65536

static void add_le(struct dp_buf *b, uint64_t v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) dp_buf_addc(b, (char)(unsigned char)(v >> (8 * i)));
}
static void add_be32(struct dp_buf *b, uint32_t v) {
    for (unsigned i = 0; i < 4; i++) dp_buf_addc(b, (char)(unsigned char)(v >> (24 - 8 * i)));
}
static void put_le(struct dp_buf *b, size_t at, uint64_t v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) b->p[at + i] = (char)(unsigned char)(v >> (8 * i));
}

bool dp_z85_encode(struct dp_str bytes, struct dp_buf *out) {
    static const char alphabet[] = DV_Z85;
    if (bytes.n % 4) return false;
    for (size_t i = 0; i < bytes.n; i += 4) {
        char text[5];
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) v = v << 8 | (unsigned char)bytes.p[i + k];
        for (int k = 4; k >= 0; k--, v /= 85) text[k] = alphabet[v % 85];
        dp_buf_add(out, text, 5);
    }
    return true;
}

/* ---- a set of rows ---- */

void dp_delta_deleted_open(struct dp_delta_deleted *d, int64_t rows) {
    *d = (struct dp_delta_deleted){.bits = dp_calloc((size_t)(rows / 8) + 1, 1), .rows = rows};
}

bool dp_delta_deleted_add(struct dp_delta_deleted *d, int64_t row) {
    uint8_t bit = (uint8_t)(1u << (row & 7));
    if (row < 0 || row >= d->rows || (d->bits[row >> 3] & bit)) return false;
    d->bits[row >> 3] |= bit;
    d->count++;
    return true;
}

/* ---- containers ---- */

struct container {
    uint16_t key;
    uint32_t cardinality, runs;
};

static bool has(const struct dp_delta_deleted *d, int64_t row) { return row < d->rows && (d->bits[row >> 3] >> (row & 7) & 1); }

/* What 65,536 rows from `first` on hold. */
static struct container measure(const struct dp_delta_deleted *d, int64_t first) {
    struct container c = {.key = (uint16_t)(first >> 16)};
    bool before = false;
    int64_t end = d->rows - first < CONTAINER ? d->rows : first + CONTAINER;
    for (int64_t i = first; i < end; i++) {
        if (!before && !(i & 7) && !d->bits[i >> 3]) {
            i += 7;
            continue;
        }
        bool now = has(d, i);
        c.cardinality += now;
        c.runs += now && !before;
        before = now;
    }
    return c;
}

static bool is_runs(const struct container *c) {
    uint32_t plain = c->cardinality <= 4096 ? 2 * c->cardinality : CONTAINER / 8;
    return 2 + 4 * c->runs < plain;
}

static void add_runs(const struct dp_delta_deleted *d, int64_t first, const struct container *c, struct dp_buf *out) {
    add_le(out, c->runs, 2);
    for (int64_t i = 0; i < CONTAINER; i++) {
        int64_t start = i;
        if (!has(d, first + i)) continue;
        while (i + 1 < CONTAINER && has(d, first + i + 1)) i++;
        add_le(out, (uint64_t)start, 2);
        add_le(out, (uint64_t)(i - start), 2);
    }
}

static void add_container(const struct dp_delta_deleted *d, int64_t first, const struct container *c, struct dp_buf *out) {
    if (is_runs(c)) {
        add_runs(d, first, c, out);
    } else if (c->cardinality <= 4096) {
        for (int64_t i = 0; i < CONTAINER; i++)
            if (has(d, first + i)) add_le(out, (uint64_t)i, 2);
    } else {
        int64_t bytes = (d->rows + 7) / 8 - first / 8, n = bytes < CONTAINER / 8 ? bytes : CONTAINER / 8;
        dp_buf_add(out, d->bits + first / 8, (size_t)n);
        for (; n < CONTAINER / 8; n++) dp_buf_addc(out, 0);
    }
}

/* One 32-bit bitmap: the rows from `base` on that share their high 32 bits. */
static void add_bucket(const struct dp_delta_deleted *d, int64_t base, const struct container *c, size_t n, struct dp_buf *out) {
    size_t start = out->n, offsets = 0;
    bool any = false;
    for (size_t i = 0; i < n; i++) any |= is_runs(&c[i]);
    if (any) {
        add_le(out, DV_COOKIE_RUNS | (uint64_t)(n - 1) << 16, 4);
        for (size_t i = 0; i < n; i += 8) {
            unsigned flags = 0;
            for (size_t k = i; k < i + 8 && k < n; k++) flags |= (unsigned)is_runs(&c[k]) << (k - i);
            add_le(out, flags, 1);
        }
    } else {
        add_le(out, DV_COOKIE_PLAIN, 4);
        add_le(out, n, 4);
    }
    for (size_t i = 0; i < n; i++) {
        add_le(out, c[i].key, 2);
        add_le(out, c[i].cardinality - 1, 2);
    }
    bool has_offsets = !any || n >= DV_NO_OFFSETS_BELOW;
    offsets = out->n;
    for (size_t i = 0; has_offsets && i < n; i++) add_le(out, 0, 4);
    for (size_t i = 0; i < n; i++) {
        if (has_offsets) put_le(out, offsets + 4 * i, out->n - start, 4);
        add_container(d, base + (int64_t)c[i].key * CONTAINER, &c[i], out);
    }
}

void dp_delta_dv_print(const struct dp_delta_deleted *d, struct dp_buf *out) {
    struct container *c = NULL;
    size_t cap = 0, count_at;
    uint64_t buckets = 0;
    add_le(out, DV_MAGIC, 4);
    count_at = out->n;
    add_le(out, 0, 8);
    for (int64_t base = 0; base < d->rows; base += INT64_C(1) << 32) {
        size_t n = 0;
        for (int64_t first = base; first < d->rows && first - base < INT64_C(1) << 32; first += CONTAINER) {
            struct container x = measure(d, first);
            if (!x.cardinality) continue;
            c = dp_grow(c, &cap, n + 1, sizeof *c);
            c[n++] = x;
        }
        if (!n) continue;
        add_le(out, (uint64_t)base >> 32, 4);
        add_bucket(d, base, c, n, out);
        buckets++;
    }
    put_le(out, count_at, buckets, 8);
    free(c);
}

/* ---- the file of a commit's vectors ---- */

struct dp_delta_dv_file {
    char *table, *path;
    struct dp_buf id;    /* Z85 of the UUID */
    struct dp_newfile file;
    uint64_t size;
    bool is_whole, is_kept;
};

/* A UUID's text as its 16 bytes in Z85, and the file's name by the reader's own rule. */
static void choose_name(struct dp_delta_dv_file *f) {
    char uuid[37];
    struct dp_buf bytes = {0}, name = {0};
    unsigned v = 0, digits = 0;
    dp_uuid(uuid);
    for (const char *c = uuid; *c; c++) {
        if (*c == '-') continue;
        v = v << 4 | (unsigned)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
        if (++digits % 2 == 0) dp_buf_addc(&bytes, (char)(unsigned char)v), v = 0;
    }
    (void)dp_z85_encode(dp_buf_str(&bytes), &f->id);
    (void)dp_delta_dv_name(dp_buf_str(&f->id), &name);
    f->path = dp_path_join(f->table, dp_buf_z(&name));
    dp_buf_release(&bytes);
    dp_buf_release(&name);
}

struct dp_delta_dv_file *dp_delta_dv_file_open(const char *table) {
    struct dp_delta_dv_file *f = dp_calloc(1, sizeof *f);
    f->table = dp_strdup(table);
    f->file.fd = -1;
    f->file.slot = -1;
    return f;
}

enum dp_status dp_delta_dv_file_add(struct dp_delta_dv_file *f, const struct dp_delta_deleted *d, struct dp_arena *arena, struct dp_delta_dv *out,
                                    struct dp_err *err) {
    struct dp_buf data = {0}, frame = {0};
    enum dp_status status = DP_OK;
    dp_delta_dv_print(d, &data);
    if (data.n > INT32_MAX || f->size > INT32_MAX) {
        status = dp_err_set(err, DP_LIMIT, "deletion vectors of one commit are larger than 2 GiB");
        goto out;
    }
    if (!f->path) {
        choose_name(f);
        DP_TRY_OUT(dp_newfile_open(&f->file, f->path, 0666, err));
        dp_buf_addc(&frame, 1); /* version of the format */
    }
    *out = (struct dp_delta_dv){.storage = DP_STR("u"), .path = dp_arena_str(arena, dp_buf_str(&f->id)), .offset = (int64_t)(f->size + frame.n),
                                .size_bytes = (int64_t)data.n, .cardinality = d->count};
    add_be32(&frame, (uint32_t)data.n);
    dp_buf_adds(&frame, dp_buf_str(&data));
    add_be32(&frame, (uint32_t)crc32(0, (const Bytef *)data.p, (uInt)data.n));
    DP_TRY_OUT(dp_fd_write(f->file.fd, frame.p, frame.n, err));
    f->size += frame.n;
out:
    dp_buf_release(&data);
    dp_buf_release(&frame);
    return status;
}

enum dp_status dp_delta_dv_file_finish(struct dp_delta_dv_file *f, struct dp_err *err) {
    if (!f->path) return DP_OK;
    DP_TRY(dp_newfile_commit(&f->file, err));
    f->is_whole = true;
    return DP_OK;
}

void dp_delta_dv_file_keep(struct dp_delta_dv_file *f) { f->is_kept = true; }

void dp_delta_dv_file_close(struct dp_delta_dv_file *f) {
    if (!f) return;
    dp_newfile_abort(&f->file);
    if (f->is_whole && !f->is_kept) (void)unlink(f->path);
    free(f->table);
    free(f->path);
    dp_buf_release(&f->id);
    free(f);
}
