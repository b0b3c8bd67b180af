/*
 * File skipping (digest section 8): what partition values and statistics say of an expression over the table's columns.
 *
 * Bounds are given in the spelling that records have.  A statistic is never believed further than the digest allows: a timestamp's maximum
 * is its millisecond's end, bounds of floats leave NaN and infinities open (writers pass them over), a null count under wide bounds counts only at its ends.
 */
#include <dp/base/decimal.h>
#include <dp/base/pool.h>
#include <dp/base/time.h>
#include <dp/delta/partition.h>
#include <dp/delta/snapshot.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

struct dp_delta_skipper {
    const struct dp_delta_snapshot *s;
    const struct dp_expr *e;
    const struct dp_delta_file *f;  /* that is asked about */
    struct dp_scan *scan, *values;  /* of the statistics, of partition values */
    struct dp_buf text, json;       /* their texts, padded */
    struct dp_record stats;
    bool looked, has_stats, wide;   /* looked: into the statistics of f */
    int64_t rows;
    struct dp_arena arena;          /* texts of bounds */
};

static struct dp_str stats_text(const struct dp_delta_file *f) { return f->stats.n ? f->stats : f->stats_parsed; }

static bool scan_stats(struct dp_scan *scan, struct dp_str text, struct dp_buf *padded, struct dp_record *rec) {
    if (!text.n) return false;
    dp_buf_reset(padded);
    dp_buf_adds(padded, text);
    memset(dp_buf_reserve(padded, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    return dp_scan_value(scan, padded->p, padded->n, rec, NULL) == DP_OK && rec->nodes[0].kind == DP_KIND_OBJECT;
}

int64_t dp_delta_file_rows(const struct dp_delta_file *f) {
    struct dp_str text = stats_text(f);
    struct dp_record rec;
    struct dp_buf padded = {0};
    int64_t rows = -1;
    if (!text.n) return -1;
    struct dp_scan *scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    if (scan_stats(scan, text, &padded, &rec)) {
        uint32_t node = dp_json_member(&rec, 0, "numRecords");
        if (!node || !dp_json_get_i64(&rec, node, &rows) || rows < 0) rows = -1;
    }
    dp_scan_close(scan);
    dp_buf_release(&padded);
    return rows;
}

/* The physical field of a display name. */
static const struct dp_type *physical_field(const struct dp_delta_snapshot *s, struct dp_str name) {
    for (size_t i = 0; i < s->schema->n_children; i++)
        if (dp_str_eq(dp_str(s->schema->children[i]->name, s->schema->children[i]->name_n), name)) return s->physical->children[i];
    return NULL;
}

/* A JSON value as bounds have it: numbers as spelled, strings decoded. */
static enum dp_kind value_text(struct dp_delta_skipper *q, const struct dp_record *r, uint32_t node, struct dp_str *out) {
    struct dp_buf b = {0};
    enum dp_kind kind = r->nodes[node].kind;
    if (kind == DP_KIND_NUMBER) *out = dp_arena_str(&q->arena, dp_node_str(r, node));
    else if (kind == DP_KIND_STRING && dp_json_get_string(r, node, &b)) *out = dp_arena_str(&q->arena, dp_buf_str(&b));
    else kind = DP_KIND_NONE;
    dp_buf_release(&b);
    return kind;
}

static bool partition_bounds(struct dp_delta_skipper *q, const struct dp_type *field, struct dp_expr_bounds *out) {
    const struct dp_delta_pair *p = dp_delta_pairs_get(&q->f->partition_values, dp_str(field->name, field->name_n));
    struct dp_record rec;
    dp_buf_reset(&q->json);
    if (dp_delta_partition_json(field, p ? p->value : DP_STR(""), !p || p->is_null, &q->json, NULL) != DP_OK) return false;
    memset(dp_buf_reserve(&q->json, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    if (dp_scan_value(q->values, q->json.p, q->json.n, &rec, NULL) != DP_OK) return false;
    out->rows = 1; /* the same value in each row, however many there are */
    if (rec.nodes[0].kind == DP_KIND_NULL) {
        out->nulls = 1;
    } else {
        out->kind = value_text(q, &rec, 0, &out->min);
        out->max = out->min;
    }
    return true;
}

/* Statistics are looked into when a column of theirs is asked about. */
static bool look(struct dp_delta_skipper *q) {
    if (q->looked) return q->has_stats;
    q->looked = true;
    q->rows = -1;
    q->wide = false;
    q->has_stats = scan_stats(q->scan, stats_text(q->f), &q->text, &q->stats);
    if (!q->has_stats) return false;
    uint32_t rows = dp_json_member(&q->stats, 0, "numRecords"), tight = dp_json_member(&q->stats, 0, "tightBounds");
    bool is_tight = true;
    if (!rows || !dp_json_get_i64(&q->stats, rows, &q->rows)) q->rows = -1;
    if (tight) (void)dp_json_get_bool(&q->stats, tight, &is_tight);
    q->wide = !is_tight;
    return true;
}

/*
 * Records compare as text, in spellings with 0 to 9 digits of fraction.  All spellings of a second's instants begin with its 19 characters and go on with '.' or 'Z',
 * so the 19 characters are a lower bound and the 19 characters with 'Z' an upper one.
 */
static bool timestamp_bounds(struct dp_delta_skipper *q, struct dp_expr_bounds *out) {
    struct dp_timestamp lo, hi;
    int64_t a, b;
    char text[40];
    if (!dp_time_parse(out->min, true, true, &lo) || !dp_time_parse(out->max, true, true, &hi) || !dp_time_micros(&lo, &a) ||
        !dp_time_micros(&hi, &b) || dp_add_overflow(b, 1000, &b))
        return false;
    if (a < -62135596800000000 || b > 253402300799000000) return false; /* years 1 to 9999 have 19 characters */
    if (dp_time_print_micros(text, a, false, 6) < 19) return false;
    out->min = dp_arena_str(&q->arena, dp_str(text, 19));
    if (dp_time_print_micros(text, b, false, 6) < 19) return false;
    text[19] = 'Z';
    out->max = dp_arena_str(&q->arena, dp_str(text, 20));
    return true;
}

/* A floating bound as a record spells the value: some writers print floats as doubles, or with 17 digits. */
static bool respell(struct dp_delta_skipper *q, const struct dp_type *field, struct dp_str *s) {
    double d;
    char text[32];
    if (!dp_parse_double(*s, &d) || !isfinite(d) || (field->id == DP_TYPE_FLOAT && fabs(d) > FLT_MAX)) return false;
    size_t n = field->id == DP_TYPE_FLOAT ? dp_print_float(text, (float)d) : dp_print_double(text, d);
    *s = dp_arena_str(&q->arena, dp_str(text, n));
    return true;
}

static void value_bounds(struct dp_delta_skipper *q, const struct dp_type *field, struct dp_expr_bounds *out) {
    uint32_t lo = dp_json_member(&q->stats, 0, "minValues"), hi = dp_json_member(&q->stats, 0, "maxValues");
    out->kind = DP_KIND_NONE;
    if (!lo || !hi || q->stats.nodes[lo].kind != DP_KIND_OBJECT || q->stats.nodes[hi].kind != DP_KIND_OBJECT) return;
    lo = dp_json_member(&q->stats, lo, field->name);
    hi = dp_json_member(&q->stats, hi, field->name);
    if (!lo || !hi) return;
    enum dp_kind a = value_text(q, &q->stats, lo, &out->min), b = value_text(q, &q->stats, hi, &out->max);
    if (a != b) return;
    switch (field->id) {
    case DP_TYPE_INT8: case DP_TYPE_INT16: case DP_TYPE_INT32: case DP_TYPE_INT64: case DP_TYPE_DECIMAL:
        if (a == DP_KIND_NUMBER) out->kind = a;
        return;
    case DP_TYPE_FLOAT: case DP_TYPE_DOUBLE:
        if (a == DP_KIND_NUMBER && respell(q, field, &out->min) && respell(q, field, &out->max)) out->kind = a, out->may_nan = true;
        return;
    case DP_TYPE_STRING: case DP_TYPE_DATE:
        if (a == DP_KIND_STRING) out->kind = a;
        return;
    case DP_TYPE_TIMESTAMP:
        if (a == DP_KIND_STRING && timestamp_bounds(q, out)) out->kind = a;
        return;
    default:
        return;
    }
}

static int64_t null_count(struct dp_delta_skipper *q, const struct dp_type *field) {
    uint32_t nulls = dp_json_member(&q->stats, 0, "nullCount");
    int64_t n;
    if (!nulls || q->stats.nodes[nulls].kind != DP_KIND_OBJECT) return -1;
    nulls = dp_json_member(&q->stats, nulls, field->name);
    if (!nulls || !dp_json_get_i64(&q->stats, nulls, &n) || n < 0) return -1;
    return q->wide && n != 0 && n != q->rows ? -1 : n;
}

static bool answer(void *ctx, const struct dp_str *path, size_t n, struct dp_expr_bounds *out) {
    struct dp_delta_skipper *q = ctx;
    const struct dp_type *field = n == 1 ? physical_field(q->s, path[0]) : NULL;
    memset(out, 0, sizeof *out);
    out->nulls = 0;
    if (!field) return false;
    if (dp_delta_is_partition(q->s, path[0])) {
        out->known = partition_bounds(q, field, out);
        return out->known;
    }
    if (dp_type_is_nested(field) || !look(q) || q->rows < 0) return false;
    out->known = true;
    out->rows = q->rows;
    out->nulls = null_count(q, field);
    value_bounds(q, field, out);
    return true;
}

struct dp_delta_skipper *dp_delta_skipper_open(const struct dp_delta_snapshot *s, const struct dp_expr *e) {
    struct dp_delta_skipper *q = dp_calloc(1, sizeof *q);
    q->s = s;
    q->e = e;
    q->scan = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    q->values = dp_scan_open(DP_LIMIT_COMMIT_BYTES, DP_SCAN_AUTO);
    return q;
}

void dp_delta_skipper_close(struct dp_delta_skipper *q) {
    if (!q) return;
    dp_scan_close(q->scan);
    dp_scan_close(q->values);
    dp_buf_release(&q->text);
    dp_buf_release(&q->json);
    dp_arena_release(&q->arena);
    free(q);
}

enum dp_maybe dp_delta_skipper_ask(struct dp_delta_skipper *q, const struct dp_delta_file *f) {
    q->f = f;
    q->looked = false;
    dp_arena_reset(&q->arena);
    return dp_expr_skip(q->e, &(struct dp_expr_facts){.bounds = answer, .ctx = q});
}

int64_t dp_delta_skipper_rows(struct dp_delta_skipper *q, const struct dp_delta_file *f) {
    if (q->f != f) q->f = f, q->looked = false;
    return look(q) && q->rows >= 0 ? q->rows : -1;
}

enum dp_maybe dp_delta_file_skip(const struct dp_delta_snapshot *s, const struct dp_delta_file *f, const struct dp_expr *e) {
    struct dp_delta_skipper *q = dp_delta_skipper_open(s, e);
    enum dp_maybe v = dp_delta_skipper_ask(q, f);
    dp_delta_skipper_close(q);
    return v;
}

/* ---- all files ---- */

#define SHARE 512 /* files of one piece */

struct asking {
    const struct dp_delta_snapshot *s;
    const struct dp_expr *e;
    const struct dp_delta_file **files;
    size_t n;
    struct dp_delta_skipper **skippers; /* of each thread, NULL until it has one */
};

/* Files that are left out become NULL. */
static enum dp_status ask_share(void *ctx, unsigned worker, size_t i, struct dp_err *err) {
    struct asking *a = ctx;
    size_t end = (i + 1) * SHARE < a->n ? (i + 1) * SHARE : a->n;
    (void)err;
    if (!a->skippers[worker]) a->skippers[worker] = dp_delta_skipper_open(a->s, a->e);
    for (size_t k = i * SHARE; k < end; k++)
        if (dp_delta_skipper_ask(a->skippers[worker], a->files[k]) == DP_NEVER) a->files[k] = NULL;
    return DP_OK;
}

enum dp_status dp_delta_live_files(const struct dp_delta_snapshot *s, const struct dp_expr *where, struct dp_pool *pool, const struct dp_delta_file ***out,
                                   size_t *n, struct dp_err *err) {
    struct asking a = {.s = s, .e = where, .files = dp_alloc((s->n_files + 1) * sizeof *a.files)};
    struct dp_pool *own = where && (!pool || s->n_files <= SHARE) ? dp_pool_open(1) : NULL;
    const struct dp_delta_file *f;
    enum dp_status status = DP_OK;
    size_t cursor = 0, kept = 0;
    while ((f = dp_delta_next_file(s, &cursor)) != NULL) a.files[a.n++] = f;
    if (where) {
        if (own) pool = own;
        a.skippers = dp_calloc(dp_pool_threads(pool), sizeof *a.skippers);
        status = dp_pool_for(pool, (a.n + SHARE - 1) / SHARE, ask_share, &a, err);
        for (unsigned i = 0; i < dp_pool_threads(pool); i++) dp_delta_skipper_close(a.skippers[i]);
        free(a.skippers);
    }
    for (size_t i = 0; i < a.n; i++)
        if (a.files[i]) a.files[kept++] = a.files[i];
    dp_pool_close(own);
    *out = a.files;
    *n = kept;
    return status;
}
