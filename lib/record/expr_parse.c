/*
 * The parser: jq's grammar (jq 1.6's, and what 1.7 added: `if` without `else`, a dot before a bracket) by recursive descent,
 * operators by precedence climbing.  From loosest: `|` (right), `,`, `//` (right), assignments (none), `or`, `and`,
 * comparisons (none), `+ -`, `* / %`, `?`.  Does not decide what is compiled; modules are refused.
 */
#include "expr_lex.h"

struct parser {
    struct dp_lexer x;
    struct dp_expr *e;
    struct dp_err *err;
    unsigned depth;
    unsigned chain; /* pipes in pipes on the right */
};

#define HEIGHT_MAX 1500u /* of the tree: a long chain of operators leans to one side */

static enum dp_status parse_pipe(struct parser *p, struct dp_enode **out);
static enum dp_status parse_postfix(struct parser *p, struct dp_enode **out);
static enum dp_status parse_plain(struct parser *p, struct dp_enode **out);
static enum dp_status parse_binary(struct parser *p, int min, struct dp_enode **out);
static enum dp_status parse_pattern(struct parser *p, struct dp_pat **out);

static enum dp_status fail(struct parser *p, const char *wanted) {
    if (p->x.tok == DP_TOK_END) return dp_lex_fail(&p->x, p->err, p->x.start, "it ends where %s should be", wanted);
    return dp_lex_fail(&p->x, p->err, p->x.start, "unexpected '%.*s' where %s should be", (int)(p->x.s.n > 40 ? 40 : p->x.s.n),
                       p->x.s.p, wanted);
}

static enum dp_status next(struct parser *p) { return dp_lex_next(&p->x, p->err); }

static enum dp_status expect(struct parser *p, const char *punct) {
    char wanted[16];
    if (!dp_lex_is(&p->x, punct)) {
        wanted[0] = '\'', wanted[1] = punct[0], wanted[2] = '\'', wanted[3] = 0;
        return fail(p, wanted);
    }
    return next(p);
}

static enum dp_status expect_word(struct parser *p, const char *word) {
    if (!dp_lex_is_word(&p->x, word)) return fail(p, word);
    return next(p);
}

static struct dp_enode *node(struct parser *p, enum dp_ek kind, size_t at) {
    struct dp_enode *n = dp_arena_calloc(&p->e->arena, 1, sizeof *n);
    n->kind = (uint8_t)kind;
    n->col = (uint32_t)(at + 1);
    n->height = 1;
    return n;
}

static void grow(struct dp_enode *n, const struct dp_enode *child) {
    if (child && child->height >= n->height) n->height = child->height + 1;
}

/* Sets the children and checks the tree's height. */
static enum dp_status link_up(struct parser *p, struct dp_enode *n, struct dp_enode *a, struct dp_enode *b) {
    n->a = a, n->b = b;
    grow(n, a);
    grow(n, b);
    if (n->height > HEIGHT_MAX) return dp_lex_fail(&p->x, p->err, p->x.start, "nested deeper than %u", HEIGHT_MAX);
    return DP_OK;
}

static void append(struct parser *p, struct dp_enode *n, struct dp_enode *child) {
    if ((n->n & (n->n - 1)) == 0) { /* full at 0, 1, 2, 4, ... */
        struct dp_enode **list = dp_arena_alloc(&p->e->arena, (n->n ? 2 * n->n : 1) * sizeof *list);
        if (n->n) memcpy(list, n->list, n->n * sizeof *list);
        n->list = list;
    }
    n->list[n->n++] = child;
    grow(n, child);
}

static enum dp_status deeper(struct parser *p) {
    if (++p->depth > DP_LIMIT_EXPR_DEPTH)
        return dp_lex_fail(&p->x, p->err, p->x.start, "nested deeper than %u", DP_LIMIT_EXPR_DEPTH);
    return DP_OK;
}

static struct dp_enode *text_node(struct parser *p, size_t at, struct dp_str s) {
    struct dp_enode *n = node(p, DP_EK_CONST, at);
    n->val = dp_val_text(dp_arena_str(&p->e->arena, s));
    return n;
}

/* ---- strings ---- */

/* The opening quote is the current token. */
static enum dp_status parse_string(struct parser *p, struct dp_str format, struct dp_enode **out) {
    size_t at = p->x.start;
    struct dp_enode *n = node(p, DP_EK_STRING, at), *part;
    n->name = format;
    bool more = true;
    DP_TRY(deeper(p));
    while (more) {
        struct dp_buf b = {0};
        enum dp_status status = dp_lex_string(&p->x, &b, &more, p->err);
        if (status == DP_OK && (b.n || (!more && !n->n))) append(p, n, text_node(p, at, dp_buf_str(&b)));
        dp_buf_release(&b);
        DP_TRY(status);
        if (!more) break;
        DP_TRY(next(p));
        DP_TRY(parse_pipe(p, &part));
        if (!dp_lex_is(&p->x, ")")) return fail(p, "')'");
        struct dp_enode *wrap = node(p, DP_EK_PIPE, at); /* marks an interpolated part; flattened below */
        wrap->a = node(p, DP_EK_IDENTITY, at), wrap->b = part;
        grow(wrap, part);
        append(p, n, wrap);
        p->x.pos = p->x.start + 1;
    }
    p->depth--;
    *out = n->n == 1 && n->list[0]->kind == DP_EK_CONST ? n->list[0] : n;
    return next(p);
}

/* ---- patterns ---- */

static enum dp_status parse_object_pattern(struct parser *p, struct dp_pat *pat) {
    size_t cap = 0;
    for (;;) {
        struct dp_pat *entry = dp_arena_calloc(&p->e->arena, 1, sizeof *entry);
        size_t at = p->x.start;
        bool need_value = true;
        if (p->x.tok == DP_TOK_VAR) {
            entry->key_is_var = true, entry->name = p->x.s, need_value = false;
            DP_TRY(next(p));
        } else if (p->x.tok == DP_TOK_IDENT) {
            entry->key = text_node(p, at, p->x.s);
            DP_TRY(next(p));
        } else if (p->x.tok == DP_TOK_QUOTE) {
            DP_TRY(parse_string(p, dp_str("", 0), &entry->key));
        } else if (dp_lex_is(&p->x, "(")) {
            DP_TRY(next(p));
            DP_TRY(parse_pipe(p, &entry->key));
            DP_TRY(expect(p, ")"));
        } else {
            return fail(p, "a key of a pattern");
        }
        if (need_value || dp_lex_is(&p->x, ":")) {
            DP_TRY(expect(p, ":"));
            DP_TRY(parse_pattern(p, &entry->value));
        }
        if (pat->n == cap) {
            cap = cap ? 2 * cap : 4;
            struct dp_pat **list = dp_arena_alloc(&p->e->arena, cap * sizeof *list);
            if (pat->n) memcpy(list, pat->list, pat->n * sizeof *list);
            pat->list = list;
        }
        pat->list[pat->n++] = entry;
        if (dp_lex_is(&p->x, "}")) return next(p);
        DP_TRY(expect(p, ","));
    }
}

static enum dp_status parse_array_pattern(struct parser *p, struct dp_pat *pat) {
    size_t cap = 0;
    for (;;) {
        if (pat->n == cap) {
            cap = cap ? 2 * cap : 4;
            struct dp_pat **list = dp_arena_alloc(&p->e->arena, cap * sizeof *list);
            if (pat->n) memcpy(list, pat->list, pat->n * sizeof *list);
            pat->list = list;
        }
        DP_TRY(parse_pattern(p, &pat->list[pat->n]));
        pat->n++;
        if (dp_lex_is(&p->x, "]")) return next(p);
        DP_TRY(expect(p, ","));
    }
}

static enum dp_status parse_pattern(struct parser *p, struct dp_pat **out) {
    struct dp_pat *pat = *out = dp_arena_calloc(&p->e->arena, 1, sizeof *pat);
    DP_TRY(deeper(p));
    if (p->x.tok == DP_TOK_VAR) {
        pat->name = p->x.s;
        DP_TRY(next(p));
    } else if (dp_lex_is(&p->x, "[")) {
        pat->kind = DP_KIND_ARRAY;
        DP_TRY(next(p));
        DP_TRY(parse_array_pattern(p, pat));
    } else if (dp_lex_is(&p->x, "{")) {
        pat->kind = DP_KIND_OBJECT;
        DP_TRY(next(p));
        DP_TRY(parse_object_pattern(p, pat));
    } else {
        return fail(p, "a variable or a pattern");
    }
    p->depth--;
    return DP_OK;
}

/* Patterns with `?//` between them. */
static enum dp_status parse_patterns(struct parser *p, struct dp_enode *n) {
    struct dp_pat *list[16];
    for (;;) {
        if (n->n_pats == 16) return dp_lex_fail(&p->x, p->err, p->x.start, "more than 16 patterns");
        DP_TRY(parse_pattern(p, &list[n->n_pats++]));
        if (!dp_lex_is(&p->x, "?")) break;
        DP_TRY(next(p));
        DP_TRY(expect(p, "//"));
    }
    n->pats = dp_arena_alloc(&p->e->arena, n->n_pats * sizeof *list);
    memcpy(n->pats, list, n->n_pats * sizeof *list);
    return DP_OK;
}

/* ---- terms ---- */

/* A value in an object: terms joined by `|`, perhaps negated. */
static enum dp_status parse_object_value(struct parser *p, struct dp_enode **out) {
    size_t at = p->x.start;
    struct dp_enode *n, *rest;
    DP_TRY(deeper(p));
    if (dp_lex_is(&p->x, "-")) {
        DP_TRY(next(p));
        n = node(p, DP_EK_NEG, at);
        DP_TRY(parse_object_value(p, &rest));
        DP_TRY(link_up(p, n, rest, NULL));
        *out = n;
        p->depth--;
        return DP_OK;
    }
    DP_TRY(parse_postfix(p, &n));
    if (dp_lex_is(&p->x, "|")) {
        DP_TRY(next(p));
        DP_TRY(parse_object_value(p, &rest));
        *out = node(p, DP_EK_PIPE, at);
        DP_TRY(link_up(p, *out, n, rest));
    } else {
        *out = n;
    }
    p->depth--;
    return DP_OK;
}

static struct dp_enode *field_of_dot(struct parser *p, size_t at, struct dp_enode *key) {
    struct dp_enode *n = node(p, DP_EK_INDEX, at);
    n->a = node(p, DP_EK_IDENTITY, at), n->b = key;
    grow(n, key);
    return n;
}

static enum dp_status parse_entry(struct parser *p, struct dp_enode *object) {
    size_t at = p->x.start;
    struct dp_enode *key, *value = NULL;
    if (p->x.tok == DP_TOK_VAR) {
        key = text_node(p, at, p->x.s);
        value = node(p, DP_EK_VAR, at);
        value->name = p->x.s;
        DP_TRY(next(p));
    } else if (dp_lex_is(&p->x, "(")) {
        DP_TRY(next(p));
        DP_TRY(parse_pipe(p, &key));
        DP_TRY(expect(p, ")"));
        if (!dp_lex_is(&p->x, ":")) return fail(p, "':'");
    } else if (p->x.tok == DP_TOK_QUOTE || p->x.tok == DP_TOK_FORMAT) {
        struct dp_str format = dp_str("", 0);
        if (p->x.tok == DP_TOK_FORMAT) {
            format = p->x.s;
            DP_TRY(next(p));
            if (p->x.tok != DP_TOK_QUOTE) return fail(p, "a string");
        }
        DP_TRY(parse_string(p, format, &key));
    } else if (p->x.tok == DP_TOK_IDENT) {
        key = text_node(p, at, p->x.s);
        DP_TRY(next(p));
    } else {
        return fail(p, "a key of an object");
    }
    if (dp_lex_is(&p->x, ":")) {
        DP_TRY(next(p));
        DP_TRY(parse_object_value(p, &value));
        if (!dp_lex_is(&p->x, ",") && !dp_lex_is(&p->x, "}")) return fail(p, "',' or '}' (put parentheses around the value)");
    } else if (!value) {
        value = field_of_dot(p, at, key);
    }
    append(p, object, key);
    append(p, object, value);
    return DP_OK;
}

static enum dp_status parse_object(struct parser *p, struct dp_enode **out) {
    struct dp_enode *n = *out = node(p, DP_EK_OBJECT, p->x.start);
    DP_TRY(next(p));
    if (dp_lex_is(&p->x, "}")) return next(p);
    for (;;) {
        DP_TRY(parse_entry(p, n));
        if (dp_lex_is(&p->x, "}")) return next(p);
        DP_TRY(expect(p, ","));
    }
}

static enum dp_status parse_if(struct parser *p, struct dp_enode **out) {
    struct dp_enode *n = *out = node(p, DP_EK_IF, p->x.start), *part;
    do {
        DP_TRY(next(p));
        DP_TRY(parse_pipe(p, &part));
        append(p, n, part);
        DP_TRY(expect_word(p, "then"));
        DP_TRY(parse_pipe(p, &part));
        append(p, n, part);
    } while (dp_lex_is_word(&p->x, "elif"));
    if (dp_lex_is_word(&p->x, "else")) {
        DP_TRY(next(p));
        DP_TRY(parse_pipe(p, &n->a));
    } else {
        n->a = node(p, DP_EK_IDENTITY, p->x.start);
    }
    grow(n, n->a);
    return expect_word(p, "end");
}

/* reduce and foreach: `TERM as PATTERNS (a; b[; c])` */
static enum dp_status parse_fold(struct parser *p, enum dp_ek kind, struct dp_enode **out) {
    struct dp_enode *n = *out = node(p, kind, p->x.start);
    DP_TRY(next(p));
    DP_TRY(parse_plain(p, &n->a));
    DP_TRY(expect_word(p, "as"));
    DP_TRY(parse_patterns(p, n));
    DP_TRY(expect(p, "("));
    DP_TRY(parse_pipe(p, &n->b));
    DP_TRY(expect(p, ";"));
    DP_TRY(parse_pipe(p, &n->c));
    if (kind == DP_EK_FOREACH && dp_lex_is(&p->x, ";")) {
        DP_TRY(next(p));
        DP_TRY(parse_pipe(p, &n->d));
    }
    grow(n, n->a), grow(n, n->b), grow(n, n->c), grow(n, n->d);
    return expect(p, ")");
}

static enum dp_status parse_def(struct parser *p, struct dp_enode **out) {
    struct dp_enode *n = *out = node(p, DP_EK_DEF, p->x.start);
    struct dp_str params[32];
    DP_TRY(next(p));
    if (p->x.tok != DP_TOK_IDENT) return fail(p, "a function's name");
    n->name = p->x.s;
    DP_TRY(next(p));
    if (dp_lex_is(&p->x, "(")) {
        do {
            DP_TRY(next(p));
            if (p->x.tok != DP_TOK_IDENT && p->x.tok != DP_TOK_VAR) return fail(p, "a parameter");
            if (n->n_params == 32) return dp_lex_fail(&p->x, p->err, p->x.start, "more than 32 parameters");
            struct dp_str s = p->x.s;
            if (p->x.tok == DP_TOK_VAR) s.p--, s.n++; /* with its `$` */
            params[n->n_params++] = s;
            DP_TRY(next(p));
        } while (dp_lex_is(&p->x, ";"));
        DP_TRY(expect(p, ")"));
    }
    n->params = dp_arena_alloc(&p->e->arena, sizeof *params * (n->n_params + 1));
    memcpy(n->params, params, sizeof *params * n->n_params);
    DP_TRY(expect(p, ":"));
    DP_TRY(parse_pipe(p, &n->a));
    DP_TRY(expect(p, ";"));
    DP_TRY(parse_pipe(p, &n->b));
    grow(n, n->a), grow(n, n->b);
    return DP_OK;
}

static enum dp_status parse_call(struct parser *p, struct dp_enode **out) {
    struct dp_enode *n = *out = node(p, DP_EK_CALL, p->x.start), *arg;
    n->name = p->x.s;
    DP_TRY(next(p));
    if (!dp_lex_is(&p->x, "(")) return DP_OK;
    do {
        DP_TRY(next(p));
        DP_TRY(parse_pipe(p, &arg));
        append(p, n, arg);
    } while (dp_lex_is(&p->x, ";"));
    return expect(p, ")");
}

static enum dp_status parse_label(struct parser *p, struct dp_enode **out) {
    struct dp_enode *n = *out = node(p, DP_EK_LABEL, p->x.start);
    DP_TRY(next(p));
    if (p->x.tok != DP_TOK_VAR) return fail(p, "a label");
    n->name = p->x.s;
    DP_TRY(next(p));
    DP_TRY(expect(p, "|"));
    DP_TRY(parse_pipe(p, &n->a));
    grow(n, n->a);
    return DP_OK;
}

static enum dp_status parse_try(struct parser *p, struct dp_enode **out) {
    struct dp_enode *n = *out = node(p, DP_EK_TRY, p->x.start);
    DP_TRY(next(p));
    DP_TRY(parse_postfix(p, &n->a));
    if (dp_lex_is_word(&p->x, "catch")) {
        DP_TRY(next(p));
        DP_TRY(parse_postfix(p, &n->b));
    }
    grow(n, n->a), grow(n, n->b);
    return DP_OK;
}

static enum dp_status parse_word(struct parser *p, struct dp_enode **out) {
    struct dp_str s = p->x.s;
    size_t at = p->x.start;
    if (dp_str_eqz(s, "if")) return parse_if(p, out);
    if (dp_str_eqz(s, "def")) return parse_def(p, out);
    if (dp_str_eqz(s, "reduce")) return parse_fold(p, DP_EK_REDUCE, out);
    if (dp_str_eqz(s, "foreach")) return parse_fold(p, DP_EK_FOREACH, out);
    if (dp_str_eqz(s, "label")) return parse_label(p, out);
    if (dp_str_eqz(s, "try")) return parse_try(p, out);
    if (dp_str_eqz(s, "import") || dp_str_eqz(s, "include") || dp_str_eqz(s, "module"))
        return dp_lex_fail(&p->x, p->err, at, "%.*s is refused: an expression may read its record only", (int)s.n, s.p);
    if (dp_lex_is_keyword(s)) return fail(p, "a value");
    if (dp_str_eqz(s, "break")) {
        struct dp_enode *n = *out = node(p, DP_EK_BREAK, at);
        DP_TRY(next(p));
        if (p->x.tok != DP_TOK_VAR) return fail(p, "a label");
        n->name = p->x.s;
        return next(p);
    }
    enum dp_kind kind = dp_str_eqz(s, "null")    ? DP_KIND_NULL
                        : dp_str_eqz(s, "true")  ? DP_KIND_TRUE
                        : dp_str_eqz(s, "false") ? DP_KIND_FALSE
                                                 : DP_KIND_NONE;
    if (kind == DP_KIND_NONE) return parse_call(p, out);
    *out = node(p, DP_EK_CONST, at);
    (*out)->val = dp_val_of(kind);
    return next(p);
}

/* A literal's text as JSON spells it: `.5` is 0.5, `5.` is 5, `007` is 7. */
static enum dp_status parse_number(struct parser *p, struct dp_enode **out) {
    struct dp_enode *n = *out = node(p, DP_EK_CONST, p->x.start);
    struct dp_expr_run run = {.e = p->e};
    if (!dp_num_from_text(&run, p->x.s, &n->val)) {
        dp_arena_release(&run.arena);
        return fail(p, "a number");
    }
    n->val.s = dp_arena_str(&p->e->arena, n->val.s);
    dp_arena_release(&run.arena);
    return next(p);
}

static enum dp_status parse_dot(struct parser *p, struct dp_enode **out) {
    size_t at = p->x.start;
    struct dp_enode *key;
    DP_TRY(next(p));
    if (p->x.tok == DP_TOK_QUOTE) {
        DP_TRY(parse_string(p, dp_str("", 0), &key));
        *out = field_of_dot(p, at, key);
        return DP_OK;
    }
    *out = node(p, DP_EK_IDENTITY, at);
    return DP_OK;
}

static enum dp_status parse_format(struct parser *p, struct dp_enode **out) {
    struct dp_str name = p->x.s;
    struct dp_enode *n = *out = node(p, DP_EK_FORMAT, p->x.start);
    n->name = name;
    DP_TRY(next(p));
    if (p->x.tok == DP_TOK_QUOTE) return parse_string(p, name, out);
    return DP_OK;
}

static enum dp_status parse_bracketed(struct parser *p, struct dp_enode **out) {
    bool array = dp_lex_is(&p->x, "[");
    struct dp_enode *n = array ? node(p, DP_EK_ARRAY, p->x.start) : NULL, *inner = NULL;
    DP_TRY(next(p));
    if (!array || !dp_lex_is(&p->x, "]")) DP_TRY(parse_pipe(p, &inner));
    DP_TRY(expect(p, array ? "]" : ")"));
    *out = inner;
    if (array) {
        *out = n;
        return link_up(p, n, inner, NULL);
    }
    return DP_OK;
}

static enum dp_status parse_term(struct parser *p, struct dp_enode **out) {
    size_t at = p->x.start;
    switch (p->x.tok) {
    case DP_TOK_FIELD:
        *out = field_of_dot(p, at, text_node(p, at, p->x.s));
        return next(p);
    case DP_TOK_IDENT: return parse_word(p, out);
    case DP_TOK_VAR:
        *out = node(p, DP_EK_VAR, at);
        (*out)->name = p->x.s;
        return next(p);
    case DP_TOK_FORMAT: return parse_format(p, out);
    case DP_TOK_NUMBER: return parse_number(p, out);
    case DP_TOK_QUOTE: return parse_string(p, dp_str("", 0), out);
    case DP_TOK_END:
    case DP_TOK_PUNCT: break;
    }
    if (dp_lex_is(&p->x, ".")) return parse_dot(p, out);
    if (dp_lex_is(&p->x, "..")) {
        *out = node(p, DP_EK_RECURSE, at);
        return next(p);
    }
    if (dp_lex_is(&p->x, "[") || dp_lex_is(&p->x, "(")) return parse_bracketed(p, out);
    if (dp_lex_is(&p->x, "{")) return parse_object(p, out);
    return fail(p, "a value");
}

/* `[e]`, `[e:e]`, `[]` behind a term; the bracket is the current token. */
static enum dp_status parse_suffix(struct parser *p, struct dp_enode *t, struct dp_enode **out) {
    size_t at = p->x.start;
    struct dp_enode *n, *from = NULL;
    DP_TRY(next(p));
    if (dp_lex_is(&p->x, "]")) {
        *out = n = node(p, DP_EK_ITERATE, at);
        DP_TRY(next(p));
        return link_up(p, n, t, NULL);
    }
    if (!dp_lex_is(&p->x, ":")) DP_TRY(parse_pipe(p, &from));
    if (!dp_lex_is(&p->x, ":")) {
        DP_TRY(expect(p, "]"));
        *out = n = node(p, DP_EK_INDEX, at);
        return link_up(p, n, t, from);
    }
    *out = n = node(p, DP_EK_SLICE, at);
    DP_TRY(next(p));
    if (!dp_lex_is(&p->x, "]")) DP_TRY(parse_pipe(p, &n->c));
    else if (!from) return fail(p, "a number");
    grow(n, n->c);
    DP_TRY(expect(p, "]"));
    return link_up(p, n, t, from);
}

/* The body of `TERM as $x | body`. */
static enum dp_status parse_as(struct parser *p, struct dp_enode *source, struct dp_enode **out) {
    struct dp_enode *n = node(p, DP_EK_AS, p->x.start), *body;
    DP_TRY(deeper(p));
    DP_TRY(next(p));
    DP_TRY(parse_patterns(p, n));
    DP_TRY(expect(p, "|"));
    DP_TRY(parse_pipe(p, &body));
    *out = n;
    p->depth--;
    return link_up(p, n, source, body);
}

static enum dp_status parse_suffixes(struct parser *p, struct dp_enode **out) {
    for (;;) {
        size_t at = p->x.start;
        struct dp_enode *key, *t = *out;
        if (p->x.tok == DP_TOK_FIELD) {
            key = text_node(p, at, p->x.s);
            DP_TRY(next(p));
        } else if (dp_lex_is(&p->x, "[")) {
            DP_TRY(parse_suffix(p, t, out));
            continue;
        } else if (dp_lex_is(&p->x, ".")) {
            DP_TRY(next(p));
            if (dp_lex_is(&p->x, "[")) continue;
            if (p->x.tok != DP_TOK_QUOTE) return fail(p, "a name");
            DP_TRY(parse_string(p, dp_str("", 0), &key));
        } else if (dp_lex_is(&p->x, "?")) {
            /* patterns take `?//` for themselves and never come here */
            bool step = t->kind == DP_EK_INDEX || t->kind == DP_EK_SLICE || t->kind == DP_EK_ITERATE;
            if (step && !t->opt && t->height && t->op != '(') {
                t->opt = true;
            } else {
                *out = node(p, DP_EK_TRY, at);
                DP_TRY(link_up(p, *out, t, NULL));
            }
            DP_TRY(next(p));
            continue;
        } else {
            return DP_OK;
        }
        *out = node(p, DP_EK_INDEX, at);
        DP_TRY(link_up(p, *out, t, key));
    }
}

/* A term with its suffixes. */
static enum dp_status parse_plain(struct parser *p, struct dp_enode **out) {
    DP_TRY(deeper(p));
    bool parens = dp_lex_is(&p->x, "(");
    DP_TRY(parse_term(p, out));
    if (parens && ((*out)->kind == DP_EK_INDEX || (*out)->kind == DP_EK_SLICE || (*out)->kind == DP_EK_ITERATE))
        (*out)->op = '('; /* `(.a.b)?` is a try, `.a.b?` is not */
    DP_TRY(parse_suffixes(p, out));
    p->depth--;
    return DP_OK;
}

static enum dp_status parse_postfix(struct parser *p, struct dp_enode **out) {
    DP_TRY(parse_plain(p, out));
    return dp_lex_is_word(&p->x, "as") ? parse_as(p, *out, out) : DP_OK;
}

/* ---- operators ---- */

enum { LEVEL_PIPE, LEVEL_COMMA, LEVEL_ALT, LEVEL_ASSIGN, LEVEL_OR, LEVEL_AND, LEVEL_CMP, LEVEL_ADD, LEVEL_MUL, LEVEL_UNARY };

struct binary {
    const char *text;
    uint8_t level, kind, op;
};

static const struct binary *binary_op(const struct parser *p) {
    static const struct binary ops[] = {
        {"|", LEVEL_PIPE, DP_EK_PIPE, 0},        {",", LEVEL_COMMA, DP_EK_COMMA, 0},      {"//", LEVEL_ALT, DP_EK_ALT, 0},
        {"=", LEVEL_ASSIGN, DP_EK_ASSIGN, '='},  {"|=", LEVEL_ASSIGN, DP_EK_ASSIGN, '|'}, {"+=", LEVEL_ASSIGN, DP_EK_ASSIGN, '+'},
        {"-=", LEVEL_ASSIGN, DP_EK_ASSIGN, '-'}, {"*=", LEVEL_ASSIGN, DP_EK_ASSIGN, '*'}, {"/=", LEVEL_ASSIGN, DP_EK_ASSIGN, '/'},
        {"%=", LEVEL_ASSIGN, DP_EK_ASSIGN, '%'}, {"//=", LEVEL_ASSIGN, DP_EK_ASSIGN, 'd'}, {"==", LEVEL_CMP, DP_EK_CMP, DP_CMP_EQ},
        {"!=", LEVEL_CMP, DP_EK_CMP, DP_CMP_NE}, {"<", LEVEL_CMP, DP_EK_CMP, DP_CMP_LT},  {"<=", LEVEL_CMP, DP_EK_CMP, DP_CMP_LE},
        {">", LEVEL_CMP, DP_EK_CMP, DP_CMP_GT},  {">=", LEVEL_CMP, DP_EK_CMP, DP_CMP_GE}, {"+", LEVEL_ADD, DP_EK_ARITH, '+'},
        {"-", LEVEL_ADD, DP_EK_ARITH, '-'},      {"*", LEVEL_MUL, DP_EK_ARITH, '*'},      {"/", LEVEL_MUL, DP_EK_ARITH, '/'},
        {"%", LEVEL_MUL, DP_EK_ARITH, '%'},
    };
    static const struct binary word_or = {"or", LEVEL_OR, DP_EK_OR, 0}, word_and = {"and", LEVEL_AND, DP_EK_AND, 0};
    if (dp_lex_is_word(&p->x, "or")) return &word_or;
    if (dp_lex_is_word(&p->x, "and")) return &word_and;
    for (size_t i = 0; p->x.tok == DP_TOK_PUNCT && i < sizeof ops / sizeof ops[0]; i++)
        if (dp_str_eqz(p->x.s, ops[i].text)) return &ops[i];
    return NULL;
}

static enum dp_status parse_unary(struct parser *p, struct dp_enode **out) {
    if (!dp_lex_is(&p->x, "-")) return parse_postfix(p, out);
    struct dp_enode *n = node(p, DP_EK_NEG, p->x.start), *operand;
    DP_TRY(deeper(p));
    DP_TRY(next(p));
    DP_TRY(parse_binary(p, LEVEL_MUL, &operand)); /* the sign binds as loosely as a binary minus */
    DP_TRY(link_up(p, n, operand, NULL));
    p->depth--;
    *out = n;
    return DP_OK;
}

/* Everything whose operators bind at least as tightly as `min`. */
static enum dp_status parse_binary(struct parser *p, int min, struct dp_enode **out) {
    DP_TRY(parse_unary(p, out));
    int ceiling = LEVEL_UNARY; /* an operator that does not associate may not be followed by one of its level */
    const struct binary *op;
    while ((op = binary_op(p)) != NULL && op->level >= min) {
        struct dp_enode *n, *rhs;
        if (op->level == ceiling) return fail(p, "parentheses");
        n = node(p, (enum dp_ek)op->kind, p->x.start);
        n->op = op->op;
        DP_TRY(next(p));
        bool right = op->level == LEVEL_PIPE || op->level == LEVEL_ALT;
        if (++p->chain > HEIGHT_MAX) return dp_lex_fail(&p->x, p->err, p->x.start, "nested deeper than %u", HEIGHT_MAX);
        DP_TRY(parse_binary(p, right ? op->level : op->level + 1, &rhs));
        p->chain--;
        DP_TRY(link_up(p, n, *out, rhs));
        *out = n;
        ceiling = op->level == LEVEL_ASSIGN || op->level == LEVEL_CMP ? op->level : LEVEL_UNARY;
    }
    return DP_OK;
}

/* Its depth is counted where it is entered: in terms, patterns and `as`. */
static enum dp_status parse_pipe(struct parser *p, struct dp_enode **out) { return parse_binary(p, LEVEL_PIPE, out); }

enum dp_status dp_expr_parse(struct dp_expr *e, struct dp_err *err) {
    struct parser p = {.x = {.text = e->text}, .e = e, .err = err};
    size_t bad;
    if (e->text.n > DP_LIMIT_EXPR_BYTES) return dp_err_set(err, DP_USAGE, "expression: longer than %u bytes", DP_LIMIT_EXPR_BYTES);
    if (!dp_utf8_valid(e->text.p, e->text.n, &bad)) return dp_lex_fail(&p.x, err, bad, "not UTF-8");
    DP_TRY(next(&p));
    if (p.x.tok == DP_TOK_END) return dp_err_set(err, DP_USAGE, "expression: it is empty (`.` is the record itself)");
    DP_TRY(parse_pipe(&p, &e->root));
    if (p.x.tok != DP_TOK_END) return fail(&p, "an operator");
    return DP_OK;
}
