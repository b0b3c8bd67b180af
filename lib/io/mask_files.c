/*
 * Parquet and tables through a mask (dp/io/mask_files.h).  A source is taken row group by row group.  Where all rows of one go into one file, its columns that
 * pass are copied as they stand and the others are read, masked and encoded column by column, on all threads (`together`).  Where a filter or a deletion
 * vector takes rows away, where a row can't be masked, or where a masked column decides about the file, rows are read, masked and laid out as batches.
 * What is in the files depends on the sources alone.  Files of a partitioned table by their own names are refused: their partition values stand elsewhere.
 */
#include <dp/io/mask_files.h>

#include <dp/delta/log.h>
#include <dp/delta/partition.h>
#include <dp/delta/schema.h>
#include <dp/io/datasets.h>
#include <dp/io/typed.h>
#include <dp/parquet/writer.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "mask_priv.h"

#define BATCH_ROWS 8192
#define PIECE_ROWS (1 << 18)        /* of one column that are in memory at once */
#define NESTED_BYTES (26 << 20)     /* of a column of several leaves: it can't be encoded in pieces */
#define TINY_BYTES (64 << 10)       /* row groups so small, and of fewer rows than a batch, are joined and not copied */
#define PIECE_WORK 160              /* bytes that a row of a piece takes while it is masked and encoded, about */

struct worker {
    bool is_open;
    struct dp_mask_run *run;
    struct dp_expr_run *filters[3];
    struct dp_scan *scan;
    struct dp_buf text;
    struct dp_pq_encoder *encoder;
};

/* A column of the files that are written. */
struct target {
    size_t in;                /* column of the source */
    bool passes;
    struct dp_type *schema;   /* of it alone, behind the mask */
};

/* A row group on its way, shared by its jobs. */
struct plan {
    atomic_uint refs;
    struct group group;
    bool together;
    bool *copies;             /* by target */
    uint64_t first;           /* number of the first row in its source, from 1 */
    /* of the one that consumes */
    struct dp_pq_writer *writer;
    size_t next;              /* target that is written next */
    bool spoiled;             /* a row of it can't be masked */
};

struct dp_mask_files {
    struct dp_run *run;
    const struct dp_mask_files_opts *o;
    dp_lay_done done;
    void *ctx;
    struct worker *workers;          /* one for each thread, one for who consumes, one for who produces */
    unsigned n_workers;
    struct dp_delta_snapshot *table; /* that dir is, or NULL */
    struct dp_layout layout;
    struct dp_type *set;             /* as which all files are read; NULL: there is one */
    struct dp_type *schema;          /* of the rows behind the mask; NULL: no source yet */
    struct dp_lay_opts lay_opts;
    struct dp_lay *lay;
    struct target *targets;
    size_t n_targets;
    struct dp_mask_files_counts counts;
    /* the source on its way */
    const char *name;
    struct dp_origin *origin;
    struct groups *groups;
    bool direct;                     /* each of its files' rows belong to one partition that is known beforehand */
    uint64_t row;
    struct dp_lay_rows key;          /* one row of it */
    /* of the one that produces */
    struct plan *plan;
    size_t target;                   /* that is read, n_targets: none */
    struct group_rows rows;
    bool is_reading, any_piece;
    int64_t read;                    /* rows of that column */
    /* pieces between produce and consume */
    pthread_mutex_t lock;
    pthread_cond_t less;
    uint64_t in_flight, most;        /* bytes, about */
};

struct job {
    struct dp_mask_files *f;
    struct plan *plan;
    struct dp_batch in, masked;
    /* a piece of a column */
    bool is_piece, column_done, group_done;
    size_t target;         /* n_targets: the row group has none to encode */
    bool whole, bad;
    uint64_t weight;
    struct dp_pq_piece *piece;
    /* rows */
    struct dp_lay_rows rows;
    uint64_t first;        /* number of the first row in its source, from 1 */
    uint8_t *state;        /* of each row: 0 stays, 1 filtered, 2 rejected */
    uint32_t *keep;
    size_t cap, keep_cap;
    struct dp_books books;
    struct dp_buf rejects;
    struct dp_err first_reject;
};

static void plan_release(struct plan *p) {
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1) return;
    group_release(&p->group);
    free(p->copies);
    free(p);
}

/* ---- rows, any thread ---- */

static void on_bad(void *ctx, int64_t row, const struct dp_mask_reject *why) {
    struct job *j = ctx;
    struct dp_mask_files *f = j->f;
    const struct dp_reject_rule rule = {why->rule, why->path, why->reason, why->expected};
    const struct dp_reject reject = {.origin = f->origin, .line = j->first + (uint64_t)row, .offset = DP_NO_OFFSET, .rules = &rule, .n_rules = 1, .hide_raw = true};
    if (j->state[row] == 2) return;
    j->state[row] = 2;
    j->books.rejected++;
    dp_reject_print(f->run, &reject, &j->rejects);
    if (j->first_reject.status != DP_OK && j->first_reject.line <= reject.line) return;
    dp_err_set(&j->first_reject, DP_RULE, "%s%s%s", why->path[0] ? why->path : "", why->path[0] ? ": " : "", why->reason);
    dp_err_at(&j->first_reject, f->name, reject.line, DP_NO_OFFSET);
}

/* Rows that a filter leaves out, by their clear values as records. */
static enum dp_status filter(struct dp_mask_files *f, struct worker *w, struct job *j, struct dp_err *err) {
    struct dp_record r;
    enum dp_status status = DP_OK;
    if (!f->o->n_filters) return DP_OK;
    dp_buf_reset(&w->text);
    dp_batch_print(&j->in, 0, j->in.length, NULL, &w->text);
    dp_buf_reserve(&w->text, DP_SCAN_PAD);
    dp_scan_begin(w->scan, w->text.p, w->text.n);
    for (int64_t row = 0; row < j->in.length; row++) {
        DP_TRY(dp_scan_next(w->scan, &r, err));
        for (size_t i = 0; i < f->o->n_filters && j->state[row] == 0; i++) {
            bool yes = false;
            struct dp_err own = DP_ERR_INIT;
            status = dp_expr_test(w->filters[i], &r, &yes, &own);
            if (status == DP_RECORD) {
                const struct dp_mask_reject why = {.rule = f->o->filters[i].rule, .reason = "the filter errs on this row"};
                on_bad(j, row, &why);
            } else if (status != DP_OK) {
                return *err = own, status;
            } else if (!yes) {
                j->state[row] = 1;
                j->books.filtered++;
            }
        }
    }
    return DP_OK;
}

static enum dp_status worker_of(struct dp_mask_files *f, unsigned n, struct worker **out, struct dp_err *err) {
    struct worker *w = *out = &f->workers[n];
    if (!w->is_open) {
        w->run = dp_mask_run_open(f->o->mask);
        w->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
        for (size_t i = 0; i < f->o->n_filters; i++) w->filters[i] = dp_expr_run_open(f->o->filters[i].expr);
        w->is_open = true;
    }
    return w->encoder || !f->lay ? DP_OK : dp_lay_encoder(f->lay, &w->encoder, err);
}

static enum dp_status mask_rows(struct dp_mask_files *f, struct worker *w, struct job *j, struct dp_err *err) {
    size_t n = (size_t)j->in.length, kept = 0;
    j->state = dp_grow(j->state, &j->cap, n + 1, 1);
    memset(j->state, 0, n);
    DP_TRY(filter(f, w, j, err));
    if (!j->rows.is_open) dp_lay_rows_open(&f->lay_opts, &j->rows);
    if (j->masked.schema != f->schema) {
        if (j->masked.schema) dp_batch_release(&j->masked);
        dp_batch_init(&j->masked, f->schema);
    }
    DP_TRY(dp_mask_batch(w->run, &j->in, &j->masked, on_bad, j, err));
    j->keep = dp_grow(j->keep, &j->keep_cap, n + 1, sizeof *j->keep);
    for (size_t i = 0; i < n; i++)
        if (!j->state[i]) j->keep[kept++] = (uint32_t)i;
    j->books.in = n, j->books.used = kept;
    dp_batch_reset(&j->rows.rows);
    if (kept == n) { /* the usual case: no copy */
        struct dp_batch whole = j->masked;
        j->masked = j->rows.rows;
        j->rows.rows = whole;
    } else {
        dp_batch_gather(&j->rows.rows, &j->masked, j->keep, kept);
    }
    return dp_lay_group(&f->lay_opts, &j->rows, err);
}

/* ---- a piece of a column, any thread ---- */

static void on_bad_piece(void *ctx, int64_t row, const struct dp_mask_reject *why) {
    struct job *j = ctx;
    (void)row, (void)why;
    j->bad = true; /* the row group goes row by row, and there it is told */
}

static enum dp_status mask_piece(struct dp_mask_files *f, struct worker *w, struct job *j, struct dp_err *err) {
    const struct target *t = &f->targets[j->target];
    enum dp_status status = DP_OK;
    struct dp_batch masked = {0};
    if (t->passes) {
        masked = j->in;
        j->in = (struct dp_batch){0};
    } else {
        dp_batch_init(&masked, t->schema);
        status = dp_mask_batch(w->run, &j->in, &masked, on_bad_piece, j, err);
    }
    if (j->in.schema) dp_batch_release(&j->in);
    if (status == DP_OK && !j->bad && f->lay) status = dp_pq_encode(w->encoder, j->target, &masked.columns[0], j->whole, &j->piece, err);
    dp_batch_release(&masked);
    return status;
}

static enum dp_status work(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct dp_mask_files *f = ctx;
    struct job *j = job;
    struct worker *w;
    if (j->is_piece && j->target == f->n_targets) return DP_OK;
    DP_TRY(worker_of(f, worker, &w, err));
    return j->is_piece ? mask_piece(f, w, j, err) : mask_rows(f, w, j, err);
}

/* ---- a source ---- */

static enum dp_status check_table(struct dp_mask_files *f, struct dp_err *err) {
    struct dp_buf why = {0};
    enum dp_status status = DP_OK;
    for (size_t i = 0; f->table && i < f->schema->n_children && status == DP_OK; i++) {
        const struct dp_type *c = f->schema->children[i], *t = dp_type_child(f->table->schema, dp_str(c->name, c->name_n));
        dp_buf_reset(&why);
        if (!t) status = dp_err_set(err, DP_SCHEMA, "column %s: the masked rows have it, table %s does not", c->name, f->o->dir);
        else if (!dp_delta_file_fits(t, c, &why)) status = dp_err_set(err, DP_SCHEMA, "column %s behind the mask does not fit table %s: %s", c->name, f->o->dir, why.n ? dp_buf_z(&why) : "other types");
    }
    dp_buf_release(&why);
    return status;
}

/* The partition columns of the table that is written, else of the one that is read, as far as the mask leaves them. */
static enum dp_status set_layout(struct dp_mask_files *f, struct dp_err *err) {
    const struct dp_delta_snapshot *of = f->table ? f->table : groups_table(f->groups);
    for (size_t i = 0; of && i < of->metadata.partition_columns.n; i++) {
        struct dp_str column = of->metadata.partition_columns.v[i];
        if (dp_type_child(f->schema, column)) DP_TRY(dp_layout_add_column(&f->layout, column, err));
        else if (f->table) return dp_err_set(err, DP_SCHEMA, "table %s is partitioned by %.*s, and the masked rows don't have it", f->o->dir, DP_STR_FMT(column));
    }
    DP_TRY(dp_layout_bind(&f->layout, f->schema, err));
    for (size_t i = 0; i < f->layout.n; i++)
        if (!dp_delta_partition_type_ok(f->layout.schema->children[i])) return dp_err_set(err, DP_SCHEMA, "column %s behind the mask can't partition", f->layout.keys[i].name);
    return DP_OK;
}

/* The types behind the mask, which are those of all sources. */
static enum dp_status check_types(struct dp_mask_files *f, struct dp_err *err) {
    struct dp_type *behind = NULL;
    DP_TRY(dp_mask_schema(f->o->mask, groups_schema(f->groups), &behind, err));
    if (f->schema) {
        bool same = dp_type_equal(f->schema, behind);
        dp_type_free(behind);
        return same ? DP_OK : dp_err_set(err, DP_SCHEMA, "%s: its columns differ from those of the sources before", f->name);
    }
    f->schema = behind;
    dp_dataset_schema(dp_dataset_output(f->run, f->o->dir), behind);
    if (!behind->n_children) return dp_err_set(err, DP_USAGE, "the mask leaves no column");
    DP_TRY(check_table(f, err));
    DP_TRY(set_layout(f, err));
    f->lay_opts = (struct dp_lay_opts){.dir = f->o->dir, .staging = f->table != NULL, .table = f->table, .layout = &f->layout, .schema = f->schema,
                                       .codec = f->o->codec, .keep_codec = !f->o->codec, .memory = f->run->memory / 3};
    return DP_OK;
}

static struct dp_str name_of(const struct dp_type *t) { return dp_str(t->name, t->name_n); }

static void release_targets(struct dp_mask_files *f) {
    for (size_t i = 0; i < f->n_targets; i++) dp_type_free(f->targets[i].schema);
    free(f->targets);
    f->targets = NULL, f->n_targets = 0;
}

/* What is behind the mask has the source's order, without some columns; the keys of the layout stand in no file. */
static void find_targets(struct dp_mask_files *f) {
    const struct dp_type *in = groups_schema(f->groups);
    release_targets(f);
    f->targets = dp_calloc(f->schema->n_children + 1, sizeof *f->targets);
    for (size_t i = 0, at = 0; i < in->n_children && at < f->schema->n_children; i++) {
        const struct dp_type *t = f->schema->children[at];
        if (!dp_str_eq(name_of(in->children[i]), name_of(t))) continue;
        at++;
        if (dp_layout_is_value(&f->layout, name_of(t))) continue;
        struct target *x = &f->targets[f->n_targets++];
        *x = (struct target){.in = i, .passes = dp_mask_passes(f->o->mask, in->children[i]), .schema = dp_type_new(DP_TYPE_STRUCT, DP_STR(""))};
        x->schema->nullable = false;
        dp_type_add(x->schema, dp_type_copy(t));
    }
}

/* Is the partition of each file known, and all that is in it stands in the files that are written? */
static bool is_direct(const struct dp_mask_files *f) {
    const struct dp_delta_snapshot *t = groups_table(f->groups);
    const struct dp_type *in = groups_schema(f->groups);
    for (size_t i = 0; i < f->layout.n; i++) {
        struct dp_str name = dp_str_z(f->layout.keys[i].name);
        const struct dp_type *column = dp_type_child(in, name);
        if (!t || f->layout.keys[i].fn != DP_LAYOUT_VALUE || !column || !dp_delta_is_partition(t, name) || !dp_mask_passes(f->o->mask, column)) return false;
    }
    for (size_t i = 0; t && i < f->n_targets; i++)
        if (dp_delta_is_partition(t, name_of(in->children[f->targets[i].in]))) return false;
    return true;
}

static enum dp_status open_source(struct dp_mask_files *f, struct dp_err *err) {
    DP_TRY(groups_open(f->name, f->set, &f->groups, err));
    struct dp_str kv;
    const struct dp_pq_file *file = groups_file(f->groups);
    if (file && dp_pq_find_value(dp_pq_meta(file), DP_DELTA_KV_PARTITION, &kv) && kv.n > 2)
        return dp_err_set(err, DP_UNSUPPORTED, "%s is a file of a partitioned table, whose partition values do not stand in it: name the table", f->name);
    DP_TRY(check_types(f, err));
    find_targets(f);
    f->direct = is_direct(f);
    return f->lay || f->run->dry_run ? DP_OK : dp_lay_open(f->run, &f->lay_opts, f->done, f->ctx, &f->lay, err);
}

/* ---- row groups in order ---- */

/* Bytes of a row group's column in its file; INT64_MAX where they make no sense. */
static int64_t column_bytes(const struct group *g, size_t in, bool raw) {
    const struct dp_pq_meta *m = dp_pq_meta(g->file);
    int64_t sum = 0;
    size_t leaf, n_leaves;
    dp_pq_column_leaves(g->file, in, &leaf, &n_leaves);
    for (size_t i = leaf; i < leaf + n_leaves; i++) {
        const struct dp_pq_chunk *c = &m->row_groups[g->number].chunks[i];
        int64_t n = raw ? c->total_uncompressed : c->total_compressed;
        if (n < 0 || dp_add_overflow(sum, n, &sum)) return INT64_MAX;
    }
    return sum;
}

static bool is_tiny(const struct group *g) {
    int64_t sum = 0;
    if (g->rows >= BATCH_ROWS) return false;
    for (size_t i = 0; i < dp_pq_schema(g->file)->n_children && sum < TINY_BYTES; i++) {
        int64_t n = column_bytes(g, i, false);
        sum = n > TINY_BYTES ? TINY_BYTES : sum + n;
    }
    return sum < TINY_BYTES;
}

/* Which columns are copied, and whether the others can be encoded each by itself. */
static bool plan_columns(struct dp_mask_files *f, struct plan *p) {
    struct worker *w = &f->workers[f->n_workers - 1];
    bool any = false;
    p->copies = dp_calloc(f->n_targets + 1, sizeof *p->copies);
    for (size_t i = 0; i < f->n_targets; i++) {
        const struct target *t = &f->targets[i];
        int from = group_column(&p->group, t->in);
        if (from < 0) return false;
        p->copies[i] = t->passes && (!f->lay || !dp_pq_cant_copy(w->encoder, i, p->group.file, p->group.number, (size_t)from));
        any |= p->copies[i];
        if (p->copies[i] || dp_type_leaves(t->schema) == 1) continue;
        if (p->group.rows > PIECE_ROWS || column_bytes(&p->group, (size_t)from, true) > NESTED_BYTES) return false;
    }
    return any;
}

static enum dp_status next_plan(struct dp_mask_files *f, struct dp_err *err) {
    struct group g;
    struct worker *w;
    do {
        DP_TRY(groups_next(f->groups, &g, err));
        if (g.rows < 1) group_release(&g);
    } while (g.rows < 1);
    struct plan *p = f->plan = dp_calloc(1, sizeof *p);
    atomic_init(&p->refs, 1);
    p->group = g;
    p->first = f->row + 1;
    DP_TRY(worker_of(f, f->n_workers - 1, &w, err));
    p->together = f->direct && !f->o->n_filters && !is_tiny(&g) && group_is_whole(&g) && plan_columns(f, p);
    f->target = 0, f->any_piece = f->is_reading = false;
    if (p->together) return f->row += (uint64_t)g.rows, DP_OK;
    f->is_reading = true;
    return group_rows_open(&p->group, ALL_COLUMNS, &f->rows, err);
}

static void end_plan(struct dp_mask_files *f) {
    if (f->is_reading) group_rows_close(&f->rows);
    f->is_reading = false;
    plan_release(f->plan);
    f->plan = NULL;
}

static void begin_batch(struct job *j, const struct dp_type *schema) {
    if (j->in.schema == schema) return;
    if (j->in.schema) dp_batch_release(&j->in);
    dp_batch_init(&j->in, schema);
}

static void take_job(struct dp_mask_files *f, struct job *j, bool is_piece) {
    plan_release(j->plan);
    atomic_fetch_add(&f->plan->refs, 1);
    j->f = f, j->plan = f->plan, j->is_piece = is_piece;
    j->books = (struct dp_books){0};
    j->first_reject = (struct dp_err)DP_ERR_INIT;
    dp_buf_reset(&j->rejects);
    j->bad = false;
}

static size_t next_encoded(const struct dp_mask_files *f, size_t from) {
    while (from < f->n_targets && f->plan->copies[from]) from++;
    return from;
}

/* Pieces wait in memory until their turn to be written comes: no more is read while they take too much. */
static void wait_for_room(struct dp_mask_files *f, uint64_t weight) {
    pthread_mutex_lock(&f->lock);
    while (f->in_flight && f->in_flight + weight > f->most && !dp_pool_stopping(f->run->pool)) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 20000000;
        if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
        (void)pthread_cond_timedwait(&f->less, &f->lock, &until);
    }
    f->in_flight += weight;
    pthread_mutex_unlock(&f->lock);
}

static void give_room(struct dp_mask_files *f, struct job *j) {
    pthread_mutex_lock(&f->lock);
    f->in_flight -= j->weight;
    j->weight = 0;
    pthread_cond_signal(&f->less);
    pthread_mutex_unlock(&f->lock);
}

static enum dp_status produce_piece(struct dp_mask_files *f, struct job *j, struct dp_err *err) {
    struct plan *p = f->plan;
    if (!f->is_reading) {
        f->target = next_encoded(f, f->target);
        if (f->target == f->n_targets && f->any_piece) return DP_END;
        take_job(f, j, true);
        f->any_piece = true;
        j->target = f->target;
        j->column_done = j->group_done = true;
        if (f->target == f->n_targets) return DP_OK; /* all of it is copied */
        DP_TRY(group_rows_open(&p->group, f->targets[f->target].in, &f->rows, err));
        f->is_reading = true;
        f->read = 0;
    } else {
        take_job(f, j, true);
        j->target = f->target;
    }
    int64_t left = p->group.rows - f->read, rows = left < PIECE_ROWS ? left : PIECE_ROWS;
    j->weight = (uint64_t)rows * PIECE_WORK;
    wait_for_room(f, j->weight);
    begin_batch(j, groups_column(f->groups, f->targets[f->target].in));
    enum dp_status status = group_rows_next(&f->rows, PIECE_ROWS, &j->in, err);
    if (status == DP_END) return dp_err_set(err, DP_FORMAT, "%s: a column has fewer rows than its row group", f->name);
    DP_TRY(status);
    j->whole = f->read == 0 && j->in.length == p->group.rows;
    f->read += j->in.length;
    j->column_done = f->read == p->group.rows;
    j->group_done = false;
    if (!j->column_done) return DP_OK;
    group_rows_close(&f->rows);
    f->is_reading = false;
    j->group_done = next_encoded(f, ++f->target) == f->n_targets;
    return DP_OK;
}

static enum dp_status produce_rows(struct dp_mask_files *f, struct job *j, struct dp_err *err) {
    begin_batch(j, groups_schema(f->groups));
    do DP_TRY(group_rows_next(&f->rows, BATCH_ROWS, &j->in, err));
    while (j->in.length == 0); /* all of them are deleted */
    take_job(f, j, false);
    j->first = f->row + 1;
    f->row += (uint64_t)j->in.length;
    return DP_OK;
}

static enum dp_status produce(void *ctx, void *job, struct dp_err *err) {
    struct dp_mask_files *f = ctx;
    struct job *j = job;
    if (dp_run_stopped(f->run, err)) return DP_SIGNALLED;
    for (;;) {
        if (!f->plan) DP_TRY(next_plan(f, err));
        enum dp_status status = f->plan->together ? produce_piece(f, j, err) : produce_rows(f, j, err);
        if (status != DP_END) return status;
        end_plan(f);
    }
}

/* ---- what comes out, in order ---- */

static enum dp_status judge(struct dp_mask_files *f, struct job *j, struct dp_err *err) {
    if (!j->books.rejected) return DP_OK;
    if (!f->run->rejects) return *err = j->first_reject, j->first_reject.status;
    DP_TRY(dp_rejects_write(f->run->rejects, j->rejects.p, j->rejects.n, err));
    return dp_rejects_judge(f->run->rejects, false, false, &j->first_reject, err);
}

static void release(void *ctx, void *job) {
    struct job *j = job;
    (void)ctx;
    if (j->in.schema) dp_batch_release(&j->in);
    if (j->masked.schema) dp_batch_release(&j->masked);
    dp_lay_rows_release(&j->rows);
    dp_pq_piece_free(j->piece);
    plan_release(j->plan);
    dp_buf_release(&j->rejects);
    free(j->state);
    free(j->keep);
}

static enum dp_status put_rows(struct dp_mask_files *f, struct job *j, struct dp_err *err) {
    struct dp_books *b = &f->run->books;
    b->in += j->books.in, b->used += j->books.used, b->filtered += j->books.filtered, b->rejected += j->books.rejected;
    DP_TRY(judge(f, j, err));
    f->counts.rows += (uint64_t)j->rows.rows.length;
    if (!f->lay || !j->rows.rows.length) return DP_OK;
    return f->direct || f->layout.n == 0 ? dp_lay_follow(f->lay, &j->rows, err) : dp_lay_add(f->lay, &j->rows, err);
}

static enum dp_status copy_until(struct dp_mask_files *f, struct plan *p, size_t target, struct dp_err *err) {
    for (; p->next < target; p->next++)
        DP_TRY(dp_pq_writer_copy(p->writer, p->group.file, p->group.number, (size_t)group_column(&p->group, f->targets[p->next].in), err));
    return DP_OK;
}

static enum dp_status put_piece(struct dp_mask_files *f, struct job *j, struct dp_err *err) {
    struct plan *p = j->plan;
    if (!p->writer) {
        DP_TRY(group_key(&p->group, &f->lay_opts, &f->key, err));
        DP_TRY(dp_lay_group_begin(f->lay, &f->key, &p->writer, err));
        DP_TRY(dp_pq_writer_begin(p->writer, p->group.rows, err));
    }
    DP_TRY(copy_until(f, p, j->target, err));
    if (j->target < f->n_targets) {
        struct dp_pq_piece *piece = j->piece;
        j->piece = NULL;
        DP_TRY(dp_pq_writer_piece(p->writer, piece, err));
        p->next += j->column_done;
    }
    if (!j->group_done) return DP_OK;
    DP_TRY(copy_until(f, p, f->n_targets, err));
    DP_TRY(dp_pq_writer_end(p->writer, err));
    return dp_lay_group_end(f->lay, p->group.rows, err);
}

/* A row of it can't be masked: what was written of the row group is cut off, and it goes row by row, here, for that is rare. */
static enum dp_status again_by_rows(struct dp_mask_files *f, struct plan *p, struct dp_err *err) {
    struct job own = {.f = f, .first = p->first};
    struct group_rows rows = {0};
    struct worker *w;
    enum dp_status status = worker_of(f, f->n_workers - 2, &w, err);
    if (status == DP_OK) status = group_rows_open(&p->group, ALL_COLUMNS, &rows, err);
    begin_batch(&own, groups_schema(f->groups));
    while (status == DP_OK && (status = group_rows_next(&rows, BATCH_ROWS, &own.in, err)) == DP_OK) {
        own.books = (struct dp_books){0};
        own.first_reject = (struct dp_err)DP_ERR_INIT;
        dp_buf_reset(&own.rejects);
        DP_TRY_OUT(mask_rows(f, w, &own, err));
        DP_TRY_OUT(put_rows(f, &own, err));
        own.first += (uint64_t)own.in.length;
    }
out:
    group_rows_close(&rows);
    release(NULL, &own);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status consume_piece(struct dp_mask_files *f, struct job *j, struct dp_err *err) {
    struct plan *p = j->plan;
    give_room(f, j);
    if (j->bad && !p->spoiled) {
        p->spoiled = true;
        if (p->writer) DP_TRY(dp_lay_group_undo(f->lay, err));
    }
    if (!p->spoiled && f->lay) DP_TRY(put_piece(f, j, err));
    dp_pq_piece_free(j->piece);
    j->piece = NULL;
    if (!j->group_done) return DP_OK;
    if (p->spoiled) return again_by_rows(f, p, err);
    f->run->books.in += (uint64_t)p->group.rows, f->run->books.used += (uint64_t)p->group.rows;
    f->counts.rows += (uint64_t)p->group.rows, f->counts.groups_copied++;
    for (size_t i = 0; i < f->n_targets; i++) f->counts.chunks_copied += p->copies[i];
    return DP_OK;
}

static enum dp_status consume(void *ctx, void *job, struct dp_err *err) {
    struct dp_mask_files *f = ctx;
    struct job *j = job;
    if (f->run->tick) f->run->tick(f->run);
    return j->is_piece ? consume_piece(f, j, err) : put_rows(f, j, err);
}

/* ---- the run ---- */

enum dp_status dp_mask_files_open(struct dp_run *run, const struct dp_mask_files_opts *opts, dp_lay_done done, void *ctx, struct dp_mask_files **out,
                                  struct dp_err *err) {
    struct dp_mask_files *f = dp_calloc(1, sizeof *f);
    unsigned threads = dp_pool_threads(run->pool);
    f->run = run, f->o = opts, f->done = done, f->ctx = ctx;
    f->n_workers = threads + 2;
    f->workers = dp_calloc(f->n_workers, sizeof *f->workers);
    f->most = run->memory / 3 * 2; /* the rest is for rows that are laid out one by one */
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->less, NULL);
    *out = f;
    if (dp_delta_is_table(opts->dir)) DP_TRY(dp_delta_open(opts->dir, -1, &f->table, err));
    return DP_OK;
}

static enum dp_status add(struct dp_mask_files *f, const char *name, struct dp_err *err) {
    const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    if (!dp_typed_is(name)) return dp_err_set(err, DP_USAGE, "%s is no Parquet file and no table: records go through `dp-mask | dp-partition -o`", name);
    f->name = name;
    f->row = 0;
    f->in_flight = 0;
    f->origin = dp_origin_new(name, NULL, dp_str("", 0));
    if (f->run->rejects) dp_rejects_source(f->run->rejects, f->origin);
    enum dp_status status = open_source(f, err);
    if (status == DP_OK) status = dp_pool_run(f->run->pool, &ops, f, err);
    end_plan(f);
    groups_close(f->groups);
    dp_origin_free(f->origin);
    f->groups = NULL, f->origin = NULL;
    return status;
}

enum dp_status dp_mask_files_add(struct dp_mask_files *f, const char *const *names, size_t n, struct dp_err *err) {
    if (n > 1) DP_TRY(dp_evolve_schema(f->run, names, n, NULL, false, &f->set, err));
    for (size_t i = 0; i < n; i++) DP_TRY(add(f, names[i], err));
    return DP_OK;
}

enum dp_status dp_mask_files_finish(struct dp_mask_files *f, struct dp_err *err) {
    if (f->run->rejects) DP_TRY(dp_rejects_judge(f->run->rejects, false, true, NULL, err));
    return f->lay ? dp_lay_finish(f->lay, err) : DP_OK;
}

struct dp_mask_files_counts dp_mask_files_counts(const struct dp_mask_files *f) { return f->counts; }

void dp_mask_files_keep(struct dp_mask_files *f) { dp_lay_keep(f->lay); }

void dp_mask_files_close(struct dp_mask_files *f) {
    if (!f) return;
    for (unsigned i = 0; i < f->n_workers; i++) {
        struct worker *w = &f->workers[i];
        if (!w->is_open) continue;
        dp_mask_run_close(w->run);
        dp_scan_close(w->scan);
        for (size_t k = 0; k < f->o->n_filters; k++) dp_expr_run_close(w->filters[k]);
        if (w->text.p) dp_wipe(w->text.p, w->text.cap);
        dp_buf_release(&w->text);
        dp_pq_encoder_close(w->encoder);
    }
    free(f->workers);
    release_targets(f);
    dp_lay_rows_release(&f->key);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->less);
    dp_lay_close(f->lay);
    dp_layout_release(&f->layout);
    dp_delta_close(f->table);
    dp_type_free(f->schema);
    dp_type_free(f->set);
    free(f);
}
