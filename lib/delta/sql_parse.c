/*
 * SQL expressions from text (dp/delta/sql.h): words and signs, precedence, a tree.  Depth and number of nodes are bounded: the text comes from a table's log.
 * What it does not do: know columns and types (sql_bind.c).
 */
#include "sql_priv.h"

#include <dp/base/num.h>
#include <dp/base/time.h>

enum token { T_END, T_WORD, T_QUOTED, T_NUMBER, T_STRING, T_SIGN };

struct parser {
    struct dp_sql *sql;
    struct dp_str text;
    size_t at;             /* behind the token */
    enum token token;
    struct dp_str word;    /* WORD, NUMBER, SIGN: as it stands; QUOTED, STRING: decoded */
    uint32_t column;       /* of the token, from 1 */
    unsigned depth;
};

/* ---- tokens ---- */

static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c); }

static bool same_word(struct dp_str a, const char *z) {
    size_t n = strlen(z);
    if (a.n != n) return false;
    for (size_t i = 0; i < n; i++)
        if (lower(a.p[i]) != z[i]) return false;
    return true;
}

static enum dp_status refuse(const struct parser *p, const char *what, struct dp_err *err) {
    if (p->token == T_END) return dp_err_set(err, DP_UNSUPPORTED, "column %u: %s at its end", p->column, what);
    return dp_err_set(err, DP_UNSUPPORTED, "column %u: %s: %.*s", p->column, what, (int)(p->word.n > 40 ? 40 : p->word.n), p->word.p);
}

/* Up to the closing sign, doubled ones for one; strings have escapes with a backslash too. */
static enum dp_status read_quoted(struct parser *p, char quote, struct dp_err *err) {
    struct dp_buf b = {0};
    size_t i = p->at + 1;
    bool closed = false;
    for (; i < p->text.n; i++) {
        char c = p->text.p[i];
        if (c == quote) {
            if (i + 1 >= p->text.n || p->text.p[i + 1] != quote) {
                closed = true;
                break;
            }
            i++;
        } else if (c == '\\' && quote != '`' && i + 1 < p->text.n) {
            char e = p->text.p[++i];
            if (e == '%' || e == '_') dp_buf_addc(&b, '\\'); /* of LIKE */
            c = e == 'n' ? '\n' : e == 't' ? '\t' : e == 'r' ? '\r' : e == '0' ? 0 : e;
            if (e == 'u' || is_digit(e)) {
                dp_buf_release(&b);
                return dp_err_set(err, DP_UNSUPPORTED, "column %zu: escape \\%c", i, e);
            }
        }
        dp_buf_addc(&b, c);
    }
    p->word = dp_arena_str(&p->sql->arena, dp_buf_str(&b));
    dp_buf_release(&b);
    p->at = i + 1;
    return closed ? DP_OK : dp_err_set(err, DP_UNSUPPORTED, "column %u: %c is not closed", p->column, quote);
}

static void read_number(struct parser *p) {
    size_t i = p->at, n = p->text.n;
    const char *t = p->text.p;
    while (i < n && is_digit(t[i])) i++;
    if (i < n && t[i] == '.')
        for (i++; i < n && is_digit(t[i]);) i++;
    if (i < n && (t[i] == 'e' || t[i] == 'E')) {
        size_t k = i + 1;
        if (k < n && (t[k] == '+' || t[k] == '-')) k++;
        if (k < n && is_digit(t[k])) {
            while (k < n && is_digit(t[k])) k++;
            i = k;
        }
    }
    while (i < n && is_alpha(t[i])) i++; /* L, D, BD: looked at when the literal is made */
    p->word = dp_str(t + p->at, i - p->at);
    p->at = i;
}

static enum dp_status next(struct parser *p, struct dp_err *err) {
    static const char *const signs[] = {"<=>", "<=", ">=", "<>", "!=", "==", "||"};
    const char *t = p->text.p;
    while (p->at < p->text.n && is_blank(t[p->at])) p->at++;
    p->column = (uint32_t)p->at + 1;
    p->word = dp_str(NULL, 0);
    p->token = T_END;
    if (p->at >= p->text.n) return DP_OK;
    char c = t[p->at];
    struct dp_str rest = dp_str(t + p->at, p->text.n - p->at);
    if (is_alpha(c)) {
        size_t i = p->at;
        while (i < p->text.n && (is_alpha(t[i]) || is_digit(t[i]))) i++;
        p->token = T_WORD, p->word = dp_str(t + p->at, i - p->at), p->at = i;
        return DP_OK;
    }
    if (is_digit(c) || (c == '.' && rest.n > 1 && is_digit(rest.p[1]))) return p->token = T_NUMBER, read_number(p), DP_OK;
    if (c == '`') return p->token = T_QUOTED, read_quoted(p, c, err);
    if (c == '\'' || c == '"') return p->token = T_STRING, read_quoted(p, c, err);
    p->token = T_SIGN;
    if (dp_str_starts(rest, DP_STR("--")) || dp_str_starts(rest, DP_STR("/*"))) return p->word = dp_str(rest.p, 2), refuse(p, "a comment", err);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (dp_str_starts(rest, dp_str_z(signs[i]))) return p->word = dp_str(rest.p, strlen(signs[i])), p->at += p->word.n, DP_OK;
    p->word = dp_str(rest.p, 1), p->at++;
    return strchr("()=<>!+-*/%,.", c) && c ? DP_OK : refuse(p, "unsupported sign", err);
}

static bool is_word(const struct parser *p, const char *word) { return p->token == T_WORD && same_word(p->word, word); }
static bool is_sign(const struct parser *p, const char *sign) { return p->token == T_SIGN && dp_str_eqz(p->word, sign); }

/* Takes the token when it is this one. */
static enum dp_status take_word(struct parser *p, const char *word, bool *took, struct dp_err *err) { return (*took = is_word(p, word)) ? next(p, err) : DP_OK; }
static enum dp_status take_sign(struct parser *p, const char *sign, bool *took, struct dp_err *err) { return (*took = is_sign(p, sign)) ? next(p, err) : DP_OK; }
static enum dp_status want_word(struct parser *p, const char *word, struct dp_err *err) { return is_word(p, word) ? next(p, err) : refuse(p, "something unsupported", err); }
static enum dp_status want_sign(struct parser *p, const char *sign, struct dp_err *err) { return is_sign(p, sign) ? next(p, err) : refuse(p, "something unsupported", err); }

/* ---- nodes ---- */

enum dp_status sql_node_new(struct dp_sql *s, enum sql_op op, uint32_t at, struct sql_node *const *kids, size_t n, struct sql_node **out, struct dp_err *err) {
    if (++s->n_nodes > DP_LIMIT_SQL_NODES) return dp_err_set(err, DP_LIMIT, "more than %u parts", DP_LIMIT_SQL_NODES);
    struct sql_node *x = dp_arena_calloc(&s->arena, 1, sizeof *x);
    *x = (struct sql_node){.op = op, .at = at, .n_kids = n, .depth = 1};
    x->kids = dp_arena_calloc(&s->arena, n + 1, sizeof(struct sql_node *));
    for (size_t i = 0; i < n; i++) {
        x->kids[i] = kids[i];
        if (kids[i]->depth >= x->depth) x->depth = kids[i]->depth + 1;
    }
    *out = x;
    return x->depth > DP_LIMIT_SQL_DEPTH ? dp_err_set(err, DP_LIMIT, "nested deeper than %u", DP_LIMIT_SQL_DEPTH) : DP_OK;
}

static enum dp_status make(struct parser *p, enum sql_op op, uint32_t at, struct sql_node *a, struct sql_node *b, struct sql_node **out, struct dp_err *err) {
    struct sql_node *kids[2] = {a, b};
    return sql_node_new(p->sql, op, at, kids, b ? 2 : a ? 1 : 0, out, err);
}

/* One more kid, in a row that doubles as it grows. */
static enum dp_status push(struct parser *p, struct sql_node *x, struct sql_node *kid, struct dp_err *err) {
    if (x->n_kids && (x->n_kids & (x->n_kids - 1)) == 0) {
        struct sql_node **more = dp_arena_calloc(&p->sql->arena, x->n_kids * 2, sizeof(struct sql_node *));
        memcpy(more, x->kids, x->n_kids * sizeof *more);
        x->kids = more;
    }
    x->kids[x->n_kids++] = kid;
    if (kid->depth >= x->depth) x->depth = kid->depth + 1;
    return x->depth > DP_LIMIT_SQL_DEPTH ? dp_err_set(err, DP_LIMIT, "nested deeper than %u", DP_LIMIT_SQL_DEPTH) : DP_OK;
}

static enum dp_status negate(struct parser *p, bool yes, uint32_t at, struct sql_node **x, struct dp_err *err) {
    return yes ? make(p, SQL_NOT, at, *x, NULL, x, err) : DP_OK;
}

static enum dp_status parse_or(struct parser *p, struct sql_node **out, struct dp_err *err);
static enum dp_status parse_sum(struct parser *p, struct sql_node **out, struct dp_err *err);

/* ---- literals ---- */

static enum dp_status literal(struct parser *p, struct sql_value v, struct sql_node **out, struct dp_err *err) {
    DP_TRY(make(p, SQL_LITERAL, p->column, NULL, NULL, out, err));
    (*out)->value = v;
    return next(p, err);
}

static enum dp_status parse_number(struct parser *p, struct sql_node **out, struct dp_err *err) {
    struct dp_str s = p->word;
    struct sql_value v = {0};
    struct dp_decimal d;
    bool is_double = false, ok = false;
    while (s.n && is_alpha(s.p[s.n - 1])) s.n--;
    struct dp_str suffix = dp_str(s.p + s.n, p->word.n - s.n);
    for (size_t i = 0; i < s.n; i++) is_double |= s.p[i] == 'e' || s.p[i] == 'E';
    is_double = (is_double || same_word(suffix, "d")) && !same_word(suffix, "bd");
    bool known = !suffix.n || same_word(suffix, "l") || same_word(suffix, "d") || same_word(suffix, "bd");
    if (is_double) v.kind = SQL_DOUBLE, ok = dp_parse_double(s, &v.d);
    else if (!same_word(suffix, "bd") && dp_parse_i64(s, &v.i)) v.kind = SQL_INT, ok = true;
    else {
        struct dp_buf b = {0}; /* as JSON spells it: a digit on both sides of the point, no zeros in front */
        size_t k = 0;
        while (k + 1 < s.n && s.p[k] == '0' && s.p[k + 1] != '.') k++;
        if (k < s.n && s.p[k] == '.') dp_buf_addc(&b, '0');
        dp_buf_add(&b, s.p + k, s.n - k);
        if (b.n && b.p[b.n - 1] == '.') b.n--;
        ok = dp_decimal_parse(dp_buf_str(&b), &d);
        dp_buf_release(&b);
        if (ok) v.kind = SQL_DECIMAL, v.dec = d.unscaled, v.scale = d.scale;
    }
    return known && ok ? literal(p, v, out, err) : refuse(p, "a number that is not supported", err);
}

/* DATE '..', TIMESTAMP '..', TIMESTAMP_NTZ '..': the token is the string. */
static enum dp_status parse_time(struct parser *p, enum sql_kind kind, struct sql_node **out, struct dp_err *err) {
    struct sql_value v = {.kind = kind};
    struct dp_timestamp t;
    int32_t days;
    if (kind == SQL_DATE) {
        if (!dp_date_parse(p->word, &days)) return refuse(p, "not a date", err);
        v.i = days;
    } else {
        bool ok = dp_time_parse(p->word, true, true, &t) && dp_time_micros(&t, &v.i);
        if (!ok || (t.zone == DP_ZONE_NONE) != (kind == SQL_LOCAL))
            return refuse(p, kind == SQL_LOCAL ? "not a local time" : "not an instant with a zone (a time without one depends on the session)", err);
    }
    return literal(p, v, out, err);
}

/* ---- names, calls ---- */

static const struct call {
    const char *name;
    enum sql_op op;
    enum sql_fn fn;
    uint8_t least, most;
} calls[] = {
    {"abs", SQL_FN, FN_ABS, 1, 1}, {"coalesce", SQL_FN, FN_COALESCE, 1, 100}, {"nvl", SQL_FN, FN_COALESCE, 2, 2}, {"ifnull", SQL_FN, FN_COALESCE, 2, 2},
    {"nullif", SQL_FN, FN_NULLIF, 2, 2}, {"if", SQL_FN, FN_IF, 3, 3}, {"isnull", SQL_IS_NULL, 0, 1, 1}, {"isnotnull", SQL_NOT, 0, 1, 1},
    {"isnan", SQL_FN, FN_ISNAN, 1, 1}, {"length", SQL_FN, FN_LENGTH, 1, 1}, {"len", SQL_FN, FN_LENGTH, 1, 1}, {"char_length", SQL_FN, FN_LENGTH, 1, 1},
    {"character_length", SQL_FN, FN_LENGTH, 1, 1}, {"upper", SQL_FN, FN_UPPER, 1, 1}, {"ucase", SQL_FN, FN_UPPER, 1, 1}, {"lower", SQL_FN, FN_LOWER, 1, 1},
    {"lcase", SQL_FN, FN_LOWER, 1, 1}, {"trim", SQL_FN, FN_TRIM, 1, 1}, {"ltrim", SQL_FN, FN_LTRIM, 1, 1}, {"rtrim", SQL_FN, FN_RTRIM, 1, 1},
    {"substring", SQL_FN, FN_SUBSTRING, 2, 3}, {"substr", SQL_FN, FN_SUBSTRING, 2, 3}, {"concat", SQL_CONCAT, 0, 1, 100},
    {"startswith", SQL_FN, FN_STARTSWITH, 2, 2}, {"endswith", SQL_FN, FN_ENDSWITH, 2, 2}, {"contains", SQL_FN, FN_CONTAINS, 2, 2},
    {"year", SQL_FN, FN_YEAR, 1, 1}, {"month", SQL_FN, FN_MONTH, 1, 1}, {"day", SQL_FN, FN_DAY, 1, 1}, {"dayofmonth", SQL_FN, FN_DAY, 1, 1},
    {"hour", SQL_FN, FN_HOUR, 1, 1}, {"minute", SQL_FN, FN_MINUTE, 1, 1}, {"second", SQL_FN, FN_SECOND, 1, 1}, {"to_date", SQL_CAST, 0, 1, 1},
    {"date", SQL_CAST, 0, 1, 1}, {"date_trunc", SQL_FN, FN_DATE_TRUNC, 2, 2}, {"date_format", SQL_FN, FN_DATE_FORMAT, 2, 2}};

/* The token is the opening parenthesis. */
static enum dp_status parse_call(struct parser *p, struct dp_str name, uint32_t at, struct sql_node **out, struct dp_err *err) {
    const struct call *c = NULL;
    struct sql_node *x, *arg;
    for (size_t i = 0; i < sizeof calls / sizeof *calls && !c; i++)
        if (same_word(name, calls[i].name)) c = &calls[i];
    if (!c) return dp_err_set(err, DP_UNSUPPORTED, "column %u: function %.*s", at, DP_STR_FMT(name));
    DP_TRY(make(p, c->op, at, NULL, NULL, &x, err));
    x->fn = c->fn;
    x->to = SQL_DATE;
    DP_TRY(next(p, err));
    for (bool more = !is_sign(p, ")"); more;) {
        DP_TRY(parse_or(p, &arg, err));
        DP_TRY(push(p, x, arg, err));
        DP_TRY(take_sign(p, ",", &more, err));
    }
    DP_TRY(want_sign(p, ")", err));
    if (x->n_kids < c->least || x->n_kids > c->most) return dp_err_set(err, DP_UNSUPPORTED, "column %u: function %.*s with %zu arguments", at, DP_STR_FMT(name), x->n_kids);
    if (c->op == SQL_NOT) DP_TRY(make(p, SQL_IS_NULL, at, x->kids[0], NULL, &x->kids[0], err));
    *out = x;
    return DP_OK;
}

static enum dp_status parse_names(struct parser *p, struct dp_str first, uint32_t at, struct sql_node **out, struct dp_err *err) {
    struct dp_str names[DP_LIMIT_SQL_DEPTH];
    size_t n = 0;
    bool more;
    names[n++] = first;
    for (;;) {
        DP_TRY(take_sign(p, ".", &more, err));
        if (!more) break;
        if (p->token != T_WORD && p->token != T_QUOTED) return refuse(p, "a field's name is missing", err);
        if (n == DP_LIMIT_SQL_DEPTH) return dp_err_set(err, DP_LIMIT, "nested deeper than %u", DP_LIMIT_SQL_DEPTH);
        names[n++] = p->word;
        DP_TRY(next(p, err));
    }
    DP_TRY(make(p, SQL_COLUMN, at, NULL, NULL, out, err));
    (*out)->names = dp_arena_calloc(&p->sql->arena, n, sizeof *names);
    memcpy((*out)->names, names, n * sizeof *names);
    (*out)->n_path = n;
    return DP_OK;
}

/* The token is behind CASE. */
static enum dp_status parse_case(struct parser *p, uint32_t at, struct sql_node **out, struct dp_err *err) {
    struct sql_node *x, *part;
    bool took;
    DP_TRY(make(p, SQL_CASE, at, NULL, NULL, &x, err));
    if (!is_word(p, "when")) return refuse(p, "CASE without WHEN", err);
    for (;;) {
        DP_TRY(take_word(p, "when", &took, err));
        if (!took) break;
        DP_TRY(parse_or(p, &part, err));
        DP_TRY(push(p, x, part, err));
        DP_TRY(want_word(p, "then", err));
        DP_TRY(parse_or(p, &part, err));
        DP_TRY(push(p, x, part, err));
    }
    DP_TRY(take_word(p, "else", &took, err));
    if (took) {
        DP_TRY(parse_or(p, &part, err));
        DP_TRY(push(p, x, part, err));
    }
    *out = x;
    return want_word(p, "end", err);
}

/* The token is behind CAST. */
static enum dp_status parse_cast(struct parser *p, uint32_t at, struct sql_node **out, struct dp_err *err) {
    static const struct { const char *name; enum sql_kind to; int64_t least, greatest; } types[] = {
        {"date", SQL_DATE, 0, 0}, {"string", SQL_STRING, 0, 0}, {"double", SQL_DOUBLE, 0, 0}, {"tinyint", SQL_INT, INT8_MIN, INT8_MAX}, {"byte", SQL_INT, INT8_MIN, INT8_MAX},
        {"smallint", SQL_INT, INT16_MIN, INT16_MAX}, {"short", SQL_INT, INT16_MIN, INT16_MAX}, {"int", SQL_INT, INT32_MIN, INT32_MAX},
        {"integer", SQL_INT, INT32_MIN, INT32_MAX}, {"bigint", SQL_INT, INT64_MIN, INT64_MAX}, {"long", SQL_INT, INT64_MIN, INT64_MAX}};
    struct sql_node *x;
    DP_TRY(want_sign(p, "(", err));
    DP_TRY(parse_or(p, &x, err));
    DP_TRY(want_word(p, "as", err));
    DP_TRY(make(p, SQL_CAST, at, x, NULL, &x, err));
    size_t i = 0, n = sizeof types / sizeof *types;
    while (i < n && !is_word(p, types[i].name)) i++;
    if (i == n) return refuse(p, "a cast to a type that is not supported", err);
    x->to = types[i].to, x->least = types[i].least, x->greatest = types[i].greatest;
    *out = x;
    DP_TRY(next(p, err));
    return want_sign(p, ")", err);
}

static enum dp_status parse_word(struct parser *p, struct sql_node **out, struct dp_err *err) {
    static const char *const reserved[] = {"and", "or", "is", "in", "like", "between", "then", "when", "else", "end", "as", "select", "exists", "interval", "from", NULL};
    struct dp_str word = p->word;
    uint32_t at = p->column;
    if (is_word(p, "true") || is_word(p, "false")) return literal(p, (struct sql_value){.kind = SQL_BOOL, .i = is_word(p, "true")}, out, err);
    if (is_word(p, "null")) return literal(p, (struct sql_value){.kind = SQL_NULL}, out, err);
    for (size_t i = 0; reserved[i]; i++)
        if (same_word(word, reserved[i])) return refuse(p, "something unsupported", err);
    DP_TRY(next(p, err));
    if (p->token == T_STRING && same_word(word, "date")) return parse_time(p, SQL_DATE, out, err);
    if (p->token == T_STRING && same_word(word, "timestamp")) return parse_time(p, SQL_INSTANT, out, err);
    if (p->token == T_STRING && same_word(word, "timestamp_ntz")) return parse_time(p, SQL_LOCAL, out, err);
    if (same_word(word, "case")) return parse_case(p, at, out, err);
    if (same_word(word, "cast")) return parse_cast(p, at, out, err);
    return is_sign(p, "(") ? parse_call(p, word, at, out, err) : parse_names(p, word, at, out, err);
}

static enum dp_status parse_atom(struct parser *p, struct sql_node **out, struct dp_err *err) {
    struct dp_str word = p->word;
    uint32_t at = p->column;
    if (p->token == T_NUMBER) return parse_number(p, out, err);
    if (p->token == T_STRING) return literal(p, (struct sql_value){.kind = SQL_STRING, .s = p->word}, out, err);
    if (p->token == T_WORD) return parse_word(p, out, err);
    if (p->token == T_QUOTED) {
        DP_TRY(next(p, err));
        return parse_names(p, word, at, out, err);
    }
    if (!is_sign(p, "(")) return refuse(p, "something unsupported", err);
    DP_TRY(next(p, err));
    DP_TRY(parse_or(p, out, err));
    return want_sign(p, ")", err);
}

/* ---- operators, from the tightest ---- */

static enum dp_status parse_unary(struct parser *p, struct sql_node **out, struct dp_err *err) {
    uint32_t at = p->column;
    bool minus = is_sign(p, "-"), plus = is_sign(p, "+");
    if (!minus && !plus) return parse_atom(p, out, err);
    if (++p->depth > DP_LIMIT_SQL_DEPTH) return dp_err_set(err, DP_LIMIT, "nested deeper than %u", DP_LIMIT_SQL_DEPTH);
    DP_TRY(next(p, err));
    DP_TRY(parse_unary(p, out, err));
    p->depth--;
    return minus ? make(p, SQL_NEG, at, *out, NULL, out, err) : DP_OK;
}

struct level { const char *sign; enum sql_op op; };

static const enum sql_op *match(const struct parser *p, const struct level *levels, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (is_sign(p, levels[i].sign)) return &levels[i].op;
    return NULL;
}

static enum dp_status parse_product(struct parser *p, struct sql_node **out, struct dp_err *err) {
    static const struct level levels[] = {{"*", SQL_MUL}, {"/", SQL_DIV}, {"%", SQL_MOD}};
    const enum sql_op *op;
    struct sql_node *right;
    DP_TRY(parse_unary(p, out, err));
    while ((op = match(p, levels, 3)) != NULL) {
        uint32_t at = p->column;
        DP_TRY(next(p, err));
        DP_TRY(parse_unary(p, &right, err));
        DP_TRY(make(p, *op, at, *out, right, out, err));
    }
    return DP_OK;
}

static enum dp_status parse_sum(struct parser *p, struct sql_node **out, struct dp_err *err) {
    static const struct level levels[] = {{"+", SQL_ADD}, {"-", SQL_SUB}, {"||", SQL_CONCAT}};
    const enum sql_op *op;
    struct sql_node *right;
    DP_TRY(parse_product(p, out, err));
    while ((op = match(p, levels, 3)) != NULL) {
        uint32_t at = p->column;
        DP_TRY(next(p, err));
        DP_TRY(parse_product(p, &right, err));
        DP_TRY(make(p, *op, at, *out, right, out, err));
    }
    return DP_OK;
}

/* Behind IS [NOT]. */
static enum dp_status parse_is(struct parser *p, uint32_t at, struct sql_node **x, struct dp_err *err) {
    static const struct level words[] = {{"null", SQL_IS_NULL}, {"true", SQL_IS_TRUE}, {"false", SQL_IS_FALSE}};
    struct sql_node *right;
    bool not;
    DP_TRY(take_word(p, "not", &not, err));
    for (size_t i = 0; i < 3; i++) {
        if (!is_word(p, words[i].sign)) continue;
        DP_TRY(next(p, err));
        DP_TRY(make(p, words[i].op, at, *x, NULL, x, err));
        return negate(p, not, at, x, err);
    }
    DP_TRY(want_word(p, "distinct", err));
    DP_TRY(want_word(p, "from", err));
    DP_TRY(parse_sum(p, &right, err));
    DP_TRY(make(p, SQL_SAME, at, *x, right, x, err));
    return negate(p, !not, at, x, err);
}

static enum dp_status parse_in(struct parser *p, uint32_t at, struct sql_node **x, struct dp_err *err) {
    struct sql_node *in, *item;
    DP_TRY(want_sign(p, "(", err));
    DP_TRY(make(p, SQL_IN, at, *x, NULL, &in, err));
    for (bool more = true; more;) {
        DP_TRY(parse_or(p, &item, err));
        DP_TRY(push(p, in, item, err));
        DP_TRY(take_sign(p, ",", &more, err));
    }
    *x = in;
    return want_sign(p, ")", err);
}

static enum dp_status parse_between(struct parser *p, uint32_t at, struct sql_node **x, struct dp_err *err) {
    struct sql_node *low, *high, *a, *b;
    DP_TRY(parse_sum(p, &low, err));
    DP_TRY(want_word(p, "and", err));
    DP_TRY(parse_sum(p, &high, err));
    DP_TRY(make(p, SQL_GE, at, *x, low, &a, err));
    DP_TRY(make(p, SQL_LE, at, *x, high, &b, err));
    return make(p, SQL_AND, at, a, b, x, err);
}

static enum dp_status parse_like(struct parser *p, uint32_t at, struct sql_node **x, struct dp_err *err) {
    struct sql_node *pattern;
    bool took;
    DP_TRY(parse_sum(p, &pattern, err));
    DP_TRY(make(p, SQL_LIKE, at, *x, pattern, x, err));
    DP_TRY(take_word(p, "escape", &took, err));
    if (!took) return DP_OK;
    if (p->token != T_STRING || p->word.n != 1) return refuse(p, "ESCAPE that is not one character", err);
    DP_TRY(literal(p, (struct sql_value){.kind = SQL_STRING, .s = p->word}, &pattern, err));
    return push(p, *x, pattern, err);
}

static enum dp_status parse_comparison(struct parser *p, struct sql_node **out, struct dp_err *err) {
    static const struct level levels[] = {{"=", SQL_EQ}, {"==", SQL_EQ}, {"<>", SQL_NE}, {"!=", SQL_NE}, {"<", SQL_LT}, {"<=", SQL_LE}, {">", SQL_GT}, {">=", SQL_GE}, {"<=>", SQL_SAME}};
    struct sql_node *right;
    bool not, took;
    DP_TRY(parse_sum(p, out, err));
    for (;;) {
        uint32_t at = p->column;
        const enum sql_op *op = match(p, levels, 9);
        if (op) {
            DP_TRY(next(p, err));
            DP_TRY(parse_sum(p, &right, err));
            DP_TRY(make(p, *op, at, *out, right, out, err));
            continue;
        }
        DP_TRY(take_word(p, "is", &took, err));
        if (took) {
            DP_TRY(parse_is(p, at, out, err));
            continue;
        }
        DP_TRY(take_word(p, "not", &not, err));
        DP_TRY(take_word(p, "in", &took, err));
        if (took) {
            DP_TRY(parse_in(p, at, out, err));
        } else if (is_word(p, "between")) {
            DP_TRY(next(p, err));
            DP_TRY(parse_between(p, at, out, err));
        } else if (is_word(p, "like")) {
            DP_TRY(next(p, err));
            DP_TRY(parse_like(p, at, out, err));
        } else {
            return not ? refuse(p, "something unsupported", err) : DP_OK;
        }
        DP_TRY(negate(p, not, at, out, err));
    }
}

static enum dp_status parse_not(struct parser *p, struct sql_node **out, struct dp_err *err) {
    uint32_t at = p->column;
    if (!is_word(p, "not") && !is_sign(p, "!")) return parse_comparison(p, out, err);
    if (++p->depth > DP_LIMIT_SQL_DEPTH) return dp_err_set(err, DP_LIMIT, "nested deeper than %u", DP_LIMIT_SQL_DEPTH);
    DP_TRY(next(p, err));
    DP_TRY(parse_not(p, out, err));
    p->depth--;
    return make(p, SQL_NOT, at, *out, NULL, out, err);
}

/* A row of AND is one node: it may be long. */
static enum dp_status parse_and(struct parser *p, struct sql_node **out, struct dp_err *err) {
    struct sql_node *row = NULL, *right;
    bool more;
    DP_TRY(parse_not(p, out, err));
    for (;;) {
        uint32_t at = p->column;
        DP_TRY(take_word(p, "and", &more, err));
        if (!more) return DP_OK;
        DP_TRY(parse_not(p, &right, err));
        if (row) DP_TRY(push(p, row, right, err));
        else DP_TRY(make(p, SQL_AND, at, *out, right, &row, err));
        *out = row;
    }
}

static enum dp_status parse_or(struct parser *p, struct sql_node **out, struct dp_err *err) {
    struct sql_node *row = NULL, *right;
    bool more;
    if (++p->depth > DP_LIMIT_SQL_DEPTH) return dp_err_set(err, DP_LIMIT, "nested deeper than %u", DP_LIMIT_SQL_DEPTH);
    DP_TRY(parse_and(p, out, err));
    for (;;) {
        uint32_t at = p->column;
        DP_TRY(take_word(p, "or", &more, err));
        if (!more) break;
        DP_TRY(parse_and(p, &right, err));
        if (row) DP_TRY(push(p, row, right, err));
        else DP_TRY(make(p, SQL_OR, at, *out, right, &row, err));
        *out = row;
    }
    p->depth--;
    return DP_OK;
}

enum dp_status sql_parse(struct dp_sql *s, struct dp_str text, struct dp_err *err) {
    struct parser p = {.sql = s, .text = text};
    if (text.n > DP_LIMIT_SQL_BYTES) return dp_err_set(err, DP_LIMIT, "longer than %u bytes", DP_LIMIT_SQL_BYTES);
    DP_TRY(next(&p, err));
    DP_TRY(parse_or(&p, &s->root, err));
    return p.token == T_END ? DP_OK : refuse(&p, "something unsupported", err);
}
