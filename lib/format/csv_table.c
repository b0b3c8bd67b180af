/*
 * The columns of a CSV: names from the header, types from a sample (dp/format/csv.h, DESIGN section 1 "Types").  A column is numeric only when every
 * value in the sample is spelled as a JSON number, so that its digits can go out as they are; codes with leading zeros stay strings.
 */
#include "csv_priv.h"

#include <dp/base/arena.h>
#include <dp/base/decimal.h>
#include <dp/base/time.h>
#include <dp/record/json.h>

#include <math.h>
#include <stdlib.h>

/* ---- spellings ---- */

bool dp_csv_number(struct dp_str s, struct dp_csv_number *o) {
    size_t i = s.n && s.p[0] == '-', start = i;
    *o = (struct dp_csv_number){0};
    while (i < s.n && (unsigned)(unsigned char)s.p[i] - '0' < 10) i++;
    size_t whole = i - start;
    if (!whole || (whole > 1 && s.p[start] == '0')) return false;
    o->whole = whole == 1 && s.p[start] == '0' ? 0 : (unsigned)whole;
    if (i < s.n && s.p[i] == '.') {
        size_t f = ++i;
        while (i < s.n && (unsigned)(unsigned char)s.p[i] - '0' < 10) i++;
        if (i == f) return false;
        o->scale = (unsigned)(i - f);
        o->fraction = true;
    }
    if (i < s.n && (s.p[i] | 32) == 'e') {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
        size_t e = i;
        while (i < s.n && (unsigned)(unsigned char)s.p[i] - '0' < 10) i++;
        if (i == e) return false;
        o->exponent = true;
    }
    return i == s.n;
}

/* Does the nearest double print as the same value? */
static bool double_holds(struct dp_str s, const struct dp_csv_number *n) {
    if (!n->exponent && n->whole + n->scale <= 15) return true;
    double v;
    char b[32];
    return dp_parse_double(s, &v) && isfinite(v) && dp_number_cmp(dp_str(b, dp_print_double(b, v)), s) == 0;
}

bool dp_csv_timestamp(struct dp_str s, bool *utc) {
    struct dp_timestamp t;
    int64_t micros;
    if (s.n < 19 || !dp_time_parse(s, true, true, &t) || !dp_time_micros(&t, &micros)) return false;
    *utc = t.zone != DP_ZONE_NONE;
    return true;
}

/* ---- learning ---- */

/* Digits before and behind the point that a decimal column needs for it. */
static void widen_decimal(struct dp_csv_column *c, struct dp_str s, const struct dp_csv_number *n) {
    unsigned whole = n->whole ? n->whole : 1, scale = n->scale;
    if (n->exponent) {
        struct dp_decimal d;
        char text[48];
        if (!dp_decimal_parse(s, &d)) {
            c->decimal_ok = false;
            return;
        }
        size_t length = dp_decimal_print(text, d.unscaled, d.scale);
        scale = (unsigned)d.scale;
        whole = (unsigned)length - (scale ? scale + 1 : 0) - (d.unscaled < 0);
    }
    if (whole > c->max_whole) c->max_whole = whole;
    if (scale > c->max_scale) c->max_scale = scale;
}

static void learn_number(struct dp_csv_column *c, struct dp_str s) {
    struct dp_csv_number n;
    if (!dp_csv_number(s, &n)) {
        c->may &= ~(unsigned)DP_CSV_MAY_NUMBER;
        return;
    }
    bool minus_zero = s.n == 2 && s.p[0] == '-' && s.p[1] == '0';
    c->fractions |= n.fraction || n.exponent || minus_zero;
    if (c->decimal_ok) widen_decimal(c, s, &n);
    if (c->double_ok) c->double_ok = double_holds(s, &n);
    int64_t v;
    if (c->int64_ok && n.whole > 18) c->int64_ok = !n.fraction && !n.exponent && dp_parse_i64(s, &v);
}

static void learn_cell(struct dp_csv_column *c, struct dp_str s) {
    c->values++;
    if (!c->may) return;
    if (c->may & DP_CSV_MAY_NUMBER) learn_number(c, s);
    if ((c->may & DP_CSV_MAY_BOOLEAN) && !dp_str_eq(s, DP_STR("true")) && !dp_str_eq(s, DP_STR("false"))) c->may &= ~(unsigned)DP_CSV_MAY_BOOLEAN;
    int32_t days;
    if ((c->may & DP_CSV_MAY_DATE) && !dp_date_parse(s, &days)) c->may &= ~(unsigned)DP_CSV_MAY_DATE;
    if (c->may & (DP_CSV_MAY_LOCAL | DP_CSV_MAY_UTC)) {
        bool utc;
        if (!dp_csv_timestamp(s, &utc)) c->may &= ~(unsigned)(DP_CSV_MAY_LOCAL | DP_CSV_MAY_UTC);
        else c->may &= utc ? ~(unsigned)DP_CSV_MAY_LOCAL : ~(unsigned)DP_CSV_MAY_UTC;
    }
}

bool dp_csv_is_null(const struct dp_csv_dialect *d, const struct dp_csv_cell *c) {
    if (c->quoted) return false;
    if (!c->text.n) return true;
    for (const char *const *z = d->nulls; z && *z; z++)
        if (dp_str_eqz(c->text, *z)) return true;
    return false;
}

/* "column=type" for this column, or NULL. */
static const char *forced_type(const struct dp_csv_dialect *d, struct dp_str name) {
    const char *found = NULL;
    for (const char *const *z = d->types; z && *z; z++) {
        const char *eq = strrchr(*z, '=');
        if (eq && dp_str_eq(dp_str(*z, (size_t)(eq - *z)), name)) found = eq + 1;
    }
    return found;
}

bool dp_csv_table_must_learn(struct dp_csv_table *t, const struct dp_type *schema) {
    size_t open = 0;
    for (size_t i = 0; i < t->width; i++) {
        struct dp_csv_column *c = &t->columns[i];
        if (t->dialect.all_strings || forced_type(&t->dialect, c->name) || (schema && dp_type_child(schema, c->name))) c->may = 0;
        else open++;
    }
    return open > 0;
}

void dp_csv_table_learn(struct dp_csv_table *t, const char *p, size_t n) {
    struct dp_csv_splitter sp = {0};
    dp_csv_splitter_start(&sp, &t->dialect, p, n);
    while (dp_csv_splitter_next(&sp)) {
        if (sp.n_cells != t->width || !sp.closed) continue; /* ragged ones say nothing */
        for (size_t i = 0; i < sp.n_cells; i++) {
            const struct dp_csv_cell *c = &sp.cells[i];
            if (!c->text.n || !t->columns[i].may || dp_csv_is_null(&t->dialect, c)) continue;
            if (c->doubled) t->columns[i].may = 0, t->columns[i].values++; /* a quote in it: text */
            else learn_cell(&t->columns[i], c->text);
        }
    }
    dp_csv_splitter_release(&sp);
}

struct dp_csv_table *dp_csv_table_twin(const struct dp_csv_table *t) {
    struct dp_csv_table *o = dp_calloc(1, sizeof *o);
    o->dialect = t->dialect, o->width = t->width;
    o->columns = dp_calloc(t->width + 1, sizeof *o->columns);
    for (size_t i = 0; i < t->width; i++)
        o->columns[i] = (struct dp_csv_column){.may = t->columns[i].may, .double_ok = true, .decimal_ok = true, .int64_ok = true};
    return o;
}

void dp_csv_table_join(struct dp_csv_table *t, const struct dp_csv_table *other) {
    for (size_t i = 0; i < t->width && i < other->width; i++) {
        struct dp_csv_column *a = &t->columns[i];
        const struct dp_csv_column *b = &other->columns[i];
        if (!b->values) continue;
        a->values += b->values;
        a->may &= b->may;
        a->fractions |= b->fractions;
        a->double_ok &= b->double_ok, a->decimal_ok &= b->decimal_ok, a->int64_ok &= b->int64_ok;
        if (b->max_whole > a->max_whole) a->max_whole = b->max_whole;
        if (b->max_scale > a->max_scale) a->max_scale = b->max_scale;
    }
}

/* ---- deciding ---- */

/* The rule for numbers of dp/record/infer.h, but that what no number type holds stays a string here. */
static void decide_number(const struct dp_csv_column *c, struct dp_type *type, enum dp_csv_kind *kind) {
    *kind = DP_CSV_NUMBER;
    if (!c->fractions && c->int64_ok) {
        type->id = DP_TYPE_INT64;
    } else if (c->fractions && c->double_ok) {
        type->id = DP_TYPE_DOUBLE;
    } else if (c->decimal_ok && c->max_whole + c->max_scale <= DP_DECIMAL_MAX_PRECISION) {
        type->id = DP_TYPE_DECIMAL, type->precision = (int)(c->max_whole + c->max_scale), type->scale = (int)c->max_scale;
    } else {
        *kind = DP_CSV_STRING;
    }
}

static enum dp_csv_kind kind_of_type(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_BOOLEAN: return DP_CSV_BOOLEAN;
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64:
    case DP_TYPE_UINT8: case DP_TYPE_UINT16: case DP_TYPE_UINT32: case DP_TYPE_UINT64:
    case DP_TYPE_FLOAT16: case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: case DP_TYPE_DECIMAL: return DP_CSV_NUMBER;
    case DP_TYPE_DATE: return DP_CSV_DATE;
    case DP_TYPE_TIMESTAMP: return DP_CSV_TIMESTAMP;
    case DP_TYPE_LIST: case DP_TYPE_STRUCT: case DP_TYPE_MAP: case DP_TYPE_JSON:
    case DP_TYPE_NONE: case DP_TYPE_STRING: case DP_TYPE_ENUM: case DP_TYPE_BINARY: case DP_TYPE_FIXED: case DP_TYPE_UUID:
    case DP_TYPE_TIME: case DP_TYPE_INTERVAL: break;
    }
    return DP_CSV_STRING;
}

static struct dp_type *decide_column(const struct dp_csv_dialect *d, struct dp_csv_column *c) {
    struct dp_type *type = dp_type_new(DP_TYPE_STRING, c->name);
    c->kind = DP_CSV_STRING;
    if (d->all_strings || !c->values) return type;
    if (c->may & DP_CSV_MAY_NUMBER) {
        decide_number(c, type, &c->kind);
    } else if (c->may & DP_CSV_MAY_BOOLEAN) {
        c->kind = DP_CSV_BOOLEAN, type->id = DP_TYPE_BOOLEAN;
    } else if (c->may & DP_CSV_MAY_DATE) {
        c->kind = DP_CSV_DATE, type->id = DP_TYPE_DATE;
    } else if (c->may & (DP_CSV_MAY_LOCAL | DP_CSV_MAY_UTC)) {
        c->kind = DP_CSV_TIMESTAMP, type->id = DP_TYPE_TIMESTAMP;
        type->utc = (c->may & DP_CSV_MAY_UTC) != 0;
    }
    c->utc = type->utc;
    return type;
}

/* Takes a type that somebody asked for; values are then brought to its spelling where they have another. */
static struct dp_type *force(struct dp_csv_column *c, struct dp_type *type) {
    free(type->name);
    type->name = dp_strndup(c->name.p, c->name.n);
    type->name_n = c->name.n;
    c->kind = kind_of_type(type);
    c->forced = true;
    c->utc = type->utc;
    c->whole_only = type->id >= DP_TYPE_INT8 && type->id <= DP_TYPE_UINT64;
    return type;
}

static enum dp_status no_such_column(const struct dp_csv_table *t, const char *z, struct dp_err *err) {
    const char *eq = strrchr(z, '='), **words = dp_calloc(t->width + 1, sizeof *words);
    struct dp_arena arena = {0};
    for (size_t i = 0; i < t->width; i++) words[i] = dp_arena_str(&arena, t->columns[i].name).p;
    const char *near = dp_str_nearest(dp_arena_str(&arena, dp_str(z, eq ? (size_t)(eq - z) : strlen(z))).p, words);
    dp_err_set(err, DP_USAGE, "--types: '%s' names no column of this input%s%s%s", z, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    dp_arena_release(&arena);
    free(words);
    return DP_USAGE;
}

enum dp_status dp_csv_table_decide(struct dp_csv_table *t, const struct dp_type *schema, struct dp_err *err) {
    for (const char *const *z = t->dialect.types; z && *z; z++) {
        const char *eq = strrchr(*z, '=');
        bool known = false;
        for (size_t i = 0; eq && i < t->width && !known; i++) known = dp_str_eq(dp_str(*z, (size_t)(eq - *z)), t->columns[i].name);
        if (!known) return no_such_column(t, *z, err);
    }
    dp_type_free(t->schema);
    t->schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    for (size_t i = 0; i < t->width; i++) {
        struct dp_csv_column *c = &t->columns[i];
        const char *z = forced_type(&t->dialect, c->name);
        const struct dp_type *s = schema ? dp_type_child(schema, c->name) : NULL;
        struct dp_type *type = NULL;
        if (z) {
            DP_TRY(dp_type_parse(dp_str_z(z), &type, err));
            type = force(c, type);
        } else if (s) {
            type = force(c, dp_type_copy(s));
        } else {
            type = decide_column(&t->dialect, c);
        }
        c->hidden = false;
        c->by_schema = s != NULL;
        for (const char *const *h = t->dialect.hidden; h && *h; h++) c->hidden |= dp_str_eqz(c->name, *h);
        struct dp_buf words = {0};
        dp_type_print(type, &words);
        free(c->expected);
        c->expected = dp_buf_detach(&words);
        dp_type_add(t->schema, type);
    }
    return DP_OK;
}

const struct dp_type *dp_csv_table_schema(const struct dp_csv_table *t) { return t->schema; }
const struct dp_csv_dialect *dp_csv_table_dialect(const struct dp_csv_table *t) { return &t->dialect; }
char dp_csv_newline_byte(const struct dp_csv_table *t) { return t->dialect.newline == DP_CSV_NEWLINE_CR ? '\r' : '\n'; }
size_t dp_csv_table_width(const struct dp_csv_table *t) { return t->width; }
struct dp_str dp_csv_table_key(const struct dp_csv_table *t) { return dp_buf_str(&t->key); }

/* ---- names ---- */

static bool name_taken(const struct dp_csv_table *t, size_t n, struct dp_str name) {
    for (size_t i = 0; i < n; i++)
        if (dp_str_eq(t->columns[i].name, name)) return true;
    return false;
}

static void name_column(struct dp_csv_table *t, size_t i, struct dp_str wanted, struct dp_buf *notes) {
    struct dp_buf b = {0};
    if (wanted.n && dp_utf8_valid(wanted.p, wanted.n, NULL)) dp_buf_adds(&b, wanted);
    else dp_buf_addf(&b, "column_%zu", i + 1);
    size_t base = b.n;
    for (unsigned k = 2; name_taken(t, i, dp_buf_str(&b)); k++) {
        b.n = base;
        dp_buf_addf(&b, "_%u", k);
    }
    if (notes && wanted.p && (b.n != wanted.n || !wanted.n))
        dp_buf_addf(notes, "column %zu: header '%.*s' is named '%.*s'\n", i + 1, DP_STR_FMT(wanted), DP_STR_FMT(b));
    struct dp_csv_column *c = &t->columns[i];
    *c = (struct dp_csv_column){.may = DP_CSV_MAY_ALL, .double_ok = true, .decimal_ok = true, .int64_ok = true};
    c->name = dp_str(NULL, b.n);
    c->name.p = dp_buf_detach(&b);
    struct dp_buf prefix = {0};
    dp_buf_addc(&prefix, i ? ',' : '{');
    dp_json_add_string(&prefix, c->name);
    dp_buf_addc(&prefix, ':');
    memset(dp_buf_reserve(&prefix, 16), 0, 16); /* copied by sixteens */
    c->prefix = dp_buf_str(&prefix);
    t->prefix_bytes += prefix.n;
    dp_buf_adds(&t->key, c->name);
    dp_buf_addc(&t->key, '\n');
}

static size_t skip_lines(const struct dp_csv_dialect *d, struct dp_str s, int lines) {
    size_t at = 0;
    while (lines-- > 0 && at < s.n) {
        while (at < s.n && s.p[at] != '\n' && !(s.p[at] == '\r' && d->newline >= DP_CSV_NEWLINE_CR)) at++;
        if (at < s.n) at += s.p[at] == '\r' && at + 1 < s.n && s.p[at + 1] == '\n' && d->newline == DP_CSV_NEWLINE_ANY ? 2 : 1;
    }
    return at;
}

enum dp_status dp_csv_table_open(const struct dp_csv_dialect *d, struct dp_str sample, struct dp_csv_table **out, size_t *data, uint64_t *lines,
                                 struct dp_buf *notes, struct dp_err *err) {
    struct dp_csv_table *t = dp_calloc(1, sizeof *t);
    struct dp_csv_cell *cells = NULL;
    struct dp_buf text = {0};
    size_t cap = 0, n = 0, at = skip_lines(d, sample, d->skip), len = 0;
    bool closed = true;
    t->dialect = *d;
    *out = t;
    for (; at < sample.n; at += len) { /* blank lines and comments before the header */
        len = dp_csv_split(d, sample.p + at, sample.n - at, &cells, &cap, &n, &closed);
        if (n > 1 || (n == 1 && (cells[0].text.n || cells[0].quoted))) break;
        n = 0;
    }
    enum dp_status status = DP_OK;
    if (n > DP_LIMIT_COLUMNS) status = dp_err_set(err, DP_LIMIT, "more than %u columns", DP_LIMIT_COLUMNS);
    else if (!closed) status = dp_err_set(err, DP_FORMAT, "the header ends inside quotes");
    if (!status) {
        t->width = n;
        t->columns = dp_calloc(n ? n : 1, sizeof *t->columns);
        bool header = d->header != DP_CSV_HEADER_NO;
        for (size_t i = 0; i < n; i++) {
            text.n = 0;
            if (header && cells[i].doubled) dp_csv_unquote(d, cells[i].text, &text);
            else if (header) dp_buf_adds(&text, cells[i].text);
            name_column(t, i, header ? dp_str(text.n ? text.p : "", text.n) : dp_str(NULL, 0), notes);
        }
        *data = header ? at + len : at;
        *lines = dp_count_byte(sample.p, *data, d->newline == DP_CSV_NEWLINE_CR ? '\r' : '\n');
    } else {
        (void)dp_err_at(err, NULL, 1 + dp_count_byte(sample.p, at, '\n'), at);
    }
    dp_buf_release(&text);
    free(cells);
    return status;
}

void dp_csv_table_close(struct dp_csv_table *t) {
    if (!t) return;
    for (size_t i = 0; i < t->width && t->columns; i++) {
        free((char *)(uintptr_t)t->columns[i].name.p);
        free((char *)(uintptr_t)t->columns[i].prefix.p);
        free(t->columns[i].expected);
    }
    free(t->columns);
    dp_type_free(t->schema);
    dp_buf_release(&t->key);
    free(t);
}
