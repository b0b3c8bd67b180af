/*
 * Parquet and tables through a mask (dp/io/mask_files.h).  Batches are read in order, masked on any thread, laid out in order; what is in the files
 * depends on the rows and their order alone.  Files of a partitioned table by their own names are refused: their partition values stand elsewhere.
 */
#include <dp/io/mask_files.h>

#include <dp/delta/log.h>
#include <dp/delta/partition.h>
#include <dp/delta/schema.h>
#include <dp/io/typed.h>

#include <stdlib.h>

#define BATCH_ROWS 8192

struct worker {
    bool is_open;
    struct dp_mask_run *run;
    struct dp_expr_run *filters[3];
    struct dp_scan *scan;
    struct dp_buf text;
};

struct dp_mask_files {
    struct dp_run *run;
    const struct dp_mask_files_opts *o;
    dp_lay_done done;
    void *ctx;
    struct worker *workers;
    struct dp_delta_snapshot *table; /* that dir is, or NULL */
    struct dp_layout layout;
    struct dp_type *schema;          /* of the rows behind the mask; NULL: no source yet */
    struct dp_lay_opts lay_opts;
    struct dp_lay *lay;
    /* the source on its way */
    const char *name;
    struct dp_origin *origin;
    struct dp_typed *typed;
    const struct dp_type *checked;   /* the batches' schema that is known to fit */
    uint64_t row;
};

struct job {
    struct dp_mask_files *f;
    struct dp_batch in, masked;
    struct dp_lay_rows rows;
    uint64_t first;        /* number of the first row in its source, from 1 */
    uint8_t *state;        /* of each row: 0 stays, 1 filtered, 2 rejected */
    uint32_t *keep;
    size_t cap, keep_cap;
    struct dp_books books;
    struct dp_buf rejects;
    struct dp_err first_reject;
};

/* ---- one batch, any thread ---- */

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

static struct worker *worker_of(struct dp_mask_files *f, unsigned n) {
    struct worker *w = &f->workers[n];
    if (w->is_open) return w;
    w->run = dp_mask_run_open(f->o->mask);
    w->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    for (size_t i = 0; i < f->o->n_filters; i++) w->filters[i] = dp_expr_run_open(f->o->filters[i].expr);
    w->is_open = true;
    return w;
}

static enum dp_status work(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct dp_mask_files *f = ctx;
    struct job *j = job;
    struct worker *w = worker_of(f, worker);
    size_t n = (size_t)j->in.length, kept = 0;
    j->state = dp_grow(j->state, &j->cap, n, 1);
    memset(j->state, 0, n);
    DP_TRY(filter(f, w, j, err));
    if (!j->rows.is_open) dp_lay_rows_open(&f->lay_opts, &j->rows);
    if (!j->masked.schema) dp_batch_init(&j->masked, f->schema);
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

/* ---- in order ---- */

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
    struct dp_delta_snapshot *source = NULL;
    enum dp_status status = DP_OK;
    if (!f->table && dp_delta_is_table(f->name)) DP_TRY(dp_delta_open(f->name, -1, &source, err));
    const struct dp_delta_snapshot *of = f->table ? f->table : source;
    for (size_t i = 0; of && i < of->metadata.partition_columns.n && status == DP_OK; i++) {
        struct dp_str column = of->metadata.partition_columns.v[i];
        if (dp_type_child(f->schema, column)) status = dp_layout_add(&f->layout, column, err);
        else if (f->table) status = dp_err_set(err, DP_SCHEMA, "table %s is partitioned by %.*s, and the masked rows don't have it", f->o->dir, DP_STR_FMT(column));
    }
    if (status == DP_OK) status = dp_layout_bind(&f->layout, f->schema, err);
    for (size_t i = 0; i < f->layout.n && status == DP_OK; i++)
        if (!dp_delta_partition_type_ok(f->layout.schema->children[i])) status = dp_err_set(err, DP_SCHEMA, "column %s behind the mask can't partition", f->layout.keys[i].name);
    dp_delta_close(source);
    return status;
}

/* The first batch of a source settles its types, and those of all. */
static enum dp_status check_types(struct dp_mask_files *f, const struct dp_type *in, struct dp_err *err) {
    struct dp_type *behind = NULL;
    struct dp_str kv;
    if (dp_typed_key_value(f->typed, DP_DELTA_KV_PARTITION, &kv) && kv.n > 2)
        return dp_err_set(err, DP_UNSUPPORTED, "%s is a file of a partitioned table, whose partition values do not stand in it: name the table", f->name);
    DP_TRY(dp_mask_schema(f->o->mask, in, &behind, err));
    if (f->schema) {
        bool same = dp_type_equal(f->schema, behind);
        dp_type_free(behind);
        f->checked = in;
        return same ? DP_OK : dp_err_set(err, DP_SCHEMA, "%s: its columns differ from those of the sources before", f->name);
    }
    f->schema = behind;
    f->checked = in;
    if (!behind->n_children) return dp_err_set(err, DP_USAGE, "the mask leaves no column");
    DP_TRY(check_table(f, err));
    DP_TRY(set_layout(f, err));
    f->lay_opts = (struct dp_lay_opts){.dir = f->o->dir, .staging = f->table != NULL, .table = f->table, .layout = &f->layout, .schema = f->schema, .codec = f->o->codec,
                                       .memory = f->run->memory / 3};
    return DP_OK;
}

static enum dp_status produce(void *ctx, void *job, struct dp_err *err) {
    struct dp_mask_files *f = ctx;
    struct job *j = job;
    if (dp_run_stopped(f->run, err)) return DP_SIGNALLED;
    DP_TRY(dp_typed_next(f->typed, BATCH_ROWS, &j->in, err));
    if (j->in.schema != f->checked) DP_TRY(check_types(f, j->in.schema, err));
    j->f = f;
    j->first = f->row + 1;
    f->row += (uint64_t)j->in.length;
    j->books = (struct dp_books){0};
    j->first_reject = (struct dp_err)DP_ERR_INIT;
    dp_buf_reset(&j->rejects);
    return DP_OK;
}

static enum dp_status judge(struct dp_mask_files *f, struct job *j, struct dp_err *err) {
    if (!j->books.rejected) return DP_OK;
    if (!f->run->rejects) return *err = j->first_reject, j->first_reject.status;
    DP_TRY(dp_rejects_write(f->run->rejects, j->rejects.p, j->rejects.n, err));
    return dp_rejects_judge(f->run->rejects, false, false, &j->first_reject, err);
}

static enum dp_status consume(void *ctx, void *job, struct dp_err *err) {
    struct dp_mask_files *f = ctx;
    struct job *j = job;
    struct dp_books *b = &f->run->books;
    b->in += j->books.in, b->used += j->books.used, b->filtered += j->books.filtered, b->rejected += j->books.rejected;
    if (f->run->tick) f->run->tick(f->run);
    DP_TRY(judge(f, j, err));
    if (f->run->dry_run || !j->rows.rows.length) return DP_OK;
    if (!f->lay) DP_TRY(dp_lay_open(f->run, &f->lay_opts, f->done, f->ctx, &f->lay, err));
    return dp_lay_add(f->lay, &j->rows, err);
}

static void release(void *ctx, void *job) {
    struct job *j = job;
    (void)ctx;
    if (j->in.schema) dp_batch_release(&j->in);
    if (j->masked.schema) dp_batch_release(&j->masked);
    dp_lay_rows_release(&j->rows);
    dp_buf_release(&j->rejects);
    free(j->state);
    free(j->keep);
}

/* ---- the run ---- */

enum dp_status dp_mask_files_open(struct dp_run *run, const struct dp_mask_files_opts *opts, dp_lay_done done, void *ctx, struct dp_mask_files **out,
                                  struct dp_err *err) {
    struct dp_mask_files *f = dp_calloc(1, sizeof *f);
    unsigned threads = dp_pool_threads(run->pool);
    f->run = run, f->o = opts, f->done = done, f->ctx = ctx;
    f->workers = dp_calloc(threads ? threads : 1, sizeof *f->workers);
    *out = f;
    if (dp_delta_is_table(opts->dir)) DP_TRY(dp_delta_open(opts->dir, -1, &f->table, err));
    return DP_OK;
}

enum dp_status dp_mask_files_add(struct dp_mask_files *f, const char *name, struct dp_err *err) {
    const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    const struct dp_typed_opts typed = {0};
    if (!dp_typed_is(name)) return dp_err_set(err, DP_USAGE, "%s is no Parquet file and no table: records go through `dp-mask | dp-partition -o`", name);
    f->name = name;
    f->row = 0;
    f->checked = NULL;
    f->origin = dp_origin_new(name, NULL, dp_str("", 0));
    if (f->run->rejects) dp_rejects_source(f->run->rejects, f->origin);
    enum dp_status status = dp_typed_open(f->run, &name, 1, &typed, &f->typed, err);
    if (status == DP_OK) status = dp_pool_run(f->run->pool, &ops, f, err);
    dp_typed_close(f->typed);
    dp_origin_free(f->origin);
    f->typed = NULL, f->origin = NULL;
    return status;
}

enum dp_status dp_mask_files_finish(struct dp_mask_files *f, struct dp_err *err) {
    if (f->run->rejects) DP_TRY(dp_rejects_judge(f->run->rejects, false, true, NULL, err));
    return f->lay ? dp_lay_finish(f->lay, err) : DP_OK;
}

void dp_mask_files_keep(struct dp_mask_files *f) { dp_lay_keep(f->lay); }

void dp_mask_files_close(struct dp_mask_files *f) {
    if (!f) return;
    unsigned threads = dp_pool_threads(f->run->pool);
    for (unsigned i = 0; i < (threads ? threads : 1); i++) {
        struct worker *w = &f->workers[i];
        if (!w->is_open) continue;
        dp_mask_run_close(w->run);
        dp_scan_close(w->scan);
        for (size_t k = 0; k < f->o->n_filters; k++) dp_expr_run_close(w->filters[k]);
        if (w->text.p) dp_wipe(w->text.p, w->text.cap);
        dp_buf_release(&w->text);
    }
    free(f->workers);
    dp_lay_close(f->lay);
    dp_layout_release(&f->layout);
    dp_delta_close(f->table);
    dp_type_free(f->schema);
    free(f);
}
