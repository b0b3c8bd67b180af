/*
 * Batches of columns: memory, appending, copying rows.  Layout: dp/record/batch.h (Arrow columnar format, physical layouts).
 * Buffers with capacity 0 are borrowed; they are copied before they grow.
 */
#include <dp/record/batch.h>

#include <dp/record/json.h>
#include <stdlib.h>

#define FIRST_BYTES 64

static bool has_offsets(const struct dp_type *t) {
    return dp_type_is_bytes(t) || t->id == DP_TYPE_LIST || t->id == DP_TYPE_MAP;
}

/*
 * Makes *p hold at least `want` bytes, keeping the first `used`; a borrowed buffer becomes an owned one.  It doubles, but what is more than twice
 * as much was asked for by somebody who knows how much it will be, and is taken as it is.
 */
static void *grow_bytes(void *p, size_t used, size_t *cap, size_t want) {
    if (*cap >= want && p) return p;
    size_t n = *cap ? *cap : FIRST_BYTES / 2;
    n = n > SIZE_MAX / 2 || n * 2 < want ? want : n * 2;
    if (*cap) p = dp_realloc(p, n);
    else {
        void *q = dp_alloc(n);
        if (used) memcpy(q, p, used);
        p = q;
    }
    *cap = n;
    return p;
}

static size_t bitmap_bytes(int64_t rows) { return (size_t)((rows + 7) >> 3); }

void dp_column_init(struct dp_column *c, const struct dp_type *type) {
    memset(c, 0, sizeof *c);
    c->type = type;
    if (has_offsets(type)) {
        c->offsets = grow_bytes(NULL, 0, &c->offsets_cap, FIRST_BYTES);
        c->offsets[0] = 0;
    }
    if (!type->n_children) return;
    c->children = dp_calloc(type->n_children, sizeof *c->children);
    c->n_children = type->n_children;
    for (size_t i = 0; i < c->n_children; i++) dp_column_init(&c->children[i], type->children[i]);
}

void dp_column_release(struct dp_column *c) {
    if (c->validity_cap) free(c->validity);
    if (c->offsets_cap) free(c->offsets);
    if (c->data_cap) free(c->data);
    for (size_t i = 0; i < c->n_children; i++) dp_column_release(&c->children[i]);
    free(c->children);
    memset(c, 0, sizeof *c);
}

/* The bitmap is dropped too: a batch without nulls has none, whatever was in the batch before. */
void dp_column_reset(struct dp_column *c) {
    if (c->validity_cap) free(c->validity);
    c->validity = NULL;
    c->validity_cap = 0;
    if (!c->data_cap) c->data = NULL;
    if (has_offsets(c->type)) {
        if (!c->offsets_cap) c->offsets = NULL;
        c->offsets = grow_bytes(c->offsets, 0, &c->offsets_cap, FIRST_BYTES);
        c->offsets[0] = 0;
    }
    c->length = c->null_count = 0;
    c->data_n = 0;
    for (size_t i = 0; i < c->n_children; i++) dp_column_reset(&c->children[i]);
}

uint8_t *dp_column_room(struct dp_column *c, size_t bytes) {
    size_t want;
    if (__builtin_add_overflow(c->data_n, bytes, &want)) want = SIZE_MAX;
    if (want > INT32_MAX && has_offsets(c->type)) want = SIZE_MAX; /* cannot be had: ends in the out-of-memory hook */
    c->data = grow_bytes(c->data, c->data_n, &c->data_cap, want);
    return c->data + c->data_n;
}

void dp_column_reserve(struct dp_column *c, int64_t rows) {
    int64_t all = c->length + rows;
    if (c->validity)
        c->validity = grow_bytes(c->validity, bitmap_bytes(c->length), &c->validity_cap, bitmap_bytes(all));
    size_t width = dp_type_width(c->type);
    if (width) dp_column_room(c, (size_t)rows * width);
    else if (c->type->id == DP_TYPE_BOOLEAN)
        c->data = grow_bytes(c->data, c->data_n, &c->data_cap, bitmap_bytes(all));
    else if (has_offsets(c->type))
        c->offsets = grow_bytes(c->offsets, ((size_t)c->length + 1) * 4, &c->offsets_cap, ((size_t)all + 1) * 4);
    else if (c->type->id == DP_TYPE_STRUCT)
        for (size_t i = 0; i < c->n_children; i++) dp_column_reserve(&c->children[i], rows);
}

/* Sets bits [from, from + n). */
static void bits_fill(uint8_t *bits, int64_t from, int64_t n, bool v) {
    for (; n > 0 && (from & 7); n--, from++) dp_bit_put(bits, from, v);
    memset(bits + (from >> 3), v ? 0xff : 0, (size_t)(n >> 3));
    for (from += n & ~(int64_t)7, n &= 7; n > 0; n--, from++) dp_bit_put(bits, from, v);
}

static void bits_copy(uint8_t *to, int64_t at, const uint8_t *from, int64_t i, int64_t n) {
    if (((at | i) & 7) == 0) {
        int64_t whole = n & ~(int64_t)7;
        memcpy(to + (at >> 3), from + (i >> 3), (size_t)(whole >> 3));
        at += whole, i += whole, n -= whole;
    }
    for (; n > 0 && (at & 7); n--, at++, i++) dp_bit_put(to, at, from[i >> 3] >> (i & 7) & 1);
    for (unsigned k = (unsigned)(i & 7); n >= 64 + 8; n -= 64, at += 64, i += 64) { /* eight bytes from nine */
        uint64_t w;
        memcpy(&w, from + (i >> 3), 8);
        w >>= k;
        if (k) w |= (uint64_t)from[(i >> 3) + 8] << (64 - k);
        memcpy(to + (at >> 3), &w, 8);
    }
    for (; n > 0; n--, at++, i++) dp_bit_put(to, at, from[i >> 3] >> (i & 7) & 1);
}

/* As many rows as the widest other buffer has room for, so that the bitmap need not grow row by row. */
static void need_validity_for(struct dp_column *c, int64_t rows) {
    if (c->validity) return;
    c->validity = grow_bytes(NULL, 0, &c->validity_cap, bitmap_bytes(c->length + rows));
    bits_fill(c->validity, 0, c->length, true);
}

void dp_column_need_validity(struct dp_column *c) {
    int64_t rows = 1;
    if (c->offsets) rows = (int64_t)(c->offsets_cap / 4);
    else if (dp_type_width(c->type)) rows = (int64_t)(c->data_cap / dp_type_width(c->type));
    need_validity_for(c, rows > c->length ? rows - c->length : 1);
}

/* Room in the bitmap alone. */
static void reserve_validity(struct dp_column *c, int64_t rows) {
    c->validity = grow_bytes(c->validity, bitmap_bytes(c->length), &c->validity_cap, bitmap_bytes(c->length + rows));
}

void dp_column_push_valid(struct dp_column *c, int64_t n) {
    if (c->validity) {
        reserve_validity(c, n);
        bits_fill(c->validity, c->length, n, true);
    }
    c->length += n;
}

void dp_column_append_fixed(struct dp_column *c, const void *values, int64_t n) {
    size_t bytes = (size_t)n * dp_type_width(c->type);
    uint8_t *at = dp_column_room(c, bytes);
    if (bytes) memcpy(at, values, bytes);
    c->data_n += bytes;
    dp_column_push_valid(c, n);
}

void dp_column_append_bool(struct dp_column *c, bool v) {
    dp_column_reserve(c, 1);
    dp_bit_put(c->data, c->length, v);
    c->data_n = bitmap_bytes(c->length + 1);
    dp_column_push_valid(c, 1);
}

void dp_column_append_bytes(struct dp_column *c, const void *p, size_t n) {
    dp_column_reserve(c, 1);
    uint8_t *at = dp_column_room(c, n);
    if (n) memcpy(at, p, n);
    c->data_n += n;
    c->offsets[c->length + 1] = (int32_t)c->data_n;
    dp_column_push_valid(c, 1);
}

void dp_column_append_nulls(struct dp_column *c, int64_t n) {
    if (n <= 0) return;
    dp_column_reserve(c, n);
    if (c->type->id == DP_TYPE_NONE) {
        c->length += n, c->null_count += n;
        return;
    }
    need_validity_for(c, n);
    bits_fill(c->validity, c->length, n, false);
    size_t width = dp_type_width(c->type);
    if (width) {
        memset(c->data + c->data_n, 0, width * (size_t)n);
        c->data_n += width * (size_t)n;
    } else if (c->type->id == DP_TYPE_BOOLEAN) {
        bits_fill(c->data, c->length, n, false);
        c->data_n = bitmap_bytes(c->length + n);
    } else if (has_offsets(c->type)) {
        int32_t end = c->offsets[c->length];
        for (int64_t i = 1; i <= n; i++) c->offsets[c->length + i] = end;
    } else {
        for (size_t i = 0; i < c->n_children; i++) dp_column_append_nulls(&c->children[i], n);
    }
    c->length += n;
    c->null_count += n;
}

void dp_column_append_null(struct dp_column *c) { dp_column_append_nulls(c, 1); }

/* Children first and in any case: a row that was given up half-way is in them and not yet in the parent. */
void dp_column_truncate(struct dp_column *c, int64_t length) {
    if (length > c->length) return;
    int64_t end = c->offsets ? c->offsets[length] : length, cut = c->length - length;
    for (size_t i = 0; i < c->n_children; i++) dp_column_truncate(&c->children[i], end);
    if (!cut) return;
    if (c->type->id == DP_TYPE_NONE) c->null_count -= cut;
    else if (c->validity) {
        c->null_count -= cut - dp_bits_count(c->validity, length, cut);
        if (length & 7) c->validity[length >> 3] &= (uint8_t)((1u << (length & 7)) - 1);
    }
    size_t width = dp_type_width(c->type);
    if (width) c->data_n = width * (size_t)length;
    else if (c->type->id == DP_TYPE_BOOLEAN) {
        c->data_n = bitmap_bytes(length);
        if (length & 7) c->data[length >> 3] &= (uint8_t)((1u << (length & 7)) - 1);
    } else if (dp_type_is_bytes(c->type)) c->data_n = (size_t)end;
    c->length = length;
}

void dp_batch_drop_last(struct dp_batch *b) {
    b->length--;
    for (size_t i = 0; i < b->n_columns; i++) dp_column_truncate(&b->columns[i], b->length);
}

static void append_validity(struct dp_column *c, const struct dp_column *src, int64_t from, int64_t n) {
    int64_t nulls = src->validity ? n - dp_bits_count(src->validity, from, n) : 0;
    if (!nulls) {
        if (c->validity) bits_fill(c->validity, c->length, n, true);
        return;
    }
    need_validity_for(c, n);
    bits_copy(c->validity, c->length, src->validity, from, n);
    c->null_count += nulls;
}

static void append_offsets(struct dp_column *c, const struct dp_column *src, int64_t from, int64_t n) {
    int64_t shift = (int64_t)c->offsets[c->length] - src->offsets[from];
    for (int64_t i = 1; i <= n; i++) c->offsets[c->length + i] = (int32_t)(src->offsets[from + i] + shift);
}

void dp_column_append(struct dp_column *c, const struct dp_column *src, int64_t from, int64_t n) {
    if (n <= 0) return;
    dp_column_reserve(c, n);
    if (c->type->id == DP_TYPE_NONE) {
        c->length += n, c->null_count += n;
        return;
    }
    append_validity(c, src, from, n);
    size_t width = dp_type_width(c->type);
    if (width) {
        memcpy(c->data + c->data_n, src->data + (size_t)from * width, (size_t)n * width);
        c->data_n += (size_t)n * width;
    } else if (c->type->id == DP_TYPE_BOOLEAN) {
        bits_copy(c->data, c->length, src->data, from, n);
        c->data_n = bitmap_bytes(c->length + n);
    } else if (dp_type_is_bytes(c->type)) {
        size_t bytes = (size_t)(src->offsets[from + n] - src->offsets[from]);
        uint8_t *at = dp_column_room(c, bytes);
        if (bytes) memcpy(at, src->data + src->offsets[from], bytes);
        append_offsets(c, src, from, n);
        c->data_n += bytes;
    } else if (c->type->id == DP_TYPE_STRUCT) {
        for (size_t i = 0; i < c->n_children; i++) dp_column_append(&c->children[i], &src->children[i], from, n);
    } else {
        int64_t first = src->offsets[from], count = src->offsets[from + n] - first;
        if (c->children[0].length + count > INT32_MAX) dp_column_room(c, SIZE_MAX);
        append_offsets(c, src, from, n);
        for (size_t i = 0; i < c->n_children; i++) dp_column_append(&c->children[i], &src->children[i], first, count);
    }
    c->length += n;
}

/* ---- gathering rows by number ---- */

static void gather_validity(struct dp_column *c, const struct dp_column *src, const uint32_t *rows, size_t n) {
    if (!src->validity || !src->null_count) {
        if (c->validity) bits_fill(c->validity, c->length, (int64_t)n, true);
        return;
    }
    int64_t nulls = 0;
    for (size_t i = 0; i < n; i++) nulls += !(src->validity[rows[i] >> 3] >> (rows[i] & 7) & 1);
    if (!nulls) {
        if (c->validity) bits_fill(c->validity, c->length, (int64_t)n, true);
        return;
    }
    need_validity_for(c, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        dp_bit_put(c->validity, c->length + (int64_t)i, src->validity[rows[i] >> 3] >> (rows[i] & 7) & 1);
    c->null_count += nulls;
}

static void gather_fixed(struct dp_column *c, const struct dp_column *src, const uint32_t *rows, size_t n, size_t width) {
    uint8_t *at = c->data + c->data_n;
    c->data_n += n * width;
    if (width == 8) {
        for (size_t i = 0; i < n; i++, at += 8) memcpy(at, src->data + (size_t)rows[i] * 8, 8);
    } else if (width == 4) {
        for (size_t i = 0; i < n; i++, at += 4) memcpy(at, src->data + (size_t)rows[i] * 4, 4);
    } else if (width == 16) {
        for (size_t i = 0; i < n; i++, at += 16) memcpy(at, src->data + (size_t)rows[i] * 16, 16);
    } else {
        for (size_t i = 0; i < n; i++, at += width) memcpy(at, src->data + (size_t)rows[i] * width, width);
    }
}

static void gather_bytes(struct dp_column *c, const struct dp_column *src, const uint32_t *rows, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += (size_t)(src->offsets[rows[i] + 1] - src->offsets[rows[i]]);
    uint8_t *at = dp_column_room(c, total), *start = c->data;
    for (size_t i = 0; i < n; i++) {
        size_t len = (size_t)(src->offsets[rows[i] + 1] - src->offsets[rows[i]]);
        if (len) memcpy(at, src->data + src->offsets[rows[i]], len);
        at += len;
        c->offsets[(size_t)c->length + i + 1] = (int32_t)(at - start);
    }
    c->data_n += total;
}

static void gather(struct dp_column *c, const struct dp_column *src, const uint32_t *rows, size_t n) {
    if (!n) return;
    if (c->type->id == DP_TYPE_LIST || c->type->id == DP_TYPE_MAP) {
        for (size_t i = 0; i < n; i++) dp_column_append(c, src, rows[i], 1);
        return;
    }
    dp_column_reserve(c, (int64_t)n);
    size_t width = dp_type_width(c->type);
    if (c->type->id == DP_TYPE_NONE) c->null_count += (int64_t)n;
    else gather_validity(c, src, rows, n);
    if (width) gather_fixed(c, src, rows, n, width);
    else if (c->type->id == DP_TYPE_BOOLEAN) {
        for (size_t i = 0; i < n; i++)
            dp_bit_put(c->data, c->length + (int64_t)i, src->data[rows[i] >> 3] >> (rows[i] & 7) & 1);
        c->data_n = bitmap_bytes(c->length + (int64_t)n);
    } else if (dp_type_is_bytes(c->type)) gather_bytes(c, src, rows, n);
    else
        for (size_t i = 0; i < c->n_children; i++) gather(&c->children[i], &src->children[i], rows, n);
    c->length += (int64_t)n;
}

/* ---- batches ---- */

void dp_batch_init(struct dp_batch *b, const struct dp_type *schema) {
    b->schema = schema;
    b->length = 0;
    b->n_columns = schema->n_children;
    b->columns = b->n_columns ? dp_calloc(b->n_columns, sizeof *b->columns) : NULL;
    for (size_t i = 0; i < b->n_columns; i++) dp_column_init(&b->columns[i], schema->children[i]);
}

void dp_batch_reset(struct dp_batch *b) {
    b->length = 0;
    for (size_t i = 0; i < b->n_columns; i++) dp_column_reset(&b->columns[i]);
}

void dp_batch_release(struct dp_batch *b) {
    for (size_t i = 0; i < b->n_columns; i++) dp_column_release(&b->columns[i]);
    free(b->columns);
    memset(b, 0, sizeof *b);
}

size_t dp_column_bytes(const struct dp_column *c) {
    size_t n = c->data_n + (c->validity ? bitmap_bytes(c->length) : 0) + (c->offsets ? ((size_t)c->length + 1) * 4 : 0);
    for (size_t i = 0; i < c->n_children; i++) n += dp_column_bytes(&c->children[i]);
    return n;
}

size_t dp_batch_bytes(const struct dp_batch *b) {
    size_t n = 0;
    for (size_t i = 0; i < b->n_columns; i++) n += dp_column_bytes(&b->columns[i]);
    return n;
}

void dp_batch_append(struct dp_batch *dst, const struct dp_batch *src, int64_t from, int64_t n) {
    for (size_t i = 0; i < dst->n_columns; i++) dp_column_append(&dst->columns[i], &src->columns[i], from, n);
    dst->length += n;
}

void dp_batch_gather(struct dp_batch *dst, const struct dp_batch *src, const uint32_t *rows, size_t n) {
    for (size_t i = 0; i < dst->n_columns; i++) gather(&dst->columns[i], &src->columns[i], rows, n);
    dst->length += (int64_t)n;
}

/* ---- rows of several batches ---- */

static bool is_valid_at(const struct dp_column *const *src, const uint32_t *from, const uint32_t *rows, size_t i) { return dp_column_is_valid(src[from[i]], rows[i]); }

static void mix_validity(struct dp_column *c, const struct dp_column *const *src, const uint32_t *from, const uint32_t *rows, size_t n) {
    int64_t nulls = 0;
    for (size_t i = 0; i < n; i++) nulls += !is_valid_at(src, from, rows, i);
    if (!nulls) {
        if (c->validity) bits_fill(c->validity, c->length, (int64_t)n, true);
        return;
    }
    need_validity_for(c, (int64_t)n);
    for (size_t i = 0; i < n; i++) dp_bit_put(c->validity, c->length + (int64_t)i, is_valid_at(src, from, rows, i));
    c->null_count += nulls;
}

static void mix_fixed(struct dp_column *c, const struct dp_column *const *src, const uint32_t *from, const uint32_t *rows, size_t n, size_t width) {
    uint8_t *at = c->data + c->data_n;
    c->data_n += n * width;
    if (width == 8)
        for (size_t i = 0; i < n; i++, at += 8) memcpy(at, src[from[i]]->data + (size_t)rows[i] * 8, 8);
    else
        for (size_t i = 0; i < n; i++, at += width) memcpy(at, src[from[i]]->data + (size_t)rows[i] * width, width);
}

static void mix_bytes(struct dp_column *c, const struct dp_column *const *src, const uint32_t *from, const uint32_t *rows, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += (size_t)(src[from[i]]->offsets[rows[i] + 1] - src[from[i]]->offsets[rows[i]]);
    uint8_t *at = dp_column_room(c, total), *start = c->data;
    for (size_t i = 0; i < n; i++) {
        const struct dp_column *s = src[from[i]];
        size_t len = (size_t)(s->offsets[rows[i] + 1] - s->offsets[rows[i]]);
        if (len) memcpy(at, s->data + s->offsets[rows[i]], len);
        at += len;
        c->offsets[(size_t)c->length + i + 1] = (int32_t)(at - start);
    }
    c->data_n += total;
}

/* src: the column of each batch. */
static void mix(struct dp_column *c, const struct dp_column *const *src, size_t n_src, const uint32_t *from, const uint32_t *rows, size_t n) {
    if (c->type->id == DP_TYPE_LIST || c->type->id == DP_TYPE_MAP) {
        for (size_t i = 0; i < n; i++) dp_column_append(c, src[from[i]], rows[i], 1);
        return;
    }
    dp_column_reserve(c, (int64_t)n);
    size_t width = dp_type_width(c->type);
    if (c->type->id == DP_TYPE_NONE) c->null_count += (int64_t)n;
    else mix_validity(c, src, from, rows, n);
    if (width) {
        mix_fixed(c, src, from, rows, n, width);
    } else if (c->type->id == DP_TYPE_BOOLEAN) {
        for (size_t i = 0; i < n; i++) dp_bit_put(c->data, c->length + (int64_t)i, src[from[i]]->data[rows[i] >> 3] >> (rows[i] & 7) & 1);
        c->data_n = bitmap_bytes(c->length + (int64_t)n);
    } else if (dp_type_is_bytes(c->type)) {
        mix_bytes(c, src, from, rows, n);
    } else if (c->n_children) {
        const struct dp_column **below = dp_calloc(n_src, sizeof *below);
        for (size_t k = 0; k < c->n_children; k++) {
            for (size_t i = 0; i < n_src; i++) below[i] = &src[i]->children[k];
            mix(&c->children[k], below, n_src, from, rows, n);
        }
        free(below);
    }
    c->length += (int64_t)n;
}

void dp_batch_mix(struct dp_batch *dst, const struct dp_batch *const *srcs, const uint32_t *from, const uint32_t *rows, size_t n) {
    if (!n) return;
    size_t n_src = 0;
    for (size_t i = 0; i < n; i++) n_src = from[i] >= n_src ? from[i] + 1 : n_src;
    const struct dp_column **src = dp_calloc(n_src, sizeof *src);
    for (size_t k = 0; k < dst->n_columns; k++) {
        for (size_t i = 0; i < n_src; i++) src[i] = &srcs[i]->columns[k];
        mix(&dst->columns[k], src, n_src, from, rows, n);
    }
    free(src);
    dst->length += (int64_t)n;
}

/* ---- UTF-8 ---- */

/* All values at once first; a border inside a character shows as a value that starts with a continuation byte. */
bool dp_column_utf8(const struct dp_column *c, int64_t *row) {
    for (size_t i = 0; i < c->n_children; i++)
        if (!dp_column_utf8(&c->children[i], row)) return false;
    if (!dp_type_is_bytes(c->type) || c->type->id == DP_TYPE_BINARY || !c->length) return true;
    const char *data = (const char *)c->data;
    size_t from = (size_t)c->offsets[0], n = (size_t)c->offsets[c->length] - from;
    if (!n || dp_is_ascii(data + from, n)) return true;
    bool whole = dp_utf8_valid(data + from, n, NULL);
    for (int64_t i = 0; i < c->length; i++) {
        size_t at = (size_t)c->offsets[i], len = (size_t)c->offsets[i + 1] - at;
        bool ok = whole ? !len || ((uint8_t)data[at] & 0xc0) != 0x80 : dp_utf8_valid(data + at, len, NULL);
        if (ok) continue;
        if (row) *row = i;
        return false;
    }
    return true;
}
