/*
 * The rows of a person in the files of tables (lib/io/erase_priv.h), each file on a thread of its own: files and row groups that statistics and bloom filters exclude are not read, and of the
 * others only the columns that are asked about.
 */
#include "erase_priv.h"

#include <dp/delta/partition.h>
#include <dp/delta/path.h>
#include <dp/io/rows.h>

#include <stdlib.h>

struct worker {
    struct dp_scan *scan;
    struct dp_buf text;
};

struct finding {
    struct erase *x;
    size_t next;
    struct worker *workers;
};

struct job { struct erase_file *file; const struct dp_expr *where; struct dp_expr_run *run; int64_t *rows; size_t n, cap; int64_t total; bool all, was_read; };

static enum dp_status produce(void *ctx, void *slot, struct dp_err *err) {
    struct finding *f = ctx;
    struct job *j = slot;
    if (dp_run_stopped(f->x->run, err)) return DP_SIGNALLED;
    for (; f->next < f->x->files.n; f->next++) {
        j->file = f->x->files.items[f->next].v.p;
        if (j->file->is_searched) continue;
        f->next++;
        j->n = 0, j->total = 0, j->all = j->was_read = false;
        return DP_OK;
    }
    return DP_END;
}

/* ---- partition values ---- */

static const struct dp_type *type_of(const struct erase_table *t, struct dp_str key) {
    for (size_t i = 0; i < t->s->physical->n_children; i++)
        if (dp_str_eq(dp_str(t->s->physical->children[i]->name, t->s->physical->children[i]->name_n), key)) return t->s->physical->children[i];
    return NULL;
}

/* Of a file that no version names: what its directories say. */
static bool of_hive(struct dp_str path, struct dp_str key, struct dp_buf *out) {
    struct dp_buf want = {0};
    bool yes = false;
    dp_delta_hive_escape(key, &want);
    dp_buf_addc(&want, '=');
    for (size_t i = 0, j; i < path.n && !yes; i = j + 1) {
        for (j = i; j < path.n && path.p[j] != '/'; j++) {}
        struct dp_str part = dp_str(path.p + i, j - i);
        if (j == path.n || !dp_str_starts(part, dp_buf_str(&want))) continue;
        dp_delta_path_decode(dp_str(part.p + want.n, part.n - want.n), out);
        yes = true;
    }
    dp_buf_release(&want);
    return yes;
}

static void print_values(const struct erase_file *f, struct dp_buf *out) {
    const struct erase_table *t = f->table;
    struct dp_buf value = {0};
    dp_buf_addc(out, '{');
    for (size_t i = 0, n = 0; i < t->s->partition_keys.n; i++) {
        struct dp_str key = t->s->partition_keys.v[i];
        const struct dp_delta_pair *p = dp_delta_pairs_get(&f->values, key);
        const struct dp_type *type = type_of(t, key);
        size_t mark = out->n;
        dp_buf_reset(&value);
        if (!type || (p ? p->is_null : !of_hive(f->hive, key, &value))) continue;
        dp_buf_addz(out, n ? "," : "");
        dp_json_add_string(out, key);
        dp_buf_addc(out, ':');
        if (dp_delta_partition_json(type, p ? p->value : dp_buf_str(&value), false, out, NULL) == DP_OK) n++;
        else out->n = mark;
    }
    dp_buf_addc(out, '}');
    dp_buf_release(&value);
}

static enum dp_status ask_partition(struct worker *w, struct job *j, struct dp_err *err) {
    struct dp_record r;
    const struct dp_expr *e = j->file->table->of_partition;
    if (!e) return DP_OK;
    struct dp_expr_run *run = dp_expr_run_open(e);
    dp_buf_reset(&w->text);
    print_values(j->file, &w->text);
    memset(dp_buf_reserve(&w->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    enum dp_status status = dp_scan_value(w->scan, w->text.p, w->text.n, &r, err);
    if (status == DP_OK) status = dp_expr_test(run, &r, &j->all, err);
    dp_expr_run_close(run);
    return status;
}

/* ---- rows ---- */

static enum dp_status test_rows(struct worker *w, struct job *j, const struct dp_batch *b, int64_t first, struct dp_err *err) {
    struct dp_record r;
    dp_buf_reset(&w->text);
    dp_batch_print(b, 0, b->length, NULL, &w->text);
    memset(dp_buf_reserve(&w->text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(w->scan, w->text.p, w->text.n);
    for (int64_t i = 0; i < b->length; i++) {
        bool yes = false;
        DP_TRY(dp_scan_next(w->scan, &r, err));
        enum dp_status status = dp_expr_test(j->run, &r, &yes, err);
        if (status == DP_RECORD) status = dp_err_set(err, DP_FORMAT, "row %lld can't be asked about", (long long)(first + i + 1));
        DP_TRY(status);
        if (!yes) continue;
        j->rows = dp_grow(j->rows, &j->cap, j->n + 1, sizeof *j->rows);
        j->rows[j->n++] = first + i;
    }
    return DP_OK;
}

/* Columns of the file that the condition is over. */
static size_t choose(const struct dp_pq_file *f, const struct dp_expr *e, const char **out) {
    const char *const *fields;
    size_t n = 0, n_fields;
    if (!dp_expr_fields(e, &fields, &n_fields)) return 0;
    for (size_t i = 0; i < n_fields; i++)
        if (dp_type_child(dp_pq_schema(f), dp_str_z(fields[i]))) out[n++] = fields[i];
    return n;
}

static enum dp_status read_group(struct finding *f, struct worker *w, struct job *j, struct dp_pq_reader *reader, size_t group, int64_t first, const struct dp_pq_ranges *ranges, struct dp_err *err) {
    struct dp_batch b;
    struct dp_rows pace = {0};
    dp_batch_init(&b, dp_pq_reader_schema(reader));
    enum dp_status status = dp_pq_reader_seek(reader, group, err);
    if (status == DP_OK) status = dp_pq_reader_select(reader, ranges->v, ranges->n, err);
    while (status == DP_OK && (status = dp_pq_reader_next(reader, dp_rows_next(&pace, f->x->run, 4), &b, err)) == DP_OK) {
        dp_rows_see(&pace, &b);
        status = test_rows(w, j, &b, first + dp_pq_reader_row(reader), err);
        if (status == DP_OK && dp_run_stopped(f->x->run, err)) status = DP_SIGNALLED;
    }
    dp_batch_release(&b);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status read_rows(struct finding *f, struct worker *w, struct job *j, const struct dp_pq_file *file, const char *const *columns, size_t n, struct dp_err *err) {
    const struct dp_expr *e = j->where;
    struct dp_pq_reader *reader = NULL;
    struct dp_pq_ranges ranges = {0};
    enum dp_status status = DP_OK;
    for (size_t g = 0; g < dp_pq_meta(file)->n_row_groups && status == DP_OK; g++) {
        int64_t first = j->total;
        j->total += dp_pq_meta(file)->row_groups[g].num_rows;
        if (dp_pq_skip(file, g, e, NULL, NULL, &ranges) == DP_NEVER) continue;
        j->was_read = true;
        if (!reader) status = dp_pq_reader_open(file, columns, n, &reader, err);
        if (status == DP_OK) status = read_group(f, w, j, reader, g, first, &ranges, err);
    }
    dp_pq_reader_close(reader);
    dp_pq_ranges_release(&ranges);
    return status;
}

/* Partition columns stand in files that were written before they were that. */
static const struct dp_expr *condition_of(const struct erase_table *t, const struct dp_pq_file *f) {
    for (size_t i = 0; i < t->s->partition_keys.n; i++)
        if (dp_type_child(dp_pq_schema(f), t->s->partition_keys.v[i])) return t->of_all;
    return t->where;
}

static enum dp_status search_rows(struct finding *f, struct worker *w, struct job *j, const struct dp_pq_file *file, struct dp_err *err) {
    const char *const *fields;
    size_t n_fields = 0;
    j->where = condition_of(j->file->table, file);
    if (j->where) (void)dp_expr_fields(j->where, &fields, &n_fields);
    const char **columns = dp_calloc(n_fields + 1, sizeof *columns);
    size_t n = j->where ? choose(file, j->where, columns) : 0;
    enum dp_status status = DP_OK;
    if (j->all || !n) j->total = dp_pq_meta_rows(dp_pq_meta(file));
    else {
        j->run = dp_expr_run_open(j->where);
        status = read_rows(f, w, j, file, columns, n, err);
        dp_expr_run_close(j->run);
    }
    free(columns);
    return status;
}

static enum dp_status search(struct finding *f, struct worker *w, struct job *j, struct dp_err *err) {
    struct dp_pq_file *file = NULL;
    enum dp_status status = ask_partition(w, j, err);
    if (status == DP_OK) status = dp_pq_open_bounded(j->file->path, f->x->run->memory / (2 * f->x->run->threads), &file, err);
    if (status == DP_OK) status = search_rows(f, w, j, file, err);
    dp_pq_close(file);
    return status == DP_OK ? DP_OK : dp_err_at(err, j->file->path, 0, DP_NO_OFFSET);
}

static enum dp_status work(void *ctx, unsigned worker, void *slot, struct dp_err *err) {
    struct finding *f = ctx;
    struct worker *w = &f->workers[worker];
    struct job *j = slot;
    struct dp_err why = DP_ERR_INIT;
    if (!w->scan) w->scan = dp_scan_open(f->x->run->max_record, DP_SCAN_AUTO);
    enum dp_status status = search(f, w, j, &why);
    if (status == DP_FORMAT && !j->file->is_named) { /* what a dead writer left unfinished can't be told about, and nobody needs it */
        j->all = true;
        return DP_OK;
    }
    if (status != DP_OK && err) *err = why;
    return status;
}

static enum dp_status consume(void *ctx, void *slot, struct dp_err *err) {
    struct finding *f = ctx;
    struct job *j = slot;
    struct erase_file *file = j->file;
    (void)err;
    file->is_searched = true;
    file->rows = j->total, file->n_gone = j->n;
    file->all = j->all || (j->total && (int64_t)j->n == j->total);
    file->gone = dp_arena_alloc(&f->x->arena, (j->n + 1) * sizeof *file->gone);
    if (j->n) memcpy(file->gone, j->rows, j->n * sizeof *file->gone);
    f->x->out->files++;
    f->x->out->files_read += j->was_read;
    if (f->x->run->tick) f->x->run->tick(f->x->run);
    return DP_OK;
}

static void release(void *ctx, void *slot) {
    (void)ctx;
    free(((struct job *)slot)->rows);
}

enum dp_status erase_find(struct erase *x, struct dp_err *err) {
    static const struct dp_pool_ops ops = {.job_size = sizeof(struct job), .produce = produce, .work = work, .consume = consume, .release = release};
    unsigned threads = dp_pool_threads(x->run->pool);
    struct finding f = {.x = x, .workers = dp_calloc(threads, sizeof *f.workers)};
    enum dp_status status = dp_pool_run(x->run->pool, &ops, &f, err);
    for (unsigned i = 0; i < threads; i++) dp_scan_close(f.workers[i].scan), dp_buf_release(&f.workers[i].text);
    free(f.workers);
    return status;
}
