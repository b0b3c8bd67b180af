/*
 * Row groups written anew (dp/io/compact.h).  Small ones are decoded on any thread and their rows follow each other into row groups of full size; a large one is
 * read in order, piece by piece; one that is as large as it should be, whose rows all stay, is copied as it stands where no order is asked for.
 * What is written depends on the row groups and their order alone.
 */
#include "compact_priv.h"

#include <dp/delta/path.h>
#include <dp/parquet/writer.h>

#include <stdlib.h>

#define BATCH_ROWS 8192
#define SMALL_ROWS 16384           /* a row group of so many rows */
#define SMALL_BYTES (2 << 20)      /* and bytes is decoded at once */
#define GOOD_ROWS 61440            /* half of a row group of our own: from there on copying is better */
#define GOOD_BYTES (13 << 20)      /* or so many bytes before compression */
#define SMALL_TARGET (16 << 20)
#define LEARN_ROWS 50000           /* values that a curve's ranges are made of, */
#define LEARN_READ 2000000         /* and rows that are read for it, about */

/*
 * With ROWS the row groups that are as large as they should be are passed over where they can be copied, and counted: the same files are gone through once
 * more with COPIES, for rows that wait must not be cut off before each of them.
 */
enum pass { ROWS, COPIES };

struct rewriting {
    struct rewrite *r;
    struct groups *g;
    enum pass pass;
    size_t n_passed;
    /* of the one that produces */
    struct group group;      /* that is read piece by piece */
    struct group_rows rows;
    bool is_reading;
};

struct job {
    struct group group;      /* to be decoded or copied */
    bool has_group, copies;
    struct dp_lay_rows rows;
    struct dp_batch more;
};

static void drop_group(struct job *j) {
    if (j->has_group) group_release(&j->group);
    j->has_group = false;
}

/* ---- which row group goes which way ---- */

static uint64_t raw_bytes(const struct group *g) { return (uint64_t)dp_pq_meta(g->file)->row_groups[g->number].total_byte_size; }

static bool can_copy(const struct rewrite *r, const struct group *g) {
    return r->encoder && (g->rows >= GOOD_ROWS || raw_bytes(g) >= GOOD_BYTES) && group_can_copy(g, &r->lay_opts, r->encoder);
}

/* ---- produce ---- */

static struct dp_batch without_order(const struct rewrite *r, const struct dp_lay_rows *rows) {
    struct dp_batch b = rows->rows;
    b.n_columns -= r->curve != NULL;
    return b;
}

static void begin_rows(const struct rewrite *r, struct job *j) {
    if (!j->rows.is_open) dp_lay_rows_open(&r->lay_opts, &j->rows);
    dp_batch_reset(&j->rows.rows);
    j->copies = false;
}

/* Rows of a row group into the job's; DP_END: there are no more. */
static enum dp_status read_rows(const struct rewrite *r, struct group_rows *from, int64_t max, struct job *j, struct dp_err *err) {
    struct dp_batch b = without_order(r, &j->rows);
    enum dp_status status = group_rows_next(from, max, &b, err);
    j->rows.rows.length = b.length;
    return status;
}

static enum dp_status produce_piece(struct rewriting *w, struct job *j, struct dp_err *err) {
    enum dp_status status;
    begin_rows(w->r, j);
    do status = read_rows(w->r, &w->rows, BATCH_ROWS, j, err);
    while (status == DP_OK && j->rows.rows.length == 0);
    if (status != DP_END) return status;
    group_rows_close(&w->rows);
    group_release(&w->group);
    w->is_reading = false;
    return DP_END;
}

static enum dp_status produce(void *ctx, void *job, struct dp_err *err) {
    struct rewriting *w = ctx;
    struct job *j = job;
    struct group g;
    if (dp_run_stopped(w->r->run, err)) return DP_SIGNALLED;
    drop_group(j);
    for (;;) {
        if (w->is_reading) {
            enum dp_status status = produce_piece(w, j, err);
            if (status != DP_END) return status;
        }
        DP_TRY(groups_next(w->g, &g, err));
        bool copies = can_copy(w->r, &g);
        if (copies != (w->pass == COPIES)) {
            w->n_passed += copies;
            group_release(&g);
            continue;
        }
        begin_rows(w->r, j);
        if (copies || (g.rows <= SMALL_ROWS && raw_bytes(&g) <= SMALL_BYTES)) {
            j->group = g, j->has_group = true, j->copies = copies;
            return DP_OK;
        }
        w->group = g;
        enum dp_status status = group_rows_open(&w->group, ALL_COLUMNS, &w->rows, err);
        if (status != DP_OK) return group_release(&w->group), status;
        w->is_reading = true;
    }
}

/* ---- any thread ---- */

/* All rows of a small row group. */
static enum dp_status decode(const struct rewrite *r, struct job *j, struct dp_err *err) {
    struct group_rows rows;
    enum dp_status status = group_rows_open(&j->group, ALL_COLUMNS, &rows, err);
    if (status == DP_OK) status = read_rows(r, &rows, SMALL_ROWS, j, err);
    while (status == DP_OK) { /* usually there are no more */
        if (!j->more.schema) dp_batch_init(&j->more, groups_schema(j->group.of));
        status = group_rows_next(&rows, SMALL_ROWS, &j->more, err);
        struct dp_batch to = without_order(r, &j->rows);
        if (status == DP_OK) dp_batch_append(&to, &j->more, 0, j->more.length), j->rows.rows.length = to.length;
    }
    group_rows_close(&rows);
    if (j->more.schema) dp_batch_release(&j->more), j->more = (struct dp_batch){0};
    return status == DP_END ? DP_OK : status;
}

static enum dp_status work(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    const struct rewriting *w = ctx;
    struct job *j = job;
    (void)worker;
    if (j->copies) return DP_OK;
    if (j->has_group) DP_TRY(decode(w->r, j, err));
    struct dp_batch *b = &j->rows.rows;
    if (w->r->curve) curve_places(w->r->curve, b, &b->columns[b->n_columns - 1]);
    return dp_lay_group(&w->r->lay_opts, &j->rows, err);
}

/* ---- consume, in order ---- */

static enum dp_status copy(struct rewrite *r, const struct group *g, struct dp_err *err) {
    DP_TRY(group_copy(g, &r->lay_opts, r->lay, &r->key, err));
    r->rows += (uint64_t)g->rows;
    r->groups_copied++;
    return DP_OK;
}

static enum dp_status consume(void *ctx, void *job, struct dp_err *err) {
    struct rewriting *w = ctx;
    struct job *j = job;
    struct rewrite *r = w->r;
    enum dp_status status = DP_OK;
    if (r->run->tick) r->run->tick(r->run);
    if (j->copies) {
        status = copy(r, &j->group, err);
    } else if (j->rows.rows.length) {
        r->rows += (uint64_t)j->rows.rows.length;
        status = r->sorts || r->mixes ? dp_lay_add(r->lay, &j->rows, err) : dp_lay_follow(r->lay, &j->rows, err);
    }
    drop_group(j);
    return status;
}

static void release(void *ctx, void *job) {
    struct job *j = job;
    (void)ctx;
    drop_group(j);
    dp_lay_rows_release(&j->rows);
    if (j->more.schema) dp_batch_release(&j->more);
}

static enum dp_status rewrite_groups(struct rewrite *r, struct groups *g, enum pass pass, size_t *n_passed, struct dp_err *err) {
    const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    struct rewriting w = {.r = r, .g = g, .pass = pass};
    enum dp_status status = dp_pool_run(r->run->pool, &ops, &w, err);
    if (w.is_reading) group_rows_close(&w.rows), group_release(&w.group);
    *n_passed = w.n_passed;
    return status;
}

/* In the order of dp_delta_scan_row_ids. */
static void add_row_columns(struct dp_type *schema, const struct dp_delta_row_columns *names) {
    dp_type_add(schema, dp_type_new(DP_TYPE_INT64, names->id));
    dp_type_add(schema, dp_type_new(DP_TYPE_INT64, names->version));
}

enum dp_status rewrite_open(struct rewrite *r, const struct dp_compact_opts *o, struct dp_type *schema, struct dp_layout *layout, const struct dp_delta_row_columns *rows,
                            struct dp_err *err) {
    const struct dp_order *order = &o->order;
    bool is_curve = order->kind == DP_ORDER_ZORDER;
    uint64_t memory = r->run->memory;
    if (rows) add_row_columns(schema, rows);
    if (is_curve) {
        DP_TRY(curve_open(schema, (const char *const *)order->columns, order->n, &r->curve, err));
        dp_type_add(schema, dp_type_new(DP_TYPE_INT64, DP_STR(ORDER_COLUMN)));
    }
    r->lay_opts = (struct dp_lay_opts){.layout = layout, .schema = schema, .tracks_rows = rows != NULL, .codec = o->codec, .keep_codec = !o->codec, .target_size = o->target_size,
                                       .memory = memory / 3 * 2, .sort = order->sort, .order_column = is_curve ? ORDER_COLUMN : NULL};
    /* a file ends at the end of a row group: those of small files must be small */
    if (o->target_size < SMALL_TARGET) r->lay_opts.row_group_bytes = o->target_size < SMALL_TARGET / 16 ? SMALL_TARGET / 16 : o->target_size;
    return DP_OK;
}

void rewrite_release(struct rewrite *r) {
    dp_lay_rows_release(&r->key);
    dp_pq_encoder_close(r->encoder);
    curve_close(r->curve);
    r->encoder = NULL, r->curve = NULL;
}

/* ---- what a curve learns ---- */

struct learning {
    struct rewrite *r;
    struct groups *g;
    int64_t every, at, stride; /* each so many-th row group; rows of those */
};
struct lesson { struct group group; bool has_group; struct dp_batch *columns; size_t n; };

static enum dp_status produce_lesson(void *ctx, void *job, struct dp_err *err) {
    struct learning *w = ctx;
    struct lesson *j = job;
    if (dp_run_stopped(w->r->run, err)) return DP_SIGNALLED;
    for (;;) {
        DP_TRY(groups_next(w->g, &j->group, err));
        if (w->at++ % w->every == 0) break;
        group_release(&j->group);
    }
    j->has_group = true;
    return DP_OK;
}

/* Of each column every stride-th value. */
static enum dp_status take_values(const struct learning *w, struct lesson *j, size_t k, size_t column, struct dp_err *err) {
    const struct dp_type *alone = groups_column(w->g, column);
    struct group_rows rows;
    struct dp_batch b;
    uint32_t pick[BATCH_ROWS];
    int64_t skip = 0;
    if (!j->columns[k].schema) dp_batch_init(&j->columns[k], alone);
    dp_batch_reset(&j->columns[k]);
    DP_TRY(group_rows_open(&j->group, column, &rows, err));
    dp_batch_init(&b, alone);
    enum dp_status status;
    while ((status = group_rows_next(&rows, BATCH_ROWS, &b, err)) == DP_OK) {
        size_t n = 0;
        int64_t row = skip;
        for (; row < b.length; row += w->stride) pick[n++] = (uint32_t)row;
        skip = row - b.length;
        dp_batch_gather(&j->columns[k], &b, pick, n);
    }
    dp_batch_release(&b);
    group_rows_close(&rows);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status work_lesson(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    const struct learning *w = ctx;
    struct lesson *j = job;
    const size_t *columns;
    (void)worker;
    size_t n = curve_columns(w->r->curve, &columns);
    if (!j->columns) j->columns = dp_calloc(n + 1, sizeof *j->columns), j->n = n;
    for (size_t k = 0; k < n; k++) DP_TRY(take_values(w, j, k, columns[k], err));
    return DP_OK;
}

static enum dp_status consume_lesson(void *ctx, void *job, struct dp_err *err) {
    const struct learning *w = ctx;
    struct lesson *j = job;
    (void)err;
    for (size_t k = 0; k < j->n; k++) curve_learn(w->r->curve, k, &j->columns[k].columns[0]);
    group_release(&j->group);
    j->has_group = false;
    return DP_OK;
}

static void release_lesson(void *ctx, void *job) {
    struct lesson *j = job;
    (void)ctx;
    if (j->has_group) group_release(&j->group);
    for (size_t k = 0; k < j->n; k++)
        if (j->columns[k].schema) dp_batch_release(&j->columns[k]);
    free(j->columns);
}

static enum dp_status learn(struct rewrite *r, struct groups *g, int64_t rows, struct dp_err *err) {
    const struct dp_pool_ops ops = {.job_size = sizeof(struct lesson), .produce = produce_lesson, .work = work_lesson, .consume = consume_lesson, .release = release_lesson};
    struct learning w = {.r = r, .g = g, .every = rows > LEARN_READ ? rows / LEARN_READ + 1 : 1};
    int64_t read = rows / w.every;
    const size_t *columns;
    w.stride = read > LEARN_ROWS ? read / LEARN_ROWS : 1;
    size_t n = curve_columns(r->curve, &columns);
    for (size_t k = 0; k < n; k++) (void)groups_column(g, columns[k]); /* made here, for one thread at a time may make them */
    curve_forget(r->curve);
    DP_TRY(dp_pool_run(r->run->pool, &ops, &w, err));
    curve_settle(r->curve);
    return DP_OK;
}

/* ---- files that become new ones together ---- */

void inputs_add_path(struct inputs *in, const struct dp_delta_file *f, const char *path) {
    in->files = dp_grow(in->files, &in->cap, in->n + 1, sizeof *in->files);
    in->paths = dp_grow(in->paths, &in->paths_cap, in->n + 1, sizeof *in->paths);
    in->files[in->n] = f ? *f : (struct dp_delta_file){0};
    in->paths[in->n++] = dp_strdup(path);
}

enum dp_status inputs_add(struct inputs *in, const struct dp_delta_file *f, struct dp_err *err) {
    struct dp_buf path = {0};
    enum dp_status status = dp_delta_path_resolve(in->table->table, f->path, &path, err);
    if (status == DP_OK) inputs_add_path(in, f, dp_buf_z(&path));
    dp_buf_release(&path);
    return status;
}

void inputs_release(struct inputs *in) {
    for (size_t i = 0; i < in->n; i++) free(in->paths[i]);
    free(in->paths), free(in->files);
    *in = (struct inputs){0};
}

static enum dp_status open_groups(const struct rewrite *r, const struct inputs *in, struct groups **out, struct dp_err *err) {
    const char *const *paths = (const char *const *)in->paths;
    if (in->table) return groups_open_files(in->table, in->files, paths, in->n, r->lay_opts.tracks_rows, in->memory, out, err);
    return groups_open_names(paths, in->n, in->set, in->memory, out, err);
}

enum dp_status rewrite_inputs(struct rewrite *r, const struct inputs *in, struct dp_err *err) {
    struct groups *g = NULL;
    size_t passed = 0, none;
    enum dp_status status = DP_OK;
    if (r->curve) {
        DP_TRY(open_groups(r, in, &g, err));
        status = learn(r, g, in->rows, err);
        groups_close(g);
        DP_TRY(status);
    }
    DP_TRY(open_groups(r, in, &g, err));
    status = rewrite_groups(r, g, ROWS, &passed, err);
    groups_close(g);
    if (status != DP_OK || !passed) return status;
    DP_TRY(open_groups(r, in, &g, err));
    status = rewrite_groups(r, g, COPIES, &none, err);
    groups_close(g);
    return status;
}
