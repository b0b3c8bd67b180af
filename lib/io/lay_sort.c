/* Order of rows by columns: nulls last, NaN above all numbers, strings bytewise, ties in the order of arrival. */
#include "lay_priv.h"

#include <dp/base/num.h>

#include <stdlib.h>

enum dp_status dp_lay_sort_parse(struct dp_lay_sort *s, const char *text, const struct dp_type *schema, struct dp_err *err) {
    size_t cap = 0;
    for (const char *p = text; p && *p;) {
        const char *comma = strchr(p, ',');
        struct dp_str word = dp_str(p, comma ? (size_t)(comma - p) : strlen(p));
        struct dp_lay_sort_key k = {0};
        p += word.n + (comma != NULL);
        while (word.n && word.p[0] == ' ') word.p++, word.n--;
        while (word.n && word.p[word.n - 1] == ' ') word.n--;
        if (word.n && word.p[0] == '-') k.descending = true, word.p++, word.n--;
        while (k.column < schema->n_children && !dp_str_eqz(word, schema->children[k.column]->name)) k.column++;
        if (k.column == schema->n_children) {
            const char *near = dp_type_nearest(schema, word);
            return dp_err_set(err, DP_USAGE, "--sort: the files have no column \"%.*s\"%s%s%s", DP_STR_FMT(word), near ? "; did you mean \"" : "", near ? near : "",
                              near ? "\"?" : "");
        }
        if (dp_type_is_nested(schema->children[k.column])) return dp_err_set(err, DP_USAGE, "--sort: column %.*s has no order", DP_STR_FMT(word));
        s->keys = dp_grow(s->keys, &cap, s->n + 1, sizeof *s->keys);
        s->keys[s->n++] = k;
    }
    return DP_OK;
}

#define CMP(x, y) (((x) > (y)) - ((x) < (y)))
#define CMP_AS(type)                                                                                                                                 \
    do {                                                                                                                                             \
        type x, y;                                                                                                                                   \
        memcpy(&x, a->data + (size_t)i * sizeof x, sizeof x), memcpy(&y, b->data + (size_t)j * sizeof y, sizeof y);                                  \
        return CMP(x, y);                                                                                                                            \
    } while (0)

static int cmp_double(double x, double y) { return x != x || y != y ? CMP(x != x, y != y) : CMP(x, y); }

static int cmp_bytes(const struct dp_column *a, int64_t i, const struct dp_column *b, int64_t j, size_t width) {
    if (width) return memcmp(a->data + (size_t)i * width, b->data + (size_t)j * width, width);
    struct dp_str x = dp_str((const char *)a->data + a->offsets[i], (size_t)(a->offsets[i + 1] - a->offsets[i]));
    struct dp_str y = dp_str((const char *)b->data + b->offsets[j], (size_t)(b->offsets[j + 1] - b->offsets[j]));
    return dp_str_cmp(x, y);
}

static double half(const uint8_t *p) {
    unsigned h = p[0] | (unsigned)p[1] << 8, exponent = h >> 10 & 31, fraction = h & 1023;
    double x = exponent == 31 ? (fraction ? __builtin_nan("") : __builtin_inf()) : exponent == 0 ? fraction * 0x1p-24 : __builtin_ldexp(1024 + fraction, (int)exponent - 25);
    return h >> 15 ? -x : x;
}

static int cmp_value(const struct dp_column *a, int64_t i, const struct dp_column *b, int64_t j) {
    switch (a->type->id) {
    case DP_TYPE_BOOLEAN: return (a->data[i >> 3] >> (i & 7) & 1) - (b->data[j >> 3] >> (j & 7) & 1);
    case DP_TYPE_INT8: CMP_AS(int8_t);
    case DP_TYPE_INT16: CMP_AS(int16_t);
    case DP_TYPE_INT32:
    case DP_TYPE_DATE: CMP_AS(int32_t);
    case DP_TYPE_INT64:
    case DP_TYPE_TIME:
    case DP_TYPE_TIMESTAMP: CMP_AS(int64_t);
    case DP_TYPE_UINT8: CMP_AS(uint8_t);
    case DP_TYPE_UINT16: CMP_AS(uint16_t);
    case DP_TYPE_UINT32: CMP_AS(uint32_t);
    case DP_TYPE_UINT64: CMP_AS(uint64_t);
    case DP_TYPE_DECIMAL: CMP_AS(dp_i128);
    case DP_TYPE_FLOAT16: return cmp_double(half(a->data + 2 * i), half(b->data + 2 * j));
    case DP_TYPE_FLOAT: {
        float x, y;
        memcpy(&x, a->data + 4 * i, 4), memcpy(&y, b->data + 4 * j, 4);
        return cmp_double((double)x, (double)y);
    }
    case DP_TYPE_DOUBLE: {
        double x, y;
        memcpy(&x, a->data + 8 * i, 8), memcpy(&y, b->data + 8 * j, 8);
        return cmp_double(x, y);
    }
    case DP_TYPE_STRING:
    case DP_TYPE_JSON:
    case DP_TYPE_ENUM:
    case DP_TYPE_BINARY: return cmp_bytes(a, i, b, j, 0);
    case DP_TYPE_FIXED: return cmp_bytes(a, i, b, j, (size_t)a->type->width);
    case DP_TYPE_UUID: return cmp_bytes(a, i, b, j, 16);
    case DP_TYPE_INTERVAL: return cmp_bytes(a, i, b, j, 12);
    case DP_TYPE_NONE:
    case DP_TYPE_LIST:
    case DP_TYPE_STRUCT:
    case DP_TYPE_MAP: return 0;
    }
    return 0;
}

int dp_lay_sort_cmp(const struct dp_lay_sort *s, const struct dp_batch *a, int64_t i, const struct dp_batch *b, int64_t j) {
    for (size_t k = 0; k < s->n; k++) {
        const struct dp_column *x = &a->columns[s->keys[k].column], *y = &b->columns[s->keys[k].column];
        bool vx = dp_column_is_valid(x, i), vy = dp_column_is_valid(y, j);
        int c = vx && vy ? cmp_value(x, i, y, j) : (int)vy - (int)vx;
        if (c != 0) return vx && vy && s->keys[k].descending ? -c : c;
    }
    return 0;
}

/* ---- heads: what decides most comparisons, as a number ---- */

static uint64_t of_signed(int64_t v) { return (uint64_t)v ^ UINT64_C(1) << 63; }

static uint64_t of_double(double v) {
    uint64_t u;
    if (v != v) return UINT64_MAX;
    v += 0.0; /* minus zero is zero */
    memcpy(&u, &v, 8);
    return u >> 63 ? ~u : u | UINT64_C(1) << 63;
}

/* Decimals beyond 64 bits lie at the ends. */
static uint64_t of_decimal(const uint8_t *p) {
    uint64_t low;
    int64_t high;
    memcpy(&low, p, 8), memcpy(&high, p + 8, 8);
    if (high > 0 || (high == 0 && low >> 63)) return UINT64_MAX;
    if (high < -1 || (high == -1 && !(low >> 63))) return 0;
    return of_signed((int64_t)low);
}

uint64_t dp_lay_head_of_bytes(struct dp_str s) {
    uint64_t head = 0;
    if (s.n >= 8) {
        memcpy(&head, s.p, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        head = __builtin_bswap64(head);
#endif
        return head;
    }
    for (size_t k = 0; k < 8; k++) head = head << 8 | (k < s.n ? (uint8_t)s.p[k] : 0);
    return head;
}

struct dp_str dp_lay_bytes_of(const struct dp_column *c, int64_t i) {
    if (c->offsets) return dp_str((const char *)c->data + c->offsets[i], (size_t)(c->offsets[i + 1] - c->offsets[i]));
    size_t n = dp_type_width(c->type);
    return dp_str((const char *)c->data + n * (size_t)i, n);
}

#define LOAD(type_, of_)                                                                                                                             \
    do {                                                                                                                                             \
        type_ v;                                                                                                                                     \
        memcpy(&v, c->data + (size_t)i * sizeof v, sizeof v);                                                                                        \
        return of_(v);                                                                                                                               \
    } while (0)

uint64_t dp_lay_head(const struct dp_column *c, int64_t i) {
    switch (c->type->id) {
    case DP_TYPE_BOOLEAN: return c->data[i >> 3] >> (i & 7) & 1;
    case DP_TYPE_INT8: LOAD(int8_t, of_signed);
    case DP_TYPE_INT16: LOAD(int16_t, of_signed);
    case DP_TYPE_INT32: case DP_TYPE_DATE: LOAD(int32_t, of_signed);
    case DP_TYPE_INT64: case DP_TYPE_TIME: case DP_TYPE_TIMESTAMP: LOAD(int64_t, of_signed);
    case DP_TYPE_UINT8: return c->data[i];
    case DP_TYPE_UINT16: LOAD(uint16_t, (uint64_t));
    case DP_TYPE_UINT32: LOAD(uint32_t, (uint64_t));
    case DP_TYPE_UINT64: LOAD(uint64_t, (uint64_t));
    case DP_TYPE_FLOAT16: return of_double(half(c->data + 2 * i));
    case DP_TYPE_FLOAT: LOAD(float, of_double);
    case DP_TYPE_DOUBLE: LOAD(double, of_double);
    case DP_TYPE_DECIMAL: return of_decimal(c->data + 16 * i);
    case DP_TYPE_STRING: case DP_TYPE_JSON: case DP_TYPE_ENUM: case DP_TYPE_BINARY: case DP_TYPE_FIXED: case DP_TYPE_UUID: case DP_TYPE_INTERVAL:
        return dp_lay_head_of_bytes(dp_lay_bytes_of(c, i));
    case DP_TYPE_NONE: case DP_TYPE_LIST: case DP_TYPE_STRUCT: case DP_TYPE_MAP: return 0;
    }
    return 0;
}

uint64_t dp_lay_sort_head(const struct dp_lay_sort *s, const struct dp_batch *b, int64_t row) {
    const struct dp_column *c = &b->columns[s->keys[0].column];
    if (!dp_column_is_valid(c, row)) return UINT64_MAX; /* last, whatever the direction */
    uint64_t head = dp_lay_head(c, row);
    return s->keys[0].descending ? ~head : head;
}

/* ---- rows of a batch ---- */

/* Merge sort from the bottom up: stable. */
static void sort_by_cmp(const struct dp_lay_sort *s, const struct dp_batch *b, uint32_t *rows, uint32_t *spare, size_t n) {
    uint32_t *from = rows, *to = spare;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n, x = lo, y = mid;
            for (size_t k = lo; k < hi; k++)
                to[k] = x < mid && (y == hi || dp_lay_sort_cmp(s, b, from[x], b, from[y]) <= 0) ? from[x++] : from[y++];
        }
        uint32_t *t = from;
        from = to, to = t;
    }
    if (from != rows && n) memcpy(rows, from, n * sizeof *rows);
}

struct head { uint64_t head; uint32_t row; };

/* Byte by byte from the lowest, those that are the same in all left out: stable.  Returns which of the two has the result. */
static struct head *sort_heads(struct head *a, struct head *b, size_t n) {
    uint64_t ones = 0, zeros = 0;
    for (size_t i = 0; i < n; i++) ones |= a[i].head, zeros |= ~a[i].head;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t at[256] = {0}, sum = 0;
        if (!((ones & zeros) >> shift & 255)) continue;
        for (size_t i = 0; i < n; i++) at[a[i].head >> shift & 255]++;
        for (size_t k = 0; k < 256; k++) {
            size_t count = at[k];
            at[k] = sum, sum += count;
        }
        for (size_t i = 0; i < n; i++) b[at[a[i].head >> shift & 255]++] = a[i];
        struct head *t = a;
        a = b, b = t;
    }
    return a;
}

#define FEW 64 /* rows for which heads don't pay */

void dp_lay_sort_rows(const struct dp_lay_sort *s, const struct dp_batch *b, uint32_t *rows, uint32_t *spare, size_t n) {
    if (n < FEW) {
        sort_by_cmp(s, b, rows, spare, n);
        return;
    }
    struct head *heads = dp_alloc(2 * n * sizeof *heads);
    for (size_t i = 0; i < n; i++) heads[i] = (struct head){dp_lay_sort_head(s, b, rows[i]), rows[i]};
    const struct head *sorted = sort_heads(heads, heads + n, n);
    for (size_t i = 0; i < n; i++) rows[i] = sorted[i].row;
    for (size_t i = 0, end; i < n && !s->is_head; i = end) {
        for (end = i + 1; end < n && sorted[end].head == sorted[i].head;) end++;
        if (end - i > 1) sort_by_cmp(s, b, rows + i, spare, end - i);
    }
    free(heads);
}
