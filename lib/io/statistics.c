/*
 * Statistics of typed sources (dp/io/statistics.h): footers, row group by row group.
 *
 * What it does not do: partition columns of tables (they stand in the log, not in footers), nested columns, columns that have different types in
 * different files, tables that map columns by id.  Nothing is known of those.
 */
#include <dp/io/statistics.h>

#include <dp/base/decimal.h>
#include <dp/base/map.h>
#include <dp/delta/path.h>
#include <dp/delta/snapshot.h>
#include <dp/parquet/reader.h>

#include <stdlib.h>
#include <strings.h>

struct column {
    struct dp_type *type;        /* of the first file that has it */
    bool is_unknown;             /* types differ, nested, of a partition */
    int64_t nulls;               /* -1: not known */
    uint64_t seen;               /* rows of the files that have it */
    size_t sources, last_source; /* how many sources have it; the last one, from 1 */
    bool no_numbers, no_times, inexact;
    bool has_numbers, has_times;
    struct dp_buf low, high;
    int64_t low_micros, high_micros;
};

struct dp_statistics {
    struct dp_map columns; /* name -> struct column */
    uint64_t rows;
    size_t sources;
    struct dp_buf min, max;
};

static struct column *column_of(struct dp_statistics *s, const char *name) {
    bool is_new;
    struct dp_map_item *i = dp_map_put(&s->columns, dp_str_z(name), &is_new);
    if (is_new) i->v.p = dp_calloc(1, sizeof(struct column));
    return i->v.p;
}

/* ---- a file ---- */

static void widen_numbers(struct column *c, struct dp_str low, struct dp_str high) {
    if (!c->has_numbers || dp_number_cmp(low, dp_buf_str(&c->low)) < 0) dp_buf_reset(&c->low), dp_buf_adds(&c->low, low);
    if (!c->has_numbers || dp_number_cmp(high, dp_buf_str(&c->high)) > 0) dp_buf_reset(&c->high), dp_buf_adds(&c->high, high);
    c->has_numbers = true;
}

static void widen_times(struct column *c, int64_t low, int64_t high) {
    if (!c->has_times || low < c->low_micros) c->low_micros = low;
    if (!c->has_times || high > c->high_micros) c->high_micros = high;
    c->has_times = true;
}

static bool is_number(const struct dp_type *t) { return dp_type_is_integer(t) || t->id == DP_TYPE_FLOAT || t->id == DP_TYPE_DOUBLE || t->id == DP_TYPE_DECIMAL; }
static bool is_time(const struct dp_type *t) { return t->id == DP_TYPE_DATE || t->id == DP_TYPE_TIMESTAMP; }

static void add_group(struct dp_statistics *s, struct column *c, const struct dp_pq_meta *m, size_t group, size_t leaf, const struct dp_type *t) {
    int64_t nulls, low, high, rows = m->row_groups[group].num_rows;
    bool has = dp_pq_bounds(m, group, leaf, &s->min, &s->max, &nulls);
    const struct dp_pq_stats *stats = &m->row_groups[group].chunks[leaf].stats;
    if (nulls < 0 || c->nulls < 0) c->nulls = -1;
    else c->nulls += nulls;
    if (nulls >= 0 && nulls == rows) return; /* no value at all */
    if (has && is_number(t)) widen_numbers(c, dp_buf_str(&s->min), dp_buf_str(&s->max));
    else c->no_numbers = true;
    if (is_time(t) && dp_pq_bounds_micros(m, group, leaf, &low, &high)) widen_times(c, low, high);
    else c->no_times = true;
    bool is_nanos = t->id == DP_TYPE_TIMESTAMP && t->unit == DP_UNIT_NANOS;
    if (is_nanos || stats->min_exact == 0 || stats->max_exact == 0) c->inexact = true;
}

/* One column of a file under the name that records have. leaf SIZE_MAX: it has none of its own, or several. */
static void add_column(struct dp_statistics *s, const char *name, const struct dp_type *t, const struct dp_pq_meta *m, size_t leaf, uint64_t live, bool has_deleted) {
    struct column *c = column_of(s, name);
    if (!c->type) c->type = dp_type_copy(t);
    bool same = c->type->id == t->id && c->type->utc == t->utc && c->type->unit == t->unit && c->type->scale == t->scale;
    if (!same || dp_type_is_nested(t) || leaf == SIZE_MAX) c->is_unknown = true;
    c->seen += live;
    if (c->last_source != s->sources) c->sources++, c->last_source = s->sources;
    if (c->is_unknown) return;
    int64_t before = c->nulls;
    for (size_t g = 0; g < m->n_row_groups; g++) add_group(s, c, m, g, leaf, t);
    if (!has_deleted) return;
    if (c->nulls != before) c->nulls = -1; /* some of them may be deleted */
    c->inexact = true;
}

/* `physical` NULL: names are the file's own; else a table's columns by the names that its files have. */
static enum dp_status add_file(struct dp_statistics *s, const char *path, const struct dp_type *display, const struct dp_type *physical, int64_t deleted,
                               struct dp_err *err) {
    struct dp_pq_file *f;
    DP_TRY(dp_pq_open(path, &f, err));
    const struct dp_pq_meta *m = dp_pq_meta(f);
    const struct dp_type *schema = dp_pq_schema(f);
    uint64_t rows = 0;
    for (size_t g = 0; g < m->n_row_groups; g++) rows += (uint64_t)m->row_groups[g].num_rows;
    rows -= (uint64_t)deleted > rows ? rows : (uint64_t)deleted;
    s->rows += rows;
    for (size_t i = 0, leaf, n; i < schema->n_children; i++) {
        const struct dp_type *t = schema->children[i];
        const char *name = physical ? NULL : t->name;
        for (size_t k = 0; physical && k < physical->n_children; k++) {
            if (!strcmp(physical->children[k]->name, t->name)) name = display->children[k]->name;
            else if (!strcasecmp(physical->children[k]->name, t->name)) column_of(s, display->children[k]->name)->is_unknown = true; /* it may be read as this one */
        }
        dp_pq_column_leaves(f, i, &leaf, &n);
        if (name) add_column(s, name, t, m, n == 1 ? leaf : SIZE_MAX, rows, deleted > 0);
    }
    dp_pq_close(f);
    return DP_OK;
}

/* ---- a source ---- */

/* What footers can't tell for sure: partition columns, and columns that are read as another type than their files have. */
static void mark_unknown(struct dp_statistics *s, const struct dp_delta_snapshot *t) {
    for (size_t i = 0; i < t->schema->n_children; i++) {
        const struct dp_type *c = t->schema->children[i];
        struct column *x = column_of(s, c->name);
        if (x->last_source != s->sources) x->sources++, x->last_source = s->sources;
        if (t->mapping == DP_DELTA_MAPPING_ID || dp_delta_is_partition(t, dp_str(c->name, c->name_n))) x->is_unknown = true;
        if (!x->type) x->type = dp_type_copy(c);
        if (x->type->id != c->id || x->type->utc != c->utc) x->is_unknown = true; /* read as the table has it, not as its files */
    }
}

static enum dp_status add_table(struct dp_statistics *s, struct dp_run *run, const char *name, struct dp_err *err) {
    struct dp_delta_snapshot *t = NULL;
    const struct dp_delta_file *f;
    struct dp_buf path = {0};
    size_t cursor = 0;
    DP_TRY(dp_delta_open(name, -1, &t, err));
    mark_unknown(s, t);
    enum dp_status status = DP_OK;
    while (status == DP_OK && (f = dp_delta_next_file(t, &cursor)) != NULL) {
        dp_buf_reset(&path);
        status = dp_run_stopped(run, err) ? DP_SIGNALLED : dp_delta_path_resolve(name, f->path, &path, err);
        if (status == DP_OK) status = add_file(s, dp_buf_z(&path), t->schema, t->physical, f->dv.storage.p ? f->dv.cardinality : 0, err);
    }
    dp_buf_release(&path);
    dp_delta_close(t);
    return status;
}

enum dp_status dp_statistics_open(struct dp_run *run, const char *const *names, size_t n, struct dp_statistics **out, struct dp_err *err) {
    struct dp_statistics *s = dp_calloc(1, sizeof *s);
    enum dp_status status = DP_OK;
    for (size_t i = 0; i < n && status == DP_OK; i++) {
        s->sources++;
        status = dp_delta_is_table(names[i]) ? add_table(s, run, names[i], err) : add_file(s, names[i], NULL, NULL, 0, err);
        if (status != DP_OK) (void)dp_err_at(err, names[i], 0, DP_NO_OFFSET);
    }
    if (status == DP_OK) *out = s;
    else dp_statistics_close(s);
    return status;
}

void dp_statistics_close(struct dp_statistics *s) {
    if (!s) return;
    for (size_t i = 0; i < s->columns.n; i++) {
        struct column *c = s->columns.items[i].v.p;
        dp_type_free(c->type);
        dp_buf_release(&c->low);
        dp_buf_release(&c->high);
        free(c);
    }
    dp_map_release(&s->columns);
    dp_buf_release(&s->min);
    dp_buf_release(&s->max);
    free(s);
}

static bool column(void *ctx, const char *name, struct dp_check_column *out) {
    const struct dp_statistics *s = ctx;
    const struct dp_map_item *i = dp_map_get(&s->columns, dp_str_z(name));
    *out = (struct dp_check_column){.nulls = (int64_t)s->rows};
    if (!i) return true; /* in none of them */
    const struct column *c = i->v.p;
    if (c->is_unknown) return false;
    out->type = c->type;
    out->nulls = c->nulls < 0 ? -1 : c->nulls + (int64_t)(s->rows - c->seen);
    out->has_numbers = c->has_numbers && !c->no_numbers;
    out->low = dp_buf_str(&c->low), out->high = dp_buf_str(&c->high);
    out->has_times = c->has_times && !c->no_times;
    out->exact_times = !c->inexact;
    out->low_micros = c->low_micros, out->high_micros = c->high_micros;
    return true;
}

struct dp_check_stats dp_statistics_view(struct dp_statistics *s) { return (struct dp_check_stats){.rows = s->rows, .column = column, .ctx = s}; }

bool dp_statistics_everywhere(const struct dp_statistics *s, const char *name) {
    const struct dp_map_item *i = dp_map_get(&s->columns, dp_str_z(name));
    return i && ((const struct column *)i->v.p)->sources == s->sources;
}
