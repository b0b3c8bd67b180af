/* Patterns of contracts: compiled by PCRE2 with JIT from the translation of pattern_ecma.c; plain ones are answered by pattern_plain.c. */
#include <dp/rules/pattern.h>

#include "pattern_priv.h"

#include <dp/base/limits.h>
#include <dp/base/mem.h>
#include <dp/record/json.h>
#include <stdlib.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct dp_pattern {
    pcre2_code *code;
    struct dp_plain *plain; /* NULL: PCRE2 answers */
};

struct dp_pattern_run {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

enum dp_status dp_pattern_compile(struct dp_str text, struct dp_pattern **out, struct dp_err *err) {
    struct dp_buf source = {0};
    int code = 0;
    PCRE2_SIZE at = 0;
    *out = NULL;
    if (text.n > DP_LIMIT_EXPR_BYTES) return dp_err_set(err, DP_USAGE, "a pattern of %zu bytes, the limit is %u", text.n, DP_LIMIT_EXPR_BYTES);
    if (!dp_utf8_valid(text.p, text.n, NULL)) return dp_err_set(err, DP_USAGE, "not a pattern: invalid UTF-8");
    enum dp_status status = dp_pattern_translate(text, &source, err);
    if (status == DP_OK) {
        uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF;
        pcre2_code *re = pcre2_compile((PCRE2_SPTR)dp_buf_z(&source), source.n, options, &code, &at, NULL);
        if (re) {
            (void)pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* without it the interpreter is used */
            *out = dp_calloc(1, sizeof **out);
            (*out)->code = re;
            (*out)->plain = dp_plain_compile(text);
        } else {
            PCRE2_UCHAR why[160];
            pcre2_get_error_message(code, why, sizeof why);
            status = dp_err_set(err, DP_USAGE, "not a pattern: %s", (const char *)why);
        }
    }
    dp_buf_release(&source);
    return status;
}

void dp_pattern_free(struct dp_pattern *p) {
    if (!p) return;
    pcre2_code_free(p->code);
    dp_plain_free(p->plain);
    free(p);
}

struct dp_pattern_run *dp_pattern_run_open(void) { return dp_calloc(1, sizeof(struct dp_pattern_run)); }

/* A short text needs few steps; so a pattern that explodes on every record costs half a millisecond for each of 40 bytes, not eight. */
static uint32_t match_limit(size_t n) {
    size_t limit = n < DP_LIMIT_PCRE_MATCH ? (n + 16) * DP_LIMIT_PCRE_MATCH_BYTE : DP_LIMIT_PCRE_MATCH;
    return limit < DP_LIMIT_PCRE_MATCH ? (uint32_t)limit : DP_LIMIT_PCRE_MATCH;
}

/* Made when PCRE2 is first needed by this thread. */
static bool prepare(struct dp_pattern_run *r) {
    if (r->data) return true;
    r->data = pcre2_match_data_create(1, NULL);
    r->context = pcre2_match_context_create(NULL);
    r->stack = pcre2_jit_stack_create(32 * 1024, 1024 * 1024, NULL);
    if (!r->data || !r->context) return false;
    if (r->stack) pcre2_jit_stack_assign(r->context, NULL, r->stack);
    return true;
}

void dp_pattern_run_close(struct dp_pattern_run *r) {
    if (!r) return;
    pcre2_match_data_free(r->data);
    pcre2_match_context_free(r->context);
    pcre2_jit_stack_free(r->stack);
    free(r);
}

enum dp_status dp_pattern_match(const struct dp_pattern *p, struct dp_pattern_run *r, struct dp_str text, bool *matches, struct dp_err *err) {
    if (p->plain) {
        *matches = dp_plain_match(p->plain, text);
        return DP_OK;
    }
    *matches = false;
    if (!prepare(r)) return dp_err_set(err, DP_LIMIT, "no memory for the match of a pattern");
    pcre2_set_match_limit(r->context, match_limit(text.n));
    int rc = pcre2_match(p->code, (PCRE2_SPTR)(text.n ? text.p : ""), text.n, 0, PCRE2_NO_UTF_CHECK, r->data, r->context);
    if (rc == PCRE2_ERROR_NOMATCH) return DP_OK;
    *matches = rc >= 0;
    return rc >= 0 ? DP_OK : dp_err_set(err, DP_LIMIT, "the pattern takes too long on this text (match limit %u)", match_limit(text.n));
}
