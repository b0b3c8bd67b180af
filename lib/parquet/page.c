/*
 * Column chunks and pages: finds the next page, reads its header, checks the CRC, decompresses, cuts levels from values
 * (spec: README.md of parquet-format, "Data Pages", "Column chunks", "Checksumming"; PageHeader and below in parquet.thrift).
 * Does not decode values.
 */
#include "reader_priv.h"
#include <dp/base/file.h>
#include <dp/base/num.h>
#include <stdio.h>
#include <zlib.h>

static enum dp_status fail(const struct pq_leaf *l, struct dp_err *err, enum dp_status status, int32_t page, const char *fmt, va_list ap) {
    char text[300], where[32] = "";
    struct dp_buf path = {0};
    dp_pq_leaf_path(&l->file->meta, l->number, &path);
    vsnprintf(text, sizeof text, fmt, ap);
    if (page >= 0) snprintf(where, sizeof where, ", page %d", page);
    dp_err_set(err, status, "row group %zu, column %.*s%s: %s", l->row_group, DP_STR_FMT(dp_buf_str(&path)), where, text);
    dp_err_at(err, l->file->name, 0, DP_NO_OFFSET);
    dp_buf_release(&path);
    return status;
}

enum dp_status pq_fail(const struct pq_leaf *l, struct dp_err *err, enum dp_status status, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fail(l, err, status, l->page_no, fmt, ap);
    va_end(ap);
    return status;
}

enum dp_status pq_fail_chunk(const struct pq_leaf *l, struct dp_err *err, enum dp_status status, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fail(l, err, status, -1, fmt, ap);
    va_end(ap);
    return status;
}

enum dp_status pq_chunk_begin(struct pq_leaf *l, size_t row_group, struct dp_err *err) {
    const struct dp_pq_row_group *g = &l->file->meta.row_groups[row_group];
    const struct dp_pq_chunk *c = &g->chunks[l->number];
    l->row_group = row_group;
    l->chunk = c;
    l->page_no = -1;
    l->page_off = 0;
    l->entries_total = l->entries_left = l->max_rep ? c->num_values : g->num_rows; /* without lists the rows tell: some footers miscount here */
    l->page_entries = l->page_left = 0;
    l->ahead_pos = l->ahead_n = 0;
    l->row_begun = false;
    l->dict.present = false;
    l->jumps = false;
    l->want_end = 0;
    l->dict.off = 0;
    l->shed = l->stale = false;
    dp_buf_reset(&l->previous);
    if (c->encrypted) return pq_fail(l, err, DP_UNSUPPORTED, "the column is encrypted, which is not supported");
    if (c->file_path.n) return pq_fail(l, err, DP_UNSUPPORTED, "its data is in another file (%.*s): this is a summary file", DP_STR_FMT(c->file_path));
    if (c->codec == DP_PQ_LZO) return pq_fail(l, err, DP_UNSUPPORTED, "codec LZO is not supported");
    if (l->entries_left == 0) return DP_OK; /* offsets may be anything */
    int64_t start = c->data_page_offset, end;
    if (c->dictionary_page_offset > 0 && c->dictionary_page_offset < start) start = c->dictionary_page_offset;
    if (start < 4 || c->total_compressed < 0 || dp_add_overflow(start, c->total_compressed, &end) || (uint64_t)end > l->file->data_end)
        return pq_fail(l, err, DP_FORMAT, "the column chunk lies outside of the file");
    l->next_off = (uint64_t)start;
    l->chunk_end = (uint64_t)end;
    l->hard_end = l->chunk_end + 100 < l->file->data_end ? l->chunk_end + 100 : l->file->data_end;
    return DP_OK;
}

/* Into the place of the smallest spare that is smaller. */
static void give_back(struct pq_leaf *l, struct dp_buf *b) {
    struct dp_pq_reader *r = l->reader;
    struct dp_buf *least = &r->spares[0];
    r->held -= b->cap;
    for (size_t i = 1; i < PQ_SPARES; i++)
        if (r->spares[i].cap < least->cap) least = &r->spares[i];
    if (b->cap > least->cap) {
        struct dp_buf smaller = *least;
        r->spare += b->cap - smaller.cap;
        *least = *b;
        *b = smaller;
    }
    dp_buf_release(b);
}

/* The smallest spare that is large enough, and not much larger. */
static bool take_spare(struct dp_pq_reader *r, struct dp_buf *b, size_t want) {
    struct dp_buf *best = NULL;
    for (size_t i = 0; i < PQ_SPARES; i++) {
        struct dp_buf *s = &r->spares[i];
        if (s->cap >= want && s->cap / (r->file->bound ? 2 : 8) <= want && (!best || s->cap < best->cap)) best = s;
    }
    if (!best) return false;
    r->spare -= best->cap;
    r->held += best->cap;
    *b = *best;
    b->n = 0;
    *best = (struct dp_buf){0};
    return true;
}

void pq_drop_spares(struct dp_pq_reader *r) {
    for (size_t i = 0; i < PQ_SPARES; i++) dp_buf_release(&r->spares[i]);
    r->spare = 0;
}

/* Makes room for `want` bytes in a buffer whose content is not needed, if what the reader may hold allows it. */
enum dp_status pq_claim(struct pq_leaf *l, struct dp_buf *b, size_t want, const char *what, struct dp_err *err) {
    struct dp_pq_reader *r = l->reader;
    size_t held = r->selected ? 0 : r->held - b->cap; /* selected rows jump from page to page: nothing can be given back between them */
    b->n = 0;
    if (b->p && b->cap >= want) return DP_OK;
    if (r->file->bound && (want > r->file->bound || held > r->file->bound - want))
        return pq_fail(l, err, DP_LIMIT, "%s of %zu bytes; the memory allowed has %zu left", what, want, held < r->file->bound ? (size_t)r->file->bound - held : 0);
    give_back(l, b);
    if (r->spare && take_spare(r, b, want)) return DP_OK;
    if (r->file->bound && r->held + r->spare > r->file->bound - want) pq_drop_spares(r);
    if (!r->file->bound && want > 65536) want = (want + 65535) & ~(size_t)65535; /* the next page is of about this size */
    b->p = r->region && want >= 262144 ? pq_huge_alloc(&want) : dp_alloc(want); /* exactly: a buffer that grows by doubling would take up to twice of it */
    b->cap = want;
    r->held += want;
    return DP_OK;
}

void pq_leaf_shed(struct pq_leaf *l) {
    struct dp_pq_reader *r = l->reader;
    if (l->inflated) give_back(l, &l->win); /* the next page is read again from the file */
    if (l->inflated && r->held <= r->file->bound - r->file->bound / 4) return;
    pq_leaf_done(l);
}

void pq_leaf_done(struct pq_leaf *l) {
    give_back(l, &l->win);
    give_back(l, &l->page);
    give_back(l, &l->dict.fixed);
    give_back(l, &l->dict.offsets);
    give_back(l, &l->dict.bytes);
    l->win_off = 0;
    l->shed = true;
}

/* At least n bytes at off (all within hard_end) in one piece; *have may be more. */
static enum dp_status fetch(struct pq_leaf *l, uint64_t off, size_t n, const uint8_t **p, size_t *have, struct dp_err *err) {
    const struct dp_pq_file *f = l->file;
    if (f->fd < 0) {
        *p = f->mem + off;
        *have = (size_t)(l->hard_end - off);
        return DP_OK;
    }
    if (off < l->win_off || off + n > l->win_off + l->win.n) {
        uint64_t left = l->hard_end - off;
        size_t want = n > l->read_ahead ? n : l->read_ahead;
        if (l->want_end) left = l->want_end > off + n ? l->want_end - off : n;
        if (want > left) want = (size_t)left;
        DP_TRY(pq_claim(l, &l->win, want + 64, "stored bytes", err));
        DP_TRY(dp_fd_pread(f->fd, l->win.p, want, off, err));
        l->win.n = want;
        l->win_off = off;
    }
    *p = (const uint8_t *)l->win.p + (off - l->win_off);
    *have = l->win.n - (size_t)(off - l->win_off);
    return DP_OK;
}

static enum dp_status read_header(struct pq_leaf *l, uint64_t off, struct dp_pq_page_header *h, size_t *n, struct dp_err *err) {
    uint64_t left = l->hard_end - off;
    for (size_t want = 256;; want *= 16) {
        const uint8_t *p;
        size_t have;
        struct dp_err fault = DP_ERR_INIT;
        if (want > left) want = (size_t)left;
        DP_TRY(fetch(l, off, want, &p, &have, err));
        if (have > DP_LIMIT_PAGE_HEADER) have = DP_LIMIT_PAGE_HEADER;
        if (dp_pq_page_header_parse(p, have, h, n, &fault) == DP_OK) break;
        /* A fault may only mean that more bytes are needed (statistics with long bounds). */
        if (have >= left || have >= DP_LIMIT_PAGE_HEADER) return pq_fail(l, err, DP_FORMAT, "%s", fault.msg);
    }
    if ((uint32_t)h->compressed_size > DP_LIMIT_PAGE)
        return pq_fail(l, err, DP_LIMIT, "a page of %d bytes; the limit is %u", h->compressed_size, DP_LIMIT_PAGE);
    if ((uint32_t)h->compressed_size > left - *n) return pq_fail(l, err, DP_FORMAT, "the page runs past its column chunk");
    return DP_OK;
}

/* Decompresses `n` bytes to exactly `raw` bytes in l->page. */
static enum dp_status inflate_page(struct pq_leaf *l, const uint8_t *p, size_t n, size_t raw, struct dp_err *err) {
    if (raw > DP_LIMIT_PAGE)
        return pq_fail(l, err, DP_LIMIT, "a page of %zu bytes; the limit is %u", raw, DP_LIMIT_PAGE);
    DP_TRY(pq_claim(l, &l->page, raw + PQ_SLACK, "a page", err));
    l->page.n = raw;
    if (raw == 0 && n == 0) return DP_OK;
    enum dp_status status = dp_codec_decompress(l->reader->codec, l->chunk->codec, p, n, l->page.p, raw, err);
    if (status == DP_OK) return DP_OK;
    char why[256];
    snprintf(why, sizeof why, "%.250s", err ? err->msg : "");
    return pq_fail(l, err, status, "%s", why);
}

/* Body of a version 1 or dictionary page, decompressed. */
static enum dp_status whole_body(struct pq_leaf *l, const struct dp_pq_page_header *h, const uint8_t **p, size_t *n, struct dp_err *err) {
    if (l->chunk->codec == DP_PQ_UNCOMPRESSED) {
        *n = (size_t)h->compressed_size; /* a differing raw size is the writer's slip: these are the bytes */
        return DP_OK;
    }
    DP_TRY(inflate_page(l, *p, (size_t)h->compressed_size, (size_t)h->uncompressed_size, err));
    *p = (const uint8_t *)l->page.p;
    *n = l->page.n;
    return DP_OK;
}

static enum dp_status check_encoding(struct pq_leaf *l, int32_t encoding, struct dp_err *err) {
    if (encoding == DP_PQ_ALP) return pq_fail(l, err, DP_UNSUPPORTED, "encoding ALP is not supported");
    if (encoding < 0 || encoding > DP_PQ_BYTE_STREAM_SPLIT || encoding == 1 || encoding == DP_PQ_BIT_PACKED)
        return pq_fail(l, err, encoding > DP_PQ_ALP ? DP_UNSUPPORTED : DP_FORMAT, "unknown encoding %d", encoding);
    return DP_OK;
}

/* Levels in front of a version 1 page's values. */
static enum dp_status cut_levels(struct pq_leaf *l, struct dp_levels *lv, unsigned max, int32_t encoding, int32_t entries, const uint8_t **p,
                                 size_t *n, struct dp_err *err) {
    if (max == 0) {
        dp_levels_init_zero(lv);
        return DP_OK;
    }
    size_t bytes;
    if (encoding == DP_PQ_RLE) {
        if (*n < 4) return pq_fail(l, err, DP_FORMAT, "levels cut short");
        bytes = dp_load32(*p);
        *p += 4, *n -= 4;
        if (bytes > *n) return pq_fail(l, err, DP_FORMAT, "levels run past the page");
        dp_levels_init_hybrid(lv, *p, bytes, max);
    } else if (encoding == DP_PQ_BIT_PACKED) {
        bytes = ((uint64_t)(uint32_t)entries * dp_level_width(max) + 7) / 8;
        if (bytes > *n) return pq_fail(l, err, DP_FORMAT, "levels run past the page");
        dp_levels_init_packed(lv, *p, bytes, max);
    } else {
        return pq_fail(l, err, DP_FORMAT, "unknown encoding %d of levels", encoding);
    }
    *p += bytes, *n -= bytes;
    return DP_OK;
}

static enum dp_status begin_v1(struct pq_leaf *l, const struct dp_pq_page_header *h, const uint8_t *p, struct dp_err *err) {
    size_t n;
    DP_TRY(check_encoding(l, h->encoding, err));
    DP_TRY(whole_body(l, h, &p, &n, err));
    DP_TRY(cut_levels(l, &l->rep, l->max_rep, h->rep_encoding, h->num_values, &p, &n, err));
    DP_TRY(cut_levels(l, &l->def, l->max_def, h->def_encoding, h->num_values, &p, &n, err));
    pq_values_begin(l, (enum dp_pq_encoding)h->encoding, p, n);
    return DP_OK;
}

static enum dp_status begin_v2(struct pq_leaf *l, const struct dp_pq_page_header *h, const uint8_t *p, struct dp_err *err) {
    DP_TRY(check_encoding(l, h->encoding, err));
    int32_t levels = h->def_bytes + h->rep_bytes; /* the header's parser holds them to the page's sizes */
    size_t stored = (size_t)(h->compressed_size - levels), raw = (size_t)(h->uncompressed_size - levels);
    if (l->max_rep) dp_levels_init_hybrid(&l->rep, p, (size_t)h->rep_bytes, l->max_rep);
    else dp_levels_init_zero(&l->rep);
    /* Levels stay where they are stored: the window outlives the page. */
    p += h->rep_bytes;
    if (l->max_def) dp_levels_init_hybrid(&l->def, p, (size_t)h->def_bytes, l->max_def);
    else dp_levels_init_zero(&l->def);
    p += h->def_bytes;
    /* Early Arrow C++ compressed while saying that it had not. */
    if (l->chunk->codec != DP_PQ_UNCOMPRESSED && (h->is_compressed || stored != raw) && stored) {
        DP_TRY(inflate_page(l, p, stored, raw, err));
        p = (const uint8_t *)l->page.p;
        stored = l->page.n;
    }
    pq_values_begin(l, (enum dp_pq_encoding)h->encoding, p, stored);
    return DP_OK;
}

static enum dp_status load_dictionary(struct pq_leaf *l, const struct dp_pq_page_header *h, const uint8_t *p, struct dp_err *err) {
    size_t n;
    if (l->dict.present) return pq_fail(l, err, DP_FORMAT, "a second dictionary page");
    if (h->encoding != DP_PQ_PLAIN && h->encoding != DP_PQ_PLAIN_DICTIONARY)
        return pq_fail(l, err, DP_FORMAT, "unknown encoding %d of a dictionary", h->encoding);
    DP_TRY(whole_body(l, h, &p, &n, err));
    return pq_dictionary_load(l, p, n, h->num_values, err);
}

static enum dp_status begin_data(struct pq_leaf *l, const struct dp_pq_page_header *h, const uint8_t *p, struct dp_err *err) {
    bool v2 = h->type == DP_PQ_DATA_PAGE_V2;
    if (h->num_values > l->entries_left) return pq_fail(l, err, DP_FORMAT, "more values in pages than the column chunk has");
    DP_TRY(v2 ? begin_v2(l, h, p, err) : begin_v1(l, h, p, err));
    l->inflated = !v2 && l->chunk->codec != DP_PQ_UNCOMPRESSED;
    l->entries_left -= h->num_values;
    l->page_entries = l->page_left = h->num_values;
    return DP_OK;
}

enum dp_status pq_page_next(struct pq_leaf *l, struct dp_err *err) {
    for (;;) {
        struct dp_pq_page_header h;
        const uint8_t *p;
        size_t n, have;
        l->page_no++;
        uint64_t off = l->next_off;
        if (off >= l->chunk_end) return pq_fail(l, err, DP_FORMAT, "the pages hold fewer values than the column chunk says");
        DP_TRY(read_header(l, off, &h, &n, err));
        DP_TRY(fetch(l, off + n, (size_t)h.compressed_size, &p, &have, err));
        l->page_off = off;
        l->next_off = off + n + (uint32_t)h.compressed_size;
        if (h.type != DP_PQ_DATA_PAGE && h.type != DP_PQ_DATA_PAGE_V2 && h.type != DP_PQ_DICTIONARY_PAGE) continue;
        if (h.has_crc && h.crc != (uint32_t)crc32(0, p, (uInt)h.compressed_size)) return pq_fail(l, err, DP_FORMAT, "the page's checksum does not match");
        if (h.type == DP_PQ_DICTIONARY_PAGE) {
            DP_TRY(load_dictionary(l, &h, p, err));
            l->dict.off = off;
            continue;
        }
        DP_TRY(begin_data(l, &h, p, err));
        if (l->jumps) DP_TRY(pq_select_page(l, off, err));
        if (l->page_entries) return DP_OK;
    }
}

enum dp_status pq_page_pass(struct pq_leaf *l, int64_t most, int64_t *passed, struct dp_err *err) {
    *passed = 0;
    for (;;) {
        struct dp_pq_page_header h;
        size_t n;
        uint64_t off = l->next_off;
        if (off >= l->chunk_end) return DP_OK; /* whoever wants a page will say so */
        DP_TRY(read_header(l, off, &h, &n, err));
        if (h.type == DP_PQ_DICTIONARY_PAGE) {
            const uint8_t *p;
            size_t have;
            l->page_no++;
            DP_TRY(fetch(l, off + n, (size_t)h.compressed_size, &p, &have, err));
            if (h.has_crc && h.crc != (uint32_t)crc32(0, p, (uInt)h.compressed_size)) return pq_fail(l, err, DP_FORMAT, "the page's checksum does not match");
            DP_TRY(load_dictionary(l, &h, p, err));
            l->dict.off = off;
        } else if (h.type == DP_PQ_DATA_PAGE || h.type == DP_PQ_DATA_PAGE_V2) {
            if (h.num_values > most || h.num_values > l->entries_left) return DP_OK;
            l->page_no++;
            l->entries_left -= h.num_values;
            *passed = h.num_values;
        }
        l->next_off = off + n + (uint32_t)h.compressed_size;
        if (*passed) return DP_OK;
    }
}

enum dp_status pq_page_prelude(struct pq_leaf *l, struct dp_err *err) {
    uint64_t first = (uint64_t)l->pages.pages[0].offset;
    l->want_end = first;
    while (l->next_off < first) {
        int64_t passed;
        uint64_t before = l->next_off;
        DP_TRY(pq_page_pass(l, 0, &passed, err));
        if (l->next_off == before) return pq_fail(l, err, DP_FORMAT, "a data page before the first one of the offset index");
    }
    return DP_OK;
}

enum dp_status pq_dictionary_again(struct pq_leaf *l, struct dp_err *err) {
    struct dp_pq_page_header h;
    const uint8_t *p;
    size_t n, have;
    l->dict.present = false;
    DP_TRY(read_header(l, l->dict.off, &h, &n, err));
    DP_TRY(fetch(l, l->dict.off + n, (size_t)h.compressed_size, &p, &have, err));
    if (h.type != DP_PQ_DICTIONARY_PAGE) return pq_fail(l, err, DP_FORMAT, "the file changed while it was read");
    return load_dictionary(l, &h, p, err);
}
