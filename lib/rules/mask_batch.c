/*
 * Columns through a mask.  Strings are masked as bytes, times as integers; whatever else is printed as records, masked as those are, and read back in
 * the type that it has behind the mask, so that a value comes out the same from a file as from a pipe.
 */
#include "mask_priv.h"

#include <dp/base/time.h>
#include <stdlib.h>

struct batch_run {
    struct dp_mask_run *r;
    const struct dp_batch *in;
    struct dp_batch *out;
    dp_mask_bad bad;
    void *ctx;
};

static void report(struct batch_run *b, int64_t row, const struct dp_mask_reject *why) { b->bad(b->ctx, row, why); }

/* ---- strings ---- */

static void mask_strings(struct batch_run *b, const struct mask_node *n, const struct dp_column *in, struct dp_column *out) {
    for (int64_t i = 0; i < in->length; i++) {
        struct mask_value v = {DP_KIND_STRING, {NULL, 0}};
        struct mask_result result;
        if (!dp_column_is_valid(in, i)) {
            dp_column_append_null(out);
            continue;
        }
        v.text = dp_str((const char *)in->data + in->offsets[i], (size_t)(in->offsets[i + 1] - in->offsets[i]));
        const char *why = dp_mask_value(b->r, n, v, &result);
        if (!why && result.kind == DP_KIND_STRING) {
            dp_column_append_bytes(out, result.text.p, result.text.n);
            continue;
        }
        dp_column_append_null(out);
        if (!why) continue;
        struct dp_mask_reject w = {.rule = "mask", .expected = n->rule.technique->takes};
        (void)snprintf(w.path, sizeof w.path, "%s", n->path);
        (void)snprintf(w.reason, sizeof w.reason, "%s: %s (a string of %zu bytes)", n->rule.technique->name, why, v.text.n);
        report(b, i, &w);
    }
}

/* ---- times ---- */

static int64_t floor_to(int64_t v, int64_t unit) {
    int64_t rest = v % unit;
    return v - rest - (rest < 0 ? unit : 0);
}

static int64_t floor_days(int64_t days, enum dp_mask_unit unit) {
    int64_t year;
    unsigned month, day;
    if (unit <= DP_MASK_DAY) return days;
    dp_civil_from_days(days, &year, &month, &day);
    if (unit == DP_MASK_YEAR) month = 1;
    if (unit == DP_MASK_QUARTER) month = (month - 1) / 3 * 3 + 1;
    return dp_days_from_civil(year, month, 1);
}

static int64_t floor_time(int64_t v, int64_t second, enum dp_mask_unit unit) {
    static const int64_t seconds[] = {[DP_MASK_SECOND] = 1, [DP_MASK_MINUTE] = 60, [DP_MASK_HOUR] = 3600};
    if (unit <= DP_MASK_HOUR) return floor_to(v, seconds[unit] * second);
    int64_t day = 86400 * second;
    return floor_days(floor_to(v, day) / day, unit) * day;
}

static int64_t per_second(enum dp_time_unit u) { return u == DP_UNIT_MILLIS ? 1000 : u == DP_UNIT_MICROS ? 1000000 : 1000000000; }

/* Where the floor would fall out of the range of the column, the text of the value would not read either. */
static bool in_range(const struct dp_column *c, int64_t second) {
    const int64_t *v = (const int64_t *)(const void *)c->data;
    int64_t most = INT64_MAX - 367 * 86400 * second;
    for (int64_t i = 0; i < c->length; i++)
        if (v[i] > most || v[i] < -most) return false;
    return true;
}

static void mask_times(const struct mask_node *n, const struct dp_column *in, struct dp_column *out) {
    enum dp_mask_unit unit = (enum dp_mask_unit)n->rule.unit;
    dp_column_append(out, in, 0, in->length);
    if (in->type->id == DP_TYPE_DATE) {
        int32_t *v = (int32_t *)(void *)out->data;
        for (int64_t i = 0; i < out->length; i++) v[i] = dp_column_is_valid(out, i) ? (int32_t)floor_days(v[i], unit) : 0;
        return;
    }
    int64_t *v = (int64_t *)(void *)out->data, second = per_second(in->type->unit);
    for (int64_t i = 0; i < out->length; i++) v[i] = dp_column_is_valid(out, i) ? floor_time(v[i], second, unit) : 0;
}

/* ---- everything else ---- */

#define TEXT_ROWS 4096 /* that are text at once */

/* The columns of `pick` as a batch of their own, borrowed. */
static struct dp_batch view(const struct dp_batch *b, const size_t *pick, size_t n, struct dp_type *schema, struct dp_column *columns) {
    struct dp_type *bare = schema;
    bare->children = dp_calloc(n + 1, sizeof *bare->children);
    bare->n_children = n;
    for (size_t i = 0; i < n; i++) {
        bare->children[i] = b->schema->children[pick[i]];
        columns[i] = b->columns[pick[i]];
    }
    return (struct dp_batch){.schema = bare, .length = b->length, .columns = columns, .n_columns = n};
}

static void append_null_row(struct dp_batch *b) {
    for (size_t i = 0; i < b->n_columns; i++) dp_column_append_null(&b->columns[i]);
    b->length++;
}

/* One record of masked text as a row. */
static enum dp_status read_back(struct batch_run *b, struct dp_scan *scan, struct dp_shred *shred, int64_t row, struct dp_batch *to, struct dp_err *err) {
    struct dp_mask_run *r = b->r;
    struct dp_shred_reject why;
    struct dp_record rec;
    dp_buf_reserve(&r->masked, DP_SCAN_PAD);
    DP_TRY(dp_scan_value(scan, r->masked.p, r->masked.n, &rec, err));
    enum dp_status status = dp_shred_record(shred, &rec, to, &why);
    if (status == DP_LIMIT) return dp_err_set(err, DP_LIMIT, "a column of a batch would pass 2 GiB");
    if (status != DP_RECORD) return status;
    struct dp_mask_reject w = {.rule = "type"};
    (void)snprintf(w.path, sizeof w.path, "%s", why.path);
    if (!strcmp(why.rule, "required")) (void)snprintf(w.reason, sizeof w.reason, "%.199s", why.reason); /* has no value in it */
    else (void)snprintf(w.reason, sizeof w.reason, "expected %s", why.expected);
    report(b, row, &w);
    append_null_row(to);
    return DP_OK;
}

static void print_rows(struct dp_mask_run *r, const struct dp_batch *from, int64_t row) {
    dp_buf_reset(&r->lines);
    dp_batch_print(from, row, from->length - row < TEXT_ROWS ? from->length - row : TEXT_ROWS, NULL, &r->lines);
    dp_buf_reserve(&r->lines, DP_SCAN_PAD);
    dp_scan_begin(r->scan, r->lines.p, r->lines.n);
    dp_mask_run_reset(r);
}

static enum dp_status through_records(struct batch_run *b, struct dp_batch *from, struct dp_batch *to, struct dp_err *err) {
    struct dp_mask_run *r = b->r;
    struct dp_mask_reject why;
    struct dp_record rec;
    struct dp_scan *back = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    struct dp_shred *shred = dp_shred_open(to->schema, true);
    enum dp_status status = DP_OK;
    if (!r->scan) r->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    for (int64_t row = 0; row < from->length; row++) {
        if (row % TEXT_ROWS == 0) print_rows(r, from, row);
        DP_TRY_OUT(dp_scan_next(r->scan, &rec, err));
        dp_buf_reset(&r->masked);
        if (rec.duplicate_keys) { /* a map whose keys are not unique */
            why = (struct dp_mask_reject){.rule = "duplicate-key", .expected = "each key once", .reason = "a key stands twice in one object"};
            status = DP_RECORD;
        } else {
            status = dp_mask_record(r, &rec, &r->masked, &why);
        }
        if (status == DP_RECORD) {
            report(b, row, &why);
            append_null_row(to);
            status = DP_OK;
            continue;
        }
        DP_TRY_OUT(read_back(b, back, shred, row, to, err));
    }
out:
    dp_shred_close(shred);
    dp_scan_close(back);
    if (status == DP_END || status == DP_RECORD) status = dp_err_set(err, DP_FORMAT, "a row can't be held as a record");
    return status;
}

/* ---- the batch ---- */

static bool is_string(const struct dp_type *t) { return t->id == DP_TYPE_STRING || t->id == DP_TYPE_ENUM; }

/* True when the column is done; false: it has to go through records. */
static bool mask_column(struct batch_run *b, const struct mask_node *n, const struct dp_column *in, struct dp_column *out) {
    if (!n || dp_mask_passes(b->r->mask, in->type)) return dp_column_append(out, in, 0, in->length), true;
    if (n->act != MASK_APPLY) return false;
    const struct dp_mask_technique *t = n->rule.technique;
    if (!t->apply) {
        for (int64_t i = 0; i < in->length; i++) dp_column_append_null(out);
        return true;
    }
    if (is_string(in->type) && is_string(out->type) && t->apply != dp_mask_fixed && dp_mask_form(n->type) == DP_KIND_STRING) return mask_strings(b, n, in, out), true;
    bool time = in->type->id == DP_TYPE_TIMESTAMP || in->type->id == DP_TYPE_DATE;
    if (time && t->apply == dp_mask_truncate && (in->type->id == DP_TYPE_DATE || in_range(in, per_second(in->type->unit)))) return mask_times(n, in, out), true;
    return false;
}

static enum dp_status rest_of(struct batch_run *b, const size_t *ins, const size_t *outs, size_t n, struct dp_err *err) {
    struct dp_type in_schema = *b->in->schema, out_schema = *b->out->schema;
    struct dp_column *in_columns = dp_calloc(n, sizeof *in_columns), *out_columns = dp_calloc(n, sizeof *out_columns);
    struct dp_batch from = view(b->in, ins, n, &in_schema, in_columns), to = view(b->out, outs, n, &out_schema, out_columns), made;
    dp_batch_init(&made, to.schema);
    enum dp_status status = through_records(b, &from, &made, err);
    for (size_t i = 0; i < n && status == DP_OK; i++) dp_column_append(&b->out->columns[outs[i]], &made.columns[i], 0, made.length);
    dp_batch_release(&made);
    free(in_columns), free(out_columns);
    free(in_schema.children), free(out_schema.children);
    return status;
}

enum dp_status dp_mask_batch(struct dp_mask_run *r, const struct dp_batch *in, struct dp_batch *out, dp_mask_bad bad, void *ctx, struct dp_err *err) {
    struct batch_run b = {.r = r, .in = in, .out = out, .bad = bad, .ctx = ctx};
    size_t *ins = dp_calloc(2 * (in->n_columns + 1), sizeof *ins), *outs = ins + in->n_columns + 1, n = 0, at = 0;
    dp_batch_reset(out);
    for (size_t i = 0; i < in->n_columns && at < out->n_columns; i++) { /* the schema behind the mask has the same order, without some */
        const struct dp_type *t = in->schema->children[i], *o = out->schema->children[at];
        if (!dp_str_eq(dp_str(t->name, t->name_n), dp_str(o->name, o->name_n))) continue;
        const struct mask_node *node = dp_mask_child(&r->mask->root, dp_str(t->name, t->name_n), i);
        if (!mask_column(&b, node, &in->columns[i], &out->columns[at])) ins[n] = i, outs[n++] = at;
        at++;
    }
    enum dp_status status = at == out->n_columns ? DP_OK : dp_err_set(err, DP_BUG, "a column of the masked schema is not in the batch");
    if (status == DP_OK && n) status = rest_of(&b, ins, outs, n, err);
    out->length = in->length;
    free(ins);
    return status;
}
