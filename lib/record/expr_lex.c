/*
 * Tokens of jq's grammar (the jq manual's sections on basic filters, types and values).  Strings are read by the parser
 * through dp_lex_string, since what stands in `\( )` is an expression again.
 */
#include "expr_lex.h"

#include <stdio.h>

static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_alpha(c) || is_digit(c); }

enum dp_status dp_lex_fail(const struct dp_lexer *x, struct dp_err *err, size_t at, const char *fmt, ...) {
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    size_t line = 1, col = 1;
    for (size_t i = 0; i < at && i < x->text.n; i++) {
        if (x->text.p[i] == '\n') line++, col = 1;
        else col++;
    }
    if (line > 1) return dp_err_set(err, DP_USAGE, "expression: line %zu, column %zu: %s", line, col, msg);
    return dp_err_set(err, DP_USAGE, "expression: column %zu: %s", col, msg);
}

bool dp_lex_is_keyword(struct dp_str s) {
    static const char *const words[] = {"def", "module", "import", "include", "if", "then", "else", "elif", "end", "as",
                                        "reduce", "foreach", "try", "catch", "label", "and", "or", "__loc__", NULL};
    for (size_t i = 0; words[i]; i++)
        if (dp_str_eqz(s, words[i])) return true;
    return false;
}

static void skip_blanks(struct dp_lexer *x) {
    while (x->pos < x->text.n) {
        char c = x->text.p[x->pos];
        if (c == '#') {
            while (x->pos < x->text.n && x->text.p[x->pos] != '\n') x->pos++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            x->pos++;
        } else {
            break;
        }
    }
}

/* A word, with `::` between its parts. */
static size_t word_end(const struct dp_lexer *x, size_t i, bool modules) {
    const char *p = x->text.p;
    size_t n = x->text.n;
    for (;;) {
        while (i < n && is_word(p[i])) i++;
        if (!modules || i + 2 >= n || p[i] != ':' || p[i + 1] != ':' || !is_alpha(p[i + 2])) return i;
        i += 2;
    }
}

static size_t number_end(const struct dp_lexer *x, size_t i) {
    const char *p = x->text.p;
    size_t n = x->text.n;
    while (i < n && is_digit(p[i])) i++;
    if (i < n && p[i] == '.') {
        i++;
        while (i < n && is_digit(p[i])) i++;
    }
    if (i < n && (p[i] == 'e' || p[i] == 'E')) {
        size_t k = i + 1;
        if (k < n && (p[k] == '+' || p[k] == '-')) k++;
        if (k < n && is_digit(p[k])) {
            while (k < n && is_digit(p[k])) k++;
            i = k;
        }
    }
    return i;
}

static void set(struct dp_lexer *x, enum dp_tok tok, size_t from, size_t end) {
    x->tok = tok;
    x->s = dp_str(x->text.p + from, end - from);
    x->pos = end;
}

static enum dp_status lex_punct(struct dp_lexer *x, struct dp_err *err) {
    static const char *const ops[] = {"//=", "==", "!=", "<=", ">=", "|=", "+=", "-=", "*=", "/=", "%=", "//", "..", NULL};
    struct dp_str rest = dp_str(x->text.p + x->start, x->text.n - x->start);
    for (size_t i = 0; ops[i]; i++) {
        struct dp_str op = dp_str_z(ops[i]);
        if (rest.n >= op.n && !memcmp(rest.p, op.p, op.n)) {
            set(x, DP_TOK_PUNCT, x->start, x->start + op.n);
            return DP_OK;
        }
    }
    if (rest.p[0] && strchr(".[](){}|,:;=<>+-*/%$?", rest.p[0])) {
        set(x, DP_TOK_PUNCT, x->start, x->start + 1);
        return DP_OK;
    }
    unsigned char c = (unsigned char)rest.p[0];
    if (c > 0x20 && c < 0x7f) return dp_lex_fail(x, err, x->start, "unexpected '%c'", c);
    return dp_lex_fail(x, err, x->start, "unexpected byte 0x%02x", c);
}

enum dp_status dp_lex_next(struct dp_lexer *x, struct dp_err *err) {
    skip_blanks(x);
    const char *p = x->text.p;
    size_t i = x->pos, n = x->text.n;
    x->start = i;
    if (i >= n) {
        set(x, DP_TOK_END, n, n);
        return DP_OK;
    }
    char next = i + 1 < n ? p[i + 1] : 0;
    if (is_alpha(p[i])) set(x, DP_TOK_IDENT, i, word_end(x, i, true));
    else if (is_digit(p[i]) || (p[i] == '.' && is_digit(next))) set(x, DP_TOK_NUMBER, i, number_end(x, i));
    else if (p[i] == '.' && is_alpha(next)) set(x, DP_TOK_FIELD, i + 1, word_end(x, i + 1, false));
    else if (p[i] == '$' && is_alpha(next)) set(x, DP_TOK_VAR, i + 1, word_end(x, i + 1, true));
    else if (p[i] == '@' && is_alpha(next)) set(x, DP_TOK_FORMAT, i + 1, word_end(x, i + 1, false));
    else if (p[i] == '"') set(x, DP_TOK_QUOTE, i, i + 1);
    else return lex_punct(x, err);
    return DP_OK;
}

static bool hex4(const struct dp_lexer *x, size_t at, uint32_t *out) {
    *out = 0;
    if (x->text.n - at < 4) return false;
    for (size_t i = at; i < at + 4; i++) {
        char c = x->text.p[i];
        uint32_t d;
        if (is_digit(c)) d = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f') d = (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F') d = (uint32_t)(c - 'A' + 10);
        else return false;
        *out = *out << 4 | d;
    }
    return true;
}

static void add_utf8(struct dp_buf *b, uint32_t c) {
    if (c < 0x80) {
        dp_buf_addc(b, (char)c);
    } else if (c < 0x800) {
        dp_buf_addc(b, (char)(0xc0 | c >> 6));
        dp_buf_addc(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        dp_buf_addc(b, (char)(0xe0 | c >> 12));
        dp_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        dp_buf_addc(b, (char)(0x80 | (c & 0x3f)));
    } else {
        dp_buf_addc(b, (char)(0xf0 | c >> 18));
        dp_buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
        dp_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        dp_buf_addc(b, (char)(0x80 | (c & 0x3f)));
    }
}

/* The escape whose backslash is at pos; pos moves behind it. */
static enum dp_status lex_escape(struct dp_lexer *x, struct dp_buf *b, struct dp_err *err) {
    size_t at = x->pos;
    char c = at + 1 < x->text.n ? x->text.p[at + 1] : 0;
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *k = c ? strchr(from, c) : NULL;
    if (k) {
        dp_buf_addc(b, to[k - from]);
        x->pos += 2;
        return DP_OK;
    }
    uint32_t u, low;
    if (c != 'u' || !hex4(x, at + 2, &u)) return dp_lex_fail(x, err, at, "a bad escape in a string");
    x->pos += 6;
    if (u >= 0xd800 && u < 0xdc00) {
        bool pair = x->text.n - x->pos >= 6 && x->text.p[x->pos] == '\\' && x->text.p[x->pos + 1] == 'u' &&
                    hex4(x, x->pos + 2, &low) && low >= 0xdc00 && low < 0xe000;
        if (!pair) return dp_lex_fail(x, err, at, "half of a surrogate pair in a string");
        u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
        x->pos += 6;
    } else if (u >= 0xdc00 && u < 0xe000) {
        return dp_lex_fail(x, err, at, "half of a surrogate pair in a string");
    }
    add_utf8(b, u);
    return DP_OK;
}

enum dp_status dp_lex_string(struct dp_lexer *x, struct dp_buf *b, bool *interpolation, struct dp_err *err) {
    size_t start = x->pos;
    while (x->pos < x->text.n) {
        char c = x->text.p[x->pos];
        if (c == '"') {
            x->pos++;
            *interpolation = false;
            return DP_OK;
        }
        if (c != '\\') {
            dp_buf_addc(b, c);
            x->pos++;
        } else if (x->pos + 1 < x->text.n && x->text.p[x->pos + 1] == '(') {
            x->pos += 2;
            *interpolation = true;
            return DP_OK;
        } else {
            DP_TRY(lex_escape(x, b, err));
        }
    }
    return dp_lex_fail(x, err, start, "a string without its closing quote");
}
