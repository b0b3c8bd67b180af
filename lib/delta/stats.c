/*
 * Statistics of an add action from Parquet metadata (digest section 8).
 *
 * Bounds come from min_value and max_value of the column chunks, which the writer of the file vouches for by its column order; the deprecated
 * fields and INT96 are not used.  Arrays, maps, booleans and binary have no bounds; the null count of an array can't be told from the file's
 * (which counts elements) and is left out.
 */
#include <dp/base/decimal.h>
#include <dp/base/time.h>
#include <dp/delta/stats.h>
#include <math.h>
#include <stdlib.h>

enum bound_form { BOUND_NONE, BOUND_INT, BOUND_DOUBLE, BOUND_TEXT };

struct bound {
    enum bound_form form;
    dp_i128 i;
    double d;
    struct dp_str s;
};

/* One leaf column of the table over all row groups, in schema order. */
struct leaf {
    const struct dp_type *type;
    bool bounded;       /* min and max hold for all rows that are not null */
    int64_t nulls;      /* -1: not known */
    int64_t scale_ms;   /* timestamps: units in a millisecond */
    struct bound min, max;
};

struct gather {
    const struct dp_pq_meta *meta;
    const struct dp_delta_stats_opts *opts;
    struct leaf *leaves;
    size_t n, cap;
    int64_t seen;       /* leaves counted against indexed_columns */
    struct dp_buf path; /* dotted, for dataSkippingStatsColumns */
};

/* ---- configuration ---- */

/* A comma list of dotted names; back-ticks quote a part. */
static void parse_columns(struct dp_str text, struct dp_arena *arena, struct dp_delta_strs *out) {
    struct dp_buf b = {0};
    bool quoted = false;
    out->is_set = true;
    out->v = dp_arena_calloc(arena, text.n + 1, sizeof *out->v);
    for (size_t i = 0; i <= text.n; i++) {
        char c = i < text.n ? text.p[i] : ',';
        if (c == '`' && i < text.n) {
            quoted = !quoted;
        } else if (c == ',' && (!quoted || i == text.n)) {
            while (b.n && b.p[b.n - 1] == ' ') b.n--;
            if (b.n) out->v[out->n++] = dp_arena_str(arena, dp_buf_str(&b));
            dp_buf_reset(&b);
        } else if (c != ' ' || b.n) {
            dp_buf_addc(&b, c);
        }
    }
    dp_buf_release(&b);
}

void dp_delta_stats_configure(const struct dp_delta_pairs *configuration, struct dp_arena *arena, struct dp_delta_stats_opts *out) {
    int64_t n;
    *out = (struct dp_delta_stats_opts){.indexed_columns = 32, .prefix = 32};
    if (dp_parse_i64(dp_delta_pairs_text(configuration, "delta.dataSkippingNumIndexedCols", DP_STR("")), &n)) out->indexed_columns = n;
    if (dp_parse_i64(dp_delta_pairs_text(configuration, "delta.dataSkippingStringPrefixLength", DP_STR("")), &n) && n > 0 && n <= 1024)
        out->prefix = (size_t)n;
    struct dp_str columns = dp_delta_pairs_text(configuration, "delta.dataSkippingStatsColumns", DP_STR(""));
    if (columns.n) parse_columns(columns, arena, &out->columns);
}

static bool is_wanted(struct gather *g) {
    struct dp_str path = dp_buf_str(&g->path);
    int64_t at = g->seen++;
    if (!g->opts->columns.is_set) return g->opts->indexed_columns < 0 || at < g->opts->indexed_columns;
    for (size_t i = 0; i < g->opts->columns.n; i++) {
        struct dp_str c = g->opts->columns.v[i];
        if (dp_str_starts(path, c) && (path.n == c.n || path.p[c.n] == '.')) return true;
    }
    return false;
}

/* ---- decoding of bounds ---- */

static bool read_le(struct dp_str s, dp_i128 *out) {
    if (s.n == 4) {
        int32_t v;
        memcpy(&v, s.p, 4);
        *out = v;
        return true;
    }
    if (s.n != 8) return false;
    int64_t v;
    memcpy(&v, s.p, 8);
    *out = v;
    return true;
}

static bool read_be(struct dp_str s, dp_i128 *out) {
    if (!s.n || s.n > 16) return false;
    dp_u128 v = (signed char)s.p[0] < 0 ? ~(dp_u128)0 : 0;
    for (size_t i = 0; i < s.n; i++) v = v << 8 | (unsigned char)s.p[i];
    *out = (dp_i128)v;
    return true;
}

static bool read_float(struct dp_str s, double *out) {
    if (s.n == 4) {
        float v;
        memcpy(&v, s.p, 4);
        *out = (double)v;
    } else if (s.n == 8) {
        memcpy(out, s.p, 8);
    } else {
        return false;
    }
    return !isnan(*out);
}

static bool read_bound(const struct dp_type *t, const struct dp_pq_element *e, struct dp_str s, struct bound *out) {
    switch (t->id) {
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_DATE: case DP_TYPE_TIMESTAMP:
        out->form = BOUND_INT;
        return e->type != DP_PQ_INT96 && read_le(s, &out->i);
    case DP_TYPE_DECIMAL:
        out->form = BOUND_INT;
        return e->type == DP_PQ_INT32 || e->type == DP_PQ_INT64 ? read_le(s, &out->i) : read_be(s, &out->i);
    case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE:
        out->form = BOUND_DOUBLE;
        return read_float(s, &out->d);
    case DP_TYPE_STRING:
        out->form = BOUND_TEXT;
        out->s = s;
        return true;
    default:
        return false;
    }
}

static int compare(const struct bound *a, const struct bound *b) {
    if (a->form == BOUND_INT) return (a->i > b->i) - (a->i < b->i);
    if (a->form == BOUND_DOUBLE) return (a->d > b->d) - (a->d < b->d);
    return dp_str_cmp(a->s, b->s);
}

static void add_group(struct leaf *l, const struct dp_pq_element *e, const struct dp_pq_chunk *chunk, int64_t rows) {
    const struct dp_pq_stats *s = &chunk->stats;
    struct bound min, max;
    if (s->null_count < 0 && e->max_def > 0) l->nulls = -1;
    else if (l->nulls >= 0) l->nulls += s->null_count > 0 ? s->null_count : 0;
    if (s->null_count == rows || rows == 0) return; /* nothing but nulls: no bounds, and none needed */
    if (!s->has_min || !s->has_max || !read_bound(l->type, e, s->min, &min) || !read_bound(l->type, e, s->max, &max) || compare(&min, &max) > 0) {
        l->bounded = false;
        return;
    }
    if (l->min.form == BOUND_NONE || compare(&min, &l->min) < 0) l->min = min;
    if (l->max.form == BOUND_NONE || compare(&max, &l->max) > 0) l->max = max;
}

static void gather_leaf(struct gather *g, const struct dp_type *t, int32_t element) {
    struct leaf l = {.type = t, .nulls = -1, .scale_ms = 1000};
    bool nested = t->id == DP_TYPE_LIST || t->id == DP_TYPE_MAP;
    if (!is_wanted(g)) {
        /* Outside the indexed columns: nothing is said of it. */
    } else if (element < 0) {
        l.nulls = g->meta->num_rows; /* the file lacks the column: all null */
    } else if (!nested && g->meta->elements[element].leaf >= 0) {
        const struct dp_pq_element *e = &g->meta->elements[element];
        l.nulls = 0;
        l.bounded = g->meta->column_orders && g->meta->column_orders[e->leaf] != DP_PQ_ORDER_NONE;
        l.scale_ms = e->unit == 1 ? 1 : 1000;
        for (size_t i = 0; i < g->meta->n_row_groups; i++)
            if ((size_t)e->leaf < g->meta->row_groups[i].n_chunks)
                add_group(&l, e, &g->meta->row_groups[i].chunks[e->leaf], g->meta->row_groups[i].num_rows);
    }
    g->leaves = dp_grow(g->leaves, &g->cap, g->n + 1, sizeof *g->leaves);
    g->leaves[g->n++] = l;
}

/* Number of the child element with this name, -1 when there is none. */
static int32_t find_child(const struct dp_pq_meta *m, int32_t parent, const struct dp_type *t) {
    for (size_t i = (size_t)(parent + 1); parent >= 0 && i < m->n_elements; i++)
        if (m->elements[i].parent == parent && dp_str_eq(m->elements[i].name, dp_str(t->name, t->name_n))) return (int32_t)i;
    return -1;
}

static void gather_fields(struct gather *g, const struct dp_type *parent, const struct dp_type *names, int32_t element) {
    for (size_t i = 0; i < parent->n_children; i++) {
        const struct dp_type *t = parent->children[i], *named = names->children[i];
        int32_t child = find_child(g->meta, element, t);
        size_t mark = g->path.n;
        if (mark) dp_buf_addc(&g->path, '.');
        dp_buf_add(&g->path, named->name, named->name_n);
        if (t->id == DP_TYPE_STRUCT) gather_fields(g, t, named, child);
        else gather_leaf(g, t, child);
        g->path.n = mark;
    }
}

/* ---- strings ---- */

static size_t char_length(unsigned char c) { return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4; }

/* Bytes of the longest prefix of at most `units` UTF-16 units, or one more rather than half a pair. */
static size_t cut_at(struct dp_str s, size_t units) {
    size_t i = 0, n = 0;
    while (i < s.n && n < units) {
        size_t len = char_length((unsigned char)s.p[i]);
        if (len > s.n - i) break;
        n += len == 4 ? 2 : 1;
        i += len;
    }
    return i;
}

struct dp_str dp_delta_string_min(struct dp_str s, size_t units) { return dp_str(s.p, cut_at(s, units)); }

bool dp_delta_string_max(struct dp_str s, size_t units, struct dp_buf *out) {
    size_t cut = cut_at(s, units);
    /* U+10FFFF can't be topped: it stays, up to twice the length. */
    while (cut + 4 <= s.n && !memcmp(s.p + cut, "\xf4\x8f\xbf\xbf", 4)) {
        cut += 4;
        if (cut_at(s, 2 * units) < cut) return false;
    }
    dp_buf_add(out, s.p, cut);
    if (cut == s.n) return true;
    if ((unsigned char)s.p[cut] < 0x7f) dp_buf_addc(out, 0x7f);
    else dp_buf_add(out, "\xf4\x8f\xbf\xbf", 4);
    return true;
}

/* ---- printing ---- */

static bool print_text(const struct bound *b, bool is_max, const struct dp_delta_stats_opts *opts, struct dp_buf *out) {
    if (!dp_utf8_valid(b->s.p, b->s.n, NULL)) return false; /* a bound that was cut in the middle of a character */
    if (!is_max) {
        dp_json_add_string(out, dp_delta_string_min(b->s, opts->prefix));
        return true;
    }
    struct dp_buf text = {0};
    bool there = dp_delta_string_max(b->s, opts->prefix, &text);
    if (there) dp_json_add_string(out, dp_buf_str(&text));
    dp_buf_release(&text);
    return there;
}

static bool print_int(const struct leaf *l, const struct bound *b, struct dp_buf *out) {
    char text[64];
    int64_t v = (int64_t)b->i;
    switch (l->type->id) {
    case DP_TYPE_DECIMAL:
        dp_buf_add(out, text, dp_decimal_print(text, b->i, l->type->scale));
        return true;
    case DP_TYPE_DATE:
        dp_buf_addc(out, '"');
        dp_buf_add(out, text, dp_date_print(text, (int32_t)v));
        dp_buf_addc(out, '"');
        return true;
    case DP_TYPE_TIMESTAMP: {
        int64_t ms = v / l->scale_ms - (v % l->scale_ms < 0), micros;
        if (dp_mul_overflow(ms, 1000, &micros)) return false;
        dp_buf_addc(out, '"');
        dp_buf_add(out, text, dp_time_print_micros(text, micros, l->type->utc, 3));
        dp_buf_addc(out, '"');
        return true;
    }
    default:
        dp_json_add_i64(out, v);
        return true;
    }
}

static bool print_bound(const struct leaf *l, bool is_max, const struct dp_delta_stats_opts *opts, struct dp_buf *out) {
    const struct bound *b = is_max ? &l->max : &l->min;
    char text[32];
    if (!l->bounded) return false;
    switch (b->form) {
    case BOUND_NONE: return false;
    case BOUND_INT: return print_int(l, b, out);
    case BOUND_TEXT: return print_text(b, is_max, opts, out);
    case BOUND_DOUBLE:
        if (isinf(b->d)) return false; /* no JSON number, and no use */
        dp_buf_add(out, text, l->type->id == DP_TYPE_FLOAT ? dp_print_float(text, (float)b->d) : dp_print_double(text, b->d));
        return true;
    }
    return false;
}

enum what { MIN_VALUES, MAX_VALUES, NULL_COUNT };

static bool print_leaf(const struct leaf *l, enum what what, const struct dp_delta_stats_opts *opts, struct dp_buf *out) {
    if (what != NULL_COUNT) return print_bound(l, what == MAX_VALUES, opts, out);
    if (l->nulls < 0) return false;
    dp_json_add_i64(out, l->nulls);
    return true;
}

/* An object of the fields that have a value; false (and nothing printed) when none has. */
static bool print_fields(const struct dp_type *parent, const struct leaf **next, enum what what, const struct dp_delta_stats_opts *opts,
                         struct dp_buf *out) {
    size_t start = out->n;
    bool any = false;
    dp_buf_addc(out, '{');
    for (size_t i = 0; i < parent->n_children; i++) {
        const struct dp_type *t = parent->children[i];
        size_t mark = out->n;
        if (any) dp_buf_addc(out, ',');
        dp_json_add_string(out, dp_str(t->name, t->name_n));
        dp_buf_addc(out, ':');
        bool there = t->id == DP_TYPE_STRUCT ? print_fields(t, next, what, opts, out) : print_leaf((*next)++, what, opts, out);
        if (there) any = true;
        else out->n = mark;
    }
    dp_buf_addc(out, '}');
    if (!any) out->n = start;
    return any;
}

void dp_delta_data_columns(const struct dp_type *schema, const struct dp_type *physical, const struct dp_delta_strs *partition_columns, struct dp_type **data, struct dp_type **names) {
    *data = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    *names = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    for (size_t i = 0; i < schema->n_children; i++) {
        bool is_partition = false;
        for (size_t k = 0; k < partition_columns->n; k++)
            is_partition |= dp_str_eq(partition_columns->v[k], dp_str(schema->children[i]->name, schema->children[i]->name_n));
        if (is_partition) continue;
        dp_type_add(*data, dp_type_copy(physical->children[i]));
        dp_type_add(*names, dp_type_copy(schema->children[i]));
    }
}

void dp_delta_stats_print(const struct dp_pq_meta *meta, const struct dp_type *data, const struct dp_delta_stats_opts *opts, struct dp_buf *out) {
    static const char *const names[] = {"minValues", "maxValues", "nullCount"};
    struct gather g = {.meta = meta, .opts = opts};
    gather_fields(&g, data, opts->names ? opts->names : data, 0);
    dp_buf_addf(out, "{\"numRecords\":%lld", (long long)meta->num_rows);
    for (int what = 0; what < 3; what++) {
        const struct leaf *next = g.leaves;
        size_t mark = out->n;
        dp_buf_addf(out, ",\"%s\":", names[what]);
        if (!print_fields(data, &next, (enum what)what, opts, out)) out->n = mark;
    }
    dp_buf_addc(out, '}');
    free(g.leaves);
    dp_buf_release(&g.path);
}

/* ---- as a type ---- */

static bool has_bounds(const struct dp_type *t) {
    switch (t->id) {
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_DATE: case DP_TYPE_TIMESTAMP: case DP_TYPE_DECIMAL:
    case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE: case DP_TYPE_STRING: return true;
    default: return false;
    }
}

static void type_fields(struct gather *g, const struct dp_type *data, const struct dp_type *names, bool counts, struct dp_type *out) {
    for (size_t i = 0; i < data->n_children; i++) {
        const struct dp_type *t = data->children[i], *named = names->children[i];
        size_t mark = g->path.n;
        if (mark) dp_buf_addc(&g->path, '.');
        dp_buf_add(&g->path, named->name, named->name_n);
        struct dp_type *field = NULL;
        if (t->id == DP_TYPE_STRUCT) {
            field = dp_type_new(DP_TYPE_STRUCT, dp_str(t->name, t->name_n));
            type_fields(g, t, named, counts, field);
            if (!field->n_children) dp_type_free(field), field = NULL;
        } else if (is_wanted(g) && t->id != DP_TYPE_NONE && (counts || has_bounds(t))) {
            field = counts ? dp_type_new(DP_TYPE_INT64, dp_str(t->name, t->name_n)) : dp_type_copy(t);
            field->nullable = true;
        }
        if (field) dp_type_add(out, field);
        g->path.n = mark;
    }
}

struct dp_type *dp_delta_stats_type(const struct dp_type *data, const struct dp_delta_stats_opts *opts) {
    static const char *const names[] = {"minValues", "maxValues", "nullCount"};
    struct dp_type *out = dp_type_new(DP_TYPE_STRUCT, DP_STR("stats_parsed"));
    dp_type_add(out, dp_type_new(DP_TYPE_INT64, DP_STR("numRecords")));
    dp_type_add(out, dp_type_new(DP_TYPE_BOOLEAN, DP_STR("tightBounds")));
    for (int what = 0; what < 3; what++) {
        struct gather g = {.opts = opts};
        struct dp_type *fields = dp_type_new(DP_TYPE_STRUCT, dp_str_z(names[what]));
        type_fields(&g, data, opts->names ? opts->names : data, what == NULL_COUNT, fields);
        if (fields->n_children) dp_type_add(out, fields);
        else dp_type_free(fields);
        dp_buf_release(&g.path);
    }
    return out;
}
