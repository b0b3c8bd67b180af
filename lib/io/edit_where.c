/*
 * Delete and update (dp/io/edit.h): rows for which an expression is true are found on all threads, a row group at a time, by those columns alone that the
 * expression reads; what gets other values is printed as a record, and what the expressions give is typed by the table.
 */
#include "edit_priv.h"

#include <dp/io/datasets.h>
#include <dp/io/generated.h>
#include <dp/parquet/reader.h>
#include <dp/record/lineage.h>

#include <stdlib.h>

enum { FIND_ROWS = 4096 };

struct set {
    char *column;
    size_t number;            /* of the column */
    struct dp_expr *expr;
};

struct worker {
    bool is_open;
    struct dp_scan *scan;
    struct dp_expr_run *where, **sets;
    struct dp_shred *shred;
    struct dp_batch rows, values; /* read; made by the sets */
    struct dp_buf text, made, line;
};

struct edit_where {
    struct dp_run *run;
    struct edit *e;
    struct dp_expr *where;
    const char **columns;     /* that it reads, NULL: all */
    size_t n_columns;
    struct dp_delta_scan *scan;
    struct set *sets;
    size_t n_sets;
    struct dp_type *made;     /* the columns that are set */
    struct dp_generated *generated; /* columns that the table makes of others; NULL: none */
    size_t *follow;           /* those of them that are made anew, for a column that they are made of is set */
    size_t n_follow;
    struct worker *workers;
    unsigned n_workers;
    bool moves;               /* a partition column is set */
    const struct dp_edit_opts *o;
    uint8_t *judged;          /* enum dp_maybe of each live file, in their order; NULL: all are read */
    size_t at;                /* of the task that came last, among them */
    size_t seen_cursor;
    const struct dp_delta_file *seen;
    bool is_refused;          /* by the caller's check */
};

/* ---- words of the command line ---- */

static enum dp_status no_column(const struct edit *e, const char *option, const char *name, struct dp_err *err) {
    return dp_type_no_child(e->schema, option, e->table, dp_str_z(name), err);
}

/* A misspelled name would read as null, of which much is true: it is refused. */
static enum dp_status choose_columns(struct edit_where *x, struct dp_err *err) {
    const char *const *fields;
    size_t n;
    if (!dp_expr_fields(x->where, &fields, &n)) return DP_OK;
    x->columns = dp_calloc(n + 1, sizeof *x->columns);
    for (size_t i = 0; i < n; i++) {
        if (!dp_type_child(x->e->schema, dp_str_z(fields[i]))) return no_column(x->e, "--where", fields[i], err);
        x->columns[x->n_columns++] = fields[i];
    }
    if (!n) x->columns[x->n_columns++] = x->e->schema->children[0]->name; /* true of all or of none: rows are counted by one column */
    return DP_OK;
}

static enum dp_status read_set(struct edit_where *x, const char *text, struct dp_err *err) {
    const char *equals = strchr(text, '=');
    struct set *s = &x->sets[x->n_sets];
    const struct dp_type *schema = x->e->schema;
    if (!equals || equals == text) return dp_err_set(err, DP_USAGE, "--set %s: COLUMN=EXPR is wanted", text);
    s->column = dp_strndup(text, (size_t)(equals - text));
    x->n_sets++;
    while (s->number < schema->n_children && strcmp(schema->children[s->number]->name, s->column) != 0) s->number++;
    if (s->number == schema->n_children) return no_column(x->e, "--set", s->column, err);
    for (size_t i = 0; i + 1 < x->n_sets; i++)
        if (x->sets[i].number == s->number) return dp_err_set(err, DP_USAGE, "--set: column %s is set twice", s->column);
    if (dp_expr_compile(dp_str_z(equals + 1), &s->expr, err) != DP_OK) return dp_err_prefix(err, "--set %s: ", s->column);
    const char *const *fields;
    size_t n = 0;
    if (!dp_expr_fields(s->expr, &fields, &n)) n = 0;
    for (size_t i = 0; i < n; i++)
        if (!dp_type_child(schema, dp_str_z(fields[i]))) return no_column(x->e, "--set", fields[i], err);
    dp_type_add(x->made, dp_type_copy(schema->children[s->number]));
    x->moves |= dp_delta_is_partition(x->e->s, dp_str_z(s->column));
    return DP_OK;
}

/* What the table makes of the columns that are set. */
static enum dp_status find_followers(struct edit_where *x, struct dp_err *err) {
    const struct dp_type *schema = x->e->schema;
    if (!x->n_sets) return DP_OK;
    DP_TRY(dp_generated_open(x->e->s, schema, &x->generated, err));
    size_t *changed = dp_calloc(x->n_sets, sizeof *changed);
    for (size_t i = 0; i < x->n_sets; i++) changed[i] = x->sets[i].number;
    x->follow = dp_calloc(schema->n_children + 1, sizeof *x->follow);
    x->n_follow = dp_generated_follow(x->generated, changed, x->n_sets, x->follow);
    for (size_t i = 0; i < x->n_follow; i++) x->moves |= dp_delta_is_partition(x->e->s, dp_str_z(schema->children[x->follow[i]]->name));
    free(changed);
    return DP_OK;
}

static enum dp_status read_words(struct edit_where *x, const struct dp_edit_opts *o, struct dp_err *err) {
    x->sets = dp_calloc(o->n_sets + 1, sizeof *x->sets);
    x->made = dp_type_new(DP_TYPE_STRUCT, DP_STR(""));
    x->made->nullable = false;
    if (o->where && dp_expr_compile(dp_str_z(o->where), &x->where, err) != DP_OK) return dp_err_prefix(err, "--where: ");
    if (x->where) DP_TRY(choose_columns(x, err));
    for (size_t i = 0; i < o->n_sets; i++) DP_TRY(read_set(x, o->sets[i], err));
    return find_followers(x, err);
}

/* ---- workers ---- */

static struct worker *worker_of(struct edit_where *x, unsigned n) {
    struct worker *w = &x->workers[n];
    if (w->is_open) return w;
    w->is_open = true;
    w->scan = dp_scan_open(DP_LIMIT_RECORD_MAX, DP_SCAN_AUTO);
    if (x->where) w->where = dp_expr_run_open(x->where);
    w->sets = dp_calloc(x->n_sets + 1, sizeof *w->sets);
    for (size_t i = 0; i < x->n_sets; i++) w->sets[i] = dp_expr_run_open(x->sets[i].expr);
    w->shred = dp_shred_open(x->made, true);
    dp_batch_init(&w->values, x->made);
    return w;
}

static void close_worker(struct edit_where *x, struct worker *w) {
    if (!w->is_open) return;
    dp_scan_close(w->scan);
    if (w->where) dp_expr_run_close(w->where);
    for (size_t i = 0; i < x->n_sets; i++) dp_expr_run_close(w->sets[i]);
    free(w->sets);
    dp_shred_close(w->shred);
    if (w->rows.schema) dp_batch_release(&w->rows);
    dp_batch_release(&w->values);
    dp_buf_release(&w->text);
    dp_buf_release(&w->made);
    dp_buf_release(&w->line);
}

static void begin_text(struct worker *w, struct dp_buf *text) {
    memset(dp_buf_reserve(text, DP_SCAN_PAD), 0, DP_SCAN_PAD);
    dp_scan_begin(w->scan, text->p, text->n);
}

/* ---- which rows ---- */

struct find_job {
    struct dp_delta_task *task;
    uint8_t *bits;            /* of the row group's rows */
    size_t cap;
    int64_t rows, found;
    size_t number;            /* of its file */
};

/* The number of a live file; asked in their order. */
static size_t number_of(struct edit_where *x, const struct dp_delta_file *f) {
    while (x->seen != f && (x->seen = dp_delta_next_file(x->e->s, &x->seen_cursor)) != NULL) x->at++;
    return x->at - 1;
}

/* Files of which the log or the caller knows that all of their rows go are dropped unread. */
static void judge_files(struct edit_where *x) {
    struct dp_delta_skipper *skipper = x->where ? dp_delta_skipper_open(x->e->s, x->where) : NULL;
    const struct dp_delta_file *f;
    size_t n = 0;
    x->judged = dp_calloc(x->e->s->n_files + 1, 1);
    for (size_t cursor = 0; (f = dp_delta_next_file(x->e->s, &cursor)) != NULL; n++) {
        enum dp_maybe answer = x->o->judge ? x->o->judge(x->o->ctx, f) : DP_MAYBE;
        if (answer == DP_MAYBE) answer = skipper ? dp_delta_skipper_ask(skipper, f) : DP_NEVER;
        if (answer == DP_ALWAYS && !x->o->judge && dp_delta_skipper_rows(skipper, f) < 0) answer = DP_MAYBE; /* whoever asks wants to know how many */
        x->judged[n] = (uint8_t)answer;
        if (answer == DP_ALWAYS) {
            edit_drop(x->e, f);
            x->e->files[x->e->n_files - 1].number = n;
        }
    }
    dp_delta_skipper_close(skipper);
}

static enum dp_status find_next(void *ctx, void *job, struct dp_err *err) {
    struct edit_where *x = ctx;
    struct find_job *j = job;
    if (dp_run_stopped(x->run, err)) return DP_SIGNALLED;
    for (;;) {
        DP_TRY(dp_delta_scan_next(x->scan, &j->task, err));
        if (!x->judged || x->judged[number_of(x, dp_delta_task_action(j->task))] == DP_MAYBE) break;
        dp_delta_task_release(j->task);
        j->task = NULL;
    }
    j->number = x->judged ? x->at - 1 : 0;
    j->rows = dp_pq_meta(dp_delta_task_file(j->task))->row_groups[dp_delta_task_row_group(j->task)].num_rows;
    j->bits = dp_grow(j->bits, &j->cap, (size_t)j->rows / 8 + 1, 1);
    memset(j->bits, 0, (size_t)j->rows / 8 + 1);
    j->found = 0;
    return DP_OK;
}

static enum dp_status test_rows(struct worker *w, const struct dp_delta_read *read, struct find_job *j, struct dp_err *err) {
    struct dp_record r;
    int64_t first = dp_delta_task_first_row(j->task);
    dp_buf_reset(&w->text);
    dp_batch_print(&w->rows, 0, w->rows.length, NULL, &w->text);
    begin_text(w, &w->text);
    for (int64_t i = 0; i < w->rows.length; i++) {
        bool yes = false;
        DP_TRY(dp_scan_next(w->scan, &r, err));
        enum dp_status status = dp_expr_test(w->where, &r, &yes, err);
        if (status == DP_RECORD) {
            if (err) err->status = DP_RULE;
            dp_err_prefix(err, "row %lld: --where: ", (long long)dp_delta_read_row(read, i) + 1);
            return dp_err_at(err, dp_delta_task_path(j->task), 0, DP_NO_OFFSET);
        }
        DP_TRY(status);
        if (!yes) continue;
        int64_t row = dp_delta_read_row(read, i) - first;
        j->bits[row >> 3] |= (uint8_t)(1u << (row & 7));
        j->found++;
    }
    return DP_OK;
}

static enum dp_status find_work(void *ctx, unsigned worker, void *job, struct dp_err *err) {
    struct edit_where *x = ctx;
    struct find_job *j = job;
    struct worker *w = worker_of(x, worker);
    struct dp_delta_read *read = NULL;
    DP_TRY(dp_delta_read_open(j->task, &read, err));
    if (!w->rows.schema) dp_batch_init(&w->rows, dp_delta_scan_schema(x->scan));
    enum dp_status status;
    while ((status = dp_delta_read_next(read, FIND_ROWS, &w->rows, err)) == DP_OK)
        if (w->rows.length && (status = test_rows(w, read, j, err)) != DP_OK) break;
    dp_delta_read_close(read);
    return status == DP_END ? DP_OK : status;
}

static enum dp_status find_done(void *ctx, void *job, struct dp_err *err) {
    struct edit_where *x = ctx;
    struct find_job *j = job;
    (void)err;
    if (x->run->tick) x->run->tick(x->run);
    if (j->found) {
        struct dp_delta_deleted *hits = edit_hits(x->e, dp_delta_task_action(j->task), edit_file_rows(j->task));
        int64_t first = dp_delta_task_first_row(j->task);
        x->e->files[x->e->n_files - 1].number = j->number;
        for (int64_t i = 0; i < j->rows; i++) {
            if (!(i & 7) && !j->bits[i >> 3]) i += 7;
            else if (j->bits[i >> 3] >> (i & 7) & 1) dp_delta_deleted_add(hits, first + i);
        }
    }
    dp_delta_task_release(j->task);
    j->task = NULL;
    return DP_OK;
}

static void find_release(void *ctx, void *job) {
    struct find_job *j = job;
    (void)ctx;
    dp_delta_task_release(j->task);
    free(j->bits);
}

/* Does the expression read partition columns alone?  Then a file's values say exactly whether it is true of its rows. */
static bool is_of_partitions(const struct edit_where *x) {
    for (size_t i = 0; i < x->n_columns; i++)
        if (!dp_delta_is_partition(x->e->s, dp_str_z(x->columns[i]))) return false;
    return x->columns != NULL;
}

/* Where the log alone says of each file whether all of its rows are hit or none: those files go.  False: rows are to be read, and nothing is done. */
static bool find_files(struct edit_where *x) {
    struct dp_delta_skipper *skipper = x->where ? dp_delta_skipper_open(x->e->s, x->where) : NULL;
    const struct dp_delta_file *f;
    bool *hits = NULL, decided = true;
    size_t n = 0, cap = 0;
    for (size_t cursor = 0; decided && (f = dp_delta_next_file(x->e->s, &cursor)) != NULL;) {
        enum dp_maybe answer = skipper ? dp_delta_skipper_ask(skipper, f) : DP_ALWAYS;
        decided = answer != DP_MAYBE;
        hits = dp_grow(hits, &cap, n + 1, sizeof *hits);
        hits[n++] = answer == DP_ALWAYS;
    }
    n = 0;
    for (size_t cursor = 0; decided && (f = dp_delta_next_file(x->e->s, &cursor)) != NULL;) {
        if (hits[n++]) edit_drop(x->e, f);
        else x->e->counts->files_skipped++;
    }
    dp_delta_skipper_close(skipper);
    free(hits);
    return decided;
}

static enum dp_status find_rows(struct edit_where *x, struct dp_err *err) {
    const struct dp_pool_ops ops = {.job_size = sizeof(struct find_job), .produce = find_next, .work = find_work, .consume = find_done, .release = find_release};
    if (!x->o->judge && (!x->where || is_of_partitions(x)) && find_files(x)) return DP_OK;
    if (!x->n_sets && (x->where || x->o->judge)) judge_files(x);
    if (!x->where && x->o->judge) return DP_OK;
    DP_TRY(dp_delta_scan_open(x->e->s, x->columns, x->n_columns, x->where, &x->scan, err));
    dp_delta_scan_bound(x->scan, x->run->memory / 2 / (x->n_workers ? x->n_workers : 1));
    DP_TRY(dp_pool_run(x->run->pool, &ops, x, err));
    if (x->judged) edit_sort(x->e);
    x->e->counts->files_skipped = dp_delta_scan_counts(x->scan).files_skipped;
    return DP_OK;
}

/* -1: of a file that goes as a whole nobody knows. */
static int64_t count_hits(const struct edit *e) {
    int64_t n = 0;
    for (size_t i = 0; i < e->n_files; i++) {
        int64_t here = e->files[i].hits.bits ? e->files[i].hits.count : e->files[i].live;
        if (here < 0) return -1;
        n += here;
    }
    return n;
}

/* ---- new values ---- */

static enum dp_status bad_value(const struct set *s, const char *why, struct dp_err *err) { return dp_err_set(err, DP_RULE, "--set %s: %s", s->column, why); }

/* One record with the values of all sets behind w->made. */
static enum dp_status make_values(const struct edit_where *x, struct worker *w, const struct dp_record *r, struct dp_err *err) {
    for (size_t i = 0; i < x->n_sets; i++) {
        size_t outputs = 0;
        dp_buf_reset(&w->line);
        enum dp_status status = dp_expr_apply(w->sets[i], r, &w->line, &outputs, err);
        if (status == DP_RECORD && err) err->status = DP_RULE;
        if (status != DP_OK) return dp_err_prefix(err, "--set %s: ", x->sets[i].column);
        if (outputs != 1) return bad_value(&x->sets[i], outputs ? "it gives more than one value of a row" : "it gives no value of a row", err);
        dp_buf_addc(&w->made, i ? ',' : '{');
        dp_json_add_string(&w->made, dp_str_z(x->sets[i].column));
        dp_buf_addc(&w->made, ':');
        dp_buf_add(&w->made, w->line.p, w->line.n - 1);
    }
    dp_buf_addz(&w->made, "}\n");
    return DP_OK;
}

static enum dp_status change(void *ctx, unsigned worker, const struct dp_batch *before, struct dp_batch *after, struct dp_err *err) {
    struct edit_where *x = ctx;
    struct worker *w = worker_of(x, worker);
    struct dp_shred_reject why;
    struct dp_record r;
    dp_buf_reset(&w->text);
    dp_buf_reset(&w->made);
    dp_batch_print(before, 0, before->length, NULL, &w->text);
    begin_text(w, &w->text);
    for (int64_t i = 0; i < before->length; i++) {
        DP_TRY(dp_scan_next(w->scan, &r, err));
        DP_TRY(make_values(x, w, &r, err));
    }
    dp_batch_reset(&w->values);
    begin_text(w, &w->made);
    for (int64_t i = 0; i < before->length; i++) {
        DP_TRY(dp_scan_next(w->scan, &r, err));
        if (dp_shred_record(w->shred, &r, &w->values, &why) != DP_OK) return dp_err_set(err, DP_RULE, "--set: %s: %s", why.path, why.reason);
    }
    for (size_t i = 0; i < after->n_columns; i++) {
        size_t k = 0;
        while (k < x->n_sets && x->sets[k].number != i) k++;
        dp_column_append(&after->columns[i], k < x->n_sets ? &w->values.columns[k] : &before->columns[i], 0, before->length);
    }
    after->length = before->length;
    for (size_t i = 0; i < x->n_follow; i++) DP_TRY(dp_generated_remake(x->generated, x->follow[i], after, err));
    return DP_OK;
}

/* ---- one attempt ---- */

static void print_predicate(const struct dp_edit_opts *o, struct dp_buf *out) {
    struct dp_buf list = {0};
    dp_buf_addc(&list, '[');
    if (o->predicate || o->where) dp_json_add_string(&list, dp_str_z(o->predicate ? o->predicate : o->where));
    dp_buf_addc(&list, ']');
    dp_buf_addz(out, "{\"predicate\":");
    dp_json_add_string(out, dp_buf_str(&list));
    dp_buf_addc(out, '}');
    dp_buf_release(&list);
}

static void print_metrics(void *ctx, const struct dp_edited *c, struct dp_buf *out) {
    const struct dp_edit_opts *o = ctx;
    dp_buf_addf(out, ",\"numAddedFiles\":\"%llu\"", (unsigned long long)c->files_added);
    if (o->n_sets) dp_buf_addf(out, ",\"numUpdatedRows\":\"%lld\"", (long long)c->updated);
    else if (c->deleted >= 0) dp_buf_addf(out, ",\"numDeletedRows\":\"%lld\"", (long long)c->deleted);
    dp_buf_addf(out, ",\"numCopiedRows\":\"%lld\",\"numAddedChangeFiles\":\"%llu\",\"numDeletionVectorsAdded\":\"%llu\"", (long long)c->copied,
                (unsigned long long)c->change_files, (unsigned long long)c->vectors);
}

/* `. + {"c":(if WHERE then EXPR else .["c"] end),...}`: what --set makes of a row. */
static void print_program(const struct edit_where *x, const struct dp_edit_opts *o, struct dp_buf *out) {
    dp_buf_addz(out, ". + {");
    for (size_t i = 0; i < x->n_sets; i++) {
        const char *expr = strchr(o->sets[i], '=');
        dp_buf_addz(out, i ? "," : "");
        dp_json_add_string(out, dp_str_z(x->sets[i].column));
        dp_buf_addf(out, ":(if (%s) then (%s) else .[", o->where ? o->where : "true", expr ? expr + 1 : "null");
        dp_json_add_string(out, dp_str_z(x->sets[i].column));
        dp_buf_addz(out, "] end)");
    }
    dp_buf_addc(out, '}');
}

/* Did a deletion take every file, and put none in its place?  Then the table stands without a row. */
static bool leaves_nothing(const struct edit_where *x, const struct dp_edit_opts *o, const struct dp_edited *d) {
    return !o->n_sets && x->e->n_files == x->e->s->n_files && !d->files_added && !d->vectors;
}

/* For lineage: the table, made of itself. */
static void note(const struct edit_where *x, const struct dp_edit_opts *o, const struct dp_edited *d) {
    struct dp_mark begin = {.kind = DP_MARK_BEGIN, .table_version = -1};
    struct dp_buf program = {0};
    struct dp_expr *e = NULL;
    struct dp_dataset *out = dp_dataset_copied(x->run, o->table, o->table, x->e->schema);
    if (!out) return;
    dp_datasets_operands(x->run, &o->table, 1, &begin);
    begin.schema = dp_type_copy(x->e->schema);
    if (o->n_sets) print_program(x, o, &program);
    if (program.n && dp_expr_compile(dp_buf_str(&program), &e, NULL) == DP_OK) dp_lineage_map(e, "dp-table", &begin);
    if (!o->n_sets && x->where) dp_lineage_where(x->where, &begin);
    dp_dataset_header(out, &begin);
    dp_dataset_table(dp_dataset_input(x->run, o->table), x->e->s);
    dp_dataset_version(out, d->version);
    dp_dataset_about(out, x->e->s);
    dp_dataset_count(out, (uint64_t)(d->updated + d->inserted), d->bytes_added, d->files_added);
    if (leaves_nothing(x, o, d)) dp_dataset_lifecycle(out, DP_OL_TRUNCATE);
    dp_expr_free(e);
    dp_buf_release(&program);
    dp_mark_release(&begin);
}

static enum dp_status publish(struct edit_where *x, const struct dp_edit_opts *o, struct dp_edited *out, struct dp_err *err) {
    struct dp_buf parameters = {0};
    struct dp_delta_change c = {.reads = x->where ? DP_DELTA_READ_WHERE : o->judge ? DP_DELTA_READ_NOTHING : DP_DELTA_READ_TABLE, .txns = o->txn, .n_txns = o->txn != NULL, .where = x->where, .keeps_row_ids = true, .operation = o->n_sets ? "UPDATE" : "DELETE", .rows = -1};
    int64_t version = -1;
    print_predicate(o, &parameters);
    c.parameters = dp_buf_z(&parameters);
    enum dp_status status = edit_publish(x->e, &c, print_metrics, (void *)(uintptr_t)o, &version, err);
    if (status == DP_OK) out->version = version, note(x, o, out);
    dp_buf_release(&parameters);
    return status;
}

static enum dp_status attempt(struct edit_where *x, const struct dp_edit_opts *o, struct dp_edited *out, struct dp_err *err) {
    DP_TRY(edit_open(x->run, o->table, out, &x->e, err));
    if (o->check) {
        enum dp_status status = o->check(o->ctx, x->e->s, err);
        x->is_refused = status != DP_OK;
        DP_TRY(status);
    }
    DP_TRY(read_words(x, o, err));
    DP_TRY(find_rows(x, err));
    int64_t hits = count_hits(x->e);
    if (o->n_sets) out->updated = hits;
    else out->deleted = hits;
    const struct edit_plan plan = {.change = o->n_sets ? change : NULL, .ctx = x, .in_place = !x->moves, .type = o->n_sets ? EDIT_BEFORE : EDIT_DELETE};
    if (!x->e->n_files) return DP_OK;
    DP_TRY(edit_rewrite(x->e, &plan, err));
    if (x->run->dry_run) return DP_OK;
    if (o->n_sets) out->updated = x->e->n_read;
    return publish(x, o, out, err);
}

static void forget(struct edit_where *x) {
    for (unsigned i = 0; i < x->n_workers; i++) close_worker(x, &x->workers[i]);
    for (size_t i = 0; i < x->n_sets; i++) {
        free(x->sets[i].column);
        dp_expr_free(x->sets[i].expr);
    }
    free(x->sets), free(x->columns), free(x->workers), free(x->judged);
    dp_type_free(x->made);
    dp_generated_close(x->generated);
    free(x->follow);
    dp_delta_scan_close(x->scan);
    edit_close(x->e);
    dp_expr_free(x->where);
}

static enum dp_status run_edit(struct dp_run *run, const struct dp_edit_opts *o, struct dp_edited *out, struct dp_err *err) {
    enum dp_status status = DP_AGAIN;
    (void)dp_dataset_input(run, o->table), (void)dp_dataset_output(run, o->table);
    bool is_refused = false;
    for (unsigned tries = 0; status == DP_AGAIN && !is_refused && tries < EDIT_TRIES; tries++) {
        struct edit_where x = {.run = run, .o = o, .n_workers = dp_pool_threads(run->pool)};
        x.workers = dp_calloc(x.n_workers + 1, sizeof *x.workers);
        status = attempt(&x, o, out, err);
        is_refused = x.is_refused;
        forget(&x);
    }
    return status;
}

enum dp_status dp_edit_delete(struct dp_run *run, const struct dp_edit_opts *o, struct dp_edited *out, struct dp_err *err) {
    return run_edit(run, o, out, err);
}

enum dp_status dp_edit_update(struct dp_run *run, const struct dp_edit_opts *o, struct dp_edited *out, struct dp_err *err) {
    if (!o->n_sets) return dp_err_set(err, DP_USAGE, "--set COLUMN=EXPR is needed");
    return run_edit(run, o, out, err);
}
