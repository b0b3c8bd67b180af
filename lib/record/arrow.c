/*
 * The Arrow C data interface: export moves a batch's buffers out, import copies rows in.
 *
 * Types without an Arrow format of their own: JSON and ENUM travel as utf8 ("arrow.json" as extension for JSON), UUID as a 16-byte
 * fixed-size binary ("arrow.uuid"), INTERVAL as 12 bytes fixed.  Imported from Arrow but never made here: large strings, binaries and
 * lists whose offsets fit 32 bits, fixed-size lists, date64 in whole days, 32-bit times, seconds.  Dictionaries, unions, views,
 * run-end encoding, Arrow's own intervals and durations are refused by name.
 */
#include <dp/base/limits.h>
#include <dp/base/num.h>
#include <dp/record/arrow.h>

#include <stdlib.h>

/* ---- schema out ---- */

static void release_schema(struct ArrowSchema *s) {
    for (int64_t i = 0; i < s->n_children; i++) {
        if (s->children[i]->release) s->children[i]->release(s->children[i]);
        free(s->children[i]);
    }
    free(s->children);
    free((char *)(uintptr_t)s->format);
    free((char *)(uintptr_t)s->name);
    free((char *)(uintptr_t)s->metadata);
    s->release = NULL;
}

static char unit_letter(enum dp_time_unit u) { return u == DP_UNIT_MILLIS ? 'm' : u == DP_UNIT_NANOS ? 'n' : 'u'; }

static void add_format(const struct dp_type *t, struct dp_buf *b) {
    switch (t->id) {
    case DP_TYPE_NONE: dp_buf_addc(b, 'n'); break;
    case DP_TYPE_BOOLEAN: dp_buf_addc(b, 'b'); break;
    case DP_TYPE_INT8: dp_buf_addc(b, 'c'); break;
    case DP_TYPE_UINT8: dp_buf_addc(b, 'C'); break;
    case DP_TYPE_INT16: dp_buf_addc(b, 's'); break;
    case DP_TYPE_UINT16: dp_buf_addc(b, 'S'); break;
    case DP_TYPE_INT32: dp_buf_addc(b, 'i'); break;
    case DP_TYPE_UINT32: dp_buf_addc(b, 'I'); break;
    case DP_TYPE_INT64: dp_buf_addc(b, 'l'); break;
    case DP_TYPE_UINT64: dp_buf_addc(b, 'L'); break;
    case DP_TYPE_FLOAT16: dp_buf_addc(b, 'e'); break;
    case DP_TYPE_FLOAT: dp_buf_addc(b, 'f'); break;
    case DP_TYPE_DOUBLE: dp_buf_addc(b, 'g'); break;
    case DP_TYPE_DECIMAL: dp_buf_addf(b, "d:%d,%d", t->precision, t->scale); break;
    case DP_TYPE_STRING:
    case DP_TYPE_JSON:
    case DP_TYPE_ENUM: dp_buf_addc(b, 'u'); break;
    case DP_TYPE_BINARY: dp_buf_addc(b, 'z'); break;
    case DP_TYPE_FIXED: dp_buf_addf(b, "w:%d", t->width); break;
    case DP_TYPE_UUID: dp_buf_addz(b, "w:16"); break;
    case DP_TYPE_INTERVAL: dp_buf_addz(b, "w:12"); break;
    case DP_TYPE_DATE: dp_buf_addz(b, "tdD"); break;
    case DP_TYPE_TIME: dp_buf_addf(b, "tt%c", t->unit == DP_UNIT_NANOS ? 'n' : 'u'); break;
    case DP_TYPE_TIMESTAMP: dp_buf_addf(b, "ts%c:%s", unit_letter(t->unit), t->utc ? "UTC" : ""); break;
    case DP_TYPE_LIST: dp_buf_addz(b, "+l"); break;
    case DP_TYPE_STRUCT: dp_buf_addz(b, "+s"); break;
    case DP_TYPE_MAP: dp_buf_addz(b, "+m"); break;
    }
}

/* Arrow's metadata: number of pairs, then each key and value with its length, all native int32. */
static char *extension_metadata(const char *name) {
    static const char key[] = "ARROW:extension:name";
    struct dp_buf b = {0};
    int32_t n = 1, key_n = sizeof key - 1, name_n = (int32_t)strlen(name);
    dp_buf_add(&b, &n, 4);
    dp_buf_add(&b, &key_n, 4), dp_buf_add(&b, key, (size_t)key_n);
    dp_buf_add(&b, &name_n, 4), dp_buf_add(&b, name, (size_t)name_n);
    return dp_buf_detach(&b);
}

static void export_schema(const struct dp_type *t, struct ArrowSchema *out);

static struct ArrowSchema *export_child(const struct dp_type *t) {
    struct ArrowSchema *s = dp_calloc(1, sizeof *s);
    export_schema(t, s);
    return s;
}

static void export_schema(const struct dp_type *t, struct ArrowSchema *out) {
    struct dp_buf format = {0};
    memset(out, 0, sizeof *out);
    add_format(t, &format);
    out->format = dp_buf_detach(&format);
    out->name = dp_strndup(t->name, t->name_n);
    if (t->id == DP_TYPE_JSON) out->metadata = extension_metadata("arrow.json");
    if (t->id == DP_TYPE_UUID) out->metadata = extension_metadata("arrow.uuid");
    out->flags = t->nullable ? ARROW_FLAG_NULLABLE : 0;
    out->release = release_schema;
    if (!t->n_children) return;
    bool map = t->id == DP_TYPE_MAP;
    out->n_children = map ? 1 : (int64_t)t->n_children;
    out->children = dp_calloc((size_t)out->n_children, sizeof *out->children);
    if (!map) {
        for (size_t i = 0; i < t->n_children; i++) out->children[i] = export_child(t->children[i]);
        return;
    }
    /* A map is a list of a struct that is never null. */
    struct dp_type entries = *t;
    char name[] = "entries";
    entries.id = DP_TYPE_STRUCT;
    entries.name = name;
    entries.name_n = sizeof name - 1;
    entries.nullable = false;
    out->children[0] = export_child(&entries);
}

void dp_arrow_export_schema(const struct dp_type *schema, struct ArrowSchema *out) { export_schema(schema, out); }

/* ---- rows out ---- */

struct held {
    void *owned[3];
    const void *buffers[3];
};

static void release_array(struct ArrowArray *a) {
    struct held *h = a->private_data;
    for (int64_t i = 0; i < a->n_children; i++) {
        if (a->children[i]->release) a->children[i]->release(a->children[i]);
        free(a->children[i]);
    }
    free(a->children);
    for (int i = 0; i < 3; i++) free(h->owned[i]);
    free(h);
    a->release = NULL;
}

static struct ArrowArray *new_array(int64_t length, int64_t nulls, int64_t n_buffers, size_t n_children, struct ArrowArray *out) {
    struct held *h = dp_calloc(1, sizeof *h);
    if (!out) out = dp_alloc(sizeof *out);
    memset(out, 0, sizeof *out);
    out->length = length;
    out->null_count = nulls;
    out->n_buffers = n_buffers;
    out->buffers = h->buffers;
    out->private_data = h;
    out->release = release_array;
    out->n_children = (int64_t)n_children;
    if (n_children) out->children = dp_calloc(n_children, sizeof *out->children);
    return out;
}

/* Takes a buffer over; a borrowed one is copied. Never NULL, as some readers want it. */
static void hand_over(struct ArrowArray *a, int slot, void *p, size_t used, size_t cap, bool may_be_null) {
    struct held *h = a->private_data;
    void *own = p;
    if (!cap && (used || !may_be_null)) {
        own = dp_alloc(used ? used : 8);
        if (used) memcpy(own, p, used);
    }
    h->owned[slot] = own;
    h->buffers[slot] = own;
}

/* Milliseconds of the day are 32 bits wide in Arrow; microseconds keep the 64. */
static void times_to_micros(struct dp_column *c) {
    if (c->type->id != DP_TYPE_TIME || c->type->unit != DP_UNIT_MILLIS) return;
    for (int64_t i = 0; i < c->length; i++) {
        int64_t v;
        memcpy(&v, c->data + i * 8, 8);
        if (__builtin_mul_overflow(v, 1000, &v)) v = 0;
        memcpy(c->data + i * 8, &v, 8);
    }
}

static struct ArrowArray *export_column(struct dp_column *c) {
    const struct dp_type *t = c->type;
    bool none = t->id == DP_TYPE_NONE, bytes = dp_type_is_bytes(t), map = t->id == DP_TYPE_MAP;
    bool offsets = bytes || map || t->id == DP_TYPE_LIST;
    int64_t n_buffers = none ? 0 : bytes ? 3 : t->id == DP_TYPE_STRUCT ? 1 : 2;
    struct ArrowArray *a = new_array(c->length, c->null_count, n_buffers, map ? 1 : c->n_children, NULL);
    times_to_micros(c);
    if (!none && c->validity) hand_over(a, 0, c->validity, (size_t)(c->length + 7) / 8, c->validity_cap, true);
    if (offsets) hand_over(a, 1, c->offsets, ((size_t)c->length + 1) * 4, c->offsets_cap, false);
    if (bytes || (!offsets && n_buffers == 2)) hand_over(a, bytes ? 2 : 1, c->data, c->data_n, c->data_cap, false);
    if (map) {
        a->children[0] = new_array(c->children[0].length, 0, 1, 2, NULL);
        for (size_t i = 0; i < 2; i++) a->children[0]->children[i] = export_column(&c->children[i]);
    } else
        for (size_t i = 0; i < c->n_children; i++) a->children[i] = export_column(&c->children[i]);
    c->validity = NULL, c->offsets = NULL, c->data = NULL;
    c->validity_cap = c->offsets_cap = c->data_cap = 0;
    return a;
}

void dp_arrow_export_batch(struct dp_batch *b, struct ArrowArray *out) {
    new_array(b->length, 0, 1, b->n_columns, out);
    for (size_t i = 0; i < b->n_columns; i++) out->children[i] = export_column(&b->columns[i]);
    dp_batch_reset(b);
}

/* ---- schema in ---- */

static bool metadata_value(const char *m, const char *key, struct dp_str *value) {
    int32_t pairs, n;
    if (!m) return false;
    memcpy(&pairs, m, 4);
    for (m += 4; pairs > 0; pairs--) {
        memcpy(&n, m, 4);
        bool hit = n >= 0 && dp_str_eqz(dp_str(m + 4, (size_t)n), key);
        m += 4 + n;
        memcpy(&n, m, 4);
        *value = dp_str(m + 4, n > 0 ? (size_t)n : 0);
        if (hit) return true;
        m += 4 + n;
    }
    return false;
}

static enum dp_status unsupported(const struct ArrowSchema *in, struct dp_err *err) {
    return dp_err_set(err, DP_UNSUPPORTED, "Arrow format \"%.40s\" of column \"%.80s\"", in->format, in->name ? in->name : "");
}

static bool unit_from_letter(char c, enum dp_time_unit *unit) {
    *unit = c == 'm' || c == 's' ? DP_UNIT_MILLIS : c == 'n' ? DP_UNIT_NANOS : DP_UNIT_MICROS;
    return c && strchr("smun", c);
}

static bool parse_decimal_format(const char *f, struct dp_type *t) {
    const char *comma = strchr(f + 2, ',');
    int64_t p, s;
    if (!comma || !dp_parse_i64(dp_str(f + 2, (size_t)(comma - f - 2)), &p) || !dp_parse_i64(dp_str_z(comma + 1), &s)) return false;
    t->precision = (int)p, t->scale = (int)s;
    return p >= 1 && p <= 38 && s >= 0 && s <= p;
}

static bool leaf_from_format(const char *f, struct dp_type *t) {
    static const char letters[] = "nbcCsSiIlLefguUzZ";
    static const enum dp_type_id ids[] = {DP_TYPE_NONE,   DP_TYPE_BOOLEAN, DP_TYPE_INT8,   DP_TYPE_UINT8,   DP_TYPE_INT16,  DP_TYPE_UINT16,
                                          DP_TYPE_INT32,  DP_TYPE_UINT32,  DP_TYPE_INT64,  DP_TYPE_UINT64,  DP_TYPE_FLOAT16, DP_TYPE_FLOAT,
                                          DP_TYPE_DOUBLE, DP_TYPE_STRING,  DP_TYPE_STRING, DP_TYPE_BINARY,  DP_TYPE_BINARY};
    if (f[0] && !f[1] && strchr(letters, f[0])) return t->id = ids[strchr(letters, f[0]) - letters], true;
    if (!strncmp(f, "d:", 2)) return t->id = DP_TYPE_DECIMAL, parse_decimal_format(f, t);
    if (!strncmp(f, "w:", 2)) {
        int64_t width;
        t->id = DP_TYPE_FIXED;
        if (!dp_parse_i64(dp_str_z(f + 2), &width) || width < 1 || width > 1 << 20) return false;
        return t->width = (int)width, true;
    }
    if (!strcmp(f, "tdD") || !strcmp(f, "tdm")) return t->id = DP_TYPE_DATE, true;
    if (!strncmp(f, "tt", 2) && f[2] && !f[3]) return t->id = DP_TYPE_TIME, unit_from_letter(f[2], &t->unit);
    if (!strncmp(f, "ts", 2) && f[2] && f[3] == ':') {
        t->id = DP_TYPE_TIMESTAMP;
        t->utc = f[4] != 0;
        return unit_from_letter(f[2], &t->unit);
    }
    return false;
}

static void apply_extension(const struct ArrowSchema *in, struct dp_type *t) {
    struct dp_str name;
    if (!metadata_value(in->metadata, "ARROW:extension:name", &name)) return;
    if (dp_str_eqz(name, "arrow.json") && t->id == DP_TYPE_STRING) t->id = DP_TYPE_JSON;
    if (dp_str_eqz(name, "arrow.uuid") && t->id == DP_TYPE_FIXED && t->width == 16) t->id = DP_TYPE_UUID, t->width = 0;
}

static enum dp_status import_type(const struct ArrowSchema *in, unsigned depth, struct dp_type **out, struct dp_err *err);

static enum dp_status import_children(const struct ArrowSchema *in, unsigned depth, struct dp_type *t, struct dp_err *err) {
    const struct ArrowSchema *from = in;
    if (t->id == DP_TYPE_MAP) {
        if (in->n_children != 1 || in->children[0]->n_children != 2) return unsupported(in, err);
        from = in->children[0];
    } else if (t->id == DP_TYPE_LIST && in->n_children != 1) return unsupported(in, err);
    if (from->n_children < 0 || from->n_children > (int64_t)DP_LIMIT_COLUMNS)
        return dp_err_set(err, DP_LIMIT, "an Arrow schema with more than %u columns", DP_LIMIT_COLUMNS);
    for (int64_t i = 0; i < from->n_children; i++) {
        struct dp_type *c = NULL;
        DP_TRY(import_type(from->children[i], depth + 1, &c, err));
        dp_type_add(t, c);
    }
    if (t->id == DP_TYPE_MAP) t->children[0]->nullable = false;
    return DP_OK;
}

static enum dp_status import_type(const struct ArrowSchema *in, unsigned depth, struct dp_type **out, struct dp_err *err) {
    const char *f = in->format;
    if (depth > DP_LIMIT_SCHEMA_DEPTH) return dp_err_set(err, DP_LIMIT, "an Arrow schema nested deeper than %u", DP_LIMIT_SCHEMA_DEPTH);
    if (in->dictionary) return dp_err_set(err, DP_UNSUPPORTED, "Arrow dictionary column \"%.80s\"", in->name ? in->name : "");
    struct dp_type *t = dp_type_new(DP_TYPE_NONE, dp_str_z(in->name ? in->name : ""));
    t->nullable = in->flags & ARROW_FLAG_NULLABLE;
    enum dp_status status = DP_OK;
    if (!strcmp(f, "+s")) t->id = DP_TYPE_STRUCT;
    else if (!strcmp(f, "+l") || !strcmp(f, "+L") || !strncmp(f, "+w:", 3)) t->id = DP_TYPE_LIST;
    else if (!strcmp(f, "+m")) t->id = DP_TYPE_MAP;
    else if (!leaf_from_format(f, t)) status = unsupported(in, err);
    if (status == DP_OK && dp_type_is_nested(t)) status = import_children(in, depth, t, err);
    apply_extension(in, t);
    if (status != DP_OK) dp_type_free(t);
    else *out = t;
    return status;
}

enum dp_status dp_arrow_import_schema(const struct ArrowSchema *in, struct dp_type **schema, struct dp_err *err) {
    if (strcmp(in->format, "+s") != 0) return dp_err_set(err, DP_USAGE, "an Arrow schema must be a struct, not \"%.40s\"", in->format);
    return import_type(in, 0, schema, err);
}

/* ---- rows in ---- */

/* Where rows come from: the schema's format says how wide the foreign offsets and values are. */
static enum dp_status import_rows(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t from, int64_t n, struct dp_column *c,
                                  struct dp_err *err);

static bool is_valid(const struct ArrowArray *a, int64_t i) {
    const uint8_t *bits = a->n_buffers > 0 ? a->buffers[0] : NULL;
    return !bits || (bits[i >> 3] >> (i & 7) & 1);
}

static enum dp_status import_bytes(const struct ArrowArray *a, int64_t i, bool large, struct dp_column *c, struct dp_err *err) {
    int64_t begin, end;
    if (large) begin = ((const int64_t *)a->buffers[1])[i], end = ((const int64_t *)a->buffers[1])[i + 1];
    else begin = ((const int32_t *)a->buffers[1])[i], end = ((const int32_t *)a->buffers[1])[i + 1];
    if (begin < 0 || end < begin) return dp_err_set(err, DP_FORMAT, "Arrow offsets run backwards");
    if (end - begin > INT32_MAX - (int64_t)c->data_n) return dp_err_set(err, DP_LIMIT, "an Arrow column of more than 2 GiB in one batch");
    dp_column_append_bytes(c, begin == end ? "" : (const char *)a->buffers[2] + begin, (size_t)(end - begin));
    return DP_OK;
}

/* Values whose width in Arrow is another: date64, time32, seconds. */
static enum dp_status import_converted(const char *f, const struct ArrowArray *a, int64_t i, struct dp_column *c, struct dp_err *err) {
    int64_t v;
    bool narrow = !strcmp(f, "tts") || !strcmp(f, "ttm");
    if (narrow) v = ((const int32_t *)a->buffers[1])[i];
    else v = ((const int64_t *)a->buffers[1])[i];
    if (!strcmp(f, "tdm")) {
        int64_t days = v / 86400000;
        if (v % 86400000 || days < INT32_MIN || days > INT32_MAX) return dp_err_set(err, DP_FORMAT, "an Arrow date64 that is no whole day");
        int32_t d = (int32_t)days;
        dp_column_append_fixed(c, &d, 1);
        return DP_OK;
    }
    if (f[2] == 's' && __builtin_mul_overflow(v, 1000, &v)) return dp_err_set(err, DP_LIMIT, "an Arrow time that milliseconds can't hold");
    dp_column_append_fixed(c, &v, 1);
    return DP_OK;
}

static enum dp_status import_list(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t i, struct dp_column *c, struct dp_err *err) {
    int64_t begin, end;
    const struct ArrowArray *child = a->children[0];
    const struct ArrowSchema *element = s->children[0];
    if (s->format[1] == 'w') {
        int64_t width;
        if (!dp_parse_i64(dp_str_z(s->format + 3), &width) || width < 0 || width > INT32_MAX) return unsupported(s, err);
        begin = i * width, end = begin + width;
    } else if (s->format[1] == 'L') begin = ((const int64_t *)a->buffers[1])[i], end = ((const int64_t *)a->buffers[1])[i + 1];
    else begin = ((const int32_t *)a->buffers[1])[i], end = ((const int32_t *)a->buffers[1])[i + 1];
    if (begin < 0 || end < begin || end > child->length) return dp_err_set(err, DP_FORMAT, "Arrow list offsets outside the child");
    if (end - begin > INT32_MAX - c->children[0].length) return dp_err_set(err, DP_LIMIT, "Arrow lists of more than 2^31 elements in one batch");
    if (c->type->id == DP_TYPE_MAP) {
        for (size_t k = 0; k < 2; k++)
            DP_TRY(import_rows(element->children[k], child->children[k], child->offset + begin, end - begin, &c->children[k], err));
    } else DP_TRY(import_rows(element, child, begin, end - begin, &c->children[0], err));
    dp_column_reserve(c, 1);
    c->offsets[c->length + 1] = (int32_t)c->children[0].length;
    dp_column_push_valid(c, 1);
    return DP_OK;
}

static enum dp_status import_row(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t i, struct dp_column *c, struct dp_err *err) {
    const char *f = s->format;
    size_t width = dp_type_width(c->type);
    if (c->type->id == DP_TYPE_BOOLEAN) {
        dp_column_append_bool(c, ((const uint8_t *)a->buffers[1])[i >> 3] >> (i & 7) & 1);
        return DP_OK;
    }
    if (dp_type_is_bytes(c->type)) return import_bytes(a, i, *f == 'U' || *f == 'Z', c, err);
    if (!strcmp(f, "tdm") || !strncmp(f, "tss", 3) || !strcmp(f, "tts") || !strcmp(f, "ttm")) return import_converted(f, a, i, c, err);
    if (width) {
        dp_column_append_fixed(c, (const uint8_t *)a->buffers[1] + (size_t)i * width, 1);
        return DP_OK;
    }
    if (c->type->id != DP_TYPE_STRUCT) return import_list(s, a, i, c, err);
    for (size_t k = 0; k < c->n_children; k++) DP_TRY(import_rows(s->children[k], a->children[k], i, 1, &c->children[k], err));
    dp_column_push_valid(c, 1);
    return DP_OK;
}

/* Rows [from, from + n) in the array's own count, its offset not yet added. */
static enum dp_status import_rows(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t from, int64_t n, struct dp_column *c,
                                  struct dp_err *err) {
    if (from < 0 || n < 0 || from > a->length || n > a->length - from) return dp_err_set(err, DP_FORMAT, "an Arrow child is too short");
    for (int64_t i = from + a->offset, end = i + n; i < end; i++) {
        if (c->type->id == DP_TYPE_NONE || !is_valid(a, i)) dp_column_append_null(c);
        else DP_TRY(import_row(s, a, i, c, err));
    }
    return DP_OK;
}

enum dp_status dp_arrow_import_batch(const struct ArrowSchema *s, const struct ArrowArray *in, struct dp_batch *b, struct dp_err *err) {
    if (in->n_children != (int64_t)b->n_columns || s->n_children != in->n_children)
        return dp_err_set(err, DP_SCHEMA, "an Arrow array of %lld columns for a schema of %zu", (long long)in->n_children, b->n_columns);
    for (size_t k = 0; k < b->n_columns; k++) {
        enum dp_status st = import_rows(s->children[k], in->children[k], in->offset, in->length, &b->columns[k], err);
        if (st == DP_OK) continue;
        for (size_t i = 0; i <= k; i++) dp_column_truncate(&b->columns[i], b->length);
        return st;
    }
    b->length += in->length;
    return DP_OK;
}
