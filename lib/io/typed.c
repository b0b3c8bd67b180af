/*
 * Parquet files and Delta tables as batches (dp/io/typed.h): tables through dp/delta/scan.h, plain files by their own columns.
 * Does not test rows.
 */
#include <dp/io/typed.h>

#include <dp/base/num.h>
#include <dp/delta/scan.h>
#include <dp/delta/schema.h>
#include <dp/io/datasets.h>
#include <dp/parquet/reader.h>
#include <stdlib.h>

/* A table that is being read. */
struct table { struct dp_delta_snapshot *snapshot; struct dp_delta_scan *scan; struct dp_delta_task *task; struct dp_delta_read *read; struct dp_type *own; };

struct dp_typed {
    struct dp_run *run;
    const char *const *names;
    size_t n_names, next_name;
    const struct dp_typed_opts *opts;
    const char *name;                   /* operand at hand */
    struct table table;                 /* scan NULL: none */
    struct dp_pq_file *file;            /* or a plain file, NULL: none */
    struct dp_pq_reader *reader;
    size_t group;                       /* its next row group */
    bool in_group;
    struct dp_pq_ranges rows;           /* of the row group at hand, that may be wanted */
    int64_t from, want;                 /* --rows: rows of the next row group to pass over, rows still to come */
    struct dp_type *set;                /* of all names together */
    struct dp_type *schema;             /* of batches: what of it is wanted */
    struct dp_evolve evolve;            /* the source's columns as these */
    struct dp_typed_counts counts;      /* of what is closed, and of plain files */
    uint64_t memory;                    /* of reading a file */
};

/* ---- sources ---- */

static void add_counts(struct dp_typed_counts *to, const struct dp_delta_scan_counts *n) {
    to->files += n->files;
    to->files_skipped += n->files_skipped;
    to->groups += n->groups;
    to->groups_skipped += n->groups_skipped;
    to->pages += n->pages;
    to->pages_skipped += n->pages_skipped;
    to->bytes_skipped += n->bytes_skipped;
}

static void close_task(struct dp_typed *t) {
    struct dp_delta_scan_counts n = {0};
    dp_delta_read_count(t->table.read, &n);
    add_counts(&t->counts, &n);
    dp_delta_read_close(t->table.read);
    dp_delta_task_release(t->table.task);
    t->table.read = NULL;
    t->table.task = NULL;
}

static void count_pages(struct dp_typed *t) {
    if (!t->reader) return;
    struct dp_pq_read_counts n = dp_pq_reader_counts(t->reader);
    add_counts(&t->counts, &(struct dp_delta_scan_counts){.pages = n.pages, .pages_skipped = n.pages_skipped, .bytes_skipped = n.bytes_skipped});
}

static void close_source(struct dp_typed *t) {
    count_pages(t);
    close_task(t);
    t->counts = dp_typed_counts(t);
    dp_evolve_release(&t->evolve);
    dp_delta_scan_close(t->table.scan);
    dp_delta_close(t->table.snapshot);
    dp_type_free(t->table.own);
    t->table = (struct table){0};
    dp_pq_reader_close(t->reader);
    dp_pq_close(t->file);
    t->reader = NULL;
    t->file = NULL;
    t->group = 0;
    t->in_group = false;
}

static enum dp_status open_table(struct dp_typed *t, struct dp_err *err) {
    int64_t version = -1;
    if (t->opts->as_of) DP_TRY(dp_delta_as_of(t->name, dp_str_z(t->opts->as_of), &version, err));
    DP_TRY(dp_delta_open(t->name, version, &t->table.snapshot, err));
    dp_dataset_table(dp_dataset_noted(t->run, t->name), t->table.snapshot);
    t->table.own = dp_delta_schema_unfit(t->table.snapshot->schema);
    return DP_OK;
}

static enum dp_status open_file(struct dp_typed *t, struct dp_err *err) {
    t->counts.files++;
    return dp_pq_open_bounded(t->name, t->memory, &t->file, err);
}

/* Makes the next operand current; DP_END: no more. */
static enum dp_status next_source(struct dp_typed *t, struct dp_err *err) {
    close_source(t);
    if (t->next_name == t->n_names) return DP_END;
    t->name = t->names[t->next_name++];
    return dp_delta_is_table(t->name) ? open_table(t, err) : open_file(t, err);
}

static const struct dp_type *source_schema(const struct dp_typed *t) { return t->file ? dp_pq_schema(t->file) : t->table.own; }

/* What is open is read for the columns that are wanted. */
static enum dp_status begin_source(struct dp_typed *t, struct dp_err *err) {
    struct dp_evolve *e = &t->evolve;
    const struct dp_type *own = source_schema(t);
    if (!dp_evolve_covers(t->set, own)) return dp_err_set(err, DP_AGAIN, "%s: its columns changed while it was read", t->name);
    dp_evolve_open(e, t->schema, own);
    if (t->file) return dp_pq_reader_open(t->file, e->whole ? NULL : e->names, e->n_names, &t->reader, err);
    /* files are passed over by the table's own types: where one is another in the set, none is */
    const struct dp_expr *where = dp_evolve_keeps_bounds(t->set, own) ? t->opts->where : NULL;
    DP_TRY(dp_delta_scan_open(t->table.snapshot, e->whole ? NULL : e->names, e->n_names, where, &t->table.scan, err));
    dp_delta_scan_bound(t->table.scan, t->memory);
    return DP_OK;
}

/* ---- batches ---- */

/* DP_END: the table is done. */
static enum dp_status next_of_table(struct dp_typed *t, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    struct table *s = &t->table;
    for (;;) {
        if (!s->read) {
            DP_TRY(dp_delta_scan_next(s->scan, &s->task, err));
            DP_TRY(dp_delta_read_open(s->task, &s->read, err));
        }
        enum dp_status status = dp_delta_read_next(s->read, max_rows, b, err);
        if (status == DP_OK && b->length == 0) continue; /* all of them are deleted */
        if (status != DP_END) return status;
        close_task(t);
    }
}

static const struct dp_type *bounded(void *ctx, const struct dp_str *path, size_t n) {
    const struct dp_typed *t = ctx;
    return dp_evolve_bounded(t->set, dp_pq_schema(t->file), path, n);
}

static uint64_t group_bytes(const struct dp_typed *t, size_t group) {
    const struct dp_type *s = dp_pq_reader_schema(t->reader);
    const char **names = dp_calloc(s->n_children + 1, sizeof *names);
    for (size_t i = 0; i < s->n_children; i++) names[i] = s->children[i]->name;
    uint64_t n = dp_pq_bytes(t->file, group, names, s->n_children);
    free(names);
    return n;
}

/* The rows of a row group that may be wanted; false: none. */
static bool choose_rows(struct dp_typed *t, size_t group) {
    int64_t n = dp_pq_meta(t->file)->row_groups[group].num_rows, from = t->from;
    t->from = 0;
    if (t->opts->where) return dp_pq_skip(t->file, group, t->opts->where, bounded, t, &t->rows) != DP_NEVER;
    t->rows.v = dp_grow(t->rows.v, &t->rows.cap, 1, sizeof *t->rows.v);
    t->rows.n = 1;
    t->rows.v[0] = (struct dp_pq_range){from, t->want < n - from ? from + t->want : n};
    return from < n;
}

/* Positions at the file's next row group that may hold rows; DP_END: the file is done. */
static enum dp_status next_group(struct dp_typed *t, struct dp_err *err) {
    for (; t->group < dp_pq_meta(t->file)->n_row_groups; t->counts.groups_skipped++) {
        size_t g = t->group++;
        t->counts.groups++;
        if (!choose_rows(t, g)) {
            t->counts.bytes_skipped += group_bytes(t, g);
            continue;
        }
        t->in_group = true;
        DP_TRY(dp_pq_reader_seek(t->reader, g, err));
        return dp_pq_reader_select(t->reader, t->rows.v, t->rows.n, err);
    }
    return DP_END;
}

static enum dp_status next_of_file(struct dp_typed *t, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    for (;;) {
        if (!t->in_group) DP_TRY(next_group(t, err));
        enum dp_status status = dp_pq_reader_next(t->reader, max_rows, b, err);
        if (status != DP_END) return status;
        t->in_group = false;
    }
}

enum dp_status dp_typed_next(struct dp_typed *t, int64_t max_rows, struct dp_batch *b, struct dp_err *err) {
    if (!b->schema) dp_batch_init(b, t->schema);
    for (;;) {
        if (t->want <= 0) return DP_END;
        if (t->table.scan || t->file) {
            struct dp_batch *raw = dp_evolve_target(&t->evolve, t->file ? dp_pq_reader_schema(t->reader) : dp_delta_scan_schema(t->table.scan), b);
            enum dp_status status = t->file ? next_of_file(t, max_rows, raw, err) : next_of_table(t, max_rows, raw, err);
            if (status == DP_OK && (status = dp_evolve_batch(&t->evolve, b, err)) != DP_OK) return dp_err_at(err, t->name, 0, DP_NO_OFFSET);
            if (status == DP_OK && t->want != INT64_MAX) t->want -= b->length;
            if (status != DP_END) return status;
        }
        DP_TRY(next_source(t, err));
        DP_TRY(begin_source(t, err));
    }
}

static enum dp_status skip_in_file(struct dp_typed *t, int64_t rows, int64_t *skipped) {
    *skipped = 0;
    for (; t->group < dp_pq_meta(t->file)->n_row_groups; t->group++) {
        int64_t n = dp_pq_meta(t->file)->row_groups[t->group].num_rows;
        if (n > rows - *skipped) {
            t->from = rows - *skipped;
            *skipped = rows;
            return DP_OK;
        }
        *skipped += n;
        t->counts.groups++;
        t->counts.groups_skipped++;
        t->counts.bytes_skipped += group_bytes(t, t->group);
    }
    return DP_END;
}

static enum dp_status skip_rows(struct dp_typed *t, int64_t rows, int64_t *skipped, struct dp_err *err) {
    *skipped = 0;
    for (;;) {
        int64_t n = 0;
        enum dp_status status = t->file         ? skip_in_file(t, rows - *skipped, &n)
                                : t->table.scan ? dp_delta_scan_skip(t->table.scan, rows - *skipped, &n, err)
                                                : DP_END;
        *skipped += n;
        if (status != DP_END) return status;
        status = next_source(t, err);
        if (status == DP_OK) status = begin_source(t, err);
        if (status != DP_OK) return status == DP_END ? DP_OK : status;
    }
}

enum dp_status dp_typed_window(struct dp_typed *t, int64_t skip, int64_t want, int64_t *skipped, struct dp_err *err) {
    *skipped = 0;
    if (skip > 0) DP_TRY(skip_rows(t, skip, skipped, err));
    t->want = want;
    if (dp_add_overflow(want, skip - *skipped, &t->want)) t->want = INT64_MAX;
    return DP_OK;
}

/* The schemas are settled before the first row is asked for; of one source alone it is opened once. */
static enum dp_status open_set(struct dp_typed *t, const struct dp_run *run, struct dp_err *err) {
    const struct dp_typed_opts *o = t->opts;
    for (size_t i = 0; i < t->n_names && o->as_of; i++)
        if (!dp_delta_is_table(t->names[i])) return dp_err_set(err, DP_USAGE, "--as-of: %.400s is not a table", t->names[i]);
    if (o->schema) t->set = dp_type_copy(o->schema);
    else if (t->n_names > 1) DP_TRY(dp_evolve_schema(run, t->names, t->n_names, o->as_of, false, &t->set, err));
    else if (t->n_names) DP_TRY(next_source(t, err));
    if (t->n_names == 1 && !o->schema) t->set = dp_type_copy(source_schema(t));
    if (!t->set) return dp_err_set(err, DP_USAGE, "no Parquet file and no table");
    enum dp_status status = dp_evolve_choose(t->set, o->columns, o->n_columns, o->extra, o->n_extra, &t->schema, err);
    if (status != DP_OK) return t->n_names == 1 ? dp_err_at(err, t->names[0], 0, DP_NO_OFFSET) : status;
    return t->file || t->table.own ? begin_source(t, err) : DP_OK;
}

enum dp_status dp_typed_open(struct dp_run *run, const char *const *names, size_t n, const struct dp_typed_opts *opts, struct dp_typed **out,
                             struct dp_err *err) {
    struct dp_typed *t = dp_calloc(1, sizeof *t);
    t->run = run;
    t->names = names;
    t->n_names = n;
    t->opts = opts;
    t->want = INT64_MAX;
    t->memory = run->memory;
    enum dp_status status = open_set(t, run, err);
    if (status != DP_OK) dp_typed_close(t), t = NULL;
    *out = t;
    return status;
}

const struct dp_type *dp_typed_schema(const struct dp_typed *t) { return t->schema; }

void dp_typed_close(struct dp_typed *t) {
    if (!t) return;
    close_source(t);
    dp_type_free(t->schema);
    dp_type_free(t->set);
    dp_pq_ranges_release(&t->rows);
    free(t);
}

struct dp_typed_counts dp_typed_counts(const struct dp_typed *t) {
    struct dp_typed_counts n = t->counts;
    if (!t->table.scan) return n;
    struct dp_delta_scan_counts s = dp_delta_scan_counts(t->table.scan);
    add_counts(&n, &s);
    return n;
}
