/*
 * Scans of a table (digest sections 3, 8, 9 and 10): row groups of the live files as batches of the table's columns.
 */
#include "adapt_priv.h"
#include <dp/base/file.h>
#include <dp/delta/schema.h>
#include <dp/delta/dv.h>
#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/delta/scan.h>
#include <dp/delta/tier.h>
#include <dp/parquet/reader.h>
#include <dp/record/cast.h>
#include <stdatomic.h>
#include <stdlib.h>

/* One column of the scan. */
struct out_column {
    const struct dp_type *physical; /* of the snapshot; of row ids the scan's own */
    bool is_partition;
    enum { ROW_NOTHING, ROW_ID, ROW_VERSION } row; /* what it tells of the row itself */
};

struct dp_delta_scan {
    const struct dp_delta_snapshot *s;
    const struct dp_expr *where;
    struct dp_delta_skipper *skipper; /* NULL without where */
    struct dp_type *schema;      /* projected, display names */
    struct dp_type *partition;   /* its partition columns, display names */
    struct out_column *columns;
    struct adapt adapt;
    size_t cursor;
    const struct dp_delta_file *only; /* with paths: these files instead of the live ones */
    const char *const *paths;
    size_t n_only;
    const struct dp_delta_picked *picked; /* of `only`, or NULL */
    struct open_file *file;      /* whose row groups are handed out now */
    size_t row_group;
    int64_t first_row;
    struct dp_delta_scan_counts counts;
    uint64_t memory;             /* that reading a file may take; 0: no bound */
    bool is_begun;               /* what it needs can be reached */
    bool tracks_rows;            /* the last two columns are of row ids */
};

/* A data file, shared by its tasks. */
struct open_file {
    atomic_uint refs;
    const struct dp_delta_scan *scan;
    const struct dp_delta_file *action;
    char *path;
    struct dp_pq_file *pq;
    struct dp_delta_deleted deleted;
    struct dp_batch constants;   /* one row: the partition values */
};

struct dp_delta_task {
    struct open_file *file;
    size_t row_group;
    int64_t first_row;
    struct dp_pq_ranges rows;    /* of the row group, that may be wanted */
};

struct dp_delta_read {
    const struct dp_delta_task *task;
    struct dp_pq_reader *reader;
    struct dp_type *alone;       /* the schema where one column is read, else NULL */
    size_t first, n;             /* columns of the scan that are read */
    int *source;                 /* for each of them: column of the reader, -1 none */
    struct dp_batch raw, whole;  /* as read; as the table has it, deleted rows included */
    struct dp_batch constants;
    uint32_t *rows;
    size_t cap;
    int64_t first_row;           /* physical, of the latest batch; where rows are deleted, rows[i] behind it */
};

/* ---- open ---- */

static enum dp_status choose_columns(struct dp_delta_scan *scan, const char *const *columns, size_t n, struct dp_err *err) {
    struct dp_type *all = dp_delta_schema_unfit(scan->s->schema); /* what was JSON is printed as JSON */
    size_t count = columns ? n : all->n_children;
    scan->schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    scan->partition = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    scan->columns = dp_calloc(count + 1, sizeof *scan->columns);
    for (size_t i = 0; i < count; i++) {
        size_t k = i;
        if (columns)
            for (k = 0; k < all->n_children && strcmp(all->children[k]->name, columns[i]) != 0; k++) {}
        if (k == all->n_children) {
            const char *near = dp_type_nearest(all, dp_str_z(columns[i]));
            dp_err_set(err, DP_SCHEMA, "%s has no column %s%s%s%s", scan->s->table, columns[i], near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
            dp_type_free(all);
            return DP_SCHEMA;
        }
        struct dp_str name = dp_str(all->children[k]->name, all->children[k]->name_n);
        scan->columns[i] = (struct out_column){.physical = scan->s->physical->children[k], .is_partition = dp_delta_is_partition(scan->s, name)};
        dp_type_add(scan->schema, dp_type_copy(all->children[k]));
        if (!scan->columns[i].is_partition) continue;
        struct dp_type *t = dp_type_copy(all->children[k]);
        t->nullable = true;
        dp_type_add(scan->partition, t);
    }
    dp_type_free(all);
    scan->schema->nullable = scan->partition->nullable = false;
    return DP_OK;
}

enum dp_status dp_delta_scan_open(const struct dp_delta_snapshot *s, const char *const *columns, size_t n_columns, const struct dp_expr *where,
                                  struct dp_delta_scan **out, struct dp_err *err) {
    struct dp_delta_scan *scan = dp_calloc(1, sizeof *scan);
    scan->s = s;
    scan->where = where;
    if (where) scan->skipper = dp_delta_skipper_open(s, where);
    scan->adapt.mapping = s->mapping;
    scan->adapt.widening = dp_delta_has_feature(&s->protocol, "typeWidening") || dp_delta_has_feature(&s->protocol, "typeWidening-preview");
    enum dp_status status = choose_columns(scan, columns, n_columns, err);
    if (status != DP_OK) dp_delta_scan_close(scan);
    else *out = scan;
    return status;
}

enum dp_status dp_delta_scan_row_ids(struct dp_delta_scan *scan, struct dp_err *err) {
    const struct dp_delta_snapshot *s = scan->s;
    const struct dp_delta_row_columns names = dp_delta_row_columns(&s->metadata);
    size_t n = scan->schema->n_children;
    if (!names.id.n || !names.version.n) return dp_err_set(err, DP_FORMAT, "%s: rows have ids, and %s is not set", s->table, names.id.n ? DP_DELTA_KEY_ROW_VERSION : DP_DELTA_KEY_ROW_ID);
    scan->columns = dp_realloc(scan->columns, (n + 3) * sizeof *scan->columns);
    for (size_t i = 0; i < 2; i++) {
        struct dp_str name = i ? names.version : names.id;
        if (dp_type_child(s->schema, name) || dp_type_child(s->physical, name) || dp_type_child(scan->schema, name))
            return dp_err_set(err, DP_FORMAT, "%s: %s names column %.*s, which is another one", s->table, i ? DP_DELTA_KEY_ROW_VERSION : DP_DELTA_KEY_ROW_ID, DP_STR_FMT(name));
        dp_type_add(scan->schema, dp_type_new(DP_TYPE_INT64, name));
        scan->columns[n + i] = (struct out_column){.physical = scan->schema->children[n + i], .row = i ? ROW_VERSION : ROW_ID};
    }
    scan->tracks_rows = true;
    return DP_OK;
}

static void drop_file(struct open_file *f) {
    if (!f || atomic_fetch_sub(&f->refs, 1) != 1) return;
    dp_pq_close(f->pq);
    dp_delta_deleted_release(&f->deleted);
    dp_batch_release(&f->constants);
    free(f->path);
    free(f);
}

void dp_delta_scan_close(struct dp_delta_scan *scan) {
    if (!scan) return;
    drop_file(scan->file);
    dp_delta_skipper_close(scan->skipper);
    dp_type_free(scan->schema);
    dp_type_free(scan->partition);
    free(scan->columns);
    free(scan);
}

const struct dp_type *dp_delta_scan_schema(const struct dp_delta_scan *scan) { return scan->schema; }

/* The partition values as a record, shredded into a batch of one row. */
static enum dp_status read_constants(const struct dp_delta_scan *scan, struct open_file *f, struct dp_err *err) {
    struct dp_buf line = {0};
    enum dp_status status = DP_OK;
    dp_buf_addc(&line, '{');
    for (size_t i = 0, k = 0; k < scan->partition->n_children && status == DP_OK; i++) {
        if (!scan->columns[i].is_partition) continue;
        const struct dp_type *p = scan->columns[i].physical, *t = scan->partition->children[k];
        const struct dp_delta_pair *v = dp_delta_pairs_get(&f->action->partition_values, dp_str(p->name, p->name_n));
        if (k++) dp_buf_addc(&line, ',');
        dp_json_add_string(&line, dp_str(t->name, t->name_n));
        dp_buf_addc(&line, ':');
        status = dp_delta_partition_json(t, v ? v->value : DP_STR(""), !v || v->is_null, &line, err);
    }
    dp_buf_addz(&line, "}\n");
    dp_batch_init(&f->constants, scan->partition);
    if (status == DP_OK) {
        struct dp_scan *json = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
        struct dp_shred *shred = dp_shred_open(scan->partition, false);
        struct dp_shred_reject why;
        struct dp_record rec;
        memset(dp_buf_reserve(&line, DP_SCAN_PAD), 0, DP_SCAN_PAD);
        dp_scan_begin(json, line.p, line.n);
        status = dp_scan_next(json, &rec, err);
        if (status == DP_OK && dp_shred_record(shred, &rec, &f->constants, &why) != DP_OK)
            status = dp_err_set(err, DP_FORMAT, "partition column %s: %s", why.path, why.reason);
        dp_shred_close(shred);
        dp_scan_close(json);
    }
    dp_buf_release(&line);
    return status;
}

void dp_delta_scan_only(struct dp_delta_scan *scan, const struct dp_delta_file *files, const char *const *paths, size_t n) {
    scan->only = files, scan->paths = paths, scan->n_only = n;
}

static const struct dp_delta_file *next_action(struct dp_delta_scan *scan) {
    if (!scan->paths) return dp_delta_next_file(scan->s, &scan->cursor);
    return scan->cursor < scan->n_only ? &scan->only[scan->cursor++] : NULL;
}

void dp_delta_scan_pick(struct dp_delta_scan *scan, const struct dp_delta_picked *picked) { scan->picked = picked; }

/* Of two states of one file: the rows that the first has and the second has not. */
static enum dp_status read_pair(const char *table, const struct dp_delta_picked *p, int64_t rows, struct dp_delta_deleted *out, struct dp_err *err) {
    struct dp_delta_deleted wanted = {0};
    if (p->deleted.storage.p) DP_TRY(dp_delta_dv_read(table, &p->deleted, rows, out, err));
    DP_TRY(dp_delta_dv_read(table, &p->wanted, rows, &wanted, err));
    if (!out->bits) dp_delta_deleted_open(out, rows);
    out->count = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (!dp_delta_is_deleted(&wanted, i)) out->bits[i >> 3] |= (uint8_t)(1u << (i & 7));
        out->count += dp_delta_is_deleted(out, i);
    }
    dp_delta_deleted_release(&wanted);
    return DP_OK;
}

/* Which rows are left out. */
static enum dp_status read_deleted(const struct dp_delta_scan *scan, struct open_file *f, struct dp_err *err) {
    int64_t rows = dp_pq_meta_rows(dp_pq_meta(f->pq));
    const struct dp_delta_picked *p = scan->picked ? &scan->picked[scan->cursor - 1] : NULL;
    if (p && p->is_pair) return read_pair(scan->s->table, p, rows, &f->deleted, err);
    return f->action->dv.storage.p ? dp_delta_dv_read(scan->s->table, &f->action->dv, rows, &f->deleted, err) : DP_OK;
}

/* The log numbers the rows of each file of a table that tracks them. */
static enum dp_status check_row_ids(const struct open_file *f, struct dp_err *err) {
    const struct dp_delta_file *a = f->action;
    int64_t end;
    if (a->base_row_id < 0 || a->default_row_commit_version < 0) return dp_err_set(err, DP_FORMAT, "rows have ids, and its entry in the log has no baseRowId or no defaultRowCommitVersion");
    if (__builtin_add_overflow(a->base_row_id, dp_pq_meta_rows(dp_pq_meta(f->pq)), &end)) return dp_err_set(err, DP_FORMAT, "its baseRowId is too large");
    return DP_OK;
}

static enum dp_status open_next(struct dp_delta_scan *scan, struct dp_err *err) {
    const struct dp_delta_file *action;
    if (!scan->is_begun && !scan->paths) DP_TRY(dp_delta_tier_reach(scan->s, scan->skipper, err)); /* before the first row comes out */
    scan->is_begun = true;
    for (;; scan->counts.files_skipped++) {
        action = next_action(scan);
        if (!action) return DP_END;
        scan->counts.files++;
        if (!scan->skipper || dp_delta_skipper_ask(scan->skipper, action) != DP_NEVER) break;
        if (action->size > 0) scan->counts.bytes_skipped += (uint64_t)action->size;
    }
    struct open_file *f = dp_calloc(1, sizeof *f);
    struct dp_buf path = {0};
    atomic_init(&f->refs, 1);
    f->scan = scan;
    f->action = action;
    enum dp_status status = DP_OK;
    if (scan->paths) dp_buf_addz(&path, scan->paths[scan->cursor - 1]);
    else status = dp_delta_path_resolve(scan->s->table, action->path, &path, err);
    f->path = dp_buf_detach(&path);
    if (status == DP_OK) status = dp_pq_open_bounded(f->path, scan->memory, &f->pq, err);
    if (status == DP_OK) status = read_deleted(scan, f, err);
    if (status == DP_OK) status = read_constants(scan, f, err);
    if (status == DP_OK && scan->tracks_rows) status = check_row_ids(f, err);
    if (status != DP_OK) {
        dp_err_at(err, f->path, 0, DP_NO_OFFSET);
        drop_file(f);
        return status;
    }
    drop_file(scan->file);
    scan->file = f;
    scan->row_group = 0;
    scan->first_row = 0;
    return DP_OK;
}

/* The file's column whose statistics hold for the table's value. */
static const struct dp_type *bounded_column(void *ctx, const struct dp_str *path, size_t n) {
    const struct dp_delta_scan *scan = ctx;
    const struct dp_type *t = scan->s->schema, *physical = scan->s->physical, *f = dp_pq_schema(scan->file->pq);
    if (dp_delta_is_partition(scan->s, path[0])) return NULL;
    for (size_t k = 0; k < n; k++) {
        size_t i = 0;
        if (t->id != DP_TYPE_STRUCT || f->id != DP_TYPE_STRUCT) return NULL;
        while (i < t->n_children && !dp_str_eqz(path[k], t->children[i]->name)) i++;
        int at = i < t->n_children ? adapt_find(&scan->adapt, f, physical->children[i]) : -1;
        if (at < 0) return NULL;
        t = t->children[i], physical = physical->children[i], f = f->children[at];
    }
    return dp_cast_keeps_bounds(t, f) ? f : NULL;
}

static void pass_group(struct dp_delta_scan *scan) {
    scan->first_row += dp_pq_meta(scan->file->pq)->row_groups[scan->row_group].num_rows;
    scan->row_group++;
    scan->counts.groups++;
}

/* Rows of a row group that are not deleted. */
static int64_t live_rows(const struct open_file *f, int64_t from, int64_t to) {
    int64_t n = to - from;
    for (int64_t i = from; f->deleted.bits && i < to; i++) n -= dp_delta_is_deleted(&f->deleted, i);
    return n;
}

/* Makes a row group of a file current; DP_END: no more. */
static enum dp_status find_group(struct dp_delta_scan *scan, struct dp_err *err) {
    for (;;) {
        while (!scan->file || scan->row_group == dp_pq_meta(scan->file->pq)->n_row_groups) DP_TRY(open_next(scan, err));
        int64_t rows = dp_pq_meta(scan->file->pq)->row_groups[scan->row_group].num_rows;
        if (!scan->picked || live_rows(scan->file, scan->first_row, scan->first_row + rows)) return DP_OK;
        pass_group(scan);
    }
}

/* The file's column that a column of the scan is read from; -1: none is. */
static int file_column(const struct dp_delta_scan *scan, const struct dp_type *file, const struct out_column *c) {
    if (c->is_partition) return -1;
    if (!c->row) return adapt_find(&scan->adapt, file, c->physical);
    for (size_t i = 0; i < file->n_children; i++) /* its name is that in files, however the table maps its columns */
        if (strcmp(file->children[i]->name, c->physical->name) == 0) return (int)i;
    return -1;
}

/* Names of the file's columns that `count` of the scan's from `first` on are read from, and for each its place among them, -1 none; how many. */
static size_t file_columns(const struct dp_delta_scan *scan, const struct open_file *f, size_t first, size_t count, const char **names, int *place) {
    const struct dp_type *file = dp_pq_schema(f->pq);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        int at = file_column(scan, file, &scan->columns[first + i]);
        place[i] = at < 0 ? -1 : (int)n;
        if (at >= 0) names[n++] = file->children[at]->name;
    }
    return n;
}

/* What the current row group would have cost to read. */
static uint64_t group_bytes(const struct dp_delta_scan *scan) {
    const char **names = dp_calloc(scan->schema->n_children + 1, sizeof *names);
    int *place = dp_calloc(scan->schema->n_children + 1, sizeof *place);
    size_t n = file_columns(scan, scan->file, 0, scan->schema->n_children, names, place);
    uint64_t bytes = dp_pq_bytes(scan->file->pq, scan->row_group, names, n);
    free(names);
    free(place);
    return bytes;
}

enum dp_status dp_delta_scan_next(struct dp_delta_scan *scan, struct dp_delta_task **out, struct dp_err *err) {
    DP_TRY(find_group(scan, err));
    struct dp_pq_ranges rows = {0};
    while (scan->where && dp_pq_skip(scan->file->pq, scan->row_group, scan->where, bounded_column, scan, &rows) == DP_NEVER) {
        scan->counts.bytes_skipped += group_bytes(scan);
        pass_group(scan);
        scan->counts.groups_skipped++;
        enum dp_status status = find_group(scan, err);
        if (status != DP_OK) return dp_pq_ranges_release(&rows), status;
    }
    struct dp_delta_task *t = dp_calloc(1, sizeof *t);
    atomic_fetch_add(&scan->file->refs, 1);
    *t = (struct dp_delta_task){scan->file, scan->row_group, scan->first_row, rows};
    pass_group(scan);
    *out = t;
    return DP_OK;
}

enum dp_status dp_delta_scan_skip(struct dp_delta_scan *scan, int64_t rows, int64_t *skipped, struct dp_err *err) {
    *skipped = 0;
    for (;;) {
        DP_TRY(find_group(scan, err));
        int64_t n = live_rows(scan->file, scan->first_row, scan->first_row + dp_pq_meta(scan->file->pq)->row_groups[scan->row_group].num_rows);
        if (n > rows - *skipped) return DP_OK;
        *skipped += n;
        pass_group(scan);
    }
}

void dp_delta_scan_bound(struct dp_delta_scan *scan, uint64_t memory) { scan->memory = memory; }

struct dp_delta_scan_counts dp_delta_scan_counts(const struct dp_delta_scan *scan) { return scan->counts; }

void dp_delta_task_release(struct dp_delta_task *t) {
    if (!t) return;
    drop_file(t->file);
    dp_pq_ranges_release(&t->rows);
    free(t);
}

const char *dp_delta_task_path(const struct dp_delta_task *t) { return t->file->path; }
const struct dp_delta_file *dp_delta_task_action(const struct dp_delta_task *t) { return t->file->action; }
int64_t dp_delta_task_first_row(const struct dp_delta_task *t) { return t->first_row; }
int64_t dp_delta_task_rows(const struct dp_delta_task *t) {
    int64_t n = 0;
    for (size_t i = 0; i < t->rows.n; i++) n += live_rows(t->file, t->first_row + t->rows.v[i].from, t->first_row + t->rows.v[i].to);
    return t->file->scan->where ? n : live_rows(t->file, t->first_row, t->first_row + dp_pq_meta(t->file->pq)->row_groups[t->row_group].num_rows);
}

const struct dp_pq_file *dp_delta_task_file(const struct dp_delta_task *t) { return t->file->pq; }
size_t dp_delta_task_row_group(const struct dp_delta_task *t) { return t->row_group; }
const struct dp_batch *dp_delta_task_constants(const struct dp_delta_task *t) { return &t->file->constants; }

/* A null means what the log says of the file that it stands in: only without any a chunk is the column. */
static bool has_no_nulls(const struct dp_delta_task *t, size_t column) {
    const struct dp_type *file = dp_pq_schema(t->file->pq);
    size_t leaf = 0;
    for (size_t i = 0; i < column; i++) leaf += dp_type_leaves(file->children[i]);
    return dp_pq_meta(t->file->pq)->row_groups[t->row_group].chunks[leaf].stats.null_count == 0;
}

int dp_delta_task_column(const struct dp_delta_task *t, size_t column) {
    const struct dp_delta_scan *scan = t->file->scan;
    const struct dp_type *file = dp_pq_schema(t->file->pq), *physical = scan->columns[column].physical;
    int at = file_column(scan, file, &scan->columns[column]);
    if (at >= 0 && scan->columns[column].row && !has_no_nulls(t, (size_t)at)) return -1;
    return at >= 0 && adapt_is_same(&scan->adapt, scan->schema->children[column], physical, file->children[at]) ? at : -1;
}

/* ---- read ---- */

static enum dp_status open_read(const struct dp_delta_task *task, size_t first, size_t count, struct dp_delta_read **out, struct dp_err *err) {
    const struct dp_delta_scan *scan = task->file->scan;
    struct dp_delta_read *r = dp_calloc(1, sizeof *r);
    const char **names = dp_calloc(scan->schema->n_children + 1, sizeof *names);
    r->task = task;
    r->first = first, r->n = count;
    r->source = dp_calloc(scan->schema->n_children + 1, sizeof *r->source);
    if (count < scan->schema->n_children) {
        r->alone = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
        r->alone->nullable = false;
        dp_type_add(r->alone, dp_type_copy(scan->schema->children[first]));
    }
    size_t n = file_columns(scan, task->file, first, count, names, r->source);
    enum dp_status status = dp_pq_reader_open(task->file->pq, names, n, &r->reader, err);
    if (status == DP_OK) status = dp_pq_reader_seek(r->reader, task->row_group, err);
    if (status == DP_OK && scan->where) status = dp_pq_reader_select(r->reader, task->rows.v, task->rows.n, err);
    free(names);
    if (status != DP_OK) {
        dp_err_at(err, task->file->path, 0, DP_NO_OFFSET);
        dp_delta_read_close(r);
        return status;
    }
    dp_batch_init(&r->raw, dp_pq_reader_schema(r->reader));
    dp_batch_init(&r->whole, dp_delta_read_schema(r));
    dp_batch_init(&r->constants, scan->partition);
    *out = r;
    return DP_OK;
}

void dp_delta_read_count(const struct dp_delta_read *r, struct dp_delta_scan_counts *to) {
    if (!r || !r->reader) return;
    struct dp_pq_read_counts n = dp_pq_reader_counts(r->reader);
    to->pages += n.pages;
    to->pages_skipped += n.pages_skipped;
    to->bytes_skipped += n.bytes_skipped;
}

enum dp_status dp_delta_read_open(const struct dp_delta_task *task, struct dp_delta_read **out, struct dp_err *err) {
    return open_read(task, 0, task->file->scan->schema->n_children, out, err);
}

enum dp_status dp_delta_read_open_column(const struct dp_delta_task *task, size_t column, struct dp_delta_read **out, struct dp_err *err) {
    return open_read(task, column, 1, out, err);
}

const struct dp_type *dp_delta_read_schema(const struct dp_delta_read *r) { return r->alone ? r->alone : r->task->file->scan->schema; }

void dp_delta_read_close(struct dp_delta_read *r) {
    if (!r) return;
    if (r->raw.schema) {
        dp_batch_release(&r->raw);
        dp_batch_release(&r->whole);
        dp_batch_release(&r->constants);
    }
    dp_pq_reader_close(r->reader);
    dp_type_free(r->alone);
    free(r->source);
    free(r->rows);
    free(r);
}

size_t dp_delta_read_bytes(const struct dp_delta_read *r) { return dp_pq_reader_bytes(r->reader); }

static void need_rows(struct dp_delta_read *r, size_t n) { r->rows = dp_grow(r->rows, &r->cap, n, sizeof *r->rows); }

/* What the file says of each row, and where it says nothing, what its entry in the log says of them all. */
static enum dp_status add_row_ids(const struct dp_delta_read *r, bool is_id, const struct dp_column *src, struct dp_column *dst, struct dp_err *err) {
    const struct dp_delta_file *f = r->task->file->action;
    int64_t n = r->raw.length, v;
    if (src && src->type->id != DP_TYPE_INT64) return dp_err_set(err, DP_FORMAT, "column %s: it is not int64", src->type->name);
    for (int64_t i = 0; i < n; i++) {
        if (src && dp_column_is_valid(src, i)) memcpy(&v, src->data + 8 * i, 8);
        else v = is_id ? f->base_row_id + r->first_row + i : f->default_row_commit_version;
        dp_column_append_fixed(dst, &v, 1);
    }
    return DP_OK;
}

/* All rows of the raw batch as the table has them. */
static enum dp_status adapt_batch(struct dp_delta_read *r, struct dp_batch *b, struct dp_err *err) {
    const struct dp_delta_scan *scan = r->task->file->scan;
    int64_t n = r->raw.length;
    size_t constant = 0;
    if (scan->partition->n_children && !r->alone) {
        need_rows(r, (size_t)n + 1);
        memset(r->rows, 0, (size_t)n * sizeof *r->rows);
        dp_batch_reset(&r->constants);
        dp_batch_gather(&r->constants, &r->task->file->constants, r->rows, (size_t)n);
    }
    for (size_t i = 0; i < b->n_columns; i++) {
        struct dp_column *dst = &b->columns[i];
        const struct out_column *column = &scan->columns[r->first + i];
        if (column->is_partition) {
            struct dp_column *src = &r->constants.columns[constant++], t = *dst;
            *dst = *src, *src = t;
            src->type = dst->type, dst->type = t.type;
        } else if (column->row) {
            DP_TRY(add_row_ids(r, column->row == ROW_ID, r->source[i] < 0 ? NULL : &r->raw.columns[r->source[i]], dst, err));
        } else if (r->source[i] < 0) {
            dp_column_append_nulls(dst, n);
        } else {
            DP_TRY(adapt_column(&scan->adapt, dst, column->physical, &r->raw.columns[r->source[i]], err));
        }
    }
    b->length = n;
    return DP_OK;
}

enum dp_status dp_delta_read_next(struct dp_delta_read *r, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    const struct open_file *f = r->task->file;
    struct dp_batch *whole = f->deleted.bits ? &r->whole : b;
    dp_batch_reset(b);
    enum dp_status status = dp_pq_reader_next(r->reader, max_rows, &r->raw, err);
    if (status == DP_END) return status;
    int64_t first = 0;
    if (status == DP_OK) {
        first = r->first_row = r->task->first_row + dp_pq_reader_row(r->reader);
        dp_batch_reset(whole);
        status = adapt_batch(r, whole, err);
    }
    if (status != DP_OK) return dp_err_at(err, f->path, 0, DP_NO_OFFSET);
    if (whole == b) return DP_OK;
    size_t n = 0;
    need_rows(r, (size_t)whole->length + 1);
    for (int64_t i = 0; i < whole->length; i++)
        if (!dp_delta_is_deleted(&f->deleted, first + i)) r->rows[n++] = (uint32_t)i;
    dp_batch_gather(b, whole, r->rows, n);
    return DP_OK;
}

int64_t dp_delta_read_row(const struct dp_delta_read *r, int64_t i) { return r->first_row + (r->task->file->deleted.bits ? (int64_t)r->rows[i] : i); }
