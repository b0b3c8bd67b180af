/* The tokens of jq's grammar, for expr_lex.c and expr_parse.c. */
#ifndef DP_RECORD_EXPR_LEX_H
#define DP_RECORD_EXPR_LEX_H

#include "expr_priv.h"

enum dp_tok {
    DP_TOK_END, DP_TOK_FIELD, DP_TOK_IDENT, DP_TOK_VAR, DP_TOK_FORMAT, DP_TOK_NUMBER, DP_TOK_QUOTE,
    DP_TOK_PUNCT /* text is the operator */
};

struct dp_lexer {
    struct dp_str text;
    size_t pos; /* behind the token */
    enum dp_tok tok;
    struct dp_str s; /* FIELD, VAR, FORMAT: without its first byte; others: as written */
    size_t start;    /* where the token starts */
};

/* Goes to the next token.  DP_USAGE on a byte that starts none. */
enum dp_status dp_lex_next(struct dp_lexer *x, struct dp_err *err) DP_MUST_CHECK;
static inline bool dp_lex_is(const struct dp_lexer *x, const char *punct) {
    return x->tok == DP_TOK_PUNCT && dp_str_eqz(x->s, punct);
}
static inline bool dp_lex_is_word(const struct dp_lexer *x, const char *word) {
    return x->tok == DP_TOK_IDENT && dp_str_eqz(x->s, word);
}
bool dp_lex_is_keyword(struct dp_str s);
/*
 * Reads string text from x->pos up to a quote or `\(`, decoded behind b.  *interpolation tells which; pos is behind it.
 */
enum dp_status dp_lex_string(struct dp_lexer *x, struct dp_buf *b, bool *interpolation, struct dp_err *err) DP_MUST_CHECK;
enum dp_status dp_lex_fail(const struct dp_lexer *x, struct dp_err *err, size_t at, const char *fmt, ...) DP_PRINTF(4, 5);

#endif
