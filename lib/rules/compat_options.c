/*
 * Which of two properties holds more values: bounds, lengths, patterns, formats, enum.  A reader must hold all that a writer may write; where
 * that can't be told (two patterns) the answer is no.
 */
#include "compat_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/map.h>

bool compat_same(const struct dp_yaml_node *a, const struct dp_yaml_node *b) {
    if (!a || !b || a == b) return a == b;
    if (a->kind != b->kind) return false;
    if (a->kind != DP_YAML_LIST && a->kind != DP_YAML_MAP) return dp_str_eq(a->text, b->text);
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->kind == DP_YAML_LIST && !compat_same(a->items[i], b->items[i])) return false;
        if (a->kind == DP_YAML_MAP && !compat_same(a->items[2 * i + 1], dp_yaml_get(b, a->items[2 * i]->text.p))) return false;
    }
    return true;
}

/* ---- bounds ---- */

/* One end of a range: absent where text is none. */
struct bound {
    const struct dp_yaml_node *value;
    bool exclusive;
    const char *key;
};

static bool is_number(const struct dp_yaml_node *n) {
    return n && (n->kind == DP_YAML_INT || n->kind == DP_YAML_FLOAT);
}

/* JSON numbers and YAML's differ a little (+1, .5, 0x10, .inf): those are compared as doubles. */
static int number_cmp(struct dp_str a, struct dp_str b) {
    struct dp_decimal x, y;
    double u, v;
    if (dp_decimal_parse(a, &x) && dp_decimal_parse(b, &y)) return dp_number_cmp(a, b);
    if (!dp_parse_double(a, &u) || !dp_parse_double(b, &v)) return dp_str_cmp(a, b);
    return u < v ? -1 : u > v;
}

static int value_cmp(const struct dp_yaml_node *a, const struct dp_yaml_node *b) {
    return is_number(a) && is_number(b) ? number_cmp(a->text, b->text) : dp_str_cmp(a->text, b->text);
}

/* The tighter of minimum and exclusiveMinimum; in 3.0 the latter is a flag of the former. */
static struct bound bound_of(const struct dp_yaml_node *options, bool lower) {
    const char *plain = lower ? "minimum" : "maximum", *strict = lower ? "exclusiveMinimum" : "exclusiveMaximum";
    const struct dp_yaml_node *a = dp_yaml_get(options, plain), *b = dp_yaml_get(options, strict);
    struct bound out = {.value = a, .key = plain};
    if (!b) return out;
    if (b->kind == DP_YAML_BOOL) {
        out.exclusive = a && (b->text.p[0] == 't' || b->text.p[0] == 'T');
        return out;
    }
    int cmp = a ? value_cmp(b, a) : 0;
    if (!a || cmp == 0 || (cmp > 0) == lower) out = (struct bound){.value = b, .exclusive = true, .key = strict};
    return out;
}

/* Does the reader's end lie outside of the writer's, or on it? */
static bool holds(const struct bound *r, const struct bound *w, bool lower) {
    if (!r->value) return true;
    if (!w->value) return false;
    int cmp = value_cmp(r->value, w->value);
    if (cmp == 0) return !r->exclusive || w->exclusive;
    return (cmp < 0) == lower;
}

static void narrower(struct comparing *c, const char *path, const char *key, const struct dp_yaml_node *at) {
    compat_add(c, false, DP_COMPAT_DATA, path, key, at, "%s narrower in the reader", key);
}

static void compare_ranges(struct comparing *c, const char *path, const struct dp_yaml_node *r, const struct dp_yaml_node *w) {
    for (int lower = 0; lower < 2; lower++) {
        struct bound a = bound_of(r, lower), b = bound_of(w, lower);
        if (!holds(&a, &b, lower)) narrower(c, path, a.key, a.value);
    }
    static const char *const counts[][2] = {{"minLength", "maxLength"}, {"minItems", "maxItems"}, {"minProperties", "maxProperties"}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const struct dp_yaml_node *low = dp_yaml_get(r, counts[i][0]), *low_w = dp_yaml_get(w, counts[i][0]);
        const struct dp_yaml_node *high = dp_yaml_get(r, counts[i][1]), *high_w = dp_yaml_get(w, counts[i][1]);
        if (low && number_cmp(low->text, low_w ? low_w->text : DP_STR("0")) > 0) narrower(c, path, counts[i][0], low);
        if (high && (!high_w || number_cmp(high->text, high_w->text) < 0)) narrower(c, path, counts[i][1], high);
    }
}

/* ---- the rest ---- */

/* Is w a multiple of r?  Exactly, in decimals. */
static bool divides(struct dp_str r, struct dp_str w) {
    struct dp_decimal a, b;
    dp_i128 x, y;
    if (!dp_decimal_parse(r, &a) || !dp_decimal_parse(w, &b)) return dp_str_eq(r, w);
    int scale = a.scale > b.scale ? a.scale : b.scale;
    if (!dp_decimal_rescale(a, DP_DECIMAL_MAX_PRECISION, scale, &x) || !dp_decimal_rescale(b, DP_DECIMAL_MAX_PRECISION, scale, &y) ||
        x == 0) return dp_str_eq(r, w);
    return y % x == 0;
}

static bool is_true(const struct dp_yaml_node *n) {
    return n && n->kind == DP_YAML_BOOL && (n->text.p[0] == 't' || n->text.p[0] == 'T');
}

/* i8 to i128, u8 to u128, f32, f64: bits that hold magnitude; false: no such format. */
static bool number_format(struct dp_str s, int *bits, bool *has_sign) {
    static const struct {
        const char *word;
        int bits;
        bool has_sign;
    } formats[] = {{"i8", 7, true},   {"i16", 15, true},  {"i32", 31, true},  {"i64", 63, true},    {"i128", 127, true}, {"u8", 8, false},
                   {"u16", 16, false}, {"u32", 32, false}, {"u64", 64, false}, {"u128", 128, false}, {"f32", 200, true},  {"f64", 300, true}};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (!dp_str_eqz(s, formats[i].word)) continue;
        *bits = formats[i].bits, *has_sign = formats[i].has_sign;
        return true;
    }
    return false;
}

static void compare_formats(struct comparing *c, const char *path, const struct dp_yaml_node *r, const struct dp_yaml_node *w) {
    const struct dp_yaml_node *a = dp_yaml_get(r, "format"), *b = dp_yaml_get(w, "format");
    int r_bits, w_bits;
    bool r_sign, w_sign;
    if (!a || compat_same(a, b)) return;
    if (number_format(a->text, &r_bits, &r_sign)) {
        bool fits = b && number_format(b->text, &w_bits, &w_sign) && w_bits <= r_bits && (r_sign || !w_sign);
        if (!fits) narrower(c, path, "format", a);
        return;
    }
    compat_add(c, false, DP_COMPAT_DATA, path, "format", a, b ? "format of the reader is another" : "format in the reader only");
}

static void value_key(struct dp_buf *b, const struct dp_yaml_node *v) {
    b->n = 0;
    struct dp_decimal d;
    if (is_number(v) && dp_decimal_parse(v->text, &d)) {
        while (d.scale > 0 && d.unscaled % 10 == 0) d.unscaled /= 10, d.scale--;
        char text[48];
        dp_buf_addc(b, 'n');
        dp_buf_add(b, text, dp_decimal_print(text, d.unscaled, d.scale));
    } else {
        dp_buf_addf(b, "%d", (int)v->kind);
        dp_buf_add(b, v->text.p, v->text.n);
    }
}

/* The reader's values hold the writer's. */
static void compare_enums(struct comparing *c, const char *path, const struct dp_yaml_node *r, const struct dp_yaml_node *w) {
    bool all = w != NULL;
    struct dp_map values = {0};
    struct dp_buf b = {0};
    if (!r) return;
    for (size_t i = 0; i < r->n; i++) {
        const struct dp_yaml_node *v = dp_yaml_get(r->items[i], "value");
        if (v) value_key(&b, v), dp_map_put(&values, dp_buf_str(&b), NULL);
    }
    for (size_t i = 0; w && i < w->n && all; i++) {
        const struct dp_yaml_node *v = dp_yaml_get(w->items[i], "value");
        if (v) value_key(&b, v), all = dp_map_get(&values, dp_buf_str(&b)) != NULL;
    }
    if (!all) compat_add(c, false, DP_COMPAT_DATA, path, "enum", r, "enum narrower");
    dp_buf_release(&b);
    dp_map_release(&values);
}

void compat_options(struct comparing *c, const char *path, const struct dp_contract_property *r, const struct dp_contract_property *w) {
    const struct dp_yaml_node *a = r->options, *b = w->options;
    compare_ranges(c, path, a, b);
    const struct dp_yaml_node *multiple = dp_yaml_get(a, "multipleOf"), *multiple_w = dp_yaml_get(b, "multipleOf");
    const struct dp_yaml_node *pattern = dp_yaml_get(a, "pattern"), *pattern_w = dp_yaml_get(b, "pattern");
    if (multiple && (!multiple_w || !divides(multiple->text, multiple_w->text))) narrower(c, path, "multipleOf", multiple);
    if (pattern && !compat_same(pattern, pattern_w))
        compat_add(c, false, DP_COMPAT_DATA, path, "pattern", pattern, pattern_w ? "pattern of the reader is another" : "pattern in the reader only");
    compare_formats(c, path, a, b);
    static const char *const flags[] = {"uniqueItems", "timezone", NULL};
    for (int i = 0; flags[i]; i++)
        if (is_true(dp_yaml_get(a, flags[i])) && !is_true(dp_yaml_get(b, flags[i])))
            compat_add(c, false, DP_COMPAT_DATA, path, flags[i], dp_yaml_get(a, flags[i]), "%s in the reader only", flags[i]);
    compare_enums(c, path, r->enumeration, w->enumeration);
}
