/*
 * SQL expressions bound to a schema (dp/delta/sql.h): names to columns, a kind of value for each part; what the evaluation would not do as the reference does is
 * refused here, before any row is seen.  And the filter by which statistics prove an expression.
 */
#include "sql_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>
#include <dp/record/json.h>

static enum dp_status refuse(const struct sql_node *n, const char *what, struct dp_err *err) { return dp_err_set(err, DP_UNSUPPORTED, "column %u: %s", n->at, what); }

/* ---- columns ---- */

static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c); }

static bool same_ignoring_case(struct dp_str a, const struct dp_type *t) {
    if (a.n != t->name_n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(t->name[i])) return false;
    return true;
}

static size_t find(const struct dp_type *in, struct dp_str name) {
    for (size_t i = 0; i < in->n_children; i++)
        if (dp_str_eq(name, dp_str(in->children[i]->name, in->children[i]->name_n))) return i;
    for (size_t i = 0; i < in->n_children; i++)
        if (same_ignoring_case(name, in->children[i])) return i;
    return in->n_children;
}

static bool kind_of(const struct dp_type *t, enum sql_kind *kind) {
    switch (t->id) {
    case DP_TYPE_BOOLEAN: *kind = SQL_BOOL; return true;
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: *kind = SQL_INT; return true;
    case DP_TYPE_DECIMAL: *kind = SQL_DECIMAL; return true;
    case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: *kind = SQL_DOUBLE; return true;
    case DP_TYPE_STRING: case DP_TYPE_JSON: case DP_TYPE_ENUM: *kind = SQL_STRING; return true;
    case DP_TYPE_BINARY: *kind = SQL_BINARY; return true;
    case DP_TYPE_DATE: *kind = SQL_DATE; return true;
    case DP_TYPE_TIMESTAMP: *kind = t->utc ? SQL_INSTANT : SQL_LOCAL; return t->unit == DP_UNIT_MICROS;
    case DP_TYPE_NONE: case DP_TYPE_UINT8: case DP_TYPE_UINT16: case DP_TYPE_UINT32: case DP_TYPE_UINT64: case DP_TYPE_FLOAT16: case DP_TYPE_FIXED:
    case DP_TYPE_UUID: case DP_TYPE_TIME: case DP_TYPE_INTERVAL: case DP_TYPE_LIST: case DP_TYPE_STRUCT: case DP_TYPE_MAP: return false;
    }
    return false;
}

static enum dp_status bind_column(struct dp_sql *s, struct sql_node *n, bool any_type, struct dp_err *err) {
    const struct dp_type *t = s->schema;
    n->path = dp_arena_calloc(&s->arena, n->n_path, sizeof *n->path);
    for (size_t i = 0; i < n->n_path; i++) {
        size_t at = t->id == DP_TYPE_STRUCT ? find(t, n->names[i]) : t->n_children;
        if (at == t->n_children) return dp_err_set(err, DP_UNSUPPORTED, "column %u: there is no column or field %.*s", n->at, DP_STR_FMT(n->names[i]));
        n->path[i] = at;
        t = t->children[at];
    }
    n->type = t;
    if (kind_of(t, &n->kind)) return DP_OK;
    n->kind = SQL_BINARY; /* IS NULL looks at no value */
    return any_type ? DP_OK : refuse(n, "a column of this type", err);
}

/* ---- literals beside others ---- */

/* A text beside a date or time is one, as the reference has it; false: it is not. */
static bool become_time(struct sql_node *n, enum sql_kind kind) {
    struct dp_timestamp t;
    int32_t days;
    if (n->op != SQL_LITERAL || n->kind != SQL_STRING) return true;
    if (kind == SQL_DATE && dp_date_parse(n->value.s, &days)) return n->value = (struct sql_value){.kind = kind, .i = days}, n->kind = kind, true;
    if (kind == SQL_DATE || !dp_time_parse(n->value.s, true, true, &t)) return false;
    if ((t.zone == DP_ZONE_NONE) != (kind == SQL_LOCAL) || !dp_time_micros(&t, &n->value.i)) return false;
    n->kind = n->value.kind = kind;
    return true;
}

/* Two sides that are compared: of one kind, or both numbers, or a date and a time. */
static enum dp_status settle(struct sql_node *at, struct sql_node *a, struct sql_node *b, struct dp_err *err) {
    if (sql_is_time(a->kind) && !become_time(b, a->kind)) return refuse(b, "this text beside a date or a time", err);
    if (sql_is_time(b->kind) && !become_time(a, b->kind)) return refuse(a, "this text beside a date or a time", err);
    if (a->kind == SQL_NULL || b->kind == SQL_NULL || a->kind == b->kind || (sql_is_number(a->kind) && sql_is_number(b->kind))) return DP_OK;
    bool dated = sql_is_time(a->kind) && sql_is_time(b->kind) && (a->kind == SQL_DATE || b->kind == SQL_DATE);
    return dated ? DP_OK : refuse(at, "values of two types that are compared", err);
}

/* The kind that two alternatives have together. */
static enum dp_status join(struct sql_node *n, struct sql_node *kid, struct dp_err *err) {
    if (kid->kind == SQL_NULL) return DP_OK;
    if (n->kind == SQL_NULL || n->kind == kid->kind) return n->kind = kid->kind, DP_OK;
    if (!sql_is_number(n->kind) || !sql_is_number(kid->kind)) return refuse(kid, "alternatives of different types", err);
    if (kid->kind > n->kind) n->kind = kid->kind; /* INT, DECIMAL, DOUBLE */
    return DP_OK;
}

/* ---- parts ---- */

static enum dp_status want(const struct sql_node *n, enum sql_kind kind, struct dp_err *err) {
    static const char *const words[] = {"", "a condition", "a whole number", "", "", "a string", "", "", "", ""};
    if (n->kind == kind || n->kind == SQL_NULL) return DP_OK;
    return dp_err_set(err, DP_UNSUPPORTED, "column %u: %s is wanted here", n->at, words[kind]);
}

static enum dp_status bind_arithmetic(struct sql_node *n, struct dp_err *err) {
    bool decimal = false, is_double = false;
    for (size_t i = 0; i < n->n_kids; i++) {
        enum sql_kind k = n->kids[i]->kind;
        if (!sql_is_number(k) && k != SQL_NULL) return refuse(n->kids[i], "arithmetic with something else than numbers", err);
        decimal |= k == SQL_DECIMAL;
        is_double |= k == SQL_DOUBLE;
    }
    bool divides = n->op == SQL_DIV;
    if ((divides || n->op == SQL_MOD) && decimal && !is_double) return refuse(n, "division of decimals", err);
    n->kind = is_double || divides ? SQL_DOUBLE : decimal ? SQL_DECIMAL : SQL_INT;
    if (n->op == SQL_NEG && n->kids[0]->op == SQL_LITERAL && n->kind == SQL_INT) { /* -5 is a literal for filters */
        struct sql_value v = n->kids[0]->value;
        n->op = SQL_LITERAL, n->n_kids = 0;
        n->value = (struct sql_value){.kind = SQL_INT, .i = -v.i};
    }
    return DP_OK;
}

static enum dp_status bind_cast(struct sql_node *n, struct dp_err *err) {
    enum sql_kind from = n->kids[0]->kind;
    bool ok = from == n->to || from == SQL_NULL;
    if (n->to == SQL_DATE) ok |= from == SQL_INSTANT || from == SQL_LOCAL;
    if (n->to == SQL_STRING) ok |= from == SQL_INT || from == SQL_DATE || from == SQL_BOOL;
    if (n->to == SQL_DOUBLE) ok |= from == SQL_INT || from == SQL_DECIMAL;
    if (n->to == SQL_INT) ok |= from == SQL_BOOL;
    n->kind = n->to;
    return ok ? DP_OK : refuse(n, "a cast of this kind", err);
}

/* A unit of date_trunc or a pattern of date_format must be a literal, for what is in it is judged now. */
static bool knows_unit(struct dp_str s) {
    static const char *const units[] = {"year", "yyyy", "yy", "month", "mm", "mon", "day", "dd", "hour", "minute", "second", NULL};
    for (size_t i = 0; units[i]; i++) {
        bool same = strlen(units[i]) == s.n;
        for (size_t k = 0; same && k < s.n; k++) same = lower(s.p[k]) == units[i][k];
        if (same) return true;
    }
    return false;
}

static bool knows_pattern(struct dp_str s) {
    for (size_t i = 0; i < s.n;) {
        size_t n = 1;
        while (i + n < s.n && s.p[i + n] == s.p[i]) n++;
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter && !((c == 'y' && n == 4) || (strchr("MdHms", c) && n == 2))) return false;
        if (c == '\'' || c == '[' || c == ']' || c == '{' || c == '}' || c == '#') return false;
        i += n;
    }
    return true;
}

static enum dp_status bind_time_fn(struct sql_node *n, struct dp_err *err) {
    struct sql_node *time = n->kids[n->fn == FN_DATE_TRUNC ? 1 : 0], *words = n->fn == FN_DATE_TRUNC ? n->kids[0] : n->n_kids > 1 ? n->kids[1] : NULL;
    if (!sql_is_time(time->kind) && time->kind != SQL_NULL) return refuse(time, "a function of time of something else", err);
    if (n->fn >= FN_HOUR && n->fn <= FN_SECOND && time->kind == SQL_DATE) return refuse(time, "the time of a date", err);
    if (words && (words->op != SQL_LITERAL || words->kind != SQL_STRING)) return refuse(words, "a unit or pattern that is no literal", err);
    if (n->fn == FN_DATE_TRUNC && !knows_unit(words->value.s)) return refuse(words, "a unit other than year, month, day, hour, minute, second", err);
    if (n->fn == FN_DATE_FORMAT && !knows_pattern(words->value.s)) return refuse(words, "a pattern of other letters than yyyy MM dd HH mm ss", err);
    n->kind = n->fn == FN_DATE_FORMAT ? SQL_STRING : n->fn == FN_DATE_TRUNC ? (time->kind == SQL_DATE ? SQL_INSTANT : time->kind) : SQL_INT;
    return DP_OK;
}

static enum dp_status bind_strings(struct sql_node *n, enum sql_kind kind, struct dp_err *err) {
    n->kind = kind;
    for (size_t i = 0; i < n->n_kids; i++) DP_TRY(want(n->kids[i], SQL_STRING, err));
    return DP_OK;
}

static enum dp_status bind_fn(struct sql_node *n, struct dp_err *err) {
    struct sql_node *const *kids = n->kids;
    n->kind = SQL_NULL;
    switch (n->fn) {
    case FN_ABS: return bind_arithmetic(n, err);
    case FN_COALESCE:
        for (size_t i = 0; i < n->n_kids; i++) DP_TRY(join(n, kids[i], err));
        return DP_OK;
    case FN_NULLIF: return n->kind = kids[0]->kind, settle(n, kids[0], kids[1], err);
    case FN_IF:
        DP_TRY(want(kids[0], SQL_BOOL, err));
        DP_TRY(join(n, kids[1], err));
        return join(n, kids[2], err);
    case FN_ISNAN: return n->kind = SQL_BOOL, kids[0]->kind == SQL_DOUBLE ? DP_OK : refuse(n, "isnan of something else than a float or double", err);
    case FN_LENGTH: return bind_strings(n, SQL_INT, err);
    case FN_UPPER: case FN_LOWER: case FN_TRIM: case FN_LTRIM: case FN_RTRIM: return bind_strings(n, SQL_STRING, err);
    case FN_STARTSWITH: case FN_ENDSWITH: case FN_CONTAINS: return bind_strings(n, SQL_BOOL, err);
    case FN_SUBSTRING:
        n->kind = SQL_STRING;
        for (size_t i = 0; i < n->n_kids; i++) DP_TRY(want(kids[i], i ? SQL_INT : SQL_STRING, err));
        return DP_OK;
    case FN_YEAR: case FN_MONTH: case FN_DAY: case FN_HOUR: case FN_MINUTE: case FN_SECOND: case FN_DATE_TRUNC: case FN_DATE_FORMAT: return bind_time_fn(n, err);
    }
    return refuse(n, "this function", err);
}

static enum dp_status bind_case(struct sql_node *n, struct dp_err *err) {
    n->kind = SQL_NULL;
    for (size_t i = 0; i < n->n_kids; i++) {
        bool is_value = i % 2 == 1 || i + 1 == n->n_kids;
        DP_TRY(is_value ? join(n, n->kids[i], err) : want(n->kids[i], SQL_BOOL, err));
    }
    return DP_OK;
}

static enum dp_status bind_node(struct dp_sql *s, struct sql_node *n, struct dp_err *err) {
    struct sql_node *const *kids = n->kids;
    n->kind = SQL_BOOL;
    switch (n->op) {
    case SQL_LITERAL: return n->kind = n->value.kind, DP_OK;
    case SQL_COLUMN: return bind_column(s, n, false, err);
    case SQL_AND: case SQL_OR: case SQL_NOT: case SQL_IS_TRUE: case SQL_IS_FALSE:
        for (size_t i = 0; i < n->n_kids; i++) DP_TRY(want(kids[i], SQL_BOOL, err));
        return DP_OK;
    case SQL_EQ: case SQL_NE: case SQL_LT: case SQL_LE: case SQL_GT: case SQL_GE: case SQL_SAME: return settle(n, kids[0], kids[1], err);
    case SQL_IS_NULL: return DP_OK;
    case SQL_IN:
        for (size_t i = 1; i < n->n_kids; i++) DP_TRY(settle(n, kids[0], kids[i], err));
        return DP_OK;
    case SQL_LIKE: return bind_strings(n, SQL_BOOL, err);
    case SQL_CONCAT: return bind_strings(n, SQL_STRING, err);
    case SQL_ADD: case SQL_SUB: case SQL_MUL: case SQL_DIV: case SQL_MOD: case SQL_NEG: return bind_arithmetic(n, err);
    case SQL_CASE: return bind_case(n, err);
    case SQL_CAST: return bind_cast(n, err);
    case SQL_FN: return bind_fn(n, err);
    }
    return DP_BUG;
}

enum dp_status sql_bind(struct dp_sql *s, struct sql_node *n, struct dp_err *err) {
    bool only_null = n->op == SQL_IS_NULL && n->kids[0]->op == SQL_COLUMN;
    if (only_null) return n->kind = SQL_BOOL, bind_column(s, n->kids[0], true, err);
    for (size_t i = 0; i < n->n_kids; i++) DP_TRY(sql_bind(s, n->kids[i], err));
    return bind_node(s, n, err);
}

/* ---- the filter ---- */

static bool print_path(const struct dp_sql *s, const struct sql_node *n, struct dp_buf *out) {
    const struct dp_type *t = s->schema;
    if (n->op != SQL_COLUMN) return false;
    for (size_t i = 0; i < n->n_path; i++) {
        t = t->children[n->path[i]];
        dp_buf_addz(out, i ? "[" : ".[");
        dp_json_add_string(out, dp_str(t->name, t->name_n));
        dp_buf_addc(out, ']');
    }
    return true;
}

static bool print_literal(const struct sql_node *n, const struct sql_node *beside, struct dp_buf *out) {
    char text[48];
    if (n->op != SQL_LITERAL || n->value.kind == SQL_NULL) return false;
    bool exact = beside->kind == SQL_INT || beside->kind == SQL_DECIMAL;
    if (n->kind == SQL_INT && exact) return dp_buf_add(out, text, dp_print_i64(text, n->value.i)), true;
    if (n->kind == SQL_DECIMAL && exact) return dp_buf_add(out, text, dp_decimal_print(text, n->value.dec, n->value.scale)), true;
    if (n->kind == SQL_STRING && beside->kind == SQL_STRING) return dp_json_add_string(out, n->value.s), true;
    if (n->kind != SQL_DATE || beside->kind != SQL_DATE || n->value.i < -700000 || n->value.i > 2900000) return false; /* years of four digits compare as text */
    return dp_buf_addf(out, "\"%.*s\"", (int)dp_date_print(text, (int32_t)n->value.i), text), true;
}

static bool print_filter(const struct dp_sql *s, const struct sql_node *n, struct dp_buf *out);

static bool print_row(const struct dp_sql *s, const struct sql_node *n, const char *word, struct dp_buf *out) {
    for (size_t i = 0; i < n->n_kids; i++) {
        dp_buf_addz(out, i ? word : "(");
        if (!print_filter(s, n->kids[i], out)) return false;
    }
    dp_buf_addc(out, ')');
    return true;
}

static bool print_filter(const struct dp_sql *s, const struct sql_node *n, struct dp_buf *out) {
    static const char *const signs[] = {" < ", " <= ", " > ", " >= "};
    if (n->op == SQL_AND) return print_row(s, n, " and ", out);
    if (n->op == SQL_OR) return print_row(s, n, " or ", out);
    if (n->op == SQL_NOT && n->kids[0]->op == SQL_IS_NULL) {
        dp_buf_addc(out, '(');
        if (!print_path(s, n->kids[0]->kids[0], out)) return false;
        return dp_buf_addz(out, " != null)"), true;
    }
    if (n->op < SQL_LT || n->op > SQL_GE) return false;
    const struct sql_node *a = n->kids[0], *b = n->kids[1];
    dp_buf_addc(out, '(');
    if (!(a->op == SQL_COLUMN ? print_path(s, a, out) : print_literal(a, b, out))) return false;
    dp_buf_addz(out, signs[n->op - SQL_LT]);
    if (!(b->op == SQL_COLUMN ? print_path(s, b, out) : print_literal(b, a, out))) return false;
    if (a->op == b->op) return false;
    dp_buf_addc(out, ')');
    return true;
}

bool dp_sql_filter(const struct dp_sql *s, struct dp_buf *out) { return print_filter(s, s->root, out); }

/* ---- what there is to ask ---- */

static bool reads(const struct sql_node *n, size_t column) {
    if (n->op == SQL_COLUMN) return n->path[0] == column;
    for (size_t i = 0; i < n->n_kids; i++)
        if (reads(n->kids[i], column)) return true;
    return false;
}

bool dp_sql_reads(const struct dp_sql *s, size_t column) { return reads(s->root, column); }
bool dp_sql_is_boolean(const struct dp_sql *s) { return s->root->kind == SQL_BOOL; }

bool dp_sql_fits(const struct dp_sql *s, const struct dp_type *column) {
    enum sql_kind kind;
    if (!kind_of(column, &kind)) return false;
    return s->root->kind == SQL_NULL || kind == s->root->kind || (sql_is_number(kind) && s->root->kind == SQL_INT) || (kind == SQL_DECIMAL && s->root->kind == SQL_DECIMAL);
}

enum dp_status dp_sql_compile(struct dp_str text, const struct dp_type *schema, struct dp_sql **out, struct dp_err *err) {
    struct dp_sql *s = dp_calloc(1, sizeof *s);
    s->schema = schema;
    enum dp_status status = sql_parse(s, text, err);
    if (status == DP_OK) status = sql_bind(s, s->root, err);
    if (status != DP_OK) dp_sql_free(s);
    else *out = s;
    return status;
}
