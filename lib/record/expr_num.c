/*
 * Arithmetic on numbers as they are spelled.  Sums, differences and products are exact while they have at most 38 digits;
 * a quotient is exact when it ends within 17 places; else the result is the double's.  A result beyond the range of a double
 * is an error.  Results are spelled without exponent and without zeros at the end when exact, else as the shortest text of the double.
 */
#include "expr_priv.h"

#include <dp/base/decimal.h>
#include <math.h>

enum dp_status dp_num_from_double(struct dp_expr_run *run, double d, struct dp_val *out) {
    char text[32];
    if (!isfinite(d)) return dp_eval_fail(run, "a number is out of range");
    if (d == floor(d) && fabs(d) < 1e17) {
        *out = dp_val_i64(run, (int64_t)d);
        return DP_OK;
    }
    size_t n = dp_print_double(text, d);
    *out = (struct dp_val){.kind = DP_KIND_NUMBER, .s = dp_arena_str(&run->arena, dp_str(text, n))};
    return DP_OK;
}

static enum dp_status from_decimal(struct dp_expr_run *run, struct dp_decimal d, struct dp_val *out) {
    char text[48];
    size_t n = dp_decimal_print(text, d.unscaled, d.scale);
    if (d.scale > 0) {
        while (n && text[n - 1] == '0') n--;
        if (n && text[n - 1] == '.') n--;
    }
    if (n == 2 && text[0] == '-' && text[1] == '0') text[0] = '0', n = 1;
    bool whole = !memchr(text, '.', n);
    *out = (struct dp_val){.kind = DP_KIND_NUMBER, .flags = whole ? DP_NODE_INTEGER : 0,
                           .s = dp_arena_str(&run->arena, dp_str(text, n))};
    return DP_OK;
}

static bool fits_38(dp_i128 v) {
    dp_u128 max = 1, u = v < 0 ? -(dp_u128)v : (dp_u128)v;
    for (int i = 0; i < DP_DECIMAL_MAX_PRECISION; i++) max *= 10;
    return u < max;
}

static bool mul_exact(struct dp_decimal a, struct dp_decimal b, struct dp_decimal *out) {
    if (__builtin_mul_overflow(a.unscaled, b.unscaled, &out->unscaled)) return false;
    out->scale = a.scale + b.scale;
    while (out->scale > 0 && out->unscaled % 10 == 0) out->unscaled /= 10, out->scale--;
    return out->scale <= DP_DECIMAL_MAX_PRECISION && fits_38(out->unscaled);
}

/* The quotient, when it ends within 17 places. */
static bool div_exact(struct dp_decimal a, struct dp_decimal b, struct dp_decimal *out) {
    dp_i128 num = a.unscaled, den = b.unscaled;
    int scale = a.scale - b.scale;
    while (scale < 0 || num % den != 0) {
        if (scale >= 17 && num % den != 0) return false;
        if (__builtin_mul_overflow(num, (dp_i128)10, &num)) return false;
        scale++;
    }
    num /= den;
    while (scale > 0 && num % 10 == 0) num /= 10, scale--;
    out->unscaled = num, out->scale = scale;
    return scale <= 17 && fits_38(num);
}

/* The whole part; false when it does not fit. */
static bool truncated(struct dp_str s, dp_i128 *out) {
    struct dp_decimal d;
    if (!dp_decimal_parse(s, &d)) return false;
    while (d.scale > 0) d.unscaled /= 10, d.scale--;
    *out = d.unscaled;
    return true;
}

static enum dp_status modulo(struct dp_expr_run *run, const struct dp_val *a, const struct dp_val *b, struct dp_val *out) {
    dp_i128 x, y;
    if (!truncated(a->s, &x) || !truncated(b->s, &y)) return dp_eval_fail(run, "a number is out of range for %%");
    if (y == 0) return dp_eval_fail(run, "a division by zero");
    return from_decimal(run, (struct dp_decimal){.unscaled = x % y}, out);
}

static enum dp_status inexact(struct dp_expr_run *run, char op, const struct dp_val *a, const struct dp_val *b, struct dp_val *out) {
    double x, y, d = NAN;
    if (!dp_parse_double(a->s, &x) || !dp_parse_double(b->s, &y) || !isfinite(x) || !isfinite(y))
        return dp_eval_fail(run, "a number is out of range");
    if (op == '+') d = x + y;
    else if (op == '-') d = x - y;
    else if (op == '*') d = x * y;
    else if (op == '/') d = x / y;
    return dp_num_from_double(run, d, out);
}

static bool is_zero(struct dp_str s) {
    for (size_t i = 0; i < s.n && (s.p[i] | 0x20) != 'e'; i++)
        if (s.p[i] >= '1' && s.p[i] <= '9') return false;
    return true;
}

enum dp_status dp_num_arith(struct dp_expr_run *run, char op, const struct dp_val *a, const struct dp_val *b, struct dp_val *out) {
    int64_t i, j, k;
    struct dp_decimal x, y, z;
    if (op == '%') return modulo(run, a, b, out);
    if (op == '/' && is_zero(b->s)) return dp_eval_fail(run, "a division by zero");
    if ((a->flags & b->flags & DP_NODE_INTEGER) && op != '/' && dp_parse_i64(a->s, &i) && dp_parse_i64(b->s, &j)) {
        bool overflow = op == '+' ? dp_add_overflow(i, j, &k) : op == '-' ? dp_sub_overflow(i, j, &k) : dp_mul_overflow(i, j, &k);
        if (!overflow) {
            *out = dp_val_i64(run, k);
            return DP_OK;
        }
    }
    if (!dp_decimal_parse(a->s, &x) || !dp_decimal_parse(b->s, &y)) return inexact(run, op, a, b, out);
    if (op == '-') y.unscaled = -y.unscaled;
    bool ok = op == '*' ? mul_exact(x, y, &z) : op == '/' ? div_exact(x, y, &z) : dp_decimal_add(x, y, &z);
    return ok ? from_decimal(run, z, out) : inexact(run, op, a, b, out);
}

enum dp_status dp_num_negate(struct dp_expr_run *run, const struct dp_val *a, struct dp_val *out) {
    *out = *a;
    if (a->s.p[0] == '-') {
        out->s.p++, out->s.n--;
    } else if (!is_zero(a->s)) {
        char *text = dp_arena_alloc(&run->arena, a->s.n + 1);
        text[0] = '-';
        memcpy(text + 1, a->s.p, a->s.n);
        out->s = dp_str(text, a->s.n + 1);
    }
    return DP_OK;
}

enum dp_status dp_num_round(struct dp_expr_run *run, int how, const struct dp_val *a, struct dp_val *out) {
    struct dp_decimal d;
    double v;
    *out = *a;
    if (a->flags & DP_NODE_INTEGER) return DP_OK;
    if (!dp_decimal_parse(a->s, &d)) {
        if (!dp_parse_double(a->s, &v)) return dp_eval_fail(run, "a number is out of range");
        return dp_num_from_double(run, how < 0 ? floor(v) : how > 0 ? ceil(v) : round(v), out);
    }
    dp_i128 unit = 1, rest;
    for (int i = 0; i < d.scale; i++) unit *= 10;
    rest = d.unscaled % unit;
    d.unscaled /= unit, d.scale = 0;
    dp_i128 twice = rest < 0 ? -rest : rest; /* compared with the half without overflow */
    bool half = twice >= unit - twice;
    if (how < 0 && rest < 0) d.unscaled--;
    if (how > 0 && rest > 0) d.unscaled++;
    if (how == 0 && rest != 0 && half) d.unscaled += rest < 0 ? -1 : 1;
    return from_decimal(run, d, out);
}

bool dp_num_index(const struct dp_val *v, int64_t *out) {
    struct dp_decimal d;
    dp_i128 whole;
    if (v->flags & DP_NODE_INTEGER) return dp_parse_i64(v->s, out);
    if (!dp_decimal_parse(v->s, &d) || !dp_decimal_rescale(d, DP_DECIMAL_MAX_PRECISION, 0, &whole)) return false;
    if (whole > INT64_MAX || whole < INT64_MIN) return false;
    *out = (int64_t)whole;
    return true;
}

bool dp_num_place(const struct dp_val *v, int64_t *out) {
    double d;
    if (dp_num_index(v, out)) return true;
    if (!dp_parse_double(v->s, &d) || !(fabs(d) < 9e15)) return false;
    *out = (int64_t)d;
    return true;
}

bool dp_num_from_text(struct dp_expr_run *run, struct dp_str s, struct dp_val *out) {
    size_t i = 0, whole, places = 0, whole_at;
    bool minus = false, point = false, exponent = false;
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) minus = s.p[i++] == '-';
    whole_at = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
    whole = i - whole_at;
    if (i < s.n && s.p[i] == '.') {
        point = true;
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) places++;
    }
    if (!whole && !places) return false;
    size_t mantissa_end = i;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        exponent = true;
        i++;
        if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) i++;
        size_t from = i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
        if (i == from) return false;
    }
    if (i != s.n) return false;
    bool zeros = whole > 1 && s.p[whole_at] == '0';
    *out = (struct dp_val){.kind = DP_KIND_NUMBER, .flags = point || exponent ? 0 : DP_NODE_INTEGER, .s = s};
    if (whole && !zeros && (!point || places) && (s.p[0] == '-') == minus && s.p[0] != '+') return true;
    char *text = dp_arena_alloc(&run->arena, s.n + 2);
    size_t n = 0, at = whole_at;
    if (minus) text[n++] = '-';
    while (at + 1 < whole_at + whole && s.p[at] == '0') at++;
    if (!whole) text[n++] = '0';
    memcpy(text + n, s.p + at, mantissa_end - at);
    n += mantissa_end - at;
    if (point && !places) n--;
    memcpy(text + n, s.p + mantissa_end, s.n - mantissa_end);
    n += s.n - mantissa_end;
    out->s = dp_str(text, n);
    if (!exponent && !places) out->flags = DP_NODE_INTEGER;
    return true;
}
