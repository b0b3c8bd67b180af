/*
 * Statistics of a live file against what the file holds (digest section 8).
 *
 * A minimum must not be above, a maximum not below any value, and null counts are exact, unless the bounds are wide.  Footers are bounds themselves, and may be cut:
 * what they leave open is no finding.  What it does not do: look at the statistics of lists, maps, booleans and binary, of which writers say different things.
 */
#include "adapt_priv.h"
#include "verify_priv.h"

#include <dp/base/decimal.h>
#include <dp/base/time.h>
#include <dp/delta/scan.h>
#include <dp/parquet/reader.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#define ROWS 8192
#define MILLISECOND 1000 /* microseconds that a maximum of timestamps may lack */

/* ---- what the log says ---- */

bool file_stats_open(const struct dp_delta_file *f, struct file_stats *s, bool *broken) {
    struct dp_str text = f->stats.n ? f->stats : f->stats_parsed;
    bool tight = true;
    memset(s, 0, sizeof *s);
    s->rows = -1;
    *broken = false;
    if (!text.n) return false;
    s->scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    dp_buf_adds(&s->text, text);
    memset(dp_buf_reserve(&s->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(s->scan, s->text.p, s->text.n, &s->rec, NULL) != DP_OK || s->rec.nodes[0].kind != DP_KIND_OBJECT) {
        *broken = true;
        return false;
    }
    uint32_t rows = dp_json_member(&s->rec, 0, "numRecords"), wide = dp_json_member(&s->rec, 0, "tightBounds");
    if (rows && (!dp_json_get_i64(&s->rec, rows, &s->rows) || s->rows < 0)) s->rows = -1;
    if (wide) (void)dp_json_get_bool(&s->rec, wide, &tight);
    s->tight = tight;
    return true;
}

void file_stats_close(struct file_stats *s) {
    if (s->scan) dp_scan_close(s->scan);
    dp_buf_release(&s->text);
    dp_arena_release(&s->arena);
    memset(s, 0, sizeof *s);
}

static int64_t micros_of(const struct dp_type *t, int64_t v) {
    if (t->unit == DP_UNIT_NANOS) return v / 1000 - (v % 1000 < 0);
    return t->unit == DP_UNIT_MILLIS ? v * 1000 : v;
}

static bool parse_bound(const struct dp_type *t, struct dp_str text, bool is_string, struct bound *out) {
    struct dp_decimal d;
    struct dp_timestamp ts;
    int64_t i;
    int32_t days;
    *out = (struct bound){0};
    switch (t->id) {
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64:
        if (is_string || !dp_parse_i64(text, &i)) return false;
        out->form = BOUND_INT, out->i = i;
        return true;
    case DP_TYPE_DECIMAL:
        if (is_string || !dp_decimal_parse(text, &d) || !dp_decimal_rescale(d, DP_DECIMAL_MAX_PRECISION, t->scale, &out->i)) return false;
        out->form = BOUND_INT;
        return true;
    case DP_TYPE_DATE:
        if (!is_string || !dp_date_parse(text, &days)) return false;
        out->form = BOUND_INT, out->i = days;
        return true;
    case DP_TYPE_TIMESTAMP:
        if (!is_string || !dp_time_parse(text, true, true, &ts) || !dp_time_micros(&ts, &i)) return false;
        out->form = BOUND_INT, out->i = i;
        return true;
    case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE:
        if (is_string || !dp_parse_double(text, &out->d) || !isfinite(out->d)) return false;
        if (t->id == DP_TYPE_FLOAT && fabs(out->d) > (double)FLT_MAX) return false;
        if (t->id == DP_TYPE_FLOAT) out->d = (double)(float)out->d;
        out->form = BOUND_DOUBLE;
        return true;
    case DP_TYPE_STRING:
        out->form = BOUND_TEXT, out->s = text;
        return is_string;
    default:
        return false;
    }
}

/* A member of one of the objects minValues, maxValues, nullCount by its path of physical names; 0: none. */
static uint32_t find_node(const struct file_stats *s, const char *of, const struct dp_str *path, size_t n) {
    uint32_t at = dp_json_member(&s->rec, 0, of);
    for (size_t i = 0; at && i < n; i++) at = s->rec.nodes[at].kind == DP_KIND_OBJECT ? dp_json_member(&s->rec, at, path[i].p) : 0;
    return at;
}

static void read_bound(struct file_stats *s, const char *of, const struct dp_type *t, const struct dp_str *path, size_t n, struct bound *out) {
    uint32_t at = find_node(s, of, path, n);
    struct dp_buf b = {0};
    *out = (struct bound){0};
    if (!at) return;
    bool is_string = s->rec.nodes[at].kind == DP_KIND_STRING;
    if (is_string && !dp_json_get_string(&s->rec, at, &b)) return dp_buf_release(&b);
    struct dp_str text = dp_arena_str(&s->arena, is_string ? dp_buf_str(&b) : dp_node_str(&s->rec, at));
    dp_buf_release(&b);
    if (!parse_bound(t, text, is_string, out)) *out = (struct bound){0};
}

static struct leaf_stats read_leaf(struct file_stats *s, const struct dp_type *t, const struct dp_str *path, size_t n) {
    struct leaf_stats l = {.nulls = -1};
    uint32_t at = find_node(s, "nullCount", path, n);
    if (at && (!dp_json_get_i64(&s->rec, at, &l.nulls) || l.nulls < 0 || (!s->tight && l.nulls != 0))) l.nulls = -1;
    read_bound(s, "minValues", t, path, n, &l.min);
    read_bound(s, "maxValues", t, path, n, &l.max);
    return l;
}

/* ---- comparing ---- */

/* A double that was a float when its file was written has a float's statistics. */
static bool same_float(double bound, double value) { return fabs(value) <= (double)FLT_MAX && (double)(float)value == value && (double)(float)bound == value; }

/* What the log says against what is in the file. */
static int compare(const struct bound *a, const struct bound *b) {
    if (a->form == BOUND_INT) return (a->i > b->i) - (a->i < b->i);
    if (a->form == BOUND_DOUBLE) return same_float(a->d, b->d) ? 0 : (a->d > b->d) - (a->d < b->d);
    return dp_str_cmp(a->s, b->s);
}

static void print_bound(const struct bound *b, struct dp_buf *out) {
    char text[48];
    if (b->form == BOUND_INT) dp_buf_add(out, text, dp_decimal_print(text, b->i, 0));
    else if (b->form == BOUND_DOUBLE) dp_buf_add(out, text, dp_print_double(text, b->d));
    else dp_json_add_string(out, dp_str(b->s.p, b->s.n > 64 ? 64 : b->s.n));
}

static void print_path(const struct dp_str *path, size_t n, struct dp_buf *out) {
    for (size_t i = 0; i < n; i++) {
        if (i) dp_buf_addc(out, '.');
        dp_buf_adds(out, path[i]);
    }
}

static void tell(const struct dp_str *path, size_t n, const char *which, const struct bound *says, const char *than, const struct bound *has, struct dp_buf *out) {
    dp_buf_addz(out, "statistics: ");
    print_path(path, n, out);
    dp_buf_addf(out, ": the log's %s ", which);
    print_bound(says, out);
    dp_buf_addf(out, " is %s the file's ", than);
    print_bound(has, out);
    dp_buf_addc(out, '\n');
}

static void tell_nulls(const struct dp_str *path, size_t n, int64_t says, int64_t has, struct dp_buf *out) {
    dp_buf_addz(out, "statistics: ");
    print_path(path, n, out);
    dp_buf_addf(out, ": the log counts %lld nulls, the file has %lld\n", (long long)says, (long long)has);
}

/* ---- footers ---- */

/* A bound that a writer may have cut is no proof: does `cut` stand for a longer text that begins as `full` does? */
static bool may_be_cut(const struct bound *cut, const struct bound *full) {
    size_t n = cut->s.n;
    return cut->form == BOUND_TEXT && n >= 16 && full->s.n >= n - 1 && !memcmp(cut->s.p, full->s.p, n - 1);
}

/* One leaf of one row group. */
static bool footer_bounds(const struct dp_pq_meta *m, size_t group, size_t leaf, const struct dp_type *t, struct dp_arena *arena, struct bound *min, struct bound *max,
                          int64_t *nulls) {
    struct dp_buf lo = {0}, hi = {0};
    int64_t a, b;
    bool there = dp_pq_bounds(m, group, leaf, &lo, &hi, nulls), is_text = t->id == DP_TYPE_STRING;
    const struct dp_pq_stats *s = &m->row_groups[group].chunks[leaf].stats;
    if (t->id == DP_TYPE_TIMESTAMP) {
        there = dp_pq_bounds_micros(m, group, leaf, &a, &b);
        *min = (struct bound){.form = BOUND_INT, .i = there ? (dp_i128)a + 1 : 0}, *max = (struct bound){.form = BOUND_INT, .i = there ? (dp_i128)b - 1 : 0};
    } else if (there) {
        there = parse_bound(t, dp_arena_str(arena, dp_buf_str(&lo)), is_text || t->id == DP_TYPE_DATE, min) &&
                parse_bound(t, dp_arena_str(arena, dp_buf_str(&hi)), is_text || t->id == DP_TYPE_DATE, max);
    }
    dp_buf_release(&lo);
    dp_buf_release(&hi);
    return there && s->min_exact != 0 && s->max_exact != 0;
}

static void leaf_against_footer(struct file_stats *s, const struct dp_type *physical, const struct dp_pq_file *pq, size_t leaf, struct dp_buf *out) {
    const struct dp_pq_meta *m = dp_pq_meta(pq);
    struct dp_str path = dp_str(physical->name, physical->name_n);
    struct leaf_stats said = read_leaf(s, physical, &path, 1);
    int64_t nulls = 0;
    bool low = false, high = false;
    for (size_t g = 0; g < m->n_row_groups; g++) {
        struct bound min = {0}, max = {0};
        int64_t n = -1;
        bool there = footer_bounds(m, g, leaf, physical, &s->arena, &min, &max, &n);
        nulls = n < 0 || nulls < 0 ? -1 : nulls + n;
        if (!there) continue;
        if (physical->id == DP_TYPE_TIMESTAMP) max.i -= MILLISECOND;
        if (said.min.form == min.form && compare(&said.min, &min) > 0 && !low && !may_be_cut(&min, &said.min))
            tell(&path, 1, "minimum", &said.min, "above", &min, out), low = true;
        if (said.max.form == max.form && compare(&said.max, &max) < 0 && !high && !may_be_cut(&max, &said.max))
            tell(&path, 1, "maximum", &said.max, "below", &max, out), high = true;
    }
    if (said.nulls >= 0 && nulls >= 0 && said.nulls != nulls) tell_nulls(&path, 1, said.nulls, nulls, out);
}

void file_stats_against_footer(const struct dp_delta_snapshot *t, struct file_stats *s, const struct dp_pq_file *pq, struct dp_buf *out) {
    struct adapt adapt = {.mapping = t->mapping};
    const struct dp_type *file = dp_pq_schema(pq);
    for (size_t i = 0; i < t->schema->n_children; i++) {
        const struct dp_type *p = t->physical->children[i];
        if (dp_type_is_nested(p) || dp_delta_is_partition(t, dp_str(t->schema->children[i]->name, t->schema->children[i]->name_n))) continue;
        int at = adapt_find(&adapt, file, p);
        size_t first, n;
        if (at < 0 || file->children[at]->id != p->id || file->children[at]->scale != p->scale) continue; /* missing or widened: --deep looks at it */
        dp_pq_column_leaves(pq, (size_t)at, &first, &n);
        if (n == 1) leaf_against_footer(s, p, pq, first, out);
    }
}

/* ---- values ---- */

struct column_check {
    const struct dp_type *type;   /* the scan's, display names */
    struct dp_str path[DP_LIMIT_SCHEMA_DEPTH];
    size_t depth;
    struct leaf_stats said;
    int64_t nulls;
    bool low, high, wide;         /* told already */
};

struct checks {
    struct file_stats *s;
    struct column_check *v;
    size_t n, cap;
    struct dp_buf *out;
};

static void plan_fields(struct checks *c, const struct dp_type *t, const struct dp_type *physical, const struct dp_str *path, size_t depth) {
    for (size_t i = 0; i < t->n_children && i < physical->n_children && depth < DP_LIMIT_SCHEMA_DEPTH; i++) {
        struct column_check x = {.type = t->children[i], .depth = depth + 1};
        if (depth) memcpy(x.path, path, depth * sizeof *path);
        x.path[depth] = dp_str(physical->children[i]->name, physical->children[i]->name_n);
        if (t->children[i]->id == DP_TYPE_STRUCT && physical->children[i]->id == DP_TYPE_STRUCT) {
            plan_fields(c, t->children[i], physical->children[i], x.path, depth + 1);
            continue;
        }
        if (!dp_type_is_nested(t->children[i])) x.said = read_leaf(c->s, t->children[i], x.path, x.depth);
        else x.said.nulls = -1;
        c->v = dp_grow(c->v, &c->cap, c->n + 1, sizeof *c->v);
        c->v[c->n++] = x;
    }
}

static bool value_at(const struct dp_column *c, int64_t row, struct bound *out) {
    const uint8_t *p = c->data;
    int32_t i32;
    float f;
    switch (c->type->id) {
    case DP_TYPE_INT8: out->form = BOUND_INT, out->i = (int8_t)p[row]; return true;
    case DP_TYPE_INT16: { int16_t v; memcpy(&v, p + 2 * row, 2); out->form = BOUND_INT, out->i = v; return true; }
    case DP_TYPE_INT32: case DP_TYPE_DATE: memcpy(&i32, p + 4 * row, 4); out->form = BOUND_INT, out->i = i32; return true;
    case DP_TYPE_INT64: { int64_t v; memcpy(&v, p + 8 * row, 8); out->form = BOUND_INT, out->i = v; return true; }
    case DP_TYPE_TIMESTAMP: { int64_t v; memcpy(&v, p + 8 * row, 8); out->form = BOUND_INT, out->i = micros_of(c->type, v); return true; }
    case DP_TYPE_DECIMAL: memcpy(&out->i, p + 16 * row, 16); out->form = BOUND_INT; return true;
    case DP_TYPE_FLOAT: memcpy(&f, p + 4 * row, 4); out->form = BOUND_DOUBLE, out->d = (double)f; return isfinite(f);
    case DP_TYPE_DOUBLE: memcpy(&out->d, p + 8 * row, 8); out->form = BOUND_DOUBLE; return isfinite(out->d);
    case DP_TYPE_STRING: out->form = BOUND_TEXT, out->s = dp_str((const char *)p + c->offsets[row], (size_t)(c->offsets[row + 1] - c->offsets[row])); return true;
    default: return false;
    }
}

static void check_column(struct checks *c, struct column_check *x, const struct dp_column *col) {
    struct bound v = {0}, slack;
    x->nulls += col->null_count;
    if (x->said.min.form == BOUND_NONE && x->said.max.form == BOUND_NONE) return;
    for (int64_t i = 0; i < col->length; i++) {
        if (!dp_column_is_valid(col, i) || !value_at(col, i, &v)) continue;
        if (x->said.min.form == v.form && !x->low && compare(&x->said.min, &v) > 0)
            tell(x->path, x->depth, "minimum", &x->said.min, "above", &v, c->out), x->low = true;
        slack = v;
        if (x->type->id == DP_TYPE_TIMESTAMP) slack.i -= MILLISECOND;
        if (x->said.max.form == v.form && !x->high && compare(&x->said.max, &slack) < 0)
            tell(x->path, x->depth, "maximum", &x->said.max, "below", &v, c->out), x->high = true;
    }
}

static void check_columns(struct checks *c, const struct dp_column *columns, size_t n, size_t *at) {
    for (size_t i = 0; i < n; i++) {
        if (columns[i].type->id == DP_TYPE_STRUCT) check_columns(c, columns[i].children, columns[i].n_children, at);
        else if (*at < c->n) check_column(c, &c->v[(*at)++], &columns[i]);
    }
}

static enum dp_status check_rows(struct dp_delta_scan *scan, struct checks *c, int64_t *rows, struct dp_err *err) {
    struct dp_delta_task *task;
    struct dp_batch b;
    enum dp_status status;
    dp_batch_init(&b, dp_delta_scan_schema(scan));
    while ((status = dp_delta_scan_next(scan, &task, err)) == DP_OK) {
        struct dp_delta_read *read = NULL;
        status = dp_delta_read_open(task, &read, err);
        while (status == DP_OK && (status = dp_delta_read_next(read, ROWS, &b, err)) == DP_OK) {
            size_t at = 0;
            *rows += b.length;
            check_columns(c, b.columns, b.n_columns, &at);
        }
        dp_delta_read_close(read);
        dp_delta_task_release(task);
        if (status != DP_END) break;
    }
    dp_batch_release(&b);
    return status == DP_END ? DP_OK : status;
}

enum dp_status file_stats_against_rows(const struct dp_delta_snapshot *t, struct file_stats *s, const struct dp_delta_file *f, const char *path, uint64_t memory,
                                       int64_t *rows, struct dp_buf *out, struct dp_err *err) {
    struct checks c = {.s = s, .out = out};
    struct dp_delta_scan *scan = NULL;
    struct dp_delta_file whole = *f;
    whole.dv = (struct dp_delta_dv){.offset = DP_DELTA_UNSET};
    *rows = 0;
    DP_TRY(dp_delta_scan_open(t, NULL, 0, NULL, &scan, err));
    dp_delta_scan_only(scan, &whole, &path, 1);
    dp_delta_scan_bound(scan, memory);
    if (s->scan) plan_fields(&c, dp_delta_scan_schema(scan), t->physical, NULL, 0);
    enum dp_status status = check_rows(scan, &c, rows, err);
    for (size_t i = 0; i < c.n && status == DP_OK; i++)
        if (c.v[i].said.nulls >= 0 && c.v[i].said.nulls != c.v[i].nulls) tell_nulls(c.v[i].path, c.v[i].depth, c.v[i].said.nulls, c.v[i].nulls, out);
    dp_delta_scan_close(scan);
    free(c.v);
    return status;
}
