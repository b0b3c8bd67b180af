/*
 * Places on a Z-curve (curve_priv.h).  Each column's values are cut into ranges of about equal numbers of rows, by a sample; a value's digit is how much of the
 * sample lies below its range, so that a skewed column, or text with one beginning, is spread like any other; the bits of all digits take turns, the first
 * column's first.  Nulls lie above all values, NaN above all numbers.
 *
 * The sample and its order decide: the same rows have the same places.  What it does not do: Hilbert's curve; nested columns.
 */
#include "curve_priv.h"
#include "lay_priv.h"

#include <stdlib.h>

#define RANGES 4096
#define TEXT_BYTES 64   /* of a value of variable size that count */
#define MOST_COLUMNS 8
#define MOST_BITS 16

struct text { uint64_t head; struct dp_str s; }; /* head: its first bytes, as a number that orders */

struct dim {
    const struct dp_type *type;
    /* the sample */
    uint64_t *numbers;
    struct text *texts;
    size_t n, cap, nulls;
    struct dp_arena arena;
    /* the first values of ranges, ascending, and the digit of each, its bits apart; in place 0 that of what lies below all */
    size_t n_ranges;
    uint64_t *codes, null_code;
};

struct curve {
    struct dim *dims;
    size_t *columns;
    size_t n;
    unsigned bits;
};

enum dp_status curve_open(const struct dp_type *schema, const char *const *columns, size_t n, struct curve **out, struct dp_err *err) {
    if (n > MOST_COLUMNS) return dp_err_set(err, DP_USAGE, "--cluster: %d columns at most, not %zu: with more none of them is clustered", MOST_COLUMNS, n);
    struct curve *c = dp_calloc(1, sizeof *c);
    c->dims = dp_calloc(n + 1, sizeof *c->dims);
    c->columns = dp_calloc(n + 1, sizeof *c->columns);
    c->n = n;
    c->bits = 63 / (unsigned)(n ? n : 1) < MOST_BITS ? 63 / (unsigned)n : MOST_BITS;
    for (size_t k = 0; k < n; k++) {
        size_t i = 0;
        while (i < schema->n_children && strcmp(schema->children[i]->name, columns[k]) != 0) i++;
        enum dp_status status = DP_OK;
        if (i == schema->n_children) {
            const char *near = dp_type_nearest(schema, dp_str_z(columns[k]));
            status = dp_err_set(err, DP_USAGE, "--cluster: no column \"%s\"%s%s%s", columns[k], near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        } else if (dp_type_is_nested(schema->children[i]) || schema->children[i]->id == DP_TYPE_NONE) {
            status = dp_err_set(err, DP_USAGE, "--cluster: column %s has no order", columns[k]);
        }
        if (status != DP_OK) return curve_close(c), status;
        c->columns[k] = i;
        c->dims[k].type = schema->children[i];
    }
    *out = c;
    return DP_OK;
}

void curve_forget(struct curve *c) {
    for (size_t k = 0; k < c->n; k++) {
        struct dim *d = &c->dims[k];
        free(d->numbers), free(d->texts), free(d->codes);
        dp_arena_release(&d->arena);
        *d = (struct dim){.type = d->type};
    }
}

void curve_close(struct curve *c) {
    if (!c) return;
    curve_forget(c);
    free(c->dims), free(c->columns), free(c);
}

size_t curve_columns(const struct curve *c, const size_t **columns) {
    *columns = c->columns;
    return c->n;
}

/* ---- values as what can be compared at once ---- */

static bool is_text(const struct dp_type *t) { return dp_type_is_bytes(t) || t->id == DP_TYPE_FIXED || t->id == DP_TYPE_UUID || t->id == DP_TYPE_INTERVAL; }

static struct text text_of(const struct dp_column *c, int64_t i) {
    struct dp_str s = dp_lay_bytes_of(c, i);
    if (s.n > TEXT_BYTES) s.n = TEXT_BYTES;
    return (struct text){dp_lay_head_of_bytes(s), s};
}

static int cmp_text(const struct text *a, const struct text *b) {
    if (a->head != b->head) return a->head < b->head ? -1 : 1;
    return dp_str_cmp(a->s, b->s);
}

static int by_text(const void *a, const void *b) { return cmp_text(a, b); }

static int by_number(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, 8), memcpy(&y, b, 8);
    return (x > y) - (x < y);
}

/* ---- the sample ---- */

void curve_learn(struct curve *c, size_t k, const struct dp_column *values) {
    struct dim *d = &c->dims[k];
    bool texts = is_text(d->type);
    size_t n = d->n + (size_t)values->length, cap = d->cap;
    if (texts) d->texts = dp_grow(d->texts, &d->cap, n + 1, sizeof *d->texts);
    else d->numbers = dp_grow(d->numbers, &cap, n + 1, sizeof *d->numbers), d->cap = cap;
    for (int64_t i = 0; i < values->length; i++) {
        if (!dp_column_is_valid(values, i)) {
            d->nulls++;
        } else if (texts) {
            struct text t = text_of(values, i);
            t.s = dp_arena_str(&d->arena, t.s);
            d->texts[d->n++] = t;
        } else {
            d->numbers[d->n++] = dp_lay_head(values, i);
        }
    }
}

/* A digit with its bits as far apart as there are columns, those of column k. */
static uint64_t spread(const struct curve *c, size_t k, uint64_t digit) {
    uint64_t out = 0;
    for (unsigned b = 0; b < c->bits; b++) out |= (digit >> b & 1) << (b * c->n + (c->n - 1 - k));
    return out;
}

static void settle(const struct curve *c, size_t k) {
    struct dim *d = &c->dims[k];
    bool texts = is_text(d->type);
    size_t all = d->n + d->nulls, ranges = d->n < RANGES ? d->n : RANGES;
    uint64_t top = (UINT64_C(1) << c->bits) - 1;
    if (texts && d->n) qsort(d->texts, d->n, sizeof *d->texts, by_text);
    else if (d->n) qsort(d->numbers, d->n, sizeof *d->numbers, by_number);
    d->codes = dp_calloc(ranges + 2, sizeof *d->codes);
    for (size_t i = 0; i < ranges; i++) {
        size_t at = (size_t)((uint64_t)i * d->n / ranges), first = d->n_ranges;
        if (first && (texts ? cmp_text(&d->texts[first - 1], &d->texts[at]) == 0 : d->numbers[first - 1] == d->numbers[at])) continue;
        if (texts) d->texts[first] = d->texts[at];
        else d->numbers[first] = d->numbers[at];
        d->codes[++d->n_ranges] = spread(c, k, (uint64_t)at * top / all);
    }
    d->null_code = spread(c, k, all ? (uint64_t)d->n * top / all : 0);
}

void curve_settle(struct curve *c) {
    for (size_t k = 0; k < c->n; k++) settle(c, k);
}

/* ---- places ---- */

static uint64_t code_of_number(const struct dim *d, uint64_t v) {
    size_t lo = 0, n = d->n_ranges; /* how many ranges begin at v or below */
    while (n > 0) {
        size_t half = n / 2;
        bool up = d->numbers[lo + half] <= v;
        lo = up ? lo + half + 1 : lo;
        n = up ? n - half - 1 : half;
    }
    return d->codes[lo];
}

static uint64_t code_of_text(const struct dim *d, const struct text *v) {
    size_t lo = 0, n = d->n_ranges;
    while (n > 0) {
        size_t half = n / 2;
        bool up = cmp_text(&d->texts[lo + half], v) <= 0;
        lo = up ? lo + half + 1 : lo;
        n = up ? n - half - 1 : half;
    }
    return d->codes[lo];
}

void curve_places(const struct curve *c, const struct dp_batch *rows, struct dp_column *out) {
    int64_t n = rows->length;
    uint64_t *places = dp_calloc((size_t)n + 1, sizeof *places);
    for (size_t k = 0; k < c->n; k++) {
        const struct dim *d = &c->dims[k];
        const struct dp_column *column = &rows->columns[c->columns[k]];
        bool texts = is_text(d->type);
        for (int64_t i = 0; i < n; i++) {
            if (!dp_column_is_valid(column, i)) {
                places[i] |= d->null_code;
            } else if (texts) {
                struct text t = text_of(column, i);
                places[i] |= code_of_text(d, &t);
            } else {
                places[i] |= code_of_number(d, dp_lay_head(column, i));
            }
        }
    }
    dp_column_append_fixed(out, places, n);
    free(places);
}
