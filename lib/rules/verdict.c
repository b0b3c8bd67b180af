/*
 * The verdict's rows: added, counted, judged (dp/rules/verdict.h; operators as ODCS 3.1 names them).
 *
 * Thresholds are compared exactly: a count as an integer of any length, a percentage as the decimal expansion of 100 * count / rows, carried on to
 * one digit more than the threshold has and marked where something is left over.  No floating point.
 */
#include "verdict_priv.h"

#include <dp/base/decimal.h>

#include <stdlib.h>

struct dp_verdict_rule *dp_verdict_add(struct dp_verdict *v) {
    if (v->n == v->cap) v->rules = dp_grow(v->rules, &v->cap, v->n + 1, sizeof *v->rules);
    struct dp_verdict_rule *r = &v->rules[v->n++];
    *r = (struct dp_verdict_rule){0};
    return r;
}

/* Copies as much as fits, never half a UTF-8 sequence, with three points where something was cut. */
static void keep(char *to, size_t cap, struct dp_str s) {
    size_t n = s.n, points = 0;
    if (n >= cap) {
        n = cap - 4, points = 3;
        while (n && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    }
    if (n) memcpy(to, s.p, n);
    memcpy(to + n, "...", points);
    to[n + points] = 0;
}

void dp_verdict_sample(struct dp_verdict_rule *r, const char *source, uint64_t line, struct dp_str value) {
    if (r->n_samples == DP_VERDICT_SAMPLES) return;
    struct dp_verdict_sample *s = &r->samples[r->n_samples++];
    keep(s->source, sizeof s->source, dp_str_z(source ? source : ""));
    s->line = line;
    keep(s->value, sizeof s->value, value);
}

bool dp_verdict_number(struct dp_str s, struct dp_buf *out) {
    size_t start = out->n;
    struct dp_str t = s;
    if (t.n && (*t.p == '+' || *t.p == '-')) {
        if (*t.p == '-') dp_buf_addc(out, '-');
        t.p++, t.n--;
    }
    size_t whole = 0;
    while (whole < t.n && t.p[whole] >= '0' && t.p[whole] <= '9') whole++;
    size_t zeros = 0; /* leading ones, which JSON does not have */
    while (zeros + 1 < whole && t.p[zeros] == '0') zeros++;
    size_t i = whole;
    if (whole) dp_buf_add(out, t.p + zeros, whole - zeros);
    else dp_buf_addc(out, '0');
    if (i < t.n && t.p[i] == '.') {
        size_t from = ++i;
        while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9') i++;
        if (i > from) dp_buf_addc(out, '.'), dp_buf_add(out, t.p + from, i - from);
        else if (!whole) goto no;
    } else if (!whole) {
        goto no;
    }
    if (i < t.n && (t.p[i] | 32) == 'e') {
        size_t from = i++;
        if (i < t.n && (t.p[i] == '+' || t.p[i] == '-')) i++;
        size_t digits = i;
        while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9') i++;
        if (i == digits) goto no;
        dp_buf_add(out, t.p + from, i - from);
    }
    if (i == t.n) return true;
no:
    out->n = start;
    return false;
}

/* 100 * count / rows with `digits` behind the point, cut; a further 1 where something is left. */
static void expand(uint64_t count, uint64_t rows, size_t digits, struct dp_buf *out) {
    dp_u128 whole = rows ? (dp_u128)count * 100 / rows : 0;
    dp_u128 rest = rows ? (dp_u128)count * 100 % rows : 0;
    char text[48];
    dp_buf_add(out, text, dp_decimal_print(text, (dp_i128)whole, 0));
    dp_buf_addc(out, '.');
    for (size_t i = 0; i < digits; i++) {
        rest *= 10;
        dp_buf_addc(out, (char)('0' + (int)(rest / rows)));
        rest %= rows;
    }
    dp_buf_addc(out, rest ? '1' : '0');
}

/* Digits behind the point of a number as spelled: more than enough, bounded. */
static size_t digits_of(struct dp_str number) {
    const char *e = memchr(number.p, 'e', number.n);
    if (!e) e = memchr(number.p, 'E', number.n);
    int64_t exponent = 0;
    if (e) {
        struct dp_str t = {e + 1, number.n - (size_t)(e + 1 - number.p)};
        if (!dp_parse_i64(t, &exponent)) exponent = *t.p == '-' ? -4096 : 0;
    }
    if (exponent < -4096) exponent = -4096;
    return number.n + (exponent < 0 ? (size_t)-exponent : 0);
}

/* The measured value against a threshold: -1, 0, 1. */
static int against(const struct dp_verdict_rule *r, struct dp_str threshold, struct dp_buf *scratch) {
    dp_buf_reset(scratch);
    if (r->is_percent && r->rows) expand(r->count, r->rows, digits_of(threshold), scratch);
    else if (r->is_percent) dp_buf_addc(scratch, '0');
    else {
        char text[20];
        dp_buf_add(scratch, text, dp_print_u64(text, r->count));
    }
    return dp_number_cmp(dp_buf_str(scratch), threshold);
}

static bool is_between(int a, int b, bool open) { return open ? a > 0 && b < 0 : a >= 0 && b <= 0; }

static bool holds(const struct dp_verdict_rule *r, int a, int b) {
    switch (r->op) {
    case DP_OPERATOR_NONE: return r->count == 0;
    case DP_OPERATOR_BE: return a == 0;
    case DP_OPERATOR_NOT_BE: return a != 0;
    case DP_OPERATOR_GREATER: return a > 0;
    case DP_OPERATOR_GREATER_EQUAL: return a >= 0;
    case DP_OPERATOR_LESS: return a < 0;
    case DP_OPERATOR_LESS_EQUAL: return a <= 0;
    case DP_OPERATOR_BETWEEN: return is_between(a, b, r->between_open);
    case DP_OPERATOR_NOT_BETWEEN: return !is_between(a, b, r->between_open);
    }
    return false;
}

bool dp_verdict_two_operands(enum dp_operator op) { return op == DP_OPERATOR_BETWEEN || op == DP_OPERATOR_NOT_BETWEEN; }

static void judge(struct dp_verdict *v, struct dp_verdict_rule *r) {
    struct dp_buf a = {0}, b = {0}, scratch = {0};
    bool two = dp_verdict_two_operands(r->op);
    if (r->op == DP_OPERATOR_NONE) {
        r->outcome = r->count ? DP_OUTCOME_FAIL : DP_OUTCOME_PASS;
    } else if (!dp_verdict_number(r->a, &a) || (two && !dp_verdict_number(r->b, &b))) {
        struct dp_str wrong = a.n ? r->b : r->a;
        r->outcome = DP_OUTCOME_ERROR;
        r->reason = dp_arena_printf(&v->arena, "a count can't be compared with \"%.*s\": the threshold must be a number", DP_STR_FMT(wrong));
    } else {
        int x = against(r, dp_buf_str(&a), &scratch);
        int y = two ? against(r, dp_buf_str(&b), &scratch) : 0;
        r->outcome = holds(r, x, y) ? DP_OUTCOME_PASS : DP_OUTCOME_FAIL;
    }
    dp_buf_release(&a);
    dp_buf_release(&b);
    dp_buf_release(&scratch);
}

void dp_verdict_judge_rule(struct dp_verdict *v, size_t rule) { judge(v, &v->rules[rule]); }

void dp_verdict_judge(struct dp_verdict *v) {
    for (size_t i = 0; i < v->n; i++)
        if (v->rules[i].outcome == DP_OUTCOME_NONE) judge(v, &v->rules[i]);
}

enum dp_status dp_verdict_threshold(enum dp_operator op, struct dp_str a, struct dp_str b, struct dp_err *err) {
    enum dp_status status = DP_OK;
    struct dp_buf x = {0}, y = {0};
    if (op == DP_OPERATOR_NONE) goto out;
    const struct dp_str *wrong = !dp_verdict_number(a, &x) ? &a : dp_verdict_two_operands(op) && !dp_verdict_number(b, &y) ? &b : NULL;
    if (wrong) status = dp_err_set(err, DP_USAGE, "\"%.*s\" is not a number, and what is counted is one", DP_STR_FMT(*wrong));
    else if (y.n && dp_number_cmp(dp_buf_str(&x), dp_buf_str(&y)) >= 0)
        status = dp_err_set(err, DP_USAGE, "[%.*s, %.*s]: the first number must be the smaller one", DP_STR_FMT(a), DP_STR_FMT(b));
out:
    dp_buf_release(&x);
    dp_buf_release(&y);
    return status;
}

struct dp_verdict_counts dp_verdict_count(const struct dp_verdict *v) {
    struct dp_verdict_counts c = {0};
    for (size_t i = 0; i < v->n; i++) {
        switch (v->rules[i].outcome) {
        case DP_OUTCOME_NONE: break;
        case DP_OUTCOME_PASS: c.pass++; break;
        case DP_OUTCOME_FAIL: *(v->rules[i].severity == DP_SEVERITY_ERROR ? &c.fail : &c.warn) += 1; break;
        case DP_OUTCOME_ERROR: c.error++; break;
        case DP_OUTCOME_UNSUPPORTED: c.unsupported++; break;
        }
    }
    return c;
}

void dp_verdict_release(struct dp_verdict *v) {
    free(v->rules);
    dp_arena_release(&v->arena);
    *v = (struct dp_verdict){0};
}

/* ---- words that the printers share ---- */

void dp_verdict_percent(uint64_t count, uint64_t rows, struct dp_buf *out) {
    if (!rows || !count) {
        dp_buf_addc(out, '0');
        return;
    }
    /* Six digits behind the point, more for what would vanish; cut, so that 100 means all. */
    size_t start = out->n, digits = 6;
    for (;; digits++) {
        out->n = start;
        expand(count, rows, digits, out);
        out->n--; /* the digit that tells of a rest */
        bool seen = false;
        for (size_t i = start; i < out->n; i++) seen |= out->p[i] >= '1' && out->p[i] <= '9';
        if (seen) break;
    }
    while (out->p[out->n - 1] == '0') out->n--;
    if (out->p[out->n - 1] == '.') out->n--;
}

static void operand(struct dp_str s, struct dp_buf *out) {
    if (!dp_verdict_number(s, out)) dp_buf_adds(out, s);
}

void dp_verdict_allowed(const struct dp_verdict_rule *r, struct dp_buf *out) {
    static const char *const words[] = {[DP_OPERATOR_NONE] = "none", [DP_OPERATOR_BE] = "exactly ", [DP_OPERATOR_NOT_BE] = "anything but ",
                                        [DP_OPERATOR_GREATER] = "more than ", [DP_OPERATOR_GREATER_EQUAL] = "at least ",
                                        [DP_OPERATOR_LESS] = "less than ", [DP_OPERATOR_LESS_EQUAL] = "at most ",
                                        [DP_OPERATOR_BETWEEN] = "between ", [DP_OPERATOR_NOT_BETWEEN] = "not between "};
    dp_buf_addz(out, words[r->op]);
    if (r->op == DP_OPERATOR_NONE) return;
    operand(r->a, out);
    if (dp_verdict_two_operands(r->op)) {
        dp_buf_addz(out, " and ");
        operand(r->b, out);
    }
    if (r->is_percent) dp_buf_addz(out, " %");
    if (dp_verdict_two_operands(r->op) && r->between_open) dp_buf_addz(out, " (both excluded)");
}

static bool is_check(const struct dp_verdict_rule *r, const char *name) { return r->check && !strcmp(r->check, name); }

static void plural(uint64_t n, const char *word, struct dp_buf *out) {
    char text[20];
    dp_buf_add(out, text, dp_print_u64(text, n));
    dp_buf_addf(out, " %s%s", word, n == 1 ? "" : "s");
}

void dp_verdict_found(const struct dp_verdict_rule *r, struct dp_buf *out) {
    char text[20];
    if (r->outcome == DP_OUTCOME_ERROR || r->outcome == DP_OUTCOME_UNSUPPORTED) {
        dp_buf_addz(out, r->reason ? r->reason : "no reason was given");
        return;
    }
    if (is_check(r, "rowCount")) {
        plural(r->count, "row", out);
    } else if (is_check(r, "duplicateValues") || is_check(r, "unique") || is_check(r, "primaryKey")) {
        plural(r->count, "key", out);
        dp_buf_addz(out, " more than once, ");
        plural(r->surplus, "row", out);
        dp_buf_addz(out, " too many of ");
        dp_buf_add(out, text, dp_print_u64(text, r->rows));
    } else if (r->reason) {
        dp_buf_addz(out, r->reason);
        return;
    } else {
        dp_buf_add(out, text, dp_print_u64(text, r->count));
        dp_buf_addz(out, " of ");
        plural(r->rows, "row", out);
    }
    if (!is_check(r, "rowCount") && (r->count || r->is_percent)) {
        dp_buf_addz(out, " (");
        dp_verdict_percent(r->count, r->rows, out);
        dp_buf_addz(out, " %)");
    }
    if (r->reason) dp_buf_addf(out, ", %s", r->reason);
}

const char *dp_verdict_word(const struct dp_verdict_rule *r) {
    switch (r->outcome) {
    case DP_OUTCOME_NONE: return "none";
    case DP_OUTCOME_PASS: return "pass";
    case DP_OUTCOME_FAIL: return r->severity == DP_SEVERITY_ERROR ? "fail" : r->severity == DP_SEVERITY_WARNING ? "warning" : "info";
    case DP_OUTCOME_ERROR: return "error";
    case DP_OUTCOME_UNSUPPORTED: return "unsupported";
    }
    return "none";
}

const char *dp_verdict_overall(const struct dp_verdict *v) {
    struct dp_verdict_counts c = dp_verdict_count(v);
    return c.fail ? "fail" : c.error ? "error" : "pass";
}

/* Failed, failed with less severity, not decided, passed. */
static int rank(const struct dp_verdict_rule *r) {
    switch (r->outcome) {
    case DP_OUTCOME_FAIL: return r->severity == DP_SEVERITY_ERROR ? 0 : r->severity == DP_SEVERITY_WARNING ? 2 : 3;
    case DP_OUTCOME_ERROR: return 1;
    case DP_OUTCOME_UNSUPPORTED: return 4;
    case DP_OUTCOME_PASS:
    case DP_OUTCOME_NONE: return 5;
    }
    return 5;
}

size_t *dp_verdict_order(const struct dp_verdict *v) {
    size_t *order = dp_alloc((v->n + 1) * sizeof *order), n = 0;
    for (int k = 0; k <= 5; k++)
        for (size_t i = 0; i < v->n; i++)
            if (rank(&v->rules[i]) == k) order[n++] = i;
    return order;
}

void dp_verdict_field(const struct dp_verdict *v, const struct dp_verdict_rule *r, struct dp_buf *out) {
    const char *object = r->object ? r->object : v->object ? v->object : "";
    dp_buf_addz(out, object);
    if (!r->property) return;
    if (*object) dp_buf_addc(out, '.');
    dp_buf_addz(out, r->property);
}
