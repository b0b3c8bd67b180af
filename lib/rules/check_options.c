/*
 * logicalTypeOptions (ODCS section on schema, table of options by type) as rules.  exclusiveMinimum and exclusiveMaximum are booleans beside the bound in
 * 3.0.x and bounds of their own in 3.1; both ways of writing are taken, as what they are.  decimal(p,s) of physicalType bounds digits.
 */
#include "check_priv.h"

#include <stdio.h>
#include <stdlib.h>

struct options {
    struct check_compile *c;
    struct check_field *f;
    const struct dp_yaml_node *map;
};

static enum dp_status wrong(struct options *o, const struct dp_yaml_node *at, const char *key, const char *what) {
    return dp_yaml_error(&o->c->c->doc, at, o->c->err, "logicalTypeOptions.%s: %s", key, what);
}

static const char *place(struct options *o, const char *key) {
    return dp_arena_printf(&o->c->v->arena, "%s/logicalTypeOptions/%s", o->f->property->path, key);
}

static bool is_true(const struct dp_yaml_node *n) { return n->kind == DP_YAML_BOOL && (n->text.p[0] == 't' || n->text.p[0] == 'T'); }
static bool is_number(const struct dp_yaml_node *n) { return n->kind == DP_YAML_INT || n->kind == DP_YAML_FLOAT; }
static bool is_time(const struct check_field *f) {
    return f->logical == DP_LOGICAL_DATE || f->logical == DP_LOGICAL_TIMESTAMP || f->logical == DP_LOGICAL_TIME;
}

/* A number as JSON spells it: YAML's +1, 007, .5, 0x1f and .inf are not. */
static bool plain_number(struct options *o, const struct dp_yaml_node *n, struct dp_str *out) {
    double v;
    int64_t i;
    struct dp_str t = n->text;
    char text[32];
    if (!is_number(n)) return false;
    if (t.n && t.p[0] == '+') t.p++, t.n--;
    if (n->kind == DP_YAML_INT && t.n > 2 && t.p[0] == '0' && (t.p[1] == 'x' || t.p[1] == 'o')) {
        char *end;
        i = (int64_t)strtoll(t.p + 2, &end, t.p[1] == 'x' ? 16 : 8);
        *out = dp_arena_str(&o->c->v->arena, dp_str(text, dp_print_i64(text, i)));
        return end == t.p + t.n;
    }
    bool json = t.n && t.p[0] != '.' && t.p[t.n - 1] != '.' && !(t.n > 1 && t.p[0] == '-' && t.p[1] == '.');
    if (json && (dp_parse_double(t, &v) || check_number_of(t).small || memchr(t.p, 'e', t.n) || memchr(t.p, 'E', t.n) || n->kind == DP_YAML_INT)) {
        *out = t;
        return t.p[0] != 'N' && t.p[0] != 'I';
    }
    if (!dp_parse_double(t, &v) || v != v || v > 1.7e308 || v < -1.7e308) return false;
    *out = dp_arena_str(&o->c->v->arena, dp_str(text, dp_print_double(text, v)));
    return true;
}

/* ---- bounds ---- */

struct bound_words {
    const char *key, *expected;
    enum check_kind number, time;
};
static const struct bound_words bounds[4] = {{"minimum", "at least", CHECK_MINIMUM, CHECK_TIME_MINIMUM},
                                             {"maximum", "at most", CHECK_MAXIMUM, CHECK_TIME_MAXIMUM},
                                             {"exclusiveMinimum", "more than", CHECK_ABOVE, CHECK_TIME_ABOVE},
                                             {"exclusiveMaximum", "less than", CHECK_BELOW, CHECK_TIME_BELOW}};

/* A bound of times is spelled as the values are, or as ISO 8601 has it. */
static bool read_bound(const struct check_field *f, struct dp_str text, struct check_moment *m) {
    struct check_field iso = *f;
    if (check_read_moment(f, text, m)) return true;
    iso.timeform = NULL;
    if (check_read_moment(&iso, text, m)) return true;
    iso.any_time = true; /* a date bounds timestamps too */
    return f->logical == DP_LOGICAL_TIMESTAMP && check_read_moment(&iso, text, m);
}

static enum dp_status add_bound(struct options *o, const struct bound_words *w, const struct dp_yaml_node *value) {
    struct check_field *f = o->f;
    uint32_t rule = check_add_rule(o->c, place(o, w->key), w->key, f, "%s %.*s", w->expected, DP_STR_FMT(value->text));
    if (f->is_opaque) {
        check_unsupported(o->c, rule, "the format of the values is not read here");
        return DP_OK;
    }
    if (is_time(f)) {
        struct check_moment m;
        if (!read_bound(f, value->text, &m)) return wrong(o, value, w->key, "expected a time as the values are written");
        check_add_op(f, w->time, CHECK_NEEDS_TIME, rule)->moment = m;
        return DP_OK;
    }
    struct dp_str text;
    if (!plain_number(o, value, &text)) return wrong(o, value, w->key, "expected a number");
    f->needs_number = true;
    check_add_op(f, w->number, CHECK_NEEDS_NUMBER, rule)->number = check_number_of(text);
    return DP_OK;
}

static enum dp_status add_bounds(struct options *o) {
    for (int i = 0; i < 4; i++) {
        const struct dp_yaml_node *n = dp_yaml_get(o->map, bounds[i].key);
        if (!n || n->kind == DP_YAML_NULL) continue;
        if (i >= 2 && n->kind == DP_YAML_BOOL) { /* 3.0: says of the bound beside it that it is not a value */
            const struct dp_yaml_node *beside = dp_yaml_get(o->map, bounds[i - 2].key);
            if (!is_true(n)) continue;
            if (!beside) return wrong(o, n, bounds[i].key, "there is no bound beside it");
            n = beside;
        }
        DP_TRY(add_bound(o, &bounds[i], n));
    }
    return DP_OK;
}

/* ---- numbers ---- */

static enum dp_status add_multiple(struct options *o) {
    const struct dp_yaml_node *n = dp_yaml_get(o->map, "multipleOf");
    struct dp_str text;
    struct dp_decimal d;
    if (!n) return DP_OK;
    if (!plain_number(o, n, &text) || dp_number_cmp(text, DP_STR("0")) <= 0) return wrong(o, n, "multipleOf", "expected a number above 0");
    uint32_t rule = check_add_rule(o->c, place(o, "multipleOf"), "multipleOf", o->f, "a multiple of %.*s", DP_STR_FMT(text));
    if (!dp_decimal_parse(text, &d) || d.unscaled > INT64_MAX) {
        check_unsupported(o->c, rule, "a divisor of more than 18 digits");
        return DP_OK;
    }
    struct check_op *op = check_add_op(o->f, CHECK_MULTIPLE, CHECK_NEEDS_NUMBER, rule);
    op->limit = (uint64_t)d.unscaled;
    op->scale = d.scale;
    return DP_OK;
}

static const struct number_format { const char *name, *low, *high; } number_formats[] = {
    {"i8", "-128", "127"}, {"i16", "-32768", "32767"}, {"i32", "-2147483648", "2147483647"}, {"i64", "-9223372036854775808", "9223372036854775807"},
    {"i128", "-170141183460469231731687303715884105728", "170141183460469231731687303715884105727"},
    {"u8", "0", "255"}, {"u16", "0", "65535"}, {"u32", "0", "4294967295"}, {"u64", "0", "18446744073709551615"},
    {"u128", "0", "340282366920938463463374607431768211455"}, {NULL, NULL, NULL}};

static enum dp_status add_number_format(struct options *o, const struct dp_yaml_node *n) {
    struct check_field *f = o->f;
    uint32_t rule = check_add_rule(o->c, place(o, "format"), "format", f, "a number of format %.*s", DP_STR_FMT(n->text));
    if (dp_str_eqz(n->text, "f32") || dp_str_eqz(n->text, "f64")) {
        check_add_op(f, CHECK_FLOAT_RANGE, CHECK_NEEDS_NUMBER, rule)->limit = n->text.p[1] == '3' ? 32 : 64;
        return DP_OK;
    }
    for (const struct number_format *w = number_formats; w->name; w++) {
        if (!dp_str_eqz(n->text, w->name)) continue;
        f->needs_number = true;
        check_add_op(f, CHECK_MINIMUM, CHECK_NEEDS_NUMBER, rule)->number = check_number_of(dp_str_z(w->low));
        check_add_op(f, CHECK_MAXIMUM, CHECK_NEEDS_NUMBER, rule)->number = check_number_of(dp_str_z(w->high));
        return DP_OK;
    }
    check_unsupported(o->c, rule, "not a format that dp knows");
    return DP_OK;
}

/* decimal(12,2): no more than 10 digits in front of the point and 2 behind it. */
static void add_decimal(struct options *o) {
    const char *t = o->f->property->physical_type;
    int p = 0, s = 0;
    if (!t || (strncasecmp(t, "decimal", 7) != 0 && strncasecmp(t, "numeric", 7) != 0)) return;
    int got = sscanf(t + 7, " ( %d , %d )", &p, &s);
    if (got < 1 || p < 1 || p > 38 || s < 0 || s > p) return;
    uint32_t rule = check_add_rule(o->c, dp_arena_printf(&o->c->v->arena, "%s/physicalType", o->f->property->path), "physicalType", o->f, "%s", t);
    struct check_op *op = check_add_op(o->f, CHECK_DECIMAL, CHECK_NEEDS_NUMBER, rule);
    op->precision = p;
    op->scale = s;
}

/* ---- strings ---- */

static enum dp_status add_limit(struct options *o, const char *key, enum check_kind kind, unsigned needs, const char *expected) {
    const struct dp_yaml_node *n = dp_yaml_get(o->map, key);
    uint64_t v;
    if (!n || n->kind == DP_YAML_NULL) return DP_OK;
    if (n->kind != DP_YAML_INT || !dp_parse_u64(n->text, &v)) return wrong(o, n, key, "expected a whole number from 0");
    uint32_t rule = check_add_rule(o->c, place(o, key), key, o->f, expected, (unsigned long long)v);
    check_add_op(o->f, kind, needs, rule)->limit = v;
    return DP_OK;
}

static enum dp_status add_pattern(struct options *o) {
    const struct dp_yaml_node *n = dp_yaml_get(o->map, "pattern");
    struct dp_err own = DP_ERR_INIT;
    struct dp_pattern *pattern;
    if (!n || n->kind == DP_YAML_NULL) return DP_OK;
    if (n->kind != DP_YAML_STRING) return wrong(o, n, "pattern", "expected a string");
    if (dp_pattern_compile(n->text, &pattern, &own) != DP_OK) return wrong(o, n, "pattern", own.msg);
    uint32_t rule = check_add_rule(o->c, place(o, "pattern"), "pattern", o->f, "a match of /%.*s/", DP_STR_FMT(n->text));
    check_add_op(o->f, CHECK_PATTERN, CHECK_NEEDS_STRING, rule)->pattern = pattern;
    return DP_OK;
}

static enum dp_status add_text_format(struct options *o, const struct dp_yaml_node *n) {
    enum dp_textform form = dp_textform_find(n->text.p);
    uint32_t rule = check_add_rule(o->c, place(o, "format"), "format", o->f, "a string of format %.*s", DP_STR_FMT(n->text));
    if (form == DP_TEXTFORM_NONE) check_unsupported(o->c, rule, "not a format that dp knows");
    else check_add_op(o->f, CHECK_FORMAT, CHECK_NEEDS_STRING, rule)->form = form;
    return DP_OK;
}

/* ---- times ---- */

static enum dp_status add_time_format(struct options *o, const struct dp_yaml_node *n) {
    struct dp_err own = DP_ERR_INIT;
    uint32_t rule = check_add_rule(o->c, place(o, "format"), "format", o->f, "a time as %.*s", DP_STR_FMT(n->text));
    enum dp_status status = dp_timeform_compile(n->text, &o->f->timeform, &own);
    if (status != DP_OK) { /* the standard leaves the text free: "date-time" is no fault of the contract */
        o->f->timeform = NULL;
        o->f->is_opaque = true;
        check_unsupported(o->c, rule, own.msg);
        return DP_OK;
    }
    check_add_op(o->f, CHECK_TIME_FORMAT, CHECK_NEEDS_STRING, rule);
    return DP_OK;
}

static enum dp_status add_zone(struct options *o) {
    const struct dp_yaml_node *n = dp_yaml_get(o->map, "timezone"), *zone = dp_yaml_get(o->map, "defaultTimezone");
    if (n && n->kind == DP_YAML_BOOL && o->f->logical != DP_LOGICAL_DATE) {
        uint32_t rule = check_add_rule(o->c, place(o, "timezone"), "timezone", o->f, is_true(n) ? "a time with its zone" : "a time without a zone");
        if (o->f->is_opaque) check_unsupported(o->c, rule, "the format of the values is not read here");
        check_add_op(o->f, CHECK_ZONE, CHECK_NEEDS_TIME, rule)->limit = is_true(n);
    }
    bool utc = !zone || zone->kind != DP_YAML_STRING || dp_str_eqz(zone->text, "UTC") || dp_str_eqz(zone->text, "Z") || dp_str_eqz(zone->text, "GMT") ||
               dp_str_eqz(zone->text, "Etc/UTC") || dp_str_eqz(zone->text, "+00:00");
    for (int i = 0; !utc && i < 4; i++)
        if (dp_yaml_get(o->map, bounds[i].key)) {
            uint32_t rule = check_add_rule(o->c, place(o, "defaultTimezone"), "defaultTimezone", o->f, "times in zone %.*s", DP_STR_FMT(zone->text));
            check_unsupported(o->c, rule, "bounds are compared in UTC where a value has no zone");
            break;
        }
    return DP_OK;
}

/* ---- containers ---- */

static enum dp_status add_containers(struct options *o) {
    DP_TRY(add_limit(o, "minItems", CHECK_MIN_ITEMS, CHECK_NEEDS_ARRAY, "at least %llu items"));
    DP_TRY(add_limit(o, "maxItems", CHECK_MAX_ITEMS, CHECK_NEEDS_ARRAY, "at most %llu items"));
    const struct dp_yaml_node *unique = dp_yaml_get(o->map, "uniqueItems");
    if (unique && is_true(unique))
        check_add_op(o->f, CHECK_UNIQUE_ITEMS, CHECK_NEEDS_ARRAY, check_add_rule(o->c, place(o, "uniqueItems"), "uniqueItems", o->f, "no two equal items"));
    DP_TRY(add_limit(o, "minProperties", CHECK_MIN_PROPERTIES, CHECK_NEEDS_OBJECT, "at least %llu properties"));
    DP_TRY(add_limit(o, "maxProperties", CHECK_MAX_PROPERTIES, CHECK_NEEDS_OBJECT, "at most %llu properties"));
    const struct dp_yaml_node *required = dp_yaml_get(o->map, "required");
    if (!required) return DP_OK;
    if (required->kind != DP_YAML_LIST) return wrong(o, required, "required", "expected a list of names");
    for (size_t i = 0; i < required->n; i++) {
        struct dp_str name = required->items[i]->text;
        const char *path = dp_arena_printf(&o->c->v->arena, "%s/logicalTypeOptions/required/%zu", o->f->property->path, i);
        uint32_t rule = check_add_rule(o->c, path, "required", o->f, "a value for %.*s", DP_STR_FMT(name));
        check_add_op(o->f, CHECK_HAS, CHECK_NEEDS_OBJECT, rule)->name = name;
    }
    return DP_OK;
}

enum dp_status check_compile_options(struct check_compile *c, struct check_field *f) {
    struct options o = {.c = c, .f = f, .map = f->property->options};
    bool number = f->logical == DP_LOGICAL_NUMBER || f->logical == DP_LOGICAL_INTEGER || f->logical == DP_LOGICAL_NONE;
    if (number) add_decimal(&o);
    if (!o.map || o.map->kind != DP_YAML_MAP) return DP_OK;
    const struct dp_yaml_node *format = dp_yaml_get(o.map, "format");
    if (format && format->kind == DP_YAML_STRING) {
        if (is_time(f)) DP_TRY(add_time_format(&o, format));
        else if (f->logical == DP_LOGICAL_STRING) DP_TRY(add_text_format(&o, format));
        else if (number) DP_TRY(add_number_format(&o, format));
    }
    if (is_time(f)) DP_TRY(add_zone(&o));
    if (number || is_time(f)) DP_TRY(add_bounds(&o));
    if (number) DP_TRY(add_multiple(&o));
    DP_TRY(add_limit(&o, "minLength", CHECK_MIN_LENGTH, CHECK_NEEDS_STRING, "at least %llu characters"));
    DP_TRY(add_limit(&o, "maxLength", CHECK_MAX_LENGTH, CHECK_NEEDS_STRING, "at most %llu characters"));
    DP_TRY(add_pattern(&o));
    return add_containers(&o);
}
