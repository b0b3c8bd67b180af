/*
 * The text form of a type, for messages and --types: decimal(12,2), timestamp(ms), struct<a:int64,`odd name`:list<string>>.
 * A field, element or map value that may not be null has " not null" behind it.
 */
#include <dp/base/limits.h>
#include <dp/base/num.h>
#include <dp/record/json.h>
#include <dp/record/type.h>

static const struct word {
    const char *text;
    enum dp_type_id id;
} words[] = {
    {"void", DP_TYPE_NONE},       {"boolean", DP_TYPE_BOOLEAN}, {"int8", DP_TYPE_INT8},
    {"int16", DP_TYPE_INT16},     {"int32", DP_TYPE_INT32},     {"int64", DP_TYPE_INT64},
    {"uint8", DP_TYPE_UINT8},     {"uint16", DP_TYPE_UINT16},   {"uint32", DP_TYPE_UINT32},
    {"uint64", DP_TYPE_UINT64},   {"float16", DP_TYPE_FLOAT16}, {"float", DP_TYPE_FLOAT},
    {"double", DP_TYPE_DOUBLE},   {"decimal", DP_TYPE_DECIMAL}, {"string", DP_TYPE_STRING},
    {"json", DP_TYPE_JSON},       {"enum", DP_TYPE_ENUM},       {"binary", DP_TYPE_BINARY},
    {"fixed", DP_TYPE_FIXED},     {"uuid", DP_TYPE_UUID},       {"date", DP_TYPE_DATE},
    {"time", DP_TYPE_TIME},       {"time_utc", DP_TYPE_TIME},   {"timestamp", DP_TYPE_TIMESTAMP},
    {"interval", DP_TYPE_INTERVAL}, {"list", DP_TYPE_LIST},     {"struct", DP_TYPE_STRUCT},
    {"map", DP_TYPE_MAP},         {"timestamp_ntz", DP_TYPE_TIMESTAMP},
};
#define N_WORDS (sizeof words / sizeof words[0])

static const char *type_word(const struct dp_type *t) {
    if (t->id == DP_TYPE_TIMESTAMP && !t->utc) return "timestamp_ntz";
    if (t->id == DP_TYPE_TIME && t->utc) return "time_utc";
    for (size_t i = 0; i < N_WORDS; i++)
        if (words[i].id == t->id) return words[i].text;
    return "void";
}

static bool is_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void print_name(const struct dp_type *t, struct dp_buf *b) {
    bool plain = t->name_n > 0;
    for (size_t i = 0; i < t->name_n; i++) plain = plain && is_name_byte(t->name[i]);
    if (plain) return dp_buf_add(b, t->name, t->name_n);
    dp_buf_addc(b, '`');
    for (size_t i = 0; i < t->name_n; i++) {
        if (t->name[i] == '`') dp_buf_addc(b, '`');
        dp_buf_addc(b, t->name[i]);
    }
    dp_buf_addc(b, '`');
}

static const char *unit_word(enum dp_time_unit u) {
    return u == DP_UNIT_MILLIS ? "ms" : u == DP_UNIT_NANOS ? "ns" : "us";
}

void dp_type_print_leaf(const struct dp_type *t, struct dp_buf *b) {
    dp_buf_addz(b, type_word(t));
    if (t->id == DP_TYPE_DECIMAL) dp_buf_addf(b, "(%d,%d)", t->precision, t->scale);
    else if (t->id == DP_TYPE_FIXED) dp_buf_addf(b, "(%d)", t->width);
    else if ((t->id == DP_TYPE_TIME || t->id == DP_TYPE_TIMESTAMP) && t->unit != DP_UNIT_MICROS)
        dp_buf_addf(b, "(%s)", unit_word(t->unit));
}

void dp_type_print(const struct dp_type *t, struct dp_buf *b) {
    dp_type_print_leaf(t, b);
    if (!dp_type_is_nested(t)) return;
    dp_buf_addc(b, '<');
    for (size_t i = 0; i < t->n_children; i++) {
        const struct dp_type *c = t->children[i];
        if (i) dp_buf_addc(b, ',');
        if (t->id == DP_TYPE_STRUCT) print_name(c, b), dp_buf_addc(b, ':');
        dp_type_print(c, b);
        if (!c->nullable && !(t->id == DP_TYPE_MAP && i == 0)) dp_buf_addz(b, " not null");
    }
    dp_buf_addc(b, '>');
}

/* ---- reading it ---- */

struct cursor {
    const char *p, *end, *start;
    struct dp_err *err;
    unsigned depth;
};

static void skip_blanks(struct cursor *c) {
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t')) c->p++;
}

static bool take(struct cursor *c, char ch) {
    skip_blanks(c);
    if (c->p == c->end || *c->p != ch) return false;
    c->p++;
    return true;
}

static enum dp_status expect(struct cursor *c, char ch) {
    if (take(c, ch)) return DP_OK;
    return dp_err_set(c->err, DP_USAGE, "type \"%.*s\": expected '%c' at column %zu",
                      DP_STR_FMT(dp_str(c->start, (size_t)(c->end - c->start))), ch, (size_t)(c->p - c->start) + 1);
}

static struct dp_str take_word(struct cursor *c) {
    skip_blanks(c);
    const char *p = c->p;
    while (c->p < c->end && is_name_byte(*c->p)) c->p++;
    return dp_str(p, (size_t)(c->p - p));
}

static enum dp_status take_int(struct cursor *c, int low, int high, int *out) {
    int64_t v;
    struct dp_str w = take_word(c);
    if (!dp_parse_i64(w, &v) || v < low || v > high)
        return dp_err_set(c->err, DP_USAGE, "type \"%.*s\": expected a number from %d to %d at column %zu",
                          DP_STR_FMT(dp_str(c->start, (size_t)(c->end - c->start))), low, high,
                          (size_t)(w.p - c->start) + 1);
    *out = (int)v;
    return DP_OK;
}

static enum dp_status unknown_word(struct cursor *c, struct dp_str w) {
    const char *all[N_WORDS + 1];
    char text[64];
    for (size_t i = 0; i < N_WORDS; i++) all[i] = words[i].text;
    all[N_WORDS] = NULL;
    size_t n = w.n < sizeof text - 1 ? w.n : sizeof text - 1;
    memcpy(text, w.p, n);
    text[n] = 0;
    const char *near = dp_str_nearest(text, all);
    if (near) return dp_err_set(c->err, DP_USAGE, "unknown type \"%s\", did you mean \"%s\"?", text, near);
    return dp_err_set(c->err, DP_USAGE, "unknown type \"%s\"", text);
}

static enum dp_status parse_parameters(struct cursor *c, struct dp_type *t) {
    if (t->id == DP_TYPE_DECIMAL) {
        DP_TRY(expect(c, '('));
        DP_TRY(take_int(c, 1, 38, &t->precision));
        if (take(c, ',')) DP_TRY(take_int(c, 0, t->precision, &t->scale));
        return expect(c, ')');
    }
    if (t->id == DP_TYPE_FIXED) {
        DP_TRY(expect(c, '('));
        DP_TRY(take_int(c, 1, 1 << 20, &t->width));
        return expect(c, ')');
    }
    if ((t->id == DP_TYPE_TIME || t->id == DP_TYPE_TIMESTAMP) && take(c, '(')) {
        struct dp_str w = take_word(c);
        if (dp_str_eqz(w, "ms")) t->unit = DP_UNIT_MILLIS;
        else if (dp_str_eqz(w, "us")) t->unit = DP_UNIT_MICROS;
        else if (dp_str_eqz(w, "ns")) t->unit = DP_UNIT_NANOS;
        else return dp_err_set(c->err, DP_USAGE, "unit \"%.*s\" is none of ms, us, ns", DP_STR_FMT(w));
        return expect(c, ')');
    }
    return DP_OK;
}

static enum dp_status parse_one(struct cursor *c, struct dp_str name, struct dp_type **out);

static enum dp_status parse_name(struct cursor *c, struct dp_buf *b) {
    skip_blanks(c);
    if (c->p == c->end || *c->p != '`') {
        struct dp_str w = take_word(c);
        if (!w.n) return expect(c, '`');
        dp_buf_adds(b, w);
        return DP_OK;
    }
    for (c->p++; c->p < c->end; c->p++) {
        if (*c->p == '`') {
            c->p++;
            if (c->p == c->end || *c->p != '`') return DP_OK;
        }
        dp_buf_addc(b, *c->p);
    }
    return expect(c, '`');
}

static void take_not_null(struct cursor *c, struct dp_type *t) {
    const char *back = c->p;
    if (dp_str_eqz(take_word(c), "not") && dp_str_eqz(take_word(c), "null")) t->nullable = false;
    else c->p = back;
}

static enum dp_status parse_field(struct cursor *c, struct dp_type *t) {
    struct dp_buf name = {0};
    struct dp_type *child = NULL;
    enum dp_status status = DP_OK;
    if (t->id == DP_TYPE_STRUCT) {
        DP_TRY_OUT(parse_name(c, &name));
        DP_TRY_OUT(expect(c, ':'));
        if (dp_type_child(t, dp_buf_str(&name))) {
            status = dp_err_set(c->err, DP_USAGE, "field \"%.*s\" is there twice", DP_STR_FMT(dp_buf_str(&name)));
            goto out;
        }
    } else dp_buf_addz(&name, t->id == DP_TYPE_LIST ? "element" : t->n_children ? "value" : "key");
    DP_TRY_OUT(parse_one(c, dp_buf_str(&name), &child));
    take_not_null(c, child);
    if (t->id == DP_TYPE_MAP && !t->n_children) child->nullable = false;
    dp_type_add(t, child);
out:
    dp_buf_release(&name);
    return status;
}

static enum dp_status parse_children(struct cursor *c, struct dp_type *t) {
    DP_TRY(expect(c, '<'));
    if (++c->depth > DP_LIMIT_SCHEMA_DEPTH) return dp_err_set(c->err, DP_LIMIT, "types nested deeper than %u", DP_LIMIT_SCHEMA_DEPTH);
    size_t want = t->id == DP_TYPE_LIST ? 1 : t->id == DP_TYPE_MAP ? 2 : DP_LIMIT_COLUMNS;
    for (size_t i = 0; i < want; i++) {
        if (t->id == DP_TYPE_STRUCT && !i && take(c, '>')) return c->depth--, DP_OK;
        if (i) {
            if (t->id == DP_TYPE_STRUCT && !take(c, ',')) break;
            if (t->id == DP_TYPE_MAP) DP_TRY(expect(c, ','));
        }
        DP_TRY(parse_field(c, t));
    }
    if (t->n_children == DP_LIMIT_COLUMNS && take(c, ',')) return dp_err_set(c->err, DP_LIMIT, "a struct of more than %u fields", DP_LIMIT_COLUMNS);
    c->depth--;
    return expect(c, '>');
}

static enum dp_status parse_one(struct cursor *c, struct dp_str name, struct dp_type **out) {
    struct dp_str w = take_word(c);
    size_t i = 0;
    while (i < N_WORDS && !dp_str_eqz(w, words[i].text)) i++;
    if (i == N_WORDS) return unknown_word(c, w);
    struct dp_type *t = dp_type_new(words[i].id, name);
    t->utc = dp_str_eqz(w, "timestamp") || dp_str_eqz(w, "time_utc");
    enum dp_status status = parse_parameters(c, t);
    if (status == DP_OK && dp_type_is_nested(t)) status = parse_children(c, t);
    if (status != DP_OK) dp_type_free(t);
    else *out = t;
    return status;
}

enum dp_status dp_type_parse(struct dp_str text, struct dp_type **out, struct dp_err *err) {
    struct cursor c = {text.p, text.p + text.n, text.p, err, 0};
    struct dp_type *t = NULL;
    if (!dp_utf8_valid(text.p, text.n, NULL)) return dp_err_set(err, DP_USAGE, "a type's text is not UTF-8");
    DP_TRY(parse_one(&c, DP_STR(""), &t));
    take_not_null(&c, t);
    skip_blanks(&c);
    if (c.p != c.end) {
        dp_type_free(t);
        return dp_err_set(err, DP_USAGE, "type \"%.*s\": unexpected text at column %zu", DP_STR_FMT(text), (size_t)(c.p - c.start) + 1);
    }
    *out = t;
    return DP_OK;
}
