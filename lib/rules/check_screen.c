/*
 * Rows that surely break nothing, by columns (dp/rules/check_screen.h).  Of a column of integers or doubles all bounds are one range; strings are asked as the
 * records' checks ask them.  A double at a bound is looked at: its shortest spelling decides there, and only records have one.
 */
#include "check_priv.h"

#include <dp/rules/check_screen.h>

#include <math.h>
#include <stdlib.h>

enum shape { SHAPE_OTHER, SHAPE_INTEGER, SHAPE_REAL, SHAPE_TEXT };

struct screened {
    const struct check_field *field;
    size_t column;
    enum shape shape;
    bool wants_value;     /* a null breaks a rule */
    bool has_range;
    int64_t low, high;    /* INTEGER: both allowed */
    double above, below;  /* REAL: strictly between is allowed */
};

struct dp_check_screen {
    struct screened *v;
    size_t n;
    struct dp_pattern_run *patterns;
};

static enum shape shape_of(const struct dp_type *t) {
    if (t->id >= DP_TYPE_INT8 && t->id <= DP_TYPE_UINT32) return SHAPE_INTEGER;
    if (t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE) return SHAPE_REAL;
    return t->id == DP_TYPE_STRING ? SHAPE_TEXT : SHAPE_OTHER;
}

/* ---- opening ---- */

/* Enumerations and UUIDs are left to records: their columns are not those of strings. */
static bool holds(const struct check_field *f, const struct dp_type *t) {
    bool other_text = t->id == DP_TYPE_ENUM || t->id == DP_TYPE_UUID;
    return !(other_text && f->logical == DP_LOGICAL_STRING) && check_holds_type(f, t);
}

static int64_t clamp(dp_i128 v) { return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (int64_t)v; }

/* The bound's unit is 10^-18: the nearest whole number below or at it. */
static dp_i128 whole_below(dp_i128 v) { return v / CHECK_ONE - (v % CHECK_ONE < 0); }

static bool narrow_integer(struct screened *c, const struct check_op *op) {
    dp_i128 v = op->number.v;
    if (!op->number.small) return false;
    dp_i128 floor_v = whole_below(v), ceil_v = floor_v + (floor_v * CHECK_ONE != v);
    switch ((int)op->kind) {
    case CHECK_MINIMUM: if (ceil_v > c->low) c->low = clamp(ceil_v); break;
    case CHECK_ABOVE: if (floor_v + 1 > c->low) c->low = clamp(floor_v + 1); break;
    case CHECK_MAXIMUM: if (floor_v < c->high) c->high = clamp(floor_v); break;
    case CHECK_BELOW: if (ceil_v - 1 < c->high) c->high = clamp(ceil_v - 1); break;
    default: return false;
    }
    return c->has_range = true;
}

/* A number and the shortest text of a double lie on the same side of it as the double does, but for the double nearest to it. */
static bool narrow_real(struct screened *c, const struct check_op *op, bool is_single) {
    double d;
    if (!dp_parse_double(op->number.text, &d)) return false;
    double margin = is_single ? fabs(d) * 1e-6 + 1e-40 : 0; /* shortest texts of singles are further away */
    switch ((int)op->kind) {
    case CHECK_MINIMUM:
    case CHECK_ABOVE: if (d + margin > c->above) c->above = d + margin; break;
    case CHECK_MAXIMUM:
    case CHECK_BELOW: if (d - margin < c->below) c->below = d - margin; break;
    default: return false;
    }
    return c->has_range = true;
}

static bool is_of_text(const struct check_op *op) {
    switch ((int)op->kind) {
    case CHECK_MIN_LENGTH:
    case CHECK_MAX_LENGTH:
    case CHECK_PATTERN:
    case CHECK_FORMAT:
    case CHECK_IN:
    case CHECK_NOT_IN:
    case CHECK_INVALID: return true;
    }
    return false;
}

static bool take_op(struct screened *c, const struct check_op *op, const struct dp_type *t) {
    static const unsigned is[] = {[SHAPE_OTHER] = 0xff, [SHAPE_INTEGER] = CHECK_NEEDS_NUMBER | CHECK_NEEDS_SCALAR,
                                  [SHAPE_REAL] = CHECK_NEEDS_NUMBER | CHECK_NEEDS_SCALAR, [SHAPE_TEXT] = CHECK_NEEDS_STRING | CHECK_NEEDS_SCALAR};
    if (!(op->needs & is[c->shape])) return c->shape != SHAPE_TEXT || !(op->needs & CHECK_NEEDS_TIME); /* never asked */
    switch (c->shape) {
    case SHAPE_INTEGER: return narrow_integer(c, op);
    case SHAPE_REAL: return narrow_real(c, op, t->id == DP_TYPE_FLOAT);
    case SHAPE_TEXT: return is_of_text(op);
    case SHAPE_OTHER: return false;
    }
    return false;
}

/* False: records must answer for this field. */
static bool take_field(struct dp_check_screen *s, const struct check_field *f, const struct dp_type *schema) {
    size_t i = 0;
    if (f->object || f->items) return false;
    if (f->type_rule == CHECK_NONE && !f->n_ops && !f->n_null) return true;
    while (i < schema->n_children && !dp_str_eqz(dp_str(f->name, f->name_n), schema->children[i]->name)) i++;
    if (i == schema->n_children) return !f->n_null; /* absent everywhere */
    const struct dp_type *t = schema->children[i];
    if (dp_type_is_nested(t) || (f->type_rule != CHECK_NONE && !holds(f, t))) return false;
    struct screened c = {.field = f, .column = i, .shape = shape_of(t), .wants_value = f->n_null, .low = INT64_MIN, .high = INT64_MAX, .above = -INFINITY,
                         .below = INFINITY};
    for (size_t j = 0; j < f->n_ops; j++)
        if (!take_op(&c, &f->ops[j], t)) return false;
    s->v[s->n++] = c;
    return true;
}

static bool only_columns(const struct dp_check *k, const struct dp_verdict *v) {
    if (k->present_rules || k->top->unknown_rule != CHECK_NONE) return false;
    for (size_t i = 0; i < k->n_exprs; i++)
        if (v->rules[k->exprs[i].rule].outcome == DP_OUTCOME_NONE) return false;
    for (size_t i = 0; i < k->n_tuples; i++)
        for (size_t j = 0; j < k->tuples[i].n_rules; j++)
            if (v->rules[k->tuples[i].rules[j]].outcome == DP_OUTCOME_NONE) return false;
    return true;
}

struct dp_check_screen *dp_check_screen_open(const struct dp_check *k, const struct dp_verdict *v, const struct dp_type *schema) {
    if (!only_columns(k, v)) return NULL;
    struct dp_check_screen *s = dp_calloc(1, sizeof *s);
    s->v = dp_calloc(k->top->n + 1, sizeof *s->v);
    s->patterns = dp_pattern_run_open();
    for (size_t i = 0; i < k->top->n; i++) {
        if (take_field(s, k->top->children[i], schema)) continue;
        dp_check_screen_close(s);
        return NULL;
    }
    return s;
}

void dp_check_screen_close(struct dp_check_screen *s) {
    if (!s) return;
    dp_pattern_run_close(s->patterns);
    free(s->v);
    free(s);
}

/* ---- rows ---- */

#define RANGE(T)                                                                                   \
    do {                                                                                           \
        const T *p = (const T *)(const void *)c->data + from;                                      \
        for (int64_t i = 0; i < n; i++)                                                            \
            if (((int64_t)p[i] < x->low) | ((int64_t)p[i] > x->high)) look[i] |= dp_column_is_valid(c, from + i); \
    } while (0)

static void screen_integers(const struct screened *x, const struct dp_column *c, int64_t from, int64_t n, uint8_t *look) {
    switch ((int)c->type->id) {
    case DP_TYPE_INT8: RANGE(int8_t); break;
    case DP_TYPE_INT16: RANGE(int16_t); break;
    case DP_TYPE_INT32: RANGE(int32_t); break;
    case DP_TYPE_INT64: RANGE(int64_t); break;
    case DP_TYPE_UINT8: RANGE(uint8_t); break;
    case DP_TYPE_UINT16: RANGE(uint16_t); break;
    case DP_TYPE_UINT32: RANGE(uint32_t); break;
    }
}

static void screen_reals(const struct screened *x, const struct dp_column *c, int64_t from, int64_t n, uint8_t *look) {
    if (c->type->id == DP_TYPE_FLOAT) {
        const float *p = (const float *)(const void *)c->data + from;
        for (int64_t i = 0; i < n; i++)
            if (!((double)p[i] > x->above && (double)p[i] < x->below)) look[i] |= dp_column_is_valid(c, from + i);
    } else {
        const double *p = (const double *)(const void *)c->data + from;
        for (int64_t i = 0; i < n; i++)
            if (!(p[i] > x->above && p[i] < x->below)) look[i] |= dp_column_is_valid(c, from + i);
    }
}

static bool matches(struct dp_check_screen *s, const struct dp_pattern *p, struct dp_str text) {
    bool yes = false;
    return dp_pattern_match(p, s->patterns, text, &yes, NULL) == DP_OK && yes;
}

static inline __attribute__((always_inline)) bool keeps_text(struct dp_check_screen *s, const struct check_op *op, int kind, struct dp_str text) {
    switch (kind) {
    case CHECK_MIN_LENGTH: return text.n / 4 >= op->limit || (text.n >= op->limit && dp_json_length(text, 0) >= op->limit);
    case CHECK_MAX_LENGTH: return text.n <= op->limit || dp_json_length(text, 0) <= op->limit;
    case CHECK_PATTERN: return matches(s, op->pattern, text);
    case CHECK_FORMAT: return dp_textform_matches(op->form, text);
    case CHECK_IN: return check_set_has_string(op->set, text);
    case CHECK_NOT_IN: return !check_set_has_string(op->set, text);
    case CHECK_INVALID:
        if (op->missing && check_set_has_string(op->missing, text)) return true;
        return (!op->set || check_set_has_string(op->set, text)) && (!op->pattern || matches(s, op->pattern, text));
    }
    return false;
}

/* The kind is known where this is expanded, so that what is asked of each text is not found out for each text. */
static inline __attribute__((always_inline)) void screen_rows(struct dp_check_screen *s, const struct check_op *op, int kind, const struct dp_column *c, int64_t from,
                                                              int64_t n, uint8_t *look) {
    for (int64_t i = 0; i < n; i++) {
        struct dp_str text = {(const char *)c->data + c->offsets[from + i], (size_t)(c->offsets[from + i + 1] - c->offsets[from + i])};
        if (!look[i] && dp_column_is_valid(c, from + i)) look[i] = !keeps_text(s, op, kind, text);
    }
}

/* Of rows whose texts have 8 readable bytes behind their start. */
static void screen_op(struct dp_check_screen *s, const struct check_op *op, const struct dp_column *c, int64_t from, int64_t n, uint8_t *look) {
    switch ((int)op->kind) {
    case CHECK_MAX_LENGTH: screen_rows(s, op, CHECK_MAX_LENGTH, c, from, n, look); break;
    case CHECK_PATTERN: screen_rows(s, op, CHECK_PATTERN, c, from, n, look); break;
    case CHECK_IN: screen_rows(s, op, CHECK_IN, c, from, n, look); break;
    case CHECK_INVALID:
        if (op->missing || op->pattern) screen_rows(s, op, CHECK_INVALID, c, from, n, look);
        else screen_rows(s, op, CHECK_IN, c, from, n, look);
        break;
    default: screen_rows(s, op, (int)op->kind, c, from, n, look);
    }
}

/* The last texts of a column, as a copy with more that is readable behind it. */
static bool keeps_last(struct dp_check_screen *s, const struct check_op *op, const struct dp_column *c, int64_t row) {
    char copy[16] = {0};
    size_t n = (size_t)(c->offsets[row + 1] - c->offsets[row]);
    if (n) memcpy(copy, c->data + c->offsets[row], n); /* fewer than 8 */
    return keeps_text(s, op, (int)op->kind, dp_str(copy, n));
}

/* Printed, texts that are not UTF-8 are other texts: records tell. */
static void look_at_odd_texts(const struct dp_column *c, int64_t from, int64_t n, uint8_t *look) {
    const char *data = c->data ? (const char *)c->data : "";
    if (dp_utf8_valid(data + c->offsets[from], (size_t)(c->offsets[from + n] - c->offsets[from]), NULL)) return;
    for (int64_t i = from; i < from + n; i++)
        look[i - from] |= !dp_utf8_valid(data + c->offsets[i], (size_t)(c->offsets[i + 1] - c->offsets[i]), NULL);
}

static void screen_texts(struct dp_check_screen *s, const struct screened *x, const struct dp_column *c, int64_t from, int64_t n, uint8_t *look) {
    int64_t inner = n;
    look_at_odd_texts(c, from, n, look);
    while (inner && c->data_n - (size_t)c->offsets[from + inner - 1] < 8) inner--;
    for (size_t k = 0; k < x->field->n_ops; k++) {
        const struct check_op *op = &x->field->ops[k];
        if (!(op->needs & (CHECK_NEEDS_STRING | CHECK_NEEDS_SCALAR))) continue;
        screen_op(s, op, c, from, inner, look);
        for (int64_t i = inner; i < n; i++)
            if (!look[i] && dp_column_is_valid(c, from + i)) look[i] = !keeps_last(s, op, c, from + i);
    }
}

size_t dp_check_screen_rows(struct dp_check_screen *s, const struct dp_batch *b, int64_t from, uint8_t *look) {
    int64_t n = b->length - from;
    size_t count = 0;
    for (size_t k = 0; k < s->n; k++) {
        const struct screened *x = &s->v[k];
        const struct dp_column *c = &b->columns[x->column];
        for (int64_t i = 0; x->wants_value && c->validity && i < n; i++) look[i] |= !dp_column_is_valid(c, from + i);
        if (x->shape == SHAPE_INTEGER && x->has_range) screen_integers(x, c, from, n, look);
        if (x->shape == SHAPE_REAL && x->has_range) screen_reals(x, c, from, n, look);
        if (x->shape == SHAPE_TEXT && x->field->n_ops) screen_texts(s, x, c, from, n, look);
    }
    for (int64_t i = 0; i < n; i++) count += look[i];
    return count;
}
