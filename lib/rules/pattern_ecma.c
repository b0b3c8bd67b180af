/*
 * ECMA-262 regular expressions (15th edition, section 22.2, read with the `u` flag) as PCRE2 source.  A pattern is walked once, token by token;
 * what means the same in both is copied, what differs is written in PCRE2's words, what only PCRE2 knows is refused by name.  More lenient than
 * the `u` flag in two things that contracts are full of: a backslash before any punctuation, and `{`, `}`, `]` that stand for themselves.
 */
#include "pattern_priv.h"

#include <stdio.h>

/* ECMA's white space and line ends; and all that is neither (for \S inside a class). */
#define SPACE "\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NO_SPACE                                                                                                                          \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}"   \
    "\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"
#define NO_CHAR UINT32_MAX /* an atom that is no single character */

struct walk {
    struct dp_str in;
    size_t at;
    struct dp_buf *out;
    unsigned groups;  /* capturing ones in the whole pattern */
    bool names;       /* it has named groups */
    struct dp_err *err;
};

static enum dp_status wrong(struct walk *w, size_t at, const char *why) {
    return dp_err_set(w->err, DP_USAGE, "pattern, column %zu: %s", at + 1, why);
}

static int peek(const struct walk *w, size_t ahead) {
    return w->at + ahead < w->in.n ? (unsigned char)w->in.p[w->at + ahead] : -1;
}
static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_alpha(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static int hex(int c) {
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A character that stands for itself, in or out of a class. */
static void put_char(struct walk *w, uint32_t c) {
    if (c >= 0xD800 && c <= 0xDFFF) dp_buf_addz(w->out, "(?!)"); /* half of a pair: in no text */
    else if (c < 128 && (is_digit((int)c) || is_alpha((int)c))) dp_buf_addc(w->out, (char)c);
    else dp_buf_addf(w->out, "\\x{%x}", c);
}

/* The code point at w->at, which moves behind it. The text is UTF-8, or PCRE2 refuses it later. */
static uint32_t take_char(struct walk *w) {
    unsigned char c = (unsigned char)w->in.p[w->at++];
    unsigned more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    uint32_t v = more == 3 ? c & 7u : more == 2 ? c & 15u : more == 1 ? c & 31u : c;
    for (; more && w->at < w->in.n; more--) v = v << 6 | ((unsigned char)w->in.p[w->at++] & 63u);
    return v;
}

static bool take_hex(struct walk *w, unsigned digits, uint32_t *v) {
    *v = 0;
    for (unsigned i = 0; i < digits; i++) {
        int h = hex(peek(w, i));
        if (h < 0) return false;
        *v = *v << 4 | (uint32_t)h;
    }
    w->at += digits;
    return true;
}

/* Behind \u: four digits (a pair of halves is one character), or {X}. */
static enum dp_status take_unicode(struct walk *w, size_t start, uint32_t *c) {
    uint32_t low;
    if (peek(w, 0) == '{') {
        size_t i = 1;
        *c = 0;
        for (; hex(peek(w, i)) >= 0 && *c <= 0x10FFFF; i++) *c = *c << 4 | (uint32_t)hex(peek(w, i));
        if (i == 1 || peek(w, i) != '}' || *c > 0x10FFFF) return wrong(w, start, "\\u{...} needs a code point in hexadecimal digits");
        w->at += i + 1;
        return DP_OK;
    }
    if (!take_hex(w, 4, c)) return wrong(w, start, "\\u needs four hexadecimal digits, or {...}");
    if (*c >= 0xD800 && *c < 0xDC00 && peek(w, 0) == '\\' && peek(w, 1) == 'u') {
        size_t back = w->at;
        w->at += 2;
        if (take_hex(w, 4, &low) && low >= 0xDC00 && low < 0xE000) *c = 0x10000 + ((*c - 0xD800) << 10) + (low - 0xDC00);
        else w->at = back;
    }
    return DP_OK;
}

/* Long names of general categories; PCRE2 knows the short ones. */
static const char *const categories[][2] = {
    {"Letter", "L"}, {"Cased_Letter", "L&"}, {"Uppercase_Letter", "Lu"}, {"Lowercase_Letter", "Ll"}, {"Titlecase_Letter", "Lt"}, {"LC", "L&"},
    {"Modifier_Letter", "Lm"}, {"Other_Letter", "Lo"}, {"Mark", "M"}, {"Combining_Mark", "M"}, {"Nonspacing_Mark", "Mn"}, {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"}, {"Number", "N"}, {"Decimal_Number", "Nd"}, {"digit", "Nd"}, {"Letter_Number", "Nl"}, {"Other_Number", "No"},
    {"Punctuation", "P"}, {"punct", "P"}, {"Connector_Punctuation", "Pc"}, {"Dash_Punctuation", "Pd"}, {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"}, {"Initial_Punctuation", "Pi"}, {"Final_Punctuation", "Pf"}, {"Other_Punctuation", "Po"}, {"Symbol", "S"},
    {"Math_Symbol", "Sm"}, {"Currency_Symbol", "Sc"}, {"Modifier_Symbol", "Sk"}, {"Other_Symbol", "So"}, {"Separator", "Z"},
    {"Space_Separator", "Zs"}, {"Line_Separator", "Zl"}, {"Paragraph_Separator", "Zp"}, {"Other", "C"}, {"Control", "Cc"}, {"cntrl", "Cc"},
    {"Format", "Cf"}, {"Surrogate", "Cs"}, {"Private_Use", "Co"}, {"Unassigned", "Cn"}};

/* \p{..}, \P{..}: w->at is behind the letter. */
static enum dp_status property(struct walk *w, size_t start, char letter) {
    const char *close = peek(w, 0) == '{' ? memchr(w->in.p + w->at, '}', w->in.n - w->at) : NULL;
    if (!close) return wrong(w, start, "\\p needs a property in braces: \\p{L}");
    struct dp_str name = dp_str(w->in.p + w->at + 1, (size_t)(close - w->in.p) - w->at - 1);
    w->at += name.n + 2;
    const char *eq = name.n ? memchr(name.p, '=', name.n) : NULL;
    if (eq) {
        struct dp_str key = dp_str(name.p, (size_t)(eq - name.p)), value = dp_str(eq + 1, name.n - key.n - 1);
        bool script = dp_str_eqz(key, "Script") || dp_str_eqz(key, "sc");
        if (script || dp_str_eqz(key, "Script_Extensions") || dp_str_eqz(key, "scx")) {
            dp_buf_addf(w->out, "\\%c{%s:%.*s}", letter, script ? "sc" : "scx", DP_STR_FMT(value));
            return DP_OK;
        }
        if (!dp_str_eqz(key, "General_Category") && !dp_str_eqz(key, "gc")) return wrong(w, start, "\\p takes Script, Script_Extensions and General_Category");
        name = value;
    }
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (dp_str_eqz(name, categories[i][0])) name = dp_str_z(categories[i][1]);
    dp_buf_addf(w->out, "\\%c{%.*s}", letter, DP_STR_FMT(name));
    return DP_OK;
}

/* Escapes that mean one character, the same in and out of a class: *c, or NO_CHAR when it is none of them (w->at is back at the letter). */
static enum dp_status char_escape(struct walk *w, size_t start, uint32_t *c) {
    static const char from[] = "tnvfr", to[] = "\t\n\v\f\r";
    int e = peek(w, 0);
    const char *control = e > 0 ? strchr(from, e) : NULL;
    *c = NO_CHAR;
    if (e < 0) return wrong(w, start, "a backslash at the end");
    w->at++;
    if (control) *c = (uint32_t)(unsigned char)to[control - from];
    else if (e == '0' && !is_digit(peek(w, 0))) *c = 0;
    else if (e == 'u') return take_unicode(w, start, c);
    else if (e == 'x') return take_hex(w, 2, c) ? DP_OK : wrong(w, start, "\\x needs two hexadecimal digits");
    else if (e == 'c') {
        if (!is_alpha(peek(w, 0))) return wrong(w, start, "\\c needs a letter");
        *c = (uint32_t)peek(w, 0) & 31u;
        w->at++;
    } else if (e < 128 && !is_alpha(e) && !is_digit(e)) *c = (uint32_t)e;
    else if (e >= 128) w->at--, *c = take_char(w);
    else w->at--;
    return DP_OK;
}

static enum dp_status foreign_escape(struct walk *w, size_t start, int letter) {
    static const struct { char letter; const char *hint; } words[] = {
        {'A', "\\A is not ECMA-262: write ^"}, {'z', "\\z is not ECMA-262: write $"}, {'Z', "\\Z is not ECMA-262: write $"},
        {'h', "\\h is not ECMA-262: write [ \\t]"}, {'R', "\\R is not ECMA-262: write \\r?\\n"}, {'a', "\\a is not ECMA-262: write \\x07"},
        {'e', "\\e is not ECMA-262: write \\x1b"}, {'Q', "\\Q..\\E is not ECMA-262: escape each character"}};
    char text[64];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].letter == letter) return wrong(w, start, words[i].hint);
    snprintf(text, sizeof text, "\\%c is not ECMA-262", letter);
    return wrong(w, start, text);
}

/* ---- classes ---- */

/* One atom of a class: its character in *c, or NO_CHAR when it is a set, which is written already. */
static enum dp_status class_atom(struct walk *w, uint32_t *c) {
    size_t start = w->at;
    if (peek(w, 0) != '\\') {
        *c = take_char(w);
        return DP_OK;
    }
    w->at++;
    DP_TRY(char_escape(w, start, c));
    if (*c != NO_CHAR) return DP_OK;
    int e = peek(w, 0);
    w->at++;
    switch (e) {
    case 'd': dp_buf_addz(w->out, "0-9"); return DP_OK;
    case 'w': dp_buf_addz(w->out, "0-9A-Za-z_"); return DP_OK;
    case 'D': case 'W': dp_buf_addf(w->out, "\\%c", e); return DP_OK;
    case 's': dp_buf_addz(w->out, SPACE); return DP_OK;
    case 'S': dp_buf_addz(w->out, NO_SPACE); return DP_OK;
    case 'p': case 'P': return property(w, start, (char)e);
    case 'b': *c = 8; return DP_OK;
    }
    return is_digit(e) ? wrong(w, start, "octal escapes and back references have no place in a class: write \\xHH") : foreign_escape(w, start, e);
}

static void put_class_char(struct walk *w, uint32_t c) {
    if (c < 0xD800 || c > 0xDFFF) put_char(w, c); /* half of a pair: in no text, so no member */
}

static enum dp_status class_range(struct walk *w, size_t start, uint32_t low) {
    uint32_t high;
    w->at++;
    DP_TRY(class_atom(w, &high));
    if (high == NO_CHAR || low == NO_CHAR) { /* [\w-.]: the dash stands for itself */
        if (low != NO_CHAR) put_class_char(w, low);
        dp_buf_addz(w->out, "\\-");
        if (high != NO_CHAR) put_class_char(w, high);
        return DP_OK;
    }
    if (high < low) return wrong(w, start, "a range in a class runs backwards");
    if (low >= 0xD800 && low <= 0xDFFF) low = 0xE000; /* halves of pairs are no characters of PCRE2's */
    if (high >= 0xD800 && high <= 0xDFFF) high = 0xD7FF;
    if (low > high) return DP_OK;
    put_char(w, low);
    dp_buf_addc(w->out, '-');
    put_char(w, high);
    return DP_OK;
}

static enum dp_status class(struct walk *w) {
    size_t open = w->at++;
    bool negated = peek(w, 0) == '^';
    w->at += negated;
    if (peek(w, 0) == ']') { /* [] is nothing, [^] anything */
        w->at++;
        dp_buf_addz(w->out, negated ? "(?s:.)" : "(?!)");
        return DP_OK;
    }
    dp_buf_addz(w->out, negated ? "[^" : "[");
    size_t content = w->out->n;
    while (peek(w, 0) != ']') {
        uint32_t c;
        size_t start = w->at;
        if (peek(w, 0) < 0) return wrong(w, open, "a class is not closed");
        DP_TRY(class_atom(w, &c));
        if (peek(w, 0) == '-' && peek(w, 1) != ']' && peek(w, 1) >= 0) DP_TRY(class_range(w, start, c));
        else if (c != NO_CHAR) put_class_char(w, c);
    }
    w->at++;
    if (w->out->n == content) { /* only halves of pairs */
        w->out->n = content - (negated ? 2 : 1);
        dp_buf_addz(w->out, negated ? "(?s:.)" : "(?!)");
        return DP_OK;
    }
    dp_buf_addc(w->out, ']');
    return DP_OK;
}

/* ---- the rest ---- */

static enum dp_status back_reference(struct walk *w, size_t start) {
    unsigned n = 0;
    while (is_digit(peek(w, 0)) && n < 100000) n = n * 10 + (unsigned)(peek(w, 0) - '0'), w->at++;
    if (!n || n > w->groups) return wrong(w, start, "there is no such group");
    dp_buf_addf(w->out, "\\g{%u}", n);
    return DP_OK;
}

static enum dp_status named_reference(struct walk *w, size_t start) {
    const char *close = peek(w, 0) == '<' ? memchr(w->in.p + w->at, '>', w->in.n - w->at) : NULL;
    if (!close || !w->names) return wrong(w, start, "\\k needs the name of a group: \\k<name>");
    size_t n = (size_t)(close - w->in.p) + 1 - w->at;
    dp_buf_addz(w->out, "\\k");
    dp_buf_add(w->out, w->in.p + w->at, n);
    w->at += n;
    return DP_OK;
}

static enum dp_status escape(struct walk *w, bool *repeats) {
    size_t start = w->at++;
    uint32_t c;
    DP_TRY(char_escape(w, start, &c));
    if (c != NO_CHAR) {
        put_char(w, c);
        return DP_OK;
    }
    int e = peek(w, 0);
    if (is_digit(e)) return back_reference(w, start);
    w->at++;
    switch (e) {
    case 'd': case 'D': case 'w': case 'W': dp_buf_addf(w->out, "\\%c", e); return DP_OK;
    case 'b': case 'B':
        dp_buf_addf(w->out, "\\%c", e);
        *repeats = false;
        return DP_OK;
    case 's': dp_buf_addz(w->out, "[" SPACE "]"); return DP_OK;
    case 'S': dp_buf_addz(w->out, "[^" SPACE "]"); return DP_OK;
    case 'p': case 'P': return property(w, start, (char)e);
    case 'k': return named_reference(w, start);
    }
    return foreign_escape(w, start, e);
}

/* `(`: which of ECMA's groups it is. */
static enum dp_status group(struct walk *w) {
    static const char *const opens[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", NULL};
    struct dp_str rest = dp_str(w->in.p + w->at, w->in.n - w->at);
    for (size_t i = 0; opens[i]; i++)
        if (dp_str_starts(rest, dp_str_z(opens[i]))) {
            dp_buf_addz(w->out, opens[i]);
            w->at += strlen(opens[i]);
            return DP_OK;
        }
    if (peek(w, 1) == '*') return wrong(w, w->at, "(* has nothing to repeat");
    if (peek(w, 1) != '?') {
        dp_buf_addc(w->out, '(');
        w->at++;
        return DP_OK;
    }
    const char *close = peek(w, 2) == '<' ? memchr(rest.p, '>', rest.n) : NULL;
    if (close) {
        dp_buf_add(w->out, rest.p, (size_t)(close - rest.p) + 1);
        w->at += (size_t)(close - rest.p) + 1;
        return DP_OK;
    }
    size_t i = 2;
    while (i < rest.n && rest.p[i] && (strchr("ims", rest.p[i]) || (rest.p[i] == '-' && i > 2))) i++;
    if (i > 2 && i < rest.n && rest.p[i] == ':') { /* modifiers of a group, as of 2025 */
        dp_buf_add(w->out, rest.p, i + 1);
        w->at += i + 1;
        return DP_OK;
    }
    return i > 2 && i < rest.n && rest.p[i] == ')' ? wrong(w, w->at, "flags for the rest of a pattern are not ECMA-262: write (?i:...)")
                                                    : wrong(w, w->at, "a group of this kind is not ECMA-262");
}

/* {n}, {n,}, {n,m} at w->at: its length; 0: a brace that stands for itself. */
static size_t brace_length(const struct walk *w) {
    size_t i = 1;
    while (is_digit(peek(w, i))) i++;
    if (i == 1) return 0;
    if (peek(w, i) == ',')
        for (i++; is_digit(peek(w, i));) i++;
    return peek(w, i) == '}' ? i + 1 : 0;
}

/* A quantifier behind an atom; possessive ones are PCRE2's own. */
static enum dp_status quantifier(struct walk *w, bool repeats) {
    size_t n = peek(w, 0) == '{' ? brace_length(w) : strchr("*+?", peek(w, 0)) ? 1 : 0;
    if (!repeats) return wrong(w, w->at, "there is nothing to repeat");
    dp_buf_add(w->out, w->in.p + w->at, n);
    w->at += n;
    if (peek(w, 0) == '?') dp_buf_addc(w->out, '?'), w->at++;
    int next = peek(w, 0);
    if (next == '*' || next == '+' || next == '?' || (next == '{' && brace_length(w)))
        return wrong(w, w->at, "there is nothing to repeat (possessive quantifiers are not ECMA-262)");
    return DP_OK;
}

/* Capturing groups in the whole pattern, for references ahead. */
static void count_groups(struct walk *w) {
    bool in_class = false;
    for (size_t i = 0; i < w->in.n; i++) {
        char c = w->in.p[i], next = i + 1 < w->in.n ? w->in.p[i + 1] : 0, third = i + 2 < w->in.n ? w->in.p[i + 2] : 0;
        char fourth = i + 3 < w->in.n ? w->in.p[i + 3] : 0;
        if (c == '\\') i++;
        else if (c == '[') in_class = true;
        else if (c == ']') in_class = false;
        else if (c == '(' && !in_class) {
            bool named = next == '?' && third == '<' && fourth != '=' && fourth != '!';
            w->groups += next != '?' || named;
            w->names |= named;
        }
    }
}

/* One token; *repeats: a quantifier may follow. */
static enum dp_status token(struct walk *w, bool *repeats) {
    int c = peek(w, 0);
    *repeats = true;
    switch (c) {
    case '\\': return escape(w, repeats);
    case '[': return class(w);
    case '(': *repeats = false; return group(w);
    case ')': break;
    case '.': dp_buf_addz(w->out, "[^\\n\\r\\x{2028}\\x{2029}]"); w->at++; return DP_OK;
    case '^': case '$': case '|': *repeats = false; break;
    default: put_char(w, take_char(w)); return DP_OK;
    }
    dp_buf_addc(w->out, (char)c);
    w->at++;
    return DP_OK;
}

enum dp_status dp_pattern_translate(struct dp_str text, struct dp_buf *out, struct dp_err *err) {
    struct walk w = {.in = text, .out = out, .err = err};
    bool repeats = false;
    count_groups(&w);
    while (w.at < text.n) {
        int c = peek(&w, 0);
        if (c == '*' || c == '+' || c == '?' || (c == '{' && brace_length(&w))) {
            DP_TRY(quantifier(&w, repeats));
            repeats = false;
        } else {
            DP_TRY(token(&w, &repeats));
        }
    }
    return DP_OK;
}
