/*
 * Values of SQL expressions, row by row on column batches (dp/delta/sql.h).  Texts that are made live until the next row.
 */
#include "sql_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>

#include <math.h>
#include <stdlib.h>

struct dp_sql_run {
    const struct dp_sql *sql;
    const struct dp_batch *b;
    int64_t row;
    struct dp_arena arena;
    const char *refused; /* a function met a value that it can't be evaluated on */
};

void dp_sql_free(struct dp_sql *s) {
    if (!s) return;
    dp_arena_release(&s->arena);
    free(s);
}

struct dp_sql_run *dp_sql_run_open(const struct dp_sql *s) {
    struct dp_sql_run *r = dp_calloc(1, sizeof *r);
    r->sql = s;
    return r;
}

void dp_sql_run_close(struct dp_sql_run *r) {
    if (!r) return;
    dp_arena_release(&r->arena);
    free(r);
}

/* ---- values of columns ---- */

static struct sql_value null_value(void) { return (struct sql_value){.kind = SQL_NULL}; }
static struct sql_value bool_value(bool v) { return (struct sql_value){.kind = SQL_BOOL, .i = v}; }
static struct sql_value int_value(int64_t v) { return (struct sql_value){.kind = SQL_INT, .i = v}; }
static struct sql_value double_value(double v) { return (struct sql_value){.kind = SQL_DOUBLE, .d = v}; }
static struct sql_value text_value(struct dp_str s) { return (struct sql_value){.kind = SQL_STRING, .s = s}; }
static struct sql_value decimal_value(dp_i128 v, int scale) { return (struct sql_value){.kind = SQL_DECIMAL, .dec = v, .scale = scale}; }

static struct sql_value load(const struct dp_column *c, int64_t row, enum sql_kind kind) {
    const uint8_t *p = c->data;
    size_t at = (size_t)row;
    struct sql_value v = {.kind = kind};
    float f;
    int32_t w;
    int16_t h;
    if (!dp_column_is_valid(c, row)) return null_value();
    switch (c->type->id) {
    case DP_TYPE_BOOLEAN: v.i = p[at >> 3] >> (at & 7) & 1; return v;
    case DP_TYPE_INT8: v.i = (int8_t)p[at]; return v;
    case DP_TYPE_INT16: memcpy(&h, p + at * 2, 2), v.i = h; return v;
    case DP_TYPE_INT32: case DP_TYPE_DATE: memcpy(&w, p + at * 4, 4), v.i = w; return v;
    case DP_TYPE_INT64: case DP_TYPE_TIMESTAMP: memcpy(&v.i, p + at * 8, 8); return v;
    case DP_TYPE_FLOAT: memcpy(&f, p + at * 4, 4), v.d = (double)f; return v;
    case DP_TYPE_DOUBLE: memcpy(&v.d, p + at * 8, 8); return v;
    case DP_TYPE_DECIMAL: memcpy(&v.dec, p + at * 16, 16), v.scale = c->type->scale; return v;
    default: break;
    }
    if (c->offsets && !c->n_children) v.s = dp_str((const char *)p + c->offsets[row], (size_t)(c->offsets[row + 1] - c->offsets[row]));
    return v;
}

static struct sql_value column_value(const struct dp_sql_run *r, const struct sql_node *n) {
    const struct dp_column *c = &r->b->columns[n->path[0]];
    for (size_t i = 1; i < n->n_path; i++) {
        if (!dp_column_is_valid(c, r->row)) return null_value();
        c = &c->children[n->path[i]];
    }
    return load(c, r->row, n->kind);
}

/* ---- order ---- */

static double as_double(const struct sql_value *v) {
    if (v->kind == SQL_DOUBLE) return v->d;
    if (v->kind == SQL_INT) return (double)v->i;
    char text[49];
    double d = 0;
    size_t n = dp_decimal_print(text, v->dec, v->scale);
    (void)dp_parse_double(dp_str(text, n), &d);
    return d;
}

static int order(double a, double b) {
    if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

/* The one with fewer places is brought to the other's; where that overflows it is the larger one. */
static int order_exact(const struct sql_value *a, const struct sql_value *b) {
    dp_i128 x = a->kind == SQL_INT ? a->i : a->dec, y = b->kind == SQL_INT ? b->i : b->dec;
    int sx = a->kind == SQL_INT ? 0 : a->scale, sy = b->kind == SQL_INT ? 0 : b->scale;
    for (; sx < sy; sx++)
        if (dp_mul_overflow(x, 10, &x)) return x == 0 ? 0 : (a->kind == SQL_INT ? a->i : a->dec) > 0 ? 1 : -1;
    for (; sy < sx; sy++)
        if (dp_mul_overflow(y, 10, &y)) return (b->kind == SQL_INT ? b->i : b->dec) > 0 ? -1 : 1;
    return (x > y) - (x < y);
}

/* A date beside a time is its midnight. */
static int64_t micros(const struct sql_value *v) {
    int64_t m;
    if (v->kind != SQL_DATE) return v->i;
    if (dp_mul_overflow(v->i, INT64_C(86400000000), &m)) return v->i < 0 ? INT64_MIN : INT64_MAX;
    return m;
}

int sql_compare(const struct sql_value *a, const struct sql_value *b) {
    if (a->kind == SQL_STRING || a->kind == SQL_BINARY) return dp_str_cmp(a->s, b->s);
    if (a->kind == SQL_DOUBLE || b->kind == SQL_DOUBLE) return order(as_double(a), as_double(b));
    if (a->kind == SQL_DECIMAL || b->kind == SQL_DECIMAL) return order_exact(a, b);
    int64_t x = a->i, y = b->i;
    if (a->kind != b->kind) x = micros(a), y = micros(b);
    return (x > y) - (x < y);
}

static struct sql_value compare(enum sql_op op, const struct sql_value *a, const struct sql_value *b) {
    if (op == SQL_SAME && (a->kind == SQL_NULL || b->kind == SQL_NULL)) return bool_value(a->kind == b->kind);
    if (a->kind == SQL_NULL || b->kind == SQL_NULL) return null_value();
    int c = sql_compare(a, b);
    switch (op) {
    case SQL_NE: return bool_value(c != 0);
    case SQL_LT: return bool_value(c < 0);
    case SQL_LE: return bool_value(c <= 0);
    case SQL_GT: return bool_value(c > 0);
    case SQL_GE: return bool_value(c >= 0);
    default: return bool_value(c == 0);
    }
}

/* ---- arithmetic ---- */

static bool rescale(struct sql_value *v, int scale) {
    if (v->kind == SQL_INT) *v = decimal_value(v->i, 0);
    for (; v->scale < scale; v->scale++)
        if (dp_mul_overflow(v->dec, 10, &v->dec)) return false;
    return true;
}

static bool in_range(dp_i128 v) {
    dp_i128 top = (dp_i128)INT64_C(1000000000000000000) * INT64_C(1000000000000000000) * 100; /* 38 digits */
    return v > -top && v < top;
}

static struct sql_value decimals(enum sql_op op, struct sql_value a, struct sql_value b) {
    int scale = a.scale > b.scale ? a.scale : b.scale;
    dp_i128 v;
    bool bad;
    if (op == SQL_MUL) {
        if (!rescale(&a, 0) || !rescale(&b, 0)) return null_value();
        scale = a.scale + b.scale;
        bad = dp_mul_overflow(a.dec, b.dec, &v) || scale > 38;
    } else {
        if (!rescale(&a, scale) || !rescale(&b, scale)) return null_value();
        bad = op == SQL_ADD ? dp_add_overflow(a.dec, b.dec, &v) : dp_sub_overflow(a.dec, b.dec, &v);
    }
    return bad || !in_range(v) ? null_value() : decimal_value(v, scale);
}

static struct sql_value doubles(enum sql_op op, double a, double b) {
    switch (op) {
    case SQL_ADD: return double_value(a + b);
    case SQL_SUB: return double_value(a - b);
    case SQL_MUL: return double_value(a * b);
    case SQL_DIV: return b == 0 ? null_value() : double_value(a / b);
    default: return b == 0 ? null_value() : double_value(fmod(a, b));
    }
}

static struct sql_value arithmetic(const struct sql_node *n, struct sql_value a, struct sql_value b) {
    int64_t v;
    bool bad;
    if (a.kind == SQL_NULL || b.kind == SQL_NULL) return null_value();
    if (n->kind == SQL_DOUBLE) return doubles(n->op, as_double(&a), as_double(&b));
    if (n->kind == SQL_DECIMAL) return decimals(n->op, a, b);
    switch (n->op) {
    case SQL_ADD: bad = dp_add_overflow(a.i, b.i, &v); break;
    case SQL_SUB: bad = dp_sub_overflow(a.i, b.i, &v); break;
    case SQL_MUL: bad = dp_mul_overflow(a.i, b.i, &v); break;
    default:
        if (b.i == 0) return null_value();
        return int_value(b.i == -1 ? 0 : a.i % b.i);
    }
    return bad ? null_value() : int_value(v);
}

static struct sql_value negate(struct sql_value v) {
    if (v.kind == SQL_DOUBLE) return double_value(-v.d);
    if (v.kind == SQL_DECIMAL) return decimal_value(-v.dec, v.scale);
    if (v.kind != SQL_INT || v.i == INT64_MIN) return null_value();
    return int_value(-v.i);
}

/* ---- texts ---- */

static size_t char_at(struct dp_str s, size_t i) { /* bytes of the character at i */
    size_t n = 1;
    while (i + n < s.n && ((unsigned char)s.p[i + n] & 0xc0) == 0x80) n++;
    return n;
}

static int64_t characters(struct dp_str s) {
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i += char_at(s, i)) n++;
    return n;
}

static struct sql_value change_case(struct dp_sql_run *r, struct dp_str s, bool up) {
    char *p = dp_arena_alloc(&r->arena, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if ((unsigned char)c >= 0x80) r->refused = "upper and lower of text beyond ASCII";
        p[i] = (char)(up && c >= 'a' && c <= 'z' ? c - 32 : !up && c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return text_value(dp_str(p, s.n));
}

static struct sql_value trim(struct dp_str s, bool left, bool right) {
    while (left && s.n && s.p[0] == ' ') s = dp_str(s.p + 1, s.n - 1);
    while (right && s.n && s.p[s.n - 1] == ' ') s.n--;
    return text_value(s);
}

/* Characters from 1; 0 is 1; below 0 from the end. */
static struct sql_value substring(struct dp_str s, int64_t from, int64_t count) {
    int64_t n = characters(s), start = from > 0 ? from - 1 : from < 0 ? n + from : 0, end;
    if (start > n) start = n;
    if (dp_add_overflow(start, count, &end)) end = count < 0 ? 0 : n;
    if (start < 0) start = 0;
    if (end > n) end = n;
    if (end <= start) return text_value(dp_str(s.p, 0));
    size_t a = 0, b;
    for (int64_t i = 0; i < start; i++) a += char_at(s, a);
    b = a;
    for (int64_t i = start; i < end; i++) b += char_at(s, b);
    return text_value(dp_str(s.p + a, b - a));
}

/* One % is remembered at a time: what follows an earlier one need not be tried again. */
static bool like(struct dp_str s, struct dp_str p, char escape) {
    size_t i = 0, k = 0, star = SIZE_MAX, from = 0;
    for (;;) {
        bool literal = k + 1 < p.n && p.p[k] == escape;
        if (k < p.n && !literal && p.p[k] == '%') {
            star = ++k, from = i;
            continue;
        }
        if (k == p.n && i == s.n) return true;
        size_t at = k + literal;
        if (i < s.n && k < p.n) {
            if (!literal && p.p[k] == '_') {
                i += char_at(s, i), k++;
                continue;
            }
            if (s.p[i] == p.p[at]) {
                i++, k = at + 1;
                continue;
            }
        }
        if (star == SIZE_MAX || from >= s.n) return false;
        from += char_at(s, from);
        i = from, k = star;
    }
}

static bool holds(struct dp_str s, struct dp_str part) {
    for (; s.n >= part.n; s = dp_str(s.p + 1, s.n - 1)) {
        if (dp_str_starts(s, part)) return true;
        if (!s.n) break;
    }
    return false;
}

/* ---- times ---- */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

struct clock { int64_t days, of_day, year; unsigned month, day; };

static struct clock clock_of(const struct sql_value *v) {
    struct clock c = {.days = v->kind == SQL_DATE ? v->i : floor_div(v->i, INT64_C(86400000000))};
    if (v->kind != SQL_DATE) c.of_day = (v->i - c.days * INT64_C(86400000000)) / 1000000;
    dp_civil_from_days(c.days, &c.year, &c.month, &c.day);
    return c;
}

static struct sql_value truncate_time(const struct sql_value *v, struct dp_str unit) {
    struct clock c = clock_of(v);
    char a = (char)(unit.p[0] | 32), b = (char)(unit.n > 1 ? unit.p[1] | 32 : 0);
    int64_t seconds = 0, days = c.days;
    bool minute = a == 'm' && b == 'i';
    if (a == 'y') days = dp_days_from_civil(c.year, 1, 1);
    else if (a == 'm' && !minute) days = dp_days_from_civil(c.year, c.month, 1);
    else if (a == 'h') seconds = c.of_day / 3600 * 3600;
    else if (minute) seconds = c.of_day / 60 * 60;
    else if (a == 's') seconds = c.of_day;
    int64_t m;
    if (dp_mul_overflow(days, INT64_C(86400000000), &m) || dp_add_overflow(m, seconds * 1000000, &m)) return null_value();
    return (struct sql_value){.kind = v->kind == SQL_DATE ? SQL_INSTANT : v->kind, .i = m};
}

static struct sql_value format_time(struct dp_sql_run *r, const struct sql_value *v, struct dp_str pattern) {
    struct clock c = clock_of(v);
    struct dp_buf b = {0};
    if (c.year < 0 || c.year > 9999) return r->refused = "date_format of a year beyond 0 to 9999", null_value();
    for (size_t i = 0; i < pattern.n;) {
        switch (pattern.p[i]) {
        case 'y': dp_buf_addf(&b, "%04d", (int)c.year), i += 4; break;
        case 'M': dp_buf_addf(&b, "%02u", c.month), i += 2; break;
        case 'd': dp_buf_addf(&b, "%02u", c.day), i += 2; break;
        case 'H': dp_buf_addf(&b, "%02d", (int)(c.of_day / 3600)), i += 2; break;
        case 'm': dp_buf_addf(&b, "%02d", (int)(c.of_day / 60 % 60)), i += 2; break;
        case 's': dp_buf_addf(&b, "%02d", (int)(c.of_day % 60)), i += 2; break;
        default: dp_buf_addc(&b, pattern.p[i++]);
        }
    }
    struct dp_str s = dp_arena_str(&r->arena, dp_buf_str(&b));
    dp_buf_release(&b);
    return text_value(s);
}

/* ---- nodes ---- */

static struct sql_value value_of(struct dp_sql_run *r, const struct sql_node *n);

/* As the node's kind has it: alternatives of several kinds of numbers become one. */
static struct sql_value as_kind(struct sql_value v, enum sql_kind kind) {
    if (v.kind == SQL_NULL || v.kind == kind) return v;
    if (kind == SQL_DOUBLE) return double_value(as_double(&v));
    return kind == SQL_DECIMAL && v.kind == SQL_INT ? decimal_value(v.i, 0) : v;
}

/* AND and OR: `deciding` is the value that ends a row. */
static struct sql_value row_of(struct dp_sql_run *r, const struct sql_node *n, bool deciding) {
    bool unknown = false;
    for (size_t i = 0; i < n->n_kids; i++) {
        struct sql_value v = value_of(r, n->kids[i]);
        if (v.kind == SQL_NULL) unknown = true;
        else if ((v.i != 0) == deciding) return bool_value(deciding);
    }
    return unknown ? null_value() : bool_value(!deciding);
}

static struct sql_value in_list(struct dp_sql_run *r, const struct sql_node *n) {
    struct sql_value v = value_of(r, n->kids[0]);
    bool unknown = false;
    if (v.kind == SQL_NULL) return v;
    for (size_t i = 1; i < n->n_kids; i++) {
        struct sql_value x = value_of(r, n->kids[i]);
        if (x.kind == SQL_NULL) unknown = true;
        else if (sql_compare(&v, &x) == 0) return bool_value(true);
    }
    return unknown ? null_value() : bool_value(false);
}

static struct sql_value case_of(struct dp_sql_run *r, const struct sql_node *n) {
    size_t i = 0;
    for (; i + 1 < n->n_kids; i += 2) {
        struct sql_value v = value_of(r, n->kids[i]);
        if (v.kind == SQL_BOOL && v.i) return as_kind(value_of(r, n->kids[i + 1]), n->kind);
    }
    return i < n->n_kids ? as_kind(value_of(r, n->kids[i]), n->kind) : null_value();
}

static struct sql_value cast(struct dp_sql_run *r, const struct sql_node *n, struct sql_value v) {
    char text[40];
    if (v.kind == SQL_NULL) return v;
    switch (n->to) {
    case SQL_DATE: return (struct sql_value){.kind = SQL_DATE, .i = v.kind == SQL_DATE ? v.i : floor_div(v.i, INT64_C(86400000000))};
    case SQL_DOUBLE: return double_value(as_double(&v));
    case SQL_INT: return v.i < n->least || v.i > n->greatest ? null_value() : int_value(v.i);
    default: break;
    }
    if (v.kind == SQL_STRING) return v;
    if (v.kind == SQL_BOOL) return text_value(v.i ? DP_STR("true") : DP_STR("false"));
    size_t size = v.kind == SQL_DATE ? dp_date_print(text, (int32_t)v.i) : dp_print_i64(text, v.i);
    return text_value(dp_arena_str(&r->arena, dp_str(text, size)));
}

static struct sql_value concat(struct dp_sql_run *r, const struct sql_node *n) {
    struct dp_buf b = {0};
    struct sql_value out = null_value();
    size_t i = 0;
    for (; i < n->n_kids; i++) {
        struct sql_value v = value_of(r, n->kids[i]);
        if (v.kind == SQL_NULL) break;
        dp_buf_adds(&b, v.s);
    }
    if (i == n->n_kids) out = text_value(dp_arena_str(&r->arena, dp_buf_str(&b)));
    dp_buf_release(&b);
    return out;
}

static struct sql_value strings(struct dp_sql_run *r, const struct sql_node *n, struct sql_value a, struct sql_value b) {
    switch (n->fn) {
    case FN_LENGTH: return int_value(characters(a.s));
    case FN_UPPER: return change_case(r, a.s, true);
    case FN_LOWER: return change_case(r, a.s, false);
    case FN_TRIM: return trim(a.s, true, true);
    case FN_LTRIM: return trim(a.s, true, false);
    case FN_RTRIM: return trim(a.s, false, true);
    case FN_STARTSWITH: return bool_value(dp_str_starts(a.s, b.s));
    case FN_ENDSWITH: return bool_value(dp_str_ends(a.s, b.s));
    case FN_CONTAINS: return bool_value(holds(a.s, b.s));
    default: break;
    }
    struct sql_value count = n->n_kids > 2 ? value_of(r, n->kids[2]) : int_value(INT32_MAX);
    return count.kind == SQL_NULL ? count : substring(a.s, b.i, count.i);
}

static struct sql_value times(struct dp_sql_run *r, const struct sql_node *n, struct sql_value a, struct sql_value b) {
    if (n->fn == FN_DATE_TRUNC) return truncate_time(&b, a.s);
    if (n->fn == FN_DATE_FORMAT) return format_time(r, &a, b.s);
    struct clock c = clock_of(&a);
    switch (n->fn) {
    case FN_YEAR: return int_value(c.year);
    case FN_MONTH: return int_value(c.month);
    case FN_DAY: return int_value(c.day);
    case FN_HOUR: return int_value(c.of_day / 3600);
    case FN_MINUTE: return int_value(c.of_day / 60 % 60);
    default: return int_value(c.of_day % 60);
    }
}

static struct sql_value function(struct dp_sql_run *r, const struct sql_node *n) {
    struct sql_value a, b = null_value();
    if (n->fn == FN_COALESCE) {
        for (size_t i = 0; i < n->n_kids; i++) {
            a = value_of(r, n->kids[i]);
            if (a.kind != SQL_NULL) return as_kind(a, n->kind);
        }
        return null_value();
    }
    a = value_of(r, n->kids[0]);
    if (n->fn == FN_IF) return as_kind(value_of(r, n->kids[a.kind == SQL_BOOL && a.i ? 1 : 2]), n->kind);
    if (n->n_kids > 1) b = value_of(r, n->kids[1]);
    if (n->fn == FN_NULLIF) return a.kind != SQL_NULL && b.kind != SQL_NULL && sql_compare(&a, &b) == 0 ? null_value() : a;
    if (n->fn == FN_ISNAN) return bool_value(a.kind == SQL_DOUBLE && isnan(a.d));
    if (a.kind == SQL_NULL || (n->n_kids > 1 && b.kind == SQL_NULL)) return null_value();
    if (n->fn == FN_ABS) return (a.kind == SQL_DOUBLE ? signbit(a.d) != 0 : a.kind == SQL_DECIMAL ? a.dec < 0 : a.i < 0) ? negate(a) : a;
    return n->fn >= FN_YEAR ? times(r, n, a, b) : strings(r, n, a, b);
}

static struct sql_value value_of(struct dp_sql_run *r, const struct sql_node *n) {
    struct sql_value a, b;
    switch (n->op) {
    case SQL_LITERAL: return n->value;
    case SQL_COLUMN: return column_value(r, n);
    case SQL_AND: return row_of(r, n, false);
    case SQL_OR: return row_of(r, n, true);
    case SQL_NOT: a = value_of(r, n->kids[0]); return a.kind == SQL_NULL ? a : bool_value(!a.i);
    case SQL_IS_NULL: return bool_value(value_of(r, n->kids[0]).kind == SQL_NULL);
    case SQL_IS_TRUE: a = value_of(r, n->kids[0]); return bool_value(a.kind == SQL_BOOL && a.i);
    case SQL_IS_FALSE: a = value_of(r, n->kids[0]); return bool_value(a.kind == SQL_BOOL && !a.i);
    case SQL_IN: return in_list(r, n);
    case SQL_NEG: return negate(value_of(r, n->kids[0]));
    case SQL_CONCAT: return concat(r, n);
    case SQL_CASE: return case_of(r, n);
    case SQL_CAST: return cast(r, n, value_of(r, n->kids[0]));
    case SQL_FN: return function(r, n);
    default: break;
    }
    a = value_of(r, n->kids[0]), b = value_of(r, n->kids[1]);
    if (n->op == SQL_LIKE) {
        char escape = n->n_kids > 2 ? n->kids[2]->value.s.p[0] : '\\';
        return a.kind == SQL_NULL || b.kind == SQL_NULL ? null_value() : bool_value(like(a.s, b.s, escape));
    }
    return n->op >= SQL_ADD ? arithmetic(n, a, b) : compare(n->op, &a, &b);
}

static enum dp_status evaluate(struct dp_sql_run *r, const struct dp_batch *b, int64_t row, struct sql_value *out, struct dp_err *err) {
    r->b = b;
    r->row = row;
    r->refused = NULL;
    dp_arena_reset(&r->arena);
    *out = value_of(r, r->sql->root);
    return r->refused ? dp_err_set(err, DP_UNSUPPORTED, "%s", r->refused) : DP_OK;
}

enum dp_status dp_sql_test(struct dp_sql_run *r, const struct dp_batch *b, int64_t row, enum dp_sql_truth *out, struct dp_err *err) {
    struct sql_value v;
    DP_TRY(evaluate(r, b, row, &v, err));
    *out = v.kind != SQL_BOOL ? DP_SQL_NULL : v.i ? DP_SQL_TRUE : DP_SQL_FALSE;
    return DP_OK;
}

/* ---- values into and beside columns ---- */

static enum sql_kind kind_of(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_BOOLEAN: return SQL_BOOL;
    case DP_TYPE_DECIMAL: return SQL_DECIMAL;
    case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: return SQL_DOUBLE;
    case DP_TYPE_BINARY: return SQL_BINARY;
    case DP_TYPE_DATE: return SQL_DATE;
    case DP_TYPE_TIMESTAMP: return t->utc ? SQL_INSTANT : SQL_LOCAL;
    default: return dp_type_is_bytes(t) ? SQL_STRING : SQL_INT;
    }
}

enum dp_status dp_sql_same(struct dp_sql_run *r, const struct dp_batch *b, int64_t row, const struct dp_column *column, bool *out, struct dp_err *err) {
    struct sql_value v, have = load(column, row, kind_of(column->type));
    DP_TRY(evaluate(r, b, row, &v, err));
    *out = compare(SQL_SAME, &have, &v).i != 0;
    return DP_OK;
}

static void append_number(const struct sql_value *v, struct dp_column *out) {
    int32_t w = (int32_t)v->i;
    int16_t h = (int16_t)v->i;
    int8_t t = (int8_t)v->i;
    float f = (float)as_double(v);
    double d = as_double(v);
    struct sql_value dec = *v;
    bool ok = true;
    switch (out->type->id) {
    case DP_TYPE_INT8: (ok = t == v->i) ? dp_column_append_fixed(out, &t, 1) : (void)0; break;
    case DP_TYPE_INT16: (ok = h == v->i) ? dp_column_append_fixed(out, &h, 1) : (void)0; break;
    case DP_TYPE_INT32: (ok = w == v->i) ? dp_column_append_fixed(out, &w, 1) : (void)0; break;
    case DP_TYPE_INT64: dp_column_append_fixed(out, &v->i, 1); break;
    case DP_TYPE_FLOAT: dp_column_append_fixed(out, &f, 1); break;
    case DP_TYPE_DOUBLE: dp_column_append_fixed(out, &d, 1); break;
    default: {
        dp_i128 x = 0;
        if (dec.kind == SQL_INT) dec = decimal_value(dec.i, 0);
        ok = dp_decimal_rescale((struct dp_decimal){dec.dec, dec.scale}, out->type->precision, out->type->scale, &x);
        if (ok) dp_column_append_fixed(out, &x, 1);
    }
    }
    if (!ok) dp_column_append_null(out);
}

enum dp_status dp_sql_append(struct dp_sql_run *r, const struct dp_batch *b, int64_t row, struct dp_column *out, struct dp_err *err) {
    struct sql_value v;
    DP_TRY(evaluate(r, b, row, &v, err));
    int32_t days = (int32_t)v.i;
    switch (v.kind) {
    case SQL_NULL: dp_column_append_null(out); break;
    case SQL_BOOL: dp_column_append_bool(out, v.i != 0); break;
    case SQL_STRING: case SQL_BINARY: dp_column_append_bytes(out, v.s.p, v.s.n); break;
    case SQL_DATE: dp_column_append_fixed(out, &days, 1); break;
    case SQL_INSTANT: case SQL_LOCAL: dp_column_append_fixed(out, &v.i, 1); break;
    case SQL_INT: case SQL_DECIMAL: case SQL_DOUBLE: append_number(&v, out); break;
    }
    return DP_OK;
}
