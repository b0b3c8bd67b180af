/*
 * Columns cast column-wise (dp/record/cast.h): buffers of the same layout are swapped, numbers go in blocks.  Rows that are null hold zero, and zero is zero
 * in every type, so that no loop over values looks at validity.
 * Types follow dp_type_unify where values may also come from records; what is cast here and not there is in common_leaf.
 */
#include "values_priv.h"
#include <dp/base/decimal.h>
#include <dp/record/cast.h>

enum { BLOCK = 512 };

void dp_cast_clash_release(struct dp_cast_clash *c) {
    dp_buf_release(&c->path);
    dp_buf_release(&c->a);
    dp_buf_release(&c->b);
}

/* ---- types ---- */

static bool is_text(const struct dp_type *t) { return t->id == DP_TYPE_STRING || t->id == DP_TYPE_JSON || t->id == DP_TYPE_ENUM; }

static struct dp_type *as(const struct dp_type *a, const struct dp_type *b, const struct dp_type *of) {
    struct dp_type *t = dp_type_new(of->id, dp_str(a->name, a->name_n));
    t->nullable = a->nullable || b->nullable;
    t->utc = of->utc, t->unit = of->unit;
    t->field_id = a->field_id;
    return t;
}

static int fineness(enum dp_time_unit u) { return u == DP_UNIT_NANOS ? 2 : u == DP_UNIT_MICROS ? 1 : 0; }

static struct dp_type *common_leaf(const struct dp_type *a, const struct dp_type *b) {
    const struct dp_type string = {.id = DP_TYPE_STRING};
    if (a->id == DP_TYPE_TIMESTAMP && b->id == DP_TYPE_TIMESTAMP) return a->utc == b->utc ? as(a, b, fineness(a->unit) >= fineness(b->unit) ? a : b) : NULL;
    if (a->id == DP_TYPE_DATE && b->id == DP_TYPE_TIMESTAMP) return b->utc ? NULL : as(a, b, b);
    if (b->id == DP_TYPE_DATE && a->id == DP_TYPE_TIMESTAMP) return a->utc ? NULL : as(a, b, a);
    if (a->id == DP_TYPE_JSON || b->id == DP_TYPE_JSON) { /* here JSON is a form of text, not what holds all else */
        if (a->id == b->id || a->id == DP_TYPE_NONE || b->id == DP_TYPE_NONE) return dp_type_unify(a, b);
        return is_text(a) && is_text(b) ? as(a, b, &string) : NULL;
    }
    struct dp_type *t = dp_type_unify(a, b);
    if (t && t->id == DP_TYPE_FLOAT16 && (a->id != b->id)) t->id = DP_TYPE_FLOAT;
    return t;
}

/* One step of a path in front of what is below. */
static void prefix(struct dp_buf *path, const char *step, const char *behind) {
    struct dp_buf b = {0};
    dp_buf_addz(&b, step);
    dp_buf_addz(&b, behind);
    if (path->n && dp_buf_z(path)[0] != '[') dp_buf_addc(&b, '.');
    dp_buf_adds(&b, dp_buf_str(path));
    dp_buf_release(path);
    *path = b;
}

static struct dp_type *clashes(struct dp_cast_clash *clash, const struct dp_type *a, const struct dp_type *b) {
    if (!clash) return NULL;
    dp_type_print(a, &clash->a);
    dp_type_print(b, &clash->b);
    return NULL;
}

static struct dp_type *common(const struct dp_type *a, const struct dp_type *b, struct dp_cast_clash *clash);

/* A field that one side lacks is null there. */
static struct dp_type *common_structs(const struct dp_type *a, const struct dp_type *b, struct dp_cast_clash *clash) {
    struct dp_type *t = as(a, b, a);
    for (size_t i = 0; i < a->n_children; i++) {
        const struct dp_type *x = a->children[i], *y = i < b->n_children && b->children[i]->name_n == x->name_n && !memcmp(b->children[i]->name, x->name, x->name_n)
                                                           ? b->children[i]
                                                           : dp_type_child(b, dp_str(x->name, x->name_n));
        struct dp_type *c = y ? common(x, y, clash) : dp_type_copy(x);
        if (!c) {
            if (clash) prefix(&clash->path, x->name, "");
            return dp_type_free(t), NULL;
        }
        if (!y) c->nullable = true;
        dp_type_add(t, c);
    }
    dp_type_add_others(t, a, b);
    return t;
}

/* Lists and maps. */
static struct dp_type *common_children(const struct dp_type *a, const struct dp_type *b, struct dp_cast_clash *clash) {
    if (a->n_children != b->n_children) return clashes(clash, a, b);
    struct dp_type *t = as(a, b, a);
    for (size_t i = 0; i < a->n_children; i++) {
        struct dp_type *c = common(a->children[i], b->children[i], clash);
        if (!c) {
            if (clash) prefix(&clash->path, a->id == DP_TYPE_LIST ? "[]" : i ? "value" : "key", "");
            return dp_type_free(t), NULL;
        }
        dp_type_add(t, c);
    }
    return t;
}

static struct dp_type *common(const struct dp_type *a, const struct dp_type *b, struct dp_cast_clash *clash) {
    if (a->id == DP_TYPE_STRUCT && b->id == DP_TYPE_STRUCT) return common_structs(a, b, clash);
    if (dp_type_is_nested(a) && a->id == b->id) return common_children(a, b, clash);
    struct dp_type *t = common_leaf(a, b);
    return t ? t : clashes(clash, a, b);
}

struct dp_type *dp_cast_common(const struct dp_type *a, const struct dp_type *b, struct dp_cast_clash *clash) { return common(a, b, clash); }

bool dp_cast_widens(const struct dp_type *to, const struct dp_type *from) {
    if (dp_type_is_nested(to) || dp_type_is_nested(from)) return from->id == DP_TYPE_NONE;
    struct dp_type *t = common_leaf(to, from);
    bool yes = t && t->id == to->id && t->utc == to->utc && t->unit == to->unit && t->precision == to->precision && t->scale == to->scale && t->width == to->width;
    dp_type_free(t);
    return yes;
}

bool dp_cast_keeps_bounds(const struct dp_type *to, const struct dp_type *from) {
    bool exact = dp_type_is_integer(to) || to->id == DP_TYPE_DECIMAL, whole = dp_type_is_integer(from);
    if (exact) return whole || from->id == DP_TYPE_DECIMAL; /* numbers are compared as such, however they are spelled */
    if (to->id == DP_TYPE_DOUBLE || to->id == DP_TYPE_FLOAT) return whole || from->id == to->id;
    return to->id == from->id && (to->id != DP_TYPE_TIMESTAMP || to->utc == from->utc);
}

/* ---- blocks of numbers ---- */

#define LOAD(type, ctype)                                                                                                                            \
    case type:                                                                                                                                       \
        for (size_t i = 0; i < n; i++) {                                                                                                             \
            ctype x;                                                                                                                                 \
            memcpy(&x, p + i * sizeof x, sizeof x);                                                                                                  \
            v[i] = (int64_t)x;                                                                                                                       \
        }                                                                                                                                            \
        return

/* Integers, days and counts of units as int64 (uint64 as its bits). */
static void load(const struct dp_column *c, size_t at, size_t n, int64_t *v) {
    const uint8_t *p = c->data + at * dp_type_width(c->type);
    switch ((int)c->type->id) {
    LOAD(DP_TYPE_INT8, int8_t);
    LOAD(DP_TYPE_INT16, int16_t);
    LOAD(DP_TYPE_INT32, int32_t);
    LOAD(DP_TYPE_DATE, int32_t);
    LOAD(DP_TYPE_UINT8, uint8_t);
    LOAD(DP_TYPE_UINT16, uint16_t);
    LOAD(DP_TYPE_UINT32, uint32_t);
    default: memcpy(v, p, n * 8);
    }
}

/* Their low bytes behind dst's values. */
static void store(struct dp_column *dst, const int64_t *v, size_t n) {
    size_t width = dp_type_width(dst->type);
    uint8_t *p = dst->data + dst->data_n;
    dst->data_n += n * width;
    if (width == 8) memcpy(p, v, n * 8);
    else if (width == 4)
        for (size_t i = 0; i < n; i++) memcpy(p + 4 * i, &(int32_t){(int32_t)v[i]}, 4);
    else if (width == 2)
        for (size_t i = 0; i < n; i++) memcpy(p + 2 * i, &(int16_t){(int16_t)v[i]}, 2);
    else
        for (size_t i = 0; i < n; i++) p[i] = (uint8_t)v[i];
}

static bool all_within(const int64_t *v, size_t n, int64_t min, int64_t max) {
    bool out = false;
    for (size_t i = 0; i < n; i++) out |= v[i] < min || v[i] > max;
    return !out;
}

/* To an integer: narrower ones are looked at (readers of files that leave out the annotation). */
static bool to_int(struct dp_column *dst, const struct dp_column *src, size_t at, size_t n) {
    int64_t v[BLOCK];
    load(src, at, n, v);
    enum dp_type_id to = dst->type->id;
    bool is_signed = to <= DP_TYPE_INT64;
    unsigned bits = 8 * (unsigned)dp_type_width(dst->type);
    int64_t max = bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - is_signed)) - 1, min = is_signed ? -max - 1 : 0;
    bool fits = to == DP_TYPE_UINT64 ? src->type->id >= DP_TYPE_UINT8 || all_within(v, n, 0, INT64_MAX)
                                     : src->type->id == DP_TYPE_UINT64 ? all_within(v, n, 0, max) : all_within(v, n, min, max);
    store(dst, v, n);
    return fits;
}

static bool to_floating(struct dp_column *dst, const struct dp_column *src, size_t at, size_t n) {
    int64_t v[BLOCK];
    bool wide = dst->type->id == DP_TYPE_DOUBLE, whole = dp_type_is_integer(src->type);
    uint8_t *p = dst->data + dst->data_n;
    dst->data_n += n * (wide ? 8 : 4);
    if (whole) load(src, at, n, v);
    for (size_t i = 0; i < n; i++) {
        double d;
        if (whole) {
            d = (double)v[i];
        } else if (src->type->id == DP_TYPE_FLOAT) {
            float f;
            memcpy(&f, src->data + 4 * (at + i), 4);
            d = (double)f;
        } else {
            uint16_t h;
            memcpy(&h, src->data + 2 * (at + i), 2);
            d = dp_half_to_double(h);
        }
        if (wide) memcpy(p + 8 * i, &d, 8);
        else memcpy(p + 4 * i, &(float){(float)d}, 4);
    }
    return true;
}

static dp_i128 decimal_at(const struct dp_column *src, size_t i) {
    dp_i128 v;
    memcpy(&v, src->data + 16 * i, 16);
    return v;
}

/* Scales grow by a factor; one that shrinks (readers whose files say more than their table) may lose no digit. */
static bool to_decimal(struct dp_column *dst, const struct dp_column *src, size_t at, size_t n) {
    int64_t v[BLOCK];
    int scale = src->type->id == DP_TYPE_DECIMAL ? src->type->scale : 0, up = dst->type->scale - scale;
    dp_i128 factor = up > 0 ? dp_power_of_ten_wide(up) : 1, most = (dp_power_of_ten_wide(dst->type->precision) - 1) / factor;
    bool fits = true, whole = src->type->id != DP_TYPE_DECIMAL, bits = src->type->id == DP_TYPE_UINT64;
    uint8_t *p = dst->data + dst->data_n;
    dst->data_n += n * 16;
    if (whole) load(src, at, n, v);
    for (size_t i = 0; i < n; i++) {
        dp_i128 x = !whole ? decimal_at(src, at + i) : bits ? (dp_i128)(uint64_t)v[i] : (dp_i128)v[i];
        bool in;
        if (up < 0) {
            in = dp_decimal_rescale((struct dp_decimal){x, scale}, dst->type->precision, dst->type->scale, &x);
        } else {
            in = x <= most && x >= -most;
            x = in ? x * factor : 0;
        }
        fits = fits && in;
        memcpy(p + 16 * i, &x, 16);
    }
    return fits;
}

/* Units of time in one of from's; negative: so many of from's make one. */
static int64_t unit_factor(const struct dp_type *to, const struct dp_type *from) {
    static const int64_t per_milli[] = {1, 1000, 1000000};
    int t = fineness(to->unit);
    if (from->id == DP_TYPE_DATE) return 86400000 * per_milli[t];
    int f = fineness(from->unit);
    return t >= f ? per_milli[t - f] : -per_milli[f - t];
}

static bool to_time(struct dp_column *dst, const struct dp_column *src, size_t at, size_t n) {
    int64_t v[BLOCK], factor = unit_factor(dst->type, src->type);
    bool fits = true;
    load(src, at, n, v);
    if (factor < 0) { /* tables whose files have nanoseconds: rounded down */
        for (size_t i = 0; i < n; i++) v[i] = v[i] / -factor - (v[i] % -factor < 0);
    } else {
        int64_t most = INT64_MAX / factor;
        fits = all_within(v, n, -most, most);
        for (size_t i = 0; i < n; i++) v[i] = (int64_t)((uint64_t)v[i] * (uint64_t)factor);
    }
    store(dst, v, n);
    return fits;
}

/* ---- columns ---- */

/* Takes the buffers, keeps the types. */
static void swap_leaf(struct dp_column *dst, struct dp_column *src) {
    struct dp_column t = *dst;
    *dst = *src;
    *src = t;
    src->type = dst->type;
    dst->type = t.type;
}

/* Length and validity; offsets too where asked for. */
static void swap_frame(struct dp_column *dst, struct dp_column *src, bool offsets) {
    struct dp_column t = *dst;
    dst->length = src->length, dst->null_count = src->null_count;
    dst->validity = src->validity, dst->validity_cap = src->validity_cap;
    src->validity = t.validity, src->validity_cap = t.validity_cap;
    src->length = t.length, src->null_count = t.null_count;
    if (!offsets) return;
    dst->offsets = src->offsets, dst->offsets_cap = src->offsets_cap;
    src->offsets = t.offsets, src->offsets_cap = t.offsets_cap;
}

static enum dp_status misfit(const struct dp_cast_rules *r, const struct dp_column *dst, const struct dp_column *src, struct dp_err *err) {
    struct dp_buf t = {0}, f = {0};
    enum dp_status status = r->misfit ? r->misfit : DP_SCHEMA;
    dp_type_print(dst->type, &t);
    dp_type_print(src->type, &f);
    dp_err_set(err, status, "column %.100s: a value of type %.80s does not fit %.80s", dst->type->name, dp_buf_z(&f), dp_buf_z(&t));
    dp_buf_release(&t);
    dp_buf_release(&f);
    return status;
}

typedef bool (*block_cast)(struct dp_column *dst, const struct dp_column *src, size_t at, size_t n);

static enum dp_status cast_blocks(const struct dp_cast_rules *r, struct dp_column *dst, struct dp_column *src, block_cast cast, struct dp_err *err) {
    size_t rows = (size_t)src->length;
    bool fits = true;
    dst->data_n = 0;
    dp_column_room(dst, rows * dp_type_width(dst->type));
    for (size_t at = 0; at < rows && fits; at += BLOCK) fits = cast(dst, src, at, rows - at < BLOCK ? rows - at : BLOCK);
    if (!fits) return dst->data_n = 0, misfit(r, dst, src, err);
    swap_frame(dst, src, false);
    return DP_OK;
}

static void cast_fixed_to_bytes(struct dp_column *dst, struct dp_column *src) {
    size_t width = dp_type_width(src->type), rows = (size_t)src->length, n = 0;
    dp_column_reserve(dst, src->length);
    uint8_t *p = dp_column_room(dst, rows * width);
    for (size_t i = 0; i < rows; i++) {
        if (dp_column_is_valid(src, (int64_t)i)) memcpy(p + n, src->data + i * width, width), n += width;
        dst->offsets[i + 1] = (int32_t)n;
    }
    dst->data_n = n;
    swap_frame(dst, src, false);
}

static block_cast block_cast_of(const struct dp_type *to, const struct dp_type *from) {
    bool whole = dp_type_is_integer(from);
    if (dp_type_is_integer(to)) return whole ? to_int : NULL;
    if (to->id == DP_TYPE_DECIMAL) return whole || from->id == DP_TYPE_DECIMAL ? to_decimal : NULL;
    if (to->id == DP_TYPE_FLOAT) return whole || from->id == DP_TYPE_FLOAT16 ? to_floating : NULL;
    if (to->id == DP_TYPE_DOUBLE) return whole || from->id == DP_TYPE_FLOAT16 || from->id == DP_TYPE_FLOAT ? to_floating : NULL;
    if (to->id == DP_TYPE_TIMESTAMP) return from->id == DP_TYPE_TIMESTAMP || from->id == DP_TYPE_DATE ? to_time : NULL;
    return to->id == DP_TYPE_TIME && from->id == to->id ? to_time : NULL;
}

/* Are values of both the same bytes? */
static bool same_bytes(const struct dp_type *to, const struct dp_type *from) {
    if (is_text(from) && (is_text(to) || to->id == DP_TYPE_BINARY)) return true;
    if (to->id != from->id) return false;
    if (to->id == DP_TYPE_DECIMAL) return to->scale == from->scale && to->precision >= from->precision;
    if (to->id == DP_TYPE_TIMESTAMP || to->id == DP_TYPE_TIME) return to->unit == from->unit;
    return to->id != DP_TYPE_FIXED || to->width == from->width;
}

static enum dp_status refuse(const struct dp_type *to, const struct dp_type *from, struct dp_err *err) {
    struct dp_buf t = {0}, f = {0};
    dp_type_print(to, &t);
    dp_type_print(from, &f);
    dp_err_set(err, DP_SCHEMA, "column %.100s: %.80s is expected, the file has %.80s", to->name, dp_buf_z(&t), dp_buf_z(&f));
    dp_buf_release(&t);
    dp_buf_release(&f);
    return DP_SCHEMA;
}

/* Beyond the lattice rules may take: bytes as text (looked at), integers as narrower ones and decimals of a smaller scale (looked at), finer units (rounded down). */
static enum dp_status cast_leaf(const struct dp_cast_rules *r, struct dp_column *dst, struct dp_column *src, struct dp_err *err) {
    const struct dp_type *to = dst->type, *from = src->type;
    bool taken = r->takes ? r->takes(r->ctx, to, from) : dp_cast_widens(to, from);
    if (!taken) return refuse(to, from, err);
    if (same_bytes(to, from)) return swap_leaf(dst, src), DP_OK;
    if (is_text(to) && from->id == DP_TYPE_BINARY) {
        if (!dp_column_utf8(&(struct dp_column){.type = to, .length = src->length, .null_count = src->null_count, .validity = src->validity, .offsets = src->offsets,
                                                .data = src->data, .data_n = src->data_n}, NULL))
            return dp_err_set(err, DP_FORMAT, "column %.100s: a value is not UTF-8", to->name);
        return swap_leaf(dst, src), DP_OK;
    }
    if (to->id == DP_TYPE_BINARY && (from->id == DP_TYPE_FIXED || from->id == DP_TYPE_UUID)) return cast_fixed_to_bytes(dst, src), DP_OK;
    block_cast cast = block_cast_of(to, from);
    return cast ? cast_blocks(r, dst, src, cast, err) : refuse(to, from, err);
}

static int find_by_name(const struct dp_type *from, const struct dp_type *field) {
    for (size_t i = 0; i < from->n_children; i++)
        if (from->children[i]->name_n == field->name_n && !memcmp(from->children[i]->name, field->name, field->name_n)) return (int)i;
    return -1;
}

enum dp_status dp_cast_column(const struct dp_cast_rules *r, struct dp_column *dst, const struct dp_type *names, struct dp_column *src, struct dp_err *err) {
    const struct dp_type *t = dst->type, *f = src->type;
    if (!names) names = t;
    if (t->id == DP_TYPE_NONE || f->id == DP_TYPE_NONE) {
        dp_column_append_nulls(dst, src->length);
        return DP_OK;
    }
    if (!dp_type_is_nested(t)) return cast_leaf(r, dst, src, err);
    if (f->id != t->id) return refuse(t, f, err);
    int64_t rows = src->length;
    swap_frame(dst, src, t->id != DP_TYPE_STRUCT);
    for (size_t i = 0; i < dst->n_children; i++) {
        int at = (int)i;
        if (t->id == DP_TYPE_STRUCT) at = r->find ? r->find(r->ctx, f, names->children[i]) : find_by_name(f, names->children[i]);
        else if (i >= src->n_children) at = -1;
        if (at < 0) dp_column_append_nulls(&dst->children[i], rows);
        else DP_TRY(dp_cast_column(r, &dst->children[i], names->children[i], &src->children[at], err));
    }
    return DP_OK;
}
