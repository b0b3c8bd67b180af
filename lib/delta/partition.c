/*
 * Partition values (digest section 8): the text of the log, to and from typed values.
 * What it does not do: nested types (they can't partition a table), delta-rs's \u00XX spelling of binary.
 */
#include <dp/delta/partition.h>
#include <dp/base/decimal.h>
#include <dp/base/time.h>

bool dp_delta_partition_type_ok(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_BOOLEAN: case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_UINT8:
    case DP_TYPE_UINT16: case DP_TYPE_UINT32: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: case DP_TYPE_DECIMAL: case DP_TYPE_STRING:
    case DP_TYPE_ENUM: case DP_TYPE_BINARY: case DP_TYPE_DATE: case DP_TYPE_TIMESTAMP: return true;
    case DP_TYPE_NONE: case DP_TYPE_UINT64: case DP_TYPE_FLOAT16: case DP_TYPE_JSON: case DP_TYPE_FIXED: case DP_TYPE_UUID: case DP_TYPE_TIME:
    case DP_TYPE_INTERVAL: case DP_TYPE_LIST: case DP_TYPE_STRUCT: case DP_TYPE_MAP: return false;
    }
    return false;
}

/* The shortest digits, laid out as Java does: plain in [1e-3, 1e7), else one digit, point, digits, E, exponent. */
static void print_java(const char *s, size_t n, struct dp_buf *out) {
    char digits[40];
    size_t nd = 0, i = 0;
    int64_t exp = 0;
    int point = -1;
    if (s[0] == '-') dp_buf_addc(out, '-'), i++;
    if (s[i] == 'N' || s[i] == 'I') {
        dp_buf_add(out, s + i, n - i);
        return;
    }
    for (; i < n && s[i] != 'e' && s[i] != 'E'; i++) {
        if (s[i] == '.') point = (int)nd;
        else if (nd < sizeof digits) digits[nd++] = s[i];
    }
    if (i < n) {
        size_t a = i + 1 + (s[i + 1] == '+');
        (void)dp_parse_i64(dp_str(s + a, n - a), &exp);
    }
    /* value = 0.d1d2d3... * 10^exp */
    exp += point < 0 ? (int)nd : point;
    size_t lead = 0;
    while (lead < nd && digits[lead] == '0') lead++, exp--;
    while (nd > lead && digits[nd - 1] == '0') nd--;
    size_t count = nd - lead;
    const char *d = digits + lead;
    if (count == 0) {
        dp_buf_addz(out, "0.0");
    } else if (exp >= -2 && exp <= 7) {
        if (exp <= 0) {
            dp_buf_addz(out, "0.");
            for (int64_t k = exp; k < 0; k++) dp_buf_addc(out, '0');
            dp_buf_add(out, d, count);
        } else {
            for (int64_t k = 0; k < exp; k++) dp_buf_addc(out, (size_t)k < count ? d[k] : '0');
            dp_buf_addc(out, '.');
            if ((size_t)exp < count) dp_buf_add(out, d + exp, count - (size_t)exp);
            else dp_buf_addc(out, '0');
        }
    } else {
        dp_buf_addc(out, d[0]);
        dp_buf_addc(out, '.');
        if (count > 1) dp_buf_add(out, d + 1, count - 1);
        else dp_buf_addc(out, '0');
        dp_buf_addf(out, "E%lld", (long long)(exp - 1));
    }
}

static int64_t read_int(const struct dp_column *c, int64_t row) {
    size_t i = (size_t)row;
    switch (c->type->id) {
    case DP_TYPE_INT8: return ((const int8_t *)c->data)[i];
    case DP_TYPE_UINT8: return c->data[i];
    case DP_TYPE_INT16: { int16_t v; memcpy(&v, c->data + 2 * i, 2); return v; }
    case DP_TYPE_UINT16: { uint16_t v; memcpy(&v, c->data + 2 * i, 2); return v; }
    case DP_TYPE_INT32: case DP_TYPE_DATE: { int32_t v; memcpy(&v, c->data + 4 * i, 4); return v; }
    case DP_TYPE_UINT32: { uint32_t v; memcpy(&v, c->data + 4 * i, 4); return v; }
    default: { int64_t v; memcpy(&v, c->data + 8 * i, 8); return v; }
    }
}

static enum dp_status timestamp_text(const struct dp_type *t, int64_t v, struct dp_buf *out, struct dp_err *err) {
    char text[40];
    int64_t micros = v;
    if (t->unit == DP_UNIT_MILLIS && dp_mul_overflow(v, 1000, &micros)) return dp_err_set(err, DP_RULE, "a timestamp is out of range");
    if (t->unit == DP_UNIT_NANOS) {
        if (v % 1000) return dp_err_set(err, DP_RULE, "a timestamp finer than a microsecond can't be a partition value");
        micros = v / 1000;
    }
    size_t n = dp_time_print_micros(text, micros, t->utc, 6);
    if (!t->utc)
        for (size_t i = 0; i < n; i++)
            if (text[i] == 'T') text[i] = ' ';
    dp_buf_add(out, text, n);
    return DP_OK;
}

enum dp_status dp_delta_partition_text(const struct dp_column *c, int64_t row, struct dp_buf *out, bool *is_null, struct dp_err *err) {
    char text[64];
    size_t i = (size_t)row;
    *is_null = !dp_column_is_valid(c, row);
    if (*is_null) return DP_OK;
    switch (c->type->id) {
    case DP_TYPE_BOOLEAN:
        dp_buf_addz(out, c->data[i >> 3] >> (i & 7) & 1 ? "true" : "false");
        return DP_OK;
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_UINT8: case DP_TYPE_UINT16: case DP_TYPE_UINT32:
        dp_buf_add(out, text, dp_print_i64(text, read_int(c, row)));
        return DP_OK;
    case DP_TYPE_FLOAT: {
        float v;
        memcpy(&v, c->data + 4 * i, 4);
        print_java(text, dp_print_float(text, v), out);
        return DP_OK;
    }
    case DP_TYPE_DOUBLE: {
        double v;
        memcpy(&v, c->data + 8 * i, 8);
        print_java(text, dp_print_double(text, v), out);
        return DP_OK;
    }
    case DP_TYPE_DECIMAL: {
        dp_i128 v;
        memcpy(&v, c->data + 16 * i, 16);
        dp_buf_add(out, text, dp_decimal_print(text, v, c->type->scale));
        return DP_OK;
    }
    case DP_TYPE_DATE:
        dp_buf_add(out, text, dp_date_print(text, (int32_t)read_int(c, row)));
        return DP_OK;
    case DP_TYPE_TIMESTAMP:
        return timestamp_text(c->type, read_int(c, row), out, err);
    case DP_TYPE_STRING: case DP_TYPE_ENUM: case DP_TYPE_BINARY: {
        struct dp_str s = dp_str((const char *)c->data + c->offsets[i], (size_t)(c->offsets[i + 1] - c->offsets[i]));
        if (c->type->id == DP_TYPE_BINARY && !dp_utf8_valid(s.p, s.n, NULL))
            return dp_err_set(err, DP_RULE, "binary that is not UTF-8 can't be a partition value");
        *is_null = s.n == 0;
        dp_buf_adds(out, s);
        return DP_OK;
    }
    default:
        dp_buf_reset(out);
        return dp_err_set(err, DP_UNSUPPORTED, "a column of this type can't partition a table");
    }
}

static enum dp_status bad_value(const struct dp_type *t, struct dp_str text, struct dp_err *err) {
    struct dp_buf b = {0};
    dp_type_print(t, &b);
    dp_err_set(err, DP_FORMAT, "partition column %s: \"%.*s\" is not a %s", t->name, DP_STR_FMT(text), dp_buf_z(&b));
    dp_buf_release(&b);
    return DP_FORMAT;
}

static bool word_is(struct dp_str s, const char *lower) {
    if (s.n != strlen(lower)) return false;
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] | 32) != lower[i]) return false;
    return true;
}

static bool timestamp_json(const struct dp_type *t, struct dp_str text, struct dp_buf *out) {
    struct dp_timestamp ts;
    char s[40];
    int64_t micros;
    int32_t days;
    if (dp_date_parse(text, &days)) micros = (int64_t)days * 86400000000; /* written before the column was widened from date */
    else if (!dp_time_parse(text, true, true, &ts) || !dp_time_micros(&ts, &micros)) return false;
    dp_buf_addc(out, '"');
    dp_buf_add(out, s, dp_time_print_micros(s, micros, t->utc, -1));
    dp_buf_addc(out, '"');
    return true;
}

/* Java's 1.0E10 is a JSON number too; its NaN and Infinity are strings in records. */
static bool float_json(const struct dp_type *t, struct dp_str text, struct dp_buf *out) {
    double v;
    char s[32];
    if (!dp_parse_double(text, &v)) return false;
    size_t n = t->id == DP_TYPE_FLOAT ? dp_print_float(s, (float)v) : dp_print_double(s, v);
    bool word = s[n - 1] == 'N' || s[n - 1] == 'y';
    if (word) dp_buf_addc(out, '"');
    dp_buf_add(out, s, n);
    if (word) dp_buf_addc(out, '"');
    return true;
}

enum dp_status dp_delta_partition_json(const struct dp_type *t, struct dp_str text, bool is_null, struct dp_buf *out, struct dp_err *err) {
    char s[64];
    if (is_null || !text.n) {
        dp_buf_addz(out, "null");
        return DP_OK;
    }
    switch (t->id) {
    case DP_TYPE_BOOLEAN:
        if (!word_is(text, "true") && !word_is(text, "false")) return bad_value(t, text, err);
        dp_buf_addz(out, word_is(text, "true") ? "true" : "false");
        return DP_OK;
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: {
        int64_t v, max = t->id == DP_TYPE_INT8 ? INT8_MAX : t->id == DP_TYPE_INT16 ? INT16_MAX : t->id == DP_TYPE_INT32 ? INT32_MAX : INT64_MAX;
        if (!dp_parse_i64(text, &v) || v > max || v < -max - 1) return bad_value(t, text, err);
        dp_json_add_i64(out, v);
        return DP_OK;
    }
    case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE:
        return float_json(t, text, out) ? DP_OK : bad_value(t, text, err);
    case DP_TYPE_DECIMAL: {
        struct dp_decimal d;
        dp_i128 v;
        if (!dp_decimal_parse(text, &d) || !dp_decimal_rescale(d, t->precision, t->scale, &v)) return bad_value(t, text, err);
        dp_buf_add(out, s, dp_decimal_print(s, v, t->scale));
        return DP_OK;
    }
    case DP_TYPE_DATE: {
        int32_t days;
        if (!dp_date_parse(text, &days)) return bad_value(t, text, err);
        dp_buf_addc(out, '"');
        dp_buf_add(out, s, dp_date_print(s, days));
        dp_buf_addc(out, '"');
        return DP_OK;
    }
    case DP_TYPE_TIMESTAMP:
        return timestamp_json(t, text, out) ? DP_OK : bad_value(t, text, err);
    case DP_TYPE_STRING:
        if (!dp_utf8_valid(text.p, text.n, NULL)) return bad_value(t, text, err);
        dp_json_add_string(out, text);
        return DP_OK;
    case DP_TYPE_BINARY:
        dp_json_add_binary(out, text, false);
        return DP_OK;
    case DP_TYPE_NONE:
        dp_buf_addz(out, "null");
        return DP_OK;
    default:
        return dp_err_set(err, DP_UNSUPPORTED, "partition column %s: a column of this type can't partition a table", t->name);
    }
}

/* ---- what a data file says ---- */

/* Member `key` of the metadata as JSON; false: it is not there, or does not parse, which *status says. */
static bool parse_member(const struct dp_pq_meta *m, const char *key, struct dp_scan *scan, struct dp_buf *b, struct dp_record *r, enum dp_status *status, struct dp_err *err) {
    struct dp_str text;
    *status = DP_OK;
    if (!dp_pq_find_value(m, key, &text)) return false;
    dp_buf_adds(b, text);
    memset(dp_buf_reserve(b, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    *status = dp_scan_value(scan, b->p, b->n, r, err);
    return *status == DP_OK;
}

enum dp_status dp_delta_file_values(const struct dp_pq_meta *m, struct dp_arena *arena, struct dp_delta_pairs *out, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_buf b = {0};
    struct dp_record r;
    enum dp_status status;
    *out = (struct dp_delta_pairs){0};
    if (parse_member(m, DP_DELTA_KV_PARTITION, scan, &b, &r, &status, err)) status = dp_delta_pairs_parse(&r, 0, arena, out, err);
    dp_scan_close(scan);
    dp_buf_release(&b);
    return status;
}

enum dp_status dp_delta_file_schema(const struct dp_pq_meta *m, struct dp_type **out, struct dp_err *err) {
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_RECORD, DP_SCAN_AUTO);
    struct dp_buf b = {0};
    struct dp_record r;
    enum dp_status status;
    *out = NULL;
    if (parse_member(m, DP_DELTA_KV_SCHEMA, scan, &b, &r, &status, err)) status = dp_type_from_json(&r, 0, out, err);
    dp_scan_close(scan);
    dp_buf_release(&b);
    return status;
}
